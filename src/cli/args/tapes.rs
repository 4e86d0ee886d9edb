//! Which tapes, and how much of them: what `list`, `search` and `stats` share.

use std::num::NonZeroUsize;

use clap::Args;

/// Conditions that must all hold, each as the search of the same name.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which tapes")]
pub(in crate::cli) struct Filters {
    /// The name contains this.
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Has this tag; may be given again.
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Namespace.
    #[arg(long)]
    pub namespace: Option<String>,
    /// Retention class.
    #[arg(long)]
    pub class: Option<String>,
    /// Kind of session: mcp, http, terminal, fix, hl7, file, other.
    #[arg(long)]
    pub kind: Option<String>,
    /// Began then or later: 2026-11-20, 2026-11-20T10:00:00Z, or an age: 90m, 36h, 7d, 2w.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Began before then; a date takes its whole day in.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Some message has this method.
    #[arg(long)]
    pub method: Option<String>,
    /// Some message calls this tool.
    #[arg(long)]
    pub tool: Option<String>,
    /// Some error has this code.
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    pub error: Option<String>,
    /// Has errors, or has none: yes, no.
    #[arg(long, value_name = "YES|NO")]
    pub errors: Option<String>,
    /// How the session ended: clean, child_exit, signal, crashed, truncated, imported, error, "continued in another tape".
    #[arg(long, value_name = "STATE")]
    pub end: Option<String>,
    /// What became of the tape: live, archived, erased.
    #[arg(long)]
    pub state: Option<String>,
}

impl Filters {
    /// Every condition given, under the name that a search has for it.
    pub(in crate::cli) fn given(&self) -> Vec<(&'static str, &str)> {
        let once = [
            ("name", &self.name),
            ("namespace", &self.namespace),
            ("class", &self.class),
            ("kind", &self.kind),
            ("since", &self.since),
            ("until", &self.until),
            ("method", &self.method),
            ("tool", &self.tool),
            ("error", &self.error),
            ("errors", &self.errors),
            ("end", &self.end),
            ("state", &self.state),
        ];
        let once = once.into_iter().filter_map(|(key, value)| value.as_deref().map(|v| (key, v)));
        once.chain(self.tag.iter().map(|tag| ("tag", tag.as_str()))).collect()
    }
}

/// One page of an answer.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct Page {
    /// Most tapes to give; the command for the next ones is said then.
    #[arg(long, value_name = "N", value_parser = super::values::count)]
    pub limit: Option<NonZeroUsize>,
    /// Go on where a page before ended.
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Words of a search: text, or key:value as of the flags.
    #[arg(value_name = "WORDS")]
    pub words: Vec<String>,
    #[command(flatten)]
    pub page: Page,
    #[command(flatten)]
    pub filters: Filters,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Stats {
    /// Words of a search: text, or key:value as of the flags.
    #[arg(value_name = "WORDS")]
    pub words: Vec<String>,
    #[command(flatten)]
    pub filters: Filters,
}

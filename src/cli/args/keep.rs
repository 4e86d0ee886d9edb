//! What goes in and what it is called: `save`, `import`, `label`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::values::{some_text, some_words};

/// How tapes are kept.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Keep {
    /// Retention class [default: as configured, else draft].
    #[arg(long, value_parser = some_text())]
    pub class: Option<String>,
    /// Namespace [default: as configured, else default].
    #[arg(long, value_parser = some_text())]
    pub namespace: Option<String>,
    /// Tag; may be given again.
    #[arg(long, value_name = "TAG", value_parser = some_words())]
    pub tag: Vec<OsString>,
    /// Format of the files; with "auto" their content tells.
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub format: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Save {
    /// Recorded sessions; - is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub keep: Keep,
    /// Name of the tape.
    #[arg(long, value_parser = some_words())]
    pub name: Option<OsString>,
    /// Description of the tape.
    #[arg(long, value_parser = some_words())]
    pub description: Option<OsString>,
    /// Companion metadata; without it X.meta.json beside X.jsonl.
    #[arg(long, value_name = "FILE")]
    pub meta: Option<PathBuf>,
    /// What stands beside a version 2.0 tape; without it X.extra.jsonl beside X.jsonl.
    #[arg(long, value_name = "FILE")]
    pub extra: Option<PathBuf>,
    /// A kept tape that this one corrects or completes; it stays as it is. Needs --reason.
    #[arg(long, value_name = "ID", requires = "reason")]
    pub amends: Option<String>,
    /// Why it is amended.
    #[arg(long, value_name = "TEXT", requires = "amends")]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// Recorded sessions, and folders of them; links in folders are not followed.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub keep: Keep,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Label {
    /// Tape id, or the first digits of it (at least 4).
    pub id: String,
    /// New name.
    #[arg(long, conflicts_with = "no_name")]
    pub name: Option<OsString>,
    /// Take the name away; lists show that of the source file then.
    #[arg(long)]
    pub no_name: bool,
    /// New description.
    #[arg(long, conflicts_with = "no_description")]
    pub description: Option<OsString>,
    /// Take the description away.
    #[arg(long)]
    pub no_description: bool,
    /// Add this tag; may be given again.
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<OsString>,
    /// Take this tag away; may be given again.
    #[arg(long, value_name = "TAG")]
    pub remove_tag: Vec<OsString>,
    /// Why; stands in the log's private half.
    #[arg(long, value_name = "TEXT", value_parser = some_text())]
    pub reason: Option<String>,
}

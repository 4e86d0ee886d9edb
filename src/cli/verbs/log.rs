//! `log`: who did what, and when.

use serde_json::json;

use crate::cli::args::Log;
use crate::cli::entries::{Context, View, document};
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::cli::words;
use crate::error::{Code, Error, Result};
use crate::ledger::LogLine;

pub(in crate::cli) fn log(s: &mut Session<'_>, args: &Log) -> Result<u8> {
    if args.from.zip(args.to).is_some_and(|(from, to)| to < from) {
        return Err(Error::new(Code::Usage, "--to is before --from: the range holds nothing"));
    }
    let range = args.from.unwrap_or(0)..args.to.map_or(u64::MAX, |to| to.saturating_add(1));
    s.with_ledger(async |ledger, s| {
        let (entries, entry) = ledger.log(&s.parts.who, range).await?;
        if s.out.json {
            let shown = entries.iter().map(View::of_line).filter(|v| args.all || !v.is_folded());
            shown.for_each(|v| s.out.document(document(v)));
            s.out.document(json!({ "type": "recorded", "entry": entry, "entries": entries.len() }));
            return Ok(0);
        }
        if entries.is_empty() {
            s.out.say("The log has no entry in that range.");
        } else {
            print(s, &entries, args.all);
        }
        s.out.say(&format!("This reading of the log was recorded as entry #{entry}."));
        Ok(0)
    })
}

fn print(s: &mut Session<'_>, entries: &[LogLine], all: bool) {
    const TABLE: Table<'_> = Table {
        kinds: &[Column::Number, Column::Text, Column::Text, Column::Text, Column::Long, Column::Long],
        spare: &[4, 5, 3],
    };
    let mut context = Context::default();
    entries.iter().map(View::of_line).for_each(|v| context.take(v));
    let mut rows = vec![["#", "TIME (UTC)", "WHAT", "TAPE", "WHO", "DETAIL"].map(str::to_owned).to_vec()];
    let mut folded = 0u64;
    for view in entries.iter().map(View::of_line) {
        if !all && view.is_folded() {
            folded = folded.saturating_add(1);
            continue;
        }
        let who = words::actor(view.private);
        let (tape, detail) = (context.tape(view), context.detail(view));
        rows.push(vec![view.index.to_string(), words::moment(view.time), view.kind.name(), tape, who, detail]);
    }
    s.out.table(&TABLE, &rows);
    if folded > 0 {
        s.out.say(&format!(
            "Left out: {} of starts, stops and completed reads; --all shows them.",
            words::entries(folded)
        ));
    }
}

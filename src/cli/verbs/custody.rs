//! `custody`: everything that happened to one tape.

use serde_json::json;

use crate::cli::args::OneTape;
use crate::cli::entries::{Context, View, document};
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::cli::words;
use crate::error::Result;
use crate::evidence::CustodyReport;

pub(in crate::cli) fn custody(s: &mut Session<'_>, args: &OneTape) -> Result<u8> {
    s.with_ledger(async |ledger, s| {
        let (report, entry) = ledger.custody(&s.parts.who, &args.id).await?;
        let own = report.events.iter().filter(|e| !e.about_ledger).count() as u64;
        if s.out.json {
            for event in &report.events {
                s.out.document(document(View::of_event(event, report.custody)));
            }
            s.out.document(json!({
                "type": "custody", "tape": report.tape.to_text(), "custody": report.custody.to_hex(),
                "log_size": report.size, "links": own, "unbroken": report.is_unbroken(), "entry": entry,
            }));
            return Ok(0);
        }
        s.out.prose(&format!("tape {}", report.tape.to_text()));
        print(s, &report);
        s.out.prose(&format!(
            "{} of its own, none missing, in a log of {} entries",
            words::count(own, "link"),
            report.size
        ));
        s.out.say(&format!("Asking for this was recorded as entry #{entry}."));
        Ok(0)
    })
}

fn print(s: &mut Session<'_>, report: &CustodyReport) {
    const TABLE: Table<'_> =
        Table { kinds: &[Column::Number, Column::Text, Column::Text, Column::Long, Column::Long], spare: &[4, 3] };
    let mut context = Context::default();
    let views = || report.events.iter().map(|e| View::of_event(e, report.custody));
    views().for_each(|v| context.take(v));
    let mut rows = vec![["#", "TIME (UTC)", "WHAT", "WHO", "DETAIL"].map(str::to_owned).to_vec()];
    for view in views().filter(|v| !v.is_folded()) {
        let who = words::actor(view.private);
        rows.push(vec![view.index.to_string(), words::moment(view.time), view.kind.name(), who, context.detail(view)]);
    }
    s.out.table(&TABLE, &rows);
}

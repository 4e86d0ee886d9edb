//! `stats`: what is kept, added up. It opens a line of every tape, so it is recorded as the list that it is.

use serde_json::{Value, json};

use crate::cli::args::{Page, Stats};
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::cli::totals::{Groups, Sum, Totals};
use crate::cli::{asked, words};
use crate::error::Result;
use crate::ledger::ListRequest;

/// What a count came to, and what recorded it.
struct Counted {
    totals: Totals,
    undecided: u64,
    /// Entries of the log, the ones that record this included.
    entries: u64,
    /// The last entry that records this.
    entry: u64,
}

pub(in crate::cli) fn stats(s: &mut Session<'_>, args: &Stats) -> Result<u8> {
    let now = s.parts.env.clock.read().wall;
    let mut request = asked::request(&args.filters, &args.words, &Page::default(), now)?;
    s.with_ledger(async |ledger, s| {
        let (mut totals, mut undecided) = (Totals::default(), 0u64);
        let entry = loop {
            let page = ledger.list_page(&s.parts.who, request.clone()).await?;
            page.tapes.iter().for_each(|tape| totals.take(tape));
            undecided = undecided.saturating_add(page.undecided);
            match page.next {
                Some(_) => request = ListRequest { cursor: page.next, ..request },
                None => break page.entry,
            }
        };
        let counted = Counted { totals, undecided, entries: ledger.size(), entry };
        if s.out.json {
            s.out.document(document(&counted))
        } else {
            print(s, &counted)
        }
        Ok(0)
    })
}

fn print(s: &mut Session<'_>, counted: &Counted) {
    let Totals { all, .. } = &counted.totals;
    let totals = &counted.totals;
    s.out.field(&format!(
        "tapes    {}, {}, {}",
        all.tapes,
        words::count(all.frames, "frame"),
        words::count(all.errors, "error")
    ));
    s.out.field(&format!(
        "bytes    {} of payload, {} stored, {} in the sources",
        words::bytes(all.payload_bytes),
        words::bytes(all.stored_bytes),
        words::bytes(totals.source_bytes)
    ));
    if let Some((earliest, latest)) = totals.earliest.zip(totals.latest) {
        s.out.field(&format!("began    {} to {} (UTC)", words::moment(earliest), words::moment(latest)));
    }
    s.out.field(&format!("log      {}", words::entries(counted.entries)));
    for (head, groups) in [
        ("NAMESPACE", &totals.namespaces),
        ("CLASS", &totals.classes),
        ("KIND", &totals.kinds),
        ("MONTH", &totals.months),
    ] {
        table(s, head, groups);
    }
    for (n, why) in [
        (totals.unreadable, "cannot be opened: the key or the row is gone or damaged; counted nowhere above"),
        (counted.undecided, "could not be judged: the key or the row is gone or damaged; counted nowhere above"),
    ] {
        if n > 0 {
            s.out.say(&format!("{} {why}.", words::count(n, "tape")));
        }
    }
    s.out.say(&format!("This count was recorded as entry #{}.", counted.entry));
}

fn table(s: &mut Session<'_>, head: &str, groups: &Groups) {
    const TABLE: Table<'_> = Table {
        kinds: &[Column::Long, Column::Number, Column::Number, Column::Number, Column::Number, Column::Number],
        spare: &[3, 4, 2],
    };
    if groups.is_empty() {
        return;
    }
    s.out.line("");
    let mut rows = vec![[head, "TAPES", "FRAMES", "ERRORS", "PAYLOAD", "STORED"].map(str::to_owned).to_vec()];
    rows.extend(groups.iter().map(|(name, sum)| {
        let numbers = [sum.tapes, sum.frames, sum.errors].map(|n| n.to_string());
        let bytes = [words::bytes(sum.payload_bytes), words::bytes(sum.stored_bytes)];
        [name.clone()].into_iter().chain(numbers).chain(bytes).collect()
    }));
    s.out.table(&TABLE, &rows);
}

fn document(counted: &Counted) -> Value {
    let Counted { totals, undecided, entries, entry } = counted;
    let Sum { tapes, frames, errors, payload_bytes, stored_bytes } = totals.all;
    json!({
        "type": "stats", "tapes": tapes, "frames": frames, "errors": errors, "payload_bytes": payload_bytes,
        "stored_bytes": stored_bytes, "source_bytes": totals.source_bytes, "unreadable": totals.unreadable,
        "undecided": undecided, "earliest": totals.earliest.map(|t| t.to_text()),
        "latest": totals.latest.map(|t| t.to_text()), "namespaces": groups(&totals.namespaces),
        "classes": groups(&totals.classes), "kinds": groups(&totals.kinds), "months": groups(&totals.months),
        "entries": entries, "entry": entry,
    })
}

fn groups(groups: &Groups) -> Vec<Value> {
    let one = |(name, sum): (&String, &Sum)| {
        json!({
            "name": name, "tapes": sum.tapes, "frames": sum.frames, "errors": sum.errors,
            "payload_bytes": sum.payload_bytes, "stored_bytes": sum.stored_bytes,
        })
    };
    groups.iter().map(one).collect()
}

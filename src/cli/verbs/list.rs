//! `list` and `search`: what is kept, and what of it somebody looks for.

use serde_json::{Map, Value, json};

use crate::cli::args::List;
use crate::cli::asked;
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::cli::{json as js, words};
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::ledger::{ListPage, ListRequest, Listing, LiveListing};
use crate::time::Timestamp;

/// Digits of an id that a listing shows at least.
const DIGITS_MIN: usize = 8;

pub(in crate::cli) fn list(s: &mut Session<'_>, args: &List) -> Result<u8> {
    let request = request(s, args)?;
    s.with_ledger(async |ledger, s| {
        // What is recorded now is no tape yet: it has nothing that a condition could be about but what was known at its start.
        let is_plain = request.filter.is_empty() && request.cursor.is_none();
        let (live, live_entry) = if is_plain { ledger.list_live(&s.parts.who).await? } else { (Vec::new(), None) };
        let page = ledger.list_page(&s.parts.who, request.clone()).await?;
        recordings(s, &live, live_entry);
        tell(s, "list", &request, &page);
        Ok(0)
    })
}

pub(in crate::cli) fn search(s: &mut Session<'_>, args: &List) -> Result<u8> {
    let request = request(s, args)?;
    if request.filter.is_empty() {
        return Err(Error::new(Code::Usage, "nothing was given to search for")
            .with_hint("for example: immutape search tool:read_text_file; `immutape list` shows everything"));
    }
    s.with_ledger(async |ledger, s| {
        let page = ledger.search(&s.parts.who, request.clone()).await?;
        tell(s, "search", &request, &page);
        Ok(0)
    })
}

fn request(s: &Session<'_>, args: &List) -> Result<ListRequest> {
    asked::request(&args.filters, &args.words, &args.page, s.parts.env.clock.read().wall)
}

fn tell(s: &mut Session<'_>, verb: &str, request: &ListRequest, page: &ListPage) {
    if s.out.json {
        page.tapes.iter().for_each(|tape| s.out.document(document(tape)));
        let next = page.next.map(|at| at.to_text());
        s.out.document(json!({
            "type": "recorded", "entry": page.entry, "tapes": page.tapes.len(), "undecided": page.undecided, "next": next,
        }));
        return;
    }
    match (page.tapes.is_empty(), request.filter.is_empty() && request.cursor.is_none()) {
        (true, true) => s.out.say("No tape is kept yet. `immutape save FILE` keeps one."),
        (true, false) => s.out.say("No tape is like that."),
        (false, _) => print(s, &page.tapes),
    }
    if page.undecided > 0 {
        s.out.say(&format!(
            "{} could not be judged: the key or the row is gone or damaged. `immutape verify` says more.",
            words::count(page.undecided, "tape")
        ));
    }
    if let Some(at) = page.next {
        let command = asked::next_page(verb, &s.parts.again, &request.filter, request.limit, at);
        s.out.say(&format!("There are more: {command}"));
    }
    s.out.say(&format!("This {verb} was recorded as entry #{}.", page.entry));
}

/// What is recorded now, above the tapes.
fn recordings(s: &mut Session<'_>, live: &[LiveListing], entry: Option<u64>) {
    if s.out.json {
        live.iter().for_each(|one| s.out.document(live_document(one)));
        if let Some(entry) = entry {
            s.out.document(json!({ "type": "recorded", "entry": entry, "recordings": live.len() }));
        }
        return;
    }
    if live.is_empty() {
        return;
    }
    const TABLE: Table<'_> =
        Table { kinds: &[Column::Text, Column::Text, Column::Long, Column::Number, Column::Text], spare: &[1, 3] };
    let mut rows = vec![["RECORDING", "SINCE (UTC)", "NAME", "FRAMES", "STATE"].map(str::to_owned).to_vec()];
    rows.extend(live.iter().map(|one| {
        let header = one.header.as_ref();
        let since = header.and_then(|h| h.started_wall_ns).map(|ns| Timestamp::from_ms(ns.wrapping_div(1_000_000)));
        let name = header.map_or_else(|| "?".into(), |h| words::name(h.labels.name.as_deref()));
        let frames = format!("{}{}", one.frames, if one.is_more { "+" } else { "" });
        vec![
            words::short(&one.custody.to_hex()).to_owned(),
            since.map_or_else(|| "?".into(), |t| words::moment(t).get(..16).unwrap_or_default().to_owned()),
            name,
            frames,
            state(one).to_owned(),
        ]
    }));
    s.out.table(&TABLE, &rows);
    s.out.line("");
}

const fn state(one: &LiveListing) -> &'static str {
    match (one.is_live, one.is_paused) {
        (true, false) => "live",
        (true, true) => "paused",
        (false, _) => "to be sealed",
    }
}

fn live_document(one: &LiveListing) -> Value {
    let header = one.header.as_ref();
    let started =
        header.and_then(|h| h.started_wall_ns).map(|ns| Timestamp::from_ms(ns.wrapping_div(1_000_000)).to_text());
    json!({
        "type": "recording", "custody": one.custody.to_hex(), "entry": one.entry, "started": started,
        "name": js::text_or_null(header.and_then(|h| h.labels.name.as_deref())), "frames": one.frames, "more": one.is_more,
        "state": state(one), "class": one.class,
        "namespace": header.map(|h| h.namespace.clone()),
        "transport": js::text_or_null(header.and_then(|h| h.transport.as_deref())),
    })
}

fn print(s: &mut Session<'_>, tapes: &[Listing]) {
    const TABLE: Table<'_> = Table {
        kinds: &[
            Column::Text,
            Column::Text,
            Column::Long,
            Column::Text,
            Column::Number,
            Column::Number,
            Column::Number,
            Column::Long,
        ],
        spare: &[3, 6, 7, 5, 4, 1],
    };
    let head = ["ID", "SAVED (UTC)", "NAME", "KIND", "FRAMES", "ERRORS", "STORED", "CLASS"];
    let digits = digits(tapes);
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(tapes.iter().map(|tape| row(tape, digits)));
    s.out.table(&TABLE, &rows);
}
fn row(tape: &Listing, digits: usize) -> Vec<String> {
    let Some(summary) = &tape.summary else {
        let unknown = || "?".to_owned();
        let custody = format!("custody {}", words::short(&tape.custody.to_hex()));
        return vec![
            unknown(),
            unknown(),
            custody,
            unknown(),
            unknown(),
            unknown(),
            unknown(),
            tape.class_shown.clone(),
        ];
    };
    let hex = summary.tape.to_hex();
    vec![
        hex.get(..digits).unwrap_or(&hex).to_owned(),
        words::moment(summary.saved).get(..16).unwrap_or_default().to_owned(),
        words::name(summary.name.as_deref()),
        summary.kind.word().to_owned(),
        summary.frames.to_string(),
        summary.errors.to_string(),
        words::bytes(summary.stored_bytes),
        tape.class_shown.clone(),
    ]
}

/// Digits that tell all tapes apart.
fn digits(tapes: &[Listing]) -> usize {
    let mut ids: Vec<String> = tapes.iter().filter_map(|t| t.summary.as_ref()).map(|s| s.tape.to_hex()).collect();
    ids.sort_unstable();
    ids.dedup();
    let common = |pair: &[String]| match pair {
        [a, b] => a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count(),
        _ => 0,
    };
    ids.windows(2).map(common).max().map_or(DIGITS_MIN, |n| n.saturating_add(1).max(DIGITS_MIN))
}

fn document(tape: &Listing) -> Value {
    let mut map = Map::new();
    js::put(&mut map, "type", "tape");
    js::put(&mut map, "entry", tape.entry);
    js::put(&mut map, "custody", tape.custody.to_hex());
    js::put(&mut map, "class_shown", visible(tape.class_shown.as_bytes()));
    js::put(&mut map, "labelled", tape.labelled);
    let Some(s) = &tape.summary else {
        js::put(&mut map, "readable", false);
        return Value::Object(map);
    };
    js::put(&mut map, "tape", s.tape.to_text());
    js::put(&mut map, "kind", s.kind.word());
    js::put(&mut map, "name", js::text_or_null(s.name.as_deref()));
    js::put(&mut map, "tags", s.tags.iter().map(|t| js::text(t)).collect::<Vec<_>>());
    js::put(&mut map, "legacy_tape_id", js::text_or_null(s.legacy_tape_id.as_deref()));
    js::put(&mut map, "class", s.class.clone());
    js::put(&mut map, "namespace", s.namespace.clone());
    js::put(&mut map, "started", s.started.map(|t| t.to_text()));
    js::put(&mut map, "saved", s.saved.to_text());
    js::put(&mut map, "frames", s.frames);
    js::put(&mut map, "errors", s.errors);
    js::put(&mut map, "duration_ms", s.duration_ms);
    js::put(&mut map, "payload_bytes", s.payload_bytes);
    js::put(&mut map, "stored_bytes", s.stored_bytes);
    js::put(&mut map, "source_bytes", s.source_bytes);
    js::put(&mut map, "end_state", s.end_state.clone());
    js::put(&mut map, "gaps", s.gaps);
    Value::Object(map)
}

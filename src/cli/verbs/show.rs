//! `show`: what a tape is about, and its frames one line each.

use serde_json::{Map, Value, json};

use crate::cli::args::Show;
use crate::cli::joined::Joined;
use crate::cli::lanes::Lanes;
use crate::cli::out::Out;
use crate::cli::range::{FrameRange, TimeRange};
use crate::cli::session::Session;
use crate::cli::terminal::cut;
use crate::cli::{frames, json as js, words};
use crate::codec::digest::{CustodyId, TapeId};
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::governance::Schedule;
use crate::ledger::FrameSelection;
use crate::tape::{EndState, FLAGS, Frame, Header, Labels};
use crate::time::Timestamp;

/// Columns of a summary where nothing says how many there are.
const SUMMARY_COLUMNS: usize = 240;

pub(in crate::cli) fn show(s: &mut Session<'_>, args: &Show) -> Result<u8> {
    if args.header {
        return header_alone(s, &args.id);
    }
    s.reading(async |ledger, s| {
        let reader = ledger.open_tape(&s.parts.who, &args.id, args.frames.map(FrameRange::asked)).await?;
        let (selection, whole) = match (args.frames, args.time) {
            (Some(frames), _) => (frames.selection(reader.frames_total()), false),
            (None, Some(time)) => (TimeRange::selection(time), false),
            (None, None) => (FrameSelection::All, true),
        };
        if whole || s.out.json {
            // Labels that cannot be opened any more keep nobody from what is sealed.
            let labels = reader.labels().unwrap_or_else(|_| (reader.header().labels.clone(), None));
            about(s.out, reader.tape(), reader.custody(), reader.header(), &labels);
        }
        let mut shown = 0u64;
        let mut lanes = args.lanes.then(|| Lanes::new(s.out.look, true));
        if let Some(lanes) = lanes.as_ref().filter(|_| !s.out.json) {
            lanes.head(s.out);
        }
        reader.frames(selection, &mut |frame| {
            shown = shown.saturating_add(1);
            match &mut lanes {
                Some(lanes) => print_joined(s.out, &frame, lanes),
                None => print(s.out, &frame, args.raw),
            }
        })?;
        if let Some(lanes) = lanes {
            let open = lanes.finish(s.out, !whole);
            if s.out.json {
                s.out.document(open.document());
            }
        }
        let entry = reader.grant_index();
        if s.out.json {
            let given = reader.bytes_given();
            s.out.document(json!({ "type": "recorded", "entry": entry, "frames": shown, "bytes_given": given }));
        } else if shown == 0 {
            s.out.say("No frame of this tape is in that range.");
        }
        s.out.say(&format!("This read was recorded as entry #{entry}."));
        Ok((0, Some(reader)))
    })
}

fn header_alone(s: &mut Session<'_>, id: &str) -> Result<u8> {
    s.with_ledger(async |ledger, s| {
        let metadata = ledger.metadata(&s.parts.who, id).await?;
        let labels = (metadata.labels, metadata.labelled);
        about(s.out, metadata.tape, metadata.custody, &metadata.header, &labels);
        let entry = metadata.entry;
        if s.out.json {
            s.out.document(json!({ "type": "recorded", "entry": entry }));
        }
        s.out.say(&format!("This read was recorded as entry #{entry}."));
        Ok(0)
    })
}

fn print(out: &mut Out, frame: &Frame, raw: bool) -> Result<()> {
    if out.is_stopped() {
        return Err(Error::new(Code::Io, "the output was closed"));
    }
    if out.json {
        out.document(frame_document(frame));
        return Ok(());
    }
    let line = frames::line(frame, raw);
    let columns = out.look.columns.unwrap_or(SUMMARY_COLUMNS);
    out.line(&if raw { line } else { cut(&line, columns) });
    Ok(())
}

fn print_joined(out: &mut Out, frame: &Frame, lanes: &mut Lanes) -> Result<()> {
    if out.is_stopped() {
        return Err(Error::new(Code::Io, "the output was closed"));
    }
    let joined = lanes.join(frame);
    if out.json {
        out.document(joined_document(frame, &joined));
    } else {
        lanes.print(out, frame, &joined);
    }
    Ok(())
}

fn joined_document(frame: &Frame, joined: &Joined) -> Value {
    let mut document = frame_document(frame);
    joined.document(&mut document);
    document
}

fn about(out: &mut Out, tape: TapeId, custody: CustodyId, header: &Header, now: &(Labels, Option<u64>)) {
    let (labels, labelled) = now;
    if out.json {
        out.document(header_document(tape, custody, header, now));
        return;
    }
    out.field(&format!("tape     {}", tape.to_text()));
    out.field(&format!("name     {}", words::name(labels.name.as_deref())));
    if let Some(description) = &labels.description {
        out.field(&format!("about    {}", visible(description)));
    }
    if !labels.tags.is_empty() {
        let tags: Vec<String> = labels.tags.iter().map(|t| visible(t)).collect();
        out.field(&format!("tags     {}", tags.join(", ")));
    }
    if let Some(entry) = labelled {
        out.field(&format!("labels   given by entry #{entry}; those that were sealed are in --json"));
    }
    out.field(&format!("session  {}", session(header)));
    let s = &header.stats;
    out.field(&format!(
        "frames   {} ({} ->, {} <-), {}, {} unanswered, {} of payload",
        s.frames,
        s.client_to_server,
        s.server_to_client,
        words::count(s.errors, "error"),
        s.unanswered,
        words::bytes(s.payload_bytes)
    ));
    let class = Schedule.shown(&header.class);
    out.field(&format!("class    {class}, namespace {}", visible(header.namespace.as_bytes())));
    if let Some(p) = &header.provenance {
        let name = p.source_name.as_deref().map_or_else(String::new, |n| format!("{}, ", visible(n)));
        let format = visible(p.format.as_deref().unwrap_or("unknown format").as_bytes());
        let size = p.source_bytes.map_or_else(String::new, |n| format!(", {}", words::bytes(n)));
        out.field(&format!("source   {name}{format}{size}"));
        for loss in &p.losses {
            out.field(&format!("note     {}", visible(loss.as_bytes())));
        }
    }
    if !header.unsaved_lines.is_empty() {
        let lines = words::count(header.unsaved_lines.len() as u64, "line");
        out.field(&format!("kept     {lines} of the source that are no frames"));
    }
    for gap in &header.gaps {
        let count = if gap.count == 0 { "some".to_owned() } else { gap.count.to_string() };
        out.field(&format!("gap      {count} missing before frame {}: {}", gap.before_seq, gap.reason.word()));
    }
    out.line("");
}

fn session(header: &Header) -> String {
    let mut parts = vec![header.kind.word().to_owned()];
    if let Some(protocol) = &header.protocol {
        parts.push(format!("protocol {}", visible(protocol)));
    }
    if let Some(ns) = header.started_wall_ns {
        let started = Timestamp::from_ms(ns.wrapping_div(1_000_000)).to_text();
        // A tape that came from no file was timed by who recorded it, on this machine or on another.
        let by = if header.provenance.is_some() { "says the source" } else { "by the recorder's clock" };
        parts.push(format!("began {started} ({by})"));
    }
    if let Some(ms) = header.stats.duration_ms {
        parts.push(format!("{ms} ms"));
    }
    parts.push(format!("ended: {}", end_words(&header.end_state)));
    parts.join(", ")
}

fn end_words(end: &EndState) -> String {
    match end {
        EndState::ChildExit(code) => format!("process exited with {code}"),
        EndState::Signal(number) => format!("signal {number}"),
        EndState::Crashed(Some(words)) | EndState::Error(words) => format!("{}: {}", end.word(), visible(words)),
        _ => end.word().to_owned(),
    }
}

fn header_document(tape: TapeId, custody: CustodyId, h: &Header, (labels, labelled): &(Labels, Option<u64>)) -> Value {
    let mut map = Map::new();
    let time = |ns: u64| Timestamp::from_ms(ns.wrapping_div(1_000_000)).to_text();
    js::put(&mut map, "type", "tape");
    js::put(&mut map, "tape", tape.to_text());
    js::put(&mut map, "custody", custody.to_hex());
    js::put(&mut map, "kind", h.kind.word());
    js::put(&mut map, "name", js::text_or_null(labels.name.as_deref()));
    js::put(&mut map, "description", js::text_or_null(labels.description.as_deref()));
    js::put(&mut map, "tags", labels.tags.iter().map(|t| js::text(t)).collect::<Vec<_>>());
    js::put(&mut map, "labelled", *labelled);
    if labelled.is_some() {
        let tags: Vec<Value> = h.labels.tags.iter().map(|t| js::text(t)).collect();
        let (name, description) = (h.labels.name.as_deref(), h.labels.description.as_deref());
        let sealed =
            json!({ "name": js::text_or_null(name), "description": js::text_or_null(description), "tags": tags });
        js::put(&mut map, "sealed_labels", sealed);
    }
    js::put(&mut map, "session_id", js::text_or_null(h.session_id.as_deref()));
    js::put(&mut map, "legacy_tape_id", js::text_or_null(h.legacy_tape_id.as_deref()));
    js::put(&mut map, "protocol", js::text_or_null(h.protocol.as_deref()));
    js::put(&mut map, "transport", js::text_or_null(h.transport.as_deref()));
    js::put(&mut map, "environment", js::text_or_null(h.environment.as_deref()));
    js::put(&mut map, "started", h.started_wall_ns.map(time));
    js::put(&mut map, "ended", h.ended_wall_ns.map(time));
    js::put(&mut map, "end_state", h.end_state.word());
    js::put(&mut map, "class", h.class.clone());
    js::put(&mut map, "class_shown", Schedule.shown(&h.class));
    js::put(&mut map, "namespace", h.namespace.clone());
    let s = &h.stats;
    js::put(
        &mut map,
        "stats",
        json!({
            "frames": s.frames, "payload_bytes": s.payload_bytes, "client_to_server": s.client_to_server,
            "server_to_client": s.server_to_client, "errors": s.errors, "requests": s.requests,
            "responses": s.responses, "notifications": s.notifications, "correlations": s.correlations,
            "unanswered": s.unanswered, "duration_ms": s.duration_ms,
        }),
    );
    let gaps =
        h.gaps.iter().map(|g| json!({ "before_seq": g.before_seq, "reason": g.reason.word(), "count": g.count }));
    js::put(&mut map, "gaps", gaps.collect::<Vec<_>>());
    js::put(&mut map, "unsaved_lines", h.unsaved_lines.len() as u64);
    if let Some(p) = &h.provenance {
        js::put(
            &mut map,
            "source",
            json!({
                "name": js::text_or_null(p.source_name.as_deref()), "format": p.format, "bytes": p.source_bytes,
                "sha256": p.source_sha256.map(|d| d.to_hex()), "companion_sha256": p.companion_sha256.map(|d| d.to_hex()),
                "importer": p.importer, "imported": p.imported_ms.map(|ms| Timestamp::from_ms(ms).to_text()),
                "host": js::text_or_null(p.host.as_deref()), "losses": p.losses,
            }),
        );
    }
    Value::Object(map)
}

pub(super) fn frame_document(f: &Frame) -> Value {
    let mut map = Map::new();
    js::put(&mut map, "type", "frame");
    js::put(&mut map, "seq", f.seq);
    js::put(&mut map, "t_ns", f.t_ns);
    js::put(&mut map, "wall_ns", f.wall_ns);
    js::put(&mut map, "kind", f.kind.word());
    js::put(&mut map, "direction", f.direction.word());
    js::put(&mut map, "delimiter", f.delimiter.word());
    js::put(&mut map, "media_type", js::text_or_null(f.media_type.as_deref()));
    js::put(&mut map, "action", js::text_or_null(f.action.as_deref()));
    js::put(&mut map, "transport", js::text_or_null(f.transport.as_deref()));
    js::put(&mut map, "correlation_id", js::text_or_null(f.correlation_id.as_deref()));
    let set = FLAGS.iter().enumerate().filter(|(bit, _)| f.flags & 1u64.wrapping_shl(*bit as u32) != 0);
    let set: Vec<&str> = set.map(|(_, name)| *name).collect();
    js::put(&mut map, "flags", set);
    let extra = f.extra.iter().map(|(name, value)| json!({ "name": js::text(name), "json": js::text(value) }));
    js::put(&mut map, "extra", extra.collect::<Vec<_>>());
    js::put(&mut map, "payload", js::text(&f.payload));
    Value::Object(map)
}

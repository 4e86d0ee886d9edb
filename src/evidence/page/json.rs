//! `custody.json`: what `custody.html` shows, for programs. The keys are those of `immutape custody --json` where they mean the same.

use serde_json::{Map, Value, json};

use super::custodies::{Amount, Custodies, Custody};
use super::html::cosigned_ms;
use super::model::{BundlePage, PageEntry};
use super::sort::Sort;
use super::words;
use crate::codec::digest::CustodyId;
use crate::codec::json::{base64, put, text, visible};
use crate::log::{AnchorBody, Body, EntryKind, EvidenceBody, PrivateHalf, SignedNote};
use crate::tape::{Header, Labels};
use crate::time::{Timestamp, ns_to_rfc3339};

const FORMAT: &str = "immutape/custody/1";
/// Most entries in the file; `entries.cbor` has them all.
const ENTRIES_MAX: usize = 1 << 17;

/// `custody.json`.
#[must_use]
pub fn custody_json(page: &BundlePage) -> String {
    let custodies = Custodies::of(page);
    let c = &page.completeness;
    let tapes: Vec<Value> = page.tapes.iter().map(|tape| of_tape(&custodies.tape(page, tape))).collect();
    let (others, told) = told(page, &custodies);
    let document = json!({
        "format": FORMAT,
        "bundle": hex::encode(c.bundle),
        "origin": c.origin,
        "ledger": c.ledger.to_hex(),
        "made": time(c.made_ms),
        "log_size": c.log_size,
        "authority": c.authority,
        "recipient": c.recipient,
        "expires": c.expires_ms.map(time),
        "head": head(page),
        "withheld": c.withheld,
        "destroyed": c.destroyed,
        "out_of_scope": c.out_of_scope,
        "tapes": tapes,
        "entries": told,
        "other_entries": others,
        "left_out": page.entries.len().saturating_sub(ENTRIES_MAX),
    });
    let plain = serde_json::to_string_pretty(&document).unwrap_or_default();
    visible(plain) + "\n"
}

/// Indices of entries that are no link of a tape, and all entries.
fn told(page: &BundlePage, custodies: &Custodies<'_>) -> (Vec<u64>, Vec<Value>) {
    let others = custodies.others().iter().map(|entry| entry.index).collect();
    (others, page.entries.iter().take(ENTRIES_MAX).map(entry).collect())
}

fn time(ms: u64) -> String {
    Timestamp::from_ms(ms).to_text()
}

fn put_text(map: &mut Map<String, Value>, name: &str, value: &Option<Vec<u8>>) {
    put(map, name, value.as_deref().map(text));
}

fn head(page: &BundlePage) -> Value {
    let note = SignedNote::parse(&page.note).ok();
    let lines: Vec<Value> = (note.iter().flat_map(|note| note.signatures()))
        .map(|line| json!({ "name": line.name, "cosigned": cosigned_ms(&line.signature).map(time) }))
        .collect();
    let head = &page.head;
    json!({ "origin": head.origin, "size": head.size, "root": head.root.to_hex(), "signature_lines": lines })
}

fn of_tape(custody: &Custody<'_>) -> Value {
    let (given, header, totals) = (&custody.tape.given, &custody.tape.header, custody.totals());
    let mut map = Map::new();
    put(&mut map, "tape", given.tape.to_text());
    put(&mut map, "custody", given.custody.to_hex());
    put(&mut map, "entry", given.entry);
    put(&mut map, "evidence_entry", custody.tape.made);
    put(&mut map, "frames", given.frames);
    put(&mut map, "opened", given.opened.map(|(first, last)| json!({ "first": first, "last": last })));
    put(&mut map, "header", of_header(header));
    put(
        &mut map,
        "totals",
        json!({
            "reads": totals.reads, "header_reads": totals.header_reads, "custody_reports": totals.reports,
            "lists": totals.lists, "exports": totals.exports, "other_bundles": totals.bundles, "checks": totals.checks,
            "refusals": totals.refusals, "closed": totals.closed, "bytes_given": totals.bytes,
            "amount_unknown": totals.unknown, "readers": totals.readers, "links": custody.links.len(),
        }),
    );
    let links: Vec<Value> =
        custody.links.iter().zip(custody.amounts()).map(|(entry, amount)| link(entry, amount)).collect();
    put(&mut map, "links", links);
    Value::Object(map)
}

/// A link by its index: what is in the entry stands in `entries`, once for all tapes.
fn link(entry: &PageEntry, amount: Amount) -> Value {
    let mut map = Map::new();
    put(&mut map, "index", entry.index);
    put(&mut map, "sort", Sort::of(entry.kind).word());
    match amount {
        Amount::None => {}
        Amount::Bytes(bytes) => put(&mut map, "given", bytes),
        Amount::Unknown => put(&mut map, "given", "unknown"),
        Amount::Here => put(&mut map, "given", "this bundle"),
    }
    Value::Object(map)
}

fn of_labels(labels: &Labels) -> Value {
    let mut map = Map::new();
    put_text(&mut map, "name", &labels.name);
    put_text(&mut map, "description", &labels.description);
    put(&mut map, "tags", labels.tags.iter().map(|tag| text(tag)).collect::<Vec<_>>());
    Value::Object(map)
}

fn of_header(header: &Header) -> Value {
    let mut map = Map::new();
    put(&mut map, "kind", header.kind.word());
    put(&mut map, "class", header.class.as_str());
    put(&mut map, "namespace", header.namespace.as_str());
    put(&mut map, "labels", of_labels(&header.labels));
    put(&mut map, "started", header.started_wall_ns.map(ns_to_rfc3339));
    put(&mut map, "ended", header.ended_wall_ns.map(ns_to_rfc3339));
    put(&mut map, "end_state", header.end_state.word());
    put(&mut map, "payload_bytes", header.stats.payload_bytes);
    put(&mut map, "errors", header.stats.errors);
    for (name, value) in [
        ("session_id", &header.session_id),
        ("legacy_tape_id", &header.legacy_tape_id),
        ("protocol", &header.protocol),
        ("transport", &header.transport),
        ("environment", &header.environment),
    ] {
        put_text(&mut map, name, value);
    }
    if let Some(recorder) = &header.recorder {
        put(
            &mut map,
            "recorder",
            json!({ "key": recorder.key.map(|key| key.to_hex()), "version": recorder.version, "config": recorder.config.map(|d| d.to_hex()) }),
        );
    }
    if let Some(source) = &header.provenance {
        let mut of = Map::new();
        put_text(&mut of, "name", &source.source_name);
        put(&mut of, "format", source.format.clone());
        put(&mut of, "sha256", source.source_sha256.map(|digest| digest.to_hex()));
        put(&mut of, "losses", source.losses.clone());
        put(&mut map, "source", of);
    }
    for (name, id) in
        [("amends", header.amends), ("continues", header.continues), ("derived_from", header.derived_from)]
    {
        put(&mut map, name, id.map(|id| id.to_text()));
    }
    let gap = |gap: &crate::tape::Gap| json!({ "before_seq": gap.before_seq, "reason": gap.reason.word(), "count": gap.count });
    put(&mut map, "gaps", header.gaps.iter().map(gap).collect::<Vec<_>>());
    Value::Object(map)
}

fn entry(entry: &PageEntry) -> Value {
    let is_ledger = entry.subject == CustodyId::LEDGER;
    let mut map = Map::new();
    put(&mut map, "index", entry.index);
    put(&mut map, "time", entry.time.to_text());
    put(&mut map, "kind", entry.kind.name());
    put(&mut map, "kind_number", entry.kind.number());
    put(&mut map, "about", if is_ledger { "ledger" } else { "tape" });
    put(&mut map, "custody", Some(entry.subject.to_hex()).filter(|_| !is_ledger));
    put(&mut map, "body", of_body(&entry.body));
    match &entry.private {
        Some(private) => of_private(&mut map, private),
        None => put(&mut map, "private", "closed"),
    }
    Value::Object(map)
}

/// What people would ask of a body; the whole of it is in `entries.cbor`.
fn of_body(body: &Body) -> Value {
    match body {
        Body::TapeOpened { continues, .. } => json!({ "continues": continues.map(|id| id.to_hex()) }),
        Body::RecordingMark { frames, root } => json!({ "frames": frames, "root": root.to_hex() }),
        Body::TapeTruncated { frames, marked, unread_bytes } => {
            json!({ "frames": frames, "marked": marked, "unread_bytes": unread_bytes })
        }
        Body::Amended { by } => json!({ "by": by.to_hex() }),
        Body::AccessCompleted { grant } => json!({ "grant": grant }),
        Body::Listed { count, size, .. } | Body::Searched { count, size, .. } => {
            json!({ "count": count, "size": size })
        }
        Body::CustodyRead { size } => json!({ "size": size }),
        Body::Refused { act, error } => {
            json!({ "act": EntryKind::from_number(*act).name(), "error": words::error_code(u64::from(*error)) })
        }
        Body::Verified { scope, verdict, findings, .. } => {
            json!({ "scope": scope, "verdict": words::verdict(*verdict), "findings": findings })
        }
        Body::IntegrityFailed { what, .. } => json!({ "what": words::part(*what) }),
        Body::IntegrityRepaired { what, .. } => json!({ "what": words::part(*what) }),
        Body::Evidence(EvidenceBody::Made { bundle, tapes, .. }) => {
            json!({ "bundle": hex::encode(bundle), "tapes": tapes })
        }
        Body::Evidence(other) => json!({ "bundle": hex::encode(other.bundle()) }),
        Body::Anchor(AnchorBody::Timestamped { time_ms, .. }) => json!({ "time": time(*time_ms) }),
        Body::Anchor(AnchorBody::Cosigned { keys, quorum, .. }) => json!({ "cosigners": keys, "quorum": quorum }),
        Body::Anchor(other) => json!({ "what": other.to_string() }),
        Body::Critical(critical) => json!({ "what": critical.to_string() }),
        _ => json!({}),
    }
}

/// Fields 19 and 31, the other tapes of a set, are closed in a bundle: they are not looked at here.
fn of_private(map: &mut Map<String, Value>, p: &PrivateHalf) {
    put(map, "tape", p.tape_id.map(|tape| tape.to_text()));
    if let Some(actor) = &p.actor {
        put(map, "actor", text(&actor.id));
        put(map, "actor_kind", actor.kind.word());
        put(map, "authenticated", actor.authentication.word());
    }
    if !p.roles.is_empty() {
        put(map, "roles", p.roles.clone());
    }
    for (name, value) in [
        ("on_behalf_of", &p.on_behalf_of),
        ("purpose", &p.purpose),
        ("case", &p.case),
        ("tool", &p.tool),
        ("query", &p.query),
        ("words", &p.words),
        ("recipient", &p.recipient),
    ] {
        put_text(map, name, value);
    }
    if let Some((host, pid, remote)) = &p.origin {
        put(map, "host", text(host));
        put(map, "pid", *pid);
        put(map, "remote", remote.as_deref().map(text));
    }
    put(map, "request", p.request_id.map(hex::encode));
    if let Some((first, last)) = p.range {
        let last = if last == u64::MAX { Value::Null } else { last.into() };
        put(map, "frames", json!({ "first": first, "last": last }));
    }
    put(map, "bytes_given", p.bytes);
    put(map, "outcome", p.outcome.map(|outcome| outcome.word()));
    if let Some((number, message)) = &p.error {
        put(map, "error", json!({ "code": words::error_code(*number), "message": message }));
    }
    put(map, "class", p.class.clone());
    put(map, "namespace", p.namespace.clone());
    put(map, "labels", p.labels.as_ref().map(|(_, labels)| of_labels(labels)));
    put(map, "exported_sha256", p.exported.map(|(_, digest)| digest.to_hex()));
    put(map, "expires", p.expires_ms().map(time));
    put(map, "credential", p.credential.map(|key| key.to_hex()));
    put(map, "person_statement", p.person_statement.as_deref().map(base64));
    put(map, "raw_clock", p.clock.map(|clock| clock.wall.to_text()));
    put(map, "build", p.build_digest.map(|digest| digest.to_hex()));
}

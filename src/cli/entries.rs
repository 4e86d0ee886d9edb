//! Entries of the log as people and programs read them.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{json as js, words};
use crate::codec::digest::CustodyId;
use crate::codec::escape::{visible, visible_short};
use crate::error::Code;
use crate::evidence::{CustodyEvent, Verdict, part_of_ledger};
use crate::governance::Role;
use crate::ledger::LogLine;
use crate::log::{Body, EntryKind, EvidenceBody, PeopleBody, PrivateHalf};
use crate::tape::Labels;
use crate::time::Timestamp;

/// An entry, from wherever it was read.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub index: u64,
    pub time: Timestamp,
    pub kind: EntryKind,
    pub subject: CustodyId,
    pub subject_seq: u64,
    pub body: &'a Body,
    pub private: Option<&'a PrivateHalf>,
}

impl<'a> View<'a> {
    /// Of a line of the log.
    pub(super) fn of_line(line: &'a LogLine) -> Self {
        let LogLine { index, time, kind, subject, subject_seq, .. } = *line;
        Self { index, time, kind, subject, subject_seq, body: &line.body, private: line.private.as_ref() }
    }

    /// Of a link of the custody of `tape`.
    pub(super) fn of_event(event: &'a CustodyEvent, tape: CustodyId) -> Self {
        let CustodyEvent { index, time, kind, subject_seq, .. } = *event;
        let subject = if event.about_ledger { CustodyId::LEDGER } else { tape };
        Self { index, time, kind, subject, subject_seq, body: &event.body, private: event.private.as_ref() }
    }

    /// Starts, stops and completions say little by themselves.
    pub(super) fn is_folded(&self) -> bool {
        matches!(self.kind, EntryKind::LOG_STARTED | EntryKind::LOG_STOPPED | EntryKind::ACCESS_COMPLETED)
    }
}

/// What entries near an entry say about it.
#[derive(Default)]
pub(super) struct Context {
    /// Bytes given out, by the index of the grant.
    given: HashMap<u64, u64>,
    /// Tapes known by their custody id.
    tapes: HashMap<CustodyId, String>,
}

impl Context {
    /// Takes an entry in.
    pub(super) fn take(&mut self, view: View<'_>) {
        let Some(private) = view.private else { return };
        if let (Body::AccessCompleted { grant }, Some(bytes)) = (view.body, private.bytes) {
            self.given.insert(*grant, bytes);
        }
        if let Some(tape) = private.tape_id {
            self.tapes.insert(view.subject, tape.to_hex());
        }
    }

    /// The tape an entry is about: its short id, or that of its custody, or nothing.
    pub(super) fn tape(&self, view: View<'_>) -> String {
        if view.subject == CustodyId::LEDGER {
            return String::new();
        }
        let custody = || format!("custody {}", words::short(&view.subject.to_hex()));
        self.tapes.get(&view.subject).map_or_else(custody, |hex| words::short(hex).to_owned())
    }

    /// What happened, in a few words, escaped.
    pub(super) fn detail(&self, view: View<'_>) -> String {
        let mut parts = vec![facts(view)];
        if let Body::Amended { by } = view.body {
            let by = self.tapes.get(by).map_or_else(|| by.to_hex(), Clone::clone);
            parts.push(format!("by {}", words::short(&by)));
        }
        if matches!(view.kind, EntryKind::ACCESS_GRANTED | EntryKind::FOLLOWED | EntryKind::REPLAYED) {
            parts.push(match self.given.get(&view.index) {
                Some(bytes) => format!("{} given", words::bytes(*bytes)),
                None => "amount unknown, up to the range".into(),
            });
        }
        if let Some(why) = view.private.and_then(|p| p.words.as_deref()) {
            parts.push(format!("because \"{}\"", visible(why)));
        }
        if let Some(purpose) = view.private.and_then(|p| p.purpose.as_deref()) {
            parts.push(format!("purpose \"{}\"", visible(purpose)));
        }
        parts.retain(|p| !p.is_empty());
        if parts.is_empty() { "unreadable without its key".into() } else { parts.join(", ") }
    }
}

fn evidence_facts(evidence: &EvidenceBody, private: Option<&PrivateHalf>) -> String {
    let range = private.and_then(|p| p.range).map(words::range);
    let recipient = private.and_then(|p| p.recipient.as_deref()).map(|r| format!("for \"{}\"", visible(r)));
    let case = private.and_then(|p| p.case.as_deref()).map(|c| format!("authority \"{}\"", visible(c)));
    let parts = [Some(evidence.to_string()), range, recipient, case];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn facts(view: View<'_>) -> String {
    let private = view.private;
    match view.body {
        Body::Genesis(g) => {
            let goes_on = g.predecessor.as_ref().map_or_else(String::new, |(origin, _, first, _)| {
                format!(", goes on for {}, which lost entries from #{first} on", visible(origin.as_bytes()))
            });
            format!("{}, profile {}{goes_on}", visible(g.origin.as_bytes()), visible(g.profile.as_bytes()))
        }
        Body::LogStarted { term } => format!("term {term}"),
        Body::LogStopped { term, content_unwraps, list_unwraps } => {
            format!("term {term}, keys opened for reading {content_unwraps}, for lists {list_unwraps}")
        }
        Body::LogUncleanStop { term } => format!("term {term} ended without an orderly close"),
        Body::Recovered { segment, offset, bytes, .. } => {
            format!("{bytes} torn bytes put out of use in journal/{segment:08}.seg at {offset}")
        }
        Body::RowsRebuilt { reason, entries } => {
            format!("sled's copy of {entries} entries built from the journal: {}", rows_reason(*reason))
        }
        Body::HeadFileRebuilt { reason, size } => {
            let why = match reason {
                0 => "was missing",
                1 => "did not hold",
                _ => "was replaced for a reason that this program does not know",
            };
            format!("signed anew at {size} entries; the old one {why}")
        }
        Body::IntegrityFailed { what: 8, at, .. } => {
            format!("the key of the tape that entry #{at} saved is lost; the vault was accepted without it")
        }
        Body::IntegrityFailed { what, at: 0, .. } => format!("not what was stored: {}", part_words(*what)),
        Body::IntegrityFailed { what, at, .. } => {
            format!("not what was stored: {}, found at entry #{at}", part_words(*what))
        }
        Body::IntegrityRepaired { entries, .. } => format!("journal of {entries} entries brought back from sled"),
        Body::Verified { scope, verdict, findings, .. } => {
            let scope = if *scope == 0 { "everything" } else { "this tape" };
            format!("{scope}: {}, {}", verdict_word(*verdict), words::count(*findings, "finding"))
        }
        Body::ClockAnomaly { behind_ms } => format!("the clock was {behind_ms} ms behind the last entry"),
        Body::TapeOpened { continues: Some(before), .. } => {
            format!("goes on from the recording {}", words::short(&before.to_hex()))
        }
        Body::RecordingMark { frames, .. } => format!("{} so far", words::count(*frames, "frame")),
        Body::TapeTruncated { frames, marked, unread_bytes } => {
            let unread = Some(format!("{} unreadable", words::bytes(*unread_bytes))).filter(|_| *unread_bytes > 0);
            let marked = Some(format!("{marked} were marked")).filter(|_| marked > frames);
            let left = format!("cut off after {}", words::count(*frames, "frame"));
            [Some(left), marked, unread].into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
        Body::Followed { .. } => "while it is recorded".into(),
        Body::Replayed { how } => if *how == 1 { "as the server that it recorded" } else { "shown" }.into(),
        Body::TapeSaved { .. } | Body::TapeSavedAgain | Body::TapeOpened { .. } => {
            let class = private.and_then(|p| p.class.as_ref()).map(|c| format!("class {}", visible(c.as_bytes())));
            let space = private.and_then(|p| p.namespace.as_ref()).filter(|n| *n != "default");
            let space = space.map(|n| format!("namespace {}", visible(n.as_bytes())));
            [class, space].into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
        Body::Labelled { .. } => private.and_then(|p| p.labels.as_ref()).map_or_else(String::new, |(_, l)| labels(l)),
        Body::AccessGranted => private.and_then(|p| p.range).map_or_else(|| "all frames".into(), words::range),
        Body::AccessCompleted { grant } => {
            let bytes = private.and_then(|p| p.bytes).map_or_else(|| "an unknown amount".into(), words::bytes);
            format!("{bytes} given for #{grant}")
        }
        Body::Listed { count, .. } | Body::Searched { count, .. } => words::count(*count, "tape"),
        Body::LogRead { first, last } => format!("entries {first}..{last}"),
        Body::CustodyRead { size } => format!("at {size} entries"),
        Body::Anchor(anchor) => anchor.to_string(),
        Body::Critical(critical) => critical.to_string(),
        Body::Evidence(evidence) => evidence_facts(evidence, private),
        Body::People(people) => {
            let names = private.map(PrivateHalf::names).unwrap_or_default();
            let names: Vec<String> = names.iter().map(|(_, name)| visible(name.as_bytes())).collect();
            let role = match people {
                PeopleBody::RoleGranted { role, .. } | PeopleBody::RoleRevoked { role, .. } => {
                    Role::from_number(*role).map(|role| role.word().to_owned())
                }
                _ => None,
            };
            [Some(people.to_string()), role, Some(names.join(", "))]
                .into_iter()
                .flatten()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(", ")
        }
        Body::Scrubbed { part, of, objects, segments, findings, .. } => format!(
            "part {part} of {of}: {}, {}, {}",
            words::count(*objects, "object"),
            words::count(*segments, "segment"),
            words::count(*findings, "finding")
        ),
        Body::MetadataRead => "the header".into(),
        Body::Exported { .. } => private.map_or_else(String::new, exported),
        Body::Refused { act, error } => {
            let asked = private.and_then(|p| p.query.as_deref());
            let asked = asked.map_or_else(String::new, |q| format!(", asked for \"{}\"", visible_short(q, 80)));
            format!("{}: {}{asked}", EntryKind::from_number(*act), error_code(*error))
        }
        Body::Amended { .. } => String::new(),
        Body::Other(bytes) => format!("{} that this program does not know", words::bytes(bytes.len() as u64)),
    }
}

/// `cbor, 5.4 KB given, SHA-256 51bd.., for "x"`: what left in a file, and to whom.
fn exported(private: &PrivateHalf) -> String {
    let given = private.bytes.map(|n| format!("{} given", words::bytes(n)));
    let sha256 = private.exported.map(|(_, digest)| format!("SHA-256 {}", words::short(&digest.to_hex())));
    let recipient = private.recipient.as_deref().map(|name| format!("for \"{}\"", visible(name)));
    let format = private.query.as_deref().and_then(|q| q.strip_prefix(b"format:")).map(visible);
    let parts = [format, given, sha256, recipient];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `name "x", tags a, b`.
fn labels(labels: &Labels) -> String {
    let name = labels.name.as_deref().map(|name| format!("name \"{}\"", visible(name)));
    let about = labels.description.as_deref().map(|text| format!("about \"{}\"", visible_short(text, 80)));
    let tags: Vec<String> = labels.tags.iter().map(|tag| visible(tag)).collect();
    let tags = Some(format!("tags {}", tags.join(", "))).filter(|_| !tags.is_empty());
    let parts: Vec<String> = [name, about, tags].into_iter().flatten().collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

/// A part of a ledger by its number in `integrity.failed`.
fn part_words(what: u64) -> &'static str {
    part_of_ledger(what).unwrap_or("a part that this program does not know")
}

const fn rows_reason(reason: u64) -> &'static str {
    match reason {
        0 => "there was none",
        1 => "it could not be read",
        2 => "it differed",
        3 => "asked for",
        _ => "for a reason that this program does not know",
    }
}

fn verdict_word(number: u64) -> &'static str {
    Verdict::of_number(number).map_or("a verdict that this program does not know", Verdict::word)
}

fn error_code(number: u16) -> &'static str {
    Code::ALL.iter().find(|c| c.number() == number).map_or("unknown error", |c| c.as_str())
}

/// The entry as a document; its keys stand in `docs/json.md`.
pub(super) fn document(view: View<'_>) -> Value {
    let mut map = Map::new();
    let ledger = view.subject == CustodyId::LEDGER;
    js::put(&mut map, "type", "entry");
    js::put(&mut map, "index", view.index);
    js::put(&mut map, "time", view.time.to_text());
    js::put(&mut map, "kind", view.kind.name());
    js::put(&mut map, "kind_number", view.kind.number());
    js::put(&mut map, "about", if ledger { "ledger" } else { "tape" });
    js::put(&mut map, "custody", if ledger { Value::Null } else { view.subject.to_hex().into() });
    js::put(&mut map, "subject_seq", view.subject_seq);
    js::put(&mut map, "body", body(view.body));
    match view.private {
        Some(private) => private_fields(&mut map, private),
        None => js::put(&mut map, "private", "unreadable"),
    }
    Value::Object(map)
}

fn private_fields(map: &mut Map<String, Value>, p: &PrivateHalf) {
    let hex = |d: &[u8]| Value::from(hex::encode(d));
    js::put(map, "tape", p.tape_id.map(|t| t.to_text()));
    if let Some(actor) = &p.actor {
        js::put(map, "actor", js::text(&actor.id));
        js::put(map, "actor_kind", actor.kind.word());
        js::put(map, "authenticated", actor.authentication.word());
    }
    js::put(map, "purpose", js::text_or_null(p.purpose.as_deref()));
    if let Some((host, pid, _)) = &p.origin {
        js::put(map, "host", js::text(host));
        js::put(map, "pid", *pid);
    }
    js::put(map, "tool", js::text_or_null(p.tool.as_deref()));
    js::put(map, "request", p.request_id.map(hex::encode));
    if let Some((first, last)) = p.range {
        let last = if last == u64::MAX { Value::Null } else { last.into() };
        js::put(map, "frames", json!({ "first": first, "last": last }));
    }
    js::put(map, "bytes_given", p.bytes);
    js::put(map, "outcome", p.outcome.map(|o| o.word()));
    if let Some((number, words)) = &p.error {
        let code = u16::try_from(*number).map_or("unknown error", error_code);
        js::put(map, "error", json!({ "code": code, "message": words }));
    }
    js::put(map, "class", p.class.clone());
    js::put(map, "namespace", p.namespace.clone());
    js::put(map, "query", js::text_or_null(p.query.as_deref()));
    js::put(map, "words", js::text_or_null(p.words.as_deref()));
    if let Some((_, labels)) = &p.labels {
        let tags: Vec<Value> = labels.tags.iter().map(|tag| js::text(tag)).collect();
        let (name, description) = (labels.name.as_deref(), labels.description.as_deref());
        let given =
            json!({ "name": js::text_or_null(name), "description": js::text_or_null(description), "tags": tags });
        js::put(map, "labels", given);
    }
    js::put(map, "exported_sha256", p.exported.map(|(_, digest)| digest.to_hex()));
    js::put(map, "recipient", js::text_or_null(p.recipient.as_deref()));
    js::put(map, "case", js::text_or_null(p.case.as_deref()));
    js::put(map, "expires", p.expires_ms().map(|ms| Timestamp::from_ms(ms).to_text()));
    js::put(map, "tapes_listed", p.set.as_ref().map(|s| s.len() as u64));
    js::put(map, "credential", p.credential.map(|c| hex(c.as_ref())));
    js::put(map, "person_statement", p.person_statement.as_deref().map(js::base64));
    js::put(map, "raw_clock", p.clock.map(|c| c.wall.to_text()));
    js::put(map, "build", p.build_digest.map(|d| hex(d.as_ref())));
}

fn body(body: &Body) -> Value {
    match body {
        Body::Genesis(g) => json!({
            "origin": g.origin, "profile": g.profile, "policy": g.policy, "test": g.test,
            "keys": g.keys.map(hex::encode), "next_keys": g.next.map(|t| t.to_hex()),
            "predecessor": g.predecessor.as_ref().map(|(origin, note, first, last)| {
                json!({ "origin": origin, "head": String::from_utf8_lossy(note), "first_lost": first, "last_lost": last })
            }),
        }),
        Body::LogStarted { term } | Body::LogUncleanStop { term } => json!({ "term": term }),
        Body::LogStopped { term, content_unwraps, list_unwraps } => {
            json!({ "term": term, "content_unwraps": content_unwraps, "list_unwraps": list_unwraps })
        }
        Body::Recovered { segment, offset, bytes, hash } => {
            json!({ "segment": segment, "offset": offset, "bytes": bytes, "sha256": hash.to_hex() })
        }
        Body::RowsRebuilt { reason, entries } => json!({ "reason": rows_reason(*reason), "entries": entries }),
        Body::HeadFileRebuilt { reason, size } => json!({ "reason": reason, "size": size }),
        Body::IntegrityFailed { what, at, digest } => {
            json!({ "what": what, "at": at, "sha256": digest.map(|d| d.to_hex()) })
        }
        Body::IntegrityRepaired { what, from, old, new, entries } => json!({
            "what": what, "from": from, "old_sha256": old.map(|d| d.to_hex()), "new_sha256": new.to_hex(), "entries": entries,
        }),
        Body::Verified { scope, verdict, entries, objects, findings } => json!({
            "scope": if *scope == 0 { "all" } else { "tape" }, "verdict": verdict_word(*verdict),
            "entries": entries, "objects": objects, "findings": findings,
        }),
        Body::ClockAnomaly { behind_ms } => json!({ "behind_ms": behind_ms }),
        Body::TapeSaved { statement, epoch } => {
            json!({ "statement": js::base64(statement), "epoch": hex::encode(epoch) })
        }
        Body::Labelled { labels } => json!({ "labels": labels.to_hex() }),
        Body::Amended { by } => json!({ "by": by.to_hex() }),
        Body::AccessCompleted { grant } => json!({ "grant": grant }),
        Body::Listed { set, count, size, list } | Body::Searched { set, count, size, list } => {
            json!({ "set": set.to_hex(), "count": count, "size": size, "list": list.map(|l| l.to_hex()) })
        }
        Body::LogRead { first, last } => json!({ "first": first, "last": last }),
        Body::CustodyRead { size } => json!({ "size": size }),
        Body::Exported { commitment } => json!({ "commitment": commitment.to_hex() }),
        Body::Refused { act, error } => {
            json!({ "act": EntryKind::from_number(*act).name(), "error": error_code(*error) })
        }
        Body::Anchor(anchor) => super::anchors::body(anchor),
        Body::Critical(critical) => super::anchors::critical(critical),
        Body::Scrubbed { part, of, objects, bytes, findings, segments, from_medium } => json!({
            "part": part, "of": of, "objects": objects, "bytes": bytes, "findings": findings, "segments": segments,
            "from_medium": from_medium,
        }),
        Body::Evidence(EvidenceBody::Made { bundle, commitment, tapes }) => {
            json!({ "bundle": hex::encode(bundle), "commitment": commitment.to_hex(), "tapes": tapes })
        }
        Body::Evidence(EvidenceBody::Given { bundle, commitment }) => {
            json!({ "bundle": hex::encode(bundle), "commitment": commitment.to_hex() })
        }
        Body::Other(bytes) => json!({ "cbor": js::base64(bytes) }),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::digest::{Digest, RootHash};

    const DIGEST: Digest = Digest::from_bytes([0x51; 32]);

    fn detail(body: &Body, private: Option<&PrivateHalf>) -> String {
        let (kind, subject) = (body.kind().unwrap_or(EntryKind::FOLLOWED), CustodyId::from_bytes([7; 32]));
        let view = View { index: 9, time: Timestamp::from_ms(0), kind, subject, subject_seq: 3, body, private };
        Context::default().detail(view)
    }

    #[test]
    fn every_entry_says_something_also_without_its_key() {
        let (set, list) = (RootHash::from_bytes([1; 32]), None);
        let bodies = [
            Body::TapeSaved { statement: vec![], epoch: [0; 16] },
            Body::TapeSavedAgain,
            Body::Labelled { labels: DIGEST },
            Body::Amended { by: CustodyId::from_bytes([8; 32]) },
            Body::AccessGranted,
            Body::AccessCompleted { grant: 1 },
            Body::Listed { set, count: 0, size: 1, list },
            Body::Searched { set, count: 0, size: 1, list },
            Body::MetadataRead,
            Body::LogRead { first: 0, last: 1 },
            Body::CustodyRead { size: 1 },
            Body::Exported { commitment: DIGEST },
            Body::Refused { act: 1, error: 2 },
            Body::Other(vec![0xa0]),
        ];
        for body in &bodies {
            for private in [None, Some(&PrivateHalf::default())] {
                assert!(!detail(body, private).is_empty(), "{body:?}");
            }
        }
    }

    #[test]
    fn an_export_says_what_left_and_to_whom_escaped() {
        let mut private = PrivateHalf {
            query: Some(b"format:cbor".to_vec()),
            bytes: Some(5_449),
            exported: Some(([0; 32], DIGEST)),
            recipient: Some(b"a\x1b[2Jb".to_vec()),
            ..PrivateHalf::default()
        };
        let body = Body::Exported { commitment: DIGEST };
        assert_eq!(detail(&body, Some(&private)), "cbor, 5.4 KB given, SHA-256 515151515151, for \"a\\x1b[2Jb\"");
        private.recipient = None;
        assert_eq!(detail(&body, Some(&private)), "cbor, 5.4 KB given, SHA-256 515151515151");
    }
}

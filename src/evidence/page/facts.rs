//! What an entry says, as labelled values: what the program worded and what was recorded are kept apart.

use super::custodies::Amount;
use super::model::PageEntry;
use super::words;
use crate::log::{AnchorBody, Body, EntryKind, EvidenceBody, PrivateHalf};
use crate::tape::Labels;
use crate::time::Timestamp;

/// A value behind its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Made of numbers, ids and words of the program.
    Own(String),
    /// An id or a digest, whole.
    Id(String),
    /// Recorded.
    Said(&'a [u8]),
}

pub(super) type Fact<'a> = (&'static str, Value<'a>);

fn own(text: impl Into<String>) -> Value<'static> {
    Value::Own(text.into())
}

/// Everything about what happened; who it was stands elsewhere.
pub(super) fn facts(entry: &PageEntry, amount: Amount) -> Vec<Fact<'_>> {
    let mut facts = Vec::new();
    of_body(entry, &mut facts);
    let given = match amount {
        Amount::None => None,
        Amount::Bytes(n) => Some(words::bytes(n)),
        Amount::Unknown => Some("amount unknown, up to the range".into()),
        Amount::Here => Some("this bundle".into()),
    };
    let range = entry.private.as_ref().and_then(|private| private.range);
    if amount != Amount::None {
        facts.push(("frames", own(range.map_or_else(|| "all".into(), words::range))));
    }
    facts.extend(given.map(|given| ("given", own(given))));
    match &entry.private {
        Some(private) => of_private(entry.kind, private, &mut facts),
        None => facts.push(("private half", own("not open in this bundle"))),
    }
    facts
}

fn of_body<'a>(entry: &'a PageEntry, facts: &mut Vec<Fact<'a>>) {
    match &entry.body {
        Body::TapeOpened { continues: Some(before), .. } => {
            facts.push(("goes on from recording", Value::Id(before.to_hex())));
        }
        Body::RecordingMark { frames, .. } => facts.push(("frames so far", own(words::grouped(*frames)))),
        Body::TapeTruncated { frames, marked, unread_bytes } => {
            facts.push(("frames left", own(words::grouped(*frames))));
            facts.push(("frames marked before", own(words::grouped(*marked))));
            facts.push(("unreadable", own(words::bytes(*unread_bytes))));
        }
        Body::Amended { by } => facts.push(("custody id of the amending tape", Value::Id(by.to_hex()))),
        Body::AccessCompleted { grant } => facts.push(("ends", own(format!("#{grant}")))),
        Body::Listed { count, .. } | Body::Searched { count, .. } => {
            facts.push(("tapes named", own(words::grouped(*count))));
        }
        Body::CustodyRead { size } => facts.push(("log size", own(words::grouped(*size)))),
        Body::Replayed { how } => {
            let how = if *how == 1 { "as the server that it recorded" } else { "shown" };
            facts.push(("how", own(how)));
        }
        Body::Refused { act, error } => {
            facts.push(("asked for", own(EntryKind::from_number(*act).name())));
            facts.push(("answer", own(words::error_code(u64::from(*error)))));
        }
        Body::Verified { scope, verdict, findings, .. } => {
            facts.push(("of", own(if *scope == 1 { "this tape" } else { "the ledger" })));
            facts.push(("verdict then", own(words::verdict(*verdict))));
            facts.push(("findings", own(words::grouped(*findings))));
        }
        Body::IntegrityFailed { what, .. } => facts.push(("not what was stored", own(words::part(*what)))),
        Body::IntegrityRepaired { what, .. } => facts.push(("repaired", own(words::part(*what)))),
        Body::Anchor(AnchorBody::Timestamped { time_ms, .. }) => {
            facts.push(("the authority says", own(format!("{} UTC", words::moment(Timestamp::from_ms(*time_ms))))));
        }
        Body::Anchor(anchor) => facts.push(("what", own(anchor.to_string()))),
        Body::Critical(critical) => facts.push(("what", own(critical.to_string()))),
        Body::Evidence(evidence) => {
            facts.push(("bundle", Value::Id(hex::encode(evidence.bundle()))));
            if let EvidenceBody::Made { tapes, .. } = evidence {
                facts.push(("tapes in it", own(words::grouped(*tapes))));
            }
        }
        Body::Other(bytes) => {
            facts.push(("body", own(format!("{} that this program does not know", words::bytes(bytes.len() as u64)))));
        }
        _ => {}
    }
}

/// Fields 19 and 31, the other tapes of a set, are closed in a bundle: they are not looked at here.
fn of_private<'a>(kind: EntryKind, private: &'a PrivateHalf, facts: &mut Vec<Fact<'a>>) {
    let said = |facts: &mut Vec<Fact<'a>>, label, value: &'a Option<Vec<u8>>| {
        facts.extend(value.as_deref().map(|value| (label, Value::Said(value))));
    };
    if !matches!(kind, EntryKind::ACCESS_COMPLETED) {
        said(facts, "asked", &private.query);
    }
    if let Some((_, labels)) = &private.labels {
        of_labels(labels, facts);
    }
    for (label, value) in [("class", &private.class), ("namespace", &private.namespace)] {
        facts.extend(value.as_deref().map(|value| (label, Value::Said(value.as_bytes()))));
    }
    said(facts, "purpose", &private.purpose);
    said(facts, if kind.is_evidence() { "authority" } else { "case" }, &private.case);
    said(facts, "reason given", &private.words);
    said(facts, "recipient", &private.recipient);
    if let Some(bytes) = private.bytes {
        facts.push(("bytes of payloads", own(words::bytes(bytes))));
    }
    if let Some(expires) = private.expires_ms() {
        let expires = format!("{} UTC", words::moment(Timestamp::from_ms(expires)));
        facts.push(("to be given back or destroyed", own(expires)));
    }
    if let Some((_, digest)) = &private.exported {
        facts.push(("SHA-256 of what left", Value::Id(digest.to_hex())));
    }
    if let Some((number, text)) = &private.error {
        facts.push(("error", own(words::error_code(*number))));
        facts.push(("in words", Value::Said(text.as_bytes())));
    }
    if let Some(outcome) = private.outcome {
        facts.push(("outcome", own(outcome.word())));
    }
}

fn of_labels<'a>(labels: &'a Labels, facts: &mut Vec<Fact<'a>>) {
    facts.extend(labels.name.as_deref().map(|name| ("name", Value::Said(name))));
    facts.extend(labels.description.as_deref().map(|text| ("description", Value::Said(text))));
    facts.extend(labels.tags.iter().map(|tag| ("tag", Value::Said(tag))));
}

/// How who acted was authenticated, what he is called besides, and from where; the name stands apart.
pub(super) fn who(private: &PrivateHalf) -> Vec<Fact<'_>> {
    let mut facts = Vec::new();
    if let Some(actor) = &private.actor {
        facts.push(("", own(format!("{}; {}", actor.authentication.word(), actor.kind.word()))));
    }
    facts.extend(private.roles.iter().map(|role| ("role", Value::Said(role.as_bytes()))));
    facts.extend(private.on_behalf_of.as_deref().map(|name| ("on behalf of", Value::Said(name))));
    if let Some(credential) = &private.credential {
        facts.push(("key", Value::Id(credential.to_hex())));
    }
    if let Some((host, pid, remote)) = &private.origin {
        facts.push(("from", Value::Said(host)));
        facts.extend(remote.as_deref().map(|remote| ("remote", Value::Said(remote))));
        facts.push(("process", own(pid.to_string())));
    }
    facts.extend(private.tool.as_deref().map(|tool| ("with", Value::Said(tool))));
    facts
}

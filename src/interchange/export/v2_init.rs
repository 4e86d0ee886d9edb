//! The first record of a version 2.0 tape.

use super::exporter::Scope;
use super::losses::ExportLosses;
use super::v2_record::{Object, one_line_json, quoted};
use crate::interchange::json::string;
use crate::tape::Header;
use crate::time::{ns_to_rfc3339, parse_rfc3339_ns};

/// Longest first record: readers keep all of it in a header.
const INIT_BYTES_MAX: usize = 256 << 10;
/// Members of the record that have a place of their own.
const OWN: [&str; 6] = ["type", "version", "tape_id", "session_id", "created_at", "protocol_version"];

/// Names of the tape and its session, as text.
pub(super) struct Names {
    /// The tape's id where it came from, or else its id in the ledger.
    pub tape: String,
    /// The session.
    pub session: Option<String>,
    protocol: Option<String>,
}

impl Names {
    pub(super) fn of(scope: Scope, header: &Header, losses: &mut ExportLosses) -> Self {
        let mut text = |bytes: &Option<Vec<u8>>, what: &str| {
            let bytes = bytes.clone()?;
            let text = String::from_utf8(bytes).ok();
            if text.is_none() {
                losses.about_all(format!("{what} is not UTF-8 and is not kept"));
            }
            text
        };
        let tape = text(&header.legacy_tape_id, "the tape's id at its source");
        Self {
            tape: tape.unwrap_or_else(|| scope.tape.to_text()),
            session: text(&header.session_id, "the session's id"),
            protocol: text(&header.protocol, "the protocol version"),
        }
    }
}

/// Writes the record into `line`.
pub(super) fn record(header: &Header, names: &Names, is_from_v2: bool, line: &mut Vec<u8>, losses: &mut ExportLosses) {
    let (fields, unfit) = fields(header, is_from_v2);
    if unfit > 0 {
        losses.about_all(format!("fields of the source's first record that cannot stand in this one: {unfit}"));
    }
    write(header, names, &fields, line);
    if line.len() > INIT_BYTES_MAX {
        losses.about_all(format!("fields of the source's first record that have no room: {}", fields.len()));
        write(header, names, &[], line);
    }
}

/// What the source's first record said besides, as far as it means the same here.
fn fields(header: &Header, is_from_v2: bool) -> (Vec<(&str, &str)>, u64) {
    let (mut fields, mut unfit) = (Vec::new(), 0u64);
    for (name, json) in &header.extra {
        match std::str::from_utf8(name).ok().zip(one_line_json(json)) {
            Some((name, json)) if is_from_v2 || !OWN.contains(&name) => fields.push((name, json)),
            _ => unfit = unfit.saturating_add(1),
        }
    }
    (fields, unfit)
}

fn write(header: &Header, names: &Names, fields: &[(&str, &str)], line: &mut Vec<u8>) {
    line.clear();
    let named = |name: &str| fields.iter().rev().find(|(n, _)| *n == name).map(|(_, json)| *json);
    // As it was written, where that is the same moment.
    let same_moment = |json: &&str| string(json).and_then(|t| parse_rfc3339_ns(&t)) == header.started_wall_ns;
    let written = named("created_at").filter(|_| header.started_wall_ns.is_some()).filter(same_moment);
    let created = written.map(str::to_owned).or_else(|| header.started_wall_ns.map(|ns| quoted(&ns_to_rfc3339(ns))));
    let rest: Vec<(&str, &str)> = fields
        .iter()
        .filter(|(name, json)| *name != "version" && !(*name == "created_at" && written == Some(*json)))
        .copied()
        .collect();
    let mut o = Object::begin(line);
    o.fields(&rest, |name| OWN.contains(&name));
    o.member("type", "\"init\"");
    o.member("version", named("version").unwrap_or("\"2.0\""));
    o.member("tape_id", &quoted(&names.tape));
    o.optional("session_id", names.session.as_deref().map(quoted).as_deref());
    o.optional("created_at", created.as_deref());
    o.optional("protocol_version", names.protocol.as_deref().map(quoted).as_deref());
    o.fields(&rest, |name| !OWN.contains(&name));
    o.end();
    line.push(b'\n');
}

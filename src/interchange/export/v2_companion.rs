//! The metadata beside a version 2.0 tape (`.meta.json`).

use std::fmt::Write as _;

use super::beside::Written;
use super::losses::ExportLosses;
use super::v2_init::Names;
use super::v2_record::quoted;
use crate::codec::digest::Digest;
use crate::codec::escape::visible;
use crate::interchange::companion::COMPANION_BYTES_MAX;
use crate::interchange::json::Members;
use crate::interchange::tally::{RoundTrips, Tally};
use crate::tape::{EndState, Header};
use crate::time::{ns_to_rfc3339, parse_rfc3339_ns};

/// What the metadata says of the file beside it.
pub(super) struct Claims<'a> {
    pub names: &'a Names,
    pub tally: &'a Tally,
    pub last_seq: Option<u64>,
    pub finalized: Option<&'a str>,
    pub size_bytes: u64,
    pub sha256: Digest,
    /// The file for what cannot stand in this one.
    pub beside: Option<Written>,
}

/// When the tape was finished: as its own metadata said, or else the latest moment known. Nothing is invented.
pub(super) fn finalized(header: &Header) -> Option<String> {
    let said = header.provenance.as_ref().and_then(|p| p.companion.as_deref()).and_then(|c| {
        let mut members = Members::parse(std::str::from_utf8(c).ok()?).ok()?;
        let moment = members.read_string("finalized_at")?;
        parse_rfc3339_ns(&moment).map(|_| moment.into_owned())
    });
    said.or_else(|| header.ended_wall_ns.map(ns_to_rfc3339))
}

/// The file.
pub(super) fn metadata(header: &Header, claims: &Claims<'_>, losses: &mut ExportLosses) -> Vec<u8> {
    let whole = write(header, claims, true, losses);
    if whole.len() <= COMPANION_BYTES_MAX {
        return whole;
    }
    losses.about_all("the transport and environment of the session are too long for the metadata and are not kept");
    write(header, claims, false, &mut ExportLosses::default())
}

fn write(header: &Header, claims: &Claims<'_>, with_surroundings: bool, losses: &mut ExportLosses) -> Vec<u8> {
    let mut text = |bytes: &[u8], what: &str| {
        let text = std::str::from_utf8(bytes).ok();
        if text.is_none() {
            losses.about_all(format!("{what} is not UTF-8 and is not kept"));
        }
        text.map(quoted)
    };
    let labels = &header.labels;
    let mut m = Indented::begin();
    m.member("tape_id", &quoted(&claims.names.tape));
    m.optional("name", labels.name.as_deref().and_then(|n| text(n, "the name")));
    m.optional("description", labels.description.as_deref().and_then(|d| text(d, "the description")));
    let tags: Vec<String> = labels.tags.iter().filter_map(|t| text(t, "a tag")).collect();
    if !tags.is_empty() {
        m.list("tags", &tags);
    }
    m.optional("created_at", header.started_wall_ns.map(|ns| quoted(&ns_to_rfc3339(ns))));
    m.optional("updated_at", claims.finalized.map(quoted));
    m.optional("finalized_at", claims.finalized.map(quoted));
    m.optional("status", status(&header.end_state, losses));
    if with_surroundings {
        let mut json = |bytes: &Option<Vec<u8>>, what: &str| {
            let bytes = bytes.as_deref()?;
            let text =
                std::str::from_utf8(bytes).ok().filter(|t| serde_json::from_str::<serde::de::IgnoredAny>(t).is_ok());
            if text.is_none() {
                losses.about_all(format!("the {what} of the session is not JSON and is not kept"));
            }
            text.map(str::to_owned)
        };
        m.optional("transport", json(&header.transport, "transport"));
        m.optional("environment", json(&header.environment, "environment"));
    }
    stats(&mut m, claims);
    performance(&mut m, &claims.tally.round_trips);
    if let Some(Written { records, bytes, sha256 }) = claims.beside {
        let checksum = format!("\"sha256:{}\"", sha256.to_hex());
        m.object(
            "extra_file",
            &[("records", records.to_string()), ("size_bytes", bytes.to_string()), ("checksum", checksum)],
        );
    }
    m.member("checksum", &format!("\"sha256:{}\"", claims.sha256.to_hex()));
    m.end()
}

/// The format knows four states; what is none of them is said in words, or left out where nothing is known.
fn status(end: &EndState, losses: &mut ExportLosses) -> Option<String> {
    let error = |words: &str| Some(format!("{{\n    \"error\": {}\n  }}", quoted(words)));
    let words = match end {
        EndState::Imported => return None,
        EndState::Clean => return Some("\"finalized\"".into()),
        EndState::Truncated => return Some("\"recording\"".into()),
        EndState::Error(words) => match std::str::from_utf8(words) {
            Ok("") => return Some("\"error\"".into()),
            Ok(words) => return error(words),
            Err(_) => visible(words),
        },
        EndState::ChildExit(code) => format!("process exited with {code}"),
        EndState::Signal(n) => format!("signal {n}"),
        EndState::Crashed(words) => match words {
            Some(words) => format!("crashed: {}", visible(words)),
            None => "crashed".into(),
        },
        EndState::Continued => "continued in another tape".into(),
    };
    losses.about_all(format!("how the session ended ({}) is written as the words of an error", end.word()));
    error(&words)
}

fn stats(m: &mut Indented, claims: &Claims<'_>) {
    let s = &claims.tally.stats;
    let duration = s.duration_ms.or((s.frames == 0).then_some(0));
    let mut stats = vec![("frame_count", s.frames.to_string())];
    stats.extend(duration.map(|d| ("duration_ms", d.to_string())));
    stats.push((
        "message_counts",
        format!(
            "{{\n      \"client_to_server\": {},\n      \"server_to_client\": {}\n    }}",
            s.client_to_server, s.server_to_client
        ),
    ));
    stats.push(("error_count", s.errors.to_string()));
    stats.push(("correlation_count", s.correlations.to_string()));
    stats.push(("file_size_bytes", claims.size_bytes.to_string()));
    stats.push(("last_sequence", claims.last_seq.unwrap_or(0).to_string()));
    stats.push(("checkpoint_count", "1".into()));
    m.object("stats", &stats);
}

fn performance(m: &mut Indented, trips: &RoundTrips) {
    if trips.count == 0 {
        m.member("performance", "null");
        return;
    }
    let average = format!("{:.3}", trips.sum_ms as f64 / trips.count as f64);
    let average = average.trim_end_matches('0').trim_end_matches('.').to_owned();
    let members =
        [("avg_rtt_ms", average), ("max_rtt_ms", trips.max_ms.to_string()), ("min_rtt_ms", trips.min_ms.to_string())];
    m.object("performance", &members);
}

/// An object over several lines.
struct Indented {
    text: String,
    is_first: bool,
}

impl Indented {
    fn begin() -> Self {
        Self { text: "{".into(), is_first: true }
    }

    fn member(&mut self, name: &str, json: &str) {
        let comma = if std::mem::take(&mut self.is_first) { "" } else { "," };
        let _infallible = write!(self.text, "{comma}\n  \"{name}\": {json}");
    }

    fn optional(&mut self, name: &str, json: Option<String>) {
        if let Some(json) = json {
            self.member(name, &json);
        }
    }

    fn list(&mut self, name: &str, items: &[String]) {
        self.member(name, &format!("[\n    {}\n  ]", items.join(",\n    ")));
    }

    fn object(&mut self, name: &str, members: &[(&str, String)]) {
        let members: Vec<String> = members.iter().map(|(name, json)| format!("\"{name}\": {json}")).collect();
        self.member(name, &format!("{{\n    {}\n  }}", members.join(",\n    ")));
    }

    fn end(mut self) -> Vec<u8> {
        self.text.push_str("\n}");
        self.text.into_bytes()
    }
}

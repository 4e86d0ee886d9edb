//! Header and frames as named fields, for every form that has names. Names and words are those of
//! `docs/format/2-tape.md`; what is not known is left out.

use serde::Serialize;

use super::bytes::{Bytes, Hex};
use crate::codec::digest::TapeId;
use crate::tape::{EndState, Frame, Header, Labels, Named, Provenance, RecorderInfo, Stats};

/// A frame as it stands in the JSON document.
///
/// ```
/// use immutape::interchange::FrameShape;
/// use immutape::tape::{Direction, Frame};
/// let frame = Frame::message(3, Direction::ClientToServer, b"\xff".to_vec());
/// assert_eq!(
///     serde_json::to_string(&FrameShape::of(&frame))?,
///     r#"{"seq":3,"kind":"message","direction":"client_to_server","payload":{"b64":"/w=="},"delimiter":"none"}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Serialize)]
pub struct FrameShape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    t_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wall_ns: Option<u64>,
    kind: &'static str,
    direction: &'static str,
    payload: Bytes<'a>,
    delimiter: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    flags: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redactions: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extra: Vec<Extra<'a>>,
}

#[derive(Debug, Serialize)]
struct Extra<'a> {
    name: Bytes<'a>,
    json: Bytes<'a>,
}

fn extra(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<Extra<'_>> {
    pairs.iter().map(|(name, json)| Extra { name: Bytes::of(name), json: Bytes::of(json) }).collect()
}

fn bytes(value: &Option<Vec<u8>>) -> Option<Bytes<'_>> {
    value.as_deref().map(Bytes::of)
}

impl<'a> FrameShape<'a> {
    /// Of this frame.
    #[must_use]
    pub fn of(f: &'a Frame) -> Self {
        Self {
            r#type: None,
            seq: f.seq,
            t_ns: f.t_ns,
            wall_ns: f.wall_ns,
            kind: f.kind.word(),
            direction: f.direction.word(),
            payload: Bytes::of(&f.payload),
            delimiter: f.delimiter.word(),
            media_type: bytes(&f.media_type),
            action: bytes(&f.action),
            transport: bytes(&f.transport),
            correlation_id: bytes(&f.correlation_id),
            flags: f.flag_names(),
            redactions: f.redactions.as_deref().map(Hex),
            extra: extra(&f.extra),
        }
    }

    /// As a record of the file beside a version 2.0 tape: the payload is never text there.
    pub(super) fn beside(f: &'a Frame) -> Self {
        let whole = Self::of(f);
        Self { r#type: Some("extra_frame"), payload: whole.payload.never_text(), ..whole }
    }
}

/// A header as it stands in the JSON document.
///
/// ```
/// use immutape::interchange::HeaderShape;
/// use immutape::tape::{Header, TapeKind};
/// let header = Header::new(TapeKind::Mcp);
/// let value = serde_json::to_value(HeaderShape::of(&header))?;
/// assert_eq!((&value["kind"], &value["class"], &value["stats"]["frames"]), (&"mcp".into(), &"draft".into(), &0.into()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Serialize)]
pub struct HeaderShape<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    legacy_tape_id: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_wall_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_wall_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Bytes<'a>>,
    labels: LabelsShape<'a>,
    stats: StatsShape,
    end_state: EndShape<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorder: Option<RecorderShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<ProvenanceShape<'a>>,
    class: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    redaction_profile: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<GapShape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amends: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continues: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    derived_from: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    declared_origin_ms: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subject_tags: Vec<Hex<'a>>,
    namespace: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    extra: Vec<Extra<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unsaved_lines: Vec<LineShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    named: Option<NamedShape<'a>>,
}

#[derive(Debug, Serialize)]
struct LabelsShape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Bytes<'a>>,
}

#[derive(Debug, Serialize)]
struct StatsShape {
    frames: u64,
    payload_bytes: u64,
    client_to_server: u64,
    server_to_client: u64,
    errors: u64,
    requests: u64,
    responses: u64,
    notifications: u64,
    correlations: u64,
    unanswered: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct EndShape<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Bytes<'a>>,
}

#[derive(Debug, Serialize)]
struct RecorderShape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<Hex<'a>>,
}

#[derive(Debug, Serialize)]
struct ProvenanceShape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_sha256: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    importer: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    losses: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    source_name: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imported_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    companion_sha256: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    companion: Option<Bytes<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct GapShape {
    before_seq: u64,
    reason: &'static str,
    count: u64,
}

#[derive(Debug, Serialize)]
struct LineShape<'a> {
    line: u64,
    bytes: Bytes<'a>,
}

#[derive(Debug, Serialize)]
struct NamedShape<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    methods: Vec<CountShape<Bytes<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<CountShape<Bytes<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<CountShape<i64>>,
    unlisted: u64,
}

#[derive(Debug, Serialize)]
struct CountShape<T> {
    what: T,
    count: u64,
}

impl<'a> HeaderShape<'a> {
    /// Of this header.
    #[must_use]
    pub fn of(h: &'a Header) -> Self {
        let tape = |id: &'a Option<TapeId>| id.as_ref().map(|id| Hex(id.as_ref()));
        Self {
            kind: h.kind.word(),
            session_id: bytes(&h.session_id),
            legacy_tape_id: bytes(&h.legacy_tape_id),
            started_wall_ns: h.started_wall_ns,
            ended_wall_ns: h.ended_wall_ns,
            span_ns: h.span_ns,
            protocol: bytes(&h.protocol),
            transport: bytes(&h.transport),
            environment: bytes(&h.environment),
            labels: labels(&h.labels),
            stats: stats(&h.stats),
            end_state: end(&h.end_state),
            recorder: h.recorder.as_ref().map(recorder),
            provenance: h.provenance.as_ref().map(provenance),
            class: &h.class,
            redaction_profile: h.redaction_profile.as_ref().map(|d| Hex(d.as_ref())),
            gaps: h.gaps.iter().map(gap).collect(),
            amends: tape(&h.amends),
            continues: tape(&h.continues),
            derived_from: tape(&h.derived_from),
            declared_origin_ms: h.declared_origin_ms,
            subject_tags: h.subject_tags.iter().map(|t| Hex(t)).collect(),
            namespace: &h.namespace,
            extra: extra(&h.extra),
            unsaved_lines: h
                .unsaved_lines
                .iter()
                .map(|(line, b)| LineShape { line: *line, bytes: Bytes::of(b) })
                .collect(),
            named: (!h.named.is_empty()).then(|| named(&h.named)),
        }
    }
}

fn labels(l: &Labels) -> LabelsShape<'_> {
    LabelsShape {
        name: bytes(&l.name),
        description: bytes(&l.description),
        tags: l.tags.iter().map(|t| Bytes::of(t)).collect(),
    }
}

const fn stats(s: &Stats) -> StatsShape {
    StatsShape {
        frames: s.frames,
        payload_bytes: s.payload_bytes,
        client_to_server: s.client_to_server,
        server_to_client: s.server_to_client,
        errors: s.errors,
        requests: s.requests,
        responses: s.responses,
        notifications: s.notifications,
        correlations: s.correlations,
        unanswered: s.unanswered,
        duration_ms: s.duration_ms,
    }
}

fn end(e: &EndState) -> EndShape<'_> {
    let shape = EndShape { state: e.word(), code: None, signal: None, words: None };
    match e {
        EndState::ChildExit(code) => EndShape { code: Some(*code), ..shape },
        EndState::Signal(n) => EndShape { signal: Some(*n), ..shape },
        EndState::Crashed(words) => EndShape { words: bytes(words), ..shape },
        EndState::Error(words) => EndShape { words: Some(Bytes::of(words)), ..shape },
        EndState::Clean | EndState::Truncated | EndState::Imported | EndState::Continued => shape,
    }
}

fn recorder(r: &RecorderInfo) -> RecorderShape<'_> {
    RecorderShape {
        key: r.key.as_ref().map(|k| Hex(k.as_ref())),
        version: r.version.as_deref(),
        config: r.config.as_ref().map(|c| Hex(c.as_ref())),
    }
}

fn provenance(p: &Provenance) -> ProvenanceShape<'_> {
    ProvenanceShape {
        format: p.format.as_deref(),
        source_sha256: p.source_sha256.as_ref().map(|d| Hex(d.as_ref())),
        importer: p.importer.as_deref(),
        losses: &p.losses,
        source_name: bytes(&p.source_name),
        imported_ms: p.imported_ms,
        host: bytes(&p.host),
        companion_sha256: p.companion_sha256.as_ref().map(|d| Hex(d.as_ref())),
        companion: bytes(&p.companion),
        source_bytes: p.source_bytes,
    }
}

const fn gap(g: &crate::tape::Gap) -> GapShape {
    GapShape { before_seq: g.before_seq, reason: g.reason.word(), count: g.count }
}

fn named(n: &Named) -> NamedShape<'_> {
    NamedShape {
        methods: counted(&n.methods),
        tools: counted(&n.tools),
        errors: n.errors.iter().map(|(what, count)| CountShape { what: *what, count: *count }).collect(),
        unlisted: n.unlisted,
    }
}

fn counted(list: &[(Vec<u8>, u64)]) -> Vec<CountShape<Bytes<'_>>> {
    list.iter().map(|(what, count)| CountShape { what: Bytes::of(what), count: *count }).collect()
}

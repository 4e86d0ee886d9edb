//! The header of a tape: numbered private fields, committed one by one.

use super::fields::{FieldCommitment, Salts, commit};
use super::frame::{not_empty, numbered, read_pairs, write_pairs};
use super::{Stats, TapeError};
use crate::codec::cbor::{CborError, Key, Reader, Writer, encode};
use crate::codec::digest::{Digest, TapeId, Thumbprint};
use crate::codec::limits::{CLASS_BYTES_MAX, HEADER_BYTES_MAX, LABEL_BYTES_MAX, TAGS_MAX};

numbered! {
    /// What kind of session a tape holds.
    TapeKind, "tape kind" {
        /// Model Context Protocol.
        Mcp = 0, "mcp";
        /// HTTP.
        Http = 1, "http";
        /// A terminal.
        Terminal = 2, "terminal";
        /// FIX.
        Fix = 3, "fix";
        /// HL7.
        Hl7 = 4, "hl7";
        /// Files.
        File = 5, "file";
        /// Anything else.
        Other = 6, "other";
    }
}

numbered! {
    /// Why frames are missing.
    GapReason, "gap reason" {
        /// The source's own numbering jumped.
        SequenceJumped = 0, "sequence jumped";
        /// The recorder was not running.
        RecorderStopped = 1, "recorder stopped";
        /// Storage failed while recording.
        StorageFailed = 2, "storage failed";
        /// The source says so.
        Declared = 3, "declared by the source";
    }
}

/// A known hole in a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Position of the frame that follows the hole; the number of frames when it is at the end.
    pub before_seq: u64,
    /// Why.
    pub reason: GapReason,
    /// How many frames are missing; 0 = not known.
    pub count: u64,
}

/// How the session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of docs/format/2-tape 2.2")]
pub enum EndState {
    Clean,
    ChildExit(i64),
    Signal(u64),
    Crashed(Option<Vec<u8>>),
    Truncated,
    Imported,
    Error(Vec<u8>),
}

/// Names given to a tape.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// Name.
    pub name: Option<Vec<u8>>,
    /// Description.
    pub description: Option<Vec<u8>>,
    /// Tags, in the order given.
    pub tags: Vec<Vec<u8>>,
}

/// Which program recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecorderInfo {
    /// Thumbprint of the recorder's key.
    pub key: Option<Thumbprint>,
    /// Version of the program.
    pub version: Option<String>,
    /// Digest of its configuration.
    pub config: Option<Digest>,
}

/// Where an imported tape came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provenance {
    /// Name of the source format.
    pub format: Option<String>,
    /// SHA-256 of the source file.
    pub source_sha256: Option<Digest>,
    /// Version of the importer.
    pub importer: Option<String>,
    /// What could not be carried over, or differed.
    pub losses: Vec<String>,
    /// Name of the source file as given.
    pub source_name: Option<Vec<u8>>,
    /// When it was imported, milliseconds since 1970. Not part of the content digest.
    pub imported_ms: Option<u64>,
    /// Host that imported. Not part of the content digest.
    pub host: Option<Vec<u8>>,
    /// SHA-256 of the companion metadata file.
    pub companion_sha256: Option<Digest>,
    /// The companion metadata file itself.
    pub companion: Option<Vec<u8>>,
    /// Length of the source file.
    pub source_bytes: Option<u64>,
}

/// The header of a tape; field numbers in `docs/format/2-tape.md` 2.2.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of docs/format/2-tape 2.2")]
pub struct Header {
    pub kind: TapeKind,
    pub session_id: Option<Vec<u8>>,
    pub legacy_tape_id: Option<Vec<u8>>,
    pub started_wall_ns: Option<u64>,
    pub ended_wall_ns: Option<u64>,
    pub span_ns: Option<u64>,
    pub protocol: Option<Vec<u8>>,
    pub transport: Option<Vec<u8>>,
    pub environment: Option<Vec<u8>>,
    pub labels: Labels,
    pub stats: Stats,
    pub end_state: EndState,
    pub recorder: Option<RecorderInfo>,
    pub provenance: Option<Provenance>,
    pub class: String,
    pub redaction_profile: Option<Digest>,
    pub gaps: Vec<Gap>,
    pub amends: Option<TapeId>,
    pub continues: Option<TapeId>,
    pub derived_from: Option<TapeId>,
    pub declared_origin_ms: Option<u64>,
    pub subject_tags: Vec<[u8; 32]>,
    pub namespace: String,
    pub extra: Vec<(Vec<u8>, Vec<u8>)>,
    pub unsaved_lines: Vec<(u64, Vec<u8>)>,
}

impl Header {
    /// A header of class `draft` in namespace `default` with nothing known.
    #[must_use]
    pub fn new(kind: TapeKind) -> Self {
        Self {
            kind,
            session_id: None,
            legacy_tape_id: None,
            started_wall_ns: None,
            ended_wall_ns: None,
            span_ns: None,
            protocol: None,
            transport: None,
            environment: None,
            labels: Labels::default(),
            stats: Stats::default(),
            end_state: EndState::Clean,
            recorder: None,
            provenance: None,
            class: "draft".into(),
            redaction_profile: None,
            gaps: Vec::new(),
            amends: None,
            continues: None,
            derived_from: None,
            declared_origin_ms: None,
            subject_tags: Vec::new(),
            namespace: "default".into(),
            extra: Vec::new(),
            unsaved_lines: Vec::new(),
        }
    }

    /// The fields that are there, encoded, ascending.
    #[must_use]
    pub fn fields(&self) -> Vec<(u64, Vec<u8>)> {
        self.fields_for(false)
    }

    fn fields_for(&self, content_only: bool) -> Vec<(u64, Vec<u8>)> {
        let mut out: Vec<(u64, Vec<u8>)> = Vec::with_capacity(20);
        let mut put = |n: u64, f: &dyn Fn(&mut Writer)| out.push((n, encode(|w| f(w))));
        let bytes = |v: &Vec<u8>| {
            let v = v.clone();
            move |w: &mut Writer| w.bytes(&v)
        };
        put(0, &|w| w.uint(1));
        put(1, &|w| w.uint(self.kind.number()));
        for (n, v) in [(2, &self.session_id), (3, &self.legacy_tape_id)] {
            if let Some(v) = v {
                put(n, &bytes(v))
            }
        }
        for (n, v) in [(4, self.started_wall_ns), (5, self.ended_wall_ns), (6, self.span_ns)] {
            if let Some(v) = v {
                put(n, &move |w| w.uint(v))
            }
        }
        for (n, v) in [(7, &self.protocol), (8, &self.transport), (9, &self.environment)] {
            if let Some(v) = v {
                put(n, &bytes(v))
            }
        }
        put(10, &|w| self.labels.write(w));
        put(11, &|w| self.stats.write(w));
        put(12, &|w| self.end_state.write(w));
        if let Some(r) = self.recorder.as_ref().filter(|_| !content_only) {
            put(14, &|w| r.write(w))
        }
        if let Some(p) = &self.provenance {
            put(15, &|w| p.write(w, content_only))
        }
        put(16, &|w| w.text(&self.class));
        if let Some(d) = &self.redaction_profile {
            put(17, &|w| w.bytes(d.as_ref()))
        }
        if !self.gaps.is_empty() {
            put(18, &|w| write_gaps(w, &self.gaps))
        }
        for (n, v) in [(19, &self.amends), (20, &self.continues), (21, &self.derived_from)] {
            if let Some(v) = v {
                put(n, &|w| w.bytes(v.as_ref()))
            }
        }
        if let Some(v) = self.declared_origin_ms {
            put(22, &move |w| w.uint(v))
        }
        if !self.subject_tags.is_empty() {
            put(23, &|w| {
                w.array(self.subject_tags.len());
                self.subject_tags.iter().for_each(|t| w.bytes(t));
            });
        }
        put(24, &|w| w.text(&self.namespace));
        if !self.extra.is_empty() {
            put(25, &|w| write_pairs(w, &self.extra))
        }
        if !self.unsaved_lines.is_empty() {
            put(26, &|w| {
                w.array(self.unsaved_lines.len());
                for (n, line) in &self.unsaved_lines {
                    w.array(2);
                    w.uint(*n);
                    w.bytes(line);
                }
            });
        }
        out
    }

    /// The header map.
    ///
    /// # Errors
    /// [`TapeError::Limit`] when it, a label, the class or the namespace is too long.
    pub fn encode(&self) -> Result<Vec<u8>, TapeError> {
        self.check()?;
        let bytes = encode_map(&self.fields());
        limit("the header of a tape in bytes", bytes.len(), HEADER_BYTES_MAX)?;
        Ok(bytes)
    }

    pub(super) fn content_form(&self) -> Vec<u8> {
        encode_map(&self.fields_for(true))
    }

    /// The commitment to every field.
    #[must_use]
    pub fn commit(&self, salts: &dyn Salts) -> FieldCommitment {
        let fields = self.fields();
        commit("immutape/header/1", salts, fields.iter().map(|(n, v)| (*n, v.as_slice())))
    }

    fn check(&self) -> Result<(), TapeError> {
        for (what, text) in [("the class in bytes", &self.class), ("the namespace in bytes", &self.namespace)] {
            limit(what, text.len(), CLASS_BYTES_MAX)?;
            if text.is_empty() {
                return Err(TapeError::Value { field: what, value: 0 });
            }
        }
        limit("the number of tags", self.labels.tags.len(), TAGS_MAX)?;
        let named = self.labels.name.iter().chain(&self.labels.description).chain(&self.labels.tags);
        named.into_iter().try_for_each(|l| limit("a label in bytes", l.len(), LABEL_BYTES_MAX))
    }

    /// Reads a header map.
    ///
    /// # Errors
    /// [`TapeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, TapeError> {
        limit("the header of a tape in bytes", bytes.len(), HEADER_BYTES_MAX)?;
        let mut r = Reader::new(bytes);
        let (mut h, mut seen, mut fault) = (Self::new(TapeKind::Other), 0u32, None);
        r.map(|key, v| {
            let Key::Int(key) = key else { return Err(CborError::UnknownKey) };
            seen |= 1u32.checked_shl(u32::try_from(key).unwrap_or(u32::MAX)).unwrap_or(0);
            match h.read_field(key, v) {
                Err(TapeError::Cbor(e)) => Err(e),
                Err(e) => {
                    fault.get_or_insert(e);
                    // The rest of this value may be unread: stop here, the kept fault says why.
                    Err(CborError::Type)
                }
                Ok(()) => Ok(()),
            }
        })
        .map_err(|e| fault.unwrap_or(TapeError::Cbor(e)))?;
        r.end()?;
        const REQUIRED: u32 = 0b11 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 16 | 1 << 24;
        if seen & REQUIRED != REQUIRED {
            return Err(CborError::MissingKey.into());
        }
        h.check()?;
        Ok(h)
    }

    fn read_field(&mut self, key: i64, v: &mut Reader<'_>) -> Result<(), TapeError> {
        let owned = |v: &mut Reader<'_>| v.bytes().map(|b| Some(b.to_vec()));
        let tape = |v: &mut Reader<'_>| v.bytes_n().map(|b| Some(TapeId::from_bytes(b)));
        match key {
            0 => match v.uint()? {
                1 => {}
                n => return Err(TapeError::NewerFormat(n)),
            },
            1 => self.kind = TapeKind::from_number(v.uint()?)?,
            2 => self.session_id = owned(v)?,
            3 => self.legacy_tape_id = owned(v)?,
            4 => self.started_wall_ns = Some(v.uint()?),
            5 => self.ended_wall_ns = Some(v.uint()?),
            6 => self.span_ns = Some(v.uint()?),
            7 => self.protocol = owned(v)?,
            8 => self.transport = owned(v)?,
            9 => self.environment = owned(v)?,
            10 => self.labels = Labels::read(v)?,
            11 => self.stats = Stats::read(v)?,
            12 => self.end_state = EndState::read(v)?,
            14 => self.recorder = Some(RecorderInfo::read(v)?),
            15 => self.provenance = Some(Provenance::read(v)?),
            16 => self.class = v.text()?.to_owned(),
            17 => self.redaction_profile = Some(Digest::from_bytes(v.bytes_n()?)),
            18 => self.gaps = read_gaps(v)?,
            19 => self.amends = tape(v)?,
            20 => self.continues = tape(v)?,
            21 => self.derived_from = tape(v)?,
            22 => self.declared_origin_ms = Some(v.uint()?),
            23 => self.subject_tags = read_list(v, Reader::bytes_n)?,
            24 => self.namespace = v.text()?.to_owned(),
            25 => self.extra = not_empty(read_pairs(v)?)?,
            26 => {
                self.unsaved_lines = not_empty(read_list(v, |r| {
                    r.array_of(2)?;
                    Ok((r.uint()?, r.bytes()?.to_vec()))
                })?)?;
            }
            _ => return Err(CborError::UnknownKey.into()),
        }
        Ok(())
    }
}

fn limit(what: &'static str, found: usize, max: usize) -> Result<(), TapeError> {
    if found > max { Err(TapeError::Limit { what, found: found as u64, max: max as u64 }) } else { Ok(()) }
}

fn encode_map(fields: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut w = Writer::new();
    w.map(fields.len());
    for (n, v) in fields {
        w.uint(*n);
        w.raw(v);
    }
    w.finish()
}

fn read_list<'a, T>(
    r: &mut Reader<'a>,
    mut each: impl FnMut(&mut Reader<'a>) -> Result<T, CborError>,
) -> Result<Vec<T>, CborError> {
    let n = r.array()?;
    let mut out = Vec::new();
    for _ in 0..n {
        out.push(each(r)?);
    }
    not_empty(out)
}

fn write_gaps(w: &mut Writer, gaps: &[Gap]) {
    w.array(gaps.len());
    for gap in gaps {
        w.array(3);
        w.uint(gap.before_seq);
        w.uint(gap.reason.number());
        w.uint(gap.count);
    }
}

fn read_gaps(r: &mut Reader<'_>) -> Result<Vec<Gap>, TapeError> {
    let raw = read_list(r, |r| {
        r.array_of(3)?;
        Ok((r.uint()?, r.uint()?, r.uint()?))
    })?;
    raw.into_iter()
        .map(|(before_seq, reason, count)| Ok(Gap { before_seq, reason: GapReason::from_number(reason)?, count }))
        .collect()
}

impl Labels {
    /// Writes the labels map (also private field 27 of entries).
    pub fn write(&self, w: &mut Writer) {
        let count = [self.name.is_some(), self.description.is_some(), !self.tags.is_empty()];
        w.map(count.iter().filter(|c| **c).count());
        for (key, value) in [(0, &self.name), (1, &self.description)] {
            if let Some(v) = value {
                w.uint(key);
                w.bytes(v);
            }
        }
        if !self.tags.is_empty() {
            w.uint(2);
            w.array(self.tags.len());
            self.tags.iter().for_each(|t| w.bytes(t));
        }
    }

    /// Reads the labels map.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut l = Self::default();
        r.map(|key, v| {
            match key {
                Key::Int(0) => l.name = Some(v.bytes()?.to_vec()),
                Key::Int(1) => l.description = Some(v.bytes()?.to_vec()),
                Key::Int(2) => l.tags = read_list(v, |r| r.bytes().map(<[u8]>::to_vec))?,
                _ => return Err(CborError::UnknownKey),
            }
            Ok(())
        })?;
        Ok(l)
    }
}

impl EndState {
    fn write(&self, w: &mut Writer) {
        let head = |w: &mut Writer, n: u64, detail: bool| {
            w.array(if detail { 2 } else { 1 });
            w.uint(n);
        };
        match self {
            Self::Clean => head(w, 0, false),
            Self::ChildExit(code) => {
                head(w, 1, true);
                w.int(*code);
            }
            Self::Signal(n) => {
                head(w, 2, true);
                w.uint(*n);
            }
            Self::Crashed(None) => head(w, 3, false),
            Self::Crashed(Some(words)) => {
                head(w, 3, true);
                w.bytes(words);
            }
            Self::Truncated => head(w, 4, false),
            Self::Imported => head(w, 5, false),
            Self::Error(words) => {
                head(w, 6, true);
                w.bytes(words);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, TapeError> {
        let n = r.array()?;
        let number = if n == 0 { return Err(CborError::Length.into()) } else { r.uint()? };
        Ok(match (number, n) {
            (0, 1) => Self::Clean,
            (1, 2) => Self::ChildExit(r.int()?),
            (2, 2) => Self::Signal(r.uint()?),
            (3, 1) => Self::Crashed(None),
            (3, 2) => Self::Crashed(Some(r.bytes()?.to_vec())),
            (4, 1) => Self::Truncated,
            (5, 1) => Self::Imported,
            (6, 2) => Self::Error(r.bytes()?.to_vec()),
            (0..=6, _) => return Err(CborError::Length.into()),
            (value, _) => return Err(TapeError::Value { field: "end state", value }),
        })
    }

    /// The word in listings and `--json`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::ChildExit(_) => "child_exit",
            Self::Signal(_) => "signal",
            Self::Crashed(_) => "crashed",
            Self::Truncated => "truncated",
            Self::Imported => "imported",
            Self::Error(_) => "error",
        }
    }
}

impl RecorderInfo {
    fn write(&self, w: &mut Writer) {
        let present = [self.key.is_some(), self.version.is_some(), self.config.is_some()];
        w.map(present.iter().filter(|p| **p).count());
        if let Some(k) = &self.key {
            w.uint(0);
            w.bytes(k.as_ref());
        }
        if let Some(v) = &self.version {
            w.uint(1);
            w.text(v);
        }
        if let Some(c) = &self.config {
            w.uint(2);
            w.bytes(c.as_ref());
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut info = Self::default();
        r.map(|key, v| {
            match key {
                Key::Int(0) => info.key = Some(Thumbprint::from_bytes(v.bytes_n()?)),
                Key::Int(1) => info.version = Some(v.text()?.to_owned()),
                Key::Int(2) => info.config = Some(Digest::from_bytes(v.bytes_n()?)),
                _ => return Err(CborError::UnknownKey),
            }
            Ok(())
        })?;
        Ok(info)
    }
}

impl Provenance {
    fn write(&self, w: &mut Writer, content_only: bool) {
        let mut pairs: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut put = |n: u64, f: &dyn Fn(&mut Writer)| pairs.push((n, encode(|w| f(w))));
        if let Some(v) = &self.format {
            put(0, &|w| w.text(v))
        }
        if let Some(v) = &self.source_sha256 {
            put(1, &|w| w.bytes(v.as_ref()))
        }
        if let Some(v) = &self.importer {
            put(2, &|w| w.text(v))
        }
        if !self.losses.is_empty() {
            put(3, &|w| {
                w.array(self.losses.len());
                self.losses.iter().for_each(|l| w.text(l));
            });
        }
        if let Some(v) = &self.source_name {
            put(4, &|w| w.bytes(v))
        }
        if let Some(v) = self.imported_ms.filter(|_| !content_only) {
            put(5, &move |w| w.uint(v))
        }
        if let Some(v) = self.host.as_ref().filter(|_| !content_only) {
            put(6, &|w| w.bytes(v))
        }
        if let Some(v) = &self.companion_sha256 {
            put(7, &|w| w.bytes(v.as_ref()))
        }
        if let Some(v) = &self.companion {
            put(8, &|w| w.bytes(v))
        }
        if let Some(v) = self.source_bytes {
            put(9, &move |w| w.uint(v))
        }
        w.raw(&encode_map(&pairs));
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut p = Self::default();
        r.map(|key, v| {
            match key {
                Key::Int(0) => p.format = Some(v.text()?.to_owned()),
                Key::Int(1) => p.source_sha256 = Some(Digest::from_bytes(v.bytes_n()?)),
                Key::Int(2) => p.importer = Some(v.text()?.to_owned()),
                Key::Int(3) => p.losses = read_list(v, |r| r.text().map(str::to_owned))?,
                Key::Int(4) => p.source_name = Some(v.bytes()?.to_vec()),
                Key::Int(5) => p.imported_ms = Some(v.uint()?),
                Key::Int(6) => p.host = Some(v.bytes()?.to_vec()),
                Key::Int(7) => p.companion_sha256 = Some(Digest::from_bytes(v.bytes_n()?)),
                Key::Int(8) => p.companion = Some(v.bytes()?.to_vec()),
                Key::Int(9) => p.source_bytes = Some(v.uint()?),
                _ => return Err(CborError::UnknownKey),
            }
            Ok(())
        })?;
        Ok(p)
    }
}

//! The header of a tape: numbered private fields, committed one by one.

use super::fields::{FieldCommitment, Salts, commit};
use super::header_parts::{EndState, Labels, Provenance, RecorderInfo, encode_map, read_list};
use super::kinds::{GapReason, TapeKind};
use super::lists::{not_empty, read_pairs, write_pairs};
use super::{Named, Stats, TapeError};
use crate::codec::cbor::{CborError, Key, Reader, Writer, encode};
use crate::codec::digest::{Digest, TapeId};
use crate::codec::limits::{CLASS_BYTES_MAX, HEADER_BYTES_MAX, LABEL_BYTES_MAX, TAGS_MAX};

/// The class of entries about no tape, which no tape may have: its custody keys would be theirs too.
pub const LEDGER_CLASS: &str = "ledger";

/// Keys that every header has, as bits.
const REQUIRED: u32 = 0b11 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 16 | 1 << 24;
const LAST_KEY: u64 = 27;
const UNUSED_KEY: u64 = 13;

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
    pub named: Named,
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
            named: Named::default(),
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
        if !self.named.is_empty() {
            put(27, &|w| self.named.write(w))
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
        let (header, seen) = Self::read_map(bytes)?;
        if seen & REQUIRED != REQUIRED {
            return Err(CborError::MissingKey.into());
        }
        Ok(header)
    }

    /// Reads a map of some of its keys, as they are opened to others; what is not there is as in [`Header::new`].
    ///
    /// # Errors
    /// [`TapeError`].
    pub fn decode_part(bytes: &[u8]) -> Result<Self, TapeError> {
        Self::read_map(bytes).map(|(header, _)| header)
    }

    /// Are these keys of a header, with all those among them that every header has?
    #[must_use]
    pub fn are_keys(keys: impl Iterator<Item = u64>) -> bool {
        let mut seen = 0u32;
        for key in keys {
            if key > LAST_KEY || key == UNUSED_KEY {
                return false;
            }
            seen |= 1u32.checked_shl(u32::try_from(key).unwrap_or(u32::MAX)).unwrap_or(0);
        }
        seen & REQUIRED == REQUIRED
    }

    /// The map, and which of its keys are there.
    fn read_map(bytes: &[u8]) -> Result<(Self, u32), TapeError> {
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
        h.check()?;
        Ok((h, seen))
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
            27 => self.named = Named::read(v)?,
            _ => return Err(CborError::UnknownKey.into()),
        }
        Ok(())
    }
}

fn limit(what: &'static str, found: usize, max: usize) -> Result<(), TapeError> {
    if found > max { Err(TapeError::Limit { what, found: found as u64, max: max as u64 }) } else { Ok(()) }
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

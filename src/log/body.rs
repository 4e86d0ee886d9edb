//! Bodies of the kinds this program writes: exactly the keys of their row, nothing else.

use super::EntryKind;
use super::body_anchors::AnchorBody;
use super::body_critical::CriticalBody;
use super::body_evidence::EvidenceBody;
use super::body_fields::Fields;
use super::body_people::PeopleBody;
use super::genesis::{Genesis, read_genesis, write_genesis};
use crate::codec::CborError;
use crate::codec::cbor::{Writer, encode};
use crate::codec::digest::{CustodyId, Digest, ObjectDigest, RootHash};
use crate::codec::limits::{PRIVATE_SET_MAX, SET_LIST_MAX};

/// A typed body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields and meanings stand in docs/format/4-commit 4.3")]
#[non_exhaustive]
pub enum Body {
    Genesis(Box<Genesis>),
    LogStarted {
        term: u64,
    },
    LogStopped {
        term: u64,
        content_unwraps: u64,
        list_unwraps: u64,
    },
    LogUncleanStop {
        term: u64,
    },
    Recovered {
        segment: u64,
        offset: u64,
        bytes: u64,
        hash: Digest,
    },
    RowsRebuilt {
        reason: u64,
        entries: u64,
    },
    HeadFileRebuilt {
        reason: u64,
        size: u64,
    },
    IntegrityFailed {
        what: u64,
        at: u64,
        digest: Option<Digest>,
    },
    IntegrityRepaired {
        what: u64,
        from: u64,
        old: Option<Digest>,
        new: Digest,
        entries: u64,
    },
    Verified {
        scope: u64,
        verdict: u64,
        entries: u64,
        objects: u64,
        findings: u64,
    },
    ClockAnomaly {
        behind_ms: u64,
    },
    TapeSaved {
        statement: Vec<u8>,
        epoch: [u8; 16],
    },
    TapeSavedAgain,
    TapeOpened {
        epoch: [u8; 16],
        continues: Option<CustodyId>,
    },
    RecordingMark {
        frames: u64,
        root: RootHash,
    },
    TapeTruncated {
        frames: u64,
        marked: u64,
        unread_bytes: u64,
    },
    Labelled {
        labels: Digest,
    },
    Amended {
        by: CustodyId,
    },
    AccessGranted,
    AccessCompleted {
        grant: u64,
    },
    Listed {
        set: RootHash,
        count: u64,
        size: u64,
        list: Option<ObjectDigest>,
    },
    Searched {
        set: RootHash,
        count: u64,
        size: u64,
        list: Option<ObjectDigest>,
    },
    MetadataRead,
    LogRead {
        first: u64,
        last: u64,
    },
    CustodyRead {
        size: u64,
    },
    Exported {
        commitment: Digest,
    },
    Followed {
        first: u64,
    },
    Replayed {
        how: u64,
    },
    Refused {
        act: u16,
        error: u16,
    },
    /// What others hold of this log, or got over it.
    Anchor(AnchorBody),
    /// What changes by which keys the log is read on.
    Critical(CriticalBody),
    /// Bundles that were made.
    Evidence(EvidenceBody),
    /// Who there is, and what they are.
    People(PeopleBody),
    Scrubbed {
        part: u64,
        of: u64,
        objects: u64,
        bytes: u64,
        findings: u64,
        segments: u64,
        from_medium: bool,
    },
    /// A kind this program does not write; its body is a checked map.
    Other(Vec<u8>),
}

impl Body {
    /// The kind that has this body; `None` for [`Body::Other`].
    #[must_use]
    pub const fn kind(&self) -> Option<EntryKind> {
        Some(match self {
            Self::Genesis(_) => EntryKind::GENESIS,
            Self::LogStarted { .. } => EntryKind::LOG_STARTED,
            Self::LogStopped { .. } => EntryKind::LOG_STOPPED,
            Self::LogUncleanStop { .. } => EntryKind::LOG_UNCLEAN_STOP,
            Self::Recovered { .. } => EntryKind::RECOVERED,
            Self::RowsRebuilt { .. } => EntryKind::ROWS_REBUILT,
            Self::HeadFileRebuilt { .. } => EntryKind::HEAD_FILE_REBUILT,
            Self::IntegrityFailed { .. } => EntryKind::INTEGRITY_FAILED,
            Self::IntegrityRepaired { .. } => EntryKind::INTEGRITY_REPAIRED,
            Self::Verified { .. } => EntryKind::VERIFIED,
            Self::ClockAnomaly { .. } => EntryKind::CLOCK_ANOMALY,
            Self::TapeSaved { .. } => EntryKind::TAPE_SAVED,
            Self::TapeSavedAgain => EntryKind::TAPE_SAVED_AGAIN,
            Self::TapeOpened { .. } => EntryKind::TAPE_OPENED,
            Self::RecordingMark { .. } => EntryKind::RECORDING_MARK,
            Self::TapeTruncated { .. } => EntryKind::TAPE_TRUNCATED,
            Self::Labelled { .. } => EntryKind::LABELLED,
            Self::Amended { .. } => EntryKind::AMENDED,
            Self::AccessGranted => EntryKind::ACCESS_GRANTED,
            Self::AccessCompleted { .. } => EntryKind::ACCESS_COMPLETED,
            Self::Listed { .. } => EntryKind::LISTED,
            Self::Searched { .. } => EntryKind::SEARCHED,
            Self::MetadataRead => EntryKind::METADATA_READ,
            Self::LogRead { .. } => EntryKind::LOG_READ,
            Self::CustodyRead { .. } => EntryKind::CUSTODY_READ,
            Self::Exported { .. } => EntryKind::EXPORTED,
            Self::Followed { .. } => EntryKind::FOLLOWED,
            Self::Replayed { .. } => EntryKind::REPLAYED,
            Self::Refused { .. } => EntryKind::REFUSED,
            Self::Anchor(anchor) => anchor.kind(),
            Self::Critical(critical) => critical.kind(),
            Self::Evidence(evidence) => evidence.kind(),
            Self::People(people) => people.kind(),
            Self::Scrubbed { .. } => EntryKind::SCRUBBED,
            Self::Other(_) => return None,
        })
    }

    /// The encoded map.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(64);
        match self {
            Self::Genesis(g) => write_genesis(&mut w, g),
            Self::LogStarted { term } | Self::LogUncleanStop { term } => uints(&mut w, &[*term]),
            Self::LogStopped { term, content_unwraps, list_unwraps } => {
                uints(&mut w, &[*term, *content_unwraps, *list_unwraps]);
            }
            Self::Recovered { segment, offset, bytes, hash } => {
                mixed(&mut w, &[*segment, *offset, *bytes], &[hash.as_ref()])
            }
            Self::RowsRebuilt { reason: a, entries: b }
            | Self::HeadFileRebuilt { reason: a, size: b }
            | Self::LogRead { first: a, last: b } => uints(&mut w, &[*a, *b]),
            Self::IntegrityFailed { what, at, digest } => {
                let digests: Vec<&[u8]> = digest.iter().map(AsRef::as_ref).collect();
                mixed(&mut w, &[*what, *at], &digests);
            }
            Self::IntegrityRepaired { what, from, old, new, entries } => {
                w.map(if old.is_some() { 5 } else { 4 });
                pairs(&mut w, 0, &[*what, *from]);
                if let Some(old) = old {
                    w.uint(2);
                    w.bytes(old.as_ref());
                }
                w.uint(3);
                w.bytes(new.as_ref());
                pairs(&mut w, 4, &[*entries]);
            }
            Self::Verified { scope, verdict, entries, objects, findings } => {
                uints(&mut w, &[*scope, *verdict, *entries, *objects, *findings]);
            }
            Self::ClockAnomaly { behind_ms: n }
            | Self::Followed { first: n }
            | Self::Replayed { how: n }
            | Self::AccessCompleted { grant: n }
            | Self::CustodyRead { size: n } => {
                uints(&mut w, &[*n]);
            }
            Self::TapeSaved { statement, epoch } => bytes(&mut w, &[statement, epoch]),
            Self::TapeOpened { epoch, continues } => {
                let continues = continues.iter().map(AsRef::<[u8]>::as_ref);
                bytes(&mut w, &[epoch.as_slice()].into_iter().chain(continues).collect::<Vec<_>>());
            }
            Self::RecordingMark { frames, root } => mixed(&mut w, &[*frames], &[root.as_ref()]),
            Self::TapeTruncated { frames, marked, unread_bytes } => uints(&mut w, &[*frames, *marked, *unread_bytes]),
            Self::TapeSavedAgain | Self::AccessGranted | Self::MetadataRead => w.map(0),
            Self::Labelled { labels: d } | Self::Exported { commitment: d } => bytes(&mut w, &[d.as_ref()]),
            Self::Amended { by } => bytes(&mut w, &[by.as_ref()]),
            Self::Listed { set, count, size, list } | Self::Searched { set, count, size, list } => {
                w.map(if list.is_some() { 4 } else { 3 });
                w.uint(0);
                w.bytes(set.as_ref());
                pairs(&mut w, 1, &[*count, *size]);
                if let Some(list) = list {
                    w.uint(3);
                    w.bytes(list.as_ref());
                }
            }
            Self::Refused { act, error } => uints(&mut w, &[u64::from(*act), u64::from(*error)]),
            Self::Anchor(anchor) => anchor.write(&mut w),
            Self::Critical(critical) => critical.write(&mut w),
            Self::Evidence(evidence) => evidence.write(&mut w),
            Self::People(people) => people.write(&mut w),
            Self::Scrubbed { part, of, objects, bytes, findings, segments, from_medium } => {
                w.map(7);
                pairs(&mut w, 0, &[*part, *of, *objects, *bytes, *findings, *segments]);
                w.uint(6);
                w.bool(*from_medium);
            }
            Self::Other(raw) => w.raw(raw),
        }
        w.finish()
    }

    /// Reads the body of an entry of `kind`.
    ///
    /// # Errors
    /// [`CborError`]: missing, unknown or wrong keys of a known kind.
    pub fn decode(kind: EntryKind, body: &[u8]) -> Result<Self, CborError> {
        if !kind.is_written() {
            return Ok(Self::Other(body.to_vec()));
        }
        let mut f = Fields::read(body)?;
        let body = match kind {
            EntryKind::GENESIS => return read_genesis(f).map(|g| Self::Genesis(Box::new(g))),
            EntryKind::LOG_STARTED => Self::LogStarted { term: f.uint(0)? },
            EntryKind::LOG_STOPPED => {
                Self::LogStopped { term: f.uint(0)?, content_unwraps: f.uint(1)?, list_unwraps: f.uint(2)? }
            }
            EntryKind::LOG_UNCLEAN_STOP => Self::LogUncleanStop { term: f.uint(0)? },
            EntryKind::RECOVERED => {
                Self::Recovered { segment: f.uint(0)?, offset: f.uint(1)?, bytes: f.uint(2)?, hash: f.digest(3)? }
            }
            EntryKind::ROWS_REBUILT => Self::RowsRebuilt { reason: f.uint(0)?, entries: f.uint(1)? },
            EntryKind::HEAD_FILE_REBUILT => Self::HeadFileRebuilt { reason: f.uint(0)?, size: f.uint(1)? },
            EntryKind::INTEGRITY_FAILED => {
                Self::IntegrityFailed { what: f.uint(0)?, at: f.uint(1)?, digest: f.optional_digest(2)? }
            }
            EntryKind::INTEGRITY_REPAIRED => Self::IntegrityRepaired {
                what: f.uint(0)?,
                from: f.uint(1)?,
                old: f.optional_digest(2)?,
                new: f.digest(3)?,
                entries: f.uint(4)?,
            },
            EntryKind::VERIFIED => Self::Verified {
                scope: f.uint(0)?,
                verdict: f.uint(1)?,
                entries: f.uint(2)?,
                objects: f.uint(3)?,
                findings: f.uint(4)?,
            },
            EntryKind::CLOCK_ANOMALY => Self::ClockAnomaly { behind_ms: f.uint(0)? },
            EntryKind::TAPE_SAVED => Self::TapeSaved {
                statement: f.bytes(0)?.to_vec(),
                epoch: f.bytes(1)?.try_into().map_err(|_| CborError::Length)?,
            },
            EntryKind::TAPE_SAVED_AGAIN => Self::TapeSavedAgain,
            EntryKind::TAPE_OPENED => Self::TapeOpened {
                epoch: f.bytes(0)?.try_into().map_err(|_| CborError::Length)?,
                continues: f.optional_digest(1)?.map(|d| CustodyId::from_bytes(*d.as_bytes())),
            },
            EntryKind::RECORDING_MARK => Self::RecordingMark { frames: f.uint(0)?, root: f.root(1)? },
            EntryKind::TAPE_TRUNCATED => {
                Self::TapeTruncated { frames: f.uint(0)?, marked: f.uint(1)?, unread_bytes: f.uint(2)? }
            }
            EntryKind::LABELLED => Self::Labelled { labels: f.digest(0)? },
            EntryKind::AMENDED => Self::Amended { by: CustodyId::from_bytes(*f.digest(0)?.as_bytes()) },
            EntryKind::ACCESS_GRANTED => Self::AccessGranted,
            EntryKind::ACCESS_COMPLETED => Self::AccessCompleted { grant: f.uint(0)? },
            EntryKind::LISTED => {
                let (set, count, size) = (f.root(0)?, f.uint(1)?, f.uint(2)?);
                Self::Listed { set, count, size, list: set_list(&mut f, count)? }
            }
            EntryKind::SEARCHED => {
                let (set, count, size) = (f.root(0)?, f.uint(1)?, f.uint(2)?);
                let list = set_list(&mut f, count)?;
                if list.is_none() && count > PRIVATE_SET_MAX {
                    return Err(CborError::MissingKey);
                }
                Self::Searched { set, count, size, list }
            }
            EntryKind::METADATA_READ => Self::MetadataRead,
            EntryKind::LOG_READ => Self::LogRead { first: f.uint(0)?, last: f.uint(1)? },
            EntryKind::CUSTODY_READ => Self::CustodyRead { size: f.uint(0)? },
            EntryKind::EXPORTED => Self::Exported { commitment: f.digest(0)? },
            EntryKind::FOLLOWED => Self::Followed { first: f.uint(0)? },
            EntryKind::REPLAYED => Self::Replayed { how: f.uint(0)? },
            EntryKind::REFUSED => Self::Refused { act: f.u16(0)?, error: f.u16(1)? },
            critical if critical.is_critical() => Self::Critical(CriticalBody::read(kind, &mut f)?),
            EntryKind::SCRUBBED => Self::Scrubbed {
                part: f.uint(0)?,
                of: f.uint(1)?,
                objects: f.uint(2)?,
                bytes: f.uint(3)?,
                findings: f.uint(4)?,
                segments: f.uint(5)?,
                from_medium: f.bool(6)?,
            },
            people if people.is_about_people() => Self::People(PeopleBody::read(kind, &mut f)?),
            EntryKind::EVIDENCE_MADE | EntryKind::EVIDENCE_GIVEN => Self::Evidence(EvidenceBody::read(kind, &mut f)?),
            _ => Self::Anchor(AnchorBody::read(kind, &mut f)?),
        };
        f.end()?;
        Ok(body)
    }
}

/// A set that stands in the private half needs no object.
fn set_list(f: &mut Fields<'_>, count: u64) -> Result<Option<ObjectDigest>, CborError> {
    let list = f.optional_digest(3)?.map(|d| ObjectDigest::from_bytes(*d.as_bytes()));
    if list.is_some() && !(PRIVATE_SET_MAX < count && count <= SET_LIST_MAX) {
        return Err(CborError::Range);
    }
    Ok(list)
}

fn pairs(w: &mut Writer, first_key: u64, values: &[u64]) {
    for (key, value) in (first_key..).zip(values) {
        w.uint(key);
        w.uint(*value);
    }
}

fn uints(w: &mut Writer, values: &[u64]) {
    w.map(values.len());
    pairs(w, 0, values);
}

fn mixed(w: &mut Writer, numbers: &[u64], digests: &[&[u8]]) {
    w.map(numbers.len().saturating_add(digests.len()));
    pairs(w, 0, numbers);
    for (key, d) in (numbers.len() as u64..).zip(digests) {
        w.uint(key);
        w.bytes(d);
    }
}

fn bytes(w: &mut Writer, values: &[&[u8]]) {
    w.map(values.len());
    for (key, v) in (0u64..).zip(values) {
        w.uint(key);
        w.bytes(v);
    }
}

/// Shows a body for people: typed where it is known, diagnostic notation where not.
impl std::fmt::Display for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Genesis(g) => write!(f, "origin {} profile {}", g.origin, g.profile),
            Self::LogStarted { term } | Self::LogUncleanStop { term } => write!(f, "term {term}"),
            Self::LogStopped { term, .. } => write!(f, "term {term}"),
            Self::Recovered { segment, offset, bytes, .. } => {
                write!(f, "segment {segment}: {bytes} torn bytes left aside at {offset}")
            }
            Self::RowsRebuilt { entries, .. } => write!(f, "{entries} entries"),
            Self::HeadFileRebuilt { size, .. } => write!(f, "accepted at size {size}"),
            Self::IntegrityFailed { what, at, .. } => write!(f, "{} at {at}", what_word(*what)),
            Self::IntegrityRepaired { what, entries, .. } => write!(f, "{} ({entries} entries)", what_word(*what)),
            Self::Verified { entries, objects, findings, .. } => {
                write!(f, "{entries} entries, {objects} objects, {findings} findings")
            }
            Self::ClockAnomaly { behind_ms } => write!(f, "clock {behind_ms} ms behind the last entry"),
            Self::AccessCompleted { grant } => write!(f, "completes #{grant}"),
            Self::Listed { count, .. } | Self::Searched { count, .. } => write!(f, "{count} tapes"),
            Self::LogRead { first, last } => write!(f, "#{first}..#{last}"),
            Self::RecordingMark { frames, .. } => write!(f, "{frames} frames so far"),
            Self::TapeTruncated { frames, .. } => write!(f, "cut off after {frames} frames"),
            Self::Followed { first } => write!(f, "from frame {first}"),
            Self::Refused { act, error } => {
                let code = crate::error::Code::ALL.iter().find(|c| c.number() == *error);
                write!(f, "{}: {}", EntryKind::from_number(*act), code.map_or("unknown error", |c| c.as_str()))
            }
            Self::Anchor(anchor) => anchor.fmt(f),
            Self::Critical(critical) => critical.fmt(f),
            Self::Evidence(evidence) => evidence.fmt(f),
            Self::People(people) => people.fmt(f),
            Self::Scrubbed { part, of, objects, findings, .. } => {
                write!(f, "part {part} of {of}: {objects} objects, {findings} findings")
            }
            Self::Other(raw) => write!(f, "{} bytes", raw.len()),
            _ => Ok(()),
        }
    }
}

/// The word for what an integrity entry is about.
fn what_word(what: u64) -> &'static str {
    match what {
        0 => "journal",
        1 => "object",
        2 => "rows",
        3 => "head file",
        4 => "vault",
        5 => "keys",
        6 => "spool",
        7 => "anchors",
        8 => "key given up",
        _ => "a part that this program does not know",
    }
}

/// An empty map, for kinds without facts.
#[must_use]
pub fn empty() -> Vec<u8> {
    encode(|w| w.map(0))
}

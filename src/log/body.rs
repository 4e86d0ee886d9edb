//! Bodies of the kinds this program writes: exactly the keys of their row, nothing else.

use super::EntryKind;
use crate::codec::CborError;
use crate::codec::cbor::{Key, Reader, Writer, encode};
use crate::codec::digest::{CustodyId, Digest, RootHash, Thumbprint};

/// What the keys of a genesis say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// Origin of the log.
    pub origin: String,
    /// Checkpoint, recorder and issuer public keys.
    pub keys: [[u8; 32]; 3],
    /// Thumbprints of the keys that may follow them.
    pub next: [Thumbprint; 3],
    /// Profile.
    pub profile: String,
    /// Access policy.
    pub policy: String,
    /// Made from a seed: for tests alone.
    pub test: bool,
    /// The log this one continues: origin, last note, first and last lost index.
    pub predecessor: Option<(String, Vec<u8>, u64, Option<u64>)>,
}

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
        old: Digest,
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
    },
    Searched {
        set: RootHash,
        count: u64,
        size: u64,
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
        digest: Digest,
    },
    Refused {
        act: u16,
        error: u16,
    },
    /// A kind this program does not write; its body is a checked map.
    Other(Vec<u8>),
}

/// One value of a body while it is read.
enum Value<'a> {
    Uint(u64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Bool(bool),
    Raw(&'a [u8]),
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
            Self::Refused { .. } => EntryKind::REFUSED,
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
                w.map(5);
                pairs(&mut w, 0, &[*what, *from]);
                w.uint(2);
                w.bytes(old.as_ref());
                w.uint(3);
                w.bytes(new.as_ref());
                pairs(&mut w, 4, &[*entries]);
            }
            Self::Verified { scope, verdict, entries, objects, findings } => {
                uints(&mut w, &[*scope, *verdict, *entries, *objects, *findings]);
            }
            Self::ClockAnomaly { behind_ms: n }
            | Self::AccessCompleted { grant: n }
            | Self::CustodyRead { size: n } => {
                uints(&mut w, &[*n]);
            }
            Self::TapeSaved { statement, epoch } => bytes(&mut w, &[statement, epoch]),
            Self::TapeSavedAgain | Self::AccessGranted | Self::MetadataRead => w.map(0),
            Self::Labelled { labels: d } | Self::Exported { digest: d } => bytes(&mut w, &[d.as_ref()]),
            Self::Amended { by } => bytes(&mut w, &[by.as_ref()]),
            Self::Listed { set, count, size } | Self::Searched { set, count, size } => {
                w.map(3);
                w.uint(0);
                w.bytes(set.as_ref());
                pairs(&mut w, 1, &[*count, *size]);
            }
            Self::Refused { act, error } => uints(&mut w, &[u64::from(*act), u64::from(*error)]),
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
            EntryKind::ROWS_REBUILT => Self::RowsRebuilt { reason: f.up_to(0, 3)?, entries: f.uint(1)? },
            EntryKind::HEAD_FILE_REBUILT => Self::HeadFileRebuilt { reason: f.up_to(0, 1)?, size: f.uint(1)? },
            EntryKind::INTEGRITY_FAILED => {
                Self::IntegrityFailed { what: f.up_to(0, 5)?, at: f.uint(1)?, digest: f.optional_digest(2)? }
            }
            EntryKind::INTEGRITY_REPAIRED => Self::IntegrityRepaired {
                what: f.up_to(0, 5)?,
                from: f.up_to(1, 4)?,
                old: f.digest(2)?,
                new: f.digest(3)?,
                entries: f.uint(4)?,
            },
            EntryKind::VERIFIED => Self::Verified {
                scope: f.up_to(0, 1)?,
                verdict: f.up_to(1, 3)?,
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
            EntryKind::LABELLED => Self::Labelled { labels: f.digest(0)? },
            EntryKind::AMENDED => Self::Amended { by: CustodyId::from_bytes(*f.digest(0)?.as_bytes()) },
            EntryKind::ACCESS_GRANTED => Self::AccessGranted,
            EntryKind::ACCESS_COMPLETED => Self::AccessCompleted { grant: f.uint(0)? },
            EntryKind::LISTED => Self::Listed { set: f.root(0)?, count: f.uint(1)?, size: f.uint(2)? },
            EntryKind::SEARCHED => Self::Searched { set: f.root(0)?, count: f.uint(1)?, size: f.uint(2)? },
            EntryKind::METADATA_READ => Self::MetadataRead,
            EntryKind::LOG_READ => Self::LogRead { first: f.uint(0)?, last: f.uint(1)? },
            EntryKind::CUSTODY_READ => Self::CustodyRead { size: f.uint(0)? },
            EntryKind::EXPORTED => Self::Exported { digest: f.digest(0)? },
            EntryKind::REFUSED => Self::Refused { act: f.u16(0)?, error: f.u16(1)? },
            _ => return Err(CborError::UnknownKey),
        };
        f.end()?;
        Ok(body)
    }
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

fn write_genesis(w: &mut Writer, g: &Genesis) {
    w.map(if g.predecessor.is_some() { 10 } else { 9 });
    pairs(w, 0, &[1]);
    w.uint(1);
    w.text(&g.origin);
    for (key, k) in (2u64..).zip(&g.keys) {
        w.uint(key);
        w.bytes(k);
    }
    w.uint(5);
    w.array(3);
    g.next.iter().for_each(|t| w.bytes(t.as_ref()));
    w.uint(6);
    w.text(&g.profile);
    w.uint(7);
    w.text(&g.policy);
    w.uint(8);
    w.bool(g.test);
    if let Some((origin, note, first, last)) = &g.predecessor {
        w.uint(9);
        w.array(4);
        w.text(origin);
        w.bytes(note);
        w.uint(*first);
        w.nullable(*last, Writer::uint);
    }
}

fn read_genesis(mut f: Fields<'_>) -> Result<Genesis, CborError> {
    if f.uint(0)? != 1 {
        return Err(CborError::Range);
    }
    let genesis = Genesis {
        origin: f.text(1)?.to_owned(),
        keys: [*f.digest(2)?.as_bytes(), *f.digest(3)?.as_bytes(), *f.digest(4)?.as_bytes()],
        next: {
            let mut r = Reader::new(f.raw(5)?);
            r.array_of(3)?;
            let mut thumb = || r.bytes_n().map(Thumbprint::from_bytes);
            [thumb()?, thumb()?, thumb()?]
        },
        profile: f.text(6)?.to_owned(),
        policy: f.text(7)?.to_owned(),
        test: f.bool(8)?,
        predecessor: f.optional_raw(9)?.map(read_predecessor).transpose()?,
    };
    f.end()?;
    Ok(genesis)
}

fn read_predecessor(raw: &[u8]) -> Result<(String, Vec<u8>, u64, Option<u64>), CborError> {
    let mut r = Reader::new(raw);
    r.array_of(4)?;
    let (origin, note, first) = (r.text()?.to_owned(), r.bytes()?.to_vec(), r.uint()?);
    Ok((origin, note, first, if r.null_if_next() { None } else { Some(r.uint()?) }))
}

/// The values of a body by key, taken out one by one so that what is left over shows.
struct Fields<'a> {
    values: [Option<Value<'a>>; 10],
}

impl<'a> Fields<'a> {
    fn read(body: &'a [u8]) -> Result<Self, CborError> {
        let mut values: [Option<Value<'a>>; 10] = Default::default();
        let mut r = Reader::new(body);
        r.map(|key, v| {
            let Key::Int(key) = key else { return Err(CborError::UnknownKey) };
            let place = usize::try_from(key).ok().and_then(|k| values.get_mut(k)).ok_or(CborError::UnknownKey)?;
            *place = Some(Value::read(v)?);
            Ok(())
        })?;
        r.end()?;
        Ok(Self { values })
    }

    fn take(&mut self, key: usize) -> Result<Value<'a>, CborError> {
        self.values.get_mut(key).and_then(Option::take).ok_or(CborError::MissingKey)
    }

    fn uint(&mut self, key: usize) -> Result<u64, CborError> {
        match self.take(key)? {
            Value::Uint(v) => Ok(v),
            _ => Err(CborError::Type),
        }
    }

    fn up_to(&mut self, key: usize, max: u64) -> Result<u64, CborError> {
        let v = self.uint(key)?;
        if v > max { Err(CborError::Range) } else { Ok(v) }
    }

    fn u16(&mut self, key: usize) -> Result<u16, CborError> {
        u16::try_from(self.uint(key)?).map_err(|_| CborError::Range)
    }

    fn bytes(&mut self, key: usize) -> Result<&'a [u8], CborError> {
        match self.take(key)? {
            Value::Bytes(v) => Ok(v),
            _ => Err(CborError::Type),
        }
    }

    fn digest(&mut self, key: usize) -> Result<Digest, CborError> {
        Digest::from_slice(self.bytes(key)?).ok_or(CborError::Length)
    }

    fn optional_digest(&mut self, key: usize) -> Result<Option<Digest>, CborError> {
        if self.values.get(key).is_some_and(Option::is_some) { self.digest(key).map(Some) } else { Ok(None) }
    }

    fn root(&mut self, key: usize) -> Result<RootHash, CborError> {
        self.digest(key).map(|d| RootHash::from_bytes(*d.as_bytes()))
    }

    fn text(&mut self, key: usize) -> Result<&'a str, CborError> {
        match self.take(key)? {
            Value::Text(v) => Ok(v),
            _ => Err(CborError::Type),
        }
    }

    fn bool(&mut self, key: usize) -> Result<bool, CborError> {
        match self.take(key)? {
            Value::Bool(v) => Ok(v),
            _ => Err(CborError::Type),
        }
    }

    fn raw(&mut self, key: usize) -> Result<&'a [u8], CborError> {
        match self.take(key)? {
            Value::Raw(v) => Ok(v),
            _ => Err(CborError::Type),
        }
    }

    fn optional_raw(&mut self, key: usize) -> Result<Option<&'a [u8]>, CborError> {
        if self.values.get(key).is_some_and(Option::is_some) { self.raw(key).map(Some) } else { Ok(None) }
    }

    fn end(&self) -> Result<(), CborError> {
        if self.values.iter().all(Option::is_none) { Ok(()) } else { Err(CborError::UnknownKey) }
    }
}

impl<'a> Value<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, CborError> {
        let item = r.any()?;
        let mut r = Reader::new(item);
        Ok(match item.first().map(|b| b >> 5) {
            Some(0) => Self::Uint(r.uint()?),
            Some(2) => Self::Bytes(r.bytes()?),
            Some(3) => Self::Text(r.text()?),
            Some(7) => r.bool().map_or(Self::Raw(item), Self::Bool),
            _ => Self::Raw(item),
        })
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
            Self::Refused { act, error } => {
                let code = crate::error::Code::ALL.iter().find(|c| c.number() == *error);
                write!(f, "{}: {}", EntryKind::from_number(*act), code.map_or("unknown error", |c| c.as_str()))
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
        _ => "keys",
    }
}

/// An empty map, for kinds without facts.
#[must_use]
pub fn empty() -> Vec<u8> {
    encode(|w| w.map(0))
}

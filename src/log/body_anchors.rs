//! Bodies about what others hold of this log, and what was given out over it (`docs/format/4-commit.md` 4.3, kinds 128 to 133).

use super::EntryKind;
use super::body_fields::Fields;
use crate::codec::CborError;
use crate::codec::cbor::{Reader, Writer};
use crate::codec::digest::{Digest, RootHash};
use crate::codec::limits::{ANCHOR_KEYS_MAX, NOTE_BYTES_MAX};

/// A body of the kinds 128 to 133 that are written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields and meanings stand in docs/format/4-commit 4.3")]
#[non_exhaustive]
pub enum AnchorBody {
    Cosigned {
        /// Head with the log's signature and the cosignatures that hold.
        note: Vec<u8>,
        /// Verifier key of each cosignature, in their order.
        keys: Vec<String>,
        quorum: bool,
    },
    Timestamped {
        /// Head with the log's signature alone: the bytes that the token is over.
        note: Vec<u8>,
        /// DER of the time-stamp token.
        token: Vec<u8>,
        time_ms: u64,
    },
    Published {
        size: u64,
        root: RootHash,
        form: u64,
    },
    ReceiptIssued {
        form: u64,
        size: u64,
        index: u64,
        file: Digest,
    },
    ForkFound {
        what: u64,
        /// What others hold, signed by this log.
        note: Vec<u8>,
        size: u64,
        root: RootHash,
    },
}

impl AnchorBody {
    /// The kind that has this body.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        match self {
            Self::Cosigned { .. } => EntryKind::ANCHOR_COSIGNED,
            Self::Timestamped { .. } => EntryKind::ANCHOR_TIMESTAMPED,
            Self::Published { .. } => EntryKind::PUBLISHED,
            Self::ReceiptIssued { .. } => EntryKind::RECEIPT_ISSUED,
            Self::ForkFound { .. } => EntryKind::FORK_FOUND,
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        match self {
            Self::Cosigned { note, keys, quorum } => {
                w.map(3);
                w.uint(0);
                w.bytes(note);
                w.uint(1);
                w.array(keys.len());
                keys.iter().for_each(|key| w.text(key));
                w.uint(2);
                w.bool(*quorum);
            }
            Self::Timestamped { note, token, time_ms } => {
                w.map(3);
                w.uint(0);
                w.bytes(note);
                w.uint(1);
                w.bytes(token);
                w.uint(2);
                w.uint(*time_ms);
            }
            Self::Published { size, root, form } => {
                w.map(3);
                w.uint(0);
                w.uint(*size);
                w.uint(1);
                w.bytes(root.as_ref());
                w.uint(2);
                w.uint(*form);
            }
            Self::ReceiptIssued { form, size, index, file } => {
                w.map(4);
                for (key, value) in (0u64..).zip([form, size, index]) {
                    w.uint(key);
                    w.uint(*value);
                }
                w.uint(3);
                w.bytes(file.as_ref());
            }
            Self::ForkFound { what, note, size, root } => {
                w.map(4);
                w.uint(0);
                w.uint(*what);
                w.uint(1);
                w.bytes(note);
                w.uint(2);
                w.uint(*size);
                w.uint(3);
                w.bytes(root.as_ref());
            }
        }
    }

    /// Of the kinds named above; the caller looks that nothing is left over.
    pub(super) fn read(kind: EntryKind, f: &mut Fields<'_>) -> Result<Self, CborError> {
        Ok(match kind {
            EntryKind::ANCHOR_COSIGNED => {
                Self::Cosigned { note: note(f, 0)?, keys: keys(f.raw(1)?)?, quorum: f.bool(2)? }
            }
            EntryKind::ANCHOR_TIMESTAMPED => {
                Self::Timestamped { note: note(f, 0)?, token: f.bytes(1)?.to_vec(), time_ms: f.uint(2)? }
            }
            EntryKind::PUBLISHED => Self::Published { size: f.uint(0)?, root: f.root(1)?, form: f.uint(2)? },
            EntryKind::RECEIPT_ISSUED => {
                Self::ReceiptIssued { form: f.uint(0)?, size: f.uint(1)?, index: f.uint(2)?, file: f.digest(3)? }
            }
            EntryKind::FORK_FOUND => {
                Self::ForkFound { what: f.uint(0)?, note: note(f, 1)?, size: f.uint(2)?, root: f.root(3)? }
            }
            _ => return Err(CborError::UnknownKey),
        })
    }
}

fn note(f: &mut Fields<'_>, key: usize) -> Result<Vec<u8>, CborError> {
    let note = f.bytes(key)?;
    if note.len() > NOTE_BYTES_MAX { Err(CborError::Range) } else { Ok(note.to_vec()) }
}

fn keys(raw: &[u8]) -> Result<Vec<String>, CborError> {
    let mut r = Reader::new(raw);
    let count = r.array()?;
    if !(1..=ANCHOR_KEYS_MAX).contains(&count) {
        return Err(CborError::Range);
    }
    let keys = (0..count).map(|_| r.text().map(str::to_owned)).collect::<Result<_, _>>()?;
    r.end()?;
    Ok(keys)
}

/// Facts for people; the words come out of numbers alone, since notes and keys are other people's text.
impl std::fmt::Display for AnchorBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cosigned { keys, quorum, .. } => {
                let quorum = if *quorum { "quorum met" } else { "quorum not met" };
                write!(f, "{} cosignatures, {quorum}", keys.len())
            }
            Self::Timestamped { time_ms, .. } => {
                write!(f, "by {}", crate::time::Timestamp::from_ms(*time_ms).to_text())
            }
            Self::Published { size, form, .. } => {
                let entries = if *form == 1 { " with public halves" } else { "" };
                write!(f, "{size} entries{entries}")
            }
            Self::ReceiptIssued { form, size, index, .. } => match form {
                0 => write!(f, "proof of #{index} in {size} entries"),
                1 => write!(f, "receipt of #{index} in {size} entries"),
                2 => write!(f, "proof that {size} entries extend {index}"),
                _ => write!(f, "a form that this program does not know"),
            },
            Self::ForkFound { what, size, .. } => {
                let what = if *what == 0 { "others held more than" } else { "others held something else than" };
                write!(f, "{what} our {size} entries")
            }
        }
    }
}

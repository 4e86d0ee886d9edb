//! Bodies of the critical kinds 32768 to 32770 (`docs/format/4-commit.md` 4.3 and 4.5): what changes by which keys a log is read on.

use super::EntryKind;
use super::body_fields::Fields;
use super::key_history::KeyRole;
use crate::codec::CborError;
use crate::codec::cbor::Writer;
use crate::codec::digest::Thumbprint;
use crate::codec::limits::NOTE_BYTES_MAX;

/// A body of a critical kind that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "fields and meanings stand in docs/format/4-commit 4.3")]
#[non_exhaustive]
pub enum CriticalBody {
    /// Of a successor: the statement that joins it to the log before it.
    Succession { note: Vec<u8> },
    Rotated {
        role: KeyRole,
        key: [u8; 32],
        /// Thumbprint of the key that may follow this one.
        next: Thumbprint,
        /// By the new key, over [`super::key_history::rotation_text`].
        proof: [u8; 64],
    },
    Revoked {
        role: KeyRole,
        thumbprint: Thumbprint,
        /// From this index on nothing counts that the key signed.
        from: u64,
        reason: u64,
    },
}

impl CriticalBody {
    /// The kind that has this body.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        match self {
            Self::Succession { .. } => EntryKind::SUCCESSION,
            Self::Rotated { .. } => EntryKind::KEY_ROTATED,
            Self::Revoked { .. } => EntryKind::KEY_REVOKED,
        }
    }

    pub(super) fn write(&self, w: &mut Writer) {
        match self {
            Self::Succession { note } => {
                w.map(1);
                w.uint(0);
                w.bytes(note);
            }
            Self::Rotated { role, key, next, proof } => {
                w.map(4);
                w.uint(0);
                w.uint(role.number());
                w.uint(1);
                w.bytes(key);
                w.uint(2);
                w.bytes(next.as_ref());
                w.uint(3);
                w.bytes(proof);
            }
            Self::Revoked { role, thumbprint, from, reason } => {
                w.map(4);
                w.uint(0);
                w.uint(role.number());
                w.uint(1);
                w.bytes(thumbprint.as_ref());
                w.uint(2);
                w.uint(*from);
                w.uint(3);
                w.uint(*reason);
            }
        }
    }

    /// Of the kinds named above; the caller looks that nothing is left over.
    pub(super) fn read(kind: EntryKind, f: &mut Fields<'_>) -> Result<Self, CborError> {
        Ok(match kind {
            EntryKind::SUCCESSION => {
                let note = f.bytes(0)?;
                if note.len() > NOTE_BYTES_MAX {
                    return Err(CborError::Range);
                }
                Self::Succession { note: note.to_vec() }
            }
            EntryKind::KEY_ROTATED => Self::Rotated {
                role: role(f)?,
                key: *f.digest(1)?.as_bytes(),
                next: thumbprint(f, 2)?,
                proof: f.bytes(3)?.try_into().map_err(|_| CborError::Length)?,
            },
            EntryKind::KEY_REVOKED => {
                Self::Revoked { role: role(f)?, thumbprint: thumbprint(f, 1)?, from: f.uint(2)?, reason: f.uint(3)? }
            }
            _ => return Err(CborError::UnknownKey),
        })
    }
}

fn role(f: &mut Fields<'_>) -> Result<KeyRole, CborError> {
    KeyRole::from_number(f.uint(0)?).ok_or(CborError::Range)
}

fn thumbprint(f: &mut Fields<'_>, key: usize) -> Result<Thumbprint, CborError> {
    f.digest(key).map(|d| Thumbprint::from_bytes(*d.as_bytes()))
}

/// Facts for people.
impl std::fmt::Display for CriticalBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Succession { .. } => f.write_str("joins this log to the one before it"),
            Self::Rotated { role, key, .. } => {
                let thumbprint = crate::seal::thumbprint(key).to_hex();
                write!(f, "{role} key is now {}", thumbprint.get(..16).unwrap_or_default())
            }
            Self::Revoked { role, thumbprint, from, .. } => {
                let thumbprint = thumbprint.to_hex();
                write!(f, "{role} key {} counts no more from #{from} on", thumbprint.get(..16).unwrap_or_default())
            }
        }
    }
}

//! Why entries, the chain, a note or a head do not hold.

use crate::codec::CborError;
use crate::codec::extent::ExtentError;
use crate::error::{Code, Error};
use crate::seal::SealError;

/// A fault of the log.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum LogError {
    /// The bytes are not CBOR of the profile, or of another shape.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The framing of a group.
    #[error(transparent)]
    Extent(#[from] ExtentError),
    /// A sealed private half or a signature.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// An entry longer than its limit.
    #[error("an entry is {0} bytes; the limit is 65535")]
    TooLong(u64),
    /// First byte 0xd2: reserved for bare statements.
    #[error("an entry in the reserved form of a bare statement")]
    ReservedForm,
    /// Another index than the next.
    #[error("entry {found} stands where entry {expected} belongs")]
    Index {
        /// Index expected.
        expected: u64,
        /// Index found.
        found: u64,
    },
    /// The previous leaf hash is not that of the entry before.
    #[error("entry {0} does not follow the entry before it")]
    Previous(u64),
    /// Time goes back.
    #[error("entry {0} is earlier than the entry before it")]
    Time(u64),
    /// Wrong number or hash of the previous entry about the same subject.
    #[error("entry {0} does not follow the last entry about its subject")]
    Subject(u64),
    /// A kind of the ledger's own about a tape, or a tape's kind about the ledger.
    #[error("entry {index} is of kind {kind}, which is never about such a subject")]
    About {
        /// Index of the entry.
        index: u64,
        /// Number of its kind.
        kind: u16,
    },
    /// Entry 0 is no genesis, or a genesis stands elsewhere.
    #[error("entry {0}: a genesis belongs at 0 and nowhere else")]
    Genesis(u64),
    /// The sealed half has another digest than the entry names.
    #[error("the sealed half of entry {0} is not the one it names")]
    SealedDigest(u64),
    /// The tree root after a group differs.
    #[error("the tree root at size {0} differs")]
    Root(u64),
    /// A group that does not follow the one before it.
    #[error("the group at entry {0} does not follow the group before it")]
    Group(u64),
    /// The body lacks a key, has a wrong one, or a value out of its table.
    #[error("the body of entry {index} is not that of kind {kind}: {fault}")]
    Body {
        /// Index of the entry.
        index: u64,
        /// Its kind.
        kind: u16,
        /// What is wrong.
        fault: CborError,
    },
    /// The text is not a signed note (C2SP signed-note).
    #[error("not a signed note: {0}")]
    Note(&'static str),
    /// The text of a note is not a checkpoint (C2SP tlog-checkpoint).
    #[error("not a checkpoint: {0}")]
    Checkpoint(&'static str),
    /// The text of a note is not that of a head file.
    #[error("not a head file: {0}")]
    Head(&'static str),
    /// No signature by the known key.
    #[error("the note is not signed by the key expected")]
    Unsigned,
    /// A signature under a known key's name does not hold.
    #[error("a signature on the note does not hold")]
    BadSignature,
    /// An entry that changes keys against the rules of `docs/format/4-commit.md` 4.5.
    #[error("entry {index} changes a key: {fault}")]
    Key {
        /// Index of the entry.
        index: u64,
        /// What is wrong.
        fault: &'static str,
    },
    /// The key that signs such a head was revoked before that.
    #[error("the key that signed it was revoked from entry {from} on")]
    Revoked {
        /// The first entry from which on nothing counts that it signed.
        from: u64,
        /// Index of the entry that says so.
        at: u64,
    },
    /// The text of a note is no statement of succession.
    #[error("not a statement of succession: {0}")]
    Succession(&'static str),
    /// A proof does not lead from the leaf to the root.
    #[error("the proof does not hold")]
    Proof,
}

impl From<LogError> for Error {
    fn from(e: LogError) -> Self {
        let code = match &e {
            LogError::Extent(ExtentError::NewerFormat) => Code::NewerFormat,
            LogError::TooLong(_) => Code::Limit,
            LogError::Head(_)
            | LogError::Unsigned
            | LogError::BadSignature
            | LogError::Note(_)
            | LogError::Revoked { .. } => Code::HeadInvalid,
            _ => Code::LogDamaged,
        };
        Self::new(code, e.to_string()).with_source(e)
    }
}

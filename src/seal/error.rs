//! Why sealed bytes do not open or a statement does not hold.

use crate::codec::CborError;
use crate::codec::random::RandomUnavailable;
use crate::error::{Code, Error};
use crate::tape::TapeError;

/// A fault of sealed bytes, a manifest, a wrapped key or a statement.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum SealError {
    /// The bytes are not CBOR of the profile, or of another shape.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// What was inside is not a frame or a header.
    #[error(transparent)]
    Tape(#[from] TapeError),
    /// Shorter than the shortest sealed form.
    #[error("the sealed bytes are cut off")]
    Truncated,
    /// The key commitment in front differs: another key, or altered bytes.
    #[error("the key commitment differs: the bytes were altered or sealed under another key")]
    KeyCommitment,
    /// Authentication failed: altered bytes, another key, another place.
    #[error("authentication failed: the bytes were altered, moved, or sealed under another key")]
    Authentication,
    /// Lengths or padding of the plaintext are wrong.
    #[error("the padding or a length inside the sealed bytes is wrong")]
    Padding,
    /// A compression codec that the table does not list.
    #[error("compression codec {0} is not known")]
    Codec(u8),
    /// Decompression failed or gave another length than declared.
    #[error("decompression failed or gave another length than declared")]
    Decompress,
    /// Compression failed.
    #[error("compression failed")]
    Compress,
    /// A length beyond its limit.
    #[error("{what} is {found} bytes; the limit is {max}")]
    Limit {
        /// What was measured.
        what: &'static str,
        /// How long it is.
        found: u64,
        /// How long it may be.
        max: u64,
    },
    /// An algorithm, content type or hash that the statement's table does not list.
    #[error("the statement's {0} is not the one the format names")]
    Header(&'static str),
    /// A public key that is no valid or a weak point.
    #[error("the public key is not a usable Ed25519 key")]
    PublicKey,
    /// The signature does not hold under strict verification.
    #[error("the signature does not hold")]
    Signature,
    /// The statement names another key than the one given.
    #[error("the statement was signed with another key than the one expected")]
    WrongKey,
    /// The commitment to the private half differs from its opened fields.
    #[error("the opened private half does not match its commitment")]
    Commitment,
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl From<SealError> for Error {
    fn from(e: SealError) -> Self {
        let code = match &e {
            SealError::Limit { .. } => Code::Limit,
            SealError::Random(_) => Code::NoRandom,
            SealError::Compress => Code::Internal,
            SealError::PublicKey => Code::KeyMalformed,
            SealError::Tape(TapeError::NewerFormat(_)) => Code::NewerFormat,
            SealError::Tape(TapeError::Limit { .. }) => Code::Limit,
            _ => Code::TapeDamaged,
        };
        Self::new(code, e.to_string()).with_source(e)
    }
}

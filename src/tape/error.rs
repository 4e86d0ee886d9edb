//! Why bytes are not a frame, a header or a tape root.

use crate::codec::CborError;
use crate::error::{Code, Error};

/// A fault of a frame, a header or a tape root file.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum TapeError {
    /// The bytes are not CBOR of the profile, or of another shape.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A format number that this program does not know.
    #[error("the tape was written in format {0}; this program knows format 1")]
    NewerFormat(u64),
    /// A value that its table does not list.
    #[error("{field} has the value {value}, which its table does not list")]
    Value {
        /// Name of the field.
        field: &'static str,
        /// The value found.
        value: u64,
    },
    /// Something longer or more numerous than its limit.
    #[error("{what} is {found}; the limit is {max}")]
    Limit {
        /// What was measured.
        what: &'static str,
        /// How large it is.
        found: u64,
        /// How large it may be.
        max: u64,
    },
    /// Frame sequence numbers are not 0, 1, 2, ...
    #[error("frame {found} stands where frame {expected} belongs")]
    Sequence {
        /// Number expected.
        expected: u64,
        /// Number found.
        found: u64,
    },
}

impl From<TapeError> for Error {
    fn from(e: TapeError) -> Self {
        let code = match &e {
            TapeError::NewerFormat(_) => Code::NewerFormat,
            TapeError::Limit { .. } => Code::Limit,
            _ => Code::TapeDamaged,
        };
        Self::new(code, format!("the tape cannot be read: {e}")).with_source(e)
    }
}

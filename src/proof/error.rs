//! Why something from outside does not hold.

use crate::codec::CborError;
use crate::error::{Code, Error};
use crate::log::LogError;
use crate::seal::SealError;

/// A fault of a proof, a policy, a receipt or a cosignature.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum ProofError {
    /// A note, a checkpoint, a signature on it, or a path in the tree.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A signature of a receipt, or a key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The bytes of a receipt.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The text is no proof (C2SP tlog-proof).
    #[error("not a proof: {0}")]
    Text(&'static str),
    /// A line of a policy file (C2SP tlog-policy).
    #[error("line {line} of the policy: {fault}")]
    Policy {
        /// Line, from 1; 0 is the file as a whole.
        line: usize,
        /// What is wrong.
        fault: &'static str,
    },
    /// The body of a request to a witness, or of its answer (C2SP tlog-witness).
    #[error("not a request to a witness: {0}")]
    Request(&'static str),
    /// The header of a receipt.
    #[error("the receipt has another {0}")]
    Receipt(&'static str),
    /// The cosignatures are not those that the policy asks for.
    #[error("the head has too few cosignatures of the policy")]
    Quorum,
    /// Two heads that do not contradict each other.
    #[error("the two heads do not contradict each other")]
    NoFork,
}

impl From<ProofError> for Error {
    fn from(e: ProofError) -> Self {
        let code = match &e {
            ProofError::Policy { .. } => Code::Usage,
            _ => Code::ProofInvalid,
        };
        Self::new(code, e.to_string()).with_source(e)
    }
}

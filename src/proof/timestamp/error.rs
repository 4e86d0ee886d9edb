//! Why a time-stamp does not hold.

use crate::error::{Code, Error};

/// A fault of a time-stamp, of the answer around it, or of what it is checked against.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum TimestampError {
    /// The policy asked for is no object identifier in dotted form.
    #[error("the policy is no object identifier")]
    PolicyText,
    /// The file of trusted roots.
    #[error("trusted roots of time-stamps: {0}")]
    Anchors(&'static str),
    /// An answer or a token of more than 32 KiB.
    #[error("a time-stamp of more than 32768 bytes")]
    TooLong,
    /// The bytes are no DER, or not the shape that the named part has.
    #[error("not a time-stamp: its {0} has another form")]
    Form(&'static str),
    /// Something follows the time-stamp.
    #[error("bytes after the end of the time-stamp")]
    Trailing,
    /// The authority refused (`PKIStatus` of RFC 3161 2.4.2).
    #[error("the authority refused: status {status}, reason {reason:?}")]
    Rejected {
        /// `PKIStatus`, 2 or more.
        status: u32,
        /// Number of the first bit set in `PKIFailureInfo`.
        reason: Option<u32>,
    },
    /// The authority granted, and sent no token.
    #[error("the answer holds no token")]
    NoToken,
    /// Signed data, but of something else, or something else than signed data.
    #[error("not the signed data of a time-stamp")]
    Kind,
    /// RFC 3161 2.4.2: the signature of the authority alone.
    #[error("{0} signers instead of one")]
    Signers(usize),
    /// The signer's certificate is not in the token, or two answer to its name.
    #[error("the certificate of the signer is not in the token once")]
    Certificate,
    /// A hash, a kind of signature or a kind of key outside the list of section 5.6.
    #[error("the {0} uses an algorithm that is not accepted")]
    Algorithm(&'static str),
    /// A signed attribute is absent, twice there, or not what it has to be.
    #[error("signed attributes: {0}")]
    Attributes(&'static str),
    /// The signed certificate id (RFC 2634, RFC 5035) is absent, or one of another certificate.
    #[error("the signed attributes do not name the certificate of the signer")]
    SigningCertificate,
    /// The signed digest is that of other content.
    #[error("the signed digest is that of other content")]
    Digest,
    /// The signature does not hold.
    #[error("the signature of the time-stamp does not hold")]
    Signature,
    /// The certificate was not made for time-stamps alone (RFC 3161 2.3).
    #[error("the certificate of the signer: {0}")]
    Purpose(&'static str),
    /// The certificates lead to none of the trusted roots.
    #[error("the chain of certificates: {0}")]
    Chain(&'static str),
    /// A certificate of the chain was not valid at the time that the token tells.
    #[error("a certificate of the chain was not valid at the time of the time-stamp")]
    Expired,
    /// The token names an authority that is not in the signer's certificate.
    #[error("the time-stamp names another authority than its certificate")]
    AuthorityName,
    /// A critical extension of the time-stamp that nobody here knows.
    #[error("a critical extension of the time-stamp is unknown")]
    Extension,
    /// A time-stamp over other bytes.
    #[error("a time-stamp over other bytes")]
    Imprint,
    /// The answer to another request.
    #[error("the nonce is that of another request")]
    Nonce,
    /// A time-stamp under another policy than was asked for.
    #[error("a time-stamp under another policy")]
    Policy,
}

impl From<TimestampError> for Error {
    fn from(e: TimestampError) -> Self {
        let code = match &e {
            TimestampError::PolicyText | TimestampError::Anchors(_) => Code::Usage,
            _ => Code::ProofInvalid,
        };
        Self::new(code, e.to_string()).with_source(e)
    }
}

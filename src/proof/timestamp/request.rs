//! What is asked of an authority: `TimeStampReq` of RFC 3161 2.4.1.

use der::asn1::AnyRef;
use der::{Encode as _, Tag};

use super::TimestampError;
use super::oid::Oid;

/// `AlgorithmIdentifier` of SHA-256, with the `NULL` that older authorities look for.
const SHA256: [u8; 15] = [0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00];
/// `INTEGER 1`.
const VERSION: [u8; 3] = [0x02, 0x01, 0x01];
/// `BOOLEAN TRUE`: the token brings the certificates that it is checked with.
const WITH_CERTIFICATES: [u8; 3] = [0x01, 0x01, 0xff];

/// A request for one time-stamp. The same one is needed to check the answer.
///
/// ```
/// use immutape::proof::TimestampRequest;
/// let request = TimestampRequest::new([7; 32], [1, 2, 3, 4, 5, 6, 7, 8], Some("1.2.3.4.1"))?;
/// assert_eq!(request.to_der()[..2], [0x30, 73]);
/// # Ok::<(), immutape::proof::TimestampError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampRequest {
    imprint: [u8; 32],
    nonce: [u8; 8],
    policy: Option<Oid>,
    der: Vec<u8>,
}

impl TimestampRequest {
    /// `imprint` is the SHA-256 of a note with exactly the log's signature line; `nonce` are 8 random bytes, never used before;
    /// `policy` is an object identifier in dotted form, or none where any policy of the authority will do.
    ///
    /// # Errors
    /// [`TimestampError::PolicyText`] for text that is no object identifier, or one of more than 64 bytes.
    pub fn new(imprint: [u8; 32], nonce: [u8; 8], policy: Option<&str>) -> Result<Self, TimestampError> {
        let policy = policy.map(|text| Oid::from_text(text).ok_or(TimestampError::PolicyText)).transpose()?;
        // Nothing here is long enough to fail; an error would name the only part of variable length.
        let der = encode(&imprint, &nonce, policy.as_ref()).map_err(|_| TimestampError::PolicyText)?;
        Ok(Self { imprint, nonce, policy, der })
    }

    /// The bytes that an authority takes as `application/timestamp-query` (RFC 3161 3.4).
    #[must_use]
    pub fn to_der(&self) -> &[u8] {
        &self.der
    }

    /// The hash that is to be time-stamped.
    #[must_use]
    pub const fn imprint(&self) -> &[u8; 32] {
        &self.imprint
    }

    /// The nonce as it was given.
    pub(crate) const fn nonce_bytes(&self) -> &[u8; 8] {
        &self.nonce
    }

    /// The policy that is asked for, in dotted form.
    pub(crate) fn policy_text(&self) -> Option<String> {
        self.policy.as_ref().map(ToString::to_string)
    }

    pub(super) const fn policy(&self) -> Option<&Oid> {
        self.policy.as_ref()
    }

    /// The nonce as a number: big-endian without zeros in front.
    pub(super) fn nonce(&self) -> &[u8] {
        without_zeros(&self.nonce)
    }
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn encode(imprint: &[u8], nonce: &[u8], policy: Option<&Oid>) -> der::Result<Vec<u8>> {
    let sequence = |content: &[u8]| AnyRef::new(Tag::Sequence, content)?.to_der();
    let hashed = AnyRef::new(Tag::OctetString, imprint)?.to_der()?;
    let policy =
        policy.map(|oid| AnyRef::new(Tag::ObjectIdentifier, oid.value())?.to_der()).transpose()?.unwrap_or_default();
    // A zero in front keeps the number positive; the encoding of 0 is that zero alone.
    let digits = without_zeros(nonce);
    let sign: &[u8] = if digits.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    let nonce = AnyRef::new(Tag::Integer, &[sign, digits].concat())?.to_der()?;
    let imprint = sequence(&[&SHA256[..], &hashed].concat())?;
    sequence(&[&VERSION[..], &imprint, &policy, &nonce, &WITH_CERTIFICATES].concat())
}

//! A token: everything that must hold before its time is believed.

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::attributes::Attributes;
use super::info::Info;
use super::items::SET;
use super::names::verifiers;
use super::oid::Oid;
use super::signed::{Signed, Signer};
use super::{TimeAnchors, TimestampError};
use crate::codec::digest::sha256;
use crate::time::Timestamp;

/// Bytes of an answer or a token. Real ones have 1 to 8 KiB, most of it certificates.
const BYTES_MAX: usize = 32 << 10;

/// A token whose signature, chain and imprint hold. Only the checks of this module make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedToken {
    der: Vec<u8>,
    time: Timestamp,
    accuracy_ms: Option<u64>,
    serial: Vec<u8>,
    policy: Oid,
    certificate: [u8; 32],
}

impl CheckedToken {
    /// The token itself, DER, without the answer that it came in: what is kept.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The time told, cut down to whole milliseconds.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// How far off the time may be either way, in milliseconds, if the authority says.
    #[must_use]
    pub const fn accuracy_ms(&self) -> Option<u64> {
        self.accuracy_ms
    }

    /// The authority's number for the token: big-endian without zeros in front, at most 64 bytes.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The policy, as object identifier in dotted form.
    #[must_use]
    pub fn policy(&self) -> String {
        self.policy.to_string()
    }

    /// SHA-256 of the certificate that signed it.
    #[must_use]
    pub const fn certificate_sha256(&self) -> &[u8; 32] {
        &self.certificate
    }

    pub(super) const fn policy_id(&self) -> &Oid {
        &self.policy
    }
}

/// Checks a token that was kept: it is one of an authority under these roots, over this SHA-256.
///
/// The chain is looked at as it was at the time that the token tells: a certificate that ended since does not matter. Whether one
/// was revoked is not asked.
///
/// # Errors
/// Every [`TimestampError`] about a token.
pub fn check_token(der: &[u8], imprint: &[u8; 32], anchors: &TimeAnchors) -> Result<CheckedToken, TimestampError> {
    limited(der)?;
    check_and_read(der, imprint, anchors).map(|(checked, _)| checked)
}

pub(super) const fn limited(der: &[u8]) -> Result<(), TimestampError> {
    if der.len() > BYTES_MAX { Err(TimestampError::TooLong) } else { Ok(()) }
}

/// The token, and the nonce in it as a number.
pub(super) fn check_and_read<'a>(
    der: &'a [u8],
    imprint: &[u8; 32],
    anchors: &TimeAnchors,
) -> Result<(CheckedToken, Option<&'a [u8]>), TimestampError> {
    let mut signed = Signed::read(der)?;
    let signer = signed.take_signer()?;
    let attributes = Attributes::read(signed.signer.attributes)?;
    attributes.check_digest(signed.signer.hash, signed.content)?;
    attributes.check_certificate(&signer)?;
    signer.check_purpose()?;
    let certificate = CertificateDer::from_slice(signer.der);
    let end = EndEntityCert::try_from(&certificate).map_err(|_| TimestampError::Form("certificate"))?;
    check_signature(&end, &signed.signer)?;
    let info = Info::read(signed.content)?;
    anchors.check_chain(&end, &signed.certificates, info.time.as_ms() / 1000)?;
    if let Some(name) = info.authority
        && !signer.is_named(name)?
    {
        return Err(TimestampError::AuthorityName);
    }
    if info.imprint != imprint {
        return Err(TimestampError::Imprint);
    }
    let checked = CheckedToken {
        der: der.to_vec(),
        time: info.time,
        accuracy_ms: info.accuracy_ms,
        serial: info.serial.to_vec(),
        policy: info.policy,
        certificate: sha256(signer.der),
    };
    Ok((checked, info.nonce))
}

/// RFC 5652 5.4: the signature is over the attributes with the tag of a SET in place of `[0]`.
fn check_signature(certificate: &EndEntityCert<'_>, signer: &Signer<'_>) -> Result<(), TimestampError> {
    let message = [&[SET], signer.attributes.get(1..).unwrap_or_default()].concat();
    let mut fault = TimestampError::Algorithm("key of the signer");
    for kind in verifiers(signer.algorithm, signer.hash)? {
        match certificate.verify_signature(*kind, &message, signer.signature) {
            Ok(()) => return Ok(()),
            // A key of another kind or curve: the next may fit it.
            Err(webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
            Err(_) => fault = TimestampError::Signature,
        }
    }
    Err(fault)
}

//! Object identifiers, as the bytes of their DER values, and the algorithms behind them.

use rustls_pki_types::SignatureVerificationAlgorithm;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::TimestampError;

/// id-signedData: 1.2.840.113549.1.7.2 (RFC 5652 5.1).
pub(super) const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// id-ct-TSTInfo: 1.2.840.113549.1.9.16.1.4 (RFC 3161 2.4.2).
pub(super) const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
/// content-type: 1.2.840.113549.1.9.3 (RFC 5652 11.1).
pub(super) const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
/// message-digest: 1.2.840.113549.1.9.4 (RFC 5652 11.2).
pub(super) const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// signing-certificate: 1.2.840.113549.1.9.16.2.12 (RFC 2634 5.4), with SHA-1.
pub(super) const SIGNING_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c];
/// signing-certificate-v2: 1.2.840.113549.1.9.16.2.47 (RFC 5035 3).
pub(super) const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
/// id-kp-timeStamping: 1.3.6.1.5.5.7.3.8 (RFC 3161 2.3).
pub(super) const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
/// id-ce-subjectKeyIdentifier: 2.5.29.14.
pub(super) const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
/// id-ce-keyUsage: 2.5.29.15.
pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// id-ce-subjectAltName: 2.5.29.17.
pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// id-ce-extKeyUsage: 2.5.29.37.
pub(super) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];

/// rsaEncryption: 1.2.840.113549.1.1.1; the hash is that of the signer's digest algorithm.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// sha256WithRSAEncryption: 1.2.840.113549.1.1.11.
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
/// sha384WithRSAEncryption: 1.2.840.113549.1.1.12.
const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
/// sha512WithRSAEncryption: 1.2.840.113549.1.1.13.
const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];
/// ecdsa-with-SHA256: 1.2.840.10045.4.3.2.
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// ecdsa-with-SHA384: 1.2.840.10045.4.3.3.
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];

/// A kind of signature: several where the curve of the key decides.
pub(super) type Verifiers = &'static [&'static dyn SignatureVerificationAlgorithm];

/// What certificates of a chain may be signed with.
pub(super) static CHAIN: Verifiers = &[
    webpki::ring::RSA_PKCS1_2048_8192_SHA256,
    webpki::ring::RSA_PKCS1_2048_8192_SHA384,
    webpki::ring::RSA_PKCS1_2048_8192_SHA512,
    webpki::ring::ECDSA_P256_SHA256,
    webpki::ring::ECDSA_P256_SHA384,
    webpki::ring::ECDSA_P384_SHA256,
    webpki::ring::ECDSA_P384_SHA384,
];

/// A hash that may stand where the whole rests on it: not SHA-1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// From its identifier: 2.16.840.1.101.3.4.2.1 to 3 (RFC 5754 2).
    pub(super) fn from_oid(oid: &[u8], what: &'static str) -> Result<Self, TimestampError> {
        match oid {
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01] => Ok(Self::Sha256),
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02] => Ok(Self::Sha384),
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03] => Ok(Self::Sha512),
            _ => Err(TimestampError::Algorithm(what)),
        }
    }

    pub(super) fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

static RSA_256: Verifiers = &[webpki::ring::RSA_PKCS1_2048_8192_SHA256];
static RSA_384: Verifiers = &[webpki::ring::RSA_PKCS1_2048_8192_SHA384];
static RSA_512: Verifiers = &[webpki::ring::RSA_PKCS1_2048_8192_SHA512];
static ECDSA_256: Verifiers = &[webpki::ring::ECDSA_P256_SHA256, webpki::ring::ECDSA_P384_SHA256];
static ECDSA_384: Verifiers = &[webpki::ring::ECDSA_P256_SHA384, webpki::ring::ECDSA_P384_SHA384];

/// What verifies a signature of this kind, over this hash. An identifier that names a hash must name that of the signer.
pub(super) fn verifiers(oid: &[u8], hash: Hash) -> Result<Verifiers, TimestampError> {
    match (oid, hash) {
        (RSA | RSA_SHA256, Hash::Sha256) => Ok(RSA_256),
        (RSA | RSA_SHA384, Hash::Sha384) => Ok(RSA_384),
        (RSA | RSA_SHA512, Hash::Sha512) => Ok(RSA_512),
        (ECDSA_SHA256, Hash::Sha256) => Ok(ECDSA_256),
        (ECDSA_SHA384, Hash::Sha384) => Ok(ECDSA_384),
        _ => Err(TimestampError::Algorithm("signature")),
    }
}

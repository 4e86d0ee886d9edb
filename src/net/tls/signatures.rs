//! Signatures of certificates and of the handshake (RFC 8446 4.2.3): checked here, never made.

use ed25519_dalek::VerifyingKey;
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::pkcs1v15;
use rsa::pss;
use rsa::signature::Verifier as _;
use rsa::signature::hazmat::PrehashVerifier as _;
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// Bits of an RSA key: fewer are too weak, more only cost the time of whoever checks.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2_048..=4_096;

/// A way to sign: which key, which signature, and whether one holds.
#[derive(Debug)]
struct Way {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    holds: fn(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()>,
}

impl SignatureVerificationAlgorithm for Way {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        (self.holds)(key, message, signature).ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

static P256_SHA256: Way = Way {
    key: alg_id::ECDSA_P256,
    signature: alg_id::ECDSA_SHA256,
    holds: |key, message, signature| p256_holds(key, &Sha256::digest(message), signature),
};
static P256_SHA384: Way = Way {
    key: alg_id::ECDSA_P256,
    signature: alg_id::ECDSA_SHA384,
    holds: |key, message, signature| p256_holds(key, &Sha384::digest(message), signature),
};
static P384_SHA256: Way = Way {
    key: alg_id::ECDSA_P384,
    signature: alg_id::ECDSA_SHA256,
    holds: |key, message, signature| p384_holds(key, &Sha256::digest(message), signature),
};
static P384_SHA384: Way = Way {
    key: alg_id::ECDSA_P384,
    signature: alg_id::ECDSA_SHA384,
    holds: |key, message, signature| p384_holds(key, &Sha384::digest(message), signature),
};
static ED25519: Way = Way { key: alg_id::ED25519, signature: alg_id::ED25519, holds: ed25519_holds };

macro_rules! rsa_ways {
    ($($name:ident = $scheme:ident, $hash:ident, $id:ident;)*) => {
        $(static $name: Way = Way {
            key: alg_id::RSA_ENCRYPTION,
            signature: alg_id::$id,
            holds: |key, message, signature| {
                let signature = $scheme::Signature::try_from(signature).ok()?;
                $scheme::VerifyingKey::<$hash>::new(rsa_key(key)?).verify(message, &signature).ok()
            },
        };)*
    };
}

rsa_ways! {
    RSA_PKCS1_SHA256 = pkcs1v15, Sha256, RSA_PKCS1_SHA256;
    RSA_PKCS1_SHA384 = pkcs1v15, Sha384, RSA_PKCS1_SHA384;
    RSA_PKCS1_SHA512 = pkcs1v15, Sha512, RSA_PKCS1_SHA512;
    RSA_PSS_SHA256 = pss, Sha256, RSA_PSS_SHA256;
    RSA_PSS_SHA384 = pss, Sha384, RSA_PSS_SHA384;
    RSA_PSS_SHA512 = pss, Sha512, RSA_PSS_SHA512;
}

/// The ways of certificates, and those of the handshake. TLS 1.3 ties a curve to one hash there and knows no PKCS #1.
pub(super) static ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        &P256_SHA256,
        &P256_SHA384,
        &P384_SHA256,
        &P384_SHA384,
        &ED25519,
        &RSA_PKCS1_SHA256,
        &RSA_PKCS1_SHA384,
        &RSA_PKCS1_SHA512,
        &RSA_PSS_SHA256,
        &RSA_PSS_SHA384,
        &RSA_PSS_SHA512,
    ],
    mapping: &[
        (SignatureScheme::ED25519, &[&ED25519]),
        (SignatureScheme::ECDSA_NISTP256_SHA256, &[&P256_SHA256]),
        (SignatureScheme::ECDSA_NISTP384_SHA384, &[&P384_SHA384]),
        (SignatureScheme::RSA_PSS_SHA256, &[&RSA_PSS_SHA256]),
        (SignatureScheme::RSA_PSS_SHA384, &[&RSA_PSS_SHA384]),
        (SignatureScheme::RSA_PSS_SHA512, &[&RSA_PSS_SHA512]),
        // RFC 8446 4.2.3: named for certificates alone; rustls takes none of them for the handshake of TLS 1.3.
        (SignatureScheme::RSA_PKCS1_SHA256, &[&RSA_PKCS1_SHA256]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[&RSA_PKCS1_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[&RSA_PKCS1_SHA512]),
    ],
};

fn p256_holds(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    key.verify_prehash(digest, &p256::ecdsa::Signature::from_der(signature).ok()?).ok()
}

fn p384_holds(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    key.verify_prehash(digest, &p384::ecdsa::Signature::from_der(signature).ok()?).ok()
}

fn ed25519_holds(key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
    key.verify_strict(message, &ed25519_dalek::Signature::from_slice(signature).ok()?).ok()
}

fn rsa_key(der: &[u8]) -> Option<rsa::PublicKey> {
    use rsa::traits::PublicKeyParts as _;
    let key = rsa::PublicKey::from_pkcs1_der(der).ok()?;
    RSA_BITS.contains(&key.n().bit_width()).then_some(key)
}

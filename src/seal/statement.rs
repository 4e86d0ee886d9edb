//! The recorder's statement about a tape: COSE_Sign1 (RFC 9052) as an RFC 9995 hash envelope and an
//! RFC 9943 signed statement (`docs/format/3-seal.md` 3.3).

use super::{PublicKey, SealError, Signature, Signer};
use crate::codec::CborError;
use crate::codec::cbor::{Key, Reader, Writer, encode};
use crate::codec::digest::{CustodyId, LedgerId, ObjectDigest, TapeId, Thumbprint};

const CONTENT_TYPE: &str = "application/vnd.immutape.tape-root+cbor";
const COSE_SIGN1_TAG: u64 = 18;
const ALG_EDDSA: i64 = -8;
const ALG_ED25519: i64 = -19;
const HASH_SHA256: i64 = -16;

/// What a statement says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementClaims {
    /// Origin of the ledger.
    pub origin: String,
    /// The ledger.
    pub ledger: LedgerId,
    /// The tape's name from open to death.
    pub custody: CustodyId,
    /// Digest of the manifest.
    pub manifest: ObjectDigest,
    /// The tape.
    pub tape: TapeId,
}

/// A parsed statement; its signature was not looked at until [`Statement::verify`] returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    claims: StatementClaims,
    key: Thumbprint,
    protected: Vec<u8>,
    signature: Signature,
}

impl Statement {
    /// Signs `claims`; the encoded statement.
    #[must_use]
    pub fn sign(claims: &StatementClaims, signer: &dyn Signer) -> Vec<u8> {
        let protected = protected(claims, &signer.public_key().thumbprint());
        let signature = signer.sign(&to_be_signed(&protected, claims.tape.as_ref()));
        sign1(&protected, claims.tape.as_ref(), &signature)
    }

    /// Reads a statement; strict in every byte.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SealError> {
        let (protected, payload, signature) = read_sign1(bytes)?;
        let tape = TapeId::from_slice(payload).ok_or(CborError::Length)?;
        let (claims, key) = read_protected(protected, tape)?;
        Ok(Self { claims, key, protected: protected.to_vec(), signature })
    }

    /// What it says, if it is who it claims to be.
    #[must_use]
    pub const fn claims(&self) -> &StatementClaims {
        &self.claims
    }

    /// Thumbprint of the key it claims to be signed with.
    #[must_use]
    pub const fn key(&self) -> &Thumbprint {
        &self.key
    }

    /// Verifies it under `key`.
    ///
    /// # Errors
    /// [`SealError::WrongKey`], [`SealError::Signature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), SealError> {
        if key.thumbprint() != self.key {
            return Err(SealError::WrongKey);
        }
        key.verify(&to_be_signed(&self.protected, self.claims.tape.as_ref()), &self.signature)
    }
}

/// `18([protected, {}, payload, signature])`.
pub(super) fn sign1(protected: &[u8], payload: &[u8], signature: &Signature) -> Vec<u8> {
    encode(|w| {
        w.tag(COSE_SIGN1_TAG);
        w.array(4);
        w.bytes(protected);
        w.map(0);
        w.bytes(payload);
        w.bytes(signature);
    })
}

/// Protected header, payload and signature of a tagged COSE_Sign1 with an empty unprotected map.
pub(super) fn read_sign1(bytes: &[u8]) -> Result<(&[u8], &[u8], Signature), SealError> {
    let mut r = Reader::new(bytes);
    r.tag(COSE_SIGN1_TAG)?;
    r.array_of(4)?;
    let protected = r.bytes()?;
    r.map(|_, _| Err(CborError::UnknownKey))?;
    let payload = r.bytes()?;
    let signature = r.bytes_n()?;
    r.end()?;
    Ok((protected, payload, signature))
}

/// RFC 9052 4.4.
pub(crate) fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut w = Writer::with_capacity(protected.len().saturating_add(payload.len()).saturating_add(32));
    w.array(4);
    w.text("Signature1");
    w.bytes(protected);
    w.bytes(&[]);
    w.bytes(payload);
    w.finish()
}

pub(crate) fn is_ed25519(alg: i64) -> bool {
    alg == ALG_EDDSA || alg == ALG_ED25519
}

fn protected(claims: &StatementClaims, key: &Thumbprint) -> Vec<u8> {
    encode(|w| {
        w.map(8);
        w.uint(1);
        w.int(ALG_EDDSA);
        w.uint(4);
        w.bytes(key.as_ref());
        w.uint(15);
        w.map(2);
        w.uint(1);
        w.text(&claims.origin);
        w.uint(2);
        w.text(&claims.tape.to_text());
        w.uint(258);
        w.int(HASH_SHA256);
        w.uint(259);
        w.text(CONTENT_TYPE);
        w.text("ledger");
        w.bytes(claims.ledger.as_ref());
        w.text("custody");
        w.bytes(claims.custody.as_ref());
        w.text("manifest");
        w.bytes(claims.manifest.as_ref());
    })
}

#[derive(Default)]
struct Found {
    alg: Option<i64>,
    key: Option<[u8; 32]>,
    issuer: Option<String>,
    subject: Option<String>,
    hash: Option<i64>,
    content_type: Option<String>,
    ledger: Option<[u8; 32]>,
    custody: Option<[u8; 32]>,
    manifest: Option<[u8; 32]>,
}

fn read_protected(bytes: &[u8], tape: TapeId) -> Result<(StatementClaims, Thumbprint), SealError> {
    let mut found = Found::default();
    let mut r = Reader::new(bytes);
    r.map(|key, v| {
        match key {
            Key::Int(1) => found.alg = Some(v.int()?),
            Key::Int(4) => found.key = Some(v.bytes_n()?),
            Key::Int(15) => v.map(|key, v| {
                match key {
                    Key::Int(1) => found.issuer = Some(v.text()?.to_owned()),
                    Key::Int(2) => found.subject = Some(v.text()?.to_owned()),
                    _ => return Err(CborError::UnknownKey),
                }
                Ok(())
            })?,
            Key::Int(258) => found.hash = Some(v.int()?),
            Key::Int(259) => found.content_type = Some(v.text()?.to_owned()),
            Key::Text("ledger") => found.ledger = Some(v.bytes_n()?),
            Key::Text("custody") => found.custody = Some(v.bytes_n()?),
            Key::Text("manifest") => found.manifest = Some(v.bytes_n()?),
            _ => return Err(CborError::UnknownKey),
        }
        Ok(())
    })?;
    r.end()?;
    let need = |v: Option<[u8; 32]>| v.ok_or(SealError::Cbor(CborError::MissingKey));
    if !is_ed25519(found.alg.ok_or(CborError::MissingKey)?) {
        return Err(SealError::Header("algorithm"));
    }
    if found.hash.ok_or(CborError::MissingKey)? != HASH_SHA256 {
        return Err(SealError::Header("hash algorithm"));
    }
    if found.content_type.ok_or(CborError::MissingKey)? != CONTENT_TYPE {
        return Err(SealError::Header("content type"));
    }
    if found.subject.ok_or(CborError::MissingKey)? != tape.to_text() {
        return Err(SealError::Header("subject"));
    }
    let claims = StatementClaims {
        origin: found.issuer.ok_or(CborError::MissingKey)?,
        ledger: LedgerId::from_bytes(need(found.ledger)?),
        custody: CustodyId::from_bytes(need(found.custody)?),
        manifest: ObjectDigest::from_bytes(need(found.manifest)?),
        tape,
    };
    Ok((claims, Thumbprint::from_bytes(need(found.key)?)))
}

//! COSE receipts: RFC 9942, with the tree of RFC 9162 (verifiable data structure 1).

use super::ProofError;
use crate::codec::CborError;
use crate::codec::cbor::{Key, Reader, encode};
use crate::codec::digest::{LeafHash, RootHash, Thumbprint};
use crate::log::{Checkpoint, is_origin};
use crate::seal::{PublicKey, Signer, cose_to_be_signed, is_ed25519};

const SIGN1_TAG: u64 = 18;
const ALG_EDDSA: i64 = -8;
/// RFC9162_SHA256.
const TREE: u64 = 1;
const PATH_MAX: usize = 63;

/// A receipt of inclusion. Its signature was not looked at until [`Receipt::verify`] returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Origin of the log, as issuer.
    pub issuer: String,
    /// What the entry is about: custody id of a tape, or the log itself.
    pub subject: String,
    /// Leaves of the tree, as the receipt says. The signature covers the root alone: another size of the same shape on the way
    /// to this leaf leads to the same root.
    pub size: u64,
    /// Index of the leaf.
    pub index: u64,
    /// From the leaf's sibling up.
    pub path: Vec<[u8; 32]>,
    key: Thumbprint,
    protected: Vec<u8>,
    signature: [u8; 64],
}

impl Receipt {
    /// Signs a receipt over a head that others hold already. A tree of one leaf has no path, which RFC 9942 does not allow.
    ///
    /// # Errors
    /// [`ProofError::Receipt`] for a tree of fewer than two leaves.
    pub fn sign(
        head: &Checkpoint,
        subject: &str,
        index: u64,
        path: &[[u8; 32]],
        signer: &dyn Signer,
    ) -> Result<Vec<u8>, ProofError> {
        if path.is_empty() || index >= head.size {
            return Err(ProofError::Receipt("tree than one of two leaves or more"));
        }
        let key = signer.public_key().thumbprint();
        let protected = encode(|w| {
            w.map(4);
            w.uint(1);
            w.int(ALG_EDDSA);
            w.uint(4);
            w.bytes(key.as_ref());
            w.uint(15);
            w.map(2);
            w.uint(1);
            w.text(&head.origin);
            w.uint(2);
            w.text(subject);
            w.uint(395);
            w.uint(TREE);
        });
        let signature = signer.sign(&cose_to_be_signed(&protected, head.root.as_ref()));
        let proof = encode(|w| {
            w.array(3);
            w.uint(head.size);
            w.uint(index);
            w.array(path.len());
            path.iter().for_each(|hash| w.bytes(hash));
        });
        Ok(encode(|w| {
            w.tag(SIGN1_TAG);
            w.array(4);
            w.bytes(&protected);
            w.map(1);
            w.uint(396);
            w.map(1);
            w.int(-1);
            w.array(1);
            w.bytes(&proof);
            w.null();
            w.bytes(&signature);
        }))
    }

    /// Reads a receipt; strict in every byte.
    ///
    /// # Errors
    /// [`ProofError::Cbor`], [`ProofError::Receipt`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        let mut r = Reader::new(bytes);
        r.tag(SIGN1_TAG)?;
        r.array_of(4)?;
        let protected = r.bytes()?.to_vec();
        let mut proof = None;
        r.map(|key, v| {
            if key != Key::Int(396) {
                return Err(CborError::UnknownKey);
            }
            v.map(|key, v| {
                if key != Key::Int(-1) {
                    return Err(CborError::UnknownKey);
                }
                v.array_of(1)?;
                proof = Some(v.bytes()?.to_vec());
                Ok(())
            })
        })?;
        if !r.null_if_next() {
            return Err(ProofError::Receipt("payload than none"));
        }
        let signature = r.bytes_n()?;
        r.end()?;
        let (key, issuer, subject) = read_protected(&protected)?;
        let (size, index, path) = read_path(&proof.ok_or(CborError::MissingKey)?)?;
        Ok(Self { issuer, subject, size, index, path, key, protected, signature })
    }

    /// Verifies it for a leaf under the issuer's key: the root that the path leads to is the one that was signed.
    ///
    /// # Errors
    /// [`ProofError::Seal`] for another key, or a signature over another root; [`ProofError::Log`] for a path that leads nowhere.
    pub fn verify(&self, leaf: &LeafHash, key: &PublicKey) -> Result<RootHash, ProofError> {
        if key.thumbprint() != self.key {
            return Err(ProofError::Receipt("key"));
        }
        let root = super::merkle::root_from_path(leaf, self.index, self.size, &self.path)?;
        key.verify(&cose_to_be_signed(&self.protected, root.as_ref()), &self.signature)?;
        Ok(root)
    }
}

fn read_path(bytes: &[u8]) -> Result<(u64, u64, Vec<[u8; 32]>), ProofError> {
    let mut r = Reader::new(bytes);
    r.array_of(3)?;
    let (size, index, count) = (r.uint()?, r.uint()?, r.array()?);
    if !(1..=PATH_MAX).contains(&count) {
        return Err(ProofError::Receipt("number of hashes than 1 to 63"));
    }
    let path = (0..count).map(|_| r.bytes_n()).collect::<Result<_, _>>()?;
    r.end()?;
    Ok((size, index, path))
}

fn read_protected(bytes: &[u8]) -> Result<(Thumbprint, String, String), ProofError> {
    let (mut alg, mut key, mut issuer, mut subject, mut tree) = (None, None, None, None, None);
    let mut r = Reader::new(bytes);
    r.map(|label, v| {
        match label {
            Key::Int(1) => alg = Some(v.int()?),
            Key::Int(4) => key = Some(v.bytes_n()?),
            Key::Int(15) => v.map(|claim, v| {
                match claim {
                    Key::Int(1) => issuer = Some(v.text()?.to_owned()),
                    Key::Int(2) => subject = Some(v.text()?.to_owned()),
                    _ => return Err(CborError::UnknownKey),
                }
                Ok(())
            })?,
            Key::Int(395) => tree = Some(v.uint()?),
            _ => return Err(CborError::UnknownKey),
        }
        Ok(())
    })?;
    r.end()?;
    if !alg.is_some_and(is_ed25519) {
        return Err(ProofError::Receipt("algorithm"));
    }
    if tree != Some(TREE) {
        return Err(ProofError::Receipt("kind of tree"));
    }
    let need = |text: Option<String>| text.ok_or(ProofError::Cbor(CborError::MissingKey));
    let key = Thumbprint::from_bytes(key.ok_or(CborError::MissingKey)?);
    let (issuer, subject) = (need(issuer)?, need(subject)?);
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if !is_origin(&issuer) || subject.len() != 64 || !subject.bytes().all(is_digit) {
        return Err(ProofError::Receipt("issuer or subject than an origin and a custody id"));
    }
    Ok((key, issuer, subject))
}

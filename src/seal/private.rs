//! The private half of an entry: committed field by field, sealed under a custody key
//! (`docs/format/3-seal.md` 3.5).

use std::ops::Range;

use zeroize::Zeroizing;

use super::aead::{self, key_and_nonce};
use super::salts::SaltStream;
use super::{SealError, kdf, padme};
use crate::codec::cbor::Writer;
use crate::codec::digest::{CustodyId, Digest, sha256};
use crate::codec::limits::SEALED_BYTES_MAX;
use crate::tape::{Salts, commit};

const LABEL: &str = "immutape/private/1";
/// Shorter maps are padded up to here, so that the shortest kinds of entry look alike.
const PLAIN_BYTES_MIN: u64 = 128;

/// Seals private halves of one class and month.
///
/// ```compile_fail
/// fn show(k: immutape::seal::CustodyKey) { println!("{k:?}"); }
/// ```
pub struct CustodyKey {
    id: [u8; 16],
    key: Zeroizing<[u8; 32]>,
    /// The key as HMAC uses it, computed once: every entry of a month begins with it.
    expander: kdf::Expander,
}

/// What a private half is bound to besides its content.
#[derive(Debug, Clone, Copy)]
pub struct PrivateAad<'a> {
    /// Origin of the log.
    pub origin: &'a str,
    /// Kind number of the entry.
    pub kind: u16,
    /// Subject of the entry.
    pub subject: &'a CustodyId,
}

/// A sealed private half with the commitments that go into the public one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPrivate {
    /// Commitment to the fields.
    pub commitment: Digest,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// SHA-256 of the sealed bytes.
    pub digest: Digest,
    /// Id of the custody key.
    pub key_id: [u8; 16],
}

/// What a private half can be made of.
pub trait PrivateSealer {
    /// The fields that are there, encoded, ascending by number.
    fn fields(&self) -> EncodedFields;
}

/// Encoded fields in one buffer, as they stand in the map.
#[derive(Debug, Default)]
pub struct EncodedFields {
    pairs: Writer,
    values: Vec<(u64, Range<usize>)>,
}

impl EncodedFields {
    /// Room for the usual entry.
    #[must_use]
    pub fn new() -> Self {
        Self { pairs: Writer::with_capacity(320), values: Vec::with_capacity(12) }
    }

    /// Adds a field; `number` must be greater than those before it.
    pub fn push(&mut self, number: u64, write: impl FnOnce(&mut Writer)) {
        self.pairs.uint(number);
        let start = self.pairs.len();
        write(&mut self.pairs);
        self.values.push((number, start..self.pairs.len()));
    }

    /// Number and encoded value of each.
    fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let value = |range: &Range<usize>| self.pairs.as_slice().get(range.clone()).unwrap_or_default();
        self.values.iter().map(move |(number, range)| (*number, value(range)))
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.values.len()
    }

    /// None?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The map that is sealed.
    #[must_use]
    pub fn map(&self) -> Vec<u8> {
        // There are fewer than 256 fields: the head takes two bytes at most.
        let mut w = Writer::with_capacity(self.pairs.len().saturating_add(2));
        w.map(self.len());
        w.raw(self.pairs.as_slice());
        w.finish()
    }
}

impl CustodyKey {
    /// From the vault.
    #[must_use]
    pub fn from_bytes(id: [u8; 16], key: &[u8; 32]) -> Self {
        Self { id, key: Zeroizing::new(*key), expander: kdf::Expander::new(key) }
    }

    /// Its public name.
    #[must_use]
    pub const fn id(&self) -> &[u8; 16] {
        &self.id
    }

    /// The key, to be wrapped again.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.key
    }

    /// Commits to and seals `fields`. `salt` must be fresh.
    ///
    /// # Errors
    /// [`SealError::Limit`].
    pub fn seal(
        &self,
        salt: [u8; 32],
        aad: PrivateAad<'_>,
        fields: &dyn PrivateSealer,
    ) -> Result<SealedPrivate, SealError> {
        let fields = fields.fields();
        let okm = self.derive(&salt);
        let commitment = commit(LABEL, &field_salts(&okm), fields.iter()).commitment;
        let map = fields.map();
        let plain_len = padded(map.len() as u64);
        let mut sealed = Vec::with_capacity(plain_len.saturating_add(48));
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(&u32::try_from(map.len()).unwrap_or(u32::MAX).to_be_bytes());
        sealed.extend_from_slice(&map);
        sealed.resize(plain_len.saturating_add(32), 0);
        let (key, nonce) = key_and_nonce(okm.as_ref());
        aead::seal(&key, &nonce, &encode_aad(aad), &mut sealed, 32)?;
        check_length(&sealed)?;
        let digest = Digest::from_bytes(sha256(&sealed));
        Ok(SealedPrivate { commitment, sealed, digest, key_id: self.id })
    }

    /// Opens a private half and checks it against its commitment; the encoded map.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(
        &self,
        aad: PrivateAad<'_>,
        sealed: &[u8],
        commitment: &Digest,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.disclose(aad, sealed, commitment).map(|(map, _)| map)
    }

    /// As [`CustodyKey::open`], with the salts of its fields: whoever is given one can check that field alone.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn disclose(
        &self,
        aad: PrivateAad<'_>,
        sealed: &[u8],
        commitment: &Digest,
    ) -> Result<(Zeroizing<Vec<u8>>, impl Salts + use<>), SealError> {
        check_length(sealed)?;
        let (salt, rest) = sealed.split_first_chunk::<32>().ok_or(SealError::Truncated)?;
        let okm = self.derive(salt);
        let (key, nonce) = key_and_nonce(okm.as_ref());
        let plain = aead::open(&key, &nonce, &encode_aad(aad), rest)?;
        let (len, body) = plain.split_first_chunk::<4>().ok_or(SealError::Padding)?;
        let len = u32::from_be_bytes(*len);
        let (map, padding) = body.split_at_checked(len as usize).ok_or(SealError::Padding)?;
        if padded(u64::from(len)) != plain.len() || padding.iter().any(|b| *b != 0) {
            return Err(SealError::Padding);
        }
        let salts = field_salts(&okm);
        if commit(LABEL, &salts, split_fields(map)?).commitment != *commitment {
            return Err(SealError::Commitment);
        }
        Ok((Zeroizing::new(map.to_vec()), salts))
    }

    fn derive(&self, salt: &[u8; 32]) -> Zeroizing<[u8; 76]> {
        self.expand(LABEL, salt)
    }

    /// Key, nonce and 32 bytes more for one thing sealed under this key.
    pub(super) fn expand(&self, label: &str, salt: &[u8; 32]) -> Zeroizing<[u8; 76]> {
        self.expander.expand(&[label.as_bytes(), salt])
    }
}

fn check_length(sealed: &[u8]) -> Result<(), SealError> {
    let (found, max) = (sealed.len() as u64, SEALED_BYTES_MAX as u64);
    if found > max { Err(SealError::Limit { what: "the private half of an entry", found, max }) } else { Ok(()) }
}

fn field_salts(okm: &[u8; 76]) -> SaltStream {
    let salt_key = Zeroizing::new(okm.last_chunk::<32>().copied().unwrap_or([0; 32]));
    SaltStream::new(&salt_key)
}

/// Number and encoded value of each field of a private half or a header.
///
/// # Errors
/// [`SealError::Cbor`].
pub fn split_fields(map: &[u8]) -> Result<Vec<(u64, &[u8])>, SealError> {
    use crate::codec::{CborError, Reader, cbor::Key};
    let mut out = Vec::new();
    let mut r = Reader::new(map);
    r.map(|key, v| {
        let Key::Int(n) = key else { return Err(CborError::UnknownKey) };
        out.push((u64::try_from(n).map_err(|_| CborError::UnknownKey)?, v.any_within(1)?));
        Ok(())
    })?;
    r.end()?;
    Ok(out)
}

fn padded(map_len: u64) -> usize {
    usize::try_from(padme(map_len.saturating_add(4).max(PLAIN_BYTES_MIN))).unwrap_or(usize::MAX)
}

fn encode_aad(aad: PrivateAad<'_>) -> Vec<u8> {
    let mut w = Writer::with_capacity(aad.origin.len().saturating_add(64));
    w.array(4);
    w.text(LABEL);
    w.text(aad.origin);
    w.uint(u64::from(aad.kind));
    w.bytes(aad.subject.as_ref());
    w.finish()
}

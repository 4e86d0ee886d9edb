//! One sealed object: compressed, padded, encrypted under a key of its own, with a commitment to
//! that key in front (`docs/format/3-seal.md` 3.1).

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::aead::{self, TAG_BYTES, key_and_nonce};
use super::{Packer, SealError, TapeKeys, padme};
use crate::codec::cbor::encode;
use crate::codec::digest::CustodyId;
use crate::codec::limits::OBJECT_RAW_BYTES_MAX;

const FRONT_BYTES: usize = 64;
const PLAIN_HEAD_BYTES: usize = 17;
const CODEC_STORED: u8 = 0;
const CODEC_ZSTD: u8 = 1;

/// Compression effort of long objects; readers do not care.
pub(super) const ZSTD_LEVEL: i32 = 1;
/// Effort by length in bytes. Small objects are many, and beside what a tape takes in log, vault and rows a tenth of them is
/// little; long ones are bound by it; of those between, one is a whole tape, and a better level takes little time of it.
const ZSTD_LEVELS: [(std::ops::Range<usize>, i32); 3] =
    [(SHORT_BYTES..32 << 10, -1), (32 << 10..256 << 10, 3), (256 << 10..usize::MAX, ZSTD_LEVEL)];
/// Shorter objects, headers most of all, are kept as they are: padding would eat what compression gains.
const SHORT_BYTES: usize = 512;

/// Compresses, pads and seals `raw`. `salt` must be fresh for every object.
///
/// # Errors
/// [`SealError::Limit`], [`SealError::Compress`].
pub fn seal_object(
    keys: &TapeKeys,
    salt: [u8; 32],
    custody: &CustodyId,
    position: u64,
    raw: &[u8],
) -> Result<Vec<u8>, SealError> {
    seal_under(&object_keys(keys, &salt), salt, &aad(custody, position), raw)
}

/// Pads and seals what `packer` was given; it is empty then.
///
/// # Errors
/// As [`seal_object`].
pub fn seal_packed(
    keys: &TapeKeys,
    salt: [u8; 32],
    custody: &CustodyId,
    position: u64,
    packer: &mut Packer,
) -> Result<Vec<u8>, SealError> {
    let (packed, raw_len) = packer.finish()?;
    let (aad, okm) = (aad(custody, position), object_keys(keys, &salt));
    if packed.len() < raw_len {
        return encrypt(&okm, salt, &aad, raw_len, CODEC_ZSTD, &packed);
    }
    // Rare: nobody keeps the parts for it.
    let raw = decompress(&packed, raw_len)?;
    encrypt(&okm, salt, &aad, raw_len, CODEC_STORED, &raw)
}

/// Compresses, pads and seals `raw` under keys that were derived for it alone.
pub(super) fn seal_under(
    okm: &Zeroizing<[u8; 76]>,
    salt: [u8; 32],
    aad: &[u8],
    raw: &[u8],
) -> Result<Vec<u8>, SealError> {
    if raw.len() > OBJECT_RAW_BYTES_MAX {
        return Err(too_long(raw.len() as u64));
    }
    let packed = compress(raw)?;
    let (codec, body) = packed.as_deref().map_or((CODEC_STORED, raw), |packed| (CODEC_ZSTD, packed));
    encrypt(okm, salt, aad, raw.len(), codec, body)
}

fn encrypt(
    okm: &Zeroizing<[u8; 76]>,
    salt: [u8; 32],
    aad: &[u8],
    raw_len: usize,
    codec: u8,
    body: &[u8],
) -> Result<Vec<u8>, SealError> {
    let (key, nonce, commitment) = split_okm(okm);
    let plain_len = usize::try_from(padme(PLAIN_HEAD_BYTES.saturating_add(body.len()) as u64)).unwrap_or(usize::MAX);
    let mut out = Vec::with_capacity(FRONT_BYTES.saturating_add(plain_len).saturating_add(TAG_BYTES));
    out.extend_from_slice(&salt);
    out.extend_from_slice(&commitment);
    out.push(codec);
    out.extend_from_slice(&(raw_len as u64).to_be_bytes());
    out.extend_from_slice(&(body.len() as u64).to_be_bytes());
    out.extend_from_slice(body);
    out.resize(FRONT_BYTES.saturating_add(plain_len), 0);
    aead::seal(&key, &nonce, aad, &mut out, FRONT_BYTES)?;
    Ok(out)
}

/// Opens a sealed object.
///
/// # Errors
/// [`SealError`]; nothing of the plaintext is given out unless all checks hold.
pub fn open_object(
    keys: &TapeKeys,
    custody: &CustodyId,
    position: u64,
    stored: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    open_under(|salt| object_keys(keys, salt), &aad(custody, position), stored)
}

/// Opens what [`seal_under`] sealed, with the keys that `derive` makes of its salt.
pub(super) fn open_under(
    derive: impl FnOnce(&[u8; 32]) -> Zeroizing<[u8; 76]>,
    aad: &[u8],
    stored: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (salt, rest) = stored.split_first_chunk::<32>().ok_or(SealError::Truncated)?;
    let (commitment, sealed) = rest.split_first_chunk::<32>().ok_or(SealError::Truncated)?;
    let (key, nonce, expected) = split_okm(&derive(salt));
    if !bool::from(commitment.ct_eq(&expected)) {
        return Err(SealError::KeyCommitment);
    }
    unpack(&aead::open(&key, &nonce, aad, sealed)?)
}

fn unpack(plain: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (codec, rest) = plain.split_first().ok_or(SealError::Padding)?;
    let (raw_len, rest) = rest.split_first_chunk::<8>().ok_or(SealError::Padding)?;
    let (body_len, rest) = rest.split_first_chunk::<8>().ok_or(SealError::Padding)?;
    let (raw_len, body_len) = (u64::from_be_bytes(*raw_len), u64::from_be_bytes(*body_len));
    if raw_len > OBJECT_RAW_BYTES_MAX as u64 {
        return Err(too_long(raw_len));
    }
    let body_at = usize::try_from(body_len).map_err(|_| SealError::Padding)?;
    let (body, padding) = rest.split_at_checked(body_at).ok_or(SealError::Padding)?;
    let padded = padme(body_len.saturating_add(PLAIN_HEAD_BYTES as u64));
    if padded != plain.len() as u64 || padding.iter().any(|b| *b != 0) {
        return Err(SealError::Padding);
    }
    let raw_len = usize::try_from(raw_len).map_err(|_| SealError::Padding)?;
    match *codec {
        CODEC_STORED if raw_len == body.len() => Ok(Zeroizing::new(body.to_vec())),
        CODEC_STORED => Err(SealError::Padding),
        CODEC_ZSTD => decompress(body, raw_len),
        other => Err(SealError::Codec(other)),
    }
}

thread_local! {
    // A fresh context costs more than compressing a small tape; each thread keeps its own.
    static COMPRESSORS: std::cell::RefCell<[Option<zstd::bulk::Compressor<'static>>; ZSTD_LEVELS.len()]> =
        const { std::cell::RefCell::new([const { None }; ZSTD_LEVELS.len()]) };
    static DECOMPRESSOR: std::cell::RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { std::cell::RefCell::new(None) };
}

/// `None` when it would be no shorter.
fn compress(raw: &[u8]) -> Result<Option<Vec<u8>>, SealError> {
    COMPRESSORS.with_borrow_mut(|compressors| {
        let fit = ZSTD_LEVELS.iter().zip(compressors).find(|((lengths, _), _)| lengths.contains(&raw.len()));
        let Some(((_, level), slot)) = fit else { return Ok(None) };
        if slot.is_none() {
            *slot = Some(zstd::bulk::Compressor::new(*level).map_err(|_| SealError::Compress)?);
        }
        let packed = slot.as_mut().ok_or(SealError::Compress)?.compress(raw).map_err(|_| SealError::Compress)?;
        Ok((packed.len() < raw.len()).then_some(packed))
    })
}

fn decompress(body: &[u8], raw_len: usize) -> Result<Zeroizing<Vec<u8>>, SealError> {
    // One frame, and a real one: RFC 8878 also knows skippable frames and several in a row.
    let is_one = body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        && zstd::zstd_safe::find_frame_compressed_size(body).is_ok_and(|size| size == body.len());
    if !is_one {
        return Err(SealError::Decompress);
    }
    let raw = DECOMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(zstd::bulk::Decompressor::new().map_err(|_| SealError::Decompress)?);
        }
        slot.as_mut().ok_or(SealError::Decompress)?.decompress(body, raw_len).map_err(|_| SealError::Decompress)
    })?;
    let raw = Zeroizing::new(raw);
    if raw.len() == raw_len { Ok(raw) } else { Err(SealError::Decompress) }
}

fn object_keys(keys: &TapeKeys, salt: &[u8; 32]) -> Zeroizing<[u8; 76]> {
    keys.content.expand(&[b"immutape/object/1", salt])
}

fn split_okm(okm: &Zeroizing<[u8; 76]>) -> (Zeroizing<[u8; 32]>, [u8; 12], [u8; 32]) {
    let (key, nonce) = key_and_nonce(okm.as_ref());
    (key, nonce, okm.last_chunk::<32>().copied().unwrap_or([0; 32]))
}

fn aad(custody: &CustodyId, position: u64) -> Vec<u8> {
    encode(|w| {
        w.array(3);
        w.text("immutape/object/1");
        w.bytes(custody.as_ref());
        w.uint(position);
    })
}

pub(super) const fn too_long(found: u64) -> SealError {
    SealError::Limit { what: "the content of an object", found, max: OBJECT_RAW_BYTES_MAX as u64 }
}

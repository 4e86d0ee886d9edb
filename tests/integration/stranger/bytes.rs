//! Chapter 1 read by a stranger: items, digests, keys from keys, and pieces of fixed layout.

use std::collections::BTreeMap;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use ciborium::Value;
use hmac::Mac as _;
use sha2::{Digest as _, Sha256};

/// What was read, or why it is refused.
pub type Told<T> = Result<T, String>;

pub fn ensure(holds: bool, else_words: &str) -> Told<()> {
    if holds { Ok(()) } else { Err(else_words.to_owned()) }
}

/// Bytes in front of what is not yet read.
pub struct Pieces<'a>(pub &'a [u8]);

impl<'a> Pieces<'a> {
    pub fn take(&mut self, count: usize) -> Told<&'a [u8]> {
        let (piece, rest) = self.0.split_at_checked(count).ok_or("bytes are missing")?;
        self.0 = rest;
        Ok(piece)
    }

    pub fn array<const N: usize>(&mut self) -> Told<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("as many as taken"))
    }

    pub fn u32(&mut self) -> Told<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Told<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn len(&mut self) -> Told<usize> {
        usize::try_from(self.u64()?).map_err(|_| "a length past all bytes".to_owned())
    }
}

pub fn zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// 1.1: one item and nothing behind it.
pub fn item(bytes: &[u8]) -> Told<Value> {
    let (value, rest) = front_item(bytes)?;
    ensure(rest.is_empty(), "bytes after an item")?;
    Ok(value)
}

/// 1.1: the first item of a sequence, and the rest of it.
pub fn front_item(bytes: &[u8]) -> Told<(Value, &[u8])> {
    let mut left = bytes;
    let value: Value = ciborium::from_reader(&mut left).map_err(|e| format!("no CBOR item: {e}"))?;
    let body = match &value {
        Value::Tag(18, inner) => inner,
        other => other,
    };
    in_profile(body, 0)?;
    let again = cbor(&value);
    ensure(bytes.starts_with(&again), "an item that is not in its one encoding")?;
    Ok((value, &bytes[again.len()..]))
}

/// What the profile narrows; heads and lengths are compared by encoding again.
fn in_profile(value: &Value, around: usize) -> Told<()> {
    match value {
        Value::Bool(_) | Value::Null | Value::Integer(_) | Value::Bytes(_) | Value::Text(_) => Ok(()),
        Value::Array(_) | Value::Map(_) if around == 16 => Err("nested more than 16 deep".into()),
        Value::Array(items) => items.iter().try_for_each(|item| in_profile(item, around + 1)),
        Value::Map(pairs) => {
            let mut before = Vec::new();
            for (key, value) in pairs {
                let fits = match key {
                    Value::Integer(number) => i64::try_from(*number).is_ok(),
                    key => key.is_text(),
                };
                ensure(fits, "a key that is neither text nor a number of 63 bits")?;
                let key = cbor(key);
                ensure(before < key, "keys that do not ascend")?;
                before = key;
                in_profile(value, around + 1)?;
            }
            Ok(())
        }
        _ => Err("a type outside the profile".into()),
    }
}

pub fn array(value: &Value) -> Told<&[Value]> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| "no array".into())
}

/// An array with a label in front and as many items as named.
pub fn labelled<'a, const N: usize>(value: &'a Value, label: &str) -> Told<&'a [Value; N]> {
    let items: &[Value; N] = array(value)?.try_into().map_err(|_| format!("{label}: another number of items"))?;
    ensure(items[0].as_text() == Some(label), &format!("{label}: another label"))?;
    Ok(items)
}

/// A map whose keys are numbers from 0 on.
pub fn map(value: &Value) -> Told<BTreeMap<u64, &Value>> {
    let pairs = value.as_map().ok_or("no map")?;
    pairs.iter().map(|(key, value)| Ok((uint(key)?, value))).collect()
}

/// The value of a key that must be there.
pub fn field<'a>(map: &BTreeMap<u64, &'a Value>, key: u64) -> Told<&'a Value> {
    map.get(&key).copied().ok_or_else(|| format!("key {key} is missing"))
}

pub fn uint(value: &Value) -> Told<u64> {
    value.as_integer().and_then(|number| number.try_into().ok()).ok_or_else(|| "no unsigned number".into())
}

pub fn blob(value: &Value) -> Told<&[u8]> {
    value.as_bytes().map(Vec::as_slice).ok_or_else(|| "no byte string".into())
}

pub fn blob_of<const N: usize>(value: &Value) -> Told<[u8; N]> {
    blob(value)?.try_into().map_err(|_| format!("no byte string of {N} bytes"))
}

pub fn words(value: &Value) -> Told<&str> {
    value.as_text().ok_or_else(|| "no text".into())
}

pub fn b(bytes: impl AsRef<[u8]>) -> Value {
    Value::Bytes(bytes.as_ref().to_vec())
}

pub fn t(words: &str) -> Value {
    Value::Text(words.to_owned())
}

pub fn n(number: u64) -> Value {
    Value::Integer(number.into())
}

pub fn cbor(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("a vector takes everything");
    out
}

/// The encoding of an array with a label in front.
pub fn encode(label: &str, items: &[Value]) -> Vec<u8> {
    cbor(&Value::Array([&[t(label)], items].concat()))
}

pub fn h(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(bytes.as_ref()).into()
}

/// 1.2: labelled digest.
pub fn ld(label: &str, items: &[Value]) -> [u8; 32] {
    h(encode(label, items))
}

/// 1.2: the tree over hashes of leaves.
pub fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => h(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            h([&[1][..], &root(left), &root(right)].concat())
        }
    }
}

pub fn leaf_hash(input: &[u8]) -> [u8; 32] {
    h([&[0], input].concat())
}

/// 1.3.
pub fn hkdf<const N: usize>(ikm: &[u8], salt: &[u8], info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    hkdf::Hkdf::<Sha256>::new(Some(salt), ikm).expand(info, &mut out).expect("short enough");
    out
}

pub fn expand<const N: usize>(prk: &[u8; 32], info: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    hkdf::Hkdf::<Sha256>::from_prk(prk).expect("32 bytes").expand(info, &mut out).expect("short enough");
    out
}

pub fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = hmac::Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// 1.3: bytes of a stream, whole blocks from an even place on.
pub fn stream<const N: usize>(key: &[u8; 32], at: u64) -> [u8; N] {
    use aes::cipher::BlockCipherEncrypt as _;
    let cipher = aes::Aes256::new(&(*key).into());
    let mut out = [0; N];
    for (place, piece) in (at / 16..).zip(out.chunks_mut(16)) {
        let mut block = u128::from(place).to_be_bytes().into();
        cipher.encrypt_block(&mut block);
        piece.copy_from_slice(&block[..piece.len()]);
    }
    out
}

/// AES-256-GCM under the first 32 bytes of `okm`, with the next 12 as nonce.
pub fn open_gcm(okm: &[u8], aad: &[u8], sealed: &[u8]) -> Told<Vec<u8>> {
    let mut okm = Pieces(okm);
    let (key, nonce) = (okm.array::<32>()?, okm.array::<12>()?);
    let cipher = aes_gcm::Aes256Gcm::new(&key.into());
    cipher.decrypt(&nonce.into(), Payload { msg: sealed, aad }).map_err(|_| "a seal does not open".into())
}

/// 1.5: commitment to numbered fields whose values are encoded items.
pub fn commitment(label: &str, salt_key: &[u8; 32], fields: &BTreeMap<u64, &Value>) -> [u8; 32] {
    let pairs: Vec<_> = fields
        .iter()
        .map(|(number, value)| {
            let salt: [u8; 32] = stream(salt_key, 32 * number);
            let digest = h(cbor(&Value::Array(vec![t(label), n(*number), b(salt), (*value).clone()])));
            Value::Array(vec![n(*number), b(digest)])
        })
        .collect();
    h(encode(&format!("{label}/set"), &pairs))
}

/// 3.1: the padded length.
pub fn padme(len: u64) -> u64 {
    let Some(e) = len.checked_ilog2().filter(|_| len >= 2) else { return len };
    let s = e.checked_ilog2().map_or(1, |floor| floor + 1);
    let mask = (1u64 << e.saturating_sub(s)) - 1;
    len.saturating_add(mask) & !mask
}

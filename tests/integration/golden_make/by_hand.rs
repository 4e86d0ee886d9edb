//! The formulas of `docs/format` once more, written from the text over other crates' primitives and
//! ciborium's encoder: what the library makes must equal what a stranger makes.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use ciborium::Value;
use hmac::Mac as _;
use sha2::{Digest as _, Sha256};

use super::inputs::{CUSTODY_KEY, ORIGIN};

pub fn b(bytes: impl AsRef<[u8]>) -> Value {
    Value::Bytes(bytes.as_ref().to_vec())
}

pub fn t(words: &str) -> Value {
    Value::Text(words.to_owned())
}

pub fn n(number: u64) -> Value {
    Value::Integer(number.into())
}

pub fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

/// Encodes with ciborium; maps keep the order they are given in.
pub fn cbor(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).unwrap();
    out
}

pub fn h(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(bytes.as_ref()).into()
}

/// 1.2: labelled digest.
pub fn ld(label: &str, items: impl IntoIterator<Item = Value>) -> [u8; 32] {
    h(cbor(&list([t(label)].into_iter().chain(items))))
}

pub fn hkdf(ikm: &[u8], salt: &[u8], info: &[u8], len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    hkdf::Hkdf::<Sha256>::new(Some(salt), ikm).expand(info, &mut out).unwrap();
    out
}

pub fn expand(prk: &[u8], info: &[u8], len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    hkdf::Hkdf::<Sha256>::from_prk(prk).unwrap().expand(info, &mut out).unwrap();
    out
}

/// 1.3: bytes of the keystream of AES-256 in counter mode, by a crate of its own.
pub fn stream(key: &[u8], at: u64, len: usize) -> Vec<u8> {
    use ctr::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};
    let key: [u8; 32] = key.try_into().unwrap();
    let mut cipher = ctr::Ctr128BE::<aes::Aes256>::new(&key.into(), &[0; 16].into());
    let mut out = vec![0; len];
    cipher.seek(at);
    cipher.apply_keystream(&mut out);
    out
}

pub fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = hmac::Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// RFC 6962 2.1, as it is written there.
pub fn mth(leaves: &[Vec<u8>]) -> [u8; 32] {
    match leaves.len() {
        0 => h(b""),
        1 => h([&[0][..], &leaves[0]].concat()),
        n => {
            let mut k = 1;
            while k * 2 < n {
                k *= 2;
            }
            h([&[1][..], &mth(&leaves[..k]), &mth(&leaves[k..])].concat())
        }
    }
}

/// 1.5: commitment to numbered fields whose values are encoded items.
pub fn commitment(label: &str, salt_key: &[u8], fields: &[(u64, Vec<u8>)]) -> [u8; 32] {
    let pairs = fields.iter().map(|(number, value)| {
        let salt = stream(salt_key, 32 * number, 32);
        let front = [vec![0x84], cbor(&t(label)), cbor(&n(*number)), cbor(&b(salt))].concat();
        list([n(*number), b(h([front, value.clone()].concat()))])
    });
    h(cbor(&list([t(&format!("{label}/set"))].into_iter().chain(pairs))))
}

/// 2.5: content, frame salt, header salt and row key.
pub fn tape_keys(secret: &[u8]) -> [Vec<u8>; 4] {
    let prk = hmac(b"immutape/tape-secret/1", secret);
    ["content-key", "frame-salt-key", "header-salt-key", "row-key"]
        .map(|name| expand(&prk, format!("immutape/{name}/1").as_bytes(), 32))
}

/// 2.1: leaf input of a frame, with its envelope and payload digests.
pub fn frame_leaf(frame_salt_key: &[u8], seq: u64, envelope: &[u8], payload: &[u8]) -> (Vec<u8>, [u8; 32], [u8; 32]) {
    let salts = stream(frame_salt_key, 64 * seq, 64);
    let envelope = ld("immutape/frame/1/envelope", [n(seq), b(&salts[..32]), b(envelope)]);
    let payload = ld("immutape/frame/1/payload", [n(seq), b(&salts[32..]), b(payload)]);
    (cbor(&list([t("immutape/frame/1"), n(seq), b(envelope), b(payload)])), envelope, payload)
}

/// 3.1: the padded length.
pub fn padme(len: u64) -> u64 {
    if len < 2 {
        return len;
    }
    let floor_log2 = |x: u64| u64::from(63 - x.leading_zeros());
    let e = floor_log2(len);
    let s = if e == 0 { 1 } else { floor_log2(e) + 1 };
    let mask = (1u64 << e.saturating_sub(s)) - 1;
    (len + mask) & !mask
}

/// AES-256-GCM; ciphertext and tag.
pub fn gcm(key: &[u8], nonce: &[u8], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let cipher = aes_gcm::Aes256Gcm::new_from_slice(key).unwrap();
    let nonce: [u8; 12] = nonce.try_into().unwrap();
    cipher.encrypt(&nonce.into(), Payload { msg: plain, aad }).unwrap()
}

/// 3.1: plaintext of an object whose body is `body`.
pub fn object_plain(codec: u8, raw_len: u64, body: &[u8]) -> Vec<u8> {
    let mut plain = vec![codec];
    plain.extend_from_slice(&raw_len.to_be_bytes());
    plain.extend_from_slice(&(body.len() as u64).to_be_bytes());
    plain.extend_from_slice(body);
    plain.resize(padme(17 + body.len() as u64) as usize, 0);
    plain
}

/// 3.1: an object whose plaintext is `plain`.
pub fn seal_object(tape_secret: &[u8], salt: &[u8; 32], custody: &[u8], position: u64, plain: &[u8]) -> Vec<u8> {
    let [content_key, ..] = tape_keys(tape_secret);
    let okm = expand(&content_key, &[&b"immutape/object/1"[..], salt].concat(), 76);
    let aad = cbor(&list([t("immutape/object/1"), b(custody), n(position)]));
    [&salt[..], &okm[44..76], &gcm(&okm[..32], &okm[32..44], &aad, plain)].concat()
}

/// store-embedded 11: a piece of a live recording.
pub fn seal_live(tape_secret: &[u8], salt: &[u8; 32], custody: &[u8], number: u64, plain: &[u8]) -> Vec<u8> {
    let prk = hmac(b"immutape/tape-secret/1", tape_secret);
    let live_key = expand(&prk, b"immutape/live-key/1", 32);
    let okm = expand(&live_key, &[&b"immutape/object/1"[..], salt].concat(), 76);
    let aad = cbor(&list([t("immutape/live/1"), b(custody), n(number)]));
    [&salt[..], &okm[44..76], &gcm(&okm[..32], &okm[32..44], &aad, plain)].concat()
}

/// 3.8: the ids of the golden set, whose plaintext is `plain`.
pub fn seal_set(ids: &[[u8; 32]], salt: &[u8], plain: &[u8]) -> Vec<u8> {
    let okm = expand(&CUSTODY_KEY, &[&b"immutape/set-list/1"[..], salt].concat(), 76);
    let mut ids = ids.iter().copied().map(immutape::codec::digest::CustodyId::from_bytes).collect::<Vec<_>>();
    let root = immutape::log::set_commitment(&super::made_log::SET_SALT, &mut ids);
    let aad = cbor(&list([t("immutape/set-list/1"), t(ORIGIN), b(root.as_ref())]));
    [salt, &okm[44..76], &gcm(&okm[..32], &okm[32..44], &aad, plain)].concat()
}

/// 3.5: plaintext of a private half.
pub fn private_plain(map: &[u8]) -> Vec<u8> {
    let mut plain = (map.len() as u32).to_be_bytes().to_vec();
    plain.extend_from_slice(map);
    plain.resize(padme((4 + map.len() as u64).max(128)) as usize, 0);
    plain
}

/// 3.5: a private half whose plaintext is `plain`.
pub fn seal_private(
    key: &[u8],
    salt: &[u8; 32],
    origin: &str,
    kind: u64,
    subject: impl AsRef<[u8]>,
    plain: &[u8],
) -> Vec<u8> {
    let okm = expand(key, &[&b"immutape/private/1"[..], salt].concat(), 76);
    let aad = cbor(&list([t("immutape/private/1"), t(origin), n(kind), b(subject)]));
    [&salt[..], &gcm(&okm[..32], &okm[32..44], &aad, plain)].concat()
}

/// 3.5: commitment of a private half, given as its encoded map.
pub fn private_commitment(key: &[u8], salt: &[u8; 32], map: &[u8]) -> [u8; 32] {
    let okm = expand(key, &[&b"immutape/private/1"[..], salt].concat(), 76);
    let Value::Map(pairs) = ciborium::from_reader(map).unwrap() else { panic!("a private half is a map") };
    let number = |k: &Value| u64::try_from(k.as_integer().unwrap()).unwrap();
    let fields: Vec<_> = pairs.iter().map(|(k, v)| (number(k), cbor(v))).collect();
    commitment("immutape/private/1", &okm[44..76], &fields)
}

/// 3.6: a wrapped key.
pub fn wrap(kek: &[u8], origin: &str, purpose: &str, id: &[u8], key: &[u8]) -> Vec<u8> {
    let okm = hkdf(kek, id, format!("immutape/wrap/1/{purpose}").as_bytes(), 44);
    let aad = cbor(&list([t("immutape/wrap/1"), t(purpose), t(origin), b(id)]));
    gcm(&okm[..32], &okm[32..44], &aad, key)
}

/// 3.3: a COSE_Sign1 over `payload`.
pub fn sign1(protected: &[u8], payload: &[u8], seed: u8) -> Vec<u8> {
    use ed25519_dalek::Signer as _;
    let message = cbor(&list([t("Signature1"), b(protected), b(b""), b(payload)]));
    let signature = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).sign(&message).to_bytes();
    let parts = list([b(protected), Value::Map(Vec::new()), b(payload), b(signature)]);
    cbor(&Value::Tag(18, Box::new(parts)))
}

/// 4.2: a signed note.
pub fn note(text: &str, name: &str, seed: u8) -> String {
    use base64::Engine as _;
    use ed25519_dalek::Signer as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    let id = h([name.as_bytes(), b"\n\x01", key.verifying_key().as_bytes()].concat());
    let blob = [&id[..4], &key.sign(text.as_bytes()).to_bytes()].concat();
    format!("{text}\n— {name} {}\n", base64::engine::general_purpose::STANDARD.encode(blob))
}

pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// 5.1: the line of a witness's cosignature.
pub fn cosignature(head: &str, name: &str, seed: u8, time_s: u64) -> String {
    use ed25519_dalek::Signer as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    let id = h([name.as_bytes(), b"\n\x04", key.verifying_key().as_bytes()].concat());
    let signature = key.sign(format!("cosignature/v1\ntime {time_s}\n{head}").as_bytes()).to_bytes();
    format!("— {name} {}\n", base64(&[&id[..4], &time_s.to_be_bytes(), &signature].concat()))
}

/// Where the left subtree of so many leaves ends: the largest power of two below their number.
fn split(leaves: usize) -> usize {
    leaves.next_power_of_two() / 2
}

/// PATH(m, D[n]) of RFC 6962 2.1.1.
pub fn path(m: usize, leaves: &[Vec<u8>]) -> Vec<[u8; 32]> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut below, beside) =
        if m < left.len() { (path(m, left), mth(right)) } else { (path(m - left.len(), right), mth(left)) };
    below.push(beside);
    below
}

/// PROOF(m, D[n]) of RFC 6962 2.1.2.
pub fn consistency(m: usize, leaves: &[Vec<u8>]) -> Vec<[u8; 32]> {
    subproof(m, leaves, true)
}

fn subproof(m: usize, leaves: &[Vec<u8>], is_old_root: bool) -> Vec<[u8; 32]> {
    if m == leaves.len() {
        return if is_old_root { Vec::new() } else { vec![mth(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut below, beside) = if m <= left.len() {
        (subproof(m, left, is_old_root), mth(right))
    } else {
        (subproof(m - left.len(), right, false), mth(left))
    };
    below.push(beside);
    below
}

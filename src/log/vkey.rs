//! Typed keys under names, as C2SP signed-note writes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::LogError;
use crate::codec::digest::sha256_parts;
use crate::seal::PublicKey;

/// Signature of a log over its own note.
pub(crate) const ED25519: u8 = 1;
/// Timestamped cosignature of a witness (C2SP tlog-cosignature).
pub(crate) const COSIGNATURE: u8 = 4;

/// Is it a name that a key can have: not empty, without spaces or `+`?
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('+') && !name.chars().any(char::is_whitespace)
}

/// First four bytes of `SHA-256(name || 0x0a || type || key)`.
pub(crate) fn key_id(name: &str, kind: u8, key: &PublicKey) -> [u8; 4] {
    let hash = sha256_parts(&[name.as_bytes(), b"\n", &[kind], &key.to_bytes()]);
    hash.first_chunk::<4>().copied().unwrap_or_default()
}

/// `<name>+<8 hexadecimal digits>+<base64 of type and key>`.
pub(crate) fn write_vkey(name: &str, kind: u8, key: &PublicKey) -> String {
    let mut typed = vec![kind];
    typed.extend_from_slice(&key.to_bytes());
    format!("{name}+{}+{}", hex::encode(key_id(name, kind, key)), STANDARD.encode(typed))
}

/// Reads a verifier key of type `kind`; split on the first two `+` alone, since base64 holds `+` too.
pub(crate) fn read_vkey(text: &str, kind: u8) -> Result<(String, PublicKey), LogError> {
    let bad = LogError::Note("not a verifier key");
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(bad) };
    let typed = STANDARD.decode(key).map_err(|_| bad.clone())?;
    let (&[found], bytes) = typed.split_first_chunk::<1>().ok_or(bad.clone())?;
    if found != kind {
        return Err(LogError::Note("a verifier key of another type"));
    }
    if !is_key_name(name) {
        return Err(LogError::Note("a key name is empty or has spaces or +"));
    }
    let key = PublicKey::from_bytes(bytes.try_into().map_err(|_| bad)?)?;
    if hex::encode(key_id(name, kind, &key)) == id {
        Ok((name.to_owned(), key))
    } else {
        Err(LogError::Note("the key id is not that of the key"))
    }
}

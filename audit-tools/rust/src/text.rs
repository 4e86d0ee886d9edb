//! Text forms: decimal numbers, hexadecimal, base64, key names.

use crate::error::{Result, ensure, refuse};
use alloc::string::String;
use alloc::vec::Vec;

/// A decimal number without sign and leading zeros.
///
/// # Errors
/// Anything else, and what is over 2^64-1.
pub fn decimal(text: &str) -> Result<u64> {
    let digits = !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit());
    ensure(digits && (text == "0" || !text.starts_with('0')), "no decimal number in its one form")?;
    match text.parse() {
        Ok(n) => Ok(n),
        Err(_) => refuse("a number over 2^64-1"),
    }
}

/// Bytes out of lower-case hexadecimal digits.
///
/// # Errors
/// Other characters, an odd number of them.
pub fn unhex(text: &str) -> Result<Vec<u8>> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Ok(b.wrapping_sub(b'0')),
        b'a'..=b'f' => Ok(b.wrapping_sub(b'a').wrapping_add(10)),
        _ => refuse("no hexadecimal digit in lower case"),
    };
    let mut out = Vec::with_capacity(text.len() / 2);
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    ensure(odd.is_empty(), "half a byte")?;
    for [high, low] in pairs {
        out.push((digit(*high)? << 4) | digit(*low)?);
    }
    Ok(out)
}

/// N bytes out of 2 N hexadecimal digits.
///
/// # Errors
/// Anything else.
pub fn unhex_of<const N: usize>(text: &str) -> Result<[u8; N]> {
    match unhex(text)?.try_into() {
        Ok(array) => Ok(array),
        Err(_) => refuse("another number of hexadecimal digits"),
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit =
        |n: u8| char::from(if n < 10 { b'0'.saturating_add(n) } else { b'a'.saturating_add(n.saturating_sub(10)) });
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn sextet(b: u8) -> Result<u32> {
    match ALPHABET.iter().position(|a| *a == b) {
        Some(n) => Ok(u32::try_from(n).unwrap_or(0)),
        None => refuse("a character that is not base64"),
    }
}

/// Bytes out of base64 (RFC 4648, section 4) with padding, in its one form.
///
/// # Errors
/// Other characters, wrong padding, bits left over.
pub fn unbase64(text: &str) -> Result<Vec<u8>> {
    let (quads, rest) = text.as_bytes().as_chunks::<4>();
    ensure(rest.is_empty(), "base64 without its padding")?;
    let mut out = Vec::with_capacity(quads.len().saturating_mul(3));
    let last = quads.len().saturating_sub(1);
    for (n, quad) in quads.iter().enumerate() {
        let pad = quad.iter().rev().take_while(|b| **b == b'=').count();
        ensure(pad <= 2 && (pad == 0 || n == last), "padding out of its place")?;
        let mut bits = 0_u32;
        for b in quad.iter().take(4_usize.saturating_sub(pad)) {
            bits = (bits << 6) | sextet(*b)?;
        }
        bits <<= [0, 6, 12].get(pad).copied().unwrap_or(0);
        let [_, bytes @ ..] = bits.to_be_bytes();
        let (kept, over) = bytes.split_at_checked(3_usize.saturating_sub(pad)).unwrap_or((&bytes, &[]));
        ensure(over.iter().all(|b| *b == 0), "base64 with bits left over")?;
        out.extend_from_slice(kept);
    }
    Ok(out)
}

/// N bytes out of base64.
///
/// # Errors
/// As [`unbase64`], and another length.
pub fn unbase64_of<const N: usize>(text: &str) -> Result<[u8; N]> {
    match unbase64(text)?.try_into() {
        Ok(array) => Ok(array),
        Err(_) => refuse("base64 of another length"),
    }
}

/// Base64 with padding.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0_u8; 4];
        for (to, from) in group.iter_mut().skip(1).zip(chunk) {
            *to = *from;
        }
        let bits = u32::from_be_bytes(group);
        for (n, shift) in [18_u32, 12, 6, 0].into_iter().enumerate() {
            let at = usize::try_from((bits >> shift) & 63).unwrap_or(0);
            let character = if n > chunk.len() { b'=' } else { ALPHABET.get(at).copied().unwrap_or(b'=') };
            out.push(char::from(character));
        }
    }
    out
}

/// Whether this is a C2SP key name: not empty, no white space, no plus, nothing below U+0020.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| !c.is_whitespace() && c != '+' && c >= ' ')
}

/// A name, a slash and 32 hexadecimal digits (1.4).
#[must_use]
pub fn is_origin(text: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    text.rsplit_once('/')
        .is_some_and(|(name, digits)| is_key_name(name) && digits.len() == 32 && digits.chars().all(is_digit))
}

/// The lines of a text, each of which ends in U+000A.
///
/// # Errors
/// A last line without its end.
pub fn lines(text: &str) -> Result<impl Iterator<Item = &str>> {
    match text.strip_suffix('\n') {
        Some(body) => Ok(body.split('\n')),
        None => refuse("a line without its end"),
    }
}

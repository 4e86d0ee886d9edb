//! Heads and tokens, as others keep them.

use super::maker::{Hash, ORIGIN};
use super::{pair, public, witness};
use tapeaudit_core::sign::{KeyType, VerifierKey};
use tapeaudit_core::text::base64;

pub fn log_key() -> VerifierKey {
    VerifierKey { name: ORIGIN.into(), of: KeyType::Log, key: public(&[1; 32]) }
}

pub fn witnesses() -> [VerifierKey; 2] {
    [witness("w1.example", &[0x15; 32]), witness("w2.example", &[0x16; 32])]
}

fn text_of(note: &[u8]) -> String {
    let whole = String::from_utf8(note.to_vec()).unwrap();
    whole[..=whole.find("\n\n").unwrap()].into()
}

fn with_line(mut note: Vec<u8>, key: &VerifierKey, mut bytes: Vec<u8>, good: bool) -> Vec<u8> {
    if !good {
        bytes[20] ^= 1;
    }
    let all = [&key.id()[..], &bytes].concat();
    note.extend(format!("\u{2014} {} {}\n", key.name, base64(&all)).into_bytes());
    note
}

/// A note with one line more of a key of the log, which holds or does not.
pub fn signed_too(note: Vec<u8>, seed: u8, good: bool) -> Vec<u8> {
    let key = VerifierKey { name: ORIGIN.into(), of: KeyType::Log, key: public(&[seed; 32]) };
    let signature = pair(&[seed; 32]).sign(text_of(&note).as_bytes()).to_bytes();
    with_line(note, &key, signature.to_vec(), good)
}

/// A note with one line more of the second witness, which holds or does not.
pub fn cosigned_too(note: Vec<u8>, good: bool) -> Vec<u8> {
    let message = format!("cosignature/v1\ntime 1700000300\n{}", text_of(&note));
    let signature = pair(&[0x16; 32]).sign(message.as_bytes()).to_bytes();
    let bytes = [&1_700_000_300_u64.to_be_bytes()[..], &signature].concat();
    with_line(note, &witnesses()[1], bytes, good)
}

/// A head: signed by a seed, with cosignatures of these witnesses.
pub fn head(size: u64, root: &Hash, seed: u8, witnesses: &[(u8, u64)]) -> Vec<u8> {
    let text = format!("{ORIGIN}\n{size}\n{}\n", base64(root));
    let mut note = format!("{text}\n");
    let mut line = |key: &VerifierKey, bytes: &[u8]| {
        let all = [&key.id()[..], bytes].concat();
        note.push_str(&format!("\u{2014} {} {}\n", key.name, base64(&all)));
    };
    let own = VerifierKey { name: ORIGIN.into(), of: KeyType::Log, key: public(&[seed; 32]) };
    line(&own, &pair(&[seed; 32]).sign(text.as_bytes()).to_bytes());
    for (n, time) in witnesses {
        let name = if *n == 0x15 { "w1.example" } else { "w2.example" };
        let message = format!("cosignature/v1\ntime {time}\n{text}");
        let signature = pair(&[*n; 32]).sign(message.as_bytes()).to_bytes();
        line(&witness(name, &[*n; 32]), &[&time.to_be_bytes()[..], &signature].concat());
    }
    note.into_bytes()
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = match body.len() {
        0..=0x7f => vec![body.len() as u8],
        0x80..=0xff => vec![0x81, body.len() as u8],
        n => vec![0x82, (n >> 8) as u8, n as u8],
    };
    [&[tag][..], &length, &body].concat()
}

/// As much of a token as is read without roots.
pub fn token(imprint: &Hash, time: &str) -> Vec<u8> {
    token_with(imprint, time, &[], &der(0x31, &[]))
}

/// A token with any bytes behind its time, and any behind its content.
pub fn token_with(imprint: &Hash, time: &str, after_time: &[u8], after_content: &[u8]) -> Vec<u8> {
    let sha = der(0x30, &[&der(6, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]]), &der(5, &[])]);
    let info = der(
        0x30,
        &[
            &der(2, &[&[1]]),
            &der(6, &[&[0x2a, 3]]),
            &der(0x30, &[&sha, &der(4, &[imprint])]),
            &der(2, &[&[9]]),
            &der(0x18, &[time.as_bytes()]),
            after_time,
        ],
    );
    let content = der(
        0x30,
        &[&der(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4]]), &der(0xa0, &[&der(4, &[&info])])],
    );
    let signed = der(0x30, &[&der(2, &[&[3]]), &der(0x31, &[&sha]), &content, after_content]);
    der(0x30, &[&der(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2]]), &der(0xa0, &[&signed])])
}

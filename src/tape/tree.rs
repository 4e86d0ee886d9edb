//! Leaf inputs of the frame tree: envelope and payload committed apart, each with its own salt.

use super::frame::FrameParts;
use crate::codec::cbor::{Writer, encode};
use crate::codec::digest::Hasher;

/// The two salts of one frame.
#[derive(Clone, Copy)]
pub struct FrameSalt {
    /// Salt of the envelope digest.
    pub envelope: [u8; 32],
    /// Salt of the payload digest.
    pub payload: [u8; 32],
}

/// The bytes that are the frame's leaf (`docs/format/2-tape.md` 2.1); hashed by RFC 6962 rules.
#[must_use]
pub fn frame_leaf(parts: &FrameParts<'_>, salt: &FrameSalt) -> Vec<u8> {
    let envelope = salted("immutape/frame/1/envelope", parts.seq, &salt.envelope, &parts.envelope());
    let payload = salted("immutape/frame/1/payload", parts.seq, &salt.payload, parts.payload);
    leaf_of_digests(parts.seq, &envelope, &payload)
}

/// The leaf when one or both sides are known by digest only.
#[must_use]
pub fn leaf_of_digests(seq: u64, envelope: &[u8; 32], payload: &[u8; 32]) -> Vec<u8> {
    let mut w = Writer::with_capacity(100);
    w.array(4);
    w.text("immutape/frame/1");
    w.uint(seq);
    w.bytes(envelope);
    w.bytes(payload);
    w.finish()
}

fn salted(label: &str, seq: u64, salt: &[u8; 32], content: &[u8]) -> [u8; 32] {
    let mut h = Hasher::new();
    h.update(&encode(|w| {
        w.array(4);
        w.text(label);
        w.uint(seq);
        w.bytes(salt);
    }));
    h.update(&byte_string_head(content.len()));
    h.update(content);
    h.finish()
}

/// Head of a byte string of `len` bytes, so that a long payload is hashed without being copied.
pub(super) fn byte_string_head(len: usize) -> Vec<u8> {
    let mut head = Vec::with_capacity(9);
    let value = len as u64;
    match value {
        0..=23 => head.push(0x40 | len as u8),
        24..=0xff => head.extend_from_slice(&[0x58, len as u8]),
        0x100..=0xffff => {
            head.push(0x59);
            head.extend_from_slice(&(len as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            head.push(0x5a);
            head.extend_from_slice(&(len as u32).to_be_bytes());
        }
        _ => {
            head.push(0x5b);
            head.extend_from_slice(&value.to_be_bytes());
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_is_the_codecs() {
        for len in [0usize, 23, 24, 255, 256, 65_535, 65_536] {
            let whole = encode(|w| w.bytes(&vec![0; len]));
            assert_eq!(byte_string_head(len), whole[..whole.len() - len], "{len}");
        }
    }
}

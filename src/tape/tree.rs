//! Leaf inputs of the frame tree: envelope and payload committed apart, each with its own salt.

use super::frame::FrameParts;
use crate::codec::cbor::Writer;
use crate::codec::digest::{sha256, sha256_parts};

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
    let mut w = Writer::with_capacity(parts.envelope_bytes().saturating_add(SALTED_FRONT_BYTES_MAX));
    write_frame_leaf(&mut w, parts, salt);
    w.finish()
}

/// [`frame_leaf`] in a buffer that is used again; what it held is gone.
pub fn write_frame_leaf(w: &mut Writer, parts: &FrameParts<'_>, salt: &FrameSalt) {
    w.clear();
    write_salted_front(w, "immutape/frame/1/envelope", parts.seq, &salt.envelope, parts.envelope_bytes());
    parts.write_envelope(w);
    let envelope = sha256(w.as_slice());
    w.clear();
    write_salted_front(w, "immutape/frame/1/payload", parts.seq, &salt.payload, parts.payload.len());
    // A long payload is hashed where it lies.
    let payload = sha256_parts(&[w.as_slice(), parts.payload]);
    w.clear();
    write_leaf(w, parts.seq, &envelope, &payload);
}

/// Salted digest of an envelope, for who has it without its frame.
#[must_use]
pub fn salted_envelope(seq: u64, salt: &[u8; 32], envelope: &[u8]) -> [u8; 32] {
    salted("immutape/frame/1/envelope", seq, salt, envelope)
}

/// Salted digest of a payload.
#[must_use]
pub fn salted_payload(seq: u64, salt: &[u8; 32], payload: &[u8]) -> [u8; 32] {
    salted("immutape/frame/1/payload", seq, salt, payload)
}

fn salted(label: &str, seq: u64, salt: &[u8; 32], content: &[u8]) -> [u8; 32] {
    let mut w = Writer::with_capacity(SALTED_FRONT_BYTES_MAX);
    write_salted_front(&mut w, label, seq, salt, content.len());
    sha256_parts(&[w.as_slice(), content])
}

/// The leaf when one or both sides are known by digest only.
#[must_use]
pub fn leaf_of_digests(seq: u64, envelope: &[u8; 32], payload: &[u8; 32]) -> Vec<u8> {
    let mut w = Writer::with_capacity(100);
    write_leaf(&mut w, seq, envelope, payload);
    w.finish()
}

fn write_leaf(w: &mut Writer, seq: u64, envelope: &[u8; 32], payload: &[u8; 32]) {
    w.array(4);
    w.text("immutape/frame/1");
    w.uint(seq);
    w.bytes(envelope);
    w.bytes(payload);
}

/// Array head, label, number, salt and head of the content, at their longest.
const SALTED_FRONT_BYTES_MAX: usize = 80;

/// What a salted digest hashes before the content: `[label, seq, salt, content]` up to the content's own bytes.
fn write_salted_front(w: &mut Writer, label: &str, seq: u64, salt: &[u8; 32], content_bytes: usize) {
    w.array(4);
    w.text(label);
    w.uint(seq);
    w.bytes(salt);
    w.bytes_head(content_bytes);
}

#[cfg(test)]
mod tests {
    use crate::tape::{Direction, Frame};

    #[test]
    fn length_of_a_frame_is_known_before_it_is_encoded() {
        for len in [0usize, 23, 24, 255, 256, 65_535, 65_536] {
            let frame = Frame::message(0, Direction::Internal, vec![0; len]);
            let parts = frame.parts().unwrap();
            assert_eq!(parts.encoded_bytes(), parts.encode().len(), "{len}");
            assert_eq!(parts.envelope_bytes(), parts.envelope().len(), "{len}");
        }
    }
}

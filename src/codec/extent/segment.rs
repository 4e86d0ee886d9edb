//! The header of a segment file.

use super::error::ExtentError;
use super::fields::Fields;
use crate::codec::digest::{Digest, GroupHash, sha256};
use crate::codec::limits::{SECTOR_BYTES, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};

/// First bytes of a segment file.
pub const SEGMENT_MAGIC: [u8; 8] = *b"IMTSEG\x00\x01";
/// Length of a segment's header: one sector.
pub const SEGMENT_HEADER_BYTES: usize = SECTOR_BYTES;

const SEGMENT_HASH_AT: usize = 480;

/// The header of a segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Number of this file, from 1 without gaps.
    pub segment: u64,
    /// Length of the preallocated file in bytes.
    pub file_bytes: u64,
    /// Term of the writer that began it.
    pub term: u64,
    /// Index of the first entry it will hold.
    pub first_index: u64,
    /// Hash of the last group before it; zero in segment 1.
    pub previous_group: GroupHash,
    /// Offset where the previous segment's last group ends; 0 in segment 1.
    pub previous_end: u64,
    /// SHA-256 of torn bytes left behind in the previous segment; zero when there are none.
    pub dropped_hash: Digest,
    /// Length of those torn bytes.
    pub dropped_bytes: u64,
    /// SHA-256 of the ledger's origin text.
    pub origin: Digest,
}

impl SegmentHeader {
    /// Reads and checks a header.
    ///
    /// # Errors
    /// [`ExtentError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ExtentError> {
        let bytes = bytes.get(..SEGMENT_HEADER_BYTES).ok_or(ExtentError::Truncated)?;
        let mut f = Fields::new(bytes);
        f.magic(&SEGMENT_MAGIC)?;
        let header = Self {
            segment: f.u64(),
            file_bytes: f.u64(),
            term: f.u64(),
            first_index: f.u64(),
            previous_group: GroupHash::from_bytes(f.b32()),
            previous_end: f.u64(),
            dropped_hash: Digest::from_bytes(f.b32()),
            dropped_bytes: f.u64(),
            origin: Digest::from_bytes(f.b32()),
        };
        let (front, hash) = bytes.split_at_checked(SEGMENT_HASH_AT).ok_or(ExtentError::Truncated)?;
        if sha256(front) != hash {
            return Err(ExtentError::Hash);
        }
        if front.get(f.at..).is_none_or(|rest| rest.iter().any(|b| *b != 0)) {
            return Err(ExtentError::Reserved);
        }
        let lengths = SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX;
        if !header.file_bytes.is_power_of_two() || !lengths.contains(&header.file_bytes) || header.segment == 0 {
            return Err(ExtentError::Bounds);
        }
        if header.dropped_bytes == 0 && header.dropped_hash.as_ref().iter().any(|b| *b != 0) {
            return Err(ExtentError::Bounds);
        }
        Ok(header)
    }

    /// The 512 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        out.extend_from_slice(&SEGMENT_MAGIC);
        for v in [self.segment, self.file_bytes, self.term, self.first_index] {
            out.extend_from_slice(&v.to_be_bytes());
        }
        out.extend_from_slice(self.previous_group.as_ref());
        out.extend_from_slice(&self.previous_end.to_be_bytes());
        out.extend_from_slice(self.dropped_hash.as_ref());
        out.extend_from_slice(&self.dropped_bytes.to_be_bytes());
        out.extend_from_slice(self.origin.as_ref());
        out.resize(SEGMENT_HASH_AT, 0);
        let hash = sha256(&out);
        out.extend_from_slice(&hash);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_header_round_trip() {
        let h = SegmentHeader {
            segment: 1,
            file_bytes: 1 << 20,
            term: 1,
            first_index: 0,
            previous_group: GroupHash::from_bytes([0; 32]),
            previous_end: 0,
            dropped_hash: Digest::from_bytes([0; 32]),
            dropped_bytes: 0,
            origin: Digest::from_bytes([9; 32]),
        };
        let bytes = h.encode();
        assert_eq!(bytes.len(), 512);
        assert_eq!(SegmentHeader::parse(&bytes), Ok(h));
        for at in 0..512 {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(SegmentHeader::parse(&bad).is_err(), "byte {at}");
        }
        // A hash of no torn bytes: written on purpose, for the header's own hash is right.
        let odd = SegmentHeader { dropped_hash: Digest::from_bytes([7; 32]), ..h };
        assert_eq!(SegmentHeader::parse(&odd.encode()), Err(ExtentError::Bounds));
        let torn = SegmentHeader { dropped_bytes: 512, ..odd };
        assert_eq!(SegmentHeader::parse(&torn.encode()), Ok(torn));
    }
}

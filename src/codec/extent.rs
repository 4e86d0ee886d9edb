//! Framing of what the journal stores: segment headers and group extents, byte for byte
//! (`docs/format/store-embedded.md` sections 2 and 3). Integers are big-endian.
//!
//! The framing lies on the lowest floor because two rooms need it: `log` fills it with entries,
//! `store` recognises whole, torn and damaged extents without knowing what an entry is.

use super::digest::{Digest, GroupHash, LeafHash, RootHash, sha256, sha256_parts};
use super::limits::{GROUP_BYTES_MAX, GROUP_ENTRIES_MAX, SECTOR_BYTES, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};

/// First bytes of a segment file.
pub const SEGMENT_MAGIC: [u8; 8] = *b"IMTSEG\x00\x01";
/// First bytes of a group.
pub const GROUP_MAGIC: [u8; 8] = *b"IMTGRP\x00\x01";
/// Length of a group's header; records follow.
pub const GROUP_HEADER_BYTES: usize = 256;
/// Length of a segment's header: one sector.
pub const SEGMENT_HEADER_BYTES: usize = SECTOR_BYTES;
/// Flag bit: the ledger was closed in order with this group.
pub const FLAG_CLEAN_CLOSE: u32 = 1;

const HASH_AT: usize = 192;
const SEGMENT_HASH_AT: usize = 480;

/// Why bytes are not the framing they should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum ExtentError {
    /// Fewer bytes than the header or the length it declares.
    #[error("the extent is cut off")]
    Truncated,
    /// Other first bytes than the magic.
    #[error("the magic bytes are wrong")]
    Magic,
    /// The magic of a later format.
    #[error("the extent was written in a newer format")]
    NewerFormat,
    /// A declared count or length beyond the limits, or lengths that contradict each other.
    #[error("a declared length or count is out of bounds")]
    Bounds,
    /// A reserved byte or an unknown flag is not zero.
    #[error("reserved bytes are not zero")]
    Reserved,
    /// SHA-256 over the extent differs.
    #[error("the hash over the extent differs")]
    Hash,
    /// The records do not fill the declared body exactly.
    #[error("the records do not fill the body")]
    Records,
}

/// The header of a group of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupHeader {
    /// Number of the writer's turn; grows with each acquisition.
    pub term: u64,
    /// Number of the segment file, from 1.
    pub segment: u64,
    /// Byte offset in the segment file; a multiple of 512.
    pub offset: u64,
    /// Index of the first entry.
    pub first_index: u64,
    /// Number of entries, at least 1.
    pub count: u32,
    /// [`FLAG_CLEAN_CLOSE`] or 0.
    pub flags: u32,
    /// Bytes of records, before padding.
    pub body_bytes: u64,
    /// RFC 6962 root over all entries up to and with this group.
    pub root: RootHash,
    /// Hash of the group before; zero for the first.
    pub previous_group: GroupHash,
    /// Leaf hash of this group's last entry.
    pub last_leaf: LeafHash,
    /// SHA-256 over the whole extent with bytes 192 to 255 taken as zero.
    pub hash: GroupHash,
    /// HMAC-SHA-256 under the journal key over the label and the hash.
    pub mac: [u8; 32],
}

impl GroupHeader {
    /// Entries in the tree after this group.
    #[must_use]
    pub const fn size_after(&self) -> u64 {
        self.first_index.saturating_add(self.count as u64)
    }

    /// Length of the whole extent: header, records, padding to 512.
    #[must_use]
    pub const fn extent_bytes(&self) -> u64 {
        extent_bytes(self.body_bytes)
    }

    /// Was the ledger closed in order with this group?
    #[must_use]
    pub const fn clean_close(&self) -> bool {
        self.flags & FLAG_CLEAN_CLOSE != 0
    }

    /// Reads the header alone: bounds and reserved bytes are checked, the hash is not.
    ///
    /// # Errors
    /// [`ExtentError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ExtentError> {
        let mut f = Fields::new(bytes.get(..GROUP_HEADER_BYTES).ok_or(ExtentError::Truncated)?);
        f.magic(&GROUP_MAGIC)?;
        let header = Self {
            term: f.u64(),
            segment: f.u64(),
            offset: f.u64(),
            first_index: f.u64(),
            count: f.u32(),
            flags: f.u32(),
            body_bytes: f.u64(),
            root: {
                let size_after = f.u64();
                let root = RootHash::from_bytes(f.b32());
                f.check = Some(size_after);
                root
            },
            previous_group: GroupHash::from_bytes(f.b32()),
            last_leaf: LeafHash::from_bytes(f.b32()),
            hash: {
                if f.b32() != [0; 32] {
                    return Err(ExtentError::Reserved);
                }
                GroupHash::from_bytes(f.b32())
            },
            mac: f.b32(),
        };
        if header.flags & !FLAG_CLEAN_CLOSE != 0 {
            return Err(ExtentError::Reserved);
        }
        let sizes_agree = header.first_index.checked_add(u64::from(header.count)) == f.check;
        if header.count == 0
            || header.count as usize > GROUP_ENTRIES_MAX
            || header.extent_bytes() > GROUP_BYTES_MAX as u64
            || !header.offset.is_multiple_of(SECTOR_BYTES as u64)
            || !sizes_agree
        {
            return Err(ExtentError::Bounds);
        }
        Ok(header)
    }

    /// Writes header, records and padding; computes hash and code.
    ///
    /// `hash` and `mac` of `self` are ignored; `mac_of` is given the group hash.
    #[must_use]
    pub fn seal(mut self, records: &[u8], mac_of: impl FnOnce(&GroupHash) -> [u8; 32]) -> (Self, Vec<u8>) {
        self.body_bytes = records.len() as u64;
        let len = usize::try_from(self.extent_bytes()).unwrap_or(usize::MAX);
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(&GROUP_MAGIC);
        for v in [self.term, self.segment, self.offset, self.first_index] {
            out.extend_from_slice(&v.to_be_bytes());
        }
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.flags.to_be_bytes());
        out.extend_from_slice(&self.body_bytes.to_be_bytes());
        out.extend_from_slice(&self.size_after().to_be_bytes());
        out.extend_from_slice(self.root.as_ref());
        out.extend_from_slice(self.previous_group.as_ref());
        out.extend_from_slice(self.last_leaf.as_ref());
        out.resize(GROUP_HEADER_BYTES, 0);
        out.extend_from_slice(records);
        out.resize(len, 0);
        self.hash = GroupHash::from_bytes(sha256(&out));
        self.mac = mac_of(&self.hash);
        for (at, value) in [(HASH_AT, self.hash.as_bytes()), (HASH_AT + 32, &self.mac)] {
            if let Some(place) = out.get_mut(at..at.saturating_add(32)) {
                place.copy_from_slice(value);
            }
        }
        (self, out)
    }
}

/// Length of an extent whose records take `body_bytes`.
#[must_use]
pub const fn extent_bytes(body_bytes: u64) -> u64 {
    body_bytes
        .saturating_add(GROUP_HEADER_BYTES as u64)
        .div_ceil(SECTOR_BYTES as u64)
        .saturating_mul(SECTOR_BYTES as u64)
}

/// A whole group whose hash was checked, or made by [`GroupHeader::seal`].
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    header: GroupHeader,
    front: &'a [u8],
    body: &'a [u8],
}

impl<'a> Group<'a> {
    /// Reads the extent at the start of `bytes` and checks its hash and padding.
    ///
    /// # Errors
    /// [`ExtentError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ExtentError> {
        let header = GroupHeader::parse(bytes)?;
        let len = usize::try_from(header.extent_bytes()).map_err(|_| ExtentError::Bounds)?;
        let extent = bytes.get(..len).ok_or(ExtentError::Truncated)?;
        let (front, rest) = extent.split_at_checked(HASH_AT).ok_or(ExtentError::Truncated)?;
        let rest = rest.get(64..).ok_or(ExtentError::Truncated)?;
        if sha256_parts(&[front, &[0; 64], rest]) != *header.hash.as_bytes() {
            return Err(ExtentError::Hash);
        }
        Self::of_sealed(header, extent)
    }

    /// The group that [`GroupHeader::seal`] gave out as `header` and `extent`: its hash is not computed again.
    ///
    /// # Errors
    /// [`ExtentError::Truncated`], [`ExtentError::Bounds`].
    pub fn of_sealed(header: GroupHeader, extent: &'a [u8]) -> Result<Self, ExtentError> {
        let body_len = usize::try_from(header.body_bytes).map_err(|_| ExtentError::Bounds)?;
        let (front, rest) = extent.split_at_checked(GROUP_HEADER_BYTES).ok_or(ExtentError::Truncated)?;
        let (body, padding) = rest.split_at_checked(body_len).ok_or(ExtentError::Truncated)?;
        if padding.iter().any(|b| *b != 0) {
            return Err(ExtentError::Reserved);
        }
        Ok(Self { header, front, body })
    }

    /// The bytes of the header.
    #[must_use]
    pub const fn header_bytes(&self) -> &'a [u8] {
        self.front
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &GroupHeader {
        &self.header
    }

    /// The records: public and sealed half of each entry.
    pub fn records(&self) -> Records<'a> {
        Records { left: self.body, count: self.header.count, failed: false }
    }
}

/// Iterator over the records of a group. An error ends it.
pub struct Records<'a> {
    left: &'a [u8],
    count: u32,
    failed: bool,
}

impl<'a> Iterator for Records<'a> {
    /// Public half, sealed half.
    type Item = Result<(&'a [u8], &'a [u8]), ExtentError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.count == 0 {
            self.failed = true;
            return if self.left.is_empty() { None } else { Some(Err(ExtentError::Records)) };
        }
        self.count = self.count.saturating_sub(1);
        let record = split_record(self.left);
        match record {
            Some((public, sealed, rest)) => {
                self.left = rest;
                Some(Ok((public, sealed)))
            }
            None => {
                self.failed = true;
                Some(Err(ExtentError::Records))
            }
        }
    }
}

/// Splits the first record off: public half, sealed half, the rest.
#[must_use]
pub fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (public_len, rest) = bytes.split_first_chunk::<4>()?;
    let (sealed_len, rest) = rest.split_first_chunk::<4>()?;
    let (public, rest) = rest.split_at_checked(u32::from_be_bytes(*public_len) as usize)?;
    let (sealed, rest) = rest.split_at_checked(u32::from_be_bytes(*sealed_len) as usize)?;
    Some((public, sealed, rest))
}

/// Appends one record.
pub fn push_record(out: &mut Vec<u8>, public: &[u8], sealed: &[u8]) {
    // Both lengths are bounded by ENTRY_BYTES_MAX and SEALED_BYTES_MAX long before this line.
    out.extend_from_slice(&u32::try_from(public.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(public);
    out.extend_from_slice(sealed);
}

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

/// Fixed-width fields of a slice whose length was checked by the caller; past its end, zeros.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    check: Option<u64>,
}

impl<'a> Fields<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, check: None }
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let end = self.at.saturating_add(N);
        let part = self.bytes.get(self.at..end).and_then(|b| b.try_into().ok()).unwrap_or([0; N]);
        self.at = end;
        part
    }

    fn magic(&mut self, wanted: &[u8; 8]) -> Result<(), ExtentError> {
        let found: [u8; 8] = self.take();
        if found == *wanted {
            Ok(())
        } else if found.get(..6) == wanted.get(..6) {
            Err(ExtentError::NewerFormat)
        } else {
            Err(ExtentError::Magic)
        }
    }

    fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }
    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }
    fn b32(&mut self) -> [u8; 32] {
        self.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> GroupHeader {
        GroupHeader {
            term: 3,
            segment: 2,
            offset: 512,
            first_index: 7,
            count: 2,
            flags: 0,
            body_bytes: 0,
            root: RootHash::from_bytes([1; 32]),
            previous_group: GroupHash::from_bytes([2; 32]),
            last_leaf: LeafHash::from_bytes([3; 32]),
            hash: GroupHash::from_bytes([0; 32]),
            mac: [0; 32],
        }
    }

    fn extent() -> Vec<u8> {
        let mut records = Vec::new();
        push_record(&mut records, b"public one", b"sealed one");
        push_record(&mut records, b"public two", b"");
        header().seal(&records, |h| sha256(h.as_ref())).1
    }

    #[test]
    fn round_trip_and_every_byte_counts() {
        let bytes = extent();
        let group = Group::parse(&bytes).unwrap();
        let records: Vec<_> = group.records().collect::<Result<_, _>>().unwrap();
        assert_eq!(records, vec![(&b"public one"[..], &b"sealed one"[..]), (&b"public two"[..], &b""[..])]);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x40;
            // The code (224..256) is checked by who holds the journal key; everything else is under the hash.
            assert_eq!(Group::parse(&bad).is_err(), !(224..256).contains(&at), "byte {at}");
        }
    }

    #[test]
    fn names_each_fault() {
        let mut newer = extent();
        newer[7] = 2;
        assert_eq!(Group::parse(&newer).unwrap_err(), ExtentError::NewerFormat);
        let mut magic = extent();
        magic[0] = 0;
        assert_eq!(Group::parse(&magic).unwrap_err(), ExtentError::Magic);
        let mut flags = extent();
        flags[47] = 2;
        assert_eq!(Group::parse(&flags).unwrap_err(), ExtentError::Reserved);
        let mut count = extent();
        count[43] = 9;
        assert_eq!(Group::parse(&count).unwrap_err(), ExtentError::Bounds);
        assert_eq!(Group::parse(&extent()[..300]).unwrap_err(), ExtentError::Truncated);
        let (_, short) = GroupHeader { count: 3, ..header() }.seal(b"", |_| [0; 32]);
        assert_eq!(Group::parse(&short).unwrap().records().next(), Some(Err(ExtentError::Records)));
    }

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

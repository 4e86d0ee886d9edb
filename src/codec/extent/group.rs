//! A group of entries: header, records, padding.

use super::error::ExtentError;
use super::fields::Fields;
use super::records::Records;
use crate::codec::digest::{GroupHash, LeafHash, RootHash, sha256, sha256_parts};
use crate::codec::limits::{GROUP_BYTES_MAX, GROUP_ENTRIES_MAX, SECTOR_BYTES};

/// First bytes of a group.
pub const GROUP_MAGIC: [u8; 8] = *b"IMTGRP\x00\x01";
/// Length of a group's header; records follow.
pub const GROUP_HEADER_BYTES: usize = 256;
/// Flag bit: the ledger was closed in order with this group.
pub const FLAG_CLEAN_CLOSE: u32 = 1;

const HASH_AT: usize = 192;

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
        let [term, segment, offset, first_index] = [f.u64(), f.u64(), f.u64(), f.u64()];
        let [count, flags] = [f.u32(), f.u32()];
        let [body_bytes, size_after] = [f.u64(), f.u64()];
        let root = RootHash::from_bytes(f.b32());
        let previous_group = GroupHash::from_bytes(f.b32());
        let last_leaf = LeafHash::from_bytes(f.b32());
        let reserved = f.b32();
        let hash = GroupHash::from_bytes(f.b32());
        let mac = f.b32();
        if reserved != [0; 32] || flags & !FLAG_CLEAN_CLOSE != 0 {
            return Err(ExtentError::Reserved);
        }
        let header = Self {
            term,
            segment,
            offset,
            first_index,
            count,
            flags,
            body_bytes,
            root,
            previous_group,
            last_leaf,
            hash,
            mac,
        };
        let sizes_agree = header.first_index.checked_add(u64::from(header.count)) == Some(size_after);
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
        Records::of(self.body, self.header.count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::push_record;
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
}

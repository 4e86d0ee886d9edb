//! The two fixed headers of a pack file, byte for byte. Integers are big-endian.

use crate::codec::digest::{Digest, ObjectDigest, sha256};
use crate::store::contracts::{Protection, ProtectionMode};

/// First bytes of a pack: the name and version 1.
pub const PACK_MAGIC: [u8; 8] = *b"IMTPAC\x00\x01";
/// First bytes of every record.
pub const RECORD_MAGIC: [u8; 4] = *b"IMTO";
/// Length of the header of a pack.
pub const PACK_HEADER_BYTES: usize = 64;
/// Length of the header of a record; the bytes of an object follow it.
pub const RECORD_HEADER_BYTES: usize = 64;

const PACK_CHECKED_BYTES: usize = 48;
const RECORD_CHECKED_BYTES: usize = 56;
const MAGIC_NAME_BYTES: usize = 6;

/// Why bytes are not the header they should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum RecordError {
    /// Fewer bytes than a header, or than the object it declares.
    #[error("it is cut off by the end of the file")]
    Truncated,
    /// Other first bytes than the magic.
    #[error("no record begins here")]
    Magic,
    /// The header's own check bytes differ.
    #[error("the check bytes of the header are wrong")]
    Check,
    /// A version, a record type or a protection mode of a later format.
    #[error("it was written in a newer format")]
    NewerFormat,
    /// A reserved byte is not zero although the check bytes are right.
    #[error("reserved bytes are not zero")]
    Reserved,
}

/// The first 64 bytes of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackHeader {
    /// Number of this file, from 1.
    pub number: u64,
    /// SHA-256 of the ledger's origin text.
    pub origin: Digest,
}

impl PackHeader {
    /// Reads and checks a header.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let bytes = bytes.get(..PACK_HEADER_BYTES).ok_or(RecordError::Truncated)?;
        let (checked, check) = bytes.split_at_checked(PACK_CHECKED_BYTES).ok_or(RecordError::Truncated)?;
        let (magic, rest) = checked.split_first_chunk::<8>().ok_or(RecordError::Truncated)?;
        if *magic != PACK_MAGIC {
            let same_name = magic.get(..MAGIC_NAME_BYTES) == PACK_MAGIC.get(..MAGIC_NAME_BYTES);
            // A later version says so only under right check bytes; otherwise a flipped bit would pass for one.
            let is_newer = same_name && sha256(checked).starts_with(check);
            return Err(if is_newer { RecordError::NewerFormat } else { RecordError::Magic });
        }
        if !sha256(checked).starts_with(check) {
            return Err(RecordError::Check);
        }
        let (number, origin) = rest.split_first_chunk::<8>().ok_or(RecordError::Truncated)?;
        let origin = Digest::from_slice(origin).ok_or(RecordError::Truncated)?;
        Ok(Self { number: u64::from_be_bytes(*number), origin })
    }

    /// The 64 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(PACK_HEADER_BYTES);
        out.extend_from_slice(&PACK_MAGIC);
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(self.origin.as_ref());
        let check = sha256(&out);
        out.extend(check.iter().take(PACK_HEADER_BYTES.saturating_sub(PACK_CHECKED_BYTES)));
        out
    }
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordType {
    /// An object; its bytes follow.
    Object = 1,
    /// The protection of an object of any pack was raised.
    Raised = 2,
    /// An object of any pack was discarded.
    Discarded = 3,
}

/// The 64 bytes before an object, or a whole record of the other types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// What it says.
    pub kind: RecordType,
    /// The protection from here on.
    pub protection: Protection,
    /// Length of the object it names.
    pub bytes: u64,
    /// SHA-256 of that object.
    pub digest: ObjectDigest,
}

impl RecordHeader {
    /// Reads and checks a header.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let bytes = bytes.get(..RECORD_HEADER_BYTES).ok_or(RecordError::Truncated)?;
        let (checked, check) = bytes.split_at_checked(RECORD_CHECKED_BYTES).ok_or(RecordError::Truncated)?;
        let (magic, rest) = checked.split_first_chunk::<4>().ok_or(RecordError::Truncated)?;
        if *magic != RECORD_MAGIC {
            return Err(RecordError::Magic);
        }
        if !sha256(checked).starts_with(check) {
            return Err(RecordError::Check);
        }
        let ([kind, mode, reserved @ ..], rest) = rest.split_first_chunk::<4>().ok_or(RecordError::Truncated)?;
        let (until_ms, rest) = rest.split_first_chunk::<8>().ok_or(RecordError::Truncated)?;
        let (length, digest) = rest.split_first_chunk::<8>().ok_or(RecordError::Truncated)?;
        let kind = match kind {
            1 => RecordType::Object,
            2 => RecordType::Raised,
            3 => RecordType::Discarded,
            _ => return Err(RecordError::NewerFormat),
        };
        let mode = match mode {
            1 => ProtectionMode::Worm,
            2 => ProtectionMode::Retained,
            _ => return Err(RecordError::NewerFormat),
        };
        if *reserved != [0, 0] {
            return Err(RecordError::Reserved);
        }
        Ok(Self {
            kind,
            protection: Protection { mode, until_ms: u64::from_be_bytes(*until_ms) },
            bytes: u64::from_be_bytes(*length),
            digest: ObjectDigest::from_slice(digest).ok_or(RecordError::Truncated)?,
        })
    }

    /// The 64 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(RECORD_HEADER_BYTES);
        self.push(&mut out);
        out
    }

    /// Header and object in one piece, so that a kill between two writes cannot part them.
    #[must_use]
    pub fn encode_with(&self, object: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(RECORD_HEADER_BYTES.saturating_add(object.len()));
        self.write_with(object, &mut out);
        out
    }

    /// The same, behind what `out` holds.
    pub fn write_with(&self, object: &[u8], out: &mut Vec<u8>) {
        self.push(out);
        out.extend_from_slice(object);
    }

    /// How many bytes of the pack follow the header.
    #[must_use]
    pub const fn body_bytes(&self) -> u64 {
        match self.kind {
            RecordType::Object => self.bytes,
            RecordType::Raised | RecordType::Discarded => 0,
        }
    }

    fn push(&self, out: &mut Vec<u8>) {
        let mut checked = Vec::with_capacity(RECORD_CHECKED_BYTES);
        checked.extend_from_slice(&RECORD_MAGIC);
        checked.extend_from_slice(&[self.kind as u8, self.protection.mode as u8, 0, 0]);
        checked.extend_from_slice(&self.protection.until_ms.to_be_bytes());
        checked.extend_from_slice(&self.bytes.to_be_bytes());
        checked.extend_from_slice(self.digest.as_ref());
        let check = sha256(&checked);
        out.extend_from_slice(&checked);
        out.extend(check.iter().take(RECORD_HEADER_BYTES.saturating_sub(RECORD_CHECKED_BYTES)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> RecordHeader {
        RecordHeader {
            kind: RecordType::Object,
            protection: Protection { mode: ProtectionMode::Retained, until_ms: 1_900_000_000_000 },
            bytes: 5,
            digest: ObjectDigest::from_bytes(sha256(b"hello")),
        }
    }

    /// A header with one byte changed and its check bytes made right again.
    fn rechecked(at: usize, value: u8) -> Vec<u8> {
        let mut bytes = record().encode();
        bytes[at] = value;
        let check = sha256(&bytes[..56]);
        bytes[56..].copy_from_slice(&check[..8]);
        bytes
    }

    #[test]
    fn record_stands_as_the_format_says() {
        let bytes = record().encode_with(b"hello");
        assert_eq!(&bytes[..8], b"IMTO\x01\x02\x00\x00");
        assert_eq!(bytes[8..16], 1_900_000_000_000_u64.to_be_bytes());
        assert_eq!(bytes[16..24], 5_u64.to_be_bytes());
        assert_eq!(bytes[24..56], sha256(b"hello"));
        assert_eq!(bytes[56..64], sha256(&bytes[..56])[..8]);
        assert_eq!(&bytes[64..], b"hello");
        assert_eq!(RecordHeader::parse(&bytes), Ok(record()));
    }

    #[test]
    fn pack_header_stands_as_the_format_says() {
        let header = PackHeader { number: 7, origin: Digest::from_bytes([9; 32]) };
        let bytes = header.encode();
        assert_eq!(&bytes[..8], b"IMTPAC\x00\x01");
        assert_eq!(bytes[8..16], 7_u64.to_be_bytes());
        assert_eq!(bytes[16..48], [9; 32]);
        assert_eq!(bytes[48..], sha256(&bytes[..48])[..16]);
        assert_eq!(PackHeader::parse(&bytes), Ok(header));
    }

    #[test]
    fn every_byte_of_both_headers_counts() {
        let pack = PackHeader { number: 7, origin: Digest::from_bytes([9; 32]) }.encode();
        for (at, bit) in (0..64).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let (mut p, mut r) = (pack.clone(), record().encode());
            p[at] ^= 1 << bit;
            r[at] ^= 1 << bit;
            assert!(matches!(PackHeader::parse(&p), Err(RecordError::Magic | RecordError::Check)), "pack byte {at}");
            assert!(
                matches!(RecordHeader::parse(&r), Err(RecordError::Magic | RecordError::Check)),
                "record byte {at}"
            );
        }
    }

    #[test]
    fn each_fault_has_its_name() {
        assert_eq!(RecordHeader::parse(&record().encode()[..63]), Err(RecordError::Truncated));
        assert_eq!(RecordHeader::parse(&rechecked(0, b'J')), Err(RecordError::Magic));
        assert_eq!(RecordHeader::parse(&rechecked(4, 4)), Err(RecordError::NewerFormat));
        assert_eq!(RecordHeader::parse(&rechecked(5, 3)), Err(RecordError::NewerFormat));
        assert_eq!(RecordHeader::parse(&rechecked(7, 1)), Err(RecordError::Reserved));
        let pack = PackHeader { number: 7, origin: Digest::from_bytes([9; 32]) }.encode();
        assert_eq!(PackHeader::parse(&pack[..10]), Err(RecordError::Truncated));
        let mut newer = pack;
        newer[7] = 2;
        assert_eq!(PackHeader::parse(&newer), Err(RecordError::Magic));
        let check = sha256(&newer[..48]);
        newer[48..].copy_from_slice(&check[..16]);
        assert_eq!(PackHeader::parse(&newer), Err(RecordError::NewerFormat));
    }

    #[test]
    fn only_objects_have_bytes() {
        assert_eq!(record().body_bytes(), 5);
        for kind in [RecordType::Raised, RecordType::Discarded] {
            let header = RecordHeader { kind, ..record() };
            assert_eq!(header.body_bytes(), 0);
            assert_eq!(RecordHeader::parse(&header.encode()), Ok(header));
        }
    }
}

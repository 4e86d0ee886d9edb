//! Segments and groups of the journal (store-embedded, sections 2 to 4). Nothing here needs the journal key.

use crate::digest::{Hash, Hasher, ZERO, hash};
use crate::error::{Result, ensure, refuse};
use alloc::vec::Vec;

/// Longest segment, and shortest.
pub const LENGTHS: core::ops::RangeInclusive<u64> = 1 << 20..=64 << 20;
/// Most bytes of a group with its header.
pub const MOST_GROUP: usize = 8 << 20;
/// Bytes of a sector, of a segment's header, and what groups are aligned to.
pub const SECTOR: usize = 512;
const HEADER: usize = 256;

fn number(bytes: &[u8], at: usize) -> u64 {
    let part = bytes.get(at..at.saturating_add(8)).and_then(|part| <[u8; 8]>::try_from(part).ok());
    part.map_or(0, u64::from_be_bytes)
}

fn short(bytes: &[u8], at: usize) -> u32 {
    let part = bytes.get(at..at.saturating_add(4)).and_then(|part| <[u8; 4]>::try_from(part).ok());
    part.map_or(0, u32::from_be_bytes)
}

fn digest(bytes: &[u8], at: usize) -> Hash {
    bytes.get(at..at.saturating_add(32)).and_then(|part| part.try_into().ok()).unwrap_or(ZERO)
}

/// Whether all of it is zero.
#[must_use]
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| *b == 0)
}

/// Header of a segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Its number.
    pub number: u64,
    /// Length of the file.
    pub length: u64,
    /// Term of the writer that began it.
    pub term: u64,
    /// Index of its first entry.
    pub first: u64,
    /// Hash of the last group before it.
    pub before: Hash,
    /// Where the last whole group of the segment before ends.
    pub end_before: u64,
    /// SHA-256 and number of torn bytes from there on.
    pub torn: (Hash, u64),
    /// H of the origin.
    pub origin: Hash,
}

impl Segment {
    /// Reads the first sector of a segment.
    ///
    /// # Errors
    /// Any other form.
    pub fn read(sector: &[u8]) -> Result<Self> {
        let Some(sector) = sector.first_chunk::<SECTOR>() else { return refuse("a segment that ends in its header") };
        ensure(sector.starts_with(b"IMTSEG\x00\x01"), "no segment of version 1")?;
        let (front, check) = sector.split_at_checked(480).unwrap_or((sector, &[]));
        ensure(hash(front) == digest(check, 0), "a header of a segment that has not its hash")?;
        ensure(is_zero(sector.get(152..480).unwrap_or_default()), "bytes in a header where zeros belong")?;
        let found = Self {
            number: number(sector, 8),
            length: number(sector, 16),
            term: number(sector, 24),
            first: number(sector, 32),
            before: digest(sector, 40),
            end_before: number(sector, 72),
            torn: (digest(sector, 80), number(sector, 112)),
            origin: digest(sector, 120),
        };
        ensure(found.number > 0 && found.term > 0, "a segment or a term without a number")?;
        let length = found.length.is_power_of_two() && LENGTHS.contains(&found.length);
        ensure(length, "a length that no segment has")?;
        Ok(found)
    }
}

/// A group with its records.
pub struct Group<'a> {
    /// Term of its writer.
    pub term: u64,
    /// Where it says that it stands: segment and offset.
    pub place: (u64, u64),
    /// Index of its first entry.
    pub first: u64,
    /// Closed in order with this group.
    pub closed: bool,
    /// Size and root of the tree after it.
    pub after: (u64, Hash),
    /// Hash of the group before.
    pub before: Hash,
    /// Leaf hash of its last entry.
    pub last: Hash,
    /// Its own hash.
    pub hash: Hash,
    /// Public and sealed half of each record.
    pub records: Vec<(&'a [u8], &'a [u8])>,
    /// Bytes from its header to the next group.
    pub extent: usize,
}

/// Bytes of the extent that a group's header declares.
fn extent(header: &[u8]) -> Result<usize> {
    ensure(header.len() >= HEADER && header.starts_with(b"IMTGRP\x00\x01"), "no group of version 1")?;
    let bytes = usize::try_from(number(header, 48)).unwrap_or(usize::MAX);
    let whole = bytes.saturating_add(HEADER).div_ceil(SECTOR).saturating_mul(SECTOR);
    ensure(whole <= MOST_GROUP, "a group over 8 MiB")?;
    Ok(whole)
}

/// The header of a group by itself: what it says keeps the rules that hold wherever it stands. Bytes of its extent, and
/// how many entries it has.
fn header(bytes: &[u8]) -> Result<(usize, u32)> {
    let extent = extent(bytes)?;
    let (count, flags) = (short(bytes, 40), short(bytes, 44));
    ensure((1..=1024).contains(&count) && flags <= 1, "a group of another number of entries or other flags")?;
    ensure(is_zero(bytes.get(160..192).unwrap_or_default()), "bytes in a header where zeros belong")?;
    let size = number(bytes, 32).checked_add(u64::from(count));
    ensure(size == Some(number(bytes, 56)), "a size that is not first and number")?;
    Ok((extent, count))
}

/// The hash that a group says it has, if it has it.
fn hashed(whole: &[u8]) -> Option<Hash> {
    let (front, rest) = whole.split_at_checked(192)?;
    let own = digest(rest, 0);
    let mut hasher = Hasher::new();
    hasher.add(front);
    hasher.add(&[0; 64]);
    hasher.add(rest.get(64..)?);
    Some(own).filter(|own| hasher.done() == *own)
}

impl<'a> Group<'a> {
    /// Reads the group at the front of some bytes.
    ///
    /// # Errors
    /// Anything that is not one.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let Some(whole) = bytes.get(..extent(bytes)?) else { return refuse("a group past the end of its segment") };
        let Some(own) = hashed(whole) else { return refuse("a group that has not its hash") };
        let (extent, count) = header(bytes)?;
        let used = usize::try_from(number(whole, 48)).unwrap_or(usize::MAX);
        let records = whole.get(HEADER..).unwrap_or_default();
        let Some((used, padding)) = records.split_at_checked(used) else {
            return refuse("records past the end of a group");
        };
        ensure(is_zero(padding), "something behind the records of a group")?;
        Ok(Self {
            term: number(whole, 8),
            place: (number(whole, 16), number(whole, 24)),
            first: number(whole, 32),
            closed: short(whole, 44) == 1,
            after: (number(whole, 56), digest(whole, 64)),
            before: digest(whole, 96),
            last: digest(whole, 128),
            hash: own,
            records: split(used, count)?,
            extent,
        })
    }
}

fn split(bytes: &[u8], count: u32) -> Result<Vec<(&[u8], &[u8])>> {
    const OTHER: &str = "records that do not fill their group";
    let (mut rest, mut found) = (bytes, Vec::new());
    for _ in 0..count {
        let (public, sealed) = (short(rest, 0), short(rest, 4));
        ensure(public <= 65_535 && (1..=65_535).contains(&sealed), "a record of another length")?;
        let Some(behind) = rest.get(8..) else { return refuse(OTHER) };
        let Some((entry, behind)) = behind.split_at_checked(public as usize) else { return refuse(OTHER) };
        let Some((half, behind)) = behind.split_at_checked(sealed as usize) else { return refuse(OTHER) };
        found.push((entry, half));
        rest = behind;
    }
    ensure(rest.is_empty(), OTHER)?;
    Ok(found)
}

/// What follows the last whole group of the newest segment.
pub enum Tail {
    /// Nothing: zeros.
    End,
    /// One write of which a sector never arrived: so many bytes.
    Tear(usize),
    /// Anything else.
    Damage,
}

/// What the next group would have been.
pub struct Next {
    /// Number of the segment that ends in the bytes.
    pub segment: u64,
    /// Where the last whole group of it ends; None in a segment whose own header sector is zero.
    pub end: Option<u64>,
    /// Index of its first entry.
    pub first: u64,
    /// Hash of the group before it.
    pub before: Hash,
    /// Its term is at least this one.
    pub term: u64,
}

/// Judges the bytes behind the last whole group, or those of a whole segment without its header (section 4, rules 1 to 4).
#[must_use]
pub fn tail(bytes: &[u8], next: &Next) -> Tail {
    let Some(last) = bytes.iter().rposition(|b| *b != 0) else { return Tail::End };
    // Where in these bytes the group's own header belongs, and where that is in the file.
    let own = if next.end.is_some() { 0 } else { SECTOR };
    let offset = next.end.unwrap_or(SECTOR as u64);
    let group = bytes.get(own..).unwrap_or_default();
    let length = if is_zero(group.get(..SECTOR).unwrap_or(group)) {
        last.saturating_add(1)
    } else {
        let said = (number(group, 16), number(group, 24), number(group, 32));
        let fits = said == (next.segment, offset, next.first) && number(group, 8) >= next.term;
        match header(group) {
            Ok((extent, _)) if fits && digest(group, 96) == next.before => extent.saturating_add(own),
            _ => return Tail::Damage,
        }
    };
    let Some((torn, behind)) = bytes.split_at_checked(length) else { return Tail::Damage };
    let hole = torn.chunks(SECTOR).any(is_zero);
    let start = next.end.unwrap_or(0);
    let so = hole && is_zero(behind) && length <= MOST_GROUP.saturating_add(own);
    if so && !holds_group(bytes, length, own, (next.segment, start)) { Tail::Tear(length) } else { Tail::Damage }
}

/// Most bytes that are hashed in the search for groups in a tear. Ciphertext and hashes do not look like headers of
/// groups; where so much of a tear does, somebody made it so, to have all that follows hashed at every sector.
const MOST_HASHED: usize = 4 * MOST_GROUP;

/// Whether a group that says its own place and has its hash begins in a tear elsewhere than where the torn one belongs, or
/// more seem to than a tear has room for.
fn holds_group(bytes: &[u8], torn: usize, own: usize, (segment, start): (u64, u64)) -> bool {
    let mut left = MOST_HASHED;
    for at in (0..torn).step_by(SECTOR).filter(|at| *at != own) {
        // Its padding may reach past the last byte of the tear that is not zero.
        let rest = bytes.get(at..).unwrap_or_default();
        let here = (number(rest, 16), number(rest, 24)) == (segment, start.saturating_add(at as u64));
        let Some(whole) = extent(rest).ok().filter(|_| here).and_then(|extent| rest.get(..extent)) else { continue };
        let Some(after) = left.checked_sub(whole.len()) else { return true };
        left = after;
        if hashed(whole).is_some() {
            return true;
        }
    }
    false
}

/// Bytes in front of the records of a pack.
pub const PACK_HEADER: u64 = 64;

/// Header of a record in a pack (section 7).
#[derive(Clone, Copy, Debug)]
pub struct PackRecord {
    /// 1 object, 2 protection raised, 3 discarded.
    pub of: u8,
    /// Bytes of the object.
    pub length: u64,
    /// Digest of the object.
    pub digest: Hash,
}

/// What 64 bytes of a pack are that have the check bytes of a record.
pub enum InPack {
    /// A record.
    Record(PackRecord),
    /// One of an unknown type or mode, or with something where zeros belong: a later program's, or damage.
    Unknown,
}

impl PackRecord {
    /// Reads a record's header; None of bytes without its magic and its check bytes.
    #[must_use]
    pub fn read(bytes: &[u8; 64]) -> Option<InPack> {
        let (front, check) = bytes.split_at_checked(56)?;
        if !front.starts_with(b"IMTO") || !hash(front).starts_with(check) {
            return None;
        }
        let (of, mode) = (front.get(4).copied().unwrap_or(0), front.get(5).copied().unwrap_or(0));
        let known = (1..=3).contains(&of) && (1..=2).contains(&mode) && is_zero(front.get(6..8).unwrap_or(&[1]));
        let record = Self { of, length: number(front, 16), digest: digest(front, 24) };
        Some(if known { InPack::Record(record) } else { InPack::Unknown })
    }
}

/// Checks the 64 bytes at the front of a pack.
///
/// # Errors
/// Another number or origin, check bytes that do not fit.
pub fn pack_header(bytes: &[u8; 64], pack: u64, origin: &Hash) -> Result<()> {
    let (front, check) = bytes.split_at_checked(48).unwrap_or((bytes, &[]));
    ensure(bytes.starts_with(b"IMTPAC\x00\x01") && hash(front).starts_with(check), "no pack of version 1")?;
    ensure(number(front, 8) == pack && digest(front, 16) == *origin, "a pack of another number or log")
}

//! The embedded store read by a stranger: files by the names of `store-embedded` 1, the groups of the journal, and the
//! objects of the packs.

use std::collections::BTreeMap;
use std::path::Path;

use super::bytes::{Pieces, Told, ensure, h, hmac, zeros};

/// Every stored file that says something, and the root key's file. Nothing else is looked at.
#[derive(Clone)]
pub struct Stored {
    pub files: BTreeMap<String, Vec<u8>>,
    pub root_key: Vec<u8>,
}

impl Stored {
    /// Reads a ledger folder `L`, its state folder `S` and the file of the vault's root key.
    pub fn read(ledger: &Path, state: &Path, root_key: &Path) -> Told<Self> {
        let mut files = BTreeMap::new();
        for (folder, name) in [(ledger, "L/journal"), (ledger, "L/packs"), (state, "S/vault")] {
            let path = folder.join(&name[2..]);
            let names = std::fs::read_dir(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            for entry in names {
                let file =
                    entry.map_err(|e| e.to_string())?.file_name().into_string().map_err(|_| "a name in no text")?;
                if !file.ends_with(".tmp") {
                    files.insert(format!("{name}/{file}"), bytes_of(&path.join(file))?);
                }
            }
        }
        files.insert("S/head".into(), bytes_of(&state.join("head"))?);
        Ok(Self { files, root_key: bytes_of(root_key)? })
    }

    pub fn file(&self, name: &str) -> Told<&[u8]> {
        self.files.get(name).map(Vec::as_slice).ok_or_else(|| format!("{name} is missing"))
    }

    /// Files that are numbered from 1 without gaps.
    pub fn numbered(&self, folder: &str, ending: &str) -> Told<Vec<&[u8]>> {
        let count = self.files.keys().filter(|name| name.starts_with(folder)).count();
        (1..=count).map(|number| self.file(&format!("{folder}/{number:08}.{ending}"))).collect()
    }
}

fn bytes_of(path: &Path) -> Told<Vec<u8>> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

const SECTOR: usize = 512;

/// A record: both halves of an entry as they are stored.
pub struct Record<'a> {
    pub public: &'a [u8],
    pub sealed: &'a [u8],
}

/// A group that is right by itself and in its place.
pub struct Group<'a> {
    pub term: u64,
    pub first_index: u64,
    pub closed: bool,
    pub size_after: u64,
    pub root_after: [u8; 32],
    pub last_leaf: [u8; 32],
    pub records: Vec<Record<'a>>,
}

/// What the next group must go on from.
#[derive(Default)]
struct Place {
    term: u64,
    index: u64,
    hash: [u8; 32],
    closed: bool,
    /// Where the segment's last group ends; 0 before the first segment.
    end: u64,
}

/// store-embedded 2 and 3: the groups in order. A tear is refused: a ledger that was closed has none at its end.
pub fn groups<'a>(stored: &'a Stored, origin: &str, key: &[u8; 32]) -> Told<Vec<Group<'a>>> {
    let (mut place, mut out) = (Place::default(), Vec::new());
    let segments = stored.numbered("L/journal", "seg")?;
    let begun = segments.iter().rposition(|file| !zeros(file)).map_or(0, |last| last + 1);
    ensure(segments.len() - begun <= 1, "two segments that are not begun")?;
    ensure(segments.iter().all(|file| fits(file)), "a segment of another length")?;
    for (number, file) in (1u64..).zip(&segments[..begun]) {
        let mut header = segment(number, file, &place, origin)?;
        let mut at = SECTOR;
        while file.get(at..).is_some_and(|rest| !zeros(rest)) {
            let (group, after, length) = group(&file[at..], number, at as u64, &place, key)?;
            if let Some(term) = header.take() {
                ensure(term >= place.term && term <= group.term, "term of a segment's header")?;
            }
            (place, at) = (after, at + length);
            out.push(group);
        }
        place.end = at as u64;
    }
    Ok(out)
}

fn fits(file: &[u8]) -> bool {
    file.len().is_power_of_two() && (1 << 20..=64 << 20).contains(&file.len())
}

/// Checks the header of a segment; its term, for the first group to be compared with.
fn segment(number: u64, file: &[u8], place: &Place, origin: &str) -> Told<Option<u64>> {
    let (header, _) = file.split_at_checked(SECTOR).ok_or("a segment shorter than its header")?;
    let mut p = Pieces(header);
    ensure(p.array()? == *b"IMTSEG\x00\x01", "magic of a segment")?;
    ensure(p.u64()? == number, "number of a segment")?;
    ensure(p.u64()? == file.len() as u64, "length of a segment")?;
    let term = p.u64()?;
    ensure(p.u64()? == place.index, "first index of a segment")?;
    ensure(p.array()? == place.hash, "group before a segment")?;
    ensure(p.u64()? == place.end, "end of the segment before")?;
    ensure(zeros(p.take(32)?) && p.u64()? == 0, "a tear, which this reader does not read")?;
    ensure(p.array()? == h(origin), "origin of a segment")?;
    ensure(zeros(p.take(328)?), "zeros of a segment's header")?;
    ensure(p.array()? == h(&header[..480]), "hash of a segment's header")?;
    Ok(Some(term))
}

/// The group in front of `rest`, what comes after it, and the length of its extent.
fn group<'a>(rest: &'a [u8], segment: u64, at: u64, place: &Place, key: &[u8; 32]) -> Told<(Group<'a>, Place, usize)> {
    let mut p = Pieces(rest);
    ensure(p.array()? == *b"IMTGRP\x00\x01", "magic of a group")?;
    let term = p.u64()?;
    ensure(p.u64()? == segment && p.u64()? == at, "place of a group")?;
    let first_index = p.u64()?;
    let (count, flags, records_len) = (p.u32()?, p.u32()?, p.len()?);
    let (size_after, root_after, before, last_leaf) = (p.u64()?, p.array()?, p.array()?, p.array()?);
    ensure(zeros(p.take(32)?), "zeros of a group's header")?;
    let (hash, code): ([u8; 32], [u8; 32]) = (p.array()?, p.array()?);
    let length = records_len.saturating_add(256).next_multiple_of(SECTOR);
    ensure(length <= 8 << 20, "a group of more than 8 MiB")?;
    let extent = rest.get(..length).ok_or("a group past the end of its segment")?;
    ensure(hash == h([&extent[..192], &[0; 64], &extent[256..]].concat()), "hash of a group")?;
    ensure(code == hmac(key, &[&b"immutape/group/1"[..], &hash].concat()), "code of a group")?;
    ensure(first_index == place.index && before == place.hash, "a group that does not follow")?;
    ensure(size_after == first_index + u64::from(count) && (1..=1024).contains(&count), "entries of a group")?;
    ensure(flags <= 1, "flags of a group")?;
    ensure(term > place.term || term == place.term && !place.closed, "term of a group")?;
    let mut left = Pieces(p.take(records_len)?);
    let records = (0..count).map(|_| record(&mut left)).collect::<Told<Vec<_>>>()?;
    ensure(left.0.is_empty(), "bytes behind the records of a group")?;
    ensure(zeros(&extent[256 + records_len..]), "padding of a group")?;
    let closed = flags == 1;
    let after = Place { term, index: size_after, hash, closed, end: 0 };
    Ok((Group { term, first_index, closed, size_after, root_after, last_leaf, records }, after, length))
}

fn record<'a>(left: &mut Pieces<'a>) -> Told<Record<'a>> {
    let (public, sealed) = (left.u32()? as usize, left.u32()? as usize);
    ensure((1..=65_535).contains(&sealed) && public <= 65_535, "lengths of a record")?;
    Ok(Record { public: left.take(public)?, sealed: left.take(sealed)? })
}

/// Objects whose bytes have their digest.
pub type Objects<'a> = BTreeMap<[u8; 32], &'a [u8]>;

/// store-embedded 7. Bytes of no whole record are refused: a ledger that never crashed has none.
pub fn objects<'a>(stored: &'a Stored, origin: &str) -> Told<Objects<'a>> {
    let mut out = Objects::new();
    for (number, file) in (1u64..).zip(stored.numbered("L/packs", "pack")?) {
        let mut left = Pieces(file);
        pack_header(left.take(64)?, number, origin)?;
        while !zeros(left.0) {
            object(&mut left, &mut out)?;
        }
    }
    Ok(out)
}

fn pack_header(bytes: &[u8], number: u64, origin: &str) -> Told<()> {
    let mut p = Pieces(bytes);
    ensure(p.array()? == *b"IMTPAC\x00\x01", "magic of a pack")?;
    ensure(p.u64()? == number, "number of a pack")?;
    ensure(p.array()? == h(origin), "origin of a pack")?;
    ensure(p.0 == &h(&bytes[..48])[..16], "hash of a pack's header")
}

fn object<'a>(left: &mut Pieces<'a>, out: &mut Objects<'a>) -> Told<()> {
    let header = left.take(64)?;
    let mut p = Pieces(header);
    ensure(p.take(4)? == b"IMTO", "magic of a record in a pack")?;
    let [kind, mode, zero_a, zero_b] = p.array()?;
    let (_until, length, digest) = (p.u64()?, p.len()?, p.array()?);
    ensure(p.0 == &h(&header[..56])[..8], "check bytes of a record in a pack")?;
    ensure(matches!(mode, 1 | 2) && zero_a == 0 && zero_b == 0, "mode of a record in a pack")?;
    match kind {
        1 => {
            let bytes = left.take(length)?;
            if h(bytes) == digest {
                out.insert(digest, bytes);
            }
        }
        2 => {}
        3 => drop(out.remove(&digest)),
        _ => return Err("type of a record in a pack".into()),
    }
    Ok(())
}

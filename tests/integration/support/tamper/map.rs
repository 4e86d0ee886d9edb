//! Which bytes of a closed ledger mean what. Read with a parser of its own for everything but packs, whose used
//! ranges the store tells.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use immutape::codec::digest::{CustodyId, ObjectDigest, TapeId};
use immutape::log::{Body, Entry};
use immutape::seal::{Manifest, Statement};

/// A group of the journal, in segment 1.
#[derive(Debug, Clone)]
pub struct GroupSpan {
    /// Header, records and padding.
    pub extent: Range<u64>,
    pub term: u64,
    pub first_index: u64,
    pub entries: Vec<EntrySpan>,
    /// Zeros after the last record, up to the next sector.
    pub padding: Range<u64>,
    pub closes: bool,
}

/// An entry's two halves.
#[derive(Debug, Clone)]
pub struct EntrySpan {
    pub public: Range<u64>,
    pub sealed: Range<u64>,
}

/// What an object of a pack is to a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Manifest,
    Header,
    Chunk(usize),
}

/// A record of a pack.
#[derive(Debug, Clone)]
pub struct RecordSpan {
    /// The 64 bytes before the object.
    pub header: Range<u64>,
    pub body: Range<u64>,
    pub custody: CustodyId,
    pub tape: TapeId,
    pub part: Part,
}

/// A taken slot of the vault's epoch file.
#[derive(Debug, Clone)]
pub struct SlotSpan {
    pub bytes: Range<u64>,
    pub custody: CustodyId,
}

#[derive(Debug, Clone)]
pub struct Map {
    pub segment_bytes: u64,
    pub groups: Vec<GroupSpan>,
    pub pack: PathBuf,
    pub pack_bytes: u64,
    pub records: Vec<RecordSpan>,
    /// From the last record to the end of the pack.
    pub pack_tail: Range<u64>,
    /// The epoch's file, relative to the ledger's root.
    pub epoch: PathBuf,
    pub slots: Vec<SlotSpan>,
    pub epoch_bytes: u64,
    /// Lengths of small files by path relative to the root.
    pub files: BTreeMap<PathBuf, u64>,
}

const SECTOR: u64 = 512;

pub fn u32_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()))
}

pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}

impl Map {
    /// The map of the closed ledger beneath `root`, which has one segment begun and one pack.
    pub fn read(root: &Path) -> Self {
        let segment = fs::read(root.join("ledger/journal/00000001.seg")).unwrap();
        let groups = groups(&segment);
        let pack = PathBuf::from("ledger/packs/00000001.pack");
        assert!(!root.join("ledger/packs/00000002.pack").exists(), "one pack is expected");
        let bytes = fs::read(root.join(&pack)).unwrap();
        let records = records(&bytes, &owners(&segment, &groups, &bytes));
        let tail = records.last().map_or(64, |r| r.body.end)..bytes.len() as u64;
        let (epoch, slots, epoch_bytes) = slots(root);
        let mut files = BTreeMap::new();
        lengths(root, root, &mut files);
        Self {
            segment_bytes: segment.len() as u64,
            groups,
            pack,
            pack_bytes: bytes.len() as u64,
            records,
            pack_tail: tail,
            epoch,
            slots,
            epoch_bytes,
            files,
        }
    }

    /// Entries in the log.
    pub fn size(&self) -> u64 {
        self.groups.last().map_or(0, |g| g.first_index + g.entries.len() as u64)
    }

    /// Where the groups end.
    pub fn journal_end(&self) -> u64 {
        self.groups.last().map_or(SECTOR, |g| g.extent.end)
    }

    pub fn slots_end(&self) -> u64 {
        self.slots.last().map_or(0, |s| s.bytes.end)
    }
}

fn lengths(root: &Path, folder: &Path, out: &mut BTreeMap<PathBuf, u64>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            lengths(root, &path, out);
        } else {
            out.insert(path.strip_prefix(root).unwrap().to_owned(), fs::metadata(&path).unwrap().len());
        }
    }
}

/// Groups follow each other without space between; zeros end them.
pub fn groups(segment: &[u8]) -> Vec<GroupSpan> {
    let mut out = Vec::new();
    let mut at = SECTOR as usize;
    while &segment[at..at + 8] == b"IMTGRP\x00\x01" {
        let (first_index, count) = (u64_at(segment, at + 32), u32_at(segment, at + 40));
        let body = u64_at(segment, at + 48) as usize;
        let mut record = at + 256;
        let mut entries = Vec::new();
        for _ in 0..count {
            let (public, sealed) = (u32_at(segment, record), u32_at(segment, record + 4));
            let start = record as u64 + 8;
            let middle = start + public;
            entries.push(EntrySpan { public: start..middle, sealed: middle..middle + sealed });
            record = (middle + sealed) as usize;
        }
        assert_eq!(record, at + 256 + body, "records fill the group");
        let end = (at + 256 + body).next_multiple_of(SECTOR as usize);
        out.push(GroupSpan {
            extent: at as u64..end as u64,
            term: u64_at(segment, at + 8),
            first_index,
            entries,
            padding: record as u64..end as u64,
            closes: u32_at(segment, at + 44) == 1,
        });
        at = end;
    }
    assert!(segment[at..].iter().all(|b| *b == 0), "zeros follow the last group");
    out
}

/// Which tape each object belongs to, and as what.
fn owners(segment: &[u8], groups: &[GroupSpan], pack: &[u8]) -> BTreeMap<ObjectDigest, (CustodyId, TapeId, Part)> {
    let mut out = BTreeMap::new();
    for span in groups.iter().flat_map(|g| &g.entries) {
        let entry = Entry::decode(&segment[span.public.start as usize..span.public.end as usize]).unwrap();
        let Ok(Body::TapeSaved { statement, .. }) = Body::decode(entry.kind, entry.body) else { continue };
        let statement = Statement::decode(&statement).unwrap();
        let claims = statement.claims();
        out.insert(claims.manifest, (claims.custody, claims.tape, Part::Manifest));
        let at = pack.windows(32).position(|w| w == claims.manifest.as_bytes()).unwrap() - 24;
        let bytes = u64_at(pack, at + 16) as usize;
        let manifest = Manifest::decode(&pack[at + 64..at + 64 + bytes]).unwrap();
        for (n, object) in manifest.objects.iter().enumerate() {
            let part = if n == 0 { Part::Header } else { Part::Chunk(n) };
            out.insert(object.digest, (claims.custody, claims.tape, part));
        }
    }
    out
}

fn records(pack: &[u8], owners: &BTreeMap<ObjectDigest, (CustodyId, TapeId, Part)>) -> Vec<RecordSpan> {
    let mut out = Vec::new();
    let mut at = 64_usize;
    while at + 64 <= pack.len() && &pack[at..at + 4] == b"IMTO" {
        assert_eq!(pack[at + 4], 1, "only objects are stored so far");
        let bytes = u64_at(pack, at + 16) as usize;
        let digest = ObjectDigest::from_slice(&pack[at + 24..at + 56]).unwrap();
        let (custody, tape, part) = owners[&digest];
        let start = at as u64;
        let body = start + 64..start + 64 + bytes as u64;
        at = body.end as usize;
        out.push(RecordSpan { header: start..start + 64, body, custody, tape, part });
    }
    out
}

fn slots(root: &Path) -> (PathBuf, Vec<SlotSpan>, u64) {
    let vault = root.join("state/vault");
    let mut names: Vec<_> = fs::read_dir(&vault).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.retain(|n| n != "generation");
    assert_eq!(names.len(), 1, "one epoch is expected");
    let path = Path::new("state/vault").join(&names[0]);
    let bytes = fs::read(root.join(&path)).unwrap();
    let taken = bytes.chunks(144).enumerate().take_while(|(_, slot)| slot.iter().any(|b| *b != 0));
    let slots = taken.map(|(n, slot)| SlotSpan {
        bytes: n as u64 * 144..(n as u64 + 1) * 144,
        custody: CustodyId::from_slice(&slot[..32]).unwrap(),
    });
    let slots: Vec<_> = slots.collect();
    assert!(bytes[slots.len() * 144..].iter().all(|b| *b == 0), "zeros follow the last slot");
    (path, slots, bytes.len() as u64)
}

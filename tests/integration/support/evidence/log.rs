//! A log in memory, every key of it from a byte.

use std::collections::{BTreeMap, HashMap};

use immutape::codec::digest::{CustodyId, Digest, LeafHash, LedgerId, sha256};
use immutape::log::{Body, Checkpoint, EntryDraft, EntryKind, PrivateHalf, SignedNote, inclusion_path, root_of};
use immutape::seal::{PrivateSealer as _, split_fields};
use immutape::tape::commit;
use immutape::time::Timestamp;

use super::{ORIGIN, PRIVATE, SEEN_S, Seed, witness};

/// An entry with what it keeps closed.
pub struct Logged {
    pub public: Vec<u8>,
    pub leaf: LeafHash,
    pub private: PrivateHalf,
}

/// A log in memory.
#[derive(Default)]
pub struct Log {
    pub entries: Vec<Logged>,
    tips: HashMap<CustodyId, (u64, LeafHash)>,
    /// Added to the time of entries that follow.
    pub later_ms: u64,
    /// What the next entry names as the one before it, in place of that.
    pub previous: Option<LeafHash>,
    /// What the next entry says of those about its subject, in place of that.
    pub subject: Option<(u64, LeafHash)>,
}

pub fn salts(index: u64) -> impl Fn(u64) -> [u8; 32] {
    move |number| sha256(&[index.to_be_bytes(), number.to_be_bytes()].concat())
}

impl Log {
    pub fn append(&mut self, kind: EntryKind, subject: CustodyId, body: &Body, private: PrivateHalf) -> u64 {
        let index = self.entries.len() as u64;
        let map = private.fields().map();
        let commitment = commit(PRIVATE, &salts(index), split_fields(&map).unwrap()).commitment;
        let sealed_digest = Digest::from_bytes(sha256(&map));
        let body = body.encode();
        let draft = EntryDraft { kind, subject, body, commitment, sealed_digest, key_id: [9; 16], sealed: map };
        let zero = LeafHash::from_bytes([0; 32]);
        let previous = self.entries.last().map_or(zero, |last| last.leaf);
        let previous = self.previous.take().unwrap_or(previous);
        let (seq, prev) = self.tips.get(&subject).map_or((0, zero), |(seq, leaf)| (seq + 1, *leaf));
        let (seq, prev) = self.subject.take().unwrap_or((seq, prev));
        let time = Timestamp::from_ms(1_000_000 + index * 1_000 + self.later_ms);
        let (public, leaf) = draft.place(index, &previous, time, seq, &prev).unwrap();
        self.tips.insert(subject, (seq, leaf));
        self.entries.push(Logged { public, leaf, private });
        index
    }

    pub fn ledger(&mut self, kind: EntryKind, body: &Body) -> u64 {
        self.append(kind, CustodyId::LEDGER, body, acted())
    }

    pub fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    pub fn subtree(&self, first: u64, count: u64) -> Option<[u8; 32]> {
        let leaves: Vec<LeafHash> = self.entries.iter().map(|entry| entry.leaf).collect();
        Some(*root_of(leaves.get(first as usize..(first + count) as usize)?).as_bytes())
    }

    pub fn head(&self, size: u64) -> Checkpoint {
        let leaves: Vec<LeafHash> = self.entries.iter().take(size as usize).map(|entry| entry.leaf).collect();
        Checkpoint { origin: ORIGIN.into(), size, root: root_of(&leaves) }
    }

    pub fn note(&self, size: u64) -> String {
        SignedNote::sign(&self.head(size).text(), ORIGIN, &Seed::of(1)).unwrap()
    }

    pub fn cosigned(&self, size: u64) -> String {
        let text = self.head(size).text();
        let line = |byte: u8| witness(byte).cosign(&text, SEEN_S + size + u64::from(byte), &Seed::of(byte)).unwrap();
        self.note(size) + &line(11).to_line() + &line(12).to_line()
    }

    pub fn inclusion(&self, index: u64, size: u64) -> Vec<[u8; 32]> {
        inclusion_path(index, size, &mut |first, count| self.subtree(first, count)).unwrap()
    }

    pub fn ledger_id(&self) -> LedgerId {
        LedgerId::from_bytes(*self.entries[0].leaf.as_bytes())
    }

    /// Public halves as a published tree has them.
    pub fn published(&self, size: u64) -> BTreeMap<String, Vec<u8>> {
        assert!((1..=255).contains(&size), "one tile");
        let entries = || self.entries.iter().take(size as usize);
        let bundle = entries().flat_map(|e| [&(e.public.len() as u16).to_be_bytes()[..], &e.public].concat()).collect();
        let hashes = entries().flat_map(|e| *e.leaf.as_bytes()).collect();
        BTreeMap::from([
            ("checkpoint".to_owned(), self.cosigned(size).into_bytes()),
            (format!("tile/0/000.p/{size}"), hashes),
            (format!("tile/entries/000.p/{size}"), bundle),
        ])
    }
}

/// A private half with something in it.
pub fn acted() -> PrivateHalf {
    let mut private = PrivateHalf::default();
    private.purpose = Some(b"a test".to_vec());
    private.bytes = Some(7);
    private
}

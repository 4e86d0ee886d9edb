//! What an attacker makes who knows the format, and has none, some or all of the keys.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use immutape::codec::digest::{CustodyId, GroupHash, LeafHash, RootHash, sha256};
use immutape::codec::extent::{FLAG_CLEAN_CLOSE, GroupHeader, push_record};
use immutape::keyring::{LocalSigner, VaultKeys, read_root, read_signer};
use immutape::log::{Body, Entry, EntryDraft, Frontier, SignedNote};
use immutape::seal::{JournalKey, Signer as _};
use immutape::store::files::RealFiles;
use immutape::time::Timestamp;

use super::map::{GroupSpan, groups};

const SEGMENT: &str = "ledger/journal/00000001.seg";

/// Both halves of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub public: Vec<u8>,
    pub sealed: Vec<u8>,
}

/// What a group says besides its entries.
#[derive(Debug, Clone, Copy)]
pub struct GroupShape {
    pub term: u64,
    pub count: usize,
    pub closes: bool,
}

/// A journal taken apart, to be put together again otherwise.
#[derive(Debug, Clone)]
pub struct Forge {
    segment: Vec<u8>,
    pub records: Vec<Record>,
    pub groups: Vec<GroupShape>,
    /// Codes of the groups as they were: who changes nothing before a group keeps its code.
    codes: HashMap<GroupHash, [u8; 32]>,
}

/// Size and root of a journal that was put together.
#[derive(Debug, Clone, Copy)]
pub struct Tip {
    pub size: u64,
    pub root: RootHash,
    pub term: u64,
    /// Where its last group starts and ends.
    pub last: (u64, u64),
}

impl Forge {
    pub fn read(root: &Path) -> Self {
        let segment = fs::read(root.join(SEGMENT)).unwrap();
        let spans = groups(&segment);
        let bytes = |range: &std::ops::Range<u64>| segment[range.start as usize..range.end as usize].to_vec();
        let entries = spans.iter().flat_map(|g| &g.entries);
        let records = entries.map(|e| Record { public: bytes(&e.public), sealed: bytes(&e.sealed) }).collect();
        let shape = |g: &GroupSpan| GroupShape { term: g.term, count: g.entries.len(), closes: g.closes };
        let groups = spans.iter().map(shape).collect();
        let codes = spans.iter().map(|g| {
            let header = GroupHeader::parse(&bytes(&g.extent)).unwrap();
            (header.hash, header.mac)
        });
        Self { codes: codes.collect(), segment: segment.clone(), records, groups }
    }

    /// The group that holds entry `index`, and where in it.
    pub fn place(&self, index: usize) -> (usize, usize) {
        let mut first = 0;
        for (n, group) in self.groups.iter().enumerate() {
            if index < first + group.count {
                return (n, index - first);
            }
            first += group.count;
        }
        panic!("no entry {index}");
    }

    /// Takes an entry out, and its group if nothing is left of it.
    pub fn remove(&mut self, index: usize) {
        let (group, _) = self.place(index);
        self.records.remove(index);
        self.groups[group].count -= 1;
        if self.groups[group].count == 0 {
            self.groups.remove(group);
        }
    }

    /// Puts an entry in before `index`, into the group of that one.
    pub fn insert(&mut self, index: usize, record: Record) {
        let (group, _) = self.place(index);
        self.records.insert(index, record);
        self.groups[group].count += 1;
    }

    /// Rewrites an entry; index and links are left to [`Forge::relink`].
    pub fn rewrite(&mut self, index: usize, change: impl FnOnce(&mut EntryDraft, &mut Timestamp)) {
        let record = self.records[index].clone();
        let entry = Entry::decode(&record.public).unwrap();
        let (mut draft, mut time) = (draft_of(&entry, &record.sealed), entry.time);
        change(&mut draft, &mut time);
        let nowhere = LeafHash::from_bytes([0; 32]);
        let (public, _) = draft.place(index as u64, &nowhere, time, 0, &nowhere).unwrap();
        self.records[index] = Record { public, sealed: draft.sealed };
    }

    /// Gives every entry its index, the hash of the one before, and its place in its subject's chain.
    pub fn relink(&mut self) {
        let zero = LeafHash::from_bytes([0; 32]);
        let (mut previous, mut last_time) = (zero, Timestamp::from_ms(0));
        let mut tips: HashMap<CustodyId, (u64, LeafHash)> = HashMap::new();
        for (index, record) in self.records.iter_mut().enumerate() {
            let entry = Entry::decode(&record.public).unwrap();
            let (draft, subject) = (draft_of(&entry, &record.sealed), entry.subject);
            let time = entry.time.max(last_time);
            let (seq, prev) = tips.get(&subject).map_or((0, zero), |(seq, leaf)| (seq + 1, *leaf));
            let (public, leaf) = draft.place(index as u64, &previous, time, seq, &prev).unwrap();
            record.public = public;
            (previous, last_time) = (leaf, time);
            tips.insert(subject, (seq, leaf));
        }
    }

    /// Puts the journal together beneath `root`: every hash is right, and codes are made with `key` if there is one.
    pub fn write(&self, root: &Path, key: Option<&JournalKey>) -> Tip {
        let mut segment = self.segment[..512].to_vec();
        let (mut tree, mut previous) = (Frontier::new(), GroupHash::from_bytes([0; 32]));
        let mut records = self.records.iter();
        let mut last_leaf = LeafHash::from_bytes([0; 32]);
        let mut last = (0, 0);
        for shape in &self.groups {
            let first_index = tree.size();
            let mut body = Vec::new();
            for record in records.by_ref().take(shape.count) {
                last_leaf = immutape::log::leaf_hash(&record.public);
                tree.push(&last_leaf);
                push_record(&mut body, &record.public, &record.sealed);
            }
            let header = GroupHeader {
                term: shape.term,
                segment: 1,
                offset: segment.len() as u64,
                first_index,
                count: shape.count as u32,
                flags: if shape.closes { FLAG_CLEAN_CLOSE } else { 0 },
                body_bytes: 0,
                root: tree.root(),
                previous_group: previous,
                last_leaf,
                hash: previous,
                mac: [0; 32],
            };
            let code = |hash: &GroupHash| match (self.codes.get(hash), key) {
                (Some(code), _) => *code,
                (None, Some(key)) => key.code(hash),
                (None, None) => sha256(b"a guess"),
            };
            let (header, extent) = header.seal(&body, code);
            last = (segment.len() as u64, segment.len() as u64 + extent.len() as u64);
            segment.extend_from_slice(&extent);
            previous = header.hash;
        }
        assert!(records.next().is_none());
        segment.resize(self.segment.len(), 0);
        fs::write(root.join(SEGMENT), segment).unwrap();
        Tip { size: tree.size(), root: tree.root(), term: self.groups.last().unwrap().term, last }
    }
}

fn draft_of(entry: &Entry<'_>, sealed: &[u8]) -> EntryDraft {
    EntryDraft {
        kind: entry.kind,
        subject: entry.subject,
        body: entry.body.to_vec(),
        commitment: entry.commitment,
        sealed_digest: entry.sealed_digest,
        key_id: entry.key_id,
        sealed: sealed.to_vec(),
    }
}

/// The origin that the head beneath `root` names.
pub fn origin(root: &Path) -> String {
    fs::read_to_string(root.join("state/head")).unwrap().lines().next().unwrap().to_owned()
}

/// A key file beneath `root`.
pub fn signer(root: &Path, name: &str) -> LocalSigner {
    read_signer(&RealFiles, &root.join("config").join(name)).unwrap()
}

/// The key of the groups' codes, by way of the vault root.
pub fn journal_key(root: &Path) -> JournalKey {
    let file = fs::read(root.join("state/vault/generation")).unwrap();
    let line = file.iter().position(|b| *b == b'\n').unwrap();
    let vault_root = read_root(&RealFiles, &root.join("config/vault-root.1.key")).unwrap();
    VaultKeys::decode(&file[line + 1..], &origin(root), vault_root).unwrap().journal
}

/// Signs a head file for `tip` with any key; what it says of the vault stays.
pub fn sign_head(root: &Path, key: &LocalSigner, tip: &Tip, state: &str) {
    let origin = origin(root);
    let old = fs::read_to_string(root.join("state/head")).unwrap();
    let vault = old.lines().find(|line| line.starts_with("vault ")).unwrap();
    let encoded = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(tip.root.as_bytes())
    };
    let (size, term) = (tip.size, tip.term);
    let first = format!("{origin}\n{size}\n{encoded}\n");
    let second = format!("immutape/head/1\n{origin}\n{size} {encoded}\n{vault}\nstate {state}\nterm {term}\n");
    let head = [first, second].map(|text| SignedNote::sign(&text, &origin, key).unwrap()).concat();
    fs::write(root.join("state/head"), head).unwrap();
}

/// Changes a closed ledger as somebody with all its keys can, and lets the rows be built from what is left.
pub fn with_all_keys(root: &Path, change: impl FnOnce(&mut Forge)) {
    let mut forged = Forge::read(root);
    change(&mut forged);
    forged.relink();
    let tip = forged.write(root, Some(&journal_key(root)));
    sign_head(root, &signer(root, "checkpoint.pem"), &tip, "closed");
    fs::remove_dir_all(root.join("ledger/index")).unwrap();
}

/// Has entry 0 of a closed ledger name a policy that this program does not know.
pub fn policy_of_a_later_version(root: &Path) {
    with_all_keys(root, |forged| {
        forged.rewrite(0, |draft, _| {
            let Body::Genesis(mut genesis) = Body::decode(draft.kind, &draft.body).unwrap() else { panic!() };
            genesis.policy = "two-persons".into();
            draft.body = Body::Genesis(genesis).encode();
        });
    });
}

/// A key that nobody knows.
pub fn stranger() -> LocalSigner {
    LocalSigner::generate(&immutape::keyring::SeededRandom::new(666)).unwrap()
}

/// The public half of a key.
pub fn public(key: &LocalSigner) -> [u8; 32] {
    key.public_key().to_bytes()
}

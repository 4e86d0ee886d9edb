//! The log read by a stranger: entries, their chain and tree, and the private half of each.

use std::collections::BTreeMap;

use ciborium::Value;

use super::bytes::{Told, blob, blob_of, ensure, field, h, item, labelled, leaf_hash, map, uint, words};
use super::notes;
use super::store::{Group, Record};
use super::vault::{Vault, open_private};

/// What the log says of a tape that was saved.
pub struct Saved {
    pub custody: [u8; 32],
    pub epoch: [u8; 16],
    pub tape: [u8; 32],
    pub manifest: [u8; 32],
}

/// The whole log.
#[derive(Default)]
pub struct Log {
    /// Leaf hash of entry 0.
    pub id: [u8; 32],
    pub origin: String,
    pub checkpoint_key: [u8; 32],
    pub recorder_key: [u8; 32],
    pub leaves: Vec<[u8; 32]>,
    pub last_term: u64,
    pub saved: Vec<Saved>,
    /// How many entries of each kind there are.
    pub kinds: BTreeMap<u64, u64>,
    time: u64,
    last_kind: u64,
    /// Entries about a subject so far, and the leaf hash of its last.
    tips: BTreeMap<[u8; 32], (u64, [u8; 32])>,
    /// Roots of full trees, the largest first, with their numbers of leaves.
    trees: Vec<(u64, [u8; 32])>,
}

/// Checks every entry in its place, and each group's root.
pub fn read(groups: &[Group<'_>], vault: &Vault) -> Told<Log> {
    let mut log = Log::default();
    for group in groups {
        ensure(group.first_index == log.leaves.len() as u64, "index of a group")?;
        for record in &group.records {
            let at = log.leaves.len();
            log.entry(record, vault).map_err(|e| format!("entry {at}: {e}"))?;
        }
        let size = log.leaves.len() as u64;
        ensure(group.size_after == size && group.root_after == log.tree_root(), "tree of a group")?;
        ensure(log.leaves.last() == Some(&group.last_leaf), "last leaf of a group")?;
        let ends = log.last_kind == 2 || size == 1;
        ensure(!group.closed || ends, "a group that says it is the last of its term, and is not")?;
        log.last_term = group.term;
    }
    ensure(groups.last().is_some_and(|group| group.closed), "the log was not closed in order")?;
    Ok(log)
}

impl Log {
    /// 4.1.
    fn entry(&mut self, record: &Record<'_>, vault: &Vault) -> Told<()> {
        let value = item(record.public)?;
        let items = labelled::<12>(&value, "immutape/entry/1")?;
        let [_, index, previous, time, kind, subject, seq, prev, commitment, sealed_digest, key_id, body] = items;
        let (kind, subject, body) = (uint(kind)?, blob_of::<32>(subject)?, map(body)?);
        let last = self.leaves.last().copied().unwrap_or_default();
        ensure(uint(index)? == self.leaves.len() as u64 && blob_of(previous)? == last, "chain")?;
        ensure(uint(time)? >= self.time, "time that falls")?;
        let tip = self.tips.get(&subject).copied().unwrap_or_default();
        ensure((uint(seq)?, blob_of(prev)?) == tip, "chain of a subject")?;
        ensure(kind <= 0x7fff, "a critical kind")?;
        about(kind, subject == [0; 32])?;
        ensure((kind == 0) == self.leaves.is_empty(), "a genesis that is not the first")?;
        ensure(blob_of(sealed_digest)? == h(record.sealed), "digest of the private half")?;
        let private = open_private(vault, &blob_of(key_id)?, kind, &subject, record.sealed, &blob_of(commitment)?)?;
        let leaf = leaf_hash(record.public);
        match kind {
            0 => self.genesis(&body, leaf, vault)?,
            16 => {
                self.tape_saved(&body, subject)?;
                let tape = private.fields()?.get(&7).map(|id| blob_of::<32>(id)).transpose()?;
                ensure(tape.is_none_or(|id| self.saved.last().is_some_and(|s| s.tape == id)), "tape id in private")?;
            }
            _ => {}
        }
        (self.time, self.last_kind) = (uint(time)?, kind);
        self.tips.insert(subject, (tip.0 + 1, leaf));
        self.leaves.push(leaf);
        self.grow(leaf);
        *self.kinds.entry(kind).or_default() += 1;
        Ok(())
    }

    fn genesis(&mut self, body: &BTreeMap<u64, &Value>, leaf: [u8; 32], vault: &Vault) -> Told<()> {
        ensure(uint(field(body, 0)?)? == 1, "another format")?;
        words(field(body, 1)?)?.clone_into(&mut self.origin);
        ensure(self.origin == vault.origin, "a vault of another ledger")?;
        self.checkpoint_key = blob_of(field(body, 2)?)?;
        self.recorder_key = blob_of(field(body, 3)?)?;
        self.id = leaf;
        Ok(())
    }

    fn tape_saved(&mut self, body: &BTreeMap<u64, &Value>, custody: [u8; 32]) -> Told<()> {
        ensure(body.len() == 2 && self.saved.iter().all(|s| s.custody != custody), "a tape saved twice")?;
        let statement = notes::statement(blob(field(body, 0)?)?, self, &custody)?;
        let epoch = blob_of(field(body, 1)?)?;
        self.saved.push(Saved { custody, epoch, tape: statement.tape, manifest: statement.manifest });
        Ok(())
    }

    /// Two trees of one size become one.
    fn grow(&mut self, leaf: [u8; 32]) {
        let mut tree = (1, leaf);
        while let Some((size, left)) = self.trees.pop_if(|(size, _)| *size == tree.0) {
            tree = (2 * size, node(&left, &tree.1));
        }
        self.trees.push(tree);
    }

    fn tree_root(&self) -> [u8; 32] {
        let hashes = self.trees.iter().rev().map(|(_, hash)| *hash);
        hashes.reduce(|right, left| node(&left, &right)).unwrap_or_else(|| h(b""))
    }
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    h([&[1][..], left, right].concat())
}

/// 4.3: is the subject what the kind says?
fn about(kind: u64, ledger: bool) -> Told<()> {
    let fits = match kind {
        0..=6 | 10 | 34 | 35 | 37 => ledger,
        16 | 17 | 24 | 25 | 32 | 33 | 36 | 38 | 39 => !ledger,
        _ => true,
    };
    ensure(fits, "a subject that its kind does not have")
}

//! Published trees, and entries that came after those of a bundle.

use super::Scratch;
use super::maker::{self, Fields, Hash, Parts, ZERO};
use serde_json::{Value, json};
use tapeaudit_core::entry::Entry;
use tapeaudit_core::log::Levels;
use tapeaudit_core::tree;

/// Writes a tree whose head the key of a seed signed; gives its path.
pub fn publish(scratch: &Scratch, name: &str, entries: &[Vec<u8>], bundles: bool, seed: u8) -> Value {
    let n = entries.len() as u64;
    let hashes: Vec<u8> = entries.iter().flat_map(|entry| tree::leaf(entry)).collect();
    scratch.write(&format!("{name}/tile/0/000.p/{n}"), &hashes);
    if bundles {
        let bundle: Vec<u8> =
            entries.iter().flat_map(|entry| [&(entry.len() as u16).to_be_bytes()[..], entry].concat()).collect();
        scratch.write(&format!("{name}/tile/entries/000.p/{n}"), &bundle);
    }
    scratch.write(&format!("{name}/checkpoint"), &maker::head(n, &root(entries), seed, &[]));
    json!(scratch.0.join(name).to_str().unwrap())
}

/// Root over entries.
pub fn root(entries: &[Vec<u8>]) -> Hash {
    let mut levels = Levels::default();
    entries.iter().for_each(|entry| levels.push(tree::leaf(entry)));
    levels.root_at(levels.size()).unwrap()
}

/// One entry more about the ledger.
pub fn append(entries: &mut Vec<Vec<u8>>, kind: u64, body: Vec<u8>) {
    let index = entries.len() as u64;
    let last = Entry::read(entries.last().unwrap()).unwrap();
    let before = entries.iter().rev().map(|entry| Entry::read(entry).unwrap()).find(|entry| entry.of_ledger()).unwrap();
    let parts = Parts {
        index,
        previous: last.leaf,
        time: last.time,
        kind,
        subject: ZERO,
        seq: before.seq + 1,
        subject_prev: before.leaf,
        commitment: Fields(Vec::new()).commitment("immutape/private/1"),
        body,
    };
    let bytes = parts.encode();
    entries.push(bytes);
}

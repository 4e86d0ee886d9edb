//! Rows rewritten by somebody who knows their layout: sled itself notices nothing.

use std::path::Path;

use immutape::catalog::CatalogRow;
use immutape::codec::extent::GroupHeader;

/// The database beneath `root`, open until dropped.
pub struct SledRows(sled::Db);

impl SledRows {
    pub fn open(root: &Path) -> Self {
        let config = sled::Config::new().path(root.join("ledger/index")).flush_every_ms(None);
        Self(config.open().unwrap())
    }

    pub fn get(&self, key: &[u8]) -> Vec<u8> {
        self.0.get(key).unwrap().expect("the row is there").to_vec()
    }

    pub fn put(&self, key: &[u8], value: &[u8]) {
        self.0.insert(key, value).unwrap();
    }

    pub fn remove(&self, key: &[u8]) {
        self.0.remove(key).unwrap().expect("the row is there");
    }

    /// Keys of one kind of row.
    pub fn keys(&self, kind: u8) -> Vec<Vec<u8>> {
        self.0.scan_prefix([kind]).keys().map(|key| key.unwrap().to_vec()).collect()
    }

    /// The group stream: headers (0) and records (1), long ones put together.
    pub fn pieces(&self) -> Vec<(u8, Vec<u8>)> {
        let mut out = Vec::new();
        let mut partial = Vec::new();
        for block in self.0.scan_prefix(b"e").values() {
            for (kind, bytes) in pieces(&block.unwrap()) {
                match kind {
                    0 | 1 => out.push((kind, bytes)),
                    _ => partial.extend_from_slice(&bytes),
                }
                if kind == 3 {
                    out.push((1, std::mem::take(&mut partial)));
                }
            }
        }
        out
    }

    /// Writes the group stream anew, a piece a block; pieces here are short enough.
    pub fn write_pieces(&self, pieces: &[(u8, Vec<u8>)]) {
        for key in self.keys(b'e') {
            self.remove(&key);
        }
        let (mut index, mut part, mut next) = (0_u64, 0_u16, 0_u64);
        for (kind, bytes) in pieces {
            let first = if *kind == 0 { GroupHeader::parse(bytes).unwrap().first_index } else { next };
            part = if first == index { part + 1 } else { 0 };
            (index, next) = (first, if *kind == 0 { first } else { next + 1 });
            let key = [&b"e"[..], &index.to_be_bytes(), &part.to_be_bytes()].concat();
            let block = block(&[(*kind, bytes.clone())]);
            assert!(block.len() <= 4_000, "a longer piece would have to be cut");
            self.put(&key, &block);
        }
    }

    /// The catalogue with other records in the place of each.
    pub fn change_catalogue(&self, change: impl Fn(CatalogRow) -> Vec<CatalogRow>) {
        for key in self.keys(b'c') {
            self.put(&key, &catalogue_block(&self.get(&key), &change));
        }
    }

    pub fn close(self) {
        self.0.flush().unwrap();
    }
}

/// The pieces of a block.
pub fn pieces(block: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut rest = &block[1..];
    let pieces = (0..block[0])
        .map(|_| {
            let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
            let piece = (rest[0], rest[5..5 + length].to_vec());
            rest = &rest[5 + length..];
            piece
        })
        .collect();
    assert!(rest.is_empty());
    pieces
}

/// A block of these pieces.
pub fn block(pieces: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut block = vec![pieces.len() as u8];
    for (kind, bytes) in pieces {
        block.push(*kind);
        block.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        block.extend_from_slice(bytes);
    }
    block
}

/// A block of the catalogue with other records in the place of each.
pub fn catalogue_block(bytes: &[u8], change: impl Fn(CatalogRow) -> Vec<CatalogRow>) -> Vec<u8> {
    let records = pieces(bytes).into_iter().flat_map(|(_, bytes)| change(CatalogRow::decode(&bytes).unwrap()));
    let mut records: Vec<_> = records.collect();
    records.sort_by_key(|row| row.index);
    block(&records.iter().map(|row| (1, row.encode())).collect::<Vec<_>>())
}

/// The terms of a node of an index, each with the entry it leads to.
pub fn terms(node: &[u8]) -> Vec<([u8; 6], u64)> {
    let index = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    node[1..].chunks(12).map(|item| (item[..6].try_into().unwrap(), index(&item[6..]))).collect()
}

/// A node of these terms, and none below.
pub fn node(terms: &[([u8; 6], u64)]) -> Vec<u8> {
    let mut node = vec![0];
    for (term, index) in terms {
        node.extend_from_slice(term);
        node.extend_from_slice(&index.to_be_bytes()[2..]);
    }
    node
}

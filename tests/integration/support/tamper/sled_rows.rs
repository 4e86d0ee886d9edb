//! Rows rewritten by somebody who knows their layout: sled itself notices nothing.

use std::path::Path;

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
            let block = block.unwrap();
            let mut rest = &block[1..];
            for _ in 0..block[0] {
                let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
                let (kind, bytes) = (rest[0], &rest[5..5 + length]);
                rest = &rest[5 + length..];
                match kind {
                    0 | 1 => out.push((kind, bytes.to_vec())),
                    _ => partial.extend_from_slice(bytes),
                }
                if kind == 3 {
                    out.push((1, std::mem::take(&mut partial)));
                }
            }
            assert!(rest.is_empty());
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
            let mut block = vec![1, *kind];
            block.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
            block.extend_from_slice(bytes);
            assert!(block.len() <= 4_000, "a longer piece would have to be cut");
            self.put(&[&b"e"[..], &index.to_be_bytes(), &part.to_be_bytes()].concat(), &block);
        }
    }

    pub fn close(self) {
        self.0.flush().unwrap();
    }
}

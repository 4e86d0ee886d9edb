//! A small writer of ledger folders, and what the auditor says of them.

use super::maker::{self, Hash, Maker, OBJECTS, ORIGIN, SEALED, ZERO, log_key};
use super::{Scratch, answers, hex, pair, public, tapeaudit};
use serde_json::{Value, json};
use tapeaudit_core::cbor::Writer;
use tapeaudit_core::digest::hash;
use tapeaudit_core::log::Levels;
use tapeaudit_core::text::base64;
use tapeaudit_core::tree;

pub const LENGTH: usize = 1 << 20;

pub struct Group {
    pub term: u64,
    pub closed: bool,
    pub entries: Vec<Vec<u8>>,
}

pub fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().div_ceil(512) * 512, 0);
    bytes
}

/// The extent of a group.
pub fn extent(group: &Group, place: (u64, u64), levels: &Levels, before: &Hash) -> Vec<u8> {
    let first = levels.size() - group.entries.len() as u64;
    let mut records = Vec::new();
    for entry in &group.entries {
        records.extend((entry.len() as u32).to_be_bytes());
        records.extend((SEALED.len() as u32).to_be_bytes());
        records.extend([entry, SEALED].concat());
    }
    let mut out = b"IMTGRP\x00\x01".to_vec();
    for n in [group.term, place.0, place.1, first] {
        out.extend(n.to_be_bytes());
    }
    out.extend((group.entries.len() as u32).to_be_bytes());
    out.extend(u32::from(group.closed).to_be_bytes());
    out.extend((records.len() as u64).to_be_bytes());
    out.extend(levels.size().to_be_bytes());
    out.extend(levels.root_at(levels.size()).unwrap());
    out.extend(before);
    out.extend(tree::leaf(group.entries.last().unwrap()));
    out.resize(256, 0);
    out.extend(records);
    rehash(padded(out))
}

pub fn rehash(mut extent: Vec<u8>) -> Vec<u8> {
    extent[192..256].fill(0);
    let own = hash(&extent);
    extent[192..224].copy_from_slice(&own);
    extent
}

pub fn segment_header(number: u64, first: u64, before: &Hash) -> Vec<u8> {
    let mut out = b"IMTSEG\x00\x01".to_vec();
    for n in [number, LENGTH as u64, 1, first] {
        out.extend(n.to_be_bytes());
    }
    out.extend(before);
    out.resize(120, 0);
    out.extend(hash(ORIGIN.as_bytes()));
    out.resize(480, 0);
    let own = hash(&out);
    out.extend(own);
    out
}

pub fn pack(objects: &[&[u8]]) -> Vec<u8> {
    let mut out = b"IMTPAC\x00\x01".to_vec();
    out.extend(1_u64.to_be_bytes());
    out.extend(hash(ORIGIN.as_bytes()));
    let check = hash(&out);
    out.extend(&check[..16]);
    for object in objects {
        out.extend([&record(b"\x01\x01\0\0", object.len(), &hash(object))[..], object].concat());
    }
    out.resize(out.len() + 4096, 0);
    out
}

/// Header of a record: type, mode and two zeros, length and digest of the object.
pub fn record(front: &[u8; 4], length: usize, digest: &Hash) -> Vec<u8> {
    let mut record = [&b"IMTO"[..], front].concat();
    record.extend(0_u64.to_be_bytes());
    record.extend((length as u64).to_be_bytes());
    record.extend(digest);
    let check = hash(&record);
    record.extend(&check[..8]);
    record
}

pub fn head_file(size: u64, root: &Hash, state: &str) -> Vec<u8> {
    head_file_of(size, root, state, 1)
}

pub fn head_file_of(size: u64, root: &Hash, state: &str, term: u64) -> Vec<u8> {
    let text = format!(
        "immutape/head/1\n{ORIGIN}\n{size} {}\nvault 1 2 {}\nstate {state}\nterm {term}\n",
        base64(root),
        base64(&hash(&generation(1, 2)[GENERATION_LINE..]))
    );
    let signature = pair(&[1; 32]).sign(text.as_bytes()).to_bytes();
    let all = [&log_key().id()[..], &signature].concat();
    let second = format!("{text}\n\u{2014} {ORIGIN} {}\n", base64(&all));
    [maker::head(size, root, 1, &[]), second.into_bytes()].concat()
}

pub const EPOCH: [u8; 16] = [0xe1; 16];
pub const GENERATION_LINE: usize = "immutape vault 1 1 2\n".len();

/// A generation file with one epoch. Nobody opens its keys here.
pub fn generation(number: u64, revision: u64) -> Vec<u8> {
    let key = |writer: Writer, length: usize| writer.array(2).bytes(&[0x11; 16]).bytes(&vec![0x12; length]);
    let mut writer = Writer::new().array(11).text("immutape/vault/1").uint(number).uint(revision).text(ORIGIN);
    writer = writer.bytes(&[0x10; 16]).array(1).array(3).bytes(&EPOCH).bytes(&[0x13; 48]).uint(0);
    for _ in 0..3 {
        writer = key(writer, 48);
    }
    writer = key(writer.array(1), 60).array(0);
    [format!("immutape vault 1 {number} {revision}\n").as_bytes(), &writer.done(), &[0x14; 32]].concat()
}

/// A slot with the key of a tape.
pub fn slot(number: u32, custody: &Hash) -> Vec<u8> {
    let record = [&custody[..], &[0x21; 80]].concat();
    let check = hash(&[b"immutape/vault-slot/1", &EPOCH[..], &number.to_be_bytes(), &record].concat());
    [record, check.to_vec()].concat()
}

pub fn epoch(slots: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = slots.concat();
    bytes.resize(256 * 144, 0);
    bytes
}

pub struct Ledger {
    pub scratch: Scratch,
    pub segment: Vec<u8>,
    pub end: usize,
    pub levels: Levels,
    pub last: Hash,
    pub maker: Maker,
    /// Of the head file.
    pub term: u64,
}

impl Ledger {
    pub fn new(change: impl FnOnce(&mut Maker)) -> Self {
        Self::grouped(false, 1, change)
    }

    /// The genesis in a group that closes the log or not, and the rest in one of a term.
    pub fn grouped(genesis_closes: bool, term: u64, change: impl FnOnce(&mut Maker)) -> Self {
        let mut maker = Maker::new();
        change(&mut maker);
        let made = maker.make();
        let mut segment = segment_header(1, 0, &ZERO);
        let (mut levels, mut last) = (Levels::default(), ZERO);
        let (first, rest) = made.entries.split_at(1);
        for (closed, term, entries) in [(genesis_closes, 1, first), (false, term, rest)] {
            entries.iter().for_each(|entry| levels.push(tree::leaf(entry)));
            let group = Group { term, closed, entries: entries.to_vec() };
            let extent = extent(&group, (1, segment.len() as u64), &levels, &last);
            last = extent[192..224].try_into().unwrap();
            segment.extend(extent);
        }
        let end = segment.len();
        segment.resize(LENGTH, 0);
        let found = Self { scratch: Scratch::new(), segment, end, levels: made.levels, last, maker, term };
        found.write();
        found
    }

    pub fn write(&self) {
        self.put("l/journal/00000001.seg", &self.segment);
        let manifest = self.maker.manifest();
        self.put("l/packs/00000001.pack", &pack(&[OBJECTS[0], OBJECTS[1], &manifest]));
        self.put("s/vault/generation", &generation(1, 2));
        self.put(&format!("s/vault/{}", hex(&EPOCH)), &epoch(&[slot(0, &maker::CUSTODY)]));
        let size = 8.min(self.levels.size());
        self.put("s/head", &head_file_of(size, &self.root(size), "open", self.term));
    }

    pub fn root(&self, size: u64) -> Hash {
        self.levels.root_at(size).unwrap()
    }

    pub fn put(&self, path: &str, bytes: &[u8]) {
        self.scratch.write(path, bytes);
    }

    pub fn words_with(&self, more: Value) -> Vec<String> {
        let path = |name: &str| self.scratch.0.join(name).to_str().unwrap().to_string();
        let mut request = json!({"kind": "ledger", "path": path("l"), "state": path("s"),
            "pub": [log_key().write(), hex(public(&[2; 32]).bytes())]});
        for (key, value) in more.as_object().unwrap() {
            request[key] = value.clone();
        }
        let answer = answers(&[request]).remove(0);
        answer["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().into()).collect()
    }

    pub fn words(&self) -> Vec<String> {
        self.words_with(json!({}))
    }

    /// What is found, and where, in order.
    pub fn findings(&self) -> Vec<String> {
        let mut command = tapeaudit();
        command.args(["--pub", &log_key().write(), "--pub", &hex(public(&[2; 32]).bytes()), "--json"]);
        let out = command.arg("--state").arg(self.scratch.0.join("s")).arg(self.scratch.0.join("l")).output().unwrap();
        let told: Value = serde_json::from_slice(&out.stdout).unwrap();
        let line = |found: &Value| format!("{}: {}", found["place"].as_str().unwrap(), found["what"].as_str().unwrap());
        told["findings"].as_array().unwrap().iter().map(line).collect()
    }
}

//! Ledger folders, read without a key.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::maker::{self, Hash, Maker, OBJECTS, ORIGIN, SEALED, Spec, ZERO, log_key};
use support::{Scratch, answers, hex, pair, public};
use tapeaudit_core::cbor::Writer;
use tapeaudit_core::digest::hash;
use tapeaudit_core::log::Levels;
use tapeaudit_core::text::base64;
use tapeaudit_core::tree;

const LENGTH: usize = 1 << 20;

struct Group {
    term: u64,
    closed: bool,
    entries: Vec<Vec<u8>>,
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().div_ceil(512) * 512, 0);
    bytes
}

/// The extent of a group.
fn extent(group: &Group, place: (u64, u64), levels: &Levels, before: &Hash) -> Vec<u8> {
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

fn rehash(mut extent: Vec<u8>) -> Vec<u8> {
    extent[192..256].fill(0);
    let own = hash(&extent);
    extent[192..224].copy_from_slice(&own);
    extent
}

fn segment_header(number: u64, first: u64, before: &Hash) -> Vec<u8> {
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

fn pack(objects: &[&[u8]]) -> Vec<u8> {
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
fn record(front: &[u8; 4], length: usize, digest: &Hash) -> Vec<u8> {
    let mut record = [&b"IMTO"[..], front].concat();
    record.extend(0_u64.to_be_bytes());
    record.extend((length as u64).to_be_bytes());
    record.extend(digest);
    let check = hash(&record);
    record.extend(&check[..8]);
    record
}

fn head_file(size: u64, root: &Hash, state: &str) -> Vec<u8> {
    head_file_of(size, root, state, 1)
}

fn head_file_of(size: u64, root: &Hash, state: &str, term: u64) -> Vec<u8> {
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

const EPOCH: [u8; 16] = [0xe1; 16];
const GENERATION_LINE: usize = "immutape vault 1 1 2\n".len();

/// A generation file with one epoch. Nobody opens its keys here.
fn generation(number: u64, revision: u64) -> Vec<u8> {
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
fn slot(number: u32, custody: &Hash) -> Vec<u8> {
    let record = [&custody[..], &[0x21; 80]].concat();
    let check = hash(&[b"immutape/vault-slot/1", &EPOCH[..], &number.to_be_bytes(), &record].concat());
    [record, check.to_vec()].concat()
}

fn epoch(slots: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = slots.concat();
    bytes.resize(256 * 144, 0);
    bytes
}

struct Ledger {
    scratch: Scratch,
    segment: Vec<u8>,
    end: usize,
    levels: Levels,
    last: Hash,
    maker: Maker,
    /// Of the head file.
    term: u64,
}

impl Ledger {
    fn new(change: impl FnOnce(&mut Maker)) -> Self {
        Self::grouped(false, 1, change)
    }

    /// The genesis in a group that closes the log or not, and the rest in one of a term.
    fn grouped(genesis_closes: bool, term: u64, change: impl FnOnce(&mut Maker)) -> Self {
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

    fn write(&self) {
        self.put("l/journal/00000001.seg", &self.segment);
        let manifest = self.maker.manifest();
        self.put("l/packs/00000001.pack", &pack(&[OBJECTS[0], OBJECTS[1], &manifest]));
        self.put("s/vault/generation", &generation(1, 2));
        self.put(&format!("s/vault/{}", hex(&EPOCH)), &epoch(&[slot(0, &maker::CUSTODY)]));
        let size = 8.min(self.levels.size());
        self.put("s/head", &head_file_of(size, &self.root(size), "open", self.term));
    }

    fn root(&self, size: u64) -> Hash {
        self.levels.root_at(size).unwrap()
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        self.scratch.write(path, bytes);
    }

    fn words_with(&self, more: Value) -> Vec<String> {
        let path = |name: &str| self.scratch.0.join(name).to_str().unwrap().to_string();
        let mut request = json!({"kind": "ledger", "path": path("l"), "state": path("s"),
            "pub": [log_key().write(), hex(public(&[2; 32]).bytes())]});
        for (key, value) in more.as_object().unwrap() {
            request[key] = value.clone();
        }
        let answer = answers(&[request]).remove(0);
        answer["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().into()).collect()
    }

    fn words(&self) -> Vec<String> {
        self.words_with(json!({}))
    }

    /// What is found, and where, in order.
    fn findings(&self) -> Vec<String> {
        let mut command = support::tapeaudit();
        command.args(["--pub", &log_key().write(), "--pub", &hex(public(&[2; 32]).bytes()), "--json"]);
        let out = command.arg("--state").arg(self.scratch.0.join("s")).arg(self.scratch.0.join("l")).output().unwrap();
        let told: Value = serde_json::from_slice(&out.stdout).unwrap();
        let line = |found: &Value| format!("{}: {}", found["place"].as_str().unwrap(), found["what"].as_str().unwrap());
        told["findings"].as_array().unwrap().iter().map(line).collect()
    }
}

#[test]
fn a_good_ledger_is_intact() {
    let ledger = Ledger::new(|_| {});
    assert_eq!(ledger.words(), ["intact"]);
    assert_eq!(ledger.words_with(json!({"pub": []})), ["unpinned keys"]);
    assert_eq!(ledger.words_with(json!({"state": null})), ["intact with gaps"]);
    let keys = maker::witnesses().map(|key| key.write());
    assert_eq!(ledger.words_with(json!({"witness": keys})), ["intact"]);
    assert_eq!(ledger.words_with(json!({"witness": keys, "quorum": 3})), ["not anchored"]);
    let told = ledger.words_with(json!({"path": ledger.scratch.0.join("s").to_str().unwrap()}));
    assert_eq!(told, ["unpinned keys", "missing"]);
}

#[test]
fn altered_journals() {
    let mut ledger = Ledger::new(|_| {});
    let good = ledger.segment.clone();
    // What cannot be read any more is altered; whether there is more, and what, nobody can tell.
    const SEGMENT: &str = "journal/00000001.seg: a header of a segment that has not its hash";
    const TAIL: &str = "journal/00000001.seg: bytes that are neither a group nor a write that was cut off";
    const KEYS: &str = "keys: the log vouches for its own keys";
    const MORE: &str = "head: a head of more entries than could be read of the log";
    for (at, words, findings) in [
        (10, &["unpinned keys", "altered"][..], &[SEGMENT, KEYS][..]),
        (200, &["unpinned keys", "altered"], &[SEGMENT, KEYS]),
        (512 + 16, &["unpinned keys", "altered"], &[TAIL, KEYS]),
        (512 + 300, &["unpinned keys", "altered"], &[TAIL, KEYS]),
        (ledger.end - 600, &["cannot tell", "altered"], &[TAIL, MORE]),
        (ledger.end, &["altered"], &[TAIL]),
    ] {
        ledger.segment = good.clone();
        ledger.segment[at] ^= 1;
        ledger.write();
        assert_eq!(ledger.words(), words, "{at}");
        assert_eq!(ledger.findings(), findings, "{at}");
    }
    // A field of a group's header, with its hash made anew.
    let second = 512 + 256 + 512;
    let second = (second..ledger.end).find(|at| good[*at..].starts_with(b"IMTGRP")).unwrap();
    let group = |what: &str| format!("group at 1:{second}: {what}");
    for (at, words, findings) in [
        (16, &["altered"][..], vec![group("a group in another place than its own")]),
        (32, &["cannot tell", "altered"], vec![TAIL.into(), MORE.into()]),
        (64, &["altered"], vec![group("another root after the group")]),
        (96, &["altered"], vec![group("another group before than the one here")]),
        (128, &["altered"], vec![group("another last entry of the group")]),
        (160, &["cannot tell", "altered"], vec![TAIL.into(), MORE.into()]),
    ] {
        let mut bytes = good.clone();
        bytes[second + at + 7] ^= 0x80;
        let extent = rehash(bytes[second..ledger.end].to_vec());
        bytes[second..ledger.end].copy_from_slice(&extent);
        ledger.segment = bytes;
        ledger.write();
        assert_eq!(ledger.words(), words, "{at}");
        assert_eq!(ledger.findings(), findings, "{at}");
    }
    // A sealed half that has not its digest.
    let mut bytes = good.clone();
    let at = (second..ledger.end).find(|at| good[*at..].starts_with(SEALED)).unwrap();
    bytes[at] ^= 1;
    let extent = rehash(bytes[second..ledger.end].to_vec());
    bytes[second..ledger.end].copy_from_slice(&extent);
    ledger.segment = bytes;
    ledger.write();
    assert_eq!(ledger.words(), ["altered"]);
    assert_eq!(ledger.findings(), ["entry 1: a sealed half of another digest"]);
    std::fs::remove_file(ledger.scratch.0.join("l/journal/00000001.seg")).unwrap();
    assert_eq!(ledger.words(), ["unpinned keys", "missing"]);
}

#[test]
fn segments_follow_each_other() {
    let ledger = Ledger::new(|_| {});
    ledger.put("l/journal/00000002.seg", &vec![0; LENGTH]);
    assert_eq!(ledger.words(), ["intact"]);
    ledger.put("l/journal/00000002.seg", &vec![0; LENGTH + 512]);
    assert_eq!(ledger.words(), ["altered"]);
    ledger.put("l/journal/00000002.seg", &[&segment_header(2, 8, &[7; 32])[..], &vec![0; LENGTH - 512]].concat());
    assert_eq!(ledger.words(), ["altered"]);
    std::fs::rename(ledger.scratch.0.join("l/journal/00000002.seg"), ledger.scratch.0.join("l/journal/00000003.seg"))
        .unwrap();
    assert_eq!(ledger.words(), ["missing"]);
    let mut header = segment_header(2, 8, &ledger.last);
    header[72..80].copy_from_slice(&(ledger.end as u64).to_be_bytes());
    let own = hash(&header[..480]);
    header[480..].copy_from_slice(&own);
    std::fs::remove_file(ledger.scratch.0.join("l/journal/00000003.seg")).unwrap();
    ledger.put("l/journal/00000002.seg", &[&header[..], &vec![0; LENGTH - 512]].concat());
    assert_eq!(ledger.words(), ["intact"]);
}

#[test]
fn a_segment_that_cannot_be_read_is_not_one_that_is_missing() {
    let ledger = Ledger::new(|_| {});
    let path = |n: u64| ledger.scratch.0.join(format!("l/journal/{n:08}.seg"));
    std::fs::create_dir(path(2)).unwrap();
    assert_eq!(ledger.words(), ["cannot tell"]);
    // The head is of more entries than could be read, and not of more than there are.
    ledger.put("s/head", &head_file(9, &[1; 32], "open"));
    assert_eq!(ledger.words(), ["cannot tell"]);
    assert_eq!(
        ledger.findings(),
        ["journal/00000002.seg: no plain file", "head: a head of more entries than could be read of the log"]
    );
    std::fs::remove_dir(path(2)).unwrap();
    assert_eq!(ledger.words(), ["rolled back"]);
    std::fs::rename(path(1), path(3)).unwrap();
    std::fs::create_dir(path(1)).unwrap();
    assert_eq!(ledger.words(), ["unpinned keys", "cannot tell"]);
}

#[test]
fn a_write_that_was_cut_off_is_no_alteration() {
    let mut ledger = Ledger::new(|_| {});
    let end = ledger.end;
    // The header's sector never arrived.
    ledger.segment[end + 512..end + 700].fill(7);
    ledger.write();
    assert_eq!(ledger.words(), ["intact"]);
    // Every sector is there, and it is no group: nothing was cut off.
    ledger.segment[end..end + 512].fill(7);
    ledger.write();
    assert_eq!(ledger.words(), ["altered"]);
}

#[test]
fn a_tear_of_what_looks_like_groups_costs_no_more_than_its_length() {
    // Each sector says that it begins a group of all that follows; the first one never arrived.
    let length = 8 << 20;
    let mut bytes = vec![0; length];
    for at in (512..length - 512).step_by(512) {
        bytes[at..at + 8].copy_from_slice(b"IMTGRP\x00\x01");
        bytes[at + 48..at + 56].copy_from_slice(&((length - at - 256) as u64).to_be_bytes());
    }
    bytes[length - 1] = 1;
    let begun = std::time::Instant::now();
    let told = tapeaudit_core::journal::tail(&bytes, 1, 512, 0, &ZERO);
    assert!(matches!(told, tapeaudit_core::journal::Tail::Damage));
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn heads_that_others_hold() {
    let ledger = Ledger::new(|_| {});
    let head = |size, root: &Hash| maker::head(size, root, 1, &[]);
    ledger.put("s/anchors/newest.note", &head(5, &ledger.root(5)));
    assert_eq!(ledger.words(), ["intact"]);
    ledger.put("s/anchors/newest.note", &head(5, &[1; 32]));
    assert_eq!(ledger.words(), ["forked"]);
    ledger.put("s/anchors/newest.note", &head(9, &[1; 32]));
    assert_eq!(ledger.words(), ["rolled back"]);
    ledger.put("s/anchors/newest.note", &maker::head(5, &ledger.root(5), 9, &[]));
    assert_eq!(ledger.words(), ["altered"]);
    std::fs::remove_file(ledger.scratch.0.join("s/anchors/newest.note")).unwrap();
    ledger.put("s/head", &head_file(8, &[1; 32], "open"));
    assert_eq!(ledger.words(), ["forked"]);
    ledger.put("s/head", &head_file(12, &[1; 32], "open"));
    assert_eq!(ledger.words(), ["rolled back"]);
    ledger.put("s/head", &head_file(7, &ledger.root(7), "open"));
    assert_eq!(ledger.words(), ["intact"]);
    ledger.put("s/head", &head_file(7, &ledger.root(7), "closed"));
    assert_eq!(ledger.words(), ["altered"]);
    let mut bytes = head_file(8, &ledger.root(8), "open");
    let at = bytes.len() - 10;
    bytes[at] ^= 1;
    ledger.put("s/head", &bytes);
    assert_eq!(ledger.words(), ["altered"]);
    std::fs::remove_file(ledger.scratch.0.join("s/head")).unwrap();
    assert_eq!(ledger.words(), ["missing"]);
}

#[test]
fn objects_and_manifests_are_there() {
    let ledger = Ledger::new(|_| {});
    let manifest = ledger.maker.manifest();
    let told = |bytes: &[u8]| {
        ledger.put("l/packs/00000001.pack", bytes);
        ledger.words()
    };
    assert_eq!(told(&pack(&[OBJECTS[0], &manifest])), ["missing"]);
    assert_eq!(told(&pack(&[OBJECTS[0], OBJECTS[1]])), ["missing"]);
    let good = pack(&[OBJECTS[0], OBJECTS[1], &manifest]);
    let mut bytes = good.clone();
    bytes[64 + 64] ^= 1;
    assert_eq!(told(&bytes), ["altered"]);
    // The same object stands in it once more, as it is.
    let more = pack(&[OBJECTS[0]]);
    bytes.truncate(bytes.len() - 4096);
    bytes.extend(&more[64..]);
    assert_eq!(told(&bytes), ["intact"]);
    let mut bytes = good.clone();
    bytes[3] ^= 1;
    assert_eq!(told(&bytes), ["altered"], "the header, and nothing behind it");
    let mut bytes = good.clone();
    bytes[64] ^= 1;
    assert_eq!(told(&bytes), ["altered", "missing"], "a record that is none any more");
}

#[test]
fn what_stands_between_the_records_of_a_pack() {
    let ledger = Ledger::new(|_| {});
    let good = pack(&[OBJECTS[0], OBJECTS[1], &ledger.maker.manifest()]);
    let second = 64 + 64 + OBJECTS[0].len();
    let between = |bytes: &[u8]| {
        ledger.put("l/packs/00000001.pack", &[&good[..second], bytes, &good[second..]].concat());
        ledger.words()
    };
    let to_boundary = 512 - second % 512;
    assert_eq!(between(&[7; 100]), ["altered"], "no power cut leaves that");
    assert_eq!(between(&vec![0; to_boundary]), ["intact"], "zeros up to a sector");
    assert_eq!(
        between(&[&vec![7; to_boundary][..], &[0; 512], &[7; 9]].concat()),
        ["intact"],
        "a sector in the middle"
    );
    assert_eq!(between(&[&vec![7; to_boundary][..], &[0; 511], &[7; 9]].concat()), ["altered"], "less than a sector");
    // What a later program may have written is not known here: that is said, and not that it was passed over.
    for front in [b"\x04\x01\0\0", b"\x01\x03\0\0", b"\x01\x01\0\x01"] {
        assert_eq!(between(&record(front, 0, &[1; 32])), ["altered"], "{front:?}");
    }
    // An object that nothing names may have any bytes.
    assert_eq!(between(&[&record(b"\x01\x01\0\0", 5, &[1; 32])[..], b"bytes"].concat()), ["intact"]);
    // A record of a false length hides the next one, which is found at its own place. What is left of it is damage where
    // records follow, and else a tail.
    assert_eq!(between(&record(b"\x01\x01\0\0", 30, &[1; 32])), ["altered"]);
    assert_eq!(between(&record(b"\x01\x01\0\0", OBJECTS[1].len() + 70, &[1; 32])), ["intact"]);
    let end = good.len() - 4096;
    let behind = |bytes: &[u8]| {
        ledger.put("l/packs/00000001.pack", &[&good[..end], bytes].concat());
        ledger.words()
    };
    assert_eq!(behind(&[9; 1000]), ["intact"], "a write that was never finished");
    assert_eq!(behind(&record(b"\x01\x01\0\0", 1000, &[1; 32])), ["intact"], "the same, with its header");
    assert_eq!(behind(&record(b"\x09\x01\0\0", 0, &[1; 32])), ["altered"]);
    assert_eq!(behind(&record(b"\x03\x01\0\0", OBJECTS[0].len(), &hash(OBJECTS[0]))), ["missing"], "discarded");
}

#[test]
fn packs_are_numbered_without_gaps() {
    let ledger = Ledger::new(|_| {});
    let path = |n: u64| ledger.scratch.0.join(format!("l/packs/{n:08}.pack"));
    std::fs::write(path(3), b"").unwrap();
    assert_eq!(ledger.words(), ["missing"]);
    std::fs::write(path(2), b"").unwrap();
    assert_eq!(ledger.words(), ["intact"], "files that are shorter than a header");
    std::fs::remove_file(path(3)).unwrap();
    std::fs::remove_file(path(2)).unwrap();
    std::fs::write(ledger.scratch.0.join("l/packs/99999999.pack"), b"").unwrap();
    assert_eq!(ledger.words(), ["missing"], "however wide the gap is, it is one");
    std::fs::remove_file(ledger.scratch.0.join("l/packs/99999999.pack")).unwrap();
    std::fs::rename(path(1), path(2)).unwrap();
    assert_eq!(ledger.words(), ["altered", "missing"], "its number is another, and its objects count");
    std::fs::rename(path(2), path(1)).unwrap();
    std::fs::create_dir(path(2)).unwrap();
    assert_eq!(ledger.words(), ["cannot tell"], "a folder in its place");
}

#[test]
fn the_vault_has_its_shape_and_the_keys_of_all_tapes() {
    let ledger = Ledger::new(|_| {});
    let path = format!("s/vault/{}", hex(&EPOCH));
    let told = |name: &str, bytes: &[u8]| {
        ledger.write();
        ledger.put(name, bytes);
        ledger.words()
    };
    let key = slot(0, &maker::CUSTODY);
    // A free slot before a written one, and one that a crash cut: slot 3 lies on both sides of byte 512.
    let mut cut = slot(3, &[7; 32]);
    cut[80..].fill(0);
    assert_eq!(told(&path, &epoch(&[vec![0; 144], slot(1, &maker::CUSTODY), vec![0; 144], cut.clone()])), ["intact"]);
    cut[143] = 1;
    assert_eq!(told(&path, &epoch(&[key.clone(), vec![0; 288], cut])), ["altered"]);
    assert_eq!(told(&path, &epoch(&[vec![0; 144], key.clone()])), ["altered", "missing"], "a slot of another number");
    assert_eq!(told(&path, &epoch(&[])), ["missing"]);
    assert_eq!(told(&path, &epoch(std::slice::from_ref(&key))[144..]), ["altered", "missing"], "another length");
    assert_eq!(told("s/vault/generation", &generation(1, 1)), ["rolled back"]);
    assert_eq!(told("s/vault/generation", &generation(1, 3)), ["intact"], "the head is written after the vault");
    let good = generation(1, 2);
    let mut other = good.clone();
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(told("s/vault/generation", &other), ["altered"], "another code than the head file names");
    for (at, what) in [(19, "the line"), (21, "the item"), (60, "the origin")] {
        let mut other = good.clone();
        other[at] ^= 1;
        assert_eq!(told("s/vault/generation", &other), ["altered"], "{what}");
    }
    ledger.write();
    std::fs::remove_file(ledger.scratch.0.join(&path)).unwrap();
    assert_eq!(ledger.words(), ["missing"]);
    std::fs::remove_dir_all(ledger.scratch.0.join("s/vault")).unwrap();
    assert_eq!(ledger.words(), ["missing"]);
}

#[test]
fn recordings_that_are_no_tape_yet() {
    let ledger = Ledger::new(|maker| {
        let private = maker.specs[3].private.clone();
        maker.specs.push(Spec { kind: 18, subject: maker::OTHER, private, closed: None, member: false, absent: false });
        maker.entry = Box::new(|parts| {
            if parts.kind == 18 {
                parts.body = Writer::new().map(1).uint(0).bytes(&[1; 16]).done();
            }
        });
    });
    let spool = format!("l/spool/{}", hex(&maker::OTHER));
    assert_eq!(ledger.words(), ["altered", "missing"], "neither spool nor key");
    let id = hash(&Writer::new().array(2).text("immutape/live-key-id/1").bytes(&maker::OTHER).done());
    let keys = epoch(&[slot(0, &maker::CUSTODY), slot(1, &id)]);
    ledger.put(&format!("s/vault/{}", hex(&EPOCH)), &keys);
    assert_eq!(ledger.words(), ["altered"]);
    let mut piece = [&5_u32.to_be_bytes()[..], b"piece"].concat();
    let check = hash(&piece);
    piece.extend(&check[..8]);
    ledger.put(&spool, &piece);
    assert_eq!(ledger.words(), ["unsealed tail"]);
    ledger.put(&spool, &[&piece[..], &piece[..9]].concat());
    assert_eq!(ledger.words(), ["unsealed tail"], "what follows the last whole piece is ignored");
    piece[5] ^= 1;
    ledger.put(&spool, &piece);
    assert_eq!(ledger.words(), ["altered"], "no piece is whole");
}

#[test]
fn a_term_begins_with_what_it_has_to() {
    // The second group is one of a later term; the first one says whether it closed the log.
    let told = |closed: bool, started: u64, second: u64| {
        let mut ledger = Ledger::grouped(closed, 3, |maker| {
            maker.specs[2].kind = second;
            maker.specs[2].subject = if second == 3 { ZERO } else { maker::CUSTODY };
            maker.entry = Box::new(move |parts| {
                if parts.index == 1 {
                    parts.body = Writer::new().map(1).uint(0).uint(started).done();
                }
            });
        });
        ledger.term = 3;
        ledger.write();
        ledger.words()
    };
    assert_eq!(told(true, 3, 19), ["intact"]);
    assert_eq!(told(true, 2, 19), ["intact with gaps"], "log.started of another term");
    assert_eq!(told(true, 3, 3), ["intact with gaps"], "an unclean stop that was none");
    assert_eq!(told(false, 3, 3), ["intact"]);
    assert_eq!(told(false, 3, 19), ["intact with gaps"], "an unclean stop that is not told");
    let mut ledger = Ledger::grouped(true, 3, |maker| {
        maker.entry = Box::new(|parts| {
            if parts.index == 1 {
                parts.body = Writer::new().map(1).uint(0).uint(3).done();
            }
        });
    });
    ledger.term = 2;
    ledger.write();
    assert_eq!(ledger.words(), ["altered"], "a head file of an earlier term");
}

#[test]
fn no_damage_brings_it_down() {
    let mut ledger = Ledger::new(|_| {});
    let good = ledger.segment.clone();
    let mut n = 0x1234_5678_u64;
    let mut next = || {
        n ^= n << 13;
        n ^= n >> 7;
        n ^= n << 17;
        n
    };
    for _ in 0..40 {
        ledger.segment = good.clone();
        for _ in 0..3 {
            let at = next() as usize % ledger.end;
            ledger.segment[at] = next() as u8;
        }
        if ledger.segment == good {
            continue;
        }
        ledger.write();
        let told = ledger.words();
        assert_ne!(told, ["intact"]);
    }
}

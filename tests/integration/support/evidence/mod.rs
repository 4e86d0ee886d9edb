//! A bundle made by hand, from a log made by hand: small, the same every time, and changed in one place wherever a test wants.

mod log;
mod tape;
mod token;

use std::collections::BTreeMap;

use ed25519_dalek::{Signer as _, SigningKey};
use immutape::codec::digest::{CustodyId, Digest, LeafHash, Thumbprint, sha256};
use immutape::evidence::bundle::{
    Asked, AskedIds, AskedQuery, BAGIT_TXT, BagManifest, Completeness, EvidenceEntry, Given, ManifestLine, Membership,
    MemorySource, Opened, Pins, TAR_END_BYTES, TarFile, bag_info, path, public_key_pem, set_proof, tag_manifest,
    tar_header, tar_padding, write_set_proof,
};
use immutape::log::{
    AnchorBody, Body, Checkpoint, Entry, EntryKind, EvidenceBody, Genesis, KeyRole, NoteKey, PrivateHalf, SignedNote,
    consistency_path, export_commitment, inclusion_path, own_salt, root_of, rotate, set_commitment, set_leaf,
};
use immutape::proof::{CosignerKey, Receipt, TlogProof};
use immutape::seal::{PrivateSealer as _, PublicKey, Signature, Signer, split_fields};

use log::salts;
pub use log::{Log, acted};
pub use tape::Tape;
pub use token::token;

pub const ORIGIN: &str = "bundle.example/000102030405060708090a0b0c0d0e0f";
pub const BUNDLE: [u8; 16] = [0xb0; 16];
/// When witnesses and the authority saw heads: seconds since 1970.
pub const SEEN_S: u64 = 1_704_067_200;
const PRIVATE: &str = "immutape/private/1";
const SET_SALT: [u8; 32] = [0x5a; 32];

/// A key from a byte.
pub struct Seed(SigningKey);

impl Seed {
    pub fn of(byte: u8) -> Self {
        Self(SigningKey::from_bytes(&[byte; 32]))
    }
}

impl Signer for Seed {
    fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap()
    }
}

pub fn witness(byte: u8) -> CosignerKey {
    CosignerKey::new(&format!("w{byte}.example"), Seed::of(byte).public_key()).unwrap()
}

pub fn vkey() -> String {
    NoteKey::new(ORIGIN, Seed::of(1).public_key()).unwrap().to_text()
}

/// Keys of the log and two witnesses from elsewhere.
pub fn pins() -> Pins {
    let mut pins = Pins::default();
    pins.add_key(&vkey()).unwrap();
    pins.add_key(&hex::encode(Seed::of(2).public_key().to_bytes())).unwrap();
    pins.add_witness(&witness(11).to_text()).unwrap();
    pins.add_witness(&witness(12).to_text()).unwrap();
    pins
}

/// Where a test changes something; what it does not name is as it should be.
pub struct Change<'a> {
    /// Before the tapes are saved.
    pub tapes: &'a dyn Fn(&mut Vec<Tape>),
    /// Before the bundle is made.
    pub log: &'a dyn Fn(&mut Log, &[Tape]),
    /// Before the log commits to it.
    pub asked: &'a dyn Fn(&mut Completeness, &Log),
    /// The body of each `evidence.made`, and salt and digest in its private half.
    pub made: &'a dyn Fn(&mut EvidenceBody, &mut PrivateHalf),
    /// Before the set proof is made.
    pub items: &'a dyn Fn(&mut Vec<EvidenceEntry>),
    /// Before the manifests are made.
    pub files: &'a dyn Fn(&mut BTreeMap<String, Vec<u8>>),
}

impl Change<'_> {
    pub const NONE: Change<'static> =
        Change { tapes: &|_| {}, log: &|_, _| {}, asked: &|_, _| {}, made: &|_, _| {}, items: &|_| {}, files: &|_| {} };
}

/// A bundle with the log that it is of.
pub struct Made {
    pub log: Log,
    pub tapes: Vec<Tape>,
    /// The payload.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Made {
    pub fn source(&self) -> MemorySource {
        MemorySource::new(bag(&self.files))
    }
}

/// A payload with its tag files.
pub fn bag(payload: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let line = |(path, bytes): (&String, &Vec<u8>)| ManifestLine {
        digest: Digest::from_bytes(sha256(bytes)),
        path: path.clone(),
    };
    let manifest = BagManifest::new(payload.iter().map(line).collect()).to_text();
    let size = (payload.values().map(|bytes| bytes.len() as u64).sum(), payload.len() as u64);
    let info = bag_info(&BUNDLE, ORIGIN, "2026-11-29", size);
    let mut bag = payload.clone();
    bag.insert("tagmanifest-sha256.txt".into(), tag_manifest(&info, &manifest).into_bytes());
    bag.insert("manifest-sha256.txt".into(), manifest.into_bytes());
    bag.insert("bag-info.txt".into(), info.into_bytes());
    bag.insert("bagit.txt".into(), BAGIT_TXT.as_bytes().to_vec());
    bag
}

/// A bag as a tar file.
pub fn tar(bag: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let front = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"];
    let payload = bag.keys().map(String::as_str).filter(|path| path.starts_with("data/"));
    let mut out = Vec::new();
    for path in front.into_iter().chain(payload) {
        let bytes = &bag[path];
        let header = TarFile { bag: "b".into(), path: path.into(), bytes: bytes.len() as u64, mtime_s: SEEN_S };
        out.extend_from_slice(&tar_header(&header).unwrap());
        out.extend_from_slice(bytes);
        out.resize(out.len() + tar_padding(bytes.len() as u64), 0);
    }
    out.resize(out.len() + TAR_END_BYTES, 0);
    out
}

/// The log up to the bundle: entries of every sort that a bundle has.
fn log_of(tapes: &[Tape]) -> Log {
    let mut log = Log::default();
    let key = |byte| Seed::of(byte).public_key();
    let genesis = Genesis {
        origin: ORIGIN.into(),
        keys: [1, 2, 3].map(|byte| key(byte).to_bytes()),
        next: [4, 5, 6].map(|byte| key(byte).thumbprint()),
        profile: "test".into(),
        policy: "p".into(),
        test: true,
        predecessor: None,
        founders: Vec::new(),
    };
    log.ledger(EntryKind::GENESIS, &Body::Genesis(Box::new(genesis)));
    log.ledger(EntryKind::LOG_STARTED, &Body::LogStarted { term: 1 });
    for tape in tapes {
        let body = Body::TapeSaved { statement: tape.statement(&log), epoch: [0; 16] };
        let mut private = acted();
        private.tape_id = Some(tape.id());
        log.append(EntryKind::TAPE_SAVED, tape.custody, &body, private);
    }
    let first = tapes[0].custody;
    let grant = log.append(EntryKind::ACCESS_GRANTED, first, &Body::AccessGranted, acted());
    log.append(EntryKind::ACCESS_COMPLETED, first, &Body::AccessCompleted { grant }, acted());
    let mut ids: Vec<CustodyId> = tapes.iter().map(|tape| tape.custody).collect();
    let set = set_commitment(&SET_SALT, &mut ids);
    let body = Body::Listed { set, count: ids.len() as u64, size: log.size(), list: None };
    let mut private = acted();
    (private.set, private.set_salt) = (Some(ids), Some(SET_SALT));
    log.append(EntryKind::LISTED, CustodyId::LEDGER, &body, private);
    log.append(EntryKind::REFUSED, first, &Body::Refused { act: 32, error: 50 }, acted());
    cosign(&mut log, 5);
    stamp(&mut log, 5);
    let rotated = rotate(ORIGIN, KeyRole::Issuer, &Seed::of(6), Thumbprint::from_bytes([7; 32]));
    log.ledger(EntryKind::KEY_ROTATED, &Body::Critical(rotated));
    log
}

/// An `anchor.cosigned` of a head of so many entries.
pub fn cosign(log: &mut Log, size: u64) -> u64 {
    let keys = vec![witness(11).to_text(), witness(12).to_text()];
    let body = AnchorBody::Cosigned { note: log.cosigned(size).into_bytes(), keys, quorum: true };
    log.ledger(EntryKind::ANCHOR_COSIGNED, &Body::Anchor(body))
}

/// An `anchor.timestamped` of a head of so many entries.
pub fn stamp(log: &mut Log, size: u64) -> u64 {
    let note = log.note(size).into_bytes();
    let body = AnchorBody::Timestamped { token: token(&sha256(&note)), note, time_ms: SEEN_S * 1_000 };
    log.ledger(EntryKind::ANCHOR_TIMESTAMPED, &Body::Anchor(body))
}

fn completeness(log: &Log, tapes: &[Tape]) -> Completeness {
    let tape = &tapes[0];
    let last = (tape.frames.len() as u64).checked_sub(1);
    Completeness {
        format: Completeness::format_name(),
        bundle: BUNDLE,
        origin: ORIGIN.into(),
        ledger: Digest::from_bytes(*log.ledger_id().as_bytes()),
        made_ms: 5_000_000,
        log_size: log.size(),
        authority: "a test".into(),
        recipient: Some("who checks".into()),
        expires_ms: None,
        asked: Asked::Ids(AskedIds { ids: vec![tape.id()] }),
        frames: None,
        payloads: true,
        span: None,
        given: vec![Given {
            tape: tape.id(),
            custody: tape.custody,
            entry: 2,
            frames: tape.frames.len() as u64,
            opened: last.map(|last| (0, last)),
        }],
        withheld: Vec::new(),
        destroyed: Vec::new(),
        out_of_scope: Vec::new(),
    }
}

/// Asks for everything that was saved in the time of the log.
pub fn ask_by_search(completeness: &mut Completeness, log: &Log) {
    completeness.asked = Asked::Query(AskedQuery { query: "tag:x".into(), sealed_ms: (0, 9_000_000) });
    completeness.span = Some((0, log.size() - 1));
}

/// Makes a bundle of the first tape.
pub fn make(change: &Change<'_>) -> Made {
    let mut tapes = vec![Tape::new(0xa1, 3), Tape::new(0xb2, 1)];
    (change.tapes)(&mut tapes);
    let mut log = log_of(&tapes);
    (change.log)(&mut log, &tapes);
    let mut asked = completeness(&log, &tapes);
    (change.asked)(&mut asked, &log);
    let json = asked.to_json().into_bytes();
    for given in &asked.given {
        let (salt, digest) = ([0x0e; 32], Digest::from_bytes(sha256(&json)));
        let commitment = export_commitment(&salt, &digest);
        let mut body = EvidenceBody::Made { bundle: BUNDLE, commitment, tapes: asked.given.len() as u64 };
        let mut private = acted();
        private.exported = Some((salt, digest));
        (change.made)(&mut body, &mut private);
        log.append(EntryKind::EVIDENCE_MADE, given.custody, &Body::Evidence(body), private);
    }
    let mut items = items(&log, &asked, &tapes);
    (change.items)(&mut items);
    let mut files = BTreeMap::from([(path::COMPLETENESS.to_owned(), json)]);
    log_files(&log, &items, &mut files);
    for given in &asked.given {
        if let Some(tape) = tapes.iter().find(|tape| tape.custody == given.custody) {
            tape_files(&log, tape, (given.entry, &asked), &mut files);
        }
    }
    for text in [path::CUSTODY_HTML, path::CUSTODY_JSON, path::VERIFY] {
        files.insert(text.into(), b"for people\n".to_vec());
    }
    (change.files)(&mut files);
    Made { log, tapes, files }
}

fn items(log: &Log, asked: &Completeness, tapes: &[Tape]) -> Vec<EvidenceEntry> {
    let is_given = |custody: &CustodyId| asked.given.iter().any(|given| given.custody == *custody);
    let mut items = Vec::new();
    for (index, logged) in log.entries.iter().enumerate() {
        let (index, entry) = (index as u64, Entry::decode(&logged.public).unwrap());
        let body = Body::decode(entry.kind, entry.body).unwrap();
        let number = entry.kind.number();
        let is_needed = index == 0
            || is_given(&entry.subject)
            || matches!(number, 34 | 40 | 128 | 129 | 32_768..)
            || asked.span.is_some_and(|(first, last)| (first..=last).contains(&index));
        if !is_needed {
            continue;
        }
        let map = logged.private.fields().map();
        let is_closed = |number: u64| number == 19 || number == 31;
        let opened = Opened::new(PRIVATE, &salts(index), split_fields(&map).unwrap(), |number| !is_closed(number));
        let mut item =
            EvidenceEntry { public: logged.public.clone(), opened: Some(opened), ..EvidenceEntry::default() };
        match &body {
            Body::Anchor(AnchorBody::Cosigned { note, .. } | AnchorBody::Timestamped { note, .. }) => {
                let note = SignedNote::parse(std::str::from_utf8(note).unwrap()).unwrap();
                let old = Checkpoint::parse(note.text()).unwrap().size;
                item.consistency = consistency_path(old, log.size(), &mut |first, count| log.subtree(first, count));
            }
            Body::Listed { .. } => item.members = vec![member(&tapes[0].custody, tapes)],
            _ => {}
        }
        items.push(item);
    }
    items
}

fn member(custody: &CustodyId, tapes: &[Tape]) -> Membership {
    let mut ids: Vec<CustodyId> = tapes.iter().map(|tape| tape.custody).collect();
    ids.sort();
    let leaves: Vec<LeafHash> = ids.iter().map(|id| set_leaf(&own_salt(&SET_SALT, id), id)).collect();
    let position = ids.iter().position(|id| id == custody).unwrap() as u64;
    let mut roots =
        |first: u64, count: u64| Some(*root_of(leaves.get(first as usize..(first + count) as usize)?).as_bytes());
    let path = inclusion_path(position, ids.len() as u64, &mut roots).unwrap();
    Membership { custody: *custody, salt: own_salt(&SET_SALT, custody), position, path }
}

fn log_files(log: &Log, items: &[EvidenceEntry], files: &mut BTreeMap<String, Vec<u8>>) {
    let size = log.size();
    files.insert(path::ENTRIES.into(), items.iter().flat_map(EvidenceEntry::encode).collect());
    files.insert(path::CHECKPOINT.into(), log.cosigned(size).into_bytes());
    let mut known: Vec<u64> = items.iter().filter_map(|item| Some(Entry::decode(&item.public).ok()?.index)).collect();
    known.sort_unstable();
    known.dedup();
    known.retain(|index| *index < size);
    let hashes = set_proof(size, &known, &mut |first, count| log.subtree(first, count)).unwrap();
    files.insert(path::LOG_PATHS.into(), write_set_proof(&hashes));
    for item in items {
        let Ok(entry) = Entry::decode(&item.public) else { continue };
        if let Ok(Body::Anchor(AnchorBody::Timestamped { note, token, .. })) = Body::decode(entry.kind, entry.body) {
            files.insert(format!("data/time/{}.note", entry.index), note);
            files.insert(format!("data/time/{}.tst", entry.index), token);
        }
    }
    for (name, byte) in [("checkpoint-0", 1), ("recorder-0", 2), ("issuer-0", 3), ("issuer-10", 6)] {
        let pem = public_key_pem(&Seed::of(byte).public_key());
        files.insert(format!("data/keys/{name}.pem"), pem.into_bytes());
    }
    files.insert("data/keys/checkpoint-0.vkey".into(), (vkey() + "\n").into_bytes());
}

fn tape_files(log: &Log, tape: &Tape, (saved, asked): (u64, &Completeness), files: &mut BTreeMap<String, Vec<u8>>) {
    let (id, size) = (tape.id(), log.size());
    let mut put = |name: &str, bytes: Vec<u8>| files.insert(path::of_tape(&id, name), bytes);
    put("root.cbor", tape.root().encode());
    put("header.cbor", tape.opened_header(|_| true).encode());
    put("manifest.cbor", tape.manifest());
    put("statement.cose", tape.statement(log));
    let (first, last) = asked.frames.unwrap_or((0, u64::MAX));
    let [frames, paths] = tape.frames_files(|seq| (first..=last).contains(&seq), asked.payloads);
    put("frames.cbor", frames);
    put("frames-paths.cbor", paths);
    let made = log.entries.iter().rposition(|entry| Entry::decode(&entry.public).unwrap().subject == tape.custody);
    for (name, index) in [("saved.tlog-proof", saved), ("evidence.tlog-proof", made.unwrap() as u64)] {
        let extra = log.entries.get(index as usize).map(|entry| entry.public.clone());
        let index = if extra.is_some() { index } else { 0 };
        let proof = TlogProof { extra, index, path: log.inclusion(index, size), note: log.cosigned(size) };
        put(name, proof.to_text().into_bytes());
    }
    let subject = tape.custody.to_hex();
    let saved = saved.min(size - 1);
    let receipt = Receipt::sign(&log.head(size), &subject, saved, &log.inclusion(saved, size), &Seed::of(6)).unwrap();
    put("receipt.cose", receipt);
}

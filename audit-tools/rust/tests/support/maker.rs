//! A small writer of bundles, from the text: fixed keys, one tape of three frames, everything open to change.

use super::{hex, pair, public, witness};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tapeaudit_core::cbor::{Labelled, Writer};
use tapeaudit_core::digest::hash;
use tapeaudit_core::log::Levels;
use tapeaudit_core::sign::{KeyType, PublicKey, VerifierKey, export_commitment};
use tapeaudit_core::tape::{envelope_digest, frame_leaf, payload_digest};
use tapeaudit_core::text::base64;
use tapeaudit_core::tree::{self, Frontier};

pub use super::bags::*;
pub use super::notes::*;

pub type Hash = [u8; 32];
pub type Files = BTreeMap<String, Vec<u8>>;

pub const ORIGIN: &str = "audit.example/000102030405060708090a0b0c0d0e0f";
pub const CUSTODY: Hash = [0xc1; 32];
pub const OTHER: Hash = [0xc2; 32];
pub const BUNDLE: [u8; 16] = [0xb0; 16];
pub const ZERO: Hash = [0; 32];
/// Private halves, and the objects of the tape: nobody opens them here.
pub const SEALED: &[u8] = b"sealed half";
pub const OBJECTS: [&[u8]; 2] = [b"sealed header", b"sealed chunk of frames"];
const AT: u64 = 1_700_000_000_000;

#[derive(Clone)]
pub struct Fields(pub Vec<(u64, Vec<u8>)>);

impl Fields {
    fn salt(n: u64) -> Hash {
        [0x50 + n as u8; 32]
    }

    fn digest(label: &str, n: u64, value: &[u8]) -> Hash {
        Labelled::new(label, 3).uint(n).bytes(&Self::salt(n)).raw(value).done()
    }

    pub fn commitment(&self, label: &str) -> Hash {
        let mut writer = Writer::new().array(self.0.len() as u64 + 1).text(&format!("{label}/set"));
        for (n, value) in &self.0 {
            writer = writer.array(2).uint(*n).bytes(&Self::digest(label, *n, value));
        }
        hash(&writer.done())
    }

    pub fn opened(&self, label: &str, closed: &[u64]) -> Vec<u8> {
        let mut writer = Writer::new().array(2).array(self.0.len() as u64);
        for (n, value) in &self.0 {
            writer = writer.array(2).uint(*n).bytes(&Self::digest(label, *n, value));
        }
        let open: Vec<_> = self.0.iter().filter(|(n, _)| !closed.contains(n)).collect();
        writer = writer.array(open.len() as u64);
        for (n, value) in open {
            writer = writer.array(3).uint(*n).bytes(&Self::salt(*n)).bytes(value);
        }
        writer.done()
    }
}

/// Parts of an entry, before it is encoded.
pub struct Parts {
    pub index: u64,
    pub previous: Hash,
    pub time: u64,
    pub kind: u64,
    pub subject: Hash,
    pub seq: u64,
    pub subject_prev: Hash,
    pub commitment: Hash,
    pub body: Vec<u8>,
}

impl Parts {
    pub fn encode(&self) -> Vec<u8> {
        Writer::new()
            .array(12)
            .text("immutape/entry/1")
            .uint(self.index)
            .bytes(&self.previous)
            .uint(self.time)
            .uint(self.kind)
            .bytes(&self.subject)
            .uint(self.seq)
            .bytes(&self.subject_prev)
            .bytes(&self.commitment)
            .bytes(&hash(SEALED))
            .bytes(&[0xd0; 16])
            .raw(&self.body)
            .done()
    }
}

/// An entry that is to be made.
pub struct Spec {
    pub kind: u64,
    pub subject: Hash,
    pub private: Fields,
    /// Fields that stay closed; None closes the private half as a whole.
    pub closed: Option<Vec<u64>>,
    pub member: bool,
    /// It is in the log, and left out of the bundle.
    pub absent: bool,
}

pub struct Maker {
    pub specs: Vec<Spec>,
    pub lists: Value,
    /// Changes an entry before it is hashed.
    pub entry: Box<dyn Fn(&mut Parts)>,
    /// Changes an item of entries.cbor: entry, opened, rest.
    pub rest: Box<dyn Fn(u64, &mut Vec<u8>)>,
    pub frames_here: Vec<u64>,
    pub payloads: bool,
    pub header: Fields,
    pub header_closed: Vec<u64>,
    pub mark_root: Option<Hash>,
    pub head_seed: u8,
    pub cosigned: Vec<(u8, u64)>,
    pub statement_seed: u8,
    pub statement_issuer: String,
    pub evidence_salt: u8,
    pub token_time: String,
    /// Body of kind 32769, where one is made.
    pub rotation: Option<Vec<u8>>,
    /// Body of kind 32770.
    pub revocation: Vec<u8>,
    /// What entry 0 says of the log before, and the note of kind 32768.
    pub before: Option<Vec<u8>>,
    pub succession: Vec<u8>,
    pub note_seed: u8,
    /// Changes a head: that of the bundle (`None`), or the one in an entry of a kind.
    pub note: Box<dyn Fn(Option<u64>, Vec<u8>) -> Vec<u8>>,
}

pub struct Made {
    pub files: Files,
    pub entries: Vec<Vec<u8>>,
    pub levels: Levels,
    pub tape: Hash,
    pub ledger: Hash,
}

fn uint(n: u64) -> Vec<u8> {
    Writer::new().uint(n).done()
}

fn private() -> Fields {
    let actor = Writer::new().array(3).uint(0).bytes(b"clerk").uint(2).done();
    Fields(vec![(0, actor), (10, uint(0))])
}

fn with(mut fields: Fields, n: u64, value: Vec<u8>) -> Fields {
    fields.0.push((n, value));
    fields.0.sort();
    fields
}

pub fn header() -> Fields {
    let stats = (0..10).fold(Writer::new().map(10), |writer, n| writer.uint(n).uint(if n == 0 { 3 } else { 0 })).done();
    Fields(vec![
        (0, uint(1)),
        (1, uint(0)),
        (2, Writer::new().bytes(b"session").done()),
        (10, Writer::new().map(0).done()),
        (11, stats),
        (12, Writer::new().array(1).uint(0).done()),
        (16, Writer::new().text("draft").done()),
        (24, Writer::new().text("default").done()),
    ])
}

fn spec(kind: u64, subject: Hash) -> Spec {
    Spec { kind, subject, private: private(), closed: Some(Vec::new()), member: false, absent: false }
}

struct Frame {
    envelope: Vec<u8>,
    payload: Vec<u8>,
    leaf: Hash,
}

fn frames() -> Vec<Frame> {
    (0..3_u64)
        .map(|seq| {
            let envelope =
                Writer::new().map(4).uint(0).uint(seq).uint(3).uint(0).uint(4).uint(seq % 2).uint(6).uint(1).done();
            let payload = format!("payload {seq}").into_bytes();
            let salts = ([0xe0 + seq as u8; 32], [0xf0 + seq as u8; 32]);
            let leaf =
                frame_leaf(seq, &envelope_digest(seq, &salts.0, &envelope), &payload_digest(seq, &salts.1, &payload));
            Frame { envelope, payload, leaf }
        })
        .collect()
}

fn root_of(leaves: impl IntoIterator<Item = Hash>) -> Hash {
    let mut frontier = Frontier::new();
    leaves.into_iter().for_each(|leaf| frontier.push(leaf));
    frontier.root()
}

/// Hashes of a set proof, as 6.5 says it.
fn set_proof(leaves: &[Hash], at: u64, known: &[u64], out: &mut Vec<Hash>) {
    if leaves.is_empty() {
        return;
    }
    let n = leaves.len() as u64;
    if !known.iter().any(|known| (at..at + n).contains(known)) {
        out.push(root_of(leaves.iter().copied()));
    } else if n > 1 {
        let k = 1_usize << (n - 1).ilog2();
        set_proof(&leaves[..k], at, known, out);
        set_proof(&leaves[k..], at + k as u64, known, out);
    }
}

fn encoded(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().fold(Writer::new().array(hashes.len() as u64), |writer, hash| writer.bytes(hash)).done()
}

fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let k = 1_usize << (leaves.len() - 1).ilog2();
    let (mut below, beside) = if index < k {
        (path(&leaves[..k], index), &leaves[k..])
    } else {
        (path(&leaves[k..], index - k), &leaves[..k])
    };
    below.push(root_of(beside.iter().copied()));
    below
}

/// Consistency path of RFC 6962, section 2.1.2.
fn consistency(leaves: &[Hash], old: usize, whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root_of(leaves.iter().copied())] };
    }
    let k = 1_usize << (leaves.len() - 1).ilog2();
    if old <= k {
        let mut below = consistency(&leaves[..k], old, whole);
        below.push(root_of(leaves[k..].iter().copied()));
        return below;
    }
    let mut below = consistency(&leaves[k..], old - k, false);
    below.push(root_of(leaves[..k].iter().copied()));
    below
}

pub fn set_parts() -> (Hash, [Hash; 2]) {
    let salt = |custody: &Hash| Labelled::new("immutape/set/1/salt", 2).bytes(&[0x77; 32]).bytes(custody).done();
    let leaf =
        |custody: &Hash| tree::leaf(&Labelled::new("immutape/set/1", 2).bytes(&salt(custody)).bytes(custody).done());
    (salt(&CUSTODY), [leaf(&CUSTODY), leaf(&OTHER)])
}

impl Maker {
    /// Asked by ids; everything is given.
    pub fn new() -> Self {
        let mut specs: Vec<Spec> =
            [(0, ZERO), (1, ZERO), (19, CUSTODY), (16, CUSTODY), (128, ZERO), (129, ZERO), (34, ZERO), (163, CUSTODY)]
                .into_iter()
                .map(|(kind, subject)| spec(kind, subject))
                .collect();
        let listed = &mut specs[6];
        listed.private = with(
            with(private(), 19, Writer::new().bytes(&[CUSTODY, OTHER].concat()).done()),
            31,
            Writer::new().bytes(&[0x77; 32]).done(),
        );
        listed.closed = Some(vec![19, 31]);
        listed.member = true;
        let mut made = Self {
            specs,
            lists: Value::Null,
            entry: Box::new(|_| {}),
            rest: Box::new(|_, _| {}),
            frames_here: vec![0, 1, 2],
            payloads: true,
            header: header(),
            header_closed: Vec::new(),
            mark_root: None,
            head_seed: 1,
            cosigned: vec![(0x15, 1_700_000_100), (0x16, 1_700_000_200)],
            statement_seed: 2,
            statement_issuer: ORIGIN.into(),
            evidence_salt: 0x99,
            token_time: "20231114221400.5Z".into(),
            rotation: None,
            revocation: Vec::new(),
            before: None,
            succession: Vec::new(),
            note_seed: 1,
            note: Box::new(|_, note| note),
        };
        let (tape, ledger) = (hex(&made.tape()), hex(&made.ledger()));
        made.lists = json!({
            "format": "immutape/completeness/1", "bundle": hex(&BUNDLE), "origin": ORIGIN, "ledger": ledger,
            "made_ms": AT + 9000, "log_size": 7, "authority": "order 1", "recipient": null, "expires_ms": null,
            "asked": {"ids": [tape]}, "frames": null, "payloads": true, "span": null,
            "given": [{"tape": tape, "custody": hex(&CUSTODY), "entry": 3, "frames": 3, "opened": [0, 2]}],
            "withheld": [], "destroyed": [], "out_of_scope": []
        });
        made
    }

    /// Asked by a query: all entries below 7 are here.
    pub fn query() -> Self {
        let mut made = Self::new();
        made.lists["asked"] = json!({"query": "all", "sealed_ms": [AT + 3, AT + 5]});
        made.lists["span"] = json!([0, 6]);
        made
    }

    pub fn root_file(&self) -> Vec<u8> {
        let tree = root_of(frames().iter().map(|frame| frame.leaf));
        let header = self.header.commitment("immutape/header/1");
        Writer::new().array(4).text("immutape/tape/1").bytes(&header).uint(3).bytes(&tree).done()
    }

    pub fn tape(&self) -> Hash {
        hash(&self.root_file())
    }

    pub fn manifest(&self) -> Vec<u8> {
        let mut objects = Writer::new().array(2);
        for object in OBJECTS {
            objects = objects.array(2).bytes(&hash(object)).uint(object.len() as u64);
        }
        let objects = objects.done();
        Writer::new().array(4).text("immutape/manifest/1").bytes(&CUSTODY).bytes(&self.root_file()).raw(&objects).done()
    }

    fn statement(&self) -> Vec<u8> {
        let (tape, signer) = (self.tape(), public(&[self.statement_seed; 32]));
        let claims =
            Writer::new().map(2).uint(1).text(&self.statement_issuer).uint(2).text(&format!("sha256:{}", hex(&tape)));
        let protected = Writer::new()
            .map(8)
            .uint(1)
            .negative(7)
            .uint(4)
            .bytes(&public(&[2; 32]).thumbprint())
            .uint(15)
            .raw(&claims.done())
            .uint(258)
            .negative(15)
            .uint(259)
            .text("application/vnd.immutape.tape-root+cbor")
            .text("ledger")
            .bytes(&self.ledger())
            .text("custody")
            .bytes(&CUSTODY)
            .text("manifest")
            .bytes(&hash(&self.manifest()))
            .done();
        let _ = signer;
        let signature = cose(&protected, &tape, self.statement_seed);
        Writer::new().tag_18().array(4).bytes(&protected).map(0).bytes(&tape).bytes(&signature).done()
    }

    pub fn genesis_body(before: Option<&[u8]>) -> Vec<u8> {
        let mut writer = Writer::new().map(if before.is_some() { 10 } else { 9 }).uint(0).uint(1).uint(1).text(ORIGIN);
        for n in 1..=3_u8 {
            writer = writer.uint(u64::from(n) + 1).bytes(public(&[n; 32]).bytes());
        }
        writer = writer.uint(5).array(3);
        for n in 4..=6_u8 {
            writer = writer.bytes(&public(&[n; 32]).thumbprint());
        }
        writer = writer.uint(6).text("personal").uint(7).text("p").uint(8).raw(&[0xf5]);
        if let Some(before) = before {
            writer = writer.uint(9).raw(before);
        }
        writer.done()
    }

    pub fn ledger(&self) -> Hash {
        let commitment = self.specs[0].private.commitment("immutape/private/1");
        let body = Self::genesis_body(self.before.as_deref());
        let parts = Parts {
            index: 0,
            previous: ZERO,
            time: AT,
            kind: 0,
            subject: ZERO,
            seq: 0,
            subject_prev: ZERO,
            commitment,
            body,
        };
        tree::leaf(&parts.encode())
    }

    fn body(&self, index: u64, kind: u64, levels: &Levels) -> Vec<u8> {
        let key = |n: u64| Writer::new().map(1).uint(0).uint(n).done();
        match kind {
            0 => Self::genesis_body(self.before.as_deref()),
            19 => {
                let root = self.mark_root.unwrap_or_else(|| root_of(frames().iter().take(2).map(|frame| frame.leaf)));
                Writer::new().map(2).uint(0).uint(2).uint(1).bytes(&root).done()
            }
            16 => Writer::new().map(2).uint(0).bytes(&self.statement()).uint(1).bytes(&[0xe1; 16]).done(),
            20 => Writer::new().map(3).uint(0).uint(1).uint(1).uint(2).uint(2).uint(0).done(),
            40 => Writer::new().map(2).uint(0).uint(32).uint(1).uint(30).done(),
            128 => {
                let note = head(index, &levels.root_at(index).unwrap(), self.note_seed, &self.cosigned);
                let note = (self.note)(Some(kind), note);
                let mut keys = Writer::new().array(self.cosigned.len() as u64);
                for (n, _) in &self.cosigned {
                    keys = keys.text(&witnesses()[usize::from(n - 0x15)].write());
                }
                Writer::new().map(3).uint(0).bytes(&note).uint(1).raw(&keys.done()).uint(2).raw(&[0xf5]).done()
            }
            129 => {
                let note = head(index, &levels.root_at(index).unwrap(), self.note_seed, &[]);
                let token = token(&hash(&note), &self.token_time);
                Writer::new().map(3).uint(0).bytes(&note).uint(1).bytes(&token).uint(2).uint(1_700_000_040_500).done()
            }
            34 => {
                let (_, leaves) = set_parts();
                Writer::new().map(3).uint(0).bytes(&root_of(leaves)).uint(1).uint(2).uint(2).uint(6).done()
            }
            133 => {
                let note = (self.note)(Some(kind), head(90, &[1; 32], self.note_seed, &[]));
                let body = Writer::new().map(4).uint(0).uint(0).uint(1).bytes(&note);
                body.uint(2).uint(index).uint(3).bytes(&levels.root_at(index).unwrap()).done()
            }
            163 => {
                let digest = hash(self.lists.to_string().as_bytes());
                let commitment = export_commitment(&[self.evidence_salt; 32], &digest);
                let given = self.lists["given"].as_array().unwrap().len() as u64;
                Writer::new().map(3).uint(0).bytes(&BUNDLE).uint(1).bytes(&commitment).uint(2).uint(given).done()
            }
            32_768 => Writer::new().map(1).uint(0).bytes(&self.succession).done(),
            32_769 => self.rotation.clone().unwrap(),
            32_770 => self.revocation.clone(),
            _ => key(1),
        }
    }

    /// Body of a rotation: the key of a seed comes into force for a role.
    pub fn rotation_body(role: u64, seed: u8) -> Vec<u8> {
        let (key, next) = (public(&[seed; 32]), public(&[seed + 0x20; 32]).thumbprint());
        let message = Writer::new()
            .array(5)
            .text("immutape/key/1")
            .text(ORIGIN)
            .uint(role)
            .bytes(key.bytes())
            .bytes(&next)
            .done();
        let signature = pair(&[seed; 32]).sign(&message).to_bytes();
        let body = Writer::new().map(4).uint(0).uint(role).uint(1).bytes(key.bytes()).uint(2).bytes(&next);
        body.uint(3).bytes(&signature).done()
    }

    /// Puts a rotation in the place of an entry.
    pub fn rotate(&mut self, at: usize, role: u64, seed: u8) {
        self.rotation = Some(Self::rotation_body(role, seed));
        self.specs[at].kind = 32_769;
    }

    /// Body of a revocation: of the key of a seed.
    pub fn revocation_body(role: u64, seed: u8, from: u64) -> Vec<u8> {
        let body = Writer::new().map(4).uint(0).uint(role).uint(1).bytes(&public(&[seed; 32]).thumbprint());
        body.uint(2).uint(from).uint(3).uint(1).done()
    }

    /// Puts a revocation in the place of an entry.
    pub fn revoke(&mut self, at: usize, role: u64, seed: u8, from: u64) {
        self.revocation = Self::revocation_body(role, seed, from);
        self.specs[at].kind = 32_770;
    }

    /// Puts a succession in the place of an entry: this log goes on for another one, which signed that or did not.
    pub fn succeed(&mut self, at: usize, lost: &str, old_signs: bool) {
        let name = "old.example/ffeeddccbbaa99887766554433221100";
        let old = VerifierKey { name: name.into(), of: KeyType::Log, key: public(&[0x31; 32]) };
        let sign = |text: &str, key: &VerifierKey, seed: u8| {
            let all = [&key.id()[..], &pair(&[seed; 32]).sign(text.as_bytes()).to_bytes()].concat();
            format!("\u{2014} {} {}\n", key.name, base64(&all))
        };
        let text = format!("{name}\n9\n{}\n", base64(&[5; 32]));
        let note = format!("{text}\n{}", sign(&text, &old, 0x31));
        self.before = Some(Writer::new().array(4).text(name).bytes(note.as_bytes()).uint(5).uint(8).done());
        let ledger = self.ledger();
        self.lists["ledger"] = json!(hex(&ledger));
        // The tape's statement names the ledger, but its id does not hang on that.
        let text = format!(
            "immutape/succession/1\nold {}\nhead 9 {}\nnew {}\nledger {}\nlost {lost}\n",
            old.write(),
            base64(&[5; 32]),
            log_key().write(),
            hex(&ledger)
        );
        let mut note = format!("{text}\n{}", sign(&text, &log_key(), 1));
        if old_signs {
            note.push_str(&sign(&text, &old, 0x31));
        }
        self.succession = note.into_bytes();
        self.specs[at].kind = 32_768;
    }

    fn make_entries(&mut self) -> (Vec<Vec<u8>>, Levels) {
        let (mut entries, mut levels) = (Vec::new(), Levels::default());
        let (mut previous, mut subjects) = (ZERO, BTreeMap::<Hash, (u64, Hash)>::new());
        let digest = hash(self.lists.to_string().as_bytes());
        for spec in self.specs.iter_mut().filter(|spec| spec.kind == 163) {
            let value = Writer::new().array(2).bytes(&[0x99; 32]).bytes(&digest).done();
            spec.private = with(private(), 30, value);
        }
        for (index, spec) in self.specs.iter().enumerate() {
            let index = index as u64;
            let (seq, subject_prev) = subjects.get(&spec.subject).copied().unwrap_or((0, ZERO));
            let mut parts = Parts {
                index,
                previous,
                time: AT + index,
                kind: spec.kind,
                subject: spec.subject,
                seq,
                subject_prev,
                commitment: spec.private.commitment("immutape/private/1"),
                body: self.body(index, spec.kind, &levels),
            };
            (self.entry)(&mut parts);
            let bytes = parts.encode();
            previous = tree::leaf(&bytes);
            levels.push(previous);
            subjects.insert(spec.subject, (parts.seq + 1, previous));
            entries.push(bytes);
        }
        (entries, levels)
    }

    pub fn make(&mut self) -> Made {
        let (entries, levels) = self.make_entries();
        let leaves: Vec<Hash> = entries.iter().map(|entry| tree::leaf(entry)).collect();
        let size = leaves.len() as u64;
        let root = root_of(leaves.iter().copied());
        let note = (self.note)(None, head(size, &root, self.head_seed, &self.cosigned));
        let mut files = Files::new();
        let mut put = |path: &str, bytes: Vec<u8>| drop(files.insert(format!("data/{path}"), bytes));
        put("COMPLETENESS.json", self.lists.to_string().into_bytes());
        put("log/checkpoint", note.clone());
        let here: Vec<u64> = (0..size).filter(|n| !self.specs[*n as usize].absent).collect();
        let mut hashes = Vec::new();
        set_proof(&leaves, 0, &here, &mut hashes);
        put("log/paths.cbor", encoded(&hashes));
        let mut sequence = Vec::new();
        for index in &here {
            let (spec, entry) = (&self.specs[*index as usize], &entries[*index as usize]);
            sequence.extend(self.item(*index, spec, entry, &leaves));
            if spec.kind == 129 {
                let note = head(*index, &levels.root_at(*index).unwrap(), self.note_seed, &[]);
                put(&format!("time/{index}.tst"), token(&hash(&note), &self.token_time));
                put(&format!("time/{index}.note"), note);
            }
        }
        put("entries.cbor", sequence);
        for (n, role) in [(1_u8, "checkpoint"), (2, "recorder"), (3, "issuer")] {
            put(&format!("keys/{role}-0.pem"), pem(public(&[n; 32]).bytes()).into_bytes());
        }
        put("keys/checkpoint-0.vkey", format!("{}\n", log_key().write()).into_bytes());
        if let Some(rotation) = &self.rotation {
            let at = self.specs.iter().position(|spec| spec.kind == 32_769).unwrap();
            let (role, key): (_, Hash) = (usize::from(rotation[2]), rotation[6..38].try_into().unwrap());
            let role = ["checkpoint", "recorder", "issuer"][role];
            put(&format!("keys/{role}-{at}.pem"), pem(&key).into_bytes());
            if role == "checkpoint" {
                let key = VerifierKey { key: PublicKey::new(key).unwrap(), ..log_key() };
                put(&format!("keys/checkpoint-{at}.vkey"), format!("{}\n", key.write()).into_bytes());
            }
        }
        let tape = self.tape();
        for (name, bytes) in self.tape_files(&entries, &leaves, &note, &root) {
            put(&format!("tapes/{}/{name}", hex(&tape)), bytes);
        }
        Made { files, entries, levels, tape, ledger: leaves[0] }
    }

    fn item(&self, index: u64, spec: &Spec, entry: &[u8], leaves: &[Hash]) -> Vec<u8> {
        let mut rest = match spec.kind {
            128 | 129 => Writer::new().map(1).uint(1).raw(&encoded(&consistency(leaves, index as usize, true))).done(),
            34 if spec.member => {
                let (salt, set) = set_parts();
                let member =
                    Writer::new().array(4).bytes(&CUSTODY).bytes(&salt).uint(0).raw(&encoded(&set[1..])).done();
                Writer::new().map(1).uint(0).array(1).raw(&member).done()
            }
            _ => Writer::new().map(0).done(),
        };
        (self.rest)(index, &mut rest);
        let opened = spec.closed.as_ref().map(|closed| spec.private.opened("immutape/private/1", closed));
        Writer::new().array(3).bytes(entry).raw(&opened.unwrap_or_else(|| vec![0xf6])).raw(&rest).done()
    }

    fn tape_files(
        &self,
        entries: &[Vec<u8>],
        leaves: &[Hash],
        note: &[u8],
        root: &Hash,
    ) -> Vec<(&'static str, Vec<u8>)> {
        let all = frames();
        let mut sequence = Vec::new();
        for seq in &self.frames_here {
            let frame = &all[*seq as usize];
            let (one, two) = ([0xe0 + *seq as u8; 32], [0xf0 + *seq as u8; 32]);
            let mut writer = Writer::new().array(3).uint(*seq).array(2).bytes(&one).bytes(&frame.envelope);
            writer = if self.payloads {
                writer.array(2).bytes(&two).bytes(&frame.payload)
            } else {
                writer.bytes(&payload_digest(*seq, &two, &frame.payload))
            };
            sequence.extend(writer.done());
        }
        let mut hashes = Vec::new();
        set_proof(&all.iter().map(|frame| frame.leaf).collect::<Vec<_>>(), 0, &self.frames_here, &mut hashes);
        let proof = |index: usize| {
            let mut text = format!("c2sp.org/tlog-proof@v1\nextra {}\nindex {index}\n", base64(&entries[index]));
            path(leaves, index).iter().for_each(|hash| text.push_str(&format!("{}\n", base64(hash))));
            [text.as_bytes(), b"\n", note].concat()
        };
        let saved = self.specs.iter().position(|spec| spec.kind == 16).unwrap();
        let evidence = self.specs.iter().rposition(|spec| spec.kind == 163).unwrap();
        vec![
            ("root.cbor", self.root_file()),
            ("header.cbor", self.header.opened("immutape/header/1", &self.header_closed)),
            ("manifest.cbor", self.manifest()),
            ("statement.cose", self.statement()),
            ("frames.cbor", sequence),
            ("frames-paths.cbor", encoded(&hashes)),
            ("saved.tlog-proof", proof(saved)),
            ("evidence.tlog-proof", proof(evidence)),
            ("receipt.cose", receipt(saved, leaves, root)),
        ]
    }
}

fn cose(protected: &[u8], payload: &[u8], seed: u8) -> [u8; 64] {
    let message = Writer::new().array(4).text("Signature1").bytes(protected).bytes(b"").bytes(payload).done();
    pair(&[seed; 32]).sign(&message).to_bytes()
}

fn receipt(index: usize, leaves: &[Hash], root: &Hash) -> Vec<u8> {
    let claims = Writer::new().map(2).uint(1).text(ORIGIN).uint(2).text(&hex(&CUSTODY)).done();
    let protected = Writer::new().map(4).uint(1).negative(7).uint(4).bytes(&public(&[3; 32]).thumbprint());
    let protected = protected.uint(15).raw(&claims).uint(395).uint(1).done();
    let inner =
        Writer::new().array(3).uint(leaves.len() as u64).uint(index as u64).raw(&encoded(&path(leaves, index))).done();
    let unprotected = Writer::new().map(1).uint(396).map(1).negative(0).array(1).bytes(&inner).done();
    let signature = cose(&protected, root, 3);
    Writer::new().tag_18().array(4).bytes(&protected).raw(&unprotected).null().bytes(&signature).done()
}

pub fn pem(key: &Hash) -> String {
    let der = [&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0][..], key].concat();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&der))
}

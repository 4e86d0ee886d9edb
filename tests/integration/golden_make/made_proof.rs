//! Golden files of chapter 5 but for time-stamps: keys, policies, cosigned heads, proofs, receipts, proofs of a fork, what witnesses
//! are asked and answer, and the pieces of a published tree. All over the golden log of chapter 4.

use immutape::codec::digest::LeafHash;
use immutape::log::{NoteKey, SignedNote, consistency_path, inclusion_path, leaf_hash, root_of};
use immutape::proof::{CosignerKey, ForkProof, Receipt, TlogProof, WitnessRequest};
use immutape::seal::Signer as _;

use super::inputs::{CHECKPOINT_SEED, CUSTODY, ISSUER_SEED, ORIGIN, public_key, signer};
use super::kit::{Accept, Chapter, Named, Value, hex, text};
use super::made_commit::{checkpoint_of, sign};
use super::made_log::{GoldenLog, golden_log};
use super::{refused_policy, refused_proof, refused_receipt};

const ABOUT: &str = "Golden files of docs/format/5-proof.md, sections 5.1 to 5.5; those of 5.6 are in timestamps.
All values are hexadecimal unless they are words or numbers. The log is that of 4-commit; `entry` is its entry 2, a tape.saved.
A refused file is the accepted file `from` with `edits` made (offsets into the accepted file); where `refreshed`
names signatures, they were made anew around the one fault. `error` is the verdict of the library's reader.";

pub const WITNESSES: [(&str, u8); 2] = [("witness.example/w1", 21), ("witness.example/w2", 22)];
pub const TIME_S: u64 = 1_700_000_100;
/// The tape.saved of the golden log.
pub const INDEX: u64 = 2;

pub fn chapter() -> Chapter {
    let log = golden_log();
    let mut accepts = keys_and_policies();
    accepts.extend(cosigned_heads(&log));
    accepts.extend(proofs(&log));
    accepts.extend(receipts(&log));
    accepts.extend(forks(&log));
    accepts.extend(witnesses(&log));
    accepts.extend(published(&log));
    let mut rejects = refused_policy::rejects(&accepts, &log);
    rejects.extend(refused_proof::rejects(&accepts, &log));
    rejects.extend(refused_receipt::rejects(&accepts, &log));
    Chapter { name: "5-proof", about: ABOUT, inputs: inputs(&log), accepts, rejects }
}

fn inputs(log: &GoldenLog) -> Vec<Named> {
    vec![
        ("origin", text(ORIGIN), "of the log"),
        ("checkpoint_seed", hex([CHECKPOINT_SEED; 32]), "Ed25519 seed"),
        ("checkpoint_key", hex(public_key(CHECKPOINT_SEED)), "its public key"),
        ("issuer_seed", hex([ISSUER_SEED; 32]), "Ed25519 seed"),
        ("issuer_key", hex(public_key(ISSUER_SEED)), "its public key"),
        ("witness_1", text(WITNESSES[0].0), "name of a witness"),
        ("witness_1_seed", hex([WITNESSES[0].1; 32]), "its Ed25519 seed"),
        ("witness_2", text(WITNESSES[1].0), "name of another"),
        ("witness_2_seed", hex([WITNESSES[1].1; 32]), "its Ed25519 seed"),
        ("cosigned_at", Value::Int(TIME_S), "time of the cosignatures; the second witness is a second later"),
        ("policy", hex(policy()), "asks for both"),
        ("entry", hex(&log.entries[2].public), "entry 2 of the log"),
        ("custody", hex(CUSTODY), "custody id of its tape"),
    ]
}

fn file(name: &str, decoder: &'static str, what: &str, bytes: impl Into<Vec<u8>>) -> Accept {
    let bytes = bytes.into();
    Accept { file: name.into(), decoder, what: what.into(), cddl: None, bytes, values: Vec::new() }
}

pub fn cosigner(n: usize) -> CosignerKey {
    CosignerKey::new(WITNESSES[n].0, signer(WITNESSES[n].1).public_key()).unwrap()
}

/// A cosignature line of a witness over the text of a head.
pub fn cosignature(n: usize, head: &str, time_s: u64) -> String {
    cosigner(n).cosign(head, time_s, &signer(WITNESSES[n].1)).unwrap().to_line()
}

/// `note` with the lines of both witnesses.
pub fn cosigned(note: &str) -> String {
    let text = SignedNote::parse(note).unwrap().text().to_owned();
    format!("{note}{}{}", cosignature(0, &text, TIME_S), cosignature(1, &text, TIME_S + 1))
}

pub fn log_key() -> NoteKey {
    NoteKey::new(ORIGIN, signer(CHECKPOINT_SEED).public_key()).unwrap()
}

pub fn policy() -> String {
    let [one, two] = [cosigner(0).to_text(), cosigner(1).to_text()];
    format!(
        "# Both are asked for.\nlog {}\nwitness one {one} https://w1.example/\nwitness two {two}\ngroup both all one two\nquorum both\n",
        log_key().to_text()
    )
}

fn keys_and_policies() -> Vec<Accept> {
    let [one, two] = [cosigner(0).to_text(), cosigner(1).to_text()];
    let any = format!("witness one {one}\n\twitness  two {two}\n\n# one of them\ngroup any any one two\nquorum any\n");
    let nested = format!(
        "witness one {one}\nwitness two {two}\ngroup first 1 one\ngroup rest any two\ngroup both 2 first rest\nquorum both\n"
    );
    let policy_file = |name: &str, what: &str, policy: String, met: &str| Accept {
        values: vec![("opened", hex(met))],
        ..file(name, "policy", what, policy)
    };
    vec![
        file("witness-key.txt", "witness-key", "the key of a witness as C2SP text", one),
        policy_file("policy-both.policy", "two witnesses, both are the quorum", policy(), "one two\n"),
        policy_file("policy-any.policy", "one of two, with tabs and empty lines", any, "one\ntwo\none two\n"),
        policy_file("policy-nested.policy", "groups of groups", nested, "one two\n"),
        policy_file("policy-none.policy", "nobody is asked", "quorum none\n".into(), "\n"),
    ]
}

fn cosigned_heads(log: &GoldenLog) -> Vec<Accept> {
    let head = checkpoint_of(log, log.entries.len());
    let note = sign(&head.text(), ORIGIN, CHECKPOINT_SEED).unwrap();
    let both = cosigned(&note);
    let opened = |name: &str, what: &str, note: String| Accept {
        values: vec![("opened", hex(head.text()))],
        ..file(name, "cosigned", what, note)
    };
    let earlier = format!("{both}{}", cosignature(0, &head.text(), 5));
    vec![
        opened("cosigned.note", "the head of the whole log with both cosignatures", both.clone()),
        // An unknown name, and a known name with another key id: neither is looked at.
        opened(
            "cosigned-strangers.note",
            "and with lines of keys that nobody knows",
            format!("{both}— witness.example/w9 AAAAAAA=\n— {} AAAAAAA=\n", WITNESSES[0].0),
        ),
        opened("cosigned-twice.note", "and with a second line of one witness", earlier),
    ]
}

pub fn leaves(log: &GoldenLog) -> Vec<LeafHash> {
    log.entries.iter().map(|entry| entry.placed.leaf).collect()
}

pub fn subtree(all: &[LeafHash]) -> impl FnMut(u64, u64) -> Option<[u8; 32]> {
    |first, count| Some(*root_of(&all[first as usize..(first + count) as usize]).as_bytes())
}

pub fn proof(log: &GoldenLog) -> TlogProof {
    let size = log.entries.len();
    let note = cosigned(&sign(&checkpoint_of(log, size).text(), ORIGIN, CHECKPOINT_SEED).unwrap());
    let path = inclusion_path(INDEX, size as u64, &mut subtree(&leaves(log))).unwrap();
    TlogProof { extra: Some(log.entries[2].public.clone()), index: INDEX, path, note }
}

fn proofs(log: &GoldenLog) -> Vec<Accept> {
    let whole = proof(log);
    let bare = TlogProof { extra: None, ..whole.clone() };
    let note = cosigned(&sign(&checkpoint_of(log, 1).text(), ORIGIN, CHECKPOINT_SEED).unwrap());
    let alone = TlogProof { extra: None, index: 0, path: Vec::new(), note };
    vec![
        file("entry.tlog-proof", "tlog-proof", "entry 2 under the cosigned head of the whole log", whole.to_text()),
        file("entry-bare.tlog-proof", "tlog-proof", "the same without the entry", bare.to_text()),
        Accept {
            values: vec![("entry", hex(&log.entries[0].public))],
            ..file("only-entry.tlog-proof", "tlog-proof", "the only entry: no hashes", alone.to_text())
        },
    ]
}

fn receipts(log: &GoldenLog) -> Vec<Accept> {
    let size = log.entries.len();
    let (head, path) = (checkpoint_of(log, size), proof(log).path);
    let made = Receipt::sign(&head, &CUSTODY.to_hex(), INDEX, &path, &signer(ISSUER_SEED)).unwrap();
    let receipt = |name: &str, what: &str, bytes: Vec<u8>| Accept {
        cddl: Some("receipt"),
        values: vec![("opened", hex(head.root))],
        ..file(name, "receipt", what, bytes)
    };
    let parts = refused_receipt::Parts::of(log);
    vec![
        receipt("receipt.cbor", "entry 2 in the whole log; `opened` is the root that is signed", made),
        receipt("receipt-alg-19.cbor", "algorithm -19", refused_receipt::Parts { alg: -19, ..parts }.signed()),
    ]
}

/// Leaves of a log that went another way after seven entries.
pub fn other_leaves(log: &GoldenLog) -> Vec<LeafHash> {
    let mut other = leaves(log)[..9].to_vec();
    other[7] = leaf_hash(b"another history");
    other
}

pub fn head_note(leaves: &[LeafHash]) -> String {
    let head = immutape::log::Checkpoint { origin: ORIGIN.into(), size: leaves.len() as u64, root: root_of(leaves) };
    sign(&head.text(), ORIGIN, CHECKPOINT_SEED).unwrap()
}

pub fn fork(log: &GoldenLog) -> ForkProof {
    let (ours, other) = (leaves(log), other_leaves(log));
    let path = consistency_path(9, ours.len() as u64, &mut subtree(&ours)).unwrap();
    let root = Some(root_of(&ours[..9]));
    ForkProof { smaller: head_note(&other), larger: cosigned(&head_note(&ours)), other_root: root, path }
}

fn forks(log: &GoldenLog) -> Vec<Accept> {
    let (ours, other) = (leaves(log), other_leaves(log));
    let equal =
        ForkProof { smaller: head_note(&other), larger: head_note(&ours[..9]), other_root: None, path: Vec::new() };
    vec![
        file(
            "fork.txt",
            "fork",
            "a head of nine entries that the head of the whole log contradicts",
            fork(log).to_text(),
        ),
        file("fork-one-size.txt", "fork", "two heads of nine entries", equal.to_text()),
    ]
}

pub fn request(log: &GoldenLog) -> WitnessRequest {
    let all = leaves(log);
    let path = consistency_path(7, all.len() as u64, &mut subtree(&all)).unwrap();
    WitnessRequest { old_size: 7, path, note: head_note(&all) }
}

fn witnesses(log: &GoldenLog) -> Vec<Accept> {
    let (request, all) = (request(log), leaves(log));
    let first = WitnessRequest { old_size: 0, path: Vec::new(), note: head_note(&all[..7]) };
    let text = SignedNote::parse(&request.note).unwrap().text().to_owned();
    let asked = |name: &str, what: &str, request: &WitnessRequest, held: usize| Accept {
        values: vec![("held_root", hex(root_of(&all[..held])))],
        ..file(name, "witness-request", what, request.to_text())
    };
    vec![
        asked("request-first.txt", "a first head, of seven entries", &first, 0),
        asked("request.txt", "the head of the whole log to a witness that holds the one of seven entries", &request, 7),
        Accept {
            values: vec![("note", hex(&request.note))],
            ..file("answer.txt", "witness-answer", "the answer: a cosignature", cosignature(0, &text, TIME_S))
        },
        file("answer-size.txt", "witness-size", "the body of a 409: it holds seven entries", "7\n"),
    ]
}

fn published(log: &GoldenLog) -> Vec<Accept> {
    let note = head_note(&leaves(log));
    let tile: Vec<u8> = leaves(log).iter().flat_map(|leaf| *leaf.as_bytes()).collect();
    let mut bundle = Vec::new();
    for entry in &log.entries {
        bundle.extend_from_slice(&u16::try_from(entry.public.len()).unwrap().to_be_bytes());
        bundle.extend_from_slice(&entry.public);
    }
    vec![
        Accept {
            values: vec![
                ("path", text("tile/0/000.p/29")),
                ("checkpoint", hex(&note)),
                ("opened", hex(root_of(&leaves(log)))),
            ],
            ..file("tile.bin", "tile", "the tile of leaves of the whole log; `opened` is their root", tile.clone())
        },
        Accept {
            values: vec![("path", text("tile/entries/000.p/29")), ("tile", hex(&tile))],
            ..file("bundle.bin", "bundle", "the entries of that tile", bundle)
        },
    ]
}

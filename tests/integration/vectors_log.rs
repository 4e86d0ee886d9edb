//! Other people's vectors and other people's code: Merkle proofs, signed notes, tiles, COSE_Sign1.
//!
//! The files lie in `../shared/vectors`; where that folder is absent, each test that needs it says so; `tiles` covers what would then be tried nowhere.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use immutape::codec::CborError;
use immutape::codec::digest::{LeafHash, RootHash, sha256};
use immutape::log::{Checkpoint, LogError, NoteKey, SignedNote, leaf_hash, root_of};
use immutape::proof::{CosignerKey, Policy, ProofError, TlogProof, verify_consistency, verify_inclusion};
use immutape::seal::{PublicKey, SealError, Statement};
use serde_json::Value;

/// The folder; what is not there is counted.
fn vectors(part: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors").join(part);
    if !folder.exists() {
        crate::support::skipped(&format!("no vectors at ../shared/vectors/{part}"));
        return None;
    }
    Some(folder)
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn base64(v: &Value) -> Vec<u8> {
    STANDARD.decode(v.as_str().unwrap()).unwrap()
}

/// A proof; `None` when an element is no hash, which no caller of ours can even pass on.
fn path(v: &Value) -> Option<Vec<[u8; 32]>> {
    v.as_array().map_or(Some(Vec::new()), |list| list.iter().map(|p| base64(p).try_into().ok()).collect())
}

fn words<'a>(v: &'a Value, name: &str) -> &'a str {
    v[name].as_str().unwrap()
}

#[test]
fn inclusion_probes() {
    let Some(folder) = vectors("rfc6962-merkle") else { return };
    let (mut holds, mut fails) = (0, 0);
    for probe in json_lines(&std::fs::read_to_string(folder.join("inclusion.jsonl")).unwrap()) {
        let (root, leaf) = (base64(&probe["root"]), base64(&probe["leafHash"]));
        let (index, size) = (probe["leafIdx"].as_u64().unwrap(), probe["treeSize"].as_u64().unwrap());
        // A root or leaf of another length has no type here.
        let verdict = match (RootHash::from_slice(&root), LeafHash::from_slice(&leaf), path(&probe["proof"])) {
            (Some(root), Some(leaf), Some(path)) => verify_inclusion(&leaf, index, size, &path, &root),
            _ => Err(LogError::Proof),
        };
        let wanted = if probe["wantErr"].as_bool().unwrap() { Err(LogError::Proof) } else { Ok(()) };
        assert_eq!(verdict, wanted, "{}", words(&probe, "file"));
        if verdict.is_ok() { holds += 1 } else { fails += 1 }
    }
    assert_eq!(holds + fails, 98);
    assert!(holds >= 5 && fails >= 50, "{holds} hold, {fails} fail");
}

/// A probe that begins at size 0: theirs calls the question useless, ours says that everything extends nothing.
const FROM_NOTHING: [&str; 1] = ["consistency/additional/size1-is-zero-and-size2-is-not-zero.json"];

#[test]
fn consistency_probes() {
    let Some(folder) = vectors("rfc6962-merkle") else { return };
    let (mut holds, mut fails, mut differ) = (0, 0, Vec::new());
    for probe in json_lines(&std::fs::read_to_string(folder.join("consistency.jsonl")).unwrap()) {
        // Some probes have words for roots: they stand for hashes that are equal when the words are.
        let root = |v: &Value| RootHash::from_slice(&base64(v)).unwrap_or(RootHash::from_bytes(sha256(&base64(v))));
        let [a, b] = [&probe["root1"], &probe["root2"]].map(root);
        let [old, new] = [&probe["size1"], &probe["size2"]].map(|n| n.as_u64().unwrap());
        let verdict = match path(&probe["proof"]) {
            Some(path) => verify_consistency(old, new, &path, &a, &b),
            None => Err(LogError::Proof),
        };
        let name = words(&probe, "file");
        let wanted = if probe["wantErr"].as_bool().unwrap() { Err(LogError::Proof) } else { Ok(()) };
        if verdict != wanted {
            differ.push(name.to_owned());
        }
        if verdict.is_ok() { holds += 1 } else { fails += 1 }
    }
    assert_eq!(differ, FROM_NOTHING, "everywhere else the verdict is theirs");
    assert_eq!(holds + fails, 98);
    assert!(holds >= 5 && fails >= 50, "{holds} hold, {fails} fail");
}

#[test]
fn the_eight_classic_leaves() {
    let Some(folder) = vectors("rfc6962-merkle") else { return };
    let file: Value = serde_json::from_slice(&std::fs::read(folder.join("reference8.json")).unwrap()).unwrap();
    let list = |name: &str| -> Vec<Vec<u8>> {
        file[name].as_array().unwrap().iter().map(|v| hex::decode(v.as_str().unwrap()).unwrap()).collect()
    };
    let leaves: Vec<_> = list("leaves_hex").iter().map(|l| leaf_hash(l)).collect();
    let hashes = list("leaf_hashes_hex");
    assert_eq!(leaves.len(), 8);
    leaves.iter().zip(&hashes).for_each(|(l, h)| assert_eq!(l.as_ref(), h));
    let roots = list("roots_hex_by_size");
    assert_eq!(roots.len(), 9, "sizes 0 to 8");
    roots.iter().enumerate().for_each(|(size, r)| assert_eq!(root_of(&leaves[..size]).as_ref(), r, "{size}"));
}

#[test]
fn the_example_note() {
    let Some(folder) = vectors("c2sp") else { return };
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let key = NoteKey::parse(text("signed-note-example.vkey").trim()).unwrap();
    assert_eq!(key.to_text(), text("signed-note-example.vkey").trim());
    let note = text("signed-note-example.txt");
    let parsed = SignedNote::parse(&note).unwrap();
    parsed.verify(&key).unwrap();
    assert_eq!(parsed.text(), "This is an example message.\n");
    let changed = SignedNote::parse(&note.replacen("example", "changed", 1)).unwrap();
    assert_eq!(changed.verify(&key), Err(LogError::BadSignature));
}

#[test]
fn a_cosigned_checkpoint() {
    let Some(folder) = vectors("c2sp") else { return };
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let about: Value = serde_json::from_str(&text("own-cosigned.json")).unwrap();
    let key = NoteKey::parse(words(&about, "log_vkey")).unwrap();
    let note = text("own-checkpoint-cosigned.txt");
    let head = Checkpoint::from_note(&note, &key).unwrap();
    assert_eq!((head.origin.as_str(), head.size), ("tape.example/log", 8));
    let parsed = SignedNote::parse(&note).unwrap();
    let names: Vec<_> = parsed.signatures().iter().map(|s| (s.name.as_str(), s.signature.len())).collect();
    assert_eq!(names, [("tape.example/log", 64), ("witness.example/w1", 72)]);
    // A cosigner's key has type 4: no key of a log.
    let refused = NoteKey::parse(words(&about, "witness_vkey"));
    assert_eq!(refused, Err(LogError::Note("a verifier key of another type")));
    let witness = CosignerKey::parse(words(&about, "witness_vkey")).unwrap();
    assert_eq!(witness.time_on(&parsed), Ok(about["witness_time"].as_u64()));
    let policy = Policy::parse(&format!("witness w {}\nquorum w\n", words(&about, "witness_vkey"))).unwrap();
    let proof = TlogProof::parse(&text("own-index5.tlog-proof")).unwrap();
    let leaf = leaf_hash(&hex::decode(words(&about, "leaf5_hex")).unwrap());
    assert_eq!(proof.verify(&leaf, &key, &policy).unwrap().index(), 5);
    let moved = TlogProof { index: 4, ..proof };
    assert_eq!(moved.verify(&leaf, &key, &policy), Err(ProofError::Log(LogError::Proof)));
}

#[test]
fn a_whole_tiled_log() {
    let Some(folder) = vectors("tlog-tiles-log") else { return };
    let key = NoteKey::parse(std::fs::read_to_string(folder.join("log.vkey")).unwrap().trim()).unwrap();
    let head_of = |size: usize| {
        let note = std::fs::read_to_string(folder.join(format!("checkpoint.{size}"))).unwrap();
        Checkpoint::from_note(&note, &key).unwrap()
    };
    let mut earlier: Vec<LeafHash> = Vec::new();
    for size in 1..=15usize {
        let bundle = std::fs::read(folder.join(format!("tile/entries/000.p/{size}"))).unwrap();
        let leaves: Vec<_> = entries(&bundle).into_iter().map(leaf_hash).collect();
        assert_eq!(leaves.len(), size);
        assert!(leaves.starts_with(&earlier), "bundle {size} extends the one before");
        let tile = std::fs::read(folder.join(format!("tile/0/000.p/{size}"))).unwrap();
        assert_eq!(tile, leaves.iter().flat_map(|l| *l.as_bytes()).collect::<Vec<_>>(), "hash tile {size}");
        let head = head_of(size);
        assert_eq!((head.size, head.root), (size as u64, root_of(&leaves)));
        earlier = leaves;
    }
    assert_eq!(head_of(0).root, root_of(&[]));
}

/// Entries of a bundle: 16-bit length, bytes.
fn entries(bundle: &[u8]) -> Vec<&[u8]> {
    let (mut left, mut out) = (bundle, Vec::new());
    while let Some((len, rest)) = left.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at(u16::from_be_bytes(*len).into());
        out.push(entry);
        left = rest;
    }
    assert!(left.is_empty());
    out
}

/// What each example is refused for: none of them has an empty unprotected header.
const COSE: [(&str, CborError); 14] = [
    ("eddsa-examples/eddsa-01.json", CborError::Tag),
    ("eddsa-examples/eddsa-02.json", CborError::Tag),
    ("eddsa-examples/eddsa-sig-01.json", CborError::UnknownKey),
    ("eddsa-examples/eddsa-sig-02.json", CborError::UnknownKey),
    ("sign1-tests/sign-fail-01.json", CborError::Tag),
    ("sign1-tests/sign-fail-02.json", CborError::UnknownKey),
    ("sign1-tests/sign-fail-03.json", CborError::UnknownKey),
    ("sign1-tests/sign-fail-04.json", CborError::UnknownKey),
    ("sign1-tests/sign-fail-06.json", CborError::UnknownKey),
    ("sign1-tests/sign-fail-07.json", CborError::UnknownKey),
    ("sign1-tests/sign-pass-01.json", CborError::UnknownKey),
    ("sign1-tests/sign-pass-02.json", CborError::UnknownKey),
    ("sign1-tests/sign-pass-03.json", CborError::Type),
    ("RFC8152/Appendix_C_2_1.json", CborError::UnknownKey),
];

#[test]
fn cose_examples_are_no_statements() {
    let Some(folder) = vectors("cose-wg-examples") else { return };
    for (name, reason) in COSE {
        let example: Value = serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        let bytes = hex::decode(words(&example["output"], "cbor")).unwrap();
        assert_eq!(Statement::decode(&bytes), Err(SealError::Cbor(reason)), "{name}");
    }
}

#[test]
fn the_ed25519_example_verifies_as_bytes() {
    let Some(folder) = vectors("cose-wg-examples/eddsa-examples") else { return };
    let example: Value = serde_json::from_slice(&std::fs::read(folder.join("eddsa-sig-01.json")).unwrap()).unwrap();
    let key = hex::decode(words(&example["input"]["sign0"]["key"], "x_hex")).unwrap();
    let key = PublicKey::from_bytes(&key.try_into().unwrap()).unwrap();
    let message = hex::decode(words(&example["intermediates"], "ToBeSign_hex")).unwrap();
    let cose = hex::decode(words(&example["output"], "cbor")).unwrap();
    let signature: [u8; 64] = cose[cose.len() - 64..].try_into().unwrap();
    assert_eq!(key.verify(&message, &signature), Ok(()));
    assert_eq!(key.verify(&message[1..], &signature), Err(SealError::Signature));
}

/// Every edge case of A and R: strict verification takes exactly what dalek's `verify_strict` rules take, and of
/// those only keys with one encoding and large order.
#[test]
fn edge_cases_of_ed25519() {
    let Some(folder) = vectors("cctv-ed25519") else { return };
    let cases: Vec<Value> =
        serde_json::from_slice(&std::fs::read(folder.join("ed25519vectors.json")).unwrap()).unwrap();
    let odd = ["low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R", "low_order_residue"];
    let (mut taken, mut refused) = (0, 0);
    for case in &cases {
        let flags: Vec<_> =
            case["flags"].as_array().map_or_else(Vec::new, |f| f.iter().filter_map(Value::as_str).collect());
        let bytes = |name: &str| hex::decode(words(case, name)).unwrap();
        let signature: [u8; 64] = bytes("sig").try_into().unwrap();
        let verdict = PublicKey::from_bytes(&bytes("key").try_into().unwrap())
            .and_then(|key| key.verify(words(case, "msg").as_bytes(), &signature));
        if verdict.is_ok() {
            taken += 1
        } else {
            refused += 1
        }
        assert_eq!(verdict.is_ok(), !flags.iter().any(|f| odd.contains(f)), "{case}: {verdict:?}");
    }
    assert!(taken > 0 && refused > 100, "{taken} taken, {refused} refused");
}

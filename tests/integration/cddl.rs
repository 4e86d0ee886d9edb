//! The schemas in `docs/format/cddl` against the golden files: they take every accepted item, and refuse every
//! refused one whose fault is one of shape and not of encoding.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ::cddl::validator::Validator as _;
use ::cddl::validator::cbor::CBORValidator;
use ::cddl::validator::cbor_value::decode_cbor;

use crate::golden_make::folder;
use crate::golden_make::index::{self, Accepted};

/// Chapters with golden files.
const CHAPTERS: [&str; 6] = ["1-bytes", "2-tape", "3-seal", "4-commit", "5-proof", "store-embedded"];

/// Chapters with a schema.
const SCHEMAS: [&str; 7] = ["1-bytes", "2-tape", "3-seal", "4-commit", "5-proof", "6-evidence", "store-embedded"];

/// Items by rule: name and bytes.
pub type ByRule = BTreeMap<String, Vec<(String, Vec<u8>)>>;

/// All schemas with `rule` as the root.
fn schema(rule: &str) -> String {
    let mut out = format!("golden = {rule}\n");
    for chapter in SCHEMAS {
        let path = format!("{}/docs/format/cddl/{chapter}.cddl", env!("CARGO_MANIFEST_DIR"));
        writeln!(out, "{}", std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))).unwrap();
    }
    out
}

/// Names of items with the verdict on each; a schema is parsed once.
pub fn verdicts(items: &ByRule) -> Vec<(String, Result<(), String>)> {
    let mut out = Vec::new();
    for (rule, items) in items {
        let text = schema(rule);
        let parsed = ::cddl::cddl_from_str(&text, true).unwrap();
        for (name, bytes) in items {
            let fits = decode_cbor(bytes)
                .map_err(|e| e.to_string())
                .and_then(|value| CBORValidator::new(&parsed, value, None).validate().map_err(|e| e.to_string()));
            out.push((name.clone(), fits));
        }
    }
    out
}

fn index(chapter: &str) -> index::Index {
    index::read(&std::fs::read_to_string(folder().join(chapter).join("index.toml")).unwrap())
}

/// Accepted files without a rule, by the front of their names, and what they are instead of CBOR.
const NOT_CBOR: [(&str, &str); 20] = [
    ("3-seal/object-", "a sealed object of bytes that are no frames"),
    ("3-seal/set-list.bin", "a sealed salt and custody ids, one after another"),
    ("3-seal/wrapped-", "a wrapped key: ciphertext of 32 bytes, and its tag"),
    ("3-seal/public-key.bin", "an Ed25519 key of 32 bytes"),
    ("4-commit/segment-", "a header of fixed layout"),
    ("4-commit/checkpoint-", "a signed note: text"),
    ("4-commit/head-", "two signed notes: text"),
    ("4-commit/verifier-key.txt", "a verifier key: text"),
    ("5-proof/witness-key.txt", "a verifier key: text"),
    ("5-proof/policy-", "a policy: text"),
    ("5-proof/cosigned", "a signed note: text"),
    ("5-proof/entry", "a proof: text"),
    ("5-proof/only-entry", "a proof: text"),
    ("5-proof/fork", "a proof of a fork: text"),
    ("5-proof/request", "a request to a witness: text"),
    ("5-proof/answer", "an answer of a witness: text"),
    ("5-proof/tile.bin", "hashes, one after another"),
    ("5-proof/bundle.bin", "entries behind their lengths"),
    ("store-embedded/vault-slots.bin", "slots of fixed layout"),
    ("store-embedded/rows-node-", "a node of fixed layout"),
];

fn is_not_cbor(name: &str) -> bool {
    NOT_CBOR.iter().any(|(front, _)| name.starts_with(front))
}

/// Files whose rule is about what is in them.
const COMPOSED: [&str; 12] = [
    "private",
    "sealed-header",
    "row-summary",
    "live-piece",
    "frames",
    "chunk",
    "catalogue-block",
    "records",
    "group",
    "extents",
    "log-block",
    "vault-generation",
];

/// What the rule of an accepted file describes: the file, what it opens to, or each of the items in it.
fn items(a: &Accepted, file: Vec<u8>) -> Vec<Vec<u8>> {
    match a.decoder.as_str() {
        "private" | "sealed-header" | "row-summary" | "live-piece" => vec![a.values.bytes("opened")],
        "frames" => sequence(&file),
        "chunk" => sequence(&a.values.bytes("opened")),
        "catalogue-block" => sequence(&a.values.bytes("opened")),
        "records" => entries(&file),
        "group" | "extents" => extents(&file),
        "log-block" => extents_of_pieces(&a.values.bytes("opened")),
        "vault-generation" => {
            let line = file.iter().position(|byte| *byte == b'\n').unwrap();
            vec![file[line + 1..file.len() - 32].to_vec()]
        }
        plain => {
            assert!(!COMPOSED.contains(&plain), "{plain} has items");
            vec![file]
        }
    }
}

/// Is the rule one for the bytes of the file as they are?
fn is_plain(a: &Accepted) -> bool {
    !COMPOSED.contains(&a.decoder.as_str())
}

/// Items one after another (RFC 8742).
pub fn sequence(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut left, mut out) = (bytes, Vec::new());
    while !left.is_empty() {
        let before = left;
        let _item: ciborium::Value = ciborium::from_reader(&mut left).unwrap();
        out.push(before[..before.len() - left.len()].to_vec());
    }
    out
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// Public halves in records one after another (`store-embedded` 3).
fn entries(records: &[u8]) -> Vec<Vec<u8>> {
    let (mut left, mut out) = (records, Vec::new());
    while !left.is_empty() {
        let (public, sealed) = (number(&left[..4]), number(&left[4..8]));
        out.push(left[8..8 + public].to_vec());
        left = &left[8 + public + sealed..];
    }
    out
}

/// Public halves in groups one after another.
fn extents(groups: &[u8]) -> Vec<Vec<u8>> {
    let (mut left, mut out) = (groups, Vec::new());
    while !left.is_empty() {
        let records = number(&left[48..56]);
        out.extend(entries(&left[256..256 + records]));
        left = &left[(256 + records).next_multiple_of(512)..];
    }
    out
}

/// As [`extents`], without what fills them up; the last may lack records.
fn extents_of_pieces(pieces: &[u8]) -> Vec<Vec<u8>> {
    let (mut left, mut out) = (pieces, Vec::new());
    while !left.is_empty() {
        let end = (256 + number(&left[48..56])).min(left.len());
        out.extend(entries(&left[256..end]));
        left = &left[end..];
    }
    out
}

/// What is authenticated beside a ciphertext and stands in no file.
fn authenticated() -> [(&'static str, Vec<u8>); 3] {
    use crate::golden_make::by_hand::{b, cbor, list, n, t};
    let id = b([0xc1; 32]);
    [
        ("object-aad", cbor(&list([t("immutape/object/1"), id.clone(), n(0)]))),
        ("private-aad", cbor(&list([t("immutape/private/1"), t("origin"), n(32), id.clone()]))),
        ("wrap-aad", cbor(&list([t("immutape/wrap/1"), t("tape"), t("origin"), id]))),
    ]
}

#[test]
fn accepted_files_fit_their_schema() {
    let mut items = ByRule::new();
    for chapter in CHAPTERS {
        for a in index(chapter).accepts {
            let Some(rule) = a.cddl.clone() else { continue };
            let file = std::fs::read(folder().join(chapter).join("accept").join(&a.file)).unwrap();
            let found = self::items(&a, file);
            assert!(!found.is_empty(), "{}: nothing for its rule", a.file);
            for (n, bytes) in found.into_iter().enumerate() {
                items.entry(rule.clone()).or_default().push((format!("{chapter}/{} item {n}", a.file), bytes));
            }
        }
    }
    for (rule, aad) in authenticated() {
        items.entry(rule.into()).or_default().push((rule.into(), aad));
    }
    let verdicts = verdicts(&items);
    let faults: Vec<_> = verdicts.iter().filter(|(_, v)| v.is_err()).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(verdicts.len() >= 120 && items.len() >= 22, "{} items, {} rules", verdicts.len(), items.len());
}

/// No accepted file is left out: it has a rule, or it is in the list of those that are no CBOR, and indeed is none.
#[test]
fn every_accepted_file_has_a_rule_or_a_reason() {
    let mut used = BTreeSet::<&str>::new();
    for chapter in CHAPTERS {
        for a in index(chapter).accepts {
            let name = format!("{chapter}/{}", a.file);
            assert_ne!(a.cddl.is_some(), is_not_cbor(&name), "{name}: either a rule or a reason");
            if a.cddl.is_none() {
                let file = std::fs::read(folder().join(chapter).join("accept").join(&a.file)).unwrap();
                assert!(immutape::codec::cbor::value(&file).is_err(), "{name} is an item");
                used.extend(NOT_CBOR.iter().filter(|(front, _)| name.starts_with(front)).map(|(front, _)| *front));
            }
        }
    }
    assert_eq!(used.len(), NOT_CBOR.len(), "a reason for a file that is not there");
}

/// Faults that a schema can see.
const OF_SHAPE: [&str; 8] = ["UnknownKey", "MissingKey", "Type", "Length", "Range", "Label", "Value {", "NewerFormat"];

/// What this validator (or CDDL) does not see: keys of `item`, that a map of optional keys must have one, the form of an
/// origin, that 33 is no multiple of 32 and 31 none of 16, how many hashes belong to a size, and what one value says of another.
const UNSEEN: [&str; 15] = [
    "1-bytes/key-array.cbor",
    "1-bytes/key-bool.cbor",
    "1-bytes/key-bytes.cbor",
    "1-bytes/key-past-63-bits.cbor",
    "2-tape/header-named-empty.cbor",
    "4-commit/founders-one-id.cbor",
    "4-commit/founders-one-key.cbor",
    "4-commit/genesis-origin-space.cbor",
    "4-commit/half-set-33.cbor",
    "4-commit/listed-655360.cbor",
    "4-commit/role-agreed-twice.cbor",
    "4-commit/searched-nowhere.cbor",
    "4-commit/searched-object-512.cbor",
    "store-embedded/position-frontier.cbor",
    "store-embedded/subject-places-31.cbor",
];

#[test]
fn refused_shapes_do_not_fit() {
    let mut items = ByRule::new();
    for chapter in CHAPTERS {
        let index = index(chapter);
        for r in index.rejects.iter().filter(|r| OF_SHAPE.iter().any(|s| r.error.contains(s))) {
            let from = index.accepts.iter().find(|a| a.file == r.from).unwrap();
            let Some(rule) = from.cddl.clone().filter(|_| is_plain(from)) else { continue };
            let bytes = std::fs::read(folder().join(chapter).join("reject").join(&r.file)).unwrap();
            items.entry(rule).or_default().push((format!("{chapter}/{}", r.file), bytes));
        }
    }
    let verdicts = verdicts(&items);
    let mut taken: Vec<_> = verdicts.iter().filter(|(_, v)| v.is_ok()).map(|(name, _)| name.as_str()).collect();
    taken.sort_unstable();
    assert_eq!(taken, UNSEEN);
    assert!(verdicts.len() >= 130, "only {} refused files have a rule", verdicts.len());
}

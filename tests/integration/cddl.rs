//! The schemas in `docs/format/cddl` against the golden files: they take every accepted item, and refuse every
//! refused one whose fault is one of shape and not of encoding.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ::cddl::validator::Validator as _;
use ::cddl::validator::cbor::CBORValidator;
use ::cddl::validator::cbor_value::decode_cbor;

use crate::golden_make::folder;
use crate::golden_make::index::{self, Accepted};

const CHAPTERS: [&str; 4] = ["1-bytes", "2-tape", "3-seal", "4-commit"];

/// Items by rule: name and bytes.
type ByRule = BTreeMap<String, Vec<(String, Vec<u8>)>>;

/// All schemas with `rule` as the root.
fn schema(rule: &str) -> String {
    let mut out = format!("golden = {rule}\n");
    for chapter in CHAPTERS {
        let path = format!("{}/docs/format/cddl/{chapter}.cddl", env!("CARGO_MANIFEST_DIR"));
        writeln!(out, "{}", std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))).unwrap();
    }
    out
}

/// Names of items with the verdict on each; a schema is parsed once.
fn verdicts(items: &ByRule) -> Vec<(String, Result<(), String>)> {
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

/// Is the file sealed, so that the rule describes what it opens to?
fn is_sealed(a: &Accepted) -> bool {
    matches!(a.decoder.as_str(), "private" | "sealed-header")
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
            let bytes = if is_sealed(&a) { a.values.bytes("opened") } else { file };
            items.entry(rule).or_default().push((format!("{chapter}/{}", a.file), bytes));
        }
    }
    for (rule, aad) in authenticated() {
        items.entry(rule.into()).or_default().push((rule.into(), aad));
    }
    let verdicts = verdicts(&items);
    let faults: Vec<_> = verdicts.iter().filter(|(_, v)| v.is_err()).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(verdicts.len() >= 50 && items.len() >= 12, "{} files, {} rules", verdicts.len(), items.len());
}

/// Faults that a schema can see.
const OF_SHAPE: [&str; 8] = ["UnknownKey", "MissingKey", "Type", "Length", "Range", "Label", "Value {", "NewerFormat"];

/// What this validator (or CDDL) does not see: keys of `item`, that a map of optional keys must have one, the form of an
/// origin, that 33 is no multiple of 32, and what one value says of another.
const UNSEEN: [&str; 10] = [
    "1-bytes/key-array.cbor",
    "1-bytes/key-bool.cbor",
    "1-bytes/key-bytes.cbor",
    "1-bytes/key-past-63-bits.cbor",
    "2-tape/header-named-empty.cbor",
    "4-commit/genesis-origin-space.cbor",
    "4-commit/half-set-33.cbor",
    "4-commit/listed-655360.cbor",
    "4-commit/searched-nowhere.cbor",
    "4-commit/searched-object-512.cbor",
];

#[test]
fn refused_shapes_do_not_fit() {
    let mut items = ByRule::new();
    for chapter in CHAPTERS {
        let index = index(chapter);
        for r in index.rejects.iter().filter(|r| OF_SHAPE.iter().any(|s| r.error.contains(s))) {
            let from = index.accepts.iter().find(|a| a.file == r.from).unwrap();
            let Some(rule) = from.cddl.clone().filter(|_| !is_sealed(from)) else { continue };
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

//! Every variant of the errors of the pure rooms is provoked: by a refused golden file, or by the test named here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use immutape::Code;
use immutape::catalog::{Enrichment, Projector};
use immutape::codec::CborError;
use immutape::codec::digest::{CustodyId, GroupHash, LedgerId, RootHash};
use immutape::codec::extent::{Group, GroupHeader, SegmentHeader, push_record};
use immutape::codec::random::{Random, RandomUnavailable};
use immutape::ledger::Places;
use immutape::log::{LogError, PrivateHalf};
use immutape::seal::{
    CustodyKey, KeyEncryptionKey, Manifest, ManifestObject, PrivateAad, SealError, TapeSecret, seal_object,
};
use immutape::store::Position;
use immutape::store::conformance::journal::material;
use immutape::store::memory::rows::MemoryRows;
use immutape::tape::TapeRoot;

use crate::golden_make::folder;
use crate::golden_make::index;
use crate::support::ledgers;

/// Provoked outside the golden files: the variant, the test, and the file that it stands in.
const ELSEWHERE: [(&str, &str, &str); 9] = [
    ("LogError::Key", "what_breaks_a_rule_is_named_and_changes_nothing", "src/log/key_history/tests.rs"),
    ("LogError::Revoked", "heads_by_a_revoked_key_count_up_to_its_end", "src/log/key_history/tests.rs"),
    ("LogError::Succession", "another_text_is_none_whoever_signed_it", "src/log/succession.rs"),
    ("LogError::TooLong", "long_headers_labels_and_entries_are_refused", "tests/integration/properties/sealed.rs"),
    ("LogError::Proof", "every_inclusion_up_to_64_verifies_and_nothing_else", "tests/integration/vectors_oracles.rs"),
    ("LogError::Root", "a_group_that_follows_no_other_is_not_projected", "tests/integration/error_variants.rs"),
    ("LogError::Group", "a_group_that_follows_no_other_is_not_projected", "tests/integration/error_variants.rs"),
    ("SealError::Random", "no_key_without_randomness", "tests/integration/error_variants.rs"),
    ("SealError::Compress", "what_zstd_refuses_is_no_frame", "src/seal/packer.rs"),
];

/// Names of an enum's variants, taken from its source.
fn variants(file: &str, name: &str) -> Vec<String> {
    let source = std::fs::read_to_string(format!("{}/src/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let body = source.split_once(&format!("pub enum {name} {{")).unwrap().1.split_once("\n}").unwrap().0;
    let lines = body.lines().filter_map(|l| l.strip_prefix("    "));
    let named = lines.filter(|l| l.starts_with(|c: char| c.is_ascii_uppercase()));
    named.map(|l| format!("{name}::{}", l.split(['(', ' ', ',']).next().unwrap())).collect()
}

/// Variants in the errors of an index, also those inside others.
fn reached() -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for chapter in ["1-bytes", "2-tape", "3-seal", "4-commit"] {
        for r in index::read(&std::fs::read_to_string(folder().join(chapter).join("index.toml")).unwrap()).rejects {
            let (mut outer, mut rest) = r.error.split_once("::").unwrap();
            loop {
                let (variant, inner) = rest.split_once(['(', ' ']).unwrap_or((rest, ""));
                out.insert(format!("{outer}::{}", variant.trim_end_matches(')')));
                let nested = match variant {
                    "Cbor" => "CborError",
                    "Tape" => "TapeError",
                    "Seal" => "SealError",
                    "Extent" => "ExtentError",
                    _ => break,
                };
                (outer, rest) = (nested, inner);
            }
        }
    }
    out
}

#[test]
fn every_variant_is_provoked() {
    let mut all = variants("codec/cbor/error.rs", "CborError");
    all.extend(variants("codec/extent/error.rs", "ExtentError"));
    all.extend(variants("tape/error.rs", "TapeError"));
    all.extend(variants("seal/error.rs", "SealError"));
    all.extend(variants("log/error.rs", "LogError"));
    assert!(all.len() >= 60, "{} variants", all.len());
    let reached = reached();
    let listed: BTreeSet<_> = ELSEWHERE.iter().map(|(variant, ..)| *variant).collect();
    let missing: Vec<_> = all.iter().filter(|v| !reached.contains(*v) && !listed.contains(v.as_str())).collect();
    assert!(missing.is_empty(), "no test provokes {missing:?}");
    let stale: Vec<_> = listed.iter().filter(|v| reached.contains(**v) || !all.iter().any(|a| a == *v)).collect();
    assert!(stale.is_empty(), "listed, yet reached or gone: {stale:?}");
    for (variant, test, file) in ELSEWHERE {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let body =
            text.split_once(&format!("fn {test}()")).map(|(_, rest)| rest.split("\n    #[test]").next().unwrap());
        assert!(body.is_some_and(|body| body.contains(variant)), "{file}: {test} does not provoke {variant}");
    }
}

/// The extents of a small ledger's journal.
async fn groups() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledgers::create(folder.path()).await;
    ledgers::save_tape(&ledger, "sqlite-crash").await.unwrap();
    let id = ledger.id();
    ledger.close().await.unwrap();
    let places = Places::beneath(folder.path());
    let state = places.state_of(&id).unwrap();
    let segment = std::fs::read(places.ledger.join("journal/00000001.seg")).unwrap();
    let origin = SegmentHeader::parse(&segment).unwrap().origin;
    let stores = ledgers::real().engine.open(&places.ledger, &state, origin).unwrap();
    material::read_all(&*stores.journal).unwrap()
}

/// The group again with another header; its own hash is right.
fn sealed_anew(extent: &[u8], change: impl FnOnce(&mut GroupHeader)) -> Vec<u8> {
    let group = Group::parse(extent).unwrap();
    let (mut header, mut records) = (*group.header(), Vec::new());
    for record in group.records() {
        let (public, sealed) = record.unwrap();
        push_record(&mut records, public, sealed);
    }
    change(&mut header);
    header.seal(&records, |_| header.mac).1
}

/// What the catalogue says of the first two groups.
fn projected(groups: &[Vec<u8>]) -> Result<(), LogError> {
    let mut projector = Projector::fresh(LedgerId::from_bytes([0; 32]));
    let rows = MemoryRows::new();
    let at = Position { segment: 1, offset: 0 };
    for extent in &groups[..2] {
        let group = Group::parse(extent).unwrap();
        projector.group(&rows, at, &group, at, &[], &mut |_, _, _| Enrichment::default()).map_err(|e| {
            assert_eq!(e.code(), Code::LogDamaged, "{e}");
            std::error::Error::source(&e).and_then(|source| source.downcast_ref::<LogError>()).unwrap().clone()
        })?;
    }
    Ok(())
}

#[tokio::test]
async fn a_group_that_follows_no_other_is_not_projected() {
    let groups = groups().await;
    assert!(groups.len() >= 2);
    let second = *Group::parse(&groups[1]).unwrap().header();
    let with = |change: &dyn Fn(&mut GroupHeader)| vec![groups[0].clone(), sealed_anew(&groups[1], |h| change(h))];
    assert_eq!(projected(&groups), Ok(()));
    assert_eq!(with(&|_| ()), groups[..2], "sealing anew changes nothing by itself");
    let other_root = with(&|header| header.root = RootHash::from_bytes([9; 32]));
    assert_eq!(projected(&other_root), Err(LogError::Root(second.size_after())));
    let other_group = with(&|header| header.previous_group = GroupHash::from_bytes([9; 32]));
    assert_eq!(projected(&other_group), Err(LogError::Group(second.first_index)));
}

/// Every file of a folder and those beneath it.
fn files_beneath(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_beneath(&path, out) } else { out.push(path) }
    }
}

#[test]
fn every_code_is_told_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(root.join("src/error.rs")).unwrap();
    let codes: Vec<(&str, &str)> = source
        .lines()
        .filter_map(|line| line.trim().split_once(" = \"E_"))
        .map(|(name, rest)| (name, rest.split('"').next().unwrap()))
        .collect();
    assert!(codes.len() >= 40, "{codes:?}");
    let mut files = Vec::new();
    for folder in ["tests/integration", "tests/cmd", "src/store"] {
        files_beneath(&root.join(folder), &mut files);
    }
    let is_test = |path: &PathBuf| {
        let path = path.to_str().unwrap();
        !path.ends_with("error_variants.rs") && (path.contains("/tests") || path.contains("/conformance/"))
    };
    let texts: String =
        files.iter().filter(|path| is_test(path)).map(|p| std::fs::read_to_string(p).unwrap()).collect();
    let words: BTreeSet<&str> = texts.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).collect();
    let is_told = |(name, text): &(&str, &str)| {
        words.contains(format!("Code::{name}").as_str()) || words.contains(format!("E_{text}").as_str())
    };
    let untold: Vec<_> = codes.iter().filter(|code| !is_told(code)).map(|(name, _)| *name).collect();
    assert!(untold.is_empty(), "no test tells of {untold:?}");
}

/// A generator that gives nothing.
struct Broken;

impl Random for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomUnavailable> {
        Err(RandomUnavailable)
    }
}

#[test]
fn no_key_without_randomness() {
    assert_eq!(TapeSecret::generate(&Broken).map(drop), Err(RandomUnavailable));
    assert_eq!(KeyEncryptionKey::generate(&Broken).map(drop), Err(RandomUnavailable));
    let fault = SealError::from(RandomUnavailable);
    assert_eq!(fault, SealError::Random(RandomUnavailable));
    assert_eq!(immutape::Error::from(fault).code(), immutape::Code::NoRandom);
}

#[test]
fn what_is_too_long_is_not_sealed() {
    let (keys, custody) = (TapeSecret::from_bytes(&[1; 32]).keys(), CustodyId::from_bytes([2; 32]));
    let long = vec![0; (20 << 20) + 1];
    let limit = |what, found, max| SealError::Limit { what, found, max };
    let content = limit("the content of an object", (20 << 20) + 1, 20 << 20);
    assert_eq!(seal_object(&keys, [3; 32], &custody, 1, &long).map(drop), Err(content));
    let key = CustodyKey::from_bytes([4; 16], &[5; 32]);
    let aad = PrivateAad { origin: "o", kind: 32, subject: &custody };
    let half = |bytes| {
        let mut half = PrivateHalf::default();
        half.words = Some(vec![0; bytes]);
        half
    };
    // 4 + map of 63,000 and a head, padded to 63,488, in front a salt, behind a tag.
    assert_eq!(key.seal([6; 32], aad, &half(63_000)).map(|s| s.sealed.len()), Ok(63_488 + 48));
    let private = limit("the private half of an entry", 65_536 + 48, 65_535);
    assert_eq!(key.seal([6; 32], aad, &half(65_000)).map(drop), Err(private));
}

/// The manual's table, the code's number and the exit of the program say the same of every code; no two share a number.
#[test]
fn every_code_has_its_exit_in_the_manual() {
    let manual = std::fs::read_to_string(folder().join("../../docs/operating.md")).unwrap();
    let numbers: std::collections::BTreeSet<u16> = Code::ALL.iter().map(|c| c.number()).collect();
    assert_eq!(numbers.len(), Code::ALL.len());
    for code in Code::ALL {
        let row = manual.lines().find(|line| line.starts_with(&format!("| `{}` |", code.as_str())));
        let exit = row.and_then(|row| row.split('|').nth(2)).and_then(|cell| cell.trim().parse().ok());
        assert_eq!(exit, Some(code.kind().exit_code()), "{}", code.as_str());
    }
    let exits: std::collections::BTreeSet<u8> = Code::ALL.iter().map(|c| c.kind().exit_code()).collect();
    assert_eq!(exits.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 11]);
}

#[test]
fn what_has_too_many_objects_is_no_manifest() {
    let root = TapeRoot::decode(&std::fs::read(folder().join("2-tape/accept/root-no-frames.cbor")).unwrap()).unwrap();
    let object = ManifestObject { digest: immutape::codec::digest::ObjectDigest::from_bytes([0; 32]), bytes: 1 };
    let objects = vec![object; (1 << 20) + 1];
    let custody = CustodyId::from_bytes([2; 32]);
    let mut manifest = Manifest { custody, root, objects, attachments: Vec::new() };
    let (what, found, max) = ("the number of objects of a tape", (1 << 20) + 1, 1 << 20);
    assert_eq!(manifest.encode().map(drop), Err(SealError::Limit { what, found, max }));
    manifest.objects.pop();
    let mut bytes = manifest.encode().unwrap();
    assert!(Manifest::decode(&bytes).is_ok(), "2^20 objects are allowed");
    let head = bytes.windows(5).position(|w| w == [0x9a, 0x00, 0x10, 0x00, 0x00]).unwrap();
    bytes[head + 4] = 1;
    let one = bytes[bytes.len() - 36..].to_vec();
    bytes.extend(one);
    assert_eq!(Manifest::decode(&bytes), Err(SealError::Cbor(CborError::Items)));
    let long = vec![0; (64 << 20) + 1];
    let (what, found, max) = ("a manifest", (64 << 20) + 1, 64 << 20);
    assert_eq!(Manifest::decode(&long), Err(SealError::Limit { what, found, max }));
}

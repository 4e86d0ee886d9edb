//! Checks 1 and 2: the bag, and what it is about.

use std::collections::BTreeMap;

use immutape::codec::digest::Digest;
use immutape::evidence::Verdict;
use immutape::evidence::bundle::{MemorySource, TarSource, check_bundle, path};

use super::{ALTERED, INTACT, MISSING, asked, files};
use crate::support::evidence::{Change, SEEN_S, bag, make, pins, tar};

#[test]
fn a_whole_bundle_is_intact_as_folder_and_as_tar() {
    let made = make(&Change::NONE);
    let report = check_bundle(&made.source(), &pins(), None);
    assert_eq!(report.words(), INTACT, "{:#?}", report.findings);
    assert_eq!((report.verdict().exit_code(), report.test, report.whole_log), (0, true, false));
    assert_eq!(report.ids(), [made.tapes[0].id()]);
    let tape = &report.tapes[0];
    assert_eq!((tape.entry, tape.frames, tape.frames_here, tape.links), (2, 3, 3, 5));
    // The head of 5 entries was cosigned at 5 + 11 and 5 + 12 seconds: both are asked for, the later one counts.
    assert_eq!(tape.anchored_ms, Some((SEEN_S + 17) * 1_000));
    assert_eq!(report.anchored_ms, Some((SEEN_S + made.log.size() + 12) * 1_000));
    assert!(report.checks.iter().all(|check| check.checked > 0 && check.wrong == 0), "{:?}", report.checks);
    assert_eq!(report.checks.len(), 11, "but for the whole log");

    let bytes = tar(&bag(&made.files));
    let as_tar = check_bundle(&TarSource::open(bytes).unwrap(), &pins(), None);
    assert_eq!((as_tar.words(), as_tar.ids(), as_tar.digest), (report.words(), report.ids(), report.digest));
}

/// Check 1, of what the manifests say no more.
#[test]
fn the_bag() {
    let whole = bag(&make(&Change::NONE).files);
    let words = |change: &dyn Fn(&mut BTreeMap<String, Vec<u8>>)| {
        let mut bag = whole.clone();
        change(&mut bag);
        check_bundle(&MemorySource::new(bag), &pins(), None).words()
    };
    for path in ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", path::VERIFY] {
        assert_eq!(words(&|bag| drop(bag.remove(path))), MISSING, "{path}");
        assert_eq!(words(&|bag| bag.get_mut(path).unwrap()[0] ^= 1), ALTERED, "{path}");
        assert_eq!(words(&|bag| bag.get_mut(path).unwrap().push(b'\n')), ALTERED, "{path}");
    }
    for path in ["data/more", "fetch.txt", "data/../x", "/x", "data/sp ace"] {
        assert_eq!(words(&|bag| drop(bag.insert(path.into(), b"x".to_vec()))), ALTERED, "{path}");
    }
    // One that both manifests name is still no file of a bundle.
    for path in ["data/more", "data/log/more", "data/keys/witness-0.pem", "data/time/09.note"] {
        files(&|files| drop(files.insert(path.into(), b"x".to_vec())), ALTERED);
    }
    for path in [path::LOG_PATHS, path::CHECKPOINT] {
        files(
            &|files| drop(files.remove(path)),
            if path == path::CHECKPOINT { &[Verdict::NotAnchored, Verdict::Missing] } else { MISSING },
        );
    }
    for path in [path::VERIFY, path::CUSTODY_HTML, path::CUSTODY_JSON] {
        files(&|files| drop(files.remove(path)), INTACT);
    }
    let empty = check_bundle(&MemorySource::default(), &pins(), None);
    assert_eq!(empty.words(), [Verdict::NotAnchored, Verdict::UnpinnedKeys, Verdict::Missing]);
}

/// Check 2.
#[test]
fn completeness_is_about_this_log() {
    asked(&|asked, _| asked.origin = "other.example/000102030405060708090a0b0c0d0e0f".into(), ALTERED);
    asked(&|asked, _| asked.ledger = Digest::from_bytes([1; 32]), ALTERED);
    files(&|files| drop(files.insert(path::COMPLETENESS.into(), b"{}\n".to_vec())), ALTERED);
    files(&|files| drop(files.remove(path::COMPLETENESS)), MISSING);
    let report = check_bundle(
        &make(&Change { files: &|f| drop(f.remove(path::ENTRIES)), ..Change::NONE }).source(),
        &pins(),
        None,
    );
    assert_eq!(report.words(), [Verdict::NotAnchored, Verdict::UnpinnedKeys, Verdict::Missing]);
    assert_eq!(report.ids().len(), 1, "who is given is read all the same");
}

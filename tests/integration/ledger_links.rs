//! Links planted in a ledger's folders by somebody who may write there and nowhere else: whatever an opening or a check
//! does, nothing behind a link is read as the ledger's own, changed or made.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use immutape::Code;
use immutape::evidence::Verdict;
use immutape::ledger::{CheckOptions, Checker, Ledger, Places};
use immutape::log::Body;

use crate::support::crash::in_runtime;
use crate::support::ledgers::ann;
use crate::support::tamper::base::{AUTUMN_MS, Base, base, environment};
use crate::support::tamper::folders::{copy_tree, remove};
use crate::support::tamper::judge::fingerprint;

/// What a planted link leads to.
#[derive(Debug, Clone, Copy)]
enum Behind {
    /// A file that has nothing to do with the ledger, as a key file has.
    Key,
    /// As large as a database, all of it free in the eyes of one.
    Zeros,
    /// The file or folder that stood in the link's place.
    Itself,
    Nothing,
}

const OUTSIDE: &str = "outside";

fn plant(root: &Path, name: &str, behind: Behind) {
    let (path, outside) = (root.join("ledger").join(name), root.join(OUTSIDE));
    fs::create_dir(&outside).unwrap();
    let target = outside.join("target");
    match behind {
        Behind::Key => fs::write(&target, [0x6b; 64]).unwrap(),
        Behind::Zeros => fs::write(&target, vec![0; 1 << 19]).unwrap(),
        Behind::Itself => copy_tree(&path, &target),
        Behind::Nothing => {}
    }
    if path.exists() {
        remove(&path);
    }
    symlink(target, path).unwrap();
}

fn check(root: &Path) -> Verdict {
    let checker = Checker::open(&Places::beneath(root), &environment(8, AUTUMN_MS)).unwrap();
    checker.run(&CheckOptions::default()).verdict()
}

/// Opens and closes; the reason for which the rows were built anew.
fn open(base: &Base, root: &Path) -> Option<u64> {
    in_runtime(async {
        let ledger = Ledger::open(Places::beneath(root), environment(9, AUTUMN_MS)).await.unwrap();
        // What the start has to say is in the log with the first act.
        ledger.list(&ann()).await.unwrap();
        let (lines, _) = ledger.log(&ann(), base.size..u64::MAX).await.unwrap();
        ledger.close().await.unwrap();
        lines.iter().find_map(|line| match line.body {
            Body::RowsRebuilt { reason, .. } => Some(reason),
            _ => None,
        })
    })
}

#[test]
fn a_link_among_the_rows_is_put_aside_and_nothing_behind_it_changes() {
    let base = base();
    let folder = tempfile::tempdir().unwrap();
    let kinds = [Behind::Key, Behind::Zeros, Behind::Itself, Behind::Nothing];
    let files = ["index/db", "index/conf"].iter().flat_map(|name| kinds.map(|behind| (*name, behind)));
    let others = [
        ("index/snap.0000000000000fff", Behind::Key),
        ("index/blobs", Behind::Itself),
        ("index/blobs", Behind::Nothing),
        ("index", Behind::Itself),
        ("index", Behind::Nothing),
    ];
    let mut wrong = Vec::new();
    for (n, (name, behind)) in files.chain(others).enumerate() {
        let root = folder.path().join(n.to_string());
        base.copy_to(&root);
        plant(&root, name, behind);
        let before = fingerprint(&root, &[OUTSIDE]);
        let verdict = check(&root);
        let after_check = fingerprint(&root, &[OUTSIDE]);
        let rebuilt = open(&base, &root);
        let after = fingerprint(&root, &[OUTSIDE]);
        let link_is_kept = root.join("ledger/quarantine").read_dir().unwrap().any(|entry| {
            let aside = entry.unwrap().path();
            let planted = Path::new(name).strip_prefix("index").unwrap();
            let planted = if planted.as_os_str().is_empty() { aside } else { aside.join(planted) };
            planted.is_symlink()
        });
        if after_check != before || after != before {
            wrong.push(format!("{name} to {behind:?}: what is behind the link changed"));
        }
        if rebuilt != Some(1) || !link_is_kept || check(&root) != Verdict::Intact {
            wrong.push(format!("{name} to {behind:?}: rebuilt {rebuilt:?}, the link put aside: {link_is_kept}"));
        }
        if verdict != Verdict::IntactWithGaps {
            wrong.push(format!("{name} to {behind:?}: the check says {}", verdict.word()));
        }
        remove(&root);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Done through a link, it would be done somewhere else.
#[test]
fn a_link_in_the_place_of_a_folder_is_named_and_not_opened() {
    let base = base();
    let folder = tempfile::tempdir().unwrap();
    for (n, name) in ["ledger/journal", "ledger/packs", "ledger/quarantine", "state/vault"].into_iter().enumerate() {
        let root = folder.path().join(n.to_string());
        base.copy_to(&root);
        let target = root.join("target");
        copy_tree(&root.join(name), &target);
        remove(&root.join(name));
        symlink(&target, root.join(name)).unwrap();
        let before = fingerprint(&root, &["target", "state", "config", "ledger"]);
        let places = Places::beneath(&root);
        let opened = in_runtime(Ledger::open(places.clone(), environment(9, AUTUMN_MS)));
        let checked = Checker::open(&places, &environment(9, AUTUMN_MS));
        for refused in [opened.err(), checked.err()] {
            let refused = refused.unwrap_or_else(|| panic!("{name} is a link and was opened"));
            assert_eq!(refused.code(), Code::Io, "{refused}");
            assert!(refused.message().contains(name), "{refused}");
        }
        assert_eq!(fingerprint(&root, &["target", "state", "config", "ledger"]), before, "{name}");
    }
}

//! `bagit.py` and `sha256sum`.

use std::fs;
use std::path::Path;
use std::process::Command;

use immutape::codec::digest::sha256;

use super::made::{Files, made, put};
use super::{accepts, fed, flipped, installed, must_accept};

/// Writes the bundle with one change.
fn with(files: &Files, change: impl FnOnce(&mut Files)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut changed = files.clone();
    change(&mut changed);
    put(&changed, folder.path());
    folder
}

/// A payload file that is worth altering.
fn frames(files: &Files) -> String {
    files.keys().find(|path| path.ends_with("/frames.cbor")).unwrap().clone()
}

/// Folders with one fault each.
fn altered(files: &Files) -> Vec<(&'static str, tempfile::TempDir)> {
    let victim = frames(files);
    let half = files[&victim].len() / 2;
    vec![
        (
            "one byte of the payload",
            with(files, |f| f.insert(victim.clone(), flipped(&files[&victim], half)).map_or((), drop)),
        ),
        ("a file that is gone", with(files, |f| drop(f.remove(&victim).unwrap()))),
        ("a file more", with(files, |f| assert!(f.insert("data/more".into(), b"more".to_vec()).is_none()))),
        ("a line of the manifest that is gone", {
            with(files, |f| {
                let manifest = String::from_utf8(f["manifest-sha256.txt"].clone()).unwrap();
                let shorter = manifest.split_once('\n').unwrap().1.as_bytes().to_vec();
                f.insert("manifest-sha256.txt".into(), shorter).unwrap();
            })
        }),
        ("another payload size", {
            with(files, |f| {
                let info = String::from_utf8(f["bag-info.txt"].clone()).unwrap();
                let other = info.replace("Payload-Oxum: ", "Payload-Oxum: 1");
                assert_ne!(other, info);
                f.insert("bag-info.txt".into(), other.into_bytes()).unwrap();
            })
        }),
    ]
}

#[test]
fn bagit_takes_the_bag_and_refuses_every_altered_one() {
    let Some(program) = installed("py/bin/bagit.py") else { return };
    let Some(made) = made() else { return };
    let validate = |folder: &Path| {
        let mut command = Command::new(installed("py/bin/python").unwrap());
        command.arg(&program).args(["--quiet", "--validate"]).arg(folder);
        command
    };
    must_accept(&mut validate(with(&made.folder, |_| {}).path()));
    for (what, folder) in altered(&made.folder) {
        assert!(!accepts(&mut validate(folder.path())), "{what}");
    }
}

#[test]
fn sha256sum_takes_both_manifests_and_every_tape_is_named_by_its_root_file() {
    let Some(made) = made() else { return };
    let check = |folder: &Path, manifest: &str| {
        let mut command = Command::new("sha256sum");
        command.args(["--check", "--strict", "--quiet", manifest]).current_dir(folder);
        command
    };
    let good = with(&made.folder, |_| {});
    for manifest in ["manifest-sha256.txt", "tagmanifest-sha256.txt"] {
        must_accept(&mut check(good.path(), manifest));
    }
    let altered = altered(&made.folder);
    for (n, (what, folder)) in altered.iter().enumerate() {
        // It looks at what is named alone: a file more is for others to find.
        let verdicts = ["manifest-sha256.txt", "tagmanifest-sha256.txt"].map(|m| accepts(&mut check(folder.path(), m)));
        let wanted = [[false, true], [false, true], [true, true], [true, false], [true, false]][n];
        assert_eq!(verdicts, wanted, "{what}");
    }
    let tapes: Vec<&str> = made.folder.keys().filter_map(|path| path.strip_suffix("/root.cbor")).collect();
    assert_eq!(tapes.len(), 3);
    for tape in tapes {
        let id = tape.strip_prefix("data/tapes/").unwrap();
        let said = must_accept(Command::new("sha256sum").arg(good.path().join(tape).join("root.cbor")));
        assert!(said.starts_with(format!("{id}  ").as_bytes()), "{tape}");
        let other = fed(Command::new("sha256sum").arg("-"), &flipped(&made.folder[&format!("{tape}/root.cbor")], 40));
        assert!(!other.stdout.starts_with(id.as_bytes()));
    }
    let digest = must_accept(Command::new("sha256sum").arg(good.path().join("tagmanifest-sha256.txt")));
    assert!(
        digest.starts_with(
            hex::encode(sha256(&fs::read(good.path().join("tagmanifest-sha256.txt")).unwrap())).as_bytes()
        )
    );
}

//! GNU tar, Python's tar reader, and `age`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use immutape::codec::digest::sha256;
use immutape::evidence::bundle::{TAR_END_BYTES, TarFile, read_tar_header, tar_header, tar_padding};

use super::made::{Files, made, take};
use super::{accepts, fed, flipped, installed, is_there, must_accept, script};

const BLOCK: usize = 512;
/// What stands before the payload, in this order.
const FRONT: [&str; 4] = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"];

/// Headers of a tar file, as our reader has them, and the bytes of each file.
fn ours(tar: &[u8]) -> Vec<(TarFile, Vec<u8>)> {
    let (mut at, mut files) = (0, Vec::new());
    while let Some(file) = read_tar_header(tar[at..at + BLOCK].try_into().unwrap()).unwrap() {
        let bytes = usize::try_from(file.bytes).unwrap();
        files.push((file, tar[at + BLOCK..at + BLOCK + bytes].to_vec()));
        at += BLOCK + bytes.next_multiple_of(BLOCK);
    }
    assert_eq!(tar.len(), at + TAR_END_BYTES);
    files
}

/// The one tar file of these files (6.1).
fn packed(files: &Files, bag: &str, mtime_s: u64) -> Vec<u8> {
    let mut tar = Vec::new();
    let payload = files.keys().map(String::as_str).filter(|path| !FRONT.contains(path));
    for path in FRONT.into_iter().chain(payload) {
        let content = &files[path];
        let bytes = content.len() as u64;
        tar.extend(tar_header(&TarFile { bag: bag.into(), path: path.into(), bytes, mtime_s }).unwrap());
        tar.extend(content);
        tar.resize(tar.len() + tar_padding(bytes), 0);
    }
    tar.resize(tar.len() + TAR_END_BYTES, 0);
    tar
}

/// What another reader makes of a tar file: names of members in their order, and the files; `None` where it refuses.
type Taken = Option<(Vec<String>, Files)>;

fn gnu(tar: &Path) -> Taken {
    let folder = tempfile::tempdir().unwrap();
    let command = |what: &str| {
        let mut command = Command::new("tar");
        command.env("LC_ALL", "C").args([what, "--file"]).arg(tar).arg("--directory").arg(folder.path());
        command
    };
    if !accepts(&mut command("--extract")) {
        return None;
    }
    let listed = String::from_utf8(must_accept(&mut command("--list"))).unwrap();
    Some((listed.lines().map(str::to_owned).collect(), take(folder.path())))
}

fn python(program: &Path, tar: &Path) -> Taken {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(program).arg(script("untar.py")).arg(tar).arg(folder.path()).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| (listed.lines().map(str::to_owned).collect(), take(folder.path())))
}

fn below(bag: &str, files: &Files) -> Files {
    files.iter().map(|(path, bytes)| (format!("{bag}/{path}"), bytes.clone())).collect()
}

#[test]
fn two_other_readers_take_the_tar_file_apart_into_the_bytes_of_the_folder() {
    let Some(program) = installed("py/bin/python") else { return };
    let Some(made) = made() else { return };
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = place.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    // What the program wrote as a tar file, and what it wrote as a folder, packed as 6.1 says.
    let read = ours(&made.tar);
    let (bag, mtime_s) = (read[0].0.bag.clone(), read[0].0.mtime_s);
    let written: Files = read.iter().map(|(file, bytes)| (file.path.clone(), bytes.clone())).collect();
    assert_eq!(packed(&written, &bag, mtime_s), made.tar, "there is one tar file of these files");
    assert_eq!(hex::encode(sha256(&written[FRONT[3]])), made.tar_digest);
    for (tar, bag, files) in
        [(&made.tar, &bag, &written), (&packed(&made.folder, "bag", 5), &"bag".into(), &made.folder)]
    {
        let file = write("good.tar", tar);
        let wanted = below(bag, files);
        for (by, taken) in [("GNU tar", gnu(&file)), ("tarfile", python(&program, &file))] {
            let (names, taken) = taken.unwrap_or_else(|| panic!("{by} refuses it"));
            assert!(taken == wanted, "{by}: other bytes");
            assert_eq!(names.iter().collect::<BTreeSet<_>>(), wanted.keys().collect(), "{by}");
            assert_eq!(names.len(), wanted.len(), "{by}");
            assert_eq!(&names[..4], FRONT.map(|name| format!("{bag}/{name}")), "{by}");
            assert!(names[4..].is_sorted(), "{by}");
        }
    }
    // A byte of a header, a size, an end that is gone; a byte of the payload is for `sha256sum` to find.
    let size = [&made.tar[..124], b"7", &made.tar[125..]].concat();
    let cut = &made.tar[..made.tar.len() / 2];
    for (what, bad) in [("name", &flipped(&made.tar, 3)), ("size", &size), ("magic", &flipped(&made.tar, 258))] {
        let file = write("bad.tar", bad);
        assert!(gnu(&file).is_none() && python(&program, &file).is_none(), "{what}");
    }
    let file = write("cut.tar", cut);
    assert!(gnu(&file).is_none() && python(&program, &file).is_none(), "cut off");
}

#[test]
fn age_opens_an_encrypted_bundle_for_its_recipient_alone() {
    if !is_there("age", "--version") {
        return;
    }
    let Some(encrypted) = made().and_then(|made| made.encrypted.as_ref()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let open = |identity: &str, file: &[u8]| {
        let path = folder.path().join("identity");
        fs::write(&path, identity).unwrap();
        let output = fed(Command::new("age").arg("--decrypt").arg("--identity").arg(&path), file);
        output.status.success().then_some(output.stdout)
    };
    let tar = open(&encrypted.identity, &encrypted.file).expect("age opens it");
    // The very tar file: the digest that was told is that of its tag manifest, and there is one tar file of these files.
    let read = ours(&tar);
    let files: Files = read.iter().map(|(file, bytes)| (file.path.clone(), bytes.clone())).collect();
    assert_eq!(hex::encode(sha256(&files[FRONT[3]])), encrypted.digest);
    assert_eq!(packed(&files, &read[0].0.bag, read[0].0.mtime_s), tar);
    let stranger = String::from_utf8(must_accept(&mut Command::new("age-keygen"))).unwrap();
    assert_eq!(open(&stranger, &encrypted.file), None);
    for at in [encrypted.file.len() / 2, encrypted.file.len() - 1, 40] {
        assert_eq!(open(&encrypted.identity, &flipped(&encrypted.file, at)), None, "{at}");
    }
    assert_eq!(open(&encrypted.identity, &encrypted.file[..encrypted.file.len() - 1]), None);
    assert!(!encrypted.file.windows(5).any(|window| window == b"bagit"));
}

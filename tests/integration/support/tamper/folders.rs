//! Copies of whole folders. Blocks of zeros are left out, so a copy of mostly prepared space is quick.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

const BLOCK: usize = 64 << 10;

/// Copies a folder that must not be there yet, or a file.
pub fn copy_tree(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        return copy_file(from, to);
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy_tree(&entry.path(), &to.join(entry.file_name()));
    }
}

fn copy_file(from: &Path, to: &Path) {
    let mut source = File::open(from).unwrap();
    // Key files are refused when others could read them.
    let mut target = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to).unwrap();
    target.set_len(source.metadata().unwrap().len()).unwrap();
    let mut block = vec![0; BLOCK];
    let mut at = 0;
    loop {
        let got = source.read(&mut block).unwrap();
        if got == 0 {
            return;
        }
        if block[..got].iter().any(|b| *b != 0) {
            target.seek(SeekFrom::Start(at)).unwrap();
            target.write_all(&block[..got]).unwrap();
        }
        at += got as u64;
    }
}

/// Takes a file or folder away; nothing there is fine.
pub fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else if path.exists() {
        fs::remove_file(path).unwrap();
    }
}

/// Puts `from` in the place of `to`, whatever stood there.
pub fn replace_tree(from: &Path, to: &Path) {
    remove(to);
    copy_tree(from, to);
}

/// The state folder beneath `root` names the ledger folder beneath `root`.
pub fn point_state_at(root: &Path) {
    let ledger = fs::canonicalize(root).unwrap().join("ledger");
    fs::write(root.join("state/ledger"), format!("{}\n", ledger.display())).unwrap();
}

//! A power cut for a real process: what it never synced is taken away.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library to preload, made on the spot; `None` where there is no C compiler, or nothing can be preloaded.
pub fn library(folder: &Path) -> Option<PathBuf> {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        return None;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/support/power/lose.c");
    let library = folder.join("lose.so");
    let mut compiler = Command::new("gcc");
    compiler.args(["-O1", "-shared", "-fPIC", "-Wall", "-o"]).arg(&library).arg(source);
    match compiler.status() {
        Ok(status) => assert!(status.success(), "the shim does not compile"),
        Err(_) => return None,
    }
    // Does it come between a process and the system here?
    let (probe, shadow) = (folder.join("probe"), folder.join("probe shadow"));
    fs::create_dir(&shadow).unwrap();
    fs::write(&probe, b"x").unwrap();
    let mut sync = Command::new("sync");
    sync.arg(&probe).env("LD_PRELOAD", &library).env("POWER_SHADOW", &shadow);
    let ran = sync.status().is_ok_and(|status| status.success());
    (ran && fs::read_dir(&shadow).unwrap().next().is_some()).then_some(library)
}

/// Everything that is there is on the disk: what a machine knows when it has just started.
pub fn all_is_durable(folder: &Path, shadow: &Path) {
    if shadow.exists() {
        fs::remove_dir_all(shadow).unwrap();
    }
    fs::create_dir_all(shadow).unwrap();
    remember(folder, shadow);
}

fn remember(folder: &Path, shadow: &Path) {
    let mut names = String::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let about = entry.metadata().unwrap();
        let kind = if about.is_dir() { 'd' } else { 'f' };
        names += &format!("{kind} {} {}\n", about.ino(), entry.file_name().to_str().unwrap());
        if about.is_dir() {
            remember(&entry.path(), shadow);
        } else {
            fs::copy(entry.path(), shadow.join(format!("f{}", about.ino()))).unwrap();
        }
    }
    fs::write(shadow.join(format!("d{}", fs::metadata(folder).unwrap().ino())), names).unwrap();
}

/// Cuts the power: `folder` holds afterwards what was durable. How many bytes were not.
pub fn cut(folder: &Path, shadow: &Path) -> u64 {
    let ino = fs::metadata(folder).unwrap().ino();
    let had = bytes_in(folder);
    let left = folder.with_extension("left");
    bring_back(&left, ino, shadow);
    let lost = had.abs_diff(bytes_in(&left)) + differing(folder, &left);
    fs::remove_dir_all(folder).unwrap();
    fs::rename(&left, folder).unwrap();
    lost
}

fn bring_back(folder: &Path, ino: u64, shadow: &Path) {
    fs::create_dir(folder).unwrap();
    // A folder that was never synced has no names.
    let names = fs::read_to_string(shadow.join(format!("d{ino}"))).unwrap_or_default();
    for line in names.lines() {
        let (kind, rest) = line.split_at(2);
        let (ino, name) = rest.split_once(' ').unwrap();
        let path = folder.join(name);
        if kind == "d " {
            bring_back(&path, ino.parse().unwrap(), shadow);
        } else {
            // A file whose name is durable and whose bytes never were is empty.
            let bytes = fs::read(shadow.join(format!("f{ino}"))).unwrap_or_default();
            fs::write(&path, bytes).unwrap();
            let owner_only: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(&path, owner_only).unwrap();
        }
    }
}

fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|e| if e.path().is_dir() { bytes_in(&e.path()) } else { e.metadata().unwrap().len() }).sum()
}

/// Bytes of files of equal names that differ.
fn differing(a: &Path, b: &Path) -> u64 {
    let entries = fs::read_dir(a).unwrap().map(|entry| entry.unwrap());
    let differ = |e: fs::DirEntry| {
        let (here, there) = (e.path(), b.join(e.file_name()));
        if here.is_dir() {
            return if there.is_dir() { differing(&here, &there) } else { bytes_in(&here) };
        }
        let (here, there) = (fs::read(here).unwrap(), fs::read(there).unwrap_or_default());
        here.iter().zip(&there).filter(|(x, y)| x != y).count() as u64
    };
    entries.map(differ).sum()
}

//! Folders that cannot be written, disks that are full, tapes that were changed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::world::{Did, World};
use crate::support::ledgers::tape_path;
use crate::support::skipped;

/// Nobody, who may write to nothing of ours.
const NOBODY: u32 = 65_534;

/// Runs as another user what root would be let do anyway; `None`, and said so, where that is not possible.
fn as_nobody(world: &World, args: &[&str]) -> Option<Did> {
    let is_root = rustix::process::getuid().is_root();
    if !is_root || !Path::new("/usr/bin/setpriv").exists() {
        skipped("needs root and setpriv to become another user");
        return None;
    }
    // The build's folder may be closed to others, so the program lies in the world's own.
    let bin = world.path("bin");
    if !bin.exists() {
        fs::copy(env!("CARGO_BIN_EXE_immutape"), &bin).unwrap();
    }
    let mut command = world.bare("/usr/bin/setpriv".as_ref());
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(bin);
    command.envs([("IMMUTAPE_DIR", "ledger"), ("IMMUTAPE_STATE_DIR", "state"), ("IMMUTAPE_CONFIG_DIR", "keys")]);
    Some(command.args(args).output().unwrap().into())
}

fn chown_to_nobody(path: &Path) {
    std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|e| chown_to_nobody(&e.unwrap().path()));
    }
}

fn chmod(args: &str, path: &Path) {
    assert!(Command::new("chmod").args(["-R", args]).arg(path).status().unwrap().success());
}

#[test]
fn a_ledger_that_cannot_be_written_gives_nothing_out_and_can_be_checked() {
    let world = World::with_tapes(&["sqlite-crash"]);
    if as_nobody(&world, &["version"]).is_none() {
        return;
    }
    chown_to_nobody(&world.path(""));
    as_nobody(&world, &["list"]).unwrap().exits(0);
    chmod("a-w", &world.path("ledger"));
    let id = "0000";
    for args in [&["list"][..], &["log"], &["show", id], &["cat", id], &["custody", id], &["delete", id]] {
        let did = as_nobody(&world, args).unwrap().exits(11);
        assert!(did.out().is_empty() && did.stderr.contains("E_AUDIT_UNAVAILABLE"), "{args:?}: {}", did.all());
    }
    let did = as_nobody(&world, &["verify"]).unwrap().exits(10);
    assert!(did.stderr.contains("This check was not recorded"), "{}", did.all());
    let did = as_nobody(&world, &["status"]).unwrap().exits(11);
    assert!(did.out().contains("checks still run"), "{}", did.all());
    chmod("u+w", &world.path("ledger"));
    as_nobody(&world, &["verify"]).unwrap().exits(0);
}

/// Every file of the world's three folders, with its bytes.
fn all_bytes(world: &World) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let (mut folders, mut all) = (["ledger", "state", "keys"].map(|name| world.path(name)).to_vec(), Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { all.push((path.clone(), fs::read(path).unwrap())) }
        }
    }
    all.sort();
    all
}

/// Files that are not as they were.
fn changed(before: &[(std::path::PathBuf, Vec<u8>)], after: &[(std::path::PathBuf, Vec<u8>)]) -> Vec<String> {
    let either =
        before.iter().filter(|one| !after.contains(one)).chain(after.iter().filter(|one| !before.contains(one)));
    either.map(|(path, _)| path.display().to_string()).collect()
}

/// A world of nobody's with one tape kept and another to save; `None` where nobody cannot be played.
fn nobodys_world() -> Option<World> {
    let world = World::with_tapes(&["sqlite-crash"]);
    as_nobody(&world, &["version"])?;
    fs::copy(tape_path("sqlite-claims"), world.path("in.jsonl")).unwrap();
    chown_to_nobody(&world.path(""));
    as_nobody(&world, &["list"]).unwrap().exits(0);
    Some(world)
}

/// Everything that a read-only ledger or state folder keeps from being recorded is refused, and changes nothing that counts.
#[test]
fn what_cannot_be_recorded_is_refused_whichever_folder_is_read_only() {
    let Some(world) = nobodys_world() else { return };
    let before = all_bytes(&world);
    // The folders and their files, or the names in them alone.
    for (folder, only_folders) in [("ledger", false), ("state", false), ("state", true)] {
        let path = world.path(folder);
        if only_folders {
            close_folders(&path)
        } else {
            chmod("a-w", &path)
        }
        let words = format!("{folder}, {only_folders}");
        for args in [&["save", "in.jsonl"][..], &["list"], &["cat", "0000"], &["delete", "0000"]] {
            let did = as_nobody(&world, args).unwrap().exits(11);
            let is_told = did.stderr.contains("E_AUDIT_UNAVAILABLE") && did.stderr.contains("look at the");
            assert!(did.out().is_empty() && is_told, "{words}: {args:?}: {}", did.all());
        }
        let did = as_nobody(&world, &["verify"]).unwrap();
        assert!([0, 10].contains(&did.exit), "{words}: {}", did.all());
        assert!(did.stderr.contains("This check was not recorded"), "{words}: {}", did.all());
        let mut written = changed(&before, &all_bytes(&world));
        if only_folders {
            // Files are open to writers: what a save seals before its commit stays, as after a crash, and counts for nothing.
            written.retain(|path| !["/packs/", "/vault/", "/index/"].iter().any(|part| path.contains(part)));
        }
        assert_eq!(written, [""; 0], "{words}: something was written");
        chmod("u+w", &path);
    }
    as_nobody(&world, &["save", "in.jsonl"]).unwrap().exits(0);
    as_nobody(&world, &["verify"]).unwrap().exits(0);
}

/// Takes the right to write away from folders and leaves that of their files.
fn close_folders(path: &Path) {
    let find = Command::new("find").arg(path).args(["-type", "d", "-exec", "chmod", "a-w", "{}", "+"]).status();
    assert!(find.unwrap().success());
}

/// Keys are read and never written to, so a config folder that is closed to writers keeps nothing from being done.
#[test]
fn a_read_only_config_folder_is_enough_for_daily_use() {
    let Some(world) = nobodys_world() else { return };
    chmod("a-w", &world.path("keys"));
    for args in [&["save", "in.jsonl"][..], &["list"], &["verify"], &["status"]] {
        as_nobody(&world, args).unwrap().exits(0);
    }
}

/// A ledger is made whole or not begun: what was in the way once is not in the way of the next try.
#[test]
fn where_state_or_config_cannot_be_written_no_ledger_is_half_made() {
    for closed in ["state", "keys"] {
        let world = World::new();
        if as_nobody(&world, &["version"]).is_none() {
            return;
        }
        for folder in ["ledger", "state", "keys"] {
            fs::create_dir(world.path(folder)).unwrap();
        }
        fs::copy(tape_path("sqlite-claims"), world.path("in.jsonl")).unwrap();
        chown_to_nobody(&world.path(""));
        chmod("a-w", &world.path(closed));
        for args in [&["init"][..], &["save", "in.jsonl"]] {
            let did = as_nobody(&world, args).unwrap().exits(1);
            let folder = if closed == "keys" { "config" } else { closed };
            assert!(did.stderr.contains(&format!("the {folder} folder cannot be written (E_IO)")), "{}", did.all());
            assert!(did.out().is_empty() && did.stderr.contains("look at its owner"), "{}", did.all());
            let left: Vec<_> = all_bytes(&world).into_iter().map(|(path, _)| path).collect();
            let marker = world.path("state/creating");
            assert!(left.iter().all(|path| *path == marker), "{closed}: {left:?}");
        }
        chmod("u+w", &world.path(closed));
        as_nobody(&world, &["init"]).unwrap().exits(0);
        as_nobody(&world, &["save", "in.jsonl"]).unwrap().exits(0);
        as_nobody(&world, &["verify"]).unwrap().exits(0);
    }
}

#[test]
fn where_no_ledger_can_stand_no_keys_are_made() {
    let world = World::new();
    if as_nobody(&world, &["version"]).is_none() {
        return;
    }
    chmod("a+rx", &world.path(""));
    let did = as_nobody(&world, &["-C", "/nowhere/to/be", "init"]).unwrap().exits(1);
    assert!(did.stderr.contains("the ledger folder /nowhere/to/be cannot be made (E_IO)"), "{}", did.stderr);
    assert!(!world.path("keys").exists() && !world.path("state").exists());
}

#[test]
fn a_changed_byte_is_named_with_its_tape_and_the_others_stay_readable() {
    let world = World::with_tapes(&["sqlite-crash"]);
    let other = world.run(["list", "--json"]).documents()[0]["tape"].as_str().unwrap().to_owned();
    let pack = world.path("ledger/packs/00000001.pack");
    let used = |bytes: &[u8]| bytes.iter().rposition(|b| *b != 0).unwrap();
    let before = used(&fs::read(&pack).unwrap());
    let tape = world.save("filesystem-payments");
    let mut bytes = fs::read(&pack).unwrap();
    let at = (before + used(&bytes)) / 2;
    bytes[at] ^= 1;
    fs::write(&pack, &bytes).unwrap();

    let report = world.run(["verify", "--json"]).exits(3).documents();
    let findings = report[0]["findings"].as_array().unwrap();
    let named = findings.iter().find(|f| f["tape"] == format!("sha256:{tape}")).unwrap();
    assert_eq!(named["severity"], "altered");
    assert!(named["what"].as_str().unwrap().contains("00000001.pack"), "{named}");
    world.run(["verify", &tape]).exits(3);
    world.run(["verify", &other]).exits(0);
    let did = world.run(["cat", &tape]).exits(3);
    assert!(did.stdout.is_empty() && did.stderr.contains("E_TAPE_DAMAGED"), "{}", did.stderr);
    world.run(["cat", &other]).exits(0);
    bytes[at] ^= 1;
    fs::write(&pack, &bytes).unwrap();
    world.run(["verify"]).exits(0);
}

/// A small disk; taken away again when dropped.
pub(super) struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// Makes the folder and puts a disk of this size there; `None`, and said so, where nobody may do that.
    pub(super) fn mounted(folder: &'a Path, size: &str) -> Option<Self> {
        fs::create_dir(folder).unwrap();
        let size = format!("size={size}");
        let mount = ["-t", "tmpfs", "-o", &size, "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(folder).stderr(Stdio::null()).status();
        if !mounted.is_ok_and(|s| s.success()) {
            skipped("a small disk cannot be mounted here");
            return None;
        }
        Some(Self(folder))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _left_mounted = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    fill_a_disk(false);
}

/// The signed head stands on the full disk as well: what was set aside for it lets a start record that it refused.
#[test]
fn a_full_disk_that_holds_the_state_as_well_refuses_on_record() {
    fill_a_disk(true);
}

fn fill_a_disk(has_state: bool) {
    let world = World::new();
    let disk = world.path("disk");
    let Some(_small) = SmallDisk::mounted(&disk, "3m") else { return };
    let ledger = disk.join("ledger");
    let state = disk.join("state");
    let place = ["-C", ledger.to_str().unwrap(), "-q", "--state-dir", state.to_str().unwrap()];
    let place = if has_state { &place[..] } else { &place[..3] };
    let run = |args: &[&str]| world.run([place, args].concat());
    let mut kept = Vec::new();
    let refused = (0..200u32).find_map(|n| {
        // Different digests do not compress.
        let noise: String = (0..900u32)
            .map(|i| hex::encode(immutape::codec::digest::sha256(&[n, i].map(u32::to_be_bytes).concat())))
            .collect();
        fs::write(world.path("in"), format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"{noise}\"}}\n")).unwrap();
        let did = run(&["save", "in"]);
        if did.exit == 0 {
            kept.push(did.out().trim().to_owned());
            return None;
        }
        Some(did)
    });
    let refused = refused.expect("the disk is never full").exits(11);
    assert!(refused.stdout.is_empty() && !kept.is_empty(), "{}", refused.all());
    let report = run(&["verify", "--json"]);
    assert!([0, 10].contains(&report.exit), "{}", report.all());
    assert_ne!(run(&["status"]).exit, 3, "a full disk is no tampering");
    // What still finds room is on record, what does not gives nothing out; nothing in between.
    let first = kept.first().unwrap();
    let mut given = 0;
    for read in [&["cat", first][..], &["show", first], &["list"], &["log"]] {
        let did = run(read);
        assert!(did.exit == 0 || (did.exit == 11 && did.stdout.is_empty()), "{read:?} ended with {}", did.exit);
        given += usize::from(did.exit == 0 && read.len() == 2);
    }
    let refusal = run(&["delete", first]).exit;
    assert!([5, 11].contains(&refusal), "delete ended with {refusal}");

    // With room again everything acknowledged is there.
    assert!(Command::new("mount").args(["-o", "remount,size=16m"]).arg(&disk).status().unwrap().success());
    let listed = run(&["list", "--json"]).exits(0).documents();
    for tape in &kept {
        assert!(listed.iter().any(|d| d["tape"] == *tape), "{tape}");
    }
    let log = run(&["log", "--json"]).exits(0).documents();
    let recorded = |kind: &str| log.iter().filter(|d| d["kind"] == kind).count();
    assert_eq!(recorded("access.granted"), given);
    assert_eq!(recorded("refused"), usize::from(refusal == 5));
    run(&["verify"]).exits(0);
}

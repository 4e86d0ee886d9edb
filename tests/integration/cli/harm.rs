//! Folders that cannot be written, disks that are full, tapes that were changed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::world::{Did, World};

/// Nobody, who may write to nothing of ours.
const NOBODY: u32 = 65_534;

/// Runs as another user what root would be let do anyway; `None`, and said so, where that is not possible.
fn as_nobody(world: &World, args: &[&str]) -> Option<Did> {
    let is_root = rustix::process::getuid().is_root();
    if !is_root || !Path::new("/usr/bin/setpriv").exists() {
        eprintln!("skipped: needs root and setpriv to become another user");
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
struct SmallDisk<'a>(&'a Path);

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
    fs::create_dir(&disk).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=3m", "tmpfs"];
    let mounted = Command::new("mount").args(mount).arg(&disk).stderr(Stdio::null()).status();
    if !mounted.is_ok_and(|s| s.success()) {
        eprintln!("skipped: a small disk cannot be mounted here");
        return;
    }
    let _small = SmallDisk(&disk);
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

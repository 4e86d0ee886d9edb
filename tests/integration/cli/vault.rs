//! Keys that the vault has lost: refused, accepted on request, and what everybody sees afterwards.

use std::fs;
use std::path::PathBuf;

use super::processes::holder;
use super::world::World;
use crate::support::crash::copy_folder;

fn epochs(world: &World) -> Vec<PathBuf> {
    let names = fs::read_dir(world.path("state/vault")).unwrap().map(|e| e.unwrap().path());
    names.filter(|path| path.file_name().unwrap().len() == 32).collect()
}

/// After it was accepted that `lost` has no key.
fn outcome(world: &World, kept: &str, lost: &str) {
    let did = world.run(["show", lost, "--json"]).exits(9);
    let error = did.documents().remove(0);
    assert_eq!(error["code"], "E_VAULT_DAMAGED");
    assert!(error["hint"].as_str().unwrap().contains("saving the same content again"), "{error}");
    world.run(["show", kept]).exits(0);

    let report = world.run(["verify", "--json"]).exits(3).documents().remove(0);
    let findings = report["findings"].as_array().unwrap();
    let altered: Vec<_> = findings.iter().filter(|f| f["severity"] == "altered").collect();
    assert_eq!(altered.len(), 1, "{report}");
    assert_eq!((&altered[0]["part"], &altered[0]["tape"]), (&"vault".into(), &format!("sha256:{lost}").into()));

    let anew = world.save("sqlite-crash");
    assert_ne!(anew, lost);
    world.run(["cat", &anew]).exits(0);
    assert_eq!(epochs(world).len(), 2);
}

#[test]
fn a_newest_slot_that_is_gone() {
    let world = World::with_tapes(&["filesystem-payments"]);
    let kept = world.run(["list", "--json"]).exits(0).documents()[0]["tape"].as_str().unwrap()[7..].to_owned();
    let lost = world.save("sqlite-crash");
    assert_eq!(world.run(["repair", "--accept-vault", "--json"]).exits(0).documents()[0]["done"], "nothing");
    let path = epochs(&world).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[144..288].fill(0);
    fs::write(&path, bytes).unwrap();

    for verb in ["list", "status", "repair"] {
        let did = world.run([verb]);
        assert!(verb == "repair" || did.exit == 9, "{}", did.all());
        assert!(verb != "list" || did.stderr.contains("`immutape repair --accept-vault`"), "{}", did.stderr);
    }
    let done = world.run(["repair", "--accept-vault", "--json"]).exits(0).documents().remove(0);
    assert_eq!((&done["type"], &done["done"]), (&"repair".into(), &"vault".into()));
    assert_eq!(done["tapes"][0]["tape"], format!("sha256:{lost}"));
    let log = world.run(["log", "--all", "--json"]).exits(0).documents();
    let told: Vec<_> = log.iter().filter(|line| line["kind"] == "integrity.failed").collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["body"]["at"], done["tapes"][0]["entry"]);
    assert_eq!(told[0]["tape"], done["tapes"][0]["tape"]);
    outcome(&world, &kept, &lost);
}

/// One save old, and closed in order: the head is refused first, and never overruled; with it put aside, one thing after
/// the other is accepted, each by its own name.
#[test]
fn an_older_state_folder() {
    let world = World::with_tapes(&["filesystem-payments"]);
    let kept = world.run(["list", "--json"]).exits(0).documents()[0]["tape"].as_str().unwrap()[7..].to_owned();
    copy_folder(&world.path("state"), &world.path("older"));
    let lost = world.save("sqlite-crash");
    fs::rename(world.path("state"), world.path("newest")).unwrap();
    fs::rename(world.path("older"), world.path("state")).unwrap();

    for accept in ["--accept-head", "--accept-vault"] {
        let did = world.run(["repair", accept, "--json"]).exits(3);
        assert_eq!(did.documents()[0]["code"], "E_HEAD_STALE");
    }
    fs::rename(world.path("state/head"), world.path("older head")).unwrap();
    let did = world.run(["repair", "--accept-vault", "--json"]).exits(3);
    assert_eq!(did.documents()[0]["code"], "E_HEAD_MISSING");
    world.run(["repair", "--accept-head"]).exits(0);
    assert_eq!(world.run(["list", "--json"]).exits(9).documents()[0]["code"], "E_VAULT_ROLLBACK");
    world.run(["repair", "--accept-vault"]).exits(0);
    let log = world.run(["log", "--all", "--json"]).exits(0).documents();
    for kind in ["head_file.rebuilt", "integrity.failed"] {
        assert_eq!(log.iter().filter(|line| line["kind"] == kind).count(), 1, "{kind}");
    }
    outcome(&world, &kept, &lost);
}

#[test]
fn who_accepts_waits_for_the_other() {
    let world = World::with_tapes(&["sqlite-crash"]);
    let mut first = holder(&world);
    let did = world.run(["repair", "--accept-vault", "--json"]).exits(7);
    assert_eq!(did.documents()[0]["code"], "E_LOCKED");
    drop(first.stdin.take());
    assert_eq!(first.wait().unwrap().code(), Some(0));
    world.run(["repair", "--accept-vault"]).exits(0);
}

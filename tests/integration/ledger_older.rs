//! Older copies, and heads that do not fit: each is told by its own code, and nothing is changed.

use std::fs;
use std::path::{Path, PathBuf};

use immutape::Code;
use immutape::interchange::ImportOptions;
use immutape::ledger::{Ledger, Places, Repair, RepairDone, SaveOptions};
use immutape::log::Body;
use immutape::store::files::{Files, RealFiles};

use crate::support::crash::{Lived, Machine, Place, When, copy_folder, every_byte, in_runtime};
use crate::support::ledgers::{ann, save_bytes};
use crate::support::tamper::base::{SUMMER_MS, environment};

/// A file or folder of the one state folder, and the same of the earlier copy.
fn state(place: &Place, name: &str) -> (PathBuf, PathBuf) {
    let id = fs::read_dir(place.path("s")).unwrap().next().unwrap().unwrap().file_name();
    let earlier = Lived::get().path(When::Earlier).join("s").join(&id).join(name);
    (place.path("s").join(id).join(name), earlier)
}

/// The code with which a start refuses. What it and a repair of the log leave is what was there.
fn refusal(place: &Place, repair: Option<Code>) -> Code {
    let before = every_byte(place.folder.path(), "index");
    let code = place.refusal().code();
    assert_eq!(place.repair(Repair::Log).err().map(|e| e.code()), repair);
    let after = every_byte(place.folder.path(), "index");
    let changed: Vec<_> = before.iter().filter(|(path, bytes)| after.get(*path) != Some(bytes)).collect();
    assert!(changed.is_empty() && before.len() == after.len(), "{:?}", changed.first().map(|c| c.0));
    code
}

fn replace(old: &PathBuf, by: &PathBuf) {
    if by.is_dir() {
        fs::remove_dir_all(old).unwrap();
        copy_folder(by, old);
    } else {
        fs::copy(by, old).unwrap();
    }
}

#[test]
fn an_older_ledger_folder_is_a_rollback() {
    let place = Place::new();
    replace(&place.path("l"), &Lived::get().path(When::Earlier).join("l"));
    assert_eq!(refusal(&place, Some(Code::LogDamaged)), Code::LogRollback);
    // The newest copy put back, everything is well.
    replace(&place.path("l"), &Lived::get().path(When::Now).join("l"));
    place.audit("newest copy put back");
}

#[test]
fn an_older_vault_is_a_rollback() {
    let place = Place::new();
    let (vault, earlier) = state(&place, "vault");
    replace(&vault, &earlier);
    assert_eq!(refusal(&place, None), Code::VaultRollback);
    let (vault, _) = state(&place, "vault");
    let id = vault.parent().unwrap().file_name().unwrap().to_owned();
    replace(&vault, &Lived::get().path(When::Now).join("s").join(id).join("vault"));
    place.audit("newest vault put back");
}

#[test]
fn an_older_head_after_an_orderly_close_is_stale() {
    let place = Place::new();
    let (head, earlier) = state(&place, "head");
    replace(&head, &earlier);
    assert_eq!(refusal(&place, Some(Code::HeadStale)), Code::HeadStale);
    // A head that is signed is never overruled.
    assert_eq!(place.repair(Repair::AcceptHead).err().map(|e| e.code()), Some(Code::HeadStale));
}

#[test]
fn a_head_that_is_missing_or_wrong_is_made_anew_on_request_and_said_so() {
    for missing in [true, false] {
        let place = Place::new();
        let (head, _) = state(&place, "head");
        if missing {
            fs::remove_file(&head).unwrap();
        } else {
            let text = fs::read_to_string(&head).unwrap();
            fs::write(&head, text.replacen('\n', "\nx", 1)).unwrap();
        }
        let code = if missing { Code::HeadMissing } else { Code::HeadInvalid };
        assert_eq!(refusal(&place, Some(code)), code);
        let before = place.log();
        assert_eq!(place.repair(Repair::AcceptHead).unwrap(), RepairDone::Head { size: before.len() as u64 });
        let log = place.audit("head accepted");
        assert!(log.starts_with(&before));
        let says = log.iter().find_map(|line| match line.body {
            Body::HeadFileRebuilt { reason, size } => Some((reason, size)),
            _ => None,
        });
        assert_eq!(says, Some((u64::from(!missing), before.len() as u64)));
    }
}

/// Everything gone but the keys and the state: no new ledger is made in its place, and nothing is written there.
#[test]
fn a_ledger_folder_that_vanished_is_missed() {
    let place = Place::new();
    fs::remove_dir_all(place.path("l")).unwrap();
    assert_eq!(refusal(&place, Some(Code::LedgerMissing)), Code::LedgerMissing);
    let made = in_runtime(Ledger::create(place.disk.places(), place.disk.env(), "test", true));
    assert_eq!(made.err().map(|e| e.code()), Some(Code::LedgerMissing));
    assert!(!place.path("l").exists(), "a repair that finds nothing leaves nothing");
}

/// Moved aside is not gone: with the vault missing nothing is read, and no new vault is made.
#[test]
fn a_missing_vault_is_never_made_anew() {
    let place = Place::new();
    let (vault, _) = state(&place, "vault");
    fs::remove_dir_all(&vault).unwrap();
    assert_eq!(refusal(&place, None), Code::VaultMissing);
    assert!(!vault.exists());
}

/// The generation file is the same, byte for byte: only the log can tell that the newest keys are missing.
#[test]
fn an_older_vault_of_the_same_revision_is_a_rollback() {
    // With a hole in it, such as a power cut leaves, the file is no less an older copy.
    for (closed, index, hole) in
        [(true, true, false), (true, false, false), (false, true, false), (false, false, false), (true, true, true)]
    {
        let folder = tempfile::tempdir().unwrap();
        let (root, vault, older) =
            (folder.path(), folder.path().join("state/vault"), folder.path().join("older vault"));
        let line = |n: u64| format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"ping\"}}\n").into_bytes();
        let (places, env) = (|| Places::beneath(root), |seed: u64| environment(seed, SUMMER_MS + seed * 1_000_000));
        let save = async |ledger: &Ledger, n: u64| {
            let saved = save_bytes(ledger, &line(n), ImportOptions::default(), SaveOptions::default()).await;
            saved.unwrap().tape.to_hex()
        };
        let tapes = in_runtime(async {
            let ledger = Ledger::create(places(), env(1), "older", true).await.unwrap();
            let first = save(&ledger, 1).await;
            let behind = save(&ledger, 4).await;
            ledger.close().await.unwrap();
            copy_folder(&vault, &older);
            let ledger = Ledger::open(places(), env(2)).await.unwrap();
            let second = save(&ledger, 2).await;
            if closed {
                ledger.close().await.unwrap();
            } else {
                // Nothing tells the writer to stop in order.
                drop(ledger);
            }
            [first, behind, second]
        });
        let generation = |vault: &Path| fs::read(vault.join("generation")).unwrap();
        assert!(generation(&vault) == generation(&older), "the vault's revision moved");
        if hole {
            zero_first_slot(&vault);
            zero_first_slot(&older);
        }
        let newest = root.join("newest vault");
        copy_folder(&vault, &newest);
        replace(&vault, &older);
        if !index {
            wait_for_lock(root);
            fs::remove_dir_all(root.join("ledger/index")).unwrap();
        }
        let words = format!("closed {closed}, index {index}, hole {hole}");
        let refused = in_runtime(Ledger::open(places(), env(3))).err().map(|e| e.code());
        assert_eq!(refused, Some(Code::VaultRollback), "{words}");
        let bytes = |folder: &Path| every_byte(folder, "").into_values().collect::<Vec<_>>();
        assert!(bytes(&vault) == bytes(&older), "{words}");
        assert!(!root.join("ledger/quarantine").exists(), "{words}");
        replace(&vault, &newest);
        in_runtime(async {
            let ledger = Ledger::open(places(), env(4)).await.unwrap();
            for tape in tapes.iter().skip(usize::from(hole)) {
                ledger.open_tape(&ann(), tape, None).await.unwrap().finish().await.unwrap();
            }
            save(&ledger, 3).await;
            ledger.close().await.unwrap();
        });
    }
}

fn zero_first_slot(vault: &Path) {
    let epoch = fs::read_dir(vault).unwrap().map(|e| e.unwrap().path()).find(|path| !path.ends_with("generation"));
    let epoch = epoch.unwrap();
    let mut bytes = fs::read(&epoch).unwrap();
    bytes[..144].fill(0);
    fs::write(epoch, bytes).unwrap();
}

/// Until the thread of a dropped ledger is done.
fn wait_for_lock(root: &Path) {
    while RealFiles.try_lock(&root.join("state/lock")).unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

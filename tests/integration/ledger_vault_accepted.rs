//! The last resort when the newest keys of the vault are lost: the ledger is opened without them, the log says which tapes
//! were given up, nothing else is lost, and what turns up later is never written over.

use std::fs;
use std::path::{Path, PathBuf};

use immutape::Code;
use immutape::codec::digest::TapeId;
use immutape::error::Error;
use immutape::evidence::{Severity, Verdict};
use immutape::interchange::ImportOptions;
use immutape::ledger::{CheckOptions, FrameSelection, Ledger, Places, Repair, RepairDone, SaveOptions};
use immutape::log::Body;
use immutape::store::files::{Files, RealFiles};
use tempfile::TempDir;

use crate::support::crash::{Base, Machine, NOW_MS, World, copy_folder, copy_rows, every_byte, in_runtime, read_log};
use crate::support::ledgers::{ann, create, open, real, save_bytes};
use crate::support::sim_files::{Effect, Survive};
use crate::support::tamper::forge;

/// A ledger on the disk, and the tapes that its vault lacks by now.
struct Lossy {
    folder: TempDir,
    kept: Vec<TapeId>,
    lost: Vec<TapeId>,
}

fn line(n: u64) -> Vec<u8> {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"ping\"}}\n").into_bytes()
}

async fn save(ledger: &Ledger, n: u64) -> TapeId {
    let saved = save_bytes(ledger, &line(n), ImportOptions::default(), SaveOptions::default()).await.unwrap();
    assert!(!saved.already_kept, "{n}");
    saved.tape
}

async fn reads(ledger: &Ledger, tape: &TapeId) -> Result<(), Error> {
    let reader = ledger.open_tape(&ann(), &tape.to_hex(), None).await?;
    reader.collect(FrameSelection::All)?;
    reader.finish().await.map(|_| ())
}

/// The file of the one epoch.
fn epoch(vault: &Path) -> PathBuf {
    let mut names = fs::read_dir(vault).unwrap().map(|e| e.unwrap().path());
    names.find(|path| path.file_name().is_some_and(|name| name.len() == 32)).unwrap()
}

fn replace(old: &Path, by: &Path) {
    fs::remove_dir_all(old).unwrap();
    copy_folder(by, old);
}

impl Lossy {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Two tapes kept and two lost with an older copy of the state folder, or of its vault; closed in order or not. The
    /// state folder as it was stands beside.
    fn older(part: &str, is_closed: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (root, path) = (folder.path(), |name: &str| folder.path().join(name));
        let (kept, lost) = in_runtime(async {
            let ledger = create(root).await;
            let kept = vec![save(&ledger, 1).await, save(&ledger, 2).await];
            copy_folder(&path(part), &path("older"));
            let lost = vec![save(&ledger, 3).await, save(&ledger, 4).await];
            if is_closed {
                ledger.close().await.unwrap()
            } else {
                drop(ledger)
            }
            (kept, lost)
        });
        wait_for_lock(root);
        copy_folder(&path("state"), &path("newest"));
        replace(&path(part), &path("older"));
        Self { folder, kept, lost }
    }

    /// Three tapes kept; the slot of the fourth made over.
    fn slot(change: impl FnOnce(&mut [u8])) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (kept, lost) = in_runtime(async {
            let ledger = create(folder.path()).await;
            let kept = vec![save(&ledger, 1).await, save(&ledger, 2).await, save(&ledger, 3).await];
            let lost = vec![save(&ledger, 4).await];
            ledger.close().await.unwrap();
            (kept, lost)
        });
        copy_folder(&folder.path().join("state"), &folder.path().join("newest"));
        let path = epoch(&folder.path().join("state/vault"));
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes[3 * 144..4 * 144]);
        fs::write(path, bytes).unwrap();
        Self { folder, kept, lost }
    }

    fn repair(&self, what: Repair) -> Result<RepairDone, Error> {
        in_runtime(Ledger::repair(Places::beneath(self.folder.path()), real(), what, &ann()))
    }

    fn refusal(&self) -> Error {
        in_runtime(open(self.folder.path())).map(|_| ()).unwrap_err()
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        every_byte(self.folder.path(), "index").into_values().collect()
    }

    /// Refused before, accepted, and named: the entries that tell of it.
    fn accept(&self) -> Vec<u64> {
        let refusal = self.refusal();
        assert_eq!(refusal.code(), Code::VaultRollback);
        assert!(refusal.hint().unwrap().contains("immutape repair --accept-vault"), "{refusal:?}");
        let before = epoch(&self.path("state/vault"));
        let RepairDone::Vault { tapes } = self.repair(Repair::AcceptVault).unwrap() else { panic!("not accepted") };
        assert_eq!(tapes.iter().map(|(tape, _)| *tape).collect::<Vec<_>>(), self.lost);
        let epochs = fs::read_dir(self.path("state/vault")).unwrap().count();
        assert_eq!(epochs, 3, "the generation file and two epochs, {before:?} among them");
        assert_eq!(self.repair(Repair::AcceptVault).unwrap(), RepairDone::Nothing);
        tapes.into_iter().map(|(_, entry)| entry).collect()
    }

    /// What the log says of it, by whom and about which tape.
    fn told(&self, entries: &[u64]) {
        in_runtime(async {
            let ledger = open(self.folder.path()).await.unwrap();
            let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
            let told: Vec<_> = log
                .iter()
                .filter_map(|line| match &line.body {
                    Body::IntegrityFailed { what: 8, at, digest: None } => {
                        let saved = log.iter().find(|l| l.index == *at).unwrap();
                        assert!(matches!(saved.body, Body::TapeSaved { .. }) && saved.subject == line.subject);
                        Some(*at)
                    }
                    _ => None,
                })
                .collect();
            assert_eq!(told, entries);
            ledger.close().await.unwrap();
        });
    }

    /// The lost are shown as damaged and named by a check; all else is read, and what is saved from now on too.
    fn outcome(&self) {
        in_runtime(async {
            let ledger = open(self.folder.path()).await.unwrap();
            for tape in &self.kept {
                reads(&ledger, tape).await.unwrap();
            }
            for tape in &self.lost {
                let e = reads(&ledger, tape).await.unwrap_err();
                assert_eq!((e.code(), e.hint().is_some()), (Code::VaultDamaged, true));
            }
            let (report, recorded) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
            recorded.unwrap();
            assert_eq!(report.verdict(), Verdict::Missing);
            let altered = report.findings.iter().filter(|f| f.severity == Severity::Altered);
            let mut named: Vec<_> = altered.map(|f| (f.part, f.tape)).collect();
            named.sort_unstable_by_key(|(_, tape)| self.lost.iter().position(|lost| Some(*lost) == *tape));
            let wanted: Vec<_> = self.lost.iter().map(|tape| ("vault", Some(*tape))).collect();
            assert_eq!(named, wanted, "{report:#?}");
            ledger.close().await.unwrap();
        });
    }

    /// The contents of the lost tapes, saved once more.
    fn again(&self) -> Vec<TapeId> {
        in_runtime(async {
            let ledger = open(self.folder.path()).await.unwrap();
            let mut anew = Vec::new();
            for n in (1..=4).skip(self.kept.len()) {
                anew.push(save(&ledger, n).await);
            }
            for tape in &anew {
                reads(&ledger, tape).await.unwrap();
            }
            ledger.close().await.unwrap();
            anew
        })
    }
}

/// Until the thread of a dropped ledger is done.
fn wait_for_lock(root: &Path) {
    while RealFiles.try_lock(&root.join("state/lock")).unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn an_older_copy_is_accepted_and_said_so() {
    for (part, is_closed) in [("state/vault", true), ("state/vault", false), ("state", false)] {
        for has_rows in [true, false] {
            let lossy = Lossy::older(part, is_closed);
            if !has_rows {
                fs::remove_dir_all(lossy.path("ledger/index")).unwrap();
            }
            let entries = lossy.accept();
            lossy.told(&entries);
            lossy.outcome();
            lossy.again();
        }
    }
}

#[test]
fn a_newest_slot_that_is_gone_is_accepted_and_said_so() {
    let lossy = Lossy::slot(|slot| slot.fill(0));
    let entries = lossy.accept();
    lossy.told(&entries);
    lossy.outcome();
    lossy.again();
}

/// Damage is no older copy: the ledger opens, its epoch takes no more keys, and there is nothing to accept.
#[test]
fn a_newest_slot_that_is_damaged_needs_no_accepting() {
    let lossy = Lossy::slot(|slot| slot[40] ^= 1);
    let before = lossy.bytes();
    assert_eq!(lossy.repair(Repair::AcceptVault).unwrap(), RepairDone::Nothing);
    assert!(lossy.bytes() == before);
    let anew = lossy.again();
    in_runtime(async {
        let ledger = open(lossy.folder.path()).await.unwrap();
        for tape in lossy.kept.iter().chain(&anew) {
            reads(&ledger, tape).await.unwrap();
        }
        assert_eq!(reads(&ledger, &lossy.lost[0]).await.map_err(|e| e.code()), Err(Code::VaultDamaged));
        ledger.close().await.unwrap();
    });
}

#[test]
fn a_vault_that_is_not_behind_is_nothing_to_accept() {
    let lossy = Lossy::older("state/vault", true);
    replace(&lossy.path("state"), &lossy.path("newest"));
    let before = lossy.bytes();
    assert_eq!(lossy.repair(Repair::AcceptVault).unwrap(), RepairDone::Nothing);
    assert!(lossy.bytes() == before, "nothing was written");
}

/// As a whole it is refused by name, for it lacks what was saved since; the file of its epoch has the lost keys and
/// whatever else the accepted one had.
#[test]
fn a_newer_copy_that_turns_up_is_refused_whole_and_its_epoch_is_used() {
    for part in ["state/vault", "state"] {
        let lossy = Lossy::older(part, part == "state/vault");
        lossy.accept();
        let since = in_runtime(async {
            let ledger = open(lossy.folder.path()).await.unwrap();
            let since = save(&ledger, 5).await;
            ledger.close().await.unwrap();
            since
        });
        let (vault, accepted, newest) = (lossy.path("state/vault"), lossy.path("accepted"), lossy.path("newest/vault"));
        copy_folder(&vault, &accepted);
        replace(&vault, &newest);
        let refusal = lossy.refusal();
        assert_eq!(refusal.code(), Code::VaultRollback);
        assert!(refusal.hint().unwrap().contains("the files of epochs alone"), "{refusal:?}");
        let before = lossy.bytes();
        assert_eq!(lossy.repair(Repair::AcceptVault).map_err(|e| e.code()), Err(Code::VaultRollback));
        assert!(lossy.bytes() == before, "nothing was written");

        replace(&vault, &accepted);
        let theirs = epoch(&newest);
        fs::copy(&theirs, vault.join(theirs.file_name().unwrap())).unwrap();
        in_runtime(async {
            let ledger = open(lossy.folder.path()).await.unwrap();
            for tape in lossy.kept.iter().chain(&lossy.lost).chain([&since]) {
                reads(&ledger, tape).await.unwrap();
            }
            let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
            assert!(report.findings.iter().all(|f| f.severity != Severity::Altered), "{report:#?}");
            ledger.close().await.unwrap();
        });
    }
}

/// An older copy of the state folder from before the vault began another epoch and another class came. It is refused, too,
/// and all that was lost is named; the newer copy is behind whatever it had.
#[test]
fn a_vault_that_is_revisions_behind_is_accepted_when_its_head_is_too() {
    for (part, has_rows) in [("state", true), ("state", false), ("state/vault", true)] {
        let folder = tempfile::tempdir().unwrap();
        let (root, path) = (folder.path(), |name: &str| folder.path().join(name));
        let lost = in_runtime(async {
            let ledger = create(root).await;
            save(&ledger, 1).await;
            copy_folder(&path(part), &path("older"));
            let mut lost = Vec::new();
            for n in 2..=258 {
                lost.push(save(&ledger, n).await);
            }
            let other = SaveOptions::default().class("mifid");
            lost.push(save_bytes(&ledger, &line(259), ImportOptions::default(), other).await.unwrap().tape);
            // With an older head all is as after a crash; a newer one names the vault that is gone.
            if part == "state" {
                drop(ledger)
            } else {
                ledger.close().await.unwrap()
            }
            lost
        });
        wait_for_lock(root);
        copy_folder(&path("state"), &path("newest"));
        replace(&path(part), &path("older"));
        let lossy = Lossy { folder, kept: Vec::new(), lost };
        if !has_rows {
            fs::remove_dir_all(lossy.path("ledger/index")).unwrap();
        }
        if part == "state/vault" {
            // The head knows better, and a valid head is never overruled.
            assert_eq!(lossy.refusal().code(), Code::VaultRollback);
            for (what, done) in [(Repair::AcceptVault, Err(Code::VaultRollback)), (Repair::AcceptHead, Ok(true))] {
                let repaired = lossy.repair(what).map(|done| done == RepairDone::Nothing);
                assert_eq!(repaired.map_err(|e| e.code()), done);
            }
            fs::remove_file(lossy.path("state/head")).unwrap();
            assert!(matches!(lossy.repair(Repair::AcceptHead), Ok(RepairDone::Head { .. })));
        }
        let entries = lossy.accept();
        lossy.told(&entries);
        in_runtime(async {
            let ledger = open(lossy.folder.path()).await.unwrap();
            save(&ledger, 300).await;
            ledger.close().await.unwrap();
        });
        replace(&lossy.path("state/vault"), &lossy.path("newest/vault"));
        assert_eq!(lossy.refusal().code(), Code::VaultRollback);
    }
}

/// Saved anew meanwhile, both tapes stand, and the content is known to be kept.
#[test]
fn a_key_that_comes_back_after_its_content_was_saved_again_opens_its_tape() {
    let lossy = Lossy::slot(|slot| slot.fill(0));
    lossy.accept();
    let anew = lossy.again();
    let theirs = epoch(&lossy.path("newest/vault"));
    fs::copy(&theirs, lossy.path("state/vault").join(theirs.file_name().unwrap())).unwrap();
    in_runtime(async {
        let ledger = open(lossy.folder.path()).await.unwrap();
        for tape in lossy.kept.iter().chain(&lossy.lost).chain(&anew) {
            reads(&ledger, tape).await.unwrap();
        }
        let saved = save_bytes(&ledger, &line(4), ImportOptions::default(), SaveOptions::default()).await.unwrap();
        assert!(saved.already_kept);
        ledger.close().await.unwrap();
    });
}

#[test]
fn what_else_is_wrong_with_a_vault_is_not_accepted() {
    let refused = |lossy: &Lossy, code: Code| {
        let before = lossy.bytes();
        assert_eq!(lossy.repair(Repair::AcceptVault).map_err(|e| e.code()), Err(code));
        assert!(lossy.bytes() == before, "{code:?}");
    };
    let lossy = Lossy::older("state/vault", true);
    let vault = lossy.path("state/vault");
    let text = fs::read(vault.join("generation")).unwrap();

    fs::remove_file(vault.join("generation")).unwrap();
    refused(&lossy, Code::VaultMissing);
    let mut damaged = text.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(vault.join("generation"), damaged).unwrap();
    refused(&lossy, Code::VaultDamaged);
    fs::write(vault.join("generation"), &text).unwrap();

    let head = lossy.path("state/head");
    let signed = fs::read(&head).unwrap();
    fs::write(&head, &signed[..100]).unwrap();
    refused(&lossy, Code::HeadInvalid);
    fs::write(&head, &signed).unwrap();

    fs::rename(lossy.path("ledger/journal"), lossy.path("journal")).unwrap();
    refused(&lossy, Code::LogDamaged);
    fs::rename(lossy.path("journal"), lossy.path("ledger/journal")).unwrap();
    lossy.accept();
}

/// One after the other, and each on record: the head is told of although the vault keeps everybody else out.
#[test]
fn a_lost_head_is_accepted_before_the_vault() {
    let lossy = Lossy::older("state/vault", true);
    fs::remove_file(lossy.path("state/head")).unwrap();
    assert_eq!(lossy.repair(Repair::AcceptVault).map_err(|e| e.code()), Err(Code::HeadMissing));
    assert!(matches!(lossy.repair(Repair::AcceptHead), Ok(RepairDone::Head { .. })));
    let entries = lossy.accept();
    lossy.told(&entries);
    in_runtime(async {
        let ledger = open(lossy.folder.path()).await.unwrap();
        let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
        assert_eq!(log.iter().filter(|line| matches!(line.body, Body::HeadFileRebuilt { .. })).count(), 1);
        ledger.close().await.unwrap();
    });
    lossy.outcome();
}

#[test]
fn the_policy_is_asked_and_the_turn_waited_for() {
    let lossy = Lossy::slot(|slot| slot.fill(0));
    let held = RealFiles.try_lock(&lossy.path("state/lock")).unwrap().unwrap();
    assert_eq!(lossy.repair(Repair::AcceptVault).map_err(|e| e.code()), Err(Code::Locked));
    drop(held);

    replace(&lossy.path("state"), &lossy.path("newest"));
    forge::policy_of_a_later_version(lossy.folder.path());
    let path = epoch(&lossy.path("state/vault"));
    let mut bytes = fs::read(&path).unwrap();
    bytes[3 * 144..4 * 144].fill(0);
    fs::write(path, bytes).unwrap();
    let before = lossy.bytes();
    assert_eq!(lossy.repair(Repair::AcceptVault).map_err(|e| e.code()), Err(Code::NotPermitted));
    assert!(lossy.bytes() == before);
    assert_eq!(lossy.refusal().code(), Code::VaultRollback);
}

/// Every operation of it is the machine's last: what is left is still refused, or the log tells why it opens.
#[test]
fn no_crash_leaves_a_vault_accepted_and_nothing_said() {
    let base = Base::with_tapes(3);
    let machine = |seed| {
        let (world, _) = base.machine(seed);
        let vault = world.state_path("vault").unwrap();
        let names = Files::list(&world.sim, &vault).unwrap();
        let epoch = names.iter().find(|entry| entry.name.len() == 32).unwrap();
        world.sim.edit(vault.join(&epoch.name), |bytes| bytes[2 * 144..3 * 144].fill(0));
        world
    };
    let repair = |world: &World| in_runtime(Ledger::repair(world.places(), world.env(), Repair::AcceptVault, &ann()));
    let accepted = |world: &World| {
        let log = read_log(&world.env(), &World::folders().ledger).unwrap();
        log.iter().filter(|line| matches!(line.body, Body::IntegrityFailed { what: 8, .. })).count()
    };
    let world = machine(1);
    world.stage("accept");
    assert!(matches!(repair(&world), Ok(RepairDone::Vault { .. })));
    let points: Vec<_> = world.sim.operations().into_iter().filter(|o| o.stage == "accept").collect();
    assert!(points.len() >= 10, "{points:#?}");

    let (mut refused, mut opened) = (0, 0);
    for (n, point) in points.iter().enumerate() {
        for effect in [Effect::With, Effect::Without] {
            let world = machine(point.number);
            world.sim.stop_at(point.number, effect);
            repair(&world).unwrap_err();
            let survive = if n % 2 == 0 { Survive::Nothing } else { Survive::Random(point.number) };
            let left = World::on(world.sim.crash_image(survive), copy_rows(&*world.rows), 9, NOW_MS + 3_600_000);
            let words = format!("{point:?} {effect:?}");
            match in_runtime(Ledger::open(left.places(), left.env())) {
                Err(e) => {
                    assert_eq!(e.code(), Code::VaultRollback, "{words}");
                    assert!(matches!(repair(&left), Ok(RepairDone::Vault { .. })), "{words}");
                    refused += 1;
                }
                Ok(ledger) => {
                    in_runtime(ledger.close()).unwrap();
                    opened += 1;
                }
            }
            assert!(accepted(&left) >= 1, "{words}");
            assert_eq!(repair(&left).unwrap(), RepairDone::Nothing, "{words}");
            assert!(in_runtime(Ledger::open(left.places(), left.env())).is_ok(), "{words}");
        }
    }
    println!("{refused} refused, {opened} opened");
    assert!(refused > 5 && opened > 5, "{refused} refused, {opened} opened");
}

//! Keys that are replaced and revoked: what each signed stays good or counts no more, whatever a crash takes.

use std::path::{Path, PathBuf};

use immutape::Code;
use immutape::codec::cbor::encode;
use immutape::evidence::{Report, Severity, Verdict};
use immutape::keyring::{LocalSigner, OsRandom, read_signer};
use immutape::ledger::{
    CheckOptions, Checker, KeyChange, KeyChanged, Ledger, Places, Repair, RevocationReason, RevokeKey, SaveReceipt,
};
use immutape::log::{Body, Checkpoint, CriticalBody, HeadKeys as _, KeyRole, LogError};
use immutape::seal::Signer as _;
use immutape::store::files::RealFiles;

use crate::heads::{cosigned, grow, with_policy};
use crate::support::crash::{Base, Machine as _, NOW_MS, World, copy_folder, copy_rows, in_runtime};
use crate::support::ledgers::{ann, create, open, real, save_tape};
use crate::support::sim_files::{Effect, Survive};

const fn replaced(role: KeyRole) -> KeyChange {
    KeyChange { role, key: None, revoke: None }
}

const fn revoked(role: KeyRole, from: Option<u64>) -> KeyChange {
    let revoke = RevokeKey { thumbprint: None, from, reason: RevocationReason::Compromised };
    KeyChange { role, key: None, revoke: Some(revoke) }
}

async fn change(folder: &Path, change: KeyChange) -> immutape::Result<KeyChanged> {
    open(folder).await.unwrap().change_key(&ann(), change).await
}

fn check(folder: &Path) -> Report {
    Checker::open(&Places::beneath(folder), &real()).unwrap().run(&CheckOptions::default())
}

fn config(folder: &Path) -> PathBuf {
    folder.join("config")
}

async fn save(folder: &Path, name: &str) -> SaveReceipt {
    let ledger = open(folder).await.unwrap();
    let saved = save_tape(&ledger, name).await.unwrap();
    ledger.close().await.unwrap();
    saved
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_is_replaced_by_the_one_that_was_named_and_what_it_signed_stays_good() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let ledger = create(home).await;
    let mut tapes = vec![save_tape(&ledger, "sqlite-claims").await.unwrap().tape];
    let before = ledger.release_head().await.unwrap();
    ledger.close().await.unwrap();
    let old: Vec<_> = ["checkpoint", "recorder", "issuer"]
        .map(|n| std::fs::read(config(home).join(format!("{n}.pem"))).unwrap())
        .into();
    for (n, role) in KeyRole::ALL.into_iter().enumerate() {
        let next =
            read_signer(&RealFiles, &config(home).join("next").join(format!("{role}.pem"))).unwrap().public_key();
        let changed = change(home, replaced(role)).await.unwrap();
        assert_eq!(changed.keys.in_force(role).unwrap().key, next, "{role}");
        assert_eq!((changed.revoked_as, changed.waits_for_witnesses), (None, false));
        assert_eq!(changed.keys.in_force(role).unwrap().since, changed.rotated_as.unwrap());
        let now = std::fs::read(config(home).join(format!("{role}.pem"))).unwrap();
        assert_ne!(now, old[n], "the old {role} key is gone");
        tapes.push(save(home, ["everything-stdio", "git-policies", "sqlite-crash"][n]).await.tape);
    }
    let names: Vec<_> = names(&config(home));
    assert_eq!(names, ["checkpoint.pem", "issuer.pem", "next", "recorder.pem", "vault-root.1.key"]);
    let report = check(home);
    assert_eq!((report.verdict(), report.findings.len()), (Verdict::Intact, 0), "{:?}", report.findings);
    let ledger = open(home).await.unwrap();
    assert_eq!(Checkpoint::from_note(&before.note, ledger.keys()), Ok(before.checkpoint.clone()));
    let after = ledger.release_head().await.unwrap();
    assert_eq!(Checkpoint::from_note(&after.note, &ledger.keys().head_keys()[0]), Err(LogError::Unsigned));
    assert_eq!(Checkpoint::from_note(&after.note, ledger.checkpoint_key()), Ok(after.checkpoint));
    // A tape by the first recorder's key and one by the second are read alike.
    let mut readers = Vec::new();
    for tape in tapes {
        readers.push(ledger.open_tape(&ann(), &tape.to_hex(), None).await.unwrap());
    }
    assert_eq!(readers.len(), 4);
    ledger.close_with(readers).await.unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The file of known keys only saves a walk: without it, with an older or a damaged one the log says the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_of_known_keys_is_made_anew_from_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    create(home).await.close().await.unwrap();
    change(home, replaced(KeyRole::Recorder)).await.unwrap();
    let file = home.join("state/keys");
    let older = std::fs::read(&file).unwrap();
    change(home, replaced(KeyRole::Checkpoint)).await.unwrap();
    save(home, "sqlite-crash").await;
    let whole = std::fs::read(&file).unwrap();
    assert!(whole.starts_with(&older) && whole.len() > older.len());
    let mut flipped = whole.clone();
    flipped[40] ^= 1;
    for (what, bytes) in
        [("gone", None), ("older", Some(older)), ("damaged", Some(flipped)), ("cut", Some(whole[..9].to_vec()))]
    {
        match &bytes {
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let report = check(home);
        assert_eq!(report.verdict(), Verdict::Intact, "{what}: {:?}", report.findings);
        let ledger = open(home).await.unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(ledger.keys().events().len(), 2, "{what}");
        grow(&ledger, 1).await;
        ledger.close().await.unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), whole, "{what}");
    }
}

/// Neither a file that is gone nor one of before a rotation shuts anybody out, also where the head does not tell them apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_file_of_known_keys_shuts_nobody_out() {
    for (with_next, with_head) in [(true, true), (false, true), (true, false)] {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path();
        create(home).await.close().await.unwrap();
        change(home, replaced(KeyRole::Recorder)).await.unwrap();
        if !with_next {
            std::fs::remove_dir_all(config(home).join("next")).unwrap();
        }
        std::fs::remove_file(home.join("state/keys")).unwrap();
        if !with_head {
            change(home, replaced(KeyRole::Checkpoint)).await.unwrap();
            std::fs::remove_file(home.join("state/keys")).unwrap();
            std::fs::remove_file(home.join("state/head")).unwrap();
            assert_eq!(open(home).await.err().unwrap().code(), Code::HeadMissing);
            Ledger::repair(Places::beneath(home), real(), Repair::AcceptHead, &ann()).await.unwrap();
        }
        save(home, "sqlite-crash").await;
        let report = check(home);
        assert_eq!(report.verdict(), Verdict::Intact, "{:?}", report.findings);
        assert!(home.join("state/keys").exists());
    }
}

/// What lies where the next key will go is looked at before the entry, not after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_file_in_the_place_of_the_next_key_is_refused_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    create(home).await.close().await.unwrap();
    let (next, away) = (config(home).join("next/recorder.pem"), home.join("away.pem"));
    std::fs::rename(&next, &away).unwrap();
    let with =
        |path: &Path| KeyChange { key: Some(read_signer(&RealFiles, path).unwrap()), ..replaced(KeyRole::Recorder) };
    std::fs::copy(config(home).join("next/issuer.pem"), &next).unwrap();
    assert_eq!(change(home, with(&away)).await.unwrap_err().code(), Code::KeyForeign);
    std::fs::write(&next, "no key").unwrap();
    assert_eq!(change(home, with(&away)).await.unwrap_err().code(), Code::KeyMalformed);
    assert!(open(home).await.unwrap().keys().events().is_empty());
    std::fs::remove_file(&next).unwrap();
    change(home, with(&away)).await.unwrap();
    save(home, "sqlite-crash").await;
    assert_eq!(check(home).verdict(), Verdict::Intact);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_from_before_a_rotation_is_a_rollback() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    create(home).await.close().await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_folder(home, copy.path());
    change(home, replaced(KeyRole::Recorder)).await.unwrap();
    for part in ["ledger", "state"] {
        std::fs::remove_dir_all(home.join(part)).unwrap();
        copy_folder(&copy.path().join(part), &home.join(part));
    }
    let refused = open(home).await.err().unwrap();
    assert_eq!(refused.code(), Code::LogRollback, "{refused}");
    assert!(refused.message().contains("before a rotation"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_follow_is_refused_and_leaves_the_ledger_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    create(home).await.close().await.unwrap();
    let next = config(home).join("next/recorder.pem");
    let away = home.join("kept-elsewhere.pem");
    let stranger = || LocalSigner::generate(&OsRandom).unwrap();
    let with = |key| KeyChange { key: Some(key), ..replaced(KeyRole::Recorder) };
    let never = RevokeKey {
        thumbprint: Some(stranger().public_key().thumbprint()),
        from: None,
        reason: RevocationReason::Retired,
    };
    assert_eq!(change(home, with(stranger())).await.unwrap_err().code(), Code::KeyForeign);
    // The key of another role is none of this one.
    let other = read_signer(&RealFiles, &config(home).join("next/issuer.pem")).unwrap();
    assert_eq!(change(home, with(other)).await.unwrap_err().code(), Code::KeyForeign);
    let unknown = KeyChange { revoke: Some(never), ..replaced(KeyRole::Recorder) };
    assert_eq!(change(home, unknown).await.unwrap_err().code(), Code::Usage);
    assert_eq!(change(home, revoked(KeyRole::Recorder, Some(1 << 40))).await.unwrap_err().code(), Code::Usage);
    std::fs::rename(&next, &away).unwrap();
    // What the refused try had made ready is the named key, and is used.
    let ready = config(home).join("recorder.pem.new");
    assert!(ready.exists());
    std::fs::remove_file(&ready).unwrap();
    assert_eq!(change(home, replaced(KeyRole::Recorder)).await.unwrap_err().code(), Code::KeyMissing);
    let report = check(home);
    assert_eq!((report.verdict(), report.findings.len()), (Verdict::Intact, 0), "{:?}", report.findings);
    assert!(open(home).await.unwrap().keys().events().is_empty());
    let key = read_signer(&RealFiles, &away).unwrap();
    let changed = change(home, with(key)).await.unwrap();
    assert_eq!(changed.keys.events().len(), 1);
    save(home, "sqlite-crash").await;
    assert_eq!(check(home).verdict(), Verdict::Intact);
}

/// Of what a revoked key signed counts what a witness held before, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_counts_for_what_was_anchored_before() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let ledger = with_policy(create(home).await, home).await;
    // Nobody has confirmed it: no head may be signed, so no key may change.
    let refused = ledger.change_key(&ann(), replaced(KeyRole::Recorder)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotConfirmed);
    let ledger = open(home).await.unwrap();
    ledger.confirm(None).await.unwrap();
    let first = save_tape(&ledger, "sqlite-claims").await.unwrap();
    let head = ledger.release_head().await.unwrap();
    ledger.keep_anchor(&cosigned(&head.note, 1_700_000_000)).await.unwrap();
    let second = save_tape(&ledger, "sqlite-crash").await.unwrap();
    let changed = ledger.change_key(&ann(), revoked(KeyRole::Recorder, None)).await.unwrap();
    let term = changed.keys.terms(KeyRole::Recorder)[0];
    let end = term.revoked.unwrap();
    assert_eq!((Some(end.at), term.until), (changed.revoked_as, changed.rotated_as));
    assert!(first.entry < head.checkpoint.size && head.checkpoint.size <= second.entry && second.entry < end.from);
    let statements = |report: &Report| {
        let of = report.findings.iter().filter(|finding| finding.part == "statement");
        of.map(|finding| (finding.severity, finding.entry.unwrap())).collect::<Vec<_>>()
    };
    let report = check(home);
    assert_eq!(statements(&report), [(Severity::Gap, second.entry)]);
    assert_eq!(report.verdict(), Verdict::IntactWithGaps, "{:?}", report.findings);
    // It was found later that the key was stolen before the second tape was saved, and then before the first.
    let again = |from| RevokeKey {
        thumbprint: Some(term.key.thumbprint()),
        from: Some(from),
        reason: RevocationReason::Compromised,
    };
    for (from, found) in [
        (second.entry, vec![(Severity::Altered, second.entry)]),
        (first.entry, vec![(Severity::Altered, first.entry), (Severity::Altered, second.entry)]),
    ] {
        let ledger = open(home).await.unwrap();
        ledger.confirm(None).await.unwrap();
        let back = KeyChange { role: KeyRole::Recorder, key: None, revoke: Some(again(from)) };
        let changed = ledger.change_key(&ann(), back).await.unwrap();
        assert_eq!(changed.rotated_as, None);
        let report = check(home);
        let mut statements = statements(&report);
        statements.sort_by_key(|(_, entry)| *entry);
        assert_eq!((statements, report.verdict()), (found, Verdict::Altered));
    }
}

/// A head that the thief of a key may have signed is no reason to stay away from the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_by_a_key_that_was_revoked_later_proves_nothing_and_shuts_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let ledger = with_policy(create(home).await, home).await;
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 3).await;
    let early = ledger.release_head().await.unwrap();
    ledger.keep_anchor(&cosigned(&early.note, 1_700_000_000)).await.unwrap();
    grow(&ledger, 3).await;
    let late = ledger.release_head().await.unwrap();
    let late_at = ledger.keep_anchor(&cosigned(&late.note, 1_700_000_001)).await.unwrap();
    let from = early.checkpoint.size;
    ledger.change_key(&ann(), revoked(KeyRole::Checkpoint, Some(from))).await.unwrap();
    let ledger = open(home).await.unwrap();
    assert_eq!(ledger.newest_anchor().unwrap(), None);
    let fault = Checkpoint::from_note(&late.note, ledger.keys()).unwrap_err();
    assert!(matches!(fault, LogError::Revoked { from: of, at } if of == from && at > late_at), "{fault}");
    ledger.confirm(None).await.unwrap();
    ledger.close().await.unwrap();
    let report = check(home);
    let found: Vec<_> = report.findings.iter().map(|f| (f.severity, f.part, f.entry)).collect();
    // And so nobody vouches for the log any more.
    let expected = [(Severity::Gap, "anchors", Some(late_at)), (Severity::Gap, "anchors", None)];
    assert_eq!((found.as_slice(), report.verdict()), (&expected[..], Verdict::NotAnchored), "{:?}", report.findings);
}

/// The file of known keys cannot revoke: what it says past the end of the log counts for rotations alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_that_only_the_file_knows_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    create(home).await.close().await.unwrap();
    save(home, "sqlite-crash").await;
    let changed = change(home, replaced(KeyRole::Recorder)).await.unwrap();
    let (thumbprint, file) = (changed.keys.terms(KeyRole::Recorder)[0].key.thumbprint(), home.join("state/keys"));
    let body = CriticalBody::Revoked { role: KeyRole::Recorder, thumbprint, from: 1, reason: 1 };
    let mut forged = std::fs::read(&file).unwrap();
    forged.extend(encode(|w| {
        w.array(3);
        w.uint(1_000_000_000);
        w.uint(32_770);
        w.raw(&Body::Critical(body.clone()).encode());
    }));
    std::fs::write(&file, forged).unwrap();
    let report = check(home);
    assert_eq!((report.verdict(), report.findings.len()), (Verdict::Intact, 0), "{:?}", report.findings);
    assert_eq!(open(home).await.unwrap().keys().events().len(), 1);
}

/// Both keys sign until a quorum has seen them on one head, and then the old one is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_head_key_signs_beside_its_successor_until_a_quorum_saw_both() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let ledger = with_policy(create(home).await, home).await;
    ledger.confirm(None).await.unwrap();
    let changed = ledger.change_key(&ann(), replaced(KeyRole::Checkpoint)).await.unwrap();
    assert!(changed.waits_for_witnesses);
    // Not again before they have seen both.
    let ledger = open(home).await.unwrap();
    ledger.confirm(None).await.unwrap();
    let again = ledger.change_key(&ann(), replaced(KeyRole::Checkpoint)).await.unwrap_err();
    assert!(again.code() == Code::NotConfirmed && again.message().contains("replaced before"), "{again}");
    let old = config(home).join("checkpoint.pem.old");
    assert!(old.exists());
    let ledger = open(home).await.unwrap();
    assert_eq!(ledger.release_head_for_witnesses().await.unwrap_err().code(), Code::NotConfirmed);
    ledger.confirm(None).await.unwrap();
    let keys = ledger.keys().head_keys().to_vec();
    let [before, now] = keys.as_slice() else { panic!("two keys") };
    let alone = ledger.release_head().await.unwrap();
    assert_eq!(Checkpoint::from_note(&alone.note, before), Err(LogError::Unsigned), "for time-stamps: one line");
    let both = ledger.release_head_for_witnesses().await.unwrap();
    for key in [before, now] {
        assert_eq!(Checkpoint::from_note(&both.note, key).map(|head| head.size), Ok(both.checkpoint.size));
    }
    ledger.keep_anchor(&cosigned(&both.note, 1_700_000_000)).await.unwrap();
    assert!(!old.exists(), "a quorum saw both");
    assert_eq!(ledger.newest_anchor().unwrap().unwrap().checkpoint, both.checkpoint);
    ledger.close().await.unwrap();
    let ledger = open(home).await.unwrap();
    ledger.confirm(Some(both.note.clone())).await.unwrap();
    let later = ledger.release_head_for_witnesses().await.unwrap();
    assert_eq!(Checkpoint::from_note(&later.note, before), Err(LogError::Unsigned));
    assert_eq!(ledger.keys().origin(), ledger.checkpoint_key().name());
    ledger.close().await.unwrap();
    let report = check(home);
    assert_eq!((report.verdict(), report.findings.len()), (Verdict::Intact, 0), "{:?}", report.findings);
}

/// A stolen key of before signs a head of its own: nobody takes it for one of this log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_replaced_signs_no_later_head() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    create(home).await.close().await.unwrap();
    let stolen = read_signer(&RealFiles, &config(home).join("checkpoint.pem")).unwrap();
    change(home, replaced(KeyRole::Checkpoint)).await.unwrap();
    let head = std::fs::read_to_string(home.join("state/head")).unwrap();
    let sign = |text: &str, origin: &str| immutape::log::SignedNote::sign(text, origin, &stolen).unwrap();
    let (first, second) = immutape::log::HeadFile::split(&head).unwrap();
    let origin = first.lines().next().unwrap().to_owned();
    let text = |note: &str| note.rsplit_once("\n\n").unwrap().0.to_owned() + "\n";
    let forged = format!("{}{}", sign(&text(first), &origin), sign(&text(second), &origin));
    std::fs::write(home.join("state/head"), &forged).unwrap();
    assert_eq!(open(home).await.err().unwrap().code(), Code::HeadInvalid);
    let report = check(home);
    assert_eq!(report.verdict(), Verdict::Altered);
    assert!(
        report.findings.iter().any(|f| f.part == "head" && f.severity == Severity::Altered),
        "{:?}",
        report.findings
    );
    std::fs::write(home.join("state/head"), &head).unwrap();
    assert_eq!(check(home).verdict(), Verdict::Intact);
}

/// The machine stops at every operation of a rotation, with every kind of loss: the next opening has the old keys or the new
/// ones, whole, and goes on.
#[test]
fn a_rotation_survives_a_stop_at_every_operation() {
    let base = Base::with_tapes(1);
    let (mut stops, mut replaced_by_then, mut renamed_later) = (0u64, 0u64, 0u64);
    for role in [KeyRole::Checkpoint, KeyRole::Recorder] {
        for effect in [Effect::With, Effect::Without] {
            for number in 0.. {
                let (world, _) = base.machine(5);
                let first = world.sim.next_operation();
                world.sim.stop_at(first + number, effect);
                let outcome = in_runtime(async {
                    let ledger = Ledger::open(world.places(), world.env()).await?;
                    ledger.change_key(&ann(), revoked(role, None)).await
                });
                if !world.sim.has_stopped() {
                    assert!(outcome.is_ok());
                    break;
                }
                assert_eq!(world.sim.faults_made(), 1);
                stops += 1;
                for survive in [Survive::Nothing, Survive::Everything, Survive::Random(number)] {
                    let image = World::on(world.sim.crash_image(survive), copy_rows(&*world.rows), 6, NOW_MS + 60_000);
                    let waits = waits(&image, role);
                    let events = in_runtime(go_on(&image));
                    assert!(events == 0 || events == 2, "both entries or none: {events}");
                    assert!(outcome.is_err() || events == 2, "what was answered is there");
                    replaced_by_then += u64::from(events == 2);
                    renamed_later += u64::from(events == 2 && waits);
                }
            }
        }
    }
    assert!(stops > 60 && replaced_by_then > 30 && renamed_later > 5, "{stops} {replaced_by_then} {renamed_later}");
}

/// Does the key that follows still wait beside its place?
fn waits(world: &World, role: KeyRole) -> bool {
    let files = world.sim.shared();
    let folders = files.list(Path::new("c")).unwrap();
    let name = format!("{role}.pem.new");
    folders.iter().any(|folder| files.exists(&Path::new("c").join(&folder.name).join(&name)).unwrap())
}

/// Opens what a crash left, saves a tape, closes, and checks everything; how many entries changed keys.
async fn go_on(world: &World) -> usize {
    let ledger = Ledger::open(world.places(), world.env()).await.unwrap();
    let events = ledger.keys().events().len();
    save_tape(&ledger, "sqlite-crash").await.unwrap();
    ledger.close().await.unwrap();
    let checker = Checker::open(&world.places(), &world.env()).unwrap();
    let report = checker.run(&CheckOptions::default());
    let harm: Vec<_> = report.findings.iter().filter(|f| f.severity == Severity::Altered).collect();
    assert!(harm.is_empty(), "{harm:?}");
    assert!(checker.key_files().iter().all(|key| key.state == immutape::keyring::KeyFileState::Here));
    let again = Ledger::open(world.places(), world.env()).await.unwrap();
    assert_eq!(again.keys().events().len(), events);
    again.close().await.unwrap();
    events
}

/// A full disk at every operation: refused with its code, nothing lost, and done when there is room.
#[test]
fn a_rotation_on_a_full_disk_is_refused_whole() {
    let base = Base::with_tapes(1);
    let mut refused = 0;
    for number in 0.. {
        let (world, _) = base.machine(7);
        world.sim.fail_at(world.sim.next_operation() + number, std::io::ErrorKind::StorageFull, Effect::Without);
        let outcome = in_runtime(async {
            let ledger = Ledger::open(world.places(), world.env()).await?;
            ledger.change_key(&ann(), replaced(KeyRole::Checkpoint)).await
        });
        if world.sim.faults_made() == 0 {
            assert!(outcome.is_ok());
            break;
        }
        refused += u64::from(outcome.is_err());
        let after = World::on(world.sim.crash_image(Survive::Everything), copy_rows(&*world.rows), 8, NOW_MS + 60_000);
        let events = in_runtime(go_on(&after));
        assert!(outcome.is_err() || events == 1);
    }
    assert!(refused > 5, "{refused}");
}

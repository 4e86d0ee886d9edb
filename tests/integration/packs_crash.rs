//! Packs on a machine that stops at every operation, and what a power cut leaves of them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests; a panic is their verdict"
)]

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use immutape::codec::digest::Digest;
use immutape::error::{Code, Result};
use immutape::store::conformance::objects::noise;
use immutape::store::contracts::Listed;
use immutape::store::embedded::packs::Packs;
use immutape::store::{Hint, NewObject, ObjectRef, Objects, Protection, ProtectionMode};

use crate::support::sim_files::{Effect, Kind, SimFiles, Survive};

const RAISED: Protection = Protection { mode: ProtectionMode::Retained, until_ms: 7 };
const FOLDER: &str = "ledger/packs";

fn machine() -> SimFiles {
    let files = SimFiles::new();
    let all = files.shared();
    all.create_dir_all("ledger".as_ref()).unwrap();
    all.sync_dir(".".as_ref()).unwrap();
    files
}

fn open(files: &SimFiles) -> Result<Packs> {
    Packs::open(files.shared(), PathBuf::from(FOLDER), Digest::from_bytes([7; 32]))
}

/// What was acknowledged: the sync after it returned.
#[derive(Debug, Clone, Default)]
struct Acknowledged {
    objects: Vec<(ObjectRef, Vec<u8>)>,
    raised: Vec<ObjectRef>,
}

/// Three runs that save small, equal, large and empty objects and raise a protection. Ends at the first error.
fn history(files: &SimFiles, done: &mut Acknowledged) -> Result<()> {
    let saves: [&[&[usize]]; 3] =
        [&[&[700, 1_500], &[0, 40_000, 333]], &[&[20_000, 90], &[300_000, 10]], &[&[512, 448], &[5_000]]];
    for (run, groups) in saves.iter().enumerate() {
        let store = open(files)?;
        for (group, lengths) in groups.iter().enumerate() {
            let mut saved = Vec::new();
            for (n, length) in lengths.iter().enumerate() {
                let body = noise((run * 100 + group * 10 + n) as u64, *length);
                saved.push((store.put(NewObject::of(&body), Protection::WORM)?, body));
            }
            let raised = done.objects.first().map(|(object, _)| *object);
            if let Some(object) = raised {
                store.protect(&object, RAISED)?;
            }
            store.sync()?;
            done.objects.extend(saved);
            done.raised = raised.into_iter().collect();
        }
        // Stored, never synced: nobody was told.
        let orphan = noise(9_000 + run as u64, 600);
        store.put(NewObject::of(&orphan), Protection::WORM)?;
    }
    Ok(())
}

/// Everything acknowledged is there, and nothing an honest crash leaves is called damage.
fn check(files: &SimFiles, done: &Acknowledged, when: &str) {
    let store = open(files).unwrap();
    for (object, body) in &done.objects {
        for hint in [object.hint, Hint::default()] {
            let found = store.get(&ObjectRef { hint, ..*object });
            assert!(found.as_ref().is_ok_and(|found| found == body), "{when}: {object:?}: {found:?}");
        }
    }
    let mut protections = Vec::new();
    store
        .list(&mut |found| {
            match found {
                Listed::Object(object, protection) => protections.push((object.digest, protection)),
                Listed::Damaged { place, reason } => {
                    assert!(reason.starts_with("unused bytes"), "{when}: {place}: {reason}");
                }
            }
            Ok(())
        })
        .unwrap();
    for object in &done.raised {
        assert!(protections.contains(&(object.digest, RAISED)), "{when}: a protection is gone");
    }
    for (object, _) in &done.objects {
        assert_eq!(protections.iter().filter(|(digest, _)| *digest == object.digest).count(), 1, "{when}");
    }
}

/// The next run stores behind whatever is there, and that survives the next power cut too.
fn check_goes_on(files: &SimFiles, done: &Acknowledged, when: &str) {
    let mut done = done.clone();
    for n in 0..2 {
        let store = open(files).unwrap();
        let body = noise(50_000 + n, 900);
        let object = store.put(NewObject::of(&body), Protection::WORM).unwrap();
        store.sync().unwrap();
        done.objects.push((object, body));
    }
    check(&files.crash_image(Survive::Nothing), &done, when);
    check(files, &done, when);
}

fn survivals(seed: u64) -> Vec<Survive> {
    let mut all = vec![Survive::Nothing, Survive::Everything, Survive::First(1), Survive::First(3)];
    all.extend((0..6).map(|n| Survive::Random(seed * 6 + n)));
    all.extend([1, 63, 64, 300, 512].map(Survive::LastWriteFirstBytes));
    all.extend([0b01, 0b10, 0b101, 0b1110].map(Survive::LastWriteSectors));
    all
}

#[test]
fn acknowledged_objects_survive_a_stop_at_every_operation() {
    let whole = machine();
    let mut done = Acknowledged::default();
    history(&whole, &mut done).unwrap();
    check(&whole, &done, "no fault");
    assert_eq!(done.objects.len(), 12);
    let count = whole.next_operation();
    let (mut images, mut lost_something) = (0, 0);
    for number in 2..count {
        for effect in [Effect::Without, Effect::With, Effect::FirstBytes(64), Effect::FirstBytes(513)] {
            let files = machine();
            files.stop_at(number, effect);
            let mut done = Acknowledged::default();
            assert!(history(&files, &mut done).is_err());
            assert_eq!((files.faults_made(), files.has_stopped()), (1, true));
            lost_something += u64::from(done.objects.len() < 12);
            for survive in survivals(number) {
                let when = format!("stop at {number} {effect:?}, {survive:?}");
                let image = files.crash_image(survive);
                check(&image, &done, &when);
                check_goes_on(&image, &done, &when);
                images += 1;
            }
        }
    }
    assert!(images > 1_000 && lost_something > 100, "{images} images, {lost_something} stops before the end");
}

#[test]
fn crash_after_a_crash_loses_nothing_either() {
    let count = {
        let files = machine();
        history(&files, &mut Acknowledged::default()).unwrap();
        files.next_operation()
    };
    let mut second_stops = 0;
    for first in (2..count).step_by(3) {
        let files = machine();
        files.stop_at(first, Effect::FirstBytes(200));
        let mut done = Acknowledged::default();
        assert!(history(&files, &mut done).is_err());
        for (survive, second) in
            [(Survive::Random(first), 0), (Survive::Everything, 2), (Survive::Random(first + 1), 5)]
        {
            let image = files.crash_image(survive);
            let mut done = done.clone();
            image.stop_at(second + first % 7, Effect::With);
            second_stops += u64::from(history(&image, &mut done).is_err());
            for survive in [Survive::Nothing, Survive::Everything, Survive::Random(first * 3)] {
                let last = image.crash_image(survive);
                let when = format!("stops at {first} and then {second}, {survive:?}");
                check(&last, &done, &when);
                check_goes_on(&last, &done, &when);
            }
        }
    }
    assert!(second_stops > 20, "{second_stops}");
}

#[test]
fn kill_without_power_cut_and_a_power_cut_in_the_next_run() {
    for unsynced in 0..4 {
        let files = machine();
        let killed = open(&files).unwrap();
        for n in 0..unsynced {
            killed.put(NewObject::of(&noise(n, 600)), Protection::WORM).unwrap();
        }
        drop(killed);
        // The name of the pack and everything in it is only in memory; this run builds on it.
        let store = open(&files).unwrap();
        let body = noise(99, 700);
        let object = store.put(NewObject::of(&body), Protection::WORM).unwrap();
        store.sync().unwrap();
        let done = Acknowledged { objects: vec![(object, body)], raised: Vec::new() };
        check(&files.crash_image(Survive::Nothing), &done, &format!("{unsynced} before"));
    }
}

#[test]
fn failed_sync_leaves_clean_looking_pages_that_the_next_run_survives() {
    let count = {
        let files = machine();
        history(&files, &mut Acknowledged::default()).unwrap();
        files.operations()
    };
    let syncs: Vec<u64> =
        count.iter().filter(|op| matches!(op.kind, Kind::Sync | Kind::SyncDir)).map(|op| op.number).skip(1).collect();
    assert!(syncs.len() >= 8, "{syncs:?}");
    for number in syncs {
        let files = machine();
        files.fail_at(number, ErrorKind::Other, Effect::Without);
        let mut done = Acknowledged::default();
        assert_eq!(history(&files, &mut done).unwrap_err().code(), Code::Broken);
        assert_eq!(files.faults_made(), 1);
        // What the failed sync covered is still seen; nobody was told of it.
        check_goes_on(&files, &done, &format!("sync {number} failed"));
        // By sectors: a part of one never lands beside whole later records.
        for survive in survivals(number).into_iter().filter(|s| !matches!(s, Survive::LastWriteFirstBytes(_))) {
            check(&files.crash_image(survive), &done, &format!("sync {number} failed, {survive:?}"));
        }
    }
}

#[test]
fn header_that_a_failed_sync_gave_up_is_written_again() {
    let files = machine();
    let store = open(&files).unwrap();
    store.put(NewObject::of(&noise(1, 9_000)), Protection::WORM).unwrap();
    let sync = files.next_operation();
    files.fail_at(sync, ErrorKind::Other, Effect::Without);
    assert_eq!(store.sync().unwrap_err().code(), Code::Broken);
    assert_eq!(files.faults_made(), 1);
    let store = open(&files).unwrap();
    let object = store.put(NewObject::of(b"next"), Protection::WORM).unwrap();
    store.sync().unwrap();
    let image = files.crash_image(Survive::Nothing);
    let bytes = image.contents("ledger/packs/00000001.pack");
    assert!(bytes.starts_with(b"IMTPAC") && bytes[512..4_096].iter().all(|b| *b == 0));
    assert_eq!(open(&image).unwrap().get(&object).unwrap(), b"next");
}

#[test]
fn full_disk_at_every_size_refuses_and_loses_nothing() {
    let used = {
        let files = machine();
        history(&files, &mut Acknowledged::default()).unwrap();
        files.used_bytes()
    };
    let mut refused = 0;
    for room in (0..used).step_by(7_777) {
        let files = machine();
        files.set_room(Some(room));
        let mut done = Acknowledged::default();
        let result = history(&files, &mut done);
        refused += u64::from(result.as_ref().is_err_and(|e| e.code() == Code::StoreFull));
        assert!(result.is_ok() || result.is_err_and(|e| e.code() == Code::StoreFull));
        check(&files, &done, &format!("room for {room}"));
        files.set_room(None);
        check_goes_on(&files, &done, &format!("room for {room}, then more"));
    }
    assert!(refused > 30, "{refused}");
}

#[test]
fn handle_that_met_a_full_disk_goes_on_when_there_is_room() {
    let files = machine();
    let store = open(&files).unwrap();
    let mut done = Acknowledged::default();
    let mut refused = 0;
    for n in 0..40_u64 {
        // Small ones that need a step of zeros, and large ones that are met by the end of the disk halfway.
        files.set_room((n % 3 == 1).then(|| files.used_bytes() + 1_000 * n));
        let body = noise(n, if n % 2 == 0 { 300_000 } else { 200_000 + usize::try_from(n).unwrap() });
        match store.put(NewObject::of(&body), Protection::WORM) {
            Ok(object) => done.objects.push((object, body)),
            Err(e) => {
                assert_eq!(e.code(), Code::StoreFull);
                refused += 1;
            }
        }
    }
    store.sync().unwrap();
    // Until the steps have grown so long that everything fits what was prepared.
    assert!(refused >= 3 && files.faults_made() >= refused, "{refused}");
    check(&files.crash_image(Survive::Nothing), &done, "after every refusal");
}

#[test]
fn sync_of_one_caller_covers_what_others_put_before() {
    let files = machine();
    let store = open(&files).unwrap();
    let done = Mutex::new(Acknowledged::default());
    let running = AtomicUsize::new(8);
    thread::scope(|scope| {
        for caller in 0..8 {
            let (store, done, running) = (&store, &done, &running);
            scope.spawn(move || {
                for n in 0..40 {
                    let body = noise(caller * 1_000 + n, 800);
                    let object = store.put(NewObject::of(&body), Protection::WORM).unwrap();
                    store.sync().unwrap();
                    done.lock().unwrap().objects.push((object, body));
                }
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let mut images = 0;
        while running.load(Ordering::SeqCst) > 0 || images == 0 {
            // Whatever was acknowledged before this image was taken is in it.
            let done = done.lock().unwrap().clone();
            check(&files.crash_image(Survive::Nothing), &done, "callers at work");
            images += 1;
        }
    });
    let done = done.into_inner().unwrap();
    assert_eq!(done.objects.len(), 320);
    check(&files.crash_image(Survive::Nothing), &done, "all done");
}

//! Disks that are full, that fail to write and that fail to sync, under the packs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests; a panic is their verdict"
)]

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use immutape::codec::digest::Digest;
use immutape::error::{Code, Result};
use immutape::store::conformance::objects::{digest_of, noise};
use immutape::store::contracts::Listed;
use immutape::store::embedded::packs::Packs;
use immutape::store::{Hint, NewObject, ObjectRef, Objects, Protection, ProtectionMode};

use crate::support::failing::{Failing, Op};

fn packs(files: &Failing, folder: &Path) -> Packs {
    Packs::open(Arc::new(files.clone()), folder.join("packs"), Digest::from_bytes([7; 32])).unwrap()
}

fn put(store: &Packs, bytes: &[u8]) -> Result<ObjectRef> {
    store.put(NewObject::of(bytes), Protection::WORM)
}

fn listed(store: &Packs) -> Vec<Listed> {
    let mut all = Vec::new();
    store
        .list(&mut |listed| {
            all.push(listed);
            Ok(())
        })
        .unwrap();
    all
}

fn code<T>(result: Result<T>) -> Option<Code> {
    result.err().map(|e| e.code())
}

/// Every method of a poisoned handle.
fn assert_broken(store: &Packs, object: &ObjectRef) {
    assert_eq!(code(put(store, b"more")), Some(Code::Broken));
    assert_eq!(code(store.sync()), Some(Code::Broken));
    assert_eq!(code(store.get(object)), Some(Code::Broken));
    assert_eq!(code(store.list(&mut |_| Ok(()))), Some(Code::Broken));
    assert_eq!(code(store.protect(object, Protection::WORM)), Some(Code::Broken));
    assert_eq!(code(store.used_ranges()), Some(Code::Broken));
}

#[test]
fn failed_write_poisons_the_handle_for_ever() {
    for part in [0, 1, 64, 300, 100_000] {
        let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
        let store = packs(&files, folder.path());
        let kept = put(&store, &noise(1, 500)).unwrap();
        store.sync().unwrap();
        files.fail_partly(0, ErrorKind::Other, part);
        assert_eq!(code(put(&store, &noise(2, 500))), Some(Code::Broken));
        assert!(files.heal() > 0);
        assert_broken(&store, &kept);
        // The next run finds what was synced, whatever the failed write left.
        let next = packs(&files, folder.path());
        assert_eq!(next.get(&kept).unwrap(), noise(1, 500));
        let added = put(&next, &noise(3, 500)).unwrap();
        next.sync().unwrap();
        assert_eq!(packs(&files, folder.path()).get(&added).unwrap(), noise(3, 500));
    }
}

#[test]
fn failed_sync_poisons_the_handle_for_ever() {
    for op in [Op::Sync, Op::SyncDir] {
        let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
        let store = packs(&files, folder.path());
        let object = put(&store, b"never acknowledged").unwrap();
        files.fail(op, 0, ErrorKind::Other);
        assert_eq!(code(store.sync()), Some(Code::Broken), "{op:?}");
        assert_eq!(files.heal(), 1, "a failed sync is not tried again");
        assert_broken(&store, &object);
    }
}

#[test]
fn folder_above_is_synced_when_the_folder_is_new() {
    let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
    let store = packs(&files, folder.path());
    put(&store, b"one").unwrap();
    files.fail(Op::SyncDir, 1, ErrorKind::Other);
    assert_eq!(code(store.sync()), Some(Code::Broken));
    assert_eq!(files.heal(), 1);
}

#[test]
fn full_disk_refuses_and_recovers() {
    // Creating the file, its first zeros, the record.
    for (op, pass) in [(Op::Create, 0), (Op::Write, 0)] {
        let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
        let store = packs(&files, folder.path());
        files.fail(op, pass, ErrorKind::StorageFull);
        assert_eq!(code(put(&store, b"one")), Some(Code::StoreFull), "{op:?}");
        assert!(files.heal() > 0);
        let object = put(&store, b"one").unwrap();
        store.sync().unwrap();
        assert_eq!(packs(&files, folder.path()).get(&object).unwrap(), b"one");
        assert_eq!(listed(&store), [Listed::Object(object, Protection::WORM)]);
    }
}

#[test]
fn full_disk_while_a_pack_grows_leaves_no_trace() {
    for (bytes, part) in [(60_000, 0), (60_000, 9_000), (400_000, 0), (400_000, 150_000)] {
        let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
        let store = packs(&files, folder.path());
        let first = put(&store, &noise(1, 60_000)).unwrap();
        // The first attempt at a step, or the large record itself; then the smaller attempt.
        files.fail_partly(0, ErrorKind::StorageFull, part);
        let refused = code(put(&store, &noise(2, bytes)));
        assert!(files.heal() > 0);
        assert!(matches!(refused, Some(Code::StoreFull | Code::Broken)), "{refused:?}");
        if bytes == 60_000 {
            assert_eq!(refused, Some(Code::StoreFull), "zeros that did not fit harm nothing");
            assert_eq!(listed(&store), [Listed::Object(first, Protection::WORM)]);
            let second = put(&store, &noise(2, bytes)).unwrap();
            store.sync().unwrap();
            assert_eq!(packs(&files, folder.path()).get(&second).unwrap(), noise(2, bytes));
        }
    }
}

/// A disk on which new blocks find no room but blocks there can be written: one failing write.
#[test]
fn large_object_that_does_not_fit_is_taken_back() {
    let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
    let store = packs(&files, folder.path());
    let first = put(&store, &noise(1, 500)).unwrap();
    files.fail_once_partly(ErrorKind::StorageFull, 200_000);
    assert_eq!(code(put(&store, &noise(2, 400_000))), Some(Code::StoreFull));
    assert_eq!(files.heal(), 1);
    assert_eq!(listed(&store), [Listed::Object(first, Protection::WORM)]);
    // Shorter than what was written of the refused one: nothing of that may show behind it.
    let second = put(&store, &noise(3, 300)).unwrap();
    store.sync().unwrap();
    let next = packs(&files, folder.path());
    assert_eq!(next.get(&first).unwrap(), noise(1, 500));
    assert_eq!(next.get(&second).unwrap(), noise(3, 300));
    assert_eq!(listed(&next).len(), 2);
    assert_eq!(std::fs::read_dir(folder.path().join("packs")).unwrap().count(), 1);
}

#[test]
fn one_sync_covers_all_that_returned_before() {
    let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
    let store = packs(&files, folder.path());
    for n in 0..20 {
        put(&store, &noise(n, 700)).unwrap();
    }
    store.sync().unwrap();
    assert_eq!((files.count(Op::Sync), files.count(Op::SyncDir)), (1, 2));
    store.sync().unwrap();
    assert_eq!(files.count(Op::Sync), 1, "nothing new, nothing to sync");
    put(&store, b"one more").unwrap();
    store.sync().unwrap();
    assert_eq!((files.count(Op::Sync), files.count(Op::SyncDir)), (2, 2));
    put(&store, b"one more").unwrap();
    store.sync().unwrap();
    assert_eq!(files.count(Op::Sync), 2, "put again in one run writes nothing");
}

#[test]
fn put_during_a_sync_is_covered_by_the_next_one() {
    let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
    let store = Arc::new(packs(&files, folder.path()));
    put(&store, b"before").unwrap();
    let other = Arc::clone(&store);
    files.after_next_sync(move || _ = put(&other, b"meanwhile").unwrap());
    store.sync().unwrap();
    assert_eq!(files.count(Op::Sync), 1);
    store.sync().unwrap();
    assert_eq!(files.count(Op::Sync), 2, "the first sync had begun before this put");
}

#[test]
fn put_again_in_a_later_run_is_made_durable_again() {
    let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
    put(&packs(&files, folder.path()), b"written, never synced").unwrap();
    let store = packs(&files, folder.path());
    put(&store, b"written, never synced").unwrap();
    store.sync().unwrap();
    assert_eq!(files.count(Op::Sync), 1, "the earlier copy may never have reached the disk");
}

#[test]
fn appends_overwrite_prepared_zeros() {
    let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
    let store = packs(&files, folder.path());
    let path = folder.path().join("packs/00000001.pack");
    put(&store, b"first").unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 64 << 10);
    for n in 0..4 {
        put(&store, &noise(n, 15_000)).unwrap();
    }
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 64 << 10);
    put(&store, &noise(9, 15_000)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), (64 + 128) << 10);
    // A large object extends by what it needs, and the next small one by a step again.
    let end = 64 + 64 + 5 + 5 * (64 + 15_000) + 64 + 600_000;
    put(&store, &noise(10, 600_000)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), end);
    put(&store, b"small").unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), end + (256 << 10));
}

#[test]
fn unreadable_pack_hides_nothing_of_the_others() {
    let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
    let store = packs(&files, folder.path());
    let object = put(&store, &noise(1, 100)).unwrap();
    store.sync().unwrap();
    let next = packs(&files, folder.path());
    files.fail(Op::Read, 0, ErrorKind::Other);
    assert_eq!(code(next.get(&object)), Some(Code::Io));
    let found = listed(&next);
    assert!(files.heal() > 0);
    let [Listed::Damaged { place, reason }] = found.as_slice() else { panic!("{found:?}") };
    assert!(place.ends_with("00000001.pack at byte 0") && reason.starts_with("cannot be read"), "{place}: {reason}");
    // An error of the disk that went away is no damage.
    assert_eq!(next.get(&object).unwrap(), noise(1, 100));
    assert_eq!(listed(&next), [Listed::Object(object, Protection::WORM)]);
    files.fail(Op::List, 0, ErrorKind::PermissionDenied);
    assert_eq!(code(next.list(&mut |_| Ok(()))), Some(Code::Io));
    assert_eq!(
        code(Packs::open(Arc::new(files.clone()), folder.path().join("packs"), Digest::from_bytes([7; 32]))),
        Some(Code::Io)
    );
    assert_eq!(files.heal(), 2);
}

#[test]
fn equal_protection_is_recorded_once_a_run() {
    let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
    let protection = Protection { mode: ProtectionMode::Retained, until_ms: 5 };
    let object = put(&packs(&files, folder.path()), b"kept").unwrap();
    for run in 1..4 {
        let store = packs(&files, folder.path());
        for _ in 0..3 {
            store.protect(&object, protection).unwrap();
        }
        store.sync().unwrap();
        // An earlier run's record may never have been synced, so its protection is said again.
        let used = store.used_ranges().unwrap().remove(0).1;
        assert_eq!((used.len(), used[0].clone()), (1, 0..64 + 64 + 4 + run * 64));
    }
}

#[test]
fn new_pack_begins_past_the_length_of_one() {
    let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
    let store = packs(&files, folder.path());
    // Zeros are quick to make and to hash; the first byte tells them apart.
    let body = |n: u8| [vec![n], vec![0; (60 << 20) - 1]].concat();
    let objects: Vec<_> = (0..5).map(|n| put(&store, &body(n)).unwrap()).collect();
    let numbers: Vec<u8> = objects.iter().map(|object| object.hint.0[7]).collect();
    assert_eq!(numbers, [1, 1, 1, 1, 2]);
    // The first pack's name is durable before the second has one: a crash leaves no hole in the numbers.
    assert_eq!((files.count(Op::SyncDir), files.count(Op::Sync)), (1, 0));
    store.sync().unwrap();
    assert_eq!((files.count(Op::SyncDir), files.count(Op::Sync)), (3, 2));
    let store = packs(&files, folder.path());
    for (n, object) in (0..).zip(&objects) {
        assert_eq!(store.get(object).unwrap()[0], n);
    }
    // A long pack is not looked through at the first save of a run.
    let next = put(&store, b"next").unwrap();
    assert_eq!((next.hint.0[7], listed(&store).len()), (3, 6));
}

#[test]
fn hint_of_a_neighbour_finds_an_object_without_a_walk() {
    let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
    let store = packs(&files, folder.path());
    let far = put(&store, &noise(1, 700)).unwrap();
    put(&store, &noise(2, 10 << 20)).unwrap();
    let near = [put(&store, &noise(3, 3_000)).unwrap(), put(&store, &noise(4, 900_000)).unwrap()];
    // A manifest names its objects, and looks like the header of one of them but for the check bytes.
    let bait = [b"IMTO\x01\x01\0\0".as_slice(), &[0; 16], near[0].digest.as_ref(), near[1].digest.as_ref()].concat();
    let manifest = put(&store, &bait).unwrap();
    let after = put(&store, &noise(5, 300)).unwrap();
    store.sync().unwrap();
    let walks = |object: &ObjectRef| {
        let store = packs(&files, folder.path());
        let before = files.count(Op::List);
        let found = store.get(&ObjectRef { hint: manifest.hint, ..*object }).unwrap();
        assert_eq!(digest_of(&found), object.digest);
        files.count(Op::List) - before
    };
    for object in [&near[0], &near[1], &manifest, &after] {
        assert_eq!(walks(object), 0, "{object:?}");
    }
    assert!(walks(&far) > 0, "ten megabytes away it takes a walk");
    // What one walk found is kept.
    let store = packs(&files, folder.path());
    store.get(&ObjectRef { hint: Hint::default(), ..far }).unwrap();
    let before = files.count(Op::List);
    for object in [far, near[0], near[1], after] {
        store.get(&ObjectRef { hint: Hint::default(), ..object }).unwrap();
    }
    assert_eq!(files.count(Op::List), before);
}

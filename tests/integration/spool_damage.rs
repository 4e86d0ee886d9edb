//! Cut, torn and refused writes under the spools of live recordings.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests; a panic is their verdict"
)]

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use immutape::codec::digest::{CustodyId, sha256};
use immutape::error::{Code, Result};
use immutape::store::Spool;
use immutape::store::conformance::objects::noise;
use immutape::store::embedded::spool::EmbeddedSpool;

use crate::support::failing::{Failing, Op};
use crate::support::sim_files::{Effect, SimFiles, Survive};

const A: CustodyId = CustodyId::from_bytes([0xa1; 32]);

fn spool(files: &Failing, folder: &Path) -> EmbeddedSpool {
    EmbeddedSpool::open(Arc::new(files.clone()), folder.join("spool"))
}

fn path(folder: &Path) -> PathBuf {
    folder.join("spool").join("a1".repeat(32))
}

fn code<T>(result: Result<T>) -> Option<Code> {
    result.err().map(|e| e.code())
}

/// Three pieces, synced; the file and where each frame ends.
fn recorded(folder: &Path) -> (Vec<Vec<u8>>, Vec<u8>, [usize; 3]) {
    let pieces = vec![noise(1, 100), noise(2, 700), noise(3, 40)];
    let store = spool(&Failing::default(), folder);
    for piece in &pieces {
        store.append(&A, piece).unwrap();
    }
    store.sync(&A).unwrap();
    (pieces, fs::read(path(folder)).unwrap(), [112, 824, 876])
}

#[test]
fn frame_stands_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let (pieces, bytes, ends) = recorded(folder.path());
    assert_eq!(bytes.len(), ends[2]);
    let framed = [&100_u32.to_be_bytes(), pieces[0].as_slice()].concat();
    assert_eq!(bytes[..104], framed);
    assert_eq!(bytes[104..112], sha256(&framed)[..8]);
}

#[test]
fn cut_tail_is_left_out_and_overwritten_by_the_next_append() {
    let folder = tempfile::tempdir().unwrap();
    let (pieces, bytes, ends) = recorded(folder.path());
    for cut in 0..=bytes.len() {
        fs::write(path(folder.path()), &bytes[..cut]).unwrap();
        let store = spool(&Failing::default(), folder.path());
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(store.pieces(&A).unwrap(), pieces[..whole], "cut at {cut}");
        store.append(&A, b"next").unwrap();
        let expected = [&pieces[..whole], &[b"next".to_vec()]].concat();
        assert_eq!(store.pieces(&A).unwrap(), expected, "cut at {cut}");
        store.sync(&A).unwrap();
        assert_eq!(spool(&Failing::default(), folder.path()).pieces(&A).unwrap(), expected);
    }
}

#[test]
fn every_flipped_byte_ends_the_pieces_there() {
    let folder = tempfile::tempdir().unwrap();
    let (pieces, bytes, ends) = recorded(folder.path());
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(path(folder.path()), &flipped).unwrap();
        let whole = ends.iter().filter(|end| **end <= at).count();
        assert_eq!(spool(&Failing::default(), folder.path()).pieces(&A).unwrap(), pieces[..whole], "byte {at}");
    }
}

#[test]
fn piece_behind_a_torn_one_never_comes_back_in_another_place() {
    let folder = tempfile::tempdir().unwrap();
    let (pieces, mut bytes, ends) = recorded(folder.path());
    // The second piece was torn, the third reached the disk whole.
    bytes[300] ^= 1;
    fs::write(path(folder.path()), &bytes).unwrap();
    let store = spool(&Failing::default(), folder.path());
    assert_eq!(store.pieces(&A).unwrap(), pieces[..1]);
    // A new piece of the length of the torn one ends exactly where the third begins.
    let new = noise(9, ends[1] - ends[0] - 12);
    store.append(&A, &new).unwrap();
    assert_eq!(store.pieces(&A).unwrap(), [pieces[0].clone(), new]);
}

#[test]
fn full_disk_refuses_one_piece_and_recovers() {
    for part in [0, 3, 50, 111] {
        let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
        let store = spool(&files, folder.path());
        store.append(&A, b"one").unwrap();
        files.fail_partly(0, ErrorKind::StorageFull, part);
        assert_eq!(code(store.append(&A, &noise(1, 100))), Some(Code::StoreFull));
        assert_eq!(files.heal(), 1);
        assert_eq!(store.pieces(&A).unwrap(), [b"one"]);
        store.append(&A, b"two").unwrap();
        store.sync(&A).unwrap();
        assert_eq!(spool(&files, folder.path()).pieces(&A).unwrap(), [b"one", b"two"]);
    }
}

#[test]
fn failed_write_or_sync_poisons_the_handle_for_ever() {
    for op in [Op::Write, Op::Sync, Op::SyncDir] {
        let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
        fs::create_dir(folder.path().join("spool")).unwrap();
        let store = spool(&files, folder.path());
        files.fail(op, 0, ErrorKind::Other);
        let result = store.append(&A, b"one").and_then(|()| store.sync(&A));
        assert_eq!(code(result), Some(Code::Broken), "{op:?}");
        assert_eq!(files.heal(), 1);
        assert_eq!(code(store.append(&A, b"two")), Some(Code::Broken));
        assert_eq!(code(store.sync(&A)), Some(Code::Broken));
        // What is there may be read, and sealed elsewhere.
        assert_eq!(store.pieces(&A).unwrap().len(), usize::from(op != Op::Write), "{op:?}");
        assert_eq!(store.recordings().unwrap(), [A]);
        assert_eq!(code(store.close(&A)), Some(Code::Broken));
    }
}

#[test]
fn name_is_synced_once_and_again_by_a_later_run() {
    let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
    fs::create_dir(folder.path().join("spool")).unwrap();
    let store = spool(&files, folder.path());
    for _ in 0..3 {
        store.append(&A, b"piece").unwrap();
        store.sync(&A).unwrap();
    }
    assert_eq!((files.count(Op::Sync), files.count(Op::SyncDir)), (3, 1));
    // The run before may have died before its sync: this one cannot know.
    let next = spool(&files, folder.path());
    next.append(&A, b"piece").unwrap();
    next.sync(&A).unwrap();
    assert_eq!(files.count(Op::SyncDir), 2);
    next.close(&A).unwrap();
    assert_eq!(files.count(Op::SyncDir), 3, "a closed spool does not come back");
}

#[test]
fn refused_operations_are_named() {
    let (files, folder) = (Failing::default(), tempfile::tempdir().unwrap());
    let store = spool(&files, folder.path());
    for (op, pass) in [(Op::Create, 0), (Op::SyncDir, 0)] {
        files.fail(op, pass, ErrorKind::PermissionDenied);
        let e = spool(&files, &folder.path().join(format!("{op:?}"))).append(&A, b"one").unwrap_err();
        assert_eq!((e.code(), files.heal()), (Code::Io, 1), "{op:?}");
    }
    store.append(&A, b"one").unwrap();
    for op in [Op::Remove, Op::List] {
        files.fail(op, 0, ErrorKind::PermissionDenied);
        let result = if op == Op::List { store.recordings().map(|_| ()) } else { store.close(&A) };
        assert_eq!((code(result), files.heal()), (Some(Code::Io), 1), "{op:?}");
    }
    let other = CustodyId::from_bytes([0xb2; 32]);
    fs::create_dir(folder.path().join("spool").join("b2".repeat(32))).unwrap();
    assert_eq!(code(store.append(&other, b"one")), Some(Code::Io));
    assert_eq!(code(store.pieces(&other)), Some(Code::Io));
    files.fail(Op::Read, 0, ErrorKind::Other);
    assert_eq!((code(spool(&files, folder.path()).pieces(&A)), files.heal()), (Some(Code::Io), 1));
}

#[test]
fn other_names_in_the_folder_are_no_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let _ = recorded(folder.path());
    for name in ["x", "a1.tmp", &"A1".repeat(32), &"a1".repeat(31), &"c3".repeat(33)] {
        fs::write(folder.path().join("spool").join(name), b"").unwrap();
    }
    fs::create_dir(folder.path().join("spool").join("d4".repeat(32))).unwrap();
    assert_eq!(spool(&Failing::default(), folder.path()).recordings().unwrap(), [A]);
}

/// Two runs record two recordings and close one; what was synced of the other stands in `synced`.
fn history(files: &SimFiles, synced: &mut Vec<Vec<u8>>, is_closed: &mut bool) -> Result<()> {
    let other = CustodyId::from_bytes([0xb2; 32]);
    for run in 0..2 {
        let store = EmbeddedSpool::open(files.shared(), "ledger/spool".into());
        for n in 0..3 {
            for length in [900, 30] {
                store.append(&A, &noise(run * 10 + n, length))?;
            }
            store.append(&other, b"other")?;
            store.sync(&A)?;
            *synced = store.pieces(&A)?;
        }
        store.sync(&other)?;
        store.close(&other)?;
        *is_closed = run == 1;
        // Never synced.
        store.append(&A, &noise(99, 300))?;
    }
    Ok(())
}

#[test]
fn synced_pieces_survive_a_stop_at_every_operation() {
    let machine = || {
        let files = SimFiles::new();
        files.shared().create_dir_all("ledger".as_ref()).unwrap();
        files.shared().sync_dir(".".as_ref()).unwrap();
        files
    };
    let count = {
        let files = machine();
        history(&files, &mut Vec::new(), &mut false).unwrap();
        files.next_operation()
    };
    let mut closed = 0;
    for number in 2..count {
        for effect in [Effect::Without, Effect::With, Effect::FirstBytes(500)] {
            let files = machine();
            files.stop_at(number, effect);
            let (mut synced, mut is_closed) = (Vec::new(), false);
            assert!(history(&files, &mut synced, &mut is_closed).is_err());
            assert_eq!(files.faults_made(), 1);
            closed += u64::from(is_closed);
            for survive in (0..12).map(Survive::Random).chain([Survive::Nothing, Survive::Everything]) {
                let image = files.crash_image(survive);
                let store = EmbeddedSpool::open(image.shared(), "ledger/spool".into());
                let found = if synced.is_empty() { Vec::new() } else { store.pieces(&A).unwrap() };
                assert!(found.starts_with(&synced), "stop at {number} {effect:?}, {survive:?}");
                let lasting = store.recordings().unwrap();
                assert!(!is_closed || !lasting.contains(&CustodyId::from_bytes([0xb2; 32])));
                // Whatever lies behind, the next run's piece follows the whole ones.
                store.append(&A, b"next").unwrap();
                store.sync(&A).unwrap();
                let store = EmbeddedSpool::open(image.crash_image(Survive::Nothing).shared(), "ledger/spool".into());
                let found = store.pieces(&A).unwrap();
                assert!(found.starts_with(&synced) && found.last().unwrap() == b"next");
            }
        }
    }
    assert!(closed > 0);
}

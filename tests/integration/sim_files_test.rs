//! The faulting file system itself: a test bench that lies makes every test above it worthless.

use std::io::ErrorKind;
use std::path::Path;

use immutape::store::files::{Files, create_dir_durable, write_atomic};

use crate::support::sim_files::{Effect, Kind, SimFiles, Survive};

fn p(path: &str) -> &Path {
    Path::new(path)
}

/// A file `d/f` whose name is durable, with these durable bytes.
fn with_file(bytes: &[u8]) -> SimFiles {
    let sim = SimFiles::new();
    sim.create_dir_all(p("d")).unwrap();
    sim.sync_dir(p(".")).unwrap();
    let file = sim.create_new(p("d/f")).unwrap();
    file.write_at(0, bytes).unwrap();
    file.sync_data().unwrap();
    sim.sync_dir(p("d")).unwrap();
    sim
}

#[test]
fn contents_are_durable_after_sync_data_only() {
    let sim = with_file(b"old");
    let file = sim.open(p("d/f"), true).unwrap();
    file.write_at(0, b"newer").unwrap();
    assert_eq!(sim.contents("d/f"), b"newer");
    assert_eq!(sim.crash_image(Survive::Nothing).contents("d/f"), b"old");
    assert_eq!(sim.crash_image(Survive::Everything).contents("d/f"), b"newer");
    file.sync_data().unwrap();
    assert_eq!(sim.crash_image(Survive::Nothing).contents("d/f"), b"newer");
}

#[test]
fn names_are_durable_after_sync_dir_only() {
    let sim = with_file(b"x");
    let g = sim.create_new(p("d/g")).unwrap();
    g.write_at(0, b"g").unwrap();
    g.sync_data().unwrap();
    assert!(!sim.crash_image(Survive::Nothing).exists(p("d/g")).unwrap());
    assert_eq!(sim.crash_image(Survive::Everything).contents("d/g"), b"g");
    sim.sync_dir(p("d")).unwrap();
    assert_eq!(sim.crash_image(Survive::Nothing).contents("d/g"), b"g");

    sim.remove_file(p("d/f")).unwrap();
    assert!(sim.crash_image(Survive::Nothing).exists(p("d/f")).unwrap());
    sim.sync_dir(p("d")).unwrap();
    assert!(!sim.crash_image(Survive::Nothing).exists(p("d/f")).unwrap());
}

#[test]
fn a_file_in_a_folder_that_was_lost_is_lost() {
    let sim = SimFiles::new();
    sim.create_dir_all(p("a/b")).unwrap();
    sim.create_new(p("a/b/f")).unwrap();
    sim.sync_dir(p("a/b")).unwrap();
    sim.sync_dir(p("a")).unwrap();
    assert!(!sim.crash_image(Survive::Nothing).exists(p("a/b/f")).unwrap());
    sim.sync_dir(p(".")).unwrap();
    assert!(sim.crash_image(Survive::Nothing).exists(p("a/b/f")).unwrap());
}

#[test]
fn a_rename_is_whole_or_not_at_all_and_needs_both_folders() {
    let sim = with_file(b"x");
    sim.create_dir_all(p("e")).unwrap();
    sim.sync_dir(p(".")).unwrap();
    sim.rename_noreplace(p("d/f"), p("e/f")).unwrap();
    sim.sync_dir(p("e")).unwrap();
    for seed in 0..32 {
        let image = sim.crash_image(Survive::Random(seed));
        assert!(image.exists(p("d/f")).unwrap() != image.exists(p("e/f")).unwrap(), "seed {seed}");
    }
    assert!(sim.crash_image(Survive::Nothing).exists(p("d/f")).unwrap());
    sim.sync_dir(p("d")).unwrap();
    assert!(!sim.crash_image(Survive::Nothing).exists(p("d/f")).unwrap());
    assert!(sim.crash_image(Survive::Nothing).exists(p("e/f")).unwrap());
}

#[test]
fn renaming_a_folder_takes_its_files_along() {
    let sim = with_file(b"x");
    sim.rename_noreplace(p("d"), p("e")).unwrap();
    assert_eq!(sim.contents("e/f"), b"x");
    assert_eq!(sim.crash_image(Survive::Nothing).contents("d/f"), b"x");
    sim.sync_dir(p(".")).unwrap();
    assert_eq!(sim.crash_image(Survive::Nothing).contents("e/f"), b"x");
}

#[test]
fn the_operations_refuse_what_the_system_refuses() {
    let sim = with_file(b"x");
    let kind = |result: std::io::Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(sim.create_new(p("d/f")).map(drop)), ErrorKind::AlreadyExists);
    assert_eq!(kind(sim.create_new(p("none/f")).map(drop)), ErrorKind::NotFound);
    assert_eq!(kind(sim.open(p("d/none"), false).map(drop)), ErrorKind::NotFound);
    assert_eq!(kind(sim.open(p("d"), false).map(drop)), ErrorKind::IsADirectory);
    assert_eq!(kind(sim.open(p("d/f"), false).unwrap().write_at(0, b"y")), ErrorKind::PermissionDenied);
    sim.create_new(p("d/g")).unwrap();
    assert_eq!(kind(sim.rename_noreplace(p("d/g"), p("d/f"))), ErrorKind::AlreadyExists);
    sim.rename_replace(p("d/g"), p("d/f")).unwrap();
    assert_eq!(kind(sim.read(p("d/g"), 9).map(drop)), ErrorKind::NotFound);
    assert_eq!(kind(sim.list(p("none")).map(drop)), ErrorKind::NotFound);
    assert_eq!(kind(sim.sync_dir(p("none"))), ErrorKind::NotFound);
    assert_eq!(kind(sim.remove_file(p("none"))), ErrorKind::NotFound);
    let names: Vec<_> = sim.list(p("d")).unwrap().into_iter().map(|e| (e.name, e.is_dir, e.bytes)).collect();
    assert_eq!(names, [("f".to_owned(), false, 0)]);
}

#[test]
fn the_machine_stops_at_the_operation_with_and_without_its_effect() {
    for (effect, expected) in [(Effect::Without, &b"old"[..]), (Effect::With, b"new"), (Effect::FirstBytes(1), b"nld")]
    {
        let sim = with_file(b"old");
        sim.set_stage("second write");
        sim.stop_at(sim.next_operation(), effect);
        let file = sim.open(p("d/f"), true).unwrap();
        assert!(file.write_at(0, b"new").is_err());
        assert!(sim.has_stopped() && sim.faults_made() == 1);
        assert!(file.sync_data().is_err() && sim.open(p("d/f"), false).is_err() && file.len().is_err());
        assert_eq!(sim.crash_image(Survive::Everything).contents("d/f"), expected);
        let last = sim.operations().pop().unwrap();
        assert_eq!((last.kind, last.bytes, last.stage.as_str()), (Kind::Write, 3, "second write"));
        assert_eq!(last.path, p("d/f"));
    }
}

#[test]
fn a_failed_sync_gives_the_pages_up_and_later_syncs_pass_over_them() {
    let sim = with_file(&[b'o'; 2048]);
    let file = sim.open(p("d/f"), true).unwrap();
    file.write_at(0, &[b'n'; 2048]).unwrap();
    sim.fail_at(sim.next_operation(), ErrorKind::TimedOut, Effect::Without);
    assert_eq!(file.sync_data().unwrap_err().kind(), ErrorKind::TimedOut);
    file.sync_data().unwrap();
    assert_eq!(sim.contents("d/f"), [b'n'; 2048]);
    assert_eq!(sim.crash_image(Survive::Nothing).contents("d/f"), [b'o'; 2048]);
    // Written again, the pages are dirty again.
    file.write_at(512, &[b'n'; 512]).unwrap();
    file.sync_data().unwrap();
    let found = sim.crash_image(Survive::Nothing).contents("d/f");
    let expected = [vec![b'o'; 512], vec![b'n'; 512], vec![b'o'; 1024]].concat();
    assert_eq!(found, expected);
    assert_eq!(sim.crash_image(Survive::Everything).contents("d/f"), [b'n'; 2048]);
}

#[test]
fn a_failed_sync_with_effect_and_a_lying_sync() {
    let sim = with_file(b"old");
    let file = sim.open(p("d/f"), true).unwrap();
    file.write_at(0, b"new").unwrap();
    sim.lose_sync_at(sim.next_operation());
    file.sync_data().unwrap();
    assert_eq!(sim.crash_image(Survive::Nothing).contents("d/f"), b"old");
    sim.fail_at(sim.next_operation(), ErrorKind::TimedOut, Effect::With);
    assert!(file.sync_data().is_err());
    assert_eq!(sim.crash_image(Survive::Nothing).contents("d/f"), b"new");
    assert_eq!(sim.faults_made(), 2);
}

#[test]
fn a_full_disk_takes_what_fits() {
    let sim = with_file(b"12345");
    sim.set_room(Some(8));
    let file = sim.open(p("d/f"), true).unwrap();
    file.write_at(0, b"abcde").unwrap();
    assert_eq!(file.write_at(5, b"fghij").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(sim.contents("d/f"), b"abcdefgh");
    assert_eq!((sim.used_bytes(), sim.faults_made()), (8, 1));
    sim.set_room(None);
    file.write_at(8, b"ij").unwrap();
}

#[test]
fn torn_writes_by_prefix_sectors_and_coin() {
    let sim = with_file(&[b'o'; 2048]);
    let file = sim.open(p("d/f"), true).unwrap();
    file.write_at(0, &[b'a'; 10]).unwrap();
    file.write_at(256, &[b'n'; 1280]).unwrap();
    let image = |survive| sim.crash_image(survive).contents("d/f");
    let prefix = image(Survive::LastWriteFirstBytes(700));
    assert_eq!((prefix[0], prefix[955], prefix[956]), (b'a', b'n', b'o'));
    // Sectors are those of the disk: the first piece of the write is 256 bytes long.
    let sectors = image(Survive::LastWriteSectors(0b10));
    assert_eq!((sectors[511], sectors[512], sectors[1023], sectors[1024]), (b'o', b'n', b'n', b'o'));
    assert_eq!(image(Survive::First(1))[..12], *b"aaaaaaaaaaoo");
    let random: std::collections::BTreeSet<_> = (0..64).map(|seed| image(Survive::Random(seed))).collect();
    // The first piece of the second write lies in the sector of the first, and carries it along.
    assert_eq!(random.len(), 12, "three states of the first sector, two of each of the others");
    assert_eq!(image(Survive::Random(5)), image(Survive::Random(5)));
}

#[test]
fn a_lock_is_one_and_ends_with_the_machine() {
    let sim = with_file(b"x");
    let held = sim.try_lock(p("d/lock")).unwrap().unwrap();
    assert!(sim.clone().try_lock(p("d/lock")).unwrap().is_none());
    let image = sim.crash_image(Survive::Everything);
    assert!(image.try_lock(p("d/lock")).unwrap().is_some());
    sim.remove_file(p("d/lock")).unwrap();
    assert!(!held.is_current());
    let other = sim.try_lock(p("d/lock")).unwrap().unwrap();
    assert!(other.is_current());
    drop(held);
    assert!(sim.try_lock(p("d/lock")).unwrap().is_none());
}

#[test]
fn punched_bytes_are_zero_and_the_length_stays() {
    let sim = with_file(&[b'o'; 1024]);
    let file = sim.open(p("d/f"), true).unwrap();
    file.punch(512, 9999).unwrap();
    assert_eq!(sim.contents("d/f"), [vec![b'o'; 512], vec![0; 512]].concat());
    assert_eq!(sim.crash_image(Survive::Nothing).contents("d/f"), [b'o'; 1024]);
}

/// The helper that all rewritable files use, at every operation, with every kind of loss.
#[test]
fn write_atomic_leaves_the_old_or_the_new_wherever_the_machine_stops() {
    let run = |sim: &SimFiles| write_atomic(sim, p("d/f"), b"new");
    let operations = {
        let sim = with_file(b"old");
        let before = sim.next_operation();
        run(&sim).unwrap();
        before..sim.next_operation()
    };
    let mut images = 0;
    let (mut old, mut new) = (0, 0);
    for number in operations {
        for effect in [Effect::Without, Effect::With] {
            for survive in [Survive::Nothing, Survive::Everything].into_iter().chain((0..8).map(Survive::Random)) {
                let sim = with_file(b"old");
                sim.stop_at(number, effect);
                assert!(run(&sim).is_err());
                let image = sim.crash_image(survive);
                let found = image.contents("d/f");
                assert!(found == b"old" || found == b"new", "{number} {effect:?} {survive:?}: {found:?}");
                if found == b"old" {
                    old += 1
                } else {
                    new += 1
                }
                run(&image).unwrap();
                assert_eq!(image.crash_image(Survive::Nothing).contents("d/f"), b"new");
                images += 1;
            }
        }
    }
    assert!(images == 100 && old > 0 && new > 0, "{images} images, {old} old, {new} new");
}

/// The helper that makes folders: what it made stays, also when an earlier try stopped half way.
#[test]
fn create_dir_durable_makes_every_name_durable() {
    let sim = SimFiles::new();
    create_dir_durable(&sim, p("a/b/c")).unwrap();
    let image = sim.crash_image(Survive::Nothing);
    assert!(image.exists(p("a/b/c")).unwrap());
    create_dir_durable(&image, p("a/b/c")).unwrap();
    create_dir_durable(&image, p("/x/y")).unwrap();
    assert!(image.crash_image(Survive::Nothing).exists(p("/x/y")).unwrap());

    let sim = SimFiles::new();
    sim.fail_at(1, ErrorKind::TimedOut, Effect::Without);
    assert!(create_dir_durable(&sim, p("l/journal")).is_err());
    create_dir_durable(&sim, p("l/journal")).unwrap();
    assert!(sim.crash_image(Survive::Nothing).exists(p("l/journal")).unwrap());
    assert_eq!(sim.faults_made(), 1);
}

#[test]
fn a_file_changed_behind_everybodys_back_is_changed_on_the_disk_too() {
    let sim = with_file(b"old");
    sim.edit("d/f", |bytes| bytes[0] ^= 1);
    assert_eq!(sim.contents("d/f"), b"nld");
    assert_eq!(sim.crash_image(Survive::Nothing).contents("d/f"), b"nld");
    assert_eq!(sim.read(p("d/f"), 2).unwrap_err().kind(), ErrorKind::FileTooLarge);
}

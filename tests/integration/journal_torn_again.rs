//! Tears upon tears: crashes and failures while a torn journal is taken over and goes on.

use immutape::codec::extent::SegmentHeader;
use immutape::error::Code;
use immutape::store::conformance::journal::material::{Draft, append, read_all};
use immutape::store::{Journal, Position, Tear};

use crate::journal_tear::{Bed, END, S};
use crate::support::journals::{open, reopen, segment};
use crate::support::sim_files::{Kind, SimFiles, Survive};

/// Writes of the first group of segment 2, torn in different places, one upon the other.
#[test]
fn two_crashes_in_a_row_leave_two_tears_and_both_are_reported() {
    for second in [!1, !2, !4] {
        let bed = Bed::new(false);
        let mut torn = bed.fourth();
        torn[S..2 * S].fill(0);
        bed.lay(END, &torn);
        let mut first_tears = Vec::new();
        let sim = interrupted(&bed.sim, second, &mut first_tears);
        assert_eq!(first_tears.len(), 1);

        let journal = open(&sim);
        let tail = journal.acquire().unwrap();
        assert_eq!(tail.tears.len(), 2, "{second:b}");
        assert_eq!(tail.tears[0], first_tears[0]);
        let start = if second == !1 { 0 } else { S as u64 };
        assert_eq!(tail.tears[1].position, Position { segment: 2, offset: start });
        assert_eq!(read_all(&journal).unwrap(), bed.groups);
        let mut expected = bed.groups.clone();
        expected.push(append(&journal, &Draft::small(3)).unwrap());
        let header = SegmentHeader::parse(&sim.contents(segment(3))).unwrap();
        assert_eq!((header.previous_end, header.dropped_hash), (start, tail.tears[1].hash));
        drop(journal);
        assert_eq!(read_all(&open(&sim)).unwrap(), expected);
        assert_eq!(open(&sim).survey().unwrap().tears, tail.tears);
        assert!(open(&sim).acquire().unwrap().tears.is_empty());

        // Either tear is under a hash, or under the shape rule: a changed byte is found.
        for (number, at) in [(1, END + 2 * S), (2, 2 * S)] {
            let changed = sim.crash_image(Survive::Nothing);
            changed.edit(segment(number), |file| file[at + 20] ^= 1);
            let error = read_all(&open(&changed)).map(drop);
            let is_unnamed = number == 1 && second == !1;
            assert_eq!(error.is_err(), !is_unnamed, "{second:b} {number}");
        }
    }
}

/// A header that became durable without its group shows that the ledger was opened again, and names
/// the tear before it; nobody has to know it from elsewhere.
#[test]
fn a_header_alone_proves_that_the_ledger_was_opened_again() {
    let bed = Bed::new(true);
    let mut sim = bed.sim.crash_image(Survive::Everything);
    for mask in [!2, !1, 1] {
        sim = interrupted(&sim, mask, &mut Vec::new());
    }
    let journal = open(&sim);
    assert_eq!(read_all(&journal).unwrap(), bed.groups);
    let tail = journal.acquire().unwrap();
    let places: Vec<_> = tail.tears.iter().map(|tear| (tear.position.segment, tear.position.offset)).collect();
    assert_eq!(places, [(1, END as u64), (2, 0)]);
    let place = journal.place(512).unwrap();
    assert_eq!((place.segment, place.offset), (3, S as u64));
    append(&journal, &Draft::small(3)).unwrap();
    assert_eq!(read_all(&open(&sim.crash_image(Survive::Nothing))).unwrap().len(), 4);
}

/// Acquires and appends, and loses the sectors of that write which `mask` does not name.
fn interrupted(sim: &SimFiles, mask: u64, tears: &mut Vec<Tear>) -> SimFiles {
    let write = {
        let trial = sim.crash_image(Survive::Everything);
        let journal = reopen(&trial);
        journal.acquire().unwrap();
        append(&journal, &Draft { entry_bytes: 2_600, ..Draft::small(3) }).unwrap();
        trial.operations().iter().rfind(|op| op.kind == Kind::Write).unwrap().number
    };
    let image = sim.crash_image(Survive::Everything);
    image.stop_at(write, crate::support::sim_files::Effect::With);
    let journal = reopen(&image);
    tears.extend(journal.acquire().unwrap().tears);
    assert!(append(&journal, &Draft { entry_bytes: 2_600, ..Draft::small(3) }).is_err());
    assert!(image.has_stopped());
    image.crash_image(Survive::LastWriteSectors(mask))
}

#[test]
fn a_crash_while_the_last_group_is_written_again_changes_nothing() {
    let bed = Bed::new(false);
    bed.lay(END, &bed.fourth()[..S]);
    let before = bed.sim.contents(segment(1));
    let operations = {
        let trial = bed.sim.crash_image(Survive::Everything);
        open(&trial).acquire().unwrap();
        trial.operations()
    };
    let writes = operations.iter().filter(|op| op.kind == Kind::Write).count();
    assert_eq!(writes, 3, "the header, the last group and the tear");
    for operation in operations {
        for mask in [0, 1, !0] {
            let image = bed.sim.crash_image(Survive::Everything);
            image.stop_at(operation.number, crate::support::sim_files::Effect::With);
            assert_eq!(open(&image).acquire().unwrap_err().code(), Code::Io);
            let later = image.crash_image(Survive::LastWriteSectors(mask));
            assert_eq!(later.contents(segment(1)), before);
            assert_eq!(open(&later).acquire().unwrap().tears.len(), 1);
        }
    }
}

#[test]
fn a_failed_sync_while_acquiring_breaks_the_handle() {
    let bed = Bed::new(false);
    let image = bed.sim.crash_image(Survive::Everything);
    image.fail_at(1, std::io::ErrorKind::TimedOut, crate::support::sim_files::Effect::Without);
    let journal = open(&image);
    // Operation 0 writes the last group (the header is written before when it stands in front of it).
    assert_eq!(journal.acquire().unwrap_err().code(), Code::Io);
    assert_eq!(image.faults_made(), 1);
    for code in [
        journal.acquire().map(drop).unwrap_err().code(),
        journal.place(512).map(drop).unwrap_err().code(),
        journal.append(&bed.fourth()).unwrap_err().code(),
        read_all(&journal).unwrap_err().code(),
        journal.survey().unwrap_err().code(),
        journal.replace(1, &mut std::iter::empty()).unwrap_err().code(),
    ] {
        assert_eq!(code, Code::Broken);
    }
}

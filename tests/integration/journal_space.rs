//! The journal on a disk that fills up: refusals still find room, nothing acknowledged is lost,
//! and when there is room again the writer goes on.

use std::io::ErrorKind;
use std::path::Path;

use immutape::error::Code;
use immutape::store::Journal;
use immutape::store::conformance::journal::material::{Draft, append, read_all};
use immutape::store::files::Files;

use crate::support::journals::{open, segment};
use crate::support::sim_files::{Effect, Kind, SimFiles, Survive};

const MIB: u64 = 1 << 20;

fn big(first_index: u64) -> Draft {
    Draft { entry_bytes: 100_000, ..Draft::small(first_index) }
}

#[test]
fn the_next_segment_is_prepared_before_this_one_is_half_used() {
    let sim = SimFiles::new();
    let journal = open(&sim);
    journal.acquire().unwrap();
    let mut prepared_at = None;
    for n in 0..8 {
        let place = journal.place(big(n).extent_bytes()).unwrap();
        if prepared_at.is_none() && sim.exists(Path::new(&segment(2))).unwrap() {
            prepared_at = Some(place.offset);
        }
        journal.append(&big(n).seal(&place)).unwrap();
    }
    assert!(prepared_at.unwrap() < MIB / 2, "{prepared_at:?}");
    assert_eq!(sim.contents(segment(2)), vec![0; 2 << 20]);
    assert!(!journal.is_nearly_full());
}

/// Nobody waits for a whole segment: its zeros are written in steps, and are done before half is used.
#[test]
fn a_long_segment_is_prepared_in_steps() {
    let sim = SimFiles::new();
    let journal = open(&sim);
    journal.acquire().unwrap();
    let huge = Draft { count: 120, entry_bytes: 65_000, ..Draft::small(0) };
    append(&journal, &huge).unwrap();
    // The first segment is full of the one group; the next is begun by a smaller one.
    append(&journal, &Draft { count: 10, first_index: 120, ..huge }).unwrap();
    let number = journal.place(512).unwrap().segment;
    let length = sim.contents(segment(number)).len() as u64;
    assert_eq!((number, length), (2, 16 * MIB));
    let (mut n, mut steps) = (130, 0);
    loop {
        let draft = Draft { count: 4, entry_bytes: 50_000, ..Draft::small(n) };
        let before = sim.next_operation();
        let place = journal.place(draft.extent_bytes()).unwrap();
        if place.segment != number || place.offset > length / 2 {
            break;
        }
        let made = sim.operations().split_off(usize::try_from(before).unwrap());
        let written: u64 = made.iter().map(|op| op.bytes).sum();
        assert!(written <= 2 * MIB, "{written} bytes for one placement");
        steps += u64::from(written > 0);
        journal.append(&draft.seal(&place)).unwrap();
        n += 4;
    }
    assert_eq!(sim.contents(segment(number + 1)).len() as u64, 2 * length, "prepared before half is used");
    assert!(steps >= 16, "{steps}");
}

#[test]
fn a_full_disk_is_said_early_and_small_groups_still_fit() {
    let sim = SimFiles::new();
    // Room for the first segment, and not for the second.
    sim.set_room(Some(2 * MIB));
    let journal = open(&sim);
    journal.acquire().unwrap();
    let mut written = Vec::new();
    let mut said_at = None;
    let refused = loop {
        let n = written.len() as u64;
        match append(&journal, &big(n)) {
            Ok(extent) => written.push(extent),
            Err(e) => break e,
        }
        if said_at.is_none() && journal.is_nearly_full() {
            said_at = Some(written.len());
        }
    };
    assert_eq!(refused.code(), Code::StoreFull);
    assert!(refused.hint().is_some() && sim.faults_made() > 0);
    assert!(said_at.unwrap() * 2 <= written.len() + 2, "said after {said_at:?} of {} groups", written.len());
    assert!(
        !sim.exists(Path::new(&format!("{}.tmp", segment(2)))).unwrap(),
        "the half-written file gives its space back"
    );
    // Smaller groups go on.
    for _ in 0..20 {
        written.push(append(&journal, &Draft::small(written.len() as u64)).unwrap());
    }
    assert!(journal.is_nearly_full());
    assert_eq!(read_all(&journal).unwrap(), written);

    // Room again: the next placement that needs it finds it.
    sim.set_room(None);
    written.push(append(&journal, &big(written.len() as u64)).unwrap());
    assert!(!journal.is_nearly_full());
    assert_eq!(read_all(&open(&sim.crash_image(Survive::Nothing))).unwrap(), written);
}

#[test]
fn preparing_is_tried_again_while_there_is_room_but_not_at_every_group() {
    let sim = SimFiles::new();
    sim.set_room(Some(2 * MIB));
    let journal = open(&sim);
    journal.acquire().unwrap();
    let draft = |n| Draft { entry_bytes: 1_700, ..Draft::small(n) };
    let mut n = 0;
    while !journal.is_nearly_full() {
        append(&journal, &draft(n)).unwrap();
        n += 1;
    }
    let attempts = || sim.operations().iter().filter(|op| op.kind == Kind::Create).count();
    let before = attempts();
    for _ in 0..100 {
        append(&journal, &draft(n)).unwrap();
        n += 1;
    }
    assert!((3..=10).contains(&(attempts() - before)), "{} attempts", attempts() - before);
    sim.set_room(None);
    for _ in 0..100 {
        append(&journal, &draft(n)).unwrap();
        n += 1;
    }
    assert!(!journal.is_nearly_full());
}

#[test]
fn a_group_too_big_for_the_prepared_segment_gets_a_bigger_one() {
    let sim = SimFiles::new();
    let journal = open(&sim);
    journal.acquire().unwrap();
    let huge = Draft { count: 120, entry_bytes: 65_000, ..Draft::small(0) };
    // Placed for a small group first, so that a segment too small for the huge one is prepared.
    assert_eq!(journal.place(512).unwrap().segment, 1);
    let mut written = vec![append(&journal, &huge).unwrap()];
    assert_eq!(sim.contents(segment(1)).len(), 8 << 20);
    let next = Draft { first_index: 120, ..huge };
    // Preparing ahead chose twice the length; a full disk leaves what is prepared in its place.
    written.push(append(&journal, &next).unwrap());
    assert_eq!(sim.contents(segment(2)).len(), 16 << 20);
    assert_eq!(read_all(&open(&sim.crash_image(Survive::Nothing))).unwrap(), written);
}

#[test]
fn a_full_disk_leaves_the_small_prepared_segment_usable() {
    let sim = SimFiles::new();
    sim.set_room(Some(3 * MIB));
    let journal = open(&sim);
    journal.acquire().unwrap();
    assert_eq!(journal.place(512).unwrap().segment, 1);
    let huge = Draft { count: 120, entry_bytes: 65_000, ..Draft::small(0) };
    assert_eq!(journal.place(huge.extent_bytes()).unwrap_err().code(), Code::StoreFull);
    let extent = append(&journal, &Draft::small(0)).unwrap();
    assert_eq!(read_all(&open(&sim.crash_image(Survive::Nothing))).unwrap(), [extent]);
}

/// The name goes to a bigger file, and then the folder's sync fails: neither file may be written to.
#[test]
fn a_segment_whose_name_is_in_doubt_is_not_used() {
    let huge = Draft { count: 120, entry_bytes: 65_000, ..Draft::small(0) };
    let prepared = || {
        let sim = SimFiles::new();
        let journal = open(&sim);
        journal.acquire().unwrap();
        journal.place(512).unwrap();
        (sim, journal)
    };
    let last_sync = {
        let (sim, journal) = prepared();
        journal.place(huge.extent_bytes()).unwrap();
        sim.operations().iter().rfind(|op| op.kind == Kind::SyncDir).unwrap().number
    };
    for effect in [Effect::Without, Effect::With] {
        let (sim, journal) = prepared();
        sim.fail_at(last_sync, ErrorKind::TimedOut, effect);
        assert_eq!(journal.place(huge.extent_bytes()).unwrap_err().code(), Code::Io);
        assert_eq!(sim.faults_made(), 1);
        let extent = append(&journal, &Draft::small(0)).unwrap();
        assert_eq!(read_all(&open(&sim)).unwrap(), std::slice::from_ref(&extent));
        assert_eq!(read_all(&open(&sim.crash_image(Survive::Nothing))).unwrap(), [extent]);
    }
}

/// Every operation of a preparation fails once, with and without its effect.
#[test]
fn a_preparation_that_fails_anywhere_is_made_good_later() {
    let sim = SimFiles::new();
    assert_eq!(thirty_groups(&sim), 0);
    let of_preparing: Vec<_> = sim.operations().into_iter().filter(|op| op.stage == "place").collect();
    let (mut made, mut seen) = (0, 0);
    for operation in of_preparing {
        for effect in [Effect::Without, Effect::With] {
            let sim = SimFiles::new();
            sim.fail_at(operation.number, ErrorKind::TimedOut, effect);
            seen += thirty_groups(&sim);
            made += sim.faults_made();
        }
    }
    // The first segment's preparation fails in the caller's face, the later ones are tried again in silence.
    assert!(made > 30 && seen > 5 && seen < made, "{made} made, {seen} seen");
}

/// Appends thirty groups whatever placing answers, and finds them all after a power cut; failures seen.
fn thirty_groups(sim: &SimFiles) -> u64 {
    let journal = open(sim);
    journal.acquire().unwrap();
    let mut written = Vec::new();
    let mut failures = 0;
    while written.len() < 30 {
        let draft = big(written.len() as u64);
        sim.set_stage("place");
        let place = journal.place(draft.extent_bytes());
        sim.set_stage("append");
        match place {
            Ok(place) => {
                written.push(draft.seal(&place));
                journal.append(&written[written.len() - 1]).unwrap();
            }
            Err(e) => {
                assert_eq!(e.code(), Code::Io, "{e}");
                failures += 1;
                // A disk that fails is not a disk that is full.
                assert!(failures < 3 && !journal.is_nearly_full());
            }
        }
    }
    assert!(!journal.is_nearly_full());
    assert!(read_all(&open(&sim.crash_image(Survive::Nothing))).unwrap() == written);
    failures
}

#[test]
fn what_no_group_can_be_is_refused_before_anything_is_written() {
    let sim = SimFiles::new();
    let journal = open(&sim);
    journal.acquire().unwrap();
    let before = sim.next_operation();
    for bytes in [0, 1, 511, 513, (8 << 20) + 512, u64::MAX] {
        assert_eq!(journal.place(bytes).unwrap_err().code(), Code::Limit, "{bytes}");
    }
    // Nothing is prepared yet, so there is no room for a group that was never placed.
    let place = immutape::store::Place {
        term: 1,
        segment: 1,
        offset: 512,
        previous_group: immutape::codec::digest::GroupHash::from_bytes([0; 32]),
    };
    assert_eq!(journal.append(&Draft::small(0).seal(&place)).unwrap_err().code(), Code::StoreFull);
    assert_eq!(sim.next_operation(), before);
}

//! Repair: segments made anew from their groups, the damaged files kept aside.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use immutape::codec::extent::Group;
use immutape::error::{Code, Error};
use immutape::store::conformance::journal::material::{Draft, append, read_all};
use immutape::store::files::Files;
use immutape::store::{Journal, Place};

use crate::support::journals::{open, segment};
use crate::support::sim_files::{Effect, Kind, SimFiles, Survive};

const SEGMENTS: u64 = 5;

/// A journal with everything a lawful one can have: segment 1 ends in a tear, segment 2 lost its
/// header, segment 3 its first group, 4 and 5 are full of groups, 6 is prepared.
struct Bed {
    sim: SimFiles,
    groups: Vec<Vec<u8>>,
}

impl Bed {
    fn new() -> Self {
        let mut sim = SimFiles::new();
        let journal = open(&sim);
        journal.acquire().unwrap();
        let mut groups: Vec<_> = (0..3).map(|n| append(&journal, &Draft::small(n)).unwrap()).collect();
        drop(journal);
        for mask in [!2, !1, !2] {
            sim = torn(&sim, mask);
        }
        let journal = open(&sim);
        assert_eq!(journal.acquire().unwrap().tears.len(), 3);
        for n in 3..12 {
            groups.push(append(&journal, &Draft { entry_bytes: 250_000, ..Draft::small(n) }).unwrap());
        }
        assert_eq!(journal.survey().unwrap().segments, SEGMENTS);
        drop(journal);
        let bed = Self { sim, groups };
        bed.assert_whole(&bed.sim);
        bed
    }

    fn files(&self) -> Vec<Vec<u8>> {
        (1..=SEGMENTS + 1).map(|n| self.sim.contents(segment(n))).collect()
    }

    fn assert_whole(&self, sim: &SimFiles) {
        assert!(read_all(&open(sim)).unwrap() == self.groups);
        assert_eq!(open(sim).acquire().unwrap().last.unwrap().first_index, 11);
    }

    /// The groups of the segments from `from` up to `to`.
    fn extents(&self, from: u64, to: u64) -> impl Iterator<Item = immutape::Result<Vec<u8>>> {
        let inside = move |extent: &Vec<u8>| (from..=to).contains(&Group::parse(extent).unwrap().header().segment);
        self.groups.clone().into_iter().filter(inside).map(Ok)
    }

    fn repair(&self, sim: &SimFiles, from: u64, to: u64) -> immutape::Result<Vec<PathBuf>> {
        open(sim).replace(from, &mut self.extents(from, to))
    }
}

/// A session whose first group was torn: of its last write only the sectors in `mask` arrived.
fn torn(sim: &SimFiles, mask: u64) -> SimFiles {
    let session = |sim: &SimFiles| -> immutape::Result<()> {
        let journal = open(sim);
        journal.acquire()?;
        append(&journal, &Draft { entry_bytes: 2_600, ..Draft::small(3) }).map(drop)
    };
    let trial = sim.crash_image(Survive::Everything);
    session(&trial).unwrap();
    let write = trial.operations().iter().rfind(|op| op.kind == Kind::Write).unwrap().number;
    let image = sim.crash_image(Survive::Everything);
    image.stop_at(write, Effect::With);
    session(&image).unwrap_err();
    image.crash_image(Survive::LastWriteSectors(mask))
}

type Damage = (&'static str, fn(&mut Vec<u8>));

const DAMAGES: [Damage; 7] = [
    ("a flipped bit in the header", |file| file[40] ^= 1),
    ("a flipped bit in the first sector after it", |file| file[700] ^= 1),
    ("a flipped bit further on", |file| file[300_000] ^= 1),
    ("zeros over the beginning", |file| file[..8192].fill(0)),
    ("zeros throughout", |file| file.fill(0)),
    ("cut short", |file| file.truncate(5000)),
    ("garbage at the end", |file| file.extend_from_slice(b"garbage")),
];

#[test]
fn every_damage_of_every_segment_is_made_good_byte_for_byte() {
    let bed = Bed::new();
    let files = bed.files();
    let mut repaired = 0;
    for number in 1..=SEGMENTS {
        for (words, damage) in DAMAGES {
            for to in [number, SEGMENTS] {
                let sim = bed.sim.crash_image(Survive::Nothing);
                sim.edit(segment(number), damage);
                let damaged = sim.contents(segment(number));
                if damaged == files[usize::try_from(number).unwrap() - 1] {
                    continue;
                }
                let words = format!("segment {number}: {words}, groups up to {to}");
                let aside = bed.repair(&sim, number, to);
                if bed.extents(number, to).next().is_none() {
                    // Segments 2 and 3 hold no group: without what follows them nothing tells what they were.
                    assert!(aside.is_err() || sim.contents(segment(number)) == damaged, "{words}");
                    continue;
                }
                if let Err(e) = &aside
                    && bed.extents(number, number).next().is_none()
                {
                    // A torn first group looks whole once a bit of its lost header is set: it is not dropped on a guess.
                    assert_eq!(e.code(), Code::Conflict, "{words}: {e}");
                    assert!(sim.contents(segment(number)) == damaged, "{words}");
                    continue;
                }
                let aside = aside.unwrap_or_else(|e| panic!("{words}: {e}"));
                assert!(!aside.is_empty(), "{words}");
                assert!(sim.contents(&aside[0]) == damaged, "{words}");
                bed.assert_whole(&sim);
                // What a tear held is known from its file alone; everything else comes back exactly.
                for n in (1..=SEGMENTS)
                    .filter(|_| !is_torn_part(number, &damaged, &files[usize::try_from(number).unwrap() - 1]))
                {
                    assert!(sim.contents(segment(n)) == files[usize::try_from(n).unwrap() - 1], "{words}: {n}");
                }
                bed.assert_whole(&sim.crash_image(Survive::Nothing));
                assert_eq!(bed.repair(&sim, number, to).unwrap(), Vec::<PathBuf>::new(), "{words}: again");
                repaired += 1;
            }
        }
    }
    assert!(repaired >= 45, "{repaired}");
}

/// Segments 1 to 3 end in tears; those that a damage reaches are lost. The tear in segment 1 is named
/// by no header (segment 2 lost its own), so damage anywhere behind it leaves no proof of it. Segments 2
/// and 3 are nothing but a tear.
fn is_torn_part(number: u64, damaged: &[u8], whole: &[u8]) -> bool {
    match number {
        1 => damaged.len() != whole.len() || damaged[2048..] != whole[2048..],
        2 | 3 => damaged != whole,
        _ => false,
    }
}

#[test]
fn a_tear_that_is_right_stays_where_it_was() {
    let bed = Bed::new();
    let files = bed.files();
    for number in 1..=3 {
        let sim = bed.sim.crash_image(Survive::Nothing);
        // A bit of the first group, or of what stands where one would.
        sim.edit(segment(number), |file| file[520] ^= u8::from(number == 1));
        bed.repair(&sim, number, SEGMENTS).unwrap();
        for n in 1..=SEGMENTS {
            assert!(sim.contents(segment(n)) == files[usize::try_from(n).unwrap() - 1], "{number}: {n}");
        }
    }
}

#[test]
fn a_missing_segment_is_written_anew() {
    let bed = Bed::new();
    for number in [1, 4, 5] {
        let sim = bed.sim.crash_image(Survive::Nothing);
        sim.remove_file(Path::new(&segment(number))).unwrap();
        assert_eq!(open(&sim).acquire().unwrap_err().code(), Code::LogDamaged);
        let aside = bed.repair(&sim, number, SEGMENTS).unwrap();
        bed.assert_whole(&sim);
        assert_eq!(aside, Vec::<PathBuf>::new(), "there was nothing to put aside");
    }
}

#[test]
fn extents_that_form_no_chain_change_nothing() {
    let bed = Bed::new();
    let files = bed.files();
    bed.sim.edit(segment(5), |file| file[520] ^= 1);
    let all: Vec<Vec<u8>> = bed.extents(1, SEGMENTS).map(Result::unwrap).collect();
    let from_4: Vec<Vec<u8>> = bed.extents(4, SEGMENTS).map(Result::unwrap).collect();
    let refused = |from: u64, extents: Vec<Vec<u8>>| {
        let error = open(&bed.sim).replace(from, &mut extents.into_iter().map(Ok)).unwrap_err();
        assert_eq!(error.code(), Code::Conflict, "{error}");
        for n in 1..5 {
            assert!(bed.sim.contents(segment(n)) == files[usize::try_from(n).unwrap() - 1]);
        }
    };
    refused(0, all.clone());
    refused(4, all.clone());
    refused(9, Vec::new());
    refused(4, from_4[1..].to_vec());
    refused(4, [&from_4[..1], &from_4[2..]].concat());
    refused(4, from_4[..1].to_vec());
    refused(1, all[..1].to_vec());
    let mut flipped = from_4.clone();
    flipped[0][400] ^= 1;
    refused(4, flipped);
    let mut longer = from_4.clone();
    longer[0].extend_from_slice(&[0; 512]);
    refused(4, longer);
    let far =
        Place { term: 9, segment: 1 << 40, offset: 512, previous_group: Group::parse(&all[2]).unwrap().header().hash };
    refused(4, vec![Draft::small(3).seal(&far)]);
    assert!(!bed.sim.exists(Path::new("l/quarantine")).unwrap());
}

#[test]
fn groups_that_nobody_supplied_are_never_put_aside() {
    let bed = Bed::new();
    // Segment 5 lost its header; its groups can still be read.
    bed.sim.edit(segment(5), |file| file[..512].fill(1));
    let error = bed.repair(&bed.sim, 4, 4).unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    assert!(error.message().contains("segment 5, which still holds groups"), "{error}");
    bed.repair(&bed.sim, 4, 5).unwrap();
    bed.assert_whole(&bed.sim);
}

#[test]
fn garbage_after_the_end_is_put_aside() {
    let bed = Bed::new();
    bed.sim.edit(segment(6), |file| file.fill(0xa5));
    assert_eq!(open(&bed.sim).acquire().unwrap_err().code(), Code::LogDamaged);
    let aside = bed.repair(&bed.sim, 5, 5).unwrap();
    assert_eq!(aside, [Path::new("l/quarantine/journal-00000006.seg.1")]);
    bed.assert_whole(&bed.sim);
    let journal = open(&bed.sim);
    journal.acquire().unwrap();
    append(&journal, &Draft::small(12)).unwrap();
}

#[test]
fn two_files_of_one_number_both_stay_in_the_quarantine() {
    let bed = Bed::new();
    for attempt in 1..=2 {
        bed.sim.edit(segment(5), |file| file[520] ^= 1);
        let aside = bed.repair(&bed.sim, 5, 5).unwrap();
        assert_eq!(aside, [PathBuf::from(format!("l/quarantine/journal-00000005.seg.{attempt}"))]);
    }
    assert_eq!(bed.sim.list(Path::new("l/quarantine")).unwrap().len(), 2);
}

#[test]
fn only_one_may_repair_and_no_writer_may_be_at_work() {
    let bed = Bed::new();
    let writer = open(&bed.sim);
    writer.acquire().unwrap();
    assert_eq!(bed.repair(&bed.sim, 5, 5).unwrap_err().code(), Code::Locked);
    assert_eq!(writer.replace(5, &mut bed.extents(5, 5)).unwrap_err().code(), Code::Conflict);
    drop(writer);
    bed.repair(&bed.sim, 5, 5).unwrap();
}

#[test]
fn errors_of_who_gives_the_extents_come_through() {
    let bed = Bed::new();
    let mut extents = bed.extents(4, 5).take(2).chain(std::iter::once(Err(Error::new(Code::NotFound, "no more"))));
    assert_eq!(open(&bed.sim).replace(4, &mut extents).unwrap_err().code(), Code::NotFound);
    bed.assert_whole(&bed.sim);
}

/// The groups may be read from the very journal that is being repaired, as long as they can be.
#[test]
fn a_journal_can_give_its_own_groups() {
    let bed = Bed::new();
    let damaged = bed.sim.contents(segment(4))[520];
    bed.sim.edit(segment(4), |file| file[520] ^= 1);
    let from_rows = bed.extents(4, 4);
    let journal = open(&bed.sim);
    let reader = open(&bed.sim);
    let mut at = immutape::store::Position { segment: 5, offset: 0 };
    let from_journal = std::iter::from_fn(|| {
        let (_, extent, next) = reader.read(at).transpose()?.unwrap();
        at = next;
        Some(Ok(extent))
    });
    assert_eq!(journal.replace(4, &mut from_rows.chain(from_journal)).unwrap().len(), 1);
    assert_eq!(bed.sim.contents(segment(4))[520], damaged);
    bed.assert_whole(&bed.sim);
}

#[test]
fn a_repair_stopped_anywhere_is_completed_by_running_it_again() {
    let bed = Bed::new();
    let damage = |sim: &SimFiles| {
        sim.edit(segment(4), |file| file[520] ^= 1);
        sim.edit(segment(5), |file| file[..512].fill(0));
    };
    let files = bed.files();
    let trial = bed.sim.crash_image(Survive::Nothing);
    damage(&trial);
    let damaged = [trial.contents(segment(4)), trial.contents(segment(5))];
    bed.repair(&trial, 4, 5).unwrap();
    let mut gaps = 0;
    let operations = trial.operations();
    for operation in &operations {
        for effect in [Effect::Without, Effect::With] {
            for survive in [Survive::Nothing, Survive::Everything].into_iter().chain((0..8).map(Survive::Random)) {
                let sim = bed.sim.crash_image(Survive::Nothing);
                damage(&sim);
                sim.stop_at(operation.number, effect);
                bed.repair(&sim, 4, 5).unwrap_err();
                assert!(sim.has_stopped());
                let image = sim.crash_image(survive);
                let words = format!("{operation:?} {effect:?} {survive:?}");
                gaps += usize::from(!image.exists(Path::new(&segment(4))).unwrap());
                bed.repair(&image, 4, 5).unwrap_or_else(|e| panic!("{words}: {e}"));
                bed.assert_whole(&image);
                bed.assert_whole(&image.crash_image(Survive::Nothing));
                for n in 1..=SEGMENTS {
                    assert!(image.contents(segment(n)) == files[usize::try_from(n).unwrap() - 1], "{words}: {n}");
                }
                let aside: Vec<_> = image.list(Path::new("l/quarantine")).unwrap();
                let aside: Vec<_> =
                    aside.iter().map(|entry| image.contents(format!("l/quarantine/{}", entry.name))).collect();
                for old in &damaged {
                    assert!(aside.contains(old), "{words}: evidence lost");
                }
            }
        }
    }
    assert!(operations.len() > 15 && gaps > 0, "{} operations, {gaps} gaps", operations.len());
}

#[test]
fn a_full_disk_stops_a_repair_before_anything_is_moved() {
    let bed = Bed::new();
    bed.sim.edit(segment(5), |file| file[520] ^= 1);
    bed.sim.set_room(Some(bed.sim.used_bytes() + 1000));
    assert_eq!(bed.repair(&bed.sim, 5, 5).unwrap_err().code(), Code::StoreFull);
    assert!(bed.sim.exists(Path::new(&segment(5))).unwrap());
    bed.sim.set_room(None);
    bed.sim.fail_at(bed.sim.next_operation() + 1, ErrorKind::TimedOut, Effect::Without);
    assert_eq!(bed.repair(&bed.sim, 5, 5).unwrap_err().code(), Code::Io);
    bed.repair(&bed.sim, 5, 5).unwrap();
    bed.assert_whole(&bed.sim);
}

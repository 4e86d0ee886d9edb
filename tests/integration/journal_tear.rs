//! The tear rule, case by case (`docs/format/store-embedded.md` section 4): what a crash leaves is
//! dropped under its hash, everything else stops the writer and is named.

use std::path::Path;

use immutape::codec::digest::sha256;
use immutape::codec::extent::{FLAG_CLEAN_CLOSE, Group, SegmentHeader};
use immutape::error::Code;
use immutape::store::conformance::journal::material::{Draft, append, read_all};
use immutape::store::embedded::journal::EmbeddedJournal;
use immutape::store::files::Files;
use immutape::store::{Journal, Position, Tail, Tear};

use crate::support::journals::{open, reopen, segment};
use crate::support::sim_files::{SimFiles, Survive};

pub const S: usize = 512;

/// Three groups of one sector each (at 512, 1024 and 1536), and where the next would go.
pub struct Bed {
    pub sim: SimFiles,
    pub groups: Vec<Vec<u8>>,
}

pub const END: usize = 4 * S;

impl Bed {
    pub fn new(last_is_closed: bool) -> Self {
        let sim = SimFiles::new();
        let journal = open(&sim);
        journal.acquire().unwrap();
        let draft = |n| Draft { closed: n == 2 && last_is_closed, ..Draft::small(n) };
        let groups = (0..3).map(|n| append(&journal, &draft(n)).unwrap()).collect();
        Self { sim, groups }
    }

    /// The fourth group, of six sectors, as it would stand at the end.
    pub fn fourth(&self) -> Vec<u8> {
        let place = {
            let copy = self.sim.crash_image(Survive::Everything);
            let journal = open(&copy);
            journal.acquire().unwrap();
            journal.place(6 * S as u64).unwrap()
        };
        let extent = Draft { entry_bytes: 2_600, ..Draft::small(3) }.seal(&place);
        assert_eq!((extent.len(), place.offset), (6 * S, END as u64));
        extent
    }

    /// Lays bytes over the first segment.
    pub fn lay(&self, at: usize, bytes: &[u8]) {
        self.sim.edit(segment(1), |file| file[at..at + bytes.len()].copy_from_slice(bytes));
    }

    /// The tail is a tear of so many bytes; reading ends before it, writing goes on after it.
    pub fn assert_tear(&self, bytes: u64) -> Tail {
        let content = self.sim.contents(segment(1));
        let torn = &content[END..END + usize::try_from(bytes).unwrap()];
        let hash = immutape::codec::Digest::from_bytes(sha256(torn));
        let tear = Tear { position: Position { segment: 1, offset: END as u64 }, bytes, hash };
        assert_eq!(read_all(&open(&self.sim)).unwrap(), self.groups);

        let journal = open(&self.sim);
        let tail = journal.acquire().unwrap();
        assert_eq!(tail.tears, [tear]);
        let mut expected = self.groups.clone();
        expected.push(append(&journal, &Draft::small(3)).unwrap());
        assert_eq!(journal.survey().unwrap().tears, [tear]);
        assert_eq!(journal.survey().unwrap().torn_bytes(), bytes);
        drop(journal);

        // The torn segment was never written again; the next one names what was left in it.
        assert_eq!(self.sim.contents(segment(1)), content);
        let header = SegmentHeader::parse(&self.sim.contents(segment(2))).unwrap();
        assert_eq!((header.previous_end, header.dropped_bytes, header.dropped_hash), (END as u64, bytes, hash));
        assert_eq!(read_all(&open(&self.sim)).unwrap(), expected);
        assert!(open(&self.sim).acquire().unwrap().tears.is_empty());
        tail
    }

    /// The tail is damage: nothing is acquired, nothing changed, the place is named.
    fn assert_damage(&self, why: &str) {
        let before = self.sim.next_operation();
        for journal in [open(&self.sim), reopen(&self.sim)] {
            let error = journal.acquire().unwrap_err();
            assert_eq!(error.code(), Code::LogDamaged);
            assert!(error.message().contains(why), "{error} instead of {why:?}");
            assert_eq!(read_all(&journal).unwrap_err().code(), Code::LogDamaged);
            assert_eq!(journal.survey().unwrap_err().code(), Code::LogDamaged);
            assert_eq!(journal.place(512).unwrap_err().code(), Code::ReadOnly);
        }
        assert_eq!(self.sim.next_operation(), before, "something was changed");
        assert!(self.sim.try_lock(Path::new("s/lock")).unwrap().is_some(), "the lock was kept");
    }
}

#[test]
fn zeros_after_the_last_group_are_an_end() {
    let bed = Bed::new(true);
    let tail = open(&bed.sim).acquire().unwrap();
    assert_eq!((tail.tears.len(), tail.last.unwrap().flags), (0, FLAG_CLEAN_CLOSE));
}

#[test]
fn a_group_without_its_header_sector_is_a_tear_to_its_last_byte() {
    let bed = Bed::new(false);
    let fourth = bed.fourth();
    bed.lay(END + S, &fourth[S..]);
    let last = fourth.iter().rposition(|b| *b != 0).unwrap();
    bed.assert_tear(last as u64 + 1);
}

#[test]
fn a_group_without_a_middle_sector_is_a_tear_of_its_declared_length() {
    for missing in 1..6 {
        let bed = Bed::new(false);
        let mut torn = bed.fourth();
        torn[missing * S..(missing + 1) * S].fill(0);
        bed.lay(END, &torn);
        let tail = bed.assert_tear(6 * S as u64);
        assert_eq!(tail.last, Some(*Group::parse(&bed.groups[2]).unwrap().header()));
    }
}

#[test]
fn a_group_of_which_only_one_sector_arrived_is_a_tear() {
    let bed = Bed::new(false);
    bed.lay(END, &bed.fourth()[..S]);
    bed.assert_tear(6 * S as u64);
}

#[test]
fn the_whole_group_is_no_tear_though_nobody_acknowledged_it() {
    let bed = Bed::new(false);
    bed.lay(END, &bed.fourth());
    let tail = open(&bed.sim).acquire().unwrap();
    assert_eq!((tail.tears.len(), tail.last.unwrap().first_index), (0, 3));
}

#[test]
fn garbage_without_a_missing_sector_is_damage() {
    let bed = Bed::new(false);
    bed.lay(END, &[0xa5; 6 * S]);
    bed.assert_damage("magic");
    let bed = Bed::new(false);
    let mut flipped = bed.fourth();
    flipped[3 * S] ^= 1;
    bed.lay(END, &flipped);
    bed.assert_damage("no sector of the last group is missing");
}

#[test]
fn a_flipped_bit_in_an_older_group_is_damage() {
    for (at, why) in [
        (S + 300, "byte 512: the hash over the group differs"),
        (S + 3, "byte 512"),
        (2 * S + 100, "byte 1024"),
        (3 * S + 300, "byte 1536: no sector of the last group is missing"),
        (130, "segment header"),
    ] {
        let bed = Bed::new(false);
        bed.sim.edit(segment(1), |file| file[at] ^= 1);
        bed.assert_damage(why);
    }
}

/// Opening checks the end; what lies further back is found by reading it.
#[test]
fn a_flipped_bit_far_before_the_end_is_found_by_reading() {
    let bed = Bed::new(false);
    let journal = open(&bed.sim);
    journal.acquire().unwrap();
    for n in 3..45 {
        append(&journal, &Draft { count: 1, entry_bytes: 300_000, ..Draft::small(n) }).unwrap();
    }
    drop(journal);
    let number = open(&bed.sim).survey().unwrap().end.segment;
    for (number, at) in [(1, S + 300), (number, S + 300)] {
        bed.sim.edit(segment(number), |file| file[at] ^= 1);
        assert_eq!(open(&bed.sim).acquire().unwrap().last.unwrap().first_index, 44);
        let error = read_all(&open(&bed.sim)).unwrap_err();
        assert_eq!(error.code(), Code::LogDamaged);
        assert!(error.message().contains(&format!("segment {number:08}, byte 512")), "{error}");
        bed.sim.edit(segment(number), |file| file[at] ^= 1);
    }
    assert_eq!(read_all(&open(&bed.sim)).unwrap().len(), 45);
}

#[test]
fn bytes_after_an_orderly_close_are_damage_unless_the_ledger_was_opened_again() {
    let bed = Bed::new(true);
    bed.lay(END, &bed.fourth()[..S]);
    let error = open(&bed.sim).acquire().unwrap_err();
    assert_eq!(error.code(), Code::LogDamaged);
    assert!(error.message().contains("closed in order"), "{error}");
    assert_eq!(read_all(&open(&bed.sim)).unwrap_err().code(), Code::LogDamaged);
    assert_eq!(reopen(&bed.sim).acquire().unwrap().tears.len(), 1);
    assert_eq!(read_all(&reopen(&bed.sim)).unwrap(), bed.groups);
    // Whatever was opened, full garbage is damage.
    let bed = Bed::new(true);
    bed.lay(END, &[0xa5; 6 * S]);
    bed.assert_damage("");
}

#[test]
fn a_valid_group_after_the_missing_one_is_damage() {
    // A group of which the header sector was wiped, and its whole successor.
    let bed = Bed::new(false);
    let journal = open(&bed.sim);
    journal.acquire().unwrap();
    append(&journal, &Draft { entry_bytes: 2_600, ..Draft::small(3) }).unwrap();
    append(&journal, &Draft::small(4)).unwrap();
    drop(journal);
    bed.lay(END, &[0; S]);
    bed.assert_damage("a valid group follows at byte 5120");
    // The same with a middle sector: the successor stands behind the declared end.
    let bed = Bed::new(false);
    let journal = open(&bed.sim);
    journal.acquire().unwrap();
    append(&journal, &Draft { entry_bytes: 2_600, ..Draft::small(3) }).unwrap();
    append(&journal, &Draft::small(4)).unwrap();
    drop(journal);
    bed.lay(END + S, &[0; S]);
    bed.assert_damage("byte 2048: the hash over the group differs");
}

#[test]
fn a_flipped_length_does_not_swallow_the_groups_behind_it() {
    // The declared length of the second group now reaches over the third and into the zeros.
    let bed = Bed::new(false);
    let at = 2 * S + 48;
    bed.sim.edit(segment(1), |file| file[at + 6] ^= 8);
    bed.assert_damage("a valid group follows at byte 1536");
}

#[test]
fn bytes_behind_a_tear_are_damage() {
    let bed = Bed::new(false);
    bed.lay(END, &bed.fourth()[..S]);
    bed.lay(END + 7 * S, &[1]);
    bed.assert_damage("bytes follow the torn group");
    let bed = Bed::new(false);
    bed.lay(END + S, &[1]);
    bed.lay(END + 9 * 1024 * 100, &[1]);
    assert_eq!(open(&bed.sim).acquire().unwrap().tears.len(), 1, "within one maximal group");
}

#[test]
fn more_bytes_than_one_group_has_are_damage() {
    let bed = Bed::new(false);
    // A second segment of 64 MiB would be needed to reach beyond a maximal group of 8 MiB; a prepared
    // file of that length is laid down instead, with its header sector missing.
    bed.sim.create_new(Path::new(&segment(2))).unwrap();
    bed.sim.edit(segment(2), |file| {
        file.resize(16 << 20, 0);
        file[S] = 1;
        file[9 << 20] = 1;
    });
    assert_eq!(open(&bed.sim).acquire().unwrap_err().code(), Code::LogDamaged);
    bed.sim.edit(segment(2), |file| file[S] = 0);
    for error in [read_all(&open(&bed.sim)).unwrap_err(), open(&bed.sim).survey().unwrap_err()] {
        assert!(error.message().contains("more bytes follow than one group has"), "{error}");
    }
    // Acquisition looks no further than a torn write reaches; the rest is seen before a group goes there.
    let journal = open(&bed.sim);
    journal.acquire().unwrap();
    assert_eq!(append(&journal, &Draft::small(3)).unwrap().len(), S);
    let error = journal.place(8 << 20).unwrap_err();
    assert_eq!(error.code(), Code::LogDamaged);
    assert!(error.message().contains("a segment that was not begun holds bytes"), "{error}");
}

#[test]
fn a_torn_header_that_names_another_place_is_damage() {
    let bed = Bed::new(false);
    let other = Bed::new(false);
    let journal = open(&other.sim);
    journal.acquire().unwrap();
    append(&journal, &Draft::small(3)).unwrap();
    // A group of six sectors that belongs one sector further on, its last sector missing.
    let place = journal.place(6 * S as u64).unwrap();
    let misplaced = Draft { entry_bytes: 2_600, ..Draft::small(4) }.seal(&place);
    bed.lay(END, &misplaced[..5 * S]);
    bed.assert_damage("does not follow");
}

#[test]
fn a_group_that_would_end_after_its_file_is_damage() {
    let bed = Bed::new(false);
    let place = {
        let journal = open(&bed.sim);
        journal.acquire().unwrap();
        journal.place(6 * S as u64).unwrap()
    };
    let long = Draft { count: 20, entry_bytes: 60_000, ..Draft::small(3) }.seal(&place);
    assert!(long.len() > 1 << 20);
    bed.lay(END, &long[..S]);
    bed.assert_damage("would end after its file");
}

#[test]
fn a_newer_format_is_told_from_damage() {
    for (at, number) in [(7, 1), (END + 7, 1)] {
        let bed = Bed::new(false);
        let head = if at == 7 { Vec::new() } else { bed.fourth()[..S].to_vec() };
        bed.lay(END, &head);
        bed.sim.edit(segment(number), |file| file[at] = 2);
        for answer in [open(&bed.sim).acquire().map(drop), read_all(&open(&bed.sim)).map(drop)] {
            assert_eq!(answer.unwrap_err().code(), Code::NewerFormat);
        }
    }
}

/// A header that lies about what stands before it, or a segment out of its row.
#[test]
fn segments_that_do_not_belong_where_they_are_are_damage() {
    let bed = Bed::new(false);
    bed.lay(END, &bed.fourth()[..S]);
    bed.assert_tear(6 * S as u64);
    let with = |change: &dyn Fn(&SimFiles)| {
        let sim = bed.sim.crash_image(Survive::Nothing);
        change(&sim);
        let codes = [open(&sim).acquire().map(drop), read_all(&open(&sim)).map(drop)];
        codes.map(|result| result.map_or_else(|e| Some(e.code()), |()| None))
    };
    assert_eq!(with(&|_| {}), [None, None]);
    let damage = Some(Code::LogDamaged);
    let reheader = |change: &dyn Fn(&mut SegmentHeader)| {
        with(&|sim| {
            sim.edit(segment(2), |file| {
                let mut header = SegmentHeader::parse(file).unwrap();
                change(&mut header);
                file[..S].copy_from_slice(&header.encode());
            });
        })
    };
    // What a header says of the segment before is found by who reads that one.
    for found in [
        reheader(&|h| h.dropped_bytes = 0),
        reheader(&|h| h.dropped_bytes -= 1),
        reheader(&|h| h.dropped_bytes = 1 << 40),
        reheader(&|h| h.previous_end += 512),
        reheader(&|h| h.previous_group = immutape::codec::digest::GroupHash::from_bytes([9; 32])),
        reheader(&|h| h.first_index += 1),
    ] {
        assert_eq!(found[1], damage);
    }
    for found in [
        reheader(&|h| h.segment = 3),
        reheader(&|h| h.file_bytes *= 2),
        reheader(&|h| h.origin = immutape::codec::Digest::from_bytes([9; 32])),
        with(&|sim| sim.remove_file(Path::new(&segment(1))).unwrap()),
        with(&|sim| sim.edit(segment(1), |file| file.truncate(1 << 19))),
        with(&|sim| sim.edit(segment(2), |file| file.truncate(1 << 19))),
        with(&|sim| sim.edit(segment(2), |file| file.extend_from_slice(&[0; 512]))),
    ] {
        assert_eq!(found[1], damage);
    }
    let two_prepared = with(&|sim| {
        for number in [3, 4] {
            sim.create_new(Path::new(&segment(number))).unwrap();
            sim.edit(segment(number), |file| file.resize(1 << 20, 0));
        }
    });
    assert_eq!(two_prepared, [damage, damage]);
}

#[test]
fn strangers_in_the_folder_are_passed_over() {
    let bed = Bed::new(false);
    for name in ["00000002.seg.tmp", "00000002.seg.new", "notes", "2.seg"] {
        let path = format!("l/journal/{name}");
        bed.sim.create_new(Path::new(&path)).unwrap().write_at(0, b"x").unwrap();
    }
    let journal: EmbeddedJournal = open(&bed.sim);
    journal.acquire().unwrap();
    append(&journal, &Draft { count: 20, entry_bytes: 50_000, ..Draft::small(3) }).unwrap();
    assert_eq!(read_all(&journal).unwrap().len(), 4);
}

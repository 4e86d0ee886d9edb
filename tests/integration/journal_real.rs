//! The journal over the file system of the machine.

use std::path::Path;
use std::sync::Arc;

use immutape::codec::digest::Digest;
use immutape::codec::extent::Group;
use immutape::error::Code;
use immutape::store::conformance::journal::material::{Draft, append, read_all};
use immutape::store::embedded::journal::EmbeddedJournal;
use immutape::store::files::RealFiles;
use immutape::store::{Journal, Position};

use crate::support::journals;
use crate::support::sim_files::SimFiles;

fn journal(folder: &Path) -> EmbeddedJournal {
    let at = |name: &str| folder.join(name);
    let origin = Digest::from_bytes([7; 32]);
    EmbeddedJournal::open(Arc::new(RealFiles), at("l/journal"), at("l/quarantine"), at("s/lock"), origin)
}

#[test]
fn groups_go_through_many_segments_and_come_back() {
    let t = tempfile::tempdir().unwrap();
    let mut written = Vec::new();
    let mut index = 0;
    for turn in 1..=3 {
        let j = journal(t.path());
        let tail = j.acquire().unwrap();
        assert_eq!((tail.term, tail.tears.len()), (turn, 0));
        assert_eq!(journal(t.path()).acquire().unwrap_err().code(), Code::Locked);
        let reader = journal(t.path());
        for n in 0..60 {
            let draft = Draft { first_index: index, count: 3, entry_bytes: 20_000 + n * 100, closed: false };
            written.push(append(&j, &draft).unwrap());
            index += 3;
        }
        assert!(read_all(&j).unwrap() == written);
        assert!(read_all(&reader).unwrap() == written);
    }
    let j = journal(t.path());
    let survey = j.survey().unwrap();
    assert_eq!((survey.segments, survey.torn_bytes(), survey.prepared_bytes), (4, 0, Some(16 << 20)));
    assert_eq!(survey.file_bytes, (1 + 2 + 4 + 8 + 16) << 20);
    let last = *Group::parse(written.last().unwrap()).unwrap().header();
    assert_eq!(survey.last, Some(last));
    assert_eq!(j.acquire().unwrap().last, Some(last));
    assert!(j.read(Position { segment: 9, offset: 0 }).unwrap().is_none());
    let first = EmbeddedJournal::first_group(Arc::new(RealFiles), &t.path().join("l/journal")).unwrap();
    assert_eq!(first.as_ref(), written.first());
}

#[test]
fn the_lock_file_replaced_fences_the_writer() {
    let t = tempfile::tempdir().unwrap();
    let (old, new) = (journal(t.path()), journal(t.path()));
    old.acquire().unwrap();
    append(&old, &Draft::small(0)).unwrap();
    std::fs::remove_file(t.path().join("s/lock")).unwrap();
    assert_eq!(new.acquire().unwrap().term, 2);
    assert_eq!(old.place(512).unwrap_err().code(), Code::Fenced);
    append(&new, &Draft::small(1)).unwrap();
    assert_eq!(read_all(&new).unwrap().len(), 2);
}

/// A lock that two hold (a file system that does not keep locks): the writer that comes second to a
/// place sees what stands there and writes nothing.
#[test]
fn a_place_that_another_wrote_to_fences_the_writer() {
    let sim = SimFiles::new();
    let journal = journals::open(&sim);
    journal.acquire().unwrap();
    let first = append(&journal, &Draft::small(0)).unwrap();
    // Enough for the next segment to be prepared, and not begun.
    let rest = append(&journal, &Draft { entry_bytes: 600_000, ..Draft::small(1) }).unwrap();
    assert_eq!(journal.place(512).unwrap().segment, 1);
    let end = 512 + first.len() + rest.len();
    for (number, at) in [(1, end), (2, 0)] {
        let place = journal.place(512).unwrap();
        sim.edit(journals::segment(number), |file| file[at] = 1);
        let before = sim.next_operation();
        assert_eq!(journal.append(&Draft::small(2).seal(&place)).unwrap_err().code(), Code::Fenced);
        assert_eq!(sim.next_operation(), before);
        sim.edit(journals::segment(number), |file| file[at] = 0);
    }
    append(&journal, &Draft::small(2)).unwrap();
}

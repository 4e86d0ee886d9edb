//! The spool of a recording that is not sealed yet under edits: what was marked in the log cannot be taken away or changed
//! without being noticed, nothing else comes in its place, and what no mark names can be cut off unseen.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use immutape::capture::{Durability, LedgerAccess, RecordingOptions, Recovered, StreamingTapeWriter, recover};
use immutape::evidence::{Severity, Verdict};
use immutape::ledger::{CheckOptions, FrameSelection, Ledger};
use immutape::log::{Body, EntryKind};

use crate::support::crash::{Disk, Machine as _, NOW_MS, copy_folder, in_parallel, in_runtime, some_folder};
use crate::support::ledgers::ann;
use crate::support::recordings::{frame, number};
use crate::support::trials;

/// Frames that the log marked, and those that came behind it.
const MARKED: u64 = 3;
const FRAMES: u64 = 5;

/// A ledger with two recordings whose recorders are gone; which is which.
struct Base {
    folder: tempfile::TempDir,
    spools: [PathBuf; 2],
    /// Ends of the pieces of the first.
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

static BASE: LazyLock<Base> = LazyLock::new(|| {
    let folder = some_folder();
    let disk = Disk::new(folder.path(), 51, NOW_MS);
    let spools = in_runtime(async {
        let ledger = Ledger::create(disk.places(), disk.env(), "test", true).await.unwrap();
        let mut spools = Vec::new();
        for name in ["first", "second"] {
            let mut options = RecordingOptions::named(name);
            options.durability = Durability::Each;
            let (access, clock) = (LedgerAccess::open(ledger.clone()), disk.env().clock);
            let writer = StreamingTapeWriter::create(access, ann(), options, clock).await.unwrap();
            for n in 0..FRAMES {
                writer.write_frame(frame(n)).await.unwrap();
                if n + 1 == MARKED {
                    writer.checkpoint().await.unwrap().unwrap();
                }
            }
            spools.push(PathBuf::from("l/spool").join(writer.custody().to_hex()));
        }
        ledger.close().await.unwrap();
        spools
    });
    let bytes = fs::read(folder.path().join(&spools[0])).unwrap();
    let mut ends = vec![0];
    while let Some(head) = bytes[*ends.last().unwrap()..].first_chunk() {
        ends.push(ends.last().unwrap() + 12 + u32::from_be_bytes(*head) as usize);
    }
    let spools = [spools[0].clone(), spools[1].clone()];
    Base { folder, spools, ends: ends.split_off(1), bytes }
});

/// What came of the first recording.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    frames: u64,
    /// An entry says that the spool was not what the log says.
    is_told: bool,
    is_cut_off: bool,
    verdict: Verdict,
    before: Verdict,
}

fn after(edit: impl FnOnce(&Path, &Base)) -> Came {
    let base = &*BASE;
    let folder = some_folder();
    copy_folder(base.folder.path(), folder.path());
    for state in fs::read_dir(folder.path().join("s")).unwrap() {
        fs::write(state.unwrap().path().join("ledger"), format!("{}\n", folder.path().join("l").display())).unwrap();
    }
    edit(folder.path(), base);
    let disk = Disk::new(folder.path(), 52, NOW_MS + 3_600_000);
    in_runtime(async {
        let ledger = Ledger::open(disk.places(), disk.env()).await.unwrap();
        let before = ledger.verify(&ann(), CheckOptions::default()).await.unwrap().0.verdict();
        let found = recover(&ledger, &ann()).await.unwrap();
        let sealed = found.iter().find_map(|r| match r {
            Recovered::Sealed { custody, receipt, is_cut_off, .. } if base.spools[0].ends_with(custody.to_hex()) => {
                Some((receipt.tape, *is_cut_off))
            }
            _ => None,
        });
        let (tape, is_cut_off) = sealed.unwrap_or_else(|| panic!("{found:?}"));
        let reader = ledger.open_tape(&ann(), &tape.to_text(), None).await.unwrap();
        let frames = reader.collect(FrameSelection::All).unwrap();
        reader.finish().await.unwrap();
        assert!(frames.iter().map(number).eq(0..frames.len() as u64), "something else came in its place");
        let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
        let custody = base.spools[0].file_name().unwrap().to_str().unwrap();
        let is_told = log.iter().any(|line| {
            line.kind == EntryKind::INTEGRITY_FAILED
                && line.subject.to_hex() == custody
                && matches!(line.body, Body::IntegrityFailed { what: 6, .. })
        });
        let verdict = ledger.verify(&ann(), CheckOptions::default()).await.unwrap().0.verdict();
        ledger.close().await.unwrap();
        Came { frames: frames.len() as u64, is_told, is_cut_off, verdict, before }
    })
}

/// Frames before this place in the file: the first piece has none, each of the others one, but for that of the mark.
fn frames_before(at: usize) -> u64 {
    let pieces = BASE.ends.iter().filter(|end| **end <= at).count() as u64;
    let frames = pieces.saturating_sub(1);
    // The word about the mark is in one piece with the frame behind it.
    assert!(BASE.ends.len() as u64 == FRAMES + 1);
    frames
}

fn judge(came: &Came, at: usize, words: &str) {
    let frames = frames_before(at);
    assert_eq!(came.frames, frames, "{words}");
    assert!(came.is_cut_off, "{words}");
    let falls_short = frames < MARKED || at < BASE.ends[0];
    if falls_short {
        assert!(came.is_told, "{words}: {came:?}");
        assert_eq!((came.before, came.verdict), (Verdict::Altered, Verdict::IntactWithGaps), "{words}");
    }
}

#[test]
fn every_flipped_byte_of_a_spool_ends_the_tape_there_and_is_told_where_a_mark_says_more() {
    let length = BASE.bytes.len();
    let step = if trials(1) > 1 { 1 } else { 37 };
    let places: Vec<usize> = (0..length).step_by(step).collect();
    in_parallel(places.len(), |n| {
        let at = places[n];
        let came = after(|folder, base| {
            let mut bytes = base.bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(folder.join(&base.spools[0]), bytes).unwrap();
        });
        judge(&came, at, &format!("byte {at} flipped"));
    });
}

#[test]
fn every_cut_of_a_spool_is_told_where_a_mark_says_more_and_behind_it_is_what_a_crash_leaves() {
    let length = BASE.bytes.len();
    let mut places: Vec<usize> = (0..length).step_by(if trials(1) > 1 { 1 } else { 61 }).collect();
    places.extend(BASE.ends.iter().copied());
    in_parallel(places.len(), |n| {
        let at = places[n];
        let came = after(|folder, base| fs::write(folder.join(&base.spools[0]), &base.bytes[..at]).unwrap());
        judge(&came, at, &format!("cut at {at}"));
        if frames_before(at) >= MARKED {
            // Not to be told from a power cut.
            assert!(!came.is_told && came.verdict == Verdict::Intact, "cut at {at}: {came:?}");
        }
    });
}

#[test]
fn bytes_behind_the_last_piece_are_no_part_of_the_tape() {
    for more in [vec![0; 100], vec![7; 5], BASE.bytes[..BASE.ends[0]].to_vec(), BASE.bytes.clone()] {
        let came = after(|folder, base| {
            fs::write(folder.join(&base.spools[0]), [base.bytes.clone(), more.clone()].concat()).unwrap();
        });
        assert_eq!((came.frames, came.is_cut_off), (FRAMES, true), "{} bytes more", more.len());
        // Whole pieces of another place do not open here, and no power cut leaves them.
        assert_eq!(came.is_told, more.len() > 100, "{} bytes more", more.len());
    }
}

#[test]
fn the_spool_of_another_recording_is_not_taken_for_this_one() {
    let came = after(|folder, base| {
        let [a, b] = [&base.spools[0], &base.spools[1]].map(|p| folder.join(p));
        let aside = folder.join("aside");
        fs::rename(&a, &aside).unwrap();
        fs::rename(&b, &a).unwrap();
        fs::rename(&aside, &b).unwrap();
    });
    assert_eq!((came.frames, came.is_told, came.verdict), (0, true, Verdict::IntactWithGaps));
}

#[test]
fn a_spool_that_is_put_back_after_the_sealing_changes_nothing() {
    let base = &*BASE;
    let folder = some_folder();
    copy_folder(base.folder.path(), folder.path());
    for state in fs::read_dir(folder.path().join("s")).unwrap() {
        fs::write(state.unwrap().path().join("ledger"), format!("{}\n", folder.path().join("l").display())).unwrap();
    }
    let disk = Disk::new(folder.path(), 53, NOW_MS + 3_600_000);
    in_runtime(async {
        let ledger = Ledger::open(disk.places(), disk.env()).await.unwrap();
        assert_eq!(recover(&ledger, &ann()).await.unwrap().len(), 2);
        let size = ledger.size();
        fs::write(folder.path().join(&base.spools[0]), &base.bytes).unwrap();
        assert_eq!(recover(&ledger, &ann()).await.unwrap().len(), 0);
        assert_eq!((ledger.size(), ledger.spooled().unwrap()), (size, vec![]));
        let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
        assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
        ledger.close().await.unwrap();
    });
}

#[test]
fn a_spool_that_is_altered_or_gone_is_named_before_it_is_sealed() {
    let base = &*BASE;
    let report = |edit: &dyn Fn(&Path)| {
        let folder = some_folder();
        copy_folder(base.folder.path(), folder.path());
        for state in fs::read_dir(folder.path().join("s")).unwrap() {
            let line = format!("{}\n", folder.path().join("l").display());
            fs::write(state.unwrap().path().join("ledger"), line).unwrap();
        }
        edit(folder.path());
        let disk = Disk::new(folder.path(), 54, NOW_MS + 3_600_000);
        let checker = immutape::ledger::Checker::open(&disk.places(), &disk.env()).unwrap();
        checker.run(&CheckOptions::default())
    };
    let clean = report(&|_| {});
    assert_eq!(clean.verdict(), Verdict::UnsealedTail, "{clean:#?}");
    assert_eq!(clean.findings.iter().filter(|f| f.part == "recordings" && f.severity == Severity::Note).count(), 2);
    let gone = report(&|folder| fs::remove_file(folder.join(&base.spools[0])).unwrap());
    assert_eq!(gone.verdict(), Verdict::Altered, "{gone:#?}");
    let altered = report(&|folder| {
        let mut bytes = base.bytes.clone();
        bytes[base.ends[1] + 30] ^= 1;
        fs::write(folder.join(&base.spools[0]), bytes).unwrap();
    });
    let found = altered.findings.iter().find(|f| f.part == "recordings" && f.severity == Severity::Altered);
    assert!(found.is_some_and(|f| f.what.contains("3 frames")), "{altered:#?}");
}

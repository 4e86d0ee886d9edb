//! The auditor's program, which has no keys, over a ledger with recordings in every state: it answers as the ledger's own check.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use immutape::capture::{
    Durability, LedgerAccess, RecordingOptions, StreamingTapeReader, StreamingTapeWriter, recover,
};
use immutape::evidence::Verdict;
use immutape::ledger::{CheckOptions, Checker, Ledger, Places};
use immutape::log::EntryKind;
use immutape::tape::EndState;
use immutape::time::SystemClock;

use crate::support::crash::copy_folder;
use crate::support::ledgers::{ann, create, open, real};
use crate::support::recordings::frame;
use crate::support::tamper::auditor;

async fn writer(ledger: &Ledger, name: &str) -> StreamingTapeWriter {
    let mut options = RecordingOptions::named(name);
    options.durability = Durability::Each;
    let (access, clock) = (LedgerAccess::open(ledger.clone()), Arc::new(SystemClock::new([7; 16])));
    let writer = StreamingTapeWriter::create(access, ann(), options, clock).await.unwrap();
    for n in 0..3 {
        writer.write_frame(frame(n)).await.unwrap();
        writer.checkpoint().await.unwrap().unwrap();
    }
    writer
}

/// What the ledger's own check says from outside, and the auditor.
fn judged(root: &Path) -> (Verdict, i32) {
    let report = Checker::open(&Places::beneath(root), &real()).unwrap().run(&CheckOptions::default());
    let pins = auditor::keys(root);
    let exit = auditor::exit_code(root, &pins);
    if let Some((second, word)) = auditor::second(root, &pins) {
        assert_eq!(second, exit, "the auditor in Rust says {word}");
    }
    (report.verdict(), exit)
}

#[tokio::test]
async fn recordings_in_every_state_are_judged_the_same_without_keys() {
    if !auditor::is_here() {
        return crate::support::skipped("no python3 here: the auditor's program was not run over recordings");
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let ledger = create(root).await;
    // Cut off and recovered; followed, ended and replayed.
    drop(writer(&ledger, "cut off").await);
    ledger.close().await.unwrap();
    let ledger = open(root).await.unwrap();
    assert_eq!(recover(&ledger, &ann()).await.unwrap().len(), 1);
    let followed = writer(&ledger, "followed").await;
    let access = LedgerAccess::open(ledger.clone());
    let mut follower = StreamingTapeReader::open(access, ann(), &followed.custody().to_hex()).await.unwrap();
    assert!(follower.next_frame().await.unwrap().is_some());
    follower.close().await.unwrap();
    let sealed = followed.finalize(EndState::ChildExit(3)).await.unwrap();
    let replay = ledger.open_replay(&ann(), &sealed.receipt.tape.to_text(), true).await.unwrap();
    replay.finish().await.unwrap();
    // Two that go on, of which one loses its recorder.
    let (runs, dies) = (writer(&ledger, "runs").await, writer(&ledger, "dies").await);
    let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
    for kind in [18, 19, 20, 41, 42] {
        assert!(log.iter().any(|line| line.kind == EntryKind::from_number(kind)), "no entry of kind {kind}");
    }
    // The ledger's own check while it is open: from outside its rows cannot be looked at.
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    // The auditor says of recordings that are no tapes yet that there are such.
    assert_eq!((report.verdict(), judged(root).1), (Verdict::UnsealedTail, 10), "beside a recorder");
    let lost = dies.custody().to_hex();
    drop((runs, dies));
    ledger.close().await.unwrap();
    assert_eq!(judged(root), (Verdict::UnsealedTail, 10), "left by recorders that are gone");

    // What is lost of them is found by both.
    let copy = |name: &str| {
        let to = root.join(name);
        for part in ["ledger", "state", "config"] {
            copy_folder(&root.join(part), &to.join(part));
        }
        to
    };
    let gone = copy("gone");
    fs::remove_file(gone.join("ledger/spool").join(&lost)).unwrap();
    let begins = copy("begins");
    let spool = begins.join("ledger/spool").join(&lost);
    let mut bytes = fs::read(&spool).unwrap();
    bytes[20] ^= 1;
    fs::write(&spool, bytes).unwrap();
    assert_eq!(judged(&gone), (Verdict::Altered, 3));
    assert_eq!(judged(&begins), (Verdict::Altered, 3));

    // Sealed by the next start, all of it is tapes.
    let ledger = open(root).await.unwrap();
    assert_eq!(recover(&ledger, &ann()).await.unwrap().len(), 2);
    ledger.close().await.unwrap();
    assert_eq!(judged(root), (Verdict::Intact, 0), "recovered");
}

//! Long tapes sealed on a thread of their own and on the caller's: the same tapes either way.

use immutape::codec::digest::sha256;
use immutape::evidence::Verdict;
use immutape::interchange::{ImportOptions, Importer};
use immutape::ledger::{CheckOptions, FrameSelection, Ledger, SaveOptions, SaveReceipt, TapeSaver};
use immutape::tape::{Frame, Header};

use crate::support::ledgers::{ann, create};

/// Frames of a tape of four chunks, the last of them not full.
const FRAMES: u64 = 3_100;

/// A tape of its own for each number.
fn tape(number: usize) -> (Vec<Frame>, Header) {
    tape_with(number, |_| String::new())
}

/// A tape with more words in each frame.
fn tape_with(number: usize, words: impl Fn(u64) -> String) -> (Vec<Frame>, Header) {
    let lines: String = (0..FRAMES)
        .map(|n| {
            let words = words(n);
            format!("{{\"jsonrpc\":\"2.0\",\"method\":\"turn\",\"params\":{{\"tape\":{number},\"n\":{n},\"words\":\"{words}\"}}}}\n")
        })
        .collect();
    let mut importer = Importer::open(lines.as_bytes(), ImportOptions::default()).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = importer.next_frame().unwrap() {
        frames.push(frame);
    }
    (frames, importer.finish().unwrap())
}

async fn begin(ledger: &Ledger) -> TapeSaver {
    ledger.begin_save(&ann(), SaveOptions::default()).await.unwrap()
}

async fn save(ledger: &Ledger, (frames, header): &(Vec<Frame>, Header)) -> SaveReceipt {
    let mut saver = begin(ledger).await;
    frames.iter().for_each(|frame| saver.frame(frame).unwrap());
    saver.finish(header.clone()).await.unwrap()
}

/// There are as many threads for sealing as cores; one tape more than that is sealed by its caller.
#[tokio::test]
async fn with_a_thread_and_without() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let cores = std::thread::available_parallelism().unwrap().get();
    let tapes: Vec<_> = (0..=cores).map(tape).collect();
    let mut savers = Vec::new();
    for (frames, _) in &tapes {
        let mut saver = begin(&ledger).await;
        // Past the first chunk, where a thread is taken if there is one, and kept.
        frames[..1_500].iter().for_each(|frame| saver.frame(frame).unwrap());
        savers.push(saver);
    }
    let mut kept = Vec::new();
    for (mut saver, (frames, header)) in savers.into_iter().zip(&tapes) {
        frames[1_500..].iter().for_each(|frame| saver.frame(frame).unwrap());
        kept.push(saver.finish(header.clone()).await.unwrap());
    }
    for (receipt, tape) in kept.iter().zip(&tapes) {
        assert!(!receipt.already_kept);
        let reader = ledger.open_tape(&ann(), &receipt.tape.to_hex(), None).await.unwrap();
        assert_eq!(reader.collect(FrameSelection::All).unwrap(), tape.0);
    }
    // Now each finds a thread, and the content is the one that was kept, however that was sealed.
    for (receipt, tape) in kept.iter().zip(&tapes) {
        let again = save(&ledger, tape).await;
        assert!(again.already_kept);
        assert_eq!((again.tape, again.custody), (receipt.tape, receipt.custody));
    }
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    let roots = report.checks.iter().find(|check| check.name == "tape roots").unwrap();
    assert_eq!((roots.checked, roots.wrong), (cores as u64 + 1, 0));
    ledger.close().await.unwrap();
}

/// Chunks so long that they are handed on in parts: with a thread and without, of words that repeat and of some that do
/// not. What is kept already is not stored again, but for chunks that were full before that was known.
#[tokio::test]
async fn chunks_of_several_parts() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let cores = std::thread::available_parallelism().unwrap().get();
    let noise = |n: u64| (0..9u64).map(|k| hex::encode(sha256(&[n, k].map(u64::to_be_bytes).concat()))).collect();
    let tapes = [tape_with(0, |n| "once more ".repeat(n as usize % 130)), tape_with(1, noise)];
    let mut kept = Vec::new();
    for others in [0, cores] {
        let mut seats = Vec::new();
        for number in 0..others {
            let mut saver = begin(&ledger).await;
            tape(number + 7).0[..1_500].iter().for_each(|frame| saver.frame(frame).unwrap());
            seats.push(saver);
        }
        for (number, (frames, header)) in tapes.iter().enumerate() {
            // A frame more makes it another content.
            let frames = &frames[..frames.len() - others];
            let receipt = save(&ledger, &(frames.to_vec(), header.clone())).await;
            assert!(!receipt.already_kept && receipt.stored_bytes > [20_000, 900_000][number]);
            let reader = ledger.open_tape(&ann(), &receipt.tape.to_hex(), None).await.unwrap();
            assert_eq!(reader.collect(FrameSelection::All).unwrap(), frames);
            kept.push(receipt.tape);
        }
    }
    for (receipt, tape) in kept.iter().zip(&tapes) {
        let again = save(&ledger, tape).await;
        assert!(again.already_kept && again.tape == *receipt);
    }
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    ledger.close().await.unwrap();
}

/// A saver that is dropped half way leaves nothing behind but objects without a key, and gives its thread back.
#[tokio::test]
async fn dropped_half_way() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let long = tape(0);
    let cores = std::thread::available_parallelism().unwrap().get();
    for _ in 0..=cores {
        let mut saver = begin(&ledger).await;
        long.0[..2_500].iter().for_each(|frame| saver.frame(frame).unwrap());
    }
    assert!(!save(&ledger, &long).await.already_kept);
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    let left = report.findings.iter().find(|f| f.what.contains("belong to no tape")).unwrap();
    assert!(left.what.starts_with(&(2 * (cores + 1)).to_string()), "{}", left.what);
    ledger.close().await.unwrap();
}

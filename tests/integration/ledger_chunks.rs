//! Tapes of several chunks: any part of one is found by number and by time, at the cost of the chunks it lies in; and frames
//! that are too long for one.

use immutape::Code;
use immutape::interchange::PayloadWriter;
use immutape::ledger::{FrameSelection, SaveOptions, TapeReader};
use immutape::tape::{Direction, Frame, Header, TapeKind, flags};

use crate::support::ledgers::{ann, create};

/// Four chunks of a thousand frames, the last not full; a frame each millisecond.
const FRAMES: u64 = 3_100;

fn frame(n: u64) -> Frame {
    let mut frame = Frame::message(n, Direction::ClientToServer, format!("{{\"n\":{n}}}").into_bytes());
    frame.t_ns = Some(n * 1_000_000);
    frame
}

async fn save(ledger: &immutape::ledger::Ledger, frames: impl Iterator<Item = Frame>) -> String {
    let mut saver = ledger.begin_save(&ann(), SaveOptions::default()).await.unwrap();
    for frame in frames {
        saver.frame(&frame).unwrap();
    }
    saver.finish(Header::new(TapeKind::Mcp)).await.unwrap().tape.to_hex()
}

fn numbers(reader: &TapeReader, selection: FrameSelection) -> Vec<u64> {
    reader.collect(selection).unwrap().iter().map(|f| f.seq).collect()
}

#[tokio::test]
async fn any_run_of_frames_is_found_across_chunks() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let id = save(&ledger, (0..FRAMES).map(frame)).await;
    let reader = ledger.open_tape(&ann(), &id, None).await.unwrap();
    let runs =
        [(0, 0), (999, 999), (999, 1_000), (1_000, 1_000), (990, 2_010), (2_999, 3_000), (3_099, 3_099), (0, 3_099)];
    for (first, last) in runs {
        let expected: Vec<u64> = (first..=last).collect();
        assert_eq!(numbers(&reader, FrameSelection::Seq(first, last)), expected, "{first}..{last}");
        let time = FrameSelection::Time(first * 1_000_000, last * 1_000_000 + 999_999);
        assert_eq!(numbers(&reader, time), expected, "{first} ms to {last} ms");
    }
    assert_eq!(numbers(&reader, FrameSelection::Time(999_000_001, 999_999_999)), [0; 0], "between two frames");
    assert_eq!(reader.collect(FrameSelection::Seq(3_099, 3_100)).unwrap_err().code(), Code::NoFrame);
    // A grant of some frames gives those of a time, and no others.
    let some = ledger.open_tape(&ann(), &id, Some((1_998, 2_001))).await.unwrap();
    assert_eq!(numbers(&some, FrameSelection::Time(0, u64::MAX)), [1_998, 1_999, 2_000, 2_001]);
    drop((reader, some));
    ledger.close().await.unwrap();
}

/// Whoever asks for part of a tape reads the chunks of that part: another one is damaged here, and nobody notices.
#[tokio::test]
async fn a_part_costs_the_chunks_it_lies_in() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let id = save(&ledger, (0..FRAMES).map(frame)).await;
    let pack = folder.path().join("ledger/packs/00000001.pack");
    let mut bytes = std::fs::read(&pack).unwrap();
    // The first chunk is the first record behind the pack's own header.
    bytes[2_000] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let reader = ledger.open_tape(&ann(), &id, None).await.unwrap();
    assert_eq!(numbers(&reader, FrameSelection::Seq(1_000, 1_002)), [1_000, 1_001, 1_002]);
    assert_eq!(numbers(&reader, FrameSelection::Time(2_500_000_000, 2_500_000_000)), [2_500]);
    for hit in [FrameSelection::Seq(999, 1_000), FrameSelection::Time(0, 0), FrameSelection::All] {
        assert_eq!(reader.collect(hit).unwrap_err().code(), Code::TapeDamaged, "{hit:?}");
    }
    drop(reader);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_frame_that_is_too_long_becomes_several_and_comes_out_in_one_piece() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut saver = ledger.begin_save(&ann(), SaveOptions::default()).await.unwrap();
    let mut long = frame(0);
    long.payload = (0..(33u32 << 20)).map(|n| (n / 7) as u8).collect();
    saver.frame(&long).unwrap();
    assert_eq!(saver.frames(), 3);
    assert_eq!(saver.frame(&frame(1)).unwrap_err().code(), Code::Usage, "numbers go on from the pieces");
    let mut saver = ledger.begin_save(&ann(), SaveOptions::default()).await.unwrap();
    saver.frame(&long).unwrap();
    saver.frame(&frame(3)).unwrap();
    let id = saver.finish(Header::new(TapeKind::Mcp)).await.unwrap().tape.to_hex();

    let reader = ledger.open_tape(&ann(), &id, None).await.unwrap();
    let mut out = PayloadWriter::new(Vec::new());
    let mut seen = Vec::new();
    reader
        .frames(FrameSelection::All, &mut |frame| {
            seen.push((frame.seq, frame.payload.len(), frame.flags, frame.t_ns));
            out.frame(&frame)
        })
        .unwrap();
    let continued = flags::CONTINUED;
    assert_eq!(
        seen[..3],
        [(0, 16 << 20, continued, Some(0)), (1, 16 << 20, continued, Some(0)), (2, 1 << 20, 0, Some(0))]
    );
    assert_eq!(seen.len(), 4);
    let out = out.finish().unwrap();
    let mut expected = long.payload.clone();
    expected.extend_from_slice(&frame(3).payload);
    assert!(out == expected, "every byte is there, in one piece");
    drop(reader);
    ledger.close().await.unwrap();
}

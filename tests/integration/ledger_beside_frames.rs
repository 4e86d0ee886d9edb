//! What a save keeps beside the frames, and what leaves into files: the source byte for byte, amendments, exports.

use immutape::Code;
use immutape::codec::digest::{Digest, sha256};
use immutape::evidence::Verdict;
use immutape::ledger::{Amends, CheckOptions, ExportedFile, FrameSelection, Ledger, SaveOptions, TapeReader};
use immutape::log::{Body, EntryKind, export_commitment};
use immutape::tape::{Direction, Frame, Header, Provenance, TapeKind};

use crate::support::ledgers::{ann, create, open, save_tape};
use crate::support::skipped;
use crate::support::tamper::auditor;

/// Longer than one piece of an attachment, and not a multiple of it.
fn source() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..9_000_001).map(|_| next()).collect()
}

fn header(source: &[u8]) -> Header {
    let source_sha256 = Some(Digest::from_bytes(sha256(source)));
    let provenance = Provenance { format: Some("test".into()), source_sha256, ..Provenance::default() };
    Header { provenance: Some(provenance), ..Header::new(TapeKind::Other) }
}

async fn save(
    ledger: &Ledger,
    options: SaveOptions,
    source: &[u8],
    given: &[u8],
) -> immutape::Result<immutape::ledger::SaveReceipt> {
    let mut saver = ledger.begin_save(&ann(), options).await?;
    saver.frame(&Frame::message(0, Direction::Unknown, b"a frame".to_vec()))?;
    saver.finish_with(header(source), Some(&mut &*given)).await
}

fn read_source(reader: &TapeReader) -> immutape::Result<Vec<u8>> {
    let mut out = Vec::new();
    reader.source(&mut |piece| {
        out.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(out)
}

#[tokio::test]
async fn a_source_comes_back_byte_for_byte_and_is_checked_like_frames() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let source = source();
    let receipt = save(&ledger, SaveOptions::default(), &source, &source).await.unwrap();
    let empty = save(&ledger, SaveOptions::default(), b"", b"").await.unwrap();
    let id = receipt.tape.to_hex();
    // Rows that are built anew know the pieces too.
    ledger.close().await.unwrap();
    std::fs::remove_dir_all(folder.path().join("ledger/index")).unwrap();
    let ledger = open(folder.path()).await.unwrap();
    let reader = ledger.open_tape(&ann(), &id, None).await.unwrap();
    assert_eq!(reader.source_bytes(), Some(9_000_001));
    assert!(read_source(&reader).unwrap() == source);
    assert_eq!(reader.bytes_given(), 9_000_001);
    reader.finish().await.unwrap();
    let reader = ledger.open_tape(&ann(), &empty.tape.to_hex(), None).await.unwrap();
    assert_eq!((reader.source_bytes(), read_source(&reader).unwrap()), (Some(0), vec![]));
    reader.finish().await.unwrap();
    // A range of frames is on record, so no more than that leaves.
    let part = ledger.open_tape(&ann(), &id, Some((0, 0))).await.unwrap();
    assert_eq!(read_source(&part).unwrap_err().code(), Code::NotPermitted);
    part.finish().await.unwrap();
    let without = save_tape(&ledger, "sqlite-crash").await.unwrap();
    let reader = ledger.open_tape(&ann(), &without.tape.to_hex(), None).await.unwrap();
    assert_eq!((reader.source_bytes(), read_source(&reader).unwrap_err().code()), (None, Code::NotFound));
    reader.finish().await.unwrap();
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    ledger.close().await.unwrap();

    let pack = folder.path().join("ledger/packs/00000001.pack");
    let mut bytes = std::fs::read(&pack).unwrap();
    bytes[6_000_000] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let ledger = open(folder.path()).await.unwrap();
    let reader = ledger.open_tape(&ann(), &id, None).await.unwrap();
    assert_eq!(read_source(&reader).unwrap_err().code(), Code::TapeDamaged);
    reader.frames(FrameSelection::All, &mut |_| Ok(())).expect("the frames are whole");
    reader.finish().await.unwrap();
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    let hit = report.findings.iter().find(|f| f.place == "attachment 0").unwrap();
    assert_eq!((report.verdict(), hit.tape), (Verdict::Altered, Some(receipt.tape)));
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn other_bytes_than_were_imported_are_no_source() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let before = ledger.size();
    assert_eq!(save(&ledger, SaveOptions::default(), b"one", b"two").await.unwrap_err().code(), Code::Usage);
    assert_eq!(ledger.size(), before, "nothing was committed");
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn an_amendment_stands_on_both_tapes() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let old = save_tape(&ledger, "git-policies").await.unwrap();
    let amends = |tape: &str| SaveOptions::default().amends(Some(Amends::new(tape, "the last answer was missing")));
    let new = save(&ledger, amends(&old.tape.to_hex()[..8]), b"x", b"x").await.unwrap();
    assert_eq!(ledger.metadata(&ann(), &new.tape.to_hex()).await.unwrap().header.amends, Some(old.tape));
    let (report, _) = ledger.custody(&ann(), &old.tape.to_hex()).await.unwrap();
    let event = report.events.iter().find(|e| e.kind == EntryKind::AMENDED).unwrap();
    assert_eq!((event.index, &event.body), (new.entry + 1, &Body::Amended { by: new.custody }));
    let words = event.private.as_ref().unwrap().words.clone();
    assert_eq!(words.as_deref(), Some(&b"the last answer was missing"[..]));
    assert_eq!(save(&ledger, amends("ffff"), b"y", b"y").await.unwrap_err().code(), Code::NotFound);

    // The same once more: nothing is stored, and what is said of the amended tape, with its reason, is on record again.
    let options = SaveOptions::default().amends(Some(Amends::new(old.tape.to_hex(), "said to the auditor")));
    let again = save(&ledger, options, b"x", b"x").await.unwrap();
    assert_eq!((again.already_kept, again.custody, ledger.size()), (true, new.custody, again.entry + 2));
    let (report, _) = ledger.custody(&ann(), &old.tape.to_hex()).await.unwrap();
    let amended: Vec<_> = report.events.iter().filter(|e| e.kind == EntryKind::AMENDED).collect();
    let last = amended[1];
    assert_eq!((amended.len(), last.index, &last.body), (2, again.entry + 1, &Body::Amended { by: new.custody }));
    let half = last.private.as_ref().unwrap();
    assert_eq!((half.words.as_deref(), half.tape_id), (Some(&b"said to the auditor"[..]), Some(old.tape)));
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    ledger.close().await.unwrap();
    // Who checks it with other tools, and without a key, takes the entries as well.
    if !auditor::is_here() {
        return skipped("the Python auditor is not here");
    }
    let keys = folder.path().join("config");
    let pins = ["checkpoint.pem", "recorder.pem"].map(|name| auditor::key(&keys.join(name)));
    assert_eq!(auditor::exit_code(folder.path(), &pins), 0);
}

#[tokio::test]
async fn what_left_in_a_file_is_committed_to_and_opens_for_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let receipt = save_tape(&ledger, "sqlite-claims").await.unwrap();
    let reader = ledger.open_tape(&ann(), &receipt.tape.to_hex(), None).await.unwrap();
    let mut file = Vec::new();
    reader
        .frames(FrameSelection::All, &mut |frame| {
            file.extend(frame.payload);
            Ok(())
        })
        .unwrap();
    let sha256 = Digest::from_bytes(sha256(&file));
    let exported = ExportedFile::new(sha256, "raw").recipient("court".to_owned());
    let given = reader.bytes_given();
    let entry = reader.finish_export(&exported).await.unwrap();
    let (log, _) = ledger.log(&ann(), entry..entry + 2).await.unwrap();
    let half = log[0].private.as_ref().unwrap();
    let (salt, digest) = half.exported.unwrap();
    assert_eq!((digest, half.bytes, half.recipient.as_deref()), (sha256, Some(given), Some(&b"court"[..])));
    assert_eq!(log[0].body, Body::Exported { commitment: export_commitment(&salt, &sha256) });
    assert_eq!(log[1].kind, EntryKind::ACCESS_COMPLETED);
    ledger.close().await.unwrap();
}

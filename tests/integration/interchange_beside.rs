//! A version 2.0 tape and the file beside it (`.extra.jsonl`) come back in as one tape; two files that do not go together
//! are refused, or told.

use immutape::interchange::{BesideInput, ImportOptions, Importer};
use immutape::tape::{Delimiter, Direction, Frame, FrameKind, Header, TapeKind};
use immutape::{Code, Result};

use crate::interchange_export::{Files, v2};
use crate::interchange_real::losses;

/// Reads both files, and the metadata.
pub fn import_both(files: &Files) -> Result<(Vec<Frame>, Header)> {
    let companion = files.exported.companion.clone();
    let beside: Option<BesideInput> =
        (!files.beside.is_empty()).then(|| Box::new(std::io::Cursor::new(files.beside.clone())) as BesideInput);
    let options = ImportOptions::default().companion(companion);
    let mut importer = Importer::open_with(files.file.as_slice(), beside, options)?;
    let mut frames = Vec::new();
    while let Some(frame) = importer.next_frame()? {
        assert_eq!(frame.seq, frames.len() as u64, "numbers are dense");
        frames.push(frame);
    }
    importer.finish().map(|header| (frames, header))
}

/// A session of which the frames 1, 2 and 4 cannot stand on a line, with a line that was no frame.
fn session() -> (Header, Vec<Frame>) {
    let message = |seq: u64, payload: &[u8]| Frame {
        t_ns: Some(seq * 2_000_000),
        delimiter: Delimiter::Lf,
        ..Frame::message(seq, Direction::ClientToServer, payload.to_vec())
    };
    let frames = vec![
        message(0, br#"{"jsonrpc":"2.0","id":1,"method":"a"}"#),
        message(1, b"\xff\x00 binary"),
        Frame { kind: FrameKind::Stderr, ..message(2, br#"{"jsonrpc":"2.0","id":9,"method":"no request"}"#) },
        Frame { direction: Direction::ServerToClient, ..message(3, br#"{"jsonrpc":"2.0","id":1,"result":{}}"#) },
        message(4, b"{\n}"),
    ];
    let header = Header {
        started_wall_ns: Some(1_795_169_821_000_000_000),
        ended_wall_ns: Some(1_795_169_821_008_000_000),
        unsaved_lines: vec![(3, b"no frame \xfe".to_vec())],
        ..Header::new(TapeKind::Mcp)
    };
    (header, frames)
}

#[test]
fn both_files_are_one_tape_again_and_leave_the_same_for_ever() {
    let (header, frames) = session();
    let files = v2(&header, &frames);
    assert_eq!(files.exported.beside, 4);
    let (again, header_again) = import_both(&files).unwrap();
    assert_eq!(again, frames);
    assert_eq!(header_again.unsaved_lines, header.unsaved_lines);
    assert_eq!(header_again.gaps, [], "no number is missing");
    let stats = &header_again.stats;
    assert_eq!((stats.frames, stats.requests, stats.correlations, stats.duration_ms), (5, 1, 1, Some(8)));
    let sha256 = hex::encode(immutape::codec::digest::sha256(&files.beside));
    let told = format!(
        "3 frames and 1 unsaved line come from the file beside it (.extra.jsonl): {} bytes, sha256:{sha256}",
        files.beside.len()
    );
    assert_eq!(losses(&header_again), [told], "and the metadata, checkpoint and correlation agree");
    let once = v2(&header_again, &again);
    assert!(once.file == files.file && once.beside == files.beside, "it leaves as it came");
    assert_eq!(
        String::from_utf8(once.exported.companion.unwrap()),
        String::from_utf8(files.exported.companion.unwrap())
    );
}

#[test]
fn a_part_with_a_file_beside_it_begins_with_its_gap() {
    let (header, frames) = session();
    let files = v2(&header, &frames[2..]);
    let (again, part) = import_both(&files).unwrap();
    assert_eq!(
        again.iter().map(|f| &f.payload).collect::<Vec<_>>(),
        frames[2..].iter().map(|f| &f.payload).collect::<Vec<_>>()
    );
    assert_eq!(part.gaps.iter().map(|g| (g.before_seq, g.count)).collect::<Vec<_>>(), [(0, 2)]);
}

/// What is said of two files, an error's code or the losses beyond those of honest ones.
fn told(files: &Files, honest: &[String]) -> std::result::Result<Vec<String>, Code> {
    match import_both(files) {
        Ok((_, header)) => Ok(losses(&header).iter().filter(|l| !honest.contains(l)).cloned().collect()),
        Err(e) => {
            assert!(e.message().contains(".extra.jsonl") && e.hint().is_some(), "{e:?}");
            Err(e.code())
        }
    }
}

#[test]
fn no_cut_and_no_change_of_the_file_beside_is_silent() {
    let (header, frames) = session();
    let files = || v2(&header, &frames);
    let honest = losses(&import_both(&files()).unwrap().1).to_vec();
    let whole = files().beside;
    for len in 1..whole.len() {
        let cut = Files { beside: whole[..len].to_vec(), ..files() };
        let told = told(&cut, &honest);
        // Without its last line end alone all records are there, and the metadata tells.
        let is_told = match &told {
            Ok(losses) => len == whole.len() - 1 && losses.iter().any(|l| l.contains("CHECKSUM DIFFERS")),
            Err(code) => [Code::TruncatedInput, Code::NotATape].contains(code),
        };
        assert!(is_told, "cut at {len}: {told:?}");
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        let told = told(&Files { beside: changed, ..files() }, &honest);
        assert!(
            told.as_ref().map_or(true, |losses| losses.iter().any(|l| l.contains("CHECKSUM DIFFERS"))),
            "{at}: {told:?}"
        );
    }
    let lines: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
    for without in 0..lines.len() {
        let rest: Vec<&[u8]> = lines.iter().enumerate().filter(|(n, _)| *n != without).map(|(_, l)| *l).collect();
        let told = told(&Files { beside: rest.concat(), ..files() }, &honest);
        assert!(told.as_ref().map_or(true, |losses| losses.len() >= 3), "line {without}: {told:?}");
        assert_eq!(told.is_ok(), without == 1, "frames that are missing are an error, of a line the metadata tells");
    }
}

#[test]
fn files_that_do_not_go_together() {
    let (header, frames) = session();
    let files = || v2(&header, &frames);
    let honest = losses(&import_both(&files()).unwrap().1).to_vec();
    // Gone: the metadata tells, and the numbers show it.
    let alone = Files { beside: Vec::new(), ..files() };
    let (_, header_alone) = import_both(&alone).unwrap();
    assert!(
        losses(&header_alone).iter().any(|l| l.ends_with("(.extra.jsonl) with 4 records, which was not given")),
        "{:?}",
        losses(&header_alone)
    );
    assert_eq!(header_alone.gaps.len(), 1);
    // Another tape's, with as many frames.
    let other: Vec<Frame> =
        frames.iter().map(|f| Frame { payload: [b" ", f.payload.as_slice()].concat(), ..f.clone() }).collect();
    let foreign = Files { beside: v2(&header, &other).beside, ..files() };
    assert_eq!(told(&foreign, &honest), Err(Code::NotATape));
    // A frame more in the tape itself than both should have.
    let text = String::from_utf8(files().file).unwrap();
    let frame = text.lines().find(|l| l.contains("\"result\"")).unwrap();
    let longer = Files { file: text.replace(frame, &format!("{frame}\n{frame}")).into_bytes(), ..files() };
    assert_eq!(told(&longer, &honest), Err(Code::NotATape));
    // Its name for the tape is another one's.
    let id = "07".repeat(32);
    let renamed = String::from_utf8(files().beside).unwrap().replace(&id, &"08".repeat(32)).into_bytes();
    assert_ne!(renamed, files().beside);
    let said = told(&Files { beside: renamed, ..files() }, &honest).unwrap();
    assert!(said.iter().any(|l| l.contains("names another tape")), "{said:?}");
}

#[test]
fn frames_as_long_as_can_be_come_back() {
    let frames = [
        Frame::message(0, Direction::Unknown, vec![0xff; 16 << 20]),
        Frame { delimiter: Delimiter::Lf, ..Frame::message(1, Direction::Unknown, b"{}".to_vec()) },
    ];
    let files = v2(&Header::new(TapeKind::Other), &frames);
    let (again, _) = import_both(&files).unwrap();
    assert!(again == frames);
}

#[test]
fn a_source_of_another_format_has_no_use_for_it() {
    let beside: BesideInput = Box::new(&b"whatever it is"[..]);
    let source = &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}\n"[..];
    let mut importer = Importer::open_with(source, Some(beside), ImportOptions::default()).unwrap();
    assert!(importer.is_beside_unread());
    while importer.next_frame().unwrap().is_some() {}
    let header = importer.finish().unwrap();
    assert_eq!(
        losses(&header),
        ["the file beside it (.extra.jsonl) was not read: such a file goes with a version 2.0 tape"]
    );
}

//! Tapes leave as version 2.0 files: the captured ones byte for byte as they came, every other one so that the files
//! together give all frames back.

use immutape::codec::digest::{TapeId, sha256};
use immutape::interchange::{BesideRecord, ExportFormat, Exported, Exporter, ImportOptions, Scope, read_beside};
use immutape::tape::{Delimiter, Direction, EndState, Frame, FrameKind, Header, Provenance, TapeKind, flags};
use immutape::{Code, Result};
use proptest::prelude::*;
use serde_json::Value;

use crate::interchange_beside::import_both;
use crate::interchange_real::{data, import, losses};
use crate::properties::arbitrary;
use crate::support::ledgers::TAPES;

pub fn scope(frames: &[Frame]) -> Scope {
    let first = frames.first().map_or(0, |f| f.seq);
    Scope::new(TapeId::from_bytes([7; 32]), first, frames.len() as u64)
}

/// The files of an export.
pub struct Files {
    pub file: Vec<u8>,
    pub beside: Vec<u8>,
    pub exported: Exported,
}

pub fn export(format: ExportFormat, header: &Header, frames: &[Frame]) -> Result<Files> {
    let (mut file, mut beside) = (Vec::new(), Vec::new());
    let mut exporter = Exporter::begin(format, scope(frames), header, &mut file, Some(&mut beside))?;
    frames.iter().try_for_each(|f| exporter.frame(f))?;
    let exported = exporter.finish()?;
    Ok(Files { file, beside, exported })
}

pub fn v2(header: &Header, frames: &[Frame]) -> Files {
    export(ExportFormat::TapeV2Jsonl, header, frames).unwrap()
}

fn captured(name: &str) -> (Vec<Frame>, Header) {
    let companion = Some(data(&format!("{name}.meta.json")));
    import(&data(&format!("{name}.jsonl")), ImportOptions::default().companion(companion)).unwrap()
}

/// The frames of both files, in the order of the tape, by the rule of the manual.
fn together(files: &Files) -> (Vec<Frame>, Header, Vec<(u64, Vec<u8>)>) {
    let companion = files.exported.companion.clone();
    let (frames, header) = import(&files.file, ImportOptions::default().companion(companion)).unwrap();
    let mut frames = frames.into_iter();
    let (mut all, mut lines, mut head) = (Vec::new(), Vec::new(), None);
    for line in std::str::from_utf8(&files.beside).unwrap().lines() {
        match read_beside(line).unwrap() {
            BesideRecord::Head(scope) => assert!(head.replace(scope).is_none() && all.is_empty()),
            BesideRecord::Line(number, bytes) => lines.push((number, bytes)),
            BesideRecord::Frame(frame) => {
                let next = head.unwrap().first + all.len() as u64;
                all.extend((next..frame.seq).map(|seq| Frame { seq, ..frames.next().unwrap() }));
                all.push(*frame);
            }
            other => panic!("{other:?}"),
        }
    }
    let next = head.map_or(0, |h| h.first) + all.len() as u64;
    all.extend((next..).zip(frames).map(|(seq, f)| Frame { seq, ..f }));
    (all, header, lines)
}

#[test]
fn captured_tapes_leave_as_they_came() {
    for name in TAPES {
        let (frames, header) = captured(name);
        let files = v2(&header, &frames);
        assert_eq!(String::from_utf8(files.file).unwrap(), String::from_utf8(data(&format!("{name}.jsonl"))).unwrap());
        let companion = String::from_utf8(files.exported.companion.unwrap()).unwrap();
        assert_eq!(companion, String::from_utf8(data(&format!("{name}.meta.json"))).unwrap(), "{name}");
        assert_eq!((files.exported.beside, files.beside.len()), (0, 0), "{name}");
        assert_eq!(files.exported.losses, [] as [&str; 0], "{name}");
    }
}

#[test]
fn what_an_import_kept_of_the_source_goes_back_to_its_place() {
    let source = concat!(
        r#"{"type":"init","version":"2.1","tape_id":"t","session_id":"s","created_at":"2026-11-20T10:19:04+00:00","x":{"y": 1}}"#,
        "\n",
        r#"{"type":"frame","seq":3,"ts":5,"dir":"ClientToServer","env":{"message":{"id":1,"method":"a"},"timestamp":"2026-11-20T11:19:04.0+01:00","session_id":"other","z":null},"action":"continue","flags":{"odd":true,"synthetic":true},"more":[1]}"#,
        "\n\n",
        r#"{"type":"frame","seq":4,"env":{"message":{"id":1,"result":{}},"direction":"server_to_client"},"dir":"sideways"}"#,
        "\nnot json\n",
        r#"{"type":"frame","seq":4,"ts":9,"dir":"internal","env":{"message":7}}"#,
        "\n",
    );
    let (frames, header) = import(source.as_bytes(), ImportOptions::default()).unwrap();
    let files = v2(&header, &frames);
    let lines: Vec<&str> = std::str::from_utf8(&files.file).unwrap().lines().collect();
    assert_eq!(
        lines[..6],
        [
            r#"{"type":"init","version":"2.1","tape_id":"t","session_id":"s","created_at":"2026-11-20T10:19:04+00:00","x":{"y": 1}}"#,
            r#"{"type":"frame","seq":3,"ts":5,"dir":"client_to_server","env":{"message":{"id":1,"method":"a"},"direction":"client_to_server","timestamp":"2026-11-20T11:19:04.0+01:00","session_id":"other","z":null},"action":"continue","flags":{"is_error":false,"is_notification":false,"requires_response":false,"synthetic":true,"odd":true},"more":[1]}"#,
            // The time of this one was inferred, so it is not written as if the source had said it.
            r#"{"dir":"sideways","type":"frame","seq":4,"dir":"server_to_client","env":{"message":{"id":1,"result":{}},"direction":"server_to_client","session_id":"s"},"flags":{"is_error":false,"is_notification":false,"requires_response":false}}"#,
            r#"{"type":"correlation","id":"corr-3-4","request_seq":3,"response_seq":4,"request_ts":5,"response_ts":5,"rtt_ms":0,"status":"success"}"#,
            r#"{"type":"frame","seq":4,"ts":9,"dir":"internal","env":{"message":7,"direction":"internal","session_id":"s"},"flags":{"is_error":false,"is_notification":false,"requires_response":false}}"#,
            r#"{"type":"checkpoint","checkpoint_at":"2026-11-20T10:19:04.000Z","seq":4,"stats":{"frame_count":3,"duration_ms":9,"message_counts":{"client_to_server":1,"server_to_client":1},"error_count":0,"correlation_count":1}}"#,
        ]
    );
    let (again, header_again, kept) = together(&files);
    assert_eq!((sorted(again), &header_again.gaps, &header_again.extra), (sorted(frames), &header.gaps, &header.extra));
    assert_eq!(kept, header.unsaved_lines);
    assert_eq!(kept.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [3, 5]);
}

/// With the fields that have no place of their own in an order of no meaning.
fn sorted(mut frames: Vec<Frame>) -> Vec<Frame> {
    frames.iter_mut().for_each(|f| f.extra.sort());
    frames
}

/// Payloads that make trouble, and whether each can stand on a line.
fn hostile() -> Vec<(Vec<u8>, bool)> {
    let text = |t: &str, fits| (t.as_bytes().to_vec(), fits);
    vec![
        text("{\"a\":\"\u{2028}\u{2029}\u{85}\u{202e}\u{feff}\"}", true),
        text(r#"{"a":"\u0000\ud800","a":1e999,"a":-0.0}"#, true),
        text(r#""},\"type\":\"init""#, true),
        text("null", true),
        text("[[[]]]", true),
        text(&"[".repeat(5_000), false),
        text(&format!("{}{}", "[".repeat(5_000), "]".repeat(5_000)), true),
        text("{\n}", false),
        text("{\r}", false),
        text(" {}", false),
        text("{} ", false),
        text("\u{feff}{}", false),
        text("hello", false),
        text("", false),
        text("{}}", false),
        (b"{\"a\":\"\0\"}".to_vec(), false),
        (b"\"\xff\"".to_vec(), false),
        (vec![0; 100], false),
    ]
}

#[test]
fn hostile_payloads_come_back_from_one_file_or_the_other() {
    let message = |(seq, (payload, _)): (u64, (Vec<u8>, bool))| Frame {
        t_ns: Some(seq * 1_500_000),
        wall_ns: Some(1_795_169_821_000_000_001 + seq),
        delimiter: Delimiter::Lf,
        ..Frame::message(seq, Direction::ClientToServer, payload)
    };
    let mut frames: Vec<Frame> = (0..).zip(hostile()).map(message).collect();
    let fits: Vec<bool> = hostile().into_iter().map(|(_, fits)| fits).collect();
    // No messages, but lawful JSON.
    let seq = frames.len() as u64;
    frames.push(Frame { kind: FrameKind::Stderr, ..Frame::message(seq, Direction::Internal, b"{}".to_vec()) });
    frames.push(Frame { flags: flags::CONTINUED, ..Frame::message(seq + 1, Direction::Unknown, b"1".to_vec()) });
    frames.push(Frame {
        media_type: Some(b"a/b".to_vec()),
        ..Frame::message(seq + 2, Direction::Unknown, b"2".to_vec())
    });
    let header = Header { started_wall_ns: Some(1_795_169_821_000_000_000), ..Header::new(TapeKind::Mcp) };
    let files = v2(&header, &frames);
    let (again, _, _) = together(&files);
    assert_eq!(again.len(), frames.len());
    for (a, b) in again.iter().zip(&frames) {
        assert_eq!((a.seq, a.kind, a.direction, &a.payload), (b.seq, b.kind, b.direction, &b.payload));
        assert_eq!((a.wall_ns, a.t_ns.map(|t| t / 1_000_000)), (b.wall_ns, b.t_ns.map(|t| t / 1_000_000)), "{}", a.seq);
    }
    let stands = |seq: usize| !beside_seqs(&files).contains(&(seq as u64));
    for (seq, fits) in fits.iter().enumerate() {
        assert_eq!(stands(seq), *fits, "{seq}: {:?}", String::from_utf8_lossy(&frames[seq].payload).get(..40));
    }
    assert_eq!(beside_seqs(&files).iter().rev().take(3).collect::<Vec<_>>(), [&(seq + 2), &(seq + 1), &seq]);
    // A gap in the numbers tells a reader of the one file that something is missing from it.
    let (alone, header) = import(&files.file, ImportOptions::default()).unwrap();
    assert_eq!(alone.len() + beside_seqs(&files).len(), frames.len());
    assert_eq!(
        header.gaps.iter().map(|g| g.count).sum::<u64>() + 3 + trailing(&fits),
        beside_seqs(&files).len() as u64
    );
    assert!(files.exported.losses.iter().any(|l| l.contains("cut to it")), "{:?}", files.exported.losses);
}

/// How many at the end do not fit: no number after them shows that they are missing.
fn trailing(fits: &[bool]) -> u64 {
    fits.iter().rev().take_while(|fits| !**fits).count() as u64
}

fn beside_seqs(files: &Files) -> Vec<u64> {
    let lines = std::str::from_utf8(&files.beside).unwrap().lines();
    let values = lines.map(|l| serde_json::from_str::<Value>(l).unwrap());
    values.filter(|v| v["type"] == "extra_frame").map(|v| v["seq"].as_u64().unwrap()).collect()
}

#[test]
fn the_longest_message_stands_beside_and_the_longest_line_in_the_file() {
    let json = |bytes: usize| [b"\"".as_slice(), &vec![b'x'; bytes - 2], b"\""].concat();
    let frames = [
        Frame::message(0, Direction::Unknown, json(16 << 20)),
        Frame::message(1, Direction::Unknown, json(9_999_000)),
        Frame::message(2, Direction::Unknown, json(10_000_000)),
    ];
    let files = v2(&Header::new(TapeKind::Other), &frames);
    assert_eq!(beside_seqs(&files), [0, 2]);
    let (again, _, _) = together(&files);
    assert!(again.iter().zip(&frames).all(|(a, b)| a.payload == b.payload) && again.len() == 3);
}

#[test]
fn without_a_place_beside_nothing_is_dropped_in_silence() {
    let frames = [Frame::message(0, Direction::Unknown, b"no json".to_vec())];
    let header = Header { unsaved_lines: vec![(1, b"x".to_vec())], ..Header::new(TapeKind::Mcp) };
    let mut file = Vec::new();
    let mut exporter = Exporter::begin(ExportFormat::TapeV2Jsonl, scope(&frames), &header, &mut file, None).unwrap();
    let refused = exporter.frame(&frames[0]).unwrap_err();
    assert_eq!(refused.code(), Code::Usage);
    assert!(refused.message().contains("frame 0"), "{}", refused.message());
    let scope = Scope::new(scope(&frames).tape, 0, 0);
    let exported =
        Exporter::begin(ExportFormat::TapeV2Jsonl, scope, &header, &mut file, None).unwrap().finish().unwrap();
    assert_eq!(exported.losses, ["lines of the source that are no frames are not kept: 1"]);
}

#[test]
fn a_part_of_a_tape_is_a_tape_that_begins_with_a_gap() {
    let (frames, header) = captured("filesystem-payments");
    let files = v2(&header, &frames[19..=20]);
    let companion = files.exported.companion.clone();
    let (part, part_header) = import(&files.file, ImportOptions::default().companion(companion)).unwrap();
    assert_eq!(part.iter().map(|f| &f.payload).collect::<Vec<_>>(), [&frames[19].payload, &frames[20].payload]);
    assert_eq!((part_header.gaps[0].before_seq, part_header.gaps[0].count), (0, 19));
    // The numbers of its metadata are those of the part, so an import finds nothing to complain of.
    assert_eq!(losses(&part_header), [] as [&str; 0]);
}

#[test]
fn how_a_session_ended_is_said_as_well_as_the_format_can() {
    for (end, read, is_told) in [
        (EndState::Clean, EndState::Clean, false),
        (EndState::Truncated, EndState::Truncated, false),
        (EndState::Imported, EndState::Imported, false),
        (EndState::Error(b"it \"broke\"".to_vec()), EndState::Error(b"it \"broke\"".to_vec()), false),
        (EndState::Error(vec![]), EndState::Error(vec![]), false),
        (EndState::Error(vec![0xff]), EndState::Error(b"\\xff".to_vec()), true),
        (EndState::ChildExit(-1), EndState::Error(b"process exited with -1".to_vec()), true),
        (EndState::Signal(9), EndState::Error(b"signal 9".to_vec()), true),
        (EndState::Crashed(None), EndState::Error(b"crashed".to_vec()), true),
        (EndState::Continued, EndState::Error(b"continued in another tape".to_vec()), true),
    ] {
        let header = Header { end_state: end.clone(), ..Header::new(TapeKind::Mcp) };
        let files = v2(&header, &[]);
        let (_, again, _) = together(&files);
        assert_eq!((&again.end_state, files.exported.losses.len()), (&read, usize::from(is_told)), "{end:?}");
    }
}

#[test]
fn the_metadata_is_bounded_and_never_broken() {
    let long = format!("\"{}\"", "x".repeat(600 << 10)).into_bytes();
    let header = Header {
        transport: Some(b"{broken".to_vec()),
        environment: Some(long),
        session_id: Some(vec![0xff]),
        ..Header::new(TapeKind::Mcp)
    };
    let files = v2(&header, &[]);
    let companion = files.exported.companion.unwrap();
    let value: Value = serde_json::from_slice(&companion).unwrap();
    assert_eq!((value.get("transport"), value.get("environment")), (None, None));
    assert_eq!(value["checksum"], format!("sha256:{}", hex::encode(sha256(&files.file))));
    assert_eq!(files.exported.losses.len(), 3, "{:?}", files.exported.losses);
}

/// Frames that lie about everything a record has a field for.
fn sly_frame() -> impl Strategy<Value = Frame> {
    let payloads = prop_oneof![
        4 => prop::sample::select(vec!["{}", r#"{"id":1,"method":"m"}"#, r#"{"id":1,"result":1}"#, r#"[{"id":1}]"#, "7"]).prop_map(|p| p.as_bytes().to_vec()),
        1 => arbitrary::bytes(),
    ];
    let names = [
        "type",
        "seq",
        "ts",
        "dir",
        "env",
        "env_compressed",
        "action",
        "transport",
        "correlation_id",
        "flags",
        "env.message",
        "env.direction",
        "env.timestamp",
        "env.session_id",
        "env.",
        "flags.is_error",
        "flags.was_partial",
        "flags.odd",
        "",
        "\"",
        "x",
    ];
    let values =
        ["null", "1", "\"init\"", "\"a\"", "{}", "true", "\"2026-11-20T10:19:04Z\"", "{\"message\":1}", "[", "1\n"];
    let pair = (prop::sample::select(names.to_vec()), prop::sample::select(values.to_vec()))
        .prop_map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec()));
    let texts = prop::option::of(prop::sample::select(values.to_vec()).prop_map(|v| v.as_bytes().to_vec()));
    (arbitrary::frame(), payloads, prop::collection::vec(pair, 0..4), texts, 0u8..4).prop_map(
        |(f, payload, extra, text, how)| Frame {
            kind: if how == 0 { f.kind } else { FrameKind::Message },
            action: text.clone(),
            transport: text.clone(),
            correlation_id: text,
            flags: if how < 2 { f.flags } else { f.flags & !flags::CONTINUED },
            payload,
            extra,
            ..f
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: trials(), ..ProptestConfig::default() })]

    #[test]
    fn both_files_give_every_frame_back(
        frames in prop::collection::vec(sly_frame(), 0..8),
        header in arbitrary::header(),
        is_from_v2: bool,
    ) {
        let frames: Vec<Frame> = (0..).zip(frames).map(|(seq, f)| Frame { seq, ..f }).collect();
        let format = Some(if is_from_v2 { "tape-v2-jsonl" } else { "x" }.to_owned());
        let header = Header { provenance: Some(Provenance { format, ..Provenance::default() }), ..header };
        let files = v2(&header, &frames);
        let (again, alone, kept) = together(&files);
        prop_assert_eq!(again.len(), frames.len());
        prop_assert_eq!(&kept, &header.unsaved_lines);
        let (read, header_read) = import_both(&files).unwrap();
        // What an import of the one file finds to keep in it, and what stands beside: no more, no less.
        let mut lines = [header.unsaved_lines.clone(), alone.unsaved_lines].concat();
        lines.sort_by_key(|(number, _)| *number);
        prop_assert_eq!((read.len(), &header_read.unsaved_lines), (frames.len(), &lines));
        for (a, b) in again.iter().chain(&read).zip(frames.iter().chain(&frames)) {
            prop_assert_eq!((a.seq, a.kind, a.direction, &a.payload), (b.seq, b.kind, b.direction, &b.payload));
            let ms = |t: Option<u64>| t.map(|t| t / 1_000_000);
            let same = ms(a.t_ns) == ms(b.t_ns) || (b.t_ns.is_none() && a.has(flags::TIME_INFERRED));
            prop_assert!(same, "{:?} {:?}\n{}", a, b, String::from_utf8_lossy(&files.file));
            prop_assert_eq!(a.wall_ns, b.wall_ns);
            prop_assert_eq!((&a.action, &a.transport, &a.correlation_id), (&b.action, &b.transport, &b.correlation_id));
        }
        // Once it was read back, it is written the same for ever.
        if files.beside.is_empty() {
            let once = v2(&together(&files).1, &again);
            let (frames, header, _) = together(&once);
            prop_assert_eq!(String::from_utf8(v2(&header, &frames).file).unwrap(), String::from_utf8(once.file).unwrap());
        }
    }

    #[test]
    fn lines_beside_are_read_or_refused(frame in arbitrary::frame(), at: prop::sample::Index, byte: u8) {
        let files = v2(&Header::new(TapeKind::Mcp), &[Frame { seq: 0, kind: FrameKind::Marker, ..frame.clone() }]);
        let line = std::str::from_utf8(&files.beside).unwrap().lines().nth(1).unwrap();
        let read = read_beside(line).unwrap();
        prop_assert_eq!(read, BesideRecord::Frame(Box::new(Frame { seq: 0, kind: FrameKind::Marker, ..frame })));
        let mut damaged = line.as_bytes().to_vec();
        let at = at.index(damaged.len());
        damaged[at] = byte;
        if let Ok(text) = std::str::from_utf8(&damaged) {
            let _any_answer_but_a_panic = read_beside(text);
        }
    }
}

fn trials() -> u32 {
    std::env::var("IMMUTAPE_TEST_TRIALS").ok().and_then(|n| n.parse().ok()).unwrap_or(200)
}

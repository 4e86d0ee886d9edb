//! Terminal recordings: every event's bytes come out, times are exact or marked, and bad lines are kept or named.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use immutape::interchange::{ImportOptions, Importer, SourceFormat};
use immutape::tape::{Direction, EndState, Frame, FrameKind, Header, TapeKind, flags};
use immutape::{Code, Error};
use serde_json::Value;

use crate::interchange_bad::refused;
use crate::interchange_real::{cat, import, losses};

pub fn imports(file: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/imports").join(file)).unwrap()
}

fn cast(lines: &[&str]) -> Result<(Vec<Frame>, Header), Error> {
    let source: String = lines.iter().map(|l| format!("{l}\n")).collect();
    import(source.as_bytes(), ImportOptions::default())
}

const V2: &str = r#"{"version":2,"width":80,"height":24}"#;
const V3: &str = r#"{"version":3,"term":{"cols":80,"rows":24},"timestamp":1795170208}"#;

#[test]
fn a_real_recording_comes_out_byte_for_byte() {
    let source = imports("approval.cast");
    let (frames, header) = import(&source, ImportOptions::default()).unwrap();
    // Another reading: each line as a value of its own.
    let events: Vec<Value> = source
        .split(|b| *b == b'\n')
        .skip(1)
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    assert_eq!(frames.len(), events.len());
    for (frame, event) in frames.iter().zip(&events) {
        assert_eq!(frame.payload, event[2].as_str().unwrap().as_bytes());
        let ns = (event[0].as_f64().unwrap() * 1e9).round() as u64;
        assert_eq!((frame.t_ns, frame.flags, frame.wall_ns), (Some(ns), 0, None));
        assert_eq!((frame.kind, frame.direction), (FrameKind::Message, Direction::ServerToClient));
    }
    let shown = String::from_utf8(cat(&frames)).unwrap();
    assert!(shown.starts_with("\u{1b}[1mBatch approval\u{1b}[0m\r\n") && shown.ends_with("Überweisung ✔ 支払い\r\n"));
    assert_eq!(header.kind, TapeKind::Terminal);
    assert_eq!(header.started_wall_ns, Some(1_795_170_208_000_000_000));
    assert_eq!(header.ended_wall_ns, Some(1_795_170_209_987_668_000));
    assert_eq!(header.labels.name.as_deref(), Some(&b"Batch approval"[..]));
    assert_eq!(header.environment.as_deref(), Some(&br#"{"SHELL": "/bin/bash", "TERM": "xterm-256color"}"#[..]));
    let extra: Vec<_> = header.extra.iter().map(|(n, v)| (n.as_slice(), v.as_slice())).collect();
    assert_eq!(
        extra,
        [(&b"version"[..], &b"2"[..]), (b"width", b"100"), (b"height", b"30"), (b"title", b"\"Batch approval\"")]
    );
    assert_eq!((losses(&header), &header.end_state), (&[] as &[String], &EndState::Imported));
}

#[test]
fn every_kind_of_event_in_both_versions() {
    let events = [
        r#"[1.5, "o", "out\u001b"]"#,
        r#"[0.25, "i", "in"]"#,
        "# a comment",
        r#"[0.25, "r", "100x30"]"#,
        r#"[1e0, "m", ""]"#,
        r#"[0, "x", "3"]"#,
    ];
    let v3 = [&[V3][..], &events].concat();
    let (frames, header) = cast(&v3).unwrap();
    let seen: Vec<_> =
        frames.iter().map(|f| (f.kind, f.direction, f.payload.as_slice(), f.t_ns.unwrap(), f.flags)).collect();
    assert_eq!(
        seen,
        [
            (FrameKind::Message, Direction::ServerToClient, &b"out\x1b"[..], 1_500_000_000, 0),
            (FrameKind::Message, Direction::ClientToServer, b"in", 1_750_000_000, 0),
            (FrameKind::Resize, Direction::Internal, b"100x30", 2_000_000_000, 0),
            (FrameKind::Marker, Direction::Internal, b"", 3_000_000_000, 0),
            (FrameKind::Lifecycle, Direction::Internal, b"3", 3_000_000_000, 0),
        ]
    );
    assert_eq!(header.end_state, EndState::ChildExit(3));
    assert_eq!(header.unsaved_lines, [(4, b"# a comment".to_vec())]);
    assert_eq!(losses(&header), ["1 comment, kept as an unsaved line (first: line 4)"]);
    // Version 2 counts from the start, so the same lines go back in time.
    let (frames, header) = cast(&[&[V2][..], &events].concat()).unwrap();
    let times: Vec<_> = frames.iter().map(|f| f.t_ns.unwrap()).collect();
    assert_eq!(times, [1_500_000_000, 250_000_000, 250_000_000, 1_000_000_000, 0]);
    assert!(losses(&header)[0].starts_with("2 events are earlier than the one before"), "{:?}", losses(&header));
    assert_eq!(header.span_ns, Some(1_500_000_000));
}

#[test]
fn no_time_is_invented_without_a_mark() {
    let events = [r#"[1, "o", "a"]"#, r#"["soon", "o", "b"]"#, r#"[-1, "o", "c"]"#, r#"[1, "o", "d"]"#];
    let seen = |header: &str| {
        let (frames, header) = cast(&[&[header][..], &events].concat()).unwrap();
        assert!(losses(&header)[0].starts_with("2 events have a time that cannot be read"));
        frames.iter().map(|f| (f.t_ns.unwrap() / 1_000_000_000, f.flags)).collect::<Vec<_>>()
    };
    let mark = flags::TIME_INFERRED;
    assert_eq!(seen(V2), [(1, 0), (1, mark), (1, mark), (1, 0)]);
    // What follows an interval that is not known is not known either.
    assert_eq!(seen(V3), [(1, 0), (1, mark), (1, mark), (2, mark)]);
}

#[test]
fn bad_lines_are_kept_and_told() {
    let bad = ["", "[1,2]", "{}", "7", r#"[1,"o","x",4]"#, r#"[1,2,"x"]"#, r#"[1,"z","x"]"#, "[1,\"o\",", "noise"];
    let (frames, header) = cast(&[&[V2][..], &bad, &[r#"[1,"o","\ud800"]"#]].concat()).unwrap();
    assert_eq!(cat(&frames), br#""\ud800""#);
    let expected: Vec<_> = (2..).zip(bad).map(|(n, l)| (n, l.as_bytes().to_vec())).collect();
    assert_eq!(header.unsaved_lines, expected);
    assert_eq!(losses(&header).len(), bad.len() + 1, "{:#?}", losses(&header));
}

#[test]
fn a_recording_cut_anywhere_is_whole_or_refused() {
    let source = imports("approval.cast");
    let (mut whole, mut truncated) = (0, 0);
    for cut in 1..source.len() {
        match import(&source[..cut], ImportOptions::default()) {
            Ok((frames, _)) => {
                let ended = source[cut - 1] == b'\n' || source[cut] == b'\n';
                assert!(ended, "cut at {cut}");
                let lines = source[..=cut].iter().filter(|b| **b == b'\n').count();
                let lines = lines - usize::from(source[cut - 1] == b'\n' && source[cut] == b'\n');
                assert_eq!(frames.len(), lines - 1, "cut at {cut}");
                whole += 1;
            }
            Err(e) => {
                assert_eq!(e.code(), Code::TruncatedInput, "cut at {cut}: {e}");
                truncated += 1;
            }
        }
    }
    assert!(whole > 20 && truncated > 1_000, "{whole} {truncated}");
}

#[test]
fn other_headers() {
    refused(br#"{"version":4,"term":{}}"#, Code::NewerFormat, "version 4", "asciinema convert");
    refused(br#"{"version":1,"width":80,"height":24,"stdout":[[0.1,"a"]]}"#, Code::NotATape, "version 1", "asciinema");
    refused(
        format!("{{\"version\":2,\"width\":1,\"x\":\"{}\"}}\n", "x".repeat(300_000)).as_bytes(),
        Code::Limit,
        "header",
        "shorten",
    );
    let windows = format!("{V2}\r\n[1,\"o\",\"a\"]\r\n\r\n[2,\"o\",\"b\"]");
    let (frames, header) = import(windows.as_bytes(), ImportOptions::default()).unwrap();
    assert_eq!((cat(&frames), header.unsaved_lines.len()), (b"ab".to_vec(), 1));
    for hostile in ["../../etc", "\u{202e}\u{1b}]0;x", ""] {
        let title = serde_json::to_string(hostile).unwrap();
        let (_, header) =
            cast(&[&format!("{{\"version\":2,\"width\":1,\"title\":{title}}}"), &format!("[1,{title},1]")]).unwrap();
        assert_eq!(header.labels.name.as_deref(), Some(hostile.as_bytes()));
        assert!(losses(&header).iter().all(|l| !l.contains(['\u{202e}', '\u{1b}'])));
    }
}

#[test]
fn a_format_can_be_forced_and_its_name_is_checked() {
    let open = |source: &[u8], format| {
        Importer::open(source, ImportOptions::default().format(Some(format))).and_then(|mut i| {
            while i.next_frame()?.is_some() {}
            Ok((i.format(), i.keeps_source(), i.finish()?.stats.frames))
        })
    };
    // A log of plain words, taken for what somebody knows it to be.
    assert_eq!(open(b"a\nb\n", SourceFormat::JsonRpcLines).unwrap(), (SourceFormat::JsonRpcLines, false, 2));
    let source = imports("approval.cast");
    assert_eq!(open(&source, SourceFormat::Asciicast).unwrap(), (SourceFormat::Asciicast, true, 15));
    assert_eq!(open(&source, SourceFormat::JsonRpcLines).unwrap().2, 16);
    assert_eq!(open(b"hello\n", SourceFormat::Asciicast).unwrap_err().code(), Code::NotATape);
    for format in [SourceFormat::Har, SourceFormat::TapeJson] {
        assert_eq!(open(&source, format).unwrap_err().code(), Code::NotATape);
        assert_eq!(open(b" \n", format).unwrap_err().code(), Code::EmptyInput);
    }
    for format in SourceFormat::ALL {
        assert_eq!(SourceFormat::from_name(format.name()).unwrap(), *format);
    }
    let e = SourceFormat::from_name("").unwrap_err();
    assert!(e.code() == Code::Usage && e.hint().unwrap().contains("tape-v2-jsonl"));
}

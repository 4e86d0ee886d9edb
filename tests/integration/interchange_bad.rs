//! Bad input: a named error with its way out, or nothing lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Read};

use immutape::interchange::{ImportOptions, Importer};
use immutape::tape::{Direction, EndState, Frame, Gap, GapReason, Header, flags};
use immutape::{Code, Error};
use proptest::prelude::*;

use crate::interchange_real::{cat, data, import, losses};

const INIT: &str = r#"{"type":"init","version":"2.0","tape_id":"t","session_id":"s","created_at":"2026-11-20T10:00:00.000Z","protocol_version":"2025-11-25"}"#;

fn v2(lines: &[&str]) -> Result<(Vec<Frame>, Header), Error> {
    let source: String = std::iter::once(&INIT).chain(lines).map(|l| format!("{l}\n")).collect();
    import(source.as_bytes(), ImportOptions::default())
}

fn frame(rest: &str) -> String {
    format!(r#"{{"type":"frame",{rest},"env":{{"message":{{"jsonrpc":"2.0","method":"m"}}}}}}"#)
}

/// Code, and that both words and way out are there and name what they should.
fn refused(source: &[u8], code: Code, words: &str, hint: &str) {
    let e = import(source, ImportOptions::default()).expect_err("must be refused");
    let shown = String::from_utf8_lossy(&source[..source.len().min(60)]).into_owned();
    assert_eq!(e.code(), code, "{shown}: {e}");
    assert!(e.message().contains(words), "{shown}: {e}");
    assert!(e.hint().is_some_and(|h| h.contains(hint)), "{shown}: {:?}", e.hint());
}

#[test]
fn empty_files() {
    for source in [&b""[..], b"\n", b" \r\n\t\n\n", "\u{feff}".as_bytes(), "\u{feff}\r\n \n".as_bytes(), b"   "] {
        refused(source, Code::EmptyInput, "empty", "path");
    }
    // More blank lines than are held.
    refused(&vec![b'\n'; 1 << 20], Code::EmptyInput, "empty", "path");
}

#[test]
fn something_else() {
    refused(b"hello\nworld\n", Code::NotATape, "line 1 is not JSON", "known formats");
    refused(b"\n\n{\"log\":{}}\n", Code::NotATape, "line 3", "known formats");
    refused(b"{\n \"id\": 1\n}\n", Code::NotATape, "line 1", "known formats");
    refused(b"\xff\xfe{\0}\0\n\0", Code::NotATape, "UTF-8", "UTF-16");
    refused(&[0x1f, 0x8b, 8, 0, 0xff, b'\n'], Code::NotATape, "UTF-8", "decompress");
    refused(frame("\"seq\":0").as_bytes(), Code::NotATape, "\"frame\"", "beginning");
    let mut late = vec![b'\n'; 1 << 20];
    late.extend_from_slice(INIT.as_bytes());
    refused(&late, Code::Limit, "blank lines", "remove");
}

#[test]
fn a_tape_cut_anywhere_is_whole_or_refused() {
    let source = data("sqlite-crash.jsonl");
    let ends: Vec<usize> = (0..source.len()).filter(|i| source[*i] == b'\n').collect();
    let (mut whole, mut truncated) = (0, 0);
    for cut in 1..source.len() {
        match import(&source[..cut], ImportOptions::default()) {
            Ok((frames, header)) => {
                // At a line end, or just before one: the last record is complete.
                assert!(ends.contains(&cut) || ends.contains(&(cut - 1)), "cut at {cut}");
                assert_eq!(frames.len(), usize::from(cut >= ends[1]));
                let told = losses(&header).iter().any(|l| l.contains("has no line end"));
                assert_eq!(told, ends.contains(&cut), "cut at {cut}");
                whole += 1;
            }
            Err(e) => {
                assert_eq!(e.code(), Code::TruncatedInput, "cut at {cut}: {e}");
                let line = 1 + ends.iter().filter(|end| **end < cut).count();
                assert!(e.message().contains(&format!("line {line} ")), "cut at {cut}: {e}");
                assert!(e.hint().unwrap().contains(&format!("remove line {line} ")));
                truncated += 1;
            }
        }
    }
    assert_eq!((whole, truncated), (5, source.len() - 1 - 5));
    refused(
        b"{\"jsonrpc\":\"2.0\",\"id\":1}\n{\"jsonrpc\":\"2.0\",\"me",
        Code::TruncatedInput,
        "line 2",
        "remove line 2",
    );
    refused(b"{\"jsonrpc\":\"2.0\",\"id\":1}\n\"\xc3", Code::TruncatedInput, "line 2", "remove line 2");
    refused(&[INIT.as_bytes(), b"\n{\"type\":\"frame\xc3"].concat(), Code::TruncatedInput, "line 2", "remove line 2");
}

#[test]
fn long_lines() {
    let message = |bytes: usize| format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{}\"}}\n", "m".repeat(bytes - 29));
    let longest = message(10_000_000);
    assert_eq!(longest.len(), 10_000_001);
    let (frames, _) = import(longest.as_bytes(), ImportOptions::default()).unwrap();
    assert_eq!(cat(&frames), longest.as_bytes());
    refused(message(10_000_001).as_bytes(), Code::Limit, "line 1 is longer than 10000000 bytes", "split");
    let second = format!("{INIT}\n{}", message(10_000_001));
    refused(second.as_bytes(), Code::Limit, "line 2 is longer than 10000000 bytes", "split");
}

#[test]
fn lines_that_are_not_utf8() {
    let bad = b"{\"type\":\"frame\",\"seq\":1,\"env\":{\"message\":\"\xff\"}}";
    let good = frame("\"seq\":0");
    let source = [INIT.as_bytes(), good.as_bytes(), bad].join(&b'\n');
    let (frames, header) = import(&[&source[..], b"\n"].concat(), ImportOptions::default()).unwrap();
    assert_eq!((frames.len(), header.unsaved_lines.clone()), (1, vec![(3, bad.to_vec())]));
    assert_eq!(losses(&header), ["line 3 is not UTF-8 text; kept as an unsaved line"]);

    let plain = b"{\"jsonrpc\":\"2.0\",\"id\":1}\n\xff\xfe\n";
    let (frames, _) = import(plain, ImportOptions::default()).unwrap();
    assert_eq!((frames[1].flags, frames[1].payload.as_slice()), (flags::NOT_UTF8, &b"\xff\xfe"[..]));
    assert_eq!(cat(&frames), plain);
}

#[test]
fn payloads_keep_what_parsers_drop() {
    for message in [
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"a","method":"b"}"#,
        r#"{ "jsonrpc" : "2.0" , "n" : 1.50e+01 , "s" : "\u00e9\/\ud800" }"#,
        r#""{\"jsonrpc\":\"2.0\"}""#,
        r#"[{"id":1},  {"id":1}]"#,
        "null",
        "-0.0",
    ] {
        let line = format!(r#"{{"type":"frame","seq":0,"ts":0,"env":{{"message":{message} }}}}"#);
        let (frames, header) = v2(&[&line]).unwrap();
        assert_eq!(std::str::from_utf8(&frames[0].payload).unwrap(), message);
        assert_eq!((losses(&header).len(), header.unsaved_lines.len()), (0, 0));
    }
    // Of equal names the last counts, as JSON readers have it.
    let (_, header) =
        v2(&[r#"{"type":"frame","seq":0,"env":{"message":{"id":1,"method":"m","error":{},"error":null}}}"#]).unwrap();
    assert_eq!((header.stats.requests, header.stats.errors), (1, 0));
}

#[test]
fn numbers_that_jump_repeat_and_go_back() {
    let lines: Vec<String> =
        ["0", "1", "5", "5", "3", "4", "\"x\"", "9"].iter().map(|s| frame(&format!("\"seq\":{s}"))).collect();
    let (frames, header) = v2(&lines.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let bits: Vec<u64> = frames.iter().map(|f| f.flags).collect();
    assert_eq!(bits, vec![0, 0, flags::GAP_BEFORE, flags::REPEATED_SEQ, flags::SEQ_BACKWARDS, 0, 0, flags::GAP_BEFORE]);
    let gap = |after_seq, count| Gap { after_seq, reason: GapReason::SequenceJumped, count };
    assert_eq!(header.gaps, vec![gap(1, 3), gap(6, 3)]);
    let seqs: Vec<_> = frames
        .iter()
        .map(|f| f.extra.iter().find(|(n, _)| n == b"seq").map(|(_, v)| String::from_utf8(v.clone()).unwrap()))
        .collect();
    assert_eq!(
        seqs,
        [None, None, Some("5"), Some("5"), Some("3"), Some("4"), Some("\"x\""), Some("9")]
            .map(|s| s.map(str::to_owned))
    );
    assert_eq!(losses(&header), ["line 8: the frame has no number"]);

    let (frames, header) =
        v2(&[&frame("\"seq\":7"), &frame("\"seq\":18446744073709551615"), &frame("\"seq\":18446744073709551615")])
            .unwrap();
    assert_eq!(
        frames.iter().map(|f| f.flags).collect::<Vec<_>>(),
        vec![flags::GAP_BEFORE, flags::GAP_BEFORE, flags::REPEATED_SEQ]
    );
    assert_eq!(header.gaps, vec![gap(0, u64::MAX - 8)]);
    assert_eq!(losses(&header), ["the numbers of the source begin at 7, not at 0"]);
}

#[test]
fn a_thousand_gaps_too_many() {
    let mut source = format!("{INIT}\n");
    (0..11_001u64).for_each(|n| source.push_str(&(frame(&format!("\"seq\":{}", n * 2)) + "\n")));
    let (frames, header) = import(source.as_bytes(), ImportOptions::default()).unwrap();
    assert_eq!(header.gaps.len(), 10_000);
    assert_eq!(frames.iter().filter(|f| f.has(flags::GAP_BEFORE)).count(), 11_000);
    assert_eq!(losses(&header), ["1000 more gaps are not listed; every one is flagged at its frame"]);
}

#[test]
fn unknown_fields_stay_in_order() {
    let init = r#"{"type":"init","version":"2.1","compressed": false,"x":{"b":1,"a":2},"x":[ 1],"created_at":"yesterday","tape_id":7}"#;
    let record = r#"{"z":1,"type":"frame","seq":0,"ts":1.5,"dir":"sideways","env":{"e":"\u0041","message":{},"direction":"client_to_server","timestamp":"2026-11-20T12:00:00.5+01:00","session_id":"other"},"flags":{"is_error":true,"loud":1,"is_notification":"no","synthetic":true},"action":{"block":{"reason":"r"}},"a":null,"env_compressed":"x"}"#;
    let (frames, header) = import(format!("{init}\n{record}\n").as_bytes(), ImportOptions::default()).unwrap();
    let text = |pairs: &[(Vec<u8>, Vec<u8>)]| {
        pairs
            .iter()
            .map(|(n, v)| format!("{}={}", String::from_utf8_lossy(n), String::from_utf8_lossy(v)))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        text(&header.extra),
        [
            "version=\"2.1\"",
            "compressed=false",
            "x={\"b\":1,\"a\":2}",
            "x=[ 1]",
            "created_at=\"yesterday\"",
            "tape_id=7"
        ]
    );
    let f = &frames[0];
    assert_eq!(
        text(&f.extra),
        [
            "z=1",
            "ts=1.5",
            "dir=\"sideways\"",
            "env.e=\"\\u0041\"",
            "env.timestamp=\"2026-11-20T12:00:00.5+01:00\"",
            "env.session_id=\"other\"",
            "flags.loud=1",
            "flags.is_notification=\"no\"",
            "a=null",
            "env_compressed=\"x\"",
        ]
    );
    assert_eq!((f.flags, f.direction), (flags::IS_ERROR | flags::SYNTHETIC, Direction::ClientToServer));
    assert_eq!(f.action.as_deref(), Some(&br#"{"block":{"reason":"r"}}"#[..]));
    assert_eq!((f.wall_ns, f.t_ns), (Some(1_795_172_400_500_000_000), None));
}

#[test]
fn spellings_of_the_drafts() {
    let source = concat!(
        r#"{"type":"header","version":"2.0","session_id":"s","created_at":"2026-11-20T10:00:00.000Z","protocol_version":null}"#,
        "\n",
        r#"{"type":"Frame","seq":0,"ts":0,"dir":"ClientToServer","env":{"message":{"id":1,"method":"initialize"},"direction":"client_to_server"}}"#,
        "\n",
        r#"{"type":"frame","seq":1,"ts":5,"dir":"ServerToClient","env":{"message":{"id":1,"result":{"protocolVersion":"2025-06-18"}},"session_id":"s"},"flags":null,"action":null,"correlation_id":null}"#,
        "\n",
        r#"{"type":"frame","seq":2,"ts":6,"dir":"Internal","env":{"message":1}}"#,
        "\n",
        r#"{"type":"frame","seq":3,"ts":7,"dir":"Unknown","env":{"message":2,"direction":"Unknown"}}"#,
        "\n",
        r#"{"type":"frame","seq":4,"ts":8,"env":{"message":3,"direction":"ServerToClient"}}"#,
        "\n",
        r#"{"type":"correlation","request_seq":0,"response_seq":1,"rtt_ms":5,"status":"Success","id":"corr-0-1"}"#,
        "\n",
        r#"{"type":"footer","seq":4,"stats":{"frame_count":5,"duration_ms":8}}"#,
        "\n",
    );
    let (frames, header) = import(source.as_bytes(), ImportOptions::default()).unwrap();
    use Direction::{ClientToServer as Up, Internal, ServerToClient as Down, Unknown};
    assert_eq!(frames.iter().map(|f| f.direction).collect::<Vec<_>>(), vec![Up, Down, Internal, Unknown, Down]);
    assert!(frames.iter().all(|f| f.extra.is_empty() && f.flags == 0));
    assert_eq!(header.protocol.as_deref(), Some(&b"2025-06-18"[..]));
    assert_eq!((losses(&header).len(), header.unsaved_lines.len()), (0, 0), "{:?}", losses(&header));
    assert_eq!((header.stats.correlations, header.stats.client_to_server, header.stats.server_to_client), (1, 1, 2));
}

#[test]
fn contradicting_directions_are_told() {
    let line = r#"{"type":"frame","seq":0,"dir":"unknown","env":{"message":{},"direction":"client_to_server"}}"#;
    let (frames, header) = v2(&[line]).unwrap();
    assert_eq!(frames[0].direction, Direction::Unknown);
    assert_eq!(frames[0].extra, vec![(b"env.direction".to_vec(), b"\"client_to_server\"".to_vec())]);
    assert_eq!(losses(&header), ["line 2: the frame names two directions; \"dir\" was taken"]);
}

#[test]
fn missing_times_are_inferred_and_marked_or_absent() {
    let at = |time: &str| {
        format!(r#"{{"type":"frame",{time}"env":{{"message":{{}},"timestamp":"2026-11-20T10:00:01.250Z"}}}}"#)
    };
    let bare = r#"{"type":"frame","env":{"message":{}}}"#;
    let huge = r#"{"type":"frame","ts":18446744073709551615,"env":{"message":{}}}"#;
    let (frames, _) = v2(&[bare, &at(""), bare, &at("\"ts\":7,"), huge]).unwrap();
    let times: Vec<_> = frames.iter().map(|f| (f.t_ns, f.has(flags::TIME_INFERRED))).collect();
    let inferred = Some(1_250_000_000);
    assert_eq!(
        times,
        vec![(None, false), (inferred, true), (inferred, true), (Some(7_000_000), false), (Some(7_000_000), true)]
    );
    assert_eq!(frames[4].extra, vec![(b"ts".to_vec(), b"18446744073709551615".to_vec())]);
    assert_eq!(frames[2].wall_ns, None, "no wall clock is invented");
}

#[test]
fn other_versions() {
    let init = |version: &str| format!("{{\"type\":\"init\",\"version\":{version}}}\n");
    for newer in ["\"3.0\"", "\"3\"", "3", "\"10.2-beta\""] {
        refused(init(newer).as_bytes(), Code::NewerFormat, "version 2", "newer release");
    }
    for other in ["\"1.0\"", "\"two\"", "null", "[]", "\"\\u001b[2J\u{202e}\""] {
        refused(init(other).as_bytes(), Code::NotATape, "line 1", "single JSON documents");
    }
    for fine in ["\"2.0\"", "\"2.7\"", "2", "2.5"] {
        assert!(import(init(fine).as_bytes(), ImportOptions::default()).is_ok(), "{fine}");
    }
    let (_, header) = import(b"{\"type\":\"init\"}\n", ImportOptions::default()).unwrap();
    assert_eq!(losses(&header), ["the first record names no version; read as 2.0"]);
    let long = format!("{{\"type\":\"init\",\"version\":\"2.0\",\"x\":\"{}\"}}\n", "x".repeat(300_000));
    refused(long.as_bytes(), Code::Limit, "first record", "copy");
}

#[test]
fn lines_that_are_no_records_are_kept_whole() {
    let lines = [
        "",
        "  \t",
        "Server listening on stdio",
        r#"{"type":"frame","seq":0,"env":{"message":{}}"#,
        "[1,2]",
        "42",
        r#"{"type":"bookmark","at":3}"#,
        r#"{"no":"type"}"#,
        INIT,
        r#"{"type":"frame","seq":0}"#,
        r#"{"type":"frame","seq":0,"env":{"no":"message"}}"#,
        r#"{"type":"frame","seq":0,"env":"text"}"#,
        r#"{"type":"frame","seq":0,"env_compressed":"%%%"}"#,
        r#"{"type":"frame","seq":0,"env_compressed":"aGVsbG8="}"#,
        r#"{"type":"frame","seq":0,"env_compressed":"eJzT0yMAAGTvBe8="}"#,
    ];
    let (frames, header) = v2(&lines).unwrap();
    assert!(frames.is_empty());
    let expected: Vec<_> = (2..).zip(lines).map(|(n, l)| (n, l.as_bytes().to_vec())).collect();
    assert_eq!(header.unsaved_lines, expected);
    let told = losses(&header);
    assert_eq!(told.len(), lines.len() - 1, "{told:#?}");
    assert_eq!(told.last().unwrap(), "2 blank lines, kept as unsaved lines (first: line 2)");
    for (line, words) in [
        (4, "is not JSON"),
        (5, "stops in the middle"),
        (6, "not an object"),
        (8, "\"\\\"bookmark\\\"\""),
        (10, "another tape"),
        (11, "holds no message"),
        (14, "not base64"),
        (15, "neither zlib"),
        (16, "not JSON"),
    ] {
        let at = format!("line {line} ");
        let found = told.iter().find(|l| l.contains(&at)).unwrap_or_else(|| panic!("line {line}: {told:#?}"));
        assert!(found.contains(words) || words.contains("bookmark") && found.contains("bookmark"), "{found}");
    }
}

#[test]
fn too_much_noise_is_refused() {
    let noise = format!("{}\n", "x".repeat(9_999)).repeat(430);
    refused(format!("{INIT}\n{noise}").as_bytes(), Code::Limit, "4194304 bytes", "separate");
    let (_, header) = import(format!("{INIT}\n{}", &noise[..4_000_000]).as_bytes(), ImportOptions::default()).unwrap();
    assert_eq!((header.unsaved_lines.len(), losses(&header).len()), (400, 101));
    assert_eq!(losses(&header)[100], "300 more lines with losses are not listed");
}

#[test]
fn fields_beside_the_message_have_a_bound() {
    let wide = format!(r#"{{"type":"frame","seq":0,"transport":"{}","env":{{"message":{{}}}}}}"#, "x".repeat(1 << 20));
    let many = format!(r#"{{"type":"frame","seq":0,{}"env":{{"message":{{}}}}}}"#, "\"a\":1,".repeat(2_000));
    let more = format!(r#"{{"type":"frame","seq":0,{}"env":{{"message":{{}}}}}}"#, "\"a\":1,".repeat(5_000));
    let (frames, header) = v2(&[&wide, &many, &more]).unwrap();
    assert_eq!((frames.len(), header.unsaved_lines.len(), losses(&header).len()), (0, 3, 3));
    let fits = format!(
        r#"{{"type":"frame","seq":0,"transport":"{}","env":{{"message":{{}}}}}}"#,
        "x".repeat((1 << 20) - 1_100)
    );
    assert_eq!(v2(&[&fits]).unwrap().0.len(), 1);
}

#[test]
fn windows_line_ends_and_marks() {
    let source = String::from_utf8(data("sqlite-claims.jsonl")).unwrap();
    let (plain, _) = import(source.as_bytes(), ImportOptions::default()).unwrap();
    let (frames, header) =
        import(format!("\u{feff}{}", source.replace('\n', "\r\n")).as_bytes(), ImportOptions::default()).unwrap();
    assert_eq!(frames, plain);
    assert_eq!(
        losses(&header),
        [
            "the source begins with a byte order mark, which is not kept",
            "61 records ended in carriage return and line feed (first: line 1)"
        ]
    );
}

#[test]
fn compressed_frames_are_read() {
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","n":[1,2,3,4,5,6,7,8,9,10,11,12]}}}"#;
    // The message by zlib; the whole env, with a direction and a field of its own, by zstd.
    let zlib = "eNqNy0sKAjEQBNC79LrQ6fjPVcRFE4Oj5DMkLQhD7m7jCaxVUY9a6dVraUsgT24zEeh5J8+gHHWuVklrTX0bJCXDRZrkTn6lIjmaxjBX26U93jkW/ZHGjxrJH7FrIX9lOOywxwFHnHDGBTyBGexuY4wv3C4y3w==";
    let env = format!(r#"{{"message":{message},"direction":"server_to_client","x":1}}"#);
    let zstd = base64_of(&zstd::encode_all(env.as_bytes(), 3).unwrap());
    let line = |packed: &str, seq: u8| format!(r#"{{"type":"frame","seq":{seq},"ts":1,"env_compressed":"{packed}"}}"#);
    let (frames, header) = v2(&[&line(zlib, 0), &line(&zstd, 1)]).unwrap();
    assert!(frames.iter().all(|f| f.payload == message.as_bytes()));
    assert_eq!(frames[1].direction, Direction::ServerToClient);
    assert_eq!(frames[1].extra, vec![(b"env.x".to_vec(), b"1".to_vec())]);
    assert_eq!(
        losses(&header),
        ["2 frames were compressed in the source; the payload is what they held (first: line 2)"]
    );
    // Ten thousand times as long as a line may be.
    let bomb = base64_of(&zstd::encode_all(std::io::repeat(b' ').take(1 << 28), 3).unwrap());
    let (frames, header) = v2(&[&line(&bomb, 0)]).unwrap();
    assert!(frames.is_empty() && losses(&header)[0].contains("longer than a line"), "{:?}", losses(&header));
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn what_the_source_says_of_itself_is_compared() {
    let ask = r#"{"type":"frame","seq":0,"ts":10,"dir":"client_to_server","env":{"message":{"id":1,"method":"m"}}}"#;
    let answer = r#"{"type":"frame","seq":1,"ts":25,"dir":"server_to_client","env":{"message":{"id":1,"error":{}}}}"#;
    let fine = r#"{"type":"correlation","id":"corr-0-1","request_seq":0,"response_seq":1,"request_ts":10,"response_ts":25,"rtt_ms":15,"status":"error"}"#;
    // Before, between and after its frames.
    for lines in [[fine, ask, answer], [ask, fine, answer], [ask, answer, fine]] {
        let (_, header) = v2(&lines).unwrap();
        assert_eq!((losses(&header).len(), header.unsaved_lines.len()), (0, 0), "{:?}", losses(&header));
    }
    for (bad, differences) in [
        (
            r#"{"type":"correlation","id":"corr-0-1","request_seq":0,"response_seq":1,"request_ts":0,"response_ts":0,"rtt_ms":0,"status":"success"}"#,
            4,
        ),
        (r#"{"type":"correlation","id":"c1","request_seq":0,"response_seq":1}"#, 0),
        (r#"{"type":"correlation","id":"corr-0-1","request_seq":0,"response_seq":1,"tool":"x"}"#, 0),
        (r#"{"type":"correlation","id":"corr-0-1","request_seq":0,"response_seq":1,"rtt_ms":15.5}"#, 0),
        (r#"{"type":"correlation","id":"corr-0-9","request_seq":0,"response_seq":9}"#, 2),
        (r#"{"type":"correlation","id":"corr","request_seq":0,"response_seq":null,"status":"timeout"}"#, 2),
        (r#"{"type":"checkpoint","seq":1,"checkpoint_at":"2026-11-20T10:00:02.000Z","stats":{"frame_count":2}}"#, 0),
        (
            r#"{"type":"checkpoint","seq":7,"stats":{"frame_count":3,"error_count":1,"message_counts":{"client_to_server":2}}}"#,
            3,
        ),
        (r#"{"type":"checkpoint","seq":1,"mood":"good"}"#, 0),
    ] {
        let (_, header) = v2(&[ask, answer, bad]).unwrap();
        assert_eq!(losses(&header).len(), differences, "{bad}: {:#?}", losses(&header));
        assert_eq!(header.unsaved_lines, vec![(4, bad.as_bytes().to_vec())], "{bad}");
    }
    let (_, header) = v2(&[ask, answer, fine, fine]).unwrap();
    assert_eq!((losses(&header).len(), header.unsaved_lines.len()), (1, 1));
    // A size in a checkpoint is that before its own line or after it.
    let upto = INIT.len() + ask.len() + answer.len() + 3;
    for (size, differs) in [(upto, 0), (upto + 57, 0), (upto + 1, 1)] {
        let line = format!(r#"{{"type":"checkpoint","stats":{{"file_size_bytes":{size:>6}}}}}"#);
        assert_eq!(line.len(), 56);
        assert_eq!(losses(&v2(&[ask, answer, &line]).unwrap().1).len(), differs, "{size}");
    }
}

#[test]
fn differing_records_are_kept_up_to_a_bound() {
    let mut source = format!("{INIT}\n");
    for n in 0..8_000u32 {
        source.push_str(&format!(
            "{{\"type\":\"checkpoint\",\"seq\":0,\"checkpoint_at\":\"2026-11-20T10:00:00.{n:06}Z\"}}\n"
        ));
        source.push_str(&format!("{{\"type\":\"correlation\",\"request_seq\":{n},\"response_seq\":{}}}\n", n + 1));
    }
    let (_, header) = import(source.as_bytes(), ImportOptions::default()).unwrap();
    let bytes: usize = header.unsaved_lines.iter().map(|(_, l)| l.len() + 16).sum();
    assert!(bytes > 500_000 && bytes <= 512 << 10, "{bytes}");
    let told = losses(&header);
    assert!(told.iter().any(|l| l.contains("differing correlation or checkpoint lines are not kept")), "{told:#?}");
    assert!(told.iter().any(|l| l.contains("neither compared nor kept")), "{told:#?}");
    assert!(told.len() < 110);
}

#[test]
fn another_tapes_companion_is_told_loudly() {
    let options = ImportOptions { companion: Some(data("sqlite-claims.meta.json")), ..ImportOptions::default() };
    let (_, header) = import(&data("git-policies.jsonl"), options).unwrap();
    let told = losses(&header);
    for words in [
        "names another tape",
        "CHECKSUM DIFFERS",
        "frame_count 40 (the frames give 26)",
        "avg_rtt_ms",
        "file_size_bytes",
    ] {
        assert!(told.iter().any(|l| l.contains(words)), "{words}: {told:#?}");
    }
    assert_eq!(header.stats.frames, 26);
    let options = ImportOptions { companion: Some(data("sqlite-claims.meta.json")), ..ImportOptions::default() };
    let (_, header) = import(b"{\"jsonrpc\":\"2.0\",\"id\":1}\n", options).unwrap();
    assert!(losses(&header)[0].contains("CHECKSUM DIFFERS"));
    assert_eq!((header.end_state, header.labels.name), (EndState::Clean, Some(b"sqlite-claims".to_vec())));
    let options = ImportOptions { companion: Some(vec![b'x'; 600_000]), ..ImportOptions::default() };
    let e = import(INIT.as_bytes(), options).unwrap_err();
    assert!(e.code() == Code::Limit && e.hint().is_some());
}

#[test]
fn hostile_names_are_carried_as_bytes_and_shown_escaped() {
    for name in [
        "../../etc/passwd",
        "/",
        "..",
        "a\0b",
        "x\u{202e}gpj.exe",
        "\u{1b}]0;owned\u{7}",
        "line\nbreak",
        "\u{200b}",
        "",
    ] {
        let options = ImportOptions {
            name: Some(name.into()),
            description: Some(name.into()),
            tags: vec![name.into(), vec![0xff, 0xfe]],
            source_name: Some(name.into()),
            ..ImportOptions::default()
        };
        let quoted = serde_json::to_string(name).unwrap();
        let source = format!(
            "{{\"type\":\"init\",\"version\":\"2.0\",\"tape_id\":{quoted},\"session_id\":{quoted}}}\n{{\"type\":{quoted}}}\n"
        );
        let (_, header) = import(source.as_bytes(), options).unwrap();
        let same = Some(name.as_bytes().to_vec());
        assert_eq!((&header.labels.name, &header.legacy_tape_id, &header.session_id), (&same, &same, &same));
        assert_eq!(header.provenance.as_ref().unwrap().source_name, same);
        for loss in losses(&header) {
            assert!(loss.chars().all(|c| !c.is_control() && !('\u{200b}'..='\u{202e}').contains(&c)), "{loss:?}");
        }
    }
}

#[test]
fn options_are_checked_before_anything_is_read() {
    let big = Some(vec![b'x'; 4_097]);
    let d = ImportOptions::default;
    for (options, code) in [
        (ImportOptions { class: String::new(), ..d() }, Code::Usage),
        (ImportOptions { namespace: String::new(), ..d() }, Code::Usage),
        (ImportOptions { class: "x".repeat(129), ..d() }, Code::Limit),
        (ImportOptions { namespace: "x".repeat(129), ..d() }, Code::Limit),
        (ImportOptions { name: big.clone(), ..d() }, Code::Limit),
        (ImportOptions { description: big.clone(), ..d() }, Code::Limit),
        (ImportOptions { source_name: big.clone(), ..d() }, Code::Limit),
        (ImportOptions { host: big.clone(), ..d() }, Code::Limit),
        (ImportOptions { tags: vec![vec![b'x'; 4_097]], ..d() }, Code::Limit),
        (ImportOptions { tags: vec![vec![]; 1_025], ..d() }, Code::Limit),
    ] {
        let e = Importer::open(Failing { good: Vec::new(), at: 0 }, options).unwrap_err();
        assert!(e.code() == code && e.hint().is_some(), "{e}");
    }
}

/// Gives its bytes, then fails.
struct Failing {
    good: Vec<u8>,
    at: usize,
}

impl Read for Failing {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Failing {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        match self.good.get(self.at..) {
            Some(rest) if !rest.is_empty() => Ok(rest),
            _ => Err(std::io::Error::other("the disk went away")),
        }
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}

#[test]
fn a_source_that_cannot_be_read_ends_the_import() {
    let good = format!("{INIT}\n{}\n{{\"ty", frame("\"seq\":0")).into_bytes();
    let mut importer = Importer::open(Failing { good, at: 0 }, ImportOptions::default()).unwrap();
    assert!(importer.next_frame().unwrap().is_some());
    let e = importer.next_frame().unwrap_err();
    assert!(e.code() == Code::Io && e.message().contains("line 3"), "{e}");
    assert!(std::error::Error::source(&e).unwrap().to_string().contains("went away"));
    // What failed stays failed: there is no header for half a source.
    assert_eq!(importer.next_frame().unwrap_err().code(), Code::Internal);
    assert_eq!(importer.finish().unwrap_err().code(), Code::Internal);
}

#[test]
fn nothing_but_requests_does_not_fill_memory() {
    let mut source = String::new();
    (0..65_600u32).for_each(|n| source.push_str(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"m\"}}\n")));
    let (_, header) = import(source.as_bytes(), ImportOptions::default()).unwrap();
    assert_eq!(header.stats.unanswered, 65_600);
    assert!(losses(&header)[0].starts_with("64 requests were given up"), "{:?}", losses(&header));
}

/// A tape of any length, made while it is read, a message of any length held as its two ends.
struct Endless {
    before: Vec<u8>,
    fill: usize,
    after: Vec<u8>,
    frames: u64,
    left: u64,
}

impl Endless {
    /// Each fourth frame answers the one three before it; the others ask. One in fifty thousand is as long as may be.
    fn next_record(&mut self) {
        let n = self.frames;
        self.frames += 1;
        self.fill = if n % 50_000 == 49_999 { 9_990_000 } else { 900 };
        let record = |dir: &str, id: u64, member: &str| {
            format!(
                r#"{{"type":"frame","seq":{n},"ts":{n},"dir":"{dir}","env":{{"direction":"{dir}","message":{{"jsonrpc":"2.0","id":{id},{member}:""#
            )
        };
        (self.before, self.after) = if n % 4 == 3 {
            let request = n - 3;
            let correlation = format!(
                r#"{{"type":"correlation","id":"corr-{request}-{n}","request_seq":{request},"response_seq":{n},"rtt_ms":3}}"#
            );
            (record("server_to_client", request, "\"result\""), format!("\"}}}}}}\n{correlation}\n"))
        } else {
            (record("client_to_server", n, "\"method\":\"m\",\"params\""), "\"}}}\n".into())
        }
        .map_both(String::into_bytes);
        self.left = self.left.saturating_sub((self.before.len() + self.fill + self.after.len()) as u64);
    }
}

trait MapBoth<A, B> {
    fn map_both(self, f: fn(A) -> B) -> (B, B);
}

impl<A, B> MapBoth<A, B> for (A, A) {
    fn map_both(self, f: fn(A) -> B) -> (B, B) {
        (f(self.0), f(self.1))
    }
}

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.before.is_empty() && self.fill == 0 && self.after.is_empty() && self.left > 0 {
            self.next_record();
        }
        let take = |from: &mut Vec<u8>, buf: &mut [u8]| {
            let n = from.len().min(buf.len());
            buf[..n].copy_from_slice(&from[..n]);
            from.drain(..n);
            n
        };
        if !self.before.is_empty() {
            return Ok(take(&mut self.before, buf));
        }
        if self.fill > 0 {
            let n = self.fill.min(buf.len());
            buf[..n].fill(b'x');
            self.fill -= n;
            return Ok(n);
        }
        Ok(take(&mut self.after, buf))
    }
}

#[test]
#[ignore = "runs in a process of its own: see the next test"]
fn two_hundred_megabytes_child() {
    let before = format!("{INIT}\n").into_bytes();
    let source = Endless { before, fill: 0, after: Vec::new(), frames: 0, left: 200_000_000 };
    let mut importer = Importer::open(BufReader::with_capacity(8_192, source), ImportOptions::default()).unwrap();
    let mut payload_bytes = 0u64;
    while let Some(frame) = importer.next_frame().unwrap() {
        payload_bytes += frame.payload.len() as u64;
    }
    let header = importer.finish().unwrap();
    assert_eq!(header.stats.payload_bytes, payload_bytes);
    assert!(losses(&header)[0].contains("requests were given up"), "the open requests reached their bound");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("none");
    println!(
        "bytes={} frames={} peak={}",
        header.provenance.unwrap().source_bytes.unwrap(),
        header.stats.frames,
        peak.trim()
    );
}

#[test]
fn two_hundred_megabytes_pass_through_64() {
    let out = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "interchange_bad::two_hundred_megabytes_child", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    let value = |name: &str| {
        let at = text.find(name).unwrap_or_else(|| panic!("no {name} in {text}")) + name.len();
        text[at..].split_whitespace().next().unwrap().parse::<u64>()
    };
    assert!(value("bytes=").unwrap() >= 200_000_000);
    assert!(value("frames=").unwrap() > 100_000);
    match value("peak=") {
        Ok(kib) => assert!(kib < 64 << 10, "peak of {kib} KiB"),
        Err(_) => println!("peak memory is not known on this system: not checked"),
    }
}

/// What a line is, by a reader of its own; `None` where only the importer's rules can say.
fn is_frame(line: &[u8]) -> bool {
    let Ok(record) = serde_json::from_slice::<std::collections::BTreeMap<String, &serde_json::value::RawValue>>(line)
    else {
        return false;
    };
    let kind = record.get("type").map_or("", |t| t.get()).to_ascii_lowercase();
    let env = record.get("env").and_then(|e| {
        serde_json::from_str::<std::collections::BTreeMap<String, &serde_json::value::RawValue>>(e.get()).ok()
    });
    kind == "\"frame\"" && env.is_some_and(|e| e.contains_key("message"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Any one byte of a real tape changed: a named error, or every line is a frame, kept, or a record that was compared.
    #[test]
    fn one_changed_byte_loses_no_other_line(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut source = data("git-policies.jsonl");
        let at = at.index(source.len());
        source[at] = byte;
        match import(&source, ImportOptions::default()) {
            Err(e) => {
                prop_assert!(matches!(e.code(), Code::NotATape | Code::NewerFormat | Code::TruncatedInput), "{e}");
                prop_assert!(e.hint().is_some());
            }
            Ok((frames, header)) => {
                let mut next = frames.iter();
                let kept: std::collections::BTreeMap<u64, &[u8]> = header.unsaved_lines.iter().map(|(n, l)| (*n, l.as_slice())).collect();
                for (number, line) in (1u64..).zip(source.strip_suffix(b"\n").unwrap_or(&source).split(|b| *b == b'\n')) {
                    let line = line.strip_suffix(b"\r").unwrap_or(line);
                    if is_frame(line) {
                        let payload = &next.next().expect("a frame for this line").payload;
                        prop_assert!(line.windows(payload.len()).any(|w| w == payload.as_slice()));
                    } else if let Some(k) = kept.get(&number) {
                        prop_assert_eq!(*k, line);
                    } else {
                        let derived = [&b"{\"type\":\"correlation\""[..], b"{\"type\":\"checkpoint\""];
                        prop_assert!(number == 1 || derived.iter().any(|d| line.starts_with(d)), "line {} is lost", number);
                    }
                }
                prop_assert!(next.next().is_none());
            }
        }
    }

    /// Bytes that no program wrote: never a panic, and a hint with every refusal.
    #[test]
    fn noise_is_refused_or_carried(noise in proptest::collection::vec(any::<u8>(), 0..200), head in any::<bool>()) {
        let source = if head { [INIT.as_bytes(), b"\n", &noise].concat() } else { noise };
        if let Err(e) = import(&source, ImportOptions::default()) {
            prop_assert!(e.hint().is_some(), "{e}");
        }
    }
}

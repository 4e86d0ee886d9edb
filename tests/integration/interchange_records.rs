//! Fields, spellings, numbers and times of version 2 records, and what a source claims of itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::io::Read as _;

use immutape::Code;
use immutape::interchange::ImportOptions;
use immutape::tape::{Direction, EndState, Gap, GapReason, flags};

use crate::interchange_bad::{INIT, frame, v2};
use crate::interchange_real::{data, import, losses};

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
    let gap = |before_seq, count| Gap { before_seq, reason: GapReason::SequenceJumped, count };
    assert_eq!(header.gaps, vec![gap(2, 3), gap(7, 3)]);
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
    assert_eq!(header.gaps, vec![gap(0, 7), gap(1, u64::MAX - 8)]);
    assert_eq!(losses(&header), [""; 0]);
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
        ["2 frames were compressed in the source; the payload is what was inside (first: line 2)"]
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
fn two_early_records_of_one_pair() {
    let early = r#"{"type":"correlation","request_seq":4,"response_seq":5}"#;
    let (_, header) = v2(&[early, early]).unwrap();
    assert_eq!(header.unsaved_lines.iter().map(|(n, _)| *n).collect::<Vec<_>>(), vec![2, 3]);
    assert!(losses(&header)[0].contains("line 3: a second correlation of frames 4 and 5"), "{:?}", losses(&header));
}

#[test]
fn a_record_far_behind_its_frames_is_not_compared() {
    let mut source = format!("{INIT}\n");
    for n in 0..65_540u64 {
        let (ask, answer) = (n * 2, n * 2 + 1);
        source.push_str(&format!(
            "{{\"type\":\"frame\",\"seq\":{ask},\"env\":{{\"message\":{{\"id\":1,\"method\":\"m\"}}}}}}\n"
        ));
        source.push_str(&format!(
            "{{\"type\":\"frame\",\"seq\":{answer},\"env\":{{\"message\":{{\"id\":1,\"result\":1}}}}}}\n"
        ));
    }
    let (_, header) = import(source.as_bytes(), ImportOptions::default()).unwrap();
    assert_eq!((header.stats.correlations, losses(&header).len()), (65_540, 0), "no record, nothing to compare");
    source.push_str("{\"type\":\"correlation\",\"request_seq\":6,\"response_seq\":7}\n");
    source.push_str("{\"type\":\"correlation\",\"request_seq\":131078,\"response_seq\":131079}\n");
    let (_, header) = import(source.as_bytes(), ImportOptions::default()).unwrap();
    let told = losses(&header);
    assert_eq!((told.len(), header.unsaved_lines.len()), (3, 1), "{told:#?}");
    assert!(told[1].starts_with("4 answered requests had no correlation record within 65536"), "{told:#?}");
    assert_eq!(told[2], "65539 answered requests have no correlation record in the source");
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
    let options = ImportOptions::default().companion(Some(data("sqlite-claims.meta.json")));
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
    let options = ImportOptions::default().companion(Some(data("sqlite-claims.meta.json")));
    let (_, header) = import(b"{\"jsonrpc\":\"2.0\",\"id\":1}\n", options).unwrap();
    assert!(losses(&header)[0].contains("CHECKSUM DIFFERS"));
    assert_eq!((header.end_state, header.labels.name), (EndState::Clean, Some(b"sqlite-claims".to_vec())));
    let options = ImportOptions::default().companion(Some(vec![b'x'; 600_000]));
    let e = import(INIT.as_bytes(), options).unwrap_err();
    assert!(e.code() == Code::Limit && e.hint().is_some());
}

//! Older tapes, one JSON document each: messages as they stand in the file, everything else kept or told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use immutape::Code;
use immutape::interchange::{ImportOptions, SourceFormat};
use immutape::tape::{Direction, Frame, Header, flags};
use serde_json::Value;

use crate::interchange_bad::refused;
use crate::interchange_real::{cat, data, import, lines_of, losses};

fn read(source: &str) -> (Vec<Frame>, Header) {
    import(source.as_bytes(), ImportOptions::default()).unwrap()
}

/// A captured tape as the older recorder would have written it. The messages keep their bytes: the text around them is put
/// together, not serialised.
fn older(name: &str) -> (String, usize) {
    let source = String::from_utf8(data(&format!("{name}.jsonl"))).unwrap();
    let messages = lines_of(source.as_bytes());
    let mut messages = messages.lines();
    let init: Value = serde_json::from_str(source.lines().next().unwrap()).unwrap();
    let mut frames = Vec::new();
    let mut correlations = Vec::new();
    for line in source.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        match record["type"].as_str().unwrap() {
            "frame" => {
                let message = messages.next().unwrap();
                let ms = record["ts"].as_u64().unwrap();
                frames.push(format!(
                    "    {{\n      \"sequence\": {},\n      \"timestamp\": {{\"secs\": {}, \"nanos\": {}}},\n      \"envelope\": {{\"message\": {message}, \"direction\": {}, \"timestamp\": {}, \"session_id\": {}}},\n      \"interceptor_action\": null,\n      \"transport_metadata\": {},\n      \"correlation_id\": {},\n      \"flags\": {}, \"mood\": [1 ,2]\n    }}",
                    record["seq"], ms / 1000, ms % 1000 * 1_000_000,
                    record["env"]["direction"], record["env"]["timestamp"], record["env"]["session_id"],
                    record["transport"], record["correlation_id"], record["flags"]
                ));
            }
            "correlation" => correlations.push(line.to_owned()),
            _ => {}
        }
    }
    let count = frames.len();
    let document = format!(
        "{{\n  \"id\": {},\n  \"session_id\": {},\n  \"created_at\": {},\n  \"protocol_version\": {},\n  \"frames\": [\n{}\n  ],\n  \"metadata\": {{\"name\": \"older\", \"tags\": [\"a\", 7], \"x\": 1}},\n  \"correlations\": [{}],\n  \"compressed\": false\n}}\n",
        init["tape_id"],
        init["session_id"],
        init["created_at"],
        init["protocol_version"],
        frames.join(",\n"),
        correlations.join(", ")
    );
    (document, count)
}

#[test]
fn every_message_comes_out_byte_for_byte() {
    for name in
        ["everything-stdio", "everything-http", "filesystem-payments", "sqlite-claims", "sqlite-crash", "git-policies"]
    {
        let (document, count) = older(name);
        let (frames, header) = read(&document);
        let payloads: String = frames.iter().map(|f| format!("{}\n", String::from_utf8_lossy(&f.payload))).collect();
        assert_eq!(payloads, lines_of(&data(&format!("{name}.jsonl"))), "{name}");
        assert_eq!(frames.len(), count);
        let (newer, newer_header) = import(&data(&format!("{name}.jsonl")), ImportOptions::default()).unwrap();
        for (own, given) in frames.iter().zip(&newer) {
            assert_eq!(
                (own.t_ns, own.wall_ns, own.direction, own.flags),
                (given.t_ns, given.wall_ns, given.direction, given.flags),
                "{name} {}",
                own.seq
            );
            assert_eq!(own.correlation_id, given.correlation_id);
            assert_eq!(own.extra, [(b"mood".to_vec(), b"[1 ,2]".to_vec())], "{name}");
            assert!(own.transport.is_some());
        }
        assert_eq!(header.stats, newer_header.stats, "{name}");
        for (own, given) in [
            (&header.legacy_tape_id, &newer_header.legacy_tape_id),
            (&header.session_id, &newer_header.session_id),
            (&header.protocol, &newer_header.protocol),
        ] {
            assert_eq!(own, given);
        }
        assert_eq!(
            (header.started_wall_ns, header.ended_wall_ns),
            (newer_header.started_wall_ns, newer_header.ended_wall_ns)
        );
        assert_eq!(header.labels.name.as_deref(), Some(&b"older"[..]));
        assert_eq!(header.labels.tags, [b"a".to_vec()]);
        assert_eq!(losses(&header), &[] as &[String], "{name}");
        let extra: Vec<_> = header.extra.iter().map(|(n, _)| String::from_utf8_lossy(n).into_owned()).collect();
        let metadata = header.extra.iter().find(|(n, _)| n == b"metadata").unwrap();
        assert_eq!(metadata.1, br#"{"name": "older", "tags": ["a", 7], "x": 1}"#);
        assert!(extra.contains(&"compressed".to_owned()), "{extra:?}");
    }
}

#[test]
fn drafts_and_the_first_version() {
    let (frames, header) = read(
        r#"{"format":{"version":"1.0"},"integrity":{"checksum":"x"},"session":{"id":"s"},"frames":[
            {"sequence":0,"timestamp":"2026-11-20T10:00:00.000Z","direction":"ClientToServer","message":{"jsonrpc":"2.0","id":1,"method":"a"},"metadata":{"processing_time_us":12}},
            {"sequence":2,"direction":"ServerToClient","message": {"jsonrpc":"2.0","id":1,"result":{}} }]}"#,
    );
    assert_eq!(cat(&frames), br#"{"jsonrpc":"2.0","id":1,"method":"a"}{"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert_eq!((frames[0].direction, frames[1].direction), (Direction::ClientToServer, Direction::ServerToClient));
    assert_eq!(frames[0].wall_ns, Some(1_795_168_800_000_000_000));
    // Nothing says when the session began, so no time since then is made up.
    assert_eq!((frames[0].t_ns, frames[1].t_ns), (None, None));
    assert!(frames[0].extra.iter().any(|(n, v)| n == b"metadata" && v == br#"{"processing_time_us":12}"#));
    assert!(frames[1].has(flags::GAP_BEFORE) && header.gaps.len() == 1);
    assert_eq!((header.stats.correlations, header.extra.len()), (1, 3));

    let (frames, header) = read(
        r#"{"metadata":{"id":"old-1","name":"n","created_at":"2026-11-20T10:00:00Z"},"frames":[{"ts":5,"message":{"method":"x"}},{"message":{"method":"y"}}]}"#,
    );
    assert_eq!(header.legacy_tape_id.as_deref(), Some(&b"old-1"[..]));
    assert_eq!(header.started_wall_ns, Some(1_795_168_800_000_000_000));
    assert_eq!((frames[0].t_ns, frames[0].flags & flags::TIME_INFERRED), (Some(5_000_000), 0));
    assert_eq!((frames[1].t_ns, frames[1].flags & flags::TIME_INFERRED), (Some(5_000_000), flags::TIME_INFERRED));
    assert_eq!(losses(&header), ["frame 0: the frame has no number", "frame 1: the frame has no number"]);
}

#[test]
fn what_does_not_fit_is_told() {
    let big = "x".repeat(600 << 10);
    let (frames, header) = read(&format!(
        r#"{{"frames":[7,{{}},{{"sequence":3,"envelope":{{"no":1}}}},{{"sequence":4,"timestamp":{{"secs":1,"nanos":2,"x":3}},"envelope":{{"message":{{"m":1}}}}}}],"big":"{big}","correlations":[1,2]}}"#
    ));
    assert_eq!(cat(&frames), br#"{"m":1}"#);
    assert_eq!(frames[0].t_ns, None);
    assert!(frames[0].extra.iter().any(|(n, _)| n == b"timestamp"), "a time that is not understood is kept");
    let told = losses(&header).join("\n");
    for words in [
        "frame 0 of the list",
        "frame 1 of the list holds no message",
        "frame 2 of the list",
        "kept source alone (first: \"big\")",
        "2 correlations (the frames give 0)",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(SourceFormat::TapeJson.keeps_source());
}

#[test]
fn a_document_cut_anywhere_is_refused() {
    let (document, _) = older("git-policies");
    for step in 1..50 {
        let cut = document.len() * step / 50;
        let e = import(&document.as_bytes()[..cut], ImportOptions::default()).expect_err("half a document");
        assert_eq!(e.code(), Code::TruncatedInput, "cut at {cut}: {e}");
        assert!(e.hint().is_some());
    }
    refused(br#"{"id":"a","frames":[1,2"#, Code::TruncatedInput, "document stops", "whole file");
    refused(br#"{"frames":[1 2]}"#, Code::NotATape, "not JSON", "known formats");
    refused(br#"{"format":{},"session":{}}"#, Code::NotATape, "no list \"frames\"", "known formats");
    let windows = document.replace('\n', "\r\n");
    assert_eq!(read(&format!("\u{feff}{windows}")).0, read(&document).0);
    for hostile in ["../../etc/passwd", "a\u{0}b", "\u{202e}gpj\u{1b}]0;x\u{7}"] {
        let name = serde_json::to_string(hostile).unwrap();
        let (_, header) = read(&format!(
            "{{\"id\":{name},\"frames\":[{{\"sequence\":0}}],{name}:1,\"metadata\":{{\"name\":{name}}}}}"
        ));
        assert_eq!(header.legacy_tape_id.as_deref(), Some(hostile.as_bytes()));
        assert_eq!(header.labels.name.as_deref(), Some(hostile.as_bytes()));
        assert!(losses(&header).iter().all(|l| l.chars().all(|c| !c.is_control() && c != '\u{202e}')));
    }
}

#[test]
fn nesting_without_end_is_carried() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let (frames, _) = read(&format!("{{\"frames\":[{{\"sequence\":0,\"envelope\":{{\"message\":{deep}}}}}]}}"));
    assert_eq!(frames[0].payload, deep.as_bytes());
}

/// Spaces without end, behind the beginning of a document.
struct Endless(u64);

impl std::io::Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let start: &[u8] = if self.0 == 0 { b"{\"frames\":[" } else { &[b' '; 4_096] };
        let got = start.len().min(out.len());
        out[..got].copy_from_slice(&start[..got]);
        self.0 += got as u64;
        Ok(got)
    }
}

#[test]
fn a_document_has_a_stated_limit() {
    let input = std::io::BufReader::new(Endless(0));
    let e = immutape::interchange::Importer::open(input, ImportOptions::default()).unwrap_err();
    assert_eq!(e.code(), Code::Limit);
    assert!(e.message().contains("268435456") && e.hint().unwrap().contains("split"), "{e}");
}

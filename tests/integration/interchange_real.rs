//! Six captured sessions go in; every message comes out byte for byte, and the counts are those of another program.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::path::PathBuf;

use immutape::Result;
use immutape::interchange::{ImportOptions, Importer, PayloadWriter, SourceFormat};
use immutape::tape::{Direction, EndState, Frame, Header, TapeKind, flags};
use serde_json::Value;

const NAMES: [&str; 6] =
    ["everything-http", "everything-stdio", "filesystem-payments", "git-policies", "sqlite-claims", "sqlite-crash"];

pub fn data(file: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/tapes").join(file);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Reads a whole source. A small odd buffer, so that lines lie across its ends.
pub fn import(source: &[u8], options: ImportOptions) -> Result<(Vec<Frame>, Header)> {
    let mut importer = Importer::open(std::io::BufReader::with_capacity(61, source), options)?;
    let mut frames = Vec::new();
    while let Some(frame) = importer.next_frame()? {
        assert_eq!(frame.seq, frames.len() as u64, "numbers are dense");
        let encoded = frame.parts().expect("an imported frame encodes").encode();
        assert_eq!(Frame::decode(&encoded).expect("and decodes"), frame);
        frames.push(frame);
    }
    assert!(importer.next_frame()?.is_none(), "the end stays the end");
    let header = importer.finish()?;
    let encoded = header.encode().expect("an imported header encodes");
    assert_eq!(Header::decode(&encoded).expect("and decodes"), header);
    assert_eq!(header.stats.frames, frames.len() as u64);
    Ok((frames, header))
}

pub fn cat(frames: &[Frame]) -> Vec<u8> {
    let mut writer = PayloadWriter::new(Vec::new());
    frames.iter().for_each(|f| writer.frame(f).expect("a vector takes everything"));
    writer.finish().expect("a vector takes everything")
}

pub fn losses(header: &Header) -> &[String] {
    &header.provenance.as_ref().expect("an import has a provenance").losses
}

/// The message of a frame line, cut out by counting brackets: no JSON library has a say in it.
fn cut_message(line: &str) -> Option<&str> {
    const BEFORE: &str = r#","env":{"message":"#;
    if !line.starts_with(r#"{"type":"frame","#) {
        return None;
    }
    let rest = &line[line.find(BEFORE)? + BEFORE.len()..];
    let (mut depth, mut in_text, mut escaped) = (0, false, false);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return Some(&rest[..=at]);
                }
            }
            _ => {}
        }
    }
    None
}

/// The messages of a source, a line each.
pub fn lines_of(source: &[u8]) -> String {
    std::str::from_utf8(source).unwrap().lines().filter_map(cut_message).map(|m| format!("{m}\n")).collect()
}

fn with_companion(name: &str) -> ImportOptions {
    ImportOptions::default().companion(Some(data(&format!("{name}.meta.json"))))
}

#[test]
fn every_message_comes_out_byte_for_byte() {
    let mut messages = 0;
    for name in NAMES {
        let source = data(&format!("{name}.jsonl"));
        let expected = lines_of(&source);
        let (frames, _) = import(&source, with_companion(name)).unwrap();
        assert_eq!(String::from_utf8(cat(&frames)).unwrap(), expected, "{name}");
        messages += frames.len();
    }
    assert_eq!(messages, 231);
}

#[test]
fn counts_are_those_of_the_other_program() {
    let expected: Vec<Value> = serde_json::from_slice(&data("expected.json")).unwrap();
    assert_eq!(expected.len(), NAMES.len());
    for e in expected {
        let name = e["name"].as_str().unwrap();
        let (_, header) = import(&data(&format!("{name}.jsonl")), with_companion(name)).unwrap();
        let (s, p) = (header.stats, header.provenance.unwrap());
        for (key, found) in [
            ("frames", s.frames),
            ("client_to_server", s.client_to_server),
            ("server_to_client", s.server_to_client),
            ("request", s.requests),
            ("response", s.responses),
            ("notification", s.notifications),
            ("errors", s.errors),
            ("correlations", s.correlations),
            ("unanswered", s.unanswered),
            ("bytes", p.source_bytes.unwrap()),
        ] {
            assert_eq!(Some(found), e[key].as_u64(), "{name}: {key}");
        }
        assert_eq!(p.source_sha256.unwrap().to_hex(), e["sha256"].as_str().unwrap(), "{name}");
        assert_eq!(header.protocol.as_deref(), e["protocol_version"].as_str().map(str::as_bytes), "{name}");
    }
}

#[test]
fn nothing_is_lost_of_a_tape_with_its_companion() {
    for name in NAMES {
        let source = data(&format!("{name}.jsonl"));
        let (_, header) = import(&source, with_companion(name)).unwrap();
        assert_eq!(losses(&header), &[] as &[String], "{name}");
        assert_eq!(header.unsaved_lines, vec![], "{name}");
        assert_eq!((header.gaps.len(), header.extra.len()), (0, 0), "{name}");
        // Alone, the moment of the checkpoint is known from its line only.
        let (_, header) = import(&source, ImportOptions::default()).unwrap();
        assert_eq!(losses(&header), &[] as &[String], "{name}");
        let last = source.trim_ascii_end().rsplit(|b| *b == b'\n').next().unwrap();
        assert!(last.starts_with(br#"{"type":"checkpoint""#));
        let lines = source.iter().filter(|b| **b == b'\n').count() as u64;
        assert_eq!(header.unsaved_lines, vec![(lines, last.to_vec())], "{name}");
        assert_eq!(header.end_state, EndState::Imported);
    }
}

#[test]
fn header_of_a_real_tape() {
    let (frames, header) = import(&data("sqlite-crash.jsonl"), with_companion("sqlite-crash")).unwrap();
    assert_eq!(header.kind, TapeKind::Mcp);
    assert_eq!(header.legacy_tape_id.as_deref(), Some(&b"d1562bf4-a76c-51f9-a3b7-5be95fe7285b"[..]));
    assert_eq!(header.session_id.as_deref(), Some(&b"05b2e507-7d6a-5482-a703-e95a84761866"[..]));
    assert_eq!(header.started_wall_ns, Some(1_795_169_823_231_000_000));
    assert_eq!(header.ended_wall_ns, Some(1_795_169_823_239_000_000));
    assert_eq!((header.span_ns, header.stats.duration_ms), (Some(8_000_000), Some(8)));
    assert_eq!(header.end_state, EndState::Error(b"server exited with code 1".to_vec()));
    assert_eq!(header.labels.name.as_deref(), Some(&b"sqlite-crash"[..]));
    assert_eq!(header.labels.tags, vec![b"mcp".to_vec(), b"stdio".to_vec(), b"crash".to_vec()]);
    assert_eq!(header.environment.as_deref(), Some(&b"{\n    \"platform\": \"linux\"\n  }"[..]));
    assert!(header.transport.as_deref().unwrap().starts_with(b"{\n    \"type\": \"stdio\""));
    let p = header.provenance.unwrap();
    assert_eq!(p.format.as_deref(), Some("tape-v2-jsonl"));
    assert_eq!(p.companion.unwrap(), data("sqlite-crash.meta.json"));
    let frame = &frames[0];
    assert_eq!((frame.t_ns, frame.wall_ns), (Some(8_000_000), Some(1_795_169_823_239_000_000)));
    assert_eq!((frame.direction, frame.flags), (Direction::ClientToServer, flags::REQUIRES_RESPONSE));
    assert_eq!(frame.correlation_id.as_deref(), Some(&b"c-1"[..]));
    assert!(frame.transport.as_deref().unwrap().starts_with(br#"{"stdio":{"process_id":21493,"#));
    assert_eq!((frame.action.as_deref(), frame.extra.len()), (None, 0));
}

#[test]
fn the_importer_says_more_than_the_companion() {
    let options = with_companion("git-policies")
        .class("trade")
        .namespace("desk")
        .name(Some(b"mine".to_vec()))
        .tags(vec![b"t".to_vec()])
        .source_name(Some(b"a/../b\xff.jsonl".to_vec()))
        .imported_ms(Some(7))
        .host(Some(b"h".to_vec()))
        .importer("immutape 9.9.9");
    let (_, header) = import(&data("git-policies.jsonl"), options).unwrap();
    assert_eq!((header.class.as_str(), header.namespace.as_str()), ("trade", "desk"));
    assert_eq!(header.labels.name.as_deref(), Some(&b"mine"[..]));
    assert!(header.labels.description.as_deref().unwrap().starts_with(b"Retention policy edits"));
    assert_eq!(header.labels.tags, vec![b"t".to_vec()]);
    assert_eq!(header.end_state, EndState::Clean);
    let p = header.provenance.unwrap();
    assert_eq!(p.source_name.as_deref(), Some(&b"a/../b\xff.jsonl"[..]));
    assert_eq!((p.imported_ms, p.host, p.importer.as_deref()), (Some(7), Some(b"h".to_vec()), Some("immutape 9.9.9")));
}

#[test]
fn the_messages_alone_are_a_source_too() {
    for name in NAMES {
        let (v2, v2_header) = import(&data(&format!("{name}.jsonl")), with_companion(name)).unwrap();
        let lines = cat(&v2);
        let (frames, header) = import(&lines, ImportOptions::default()).unwrap();
        assert_eq!(header.provenance.as_ref().unwrap().format.as_deref(), Some("jsonrpc-lines"));
        assert_eq!(cat(&frames), lines, "{name}");
        let kinds = |h: &Header| (h.stats.requests, h.stats.responses, h.stats.notifications, h.stats.errors);
        assert_eq!(kinds(&header), kinds(&v2_header), "{name}");
        assert_eq!((header.kind, &header.protocol), (TapeKind::Mcp, &v2_header.protocol), "{name}");
        for (own, given) in frames.iter().zip(&v2) {
            // The recorder and we agree on what every message is; an id in use by both sides shows only without directions.
            assert_eq!(own.flags & !flags::DUPLICATE_ID, given.flags, "{name} {}", own.seq);
            assert_eq!((own.direction, own.t_ns, own.wall_ns), (Direction::Unknown, None, None));
        }
    }
}

#[test]
fn the_format_is_known_before_the_first_frame() {
    let source = data("sqlite-crash.jsonl");
    let importer = Importer::open(source.as_slice(), ImportOptions::default()).unwrap();
    assert_eq!(importer.format(), SourceFormat::TapeV2Jsonl);
    let unfinished = importer.finish().unwrap_err();
    assert_eq!(unfinished.code(), immutape::Code::Internal);
}

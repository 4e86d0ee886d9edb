//! JSON-RPC, one message a line: random lines go in and the same bytes come out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use immutape::interchange::ImportOptions;
use immutape::tape::{Delimiter, Direction, TapeKind, flags};
use proptest::prelude::*;

use crate::interchange_real::{cat, import, losses};

fn rpc(source: &[u8]) -> (Vec<immutape::tape::Frame>, immutape::tape::Header) {
    import(source, ImportOptions::default()).unwrap()
}

/// JSON text with white space, doubled names, escapes and numbers as programs would never write them.
fn json(depth: u32) -> BoxedStrategy<String> {
    let blank = prop_oneof![Just(""), Just(" "), Just("\t"), Just("  ")];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("1.0e+10".to_owned()),
        Just("-0".to_owned()),
        Just("123456789012345678901234567890".to_owned()),
        Just(r#""\ud800 \u0061 \/""#.to_owned()),
        any::<u64>().prop_map(|n| n.to_string()),
        "[a-zäß🎉 ]{0,12}".prop_map(|s| format!("\"{s}\"")),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = json(depth - 1);
    let names = prop_oneof![Just("a"), Just("id"), Just("method"), Just("result"), Just("error"), Just("a\\n")];
    let member = (names, blank.clone(), inner.clone(), blank.clone());
    prop_oneof![
        2 => leaf,
        2 => proptest::collection::vec(member, 0..4)
            .prop_map(|m| format!("{{{}}}", m.iter().map(|(n, a, v, b)| format!("{a}\"{n}\":{b}{v}")).collect::<Vec<_>>().join(","))),
        1 => (blank, proptest::collection::vec(inner, 0..4)).prop_map(|(b, v)| format!("[{b}{}]", v.join(",")))
    ]
    .boxed()
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let members = proptest::collection::vec(
        (prop_oneof![Just("id"), Just("method"), Just("params"), Just("result"), Just("x")], json(2)),
        0..5,
    );
    members.prop_map(|m| {
        let members: String = m.iter().map(|(n, v)| format!(",\"{n}\": {v}")).collect();
        format!("{{\"jsonrpc\":\"2.0\"{members}}}").into_bytes()
    })
}

fn any_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => message(),
        1 => json(2).prop_map(String::into_bytes),
        1 => Just(Vec::new()),
        1 => proptest::collection::vec(any::<u8>().prop_filter("no line end", |b| *b != b'\n'), 1..40)
            .prop_filter("no carriage return at the end", |l| l.last() != Some(&b'\r')),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn round_trip(
        first in message(),
        rest in proptest::collection::vec((any_line(), any::<bool>()), 0..20),
        last in proptest::option::of(message()),
    ) {
        let mut source = first.clone();
        source.push(b'\n');
        for (line, crlf) in &rest {
            source.extend_from_slice(line);
            source.extend_from_slice(if *crlf { b"\r\n" } else { b"\n" });
        }
        source.extend_from_slice(last.as_deref().unwrap_or_default());
        let (frames, header) = rpc(&source);
        prop_assert_eq!(frames.len(), 1 + rest.len() + usize::from(last.is_some()));
        for (frame, (line, crlf)) in frames.iter().skip(1).zip(&rest) {
            prop_assert_eq!(&frame.payload, line);
            prop_assert_eq!(frame.delimiter, if *crlf { Delimiter::CrLf } else { Delimiter::Lf });
            prop_assert_eq!(frame.has(flags::NOT_UTF8), std::str::from_utf8(line).is_err());
        }
        prop_assert_eq!(cat(&frames), source.clone());
        let p = header.provenance.unwrap();
        prop_assert_eq!(p.source_bytes, Some(source.len() as u64));
        prop_assert_eq!(*p.source_sha256.unwrap().as_bytes(), immutape::codec::digest::sha256(&source));
        prop_assert!(header.unsaved_lines.is_empty());
    }
}

#[test]
fn flags_come_from_the_messages() {
    let source = concat!(
        r#"{"jsonrpc":"2.0","id":1,"method":"a"}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":1,"method":"b"}"#,
        "\n",
        r#"{"jsonrpc":"2.0","method":"n"}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}"#,
        "\n",
        r#"[{"jsonrpc":"2.0","id":2,"method":"c"},{"jsonrpc":"2.0","method":"n"}]"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":2,"result":{"isError":true}}"#,
        "\r\n",
        "\n",
        "Listening on stdin\n",
        r#"{"jsonrpc":"2.0","id":9,"result":null}"#,
    );
    let (frames, header) = rpc(source.as_bytes());
    let bits: Vec<u64> = frames.iter().map(|f| f.flags).collect();
    let ask = flags::REQUIRES_RESPONSE;
    assert_eq!(
        bits,
        vec![ask, ask | flags::DUPLICATE_ID, flags::IS_NOTIFICATION, flags::IS_ERROR, ask, flags::IS_ERROR, 0, 0, 0]
    );
    let s = header.stats;
    assert_eq!((s.frames, s.requests, s.responses, s.notifications), (9, 3, 3, 2));
    assert_eq!((s.errors, s.correlations, s.unanswered, s.duration_ms), (2, 2, 1, None));
    assert_eq!((s.client_to_server, s.server_to_client), (0, 0));
    assert_eq!(losses(&header), ["1 line that is not JSON, kept as a frame (first: line 8)"]);
    assert_eq!((header.kind, header.protocol, header.span_ns), (TapeKind::Other, None, None));
    assert_eq!((frames[5].delimiter, frames[8].delimiter), (Delimiter::CrLf, Delimiter::None));
    assert_eq!(cat(&frames), source.as_bytes());
}

#[test]
fn a_known_direction_is_taken() {
    let options = ImportOptions::default().direction(Direction::ClientToServer);
    let source = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n";
    let (frames, header) = import(source, options).unwrap();
    assert!(frames.iter().all(|f| f.direction == Direction::ClientToServer));
    // Both going the same way, the second is no answer to the first.
    assert_eq!((header.stats.client_to_server, header.stats.correlations, header.stats.unanswered), (2, 0, 1));
}

#[test]
fn blank_lines_and_byte_order_mark_stay() {
    let source = "\u{feff} \n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n \n";
    let (frames, header) = rpc(source.as_bytes());
    assert_eq!((frames.len(), header.stats.requests, header.kind), (4, 1, TapeKind::Mcp));
    assert_eq!(cat(&frames), source.as_bytes());
    let marked = "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}";
    let (frames, header) = rpc(marked.as_bytes());
    assert_eq!((header.stats.requests, losses(&header).len()), (1, 0));
    assert_eq!(cat(&frames), marked.as_bytes());
}

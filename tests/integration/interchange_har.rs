//! HTTP archives: heads and bodies as they stand in the file, in the order of their times, with what is lost told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use immutape::Code;
use immutape::interchange::ImportOptions;
use immutape::tape::{Direction, Frame, FrameKind, Header, TapeKind, flags};
use serde_json::Value;

use crate::interchange_bad::refused;
use crate::interchange_cast::imports;
use crate::interchange_real::{import, losses};

fn har(entries: &str) -> (Vec<Frame>, Header) {
    let source = format!("{{\"log\":{{\"version\":\"1.2\",\"entries\":[{entries}]}}}}");
    import(source.as_bytes(), ImportOptions::default()).unwrap()
}

fn extra<'a>(frame: &'a Frame, name: &str) -> Option<&'a str> {
    let found = frame.extra.iter().find(|(n, _)| n == name.as_bytes());
    found.map(|(_, value)| std::str::from_utf8(value).unwrap())
}

#[test]
fn a_real_archive_comes_out_byte_for_byte() {
    let source = imports("everything.har");
    let (frames, header) = import(&source, ImportOptions::default()).unwrap();
    // Another reading: the whole document as values.
    let document: Value = serde_json::from_slice(&source).unwrap();
    let entries = document["log"]["entries"].as_array().unwrap();
    let (mut heads, mut bodies) = (0, 0);
    for (number, entry) in entries.iter().enumerate() {
        let number = number.to_string();
        for (name, body, direction) in
            [("request", "postData", Direction::ClientToServer), ("response", "content", Direction::ServerToClient)]
        {
            let own: Vec<_> =
                frames.iter().filter(|f| f.direction == direction && extra(f, "har.entry") == Some(&number)).collect();
            let text = entry[name][body]["text"].as_str().unwrap_or("");
            assert_eq!(own.len(), 1 + usize::from(!text.is_empty()), "{number} {name}");
            // The head is a stretch of the file, but for the text of the body.
            let head = std::str::from_utf8(&own[0].payload).unwrap();
            let mut expected = entry[name].clone();
            let has_text = expected[body].get("text").is_some();
            if has_text {
                expected[body]["text"] = "".into();
                let (before, after) =
                    head.split_once("\"text\": \"\"").or_else(|| head.split_once("\"text\":\"\"")).unwrap();
                let file = std::str::from_utf8(&source).unwrap();
                assert!(file.contains(before) && file.contains(after), "{number} {name}");
            }
            assert_eq!(serde_json::from_str::<Value>(head).unwrap(), expected);
            assert_eq!(own[0].kind, FrameKind::HttpHead);
            heads += 1;
            if let Some(frame) = own.get(1) {
                assert_eq!((frame.kind, frame.payload.as_slice()), (FrameKind::HttpBody, text.as_bytes()));
                assert_eq!(frame.media_type.as_deref(), entry[name][body]["mimeType"].as_str().map(str::as_bytes));
                bodies += 1;
            }
        }
        let request = frames.iter().find(|f| extra(f, "har.entry") == Some(&number)).unwrap();
        assert_eq!(extra(request, "har.serverIPAddress"), Some("\"127.0.0.1\""));
        let started = chrono::DateTime::parse_from_rfc3339(entry["startedDateTime"].as_str().unwrap()).unwrap();
        assert_eq!(request.wall_ns, Some(started.timestamp_nanos_opt().unwrap() as u64));
        assert_eq!(request.flags & flags::TIME_INFERRED, 0);
    }
    assert_eq!((heads, heads + bodies), (28, frames.len()));
    // In the order of time, although the last entry of the file is not the last.
    assert!(frames.windows(2).all(|w| w[0].wall_ns <= w[1].wall_ns));
    assert!(frames.iter().filter(|f| f.direction == Direction::ServerToClient).all(|f| f.has(flags::TIME_INFERRED)));
    assert_eq!(header.kind, TapeKind::Http);
    assert_eq!(header.started_wall_ns, frames[0].wall_ns);
    // The answer that agrees on a version stands in an event stream, which is not looked into.
    assert_eq!(header.protocol, None);
    assert!(header.stats.requests > 5, "the messages in bodies are counted");
    let told = losses(&header);
    assert!(told.iter().any(|l| l.contains("1 exchange is earlier") && l.contains("entry 13")), "{told:#?}");
    assert!(told.iter().any(|l| l.contains("one body")), "{told:#?}");
    assert!(!told.iter().any(|l| l.contains("SECRETS")));
}

#[test]
fn bodies_of_every_sort() {
    let (frames, header) = har(r#"{"startedDateTime":"2026-11-20T10:00:00+01:00","time":2.5,
            "request":{"method":"POST","postData":{"mimeType":"a/b","params":[{"name":"x"}]}},
            "response":{"status":200,"content":{"mimeType":"image/png","encoding":"base64","text":"iVBORw=="}}},
           {"startedDateTime":"2026-11-20T09:00:01Z","request":{"method":"GET"},
            "response":{"status":200,"content":{"size":10}}},
           {"startedDateTime":"2026-11-20T09:00:02Z","request":{"method":"GET","postData":{"text":"\ud800"}},
            "response":{"status":200,"content":{"encoding":"base64","text":"%%"}}},
           {"request":7},
           []"#);
    let seen: Vec<_> = frames.iter().map(|f| (f.kind == FrameKind::HttpHead, f.payload.as_slice(), f.flags)).collect();
    let inferred = flags::TIME_INFERRED;
    assert_eq!(
        seen[1],
        (true, &br#"{"status":200,"content":{"mimeType":"image/png","encoding":"base64","text":""}}"#[..], inferred)
    );
    assert_eq!(seen[2], (false, &b"\x89PNG"[..4], inferred | flags::NOT_UTF8));
    assert_eq!(seen[6], (false, &br#""\ud800""#[..], 0));
    assert_eq!(seen[8], (false, &b"%%"[..], inferred));
    assert_eq!(frames[1].wall_ns.unwrap() - frames[0].wall_ns.unwrap(), 2_500_000);
    let told = losses(&header).join("\n");
    for words in [
        "1 body is missing",
        "1 body is given as parameters",
        "1 body or message is called base64",
        "1 text stands for no characters",
        "2 entries have neither",
        "first: entry 3",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn times_without_zone_are_no_times() {
    let entry =
        |time: &str| format!(r#"{{"startedDateTime":"{time}","time":1,"request":{{"n":"{time}"}},"response":{{}}}}"#);
    let (frames, header) =
        har(&[entry("2026-11-20T10:00:05Z"), entry("2026-11-20T10:00:00"), entry("2026-11-20T10:00:01Z")].join(","));
    let seen: Vec<_> =
        frames.iter().map(|f| (extra(f, "har.entry").unwrap(), f.t_ns, f.has(flags::TIME_INFERRED))).collect();
    assert_eq!(
        seen,
        [
            ("2", Some(0), false),
            ("2", Some(1_000_000), true),
            ("0", Some(4_000_000_000), false),
            ("1", None, false),
            ("1", None, false),
            ("0", Some(4_001_000_000), true),
        ]
    );
    assert!(losses(&header).iter().any(|l| l.starts_with("1 exchange has no time")), "{:?}", losses(&header));
}

#[test]
fn secrets_are_told_by_name() {
    let (frames, header) = har(
        r#"{"startedDateTime":"2026-11-20T10:00:00Z","request":{"headers":[{"name":"Authorization","value":"Bearer s3cret"},{"name":"COOKIE","value":"a"},{"name":"accept","value":"*"}]},
            "response":{"headers":[{"name":"set-cookie","value":"b"},{"name":"Set-Cookie","value":"c"}]}}"#,
    );
    assert!(String::from_utf8_lossy(&frames[0].payload).contains("s3cret"));
    let told = losses(&header).last().unwrap();
    assert!(told.contains("SECRETS ARE KEPT") && told.contains("1 authorization, 1 cookie, 2 set-cookie"), "{told}");
    assert!(!told.contains("s3cret"));
}

#[test]
fn messages_of_a_socket_have_their_own_times() {
    let (frames, header) = har(
        r#"{"startedDateTime":"2026-11-20T10:00:00Z","time":9000,"request":{"method":"GET"},"response":{"status":101},
            "_webSocketMessages":[{"type":"send","time":1795168801.25,"opcode":1,"data":"hi"},
              {"type":"receive","time":1795168802.5,"opcode":2,"data":"AP8="},{"type":"odd","time":1795168803,"opcode":1,"data":"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}","x":1},{"type":"send","opcode":1}]}"#,
    );
    let seen: Vec<_> = frames.iter().map(|f| (f.kind, f.direction, f.payload.as_slice(), f.t_ns)).collect();
    assert_eq!(
        seen[1..4],
        [
            (FrameKind::Message, Direction::ClientToServer, &b"hi"[..], Some(1_250_000_000)),
            (FrameKind::Message, Direction::ServerToClient, b"\0\xff", Some(2_500_000_000)),
            (FrameKind::Message, Direction::Unknown, br#"{"jsonrpc":"2.0","id":1,"method":"m"}"#, Some(3_000_000_000)),
        ]
    );
    assert_eq!(
        (frames[3].flags, extra(&frames[3], "har.type"), extra(&frames[3], "har.x")),
        (flags::REQUIRES_RESPONSE, Some("\"odd\""), Some("1"))
    );
    assert_eq!((frames.len(), frames[4].kind), (5, FrameKind::HttpHead));
    assert!(losses(&header).iter().any(|l| l.contains("1 WebSocket message has no data")));
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    let source = imports("everything.har");
    for step in 1..50 {
        let cut = source.len() * step / 50;
        let e = import(&source[..cut], ImportOptions::default()).expect_err("half a document");
        assert_eq!(e.code(), Code::TruncatedInput, "cut at {cut}: {e}");
        assert!(e.hint().is_some());
    }
}

#[test]
fn other_documents() {
    refused(b"{\"log\":{}}", Code::NotATape, "entries", "HAR");
    refused(b"{\"log\":{\"entries\":{}}}", Code::NotATape, "entries", "HAR");
    refused(b"{\"log\":{\"entries\":[1,}}", Code::NotATape, "not JSON", "HAR");
    refused(b"{\"log\":{\"entries\":[]}} trailing", Code::NotATape, "not JSON", "HAR");
    refused(b"{\"log\":{\"x\":\"\xff\",\"entries\":[]}}", Code::NotATape, "UTF-8", "HAR");
    refused(b"{\"log\":\"a line of a container\",\"stream\":\"stdout\"}\n", Code::NotATape, "line 1", "HAR");
    // Nesting without end is walked, not recursed into.
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    let (frames, header) = har(&format!(r#"{{"request":{deep},"response":{deep}}}"#));
    assert_eq!((frames.len(), frames[0].payload.len(), header.stats.frames), (2, deep.len(), 2));
    let open = format!("{{\"log\":{}", "{\"a\":[".repeat(100_000));
    assert_eq!(import(open.as_bytes(), ImportOptions::default()).unwrap_err().code(), Code::TruncatedInput);
    // A body of more than a frame may hold becomes several.
    let body = "b".repeat((16 << 20) + 5);
    let (frames, header) = har(&format!(r#"{{"request":{{"postData":{{"text":"{body}"}}}},"response":{{}}}}"#));
    let sizes: Vec<_> = frames.iter().map(|f| (f.seq, f.payload.len(), f.has(flags::CONTINUED))).collect();
    assert_eq!(sizes[1..3], [(1, 16 << 20, true), (2, 5, false)]);
    assert_eq!((frames[3].seq, header.stats.frames, header.stats.client_to_server), (3, 4, 3));
}

//! Bad input: a named error with its way out, or nothing lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use immutape::interchange::ImportOptions;
use immutape::tape::{Frame, Header, flags};
use immutape::{Code, Error};

use crate::interchange_real::{cat, data, import, losses};

pub const INIT: &str = r#"{"type":"init","version":"2.0","tape_id":"t","session_id":"s","created_at":"2026-11-20T10:00:00.000Z","protocol_version":"2025-11-25"}"#;

pub fn v2(lines: &[&str]) -> Result<(Vec<Frame>, Header), Error> {
    let source: String = std::iter::once(&INIT).chain(lines).map(|l| format!("{l}\n")).collect();
    import(source.as_bytes(), ImportOptions::default())
}

pub fn frame(rest: &str) -> String {
    format!(r#"{{"type":"frame",{rest},"env":{{"message":{{"jsonrpc":"2.0","method":"m"}}}}}}"#)
}

/// Code, and that both words and way out are there and name what they should.
pub fn refused(source: &[u8], code: Code, words: &str, hint: &str) {
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
    refused(b"\n\n{\"a\":{}}\n", Code::NotATape, "line 3", "known formats");
    refused(b"{\n \"id\": 1\n}\n", Code::NotATape, "line 1", "known formats");
    refused(b"\xff\xfe{\0}\0\n\0", Code::NotATape, "UTF-8", "UTF-16");
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
        r#"{"type":"frame","seq":0,"env_compressed":"eJxTSkxSAgAClQEJ"}"#,
        r#"{"type":"frame","seq":0,"env_compressed":"eJz7/x8AAv8B/w=="}"#,
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
        (17, "is damaged"),
        (18, "not UTF-8"),
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
fn labels_and_noise_together_must_fit_the_header() {
    let noise = format!("{}\n", "x".repeat(9_999)).repeat(418);
    let companion = Some([&b"{}"[..], &[b' '; 100_000]].concat());
    let options = ImportOptions::default().companion(companion).tags(vec![vec![b't'; 4_096]; 1_024]);
    let e = import(format!("{INIT}\n{noise}").as_bytes(), options).map(|_| "accepted").unwrap_err();
    assert_eq!(e.code(), Code::Limit);
    assert!(e.message().contains("header") && e.hint().unwrap().contains("tags"), "{e}");
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
        let options = ImportOptions::default()
            .name(name.as_bytes().to_vec())
            .description(name.as_bytes().to_vec())
            .tags(vec![name.into(), vec![0xff, 0xfe]])
            .source_name(name.as_bytes().to_vec());
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

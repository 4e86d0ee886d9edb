//! The examples in `docs/format` are the golden bytes: each block that begins with the path of a golden file holds
//! its bytes in hexadecimal (or a range of them, or its text), and after `=` the same in diagnostic notation.
//!
//! `IMMUTAPE_GOLDEN=docs` prints such blocks for the texts.

use std::fmt::Write as _;
use std::path::Path;

use ciborium::Value;

const PAGES: [&str; 5] = ["1-bytes", "2-tape", "3-seal", "4-commit", "store-embedded"];

fn golden(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// RFC 8949 section 8, with byte strings that hold a map or an array shown as what they hold.
fn diagnostic(value: &Value) -> String {
    let joined = |items: Vec<String>| items.join(", ");
    match value {
        Value::Integer(n) => i128::from(*n).to_string(),
        Value::Text(t) => format!("{t:?}"),
        Value::Bytes(b) => match immutape::codec::cbor::value(b) {
            Ok(inner @ (Value::Map(_) | Value::Array(_))) if b.len() > 8 => format!("<<{}>>", diagnostic(&inner)),
            _ => format!("h'{}'", hex::encode(b)),
        },
        Value::Bool(b) => b.to_string(),
        Value::Null => "null".into(),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(diagnostic).collect())),
        Value::Map(pairs) => {
            let pairs = pairs.iter().map(|(k, v)| format!("{}: {}", diagnostic(k), diagnostic(v)));
            format!("{{{}}}", joined(pairs.collect()))
        }
        Value::Tag(tag, inner) => format!("{tag}({})", diagnostic(inner)),
        other => panic!("not of the profile: {other:?}"),
    }
}

/// An example block.
struct Example {
    path: String,
    range: Option<(usize, usize)>,
    hex: String,
    diagnostic: String,
    text: String,
}

fn examples(page: &str) -> Vec<Example> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/format/{page}.md"));
    let page = std::fs::read_to_string(path).unwrap();
    let mut lines = page.lines().peekable();
    let mut out = Vec::new();
    while let Some(line) = lines.next() {
        let Some(head) = line.strip_prefix("    ").filter(|l| l.starts_with("tests/golden/")) else { continue };
        let (path, range) = head.split_once(' ').unwrap_or((head, ""));
        let range = range.strip_prefix('[').and_then(|r| r.strip_suffix(']')).and_then(|r| r.split_once(".."));
        let range = range.map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap()));
        let mut e =
            Example { path: path.into(), range, hex: String::new(), diagnostic: String::new(), text: String::new() };
        let mut in_diagnostic = false;
        // A note has an empty line within; other blocks end at one.
        let is_note = path.ends_with(".note");
        while let Some(line) = lines.next_if(|l| l.starts_with("    ") || (is_note && l.is_empty())) {
            let line = line.get(4..).unwrap_or("");
            writeln!(e.text, "{line}").unwrap();
            in_diagnostic |= line.starts_with("= ");
            let part = line.strip_prefix("= ").unwrap_or(line).replace(' ', "");
            if in_diagnostic { e.diagnostic += &part } else { e.hex += &part }
        }
        out.push(e);
    }
    out
}

#[test]
fn examples_are_the_golden_bytes() {
    for page in PAGES {
        let examples = examples(page);
        assert!(!examples.is_empty(), "{page} has no example");
        for e in examples {
            let bytes = golden(&e.path);
            if e.path.ends_with(".note") {
                assert_eq!(e.text.trim_end(), String::from_utf8(bytes).unwrap().trim_end(), "{}", e.path);
                continue;
            }
            let (from, to) = e.range.unwrap_or((0, bytes.len()));
            assert_eq!(e.hex, hex::encode(&bytes[from..to]), "{}", e.path);
            let wanted = if e.path.ends_with(".cbor") || !e.diagnostic.is_empty() {
                diagnostic(&ciborium::from_reader(&bytes[from..to]).unwrap()).replace(' ', "")
            } else {
                String::new()
            };
            assert_eq!(e.diagnostic, wanted, "{}", e.path);
        }
    }
}

/// Digests and keys in the prose stand in an index or a golden file too.
#[test]
fn every_digest_in_the_texts_is_a_golden_one() {
    let mut known = String::new();
    for page in &PAGES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(page);
        known += &std::fs::read_to_string(folder.join("index.toml")).unwrap();
        let files = std::fs::read_dir(folder.join("accept")).unwrap();
        files.for_each(|f| known += &hex::encode(std::fs::read(f.unwrap().path()).unwrap()));
    }
    let mut checked = 0;
    for page in &PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/format/{page}.md"));
        let text = std::fs::read_to_string(path).unwrap();
        for digits in text.split(|c: char| !c.is_ascii_hexdigit()).filter(|d| d.len() == 64) {
            assert!(known.contains(digits), "{page}: {digits}");
            checked += 1;
        }
    }
    assert!(checked >= 20, "{checked} digests");
}

/// The numbers of errors in the text are those of the program, each with its code and in order.
#[test]
fn the_table_of_errors_is_the_source() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/format/4-commit.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (number, code) = (cells.next()?.parse().ok()?, cells.next()?);
        code.starts_with("E_").then(|| (number, code.to_owned()))
    });
    let table: Vec<(u16, String)> = rows.collect();
    let mut source: Vec<_> = immutape::Code::ALL.iter().map(|c| (c.number(), c.as_str().to_owned())).collect();
    source.sort_unstable();
    assert_eq!(table, source);
}

#[test]
fn print_examples() {
    if std::env::var("IMMUTAPE_GOLDEN").as_deref() != Ok("docs") {
        return;
    }
    for path in [
        "1-bytes/accept/labelled-array.cbor",
        "2-tape/accept/frame-request.cbor",
        "2-tape/accept/leaf-request.cbor",
        "2-tape/accept/root-two-frames.cbor",
        "3-seal/accept/object-empty.bin",
        "3-seal/accept/manifest-two-frames.cbor",
        "3-seal/accept/statement-two-frames.cbor",
        "3-seal/accept/private-empty.bin",
        "4-commit/accept/entry-07-tape-saved-again.cbor",
        "4-commit/accept/private-half-set.cbor",
        "4-commit/accept/group.bin",
        "4-commit/accept/segment-after-tear.bin",
        "store-embedded/accept/vault-slots.bin",
        "store-embedded/accept/rows-position.cbor",
        "store-embedded/accept/rows-subject-tape.cbor",
    ] {
        let bytes = golden(&format!("tests/golden/{path}"));
        println!("\n    tests/golden/{path}");
        bytes.chunks(48).for_each(|c| println!("    {}", hex::encode(c)));
        if path.ends_with(".cbor") {
            println!("    = {}", diagnostic(&ciborium::from_reader(&bytes[..]).unwrap()));
        }
    }
}

//! Sources that are long, that fail, or that no program wrote.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use immutape::Code;
use immutape::interchange::{ImportOptions, Importer};
use proptest::prelude::*;
use serde_json::value::RawValue;

use crate::interchange_bad::{INIT, frame};
use crate::interchange_real::{data, import, losses};

#[test]
fn options_are_checked_before_anything_is_read() {
    let big = Some(vec![b'x'; 4_097]);
    let d = ImportOptions::default;
    for (options, code) in [
        (d().class(String::new()), Code::Usage),
        (d().namespace(String::new()), Code::Usage),
        (d().class("x".repeat(129)), Code::Limit),
        (d().class("ledger"), Code::Usage),
        (d().namespace("x".repeat(129)), Code::Limit),
        (d().name(big.clone()), Code::Limit),
        (d().description(big.clone()), Code::Limit),
        (d().source_name(big.clone()), Code::Limit),
        (d().host(big.clone()), Code::Limit),
        (d().tags(vec![vec![b'x'; 4_097]]), Code::Limit),
        (d().tags(vec![vec![]; 1_025]), Code::Limit),
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
        .args(["--exact", "interchange_stream::two_hundred_megabytes_child", "--ignored", "--nocapture"])
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
    let Ok(record) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(line) else {
        return false;
    };
    let kind = record.get("type").map_or("", |t| t.get()).to_ascii_lowercase();
    let env = record.get("env").and_then(|e| serde_json::from_str::<BTreeMap<String, &RawValue>>(e.get()).ok());
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
                let kept: BTreeMap<u64, &[u8]> = header.unsaved_lines.iter().map(|(n, l)| (*n, l.as_slice())).collect();
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

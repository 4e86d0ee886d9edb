//! Compressed sources: what they hold comes out, what is on record is the file as it was given, and traps are refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::io::{self, BufRead as _, BufReader, Cursor, Read, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;
use immutape::Code;
use immutape::codec::digest::sha256;
use immutape::interchange::{ImportOptions, Importer};

use crate::interchange_bad::refused;
use crate::interchange_real::{cat, data, import, lines_of, losses};

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    // With a checksum, as the zstd program writes it: without one a changed byte can pass for another content.
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn with_companion(name: &str) -> ImportOptions {
    ImportOptions::default().companion(Some(data(&format!("{name}.meta.json"))))
}

#[test]
fn what_is_wrapped_comes_out_and_the_file_as_given_is_on_record() {
    let name = "sqlite-claims";
    let source = data(&format!("{name}.jsonl"));
    let (plain, _) = import(&source, with_companion(name)).unwrap();
    let half = source.len() / 2;
    for (wrapper, packed) in [
        ("gzip", gzip(&source)),
        ("zstd", zstd(&source)),
        // Files that were appended to have several members or frames.
        ("gzip", [gzip(&source[..half]), gzip(&source[half..])].concat()),
        ("zstd", [zstd(&source[..half]), zstd(&source[half..])].concat()),
    ] {
        assert!(packed.len() < half, "it was compressed");
        let (frames, header) = import(&packed, with_companion(name)).unwrap();
        assert_eq!(frames, plain);
        assert_eq!(String::from_utf8(cat(&frames)).unwrap(), lines_of(&source));
        // The companion's checksum and size are of the tape, not of its wrapper: neither differs.
        assert_eq!(
            losses(&header),
            [format!("the source is compressed with {wrapper}; the frames are of what it holds")]
        );
        let provenance = header.provenance.unwrap();
        assert_eq!(provenance.source_bytes, Some(packed.len() as u64));
        assert_eq!(provenance.source_sha256.unwrap().as_bytes(), &sha256(&packed));
    }
}

#[test]
fn a_wrapper_cut_or_changed_anywhere_is_told() {
    let source = data("git-policies.jsonl");
    let (whole, _) = import(&source, ImportOptions::default()).unwrap();
    for packed in [gzip(&source), zstd(&source)] {
        for step in 0..50 {
            let cut = packed.len() * step / 50;
            let e = import(&packed[..cut], ImportOptions::default()).expect_err("half a stream");
            let expected = if cut == 0 { Code::EmptyInput } else { Code::TruncatedInput };
            assert_eq!(e.code(), expected, "cut at {cut}: {e}");
            assert!(e.hint().is_some());
            let mut changed = packed.clone();
            changed[cut] ^= 0x55;
            match import(&changed, ImportOptions::default()) {
                Err(e) => assert!(
                    matches!(e.code(), Code::NotATape | Code::TruncatedInput | Code::Limit),
                    "changed at {cut}: {e}"
                ),
                // Free fields of the gzip head say nothing of the content.
                Ok((frames, _)) => assert_eq!(frames, whole, "changed at {cut}"),
            }
        }
        refused(&[&packed[..], b"something else follows"].concat(), Code::NotATape, "damaged", "get the file again");
        refused(&gzip(&packed), Code::NotATape, "UTF-8", "twice");
    }
    refused(b"BZh91AY&SY\xff\xff", Code::NotATape, "UTF-8", "decompress");
}

/// Lines that compress very well: a message over and over, made as they are read.
struct Repeated {
    line: Vec<u8>,
    at: usize,
    left: u64,
}

impl Repeated {
    fn new(bytes: u64) -> Self {
        let words = "all the same ".repeat(600);
        let line = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{words}\"}}\n").into_bytes();
        Self { left: bytes / line.len() as u64, line, at: 0 }
    }
}

impl Read for Repeated {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let rest = &self.line[self.at..];
        let got = rest.len().min(out.len());
        out[..got].copy_from_slice(&rest[..got]);
        self.at = (self.at + got) % self.line.len();
        self.left -= u64::from(self.at == 0);
        Ok(got)
    }
}

#[test]
fn bombs_are_refused_by_their_ratio() {
    let bytes = 100 << 20;
    let mut gzipped = GzEncoder::new(Vec::new(), Compression::default());
    io::copy(&mut Repeated::new(bytes), &mut gzipped).unwrap();
    for packed in [zstd::encode_all(Repeated::new(bytes), 1).unwrap(), gzipped.finish().unwrap()] {
        assert!((packed.len() as u64) < bytes / 250, "it is a trap: {} bytes", packed.len());
        let mut importer = Importer::open(packed.as_slice(), ImportOptions::default()).unwrap();
        let mut given = 0u64;
        let e = loop {
            match importer.next_frame() {
                Ok(Some(frame)) => given += frame.payload.len() as u64,
                Ok(None) => panic!("{given} bytes came out"),
                Err(e) => break e,
            }
        };
        assert_eq!(e.code(), Code::Limit, "{e}");
        assert!(e.message().contains("250") && e.hint().unwrap().contains("decompress it yourself"), "{e}");
        assert!(given > 60 << 20 && given < 70 << 20, "{given} bytes came out first");
    }
    // The same in one line is refused by the length of the line, at once.
    for packed in [gzip(&vec![b'['; 20 << 20]), zstd(&vec![b'{'; 20 << 20])] {
        let e = import(&packed, ImportOptions::default()).unwrap_err();
        assert!(matches!(e.code(), Code::Limit), "{e}");
    }
}

#[test]
fn a_zstd_frame_may_not_ask_for_memory_without_end() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    // Without the length of the content the window is as large as asked for.
    io::copy(&mut Repeated::new(1 << 20), &mut encoder).unwrap();
    refused(&encoder.finish().unwrap(), Code::Limit, "window", "decompress it yourself");
}

/// Fails after some bytes.
struct Failing<R>(R, usize);

impl<R: Read> Read for Failing<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.1 == 0 {
            return Err(io::Error::other("the disk is gone"));
        }
        let most = out.len().min(self.1);
        let got = self.0.read(&mut out[..most])?;
        self.1 -= got;
        Ok(got)
    }
}

#[test]
fn a_failing_disk_is_not_called_a_damaged_stream() {
    let source = data("sqlite-claims.jsonl");
    for packed in [gzip(&source), zstd(&source), source.clone()] {
        let failing = BufReader::new(Failing(Cursor::new(packed.clone()), packed.len() / 2));
        let mut ended = Importer::open(failing, ImportOptions::default()).err();
        if ended.is_none() {
            let failing = BufReader::with_capacity(64, Failing(Cursor::new(packed.clone()), packed.len() / 2));
            let mut importer = Importer::open(failing, ImportOptions::default()).unwrap();
            ended = std::iter::from_fn(|| importer.next_frame().transpose()).find_map(Result::err);
        }
        let e = ended.unwrap();
        assert_eq!(e.code(), Code::Io, "{e}");
        assert!(std::error::Error::source(&e).unwrap().to_string().contains("the disk is gone"));
    }
}

#[test]
fn a_buffer_of_one_byte_changes_nothing() {
    let source = data("sqlite-crash.jsonl");
    for packed in [gzip(&source), zstd(&source)] {
        let mut input = BufReader::with_capacity(1, packed.as_slice());
        assert_eq!(input.fill_buf().unwrap().len(), 1);
        let mut importer = Importer::open(input, ImportOptions::default()).unwrap();
        while importer.next_frame().unwrap().is_some() {}
        let provenance = importer.finish().unwrap().provenance.unwrap();
        assert_eq!(provenance.source_bytes, Some(packed.len() as u64));
        assert_eq!(provenance.source_sha256.unwrap().as_bytes(), &sha256(&packed));
    }
}

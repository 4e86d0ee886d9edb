//! The bag itself (6.1), and which files belong in it (6.2).

use super::source::{Source, digest, whole};
use crate::digest::Hash;
use crate::error::{Result, ensure, refuse};
use crate::report::{Report, Word};
use crate::text;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

/// Files beside `data/`, in the order in which a tar file has them.
pub const TAG_FILES: [&str; 4] = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"];

const BAGIT: &[u8] = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
const MOST_MANIFEST: u64 = 64 << 20;
const MOST_INFO: u64 = 64 * 1025;

/// Whether this is a path that a bag may have.
#[must_use]
pub fn is_path(path: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/');
    path.len() <= 100 && path.bytes().all(good) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Check 1.
pub fn check(source: &mut dyn Source, report: &mut Report) {
    for (place, what) in source.faults() {
        report.find(Word::Altered, place.clone(), what);
    }
    for name in TAG_FILES {
        if !super::source::has(source, name) {
            report.find(Word::Missing, name, "a tag file is missing");
        }
    }
    let whole = payload(source, report);
    tag_files(source, whole, report);
}

fn tag_files(source: &mut dyn Source, payload_whole: bool, report: &mut Report) {
    if let Some(bytes) = whole(source, "bagit.txt", 1024) {
        let so = bytes.is_ok_and(|bytes| bytes == BAGIT);
        report.want("tag files", so, Word::Altered, "bagit.txt", "another declaration than the one of BagIt 1.0");
    }
    if let Some(bytes) = whole(source, "bag-info.txt", MOST_INFO) {
        let payload = source.files().iter().filter(|listed| listed.path.starts_with("data/"));
        let (count, sum) =
            payload.fold((0_u64, 0_u64), |(n, sum), listed| (n.saturating_add(1), sum.saturating_add(listed.length)));
        // Where a file is missing the numbers cannot fit: that is told already.
        let oxum = payload_whole.then_some((sum, count));
        report.take("tag files", Word::Altered, "bag-info.txt", bytes.and_then(|bytes| info(&bytes, oxum)));
    }
    if let Some(bytes) = whole(source, "tagmanifest-sha256.txt", 4096) {
        let read = bytes.and_then(|bytes| {
            let mut found = alloc::vec::Vec::new();
            manifest(&bytes, &mut |digest, path| {
                found.push((path.to_string(), digest));
                Ok(())
            })?;
            let names = found.iter().map(|(path, _)| path.as_str());
            ensure(
                names.eq(["bag-info.txt", "bagit.txt", "manifest-sha256.txt"]),
                "other lines than the three of the tag files",
            )?;
            Ok(found)
        });
        for (path, wanted) in
            report.take("tag files", Word::Altered, "tagmanifest-sha256.txt", read).unwrap_or_default()
        {
            if super::source::has(source, &path) {
                let so = digest(source, &path).is_ok_and(|(found, _)| found == wanted);
                report.want("file digests", so, Word::Altered, &path, "a file that has not the digest of the manifest");
            }
        }
    }
}

fn info(bytes: &[u8], payload: Option<(u64, u64)>) -> Result<()> {
    let Ok(whole) = core::str::from_utf8(bytes) else { return refuse("text that is no UTF-8") };
    let (mut lines, mut oxum) = (0_u32, 0_u32);
    for line in text::lines(whole)? {
        lines = lines.saturating_add(1);
        ensure(lines <= 64 && line.len() <= 1024, "more lines than 64, or a line over 1,024 bytes")?;
        let Some((label, rest)) = line.split_once(':') else { return refuse("a line without a label") };
        ensure(!label.is_empty() && !label.starts_with([' ', '\t']) && !line.contains('\r'), "a line without a label")?;
        let Some(value) = rest.strip_prefix(' ') else { return refuse("no space behind a label") };
        if label == "Payload-Oxum" {
            oxum = oxum.saturating_add(1);
            let Some((bytes, files)) = value.split_once('.') else { return refuse("an oxum of one number") };
            let said = (text::decimal(bytes)?, text::decimal(files)?);
            ensure(payload.is_none_or(|found| found == said), "an oxum that does not fit the payload")?;
        }
    }
    ensure(oxum == 1, "not exactly one oxum")
}

/// Reads a manifest line by line.
fn manifest(bytes: &[u8], each: &mut dyn FnMut(Hash, &str) -> Result<()>) -> Result<()> {
    let Ok(whole) = core::str::from_utf8(bytes) else { return refuse("text that is no UTF-8") };
    for line in text::lines(whole)? {
        let Some((digits, path)) = line.split_once("  ") else { return refuse("a line that is not digest and path") };
        ensure(is_path(path), "a path that a bag does not have")?;
        each(text::unhex_of(digits)?, path)?;
    }
    Ok(())
}

/// False when a file that the manifest names is missing.
fn payload(source: &mut dyn Source, report: &mut Report) -> bool {
    let mut named: BTreeMap<String, Hash> = BTreeMap::new();
    let Some(bytes) = whole(source, "manifest-sha256.txt", MOST_MANIFEST) else { return true };
    let read = bytes.and_then(|bytes| {
        manifest(&bytes, &mut |digest, path| {
            ensure(path.starts_with("data/"), "a path that is not in data/")?;
            let after = named.last_key_value().is_none_or(|(last, _)| last.as_str() < path);
            ensure(after, "paths that do not ascend")?;
            named.insert(path.into(), digest);
            Ok(())
        })?;
        ensure(!named.is_empty(), "a manifest that names nothing")
    });
    report.take("tag files", Word::Altered, "manifest-sha256.txt", read);
    let files: alloc::vec::Vec<String> = source.files().iter().map(|listed| listed.path.clone()).collect();
    for path in &files {
        if TAG_FILES.contains(&path.as_str()) {
            continue;
        }
        match named.remove(path) {
            Some(wanted) => {
                let so = digest(source, path).is_ok_and(|(found, _)| found == wanted);
                report.want("file digests", so, Word::Altered, path, "a file that has not the digest of the manifest");
            }
            None => report.find(Word::Altered, path.clone(), "a file that the manifest does not name"),
        }
    }
    let all_there = named.is_empty();
    for path in named.into_keys() {
        report.find(Word::Missing, path, "a file that the manifest names is missing");
    }
    all_there
}

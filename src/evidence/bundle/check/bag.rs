//! Check 1: the bag, the digests of both manifests, and that every file has a row in 6.2.

use std::collections::BTreeMap;
use std::io::Read;

use super::super::bag::MANIFEST_BYTES_MAX;
use super::super::tar::FILE_BYTES_MAX;
use super::super::{BAGIT_TXT, BagManifest, check_bag_info, check_path, path};
use super::report::{BundleReport, part};
use super::source::{Paths, Source, Unread};
use crate::codec::digest::{Digest, Hasher, TapeId};

const BAGIT: &str = "bagit.txt";
const BAG_INFO: &str = "bag-info.txt";
const MANIFEST: &str = "manifest-sha256.txt";
const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// 64 lines of 1,024 bytes.
const BAG_INFO_BYTES_MAX: u64 = 64 * 1_025;
const READ_BYTES: usize = 256 << 10;

/// Digests of the payload as it is there.
pub(super) struct Payload {
    digests: BTreeMap<String, Digest>,
}

impl Payload {
    /// Of a file in `data/`, if it is there and could be read.
    pub(super) fn digest(&self, path: &str) -> Option<&Digest> {
        self.digests.get(path)
    }

    /// Every path, ascending.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.digests.keys().map(String::as_str)
    }
}

/// Looks at the bag, and reads every file of its payload once.
pub(super) fn check(paths: &Paths<'_>, report: &mut BundleReport) -> Payload {
    strays(paths.source(), report);
    let payload = digests(paths, report);
    tag_files(paths, &payload, report);
    for path in payload.paths().filter(|path| !has_row(path)) {
        report.altered(part::BAG, path, "no file of this name belongs to a bundle");
    }
    for path in [path::COMPLETENESS, path::ENTRIES, path::CHECKPOINT, path::LOG_PATHS] {
        if !paths.has(path) {
            report.missing(part::BAG, path, "a bundle has this file");
        }
    }
    payload
}

fn strays(source: &dyn Source, report: &mut BundleReport) {
    for stray in source.strays() {
        report.altered(part::BAG, stray.as_str(), "neither a plain file nor a folder on the way to one");
    }
    if !source.is_in_order() {
        report.altered(part::BAG, "tar file", "its files do not stand in the order of a bundle");
    }
    for file in source.files() {
        let is_tag = [BAGIT, BAG_INFO, MANIFEST, TAG_MANIFEST].contains(&file.path.as_str());
        if !is_tag && !file.path.starts_with("data/") {
            report.altered(
                part::BAG,
                file.path.as_str(),
                "a file that is neither payload nor one of the four tag files",
            );
        }
        if check_path(&file.path).is_err() {
            report.altered(part::BAG, file.path.as_str(), "a path that a bag must not have");
        }
        if file.bytes > FILE_BYTES_MAX {
            report.altered(part::BAG, file.path.as_str(), "a file of 8 GiB or more");
        }
    }
}

fn digests(paths: &Paths<'_>, report: &mut BundleReport) -> Payload {
    let mut digests = BTreeMap::new();
    let mut buffer = vec![0; READ_BYTES];
    for path in paths.below("data/") {
        match paths.open(path).and_then(|file| digest_of(file, &mut buffer)) {
            Ok(digest) => {
                report.looked(part::BAG, 1);
                digests.insert(path.to_owned(), digest);
            }
            Err(Unread::Absent) => {}
            Err(Unread::Fault(word, why)) => report.find(word, part::BAG, path, why),
        }
    }
    Payload { digests }
}

fn digest_of(mut file: Box<dyn Read + '_>, buffer: &mut [u8]) -> Result<Digest, Unread> {
    let mut hasher = Hasher::new();
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok(Digest::from_bytes(hasher.finish())),
            Ok(read) => hasher.update(buffer.get(..read).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Unread::io(&e)),
        }
    }
}

fn tag_files(paths: &Paths<'_>, payload: &Payload, report: &mut BundleReport) {
    let mut tags = Vec::new();
    for (path, max) in [
        (BAG_INFO, BAG_INFO_BYTES_MAX),
        (BAGIT, BAGIT_TXT.len() as u64),
        (MANIFEST, MANIFEST_BYTES_MAX as u64),
        (TAG_MANIFEST, MANIFEST_BYTES_MAX as u64),
    ] {
        match paths.read(path, max) {
            Ok(bytes) => {
                report.looked(part::BAG, 1);
                tags.push((path, bytes));
            }
            Err(Unread::Absent) => report.missing(part::BAG, path, "a bag has this file"),
            Err(Unread::Fault(word, why)) => report.find(word, part::BAG, path, why),
        }
    }
    let of = |path: &str| tags.iter().find(|(of, _)| *of == path).map(|(_, bytes)| bytes.as_slice());
    if of(BAGIT).is_some_and(|bytes| bytes != BAGIT_TXT.as_bytes()) {
        report.altered(part::BAG, BAGIT, "it is not the one of BagIt 1.0 in UTF-8");
    }
    let files = || paths.source().files().iter().filter(|file| file.path.starts_with("data/"));
    let size = (files().fold(0u64, |sum, file| sum.saturating_add(file.bytes)), files().count() as u64);
    if let Some(Err(e)) = of(BAG_INFO).map(|bytes| check_bag_info(bytes, size)) {
        report.altered(part::BAG, BAG_INFO, e.to_string());
    }
    match of(MANIFEST).map(BagManifest::parse) {
        Some(Ok(manifest)) => compare(&manifest, paths, payload, report),
        Some(Err(e)) => report.altered(part::BAG, MANIFEST, e.to_string()),
        None => {}
    }
    if let Some(text) = of(TAG_MANIFEST) {
        report.digest = Some(Digest::from_bytes(crate::codec::digest::sha256(text)));
        let line = |path: &str| of(path).map(|b| format!("{}  {path}\n", hex::encode(crate::codec::digest::sha256(b))));
        // A file that is not there was told of; the manifest must still be in its form.
        let has_line = |path: &str| match line(path) {
            Some(line) => String::from_utf8_lossy(text).contains(&line),
            None => true,
        };
        let is_whole = [BAG_INFO, BAGIT, MANIFEST].into_iter().all(has_line) && is_tag_manifest(text);
        if !is_whole {
            report.altered(part::BAG, TAG_MANIFEST, "it is not the one over the three tag files");
        }
    }
}

/// Three lines, of the three tag files in their order.
fn is_tag_manifest(text: &[u8]) -> bool {
    let lines = std::str::from_utf8(text).ok().and_then(|text| text.strip_suffix('\n'));
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let path_of = |line: &str| {
        let (digits, path) = line.split_once("  ")?;
        (digits.len() == 64 && digits.bytes().all(is_hex)).then(|| path.to_owned())
    };
    let paths: Option<Vec<String>> = lines.and_then(|lines| lines.split('\n').map(path_of).collect());
    paths.is_some_and(|paths| paths == [BAG_INFO, BAGIT, MANIFEST])
}

fn compare(manifest: &BagManifest, paths: &Paths<'_>, payload: &Payload, report: &mut BundleReport) {
    let mut named = std::collections::BTreeSet::new();
    for line in manifest.lines() {
        named.insert(line.path.as_str());
        match payload.digest(&line.path) {
            Some(digest) if *digest == line.digest => {}
            Some(_) => report.altered(part::BAG, line.path.as_str(), "its bytes are not those that the manifest names"),
            None if !paths.has(&line.path) => {
                report.missing(part::BAG, line.path.as_str(), "the manifest names it, and it is not there");
            }
            None => {}
        }
    }
    for path in payload.paths().filter(|path| !named.contains(path)) {
        report.altered(part::BAG, path, "the manifest does not name it");
    }
}

/// Has a file of this path a row in the table of 6.2?
fn has_row(path: &str) -> bool {
    use path::{
        ALLOWED_SIGNERS, CHECKPOINT, COMPLETENESS, COMPLETENESS_SIGNATURE, CUSTODY_HTML, CUSTODY_JSON, ENTRIES,
    };
    use path::{LOG_PATHS, VERIFY, WITNESSES};
    let plain = [COMPLETENESS, ENTRIES, CHECKPOINT, LOG_PATHS, WITNESSES, CUSTODY_HTML, CUSTODY_JSON, VERIFY];
    let index = |name: &str, end: &str| name.strip_suffix(end).is_some_and(|digits| decimal(digits).is_some());
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        ["data", "tapes", ..] => tape_of(path).is_some_and(|(_, name)| path::OF_TAPE.contains(&name)),
        ["data", "time", name] => index(name, ".note") || index(name, ".tst"),
        _ if path == ALLOWED_SIGNERS => true,
        ["data", "keys", name] => name.split_once('-').is_some_and(|(role, rest)| match role {
            "checkpoint" => index(rest, ".pem") || index(rest, ".vkey"),
            "recorder" | "issuer" => index(rest, ".pem"),
            _ => false,
        }),
        _ => plain.contains(&path) || path == COMPLETENESS_SIGNATURE,
    }
}

/// Tape and name of a file of one.
pub(super) fn tape_of(path: &str) -> Option<(TapeId, &str)> {
    let (digits, name) = path.strip_prefix("data/tapes/")?.split_once('/')?;
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let mut id = [0; 32];
    if !digits.bytes().all(is_hex) || hex::decode_to_slice(digits, &mut id).is_err() {
        return None;
    }
    Some((TapeId::from_bytes(id), name))
}

/// Decimal without sign or leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_table_and_what_is_none() {
        let tape = "0".repeat(64);
        for good in [
            "data/entries.cbor".to_owned(),
            "data/COMPLETENESS.json.sig".into(),
            "data/keys/allowed_signers".into(),
            "data/time/12.note".into(),
            "data/time/0.tst".into(),
            "data/keys/issuer-0.pem".into(),
            "data/keys/checkpoint-18.vkey".into(),
            format!("data/tapes/{tape}/frames.cbor"),
        ] {
            assert!(has_row(&good), "{good}");
        }
        for bad in [
            "data/x".to_owned(),
            "data/log/x".into(),
            "data/entries.cbor.sig".into(),
            "data/allowed_signers".into(),
            "data/keys/allowed_signers/x".into(),
            "data/time/012.note".into(),
            "data/time/+1.note".into(),
            "data/time/.note".into(),
            "data/time/1.note/x".into(),
            "data/time/99999999999999999999.tst".into(),
            "data/keys/issuer-0.vkey".into(),
            "data/keys/witness-0.pem".into(),
            format!("data/tapes/{tape}"),
            format!("data/tapes/{tape}/x"),
            format!("data/tapes/{tape}/x/frames.cbor"),
            format!("data/tapes/{}/frames.cbor", "A".repeat(64)),
            format!("data/tapes/{}/frames.cbor", "0".repeat(62)),
        ] {
            assert!(!has_row(&bad), "{bad}");
        }
    }

    #[test]
    fn a_tag_manifest_has_three_lines_in_their_order() {
        let line = |path: &str| format!("{}  {path}\n", "0".repeat(64));
        let whole = [BAG_INFO, BAGIT, MANIFEST].map(line).concat();
        assert!(is_tag_manifest(whole.as_bytes()));
        assert!(!is_tag_manifest([BAGIT, BAG_INFO, MANIFEST].map(line).concat().as_bytes()));
        assert!(!is_tag_manifest([BAG_INFO, BAGIT].map(line).concat().as_bytes()));
        assert!(!is_tag_manifest(whole.trim_end().as_bytes()));
        assert!(!is_tag_manifest(whole.replace("0  ", "A  ").as_bytes()));
    }
}

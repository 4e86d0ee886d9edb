//! The bag around a bundle: BagIt 1.0 (RFC 8493), narrowed by `docs/format/6-evidence.md` 6.1.

use super::BundleError;
use crate::codec::digest::{Digest, sha256};

/// All of `bagit.txt`.
pub const BAGIT_TXT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/// FORMAT. Longest manifest.
pub(crate) const MANIFEST_BYTES_MAX: usize = 64 << 20;
const PATH_BYTES_MAX: usize = 100;
const LABEL_LINES_MAX: usize = 64;
const LABEL_BYTES_MAX: usize = 1_024;
const OXUM: &str = "Payload-Oxum: ";

/// SHA-256 of the tag manifest: everything in a bundle hangs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BundleDigest(Digest);

impl BundleDigest {
    /// Of the text of `tagmanifest-sha256.txt`.
    #[must_use]
    pub fn of(tag_manifest: &str) -> Self {
        Self(Digest::from_bytes(sha256(tag_manifest.as_bytes())))
    }

    /// The digest.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.0
    }
}

/// Is this a path that a bag may have?
///
/// # Errors
/// [`BundleError::Form`].
///
/// ```
/// use immutape::evidence::bundle::check_path;
/// assert!(check_path("data/entries.cbor").is_ok());
/// assert!(check_path("data/../entries.cbor").is_err() && check_path("/data/x").is_err());
/// ```
pub fn check_path(path: &str) -> Result<(), BundleError> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/');
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    if path.len() <= PATH_BYTES_MAX && path.bytes().all(is_plain) && path.split('/').all(is_part) {
        Ok(())
    } else {
        Err(BundleError::Form("a path that a bag must not have"))
    }
}

/// One line of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestLine {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Its path in the bag.
    pub path: String,
}

/// A manifest: digest and path of each file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BagManifest {
    lines: Vec<ManifestLine>,
}

impl BagManifest {
    /// Of these files, in ascending order of their paths.
    #[must_use]
    pub fn new(mut lines: Vec<ManifestLine>) -> Self {
        lines.sort_by(|a, b| a.path.cmp(&b.path));
        Self { lines }
    }

    /// Its lines.
    #[must_use]
    pub fn lines(&self) -> &[ManifestLine] {
        &self.lines
    }

    /// The text.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.lines.iter().map(|line| format!("{}  {}\n", line.digest.to_hex(), line.path)).collect()
    }

    /// Reads the manifest of the payload.
    ///
    /// # Errors
    /// [`BundleError::Form`].
    pub fn parse(text: &[u8]) -> Result<Self, BundleError> {
        let text = text_of(text)?;
        let body = text.strip_suffix('\n').ok_or(BundleError::Form("a manifest without files, or without an end"))?;
        let lines = body.split('\n').map(read_line).collect::<Result<Vec<_>, _>>()?;
        if lines.iter().any(|line| !line.path.starts_with("data/")) {
            return Err(BundleError::Form("a manifest names what is no payload"));
        }
        match lines.is_sorted_by(|a, b| a.path < b.path) {
            true => Ok(Self { lines }),
            false => Err(BundleError::Form("a manifest that does not ascend, or names a file twice")),
        }
    }
}

fn text_of(text: &[u8]) -> Result<&str, BundleError> {
    if text.len() > MANIFEST_BYTES_MAX {
        return Err(BundleError::Form("a manifest of more than 64 MiB"));
    }
    std::str::from_utf8(text).map_err(|_| BundleError::Form("a manifest that is not UTF-8"))
}

fn read_line(line: &str) -> Result<ManifestLine, BundleError> {
    let bad = BundleError::Form("a line of a manifest that is none");
    let (digits, path) = line.split_once("  ").ok_or(bad.clone())?;
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let mut digest = [0; 32];
    if !digits.bytes().all(is_hex) || hex::decode_to_slice(digits, &mut digest).is_err() {
        return Err(bad);
    }
    check_path(path)?;
    Ok(ManifestLine { digest: Digest::from_bytes(digest), path: path.to_owned() })
}

/// The text of `tagmanifest-sha256.txt` over the three tag files.
#[must_use]
pub fn tag_manifest(bag_info: &str, manifest: &str) -> String {
    let files = [("bag-info.txt", bag_info), ("bagit.txt", BAGIT_TXT), ("manifest-sha256.txt", manifest)];
    files.iter().map(|(path, text)| format!("{}  {path}\n", hex::encode(sha256(text.as_bytes())))).collect()
}

/// The text of `bag-info.txt`. `date` is `YYYY-MM-DD`.
#[must_use]
pub fn bag_info(bundle: &[u8; 16], origin: &str, date: &str, (bytes, files): (u64, u64)) -> String {
    format!(
        "Bagging-Date: {date}\nExternal-Description: evidence from an Immutape ledger\nExternal-Identifier: {}\n\
         {OXUM}{bytes}.{files}\nSource-Organization: {origin}\n",
        hex::encode(bundle)
    )
}

/// Reads `bag-info.txt`, of which the size of the payload alone is looked at; `None` where a file is missing, so that there is nothing to compare it with.
///
/// # Errors
/// [`BundleError::Form`].
pub fn check_bag_info(text: &[u8], payload: Option<(u64, u64)>) -> Result<(), BundleError> {
    let bad = |why| Err(BundleError::Form(why));
    let Ok(text) = std::str::from_utf8(text) else { return bad("bag-info.txt is not UTF-8") };
    let Some(body) = text.strip_suffix('\n') else { return bad("bag-info.txt has no end") };
    let lines: Vec<_> = body.split('\n').take(LABEL_LINES_MAX.saturating_add(1)).collect();
    let is_label = |line: &&str| {
        let label = line.split_once(": ").map_or("", |(label, _)| label);
        let is_plain = !label.is_empty() && !label.contains(':') && !label.starts_with([' ', '\t']);
        is_plain && line.len() <= LABEL_BYTES_MAX && !line.contains('\r')
    };
    if lines.len() > LABEL_LINES_MAX || !lines.iter().all(is_label) {
        return bad("bag-info.txt has a line that is no label with a value, or too many");
    }
    let mut sizes = lines.iter().filter_map(|line| line.strip_prefix(OXUM));
    match (sizes.next(), sizes.next()) {
        (Some(size), None)
            if is_oxum(size) && payload.is_none_or(|(bytes, files)| size == format!("{bytes}.{files}")) =>
        {
            Ok(())
        }
        _ => bad("bag-info.txt does not say how large the payload is, or says it wrongly"),
    }
}

/// Two decimal numbers.
fn is_oxum(size: &str) -> bool {
    let is_number = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'))
    };
    size.split_once('.').is_some_and(|(bytes, files)| is_number(bytes) && is_number(files))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form<T: std::fmt::Debug>(result: Result<T, BundleError>) {
        assert!(matches!(result, Err(BundleError::Form(_))), "{result:?}");
    }

    #[test]
    fn a_manifest_comes_back() {
        let line = |path: &str| ManifestLine { digest: Digest::from_bytes(sha256(path.as_bytes())), path: path.into() };
        let manifest = BagManifest::new(vec![line("data/log/checkpoint"), line("data/entries.cbor")]);
        let text = manifest.to_text();
        assert!(text.starts_with(&hex::encode(sha256(b"data/entries.cbor"))));
        assert_eq!(BagManifest::parse(text.as_bytes()).unwrap(), manifest);
        let tags = tag_manifest("x\n", &text);
        assert_eq!(tags.lines().count(), 3);
        assert_eq!(BundleDigest::of(&tags).digest().as_bytes(), &sha256(tags.as_bytes()));
    }

    #[test]
    fn manifests_that_are_none() {
        let hex = "0".repeat(64);
        let good = format!("{hex}  data/a\n{hex}  data/b\n");
        assert!(BagManifest::parse(good.as_bytes()).is_ok());
        for bad in [
            String::new(),
            "\n".into(),
            format!("{hex}  data/a"),
            format!("{hex} data/a\n"),
            format!("{hex}  data/a\r\n"),
            format!("{}  data/a\n", "A".repeat(64)),
            format!("{}  data/a\n", "0".repeat(62)),
            format!("{hex}  bagit.txt\n"),
            format!("{hex}  data/b\n{hex}  data/a\n"),
            format!("{hex}  data/a\n{hex}  data/a\n"),
            format!("{hex}  data/a\n\n"),
        ] {
            form(BagManifest::parse(bad.as_bytes()));
        }
        for path in ["data/../x", "/data/x", "data//x", "data/.", "data/x y", "data/\u{e9}", &"x".repeat(101), ""] {
            form(check_path(path));
        }
        form(BagManifest::parse(&[0xff, b'\n']));
    }

    #[test]
    fn what_bag_info_says_of_the_payload_is_compared() {
        let text = bag_info(&[7; 16], "a.example/00", "2026-11-29", (12, 3));
        assert!(check_bag_info(text.as_bytes(), Some((12, 3))).is_ok());
        form(check_bag_info(text.as_bytes(), Some((12, 4))));
        for bad in ["", "a: b", "a: b\n", " a: b\nPayload-Oxum: 1.1\n", "Payload-Oxum: 1.1\nPayload-Oxum: 1.1\n"] {
            form(check_bag_info(bad.as_bytes(), Some((1, 1))));
        }
        form(check_bag_info("x: y\n".repeat(65).as_bytes(), Some((1, 1))));
        form(check_bag_info(b"Payload-Oxum: 1.x\n", None));
        assert!(check_bag_info(b"Payload-Oxum: 1.1\n", None).is_ok());
        form(check_bag_info(&[0xff, b'\n'], Some((1, 1))));
    }
}

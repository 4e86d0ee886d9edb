//! Formats that are one JSON document: told by their first names, read whole within a limit, their lists walked in place.

use std::io::{BufRead, Read as _};
use std::ops::Range;

use serde_json::value::RawValue;

use super::detect::SourceFormat;
use super::json::{Members, NotRead};
use super::lines::Source;
use super::unpack::fault;
use crate::codec::digest::{Digest, sha256};
use crate::error::{Code, Error, Result};

/// Longest source that is one JSON document: it is held in memory.
pub(super) const DOCUMENT_BYTES_MAX: usize = 256 << 20;
/// So much of a source is looked at to tell a document from lines.
pub(super) const HEAD_BYTES: usize = 64 << 10;
/// Most bytes of a document's own fields that are kept in the header.
const FIELDS_BYTES_MAX: usize = 512 << 10;

/// What the beginning of a source looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// A document of this format.
    Document(SourceFormat),
    /// The whole source is an object that stops in the middle.
    Unclosed,
    /// An old cast, one document, which is not read.
    OldCast,
    /// Lines, or nothing known.
    Other,
}

/// Tells by the names of the first object of `head`; `all`: nothing follows it.
pub(super) fn look(head: &[u8], all: bool) -> Head {
    let (names, closed) = first_names(head);
    let has = |name: &[u8], opens: u8| names.iter().any(|(n, value)| *n == name && *value == opens);
    let named = |name: &[u8]| names.iter().any(|(n, _)| *n == name);
    if names.is_empty() || named(b"jsonrpc") || named(b"type") {
        return Head::Other;
    }
    if has(b"log", b'{') {
        return Head::Document(SourceFormat::Har);
    }
    let draft = [&b"integrity"[..], b"timeline", b"statistics", b"session"];
    if has(b"frames", b'[') || (named(b"format") && draft.iter().any(|name| has(name, b'{'))) {
        return Head::Document(SourceFormat::TapeJson);
    }
    if named(b"version") && has(b"stdout", b'[') {
        return Head::OldCast;
    }
    if all && !closed { Head::Unclosed } else { Head::Other }
}

/// The names of the first object with the first byte of each value, as far as they are there, and whether it is closed.
fn first_names(head: &[u8]) -> (Vec<(&[u8], u8)>, bool) {
    let head = head.strip_prefix(super::detect::BYTE_ORDER_MARK).unwrap_or(head).trim_ascii_start();
    let (mut names, mut depth, mut at, mut name_next) = (Vec::new(), 0usize, 0usize, false);
    if !head.starts_with(b"{") {
        return (names, false);
    }
    while let Some(byte) = head.get(at) {
        at = at.saturating_add(1);
        match byte {
            b'"' => {
                let Some(end) = string_end(head, at) else { break };
                if depth == 1 && name_next {
                    let name = head.get(at..end.saturating_sub(1)).unwrap_or_default();
                    let value = head.get(end..).unwrap_or_default().trim_ascii_start();
                    let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
                    names.extend(value.first().map(|first| (name, *first)));
                    name_next = false;
                }
                at = end;
            }
            b'{' | b'[' => {
                depth = depth.saturating_add(1);
                name_next |= depth == 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return (names, true);
                }
            }
            b',' => name_next |= depth == 1,
            _ => {}
        }
    }
    (names, false)
}

/// The place behind the closing quote of a string whose content begins at `at`.
fn string_end(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let step = match text.get(at)? {
            b'"' => return at.checked_add(1),
            b'\\' => 2,
            _ => 1,
        };
        at = at.checked_add(step)?;
    }
}

/// Reads a whole document.
///
/// # Errors
/// `E_LIMIT` over [`DOCUMENT_BYTES_MAX`]; `E_NOT_A_TAPE`, `E_TRUNCATED_INPUT`, `E_EMPTY_INPUT`, `E_IO`.
pub(super) fn read(input: &mut impl BufRead) -> Result<(String, Source)> {
    let mut bytes = Vec::new();
    let limit = (DOCUMENT_BYTES_MAX as u64).saturating_add(1);
    input.take(limit).read_to_end(&mut bytes).map_err(|e| match fault(&e) {
        Some(fault) => fault,
        None => Error::new(Code::Io, "the source cannot be read")
            .with_hint("nothing was imported; check the disk or pipe that it comes from, and import again")
            .with_source(e),
    })?;
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(Error::new(
            Code::Limit,
            format!(
                "the source is one JSON document of more than {DOCUMENT_BYTES_MAX} bytes, the longest that is read"
            ),
        )
        .with_hint("nothing was imported; split it, or have the program that wrote it write a format of lines"));
    }
    let source = Source { sha256: Digest::from_bytes(sha256(&bytes)), bytes: bytes.len() as u64 };
    let text = String::from_utf8(bytes).map_err(|e| match e.utf8_error().error_len() {
        None => truncated(e.as_bytes().len()),
        Some(_) => not_this("is not UTF-8 text"),
    })?;
    Ok((text, source))
}

/// The members of a document.
///
/// # Errors
/// `E_NOT_A_TAPE`, `E_TRUNCATED_INPUT`.
pub(super) fn members(text: &str) -> Result<Members<'_>> {
    Members::parse(text.trim_start_matches('\u{feff}')).map_err(|why| match why {
        NotRead::CutOff => truncated(text.len()),
        why => not_this(why.words()),
    })
}

/// The document stops in the middle.
pub(super) fn truncated(bytes: usize) -> Error {
    Error::new(Code::TruncatedInput, format!("the JSON document stops in the middle, after {bytes} bytes"))
        .with_hint("nothing was imported; get the whole file: a document that is not closed has no certain end")
}

/// The document is of no known format.
pub(super) fn not_this(why: &str) -> Error {
    Error::new(Code::NotATape, format!("this is no recorded session in a known format: the JSON document {why}"))
        .with_hint(super::detect::KNOWN)
}

/// Where `inner`, a part of `outer`, lies in it.
pub(super) fn place(outer: &str, inner: &str) -> Range<usize> {
    let start = (inner.as_ptr() as usize).saturating_sub(outer.as_ptr() as usize);
    start..start.saturating_add(inner.len())
}

/// The elements of a list within a document, one after another; the list must have been read as JSON before.
#[derive(Debug, Clone)]
pub(super) struct Items {
    rest: Range<usize>,
}

impl Items {
    /// The list at `place`.
    pub(super) const fn new(place: Range<usize>) -> Self {
        Self { rest: place.start.saturating_add(1)..place.end }
    }

    /// The next element.
    pub(super) fn next<'a>(&mut self, document: &'a str) -> Option<&'a str> {
        let rest = document.get(self.rest.clone())?;
        let rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ',']);
        let item = serde_json::Deserializer::from_str(rest).into_iter::<&RawValue>().next()?.ok()?.get();
        self.rest.start = place(document, item).end;
        Some(item)
    }
}

/// A document's fields that have no place of their own, for the header, as far as there is room.
pub(super) struct Fields {
    /// Names and JSON texts.
    pub(super) kept: Vec<(Vec<u8>, Vec<u8>)>,
    /// What was left out.
    pub(super) dropped: Vec<String>,
}

impl Fields {
    /// Of `left`, each name behind `prefix`.
    pub(super) fn of<'a>(prefix: &str, left: impl Iterator<Item = (usize, &'a str, &'a str)>) -> Self {
        let (mut fields, mut bytes) = (Self { kept: Vec::new(), dropped: Vec::new() }, 0usize);
        for (_, name, value) in left {
            let more = bytes.saturating_add(prefix.len()).saturating_add(name.len()).saturating_add(value.len());
            if more > FIELDS_BYTES_MAX {
                fields.dropped.push(name.to_owned());
            } else {
                bytes = more;
                fields.kept.push((format!("{prefix}{name}").into_bytes(), value.as_bytes().to_vec()));
            }
        }
        fields
    }

    /// Words for what was left out.
    pub(super) fn loss(&self) -> Option<String> {
        let first = self.dropped.first()?;
        Some(format!(
            "{} more than {FIELDS_BYTES_MAX} bytes together and stand in the kept source alone (first: {})",
            super::losses::amount(
                self.dropped.len() as u64,
                ["field of the document has", "fields of the document have"]
            ),
            super::losses::quoted(first.as_bytes())
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        for (head, seen) in [
            (r#"{"log":{"version":"1.2""#, Head::Document(SourceFormat::Har)),
            ("\u{feff} \n{\n \"log\" : {", Head::Document(SourceFormat::Har)),
            (r#"{"id":"a\"}","session_id":"{[","frames": [{"#, Head::Document(SourceFormat::TapeJson)),
            (r#"{"format":{"v":1},"integrity":{"#, Head::Document(SourceFormat::TapeJson)),
            (r#"{"metadata":{"frames":1},"frames":["#, Head::Document(SourceFormat::TapeJson)),
            (r#"{"version":1,"width":80,"stdout":["#, Head::OldCast),
            (r#"{"log":"a line of a container","stream":"stdout"}"#, Head::Other),
            (r#"{"jsonrpc":"2.0","frames":["#, Head::Other),
            (r#"{"type":"init","frames":["#, Head::Other),
            (r#"{"a":{"frames":[1]}}"#, Head::Other),
            (r#"{"a":"#, Head::Other),
            (r#"{"a":{"#, Head::Unclosed),
            (r#"[{"frames":[]}]"#, Head::Other),
            ("{", Head::Other),
            ("", Head::Other),
            (r#"{"a\"#, Head::Other),
        ] {
            assert_eq!(look(head.as_bytes(), true), seen, "{head}");
        }
        assert_eq!(look(b"{\"a\":1", false), Head::Other);
    }

    #[test]
    fn lists_are_walked_in_place() {
        let text = r#" {"x":[1 , "],[" ,{"a":[]},[ ], null ]} "#;
        let at = text.find('[').unwrap();
        let mut items = Items::new(at..text.rfind(']').unwrap() + 1);
        let mut seen = Vec::new();
        while let Some(item) = items.next(text) {
            seen.push(item);
        }
        assert_eq!(seen, ["1", r#""],[""#, r#"{"a":[]}"#, "[ ]", "null"]);
        assert_eq!(Items::new(0..2).next("[]"), None);
    }

    #[test]
    fn fields_have_room_or_are_told() {
        let big = "x".repeat(FIELDS_BYTES_MAX);
        let fields = Fields::of("har.", [(0, "a", "1"), (1, "b", big.as_str()), (2, "c", "3")].into_iter());
        assert_eq!(fields.kept, [(b"har.a".to_vec(), b"1".to_vec()), (b"har.c".to_vec(), b"3".to_vec())]);
        assert!(fields.loss().unwrap().contains("\"b\""));
    }
}

//! Which format a source is in, told by its first line that is not blank.

use super::cast;
use super::json::{NotRead, elements, pick, string};
use super::losses::quoted;
use crate::error::{Code, Error, Result};
use crate::tape::Delimiter;

/// The byte order mark that some editors put in front of UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What can be read, for who gave something else.
pub(super) const KNOWN: &str = "known formats: streaming tapes of version 2 (one JSON record a line, the first of type \"init\"), \
     older tapes (one JSON document with \"frames\"), JSON-RPC with one message a line (each an object with \"jsonrpc\"), \
     asciicast 2 and 3, and HAR; each may be compressed with gzip or zstd";

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceFormat {
    /// Streaming tape, version 2.
    TapeV2Jsonl,
    /// JSON-RPC, one message a line.
    JsonRpcLines,
    /// Older tape: one JSON document.
    TapeJson,
    /// Terminal recording, version 2 or 3.
    Asciicast,
    /// HTTP archive 1.2.
    Har,
}

impl SourceFormat {
    /// Every format, for help and completions.
    pub const ALL: &'static [Self] =
        &[Self::TapeV2Jsonl, Self::TapeJson, Self::JsonRpcLines, Self::Asciicast, Self::Har];

    /// The format of this name.
    ///
    /// ```
    /// use immutape::interchange::SourceFormat;
    /// assert_eq!(SourceFormat::from_name("har")?, SourceFormat::Har);
    /// assert!(SourceFormat::from_name("pcap").unwrap_err().hint().unwrap().contains("asciicast"));
    /// # Ok::<(), immutape::Error>(())
    /// ```
    ///
    /// # Errors
    /// `E_USAGE` with the names that there are.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.iter().find(|format| format.name() == name).copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|format| format.name()).collect();
            Error::new(Code::Usage, format!("{} is no format that can be read", quoted(name.as_bytes())))
                .with_hint(format!("one of {}, or none, and the content tells", names.join(", ")))
        })
    }

    /// Must the source be kept beside the frames? Those of a foreign format, and the whole of a document, say less than it does.
    #[must_use]
    pub const fn keeps_source(self) -> bool {
        matches!(self, Self::TapeJson | Self::Asciicast | Self::Har)
    }

    /// Is it one document, and not lines?
    pub(super) const fn is_document(self) -> bool {
        matches!(self, Self::TapeJson | Self::Har)
    }

    /// The name in a tape's provenance.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TapeV2Jsonl => "tape-v2-jsonl",
            Self::JsonRpcLines => "jsonrpc-lines",
            Self::TapeJson => "tape-json",
            Self::Asciicast => "asciicast",
            Self::Har => "har",
        }
    }
}

/// Tells the format by line `number`, the first that is not blank.
///
/// # Errors
/// `E_NOT_A_TAPE`; `E_TRUNCATED_INPUT` when the line is the last and stops in the middle.
pub(super) fn detect(number: u64, line: &[u8], end: Delimiter) -> Result<SourceFormat> {
    let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() && end == Delimiter::None => return Err(truncated(number, line.len())),
        Err(_) => return Err(not_text(number, line)),
    };
    match first_record(text) {
        Ok(Some(format)) => Ok(format),
        Err(NotRead::CutOff) if end == Delimiter::None => Err(truncated(number, line.len())),
        Err(NotRead::NotAnObject) => Err(unknown(number, "is JSON, but neither a record nor a message")),
        Err(why) => Err(unknown(number, why.words())),
        Ok(None) => Err(match record_type(text) {
            Some(kind) if is_later_record(&kind) => unknown(
                number,
                &format!("is a record of type {}, but the first must be of type \"init\"", quoted(kind.as_bytes())),
            )
            .with_hint("the beginning of this tape is missing: import the whole file"),
            Some(kind) if kind == "extra" => unknown(
                number,
                "is the first record of a file for what cannot stand in a version 2.0 tape",
            )
            .with_hint(
                "it stands beside a version 2.0 tape and goes in with that: give the tape, X.jsonl of X.extra.jsonl",
            ),
            Some(kind) => unknown(number, &format!("is a record of the unknown type {}", quoted(kind.as_bytes()))),
            None => unknown(number, "is a JSON object without \"jsonrpc\" and without \"type\""),
        }),
    }
}

fn first_record(text: &str) -> Result<Option<SourceFormat>, NotRead> {
    if text.trim_start().starts_with('[') {
        let (mut all, mut messages) = (0u64, 0u64);
        elements(text, |element| {
            all = all.saturating_add(1);
            messages = messages.saturating_add(u64::from(matches!(pick(element, ["jsonrpc"]), Ok([Some(_)]))));
        })?;
        return Ok((all > 0 && all == messages).then_some(SourceFormat::JsonRpcLines));
    }
    let [rpc, kind] = pick(text, ["jsonrpc", "type"])?;
    Ok(match kind.and_then(string).map(|k| k.to_ascii_lowercase()).as_deref() {
        _ if rpc.is_some() => Some(SourceFormat::JsonRpcLines),
        Some("init" | "header") => Some(SourceFormat::TapeV2Jsonl),
        // Which version it is, and whether that can be read, is told by its reader.
        _ if kind.is_none() && cast::version(text).is_some_and(|version| version >= 2) => Some(SourceFormat::Asciicast),
        _ => None,
    })
}

fn record_type(text: &str) -> Option<String> {
    let [kind] = pick(text, ["type"]).ok()?;
    Some(string(kind?)?.into_owned())
}

fn is_later_record(kind: &str) -> bool {
    ["frame", "correlation", "checkpoint", "footer"].iter().any(|k| kind.eq_ignore_ascii_case(k))
}

/// The source ends in the middle of a record.
pub(super) fn truncated(number: u64, bytes: usize) -> Error {
    Error::new(
        Code::TruncatedInput,
        format!("line {number} is the last and stops in the middle, after {bytes} bytes and without a line end"),
    )
    .with_hint(format!(
        "nothing was imported; if the recording is still running, wait for it to end; if it broke off, remove line {number} from a copy and import that: every line before it is whole"
    ))
}

fn unknown(number: u64, why: &str) -> Error {
    Error::new(Code::NotATape, format!("this is no recorded session in a known format: line {number} {why}"))
        .with_hint(KNOWN)
}

fn not_text(number: u64, line: &[u8]) -> Error {
    let error = unknown(number, "is not UTF-8 text");
    if line.starts_with(&[0xff, 0xfe]) || line.starts_with(&[0xfe, 0xff]) {
        return error.with_hint("it looks like UTF-16: convert a copy to UTF-8 and import that");
    }
    const PACKED: [&[u8]; 6] = [
        &[0x1f, 0x8b],
        &[0x28, 0xb5, 0x2f, 0xfd],
        b"BZh",
        &[0xfd, b'7', b'z', b'X', b'Z', 0],
        b"PK\x03\x04",
        &[0x04, 0x22, 0x4d, 0x18],
    ];
    if PACKED.iter().any(|magic| line.starts_with(magic)) {
        return error
            .with_hint("it looks compressed, twice or with something else than gzip or zstd: decompress it first");
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &[u8], end: Delimiter) -> Code {
        detect(1, line, end).unwrap_err().code()
    }

    #[test]
    fn known_first_lines() {
        for v2 in [r#"{"type":"init"}"#, r#" {"version":"2.0","type":"Header"}"#, "\u{feff}{\"type\":\"init\"}"] {
            assert_eq!(detect(1, v2.as_bytes(), Delimiter::Lf).unwrap(), SourceFormat::TapeV2Jsonl, "{v2}");
        }
        for rpc in [
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"[{"jsonrpc":"2.0"},{"jsonrpc":"2.0"}]"#,
            r#"{"type":"init","jsonrpc":"2.0"}"#,
        ] {
            assert_eq!(detect(1, rpc.as_bytes(), Delimiter::None).unwrap(), SourceFormat::JsonRpcLines, "{rpc}");
        }
    }

    #[test]
    fn everything_else_is_named() {
        for other in
            ["hello", "{", "[]", "[1]", "42", "{}", r#"{"type":"frame"}"#, r#"{"type":7}"#, r#"[{"jsonrpc":"2.0"},{}]"#]
        {
            assert_eq!(code(other.as_bytes(), Delimiter::Lf), Code::NotATape, "{other}");
        }
        assert_eq!(code(b"\xff\xfe{\0", Delimiter::Lf), Code::NotATape);
        let headless = detect(4, br#"{"type":"frame","seq":9}"#, Delimiter::Lf).unwrap_err();
        assert!(headless.message().contains("line 4") && headless.hint().unwrap().contains("beginning"));
    }

    #[test]
    fn half_a_first_line() {
        for half in [&br#"{"type":"ini"#[..], b"[{", "{\"type\":\"é".as_bytes().split_last().unwrap().1] {
            assert_eq!(code(half, Delimiter::None), Code::TruncatedInput, "{half:?}");
            assert_eq!(code(half, Delimiter::Lf), Code::NotATape, "{half:?}");
        }
        assert_eq!(code(b"hello", Delimiter::None), Code::NotATape);
    }

    #[test]
    fn hostile_type_is_shown_escaped() {
        let e = detect(1, "{\"type\":\"a\u{202e}b\\u001b[2J\"}".as_bytes(), Delimiter::Lf).unwrap_err();
        assert!(e.message().contains("a\\u{202e}b\\x1b[2J"), "{}", e.message());
    }
}

//! Recorded bytes in JSON documents: exact, and harmless to whoever prints the document.

use std::fmt::Write as _;

use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::escape::is_visible;

/// Recorded bytes: a string where they are UTF-8, else `{"b64": ..}`.
pub(crate) fn text(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(|_| base64(bytes), Value::from)
}

/// Bytes that are no text.
pub(crate) fn base64(bytes: &[u8]) -> Value {
    json!({ "b64": base64::engine::general_purpose::STANDARD.encode(bytes) })
}

/// Adds `value` unless it is null.
pub(crate) fn put(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    let value = value.into();
    if !value.is_null() {
        map.insert(name.to_owned(), value);
    }
}

/// A written document whose strings hide nothing: characters that hide or reorder text become `\u` escapes, which any reader
/// turns back into them. Outside strings there are none, and ASCII below 0x20 is escaped within them already.
pub(crate) fn visible(document: String) -> String {
    if document.is_ascii() && !document.contains('\x7f') {
        return document;
    }
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        if c == '\n' || is_visible(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _infallible = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_inert_and_reads_back_the_same() {
        let hostile = "a\x1b[2J\u{202e}b\u{9b}\x7f\u{e0041}é\\\"\n日";
        let line = visible(json!({ "name": text(hostile.as_bytes()) }).to_string());
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}' || c == '\u{e0041}'), "{line}");
        assert!(line.contains("é") && line.contains('日'));
        let back: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(back["name"], hostile);
    }

    #[test]
    fn bytes_that_are_no_text() {
        assert_eq!(visible(text(b"\xff\x00").to_string()), r#"{"b64":"/wA="}"#);
        assert_eq!(visible("\"\x7f\"".into()), "\"\\u007f\"");
    }

    #[test]
    fn lines_of_a_document_stay_lines() {
        let pretty = serde_json::to_string_pretty(&json!({ "a": "é\n\u{202e}" })).unwrap();
        assert_eq!(visible(pretty), "{\n  \"a\": \"é\\n\\u202e\"\n}");
    }
}

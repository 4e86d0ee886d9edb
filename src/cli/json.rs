//! JSON documents: one a line, recorded text exactly, invisible characters as escapes.

use serde_json::{Map, Value, json};

use crate::codec::escape::visible;

/// Recorded bytes: a string where they are UTF-8, else `{"b64": ..}`.
pub(super) fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => base64(bytes),
    }
}

/// As [`text`], `null` when absent.
pub(super) fn text_or_null(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, text)
}

/// Bytes that are no text.
pub(super) fn base64(bytes: &[u8]) -> Value {
    use base64::Engine as _;
    json!({ "b64": base64::engine::general_purpose::STANDARD.encode(bytes) })
}

/// Adds `value` unless it is null.
pub(super) fn put(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    let value = value.into();
    if !value.is_null() {
        map.insert(name.to_owned(), value);
    }
}

/// A document as one line. Characters that hide or reorder text are written as `\u` escapes, which any
/// reader turns back into them.
pub(super) fn line(document: &Value) -> String {
    let plain = document.to_string();
    if plain.is_ascii() && !plain.contains('\x7f') {
        return plain;
    }
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        let mut buffer = [0; 4];
        let as_text: &str = c.encode_utf8(&mut buffer);
        // Only strings hold such characters, and ASCII below 0x20 is escaped in them already.
        if c.is_ascii() && c != '\x7f' || visible(as_text.as_bytes()) == as_text {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
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
        let line = line(&json!({ "name": text(hostile.as_bytes()) }));
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}' || c == '\u{e0041}'), "{line}");
        assert!(line.contains("é") && line.contains('日'));
        let back: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(back["name"], hostile);
    }

    #[test]
    fn bytes_that_are_no_text() {
        assert_eq!(line(&text(b"\xff\x00")), r#"{"b64":"/wA="}"#);
    }
}

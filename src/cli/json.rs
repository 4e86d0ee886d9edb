//! JSON documents: one a line, recorded text exactly, invisible characters as escapes.

use serde_json::Value;

pub(super) use crate::codec::json::{base64, put, text};

/// As [`text`], `null` when absent.
pub(super) fn text_or_null(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, text)
}

/// A document as one line.
pub(super) fn line(document: &Value) -> String {
    crate::codec::json::visible(document.to_string())
}

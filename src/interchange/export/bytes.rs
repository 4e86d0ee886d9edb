//! Bytes and digests as a text format and as a binary one have them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// Recorded bytes: in text a string where they are UTF-8, else `{"b64": ..}`; in a binary form the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a> {
    bytes: &'a [u8],
    may_be_text: bool,
}

impl<'a> Bytes<'a> {
    pub(super) const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, may_be_text: true }
    }

    /// As base64, also where they are UTF-8.
    pub(super) const fn never_text(self) -> Self {
        Self { may_be_text: false, ..self }
    }
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(self.bytes);
        }
        match std::str::from_utf8(self.bytes) {
            Ok(text) if self.may_be_text => serializer.serialize_str(text),
            _ => Base64(self.bytes).serialize(serializer),
        }
    }
}

/// Bytes as `{"b64": ..}`, whatever they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base64<'a>(pub &'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("b64", &STANDARD.encode(self.0))?;
        map.end()
    }
}

/// A digest or another short code: hexadecimal in text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hex<'a>(pub &'a [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&hex::encode(self.0))
        } else {
            serializer.serialize_bytes(self.0)
        }
    }
}

//! What a flag takes, told in words that help when it is something else.

use std::ffi::OsString;
use std::num::NonZeroUsize;

use clap::builder::{OsStringValueParser, StringValueParser, TypedValueParser};

use crate::codec::digest::Thumbprint;
use crate::log::KeyRole;

/// A script whose variable is not set gives nothing where it means something.
const EMPTY: &str = "it is empty; give a value, or leave the flag out";

/// Text with something in it.
pub(super) fn some_text() -> impl TypedValueParser<Value = String> {
    StringValueParser::new().try_map(|text| if text.is_empty() { Err(EMPTY) } else { Ok(text) })
}

/// As [`some_text`], in whatever encoding.
pub(super) fn some_words() -> impl TypedValueParser<Value = OsString> {
    OsStringValueParser::new().try_map(|words| if words.is_empty() { Err(EMPTY) } else { Ok(words) })
}

/// How many.
pub(super) fn count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "give a number, 1 or more".to_owned())
}

/// Where in the log.
pub(super) fn entry(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "give the number of an entry, as `immutape log` shows it".to_owned())
}

/// How long a log was.
pub(super) fn size(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "give a number of entries".to_owned())
}

/// How often: seconds to days.
pub(super) fn interval(text: &str) -> Result<std::time::Duration, String> {
    crate::provider::interval(text).ok_or_else(|| "give a time from 1s to 30d, such as 30s, 5m, 1h".to_owned())
}

/// A number that stands for itself.
pub(super) fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "give a number, 0 or more".to_owned())
}

/// A key of a ledger, by what it does.
pub(super) fn key_role(text: &str) -> Result<KeyRole, String> {
    KeyRole::ALL
        .into_iter()
        .find(|role| role.word() == text)
        .ok_or_else(|| "give checkpoint, recorder or issuer".to_owned())
}

/// A key, by its thumbprint.
pub(super) fn thumbprint(text: &str) -> Result<Thumbprint, String> {
    let bytes = hex::decode(text).ok().and_then(|bytes| Thumbprint::from_slice(&bytes));
    bytes.ok_or_else(|| "give the 64 hexadecimal digits that `immutape key history --json` shows".to_owned())
}

//! The system's errors in our words.

use std::io;
use std::path::Path;

use crate::codec::escape::visible;
use crate::error::{Code, Error};

/// A path as one harmless line.
pub(super) fn shown(path: &Path) -> String {
    visible(path.as_os_str().as_encoded_bytes())
}

/// A failed file operation; a full disk or quota has its own code, for there the way out is another.
pub(super) fn io(what: &str, path: &Path, source: io::Error) -> Error {
    let message = format!("vault: {what} {} failed: {source}", shown(path));
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::new(Code::StoreFull, message)
            .with_hint("make room on the disk that holds the state folder; nothing was lost")
            .with_source(source),
        _ => Error::new(Code::Io, message).with_source(source),
    }
}

/// A write whose effect is unknown; the handle is of no more use.
pub(super) fn broken(what: &str, path: &Path, source: io::Error) -> Error {
    Error::new(Code::Broken, format!("vault: {what} {} failed: {source}", shown(path)))
        .with_hint(AGAIN)
        .with_source(source)
}

/// What every call answers after [`broken`].
pub(super) fn poisoned() -> Error {
    Error::new(Code::Broken, "vault: an earlier write failed, and what it left is unknown").with_hint(AGAIN)
}

const AGAIN: &str = "close the ledger, see to the disk, and open it again";

/// Bytes that are not as they were written.
pub(super) fn damaged(words: String) -> Error {
    Error::new(Code::VaultDamaged, words).with_hint("bring the vault folder back from a backup of the state folder")
}

/// A call that does not fit the present state.
pub(super) fn conflict(words: String) -> Error {
    Error::new(Code::Conflict, words)
}

/// An epoch as people see it.
pub(super) fn epoch_name(epoch: &[u8; 16]) -> String {
    hex::encode(epoch)
}

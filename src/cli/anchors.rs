//! Entries about what others hold of the log, and about the keys it is read with, for programs.

use serde_json::{Value, json};

use super::json as js;
use crate::log::{AnchorBody, CriticalBody};
use crate::time::Timestamp;

/// Notes are text of this log and its witnesses; a damaged one is shown as it is, escaped by JSON.
fn text(note: &[u8]) -> String {
    String::from_utf8_lossy(note).into_owned()
}

pub(super) fn body(anchor: &AnchorBody) -> Value {
    match anchor {
        AnchorBody::Cosigned { note, keys, quorum } => json!({ "note": text(note), "keys": keys, "quorum": quorum }),
        AnchorBody::Timestamped { note, token, time_ms } => json!({
            "note": text(note), "token": js::base64(token), "time": Timestamp::from_ms(*time_ms).to_text(),
        }),
        AnchorBody::Published { size, root, form } => json!({
            "size": size, "root": root.to_hex(), "form": if *form == 1 { "entries" } else { "hashes" },
        }),
        AnchorBody::ReceiptIssued { form, size, index, file } => {
            json!({ "form": form_word(*form), "size": size, "index": index, "sha256": file.to_hex() })
        }
        AnchorBody::ForkFound { what, note, size, root } => json!({
            "what": if *what == 0 { "rolled back" } else { "forked" }, "note": text(note),
            "size": size, "root": root.to_hex(),
        }),
    }
}

pub(super) fn critical(body: &CriticalBody) -> Value {
    match body {
        CriticalBody::Succession { note } => json!({ "note": text(note) }),
        CriticalBody::Rotated { role, key, next, .. } => json!({
            "role": role.word(), "public": hex::encode(key), "next": next.to_hex(),
        }),
        CriticalBody::Revoked { role, thumbprint, from, reason } => json!({
            "role": role.word(), "thumbprint": thumbprint.to_hex(), "from": from,
            "reason": if *reason == 1 { "compromised" } else { "retired" },
        }),
    }
}

const fn form_word(form: u64) -> &'static str {
    match form {
        0 => "tlog-proof",
        1 => "receipt",
        2 => "consistency",
        _ => "unknown",
    }
}

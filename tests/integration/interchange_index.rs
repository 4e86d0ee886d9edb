//! The index of a folder of tapes: kept and compared, never believed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use immutape::interchange::{DirectoryIndex, ImportOptions};
use immutape::tape::Header;

use crate::interchange_real::{data, import, losses};

const ID: &str = "d1562bf4-a76c-51f9-a3b7-5be95fe7285b";

fn with_index(entry: &str, companion: bool) -> Header {
    let text = format!(
        r#"{{"version":"2.0","updated_at":"2026-11-20T10:20:00Z","tapes":[{{"tape_id":"another","frame_count":9}},{entry}]}}"#
    );
    let index = DirectoryIndex::read(text.as_bytes()).unwrap();
    assert_eq!(index.tapes(), 2);
    let options = ImportOptions::default()
        .index(Some(Arc::new(index)))
        .companion(companion.then(|| data("sqlite-crash.meta.json")));
    import(&data("sqlite-crash.jsonl"), options).unwrap().1
}

#[test]
fn an_index_that_agrees_is_kept_in_silence() {
    let size = data("sqlite-crash.jsonl").len();
    let entry = format!(
        r#"{{"tape_id":"{ID}","name":"listed","status":"error", "frame_count":1,"duration_ms":8,"size_bytes":{size},"tags":["x"]}}"#
    );
    let header = with_index(&entry, true);
    assert_eq!(losses(&header), &[] as &[String]);
    assert_eq!(header.extra, [(b"index.json".to_vec(), entry.clone().into_bytes())]);
    // The companion's name counts more; without one the index has the last word.
    assert_eq!(header.labels.name.as_deref(), Some(&b"sqlite-crash"[..]));
    assert_eq!(with_index(&entry, false).labels.name.as_deref(), Some(&b"listed"[..]));
}

#[test]
fn an_index_that_lies_is_kept_and_told() {
    let entry =
        format!(r#"{{"tape_id":"{ID}","status":"finalized","frame_count":100,"duration_ms":9,"size_bytes":1}}"#);
    let header = with_index(&entry, true);
    let told = losses(&header);
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told.iter().all(|l| l.starts_with("the index of the folder claims ")));
    assert!(told[0].contains("frame_count \"100\" (the tape gives 1)"), "{told:#?}");
    assert_eq!((header.stats.frames, header.stats.duration_ms), (1, Some(8)));
    // Of another tape nothing is taken over.
    let header = with_index(r#"{"tape_id":"yet another","frame_count":100}"#, true);
    assert_eq!((losses(&header).len(), header.extra.len()), (0, 0));
}

//! A published tree in a folder (C2SP tlog-tiles), for any web server.

use std::path::{Path, PathBuf};

use crate::codec::limits::NOTE_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::ledger::{Ledger, Who};
use crate::log::{Checkpoint, tiles_between};
use crate::store::files::{Files, code_of, create_dir_durable, write_atomic};

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The head.
    pub head: Checkpoint,
    /// Size of the tree that stood there before.
    pub before: u64,
    /// Tiles and bundles that were written.
    pub files: u64,
    /// Index of the entry that tells of it.
    pub recorded_as: u64,
}

/// Brings the tree in `folder` up to the newest head: tiles and bundles first, the checkpoint last, so that whatever it names
/// stands there at every moment. A crash leaves the older checkpoint and files that the next run writes again alike.
///
/// With `with_entries` the public halves of all entries are published too: for auditors who may have them.
///
/// # Errors
/// `E_LOG_ROLLBACK`, `E_LOG_FORK` when the tree that stands there is not one that this log extends: nothing is written then;
/// `E_PROOF_INVALID` when it is another log's; those of [`Ledger::release_head`]; `E_IO`, `E_STORE_FULL`.
pub async fn publish(
    ledger: &Ledger,
    who: &Who,
    folder: &Path,
    with_entries: bool,
    files: &dyn Files,
) -> Result<Published> {
    let before = published(ledger, folder, files)?;
    if let Some((_, note)) = &before {
        // A folder on this machine may be as old as the ledger: it can contradict, and confirms nothing.
        ledger.compare_held(note.clone()).await?;
    }
    let before = before.map_or(0, |(head, _)| head.size);
    let head = ledger.release_head().await?;
    let note = newest_note(ledger, &head.checkpoint, &head.note)?;
    // The entry before the first byte, and after the head: the head that is published does not name it.
    let recorded_as = ledger.note_publication(who, &head.checkpoint, with_entries, &folder.to_string_lossy()).await?;
    let written = write_tiles(ledger, folder, (before, head.checkpoint.size), with_entries, files)?;
    write(files, &folder.join("checkpoint"), note.as_bytes())?;
    Ok(Published { head: head.checkpoint, before, files: written, recorded_as })
}

/// The note with cosignatures, where an anchor of this very head is kept.
fn newest_note(ledger: &Ledger, head: &Checkpoint, note: &str) -> Result<String> {
    let anchor = ledger.newest_anchor()?.filter(|anchor| anchor.checkpoint == *head);
    Ok(anchor.map_or_else(|| note.to_owned(), |anchor| anchor.note))
}

/// The head of the tree that stands there.
fn published(ledger: &Ledger, folder: &Path, files: &dyn Files) -> Result<Option<(Checkpoint, String)>> {
    let bytes = match files.read(&folder.join("checkpoint"), NOTE_BYTES_MAX as u64) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::new(Code::Io, "the published checkpoint cannot be read").with_source(e)),
    };
    let other = |e: &dyn std::fmt::Display| {
        Error::new(Code::ProofInvalid, format!("the checkpoint that stands in this folder is none of this log: {e}"))
            .with_hint("give a folder of its own to each log")
    };
    let note = String::from_utf8(bytes).map_err(|e| other(&e))?;
    let head = Checkpoint::from_note(&note, ledger.keys()).map_err(|e| other(&e))?;
    Ok(Some((head, note)))
}

fn write_tiles(
    ledger: &Ledger,
    folder: &Path,
    (before, size): (u64, u64),
    with_entries: bool,
    files: &dyn Files,
) -> Result<u64> {
    let mut written = 0u64;
    for tile in tiles_between(before, size) {
        write(files, &folder.join(tile.path()), &ledger.tile(&tile)?)?;
        written = written.saturating_add(1);
    }
    // Bundles may have been left out until now: what is missing is written from the beginning on.
    for tile in tiles_between(0, size).filter(|tile| with_entries && tile.level == 0) {
        let path = folder.join(tile.bundle_path());
        let is_there = files.exists(&path);
        if !is_there.map_err(|e| Error::new(Code::Io, "the published tree cannot be read").with_source(e))? {
            write(files, &path, &ledger.entry_bundle(&tile)?)?;
            written = written.saturating_add(1);
        }
    }
    Ok(written)
}

fn write(files: &dyn Files, path: &Path, bytes: &[u8]) -> Result<()> {
    let io = |e| Error::new(code_of(&e), "the published tree cannot be written").with_source(e);
    let folder: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    create_dir_durable(files, &folder).map_err(io)?;
    write_atomic(files, path, bytes).map_err(io)
}

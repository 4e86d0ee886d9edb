//! Which engine a ledger was written with, in a file of the state folder. It proves nothing: it keeps who names another
//! engine by mistake from taking the folders for empty ones, or for damaged ones.

use std::io::ErrorKind;
use std::path::Path;

use crate::codec::escape::visible_short;
use crate::error::{Code, Error, Result};
use crate::store::files::{Files, write_atomic};

/// Name of the file.
const FILE: &str = "engine";
/// Longest name that is shown, and read.
const NAME_BYTES_MAX: u64 = 256;

/// The line that is there; `None` when there is none, as in ledgers of an earlier program.
fn read(files: &dyn Files, state: &Path) -> Option<Vec<u8>> {
    match files.read(&state.join(FILE), NAME_BYTES_MAX) {
        Ok(line) => Some(line),
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        // Too long, or a link: it is no name, and none that fits.
        Err(_) => Some(b"?".to_vec()),
    }
}

fn is_of(line: &[u8], engine: &str) -> bool {
    line.strip_suffix(b"\n") == Some(engine.as_bytes())
}

/// Refuses a ledger that another engine wrote.
///
/// # Errors
/// `E_USAGE`.
pub(super) fn compare(files: &dyn Files, state: &Path, engine: &str) -> Result<()> {
    match read(files, state) {
        Some(line) if !is_of(&line, engine) => {
            let shown = visible_short(line.strip_suffix(b"\n").unwrap_or(&line), 64);
            Err(Error::new(
                Code::Usage,
                format!("this ledger was written by the engine \"{shown}\", and is opened with \"{engine}\""),
            )
            .with_hint("name the engine that wrote it; if only the file `engine` in its state folder is wrong, remove that file: it is written again"))
        }
        _ => Ok(()),
    }
}

/// Writes the name down where it does not stand yet. Failing to is no fault: the next opening tries again.
pub(super) fn keep(files: &dyn Files, state: &Path, engine: &str) {
    if read(files, state).is_none() {
        let _told_at_the_next_opening = write_atomic(files, &state.join(FILE), format!("{engine}\n").as_bytes());
    }
}

/// What a check says of the file; nothing where it is as it should be, or not there.
pub(super) fn other(files: &dyn Files, state: &Path, engine: &str) -> Option<&'static str> {
    let is_other = read(files, state).is_some_and(|line| !is_of(&line, engine));
    is_other.then_some("the state folder names another engine than the one that reads this ledger: it is not opened so")
}

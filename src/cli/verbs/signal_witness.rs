//! The small process that stands beside a recorded program and notices the signals of its group. No verb: nobody types it.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::capture::child::{WitnessCommand, stand_witness};

/// What it is called as. Who looks for this program's name, to end recorders, does not find it.
const NAME: &str = "signal-witness";
/// This very file, also when another stands in its place by now, under a name that nobody looks for.
const ITSELF: &str = "/proc/self/exe";

/// How to start it. `None` where this program's own file is not known.
pub(super) fn command() -> Option<WitnessCommand> {
    let own = Some(PathBuf::from(ITSELF)).filter(|path| Path::exists(path)).or_else(|| std::env::current_exe().ok())?;
    Some(WitnessCommand { program: own.into_os_string(), name: NAME.into() })
}

/// Was this process started as one?
pub(in crate::cli) fn is_meant(args: &[OsString]) -> bool {
    matches!(args, [name] if name == NAME)
}

/// Is one, until the recorder asks no more.
pub(in crate::cli) fn stand() -> u8 {
    u8::from(stand_witness(&mut io::stdin().lock(), &mut io::stdout().lock()).is_err())
}

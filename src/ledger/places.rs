//! Which folders belong to a ledger. Doors read the environment; here paths are only put together.

use std::path::{Path, PathBuf};

use crate::codec::digest::LedgerId;
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::store::files::Files;

/// Longest `ledger` file: a path.
const PATH_BYTES_MAX: u64 = 16 << 10;

/// The folders of a ledger, before its id is known.
///
/// ```
/// use std::path::PathBuf;
/// use immutape::ledger::Places;
/// let places = Places::new("/data/ledger").state_base(PathBuf::from("/data/state")).config(PathBuf::from("/keys"));
/// assert_eq!(places.shown(), "/data/ledger");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Places {
    /// The ledger folder, absolute.
    pub ledger: PathBuf,
    /// Folder that holds one state folder for each ledger.
    pub state_base: Option<PathBuf>,
    /// Folder that holds one config folder for each ledger.
    pub config_base: Option<PathBuf>,
    /// State folder given outright.
    pub state: Option<PathBuf>,
    /// Config folder given outright.
    pub config: Option<PathBuf>,
}

impl Places {
    /// All three folders beneath one: for tests and temporary ledgers.
    #[must_use]
    pub fn beneath(folder: &Path) -> Self {
        Self {
            ledger: folder.join("ledger"),
            state_base: None,
            config_base: None,
            state: Some(folder.join("state")),
            config: Some(folder.join("config")),
        }
    }

    /// The ledger folder alone; where the other two lie is to be said.
    #[must_use]
    pub fn new(ledger: impl Into<PathBuf>) -> Self {
        Self { ledger: ledger.into(), state_base: None, config_base: None, state: None, config: None }
    }

    /// With this ledger folder.
    #[must_use]
    pub fn ledger(self, ledger: impl Into<PathBuf>) -> Self {
        Self { ledger: ledger.into(), ..self }
    }

    /// With a state folder beneath this one, named by the id of the ledger.
    #[must_use]
    pub fn state_base(self, state_base: impl Into<Option<PathBuf>>) -> Self {
        Self { state_base: state_base.into(), ..self }
    }

    /// With a config folder beneath this one, named by the id of the ledger.
    #[must_use]
    pub fn config_base(self, config_base: impl Into<Option<PathBuf>>) -> Self {
        Self { config_base: config_base.into(), ..self }
    }

    /// With this very state folder.
    #[must_use]
    pub fn state(self, state: impl Into<Option<PathBuf>>) -> Self {
        Self { state: state.into(), ..self }
    }

    /// With this very config folder.
    #[must_use]
    pub fn config(self, config: impl Into<Option<PathBuf>>) -> Self {
        Self { config: config.into(), ..self }
    }

    /// The state folder of a ledger.
    ///
    /// # Errors
    /// `E_NO_HOME`.
    pub fn state_of(&self, id: &LedgerId) -> Result<PathBuf> {
        resolve(self.state.as_ref(), self.state_base.as_ref(), id, "--state-dir")
    }

    /// The config folder of a ledger.
    ///
    /// # Errors
    /// `E_NO_HOME`.
    pub fn config_of(&self, id: &LedgerId) -> Result<PathBuf> {
        resolve(self.config.as_ref(), self.config_base.as_ref(), id, "--config-dir")
    }

    /// The state folder that names this ledger folder, when the ledger folder itself can no longer say. One whose
    /// making was cut off counts only when no other does.
    ///
    /// # Errors
    /// `E_IO`.
    pub fn state_that_names_us(&self, files: &dyn Files) -> Result<Option<PathBuf>> {
        let io = |e| Error::new(Code::Io, "the state folders cannot be read").with_source(e);
        if let Some(state) = &self.state {
            return Ok(files.exists(&state.join("ledger")).map_err(io)?.then(|| state.clone()));
        }
        let Some(base) = &self.state_base else { return Ok(None) };
        let entries = match files.list(base) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(io)?,
        };
        let ours = self.ledger.as_os_str().as_encoded_bytes();
        let mut cut_off = None;
        for entry in entries.iter().filter(|e| e.is_dir) {
            let state = base.join(&entry.name);
            match files.read(&state.join("ledger"), PATH_BYTES_MAX) {
                Ok(path) if path.strip_suffix(b"\n").unwrap_or(&path) == ours => {
                    if !files.exists(&state.join(super::create::CREATING)).map_err(io)? {
                        return Ok(Some(state));
                    }
                    cut_off = Some(state);
                }
                _ => {}
            }
        }
        Ok(cut_off)
    }

    /// What is wrong with the line by which a state folder names its ledger folder; it is what tells a ledger that
    /// vanished from one that never was.
    pub(super) fn elsewhere(&self, files: &dyn Files, state: &Path) -> Option<&'static str> {
        match files.read(&state.join("ledger"), PATH_BYTES_MAX) {
            Ok(line) if line.strip_suffix(b"\n") == Some(self.ledger.as_os_str().as_encoded_bytes()) => None,
            Ok(_) => Some(
                "the state folder names another ledger folder than this one: should this one vanish, nothing will miss it",
            ),
            Err(_) => Some("the state folder does not name this ledger folder: should it vanish, nothing will miss it"),
        }
    }

    /// The ledger folder, for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        visible(self.ledger.as_os_str().as_encoded_bytes())
    }
}

fn resolve(given: Option<&PathBuf>, base: Option<&PathBuf>, id: &LedgerId, flag: &str) -> Result<PathBuf> {
    match (given, base) {
        (Some(path), _) => Ok(path.clone()),
        (None, Some(base)) => Ok(base.join(id.to_hex())),
        (None, None) => Err(Error::new(Code::NoHome, "there is no home folder to keep keys and state in")
            .with_hint(format!("set HOME, or give -C, --state-dir and --config-dir (missing here: {flag})"))),
    }
}

//! What a provider would otherwise have to ask the world for. Programs that embed the library come in here as others come
//! in by the command line: [`Surroundings::of_process`] is where the process is asked.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::digest::{Digest, sha256};
use crate::codec::random::{Random, bytes};
use crate::error::{Code, Error, Result};
use crate::keyring::OsRandom;
use crate::ledger::{Environment, NoObserver, Observer, Places, Who};
use crate::store::Engine;
use crate::store::files::{Files, RealFiles};
use crate::time::{Clock, SystemClock};

/// Longest system file that is looked at for a name.
const SYSTEM_FILE_BYTES_MAX: u64 = 8 << 20;

/// Files, clock and randomness; who acts; and where a ledger goes that nobody gave a place.
#[derive(Clone)]
#[non_exhaustive]
pub struct Surroundings {
    /// The files of the machine.
    pub files: Arc<dyn Files>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives randomness.
    pub random: Arc<dyn Random>,
    /// Hears what happens.
    pub observer: Arc<dyn Observer>,
    /// Who stands behind every call.
    pub who: Who,
    /// Digest of the program.
    pub build: Digest,
    /// Folder of the ledgers.
    pub data_base: Option<PathBuf>,
    /// Folder of their state folders.
    pub state_base: Option<PathBuf>,
    /// Folder of their key folders, and of the user's configuration file.
    pub config_base: Option<PathBuf>,
}

impl Surroundings {
    /// With these files.
    #[must_use]
    pub fn files(self, files: Arc<dyn Files>) -> Self {
        Self { files, ..self }
    }

    /// With ledger folders beneath this one.
    #[must_use]
    pub fn data_base(self, data_base: impl Into<Option<PathBuf>>) -> Self {
        Self { data_base: data_base.into(), ..self }
    }

    /// With state folders beneath this one.
    #[must_use]
    pub fn state_base(self, state_base: impl Into<Option<PathBuf>>) -> Self {
        Self { state_base: state_base.into(), ..self }
    }

    /// With key folders, and the user's configuration file, beneath this one.
    #[must_use]
    pub fn config_base(self, config_base: impl Into<Option<PathBuf>>) -> Self {
        Self { config_base: config_base.into(), ..self }
    }

    /// Those of this process: its user, its machine, the folders of its home.
    ///
    /// # Errors
    /// `E_NO_RANDOM` when the machine has no boot id and no randomness.
    pub fn of_process() -> Result<Self> {
        let files = RealFiles;
        Ok(Self {
            clock: Arc::new(SystemClock::new(boot_id(&files)?)),
            random: Arc::new(OsRandom),
            observer: Arc::new(NoObserver),
            who: who(&files),
            build: Digest::from_bytes(sha256(concat!("immutape ", env!("CARGO_PKG_VERSION")).as_bytes())),
            data_base: base("XDG_DATA_HOME", ".local/share"),
            state_base: base("XDG_STATE_HOME", ".local/state"),
            config_base: base("XDG_CONFIG_HOME", ".config"),
            files: Arc::new(files),
        })
    }

    /// The variables of the process that are for us: all that begin with `IMMUTAPE_`.
    #[must_use]
    pub fn variables() -> Vec<(String, OsString)> {
        let ours = |(name, value): (OsString, OsString)| {
            let name = name.into_string().ok().filter(|name| name.starts_with("IMMUTAPE_"))?;
            (!value.is_empty()).then_some((name, value))
        };
        std::env::vars_os().filter_map(ours).collect()
    }

    /// What a ledger is opened with, on this engine.
    #[must_use]
    pub fn environment(&self, engine: Arc<dyn Engine>) -> Environment {
        Environment {
            engine,
            files: self.files.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            observer: self.observer.clone(),
            build: self.build,
        }
    }

    /// The folders of a ledger: those that are given, and for the rest those of the home.
    ///
    /// # Errors
    /// `E_NO_HOME` when no folder is given and there is no home; `E_USAGE` for a path that is none.
    pub fn places(&self, ledger: Option<&Path>, state: Option<&Path>, keys: Option<&Path>) -> Result<Places> {
        let home = || self.data_base.as_ref().map(|base| base.join("default")).ok_or_else(no_home);
        Ok(Places {
            ledger: ledger.map(absolute).transpose()?.map_or_else(home, Ok)?,
            state_base: self.state_base.clone(),
            config_base: self.config_base.clone(),
            state: state.map(absolute).transpose()?,
            config: keys.map(absolute).transpose()?,
        })
    }
}

/// A path from the root on.
///
/// # Errors
/// `E_USAGE` for a path that is none.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| {
        let shown = crate::codec::escape::visible(path.as_os_str().as_encoded_bytes());
        Error::new(Code::Usage, format!("\"{shown}\" is no path to a folder")).with_source(e)
    })
}

/// May what stands in this user's file decide for this process? Its own user's may, and that of the system's owner.
pub(super) fn is_trusted(owner: u32) -> bool {
    owner == 0 || owner == rustix::process::geteuid().as_raw()
}

fn no_home() -> Error {
    Error::new(Code::NoHome, "there is no home folder, so nothing says where the ledger is")
        .with_hint("set HOME, or give path, state_path and keys_path")
}

/// A relative path in these variables is to be ignored.
fn base(name: &str, beneath_home: &str) -> Option<PathBuf> {
    let rooted = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = rooted(name).or_else(|| rooted("HOME").map(|home| home.join(beneath_home)))?;
    Some(base.join("immutape"))
}

/// The kernel's id of this boot; where there is none, one of this process.
fn boot_id(files: &dyn Files) -> Result<[u8; 16]> {
    let text = files.read(Path::new("/proc/sys/kernel/random/boot_id"), 64).unwrap_or_default();
    let digits: Vec<u8> = text.into_iter().filter(u8::is_ascii_hexdigit).collect();
    let mut id = [0; 16];
    match hex::decode_to_slice(&digits, &mut id) {
        Ok(()) => Ok(id),
        Err(_) => Ok(bytes::<16>(&OsRandom)?),
    }
}

/// The user of this process, by the system's own list.
fn who(files: &dyn Files) -> Who {
    let uid = rustix::process::getuid().as_raw().to_string();
    let list = files.read(Path::new("/etc/passwd"), SYSTEM_FILE_BYTES_MAX).unwrap_or_default();
    let name = list.split(|b| *b == b'\n').find_map(|line| {
        let mut fields = line.split(|b| *b == b':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.as_bytes() && !name.is_empty()).then(|| name.to_vec())
    });
    Who {
        os_user: name.unwrap_or_else(|| format!("uid {uid}").into_bytes()),
        host: rustix::system::uname().nodename().to_bytes().to_vec(),
        pid: u64::from(std::process::id()),
        person: None,
        purpose: None,
        tool: Some(concat!("immutape library ", env!("CARGO_PKG_VERSION")).into()),
    }
}

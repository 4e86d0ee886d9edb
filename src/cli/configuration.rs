//! Which storage, which folders, and how tapes are kept that say nothing themselves: what flags, variables and files come to.
//!
//! The rules are those of [`crate::provider::config`]; the door adds its flags for the three folders, which count before
//! everything but `--set`, and must agree with that.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::Common;
use super::surroundings::variable;
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::ledger::Places;
use crate::provider::config::{CaptureSettings, Effective, Flags, Origin, PROJECT_FILE, ScheduleSettings, Sources};
use crate::provider::{StorageRegistry, Surroundings, absolute};

/// The provider whose ledgers lie in folders that a later command finds again.
const IN_FOLDERS: &str = "embedded";

/// One of the three folders, and the names that it has.
pub(super) struct Folder {
    /// What `config` calls it.
    pub name: &'static str,
    /// Setting.
    pub key: &'static str,
    /// Flag of its own.
    pub flag: &'static str,
    variable: &'static str,
    base: &'static str,
}

/// Ledger, state, keys.
pub(super) const FOLDERS: [Folder; 3] = [
    Folder { name: "ledger", key: "path", flag: "-C", variable: "IMMUTAPE_DIR", base: "XDG_DATA_HOME" },
    Folder {
        name: "state",
        key: "state_path",
        flag: "--state-dir",
        variable: "IMMUTAPE_STATE_DIR",
        base: "XDG_STATE_HOME",
    },
    Folder {
        name: "keys",
        key: "keys_path",
        flag: "--config-dir",
        variable: "IMMUTAPE_CONFIG_DIR",
        base: "XDG_CONFIG_HOME",
    },
];

/// A folder that somebody named, from the root on.
#[derive(Debug, Clone)]
struct Given {
    path: PathBuf,
    from: Origin,
}

/// What holds.
#[derive(Debug, Clone)]
pub(super) struct Configuration {
    /// Provider and settings.
    pub effective: Effective,
    /// How sessions are recorded.
    pub capture: CaptureSettings,
    /// What is done again and again.
    pub schedule: ScheduleSettings,
    /// The folders of [`FOLDERS`].
    given: [Option<Given>; 3],
}

impl Configuration {
    /// As flags, variables and files say. A command on the stage of the demonstration has its flags alone.
    ///
    /// # Errors
    /// `E_USAGE`, with the place of what is wrong.
    pub(super) fn find(common: &Common, around: &Surroundings) -> Result<Self> {
        let flags = Flags { provider: common.provider.clone(), settings: common.set.clone() };
        let mut sources = match common.is_staged {
            true => Sources { flags, ..Sources::default() },
            false => Sources::of_process(around, flags)?,
        };
        let raw = take_raw(&mut sources.variables);
        let effective = sources.effective(StorageRegistry::global()).map_err(as_usage)?;
        let (capture, schedule) = (sources.capture()?, sources.schedule()?);
        let [dir, state, keys] = [&common.dir, &common.state_dir, &common.config_dir];
        let [raw_dir, raw_state, raw_keys] = raw;
        let [ledger_folder, state_folder, keys_folder] = &FOLDERS;
        let given = [
            ledger_folder.given(dir.as_deref(), raw_dir, &effective)?,
            state_folder.given(state.as_deref(), raw_state, &effective)?,
            keys_folder.given(keys.as_deref(), raw_keys, &effective)?,
        ];
        Ok(Self { effective, capture, schedule, given })
    }

    /// Nothing was said anywhere.
    #[cfg(test)]
    pub(super) fn nothing() -> Result<Self> {
        let effective = Sources::default().effective(StorageRegistry::global())?;
        Ok(Self {
            effective,
            capture: CaptureSettings::default(),
            schedule: ScheduleSettings::default(),
            given: [None, None, None],
        })
    }

    /// Refuses a storage that is gone when the command ends.
    ///
    /// # Errors
    /// `E_USAGE`.
    pub(super) fn refuse_fleeting(&self) -> Result<()> {
        let (provider, from) = (self.effective.provider(), said(self.effective.provider_from()));
        if provider == IN_FOLDERS {
            return Ok(());
        }
        Err(Error::new(
            Code::Usage,
            format!(
                "the provider \"{provider}\" ({from}) keeps nothing once a command has ended: what is saved would be lost, and there is nothing to read"
            ),
        )
        .with_hint("name another one, for example --provider embedded; `memory` is for programs that test themselves"))
    }

    /// The folders of the ledger.
    ///
    /// # Errors
    /// `E_NO_HOME`.
    pub(super) fn places(&self, around: &Surroundings) -> Result<Places> {
        let [ledger, state, keys] = self.given.each_ref().map(|given| given.as_ref().map(|given| given.path.as_path()));
        around.places(ledger, state, keys).map_err(|e| match e.code() {
            Code::NoHome => Error::new(Code::NoHome, e.message().to_owned())
                .with_hint("set HOME, or give -C, --state-dir and --config-dir"),
            _ => e,
        })
    }

    /// Where the place of each of [`FOLDERS`] was said.
    pub(super) fn folders(&self) -> impl Iterator<Item = (&'static Folder, String)> {
        let rooted = |name: &str| variable(name).is_some_and(|v| Path::new(&v).is_absolute());
        FOLDERS.iter().zip(&self.given).map(move |(folder, given)| {
            let from = match given {
                Some(given) => said(&given.from),
                None if rooted(folder.base) => format!("${}", folder.base),
                None => said(&Origin::Default),
            };
            (folder, from)
        })
    }

    /// Folders whose place stands in a file: file and line with the setting. Nobody typed these, so they are told.
    pub(super) fn said_by_files(&self, only_project: bool) -> Option<String> {
        let told = FOLDERS.iter().zip(&self.given).filter_map(|(folder, given)| match &given.as_ref()?.from {
            Origin::File { name, .. } if only_project && name != PROJECT_FILE => None,
            from @ Origin::File { .. } => Some(format!("{} ({})", said(from), folder.key)),
            _ => None,
        });
        Some(told.collect::<Vec<_>>().join(", ")).filter(|told| !told.is_empty())
    }

    /// Where a setting was given.
    pub(super) fn from(&self, key: &str) -> String {
        said(self.effective.setting(key).map_or(&Origin::Default, |setting| &setting.from))
    }
}

impl Folder {
    /// Flag, then variable that is no text, then what the configuration says.
    fn given(&self, flag: Option<&Path>, raw: Option<OsString>, effective: &Effective) -> Result<Option<Given>> {
        let setting = effective.setting(self.key);
        let told = setting.and_then(|s| s.value.as_str().map(|path| (path, s.from.clone())));
        let told =
            told.map(|(path, from)| Ok::<_, Error>(Given { path: folder(Path::new(path))?, from })).transpose()?;
        let disagree = |a: &str, b: &str| {
            Err(Error::new(Code::Usage, format!("{a} and {b} disagree about where the {} folder is", self.name))
                .with_hint("give one of the two"))
        };
        let by_flag = |given: &Given| matches!(given.from, Origin::Flag(_));
        match (flag, told, raw) {
            (Some(flag), told, _) => {
                let path = folder(flag)?;
                match told.filter(by_flag) {
                    Some(told) if told.path != path => disagree(self.flag, &format!("--set {}", self.key)),
                    _ => Ok(Some(Given { path, from: Origin::Flag(self.flag) })),
                }
            }
            (None, Some(told), Some(_)) if matches!(told.from, Origin::Variable(_)) => {
                disagree(self.variable, &told.from.to_string())
            }
            (None, told, Some(raw)) if !told.as_ref().is_some_and(by_flag) => {
                Ok(Some(Given { path: folder(Path::new(&raw))?, from: Origin::Variable(self.variable.into()) }))
            }
            (None, told, _) => Ok(told),
        }
    }
}

/// Variables of folders whose value is a path but no text. The configuration is text; the folders need not be.
fn take_raw(variables: &mut Vec<(String, OsString)>) -> [Option<OsString>; 3] {
    FOLDERS.each_ref().map(|folder| {
        let is_raw = |(name, value): &(String, OsString)| name == folder.variable && value.to_str().is_none();
        let at = variables.iter().position(is_raw)?;
        Some(variables.remove(at).1)
    })
}

/// A provider that is not there is a mistake of who named it, as an unknown verb is.
pub(super) fn as_usage(e: Error) -> Error {
    if e.code() != Code::NotFound {
        return e;
    }
    let told = Error::new(Code::Usage, e.message().to_owned());
    e.hint().map(str::to_owned).into_iter().fold(told, Error::with_hint)
}

/// The place where something was said, as people read it.
pub(super) fn said(from: &Origin) -> String {
    match from {
        Origin::Variable(name) => format!("${}", visible(name.as_bytes())),
        other => other.to_string(),
    }
}
/// A path that may be a folder's.
fn folder(path: &Path) -> Result<PathBuf> {
    if path.is_file() {
        let shown = visible(path.as_os_str().as_encoded_bytes());
        return Err(Error::new(Code::Usage, format!("{shown} is a file, and a folder is needed"))
            .with_hint("-C, --state-dir and --config-dir name the folders of a ledger"));
    }
    absolute(path)
}

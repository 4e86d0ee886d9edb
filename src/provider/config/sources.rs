//! Gathering what flags, environment and files say.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::effective::{Effective, is, refuse_relative};
use super::file::{ConfigFile, Others};
use super::layer::{Layer, Origin};
use crate::codec::escape::{visible, visible_short};
use crate::error::{Code, Error, Result};
use crate::provider::registry::StorageRegistry;
use crate::provider::settings::Setting;
use crate::provider::surroundings::{Surroundings, is_trusted};
use crate::store::files::{File, Files};

/// Name of a project's file, in the present folder.
pub const PROJECT_FILE: &str = "immutape.toml";
/// Name of the user's file, in the folder of the key folders.
pub const USER_FILE: &str = "config.toml";
/// Longest configuration file.
const FILE_BYTES_MAX: usize = 1 << 20;
/// Permission bit.
const OTHERS_WRITE: u32 = 0o002;
/// The provider's name.
const PROVIDER: &str = "IMMUTAPE_PROVIDER";
/// Settings together, as a JSON object.
const CONFIG: &str = "IMMUTAPE_PROVIDER_CONFIG";
/// Begins the variable of one setting.
const ONE_SETTING: &str = "IMMUTAPE_PROVIDER_";

/// What stands on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flags {
    /// `--provider NAME`.
    pub provider: Option<String>,
    /// `--set KEY=VALUE`, each as it was given.
    pub settings: Vec<String>,
}

/// Everything that is asked, in the order in which it counts.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Sources {
    /// The command line.
    pub flags: Flags,
    /// Variables of the environment; others than ours are passed over.
    pub variables: Vec<(String, OsString)>,
    /// Name and text of the project's file.
    pub project: Option<(String, String)>,
    /// Name and text of the user's file.
    pub user: Option<(String, String)>,
    /// What a program has read by itself; it counts where nothing else says anything.
    pub own: Layer,
}

impl Flags {
    /// With this provider.
    #[must_use]
    pub fn provider(self, provider: impl Into<Option<String>>) -> Self {
        Self { provider: provider.into(), ..self }
    }

    /// With these settings, each as `KEY=VALUE`.
    #[must_use]
    pub fn settings(self, settings: Vec<String>) -> Self {
        Self { settings, ..self }
    }
}

impl Sources {
    /// With this command line.
    #[must_use]
    pub fn flags(self, flags: Flags) -> Self {
        Self { flags, ..self }
    }

    /// With these variables.
    #[must_use]
    pub fn variables(self, variables: Vec<(String, OsString)>) -> Self {
        Self { variables, ..self }
    }

    /// With name and text of a project's file.
    #[must_use]
    pub fn project(self, project: impl Into<Option<(String, String)>>) -> Self {
        Self { project: project.into(), ..self }
    }

    /// With name and text of a user's file.
    #[must_use]
    pub fn user(self, user: impl Into<Option<(String, String)>>) -> Self {
        Self { user: user.into(), ..self }
    }

    /// With what a program has read by itself, beneath all others.
    #[must_use]
    pub fn with_layer(self, own: Layer) -> Self {
        Self { own, ..self }
    }

    /// Those of this process: its environment, `immutape.toml` in the present folder, and the user's file.
    ///
    /// # Errors
    /// `E_USAGE` for a file that is there and cannot be read as one, and for a project's file that others may write: it could
    /// send what is recorded, and the keys, wherever they like.
    pub fn of_process(around: &Surroundings, flags: Flags) -> Result<Self> {
        let user = around.config_base.as_ref().map(|base| base.join(USER_FILE));
        Ok(Self {
            flags,
            variables: Surroundings::variables(),
            project: read(&*around.files, Path::new(PROJECT_FILE), Whose::Ours)?,
            user: user.map_or(Ok(None), |path: PathBuf| read(&*around.files, &path, Whose::Anybodys))?,
            own: Layer::default(),
        })
    }

    /// What they come to together.
    ///
    /// # Errors
    /// `E_USAGE`, naming the place, for whatever cannot be meant; `E_NOT_FOUND` when there is no such provider.
    pub fn effective(&self, registry: &StorageRegistry) -> Result<Effective> {
        let file = |given: &Option<(String, String)>| match given {
            Some((name, text)) => ConfigFile::new(name, text).layer(Others::Refuse),
            None => Ok(Layer::default()),
        };
        let layers =
            [self.flag_layer()?, self.variable_layer()?, file(&self.project)?, file(&self.user)?, self.own.clone()];
        let mut effective = Effective::choose(&layers, registry)?;
        let factory = registry.find(effective.provider())?;
        let [_, _, _, user, _] = &layers;
        refuse_relative(user, &*factory)?;
        // Text of flags and variables is read as the chosen provider's settings take it, so only now.
        effective.take(self.flag_settings(factory.settings(), factory.name())?, &*factory)?;
        effective.take(self.variable_settings(factory.settings(), &layers, &*factory)?, &*factory)?;
        for layer in layers {
            effective.take(layer, &*factory)?;
        }
        effective.finish(&*factory)
    }

    fn flag_layer(&self) -> Result<Layer> {
        let provider = self.flags.provider.clone().map(|name| (name, Origin::Flag("--provider")));
        Ok(Layer { provider, settings: Vec::new() })
    }

    fn flag_settings(&self, settings: &[Setting], provider: &str) -> Result<Layer> {
        let mut layer = Layer::default();
        for given in &self.flags.settings {
            let usage = |words: String| Error::new(Code::Usage, format!("--set: {words}"));
            let shown = || visible_short(given.as_bytes(), 60);
            let (key, text) = given.split_once('=').ok_or_else(|| usage(format!("\"{}\" is no KEY=VALUE", shown())))?;
            let setting = crate::provider::settings::find(provider, settings, key).map_err(usage)?;
            if layer.settings.iter().any(|(k, ..)| k == key) {
                return Err(usage(format!("\"{key}\" is there twice, and only one of them can be meant")));
            }
            layer.settings.push((key.to_owned(), setting.read_text(text).map_err(usage)?, Origin::Flag("--set")));
        }
        Ok(layer)
    }

    /// The provider and the settings that stand together in a JSON object.
    fn variable_layer(&self) -> Result<Layer> {
        let mut layer = Layer::default();
        if let Some(name) = self.variable(PROVIDER)? {
            layer.provider = Some((name, Origin::Variable(PROVIDER.into())));
        }
        if let Some(text) = self.variable(CONFIG)? {
            let no_object = || Error::new(Code::Usage, format!("{CONFIG}: this is no JSON object with settings"));
            let value: Value = serde_json::from_str(&text).map_err(|e| no_object().with_source(e))?;
            let Value::Object(object) = value else { return Err(no_object()) };
            let origin = || Origin::Variable(CONFIG.into());
            layer.settings.extend(object.into_iter().map(|(key, value)| (key, value, origin())));
        }
        Ok(layer)
    }

    /// Settings in variables of their own.
    fn variable_settings(
        &self,
        settings: &[Setting],
        layers: &[Layer],
        factory: &dyn crate::provider::StorageProviderFactory,
    ) -> Result<Layer> {
        let mut layer = Layer::default();
        if layers.iter().skip(1).take(1).filter_map(|l| l.provider.as_ref()).any(|(name, _)| !is(name, factory)) {
            return Ok(layer);
        }
        let known = |name: &str| settings.iter().find(|s| format!("{ONE_SETTING}{}", s.key.to_uppercase()) == name);
        let names = self.variables.iter().map(|(name, _)| name.as_str()).filter(|name| *name != CONFIG);
        for name in names.filter(|name| name.starts_with(ONE_SETTING)) {
            if known(name).is_none() {
                let words = format!(
                    "{}: the provider \"{}\" has no such setting",
                    visible_short(name.as_bytes(), 80),
                    factory.name()
                );
                let all = settings.iter().map(|s| format!("{ONE_SETTING}{}", s.key.to_uppercase())).collect::<Vec<_>>();
                return Err(Error::new(Code::Usage, words).with_hint(format!("there are {}", all.join(", "))));
            }
        }
        let together = layers.get(1).map(|layer| layer.settings.as_slice()).unwrap_or_default();
        for setting in settings {
            let own = format!("{ONE_SETTING}{}", setting.key.to_uppercase());
            let mut said: Vec<(Value, String)> = together
                .iter()
                .filter(|(key, ..)| key == setting.key)
                .map(|(_, v, o)| (v.clone(), o.to_string()))
                .collect();
            for name in [Some(own.as_str()), setting.variable].into_iter().flatten() {
                if let Some(text) = self.variable(name)? {
                    let usage = |words: String| Error::new(Code::Usage, format!("{name}: {words}"));
                    said.push((setting.read_text(&text).map_err(usage)?, name.to_owned()));
                }
            }
            if let Some((first, other)) =
                said.first().zip(said.iter().find(|(v, _)| Some(v) != said.first().map(|(v, _)| v)))
            {
                let words = format!("{} and {} disagree about \"{}\"", first.1, other.1, setting.key);
                return Err(Error::new(Code::Usage, words).with_hint("unset one of the two"));
            }
            if let Some((value, name)) = said.into_iter().next() {
                layer.settings.push((setting.key.to_owned(), value, Origin::Variable(name)));
            }
        }
        Ok(layer)
    }

    /// A variable that is there and not empty.
    pub(super) fn variable(&self, name: &str) -> Result<Option<String>> {
        let found = self.variables.iter().find(|(n, value)| n == name && !value.is_empty());
        found.map_or(Ok(None), |(_, value)| {
            let no_text = || Error::new(Code::Usage, format!("{name}: its value is not UTF-8"));
            value.to_str().map(|text| Some(text.to_owned())).ok_or_else(no_text)
        })
    }
}

/// Whose file may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// One that lies where nobody else writes.
    Anybodys,
    /// One that must be this user's or the system's own, and not for others to write.
    Ours,
}

/// A configuration file; `None` when there is none. What is judged and what is read is one open file.
fn read(files: &dyn Files, path: &Path, whose: Whose) -> Result<Option<(String, String)>> {
    let shown = visible(path.as_os_str().as_encoded_bytes());
    let wrong = |words: &str| Error::new(Code::Usage, format!("{shown}: {words}"));
    let unreadable = |e| {
        wrong("this configuration file cannot be read")
            .with_hint("it must be a plain file of at most 1 MiB, and no link")
            .with_source(e)
    };
    let file = match files.open(path, false) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unreadable(e)),
    };
    if whose == Whose::Ours
        && let Some((owner, mode)) = file.owner().map_err(unreadable)?
    {
        judge(&shown, owner, mode)?;
    }
    let text = bounded(&*file).map_err(unreadable)?;
    let text = String::from_utf8(text).map_err(|_| wrong("this configuration file is not UTF-8 text"))?;
    Ok(Some((path.to_string_lossy().into_owned(), text)))
}

/// May a file of this owner and with these permission bits decide where things go?
fn judge(shown: &str, owner: u32, mode: u32) -> Result<()> {
    let (words, hint) = if !is_trusted(owner) {
        let hint = "take it as your own with chown once you have read it, or work in another folder".to_owned();
        ("this configuration file belongs to another user, who could send what you record elsewhere", hint)
    } else if mode & OTHERS_WRITE != 0 {
        let hint = format!("chmod o-w {shown}");
        ("everybody may write this configuration file, and could send what you record elsewhere", hint)
    } else {
        return Ok(());
    };
    Err(Error::new(Code::Usage, format!("{shown}: {words}")).with_hint(hint))
}

fn bounded(file: &dyn File) -> std::io::Result<Vec<u8>> {
    let mut text = vec![0; FILE_BYTES_MAX.saturating_add(1)];
    let got = file.read_at(0, &mut text)?;
    if got > FILE_BYTES_MAX {
        return Err(std::io::Error::new(ErrorKind::FileTooLarge, "more than 1 MiB"));
    }
    text.truncate(got);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_can_change_decides_nothing() {
        let me = rustix::process::geteuid().as_raw();
        for (owner, mode) in [(me, 0o600), (me, 0o664), (me, 0o444), (0, 0o644)] {
            judge("immutape.toml", owner, mode).unwrap();
        }
        for (owner, mode, wanted) in [
            (me.wrapping_add(1).max(1), 0o600, "belongs to another user"),
            (me, 0o602, "everybody may write"),
            (0, 0o666, "everybody may write"),
        ] {
            let e = judge("immutape.toml", owner, mode).unwrap_err();
            assert_eq!(e.code(), Code::Usage);
            assert!(e.message().starts_with("immutape.toml: ") && e.message().contains(wanted), "{}", e.message());
        }
    }
}

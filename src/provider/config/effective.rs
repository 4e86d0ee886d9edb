//! What holds in the end, and where each part of it was said.

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::layer::{Layer, Origin};
use super::text::toml_value;
use crate::codec::escape::visible_short;
use crate::error::{Code, Error, Result};
use crate::provider::factory::StorageProviderFactory;
use crate::provider::registry::StorageRegistry;
use crate::provider::settings::{Setting, SettingKind, find};

/// A setting that was given.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EffectiveSetting {
    /// Its name.
    pub key: String,
    /// What was given.
    pub value: Value,
    /// Where.
    pub from: Origin,
    /// It is not to be shown.
    pub is_secret: bool,
}

/// The configuration of the storage that holds. Shown as TOML that means the same, each line with the place where it was
/// said behind it; secrets are left out of it.
///
/// ```
/// use immutape::provider::StorageRegistry;
/// use immutape::provider::config::Sources;
/// let text = "recorder.storage.config.path = '/srv/a'";
/// let sources = Sources::default().project(("immutape.toml".to_owned(), text.to_owned()));
/// let effective = sources.effective(StorageRegistry::global())?;
/// assert_eq!(effective.provider(), "embedded");
/// assert!(effective.to_string().contains("path = \"/srv/a\" # immutape.toml:1\n"));
/// assert_eq!(effective.to_json()["settings"]["path"]["from"], "immutape.toml:1");
/// # Ok::<(), immutape::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    provider: String,
    version: String,
    from: Origin,
    given: Vec<EffectiveSetting>,
    /// Settings that nobody gave, and what then holds, in words.
    open: Vec<Setting>,
    /// Places whose settings are for another provider.
    left_out: Vec<String>,
    warnings: Vec<String>,
}

impl Effective {
    /// The provider that the first place names that names one.
    pub(super) fn choose(layers: &[Layer], registry: &StorageRegistry) -> Result<Self> {
        let named = layers.iter().find_map(|layer| layer.provider.clone());
        let (name, from) = named.unwrap_or_else(|| ("embedded".to_owned(), Origin::Default));
        let factory = registry.find(&name).map_err(|e| {
            let told = Error::new(e.code(), format!("{from}: {}", e.message()));
            e.hint().map(str::to_owned).into_iter().fold(told, Error::with_hint)
        })?;
        let mut left_out = Vec::new();
        for layer in layers {
            if let Some((other, place)) = &layer.provider
                && !layer.settings.is_empty()
                && !is(other, &*factory)
            {
                let other = visible_short(other.as_bytes(), 80);
                left_out.push(format!("settings beside {place} are for the provider \"{other}\""));
            }
        }
        let (provider, version) = (factory.name().to_owned(), factory.version().to_owned());
        Ok(Self { provider, version, from, given: Vec::new(), open: Vec::new(), left_out, warnings: Vec::new() })
    }

    /// Takes the settings of a place that no place before it gave; all of them are checked.
    pub(super) fn take(&mut self, layer: Layer, factory: &dyn StorageProviderFactory) -> Result<()> {
        if let Some((name, _)) = &layer.provider
            && !is(name, factory)
        {
            return Ok(());
        }
        for (key, value, from) in layer.settings {
            let at = |words: String| Error::new(Code::Usage, format!("{from}: {words}"));
            let setting = find(factory.name(), factory.settings(), &key).map_err(at)?;
            setting.check(&value).map_err(at)?;
            if !self.given.iter().any(|given| given.key == key) {
                self.given.push(EffectiveSetting { key, value, from, is_secret: setting.is_secret });
            }
        }
        Ok(())
    }

    /// The provider's own checks, over everything together.
    pub(super) fn finish(mut self, factory: &dyn StorageProviderFactory) -> Result<Self> {
        factory.validate(&self.config())?;
        self.warnings = factory.warnings(&self.config());
        let is_given = |setting: &&Setting| self.given.iter().any(|given| given.key == setting.key);
        self.open = factory.settings().iter().filter(|setting| !is_given(setting)).copied().collect();
        let place = |key: &str| factory.settings().iter().position(|s| s.key == key);
        self.given.sort_by_key(|given| place(&given.key));
        Ok(self)
    }

    /// Name of the provider.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Where it was named.
    #[must_use]
    pub const fn provider_from(&self) -> &Origin {
        &self.from
    }

    /// The settings that were given, in the order in which the provider lists them.
    #[must_use]
    pub fn settings(&self) -> &[EffectiveSetting] {
        &self.given
    }

    /// The setting of this name, where it was given.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&EffectiveSetting> {
        self.given.iter().find(|given| given.key == key)
    }

    /// Places whose settings are for another provider, in words.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// What the provider warns of.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The settings as a provider takes them. Secrets are in it.
    #[must_use]
    pub fn config(&self) -> Value {
        let pairs = self.given.iter().map(|given| (given.key.clone(), given.value.clone()));
        Value::Object(pairs.collect::<Map<_, _>>())
    }

    /// The same as [`Effective`] shows, for programs: `provider`, `version`, `from`; `settings`, each with `value` (null when
    /// it was not given or is secret), `from` and `default`; `left_out`; `warnings`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut settings = Map::new();
        for given in &self.given {
            let value = if given.is_secret { Value::Null } else { given.value.clone() };
            settings.insert(given.key.clone(), json!({ "value": value, "from": given.from.to_string() }));
        }
        for open in &self.open {
            settings.insert(open.key.to_owned(), json!({ "value": null, "from": "default", "default": open.default }));
        }
        json!({
            "provider": self.provider,
            "version": self.version,
            "from": self.from.to_string(),
            "settings": settings,
            "left_out": self.left_out,
            "warnings": self.warnings,
        })
    }
}

/// A path in a file that is read wherever one stands must not depend on where that is: each folder would have a ledger of
/// its own.
///
/// # Errors
/// `E_USAGE`, naming the place.
pub(super) fn refuse_relative(layer: &Layer, factory: &dyn StorageProviderFactory) -> Result<()> {
    if layer.provider.as_ref().is_some_and(|(name, _)| !is(name, factory)) {
        return Ok(());
    }
    let is_path = |key: &str| factory.settings().iter().any(|s| s.key == key && s.kind == SettingKind::Path);
    for (key, value, from) in layer.settings.iter().filter(|(key, ..)| is_path(key)) {
        if value.as_str().is_some_and(|path| !path.is_empty() && Path::new(path).is_relative()) {
            let words = format!("{from}: \"{key}\" must begin with / here, since this file is read in every folder");
            return Err(Error::new(Code::Usage, words).with_hint("write the whole path: /home/ann/tapes"));
        }
    }
    Ok(())
}

/// Is this a name of that provider?
pub(super) fn is(name: &str, factory: &dyn StorageProviderFactory) -> bool {
    name == factory.name() || factory.aliases().contains(&name)
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[recorder.storage]")?;
        writeln!(f, "provider = {} # {}", toml_value(&Value::from(self.provider.as_str())), self.from)?;
        writeln!(f, "\n[recorder.storage.config]")?;
        for EffectiveSetting { key, value, from, is_secret } in &self.given {
            if *is_secret {
                writeln!(f, "# {key} is given and not shown # {from}")?;
            } else {
                writeln!(f, "{key} = {} # {from}", toml_value(value))?;
            }
        }
        for open in &self.open {
            writeln!(f, "# {}: {} # default", open.key, open.default)?;
        }
        self.left_out.iter().try_for_each(|words| writeln!(f, "# left out: {words}"))?;
        self.warnings.iter().try_for_each(|words| writeln!(f, "# warning: {words}"))
    }
}

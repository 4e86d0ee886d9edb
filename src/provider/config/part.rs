//! A table of a configuration file that is not about the storage: its keys, in the same places and the same order.

use serde_json::Value;

use super::effective::EffectiveSetting;
use super::file::ConfigFile;
use super::layer::Origin;
use super::sources::Sources;
use crate::codec::escape::visible_short;
use crate::error::{Code, Error, Result};
use crate::provider::names::instead;
use crate::provider::settings::Setting;

/// One such table.
pub(super) struct Part {
    /// Its name in a file.
    pub table: &'static str,
    /// Begins the variable of one key.
    pub variable: &'static str,
    /// Every key that it has.
    pub settings: &'static [Setting],
}

type Said = Vec<(String, Value, Origin)>;

impl Part {
    /// What is said of it: variables, the project's file, the user's file. Each key counts where no place before said anything,
    /// and is checked in any case.
    pub fn given(&self, sources: &Sources) -> Result<Vec<EffectiveSetting>> {
        let mut given = Vec::new();
        self.take(self.in_variables(sources)?, &mut given)?;
        for (name, text) in [&sources.project, &sources.user].into_iter().flatten() {
            self.take(ConfigFile::new(name, text).part(self.table)?, &mut given)?;
        }
        Ok(given)
    }

    fn take(&self, said: Said, given: &mut Vec<EffectiveSetting>) -> Result<()> {
        for (key, value, from) in said {
            let usage = |words: String| Error::new(Code::Usage, format!("{from}: {words}"));
            let Some(setting) = self.settings.iter().find(|setting| setting.key == key) else {
                let shown = visible_short(key.as_bytes(), 60);
                let known = instead(&key, self.settings.iter().map(|setting| setting.key));
                return Err(usage(format!("[{}] has no key \"{shown}\"", self.table)).with_hint(known));
            };
            setting.check(&value).map_err(usage)?;
            if !given.iter().any(|before| before.key == key) {
                given.push(EffectiveSetting { key, value, from, is_secret: false });
            }
        }
        Ok(())
    }

    fn in_variables(&self, sources: &Sources) -> Result<Said> {
        let mut said = Vec::new();
        for (name, _) in sources.variables.iter().filter(|(name, _)| name.starts_with(self.variable)) {
            let Some(setting) = self.settings.iter().find(|s| self.variable_of(s) == *name) else {
                let words = format!("{}: there is no such variable", visible_short(name.as_bytes(), 80));
                let all = self.settings.iter().map(|s| self.variable_of(s)).collect::<Vec<_>>();
                return Err(Error::new(Code::Usage, words).with_hint(format!("there are {}", all.join(", "))));
            };
            if let Some(text) = sources.variable(name)? {
                let usage = |words: String| Error::new(Code::Usage, format!("{name}: {words}"));
                let value = setting.read_text(&text).map_err(usage)?;
                said.push((setting.key.to_owned(), value, Origin::Variable(name.clone())));
            }
        }
        Ok(said)
    }

    fn variable_of(&self, setting: &Setting) -> String {
        format!("{}{}", self.variable, setting.key.to_uppercase())
    }
}

//! A configuration file, with the place of each key.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layer::{Layer, Origin};
use crate::codec::escape::{visible, visible_short};
use crate::error::{Code, Error, Result};
use crate::provider::names::instead;

/// What to do with tables that are not about storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Others {
    /// The file is ours alone: an unknown key is a mistake.
    Refuse,
    /// The file is a program's own, and ours is one part of it.
    Ignore,
}

/// The tables that both generations of the seeds use. Either will do, and each takes `config` as a table of its own or in line.
const TABLES: [&str; 2] = ["recorder", "recording"];
/// What a file of ours may hold: those, and the tables about recordings and about jobs.
const ALL_TABLES: [&str; 4] = ["recorder", "recording", "capture", "schedule"];

/// Reads configuration files.
///
/// ```
/// use immutape::provider::config::{ConfigFile, Others};
/// let text = "[recorder.storage]\nprovider = \"embedded\"\n[recorder.storage.config]\npath = \"/srv/tapes\"\n";
/// let layer = ConfigFile::new("immutape.toml", text).layer(Others::Refuse)?;
/// assert_eq!(layer.settings[0].2.to_string(), "immutape.toml:4");
///
/// let wrong = ConfigFile::new("immutape.toml", "[recorder.storage]\nprovder = \"embedded\"\n").layer(Others::Refuse);
/// assert_eq!(wrong.unwrap_err().message(), "immutape.toml:2: [recorder.storage] has no key \"provder\"");
/// # Ok::<(), immutape::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ConfigFile<'a> {
    name: String,
    text: &'a str,
}

/// One `storage` table.
struct Storage {
    /// Its name, as it is shown.
    table: String,
    line: usize,
    layer: Layer,
}

impl<'a> ConfigFile<'a> {
    /// The text of a file. The name is for messages.
    #[must_use]
    pub fn new(name: &str, text: &'a str) -> Self {
        Self { name: visible(name.as_bytes()), text }
    }

    /// What it says of the storage.
    ///
    /// # Errors
    /// `E_USAGE` with file and line: what is no TOML, an unknown key, a wrong type, two tables that disagree.
    pub fn layer(&self, others: Others) -> Result<Layer> {
        let root = self.root()?;
        let mut found: Vec<Storage> = Vec::new();
        for (key, value) in root.get_ref() {
            let name = key.get_ref().as_ref();
            let Some(table) = TABLES.into_iter().find(|t| *t == name) else {
                if others == Others::Refuse && !ALL_TABLES.contains(&name) {
                    return Err(self.unknown(key.span(), "a configuration file", name, &ALL_TABLES));
                }
                continue;
            };
            for (inner, storage) in self.table(value, &format!("[{table}]"))? {
                let name = inner.get_ref().as_ref();
                if name == "storage" {
                    found.push(self.storage(table, inner.span(), storage)?);
                } else if others == Others::Refuse {
                    return Err(self.unknown(inner.span(), &format!("[{table}]"), name, &["storage"]));
                }
            }
        }
        found.sort_by_key(|storage| storage.line);
        match found.as_slice() {
            [] => Ok(Layer::default()),
            [one] => Ok(one.layer.clone()),
            [first, second, ..] => self.agreed(first, second),
        }
    }

    /// What the table of this name says, each key with its line.
    pub(super) fn part(&self, name: &str) -> Result<Vec<(String, Value, Origin)>> {
        let root = self.root()?;
        let Some((_, table)) = root.get_ref().iter().find(|(key, _)| key.get_ref() == name) else {
            return Ok(Vec::new());
        };
        let pairs = self.table(table, &format!("[{name}]"))?.iter();
        pairs
            .map(|(key, value)| Ok((key.get_ref().as_ref().to_owned(), self.value(value)?, self.origin(key.span()))))
            .collect()
    }

    fn root(&self) -> Result<Spanned<DeTable<'a>>> {
        DeTable::parse(self.text).map_err(|e| {
            let said = visible_short(e.message().as_bytes(), 200);
            self.error(e.span().unwrap_or_default(), format!("this is no TOML: {said}"), None)
        })
    }

    fn storage(&self, above: &str, span: Range<usize>, value: &Spanned<DeValue<'_>>) -> Result<Storage> {
        let table = format!("[{above}.storage]");
        let mut layer = Layer::default();
        for (key, value) in self.table(value, &table)? {
            match key.get_ref().as_ref() {
                "provider" => {
                    let name = value.get_ref().as_str().ok_or_else(|| {
                        self.wrong_type(value, &format!("{table} provider"), "a name in quotation marks")
                    })?;
                    layer.provider = Some((name.to_owned(), self.origin(key.span())));
                }
                "config" => {
                    for (key, value) in self.table(value, &format!("{table} config"))? {
                        let setting = key.get_ref().as_ref().to_owned();
                        layer.settings.push((setting, self.value(value)?, self.origin(key.span())));
                    }
                }
                other => return Err(self.unknown(key.span(), &table, other, &["provider", "config"])),
            }
        }
        Ok(Storage { table, line: self.line(&span), layer })
    }

    /// Two tables are lawful when nobody could tell which of them counts.
    fn agreed(&self, first: &Storage, second: &Storage) -> Result<Layer> {
        let differ = |what: String| {
            let words = format!(
                "{}:{}: {} and {} (line {}) disagree about {what}",
                self.name, second.line, second.table, first.table, first.line
            );
            Err(Error::new(Code::Usage, words).with_hint("remove one of the two tables; they mean the same"))
        };
        let provider = |s: &Storage| s.layer.provider.as_ref().map(|(name, _)| name.clone());
        if provider(first) != provider(second) {
            return differ("the provider".into());
        }
        let mine = |s: &Storage, key: &str| s.layer.settings.iter().find(|(k, ..)| k == key).map(|(_, v, _)| v.clone());
        let keys = first.layer.settings.iter().chain(&second.layer.settings).map(|(key, ..)| key);
        match keys.into_iter().find(|key| mine(first, key) != mine(second, key)) {
            Some(key) => differ(format!("\"{}\"", visible_short(key.as_bytes(), 60))),
            None => Ok(first.layer.clone()),
        }
    }

    fn table<'b, 'i>(&self, value: &'b Spanned<DeValue<'i>>, what: &str) -> Result<&'b DeTable<'i>> {
        value.get_ref().as_table().ok_or_else(|| self.wrong_type(value, what, "a table"))
    }

    fn value(&self, value: &Spanned<DeValue<'_>>) -> Result<Value> {
        let no_number = |takes| self.error(value.span(), format!("this number is not {takes}"), None);
        Ok(match value.get_ref() {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Integer(n) => {
                let n = i64::from_str_radix(n.as_str(), n.radix()).map_err(|_| no_number("one of 64 bits"))?;
                Value::from(n)
            }
            DeValue::Float(n) => n.as_str().parse::<f64>().map(Value::from).map_err(|_| no_number("a number"))?,
            DeValue::Boolean(flag) => Value::from(*flag),
            DeValue::Datetime(moment) => Value::from(moment.to_string()),
            DeValue::Array(list) => Value::Array(list.iter().map(|v| self.value(v)).collect::<Result<_>>()?),
            DeValue::Table(table) => {
                let pair =
                    |(k, v): (&Spanned<_>, _)| Ok((AsRef::<str>::as_ref(k.get_ref()).to_owned(), self.value(v)?));
                Value::Object(table.iter().map(pair).collect::<Result<_>>()?)
            }
        })
    }

    fn origin(&self, span: Range<usize>) -> Origin {
        Origin::File { name: self.name.clone(), line: self.line(&span) }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(span.start);
        before.filter(|b| **b == b'\n').count().saturating_add(1)
    }

    fn error(&self, span: Range<usize>, words: String, hint: Option<String>) -> Error {
        let error = Error::new(Code::Usage, format!("{}:{}: {words}", self.name, self.line(&span)));
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    fn unknown(&self, span: Range<usize>, table: &str, key: &str, known: &[&str]) -> Error {
        let shown = visible_short(key.as_bytes(), 60);
        self.error(span, format!("{table} has no key \"{shown}\""), Some(instead(key, known.iter().copied())))
    }

    fn wrong_type(&self, value: &Spanned<DeValue<'_>>, what: &str, takes: &str) -> Error {
        let got = value.get_ref().type_str();
        self.error(value.span(), format!("{what} takes {takes}, not a value of the type {got}"), None)
    }
}

//! `config`: the values in force, and where each comes from. Opens no ledger and records nothing.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::args::{Common, ConfigVerb};
use crate::cli::asked::alike;
use crate::cli::configuration::{Configuration, FOLDERS, Folder, said};
use crate::cli::out::Out;
use crate::cli::surroundings::{self, variable};
use crate::cli::table::{Column, Table};
use crate::codec::escape::{visible, visible_short};
use crate::error::{Code, Error, Result};
use crate::ledger::{Checker, Places};
use crate::provider::config::{CaptureSettings, EffectiveSetting, Origin, ScheduleSettings};
use crate::provider::{Setting, StorageRegistry, Surroundings};

/// A value in force.
struct Value {
    key: String,
    value: String,
    source: String,
}

pub(in crate::cli) fn config(out: &mut Out, common: &Common, verb: &ConfigVerb) -> Result<u8> {
    let values = values(out, common)?;
    let wanted: Vec<&Value> = match verb {
        ConfigVerb::Print => values.iter().collect(),
        ConfigVerb::Path => values.iter().filter(|v| FOLDERS.iter().any(|folder| folder.name == v.key)).collect(),
        ConfigVerb::Get { wanted } => vec![find(&values, wanted)?],
    };
    if out.json {
        let document = |v: &&Value| json!({ "type": "value", "key": v.key, "value": v.value, "source": v.source });
        wanted.iter().map(document).for_each(|d| out.document(d));
        return Ok(0);
    }
    match verb {
        ConfigVerb::Get { .. } => wanted.iter().for_each(|v| out.line(&v.value)),
        ConfigVerb::Path => wanted.iter().for_each(|v| out.line(&format!("{:<7} {}", v.key, v.value))),
        ConfigVerb::Print => {
            const TABLE: Table<'_> = Table { kinds: &[Column::Text, Column::Text, Column::Text], spare: &[2] };
            let mut rows = vec![["KEY", "VALUE", "FROM"].map(str::to_owned).to_vec()];
            rows.extend(wanted.iter().map(|v| vec![v.key.clone(), v.value.clone(), v.source.clone()]));
            out.table(&TABLE, &rows);
        }
    }
    Ok(0)
}

fn find<'a>(values: &'a [Value], key: &str) -> Result<&'a Value> {
    values.iter().find(|v| v.key == key).ok_or_else(|| {
        let keys: Vec<&str> = values.iter().map(|v| v.key.as_str()).collect();
        let meant = alike(key, keys.iter().copied()).map_or_else(String::new, |k| format!("did you mean {k}? "));
        Error::new(Code::Usage, format!("no value is called \"{}\"", visible_short(key.as_bytes(), 40)))
            .with_hint(format!("{meant}there are {}", keys.join(", ")))
    })
}

fn values(out: &Out, common: &Common) -> Result<Vec<Value>> {
    let around = surroundings::around()?;
    let config = Configuration::find(common, &around)?;
    let mut values = folders(&config, &around)?;
    let effective = &config.effective;
    values.push(Value {
        key: "provider".into(),
        value: effective.provider().to_owned(),
        source: said(effective.provider_from()),
    });
    let factory = StorageRegistry::global().find(effective.provider())?;
    let is_folder = |key: &str| FOLDERS.iter().any(|folder| folder.key == key);
    values.extend(factory.settings().iter().filter(|s| !is_folder(s.key)).map(|s| Value {
        key: s.key.into(),
        value: effective.setting(s.key).map_or_else(|| s.default.to_owned(), shown),
        source: config.from(s.key),
    }));
    let part = |table: &str, known: &Setting, given: Option<&EffectiveSetting>| Value {
        key: format!("{table}.{}", known.key),
        value: given.map_or_else(|| known.default.to_owned(), shown),
        source: given.map_or_else(|| said(&Origin::Default), |given| said(&given.from)),
    };
    let capture = CaptureSettings::known().iter();
    values.extend(capture.map(|known| part("capture", known, config.capture.setting(known.key))));
    let schedule = ScheduleSettings::known().iter();
    values.extend(schedule.map(|known| part("schedule", known, config.schedule.setting(known.key))));
    let look = &out.look;
    let told = |names: &[&str]| {
        names.iter().find(|n| variable(n).is_some()).map_or_else(|| "default".to_owned(), |n| format!("${n}"))
    };
    values.push(Value {
        key: "colour".into(),
        value: if look.colour { "yes" } else { "no" }.to_owned(),
        source: told(&["NO_COLOR", "CLICOLOR_FORCE", "TERM"]),
    });
    values.push(Value {
        key: "columns".into(),
        value: look.columns.map_or_else(|| "no limit".to_owned(), |n| n.to_string()),
        source: told(&["COLUMNS"]),
    });
    let words = effective.left_out().iter().map(|words| ("left_out", words));
    let words = words.chain(effective.warnings().iter().map(|words| ("warning", words)));
    values.extend(words.map(|(key, words)| Value { key: key.into(), value: words.clone(), source: "-".into() }));
    Ok(values)
}

/// The three folders. A provider that keeps nothing has none.
fn folders(config: &Configuration, around: &Surroundings) -> Result<Vec<Value>> {
    let value = |(folder, source): (&Folder, String), value: String| Value { key: folder.name.into(), value, source };
    if config.refuse_fleeting().is_err() {
        return Ok(config.folders().map(|said| value(said, "-".into())).collect());
    }
    let places = config.places(around)?;
    let shown = |path: &Path| visible(path.as_os_str().as_encoded_bytes());
    // Whose state and keys these are, only the ledger itself can say.
    let id = Checker::open(&places, &surroundings::environment(around)).ok().map(|checker| checker.id());
    let folder = |given: Option<PathBuf>, base: &Option<PathBuf>| match (given, base) {
        (Some(path), _) => shown(&path),
        (None, Some(base)) => format!("{}/<id of the ledger>", shown(base)),
        (None, None) => "-".to_owned(),
    };
    let of_id = |find: fn(&Places, &crate::codec::digest::LedgerId) -> Result<PathBuf>| {
        id.as_ref().and_then(|id| find(&places, id).ok())
    };
    let state = folder(of_id(Places::state_of).or_else(|| places.state.clone()), &places.state_base);
    let keys = folder(of_id(Places::config_of).or_else(|| places.config.clone()), &places.config_base);
    Ok(config.folders().zip([shown(&places.ledger), state, keys]).map(|(said, path)| value(said, path)).collect())
}

/// A setting as it is printed.
fn shown(setting: &EffectiveSetting) -> String {
    match &setting.value {
        _ if setting.is_secret => "(not shown)".to_owned(),
        serde_json::Value::String(text) => visible(text.as_bytes()),
        other => other.to_string(),
    }
}

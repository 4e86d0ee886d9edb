//! `config`: the values in force, and where each comes from. Opens no ledger and records nothing.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::args::{Common, ConfigVerb};
use crate::cli::asked::alike;
use crate::cli::out::Out;
use crate::cli::surroundings::{self, variable};
use crate::cli::table::{Column, Table};
use crate::codec::escape::{visible, visible_short};
use crate::error::{Code, Error, Result};
use crate::ledger::{Checker, Places};

/// A value in force.
struct Value {
    key: &'static str,
    value: String,
    source: String,
}

pub(in crate::cli) fn config(out: &mut Out, common: &Common, verb: &ConfigVerb) -> Result<u8> {
    let values = values(out, common)?;
    let wanted: Vec<&Value> = match verb {
        ConfigVerb::Print => values.iter().collect(),
        ConfigVerb::Path => values.iter().filter(|v| FOLDERS.contains(&v.key)).collect(),
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
            rows.extend(wanted.iter().map(|v| vec![v.key.to_owned(), v.value.clone(), v.source.clone()]));
            out.table(&TABLE, &rows);
        }
    }
    Ok(0)
}

const FOLDERS: [&str; 3] = ["ledger", "state", "keys"];

fn find<'a>(values: &'a [Value], key: &str) -> Result<&'a Value> {
    values.iter().find(|v| v.key == key).ok_or_else(|| {
        let keys: Vec<&str> = values.iter().map(|v| v.key).collect();
        let meant = alike(key, keys.iter().copied()).map_or_else(String::new, |k| format!("did you mean {k}? "));
        Error::new(Code::Usage, format!("no value is called \"{}\"", visible_short(key.as_bytes(), 40)))
            .with_hint(format!("{meant}there are {}", keys.join(", ")))
    })
}

fn values(out: &Out, common: &Common) -> Result<Vec<Value>> {
    let places = surroundings::places(common)?;
    let env = surroundings::environment()?;
    let shown = |path: &Path| visible(path.as_os_str().as_encoded_bytes());
    let ledger = Value {
        key: "ledger",
        value: shown(&places.ledger),
        source: source(common.dir.as_ref(), "-C", "IMMUTAPE_DIR", "XDG_DATA_HOME"),
    };
    // Whose state and keys these are, only the ledger itself can say.
    let id = Checker::open(&places, &env).ok().map(|checker| checker.id());
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
    let look = &out.look;
    let told = |names: &[&str]| {
        names.iter().find(|n| variable(n).is_some()).map_or_else(|| "default".to_owned(), |n| format!("${n}"))
    };
    Ok(vec![
        ledger,
        Value {
            key: "state",
            value: state,
            source: source(common.state_dir.as_ref(), "--state-dir", "IMMUTAPE_STATE_DIR", "XDG_STATE_HOME"),
        },
        Value {
            key: "keys",
            value: keys,
            source: source(common.config_dir.as_ref(), "--config-dir", "IMMUTAPE_CONFIG_DIR", "XDG_CONFIG_HOME"),
        },
        Value {
            key: "colour",
            value: if look.colour { "yes" } else { "no" }.to_owned(),
            source: told(&["NO_COLOR", "CLICOLOR_FORCE", "TERM"]),
        },
        Value {
            key: "columns",
            value: look.columns.map_or_else(|| "no limit".to_owned(), |n| n.to_string()),
            source: told(&["COLUMNS"]),
        },
    ])
}

/// Where a folder's path comes from.
fn source(flag: Option<&PathBuf>, flag_name: &str, variable_name: &str, base: &str) -> String {
    let rooted = |name: &str| variable(name).is_some_and(|v| Path::new(&v).is_absolute());
    match flag {
        Some(_) => flag_name.to_owned(),
        None if variable(variable_name).is_some() => format!("${variable_name}"),
        None if rooted(base) => format!("${base}"),
        None => "default".to_owned(),
    }
}

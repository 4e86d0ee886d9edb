//! Names, versions and settings.

use serde_json::{Value, json};

use super::clause::{Checked, Clause, Subject, holds, ok, refused};
use crate::error::Code;
use crate::provider::names::{check_name, check_version};
use crate::provider::{SettingKind, StorageRegistry};

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("its name, aliases and version are lawful", |s| Box::pin(lawful(s))),
    Clause::new("it can be registered, and only once", |s| Box::pin(registered(s))),
    Clause::new("a setting that it does not know is refused", |s| Box::pin(unknown(s))),
    Clause::new("a value that a setting does not take is refused", |s| Box::pin(wrong_type(s))),
    Clause::new("initialize may be called again", |s| Box::pin(initialized(s))),
];

async fn lawful(s: Subject) -> Checked<()> {
    let factory = &s.factory;
    ok("name", check_name(factory.name()))?;
    for alias in factory.aliases() {
        ok("alias", check_name(alias))?;
    }
    ok("version", check_version(factory.name(), factory.version()))?;
    holds("it says in words what it keeps tapes in", !factory.about().is_empty())?;
    let is_key =
        |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    for (n, setting) in factory.settings().iter().enumerate() {
        holds(&format!("\"{}\" is no lawful name of a setting", setting.key), is_key(setting.key))?;
        let twice = factory.settings().iter().skip(n.saturating_add(1)).any(|other| other.key == setting.key);
        holds(&format!("the setting \"{}\" is there twice", setting.key), !twice)?;
    }
    Ok(())
}

async fn registered(s: Subject) -> Checked<()> {
    let registry = StorageRegistry::empty();
    ok("register", registry.register(s.factory.clone()))?;
    refused("register again", registry.register(s.factory.clone()), Code::Conflict)
}

async fn unknown(s: Subject) -> Checked<()> {
    let mut settings = s.fresh();
    ok("validate", s.factory.validate(&settings))?;
    if let Value::Object(object) = &mut settings {
        object.insert("no_such_setting".into(), json!(1));
    }
    refused("validate", s.factory.validate(&settings), Code::Usage)?;
    refused("create", s.factory.create(&settings, &s.around), Code::Usage)
}

async fn wrong_type(s: Subject) -> Checked<()> {
    for setting in s.factory.settings() {
        let wrong = match setting.kind {
            SettingKind::Text | SettingKind::Path | SettingKind::Choice(_) => json!([1]),
            _ => json!("neither a number nor yes or no"),
        };
        let mut settings = s.fresh();
        if let Value::Object(object) = &mut settings {
            object.insert(setting.key.into(), wrong);
        }
        refused(&format!("validate with a wrong {}", setting.key), s.factory.validate(&settings), Code::Usage)?;
    }
    refused("validate of what is no table", s.factory.validate(&json!("settings")), Code::Usage)
}

async fn initialized(s: Subject) -> Checked<()> {
    let backend = s.empty().await?;
    ok("initialize again", backend.initialize().await)?;
    ok("close", backend.close().await)
}

//! The settings that a provider knows, and checking what somebody gives for them.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::names::instead;
use crate::codec::escape::visible_short;
use crate::error::{Code, Error, Result};

/// Longest time from one run of something to the next: thirty days.
const INTERVAL_S_MAX: u64 = 2_592_000;

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingKind {
    /// Text.
    Text,
    /// Path of a file or folder.
    Path,
    /// Yes or no.
    Flag,
    /// A whole number from the first to the last, both included.
    Count(u64, u64),
    /// How often: a number of seconds, minutes, hours or days, from one second to thirty days.
    Interval,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl fmt::Display for SettingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Path => f.write_str("path"),
            Self::Flag => f.write_str("true or false"),
            Self::Count(min, u64::MAX) => write!(f, "a whole number from {min} on"),
            Self::Count(min, max) => write!(f, "a whole number from {min} to {max}"),
            Self::Interval => f.write_str("a time from 1s to 30d, such as \"5m\""),
            Self::Choice(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

/// One setting of a provider.
///
/// ```
/// use immutape::provider::{Setting, SettingKind};
/// const ROOM: Setting = Setting::new("room_bytes", SettingKind::Count(1, u64::MAX), "most bytes to keep").default("no bound");
/// assert_eq!(ROOM.key, "room_bytes");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Its name: lowercase letters, digits and underscores.
    pub key: &'static str,
    /// What it takes.
    pub kind: SettingKind,
    /// What it means, in a few words.
    pub about: &'static str,
    /// What holds when it is not given, in words.
    pub default: &'static str,
    /// A variable of the environment that gives it, too, beside `IMMUTAPE_PROVIDER_<KEY>`.
    pub variable: Option<&'static str>,
    /// It is never shown.
    pub is_secret: bool,
}

impl Setting {
    /// A setting that need not be given.
    #[must_use]
    pub const fn new(key: &'static str, kind: SettingKind, about: &'static str) -> Self {
        Self { key, kind, about, default: "none", variable: None, is_secret: false }
    }

    /// With words for what holds when it is not given.
    #[must_use]
    pub const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    /// With a variable of the environment of its own.
    #[must_use]
    pub const fn variable(self, name: &'static str) -> Self {
        Self { variable: Some(name), ..self }
    }

    /// Never to be shown.
    #[must_use]
    pub const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// Reads what stands in a flag or a variable of the environment.
    pub(super) fn read_text(&self, text: &str) -> Result<Value, String> {
        let value = match self.kind {
            SettingKind::Text | SettingKind::Path | SettingKind::Interval | SettingKind::Choice(_) => Value::from(text),
            SettingKind::Flag => match text {
                "true" | "yes" | "1" => Value::from(true),
                "false" | "no" | "0" => Value::from(false),
                _ => Value::from(text),
            },
            SettingKind::Count(..) => text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from),
        };
        self.check(&value).map(|()| value)
    }

    /// What is wrong with a value, in words.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        let is_text = value.as_str().is_some_and(|text| !text.is_empty() && !text.contains('\0'));
        let fits = match self.kind {
            SettingKind::Text | SettingKind::Path => is_text,
            SettingKind::Interval => value.as_str().and_then(interval).is_some(),
            SettingKind::Flag => value.is_boolean(),
            SettingKind::Count(min, max) => value.as_u64().is_some_and(|n| (min..=max).contains(&n)),
            SettingKind::Choice(words) => value.as_str().is_some_and(|text| words.contains(&text)),
        };
        if fits { Ok(()) } else { Err(format!("\"{}\" takes {}, not {}", self.key, self.takes(), self.shown(value))) }
    }

    fn takes(&self) -> String {
        match self.kind {
            SettingKind::Text => "text in quotation marks".into(),
            SettingKind::Path => "a path in quotation marks".into(),
            other => other.to_string(),
        }
    }

    fn shown(&self, value: &Value) -> String {
        match value {
            _ if self.is_secret => "what was given".into(),
            Value::String(text) if text.is_empty() => "an empty text".into(),
            other => visible_short(other.to_string().as_bytes(), 60),
        }
    }
}

/// A time such as `30s`, `5m`, `1h`, `7d`, from one second to thirty days; `None` for any other text.
pub(crate) fn interval(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_s: u64 = match text.get(digits.len()..)? {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let is_plain = digits.bytes().all(|b| b.is_ascii_digit());
    let seconds = digits.parse::<u64>().ok().filter(|_| is_plain)?.checked_mul(unit_s)?;
    (1..=INTERVAL_S_MAX).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// Finds a setting by its key; else what is wrong, in words.
pub(super) fn find<'a>(provider: &str, settings: &'a [Setting], key: &str) -> Result<&'a Setting, String> {
    settings.iter().find(|s| s.key == key).ok_or_else(|| {
        let shown = visible_short(key.as_bytes(), 60);
        let known = instead(key, settings.iter().map(|s| s.key));
        format!("the provider \"{provider}\" has no setting \"{shown}\"; {known}")
    })
}

/// Checks settings that stand together in one object.
///
/// # Errors
/// `E_USAGE`, naming the setting.
pub(super) fn check_all(provider: &str, settings: &[Setting], config: &Value) -> Result<()> {
    let usage = |words: String| Error::new(Code::Usage, words).with_hint("docs/providers.md lists the settings");
    let object = match config {
        Value::Null => return Ok(()),
        Value::Object(object) => object,
        _ => return Err(usage(format!("the settings of the provider \"{provider}\" are no table of keys and values"))),
    };
    object.iter().try_for_each(|(key, value)| find(provider, settings, key)?.check(value)).map_err(usage)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SETTINGS: &[Setting] = &[
        Setting::new("path", SettingKind::Path, "where"),
        Setting::new("create", SettingKind::Flag, "make one"),
        Setting::new("room", SettingKind::Count(1, 100), "how much"),
        Setting::new("token", SettingKind::Text, "who").secret(),
    ];

    fn wrong(config: &Value) -> String {
        check_all("x", SETTINGS, config).unwrap_err().message().to_owned()
    }

    #[test]
    fn each_setting_takes_its_own_kind() {
        check_all("x", SETTINGS, &json!({"path": "/a", "create": false, "room": 100, "token": "t"})).unwrap();
        check_all("x", SETTINGS, &Value::Null).unwrap();
        assert_eq!(wrong(&json!({"path": 3})), "\"path\" takes a path in quotation marks, not 3");
        assert_eq!(wrong(&json!({"path": ""})), "\"path\" takes a path in quotation marks, not an empty text");
        assert!(wrong(&json!({"path": "a\0b"})).contains("takes a path"));
        assert_eq!(wrong(&json!({"create": "yes"})), "\"create\" takes true or false, not \"yes\"");
        assert_eq!(wrong(&json!({"room": 0})), "\"room\" takes a whole number from 1 to 100, not 0");
        assert!(wrong(&json!({"room": -1})).contains("not -1") && wrong(&json!({"room": 1.5})).contains("not 1.5"));
        assert!(wrong(&json!({"pth": 1})).contains("has no setting \"pth\"; did you mean \"path\"?"));
        assert!(wrong(&json!([])).contains("no table"));
        let secret = wrong(&json!({"token": 12345}));
        assert!(secret.contains("\"token\" takes text") && !secret.contains("12345"), "{secret}");
    }

    #[test]
    fn text_of_flags_and_variables_becomes_what_the_setting_takes() {
        let read = |key: &str, text: &str| find("x", SETTINGS, key).unwrap().read_text(text);
        assert_eq!(read("create", "no"), Ok(json!(false)));
        assert_eq!(read("room", "7"), Ok(json!(7)));
        assert_eq!(read("path", "7"), Ok(json!("7")));
        assert!(read("room", "many").unwrap_err().contains("not \"many\""));
        assert!(read("create", "maybe").unwrap_err().contains("takes true or false"));
    }
}

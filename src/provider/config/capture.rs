//! `[capture]`: how sessions are recorded that happen now. It stands in the same files as the storage, and counts in the same
//! order; what it means is for who records to say.

use super::effective::EffectiveSetting;
use super::part::Part;
use super::sources::Sources;
use crate::error::Result;
use crate::provider::settings::{Setting, SettingKind};

/// Longest time between two marks in the log, in seconds: a day.
const MARK_SECONDS_MAX: u64 = 86_400;
/// Longest part of a session, in hours: a year.
const PART_HOURS_MAX: u64 = 8_760;
/// Largest part of a session, in MiB: a tebibyte.
const PART_MIB_MAX: u64 = 1 << 20;

/// The keys of `[capture]`.
const SETTINGS: [Setting; 7] = [
    Setting::new("durability", SettingKind::Choice(&["each", "interval", "os"]), "when frames are durable")
        .default("interval"),
    Setting::new("sync_ms", SettingKind::Count(1, 60_000), "milliseconds between two syncs").default("50"),
    Setting::new(
        "on_storage_failure",
        SettingKind::Choice(&["stop", "continue_with_gap"]),
        "what happens when frames cannot be stored",
    )
    .default("stop"),
    Setting::new("mark_seconds", SettingKind::Count(1, MARK_SECONDS_MAX), "a mark goes to the log after so long")
        .default("60"),
    Setting::new("mark_frames", SettingKind::Count(1, u64::MAX), "or after so many frames").default("1000"),
    Setting::new(
        "part_hours",
        SettingKind::Count(1, PART_HOURS_MAX),
        "a session goes on in another tape after so long",
    )
    .default("24"),
    Setting::new("part_mib", SettingKind::Count(1, PART_MIB_MAX), "or after so many MiB").default("1024"),
];

/// What variables and files say of recordings. Everything in it was checked.
///
/// ```
/// use immutape::provider::config::Sources;
/// let text = "[capture]\ndurability = \"each\"\n";
/// let capture = Sources::default().project(("immutape.toml".to_owned(), text.to_owned())).capture()?;
/// assert_eq!(capture.text("durability"), Some("each"));
/// assert_eq!(capture.setting("durability").map(|s| s.from.to_string()), Some("immutape.toml:2".to_owned()));
/// assert_eq!(capture.count("sync_ms"), None);
///
/// let wrong = Sources::default().project(("immutape.toml".to_owned(), "capture.sync_ms = 0".to_owned())).capture();
/// assert_eq!(wrong.unwrap_err().message(), "immutape.toml:1: \"sync_ms\" takes a whole number from 1 to 60000, not 0");
/// # Ok::<(), immutape::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CaptureSettings {
    given: Vec<EffectiveSetting>,
}

impl CaptureSettings {
    /// All keys that there are.
    #[must_use]
    pub const fn known() -> &'static [Setting] {
        &SETTINGS
    }

    /// The value of this key, where it was given.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&EffectiveSetting> {
        self.given.iter().find(|given| given.key == key)
    }

    /// A word that was given.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.setting(key)?.value.as_str()
    }

    /// A number that was given.
    #[must_use]
    pub fn count(&self, key: &str) -> Option<u64> {
        self.setting(key)?.value.as_u64()
    }
}

const PART: Part = Part { table: "capture", variable: "IMMUTAPE_CAPTURE_", settings: &SETTINGS };

impl Sources {
    /// What they say of recordings: variables (`IMMUTAPE_CAPTURE_<KEY>`), the project's file, the user's file.
    ///
    /// # Errors
    /// `E_USAGE`, naming the place, for whatever cannot be meant.
    pub fn capture(&self) -> Result<CaptureSettings> {
        Ok(CaptureSettings { given: PART.given(self)? })
    }
}

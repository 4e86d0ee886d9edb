//! `[schedule]`: what is done for a ledger again and again, and how often. It stands in the same files as the storage, and counts
//! in the same order. Nothing runs that is not named there.

use std::path::Path;
use std::time::Duration;

use super::effective::EffectiveSetting;
use super::part::Part;
use super::sources::Sources;
use crate::codec::digest::LedgerId;
use crate::error::{Code, Error, Result};
use crate::ledger::{Job, JobPlan, SCRUB_PARTS_MAX};
use crate::provider::settings::{Setting, SettingKind, interval};

/// With one part a day a disk is read once in a month.
const SCRUB_PARTS: u64 = 30;

/// The keys of `[schedule]`.
const SETTINGS: [Setting; 8] = [
    Setting::new("witness_every", SettingKind::Interval, "the witnesses are asked so often").default("never"),
    Setting::new("time_every", SettingKind::Interval, "the head is time-stamped so often").default("never"),
    Setting::new("publish_every", SettingKind::Interval, "the published tree is brought up to date so often")
        .default("never"),
    Setting::new("publish_to", SettingKind::Path, "folder of the published tree"),
    Setting::new("publish_entries", SettingKind::Flag, "public halves of all entries too").default("false"),
    Setting::new("scrub_every", SettingKind::Interval, "a part of what is stored is read again so often").default("never"),
    Setting::new("scrub_parts", SettingKind::Count(1, SCRUB_PARTS_MAX), "everything is read in so many parts")
        .default("30"),
    Setting::new(
        "allow_private",
        SettingKind::Flag,
        "also witnesses and authorities on this machine and in private networks, without TLS where their address says so",
    )
    .default("false"),
];

const PART: Part = Part { table: "schedule", variable: "IMMUTAPE_SCHEDULE_", settings: &SETTINGS };

/// What variables and files say of jobs. Everything in it was checked.
///
/// ```
/// use std::time::Duration;
/// use immutape::ledger::Job;
/// use immutape::provider::config::Sources;
/// let text = "[schedule]\nwitness_every = \"5m\"\nscrub_every = \"1d\"\n";
/// let schedule = Sources::default().project(("immutape.toml".to_owned(), text.to_owned())).schedule()?;
/// assert_eq!(schedule.every(Job::Witness), Some(Duration::from_secs(300)));
/// assert_eq!((schedule.every(Job::Time), schedule.scrub_parts()), (None, 30));
///
/// let wrong = "[schedule]\ntime_every = \"often\"\n";
/// let wrong = Sources::default().project(("immutape.toml".to_owned(), wrong.to_owned())).schedule().unwrap_err();
/// assert_eq!(wrong.message(), "immutape.toml:2: \"time_every\" takes a time from 1s to 30d, such as \"5m\", not \"often\"");
/// # Ok::<(), immutape::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScheduleSettings {
    given: Vec<EffectiveSetting>,
}

impl ScheduleSettings {
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

    /// How often a job is done; `None` for one that nobody asked for.
    #[must_use]
    pub fn every(&self, job: Job) -> Option<Duration> {
        let key = match job {
            Job::Witness => "witness_every",
            Job::Time => "time_every",
            Job::Publish => "publish_every",
            Job::Scrub => "scrub_every",
        };
        self.setting(key)?.value.as_str().and_then(interval)
    }

    /// Folder of the published tree; it is there whenever publication was asked for.
    #[must_use]
    pub fn publish_to(&self) -> Option<&Path> {
        self.setting("publish_to")?.value.as_str().map(Path::new)
    }

    /// Public halves of all entries too?
    #[must_use]
    pub fn publish_entries(&self) -> bool {
        self.flag("publish_entries")
    }

    /// In how many parts everything is read again.
    #[must_use]
    pub fn scrub_parts(&self) -> u64 {
        self.setting("scrub_parts").and_then(|given| given.value.as_u64()).unwrap_or(SCRUB_PARTS)
    }

    /// Also witnesses and authorities of this machine and of private networks?
    #[must_use]
    pub fn allow_private(&self) -> bool {
        self.flag("allow_private")
    }

    /// The plan that this comes to, for one ledger.
    #[must_use]
    pub fn plan(&self, ledger: LedgerId) -> JobPlan {
        Job::ALL.into_iter().fold(JobPlan::new(ledger), |plan, job| plan.every(job, self.every(job)))
    }

    fn flag(&self, key: &str) -> bool {
        self.setting(key).and_then(|given| given.value.as_bool()).unwrap_or(false)
    }

    /// What no single key shows.
    fn check(self) -> Result<Self> {
        if let Some(to) = self.setting("publish_to")
            && !self.publish_to().is_some_and(Path::is_absolute)
        {
            let words =
                format!("{}: \"publish_to\" must begin with /: the process that publishes may stand anywhere", to.from);
            return Err(Error::new(Code::Usage, words).with_hint("write the whole path: /srv/www/log"));
        }
        if let (Some(every), None) = (self.setting("publish_every"), self.publish_to()) {
            let words =
                format!("{}: \"publish_every\" needs \"publish_to\", the folder of the published tree", every.from);
            return Err(Error::new(Code::Usage, words).with_hint("publish_to = \"/srv/www/log\""));
        }
        Ok(self)
    }
}

impl Sources {
    /// What they say of jobs: variables (`IMMUTAPE_SCHEDULE_<KEY>`), the project's file, the user's file.
    ///
    /// # Errors
    /// `E_USAGE`, naming the place, for whatever cannot be meant.
    pub fn schedule(&self) -> Result<ScheduleSettings> {
        ScheduleSettings { given: PART.given(self)? }.check()
    }
}

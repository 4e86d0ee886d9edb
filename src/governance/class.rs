//! A retention class: which claims it lays on a tape, and what may be done to them afterwards.

use super::claims::{FIXED, PERMANENT, UNTIL_EVENT};
use crate::codec::digest::Digest;
use crate::error::Code;
use crate::log::{ClaimRecord, Period};

/// The longest period that a claim may have (S3 Object Lock and MinIO draw the line there, too).
pub const YEARS_MAX: u64 = 100;
/// From so many years on a second person has to agree: a mistake of that length is not mended in a working life.
pub const YEARS_OF_ONE_PERSON: u64 = 15;

/// What can be done to a period that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// It may end earlier where the class allows it, on the word of one more person than usual, and with a basis in law.
    Governance,
    /// Nobody ends it earlier.
    Compliance,
}

impl Mode {
    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Governance => "governance",
            Self::Compliance => "compliance",
        }
    }

    /// From governance to compliance, and never back.
    ///
    /// # Errors
    /// [`Code::RetentionShorten`].
    pub fn raised(self, to: Self) -> Result<Self, Code> {
        if to < self { Err(Code::RetentionShorten) } else { Ok(to) }
    }
}

/// From when a claim of a class counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimRule {
    /// From the moment the tape was saved.
    Fixed(Period),
    /// From an event that somebody asserts.
    UntilEvent(String, Period),
    /// For ever.
    Permanent,
}

impl ClaimRule {
    /// The claim that it lays on a tape; `schedule` is the digest of the class as it was then.
    #[must_use]
    pub fn claim(&self, schedule: Option<Digest>) -> ClaimRecord {
        let (kind, period, event) = match self {
            Self::Fixed(period) => (FIXED, Some(*period), None),
            Self::UntilEvent(event, period) => (UNTIL_EVENT, Some(*period), Some(event.clone())),
            Self::Permanent => (PERMANENT, None, None),
        };
        ClaimRecord { kind, period, event, end_ms: None, schedule }
    }

    /// Its period; `None` where it has no end.
    #[must_use]
    pub const fn period(&self) -> Option<Period> {
        match self {
            Self::Fixed(period) | Self::UntilEvent(_, period) => Some(*period),
            Self::Permanent => None,
        }
    }
}

/// A class of the schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Class {
    /// Its name.
    pub name: String,
    /// What it lays on every tape.
    pub claims: Vec<ClaimRule>,
    /// What may be done before the end.
    pub mode: Mode,
    /// Kept under 17 CFR 240.17a-4(f)(2)(i)(A): the original must be re-creatable until the end, so no early end in any mode.
    pub audit_trail_17a4: bool,
    /// May an end come early in governance mode?
    pub allows_early_end: bool,
    /// From when on it should not be kept any more: a reminder, never an act.
    pub dispose_by: Option<Period>,
    /// Must every read say what for?
    pub needs_purpose: bool,
    /// Must an agent say on whose behalf it acts?
    pub needs_principal: bool,
    /// Must the intent to destroy be witnessed before?
    pub needs_witness: bool,
    /// The rule, as one cites it.
    pub clause: String,
    /// What the firm has to know.
    pub note: String,
}

impl Class {
    /// One claim of a fixed period, compliance mode, nothing else.
    #[must_use]
    pub fn new(name: impl Into<String>, claim: ClaimRule) -> Self {
        Self {
            name: name.into(),
            claims: vec![claim],
            mode: Mode::Compliance,
            audit_trail_17a4: false,
            allows_early_end: false,
            dispose_by: None,
            needs_purpose: false,
            needs_principal: false,
            needs_witness: false,
            clause: String::new(),
            note: String::new(),
        }
    }

    /// Does everything in it fit together?
    ///
    /// # Errors
    /// [`ClassFault`].
    pub fn check(&self) -> Result<(), ClassFault> {
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX || !self.name.bytes().all(is_name_byte) {
            return Err(ClassFault::Name);
        }
        if self.claims.is_empty() || self.claims.len() > CLAIMS_MAX {
            return Err(ClassFault::Claims);
        }
        let is_event =
            |event: &str| !event.is_empty() && event.len() <= NAME_BYTES_MAX && event.bytes().all(is_name_byte);
        for claim in &self.claims {
            if matches!(claim, ClaimRule::UntilEvent(event, _) if !is_event(event)) {
                return Err(ClassFault::Event);
            }
            if claim.period().is_some_and(|period| years_of(period) > YEARS_MAX) {
                return Err(ClassFault::AboveCap);
            }
        }
        if self.allows_early_end && (self.audit_trail_17a4 || self.mode == Mode::Compliance) {
            return Err(ClassFault::EarlyEnd);
        }
        if [&self.clause, &self.note].into_iter().any(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(ClassFault::Text);
        }
        Ok(())
    }

    /// Would this class in place of `before` weaken what tapes of that name were promised?
    ///
    /// A change counts for tapes that are saved after it; a weaker rule under an old name would be taken for the old rule.
    #[must_use]
    pub fn weakens(&self, before: &Self) -> bool {
        let is_kept = |claim: &ClaimRule| self.claims.iter().any(|other| is_as_long(other, claim));
        self.mode < before.mode
            || (before.audit_trail_17a4 && !self.audit_trail_17a4)
            || (self.allows_early_end && !before.allows_early_end)
            || (before.needs_purpose && !self.needs_purpose)
            || (before.needs_principal && !self.needs_principal)
            || (before.needs_witness && !self.needs_witness)
            || !before.claims.iter().all(is_kept)
    }

    /// Must a second person agree to it, for its length?
    #[must_use]
    pub fn needs_second_person(&self) -> bool {
        self.claims.iter().any(|claim| claim.period().is_none_or(|period| years_of(period) > YEARS_OF_ONE_PERSON))
    }
}

/// Longest name of a class or an event, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Most claims of a class.
const CLAIMS_MAX: usize = 16;
/// Longest clause or note, in bytes.
const TEXT_BYTES_MAX: usize = 2_000;

const fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_')
}

/// Why a class cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClassFault {
    /// Not 1 to 64 of `a-z 0-9 - . _`.
    #[error("the name of a class is 1 to 64 of a-z 0-9 - . _")]
    Name,
    /// None, or too many.
    #[error("a class lays 1 to 16 claims on a tape")]
    Claims,
    /// An event without a name.
    #[error("the name of an event is 1 to 64 of a-z 0-9 - . _")]
    Event,
    /// Longer than a claim may be.
    #[error("a period has at most {YEARS_MAX} years")]
    AboveCap,
    /// An early end where none can be.
    #[error("an early end is for governance mode, and never for a class under 17a-4(f)(2)(i)(A)")]
    EarlyEnd,
    /// A text that is too long.
    #[error("a clause or note has at most {TEXT_BYTES_MAX} bytes")]
    Text,
}

/// Whole years of a period, rounded up.
#[must_use]
pub fn years_of(period: Period) -> u64 {
    const YEAR_MS: u64 = 365 * 86_400_000;
    match period {
        Period::Ms(ms) => ms.div_ceil(YEAR_MS),
        Period::Calendar { years, months, days } => {
            years.saturating_add(months.div_ceil(12)).saturating_add(days.div_ceil(365))
        }
    }
}

/// Does `claim` keep a tape at least as long as `other`, whatever happens?
fn is_as_long(claim: &ClaimRule, other: &ClaimRule) -> bool {
    match (claim, other) {
        (ClaimRule::Permanent, _) => true,
        (ClaimRule::Fixed(one), ClaimRule::Fixed(two)) => is_longer(*one, *two),
        (ClaimRule::UntilEvent(event, one), ClaimRule::UntilEvent(same, two)) => event == same && is_longer(*one, *two),
        _ => false,
    }
}

/// Is a period as long as another from every day of the calendar? Where that hangs on the day it is not.
fn is_longer(one: Period, two: Period) -> bool {
    let parts = |years: u64, months: u64, days: u64| (years.saturating_mul(12).saturating_add(months), days);
    match (one, two) {
        (Period::Ms(one), Period::Ms(two)) => one >= two,
        (Period::Calendar { years, months, days }, Period::Calendar { years: y, months: m, days: d }) => {
            let (one, two) = (parts(years, months, days), parts(y, m, d));
            one.0 >= two.0 && one.1 >= two.1
        }
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;

    fn years(years: u64) -> Period {
        Period::Calendar { years, months: 0, days: 0 }
    }

    fn class() -> Class {
        Class::new("contracts", ClaimRule::Fixed(years(6)))
    }

    #[test]
    fn what_cannot_be_a_class() {
        assert_eq!(class().check(), Ok(()));
        for name in ["", "Contracts", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert_eq!(Class { name: name.to_owned(), ..class() }.check(), Err(ClassFault::Name), "{name}");
        }
        for claims in [vec![], vec![ClaimRule::Permanent; 17]] {
            assert_eq!(Class { claims, ..class() }.check(), Err(ClassFault::Claims));
        }
        let event =
            |event: &str| Class { claims: vec![ClaimRule::UntilEvent(event.into(), years(1))], ..class() }.check();
        assert_eq!(
            (event("left"), event("Left!"), event("")),
            (Ok(()), Err(ClassFault::Event), Err(ClassFault::Event))
        );
        let long = |period| Class { claims: vec![ClaimRule::Fixed(period)], ..class() }.check();
        assert_eq!(long(years(100)), Ok(()));
        for period in [years(101), Period::Calendar { years: 100, months: 1, days: 0 }, Period::Ms(u64::MAX)] {
            assert_eq!(long(period), Err(ClassFault::AboveCap), "{period:?}");
        }
        let early =
            |mode, audit_trail_17a4| Class { mode, audit_trail_17a4, allows_early_end: true, ..class() }.check();
        assert_eq!(early(Mode::Governance, false), Ok(()));
        for (mode, trail) in [(Mode::Governance, true), (Mode::Compliance, false), (Mode::Compliance, true)] {
            assert_eq!(early(mode, trail), Err(ClassFault::EarlyEnd));
        }
        assert_eq!(Class { note: "x".repeat(2_001), ..class() }.check(), Err(ClassFault::Text));
        assert!(ClassFault::AboveCap.to_string().contains("100 years"));
    }

    #[test]
    fn a_mode_goes_one_way() {
        use Mode::{Compliance, Governance};
        assert_eq!(Governance.raised(Compliance), Ok(Compliance));
        assert_eq!(Compliance.raised(Compliance), Ok(Compliance));
        assert_eq!(Compliance.raised(Governance), Err(Code::RetentionShorten));
        assert_eq!([Governance, Compliance].map(Mode::word), ["governance", "compliance"]);
    }

    /// A class of the same name must keep what the name stands for.
    #[test]
    fn a_weaker_rule_under_an_old_name_is_seen() {
        let before = Class { needs_purpose: true, ..class() };
        assert!(!before.weakens(&before));
        let with = |claim: ClaimRule| Class { claims: vec![claim], ..before.clone() };
        for (after, weakens) in [
            (with(ClaimRule::Fixed(years(7))), false),
            (with(ClaimRule::Permanent), false),
            (with(ClaimRule::Fixed(years(5))), true),
            (with(ClaimRule::Fixed(Period::Ms(u64::MAX))), true),
            (with(ClaimRule::Fixed(Period::Calendar { years: 5, months: 12, days: 0 })), false),
            (with(ClaimRule::Fixed(Period::Calendar { years: 5, months: 0, days: 365 })), true),
            (with(ClaimRule::UntilEvent("left".into(), years(6))), true),
            (Class { mode: Mode::Governance, ..before.clone() }, true),
            (Class { mode: Mode::Governance, allows_early_end: true, ..before.clone() }, true),
            (Class { needs_purpose: false, ..before.clone() }, true),
            (Class { needs_principal: true, needs_witness: true, ..before.clone() }, false),
        ] {
            assert_eq!(after.weakens(&before), weakens, "{after:?}");
        }
        let left = |event: &str| with(ClaimRule::UntilEvent(event.into(), years(6)));
        assert!(left("died").weakens(&left("left")) && !left("left").weakens(&left("left")));
        for (field, now) in [
            (Class { audit_trail_17a4: true, ..before.clone() }, &before),
            (Class { needs_principal: true, ..before.clone() }, &before),
            (Class { needs_witness: true, ..before.clone() }, &before),
        ] {
            assert!(now.weakens(&field), "{field:?}");
        }
    }

    #[test]
    fn long_periods_take_two() {
        let long = |claim| Class::new("a", claim).needs_second_person();
        assert!(!long(ClaimRule::Fixed(years(15))) && long(ClaimRule::Fixed(years(16))) && long(ClaimRule::Permanent));
        assert!(long(ClaimRule::UntilEvent("left".into(), Period::Calendar { years: 15, months: 0, days: 1 })));
        assert_eq!([Period::Ms(0), Period::Ms(1), years(3)].map(years_of), [0, 1, 3]);
    }

    #[test]
    fn claims_are_written_as_the_format_has_them() {
        let digest = Some(Digest::from_bytes([7; 32]));
        let fixed = ClaimRule::Fixed(years(6)).claim(digest);
        assert_eq!((fixed.kind, fixed.period, fixed.event, fixed.schedule), (0, Some(years(6)), None, digest));
        let until = ClaimRule::UntilEvent("left".into(), years(6)).claim(None);
        assert_eq!((until.kind, until.event.as_deref(), until.end_ms), (1, Some("left"), None));
        let permanent = ClaimRule::Permanent.claim(None);
        assert_eq!((permanent.kind, permanent.period), (2, None));
    }
}

//! Time as an argument. Nobody else asks what time it is.
//!
//! Timestamps in the log are unsigned milliseconds since 1970-01-01T00:00:00Z, leap seconds as the
//! host's clock counts them. The local clock is distrusted: it may delay, never enable.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since 1970.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// 12 * year + month - 1 of the UTC calendar; the unit in which custody keys are made.
    ///
    /// ```
    /// assert_eq!(immutape::time::Timestamp::from_ms(0).month_number(), 12 * 1970);
    /// ```
    #[must_use]
    pub fn month_number(self) -> u64 {
        let date = i64::try_from(self.0).ok().and_then(chrono::DateTime::from_timestamp_millis);
        date.and_then(|d| {
            let year = u64::try_from(chrono::Datelike::year(&d)).ok()?;
            year.checked_mul(12)?.checked_add(u64::from(chrono::Datelike::month0(&d)))
        })
        .unwrap_or(u64::MAX)
    }

    /// RFC 3339 in UTC with milliseconds; years past 9999 are shown as a number of milliseconds.
    ///
    /// ```
    /// use immutape::time::Timestamp;
    /// assert_eq!(Timestamp::from_ms(1_795_169_821_416).to_text(), "2026-11-20T10:17:01.416Z");
    /// ```
    #[must_use]
    pub fn to_text(self) -> String {
        i64::try_from(self.0)
            .ok()
            .and_then(chrono::DateTime::from_timestamp_millis)
            .filter(|t| chrono::Datelike::year(t) <= 9999)
            .map_or_else(|| format!("{}ms", self.0), |t| t.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
    }
}

/// Reads RFC 3339 into nanoseconds since 1970.
///
/// `None` for text that is not RFC 3339, for times before 1970 and for those past 2554
/// (nanoseconds would not fit 64 bits).
#[must_use]
pub fn parse_rfc3339_ns(text: &str) -> Option<u64> {
    let t = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    let seconds = u64::try_from(t.timestamp()).ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(u64::from(t.timestamp_subsec_nanos()))
}

/// The RFC 3339 text, in UTC, that [`parse_rfc3339_ns`] reads into the same nanoseconds: with milliseconds, and more digits
/// only where there is more.
///
/// ```
/// use immutape::time::{ns_to_rfc3339, parse_rfc3339_ns};
/// assert_eq!(ns_to_rfc3339(1_795_169_821_416_000_000), "2026-11-20T10:17:01.416Z");
/// assert_eq!(ns_to_rfc3339(1_795_169_821_416_000_007), "2026-11-20T10:17:01.416000007Z");
/// assert_eq!(parse_rfc3339_ns(&ns_to_rfc3339(u64::MAX)), Some(u64::MAX));
/// ```
#[must_use]
pub fn ns_to_rfc3339(ns: u64) -> String {
    let (seconds, rest) = (ns / 1_000_000_000, (ns % 1_000_000_000) as u32);
    let digits =
        if ns.is_multiple_of(1_000_000) { chrono::SecondsFormat::Millis } else { chrono::SecondsFormat::AutoSi };
    let moment = i64::try_from(seconds).ok().and_then(|s| chrono::DateTime::from_timestamp(s, rest));
    // 64 bits of nanoseconds end in the year 2554, which every calendar here knows.
    moment.map_or_else(|| format!("{ns}ns"), |t| t.to_rfc3339_opts(digits, true))
}

/// What a clock says at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The host's wall clock, as it is.
    pub wall: Timestamp,
    /// Nanoseconds of a clock that does not go back while this boot lasts.
    pub monotonic_ns: u64,
}

/// A clock, passed in wherever time is needed.
///
/// # Contract
/// `read` never blocks and never fails: a wall clock before 1970 reads as 0. Many threads may call it.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn read(&self) -> Reading;
    /// Random id of this boot of the machine, or of this process where the system gives none.
    fn boot_id(&self) -> [u8; 16];
}

/// The host's clock.
#[derive(Debug)]
pub struct SystemClock {
    started: std::time::Instant,
    boot_id: [u8; 16],
}

impl SystemClock {
    /// A clock for a boot known by `boot_id`.
    #[must_use]
    pub fn new(boot_id: [u8; 16]) -> Self {
        Self { started: std::time::Instant::now(), boot_id }
    }
}

impl Clock for SystemClock {
    fn read(&self) -> Reading {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Reading {
            wall: Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            monotonic_ns: u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }

    fn boot_id(&self) -> [u8; 16] {
        self.boot_id
    }
}

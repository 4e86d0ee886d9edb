//! Periods of the law counted by the calendar, always rounded up: a record is kept a day too long rather than a moment too short.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, Utc};

use crate::log::Period;
use crate::time::Timestamp;

const MONTHS_OF_YEAR: u64 = 12;

/// The first moment that no longer belongs to a period that began at `start`: midnight UTC behind its last day, or so many
/// milliseconds later. `None` where the calendar has no name for it: the period does not end.
///
/// A day that its last month does not have is the first of the month behind: a year from 29 February ends with 1 March.
///
/// ```
/// use immutape::governance::end_of_period;
/// use immutape::log::Period;
/// use immutape::time::Timestamp;
/// let noon = Timestamp::from_ms(1_709_208_000_000); // 2024-02-29T12:00:00Z
/// let year = Period::Calendar { years: 1, months: 0, days: 0 };
/// assert_eq!(end_of_period(noon, year).unwrap().to_text(), "2025-03-02T00:00:00.000Z");
/// ```
#[must_use]
pub fn end_of_period(start: Timestamp, period: Period) -> Option<Timestamp> {
    match period {
        Period::Ms(ms) => start.as_ms().checked_add(ms).map(Timestamp::from_ms),
        Period::Calendar { years, months, days } => {
            let months = years.checked_mul(MONTHS_OF_YEAR)?.checked_add(months)?;
            // The whole of the last day belongs to it, whatever the hour it began at.
            let last = later(day_of(start)?, months)?.checked_add_days(Days::new(days))?;
            midnight(last.succ_opt()?)
        }
    }
}

fn day_of(at: Timestamp) -> Option<NaiveDate> {
    DateTime::<Utc>::from_timestamp_millis(i64::try_from(at.as_ms()).ok()?).map(|at| at.date_naive())
}

/// The same day so many months later, or the first of the month behind where there is none.
fn later(day: NaiveDate, months: u64) -> Option<NaiveDate> {
    let from_january = u64::from(day.month0()).checked_add(months)?;
    let year = i32::try_from(from_january.checked_div(MONTHS_OF_YEAR)?).ok()?.checked_add(day.year())?;
    let month = u32::try_from(from_january.checked_rem(MONTHS_OF_YEAR)?).ok()?.checked_add(1)?;
    NaiveDate::from_ymd_opt(year, month, day.day()).or_else(|| {
        let (year, month) = if month == 12 { (year.checked_add(1)?, 1) } else { (year, month.checked_add(1)?) };
        NaiveDate::from_ymd_opt(year, month, 1)
    })
}

fn midnight(day: NaiveDate) -> Option<Timestamp> {
    let ms = day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis();
    u64::try_from(ms).ok().map(Timestamp::from_ms)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::parse_rfc3339_ns;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_ms(parse_rfc3339_ns(text).unwrap() / 1_000_000)
    }

    fn end(start: &str, years: u64, months: u64, days: u64) -> String {
        end_of_period(at(start), Period::Calendar { years, months, days }).unwrap().to_text()
    }

    #[test]
    fn days_that_a_month_does_not_have_are_the_first_of_the_next() {
        for (start, (years, months, days), wanted) in [
            ("2024-02-29T00:00:00Z", (1, 0, 0), "2025-03-02"),
            ("2024-02-29T23:59:59.999Z", (4, 0, 0), "2028-03-01"),
            ("2023-03-31T10:00:00Z", (0, 1, 0), "2023-05-02"),
            ("2023-12-31T10:00:00Z", (0, 2, 0), "2024-03-02"),
            ("2023-01-31T10:00:00Z", (0, 1, 1), "2023-03-03"),
            ("2026-11-20T10:17:01Z", (6, 0, 0), "2032-11-21"),
            ("2026-11-20T10:17:01Z", (0, 0, 0), "2026-11-21"),
            ("2026-11-20T10:17:01Z", (0, 0, 1), "2026-11-22"),
            ("2026-10-31T00:00:00Z", (0, 13, 0), "2027-12-02"),
        ] {
            assert_eq!(end(start, years, months, days), format!("{wanted}T00:00:00.000Z"), "{start}");
        }
    }

    /// The days on which clocks are changed in summer time are days like others: everything is UTC.
    #[test]
    fn summer_time_changes_nothing() {
        assert_eq!(end("2026-03-28T23:30:00Z", 0, 0, 1), "2026-03-30T00:00:00.000Z");
        assert_eq!(end("2026-10-24T23:30:00Z", 0, 0, 1), "2026-10-26T00:00:00.000Z");
    }

    #[test]
    fn what_no_calendar_can_name_does_not_end() {
        let start = at("2026-11-20T10:17:01Z");
        for period in [
            Period::Ms(u64::MAX),
            Period::Calendar { years: u64::MAX, months: 0, days: 0 },
            Period::Calendar { years: 0, months: u64::MAX, days: 0 },
            Period::Calendar { years: 0, months: 0, days: u64::MAX },
            Period::Calendar { years: 300_000, months: 0, days: 0 },
        ] {
            assert_eq!(end_of_period(start, period), None, "{period:?}");
        }
        let year = Period::Calendar { years: 1, months: 0, days: 0 };
        assert_eq!(end_of_period(Timestamp::from_ms(u64::MAX), year), None);
    }

    proptest! {
        /// Never early, whatever the start: and who starts later ends no earlier.
        #[test]
        fn a_period_is_never_cut_short(
            start in 0u64..4_102_444_800_000, wait in 0u64..400_000_000_000,
            years in 0u64..120, months in 0u64..40, days in 0u64..800,
        ) {
            let period = Period::Calendar { years, months, days };
            let end = end_of_period(Timestamp::from_ms(start), period).unwrap();
            // 365 days a year, 28 a month: less than any of them has.
            let least = years * 365 + months * 28 + days;
            prop_assert!(end.as_ms() > start + least * 86_400_000);
            // And never more than 366 and 31, with the day that rounding takes and the one that it fills up.
            let most = years * 366 + months * 31 + days + 2;
            prop_assert!(end.as_ms() <= start + most * 86_400_000 + 86_400_000);
            prop_assert!(end.as_ms().is_multiple_of(86_400_000));
            prop_assert!(end_of_period(Timestamp::from_ms(start + wait), period).unwrap() >= end);
        }
    }
}

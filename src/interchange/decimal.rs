//! Seconds and milliseconds that a source writes as JSON numbers, read without binary fractions.

/// A JSON number, times `10^scale`, as a whole number: digits past that are cut off. `None` for negative numbers, for what is
/// no number, and for what does not fit.
///
/// Seconds become nanoseconds with a scale of 9, milliseconds with one of 6.
pub(super) fn scaled(text: &str, scale: i32) -> Option<u64> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || !digits().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let places = i32::try_from(fraction.len()).ok()?;
    let shift = exponent.checked_add(scale)?.checked_sub(places)?;
    // Digits that the shift cuts off are never read, so their number does not matter.
    let kept = digits().count().saturating_sub(usize::try_from(shift.saturating_neg()).unwrap_or(0));
    let mut value = digits()
        .take(kept)
        .try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0'))))?;
    for _ in 0..shift.max(0) {
        if value == 0 {
            break;
        }
        value = value.checked_mul(10)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds() {
        for (text, ns) in [
            ("0", 0),
            ("0.0", 0),
            ("1.5", 1_500_000_000),
            ("0.005461", 5_461_000),
            ("1.95974", 1_959_740_000),
            ("1e-3", 1_000_000),
            ("2.5E2", 250_000_000_000),
            ("0.0000000019", 1),
            ("0.123456789999999999999999999999", 123_456_789),
            ("0e999999", 0),
            ("1e-99", 0),
            ("18446744073.709551615", u64::MAX),
        ] {
            assert_eq!(scaled(text, 9), Some(ns), "{text}");
        }
        assert_eq!(scaled("52.38533020019531", 6), Some(52_385_330));
        for bad in
            ["-1", "-0", "", ".5", "1e", "NaN", "\"1\"", "null", "1e30", "18446744073.709551616", "1e99999999999"]
        {
            assert_eq!(scaled(bad, 9), None, "{bad}");
        }
    }
}

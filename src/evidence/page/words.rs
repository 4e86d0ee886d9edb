//! Numbers and times as the page writes them.

use crate::error::Code;
use crate::evidence::verdict::{Verdict, part_of_ledger};
use crate::time::Timestamp;

/// `5,449 bytes`: whole numbers, since a reader compares them.
pub(super) fn bytes(n: u64) -> String {
    if n == 1 { "1 byte".into() } else { format!("{} bytes", grouped(n)) }
}

/// `1 frame`, `2,000 frames`.
pub(super) fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {one}s", grouped(n)) }
}

/// `once`, `twice`, `3 times`.
pub(super) fn times(n: u64) -> String {
    match n {
        0 => "never".into(),
        1 => "once".into(),
        2 => "twice".into(),
        n => format!("{} times", grouped(n)),
    }
}

/// `1,234,567`.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len().saturating_mul(2));
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `2026-11-20 10:17:01`, in UTC.
pub(super) fn moment(time: Timestamp) -> String {
    let text = time.to_text();
    match text.get(..19) {
        Some(second) if text.ends_with('Z') => second.replace('T', " "),
        _ => text,
    }
}

/// Of nanoseconds since 1970, as recorders write them.
pub(super) fn moment_ns(ns: u64) -> String {
    moment(Timestamp::from_ms(ns / 1_000_000))
}

/// Frames of a recorded range.
pub(super) fn range((first, last): (u64, u64)) -> String {
    match last {
        u64::MAX => format!("{first} to the end"),
        _ if first == last => format!("{first}"),
        _ => format!("{first} to {last}"),
    }
}

/// `3 d 4 h`, `12 min 5 s`, `504 ms`.
pub(super) fn length(ms: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"), (1, "ms")];
    let mut rest = ms;
    let mut parts: Vec<String> = Vec::new();
    for (unit, name) in units {
        let n = rest.checked_div(unit).unwrap_or(0);
        rest = rest.checked_rem(unit).unwrap_or(0);
        if n > 0 {
            parts.push(format!("{} {name}", grouped(n)));
        }
        if parts.len() == 2 || (!parts.is_empty() && n == 0) {
            break;
        }
    }
    if parts.is_empty() { "0 ms".into() } else { parts.join(" ") }
}

/// The code of an error by its number.
pub(super) fn error_code(number: u64) -> String {
    let known = Code::ALL.iter().find(|code| u64::from(code.number()) == number);
    known.map_or_else(|| format!("error {number}"), |code| code.as_str().to_owned())
}

/// Verdicts by their numbers in `verified` (`docs/format/4-commit.md` 4.3).
pub(super) fn verdict(number: u64) -> String {
    Verdict::of_number(number).map_or_else(|| format!("verdict {number}"), |verdict| verdict.word().to_owned())
}

/// Parts of a ledger by their numbers in `integrity.failed`.
pub(super) fn part(number: u64) -> String {
    part_of_ledger(number).map_or_else(|| format!("part {number}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!([grouped(0), grouped(999), grouped(1_000), grouped(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([bytes(1), bytes(5_449)], ["1 byte", "5,449 bytes"]);
        assert_eq!([count(1, "frame"), count(0, "frame")], ["1 frame", "0 frames"]);
        assert_eq!([times(0), times(1), times(2), times(3)], ["never", "once", "twice", "3 times"]);
        assert_eq!([range((3, 3)), range((0, 4)), range((0, u64::MAX))], ["3", "0 to 4", "0 to the end"]);
    }

    #[test]
    fn moments_and_lengths() {
        assert_eq!(moment(Timestamp::from_ms(1_795_169_821_416)), "2026-11-20 10:17:01");
        assert_eq!(moment_ns(1_795_169_821_416_000_007), "2026-11-20 10:17:01");
        assert_eq!(moment(Timestamp::from_ms(u64::MAX)), format!("{}ms", u64::MAX));
        for (ms, words) in
            [(0, "0 ms"), (504, "504 ms"), (61_000, "1 min 1 s"), (3_600_500, "1 h"), (90_000_000, "1 d 1 h")]
        {
            assert_eq!(length(ms), words);
        }
    }

    #[test]
    fn open_lists_are_shown_by_number() {
        assert_eq!([verdict(0), verdict(11), verdict(99)], ["intact", "unpinned keys", "verdict 99"]);
        assert_eq!([part(1), part(9)], ["a stored object", "part 9"]);
        assert_eq!([error_code(30), error_code(9_999)], ["E_NOT_FOUND", "error 9999"]);
    }
}

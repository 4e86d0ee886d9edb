//! Ranges as people type them: `3`, `3..9`, `3..`, `..9`, and the same with times.

use std::str::FromStr;

use crate::ledger::FrameSelection;

/// Frames, both ends included; no end means to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameRange {
    first: u64,
    last: Option<u64>,
}

impl FrameRange {
    /// The range for the record of the access; an open end stands as the largest number.
    pub(super) fn asked(self) -> (u64, u64) {
        (self.first, self.last.unwrap_or(u64::MAX))
    }

    /// The frames of a tape with this many.
    pub(super) fn selection(self, frames_total: u64) -> FrameSelection {
        FrameSelection::Seq(self.first, self.last.unwrap_or_else(|| frames_total.saturating_sub(1)))
    }
}

impl FromStr for FrameRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.parse::<u64>().map_err(|_| "give frame numbers: 3, 3..9, 3.. or ..9".to_owned());
        let (first, last) = ends(text, number)?;
        let range = Self { first: first.unwrap_or(0), last };
        if range.last.is_some_and(|last| last < range.first) {
            return Err("the range ends before it begins".into());
        }
        Ok(range)
    }
}

/// Time since the start of the session, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeRange {
    from_ns: u64,
    to_ns: u64,
}

impl TimeRange {
    /// The frames of that time.
    pub(super) const fn selection(self) -> FrameSelection {
        FrameSelection::Time(self.from_ns, self.to_ns)
    }
}

impl FromStr for TimeRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains("..") {
            return Err("give two ends: 500ms..2s, ..2s or 1m..".into());
        }
        let (from, to) = ends(text, duration_ns)?;
        let range = Self { from_ns: from.unwrap_or(0), to_ns: to.unwrap_or(u64::MAX) };
        if range.to_ns < range.from_ns {
            return Err("the range ends before it begins".into());
        }
        Ok(range)
    }
}

type Ends = (Option<u64>, Option<u64>);

fn ends(text: &str, read: impl Fn(&str) -> Result<u64, String>) -> Result<Ends, String> {
    let Some((first, last)) = text.split_once("..") else { return read(text).map(|n| (Some(n), Some(n))) };
    let end = |part: &str| if part.is_empty() { Ok(None) } else { read(part).map(Some) };
    Ok((end(first)?, end(last)?))
}

/// `1.5s`, `500ms`, `20us`, `3m`, `1h`; a bare number is seconds.
fn duration_ns(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 6] = [
        ("ns", 1),
        ("us", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let wrong = || "give a time with its unit: 500ms, 1.5s, 2m".to_owned();
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = if unit.is_empty() { "s" } else { unit };
    let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || part.len() > 9 {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    // Nine decimals of any unit: the fraction is exact to the nanosecond.
    let part: u128 = format!("{part:0<9}").parse().map_err(|_| wrong())?;
    let part_ns = part.checked_mul(u128::from(*unit_ns)).map(|p| p.wrapping_div(1_000_000_000)).ok_or_else(wrong)?;
    let part_ns = u64::try_from(part_ns).map_err(|_| wrong())?;
    whole.checked_mul(*unit_ns).and_then(|ns| ns.checked_add(part_ns)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames() {
        let read = |t: &str| t.parse::<FrameRange>();
        assert_eq!(read("3").unwrap().selection(9), FrameSelection::Seq(3, 3));
        assert_eq!(read("3..9").unwrap().selection(99), FrameSelection::Seq(3, 9));
        assert_eq!(read("3..").unwrap().selection(9), FrameSelection::Seq(3, 8));
        assert_eq!(read("..2").unwrap().selection(9), FrameSelection::Seq(0, 2));
        assert_eq!(read("..").unwrap().selection(9), FrameSelection::Seq(0, 8));
        assert_eq!(read("3..").unwrap().asked(), (3, u64::MAX));
        for bad in ["", "a", "-1", "9..3", "1..2..3", "1.5", "99999999999999999999"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times() {
        let read = |t: &str| t.parse::<TimeRange>().map(TimeRange::selection);
        assert_eq!(read("500ms..1.5s").unwrap(), FrameSelection::Time(500_000_000, 1_500_000_000));
        assert_eq!(read("..20us").unwrap(), FrameSelection::Time(0, 20_000));
        assert_eq!(read("1m..").unwrap(), FrameSelection::Time(60_000_000_000, u64::MAX));
        assert_eq!(read("+1..+1.000000001").unwrap(), FrameSelection::Time(1_000_000_000, 1_000_000_001));
        for bad in ["1s", "1s..x", "2s..1s", ".5s..", "1.1234567890s..", "1y..", "99999999999h.."] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}

//! Numbers, names and times as people read them.

use crate::codec::escape::visible;
use crate::log::{Authentication, PrivateHalf};
use crate::time::Timestamp;

/// `5.4 KB`: decimal units, as disks are sold and files are listed.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if n < 1_000 {
        return format!("{n} B");
    }
    let (mut scaled, mut unit) = (u128::from(n), UNITS.iter());
    let mut name = "KB";
    // Tenths, rounded, until three digits before the point are enough.
    while let Some(next) = unit.next() {
        name = next;
        let tenths = scaled.saturating_mul(10).saturating_add(500).wrapping_div(1_000);
        if tenths < 10_000 || unit.len() == 0 {
            return format!("{}.{} {name}", tenths.wrapping_div(10), tenths.wrapping_rem(10));
        }
        scaled = scaled.saturating_add(500).wrapping_div(1_000);
    }
    format!("{scaled} {name}")
}

/// `1 frame`, `2 frames`.
pub(super) fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// `1 entry`, `2 entries`.
pub(super) fn entries(n: u64) -> String {
    if n == 1 { "1 entry".into() } else { format!("{n} entries") }
}

/// `+504ms`, `+12.3s`, `+4m07s`.
pub(super) fn since_start(ns: u64) -> String {
    let ms = ns.wrapping_div(1_000_000);
    let seconds = ms.wrapping_div(1_000);
    match seconds {
        0..10 => format!("+{ms}ms"),
        10..60 => format!("+{seconds}.{}s", ms.wrapping_rem(1_000).wrapping_div(100)),
        _ => format!("+{}m{:02}s", seconds.wrapping_div(60), seconds.wrapping_rem(60)),
    }
}

/// `2026-11-20 10:17:01` in UTC.
pub(super) fn moment(t: Timestamp) -> String {
    let text = t.to_text();
    match text.get(..19) {
        Some(second) if text.ends_with('Z') => second.replace('T', " "),
        _ => text,
    }
}

/// A recorded name, `-` when absent.
pub(super) fn name(bytes: Option<&[u8]>) -> String {
    bytes.filter(|b| !b.is_empty()).map_or_else(|| "-".into(), visible)
}

/// The first digits of an id.
pub(super) fn short(hex: &str) -> &str {
    hex.get(..12).unwrap_or(hex)
}

/// Who acted, with a mark of how sure that is.
pub(super) fn actor(private: Option<&PrivateHalf>) -> String {
    let Some(private) = private else { return "(key is gone)".into() };
    let Some(actor) = &private.actor else { return "-".into() };
    let name = visible(&actor.id);
    match actor.authentication {
        Authentication::Itself => name,
        Authentication::OsUser => format!("{name} (unverified)"),
        other => format!("{name} ({})", other.word()),
    }
}

/// Frames of a recorded range.
pub(super) fn range((first, last): (u64, u64)) -> String {
    match last {
        u64::MAX => format!("frames {first}.. to the end"),
        _ if first == last => format!("frame {first}"),
        _ => format!("frames {first}..{last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (n, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 KB"),
            (5_449, "5.4 KB"),
            (999_949, "999.9 KB"),
            (999_950, "1.0 MB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(bytes(n), words, "{n}");
        }
    }

    #[test]
    fn times() {
        for (ms, words) in [(0, "+0ms"), (504, "+504ms"), (9_999, "+9999ms"), (12_345, "+12.3s"), (247_000, "+4m07s")] {
            assert_eq!(since_start(ms * 1_000_000 + 999_999), words);
        }
        assert_eq!(moment(Timestamp::from_ms(1_795_169_821_416)), "2026-11-20 10:17:01");
    }
}

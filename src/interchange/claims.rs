//! What a source says of itself, held against what its frames give.

use super::json::{Members, whole};
use super::tally::{RoundTrips, Tally};
use crate::tape::Stats;

/// What the frames give, up to some line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    /// Counts from the messages.
    pub(super) stats: Stats,
    /// Number of the last frame, as the source counts.
    pub(super) last_seq: Option<u64>,
    /// Checkpoint records so far.
    pub(super) checkpoints: u64,
    /// Length of the source before and after the line that claims.
    pub(super) size_bytes: [u64; 2],
    /// Times from request to answer.
    pub(super) round_trips: RoundTrips,
}

impl Facts {
    /// From the counts; the rest is the caller's.
    pub(super) fn of(tally: &Tally) -> Self {
        Self { stats: tally.stats, round_trips: tally.round_trips, ..Self::default() }
    }

    /// The frames give no last number when there are none; writers then claim 0.
    pub(super) fn is_last_seq(&self, claimed: u64) -> bool {
        claimed == self.last_seq.unwrap_or(0)
    }
}

/// The outcome of a comparison.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// Words for each difference.
    pub(super) differences: Vec<String>,
    /// Something was there that cannot be compared, so it cannot be made again either.
    pub(super) beyond: bool,
}

impl Compared {
    /// Compares the whole number `name` with `fact`.
    pub(super) fn number(&mut self, members: &mut Members<'_>, name: &str, fact: Option<u64>) {
        if let Some(claimed) = members.read(name, whole).filter(|c| Some(*c) != fact) {
            let fact = fact.map_or_else(|| "nothing".to_owned(), |f| f.to_string());
            self.differences.push(format!("{name} {claimed} (the frames give {fact})"));
        }
    }

    /// Compares a number that may have decimals with `sum / count`.
    pub(super) fn ratio(&mut self, members: &mut Members<'_>, name: &str, sum: u64, count: u64) {
        let Some(claimed) = members.read_raw(name) else { return };
        if !agrees(claimed, sum, count) {
            let fact = if count == 0 { "nothing".to_owned() } else { format!("{:.3}", sum as f64 / count as f64) };
            let claimed = super::losses::quoted(claimed.as_bytes());
            self.differences.push(format!("{name} {claimed} (the frames give {fact})"));
        }
    }
}

/// Compares a `stats` object.
pub(super) fn compare_stats(text: &str, facts: &Facts) -> Compared {
    let mut out = Compared::default();
    let Ok(mut m) = Members::parse(text) else { return Compared { beyond: true, ..out } };
    let s = &facts.stats;
    out.number(&mut m, "frame_count", Some(s.frames));
    out.number(&mut m, "duration_ms", s.duration_ms.or((s.frames == 0).then_some(0)));
    out.number(&mut m, "error_count", Some(s.errors));
    out.number(&mut m, "correlation_count", Some(s.correlations));
    if m.peek("last_sequence").and_then(whole).is_some_and(|c| facts.is_last_seq(c)) {
        m.read_raw("last_sequence");
    }
    out.number(&mut m, "last_sequence", facts.last_seq);
    let [before, after] = facts.size_bytes;
    let size = if m.peek("file_size_bytes").and_then(whole) == Some(before) { before } else { after };
    out.number(&mut m, "file_size_bytes", Some(size));
    out.number(&mut m, "checkpoint_count", Some(facts.checkpoints));
    if let Some(counts) = m.read_raw("message_counts") {
        match Members::parse(counts) {
            Ok(mut counts) => {
                out.number(&mut counts, "client_to_server", Some(s.client_to_server));
                out.number(&mut counts, "server_to_client", Some(s.server_to_client));
                out.beyond |= counts.left().next().is_some();
            }
            Err(_) => out.beyond = true,
        }
    }
    out.beyond |= m.left().next().is_some();
    out
}

/// Compares a `performance` object.
pub(super) fn compare_performance(text: &str, facts: &Facts) -> Compared {
    let mut out = Compared::default();
    let Ok(mut m) = Members::parse(text) else { return Compared { beyond: true, ..out } };
    let trips = facts.round_trips;
    let some = |v: u64| (trips.count > 0).then_some(v);
    out.ratio(&mut m, "avg_rtt_ms", trips.sum_ms, trips.count);
    out.number(&mut m, "max_rtt_ms", some(trips.max_ms));
    out.number(&mut m, "min_rtt_ms", some(trips.min_ms));
    let duration_ms = facts.stats.duration_ms.unwrap_or(0);
    out.ratio(&mut m, "messages_per_second", facts.stats.frames.saturating_mul(1_000), duration_ms);
    out.beyond |= m.left().next().is_some();
    out
}

/// Is the decimal number `claimed` what `sum / count` is, to as many decimals as were written?
fn agrees(claimed: &str, sum: u64, count: u64) -> bool {
    let Some(value) = claimed.parse::<f64>().ok().filter(|_| count > 0) else { return false };
    let decimals = claimed.split_once('.').map_or(0, |(_, d)| d.len().min(15) as i32);
    // Half a unit would be rounding; a whole one also allows for cutting off.
    let tolerance = 10f64.powi(decimals.saturating_neg()).max(1e-9 * value.abs());
    (value - sum as f64 / count as f64).abs() < tolerance
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            stats: Stats {
                frames: 5,
                client_to_server: 3,
                server_to_client: 2,
                errors: 0,
                correlations: 2,
                duration_ms: Some(200),
                ..Stats::default()
            },
            last_seq: Some(4),
            checkpoints: 1,
            size_bytes: [2_619, 2_819],
            round_trips: RoundTrips { count: 3, sum_ms: 200, min_ms: 20, max_ms: 110 },
        }
    }

    #[test]
    fn agreement_is_silent() {
        let stats = r#"{"frame_count":5,"duration_ms":200,"file_size_bytes":2819,"last_sequence":4,
            "message_counts":{"client_to_server":3,"server_to_client":2},"error_count":0,"correlation_count":2,"checkpoint_count":1}"#;
        let c = compare_stats(stats, &facts());
        assert_eq!((c.differences, c.beyond), (vec![], false));
        let performance = r#"{"avg_rtt_ms":66.667,"max_rtt_ms":110,"min_rtt_ms":20,"messages_per_second":25}"#;
        let c = compare_performance(performance, &facts());
        assert_eq!((c.differences, c.beyond), (vec![], false));
    }

    #[test]
    fn every_number_is_compared() {
        for name in [
            "frame_count",
            "duration_ms",
            "file_size_bytes",
            "last_sequence",
            "error_count",
            "correlation_count",
            "checkpoint_count",
        ] {
            let c = compare_stats(&format!("{{\"{name}\":77}}"), &facts());
            assert_eq!(c.differences.len(), 1, "{name}");
        }
        for name in ["client_to_server", "server_to_client"] {
            let c = compare_stats(&format!("{{\"message_counts\":{{\"{name}\":77}}}}"), &facts());
            assert_eq!(c.differences.len(), 1, "{name}");
        }
        for name in ["avg_rtt_ms", "max_rtt_ms", "min_rtt_ms", "messages_per_second"] {
            let c = compare_performance(&format!("{{\"{name}\":7}}"), &facts());
            assert_eq!(c.differences.len(), 1, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_told_apart() {
        for stats in [
            r#"{"x":1}"#,
            r#"{"frame_count":"5"}"#,
            "7",
            r#"{"message_counts":[]}"#,
            r#"{"message_counts":{"internal":0}}"#,
        ] {
            assert!(compare_stats(stats, &facts()).beyond, "{stats}");
        }
        assert!(compare_performance(r#"{"p99_ms":1}"#, &facts()).beyond);
    }

    #[test]
    fn decimals_written_are_decimals_compared() {
        assert!(agrees("66.667", 200, 3) && agrees("66", 200, 3) && agrees("6.6666666667e1", 200, 3));
        assert!(!agrees("66.66", 199, 3) && !agrees("65", 200, 3) && !agrees("0", 0, 0) && !agrees("x", 1, 1));
    }
}

//! Rounds in, rows out: medians, spread, and whether a budget was met.

use std::fmt;

/// What a figure must not fall below, or rise above.
#[derive(Clone, Copy)]
pub enum Budget {
    AtLeast(f64),
    AtMost(f64),
    /// Printed for what it says about a row beside it.
    None,
}

/// One printed line.
pub struct Row {
    pub part: &'static str,
    pub job: String,
    pub measured: String,
    pub bound: String,
    /// The judged figure of every round.
    pub judged: Vec<f64>,
    /// The best measured round against the best round of the bound: what is left of the ratio when other
    /// work on the machine falls on neither.
    pub best: Option<f64>,
    pub budget: Budget,
}

#[derive(Default)]
pub struct Table(Vec<Row>);

impl Table {
    pub fn add(&mut self, row: Row) {
        println!("  {row}");
        self.0.push(row);
    }
}

impl Row {
    /// A figure without a bound: `measured` is the median of `rounds`.
    pub fn plain(part: &'static str, job: &str, unit: &str, rounds: Vec<f64>, budget: Budget) -> Self {
        let measured = format!("{} {unit}", number(median(&rounds)));
        Self { part, job: job.into(), measured, bound: "-".into(), judged: rounds, best: None, budget }
    }

    /// Pairs of measured and bound, of interleaved rounds; their ratio is judged round by round.
    pub fn ratio(part: &'static str, job: &str, unit: &str, rounds: &[(f64, f64)], budget: Budget) -> Self {
        let of = |pick: fn(&(f64, f64)) -> f64| {
            format!("{} {unit}", number(median(&rounds.iter().map(pick).collect::<Vec<_>>())))
        };
        let best_of = |pick: fn(&(f64, f64)) -> f64| {
            let (low, high) = spread(&rounds.iter().map(pick).collect::<Vec<_>>());
            if unit.ends_with("/s") { high } else { low }
        };
        Self {
            part,
            job: job.into(),
            best: Some(best_of(|r| r.0) / best_of(|r| r.1)),
            measured: of(|r| r.0),
            bound: of(|r| r.1),
            judged: rounds.iter().map(|(measured, bound)| measured / bound).collect(),
            budget,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let middle = median(&self.judged);
        let (low, high) = spread(&self.judged);
        let (budget, verdict) = match self.budget {
            Budget::AtLeast(b) => (format!(">= {}", number(b)), if middle >= b { "met" } else { "MISSED" }),
            Budget::AtMost(b) => (format!("<= {}", number(b)), if middle <= b { "met" } else { "MISSED" }),
            Budget::None => ("-".into(), "-"),
        };
        write!(
            f,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} ({}..{}) |",
            self.part,
            self.job,
            self.measured,
            self.bound,
            number(middle),
            self.best.map_or_else(|| "-".to_owned(), number),
            budget,
            verdict,
            self.judged.len(),
            number(low),
            number(high)
        )
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | job | measured | bound | judged | best by best | budget | | rounds (spread) |")?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        self.0.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

fn spread(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
}

/// Three digits are all that such figures carry.
pub fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => {
            let digits = format!("{value:.0}");
            let split = digits.len() - 3;
            if split > 3 {
                format!("{} {} {}", &digits[..split - 3], &digits[split - 3..split], &digits[split..])
            } else {
                format!("{} {}", &digits[..split], &digits[split..])
            }
        }
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

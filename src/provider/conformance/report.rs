//! What came of a run.

use std::fmt;

/// What came of one clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is kept.
    Kept,
    /// It is not; what was seen.
    Violated(String),
    /// The provider does not promise this, so nothing was checked. Never as good as kept.
    NotPromised(&'static str),
}

/// What came of every clause, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Name of each clause, and what came of it.
    pub outcomes: Vec<(&'static str, Outcome)>,
}

impl Report {
    /// Clauses that are not kept, with what was seen.
    #[must_use]
    pub fn violations<'a>(&'a self) -> Vec<(&'static str, &'a str)> {
        let violated = |(name, outcome): &'a (&'static str, Outcome)| match outcome {
            Outcome::Violated(detail) => Some((*name, detail.as_str())),
            _ => None,
        };
        self.outcomes.iter().filter_map(violated).collect()
    }

    /// How many clauses are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Kept).count()
    }

    /// Clauses about what the provider does not promise.
    #[must_use]
    pub fn not_promised(&self) -> Vec<&'static str> {
        let open =
            |(name, outcome): &(&'static str, Outcome)| matches!(outcome, Outcome::NotPromised(_)).then_some(*name);
        self.outcomes.iter().filter_map(open).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, outcome) in &self.outcomes {
            match outcome {
                Outcome::Kept => writeln!(f, "kept          {name}")?,
                Outcome::Violated(detail) => writeln!(f, "VIOLATED      {name}: {detail}")?,
                Outcome::NotPromised(what) => writeln!(f, "not promised  {name}: {what}")?,
            }
        }
        let (kept, violated, open) = (self.kept(), self.violations().len(), self.not_promised().len());
        writeln!(f, "{} clauses: {kept} kept, {violated} violated, {open} not promised", self.outcomes.len())
    }
}

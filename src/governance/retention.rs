//! Which claims a class lays on a tape. A set of claims only grows; its end is the maximum of theirs;
//! no claim at all means kept, never eligible.

use crate::log::{ClaimRecord, Period};

/// What a class name means under the schedule in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClassStanding {
    /// Made for trying things out: one claim of zero length.
    Draft,
    /// Not in the schedule: kept, never eligible for disposal.
    Unclassified,
}

/// The retention schedule. So far it knows `draft` alone; signed classes come with governance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schedule;

impl Schedule {
    /// The class given when nobody chose one.
    pub const DEFAULT_CLASS: &'static str = "draft";

    /// What `class` means.
    #[must_use]
    pub fn standing(&self, class: &str) -> ClassStanding {
        if class == Self::DEFAULT_CLASS { ClassStanding::Draft } else { ClassStanding::Unclassified }
    }

    /// The claims laid on a tape of `class` when it is saved.
    ///
    /// ```
    /// use immutape::governance::Schedule;
    /// assert_eq!(Schedule.claims("draft").len(), 1);
    /// assert!(Schedule.claims("sec-17a-4").is_empty()); // unclassified: never eligible
    /// ```
    #[must_use]
    pub fn claims(&self, class: &str) -> Vec<ClaimRecord> {
        match self.standing(class) {
            ClassStanding::Draft => {
                vec![ClaimRecord { kind: 0, period: Some(Period::Ms(0)), event: None, end_ms: None, schedule: None }]
            }
            ClassStanding::Unclassified => Vec::new(),
        }
    }

    /// The class as listings show it.
    #[must_use]
    pub fn shown(&self, class: &str) -> String {
        match self.standing(class) {
            ClassStanding::Draft => class.to_owned(),
            ClassStanding::Unclassified => {
                format!("unclassified ({})", crate::codec::escape::visible(class.as_bytes()))
            }
        }
    }
}

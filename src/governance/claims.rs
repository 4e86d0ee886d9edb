//! When a tape may end: its claims, each with its own end, and the latest of them. A set of claims only grows, so no sequence of
//! additions in whatever order makes an end earlier. What is unknown never ends.

use std::collections::BTreeMap;
use std::fmt;

use super::calendar::end_of_period;
use crate::codec::escape::visible;
use crate::log::ClaimRecord;
use crate::time::Timestamp;

/// FORMAT. `docs/format/4-commit.md` 4.4, field 22.
pub(super) const FIXED: u64 = 0;
pub(super) const UNTIL_EVENT: u64 = 1;
pub(super) const PERMANENT: u64 = 2;

/// The end of a claim, or of a set of them. Later is greater, and what has no end is the greatest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// From this moment on nothing of it keeps the tape.
    At(Timestamp),
    /// No moment can be named.
    Never(Unending),
}

/// Why there is no end. The order is that in which one is named of several: what nobody can change first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Unending {
    /// The period began at a moment that no evidence from outside vouches for yet.
    Unanchored,
    /// It runs from an event that nobody has asserted.
    Event(String),
    /// The period ends past what a calendar can name.
    Calendar,
    /// No claim at all: nobody has said how long it must be kept.
    Unclassified,
    /// A claim that this program does not know.
    Unknown(u64),
    /// It is kept for ever.
    Permanent,
}

impl fmt::Display for Unending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanchored => f.write_str("no evidence from outside says yet when it began"),
            Self::Event(event) => write!(f, "the event {} has not come", visible(event.as_bytes())),
            Self::Calendar => f.write_str("it ends later than any calendar says"),
            Self::Unclassified => f.write_str("its class is not in the schedule"),
            Self::Unknown(kind) => write!(f, "a claim of kind {kind}, which this program does not know"),
            Self::Permanent => f.write_str("it is kept for ever"),
        }
    }
}

/// What periods run from.
#[derive(Debug, Clone, Copy)]
pub struct Starts<'a> {
    /// The latest that the tape can have been saved, by evidence from outside; `None` until there is any.
    pub saved: Option<Timestamp>,
    /// Events that were asserted of it, with the moment that each counts from.
    pub events: &'a BTreeMap<String, Timestamp>,
}

/// The end of one claim. A date that was written down with it holds as well: the later of both counts.
#[must_use]
pub fn end_of_claim(claim: &ClaimRecord, starts: &Starts<'_>) -> End {
    let run = |from: Option<Timestamp>, none: Unending| match (from, claim.period) {
        (Some(from), Some(period)) => end_of_period(from, period).map_or(End::Never(Unending::Calendar), End::At),
        // A claim with no period is one that was laid until a date.
        (_, None) => match claim.end_ms {
            Some(_) => End::At(Timestamp::from_ms(0)),
            None => End::Never(Unending::Unknown(claim.kind)),
        },
        (None, Some(_)) => End::Never(none),
    };
    let own = match (claim.kind, &claim.event) {
        (FIXED, None) => run(starts.saved, Unending::Unanchored),
        (UNTIL_EVENT, Some(event)) => run(starts.events.get(event).copied(), Unending::Event(event.clone())),
        (PERMANENT, None) => End::Never(Unending::Permanent),
        (kind, _) => End::Never(Unending::Unknown(kind)),
    };
    claim.end_ms.map_or_else(|| own.clone(), |ms| own.clone().max(End::At(Timestamp::from_ms(ms))))
}

/// The end of all of them: the latest. Without any claim a tape is kept, and never eligible.
///
/// ```
/// use std::collections::BTreeMap;
/// use immutape::governance::{End, Starts, Unending, end_of_claims};
/// use immutape::log::{ClaimRecord, Period};
/// use immutape::time::Timestamp;
/// let events = BTreeMap::new();
/// let starts = Starts { saved: Some(Timestamp::from_ms(1_000)), events: &events };
/// let week = ClaimRecord { kind: 0, period: Some(Period::Ms(604_800_000)), event: None, end_ms: None, schedule: None };
/// assert_eq!(end_of_claims(std::slice::from_ref(&week), &starts), End::At(Timestamp::from_ms(604_801_000)));
/// let leaver = ClaimRecord { kind: 1, event: Some("employment-ended".into()), ..week.clone() };
/// let pending = End::Never(Unending::Event("employment-ended".into()));
/// assert_eq!(end_of_claims(&[week, leaver], &starts), pending);
/// assert_eq!(end_of_claims(&[], &starts), End::Never(Unending::Unclassified));
/// ```
#[must_use]
pub fn end_of_claims(claims: &[ClaimRecord], starts: &Starts<'_>) -> End {
    let ends = claims.iter().map(|claim| end_of_claim(claim, starts));
    ends.max().unwrap_or(End::Never(Unending::Unclassified))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::Period;

    fn claim(kind: u64, period: Option<Period>, event: Option<&str>, end_ms: Option<u64>) -> ClaimRecord {
        ClaimRecord { kind, period, event: event.map(str::to_owned), end_ms, schedule: None }
    }

    fn starts(events: &BTreeMap<String, Timestamp>, saved: Option<u64>) -> Starts<'_> {
        Starts { saved: saved.map(Timestamp::from_ms), events }
    }

    #[test]
    fn each_kind_of_claim_has_its_end() {
        let none = BTreeMap::new();
        let left = BTreeMap::from([("left".to_owned(), Timestamp::from_ms(7_000))]);
        let (ms, never) = (|ms| End::At(Timestamp::from_ms(ms)), End::Never);
        let period = Some(Period::Ms(1_000));
        let far = Some(Period::Calendar { years: 900_000, months: 0, days: 0 });
        for (claim, events, saved, wanted) in [
            (claim(0, period, None, None), &none, Some(5_000), ms(6_000)),
            (claim(0, period, None, None), &none, None, never(Unending::Unanchored)),
            (claim(0, period, None, Some(9_000)), &none, Some(5_000), ms(9_000)),
            (claim(0, period, None, Some(5_500)), &none, Some(5_000), ms(6_000)),
            (claim(0, period, None, Some(9_000)), &none, None, never(Unending::Unanchored)),
            (claim(0, None, None, Some(9_000)), &none, None, ms(9_000)),
            (claim(0, None, None, None), &none, Some(5_000), never(Unending::Unknown(0))),
            (claim(0, far, None, None), &none, Some(5_000), never(Unending::Calendar)),
            (claim(0, period, Some("left"), None), &left, Some(5_000), never(Unending::Unknown(0))),
            (claim(1, period, Some("left"), None), &none, Some(5_000), never(Unending::Event("left".into()))),
            (claim(1, period, Some("left"), None), &left, None, ms(8_000)),
            (claim(1, period, Some("died"), None), &left, Some(5_000), never(Unending::Event("died".into()))),
            (claim(1, period, None, None), &left, Some(5_000), never(Unending::Unknown(1))),
            (claim(2, None, None, None), &left, Some(5_000), never(Unending::Permanent)),
            (claim(2, None, None, Some(1)), &left, Some(5_000), never(Unending::Permanent)),
            (claim(3, period, None, Some(1)), &left, Some(5_000), never(Unending::Unknown(3))),
        ] {
            assert_eq!(end_of_claim(&claim, &starts(events, saved)), wanted, "{claim:?} saved {saved:?}");
        }
        assert_eq!(end_of_claims(&[], &starts(&none, Some(0))), never(Unending::Unclassified));
    }

    /// Of several reasons that is named which nobody can take away.
    #[test]
    fn reasons_have_an_order() {
        let none = BTreeMap::new();
        let all = [
            claim(2, None, None, None),
            claim(9, None, None, None),
            claim(1, Some(Period::Ms(0)), Some("e\u{1b}"), None),
            claim(0, Some(Period::Ms(0)), None, None),
        ];
        let named = |from: usize| match end_of_claims(&all[from..], &starts(&none, None)) {
            End::Never(why) => why.to_string(),
            End::At(at) => at.to_text(),
        };
        assert_eq!(
            [0, 1, 2, 3].map(named),
            [
                "it is kept for ever",
                "a claim of kind 9, which this program does not know",
                "the event e\\x1b has not come",
                "no evidence from outside says yet when it began"
            ]
        );
        assert!(
            Unending::Unclassified.to_string().contains("schedule")
                && Unending::Calendar.to_string().contains("calendar")
        );
    }

    fn any_claim() -> impl Strategy<Value = ClaimRecord> {
        let period = prop_oneof![
            Just(None),
            (0u64..10_000_000_000).prop_map(|ms| Some(Period::Ms(ms))),
            (0u64..12, 0u64..30, 0u64..400).prop_map(|(years, months, days)| Some(Period::Calendar {
                years,
                months,
                days
            })),
        ];
        let event = prop_oneof![Just(None), Just(Some("left".to_owned())), Just(Some("other".to_owned()))];
        let end_ms = prop_oneof![Just(None), (0u64..5_000_000_000_000).prop_map(Some)];
        (0u64..4, period, event, end_ms).prop_map(|(kind, period, event, end_ms)| ClaimRecord {
            kind,
            period,
            event,
            end_ms,
            schedule: None,
        })
    }

    proptest! {
        /// Retention only grows: in any order, said any number of times, and never earlier by one more claim (RET-01, RET-02).
        #[test]
        fn claims_form_a_semilattice(
            claims in prop::collection::vec(any_claim(), 0..8), more in any_claim(), turn in 0usize..8,
            saved in prop::option::of(0u64..4_000_000_000_000), left in prop::option::of(0u64..4_000_000_000_000),
        ) {
            let events: BTreeMap<_, _> = left.map(|at| ("left".to_owned(), Timestamp::from_ms(at))).into_iter().collect();
            let starts = starts(&events, saved);
            let end = end_of_claims(&claims, &starts);
            let mut turned = claims.clone();
            let by = turn % claims.len().max(1);
            turned.rotate_left(by);
            turned.extend(claims.iter().cloned());
            prop_assert_eq!(end_of_claims(&turned, &starts), end.clone());
            let mut grown = claims.clone();
            grown.push(more.clone());
            let later = end_of_claims(&grown, &starts);
            // The first claim alone can be earlier than none: until then nobody had said anything.
            prop_assert!(claims.is_empty() || later >= end);
            prop_assert!(later >= end_of_claim(&more, &starts));
        }

        /// A later start, and an event that comes later, never make the end earlier.
        #[test]
        fn ends_follow_their_starts(
            claims in prop::collection::vec(any_claim(), 1..8), saved in 0u64..4_000_000_000_000, wait in 0u64..100_000_000_000,
        ) {
            let at = |ms| BTreeMap::from([("left".to_owned(), Timestamp::from_ms(ms))]);
            let (early, late) = (at(saved), at(saved + wait));
            let end = end_of_claims(&claims, &starts(&early, Some(saved)));
            prop_assert!(end_of_claims(&claims, &starts(&late, Some(saved + wait))) >= end);
            prop_assert!(end_of_claims(&claims, &starts(&early, None)) >= end);
        }
    }
}

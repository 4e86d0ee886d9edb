//! May a tape end? Every reason why not, so that a person who asks "why is this still here" hears all of them.

use std::fmt;

use super::claims::{End, Unending};
use super::clock::Interval;
use crate::time::Timestamp;

/// What is known of a tape at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The end of its claims.
    pub end: End,
    /// Holds in force on it.
    pub holds: usize,
    /// It, or a copy of it, was found altered, and nobody has cleared that.
    pub is_suspect: bool,
    /// Between which moments now lies.
    pub now: Interval,
    /// The wall clock went back, and nobody outside has said what time it is since.
    pub is_frozen: bool,
}

/// Why a tape stays.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocker {
    /// So many holds are on it.
    Held(usize),
    /// It may be evidence of an alteration.
    Suspect,
    /// Its claims have no end, or none yet.
    NoEnd(Unending),
    /// Its claims end then.
    Until(Timestamp),
    /// They may have ended, by a clock that nobody outside vouches for.
    ClockBehind(Timestamp),
    /// The clock cannot be trusted.
    Frozen,
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(1) => f.write_str("1 hold is on it"),
            Self::Held(n) => write!(f, "{n} holds are on it"),
            Self::Suspect => f.write_str("it was found altered, and nobody has cleared that"),
            Self::NoEnd(why) => write!(f, "{why}"),
            Self::Until(end) => write!(f, "it must be kept until {}", end.to_text()),
            Self::ClockBehind(end) => {
                write!(f, "it must be kept until {}, and no two sources outside say that this is over", end.to_text())
            }
            Self::Frozen => {
                f.write_str("the clock of this machine went back, and nobody outside has said since what time it is")
            }
        }
    }
}

impl Standing {
    /// Everything that keeps it; nothing when it may be asked that it ends. What people placed comes first.
    ///
    /// ```
    /// use immutape::governance::{Blocker, End, Interval, Standing};
    /// use immutape::time::Timestamp;
    /// let at = Timestamp::from_ms;
    /// let now = Interval { lo: at(900), hi: Some(at(1_100)) };
    /// let tape = Standing { end: End::At(at(1_000)), holds: 0, is_suspect: false, now, is_frozen: false };
    /// // It may be over, and that is not enough.
    /// assert_eq!(tape.blockers(), [Blocker::ClockBehind(at(1_000))]);
    /// ```
    #[must_use]
    pub fn blockers(&self) -> Vec<Blocker> {
        let held = (self.holds > 0).then_some(Blocker::Held(self.holds));
        let suspect = self.is_suspect.then_some(Blocker::Suspect);
        let end = match &self.end {
            End::Never(why) => Some(Blocker::NoEnd(why.clone())),
            End::At(end) if self.now.lo >= *end => None,
            End::At(end) if self.now.hi.is_some_and(|hi| hi < *end) => Some(Blocker::Until(*end)),
            End::At(end) => Some(Blocker::ClockBehind(*end)),
        };
        let frozen = self.is_frozen.then_some(Blocker::Frozen);
        [held, suspect, end, frozen].into_iter().flatten().collect()
    }

    /// May it be asked that it ends?
    #[must_use]
    pub fn is_eligible(&self) -> bool {
        self.blockers().is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn tape() -> Standing {
        let now = Interval { lo: at(1_000), hi: Some(at(1_100)) };
        Standing { end: End::At(at(1_000)), holds: 0, is_suspect: false, now, is_frozen: false }
    }

    /// Every combination: eligible exactly when nothing at all keeps it.
    #[test]
    fn one_reason_is_enough_and_all_are_told() {
        let ends = [End::At(at(1_000)), End::At(at(1_050)), End::At(at(1_200)), End::Never(Unending::Permanent)];
        for (n, end) in ends.into_iter().enumerate() {
            for holds in [0, 1, 3] {
                for bits in 0..4u8 {
                    let (is_suspect, is_frozen) = (bits & 1 > 0, bits & 2 > 0);
                    let standing = Standing { end: end.clone(), holds, is_suspect, is_frozen, ..tape() };
                    let reasons =
                        usize::from(n > 0) + usize::from(holds > 0) + usize::from(is_suspect) + usize::from(is_frozen);
                    assert_eq!(standing.blockers().len(), reasons, "{standing:?}");
                    assert_eq!(standing.is_eligible(), reasons == 0);
                }
            }
        }
    }

    #[test]
    fn the_clock_has_to_be_past_it() {
        let blockers = |end: u64, lo: u64, hi: Option<u64>| {
            let now = Interval { lo: at(lo), hi: hi.map(at) };
            Standing { end: End::At(at(end)), now, ..tape() }.blockers()
        };
        assert_eq!(blockers(1_000, 1_000, None), []);
        assert_eq!(blockers(1_000, 999, Some(1_000)), [Blocker::ClockBehind(at(1_000))]);
        assert_eq!(blockers(1_000, 900, Some(999)), [Blocker::Until(at(1_000))]);
        assert_eq!(blockers(1_000, 900, None), [Blocker::ClockBehind(at(1_000))], "nobody knows what time it is");
    }

    #[test]
    fn what_people_placed_is_told_first() {
        let end = End::Never(Unending::Event("left".into()));
        let all = Standing { end, holds: 2, is_suspect: true, is_frozen: true, ..tape() };
        let told: Vec<String> = all.blockers().iter().map(Blocker::to_string).collect();
        assert_eq!(
            told,
            [
                "2 holds are on it",
                "it was found altered, and nobody has cleared that",
                "the event left has not come",
                "the clock of this machine went back, and nobody outside has said since what time it is"
            ]
        );
        assert_eq!(Blocker::Held(1).to_string(), "1 hold is on it");
        assert!(Blocker::Until(at(0)).to_string().ends_with("until 1970-01-01T00:00:00.000Z"));
        assert!(Blocker::ClockBehind(at(0)).to_string().contains("no two sources"));
    }
}

//! What time it is, as far as anybody can know: an interval. Retention starts at its upper end and ends at its lower one, so a clock that
//! somebody pushes can delay a disposal and never bring one on (SnapLock; MinIO's host clock is the lesson).

use crate::error::Code;
use crate::time::Timestamp;

/// How wrong a clock of a machine that runs may be, in parts of a million.
const DRIFT_PPM: u64 = 200;
const NS_OF_MS: u64 = 1_000_000;
/// A wall clock so far behind the last one seen is no noise.
const BEHIND_MS_MAX: u64 = 2_000;
/// A single step of the lower bound that people have to agree to.
const STEP_MS_MAX: u64 = 24 * 3_600_000;

/// What the machine says. `since_boot_ns` goes on while it sleeps: a bound that stood still then would be one too low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reading {
    /// The wall clock, which anybody with the machine can set.
    pub wall: Timestamp,
    /// Which start of the machine.
    pub boot: [u8; 16],
    /// Nanoseconds since then.
    pub since_boot_ns: u64,
}

/// What somebody outside signed about the time: it was no earlier and no later, at a moment that is over now.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimeEvidence {
    /// Who said it: two of one source are one.
    pub source: Vec<u8>,
    /// It was at least so late.
    pub earliest: Timestamp,
    /// It was at most so late when it was asked for.
    pub latest: Timestamp,
}

/// Between which moments now lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// It is at least this late.
    pub lo: Timestamp,
    /// It is at most this late; `None` since the machine was started, until evidence comes.
    pub hi: Option<Timestamp>,
}

/// The clock of a ledger. Everything that changes it is an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct LedgerClock {
    lo_ms: u64,
    /// When `lo_ms` held.
    at: Option<([u8; 16], u64)>,
    /// Upper bound, and when it held.
    hi: Option<(u64, [u8; 16], u64)>,
    /// The latest wall clock that was seen.
    wall_ms: u64,
    is_frozen: bool,
}

/// What a look at the clock showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// Between which moments it is.
    pub interval: Interval,
    /// How far the wall clock is behind the last one that was seen, where that is no noise, in milliseconds.
    pub behind_ms: Option<u64>,
}

impl LedgerClock {
    /// Looks at the machine. The lower bound goes on with it; a machine that was off gives no credit for that time.
    pub fn look(&mut self, now: Reading) -> Looked {
        let interval = self.interval(now);
        self.lo_ms = interval.lo.as_ms();
        self.at = Some((now.boot, now.since_boot_ns));
        let behind = self.wall_ms.checked_sub(now.wall.as_ms()).filter(|behind| *behind > BEHIND_MS_MAX);
        self.is_frozen |= behind.is_some();
        self.wall_ms = self.wall_ms.max(now.wall.as_ms());
        Looked { interval, behind_ms: behind }
    }

    /// Between which moments now lies, by what is known so far.
    #[must_use]
    pub fn interval(&self, now: Reading) -> Interval {
        let ran = |boot: [u8; 16], since: u64| {
            // A count that went backwards within one start of a machine is not one of a machine that can be trusted.
            (boot == now.boot).then(|| now.since_boot_ns.checked_sub(since)).flatten()
        };
        let gained = self.at.and_then(|(boot, since)| ran(boot, since)).map_or(0, slow);
        let hi = self.hi.and_then(|(ms, boot, since)| Some(ms.saturating_add(fast(ran(boot, since)?))));
        Interval {
            lo: Timestamp::from_ms(self.lo_ms.saturating_add(gained)),
            hi: hi.map(|hi| Timestamp::from_ms(hi.max(self.lo_ms.saturating_add(gained)))),
        }
    }

    /// Takes what was signed outside. One source is enough for the upper bound; the lower one takes two that agree on it, and a
    /// step of more than a day takes people, too (`is_agreed`).
    ///
    /// # Errors
    /// [`Code::NotConfirmed`] when the step is larger and nobody agreed to it: the upper bound is taken, the lower one not.
    pub fn take(&mut self, now: Reading, evidence: &[TimeEvidence], is_agreed: bool) -> Result<Interval, Code> {
        self.look(now);
        if let Some(latest) = evidence.iter().filter(|e| e.earliest <= e.latest).map(|e| e.latest.as_ms()).min() {
            let now_hi = self.interval(now).hi.map(Timestamp::as_ms);
            self.hi = Some((now_hi.map_or(latest, |hi| hi.min(latest)), now.boot, now.since_boot_ns));
        }
        if let Some(lower) = second_latest(evidence) {
            if lower.saturating_sub(self.lo_ms) > STEP_MS_MAX && !is_agreed {
                return Err(Code::NotConfirmed);
            }
            self.lo_ms = self.lo_ms.max(lower);
            // Two that are not this machine have said what time it is: what its wall clock did before no longer matters.
            self.is_frozen = false;
            self.wall_ms = now.wall.as_ms();
        }
        Ok(self.interval(now))
    }

    /// May anything be found to have ended? Not after the wall clock went back, until two others have said what time it is.
    #[must_use]
    pub const fn is_frozen(&self) -> bool {
        self.is_frozen
    }
}

/// What two sources at least agree that it is: the earlier of the two latest.
fn second_latest(evidence: &[TimeEvidence]) -> Option<u64> {
    let mut best: Vec<(&[u8], u64)> = Vec::new();
    for one in evidence.iter().filter(|e| e.earliest <= e.latest) {
        match best.iter_mut().find(|(source, _)| *source == one.source.as_slice()) {
            Some((_, ms)) => *ms = (*ms).max(one.earliest.as_ms()),
            None => best.push((&one.source, one.earliest.as_ms())),
        }
    }
    let mut times: Vec<u64> = best.into_iter().map(|(_, ms)| ms).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    times.get(1).copied()
}

/// Milliseconds, less than have passed, however fast the machine's clock is.
fn slow(ns: u64) -> u64 {
    let ms = ns.checked_div(NS_OF_MS).unwrap_or(0);
    ms.saturating_sub(drift(ms))
}

/// Milliseconds, more than have passed, however slow it is.
fn fast(ns: u64) -> u64 {
    let ms = ns.div_ceil(NS_OF_MS);
    ms.saturating_add(drift(ms))
}

/// Rounded up.
fn drift(ms: u64) -> u64 {
    ms.div_ceil(1_000_000 / DRIFT_PPM)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const NOW: u64 = 1_795_169_821_416;

    fn reading(wall: u64, boot: u8, ran_ms: u64) -> Reading {
        Reading { wall: Timestamp::from_ms(wall), boot: [boot; 16], since_boot_ns: ran_ms * 1_000_000 }
    }

    fn said(source: &str, earliest: u64, latest: u64) -> TimeEvidence {
        let (earliest, latest) = (Timestamp::from_ms(earliest), Timestamp::from_ms(latest));
        TimeEvidence { source: source.as_bytes().to_vec(), earliest, latest }
    }

    fn two(at: u64) -> [TimeEvidence; 2] {
        [said("w1", at - 1_000, at + 1_000), said("tsa", at - 500, at + 2_000)]
    }

    fn anchored() -> LedgerClock {
        let mut clock = LedgerClock::default();
        clock.take(reading(NOW, 1, 0), &two(NOW), true).unwrap();
        clock
    }

    fn ms(interval: Interval) -> (u64, Option<u64>) {
        (interval.lo.as_ms(), interval.hi.map(Timestamp::as_ms))
    }

    #[test]
    fn two_sources_give_a_lower_bound_and_one_an_upper_one() {
        let mut clock = LedgerClock::default();
        assert_eq!(ms(clock.look(reading(NOW, 1, 0)).interval), (0, None), "a wall clock alone is no evidence");
        let one = clock.take(reading(NOW, 1, 10), &[said("w1", NOW - 5, NOW + 5)], true).unwrap();
        assert_eq!(ms(one), (9, Some(NOW + 5)), "what one source says is no lower bound");
        let twice = [said("w1", NOW - 5, NOW + 5), said("w1", NOW, NOW + 9)];
        assert_eq!(clock.take(reading(NOW, 1, 10), &twice, true).unwrap().lo.as_ms(), 9, "one source twice is one");
        let interval = clock.take(reading(NOW, 1, 10), &two(NOW), true).unwrap();
        assert_eq!(
            ms(interval),
            (NOW - 1_000, Some(NOW + 5)),
            "the earlier of both, and the least that was said above"
        );
        let wrong = [said("a", NOW + 9, NOW), said("b", NOW + 9, NOW)];
        assert_eq!(
            ms(clock.take(reading(NOW, 1, 10), &wrong, true).unwrap()),
            ms(interval),
            "a bound above its own end"
        );
    }

    #[test]
    fn a_long_step_takes_people() {
        let mut clock = anchored();
        let later = NOW + 3 * DAY_MS;
        assert_eq!(clock.take(reading(later, 2, 0), &two(later), false), Err(Code::NotConfirmed));
        assert_eq!(ms(clock.interval(reading(later, 2, 0))), (NOW - 1_000, Some(later + 1_000)));
        assert_eq!(clock.take(reading(later, 2, 0), &two(later), true).unwrap().lo.as_ms(), later - 1_000);
        let day = later + DAY_MS - 2_000;
        assert_eq!(clock.take(reading(day, 2, 0), &two(day), false).unwrap().lo.as_ms(), day - 1_000);
    }

    /// +20 years, -2 years, frozen, off and asleep: nothing becomes eligible early, and nothing shortens (TIME-02).
    #[test]
    fn a_clock_that_somebody_pushes_moves_nothing() {
        let at = |wall: u64, boot, ran| {
            let mut clock = anchored();
            let looked = clock.look(reading(wall, boot, ran));
            (ms(looked.interval), looked.behind_ms.is_some(), clock.is_frozen())
        };
        let (lo, hi) = (NOW - 1_000, NOW + 1_000);
        let years = 365 * DAY_MS;
        assert_eq!(at(NOW + 20 * years, 1, 0), ((lo, Some(hi)), false, false));
        assert_eq!(at(NOW - 2 * years, 1, 0), ((lo, Some(hi)), true, true), "back: frozen");
        assert_eq!(at(NOW - 1_500, 1, 0), ((lo, Some(hi)), false, false), "noise");
        assert_eq!(
            at(NOW, 1, DAY_MS),
            ((lo + DAY_MS - 17_280, Some(hi + DAY_MS + 17_280)), false, false),
            "a frozen wall clock"
        );
        assert_eq!(at(NOW + DAY_MS, 2, DAY_MS), ((lo, None), false, false), "off: no credit, and no upper bound");
        let mut clock = anchored();
        clock.look(reading(NOW - 2 * years, 1, 0));
        clock.take(reading(NOW, 1, 10), &two(NOW), false).unwrap();
        assert!(!clock.is_frozen(), "two others have said what time it is");
    }

    proptest! {
        /// Whatever the machine and the world do, in any order: the lower bound never falls, never passes the truth while the sources
        /// tell it, and the upper one is never below it.
        #[test]
        fn the_bounds_hold(steps in prop::collection::vec((0u8..5, 0u64..200_000_000, -2_000_000_000i64..2_000_000_000), 1..40)) {
            let (mut clock, mut truth, mut boot, mut ran) = (LedgerClock::default(), NOW, 1u8, 0u64);
            let mut last = 0;
            for (step, passed, skew) in steps {
                truth += passed;
                ran += passed;
                if step == 0 {
                    (boot, ran) = (boot.wrapping_add(1), 0);
                }
                let wall = truth.saturating_add_signed(skew);
                let now = reading(wall, boot, ran);
                let interval = match step {
                    1 => clock.take(now, &two(truth), true).unwrap(),
                    2 => clock.take(now, &[said("w1", truth - 10, truth + 10)], true).unwrap(),
                    3 => clock.take(now, &two(truth), false).unwrap_or_else(|_| clock.interval(now)),
                    _ => clock.look(now).interval,
                };
                prop_assert!(interval.lo.as_ms() >= last, "the lower bound fell");
                prop_assert!(interval.lo.as_ms() <= truth, "something would have ended early");
                prop_assert!(interval.hi.is_none_or(|hi| hi.as_ms() >= truth), "something would have begun early");
                last = interval.lo.as_ms();
            }
        }
    }
}

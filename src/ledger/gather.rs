//! How long the writer waits for a group to fill. With callers at work on every core it would otherwise wake to groups
//! of a few, and spend the machine on syncs.

use std::time::{Duration, Instant};

/// Between two looks at the queue.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_micros(50);
/// Fewer entries than this are a caller or two, who would only wait for themselves.
const CALLERS_MIN: usize = 3;
/// No more is waited for. Where as many callers come by themselves, waiting for all of them would leave the cores idle while
/// the group is synced: with 64 callers and groups of 51 a fifth fewer entries were made than with groups of 35.
const GOAL_MAX: usize = 24;
/// Once in so many groups more is asked for than came last time.
const GROUPS_A_PROBE: u32 = 16;
/// As many looks in a row that find nobody end the wait: all who would come are waiting already.
const LOOKS_IN_VAIN: u32 = 3;
/// The longest wait, however many come.
const PATIENCE: Duration = Duration::from_micros(2_000);

/// What the writer has learned of its callers: a group is waited for until it is as large as the last one, and now and
/// then for twice as much, to see whether more would come.
#[derive(Debug)]
pub(super) struct Gather {
    goal: usize,
    groups_since_probe: u32,
}

impl Default for Gather {
    fn default() -> Self {
        Self { goal: 1, groups_since_probe: 0 }
    }
}

/// One wait: over when nobody comes any more, or after [`PATIENCE`].
#[derive(Debug)]
pub(super) struct Wait {
    until: Option<Instant>,
    in_vain: u32,
}

impl Wait {
    pub(super) fn begin() -> Self {
        Self { until: Instant::now().checked_add(PATIENCE), in_vain: 0 }
    }

    /// After a look that found so many: is another worth it?
    pub(super) fn goes_on(&mut self, found: usize) -> bool {
        self.in_vain = if found == 0 { self.in_vain.saturating_add(1) } else { 0 };
        self.in_vain < LOOKS_IN_VAIN && self.until.is_some_and(|until| Instant::now() < until)
    }
}

impl Gather {
    /// How many entries are worth waiting for, when so many are there at once; `None` to go on with those.
    pub(super) const fn goal(&self, entries: usize) -> Option<usize> {
        if entries >= CALLERS_MIN && entries < self.goal { Some(self.goal) } else { None }
    }

    /// So many came in the end.
    pub(super) fn gathered(&mut self, entries: usize) {
        self.groups_since_probe = self.groups_since_probe.saturating_add(1);
        // A goal that was reached may be too low; one that was not was too high.
        let may_climb = entries >= self.goal && entries >= CALLERS_MIN;
        let was_probe = self.goal > CALLERS_MIN && may_climb && self.groups_since_probe == 1;
        if may_climb && (was_probe || self.groups_since_probe >= GROUPS_A_PROBE) {
            self.goal = entries.saturating_mul(2).min(GOAL_MAX);
            self.groups_since_probe = 0;
        } else {
            self.goal = entries.min(GOAL_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups of a closed circle of callers, of whom `at_once` are there when the writer looks and all come in time.
    fn groups(callers: usize, at_once: usize) -> Vec<usize> {
        let mut gather = Gather::default();
        let group = |_| {
            let entries = gather.goal(at_once).map_or(at_once, |goal| goal.min(callers));
            gather.gathered(entries);
            entries
        };
        (0..200).map(group).collect()
    }

    #[test]
    fn a_few_callers_never_wait() {
        for callers in [1, 2] {
            assert!(groups(callers, callers).iter().all(|n| *n == callers));
            let mut gather = Gather::default();
            (0..100).for_each(|_| gather.gathered(callers));
            assert_eq!(gather.goal(callers), None);
        }
    }

    #[test]
    fn many_callers_are_gathered_and_the_goal_follows_them() {
        let seen = groups(64, 5);
        assert!(seen[..16].iter().all(|n| *n == 5), "not before it is known that they are many");
        assert!(seen[40..].iter().all(|n| *n == GOAL_MAX), "{seen:?}");
        // They leave: the goal falls at once.
        let mut gather = Gather::default();
        (0..60).for_each(|_| gather.gathered(gather.goal(5).unwrap_or(5)));
        assert_eq!(gather.goal(5), Some(GOAL_MAX));
        gather.gathered(6);
        assert_eq!(gather.goal(5), Some(6));
        // They are many more at once: still no more is waited for.
        gather.gathered(200);
        assert_eq!((gather.goal(5), gather.goal(GOAL_MAX)), (Some(GOAL_MAX), None));
    }

    #[test]
    fn a_wait_ends_when_nobody_comes() {
        let mut wait = Wait::begin();
        assert!([1, 0, 3, 0, 2].into_iter().all(|found| wait.goes_on(found)), "now and then somebody came");
        assert!(wait.goes_on(0) && wait.goes_on(0));
        assert!(!wait.goes_on(0));
        let mut over = Wait { until: Instant::now().checked_sub(Duration::from_secs(1)), in_vain: 0 };
        assert!(!over.goes_on(5), "however many come");
    }

    #[test]
    fn probing_in_vain_is_rare() {
        // Eight callers, all there at once: twice as many never come.
        let mut gather = Gather::default();
        let waits = (0..160).filter(|_| {
            let waited = gather.goal(8).is_some();
            gather.gathered(8);
            waited
        });
        assert_eq!(waits.count(), 10 - 1);
    }
}

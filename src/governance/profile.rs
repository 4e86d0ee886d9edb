//! How much a ledger asks of people. Named in entry 0, and only ever tightened.

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// One person and a machine: for trying things out and for one's own records.
    Personal,
    /// Two people who watch each other.
    SmallFirm,
    /// People with roles that exclude each other.
    Regulated,
}

impl Profile {
    /// Every profile, the least strict first.
    pub const ALL: [Self; 3] = [Self::Personal, Self::SmallFirm, Self::Regulated];

    /// The name in entry 0.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::SmallFirm => "small-firm",
            Self::Regulated => "regulated",
        }
    }

    /// From its name; of one that is not known here nothing is permitted.
    ///
    /// ```
    /// use immutape::governance::Profile;
    /// assert_eq!(Profile::from_name("small-firm"), Some(Profile::SmallFirm));
    /// assert_eq!(Profile::from_name("anything"), None);
    /// ```
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// May a ledger of this profile become one of `other`?
    #[must_use]
    pub fn may_become(self, other: Self) -> bool {
        other >= self
    }

    /// Does it know people, rather than whoever can open the keys of the machine?
    #[must_use]
    pub const fn has_people(self) -> bool {
        !matches!(self, Self::Personal)
    }

    /// Are roles that exclude each other in a firm of many refused?
    #[must_use]
    pub const fn is_strict(self) -> bool {
        matches!(self, Self::Regulated)
    }

    /// People besides the one who asks, whose signatures an end of a tape needs (B4 row 13: two of three or more).
    #[must_use]
    pub const fn approvals(self) -> usize {
        match self {
            Self::Personal => 0,
            Self::SmallFirm => 1,
            Self::Regulated => 2,
        }
    }

    /// How long an approved end waits, in milliseconds. Two people see less than three, so they have longer to find a mistake.
    #[must_use]
    pub const fn cool_off_ms(self) -> u64 {
        match self {
            Self::Personal => 0,
            Self::SmallFirm => 14 * DAY_MS,
            Self::Regulated => 7 * DAY_MS,
        }
    }

    /// How long after its enrolment a role counts that two others must give, in milliseconds: time for everybody to see it.
    #[must_use]
    pub const fn enrolment_wait_ms(self) -> u64 {
        if self.is_strict() { 3 * DAY_MS } else { 0 }
    }

    /// How long a login counts, in milliseconds.
    #[must_use]
    pub const fn login_ms(self) -> u64 {
        if self.is_strict() { 8 * HOUR_MS } else { 12 * HOUR_MS }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_only_tightened() {
        for (n, one) in Profile::ALL.into_iter().enumerate() {
            for (m, other) in Profile::ALL.into_iter().enumerate() {
                assert_eq!(one.may_become(other), m >= n, "{one:?} {other:?}");
            }
            assert_eq!(Profile::from_name(one.name()), Some(one));
        }
        assert_eq!((Profile::from_name("Personal"), Profile::from_name("")), (None, None));
    }

    #[test]
    fn what_each_asks() {
        let asked = |p: Profile| (p.has_people(), p.is_strict(), p.approvals(), p.cool_off_ms() / DAY_MS);
        assert_eq!(Profile::ALL.map(asked), [(false, false, 0, 0), (true, false, 1, 14), (true, true, 2, 7)]);
        assert_eq!(Profile::ALL.map(Profile::enrolment_wait_ms), [0, 0, 3 * DAY_MS]);
        assert_eq!(Profile::ALL.map(|p| p.login_ms() / HOUR_MS), [12, 12, 8]);
    }
}

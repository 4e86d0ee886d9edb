//! What people may be, and which two things nobody may be at once.

use std::fmt;

/// A role. Its number stands in entries; its word in commands, statements and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Records and saves sessions.
    Recorder,
    /// Reads what tapes hold.
    Reader,
    /// Keeps the schedule: classes, claims, events; asks for disposal.
    RecordsManager,
    /// Places and releases holds and restrictions.
    HoldOfficer,
    /// Signs that a request of somebody else may be carried out.
    Approver,
    /// Keeps the keys of the vault; carries out what was approved.
    KeyCustodian,
    /// Reads everything, changes nothing; a regulator's inspector is one, too.
    Auditor,
    /// Runs the machine: sees no content.
    Administrator,
}

impl Role {
    /// Every role, in the order of the manual.
    pub const ALL: [Self; 8] = [
        Self::Recorder,
        Self::Reader,
        Self::RecordsManager,
        Self::HoldOfficer,
        Self::Approver,
        Self::KeyCustodian,
        Self::Auditor,
        Self::Administrator,
    ];

    /// The word.
    ///
    /// ```
    /// use immutape::governance::Role;
    /// assert_eq!(Role::RecordsManager.word(), "records-manager");
    /// assert_eq!(Role::parse("records-manager"), Some(Role::RecordsManager));
    /// assert_eq!(Role::parse("king"), None);
    /// ```
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Recorder => "recorder",
            Self::Reader => "reader",
            Self::RecordsManager => "records-manager",
            Self::HoldOfficer => "hold-officer",
            Self::Approver => "approver",
            Self::KeyCustodian => "key-custodian",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }

    /// The role with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }

    /// The number in entries (`docs/format/4-commit.md` 4.7).
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Recorder => 0,
            Self::Reader => 1,
            Self::RecordsManager => 2,
            Self::HoldOfficer => 3,
            Self::Approver => 4,
            Self::KeyCustodian => 5,
            Self::Auditor => 6,
            Self::Administrator => 7,
        }
    }

    /// From its number; `None` for a role of a later program, which gives nothing here.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.number() == number)
    }

    /// Do two others have to enrol somebody into it, and does it wait before it counts (`Profile::wait_ms`)?
    #[must_use]
    pub const fn needs_two_others(self) -> bool {
        matches!(self, Self::Approver | Self::HoldOfficer | Self::KeyCustodian)
    }

    /// Why one person may not have both, under any profile or, where `strict`, under one for several people.
    ///
    /// Who asks for the end of a tape must not be who allows it; who checks must not be who is checked; who runs the machine
    /// must not see what is on it (21 CFR 11.10(g), SOX 404; ADM-01).
    #[must_use]
    pub const fn conflict(self, other: Self, strict: bool) -> Option<&'static str> {
        use Role::{Administrator, Approver, Auditor, HoldOfficer, KeyCustodian, Reader, Recorder, RecordsManager};
        match (self, other) {
            (Auditor, Recorder | RecordsManager | HoldOfficer | Approver | KeyCustodian | Administrator)
            | (Recorder | RecordsManager | HoldOfficer | Approver | KeyCustodian | Administrator, Auditor) => {
                Some("who checks must not be who is checked")
            }
            (RecordsManager, Approver) | (Approver, RecordsManager) => {
                Some("who asks for the end of a tape must not be who allows it")
            }
            _ if !strict => None,
            (RecordsManager, HoldOfficer) | (HoldOfficer, RecordsManager) => {
                Some("who ends retention must not be who lifts what stops it")
            }
            (Approver, HoldOfficer | KeyCustodian | Recorder) | (HoldOfficer | KeyCustodian | Recorder, Approver) => {
                Some("who allows the end of a tape must have no other hand in it")
            }
            (KeyCustodian, RecordsManager | HoldOfficer) | (RecordsManager | HoldOfficer, KeyCustodian) => {
                Some("who destroys keys must not be who decides which")
            }
            (Administrator, Reader | RecordsManager | HoldOfficer | Approver | KeyCustodian)
            | (Reader | RecordsManager | HoldOfficer | Approver | KeyCustodian, Administrator) => {
                Some("who runs the machine must not see or decide what is on it")
            }
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The first two roles of a set that nobody may have at once, with the reason.
#[must_use]
pub fn first_conflict(roles: &[Role], strict: bool) -> Option<(Role, Role, &'static str)> {
    roles.iter().enumerate().find_map(|(n, one)| {
        roles.iter().skip(n.saturating_add(1)).find_map(|other| Some((*one, *other, one.conflict(*other, strict)?)))
    })
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;

    #[test]
    fn conflicts_have_no_direction_and_nobody_conflicts_with_himself() {
        for strict in [false, true] {
            for one in Role::ALL {
                assert_eq!(one.conflict(one, strict), None);
                for other in Role::ALL {
                    assert_eq!(one.conflict(other, strict), other.conflict(one, strict), "{one} {other}");
                    // What is refused of two people is refused of many.
                    assert!(strict || one.conflict(other, false).is_none() || one.conflict(other, true).is_some());
                }
            }
        }
    }

    /// The whole matrix, as the manual shows it.
    #[test]
    fn the_matrix() {
        let mut found = Vec::new();
        for (n, one) in Role::ALL.into_iter().enumerate() {
            for other in Role::ALL.into_iter().skip(n + 1) {
                let (few, many) = (one.conflict(other, false).is_some(), one.conflict(other, true).is_some());
                if many {
                    found.push(format!("{one} {other} {}", if few { "always" } else { "strict" }));
                }
            }
        }
        assert_eq!(
            found,
            [
                "recorder approver strict",
                "recorder auditor always",
                "reader administrator strict",
                "records-manager hold-officer strict",
                "records-manager approver always",
                "records-manager key-custodian strict",
                "records-manager auditor always",
                "records-manager administrator strict",
                "hold-officer approver strict",
                "hold-officer key-custodian strict",
                "hold-officer auditor always",
                "hold-officer administrator strict",
                "approver key-custodian strict",
                "approver auditor always",
                "approver administrator strict",
                "key-custodian auditor always",
                "key-custodian administrator strict",
                "auditor administrator always",
            ]
        );
    }

    #[test]
    fn a_set_names_its_first_conflict() {
        use Role::{Approver, Auditor, KeyCustodian, Reader, RecordsManager};
        assert_eq!(first_conflict(&[Reader, RecordsManager], true), None);
        let found = first_conflict(&[Reader, RecordsManager, KeyCustodian, Approver], true);
        assert_eq!(found.map(|(one, other, _)| (one, other)), Some((RecordsManager, KeyCustodian)));
        let found = first_conflict(&[Reader, RecordsManager, KeyCustodian, Approver], false);
        assert_eq!(found.map(|(one, other, _)| (one, other)), Some((RecordsManager, Approver)));
        assert_eq!(first_conflict(&[Auditor, Reader], true), None);
    }

    #[test]
    fn words_are_read_back() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.word()), Some(role));
        }
        assert_eq!((Role::parse("Auditor"), Role::parse("")), (None, None));
    }
}

//! Who may do what, where people have roles: one table, and one function that reads it. What the table does not name is refused.
//!
//! `docs/governance.md` shows the table; a test compares both, and goes through every combination.

use super::access::Action;
use super::people::ENROLS;
use super::roles::Role;
use crate::log::{ActorKind, Authentication};

/// What somebody with roles asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// What.
    pub action: Action,
    /// Roles that count now.
    pub roles: &'a [Role],
    /// Person, service or agent.
    pub kind: ActorKind,
    /// How it showed who it is.
    pub authentication: Authentication,
    /// Does it say what for?
    pub has_purpose: bool,
    /// Does it say on whose behalf?
    pub has_principal: bool,
    /// What the class of the tape asks for: a purpose, a principal of an agent.
    pub needs: ClassNeeds,
    /// Is the tape, or somebody it is about, restricted?
    pub is_restricted: bool,
}

/// What a class asks of who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassNeeds {
    /// Every read says what for.
    pub purpose: bool,
    /// An agent says on whose behalf.
    pub principal: bool,
}

/// Why somebody is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denied {
    /// Nobody knows who it is: a name of the operating system, or a key that is not registered, is a claim.
    Unknown,
    /// None of the roles that may.
    Role(&'static [Role]),
    /// The class asks what for.
    Purpose,
    /// The class asks on whose behalf an agent acts.
    Principal,
    /// Routine use of it is restricted.
    Restricted,
    /// Nobody removes a live tape outright.
    Disposal,
}

use Role::{
    Administrator as ADMINISTRATOR, Approver as APPROVER, Auditor as AUDITOR, HoldOfficer as HOLD_OFFICER,
    KeyCustodian as KEY_CUSTODIAN, Reader as READER, Recorder as RECORDER, RecordsManager as RECORDS_MANAGER,
};

/// Roles that may do it.
#[must_use]
pub const fn roles_for(action: Action) -> &'static [Role] {
    match action {
        Action::Save | Action::Record => &[RECORDER],
        Action::List | Action::Search | Action::ReadMetadata => {
            &[READER, RECORDS_MANAGER, HOLD_OFFICER, APPROVER, AUDITOR]
        }
        Action::Label => &[RECORDER, RECORDS_MANAGER],
        Action::ReadContent | Action::Follow | Action::Replay | Action::Export => &[READER, AUDITOR],
        Action::ReadLog => &[RECORDS_MANAGER, HOLD_OFFICER, APPROVER, KEY_CUSTODIAN, AUDITOR],
        Action::ReadCustody => &[READER, RECORDS_MANAGER, HOLD_OFFICER, APPROVER, KEY_CUSTODIAN, AUDITOR],
        Action::Evidence => &[RECORDS_MANAGER, HOLD_OFFICER, AUDITOR],
        Action::Prove | Action::Publish => &[RECORDS_MANAGER, AUDITOR, ADMINISTRATOR],
        Action::Verify => &Role::ALL,
        Action::Repair => &[ADMINISTRATOR, KEY_CUSTODIAN],
        Action::ChangeKeys | Action::Succeed => &[KEY_CUSTODIAN],
        Action::ManagePeople => &ENROLS,
        Action::Delete => &[],
    }
}

/// Does it give out what a tape holds, or what it is about?
#[must_use]
pub const fn gives_content(action: Action) -> bool {
    matches!(
        action,
        Action::ReadContent
            | Action::Follow
            | Action::Replay
            | Action::Export
            | Action::Evidence
            | Action::ReadMetadata
    )
}

/// Decides one access by roles.
///
/// # Errors
/// [`Denied`]: of several reasons the first that somebody could do something about.
pub fn decide_by_roles(asked: &Asked<'_>) -> Result<(), Denied> {
    if asked.action == Action::Delete {
        return Err(Denied::Disposal);
    }
    let is_known = match asked.authentication {
        Authentication::RegisteredKey | Authentication::Itself => true,
        Authentication::OsUser | Authentication::UnregisteredKey | Authentication::Token | Authentication::Later(_) => {
            false
        }
    };
    if !is_known {
        return Err(Denied::Unknown);
    }
    // What the ledger does by itself (a tape that a start seals, a job) needs no role, and gives nothing out.
    if asked.authentication == Authentication::Itself {
        return if gives_content(asked.action) { Err(Denied::Unknown) } else { Ok(()) };
    }
    let may = roles_for(asked.action);
    if !asked.roles.iter().any(|role| may.contains(role)) {
        return Err(Denied::Role(may));
    }
    if !gives_content(asked.action) {
        return Ok(());
    }
    if asked.needs.principal && asked.kind == ActorKind::Agent && !asked.has_principal {
        return Err(Denied::Principal);
    }
    if asked.needs.purpose && !asked.has_purpose {
        return Err(Denied::Purpose);
    }
    // A restriction stops routine use. Law, holds and checks go on: who has them in hand sees that it is restricted.
    let is_routine = !asked.roles.iter().any(|role| matches!(role, AUDITOR | HOLD_OFFICER | RECORDS_MANAGER));
    if asked.is_restricted && is_routine { Err(Denied::Restricted) } else { Ok(()) }
}

/// The table as the manual has it.
#[must_use]
pub fn matrix_text() -> String {
    let mut out = String::from("| act |");
    Role::ALL.iter().for_each(|role| out.push_str(&format!(" {role} |")));
    out.push_str("\n|---|");
    Role::ALL.iter().for_each(|_| out.push_str("---|"));
    for action in Action::ALL {
        out.push_str(&format!("\n| {} |", action.kind().name()));
        for role in Role::ALL {
            out.push_str(if roles_for(action).contains(&role) { " yes |" } else { " |" });
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;

    const KINDS: [ActorKind; 4] = [ActorKind::Human, ActorKind::Service, ActorKind::Agent, ActorKind::System];
    const WAYS: [Authentication; 6] = [
        Authentication::OsUser,
        Authentication::UnregisteredKey,
        Authentication::RegisteredKey,
        Authentication::Token,
        Authentication::Itself,
        Authentication::Later(9),
    ];

    fn asked(action: Action, roles: &[Role]) -> Asked<'_> {
        Asked {
            action,
            roles,
            kind: ActorKind::Human,
            authentication: Authentication::RegisteredKey,
            has_purpose: false,
            has_principal: false,
            needs: ClassNeeds::default(),
            is_restricted: false,
        }
    }

    /// Every action, role, kind, way of showing who one is, class, purpose and restriction: 122,880 questions, and what is granted is granted
    /// for a reason that can be named here again.
    #[test]
    fn the_whole_table() {
        let (mut granted, mut all) = (0u32, 0u32);
        for action in Action::ALL {
            for role in Role::ALL {
                for kind in KINDS {
                    for authentication in WAYS {
                        for bits in 0..32u8 {
                            let bit = |n: u8| bits >> n & 1 > 0;
                            let roles = [role];
                            let question = Asked {
                                kind,
                                authentication,
                                has_purpose: bit(0),
                                has_principal: bit(1),
                                needs: ClassNeeds { purpose: bit(2), principal: bit(3) },
                                is_restricted: bit(4),
                                ..asked(action, &roles)
                            };
                            let decided = decide_by_roles(&question);
                            all += 1;
                            if decided.is_err() {
                                continue;
                            }
                            granted += 1;
                            let itself = authentication == Authentication::Itself;
                            assert!(action != Action::Delete, "{question:?}");
                            assert!(itself || authentication == Authentication::RegisteredKey, "{question:?}");
                            assert!(itself || roles_for(action).contains(&role), "{question:?}");
                            if gives_content(action) {
                                assert!(!itself && (!question.needs.purpose || question.has_purpose), "{question:?}");
                                let is_agent = kind == ActorKind::Agent && question.needs.principal;
                                assert!(!is_agent || question.has_principal, "{question:?}");
                                assert!(!question.is_restricted || role != Role::Reader, "{question:?}");
                            }
                        }
                    }
                }
            }
        }
        assert_eq!((all, granted > 0 && granted < all / 4), (129_024, true), "{granted} granted");
    }

    #[test]
    fn each_reason_is_told() {
        let reader = [Role::Reader];
        let read = asked(Action::ReadContent, &reader);
        assert_eq!(decide_by_roles(&read), Ok(()));
        assert_eq!(decide_by_roles(&asked(Action::Delete, &reader)), Err(Denied::Disposal));
        let stranger = Asked { authentication: Authentication::UnregisteredKey, ..read };
        assert_eq!(decide_by_roles(&stranger), Err(Denied::Unknown));
        assert_eq!(decide_by_roles(&asked(Action::ReadContent, &[])), Err(Denied::Role(&[READER, AUDITOR])));
        let needs = ClassNeeds { purpose: true, principal: true };
        assert_eq!(decide_by_roles(&Asked { needs, ..read }), Err(Denied::Purpose));
        let agent = Asked { needs, kind: ActorKind::Agent, has_purpose: true, ..read };
        assert_eq!(decide_by_roles(&agent), Err(Denied::Principal));
        let restricted = Asked { is_restricted: true, ..read };
        assert_eq!(decide_by_roles(&restricted), Err(Denied::Restricted));
        let officer = [Role::Reader, Role::HoldOfficer];
        assert_eq!(decide_by_roles(&Asked { roles: &officer, ..restricted }), Ok(()));
        let start =
            Asked { authentication: Authentication::Itself, kind: ActorKind::System, ..asked(Action::Record, &[]) };
        assert_eq!(decide_by_roles(&start), Ok(()));
        assert_eq!(decide_by_roles(&Asked { action: Action::ReadContent, ..start }), Err(Denied::Unknown));
    }

    /// Who runs the machine sees no content, whatever else the table says; nobody who destroys keys or approves does either.
    #[test]
    fn who_must_not_see_content_does_not() {
        for action in [Action::ReadContent, Action::Follow, Action::Replay, Action::Export] {
            for role in [Role::Administrator, Role::KeyCustodian, Role::Approver, Role::Recorder, Role::RecordsManager]
            {
                assert!(!roles_for(action).contains(&role), "{role} {action:?}");
            }
        }
        assert!(roles_for(Action::Delete).is_empty());
    }

    #[test]
    fn the_manual_shows_this_table() {
        let manual = include_str!("../../docs/governance.md");
        assert!(
            manual.contains(&matrix_text()),
            "docs/governance.md has another table; this one is\n{}",
            matrix_text()
        );
    }
}

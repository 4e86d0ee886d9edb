//! One pure function decides every access. Deny is the default: an action the policy does not name is refused.

use super::profile::Profile;
use crate::error::Code;
use crate::log::{Actor, Authentication, EntryKind};

/// What somebody asks to do; each is an entry, granted or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Save a tape.
    Save,
    /// Record a session while it happens.
    Record,
    /// List tapes.
    List,
    /// Search for tapes by conditions.
    Search,
    /// Give a tape other labels.
    Label,
    /// Read what a tape is about, without its frames.
    ReadMetadata,
    /// Read frames.
    ReadContent,
    /// Read frames of a session while it is recorded.
    Follow,
    /// Play a tape back.
    Replay,
    /// Read the log.
    ReadLog,
    /// Read the custody of a tape.
    ReadCustody,
    /// Write a tape out in a format.
    Export,
    /// Make an evidence bundle.
    Evidence,
    /// Get a proof or a receipt.
    Prove,
    /// Publish heads, hashes or public halves.
    Publish,
    /// Check the ledger.
    Verify,
    /// Mend one copy from the other.
    Repair,
    /// Replace or revoke a key of the ledger.
    ChangeKeys,
    /// Go on in place of a log that lost entries.
    Succeed,
    /// Enrol people, give and take roles, replace their keys.
    ManagePeople,
    /// Remove a live tape.
    Delete,
}

impl Action {
    /// Every action, for the table of tests.
    pub const ALL: [Self; 21] = [
        Self::Save,
        Self::Record,
        Self::List,
        Self::Search,
        Self::Label,
        Self::ReadMetadata,
        Self::ReadContent,
        Self::Follow,
        Self::Replay,
        Self::ReadLog,
        Self::ReadCustody,
        Self::Export,
        Self::Evidence,
        Self::Prove,
        Self::Publish,
        Self::Verify,
        Self::Repair,
        Self::ChangeKeys,
        Self::Succeed,
        Self::ManagePeople,
        Self::Delete,
    ];

    /// The kind of entry that records it.
    #[must_use]
    pub const fn kind(self) -> EntryKind {
        match self {
            Self::Save => EntryKind::TAPE_SAVED,
            Self::Record => EntryKind::TAPE_OPENED,
            Self::List => EntryKind::LISTED,
            Self::Search => EntryKind::SEARCHED,
            Self::Label => EntryKind::LABELLED,
            Self::ReadMetadata => EntryKind::METADATA_READ,
            Self::ReadContent => EntryKind::ACCESS_GRANTED,
            Self::Follow => EntryKind::FOLLOWED,
            Self::Replay => EntryKind::REPLAYED,
            Self::ReadLog => EntryKind::LOG_READ,
            Self::ReadCustody => EntryKind::CUSTODY_READ,
            Self::Export => EntryKind::EXPORTED,
            Self::Evidence => EntryKind::EVIDENCE_MADE,
            Self::Prove => EntryKind::RECEIPT_ISSUED,
            Self::Publish => EntryKind::PUBLISHED,
            Self::Verify => EntryKind::VERIFIED,
            Self::Repair => EntryKind::INTEGRITY_REPAIRED,
            Self::ChangeKeys => EntryKind::KEY_ROTATED,
            Self::Succeed => EntryKind::SUCCESSION,
            Self::ManagePeople => EntryKind::ACTOR_ADDED,
            Self::Delete => EntryKind::DISPOSAL_REQUESTED,
        }
    }
}

/// The access policy of a ledger, named in entry 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// People with roles, by a table: entry 0 names those who are there from the beginning.
    ByRoles,
    /// Until people are enrolled: who can open the ledger's keys on this machine may do all that destroys nothing.
    LocalOperator,
}

impl Policy {
    /// The name in entry 0.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LocalOperator => "local-operator",
            Self::ByRoles => "by-roles",
        }
    }

    /// From the name in entry 0; an unknown policy grants nothing.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::LocalOperator, Self::ByRoles].into_iter().find(|policy| policy.name() == name)
    }

    /// By what entry 0 names. A profile that is not known here may ask for more than anything here does: then nothing is permitted.
    #[must_use]
    pub fn in_force(profile: &str, policy: &str) -> Option<Self> {
        Profile::from_name(profile).and_then(|_| Self::from_name(policy))
    }
}

/// What the policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go on, after the entry is durable.
    Granted,
    /// Refused; the code names why.
    Refused(Code),
}

/// Decides one access. `policy` is `None` when entry 0 names one that this program does not know.
///
/// ```
/// use immutape::governance::{Action, Decision, Policy, decide};
/// use immutape::log::{Actor, ActorKind, Authentication};
/// use immutape::Code;
/// let actor = Actor { kind: ActorKind::Human, id: b"ann".to_vec(), authentication: Authentication::OsUser };
/// assert_eq!(decide(Some(Policy::LocalOperator), &actor, Action::ReadContent), Decision::Granted);
/// assert_eq!(decide(Some(Policy::LocalOperator), &actor, Action::Delete), Decision::Refused(Code::DisposalRequired));
/// assert_eq!(decide(None, &actor, Action::List), Decision::Refused(Code::NotPermitted));
/// ```
#[must_use]
pub const fn decide(policy: Option<Policy>, actor: &Actor, action: Action) -> Decision {
    match (policy, action, actor.authentication) {
        (None, _, _) => Decision::Refused(Code::NotPermitted),
        // No policy removes a live tape outside the disposal workflow.
        (_, Action::Delete, _) => Decision::Refused(Code::DisposalRequired),
        // Roles say it, and who has them stands in the log: [`super::decide_by_roles`] is asked with both.
        (Some(Policy::ByRoles), _, _) => Decision::Refused(Code::NotPermitted),
        // Nobody has registered a key or been given a token yet, so nobody can have shown one.
        (_, _, Authentication::RegisteredKey | Authentication::Token | Authentication::Later(_)) => {
            Decision::Refused(Code::NotPermitted)
        }
        (
            Some(Policy::LocalOperator),
            _,
            Authentication::OsUser | Authentication::UnregisteredKey | Authentication::Itself,
        ) => Decision::Granted,
    }
}

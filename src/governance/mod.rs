//! The law: who may do what, how long a tape must live, and the one value that lets a store discard.
//! Pure: no I/O, no clock of its own.

mod access;
mod calendar;
mod case;
mod claims;
mod class;
mod clearance;
mod clock;
mod holds;
mod look_alike;
mod matrix;
mod people;
mod person;
mod presets;
mod profile;
mod retention;
mod roles;
mod standing;

pub use clearance::DisposalClearance;
pub use profile::Profile;
pub use retention::{ClassStanding, Schedule};
pub use roles::Role;

// For the rooms above and their tests; nobody else has a use for it, so it may change with any version.
#[doc(hidden)]
pub use access::{Action, Decision, Policy, decide};
// The law as the next rooms will ask it. Until they do it may change with any version.
#[doc(hidden)]
pub use {
    calendar::end_of_period,
    case::{CASE_BYTES_MAX, CASE_NAMESPACE, Case, CaseFault, Meaning},
    claims::{End, Starts, Unending, end_of_claim, end_of_claims},
    class::{ClaimRule, Class, ClassFault, Mode, YEARS_MAX, YEARS_OF_ONE_PERSON, years_of},
    clock::{Interval, LedgerClock, Looked, Reading, TimeEvidence},
    holds::{ActorId, Catches, Hold, HoldId, Holds, together},
    matrix::{Asked, ClassNeeds, Denied, decide_by_roles, gives_content, matrix_text, roles_for},
    people::{People, PeopleFault},
    person::Person,
    presets::{CHECKED, CONFIRM, presets},
    roles::first_conflict,
    standing::{Blocker, Standing},
};

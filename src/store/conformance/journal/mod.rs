//! The clauses of [`Journal`].
//!
//! Not here: the tear rule. What a crash leaves is the engine's own matter, and its own tests cut the
//! power under it; here only what a contract can promise of any engine is asked.

pub mod material;

mod appending;
mod faults;
mod reading;
mod repairing;
mod turns;

use super::clause::Clause;
use crate::store::contracts::{Journal, Position};

/// One journal, empty at first, and handles on it.
pub trait Storage: Send + Sync {
    /// A new handle, as another process would open it. Several may be held at once.
    fn open(&self) -> Box<dyn Journal>;
}

/// A journal whose storage can be made to fail.
pub trait FaultyStorage: Storage {
    /// The sync of the next append fails; whether its group is there is open.
    fn fail_next_sync(&self);

    /// Takes the lock from whoever holds it, as when the lock file is removed under a writer.
    fn break_lock(&self);

    /// From now on there is little room or none; `false` gives room again.
    fn fill(&self, full: bool);

    /// Changes a bit in the body of the group at `position`.
    fn damage(&self, position: Position);

    /// What is not durable is gone. Handles were dropped before.
    fn cut_power(&self);
}

/// Clauses that ask for nothing but handles.
pub const CLAUSES: &[Clause<dyn Storage>] = &[
    Clause { name: "acquire: nothing is last in an empty journal", check: turns::empty },
    Clause { name: "acquire: gives the last group", check: turns::gives_the_last_group },
    Clause { name: "acquire: one holder at a time", check: turns::one_holder },
    Clause { name: "acquire: terms grow", check: turns::terms_grow },
    Clause { name: "acquire: again on the same handle is a new term", check: turns::again_is_a_new_term },
    Clause { name: "survey: tells the end beside a writer and changes nothing", check: turns::survey_changes_nothing },
    Clause { name: "place: needs the turn", check: turns::placing_needs_the_turn },
    Clause { name: "append: needs the turn", check: turns::appending_needs_the_turn },
    Clause { name: "place: may be repeated and shows nothing", check: appending::place_has_no_effect },
    Clause { name: "place: names term and group before", check: appending::place_is_right },
    Clause { name: "place: refuses what no group has", check: appending::place_refuses_lengths },
    Clause { name: "append: the bytes come back", check: appending::bytes_come_back },
    Clause { name: "append: outlives the handle", check: appending::outlives_the_handle },
    Clause { name: "append: a group of another term is refused", check: appending::refuses_another_term },
    Clause { name: "append: a group of another place is refused", check: appending::refuses_another_place },
    Clause { name: "append: a group after another one is refused", check: appending::refuses_another_previous },
    Clause { name: "append: a gap in the entries is refused", check: appending::refuses_a_gap },
    Clause { name: "append: a group that is not whole is refused", check: appending::refuses_what_is_not_whole },
    Clause { name: "append: the longest group fits", check: appending::longest_group_fits },
    Clause { name: "append: the closing flag lasts", check: appending::closing_flag_lasts },
    Clause { name: "is_nearly_full: not while there is room", check: appending::not_full_at_first },
    Clause { name: "read: needs no turn", check: reading::needs_no_turn },
    Clause { name: "read: every group once and in order", check: reading::every_group_in_order },
    Clause { name: "read: goes on from any position it gave", check: reading::goes_on_from_anywhere },
    Clause { name: "read: ends, and goes on when more comes", check: reading::ends_and_goes_on },
    Clause { name: "read: any number of readers while one writes", check: reading::many_readers },
    Clause { name: "replace: the same groups change nothing", check: repairing::same_changes_nothing },
    Clause { name: "replace: a broken chain changes nothing", check: repairing::broken_chain },
    Clause { name: "replace: groups left out are not dropped", check: repairing::drops_nothing },
    Clause { name: "replace: not while a turn is taken", check: repairing::not_while_writing },
];

/// Clauses about what storage does to a journal.
pub const FAULTS: &[Clause<dyn FaultyStorage>] = &[
    Clause { name: "append: durable on return", check: faults::durable_on_return },
    Clause { name: "append: a failed sync leaves it in doubt", check: faults::failed_sync_is_in_doubt },
    Clause { name: "append: after a failed sync the handle is broken for ever", check: faults::broken_for_ever },
    Clause { name: "acquire: decides what was in doubt", check: faults::next_turn_decides },
    Clause { name: "place: a writer without the lock is fenced", check: faults::placing_is_fenced },
    Clause { name: "append: a writer without the lock is fenced", check: faults::appending_is_fenced },
    Clause { name: "place: a full disk is said and loses nothing", check: faults::full_disk },
    Clause { name: "is_nearly_full: said before the last room is used", check: faults::nearly_full },
    Clause { name: "look_for_room: finds it when it is there", check: faults::room_is_found },
    Clause { name: "place: goes on when there is room again", check: faults::room_again },
    Clause { name: "read: damage is named", check: faults::damage_is_named },
    Clause { name: "replace: makes damage good", check: repairing::makes_damage_good },
];

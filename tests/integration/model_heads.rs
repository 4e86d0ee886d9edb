//! A model of ledger, crashes, copies that are put back or run on, and witnesses, walked through to its end by the checker
//! `stateright`: every order of everything that may happen, within three entries and three or four starts.
//!
//! The model is a second telling of the rules (`model_heads/rules.rs`), not the code; `anchor` and `heads` try the code. Rules that are
//! broken on purpose show that the properties can fail.

mod rules;
mod world;

use std::collections::BTreeSet;

use rules::{
    ALL_COSIGNED, ANSWER_LOST, ConfirmedBy, FORK_REFUSED, GIVEN, GOES_ON, Given, LASTING, ONE_COSIGNED, ONE_HISTORY,
    ONE_ROOT, ROLLBACK_REFUSED, Rules, Step,
};
use stateright::{Checker, HasDiscoveries, Model as _};

/// Walks through everything; every property must hold, and everything that is to happen sometimes must happen.
fn holds(rules: Rules, examples: &[&'static str]) {
    let checker = rules.checker().threads(2).spawn_bfs().join();
    println!("{} states, {} of them different", checker.state_count(), checker.unique_state_count());
    checker.assert_properties();
    for name in examples {
        checker.assert_any_discovery(name);
    }
    assert!(checker.unique_state_count() > 1_000, "{}", checker.unique_state_count());
}

/// The steps after which `name` does not hold.
fn fails(rules: Rules, name: &'static str) -> Vec<Step> {
    let until = HasDiscoveries::AnyOf(BTreeSet::from([name]));
    let checker = rules.checker().finish_when(until).spawn_bfs().join();
    let steps = checker.assert_any_discovery(name).into_actions();
    println!("{name}: {steps:?}");
    steps
}

#[test]
fn one_witness_and_every_crash_and_copy() {
    let rules = Rules { claims_one_root: true, starts_max: 4, ..Rules::honest(1, 1) };
    holds(rules, &[ROLLBACK_REFUSED, FORK_REFUSED, ALL_COSIGNED, ANSWER_LOST, GOES_ON]);
}

#[test]
fn two_witnesses_and_every_crash_and_copy() {
    let rules = Rules { claims_one_root: true, ..Rules::honest(2, 2) };
    holds(rules, &[ROLLBACK_REFUSED, FORK_REFUSED, ALL_COSIGNED, ANSWER_LOST, GOES_ON]);
}

/// What any one of them cosigned is one history too, if none may be silent at a start.
#[test]
fn two_witnesses_of_whom_one_is_enough() {
    let rules = Rules { claims_one_root: true, ..Rules::honest(2, 1) };
    holds(rules, &[ROLLBACK_REFUSED, FORK_REFUSED, ALL_COSIGNED, ANSWER_LOST, GOES_ON]);
}

/// Two machines sign two histories, and nothing on either can know. What both witnesses cosigned is one all the same.
#[test]
fn a_copy_that_runs_on_gets_no_second_history_cosigned() {
    let rules = Rules { may_fork: true, may_be_put_back: false, starts_max: 2, ..Rules::honest(2, 2) };
    holds(rules, &[FORK_REFUSED, ALL_COSIGNED]);
    let steps = fails(Rules { claims_one_root: true, ..rules }, ONE_ROOT);
    assert!(steps.contains(&Step::SecondMachine), "{steps:?}");
    // Where one witness is a quorum, each machine finds its own.
    fails(Rules { quorum: 1, ..rules }, ONE_HISTORY);
}

#[test]
fn signing_what_is_not_durable_is_found() {
    let broken = Rules { is_signed_before_sync: true, ..Rules::honest(1, 1) };
    let steps = fails(broken, LASTING);
    assert!(!steps.contains(&Step::SyncGroup(0)), "{steps:?}");
}

#[test]
fn signing_before_a_witness_was_asked_is_found() {
    let rules = Rules { claims_one_root: true, ..Rules::honest(1, 1) };
    let steps = fails(Rules { confirmed: ConfirmedBy::Nobody, ..rules }, ONE_ROOT);
    assert!(steps.contains(&Step::PutBack), "{steps:?}");
    // The head file alone, made anew with the first group of a term, is such a signature.
    let steps = fails(Rules { first_group_signs: true, starts_max: 4, ..rules }, ONE_ROOT);
    assert!(steps.contains(&Step::PutBack), "{steps:?}");
}

#[test]
fn the_word_of_too_few_witnesses_is_found() {
    let rules = Rules::honest(2, 1);
    let steps = fails(Rules { confirmed: ConfirmedBy::One, ..rules }, ONE_HISTORY);
    assert!(steps.contains(&Step::PutBack), "{steps:?}");
}

#[test]
fn a_witness_that_breaks_its_rules_is_found() {
    let rules = Rules { may_fork: true, may_be_put_back: false, ..Rules::honest(1, 1) };
    let steps = fails(Rules { witness_answers_before_it_keeps: true, ..rules }, ONE_COSIGNED);
    assert!(steps.contains(&Step::WitnessCrash(0)), "{steps:?}");
    fails(Rules { witness_checks_nothing: true, ..rules }, ONE_COSIGNED);
}

/// Two of two, and one is away at the start: the other confirms a machine that was put back, which signs another head of the
/// size of one that the silent one alone had cosigned. No quorum cosigned either.
#[test]
fn a_start_that_could_reach_no_quorum_is_found() {
    let rules = Rules { claims_one_root: true, confirmed: ConfirmedBy::SilentAreNone, ..Rules::honest(2, 2) };
    let steps = fails(rules, ONE_ROOT);
    assert!(steps.contains(&Step::PutBack), "{steps:?}");
    let is_by_one = |step: &Step| matches!(step, Step::Ask(0, answered) if answered.count_ones() == 1);
    assert!(steps.iter().any(is_by_one), "{steps:?}");
}

/// What the rules cannot do. A head that no witness holds counts against a log that was put back: strangers who have it see two
/// histories. Of three witnesses one may be silent, and have cosigned what the other two did not. That is why rounds are made
/// often, and what is given out should be cosigned by a quorum.
#[test]
fn heads_that_too_few_hold_can_be_contradicted() {
    for (witnesses, quorum) in [(1, 1), (2, 1), (2, 2)] {
        let rules = Rules { claims_one_root: true, ..Rules::honest(witnesses, quorum) };
        let steps = fails(Rules { strangers: Given::Everything, ..rules }, ONE_ROOT);
        assert!(steps.contains(&Step::Give(0)) && steps.contains(&Step::PutBack), "{steps:?}");
    }
    let three = Rules { claims_one_root: true, ..Rules::honest(3, 2) };
    let steps = fails(three, ONE_ROOT);
    assert!(steps.contains(&Step::PutBack), "{steps:?}");
    // What a quorum cosigned is one history all the same.
    let honest = Rules::honest(2, 2);
    holds(Rules { strangers: Given::Everything, ..honest }, &[GIVEN, ALL_COSIGNED]);
    holds(Rules { claims_one_root: false, starts_max: 2, ..three }, &[ALL_COSIGNED]);
}

#[test]
fn heads_that_a_quorum_cosigned_can_be_given_to_strangers() {
    for (witnesses, quorum) in [(1, 1), (2, 1), (2, 2)] {
        let rules = Rules { claims_one_root: true, ..Rules::honest(witnesses, quorum) };
        holds(Rules { strangers: Given::Cosigned, ..rules }, &[GIVEN, ROLLBACK_REFUSED, FORK_REFUSED]);
    }
}

//! The shipped decision functions, walked through by stateright: one tape, two holds, three people, every claim, a clock that is pushed, and
//! a crash between asking and having it on record. Nothing is told again here: state is what `Holds`, `LedgerClock`, `end_of_claims` and
//! `Standing` make of it.

use std::collections::{BTreeMap, BTreeSet};

use stateright::{Checker as _, HasDiscoveries, Model, Property};

use immutape::codec::digest::CustodyId;
use immutape::governance::{
    ActorId, Blocker, Catches, End, HoldId, Holds, Interval, LedgerClock, Reading, Standing, Starts, TimeEvidence,
    end_of_claims,
};
use immutape::log::{ClaimRecord, Period};
use immutape::time::Timestamp;

const START: u64 = 1_795_169_821_416;
const DAY_MS: u64 = 86_400_000;
const TAPE: CustodyId = CustodyId::from_bytes([9; 32]);
const PEOPLE: [ActorId; 3] = [ActorId([1; 16]), ActorId([2; 16]), ActorId([3; 16])];
/// Days that pass at a step, and how far the world goes.
const STEP_DAYS: u64 = 4;
const LAST_DAY: u64 = 8;
/// Far more than there are: a model that grows past it has to be looked at, and not to fill a machine.
const MOST: usize = 20_000_000;
const HELD: &str = "nothing is eligible under a hold";
const EARLY: &str = "nothing is eligible before its end";

/// Something that is asked for, and holds once its entry is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Op {
    Claim(u8),
    Event,
    Place(u8, u8),
    Catch(u8),
    Release(u8, u8, u8),
    Transfer(u8, u8, u8),
    /// Two sources, or one of them.
    Evidence(bool),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Step {
    Ask(Op),
    Durable,
    Crash,
    Days,
    /// The wall clock: 20 years on, 2 years back, right.
    Wall(u8),
}

/// What is durable, and the world around it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    claims: u8,
    saved: Option<u64>,
    event: Option<u64>,
    holds: Holds,
    clock: LedgerClock,
    asked: Option<Op>,
    /// The truth, which nothing in the ledger knows.
    day: u64,
    boot: u8,
    booted_on: u64,
    wall: u8,
    entries: u64,
    /// The latest end and lower bound there ever were; `u64::MAX` is no end.
    end_ever: u64,
    lo_ever: u64,
    has_fallen: bool,
}

/// A week, four days after an event, for ever.
fn claim(n: u8) -> ClaimRecord {
    let (kind, period, event) = match n {
        0 => (0, Some(Period::Ms(5 * DAY_MS)), None),
        1 => (1, Some(Period::Ms(4 * DAY_MS)), Some("left".to_owned())),
        _ => (2, None, None),
    };
    ClaimRecord { kind, period, event, end_ms: None, schedule: None }
}

impl World {
    fn truth(&self) -> u64 {
        START + self.day * DAY_MS
    }

    fn reading(&self) -> Reading {
        let wall = match self.wall {
            0 => self.truth(),
            1 => self.truth() + 20 * 365 * DAY_MS,
            _ => self.truth() - 2 * 365 * DAY_MS,
        };
        let since_boot_ns = (self.day - self.booted_on) * DAY_MS * 1_000_000;
        Reading { wall: Timestamp::from_ms(wall), boot: [self.boot; 16], since_boot_ns }
    }

    fn end(&self) -> End {
        let events: BTreeMap<String, Timestamp> =
            self.event.map(|at| ("left".to_owned(), Timestamp::from_ms(at))).into_iter().collect();
        let claims: Vec<ClaimRecord> = (0..3).filter(|n| self.claims >> n & 1 > 0).map(claim).collect();
        end_of_claims(&claims, &Starts { saved: self.saved.map(Timestamp::from_ms), events: &events })
    }

    fn standing(&self, law: &Law) -> Standing {
        let shipped = Standing {
            end: self.end(),
            holds: self.holds.on(&TAPE).count(),
            is_suspect: false,
            now: self.clock.interval(self.reading()),
            is_frozen: self.clock.is_frozen(),
        };
        let wall = Interval { lo: self.reading().wall, hi: None };
        match law {
            Law::Shipped => shipped,
            Law::TrustsTheWall => Standing { now: wall, is_frozen: false, ..shipped },
            Law::ForgetsHolds => Standing { holds: 0, ..shipped },
            Law::TakesTheFirstClaim => {
                let first = (0..3).find(|n| self.claims >> n & 1 > 0).map_or(0, |n| 1 << n);
                Standing { end: Self { claims: first, ..self.clone() }.end(), ..shipped }
            }
        }
    }

    fn looked(mut self) -> Self {
        self.clock.look(self.reading());
        let (end, lo) = (self.end(), self.clock.interval(self.reading()).lo.as_ms());
        let end = if let End::At(at) = end { at.as_ms() } else { u64::MAX };
        // An end that was not known yet (no evidence, no event, no claim) becomes a moment once; a moment never becomes an earlier one.
        self.has_fallen |= (self.end_ever != u64::MAX && end < self.end_ever) || lo < self.lo_ever;
        (self.end_ever, self.lo_ever) = (end, lo);
        self
    }

    /// The entry is durable: what it says holds. An act that the functions refuse changes nothing.
    fn done(mut self, op: Op) -> Self {
        self.entries += 1;
        let (now, truth) = (self.reading(), self.truth());
        let person = |n: u8| PEOPLE[usize::from(n)];
        let hold = |n: u8| HoldId([n; 16]);
        let refused = match op {
            Op::Claim(n) => {
                self.claims |= 1 << n;
                Ok(())
            }
            Op::Event => {
                // It counts from when it was asserted, by the upper bound; without one it waits for evidence.
                self.event = self.event.or_else(|| self.clock.interval(now).hi.map(Timestamp::as_ms));
                Ok(())
            }
            Op::Place(h, who) => self.holds.place(hold(h), person(who), 0),
            Op::Catch(h) => self.holds.judge(hold(h), TAPE, Catches::Undecidable).map(drop),
            Op::Release(h, one, other) => self.holds.release(hold(h), person(one), person(other), 0),
            Op::Transfer(h, from, to) => self.holds.transfer(hold(h), person(from), person(to)),
            Op::Evidence(both) => {
                let said = |source: &[u8]| TimeEvidence {
                    source: source.to_vec(),
                    earliest: Timestamp::from_ms(truth - 1_000),
                    latest: Timestamp::from_ms(truth + 1_000),
                };
                let evidence = [said(b"w1"), said(b"tsa")];
                let taken = self.clock.take(now, if both { &evidence } else { &evidence[..1] }, true);
                // The first evidence after the tape was saved anchors its start.
                self.saved = self.saved.or_else(|| self.clock.interval(now).hi.map(Timestamp::as_ms));
                taken.map(drop)
            }
        };
        let _nothing_changed = refused;
        self
    }
}

/// The law as it is shipped, and laws that must be found wanting: what finds nothing wrong with them proves nothing.
#[derive(Debug, Clone, Copy)]
enum Law {
    Shipped,
    TrustsTheWall,
    ForgetsHolds,
    TakesTheFirstClaim,
}

impl Model for Law {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            claims: 0,
            saved: None,
            event: None,
            holds: Holds::default(),
            clock: LedgerClock::default(),
            asked: None,
            day: 0,
            boot: 1,
            booted_on: 0,
            wall: 0,
            entries: 0,
            end_ever: u64::MAX,
            lo_ever: 0,
            has_fallen: false,
        }]
    }

    fn actions(&self, state: &World, actions: &mut Vec<Step>) {
        if state.asked.is_some() {
            actions.extend([Step::Durable, Step::Crash]);
            // Time passes and clocks are set between acts; within one it comes to the same.
            return;
        }
        let mut ask = |op| actions.push(Step::Ask(op));
        (0..3).filter(|n| state.claims >> n & 1 == 0).for_each(|n| ask(Op::Claim(n)));
        ask(Op::Event);
        ask(Op::Evidence(true));
        ask(Op::Evidence(false));
        // The second hold is another officer's; it is placed, and stays.
        (0..2).for_each(|h| ask(Op::Place(h, h)));
        (0..2).for_each(|h| ask(Op::Catch(h)));
        for (one, other) in [(0, 0), (0, 1), (1, 2)] {
            ask(Op::Release(0, one, other));
        }
        ask(Op::Transfer(0, 0, 2));
        if state.day < LAST_DAY {
            actions.push(Step::Days);
        }
        actions.extend((0..3).filter(|wall| *wall != state.wall).map(Step::Wall));
    }

    fn next_state(&self, state: &World, step: Step) -> Option<World> {
        let mut next = state.clone();
        match step {
            Step::Ask(op) => next.asked = Some(op),
            Step::Durable => {
                let op = next.asked.take()?;
                next = next.done(op);
            }
            Step::Crash => {
                // The machine starts anew; what was asked for and not durable was never done.
                (next.asked, next.boot, next.booted_on) = (None, next.boot + 1, next.day);
            }
            Step::Days => next.day += STEP_DAYS,
            Step::Wall(wall) => next.wall = wall,
        }
        Some(next.looked())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("end and lower bound never fall", |_, state| !state.has_fallen),
            Property::<Self>::always(HELD, |law, state| {
                !state.standing(law).is_eligible() || state.holds.on(&TAPE).next().is_none()
            }),
            Property::<Self>::always(EARLY, |law, state| {
                // By the truth: saved on day 0, five days; four days after the event; never.
                let kept = [(0, START + 5 * DAY_MS), (2, u64::MAX)];
                let is_over = kept.iter().all(|(n, end)| state.claims >> n & 1 == 0 || state.truth() >= *end);
                !state.standing(law).is_eligible() || (is_over && state.claims > 0)
            }),
            Property::<Self>::always("the lower bound is never past the truth", |_, state| {
                state.clock.interval(state.reading()).lo.as_ms() <= state.truth()
            }),
            Property::<Self>::sometimes("something becomes eligible", |law, state| state.standing(law).is_eligible()),
            Property::<Self>::sometimes("it is held when its end has come", |law, state| {
                state.standing(law).blockers() == [Blocker::Held(1)]
            }),
            Property::<Self>::sometimes("a pushed clock freezes it", |_, state| state.clock.is_frozen()),
        ]
    }

    fn within_boundary(&self, state: &World) -> bool {
        state.entries <= 4 && state.boot <= 2
    }
}

#[test]
fn no_path_leads_to_an_early_end() {
    let checker = Law::Shipped.checker().threads(2).target_state_count(MOST).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.is_done() && checker.state_count() < MOST, "the model was not walked to its end");
    println!("{} states of claims, holds, people, clocks and crashes", checker.unique_state_count());
    assert!(checker.unique_state_count() >= 100_000, "{}", checker.unique_state_count());
}

#[test]
fn a_law_that_is_broken_is_found_out() {
    for (law, property) in [(Law::TrustsTheWall, EARLY), (Law::ForgetsHolds, HELD), (Law::TakesTheFirstClaim, EARLY)] {
        let until = HasDiscoveries::AnyOf(BTreeSet::from([property]));
        let checker = law.checker().target_state_count(MOST).finish_when(until).spawn_bfs().join();
        let steps = checker.discovery(property).unwrap_or_else(|| panic!("{law:?}: nothing was found wrong with it"));
        println!("{law:?}: {:?}", steps.into_actions());
    }
}

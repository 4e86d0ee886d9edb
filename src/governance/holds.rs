//! Holds: what stops the end of a tape, whatever its class says. Several at once, each with its own matter and officer; a tape that one
//! has caught stays caught until that one is released, and what nobody can decide is held.

use std::collections::{BTreeMap, BTreeSet};

use crate::codec::digest::CustodyId;
use crate::error::Code;

/// Id of a hold, random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId(pub [u8; 16]);

/// Id of a person or service, random; names stand in private halves alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActorId(pub [u8; 16]);

/// Does a scope catch a tape?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Catches {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// Its header or labels cannot be read: it is held, for a mistake the other way cannot be made good.
    Undecidable,
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hold {
    /// Who placed it, or who has it since it was handed over.
    pub officer: ActorId,
    /// Index of the entry that placed it.
    pub placed_at: u64,
    /// Index of the entry that released it.
    pub released_at: Option<u64>,
    tapes: BTreeSet<CustodyId>,
}

impl Hold {
    /// Is it in force?
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.released_at.is_none()
    }

    /// Tapes that it has caught.
    #[must_use]
    pub const fn tapes(&self) -> &BTreeSet<CustodyId> {
        &self.tapes
    }
}

/// All holds of a ledger, as its entries tell of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Holds(BTreeMap<HoldId, Hold>);

impl Holds {
    /// Places one. It catches nothing by itself: every tape is judged, and what is saved later is judged then.
    ///
    /// # Errors
    /// [`Code::Conflict`] where there is one of this id.
    pub fn place(&mut self, id: HoldId, officer: ActorId, placed_at: u64) -> Result<(), Code> {
        if self.0.contains_key(&id) {
            return Err(Code::Conflict);
        }
        self.0.insert(id, Hold { officer, placed_at, released_at: None, tapes: BTreeSet::new() });
        Ok(())
    }

    /// A hold that is in force.
    ///
    /// # Errors
    /// [`Code::NotFound`].
    pub fn active(&self, id: HoldId) -> Result<&Hold, Code> {
        self.0.get(&id).filter(|hold| hold.is_active()).ok_or(Code::NotFound)
    }

    fn active_mut(&mut self, id: HoldId) -> Result<&mut Hold, Code> {
        self.0.get_mut(&id).filter(|hold| hold.is_active()).ok_or(Code::NotFound)
    }

    /// A tape under a hold, if it catches it; whether it was not before.
    ///
    /// # Errors
    /// [`Code::NotFound`] where the hold is not in force.
    pub fn judge(&mut self, id: HoldId, tape: CustodyId, catches: Catches) -> Result<bool, Code> {
        let hold = self.active_mut(id)?;
        Ok(!matches!(catches, Catches::No) && hold.tapes.insert(tape))
    }

    /// Another officer has it from now on.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::NotPermitted`] for who does not have it.
    pub fn transfer(&mut self, id: HoldId, from: ActorId, to: ActorId) -> Result<(), Code> {
        let hold = self.active_mut(id)?;
        if hold.officer != from {
            return Err(Code::NotPermitted);
        }
        hold.officer = to;
        Ok(())
    }

    /// Releases one, on the word of its officer and of another hold officer. Others on the same tapes stay.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::NotPermitted`] where neither is its officer, or both are one person.
    pub fn release(&mut self, id: HoldId, one: ActorId, other: ActorId, released_at: u64) -> Result<(), Code> {
        let hold = self.active_mut(id)?;
        if one == other || ![one, other].contains(&hold.officer) {
            return Err(Code::NotPermitted);
        }
        hold.released_at = Some(released_at);
        Ok(())
    }

    /// Holds in force on a tape.
    pub fn on(&self, tape: &CustodyId) -> impl Iterator<Item = (HoldId, &Hold)> {
        self.active_all().filter(move |(_, hold)| hold.tapes.contains(tape))
    }

    /// Every hold in force: what is saved is judged by each.
    pub fn active_all(&self) -> impl Iterator<Item = (HoldId, &Hold)> {
        self.0.iter().filter(|(_, hold)| hold.is_active()).map(|(id, hold)| (*id, hold))
    }

    /// Every hold there ever was.
    pub fn all(&self) -> impl Iterator<Item = (HoldId, &Hold)> {
        self.0.iter().map(|(id, hold)| (*id, hold))
    }
}

/// Tapes that go together: what amends, continues or was derived from another, in either direction and over any number of steps. A hold on
/// one is a hold on all, or half of the story could be destroyed.
#[must_use]
pub fn together(of: &BTreeSet<CustodyId>, links: &[(CustodyId, CustodyId)]) -> BTreeSet<CustodyId> {
    let mut beside: BTreeMap<CustodyId, Vec<CustodyId>> = BTreeMap::new();
    for (one, other) in links {
        beside.entry(*one).or_default().push(*other);
        beside.entry(*other).or_default().push(*one);
    }
    let mut found = of.clone();
    let mut open: Vec<CustodyId> = of.iter().copied().collect();
    while let Some(tape) = open.pop() {
        for next in beside.get(&tape).into_iter().flatten() {
            if found.insert(*next) {
                open.push(*next);
            }
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANN: ActorId = ActorId([1; 16]);
    const BEN: ActorId = ActorId([2; 16]);
    const EVE: ActorId = ActorId([3; 16]);

    fn tape(n: u8) -> CustodyId {
        CustodyId::from_bytes([n; 32])
    }

    fn hold(n: u8) -> HoldId {
        HoldId([n; 16])
    }

    #[test]
    fn a_hold_twice_alone_by_another_and_after_its_end() {
        let mut holds = Holds::default();
        holds.place(hold(1), ANN, 5).unwrap();
        assert_eq!(holds.place(hold(1), BEN, 6), Err(Code::Conflict));
        assert_eq!(holds.judge(hold(1), tape(1), Catches::Yes), Ok(true));
        assert_eq!(holds.judge(hold(1), tape(1), Catches::Yes), Ok(false));
        assert_eq!(holds.judge(hold(1), tape(1), Catches::No), Ok(false), "caught stays caught");
        assert_eq!(holds.judge(hold(1), tape(2), Catches::Undecidable), Ok(true), "what nobody can decide is held");
        assert_eq!(holds.judge(hold(1), tape(3), Catches::No), Ok(false));
        assert_eq!(holds.release(hold(1), ANN, ANN, 7), Err(Code::NotPermitted), "alone");
        assert_eq!(holds.release(hold(1), BEN, EVE, 7), Err(Code::NotPermitted), "by others");
        assert_eq!(holds.transfer(hold(1), BEN, EVE), Err(Code::NotPermitted));
        holds.transfer(hold(1), ANN, BEN).unwrap();
        assert_eq!(holds.release(hold(1), ANN, EVE, 7), Err(Code::NotPermitted), "it is another's now");
        holds.release(hold(1), ANN, BEN, 8).unwrap();
        assert_eq!(holds.release(hold(1), ANN, BEN, 9), Err(Code::NotFound));
        assert_eq!(holds.judge(hold(1), tape(4), Catches::Yes), Err(Code::NotFound));
        assert_eq!(holds.transfer(hold(1), BEN, ANN), Err(Code::NotFound));
        assert_eq!(holds.place(hold(1), ANN, 10), Err(Code::Conflict), "an id is not used again");
        let (_, released) = holds.all().next().unwrap();
        assert_eq!((released.placed_at, released.released_at, released.tapes().len()), (5, Some(8), 2));
        assert!(holds.active(hold(1)).is_err() && holds.active_all().next().is_none());
    }

    #[test]
    fn what_goes_together_is_held_together() {
        let links = [(tape(1), tape(2)), (tape(3), tape(2)), (tape(3), tape(1)), (tape(5), tape(6))];
        let of = |n: u8| together(&BTreeSet::from([tape(n)]), &links);
        assert_eq!(of(1), BTreeSet::from([tape(1), tape(2), tape(3)]));
        assert_eq!((of(3), of(4), of(6)), (of(1), BTreeSet::from([tape(4)]), BTreeSet::from([tape(5), tape(6)])));
    }

    proptest! {
        /// Against a plain set of pairs: after any sequence a tape is held exactly by what caught it and was not released (RET-03).
        #[test]
        fn any_sequence_leaves_what_a_plain_set_says(
            steps in prop::collection::vec((0u8..4, 0u8..5, 0u8..6, 0u8..3), 0..60),
        ) {
            let mut holds = Holds::default();
            let (mut placed, mut pairs) = (BTreeMap::new(), BTreeSet::new());
            for (n, (step, h, t, who)) in (0u64..).zip(steps) {
                let actor = [ANN, BEN, EVE][usize::from(who)];
                match step {
                    0 => {
                        let is_new = !placed.contains_key(&h);
                        prop_assert_eq!(holds.place(hold(h), actor, n).is_ok(), is_new);
                        if is_new { placed.insert(h, (actor, true)); }
                    }
                    1 => {
                        let is_active = placed.get(&h).is_some_and(|(_, active)| *active);
                        prop_assert_eq!(holds.judge(hold(h), tape(t), Catches::Yes).is_ok(), is_active);
                        if is_active { pairs.insert((h, t)); }
                    }
                    2 => {
                        let may = placed.get(&h).is_some_and(|(officer, active)| *active && *officer == actor && actor != EVE);
                        prop_assert_eq!(holds.release(hold(h), actor, EVE, n).is_ok(), may || placed.get(&h).is_some_and(|(officer, active)| *active && *officer == EVE && actor != EVE));
                        if holds.active(hold(h)).is_err() {
                            if let Some((_, active)) = placed.get_mut(&h) { *active = false; }
                            pairs.retain(|(of, _)| *of != h);
                        }
                    }
                    _ => { let _may_be_refused = holds.judge(hold(h), tape(t), Catches::No); }
                }
                for t in 0..6 {
                    let found: BTreeSet<HoldId> = holds.on(&tape(t)).map(|(id, _)| id).collect();
                    let wanted: BTreeSet<HoldId> = pairs.iter().filter(|(_, of)| *of == t).map(|(h, _)| hold(*h)).collect();
                    prop_assert_eq!(found, wanted);
                }
            }
        }
    }
}

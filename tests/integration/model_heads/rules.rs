//! The rules by which the model moves: those of `src/ledger/heads`, `src/ledger/commit.rs`, `src/anchor/round.rs` and of C2SP
//! tlog-witness. Each can be broken, to see that the checker notices.

use stateright::{Model, Property};

use super::world::{ENTRIES_MAX, Folder, Log, Machine, Process, Refusal, Witness, World};

pub const ONE_ROOT: &str = "no two signed roots for one size";
pub const ONE_COSIGNED: &str = "no witness cosigns two roots for one size";
pub const ONE_HISTORY: &str = "what a quorum cosigned is one history";
pub const LASTING: &str = "no crash takes back a signed head";
pub const ROLLBACK_REFUSED: &str = "an older copy is refused";
pub const FORK_REFUSED: &str = "another history is refused";
pub const ALL_COSIGNED: &str = "a head that every witness cosigned";
pub const GIVEN: &str = "a stranger has a head";
pub const ANSWER_LOST: &str = "a witness holds what the ledger does not know of";
pub const GOES_ON: &str = "a log that was put back goes on, since it lost nothing that others hold";

/// Whose answers make a ledger sign after a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmedBy {
    /// Nobody's: the rule is broken.
    Nobody,
    /// One witness, whichever it is.
    One,
    /// So many that those who are silent are no quorum, be those who answered one or not.
    SilentAreNone,
    /// A quorum, and those who are silent are none.
    Quorum,
}

/// Which heads are given to people who are no witnesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    Nothing,
    /// A head once a quorum has cosigned it.
    Cosigned,
    /// Every head once it was released.
    Everything,
}

/// One choice of rules and of what may happen.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub witnesses: usize,
    pub quorum: usize,
    pub confirmed: ConfirmedBy,
    pub starts_max: u8,
    /// The machine can be put back to a copy of its folders.
    pub may_be_put_back: bool,
    /// A copy of the ledger can run on elsewhere.
    pub may_fork: bool,
    /// Is [`ONE_ROOT`] claimed?
    pub claims_one_root: bool,
    pub is_signed_before_sync: bool,
    /// The first group of a term comes with a new head over what was found, confirmed or not.
    pub first_group_signs: bool,
    pub strangers: Given,
    pub witness_answers_before_it_keeps: bool,
    pub witness_checks_nothing: bool,
}

impl Rules {
    /// The rules as they are.
    pub const fn honest(witnesses: usize, quorum: usize) -> Self {
        Self {
            witnesses,
            quorum,
            confirmed: ConfirmedBy::Quorum,
            starts_max: 3,
            may_be_put_back: true,
            may_fork: false,
            claims_one_root: false,
            is_signed_before_sync: false,
            first_group_signs: false,
            strangers: Given::Nothing,
            witness_answers_before_it_keeps: false,
            witness_checks_nothing: false,
        }
    }

    fn is_enough(&self, answered: u8) -> bool {
        let answered = answered.count_ones() as usize;
        match self.confirmed {
            ConfirmedBy::Nobody => true,
            ConfirmedBy::One => answered >= 1,
            ConfirmedBy::SilentAreNone => self.witnesses - answered < self.quorum,
            ConfirmedBy::Quorum => answered >= self.quorum && self.witnesses - answered < self.quorum,
        }
    }
}

/// Something happens. Machines and witnesses are told by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Start(usize),
    Append(usize),
    SyncGroup(usize),
    Sign(usize),
    SyncHead(usize),
    /// These witnesses say what they hold; a bit for each.
    Ask(usize, u8),
    /// A head is shown to a witness, whose answer comes back or does not.
    Show(usize, usize, bool),
    Give(usize),
    /// What was written and not synced is there afterwards, or is not: group and head file.
    Crash(usize, bool, bool),
    CopyFolders,
    PutBack,
    SecondMachine,
    WitnessCrash(usize),
}

impl Model for Rules {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            machines: vec![Machine::off(Folder::NEW)],
            witnesses: vec![Witness::default(); self.witnesses],
            copy: None,
            was_put_back: false,
            given: std::collections::BTreeSet::new(),
            starts: 0,
        }]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        for (m, machine) in world.machines.iter().enumerate() {
            if machine.process.is_none() {
                steps.push(Step::Start(m));
                continue;
            }
            steps.extend([Step::Append(m), Step::SyncGroup(m), Step::Sign(m), Step::SyncHead(m)]);
            steps.extend((1..1u8 << self.witnesses).map(|answered| Step::Ask(m, answered)));
            steps.extend((0..self.witnesses).flat_map(|w| [Step::Show(m, w, true), Step::Show(m, w, false)]));
            steps.push(Step::Crash(m, false, false));
            if machine.group.is_some() {
                steps.push(Step::Crash(m, true, false));
            }
            if machine.signed.is_some() {
                steps.extend([Step::Crash(m, false, true), Step::Crash(m, true, true)]);
            }
            if self.strangers != Given::Nothing {
                steps.push(Step::Give(m));
            }
        }
        if self.may_be_put_back {
            steps.extend([Step::CopyFolders, Step::PutBack]);
        }
        if self.may_fork {
            steps.push(Step::SecondMachine);
        }
        if self.witness_answers_before_it_keeps {
            steps.extend((0..self.witnesses).map(Step::WitnessCrash));
        }
    }

    fn next_state(&self, before: &World, step: Step) -> Option<World> {
        let mut world = before.clone();
        match step {
            Step::Start(m) => self.start(&mut world, m)?,
            Step::Append(m) => self.append(&mut world.machines[m])?,
            Step::SyncGroup(m) => {
                let machine = &mut world.machines[m];
                machine.folder.log = machine.group.take()?;
            }
            Step::Sign(m) => self.sign(&mut world.machines[m])?,
            Step::SyncHead(m) => {
                let machine = &mut world.machines[m];
                machine.folder.head = machine.signed.take()?;
                machine.process.as_mut()?.released = Some(machine.folder.head);
            }
            Step::Ask(m, answered) => self.ask(&mut world, m, answered)?,
            Step::Show(m, w, comes_back) => self.show(&mut world, m, w, comes_back)?,
            Step::Give(m) => self.give(&mut world, m)?,
            Step::Crash(m, group, head) => crash(&mut world.machines[m], group, head),
            Step::CopyFolders if world.copy.is_none() => world.copy = Some(world.machines[0].folder),
            Step::CopyFolders => return None,
            Step::PutBack => {
                world.machines[0] = Machine::off(world.copy?);
                world.was_put_back = true;
            }
            Step::SecondMachine if world.machines.len() == 1 => {
                world.machines.push(Machine::off(world.machines[0].folder));
            }
            Step::SecondMachine => return None,
            Step::WitnessCrash(w) => world.witnesses[w].held = world.witnesses[w].kept,
        }
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = vec![
            Property::always(ONE_COSIGNED, |_, world: &World| {
                world.witnesses.iter().all(|witness| !any_two(&witness.cosigned, Log::contradicts))
            }),
            Property::always(ONE_HISTORY, |rules: &Self, world: &World| {
                !any_two(&world.quorum_heads(rules.quorum), |a, b| !a.is_one_history_with(b))
            }),
            Property::always(LASTING, |_, world: &World| {
                world.machines.iter().all(|machine| machine.heads().all(|head| machine.folder.log.extends(&head)))
            }),
            Property::sometimes(FORK_REFUSED, |_, world: &World| has_refused(world, Refusal::Fork)),
            Property::sometimes(ALL_COSIGNED, |rules: &Self, world: &World| {
                world.quorum_heads(rules.witnesses).iter().any(|head| *head != Log::GENESIS)
            }),
            Property::sometimes(ANSWER_LOST, |_, world: &World| {
                world.machines.len() == 1 && world.witnesses.iter().any(|w| w.held > world.machines[0].folder.anchor)
            }),
        ];
        if self.claims_one_root {
            all.push(Property::always(ONE_ROOT, |_, world: &World| !any_two(&world.heads(), Log::contradicts)));
        }
        if self.strangers != Given::Nothing {
            all.push(Property::sometimes(GIVEN, |_, world: &World| !world.given.is_empty()));
        }
        if self.may_be_put_back {
            all.push(Property::sometimes(ROLLBACK_REFUSED, |_, world: &World| has_refused(world, Refusal::Rollback)));
            all.push(Property::sometimes(GOES_ON, |_, world: &World| {
                let process = world.machines[0].process;
                world.was_put_back && process.is_some_and(|p| p.is_confirmed && p.released.is_some())
            }));
        }
        all
    }
}

fn any_two<'a>(heads: impl IntoIterator<Item = &'a Log> + Copy, at_odds: impl Fn(&Log, &Log) -> bool) -> bool {
    heads.into_iter().any(|a| heads.into_iter().any(|b| at_odds(a, b)))
}

fn has_refused(world: &World, refusal: Refusal) -> bool {
    world.machines.iter().any(|machine| machine.folder.ahead == Some(refusal))
}

fn crash(machine: &mut Machine, group: bool, head: bool) {
    let kept = *machine;
    machine.folder.log = kept.group.filter(|_| group).unwrap_or(kept.folder.log);
    machine.folder.head = kept.signed.filter(|_| head).unwrap_or(kept.folder.head);
    *machine = Machine::off(machine.folder);
}

impl Rules {
    fn start(&self, world: &mut World, m: usize) -> Option<()> {
        let machine = &mut world.machines[m];
        if world.starts == self.starts_max || !machine.folder.may_start() {
            return None;
        }
        world.starts += 1;
        let is_confirmed = self.confirmed == ConfirmedBy::Nobody;
        machine.process = Some(Process { start: world.starts, is_confirmed, is_first: true, released: None });
        Some(())
    }

    fn append(&self, machine: &mut Machine) -> Option<()> {
        let process = machine.process.as_mut()?;
        if machine.group.is_some() || machine.folder.log.size() == ENTRIES_MAX {
            return None;
        }
        if process.is_first && self.first_group_signs {
            machine.folder.head = machine.folder.log;
        }
        process.is_first = false;
        machine.group = Some(machine.folder.log.with(process.start));
        Some(())
    }

    /// Only what is durable, only once witnesses have confirmed.
    fn sign(&self, machine: &mut Machine) -> Option<()> {
        let process = machine.process.filter(|process| process.is_confirmed)?;
        let durable = machine.folder.log;
        let head = if self.is_signed_before_sync { machine.group.unwrap_or(durable) } else { durable };
        if machine.signed.is_some() || process.released == Some(head) {
            return None;
        }
        machine.signed = Some(head);
        Some(())
    }

    /// What witnesses hold is compared with what is durable; any head that it does not extend ends the process for ever.
    fn ask(&self, world: &mut World, m: usize, answered: u8) -> Option<()> {
        let machine = &mut world.machines[m];
        let log = machine.folder.log;
        let asked = world.witnesses.iter().enumerate().filter(|(w, _)| answered & 1 << w != 0);
        let ahead = asked.filter_map(|(_, witness)| witness.held).find(|held| !log.extends(held));
        match ahead {
            Some(held) => {
                let refusal = if held.size() > log.size() { Refusal::Rollback } else { Refusal::Fork };
                machine.folder.ahead = Some(refusal);
                *machine = Machine::off(machine.folder);
            }
            None if self.is_enough(answered) => machine.process.as_mut()?.is_confirmed = true,
            None => return None,
        }
        Some(())
    }

    fn give(&self, world: &mut World, m: usize) -> Option<()> {
        let head = world.machines[m].process?.released?;
        if self.strangers == Given::Cosigned && !world.quorum_heads(self.quorum).contains(&head) {
            return None;
        }
        world.given.insert(head);
        Some(())
    }

    /// The witness cosigns what extends the head it holds, and keeps that before it answers.
    fn show(&self, world: &mut World, m: usize, w: usize, comes_back: bool) -> Option<()> {
        let (machine, witness) = (&mut world.machines[m], &mut world.witnesses[w]);
        let head = machine.process.filter(|process| process.is_confirmed)?.released?;
        if witness.held.is_some_and(|held| !head.extends(&held)) && !self.witness_checks_nothing {
            return None;
        }
        witness.held = Some(head);
        if !self.witness_answers_before_it_keeps {
            witness.kept = Some(head);
        }
        witness.cosigned.insert(head);
        if comes_back && machine.folder.anchor.is_none_or(|anchor| anchor.size() < head.size()) {
            machine.folder.anchor = Some(head);
        }
        Some(())
    }
}

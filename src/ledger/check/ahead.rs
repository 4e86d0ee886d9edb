//! A walk through groups that reads and examines ahead on other cores: what a group says by itself needs no order.
//!
//! One thread reads, the others examine, the caller's links what was examined to the chain, in the order of the log.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::codec::extent::GroupHeader;
use crate::error::{Error, Result};
use crate::log::LogError;
use crate::store::Position;

/// Batches that wait for each thread. With the ones at work, about four a thread are in memory.
const BATCHES_WAITING: usize = 1;

/// What a journal answers: the group's place, its bytes, the place to ask for next.
pub(super) type Answer = Result<Option<(Position, Vec<u8>, Position)>>;

/// How far ahead.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub examiners: usize,
    pub batch_bytes: usize,
}

impl Plan {
    /// For this machine: handing on costs little a batch, and a batch stays in a core's cache.
    pub(super) fn of_machine() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self { examiners: cores.saturating_sub(1).max(1), batch_bytes: 256 << 10 }
    }
}

/// Why a walk ended.
#[derive(Debug)]
pub(super) enum End {
    /// No group follows at this place.
    Journal(Position),
    /// The size asked for was reached.
    Enough,
    /// This place cannot be read.
    Unreadable(Position, Error),
    /// The group at this place does not hold, or does not follow the one before.
    Broken(Position, LogError),
}

/// What happens to a group, but for linking.
pub(super) struct Stages<'a, T> {
    /// Gives the group at a place, its hash checked.
    pub read: &'a (dyn Fn(Position) -> Answer + Sync),
    /// Checks its bytes as far as they stand for themselves.
    pub examine: &'a (dyn Fn(&[u8]) -> Result<T, LogError> + Sync),
}

type Batch = Vec<(Position, Vec<u8>)>;
type Examined<T> = Vec<(Position, Result<T, LogError>)>;

impl<T: Send> Stages<'_, T> {
    /// Gives every group from `from` on to `link`, in order, until `size` entries are read or something does not hold.
    ///
    /// The fault found is the one that a walk group by group finds first: batches are linked in the order they were
    /// read, and why reading ended counts only after all that was read before is linked. A panic on a thread
    /// becomes a panic here.
    pub(super) fn walk(
        &self,
        plan: Plan,
        from: Position,
        size: Option<u64>,
        link: &mut dyn FnMut(T) -> Result<(), LogError>,
    ) -> End {
        thread::scope(|scope| {
            let (mut given, mut examined) = (Vec::new(), Vec::new());
            for _ in 0..plan.examiners {
                let (give, batches) = sync_channel(BATCHES_WAITING);
                let (done, results) = sync_channel(BATCHES_WAITING);
                scope.spawn(move || self.examine_all(&batches, &done));
                given.push(give);
                examined.push(results);
            }
            let reading = scope.spawn(move || self.read_all(plan, from, size, &given));
            let linked = link_all(&examined, link);
            // After a fault nobody listens, which ends the examiners, and the reader with them.
            drop(examined);
            let end = reading.join().unwrap_or_else(|panic| resume_unwind(panic));
            linked.map_or_else(|(at, e)| End::Broken(at, e), |()| end)
        })
    }

    /// Reads to the end, or until nobody takes more.
    fn read_all(&self, plan: Plan, from: Position, size: Option<u64>, examiners: &[SyncSender<Batch>]) -> End {
        let (mut at, mut reached) = (from, 0);
        for examiner in examiners.iter().cycle() {
            let (batch, end) = self.read_batch(plan, &mut at, &mut reached, size);
            let is_taken = examiner.send(batch).is_ok();
            match end {
                Some(end) => return end,
                None if is_taken => {}
                None => break,
            }
        }
        // Nobody asks why: whoever stopped listening found something earlier, or panics.
        End::Journal(at)
    }

    fn read_batch(&self, plan: Plan, at: &mut Position, reached: &mut u64, size: Option<u64>) -> (Batch, Option<End>) {
        let (mut batch, mut bytes) = (Batch::new(), 0usize);
        while bytes < plan.batch_bytes {
            if size.is_some_and(|size| *reached >= size) {
                return (batch, Some(End::Enough));
            }
            match (self.read)(*at) {
                Ok(Some((place, extent, next))) => {
                    *reached = GroupHeader::parse(&extent).map_or(*reached, |header| header.size_after());
                    bytes = bytes.saturating_add(extent.len());
                    batch.push((place, extent));
                    *at = next;
                }
                Ok(None) => return (batch, Some(End::Journal(*at))),
                Err(e) => return (batch, Some(End::Unreadable(*at, e))),
            }
        }
        (batch, None)
    }

    fn examine_all(&self, batches: &Receiver<Batch>, done: &SyncSender<Examined<T>>) {
        while let Ok(batch) = batches.recv() {
            let examined = batch.iter().map(|(place, extent)| (*place, (self.examine)(extent))).collect();
            if done.send(examined).is_err() {
                break;
            }
        }
    }
}

/// Takes the batches in the order in which they were given out: one from each examiner in turn.
fn link_all<T>(
    examiners: &[Receiver<Examined<T>>],
    link: &mut dyn FnMut(T) -> Result<(), LogError>,
) -> Result<(), (Position, LogError)> {
    for examiner in examiners.iter().cycle() {
        let Ok(batch) = examiner.recv() else { break };
        for (place, group) in batch {
            group.and_then(&mut *link).map_err(|e| (place, e))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::digest::{GroupHash, LeafHash, RootHash};
    use crate::error::Code;

    const GROUPS: u64 = 23;

    /// Where something is wrong, if anywhere.
    #[derive(Debug, Clone, Copy, Default)]
    struct Faults {
        unreadable: Option<u64>,
        examined: Option<u64>,
        linked: Option<u64>,
    }

    fn place(n: u64) -> Position {
        Position { segment: 1, offset: n }
    }

    /// Group n holds entries 2n and 2n + 1.
    fn read(faults: Faults, at: Position) -> Answer {
        if faults.unreadable == Some(at.offset) {
            return Err(Error::new(Code::LogDamaged, format!("at {}", at.offset)));
        }
        let header = GroupHeader {
            term: 1,
            segment: 1,
            offset: 0,
            first_index: at.offset.saturating_mul(2),
            count: 2,
            flags: 0,
            body_bytes: 0,
            root: RootHash::from_bytes([0; 32]),
            previous_group: GroupHash::from_bytes([0; 32]),
            last_leaf: LeafHash::from_bytes([0; 32]),
            hash: GroupHash::from_bytes([0; 32]),
            mac: [0; 32],
        };
        Ok((at.offset < GROUPS).then(|| (at, header.seal(b"", |_| [0; 32]).1, place(at.offset.saturating_add(1)))))
    }

    fn examine(faults: Faults, extent: &[u8]) -> Result<u64, LogError> {
        let n = GroupHeader::parse(extent)?.first_index / 2;
        if faults.examined == Some(n) { Err(LogError::SealedDigest(n)) } else { Ok(n) }
    }

    /// Expects groups in order.
    fn link(faults: Faults, linked: &mut Vec<u64>, n: u64) -> Result<(), LogError> {
        assert_eq!(n, linked.len() as u64, "groups come in order");
        if faults.linked == Some(n) {
            return Err(LogError::Previous(n));
        }
        linked.push(n);
        Ok(())
    }

    /// The walk that the parallel one stands for.
    fn one_by_one(faults: Faults, size: Option<u64>) -> (String, Vec<u64>) {
        let (mut at, mut linked) = (place(0), Vec::new());
        let end = loop {
            if size.is_some_and(|size| (linked.len() as u64).saturating_mul(2) >= size) {
                break End::Enough;
            }
            match read(faults, at) {
                Ok(Some((here, extent, next))) => {
                    match examine(faults, &extent).and_then(|n| link(faults, &mut linked, n)) {
                        Ok(()) => at = next,
                        Err(e) => break End::Broken(here, e),
                    }
                }
                Ok(None) => break End::Journal(at),
                Err(e) => break End::Unreadable(at, e),
            }
        };
        (format!("{end:?}"), linked)
    }

    fn ahead(faults: Faults, size: Option<u64>, plan: Plan) -> (String, Vec<u64>) {
        let mut linked = Vec::new();
        let stages = Stages { read: &|at| read(faults, at), examine: &|extent| examine(faults, extent) };
        let end = stages.walk(plan, place(0), size, &mut |n| link(faults, &mut linked, n));
        (format!("{end:?}"), linked)
    }

    #[test]
    fn finds_what_a_walk_one_by_one_finds_first() {
        let wheres = || [None].into_iter().chain([0, 1, 7, 8, 9, 22].map(Some));
        let plans = [(1, 1), (1, 4_096), (2, 1_024), (3, 512), (5, 1 << 20)];
        let mut broken = 0;
        for unreadable in wheres() {
            for examined in wheres() {
                for linked in wheres() {
                    let faults = Faults { unreadable, examined, linked };
                    let wanted = one_by_one(faults, None);
                    broken += usize::from(!wanted.0.starts_with("Journal"));
                    for (examiners, batch_bytes) in plans {
                        assert_eq!(ahead(faults, None, Plan { examiners, batch_bytes }), wanted, "{faults:?}");
                    }
                }
            }
        }
        assert_eq!(broken, 7 * 7 * 7 - 1, "every combination but one has a fault");
    }

    #[test]
    fn stops_at_the_size_asked_for() {
        let plan = Plan { examiners: 2, batch_bytes: 1_024 };
        for size in [0, 1, 2, 9, 45, 46, 47, u64::MAX] {
            let wanted = one_by_one(Faults::default(), Some(size));
            assert_eq!(ahead(Faults::default(), Some(size), plan), wanted, "size {size}");
            assert_eq!(wanted.0 == "Enough", size <= GROUPS * 2, "size {size}");
        }
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_while_examining_is_not_the_end_of_the_journal() {
        let examine = |extent: &[u8]| match examine(Faults::default(), extent)? {
            22 => panic!("a bug"),
            n => Ok(n),
        };
        let stages = Stages { read: &|at| read(Faults::default(), at), examine: &examine };
        stages.walk(Plan { examiners: 2, batch_bytes: 512 }, place(0), None, &mut |_| Ok(()));
    }
}

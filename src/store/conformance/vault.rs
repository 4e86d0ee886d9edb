//! The clauses of [`Vault`].

use std::thread;

use super::Violation;
use super::clause::{Clause, Open, ok, refused, same};
use crate::codec::digest::CustodyId;
use crate::codec::limits::EPOCH_TAPES_MAX;
use crate::error::Code;
use crate::governance::DisposalClearance;
use crate::store::contracts::{Vault, VaultRecord};

type Fresh<'a> = Open<'a, dyn Vault>;
type Verdict = Result<(), String>;

/// Clauses on engines that each begin empty.
pub const CLAUSES: &[Clause<dyn Vault>] = &[
    Clause { name: "generation: none before the first", check: no_generation },
    Clause { name: "set_generation: given back whole", check: generation_is_given_back },
    Clause { name: "set_generation: only the next revision", check: only_the_next_revision },
    Clause { name: "create_epoch: empty, and again without effect", check: create_epoch_twice },
    Clause { name: "put: visible on return, slots in order", check: put_is_visible },
    Clause { name: "put: no such epoch", check: put_needs_an_epoch },
    Clause { name: "put: an epoch has a limit", check: put_has_a_limit },
    Clause { name: "sync: repeatable, changes nothing", check: sync_changes_nothing },
    Clause { name: "get: the slot is only a hint", check: slot_is_a_hint },
    Clause { name: "get: not found", check: get_not_found },
    Clause { name: "get: epochs are apart", check: epochs_are_apart },
    Clause { name: "records: every one in slot order", check: records_in_order },
    Clause { name: "records: no such epoch", check: records_need_an_epoch },
    Clause { name: "next_slot: the one that the next put takes", check: next_slot_is_next },
    Clause { name: "next_slot: no such epoch", check: next_slot_needs_an_epoch },
    Clause { name: "rotate: only the next generation", check: only_the_next_generation },
    Clause { name: "rotate: the new generation is present", check: rotate_makes_present },
    Clause { name: "rotate: the old stays whole", check: rotate_keeps_the_old },
    Clause { name: "concurrent: readers while one writes", check: readers_while_writing },
];

/// Clauses on one engine that is opened again: each call of the closure opens the same store, and the one before
/// is dropped first.
pub const LASTING: &[Clause<dyn Vault>] = &[
    Clause { name: "set_generation: durable on return", check: generation_lasts },
    Clause { name: "create_epoch: durable on return", check: epoch_lasts },
    Clause { name: "sync: what was put lasts, and puts go on behind it", check: puts_last },
    Clause { name: "next_slot: the same in the next run", check: next_slot_lasts },
    Clause { name: "rotate: durable on return", check: rotation_lasts },
];

/// One clause of [`Vault::destroy`].
type DestroyClause = (&'static str, fn(&Fresh<'_>, &Mint<'_>) -> Verdict);

/// Clauses that cost clearances, on engines that each begin empty.
const DESTROY: &[DestroyClause] = &[
    ("destroy: never the present generation, and the oldest first", destroy_spares_the_present),
    ("destroy: what ended is gone, what survived is not", destroy_ends_the_old),
];

/// Checks [`Vault::destroy`]; the violations.
#[must_use]
pub fn run_destroy(fresh: &Fresh<'_>, mint: &Mint<'_>) -> Vec<Violation> {
    let check = |(clause, check): &DestroyClause| match check(fresh, mint) {
        Ok(()) => None,
        Err(detail) => Some(Violation { clause, detail }),
    };
    DESTROY.iter().filter_map(check).collect()
}

/// Makes the value that [`Vault::destroy`] costs. Only the workflow that may do so can give one.
pub type Mint<'a> = dyn Fn(CustodyId) -> DisposalClearance + 'a;

const A: [u8; 16] = [0xa1; 16];
const B: [u8; 16] = [0xb2; 16];
const C: [u8; 16] = [0xc3; 16];

fn id(n: u32) -> CustodyId {
    let mut bytes = [0x1d; 32];
    for (to, from) in bytes.iter_mut().zip(n.to_be_bytes()) {
        *to = from;
    }
    CustodyId::from_bytes(bytes)
}

fn record(n: u32) -> VaultRecord {
    let [.., low] = n.to_be_bytes();
    VaultRecord { custody_id: id(n), wrapped: [low ^ 0x33; 48], dedupe: [low ^ 0xcc; 32] }
}

/// An epoch with records 1 to `count`.
fn filled(vault: &dyn Vault, epoch: &[u8; 16], count: u32) -> Verdict {
    ok("create_epoch", vault.create_epoch(epoch))?;
    for n in 1..=count {
        ok("put", vault.put(epoch, &record(n)))?;
    }
    ok("sync", vault.sync())
}

fn no_generation(fresh: &Fresh<'_>) -> Verdict {
    same("generation", ok("generation", fresh().generation())?, None)
}

fn generation_is_given_back(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    for (revision, bytes) in [(1, b"".to_vec()), (2, b"\n\0line 2\xff\n".to_vec()), (3, vec![7; 100_000])] {
        ok("set_generation", vault.set_generation(4, revision, &bytes))?;
        same("generation", ok("generation", vault.generation())?, Some((4, revision, bytes)))?;
    }
    Ok(())
}

fn only_the_next_revision(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    refused("first revision 0", vault.set_generation(1, 0, b"x"), Code::Conflict)?;
    refused("first revision 2", vault.set_generation(1, 2, b"x"), Code::Conflict)?;
    same("generation after refusals", ok("generation", vault.generation())?, None)?;
    ok("first revision 1", vault.set_generation(1, 1, b"one"))?;
    for (generation, revision) in [(1, 1), (1, 3), (1, 0), (2, 2), (2, 1), (0, 2)] {
        let what = format!("generation {generation} revision {revision} after 1, 1");
        refused(&what, vault.set_generation(generation, revision, b"x"), Code::Conflict)?;
        same(&what, ok("generation", vault.generation())?, Some((1, 1, b"one".to_vec())))?;
    }
    ok("revision 2", vault.set_generation(1, 2, b"two"))
}

fn create_epoch_twice(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    ok("create_epoch", vault.create_epoch(&A))?;
    same("a new epoch", ok("records", vault.records(&A))?, vec![])?;
    filled(&*vault, &A, 1)?;
    ok("create_epoch again", vault.create_epoch(&A))?;
    same("after making it again", ok("records", vault.records(&A))?, vec![record(1)])?;
    same("next slot", ok("put", vault.put(&A, &record(2)))?, 1)
}

fn put_is_visible(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    ok("create_epoch", vault.create_epoch(&A))?;
    for n in 0..40 {
        same("slot", ok("put", vault.put(&A, &record(n)))?, n)?;
        same("get before sync", ok("get", vault.get(&A, &id(n), Some(n)))?, record(n))?;
    }
    Ok(())
}

fn put_needs_an_epoch(fresh: &Fresh<'_>) -> Verdict {
    refused("put", fresh().put(&A, &record(1)), Code::NotFound)
}

fn put_has_a_limit(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    filled(&*vault, &A, EPOCH_TAPES_MAX)?;
    refused("one more", vault.put(&A, &record(1_000)), Code::Limit)?;
    same("records", ok("records", vault.records(&A))?.len(), EPOCH_TAPES_MAX as usize)?;
    same("the last", ok("get", vault.get(&A, &id(EPOCH_TAPES_MAX), None))?, record(EPOCH_TAPES_MAX))
}

fn sync_changes_nothing(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    ok("sync of nothing", vault.sync())?;
    filled(&*vault, &A, 3)?;
    ok("sync again", vault.sync())?;
    same("records", ok("records", vault.records(&A))?, (1..=3).map(record).collect())
}

fn slot_is_a_hint(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    filled(&*vault, &A, 20)?;
    for hint in [Some(6), None, Some(0), Some(19), Some(20), Some(EPOCH_TAPES_MAX), Some(u32::MAX)] {
        same(&format!("hint {hint:?}"), ok("get", vault.get(&A, &id(7), hint))?, record(7))?;
    }
    Ok(())
}

fn get_not_found(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    refused("no epoch", vault.get(&A, &id(1), None), Code::NotFound)?;
    filled(&*vault, &A, 3)?;
    refused("another tape", vault.get(&A, &id(9), None), Code::NotFound)?;
    refused("another tape, hinted", vault.get(&A, &id(9), Some(1)), Code::NotFound)
}

fn epochs_are_apart(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    filled(&*vault, &A, 3)?;
    ok("create_epoch", vault.create_epoch(&B))?;
    same("first slot of another epoch", ok("put", vault.put(&B, &record(50)))?, 0)?;
    refused("of B in A", vault.get(&A, &id(50), Some(0)), Code::NotFound)?;
    refused("of A in B", vault.get(&B, &id(1), Some(0)), Code::NotFound)
}

fn records_in_order(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    ok("create_epoch", vault.create_epoch(&A))?;
    let order = [5, 3, 9, 1, 200, 7];
    for n in order {
        ok("put", vault.put(&A, &record(n)))?;
    }
    ok("sync", vault.sync())?;
    same("records", ok("records", vault.records(&A))?, order.into_iter().map(record).collect())
}

fn records_need_an_epoch(fresh: &Fresh<'_>) -> Verdict {
    refused("records", fresh().records(&A), Code::NotFound)
}

fn next_slot_is_next(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    ok("create_epoch", vault.create_epoch(&A))?;
    filled(&*vault, &B, 3)?;
    for n in 0..EPOCH_TAPES_MAX {
        same("next slot", ok("next_slot", vault.next_slot(&A))?, n)?;
        same("slot taken", ok("put", vault.put(&A, &record(n)))?, n)?;
    }
    same("of a full epoch", ok("next_slot", vault.next_slot(&A))?, EPOCH_TAPES_MAX)?;
    same("of another epoch", ok("next_slot", vault.next_slot(&B))?, 3)
}

fn next_slot_needs_an_epoch(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    filled(&*vault, &A, 2)?;
    refused("next_slot", vault.next_slot(&B), Code::NotFound)
}

fn only_the_next_generation(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    refused("from nothing", vault.rotate(1, b"x", &[]), Code::Conflict)?;
    ok("set_generation", vault.set_generation(1, 1, b"one"))?;
    for generation in [0, 1, 3] {
        refused(&format!("from 1 to {generation}"), vault.rotate(generation, b"x", &[]), Code::Conflict)?;
    }
    filled(&*vault, &A, 2)?;
    let changed = [(A, vec![record(2)])];
    refused("an epoch there with other records", vault.rotate(2, b"x", &changed), Code::Conflict)?;
    let twice = [(B, vec![record(1)]), (B, vec![record(1)])];
    refused("an epoch named twice", vault.rotate(2, b"x", &twice), Code::Conflict)?;
    let long = [(B, (0..=EPOCH_TAPES_MAX).map(record).collect())];
    refused("too many records", vault.rotate(2, b"x", &long), Code::Limit)?;
    same("generation after refusals", ok("generation", vault.generation())?, Some((1, 1, b"one".to_vec())))
}

fn rotated(vault: &dyn Vault) -> Verdict {
    ok("set_generation", vault.set_generation(1, 1, b"one"))?;
    filled(vault, &A, 3)?;
    filled(vault, &B, 2)?;
    let survivors = [(C, vec![record(1), record(3)]), (B, vec![record(1), record(2)])];
    ok("rotate", vault.rotate(2, b"two", &survivors))
}

fn present_is_whole(vault: &dyn Vault) -> Verdict {
    same("generation", ok("generation", vault.generation())?, Some((2, 1, b"two".to_vec())))?;
    same("survivors", ok("records", vault.records(&C))?, vec![record(1), record(3)])?;
    same("an epoch kept as it was", ok("records", vault.records(&B))?, vec![record(1), record(2)])?;
    same("a survivor", ok("get", vault.get(&C, &id(3), Some(1)))?, record(3))
}

fn rotate_makes_present(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    rotated(&*vault)?;
    present_is_whole(&*vault)?;
    same("next slot of a survivor", ok("put", vault.put(&C, &record(8)))?, 2)?;
    ok("next revision", vault.set_generation(2, 2, b"two again"))
}

fn rotate_keeps_the_old(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    rotated(&*vault)?;
    same("the old epoch", ok("records", vault.records(&A))?, (1..=3).map(record).collect())?;
    same("a tape left behind", ok("get", vault.get(&A, &id(2), Some(1)))?, record(2))
}

fn readers_while_writing(fresh: &Fresh<'_>) -> Verdict {
    let vault = fresh();
    filled(&*vault, &A, 1)?;
    let vault = &*vault;
    thread::scope(|scope| {
        let reader = |round: u32| {
            move || -> Verdict {
                for _ in 0..200 {
                    let hint = round.is_multiple_of(2).then_some(0);
                    same("get while writing", ok("get", vault.get(&A, &id(1), hint))?, record(1))?;
                    let seen = ok("records while writing", vault.records(&A))?;
                    let wanted = (1..).map(record).take(seen.len()).collect();
                    same("records while writing", seen, wanted)?;
                }
                Ok(())
            }
        };
        let readers: Vec<_> = (0..3).map(|round| scope.spawn(reader(round))).collect();
        for n in 2..=200 {
            ok("put while reading", vault.put(&A, &record(n)))?;
            if n.is_multiple_of(16) {
                ok("sync while reading", vault.sync())?;
            }
        }
        readers.into_iter().try_for_each(|r| r.join().unwrap_or_else(|_| Err("a reader panicked".to_owned())))
    })
}

fn generation_lasts(again: &Fresh<'_>) -> Verdict {
    ok("set_generation", again().set_generation(1, 1, b"one"))?;
    same("after opening again", ok("generation", again().generation())?, Some((1, 1, b"one".to_vec())))?;
    ok("set_generation", again().set_generation(1, 2, b"two"))?;
    same("after opening again", ok("generation", again().generation())?, Some((1, 2, b"two".to_vec())))
}

fn epoch_lasts(again: &Fresh<'_>) -> Verdict {
    ok("create_epoch", again().create_epoch(&A))?;
    same("after opening again", ok("records", again().records(&A))?, vec![])
}

fn puts_last(again: &Fresh<'_>) -> Verdict {
    filled(&*again(), &A, 10)?;
    same("after opening again", ok("records", again().records(&A))?, (1..=10).map(record).collect())?;
    same("next slot", ok("put", again().put(&A, &record(11)))?, 10)?;
    same("get", ok("get", again().get(&A, &id(4), Some(3)))?, record(4))
}

fn next_slot_lasts(again: &Fresh<'_>) -> Verdict {
    filled(&*again(), &A, 4)?;
    same("next slot after opening again", ok("next_slot", again().next_slot(&A))?, 4)
}

fn rotation_lasts(again: &Fresh<'_>) -> Verdict {
    rotated(&*again())?;
    present_is_whole(&*again())?;
    same("the old epoch", ok("records", again().records(&A))?, (1..=3).map(record).collect())
}

fn destroy_spares_the_present(fresh: &Fresh<'_>, mint: &Mint<'_>) -> Verdict {
    let vault = fresh();
    refused("without any", vault.destroy(1, mint(id(2))), Code::Conflict)?;
    rotated(&*vault)?;
    refused("the present one", vault.destroy(2, mint(id(2))), Code::Conflict)?;
    refused("one to come", vault.destroy(3, mint(id(2))), Code::Conflict)?;
    let survivors = [(C, vec![record(1), record(3)])];
    ok("rotate", vault.rotate(3, b"three", &survivors))?;
    refused("before an older one", vault.destroy(2, mint(id(2))), Code::Conflict)?;
    same("the old epoch", ok("records", vault.records(&A))?, (1..=3).map(record).collect())?;
    same("a survivor of the first", ok("records", vault.records(&B))?, vec![record(1), record(2)])
}

fn destroy_ends_the_old(fresh: &Fresh<'_>, mint: &Mint<'_>) -> Verdict {
    let vault = fresh();
    rotated(&*vault)?;
    let receipt = ok("destroy", vault.destroy(1, mint(id(2))))?;
    same("the receipt names the generation", receipt.contains("generation 1"), true)?;
    refused("an epoch that ended", vault.records(&A), Code::NotFound)?;
    refused("a tape that ended", vault.get(&A, &id(2), Some(1)), Code::NotFound)?;
    present_is_whole(&*vault)?;
    ok("destroy again", vault.destroy(1, mint(id(2))))?;
    present_is_whole(&*vault)?;
    ok("rotate", vault.rotate(3, b"three", &[(C, vec![record(1), record(3)])]))?;
    ok("destroy the next", vault.destroy(2, mint(id(2))))?;
    refused("the epoch that ended then", vault.records(&B), Code::NotFound)?;
    same("what still survives", ok("records", vault.records(&C))?, vec![record(1), record(3)])
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use super::*;
    use crate::error::Result;
    use crate::store::embedded::vault::EmbeddedVault;
    use crate::store::files::RealFiles;
    use crate::store::memory::vault::MemoryVault;

    #[test]
    fn both_engines_destroy_as_they_must() {
        let mint = |id| DisposalClearance::for_tests(id);
        assert_eq!(run_destroy(&|| Box::new(MemoryVault::new()), &mint), vec![]);
        let (folder, count) = (tempfile::tempdir().unwrap(), Cell::new(0));
        let fresh = || -> Box<dyn Vault> {
            count.set(count.get() + 1);
            let path = folder.path().join(format!("{}/vault", count.get()));
            Box::new(EmbeddedVault::open(Arc::new(RealFiles), path).unwrap())
        };
        assert_eq!(run_destroy(&fresh, &mint), vec![]);
    }

    /// An engine that breaks one promise of `destroy`.
    struct Broken {
        inner: MemoryVault,
        spares: bool,
    }

    impl Vault for Broken {
        fn generation(&self) -> Result<Option<(u64, u64, Vec<u8>)>> {
            self.inner.generation()
        }
        fn set_generation(&self, generation: u64, revision: u64, bytes: &[u8]) -> Result<()> {
            self.inner.set_generation(generation, revision, bytes)
        }
        fn create_epoch(&self, epoch: &[u8; 16]) -> Result<()> {
            self.inner.create_epoch(epoch)
        }
        fn put(&self, epoch: &[u8; 16], record: &VaultRecord) -> Result<u32> {
            self.inner.put(epoch, record)
        }
        fn sync(&self) -> Result<()> {
            self.inner.sync()
        }
        fn get(&self, epoch: &[u8; 16], custody_id: &CustodyId, slot: Option<u32>) -> Result<VaultRecord> {
            self.inner.get(epoch, custody_id, slot)
        }
        fn records(&self, epoch: &[u8; 16]) -> Result<Vec<VaultRecord>> {
            self.inner.records(epoch)
        }
        fn rotate(&self, generation: u64, bytes: &[u8], survivors: &[([u8; 16], Vec<VaultRecord>)]) -> Result<()> {
            self.inner.rotate(generation, bytes, survivors)
        }
        fn destroy(&self, generation: u64, clearance: DisposalClearance) -> Result<String> {
            match self.inner.destroy(generation, clearance) {
                Err(_) if !self.spares => Ok("generation 1".to_owned()),
                Ok(_) if self.spares => Ok("something ended".to_owned()),
                other => other,
            }
        }
    }

    #[test]
    fn an_engine_that_breaks_a_promise_is_found() {
        for (spares, at) in [(false, 0), (true, 1)] {
            let fresh = || -> Box<dyn Vault> { Box::new(Broken { inner: MemoryVault::new(), spares }) };
            let found = run_destroy(&fresh, &|id| DisposalClearance::for_tests(id));
            assert_eq!(found.iter().map(|v| v.clause).collect::<Vec<_>>(), [DESTROY[at].0], "{found:?}");
        }
    }
}

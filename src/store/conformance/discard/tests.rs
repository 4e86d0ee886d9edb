//! The two engines keep every clause of discarding; an engine broken in one of them is found, and by that one alone.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::codec::digest::Digest;
use crate::error::{Error, Result};
use crate::governance::DisposalClearance;
use crate::store::embedded::packs::Packs;
use crate::store::files::RealFiles;
use crate::store::memory::objects::MemoryObjects;

fn mint(subject: CustodyId) -> DisposalClearance {
    DisposalClearance::for_tests(subject)
}

fn packs(folder: &Path) -> Packs {
    Packs::open(Arc::new(RealFiles), folder.to_owned(), Digest::from_bytes([7; 32])).unwrap()
}

/// What an engine breaks, each clause in a folder of its own.
fn broken(wrap: &dyn Fn(Packs) -> Box<dyn Objects>) -> Vec<&'static str> {
    let (folder, count) = (tempfile::tempdir().unwrap(), AtomicU64::new(0));
    let fresh = || {
        let run = count.fetch_add(1, Ordering::Relaxed);
        wrap(packs(&folder.path().join(run.to_string())))
    };
    let again = || wrap(packs(&folder.path().join("again")));
    let mut found = run_discard(&fresh, &mint);
    found.extend(run_discard_lasting(&again, &mint));
    found.into_iter().map(|violation| violation.clause).collect()
}

#[test]
fn both_engines_discard_as_they_must() {
    assert_eq!(run_discard(&|| Box::new(MemoryObjects::new()), &mint), []);
    let (folder, count) = (tempfile::tempdir().unwrap(), AtomicU64::new(0));
    let fresh = || -> Box<dyn Objects> {
        let run = count.fetch_add(1, Ordering::Relaxed);
        Box::new(packs(&folder.path().join(run.to_string())))
    };
    assert_eq!(run_discard(&fresh, &mint), []);
    assert_eq!(run_discard_lasting(&|| Box::new(packs(&folder.path().join("again"))), &mint), []);
}

/// The packs, broken in one clause.
struct Broken {
    inner: Packs,
    fault: &'static str,
    notes: Mutex<Notes>,
}

/// What this handle did.
#[derive(Default)]
struct Notes {
    put: Vec<ObjectRef>,
    discarded: Vec<ObjectRef>,
}

impl Broken {
    fn is(&self, fault: &str) -> bool {
        self.fault == fault
    }
}

impl Objects for Broken {
    fn put_all(&self, objects: &[NewObject<'_>], protection: Protection) -> Result<Vec<ObjectRef>> {
        let was_discarded =
            |o: &NewObject<'_>| self.notes.lock().unwrap().discarded.iter().any(|gone| gone.digest == *o.digest());
        if self.is("discard: the same bytes put later are a new object") && objects.iter().any(was_discarded) {
            return Err(Error::new(Code::Conflict, "broken on purpose"));
        }
        let put = self.inner.put_all(objects, protection)?;
        self.notes.lock().unwrap().put.extend(&put);
        Ok(put)
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    fn get(&self, object: &ObjectRef) -> Result<Vec<u8>> {
        self.inner.get(object)
    }

    fn list(&self, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        self.inner.list(each)?;
        let notes = self.notes.lock().unwrap();
        let last = notes.discarded.last().filter(|object| object.bytes == 1);
        match last.filter(|_| self.is("discard: it is given and listed no more")) {
            Some(object) => each(Listed::Object(*object, Protection::WORM)),
            None => Ok(()),
        }
    }

    fn protect(&self, object: &ObjectRef, protection: Protection) -> Result<()> {
        self.inner.protect(object, protection)
    }

    fn discard(&self, object: &ObjectRef, now_ms: u64, clearance: DisposalClearance) -> Result<()> {
        let is_first = {
            let mut notes = self.notes.lock().unwrap();
            notes.discarded.push(*object);
            notes.discarded.len() == 1
        };
        let put = self.notes.lock().unwrap().put.clone();
        match self.fault {
            "discard: nothing else goes" if put.len() == 3 => self.inner.discard(&put[0], now_ms, mint(TAPE))?,
            "discard: not before its date" => return self.inner.discard(object, u64::MAX, clearance),
            "discard: not found" => {
                return self.inner.discard(object, now_ms, clearance).or_else(|e| match e.code() {
                    Code::NotFound => Ok(()),
                    _ => Err(e),
                });
            }
            "discard: again brings nothing back" if !is_first && object.bytes == 3_000 => {
                return self.inner.put(NewObject::of(&noise(1, 3_000)), Protection::WORM).map(drop);
            }
            // Known to this run alone, as of an engine that keeps it in memory.
            "discard: lasts after a sync" if put.is_empty() && object.bytes == 900 => return Ok(()),
            _ => {}
        }
        self.inner.discard(object, now_ms, clearance)
    }
}

#[test]
fn each_broken_clause_is_found_alone() {
    for (clause, _) in CLAUSES.iter().chain(LASTING) {
        let wrap = |inner| -> Box<dyn Objects> { Box::new(Broken { inner, fault: clause, notes: Mutex::default() }) };
        assert_eq!(broken(&wrap), [*clause]);
    }
    let wrap = |inner| -> Box<dyn Objects> { Box::new(Broken { inner, fault: "none", notes: Mutex::default() }) };
    assert_eq!(broken(&wrap), [""; 0]);
}

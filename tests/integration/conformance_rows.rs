//! The rows' clauses hold on both engines, and each is noticed when an engine breaks it.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;

use immutape::codec::limits::{ROW_KEY_BYTES_MAX, ROW_VALUE_BYTES_MAX};
use immutape::error::{Code, Error, Result};
use immutape::store::conformance::rows::{CLAUSES, LASTING};
use immutape::store::conformance::run;
use immutape::store::embedded::rows::SledRows;
use immutape::store::files::RealFiles;
use immutape::store::memory::rows::MemoryRows;
use immutape::store::{Batch, Rows};

#[test]
fn memory_keeps_every_clause() {
    assert_eq!(run(CLAUSES, &|| Box::new(MemoryRows::new())), vec![]);
}

#[test]
fn embedded_keeps_every_clause() {
    let (folder, count) = (tempfile::tempdir().unwrap(), Cell::new(0));
    let fresh = || -> Box<dyn Rows> {
        count.set(count.get() + 1);
        let ledger = folder.path().join(count.get().to_string());
        Box::new(SledRows::open(Arc::new(RealFiles), ledger.join("index"), ledger.join("quarantine")).unwrap())
    };
    assert_eq!(run(CLAUSES, &fresh), vec![]);
}

#[test]
fn embedded_lasts() {
    for clause in LASTING {
        let folder = tempfile::tempdir().unwrap();
        let (index, quarantine) = (folder.path().join("index"), folder.path().join("quarantine"));
        let again = || -> Box<dyn Rows> {
            Box::new(SledRows::open(Arc::new(RealFiles), index.clone(), quarantine.clone()).unwrap())
        };
        assert_eq!(clause.check(&again), Ok(()));
    }
}

/// The memory engine, broken in one clause.
struct Broken {
    inner: MemoryRows,
    fault: &'static str,
    made_by: ThreadId,
    asked: AtomicBool,
}

impl Broken {
    fn new(fault: &'static str) -> Self {
        Self { inner: MemoryRows::new(), fault, made_by: std::thread::current().id(), asked: AtomicBool::new(false) }
    }

    fn is(&self, fault: &str) -> bool {
        self.fault == fault
    }
}

impl Rows for Broken {
    fn apply(&self, mut batch: Batch, position: &[u8]) -> Result<()> {
        let limit = || Error::new(Code::Limit, "broken on purpose");
        match self.fault {
            "apply: puts are there" => batch.puts.retain(|(_, value)| !value.is_empty()),
            "apply: a put replaces" => batch.puts.retain(|(key, _)| matches!(self.inner.get(key), Ok(None))),
            "apply: removes are gone" => batch.removes.clear(),
            "apply: stores the position" => {
                if let Some((_, forged)) = batch.puts.iter().find(|(key, _)| key == b"p").cloned() {
                    return self.inner.apply(batch, &forged);
                }
            }
            "apply: the longest key and value fit"
                if batch.puts.iter().any(|(_, value)| value.len() == ROW_VALUE_BYTES_MAX) =>
            {
                return Err(limit());
            }
            "apply: a longer value is refused" if position.len() > ROW_VALUE_BYTES_MAX => return Ok(()),
            "apply: a longer key is refused" => batch.removes.retain(|key| key.len() <= ROW_KEY_BYTES_MAX),
            "apply: all or nothing" => {
                let short: Vec<_> =
                    batch.puts.iter().filter(|(_, v)| v.len() <= ROW_VALUE_BYTES_MAX).cloned().collect();
                if short.len() < batch.puts.len() && !short.is_empty() {
                    self.inner.apply(Batch { puts: short, removes: batch.removes }, position)?;
                    return Err(limit());
                }
            }
            _ => {}
        }
        self.inner.apply(batch, position)
    }

    fn is_there(&self) -> bool {
        match self.fault {
            "is_there: yes once something was applied" => false,
            "is_there: asking makes nothing" => self.asked.swap(true, Ordering::Relaxed),
            _ => self.inner.is_there(),
        }
    }

    fn position(&self) -> Result<Option<Vec<u8>>> {
        let position = self.inner.position()?;
        let always = self.is("position: none at first");
        // What was refused or reset has no position either; only the first question is answered wrongly.
        Ok(if always && position.is_none() && self.made_by == std::thread::current().id() {
            Some(vec![])
        } else {
            position
        })
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let found = self.inner.get(key)?;
        if self.is("concurrent: a key is seen before or after a batch") && std::thread::current().id() != self.made_by {
            return Ok(found.map(|value| value[..value.len() / 2].to_vec()));
        }
        if self.is("get: none for another key") && found.is_none() && key == b"T" {
            return self.inner.get(b"ta");
        }
        Ok(found)
    }

    fn scan(&self, from: &[u8], to: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> Result<bool>) -> Result<()> {
        let mut count = 0;
        match self.fault {
            "scan: from <= key" => self.inner.scan(&[from, b"\0"].concat(), to, each),
            "scan: key < to" => self.inner.scan(from, &[to, b"\0"].concat(), each),
            "scan: ascending, each once" => self.inner.scan(from, to, &mut |key, value| {
                count += 1;
                Ok(count <= 1_000 && each(key, value)?)
            }),
            "scan: stops at false" => self.inner.scan(from, to, &mut |key, value| each(key, value).map(|_| true)),
            "scan: stops at the first error" => {
                self.inner.scan(from, to, &mut |key, value| Ok(each(key, value).unwrap_or(true)))
            }
            "scan: nothing between the wrong ends" if from > to => self.inner.scan(to, from, each),
            _ => self.inner.scan(from, to, each),
        }
    }

    fn floor(&self, floor: &[u8], key: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        match self.fault {
            "floor: the greatest that is <= key" => {
                let found = self.inner.floor(floor, key)?;
                Ok(found.filter(|(at, _)| at != key))
            }
            "floor: and >= floor" => self.inner.floor(b"", key).map(|found| found.filter(|(at, _)| at != b"p")),
            _ => self.inner.floor(floor, key),
        }
    }

    fn flush(&self) -> Result<()> {
        if self.is("flush: changes nothing") {
            let position = self.inner.position()?.unwrap_or_default();
            self.inner.apply(Batch { puts: vec![], removes: vec![b"ta".to_vec()] }, &position)?;
        }
        self.inner.flush()
    }

    fn reset(&self) -> Result<Option<PathBuf>> {
        let position = self.inner.position()?;
        let aside = self.inner.reset()?;
        if self.is("reset: empty and in use") {
            self.inner.apply(Batch::default(), &position.unwrap_or_default())?;
        }
        Ok(aside)
    }
}

#[test]
fn each_broken_clause_is_found() {
    for clause in CLAUSES {
        let found = run(CLAUSES, &|| Box::new(Broken::new(clause.name)));
        assert!(found.iter().any(|v| v.clause == clause.name), "{}: {found:#?}", clause.name);
        assert!(found.len() < CLAUSES.len() / 3, "{} breaks nearly everything: {found:#?}", clause.name);
    }
    assert_eq!(run(CLAUSES, &|| Box::new(Broken::new("none"))), vec![]);
}

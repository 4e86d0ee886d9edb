//! Reading what is stored again, part by part: each thing once in a round, whatever is added meanwhile, and what decayed is named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use immutape::Code;
use immutape::codec::digest::{Digest, ObjectDigest, sha256};
use immutape::error::Result;
use immutape::governance::DisposalClearance;
use immutape::ledger::{Checker, Environment, Ledger, Places, ScrubPart, Scrubbed};
use immutape::log::{Body, EntryKind};
use immutape::store::contracts::Listed;
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::embedded::packs::Packs;
use immutape::store::files::RealFiles;
use immutape::store::{Engine, NewObject, ObjectRef, Objects, Protection, Stores};

use crate::support::crash::copy_folder;
use crate::support::ledgers::{TAPES, ann, create, open, real, save_tape};

/// The embedded engine, whose objects remember which of them were read again.
struct Watching {
    engine: EmbeddedEngine,
    read: Arc<Mutex<BTreeMap<ObjectDigest, u64>>>,
}

struct WatchedObjects {
    objects: Arc<dyn Objects>,
    read: Arc<Mutex<BTreeMap<ObjectDigest, u64>>>,
}

impl Engine for Watching {
    fn name(&self) -> &'static str {
        self.engine.name()
    }
    fn first_group(&self, ledger: &Path) -> Result<Option<Vec<u8>>> {
        self.engine.first_group(ledger)
    }
    fn open(&self, ledger: &Path, state: &Path, origin: Digest) -> Result<Stores> {
        let stores = self.engine.open(ledger, state, origin)?;
        let objects = Arc::new(WatchedObjects { objects: stores.objects.clone(), read: self.read.clone() });
        Ok(Stores { objects, ..stores })
    }
}

impl Objects for WatchedObjects {
    fn put_all(&self, objects: &[NewObject<'_>], protection: Protection) -> Result<Vec<ObjectRef>> {
        self.objects.put_all(objects, protection)
    }
    fn sync(&self) -> Result<()> {
        self.objects.sync()
    }
    fn get(&self, object: &ObjectRef) -> Result<Vec<u8>> {
        self.objects.get(object)
    }
    fn rehash_stored(&self, object: &ObjectRef) -> Result<(u64, bool)> {
        *self.read.lock().unwrap().entry(object.digest).or_default() += 1;
        self.objects.rehash_stored(object)
    }
    fn list(&self, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        self.objects.list(each)
    }
    fn protect(&self, object: &ObjectRef, protection: Protection) -> Result<()> {
        self.objects.protect(object, protection)
    }
    fn discard(&self, object: &ObjectRef, now_ms: u64, clearance: DisposalClearance) -> Result<()> {
        self.objects.discard(object, now_ms, clearance)
    }
}

fn checker(folder: &Path, env: &Environment) -> Checker {
    Checker::open(&Places::beneath(folder), env).unwrap()
}

fn scrub(folder: &Path, of: u64) -> Scrubbed {
    let checker = checker(folder, &real());
    checker.scrub(checker.next_scrub(of).unwrap())
}

/// Every object that is stored now.
fn stored(folder: &Path) -> Vec<ObjectRef> {
    let ledger = folder.join("ledger");
    let origin = Digest::from_bytes(sha256(b""));
    let packs = Packs::open(Arc::new(RealFiles), ledger.join("packs"), origin).unwrap();
    let mut all = Vec::new();
    let mut take = |listed| {
        if let Listed::Object(object, _) = listed {
            all.push(object);
        }
        Ok(())
    };
    packs.list(&mut take).unwrap();
    all
}

async fn with_tapes(folder: &Path, names: &[&str]) -> Ledger {
    let ledger = create(folder).await;
    for name in names {
        save_tape(&ledger, name).await.unwrap();
    }
    ledger
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_round_each_object_is_read_once_also_while_new_ones_come() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    with_tapes(home, &TAPES[..2]).await.close().await.unwrap();
    let read = Arc::new(Mutex::new(BTreeMap::new()));
    let engine = Watching { engine: EmbeddedEngine::new(Arc::new(RealFiles)), read: read.clone() };
    let env = real().engine(Arc::new(engine));
    for of in [1, 4, 7] {
        let (before, mut new) = (stored(home), 2);
        read.lock().unwrap().clear();
        let (mut objects, mut segments) = (0, 0);
        for n in 1..=of {
            let checker = checker(home, &env);
            let part = checker.next_scrub(of).unwrap();
            assert_eq!((part.number(), part.of()), (n, of));
            let made = checker.scrub(part);
            assert_eq!(made.findings, []);
            drop(checker);
            (objects, segments) = (objects + made.objects, segments + made.segments);
            let ledger = open(home).await.unwrap();
            if of == 4 && new < TAPES.len() {
                save_tape(&ledger, TAPES[new]).await.unwrap();
                new += 1;
            }
            let entry = ledger.record_scrub(&ann(), &made).await.unwrap();
            let (lines, _) = ledger.log(&ann(), entry..entry + 1).await.unwrap();
            let Body::Scrubbed { part, of: parts, objects, bytes, findings, segments, from_medium } = lines[0].body
            else {
                panic!("{:?}", lines[0].body)
            };
            assert_eq!((lines[0].kind, part, parts, findings), (EntryKind::SCRUBBED, n, of, 0));
            assert_eq!(
                (objects, bytes, segments, from_medium),
                (made.objects, made.bytes, made.segments, made.from_medium)
            );
            ledger.close().await.unwrap();
        }
        assert_eq!((new > 2, segments), (of == 4, 1));
        let read = read.lock().unwrap();
        for object in &before {
            assert_eq!(read.get(&object.digest), Some(&1), "{of} parts");
        }
        assert!(read.values().all(|times| *times == 1) && read.len() as u64 == objects);
        assert!(read.len() >= before.len() && before.len() > 5);
        assert_eq!(checker(home, &env).next_scrub(of).unwrap().number(), 1, "the round begins anew");
    }
    // Another number of parts begins a round of its own; what does not hold is as good as nothing.
    let part = |of| checker(home, &env).next_scrub(of).unwrap();
    assert_eq!(part(9), ScrubPart::new(1, 9).unwrap());
    let made = scrub(home, 9);
    let ledger = open(home).await.unwrap();
    ledger.record_scrub(&ann(), &made).await.unwrap();
    let state = Places::beneath(home).state_of(&ledger.id()).unwrap();
    ledger.close().await.unwrap();
    assert_eq!(part(9), ScrubPart::new(2, 9).unwrap());
    std::fs::write(state.join("scrub"), "immutape/scrub/1\n2 9").unwrap();
    assert_eq!(part(9), ScrubPart::new(1, 9).unwrap());
    assert_eq!(checker(home, &env).next_scrub(0).unwrap_err().code(), Code::Usage);
    // Of another ledger nothing is recorded.
    let other = create(&home.join("other")).await;
    assert_eq!(other.record_scrub(&ann(), &made).await.unwrap_err().code(), Code::Usage);
    other.close().await.unwrap();
}

fn flip(file: &Path, at: u64) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[usize::try_from(at).unwrap()] ^= 0x10;
    std::fs::write(file, bytes).unwrap();
}

fn pack(folder: &Path) -> PathBuf {
    folder.join("ledger/packs/00000001.pack")
}

/// Where an object begins in its pack: the last half of its hint.
fn offset(object: &ObjectRef) -> u64 {
    u64::from_be_bytes(*object.hint.0.last_chunk::<8>().unwrap())
}

const RECORD_HEADER_BYTES: u64 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_is_found_within_a_round_and_named() {
    const PARTS: u64 = 5;
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    with_tapes(&good, &TAPES[2..5]).await.close().await.unwrap();
    let mut objects = stored(&good);
    objects.sort_by_key(|object| object.hint.0);
    let mut seen_tape = 0;
    for (n, object) in objects.iter().enumerate() {
        let home = folder.path().join(n.to_string());
        copy_folder(&good, &home);
        // The first, a middle or the last byte of it.
        let within = [0, object.bytes / 2, object.bytes - 1][n % 3];
        flip(&pack(&home), offset(object) + RECORD_HEADER_BYTES + within);
        let mut named = Vec::new();
        for _ in 0..PARTS {
            let made = scrub(&home, PARTS);
            assert!(made.findings.len() <= 1, "{:#?}", made.findings);
            let ledger = open(&home).await.unwrap();
            let entry = ledger.record_scrub(&ann(), &made).await.unwrap();
            for finding in &made.findings {
                let (lines, _) = ledger.log(&ann(), entry..entry + 2).await.unwrap();
                let digest = Some(Digest::from_bytes(*object.digest.as_bytes()));
                let at = finding.entry.unwrap_or(0);
                assert!(matches!(lines[0].body, Body::Scrubbed { findings: 1, .. }));
                assert_eq!(lines[1].body, Body::IntegrityFailed { what: 1, at, digest });
                assert_eq!((finding.part, &finding.place), ("object", &object.digest.to_hex()));
                assert!(finding.what.contains("00000001.pack at byte") && finding.what.contains("another digest"));
                named.push(finding.tape);
            }
            ledger.close().await.unwrap();
        }
        assert_eq!(named.len(), 1, "object {n} at {within}");
        seen_tape += usize::from(named[0].is_some());
        std::fs::remove_dir_all(home).unwrap();
    }
    assert!(objects.len() >= 9 && seen_tape == objects.len(), "{seen_tape} of {}", objects.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_and_what_decayed_around_the_objects_is_found_too() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    with_tapes(&good, &TAPES[3..5]).await.close().await.unwrap();
    let mut objects = stored(&good);
    objects.sort_by_key(|object| object.hint.0);
    let copy = |name: &str| {
        let home = folder.path().join(name);
        copy_folder(&good, &home);
        home
    };
    let words = |made: &Scrubbed| {
        made.findings.iter().map(|f| format!("{} {}: {}", f.part, f.place, f.what)).collect::<Vec<_>>().join("\n")
    };
    // The header of a record: the object is no more in any list, and the entry that names it tells.
    let home = copy("header");
    flip(&pack(&home), offset(&objects[3]) + 9);
    let made = scrub(&home, 1);
    assert!(words(&made).contains("cannot be read"), "{}", words(&made));
    assert!(words(&made).contains(&objects[3].digest.to_hex()), "{}", words(&made));
    // A pack that was cut.
    let home = copy("cut");
    let file = std::fs::OpenOptions::new().write(true).open(pack(&home)).unwrap();
    file.set_len(offset(objects.last().unwrap())).unwrap();
    let made = scrub(&home, 1);
    assert!(words(&made).contains(&objects.last().unwrap().digest.to_hex()), "{}", words(&made));
    assert!(made.findings.iter().all(|finding| finding.part == "object"));
    // A group in the journal.
    let home = copy("journal");
    let segment = home.join("ledger/journal/00000001.seg");
    flip(&segment, 512 + 300);
    let checker = Checker::open(&Places::beneath(&home), &real());
    let made = checker.map(|checker| checker.scrub(ScrubPart::new(1, 1).unwrap()));
    // Where even entry 0 is gone, sled says who this is.
    let made = made.unwrap();
    assert!(made.findings.iter().any(|finding| finding.part == "journal"), "{}", words(&made));
    // Nothing was wrong with the good one.
    let made = scrub(&good, 1);
    assert_eq!((made.findings.len(), made.objects), (0, objects.len() as u64));
    assert!(made.bytes > objects.iter().map(|object| object.bytes).sum::<u64>(), "the journal counts as well");
}

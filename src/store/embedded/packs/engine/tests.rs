//! Discarding, which only code in this room can reach: its clearance is made by the disposal workflow. And hashing
//! in pieces against reading whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::super::records::{RecordHeader, RecordType};
use super::Packs;
use crate::codec::digest::{Digest, ObjectDigest, sha256, sha256_parts};
use crate::error::{Code, Result};
use crate::store::NewObject;
use crate::store::contracts::{Hint, Listed, ObjectRef, Objects, Protection, ProtectionMode};
use crate::store::files::{Entry, File, FileLock, Files, RealFiles};

const ORIGIN: Digest = Digest::from_bytes([7; 32]);

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let blocks = (0_u64..).map(|n| sha256_parts(&[&seed.to_be_bytes(), &n.to_be_bytes()]));
    blocks.flatten().take(bytes).collect()
}

fn digest_of(bytes: &[u8]) -> ObjectDigest {
    ObjectDigest::from_bytes(sha256(bytes))
}

fn packs(folder: &Path) -> Packs {
    Packs::open(Arc::new(RealFiles), folder.to_owned(), ORIGIN).unwrap()
}

fn put(store: &Packs, bytes: &[u8], until_ms: u64) -> ObjectRef {
    let mode = if until_ms == 0 { ProtectionMode::Worm } else { ProtectionMode::Retained };
    store.put(NewObject::of(bytes), Protection { mode, until_ms }).unwrap()
}

fn listed(store: &Packs) -> Vec<Listed> {
    let mut all = Vec::new();
    store
        .list(&mut |found| {
            all.push(found);
            Ok(())
        })
        .unwrap();
    all
}

fn code<T>(result: Result<T>) -> Option<Code> {
    result.err().map(|e| e.code())
}

fn lost(object: ObjectRef) -> ObjectRef {
    ObjectRef { hint: Hint::default(), ..object }
}

fn first_pack(folder: &Path) -> PathBuf {
    folder.join("00000001.pack")
}

#[test]
fn discarded_object_is_gone_and_its_bytes_are_zero() {
    let folder = tempfile::tempdir().unwrap();
    let store = packs(folder.path());
    let (gone, stays) = (put(&store, &noise(1, 9_000), 0), put(&store, &noise(2, 500), 0));
    store.sync().unwrap();
    store.discard_cleared(&lost(gone), 0).unwrap();
    store.sync().unwrap();
    for store in [store, packs(folder.path())] {
        assert_eq!(code(store.get(&gone)), Some(Code::NotFound));
        assert_eq!(code(store.get(&lost(gone))), Some(Code::NotFound));
        assert_eq!(code(store.protect(&gone, Protection::WORM)), Some(Code::NotFound));
        assert_eq!(store.get(&stays).unwrap(), noise(2, 500));
        assert_eq!(listed(&store), [Listed::Object(stays, Protection::WORM)]);
        // The record of the discarded object and its bytes carry no meaning any more.
        let used = store.used_ranges().unwrap();
        assert_eq!(used[0].1, [0..64, 9_128..9_128 + 564 + 64]);
    }
    let bytes = fs::read(first_pack(folder.path())).unwrap();
    assert!(bytes[128..9_128].iter().all(|b| *b == 0));
    let record = RecordHeader::parse(&bytes[9_692..]).unwrap();
    assert_eq!((record.kind, record.digest, record.bytes), (RecordType::Discarded, gone.digest, 9_000));
}

#[test]
fn discarding_is_refused_before_the_date_and_for_what_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    let store = packs(folder.path());
    let object = put(&store, b"kept", 1_000);
    assert_eq!(code(store.discard_cleared(&object, 999)), Some(Code::RetentionShorten));
    store.protect(&object, Protection { mode: ProtectionMode::Retained, until_ms: 2_000 }).unwrap();
    assert_eq!(code(store.discard_cleared(&object, 1_999)), Some(Code::RetentionShorten));
    assert_eq!(store.get(&object).unwrap(), b"kept");
    store.discard_cleared(&object, 2_000).unwrap();
    assert_eq!(code(store.get(&object)), Some(Code::NotFound));
    let absent = ObjectRef { digest: digest_of(b"absent"), ..object };
    assert_eq!(code(store.discard_cleared(&absent, 2_000)), Some(Code::NotFound));
}

#[test]
fn every_copy_is_discarded_and_a_later_put_is_a_new_object() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = noise(1, 3_000);
    for _ in 0..3 {
        let store = packs(folder.path());
        put(&store, &bytes, 0);
        store.sync().unwrap();
    }
    let store = packs(folder.path());
    let object = put(&store, &bytes, 0);
    store.discard_cleared(&object, 0).unwrap();
    let stored = fs::read(first_pack(folder.path())).unwrap();
    assert!(!stored.windows(32).any(|w| w == &bytes[..32]), "a copy is left");
    assert_eq!(code(store.get(&object)), Some(Code::NotFound));
    let again = put(&store, &bytes, 0);
    for store in [store, packs(folder.path())] {
        assert_eq!(store.get(&again).unwrap(), bytes);
        assert_eq!(store.get(&lost(again)).unwrap(), bytes);
        assert_eq!(listed(&store), [Listed::Object(again, Protection::WORM)]);
    }
}

#[test]
fn discarding_cut_short_by_a_crash_is_finished_by_the_next_call() {
    let folder = tempfile::tempdir().unwrap();
    let store = packs(folder.path());
    let object = put(&store, &noise(1, 700), 0);
    // The record alone, as a crash before the bytes were cleared leaves it.
    let kind = RecordType::Discarded;
    let record = RecordHeader { kind, protection: Protection::WORM, bytes: 700, digest: object.digest };
    store.writer.append(&store.folder, &record.encode()).unwrap();
    store.sync().unwrap();
    let store = packs(folder.path());
    assert_eq!(listed(&store), []);
    assert_eq!(code(store.get(&lost(object))), Some(Code::NotFound));
    store.discard_cleared(&object, 0).unwrap();
    assert_eq!(code(packs(folder.path()).get(&object)), Some(Code::NotFound));
    assert!(fs::read(first_pack(folder.path())).unwrap()[128..828].iter().all(|b| *b == 0));
}

#[test]
fn hashing_in_pieces_sees_what_reading_whole_sees() {
    let (piece, header) = (128 << 10, 64);
    for bytes in [0, 1, piece - header, piece - header + 1, piece, 2 * piece - header, 2 * piece, 300_000] {
        let folder = tempfile::tempdir().unwrap();
        let object = put(&packs(folder.path()), &noise(1, bytes), 0);
        let is_kept = |object: ObjectRef| {
            let store = packs(folder.path());
            let (got, hashed) = (store.get(&object), store.rehash(&object));
            assert_eq!(code(store.rehash(&object)), code(store.get(&object)), "{bytes} bytes");
            assert_eq!(hashed.ok(), got.as_ref().ok().map(|got| got.len() as u64), "{bytes} bytes");
            got.is_ok()
        };
        // A reference may be wrong in all but the digest.
        for claimed in [0, 1, bytes as u64 / 2, bytes as u64 + 1, u64::MAX] {
            assert!(
                is_kept(ObjectRef { bytes: claimed, ..object })
                    && is_kept(ObjectRef { bytes: claimed, ..lost(object) })
            );
        }
        let path = first_pack(folder.path());
        let whole = fs::read(&path).unwrap();
        let end = 128 + bytes;
        // The header of the record, every piece of the object, and its last byte.
        for at in
            [64, 90].into_iter().chain((128..end).step_by(65_536)).chain(end.checked_sub(1)).filter(|at| *at < end)
        {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(!is_kept(object), "{bytes} bytes, changed at {at}");
        }
        fs::write(&path, &whole[..end.max(1) - 1]).unwrap();
        assert!(!is_kept(object), "{bytes} bytes, cut");
    }
}

/// The machine's files, with a diary, on a file system that cannot punch or fails to sync.
#[derive(Debug, Clone, Default)]
struct Diary {
    lines: Arc<Mutex<Vec<&'static str>>>,
    cannot_punch: bool,
    fails_to_sync: Arc<Mutex<bool>>,
}

#[derive(Debug)]
struct DiaryFile(Arc<dyn File>, Diary);

impl Diary {
    fn note(&self, line: &'static str) {
        self.lines.lock().unwrap().push(line);
    }

    fn wrap(&self, file: io::Result<Arc<dyn File>>) -> io::Result<Arc<dyn File>> {
        file.map(|file| Arc::new(DiaryFile(file, self.clone())) as Arc<dyn File>)
    }
}

impl File for DiaryFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.1.note("write");
        self.0.write_at(offset, bytes)
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn sync_data(&self) -> io::Result<()> {
        self.1.note("sync");
        if *self.1.fails_to_sync.lock().unwrap() { Err(io::Error::other("by order")) } else { self.0.sync_data() }
    }
    fn punch(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.1.note("punch");
        if self.1.cannot_punch { Err(io::ErrorKind::Unsupported.into()) } else { self.0.punch(offset, bytes) }
    }
}

impl Files for Diary {
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn File>> {
        self.wrap(RealFiles.open(path, write))
    }
    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.wrap(RealFiles.create_new(path))
    }
    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        RealFiles.read(path, bytes_max)
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealFiles.create_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        RealFiles.sync_dir(path)
    }
    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFiles.rename_noreplace(from, to)
    }
    fn rename_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFiles.rename_replace(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        RealFiles.remove_file(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        RealFiles.list(path)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        RealFiles.exists(path)
    }
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        RealFiles.try_lock(path)
    }
    fn shared_mode(&self, path: &Path) -> io::Result<u32> {
        RealFiles.shared_mode(path)
    }
}

#[test]
fn record_of_a_discarding_is_durable_before_any_byte_goes() {
    for (cannot_punch, expected) in
        [(false, ["write", "sync", "punch"].as_slice()), (true, &["write", "sync", "punch", "write"])]
    {
        let folder = tempfile::tempdir().unwrap();
        let diary = Diary { cannot_punch, ..Diary::default() };
        let store = Packs::open(Arc::new(diary.clone()), folder.path().to_owned(), ORIGIN).unwrap();
        let object = put(&store, &noise(1, 700), 0);
        store.sync().unwrap();
        diary.lines.lock().unwrap().clear();
        store.discard_cleared(&object, 0).unwrap();
        assert_eq!(*diary.lines.lock().unwrap(), expected);
        store.sync().unwrap();
        assert_eq!(diary.lines.lock().unwrap().last(), Some(&"sync"), "the clearing is durable after the next sync");
        assert!(fs::read(first_pack(folder.path())).unwrap()[128..828].iter().all(|b| *b == 0));
    }
}

#[test]
fn discarding_that_cannot_be_made_durable_clears_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let diary = Diary::default();
    let store = Packs::open(Arc::new(diary.clone()), folder.path().to_owned(), ORIGIN).unwrap();
    let object = put(&store, &noise(1, 700), 0);
    *diary.fails_to_sync.lock().unwrap() = true;
    assert_eq!(code(store.discard_cleared(&object, 0)), Some(Code::Broken));
    assert!(!diary.lines.lock().unwrap().contains(&"punch"));
    assert_eq!(packs(folder.path()).get(&object).unwrap(), noise(1, 700));
}

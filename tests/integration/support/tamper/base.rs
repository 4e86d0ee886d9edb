//! The ledger that is tampered with: built once a run on the real disk, the same bytes each time but for sled's database,
//! which depends on how many groups of rows went in together.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use immutape::codec::digest::{CustodyId, TapeId, sha256};
use immutape::interchange::{ImportOptions, Importer};
use immutape::ledger::{CheckOptions, Environment, FrameSelection, Ledger, Places, SaveOptions};
use immutape::time::{Clock, Reading, Timestamp};

use super::folders::{copy_tree, point_state_at};
use super::map::Map;
use crate::support::ledgers::{TAPES, ann, seeded, tape_path};

/// A clock that goes on by a millisecond whenever it is asked, so that a run repeats byte for byte.
pub struct StepClock(AtomicU64);

impl StepClock {
    pub fn at(ms: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(ms)))
    }
}

impl Clock for StepClock {
    fn read(&self) -> Reading {
        let ms = self.0.fetch_add(1, Ordering::Relaxed);
        Reading { wall: Timestamp::from_ms(ms), monotonic_ns: ms.wrapping_mul(1_000_000) }
    }

    fn boot_id(&self) -> [u8; 16] {
        [7; 16]
    }
}

/// The first term.
pub const SPRING_MS: u64 = 1_775_000_000_000;
/// The second, in another month: its entries need custody keys of their own, so the vault's file changes too.
pub const SUMMER_MS: u64 = SPRING_MS + 70 * 86_400_000;
/// When cases open the ledger: a third month.
pub const AUTUMN_MS: u64 = SUMMER_MS + 70 * 86_400_000;

/// An environment with seeded keys and a clock that starts at `ms`.
pub fn environment(seed: u64, ms: u64) -> Environment {
    seeded(seed).clock(StepClock::at(ms))
}

/// A kept tape.
#[derive(Debug, Clone)]
pub struct Tape {
    pub id: TapeId,
    pub custody: CustodyId,
    /// Index of the entry that saved it.
    pub entry: u64,
    /// Digest over the frames as they went in.
    pub content: [u8; 32],
    /// Saved in the first term, so an older copy has it.
    pub early: bool,
}

/// The base, its older copy, and a ledger that has nothing to do with it.
pub struct Base {
    _folder: tempfile::TempDir,
    /// Holds `ledger`, `state` and `config`.
    pub root: PathBuf,
    /// The same after its first term, closed in order.
    pub older: PathBuf,
    pub other: PathBuf,
    /// The snapshot of sled's that stood in `root` before its last rows; none in a [`long`] base.
    pub snapshot: Option<PathBuf>,
    pub tapes: Vec<Tape>,
    pub other_tapes: Vec<Tape>,
    /// Entries in the log.
    pub size: u64,
    pub older_size: u64,
    pub map: Map,
    pub other_map: Map,
    pub older_map: Map,
}

static SHARED: Mutex<Weak<Base>> = Mutex::new(Weak::new());

/// The base of this run; tests that run at the same time share one.
pub fn base() -> Arc<Base> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(base) = shared.upgrade() {
        return base;
    }
    let base = Arc::new(Base::build());
    *shared = Arc::downgrade(&base);
    base
}

impl Base {
    fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (root, older, other) =
            (folder.path().join("base"), folder.path().join("older"), folder.path().join("other"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut tapes = runtime.block_on(first_term(&root));
        copy_tree(&root, &older);
        let older_size = Map::read(&older).size();
        // Its second opening leaves a snapshot, without which sled would take what follows for an empty database.
        runtime.block_on(idle_term(&root));
        // A database that is no database: the second term puts it into quarantine.
        std::fs::write(root.join("ledger/index/db"), [0xa5; 4096]).unwrap();
        tapes.extend(runtime.block_on(second_term(&root)));
        // Once more without doing anything: no trace in the log, but sled leaves a snapshot. Then rows come after it.
        runtime.block_on(idle_term(&root));
        let snapshot = copy_snapshot(&root, &folder.path().join("snapshot"));
        runtime.block_on(short_term(&root));
        runtime.block_on(idle_term(&root));
        let other_tapes = runtime.block_on(other_ledger(&other));
        let (map, other_map, older_map) = (Map::read(&root), Map::read(&other), Map::read(&older));
        let size = map.size();
        let snapshot = Some(snapshot);
        Self {
            _folder: folder,
            root,
            older,
            other,
            snapshot,
            tapes,
            other_tapes,
            size,
            older_size,
            map,
            other_map,
            older_map,
        }
    }

    /// A copy to tamper with, with a state folder that names it.
    pub fn copy_to(&self, to: &Path) {
        copy_tree(&self.root, to);
        point_state_at(to);
    }

    pub fn every_tape(&self) -> BTreeSet<TapeId> {
        self.tapes.iter().map(|t| t.id).collect()
    }

    /// Tapes that an older copy does not have.
    pub fn late_tapes(&self) -> BTreeSet<TapeId> {
        self.tapes.iter().filter(|t| !t.early).map(|t| t.id).collect()
    }

    pub fn tape_of(&self, custody: &CustodyId) -> &Tape {
        self.tapes.iter().find(|t| t.custody == *custody).unwrap()
    }
}

/// A ledger with long words in its entries: two full segments and a third prepared.
pub fn long() -> Base {
    let folder = tempfile::tempdir().unwrap();
    let (root, older, other) = (folder.path().join("base"), folder.path().join("older"), folder.path().join("other"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let tapes = runtime.block_on(async {
        let ledger = Ledger::create(Places::beneath(&root), environment(11, SPRING_MS), "long", true).await.unwrap();
        let mut tapes = Vec::new();
        for n in 200..203 {
            tapes.push(save(&ledger, &small(n), ImportOptions::default(), "draft", true).await);
        }
        ledger.close().await.unwrap();
        tapes
    });
    copy_tree(&root, &older);
    let size = runtime.block_on(async {
        let ledger = Ledger::open(Places::beneath(&root), environment(12, SUMMER_MS)).await.unwrap();
        let wordy = ann().purpose(Some(vec![b'w'; 30_000]));
        for _ in 0..75 {
            ledger.note_log_read(&wordy).await.unwrap();
        }
        let size = ledger.size() + 1;
        ledger.close().await.unwrap();
        ledger_ends_at(&root, size);
        size
    });
    let other_tapes = runtime.block_on(other_ledger(&other));
    let (map, other_map, older_map) = (Map::read(&root), Map::read(&other), Map::read(&older));
    let older_size = older_map.size();
    Base {
        _folder: folder,
        root,
        older,
        other,
        snapshot: None,
        tapes,
        other_tapes,
        size,
        older_size,
        map,
        other_map,
        older_map,
    }
}

fn ledger_ends_at(root: &Path, size: u64) {
    let head = std::fs::read_to_string(root.join("state/head")).unwrap();
    assert_eq!(head.lines().nth(1), Some(size.to_string().as_str()));
}

async fn first_term(root: &Path) -> Vec<Tape> {
    let ledger = Ledger::create(Places::beneath(root), environment(1, SPRING_MS), "tamper", true).await.unwrap();
    let mut tapes = Vec::new();
    for name in TAPES {
        let path = tape_path(name);
        let companion = std::fs::read(path.with_extension("meta.json")).ok();
        let options = ImportOptions::default().companion(companion);
        tapes.push(save(&ledger, &std::fs::read(path).unwrap(), options, "draft", true).await);
    }
    for n in 0..12 {
        tapes.push(save(&ledger, &small(n), ImportOptions::default(), "draft", true).await);
    }
    read_some(&ledger, &tapes[2..5]).await;
    ledger.list(&ann()).await.unwrap();
    ledger.close().await.unwrap();
    tapes
}

async fn second_term(root: &Path) -> Vec<Tape> {
    let ledger = Ledger::open(Places::beneath(root), environment(2, SUMMER_MS)).await.unwrap();
    let mut tapes = Vec::new();
    for n in 12..28 {
        let class = if n % 5 == 0 { "mail" } else { "draft" };
        tapes.push(save(&ledger, &small(n), ImportOptions::default(), class, false).await);
    }
    // More frames than one chunk takes, so that there is a second one to hit.
    tapes.push(save(&ledger, &lines(99, 1_100), ImportOptions::default(), "draft", false).await);
    read_some(&ledger, &tapes[1..4]).await;
    ledger.list(&ann()).await.unwrap();
    ledger.custody(&ann(), &tapes[0].id.to_hex()).await.unwrap();
    ledger.verify(&ann(), CheckOptions::default()).await.unwrap().1.unwrap();
    ledger.close().await.unwrap();
    tapes
}

async fn short_term(root: &Path) {
    let ledger = Ledger::open(Places::beneath(root), environment(5, SUMMER_MS)).await.unwrap();
    ledger.list(&ann()).await.unwrap();
    ledger.close().await.unwrap();
}

fn copy_snapshot(root: &Path, to: &Path) -> PathBuf {
    let entries = std::fs::read_dir(root.join("ledger/index")).unwrap().map(|e| e.unwrap());
    let snapshots: Vec<_> = entries.filter(|e| e.file_name().to_str().unwrap().starts_with("snap.")).collect();
    assert_eq!(snapshots.len(), 1);
    let to = to.join(snapshots[0].file_name());
    copy_tree(&snapshots[0].path(), &to);
    to
}

async fn idle_term(root: &Path) {
    Ledger::open(Places::beneath(root), environment(4, SUMMER_MS)).await.unwrap().close().await.unwrap();
}

async fn other_ledger(root: &Path) -> Vec<Tape> {
    let ledger = Ledger::create(Places::beneath(root), environment(3, SPRING_MS), "other", true).await.unwrap();
    let mut tapes = Vec::new();
    for n in 100..130 {
        tapes.push(save(&ledger, &small(n), ImportOptions::default(), "draft", true).await);
    }
    read_some(&ledger, &tapes[1..4]).await;
    ledger.list(&ann()).await.unwrap();
    ledger.close().await.unwrap();
    tapes
}

async fn read_some(ledger: &Ledger, tapes: &[Tape]) {
    for tape in tapes {
        let reader = ledger.open_tape(&ann(), &tape.id.to_hex(), None).await.unwrap();
        assert_eq!(content(reader.collect(FrameSelection::All).unwrap().iter()), tape.content);
        reader.finish().await.unwrap();
    }
}

/// A small session of its own for each number.
fn small(n: u64) -> Vec<u8> {
    lines(n, 3 + n % 9)
}

fn lines(n: u64, count: u64) -> Vec<u8> {
    let mut out = String::new();
    for i in 0..count {
        let noise = hex::encode(sha256(format!("{n} {i}").as_bytes()));
        out += &format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{i},\"method\":\"tools/call\",\"params\":{{\"n\":{n},\"noise\":\"{noise}\"}}}}\n"
        );
    }
    out.into_bytes()
}

async fn save(ledger: &Ledger, bytes: &[u8], options: ImportOptions, class: &str, early: bool) -> Tape {
    let mut importer = Importer::open(bytes, options).unwrap();
    let options = SaveOptions::default().class(class);
    let mut saver = ledger.begin_save(&ann(), options).await.unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = importer.next_frame().unwrap() {
        saver.frame(&frame).unwrap();
        frames.push(frame);
    }
    let receipt = saver.finish(importer.finish().unwrap()).await.unwrap();
    assert!(!receipt.already_kept);
    Tape { id: receipt.tape, custody: receipt.custody, entry: receipt.entry, content: content(frames.iter()), early }
}

/// Digest over frames, whole.
pub fn content<'a>(frames: impl Iterator<Item = &'a immutape::tape::Frame>) -> [u8; 32] {
    let mut all = Vec::new();
    for frame in frames {
        all.extend(frame.parts().unwrap().encode());
    }
    sha256(&all)
}

//! The raw bounds: the same queue and the same bytes, and nothing else that a ledger does.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};

/// Room of a preallocated file. Past its end writing goes on at the start: blocks that exist are overwritten
/// either way.
const FILE_BYTES: u64 = 256 << 20;
const SECTOR_BYTES: u64 = 512;
pub const GROUP_ENTRIES_MAX: usize = 1_024;
pub const QUEUE_REQUESTS_MAX: usize = 4_096;

/// A zero-filled, synced file.
pub fn preallocated(path: &Path, bytes: u64) -> File {
    let file = File::options().create_new(true).read(true).write(true).open(path).unwrap();
    let zeros = vec![0; 1 << 20];
    for at in (0..bytes).step_by(zeros.len()) {
        file.write_all_at(&zeros, at).unwrap();
    }
    file.sync_all().unwrap();
    file
}

/// What a group of `n` requests writes and syncs, in order.
pub type Steps = Box<dyn FnMut(usize) + Send>;

/// A queue and one writer thread, as the ledger has them: whatever waits becomes one group, the writer
/// runs `steps` for it and answers everybody in it.
#[derive(Clone)]
pub struct RawQueue {
    queue: mpsc::Sender<oneshot::Sender<()>>,
}

impl RawQueue {
    pub fn start(mut steps: Steps) -> Self {
        let (queue, mut requests) = mpsc::channel::<oneshot::Sender<()>>(QUEUE_REQUESTS_MAX);
        std::thread::spawn(move || {
            while let Some(first) = requests.blocking_recv() {
                let mut group = vec![first];
                while group.len() < GROUP_ENTRIES_MAX
                    && let Ok(next) = requests.try_recv()
                {
                    group.push(next);
                }
                steps(group.len());
                for answer in group {
                    let _caller_may_be_gone = answer.send(());
                }
            }
        });
        Self { queue }
    }

    pub async fn ask(&self) {
        let (answer, wait) = oneshot::channel();
        self.queue.send(answer).await.unwrap();
        wait.await.unwrap();
    }
}

/// Appends extents of whole sectors to a preallocated file, each made durable.
pub struct RawJournal {
    file: File,
    at: u64,
    bytes: Vec<u8>,
}

impl RawJournal {
    pub fn new(path: &Path) -> Self {
        Self { file: preallocated(path, FILE_BYTES), at: 0, bytes: vec![0xa5; 8 << 20] }
    }

    /// One write of `bytes` rounded up to sectors, one fdatasync.
    pub fn group(&mut self, bytes: f64) {
        let length = (bytes.ceil() as u64).div_ceil(SECTOR_BYTES).max(1) * SECTOR_BYTES;
        let at = self.room(length);
        self.file.write_all_at(&self.bytes[..length as usize], at).unwrap();
        self.file.sync_data().unwrap();
    }

    /// One write of this extent, one fdatasync.
    pub fn write(&mut self, extent: &[u8]) {
        let at = self.room(extent.len() as u64);
        self.file.write_all_at(extent, at).unwrap();
        self.file.sync_data().unwrap();
    }

    fn room(&mut self, length: u64) -> u64 {
        if self.at + length > FILE_BYTES {
            self.at = 0;
        }
        let at = self.at;
        self.at += length;
        at
    }
}

/// Bytes that a group of the ledger was measured to take: so much an entry, and so much for itself.
#[derive(Clone, Copy)]
pub struct GroupBytes {
    pub fixed: f64,
    pub each: f64,
}

/// The bound of durable entries: one write and one sync a group.
pub fn entries(path: &Path, size: GroupBytes) -> RawQueue {
    let mut journal = RawJournal::new(path);
    RawQueue::start(Box::new(move |n| journal.group(size.fixed + size.each * n as f64)))
}

/// A pack that callers append to and the writer syncs.
pub struct RawPack {
    file: File,
    at: AtomicU64,
    limit: u64,
}

impl RawPack {
    /// `prepared` bytes of zeros first, or a file that grows.
    pub fn new(path: &Path, prepared: Option<u64>) -> Self {
        let file = match prepared {
            Some(bytes) => preallocated(path, bytes),
            None => File::options().create_new(true).read(true).write(true).open(path).unwrap(),
        };
        Self { file, at: AtomicU64::new(0), limit: prepared.unwrap_or(u64::MAX) }
    }

    pub fn append(&self, bytes: &[u8]) {
        let length = bytes.len() as u64;
        let mut at = self.at.fetch_add(length, Ordering::Relaxed);
        if self.limit != u64::MAX {
            at %= self.limit - length;
        }
        self.file.write_all_at(bytes, at).unwrap();
    }

    pub fn sync(&self) {
        self.file.sync_data().unwrap();
    }

    pub fn empty(&self) {
        self.file.set_len(0).unwrap();
        self.file.sync_all().unwrap();
        self.at.store(0, Ordering::Relaxed);
    }
}

/// The bound of saving tapes: callers write the pack; the writer syncs it, writes and syncs the vault's
/// slots, writes and syncs the journal group.
pub fn tapes(folder: &Path, name: &str, pack: Arc<RawPack>, slot_bytes: usize, group: GroupBytes) -> RawQueue {
    let mut journal = RawJournal::new(&folder.join(format!("{name}.journal")));
    let vault = preallocated(&folder.join(format!("{name}.vault")), 1 << 20);
    let slots = vec![0x5a; slot_bytes * GROUP_ENTRIES_MAX];
    let mut slot = 0usize;
    RawQueue::start(Box::new(move |n| {
        pack.sync();
        let length = n * slot_bytes;
        if slot + length > 1 << 20 {
            slot = 0;
        }
        vault.write_all_at(&slots[..length], slot as u64).unwrap();
        vault.sync_data().unwrap();
        slot += length;
        journal.group(group.fixed + group.each * n as f64);
    }))
}

//! A file system in memory with two images: what programs see, and what is on the disk.
//!
//! Contents become durable with `sync_data`, names with `sync_dir`; nothing else makes anything
//! durable. A test lets the machine stop, an operation fail or a sync lie at a numbered operation,
//! and asks what would be found after a power cut. No clock, no randomness but from given seeds.

mod content;
mod faults;
mod files;
mod image;
mod machine;

pub use faults::{Effect, Kind, Lie, Operation};
pub use image::Survive;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use machine::Machine;

/// What a disk writes whole or not at all.
const SECTOR: u64 = 512;

/// One machine and its disk. Clones are other processes on the same machine.
#[derive(Debug, Clone, Default)]
pub struct SimFiles {
    machine: Arc<Mutex<Machine>>,
}

impl SimFiles {
    pub fn new() -> Self {
        Self::default()
    }

    /// As the trait object that the engines take.
    pub fn shared(&self) -> Arc<dyn immutape::store::files::Files> {
        Arc::new(self.clone())
    }

    /// The machine stops at this operation (counted from 0); everything after it fails.
    pub fn stop_at(&self, number: u64, effect: Effect) {
        self.machine().plan.stop = Some((number, effect));
    }

    /// This operation answers with an error; the machine goes on.
    pub fn fail_at(&self, number: u64, kind: ErrorKind, effect: Effect) {
        self.machine().plan.fail.insert(number, (kind, effect));
    }

    /// This sync answers "done" and makes nothing durable.
    pub fn lose_sync_at(&self, number: u64) {
        self.machine().plan.lose.insert(number);
    }

    /// The n-th sync of those that are meant answers "done" and makes nothing durable; the machine stops at the very next
    /// operation, so that no later sync covers for it.
    pub fn lie_at(&self, nth: usize, is_meant: fn(&Operation) -> bool) {
        self.machine().plan.lie = Some(Lie { is_meant, left: nth });
    }

    /// Bytes that all files together may have; writes beyond it fail with `StorageFull`.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.machine().room = bytes;
    }

    /// Names what the test is doing, for the log of operations.
    pub fn set_stage(&self, stage: &str) {
        self.machine().stage = stage.to_owned();
    }

    /// Every operation that changes something, so far; `number` is the index.
    pub fn operations(&self) -> Vec<Operation> {
        self.machine().operations.clone()
    }

    /// Number of the next operation.
    pub fn next_operation(&self) -> u64 {
        self.machine().operations.len() as u64
    }

    /// Faults that really happened. A fault test asserts that this is not 0.
    pub fn faults_made(&self) -> u64 {
        self.machine().faults_made
    }

    /// The stage in which the first of them happened.
    pub fn first_fault(&self) -> Option<String> {
        self.machine().first_fault.clone()
    }

    pub fn has_stopped(&self) -> bool {
        self.machine().stopped
    }

    /// Length of all files together.
    pub fn used_bytes(&self) -> u64 {
        self.machine().used_bytes()
    }

    /// Bytes for which there is room; `None` on a disk without an end.
    pub fn free_bytes(&self) -> Option<u64> {
        let machine = self.machine();
        machine.room.map(|room| room.saturating_sub(machine.used_bytes()))
    }

    /// Is everything durable? Then every power cut leaves the same.
    pub fn is_durable(&self) -> bool {
        self.machine().pending.is_empty()
    }

    /// What a machine would find after a power cut now. Locks are free, faults forgotten.
    pub fn crash_image(&self, survive: Survive) -> Self {
        Self { machine: Arc::new(Mutex::new(image::after_power_cut(&self.machine(), survive))) }
    }

    /// The file as programs see it.
    pub fn contents(&self, path: impl AsRef<Path>) -> Vec<u8> {
        self.machine().file(path.as_ref()).unwrap().seen.to_vec()
    }

    /// Changes a file in both images behind everybody's back; no operation is counted.
    pub fn edit(&self, path: impl AsRef<Path>, change: impl FnOnce(&mut Vec<u8>)) {
        self.machine().edit(path.as_ref(), change);
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap()
    }
}

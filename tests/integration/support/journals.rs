//! The embedded journal over the faulting file system.

use immutape::codec::digest::Digest;
use immutape::store::embedded::journal::EmbeddedJournal;

use super::sim_files::SimFiles;

/// A handle on the one journal of `sim`, as a new process would open it.
pub fn open(sim: &SimFiles) -> EmbeddedJournal {
    let [folder, quarantine, lock] = ["l/journal", "l/quarantine", "s/lock"].map(Into::into);
    EmbeddedJournal::open(sim.shared(), folder, quarantine, lock, Digest::from_bytes([7; 32]))
}

/// As [`open`], knowing that the ledger was opened again after its orderly close.
pub fn reopen(sim: &SimFiles) -> EmbeddedJournal {
    let journal = open(sim);
    journal.set_reopened(true);
    journal
}

/// Path of a segment file.
pub fn segment(number: u64) -> String {
    format!("l/journal/{number:08}.seg")
}

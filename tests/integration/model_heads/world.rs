//! What the model is made of: logs, folders, machines that run, witnesses.

use std::collections::BTreeSet;

/// Entries of the longest log. Two histories that part and a head over each need no more.
pub const ENTRIES_MAX: u8 = 3;

/// A log as its content: each entry is named by the start in which it was appended. Two logs have one root when they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Log {
    size: u8,
    entries: [u8; ENTRIES_MAX as usize],
}

impl Log {
    /// Entry 0 alone.
    pub const GENESIS: Self = Self { size: 1, entries: [0; ENTRIES_MAX as usize] };

    pub const fn size(&self) -> u8 {
        self.size
    }

    pub fn with(mut self, entry: u8) -> Self {
        self.entries[usize::from(self.size)] = entry;
        self.size += 1;
        self
    }

    pub fn extends(&self, other: &Self) -> bool {
        other.size <= self.size && self.entries[..usize::from(other.size)] == other.entries[..usize::from(other.size)]
    }

    /// One size and two roots.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.size == other.size && self != other
    }

    /// One of them is the beginning of the other.
    pub fn is_one_history_with(&self, other: &Self) -> bool {
        self.extends(other) || other.extends(self)
    }
}

/// Why a log must not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// `E_LOG_ROLLBACK`.
    Rollback,
    /// `E_LOG_FORK`.
    Fork,
}

/// The three folders of a ledger, as a power cut leaves them: what is put back when a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Folder {
    /// The journal.
    pub log: Log,
    /// The signed head file.
    pub head: Log,
    /// `anchors/newest.note`.
    pub anchor: Option<Log>,
    /// `anchors/ahead.note`.
    pub ahead: Option<Refusal>,
}

impl Folder {
    pub const NEW: Self = Self { log: Log::GENESIS, head: Log::GENESIS, anchor: None, ahead: None };

    /// What a start compares before it serves anything.
    pub fn may_start(&self) -> bool {
        self.ahead.is_none()
            && self.log.extends(&self.head)
            && self.anchor.is_none_or(|anchor| self.log.extends(&anchor))
    }
}

/// What a process knows and a crash takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Number of this start, over all machines: what is appended in it is like nothing else.
    pub start: u8,
    pub is_confirmed: bool,
    /// Nothing was appended yet.
    pub is_first: bool,
    /// A head that was signed, and stands in the head file.
    pub released: Option<Log>,
}

/// A machine with a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    pub folder: Folder,
    /// A group that was written, and is not synced.
    pub group: Option<Log>,
    /// A head file that was signed and written, and is not synced.
    pub signed: Option<Log>,
    pub process: Option<Process>,
}

impl Machine {
    pub const fn off(folder: Folder) -> Self {
        Self { folder, group: None, signed: None, process: None }
    }

    /// Heads that this machine has signed, as far as they still exist on it.
    pub fn heads(&self) -> impl Iterator<Item = Log> {
        let released = self.process.and_then(|process| process.released);
        [Some(self.folder.head), self.signed, released].into_iter().flatten()
    }
}

/// A witness.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Witness {
    /// What it goes by.
    pub held: Option<Log>,
    /// What is left of that after a crash.
    pub kept: Option<Log>,
    /// Everything that it ever cosigned.
    pub cosigned: BTreeSet<Log>,
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub machines: Vec<Machine>,
    pub witnesses: Vec<Witness>,
    /// A copy of the first machine's folders.
    pub copy: Option<Folder>,
    pub was_put_back: bool,
    /// Heads that strangers were given.
    pub given: BTreeSet<Log>,
    pub starts: u8,
}

impl World {
    /// Every signed head that exists anywhere: on machines, in the copy, with witnesses and strangers. What was overwritten
    /// together with its folder, and nobody else has, exists no more.
    pub fn heads(&self) -> BTreeSet<Log> {
        let mut heads: BTreeSet<Log> = self.machines.iter().flat_map(Machine::heads).collect();
        heads.extend(self.copy.map(|copy| copy.head));
        heads.extend(self.witnesses.iter().flat_map(|witness| &witness.cosigned));
        heads.extend(&self.given);
        heads
    }

    /// Heads that a quorum of so many witnesses has cosigned.
    pub fn quorum_heads(&self, quorum: usize) -> Vec<Log> {
        let all: BTreeSet<Log> = self.witnesses.iter().flat_map(|witness| &witness.cosigned).copied().collect();
        let count = |head: &Log| self.witnesses.iter().filter(|witness| witness.cosigned.contains(head)).count();
        all.into_iter().filter(|head| count(head) >= quorum).collect()
    }
}

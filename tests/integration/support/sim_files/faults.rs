//! Which operation goes wrong, and the log by which tests count crash points.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::PathBuf;

/// How much of an operation happens although it fails, or before the machine stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    Without,
    With,
    /// The first bytes of a write; for other operations as `Without`.
    FirstBytes(usize),
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Write,
    Sync,
    Punch,
    Create,
    CreateDir,
    SyncDir,
    Rename,
    Remove,
}

/// One operation that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub number: u64,
    pub kind: Kind,
    pub path: PathBuf,
    /// Length of a write or punch.
    pub bytes: u64,
    /// What the test said it was doing.
    pub stage: String,
    /// Length of all files together before it.
    pub used: u64,
}

/// Loses the n-th sync of those that are meant, and stops the machine at the operation after it. A number among all
/// operations would name another in a run whose callers fall into other groups.
#[derive(Clone)]
pub struct Lie {
    pub is_meant: fn(&Operation) -> bool,
    pub left: usize,
}

impl std::fmt::Debug for Lie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lie {{ left: {} }}", self.left)
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub stop: Option<(u64, Effect)>,
    pub fail: BTreeMap<u64, (ErrorKind, Effect)>,
    pub lose: BTreeSet<u64>,
    pub lie: Option<Lie>,
}

/// What the plan says of one operation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict {
    Go,
    Stop(Effect),
    Fail(ErrorKind, Effect),
    /// A sync that answers "done" and does nothing.
    Lose,
}

impl Plan {
    pub fn verdict(&self, number: u64, kind: Kind) -> Verdict {
        if let Some((stop, effect)) = self.stop
            && stop == number
        {
            return Verdict::Stop(effect);
        }
        if let Some((kind, effect)) = self.fail.get(&number) {
            return Verdict::Fail(*kind, *effect);
        }
        let is_sync = matches!(kind, Kind::Sync | Kind::SyncDir);
        if is_sync && self.lose.contains(&number) { Verdict::Lose } else { Verdict::Go }
    }
}

//! What must come of an edit, written down before it is made.

use std::collections::{BTreeMap, BTreeSet};

use immutape::Code;
use immutape::codec::digest::{CustodyId, TapeId};
use immutape::evidence::Verdict;
use immutape::ledger::RepairDone;

use super::edits::{Edited, Kind, Step};

/// What opening the ledger must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It opens and no row is built anew.
    Ok,
    /// It opens after its rows were built anew, for this reason.
    Rebuilt(u64),
    Refused(Code),
}

/// What a check must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    Verdict(Verdict),
    Refused(Code),
}

/// What the auditor's program must come to, which has no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auditor {
    /// Exit 0.
    Accepts,
    /// Exit 3 or 1.
    Refuses,
    /// Altered, but only keys or sled can tell: exit 0.
    Blind,
    /// Altered, and without keys no more than a gap is seen: exit 10.
    Doubts,
    /// There is no folder to look at: exit 2.
    NoFolder,
}

#[derive(Debug, Clone)]
pub struct Expect {
    pub open: Opened,
    pub check: Checked,
    /// Parts named by findings "altered", all of them and no other.
    pub parts: BTreeSet<&'static str>,
    /// Stands in the place of a finding.
    pub place: Option<String>,
    /// Tapes named by findings "altered", all of them and no other.
    pub named: BTreeSet<TapeId>,
    /// Tapes that cannot be read, with the code; every other one comes out byte for byte.
    pub unreadable: BTreeMap<TapeId, Code>,
    pub auditor: Auditor,
    /// Custody ids that a list has although no tape of ours was saved under them.
    pub extra: BTreeSet<CustodyId>,
    /// Custody ids that a list lacks.
    pub hidden: BTreeSet<CustodyId>,
    /// What a check says once the ledger was opened and closed, where that is not told by the rest.
    pub afterwards: Option<Verdict>,
    /// What a repair must do, after which a check finds nothing.
    pub repaired: Option<RepairDone>,
}

impl Expect {
    /// Nothing that counts was touched.
    pub fn harmless() -> Self {
        Self {
            open: Opened::Ok,
            check: Checked::Verdict(Verdict::Intact),
            parts: BTreeSet::new(),
            place: None,
            named: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            auditor: Auditor::Accepts,
            extra: BTreeSet::new(),
            hidden: BTreeSet::new(),
            afterwards: None,
            repaired: None,
        }
    }

    /// Found by a check in these parts; the ledger opens all the same.
    pub fn altered(parts: &[&'static str]) -> Self {
        Self {
            check: Checked::Verdict(Verdict::Altered),
            parts: parts.iter().copied().collect(),
            auditor: Auditor::Refuses,
            ..Self::harmless()
        }
    }

    /// Found by a check in these parts, and the ledger does not open.
    pub fn refused(code: Code, parts: &[&'static str]) -> Self {
        Self { open: Opened::Refused(code), ..Self::altered(parts) }
    }

    /// Nothing of it can even be checked.
    pub fn gone(code: Code) -> Self {
        Self { open: Opened::Refused(code), check: Checked::Refused(code), ..Self::altered(&[]) }
    }

    /// The rows cannot be read: a gap, for the log is whole, and the next opening puts them aside and builds them anew.
    pub fn unreadable_rows() -> Self {
        Self::harmless().with_gaps().at("index").opening(Opened::Rebuilt(1))
    }

    /// The rows are whole, but what is put behind them is lost whenever they are closed: a gap, each time brought up from
    /// the journal by the next opening.
    pub fn rows_that_fall_behind() -> Self {
        Self { afterwards: Some(Verdict::IntactWithGaps), ..Self::harmless() }
    }

    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// These tapes are named and cannot be read.
    pub fn losing(mut self, tapes: BTreeSet<TapeId>, code: Code) -> Self {
        self.unreadable = tapes.iter().map(|t| (*t, code)).collect();
        self.named = tapes;
        self
    }

    pub fn blind(mut self) -> Self {
        self.auditor = Auditor::Blind;
        self
    }

    pub fn with_gaps(mut self) -> Self {
        self.check = Checked::Verdict(Verdict::IntactWithGaps);
        self
    }

    pub fn unpinned(mut self) -> Self {
        self.check = Checked::Verdict(Verdict::UnpinnedKeys);
        self
    }

    pub fn opening(mut self, open: Opened) -> Self {
        self.open = open;
        self
    }
}

/// One row of the table.
#[derive(Debug, Clone)]
pub struct Case {
    /// What kind of file, or part of a file, is hit.
    pub file: &'static str,
    pub kind: Kind,
    pub words: String,
    pub steps: Vec<Step>,
    pub expect: Expect,
}

impl Case {
    pub fn of(file: &'static str, edited: Edited, expect: Expect) -> Self {
        Self { file, kind: edited.kind, words: edited.words, steps: vec![edited.step], expect }
    }

    pub fn whole(file: &'static str, (kind, words, step): (Kind, String, Step), expect: Expect) -> Self {
        Self { file, kind, words, steps: vec![step], expect }
    }
}

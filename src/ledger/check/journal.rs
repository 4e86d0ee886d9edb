//! The walk through the journal: every group, every entry, every link, and the head at its size.

use std::collections::HashMap;

use super::ahead::{End, Plan, Stages};
use super::group::{Examined, ExaminedGroup, examine_group};
use super::recordings::Recordings;
use super::tapes::SavedTapes;
use super::{CheckOptions, Checker};
use crate::codec::digest::{CustodyId, RootHash};
use crate::codec::extent::{Group, GroupHeader};
use crate::error::Error;
use crate::evidence::{Report, Severity, Verdict};
use crate::ledger::head_file::{self, JournalEnd};
use crate::ledger::rebuild::BEGINNING;
use crate::log::{
    ChainState, Checkpoint, CriticalBody, EntryKind, HeadFile, KeyHistory, LogError, SubjectTip, Succession,
};
use crate::store::Position;

/// Of so many groups, a power of two less one, one is told to who waits.
const GROUPS_TOLD: u64 = 255;

/// What a walk through a copy of the log came to.
#[derive(Debug)]
pub struct Walked {
    /// Entries that hold.
    pub entries: u64,
    /// Groups that hold.
    pub groups: u64,
    /// Root over the entries that hold.
    pub root: Option<RootHash>,
    /// Root at the size of the head file, when the walk came past it.
    pub root_at_head: Option<RootHash>,
    /// Root at the size at which the log says that it ended, when the walk came past it. No group need end there.
    root_at_end: Option<RootHash>,
    /// The last group says "closed in order".
    pub clean_close: bool,
    /// Where the first group that does not hold starts.
    pub broken_at: Option<Position>,
    /// Index and kind of entries that are critical.
    pub critical: Vec<(u64, u16)>,
    /// The newest entry that gave a tape its labels.
    pub labelled: HashMap<CustodyId, u64>,
    /// Every subject with its entries.
    pub subjects: HashMap<CustodyId, SubjectEntries>,
    /// The keys that the entries name.
    pub keys: KeyHistory,
}

impl Walked {
    fn of(keys: KeyHistory) -> Self {
        Self {
            entries: 0,
            groups: 0,
            root: None,
            root_at_head: None,
            root_at_end: None,
            clean_close: false,
            broken_at: None,
            critical: Vec::new(),
            labelled: HashMap::new(),
            subjects: HashMap::new(),
            keys,
        }
    }

    /// Does this log have as many entries as the head at which it says that it ended, and are they others?
    pub(super) fn is_other_than(&self, end: &Checkpoint) -> bool {
        // A group that broke off does not count.
        self.entries >= end.size && self.root_at_end.is_some_and(|root| root != end.root)
    }
}

/// The entries about one subject.
#[derive(Debug)]
pub struct SubjectEntries {
    /// The last of them.
    pub tip: SubjectTip,
    /// Their indices, ascending.
    pub indices: Vec<u64>,
}

/// Takes groups of one copy, in order, and checks everything that needs no key but the journal's own.
pub(super) struct Walk<'a> {
    checker: &'a Checker,
    head_size: Option<u64>,
    end_size: Option<u64>,
    chain: ChainState,
    walked: Walked,
    previous: [u8; 32],
    term: u64,
    part: &'static str,
}

impl<'a> Walk<'a> {
    pub(super) fn new(checker: &'a Checker, head: Option<&HeadFile>, part: &'static str) -> Self {
        let mut walk = Self {
            checker,
            end_size: checker.stated_end().map(|end| end.size),
            head_size: head.map(|h| h.checkpoint.size),
            chain: ChainState::default(),
            walked: Walked::of(checker.identity.keys.of_entry_0()),
            previous: [0; 32],
            term: 0,
            part,
        };
        walk.keep_root_at_end();
        walk
    }

    fn keep_root_at_end(&mut self) {
        if self.end_size == Some(self.chain.size()) {
            self.walked.root_at_end = Some(self.chain.frontier.root());
        }
    }

    /// Checks the groups of the journal from `from` on, up to `size` entries.
    fn groups(&mut self, from: Position, size: Option<u64>, saved: &mut SavedTapes, report: &mut Report) -> End {
        let checker = self.checker;
        // [`crate::store::Journal::read`] compares the hash of what it gives.
        let examine = |extent: &[u8]| {
            let group = GroupHeader::parse(extent).and_then(|header| Group::of_sealed(header, extent))?;
            Ok(examine_group(checker, &group))
        };
        let stages = Stages { read: &|at| checker.stores.journal.read(at), examine: &examine };
        stages.walk(Plan::of_machine(), from, size, &mut |group| self.link(group, saved, report))
    }

    /// Checks the next group.
    pub(super) fn group(&mut self, extent: &[u8], saved: &mut SavedTapes, report: &mut Report) -> Result<(), LogError> {
        self.link(examine_group(self.checker, &Group::parse(extent)?), saved, report)
    }

    /// Checks that the next group, which holds by itself, follows what came before.
    fn link(&mut self, group: ExaminedGroup, saved: &mut SavedTapes, report: &mut Report) -> Result<(), LogError> {
        let header = group.header;
        if *header.previous_group.as_bytes() != self.previous || header.term < self.term {
            return Err(LogError::Group(header.first_index));
        }
        if !group.is_own {
            let place = format!("entry {}", header.first_index);
            let what = "the group was not written by this ledger: its code does not hold";
            report.find(Severity::Altered, self.part, place, what);
        }
        for examined in group.entries {
            self.entry(examined, saved, report)?;
        }
        if let Some(fault) = group.fault {
            return Err(fault);
        }
        let state = &self.chain;
        if state.frontier.root() != header.root
            || state.last_leaf != header.last_leaf
            || state.size() != header.size_after()
        {
            return Err(LogError::Root(header.size_after()));
        }
        self.previous = *header.hash.as_bytes();
        self.term = header.term;
        self.walked.entries = state.size();
        self.walked.groups = self.walked.groups.saturating_add(1);
        self.walked.root = Some(header.root);
        self.walked.clean_close = header.clean_close();
        if self.walked.groups & GROUPS_TOLD == 0 {
            self.checker.came_to(self.part, state.size(), self.head_size.unwrap_or(0), false);
        }
        if self.head_size == Some(state.size()) {
            self.walked.root_at_head = Some(header.root);
        }
        Ok(())
    }

    fn entry(&mut self, examined: Examined, saved: &mut SavedTapes, report: &mut Report) -> Result<(), LogError> {
        let Examined { entry, leaf, saved: tape, list, said, anchor, changed } = examined;
        let known = self.walked.subjects.get_mut(&entry.subject);
        let tip = self.chain.advance(&entry, leaf, known.as_ref().map(|known| &known.tip))?;
        match known {
            Some(known) => {
                known.tip = tip;
                known.indices.push(entry.index);
            }
            None => {
                self.walked.subjects.insert(entry.subject, SubjectEntries { tip, indices: vec![entry.index] });
            }
        }
        self.keep_root_at_end();
        if entry.kind.is_critical() && !entry.kind.is_written() {
            let what = format!("{} is critical and unknown to this program", entry.kind);
            let finding = report.find(Severity::Gap, self.part, format!("entry {}", entry.index), what);
            // What follows may mean something else than it did before (4.1).
            (finding.entry, finding.word) = (Some(entry.index), Some(Verdict::CannotTell));
        }
        if entry.kind.changes_rules() {
            self.walked.critical.push((entry.index, entry.kind.number()));
        }
        if let Some(body) = changed
            && let Err(what) = self.critical(entry.index, &body)
        {
            report.find(Severity::Altered, "keys", format!("entry {}", entry.index), what).entry = Some(entry.index);
        }
        if entry.kind == EntryKind::LABELLED {
            self.walked.labelled.insert(entry.subject, entry.index);
        }
        if entry.kind.destroys_tape() {
            saved.destroyed.entry(entry.subject).or_insert(entry.index);
        }
        saved.lists.extend(list.map(|list| *list));
        if let Some(said) = said {
            saved.recordings.take(entry.index, entry.subject, &said);
        }
        if let Some(anchor) = anchor {
            saved.anchors.take(entry.index, *anchor);
        }
        if let Some(tape) = tape {
            saved.take(entry.index, tape, report);
        }
        Ok(())
    }

    fn critical(&mut self, index: u64, body: &CriticalBody) -> Result<(), String> {
        let identity = &self.checker.identity;
        if let CriticalBody::Succession { note } = body {
            let first = identity.keys.head_keys().first().ok_or("a log without a key")?;
            return Succession::verify_in(note, &identity.genesis, identity.ledger, first);
        }
        self.walked.keys.apply(index, body).map_err(|e| e.to_string())
    }

    pub(super) fn finish(self) -> Walked {
        self.walked
    }
}

/// What all of the journal says of recordings, as far as it holds and by now.
pub(super) fn recordings(checker: &Checker) -> Recordings {
    let mut saved = SavedTapes::default();
    let mut walk = Walk::new(checker, None, "journal");
    let _found_by_the_check_itself = walk.groups(BEGINNING, None, &mut saved, &mut Report::default());
    saved.recordings
}

/// Walks the journal from the beginning.
pub(super) fn walk(
    checker: &Checker,
    options: &CheckOptions,
    head: Option<&HeadFile>,
    saved: &mut SavedTapes,
    report: &mut Report,
) -> Walked {
    let mut walk = Walk::new(checker, head, "journal");
    let broken: Option<Fault> = match walk.groups(BEGINNING, options.size, saved, report) {
        End::Enough => None,
        // A writer is at work at the end; only it can tell.
        End::Journal(_) if options.size.is_some() => None,
        End::Journal(at) => tail_fault(&mut walk, at, saved, report),
        fault => fault_at(fault),
    };
    let mut walked = walk.finish();
    let broken = match broken {
        None if walked.entries == 0 => {
            Some(Fault { place: BEGINNING, what: "the journal is gone".to_owned(), is_gone: true })
        }
        other => other,
    };
    if let Some(Fault { place, what, is_gone }) = &broken {
        let name = format!("journal/{:08}.seg offset {}", place.segment, place.offset);
        let finding = report.find(Severity::Altered, "journal", name, what.clone());
        finding.entry = Some(walked.entries);
        finding.word = is_gone.then_some(Verdict::Missing);
        walked.broken_at = Some(*place);
    }
    let detail = match walked.entries {
        0 => "nothing readable".to_owned(),
        n => format!(
            "entries 0..{}, {} groups: chain, subjects, sealed halves, tree",
            n.saturating_sub(1),
            walked.groups
        ),
    };
    report.check("journal", walked.entries, u64::from(broken.is_some()), detail);
    walked
}

/// The end of the journal as acquisition would see it: tears are told from damage there.
fn tail_fault(walk: &mut Walk<'_>, end: Position, saved: &mut SavedTapes, report: &mut Report) -> Option<Fault> {
    let tail = match walk.checker.stores.journal.survey() {
        Ok(tail) => tail,
        Err(e) => return Some(Fault::of(BEGINNING, &e)),
    };
    for tear in &tail.tears {
        let place = format!("journal/{:08}.seg offset {}", tear.position.segment, tear.position.offset);
        let what = format!("{} torn bytes of a crash, out of use", tear.bytes);
        report.find(Severity::Note, "journal", place, what);
    }
    let size = tail.last.map_or(0, |l| l.size_after());
    // A writer in another process may have gone on since the end was read.
    if size > walk.chain.size()
        && let Some(fault) = fault_at(walk.groups(end, Some(size), saved, report))
    {
        return Some(fault);
    }
    let at = tail.last.map_or(BEGINNING, |l| Position { segment: l.segment, offset: l.offset });
    let what = || "the end of the journal is not where its groups lead".to_owned();
    (size != walk.chain.size()).then(|| Fault { place: at, what: what(), is_gone: false })
}

/// Where the journal breaks off, and why.
struct Fault {
    place: Position,
    what: String,
    /// Is a file of it not there?
    is_gone: bool,
}

impl Fault {
    fn of(place: Position, e: &Error) -> Self {
        let source = std::error::Error::source(e).and_then(|source| source.downcast_ref::<std::io::Error>());
        Self { place, what: words(e), is_gone: source.is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound) }
    }
}

fn fault_at(end: End) -> Option<Fault> {
    match end {
        End::Journal(_) | End::Enough => None,
        End::Unreadable(at, e) => Some(Fault::of(at, &e)),
        End::Broken(at, e) => Some(Fault { place: at, what: e.to_string(), is_gone: false }),
    }
}

fn words(e: &Error) -> String {
    let source = std::error::Error::source(e).map(|s| format!(": {s}")).unwrap_or_default();
    format!("{}{source}", e.message())
}

/// Head against journal; when the journal broke off before the head, the rows may still reach it.
pub(super) fn compare_head(
    checker: &Checker,
    head: Option<&HeadFile>,
    journal: &Walked,
    rows: Option<Walked>,
    report: &mut Report,
) {
    let Some(head) = head else { return };
    let m = head.checkpoint.size;
    let end = JournalEnd { size: journal.entries, clean_close: journal.clean_close };
    if let Err(e) = head_file::compare(head, end) {
        let reached = rows.as_ref().and_then(|r| r.root_at_head);
        let note = match reached {
            Some(root) if root == head.checkpoint.root => {
                "; sled's copy reaches the signed head and proves every entry: `immutape repair` brings them back"
            }
            _ => "",
        };
        let severity = checker.loss_is(e.code(), m);
        let finding = report.find_error(severity, "head", e.code().as_str(), &e);
        finding.what.push_str(note);
        // Where nothing of the journal is there, that says it all: it is not an older one.
        if journal.entries == 0 && severity == Severity::Altered {
            finding.word = Some(Verdict::Missing);
        }
        report.check("head", 1, u64::from(severity == Severity::Altered), format!("signed at {m} entries"));
        return;
    }
    let fork = journal.root_at_head.is_none_or(|root| root != head.checkpoint.root);
    if fork {
        let what = format!("the journal's first {m} entries are not the ones its signed head names");
        report.find(Severity::Altered, "head", "E_LOG_FORK", what).word = Some(Verdict::Forked);
    } else if journal.entries > m {
        report.find(
            Severity::Note,
            "head",
            "head",
            format!("older but consistent: signed at {m}, the log has {}", journal.entries),
        );
    }
    report.check("head", 1, u64::from(fork), format!("signed at {m} entries"));
}

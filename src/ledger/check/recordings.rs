//! Recordings: that each which the log opened became a tape or is still in the spool, and that a tape begins with the frames
//! that its marks named while it was recorded.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::sync::Arc;

use super::super::live::Pieces;
use super::{CheckOptions, Checker};
use crate::codec::digest::{CustodyId, RootHash};
use crate::error::Code;
use crate::evidence::{Report, Severity, Verdict};
use crate::log::{Body, Frontier, leaf_hash};
use crate::seal::{TapeKeys, live_key_id};
use crate::tape::{LiveRecord, frame_leaf};

/// What entries say of one recording.
#[derive(Debug, Default, Clone)]
pub(super) struct Recorded {
    /// The entry that opened it.
    pub opened: Option<u64>,
    /// The epoch of its key.
    epoch: [u8; 16],
    /// Entry, frames and root of each mark.
    pub marks: Vec<(u64, u64, RootHash)>,
    /// The entry that says it was cut off, and the frames that were left.
    pub truncated: Option<(u64, u64)>,
    is_saved: bool,
}

/// Every recording that a walk came past.
#[derive(Debug, Default)]
pub(super) struct Recordings(HashMap<CustodyId, Recorded>);

/// What an entry says of a recording.
pub(super) enum Said {
    Opened([u8; 16]),
    Mark(u64, RootHash),
    Truncated(u64),
}

impl Said {
    pub(super) const fn of(body: &Body) -> Option<Self> {
        Some(match body {
            Body::TapeOpened { epoch, .. } => Self::Opened(*epoch),
            Body::RecordingMark { frames, root } => Self::Mark(*frames, *root),
            Body::TapeTruncated { frames, .. } => Self::Truncated(*frames),
            _ => return None,
        })
    }
}

impl Recordings {
    pub(super) fn take(&mut self, index: u64, custody: CustodyId, said: &Said) {
        let recorded = self.0.entry(custody).or_default();
        match said {
            Said::Opened(epoch) if recorded.opened.is_none() => {
                (recorded.opened, recorded.epoch) = (Some(index), *epoch);
            }
            Said::Opened(_) => {}
            Said::Mark(frames, root) => recorded.marks.push((index, *frames, *root)),
            Said::Truncated(frames) => recorded.truncated = Some((index, *frames)),
        }
    }

    pub(super) fn saved(&mut self, custody: &CustodyId) {
        if let Some(recorded) = self.0.get_mut(custody) {
            recorded.is_saved = true;
        }
    }

    /// Did a tape come of it?
    fn is_saved(&self, custody: &CustodyId) -> bool {
        self.of(custody).is_some_and(|recorded| recorded.is_saved)
    }

    pub(super) fn of(&self, custody: &CustodyId) -> Option<&Recorded> {
        self.0.get(custody)
    }

    /// Looks for those of which no tape came.
    pub(super) fn check(
        &self,
        checker: &Checker,
        options: &CheckOptions,
        destroyed: &HashMap<CustodyId, u64>,
        report: &mut Report,
    ) {
        if self.0.is_empty() || options.tape.is_some() {
            return;
        }
        let spooled: HashSet<CustodyId> = match checker.stores.spool.recordings() {
            Ok(spooled) => spooled.into_iter().collect(),
            Err(e) => {
                report.find_error(Severity::Gap, "recordings", "spool", &e);
                return;
            }
        };
        let (mut lost, mut open) = (0u64, 0u64);
        let mut meanwhile = None;
        for (custody, recorded) in self.0.iter().filter(|(_, r)| !r.is_saved) {
            let Some(opened) = recorded.opened else { continue };
            let name = format!("recording {}", custody.to_hex());
            if spooled.contains(custody) {
                open = open.saturating_add(1);
                if !options.stored_only
                    && let Err((what, word)) = spool_holds(checker, custody, recorded)
                {
                    lost = lost.saturating_add(1);
                    let finding = report.find(Severity::Altered, "recordings", name, what);
                    (finding.entry, finding.word) = (Some(opened), word);
                    continue;
                }
                let what = "it is recorded now, or waits to be sealed by the next start";
                let finding = report.find(Severity::Note, "recordings", name, what);
                (finding.entry, finding.word) = (Some(opened), Some(Verdict::UnsealedTail));
            } else if !destroyed.contains_key(custody)
                // A check stops at a size, or came to the end of a log that grew since: the entry of the tape, which is there before a
                // spool is removed, may stand behind. The log says so itself; the rows may not know it yet.
                && !meanwhile.get_or_insert_with(|| super::journal::recordings(checker)).is_saved(custody)
            {
                lost = lost.saturating_add(1);
                let what = format!("entry #{opened} opened it, and there is neither a tape of it nor its spool");
                report.find(Severity::Altered, "recordings", name, what).entry = Some(opened);
            }
        }
        report.check("recordings", self.0.len() as u64, lost, format!("{open} not sealed yet"));
    }
}

/// Does a spool hold what the marks say? It was durable before each of them was written, so also beside a recorder. What
/// came behind the newest mark nothing vouches for: a cut there is what a power cut leaves.
fn spool_holds(checker: &Checker, custody: &CustodyId, recorded: &Recorded) -> Result<(), (String, Option<Verdict>)> {
    let Some(key) = checker.vault().and_then(|vault| vault.epoch(&recorded.epoch)) else { return Ok(()) };
    let id = live_key_id(custody);
    let never = |e: &dyn Display| format!("its key in the vault is gone or altered, so it can never be sealed: {e}");
    let record = checker.wrapped_key(&recorded.epoch, &id, None);
    let record = record.map_err(|e| (never(&e.message()), Verdict::of_code(e.code())))?;
    let keys = key.unwrap_tape(&checker.identity.genesis.origin, &id, &record.wrapped);
    let keys = keys.map_err(|e| (never(&e), None))?;
    pieces_hold(checker, custody, recorded, Arc::new(keys.keys())).map_err(|what| (what, None))
}

fn pieces_hold(checker: &Checker, custody: &CustodyId, recorded: &Recorded, keys: Arc<TapeKeys>) -> Result<(), String> {
    let reader = match checker.stores.spool.reader(custody) {
        // Sealed meanwhile.
        Err(e) if e.code() == Code::NotFound => return Ok(()),
        reader => reader.map_err(|e| e.message().to_owned())?,
    };
    let mut pieces = Pieces::new(*custody, keys.clone(), reader);
    let (mut tree, mut roots, mut has_beginning) = (Frontier::new(), HashMap::new(), false);
    let wanted: HashSet<u64> = recorded.marks.iter().map(|(_, frames, _)| *frames).collect();
    while let Some(record) = pieces.next_record().map_err(|e| e.message().to_owned())? {
        has_beginning |= matches!(record, LiveRecord::Opened(_));
        let LiveRecord::Frame(frame) = record else { continue };
        let parts = frame.parts().map_err(|e| e.to_string())?;
        tree.push(&leaf_hash(&frame_leaf(&parts, &keys.frame_salt(frame.seq))));
        if wanted.contains(&tree.size()) {
            roots.insert(tree.size(), tree.root());
        }
    }
    if let Some((entry, frames, _)) = recorded.missing(|frames| roots.get(&frames).copied()).first() {
        let found = tree.size();
        return Err(format!(
            "entry #{entry} says that {frames} frames were recorded by then, and its spool holds {found}, or others"
        ));
    }
    if !has_beginning {
        return Err("its spool does not begin with its beginning".to_owned());
    }
    if pieces.is_damaged() { Err("a piece of its spool does not open".to_owned()) } else { Ok(()) }
}

impl Recorded {
    /// Is what a mark named missing from a tape, or another? `root_at` gives the tape's root over its first frames.
    pub(super) fn missing(&self, root_at: impl Fn(u64) -> Option<RootHash>) -> Vec<(u64, u64, RootHash)> {
        self.marks.iter().filter(|(_, frames, root)| root_at(*frames) != Some(*root)).copied().collect()
    }
}

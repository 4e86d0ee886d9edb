//! Reading and hashing ahead of the walk, on other cores: what a group says by itself needs no order.
//!
//! Groups go through in waves. While one is read from the journal, the one before it is examined and the
//! one before that is linked to the chain, in the order of the log. Three waves are in memory at most.

use std::sync::Arc;
use std::thread;

use super::Checker;
use super::tapes::Saved;
use crate::codec::digest::LeafHash;
use crate::codec::extent::{Group, GroupHeader};
use crate::error::{Error, Result};
use crate::ledger::core::died;
use crate::log::{Body, Entry, EntryKind, LogError, examine};
use crate::seal::Statement;
use crate::store::{Journal, Position};

/// Bytes of groups in one wave: so much that starting threads for it costs little.
const WAVE_BYTES: usize = 4 << 20;

/// An entry that holds by itself.
pub(super) struct Examined {
    pub entry: Entry<'static>,
    pub leaf: LeafHash,
    /// Of a `tape.saved` entry: the tape, or nothing when its statement cannot be read.
    pub saved: Option<Option<Box<Saved>>>,
}

/// A group as far as it stands for itself.
pub(super) struct ExaminedGroup {
    pub header: GroupHeader,
    /// The journal's code holds, or there is no key to tell.
    pub is_own: bool,
    /// Entries up to the first that does not hold.
    pub entries: Vec<Examined>,
    pub fault: Option<LogError>,
}

/// Examines a group whose hash was compared.
pub(super) fn examine_group(checker: &Checker, group: &Group<'_>) -> ExaminedGroup {
    let header = *group.header();
    let is_own = checker.vault().is_none_or(|keys| keys.journal.accepts(&header.hash, &header.mac));
    let mut entries = Vec::with_capacity(header.count as usize);
    let mut fault = None;
    for record in group.records() {
        match record.map_err(LogError::from).and_then(|(public, sealed)| examine(public, sealed)) {
            Ok((entry, leaf)) => {
                let saved = (entry.kind == EntryKind::TAPE_SAVED).then(|| saved_tape(&entry));
                entries.push(Examined { entry: entry.without_body(), leaf, saved });
            }
            Err(e) => {
                fault = Some(e);
                break;
            }
        }
    }
    ExaminedGroup { header, is_own, entries, fault }
}

fn saved_tape(entry: &Entry<'_>) -> Option<Box<Saved>> {
    let Ok(Body::TapeSaved { statement, epoch }) = Body::decode(entry.kind, entry.body) else { return None };
    let statement = Statement::decode(&statement).ok()?;
    Some(Box::new(Saved { index: entry.index, custody: entry.subject, epoch, statement }))
}

/// Why reading ended.
pub(super) enum End {
    /// At the journal's end, or at the size asked for.
    Reached { at_end: bool },
    /// At a place that cannot be read.
    Unreadable(Position, Error),
    /// At a group that does not hold.
    Broken(Position, LogError),
}

type Wave = Vec<(Position, Vec<u8>)>;
type ExaminedWave = Vec<(Position, Result<ExaminedGroup, LogError>)>;

/// Gives every group from `from` on to `link`, in order, until `until` entries are read or something does not hold.
pub(super) fn walk(
    checker: &Checker,
    from: Position,
    until: Option<u64>,
    link: &mut dyn FnMut(ExaminedGroup) -> Result<(), LogError>,
) -> End {
    let mut reader = Reader { journal: checker.stores.journal.clone(), at: from, until, end: None };
    let (mut read, mut examined) = (Wave::new(), ExaminedWave::new());
    loop {
        let is_last = reader.end.is_some() && read.is_empty();
        let (next_read, next_examined, linked) = thread::scope(|scope| {
            let reading = scope.spawn(|| reader.wave());
            let examining = scope.spawn(|| examine_wave(checker, &read));
            let linked = link_wave(examined, link);
            (reading.join(), examining.join(), linked)
        });
        if let Err((at, e)) = linked {
            return End::Broken(at, e);
        }
        if is_last {
            return reader.end.unwrap_or(End::Reached { at_end: true });
        }
        // A panic over there is a bug; it must not look like the end of the journal.
        let dead = |_| End::Unreadable(from, died());
        match (next_read, next_examined) {
            (Ok(wave), Ok(done)) => (read, examined) = (wave, done),
            (Err(panic), _) | (_, Err(panic)) => return dead(panic),
        }
    }
}

struct Reader {
    journal: Arc<dyn Journal>,
    at: Position,
    until: Option<u64>,
    end: Option<End>,
}

impl Reader {
    /// The next groups; none once the end was met.
    fn wave(&mut self) -> Wave {
        let (mut wave, mut bytes) = (Wave::new(), 0usize);
        while self.end.is_none() && bytes < WAVE_BYTES {
            match self.journal.read(self.at) {
                Ok(Some((place, extent, next))) => {
                    let size = GroupHeader::parse(&extent).map_or(0, |header| header.size_after());
                    if self.until.is_some_and(|until| size >= until) {
                        self.end = Some(End::Reached { at_end: false });
                    }
                    bytes = bytes.saturating_add(extent.len());
                    self.at = next;
                    wave.push((place, extent));
                }
                Ok(None) => self.end = Some(End::Reached { at_end: true }),
                Err(e) => self.end = Some(End::Unreadable(self.at, e)),
            }
        }
        wave
    }
}

/// On all cores but the one that reads.
fn examine_wave(checker: &Checker, wave: &Wave) -> ExaminedWave {
    let threads = thread::available_parallelism().map_or(1, usize::from).saturating_sub(1).max(1);
    let part = wave.len().div_ceil(threads).max(1);
    let examine_part = |groups: &[(Position, Vec<u8>)]| -> ExaminedWave {
        groups.iter().map(|(place, extent)| (*place, examine_extent(checker, extent))).collect()
    };
    thread::scope(|scope| {
        let mut parts = wave.chunks(part);
        let own = parts.next().unwrap_or_default();
        let others: Vec<_> = parts.map(|groups| scope.spawn(move || examine_part(groups))).collect();
        let mut examined = examine_part(own);
        for other in others {
            match other.join() {
                Ok(part) => examined.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        examined
    })
}

fn examine_extent(checker: &Checker, extent: &[u8]) -> Result<ExaminedGroup, LogError> {
    // [`Journal::read`] has compared the hash just now.
    let group = GroupHeader::parse(extent).and_then(|header| Group::of_sealed(header, extent))?;
    Ok(examine_group(checker, &group))
}

fn link_wave(
    wave: ExaminedWave,
    link: &mut dyn FnMut(ExaminedGroup) -> Result<(), LogError>,
) -> Result<(), (Position, LogError)> {
    for (place, examined) in wave {
        examined.and_then(&mut *link).map_err(|e| (place, e))?;
    }
    Ok(())
}

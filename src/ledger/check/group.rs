//! A group as far as it stands for itself: the journal's code, every entry with its sealed half, statements.

use super::Checker;
use super::anchors;
use super::recordings::Said;
use super::set_lists::SetList;
use super::tapes::Saved;
use crate::codec::digest::LeafHash;
use crate::codec::extent::{Group, GroupHeader};
use crate::log::{Body, CriticalBody, Entry, EntryKind, LogError, examine};
use crate::seal::Statement;

/// An entry that holds by itself.
pub(super) struct Examined {
    pub entry: Entry<'static>,
    pub leaf: LeafHash,
    /// Of a `tape.saved` entry: the tape, or nothing when its statement cannot be read.
    pub saved: Option<Option<Box<Saved>>>,
    /// Of a list whose ids stand in an object.
    pub list: Option<Box<SetList>>,
    /// Of an entry about a recording.
    pub said: Option<Said>,
    /// Of an entry about a head that others hold.
    pub anchor: Option<Box<anchors::Said>>,
    /// Of an entry that changes keys.
    pub changed: Option<Box<CriticalBody>>,
}

/// What a group says by itself.
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
    for record in group.records() {
        match record.map_err(LogError::from).and_then(|(public, sealed)| examine(public, sealed)) {
            Ok((entry, body, leaf)) => {
                let list = SetList::of(&entry, &body).map(Box::new);
                let said = Said::of(&body);
                let anchor = {
                    let (log, roots) = (checker.known_keys(), checker.time_roots.as_ref());
                    anchors::Said::of(log, roots, entry.index, &body).map(Box::new)
                };
                let changed = if let Body::Critical(body) = &body { Some(Box::new(body.clone())) } else { None };
                let saved = (entry.kind == EntryKind::TAPE_SAVED).then(|| saved_tape(&entry, body));
                entries.push(Examined { entry: entry.without_body(), leaf, saved, list, said, anchor, changed });
            }
            Err(fault) => return ExaminedGroup { header, is_own, entries, fault: Some(fault) },
        }
    }
    ExaminedGroup { header, is_own, entries, fault: None }
}

fn saved_tape(entry: &Entry<'_>, body: Body) -> Option<Box<Saved>> {
    let Body::TapeSaved { statement, epoch } = body else { return None };
    let statement = Statement::decode(&statement).ok()?;
    Some(Box::new(Saved { index: entry.index, custody: entry.subject, key_id: entry.key_id, epoch, statement }))
}

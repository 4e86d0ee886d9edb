//! The entries of a bundle, opened, and what leads from them to its head.

use std::collections::BTreeMap;

use super::begin::EvidenceDraft;
use super::links::TapeLinks;
use crate::catalog::{StoredEntry, consistency, set_of};
use crate::codec::digest::{CustodyId, LeafHash};
use crate::error::{Code, Error, Result};
use crate::evidence::bundle::{
    COMPLETENESS_BYTES_MAX, Completeness, ENTRIES_MAX, EvidenceEntry, MANIFEST_BYTES_MAX, Membership, Opened,
};
use crate::ledger::core::{Core, died};
use crate::log::{
    AnchorBody, Body, Checkpoint, Entry, EntryKind, Levels, LogError, PrivateHalf, SignedNote, inclusion_path,
    own_salt, set_leaf,
};
use crate::seal::{PrivateAad, split_fields};

/// Files of a tape that is given.
const TAPE_FILES: usize = 9;
/// More files than the log, its keys and its times ever bring along.
const OTHER_FILES_MAX: usize = 20_000;
/// A digest, two spaces, the longest path, and the end of the line.
const MANIFEST_LINE_BYTES_MAX: usize = 64 + 2 + 100 + 1;
/// Longest policy that a reader takes.
const POLICY_BYTES_MAX: u64 = 256 << 10;
const PRIVATE: &str = "immutape/private/1";
/// Fields of lists, searches and refusals that name other tapes.
const SET: u64 = 19;
const SET_SALT: u64 = 31;

/// Why an entry is in a bundle, and so what of it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It is about a tape, or gave something of one out: who, why and how much is shown.
    Custody,
    /// It changes keys, is a head that others hold, or stands in the span: its public half says all that is needed.
    Log,
}

/// Indices of the entries of a bundle.
pub(super) struct Chosen(BTreeMap<u64, Why>);

impl Chosen {
    pub(super) fn indices(&self) -> Vec<u64> {
        self.0.keys().copied().collect()
    }
}

/// An entry of the bundle, with its kind and body.
pub(super) struct ShownEntry {
    pub index: u64,
    pub kind: EntryKind,
    pub subject: CustodyId,
    pub body: Body,
    pub item: EvidenceEntry,
    pub private: Option<PrivateHalf>,
    pub time: crate::time::Timestamp,
}

impl EvidenceDraft {
    /// Everything that goes in, below the size of the head.
    pub(super) fn choose(&self, head: &Checkpoint) -> Result<Chosen> {
        let tapes: Vec<_> = self.tapes.iter().map(|tape| (tape.given.custody, tape.made)).collect();
        self.core.chosen(self.completeness.span, &self.links, &tapes, head.size)
    }

    /// Opens the chosen entries one after another.
    pub(super) fn show(
        &self,
        chosen: &Chosen,
        head: &Checkpoint,
        each: &mut dyn FnMut(ShownEntry) -> Result<()>,
    ) -> Result<()> {
        let touched: BTreeMap<u64, &[CustodyId]> =
            self.links.touched.iter().map(|(index, tapes)| (*index, tapes.as_slice())).collect();
        for (index, why) in &chosen.0 {
            let missing = || Error::new(Code::RowsUnavailable, format!("entry {index} is missing in sled"));
            let stored = self.core.queries().entry(*index)?.ok_or_else(missing)?;
            let tapes = touched.get(index).copied().unwrap_or_default();
            each(self.core.shown(stored, *why, tapes, head)?)?;
        }
        Ok(())
    }
}

impl Core {
    /// The entries that go with these tapes, each with the last entry about it that counts, below `size`.
    fn chosen(
        &self,
        span: Option<(u64, u64)>,
        links: &TapeLinks,
        tapes: &[(CustodyId, u64)],
        size: u64,
    ) -> Result<Chosen> {
        let queries = self.queries();
        let mut chosen = BTreeMap::from([(0, Why::Log)]);
        if let Some((first, last)) = span {
            chosen.extend((first..=last).map(|index| (index, Why::Log)));
        }
        queries.criticals(&mut |index, kind| {
            if index < size && EntryKind::from_number(kind).is_critical() {
                chosen.insert(index, Why::Log);
            }
            Ok(true)
        })?;
        chosen.extend(links.anchors.iter().map(|index| (*index, Why::Log)));
        chosen.extend(links.touched.iter().map(|(index, _)| (*index, Why::Custody)));
        for (custody, last) in tapes {
            let own = queries.postings(custody)?;
            chosen.extend(own.into_iter().filter(|index| index <= last).map(|index| (index, Why::Custody)));
        }
        Ok(Chosen(chosen))
    }

    /// Refuses what no verifier would read, before anything of it is on record.
    pub(super) fn refuse_too_large(&self, completeness: &Completeness, links: &TapeLinks, size: u64) -> Result<()> {
        let tapes: Vec<_> = completeness.given.iter().map(|given| (given.custody, size)).collect();
        // One more stands about each tape when the bundle is made.
        let entries = self.chosen(completeness.span, links, &tapes, size)?.0.len().saturating_add(tapes.len());
        let shown = completeness.out_of_scope.iter().filter(|tape| tape.field.is_some()).count();
        let files = completeness.given.len().saturating_mul(TAPE_FILES).saturating_add(shown.saturating_mul(2));
        let is_too_much = |what: String| {
            Err(Error::new(Code::Limit, format!("the bundle would have {what}, more than a verifier reads"))
                .with_hint("make several, each of fewer tapes or for a shorter time"))
        };
        if entries > ENTRIES_MAX {
            return is_too_much(format!("{entries} entries"));
        }
        if files.saturating_add(OTHER_FILES_MAX) > MANIFEST_BYTES_MAX / MANIFEST_LINE_BYTES_MAX {
            return is_too_much(format!("about {files} files"));
        }
        let bytes = completeness.to_json().len();
        if bytes > COMPLETENESS_BYTES_MAX { is_too_much(format!("lists of {bytes} bytes")) } else { Ok(()) }
    }

    fn shown(&self, stored: StoredEntry, why: Why, tapes: &[CustodyId], head: &Checkpoint) -> Result<ShownEntry> {
        let entry = Entry::decode(&stored.public)?;
        let (index, kind, subject, time) = (entry.index, entry.kind, entry.subject, entry.time);
        let fault = |fault| LogError::Body { index, kind: kind.number(), fault };
        let body = Body::decode(kind, entry.body).map_err(fault)?;
        let (mut opened, mut private) = (None, None);
        if why == Why::Custody
            && let Some(key) = self.vault_read()?.custody_key(&entry.key_id)
        {
            let aad = PrivateAad { origin: self.origin(), kind: kind.number(), subject: &subject };
            let (map, salts) = key.disclose(aad, &stored.sealed, &entry.commitment)?;
            let is_set = matches!(kind, EntryKind::LISTED | EntryKind::SEARCHED | EntryKind::REFUSED);
            let is_open = |field: u64| !(is_set && matches!(field, SET | SET_SALT));
            opened = Some(Opened::new(PRIVATE, &salts, split_fields(&map)?, is_open));
            private = Some(PrivateHalf::decode(&map).map_err(LogError::from)?);
        }
        let members = match &private {
            Some(private) => self.members(index, &body, private, tapes)?,
            None => Vec::new(),
        };
        let path = self.path_from(&body, head)?;
        let item = EvidenceEntry { public: stored.public, opened, members, consistency: path };
        Ok(ShownEntry { index, kind, subject, body, item, private, time })
    }

    /// Shows of each tape that it was in the set of a list or search; of one that names all tapes by the size of the log there is
    /// nothing to show.
    fn members(&self, index: u64, body: &Body, private: &PrivateHalf, tapes: &[CustodyId]) -> Result<Vec<Membership>> {
        let (Body::Listed { list, .. } | Body::Searched { list, .. }, Some(salt)) = (body, private.set_salt) else {
            return Ok(Vec::new());
        };
        let ids = match (&private.set, list) {
            (Some(set), _) => set.clone(),
            (None, Some(_)) => self.long_set(index)?,
            (None, None) => return Ok(Vec::new()),
        };
        let leaves: Vec<LeafHash> = ids.iter().map(|id| set_leaf(&own_salt(&salt, id), id)).collect();
        let levels = Levels::of(&leaves);
        let mut members = Vec::with_capacity(tapes.len());
        for custody in tapes {
            let Ok(position) = ids.binary_search(custody) else { continue };
            let position = position as u64;
            let subtree = &mut |first, count| levels.subtree(first, count);
            let path = inclusion_path(position, leaves.len() as u64, subtree).ok_or_else(died)?;
            members.push(Membership { custody: *custody, salt: own_salt(&salt, custody), position, path });
        }
        members.sort_by_key(|member| member.position);
        Ok(members)
    }

    /// From the head that an entry keeps to that of the bundle.
    fn path_from(&self, body: &Body, head: &Checkpoint) -> Result<Option<Vec<[u8; 32]>>> {
        let Body::Anchor(AnchorBody::Cosigned { note, .. } | AnchorBody::Timestamped { note, .. }) = body else {
            return Ok(None);
        };
        let text = std::str::from_utf8(note).map_err(|_| died())?;
        let kept = Checkpoint::parse(SignedNote::parse(text)?.text())?;
        consistency(&*self.stores.rows, kept.size, head.size).map(Some)
    }

    /// The policy for witnesses that the ledger goes by, as it was written.
    pub(super) fn policy_text(&self) -> Result<Option<Vec<u8>>> {
        let path = self.folders.config.join(crate::ledger::WITNESS_POLICY_FILE);
        let unread = |e| Error::new(Code::Io, "the witness policy cannot be read").with_source(e);
        let is_there = self.anchors.policy.is_some();
        if is_there { self.env.files.read(&path, POLICY_BYTES_MAX).map(Some).map_err(unread) } else { Ok(None) }
    }

    /// Set proof of entries under a head.
    pub(super) fn set_proof(&self, indices: &[u64], head: &Checkpoint) -> Result<Vec<[u8; 32]>> {
        set_of(&*self.stores.rows, indices, head.size)
    }
}

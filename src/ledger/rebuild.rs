//! Bringing the rows to where the journal is: catch-up after a crash, or a rebuild from the beginning.

use std::collections::HashMap;

use super::core::Identity;
use super::{authentic, head_file};
use crate::catalog::{Enrichment, ManifestPlace, Projector, Queries, RowsPosition, Summary, root_at};
use crate::codec::digest::{CustodyId, ObjectDigest};
use crate::codec::extent::Group;
use crate::codec::random::{Random, bytes};
use crate::error::{Code, Error, Result};
use crate::keyring::VaultKeys;
use crate::log::{Entry, HeadFile, LogError};
use crate::seal::{Manifest, SealedHeader, Statement};
use crate::store::{Hint, ObjectRef, Position, Stores, VaultRecord};
use crate::time::Timestamp;

/// Rows are applied at least this often while catching up.
const BATCH_BYTES: usize = 4 << 20;
/// The journal's beginning.
pub(super) const BEGINNING: Position = Position { segment: 1, offset: 0 };

/// Why rows were built from the beginning (body of `rows.rebuilt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Absent = 0,
    Unreadable = 1,
    Differ = 2,
    AskedFor = 3,
}

/// Rows that have taken in the whole journal.
pub(super) struct CaughtUp {
    pub projector: Projector,
    pub rebuilt: Option<Reason>,
}

/// What a catch-up needs.
pub(super) struct RowsWork<'a> {
    pub identity: &'a Identity,
    pub stores: &'a Stores,
    pub vault: &'a VaultKeys,
    pub random: &'a dyn Random,
    pub head: &'a HeadFile,
}

impl RowsWork<'_> {
    /// Brings the rows to the journal's end at `size`; any doubt puts them aside and builds them anew.
    pub(super) fn catch_up(&self, size: u64) -> Result<CaughtUp> {
        match self.go_on(size) {
            Err(e) if e.code() == Code::RowsUnavailable => self.rebuild_all(Reason::Unreadable),
            // The journal is compared with the head before rows are given up for it: a fork is still told.
            Ok(caught_up) if caught_up.rebuilt.is_none() && self.contradict_head()? => self.rebuild_all(Reason::Differ),
            done => done,
        }
    }

    /// Goes on with what the rows have, or begins them.
    fn go_on(&self, size: u64) -> Result<CaughtUp> {
        let (projector, rebuilt) = match self.resume(size) {
            Ok(Some(projector)) => (projector, None),
            Ok(None) => (Projector::fresh(self.identity.ledger), Some(Reason::Absent)),
            Err(Doubt::Fatal(e)) => return Err(e),
            Err(Doubt::Rows(reason)) => (self.reset()?, Some(reason)),
        };
        let from = self.position()?.map_or(BEGINNING, |p| p.next);
        let projector = match self.replay(projector, from) {
            // Rows that contradict the journal make it look damaged: whether it is, its own groups say.
            Err(e) if rebuilt.is_none() && e.code() == Code::LogDamaged => return self.rebuild_all(Reason::Differ),
            other => other?,
        };
        if rebuilt.is_some() {
            return self.settle(projector, rebuilt);
        }
        // What a start asks of rows must be readable in rows that are kept.
        Queries::new(&*self.stores.rows).first_critical()?;
        root_at(&*self.stores.rows, self.head.checkpoint.size)?;
        Ok(CaughtUp { projector, rebuilt })
    }

    fn contradict_head(&self) -> Result<bool> {
        Ok(root_at(&*self.stores.rows, self.head.checkpoint.size)? != self.head.checkpoint.root)
    }

    /// Builds the rows from the beginning.
    pub(super) fn rebuild_all(&self, reason: Reason) -> Result<CaughtUp> {
        let projector = self.replay(self.reset()?, BEGINNING)?;
        self.settle(projector, Some(reason))
    }

    /// Puts the rows aside. They may be the better copy: first the journal must be this ledger's own.
    fn reset(&self) -> Result<Projector> {
        authentic::all(self.stores, self.vault, self.head)?;
        self.stores.rows.reset()?;
        Ok(Projector::fresh(self.identity.ledger))
    }

    fn position(&self) -> Result<Option<RowsPosition>> {
        Queries::new(&*self.stores.rows).position()
    }

    /// Goes on where the rows stand, if they are ours and the journal has what they have.
    fn resume(&self, size: u64) -> Result<Option<Projector>, Doubt> {
        let position = match self.position() {
            Ok(Some(position)) => position,
            Ok(None) => return Ok(None),
            Err(_) => return Err(Doubt::Rows(Reason::Unreadable)),
        };
        if position.ledger != self.identity.ledger {
            return Err(Doubt::Rows(Reason::Differ));
        }
        if position.chain.size() > size {
            return Err(Doubt::Fatal(rows_ahead(position.chain.size(), size)));
        }
        let same = match self.stores.journal.read(position.last_place) {
            Ok(Some((place, extent, _))) => {
                place == position.last_place
                    && Group::parse(&extent).is_ok_and(|g| g.header().hash == position.last_group)
            }
            Ok(None) => false,
            Err(e) => return Err(Doubt::Fatal(e)),
        };
        if !same {
            return Err(Doubt::Rows(Reason::Differ));
        }
        Projector::resume(&*self.stores.rows, position).map(Some).map_err(|_| Doubt::Rows(Reason::Unreadable))
    }

    /// Takes every group from `from` on into rows; each must carry this ledger's own code.
    fn replay(&self, mut projector: Projector, from: Position) -> Result<Projector> {
        let rows = &*self.stores.rows;
        let mut epochs = EpochCache::default();
        let mut at = from;
        while let Some((place, extent, next)) = self.stores.journal.read(at)? {
            let group = Group::parse(&extent).map_err(LogError::from)?;
            let header = group.header();
            if !self.vault.journal.accepts(&header.hash, &header.mac) {
                return Err(foreign_group(header.first_index));
            }
            if header.size_after() == self.head.checkpoint.size {
                head_file::same_root(self.head, &header.root)?;
            }
            let mut enrich = |entry: &Entry<'_>, statement: &Statement, epoch: &[u8; 16]| {
                // What cannot be read now is left open: the tape stays listed by its entry, and checks name the fault.
                self.enrich(&mut epochs, &entry.subject, statement, epoch, entry.time)
            };
            projector.group(rows, place, &group, next, &[], &mut enrich)?;
            if projector.pending_bytes() > BATCH_BYTES {
                apply(&mut projector, self.stores)?;
            }
            at = next;
        }
        apply(&mut projector, self.stores)?;
        Ok(projector)
    }

    /// The last comparison: rows and signed head name the same tree.
    fn settle(&self, projector: Projector, rebuilt: Option<Reason>) -> Result<CaughtUp> {
        let root = root_at(&*self.stores.rows, self.head.checkpoint.size)?;
        head_file::same_root(self.head, &root)?;
        Ok(CaughtUp { projector, rebuilt })
    }

    /// What the journal does not say about a tape, found again through the vault as far as that and the packs are whole.
    fn enrich(
        &self,
        epochs: &mut EpochCache,
        custody: &CustodyId,
        statement: &Statement,
        epoch: &[u8; 16],
        saved: Timestamp,
    ) -> Enrichment {
        let Ok((slot, record)) = epochs.find(self.stores, epoch, custody) else { return Enrichment::default() };
        let mut found = Enrichment { slot, dedupe: Some(record.dedupe), ..Enrichment::default() };
        let _named_by_checks = self.summarize(&mut found, &record, statement, epoch, saved);
        found
    }

    /// Opens the header for what lists show.
    fn summarize(
        &self,
        found: &mut Enrichment,
        record: &VaultRecord,
        statement: &Statement,
        epoch: &[u8; 16],
        saved: Timestamp,
    ) -> Result<()> {
        let custody = &record.custody_id;
        let digest = statement.claims().manifest;
        let bytes_of = self.stores.objects.get(&by_digest(digest, 0))?;
        found.manifest = Some(ManifestPlace { bytes: bytes_of.len() as u64, hint: Hint::default() });
        let manifest = Manifest::decode(&bytes_of)?;
        let missing = || Error::new(Code::VaultDamaged, "the epoch of a tape has no key");
        let key = self.vault.epoch(epoch).ok_or_else(missing)?;
        let keys = key.unwrap_tape(&self.identity.genesis.origin, custody, &record.wrapped)?.keys();
        let first = manifest.objects.first().ok_or_else(missing)?;
        let stored = self.stores.objects.get(&by_digest(first.digest, first.bytes))?;
        let sealed = SealedHeader::open(&keys, custody, &stored)?;
        let stored_bytes = manifest.all_objects().map(|o| o.bytes).sum::<u64>().saturating_add(bytes_of.len() as u64);
        let summary = Summary::of(statement.claims().tape, &sealed.header, saved, stored_bytes);
        found.summary = keys.row_key().seal(bytes(self.random)?, custody.as_ref(), &summary.encode())?;
        Ok(())
    }
}

enum Doubt {
    /// The rows are put aside and built anew.
    Rows(Reason),
    /// The journal itself is in doubt: nothing is touched.
    Fatal(Error),
}

fn apply(projector: &mut Projector, stores: &Stores) -> Result<()> {
    match projector.take(&*stores.rows)? {
        Some((batch, position)) => stores.rows.apply(batch, &position),
        None => Ok(()),
    }
}

pub(super) const fn by_digest(digest: ObjectDigest, bytes: u64) -> ObjectRef {
    ObjectRef { digest, bytes, hint: Hint([0; 16]) }
}

/// Records of the epochs met while rebuilding; `None` for an epoch that cannot be read as a whole.
#[derive(Default)]
struct EpochCache(HashMap<[u8; 16], Option<HashMap<CustodyId, (u32, VaultRecord)>>>);

impl EpochCache {
    fn find(&mut self, stores: &Stores, epoch: &[u8; 16], custody: &CustodyId) -> Result<(Option<u32>, VaultRecord)> {
        let all = self.0.entry(*epoch).or_insert_with(|| {
            let records = stores.vault.records(epoch).ok()?;
            Some((0u32..).zip(records).map(|(slot, r)| (r.custody_id, (slot, r))).collect())
        });
        let missing = || Error::new(Code::VaultDamaged, "the key of a tape is missing in the vault");
        match all {
            Some(all) => all.get(custody).map(|(slot, record)| (Some(*slot), *record)).ok_or_else(missing),
            // The keys in its whole slots are as good as ever.
            None => stores.vault.get(epoch, custody, None).map(|record| (None, record)),
        }
    }
}

pub(super) fn rows_ahead(rows: u64, journal: u64) -> Error {
    Error::new(
        Code::LogDamaged,
        format!("sled holds {rows} entries, the journal only {journal}: the journal lost its end or was replaced by an older copy"),
    )
    .with_hint("nothing was changed. `immutape repair` brings the journal back from sled, where every entry still proves itself")
}

pub(super) fn foreign_group(index: u64) -> Error {
    Error::new(Code::LogDamaged, format!("the group at entry {index} was not written by this ledger"))
        .with_hint("somebody appended to the journal without its key; nothing was read. `immutape verify --all` names what is left")
}

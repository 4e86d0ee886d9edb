//! Takes groups in order and turns them into batches of rows.

use std::collections::BTreeMap;

use super::blocks::BlockWriter;
use super::subjects::{ManifestPlace, SubjectRow, TapeFacts};
use super::tiles::TileWriter;
use super::{RowsPosition, keys};
use crate::codec::digest::{CustodyId, LedgerId, TapeId};
use crate::codec::extent::{Group, push_record};
use crate::error::{Code, Error, Result};
use crate::log::{Body, ChainState, Entry, EntryKind, LogError, SubjectTip, leaf_hash};
use crate::seal::Statement;
use crate::store::{Batch, Hint, Position, Rows};

/// Places of objects kept in the tape's own row.
const HINTS_IN_ROW_MAX: usize = 8;
/// Places of objects in each further row.
pub(super) const HINTS_A_ROW: usize = 250;

/// What the journal alone does not tell about a saved tape.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Enrichment {
    /// Slot of its key in the epoch.
    pub slot: Option<u32>,
    /// Where the manifest is.
    pub manifest: Option<ManifestPlace>,
    /// Where its objects are, in order of the manifest.
    pub hints: Vec<Hint>,
    /// Its "already kept" term.
    pub dedupe: Option<[u8; 32]>,
    /// Its sealed summary; empty when it could not be made.
    pub summary: Vec<u8>,
}

/// Tells what the journal alone does not: asked for each `tape.saved` entry, its statement and epoch.
pub type Enrich<'a> = &'a mut dyn FnMut(&Entry<'_>, &Statement, &[u8; 16]) -> Enrichment;

/// Projects groups into rows. One applier owns it.
pub struct Projector {
    ledger: LedgerId,
    chain: ChainState,
    last: Option<RowsPosition>,
    blocks: BlockWriter,
    tiles: TileWriter,
    subjects: BTreeMap<CustodyId, SubjectRow>,
    batch: Batch,
    bytes: usize,
}

impl Projector {
    /// For empty rows.
    #[must_use]
    pub fn fresh(ledger: LedgerId) -> Self {
        Self {
            ledger,
            chain: ChainState::default(),
            last: None,
            blocks: BlockWriter::default(),
            tiles: TileWriter::default(),
            subjects: BTreeMap::new(),
            batch: Batch::default(),
            bytes: 0,
        }
    }

    /// Goes on where the rows stand.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE` when they cannot be read or contradict themselves.
    pub fn resume(rows: &dyn Rows, position: RowsPosition) -> Result<Self> {
        let size = position.chain.size();
        let unavailable = || Error::new(Code::RowsUnavailable, "the rows in sled contradict their position");
        let tiles = TileWriter::load(rows, size)?;
        if super::tiles::root_at(rows, size)? != position.chain.frontier.root() {
            return Err(unavailable());
        }
        let newest = rows.floor(&keys::block(0, 0), &keys::block(u64::MAX, u16::MAX))?;
        let (index, part) = newest.and_then(|(k, _)| block_key(&k)).ok_or_else(unavailable)?;
        Ok(Self {
            ledger: position.ledger,
            chain: position.chain.clone(),
            last: Some(position),
            blocks: BlockWriter::after(index, part),
            tiles,
            subjects: BTreeMap::new(),
            batch: Batch::default(),
            bytes: 0,
        })
    }

    /// Entries projected so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.chain.size()
    }

    /// The chain projected so far.
    #[must_use]
    pub const fn chain(&self) -> &ChainState {
        &self.chain
    }

    /// Bytes gathered for the next batch.
    #[must_use]
    pub const fn pending_bytes(&self) -> usize {
        self.bytes
    }

    /// Takes one group in, checking that it follows.
    ///
    /// # Errors
    /// `E_LOG_DAMAGED` when the group does not follow; `E_ROWS_UNAVAILABLE`. The projector is then spent.
    pub fn group(
        &mut self,
        rows: &dyn Rows,
        place: Position,
        group: &Group<'_>,
        next: Position,
        enrich: Enrich<'_>,
    ) -> Result<()> {
        let header = group.header();
        if self.last.as_ref().is_some_and(|l| l.last_group != header.previous_group) {
            return Err(LogError::Group(header.first_index).into());
        }
        self.blocks.header(&mut self.batch, header.first_index, group.header_bytes());
        for record in group.records() {
            let (public, sealed) = record.map_err(LogError::from)?;
            self.entry(rows, public, sealed, enrich)?;
        }
        if self.chain.frontier.root() != header.root {
            return Err(LogError::Root(header.size_after()).into());
        }
        self.bytes = self.bytes.saturating_add(usize::try_from(header.extent_bytes()).unwrap_or(usize::MAX));
        self.last = Some(RowsPosition {
            ledger: self.ledger,
            chain: self.chain.clone(),
            last_group: header.hash,
            last_place: place,
            next,
        });
        Ok(())
    }

    fn entry(&mut self, rows: &dyn Rows, public: &[u8], sealed: &[u8], enrich: Enrich<'_>) -> Result<()> {
        let entry = Entry::decode(public)?;
        let leaf = leaf_hash(public);
        self.load_subject(rows, &entry.subject)?;
        let old = self.subjects.get(&entry.subject).map(|s| s.tip);
        let tip = self.chain.advance(&entry, leaf, old.as_ref())?;
        let mut record = Vec::with_capacity(public.len().saturating_add(sealed.len()).saturating_add(8));
        push_record(&mut record, public, sealed);
        self.blocks.record(&mut self.batch, entry.index, &record);
        self.tiles.push(&mut self.batch, &leaf);
        self.subject(&entry, tip);
        if entry.kind.is_critical() && !entry.kind.is_written() {
            self.batch.puts.push((keys::critical(entry.index), entry.kind.number().to_be_bytes().to_vec()));
        }
        if entry.kind == EntryKind::TAPE_SAVED {
            self.saved(&entry, enrich)?;
        }
        Ok(())
    }

    fn load_subject(&mut self, rows: &dyn Rows, custody: &CustodyId) -> Result<()> {
        if !self.subjects.contains_key(custody)
            && let Some(row) = rows.get(&keys::tape(custody))?
        {
            self.subjects.insert(*custody, SubjectRow::decode(&row)?);
        }
        Ok(())
    }

    fn subject(&mut self, entry: &Entry<'_>, tip: SubjectTip) {
        match self.subjects.get_mut(&entry.subject) {
            Some(row) => row.advance(&entry.subject, entry.index, tip, &mut self.batch),
            None => {
                self.subjects.insert(entry.subject, SubjectRow::first(entry.index, tip));
            }
        }
    }

    fn saved(&mut self, entry: &Entry<'_>, enrich: Enrich<'_>) -> Result<()> {
        let fault = |fault| LogError::Body { index: entry.index, kind: entry.kind.number(), fault };
        let Body::TapeSaved { statement, epoch } = Body::decode(entry.kind, entry.body).map_err(fault)? else {
            return Ok(());
        };
        let statement = Statement::decode(&statement)?;
        let tape: TapeId = statement.claims().tape;
        let more = enrich(entry, &statement, &epoch);
        if let Some(row) = self.subjects.get_mut(&entry.subject) {
            let class_key = entry.key_id;
            let (slot, manifest) = (more.slot, more.manifest);
            // Few places stand in the tape's own row; many get rows of their own.
            let hints = if more.hints.len() <= HINTS_IN_ROW_MAX { more.hints.clone() } else { Vec::new() };
            row.facts = Some(TapeFacts { tape, class_key, epoch, slot, manifest, hints });
        }
        if more.hints.len() > HINTS_IN_ROW_MAX {
            for (n, part) in (0u32..).zip(more.hints.chunks(HINTS_A_ROW)) {
                let bytes: Vec<u8> = part.iter().flat_map(|h| h.0).collect();
                self.batch.puts.push((keys::hints(&entry.subject, n), bytes));
            }
        }
        self.batch.puts.push((keys::tape_id(&tape, entry.index), entry.subject.as_ref().to_vec()));
        if let Some(term) = more.dedupe {
            self.batch.puts.push((keys::dedupe(&term, entry.index), entry.subject.as_ref().to_vec()));
        }
        let mut row = entry.subject.as_ref().to_vec();
        row.extend_from_slice(&epoch);
        row.extend_from_slice(&more.slot.unwrap_or(u32::MAX).to_be_bytes());
        row.extend_from_slice(&more.summary);
        self.batch.puts.push((keys::catalog(entry.index), row));
        Ok(())
    }

    /// The rows gathered since the last call, with the position they lead to. `None` when nothing changed.
    pub fn take(&mut self) -> Option<(Batch, Vec<u8>)> {
        let position = self.last.as_ref()?.encode();
        if self.bytes == 0 {
            return None;
        }
        self.bytes = 0;
        self.blocks.flush(&mut self.batch);
        self.tiles.flush(&mut self.batch);
        for (custody, row) in std::mem::take(&mut self.subjects) {
            self.batch.puts.push((keys::tape(&custody), row.encode()));
        }
        Some((std::mem::take(&mut self.batch), position))
    }
}

fn block_key(key: &[u8]) -> Option<(u64, u16)> {
    let (index, part) = key.get(1..)?.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*index), u16::from_be_bytes(part.try_into().ok()?)))
}

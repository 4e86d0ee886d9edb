//! Takes groups in order and turns them into batches of rows.

use std::collections::BTreeMap;

use super::blocks::BlockWriter;
use super::saved::CatalogRow;
use super::subjects::{ManifestPlace, SubjectRow, TapeFacts};
use super::terms::{self, Item};
use super::tiles::TileWriter;
use super::{Queries, RowsPosition, keys};
use crate::codec::digest::{CustodyId, LeafHash, LedgerId};
use crate::codec::extent::{Group, record_head};
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
    catalog: BlockWriter,
    tape_ids: Vec<Item>,
    contents: Vec<Item>,
    custody_ids: Vec<Item>,
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
            blocks: BlockWriter::new(keys::BLOCK),
            catalog: BlockWriter::new(keys::CATALOG),
            tape_ids: Vec::new(),
            contents: Vec::new(),
            custody_ids: Vec::new(),
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
        let blocks = BlockWriter::resume(keys::BLOCK, rows)?;
        if blocks.is_empty() {
            return Err(unavailable());
        }
        let catalog = BlockWriter::resume(keys::CATALOG, rows)?;
        let (ledger, chain) = (position.ledger, position.chain.clone());
        Ok(Self { chain, last: Some(position), blocks, catalog, tiles, ..Self::fresh(ledger) })
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

    /// Takes one group in, checking that it follows. `leaves` are the hashes of its entries, from who has made the group
    /// just now; what is not given is computed.
    ///
    /// # Errors
    /// `E_LOG_DAMAGED` when the group does not follow; `E_ROWS_UNAVAILABLE`. The projector is then spent.
    pub fn group(
        &mut self,
        rows: &dyn Rows,
        place: Position,
        group: &Group<'_>,
        next: Position,
        leaves: &[LeafHash],
        enrich: Enrich<'_>,
    ) -> Result<()> {
        let header = group.header();
        if self.last.as_ref().is_some_and(|l| l.last_group != header.previous_group) {
            return Err(LogError::Group(header.first_index).into());
        }
        self.blocks.header(&mut self.batch, header.first_index, group.header_bytes());
        let mut leaves = leaves.iter();
        for record in group.records() {
            let (public, sealed) = record.map_err(LogError::from)?;
            let leaf = leaves.next().copied().unwrap_or_else(|| leaf_hash(public));
            self.entry(rows, public, sealed, leaf, enrich)?;
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

    fn entry(
        &mut self,
        rows: &dyn Rows,
        public: &[u8],
        sealed: &[u8],
        leaf: LeafHash,
        enrich: Enrich<'_>,
    ) -> Result<()> {
        let entry = Entry::decode(public)?;
        self.load_subject(rows, &entry.subject)?;
        let old = self.subjects.get(&entry.subject).map(|s| s.tip);
        let (tiles, batch) = (&mut self.tiles, &mut self.batch);
        let completed = |height, hash: &[u8; 32]| tiles.completed(batch, height, hash);
        let tip = self.chain.advance_and_tell(&entry, leaf, old.as_ref(), completed)?;
        let [public_bytes, sealed_bytes] = record_head(public, sealed);
        self.blocks.record(&mut self.batch, entry.index, &[&public_bytes, &sealed_bytes, public, sealed]);
        self.subject(&entry, tip);
        if entry.kind.changes_rules() {
            self.batch.puts.push((keys::critical(entry.index), entry.kind.number().to_be_bytes().to_vec()));
        }
        if entry.kind == EntryKind::LABELLED {
            self.batch.puts.push((keys::labels(&entry.subject), entry.index.to_be_bytes().to_vec()));
        }
        if entry.kind == EntryKind::TAPE_SAVED {
            self.saved(&entry, leaf, enrich)?;
        }
        Ok(())
    }

    fn load_subject(&mut self, rows: &dyn Rows, custody: &CustodyId) -> Result<()> {
        if !self.subjects.contains_key(custody)
            && let Some(row) = Queries::new(rows).subject(custody)?
        {
            self.subjects.insert(*custody, row);
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

    fn saved(&mut self, entry: &Entry<'_>, leaf: LeafHash, enrich: Enrich<'_>) -> Result<()> {
        let fault = |fault| LogError::Body { index: entry.index, kind: entry.kind.number(), fault };
        let Body::TapeSaved { statement, epoch } = Body::decode(entry.kind, entry.body).map_err(fault)? else {
            return Ok(());
        };
        let statement = Statement::decode(&statement)?;
        let more = enrich(entry, &statement, &epoch);
        let facts = TapeFacts {
            tape: statement.claims().tape,
            class_key: entry.key_id,
            epoch,
            slot: more.slot,
            manifest: more.manifest,
            hints: self.hints(&entry.subject, more.hints),
        };
        self.tape_ids.push(Item::new(facts.tape.as_ref(), entry.index));
        self.custody_ids.push(Item::new(entry.subject.as_ref(), entry.index));
        self.contents.extend(more.dedupe.map(|term| Item::new(&term, entry.index)));
        if let Some(row) = self.subjects.get_mut(&entry.subject) {
            row.facts = Some(facts.clone());
        }
        let row = CatalogRow { index: entry.index, custody: entry.subject, leaf, facts, summary: more.summary };
        self.catalog.record(&mut self.batch, entry.index, &[&row.encode()]);
        Ok(())
    }

    /// Few places stand beside what else is known of the tape; many get rows of their own.
    fn hints(&mut self, custody: &CustodyId, hints: Vec<Hint>) -> Vec<Hint> {
        if hints.len() <= HINTS_IN_ROW_MAX {
            return hints;
        }
        for (n, part) in (0u32..).zip(hints.chunks(HINTS_A_ROW)) {
            let bytes: Vec<u8> = part.iter().flat_map(|h| h.0).collect();
            self.batch.puts.push((keys::hints(custody, n), bytes));
        }
        Vec::new()
    }

    /// The rows gathered since the last call, with the position they lead to. `None` when nothing changed.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`. The projector is then spent.
    pub fn take(&mut self, rows: &dyn Rows) -> Result<Option<(Batch, Vec<u8>)>> {
        let Some(position) = self.last.as_ref().filter(|_| self.bytes > 0).map(RowsPosition::encode) else {
            return Ok(None);
        };
        self.bytes = 0;
        let batch = &mut self.batch;
        self.blocks.flush(batch);
        self.catalog.flush(batch);
        self.tiles.flush(batch);
        terms::insert(rows, batch, keys::TAPE_ID, std::mem::take(&mut self.tape_ids))?;
        terms::insert(rows, batch, keys::DEDUPE, std::mem::take(&mut self.contents))?;
        terms::insert(rows, batch, keys::CUSTODY, std::mem::take(&mut self.custody_ids))?;
        for (custody, row) in std::mem::take(&mut self.subjects) {
            if !row.is_in_catalog() {
                batch.puts.push((keys::tape(&custody), row.encode()));
            }
        }
        Ok(Some((std::mem::take(batch), position)))
    }
}

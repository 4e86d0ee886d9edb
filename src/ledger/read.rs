//! Reading: a reader is made only from a grant whose entry is durable; what it gave out is an entry too.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::acts::Act;
use super::away::TapeAway;
use super::core::Core;
use super::look_up::FoundTape;
use super::{Event, Who};
use crate::catalog::TapeFacts;
use crate::codec::digest::{CustodyId, LeafHash, TapeId};
use crate::error::{Code, Error, Result};
use crate::governance::Action;
use crate::log::{Body, EntryDraft, leaf_hash};
use crate::seal::{Manifest, ManifestObject, RowKey, SealedHeader, TapeKeys, TapeSecret, open_chunk};
use crate::store::{Hint, ObjectRef, Objects};
use crate::tape::{Frame, Header, Labels, frame_leaf};

use super::rebuild::by_digest;

/// Leave to read one tape, whose entry is durable. Made by the ledger's own waiting for it, used once.
///
/// ```compile_fail
/// fn twice(g: immutape::ledger::DurableGrant) -> immutape::ledger::DurableGrant { g.clone() }
/// ```
#[derive(Debug)]
pub struct DurableGrant {
    index: u64,
    custody: CustodyId,
    /// Frames that the entry names; `None` = all.
    range: Option<(u64, u64)>,
}

impl DurableGrant {
    /// Of an entry that is durable, and names these frames.
    pub(super) const fn of(index: u64, custody: CustodyId, range: Option<(u64, u64)>) -> Self {
        Self { index, custody, range }
    }
}

/// Which frames, among those that the grant names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameSelection {
    /// All of them, that is all that were granted.
    All,
    /// By number, both ends included.
    Seq(u64, u64),
    /// By time since the start of the session in nanoseconds, both ends included; frames without a time are left out,
    /// and so are those that were not granted.
    Time(u64, u64),
}

/// A tape whose keys and header were opened.
pub(super) struct OpenedTape {
    pub keys: TapeKeys,
    pub manifest: Manifest,
    pub header: SealedHeader,
}

impl Core {
    /// Opens the header of a tape. The entry that lets somebody do so must be durable.
    pub(super) fn open_header(&self, found: &FoundTape) -> Result<OpenedTape> {
        let FoundTape { custody, facts, .. } = found;
        let keys = self.unwrap_tape(custody, &facts.epoch, facts.slot)?;
        let manifest = read_manifest(self, custody, facts)?;
        let first = manifest.objects.first().ok_or_else(super::core::died)?;
        let hint = self.queries().hint(custody, facts, 0)?;
        let stored = stored_object(self, &ObjectRef { digest: first.digest, bytes: first.bytes, hint })?;
        let header = SealedHeader::open(&keys, custody, &stored)?;
        Ok(OpenedTape { keys, manifest, header })
    }

    /// Opens the keys of a tape. Counted by the caller.
    pub(super) fn unwrap_tape(&self, custody: &CustodyId, epoch: &[u8; 16], slot: Option<u32>) -> Result<TapeKeys> {
        self.unwrap_secret(custody, epoch, slot).map(|secret| secret.keys())
    }

    /// Opens the key of a tape's rows, for listing. Counted by the caller.
    pub(super) fn unwrap_row_key(&self, custody: &CustodyId, epoch: &[u8; 16], slot: Option<u32>) -> Result<RowKey> {
        self.unwrap_secret(custody, epoch, slot).map(|secret| secret.row_key())
    }

    pub(super) fn unwrap_secret(&self, custody: &CustodyId, epoch: &[u8; 16], slot: Option<u32>) -> Result<TapeSecret> {
        let record = self.stores.vault.get(epoch, custody, slot).map_err(missing_key)?;
        let keys = self.vault_read()?;
        let missing = || Error::new(Code::VaultDamaged, "the epoch of a tape has no key in the vault");
        let secret = keys.epoch(epoch).ok_or_else(missing)?.unwrap_tape(self.origin(), custody, &record.wrapped);
        let damaged = |e| {
            Error::new(
                Code::VaultDamaged,
                "the key of a tape does not open: the vault was altered or belongs to another root",
            )
            .with_source(e)
        };
        secret.map_err(damaged)
    }
}

/// Reads one tape. Its bytes given out are recorded by [`TapeReader::finish`], or when it is dropped.
pub struct TapeReader {
    core: Arc<Core>,
    alive: tokio::sync::mpsc::Sender<super::writer::Request>,
    who: Who,
    grant: DurableGrant,
    class: String,
    tape: TapeId,
    keys: Arc<TapeKeys>,
    facts: TapeFacts,
    manifest: Manifest,
    header: SealedHeader,
    given: AtomicU64,
    finished: bool,
}

impl TapeReader {
    /// Asks, records, waits for the entry to be durable, and only then touches keys and content.
    pub(super) async fn open(core: Arc<Core>, who: Who, id: &str, range: Option<(u64, u64)>) -> Result<Self> {
        if range.is_some_and(|(first, last)| first > last) {
            return Err(Error::new(Code::Usage, "the range of frames ends before it begins"));
        }
        Self::open_as(core, who, id, range, (Action::ReadContent, Body::AccessGranted)).await
    }

    /// As [`TapeReader::open`], for an act of another name.
    pub(super) async fn open_as(
        core: Arc<Core>,
        who: Who,
        id: &str,
        range: Option<(u64, u64)>,
        (action, body): (Action, Body),
    ) -> Result<Self> {
        let found = core.look_up(&who, action, id).await?;
        let act = Act { range, ..Act::about_tape(&who, found.custody, &found.class, body) };
        let tape = found.facts.tape;
        let draft = core.draft(&act, |p| p.tape_id = Some(tape))?;
        let placed = core.append(vec![draft]).await?;
        let index = placed.first().ok_or_else(super::core::died)?.index;
        core.env.observer.event(Event::Granted);
        let grant = DurableGrant { index, custody: found.custody, range };
        Self::with_grant(core, who, found, grant)
    }

    pub(super) fn with_grant(core: Arc<Core>, who: Who, found: FoundTape, grant: DurableGrant) -> Result<Self> {
        core.progress.content_unwraps.fetch_add(1, Ordering::Relaxed);
        let OpenedTape { keys, manifest, header } = core.open_header(&found)?;
        let FoundTape { facts, class, .. } = found;
        let (tape, alive) = (facts.tape, core.stay_alive()?);
        Ok(Self {
            alive,
            core,
            who,
            grant,
            class,
            tape,
            keys: Arc::new(keys),
            facts,
            manifest,
            header,
            given: AtomicU64::new(0),
            finished: false,
        })
    }

    /// The tape.
    #[must_use]
    pub const fn tape(&self) -> TapeId {
        self.tape
    }

    pub(super) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(super) const fn who(&self) -> &Who {
        &self.who
    }

    pub(super) fn class(&self) -> &str {
        &self.class
    }

    pub(super) fn keys(&self) -> &TapeKeys {
        &self.keys
    }

    /// Reads on without the ledger, which may be closed, and others may have, as soon as this was let go of. How much is given
    /// from here on is recorded by [`super::Ledger::finish_away`].
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`.
    pub fn into_away(mut self) -> Result<TapeAway> {
        let refer = |(position, object): (usize, &ManifestObject)| -> Result<ObjectRef> {
            Ok(ObjectRef { digest: object.digest, bytes: object.bytes, hint: self.hint(position)? })
        };
        let objects = self.manifest.objects.iter().enumerate().map(refer).collect::<Result<Vec<_>>>()?;
        let away = TapeAway {
            store: self.core.stores.objects.clone(),
            grant: self.grant.index,
            custody: self.grant.custody,
            range: self.grant.range,
            class: self.class.clone(),
            tape: self.tape,
            keys: self.keys.clone(),
            header: self.header.clone(),
            objects,
            given: AtomicU64::new(self.bytes_given()),
        };
        // The completion is for who has it now.
        self.finished = true;
        Ok(away)
    }

    pub(super) const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) const fn is_for_a_range(&self) -> bool {
        self.grant.range.is_some()
    }

    /// Where object `position` lies, when the rows know.
    pub(super) fn hint(&self, position: usize) -> Result<Hint> {
        self.core.queries().hint(&self.grant.custody, &self.facts, position)
    }

    /// What was read so far went nowhere: its digest was taken, and it will be read again.
    pub(super) fn took_digest_only(&self) {
        self.given.store(0, Ordering::Relaxed);
    }

    /// Counts bytes that leave.
    pub(super) fn gave(&self, bytes: u64) {
        self.given.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Index of the entry that granted this reading.
    #[must_use]
    pub const fn grant_index(&self) -> u64 {
        self.grant.index
    }

    /// The tape's custody id.
    #[must_use]
    pub const fn custody(&self) -> CustodyId {
        self.grant.custody
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header.header
    }

    /// The labels that the tape has now, and the entry that gave them when they are not those of its header.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`; `E_VAULT_DAMAGED` when that entry cannot be opened.
    pub fn labels(&self) -> Result<(Labels, Option<u64>)> {
        self.core.labels_of(&self.grant.custody, &self.header.header)
    }

    /// Number of frames.
    #[must_use]
    pub fn frames_total(&self) -> u64 {
        self.manifest.root.frames
    }

    /// Gives the selected frames in order, one chunk in memory at a time. Every chunk is re-hashed,
    /// decrypted and checked before a byte of it is given. Blocks on the disk. Only what the entry of the grant names
    /// leaves: the record is no less than what was read.
    ///
    /// # Errors
    /// `E_TAPE_DAMAGED`, `E_NO_FRAME` for numbers past the end, `E_NOT_PERMITTED` for numbers outside the range that the
    /// tape was opened for (nothing leaves, so there is no entry), `E_BROKEN`, errors of `each`.
    pub fn frames(&self, selection: FrameSelection, each: &mut dyn FnMut(Frame) -> Result<()>) -> Result<()> {
        let granted = self.granted(selection)?;
        for (n, range) in self.header.chunks.iter().enumerate() {
            let seqs = range.first_seq..=range.first_seq.saturating_add(range.frames).saturating_sub(1);
            let is_granted = granted.start() <= seqs.end() && granted.end() >= seqs.start();
            if !is_granted || !selection.touches(&seqs, range.first_t_ns..=range.last_t_ns) {
                continue;
            }
            // A handle that broke meanwhile gives out nothing more.
            self.core.refuse_if_broken()?;
            let position = n.saturating_add(1);
            for frame in self.chunk(position, range)? {
                if granted.contains(&frame.seq) && selection.takes(&frame) {
                    self.gave(frame.payload.len() as u64);
                    each(frame)?;
                }
            }
        }
        Ok(())
    }

    /// The frames that may leave, if the selection stays within them.
    fn granted(&self, selection: FrameSelection) -> Result<RangeInclusive<u64>> {
        let (first, last) = self.grant.range.unwrap_or((0, u64::MAX));
        let FrameSelection::Seq(from, to) = selection else { return Ok(first..=last) };
        if from > to || to >= self.frames_total() {
            return Err(Error::new(
                Code::NoFrame,
                format!("this tape has frames 0..{}", self.frames_total().saturating_sub(1)),
            )
            .with_hint("give a range within it, first..last"));
        }
        if from < first || to > last {
            return Err(Error::new(
                Code::NotPermitted,
                format!("frames {from}..{to} are not those that the record of this read names"),
            )
            .with_hint("open the tape for the frames you want: every read is an entry with its range"));
        }
        Ok(first..=last)
    }

    fn chunk(&self, position: usize, range: &crate::seal::ChunkRange) -> Result<Vec<Frame>> {
        let missing = || Error::new(Code::TapeDamaged, "the manifest names fewer chunks than the header");
        let object = self.manifest.objects.get(position).ok_or_else(missing)?;
        let hint = self.hint(position)?;
        let stored = stored_object(&self.core, &ObjectRef { digest: object.digest, bytes: object.bytes, hint })?;
        Ok(open_chunk(&self.keys, &self.grant.custody, position as u64, &stored, range)?)
    }

    /// Leaf hashes of all frames, in their order, whichever of them may leave: what closed frames are known by.
    pub(super) fn leaves(&self) -> Result<Vec<LeafHash>> {
        let mut leaves = Vec::new();
        for (n, range) in self.header.chunks.iter().enumerate() {
            self.core.refuse_if_broken()?;
            for frame in self.chunk(n.saturating_add(1), range)? {
                leaves.push(leaf_hash(&frame_leaf(&frame.parts()?, &self.keys.frame_salt(frame.seq))));
            }
        }
        Ok(leaves)
    }

    /// The frames of a selection together; for selections known to be small.
    ///
    /// # Errors
    /// As [`TapeReader::frames`].
    pub fn collect(&self, selection: FrameSelection) -> Result<Vec<Frame>> {
        let mut out = Vec::new();
        self.frames(selection, &mut |f| {
            out.push(f);
            Ok(())
        })?;
        Ok(out)
    }

    /// Bytes of payload given so far.
    #[must_use]
    pub fn bytes_given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// Records how much was given and waits until that is durable.
    ///
    /// # Errors
    /// `E_AUDIT_UNAVAILABLE` and others of the writer; the grant then stands without a completion.
    pub async fn finish(mut self) -> Result<u64> {
        let draft = self.complete()?;
        let placed = self.core.append(vec![draft]).await?;
        Ok(placed.first().map_or(0, |p| p.index))
    }

    /// The completion as a draft, to ride in the ledger's last group.
    pub(super) fn into_completion(mut self) -> Result<EntryDraft> {
        self.complete()
    }

    /// The completion, which this reader makes only once.
    pub(super) fn complete(&mut self) -> Result<EntryDraft> {
        let draft = self.completion()?;
        self.finished = true;
        Ok(draft)
    }

    fn completion(&self) -> Result<EntryDraft> {
        let body = Body::AccessCompleted { grant: self.grant.index };
        let act = Act::about_tape(&self.who, self.grant.custody, &self.class, body);
        self.core.draft(&act, |p| p.bytes = Some(self.bytes_given()))
    }
}

impl Drop for TapeReader {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // Recorded if the writer is still there; a grant without completion reads "amount unknown, up to the range".
        if let Ok(draft) = self.completion() {
            let (answer, _nobody_waits) = tokio::sync::oneshot::channel();
            let request = super::writer::Request::Append { drafts: vec![draft], is_refusal: false, answer };
            let _closed_ledger = self.alive.try_send(request);
        }
    }
}

/// An object of a live tape: that it is not there is damage, and no question of a wrong id.
pub(super) fn stored_object(core: &Core, object: &ObjectRef) -> Result<Vec<u8>> {
    kept_object(&*core.stores.objects, object)
}

pub(super) fn kept_object(store: &dyn Objects, object: &ObjectRef) -> Result<Vec<u8>> {
    store.get(object).map_err(|e| match e.code() {
        Code::NotFound => Error::new(Code::TapeDamaged, format!("a part of this tape is missing: {}", e.message()))
            .with_hint("bring the packs back from a copy; `immutape verify` names what else is missing")
            .with_source(e),
        _ => e,
    })
}

/// The same for the key of a live tape.
fn missing_key(e: Error) -> Error {
    match e.code() {
        Code::NotFound => Error::new(Code::VaultDamaged, format!("the key of this tape is missing: {}", e.message()))
            .with_hint("if another copy of the vault has it, put that copy's file of this epoch back, and no other; saving the same content again keeps it anew")
            .with_source(e),
        _ => e,
    }
}

/// Reads and checks the manifest of a tape.
pub(super) fn read_manifest(core: &Core, custody: &CustodyId, facts: &TapeFacts) -> Result<Manifest> {
    let missing = || Error::new(Code::RowsUnavailable, "the entry that saved a tape is missing in sled");
    let saved = core.queries().saved_index(custody)?.ok_or_else(missing)?;
    let entry = core.queries().entry(saved)?.ok_or_else(missing)?;
    let statement = super::check::saved_statement(&entry.public)?.ok_or_else(missing)?;
    statement.verify(&core.identity.recorder_at(saved)?)?;
    let hint = facts.manifest.map(|m| m.hint).unwrap_or_default();
    let object = ObjectRef { hint, ..by_digest(statement.claims().manifest, facts.manifest.map_or(0, |m| m.bytes)) };
    let manifest = Manifest::decode(&stored_object(core, &object)?)?;
    if manifest.custody != *custody || manifest.root.id() != facts.tape || statement.claims().tape != facts.tape {
        return Err(Error::new(Code::TapeDamaged, "the manifest of a tape is not the one its statement names"));
    }
    Ok(manifest)
}

impl FrameSelection {
    fn touches(self, seqs: &RangeInclusive<u64>, times: RangeInclusive<u64>) -> bool {
        match self {
            Self::All => true,
            Self::Seq(first, last) => first <= *seqs.end() && last >= *seqs.start(),
            Self::Time(from, to) => from <= *times.end() && to >= *times.start(),
        }
    }

    fn takes(self, frame: &Frame) -> bool {
        match self {
            Self::All => true,
            Self::Seq(first, last) => (first..=last).contains(&frame.seq),
            Self::Time(from, to) => frame.t_ns.is_some_and(|t| (from..=to).contains(&t)),
        }
    }
}

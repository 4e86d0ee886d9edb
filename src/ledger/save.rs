//! Saving: frames are chunked and sealed as they come; the entry is committed at the end.

use std::io::Read;
use std::sync::Arc;

use super::acts::Act;
use super::commit::{SaveAnswer, SealedSave};
use super::core::Core;
use super::look_up::FoundTape;
use super::sealing::{Gathered, PART_BYTES, Piece, Sealer};
use super::writer::Request;
use super::{Event, Who};
use crate::catalog::Summary;
use crate::codec::Writer;
use crate::codec::digest::{CustodyId, RootHash, TapeId};
use crate::codec::limits::{CLASS_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX};
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::governance::{ClassStanding, Schedule};
use crate::log::{Body, EntryDraft, Frontier, PrivateHalf, leaf_hash};
use crate::seal::{ChunkBuilder, SealedHeader, Signer as _, Statement, StatementClaims, TapeKeys, TapeSecret};
use crate::tape::{Frame, Header, LEDGER_CLASS, RecorderInfo, TapeRoot, write_frame_leaf};

/// How a tape is kept.
///
/// ```
/// use immutape::ledger::{Amends, SaveOptions};
/// let options = SaveOptions::default().class("trades").amends(Amends::new("51bd77a0", "its end was missing"));
/// assert_eq!((options.class.as_str(), options.namespace.as_str()), ("trades", "default"));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SaveOptions {
    /// Retention class.
    pub class: String,
    /// Namespace.
    pub namespace: String,
    /// A kept tape that this one corrects or completes.
    pub amends: Option<Amends>,
}

/// Which tape a saved one amends, and why. The amended tape stays as it is; an entry about it names the other, also where
/// the content of that one was kept already.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Amends {
    /// Its id, or a prefix of at least four digits.
    pub tape: String,
    /// Why, in the words of who saves.
    pub reason: String,
}

impl Default for SaveOptions {
    fn default() -> Self {
        Self { class: Schedule::DEFAULT_CLASS.into(), namespace: "default".into(), amends: None }
    }
}

impl SaveOptions {
    /// Under this retention class.
    #[must_use]
    pub fn class(self, class: impl Into<String>) -> Self {
        Self { class: class.into(), ..self }
    }

    /// In this namespace.
    #[must_use]
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), ..self }
    }

    /// As what corrects or completes another tape.
    #[must_use]
    pub fn amends(self, amends: impl Into<Option<Amends>>) -> Self {
        Self { amends: amends.into(), ..self }
    }
}

impl Amends {
    /// The tape with this id, or a prefix of at least four digits, for this reason.
    #[must_use]
    pub fn new(tape: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { tape: tape.into(), reason: reason.into() }
    }
}

/// What a save came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaveReceipt {
    /// The tape.
    pub tape: TapeId,
    /// Its custody id.
    pub custody: CustodyId,
    /// Index of the entry that records this save.
    pub entry: u64,
    /// The same content was kept before; this save is on record, nothing was stored twice.
    pub already_kept: bool,
    /// Frames.
    pub frames: u64,
    /// Bytes of sealed objects and manifest; 0 when already kept.
    pub stored_bytes: u64,
    /// What the class means.
    pub standing: ClassStanding,
}

/// Takes the frames of one tape. Dropped before [`TapeSaver::finish`], nothing is kept: sealed pieces
/// already on disk have no key.
pub struct TapeSaver {
    core: Arc<Core>,
    alive: tokio::sync::mpsc::Sender<Request>,
    who: Who,
    options: SaveOptions,
    amended: Option<FoundTape>,
    /// Entries of the same group.
    beside: Vec<EntryDraft>,
    /// It was opened as a recording: entries about it stand in the log already.
    is_live: bool,
    custody: CustodyId,
    secret: TapeSecret,
    keys: Arc<TapeKeys>,
    chunk: ChunkBuilder,
    sealer: Sealer,
    tree: Frontier,
    /// Room for the fields of one frame and for its leaf, used again for the next.
    fields: Writer,
    leaf: Writer,
}

impl TapeSaver {
    pub(super) fn new(
        core: Arc<Core>,
        alive: tokio::sync::mpsc::Sender<Request>,
        who: Who,
        options: SaveOptions,
        amended: Option<FoundTape>,
    ) -> Result<Self> {
        checked_keep(&options.class, &options.namespace)?;
        let secret = TapeSecret::generate(&*core.env.random)?;
        let custody = CustodyId::from_bytes(bytes(&*core.env.random)?);
        Ok(Self::with_secret(core, alive, who, (options, amended), (custody, secret), false))
    }

    /// Seals a recording: custody id and secret are those it was opened with.
    pub(super) fn of_live(
        core: Arc<Core>,
        alive: tokio::sync::mpsc::Sender<Request>,
        who: Who,
        options: SaveOptions,
        opened: (CustodyId, TapeSecret),
    ) -> Result<Self> {
        checked_keep(&options.class, &options.namespace)?;
        Ok(Self::with_secret(core, alive, who, (options, None), opened, true))
    }

    fn with_secret(
        core: Arc<Core>,
        alive: tokio::sync::mpsc::Sender<Request>,
        who: Who,
        (options, amended): (SaveOptions, Option<FoundTape>),
        (custody, secret): (CustodyId, TapeSecret),
        is_live: bool,
    ) -> Self {
        let keys = Arc::new(secret.keys());
        let sealer = Sealer::new(core.clone(), keys.clone(), custody);
        Self {
            core,
            alive,
            who,
            options,
            amended,
            beside: Vec::new(),
            is_live,
            custody,
            secret,
            keys,
            chunk: ChunkBuilder::new(),
            sealer,
            tree: Frontier::new(),
            fields: Writer::new(),
            leaf: Writer::new(),
        }
    }

    /// Adds the next frame. Its `seq` must be the number of frames that the tape has: [`TapeSaver::frames`]. A payload of more
    /// than 16 MiB becomes several frames, all but the last flagged `continued` (`docs/format/2-tape.md` 2.1), and the
    /// number of frames rises by as many.
    ///
    /// Blocks when too much of what came before is not sealed yet: some milliseconds for each MiB.
    /// A tape of more than 256 KiB is sealed by a thread of its own, as far as there are cores.
    ///
    /// # Errors
    /// `E_LIMIT`, `E_USAGE` (sequence), `E_STORE_FULL`, `E_BROKEN`, `E_IO`. After an error the saver is of no use.
    pub fn frame(&mut self, frame: &Frame) -> Result<()> {
        if frame.payload.len() <= FRAME_PAYLOAD_BYTES_MAX {
            return self.one_frame(frame);
        }
        frame.pieces().try_for_each(|piece| self.one_frame(&piece))
    }

    fn one_frame(&mut self, frame: &Frame) -> Result<()> {
        if frame.seq != self.tree.size() {
            return Err(Error::new(
                Code::Usage,
                format!("frame {} was given where frame {} belongs", frame.seq, self.tree.size()),
            ));
        }
        let parts = frame.parts_in(std::mem::take(&mut self.fields))?;
        if self.chunk.is_full_for(parts.encoded_bytes(), frame.t_ns) {
            let salt = bytes(&*self.core.env.random)?;
            if let Some((range, raw)) = self.chunk.take_full(self.sealer.buffer()) {
                self.sealer.full(Piece { range, raw, salt })?;
            }
        }
        write_frame_leaf(&mut self.leaf, &parts, &self.keys.frame_salt(frame.seq));
        self.tree.push(&leaf_hash(self.leaf.as_slice()));
        self.chunk.push(&parts, frame.t_ns);
        self.fields = parts.into_buffer();
        if self.chunk.bytes() >= PART_BYTES {
            let part = self.chunk.take_part(self.sealer.buffer());
            self.sealer.part(part)?;
        }
        Ok(())
    }

    /// Frames so far.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.tree.size()
    }

    /// Seals and commits the tape; durable on return. Class and namespace of the header are those of the options.
    ///
    /// # Errors
    /// As [`TapeSaver::frame`]; `E_READBACK_MISMATCH`, `E_AUDIT_UNAVAILABLE`.
    pub async fn finish(self, header: Header) -> Result<SaveReceipt> {
        self.finish_with(header, None).await
    }

    /// As [`TapeSaver::finish`], and keeps beside the frames what they were imported from, byte for byte. `source` must give
    /// the bytes whose SHA-256 stands in the header.
    ///
    /// # Errors
    /// As [`TapeSaver::finish`]; `E_USAGE` when they are other bytes, `E_IO` when they cannot be read.
    pub async fn finish_with(
        mut self,
        mut header: Header,
        source: Option<&mut (dyn Read + Send)>,
    ) -> Result<SaveReceipt> {
        let (core, _alive) = (self.core.clone(), self.alive.clone());
        header.class.clone_from(&self.options.class);
        header.namespace.clone_from(&self.options.namespace);
        header.stats.frames = self.tree.size();
        header.amends = self.amended.as_ref().map(|found| found.facts.tape).or(header.amends);
        header.recorder = Some(RecorderInfo {
            key: Some(core.keys.recorder.public_key().thumbprint()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            config: None,
        });
        let salt = bytes(&*core.env.random)?;
        let last = self.chunk.take().map(|(range, raw)| Piece { range, raw, salt });
        let gathered = self.sealer.last(last)?;
        let content = self.sealer.content().finish(&header);
        let term = core.vault_read()?.dedupe.term(&self.options.class, &self.options.namespace, &content);
        let (who, options, amended) = (self.who.clone(), self.options.clone(), self.amended.clone());
        // Before the look-up: what rows take in meanwhile, it may have missed.
        let unknown_at = core.progress.applied();
        // A recording is sealed even if another tape says the same, to the nanosecond: its opening is on record.
        let kept = if self.is_live { None } else { core.kept_already(&term)? };
        if let Some(kept) = kept {
            return again(&core, &who, &options, amended, kept).await;
        }
        let (save, receipt) = self.seal(gathered, header, (term, unknown_at), source)?;
        match core.ask(|answer| Request::Save { save: Box::new(save), answer }).await? {
            SaveAnswer::Kept(placed) => {
                core.env.observer.event(Event::Saved { stored_bytes: receipt.stored_bytes });
                Ok(SaveReceipt { entry: placed.index, ..receipt })
            }
            SaveAnswer::AlreadyKept(kept) => again(&core, &who, &options, amended, kept).await,
        }
    }

    /// As [`TapeSaver::finish`], with other entries in the same group. The namespace is that of the header.
    pub(super) async fn finish_live(mut self, header: Header, beside: Vec<EntryDraft>) -> Result<SaveReceipt> {
        self.options.namespace.clone_from(&header.namespace);
        self.beside = beside;
        self.finish(header).await
    }

    /// Root over the frames so far.
    pub(super) fn tree_root(&self) -> RootHash {
        self.tree.root()
    }

    /// Seals header and manifest and signs the statement; everything is put, nothing is durable yet.
    fn seal(
        self,
        gathered: Gathered,
        header: Header,
        (term, unknown_at): ([u8; 32], u64),
        source: Option<&mut (dyn Read + Send)>,
    ) -> Result<(SealedSave, SaveReceipt)> {
        let Self { core, who, options, amended, mut beside, is_live, custody, secret, keys, tree, .. } = self;
        let (mut chunks, last) = gathered.seal()?;
        let commitment = header.commit(keys.header_salts()).commitment;
        let root = TapeRoot { header: commitment, frames: tree.size(), tree: tree.root() };
        let tape = root.id();
        let sealed = SealedHeader { header, chunks: std::mem::take(&mut chunks.ranges) };
        let behind_chunks = (sealed.chunks.len() as u64).saturating_add(1);
        let source = source
            .map(|source| core.put_source((&keys, &custody), behind_chunks, &sealed.header, source))
            .transpose()?;
        let header = sealed.seal(&keys, bytes(&*core.env.random)?, &custody)?;
        let stored = chunks.put_with(last.as_deref(), &header, root, source)?;
        let claims = StatementClaims {
            origin: core.origin().to_owned(),
            ledger: core.identity.ledger,
            custody,
            manifest: stored.manifest.digest,
            tape,
        };
        let statement = Statement::sign(&claims, &core.keys.recorder);
        // The body names the epoch, which the writer chooses: it is put in there.
        let body = Body::TapeSaved { statement: Vec::new(), epoch: [0; 16] };
        let draft =
            core.draft(&Act::about_tape(&who, custody, &options.class, body), |p| describe(p, &core, &options, tape))?;
        let stored_bytes = stored.bytes();
        let summary = Summary::of(tape, &sealed.header, core.env.clock.read().wall, stored_bytes);
        let summary = keys.row_key().seal(bytes(&*core.env.random)?, custody.as_ref(), &summary.encode())?;
        let standing = core.schedule.standing(&options.class);
        let frames = tree.size();
        let receipt = SaveReceipt { tape, custody, entry: 0, already_kept: false, frames, stored_bytes, standing };
        beside.extend(amended.map(|found| amended_by(&core, &who, &options, &found, custody)).transpose()?);
        let save = SealedSave { custody, secret, term, unknown_at, statement, draft, beside, is_live, stored, summary };
        Ok((save, receipt))
    }
}

/// Can a tape be kept in this class and namespace?
pub(super) fn checked_keep(class: &str, namespace: &str) -> Result<()> {
    for (what, text) in [("class", class), ("namespace", namespace)] {
        if text.is_empty() || text.len() > CLASS_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(Error::new(
                Code::Usage,
                format!("the {what} needs 1 to {CLASS_BYTES_MAX} bytes without control characters"),
            ));
        }
    }
    if class == LEDGER_CLASS {
        return Err(Error::new(Code::Usage, "the class \"ledger\" is that of the ledger's own entries")
            .with_hint("give the tape another class, or none at all"));
    }
    Ok(())
}

/// The entry about a tape that a new one amends.
fn amended_by(core: &Core, who: &Who, options: &SaveOptions, found: &FoundTape, by: CustodyId) -> Result<EntryDraft> {
    let act = Act::about_tape(who, found.custody, &found.class, Body::Amended { by });
    let tape = found.facts.tape;
    core.draft(&act, |p| {
        p.tape_id = Some(tape);
        p.words = options.amends.as_ref().map(|a| a.reason.clone().into_bytes());
    })
}

/// Records that a content was saved once more; its claims count from now. What it amends stands in its header already;
/// that somebody says so again, and why, is an entry in the same group.
async fn again(
    core: &Core,
    who: &Who,
    options: &SaveOptions,
    amended: Option<FoundTape>,
    kept: CustodyId,
) -> Result<SaveReceipt> {
    let missing = || Error::new(Code::Internal, "a kept tape has no row");
    let facts = core.subject(&kept)?.and_then(|s| s.facts).ok_or_else(missing)?;
    let act = Act::about_tape(who, kept, &options.class, Body::TapeSavedAgain);
    let draft = core.draft(&act, |p| describe(p, core, options, facts.tape))?;
    let amended = amended.map(|found| amended_by(core, who, options, &found, kept)).transpose()?;
    let placed = core.append([draft].into_iter().chain(amended).collect()).await?;
    core.env.observer.event(Event::SavedAgain);
    Ok(SaveReceipt {
        tape: facts.tape,
        custody: kept,
        entry: placed.first().map_or(0, |p| p.index),
        already_kept: true,
        frames: 0,
        stored_bytes: 0,
        standing: core.schedule.standing(&options.class),
    })
}

/// What every save says about itself in private.
fn describe(p: &mut PrivateHalf, core: &Core, options: &SaveOptions, tape: TapeId) {
    p.tape_id = Some(tape);
    p.class = Some(options.class.clone());
    p.namespace = Some(options.namespace.clone());
    p.claims = core.schedule.claims(&options.class);
}

impl Core {
    /// The tape that holds a content already, by the vault's own record; rows only say where to look.
    pub(super) fn kept_already(&self, term: &[u8; 32]) -> Result<Option<CustodyId>> {
        for kept in self.queries().by_dedupe(term)? {
            match self.stores.vault.get(&kept.facts.epoch, &kept.custody, kept.facts.slot) {
                Ok(record) if record.dedupe == *term => return Ok(Some(kept.custody)),
                Ok(_) => {}
                // A content whose key is lost is not kept: saving it again is the way to have it back.
                Err(e) if matches!(e.code(), Code::NotFound | Code::VaultDamaged) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(None)
    }
}

//! What was asked for and what was answered; whatever happens, the log must agree with it.

use std::sync::{Arc, Mutex, MutexGuard};

use immutape::codec::digest::{CustodyId, Digest, TapeId, sha256};
use immutape::error::Result;
use immutape::evidence::{CustodyReport, Report};
use immutape::ledger::{
    CheckOptions, Filter, FrameSelection, Ledger, ListRequest, Listing, SaveOptions, SaveReceipt, TapeReader, Who,
};
use immutape::log::EntryKind;
use immutape::tape::{Frame, Labels};

use super::content::{Content, SOURCED};
use crate::support::ledgers::ann;

/// A save that was acknowledged.
#[derive(Debug, Clone)]
pub struct Kept {
    pub content: Arc<Content>,
    pub tape: TapeId,
    pub custody: CustodyId,
}

/// An entry that must be in the log.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub kind: EntryKind,
    /// `None` where the call does not tell.
    pub index: Option<u64>,
    pub subject: CustodyId,
}

/// Something asked for and not answered: it may have happened, once.
#[derive(Debug, Clone)]
pub struct Flying {
    ticket: u64,
    pub kinds: Vec<EntryKind>,
    pub content: Option<Arc<Content>>,
}

#[derive(Debug, Clone, Default)]
struct Pages {
    created: bool,
    kept: Vec<Kept>,
    wanted: Vec<Wanted>,
    flying: Vec<Flying>,
    tickets: u64,
}

/// The diary of one ledger's life. Clones write into the same diary.
#[derive(Debug, Clone, Default)]
pub struct Diary(Arc<Mutex<Pages>>);

impl Diary {
    /// As it is now; what is written later goes into this one only.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.pages().clone())))
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap()
    }

    pub fn set_created(&self) {
        self.pages().created = true;
    }

    pub fn was_created(&self) -> bool {
        self.pages().created
    }

    pub fn kept(&self) -> Vec<Kept> {
        self.pages().kept.clone()
    }

    /// Of what is kept, only the first few are read again; all stay in the log.
    pub fn remember_only(&self, count: usize) {
        self.pages().kept.truncate(count);
    }

    /// Was a tape with this custody id acknowledged?
    pub fn was_saved(&self, custody: &CustodyId) -> bool {
        self.pages().wanted.iter().any(|w| w.kind == EntryKind::TAPE_SAVED && w.subject == *custody)
    }

    pub fn wanted(&self) -> Vec<Wanted> {
        self.pages().wanted.clone()
    }

    /// The entry that gave a tape its last labels, as far as anybody was told.
    pub fn labelled(&self, custody: &CustodyId) -> Option<u64> {
        let is_label = |w: &&Wanted| w.kind == EntryKind::LABELLED && w.subject == *custody;
        self.pages().wanted.iter().filter(is_label).filter_map(|w| w.index).max()
    }

    pub fn flying(&self) -> Vec<Flying> {
        self.pages().flying.clone()
    }

    /// Something is asked for.
    pub fn begin(&self, kinds: &[EntryKind]) -> u64 {
        self.fly(kinds, None)
    }

    fn fly(&self, kinds: &[EntryKind], content: Option<Arc<Content>>) -> u64 {
        let mut pages = self.pages();
        pages.tickets += 1;
        let ticket = pages.tickets;
        pages.flying.push(Flying { ticket, kinds: kinds.to_vec(), content });
        ticket
    }

    /// It was answered, and this entry must be there.
    pub fn answered(&self, ticket: u64, kind: EntryKind, index: Option<u64>, subject: CustodyId) {
        let mut pages = self.pages();
        pages.flying.retain(|flying| flying.ticket != ticket);
        pages.wanted.push(Wanted { kind, index, subject });
    }

    fn saved(&self, ticket: u64, content: &Arc<Content>, receipt: &SaveReceipt) {
        let kind = if receipt.already_kept { EntryKind::TAPE_SAVED_AGAIN } else { EntryKind::TAPE_SAVED };
        self.answered(ticket, kind, Some(receipt.entry), receipt.custody);
        let kept = Kept { content: content.clone(), tape: receipt.tape, custody: receipt.custody };
        self.pages().kept.push(kept);
    }

    /// Calls on `ledger` that are written down here.
    pub fn with<'a>(&'a self, ledger: &'a Ledger) -> Hand<'a> {
        Hand { ledger, diary: self, who: ann() }
    }
}

/// What was to be kept with its source has it, byte for byte.
fn check_source(reader: &TapeReader) -> Result<()> {
    let of = reader.header().provenance.clone().unwrap_or_default();
    let is_sourced = of.format.as_deref() == Some(SOURCED);
    assert_eq!(reader.source_bytes().is_some(), is_sourced, "the source of {:?}", reader.tape());
    if is_sourced {
        let mut source = Vec::new();
        reader.source(&mut |piece| {
            source.extend_from_slice(piece);
            Ok(())
        })?;
        assert_eq!(Some(Digest::from_bytes(sha256(&source))), of.source_sha256, "the source of {:?}", reader.tape());
    }
    Ok(())
}

/// Somebody at work, with a diary.
pub struct Hand<'a> {
    pub ledger: &'a Ledger,
    diary: &'a Diary,
    pub who: Who,
}

impl Hand<'_> {
    pub async fn save(&self, content: &Arc<Content>) -> Result<SaveReceipt> {
        let kinds = [EntryKind::TAPE_SAVED, EntryKind::TAPE_SAVED_AGAIN];
        let ticket = self.diary.fly(&kinds, Some(content.clone()));
        let options = SaveOptions::default().class(content.class.clone());
        let mut saver = self.ledger.begin_save(&self.who, options).await?;
        for frame in &content.frames {
            saver.frame(frame)?;
        }
        let mut source = content.source.as_deref();
        let source = source.as_mut().map(|bytes| bytes as &mut (dyn std::io::Read + Send));
        let receipt = saver.finish_with(content.header.clone(), source).await?;
        self.diary.saved(ticket, content, &receipt);
        Ok(receipt)
    }

    pub async fn list(&self) -> Result<Vec<Listing>> {
        let ticket = self.diary.begin(&[EntryKind::LISTED]);
        let (lines, entry) = self.ledger.list(&self.who).await?;
        self.diary.answered(ticket, EntryKind::LISTED, Some(entry), CustodyId::LEDGER);
        Ok(lines)
    }

    /// A reader, whose grant must be in the log from now on.
    pub async fn open_tape(&self, tape: &TapeId) -> Result<TapeReader> {
        let ticket = self.diary.begin(&[EntryKind::ACCESS_GRANTED]);
        let reader = self.ledger.open_tape(&self.who, &tape.to_hex(), None).await?;
        self.diary.answered(ticket, EntryKind::ACCESS_GRANTED, Some(reader.grant_index()), reader.custody());
        Ok(reader)
    }

    /// Gives a tape a new name.
    pub async fn label(&self, kept: &Kept, name: &str) -> Result<()> {
        let ticket = self.diary.begin(&[EntryKind::LABELLED]);
        let labels = Labels { name: Some(name.into()), ..Labels::default() };
        let entry = self.ledger.label(&self.who, &kept.tape.to_hex(), &labels, None).await?;
        self.diary.answered(ticket, EntryKind::LABELLED, Some(entry), kept.custody);
        Ok(())
    }

    /// Searches, with a page of everything that passes; how many there are.
    pub async fn search(&self, filter: Filter) -> Result<usize> {
        let ticket = self.diary.begin(&[EntryKind::SEARCHED]);
        let page = self.ledger.search(&self.who, ListRequest::new(filter)).await?;
        self.diary.answered(ticket, EntryKind::SEARCHED, Some(page.entry), CustodyId::LEDGER);
        Ok(page.tapes.len())
    }

    /// Reads a tape whole, its source as well, and says how much was read.
    pub async fn read(&self, tape: &TapeId) -> Result<Vec<Frame>> {
        let reader = self.open_tape(tape).await?;
        let custody = reader.custody();
        let ticket = self.diary.begin(&[EntryKind::ACCESS_COMPLETED]);
        let frames = reader.collect(FrameSelection::All)?;
        check_source(&reader)?;
        let entry = reader.finish().await?;
        self.diary.answered(ticket, EntryKind::ACCESS_COMPLETED, Some(entry), custody);
        Ok(frames)
    }

    /// Reads and goes away without a word.
    pub async fn read_and_leave(&self, tape: &TapeId) -> Result<Vec<Frame>> {
        let reader = self.open_tape(tape).await?;
        self.diary.begin(&[EntryKind::ACCESS_COMPLETED]);
        reader.collect(FrameSelection::All)
    }

    /// Asks for a tape to be deleted; the refusal is what is wanted, any other error comes back.
    pub async fn delete(&self, kept: &Kept) -> Result<()> {
        let ticket = self.diary.begin(&[EntryKind::REFUSED]);
        let refused = match self.ledger.delete(&self.who, &kept.tape.to_hex()).await {
            Err(refused) => refused,
            Ok(never) => match never {},
        };
        if refused.code() != immutape::Code::DisposalRequired {
            return Err(refused);
        }
        self.diary.answered(ticket, EntryKind::REFUSED, None, kept.custody);
        Ok(())
    }

    pub async fn custody(&self, kept: &Kept) -> Result<CustodyReport> {
        let ticket = self.diary.begin(&[EntryKind::CUSTODY_READ]);
        let (report, entry) = self.ledger.custody(&self.who, &kept.tape.to_hex()).await?;
        self.diary.answered(ticket, EntryKind::CUSTODY_READ, Some(entry), kept.custody);
        Ok(report)
    }

    pub async fn read_log(&self) -> Result<()> {
        let ticket = self.diary.begin(&[EntryKind::LOG_READ]);
        let (_, entry) = self.ledger.log(&self.who, 0..u64::MAX).await?;
        self.diary.answered(ticket, EntryKind::LOG_READ, Some(entry), CustodyId::LEDGER);
        Ok(())
    }

    pub async fn verify(&self) -> Result<Report> {
        let ticket = self.diary.begin(&[EntryKind::VERIFIED]);
        let (report, recorded) = self.ledger.verify(&self.who, CheckOptions::default()).await?;
        self.diary.answered(ticket, EntryKind::VERIFIED, Some(recorded?), CustodyId::LEDGER);
        Ok(report)
    }
}

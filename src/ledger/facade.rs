//! The async face of a ledger.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::check::{CheckMade, CheckOptions, CheckSubject, Checker};
use super::core::{Core, died};
use super::create::NewLedger;
use super::list::Listing;
use super::log_read::LogLine;
use super::metadata::TapeMetadata;
use super::open::Wanted;
use super::read::{FrameSelection, TapeReader};
use super::repair::{Mended, Repair, RepairDone};
use super::save::{SaveOptions, TapeSaver};
use super::search::{ListPage, ListRequest, query_text};
use super::status::{ClassCount, Status};
use super::{Environment, Places, Who, acts, create, open, repair};
use crate::codec::digest::{CustodyId, LedgerId};
use crate::error::{Code, Error, Result};
use crate::evidence::{CustodyReport, Report};
use crate::governance::{Action, Decision};
use crate::tape::Labels;

/// An open ledger. Cheap to clone; [`Ledger::close`] ends it in order, dropping every clone without it
/// leaves an "unclean stop" for the next start to record.
///
/// Calls wait for the writer's thread without blocking the executor, but touch the disk on the
/// caller's thread where their documentation says so.
#[derive(Clone)]
pub struct Ledger {
    core: Arc<Core>,
    alive: tokio::sync::mpsc::Sender<super::writer::Request>,
    thread: Arc<Mutex<Option<std::thread::JoinHandle<()>>>>,
}

impl Ledger {
    /// Makes a new ledger and opens it. `name` stands in every checkpoint; `test` marks the ledger and
    /// all its output TEST. Of several that make one in the same folder at the same time one does, and the others are told that
    /// there is one.
    ///
    /// # Errors
    /// `E_LEDGER_EXISTS`, `E_LEDGER_MISSING`, `E_LOCKED`, `E_NO_HOME`, `E_USAGE`, `E_NO_RANDOM`, `E_IO`, `E_STORE_FULL`.
    pub async fn create(places: Places, env: Environment, name: &str, test: bool) -> Result<Self> {
        Self::create_with(places, env, NewLedger { name: name.to_owned(), test, ..NewLedger::default() }).await
    }

    /// As [`Ledger::create`], of a profile that asks for people, with those who are there from the beginning.
    ///
    /// # Errors
    /// As [`Ledger::create`]; `E_ROLE_CONFLICT`, `E_SECOND_PERSON` for founders of whom no two could enrol somebody.
    pub async fn create_with(places: Places, env: Environment, new: NewLedger) -> Result<Self> {
        blocking(move || {
            create::create(&places, &env, new)?;
            open::open(&places, &env, Wanted::default())
        })
        .await
        .map(Self::from_parts)
    }

    /// Opens a ledger for writing. Waits up to five seconds for another process to be done. Recordings whose recorder is gone
    /// stay where they are: [`crate::capture::recover`] seals them.
    ///
    /// # Errors
    /// `E_NO_LEDGER`, `E_LEDGER_MISSING`, `E_LOCKED`, the key and vault errors (`E_KEY_MISSING`,
    /// `E_KEY_UNREADABLE`, `E_KEY_MALFORMED`, `E_KEY_FOREIGN`, `E_VAULT_MISSING`, `E_VAULT_ROLLBACK`,
    /// `E_VAULT_DAMAGED`), and what the comparison of journal, head and rows finds (`E_HEAD_MISSING`,
    /// `E_HEAD_INVALID`, `E_HEAD_STALE`, `E_LOG_ROLLBACK`, `E_LOG_FORK`, `E_LOG_DAMAGED`,
    /// `E_CRITICAL_UNKNOWN`, `E_NEWER_FORMAT`). Nothing was read or changed then, but for a torn tail set aside.
    pub async fn open(places: Places, env: Environment) -> Result<Self> {
        blocking(move || open::open(&places, &env, Wanted::default())).await.map(Self::from_parts)
    }

    pub(super) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(super) fn from_parts(opened: open::Opened) -> Self {
        let open::Opened { core, alive, thread, .. } = opened;
        Self { core, alive, thread: Arc::new(Mutex::new(Some(thread))) }
    }

    /// Mends the log or its head file, or takes a vault as it is; see [`Repair`]. The ledger must not be open anywhere; waits
    /// up to five seconds for another process to be done.
    ///
    /// # Errors
    /// As [`Ledger::open`]; `E_LOG_DAMAGED` when neither copy reaches the signed head (nothing is changed then).
    pub async fn repair(places: Places, env: Environment, what: Repair, who: &Who) -> Result<RepairDone> {
        let (asks, at, with) = (who.clone(), places.clone(), env.clone());
        let mended = blocking(move || repair::repair(&at, &with, what, &asks)).await;
        let mended = match mended {
            Err(e) if e.code() == Code::NotPermitted => {
                return Err(Self::record_denied_repair(places, env, who, e).await);
            }
            other => other?,
        };
        Self::tell_mended(places, env, who, mended, what).await
    }

    /// Brings the end of a log back from a copy of its ledger folder, with the objects that it lacks: where neither journal nor
    /// sled reaches the signed head any more. `held` is a head that somebody else holds, which the copy must have, too. The copy is only
    /// read. What stood in the journal's place goes to `quarantine/`.
    ///
    /// # Errors
    /// `E_USAGE` for a folder that is no copy of this ledger; `E_LOG_ROLLBACK`, `E_LOG_FORK`, `E_LOG_DAMAGED` for a copy that does not reach the
    /// signed head, contradicts it, or does not hold (nothing is changed then); as [`Ledger::repair`].
    pub async fn repair_from(
        places: Places,
        env: Environment,
        copy: &std::path::Path,
        held: Option<String>,
        who: &Who,
    ) -> Result<RepairDone> {
        let (asks, at, with, copy) = (who.clone(), places.clone(), env.clone(), copy.to_owned());
        let mended = blocking(move || repair::from_copy(&at, &with, (&copy, held.as_deref()), &asks)).await;
        let mended = match mended {
            Err(e) if e.code() == Code::NotPermitted => {
                return Err(Self::record_denied_repair(places, env, who, e).await);
            }
            other => other?,
        };
        Self::tell_mended(places, env, who, mended, Repair::Log).await
    }

    /// Opens what was mended, and records it.
    async fn tell_mended(
        places: Places,
        env: Environment,
        who: &Who,
        mended: Mended,
        what: Repair,
    ) -> Result<RepairDone> {
        let Mended { done, entries, rebuild_rows } = mended;
        if done == RepairDone::Nothing {
            return Ok(done);
        }
        // A head that was made anew is told of even where the vault keeps the next opening out.
        let vault_as_it_is = matches!(what, Repair::AcceptHead | Repair::AcceptVault);
        let wanted = Wanted { rebuild_rows, vault_as_it_is };
        let opened = blocking(move || open::open(&places, &env, wanted)).await?;
        let lost = opened.lost.clone();
        let ledger = Self::from_parts(opened);
        let draft = |body| ledger.core.draft(&acts::Act::about_ledger(who, body), |_| {});
        let drafts = entries.into_iter().map(draft).collect::<Result<Vec<_>>>()?;
        // Rows built anew have no entry of their own: the start has told of them.
        if !drafts.is_empty() {
            ledger.core.append(drafts).await?;
        }
        let done = if what == Repair::AcceptVault { ledger.core.accept_vault(who, &lost).await? } else { done };
        ledger.close().await?;
        Ok(done)
    }

    /// The refusal, recorded if the ledger can be opened at all.
    async fn record_denied_repair(places: Places, env: Environment, who: &Who, refused: Error) -> Error {
        let opened = blocking(move || open::open(&places, &env, Wanted::default())).await.map(Self::from_parts);
        if let Ok(ledger) = opened {
            let _the_same_refusal = ledger.core.permit(who, Action::Repair, None).await;
            let _recorded_or_not = ledger.close().await;
        }
        refused
    }

    /// Begins a tape; frames are added to the saver, which commits it.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED` (recorded), `E_USAGE` for an impossible class or namespace, `E_NO_RANDOM`; of a tape to be amended
    /// `E_BAD_ID`, `E_NOT_FOUND`, `E_AMBIGUOUS_ID` (recorded).
    pub async fn begin_save(&self, who: &Who, options: SaveOptions) -> Result<TapeSaver> {
        self.core.refuse_if_broken()?;
        let amended = match &options.amends {
            None => {
                self.core.permit(who, Action::Save, None).await?;
                None
            }
            Some(amends) => {
                super::label::checked_words(Some(&amends.reason))?;
                Some(self.core.look_up(who, Action::Save, &amends.tape).await?)
            }
        };
        TapeSaver::new(self.core.clone(), self.alive.clone(), who.clone(), options, amended)
    }

    /// Opens a tape for reading by its id or a prefix of at least four digits. `range` is the first and the last frame
    /// that will be read, for the record; the reader gives no others. The access entry is durable before this returns.
    ///
    /// # Errors
    /// `E_BAD_ID`, `E_NOT_FOUND`, `E_AMBIGUOUS_ID`, `E_NOT_PERMITTED` (these three recorded), `E_USAGE`, `E_STORE_FULL`, `E_BROKEN`,
    /// `E_TAPE_DAMAGED`, `E_VAULT_DAMAGED`, `E_ROWS_UNAVAILABLE`.
    pub async fn open_tape(&self, who: &Who, id: &str, range: Option<(u64, u64)>) -> Result<TapeReader> {
        self.core.refuse_if_broken()?;
        TapeReader::open(self.core.clone(), who.clone(), id, range).await
    }

    /// What the header of a tape says, and no frame of it. The entry that records it is durable before the header is opened.
    ///
    /// # Errors
    /// As [`Ledger::open_tape`].
    pub async fn metadata(&self, who: &Who, id: &str) -> Result<TapeMetadata> {
        self.core.refuse_if_broken()?;
        self.core.metadata(who, id).await
    }

    /// Lists every tape, oldest first; also the index of the entry that records it, durable before any line is opened.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED` (recorded), `E_ROWS_UNAVAILABLE`, `E_STORE_FULL`, `E_BROKEN`.
    pub async fn list(&self, who: &Who) -> Result<(Vec<Listing>, u64)> {
        let page = self.list_page(who, ListRequest::default()).await?;
        Ok((page.tapes, page.entry))
    }

    /// Lists the tapes that pass a filter, in the order in which they were saved, page by page. The set of each page is committed
    /// in an entry, which is durable before this returns.
    ///
    /// # Errors
    /// As [`Ledger::list`]; `E_USAGE` for a cursor that this log cannot have given.
    pub async fn list_page(&self, who: &Who, request: ListRequest) -> Result<ListPage> {
        self.find(who, Action::List, request).await
    }

    /// As [`Ledger::list_page`], recorded as a search.
    ///
    /// # Errors
    /// As [`Ledger::list_page`].
    pub async fn search(&self, who: &Who, request: ListRequest) -> Result<ListPage> {
        self.find(who, Action::Search, request).await
    }

    async fn find(&self, who: &Who, action: Action, request: ListRequest) -> Result<ListPage> {
        self.core.refuse_if_broken()?;
        self.core.permit(who, action, None).await?;
        let (core, request) = (self.core.clone(), std::sync::Arc::new(request));
        let asked = request.clone();
        let found = blocking(move || core.find(&asked)).await?;
        self.core.tell(who, action, query_text(&request), found).await
    }

    /// Gives a tape labels in place of those it has, with the words of who does so; the index of the entry. The header stays
    /// as it was sealed: lists and searches go by the newest labels.
    ///
    /// # Errors
    /// As [`Ledger::open_tape`]; `E_LIMIT` for labels or words that are too long.
    pub async fn label(&self, who: &Who, id: &str, labels: &Labels, reason: Option<&str>) -> Result<u64> {
        self.core.refuse_if_broken()?;
        self.core.label(who, id, labels, reason).await
    }

    /// Entries of a range of the log; also the index of the entry that records the reading.
    ///
    /// # Errors
    /// As [`Ledger::list`]; `E_LOG_DAMAGED`.
    pub async fn log(&self, who: &Who, range: Range<u64>) -> Result<(Vec<LogLine>, u64)> {
        self.core.refuse_if_broken()?;
        self.core.read_log(who, range).await
    }

    /// The custody of a tape; also the index of the entry that records the asking.
    ///
    /// # Errors
    /// As [`Ledger::open_tape`]; `E_LOG_DAMAGED`.
    pub async fn custody(&self, who: &Who, id: &str) -> Result<(CustodyReport, u64)> {
        self.core.refuse_if_broken()?;
        self.core.custody(who, id).await
    }

    /// Checks the ledger or one tape and records that it was checked. A damaged ledger still answers: the
    /// second part is the index of the entry, or the error that kept the check from being recorded.
    ///
    /// # Errors
    /// `E_BAD_ID`; `E_NOT_PERMITTED`, `E_NOT_FOUND`, `E_AMBIGUOUS_ID` (recorded), or what kept them from being recorded.
    pub async fn verify(&self, who: &Who, mut options: CheckOptions) -> Result<(Report, Result<u64>)> {
        let subject = self.begin_check(who, options.tape.as_deref()).await?;
        options.tape = subject.tape.map(|tape| tape.to_hex());
        let core = self.core.clone();
        let report = blocking(move || {
            let (asked_at, _) = core.progress.durable();
            let checker = Checker::of(&core)?;
            // The head may be newer than the question: what it names is durable, and the walk must come as far. A head
            // that names more than is durable even now is a rollback, and none to wait for.
            let signed = checker.head_size().unwrap_or(0).min(core.progress.durable().0);
            let size = asked_at.max(signed);
            // Rows that stay behind are a finding.
            let _told_by_the_check = core.progress.wait_for_rows(size);
            options.size = Some(size);
            Ok(checker.run(&options))
        })
        .await?;
        let recorded = self.record_check(who, CheckMade::new(subject, &report)).await;
        Ok((report, recorded))
    }

    /// The first part of [`Ledger::verify`], for who checks with [`Checker::open`] while others may write: asks the policy,
    /// and finds the tape if the check is of one. Nothing is recorded yet but a refusal.
    ///
    /// # Errors
    /// As [`Ledger::verify`].
    pub async fn begin_check(&self, who: &Who, tape: Option<&str>) -> Result<CheckSubject> {
        let Some(id) = tape else {
            self.core.permit(who, Action::Verify, None).await?;
            let (custody, class) = (CustodyId::LEDGER, acts::LEDGER_CLASS.to_owned());
            return Ok(CheckSubject { ledger: self.id(), custody, class, tape: None });
        };
        let found = self.core.look_up(who, Action::Verify, id).await?;
        let tape = Some(found.facts.tape);
        Ok(CheckSubject { ledger: self.id(), custody: found.custody, class: found.class, tape })
    }

    /// The last part of [`Ledger::verify`]: the index of the entry that says what was checked, and what came of it.
    ///
    /// # Errors
    /// `E_USAGE` when another ledger was checked; `E_STORE_FULL`, `E_AUDIT_UNAVAILABLE`, `E_BROKEN`, `E_NO_RANDOM`.
    pub async fn record_check(&self, who: &Who, made: CheckMade) -> Result<u64> {
        self.core.record_check(who, made).await
    }

    /// Asks to remove a live tape. Never succeeds: it records the refusal and names the way.
    ///
    /// # Errors
    /// Always: `E_DISPOSAL_REQUIRED`, `E_NOT_FOUND`, `E_AMBIGUOUS_ID`, `E_NOT_PERMITTED`, or what kept these from being
    /// recorded; `E_BAD_ID`.
    pub async fn delete(&self, who: &Who, id: &str) -> Result<std::convert::Infallible> {
        self.core.refuse_if_broken()?;
        let found = self.core.look_up(who, Action::Delete, id).await?;
        match self.core.decide(who, Action::Delete) {
            Decision::Refused(code) => {
                let (draft, error) =
                    self.core.refusal(who, Action::Delete, (found.custody, &found.class), None, code)?;
                self.core.append_refusal(draft).await?;
                self.core.env.observer.event(super::Event::Refused);
                Err(error)
            }
            Decision::Granted => Err(Error::new(Code::DisposalRequired, "no policy grants this")),
        }
    }

    /// The state of the ledger, limits included. Releases no content and is not recorded.
    ///
    /// # Errors
    /// `E_BROKEN`.
    pub fn status(&self) -> Result<Status> {
        self.core.status()
    }

    /// How many tapes of which class are kept. Opens no tape, releases no name, and is not recorded.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`, `E_VAULT_DAMAGED`.
    pub fn classes(&self) -> Result<Vec<ClassCount>> {
        self.core.classes()
    }

    /// Who this ledger is.
    #[must_use]
    pub fn id(&self) -> LedgerId {
        self.core.identity.ledger
    }

    /// Entries that are durable now.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.core.progress.durable().0
    }

    /// Waits until every query row has taken in what is durable now.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`.
    pub async fn settle(&self) -> Result<()> {
        let core = self.core.clone();
        blocking(move || core.settled_queries().map(|_| ())).await
    }

    /// Appends an empty act and waits until it is durable: the cost of one entry, for benchmarks.
    ///
    /// # Errors
    /// As [`Ledger::list`].
    #[cfg(feature = "conformance")]
    pub async fn note_log_read(&self, who: &Who) -> Result<u64> {
        self.core.permit(who, Action::ReadLog, None).await?;
        let body = crate::log::Body::LogRead { first: 0, last: 0 };
        let draft = self.core.draft(&acts::Act::about_ledger(who, body), |_| {})?;
        Ok(self.core.append(vec![draft]).await?.first().map_or(0, |p| p.index))
    }

    /// Ends the term in order: last group, rows caught up, head file closed. Other clones answer nothing after this.
    ///
    /// # Errors
    /// `E_BROKEN`, `E_STORE_FULL`, `E_IO`.
    pub async fn close(self) -> Result<()> {
        self.close_with(Vec::new()).await
    }

    /// As [`Ledger::close`], with the completions of readers in the last group.
    ///
    /// # Errors
    /// As [`Ledger::close`].
    pub async fn close_with(self, readers: Vec<TapeReader>) -> Result<()> {
        let drafts = readers.into_iter().map(TapeReader::into_completion).collect::<Result<Vec<_>>>()?;
        self.core.close(drafts).await?;
        self.ended().await
    }

    /// Waits until the writer's thread is gone.
    pub(super) async fn ended(&self) -> Result<()> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return Ok(()) };
        blocking(move || thread.join().map_err(|_| died())).await
    }
}

/// Runs what touches the disk for long away from the executor.
pub(super) async fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(f).await.map_err(|_| died())?
}

/// Reading everything is the common case.
impl Default for FrameSelection {
    fn default() -> Self {
        Self::All
    }
}

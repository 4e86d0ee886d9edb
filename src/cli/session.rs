//! One command's hold on a ledger: opened, used, closed in order whatever happened between.

use super::args::Common;
use super::asked::quoted;
use super::configuration::Configuration;
use super::out::Out;
use super::{surroundings, words};
use crate::capture::{Recovered, recover};
use crate::error::{Code, Error, Result};
use crate::ledger::{Environment, Ledger, NewLedger, Places, TapeReader, Who};
use crate::provider::{LedgerParts, Surroundings};

/// How often a patient command tries to have the ledger to itself, five seconds each time.
const TRIES_MAX: u32 = 12;

/// Where, with what, and by whom; before anything is opened.
#[derive(Clone)]
pub(super) struct Parts {
    pub places: Places,
    pub env: Environment,
    pub who: Who,
    /// Flags that a command about the same ledger, by the same person, needs again.
    pub again: Vec<String>,
    /// What said all that.
    pub config: Configuration,
    /// Make a ledger where there is none?
    create: bool,
    /// Name of a new ledger.
    pub name: String,
    class: String,
    namespace: String,
}

impl Parts {
    /// As flags, environment and configuration files say, whose provider keeps its ledgers in folders.
    ///
    /// # Errors
    /// `E_NO_HOME`, `E_USAGE`, `E_LIMIT`, the key errors of `--key`.
    pub(super) fn find(common: &Common, around: &Surroundings, config: Configuration) -> Result<Self> {
        let (places, env) = (config.places(around)?, surroundings::environment(around));
        let who = surroundings::who(common, around)?;
        let LedgerParts { create, name, class, namespace, .. } =
            LedgerParts::with_places(&config.effective.config(), around, places.clone(), env.engine.clone());
        Ok(Self { places, env, who, again: surroundings::again(common), config, create, name, class, namespace })
    }

    /// A ledger beneath a folder, with nothing configured.
    #[cfg(test)]
    pub(super) fn beneath(folder: &std::path::Path, env: Environment, who: Who) -> Result<Self> {
        let config = Configuration::nothing()?;
        let text = |text: &str| text.to_owned();
        let (class, namespace, name) = (text("draft"), text("default"), text("test"));
        let places = Places::beneath(folder);
        Ok(Self { places, env, who, again: Vec::new(), config, create: true, name, class, namespace })
    }

    /// Class and namespace of what is kept: as the command says, else as the configuration does.
    pub(super) fn class_and_namespace(&self, class: Option<&String>, namespace: Option<&String>) -> (String, String) {
        (class.unwrap_or(&self.class).clone(), namespace.unwrap_or(&self.namespace).clone())
    }
}

/// Everything that a verb works with.
pub(super) struct Session<'a> {
    pub parts: Parts,
    pub out: &'a mut Out,
}

impl<'a> Session<'a> {
    /// Nothing is opened yet.
    pub(super) const fn new(parts: Parts, out: &'a mut Out) -> Self {
        Self { parts, out }
    }

    /// Waits for calls of the library.
    ///
    /// # Errors
    /// `E_IO` when the system gives no means to wait with; those of `act`.
    pub(super) fn wait<T>(&mut self, act: impl AsyncFnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let built = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let no_loop = |e| Error::new(Code::Io, "the program cannot start its waiting loop").with_source(e);
        built.map_err(no_loop)?.block_on(act(self))
    }

    /// Opens the ledger, acts, and closes it. An act that failed is closed in order too.
    ///
    /// # Errors
    /// Those of [`Ledger::open`], of the act, of [`Ledger::close`].
    pub(super) fn with_ledger<T>(&mut self, act: impl AsyncFnOnce(&Ledger, &mut Self) -> Result<T>) -> Result<T> {
        self.reading(async |ledger, s| act(ledger, s).await.map(|done| (done, None)))
    }

    /// As [`Session::with_ledger`], for a ledger that was opened, and told about, before.
    ///
    /// # Errors
    /// As [`Session::with_ledger`].
    pub(super) fn with_ledger_again<T>(&mut self, act: impl AsyncFnOnce(&Ledger, &mut Self) -> Result<T>) -> Result<T> {
        self.wait(async |s| {
            let ledger = s.open().await?;
            let done = act(&ledger, s).await.map(|done| (done, None));
            close(ledger, done).await
        })
    }

    /// As [`Session::with_ledger`]; the completion of the reader that is given back rides in the last group.
    ///
    /// # Errors
    /// As [`Session::with_ledger`].
    pub(super) fn reading<T>(
        &mut self,
        act: impl AsyncFnOnce(&Ledger, &mut Self) -> Result<(T, Option<TapeReader>)>,
    ) -> Result<T> {
        self.wait(async |s| {
            let ledger = s.open().await?;
            s.opened(&ledger)?;
            s.recover_in_passing(&ledger).await;
            let done = act(&ledger, s).await;
            close(ledger, done).await
        })
    }

    /// As [`Session::with_ledger`], for an act that closes the ledger itself.
    ///
    /// # Errors
    /// As [`Session::with_ledger`].
    pub(super) fn ending<T>(&mut self, act: impl AsyncFnOnce(Ledger, &mut Self) -> Result<T>) -> Result<T> {
        self.wait(async |s| {
            let ledger = s.open().await?;
            s.opened(&ledger)?;
            s.recover_in_passing(&ledger).await;
            act(ledger, s).await
        })
    }

    /// Opens the ledger. What cannot be written to cannot record who reads: such a ledger gives nothing out.
    async fn open(&self) -> Result<Ledger> {
        Ledger::open(self.parts.places.clone(), self.parts.env.clone()).await.map_err(|e| {
            if e.code() == Code::NoLedger && !self.parts.again.is_empty() {
                // Word for word what makes one where this command looked.
                let [init, save, record] = ["init", "save FILE", "record -- PROGRAM"].map(|verb| self.command(verb));
                return Error::new(e.code(), e.message().to_owned())
                    .with_hint(format!("make one with `{init}`; the first `{save}` or `{record}` makes one too"));
            }
            if e.code() != Code::Io {
                return e;
            }
            let advice = "look at the folder's owner, its mode and the disk; `immutape verify` checks all the same";
            let hint = e.hint().unwrap_or(advice).to_owned();
            Error::new(Code::AuditUnavailable, "the log of this ledger cannot be written, so nothing is read or saved")
                .with_hint(hint)
                .with_source(e)
        })
    }

    /// Makes a ledger. The folder comes first: where it cannot stand, no keys are made for it.
    pub(super) async fn make(&self, env: Environment, new: NewLedger) -> Result<Ledger> {
        let places = self.parts.places.clone();
        env.files.create_dir_all(&places.ledger).map_err(|e| {
            Error::new(Code::Io, format!("the ledger folder {} cannot be made", places.shown()))
                .with_hint("give a folder that you may write to with -C")
                .with_source(e)
        })?;
        Ledger::create_with(places, env, new).await
    }

    /// Opens the ledger, making one where there is none and nothing says that there was one.
    ///
    /// # Errors
    /// As [`Session::with_ledger`], and those of [`Ledger::create`].
    pub(super) fn with_ledger_or_new<T>(
        &mut self,
        act: impl AsyncFnOnce(&Ledger, &mut Self) -> Result<T>,
    ) -> Result<T> {
        self.wait(async |s| {
            let ledger = s.open_or_make(false, (true, false)).await?;
            let done = act(&ledger, s).await.map(|done| (done, None));
            close(ledger, done).await
        })
    }

    /// A command about the same ledger, by the same person, as it can be typed.
    fn command(&self, verb: &str) -> String {
        let flags: String = self.parts.again.iter().map(|word| format!("{} ", quoted(word))).collect();
        format!("immutape {flags}{verb}")
    }

    /// There is no ledger, and none may be made in passing.
    fn not_to_be_made(&self, e: &Error) -> Error {
        let from = self.parts.config.from("create");
        Error::new(e.code(), format!("{}, and create = false ({from})", e.message()))
            .with_hint(format!("make one with `{}`", self.command("init")))
    }

    /// A file that merely lies where one stands has said where what is kept goes to.
    fn tell_place(&mut self, opened: Ledger) -> Ledger {
        if let Some(told) = self.parts.config.said_by_files(true) {
            self.out.say(&format!("Keeping in {}, named by {told}.", self.parts.places.shown()));
        }
        opened
    }

    /// Opens the ledger, or makes one where there is none; `is_told` says whether people hear of it. Who is patient waits for
    /// other processes up to a minute: a session that a program begins cannot be begun again by hand.
    ///
    /// # Errors
    /// As [`Session::with_ledger_or_new`].
    pub(super) async fn open_or_make(&mut self, is_test: bool, (is_told, is_patient): (bool, bool)) -> Result<Ledger> {
        let tries = if is_patient { TRIES_MAX } else { 1 };
        let (ledger, is_made) = patiently(tries, async || self.open_or_make_once(is_test).await).await?;
        let ledger = match (is_told, is_made) {
            (true, false) => self.tell_place(ledger),
            (true, true) if !is_test => {
                self.tell_made(&ledger)?;
                ledger
            }
            _ => ledger,
        };
        if is_told {
            self.opened(&ledger)?;
        }
        self.recover_in_passing(&ledger).await;
        Ok(ledger)
    }

    /// The ledger, and whether it was made for this. Of several that come first one makes it, and the others open that one.
    async fn open_or_make_once(&self, is_test: bool) -> Result<(Ledger, bool)> {
        match self.open().await {
            Err(e) if e.code() == Code::NoLedger && self.parts.create => {}
            Err(e) if e.code() == Code::NoLedger => return Err(self.not_to_be_made(&e)),
            opened => return opened.map(|ledger| (ledger, false)),
        }
        let new = NewLedger { name: self.parts.name.clone(), test: is_test, ..NewLedger::default() };
        match self.make(self.parts.env.clone(), new).await {
            Err(e) if e.code() == Code::LedgerExists => match self.open().await {
                // It is not one that somebody made meanwhile.
                Err(none) if none.code() == Code::NoLedger => Err(e),
                opened => opened.map(|ledger| (ledger, false)),
            },
            made => made.map(|ledger| (ledger, true)),
        }
    }

    /// Seals what recorders left that are gone, and says so. What cannot be sealed keeps nobody from anything: it stays where
    /// it is, and checks tell of it.
    ///
    /// # Errors
    /// As [`recover`], for who came for this alone; told already.
    pub(super) async fn recover(&mut self, ledger: &Ledger) -> Result<Vec<Recovered>> {
        let found = recover(ledger, &self.parts.who).await;
        match &found {
            Ok(found) => found.iter().for_each(|one| self.tell_recovered(one)),
            Err(e) => self.out.say(&format!("note: recordings could not be looked for: {}", e.message())),
        }
        found
    }

    /// As [`Session::recover`], where whoever came for something else may record: nobody is refused what was not asked for.
    async fn recover_in_passing(&mut self, ledger: &Ledger) {
        if ledger.may_record(&self.parts.who) {
            let _told = self.recover(ledger).await;
        }
    }

    /// As [`Session::recover`], for verbs that do not keep the ledger open: other processes are waited for up to a minute.
    ///
    /// # Errors
    /// As [`Session::with_ledger`]; what came of the looking is what is given back.
    pub(super) async fn seal_abandoned(&mut self) -> Result<Result<Vec<Recovered>>> {
        let ledger = patiently(TRIES_MAX, async || self.open().await).await?;
        self.opened(&ledger)?;
        let found = self.recover(&ledger).await;
        ledger.close().await.map(|()| found)
    }

    fn tell_recovered(&mut self, one: &Recovered) {
        let words = match one {
            Recovered::Sealed { name, receipt, is_cut_off, .. } => {
                let name = words::name(name.as_deref());
                let how = if *is_cut_off { "cut off" } else { "ended" };
                let (frames, tape) = (words::count(receipt.frames, "frame"), receipt.tape.to_text());
                format!("A recording whose recorder is gone ({name}, {how}, {frames}) was sealed as {tape}.")
            }
            Recovered::PutAside { place, .. } => {
                format!("A spool that is not what the log says was put aside: {place}. `immutape verify` says more.")
            }
            Recovered::Failed { custody, error, .. } => {
                let id = words::short(&custody.to_hex()).to_owned();
                format!("The recording {id} could not be sealed and stays in the spool: {}", error.message())
            }
        };
        self.out.say(&words);
    }

    /// Everything that is printed about a ledger marked TEST says so.
    pub(super) fn opened(&mut self, ledger: &Ledger) -> Result<()> {
        self.out.test = ledger.status()?.is_test;
        if self.out.test {
            self.out.say("TEST ledger: its keys come from a number and protect nothing.");
        }
        Ok(())
    }

    /// Where a new ledger is, and what its owner has to do.
    pub(super) fn tell_made(&mut self, ledger: &Ledger) -> Result<()> {
        let status = ledger.status()?;
        self.out.say(&format!("Made a new ledger in {}", status.ledger_folder));
        self.out.say(&format!("  keys   {} (readable by you alone)", status.config_folder));
        self.out.say(&format!("  state  {}", status.state_folder));
        if let Some(told) = self.parts.config.said_by_files(false) {
            self.out.say(&format!("  Named by {told}."));
        }
        self.out.say("Back up the keys folder now, apart from the other two: without it nothing kept can be read.");
        Ok(())
    }
}

/// Tries again while another process has the ledger, so many times in all.
async fn patiently<T>(tries: u32, mut act: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    for _ in 1..tries {
        match act().await {
            Err(e) if e.code() == Code::Locked => {}
            done => return done,
        }
    }
    act().await
}

/// Closes in order; of two errors the first says more.
pub(super) async fn close<T>(ledger: Ledger, done: Result<(T, Option<TapeReader>)>) -> Result<T> {
    match done {
        Ok((value, reader)) => ledger.close_with(reader.into_iter().collect()).await.map(|()| value),
        Err(e) => {
            let _told_already = ledger.close().await;
            Err(e)
        }
    }
}

//! The storage API over a ledger, once for every provider.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::RwLock;

use super::backend::{Capabilities, Tape, TapeStorageBackend};
use super::embedded::DEFAULT_NAME;
use super::entry::TapeIndexEntry;
use super::ledger_streams::{LedgerAppender, LedgerStream, LiveAppender};
use super::query::{Page, Query};
use super::stats::StorageStats;
use super::streaming::{FrameRange, FrameStream, StreamingBackend, TapeAppender};
use super::surroundings::Surroundings;
use crate::capture::recover;
use crate::codec::digest::TapeId;
use crate::error::{Code, Error, Result};
use crate::governance::Schedule;
use crate::ledger::{
    Cursor, Environment, FrameSelection, Ledger, ListPage, ListRequest, Places, SaveOptions, TapeSaver, Who,
};
use crate::store::Engine;
use crate::tape::Header;

/// What a backend over a ledger is made of.
#[derive(Clone)]
#[non_exhaustive]
pub struct LedgerParts {
    /// Its folders.
    pub places: Places,
    /// What it is opened with; the engine says where the bytes lie.
    pub environment: Environment,
    /// Who stands behind every call.
    pub who: Who,
    /// Make a ledger where there is none?
    pub create: bool,
    /// Name of a new ledger.
    pub name: String,
    /// Retention class of tapes that name none.
    pub class: String,
    /// Namespace of tapes that name none.
    pub namespace: String,
}

impl LedgerParts {
    /// As the settings `path`, `state_path`, `keys_path`, `create`, `name`, `class` and `namespace` say, where they are there.
    ///
    /// # Errors
    /// As [`Surroundings::places`].
    pub fn from_config(config: &Value, around: &Surroundings, engine: Arc<dyn Engine>) -> Result<Self> {
        let path = |key: &str| config.get(key).and_then(Value::as_str).map(Path::new);
        let places = around.places(path("path"), path("state_path"), path("keys_path"))?;
        Ok(Self::with_places(config, around, places, engine))
    }

    /// As [`LedgerParts::from_config`], in folders that are not for the settings to say.
    #[must_use]
    pub fn with_places(config: &Value, around: &Surroundings, places: Places, engine: Arc<dyn Engine>) -> Self {
        let text = |key: &str, default: &str| config.get(key).and_then(Value::as_str).unwrap_or(default).to_owned();
        Self {
            places,
            environment: around.environment(engine),
            who: around.who.clone(),
            create: config.get("create").and_then(Value::as_bool).unwrap_or(true),
            name: text("name", DEFAULT_NAME),
            class: text("class", Schedule::DEFAULT_CLASS),
            namespace: text("namespace", "default"),
        }
    }
}

/// A ledger as a storage backend. It is opened by the first call that needs it.
pub struct LedgerBackend {
    parts: LedgerParts,
    promises: Capabilities,
    state: RwLock<State>,
}

/// How far things have come.
enum State {
    Unopened,
    Open(Ledger),
    Closed,
}

impl std::fmt::Debug for LedgerBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerBackend").field("places", &self.parts.places).finish_non_exhaustive()
    }
}

impl LedgerBackend {
    /// Nothing is opened yet. `promises` says whether the engine is durable; a ledger streams and records access always, and on
    /// a durable engine a recording outlives its recorder: the recorder is the one of [`crate::capture`].
    #[must_use]
    pub fn new(parts: LedgerParts, promises: Capabilities) -> Self {
        let promises = promises.streaming(true).recording_access(true).recording_live(promises.is_durable);
        Self { parts, promises, state: RwLock::new(State::Unopened) }
    }

    /// The ledger, for what the storage API has no words for: checks, custody, labels. To be let go of before
    /// [`TapeStorageBackend::close`], or nobody else can open it.
    ///
    /// # Errors
    /// As [`Ledger::open`] and [`Ledger::create`]; `E_BROKEN` once it was closed.
    pub async fn ledger(&self) -> Result<Ledger> {
        if let State::Open(ledger) = &*self.state.read().await {
            return Ok(ledger.clone());
        }
        let mut state = self.state.write().await;
        match &*state {
            State::Open(ledger) => Ok(ledger.clone()),
            State::Closed => Err(Error::new(Code::Broken, "this storage backend was closed").with_hint("make another")),
            State::Unopened => {
                let ledger = self.open().await?;
                *state = State::Open(ledger.clone());
                Ok(ledger)
            }
        }
    }

    async fn open(&self) -> Result<Ledger> {
        let ledger = self.open_or_make().await?;
        // What a recorder left that is gone. One that cannot be sealed now waits for the next start, and checks tell of it.
        let _found = recover(&ledger, &self.parts.who).await;
        Ok(ledger)
    }

    async fn open_or_make(&self) -> Result<Ledger> {
        let LedgerParts { places, environment, name, create, .. } = &self.parts;
        match Ledger::open(places.clone(), environment.clone()).await {
            Err(e) if e.code() == Code::NoLedger && *create => {
                // The folder comes first: where it cannot stand, no keys are made for it.
                environment.files.create_dir_all(&places.ledger).map_err(|e| {
                    Error::new(Code::Io, format!("the ledger folder {} cannot be made", places.shown()))
                        .with_hint("give a folder that you may write to")
                        .with_source(e)
                })?;
                match Ledger::create(places.clone(), environment.clone(), name, false).await {
                    // Somebody else made it meanwhile.
                    Err(e) if e.code() == Code::LedgerExists => {
                        match Ledger::open(places.clone(), environment.clone()).await {
                            Err(none) if none.code() == Code::NoLedger => Err(e),
                            opened => opened,
                        }
                    }
                    made => made,
                }
            }
            opened => opened,
        }
    }

    fn options(&self, class: &str, namespace: &str) -> SaveOptions {
        let or = |given: &str, none: &str, ours: &String| if given == none { ours.clone() } else { given.to_owned() };
        SaveOptions {
            class: or(class, Schedule::DEFAULT_CLASS, &self.parts.class),
            namespace: or(namespace, "default", &self.parts.namespace),
            amends: None,
        }
    }

    async fn begin(&self, class: &str, namespace: &str) -> Result<TapeSaver> {
        self.ledger().await?.begin_save(&self.parts.who, self.options(class, namespace)).await
    }

    async fn find(&self, query: &Query, is_search: bool) -> Result<Page> {
        let request = ListRequest {
            filter: query.filter.clone(),
            limit: query.limit,
            cursor: query.cursor.as_deref().map(cursor).transpose()?,
        };
        let (ledger, who) = (self.ledger().await?, &self.parts.who);
        let page = if is_search { ledger.search(who, request).await } else { ledger.list_page(who, request).await };
        Ok(shown(&page?))
    }
}

fn cursor(text: &str) -> Result<Cursor> {
    Cursor::parse(text).ok_or_else(|| {
        Error::new(Code::Usage, "this cursor is none that was given here").with_hint("ask again without it")
    })
}

fn shown(page: &ListPage) -> Page {
    let tapes: Vec<_> = page.tapes.iter().filter_map(|t| t.summary.as_ref()).map(TapeIndexEntry::from).collect();
    let unreadable = page.tapes.len().saturating_sub(tapes.len()) as u64;
    Page { tapes, next: page.next.map(Cursor::to_text), undecided: page.undecided.saturating_add(unreadable) }
}

/// Runs what blocks on disk and processor away from the executor.
pub(super) async fn blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let died = |_| Error::new(Code::Broken, "a thread of the storage backend died");
    tokio::task::spawn_blocking(job).await.map_err(died)
}

#[async_trait]
impl TapeStorageBackend for LedgerBackend {
    async fn initialize(&self) -> Result<()> {
        self.ledger().await.map(|_| ())
    }

    async fn save(&self, tape: &Tape) -> Result<TapeId> {
        let Header { class, namespace, .. } = &tape.header;
        let mut appender = LedgerAppender::new(self.begin(class, namespace).await?);
        appender.append(tape.frames.clone()).await?;
        Box::new(appender).finish(tape.header.clone()).await
    }

    async fn load(&self, id: &TapeId) -> Result<Tape> {
        let reader = self.ledger().await?.open_tape(&self.parts.who, &id.to_text(), None).await?;
        let header = reader.header().clone();
        // A tape without frames has no frame to select.
        let (reader, frames) = blocking(move || {
            let frames = reader.collect(FrameSelection::All);
            (reader, frames)
        })
        .await?;
        let frames = frames?;
        reader.finish().await?;
        Ok(Tape { header, frames })
    }

    async fn delete(&self, id: &TapeId) -> Result<()> {
        match self.ledger().await?.delete(&self.parts.who, &id.to_text()).await {
            Err(e) => Err(e),
            Ok(never) => match never {},
        }
    }

    async fn list(&self, query: &Query) -> Result<Page> {
        self.find(query, false).await
    }

    async fn search(&self, query: &Query) -> Result<Page> {
        self.find(query, true).await
    }

    async fn stats(&self) -> Result<StorageStats> {
        // The counts are of what a list shows, and asking for them is on record as one.
        let page = self.find(&Query::all(), false).await?;
        let mut stats = StorageStats::default();
        page.tapes.iter().for_each(|tape| stats.count(tape));
        stats.undecided = page.undecided;
        stats.entries = Some(self.ledger().await?.size());
        Ok(stats)
    }

    async fn exists(&self, id: &TapeId) -> Result<bool> {
        match self.ledger().await?.metadata(&self.parts.who, &id.to_text()).await {
            Ok(_) => Ok(true),
            Err(e) if e.code() == Code::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn capabilities(&self) -> Capabilities {
        self.promises
    }

    fn streaming(&self) -> Option<&dyn StreamingBackend> {
        Some(self)
    }

    async fn close(&self) -> Result<()> {
        match std::mem::replace(&mut *self.state.write().await, State::Closed) {
            State::Open(ledger) => ledger.close().await,
            State::Unopened | State::Closed => Ok(()),
        }
    }
}

#[async_trait]
impl StreamingBackend for LedgerBackend {
    async fn append_frames(&self, class: &str, namespace: &str) -> Result<Box<dyn TapeAppender>> {
        Ok(Box::new(LedgerAppender::new(self.begin(class, namespace).await?)))
    }

    async fn record(&self, header: Header) -> Result<Box<dyn TapeAppender>> {
        let SaveOptions { class, namespace, .. } = self.options(&header.class, &header.namespace);
        let header = Header { class, namespace, ..header };
        let (ledger, clock) = (self.ledger().await?, self.parts.environment.clock.clone());
        Ok(Box::new(LiveAppender::begin(ledger, self.parts.who.clone(), header, clock).await?))
    }

    async fn stream_frames(&self, id: &TapeId, range: FrameRange) -> Result<Box<dyn FrameStream>> {
        let range = match range {
            FrameRange::All => None,
            FrameRange::Seq(first, last) => Some((first, last)),
        };
        let reader = self.ledger().await?.open_tape(&self.parts.who, &id.to_text(), range).await?;
        Ok(Box::new(LedgerStream::new(reader, range)))
    }
}

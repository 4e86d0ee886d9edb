//! Opening a recording, and marking how far it has come.

use std::sync::Arc;

use super::super::acts::Act;
use super::super::core::{Core, died};
use super::super::facade::Ledger;
use super::super::save::checked_keep;
use super::super::writer::Request;
use super::super::{Event, Who};
use super::tape::{LiveMark, LiveTape};
use crate::codec::digest::CustodyId;
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::governance::{Action, Schedule};
use crate::log::{Body, Frontier};
use crate::seal::{TapeSecret, live_key_id};
use crate::tape::{Header, LiveRecord};

/// How a recording is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveOptions {
    /// Retention class.
    pub class: String,
    /// Namespace.
    pub namespace: String,
    /// The recording that this one goes on from.
    pub continues: Option<CustodyId>,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self { class: Schedule::DEFAULT_CLASS.into(), namespace: "default".into(), continues: None }
    }
}

impl LiveOptions {
    /// Of a class and a namespace.
    #[must_use]
    pub fn new(class: &str, namespace: &str) -> Self {
        Self { class: class.into(), namespace: namespace.into(), continues: None }
    }

    /// As a part that goes on from another recording.
    #[must_use]
    pub fn continuing(self, custody: CustodyId) -> Self {
        Self { continues: Some(custody), ..self }
    }
}

impl Ledger {
    /// Opens a recording: its key is durable in the vault, what is known of the session in the spool, and an entry in the log,
    /// in this order, before this returns. A crash on the way leaves a key without a use, or a spool that the next start
    /// removes, since nothing was recorded.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED` (recorded), `E_USAGE` for an impossible class or namespace, `E_LIMIT` for a header that is too long,
    /// `E_NO_RANDOM`, `E_STORE_FULL`, `E_IO`, `E_BROKEN`.
    pub async fn open_live(&self, who: &Who, options: LiveOptions, header: Header) -> Result<LiveTape> {
        self.core().refuse_if_broken()?;
        checked_keep(&options.class, &options.namespace)?;
        self.core().permit(who, Action::Record, None).await?;
        self.core().open_live(who, options, header).await
    }

    /// Writes how far a recording has come to the log; durable on return. The index of the entry.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED` (recorded), `E_STORE_FULL`, `E_BROKEN`.
    pub async fn mark_live(&self, who: &Who, mark: &LiveMark) -> Result<u64> {
        self.core().refuse_if_broken()?;
        self.core().permit(who, Action::Record, None).await?;
        let body = Body::RecordingMark { frames: mark.frames, root: mark.root };
        let draft = self.core().draft(&Act::about_tape(who, mark.custody, &mark.class, body), |_| {})?;
        Ok(self.core().append(vec![draft]).await?.first().ok_or_else(died)?.index)
    }
}

impl Core {
    async fn open_live(&self, who: &Who, options: LiveOptions, header: Header) -> Result<LiveTape> {
        let LiveOptions { class, namespace, continues } = options;
        let custody = CustodyId::from_bytes(bytes(&*self.env.random)?);
        let secret = TapeSecret::generate(&*self.env.random)?;
        let keys = Arc::new(secret.keys());
        let id = live_key_id(&custody);
        let epoch = self.ask(|answer| Request::Key { id, secret: Box::new(secret), answer }).await?;
        let spool = self.stores.spool.clone();
        let taken = || Error::new(Code::Internal, "a new custody id is in use already");
        let hold = spool.hold(&custody)?.ok_or_else(taken)?;
        let mut live = LiveTape {
            custody,
            class: class.clone(),
            namespace: namespace.clone(),
            entry: 0,
            spool: spool.clone(),
            hold,
            random: self.env.random.clone(),
            keys,
            number: 0,
            records: 1,
            tree: Frontier::new(),
            stored_bytes: 0,
        };
        let header = Header { class: class.clone(), namespace: namespace.clone(), ..header };
        let opened = self.begin_spool(&live, header);
        let body = Body::TapeOpened { epoch, continues };
        let entered = match opened {
            Ok(number) => {
                live.number = number;
                let act = Act::about_tape(who, custody, &class, body);
                let draft = self.draft(&act, |p| {
                    p.class = Some(class.clone());
                    p.namespace = Some(namespace);
                })?;
                self.append(vec![draft]).await
            }
            Err(e) => Err(e),
        };
        match entered {
            Ok(placed) => live.entry = placed.first().ok_or_else(died)?.index,
            // Its entry may be in the log: then the spool must be there too. The next start knows.
            Err(e) if matches!(e.code(), Code::Broken | Code::InDoubt) => return Err(e),
            Err(e) => {
                // Nothing was recorded yet.
                let _what_is_left_is_found_by_the_next_start = spool.close(&custody);
                return Err(e);
            }
        }
        self.env.observer.event(Event::Opened);
        Ok(live)
    }

    /// The first piece; how many there are then.
    fn begin_spool(&self, live: &LiveTape, header: Header) -> Result<u64> {
        use crate::seal::seal_live;
        use crate::tape::live_piece;
        let content = live_piece(0, &[LiveRecord::Opened(Box::new(header))])?;
        let sealed = seal_live(&live.keys, bytes(&*self.env.random)?, &live.custody, 0, &content)?;
        let stored = live.spool.append(&live.custody, &sealed).and_then(|()| live.spool.sync(&live.custody));
        self.heed(stored).map(|()| 1)
    }
}

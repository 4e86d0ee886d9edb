//! What the header of a tape says, and no frame of it. An entry of its own, durable before the header is opened.

use std::sync::atomic::Ordering;

use super::Who;
use super::acts::Act;
use super::core::{Core, died};
use super::read::OpenedTape;
use crate::codec::digest::{CustodyId, TapeId};
use crate::error::Result;
use crate::governance::Action;
use crate::log::Body;
use crate::tape::{Header, Labels};

/// The header of a tape, as it was sealed, and what recorded that it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TapeMetadata {
    /// The tape.
    pub tape: TapeId,
    /// Its custody id.
    pub custody: CustodyId,
    /// The header.
    pub header: Header,
    /// The labels that it has now: those of the newest entry that gave it any, else those of the header.
    pub labels: Labels,
    /// Index of that entry; `None` when the labels are those of the header.
    pub labelled: Option<u64>,
    /// Index of the entry that records this reading.
    pub entry: u64,
}

impl Core {
    pub(super) async fn metadata(&self, who: &Who, id: &str) -> Result<TapeMetadata> {
        let found = self.look_up(who, Action::ReadMetadata, id).await?;
        let tape = found.facts.tape;
        let act = Act::about_tape(who, found.custody, &found.class, Body::MetadataRead);
        let draft = self.draft(&act, |p| p.tape_id = Some(tape))?;
        let entry = self.append(vec![draft]).await?.first().ok_or_else(died)?.index;
        self.env.observer.event(super::Event::Granted);
        self.progress.list_unwraps.fetch_add(1, Ordering::Relaxed);
        let OpenedTape { header, .. } = self.open_header(&found)?;
        let (labels, labelled) = self.labels_of(&found.custody, &header.header)?;
        Ok(TapeMetadata { tape, custody: found.custody, header: header.header, labels, labelled, entry })
    }
}

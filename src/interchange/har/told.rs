//! What is told of an archive once it was read.

use std::collections::BTreeMap;

use super::super::losses::{Losses, amount};

/// Counted on the way.
#[derive(Default)]
pub(super) struct HarTold {
    counts: BTreeMap<What, (u64, u64)>,
    secrets: BTreeMap<&'static str, u64>,
    untimed: u64,
}

/// Things that an archive cannot say, or that a tape cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    OutOfOrder,
    NoEntry,
    BodyMissing,
    Parameters,
    EventStream,
    BadBase64,
    NoCharacters,
    NoSocketMessage,
    LongFields,
}

impl What {
    /// The thing, one of it and many, and what is said of it.
    const fn words(self) -> ([&'static str; 2], &'static str) {
        const BODIES: [&str; 2] = ["body is", "bodies are"];
        const EXCHANGES: [&str; 2] = ["exchange has", "exchanges have"];
        match self {
            Self::OutOfOrder => (
                ["exchange is", "exchanges are"],
                "earlier than the one before in the source; the frames stand in the order of their times",
            ),
            Self::NoEntry => (
                ["entry has", "entries have"],
                "neither a request nor an answer that can be read: kept in the source alone",
            ),
            Self::BodyMissing => (BODIES, "missing in the source although it gives a length"),
            Self::Parameters => (BODIES, "given as parameters alone; those stand in the head"),
            Self::EventStream => (
                ["event stream is one body", "event streams are one body each"],
                "here: the source has no times of the events, and messages in them are not counted",
            ),
            Self::BadBase64 => (
                ["body or message is", "bodies or messages are"],
                "called base64 but not written in it; the payload is the text as it stands",
            ),
            Self::NoCharacters => {
                (["text stands", "texts stand"], "for no characters; the payload is the JSON text as written")
            }
            Self::NoSocketMessage => {
                (["WebSocket message has", "WebSocket messages have"], "no data: kept in the source alone")
            }
            Self::LongFields => (
                EXCHANGES,
                "more than 256 KiB of fields beside request and response; those stand in the kept source alone",
            ),
        }
    }
}

impl HarTold {
    /// Something about the exchange `number`.
    pub(super) fn add(&mut self, what: What, number: u64) {
        let (count, _) = self.counts.entry(what).or_insert((0, number));
        *count = count.saturating_add(1);
    }

    pub(super) fn untimed(&mut self) {
        self.untimed = self.untimed.saturating_add(1);
    }

    pub(super) fn secret(&mut self, name: &'static str) {
        let count = self.secrets.entry(name).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// All of it in words.
    pub(super) fn tell(self, losses: &mut Losses) {
        for (what, (count, first)) in self.counts {
            let (what, words) = what.words();
            losses.about_all(format!("{} {words} (first: entry {first})", amount(count, what)));
        }
        if self.untimed > 0 {
            losses.about_all(format!(
                "{} no time that can be read (one without a zone says no moment), and so have the frames of it",
                amount(self.untimed, ["exchange has", "exchanges have"])
            ));
        }
        if !self.secrets.is_empty() {
            let names: Vec<_> = self.secrets.iter().map(|(name, count)| format!("{count} {name}")).collect();
            losses.about_all(format!(
                "SECRETS ARE KEPT: headers that carry secrets stand in the tape with their values, as in the source ({})",
                names.join(", ")
            ));
        }
    }
}

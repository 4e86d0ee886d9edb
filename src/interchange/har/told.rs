//! What is told of an archive once it was read.

use std::collections::BTreeMap;

use super::super::losses::Losses;

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
    const fn words(self) -> &'static str {
        match self {
            Self::OutOfOrder => {
                "exchanges are earlier than the one before them in the source; the frames stand in the order of their times"
            }
            Self::NoEntry => {
                "entries have neither a request nor an answer that can be read, and stand in the kept source alone"
            }
            Self::BodyMissing => "bodies are missing in the source although it gives their length",
            Self::Parameters => "bodies are given as parameters alone; those stand in the head",
            Self::EventStream => {
                "event streams stand as one body each: the source has no times of their events, and messages in them are not counted"
            }
            Self::BadBase64 => "bodies or messages are called base64 but are not; the payload is their text",
            Self::NoCharacters => "texts stand for no characters; the payload is the JSON text as written",
            Self::NoSocketMessage => "WebSocket messages have no data and stand in the kept source alone",
            Self::LongFields => {
                "exchanges have more than 256 KiB of fields beside request and response; those stand in the kept source alone"
            }
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
            losses.about_all(format!("{count} {} (first: entry {first})", what.words()));
        }
        if self.untimed > 0 {
            losses.about_all(format!(
                "{} exchanges have no time that can be read (one without a zone says no moment); their frames have none",
                self.untimed
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

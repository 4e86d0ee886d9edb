//! What a form cannot say of a tape, counted while it is written.

use std::collections::BTreeMap;

/// Losses of one export.
#[derive(Debug, Default)]
pub(super) struct ExportLosses {
    /// How many frames, and the first of them, by what is lost.
    frames: BTreeMap<Lost, (u64, u64)>,
    about_all: Vec<String>,
}

/// What is lost, or put elsewhere, of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lost {
    Beside,
    Time,
    InferredMark,
    Delimiter,
    MediaType,
    Redactions,
}

impl Lost {
    const fn words(self) -> &'static str {
        match self {
            Self::Beside => "cannot stand in the file itself and are in the one beside it",
            Self::Time => "have times finer than a millisecond, which are cut to it",
            Self::InferredMark => "have times that were inferred, and are no longer marked so",
            Self::Delimiter => "were not followed by a line feed, which is not kept",
            Self::MediaType => "have a media type, which is not kept",
            Self::Redactions => "have redactions, which are not kept",
        }
    }
}

impl ExportLosses {
    /// Of frame `seq`.
    pub(super) fn frame(&mut self, lost: Lost, seq: u64) {
        let (count, _) = self.frames.entry(lost).or_insert((0, seq));
        *count = count.saturating_add(1);
    }

    /// Of the tape as a whole; callers have a fixed number of them.
    pub(super) fn about_all(&mut self, words: impl Into<String>) {
        self.about_all.push(words.into());
    }

    /// As text.
    pub(super) fn finish(self) -> Vec<String> {
        let frames = self.frames.into_iter().map(|(lost, (count, first))| {
            let frames = if count == 1 { "frame" } else { "frames" };
            format!("{count} {frames} {} (first: #{first})", lost.words())
        });
        frames.chain(self.about_all).collect()
    }
}

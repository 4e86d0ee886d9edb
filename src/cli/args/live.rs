//! Arguments of verbs about sessions that happen now, or again.

use std::ffi::OsString;
use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};

use super::values::{count, some_text, some_words};

/// When frames are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum When {
    /// Before it is passed on: no line that either side has seen is lost, not by a power cut either.
    Each,
    /// Every --sync-ms milliseconds: a crash takes no more than came meanwhile.
    Interval,
    /// When the system sees fit: a power cut may take half a minute.
    Os,
}

/// What happens when frames cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Failure {
    /// The program is ended, and the recorder with it (exit 125).
    Stop,
    /// The session goes on; the tape says how many frames are missing.
    #[value(alias = "continue_with_gap")]
    ContinueWithGap,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Record {
    /// Name of the tape; without it that of the program.
    #[arg(long, value_parser = some_words())]
    pub name: Option<OsString>,
    /// Description of the tape.
    #[arg(long, value_parser = some_words())]
    pub description: Option<OsString>,
    /// Tag; may be given again.
    #[arg(long, value_name = "TAG", value_parser = some_words())]
    pub tag: Vec<OsString>,
    /// Retention class [default: as configured, else draft].
    #[arg(long, value_parser = some_text())]
    pub class: Option<String>,
    /// Namespace [default: as configured, else default].
    #[arg(long, value_parser = some_text())]
    pub namespace: Option<String>,
    /// When frames are durable [default: as configured, else interval].
    #[arg(long, value_name = "WHEN")]
    pub durability: Option<When>,
    /// Milliseconds between two syncs [default: as configured, else 50].
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub sync_ms: Option<u64>,
    /// What happens when frames cannot be stored [default: as configured, else stop].
    #[arg(long, value_name = "WHAT")]
    pub on_storage_failure: Option<Failure>,
    /// Into a ledger of its own, with ids from a number, that is gone afterwards: for tests.
    #[arg(long, conflicts_with = "recover")]
    pub ephemeral: bool,
    /// Record nothing: seal what recorders left that are gone. Every start does so by itself.
    #[arg(long, conflicts_with = "command")]
    pub recover: bool,
    /// The program and its arguments, behind --.
    #[arg(last = true, required_unless_present = "recover", value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Tail {
    /// Id of a recording or a tape, or the first digits of it (at least 4).
    pub id: String,
    /// Wait for more, to the end of the recording.
    #[arg(short, long)]
    pub follow: bool,
    /// Frames at first; with --follow all of them are shown unless this is given.
    #[arg(short = 'n', long = "lines", value_name = "N", value_parser = count)]
    pub lines: Option<NonZeroUsize>,
    /// Whole payloads, escaped, instead of summaries.
    #[arg(long)]
    pub raw: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Replay {
    /// Tape id, or the first digits of it (at least 4).
    pub id: String,
    /// How many times as fast as it was recorded; 0 does not wait at all.
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    pub speed: f64,
    /// Answer a client on standard input and output as the recorded server did.
    #[arg(long, conflicts_with = "speed")]
    pub as_server: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() && (0.0..=1_000_000.0).contains(&n) => Ok(n),
        _ => Err("give a number from 0 to 1000000: 2 is twice as fast".into()),
    }
}

fn milliseconds(text: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(n) if (1..=60_000).contains(&n) => Ok(n),
        _ => Err("give milliseconds, 1 to 60000".into()),
    }
}

//! `verify`: a ledger, a bundle, a published tree, or many pieces.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::values;

#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// One tape; without it everything.
    #[arg(conflicts_with_all = ["bundle", "published", "batch"])]
    pub id: Option<String>,
    /// Everything; the same as giving no id.
    #[arg(long, conflicts_with_all = ["id", "bundle", "published", "batch"])]
    pub all: bool,
    /// Stored bytes only: do not open tapes and recompute their roots.
    #[arg(long, conflicts_with_all = ["bundle", "published", "batch"])]
    pub stored: bool,
    /// An evidence bundle, as a tar file or a folder, instead of a ledger; no ledger is opened for it.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["published", "batch"])]
    pub bundle: Option<PathBuf>,
    /// A published tree instead of a ledger.
    #[arg(long, value_name = "FOLDER", conflicts_with = "batch")]
    pub published: Option<PathBuf>,
    /// A key of the log from elsewhere: its verifier key, or its recorder's as 64 digits; or a file with one, or with PEM.
    #[arg(long = "pub", value_name = "KEY|FILE", value_parser = values::some_text())]
    pub keys: Vec<String>,
    /// The verifier key of a witness, or a file with it.
    #[arg(long, value_name = "VKEY|FILE", value_parser = values::some_text())]
    pub witness: Vec<String>,
    /// How many of these witnesses are a quorum [default: all of them].
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub quorum: Option<NonZeroUsize>,
    /// A head of the log that somebody else kept.
    #[arg(long, value_name = "FILE")]
    pub head: Vec<PathBuf>,
    /// A published tree of the log, to compare the bundle with.
    #[arg(long, value_name = "FOLDER", requires = "bundle")]
    pub tree: Option<PathBuf>,
    /// Many pieces of evidence, one JSON object a line on standard input; each is answered by a line.
    #[arg(long)]
    pub batch: bool,
}

impl Verify {
    /// Is it about files alone, and no ledger?
    pub(in crate::cli) const fn is_of_files(&self) -> bool {
        self.bundle.is_some() || self.published.is_some() || self.batch
    }

    /// Keys, witnesses and heads from elsewhere have a meaning for files alone.
    pub(in crate::cli) const fn has_pins(&self) -> bool {
        !self.keys.is_empty() || !self.witness.is_empty() || self.quorum.is_some() || !self.head.is_empty()
    }
}

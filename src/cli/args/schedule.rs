//! Verbs about what is done again and again: `schedule`, `scrub`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) struct Schedule {
    #[command(subcommand)]
    pub verb: ScheduleVerb,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(in crate::cli) enum ScheduleVerb {
    /// Do each job of the configuration when it is due, until interrupted.
    Run {
        /// Do what is due now, and end.
        #[arg(long)]
        once: bool,
    },
    /// Show each job: its last run, what came of it, and when the next one is due.
    Show,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Scrub {
    /// Everything is read in so many parts, one each time [default: as configured, else 30].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub parts: Option<u64>,
}

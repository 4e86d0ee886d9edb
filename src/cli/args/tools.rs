//! Verbs about the program and its surroundings: `key`, `config`, `provider`, `completions`, `man`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values;
use crate::codec::digest::Thumbprint;
use crate::log::KeyRole;

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) struct Key {
    #[command(subcommand)]
    pub verb: KeyVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KeyVerb {
    /// The public keys of this ledger, and the files of their private halves.
    #[command(visible_alias = "ls")]
    List,
    /// Every key that this log had, from which entry to which, and what was revoked.
    History,
    /// Put the key that was named to follow into the place of the one in use.
    Rotate {
        /// Which: checkpoint signs heads, recorder tapes, issuer receipts.
        #[arg(value_name = "ROLE", value_parser = values::key_role)]
        role: KeyRole,
        /// The key that follows, where it is kept elsewhere than in the ledger's `next` folder.
        #[arg(long, value_name = "FILE")]
        with: Option<PathBuf>,
        /// Ask witnesses at private addresses, too.
        #[arg(long)]
        allow_private: bool,
    },
    /// Say that a key counts no more; one in use is replaced at the same moment.
    Revoke {
        /// Which: checkpoint signs heads, recorder tapes, issuer receipts.
        #[arg(value_name = "ROLE", value_parser = values::key_role)]
        role: KeyRole,
        /// An older key, by its thumbprint in `key history`. Without this the one in use.
        #[arg(long, value_name = "HEX", value_parser = values::thumbprint)]
        thumbprint: Option<Thumbprint>,
        /// The first entry from which on nothing counts that it signed. Without this from now on.
        #[arg(long, value_name = "ENTRY", value_parser = values::entry)]
        from: Option<u64>,
        /// It is, or may be, in wrong hands; without this it is retired.
        #[arg(long)]
        compromised: bool,
        /// The key that follows, where it is kept elsewhere than in the ledger's `next` folder.
        #[arg(long, value_name = "FILE", conflicts_with = "thumbprint")]
        with: Option<PathBuf>,
        /// Ask witnesses at private addresses, too.
        #[arg(long)]
        allow_private: bool,
    },
}

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) struct Config {
    #[command(subcommand)]
    pub verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigVerb {
    /// Every value in force, and where it comes from.
    #[command(visible_alias = "list")]
    Print,
    /// One value.
    Get {
        /// Its name, as `config print` shows it.
        #[arg(value_name = "NAME")]
        wanted: String,
    },
    /// The three folders of this ledger.
    Path,
}

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) struct Provider {
    #[command(subcommand)]
    pub verb: ProviderVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ProviderVerb {
    /// The providers of this program, and their settings.
    #[command(visible_alias = "ls")]
    List,
    /// Check every promise of a provider, in a temporary folder: nothing of yours is touched.
    Test {
        /// Its name; without it the provider in force.
        #[arg(value_name = "NAME")]
        tested: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Completions {
    /// Shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Man {
    /// Page of this verb; without it that of the program.
    pub verb: Option<String>,
    /// Write every page into this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "verb")]
    pub output: Option<PathBuf>,
}

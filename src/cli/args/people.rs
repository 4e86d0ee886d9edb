//! Who there is: `actor`, `sign`, and founders of a new ledger.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::values::some_text;
use crate::governance::{Profile, Role};
use crate::log::ActorKind;

/// Somebody who is there from the beginning: `NAME:ROLE[,ROLE...]=FILE`.
#[derive(Debug, Clone)]
pub(in crate::cli) struct FounderArg {
    pub name: String,
    pub roles: Vec<Role>,
    /// File of the public key.
    pub file: PathBuf,
}

/// Reads one.
pub(super) fn founder(text: &str) -> Result<FounderArg, String> {
    let words = "give NAME:ROLE=FILE, for example ann:administrator,recorder=ann.pub";
    let (who, file) = text.split_once('=').ok_or(words)?;
    let (name, roles) = who.split_once(':').ok_or(words)?;
    let roles = roles.split(',').map(role).collect::<Result<Vec<_>, _>>()?;
    if name.is_empty() || file.is_empty() {
        return Err(words.to_owned());
    }
    Ok(FounderArg { name: name.to_owned(), roles, file: file.into() })
}

fn role(text: &str) -> Result<Role, String> {
    let all = || Role::ALL.map(Role::word).join(", ");
    Role::parse(text).ok_or_else(|| format!("give a role: {}", all()))
}

/// Reads a profile.
pub(super) fn profile(text: &str) -> Result<Profile, String> {
    Profile::from_name(text).ok_or_else(|| "give personal, small-firm or regulated".to_owned())
}

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) struct Actor {
    #[command(subcommand)]
    pub verb: ActorVerb,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum KindArg {
    /// A person.
    Human,
    /// A program that acts for itself.
    Service,
    /// A program that acts for somebody.
    Agent,
}

impl KindArg {
    pub(in crate::cli) const fn kind(self) -> ActorKind {
        match self {
            Self::Human => ActorKind::Human,
            Self::Service => ActorKind::Service,
            Self::Agent => ActorKind::Agent,
        }
    }
}

/// What others agreed to, or are to be asked.
#[derive(Debug, Args)]
pub(in crate::cli) struct Agree {
    /// Change nothing; write the text that others sign to this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["case", "agree"])]
    pub to: Option<PathBuf>,
    /// The text that others have signed.
    #[arg(long, value_name = "FILE", requires = "agree")]
    pub case: Option<PathBuf>,
    /// A signature of it; may be given again.
    #[arg(long, value_name = "FILE", requires = "case")]
    pub agree: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ActorVerb {
    /// Everybody there is or was, with key and roles.
    #[command(visible_alias = "ls")]
    List,
    /// One of them, with whom it acts for and what counts when.
    Show {
        /// Name.
        #[arg(value_parser = some_text())]
        name: String,
    },
    /// Enrol somebody, without any role.
    Add {
        /// Name, which nobody else had; it stands in private halves alone.
        #[arg(value_parser = some_text())]
        name: String,
        /// What it is.
        #[arg(long, value_enum, default_value = "human")]
        kind: KindArg,
        /// Its public key: as ssh-keygen writes it, SPKI PEM, or 64 hexadecimal digits in a file.
        #[arg(long, value_name = "FILE")]
        public: PathBuf,
        /// For whom an agent acts.
        #[arg(long = "for", value_name = "NAME", value_parser = some_text())]
        on_behalf_of: Option<String>,
        #[command(flatten)]
        agree: Agree,
    },
    /// Give somebody a role. Approver, hold-officer and key-custodian take two others.
    Grant {
        /// Name.
        #[arg(value_parser = some_text())]
        name: String,
        /// Role.
        #[arg(value_parser = role)]
        role: Role,
        #[command(flatten)]
        agree: Agree,
    },
    /// Take a role away, at once.
    Revoke {
        /// Name.
        #[arg(value_parser = some_text())]
        name: String,
        /// Role.
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Nobody acts as this one any more; name and key stay its own.
    Disable {
        /// Name.
        #[arg(value_parser = some_text())]
        name: String,
    },
    /// Another key signs for somebody: on its own word, or on that of two others.
    Rotate {
        /// Name.
        #[arg(value_parser = some_text())]
        name: String,
        /// The new public key.
        #[arg(long, value_name = "FILE")]
        public: PathBuf,
        #[command(flatten)]
        agree: Agree,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The text, as `--to FILE` wrote it.
    #[arg(value_name = "FILE")]
    pub case: PathBuf,
    /// Where the signature goes [default: FILE.sig].
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

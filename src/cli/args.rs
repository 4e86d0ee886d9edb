//! What can be typed.

mod keep;
mod live;
mod outside;
mod people;
mod schedule;
mod tapes;
mod tools;
mod values;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use keep::{Import, Keep, Label, Save};
pub(super) use live::{Failure, Record, Replay, Tail, When};
pub(super) use outside::{Checkpoint, Clock, ClockVerb, Evidence, Prove, Publish, Succeed, Witness, WitnessVerb};
pub(super) use people::{Actor, ActorVerb, Agree, FounderArg, Sign};
pub(super) use schedule::{Schedule, ScheduleVerb, Scrub};
pub(super) use tapes::{Filters, List, Page, Stats};
pub(super) use tools::{Completions, Config, ConfigVerb, Key, KeyVerb, Man, Provider, ProviderVerb};
pub(super) use verify::Verify;

use super::help;
use super::range::{FrameRange, TimeRange};

/// Tamper-evident ledger for recorded sessions.
///
/// Sessions are kept as sealed tapes beneath a signed, hash-linked log. Every read is an entry in that
/// log, any change to what is kept is found and named.
#[derive(Debug, Parser)]
#[command(name = "immutape", version, after_help = help::TOP, max_term_width = 100)]
pub(super) struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags that every verb takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Common {
    /// Ledger folder [env: IMMUTAPE_DIR] [default: $XDG_DATA_HOME/immutape/default].
    #[arg(short = 'C', long = "dir", value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,
    /// State folder of this ledger: wrapped keys and signed head [env: IMMUTAPE_STATE_DIR].
    #[arg(long, value_name = "DIR", global = true)]
    pub state_dir: Option<PathBuf>,
    /// Config folder of this ledger: its key files [env: IMMUTAPE_CONFIG_DIR].
    #[arg(long, value_name = "DIR", global = true)]
    pub config_dir: Option<PathBuf>,
    /// Storage provider [env: IMMUTAPE_PROVIDER] [default: embedded].
    #[arg(long, value_name = "NAME", global = true, value_parser = values::some_text())]
    pub provider: Option<String>,
    /// Setting of the provider, as `provider list` shows them; may be given again.
    #[arg(long, value_name = "KEY=VALUE", global = true, value_parser = values::some_text())]
    pub set: Vec<String>,
    /// JSON documents instead of words.
    #[arg(long, global = true)]
    pub json: bool,
    /// Act under this name; needs --key.
    #[arg(long = "as", value_name = "NAME", global = true, value_parser = values::some_words())]
    pub act_as: Option<OsString>,
    /// Private key that signs for --as (Ed25519: PKCS#8 PEM, or OpenSSH without a passphrase).
    #[arg(long, value_name = "FILE", global = true)]
    pub key: Option<PathBuf>,
    /// Why you do this; stands in the log's private half.
    #[arg(long, value_name = "TEXT", global = true, value_parser = values::some_words())]
    pub purpose: Option<OsString>,
    /// No words on standard error but errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Print the values in force, as `config print` does, and do nothing else.
    #[arg(long, global = true)]
    pub print_config: bool,
    /// The command is part of the demonstration: no configuration of anybody's counts.
    #[arg(skip)]
    pub is_staged: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a new ledger and its keys.
    #[command(after_help = help::INIT)]
    Init(Init),
    /// Keep recorded sessions; makes a ledger if there is none.
    #[command(after_help = help::SAVE)]
    Save(Save),
    /// Keep many recorded sessions: files, and folders of them.
    #[command(after_help = help::IMPORT)]
    Import(Import),
    /// Record a session while it happens: goes in front of a program's command line.
    #[command(after_help = help::RECORD)]
    Record(Record),
    /// Show the last frames of a recording or a tape, and those that come.
    #[command(after_help = help::TAIL)]
    Tail(Tail),
    /// Play a tape back, for people or as the server that it recorded.
    #[command(after_help = help::REPLAY)]
    Replay(Replay),
    /// Name, describe or tag a kept tape: an entry in the log; what is sealed stays.
    #[command(after_help = help::LABEL)]
    Label(Label),
    /// List the tapes.
    #[command(visible_alias = "ls", after_help = help::LIST)]
    List(List),
    /// Find tapes by class, label, time, method, tool or words of their headers.
    #[command(after_help = help::SEARCH)]
    Search(List),
    /// Add up what is kept.
    #[command(after_help = help::STATS)]
    Stats(Stats),
    /// Show what a tape is about and its frames, one line each.
    #[command(after_help = help::SHOW)]
    Show(Show),
    /// Write the messages of a tape back, byte for byte.
    #[command(after_help = help::CAT)]
    Cat(Cat),
    /// Write a tape to a file that other programs read; what left is recorded.
    #[command(after_help = help::EXPORT)]
    Export(Export),
    /// Compare two tapes frame by frame.
    #[command(after_help = help::DIFF)]
    Diff(Diff),
    /// Check that everything kept is what was kept.
    #[command(after_help = help::VERIFY)]
    Verify(Verify),
    /// Show the log: who did what, and when.
    #[command(after_help = help::LOG)]
    Log(Log),
    /// Show the chain of custody of one tape.
    #[command(after_help = help::CUSTODY)]
    Custody(OneTape),
    /// Sign a head of the log and print it.
    #[command(after_help = help::CHECKPOINT)]
    Checkpoint(Checkpoint),
    /// Prove to strangers that a tape is in the log, or that the log extends an older one.
    #[command(after_help = help::PROVE)]
    Prove(Prove),
    /// Make one file with which a stranger can check tapes, their custody, and that nothing is missing.
    #[command(after_help = help::EVIDENCE)]
    Evidence(Box<Evidence>),
    /// Bring a published tree of heads and hashes up to date.
    #[command(after_help = help::PUBLISH)]
    Publish(Publish),
    /// Witnesses: who holds heads of this log elsewhere.
    #[command(after_help = help::WITNESS)]
    Witness(Witness),
    /// Time from outside: time-stamps over heads of this log.
    #[command(after_help = help::CLOCK)]
    Clock(Clock),
    /// Read a part of what is stored again, from the disk, and compare digests.
    #[command(after_help = help::SCRUB)]
    Scrub(Scrub),
    /// What is done again and again: witnesses, time, publication, scrubs.
    #[command(after_help = help::SCHEDULE)]
    Schedule(Schedule),
    /// Show where the ledger stands, and what it cannot promise.
    #[command(after_help = help::STATUS)]
    Status,
    /// Mend one copy of the log from the other.
    #[command(after_help = help::REPAIR)]
    Repair(Repair),
    /// See it work: save, read, tamper, catch. Uses a temporary ledger.
    #[command(after_help = help::DEMO)]
    Demo,
    /// Open the successor of a log that lost entries for good.
    #[command(after_help = help::SUCCEED)]
    Succeed(Succeed),
    /// Refused: says how a tape ends.
    #[command(after_help = help::DELETE)]
    Delete(OneTape),
    /// Look at folders, keys, disk, clock and lock, and say what to do.
    #[command(after_help = help::DOCTOR)]
    Doctor,
    /// People, services and agents: who there is, and what they may do.
    #[command(after_help = help::ACTOR)]
    Actor(Actor),
    /// Sign a case that somebody else wrote: agree to what it says.
    #[command(after_help = help::SIGN)]
    Sign(Sign),
    /// Keys of this ledger.
    #[command(after_help = help::KEY)]
    Key(Key),
    /// Values in force: provider, folders, defaults, and where each comes from.
    #[command(after_help = help::CONFIG)]
    Config(Config),
    /// Storage providers: which there are, and whether one keeps its promises.
    #[command(after_help = help::PROVIDER)]
    Provider(Provider),
    /// Write a completion script for a shell.
    #[command(after_help = help::COMPLETIONS)]
    Completions(Completions),
    /// Write manual pages.
    #[command(after_help = help::MAN)]
    Man(Man),
    /// Version, formats and digest of this program.
    #[command(after_help = help::VERSION)]
    Version,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// Name of the log, in every checkpoint for everybody to see [default: as configured, else immutape].
    #[arg(long)]
    pub name: Option<String>,
    /// How much it asks of people; small-firm and regulated ask for founders.
    #[arg(long, default_value = "personal", value_parser = people::profile)]
    pub profile: crate::governance::Profile,
    /// Somebody who is there from the beginning, NAME:ROLE[,ROLE...]=FILE, with the file of the public key; may be given again.
    #[arg(long, value_name = "WHO", value_parser = people::founder)]
    pub founder: Vec<FounderArg>,
    /// Make keys and ids from a number: for tests alone, protects nothing.
    #[arg(long, value_name = "N", value_parser = values::number)]
    pub test_seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Tape id, or the first digits of it (at least 4).
    pub id: String,
    /// Only what the header says; no frame is opened.
    #[arg(long, conflicts_with_all = ["frames", "time", "raw", "lanes"])]
    pub header: bool,
    /// Only these frames, both ends included: 3, 3..9, 3.., ..9.
    #[arg(long, value_name = "A..B")]
    pub frames: Option<FrameRange>,
    /// Only frames of this time since the start, both ends included: 500ms..2s.
    #[arg(long, value_name = "A..B", conflicts_with = "frames")]
    pub time: Option<TimeRange>,
    /// Whole payloads, escaped, instead of summaries.
    #[arg(long)]
    pub raw: bool,
    /// Requests joined with their answers, client left and server right where the screen has 100 columns.
    #[arg(long, conflicts_with = "raw")]
    pub lanes: bool,
}

#[derive(Debug, Args)]
pub(super) struct Cat {
    /// Tape id, or the first digits of it (at least 4).
    pub id: String,
    /// Only these frames, both ends included: 3, 3..9, 3.., ..9.
    #[arg(long, value_name = "A..B")]
    pub frames: Option<FrameRange>,
}

/// Forms of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum To {
    /// Streaming tape of version 2.0, with its .meta.json.
    V2,
    /// One JSON document.
    Json,
    /// CBOR sequence: header, then frames.
    Cbor,
    /// MessagePack, of the shape of the JSON document.
    Msgpack,
    /// Messages alone, as `cat` writes them.
    Raw,
    /// The file that the tape was imported from, where it was kept.
    Source,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Tape id, or the first digits of it (at least 4).
    pub id: String,
    /// Form of the file.
    #[arg(long, value_name = "FORMAT")]
    pub to: To,
    /// File, or a folder that is there; - is standard output. Without it a file here, named by the tape's id.
    #[arg(short, long, value_name = "FILE|FOLDER")]
    pub output: Option<PathBuf>,
    /// Only these frames, both ends included: 3, 3..9, 3.., ..9.
    #[arg(long, value_name = "A..B")]
    pub frames: Option<FrameRange>,
    /// Whom it is for; stands in the log's private half.
    #[arg(long, value_name = "WORDS", value_parser = values::some_text())]
    pub recipient: Option<String>,
    /// Replace files that are there already.
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The one tape: its id, or the first digits of it (at least 4).
    pub a: String,
    /// The other.
    pub b: String,
}

#[derive(Debug, Args)]
pub(super) struct Log {
    /// First entry.
    #[arg(long, value_name = "N", value_parser = values::entry)]
    pub from: Option<u64>,
    /// Last entry, included.
    #[arg(long, value_name = "N", value_parser = values::entry)]
    pub to: Option<u64>,
    /// Starts, stops and completions too.
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub(super) struct OneTape {
    /// Tape id, or the first digits of it (at least 4).
    pub id: String,
}

#[derive(Debug, Args)]
pub(super) struct Repair {
    /// Make a new signed head file from the journal as it stands, when that file is lost or damaged.
    #[arg(long)]
    pub accept_head: bool,
    /// Give up the newest tapes, whose keys the vault lacks, when no newer copy of the vault can be found.
    #[arg(long, conflicts_with = "accept_head")]
    pub accept_vault: bool,
    /// Bring the end of the log back from a copy of the ledger folder, such as a backup.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["accept_head", "accept_vault"])]
    pub from: Option<PathBuf>,
    /// A head that somebody else holds, such as the checkpoint of a published tree: the copy must have it, too.
    #[arg(long, value_name = "FILE", requires = "from")]
    pub head: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// A verb's own argument that has the name of a flag that every verb takes is read as that flag.
    #[test]
    fn no_argument_of_a_verb_has_the_name_of_a_flag_of_all() {
        fn look(command: &clap::Command, common: &[String], seen: &mut usize) {
            for verb in command.get_subcommands() {
                for argument in verb.get_arguments() {
                    *seen += 1;
                    let name = argument.get_id().to_string();
                    assert!(!common.contains(&name), "{} {name}", verb.get_name());
                }
                look(verb, common, seen);
            }
        }
        let command = Cli::command();
        let common: Vec<String> = command.get_arguments().map(|a| a.get_id().to_string()).collect();
        let mut seen = 0;
        look(&command, &common, &mut seen);
        assert!(common.len() > 6 && seen > 40, "{common:?} {seen}");
    }
}

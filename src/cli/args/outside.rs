//! Verbs about what others hold of the log: `checkpoint`, `prove`, `evidence`, `publish`, `witness`, `clock`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values;
use crate::cli::range::FrameRange;

#[derive(Debug, Args)]
pub(in crate::cli) struct Checkpoint {
    /// The newest head that witnesses cosigned, instead of a new one.
    #[arg(long)]
    pub anchored: bool,
    /// Ask witnesses at private addresses, too.
    #[arg(long)]
    pub allow_private: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Prove {
    /// Tape id, or the first digits of it (at least 4).
    #[arg(required_unless_present = "consistency")]
    pub id: Option<String>,
    /// A COSE receipt instead of a tlog-proof.
    #[arg(long, conflicts_with = "consistency")]
    pub receipt: bool,
    /// The hashes that show that the log of NEW entries extends that of OLD.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with = "id", value_parser = values::size)]
    pub consistency: Option<Vec<u64>>,
    /// File, or a folder that is there; - is standard output. Without it a file here, named by the tape's id.
    #[arg(short, long, value_name = "FILE|FOLDER", conflicts_with = "consistency")]
    pub output: Option<PathBuf>,
    /// Replace a file that is there already.
    #[arg(long, conflicts_with = "consistency")]
    pub force: bool,
    /// Ask witnesses at private addresses, too.
    #[arg(long, conflicts_with = "consistency")]
    pub allow_private: bool,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("wanted").required(true).args(["ids", "query", "list"]))]
pub(in crate::cli) struct Evidence {
    /// Tape ids, or the first digits of them (at least 4).
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// The tapes that pass this search, of those saved in the time of --sealed.
    #[arg(long, value_name = "SEARCH", requires = "sealed", conflicts_with = "ids", value_parser = values::some_text())]
    pub query: Option<String>,
    /// When they were saved: two dates or moments, both included.
    #[arg(long, value_name = "FROM..TO", requires = "query", value_parser = values::some_text())]
    pub sealed: Option<String>,
    /// A new folder, or a file that ends in .tar; .tar.age with --encrypt-to.
    #[arg(long, value_name = "FOLDER|FILE", required_unless_present = "list")]
    pub to: Option<PathBuf>,
    /// On whose authority the bundle is made; stands in it, and in the log's private half.
    #[arg(long, value_name = "TEXT", required_unless_present = "list", value_parser = values::some_text())]
    pub authority: Option<String>,
    /// Whom it is for.
    #[arg(long, value_name = "TEXT", value_parser = values::some_text())]
    pub recipient: Option<String>,
    /// When it is to be given back or destroyed: a date, a moment, or how long from now (30d).
    #[arg(long, value_name = "WHEN", value_parser = values::some_text())]
    pub expires: Option<String>,
    /// These frames of each tape alone, both included; the others stay closed.
    #[arg(long, value_name = "A..B")]
    pub frames: Option<FrameRange>,
    /// Times and directions of the frames, and of the payloads their digests alone.
    #[arg(long)]
    pub close_payload: bool,
    /// Leaves out a tape that was asked for, and says so; may be given again.
    #[arg(long, value_name = "ID=WHY", value_parser = values::some_text())]
    pub withhold: Vec<String>,
    /// Encrypt the tar file to this age recipient (age1...).
    #[arg(long, value_name = "KEY", value_parser = values::some_text())]
    pub encrypt_to: Option<String>,
    /// Ask witnesses at private addresses, too.
    #[arg(long)]
    pub allow_private: bool,
    /// List the bundles that were made, and do nothing else.
    #[arg(long, conflicts_with_all = ["to", "authority", "recipient", "expires", "frames", "close_payload", "withhold",
        "encrypt_to", "allow_private"])]
    pub list: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Publish {
    /// Folder of the published tree; a web server may serve it as it is.
    #[arg(value_name = "DIR")]
    pub to: PathBuf,
    /// Public halves of all entries too: kinds, times and patterns of access, for auditors who may have them.
    #[arg(long)]
    pub entries: bool,
    /// Ask witnesses at private addresses, too.
    #[arg(long)]
    pub allow_private: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Succeed {
    /// Folder of the new ledger.
    #[arg(long, value_name = "FOLDER")]
    pub into: PathBuf,
    /// Name of the new log in its checkpoints; nothing personal.
    #[arg(long, default_value = "immutape", value_name = "NAME", value_parser = values::some_text())]
    pub name: String,
    /// State folder of the new ledger; where --state-dir names one outright.
    #[arg(long, value_name = "DIR")]
    pub into_state: Option<PathBuf>,
    /// Config folder of the new ledger; where --config-dir names one outright.
    #[arg(long, value_name = "DIR")]
    pub into_config: Option<PathBuf>,
    /// A head of the old log that somebody else holds, such as one that a witness shows.
    #[arg(long, value_name = "FILE")]
    pub head: Option<PathBuf>,
    #[command(flatten)]
    pub agree: super::people::Agree,
}

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) struct Witness {
    #[command(subcommand)]
    pub verb: WitnessVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum WitnessVerb {
    /// Take a policy: whose cosignatures this ledger asks for from its next opening on.
    Set {
        /// Policy file (c2sp.org/tlog-policy); - is standard input.
        #[arg(value_name = "FILE")]
        policy: PathBuf,
    },
    /// Show the policy, and the newest head that witnesses cosigned.
    Show,
    /// Ask the witnesses now: do they hold what this log extends, and will they cosign its head?
    Run {
        /// Also witnesses on this machine and in private networks, without TLS where their address says so.
        #[arg(long)]
        allow_private: bool,
        /// Ask again every so often, until interrupted: 30s, 5m.
        #[arg(long, value_name = "TIME", value_parser = values::interval)]
        every: Option<std::time::Duration>,
    },
    /// Be a witness for logs on other machines, until interrupted. It needs no ledger.
    Serve {
        /// Name of the witness, in its cosignatures for everybody to see: an address without scheme.
        #[arg(long, value_name = "NAME", value_parser = values::some_text())]
        name: String,
        /// Private key of the witness (Ed25519, PKCS#8 PEM); made there if there is none.
        #[arg(long, value_name = "FILE")]
        witness_key: PathBuf,
        /// Policy file whose log lines say which logs it serves.
        #[arg(long, value_name = "FILE")]
        logs: PathBuf,
        /// Folder of the heads that it holds; to be kept as carefully as the key.
        #[arg(long, value_name = "DIR")]
        folder: PathBuf,
        /// Address to listen at; beyond this machine put a proxy with TLS before it.
        #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8095", value_parser = values::some_text())]
        listen: String,
    },
}

#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub(in crate::cli) struct Clock {
    #[command(subcommand)]
    pub verb: ClockVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ClockVerb {
    /// Say whose time-stamps this ledger takes.
    Set {
        /// Certificates that certify the authority (PEM).
        #[arg(long, value_name = "FILE")]
        roots: PathBuf,
        /// Where the authority is asked; without it answers are brought as files.
        #[arg(long, value_name = "URL", value_parser = values::some_text())]
        url: Option<String>,
        /// Policy of the authority to ask for, an object identifier.
        #[arg(long, value_name = "OID", value_parser = values::some_text())]
        policy: Option<String>,
    },
    /// Show whose time-stamps this ledger takes, and whether one is awaited.
    Show,
    /// Have the head of the log time-stamped now.
    Run {
        /// Also an authority on this machine or in a private network, without TLS where its address says so.
        #[arg(long)]
        allow_private: bool,
        /// Again every so often, until interrupted: 30m, 1d.
        #[arg(long, value_name = "TIME", value_parser = values::interval)]
        every: Option<std::time::Duration>,
    },
    /// Write a request for a time-stamp to a file, to be carried to an authority.
    Challenge {
        /// The request (application/timestamp-query); - is standard output.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Replace a file that is there already.
        #[arg(long)]
        force: bool,
        /// Ask witnesses at private addresses, too.
        #[arg(long)]
        allow_private: bool,
    },
    /// Check an answer that was brought back, and keep its time-stamp in the log.
    Import {
        /// The answer (application/timestamp-reply); - is standard input.
        #[arg(value_name = "FILE")]
        answer: PathBuf,
    },
}

//! The command line.

use super::judge::{check, kind_of};
use super::{batch, output, pinned};
use std::io::Write;
use std::path::{Path, PathBuf};
use tapeaudit_core::report::{Report, shown};

const HELP: &str = "\
tapeaudit: checks an evidence bundle, a published tree or a ledger folder of Immutape.

usage: tapeaudit [--pub KEY]... [--witness VKEY]... [--quorum N] [--head FILE]... [--tree FOLDER]
                 [--state FOLDER] [--json] PATH
       tapeaudit --batch    JSON requests on standard input, one a line

  --pub KEY        key from elsewhere: verifier key of the log; or of the recorder 64 digits (key or
                   thumbprint) or PEM; or a file that holds one of these
  --witness VKEY   verifier key of a witness, or a file that holds it
  --quorum N       how many of them are a quorum; all, where it is not said
  --head FILE      a head of the log that somebody else kept
  --tree FOLDER    public halves of the log: a published tree
  --state FOLDER   state folder of a ledger folder
  --json           one JSON object

exit: 0 intact; 10 intact with gaps, not anchored, unpinned keys, unsealed tail, ended by loss;
      3 altered, missing, incomplete, rolled back, forked; 1 cannot tell; 2 wrong usage
";

#[derive(Default)]
struct Options {
    keys: Vec<String>,
    witnesses: Vec<String>,
    quorum: Option<u64>,
    heads: Vec<String>,
    tree: Option<PathBuf>,
    state: Option<PathBuf>,
    json: bool,
    batch: bool,
    path: Option<PathBuf>,
}

enum Asked {
    Run(Options),
    Help,
    Version,
}

fn options(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Result<Asked, String> {
    let mut found = Options::default();
    let mut only_paths = false;
    while let Some(argument) = arguments.next() {
        let word = argument.to_str().filter(|_| !only_paths);
        let mut value = |name: &str| arguments.next().ok_or(format!("{name} needs a value"));
        let words =
            |value: std::ffi::OsString| value.into_string().map_err(|_| String::from("a value that is not text"));
        match word {
            Some("--help" | "-h") => return Ok(Asked::Help),
            Some("--version" | "-V") => return Ok(Asked::Version),
            Some("--json") => found.json = true,
            Some("--batch") => found.batch = true,
            Some("--") => only_paths = true,
            Some("--pub") => found.keys.push(words(value("--pub")?)?),
            Some("--witness") => found.witnesses.push(words(value("--witness")?)?),
            Some("--head") => found.heads.push(words(value("--head")?)?),
            Some("--tree") => found.tree = Some(value("--tree")?.into()),
            Some("--state") => found.state = Some(value("--state")?.into()),
            Some("--quorum") => {
                let number = words(value("--quorum")?)?;
                let number = tapeaudit_core::text::decimal(&number).map_err(|why| format!("--quorum: {why}"))?;
                found.quorum = Some(number);
            }
            Some(other) if other.starts_with('-') && other.len() > 1 => {
                return Err(format!("no option {}", shown(other.as_bytes())));
            }
            _ if found.path.is_some() => return Err("more than one PATH".into()),
            _ => found.path = Some(argument.into()),
        }
    }
    Ok(Asked::Run(found))
}

/// Runs the program; gives its exit code.
pub fn run(arguments: impl Iterator<Item = std::ffi::OsString>) -> u8 {
    let options = match options(arguments) {
        Ok(Asked::Help) => return tell(HELP, 0),
        Ok(Asked::Version) => return tell(concat!("tapeaudit ", env!("CARGO_PKG_VERSION"), "\n"), 0),
        Ok(Asked::Run(options)) => options,
        Err(why) => return usage(&why),
    };
    if options.batch {
        let done = batch::run(std::io::stdin().lock(), &mut std::io::stdout().lock());
        return match done {
            Ok(true) => 0,
            _ => 2,
        };
    }
    let Some(path) = &options.path else { return usage("PATH is missing (--help tells more)") };
    let pins = match pinned::read(&options.keys, &options.witnesses, options.quorum, &options.heads) {
        Ok(pins) => pins,
        Err(why) => return usage(&format!("what was given from elsewhere: {why}")),
    };
    let mut report = Report::new();
    let (tree, state) = (options.tree.as_deref(), options.state.as_deref());
    check(kind_of(Path::new(path)), path, &pins, tree, state, &mut report);
    let written = if options.json { format!("{}\n", output::json(&report)) } else { output::text(&report) };
    tell(&written, report.verdict().exit())
}

/// Writes to standard output. Who reads no further has read enough.
fn tell(words: &str, code: u8) -> u8 {
    let mut out = std::io::stdout().lock();
    match out.write_all(words.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => 1,
        _ => code,
    }
}

fn usage(why: &str) -> u8 {
    // Nobody is left to tell when this fails.
    let _ = writeln!(std::io::stderr().lock(), "tapeaudit: {why}");
    2
}

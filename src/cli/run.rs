//! From arguments to an exit code.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, Parser as _};

use super::args::{Cli, ConfigVerb, Verb};
use super::asked::alike;
use super::configuration::Configuration;
use super::errors;
use super::out::Out;
use super::session::{Parts, Session};
use super::{demo, inherited, surroundings, verbs};
use crate::codec::escape::visible;
use crate::error::{Code, Error, Kind, Result};

/// What the last panic said. sled panics on damaged files; the store catches that and reports it in words
/// of its own, so nothing is printed unless a panic comes through to here.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Runs a command line, the program's own name first, and gives the exit code.
#[must_use]
pub fn run(args: Vec<OsString>) -> u8 {
    if verbs::signal_witness::is_meant(&args) {
        return verbs::signal_witness::stand();
    }
    inherited::put_ours();
    std::panic::set_hook(Box::new(|info| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(visible(info.to_string().as_bytes()));
    }));
    let wants_json = args.iter().skip(1).take_while(|a| *a != "--").any(|a| a == "--json");
    match catch_unwind(|| parse(args)) {
        Ok(Ok(cli)) => {
            if !matches!(cli.verb, Verb::Record(_)) {
                inherited::keep_ours();
            }
            execute(&mut Out::standard(cli.common.json, cli.common.quiet), &cli)
        }
        Ok(Err(e)) => usage(&e, wants_json),
        Err(_) => finish(&mut Out::standard(wants_json, false), Err(fault())),
    }
}

/// What was typed. `--print-config` alone needs no verb.
pub(super) fn parse(mut args: Vec<OsString>) -> std::result::Result<Cli, clap::Error> {
    let parsed = Cli::try_parse_from(&args);
    let asks = args.iter().any(|a| a == "--print-config");
    let cli = match parsed {
        Err(e) if asks && e.kind() == clap::error::ErrorKind::MissingSubcommand => {
            args.extend(["config", "print"].map(OsString::from));
            Cli::try_parse_from(&args)?
        }
        parsed => parsed?,
    };
    // Of a flag that stands on both sides of the verb, the parser keeps the values of one side and says nothing.
    let is_set = |a: &&OsString| *a == "--set" || a.as_encoded_bytes().starts_with(b"--set=");
    if args.iter().take_while(|a| *a != "--").filter(is_set).count() > cli.common.set.len() {
        let words = "--set stands before the verb and behind it; give all of them on one side";
        return Err(Cli::command().error(clap::error::ErrorKind::ArgumentConflict, words));
    }
    Ok(cli)
}

/// Runs a parsed command line to its end, errors and output included.
pub(super) fn execute(out: &mut Out, cli: &Cli) -> u8 {
    let done = catch_unwind(AssertUnwindSafe(|| dispatch(out, cli)));
    finish(out, done.unwrap_or_else(|_| Err(fault())))
}

fn fault() -> Error {
    Error::new(Code::Internal, "a fault in this program stopped it")
}

fn dispatch(out: &mut Out, cli: &Cli) -> Result<u8> {
    match &cli.verb {
        _ if cli.common.print_config => return verbs::config(out, &cli.common, &ConfigVerb::Print),
        Verb::Version => return verbs::version(out),
        Verb::Demo => return demo::run(out),
        Verb::Completions(args) => return verbs::completions(out, args),
        Verb::Man(args) => return verbs::man(out, args),
        Verb::Config(args) => return verbs::config(out, &cli.common, &args.verb),
        Verb::Provider(args) => return verbs::provider(out, &cli.common, &args.verb),
        // Somebody who was given a bundle has no ledger, and perhaps no home.
        Verb::Verify(args) if args.is_of_files() || args.has_pins() => return verbs::verify_files(out, args),
        _ => {}
    }
    let around = surroundings::around()?;
    let config = Configuration::find(&cli.common, &around);
    let config = match config.and_then(|config| config.refuse_fleeting().map(|()| config)) {
        // What is wrong there is what a doctor is called for.
        Err(e) if matches!(cli.verb, Verb::Doctor) => return Ok(verbs::doctor_astray(out, &around, &e)),
        config => config?,
    };
    let s = &mut Session::new(Parts::find(&cli.common, &around, config)?, out);
    match &cli.verb {
        Verb::Init(args) => verbs::init(s, args),
        Verb::Save(args) => verbs::save(s, args),
        Verb::Import(args) => verbs::import(s, args),
        Verb::Record(args) => verbs::record(s, args),
        Verb::Tail(args) => verbs::tail(s, args),
        Verb::Replay(args) => verbs::replay(s, args),
        Verb::Label(args) => verbs::label(s, args),
        Verb::List(args) => verbs::list(s, args),
        Verb::Search(args) => verbs::search(s, args),
        Verb::Stats(args) => verbs::stats(s, args),
        Verb::Show(args) => verbs::show(s, args),
        Verb::Cat(args) => verbs::cat(s, args),
        Verb::Export(args) => verbs::export(s, args),
        Verb::Diff(args) => verbs::diff(s, args),
        Verb::Verify(args) => verbs::verify(s, args),
        Verb::Log(args) => verbs::log(s, args),
        Verb::Custody(args) => verbs::custody(s, args),
        Verb::Checkpoint(args) => verbs::checkpoint(s, args),
        Verb::Prove(args) => verbs::prove(s, args),
        Verb::Evidence(args) => verbs::evidence(s, args),
        Verb::Publish(args) => verbs::publish(s, args),
        Verb::Witness(args) => verbs::witness(s, &args.verb),
        Verb::Clock(args) => verbs::clock(s, &args.verb),
        Verb::Scrub(args) => verbs::scrub(s, args),
        Verb::Schedule(args) => verbs::schedule(s, args.verb),
        Verb::Status => verbs::status(s),
        Verb::Repair(args) => verbs::repair(s, args),
        Verb::Succeed(args) => verbs::succeed(s, args),
        Verb::Delete(args) => verbs::delete(s, args),
        Verb::Doctor => verbs::doctor(s),
        Verb::Actor(args) => verbs::actor(s, &args.verb),
        Verb::Sign(args) => verbs::sign(s, args),
        Verb::Key(args) => verbs::key(s, &args.verb),
        Verb::Version | Verb::Demo | Verb::Completions(_) | Verb::Man(_) | Verb::Config(_) | Verb::Provider(_) => Ok(0),
    }
}

/// Tells what went wrong, writes out what was held back, and settles the exit code.
fn finish(out: &mut Out, done: Result<u8>) -> u8 {
    // Our reader has gone: what the command stopped with is only that.
    let left = |out: &Out, e: &Error| out.is_stopped() && e.code() == Code::Io;
    let exit = match done {
        Ok(exit) => exit,
        Err(e) if left(out, &e) => 0,
        Err(e) => {
            errors::print(out, &e);
            tell_panic(out, &e);
            e.kind().exit_code()
        }
    };
    match out.finish() {
        Ok(()) => exit,
        Err(e) => {
            out.json = false;
            errors::print(out, &e);
            if exit == 0 { e.kind().exit_code() } else { exit }
        }
    }
}

fn tell_panic(out: &mut Out, e: &Error) {
    if !out.json
        && matches!(e.code(), Code::Internal | Code::Broken)
        && let Some(words) = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take()
    {
        out.speak(&format!("  please report: {words}"));
    }
}

/// Help and version are data; everything else is a wrong command line.
fn usage(e: &clap::Error, wants_json: bool) -> u8 {
    if !e.use_stderr() {
        // A closed pipe has read enough.
        let _closed = e.print();
        return 0;
    }
    let text = format!("{}{}", e.render(), meant(e));
    // What was typed is repeated here, and it may come from a script.
    let lines = || text.trim_end().lines().map(|line| visible(line.as_bytes()));
    let mut out = Out::standard(wants_json, false);
    if wants_json {
        let words: Vec<String> = lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect();
        let message = words.first().map_or("", |w| w.strip_prefix("error: ").unwrap_or(w)).to_owned();
        let hint = words.get(1..).unwrap_or_default().join(" ");
        errors::print(&mut out, &Error::new(Code::Usage, message).with_hint(hint));
    } else {
        out.speak(&lines().collect::<Vec<_>>().join("\n"));
    }
    let _nobody_listens = out.finish();
    Kind::Usage.exit_code()
}

/// The verb that somebody most likely meant, where clap finds none or others: in short words, and in what follows `help`.
pub(super) fn meant(e: &clap::Error) -> String {
    let Some(ContextValue::String(typed)) = e.get(ContextKind::InvalidSubcommand) else { return String::new() };
    let told = match e.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(all)) => all.clone(),
        _ => Vec::new(),
    };
    let command = Cli::command();
    let beneath = command.get_subcommands().flat_map(clap::Command::get_subcommands);
    let verbs = command.get_subcommands().chain(beneath).map(clap::Command::get_name);
    let ours = alike(typed, verbs).filter(|verb| !told.iter().any(|one| one == verb));
    ours.map_or_else(String::new, |verb| format!("  tip: did you mean '{verb}'?\n"))
}

//! `save`: recorded sessions go in.

use std::ffi::OsString;
use std::io::IsTerminal as _;

use crate::cli::args::Save;
use crate::cli::progress::Progress;
use crate::cli::saving::{self, Indexes, Wanted};
use crate::cli::session::Session;
use crate::cli::{errors, input};
use crate::error::{Code, Error, Result};
use crate::ledger::Amends;

pub(in crate::cli) fn save(s: &mut Session<'_>, args: &Save) -> Result<u8> {
    check(args)?;
    if let Some(exit) = nothing_to_save(s, args) {
        return Ok(exit);
    }
    let wanted = wanted(s, args);
    s.with_ledger_or_new(async |ledger, s| {
        let (mut exit, mut indexes) = (0, Indexes::default());
        for file in &args.files {
            if input::is_stdin(file) && std::io::stdin().is_terminal() {
                s.out.say("Reading a session from this terminal; Ctrl-D ends it.");
            }
            let (index, progress) = (indexes.of(&s.parts, file), Progress::of(s.out));
            match saving::one(&s.parts, ledger, &wanted, file, index, &progress).await? {
                Ok(saved) if s.out.json => s.out.document(saving::document(file, &wanted, &saved)),
                Ok(saved) => {
                    s.out.line(&saved.receipt.tape.to_text());
                    saving::tell(s, file, &wanted, &saved);
                }
                Err(e) => exit = fail(s, &e.error, exit),
            }
            // Each is acknowledged when it is kept: what follows may fail.
            s.out.flush();
        }
        Ok(exit)
    })
}

/// Tells of a file that was not saved; the first such file decides the exit code.
fn fail(s: &mut Session<'_>, e: &Error, exit: u8) -> u8 {
    errors::print(s.out, e);
    if exit == 0 { e.kind().exit_code() } else { exit }
}

/// When not one of the files begins like a session, no ledger is opened, or made, for them.
fn nothing_to_save(s: &mut Session<'_>, args: &Save) -> Option<u8> {
    let mut failed = Vec::new();
    for file in &args.files {
        if input::is_stdin(file) {
            return None;
        }
        failed.push(saving::begins_well(&s.parts, &args.keep, file).err()?);
    }
    Some(failed.iter().fold(0, |exit, e| fail(s, e, exit)))
}

fn check(args: &Save) -> Result<()> {
    let stdins = args.files.iter().filter(|f| input::is_stdin(f)).count();
    if stdins > 1 {
        return Err(Error::new(Code::Usage, "standard input can be saved once only"));
    }
    saving::format(&args.keep)?;
    let beside = args.meta.is_some() || args.extra.is_some();
    let named = beside || args.name.is_some() || args.description.is_some() || args.amends.is_some();
    if named && args.files.len() > 1 {
        return Err(Error::new(
            Code::Usage,
            "--meta, --extra, --name, --description and --amends are about one file, but several are given",
        )
        .with_hint("save them one by one"));
    }
    if args.reason.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
        return Err(Error::new(Code::Usage, "the reason is empty").with_hint("say why the tape is amended"));
    }
    Ok(())
}

fn wanted<'a>(s: &Session<'_>, args: &'a Save) -> Wanted<'a> {
    let bytes = |v: &Option<OsString>| v.as_ref().map(|v| v.as_encoded_bytes().to_vec());
    let amends = args.amends.clone().zip(args.reason.clone()).map(|(tape, reason)| Amends { tape, reason });
    Wanted {
        name: bytes(&args.name),
        description: bytes(&args.description),
        meta: args.meta.as_deref(),
        extra: args.extra.as_deref(),
        amends,
        ..Wanted::kept(s, &args.keep)
    }
}

//! `import`: many recorded sessions go in, files and folders of them, each with a line of its own.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::args::Import;
use crate::cli::saving::{self, Indexes, Wanted};
use crate::cli::session::Session;
use crate::cli::{errors, input, words};
use crate::error::{Code, Error, Result};

/// A file to import.
struct Source {
    path: PathBuf,
    /// It was found in a folder, and not named by who imports.
    is_found: bool,
}

/// What became of the files.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    kept: u64,
    again: u64,
    failed: u64,
    left_out: u64,
}

pub(in crate::cli) fn import(s: &mut Session<'_>, args: &Import) -> Result<u8> {
    saving::format(&args.keep)?;
    let mut counts = Counts::default();
    let sources = sources(s, args, &mut counts)?;
    // Nothing that can be kept: no ledger is opened, or made, for it.
    let begins = |s: &Session<'_>, source: &Source| saving::begins_well(s, &args.keep, &source.path);
    let is_hopeless = sources.iter().all(|source| begins(s, source).is_err());
    if is_hopeless {
        for source in &sources {
            if let Err(e) = begins(s, source) {
                fail(s, source, &e, &mut counts);
            }
        }
        return Ok(sum(s, counts));
    }
    let (wanted, mut indexes) = (Wanted::kept(s, &args.keep), Indexes::default());
    s.with_ledger_or_new(async |ledger, s| {
        for source in &sources {
            match saving::one(s, ledger, &wanted, &source.path, &mut indexes).await? {
                Ok(saved) => {
                    let is_again = saved.receipt.already_kept;
                    let count = if is_again { &mut counts.again } else { &mut counts.kept };
                    *count = count.saturating_add(1);
                    if s.out.json {
                        s.out.document(saving::document(&source.path, &wanted, &saved));
                    } else {
                        let hex = saved.receipt.tape.to_hex();
                        line(s, if is_again { "again" } else { "kept" }, words::short(&hex), &source.path);
                        saving::notes(s, &wanted, &saved);
                    }
                }
                Err(e) => fail(s, source, &e, &mut counts),
            }
            s.out.flush();
        }
        Ok(())
    })?;
    Ok(sum(s, counts))
}

/// Every file that was named or lies in a folder that was; companions go in with their sessions.
fn sources(s: &mut Session<'_>, args: &Import, counts: &mut Counts) -> Result<Vec<Source>> {
    if args.paths.iter().any(|path| input::is_stdin(path)) {
        return Err(Error::new(Code::Usage, "import reads files and folders, not standard input")
            .with_hint("immutape save - reads it"));
    }
    let (files, places) = (s.parts.env.files.clone(), &s.parts.places);
    // What the ledger itself is made of, its keys before all, was never meant.
    let given = [&places.state, &places.config, &places.state_base, &places.config_base];
    let ours: Vec<PathBuf> = given.into_iter().flatten().chain([&places.ledger]).cloned().collect();
    let mut sources = Vec::new();
    for path in &args.paths {
        if !input::is_folder(&*files, path) {
            sources.push(Source { path: path.clone(), is_found: false });
            continue;
        }
        let (found, left) = input::walk(&*files, path, &|folder| ours.iter().any(|our| is_same(folder, our)))?;
        for path in &left {
            left_out(s, path, "a link, a device or a folder of this ledger; name it to import it", counts);
        }
        let is_session = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            !name.ends_with(b".meta.json") && name != b"index.json"
        };
        sources.extend(found.into_iter().filter(is_session).map(|path| Source { path, is_found: true }));
    }
    Ok(sources)
}

/// Are both the same folder, however it is written?
fn is_same(a: &Path, b: &Path) -> bool {
    a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}

/// Tells of a file that was not kept. One that lies in a folder and is no recorded session was never meant.
fn fail(s: &mut Session<'_>, source: &Source, e: &Error, counts: &mut Counts) {
    if source.is_found && e.code() == Code::NotATape {
        left_out(s, &source.path, "no recorded session in a known format", counts);
        return;
    }
    counts.failed = counts.failed.saturating_add(1);
    if !s.out.json {
        line(s, "failed", e.code().as_str(), &source.path);
    }
    errors::print(s.out, e);
}

fn left_out(s: &mut Session<'_>, path: &Path, why: &str, counts: &mut Counts) {
    counts.left_out = counts.left_out.saturating_add(1);
    if s.out.json {
        let file = crate::cli::json::text(path.as_os_str().as_encoded_bytes());
        s.out.document(json!({ "type": "left_out", "file": file, "why": why }));
    } else {
        line(s, "left out", "-", path);
        s.out.say(&format!("{}: {why}", input::shown(path)));
    }
}

/// `kept      9f98c1d2e3f4         monday.jsonl`.
fn line(s: &mut Session<'_>, what: &str, which: &str, path: &Path) {
    s.out.line(&format!("{what:<8}  {which:<17}  {}", input::shown(path)));
}

/// Adds it up; the exit code.
fn sum(s: &mut Session<'_>, counts: Counts) -> u8 {
    let Counts { kept, again, failed, left_out } = counts;
    let exit = u8::from(failed > 0 || kept.saturating_add(again) == 0);
    if s.out.json {
        s.out.document(json!({
            "type": "imported", "kept": kept, "again": again, "failed": failed, "left_out": left_out, "exit": exit,
        }));
        return exit;
    }
    let mut parts = vec![format!("{} kept", words::count(kept, "session"))];
    let more = [(again, "kept before"), (failed, "failed"), (left_out, "left out")];
    parts.extend(more.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    s.out.say(&format!("Imported: {}.", parts.join(", ")));
    exit
}

//! `import`: many recorded sessions go in, files and folders of them, each with a line of its own.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::abreast::Abreast;
use crate::cli::args::Import;
use crate::cli::progress::Progress;
use crate::cli::saving::{self, Indexes, NotKept, Saved, Wanted};
use crate::cli::session::{Parts, Session};
use crate::cli::terminal::cut;
use crate::cli::{errors, input, words};
use crate::error::{Code, Error, Result};
use crate::ledger::Ledger;

/// Most files that are saved at once.
const ABREAST_MAX: usize = 8;
/// A longer file is not begun before those before it are told.
const LONG_BYTES: u64 = 1 << 20;

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
    let begins = |s: &Session<'_>, source: &Source| saving::begins_well(&s.parts, &args.keep, &source.path);
    let is_hopeless = sources.iter().all(|source| begins(s, source).is_err());
    if is_hopeless {
        for source in &sources {
            if let Err(e) = begins(s, source) {
                let is_none = e.code() == Code::NotATape;
                fail(s, args, source, &NotKept { error: e, is_none }, &mut counts);
            }
        }
        return Ok(sum(s, counts));
    }
    s.with_ledger_or_new(async |ledger, s| keep_all(ledger, s, args, &sources, &mut counts).await)?;
    Ok(sum(s, counts))
}

/// Several savers at once, so that small tapes share commits: each is sealed while those before it are made durable. One
/// thread begins and answers them in order, so entries and lines stand in the order of the files.
async fn keep_all(
    ledger: &Ledger,
    s: &mut Session<'_>,
    args: &Import,
    sources: &[Source],
    counts: &mut Counts,
) -> Result<()> {
    let (wanted, parts) = (Wanted::kept(s, &args.keep), s.parts.clone());
    let (mut indexes, mut abreast, mut broken) = (Indexes::default(), Abreast::new(), None);
    let mut waiting = sources.iter().peekable();
    loop {
        while let Some(source) = waiting.next_if(|next| may_begin(&parts, abreast.len(), &next.path)) {
            let (index, progress) = (indexes.of(&parts, &source.path), Progress::of(s.out));
            let (parts, wanted) = (&parts, &wanted);
            abreast.push(
                async move { (source, saving::one(parts, ledger, wanted, &source.path, index, &progress).await) },
            );
        }
        let Some((source, done)) = abreast.next().await else { break };
        match done {
            Ok(Ok(saved)) => kept(s, &wanted, source, &saved, counts),
            Ok(Err(e)) => fail(s, args, source, &e, counts),
            // Nothing more is begun; what was kept meanwhile is told.
            Err(e) => {
                waiting = [].iter().peekable();
                broken = broken.or(Some(e));
            }
        }
        s.out.flush();
    }
    broken.map_or(Ok(()), Err)
}

/// A long file begins when nobody waits: what is kept already is told before it, and not minutes later.
fn may_begin(parts: &Parts, going: usize, path: &Path) -> bool {
    going == 0 || (going < ABREAST_MAX && input::length(&*parts.env.files, path) <= LONG_BYTES)
}

fn kept(s: &mut Session<'_>, wanted: &Wanted<'_>, source: &Source, saved: &Saved, counts: &mut Counts) {
    let is_again = saved.receipt.already_kept;
    let count = if is_again { &mut counts.again } else { &mut counts.kept };
    *count = count.saturating_add(1);
    if s.out.json {
        s.out.document(saving::document(&source.path, wanted, saved));
    } else {
        let hex = saved.receipt.tape.to_hex();
        line(s, if is_again { "again" } else { "kept" }, words::short(&hex), &source.path);
        saving::notes(s, wanted, saved);
    }
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
        for path in &found {
            match Found::of(path, &found) {
                Found::Session => sources.push(Source { path: path.clone(), is_found: true }),
                Found::Companion => {}
                Found::Stray => left_out(s, path, "it stands beside a tape that is not here", counts),
            }
        }
    }
    Ok(sources)
}

/// What a file in a folder is, by its name.
enum Found {
    Session,
    /// It goes in with its session.
    Companion,
    /// It would, but the session is not there.
    Stray,
}

impl Found {
    /// `all` is sorted.
    fn of(path: &Path, all: &[PathBuf]) -> Self {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        match input::besides_of(path) {
            Some(sessions) if sessions.iter().any(|session| all.binary_search(session).is_ok()) => Self::Companion,
            Some(_) => Self::Stray,
            None if name.ends_with(b".meta.json") || name == b"index.json" => Self::Companion,
            None => Self::Session,
        }
    }
}

/// Are both the same folder, however it is written?
fn is_same(a: &Path, b: &Path) -> bool {
    a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}

/// Tells of a file that was not kept. One that lies in a folder and is no recorded session was never meant.
fn fail(s: &mut Session<'_>, args: &Import, source: &Source, e: &NotKept, counts: &mut Counts) {
    if source.is_found && e.is_none {
        let format = &args.keep.format;
        let why = match format.as_str() {
            "auto" => "no recorded session in a known format".to_owned(),
            forced => format!("it does not begin like {forced}"),
        };
        left_out(s, &source.path, &why, counts);
        return;
    }
    let e = &e.error;
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

/// Screens that are narrower than this have the names begin closer to the ids.
const NARROW: usize = 60;

/// `kept      9f98c1d2e3f4         monday.jsonl`, and on a screen no more of the name than it has room for.
fn line(s: &mut Session<'_>, what: &str, which: &str, path: &Path) {
    let columns = s.out.look.columns;
    let width = if columns.is_some_and(|columns| columns < NARROW) { 12 } else { 17 };
    let line = format!("{what:<8}  {which:<width$}  {}", input::shown(path));
    s.out.line(&columns.map_or_else(|| line.clone(), |columns| cut(&line, columns)));
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

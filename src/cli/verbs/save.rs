//! `save`: recorded sessions go in.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use crate::cli::args::Save;
use crate::cli::input::Held;
use crate::cli::session::Session;
use crate::cli::{errors, input, words};
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::governance::{ClassStanding, Schedule};
use crate::interchange::{DirectoryIndex, ImportOptions, Importer, SourceFormat};
use crate::ledger::{Ledger, SaveOptions, SaveReceipt};

/// What went in, and what it came to.
struct Saved {
    receipt: SaveReceipt,
    format: &'static str,
    source_bytes: u64,
    losses: Vec<String>,
}

/// Indexes of folders, each read once however many tapes lie there.
#[derive(Default)]
struct Indexes(BTreeMap<PathBuf, Option<Arc<DirectoryIndex>>>);

pub(in crate::cli) fn save(s: &mut Session<'_>, args: &Save) -> Result<u8> {
    check(args)?;
    if let Some(exit) = nothing_to_save(s, args) {
        return Ok(exit);
    }
    s.with_ledger_or_new(async |ledger, s| {
        let (mut exit, mut indexes) = (0, Indexes::default());
        for file in &args.files {
            if input::is_stdin(file) && std::io::stdin().is_terminal() {
                s.out.say("Reading a session from this terminal; Ctrl-D ends it.");
            }
            match one(s, ledger, args, file, &mut indexes).await? {
                Ok(saved) => describe(s, file, args, &saved),
                Err(e) => exit = fail(s, &e, exit),
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
        let begun = input::open(&*s.parts.env.files, file, &Held::default()).and_then(|source| {
            let options = ImportOptions { format: format(args).unwrap_or_default(), ..ImportOptions::default() };
            Importer::open(source, options).map_err(|e| named(file, e))
        });
        failed.push(begun.err()?);
    }
    Some(failed.iter().fold(0, |exit, e| fail(s, e, exit)))
}

fn check(args: &Save) -> Result<()> {
    let stdins = args.files.iter().filter(|f| input::is_stdin(f)).count();
    if stdins > 1 {
        return Err(Error::new(Code::Usage, "standard input can be saved once only"));
    }
    format(args)?;
    let named = args.meta.is_some() || args.name.is_some() || args.description.is_some();
    if named && args.files.len() > 1 {
        return Err(Error::new(
            Code::Usage,
            "--meta, --name and --description are about one file, but several are given",
        )
        .with_hint("save them one by one"));
    }
    Ok(())
}

fn format(args: &Save) -> Result<Option<SourceFormat>> {
    args.format.as_deref().map(SourceFormat::from_name).transpose()
}

/// The error with the file it is about in front.
fn named(file: &Path, e: Error) -> Error {
    let e = input::too_much(&e).unwrap_or(e);
    let named = Error::new(e.code(), format!("{}: {}", input::shown(file), e.message()));
    match e.hint().map(str::to_owned) {
        Some(hint) => named.with_hint(hint).with_source(e),
        None => named.with_source(e),
    }
}

/// Saves one file. The outer error is the ledger's and ends everything; the inner one is this file's.
async fn one(
    s: &Session<'_>,
    ledger: &Ledger,
    args: &Save,
    file: &Path,
    indexes: &mut Indexes,
) -> Result<Result<Saved>> {
    let (files, held) = (&*s.parts.env.files, Held::default());
    let mut begin = || {
        let options = options(s, args, file, indexes)?;
        Importer::open(input::open(files, file, &held)?, options).map_err(|e| named(file, e))
    };
    let mut importer = match begin() {
        Ok(importer) => importer,
        Err(e) => return Ok(Err(e)),
    };
    if !importer.keeps_source() {
        held.drop_bytes();
    }
    let keep = SaveOptions { class: args.class.clone(), namespace: args.namespace.clone(), ..SaveOptions::default() };
    let mut saver = ledger.begin_save(&s.parts.who, keep).await?;
    loop {
        match importer.next_frame() {
            Ok(Some(frame)) => saver.frame(&frame)?,
            Ok(None) => break,
            Err(e) => return Ok(Err(named(file, e))),
        }
    }
    let (format, keeps_source) = (importer.format().name(), importer.keeps_source());
    let header = match importer.finish() {
        Ok(header) => header,
        Err(e) => return Ok(Err(named(file, e))),
    };
    let provenance = header.provenance.clone().unwrap_or_default();
    let receipt = if keeps_source {
        let mut source = match input::again(files, file, &held) {
            Ok(source) => source,
            Err(e) => return Ok(Err(e)),
        };
        match saver.finish_with(header, Some(&mut *source)).await {
            Ok(receipt) => receipt,
            // The file is another than it was: nobody else is hit.
            Err(e) if e.code() == Code::Usage => return Ok(Err(named(file, e))),
            Err(e) => return Err(e),
        }
    } else {
        saver.finish(header).await?
    };
    let source_bytes = provenance.source_bytes.unwrap_or_default();
    Ok(Ok(Saved { receipt, format, source_bytes, losses: provenance.losses }))
}

impl Indexes {
    /// The index of the folder that `file` lies in. One that is no index of tapes counts as none: other programs use the name, too.
    fn of(&mut self, s: &Session<'_>, file: &Path) -> Option<Arc<DirectoryIndex>> {
        if input::is_stdin(file) {
            return None;
        }
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        let read = || {
            let bytes = input::index(&*s.parts.env.files, &folder).ok().flatten()?;
            DirectoryIndex::read(&bytes).ok().map(Arc::new)
        };
        self.0.entry(folder.clone()).or_insert_with(read).clone()
    }
}

fn options(s: &Session<'_>, args: &Save, file: &Path, indexes: &mut Indexes) -> Result<ImportOptions> {
    let bytes = |v: &Option<OsString>| v.as_ref().map(|v| v.as_encoded_bytes().to_vec());
    let source_name = file.file_name().filter(|_| !input::is_stdin(file)).map(|n| n.as_encoded_bytes().to_vec());
    Ok(ImportOptions {
        class: args.class.clone(),
        namespace: args.namespace.clone(),
        name: bytes(&args.name),
        description: bytes(&args.description),
        tags: args.tag.iter().map(|t| t.as_encoded_bytes().to_vec()).collect(),
        source_name,
        companion: input::companion(&*s.parts.env.files, file, args.meta.as_deref())?,
        index: indexes.of(s, file),
        format: format(args)?,
        imported_ms: Some(s.parts.env.clock.read().wall.as_ms()),
        host: Some(s.parts.who.host.clone()),
        ..ImportOptions::default()
    })
}

/// Prints what a save came to: the id is the data, the rest is words.
fn describe(s: &mut Session<'_>, file: &Path, args: &Save, saved: &Saved) {
    let Saved { receipt, format, source_bytes, losses } = saved;
    let class = Schedule.shown(&args.class);
    if s.out.json {
        s.out.document(json!({
            "type": "saved", "file": crate::cli::json::text(file.as_os_str().as_encoded_bytes()),
            "tape": receipt.tape.to_text(), "custody": receipt.custody.to_hex(), "entry": receipt.entry,
            "already_kept": receipt.already_kept, "frames": receipt.frames, "stored_bytes": receipt.stored_bytes,
            "source_bytes": source_bytes, "format": format, "class": args.class, "class_shown": class,
            "namespace": args.namespace, "losses": losses,
        }));
        return;
    }
    s.out.line(&receipt.tape.to_text());
    let shown = input::shown(file);
    if receipt.already_kept {
        s.out.say(&format!(
            "{shown}: this content is kept already; saving it again was recorded as entry #{}.",
            receipt.entry
        ));
    } else {
        s.out.say(&format!(
            "{shown}: {} kept in {} ({} in the source), recorded as entry #{}.",
            words::count(receipt.frames, "frame"),
            words::bytes(receipt.stored_bytes),
            words::bytes(*source_bytes),
            receipt.entry
        ));
    }
    for loss in losses {
        s.out.say(&format!("  note: {}", visible(loss.as_bytes())));
    }
    if receipt.standing == ClassStanding::Unclassified {
        s.out.say(&format!("  Class {class}: no schedule knows it, so the tape is kept and never due for disposal."));
    }
}

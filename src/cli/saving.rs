//! One recorded session from its file into the ledger: what `save` and `import` share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::args::Keep;
use super::held::{Held, too_much};
use super::progress::{Progress, Unit};
use super::session::Session;
use super::{input, words};
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::governance::{ClassStanding, Schedule};
use crate::interchange::{DirectoryIndex, ImportOptions, Importer, SourceFormat};
use crate::ledger::{Amends, Ledger, SaveOptions, SaveReceipt};

/// What is said about one file.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    pub keep: &'a Keep,
    pub class: String,
    pub namespace: String,
    pub name: Option<Vec<u8>>,
    pub description: Option<Vec<u8>>,
    pub meta: Option<&'a Path>,
    pub amends: Option<Amends>,
}

impl<'a> Wanted<'a> {
    /// Nothing but how it is kept.
    pub(super) fn kept(s: &Session<'_>, keep: &'a Keep) -> Self {
        let (class, namespace) = s.parts.class_and_namespace(keep);
        Self { keep, class, namespace, name: None, description: None, meta: None, amends: None }
    }
}

/// What went in, and what it came to.
pub(super) struct Saved {
    pub receipt: SaveReceipt,
    pub format: &'static str,
    pub source_bytes: u64,
    pub losses: Vec<String>,
}

/// Indexes of folders, each read once however many tapes lie there.
#[derive(Default)]
pub(super) struct Indexes(BTreeMap<PathBuf, Option<Arc<DirectoryIndex>>>);

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

/// The format that somebody says a file has.
///
/// # Errors
/// `E_USAGE` with the names that there are.
pub(super) fn format(keep: &Keep) -> Result<Option<SourceFormat>> {
    Some(keep.format.as_str()).filter(|name| *name != "auto").map(SourceFormat::from_name).transpose()
}

/// Does the file begin like a recorded session?
///
/// # Errors
/// Why not.
pub(super) fn begins_well(s: &Session<'_>, keep: &Keep, file: &Path) -> Result<()> {
    let source = input::open(&*s.parts.env.files, file, &Held::default())?;
    let options = ImportOptions { format: format(keep)?, ..ImportOptions::default() };
    Importer::open(source.bytes, options).map(|_| ()).map_err(|e| named(file, e))
}

/// Saves one file. The outer error is the ledger's and ends everything; the inner one is this file's.
pub(super) async fn one(
    s: &Session<'_>,
    ledger: &Ledger,
    wanted: &Wanted<'_>,
    file: &Path,
    indexes: &mut Indexes,
) -> Result<Result<Saved>> {
    let (files, held) = (&*s.parts.env.files, Held::default());
    let mut begin = || {
        let options = options(s, wanted, file, indexes)?;
        let source = input::open(files, file, &held)?;
        let (read, total) = (source.read, source.total);
        Importer::open(source.bytes, options).map(|importer| (importer, read, total)).map_err(|e| named(file, e))
    };
    let (mut importer, read, total) = match begin() {
        Ok(begun) => begun,
        Err(e) => return Ok(Err(e)),
    };
    if !importer.keeps_source() {
        held.drop_bytes();
    }
    let Wanted { class, namespace, .. } = wanted;
    let keep = SaveOptions { class: class.clone(), namespace: namespace.clone(), amends: wanted.amends.clone() };
    let mut saver = ledger.begin_save(&s.parts.who, keep).await?;
    let progress = Progress::of(s.out);
    loop {
        match importer.next_frame() {
            Ok(Some(frame)) => saver.frame(&frame)?,
            Ok(None) => break,
            Err(e) => return Ok(Err(named(file, e))),
        }
        progress.set("saving", Unit::Bytes, read.load(Ordering::Relaxed), total);
    }
    progress.clear();
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
            // The file is another than it was: nobody else is hit.
            Err(e) if e.code() == Code::Usage => return Ok(Err(named(file, e))),
            kept => kept?,
        }
    } else {
        saver.finish(header).await?
    };
    let source_bytes = provenance.source_bytes.unwrap_or_default();
    Ok(Ok(Saved { receipt, format, source_bytes, losses: provenance.losses }))
}

fn options(s: &Session<'_>, wanted: &Wanted<'_>, file: &Path, indexes: &mut Indexes) -> Result<ImportOptions> {
    let Wanted { keep, name, description, meta, .. } = wanted;
    let source_name = file.file_name().filter(|_| !input::is_stdin(file)).map(|n| n.as_encoded_bytes().to_vec());
    Ok(ImportOptions {
        class: wanted.class.clone(),
        namespace: wanted.namespace.clone(),
        name: name.clone(),
        description: description.clone(),
        tags: keep.tag.iter().map(|t| t.as_encoded_bytes().to_vec()).collect(),
        source_name,
        companion: input::companion(&*s.parts.env.files, file, *meta)?,
        index: indexes.of(s, file),
        format: format(keep)?,
        imported_ms: Some(s.parts.env.clock.read().wall.as_ms()),
        host: Some(s.parts.who.host.clone()),
        ..ImportOptions::default()
    })
}

/// The error with the file it is about in front.
fn named(file: &Path, e: Error) -> Error {
    let e = too_much(&e).unwrap_or(e);
    let named = Error::new(e.code(), format!("{}: {}", input::shown(file), e.message()));
    match e.hint().map(str::to_owned) {
        Some(hint) => named.with_hint(hint).with_source(e),
        None => named.with_source(e),
    }
}

/// What a save came to, as a document.
pub(super) fn document(file: &Path, wanted: &Wanted<'_>, saved: &Saved) -> Value {
    let Saved { receipt, format, source_bytes, losses } = saved;
    let amends = wanted.amends.as_ref().map(|a| visible(a.tape.as_bytes()));
    json!({
        "type": "saved", "file": super::json::text(file.as_os_str().as_encoded_bytes()),
        "tape": receipt.tape.to_text(), "custody": receipt.custody.to_hex(), "entry": receipt.entry,
        "already_kept": receipt.already_kept, "frames": receipt.frames, "stored_bytes": receipt.stored_bytes,
        "source_bytes": source_bytes, "format": format, "class": wanted.class, "class_shown": Schedule.shown(&wanted.class),
        "namespace": wanted.namespace, "amends": amends, "losses": losses,
    })
}

/// What a save came to, in words.
pub(super) fn tell(s: &mut Session<'_>, file: &Path, wanted: &Wanted<'_>, saved: &Saved) {
    let Saved { receipt, source_bytes, .. } = saved;
    let shown = input::shown(file);
    if receipt.already_kept {
        let entry = receipt.entry;
        s.out.say(&format!("{shown}: this content is kept already; saving it again was recorded as entry #{entry}."));
    } else {
        s.out.say(&format!(
            "{shown}: {} kept in {} ({} in the source), recorded as entry #{}.",
            words::count(receipt.frames, "frame"),
            words::bytes(receipt.stored_bytes),
            words::bytes(*source_bytes),
            receipt.entry
        ));
    }
    if let Some(amends) = &wanted.amends {
        let id = visible(amends.tape.as_bytes());
        s.out.say(&format!("  It amends {id}, which stays as it is; an entry about that tape says so."));
    }
    notes(s, wanted, saved);
}

/// What else is to be said of a save.
pub(super) fn notes(s: &mut Session<'_>, wanted: &Wanted<'_>, saved: &Saved) {
    for loss in &saved.losses {
        s.out.say(&format!("  note: {}", visible(loss.as_bytes())));
    }
    if saved.receipt.standing == ClassStanding::Unclassified {
        let class = Schedule.shown(&wanted.class);
        s.out.say(&format!("  Class {class}: no schedule knows it, so the tape is kept and never due for disposal."));
    }
}

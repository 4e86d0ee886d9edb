//! One recorded session from its file into the ledger: what `save` and `import` share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::args::Keep;
use super::held::{Held, too_much};
use super::progress::{Progress, Unit};
use super::session::{Parts, Session};
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
    pub extra: Option<&'a Path>,
    pub amends: Option<Amends>,
}

impl<'a> Wanted<'a> {
    /// Nothing but how it is kept.
    pub(super) fn kept(s: &Session<'_>, keep: &'a Keep) -> Self {
        let (class, namespace) = s.parts.class_and_namespace(keep.class.as_ref(), keep.namespace.as_ref());
        Self { keep, class, namespace, name: None, description: None, meta: None, extra: None, amends: None }
    }
}

/// What went in, and what it came to.
pub(super) struct Saved {
    pub receipt: SaveReceipt,
    pub format: &'static str,
    pub source_bytes: u64,
    pub losses: Vec<String>,
}

/// Why a file was not kept.
pub(super) struct NotKept {
    pub error: Error,
    /// It does not even begin like a recorded session.
    pub is_none: bool,
}

/// Most indexes of folders that are held.
const INDEXES_MAX: usize = 4;

/// Indexes of folders, each read once for the tapes that lie there together.
#[derive(Default)]
pub(super) struct Indexes(BTreeMap<PathBuf, Option<Arc<DirectoryIndex>>>);

impl Indexes {
    /// The index of the folder that `file` lies in. One that is no index of tapes counts as none: other programs use the name, too.
    pub(super) fn of(&mut self, parts: &Parts, file: &Path) -> Option<Arc<DirectoryIndex>> {
        if input::is_stdin(file) {
            return None;
        }
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        if self.0.len() >= INDEXES_MAX && !self.0.contains_key(&folder) {
            self.0.clear();
        }
        let read = || {
            let bytes = input::index(&*parts.env.files, &folder).ok().flatten()?;
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
pub(super) fn begins_well(parts: &Parts, keep: &Keep, file: &Path) -> Result<()> {
    let source = input::open(&*parts.env.files, file, &Held::default())?;
    let options = ImportOptions { format: format(keep)?, ..ImportOptions::default() };
    Importer::open(source.bytes, options).map(|_| ()).map_err(|e| named(file, e))
}

/// Saves one file, whose folder has this index. The outer error is the ledger's and ends everything; the inner one is this
/// file's.
pub(super) async fn one(
    parts: &Parts,
    ledger: &Ledger,
    wanted: &Wanted<'_>,
    file: &Path,
    index: Option<Arc<DirectoryIndex>>,
    progress: &Progress,
) -> Result<std::result::Result<Saved, NotKept>> {
    let kept = keep(parts, ledger, wanted, file, index, progress).await?;
    Ok(kept.map_err(|error| {
        // The file beside it, or what stands further on, may be the one that is no record.
        let is_none = error.code() == Code::NotATape && begins_well(parts, wanted.keep, file).is_err();
        NotKept { error, is_none }
    }))
}

async fn keep(
    parts: &Parts,
    ledger: &Ledger,
    wanted: &Wanted<'_>,
    file: &Path,
    index: Option<Arc<DirectoryIndex>>,
    progress: &Progress,
) -> Result<Result<Saved>> {
    let (files, held) = (&*parts.env.files, Held::default());
    let begin = || {
        let options = options(parts, wanted, file, index)?;
        let source = input::open(files, file, &held)?;
        let beside = input::beside(files, file, wanted.extra)?;
        let importer = Importer::open_with(source.bytes, beside, options).map_err(|e| named(file, e))?;
        if wanted.extra.is_some() && importer.is_beside_unread() {
            let words = format!("--extra goes with a version 2.0 tape, and this is {}", importer.format().name());
            return Err(named(file, Error::new(Code::Usage, words)));
        }
        Ok((importer, source.read, source.total))
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
    let mut saver = ledger.begin_save(&parts.who, keep).await?;
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

fn options(
    parts: &Parts,
    wanted: &Wanted<'_>,
    file: &Path,
    index: Option<Arc<DirectoryIndex>>,
) -> Result<ImportOptions> {
    let Wanted { keep, name, description, meta, .. } = wanted;
    let source_name = file.file_name().filter(|_| !input::is_stdin(file)).map(|n| n.as_encoded_bytes().to_vec());
    Ok(ImportOptions {
        class: wanted.class.clone(),
        namespace: wanted.namespace.clone(),
        name: name.clone(),
        description: description.clone(),
        tags: keep.tag.iter().map(|t| t.as_encoded_bytes().to_vec()).collect(),
        source_name,
        companion: input::companion(&*parts.env.files, file, *meta)?,
        index,
        format: format(keep)?,
        imported_ms: Some(parts.env.clock.read().wall.as_ms()),
        host: Some(parts.who.host.clone()),
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

//! Encrypted pieces of live recordings: one file for each recording, in the folder `spool`.
//!
//! A file is named by the custody id and holds the pieces one after another, each framed as
//! `u32(length) || piece || first 8 bytes of SHA-256(u32(length) || piece)`. It grows by append; what
//! follows the last whole piece is left out on reading and overwritten by the next append.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::codec::digest::{CustodyId, sha256_parts};
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::store::contracts::Spool;
use crate::store::files::{File, Files, parent};

const LENGTH_BYTES: usize = 4;
const CHECK_BYTES: usize = 8;

/// The spools of live recordings in one folder.
///
/// One process writes; a failed write or sync poisons the whole handle. A full disk does not: what
/// was written of that piece is overwritten by the next.
#[derive(Debug)]
pub struct EmbeddedSpool {
    files: Arc<dyn Files>,
    folder: PathBuf,
    live: Mutex<HashMap<CustodyId, Arc<Mutex<Live>>>>,
    is_broken: AtomicBool,
}

/// A spool that this handle appends to.
#[derive(Debug)]
struct Live {
    file: Arc<dyn File>,
    /// End of the last whole piece.
    end: u64,
    is_name_new: bool,
    is_closed: bool,
}

impl EmbeddedSpool {
    /// The spools in `folder`, which is made by the first append.
    #[must_use]
    pub fn open(files: Arc<dyn Files>, folder: PathBuf) -> Self {
        Self { files, folder, live: Mutex::default(), is_broken: AtomicBool::new(false) }
    }

    fn path(&self, recording: &CustodyId) -> PathBuf {
        self.folder.join(recording.to_hex())
    }

    fn check(&self) -> Result<()> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err(Error::new(
                Code::Broken,
                "a write to a recording's spool failed before; nothing more is recorded",
            )
            .with_hint("look at the disk, then open the ledger again"));
        }
        Ok(())
    }

    fn broken(&self, doing: &str, path: &Path, source: io::Error) -> Error {
        self.is_broken.store(true, Ordering::SeqCst);
        Error::new(Code::Broken, format!("cannot {doing} {}; nothing more is recorded", shown(path)))
            .with_hint("look at the disk, then open the ledger again: what was synced is found there")
            .with_source(source)
    }

    /// The spool if this handle has it open.
    fn opened(&self, recording: &CustodyId) -> Result<Option<Arc<Mutex<Live>>>> {
        Ok(lock(&self.live)?.get(recording).map(Arc::clone))
    }

    fn live(&self, recording: &CustodyId) -> Result<Arc<Mutex<Live>>> {
        let mut live = lock(&self.live)?;
        if let Some(found) = live.get(recording) {
            return Ok(Arc::clone(found));
        }
        let opened = Arc::new(Mutex::new(self.begin_or_continue(recording)?));
        live.insert(*recording, Arc::clone(&opened));
        Ok(opened)
    }

    fn begin_or_continue(&self, recording: &CustodyId) -> Result<Live> {
        let path = self.path(recording);
        match self.files.open(&path, true) {
            Ok(file) => self.carry_on(&path, file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.begin(&path),
            Err(e) => Err(io_error("open", &path, e)),
        }
    }

    fn write(&self, live: &mut Live, path: &Path, frame: &[u8]) -> Result<()> {
        match live.file.write_at(live.end, frame) {
            Ok(()) => live.end = live.end.saturating_add(frame.len() as u64),
            Err(e) if is_full(&e) => return Err(io_error("append to", path, e)),
            Err(e) => return Err(self.broken("append to", path, e)),
        }
        Ok(())
    }

    /// Made, but not durable by name before the first sync: a crash until then leaves no file or an empty one.
    fn begin(&self, path: &Path) -> Result<Live> {
        if !self.files.exists(&self.folder).map_err(|e| io_error("look at", &self.folder, e))? {
            self.files.create_dir_all(&self.folder).map_err(|e| io_error("make the folder", &self.folder, e))?;
            let above = parent(&self.folder);
            self.files.sync_dir(above).map_err(|e| io_error("sync", above, e))?;
        }
        let file = self.files.create_new(path).map_err(|e| io_error("make", path, e))?;
        Ok(Live { file, end: 0, is_name_new: true, is_closed: false })
    }

    /// A spool of an earlier run. What a crash tore is zeroed first: under a shorter new piece it
    /// could otherwise end with a frame that looks whole and was never in this place.
    fn carry_on(&self, path: &Path, file: Arc<dyn File>) -> Result<Live> {
        let bytes = read_whole(file.as_ref()).map_err(|e| io_error("read", path, e))?;
        let end = frames(&bytes).map(|(_, end)| end).last().unwrap_or(0);
        if let Some(torn) = bytes.get(end..).filter(|rest| rest.iter().any(|b| *b != 0)) {
            file.write_at(end as u64, &vec![0; torn.len()]).map_err(|e| self.broken("write to", path, e))?;
        }
        // Whether the name was ever synced is not known.
        Ok(Live { file, end: end as u64, is_name_new: true, is_closed: false })
    }
}

impl Spool for EmbeddedSpool {
    fn append(&self, recording: &CustodyId, sealed: &[u8]) -> Result<()> {
        self.check()?;
        let frame = framed(sealed)?;
        loop {
            let live = self.live(recording)?;
            let mut live = lock(&live)?;
            if !live.is_closed {
                return self.write(&mut live, &self.path(recording), &frame);
            }
            // Closed between the look-up and here: the next look-up begins anew.
        }
    }

    fn sync(&self, recording: &CustodyId) -> Result<()> {
        self.check()?;
        let Some(live) = self.opened(recording)? else { return Ok(()) };
        let mut live = lock(&live)?;
        live.file.sync_data().map_err(|e| self.broken("sync", &self.path(recording), e))?;
        if live.is_name_new {
            self.files.sync_dir(&self.folder).map_err(|e| self.broken("sync", &self.folder, e))?;
            live.is_name_new = false;
        }
        Ok(())
    }

    fn pieces(&self, recording: &CustodyId) -> Result<Vec<Vec<u8>>> {
        self.check()?;
        let opened = self.opened(recording)?;
        // Held while reading, so that no half-written piece is taken for a cut tail.
        let held = opened.as_ref().map(|live| lock(live)).transpose()?;
        let path = self.path(recording);
        let file = match &held {
            Some(live) if !live.is_closed => Arc::clone(&live.file),
            _ => self.files.open(&path, false).map_err(|e| match e.kind() {
                io::ErrorKind::NotFound => not_found(recording),
                _ => io_error("open", &path, e),
            })?,
        };
        let bytes = read_whole(file.as_ref()).map_err(|e| io_error("read", &path, e))?;
        Ok(frames(&bytes).map(|(piece, _)| piece.to_vec()).collect())
    }

    fn recordings(&self) -> Result<Vec<CustodyId>> {
        self.check()?;
        let entries = match self.files.list(&self.folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|e| io_error("list", &self.folder, e))?,
        };
        Ok(entries.iter().filter(|e| !e.is_dir).filter_map(|e| recording_of(&e.name)).collect())
    }

    fn close(&self, recording: &CustodyId) -> Result<()> {
        self.check()?;
        let mut spools = lock(&self.live)?;
        if let Some(live) = spools.remove(recording) {
            lock(&live)?.is_closed = true;
        }
        let path = self.path(recording);
        match self.files.remove_file(&path) {
            Ok(()) => self.files.sync_dir(&self.folder).map_err(|e| io_error("sync", &self.folder, e)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(io_error("remove", &path, e)),
        }
    }
}

fn framed(piece: &[u8]) -> Result<Vec<u8>> {
    let length = u32::try_from(piece.len())
        .map_err(|_| {
            Error::new(Code::Limit, format!("a piece of a recording has {} bytes, more than 4 GB", piece.len()))
        })?
        .to_be_bytes();
    let check = sha256_parts(&[&length, piece]);
    let mut frame = Vec::with_capacity(piece.len().saturating_add(LENGTH_BYTES).saturating_add(CHECK_BYTES));
    frame.extend_from_slice(&length);
    frame.extend_from_slice(piece);
    frame.extend(check.iter().take(CHECK_BYTES));
    Ok(frame)
}

/// The whole pieces from the start on, each with the offset where its frame ends.
fn frames(bytes: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<LENGTH_BYTES>()?;
        let (piece, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let (check, after) = after.split_first_chunk::<CHECK_BYTES>()?;
        if !sha256_parts(&[length, piece]).starts_with(check) {
            return None;
        }
        rest = after;
        Some((piece, bytes.len().saturating_sub(after.len())))
    })
}

fn read_whole(file: &dyn File) -> io::Result<Vec<u8>> {
    let bytes = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut all = vec![0; bytes];
    let read = file.read_at(0, &mut all)?;
    all.truncate(read);
    Ok(all)
}

fn recording_of(name: &str) -> Option<CustodyId> {
    let id = CustodyId::from_slice(&hex::decode(name).ok()?)?;
    (id.to_hex() == name).then_some(id)
}

fn lock<T>(mutex: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    mutex
        .lock()
        .map_err(|_| Error::new(Code::Broken, "a thread failed while it changed a spool; open the ledger again"))
}

fn not_found(recording: &CustodyId) -> Error {
    Error::new(Code::NotFound, format!("there is no spool of a recording {}", recording.to_hex()))
}

fn io_error(doing: &str, path: &Path, source: io::Error) -> Error {
    if is_full(&source) {
        return Error::new(Code::StoreFull, format!("no room to {doing} {}", shown(path)))
            .with_hint("make room on that disk or raise the quota; what was synced is not lost")
            .with_source(source);
    }
    Error::new(Code::Io, format!("cannot {doing} {}", shown(path))).with_source(source)
}

fn is_full(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn shown(path: &Path) -> String {
    visible(path.as_os_str().as_encoded_bytes())
}

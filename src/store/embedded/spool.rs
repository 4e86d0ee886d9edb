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
use crate::codec::limits::OBJECT_RAW_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::store::contracts::{Spool, SpoolReader};
use crate::store::files::{File, FileLock, Files, create_dir_durable, parent};

const LENGTH_BYTES: usize = 4;
const CHECK_BYTES: usize = 8;
/// Longest piece: that of a frame of the longest kind, sealed.
const PIECE_BYTES_MAX: usize = OBJECT_RAW_BYTES_MAX + OBJECT_RAW_BYTES_MAX / 8;
/// A torn end is looked at and zeroed in steps of so many bytes.
const SWEEP_BYTES: usize = 64 << 10;
/// Spools of one recording that are put aside, at most.
const NAMES_MAX: u32 = 1_000;

/// The spools of live recordings in one folder.
///
/// One process writes; a failed write or sync poisons the whole handle, but for reading. A full disk does not: what
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
        self.make_folder()?;
        let file = self.files.create_new(path).map_err(|e| io_error("make", path, e))?;
        Ok(Live { file, end: 0, is_name_new: true, is_closed: false })
    }

    fn make_folder(&self) -> Result<()> {
        if !self.files.exists(&self.folder).map_err(|e| io_error("look at", &self.folder, e))? {
            self.files.create_dir_all(&self.folder).map_err(|e| io_error("make the folder", &self.folder, e))?;
            let above = parent(&self.folder);
            self.files.sync_dir(above).map_err(|e| io_error("sync", above, e))?;
        }
        Ok(())
    }

    /// A spool of an earlier run. What a crash tore is zeroed first: under a shorter new piece it
    /// could otherwise end with a frame that looks whole and was never in this place.
    fn carry_on(&self, path: &Path, file: Arc<dyn File>) -> Result<Live> {
        let mut reader = Reader::over(file.clone(), path, self.files.clone());
        while reader.next_piece()?.is_some() {}
        let (mut at, end) = (reader.at, file.len().map_err(|e| io_error("read", path, e))?);
        let (mut buffer, zeros) = (vec![0; SWEEP_BYTES], vec![0; SWEEP_BYTES]);
        while at < end {
            let read = file.read_at(at, &mut buffer).map_err(|e| io_error("read", path, e))?;
            let torn = buffer.get(..read).is_some_and(|rest| rest.iter().any(|b| *b != 0));
            if torn && let Some(zeros) = zeros.get(..read) {
                file.write_at(at, zeros).map_err(|e| self.broken("write to", path, e))?;
            }
            at = at.saturating_add(read.max(1) as u64);
        }
        // Whether the name was ever synced is not known.
        Ok(Live { file, end: reader.at, is_name_new: true, is_closed: false })
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

    /// Also after a failed write or sync: whoever seals what is there gives it another place, and makes that durable.
    fn reader(&self, recording: &CustodyId) -> Result<Box<dyn SpoolReader>> {
        let path = self.path(recording);
        let file = self.files.open(&path, false).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => not_found(recording),
            _ => io_error("open", &path, e),
        })?;
        Ok(Box::new(Reader::over(file, &path, self.files.clone())))
    }

    fn hold(&self, recording: &CustodyId) -> Result<Option<Box<dyn FileLock>>> {
        self.check()?;
        self.make_folder()?;
        let path = self.path(recording);
        self.files.try_lock(&path).map_err(|e| io_error("lock", &path, e))
    }

    fn is_held(&self, recording: &CustodyId) -> Result<bool> {
        let path = self.path(recording);
        if !self.files.exists(&path).map_err(|e| io_error("look at", &path, e))? {
            return Ok(false);
        }
        self.files.try_lock(&path).map(|held| held.is_none()).map_err(|e| io_error("lock", &path, e))
    }

    fn recordings(&self) -> Result<Vec<CustodyId>> {
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

    fn put_aside(&self, recording: &CustodyId) -> Result<String> {
        self.check()?;
        let mut spools = lock(&self.live)?;
        if let Some(live) = spools.remove(recording) {
            lock(&live)?.is_closed = true;
        }
        let (from, quarantine) = (self.path(recording), parent(&self.folder).join("quarantine"));
        let aside = || -> io::Result<PathBuf> {
            create_dir_durable(&*self.files, &quarantine)?;
            let to = free_name(&*self.files, &quarantine, recording)?;
            self.files.rename_noreplace(&from, &to)?;
            // A crash between the two leaves both names, or none that lasts of the new one: never neither.
            self.files.sync_dir(&quarantine)?;
            self.files.sync_dir(&self.folder)?;
            Ok(to)
        };
        match aside() {
            Ok(to) => Ok(shown(&to)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(not_found(recording)),
            Err(e) => Err(io_error("put aside", &from, e)),
        }
    }
}

/// Reads one file from the first piece on, also while it grows.
struct Reader {
    files: Arc<dyn Files>,
    file: Arc<dyn File>,
    path: PathBuf,
    /// End of the last piece given.
    at: u64,
    /// Everything up to here is durable, as far as this reader made it so.
    durable_to: u64,
    is_broken: bool,
}

impl Reader {
    fn over(file: Arc<dyn File>, path: &Path, files: Arc<dyn Files>) -> Self {
        Self { files, file, path: path.to_owned(), at: 0, durable_to: 0, is_broken: false }
    }

    /// Exactly so many bytes from there on; `None` where the file ends before.
    fn bytes(&self, at: u64, count: usize) -> Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; count];
        let read = self.file.read_at(at, &mut bytes).map_err(|e| io_error("read", &self.path, e))?;
        Ok((read == count).then_some(bytes))
    }

    /// Makes everything that is there durable, whoever wrote it. The writer of the spool is told of a failure by its own next
    /// sync: each handle learns of it once. Here nothing is tried again, for what a failed sync lost still reads well.
    fn sync(&mut self) -> Result<()> {
        let end = self.file.len().map_err(|e| io_error("read", &self.path, e))?;
        if let Err(e) = self.file.sync_data() {
            self.is_broken = true;
            let words = format!("cannot sync {}; it is not read on", shown(&self.path));
            return Err(Error::new(Code::Broken, words)
                .with_hint("look at the disk: what was shown until now is durable")
                .with_source(e));
        }
        self.durable_to = end;
        Ok(())
    }
}

impl SpoolReader for Reader {
    fn next_piece(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(head) = self.bytes(self.at, LENGTH_BYTES)? else { return Ok(None) };
        let length = head.first_chunk().map_or(0, |length| u32::from_be_bytes(*length)) as usize;
        // What is longer than any piece is a torn one, and no reason to ask for memory.
        if length > PIECE_BYTES_MAX {
            return Ok(None);
        }
        let behind = self.at.saturating_add(LENGTH_BYTES as u64);
        let Some(mut piece) = self.bytes(behind, length.saturating_add(CHECK_BYTES))? else { return Ok(None) };
        let check = piece.split_off(length);
        if !sha256_parts(&[&head, &piece]).starts_with(&check) {
            return Ok(None);
        }
        self.at = behind.saturating_add(length as u64).saturating_add(CHECK_BYTES as u64);
        Ok(Some(piece))
    }

    fn next_durable_piece(&mut self) -> Result<Option<Vec<u8>>> {
        if self.is_broken {
            return Err(Error::new(Code::Broken, format!("a sync of {} failed before", shown(&self.path))));
        }
        let before = self.at;
        let piece = self.next_piece()?;
        if piece.is_some()
            && self.at > self.durable_to
            && let Err(e) = self.sync()
        {
            self.at = before;
            return Err(e);
        }
        Ok(piece)
    }

    fn has_durable(&self) -> bool {
        self.at < self.durable_to
    }

    fn bytes_behind(&self) -> Result<u64> {
        let bytes = self.file.len().map_err(|e| io_error("read", &self.path, e))?;
        Ok(bytes.saturating_sub(self.at))
    }

    fn is_closed(&self) -> Result<bool> {
        self.files.exists(&self.path).map(|there| !there).map_err(|e| io_error("look at", &self.path, e))
    }

    fn is_held(&self) -> Result<bool> {
        self.files.is_locked(&self.path).map_err(|e| io_error("look at", &self.path, e))
    }
}

/// A name that nothing has yet.
fn free_name(files: &dyn Files, folder: &Path, recording: &CustodyId) -> io::Result<PathBuf> {
    let name = |n: u32| folder.join(format!("spool-{}.{n}", recording.to_hex()));
    for n in 0..NAMES_MAX {
        if !files.exists(&name(n))? {
            return Ok(name(n));
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many spools of this recording were put aside"))
}

fn framed(piece: &[u8]) -> Result<Vec<u8>> {
    let too_long = || {
        let words = format!("a piece of a recording has {} bytes; {PIECE_BYTES_MAX} is the most", piece.len());
        Error::new(Code::Limit, words)
    };
    let length = u32::try_from(piece.len()).ok().filter(|n| *n as usize <= PIECE_BYTES_MAX).ok_or_else(too_long)?;
    let length = length.to_be_bytes();
    let check = sha256_parts(&[&length, piece]);
    let mut frame = Vec::with_capacity(piece.len().saturating_add(LENGTH_BYTES).saturating_add(CHECK_BYTES));
    frame.extend_from_slice(&length);
    frame.extend_from_slice(piece);
    frame.extend(check.iter().take(CHECK_BYTES));
    Ok(frame)
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

//! Opening sled, and what must hold before and after.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::guard::{Lost, Worker};
use crate::codec::escape::visible;
use crate::store::files::{Entry, File, Files, parent, refuse_linked_folder};

/// sled's own cache; its default of 1 GiB was measured to be taken in full.
const CACHE_BYTES: u64 = 16 << 20;
/// sled's file lock may outlive its `Db` for a moment while its threads finish.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// How a database is opened; tests put one here that hangs.
pub(super) type Opener = Arc<dyn Fn(&Path) -> sled::Result<sled::Db> + Send + Sync>;

/// A database in use.
pub(super) struct Live {
    pub(super) db: sled::Db,
    pub(super) worker: Worker,
    /// sled's `flush` does not fsync on Linux. An error of earlier writes is told to every descriptor
    /// that was open then, so ours are held from the start.
    synced: [Arc<dyn File>; 2],
    blobs: PathBuf,
}

/// Why there is no database, and the thread that still hangs in it.
pub(super) struct NotOpened {
    pub(super) cause: String,
    /// Somebody else has it open: nothing is known against it.
    pub(super) is_busy: bool,
    pub(super) stuck: Option<std::thread::JoinHandle<()>>,
}

impl NotOpened {
    fn because(cause: impl Into<String>) -> Self {
        Self { cause: cause.into(), is_busy: false, stuck: None }
    }
}

/// Opens sled as `docs/format/store-embedded.md` section 8 wants it.
pub(super) fn open_sled(folder: &Path) -> sled::Result<sled::Db> {
    let config = sled::Config::new()
        .path(folder)
        .flush_every_ms(None)
        .cache_capacity(CACHE_BYTES)
        .use_compression(false)
        .mode(sled::Mode::HighThroughput);
    let since = Instant::now();
    loop {
        match config.open() {
            Err(e) if is_locked(&e) && since.elapsed() < LOCK_WAIT => std::thread::sleep(Duration::from_millis(5)),
            other => return other,
        }
    }
}

/// sled gives this case no kind of its own.
fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(e) if e.to_string().contains("could not acquire lock"))
}

/// Opens the database on a thread of its own, within `limit`, and makes what it created durable.
pub(super) fn open(files: &dyn Files, folder: &Path, opener: &Opener, limit: Duration) -> Result<Live, NotOpened> {
    if !files.is_real() {
        return Err(NotOpened::because("sled needs real files, and this file system is simulated"));
    }
    prepare(files, folder).map_err(NotOpened::because)?;
    let worker = Worker::start().map_err(|lost| NotOpened::because(words(&lost)))?;
    let (path, opener) = (folder.to_owned(), Arc::clone(opener));
    let db = match worker.run(limit, move || opener(&path)) {
        Ok(Ok(db)) => db,
        Ok(Err(e)) => return Err(NotOpened { is_busy: is_locked(&e), ..NotOpened::because(told(&e)) }),
        Err(Lost::Stuck) => {
            return Err(NotOpened { stuck: Some(worker.finish()), ..NotOpened::because(words(&Lost::Stuck)) });
        }
        Err(lost) => return Err(NotOpened::because(words(&lost))),
    };
    let handle = |name: &str| files.open(&folder.join(name), true).map_err(|e| format!("{name} cannot be opened: {e}"));
    let synced = match (handle("db"), handle("conf")) {
        (Ok(db_file), Ok(conf_file)) => [db_file, conf_file],
        (Err(cause), _) | (_, Err(cause)) => return Err(give_up(db, worker, limit, cause)),
    };
    let live = Live { db, worker, synced, blobs: folder.join("blobs") };
    let settled = live
        .flush(files, limit)
        .and_then(|()| files.sync_dir(folder).map_err(|e| format!("the folder cannot be synced: {e}")));
    match settled {
        Ok(()) => Ok(live),
        Err(cause) => Err(give_up(live.db, live.worker, limit, cause)),
    }
}

fn give_up(db: sled::Db, worker: Worker, limit: Duration, cause: String) -> NotOpened {
    NotOpened { stuck: close(db, worker, limit), ..NotOpened::because(cause) }
}

/// Drops the database on its thread. The thread, if it did not come back.
fn close(db: sled::Db, worker: Worker, limit: Duration) -> Option<std::thread::JoinHandle<()>> {
    let closed = worker.run(limit, move || drop(db));
    let thread = worker.finish();
    matches!(closed, Err(Lost::Stuck)).then_some(thread)
}

/// Looks at the folder before sled does, for sled changes what it finds.
fn prepare(files: &dyn Files, folder: &Path) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("the folder cannot be prepared: {e}");
    refuse_linked_folder(files, folder).map_err(failed)?;
    files.create_dir_all(folder).map_err(failed)?;
    files.sync_dir(parent(folder)).map_err(failed)?;
    let entries = files.list(folder).map_err(failed)?;
    if let Some(entry) = entries.iter().find(|e| !is_sleds(e)) {
        return Err(format!(
            "{} is nothing that sled makes: a link, a device or a folder",
            visible(entry.name.as_bytes())
        ));
    }
    let has_db = entries.iter().any(|e| e.name == "db");
    if !has_db && entries.iter().any(|e| e.name.starts_with("snap.")) {
        return Err("there is a snapshot without its database".to_owned());
    }
    no_blobs(files, &folder.join("blobs"))
}

/// sled opens its files by name, makes them where they are missing and writes into them before anybody asks it for
/// anything. It follows links: one planted here would lead it to any file that this user may write.
fn is_sleds(entry: &Entry) -> bool {
    entry.is_plain && entry.is_dir == (entry.name == "blobs")
}

/// sled moves large pages to files that it never syncs. Our values are too small for that; a file
/// there means that something else wrote here.
fn no_blobs(files: &dyn Files, blobs: &Path) -> Result<(), String> {
    match files.list(blobs) {
        Ok(entries) if entries.is_empty() => Ok(()),
        Ok(entries) => Err(format!("blobs/ holds {} files and must be empty", entries.len())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(format!("blobs/ cannot be listed: {e}")),
    }
}

impl Live {
    /// sled's flush, then the fsync it leaves out.
    pub(super) fn flush(&self, files: &dyn Files, limit: Duration) -> Result<(), String> {
        let db = self.db.clone();
        self.worker.run(limit, move || db.flush()).map_err(|lost| words(&lost))?.map_err(|e| told(&e))?;
        for file in &self.synced {
            file.sync_data().map_err(|e| format!("syncing failed: {e}"))?;
        }
        no_blobs(files, &self.blobs)
    }

    /// Ends it; the thread, if it hangs in that.
    pub(super) fn close(self, limit: Duration) -> Option<std::thread::JoinHandle<()>> {
        close(self.db, self.worker, limit)
    }
}

/// sled's own words, harmless.
pub(super) fn told(error: &sled::Error) -> String {
    visible(error.to_string().as_bytes())
}

/// Words for a call without a result.
pub(super) fn words(lost: &Lost) -> String {
    match lost {
        Lost::Panicked(said) => format!("sled panicked: {said}"),
        Lost::Stuck => "sled did not answer in time".to_owned(),
        Lost::NoThread => "no thread could be started for it".to_owned(),
    }
}

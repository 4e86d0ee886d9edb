//! What somebody would write instead: SQLite with a log table whose rows hash each other, one writer that commits for all who
//! wait. Durable (WAL, synchronous=FULL) and chained in the client; nothing is sealed, signed, or provable to others.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

const GROUP_MAX: usize = 1_024;
const QUEUE_MAX: usize = 4_096;

/// One act to be made durable.
pub enum Act {
    /// A tape and its log row.
    Save { name: String, errors: u64, bytes: Vec<u8> },
    /// A log row alone: a read, a list.
    Note { kind: &'static str, subject: [u8; 32] },
}

struct Asked {
    act: Act,
    answer: oneshot::Sender<[u8; 32]>,
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Sqlite {
    queue: mpsc::Sender<Asked>,
    path: PathBuf,
}

fn open(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "synchronous", "FULL").unwrap();
    db
}

impl Sqlite {
    pub fn create(path: &Path) -> Self {
        let db = open(path);
        db.execute_batch(
            "CREATE TABLE tapes (id BLOB PRIMARY KEY, name TEXT, errors INTEGER, bytes BLOB) WITHOUT ROWID;
             CREATE INDEX by_errors ON tapes (errors);
             CREATE TABLE log (n INTEGER PRIMARY KEY, kind TEXT, subject BLOB, previous BLOB, hash BLOB);",
        )
        .unwrap();
        let (queue, mut asked) = mpsc::channel::<Asked>(QUEUE_MAX);
        std::thread::spawn(move || {
            let (mut n, mut last) = (0i64, [0u8; 32]);
            while let Some(first) = asked.blocking_recv() {
                let mut group = vec![first];
                while group.len() < GROUP_MAX
                    && let Ok(next) = asked.try_recv()
                {
                    group.push(next);
                }
                let ids = commit(&db, &group, &mut n, &mut last);
                for (asked, id) in group.into_iter().zip(ids) {
                    let _caller_may_be_gone = asked.answer.send(id);
                }
            }
        });
        Self { queue, path: path.to_owned() }
    }

    pub async fn ask(&self, act: Act) -> [u8; 32] {
        let (answer, wait) = oneshot::channel();
        self.queue.send(Asked { act, answer }).await.ok().unwrap();
        wait.await.unwrap()
    }

    /// A connection for reading.
    pub fn reader(&self) -> Connection {
        open(&self.path)
    }
}

/// One transaction for all of them; durable on return.
fn commit(db: &Connection, group: &[Asked], n: &mut i64, last: &mut [u8; 32]) -> Vec<[u8; 32]> {
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ids = group
        .iter()
        .map(|asked| {
            let (kind, subject) = match &asked.act {
                Act::Note { kind, subject } => (*kind, *subject),
                Act::Save { name, errors, bytes } => {
                    let id: [u8; 32] = Sha256::digest(bytes).into();
                    let mut put = db.prepare_cached("INSERT INTO tapes VALUES (?1, ?2, ?3, ?4)").unwrap();
                    put.execute(params![&id[..], name, *errors as i64, bytes]).unwrap();
                    ("saved", id)
                }
            };
            let hash = row_hash(*n, kind, &subject, last);
            let mut put = db.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5)").unwrap();
            put.execute(params![*n, kind, &subject[..], &last[..], &hash[..]]).unwrap();
            (*n, *last) = (*n + 1, hash);
            subject
        })
        .collect();
    db.execute_batch("COMMIT").unwrap();
    ids
}

fn row_hash(n: i64, kind: &str, subject: &[u8], previous: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(n.to_be_bytes())
        .chain_update(kind)
        .chain_update(subject)
        .chain_update(previous)
        .finalize()
        .into()
}

/// The bytes of a tape.
pub fn read(db: &Connection, id: &[u8; 32]) -> Option<Vec<u8>> {
    let mut get = db.prepare_cached("SELECT bytes FROM tapes WHERE id = ?1").unwrap();
    get.query_row([&id[..]], |row| row.get(0)).optional().unwrap()
}

/// Names of the tapes with errors.
pub fn with_errors(db: &Connection) -> Vec<String> {
    let mut get = db.prepare_cached("SELECT name FROM tapes WHERE errors > 0").unwrap();
    get.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Recomputes every row of the log and the id of every tape; how many rows, how many tapes.
pub fn verify(db: &Connection) -> (u64, u64) {
    let (mut rows, mut last) = (0, [0u8; 32]);
    let mut get = db.prepare("SELECT n, kind, subject, previous, hash FROM log ORDER BY n").unwrap();
    let mut found = get.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let (n, kind): (i64, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        let (subject, previous, hash): (Vec<u8>, Vec<u8>, Vec<u8>) =
            (row.get(2).unwrap(), row.get(3).unwrap(), row.get(4).unwrap());
        assert_eq!(previous, last);
        last = row_hash(n, &kind, &subject, &previous);
        assert_eq!(hash, last);
        rows += 1;
    }
    let mut tapes = 0;
    let mut get = db.prepare("SELECT id, bytes FROM tapes").unwrap();
    let mut found = get.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let (id, bytes): (Vec<u8>, Vec<u8>) = (row.get(0).unwrap(), row.get(1).unwrap());
        assert_eq!(Sha256::digest(&bytes)[..], id);
        tapes += 1;
    }
    (rows, tapes)
}

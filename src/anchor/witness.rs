//! A small witness for other machines' logs: one head per origin, consistency checked, cosigned after it is durable
//! (C2SP tlog-witness).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::transport::Reply;
use crate::codec::digest::sha256;
use crate::codec::limits::NOTE_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::log::{Checkpoint, LogError, NoteKey, SignedNote};
use crate::proof::{CosignerKey, Policy, WitnessRequest, verify_consistency};
use crate::seal::Signer;
use crate::store::files::{FileLock, Files, code_of, create_dir_durable, write_atomic};
use crate::time::Clock;

/// Path at which a witness shows the head that it holds of a log, from its address on.
///
/// ```
/// assert!(immutape::anchor::monitor_path("example.com/log").ends_with("/checkpoint"));
/// ```
#[must_use]
pub fn monitor_path(origin: &str) -> String {
    format!("/{}/checkpoint", hex::encode(sha256(origin.as_bytes())))
}

/// A witness over a folder.
pub struct WitnessServer {
    key: CosignerKey,
    signer: Box<dyn Signer>,
    logs: Vec<NoteKey>,
    files: Arc<dyn Files>,
    clock: Arc<dyn Clock>,
    folder: PathBuf,
    /// Looking and storing are one act: two requests must not both be judged by the same older head.
    one_at_a_time: Mutex<()>,
    _only_process: Box<dyn FileLock>,
}

impl WitnessServer {
    /// A witness named `name` for the logs of a policy, which keeps one head of each in `folder`.
    ///
    /// # Errors
    /// `E_EMPTY_INPUT` for a policy without logs, `E_USAGE` for a name that no key can have; `E_LOCKED` while another process serves this folder;
    /// `E_IO`.
    pub fn open(
        name: &str,
        signer: Box<dyn Signer>,
        logs: &Policy,
        folder: &Path,
        files: Arc<dyn Files>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let key = CosignerKey::new(name, signer.public_key()).map_err(|e| Error::new(Code::Usage, e.to_string()))?;
        if logs.logs().is_empty() {
            return Err(Error::new(Code::EmptyInput, "the policy names no log to witness")
                .with_hint("add a line `log VKEY`; `immutape checkpoint --key` prints the key of a ledger"));
        }
        if logs.logs().iter().any(|log| log.key.key() == key.key()) {
            return Err(Error::new(Code::Usage, "the key of the witness is that of a log"));
        }
        let io = |e| Error::new(code_of(&e), "the folder of the witness cannot be used").with_source(e);
        create_dir_durable(&*files, folder).map_err(io)?;
        let lock = files.try_lock(&folder.join("lock")).map_err(io)?;
        let lock = lock.ok_or_else(|| Error::new(Code::Locked, "another process serves this folder"))?;
        Ok(Self {
            key,
            signer,
            logs: logs.logs().iter().map(|log| log.key.clone()).collect(),
            files,
            clock,
            folder: folder.to_owned(),
            one_at_a_time: Mutex::new(()),
            _only_process: lock,
        })
    }

    /// Its verifier key, for the policies of others.
    #[must_use]
    pub const fn key(&self) -> &CosignerKey {
        &self.key
    }

    /// Answers one request.
    #[must_use]
    pub fn answer(&self, method: &str, path: &str, body: &[u8]) -> Reply {
        match (method, path) {
            ("POST", "/add-checkpoint") => match std::str::from_utf8(body).map(WitnessRequest::parse) {
                Ok(Ok(request)) => self.add(&request),
                Ok(Err(e)) => Reply::text(400, format!("{e}\n")),
                Err(_) => Reply::text(400, "not text\n"),
            },
            ("GET", path) => match self.logs.iter().find(|log| monitor_path(log.name()) == path) {
                Some(log) => self.show(log.name()),
                None => Reply::text(404, "no such log\n"),
            },
            _ => Reply::text(405, "GET a checkpoint, or POST /add-checkpoint\n"),
        }
    }

    fn show(&self, origin: &str) -> Reply {
        match self.held(origin) {
            Ok(Some(held)) => Reply::text(200, held.note),
            Ok(None) => Reply::text(404, "no head of this log yet\n"),
            Err(_) => Reply::text(500, "the head that is held cannot be read\n"),
        }
    }

    fn add(&self, request: &WitnessRequest) -> Reply {
        let origin = request.note.split('\n').next().unwrap_or_default();
        let keys: Vec<&NoteKey> = self.logs.iter().filter(|log| log.name() == origin).collect();
        if keys.is_empty() {
            return Reply::text(404, "no such log\n");
        }
        let head = match signed_by_any(&request.note, &keys) {
            Some(Ok(head)) => head,
            Some(Err(e)) => return Reply::text(422, format!("{e}\n")),
            None => return Reply::text(403, "not signed by a known key of this log\n"),
        };
        if request.old_size > head.size {
            return Reply::text(400, "the old size is larger than the head\n");
        }
        let _alone = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        match self.judge(request, &head) {
            Ok(refused @ Some(_)) => refused.unwrap_or_else(|| Reply::text(500, "")),
            Ok(None) => self.cosign(&head, &request.note, &keys).unwrap_or_else(|e| Reply::text(500, format!("{e}\n"))),
            Err(e) => Reply::text(500, format!("{e}\n")),
        }
    }

    /// What keeps the head from being cosigned.
    fn judge(&self, request: &WitnessRequest, head: &Checkpoint) -> Result<Option<Reply>> {
        let held = self.held(&head.origin)?;
        let (size, root) = match &held {
            Some(held) => (held.checkpoint.size, held.checkpoint.root),
            None => (0, crate::log::root_of(&[])),
        };
        if request.old_size != size {
            let content_type = Some("text/x.tlog.size".to_owned());
            return Ok(Some(Reply { content_type, ..Reply::text(409, format!("{size}\n")) }));
        }
        if size == head.size && root != head.root {
            return Ok(Some(Reply::text(422, "the same size and another root\n")));
        }
        Ok(match verify_consistency(size, head.size, &request.path, &root, &head.root) {
            Ok(()) => None,
            Err(_) => Some(Reply::text(422, "the head does not extend the one that is held\n")),
        })
    }

    /// Makes the head durable, and only then gives its signature out. A crash between leaves a head that is held and that
    /// nobody got a signature of: asked again, it is given.
    fn cosign(&self, head: &Checkpoint, note: &str, keys: &[&NoteKey]) -> Result<Reply> {
        let time_s = self.clock.read().wall.as_ms() / 1_000;
        let parsed = SignedNote::parse(note)?;
        let line = self.key.cosign(parsed.text(), time_s, &*self.signer)?.to_line();
        let note = parsed.with_only(|s| keys.iter().any(|key| key.is_of(s)));
        let io = |e| Error::new(code_of(&e), "the head cannot be made durable").with_source(e);
        write_atomic(&*self.files, &self.path(&head.origin), format!("{note}{line}").as_bytes()).map_err(io)?;
        Ok(Reply::text(200, line))
    }

    fn path(&self, origin: &str) -> PathBuf {
        self.folder.join(format!("{}.note", hex::encode(sha256(origin.as_bytes()))))
    }

    fn held(&self, origin: &str) -> Result<Option<Held>> {
        let damaged =
            || Error::new(Code::HeadInvalid, "the head that is held does not hold; nothing is cosigned for this log");
        let bytes = match self.files.read(&self.path(origin), NOTE_BYTES_MAX as u64) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::new(Code::Io, "the head that is held cannot be read").with_source(e)),
        };
        let note = String::from_utf8(bytes).map_err(|_| damaged())?;
        let keys: Vec<&NoteKey> = self.logs.iter().filter(|log| log.name() == origin).collect();
        let checkpoint = signed_by_any(&note, &keys).and_then(std::result::Result::ok).ok_or_else(damaged)?;
        // Its own signature on it: nobody else put it there.
        let own = SignedNote::parse(&note).and_then(|parsed| self.key.time_on(&parsed));
        if !matches!(own, Ok(Some(_))) {
            return Err(damaged());
        }
        Ok(Some(Held { checkpoint, note }))
    }
}

struct Held {
    checkpoint: Checkpoint,
    note: String,
}

/// The head that a note says, if one of these keys signed it and none of their signatures fails.
/// One that is signed and can be no head is an error.
fn signed_by_any(note: &str, keys: &[&NoteKey]) -> Option<std::result::Result<Checkpoint, LogError>> {
    let mut found = None;
    for key in keys {
        match Checkpoint::from_note(note, key) {
            Ok(head) => found = Some(Ok(head)),
            Err(LogError::Unsigned) => {}
            Err(e @ LogError::Checkpoint(_)) => return Some(Err(e)),
            Err(_) => return None,
        }
    }
    found
}

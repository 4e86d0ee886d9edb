//! One pipe copied to another, and heard on the way.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use crate::time::{Clock, Reading};

/// Bytes copied at once.
const COPY_BYTES: usize = 64 << 10;

/// Which pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From who started the recorder to the program.
    In,
    /// The program's answers.
    Out,
    /// What the program tells people.
    Err,
}

/// What was heard.
pub(super) enum Heard {
    Bytes {
        way: Way,
        bytes: Vec<u8>,
        at: Reading,
    },
    /// The pipe ended, or nobody takes what comes through it; `undelivered` was read and could not be passed on.
    End {
        way: Way,
        undelivered: u64,
        at: Reading,
    },
    /// Something that happened to the program.
    Told {
        words: String,
        at: Reading,
    },
    /// Nothing more is to be waited for.
    Stop,
}

/// What all pumps share.
pub(super) struct Pumps {
    pub clock: Arc<dyn Clock>,
    pub heard: SyncSender<Heard>,
    /// Nothing more may pass: it could not be recorded.
    pub is_stopped: AtomicBool,
    /// Rises with every copied piece.
    pub copied: AtomicU64,
}

impl Pumps {
    /// Copies until the pipe ends or nobody takes more.
    ///
    /// What is read is handed to the recorder first, which takes a moment, and then passed on: so a question is always on the
    /// tape before its answer. When the recorder has fallen far behind, this waits for it, and with it the session.
    pub(super) fn copy(&self, way: Way, from: &mut dyn Read, to: &mut dyn Write) {
        let mut buffer = vec![0; COPY_BYTES];
        let mut undelivered = 0;
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                // A pipe that cannot be read any more has ended.
                Err(_) => break,
            };
            let Some(bytes) = buffer.get(..read) else { break };
            let heard = Heard::Bytes { way, bytes: bytes.to_vec(), at: self.clock.read() };
            if self.heard.send(heard).is_err() || self.is_stopped.load(Ordering::Acquire) {
                break;
            }
            if to.write_all(bytes).and_then(|()| to.flush()).is_err() {
                undelivered = read as u64;
                break;
            }
            self.copied.fetch_add(1, Ordering::Relaxed);
        }
        let _nobody_listens = self.heard.send(Heard::End { way, undelivered, at: self.clock.read() });
    }
}

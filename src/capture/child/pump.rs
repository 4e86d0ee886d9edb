//! One pipe copied to another, and heard on the way.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

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
        /// Dropped when every line that ends in them is durable: nothing is passed on before.
        durable: Option<SyncSender<()>>,
    },
    /// The pipe ended, or nobody takes what comes through it; `undelivered` was read and could not be passed on.
    End { way: Way, undelivered: u64, at: Reading },
    /// Something that happened to the program.
    Told { words: String, at: Reading },
    /// Nothing more is to be waited for.
    Stop,
}

/// What all pumps share.
pub(super) struct Pumps {
    pub clock: Arc<dyn Clock>,
    pub heard: SyncSender<Heard>,
    /// Is nothing passed on before it is durable?
    pub is_each: bool,
    /// Nothing more may pass: it could not be recorded.
    pub is_stopped: AtomicBool,
    /// Rises with every copied piece.
    pub copied: AtomicU64,
}

impl Pumps {
    /// Copies until the pipe ends or nobody takes more.
    ///
    /// What is read is handed to the recorder first, which takes a moment, and then passed on: so a question is always on the
    /// tape before its answer. When the recorder has fallen far behind, this waits for it, and with it the session. Where frames
    /// are durable one by one it waits each time, until they are: what either side has seen no crash takes from the tape, up to
    /// the end of the last line. The bytes of a line that is longer than a piece pass before its end does.
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
            let (durable, is_durable) = self.is_each.then(|| sync_channel(1)).unzip();
            let heard = Heard::Bytes { way, bytes: bytes.to_vec(), at: self.clock.read(), durable };
            if self.heard.send(heard).is_err() {
                break;
            }
            if let Some(is_durable) = is_durable {
                let _dropped_when_it_is = is_durable.recv();
            }
            if self.is_stopped.load(Ordering::Acquire) {
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

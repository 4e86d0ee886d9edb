//! The writing end of a recording.

use std::sync::Arc;

use crate::codec::Writer;
use crate::codec::digest::{CustodyId, RootHash};
use crate::codec::random::{Random, bytes};
use crate::error::{Code, Error, Result};
use crate::log::{Frontier, leaf_hash};
use crate::seal::{TapeKeys, seal_live};
use crate::store::Spool;
use crate::store::files::FileLock;
use crate::tape::{LiveRecord, live_piece, write_frame_leaf};

/// A recording that was opened and not ended. Its records go into the spool, sealed; nothing of them is on the disk in
/// plain. Dropped without having been sealed it stays there, and the next start seals it as cut off.
pub struct LiveTape {
    pub(super) custody: CustodyId,
    pub(super) class: String,
    pub(super) namespace: String,
    pub(super) entry: u64,
    pub(super) spool: Arc<dyn Spool>,
    pub(super) hold: Box<dyn FileLock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) keys: Arc<TapeKeys>,
    /// Number of the next piece.
    pub(super) number: u64,
    /// Records in the spool, as far as appends succeeded.
    pub(super) records: u64,
    pub(super) tree: Frontier,
    pub(super) stored_bytes: u64,
}

/// How far a recording has come: what an entry of the log says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveMark {
    pub(super) custody: CustodyId,
    pub(super) class: String,
    /// Frames so far.
    pub frames: u64,
    /// RFC 6962 root over them; the tape that comes of the recording begins with the same frames.
    pub root: RootHash,
}

impl LiveMark {
    /// The recording that it is about.
    #[must_use]
    pub const fn custody(&self) -> CustodyId {
        self.custody
    }
}

impl std::fmt::Debug for LiveTape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveTape")
            .field("custody", &self.custody)
            .field("frames", &self.frames())
            .finish_non_exhaustive()
    }
}

impl LiveTape {
    /// The recording's custody id, and later the tape's.
    #[must_use]
    pub const fn custody(&self) -> CustodyId {
        self.custody
    }

    /// Index of the entry that opened it.
    #[must_use]
    pub const fn entry(&self) -> u64 {
        self.entry
    }

    /// Frames appended so far.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.tree.size()
    }

    /// Records in the spool whose append succeeded, the opening among them. One that failed may have reached the disk whole:
    /// then the spool has those of one append more.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Bytes in the spool.
    #[must_use]
    pub const fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// Appends records as one piece. Durable after [`LiveTape::sync`]. Either all of them are in the spool then, or none: after
    /// an error other than `E_BROKEN` the same call may be tried again.
    ///
    /// # Errors
    /// `E_USAGE` for a frame that is not the next, `E_LIMIT`, `E_NO_RANDOM`, `E_STORE_FULL`, `E_IO`, `E_BROKEN`.
    pub fn append(&mut self, records: &[LiveRecord]) -> Result<()> {
        let (mut tree, mut leaf) = (self.tree.clone(), Writer::new());
        for record in records {
            let LiveRecord::Frame(frame) = record else { continue };
            if frame.seq != tree.size() {
                let words = format!("frame {} was given where frame {} belongs", frame.seq, tree.size());
                return Err(Error::new(Code::Usage, words));
            }
            write_frame_leaf(&mut leaf, &frame.parts()?, &self.keys.frame_salt(frame.seq));
            tree.push(&leaf_hash(leaf.as_slice()));
        }
        let content = zeroize::Zeroizing::new(live_piece(self.number, records)?);
        let sealed = seal_live(&self.keys, bytes(&*self.random)?, &self.custody, self.number, &content)?;
        self.spool.append(&self.custody, &sealed)?;
        self.number = self.number.saturating_add(1);
        self.records = self.records.saturating_add(records.len() as u64);
        self.stored_bytes = self.stored_bytes.saturating_add(sealed.len() as u64);
        self.tree = tree;
        Ok(())
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// `E_BROKEN`.
    pub fn sync(&self) -> Result<()> {
        self.spool.sync(&self.custody)
    }

    /// How far it has come. To be written to the log by [`super::super::Ledger::mark_live`] when that much is durable.
    #[must_use]
    pub fn mark(&self) -> LiveMark {
        let (frames, root) = (self.tree.size(), self.tree.root());
        LiveMark { custody: self.custody, class: self.class.clone(), frames, root }
    }
}

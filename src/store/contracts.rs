//! Five small contracts. Each says of every call: atomic? durable on return? concurrent? what on retry?

use crate::codec::digest::{CustodyId, Digest, GroupHash};
use crate::codec::extent::GroupHeader;
use crate::error::Result;
use crate::governance::DisposalClearance;
use crate::store::files::FileLock;

pub use super::objects::{Hint, Listed, NewObject, ObjectRef, Objects, Protection, ProtectionMode};

/// Where the next group must stand and what it must name; given by [`Journal::place`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The writer's turn.
    pub term: u64,
    /// Segment number.
    pub segment: u64,
    /// Offset in the segment file.
    pub offset: u64,
    /// Hash of the group before.
    pub previous_group: GroupHash,
}

/// Where a group starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Segment number, from 1.
    pub segment: u64,
    /// Offset in the segment file.
    pub offset: u64,
}

/// Torn bytes that a crash left after the last whole group, now out of use for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tear {
    /// Where they lie.
    pub position: Position,
    /// How many.
    pub bytes: u64,
    /// Their SHA-256.
    pub hash: Digest,
}

/// What acquisition found at the end of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// This writer's term.
    pub term: u64,
    /// Header of the last whole group; `None` in an empty journal.
    pub last: Option<GroupHeader>,
    /// Tears that no whole group follows yet, oldest first; several when a crash came before the
    /// first group after a crash. The next segment's header names the last; who acquired must log
    /// them all.
    pub tears: Vec<Tear>,
}

/// Groups of entries, in order, for ever.
///
/// One writer; any number of readers, also while it writes. Handles are shared between threads.
pub trait Journal: Send + Sync {
    /// Takes the writer's turn: fences older writers, applies the tear rule to the tail, writes the
    /// last whole group again byte for byte and syncs it before it counts.
    ///
    /// Atomic. Durable on return. A second call on the same handle starts a new term.
    ///
    /// # Errors
    /// `E_LOCKED` (another process), `E_LOG_DAMAGED` (the tail is damaged and no tear; nothing was
    /// changed), `E_NEWER_FORMAT`, `E_IO`.
    fn acquire(&self) -> Result<Tail>;

    /// What acquisition would find, without taking the turn or changing anything: the last whole group and
    /// every tear there is. `term` is that of the last writer.
    ///
    /// # Errors
    /// As [`Journal::acquire`], but never `E_LOCKED`; `E_BROKEN`.
    fn survey(&self) -> Result<Tail>;

    /// Where a group of `extent_bytes` would go now. Prepares the next segment when the current one
    /// has no room. Without effect on what readers see; may be repeated.
    ///
    /// # Errors
    /// `E_FENCED`, `E_BROKEN`, `E_STORE_FULL` (no room and no new segment; nothing is lost, smaller
    /// groups may still fit), `E_IO` (no room, and the new segment failed for another reason),
    /// `E_LOG_DAMAGED` (what was prepared for it holds bytes), `E_READ_ONLY` (not acquired), `E_LIMIT`
    /// (not a multiple of 512, or more than a group may take).
    fn place(&self, extent_bytes: u64) -> Result<Place>;

    /// Appends one whole extent at the place it names.
    ///
    /// Atomic: a reader or a later acquisition sees all of it or nothing. Durable on return.
    /// After `E_IN_DOUBT` or `E_BROKEN` the handle is poisoned for ever: every later call answers
    /// `E_BROKEN`; whether the group is there is decided by the next acquisition. Never retried here.
    ///
    /// # Errors
    /// `E_CONFLICT` (the extent is not whole or does not follow the head), `E_FENCED`, `E_BROKEN`,
    /// `E_IN_DOUBT`, `E_STORE_FULL` (it fits nowhere that [`Journal::place`] has prepared),
    /// `E_READ_ONLY` (not acquired).
    fn append(&self, extent: &[u8]) -> Result<()>;

    /// Says whether the ledger is known to have been opened again after its last orderly close. Only
    /// then can a tear follow a group that says "closed in order". Engines that cannot tear ignore it.
    fn set_reopened(&self, _reopened: bool) {}

    /// Is there room for refusals but perhaps not for work? True from the moment there was no room to prepare the
    /// next segment until there was. An attempt that failed for another reason says nothing about room.
    fn is_nearly_full(&self) -> bool;

    /// Looks whether there is room again; [`Journal::is_nearly_full`] says what came of it. Costs as much as preparing
    /// a segment, so it is for who would refuse work otherwise. Without effect while the journal is not nearly full.
    fn look_for_room(&self);

    /// The group at `position`, or the next one after a segment's end: its position, its bytes and
    /// the position to ask for next. `None` at the end. The hash was checked.
    ///
    /// Start with `Position { segment: 1, offset: 0 }`. Needs no acquisition.
    ///
    /// # Errors
    /// `E_LOG_DAMAGED` naming segment and offset; `E_IO`.
    fn read(&self, position: Position) -> Result<Option<(Position, Vec<u8>, Position)>>;

    /// Lets go of what memory holds of a segment, so that [`Journal::read`] asks the medium for it next; false where memory cannot
    /// be made to, or nobody can tell.
    ///
    /// # Errors
    /// `E_IO`.
    fn drop_cached(&self, _segment: u64) -> Result<bool> {
        Ok(false)
    }

    /// Puts the segments from `from` on aside (renamed, never deleted) and takes these extents in
    /// their place, in new files that end with the same bytes the old ones had where those were
    /// right. For repair only; needs acquisition to be impossible or not yet made.
    ///
    /// Atomic per segment file. Durable on return. May be repeated.
    ///
    /// # Errors
    /// `E_IO`, `E_STORE_FULL`, `E_LOCKED`, `E_CONFLICT` (extents do not form a chain from `from`, or end
    /// before a segment that still holds groups; or this handle has the writer's turn).
    fn replace(&self, from: u64, extents: &mut dyn Iterator<Item = Result<Vec<u8>>>)
    -> Result<Vec<std::path::PathBuf>>;
}

/// One wrapped key with its "already kept" term. Fixed length: 32 + 48 + 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultRecord {
    /// Whose key it is.
    pub custody_id: CustodyId,
    /// The tape secret, wrapped under the epoch key (ciphertext and tag).
    pub wrapped: [u8; 48],
    /// HMAC of the content under the generation's dedupe key.
    pub dedupe: [u8; 32],
}

/// Wrapped keys by epoch, outside the ledger folder. Holds no key that opens anything by itself.
///
/// Concurrent readers; one writer.
pub trait Vault: Send + Sync {
    /// The generation file's number, revision and bytes; `None` when there is none yet. The bytes are those
    /// given to [`Vault::set_generation`]: how an engine keeps the numbers beside them is its own affair.
    ///
    /// # Errors
    /// `E_VAULT_DAMAGED`, `E_NEWER_FORMAT`, `E_BROKEN`, `E_IO`.
    fn generation(&self) -> Result<Option<(u64, u64, Vec<u8>)>>;

    /// Replaces the generation file (same generation, next revision) whole. Atomic, durable on return;
    /// the old revision stays until the new one is in place.
    ///
    /// # Errors
    /// `E_CONFLICT` unless `revision` is the present one plus one (or 1 for the first, whose generation may be any
    /// from 1); `E_LIMIT` (64 MiB); `E_STORE_FULL`, `E_IO` (nothing changed); `E_BROKEN`.
    fn set_generation(&self, generation: u64, revision: u64, bytes: &[u8]) -> Result<()>;

    /// Makes an empty epoch, durable on return. Making it again is a success.
    ///
    /// # Errors
    /// `E_STORE_FULL`, `E_IO`, `E_BROKEN`.
    fn create_epoch(&self, epoch: &[u8; 16]) -> Result<()>;

    /// Adds a record; its slot. Visible on return, durable after [`Vault::sync`].
    ///
    /// # Errors
    /// `E_LIMIT` when no slot of the epoch's `EPOCH_TAPES_MAX` is left (slots that a crash cut are lost, so this may come
    /// with fewer records: begin a new epoch); `E_NOT_FOUND` (no such epoch); `E_VAULT_DAMAGED` (a damaged epoch
    /// takes no more: begin a new one); `E_BROKEN`; `E_IO`.
    fn put(&self, epoch: &[u8; 16], record: &VaultRecord) -> Result<u32>;

    /// Makes every earlier `put` durable, and the generation and epochs that an earlier handle left in place without
    /// having been told that they are. A failure poisons the handle.
    ///
    /// # Errors
    /// `E_BROKEN`; `E_IO`.
    fn sync(&self) -> Result<()>;

    /// The record of one tape; `slot` is tried first, then the whole epoch.
    ///
    /// # Errors
    /// `E_NOT_FOUND`; `E_VAULT_DAMAGED` when it is not found and a slot where it may have been cannot be read; `E_BROKEN`, `E_IO`.
    fn get(&self, epoch: &[u8; 16], custody_id: &CustodyId, slot: Option<u32>) -> Result<VaultRecord>;

    /// Every record of an epoch in slot order. Slots that a crash cut are passed over, so a record's place here may be
    /// less than its slot.
    ///
    /// # Errors
    /// `E_NOT_FOUND`, `E_VAULT_DAMAGED` (naming the slot), `E_IO`.
    fn records(&self, epoch: &[u8; 16]) -> Result<Vec<VaultRecord>>;

    /// The slot after the last one that is not free: those from it on were never written.
    ///
    /// # Errors
    /// As [`Vault::records`].
    fn next_slot(&self, epoch: &[u8; 16]) -> Result<u32> {
        Ok(u32::try_from(self.records(epoch)?.len()).unwrap_or(u32::MAX))
    }

    /// Writes a new generation, at revision 1, that knows only `survivors` (epoch and records); the old stays whole
    /// until it is destroyed. A survivor has a new epoch id, or that of an epoch with the very same records.
    /// Durable on return. A crash leaves the old generation present, or the new; then it may be repeated.
    ///
    /// # Errors
    /// `E_CONFLICT` unless `generation` is the next number, and for a survivor whose epoch holds other records or is named
    /// twice; `E_LIMIT`; `E_STORE_FULL`, `E_IO` (the old is still present); `E_VAULT_DAMAGED`; `E_BROKEN`.
    fn rotate(&self, generation: u64, bytes: &[u8], survivors: &[([u8; 16], Vec<VaultRecord>)]) -> Result<()>;

    /// Destroys an old generation and the epochs that ended with it; a receipt (what, how many bytes). A crash leaves
    /// part of it; repeating goes on, and is a success when nothing is left.
    ///
    /// # Errors
    /// `E_CONFLICT` for the present generation, while an older one is there, and when the present one names an epoch that
    /// would go; `E_VAULT_DAMAGED` (nothing is destroyed on a list that is in doubt); `E_IO`; `E_BROKEN`.
    fn destroy(&self, generation: u64, clearance: DisposalClearance) -> Result<String>;
}

/// Rows to write together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Key and value; values up to `ROW_VALUE_BYTES_MAX`.
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys to remove.
    pub removes: Vec<Vec<u8>>,
}

/// A rebuildable copy for queries. Never the only copy of anything.
///
/// One applier; concurrent readers see a batch whole or not at all per key.
pub trait Rows: Send + Sync {
    /// Applies `batch` and stores `position` with it, all or nothing across a crash: removes first, then puts, then the
    /// position, which is the row with the key `p`.
    ///
    /// Not durable on return (it is rebuildable); durable after [`Rows::flush`] as far as the engine goes.
    ///
    /// # Errors
    /// `E_LIMIT` for a longer value or key, `E_ROWS_UNAVAILABLE` for anything else; the rows are then in doubt.
    fn apply(&self, batch: Batch, position: &[u8]) -> Result<()>;

    /// Is there a copy to ask? Told without opening or making one. Whatever cannot be told is "yes".
    fn is_there(&self) -> bool {
        true
    }

    /// The position stored last.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`, here and below; `E_LOCKED` while another process has them open: they are in no doubt then.
    fn position(&self) -> Result<Option<Vec<u8>>>;

    /// One row.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Rows with `from <= key < to`, ascending, until `each` answers false. Stops at the first error.
    fn scan(&self, from: &[u8], to: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> Result<bool>) -> Result<()>;

    /// The row with the greatest key that is `<= key` and `>= floor`.
    fn floor(&self, floor: &[u8], key: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>>;

    /// Asks the engine to write out what it holds.
    fn flush(&self) -> Result<()>;

    /// Puts the present rows aside (renamed, never deleted) and starts empty. Where they went.
    ///
    /// After `E_ROWS_UNAVAILABLE` from any call this is the way back. A failure leaves the rows unavailable; the folder
    /// then stands in its old place or among those put aside. With `E_LOCKED` nothing was put aside.
    fn reset(&self) -> Result<Option<std::path::PathBuf>>;
}

/// Encrypted pieces of live recordings, before they are sealed.
///
/// One writer for each recording; readers may read what was synced.
pub trait Spool: Send + Sync {
    /// Appends one sealed piece to a recording's spool, creating it if need be. Durable after `sync`.
    ///
    /// # Errors
    /// `E_STORE_FULL`, `E_BROKEN`, `E_IO`.
    fn append(&self, recording: &CustodyId, sealed: &[u8]) -> Result<()>;

    /// Makes what was appended durable. A failure poisons the handle, but for [`Spool::reader`] and [`Spool::recordings`]: what
    /// is there can still be sealed.
    ///
    /// # Errors
    /// `E_BROKEN`.
    fn sync(&self, recording: &CustodyId) -> Result<()>;

    /// The pieces appended so far, whole ones only; a cut tail is left out. For recordings known to be short.
    ///
    /// # Errors
    /// As [`Spool::reader`].
    fn pieces(&self, recording: &CustodyId) -> Result<Vec<Vec<u8>>> {
        let mut reader = self.reader(recording)?;
        std::iter::from_fn(|| reader.next_piece().transpose()).collect()
    }

    /// Reads a recording's pieces from the first on, also those that are appended meanwhile, by this process or another.
    ///
    /// # Errors
    /// `E_NOT_FOUND`, `E_IO`.
    fn reader(&self, recording: &CustodyId) -> Result<Box<dyn SpoolReader>>;

    /// Keeps a recording for whoever holds what is given out: `None` while somebody else does, in this process or another.
    /// It ends when it is dropped, or with its process. Nobody else may append to the recording or close it meanwhile.
    /// What is not there yet can be held, and may then be listed as an empty recording.
    ///
    /// # Errors
    /// `E_STORE_FULL`, `E_IO`.
    fn hold(&self, recording: &CustodyId) -> Result<Option<Box<dyn FileLock>>>;

    /// Does somebody hold this recording now? Asking makes nothing; who wants to hold it in the same moment may be refused.
    ///
    /// # Errors
    /// `E_IO`.
    fn is_held(&self, recording: &CustodyId) -> Result<bool> {
        Ok(self.recordings()?.contains(recording) && self.hold(recording)?.is_none())
    }

    /// Recordings that have a spool.
    ///
    /// # Errors
    /// `E_IO`.
    fn recordings(&self) -> Result<Vec<CustodyId>>;

    /// Removes a spool whose recording was sealed into a tape or was empty. Closing twice is a success.
    ///
    /// # Errors
    /// `E_IO`.
    fn close(&self, recording: &CustodyId) -> Result<()>;

    /// Puts a spool aside that is not what the log says of it: nobody finds it as a recording then, and nothing of it is lost.
    /// Where it went, for people.
    ///
    /// # Errors
    /// `E_NOT_FOUND`, `E_IO`.
    fn put_aside(&self, recording: &CustodyId) -> Result<String>;
}

/// Reads one recording's spool.
pub trait SpoolReader: Send {
    /// The next piece; `None` while there is no whole one more. A later call may find one.
    ///
    /// # Errors
    /// `E_IO`.
    fn next_piece(&mut self) -> Result<Option<Vec<u8>>>;

    /// As [`SpoolReader::next_piece`], and no power cut takes the piece any more: what its writer did not make durable yet is made
    /// so first, here. Only this reader waits for that.
    ///
    /// # Errors
    /// `E_IO`; `E_BROKEN` when it could not be made durable: what was not given by then never is.
    fn next_durable_piece(&mut self) -> Result<Option<Vec<u8>>>;

    /// Is more behind the last piece known to be durable already? Otherwise [`SpoolReader::next_durable_piece`] waits for the
    /// disk, if there is anything.
    fn has_durable(&self) -> bool;

    /// Bytes behind the last piece that was given.
    ///
    /// # Errors
    /// `E_IO`.
    fn bytes_behind(&self) -> Result<u64>;

    /// Was the spool closed or put aside since it was opened here? Its pieces are still given.
    ///
    /// # Errors
    /// `E_IO`.
    fn is_closed(&self) -> Result<bool>;

    /// Does somebody hold the recording ([`Spool::hold`])? Of what is there and is not held, the recorder is gone. Nothing is made
    /// to find that out.
    ///
    /// # Errors
    /// `E_IO`.
    fn is_held(&self) -> Result<bool>;
}

/// The stores of one ledger, opened together.
#[derive(Clone)]
pub struct Stores {
    /// Groups of entries.
    pub journal: std::sync::Arc<dyn Journal>,
    /// Sealed objects.
    pub objects: std::sync::Arc<dyn Objects>,
    /// Wrapped keys.
    pub vault: std::sync::Arc<dyn Vault>,
    /// Query rows.
    pub rows: std::sync::Arc<dyn Rows>,
    /// Live recordings.
    pub spool: std::sync::Arc<dyn Spool>,
}

/// Something in a ledger's folders that nothing reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Where, for people.
    pub place: String,
    /// What it is.
    pub what: &'static str,
    /// A file of keys: a stray only if the vault does not list this epoch.
    pub epoch: Option<[u8; 16]>,
}

/// Opens the stores of a ledger by its folders.
pub trait Engine: Send + Sync {
    /// The name written beside the data.
    fn name(&self) -> &'static str;

    /// The first group of the journal in `ledger`, before anybody knows whose it is; `None` when there is none.
    ///
    /// # Errors
    /// As [`Journal::read`].
    fn first_group(&self, ledger: &std::path::Path) -> Result<Option<Vec<u8>>>;

    /// What stands in the two folders and is no part of a ledger, and every epoch of the vault. Follows no link.
    ///
    /// # Errors
    /// `E_IO`.
    fn strays(&self, ledger: &std::path::Path, state: &std::path::Path) -> Result<Vec<Stray>> {
        let _nothing_known_of_them = (ledger, state);
        Ok(Vec::new())
    }

    /// Puts the stores together; `origin` is `H(origin)`. Takes no lock and changes nothing: the rows are opened, and
    /// made where there are none, by the first call to them, which is for who has the ledger's lock.
    ///
    /// # Errors
    /// `E_IO`; also when a link stands in the place of one of the ledger's folders.
    fn open(&self, ledger: &std::path::Path, state: &std::path::Path, origin: Digest) -> Result<Stores>;
}

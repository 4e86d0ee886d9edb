//! The ear: sessions become tapes while they happen.
//!
//! A recording is opened by an entry, its frames go encrypted into the spool and are durable there long before its end, marks
//! in the log say how far it had come, and at the end, or after a crash at the next start, it is sealed into a tape.
//! [`StreamingTapeWriter`] is one recording, [`TapeManager`] many, [`StreamingTapeReader`] follows one or reads what came of it.
//! `record` puts a wrapper in front of a program and records what goes through.

mod access;
pub mod child;

mod counts;
mod front;
mod manager;
mod options;
mod reader;
mod records;
mod recover;
mod replay;

mod seal;
mod syncer;
mod writer;
mod writing;

pub use access::LedgerAccess;
pub use manager::{ManagerCounts, TapeManager};
pub use options::{Durability, OnStorageFailure, RecordingOptions};
pub use reader::StreamingTapeReader;
pub use records::{
    CheckpointRecord, CorrelationRecord, CorrelationStatus, FrameRecord, InitRecord, PerformanceStats, TapeMetadata,
    TapeRecord, TapeStatus,
};
pub use recover::{Recovered, recover};

pub use replay::{Replay, ReplayedAnswer};
pub use writer::{FinishedRecording, StreamingTapeWriter};

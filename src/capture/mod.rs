//! The ear: sessions become tapes while they happen.
//!
//! A recording is opened by an entry, its frames go encrypted into the spool and are durable there long before its end, marks
//! in the log say how far it had come, and at the end, or after a crash at the next start, it is sealed into a tape.
//! [`StreamingTapeWriter`] is one recording, [`TapeManager`] many, [`StreamingTapeReader`] follows one or reads what came of it.
//! `record` puts a wrapper in front of a program and records what goes through ([`child`]).
//!
//! # Recording from a program of your own
//!
//! Give frames as they come. Their numbers and times are filled in, their payloads are kept byte for byte: nothing is redacted.
//! When a frame is durable is said by [`Durability`], what happens on a full disk by [`OnStorageFailure`]; which answer belongs
//! to which request is found from the messages ([`crate::interchange::FrameCounts`]), the same as on import.
//!
//! ```
//! # use std::sync::Arc;
//! # use immutape::capture::{LedgerAccess, RecordingOptions, TapeManager, TapeRecord, TapeStatus};
//! # use immutape::ledger::{Ledger, Places, Who};
//! # use immutape::provider::Surroundings;
//! # use immutape::store::embedded::EmbeddedEngine;
//! # use immutape::store::files::RealFiles;
//! # use immutape::tape::{Direction, EndState, Frame};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let environment = Surroundings::of_process()?.environment(Arc::new(EmbeddedEngine::new(Arc::new(RealFiles))));
//! # let clock = environment.clock.clone();
//! # let ledger = Ledger::create(Places::beneath(folder.path()), environment, "example", true).await?;
//! # let ann = Who::os_user("ann");
//! let (manager, _left_by_others) = TapeManager::start(LedgerAccess::open(ledger.clone()), ann, clock).await?;
//! let id = manager.start_recording(RecordingOptions::named("payments")).await?;
//! let mut follower = manager.follow_tape(&id).await?;
//! manager.write_frame(&id, Frame::message(0, Direction::ClientToServer, br#"{"id":1,"method":"ping"}"#.to_vec())).await?;
//! manager.write_frame(&id, Frame::message(0, Direction::ServerToClient, br#"{"id":1,"result":{}}"#.to_vec())).await?;
//! assert_eq!(manager.metadata(&id)?.status, TapeStatus::Recording);
//! let finished = manager.stop_recording(&id, EndState::Clean).await?;
//! assert_eq!(finished.receipt.frames, 2);
//!
//! // Each record once and in order: the beginning, two frames, and behind the answer the request that it answered.
//! let mut seen = Vec::new();
//! while let Some(record) = follower.follow().await? {
//!     seen.push(match record {
//!         TapeRecord::Init(_) => "init",
//!         TapeRecord::Frame(_) => "frame",
//!         TapeRecord::Correlation(_) => "correlation",
//!         _ => "other",
//!     });
//! }
//! assert_eq!(seen, ["init", "frame", "frame", "correlation"]);
//! manager.close_reader(follower).await?;
//! # ledger.close().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A process that does not want to hold the ledger all day gives [`LedgerAccess::visits`] instead: it is opened for the beginning, for
//! marks and for the end alone. `examples/record_and_follow.rs` is a whole program.

mod access;
pub mod child;

mod counts;
mod ended;
mod following;
mod front;
mod manager;
mod options;
mod reader;
mod records;
mod recover;
mod replay;

mod seal;
mod syncer;
mod turn;
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

#[cfg(test)]
mod testing;

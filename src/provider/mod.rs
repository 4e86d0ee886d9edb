//! The storage API of the seeds: backends behind one trait, made by factories that a registry knows by name.
//!
//! Over the [`Ledger`](crate::ledger::Ledger) it is implemented once ([`LedgerBackend`]): a provider chooses where the bytes
//! lie, and every promise of the ledger holds whatever it chose. Guide: `docs/providers.md`.
//!
//! ```
//! use immutape::provider::{Surroundings, TapeRecorder};
//! use immutape::tape::{Direction, TapeKind};
//! use serde_json::json;
//!
//! # fn main() -> immutape::Result<()> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let folder = tempfile::tempdir().unwrap();
//! # let (data, state, keys) = (folder.path().join("d"), folder.path().join("s"), folder.path().join("k"));
//! let recorder = TapeRecorder::builder()
//!     .with_storage("embedded", json!({ "path": data, "state_path": state, "keys_path": keys }))
//!     .build()
//!     .await?;
//! let mut recording = recorder.begin(TapeKind::Mcp).await?;
//! recording.message(Direction::ClientToServer, br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await?;
//! recording.message(Direction::ServerToClient, br#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await?;
//! let id = recording.finish().await?;
//!
//! let tape = recorder.storage().load(&id).await?;
//! assert_eq!(tape.frames.len(), 2);
//! assert_eq!(recorder.storage().delete(&id).await.unwrap_err().code().as_str(), "E_DISPOSAL_REQUIRED");
//! recorder.close().await?;
//! # Ok(()) })
//! # }
//! ```

pub mod config;
pub mod conformance;

mod backend;
mod embedded;
mod entry;
mod factory;
mod ledger_backend;
mod ledger_streams;
mod memory;
mod names;
mod query;
mod recorder;
mod recording;
mod registry;
mod settings;
mod stats;
mod streaming;
mod surroundings;

pub use async_trait::async_trait;
pub use backend::{Capabilities, Tape, TapeStorageBackend};
pub use embedded::EmbeddedFactory;
pub use entry::TapeIndexEntry;
pub use factory::StorageProviderFactory;
pub use ledger_backend::{LedgerBackend, LedgerParts};
pub use memory::MemoryFactory;
pub use query::{Page, Query};
pub use recorder::{TapeRecorder, TapeRecorderBuilder};
pub use recording::Recording;
pub use registry::StorageRegistry;
pub(crate) use settings::interval;
pub use settings::{Setting, SettingKind};
pub use stats::StorageStats;
pub use streaming::{FrameRange, FrameStream, StreamingBackend, TapeAppender};
pub use surroundings::Surroundings;
pub(crate) use surroundings::absolute;

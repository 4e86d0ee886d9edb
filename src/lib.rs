//! A tamper-evident ledger for recorded sessions.
//!
//! `bytes -> tape -> seal -> commit -> proof -> evidence`: the rooms below stand in this order.
//! `docs/ARCHITECTURE.md` shows the floors, `docs/format/` the bytes.
//!
//! One tape's whole life:
//!
//! ```
//! use std::sync::Arc;
//! use immutape::interchange::{ImportOptions, Importer};
//! use immutape::keyring::OsRandom;
//! use immutape::ledger::{
//!     CheckOptions, Environment, FrameSelection, Ledger, Places, SaveOptions, Who,
//! };
//! use immutape::store::{embedded::EmbeddedEngine, files::RealFiles};
//! use immutape::time::SystemClock;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! // Everything a ledger would otherwise have to ask the world for comes in as an argument.
//! let files = Arc::new(RealFiles);
//! let engine = Arc::new(EmbeddedEngine::new(files.clone()));
//! let clock = Arc::new(SystemClock::new([0; 16]));
//! let environment = Environment::new(engine, files, clock, Arc::new(OsRandom));
//! let folder = tempfile::tempdir()?;
//! let ledger = Ledger::create(Places::beneath(folder.path()), environment, "example", false).await?;
//! let ann = Who::os_user("ann");
//!
//! // A recorded session goes in, frame by frame.
//! let session = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n";
//! let mut importer = Importer::open(&session[..], ImportOptions::default())?;
//! let mut saver = ledger.begin_save(&ann, SaveOptions::default()).await?;
//! while let Some(frame) = importer.next_frame()? {
//!     saver.frame(&frame)?;
//! }
//! let receipt = saver.finish(importer.finish()?).await?;
//!
//! // Reading is an entry in the log before a byte leaves; how much was given is another.
//! let reader = ledger.open_tape(&ann, &receipt.tape.to_text(), None).await?;
//! let frames = reader.collect(FrameSelection::All)?;
//! assert_eq!(frames[0].payload, br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
//! reader.finish().await?;
//!
//! // Anybody can see who touched it, and that nothing changed.
//! let (custody, _) = ledger.custody(&ann, &receipt.tape.to_text()).await?;
//! assert_eq!(custody.events.len(), 3);
//! let (report, recorded) = ledger.verify(&ann, CheckOptions::default()).await?;
//! assert_eq!(report.verdict().word(), "intact");
//! recorded?;
//! ledger.close().await?;
//! # Ok(()) })
//! # }
//! ```

// What is left out of the documentation may change with any version; everything else is held by `docs/api.txt`.
pub mod codec;
pub mod evidence;
pub mod log;
pub mod proof;
pub mod seal;
pub mod tape;

pub mod governance;
pub mod store;

// What its users need of it stands in `ledger` and `provider`.
#[doc(hidden)]
pub mod catalog;
pub mod keyring;
pub mod net;

pub mod ledger;

pub mod anchor;
pub mod capture;
pub mod interchange;
pub mod provider;

// The program itself: `main` has nothing else to call.
#[doc(hidden)]
pub mod cli;

pub mod error;
pub mod time;

pub use error::{Code, Error, Kind, Result};

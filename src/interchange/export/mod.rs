//! The way out: a tape, frame by frame, in the forms that other programs read.
//!
//! Nothing here opens a file. An [`Exporter`] takes a header and frames and writes to what it is given; what a form cannot
//! say is put beside it, or told as a loss. The forms are described in `docs/operating.md`, section 9.

mod beside;
mod bytes;
mod document;
mod exporter;
mod format;
mod hashed;
mod listed;
mod losses;
mod pack;
mod shape;
mod v2;
mod v2_companion;
mod v2_init;
mod v2_record;

pub(super) use beside::named_tape;
pub use beside::{BesideRecord, read_beside};
pub use exporter::{Exported, Exporter, Scope};
pub use format::ExportFormat;
pub use hashed::HashedWriter;
pub use listed::file_list;
pub use shape::{FrameShape, HeaderShape};
pub(super) use v2_record::source_seq;

//! The gate. Recorded sessions of other programs come in here, and go out again as they were.
//!
//! Uses `tape` and `codec` only: it neither stores nor signs, and asks nobody what time it is. A source of lines is
//! read line by line in memory that does not grow, a document whole up to a limit ([`Importer`]), and payloads are written back byte
//! for byte ([`PayloadWriter`]), or in a form that other programs read ([`Exporter`]).

mod cast;
mod claims;
mod companion;
mod counted;
mod decimal;
mod detect;
mod document;
mod draft;
mod export;
mod har;
mod import;
mod index;
mod inflate;
mod json;
mod jsonrpc;
mod lines;
mod losses;
mod messages;
mod named;
mod options;
mod pairing;
mod payloads;
mod rpc_lines;
mod tally;
mod tape_json;
mod unpack;
mod v2;
mod work;

pub use counted::{FrameCounts, FramePair, FrameSeen};
pub use detect::SourceFormat;
pub use export::{
    BesideRecord, ExportFormat, Exported, Exporter, FrameShape, HashedWriter, HeaderShape, Scope, file_list,
    read_beside,
};
pub use import::Importer;
pub use index::DirectoryIndex;
pub use messages::{RpcClass, RpcMessage, rpc_messages, with_other_id};
pub use options::ImportOptions;
pub use payloads::PayloadWriter;
pub use v2::BesideInput;

//! The gate. Recorded sessions of other programs come in here, and go out again as they were.
//!
//! Uses `tape` and `codec` only: it neither stores nor signs, and asks nobody what time it is. A source is
//! read line by line in bounded memory ([`Importer`]), and payloads are written back byte for byte
//! ([`PayloadWriter`]), or in a form that other programs read ([`Exporter`]).

mod claims;
mod companion;
mod detect;
mod draft;
mod export;
mod import;
mod inflate;
mod json;
mod jsonrpc;
mod lines;
mod losses;
mod named;
mod pairing;
mod payloads;
mod rpc_lines;
mod tally;
mod v2;

pub use detect::SourceFormat;
pub use export::{
    BesideRecord, ExportFormat, Exported, Exporter, FrameShape, HashedWriter, HeaderShape, Scope, file_list,
    read_beside,
};
pub use import::{ImportOptions, Importer};
pub use payloads::PayloadWriter;

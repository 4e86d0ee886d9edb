//! The eyes: the journal projected into rows, and every query served from them.
//!
//! What stands in rows can be built again from the journal at any time; nothing here is the only copy.
//! Row layout: `docs/format/store-embedded.md` section 8.

mod blocks;
mod filter;
mod grammar;
mod keys;
mod position;
mod projector;
mod queries;
mod saved;
mod subjects;
mod summary;
mod terms;
mod tiles;

pub use blocks::{LogPiece, pieces_to_extents};
pub use filter::{Filter, TapeState, Verdict};
pub use grammar::{FilterError, KEYS as FILTER_KEYS};
pub(crate) use grammar::{named_end, named_span};
pub use position::RowsPosition;
pub use projector::{Enrichment, Projector};
pub use queries::{Queries, StoredEntry};
pub use saved::CatalogRow;
pub use subjects::{ManifestPlace, SubjectRow, TapeFacts};
pub use summary::Summary;
pub use terms::Item;
pub use tiles::{TilesCheck, consistency, inclusion, root_at, set_of, tile_hashes};

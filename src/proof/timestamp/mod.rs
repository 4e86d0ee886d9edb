//! Time-stamps (RFC 3161): what is asked, and what must hold of an answer. Normative text: `docs/format/5-proof.md`, section 5.6.
//!
//! Pure. A token says that an authority saw these bytes at that moment; whether it really did rests on the roots that the
//! verifier trusts, and nothing in the token itself is believed before its signature and its chain hold.

mod anchors;
mod attributes;
mod certificate;
mod claim;
mod error;
mod info;
mod items;
mod names;
mod oid;
mod request;
mod response;
mod signed;
mod token;

pub use anchors::TimeAnchors;
pub use claim::read_token;
pub use error::TimestampError;
pub use request::TimestampRequest;
pub use response::check_response;
pub use token::{CheckedToken, check_token};

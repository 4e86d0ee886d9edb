//! COMMIT. Entries with a public and a private half, the chain, the RFC 6962 tree, signed heads.
//! Normative text: `docs/format/4-commit.md`.
//!
//! Pure: durability is somebody else's promise, shown to this room as a [`DurableHead`].

mod body;
mod body_anchors;
mod body_critical;
mod body_evidence;
mod body_fields;
mod body_people;
mod chain;
mod entry;
mod error;
mod genesis;
mod group;
mod head;
mod key_history;
mod kind;
mod note;
mod private;
mod private_later;
mod salted;
mod succession;
mod tiles;
mod tree;
mod vkey;

pub use body::Body;
pub use body_anchors::AnchorBody;
pub use body_critical::CriticalBody;
pub use body_evidence::EvidenceBody;
pub use body_people::{AGREED_MAX, ActorNumber, Founder, PeopleBody, RoleFrom};
pub use entry::Entry;
pub use error::LogError;
pub use genesis::Genesis;
pub use head::{Checkpoint, DurableHead, HeadFile, HeadState};
pub use key_history::{Counts, HeadKeys, HeldHead, KeyHistory, KeyRole, KeyTerm, Revocation, rotate, rotation_text};
pub use kind::EntryKind;
pub use note::{NoteKey, NoteSignature, SignedNote};
pub use private::{Actor, ActorKind, Authentication, ClaimRecord, ClockStamp, Outcome, Period, PrivateHalf};
pub use private_later::SignedText;
pub use salted::{export_commitment, own_salt, set_commitment, set_leaf};
pub use succession::{ProvenSuccession, Succession};
pub use tiles::{Tile, tiles_between};
pub(crate) use tree::Levels;
pub use tree::{consistency_path, inclusion_path, leaf_hash, root_of};

// For the rooms above and their tests; nobody else has a use for it, so it may change with any version.
#[doc(hidden)]
pub use body::empty as empty_body;
#[doc(hidden)]
pub use chain::{Chain, ChainState, SubjectTip, examine};
#[doc(hidden)]
pub use entry::EntryDraft;
#[doc(hidden)]
pub use genesis::is_origin;
#[doc(hidden)]
pub use group::{FinishedGroup, GroupBuilder, GroupPlace, PlacedEntry, group_entries};
#[doc(hidden)]
pub use tree::Frontier;
#[doc(hidden)]
pub use tree::node_hash;
pub(crate) use vkey::{COSIGNATURE, is_key_name, key_id, read_vkey, write_vkey};

//! SEAL. Statements (COSE_Sign1), sealed objects, private halves, wrapped keys.
//! Normative text: `docs/format/3-seal.md`.
//!
//! Pure: keys, salts and randomness come in as arguments; nothing is stored or timed here.

mod aead;
mod chunk;
mod codes;
mod error;
mod kdf;
mod live;
mod manifest;
mod object;
mod packer;
mod padme;
mod person;
mod private;
mod salts;
mod secret;
mod set_list;
mod signature;
mod sshsig;
mod statement;
mod wrap;

pub use error::SealError;
#[doc(hidden)] // between the ledger and its spool
pub use live::{live_key_id, open_live, seal_live};
pub use person::{PersonStatement, PersonVerdict};
pub use signature::{PublicKey, Signature, Signer, thumbprint};
pub(crate) use sshsig::ssh_secret;
pub use sshsig::{allowed_signer, ssh_public_key, ssh_signature, ssh_signer};
pub use statement::{Statement, StatementClaims};
pub use wrap::WRAPPED_KEY_BYTES;

// For the rooms above and their tests; nobody else has a use for it, so it may change with any version.
#[doc(hidden)]
pub use chunk::{ChunkBuilder, ChunkRange, SealedHeader, open_chunk};
#[doc(hidden)]
pub use codes::{DedupeKey, JournalKey, VaultCodeKey};
#[doc(hidden)]
pub use manifest::{Attachment, Manifest, ManifestObject};
#[doc(hidden)]
pub use object::{open_object, seal_object, seal_packed};
#[doc(hidden)]
pub use packer::Packer;
#[doc(hidden)]
pub use padme::padme;
#[doc(hidden)]
pub use private::{CustodyKey, EncodedFields, PrivateAad, PrivateSealer, SealedPrivate, split_fields};
#[doc(hidden)]
pub use secret::{RowKey, TapeKeys, TapeSecret};
#[doc(hidden)]
pub use set_list::{open_set, seal_set};
pub(crate) use statement::{is_ed25519, to_be_signed as cose_to_be_signed};
#[doc(hidden)]
pub use wrap::{KeyEncryptionKey, Purpose};

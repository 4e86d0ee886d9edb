//! SEAL. Statements (COSE_Sign1), sealed objects, private halves, wrapped keys.
//! Normative text: `docs/format/3-seal.md`.
//!
//! Pure: keys, salts and randomness come in as arguments; nothing is stored or timed here.

mod aead;
mod chunk;
mod codes;
mod error;
mod kdf;
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
mod statement;
mod wrap;

pub use chunk::{ChunkBuilder, ChunkRange, SealedHeader, open_chunk};
pub use codes::{DedupeKey, JournalKey, VaultCodeKey};
pub use error::SealError;
pub use manifest::{Attachment, Manifest, ManifestObject};
pub use object::{open_object, seal_object, seal_packed};
pub use packer::Packer;
pub use padme::padme;
pub use person::{PersonStatement, PersonVerdict};
pub use private::{CustodyKey, EncodedFields, PrivateAad, PrivateSealer, SealedPrivate};
pub use secret::{RowKey, TapeKeys, TapeSecret};
pub use set_list::{open_set, seal_set};
pub use signature::{PublicKey, Signature, Signer, thumbprint};
pub use statement::{Statement, StatementClaims};
pub use wrap::{KeyEncryptionKey, Purpose, WRAPPED_KEY_BYTES};

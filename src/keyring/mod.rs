//! Key files, the vault's keys and the operating system's randomness, behind `Signer` and unwrapping.
//!
//! The only room that turns files into keys. Nothing here prints a key or gives one a Debug form.

mod files;
mod folder;
mod random;
mod rotation;
mod vault_keys;

pub use files::{LocalSigner, read_any_public, read_public_or_signer, read_signer, write_signer};
pub use random::{OsRandom, SeededRandom};

// For the rooms above and their tests; nobody else has a use for it, so it may change with any version.
#[doc(hidden)]
pub use files::{read_root, write_root};
#[doc(hidden)]
pub use folder::{ConfigFolder, KeyFile, KeyFileState, LedgerKeys, PublicKeys};
#[doc(hidden)]
pub use rotation::Prepared;
#[doc(hidden)]
pub use vault_keys::{CustodyLabel, VaultKeys};

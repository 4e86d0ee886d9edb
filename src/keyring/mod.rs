//! Key files, the vault's keys and the operating system's randomness, behind `Signer` and unwrapping.
//!
//! The only room that turns files into keys. Nothing here prints a key or gives one a Debug form.

mod files;
mod folder;
mod random;
mod vault_keys;

pub use files::{LocalSigner, read_public_or_signer, read_root, read_signer, write_root, write_signer};
pub use folder::{ConfigFolder, KeyFile, KeyFileState, LedgerKeys, PublicKeys};
pub use random::{OsRandom, SeededRandom};
pub use vault_keys::{CustodyLabel, VaultKeys};

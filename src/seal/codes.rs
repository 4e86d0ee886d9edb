//! Codes under keys that never leave the vault: groups the ledger wrote itself, terms of content
//! already kept, the vault's own file.

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::kdf::{derive, hmac};
use crate::codec::digest::{Digest, GroupHash};

/// Lets a ledger know its own unsigned tail from a forged one.
pub struct JournalKey(Zeroizing<[u8; 32]>);

impl JournalKey {
    /// From the vault.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The code of a group.
    #[must_use]
    pub fn code(&self, group: &GroupHash) -> [u8; 32] {
        hmac(&self.0, &[b"immutape/group/1", group.as_ref()])
    }

    /// Is this the code of that group? In constant time.
    #[must_use]
    pub fn accepts(&self, group: &GroupHash, code: &[u8; 32]) -> bool {
        self.code(group).ct_eq(code).into()
    }
}

/// Makes terms of content already kept; new in each vault generation.
pub struct DedupeKey(Zeroizing<[u8; 32]>);

impl DedupeKey {
    /// From the vault.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// The term of one content in one class and namespace.
    #[must_use]
    pub fn term(&self, class: &str, namespace: &str, content: &Digest) -> [u8; 32] {
        let len = |s: &str| u32::try_from(s.len()).unwrap_or(u32::MAX).to_be_bytes();
        hmac(
            &self.0,
            &[
                b"immutape/dedupe/1",
                &len(class),
                class.as_bytes(),
                &len(namespace),
                namespace.as_bytes(),
                content.as_ref(),
            ],
        )
    }
}

/// Authenticates the vault's generation file.
pub struct VaultCodeKey(Zeroizing<[u8; 32]>);

impl VaultCodeKey {
    /// Derived from the vault root.
    #[must_use]
    pub fn derive(root: &[u8; 32], root_id: &[u8; 16]) -> Self {
        Self(derive(root, root_id, &[b"immutape/vault-code/1"]))
    }

    /// The code of the file's bytes before it.
    #[must_use]
    pub fn code(&self, bytes: &[u8]) -> [u8; 32] {
        hmac(&self.0, &[bytes])
    }

    /// In constant time.
    #[must_use]
    pub fn accepts(&self, bytes: &[u8], code: &[u8]) -> bool {
        self.code(bytes).ct_eq(code).into()
    }
}

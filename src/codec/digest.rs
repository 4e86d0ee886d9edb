//! SHA-256 and the ids made of it. Each kind of id is its own type: a leaf hash cannot be passed
//! where a tape id is asked for, and hexadecimal text becomes an id only at a door.

use sha2::{Digest as _, Sha256};

use super::limits::ID_PREFIX_DIGITS_MIN;

/// Why a text is not an id.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum IdError {
    /// A character that is not a hexadecimal digit, or an odd or wrong number of them.
    #[error("an id is written as 64 hexadecimal digits, with or without \"sha256:\"")]
    Malformed,
    /// Fewer digits than [`ID_PREFIX_DIGITS_MIN`].
    #[error("an id prefix needs at least {ID_PREFIX_DIGITS_MIN} hexadecimal digits")]
    TooShort,
}

/// Declares a 32-byte id as a type of its own.
macro_rules! id32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes 32 bytes read from a checked place.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self { Self(bytes) }

            /// Takes a slice of exactly 32 bytes.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> { bytes.try_into().ok().map(Self) }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] { &self.0 }

            /// 64 lower-case hexadecimal digits.
            #[must_use]
            pub fn to_hex(&self) -> String { hex::encode(self.0) }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode(self.0))
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] { &self.0 }
        }
    };
}

id32! {
    /// A SHA-256 digest with no narrower meaning.
    Digest
}
id32! {
    /// Plain SHA-256 of the tape root file: the content address of a tape (`docs/format/2-tape`).
    ///
    /// ```compile_fail
    /// use immutape::codec::digest::{CustodyId, TapeId};
    /// fn wants(_: TapeId) {}
    /// wants(CustodyId::from_bytes([0; 32])); // another kind of id is another type
    /// ```
    TapeId
}
id32! {
    /// Random name of a tape from open to death; the subject of its entries.
    CustodyId
}
id32! {
    /// Leaf hash of entry 0: the identity of a ledger.
    LedgerId
}
id32! {
    /// RFC 6962 leaf hash of an entry or a frame.
    LeafHash
}
id32! {
    /// RFC 6962 tree root.
    RootHash
}
id32! {
    /// SHA-256 over the whole extent of a group of entries.
    GroupHash
}
id32! {
    /// SHA-256 of the stored bytes of an object.
    ObjectDigest
}
id32! {
    /// RFC 9679 COSE Key Thumbprint of an Ed25519 public key.
    Thumbprint
}

impl TapeId {
    /// `sha256:` and 64 digits: the form shown to people.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("sha256:{}", self.to_hex())
    }
}

impl CustodyId {
    /// The subject of entries that are about the ledger and no tape.
    pub const LEDGER: Self = Self([0; 32]);
}

/// A parsed id or a prefix of one, as people type it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPrefix {
    digits: String,
}

impl IdPrefix {
    /// Reads `sha256:<hex>` or `<hex>`, from 4 digits up to 64.
    ///
    /// # Errors
    /// [`IdError`].
    ///
    /// ```
    /// use immutape::codec::digest::IdPrefix;
    /// assert!(IdPrefix::parse("sha256:51bd02aa").is_ok());
    /// assert!(IdPrefix::parse("51b").is_err());
    /// assert!(IdPrefix::parse("../../etc").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        if digits.len() > 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) || digits.is_empty() {
            return Err(IdError::Malformed);
        }
        if digits.len() < ID_PREFIX_DIGITS_MIN {
            return Err(IdError::TooShort);
        }
        Ok(Self { digits: digits.to_ascii_lowercase() })
    }

    /// The digits, lower case.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// Whole bytes of the prefix, for a range scan; a last odd digit is left out.
    #[must_use]
    pub fn whole_bytes(&self) -> Vec<u8> {
        let even = self.digits.len() & !1;
        self.digits.get(..even).and_then(|d| hex::decode(d).ok()).unwrap_or_default()
    }

    /// Does `id` begin with these digits?
    #[must_use]
    pub fn matches(&self, id: &[u8; 32]) -> bool {
        hex::encode(id).starts_with(&self.digits)
    }
}

/// Plain SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 over the concatenation of `parts`.
#[must_use]
pub fn sha256_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// A SHA-256 that is fed piece by piece.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// An empty hasher.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything added.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_refuses_what_is_not_an_id() {
        for bad in ["", "sha256:", "zz00", "51bd02aa/..", "sha512:51bd", &"a".repeat(65)] {
            assert_eq!(IdPrefix::parse(bad), Err(IdError::Malformed), "{bad}");
        }
        assert_eq!(IdPrefix::parse("51b"), Err(IdError::TooShort));
    }

    #[test]
    fn prefix_matches_odd_digits() {
        let id = [0x51u8; 32];
        let p = IdPrefix::parse("51515").unwrap();
        assert!(p.matches(&id));
        assert_eq!(p.whole_bytes(), vec![0x51, 0x51]);
        assert!(!IdPrefix::parse("51514").unwrap().matches(&id));
    }
}

//! What an engine promises of sealed objects.

use crate::codec::digest::{ObjectDigest, sha256};
use crate::error::{Code, Error, Result};
use crate::governance::DisposalClearance;

/// Bytes with the SHA-256 that was made of them. Nothing else makes one, so a store need not hash them again.
///
/// ```
/// use immutape::store::NewObject;
/// let object = NewObject::of(b"sealed bytes");
/// assert_eq!(object.bytes(), b"sealed bytes");
/// assert!(object.digest().to_hex().starts_with("f35cf5b3"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct NewObject<'a> {
    digest: ObjectDigest,
    bytes: &'a [u8],
}

impl<'a> NewObject<'a> {
    /// Hashes `bytes`.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { digest: ObjectDigest::from_bytes(sha256(bytes)), bytes }
    }

    /// Their SHA-256.
    #[must_use]
    pub const fn digest(&self) -> &ObjectDigest {
        &self.digest
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// How long an object must stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// Kind of lock.
    pub mode: ProtectionMode,
    /// Until when, in milliseconds since 1970; 0 = no date of its own.
    pub until_ms: u64,
}

/// Kind of lock on an object. The order is the only allowed direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProtectionMode {
    /// May only be discarded with a clearance.
    Worm = 1,
    /// As `Worm`, with an until-date that the store checks as well.
    Retained = 2,
}

impl Protection {
    /// The protection every object has at least.
    pub const WORM: Self = Self { mode: ProtectionMode::Worm, until_ms: 0 };
}

/// Where an engine found an object; only the engine that made it understands it. A lost or wrong
/// hint costs time, never correctness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hint(pub [u8; 16]);

/// An object's name and size, with a hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectRef {
    /// SHA-256 of its bytes.
    pub digest: ObjectDigest,
    /// Its length in bytes.
    pub bytes: u64,
    /// Where the engine put it.
    pub hint: Hint,
}

/// Sealed objects under their digest.
///
/// Concurrent: any number of callers of every method.
pub trait Objects: Send + Sync {
    /// Stores each object under its digest unless it is there already; their references in order. Visible to `get` on
    /// return; durable only after the next [`Objects::sync`]. A put again is a success and changes nothing. After an error
    /// none of them counts as stored, though some may be there. Objects put at once are found and read back together.
    ///
    /// # Errors
    /// `E_STORE_FULL`, `E_BROKEN`, `E_IO`.
    fn put_all(&self, objects: &[NewObject<'_>], protection: Protection) -> Result<Vec<ObjectRef>>;

    /// [`Objects::put_all`] of one.
    ///
    /// # Errors
    /// As there.
    fn put(&self, object: NewObject<'_>, protection: Protection) -> Result<ObjectRef> {
        let none = || Error::new(Code::Internal, "a store took an object and named none");
        self.put_all(&[object], protection)?.pop().ok_or_else(none)
    }

    /// Makes every earlier `put`, `protect` and `discard` durable. A failure poisons the handle.
    ///
    /// # Errors
    /// `E_BROKEN`.
    fn sync(&self) -> Result<()>;

    /// The whole object, read from storage and re-hashed.
    ///
    /// # Errors
    /// `E_NOT_FOUND`; `E_TAPE_DAMAGED` when the bytes differ from the digest; `E_IO`.
    fn get(&self, object: &ObjectRef) -> Result<Vec<u8>>;

    /// Reads and re-hashes the whole object as [`Objects::get`] does, without giving it out; its length.
    ///
    /// # Errors
    /// As [`Objects::get`].
    fn rehash(&self, object: &ObjectRef) -> Result<u64> {
        self.get(object).map(|bytes| bytes.len() as u64)
    }

    /// [`Objects::rehash`] of what the medium holds, not of what memory remembers of it, as far as the machine can be made to
    /// read it; the second part says whether it could.
    ///
    /// # Errors
    /// As [`Objects::get`].
    fn rehash_stored(&self, object: &ObjectRef) -> Result<(u64, bool)> {
        self.rehash(object).map(|bytes| (bytes, false))
    }

    /// [`Objects::rehash`] of each, for objects that were put just now: an engine may read neighbours at once.
    ///
    /// # Errors
    /// As there, for the first that fails.
    fn read_back(&self, objects: &[ObjectRef]) -> Result<()> {
        objects.iter().try_for_each(|object| self.rehash(object).map(drop))
    }

    /// Every object with its protection, in no set order; damaged places are reported and passed over.
    ///
    /// # Errors
    /// `E_IO` when the store cannot be listed at all.
    fn list(&self, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()>;

    /// Raises a protection; never lowers one. Durable after `sync`. May be repeated.
    ///
    /// # Errors
    /// `E_RETENTION_SHORTEN`, `E_NOT_FOUND`.
    fn protect(&self, object: &ObjectRef, protection: Protection) -> Result<()>;

    /// Gives up the bytes of an object. The only removal there is, and it costs a clearance. Durable after
    /// [`Objects::sync`]. May be repeated: an engine that remembers the object goes on where a crash cut it short.
    ///
    /// No function gives a clearance yet, so nothing outside the tests of this library can call it: the disposal workflow
    /// will, with one clearance for one call. What an engine owes is in `conformance::discard`.
    ///
    /// ```
    /// use immutape::governance::DisposalClearance;
    /// use immutape::store::{ObjectRef, Objects};
    /// fn once(store: &dyn Objects, object: &ObjectRef, cleared: DisposalClearance) -> immutape::error::Result<()> {
    ///     store.discard(object, 0, cleared)
    /// }
    /// ```
    ///
    /// ```compile_fail,E0382
    /// use immutape::governance::DisposalClearance;
    /// use immutape::store::{ObjectRef, Objects};
    /// fn twice(store: &dyn Objects, object: &ObjectRef, cleared: DisposalClearance) -> immutape::error::Result<()> {
    ///     store.discard(object, 0, cleared)?;
    ///     store.discard(object, 0, cleared)
    /// }
    /// ```
    ///
    /// ```compile_fail,E0599
    /// use immutape::codec::digest::CustodyId;
    /// use immutape::governance::DisposalClearance;
    /// let forged = DisposalClearance::for_tests(CustodyId::LEDGER);
    /// ```
    ///
    /// # Errors
    /// `E_NOT_FOUND` (also where nothing is remembered of one discarded before); `E_RETENTION_SHORTEN` while its until-date lies ahead of `now_ms`.
    fn discard(&self, object: &ObjectRef, now_ms: u64, clearance: DisposalClearance) -> Result<()>;
}

/// One finding of [`Objects::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// A stored object; its bytes were not re-hashed.
    Object(ObjectRef, Protection),
    /// A place that cannot be read as the engine wrote it.
    Damaged {
        /// File and offset, for people.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

//! Objects in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use crate::codec::digest::{ObjectDigest, sha256};
use crate::error::{Code, Error, Result};
use crate::governance::DisposalClearance;
use crate::store::NewObject;
use crate::store::contracts::{Hint, Listed, ObjectRef, Objects, Protection};

/// Objects that live as long as this value.
#[derive(Debug, Default)]
pub struct MemoryObjects {
    stored: Mutex<BTreeMap<ObjectDigest, Stored>>,
}

#[derive(Debug)]
struct Stored {
    bytes: Vec<u8>,
    protection: Protection,
}

impl MemoryObjects {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> Result<MutexGuard<'_, BTreeMap<ObjectDigest, Stored>>> {
        self.stored
            .lock()
            .map_err(|_| Error::new(Code::Broken, "a thread failed while it changed the objects in memory"))
    }
}

impl Objects for MemoryObjects {
    fn put_all(&self, objects: &[NewObject<'_>], protection: Protection) -> Result<Vec<ObjectRef>> {
        let mut stored = self.lock()?;
        let put = |object: &NewObject<'_>| {
            let (digest, bytes) = (*object.digest(), object.bytes());
            stored.entry(digest).or_insert_with(|| Stored { bytes: bytes.to_vec(), protection });
            ObjectRef { digest, bytes: bytes.len() as u64, hint: Hint::default() }
        };
        Ok(objects.iter().map(put).collect())
    }

    fn sync(&self) -> Result<()> {
        self.lock().map(|_| ())
    }

    fn get(&self, object: &ObjectRef) -> Result<Vec<u8>> {
        let stored = self.lock()?;
        let bytes = &stored.get(&object.digest).ok_or_else(|| not_found(&object.digest))?.bytes;
        if sha256(bytes) != *object.digest.as_bytes() {
            return Err(Error::new(Code::TapeDamaged, format!("object {} changed in memory", object.digest.to_hex()))
                .with_hint("the machine's memory is at fault; read it again elsewhere"));
        }
        Ok(bytes.clone())
    }

    fn list(&self, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        let all: Vec<_> = self
            .lock()?
            .iter()
            .map(|(digest, stored)| {
                let object = ObjectRef { digest: *digest, bytes: stored.bytes.len() as u64, hint: Hint::default() };
                Listed::Object(object, stored.protection)
            })
            .collect();
        // The lock is free again: `each` may use the store.
        all.into_iter().try_for_each(each)
    }

    fn protect(&self, object: &ObjectRef, protection: Protection) -> Result<()> {
        let mut stored = self.lock()?;
        let found = stored.get_mut(&object.digest).ok_or_else(|| not_found(&object.digest))?;
        if protection.mode < found.protection.mode || protection.until_ms < found.protection.until_ms {
            return Err(Error::new(
                Code::RetentionShorten,
                format!("object {} has a stronger protection already", object.digest.to_hex()),
            )
            .with_hint("a protection can only be made longer or stricter"));
        }
        found.protection = protection;
        Ok(())
    }

    fn discard(&self, object: &ObjectRef, now_ms: u64, clearance: DisposalClearance) -> Result<()> {
        let _used_up_whatever_comes_of_it = clearance;
        let mut stored = self.lock()?;
        let found = stored.get(&object.digest).ok_or_else(|| not_found(&object.digest))?;
        if found.protection.until_ms > now_ms {
            return Err(Error::new(
                Code::RetentionShorten,
                format!("object {} is protected until a later date", object.digest.to_hex()),
            )
            .with_hint("wait for that date; a protection is never shortened"));
        }
        stored.remove(&object.digest);
        Ok(())
    }
}

fn not_found(digest: &ObjectDigest) -> Error {
    Error::new(Code::NotFound, format!("there is no object {}", digest.to_hex()))
}

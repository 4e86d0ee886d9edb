//! Sets of tapes that are too long for a private half: put as an object before the entry that names it, read back by who
//! asks whether a tape was among them.

use super::acts::LEDGER_CLASS;
use super::core::Core;
use super::rebuild::by_digest;
use crate::codec::digest::{CustodyId, ObjectDigest, RootHash};
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::log::{Body, Entry, LogError};
use crate::seal::{open_set, seal_set};
use crate::store::{NewObject, Protection};

impl Core {
    /// Stores the ids of a set, ascending; durable and read back on return. A crash before the entry follows leaves an object
    /// of nobody. The entry must be sealed under the same custody key: `key_id` says which.
    pub(super) fn put_long_set(
        &self,
        key_id: &[u8; 16],
        root: &RootHash,
        set_salt: &[u8; 32],
        ids: &[CustodyId],
    ) -> Result<ObjectDigest> {
        let sealed = {
            let keys = self.vault_read()?;
            let key = keys.custody_key(key_id).ok_or_else(super::core::died)?;
            seal_set(key, bytes(&*self.env.random)?, self.origin(), root, set_salt, ids)?
        };
        let object = self.heed(self.stores.objects.put(NewObject::of(&sealed), Protection::WORM))?;
        self.heed(self.stores.objects.sync())?;
        super::sealing::read_back(self, &[object])?;
        Ok(object.digest)
    }

    /// The ids of the set that entry `index` names by an object, ascending.
    pub(super) fn long_set(&self, index: u64) -> Result<Vec<CustodyId>> {
        let missing = || Error::new(Code::RowsUnavailable, format!("entry {index} is missing in sled"));
        let stored = self.queries().entry(index)?.ok_or_else(missing)?;
        let entry = Entry::decode(&stored.public)?;
        let fault = |fault| LogError::Body { index, kind: entry.kind.number(), fault };
        let body = Body::decode(entry.kind, entry.body).map_err(fault)?;
        let (Body::Listed { set, list, .. } | Body::Searched { set, list, .. }) = body else { return Ok(Vec::new()) };
        let Some(list) = list else { return Ok(Vec::new()) };
        let object = self.stores.objects.get(&by_digest(list, 0))?;
        let keys = self.vault_read()?;
        let gone = || {
            Error::new(
                Code::VaultDamaged,
                format!("the key of class {LEDGER_CLASS:?} that seals entry {index} is gone"),
            )
        };
        let key = keys.custody_key(&entry.key_id).ok_or_else(gone)?;
        Ok(open_set(key, self.origin(), &set, &object)?.1)
    }
}

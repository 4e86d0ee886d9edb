//! Sets of tapes that are too long for a private half: their objects, and with the custody key that they are what was
//! committed to.

use std::collections::HashSet;

use super::stored::Stored;
use super::{CheckOptions, Checker};
use crate::codec::digest::{ObjectDigest, RootHash};
use crate::evidence::{Report, Severity};
use crate::log::{Body, Entry, set_commitment};
use crate::seal::open_set;

/// A `listed` or `searched` entry whose ids stand in an object.
pub(super) struct SetList {
    index: u64,
    key_id: [u8; 16],
    root: RootHash,
    count: u64,
    digest: ObjectDigest,
}

impl SetList {
    pub(super) fn of(entry: &Entry<'_>, body: &Body) -> Option<Self> {
        let (Body::Listed { set, count, list, .. } | Body::Searched { set, count, list, .. }) = body else {
            return None;
        };
        Some(Self { index: entry.index, key_id: entry.key_id, root: *set, count: *count, digest: (*list)? })
    }

    /// Reads the object, and opens it where its key is there.
    fn check(&self, checker: &Checker, options: &CheckOptions, stored: &Stored) -> Result<(), String> {
        let object = stored.object(self.digest, 0);
        let bytes = checker.stores.objects.get(&object).map_err(|e| e.message().to_owned())?;
        let Some(vault) = checker.vault().filter(|_| !options.stored_only) else { return Ok(()) };
        // Entries whose custody key ended stay as they are; so does this.
        let Some(key) = vault.custody_key(&self.key_id) else { return Ok(()) };
        let origin = &checker.identity.genesis.origin;
        let (salt, mut ids) = open_set(key, origin, &self.root, &bytes).map_err(|e| e.to_string())?;
        if ids.len() as u64 != self.count || set_commitment(&salt, &mut ids) != self.root {
            return Err("the ids in it are not the ones that the entry commits to".into());
        }
        Ok(())
    }
}

/// Checks every such object, and says that it belongs to somebody.
pub(super) fn check(
    (checker, options): (&Checker, &CheckOptions),
    lists: &[SetList],
    stored: &Stored,
    used: &mut HashSet<ObjectDigest>,
    report: &mut Report,
) {
    used.extend(lists.iter().map(|list| list.digest));
    if lists.is_empty() || options.tape.is_some() {
        return;
    }
    let mut wrong = 0u64;
    for list in lists {
        if let Err(what) = list.check(checker, options, stored) {
            wrong = wrong.saturating_add(1);
            let place = format!("ids of entry {}", list.index);
            report.find(Severity::Altered, "object", place, what).entry = Some(list.index);
        }
    }
    report.check("long lists", lists.len() as u64, wrong, "ids of sets that are kept as objects");
}

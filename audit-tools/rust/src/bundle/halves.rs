//! What stands beside an entry: opened private fields, memberships, a consistency path (6.4, check 6).

use crate::cbor::{Labelled, Reader};
use crate::digest::Hash;
use crate::entry::{Body, Entry};
use crate::error::{Result, ensure, refuse};
use crate::opened::Opened;
use crate::private;
use crate::report::{Report, Word};
use crate::tree::{self, path_root};
use alloc::vec::Vec;

/// What stands beside an entry.
pub struct Beside<'a> {
    /// Its private half, where it is not closed as a whole.
    pub opened: Option<Opened<'a>>,
    /// Custody id, own salt, position and path of each tape that is shown to be in its set.
    pub members: Vec<(Hash, Hash, u64, Vec<Hash>)>,
    /// From the head that it keeps to that of the bundle.
    pub path: Option<Vec<Hash>>,
}

/// `[* hash]` of at most so many.
pub fn hashes(reader: &mut Reader<'_>, most: u64) -> Result<Vec<Hash>> {
    let n = reader.array()?;
    ensure(n <= most, "more hashes than a path has")?;
    let mut found = Vec::new();
    for _ in 0..n {
        found.push(reader.fixed()?);
    }
    Ok(found)
}

/// An item of `entries.cbor`: the entry, and what stands beside it.
pub fn parts<'a>(item: &'a [u8]) -> Result<(&'a [u8], Beside<'a>)> {
    let mut reader = Reader::new(item);
    reader.array_of(3)?;
    let bytes = reader.bytes()?;
    let opened = reader.nullable(Opened::read)?;
    let (mut members, mut path) = (Vec::new(), None);
    reader.table(|key, value| match key {
        0 => value
            .some(|each| {
                each.array_of(4)?;
                members.push((each.fixed()?, each.fixed()?, each.uint()?, hashes(each, 64)?));
                Ok(())
            })
            .map(drop),
        1 => {
            path = Some(hashes(value, 128)?);
            Ok(())
        }
        _ => refuse("a key that no item of entries has"),
    })?;
    reader.end()?;
    Ok((bytes, Beside { opened, members, path }))
}

/// Opened private fields and the commitment. Gives the bits of fields that stay closed.
pub fn fields(entry: &Entry<'_>, beside: &Beside<'_>, place: &str, report: &mut Report) -> Option<u64> {
    let opened = beside.opened.as_ref()?;
    report.take("private fields", Word::Altered, place, check_fields(entry, opened));
    let bit = |n: &u64| 1_u64.checked_shl(u32::try_from(*n).unwrap_or(64)).unwrap_or(0);
    Some(opened.closed().iter().map(bit).fold(0, |all, bit| all | bit))
}

fn check_fields(entry: &Entry<'_>, opened: &Opened<'_>) -> Result<()> {
    let commitment = opened.commitment("immutape/private/1")?;
    ensure(commitment == entry.commitment, "fields that are not the ones committed to")?;
    ensure(opened.fields.iter().all(|(n, _)| *n <= private::LAST_FIELD), "a field that no private half has")?;
    for (n, _, value) in &opened.values {
        let mut reader = Reader::new(value);
        private::field(*n, &mut reader)?;
        reader.end()?;
    }
    Ok(())
}

/// Leaf hash of a tape in a set (4.3).
fn set_leaf(own_salt: &Hash, custody: &Hash) -> Hash {
    tree::leaf(&Labelled::new("immutape/set/1", 2).bytes(own_salt).bytes(custody).done())
}

/// That each tape shown was in the set.
pub fn members(entry: &Entry<'_>, beside: &Beside<'_>, place: &str, report: &mut Report) {
    for (custody, own_salt, position, path) in &beside.members {
        let checked = match &entry.body {
            Body::Set(set) => path_root(&set_leaf(own_salt, custody), *position, set.tapes, path)
                .and_then(|root| ensure(root == set.commitment, "a tape that was not in the set")),
            _ => refuse("a membership in something that is no set"),
        };
        report.take("memberships", Word::Altered, place, checked);
    }
}

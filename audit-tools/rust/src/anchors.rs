//! What others gave: cosignatures and time-stamps in entries (4-commit, *Anchors*).

use crate::digest::{Hash, hash};
use crate::entry::{Cosigned, Timestamped};
use crate::error::{Result, ensure};
use crate::keys::{Keys, Role, Signer, Times};
use crate::note::Head;
use crate::sign::{KeyType, VerifierKey};
use crate::token::Token;
use alloc::collections::BTreeSet;

/// A head that an entry keeps, and that holds.
pub struct Anchor {
    /// How many entries it is over.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// The key that signed it.
    pub signer: Signer,
    /// Cosignatures of known witnesses.
    pub times: Times,
}

fn own(head: &Head, keys: &Keys, witnesses: &[VerifierKey]) -> Result<Anchor> {
    let (held, times) = keys.head(head, witnesses)?;
    Ok(Anchor { size: head.size, root: head.root, signer: held.id, times })
}

fn read(note: &[u8], most: u64) -> Result<Head> {
    let head = Head::read(note)?;
    ensure(head.size <= most, "a head past the index of its entry")?;
    Ok(head)
}

/// Kind 128: the head holds, and a cosignature of each key in the body.
///
/// # Errors
/// What does not hold.
pub fn cosigned(index: u64, body: &Cosigned<'_>, keys: &Keys, witnesses: &[VerifierKey]) -> Result<Anchor> {
    let head = read(body.note, index)?;
    let anchor = own(&head, keys, witnesses)?;
    let mut seen = BTreeSet::new();
    for written in &body.keys {
        // A key that stands there twice asks for nothing more.
        if !seen.insert(*written) {
            continue;
        }
        let key = VerifierKey::read(written)?;
        ensure(key.of == KeyType::Witness, "a key of a log among the witnesses")?;
        let own = keys.with(Role::Checkpoint, &key.key.thumbprint());
        ensure(own.is_none(), "a key of this log among the witnesses")?;
        ensure(head.note.cosigned_by(&key)?.is_some(), "a cosignature is missing")?;
    }
    Ok(anchor)
}

/// Kind 129: the head holds and has this line alone; digest and time of the token are what the entry says.
///
/// # Errors
/// What does not hold.
pub fn timestamped(index: u64, body: &Timestamped<'_>, keys: &Keys, witnesses: &[VerifierKey]) -> Result<Anchor> {
    let head = read(body.note, index)?;
    let anchor = own(&head, keys, witnesses)?;
    ensure(head.note.lines.len() == 1, "more lines than the one of the log")?;
    let token = Token::read(body.token)?;
    ensure(token.imprint == hash(body.note), "a token about another note")?;
    ensure(token.time == body.time, "a token of another time")?;
    Ok(anchor)
}

/// Kind 133: what others hold is signed by this log.
///
/// # Errors
/// What does not hold.
pub fn fork_found(note: &[u8], keys: &Keys, witnesses: &[VerifierKey]) -> Result<Anchor> {
    own(&read(note, u64::MAX)?, keys, witnesses)
}

//! What others gave: cosignatures and time-stamps in entries (4-commit, *Anchors*).

use crate::digest::{Hash, hash};
use crate::entry::{Cosigned, Timestamped};
use crate::error::{Result, ensure, refuse};
use crate::keys::{Keys, Role};
use crate::note::Head;
use crate::sign::{KeyType, VerifierKey};
use crate::token::Token;

/// A head that an entry keeps, and that holds.
pub struct Anchor {
    /// The head.
    pub head: Head,
    /// Thumbprint of the key that signed it.
    pub signer: Hash,
}

fn own(note: &[u8], keys: &Keys, most: u64) -> Result<Anchor> {
    let head = Head::read(note)?;
    ensure(head.size <= most, "a head past the index of its entry")?;
    let Some(held) = keys.in_force(Role::Checkpoint, head.size) else { return refuse("no key in force") };
    head.verify(&keys.verifier(held))?;
    let signer = held.key.thumbprint();
    Ok(Anchor { head, signer })
}

/// Kind 128: the head holds, and a cosignature of each key in the body.
///
/// # Errors
/// What does not hold.
pub fn cosigned(index: u64, body: &Cosigned<'_>, keys: &Keys) -> Result<Anchor> {
    let anchor = own(body.note, keys, index)?;
    for written in &body.keys {
        let key = VerifierKey::read(written)?;
        ensure(key.of == KeyType::Witness, "a key of a log among the witnesses")?;
        ensure(keys.of(Role::Checkpoint).all(|held| held.key != key.key), "a key of this log among the witnesses")?;
        ensure(anchor.head.note.cosigned_by(&key)?.is_some(), "a cosignature is missing")?;
    }
    Ok(anchor)
}

/// Kind 129: the head holds and has this line alone; digest and time of the token are what the entry says.
///
/// # Errors
/// What does not hold.
pub fn timestamped(index: u64, body: &Timestamped<'_>, keys: &Keys) -> Result<Anchor> {
    let anchor = own(body.note, keys, index)?;
    ensure(anchor.head.note.lines.len() == 1, "more lines than the one of the log")?;
    let token = Token::read(body.token)?;
    ensure(token.imprint == hash(body.note), "a token about another note")?;
    ensure(token.time == body.time, "a token of another time")?;
    Ok(anchor)
}

/// Kind 133: what others hold is signed by this log.
///
/// # Errors
/// What does not hold.
pub fn fork_found(note: &[u8], keys: &Keys) -> Result<Anchor> {
    own(note, keys, u64::MAX)
}

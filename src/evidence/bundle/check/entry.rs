//! What an entry says by itself: `docs/format/4-commit.md` 4.1, as far as nobody needs another entry for it.

use crate::codec::digest::{CustodyId, LeafHash, TapeId};
use crate::log::{Body, Entry, EntryKind, LogError, leaf_hash};
use crate::seal::Statement;

/// An entry that holds by itself.
#[derive(Debug)]
pub struct PublicHalf<'a> {
    /// The entry.
    pub entry: Entry<'a>,
    /// Its body.
    pub body: Body,
    /// Leaf hash.
    pub leaf: LeafHash,
    /// Of a `tape.saved`: the statement, in its shape.
    pub statement: Option<Statement>,
}

impl<'a> PublicHalf<'a> {
    /// Reads an entry, and makes every check of 4.1 that it allows alone.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, LogError> {
        let entry = Entry::decode(bytes)?;
        let (index, kind) = (entry.index, entry.kind);
        let fault = |fault| LogError::Body { index, kind: kind.number(), fault };
        let body = Body::decode(kind, entry.body).map_err(fault)?;
        let is_ledger = entry.subject == CustodyId::LEDGER;
        if (kind == EntryKind::GENESIS) != (index == 0) || (index == 0 && !is_ledger) {
            return Err(LogError::Genesis(index));
        }
        if !kind.can_be_about(is_ledger) {
            return Err(LogError::About { index, kind: kind.number() });
        }
        let zero = LeafHash::from_bytes([0; 32]);
        if index == 0 && entry.previous != zero {
            return Err(LogError::Previous(index));
        }
        let is_first = entry.subject_seq == 0;
        if (is_first && entry.subject_prev != zero) || entry.subject_seq > index {
            return Err(LogError::Subject(index));
        }
        let statement = match &body {
            Body::TapeSaved { statement, .. } => Some(Statement::decode(statement)?),
            _ => None,
        };
        Ok(Self { entry, body, leaf: leaf_hash(bytes), statement })
    }

    /// The tape that a `tape.saved` saved.
    #[must_use]
    pub fn tape(&self) -> Option<TapeId> {
        self.statement.as_ref().map(|statement| statement.claims().tape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::digest::Digest;
    use crate::log::{EntryDraft, empty_body};
    use crate::time::Timestamp;

    fn draft(kind: EntryKind, subject: u8, body: Vec<u8>) -> EntryDraft {
        let zero = Digest::from_bytes([0; 32]);
        let subject = CustodyId::from_bytes([subject; 32]);
        EntryDraft { kind, subject, body, commitment: zero, sealed_digest: zero, key_id: [0; 16], sealed: Vec::new() }
    }

    fn read(draft: &EntryDraft, index: u64, previous: u8, seq: u64, prev: u8) -> Result<EntryKind, LogError> {
        let leaf = |byte| LeafHash::from_bytes([byte; 32]);
        let (bytes, _) = draft.place(index, &leaf(previous), Timestamp::from_ms(5), seq, &leaf(prev)).unwrap();
        PublicHalf::read(&bytes).map(|half| half.entry.kind)
    }

    #[test]
    fn what_an_entry_alone_can_break() {
        let again = draft(EntryKind::TAPE_SAVED_AGAIN, 1, empty_body());
        assert_eq!(read(&again, 5, 1, 0, 0), Ok(EntryKind::TAPE_SAVED_AGAIN));
        assert_eq!(read(&again, 5, 1, 5, 7), Ok(EntryKind::TAPE_SAVED_AGAIN));
        assert_eq!(read(&again, 5, 1, 0, 7), Err(LogError::Subject(5)));
        assert_eq!(read(&again, 5, 1, 6, 7), Err(LogError::Subject(5)));
        assert_eq!(read(&again, 0, 0, 0, 0), Err(LogError::Genesis(0)));
        let ours = draft(EntryKind::TAPE_SAVED_AGAIN, 0, empty_body());
        assert_eq!(read(&ours, 5, 1, 0, 0), Err(LogError::About { index: 5, kind: 17 }));
        let full = draft(EntryKind::TAPE_SAVED_AGAIN, 1, vec![0xa1, 0, 0]);
        assert!(matches!(read(&full, 5, 1, 0, 0), Err(LogError::Body { index: 5, kind: 17, .. })));
        let saved = Body::TapeSaved { statement: vec![0xd2, 0], epoch: [0; 16] }.encode();
        assert!(matches!(read(&draft(EntryKind::TAPE_SAVED, 1, saved), 5, 1, 0, 0), Err(LogError::Seal(_))));
        let later = draft(EntryKind::from_number(40_000), 1, empty_body());
        assert_eq!(read(&later, 5, 1, 0, 0), Ok(EntryKind::from_number(40_000)));
    }

    #[test]
    fn a_genesis_follows_nothing() {
        let golden = include_bytes!("../../../../tests/golden/4-commit/accept/entry-00-genesis.cbor");
        assert_eq!(PublicHalf::read(golden).unwrap().entry.kind, EntryKind::GENESIS);
        let entry = Entry::decode(golden).unwrap();
        let genesis = draft(EntryKind::GENESIS, 0, entry.body.to_vec());
        assert_eq!(read(&genesis, 0, 1, 0, 0), Err(LogError::Previous(0)));
        assert_eq!(read(&genesis, 1, 1, 0, 0), Err(LogError::Genesis(1)));
        let about = draft(EntryKind::GENESIS, 1, entry.body.to_vec());
        assert_eq!(read(&about, 0, 0, 0, 0), Err(LogError::Genesis(0)));
    }
}

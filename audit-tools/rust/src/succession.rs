//! Successor statements (4-commit, section 4.6).

use crate::digest::{Hash, hash};
use crate::error::{Result, ensure, refuse};
use crate::note::Note;
use crate::sign::{KeyType, VerifierKey};
use crate::text;
use alloc::string::{String, ToString};

/// A statement whose signatures hold.
pub struct Succession {
    /// Key of the old log.
    pub old: VerifierKey,
    /// Size and root of the old log's newest known head.
    pub head: (u64, Hash),
    /// Key of the successor.
    pub new: VerifierKey,
    /// Leaf hash of the successor's entry 0.
    pub ledger: Hash,
    /// First and last index that are lost.
    pub lost: (u64, Option<u64>),
    /// Whether the old log signed it, too.
    pub old_signed: bool,
    /// H of the text.
    pub id: Hash,
}

impl Succession {
    /// Reads the note and verifies its signatures: that of `new` is there, and none of either is wrong.
    ///
    /// # Errors
    /// Any other form, a missing or wrong signature.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let note = Note::read(bytes)?;
        let written: String = note.text.clone();
        let mut lines = text::lines(&written)?;
        let mut line = |front: &str| lines.next().and_then(|line| line.strip_prefix(front)).map(ToString::to_string);
        let first = line("immutape/succession/1");
        ensure(first.is_some_and(|rest| rest.is_empty()), "another first line")?;
        let fields = (line("old "), line("head "), line("new "), line("ledger "), line("lost "), lines.next());
        let (Some(old), Some(head), Some(new), Some(ledger), Some(lost), None) = fields else {
            return refuse("a statement of other lines");
        };
        let (old, new) = (log_key(&old)?, log_key(&new)?);
        let (Some((size, root)), Some((from, to))) = (head.split_once(' '), lost.split_once(' ')) else {
            return refuse("one word where two belong");
        };
        let head = (text::decimal(size)?, text::unbase64_of(root)?);
        let lost = (text::decimal(from)?, if to == "-" { None } else { Some(text::decimal(to)?) });
        ensure(lost.1.is_none_or(|last| last >= lost.0), "lost indices that end before they begin")?;
        ensure(old.name != new.name && old.key != new.key, "one log that follows itself")?;
        note.verify(&new)?;
        let old_signed = note.signed_by(&old)?;
        let (ledger, id) = (text::unhex_of(&ledger)?, hash(note.text.as_bytes()));
        Ok(Self { old, head, new, ledger, lost, old_signed, id })
    }
}

fn log_key(written: &str) -> Result<VerifierKey> {
    let key = VerifierKey::read(written)?;
    ensure(key.of == KeyType::Log, "a witness where a log belongs")?;
    Ok(key)
}

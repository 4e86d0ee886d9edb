//! New labels for a tape: an entry about it. The header, and with it the tape's id, stays as it was sealed.

use super::Who;
use super::acts::Act;
use super::core::{Core, died};
use crate::codec::cbor::encode;
use crate::codec::digest::{CustodyId, Digest, sha256};
use crate::codec::limits::{LABEL_BYTES_MAX, TAGS_MAX, WORDS_BYTES_MAX};
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::governance::Action;
use crate::log::Body;
use crate::tape::{Header, Labels};

impl Core {
    /// Gives a tape labels in place of those it has; the index of the entry.
    pub(super) async fn label(&self, who: &Who, id: &str, labels: &Labels, reason: Option<&str>) -> Result<u64> {
        if !labels.fit() {
            return Err(Error::new(
                Code::Limit,
                format!("a name, description or tag has at most {LABEL_BYTES_MAX} bytes, and a tape {TAGS_MAX} tags"),
            ));
        }
        let words = checked_words(reason)?;
        let found = self.look_up(who, Action::Label, id).await?;
        let salt = bytes(&*self.env.random)?;
        let field = encode(|w| {
            w.array(2);
            w.bytes(&salt);
            labels.write(w);
        });
        let body = Body::Labelled { labels: Digest::from_bytes(sha256(&field)) };
        let (tape, labels) = (found.facts.tape, labels.clone());
        let draft = self.draft(&Act::about_tape(who, found.custody, &found.class, body), |p| {
            p.tape_id = Some(tape);
            p.labels = Some((salt, labels));
            p.words = words;
        })?;
        Ok(self.append(vec![draft]).await?.first().ok_or_else(died)?.index)
    }

    /// The labels that a tape has now, and the entry that gave them when they are not those of its header.
    pub(super) fn labels_of(&self, custody: &CustodyId, header: &Header) -> Result<(Labels, Option<u64>)> {
        let labelled = self.settled_queries()?.0.labelled()?.get(custody).copied();
        let labels = labelled.map_or_else(|| Ok(header.labels.clone()), |index| self.labels_at(index))?;
        Ok((labels, labelled))
    }

    /// The labels that entry `index` gave.
    pub(super) fn labels_at(&self, index: u64) -> Result<Labels> {
        let missing = || Error::new(Code::RowsUnavailable, format!("entry {index} is missing in sled"));
        let line = self.open_entry(&self.queries().entry(index)?.ok_or_else(missing)?)?;
        let gone = || Error::new(Code::VaultDamaged, format!("the labels of entry {index} cannot be opened"));
        line.private.and_then(|p| p.labels).map(|(_, labels)| labels).ok_or_else(gone)
    }
}

/// Words that a person typed, within their limit.
pub(super) fn checked_words(words: Option<&str>) -> Result<Option<Vec<u8>>> {
    match words {
        Some(words) if words.len() > WORDS_BYTES_MAX => {
            Err(Error::new(Code::Limit, format!("a reason has at most {WORDS_BYTES_MAX} bytes")))
        }
        words => Ok(words.map(|words| words.as_bytes().to_vec())),
    }
}

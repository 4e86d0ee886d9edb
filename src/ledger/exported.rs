//! What left the ledger in a file: a commitment to it, in the same group as the completion of the read it came from.

use super::acts::Act;
use super::core::died;
use super::label::checked_words;
use super::read::TapeReader;
use crate::codec::digest::Digest;
use crate::codec::random::bytes;
use crate::error::Result;
use crate::log::{Body, export_commitment};

/// A file that a tape was written out to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportedFile {
    /// SHA-256 of all of it.
    pub sha256: Digest,
    /// Name of its format.
    pub format: String,
    /// Whom it is for, where somebody said so.
    pub recipient: Option<String>,
}

impl ExportedFile {
    /// A file with this SHA-256, in this format.
    #[must_use]
    pub fn new(sha256: Digest, format: impl Into<String>) -> Self {
        Self { sha256, format: format.into(), recipient: None }
    }

    /// For this recipient.
    #[must_use]
    pub fn recipient(self, recipient: impl Into<Option<String>>) -> Self {
        Self { recipient: recipient.into(), ..self }
    }
}

impl TapeReader {
    /// Records that the frames which this reader gave went into a file, and how much was given; the index of the entry of
    /// the export, durable on return. The commitment in public tells nobody what the file was; its SHA-256 stands in private.
    ///
    /// # Errors
    /// As [`TapeReader::finish`]; `E_LIMIT` for a recipient that is too long.
    pub async fn finish_export(mut self, file: &ExportedFile) -> Result<u64> {
        let recipient = checked_words(file.recipient.as_deref())?;
        let salt = bytes(&*self.core().env.random)?;
        let body = Body::Exported { commitment: export_commitment(&salt, &file.sha256) };
        let (tape, given) = (self.tape(), self.bytes_given());
        let act = Act::about_tape(self.who(), self.custody(), self.class(), body);
        let exported = self.core().draft(&act, |p| {
            p.tape_id = Some(tape);
            p.bytes = Some(given);
            p.exported = Some((salt, file.sha256));
            p.recipient = recipient;
            p.query = Some(format!("format:{}", file.format).into_bytes());
        })?;
        let completed = self.complete()?;
        let placed = self.core().append(vec![exported, completed]).await?;
        Ok(placed.first().ok_or_else(died)?.index)
    }
}

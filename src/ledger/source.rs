//! The source that a tape was imported from, kept beside its frames byte for byte: an attachment of kind 0.

use std::io::Read;

use zeroize::Zeroizing;

use super::core::Core;
use super::read::{TapeReader, stored_object};
use super::sealing::read_back;
use crate::codec::digest::{CustodyId, Digest, Hasher};
use crate::codec::limits::ATTACHMENT_PIECE_BYTES_TARGET;
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::seal::{Attachment, Manifest, ManifestObject, TapeKeys, open_object, seal_object};
use crate::store::{NewObject, ObjectRef, Protection};
use crate::tape::Header;

/// Kind number of the source in a manifest.
const SOURCE: u64 = 0;

/// A sealed source: how the manifest names it, and where its pieces lie.
pub(super) struct KeptSource {
    pub attachment: Attachment,
    pub objects: Vec<ObjectRef>,
}

impl Core {
    /// Seals and puts a source piece by piece, at the positions from `first` on. It must be the bytes whose SHA-256 stands in
    /// the header. A crash leaves pieces without a key.
    pub(super) fn put_source(
        &self,
        (keys, custody): (&TapeKeys, &CustodyId),
        first: u64,
        header: &Header,
        source: &mut dyn Read,
    ) -> Result<KeptSource> {
        let mut hasher = Hasher::new();
        let mut kept = KeptSource {
            attachment: Attachment { kind: SOURCE, raw_bytes: 0, objects: Vec::new() },
            objects: Vec::new(),
        };
        for position in first.. {
            let mut piece = Zeroizing::new(Vec::new());
            let unreadable = |e| Error::new(Code::Io, "the source cannot be read again").with_source(e);
            Read::take(&mut *source, ATTACHMENT_PIECE_BYTES_TARGET).read_to_end(&mut piece).map_err(unreadable)?;
            if piece.is_empty() && position > first {
                break;
            }
            hasher.update(&piece);
            let stored = seal_object(keys, bytes(&*self.env.random)?, custody, position, &piece)?;
            let object = self.heed(self.stores.objects.put(NewObject::of(&stored), Protection::WORM))?;
            kept.attachment.raw_bytes = kept.attachment.raw_bytes.saturating_add(piece.len() as u64);
            kept.attachment.objects.push(ManifestObject { digest: object.digest, bytes: object.bytes });
            kept.objects.push(object);
        }
        self.heed(self.stores.objects.sync())?;
        read_back(self, &kept.objects)?;
        let named = header.provenance.as_ref().and_then(|p| p.source_sha256);
        if named != Some(Digest::from_bytes(hasher.finish())) {
            return Err(Error::new(Code::Usage, "the source is not the one that was imported: its SHA-256 is another")
                .with_hint("it was changed meanwhile; import it again"));
        }
        Ok(kept)
    }
}

impl TapeReader {
    /// Length of the source that is kept beside the frames; `None` when there is none.
    #[must_use]
    pub fn source_bytes(&self) -> Option<u64> {
        self.source_attachment().map(|(_, attachment)| attachment.raw_bytes)
    }

    /// Gives the source that the tape was imported from, byte for byte, in pieces. Only who opened the whole tape may have it.
    ///
    /// # Errors
    /// `E_NOT_FOUND` when no source is kept; `E_NOT_PERMITTED` when the tape was opened for a range; `E_TAPE_DAMAGED`, `E_BROKEN`,
    /// errors of `each`.
    pub fn source(&self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if self.is_for_a_range() {
            return Err(Error::new(
                Code::NotPermitted,
                "the record of this read names a range of frames, and no source",
            )
            .with_hint("open the whole tape"));
        }
        let none = || Error::new(Code::NotFound, "no source is kept beside this tape");
        let (first, attachment) = self.source_attachment().ok_or_else(none)?;
        for (position, object) in (first..).zip(&attachment.objects) {
            self.core().refuse_if_broken()?;
            let place = usize::try_from(position).unwrap_or(usize::MAX);
            let hint = self.hint(place)?;
            let stored = stored_object(self.core(), &ObjectRef { digest: object.digest, bytes: object.bytes, hint })?;
            let piece = open_object(self.keys(), &self.custody(), position, &stored)?;
            self.gave(piece.len() as u64);
            each(&piece)?;
        }
        Ok(())
    }

    fn source_attachment(&self) -> Option<(u64, &Attachment)> {
        let manifest: &Manifest = self.manifest();
        let mut position = manifest.objects.len() as u64;
        for attachment in &manifest.attachments {
            if attachment.kind == SOURCE {
                return Some((position, attachment));
            }
            position = position.saturating_add(attachment.objects.len() as u64);
        }
        None
    }
}

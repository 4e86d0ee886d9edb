//! The manifest: which stored objects make up a tape. Plain: it names no content.

use super::SealError;
use crate::codec::cbor::{Reader, Writer};
use crate::codec::digest::{CustodyId, ObjectDigest, sha256};
use crate::codec::limits::{MANIFEST_BYTES_MAX, MANIFEST_OBJECTS_MAX};
use crate::tape::TapeRoot;

const LABEL: &str = "immutape/manifest/1";

/// One object of a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestObject {
    /// SHA-256 of the stored bytes.
    pub digest: ObjectDigest,
    /// Length of the stored bytes.
    pub bytes: u64,
}

/// The objects of a tape in order of position, the sealed header first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Custody id.
    pub custody: CustodyId,
    /// Tape root, carried as its file.
    pub root: TapeRoot,
    /// Header and chunks.
    pub objects: Vec<ManifestObject>,
    /// What is kept beside the frames.
    pub attachments: Vec<Attachment>,
}

/// Bytes kept beside the frames of a tape, sealed under the tape's keys like its chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// What it is: 0 the source that the tape was imported from. A later program may write others.
    pub kind: u64,
    /// Length before it was sealed.
    pub raw_bytes: u64,
    /// Its pieces in order. Their positions go on behind those of the chunks and of the attachments before.
    pub objects: Vec<ManifestObject>,
}

impl Manifest {
    /// Encodes it.
    ///
    /// # Errors
    /// [`SealError::Limit`] for too many objects.
    pub fn encode(&self) -> Result<Vec<u8>, SealError> {
        let count = self.all_objects().count();
        if count > MANIFEST_OBJECTS_MAX {
            return Err(SealError::Limit {
                what: "the number of objects of a tape",
                found: count as u64,
                max: MANIFEST_OBJECTS_MAX as u64,
            });
        }
        let mut w = Writer::with_capacity(count.saturating_mul(44).saturating_add(200));
        w.array(if self.attachments.is_empty() { 4 } else { 5 });
        w.text(LABEL);
        w.bytes(self.custody.as_ref());
        w.bytes(&self.root.encode());
        write_objects(&mut w, &self.objects);
        if !self.attachments.is_empty() {
            w.array(self.attachments.len());
            for attachment in &self.attachments {
                w.array(3);
                w.uint(attachment.kind);
                w.uint(attachment.raw_bytes);
                write_objects(&mut w, &attachment.objects);
            }
        }
        Ok(w.finish())
    }

    /// Every object of the tape in order of position: header, chunks, pieces of attachments.
    pub fn all_objects(&self) -> impl Iterator<Item = &ManifestObject> {
        self.objects.iter().chain(self.attachments.iter().flat_map(|a| &a.objects))
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SealError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(SealError::Limit {
                what: "a manifest",
                found: bytes.len() as u64,
                max: MANIFEST_BYTES_MAX as u64,
            });
        }
        let mut r = Reader::new(bytes);
        let items = r.array()?;
        if !(4..=5).contains(&items) {
            return Err(crate::codec::CborError::Length.into());
        }
        r.label(LABEL)?;
        let custody = CustodyId::from_bytes(r.bytes_n()?);
        let root = TapeRoot::decode(r.bytes()?)?;
        let mut room = MANIFEST_OBJECTS_MAX;
        let objects = read_objects(&mut r, &mut room)?;
        let attachments = if items == 5 { read_attachments(&mut r, &mut room)? } else { Vec::new() };
        r.end()?;
        Ok(Self { custody, root, objects, attachments })
    }

    /// Digest of an encoded manifest.
    #[must_use]
    pub fn digest(encoded: &[u8]) -> ObjectDigest {
        ObjectDigest::from_bytes(sha256(encoded))
    }
}

fn write_objects(w: &mut Writer, objects: &[ManifestObject]) {
    w.array(objects.len());
    for object in objects {
        w.array(2);
        w.bytes(object.digest.as_ref());
        w.uint(object.bytes);
    }
}

/// At least one, and no more than there is still `room` for.
fn read_objects(r: &mut Reader<'_>, room: &mut usize) -> Result<Vec<ManifestObject>, SealError> {
    let count = r.array()?;
    *room = room.checked_sub(count).filter(|_| count > 0).ok_or(crate::codec::CborError::Items)?;
    let mut objects = Vec::with_capacity(count);
    for _ in 0..count {
        r.array_of(2)?;
        objects.push(ManifestObject { digest: ObjectDigest::from_bytes(r.bytes_n()?), bytes: r.uint()? });
    }
    Ok(objects)
}

fn read_attachments(r: &mut Reader<'_>, room: &mut usize) -> Result<Vec<Attachment>, SealError> {
    let count = r.array()?;
    if count == 0 || count > *room {
        return Err(crate::codec::CborError::Items.into());
    }
    let read = |_| {
        r.array_of(3)?;
        Ok(Attachment { kind: r.uint()?, raw_bytes: r.uint()?, objects: read_objects(r, room)? })
    };
    (0..count).map(read).collect()
}

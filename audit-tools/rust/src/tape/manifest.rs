//! Manifests (3-seal, section 3.2).

use super::Root;
use crate::cbor::Reader;
use crate::digest::Hash;
use crate::error::{Result, ensure};
use alloc::vec::Vec;

/// Most bytes of a manifest.
pub const MOST_BYTES: usize = 64 << 20;
const MOST_OBJECTS: usize = 1 << 20;

/// A manifest.
pub struct Manifest<'a> {
    /// Custody id.
    pub custody: Hash,
    /// The tape root file in it, as it is.
    pub root_file: &'a [u8],
    /// That file read.
    pub root: Root,
    /// Digest and stored length of each object, those of attachments last.
    pub objects: Vec<(Hash, u64)>,
}

impl<'a> Manifest<'a> {
    /// Reads a manifest.
    ///
    /// # Errors
    /// Any other form, too many objects, frames without a chunk.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        ensure(bytes.len() <= MOST_BYTES, "a manifest over 64 MiB")?;
        let mut reader = Reader::new(bytes);
        let items = reader.array()?;
        ensure(items == 4 || items == 5, "another number of items")?;
        reader.label("immutape/manifest/1")?;
        let custody = reader.fixed()?;
        let root_file = reader.bytes()?;
        let root = Root::read(root_file)?;
        let mut objects = Vec::new();
        let stored = reader.some(|each| object(each, &mut objects))?;
        ensure(root.frames == 0 || stored >= 2, "frames without a chunk")?;
        if items == 5 {
            reader.some(|each| {
                each.array_of(3)?;
                each.uint()?;
                each.uint()?;
                each.some(|piece| object(piece, &mut objects)).map(|_| ())
            })?;
        }
        reader.end()?;
        Ok(Self { custody, root_file, root, objects })
    }
}

fn object(reader: &mut Reader<'_>, objects: &mut Vec<(Hash, u64)>) -> Result<()> {
    ensure(objects.len() < MOST_OBJECTS, "more than 2^20 objects")?;
    reader.array_of(2)?;
    objects.push((reader.fixed()?, reader.uint()?));
    Ok(())
}

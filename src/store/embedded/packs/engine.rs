//! The contract of [`Objects`] over pack files.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::folder::{Folder, Place, io_error, lock};
use super::index::{Index, stronger};
use super::records::{RECORD_HEADER_BYTES, RecordError, RecordHeader, RecordType};
use super::used;
use super::writer::{NewRecords, Writer};
use super::{back, near, pieces, strays};
use crate::codec::digest::{Digest, ObjectDigest, sha256};
use crate::error::{Code, Error, Result};
use crate::governance::DisposalClearance;
use crate::store::NewObject;
use crate::store::contracts::{Listed, ObjectRef, Objects, Protection};
use crate::store::files::{File, Files};
use crate::time::Timestamp;

/// The pack files of one ledger.
///
/// One process at a time may write (the ledger's lock sees to it); others may read. A handle whose
/// write or sync failed answers `E_BROKEN` for ever.
///
/// Equal bytes put twice in one run are stored once. Bytes that an earlier run stored are stored
/// again: nobody can tell whether that run's copy ever reached the disk, looking for it would mean
/// walking the packs, and a second copy has the same digest and the same bytes. `list` names it once.
///
/// A hint need not be the object's own: that of an object put shortly before or after leads there almost
/// as fast. Without any, the first `get` walks the headers of all packs and keeps what it found.
///
/// An object whose discarding a crash cut short, after its record and before its bytes were cleared,
/// is still readable at its place until `discard` is called again; it is not listed.
#[derive(Debug)]
pub struct Packs {
    folder: Folder,
    writer: Writer,
    /// Made when an object is not where its hint says, and kept.
    index: Mutex<Option<Index>>,
    /// Made when an object is in no walk, and kept.
    strays: Mutex<Option<HashMap<ObjectDigest, Vec<Place>>>>,
}

impl Packs {
    /// The packs in `folder`, for the ledger whose origin text has the digest `origin`. Changes nothing; the
    /// folder and a pack are made by the first put.
    ///
    /// # Errors
    /// `E_IO` when the folder is there and cannot be listed.
    pub fn open(files: Arc<dyn Files>, folder: PathBuf, origin: Digest) -> Result<Self> {
        let folder = Folder::new(files, folder, origin);
        folder.numbers()?;
        Ok(Self { folder, writer: Writer::new(), index: Mutex::new(None), strays: Mutex::new(None) })
    }

    /// The byte ranges of every pack that carry meaning, ascending: a change anywhere else changes
    /// nothing that was stored. For checks and tests; walks every pack.
    ///
    /// # Errors
    /// `E_IO`, `E_BROKEN`.
    pub fn used_ranges(&self) -> Result<Vec<(PathBuf, Vec<Range<u64>>)>> {
        self.writer.check()?;
        let extents = self.writer.extents(&self.folder)?;
        used::used_ranges(&self.folder, &Index::build(&self.folder, &extents), &extents)
    }

    /// Calls `act` with an index that covers everything put before this call.
    fn with_index<T>(&self, act: impl FnOnce(&Index) -> Result<T>) -> Result<T> {
        let mut index = lock(&self.index)?;
        let extents = self.writer.extents(&self.folder)?;
        let index = index.get_or_insert_default();
        index.catch_up(&self.folder, &extents);
        act(index)
    }

    /// The object where an index made earlier has it, or near its hint; `None` says nothing.
    fn find_quickly(&self, object: &ObjectRef) -> Result<Option<Vec<u8>>> {
        // Another thread may be walking the packs just now; that is no reason to wait.
        let indexed = self.index.try_lock().ok();
        let known = indexed.as_ref().and_then(|index| index.as_ref()?.get(&object.digest).map(|known| known.place));
        drop(indexed);
        let place = known.map_or_else(|| self.near(object), |place| Ok(Some(place)))?;
        let Some(place) = place else { return Ok(None) };
        Ok(match self.read(place, &object.digest)? {
            Read::Whole(bytes) if !bytes.is_empty() => Some(bytes),
            Read::Whole(_) | Read::Damaged(_) | Read::Other => None,
        })
    }

    fn near(&self, object: &ObjectRef) -> Result<Option<Place>> {
        let hinted = Place::from_hint(object.hint);
        let Some(file) = self.reader(hinted)? else { return Ok(None) };
        let path = self.folder.file_path(hinted.pack);
        let offset =
            near::find(file.as_ref(), hinted.offset, &object.digest).map_err(|e| io_error("read", &path, e))?;
        Ok(offset.map(|offset| Place { offset, ..hinted }))
    }

    /// The object wherever it is, by the records of all packs.
    fn find(&self, object: &ObjectRef) -> Result<Vec<u8>> {
        let hinted = Place::from_hint(object.hint);
        let (places, missing) = self.with_index(|index| match index.get(&object.digest) {
            None => {
                let missing = match index.damage_at(hinted) {
                    Some(damage) if damage.is_newer => self.newer(damage.place),
                    Some(damage) => self.damaged(&object.digest, damage.place, &damage.reason),
                    None => not_found(&object.digest, index.damages.len()),
                };
                Ok((Vec::new(), Some(missing)))
            }
            Some(known) if known.is_discarded => {
                Err(Error::new(Code::NotFound, format!("object {} was discarded", object.digest.to_hex())))
            }
            Some(_) => Ok((index.places(&object.digest), None)),
        })?;
        if let Some(missing) = missing {
            return self.find_stray(&object.digest)?.ok_or(missing);
        }
        let mut found = (hinted, "its record is gone");
        for place in places {
            match self.read(place, &object.digest)? {
                Read::Whole(bytes) => return Ok(bytes),
                Read::Other => {}
                Read::Damaged(why) => found = (place, why),
            }
        }
        Err(self.damaged(&object.digest, found.0, found.1))
    }

    /// The object, if its record stands whole where no walk comes by.
    fn find_stray(&self, digest: &ObjectDigest) -> Result<Option<Vec<u8>>> {
        let places = {
            let mut strays = lock(&self.strays)?;
            let strays = match strays.as_ref() {
                Some(strays) => strays,
                None => strays.insert(strays::find_all(&self.folder, &self.writer.extents(&self.folder)?)),
            };
            strays.get(digest).cloned().unwrap_or_default()
        };
        for place in places {
            if let Read::Whole(bytes) = self.read(place, digest)? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The pack of `place`; `None` if there is none, as for a lost hint.
    fn reader(&self, place: Place) -> Result<Option<Arc<dyn File>>> {
        match self.folder.reader(place.pack) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some).map_err(|e| io_error("open", &self.folder.file_path(place.pack), e)),
        }
    }

    /// What stands at `place`, if it is the object `digest`.
    fn read(&self, place: Place, digest: &ObjectDigest) -> Result<Read> {
        let path = self.folder.file_path(place.pack);
        let Some(file) = self.reader(place)? else { return Ok(Read::Other) };
        let read_error = |e| io_error("read", &path, e);
        let mut header = [0; RECORD_HEADER_BYTES];
        file.read_at(place.offset, &mut header).map_err(read_error)?;
        let header = match RecordHeader::parse(&header) {
            Ok(header) if header.kind == RecordType::Object && header.digest == *digest => header,
            Err(RecordError::NewerFormat) => return Err(self.newer(place)),
            _ => return Ok(Read::Other),
        };
        // The length is checked against the file before memory is asked for.
        let start = place.offset.saturating_add(RECORD_HEADER_BYTES as u64);
        let left = file.len().map_err(read_error)?.saturating_sub(start);
        let Some(length) = usize::try_from(header.bytes).ok().filter(|_| header.bytes <= left) else {
            return Ok(Read::Damaged("the pack ends inside it"));
        };
        let mut bytes = vec![0; length];
        let read = file.read_at(start, &mut bytes).map_err(read_error)?;
        if read < length {
            return Ok(Read::Damaged("the pack ends inside it"));
        }
        if sha256(&bytes) != *digest.as_bytes() {
            return Ok(Read::Damaged("its bytes have another digest"));
        }
        Ok(Read::Whole(bytes))
    }

    /// The discarding itself; every way here from outside costs a clearance.
    ///
    /// The record that says so is durable before the bytes go: a crash between leaves bytes of an object
    /// that counts as discarded, and calling again clears them. The other order would leave damage
    /// that nobody ordered.
    fn discard_cleared(&self, object: &ObjectRef, now_ms: u64) -> Result<()> {
        let (known, places) = self.with_index(|index| {
            let known = index.get(&object.digest).ok_or_else(|| not_found(&object.digest, index.damages.len()))?;
            Ok((*known, index.places(&object.digest)))
        })?;
        if !known.is_discarded {
            if known.protection.until_ms > now_ms {
                let until = Timestamp::from_ms(known.protection.until_ms);
                return Err(Error::new(
                    Code::RetentionShorten,
                    format!("object {} is protected until {}", object.digest.to_hex(), until.to_text()),
                )
                .with_hint("wait for that date; a protection is never shortened"));
            }
            let digest = object.digest;
            let kind = RecordType::Discarded;
            let record = RecordHeader { kind, protection: known.protection, bytes: known.bytes, digest };
            self.writer.append(&self.folder, &record.encode())?;
            self.writer.forget(&digest)?;
            self.writer.sync(&self.folder)?;
        }
        for place in places {
            let body = Place { offset: place.offset.saturating_add(RECORD_HEADER_BYTES as u64), ..place };
            self.writer.clear(&self.folder, body, known.bytes)?;
        }
        Ok(())
    }

    fn damaged(&self, digest: &ObjectDigest, place: Place, why: &str) -> Error {
        let words = self.folder.words(place);
        Error::new(Code::TapeDamaged, format!("object {} in {words} is damaged: {why}", digest.to_hex())).with_hint(
            "keep this file as it is and bring the pack back from a copy; `immutape verify` names what else is damaged",
        )
    }

    fn newer(&self, place: Place) -> Error {
        let words = self.folder.words(place);
        Error::new(Code::NewerFormat, format!("the record in {words} was written by a newer version"))
            .with_hint("use the version that wrote it, or a later one")
    }
}

/// What stands at a place.
enum Read {
    Whole(Vec<u8>),
    /// The record of this object, but not its bytes.
    Damaged(&'static str),
    /// Something else, or nothing.
    Other,
}

impl Objects for Packs {
    fn put_all(&self, objects: &[NewObject<'_>], protection: Protection) -> Result<Vec<ObjectRef>> {
        self.writer.check()?;
        let places = self.writer.append_objects(&self.folder, &NewRecords::of(objects, protection))?;
        let name = |(object, place): (&NewObject<'_>, Place)| {
            let (digest, bytes) = (*object.digest(), object.bytes().len() as u64);
            ObjectRef { digest, bytes, hint: place.hint() }
        };
        Ok(objects.iter().zip(places).map(name).collect())
    }

    fn read_back(&self, objects: &[ObjectRef]) -> Result<()> {
        self.writer.check()?;
        let stands = back::all_stand(&self.folder, objects);
        // The others are read as by any reader, who also knows what to say of one that is not there.
        let mut others = objects.iter().zip(stands).filter(|(_, stands)| !stands);
        others.try_for_each(|(object, _)| self.rehash(object).map(drop))
    }

    fn sync(&self) -> Result<()> {
        self.writer.check()?;
        self.writer.sync(&self.folder)
    }

    fn get(&self, object: &ObjectRef) -> Result<Vec<u8>> {
        self.writer.check()?;
        let is_doubtful = match self.read(Place::from_hint(object.hint), &object.digest)? {
            Read::Whole(bytes) if !bytes.is_empty() => return Ok(bytes),
            // Where nothing was to be cleared, nothing shows at its place that it was discarded.
            Read::Whole(_) | Read::Damaged(_) => true,
            Read::Other => false,
        };
        if !is_doubtful && let Some(bytes) = self.find_quickly(object)? {
            return Ok(bytes);
        }
        // Discarded, damaged or elsewhere: only the records of all packs can tell.
        self.find(object)
    }

    fn rehash(&self, object: &ObjectRef) -> Result<u64> {
        self.writer.check()?;
        let place = Place::from_hint(object.hint);
        if let Some(file) = self.reader(place)? {
            let read_error = |e| io_error("read", &self.folder.file_path(place.pack), e);
            let found = pieces::rehash(file.as_ref(), place.offset, object).map_err(read_error)?;
            if let Some(bytes) = found.filter(|bytes| *bytes > 0) {
                return Ok(bytes);
            }
        }
        // Another place, or words for what is wrong.
        self.get(object).map(|bytes| bytes.len() as u64)
    }

    fn rehash_stored(&self, object: &ObjectRef) -> Result<(u64, bool)> {
        self.writer.check()?;
        let place = Place::from_hint(object.hint);
        let is_dropped = match self.reader(place)? {
            Some(file) => {
                let bytes = object.bytes.saturating_add(RECORD_HEADER_BYTES as u64);
                let fault = |e| io_error("read", &self.folder.file_path(place.pack), e);
                file.drop_cached(place.offset, bytes).map_err(fault)?
            }
            None => false,
        };
        self.rehash(object).map(|bytes| (bytes, is_dropped))
    }

    fn list(&self, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        self.writer.check()?;
        let extents = self.writer.extents(&self.folder)?;
        // Walked anew each time: what was right an hour ago may be damaged now.
        let index = Index::build(&self.folder, &extents);
        for (digest, known) in index.live() {
            let object = ObjectRef { digest: *digest, bytes: known.bytes, hint: known.place.hint() };
            each(Listed::Object(object, known.protection))?;
        }
        for damage in index.damages {
            each(Listed::Damaged { place: self.folder.words(damage.place), reason: damage.reason })?;
        }
        Ok(())
    }

    fn protect(&self, object: &ObjectRef, protection: Protection) -> Result<()> {
        self.writer.check()?;
        self.with_index(|index| {
            let known = index.get(&object.digest).filter(|known| !known.is_discarded);
            let known = known.ok_or_else(|| not_found(&object.digest, index.damages.len()))?;
            if stronger(known.protection, protection) != protection {
                return Err(Error::new(
                    Code::RetentionShorten,
                    format!("object {} has a stronger protection already", object.digest.to_hex()),
                )
                .with_hint("a protection can only be made longer or stricter"));
            }
            if known.protection == protection && self.writer.is_own(known.protected_at)? {
                return Ok(());
            }
            let kind = RecordType::Raised;
            let record = RecordHeader { kind, protection, bytes: known.bytes, digest: object.digest };
            self.writer.append(&self.folder, &record.encode()).map(|_| ())
        })
    }

    fn discard(&self, object: &ObjectRef, now_ms: u64, clearance: DisposalClearance) -> Result<()> {
        self.writer.check()?;
        let _used_up_whatever_comes_of_it = clearance;
        self.discard_cleared(object, now_ms)
    }
}

fn not_found(digest: &ObjectDigest, damages: usize) -> Error {
    let e = Error::new(Code::NotFound, format!("object {} is not in the packs", digest.to_hex()));
    if damages == 0 {
        return e;
    }
    e.with_hint(format!("the packs have {damages} places that cannot be read; it may have been there"))
}

#[cfg(test)]
mod tests;

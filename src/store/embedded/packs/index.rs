//! What all records together say of each object. Built by walking the packs, in order: a later
//! record has the last word.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;

use super::folder::{Folder, Place};
use super::records::{PackHeader, RecordError, RecordHeader, RecordType};
use super::scan::{Cause, Found, Gap, Scan};
use crate::codec::digest::ObjectDigest;
use crate::store::contracts::Protection;

/// One object as the records leave it. About 100 bytes of memory each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub place: Place,
    pub bytes: u64,
    pub protection: Protection,
    /// The record that gave it this protection.
    pub protected_at: Place,
    pub is_discarded: bool,
}

/// A place that cannot be read as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damage {
    pub place: Place,
    /// Bytes of the pack it takes; empty when the whole pack is meant.
    pub range: Range<u64>,
    pub reason: String,
    /// Not damaged, but written by a later version.
    pub is_newer: bool,
}

/// How far a pack may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub pack: u64,
    /// The end of the last record, for the pack that is being written; `None` = the whole file.
    pub end: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    objects: HashMap<ObjectDigest, Known>,
    /// Further copies of objects stored again by a later run: same digest, same bytes.
    copies: Vec<(ObjectDigest, Place)>,
    pub damages: Vec<Damage>,
    covered: BTreeMap<u64, u64>,
}

impl Index {
    /// Walks everything from scratch and looks for packs that are gone.
    pub fn build(folder: &Folder, extents: &[Extent]) -> Self {
        let mut index = Self::default();
        index.catch_up(folder, extents);
        let highest = extents.iter().map(|e| e.pack).max().unwrap_or(0);
        // Names become durable in order, so a crash leaves no hole in the numbers.
        let missing: Vec<u64> = (1..highest).filter(|n| !index.covered.contains_key(n)).collect();
        for pack in missing {
            let reason = format!("this pack is missing although pack {highest} is there");
            index.damage(pack, 0..0, reason);
        }
        index
    }

    /// Walks what was added since the last walk.
    pub fn catch_up(&mut self, folder: &Folder, extents: &[Extent]) {
        for extent in extents {
            if let Err(e) = self.walk(folder, *extent) {
                // One unreadable pack hides nothing of the others.
                self.covered.entry(extent.pack).or_insert(0);
                self.damage(extent.pack, 0..0, format!("cannot be read: {e}"));
            }
        }
    }

    pub fn get(&self, digest: &ObjectDigest) -> Option<&Known> {
        self.objects.get(digest)
    }

    /// Every place where the bytes of `digest` should stand.
    pub fn places(&self, digest: &ObjectDigest) -> Vec<Place> {
        let first = self.objects.get(digest).map(|known| known.place);
        let others = self.copies.iter().filter(|(d, _)| d == digest).map(|(_, place)| *place);
        first.into_iter().chain(others).collect()
    }

    pub fn live(&self) -> impl Iterator<Item = (&ObjectDigest, &Known)> {
        self.objects.iter().filter(|(_, known)| !known.is_discarded)
    }

    /// The damage that `place` lies in.
    pub fn damage_at(&self, place: Place) -> Option<&Damage> {
        self.damages.iter().find(|d| d.place.pack == place.pack && d.range.contains(&place.offset))
    }

    fn walk(&mut self, folder: &Folder, extent: Extent) -> io::Result<()> {
        let from = self.covered.get(&extent.pack).copied().unwrap_or(0);
        let file = folder.reader(extent.pack)?;
        let limit = extent.end.map_or_else(|| file.len(), Ok)?;
        if limit <= from && from > 0 {
            return Ok(());
        }
        let mut scan = Scan::new(file.as_ref(), from, limit);
        while let Some(found) = scan.next()? {
            match found {
                Found::Pack(header) => self.begin(folder, extent.pack, header),
                Found::Record(offset, header) => self.record(Place { pack: extent.pack, offset }, &header),
                Found::Gap(gap) => self.gap(extent.pack, &gap),
            }
        }
        self.covered.insert(extent.pack, limit);
        Ok(())
    }

    fn begin(&mut self, folder: &Folder, pack: u64, header: PackHeader) {
        if header.origin != folder.origin {
            self.damage(pack, 0..0, "this pack belongs to another ledger".to_owned());
        }
        if header.number != pack {
            self.damage(pack, 0..0, format!("this pack was written as number {}", header.number));
        }
    }

    fn record(&mut self, place: Place, header: &RecordHeader) {
        match header.kind {
            RecordType::Object => self.object(place, header),
            RecordType::Raised => self.raised(place, header),
            RecordType::Discarded => self.discarded(place, header),
        }
    }

    fn object(&mut self, place: Place, header: &RecordHeader) {
        let new = Known {
            place,
            bytes: header.bytes,
            protection: header.protection,
            protected_at: place,
            is_discarded: false,
        };
        let known = self.objects.entry(header.digest).or_insert(new);
        if known.is_discarded {
            *known = new;
        } else if known.place != place {
            self.copies.push((header.digest, place));
            raise(known, place, header.protection);
        }
    }

    fn raised(&mut self, place: Place, header: &RecordHeader) {
        if let Some(known) = self.objects.get_mut(&header.digest) {
            raise(known, place, header.protection);
        }
    }

    fn discarded(&mut self, place: Place, header: &RecordHeader) {
        // The object's own header may be damaged; that it was discarded is known all the same.
        let known = self.objects.entry(header.digest).or_insert(Known {
            place,
            bytes: 0,
            protection: header.protection,
            protected_at: place,
            is_discarded: true,
        });
        known.is_discarded = true;
    }

    fn gap(&mut self, pack: u64, gap: &Gap) {
        self.damage(pack, gap.range.clone(), gap.reason());
        if let Some(damage) = self.damages.last_mut() {
            damage.is_newer = matches!(gap.cause, Cause::NewerPack | Cause::Damaged(RecordError::NewerFormat));
        }
    }

    fn damage(&mut self, pack: u64, range: Range<u64>, reason: String) {
        let found = Damage { place: Place { pack, offset: range.start }, range, reason, is_newer: false };
        // A pack that could not be read is walked again, and says the same again.
        if !self.damages.contains(&found) {
            self.damages.push(found);
        }
    }
}

/// The stronger of two protections, each part for itself.
pub(super) fn stronger(a: Protection, b: Protection) -> Protection {
    Protection { mode: a.mode.max(b.mode), until_ms: a.until_ms.max(b.until_ms) }
}

fn raise(known: &mut Known, place: Place, protection: Protection) {
    let raised = stronger(known.protection, protection);
    // An equal protection recorded again counts as well: the earlier record may never have been synced.
    if raised == protection {
        known.protected_at = place;
    }
    known.protection = raised;
}

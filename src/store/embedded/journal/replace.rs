//! Repair: segments made anew from extents that are known to be right, the old files put aside.
//!
//! A segment is swapped in four steps, each durable before the next:
//! 1. the new file, whole, under `<number>.seg.new` (a crash before leaves a file that a second run removes);
//! 2. the old file renamed into the quarantine;
//! 3. the new file renamed into its place.
//!
//! A crash between 2 and 3 leaves a gap in the numbers, which no acquisition accepts, and the whole
//! new file beside it; a second run with the same extents takes that file for the old one, finds it
//! right, and does step 3. So any crash is completed by running the repair again.

use std::io::ErrorKind;
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use super::old_file::{filled, group_from, named_bytes, whole};
use super::prepare::next_length;
use super::segment::{FIRST_OFFSET, Next, Segment, is_segment_length, is_zero};
use super::shelf::{Shelf, failed};
use super::{tail, tear};
use crate::codec::digest::{Digest, sha256};
use crate::codec::extent::{Group, GroupHeader, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::codec::limits::{SECTOR_BYTES, SEGMENT_BYTES_MAX};
use crate::error::{Code, Error, Result};
use crate::store::contracts::{Position, Tear};
use crate::store::files::with_suffix;

const NEW: &str = ".new";
/// Segments without a group that may stand in a row: one for each crash during a first write.
const GROUPLESS_MAX: u64 = 1_024;

type Extents<'a> = Peekable<&'a mut dyn Iterator<Item = Result<Vec<u8>>>>;

/// See [`crate::store::Journal::replace`]; where the old files went.
pub(super) fn replace(
    shelf: &Shelf,
    from: u64,
    extents: &mut dyn Iterator<Item = Result<Vec<u8>>>,
) -> Result<Vec<PathBuf>> {
    let mut job = Job::begin(shelf, from)?;
    let mut extents = extents.peekable();
    while let Some(first) = next_header(&mut extents)? {
        if first.segment < job.number || first.segment.saturating_sub(job.number) > GROUPLESS_MAX {
            return Err(conflict(format!("a group of segment {} comes too early or too late", first.segment)));
        }
        while job.number < first.segment {
            job.keep_without_groups()?;
        }
        job.rebuild(&mut extents)?;
    }
    job.put_rest_aside()?;
    Ok(job.aside)
}

/// Header of the next extent, which must be whole.
fn next_header(extents: &mut Extents<'_>) -> Result<Option<GroupHeader>> {
    // An error is taken out of the iterator, an extent is left in it.
    match extents.peek() {
        None => Ok(None),
        Some(Err(_)) => extents.next().transpose().map(|_| None),
        Some(Ok(extent)) => {
            let group = *Group::parse(extent).map_err(|e| conflict(format!("an extent is not whole: {e}")))?.header();
            if group.extent_bytes() == extent.len() as u64 {
                Ok(Some(group))
            } else {
                Err(conflict("bytes follow the end of an extent"))
            }
        }
    }
}

/// A repair on its way.
struct Job<'a> {
    shelf: &'a Shelf,
    /// The segment that comes next.
    number: u64,
    /// What its first group must be; segment and offset are where the groups before it end.
    next: Next,
    /// What a crash left at that end.
    tear: Option<Tear>,
    /// Length of the segment file before; 0 before the first.
    bytes_below: u64,
    aside: Vec<PathBuf>,
}

impl<'a> Job<'a> {
    fn begin(shelf: &'a Shelf, from: u64) -> Result<Self> {
        if from == 0 {
            return Err(conflict("segments are numbered from 1"));
        }
        let below = tail::find_among(shelf, from.saturating_sub(1), true)
            .map_err(|e| conflict("the segments before it are not whole").with_source(e))?;
        if below.end().segment.saturating_add(1) != from && from > 1 {
            return Err(conflict("the segment before it was never begun"));
        }
        let tear = below.begun.last().and_then(|begun| begun.tear);
        let bytes_below = below.begun.last().map_or(0, |begun| begun.segment.bytes);
        Ok(Self { shelf, number: from, next: below.next, tear, bytes_below, aside: Vec::new() })
    }

    /// A segment that no extent belongs to: a crash tore its first write. What the next header names
    /// of it is kept, or what has the shape of a tear; else an empty segment takes its place.
    fn keep_without_groups(&mut self) -> Result<()> {
        let old = self.old_bytes(self.number)?;
        let at = |offset| Next { segment: self.number, offset, ..self.next };
        let above = self.header_above()?;
        let named = above.filter(|above| self.next.is_named_by(above) && above.previous_end <= FIRST_OFFSET);
        let torn = named.and_then(|above| named_bytes(old.as_deref(), &above));
        if let (Some(above), Some(torn)) = (named, torn) {
            let at = at(above.previous_end);
            let begins = if at.offset == 0 { 0 } else { SEGMENT_HEADER_BYTES };
            let end = begins.saturating_add(torn.len()) as u64;
            let header = self.header(old.as_deref(), 0, end.max(FIRST_OFFSET));
            let mut image = header.encode();
            image.truncate(begins);
            image.extend_from_slice(&torn);
            self.swap(old.as_deref(), &filled(image, header.file_bytes))?;
            let tear = self.tear_at(at.offset, &torn);
            return self.go_on(at, tear, header.file_bytes);
        }
        if let (None, Some(bytes), Some((at, tear))) = (above, &old, self.follows_without_groups()?) {
            self.swap(old.as_deref(), bytes)?;
            return self.go_on(at, tear, bytes.len() as u64);
        }
        if named.is_none() {
            self.refuse_to_drop(old.as_deref())?;
        }
        let at = at(FIRST_OFFSET);
        let header = self.header(old.as_deref(), 0, FIRST_OFFSET);
        let image = filled(header.encode(), header.file_bytes);
        self.swap(old.as_deref(), &image)?;
        self.go_on(at, None, header.file_bytes)
    }

    /// A group that can be read is not dropped for want of its extent, unless the next header shows
    /// that it never counted. The first group of a segment that has no header never did: header and
    /// group were one write, and it was torn.
    fn refuse_to_drop(&self, old: Option<&[u8]>) -> Result<()> {
        let old = old.unwrap_or_default();
        let has_header = !is_zero(old.get(..SEGMENT_HEADER_BYTES).unwrap_or_default());
        let after = if has_header { FIRST_OFFSET } else { FIRST_OFFSET.saturating_add(SECTOR_BYTES as u64) };
        match group_from(old, after) {
            Some(offset) => {
                Err(conflict(format!("none of them is of segment {}, but byte {offset} holds a group", self.number)))
            }
            None => Ok(()),
        }
    }

    /// Where the segment that stands under this number ends, if it follows and holds no group but
    /// what a crash left.
    fn follows_without_groups(&self) -> Result<Option<(Next, Option<Tear>)>> {
        let Some(old) = self.old_segment()? else { return Ok(None) };
        if old.header.as_ref().is_some_and(|header| !self.is_named_by(header)) {
            return Ok(None);
        }
        let Some(walk) = whole(old.walk(self.shelf))?.filter(|walk| walk.last.is_none()) else { return Ok(None) };
        let at = Next { segment: self.number, offset: walk.end, ..self.next };
        let tear = whole(tear::after(self.shelf, &old, &at, true))?.filter(|t| t.is_some() || old.header.is_some());
        Ok(tear.map(|tear| (at, tear)))
    }

    /// Writes the segment that the next extents name.
    fn rebuild(&mut self, extents: &mut Extents<'_>) -> Result<()> {
        let old = self.old_bytes(self.number)?;
        let mut image = vec![0; SEGMENT_HEADER_BYTES];
        let mut at = Next { segment: self.number, offset: FIRST_OFFSET, ..self.next };
        let mut first_term = None;
        while let Some(group) = next_header(extents)?.filter(|group| group.segment == self.number) {
            if !at.is(&group) || Next::after(&group).offset > SEGMENT_BYTES_MAX {
                let place = format!("byte {} of segment {}", group.offset, group.segment);
                return Err(conflict(format!("the group at {place} does not follow the one before")));
            }
            first_term = first_term.or(Some(group.term));
            image.extend_from_slice(&extents.next().transpose()?.unwrap_or_default());
            at = Next::after(&group);
        }
        if let Some(offset) = old.as_deref().and_then(|old| group_from(old, at.offset)) {
            let place = format!("byte {offset} of segment {}", self.number);
            return Err(conflict(format!("they end before the group at {place}, which can still be read")));
        }
        let torn = self.torn_after(old.as_deref(), &at, extents.peek().is_some())?;
        image.extend_from_slice(&torn);
        let header = self.header(old.as_deref(), first_term.unwrap_or(0), image.len() as u64);
        image.splice(..SEGMENT_HEADER_BYTES, header.encode());
        self.swap(old.as_deref(), &filled(image, header.file_bytes))?;
        let tear = self.tear_at(at.offset, &torn);
        self.go_on(at, tear, header.file_bytes)
    }

    fn tear_at(&self, offset: u64, torn: &[u8]) -> Option<Tear> {
        let position = Position { segment: self.number, offset };
        let hash = Digest::from_bytes(sha256(torn));
        (!torn.is_empty()).then_some(Tear { position, bytes: torn.len() as u64, hash })
    }

    fn go_on(&mut self, next: Next, tear: Option<Tear>, bytes: u64) -> Result<()> {
        (self.next, self.tear, self.bytes_below) = (next, tear, bytes);
        self.number = self.number.checked_add(1).ok_or_else(|| conflict("too many segments"))?;
        Ok(())
    }

    /// Does a segment header say of what stands before it what is there?
    fn is_named_by(&self, header: &SegmentHeader) -> bool {
        let dropped = self.tear.map_or((0, Digest::from_bytes([0; 32])), |tear| (tear.bytes, tear.hash));
        self.next.is_named_by(header)
            && header.previous_end == self.next.offset
            && (header.dropped_bytes, header.dropped_hash) == dropped
    }

    /// The header that the segment must have. Length and term are taken from the old one where it can be read;
    /// without it they are what a writer would have chosen after the segment before.
    fn header(&self, old: Option<&[u8]>, first_term: u64, end: u64) -> SegmentHeader {
        let known = old.and_then(|old| SegmentHeader::parse(old).ok());
        let known = known.filter(|known| known.segment == self.number && self.next.is_named_by(known));
        let lengths = [known.map(|known| known.file_bytes), old.map(|old| old.len() as u64)];
        let old_length = lengths.into_iter().flatten().find(|bytes| is_segment_length(*bytes) && *bytes >= end);
        SegmentHeader {
            segment: self.number,
            file_bytes: old_length.unwrap_or_else(|| next_length(self.bytes_below, 0).max(end.next_power_of_two())),
            term: known.map_or_else(|| first_term.max(self.next.term), |known| known.term),
            first_index: self.next.index,
            previous_group: self.next.previous,
            previous_end: self.next.offset,
            dropped_hash: self.tear.map_or(Digest::from_bytes([0; 32]), |tear| tear.hash),
            dropped_bytes: self.tear.map_or(0, |tear| tear.bytes),
            origin: self.shelf.origin.unwrap_or(Digest::from_bytes([0; 32])),
        }
    }

    /// The torn bytes that belong after the last group: those that the next segment's header names,
    /// or, without such a header, those that a crash can have left.
    ///
    /// # Errors
    /// `E_CONFLICT` when the next segment says something else and no extents for it follow.
    fn torn_after(&self, old: Option<&[u8]>, at: &Next, more: bool) -> Result<Vec<u8>> {
        let Some(above) = self.header_above()? else {
            return self.torn_by_shape(old, at);
        };
        let follows = above.previous_end == at.offset && at.is_named_by(&above);
        match (follows, named_bytes(old, &above), more) {
            (true, Some(torn), _) => Ok(torn),
            // Lost for good; the next header is written again and names none. What stood here is kept aside.
            (true, None, true) => Ok(Vec::new()),
            (false, _, true) => self.torn_by_shape(old, at),
            (_, _, false) => Err(conflict(format!(
                "they end at byte {} of segment {}, and segment {} does not follow from there",
                at.offset, self.number, above.segment
            ))),
        }
    }

    /// The header of the next segment, if it is right in itself.
    fn header_above(&self) -> Result<Option<SegmentHeader>> {
        let number = self.number.saturating_add(1);
        let above = self.old_bytes(number)?.and_then(|bytes| SegmentHeader::parse(&bytes).ok());
        Ok(above.filter(|above| above.segment == number))
    }

    fn torn_by_shape(&self, old: Option<&[u8]>, at: &Next) -> Result<Vec<u8>> {
        let path = self.old_path(self.number)?;
        let Some(file) =
            old.map(|_| self.shelf.files.open(&path, false)).transpose().map_err(|e| failed("open", &path, e))?
        else {
            return Ok(Vec::new());
        };
        // The old header may be damaged; what follows the groups is judged under the right one.
        let header = self.header(old, 0, at.offset);
        let bytes = header.file_bytes.min(old.map_or(0, |old| old.len() as u64));
        let old = Segment { number: self.number, file, bytes, header: Some(header) };
        let tear = whole(tear::after(self.shelf, &old, at, true))?.flatten();
        let length = tear.map_or(0, |tear| usize::try_from(tear.bytes).unwrap_or(usize::MAX));
        old.read(self.shelf, at.offset, length)
    }

    /// The file that stands under a number, or the new one that a crash left beside its gap.
    fn old_path(&self, number: u64) -> Result<PathBuf> {
        let path = self.shelf.path(number);
        let is_there = self.shelf.files.exists(&path).map_err(|e| failed("look for", &path, e))?;
        Ok(if is_there { path } else { with_suffix(&path, NEW) })
    }

    fn old_bytes(&self, number: u64) -> Result<Option<Vec<u8>>> {
        let path = self.old_path(number)?;
        match self.shelf.files.read(&path, SEGMENT_BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            // Longer than any segment: nothing in it can be told from anything else.
            Err(e) if e.kind() == ErrorKind::FileTooLarge => Ok(Some(Vec::new())),
            Err(e) => Err(failed("read", &path, e)),
        }
    }

    /// The old segment, unless its header or length is damaged.
    fn old_segment(&self) -> Result<Option<Segment>> {
        let path = self.old_path(self.number)?;
        Ok(whole(Segment::open_at(self.shelf, &path, self.number, false))?.flatten())
    }

    fn swap(&mut self, old: Option<&[u8]>, image: &[u8]) -> Result<()> {
        let (files, path) = (&self.shelf.files, self.shelf.path(self.number));
        let in_place = files.exists(&path).map_err(|e| failed("look for", &path, e))?;
        let is_right = old == Some(image);
        if is_right && in_place {
            return Ok(());
        }
        let new = with_suffix(&path, NEW);
        if !is_right || in_place {
            self.write_new(&new, image)?;
        } else {
            self.write_again(&new, image)?;
        }
        if in_place {
            self.put_aside(self.number)?;
        }
        files.rename_noreplace(&new, &path).map_err(|e| failed("rename", &new, e))?;
        self.sync_folder()
    }

    fn write_new(&self, new: &Path, image: &[u8]) -> Result<()> {
        let files = &self.shelf.files;
        if files.exists(new).map_err(|e| failed("look for", new, e))? {
            files.remove_file(new).map_err(|e| failed("remove", new, e))?;
        }
        let file = files.create_new(new).map_err(|e| failed("create", new, e))?;
        file.write_at(0, image).map_err(|e| failed("write", new, e))?;
        file.sync_data().map_err(|e| failed("sync", new, e))?;
        self.sync_folder()
    }

    /// A file that an earlier run left reads right, but that run's sync may have failed, and then what is read is not
    /// what is on the disk. Written again, byte for byte, it is synced anew; a crash meanwhile changes nothing of it.
    fn write_again(&self, new: &Path, image: &[u8]) -> Result<()> {
        let file = self.shelf.files.open(new, true).map_err(|e| failed("open", new, e))?;
        file.write_at(0, image).map_err(|e| failed("write", new, e))?;
        file.sync_data().map_err(|e| failed("sync", new, e))
    }

    fn put_aside(&mut self, number: u64) -> Result<()> {
        self.aside.push(self.shelf.put_aside(number)?);
        Ok(())
    }

    fn sync_folder(&self) -> Result<()> {
        self.shelf.sync_folder()
    }

    /// Segments after the last extent stay where they follow from it; otherwise they hold nothing
    /// that is worth a place in the journal and are put aside, the last first, so that no crash
    /// leaves a gap.
    ///
    /// # Errors
    /// `E_CONFLICT` when one of them still holds a group: nothing is dropped that can be read.
    fn put_rest_aside(&mut self) -> Result<()> {
        if self.rest_may_stay()? {
            return Ok(());
        }
        let numbers = self.shelf.numbers_present()?;
        let rest = || numbers.iter().copied().filter(|number| *number >= self.number);
        for number in rest() {
            if group_from(&self.old_bytes(number)?.unwrap_or_default(), FIRST_OFFSET).is_some() {
                return Err(conflict(format!("they end before segment {number}, which still holds groups")));
            }
        }
        let rest: Vec<u64> = rest().collect();
        rest.into_iter().rev().try_for_each(|number| self.put_aside(number))
    }

    /// Is the segment after the last extent untouched, or one that follows, or the tear of a first write?
    fn rest_may_stay(&self) -> Result<bool> {
        let Some(bytes) = self.old_bytes(self.number)? else { return Ok(false) };
        let is_last = self.shelf.numbers_present()?.last() == Some(&self.number);
        let untouched = is_last && is_segment_length(bytes.len() as u64) && is_zero(&bytes);
        let follows = || SegmentHeader::parse(&bytes).is_ok_and(|header| self.is_named_by(&header));
        Ok(untouched || follows() || self.follows_without_groups()?.is_some())
    }
}

fn conflict(why: impl std::fmt::Display) -> Error {
    Error::new(Code::Conflict, format!("the journal cannot be repaired with these groups: {why}"))
}

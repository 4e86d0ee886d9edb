//! Finding the end of the journal: the last whole group and everything that stands after it.

use super::segment::{FIRST_OFFSET, Next, Segment, Walk};
use super::shelf::{Shelf, damaged};
use super::tear;
use crate::codec::digest::GroupHash;
use crate::codec::extent::GroupHeader;
use crate::codec::limits::GROUP_BYTES_MAX;
use crate::error::Result;
use crate::store::contracts::{Position, Tear};

/// Header and longest group.
pub(super) const FIRST_WRITE_BYTES_MAX: u64 = FIRST_OFFSET + GROUP_BYTES_MAX as u64;

/// The end of the journal as it lies on the disk.
#[derive(Debug)]
pub(super) struct Found {
    /// From the segment with the last whole group (or segment 1) to the newest begun, oldest first.
    pub begun: Vec<Begun>,
    /// The next segment, prepared and zero throughout.
    pub prepared: Option<Segment>,
    /// What the next group must be; its segment and offset are where the last segment's groups end.
    pub next: Next,
}

/// A segment at the end of the journal.
#[derive(Debug)]
pub(super) struct Begun {
    pub segment: Segment,
    /// Its last whole group.
    pub last: Option<GroupHeader>,
    /// What a crash left after them.
    pub tear: Option<Tear>,
}

impl Found {
    /// The last whole group.
    pub fn last(&self) -> Option<GroupHeader> {
        self.begun.first().and_then(|begun| begun.last)
    }

    /// Tears that no whole group follows, oldest first.
    pub fn tears(&self) -> Vec<Tear> {
        self.begun.iter().filter_map(|begun| begun.tear).collect()
    }

    /// Where the groups of the newest segment end.
    pub fn end(&self) -> Position {
        Position { segment: self.next.segment, offset: self.next.offset }
    }
}

/// Reads the end of the journal; changes nothing.
///
/// # Errors
/// `E_LOG_DAMAGED`, `E_NEWER_FORMAT`, `E_IO`.
pub(super) fn find(shelf: &Shelf, reopened: bool) -> Result<Found> {
    find_among(shelf, shelf.numbers()?.len() as u64, reopened)
}

/// As [`find`], but of a prepared segment only so much is read as a torn write can have reached.
pub(super) fn find_fast(shelf: &Shelf, reopened: bool) -> Result<Found> {
    find_with(shelf, shelf.numbers()?.len() as u64, FIRST_WRITE_BYTES_MAX, reopened)
}

/// As [`find`], as if segments after `count` were not there.
pub(super) fn find_among(shelf: &Shelf, count: u64, reopened: bool) -> Result<Found> {
    find_with(shelf, count, u64::MAX, reopened)
}

fn find_with(shelf: &Shelf, count: u64, prepared_bytes: u64, reopened: bool) -> Result<Found> {
    let mut newest = count;
    let mut prepared = None;
    if count > 0 {
        let segment = open(shelf, count)?;
        let read = segment.bytes.min(prepared_bytes);
        if segment.header.is_none() && segment.nonzero(shelf, 0, read)?.is_none() {
            prepared = Some(segment);
            newest = count.saturating_sub(1);
        }
    }
    let begun = collect(shelf, newest)?;
    let mut found = Found { begun: Vec::new(), prepared, next: beginning() };
    let mut rest = begun.into_iter().peekable();
    while let Some((segment, walk)) = rest.next() {
        let above = rest.peek().map(|(segment, _)| segment);
        link(shelf, &mut found, segment, walk, above, reopened)?;
    }
    Ok(found)
}

const fn beginning() -> Next {
    Next { segment: 1, offset: 0, previous: GroupHash::from_bytes([0; 32]), index: 0, term: 0, closed: false }
}

/// Segments from the newest down to the first that holds a whole group, oldest first.
fn collect(shelf: &Shelf, newest: u64) -> Result<Vec<(Segment, Walk)>> {
    let mut out = Vec::new();
    for number in (1..=newest).rev() {
        let segment = open(shelf, number)?;
        let walk = segment.walk(shelf)?;
        let holds_groups = walk.last.is_some();
        out.push((segment, walk));
        if holds_groups {
            break;
        }
    }
    out.reverse();
    Ok(out)
}

fn open(shelf: &Shelf, number: u64) -> Result<Segment> {
    Segment::open(shelf, number, false)?.ok_or_else(|| damaged(number, 0, "the segment file is gone"))
}

/// Checks a segment against what stands before it and what the segment above says of it.
fn link(
    shelf: &Shelf,
    found: &mut Found,
    segment: Segment,
    walk: Walk,
    above: Option<&Segment>,
    reopened: bool,
) -> Result<()> {
    let number = segment.number;
    if let Some(header) = &segment.header {
        // The oldest segment of the list is linked to the ones below it by its header alone; a full
        // check reads those.
        let known = number == 1 || !found.begun.is_empty();
        if known && !found.next.is_named_by(header) {
            return Err(damaged(number, 40, "the segment does not follow the last group before it"));
        }
        found.next.term = found.next.term.max(header.term);
    } else if segment.nonzero(shelf, 0, segment.bytes)?.is_none() {
        return Err(damaged(number, 0, "the segment is zero throughout, but later ones are there"));
    }
    if let Some(last) = &walk.last {
        found.next = Next::after(last);
    }
    (found.next.segment, found.next.offset) = (number, walk.end);
    let tear = match above.and_then(|above| above.header.as_ref()) {
        Some(header) => tear::named(shelf, &segment, walk.end, header)?,
        // The segment above lost its header, which would have named a tear here: two crashes in a row.
        None => tear::after(shelf, &segment, &found.next, reopened || above.is_some())?,
    };
    found.begun.push(Begun { segment, last: walk.last, tear });
    Ok(())
}

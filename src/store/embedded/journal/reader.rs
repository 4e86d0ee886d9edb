//! Reading groups in order, while a writer may be at work in this process or another.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::segment::{FIRST_OFFSET, Next, Segment, Window, is_zero};
use super::shelf::{Shelf, damaged, newer_format};
use super::tail::{self, Found};
use super::tear;
use crate::codec::extent::{ExtentError, GROUP_HEADER_BYTES, Group, GroupHeader, SegmentHeader};
use crate::codec::limits::SECTOR_BYTES;
use crate::error::{Code, Result};
use crate::store::contracts::Position;

/// Piece in which a scan reads.
const WINDOW_BYTES: usize = 1 << 20;
/// Readers that keep their file and piece between calls.
const CURSORS_MAX: usize = 8;
/// How often a reader looks again when it finds damage while another process may be writing there.
const LOOKS: u32 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// A group: where it stands, its bytes, where the next one is asked for.
pub(super) type Read = Option<(Position, Vec<u8>, Position)>;

/// Keeps open files and read pieces of a few readers, so that a scan costs one system call a piece.
#[derive(Debug, Default)]
pub(super) struct Readers {
    cursors: Mutex<Vec<Cursor>>,
    /// An end that was checked to its last byte and need not be again while it is still an end.
    checked_end: Mutex<Option<Position>>,
}

#[derive(Debug)]
struct Cursor {
    segment: Segment,
    window: Window,
    /// What the next group must be, as far as this reader has read.
    next: Option<Next>,
}

impl Cursor {
    fn stands_at(&self, at: Position) -> bool {
        self.segment.number == at.segment && self.next.as_ref().is_some_and(|next| next.offset == at.offset)
    }
}

/// How far one look came.
enum Step {
    Group(Position, Vec<u8>),
    Onward(Position),
    End,
}

impl Readers {
    /// Forgets every open file: they were replaced.
    pub fn forget(&self) {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.checked_end.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// See [`crate::store::Journal::read`]. Groups at or after `bound` are not there yet.
    ///
    /// Without a bound another process may be writing: what looks damaged is looked at again,
    /// because a reader can meet a write half way, and bytes that still move are not damage.
    pub fn read(&self, shelf: &Shelf, bound: Option<Position>, reopened: bool, from: Position) -> Result<Read> {
        // A look that fails gives its cursor up, and with it what must come next; the second must know no less.
        let known = self.known(from);
        let mut looks = 0_u32;
        loop {
            looks = looks.saturating_add(1);
            match self.look(shelf, bound, reopened, from, known) {
                Err(e) if e.code() == Code::LogDamaged && bound.is_none() && looks < LOOKS => {
                    thread::sleep(BETWEEN_LOOKS);
                }
                done => return done,
            }
        }
    }

    fn look(
        &self,
        shelf: &Shelf,
        bound: Option<Position>,
        reopened: bool,
        from: Position,
        mut known: Option<Next>,
    ) -> Result<Read> {
        let mut at = from;
        loop {
            if bound.is_some_and(|bound| at >= bound) {
                return Ok(None);
            }
            let Some(mut cursor) = self.cursor(shelf, at)? else {
                return self.end(shelf, at, reopened, true).map(|()| None);
            };
            cursor.next = known.or(cursor.next);
            let step = self.step(shelf, &mut cursor, at, reopened)?;
            known = cursor.next;
            match step {
                Step::Group(position, extent) => {
                    let next = Position {
                        segment: position.segment,
                        offset: position.offset.saturating_add(extent.len() as u64),
                    };
                    self.keep(cursor);
                    return Ok(Some((position, extent, next)));
                }
                Step::Onward(position) => at = position,
                Step::End => return Ok(None),
            }
        }
    }

    /// What a reader that came to `at` knows of the group there.
    fn known(&self, at: Position) -> Option<Next> {
        let cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        cursors.iter().find(|cursor| cursor.stands_at(at))?.next
    }

    /// The kept cursor that stands at `at`, or a new one; `None` when there is no such segment.
    fn cursor(&self, shelf: &Shelf, at: Position) -> Result<Option<Cursor>> {
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = cursors.iter().position(|cursor| cursor.stands_at(at)) {
            return Ok(Some(cursors.swap_remove(index)));
        }
        drop(cursors);
        let segment = Segment::open(shelf, at.segment, false)?;
        Ok(segment.map(|segment| Cursor { segment, window: Window::new(WINDOW_BYTES), next: None }))
    }

    fn keep(&self, cursor: Cursor) {
        let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        if cursors.len() >= CURSORS_MAX {
            cursors.remove(0);
        }
        cursors.push(cursor);
    }

    /// The group at `at`, or where to look next.
    fn step(&self, shelf: &Shelf, cursor: &mut Cursor, at: Position, reopened: bool) -> Result<Step> {
        let Some(header) = cursor.segment.header else {
            return self.without_header(shelf, cursor, at, reopened);
        };
        if at.offset == 0 {
            begin_segment(cursor, &header)?;
            return Ok(Step::Onward(Position { offset: FIRST_OFFSET, ..at }));
        }
        if let Some(extent) = group_at(shelf, cursor, at)? {
            return Ok(Step::Group(at, extent));
        }
        let after = Position { segment: at.segment.saturating_add(1), offset: 0 };
        let Some(above) = Segment::open(shelf, after.segment, false)? else {
            return self.end(shelf, at, reopened, self.ends_in_zero(shelf, cursor, at)?).map(|()| Step::End);
        };
        if let Some(named_by) = &above.header {
            tear::named(shelf, &cursor.segment, at.offset, named_by)?;
        } else if above.nonzero(shelf, 0, above.bytes.min(tail::FIRST_WRITE_BYTES_MAX))?.is_none() {
            // Prepared, it seems; whether the rest of it is zero as well, the check of the end says.
            return self.end(shelf, at, reopened, self.ends_in_zero(shelf, cursor, at)?).map(|()| Step::End);
        } else {
            // The header that would have named a tear here was torn itself: its shape has to do.
            check_end(at, &tail::find_among(shelf, at.segment, true)?)?;
        }
        Ok(Step::Onward(after))
    }

    /// A segment that is prepared, or whose first write was torn.
    fn without_header(&self, shelf: &Shelf, cursor: &Cursor, at: Position, reopened: bool) -> Result<Step> {
        let segment = &cursor.segment;
        let after = Position { segment: at.segment.saturating_add(1), offset: 0 };
        match Segment::open(shelf, after.segment, false)? {
            Some(above) if segment.nonzero(shelf, 0, segment.bytes)?.is_some() => match &above.header {
                Some(named_by) => tear::named(shelf, segment, 0, named_by).map(|_| Step::Onward(after)),
                None => Ok(Step::Onward(after)),
            },
            Some(_) => Err(damaged(at.segment, 0, "the segment is zero throughout, but later ones are there")),
            None => self.end(shelf, Position { offset: 0, ..at }, reopened, false).map(|()| Step::End),
        }
    }

    fn ends_in_zero(&self, shelf: &Shelf, cursor: &mut Cursor, at: Position) -> Result<bool> {
        Ok(is_zero(cursor.window.get(shelf, &cursor.segment, at.offset, SECTOR_BYTES)?))
    }

    /// No group stands at `at` and no begun segment follows: is the journal whole up to here?
    fn end(&self, shelf: &Shelf, at: Position, reopened: bool, is_zero: bool) -> Result<()> {
        let mut checked = self.checked_end.lock().unwrap_or_else(PoisonError::into_inner);
        if is_zero && *checked == Some(at) {
            return Ok(());
        }
        check_end(at, &tail::find(shelf, reopened)?)?;
        *checked = Some(at);
        Ok(())
    }
}

/// Groups after `at` that cannot be reached from it: the one at `at` is damaged.
fn check_end(at: Position, found: &Found) -> Result<()> {
    if found.end() > at { Err(damaged(at.segment, at.offset, "no whole group stands here")) } else { Ok(()) }
}

/// Checks that the segment follows what this reader read last.
fn begin_segment(cursor: &mut Cursor, header: &SegmentHeader) -> Result<()> {
    if cursor.next.as_ref().is_some_and(|next| !next.is_named_by(header)) {
        return Err(damaged(header.segment, 40, "the segment does not follow the last group before it"));
    }
    cursor.next = Some(Next::after_header(header));
    Ok(())
}

/// The whole group at `at`, if one stands there.
///
/// The piece in memory may be older than the group, so it is read again before the answer is no.
fn group_at(shelf: &Shelf, cursor: &mut Cursor, at: Position) -> Result<Option<Vec<u8>>> {
    for _ in 0..2 {
        let head = cursor.window.get(shelf, &cursor.segment, at.offset, GROUP_HEADER_BYTES)?;
        match GroupHeader::parse(head) {
            Ok(group) if (group.segment, group.offset) == (at.segment, at.offset) => {
                let length = usize::try_from(group.extent_bytes()).unwrap_or(usize::MAX);
                let extent = cursor.window.get(shelf, &cursor.segment, at.offset, length)?;
                if Group::parse(extent).is_ok() {
                    let extent = extent.to_vec();
                    return follow(cursor, &group, at).map(|()| Some(extent));
                }
            }
            Err(ExtentError::NewerFormat) => return Err(newer_format(at.segment, at.offset)),
            _ => {}
        }
        cursor.window.clear();
    }
    Ok(None)
}

fn follow(cursor: &mut Cursor, group: &GroupHeader, at: Position) -> Result<()> {
    if cursor.next.as_ref().is_some_and(|next| !next.is(group)) {
        return Err(damaged(at.segment, at.offset, "the group does not follow the one before"));
    }
    cursor.next = Some(Next::after(group));
    Ok(())
}

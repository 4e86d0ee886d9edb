//! What a person wants to know of a journal: how big, how full, and what crashes left in it.

use super::segment::Segment;
use super::shelf::{Shelf, damaged};
use super::tail;
use crate::codec::extent::GroupHeader;
use crate::error::Result;
use crate::store::contracts::{Position, Tear};

/// Size and tears of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Segments that hold groups, or a tear.
    pub segments: u64,
    /// Length of all segment files in bytes, the prepared one included.
    pub file_bytes: u64,
    /// Length of the next segment, prepared and empty.
    pub prepared_bytes: Option<u64>,
    /// Every tear that a crash left, oldest first; their bytes are out of use.
    pub tears: Vec<Tear>,
    /// Header of the last whole group.
    pub last: Option<GroupHeader>,
    /// Where the groups end.
    pub end: Position,
}

impl Survey {
    /// Torn bytes in all.
    #[must_use]
    pub fn torn_bytes(&self) -> u64 {
        self.tears.iter().fold(0, |sum, tear| sum.saturating_add(tear.bytes))
    }
}

/// Reads the headers of all segments and the end of the last; groups before it are not checked.
pub(super) fn survey(shelf: &Shelf, reopened: bool) -> Result<Survey> {
    let found = tail::find(shelf, reopened)?;
    let mut survey = Survey {
        segments: found.begun.last().map_or(0, |begun| begun.segment.number),
        file_bytes: found.prepared.as_ref().map_or(0, |segment| segment.bytes),
        prepared_bytes: found.prepared.as_ref().map(|segment| segment.bytes),
        tears: Vec::new(),
        last: found.last(),
        end: found.end(),
    };
    for number in 1..=survey.segments {
        let gone = || damaged(number, 0, "the segment file is gone");
        let segment = Segment::open(shelf, number, false)?.ok_or_else(gone)?;
        survey.file_bytes = survey.file_bytes.saturating_add(segment.bytes);
        let named = match &segment.header {
            Some(header) if header.dropped_bytes > 0 => vec![Tear {
                position: Position { segment: number.saturating_sub(1), offset: header.previous_end },
                bytes: header.dropped_bytes,
                hash: header.dropped_hash,
            }],
            Some(_) => Vec::new(),
            // This header would have named a tear in the segment before; its shape tells.
            None => tail::find_among(shelf, number.saturating_sub(1), true)?.tears(),
        };
        add(&mut survey.tears, named);
    }
    add(&mut survey.tears, found.tears());
    survey.tears.sort_by_key(|tear| tear.position);
    Ok(survey)
}

fn add(tears: &mut Vec<Tear>, more: Vec<Tear>) {
    for tear in more {
        if !tears.contains(&tear) {
            tears.push(tear);
        }
    }
}

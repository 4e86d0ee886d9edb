//! Which bytes of a closed sled database mean what. Read with a parser of its own, so that what must come of an edit is
//! known before sled sees it.
//!
//! sled 0.34 writes messages one after another behind a segment's header, each under a checksum; the newest whole page and
//! the changes after it are what a page is read from. At its start sled reads the segment in use from its first message on,
//! also what pages were earlier, and fails if it does not come as far as the snapshot does. A segment whose own header is
//! wrong it passes over: the pages are then those of the snapshot, and nothing that is written behind them is found again.

use std::collections::BTreeMap;
use std::ops::Range;

/// Length of a segment's header.
const SEGMENT_HEADER: usize = 20;

/// The map of a database of one segment.
#[derive(Debug, Clone)]
pub struct SledMap {
    pub header: Range<u64>,
    /// Messages of pages in use.
    pub used: Vec<Range<u64>>,
    /// Messages that say what a page was earlier, and where a batch of them ends.
    pub past: Vec<Range<u64>>,
    /// Where the messages end; zeros follow.
    pub end: u64,
}

/// What is left of a database under other bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// All of it: only bytes behind its end are others.
    Whole,
    /// All pages, in a segment that sled passes over.
    Passed,
    /// Something is missing or wrong.
    Unreadable,
}

impl SledMap {
    /// The map of a database file; `snapshot` is the name of the snapshot beside it, which says where the log ended.
    pub fn read(db: &[u8], snapshot: &str) -> Self {
        let mut pages: BTreeMap<u64, Vec<Range<u64>>> = BTreeMap::new();
        let mut past = Vec::new();
        let mut at = SEGMENT_HEADER;
        // Behind the checksum stands the kind; zero is none.
        while db[at + 4] != 0 {
            let kind = db[at + 4];
            let (bytes, next) = number(db, at + 5);
            let (segment, next) = number(db, next);
            let (page, next) = number(db, next);
            assert_eq!(segment, 0, "one segment is expected");
            let end = next + bytes as usize;
            let message = at as u64..end as u64;
            match kind {
                // A whole page takes the place of all that was said of it: a counter, the names of trees, a node, or none.
                4..=6 | 8 => past.extend(pages.insert(page, vec![message]).unwrap_or_default()),
                // A change of a page.
                10 => pages.get_mut(&page).expect("a page is changed that is there").push(message),
                // Where a batch ends, and what was not carried out.
                1 | 3 => past.push(message),
                other => panic!("a message of kind {other} at {at}"),
            }
            at = end;
        }
        let end = at as u64;
        assert_eq!(snapshot, format!("snap.{end:016X}"), "the snapshot tells all that the log says");
        assert!(db[at..].iter().all(|b| *b == 0), "zeros follow the last message");
        let header = 0..SEGMENT_HEADER as u64;
        let used: Vec<_> = pages.into_values().flatten().collect();
        let covered: u64 = used.iter().chain(&past).chain([&header]).map(|r| r.end - r.start).sum();
        assert_eq!(covered, end, "every byte is in use or past");
        Self { header, used, past, end }
    }

    /// What a file with these bytes in the place of `before` still holds.
    pub fn left(&self, before: &[u8], after: &[u8]) -> Left {
        let same = |range: &Range<u64>| {
            let range = range.start as usize..range.end as usize;
            after.get(range.clone()) == Some(&before[range])
        };
        match (same(&self.header), self.used.iter().all(same)) {
            (true, true) if self.past.iter().all(same) => Left::Whole,
            (false, true) => Left::Passed,
            _ => Left::Unreadable,
        }
    }
}

/// sled's numbers: one byte up to 240, more for more; and where the next thing starts.
fn number(bytes: &[u8], at: usize) -> (u64, usize) {
    let first = u64::from(bytes[at]);
    let byte = |n: usize| u64::from(bytes[at + n]);
    match first {
        0..=240 => (first, at + 1),
        241..=248 => (240 + 256 * (first - 241) + byte(1), at + 2),
        249 => (2288 + 256 * byte(1) + byte(2), at + 3),
        _ => {
            let length = first as usize - 247;
            ((1..=length).rev().fold(0, |sum, n| sum << 8 | byte(n)), at + 1 + length)
        }
    }
}

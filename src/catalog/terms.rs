//! Indexes of terms: which `tape.saved` entries have a tape id, a content or a custody id that begins with these
//! digits. Terms are spread evenly, so a row for each would lie on a page of its own; here they gather in nodes.
//!
//! A node is one row of up to 333 terms. What comes goes into the first one; when it is full, its terms move on by their
//! next digit to sixteen nodes below. So a term is written a few times in a row with many others, and found by reading
//! one row a digit, as many as there are levels.

use std::collections::HashSet;

use super::keys;
use crate::error::{Code, Error, Result};
use crate::store::{Batch, Rows};

/// Bytes of a term that are kept. Who needs the whole one compares it where the index leads.
pub(super) const TERM_BYTES: usize = 6;
const INDEX_BYTES: usize = 6;
const ITEM_BYTES: usize = TERM_BYTES + INDEX_BYTES;
const DIGITS: usize = TERM_BYTES * 2;
/// Terms in one node: with its first byte they stay below 4,000 bytes.
const NODE_ITEMS_MAX: usize = 333;
/// In the place of a digit where there are no more: equal terms form a chain of nodes.
const NO_DIGIT: u8 = 16;

/// The beginning of a term and the entry that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// First bytes of the term.
    pub term: [u8; TERM_BYTES],
    /// Index of the entry.
    pub index: u64,
}

impl Item {
    pub(super) fn new(term: &[u8], index: u64) -> Self {
        Self { term: term.first_chunk().copied().unwrap_or_default(), index }
    }

    fn decode(bytes: &[u8; ITEM_BYTES]) -> Self {
        let [a, b, c, d, e, f, i @ ..] = *bytes;
        let index = i.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
        Self { term: [a, b, c, d, e, f], index }
    }

    fn digit(&self, n: usize) -> u8 {
        let byte = self.term.get(n.wrapping_div(2)).copied();
        byte.map_or(NO_DIGIT, |byte| if n.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
    }

    fn begins_with(&self, digits: &[u8]) -> bool {
        digits.iter().enumerate().all(|(n, digit)| self.digit(n) == *digit)
    }
}

/// The digits of a term's beginning.
pub(super) fn digits_of(term: &[u8]) -> Vec<u8> {
    let item = Item::new(term, 0);
    (0..DIGITS).map(|n| item.digit(n)).collect()
}

#[derive(Default)]
struct Node {
    /// Nodes below may hold more.
    goes_on: bool,
    items: Vec<Item>,
}

impl Node {
    fn read(rows: &dyn Rows, key: &[u8]) -> Result<Option<Self>> {
        rows.get(key)?.map(|value| Self::decode(&value)).transpose()
    }

    fn decode(value: &[u8]) -> Result<Self> {
        let (goes_on, items) = split(value)?;
        let items: Vec<Item> = items.iter().map(Item::decode).collect();
        // A search goes by the order.
        if items.is_sorted() { Ok(Self { goes_on, items }) } else { Err(damaged()) }
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.items.len().saturating_mul(ITEM_BYTES).saturating_add(1));
        out.push(u8::from(self.goes_on));
        for item in &self.items {
            out.extend_from_slice(&item.term);
            // An index has 48 bits: a log that long would have some hundred petabytes.
            out.extend_from_slice(item.index.to_be_bytes().get(8 - INDEX_BYTES..).unwrap_or_default());
        }
        out
    }
}

fn damaged() -> Error {
    Error::new(Code::RowsUnavailable, "an index of terms in sled is damaged")
}

/// What a node says without its items being looked at.
fn split(value: &[u8]) -> Result<(bool, &[[u8; ITEM_BYTES]])> {
    let (first, rest) = value.split_first().ok_or_else(damaged)?;
    let (items, rest) = rest.as_chunks::<ITEM_BYTES>();
    if *first > 1 || !rest.is_empty() {
        return Err(damaged());
    }
    Ok((*first == 1, items))
}

/// The lowest term with these digits.
fn lowest(digits: &[u8]) -> [u8; TERM_BYTES] {
    let mut term = [0; TERM_BYTES];
    for (byte, pair) in term.iter_mut().zip(digits.chunks(2)) {
        let [high, low] = [pair.first(), pair.get(1)].map(|digit| digit.copied().unwrap_or_default());
        *byte = high << 4 | low;
    }
    term
}

/// Puts items into an index; `rows` has what was put before.
pub(super) fn insert(rows: &dyn Rows, batch: &mut Batch, row: u8, items: Vec<Item>) -> Result<()> {
    if items.is_empty() { Ok(()) } else { insert_below(rows, batch, row, &mut Vec::new(), items) }
}

fn insert_below(rows: &dyn Rows, batch: &mut Batch, row: u8, path: &mut Vec<u8>, items: Vec<Item>) -> Result<()> {
    let key = keys::node(row, path);
    let mut node = Node::read(rows, &key)?.unwrap_or_default();
    node.items.extend(items);
    node.items.sort_unstable();
    if node.items.len() > NODE_ITEMS_MAX {
        node.goes_on = true;
        let depth = path.len();
        // Equal terms have no digit left to tell them apart: what does not fit goes one further.
        let stay = if depth < DIGITS { 0 } else { NODE_ITEMS_MAX };
        let down = node.items.split_off(stay);
        for group in down.chunk_by(|a, b| a.digit(depth) == b.digit(depth)) {
            path.push(group.first().map_or(NO_DIGIT, |item| item.digit(depth)));
            insert_below(rows, batch, row, path, group.to_vec())?;
            path.pop();
        }
    }
    batch.puts.push((key, node.encode()));
    Ok(())
}

/// Items whose term begins with `digits`, by term and index.
pub(super) fn find(rows: &dyn Rows, row: u8, digits: &[u8]) -> Result<Vec<Item>> {
    let digits = digits.get(..DIGITS).unwrap_or(digits);
    let (mut found, mut path, lowest) = (Vec::new(), Vec::new(), lowest(digits));
    while let Some(value) = rows.get(&keys::node(row, &path))? {
        let (goes_on, items) = split(&value)?;
        let first = items.partition_point(|item| item.as_slice() < lowest.as_slice());
        let from_there = items.get(first..).unwrap_or_default().iter().map(Item::decode);
        found.extend(from_there.take_while(|item| item.begins_with(digits)));
        match digits.get(path.len()) {
            _ if !goes_on => break,
            Some(digit) => path.push(*digit),
            None => {
                below(rows, row, &path, &mut found)?;
                break;
            }
        }
    }
    found.sort_unstable();
    // What moves down while this reads may be met twice, and is never missed: it only moves to where this comes later.
    found.dedup();
    Ok(found)
}

/// Everything beneath a node.
fn below(rows: &dyn Rows, row: u8, path: &[u8], found: &mut Vec<Item>) -> Result<()> {
    let mut from = keys::node(row, path);
    from.push(0);
    let past = keys::past(&keys::node(row, path));
    rows.scan(&from, &past, &mut |_, value| {
        found.extend(Node::decode(value)?.items);
        Ok(true)
    })
}

/// Every item that a search can come to.
pub(super) fn all(rows: &dyn Rows, row: u8, each: &mut dyn FnMut(Item) -> Result<bool>) -> Result<()> {
    let mut go_on = HashSet::new();
    rows.scan(&[row], &[row.saturating_add(1)], &mut |key, value| {
        let path = key.get(1..).unwrap_or_default();
        if path.split_last().is_some_and(|(_, above)| !go_on.contains(above)) {
            return Ok(true);
        }
        let node = Node::decode(value)?;
        for item in node.items.iter().filter(|item| item.begins_with(path)) {
            if !each(*item)? {
                return Ok(false);
            }
        }
        if node.goes_on {
            go_on.insert(path.to_vec());
        }
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::digest::sha256;
    use crate::store::memory::rows::MemoryRows;

    fn put(rows: &MemoryRows, items: &[Item]) {
        let mut batch = Batch::default();
        insert(rows, &mut batch, b'i', items.to_vec()).unwrap();
        assert!(batch.puts.iter().all(|(_, value)| value.len() <= 4_000));
        rows.apply(batch, b"").unwrap();
    }

    fn whole(rows: &MemoryRows) -> Vec<Item> {
        let mut items = Vec::new();
        all(rows, b'i', &mut |item| {
            items.push(item);
            Ok(true)
        })
        .unwrap();
        items.sort_unstable();
        items
    }

    fn term(n: u64) -> [u8; 32] {
        sha256(&n.to_be_bytes())
    }

    #[test]
    fn what_was_put_in_any_portions_is_found_by_any_number_of_digits() {
        for portion in [1, 7, 100, 5_000] {
            let rows = MemoryRows::new();
            let mut items: Vec<Item> = (0..5_000).map(|n| Item::new(&term(n), n)).collect();
            items.chunks(portion).for_each(|some| put(&rows, some));
            for n in (0..5_000).step_by(37) {
                let digits = digits_of(&term(n));
                assert_eq!(find(&rows, b'i', &digits).unwrap(), [Item::new(&term(n), n)]);
            }
            items.sort_unstable();
            assert_eq!(whole(&rows), items);
            for length in 0..6 {
                let digits = &digits_of(&term(4))[..length];
                let wanted: Vec<Item> = items.iter().filter(|item| item.begins_with(digits)).copied().collect();
                assert_eq!(find(&rows, b'i', digits).unwrap(), wanted, "{length} digits");
            }
            assert_eq!(find(&rows, b'i', &digits_of(&term(5_001))).unwrap(), []);
        }
    }

    #[test]
    fn equal_terms_are_all_found_however_many() {
        let rows = MemoryRows::new();
        let mut items: Vec<Item> = (0..1_500).map(|n| Item::new(&term(1), n << 32 | n)).collect();
        items.chunks(90).for_each(|some| put(&rows, some));
        items.sort_unstable();
        assert_eq!(find(&rows, b'i', &digits_of(&term(1))).unwrap(), items);
        assert_eq!(find(&rows, b'i', &digits_of(&term(1))[..5]).unwrap(), items);
        assert_eq!(whole(&rows), items);
    }

    #[test]
    fn a_search_reads_few_rows_and_what_it_cannot_come_to_is_not_there() {
        let rows = MemoryRows::new();
        let items: Vec<Item> = (0..9_000).map(|n| Item::new(&term(n), n)).collect();
        items.chunks(50).for_each(|some| put(&rows, some));
        let wanted = digits_of(&term(9));
        let above = keys::node(b'i', &wanted[..1]);
        let node = Node::read(&rows, &above).unwrap().unwrap();
        assert!(node.goes_on);
        rows.apply(Batch { puts: vec![(above.clone(), Node::default().encode())], removes: vec![] }, b"").unwrap();
        let beneath = |left: &[Item]| left.iter().filter(|item| item.digit(0) == wanted[0]).count();
        assert!(beneath(&items) > NODE_ITEMS_MAX && beneath(&whole(&rows)) <= NODE_ITEMS_MAX);
        rows.apply(Batch { puts: vec![(above, vec![2])], removes: vec![] }, b"").unwrap();
        assert_eq!(find(&rows, b'i', &wanted).unwrap_err().code(), Code::RowsUnavailable);
    }
}

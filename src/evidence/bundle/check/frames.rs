//! Frames of a tape: `frames.cbor` and its set proof, one frame in memory at a time.

use std::iter::Peekable;

use super::super::{BundleError, EvidenceFrame, FramePart};
use super::report::{BundleReport, part};
use super::sequence::{Sequence, Stopped};
use super::walk::Mark;
use crate::codec::digest::{LeafHash, RootHash, sha256};
use crate::codec::limits::{FRAME_ENVELOPE_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX};
use crate::evidence::Verdict;
use crate::log::{Frontier, node_hash};
use crate::tape::TapeRoot;

/// Envelope, payload, salts and heads.
pub(super) const ITEM_BYTES_MAX: usize = FRAME_ENVELOPE_BYTES_MAX + FRAME_PAYLOAD_BYTES_MAX + (64 << 10);

/// What is there of the frames of a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Here {
    pub count: u64,
    pub first: Option<u64>,
    pub last: Option<u64>,
    /// Do they follow each other without gaps?
    pub has_hole: bool,
    pub open: u64,
    pub closed: u64,
}

/// Roots over the first so many leaves, while all of them are known.
struct Marked<'a> {
    marks: Vec<&'a Mark>,
    tree: Frontier,
    /// Marks whose leaves are all known: do they fit?
    judged: Vec<(&'a Mark, bool)>,
}

impl<'a> Marked<'a> {
    fn new(marks: &[&'a Mark]) -> Self {
        let mut marks = marks.to_vec();
        marks.sort_by_key(|mark| std::cmp::Reverse(mark.frames));
        let mut marked = Self { marks, tree: Frontier::new(), judged: Vec::new() };
        marked.judge();
        marked
    }

    fn judge(&mut self) {
        while let Some(mark) = self.marks.pop_if(|mark| mark.frames <= self.tree.size()) {
            self.judged.push((mark, mark.frames == self.tree.size() && mark.root == self.tree.root()));
        }
    }

    fn take(&mut self, seq: u64, leaf: &LeafHash) {
        if !self.marks.is_empty() && seq == self.tree.size() {
            self.tree.push(leaf);
            self.judge();
        }
    }
}

/// Reads the frames of a tape, and compares them with its root file and its marks. The marks that it does not fulfil are given back.
pub(super) fn check<'a>(
    mut frames: Sequence<'_, EvidenceFrame>,
    (path, paths_path): (&str, &str),
    hashes: Option<&[[u8; 32]]>,
    root: &TapeRoot,
    marks: &[&'a Mark],
    report: &mut BundleReport,
) -> (Here, Vec<&'a Mark>) {
    let (mut here, mut marked) = (Here::default(), Marked::new(marks));
    let mut faults: Vec<String> = Vec::new();
    let leaves = frames.by_ref().map(|frame| {
        if let Err(what) = one(&frame, &mut here) {
            faults.push(what);
            faults.truncate(FAULTS_MAX);
        }
        let leaf = frame.leaf();
        marked.take(frame.seq, &leaf);
        (frame.seq, leaf)
    });
    let mut leaves = leaves.peekable();
    let led = hashes.map(|hashes| root_of(root.frames, &mut leaves, &mut hashes.iter()));
    // Frames that the tree has no place for are read all the same: they may be faulty too.
    let is_over = leaves.by_ref().count() > 0;
    drop(leaves);
    report.looked(part::FRAMES, here.count);
    for what in faults {
        report.altered(part::FRAMES, path, what);
    }
    if let Some(stopped) = frames.stopped() {
        let word = if matches!(stopped, Stopped::Io(_)) { Verdict::CannotTell } else { Verdict::Altered };
        report.find(word, part::FRAMES, path, stopped.to_string());
    }
    if led.is_some_and(|led| is_over || led.ok() != Some(root.tree)) {
        report.altered(part::FRAMES, paths_path, "it does not lead from the frames to the root of the tape");
    }
    let too_many = marked.marks.iter().filter(|mark| mark.frames > root.frames).copied();
    let unfulfilled = marked.judged.iter().filter(|(_, fits)| !fits).map(|(mark, _)| *mark).chain(too_many).collect();
    (here, unfulfilled)
}

/// Of one tape so many faults of frames are told.
const FAULTS_MAX: usize = 20;

fn one(frame: &EvidenceFrame, here: &mut Here) -> Result<(), String> {
    let before = here.last;
    here.count = here.count.saturating_add(1);
    here.first.get_or_insert(frame.seq);
    here.last = Some(frame.seq);
    match frame.payload {
        FramePart::Open(..) => here.open = here.open.saturating_add(1),
        FramePart::Closed(_) => here.closed = here.closed.saturating_add(1),
    }
    here.has_hole |= before.is_some_and(|before| before.checked_add(1) != Some(frame.seq));
    if before.is_some_and(|before| before >= frame.seq) {
        return Err(format!("frame {} does not stand behind the one before it", frame.seq));
    }
    frame.frame().map(drop).map_err(|e| format!("frame {}: {e}", frame.seq))
}

/// The root that leaves, ascending, and hashes lead to: [`super::super::root_of_set`] for leaves that nobody holds in memory.
fn root_of(
    size: u64,
    leaves: &mut Peekable<impl Iterator<Item = (u64, LeafHash)>>,
    hashes: &mut std::slice::Iter<'_, [u8; 32]>,
) -> Result<RootHash, BundleError> {
    let root = if size == 0 { sha256(b"") } else { join(0, size, leaves, hashes)? };
    if hashes.next().is_some() { Err(BundleError::Proof) } else { Ok(RootHash::from_bytes(root)) }
}

fn join(
    first: u64,
    count: u64,
    leaves: &mut Peekable<impl Iterator<Item = (u64, LeafHash)>>,
    hashes: &mut std::slice::Iter<'_, [u8; 32]>,
) -> Result<[u8; 32], BundleError> {
    let end = first.checked_add(count).ok_or(BundleError::Proof)?;
    match leaves.peek() {
        Some((seq, _)) if *seq < first => return Err(BundleError::Proof),
        Some((seq, _)) if *seq < end => {}
        _ => return hashes.next().copied().ok_or(BundleError::Proof),
    }
    if count == 1 {
        return leaves.next().map(|(_, leaf)| *leaf.as_bytes()).ok_or(BundleError::Proof);
    }
    // The largest power of two below the count.
    let left = 1u64 << 63u32.saturating_sub(count.saturating_sub(1).leading_zeros());
    let right = first.checked_add(left).ok_or(BundleError::Proof)?;
    let one = join(first, left, leaves, hashes)?;
    let other = join(right, count.saturating_sub(left), leaves, hashes)?;
    Ok(node_hash(&one, &other))
}

#[cfg(test)]
mod tests {
    use super::super::super::{root_of_set, set_proof};
    use super::*;
    use crate::log::leaf_hash;

    /// The two ways to the root are one, for every set of leaves of small trees and for sets that do not fit.
    #[test]
    fn a_stream_of_leaves_leads_where_leaves_in_memory_lead() {
        let mut compared = 0;
        for size in 0..=7u64 {
            let leaves: Vec<LeafHash> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            for set in 0..1u64 << size {
                let known: Vec<u64> = (0..size).filter(|n| set & 1 << n != 0).collect();
                let mut roots = |first: u64, count: u64| {
                    let part = leaves.get(first as usize..(first + count) as usize)?;
                    Some(*crate::log::root_of(part).as_bytes())
                };
                let hashes = set_proof(size, &known, &mut roots).unwrap();
                let with: Vec<_> = known.iter().map(|n| (*n, leaves[*n as usize])).collect();
                let shorter = hashes.split_last().map(|(_, front)| front.to_vec()).unwrap_or_default();
                let longer = [hashes.clone(), vec![[0; 32]]].concat();
                for hashes in [hashes, shorter, longer] {
                    let mut stream = with.iter().copied().peekable();
                    let streamed = root_of(size, &mut stream, &mut hashes.iter());
                    let streamed = streamed.ok().filter(|_| stream.next().is_none());
                    assert_eq!(streamed, root_of_set(size, &with, &hashes).ok(), "{size} {known:?}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 3 * 255);
        let leaf = leaf_hash(b"x");
        for wrong in [vec![(1, leaf), (0, leaf)], vec![(0, leaf), (0, leaf)], vec![(2, leaf)]] {
            let mut stream = wrong.iter().copied().peekable();
            let led = root_of(2, &mut stream, &mut [[0; 32]].iter());
            assert!(led.is_err() || stream.next().is_some(), "{wrong:?}");
        }
    }
}

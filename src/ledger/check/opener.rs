//! A tape opened object by object, for a check of its root.

use std::collections::HashMap;

use super::tapes::Saved;
use crate::codec::digest::RootHash;
use crate::log::{Frontier, leaf_hash};
use crate::seal::{Manifest, SealedHeader, TapeKeys, open_chunk};
use crate::tape::frame_leaf;

/// Opens a tape object by object and recomputes its root; one chunk in memory at a time.
pub(super) struct Opener<'a> {
    keys: &'a TapeKeys,
    saved: &'a Saved,
    manifest: &'a Manifest,
    header: Option<SealedHeader>,
    tree: Frontier,
    /// Sizes at which the root is wanted, ascending, and the roots there.
    marked: Vec<u64>,
    roots: HashMap<u64, RootHash>,
}

impl<'a> Opener<'a> {
    pub(super) fn new(keys: &'a TapeKeys, saved: &'a Saved, manifest: &'a Manifest, mut marked: Vec<u64>) -> Self {
        marked.sort_unstable();
        let mut opener =
            Self { keys, saved, manifest, header: None, tree: Frontier::new(), marked, roots: HashMap::new() };
        opener.note_root();
        opener
    }

    fn note_root(&mut self) {
        if self.marked.binary_search(&self.tree.size()).is_ok() {
            self.roots.insert(self.tree.size(), self.tree.root());
        }
    }

    pub(super) fn object(&mut self, n: usize, stored: &[u8]) -> Result<(), String> {
        if n == 0 {
            let header = SealedHeader::open(self.keys, &self.saved.custody, stored).map_err(|e| e.to_string())?;
            if header.chunks.len().checked_add(1) != Some(self.manifest.objects.len()) {
                return Err("the header names another number of chunks than the manifest".into());
            }
            self.header = Some(header);
            return Ok(());
        }
        let range = *self
            .header
            .as_ref()
            .and_then(|h| h.chunks.get(n.saturating_sub(1)))
            .ok_or("the header does not name this chunk")?;
        let frames = open_chunk(self.keys, &self.saved.custody, n as u64, stored, &range).map_err(|e| e.to_string())?;
        let mut times: Option<(u64, u64)> = None;
        for frame in &frames {
            times = frame.t_ns.map_or(times, |t| Some(times.map_or((t, t), |(min, max)| (t.min(min), t.max(max)))));
            let parts = frame.parts().map_err(|e| e.to_string())?;
            self.tree.push(&leaf_hash(&frame_leaf(&parts, &self.keys.frame_salt(frame.seq))));
            self.note_root();
        }
        if times.unwrap_or_default() != (range.first_t_ns, range.last_t_ns) {
            return Err("the header gives the chunk other times than its frames have".into());
        }
        Ok(())
    }

    /// The root over all frames must be the tape's own; the roots at the sizes that were wanted.
    pub(super) fn finish(self) -> Result<HashMap<u64, RootHash>, String> {
        let header = self.header.ok_or("the header is missing")?;
        let commitment = header.header.commit(self.keys.header_salts()).commitment;
        let root = self.manifest.root;
        if commitment != root.header {
            return Err("the header is not the one the tape id commits to".into());
        }
        if self.tree.size() != root.frames || self.tree.root() != root.tree {
            return Err("the frames are not the ones the tape id commits to".into());
        }
        Ok(self.roots)
    }
}

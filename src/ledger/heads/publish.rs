//! What a published tree is made of: hash tiles, and public halves for auditors who are named.

use crate::catalog::tile_hashes;
use crate::error::{Code, Error, Result};
use crate::governance::Action;
use crate::ledger::acts::Act;
use crate::ledger::core::died;
use crate::ledger::{Ledger, Who};
use crate::log::{AnchorBody, Body, Checkpoint, KeyRole, NoteKey, Tile};
use crate::seal::PublicKey;

impl Ledger {
    /// The key of its heads, as verifiers and witnesses know it.
    #[must_use]
    pub fn checkpoint_key(&self) -> &NoteKey {
        &self.core().identity.checkpoint
    }

    /// The key that signs tapes now.
    ///
    /// # Errors
    /// Never: each log has one.
    pub fn recorder_key(&self) -> Result<PublicKey> {
        Ok(self.core().identity.keys.in_force(KeyRole::Recorder)?.key)
    }

    /// Bytes of a hash tile of a tree that the log has had.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`, `E_USAGE` for a tile past the end.
    pub fn tile(&self, tile: &Tile) -> Result<Vec<u8>> {
        let core = self.core();
        let (size, _) = core.progress.durable();
        let last =
            tile.width.checked_sub(1).and_then(|n| tile.leaves_under(n)).and_then(|(first, n)| first.checked_add(n));
        if last.is_none_or(|end| end > size) {
            return Err(Error::new(Code::Usage, "a tile past the end of the log"));
        }
        core.progress.wait_for_rows(size)?;
        Ok(tile_hashes(&*core.stores.rows, tile)?.concat())
    }

    /// Bytes of the bundle of entries under a tile of level 0: each public half behind its length, 16 bits, most significant
    /// first (C2SP tlog-tiles).
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`.
    pub fn entry_bundle(&self, tile: &Tile) -> Result<Vec<u8>> {
        let core = self.core();
        let past = || Error::new(Code::Usage, "a bundle past the end of the log");
        let first = tile.index.checked_mul(256).filter(|_| tile.level == 0).ok_or_else(past)?;
        let end = first
            .checked_add(u64::from(tile.width))
            .filter(|end| *end <= core.progress.durable().0)
            .ok_or_else(past)?;
        core.progress.wait_for_rows(end)?;
        let (mut bundle, mut count) = (Vec::new(), 0u32);
        core.queries().entries(first..end, &mut |_, stored| {
            let length = u16::try_from(stored.public.len()).map_err(|_| died())?;
            bundle.extend_from_slice(&length.to_be_bytes());
            bundle.extend_from_slice(&stored.public);
            count = count.saturating_add(1);
            Ok(true)
        })?;
        if count == tile.width {
            return Ok(bundle);
        }
        Err(Error::new(Code::RowsUnavailable, "an entry is missing in sled"))
    }

    /// Records that a head, and with it tiles or public halves, is about to be published; the index of the entry. To be called
    /// before the first byte of it stands where others can read it.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED`, and those of an append.
    pub async fn note_publication(&self, who: &Who, head: &Checkpoint, with_entries: bool, to: &str) -> Result<u64> {
        let core = self.core();
        core.permit(who, Action::Publish, None).await?;
        let to = crate::ledger::label::checked_words(Some(to))?;
        let body = AnchorBody::Published { size: head.size, root: head.root, form: u64::from(with_entries) };
        let draft = core.draft(&Act::about_ledger(who, Body::Anchor(body)), |p| p.recipient = to)?;
        let placed = core.append(vec![draft]).await?;
        Ok(placed.first().ok_or_else(died)?.index)
    }
}

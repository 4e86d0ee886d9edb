//! Is the journal this ledger's own? A signed head vouches for what it names; what follows it, and all of it before
//! the rows are given up for it, must carry the ledger's own codes.

use super::head_file;
use super::rebuild::{BEGINNING, foreign_group};
use crate::catalog::Queries;
use crate::codec::digest::GroupHash;
use crate::codec::extent::Group;
use crate::error::{Code, Error, Result};
use crate::keyring::VaultKeys;
use crate::log::{HeadFile, LogError};
use crate::store::{Position, Stores};

/// Checks every group: codes, links, the root at the signed head. Reads only, so that nothing is put aside
/// for a journal that somebody else wrote.
///
/// # Errors
/// `E_LOG_DAMAGED`, `E_LOG_FORK`, `E_IO`.
pub(super) fn all(stores: &Stores, vault: &VaultKeys, head: &HeadFile) -> Result<()> {
    from(stores, vault, head, BEGINNING, None).map(|_| ())
}

/// Checks the groups after the signed head, which nothing but their codes vouches for. The rows only say
/// where they begin; when they say nothing of use, all groups are checked.
///
/// # Errors
/// As [`all`].
pub(super) fn since_head(stores: &Stores, vault: &VaultKeys, head: &HeadFile, last: &GroupHash) -> Result<()> {
    if let Some((at, first)) = walk_begins(stores, head.checkpoint.size)
        && from(stores, vault, head, at, Some(first)).is_ok_and(|end| end.as_ref() == Some(last))
    {
        return Ok(());
    }
    // Rows that lead astray accuse nobody: the whole journal has the last word.
    all(stores, vault, head)
}

/// Where the group after the signed head begins, or an earlier one if a kill took the newest rows with it; with the
/// index of its first entry.
fn walk_begins(stores: &Stores, head_size: u64) -> Option<(Position, u64)> {
    let queries = Queries::new(&*stores.rows);
    if let Some(header) = queries.group_at(head_size).ok()? {
        return Some((Position { segment: header.segment, offset: header.offset }, head_size));
    }
    let position = queries.position().ok()??;
    let size = position.chain.size();
    (size <= head_size).then_some((position.next, size))
}

/// Walks from `at`; the hash of the last group. `first` is the index that the first group must have.
fn from(
    stores: &Stores,
    vault: &VaultKeys,
    head: &HeadFile,
    at: Position,
    first: Option<u64>,
) -> Result<Option<GroupHash>> {
    let (mut at, mut first, mut last) = (at, first, None);
    while let Some((_, extent, next)) = stores.journal.read(at)? {
        let group = Group::parse(&extent).map_err(LogError::from)?;
        let header = group.header();
        if first.take().is_some_and(|index| index != header.first_index) {
            return Err(Error::new(Code::RowsUnavailable, "the rows name another group than the one they should"));
        }
        let follows = last.is_none_or(|last| last == header.previous_group);
        if !follows || !vault.journal.accepts(&header.hash, &header.mac) {
            return Err(foreign_group(header.first_index));
        }
        if header.size_after() == head.checkpoint.size {
            head_file::same_root(head, &header.root)?;
        }
        last = Some(header.hash);
        at = next;
    }
    Ok(last)
}

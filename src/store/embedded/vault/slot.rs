//! Slots of an epoch file: pure, bytes in and verdicts out.

use crate::codec::digest::{CustodyId, sha256_parts};
use crate::codec::limits::{EPOCH_TAPES_MAX, SECTOR_BYTES};
use crate::store::contracts::VaultRecord;

/// Length of one slot.
pub(super) const SLOT_BYTES: usize = 144;
/// Length of an epoch file; it never changes.
pub(super) const EPOCH_FILE_BYTES: usize = SLOT_BYTES * EPOCH_TAPES_MAX as usize;

const WRAPPED_AT: usize = 32;
const DEDUPE_AT: usize = 80;
const CHECK_AT: usize = 112;
const LABEL: &[u8] = b"immutape/vault-slot/1";

/// What stands in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// Zero throughout.
    Free,
    /// A record whose check bytes are right.
    Record(VaultRecord),
    /// One side of a sector boundary was written and the other was not: a write that a crash cut,
    /// so that no sync after it returned and nobody was told of it.
    Torn,
    /// Anything else: bytes that this engine never wrote here.
    Damaged,
}

/// Where a slot begins in its file.
pub(super) const fn offset(slot: u32) -> u64 {
    (slot as u64).saturating_mul(SLOT_BYTES as u64)
}

fn check(epoch: &[u8; 16], slot: u32, record: &[u8]) -> [u8; 32] {
    sha256_parts(&[LABEL, epoch, &slot.to_be_bytes(), record])
}

/// The bytes of a record in its slot. The check binds epoch and slot, so that a record that strays
/// to another place is no record there.
pub(super) fn encode(epoch: &[u8; 16], slot: u32, record: &VaultRecord) -> Vec<u8> {
    let mut out = Vec::with_capacity(SLOT_BYTES);
    out.extend_from_slice(record.custody_id.as_bytes());
    out.extend_from_slice(&record.wrapped);
    out.extend_from_slice(&record.dedupe);
    let check = check(epoch, slot, &out);
    out.extend_from_slice(&check);
    out
}

/// Judges one slot.
pub(super) fn decode(epoch: &[u8; 16], slot: u32, bytes: &[u8]) -> Slot {
    if bytes.len() != SLOT_BYTES {
        return Slot::Damaged;
    }
    if is_zero(bytes) {
        return Slot::Free;
    }
    match record(epoch, slot, bytes) {
        Some(record) => Slot::Record(record),
        None if is_cut_at_a_sector(slot, bytes) => Slot::Torn,
        None => Slot::Damaged,
    }
}

fn record(epoch: &[u8; 16], slot: u32, bytes: &[u8]) -> Option<VaultRecord> {
    if bytes.get(CHECK_AT..)? != check(epoch, slot, bytes.get(..CHECK_AT)?) {
        return None;
    }
    Some(VaultRecord {
        custody_id: CustodyId::from_slice(bytes.get(..WRAPPED_AT)?)?,
        wrapped: bytes.get(WRAPPED_AT..DEDUPE_AT)?.try_into().ok()?,
        dedupe: bytes.get(DEDUPE_AT..CHECK_AT)?.try_into().ok()?,
    })
}

/// A crash persists each sector whole or not at all, and the sector held zeros before. So a cut
/// slot straddles a boundary and is zero on exactly one side of it. A flipped bit never looks so:
/// both sides of a record hold at least 16 bytes of digest or ciphertext.
fn is_cut_at_a_sector(slot: u32, bytes: &[u8]) -> bool {
    let into_sector = usize::try_from(offset(slot)).unwrap_or(0) % SECTOR_BYTES;
    let to_boundary = SECTOR_BYTES.saturating_sub(into_sector);
    match bytes.split_at_checked(to_boundary) {
        Some((head, tail)) if !tail.is_empty() => is_zero(head) != is_zero(tail),
        _ => false,
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| *b == 0)
}

/// What a whole epoch file holds.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Records in slot order, with their slots.
    pub(super) records: Vec<(u32, VaultRecord)>,
    /// The first slot that holds nothing though a later one was written, or that is torn. Several
    /// puts wait for one sync and a crash may keep any sectors of them, so this is lawful.
    pub(super) void: Option<u32>,
    /// The first damaged slot.
    pub(super) damaged: Option<u32>,
    /// The slot after the last one that is not free. Torn slots are never written again: what looks
    /// torn might be a record that lost a sector, and a rest of it is evidence.
    pub(super) next: u32,
    /// The length of the file, when it is not the one it must have.
    pub(super) wrong_bytes: Option<u64>,
}

/// Judges every slot of an epoch file; a slot that its end cuts off is damaged.
pub(super) fn survey(epoch: &[u8; 16], file: &[u8]) -> Survey {
    let mut out = Survey::default();
    let mut free = None;
    for (slot, bytes) in (0u32..).zip(file.chunks(SLOT_BYTES)) {
        match decode(epoch, slot, bytes) {
            Slot::Free => {
                free = free.or(Some(slot));
                continue;
            }
            Slot::Record(record) => out.records.push((slot, record)),
            Slot::Torn => out.void = out.void.or(Some(slot)),
            Slot::Damaged => out.damaged = out.damaged.or(Some(slot)),
        }
        out.next = slot.saturating_add(1);
    }
    // A free slot is a hole only if something was written behind it.
    let hole = free.filter(|slot| *slot < out.next);
    out.void = match (out.void, hole) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: [u8; 16] = [7; 16];

    fn record(n: u8) -> VaultRecord {
        VaultRecord { custody_id: CustodyId::from_bytes([n; 32]), wrapped: [n ^ 0x55; 48], dedupe: [n ^ 0xaa; 32] }
    }

    fn file(records: u8) -> Vec<u8> {
        let mut out = Vec::new();
        for n in 0..records {
            out.extend(encode(&EPOCH, u32::from(n), &record(!n)));
        }
        out.resize(EPOCH_FILE_BYTES, 0);
        out
    }

    #[test]
    fn a_record_comes_back_only_from_its_own_place() {
        let bytes = encode(&EPOCH, 5, &record(1));
        assert_eq!(bytes.len(), SLOT_BYTES);
        assert_eq!(decode(&EPOCH, 5, &bytes), Slot::Record(record(1)));
        assert_eq!(decode(&EPOCH, 6, &bytes), Slot::Damaged);
        assert_eq!(decode(&[8; 16], 5, &bytes), Slot::Damaged);
        assert_eq!(decode(&EPOCH, 5, &bytes[..143]), Slot::Damaged);
        assert_eq!(decode(&EPOCH, 5, &[0; SLOT_BYTES]), Slot::Free);
    }

    #[test]
    fn every_flipped_bit_is_damage_and_never_a_tear() {
        for slot in [0u32, 3, 7, 28, 255] {
            let bytes = encode(&EPOCH, slot, &record(9));
            for bit in 0..SLOT_BYTES * 8 {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(decode(&EPOCH, slot, &bad), Slot::Damaged, "slot {slot} bit {bit}");
            }
        }
    }

    #[test]
    fn a_tear_is_zero_on_one_side_of_the_sector_boundary_it_straddles() {
        // Slot 3 takes bytes 432 to 576 of the file: 80 before the boundary, 64 after it.
        let bytes = encode(&EPOCH, 3, &record(9));
        let cut = |from: usize, to: usize| {
            let mut out = bytes.clone();
            out[from..to].fill(0);
            out
        };
        assert_eq!(decode(&EPOCH, 3, &cut(80, 144)), Slot::Torn);
        assert_eq!(decode(&EPOCH, 3, &cut(0, 80)), Slot::Torn);
        assert_eq!(decode(&EPOCH, 3, &cut(79, 144)), Slot::Torn, "one more zero byte on the written side");
        assert_eq!(decode(&EPOCH, 3, &cut(81, 144)), Slot::Damaged);
        assert_eq!(decode(&EPOCH, 3, &cut(0, 79)), Slot::Damaged);
        // Slot 0 lies within one sector, so nothing can cut it.
        let mut within = encode(&EPOCH, 0, &record(9));
        within[80..].fill(0);
        assert_eq!(decode(&EPOCH, 0, &within), Slot::Damaged);
    }

    #[test]
    fn a_survey_tells_holes_from_the_free_end() {
        let clean = survey(&EPOCH, &file(10));
        assert_eq!((clean.records.len(), clean.void, clean.damaged, clean.next), (10, None, None, 10));

        let mut hole = file(10);
        hole[4 * SLOT_BYTES..5 * SLOT_BYTES].fill(0);
        let hole = survey(&EPOCH, &hole);
        assert_eq!((hole.records.len(), hole.void, hole.damaged, hole.next), (9, Some(4), None, 10));

        let mut torn = file(4);
        torn[512..].fill(0);
        let torn = survey(&EPOCH, &torn);
        assert_eq!((torn.records.len(), torn.void, torn.damaged, torn.next), (3, Some(3), None, 4));

        let mut damaged = file(10);
        damaged[4 * SLOT_BYTES + 10] ^= 1;
        let damaged = survey(&EPOCH, &damaged);
        assert_eq!((damaged.records.len(), damaged.void, damaged.damaged, damaged.next), (9, None, Some(4), 10));
    }
}

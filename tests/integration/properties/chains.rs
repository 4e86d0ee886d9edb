//! Logs of generated acts: groups, chain and tree hold together, and no change of any entry goes unseen.

use std::collections::HashMap;

use immutape::codec::digest::{CustodyId, GroupHash, LeafHash};
use immutape::codec::extent::{Group, push_record, split_record};
use immutape::log::{
    Chain, ChainState, EntryDraft, EntryKind, GroupBuilder, GroupPlace, LogError, SubjectTip, group_entries, root_of,
};
use immutape::seal::JournalKey;
use immutape::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use super::arbitrary_log::draft;
use crate::golden_make::made_log;

/// A genesis, then acts about one of three subjects at any local time.
fn acts() -> impl Strategy<Value = Vec<(EntryDraft, u64)>> {
    let act = (draft(), 0u8..3, 0u64..10_000);
    vec(act, 0..30).prop_map(|acts| {
        let first = made_log::acts().remove(0);
        let mut out = vec![(made_log::draft(&first, 0), 0)];
        out.extend(acts.into_iter().filter(|(d, _, _)| d.kind != EntryKind::GENESIS).map(|(d, subject, now)| {
            let is_ledger = !d.kind.can_be_about(false) || (subject == 0 && d.kind.can_be_about(true));
            let subject = if is_ledger { CustodyId::LEDGER } else { CustodyId::from_bytes([subject.max(1); 32]) };
            (EntryDraft { subject, ..d }, now)
        }));
        out
    })
}

/// The acts in groups of `size`.
fn write(acts: &[(EntryDraft, u64)], size: usize, key: &JournalKey) -> (ChainState, Vec<Vec<u8>>) {
    let (mut state, mut tips) = (ChainState::default(), HashMap::<CustodyId, SubjectTip>::new());
    let (mut offset, mut previous_group, mut extents) = (512, GroupHash::from_bytes([0; 32]), Vec::new());
    for part in acts.chunks(size) {
        let mut group = GroupBuilder::new(&state);
        for (draft, now) in part {
            assert!(group.has_room_for(std::slice::from_ref(draft)));
            let tip = |subject: &CustodyId| Ok::<_, LogError>(tips.get(subject).copied());
            let placed = group.push(draft, Timestamp::from_ms(*now), tip).unwrap();
            assert_eq!(placed.index + 1, group.next_index());
        }
        let done = group.finish(&GroupPlace { term: 1, segment: 1, offset, previous_group }, false, key);
        (offset, previous_group) = (offset + done.header.extent_bytes(), done.header.hash);
        assert_eq!(done.header.size_after(), done.state.size());
        state = done.state;
        tips.extend(done.tips);
        extents.push(done.extent);
    }
    (state, extents)
}

/// Records of all groups, one after another, each group checked.
fn records(extents: &[Vec<u8>], key: &JournalKey) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut out = Vec::new();
    for extent in extents {
        let group = Group::parse(extent).unwrap();
        assert!(key.accepts(&group.header().hash, &group.header().mac));
        assert!(!JournalKey::from_bytes(&[0x0f; 32]).accepts(&group.header().hash, &group.header().mac));
        out.extend(group_entries(&group).unwrap().into_iter().map(|(a, b)| (a.to_vec(), b.to_vec())));
    }
    out
}

fn check(records: &[(Vec<u8>, Vec<u8>)]) -> Result<(ChainState, Vec<LeafHash>), LogError> {
    let (mut chain, mut leaves) = (Chain::new(), Vec::new());
    for (public, sealed) in records {
        leaves.push(chain.check(public, sealed)?.1);
    }
    Ok((chain.state().clone(), leaves))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_log_is_what_was_written(acts in acts(), size in 1usize..6) {
        let key = JournalKey::from_bytes(&[0xf0; 32]);
        let (state, extents) = write(&acts, size, &key);
        let records = records(&extents, &key);
        prop_assert_eq!(records.len(), acts.len());
        let (checked, leaves) = check(&records).unwrap();
        prop_assert_eq!(&checked, &state);
        prop_assert_eq!(root_of(&leaves), state.frontier.root());
        prop_assert_eq!(Some(&state.last_leaf), leaves.last());
        // Grouped otherwise, the entries are the same.
        let (again, _) = write(&acts, size + 1, &key);
        prop_assert_eq!(again, state);
    }

    #[test]
    fn no_change_goes_unseen(acts in acts(), at: prop::sample::Index, byte: prop::sample::Index, bit in 0u8..8) {
        let key = JournalKey::from_bytes(&[0xf0; 32]);
        let (state, extents) = write(&acts, 3, &key);
        let mut records = records(&extents, &key);
        let place = at.index(records.len());
        let (public, sealed) = &mut records[place];
        let whole = byte.index(public.len() + sealed.len());
        if whole < public.len() { public[whole] ^= 1 << bit } else { sealed[whole - public.len()] ^= 1 << bit }
        // Either an entry does not hold, or the root is another one.
        if let Ok((checked, _)) = check(&records) {
            prop_assert_ne!(checked.frontier.root(), state.frontier.root());
            prop_assert_eq!(place + 1, records.len(), "only the last entry has no successor");
        }
    }

    #[test]
    fn no_entry_can_be_left_out_moved_or_repeated(acts in acts(), a: prop::sample::Index, b: prop::sample::Index) {
        let key = JournalKey::from_bytes(&[0xf0; 32]);
        let records = records(&write(&acts, 4, &key).1, &key);
        let (a, b) = (a.index(records.len()), b.index(records.len()));
        let mut without = records.clone();
        without.remove(a);
        prop_assert_eq!(check(&without).is_ok(), a + 1 == records.len(), "but for the last");
        let mut twice = records.clone();
        twice.insert(a, records[a].clone());
        prop_assert!(check(&twice).is_err());
        let mut swapped = records.clone();
        swapped.swap(a, b);
        prop_assert_eq!(check(&swapped).is_ok(), a == b);
    }

    #[test]
    fn records_split_where_they_were_joined(
        parts in vec((vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..40)), 0..6),
        cut: prop::sample::Index,
    ) {
        let (mut bytes, mut ends) = (Vec::new(), vec![0]);
        for (public, sealed) in &parts {
            push_record(&mut bytes, public, sealed);
            ends.push(bytes.len());
        }
        for end in [bytes.len(), cut.index(bytes.len() + 1)] {
            let (mut left, mut found) = (&bytes[..end], Vec::new());
            while let Some((public, sealed, rest)) = split_record(left) {
                found.push((public.to_vec(), sealed.to_vec()));
                left = rest;
            }
            prop_assert!(parts.starts_with(&found));
            prop_assert_eq!(ends[found.len()] + left.len(), end, "what is left over is a record cut off");
            prop_assert_eq!(left.is_empty(), ends.contains(&end));
        }
    }
}

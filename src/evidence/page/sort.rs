//! Kinds of entries by the sort of act that a reader looks for.

use crate::log::EntryKind;

/// One lane of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Saved,
    Read,
    Listed,
    Exported,
    Checked,
    Refused,
    Evidence,
    Rules,
    Other,
}

impl Sort {
    /// In the order of the lanes.
    pub(super) const ALL: [Self; 9] = [
        Self::Saved,
        Self::Read,
        Self::Listed,
        Self::Exported,
        Self::Checked,
        Self::Refused,
        Self::Evidence,
        Self::Rules,
        Self::Other,
    ];

    pub(super) const fn of(kind: EntryKind) -> Self {
        match kind {
            EntryKind::TAPE_SAVED
            | EntryKind::TAPE_SAVED_AGAIN
            | EntryKind::TAPE_OPENED
            | EntryKind::RECORDING_MARK
            | EntryKind::TAPE_TRUNCATED
            | EntryKind::LABELLED
            | EntryKind::AMENDED => Self::Saved,
            EntryKind::ACCESS_GRANTED
            | EntryKind::ACCESS_COMPLETED
            | EntryKind::METADATA_READ
            | EntryKind::CUSTODY_READ
            | EntryKind::FOLLOWED
            | EntryKind::REPLAYED => Self::Read,
            EntryKind::LISTED | EntryKind::SEARCHED => Self::Listed,
            EntryKind::EXPORTED => Self::Exported,
            EntryKind::VERIFIED | EntryKind::INTEGRITY_FAILED | EntryKind::INTEGRITY_REPAIRED => Self::Checked,
            EntryKind::REFUSED => Self::Refused,
            EntryKind::EVIDENCE_MADE | EntryKind::RECEIPT_ISSUED => Self::Evidence,
            other => match other.number() {
                48..=127 => Self::Rules,
                _ => Self::Other,
            },
        }
    }

    /// As the lane is called.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Saved => "saved, labelled",
            Self::Read => "read",
            Self::Listed => "listed, found",
            Self::Exported => "exported",
            Self::Checked => "checked",
            Self::Refused => "refused",
            Self::Evidence => "evidence",
            Self::Rules => "rules, holds",
            Self::Other => "other",
        }
    }

    /// One word, for programs and style classes.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Saved => "saved",
            Self::Read => "read",
            Self::Listed => "listed",
            Self::Exported => "exported",
            Self::Checked => "checked",
            Self::Refused => "refused",
            Self::Evidence => "evidence",
            Self::Rules => "rules",
            Self::Other => "other",
        }
    }
}

/// What happened, in plain words; a kind that is not known here by its number.
pub(super) fn act(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::TAPE_SAVED => "Saved",
        EntryKind::TAPE_SAVED_AGAIN => "Saved again, same content",
        EntryKind::TAPE_OPENED => "Recording begun",
        EntryKind::RECORDING_MARK => "Recording marked",
        EntryKind::TAPE_TRUNCATED => "Recording cut off",
        EntryKind::LABELLED => "Labels given",
        EntryKind::AMENDED => "Amended by another tape",
        EntryKind::ACCESS_GRANTED => "Frames read",
        EntryKind::ACCESS_COMPLETED => "Reading ended",
        EntryKind::METADATA_READ => "Header read",
        EntryKind::CUSTODY_READ => "Custody report read",
        EntryKind::FOLLOWED => "Watched while recorded",
        EntryKind::REPLAYED => "Replayed",
        EntryKind::LISTED => "Named in a list",
        EntryKind::SEARCHED => "Found by a search",
        EntryKind::EXPORTED => "Exported to a file",
        EntryKind::VERIFIED => "Checked",
        EntryKind::INTEGRITY_FAILED => "Fault found",
        EntryKind::INTEGRITY_REPAIRED => "Fault repaired",
        EntryKind::REFUSED => "Refused",
        EntryKind::EVIDENCE_MADE => "Evidence bundle made",
        EntryKind::RECEIPT_ISSUED => "Receipt issued",
        EntryKind::GENESIS => "Log begun",
        EntryKind::ANCHOR_COSIGNED => "Head cosigned by witnesses",
        EntryKind::ANCHOR_TIMESTAMPED => "Head time-stamped",
        EntryKind::PUBLISHED => "Log published",
        EntryKind::FORK_FOUND => "Another history found",
        EntryKind::SUCCESSION => "Goes on for another log",
        EntryKind::KEY_ROTATED => "Key replaced",
        EntryKind::KEY_REVOKED => "Key revoked",
        _ => "Entry",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sort_is_a_lane_in_its_order() {
        assert!(Sort::ALL.is_sorted());
        let found: std::collections::BTreeSet<Sort> =
            EntryKind::NAMED.iter().map(|(kind, _)| Sort::of(*kind)).collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), Sort::ALL);
        assert_eq!(Sort::of(EntryKind::from_number(2_000)), Sort::Other);
    }

    #[test]
    fn what_can_be_about_a_tape_has_words_of_its_own() {
        for (kind, name) in EntryKind::NAMED {
            if kind.is_written() && !kind.can_be_about(true) {
                assert_ne!(act(*kind), "Entry", "{name}");
            }
        }
    }
}

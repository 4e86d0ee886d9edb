//! The table of kinds (4.3).

/// What a kind may be about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// 32 zero bytes.
    Ledger,
    /// A custody id.
    Tape,
    /// Either.
    Any,
}

/// What a kind may be about. Reserved and unknown kinds: either.
#[must_use]
pub fn subject_rule(kind: u16) -> Subject {
    match kind {
        0..=6 | 10 | 34 | 35 | 37 | 104..=108 | 128..=130 | 133 | 164 | 166 | 32_768..=32_770 => Subject::Ledger,
        16..=20 | 24 | 25 | 32 | 33 | 36 | 38 | 39 | 41 | 42 | 163 => Subject::Tape,
        _ => Subject::Any,
    }
}

/// Critical kinds whose bodies this program knows.
#[must_use]
pub fn is_known_critical(kind: u16) -> bool {
    matches!(kind, 32_768..=32_770)
}

/// Name of a kind, if it has one that is written by now.
#[must_use]
pub fn name(kind: u16) -> Option<&'static str> {
    Some(match kind {
        0 => "genesis",
        1 => "log.started",
        2 => "log.stopped",
        3 => "log.unclean_stop",
        4 => "recovered",
        5 => "rows.rebuilt",
        6 => "head_file.rebuilt",
        7 => "integrity.failed",
        8 => "integrity.repaired",
        9 => "verified",
        10 => "clock.anomaly",
        16 => "tape.saved",
        17 => "tape.saved_again",
        18 => "tape.opened",
        19 => "recording.mark",
        20 => "tape.truncated",
        24 => "labelled",
        25 => "amended",
        32 => "access.granted",
        33 => "access.completed",
        34 => "listed",
        35 => "searched",
        36 => "metadata.read",
        37 => "log.read",
        38 => "custody.read",
        39 => "exported",
        40 => "refused",
        41 => "followed",
        42 => "replayed",
        104 => "actor.added",
        105 => "actor.disabled",
        106 => "actor.rotated",
        107 => "role.granted",
        108 => "role.revoked",
        128 => "anchor.cosigned",
        129 => "anchor.timestamped",
        130 => "published",
        131 => "receipt.issued",
        133 => "fork.found",
        163 => "evidence.made",
        164 => "scrubbed",
        166 => "evidence.given",
        32_768 => "succession",
        32_769 => "key.rotated",
        32_770 => "key.revoked",
        _ => return None,
    })
}

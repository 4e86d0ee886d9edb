//! Kinds of entries: numbers for ever, names for people (`docs/format/4-commit.md` 4.3).

/// The kind of an entry. Unknown numbers are kept and shown as "kind N".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryKind(u16);

macro_rules! kinds {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        #[allow(missing_docs, reason = "the names are those of the table in docs/format/4-commit 4.3")]
        impl EntryKind { $(pub const $name: Self = Self($number);)* }

        impl EntryKind {
            /// Every numbered kind, written or reserved.
            pub const NAMED: &'static [(Self, &'static str)] = &[$((Self($number), $text),)*];
        }
    };
}

kinds! {
    GENESIS = 0, "genesis";
    LOG_STARTED = 1, "log.started";
    LOG_STOPPED = 2, "log.stopped";
    LOG_UNCLEAN_STOP = 3, "log.unclean_stop";
    RECOVERED = 4, "recovered";
    ROWS_REBUILT = 5, "rows.rebuilt";
    HEAD_FILE_REBUILT = 6, "head_file.rebuilt";
    INTEGRITY_FAILED = 7, "integrity.failed";
    INTEGRITY_REPAIRED = 8, "integrity.repaired";
    VERIFIED = 9, "verified";
    CLOCK_ANOMALY = 10, "clock.anomaly";
    TAPE_SAVED = 16, "tape.saved";
    TAPE_SAVED_AGAIN = 17, "tape.saved_again";
    TAPE_OPENED = 18, "tape.opened";
    RECORDING_MARK = 19, "recording.mark";
    TAPE_TRUNCATED = 20, "tape.truncated";
    LABELLED = 24, "labelled";
    AMENDED = 25, "amended";
    ACCESS_GRANTED = 32, "access.granted";
    ACCESS_COMPLETED = 33, "access.completed";
    LISTED = 34, "listed";
    SEARCHED = 35, "searched";
    METADATA_READ = 36, "metadata.read";
    LOG_READ = 37, "log.read";
    CUSTODY_READ = 38, "custody.read";
    EXPORTED = 39, "exported";
    REFUSED = 40, "refused";
    FOLLOWED = 41, "followed";
    REPLAYED = 42, "replayed";
    RETENTION_SET = 48, "retention.set";
    RETENTION_EXTENDED = 49, "retention.extended";
    RETENTION_ANCHORED = 50, "retention.anchored";
    RETENTION_EVENT = 51, "retention.event";
    RETENTION_MODE_RAISED = 52, "retention.mode_raised";
    RETENTION_ELIGIBLE = 53, "retention.eligible";
    RETENTION_CLASS_SET = 54, "retention.class_set";
    RETENTION_OVERDUE = 55, "retention.overdue";
    HOLD_PLACED = 64, "hold.placed";
    HOLD_RELEASED = 65, "hold.released";
    HOLD_TOO_LATE = 66, "hold.too_late";
    HOLD_TRANSFERRED = 67, "hold.transferred";
    HOLD_CONFIRMED = 68, "hold.confirmed";
    SUBJECT_ADDED = 72, "subject.added";
    RESTRICTION_PLACED = 73, "restriction.placed";
    RESTRICTION_LIFTED = 74, "restriction.lifted";
    REQUEST_OPENED = 75, "request.opened";
    REQUEST_CLOSED = 76, "request.closed";
    DISPOSAL_REQUESTED = 80, "disposal.requested";
    DISPOSAL_APPROVED = 81, "disposal.approved";
    DISPOSAL_COOLING_OFF = 82, "disposal.cooling_off";
    DISPOSAL_CANCELLED = 83, "disposal.cancelled";
    DISPOSAL_STARTED = 84, "disposal.started";
    DISPOSAL_KEY_REPLACED = 85, "disposal.key_replaced";
    DISPOSAL_KEY_DESTROYED = 86, "disposal.key_destroyed";
    DISPOSAL_COPY_DESTROYED = 87, "disposal.copy_destroyed";
    DISPOSAL_COMPLETED = 88, "disposal.completed";
    DISPOSAL_COPY_RETIRED = 89, "disposal.copy_retired";
    DISPOSAL_FINAL = 90, "disposal.final";
    DISPOSAL_WAIVED = 91, "disposal.waived";
    ACTOR_ADDED = 104, "actor.added";
    ACTOR_DISABLED = 105, "actor.disabled";
    ACTOR_ROTATED = 106, "actor.rotated";
    ROLE_GRANTED = 107, "role.granted";
    ROLE_REVOKED = 108, "role.revoked";
    SESSION_OPENED = 109, "session.opened";
    SESSION_CLOSED = 110, "session.closed";
    BREAK_GLASS = 111, "break_glass";
    CONFIG_CHANGED = 120, "config.changed";
    POLICY_CHANGED = 121, "policy.changed";
    MIGRATED = 122, "migrated";
    ANCHOR_COSIGNED = 128, "anchor.cosigned";
    ANCHOR_TIMESTAMPED = 129, "anchor.timestamped";
    PUBLISHED = 130, "published";
    RECEIPT_ISSUED = 131, "receipt.issued";
    CLOCK_EVIDENCE = 132, "clock.evidence";
    FORK_FOUND = 133, "fork.found";
    BACKUP_MADE = 144, "backup.made";
    BACKUP_VERIFIED = 145, "backup.verified";
    RESTORED = 146, "restored";
    KEYS_COPIED = 147, "keys.copied";
    KEYS_DRILLED = 148, "keys.drilled";
    TAPE_ARCHIVED = 149, "tape.archived";
    TAPE_RESTORED = 150, "tape.restored";
    REVIEW_SIGNED = 160, "review.signed";
    ALERTED = 161, "alerted";
    REPORT_MADE = 162, "report.made";
    EVIDENCE_MADE = 163, "evidence.made";
    SCRUBBED = 164, "scrubbed";
    CUSTODY_KEY_EXPIRED = 165, "custody_key.expired";
    EVIDENCE_GIVEN = 166, "evidence.given";
    SUCCESSION = 32768, "succession";
    KEY_ROTATED = 32769, "key.rotated";
    KEY_REVOKED = 32770, "key.revoked";
    RULES_REQUIRED = 32771, "rules.required";
}

impl EntryKind {
    /// From the number in an entry.
    #[must_use]
    pub const fn from_number(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Must a program that cannot act on it refuse to write?
    #[must_use]
    pub const fn is_critical(self) -> bool {
        self.0 >= 32_768
    }

    /// Can an entry of this kind be about the ledger itself, or about a tape, as `is_ledger` says? Kinds that are not
    /// written yet may be about either.
    #[must_use]
    pub const fn can_be_about(self, is_ledger: bool) -> bool {
        match self.0 {
            0..=6 | 10 | 34 | 35 | 37 | 104..=108 | 128..=130 | 133 | 164 | 166 | 32_768..=32_770 => is_ledger,
            16..=20 | 24 | 25 | 32 | 33 | 36 | 38 | 39 | 41 | 42 | 163 => !is_ledger,
            _ => true,
        }
    }

    /// Does an entry of this kind about a tape say that its key was destroyed? Its objects may be gone from then on.
    #[must_use]
    pub const fn destroys_tape(self) -> bool {
        matches!(self.0, 86 | 88 | 90)
    }

    /// Does it say who there is, and what they are? Such an entry changes what may be done, so a start has to find it.
    #[must_use]
    pub const fn is_about_people(self) -> bool {
        matches!(self.0, 104..=108)
    }

    /// Does it change how the log is read, or what may be done? A start has to find every entry of such a kind.
    #[must_use]
    pub const fn changes_rules(self) -> bool {
        self.is_critical() || self.is_about_people()
    }

    /// Is it about an evidence bundle?
    #[must_use]
    pub const fn is_evidence(self) -> bool {
        matches!(self.0, 163 | 166)
    }

    /// Can this program write and fully read it?
    #[must_use]
    pub const fn is_written(self) -> bool {
        matches!(self.0, 0..=10 | 16..=20 | 24 | 25 | 32..=42 | 104..=108 | 128..=131 | 133 | 163 | 164 | 166 | 32_768..=32_770)
    }

    /// The name, or "kind N".
    #[must_use]
    pub fn name(self) -> String {
        let named = Self::NAMED.iter().find(|(k, _)| *k == self);
        named.map_or_else(|| format!("kind {}", self.0), |(_, name)| (*name).to_owned())
    }
}

impl std::fmt::Display for EntryKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

//! One error type. Its kind tells the caller what to do and maps one to one to an exit code;
//! its code is stable and documented; the words are for people and may change.

use std::borrow::Cow;

/// What the caller can do about an error; one to one with the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Something failed that none of the others names. Exit 1.
    Failure,
    /// The command or call was wrong. Exit 2.
    Usage,
    /// What is stored is not what was stored: evidence of tampering or decay. Exit 3.
    Tampering,
    /// Not there, or the id fits several. Exit 4.
    NotFound,
    /// Refused by policy: WORM, hold, retention. Exit 5.
    Refused,
    /// Not permitted to this person. Exit 6.
    NotPermitted,
    /// Another process holds the ledger. Exit 7.
    Locked,
    /// No ledger here. Exit 8.
    NoLedger,
    /// A key is missing, wrong or unreadable. Exit 9.
    Key,
    /// The audit log cannot be written, so nothing is read or saved. Exit 11.
    AuditUnavailable,
}

impl Kind {
    /// The process exit code (`docs/operating.md`).
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Tampering => 3,
            Self::NotFound => 4,
            Self::Refused => 5,
            Self::NotPermitted => 6,
            Self::Locked => 7,
            Self::NoLedger => 8,
            Self::Key => 9,
            Self::AuditUnavailable => 11,
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $number:literal, $kind:ident;)*) => {
        /// Stable error codes. The text form appears in `--json`; the numbers stand in entries, and in the table of
        /// `docs/format/4-commit.md` 4.3, and are never used again for something else.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, for tests and the manual.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// The stable text.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $text,)* } }
            /// The stable number.
            #[must_use]
            pub const fn number(self) -> u16 { match self { $(Self::$name => $number,)* } }
            /// What the caller can do.
            #[must_use]
            pub const fn kind(self) -> Kind { match self { $(Self::$name => Kind::$kind,)* } }
        }
    };
}

codes! {
    /// A bug or an impossible state.
    Internal = "E_INTERNAL", 1, Failure;
    /// The operating system refused a file operation.
    Io = "E_IO", 2, Failure;
    /// The disk or quota is full.
    StoreFull = "E_STORE_FULL", 3, AuditUnavailable;
    /// A durable write failed; this handle answers nothing any more.
    Broken = "E_BROKEN", 4, Failure;
    /// Somebody else appended in between.
    Conflict = "E_CONFLICT", 5, Failure;
    /// A newer writer took over.
    Fenced = "E_FENCED", 6, Locked;
    /// It is unknown whether a write took effect; open again and look.
    InDoubt = "E_IN_DOUBT", 7, Failure;
    /// The random generator failed.
    NoRandom = "E_NO_RANDOM", 8, Failure;
    /// A stored file or object was written by a newer version.
    NewerFormat = "E_NEWER_FORMAT", 9, Failure;
    /// What was read back differs from what was written.
    ReadbackMismatch = "E_READBACK_MISMATCH", 10, Failure;
    /// The command line or a parameter is wrong.
    Usage = "E_USAGE", 20, Usage;
    /// An id is malformed.
    BadId = "E_BAD_ID", 21, Usage;
    /// The input holds nothing.
    EmptyInput = "E_EMPTY_INPUT", 22, Failure;
    /// The input is not a recorded session in a known format.
    NotATape = "E_NOT_A_TAPE", 23, Failure;
    /// The last line has no end.
    TruncatedInput = "E_TRUNCATED_INPUT", 24, Failure;
    /// A stated limit is exceeded.
    Limit = "E_LIMIT", 25, Failure;
    /// Nothing has this id.
    NotFound = "E_NOT_FOUND", 30, NotFound;
    /// Several things have an id with this prefix.
    AmbiguousId = "E_AMBIGUOUS_ID", 31, NotFound;
    /// No such frame in this tape.
    NoFrame = "E_NO_FRAME", 32, NotFound;
    /// A live tape is removed only by the disposal workflow.
    DisposalRequired = "E_DISPOSAL_REQUIRED", 41, Refused;
    /// The store would shorten a protection.
    RetentionShorten = "E_RETENTION_SHORTEN", 42, Refused;
    /// The ledger is open for checks only.
    ReadOnly = "E_READ_ONLY", 43, Refused;
    /// The log ended by loss and goes on as another.
    LogEnded = "E_LOG_ENDED", 44, Refused;
    /// Every entry of the newest known head is here, so no successor is needed.
    NothingLost = "E_NOTHING_LOST", 45, Refused;
    /// The policy does not permit this to this person.
    NotPermitted = "E_NOT_PERMITTED", 50, NotPermitted;
    /// Two roles that nobody may have at once.
    RoleConflict = "E_ROLE_CONFLICT", 51, Refused;
    /// This takes more people than have agreed.
    SecondPerson = "E_SECOND_PERSON", 52, Refused;
    /// Nobody of this name may act here.
    ActorUnknown = "E_ACTOR_UNKNOWN", 53, NotFound;
    /// What people signed is not what is asked for, counts no more, or was used before.
    CaseInvalid = "E_CASE_INVALID", 54, Refused;
    /// Another process has the ledger open.
    Locked = "E_LOCKED", 60, Locked;
    /// There is no ledger in this folder.
    NoLedger = "E_NO_LEDGER", 70, NoLedger;
    /// A state folder names this ledger folder, but it is gone.
    LedgerMissing = "E_LEDGER_MISSING", 71, NoLedger;
    /// There is a ledger in this folder already.
    LedgerExists = "E_LEDGER_EXISTS", 72, Refused;
    /// No home folder and no folder given.
    NoHome = "E_NO_HOME", 73, Usage;
    /// A key file is missing.
    KeyMissing = "E_KEY_MISSING", 80, Key;
    /// A key file cannot be read or has open permissions.
    KeyUnreadable = "E_KEY_UNREADABLE", 81, Key;
    /// A key file holds no usable key.
    KeyMalformed = "E_KEY_MALFORMED", 82, Key;
    /// A key is not the one that this ledger names.
    KeyForeign = "E_KEY_FOREIGN", 83, Key;
    /// The vault is missing although the ledger has entries.
    VaultMissing = "E_VAULT_MISSING", 84, Key;
    /// The vault is older than the head file says.
    VaultRollback = "E_VAULT_ROLLBACK", 85, Key;
    /// The vault is damaged or belongs to another root key.
    VaultDamaged = "E_VAULT_DAMAGED", 86, Key;
    /// The signed head file is missing.
    HeadMissing = "E_HEAD_MISSING", 90, Tampering;
    /// The signed head file is damaged or its signature is wrong.
    HeadInvalid = "E_HEAD_INVALID", 91, Tampering;
    /// The log is behind its signed head: an older copy.
    LogRollback = "E_LOG_ROLLBACK", 92, Tampering;
    /// The log contradicts its signed head.
    LogFork = "E_LOG_FORK", 93, Tampering;
    /// The journal is damaged.
    LogDamaged = "E_LOG_DAMAGED", 94, Tampering;
    /// A stored tape is damaged or missing.
    TapeDamaged = "E_TAPE_DAMAGED", 95, Tampering;
    /// The head file is behind a log that was closed in order.
    HeadStale = "E_HEAD_STALE", 96, Tampering;
    /// The log holds an entry of an unknown critical kind.
    CriticalUnknown = "E_CRITICAL_UNKNOWN", 97, Failure;
    /// No access entry can be written, so nothing is given out.
    AuditUnavailable = "E_AUDIT_UNAVAILABLE", 100, AuditUnavailable;
    /// The query rows cannot be read or rebuilt.
    RowsUnavailable = "E_ROWS_UNAVAILABLE", 101, AuditUnavailable;
    /// A proof, a receipt, a time-stamp or a cosignature does not hold.
    ProofInvalid = "E_PROOF_INVALID", 110, Tampering;
    /// A server cannot be reached, or gave no usable answer.
    Network = "E_NETWORK", 111, Failure;
    /// Too few witnesses have confirmed this log since it was opened.
    NotConfirmed = "E_NOT_CONFIRMED", 112, Failure;
}

/// The error of every public call.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    code: Code,
    message: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with its code and words. Words that carry text from outside must be escaped already.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), hint: None, source: None }
    }

    /// Adds the way out.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What the caller can do.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.code.kind()
    }

    /// The way out, when there is one to name.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The words without the causes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<crate::codec::random::RandomUnavailable> for Error {
    fn from(source: crate::codec::random::RandomUnavailable) -> Self {
        Self::new(Code::NoRandom, "the random number generator gave nothing; no key was made").with_source(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        let mut numbers: Vec<_> = Code::ALL.iter().map(|c| c.number()).collect();
        texts.sort_unstable();
        numbers.sort_unstable();
        texts.dedup();
        numbers.dedup();
        assert_eq!((texts.len(), numbers.len()), (Code::ALL.len(), Code::ALL.len()));
    }
}

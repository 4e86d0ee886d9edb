//! The act: one writer; create, open, save, read, list, check, mend, close.
//!
//! The core is synchronous: one thread writes, callers wait for its answer. [`Ledger`] is the async
//! face of it. This room prints nothing, reads no environment and names no engine.

mod acts;
mod applier;
mod authentic;
mod away;
mod bundle_files;
mod check;
mod close;
mod commit;
mod core;
mod create;
mod custody;
mod engine_name;
mod environment;
mod evidence;
mod exported;
mod facade;
mod gather;
mod head_file;
mod heads;
mod jobs;
mod key_life;
mod known_keys;
mod label;
mod list;
mod live;
mod log_read;
mod long_set;
mod look_up;
mod metadata;
mod newest_key;
mod observe;
mod open;
mod people;
mod places;
mod read;
mod rebuild;
mod repair;
mod rows_queue;
mod save;
mod sealing;
mod search;
mod source;
mod start;
mod status;
mod succeed;
mod who;
mod writer;

pub use crate::catalog::{FILTER_KEYS, Filter, FilterError, Summary, TapeState};
pub(crate) use crate::catalog::{named_end, named_span};
pub use away::TapeAway;
pub use bundle_files::{BundleFiles, FileBlob, FolderSource, check_bundle_at};
pub use check::{
    CheckMade, CheckOptions, CheckSubject, Checker, Condition, Health, SCRUB_PARTS_MAX, ScrubPart, Scrubbed, examine,
};
pub use create::{NewFounder, NewLedger};
pub use custody::CustodyLink;
pub use environment::Environment;
pub use evidence::{
    BUNDLE_TAPES_MAX, BundleState, Evidence, EvidenceDraft, EvidenceFile, EvidenceOrder, RegisteredBundle, Wanted,
};
pub use exported::ExportedFile;
pub use facade::Ledger;
pub use heads::{
    Anchor, Confirmed, KeptTime, ProofForm, Proven, ReleasedHead, TIME_AUTHORITY_FILE, TIME_ROOTS_FILE, TimeAuthority,
    TimeChallenge, WITNESS_POLICY_FILE,
};
pub use jobs::{Job, JobOutcome, JobPlan, JobRecord, JobRun, JobRuns, JobStanding, is_set_up, job_runs};
pub use key_life::{KeyChange, KeyChanged, RevocationReason, RevokeKey};
pub use list::Listing;
pub use live::{Abandoned, LiveCounts, LiveFollower, LiveListing, LiveMark, LiveOptions, LiveSealer, LiveTape};
pub use log_read::LogLine;
pub use metadata::TapeMetadata;
pub use observe::{Event, NoObserver, Observer};
pub use people::{Approvals, PeopleChange, PersonView};
pub use places::Places;
pub use read::{DurableGrant, FrameSelection, TapeReader};
pub use repair::{Repair, RepairDone};
pub use save::{Amends, SaveOptions, SaveReceipt, TapeSaver};
pub use search::{Cursor, ListPage, ListRequest};
pub use status::{ClassCount, KeyState, Status, is_in_use};
pub use succeed::{Succeeded, SuccessionRequest};
pub use who::Who;

//! Who there is, and what they may do: read from the log at each start, changed by entries.

mod case_file;
mod change;
mod known;

pub use case_file::Approvals;
pub(super) use case_file::Wanted;
pub(super) use change::told as law_refused;
pub use change::{PeopleChange, PersonView};
pub(super) use known::{NOW, of_journal, permits};

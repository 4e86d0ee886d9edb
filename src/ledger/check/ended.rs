//! A log that ended by loss: what the statement beside its head says, whether that is about these entries, and what it excuses.

use super::Checker;
use super::journal::Walked;
use crate::error::Code;
use crate::evidence::{Report, Severity, Verdict};
use crate::log::Checkpoint;

impl Checker {
    /// What a statement of succession beside the head says of this log. One that only the successor signed excuses nothing. One
    /// that the log signed names a head like any other: where the log has as many entries, they must be the same.
    pub(super) fn succession(&self, journal: &Walked, report: &mut Report) {
        match &self.ended {
            Ok(None) => {}
            Ok(Some(proven)) if proven.is_by_old() => {
                let of = proven.succession();
                if journal.is_other_than(&of.head) {
                    let what = format!(
                        "the log says that it ended at a head of {} entries, which are not the ones that it has",
                        of.head.size
                    );
                    report.find(Severity::Altered, "succession", Code::LogFork.as_str(), what).word =
                        Some(Verdict::Forked);
                    return;
                }
                let words = format!("ended by loss at {}, continued as {}", of.head.size, of.new.name());
                report.find(Severity::Note, "succession", "successor.note", words.clone());
                report.ended = Some(words);
            }
            Ok(Some(proven)) => {
                let what = format!(
                    "{} says that it goes on for this log, which did not sign that",
                    proven.succession().new.name()
                );
                report.find(Severity::Gap, "succession", "successor.note", what);
            }
            Err(e) => {
                report.find_error(Severity::Altered, "succession", "successor.note", e);
            }
        }
    }

    /// The head at which this log says itself that it ended.
    pub(super) fn stated_end(&self) -> Option<&Checkpoint> {
        let proven = self.ended.as_ref().ok().and_then(Option::as_ref);
        proven.filter(|proven| proven.is_by_old()).map(|proven| &proven.succession().head)
    }

    /// How grave it is that this log ends before a head of `size` entries: the loss may have been stated by the log itself.
    pub(super) fn loss_is(&self, code: Code, size: u64) -> Severity {
        let stated = self.stated_end().map_or(0, |head| head.size);
        if code == Code::LogRollback && size <= stated { Severity::Gap } else { Severity::Altered }
    }
}

//! A log that ended by loss: what the statement beside its head says, and what it excuses.

use super::Checker;
use crate::error::Code;
use crate::evidence::{Report, Severity};

impl Checker {
    /// What a statement of succession beside the head says of this log. One that only the successor signed excuses nothing.
    pub(super) fn succession(&self, report: &mut Report) {
        match &self.ended {
            Ok(None) => {}
            Ok(Some(proven)) if proven.is_by_old() => {
                let of = proven.succession();
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
                report.find(Severity::Altered, "succession", "successor.note", e.message().to_owned());
            }
        }
    }

    /// How grave it is that this log ends before a head of `size` entries: the loss may have been stated by the log itself.
    pub(super) fn loss_is(&self, code: Code, size: u64) -> Severity {
        let stated = match &self.ended {
            Ok(Some(proven)) if proven.is_by_old() => proven.succession().head.size,
            _ => 0,
        };
        if code == Code::LogRollback && size <= stated { Severity::Gap } else { Severity::Altered }
    }
}

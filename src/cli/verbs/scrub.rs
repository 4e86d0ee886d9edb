//! `scrub`: a part of what is stored, read again past what memory holds.

use serde_json::json;

use crate::cli::args::Scrub as Args;
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::cli::words;
use crate::codec::escape::visible;
use crate::error::{Error, Kind, Result};
use crate::evidence::Verdict;
use crate::ledger::{Checker, Scrubbed};

pub(in crate::cli) fn scrub(s: &mut Session<'_>, args: &Args) -> Result<u8> {
    let parts = args.parts.unwrap_or_else(|| s.parts.config.schedule.scrub_parts());
    let progress = Progress::of(s.out);
    let before = std::mem::replace(&mut s.parts.env.observer, progress.clone());
    let done = one(s, parts);
    progress.clear();
    s.parts.env.observer = before;
    let (made, recorded) = done?;
    tell(s, &made, &recorded);
    Ok(exit_code(&made))
}

pub(super) fn exit_code(made: &Scrubbed) -> u8 {
    if made.findings.is_empty() { 0 } else { Verdict::Altered.exit_code() }
}

/// Reads the next part beside whoever uses the ledger, which is opened for the entry alone. One that cannot be opened is read all
/// the same, and the same part again the next time.
///
/// # Errors
/// Those of [`Checker::open`], and what keeps the entry from being written where nothing is wrong with the ledger.
pub(super) fn one(s: &mut Session<'_>, parts: u64) -> Result<(Scrubbed, Result<u64>)> {
    let checker = Checker::open(&s.parts.places, &s.parts.env)?;
    s.out.test = checker.genesis().test;
    let made = checker.scrub(checker.next_scrub(parts)?);
    // What it has open is given back before the ledger is opened.
    drop(checker);
    let recorded = s.with_ledger_again(async |ledger, s| ledger.record_scrub(&s.parts.who, &made).await);
    match recorded {
        Err(e) if made.findings.is_empty() && e.kind() != Kind::Tampering => Err(e),
        recorded => Ok((made, recorded)),
    }
}

pub(super) fn tell(s: &mut Session<'_>, made: &Scrubbed, recorded: &Result<u64>) {
    if s.out.json {
        let finding = |f: &crate::evidence::Finding| {
            json!({
                "part": f.part, "place": f.place, "what": f.what, "tape": f.tape.map(|t| t.to_text()), "entry": f.entry,
            })
        };
        let code = |e: &Error| json!({ "code": e.code().as_str(), "message": e.message() });
        s.out.document(json!({
            "type": "scrubbed", "part": made.part.number(), "of": made.part.of(), "objects": made.objects,
            "segments": made.segments, "bytes": made.bytes, "from_medium": made.from_medium,
            "findings": made.findings.iter().map(finding).collect::<Vec<_>>(),
            "entry": recorded.as_ref().ok(), "not_recorded": recorded.as_ref().err().map(code),
        }));
        return;
    }
    for finding in &made.findings {
        let tape = finding.tape.map_or_else(String::new, |tape| format!(" (tape {})", tape.to_text()));
        s.out.prose(&format!("ALTERED {} {}{tape}: {}", finding.part, visible(finding.place.as_bytes()), finding.what));
    }
    s.out.prose(&format!(
        "{}: {} and {} read again, {}, {}",
        made.part,
        words::count(made.objects, "object"),
        words::count(made.segments, "segment"),
        words::bytes(made.bytes),
        words::count(made.findings.len() as u64, "finding")
    ));
    if !made.from_medium {
        s.out.say("Not all of it came from the disk: this file system keeps it in memory, or does not tell.");
    }
    match recorded {
        Ok(entry) => s.out.say(&format!("Recorded as entry #{entry}.")),
        Err(e) => s.out.speak(&format!("This was not recorded: {} ({})", e.message(), e.code().as_str())),
    }
}

//! `verify`: is everything kept what was kept? Runs on a ledger in any state.

use serde_json::{Map, Value, json};

use crate::cli::args::Verify;
use crate::cli::json as js;
use crate::cli::out::Out;
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::cli::terminal::Paint;
use crate::cli::{errors, words};
use crate::codec::digest::IdPrefix;
use crate::codec::escape::visible;
use crate::error::{Code, Error, Kind, Result};
use crate::evidence::{Check, Finding, Report, Severity, Verdict};
use crate::ledger::{CheckOptions, CheckSubject, Checker};

/// A check that was made.
struct Checked {
    /// What it came to.
    report: Report,
    /// The ledger.
    ledger: String,
    /// The entry that records it, or why there is none.
    recorded: Result<u64>,
}

pub(in crate::cli) fn verify(s: &mut Session<'_>, args: &Verify) -> Result<u8> {
    let options = CheckOptions { tape: args.id.clone(), stored_only: args.stored, size: None };
    let progress = Progress::of(s.out);
    s.parts.env.observer = progress.clone();
    let checked = check(s, options);
    progress.clear();
    let checked = checked?;
    print(s.out, &checked);
    Ok(checked.report.verdict().exit_code())
}

/// Checks, and records it where the ledger can be opened. It is open only before, to ask the policy and look the tape
/// up, and after, to append the entry: others may save while the check goes on.
///
/// # Errors
/// When there is no ledger or no such tape.
fn check(s: &mut Session<'_>, options: CheckOptions) -> Result<Checked> {
    let mut opened = false;
    let begun = s.with_ledger(async |ledger, s| {
        opened = true;
        ledger.begin_check(&s.parts.who, options.tape.as_deref()).await
    });
    match begun {
        Ok(subject) => recorded(s, &options, subject),
        Err(e) if opened || matches!(e.kind(), Kind::NoLedger | Kind::Usage) => Err(e),
        Err(e) => alone(s, &options, e),
    }
}

/// A check that the policy allows.
fn recorded(s: &mut Session<'_>, options: &CheckOptions, subject: CheckSubject) -> Result<Checked> {
    let checker = Checker::open(&s.parts.places, &s.parts.env)?.patient();
    let (report, made) = checker.run_for(subject, options.stored_only)?;
    let ledger = checker.id().to_hex();
    // What it has open is given back before the ledger is opened.
    drop(checker);
    let recorded = s.with_ledger_again(async |ledger, s| ledger.record_check(&s.parts.who, made).await);
    Ok(Checked { report, ledger, recorded })
}

/// The same checks on a ledger that cannot be opened; nothing can be recorded.
fn alone(s: &mut Session<'_>, options: &CheckOptions, why: Error) -> Result<Checked> {
    if let Some(id) = &options.tape
        && let Err(e) = IdPrefix::parse(id)
    {
        let shown = visible(id.as_bytes());
        return Err(Error::new(Code::BadId, format!("\"{shown}\" is not a tape id")).with_hint(e.to_string()));
    }
    let Ok(checker) = Checker::open(&s.parts.places, &s.parts.env) else { return Err(why) };
    // Beside a running writer only what was there when this was asked is looked at.
    let in_use = matches!(why.kind(), Kind::Locked);
    let size = in_use.then(|| checker.survey().ok()).flatten().map(|(size, _)| size);
    let mut report = checker.run(&CheckOptions { size, ..options.clone() });
    let tapes = report.checks.iter().find(|c| c.name == "statements").map_or(0, |c| c.checked);
    if options.tape.is_some() && tapes == 0 && report.verdict() != Verdict::Altered {
        return Err(Error::new(Code::NotFound, "no tape has an id that begins with these digits")
            .with_hint("`immutape list` shows the ids, once the ledger can be opened"));
    }
    s.out.test = checker.genesis().test;
    // What keeps a ledger from being opened is part of what the check found, told once.
    let severity = match why.kind() {
        Kind::Tampering => Some(Severity::Altered),
        Kind::Key => Some(Severity::Gap),
        _ => None,
    };
    let told = report.findings.iter().any(|f| f.what.contains(why.message()) || why.message().contains(&f.what));
    if let Some(severity) = severity.filter(|_| !told) {
        report.find_error(severity, "opening", why.code().as_str(), &why);
    }
    Ok(Checked { report, ledger: checker.id().to_hex(), recorded: Err(why) })
}

/// Prints checks with their counts, findings with their places, and the word they add up to.
fn print(out: &mut Out, checked: &Checked) {
    if out.json {
        out.document(document(checked));
        return;
    }
    let Checked { report, recorded, .. } = checked;
    for check in &report.checks {
        let line = check_line(out, check);
        out.prose(&line);
    }
    for finding in &report.findings {
        let line = finding_line(out, finding);
        out.prose(&line);
    }
    let line = sum(out, report);
    out.prose(&line);
    match recorded {
        Ok(entry) => out.say(&format!("This check was recorded as entry #{entry}.")),
        Err(e) => {
            out.speak(&format!("This check was not recorded: {} ({})", e.message(), e.code().as_str()));
            errors::causes(e).iter().for_each(|cause| out.speak(&format!("  because: {cause}")));
            if let Some(hint) = e.hint() {
                out.speak(&format!("  {hint}"));
            }
        }
    }
}

/// `journal 0..13 ok, 6 groups: chain, ..`: the range stands in front where the check has one.
pub(super) fn check_line(out: &Out, check: &Check) -> String {
    let detail = visible(check.detail.as_bytes());
    if let Some(why) = check.skipped {
        return format!("{} {}: {why}", check.name, out.look.paint(Paint::Doubtful, "skipped"));
    }
    let (count, detail) = match detail.strip_prefix("entries ").and_then(|d| d.split_once(", ")) {
        Some((range, rest)) => (range.to_owned(), rest.to_owned()),
        None => (check.checked.to_string(), detail),
    };
    let word = match (check.wrong, check.checked) {
        (0, 0) => out.look.paint(Paint::Bad, "checked"),
        (0, _) => out.look.paint(Paint::Good, "ok"),
        (wrong, _) => out.look.paint(Paint::Bad, &format!("checked, {wrong} WRONG")),
    };
    let detail = if detail.is_empty() { String::new() } else { format!(", {detail}") };
    format!("{} {count} {word}{detail}", check.name)
}

fn finding_line(out: &Out, finding: &Finding) -> String {
    let own = finding.word.map(|word| word.word().to_uppercase());
    let word = match finding.severity {
        Severity::Altered => out.look.paint(Paint::Bad, own.as_deref().unwrap_or("ALTERED")),
        Severity::Gap => out.look.paint(Paint::Doubtful, own.as_deref().unwrap_or("GAP")),
        Severity::Note => own.unwrap_or_else(|| "note".to_owned()),
    };
    let tape = finding.tape.map_or_else(String::new, |t| format!(" of tape {}", t.to_text()));
    let entry = finding.entry.map_or_else(String::new, |n| format!(" (entry #{n})"));
    let place = visible(finding.place.as_bytes());
    format!("{word} {} {place}{tape}{entry}: {}", finding.part, visible(finding.what.as_bytes()))
}

fn sum(out: &Out, report: &Report) -> String {
    let made = report.checks.iter().filter(|c| c.skipped.is_none());
    let (checked, wrong) =
        made.fold((0u64, 0u64), |(c, w), check| (c.saturating_add(check.checked), w.saturating_add(check.wrong)));
    let skipped = report.checks.iter().filter(|c| c.skipped.is_some()).count() as u64;
    let verdict = report.verdict();
    let word = loud(out, verdict);
    let skipped = if skipped == 0 { String::new() } else { format!(", {} skipped", words::count(skipped, "check")) };
    let others: Vec<&str> = report.words().into_iter().filter(|w| *w != verdict).map(Verdict::word).collect();
    let also = if others.is_empty() { String::new() } else { format!("; also: {}", others.join(", ")) };
    format!("{word}: {} checked, {wrong} wrong{skipped}{also}", words::count(checked, "thing"))
}

/// The word in capitals, in the colour of what it means.
pub(super) fn loud(out: &Out, verdict: Verdict) -> String {
    let paint = match verdict.exit_code() {
        0 => Paint::Good,
        10 => Paint::Doubtful,
        _ => Paint::Bad,
    };
    out.look.paint(paint, &verdict.word().to_uppercase())
}

fn document(checked: &Checked) -> Value {
    let Checked { report, ledger, recorded } = checked;
    let mut map = Map::new();
    let verdict = report.verdict();
    js::put(&mut map, "type", "report");
    js::put(&mut map, "ledger", ledger.clone());
    js::put(&mut map, "verdict", verdict.word());
    js::put(&mut map, "words", report.words().into_iter().map(Verdict::word).collect::<Vec<_>>());
    js::put(&mut map, "exit", verdict.exit_code());
    js::put(&mut map, "ended", report.ended.clone());
    let checks = report.checks.iter().map(
        |c| json!({ "name": c.name, "checked": c.checked, "wrong": c.wrong, "skipped": c.skipped, "detail": c.detail }),
    );
    js::put(&mut map, "checks", checks.collect::<Vec<_>>());
    let findings = report.findings.iter().map(|f| {
        json!({
            "severity": severity(f.severity), "word": f.word().map(Verdict::word), "part": f.part, "place": f.place, "what": f.what,
            "tape": f.tape.map(|t| t.to_text()), "entry": f.entry,
        })
    });
    js::put(&mut map, "findings", findings.collect::<Vec<_>>());
    match recorded {
        Ok(entry) => js::put(&mut map, "entry", *entry),
        Err(e) => {
            let (code, causes) = (e.code().as_str(), errors::causes(e));
            let why = json!({ "code": code, "message": e.message(), "hint": e.hint(), "causes": causes });
            js::put(&mut map, "not_recorded", why);
        }
    }
    Value::Object(map)
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Gap => "gap",
        Severity::Altered => "altered",
    }
}

//! What was found, for people and for programs.

use serde_json::{Value, json};
use std::fmt::Write;
use tapeaudit_core::report::{Report, moment};

/// One object.
#[must_use]
pub fn json(report: &Report) -> Value {
    let verdict = report.verdict();
    let words: Vec<&str> = report.words().iter().map(|word| word.name()).collect();
    let finding =
        |f: &tapeaudit_core::report::Finding| json!({"word": f.word.name(), "place": f.place, "what": f.what});
    json!({
        "verdict": verdict.name(),
        "exit": verdict.exit(),
        "words": words,
        "pinned": report.pinned,
        "anchored_ms": report.anchored_ms,
        "whole_log": report.whole_log,
        "tapes": report.tapes,
        "checks": report.checks,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "unlisted": report.unlisted,
        "not_checked": report.not_checked,
    })
}

/// Lines for people; the last one is the verdict.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing into a String cannot fail.
        let _ = out.write_fmt(words);
        out.push('\n');
    };
    for finding in &report.findings {
        line(format_args!("{}: {}: {}", finding.word.name(), finding.place, finding.what));
    }
    if report.unlisted > 0 {
        line(format_args!("and {} more findings", report.unlisted));
    }
    for (check, count) in &report.checks {
        line(format_args!("checked: {check}: {count}"));
    }
    for what in &report.not_checked {
        line(format_args!("not checked: {what}"));
    }
    for said in &report.summary {
        line(format_args!("{said}"));
    }
    line(format_args!("keys: {}", if report.pinned { "pinned" } else { "not pinned" }));
    match report.anchored_ms {
        Some(ms) => line(format_args!("everything existed at the latest {} by the given witnesses", moment(ms))),
        None => line(format_args!("not anchored by given witnesses")),
    }
    line(format_args!("whole log: {}", if report.whole_log { "checked" } else { "not checked" }));
    let words: Vec<&str> = report.words().iter().map(|word| word.name()).collect();
    let remark = report.remark.as_ref().map(|remark| format!(" {remark}")).unwrap_or_default();
    line(format_args!("words: {}", words.join(", ")));
    line(format_args!("{}{remark}", report.verdict().name()));
    out
}

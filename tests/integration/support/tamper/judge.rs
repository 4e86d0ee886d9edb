//! Makes the edits of a case on a copy and compares all that comes of it with what was written before.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use immutape::Code;
use immutape::codec::digest::{TapeId, sha256};
use immutape::error::Error;
use immutape::evidence::{Report, Severity, Verdict};
use immutape::ledger::{CheckOptions, Checker, FrameSelection, Ledger, Places, Repair, TapeReader};
use immutape::log::Body;
use tokio::task::LocalSet;

use super::after::{Before, log_in_journal, log_in_rows};
use super::auditor;
use super::base::{AUTUMN_MS, Base, Tape, content, environment};
use super::expect::{Auditor, Case, Checked, Expect, Opened};
use super::folders::remove;
use crate::support::ledgers::ann;

/// What a case came to, for the summary.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub verdict: String,
    pub opened: String,
    pub auditor: Option<i32>,
}

/// Runs a case on a copy beneath `root`, which must not be there yet. Every difference from the table is an error.
pub fn run(base: &Arc<Base>, case: &Case, root: &Path) -> Result<Outcome, Vec<String>> {
    base.copy_to(root);
    let before = fingerprint(root, &["ledger", "state", "config"]);
    for step in &case.steps {
        step.apply(root);
    }
    let mut wrong = Vec::new();
    if fingerprint(root, &["ledger", "state", "config"]) == before {
        wrong.push("the edit changed nothing".to_owned());
    }
    let name = format!("{} {:?} {}", case.file, case.kind, case.words);
    let audited = auditor::run(root, base, &name);
    let exit = audited.as_ref().map(|(exit, _)| *exit);
    wrong.extend(exit.and_then(|exit| judge_auditor(exit, &case.expect)));
    let (verdict, words) = check(root, &case.expect, &mut wrong);
    // Which of the grave words it is hangs on the bytes that an edit hits: the auditor, who read the same text, says the same. Of
    // the copy in sled it knows nothing: where that was hit too, or tells of more, its word stands beside the ledger's own.
    if let Some((3, last)) = &audited
        && case.expect.auditor == Auditor::Refuses
        && GRAVE.iter().any(|word| word.word() == verdict)
        && let said = last.split([',', ';']).next().unwrap_or_default()
        && said != verdict
        && !(case.expect.parts.contains("rows") && words.contains(&said))
    {
        wrong.push(format!("the verdict is \"{verdict}\", and the auditor says \"{last}\""));
    }
    if let Some((exit, last)) = &audited {
        wrong.extend(auditors_agree(*exit, last, root, base));
    }
    repair(base, case, &root.with_extension("repaired"), &mut wrong);
    let before = Before::read(root);
    let opened = open(base, &case.expect, root, &mut wrong);
    if let Ok(rebuilt) = opened {
        wrong.extend(before.compare(root, rebuilt));
        wrong.extend(compare_rows(case, root, rebuilt));
    }
    wrong.extend(audit_again(base, case, root, opened));
    let opened = match opened {
        Ok(None) => "ok".to_owned(),
        Ok(Some(reason)) => format!("rows rebuilt ({reason})"),
        Err(code) => code.as_str().to_owned(),
    };
    if wrong.is_empty() { Ok(Outcome { verdict, opened, auditor: exit }) } else { Err(wrong) }
}

/// Two auditors that share nothing but the text they were written from say one thing.
fn auditors_agree(exit: i32, last: &str, root: &Path, base: &Base) -> Option<String> {
    // Without a folder there is nothing to have a word about.
    let (other, word) = (exit != 2).then(|| auditor::second(root, &auditor::keys(&base.root)))??;
    let said = last.split([',', ';']).next().unwrap_or_default();
    (other != exit || word != said).then(|| {
        format!("the auditor in Python ends with {exit}, \"{last}\"; the one in Rust with {other}, \"{word}\"")
    })
}

/// The words of exit 3 for a ledger.
const GRAVE: [Verdict; 4] = [Verdict::Altered, Verdict::Missing, Verdict::RolledBack, Verdict::Forked];

/// Rows that were hit, and opened or built anew: the log in them is the journal's again, byte for byte.
fn compare_rows(case: &Case, root: &Path, rebuilt: Option<u64>) -> Option<String> {
    let parts = &case.expect.parts;
    let is_right = !parts.contains("journal") && (!parts.contains("rows") || rebuilt.is_some());
    let is_hit = case.steps.iter().any(|step| step.paths().iter().any(|path| path.starts_with("ledger/index")));
    if !is_right || !is_hit && rebuilt.is_none() {
        return None;
    }
    let (journal, rows) = (log_in_journal(root), log_in_rows(root));
    let falls_behind = case.expect.afterwards == Some(Verdict::IntactWithGaps);
    let fits = if falls_behind { journal.len() > rows.len() && journal.starts_with(&rows) } else { journal == rows };
    (!fits || rows.is_empty()).then(|| {
        format!(
            "after opening and closing the log is of {} bytes in the journal, of {} in the rows, or another",
            journal.len(),
            rows.len()
        )
    })
}

/// The auditor's program on what an opening made of harmless edits: it must accept that as well.
fn audit_again(base: &Base, case: &Case, root: &Path, opened: Result<Option<u64>, Code>) -> Option<String> {
    let harmless = case.expect.parts.is_empty() && case.expect.auditor == Auditor::Accepts;
    let name = format!("{} {:?} {} again", case.file, case.kind, case.words);
    if opened.is_err() || !harmless {
        return None;
    }
    let wrong = judge_auditor(auditor::run(root, base, &name)?.0, &case.expect)?;
    Some(format!("after opening and closing: {wrong}"))
}

/// Where a repair is expected: it does what it should on a copy of its own, and leaves nothing to find.
fn repair(base: &Base, case: &Case, root: &Path, wrong: &mut Vec<String>) {
    let Some(expected) = &case.expect.repaired else { return };
    base.copy_to(root);
    case.steps.iter().for_each(|step| step.apply(root));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let places = Places::beneath(root);
    let done = runtime.block_on(Ledger::repair(places, environment(7, AUTUMN_MS), Repair::Log, &ann()));
    match done {
        Ok(done) if done == *expected => check(root, &Expect::harmless(), wrong).0,
        Ok(done) => return wrong.push(format!("repair did {done:?}, expected {expected:?}")),
        Err(e) => return wrong.push(format!("repair answers {}", told(&e))),
    };
    remove(root);
}

fn judge_auditor(exit: i32, expect: &Expect) -> Option<String> {
    let expected = expect.auditor;
    let fits = match expected {
        // What is intact for one is intact for the other, without gaps; a gap in the rows is seen by the ledger's check alone.
        Auditor::Accepts | Auditor::Blind => exit == 0,
        Auditor::Doubts => exit == 10,
        Auditor::Refuses => matches!(exit, 1 | 3),
        Auditor::NoFolder => exit == 2,
    };
    (!fits).then(|| format!("the auditor's exit is {exit}, expected {expected:?}"))
}

/// The word, and all words that apply.
fn check(root: &Path, expect: &Expect, wrong: &mut Vec<String>) -> (String, Vec<&'static str>) {
    match Checker::open(&Places::beneath(root), &environment(8, AUTUMN_MS)) {
        Ok(checker) => {
            let report = checker.run(&CheckOptions::default());
            judge_report(&report, expect, expect.check, wrong);
            (report.verdict().word().to_owned(), report.words().into_iter().map(Verdict::word).collect())
        }
        Err(e) => {
            if expect.check != Checked::Refused(e.code()) {
                wrong.push(format!("the check answers {}, expected {:?}", told(&e), expect.check));
            }
            judge_place(&[e.message().to_owned()], expect, wrong);
            (e.code().as_str().to_owned(), Vec::new())
        }
    }
}

fn judge_report(report: &Report, expect: &Expect, checked: Checked, wrong: &mut Vec<String>) {
    let altered = || report.findings.iter().filter(|f| f.severity == Severity::Altered);
    let parts: BTreeSet<&str> = altered().map(|f| f.part).collect();
    let named: BTreeSet<TapeId> = altered().filter_map(|f| f.tape).collect();
    let verdict = report.verdict();
    let findings = || format!("{:#?}", report.findings.iter().take(12).collect::<Vec<_>>());
    match checked {
        Checked::Verdict(expected) => {
            // A grave word is compared with the auditor's, where that can see it; elsewhere it is the one of the table.
            let is_grave =
                expected == Verdict::Altered && expect.auditor == Auditor::Refuses && GRAVE.contains(&verdict);
            if verdict != expected && !is_grave {
                wrong.push(format!(
                    "the verdict is \"{}\", expected \"{}\": {}",
                    verdict.word(),
                    expected.word(),
                    findings()
                ));
            }
            if parts != expect.parts {
                wrong.push(format!("the parts named are {parts:?}, expected {:?}: {}", expect.parts, findings()));
            }
        }
        Checked::Refused(code) => wrong.push(format!("the check runs, expected {}: {}", code.as_str(), findings())),
    }
    if named != expect.named {
        wrong.push(format!("tapes named: {}, expected {}", short(&named), short(&expect.named)));
    }
    let places: Vec<String> = report.findings.iter().map(|f| f.place.clone()).collect();
    judge_place(&places, expect, wrong);
}

fn judge_place(places: &[String], expect: &Expect, wrong: &mut Vec<String>) {
    if let Some(place) = &expect.place
        && !places.iter().any(|p| p.contains(place))
    {
        wrong.push(format!("no finding names \"{place}\": {places:?}"));
    }
}

/// Opens the ledger, reads every tape of the base, closes it, and checks it once more. Why rows were built anew, if they
/// were, or the code of the refusal.
fn open(base: &Base, expect: &Expect, root: &Path, wrong: &mut Vec<String>) -> Result<Option<u64>, Code> {
    let kept = ["ledger/journal", "ledger/packs", "state/head", "state/vault", "config"];
    let before = fingerprint(root, &kept);
    let rows_were_there = root.join("ledger/index/db").exists();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let opened = LocalSet::new().block_on(&runtime, async {
        let ledger = Ledger::open(Places::beneath(root), environment(9, AUTUMN_MS)).await?;
        Ok::<_, Error>(read_all(base, expect, ledger, wrong).await)
    });
    match opened {
        Err(e) => {
            if expect.open != Opened::Refused(e.code()) {
                wrong.push(format!("opening answers {}, expected {:?}", told(&e), expect.open));
            }
            // Nothing was changed, and the rows, perhaps the only good copy, were not put aside.
            if fingerprint(root, &kept) != before {
                wrong.push("a refused opening changed files".to_owned());
            }
            if rows_were_there && !root.join("ledger/index/db").exists() {
                wrong.push("a refused opening put the rows aside".to_owned());
            }
            Err(e.code())
        }
        Ok(rebuilt) => {
            let fits = match expect.open {
                Opened::Ok => rebuilt.is_none(),
                Opened::Rebuilt(reason) => rebuilt == Some(reason),
                Opened::Refused(_) => false,
            };
            if !fits {
                wrong.push(format!("opened with rows.rebuilt {rebuilt:?}, expected {:?}", expect.open));
            }
            recheck(root, expect, rebuilt, wrong);
            Ok(rebuilt)
        }
    }
}

/// Opening mends rows and nothing else: all other damage is still named.
fn recheck(root: &Path, expect: &Expect, rebuilt: Option<u64>, wrong: &mut Vec<String>) {
    let only_rows = expect.parts.iter().all(|part| *part == "rows");
    let mended = only_rows && rebuilt.is_some();
    let was_behind = expect.check == Checked::Verdict(Verdict::IntactWithGaps) && expect.parts.is_empty();
    let mut again = expect.clone();
    if mended || was_behind && only_rows {
        (again.check, again.place) = (Checked::Verdict(Verdict::Intact), None);
        again.parts.clear();
        again.named.clear();
    }
    if let Some(verdict) = expect.afterwards {
        again.check = Checked::Verdict(verdict);
    }
    let before = wrong.len();
    check(root, &again, wrong);
    wrong.iter_mut().skip(before).for_each(|w| *w = format!("after opening and closing: {w}"));
}

/// Reads every tape; gives the reason of `rows.rebuilt` if this opening logged one.
async fn read_all(base: &Base, expect: &Expect, ledger: Ledger, wrong: &mut Vec<String>) -> Option<u64> {
    let tasks: Vec<_> =
        base.tapes.iter().map(|tape| tokio::task::spawn_local(read(ledger.clone(), tape.clone()))).collect();
    let mut readers = Vec::new();
    for (tape, task) in base.tapes.iter().zip(tasks) {
        let got = task.await.expect("reading does not panic");
        let code = expect.unreadable.get(&tape.id);
        match (got, code) {
            (Ok((digest, reader)), None) => {
                if digest != tape.content {
                    wrong.push(format!("tape {} comes out with other bytes", tape.id.to_hex()));
                }
                readers.push(reader);
            }
            (Ok(_), Some(code)) => {
                wrong.push(format!("tape {} can be read, expected {}", tape.id.to_hex(), code.as_str()))
            }
            (Err(e), Some(code)) if e.code() == *code => {}
            (Err(e), _) => {
                wrong.push(format!("tape {} cannot be read: {}, expected {code:?}", tape.id.to_hex(), told(&e)))
            }
        }
    }
    match ledger.list(&ann()).await {
        Ok((listing, _)) => {
            let listed: BTreeSet<_> = listing.iter().map(|l| l.custody).collect();
            let mut kept: BTreeSet<_> = base.tapes.iter().map(|t| t.custody).collect();
            kept.extend(&expect.extra);
            kept.retain(|custody| !expect.hidden.contains(custody));
            if listed != kept {
                wrong.push(format!("the list has {} tapes, expected {}", listed.len(), kept.len()));
            }
        }
        Err(e) => wrong.push(format!("the list answers {}", told(&e))),
    }
    let rebuilt = match ledger.log(&ann(), base.size..u64::MAX).await {
        Ok((lines, _)) => lines.iter().find_map(|line| match line.body {
            Body::RowsRebuilt { reason, .. } => Some(reason),
            _ => None,
        }),
        Err(e) => {
            wrong.push(format!("the log answers {}", told(&e)));
            None
        }
    };
    if let Err(e) = ledger.close_with(readers).await {
        wrong.push(format!("closing answers {}", told(&e)));
    }
    rebuilt
}

async fn read(ledger: Ledger, tape: Tape) -> Result<([u8; 32], TapeReader), Error> {
    let reader = ledger.open_tape(&ann(), &tape.id.to_hex(), None).await?;
    let frames = reader.collect(FrameSelection::All)?;
    Ok((content(frames.iter()), reader))
}

pub fn told(e: &Error) -> String {
    format!("{} ({})", e.code().as_str(), e.message())
}

fn short(tapes: &BTreeSet<TapeId>) -> String {
    let ids: Vec<String> = tapes.iter().map(|t| t.to_hex()[..8].to_owned()).collect();
    format!("{} [{}]", ids.len(), ids.join(" "))
}

/// Every file beneath these paths with its digest.
pub fn fingerprint(root: &Path, paths: &[&str]) -> BTreeMap<PathBuf, [u8; 32]> {
    let mut out = BTreeMap::new();
    for path in paths {
        gather(&root.join(path), &mut out);
    }
    out
}

fn gather(path: &Path, out: &mut BTreeMap<PathBuf, [u8; 32]>) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(facts) = fs::symlink_metadata(path) else { return };
    if facts.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            gather(&entry.unwrap().path(), out);
        }
    } else if facts.is_symlink() {
        out.insert(path.to_owned(), sha256(b"link"));
    } else {
        let mut bytes = fs::read(path).unwrap();
        bytes.extend(facts.permissions().mode().to_be_bytes());
        out.insert(path.to_owned(), sha256(&bytes));
    }
}

//! `status`: where the ledger stands, and what it cannot promise. Recorded nowhere, releases no content.

use serde_json::{Value, json};

use crate::cli::jobs::{self, JobLine};
use crate::cli::session::Session;
use crate::cli::terminal::Paint;
use crate::cli::{errors, words};
use crate::codec::escape::visible;
use crate::error::{Code, Error, Kind, Result};
use crate::governance::{ClassStanding, Policy as Access};
use crate::ledger::{Checker, ClassCount, LiveCounts, Status, is_in_use};
use crate::proof::Policy;

/// Something that this ledger does not promise, or that its owner should do.
struct Limit {
    code: &'static str,
    words: String,
}

pub(in crate::cli) fn status(s: &mut Session<'_>) -> Result<u8> {
    // A ledger in use is looked at from outside, at once.
    if is_in_use(&s.parts.places, &s.parts.env).unwrap_or(false) {
        return survey(s, None);
    }
    let mut opened = false;
    let done = s.with_ledger(async |ledger, s| {
        opened = true;
        let told = Told {
            status: ledger.status()?,
            classes: ledger.classes(),
            live: ledger.live_counts(),
            has_witnesses: ledger.witness_policy().is_some_and(Policy::asks_for_witnesses),
            held: ledger.newest_anchor()?.map(|anchor| anchor.checkpoint.size),
            has_authority: ledger.time_authority()?.is_some(),
            jobs: jobs::look(&s.parts, ledger.id())?,
        };
        print(s, &told);
        Ok(0)
    });
    match done {
        Err(e) if !opened && e.code() == Code::Locked => survey(s, None),
        Err(e) if !opened && !matches!(e.kind(), Kind::NoLedger | Kind::Usage) => survey(s, Some(e)),
        done => done,
    }
}

/// What an open ledger says.
struct Told {
    status: Status,
    classes: Result<Vec<ClassCount>>,
    live: Result<LiveCounts>,
    has_witnesses: bool,
    /// Entries of the newest head that witnesses cosigned.
    held: Option<u64>,
    has_authority: bool,
    /// What is done again and again.
    jobs: Vec<JobLine>,
}

fn print(s: &mut Session<'_>, told: &Told) {
    let Told { status, classes, live, .. } = told;
    let limits = limits(told);
    if s.out.json {
        s.out.document(document(told, &limits));
        return;
    }
    let out = &mut *s.out;
    let test = if status.is_test { "  TEST: made from a number, protects nothing" } else { "" };
    out.field(&format!("ledger   {}{test}", status.ledger));
    out.field(&format!("origin   {}, profile {}, policy {}", status.origin, status.profile, status.policy));
    out.field(&format!("folders  ledger {}", status.ledger_folder));
    out.field(&format!("         state  {}", status.state_folder));
    out.field(&format!("         keys   {}", status.config_folder));
    out.field(&format!("log      {}, root {}", words::entries(status.entries), status.root.as_deref().unwrap_or("-")));
    let rows = match (status.rows_failed, status.entries.saturating_sub(status.rows_entries)) {
        (true, _) => "failed; rebuilt from the journal at the next opening".to_owned(),
        (false, 0) => "up to date".to_owned(),
        (false, behind) => format!("{} behind the journal", words::entries(behind)),
    };
    out.field(&format!("rows     {rows}"));
    match classes {
        Ok(classes) => {
            let shown = classes.iter().map(|c| format!("{} of class {}", c.tapes, visible(c.class.as_bytes())));
            let shown = shown.collect::<Vec<_>>().join(", ");
            out.field(&format!("tapes    {}", if shown.is_empty() { "none yet" } else { &shown }));
        }
        Err(e) => out.field(&format!("tapes    unknown: {}", e.message())),
    }
    if let Some(words) = live_words(live) {
        out.field(&format!("live     {words}"));
    }
    let (generation, revision) = (status.vault_generation, status.vault_revision);
    out.field(&format!("vault    generation {generation}.{revision}, {}", words::count(status.epochs, "epoch")));
    out.field(&format!("verify   {}", status.checkpoint_key));
    told.jobs.iter().for_each(|job| out.field(&format!("job      {}", job.words())));
    out.line("");
    out.prose("What this ledger cannot promise, and what you can do:");
    for limit in &limits {
        out.prose_beneath(&format!("  {} {}", out.look.paint(Paint::Doubtful, "-"), limit.words), 4);
    }
}

/// What is not promised as long as no witness holds the newest entries.
fn unwitnessed(told: &Told) -> Option<Limit> {
    let unseen = "If ledger and state folder are put back together to an older copy, nothing here shows it";
    let (code, words) = match (told.has_witnesses, told.held) {
        (false, None) => (
            "no_witness",
            format!(
                "No witness: nobody outside this machine knows how long the log is. {unseen}; two machines with copies of \
                 everything fork unseen."
            ),
        ),
        (false, Some(size)) => (
            "no_witness",
            format!("No witness is asked any more: others hold a head of {}, and nothing newer.", words::entries(size)),
        ),
        (true, None) => {
            ("not_witnessed", format!("No witness has cosigned a head yet (`immutape witness run`). {unseen}."))
        }
        (true, Some(size)) => {
            let newer = told.status.entries.saturating_sub(size);
            if newer == 0 {
                return None;
            }
            let held = format!("Witnesses hold a head of {}", words::entries(size));
            let newer = words::entries(newer);
            (
                "not_witnessed",
                format!("{held}; of what is newer ({newer}) nobody outside knows until `immutape witness run`."),
            )
        }
    };
    Some(Limit { code, words })
}

fn limits(told: &Told) -> Vec<Limit> {
    let Told { status, classes, .. } = told;
    let mut out = Vec::new();
    if status.is_test {
        let words = "TEST ledger: its keys come from a number that anybody can try. Keep nothing in it.".to_owned();
        out.push(Limit { code: "test", words });
    }
    out.extend(unwitnessed(told));
    out.extend(told.jobs.iter().filter_map(|job| Some(Limit { code: job.complaint_code(), words: job.complaint()? })));
    let mut say = |code, words: String| out.push(Limit { code, words });
    if status.keys.root_copies == 0 {
        say(
            "one_key_copy",
            format!(
                "One copy of the keys is known. Back up {}: without it nothing kept can be read.",
                status.config_folder
            ),
        );
    }
    if status.keys.next_keys_beside {
        say(
            "next_keys_beside",
            format!(
                "The keys that may follow lie beside the ones in use: move {}/next to another place.",
                status.config_folder
            ),
        );
    }
    for class in classes.iter().flatten() {
        let tapes = words::count(class.tapes, "tape");
        match class.standing {
            ClassStanding::Draft => {
                say("draft", format!("{tapes} of class draft: kept, but under no retention period."));
            }
            ClassStanding::Unclassified => {
                let name = visible(class.class.as_bytes());
                say(
                    "unclassified",
                    format!(
                        "{tapes} unclassified ({name}): no schedule knows this class, so they are never due for disposal."
                    ),
                );
            }
        }
    }
    say(
        "head_window",
        "The head is signed once a second and at every orderly close: entries of the last second before a crash are \
         covered by the journal's own code only."
            .into(),
    );
    say(
        "clock_unanchored",
        if told.has_authority {
            "Times are those of this machine's clock; time-stamps say that entries were there by then, and no more."
        } else {
            "Times are those of this machine's clock; no outside source vouches for them."
        }
        .into(),
    );
    // Where people have roles, nobody acts whom the log does not name.
    if Access::from_name(&status.policy) == Some(Access::LocalOperator) {
        say(
            "persons_unregistered",
            "Users are named by the operating system and not checked; keys given with --as are not registered.".into(),
        );
    }
    if status.nearly_full {
        say("nearly_full", "The disk is nearly full: refusals can still be recorded, saves and reads may not.".into());
    }
    out
}

/// Of recordings nothing is said where there are none.
fn live_words(live: &Result<LiveCounts>) -> Option<String> {
    let live = match live {
        Ok(live) if live.is_none() => return None,
        Ok(live) => live,
        Err(e) => return Some(format!("unknown: {}", e.message())),
    };
    let paused = live.paused.unwrap_or(0);
    let mut parts = Vec::new();
    if live.running > 0 {
        parts.push(format!("{} now", words::count(live.running, "recording")));
    }
    if paused > 0 {
        parts.push(format!("{paused} paused"));
    }
    if live.left > 0 {
        parts.push(format!("{} to be sealed, left by a recorder that is gone", live.left));
    }
    Some(parts.join(", "))
}

fn live_document(live: &Result<LiveCounts>) -> Value {
    let live = live.as_ref().ok();
    live.map_or(Value::Null, |live| json!({ "running": live.running, "paused": live.paused, "left": live.left }))
}

fn document(told: &Told, limits: &[Limit]) -> Value {
    let Told { status, classes, live, .. } = told;
    let classes = classes.as_ref().ok().map(|all| {
        let count = |c: &ClassCount| json!({ "class": c.class, "tapes": c.tapes, "standing": standing(c.standing) });
        all.iter().map(count).collect::<Vec<_>>()
    });
    json!({
        "type": "status", "state": "open", "ledger": status.ledger, "origin": status.origin,
        "profile": status.profile, "policy": status.policy, "entries": status.entries, "root": status.root,
        "rows_entries": status.rows_entries, "rows_failed": status.rows_failed, "term": status.term,
        "vault_generation": status.vault_generation, "vault_revision": status.vault_revision,
        "epochs": status.epochs, "next_keys_beside": status.keys.next_keys_beside,
        "key_copies": status.keys.root_copies.saturating_add(1), "checkpoint_key": status.checkpoint_key,
        "ledger_folder": status.ledger_folder, "state_folder": status.state_folder,
        "config_folder": status.config_folder, "nearly_full": status.nearly_full, "classes": classes,
        "recordings": live_document(live), "jobs": told.jobs.iter().map(JobLine::document).collect::<Vec<_>>(),
        "limits": limits.iter().map(|l| json!({ "code": l.code, "message": l.words })).collect::<Vec<_>>(),
    })
}

const fn standing(standing: ClassStanding) -> &'static str {
    match standing {
        ClassStanding::Draft => "draft",
        ClassStanding::Unclassified => "unclassified",
    }
}

/// What can be told of a ledger that is in use elsewhere, or that cannot be opened: `why`.
fn survey(s: &mut Session<'_>, why: Option<Error>) -> Result<u8> {
    let checker = match (Checker::open(&s.parts.places, &s.parts.env), why.as_ref()) {
        (Ok(checker), _) => checker,
        (Err(_), Some(_)) => return why.map_or(Ok(0), Err),
        (Err(e), None) => return Err(e),
    };
    s.out.test = checker.genesis().test;
    let (size, head) = match checker.survey() {
        Ok((size, head)) => (Some(size), head.map(|h| h.checkpoint.size)),
        Err(_) => (None, None),
    };
    let live = checker.live_counts();
    let jobs = jobs::look(&s.parts, checker.id()).unwrap_or_default();
    if s.out.json {
        s.out.document(json!({
            "type": "status", "recordings": live_document(&live), "state": if why.is_some() { "unusable" } else { "in use" }, "ledger": checker.id().to_hex(),
            "origin": checker.genesis().origin, "entries": size, "signed_head": head,
            "jobs": jobs.iter().map(JobLine::document).collect::<Vec<_>>(),
            "reason": why.as_ref().map(|e| json!({ "code": e.code().as_str(), "message": e.message() })),
        }));
    } else {
        let test = if s.out.test { "  TEST: made from a number, protects nothing" } else { "" };
        s.out.field(&format!("ledger   {}{test}", checker.id().to_hex()));
        s.out.field(&format!("origin   {}", visible(checker.genesis().origin.as_bytes())));
        s.out.field(&format!("folder   {}", s.parts.places.shown()));
        s.out.field(&format!("log      {}", size.map_or_else(|| "cannot be read to its end".into(), words::entries)));
        if let Some(words) = live_words(&live) {
            s.out.field(&format!("live     {words}"));
        }
        jobs.iter().for_each(|job| s.out.field(&format!("job      {}", job.words())));
        s.out.line(&format!(
            "head     {}",
            head.map_or_else(|| "missing or not valid".into(), |n| format!("signed at {}", words::entries(n)))
        ));
    }
    match why {
        None => {
            if !s.out.json {
                s.out.field("state    in use by another process; looked at from outside, nothing was recorded");
            }
            Ok(0)
        }
        Some(e) => {
            if s.out.json {
                return Ok(e.kind().exit_code());
            }
            s.out.field("state    cannot be opened; checks still run: immutape verify");
            errors::print(s.out, &e);
            Ok(e.kind().exit_code())
        }
    }
}

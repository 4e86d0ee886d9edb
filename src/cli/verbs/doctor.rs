//! `doctor`: what around a ledger could stop it, or give it away. Records nothing, releases nothing of what is kept.

use serde_json::json;

use crate::cli::configuration::{Configuration, said};
use crate::cli::jobs::{self, JobLine};
use crate::cli::out::Out;
use crate::cli::session::Session;
use crate::cli::surroundings::build_digest;
use crate::cli::terminal::Paint;
use crate::error::{Error, Result};
use crate::ledger::{Checker, Condition, Health, examine};
use crate::provider::Surroundings;
use crate::store::files::Files;

/// Exit code where something should be looked at, and nothing is wrong.
const EXIT_DOUBTFUL: u8 = 10;

pub(in crate::cli) fn doctor(s: &mut Session<'_>) -> Result<u8> {
    let mut conditions = program(&*s.parts.env.files);
    conditions.push(configured(&s.parts.config));
    conditions.extend(examine(&s.parts.places, &s.parts.env));
    if let Ok(checker) = Checker::open(&s.parts.places, &s.parts.env) {
        let jobs = jobs::look(&s.parts, checker.id()).unwrap_or_default();
        conditions.extend(jobs.iter().map(JobLine::condition));
    }
    Ok(report(s.out, &conditions))
}

/// The configuration is wrong, or names no ledger in folders: what else there is to see is told all the same.
pub(in crate::cli) fn doctor_astray(out: &mut Out, around: &Surroundings, e: &Error) -> u8 {
    let mut conditions = program(&*around.files);
    conditions.push(Condition::wrong("config", e));
    conditions.push(Condition::warning("ledger", "was not looked at: the configuration does not say where it is"));
    report(out, &conditions)
}

/// The provider and who named it, and who says where the folders are.
fn configured(config: &Configuration) -> Condition {
    let (provider, from) = (config.effective.provider(), said(config.effective.provider_from()));
    let folders = config.folders().map(|(folder, from)| format!("{} {from}", folder.name)).collect::<Vec<_>>();
    let mut words = format!("provider {provider} ({from}); folders: {}", folders.join(", "));
    config.effective.left_out().iter().for_each(|left_out| words.extend(["; left out: ", left_out]));
    Condition::ok("config", words)
}

/// Tells of everything, and adds it up; the exit code.
fn report(out: &mut Out, conditions: &[Condition]) -> u8 {
    for condition in conditions {
        tell(out, condition);
    }
    let count = |health| conditions.iter().filter(|c| c.health == health).count();
    let (ok, warnings, wrong) = (count(Health::Ok), count(Health::Warning), count(Health::Wrong));
    let exit = exit_code(conditions);
    if out.json {
        out.document(json!({ "type": "doctor", "ok": ok, "warnings": warnings, "wrong": wrong, "exit": exit }));
        return exit;
    }
    let (paint, word) = match (warnings, wrong) {
        (0, 0) => (Paint::Good, "WELL"),
        (_, 0) => (Paint::Doubtful, "LOOK AT IT"),
        _ => (Paint::Bad, "WRONG"),
    };
    let line = format!("{}: {ok} ok, {warnings} to look at, {wrong} wrong", out.look.paint(paint, word));
    out.prose(&line);
    out.say("Nothing was recorded. What is kept is checked by `immutape verify`.");
    exit
}

/// That of the worst: evidence of tampering before keys, keys before all else.
fn exit_code(conditions: &[Condition]) -> u8 {
    let wrong = conditions.iter().filter(|c| c.health == Health::Wrong);
    let codes: Vec<u8> = wrong.map(|c| c.code.map_or(1, |code| code.kind().exit_code())).collect();
    let worst = [3, 9].into_iter().find(|code| codes.contains(code)).or_else(|| codes.first().copied());
    let doubtful = conditions.iter().any(|c| c.health == Health::Warning);
    worst.unwrap_or(if doubtful { EXIT_DOUBTFUL } else { 0 })
}

/// What holds of this program and its process.
fn program(files: &dyn Files) -> Vec<Condition> {
    let build = build_digest(files).map(|d| d.to_hex());
    let version = concat!("immutape ", env!("CARGO_PKG_VERSION"));
    let program = match build {
        Some(build) => Condition::ok("program", format!("{version}, SHA-256 {build}")),
        None => Condition::warning("program", format!("{version}, but its own file cannot be read"))
            .with_remedy("entries will not name the program that wrote them; make its file readable"),
    };
    let limit = rustix::process::getrlimit(rustix::process::Resource::Core).current;
    let cores = match limit {
        Some(0) => Condition::ok("core dumps", "off: keys never reach a core file"),
        _ => Condition::warning("core dumps", "on: a crash could write keys to a file")
            .with_remedy("ulimit -c 0, or ask who runs this machine"),
    };
    vec![program, cores]
}

fn tell(out: &mut Out, c: &Condition) {
    let word = match c.health {
        Health::Ok => "ok",
        Health::Warning => "warning",
        Health::Wrong => "wrong",
    };
    if out.json {
        out.document(json!({
            "type": "condition", "part": c.part, "state": word, "words": c.words, "remedy": c.remedy,
            "code": c.code.map(|code| code.as_str()),
        }));
        return;
    }
    let paint = match c.health {
        Health::Ok => Paint::Good,
        Health::Warning => Paint::Doubtful,
        Health::Wrong => Paint::Bad,
    };
    let line = format!("{:<10} {}  {}", c.part, out.look.paint(paint, word), c.words);
    out.prose_beneath(&line, 11);
    if let Some(remedy) = &c.remedy {
        out.prose_beneath(&format!("           {remedy}"), 11);
    }
}

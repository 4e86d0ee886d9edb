//! `demo`: a real session is kept, read, tampered with and caught, by the commands that anybody would type.
//!
//! Everything happens in a temporary folder with fresh keys. The exit code is 0 only if every catch happened.

mod disk;
mod stage;

use serde_json::json;

use self::stage::Stage;
use super::out::Out;
use super::terminal::Paint;
use crate::error::Result;

const SESSION: &[u8] = include_bytes!("../../../tests/data/tapes/filesystem-payments.jsonl");
const COMPANION: &[u8] = include_bytes!("../../../tests/data/tapes/filesystem-payments.meta.json");
const ANOTHER: &[u8] =
    b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n";

/// One thing that had to happen.
struct Step {
    name: &'static str,
    ok: bool,
}

pub(super) fn run(out: &mut Out) -> Result<u8> {
    let mut stage = Stage::set(out)?;
    stage.put_file("filesystem-payments.jsonl", SESSION)?;
    stage.put_file("filesystem-payments.meta.json", COMPANION)?;
    stage.put_file("another.jsonl", ANOTHER)?;
    let steps = play(&mut stage)?;
    let failed = steps.iter().filter(|s| !s.ok).count();
    close(stage, &steps, failed);
    Ok(u8::from(failed > 0))
}

fn play(stage: &mut Stage<'_>) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut step = |name, ok| steps.push(Step { name, ok });

    stage.title("1. Keep a recorded session: an agent approves payments, and tries to read /etc/passwd.");
    let (exit, saved) = stage.command(&["save", "filesystem-payments.jsonl"])?;
    let tape = saved.lines().find_map(|l| l.strip_prefix("sha256:")).unwrap_or_default().to_owned();
    let short = tape.get(..8).unwrap_or("0000").to_owned();
    step("the session is kept", exit == 0 && tape.len() == 64);
    let (exit, listed) = stage.command(&["list"])?;
    step("the list names it", exit == 0 && listed.contains(&short));

    stage.title("2. Read two frames. The reading is in the log before a byte of them leaves.");
    let (exit, frames) = stage.command(&["show", &short, "--frames", "19..20", "--purpose", "demo"])?;
    step("two frames are read", exit == 0 && frames.contains("/etc/passwd") && frames.contains("Access denied"));
    let (exit, log) = stage.command(&["log"])?;
    step("the reading is on record", exit == 0 && log.contains("access.granted") && log.contains("frames 19..20"));

    stage.title("3. Check everything: both copies of the log, the signed head, every stored byte.");
    let (exit, sound) = stage.command(&["verify"])?;
    step("what is untouched is intact", exit == 0 && sound.contains("INTACT"));

    tamper(stage, &tape, &mut step)?;
    roll_back(stage, &mut step)?;
    Ok(steps)
}

fn tamper(stage: &mut Stage<'_>, tape: &str, step: &mut impl FnMut(&'static str, bool)) -> Result<()> {
    stage.title("4. Somebody changes one bit of what is stored.");
    let flipped = disk::flip_a_bit(stage.files(), &stage.ledger().join("packs"))?;
    stage.tell(&format!(
        "one bit of {} at byte {}: {:02x} is now {:02x}",
        flipped.name, flipped.at, flipped.was, flipped.is
    ));
    let (exit, report) = stage.command(&["verify"])?;
    let named = |line: &str| line.contains("ALTERED") && line.contains(tape);
    step("the changed bit is caught", exit == 3);
    step("the tape it belongs to is named", report.lines().any(named));
    step("the file it lies in is named", report.contains(&flipped.name));
    let (exit, refused) = stage.command(&["cat", tape])?;
    step("what is damaged is not given out", exit == 3 && refused.contains("E_TAPE_DAMAGED"));
    disk::put_back(stage.files(), &flipped)?;
    stage.tell("the bit is put back");
    let (exit, _) = stage.command(&["verify", "--quiet"])?;
    step("with the bit put back all is intact", exit == 0);
    Ok(())
}

fn roll_back(stage: &mut Stage<'_>, step: &mut impl FnMut(&'static str, bool)) -> Result<()> {
    stage.title("5. Somebody copies the ledger folder, waits until more is kept, and puts the old copy back.");
    let (ledger, old, newest) = (stage.ledger(), stage.path("copy"), stage.path("newest"));
    disk::copy_folder(stage.files(), &ledger, &old)?;
    let (exit, _) = stage.command(&["save", "another.jsonl"])?;
    step("another session is kept", exit == 0);
    disk::rename(stage.files(), &ledger, &newest)?;
    disk::rename(stage.files(), &old, &ledger)?;
    stage.tell("the older copy stands in the ledger's place now; every signature in it is genuine");
    let (exit, refused) = stage.command(&["list"])?;
    step("the older copy is refused", exit == 3 && refused.contains("E_LOG_ROLLBACK"));
    disk::rename(stage.files(), &ledger, &old)?;
    disk::rename(stage.files(), &newest, &ledger)?;
    stage.tell("the newest copy is put back");
    let (exit, _) = stage.command(&["verify", "--quiet"])?;
    step("with the newest copy all is intact", exit == 0);
    Ok(())
}

fn close(stage: Stage<'_>, steps: &[Step], failed: usize) {
    let out = stage.strike();
    if out.json {
        let steps: Vec<_> = steps.iter().map(|s| json!({ "name": s.name, "ok": s.ok })).collect();
        out.document(json!({ "type": "demo", "ok": failed == 0, "steps": steps }));
        return;
    }
    out.line("");
    if failed > 0 {
        out.line(&out.look.paint(Paint::Bad, "THE DEMO FAILED. This did not happen:"));
        steps.iter().filter(|s| !s.ok).for_each(|s| out.line(&format!("  - {}", s.name)));
        return;
    }
    out.line(&out.look.paint(Paint::Good, &format!("All {} things happened as they must.", steps.len())));
    out.line("");
    out.prose("Shown: what is kept cannot be changed unseen, down to one bit; nobody reads without a trace;");
    out.prose("an older copy of the whole ledger is told from the newest one.");
    out.prose("Not shown: somebody who puts back ledger and state folder together, or who holds the keys and");
    out.prose("writes another history, is found only by a witness outside this machine, and none is configured here.");
    out.line("");
    out.prose("The temporary ledger and its keys are removed. Keep a session of your own: immutape save FILE");
}

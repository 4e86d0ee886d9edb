//! What is done once, or again and again until somebody interrupts it: rounds with others outside.

use std::time::{Duration, Instant};

use super::interrupts::Interrupts;
use super::session::Session;
use crate::error::{Code, Result};

/// How often a waiting process looks whether it was interrupted.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// Does it once, or every so often. A round that reached nobody, or found the ledger in somebody's hands, is told, and the next
/// one comes all the same; any other error ends them. The exit code is that of the last round.
pub(super) fn rounds(
    s: &mut Session<'_>,
    every: Option<Duration>,
    mut once: impl FnMut(&mut Session<'_>) -> Result<u8>,
) -> Result<u8> {
    let Some(every) = every else { return once(s) };
    let interrupts = Interrupts::caught();
    let mut exit = 0;
    while interrupts.check().is_ok() {
        // The ledger is open for the round alone: others use it between two of them.
        match once(s) {
            Ok(done) => exit = done,
            Err(e) if matches!(e.code(), Code::NotConfirmed | Code::Network | Code::Locked) => {
                s.out.say(&format!("not now: {}", e.message()));
                exit = e.kind().exit_code();
            }
            Err(e) => return Err(e),
        }
        s.out.flush();
        wait(&interrupts, every);
    }
    interrupts.pass_on();
    Ok(exit)
}

fn wait(interrupts: &Interrupts, time: Duration) {
    let until = Instant::now().checked_add(time);
    while interrupts.check().is_ok() && until.is_some_and(|until| Instant::now() < until) {
        std::thread::sleep(LOOK.min(time));
    }
}

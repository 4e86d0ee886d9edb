//! `witness run` and `witness serve`: both ends of what stands between a log and who could rewind it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::anchor::{self, Http, Round, Transport, WitnessServer, WitnessState, round};
use crate::cli::interrupts::Interrupts;
use crate::cli::rounds::{LOOK, rounds};
use crate::cli::session::Session;
use crate::cli::{input, words};
use crate::codec::escape::visible_short;
use crate::error::{Code, Result};
use crate::keyring::{LocalSigner, read_signer, write_signer};
use crate::proof::Policy;

/// Exit code of a round without its quorum: nothing is wrong, and something was not done.
const NO_QUORUM: u8 = 10;

pub(super) fn run(s: &mut Session<'_>, allow_private: bool, every: Option<Duration>) -> Result<u8> {
    let transport: Arc<dyn Transport> = Arc::new(Http::new(allow_private, None)?);
    rounds(s, every, |s| once(s, &transport))
}

/// One round.
pub(super) fn once(s: &mut Session<'_>, transport: &Arc<dyn Transport>) -> Result<u8> {
    s.with_ledger(async |ledger, s| {
        let made = round(ledger, transport).await?;
        tell(s, &made);
        Ok(if made.is_quorum { 0 } else { NO_QUORUM })
    })
}

fn tell(s: &mut Session<'_>, made: &Round) {
    if s.out.json {
        let answers: Vec<_> = made
            .answers
            .iter()
            .map(|answer| {
                let time_s = match answer.state {
                    WitnessState::Cosigned(time_s) | WitnessState::Forgot(time_s) => Some(time_s),
                    _ => None,
                };
                json!({ "name": answer.name, "state": answer.state.to_string(), "time_s": time_s })
            })
            .collect();
        s.out.document(json!({
            "type": "witness_round", "size": made.head.size, "root": made.head.root.to_hex(), "quorum": made.is_quorum,
            "witnesses": answers, "entry": made.recorded_as,
        }));
        return;
    }
    for answer in &made.answers {
        s.out.prose(&format!("{}  {}", visible_short(answer.name.as_bytes(), 40), answer.state));
    }
    let quorum = if made.is_quorum { "the quorum of the policy" } else { "not the quorum of the policy" };
    s.out.prose(&format!("head over {}: {quorum}", words::entries(made.head.size)));
    if let Some(entry) = made.recorded_as {
        s.out.say(&format!("Recorded as entry #{entry}."));
    }
}

pub(super) fn serve(
    s: &mut Session<'_>,
    (name, key): (&str, &Path),
    logs: &Policy,
    folder: &Path,
    listen: &str,
) -> Result<u8> {
    let (files, clock) = (s.parts.env.files.clone(), s.parts.env.clock.clone());
    // What it may serve is looked at before a key is made for it.
    let signer = match read_signer(&*files, key) {
        Err(e) if e.code() == Code::KeyMissing && !logs.logs().is_empty() => {
            let made = LocalSigner::generate(&*s.parts.env.random)?;
            write_signer(&*files, key, &made)?;
            s.out.say(&format!("Made a key for this witness: {}", input::shown(key)));
            made
        }
        Err(e) if e.code() == Code::KeyMissing => LocalSigner::generate(&*s.parts.env.random)?,
        read => read?,
    };
    let witness = Arc::new(WitnessServer::open(name, Box::new(signer), logs, folder, files, clock)?);
    let interrupts = Interrupts::caught();
    let serving = anchor::serve(witness.clone(), listen)?;
    if s.out.json {
        s.out.document(json!({
            "type": "witness_serving", "key": witness.key().to_text(), "address": serving.address(), "logs": logs.logs().len(),
        }));
    } else {
        s.out.prose(&format!(
            "witness {} for {}",
            visible_short(name.as_bytes(), 80),
            words::count(logs.logs().len() as u64, "log")
        ));
        s.out.field(&format!("  key      {}", witness.key().to_text()));
        s.out.field(&format!("  listens  http://{}", serving.address()));
    }
    s.out.say("Until interrupted. Put its key and its address into the policies of those logs.");
    s.out.flush();
    while interrupts.check().is_ok() {
        std::thread::sleep(LOOK);
    }
    serving.stop();
    Ok(0)
}

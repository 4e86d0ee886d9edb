//! `init`: a new ledger and its keys.

use std::sync::Arc;

use serde_json::json;

use super::actor::founders;
use crate::cli::args::Init;
use crate::cli::session::{Session, close};
use crate::error::Result;
use crate::keyring::SeededRandom;
use crate::ledger::{Ledger, NewLedger};

pub(in crate::cli) fn init(s: &mut Session<'_>, args: &Init) -> Result<u8> {
    let mut env = s.parts.env.clone();
    if let Some(seed) = args.test_seed {
        env.random = Arc::new(SeededRandom::new(seed));
    }
    s.wait(async |s| {
        let name = args.name.as_ref().unwrap_or(&s.parts.name);
        let founders = founders(&*s.parts.env.files, &args.founder)?;
        let new = NewLedger { name: name.clone(), test: args.test_seed.is_some(), profile: args.profile, founders };
        let ledger = s.make(env, new).await?;
        let told = tell(s, &ledger).map(|()| (0, None));
        close(ledger, told).await
    })
}

fn tell(s: &mut Session<'_>, ledger: &Ledger) -> Result<()> {
    s.opened(ledger)?;
    let status = ledger.status()?;
    if s.out.json {
        s.out.document(json!({
            "type": "ledger", "ledger": status.ledger, "origin": status.origin, "profile": status.profile,
            "checkpoint_key": status.checkpoint_key, "ledger_folder": status.ledger_folder,
            "state_folder": status.state_folder, "config_folder": status.config_folder,
        }));
        return Ok(());
    }
    s.out.line(&format!("ledger {}", status.ledger));
    s.out.line(&format!("verify with {}", status.checkpoint_key));
    s.tell_made(ledger)?;
    s.out.say("Give the second line to whoever will check your ledger.");
    Ok(())
}

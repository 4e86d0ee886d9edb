//! `witness`: whose cosignatures a ledger asks for.

use std::path::Path;

use serde_json::json;

use crate::cli::args::WitnessVerb;
use crate::cli::input;
use crate::cli::session::Session;
use crate::cli::words;
use crate::codec::escape::visible_short;
use crate::error::{Code, Error, Result};
use crate::ledger::{Checker, Ledger, WITNESS_POLICY_FILE};
use crate::proof::Policy;
use crate::store::files::{Files, code_of, write_atomic};

const POLICY_BYTES_MAX: u64 = 256 << 10;

pub(in crate::cli) fn witness(s: &mut Session<'_>, verb: &WitnessVerb) -> Result<u8> {
    match verb {
        WitnessVerb::Set { policy } => set(s, policy),
        WitnessVerb::Show => s.with_ledger(async |ledger, s| show(ledger, s)),
        WitnessVerb::Run { allow_private, every } => super::witness_run::run(s, *allow_private, *every),
        WitnessVerb::Serve { name, witness_key, logs, folder, listen } => {
            let logs = Policy::parse(&read(&*s.parts.env.files, logs)?)?;
            super::witness_run::serve(s, (name, witness_key), &logs, folder, listen)
        }
    }
}

/// A policy that does not hold is never put in the place of one that does.
fn set(s: &mut Session<'_>, file: &Path) -> Result<u8> {
    let text = read(&*s.parts.env.files, file)?;
    let policy = Policy::parse(&text)?;
    let checker = Checker::open(&s.parts.places, &s.parts.env)?;
    s.out.test = checker.genesis().test;
    if let Some(nowhere) = policy.witnesses().iter().find(|witness| witness.url.is_none()) {
        let name = visible_short(nowhere.name.as_bytes(), 40);
        return Err(Error::new(Code::Usage, format!("the policy tells no address of the witness {name}"))
            .with_hint("write its URL behind its key: witness NAME VKEY URL"));
    }
    let path = s.parts.places.config_of(&checker.id())?.join(WITNESS_POLICY_FILE);
    write_atomic(&*s.parts.env.files, &path, text.as_bytes())
        .map_err(|e| Error::new(code_of(&e), "the policy cannot be stored").with_source(e))?;
    if s.out.json {
        s.out.document(json!({ "type": "witness_policy", "witnesses": policy.witnesses().len(), "asks": policy.asks_for_witnesses() }));
        return Ok(0);
    }
    s.out.prose(&format!("{} of the policy taken", words::count(policy.witnesses().len() as u64, "witness")));
    if policy.asks_for_witnesses() {
        s.out.say("From its next opening on this ledger signs no head before a witness has said what it holds.");
        s.out.say("  immutape witness run    asks them");
    }
    Ok(0)
}

fn read(files: &dyn Files, file: &Path) -> Result<String> {
    String::from_utf8(input::small(files, file, POLICY_BYTES_MAX)?)
        .map_err(|_| Error::new(Code::Usage, "the policy is not text"))
}

fn show(ledger: &Ledger, s: &mut Session<'_>) -> Result<u8> {
    let anchor = ledger.newest_anchor()?;
    let policy = ledger.witness_policy();
    let held = anchor.as_ref().map(|anchor| anchor.checkpoint.size);
    if s.out.json {
        let witnesses = policy
            .iter()
            .flat_map(|p| p.witnesses())
            .map(|w| json!({ "name": w.name, "key": w.key.to_text(), "url": w.url }));
        let witnesses: Vec<_> = witnesses.collect();
        s.out.document(json!({
            "type": "witnesses", "witnesses": witnesses, "asks": policy.is_some_and(Policy::asks_for_witnesses),
            "anchored": held, "size": ledger.size(),
        }));
        return Ok(0);
    }
    let Some(policy) = policy else {
        s.out.prose("no witness policy: a copy of this ledger that is put back is not noticed by anybody else");
        return Ok(0);
    };
    for witness in policy.witnesses() {
        let url = witness.url.as_deref().unwrap_or("no address");
        s.out.prose(&format!("{}  {}", visible_short(witness.name.as_bytes(), 40), visible_short(url.as_bytes(), 200)));
        s.out.field(&format!("  {}", witness.key.to_text()));
    }
    s.out.prose(&match held {
        Some(size) => format!("newest cosigned head: {} of {}", words::entries(size), ledger.size()),
        None => "no head was cosigned yet".to_owned(),
    });
    Ok(0)
}

//! `succeed`: a log that lost entries ends, and another goes on.

use serde_json::json;

use super::actor::{approvals, free, write_case};
use crate::cli::args::Succeed;
use crate::cli::input;
use crate::cli::session::Session;
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::ledger::{Ledger, Places, Succeeded, SuccessionRequest};

pub(in crate::cli) fn succeed(s: &mut Session<'_>, args: &Succeed) -> Result<u8> {
    let (old, env, who) = (s.parts.places.clone(), s.parts.env.clone(), s.parts.who.clone());
    let new = new_places(&old, args)?;
    let held = args.head.as_deref().map(|file| input::note(&*env.files, file)).transpose()?;
    let approvals = approvals(&*env.files, &args.agree)?;
    let request = SuccessionRequest { name: args.name.clone(), held, approvals };
    if let Some(to) = &args.agree.to {
        free(s, to)?;
        let case = s.wait(async |_| Ledger::succession_case(old, env, request).await)?;
        return write_case(s, to, &case);
    }
    let made = s.wait(async |_| Ledger::succeed(old, new, env, &who, request).await)?;
    tell(s, &made);
    Ok(0)
}

/// Folders that were named outright belong to the old ledger alone.
fn new_places(old: &Places, args: &Succeed) -> Result<Places> {
    let needs = |flag: &str| {
        Error::new(Code::Usage, format!("this ledger has folders that were named outright; give {flag}, too"))
    };
    if old.state.is_some() && args.into_state.is_none() {
        return Err(needs("--into-state"));
    }
    if old.config.is_some() && args.into_config.is_none() {
        return Err(needs("--into-config"));
    }
    let into = std::path::absolute(&args.into)
        .map_err(|e| Error::new(Code::Io, "the present folder is not known").with_source(e))?;
    Ok(old.clone().ledger(into).state(args.into_state.clone()).config(args.into_config.clone()))
}

fn tell(s: &mut Session<'_>, made: &Succeeded) {
    let of = made.proven.succession();
    if s.out.json {
        s.out.document(json!({
            "type": "succeeded", "old": of.old.to_text(), "new": of.new.to_text(), "ledger": of.ledger.to_hex(),
            "head_size": of.head.size, "first_lost": of.first_lost, "last_lost": of.last_lost, "entry": made.entry,
            "signed_by_old": made.proven.is_by_old(), "note": made.note,
        }));
        return;
    }
    let last = of.last_lost.map_or_else(|| "an unknown end".to_owned(), |last| format!("#{last}"));
    s.out.prose(&format!(
        "{} ended by loss at {} entries: #{} to {last} are lost",
        visible(of.old.name().as_bytes()),
        of.head.size,
        of.first_lost
    ));
    s.out.prose(&format!("goes on as ledger {}", of.ledger.to_hex()));
    s.out.field(&format!("verify with {}", of.new.to_text()));
    s.out.say(&format!(
        "The statement is entry #{} of the new ledger, and lies beside the head of the old one.",
        made.entry
    ));
    if !made.proven.is_by_old() {
        s.out.say("The key of the old log was not here to sign it: tell whoever knew the old key what the new one is.");
    }
    s.out.say("Back up the keys of the new ledger, and give its key to its witnesses and to whoever checks it.");
}

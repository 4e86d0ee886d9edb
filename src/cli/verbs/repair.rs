//! `repair`: one copy of the log is mended from the other, or from a copy elsewhere.

use serde_json::json;

use crate::cli::args::Repair as Args;
use crate::cli::session::Session;
use crate::cli::{input, words};
use crate::codec::escape::visible;
use crate::error::Result;
use crate::ledger::{Ledger, Repair, RepairDone};

pub(in crate::cli) fn repair(s: &mut Session<'_>, args: &Args) -> Result<u8> {
    let what = match (args.accept_head, args.accept_vault) {
        (true, _) => Repair::AcceptHead,
        (_, true) => Repair::AcceptVault,
        _ => Repair::Log,
    };
    let (places, env, who) = (s.parts.places.clone(), s.parts.env.clone(), s.parts.who.clone());
    let held = args.head.as_deref().map(|file| input::note(&*env.files, file)).transpose()?;
    let done = s.wait(async |_| match &args.from {
        Some(copy) => Ledger::repair_from(places, env, copy, held, &who).await,
        None => Ledger::repair(places, env, what, &who).await,
    })?;
    let source = if args.from.is_some() { "the copy" } else { "sled" };
    if s.out.json {
        s.out.document(document(&done));
        return Ok(0);
    }
    s.out.prose(&match &done {
        RepairDone::Nothing => "nothing to mend: what was asked about holds".to_owned(),
        RepairDone::Journal { from_segment, entries, .. } => {
            format!(
                "journal brought back from {source} from segment {from_segment} on; the log has {} again",
                words::entries(*entries)
            )
        }
        RepairDone::Rows => "sled's copy was built anew from the journal".to_owned(),
        RepairDone::Head { size } => format!("a new signed head names {size} entries"),
        RepairDone::Vault { tapes } => {
            format!("the vault is taken as it is, without the key of {}", words::count(tapes.len() as u64, "tape"))
        }
    });
    if let RepairDone::Vault { tapes } = &done {
        for (tape, entry) in tapes {
            s.out.prose(&format!("given up {} (entry #{entry})", tape.to_text()));
        }
    }
    if let RepairDone::Journal { aside, .. } = &done {
        for path in aside {
            s.out.prose(&format!("put aside {}", visible(path.as_os_str().as_encoded_bytes())));
        }
    }
    if done == RepairDone::Nothing {
        return Ok(0);
    }
    s.out.say("The log says that this was done. `immutape verify` checks the outcome.");
    Ok(0)
}

fn document(done: &RepairDone) -> serde_json::Value {
    match done {
        RepairDone::Nothing => json!({ "type": "repair", "done": "nothing" }),
        RepairDone::Journal { from_segment, entries, aside } => {
            let aside: Vec<_> =
                aside.iter().map(|p| crate::cli::json::text(p.as_os_str().as_encoded_bytes())).collect();
            json!({ "type": "repair", "done": "journal", "from_segment": from_segment, "entries": entries, "aside": aside })
        }
        RepairDone::Rows => json!({ "type": "repair", "done": "rows" }),
        RepairDone::Head { size } => json!({ "type": "repair", "done": "head", "size": size }),
        RepairDone::Vault { tapes } => {
            let tapes: Vec<_> = tapes.iter().map(|(tape, n)| json!({ "tape": tape.to_text(), "entry": n })).collect();
            json!({ "type": "repair", "done": "vault", "tapes": tapes })
        }
    }
}

//! `prove`: that a tape is in the log, or that a log extends an older one, in files that strangers check.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::cli::args::Prove as Args;
use crate::cli::confirmed::confirmed;
use crate::cli::export_files::{Given, Place, Target};
use crate::cli::export_placed::place_one;
use crate::cli::input::shown;
use crate::cli::session::Session;
use crate::cli::words;
use crate::codec::digest::sha256;
use crate::error::Result;
use crate::ledger::{Ledger, ProofForm, Proven};

pub(in crate::cli) fn prove(s: &mut Session<'_>, args: &Args) -> Result<u8> {
    match (args.id.as_deref(), args.consistency.as_deref()) {
        (_, Some([old, new])) => s.with_ledger(async |ledger, s| consistency(ledger, s, *old, *new).await),
        (id, _) => tape(s, args, id.unwrap_or_default()),
    }
}

async fn consistency(ledger: &Ledger, s: &mut Session<'_>, old: u64, new: u64) -> Result<u8> {
    let (path, entry) = ledger.prove_consistency(&s.parts.who, old, new).await?;
    let path: Vec<String> = path.iter().map(|hash| STANDARD.encode(hash)).collect();
    if s.out.json {
        s.out.document(json!({ "type": "consistency", "old": old, "new": new, "path": path, "entry": entry }));
        return Ok(0);
    }
    path.iter().for_each(|hash| s.out.line(hash));
    s.out.say(&format!(
        "{} lead from the root over {old} to the one over {new} (RFC 6962). Recorded as entry #{entry}.",
        words::count(path.len() as u64, "hash")
    ));
    Ok(0)
}

fn tape(s: &mut Session<'_>, args: &Args, id: &str) -> Result<u8> {
    let place = Place::of(args.output.as_deref())?;
    if let Place::File(target) = &place {
        target.check(&s.parts, false, Given::output(args.force))?;
    }
    s.out.raw = place == Place::Stdout;
    let (form, extension) =
        if args.receipt { (ProofForm::Receipt, "receipt.cose") } else { (ProofForm::TlogProof, "tlog-proof") };
    s.with_ledger(async |ledger, s| {
        confirmed(ledger, args.allow_private).await?;
        let proven = ledger.prove(&s.parts.who, id, form).await?;
        let path = match place {
            Place::Stdout => {
                s.out.bytes(&proven.file);
                None
            }
            Place::File(target) => Some(target),
            Place::Folder(folder) => {
                let tape = proven.tape.to_hex();
                let folder = if folder == Path::new(".") { Path::new("").to_owned() } else { folder };
                let target = Target::in_folder(&folder, words::short(&tape), extension);
                target.check(&s.parts, false, Given::output(args.force))?;
                Some(target)
            }
        };
        if let Some(target) = &path {
            place_one(&s.parts, &target.file, &proven.file, args.force)?;
        }
        tell(s, ledger, &proven, path.as_ref().map(|target| target.file.as_path()));
        Ok(0)
    })
}

fn tell(s: &mut Session<'_>, ledger: &Ledger, proven: &Proven, path: Option<&Path>) {
    let verifier = ledger.checkpoint_key().to_text();
    if s.out.json {
        s.out.document(json!({
            "type": "proof", "entry": proven.index, "size": proven.head.size, "root": proven.head.root.to_hex(),
            "path": path.map(|path| crate::cli::json::text(path.as_os_str().as_encoded_bytes())),
            "sha256": hex::encode(sha256(&proven.file)), "verifier": verifier, "recorded_as": proven.recorded_as,
        }));
        return;
    }
    if let Some(path) = path {
        s.out.prose(&format!("wrote {}", shown(path)));
    }
    s.out.say(&format!(
        "It proves entry #{} in a log of {}. Recorded as entry #{}. Verify it with",
        proven.index,
        words::entries(proven.head.size),
        proven.recorded_as
    ));
    s.out.say(&format!("  {verifier}"));
}

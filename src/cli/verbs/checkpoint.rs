//! `checkpoint`: a signed head, for whoever shall hold it.

use serde_json::json;

use crate::cli::args::Checkpoint as Args;
use crate::cli::confirmed::confirmed;
use crate::cli::session::Session;
use crate::cli::words;
use crate::error::{Code, Error, Result};

pub(in crate::cli) fn checkpoint(s: &mut Session<'_>, args: &Args) -> Result<u8> {
    s.with_ledger(async |ledger, s| {
        let (head, note) = if args.anchored {
            let anchor = ledger.newest_anchor()?.ok_or_else(|| {
                Error::new(Code::NotFound, "no witness has cosigned a head of this log, as far as is known here")
                    .with_hint("`immutape witness run` asks those of the policy")
            })?;
            (anchor.checkpoint, anchor.note)
        } else {
            confirmed(ledger, args.allow_private).await?;
            let head = ledger.release_head().await?;
            (head.checkpoint, head.note)
        };
        if s.out.json {
            s.out.document(json!({
                "type": "head", "origin": head.origin, "size": head.size, "root": head.root.to_hex(), "note": note,
                "verifier": ledger.checkpoint_key().to_text(), "anchored": args.anchored,
            }));
            return Ok(0);
        }
        note.lines().for_each(|line| s.out.line(line));
        s.out.say(&format!("A signed head over {}. Verify it with", words::entries(head.size)));
        s.out.say(&format!("  {}", ledger.checkpoint_key().to_text()));
        Ok(0)
    })
}

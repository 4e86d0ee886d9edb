//! `publish`: the log's heads and hashes, where any web server can serve them.

use std::sync::Arc;

use serde_json::json;

use crate::anchor::{self, Http, Transport};
use crate::cli::args::Publish as Args;
use crate::cli::input::shown;
use crate::cli::session::Session;
use crate::cli::words;
use crate::error::Result;

pub(in crate::cli) fn publish(s: &mut Session<'_>, args: &Args) -> Result<u8> {
    let transport: Arc<dyn Transport> = Arc::new(Http::new(args.allow_private, None)?);
    once(s, args, &transport)
}

/// Publishes once. A log with witnesses signs nothing before one of them was asked, in the same opening: `witnesses` is the way
/// to them.
pub(super) fn once(s: &mut Session<'_>, args: &Args, witnesses: &Arc<dyn Transport>) -> Result<u8> {
    s.with_ledger(async |ledger, s| {
        if !ledger.is_confirmed() {
            anchor::confirm(ledger, witnesses).await?;
        }
        let files = s.parts.env.files.clone();
        let made = anchor::publish(ledger, &s.parts.who, &args.to, args.entries, &*files).await?;
        if s.out.json {
            s.out.document(json!({
                "type": "published", "size": made.head.size, "root": made.head.root.to_hex(), "before": made.before,
                "files": made.files, "entries": args.entries, "entry": made.recorded_as,
                "verifier": ledger.checkpoint_key().to_text(),
            }));
            return Ok(0);
        }
        let what = if args.entries { "hashes and public halves" } else { "hashes" };
        s.out.prose(&format!(
            "published {} of {} in {} ({})",
            what,
            words::entries(made.head.size),
            shown(&args.to),
            words::count(made.files, "file")
        ));
        s.out.say(&format!("Before: {}. Recorded as entry #{}.", words::entries(made.before), made.recorded_as));
        Ok(0)
    })
}

//! `key`: the public keys of a ledger, where their private halves lie, and their life. No private byte is shown.

use std::path::Path;

use serde_json::json;

use super::key_life;
use crate::cli::args::KeyVerb;
use crate::cli::input;
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::error::Result;
use crate::keyring::{KeyFile, KeyFileState};
use crate::ledger::{Checker, RevocationReason, RevokeKey};

pub(in crate::cli) fn key(s: &mut Session<'_>, verb: &KeyVerb) -> Result<u8> {
    match verb {
        KeyVerb::List => list(s),
        KeyVerb::History => key_life::history(s),
        KeyVerb::Rotate { role, with, allow_private } => {
            key_life::change(s, (*role, with.as_deref()), None, *allow_private)
        }
        KeyVerb::Revoke { role, thumbprint, from, compromised, with, allow_private } => {
            let reason = if *compromised { RevocationReason::Compromised } else { RevocationReason::Retired };
            let revoke = RevokeKey { thumbprint: *thumbprint, from: *from, reason };
            key_life::change(s, (*role, with.as_deref()), Some(revoke), *allow_private)
        }
    }
}

fn list(s: &mut Session<'_>) -> Result<u8> {
    let checker = Checker::open(&s.parts.places, &s.parts.env)?;
    s.out.test = checker.genesis().test;
    let keys = checker.key_files();
    let verifier = checker.checkpoint_key();
    if s.out.json {
        for key in &keys {
            s.out.document(json!({
                "type": "key", "purpose": key.purpose, "in_use": key.is_in_use,
                "thumbprint": key.thumbprint.map(|t| t.to_hex()), "public": key.public.map(hex::encode),
                "file": crate::cli::json::text(key.path.as_os_str().as_encoded_bytes()),
                "mode": mode(key), "state": state(key.state),
            }));
        }
        s.out.document(
            json!({ "type": "keys", "ledger": checker.id().to_hex(), "verifier": verifier, "keys": keys.len() }),
        );
        return Ok(0);
    }
    const TABLE: Table<'_> =
        Table { kinds: &[Column::Text, Column::Text, Column::Text, Column::Text, Column::Long], spare: &[3, 4, 1] };
    let folder = keys.first().and_then(|key| key.path.parent()).unwrap_or(Path::new("")).to_owned();
    let mut rows = vec![["PURPOSE", "THUMBPRINT", "STATE", "MODE", "FILE"].map(str::to_owned).to_vec()];
    rows.extend(keys.iter().map(|key| {
        let thumbprint = key.thumbprint.map_or_else(|| "-".to_owned(), |t| t.to_hex().chars().take(16).collect());
        let mode = mode(key).unwrap_or_else(|| "-".to_owned());
        let file = key.path.strip_prefix(&folder).unwrap_or(&key.path);
        vec![key.purpose.to_owned(), thumbprint, state(key.state).to_owned(), mode, input::shown(file)]
    }));
    s.out.table(&TABLE, &rows);
    s.out.line("");
    s.out.prose(&format!("folder {}", input::shown(&folder)));
    s.out.prose(&format!("verify with {verifier}"));
    s.out.say("Give the last line to whoever will check your ledger. Nothing was recorded.");
    Ok(0)
}

/// Permission bits; `None` where there is no file.
fn mode(key: &KeyFile) -> Option<String> {
    key.mode.map(|mode| format!("{mode:04o}"))
}

const fn state(state: KeyFileState) -> &'static str {
    match state {
        KeyFileState::Here => "here",
        KeyFileState::Absent => "not here",
        KeyFileState::Foreign => "another key",
        KeyFileState::Unusable => "unusable",
    }
}

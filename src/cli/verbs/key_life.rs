//! `key history`, `key rotate`, `key revoke`: keys that come and go.

use std::path::Path;

use serde_json::json;

use crate::cli::confirmed::confirmed;
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::error::Result;
use crate::keyring::read_signer;
use crate::ledger::{Checker, KeyChange, KeyChanged, RevokeKey};
use crate::log::{KeyHistory, KeyRole, KeyTerm};

/// Reads the log's own word on its keys, and records nothing: public keys and indices are no content.
pub(super) fn history(s: &mut Session<'_>) -> Result<u8> {
    let checker = Checker::open(&s.parts.places, &s.parts.env)?;
    s.out.test = checker.genesis().test;
    show(s, checker.key_history());
    Ok(0)
}

fn show(s: &mut Session<'_>, keys: &KeyHistory) {
    let terms: Vec<&KeyTerm> = KeyRole::ALL.iter().flat_map(|role| keys.terms(*role)).collect();
    if s.out.json {
        for term in terms {
            s.out.document(json!({
                "type": "key_term", "role": term.role.word(), "public": hex::encode(term.key.to_bytes()),
                "thumbprint": term.key.thumbprint().to_hex(), "since": term.since, "until": term.until,
                "revoked_from": term.revoked.map(|revoked| revoked.from), "revoked_as": term.revoked.map(|revoked| revoked.at),
                "next": term.next.to_hex(),
            }));
        }
        return;
    }
    const TABLE: Table<'_> =
        Table { kinds: &[Column::Text, Column::Text, Column::Number, Column::Number, Column::Text], spare: &[4, 1] };
    let mut rows = vec![["ROLE", "THUMBPRINT", "SINCE", "UNTIL", "WORTH"].map(str::to_owned).to_vec()];
    rows.extend(terms.into_iter().map(|term| {
        let thumbprint: String = term.key.thumbprint().to_hex().chars().take(16).collect();
        let until = term.until.map_or_else(|| "-".to_owned(), |index| format!("#{index}"));
        vec![term.role.word().to_owned(), thumbprint, format!("#{}", term.since), until, worth(term)]
    }));
    s.out.table(&TABLE, &rows);
}

fn worth(term: &KeyTerm) -> String {
    match (term.revoked, term.until) {
        (Some(revoked), _) => format!("nothing from #{} on, said by #{}", revoked.from, revoked.at),
        (None, Some(_)) => "what it signed stays good".to_owned(),
        (None, None) => "in use".to_owned(),
    }
}

/// Replaces or revokes a key. The ledger is closed by it.
pub(super) fn change(
    s: &mut Session<'_>,
    (role, file): (KeyRole, Option<&Path>),
    revoke: Option<RevokeKey>,
    allow_private: bool,
) -> Result<u8> {
    let key = file.map(|file| read_signer(&*s.parts.env.files, file)).transpose()?;
    let changed = s.ending(async |ledger, s| {
        let who = s.parts.who.clone();
        if let Err(e) = confirmed(&ledger, allow_private).await {
            let _the_first_error_counts = ledger.close().await;
            return Err(e);
        }
        ledger.change_key(&who, KeyChange { role, key, revoke }).await
    })?;
    tell(s, role, &changed);
    Ok(0)
}

fn tell(s: &mut Session<'_>, role: KeyRole, changed: &KeyChanged) {
    if s.out.json {
        s.out.document(json!({
            "type": "key_changed", "role": role.word(), "rotated_as": changed.rotated_as, "revoked_as": changed.revoked_as,
            "verifier": changed.keys.newest_head_key().map(|key| key.to_text()).ok(),
            "waits_for_witnesses": changed.waits_for_witnesses,
        }));
        return;
    }
    if let Some(index) = changed.rotated_as {
        s.out.line(&format!("the {role} key was replaced by entry #{index}"));
        s.out.say("A new key to follow it lies in the `next` folder: move it away, as you did with the last one.");
    }
    if let Some(index) = changed.revoked_as {
        s.out.line(&format!("a {role} key was revoked by entry #{index}"));
    }
    if role == KeyRole::Checkpoint
        && changed.rotated_as.is_some()
        && let Ok(key) = changed.keys.newest_head_key()
    {
        s.out.field(&format!("verify with {}", key.to_text()));
        s.out.say("Give that line to whoever checks this ledger, and to the operators of its witnesses.");
        if changed.waits_for_witnesses {
            s.out.say(
                "Until a quorum of witnesses has cosigned a head, both keys sign: `immutape witness run` asks them.",
            );
        }
    }
}

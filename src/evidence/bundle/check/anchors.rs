//! Heads that others hold, as entries keep them: kinds 128, 129 and 133.

use super::keys::LogKeys;
use super::pins::Pins;
use crate::codec::digest::{RootHash, sha256};
use crate::log::{AnchorBody, Checkpoint, HeadKeys as _, LogError, SignedNote};
use crate::proof::{CosignerKey, read_token};

/// A head in an entry of kind 128 or 129.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeptHead {
    /// Index of the entry.
    pub entry: u64,
    pub size: u64,
    pub root: RootHash,
    pub is_cosigned: bool,
    /// Does the log's signature hold, and all that the entry says beside it?
    pub holds: bool,
    /// Cosigned at the latest at this time by a quorum of the given witnesses.
    pub anchored_ms: Option<u64>,
}

/// What an entry about an anchor comes to: the head in it, where it is one, and what is wrong.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub head: Option<KeptHead>,
    pub faults: Vec<String>,
}

/// A whole note: the log's line under the key in force at its size, and every line of a witness that was given.
pub(super) fn read_head(note: &str, keys: &LogKeys, pins: &Pins) -> Result<(Checkpoint, Option<u64>), LogError> {
    let head = Checkpoint::from_note(note, &keys.history)?;
    let anchored_ms = pins.anchored_ms(&SignedNote::parse(note)?)?;
    Ok((head, anchored_ms))
}

/// What the text of a note says, whoever signed it.
pub(super) fn said(note: &str) -> Option<Checkpoint> {
    SignedNote::parse(note).ok().and_then(|note| Checkpoint::parse(note.text()).ok())
}

pub(super) fn kept(index: u64, body: &AnchorBody, keys: &LogKeys, pins: &Pins) -> Kept {
    let (note, is_own) = match body {
        AnchorBody::Cosigned { note, .. } | AnchorBody::Timestamped { note, .. } => (note, true),
        AnchorBody::ForkFound { note, .. } => (note, false),
        AnchorBody::Published { size, .. } if *size > index => {
            let what = format!("it names a head of {size} entries, which were not there");
            return Kept { head: None, faults: vec![what] };
        }
        AnchorBody::Published { .. } | AnchorBody::ReceiptIssued { .. } => return Kept::default(),
    };
    let Ok(text) = std::str::from_utf8(note) else {
        return Kept { head: None, faults: vec!["the head that it keeps is not text".into()] };
    };
    let mut kept = Kept::default();
    let mut anchored_ms = None;
    match read_head(text, keys, pins) {
        Ok((_, time_ms)) => anchored_ms = time_ms,
        // Signed before anybody knew that the key was in wrong hands: it proves nothing, and is no alteration.
        Err(LogError::Revoked { at, .. }) if index < at => {}
        Err(e) => kept.faults.push(format!("the head that it keeps does not hold: {e}")),
    }
    let Some(head) = said(text) else { return kept };
    if is_own && head.size > index {
        kept.faults.push(format!("it keeps a head of {} entries, which were not there", head.size));
    }
    match body {
        AnchorBody::Cosigned { keys: named, .. } => cosignatures(text, named, keys, &mut kept.faults),
        AnchorBody::Timestamped { token, time_ms, .. } => token_of(text, token, *time_ms, &mut kept.faults),
        _ => {}
    }
    if is_own {
        let holds = kept.faults.is_empty() && Checkpoint::from_note(text, &keys.history).is_ok();
        let is_cosigned = matches!(body, AnchorBody::Cosigned { .. });
        let anchored_ms = anchored_ms.filter(|_| holds && is_cosigned);
        kept.head = Some(KeptHead { entry: index, size: head.size, root: head.root, is_cosigned, holds, anchored_ms });
    }
    kept
}

fn cosignatures(text: &str, named: &[String], keys: &LogKeys, faults: &mut Vec<String>) {
    let Ok(note) = SignedNote::parse(text) else { return };
    for key in named {
        let key = match CosignerKey::parse(key) {
            Ok(key) => key,
            Err(e) => {
                faults.push(format!("it names a key that is none: {e}"));
                continue;
            }
        };
        if keys.history.known().iter().any(|own| own.key() == key.key()) {
            faults.push("it names a key of this log for a witness".into());
        }
        if !matches!(key.time_on(&note), Ok(Some(_))) {
            faults.push("a cosignature that it names is not there, or does not hold".into());
        }
    }
}

fn token_of(text: &str, token: &[u8], time_ms: u64, faults: &mut Vec<String>) {
    if SignedNote::parse(text).is_ok_and(|note| note.signatures().len() != 1) {
        faults.push("the head that was time-stamped has other signatures too".into());
    }
    match read_token(token) {
        Ok((imprint, _)) if imprint != sha256(text.as_bytes()) => {
            faults.push("its time-stamp is over something else".into());
        }
        Ok((_, time)) if time.as_ms() != time_ms => faults.push("it tells another time than its time-stamp".into()),
        Ok(_) => {}
        Err(e) => faults.push(format!("its time-stamp is none: {e}")),
    }
}

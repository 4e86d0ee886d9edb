//! What others hold of this log: heads that witnesses cosigned and authorities time-stamped, as entries keep them, and the newest
//! one beside the head file. Each must be a head that this log signed and has not left.

use super::journal::Walked;
use super::{CheckOptions, Checker};
use crate::catalog::root_at;
use crate::codec::digest::{RootHash, sha256};
use crate::evidence::{Report, Severity, Verdict};
use crate::ledger::WITNESS_POLICY_FILE;
use crate::ledger::heads::{Anchor, compare_root, compare_size};
use crate::log::{AnchorBody, Body, Checkpoint, HeadKeys, HeldHead, LogError, SignedNote};
use crate::proof::{CosignerKey, TimeAnchors, TimestampError, check_token};
use crate::store::Rows;

/// Why nobody compared the heads with the tree.
const NO_ROWS: &str = "the tree hashes in sled were not there to compare with";

/// What an entry about an anchor says by itself.
pub(super) enum Said {
    /// Entries and root of a head, or what is wrong with it.
    Head(Result<(u64, RootHash), String>),
    /// A head by a key that was revoked later, from an entry within it on: it proves nothing.
    Worthless(u64),
    /// As published: nobody else has signed for it.
    Published(u64, RootHash),
    /// A time-stamp that none of the roots of this machine certifies; the head under it is looked at all the same.
    Uncertified(u64, RootHash),
}

/// Every anchor that a walk came past.
#[derive(Default)]
pub(super) struct Anchors {
    /// Index, entries and root.
    heads: Vec<(u64, u64, RootHash)>,
    wrong: Vec<(u64, String)>,
    /// Heads by a revoked key, and from which entry on it counts no more.
    worthless: Vec<(u64, u64)>,
    uncertified: u64,
    /// Those of `heads` that somebody else signed for: a witness, or an authority that is known here.
    held: Vec<HeldHead>,
}

impl Said {
    /// Of the entry with this index; `log` knows the keys of the log's heads, `roots` those that certify time-stamps.
    pub(super) fn of(log: &dyn HeadKeys, roots: Option<&TimeAnchors>, index: u64, body: &Body) -> Option<Self> {
        let Body::Anchor(body) = body else { return None };
        if let AnchorBody::Cosigned { note, .. } | AnchorBody::Timestamped { note, .. } = body
            && let Some(LogError::Revoked { from, at }) =
                std::str::from_utf8(note).ok().and_then(|note| Checkpoint::from_note(note, &log).err())
            && index < at
        {
            return Some(Self::Worthless(from));
        }
        let head = match body {
            AnchorBody::Cosigned { note, keys, .. } => cosigned(log, note, keys),
            AnchorBody::Timestamped { note, token, time_ms } => match timestamped(log, roots, note, token, *time_ms) {
                Ok((head, true)) => Ok(head),
                Ok((head, false)) => return Some(Self::Uncertified(head.0, head.1)),
                Err(why) => Err(why),
            },
            AnchorBody::Published { size, root, .. } if size <= &index => return Some(Self::Published(*size, *root)),
            AnchorBody::Published { size, root, .. } => Ok((*size, *root)),
            // What was given out is a file elsewhere; what contradicts this log is no anchor of it.
            AnchorBody::ReceiptIssued { .. } | AnchorBody::ForkFound { .. } => return None,
        };
        // The head was signed before the entry that keeps it was written.
        let later = |(size, _): &(u64, RootHash)| *size > index;
        Some(Self::Head(head.and_then(|head| {
            if later(&head) {
                Err(format!("it keeps a head of {} entries, which were not there", head.0))
            } else {
                Ok(head)
            }
        })))
    }
}

fn signed(log: &dyn HeadKeys, note: &[u8]) -> Result<(SignedNote, (u64, RootHash)), String> {
    let text = std::str::from_utf8(note).map_err(|_| "the head that it keeps is not text".to_owned())?;
    let head = Checkpoint::from_note(text, log)
        .map_err(|e| format!("the head that it keeps was not signed by this log: {e}"))?;
    let note = SignedNote::parse(text).map_err(|e| e.to_string())?;
    Ok((note, (head.size, head.root)))
}

fn cosigned(log: &dyn HeadKeys, note: &[u8], keys: &[String]) -> Result<(u64, RootHash), String> {
    let (note, head) = signed(log, note)?;
    for key in keys {
        let key = CosignerKey::parse(key).map_err(|e| format!("it names a key that is none: {e}"))?;
        if log.known().iter().any(|own| own.key() == key.key()) {
            return Err("it names a key of this log for a witness".to_owned());
        }
        if !matches!(key.time_on(&note), Ok(Some(_))) {
            return Err("a cosignature that it names is not there, or does not hold".to_owned());
        }
    }
    Ok(head)
}

/// The head, and whether the roots of this machine certify the token.
fn timestamped(
    log: &dyn HeadKeys,
    roots: Option<&TimeAnchors>,
    note: &[u8],
    token: &[u8],
    time_ms: u64,
) -> Result<((u64, RootHash), bool), String> {
    let (parsed, head) = signed(log, note)?;
    if parsed.signatures().len() != 1 {
        return Err("the head that was time-stamped has other signatures too".to_owned());
    }
    let Some(roots) = roots else { return Ok((head, false)) };
    match check_token(token, &sha256(note), roots) {
        Ok(token) if token.time().as_ms() != time_ms => Err("it tells another time than its time-stamp".to_owned()),
        Ok(_) => Ok((head, true)),
        // Perhaps one of an authority that was asked before.
        Err(TimestampError::Chain(_)) => Ok((head, false)),
        Err(e) => Err(format!("its time-stamp does not hold: {e}")),
    }
}

impl Anchors {
    /// Heads that somebody else signed for, as entries keep them.
    pub(super) fn held(&self) -> &[HeldHead] {
        &self.held
    }

    pub(super) fn take(&mut self, index: u64, said: Said) {
        match said {
            Said::Head(Ok((size, root))) => {
                self.held.push(HeldHead { entry: index, size });
                self.heads.push((index, size, root));
            }
            Said::Published(size, root) => self.heads.push((index, size, root)),
            Said::Worthless(from) => self.worthless.push((index, from)),
            Said::Head(Err(why)) => self.wrong.push((index, why)),
            Said::Uncertified(size, root) => {
                self.uncertified = self.uncertified.saturating_add(1);
                self.heads.push((index, size, root));
            }
        }
    }

    /// Compares every head with the tree in rows that were compared with the journal; `None` where they were not.
    pub(super) fn compare(
        &mut self,
        checker: &Checker,
        options: &CheckOptions,
        journal: &Walked,
        rows: Option<&dyn Rows>,
        report: &mut Report,
    ) {
        let newest = self.newest(checker, options, journal, rows, report);
        for (index, from) in &self.worthless {
            let what =
                format!("the head that it keeps proves nothing: the key that signed it was revoked from #{from} on");
            report.find(Severity::Gap, "anchors", format!("entry {index}"), what).entry = Some(*index);
        }
        let count = self.heads.len().saturating_add(self.wrong.len());
        if count == 0 && newest.is_none() {
            return;
        }
        let left =
            rows.map_or_else(Vec::new, |rows| self.heads.iter().filter_map(|head| left_behind(head, rows)).collect());
        let wrong: Vec<_> = self
            .wrong
            .iter()
            .map(|fault| (fault, None))
            .chain(left.iter().map(|of| (of, Some(Verdict::Forked))))
            .collect();
        // What was not compared, or is of another history, vouches for nothing.
        self.held.retain(|held| rows.is_some() && wrong.iter().all(|((index, _), _)| *index != held.entry));
        for ((index, why), word) in &wrong {
            let finding = report.find(Severity::Altered, "anchors", format!("entry {index}"), why.clone());
            (finding.entry, finding.word) = (Some(*index), *word);
        }
        if self.uncertified > 0 {
            let what = format!(
                "{} time-stamps are by authorities that no root here certifies (`immutape clock set`)",
                self.uncertified
            );
            report.find(Severity::Note, "anchors", "time-stamps", what);
        }
        let wrong = (wrong.len() as u64).saturating_add(u64::from(newest == Some(false)));
        if rows.is_none() && wrong == 0 {
            report.skip("anchors", NO_ROWS);
            return;
        }
        let checked = (count as u64).saturating_add(u64::from(newest.is_some()));
        report.check("anchors", checked, wrong, "heads that others hold, in entries and beside the head");
    }

    /// The newest anchor in the state folder: does it hold? `None` when there is none, or nothing to compare it with.
    fn newest(
        &self,
        checker: &Checker,
        options: &CheckOptions,
        journal: &Walked,
        rows: Option<&dyn Rows>,
        report: &mut Report,
    ) -> Option<bool> {
        let anchors = match &checker.kept_heads {
            Ok(anchors) => anchors,
            Err(e) => {
                report.find_error(Severity::Altered, "anchors", e.code().as_str(), e);
                return Some(false);
            }
        };
        let mut hold = None;
        for anchor in anchors {
            // A check that stops earlier than the head says nothing about it; a journal that broke off was told.
            if options.size.is_some_and(|size| size < anchor.checkpoint.size) || journal.broken_at.is_some() {
                continue;
            }
            match held(anchor, journal, rows) {
                Ok(true) => hold = Some(hold.unwrap_or(true)),
                Ok(false) => {}
                Err(e) => {
                    let severity = checker.loss_is(e.code(), anchor.checkpoint.size);
                    report.find_error(severity, "anchors", e.code().as_str(), &e);
                    hold = Some(hold.unwrap_or(true) && severity != Severity::Altered);
                }
            }
        }
        hold
    }
}

/// Where the ledger goes by witnesses: does a quorum of them vouch for a head of it (`docs/format/6-evidence.md` 6.7)?
pub(super) fn vouched(checker: &Checker, report: &mut Report) {
    let policy = match &checker.policy {
        Ok(Some(policy)) if policy.asks_for_witnesses() => policy,
        Ok(_) => return,
        Err(e) => {
            report.find_error(Severity::Gap, "anchors", WITNESS_POLICY_FILE, e);
            return;
        }
    };
    let heads = checker.kept_heads.as_deref().unwrap_or_default();
    let is_vouched = |head: &&Anchor| policy.check(&head.note, checker.known_keys()).is_ok_and(|head| head.is_quorum());
    match heads.iter().filter(is_vouched).map(|head| head.checkpoint.size).max() {
        Some(size) => {
            report.check("witnesses", 1, 0, format!("a quorum vouches for the first {} entries", size));
        }
        None => {
            report.skip("witnesses", "no head that a quorum of them cosigned is kept");
            let what = "no quorum of the witnesses in the policy vouches that this is the log that others see";
            report.find(Severity::Gap, "anchors", WITNESS_POLICY_FILE, what).word = Some(Verdict::NotAnchored);
        }
    }
}

/// What is wrong with a head that the log does not begin with.
fn left_behind((index, size, root): &(u64, u64, RootHash), rows: &dyn Rows) -> Option<(u64, String)> {
    let words = || {
        format!("others hold a head of {size} entries with root {}, which are not the ones of this log", root.to_hex())
    };
    (root_at(rows, *size).ok() != Some(*root)).then(|| (*index, words()))
}

fn held(anchor: &Anchor, journal: &Walked, rows: Option<&dyn Rows>) -> crate::error::Result<bool> {
    compare_size(anchor, journal.entries)?;
    rows.map(|rows| compare_root(anchor, rows)).transpose().map(|compared| compared.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::LocalSigner;
    use crate::log::NoteKey;
    use crate::seal::Signer as _;

    /// A head over two entries by this log, and the key of it.
    fn head(log: &LocalSigner) -> (NoteKey, String) {
        let key = NoteKey::new("log.example", log.public_key()).unwrap();
        let text = "log.example\n2\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
        (key, SignedNote::sign(text, "log.example", log).unwrap())
    }

    fn signer() -> LocalSigner {
        LocalSigner::generate(&crate::keyring::OsRandom).unwrap()
    }

    fn fault(log: &NoteKey, index: u64, body: AnchorBody) -> String {
        match Said::of(log, None, index, &Body::Anchor(body)) {
            Some(Said::Head(Err(why))) => why,
            Some(Said::Head(Ok(_)) | Said::Uncertified(..) | Said::Published(..) | Said::Worthless(_)) => {
                "none".to_owned()
            }
            None => "no anchor".to_owned(),
        }
    }

    #[test]
    fn each_fault_of_a_kept_head_is_told() {
        let (log, witness) = (signer(), signer());
        let (key, note) = head(&log);
        let cosigner = CosignerKey::new("w.example", witness.public_key()).unwrap();
        let line = cosigner.cosign(SignedNote::parse(&note).unwrap().text(), 7, &witness).unwrap().to_line();
        let both = format!("{note}{line}");
        let kept = |note: &str, cosigner: String| AnchorBody::Cosigned {
            note: note.as_bytes().to_vec(),
            keys: vec![cosigner],
            quorum: true,
        };
        assert_eq!(fault(&key, 2, kept(&both, cosigner.to_text())), "none");
        assert!(fault(&key, 1, kept(&both, cosigner.to_text())).contains("were not there"));
        assert!(fault(&key, 2, kept(&note, cosigner.to_text())).contains("is not there, or does not hold"));
        assert!(fault(&key, 2, kept(&both, "w.example".to_owned())).contains("a key that is none"));
        let other = NoteKey::new("log.example", signer().public_key()).unwrap();
        assert!(fault(&other, 2, kept(&both, cosigner.to_text())).contains("not signed by this log"));
        let stamped =
            |note: &str| AnchorBody::Timestamped { note: note.as_bytes().to_vec(), token: vec![1], time_ms: 3 };
        assert!(fault(&key, 2, stamped(&both)).contains("other signatures too"));
        assert!(matches!(Said::of(&key, None, 2, &Body::Anchor(stamped(&note))), Some(Said::Uncertified(2, _))));
    }
}

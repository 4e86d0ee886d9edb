//! The vault: does it open, is it the one the signed head names, is every slot free or right.

use std::thread;
use std::time::Duration;

use super::{CheckOptions, Checker};
use crate::codec::digest::CustodyId;
use crate::error::{Code, Error, Result};
use crate::evidence::{Report, Severity};
use crate::ledger::start;
use crate::log::HeadFile;
use crate::store::VaultRecord;

/// How often a slot that looks damaged is looked at again: another process may be writing it.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(3);

/// Checks the vault as a whole; whether each tape's own key is there is asked tape by tape.
pub(super) fn check(checker: &Checker, options: &CheckOptions, head: Option<&HeadFile>, report: &mut Report) {
    if options.stored_only {
        return report.skip("vault", "left out on request");
    }
    let keys = match &checker.vault {
        Ok(keys) => keys,
        Err(e) => {
            report.find_error(Severity::Altered, "vault", e.code().as_str(), e);
            return report.check("vault", 1, 1, "cannot be opened");
        }
    };
    let mut wrong = 0u64;
    if let Some(Err(e)) = head.map(|head| start::compare_vault(head, keys)) {
        report.find_error(Severity::Altered, "vault", e.code().as_str(), &e);
        wrong = wrong.saturating_add(1);
    }
    let (mut epochs, mut records) = (0u64, 0u64);
    for epoch in keys.epoch_ids() {
        epochs = epochs.saturating_add(1);
        match slots(checker, epoch) {
            Ok(found) => records = records.saturating_add(found.len() as u64),
            Err(e) => {
                let name = format!("epoch {}", hex::encode(epoch));
                report.find_error(Severity::Altered, "vault", name, &e);
                wrong = wrong.saturating_add(1);
            }
        }
    }
    let detail = format!("generation file, {epochs} epochs, {records} keys of tapes");
    report.check("vault", epochs.saturating_add(1), wrong, detail);
}

impl Checker {
    /// The record of a key that must be there. One that no slot holds is missing, unless a slot that is neither free nor right nor cut
    /// may have held it (store-embedded, section 6). Who reads a tape is told of damage in both cases: to them it is the same.
    pub(super) fn wrapped_key(&self, epoch: &[u8; 16], custody: &CustodyId, slot: Option<u32>) -> Result<VaultRecord> {
        let vault = &self.stores.vault;
        vault.get(epoch, custody, slot).map_err(|e| match e.code() {
            Code::VaultDamaged if vault.records(epoch).is_ok() => {
                Error::new(Code::NotFound, e.message().to_owned()).with_source(e)
            }
            _ => e,
        })
    }
}

fn slots(checker: &Checker, epoch: &[u8; 16]) -> Result<Vec<VaultRecord>> {
    for _ in 1..LOOKS {
        match checker.stores.vault.records(epoch) {
            Err(e) if e.code() == Code::VaultDamaged => thread::sleep(BETWEEN_LOOKS),
            other => return other,
        }
    }
    checker.stores.vault.records(epoch)
}

//! What cannot be reached through the contract alone: faults, and crashes in a rotation or a destruction.

mod faults;
mod rotation;

use std::path::Path;
use std::sync::Arc;

use super::EmbeddedVault;
use crate::codec::digest::CustodyId;
use crate::governance::DisposalClearance;
use crate::store::contracts::{Vault, VaultRecord};
use crate::store::embedded::faulty::{FaultyFiles, Plan};
use crate::store::files::RealFiles;

const A: [u8; 16] = [0xa1; 16];
const B: [u8; 16] = [0xb2; 16];
const C: [u8; 16] = [0xc3; 16];

fn record(n: u8) -> VaultRecord {
    VaultRecord { custody_id: CustodyId::from_bytes([n; 32]), wrapped: [n ^ 0x33; 48], dedupe: [n ^ 0xcc; 32] }
}

fn records(of: &[u8]) -> Vec<VaultRecord> {
    of.iter().copied().map(record).collect()
}

fn real(folder: &Path) -> EmbeddedVault {
    EmbeddedVault::open(Arc::new(RealFiles), folder.join("vault")).unwrap()
}

fn faulty(folder: &Path, plan: Plan) -> (EmbeddedVault, Arc<Plan>) {
    let plan = Arc::new(plan);
    let files = Arc::new(FaultyFiles(Arc::clone(&plan)));
    (EmbeddedVault::open(files, folder.join("vault")).unwrap(), plan)
}

fn clearance() -> DisposalClearance {
    DisposalClearance::for_tests(CustodyId::from_bytes([2; 32]))
}

/// Generation 1 with epochs A (three tapes) and B (two).
fn first_generation(folder: &Path) {
    let vault = real(folder);
    vault.set_generation(1, 1, b"one").unwrap();
    for (epoch, tapes) in [(A, [1, 2, 3].as_slice()), (B, &[4, 5])] {
        vault.create_epoch(&epoch).unwrap();
        tapes.iter().for_each(|n| assert!(vault.put(&epoch, &record(*n)).is_ok()));
    }
    vault.sync().unwrap();
}

/// To generation 2: tape 2 of A ends, the others move to C; B stays as it is.
fn rotate(vault: &EmbeddedVault) -> crate::Result<()> {
    vault.rotate(2, b"two", &[(C, records(&[1, 3])), (B, records(&[4, 5]))])
}

fn names(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder.join("vault")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

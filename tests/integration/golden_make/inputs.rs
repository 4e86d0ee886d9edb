//! The fixed inputs of all golden files. Nothing here is secret.

use immutape::codec::digest::CustodyId;
use immutape::seal::{CustodyKey, JournalKey, KeyEncryptionKey, TapeKeys, TapeSecret};

use super::kit::{Named, SeedSigner, hex, text};

pub const ORIGIN: &str = "golden.example/000102030405060708090a0b0c0d0e0f";
pub const TAPE_SECRET: [u8; 32] = [0x07; 32];
pub const CUSTODY: CustodyId = CustodyId::from_bytes([0xc1; 32]);
pub const OTHER_CUSTODY: CustodyId = CustodyId::from_bytes([0xc2; 32]);
pub const CUSTODY_KEY_ID: [u8; 16] = [0xd0; 16];
pub const CUSTODY_KEY: [u8; 32] = [0xd1; 32];
pub const VAULT_ROOT: [u8; 32] = [0xe0; 32];
pub const EPOCH_ID: [u8; 16] = [0xe1; 16];
pub const EPOCH_KEY: [u8; 32] = [0xe2; 32];
pub const JOURNAL_KEY: [u8; 32] = [0xe3; 32];
pub const DEDUPE_KEY: [u8; 32] = [0xe4; 32];
pub const REQUEST: [u8; 16] = [0xa5; 16];
pub const START_MS: u64 = 1_700_000_000_000;

/// Seeds of the Ed25519 keys: 32 equal bytes each.
pub const CHECKPOINT_SEED: u8 = 1;
pub const RECORDER_SEED: u8 = 2;
pub const ISSUER_SEED: u8 = 3;
pub const NEXT_SEEDS: [u8; 3] = [4, 5, 6];
pub const PERSON_SEED: u8 = 9;

/// Salt of sealed object `position`.
pub const fn object_salt(position: u8) -> [u8; 32] {
    [0x50 + position; 32]
}

/// Salt of the private half of entry `index`.
pub const fn private_salt(index: u64) -> [u8; 32] {
    [0x80 + index as u8; 32]
}

pub fn tape_keys() -> TapeKeys {
    TapeSecret::from_bytes(&TAPE_SECRET).keys()
}

pub fn custody_key() -> CustodyKey {
    CustodyKey::from_bytes(CUSTODY_KEY_ID, &CUSTODY_KEY)
}

pub fn vault_root() -> KeyEncryptionKey {
    KeyEncryptionKey::from_bytes(&VAULT_ROOT)
}

pub fn journal_key() -> JournalKey {
    JournalKey::from_bytes(&JOURNAL_KEY)
}

pub fn signer(seed: u8) -> SeedSigner {
    SeedSigner::new(seed)
}

pub fn public_key(seed: u8) -> [u8; 32] {
    use immutape::seal::Signer as _;
    signer(seed).public_key().to_bytes()
}

/// What an index lists for the chapters that seal and sign.
pub fn named() -> Vec<Named> {
    vec![
        ("origin", text(ORIGIN), "of the ledger"),
        ("tape_secret", hex(TAPE_SECRET), ""),
        ("custody", hex(CUSTODY), "custody id of the tape"),
        ("other_custody", hex(OTHER_CUSTODY), "custody id of another tape"),
        ("custody_key_id", hex(CUSTODY_KEY_ID), ""),
        ("custody_key", hex(CUSTODY_KEY), "seals the private halves"),
        ("vault_root", hex(VAULT_ROOT), "key that wraps epoch, index, dedupe, journal and custody keys"),
        ("epoch_id", hex(EPOCH_ID), ""),
        ("epoch_key", hex(EPOCH_KEY), "key that wraps tape secrets"),
        ("journal_key", hex(JOURNAL_KEY), ""),
        ("dedupe_key", hex(DEDUPE_KEY), ""),
        ("checkpoint_seed", hex([CHECKPOINT_SEED; 32]), "Ed25519 seed"),
        ("checkpoint_key", hex(public_key(CHECKPOINT_SEED)), "its public key"),
        ("recorder_seed", hex([RECORDER_SEED; 32]), "Ed25519 seed"),
        ("recorder_key", hex(public_key(RECORDER_SEED)), "its public key"),
        ("issuer_seed", hex([ISSUER_SEED; 32]), "Ed25519 seed"),
        ("issuer_key", hex(public_key(ISSUER_SEED)), "its public key"),
        ("next_checkpoint_seed", hex([NEXT_SEEDS[0]; 32]), "Ed25519 seed"),
        ("next_recorder_seed", hex([NEXT_SEEDS[1]; 32]), "Ed25519 seed"),
        ("next_issuer_seed", hex([NEXT_SEEDS[2]; 32]), "Ed25519 seed"),
        ("person_seed", hex([PERSON_SEED; 32]), "Ed25519 seed"),
        ("person_key", hex(public_key(PERSON_SEED)), "its public key"),
    ]
}

//! What becomes of the vault's files when bytes change behind its back, and when a power cut keeps only some sectors.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use immutape::codec::digest::CustodyId;
use immutape::error::Code;
use immutape::store::embedded::vault::EmbeddedVault;
use immutape::store::files::RealFiles;
use immutape::store::{Vault, VaultRecord};

const EPOCH: [u8; 16] = [0xe1; 16];
const SLOT_BYTES: usize = 144;
const FILE_BYTES: usize = 256 * SLOT_BYTES;
const SECTOR_BYTES: usize = 512;

fn id(n: u8) -> CustodyId {
    CustodyId::from_bytes([n; 32])
}

fn record(n: u8) -> VaultRecord {
    VaultRecord { custody_id: id(n), wrapped: [n ^ 0x33; 48], dedupe: [n ^ 0xcc; 32] }
}

fn records(numbers: impl IntoIterator<Item = u8>) -> Vec<VaultRecord> {
    numbers.into_iter().map(record).collect()
}

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    /// An epoch whose slots 0 to `count - 1` hold the records 1 to `count`.
    fn with(count: u8) -> Self {
        let case = Self { folder: tempfile::tempdir().unwrap() };
        let vault = case.open();
        vault.set_generation(1, 1, b"opaque").unwrap();
        vault.create_epoch(&EPOCH).unwrap();
        (1..=count).for_each(|n| assert!(vault.put(&EPOCH, &record(n)).is_ok()));
        vault.sync().unwrap();
        case
    }

    fn open(&self) -> EmbeddedVault {
        EmbeddedVault::open(Arc::new(RealFiles), self.path("")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("vault").join(name)
    }

    fn epoch(&self) -> PathBuf {
        self.path(&hex::encode(EPOCH))
    }
}

fn flip(path: &Path, bit: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

/// The code, if it is one that names this slot.
fn naming<T: std::fmt::Debug>(result: immutape::Result<T>, slot: usize) -> Code {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(&format!("slot {slot} ")), "{error}");
    assert!(error.to_string().contains(&hex::encode(EPOCH)), "{error}");
    error.code()
}

#[test]
fn every_flipped_bit_of_a_record_is_named_with_its_slot() {
    let case = Case::with(5);
    // Slot 3 straddles a sector, slot 1 does not, slot 4 is the last one.
    for bit in [1, 3, 4].into_iter().flat_map(|slot| (slot * SLOT_BYTES * 8)..((slot + 1) * SLOT_BYTES * 8)) {
        let slot = bit / 8 / SLOT_BYTES;
        flip(&case.epoch(), bit);
        let vault = case.open();
        assert_eq!(naming(vault.records(&EPOCH), slot), Code::VaultDamaged);
        assert_eq!(naming(vault.get(&EPOCH, &id(slot as u8 + 1), Some(slot as u32)), slot), Code::VaultDamaged);
        assert_eq!(naming(vault.put(&EPOCH, &record(77)), slot), Code::VaultDamaged);
        for other in (0..5).filter(|n| *n != slot) {
            let tape = other as u8 + 1;
            assert_eq!(vault.get(&EPOCH, &id(tape), Some(other as u32)).unwrap(), record(tape), "with its slot");
            assert_eq!(vault.get(&EPOCH, &id(tape), None).unwrap(), record(tape), "by a scan");
        }
        flip(&case.epoch(), bit);
    }
    assert_eq!(case.open().records(&EPOCH).unwrap(), records(1..=5));
}

#[test]
fn a_byte_in_a_free_slot_is_damage() {
    let case = Case::with(2);
    for slot in [2, 3, 100, 255] {
        for at in [0, 1, 70, SLOT_BYTES - 1] {
            // At a sector's edge a single byte is what a cut may leave; elsewhere it never is.
            let (bit, before) = ((slot * SLOT_BYTES + at) * 8, fs::read(case.epoch()).unwrap());
            flip(&case.epoch(), bit);
            let straddles = (slot * SLOT_BYTES) / SECTOR_BYTES != (slot * SLOT_BYTES + SLOT_BYTES - 1) / SECTOR_BYTES;
            let found = case.open().records(&EPOCH);
            if straddles {
                assert_eq!(found.unwrap(), records(1..=2));
                assert_eq!(naming(case.open().get(&EPOCH, &id(9), None), 2), Code::VaultDamaged);
            } else {
                assert_eq!(naming(found, slot), Code::VaultDamaged);
            }
            fs::write(case.epoch(), before).unwrap();
        }
    }
}

#[test]
fn records_bind_their_slot_and_epoch() {
    let case = Case::with(4);
    let bytes = fs::read(case.epoch()).unwrap();
    let mut swapped = bytes.clone();
    swapped.copy_within(0..SLOT_BYTES, SLOT_BYTES);
    fs::write(case.epoch(), &swapped).unwrap();
    assert_eq!(naming(case.open().records(&EPOCH), 1), Code::VaultDamaged);

    let other = [0x22; 16];
    fs::write(case.path(&hex::encode(other)), &bytes).unwrap();
    assert_eq!(case.open().records(&other).map_err(|e| e.code()), Err(Code::VaultDamaged));
    assert_eq!(case.open().get(&other, &id(1), Some(0)).map_err(|e| e.code()), Err(Code::VaultDamaged));
}

#[test]
fn a_key_that_may_have_stood_in_a_zeroed_slot_is_not_called_absent() {
    let case = Case::with(6);
    let mut bytes = fs::read(case.epoch()).unwrap();
    bytes[2 * SLOT_BYTES..3 * SLOT_BYTES].fill(0);
    fs::write(case.epoch(), &bytes).unwrap();
    let vault = case.open();
    assert_eq!(naming(vault.get(&EPOCH, &id(3), Some(2)), 2), Code::VaultDamaged);
    assert_eq!(vault.records(&EPOCH).unwrap(), records([1, 2, 4, 5, 6]));
    assert_eq!(vault.put(&EPOCH, &record(7)).unwrap(), 6, "the hole is left as it is");
    assert_eq!(vault.get(&EPOCH, &id(7), Some(6)).unwrap(), record(7));
}

#[test]
fn an_epoch_of_another_length_is_damage() {
    for bytes in [0, 1, SLOT_BYTES, 2 * SLOT_BYTES + 7, FILE_BYTES - 1, FILE_BYTES + 1] {
        let case = Case::with(3);
        fs::OpenOptions::new().write(true).open(case.epoch()).unwrap().set_len(bytes as u64).unwrap();
        let vault = case.open();
        for code in [
            vault.records(&EPOCH).map_err(|e| e.code()).err(),
            vault.put(&EPOCH, &record(9)).map_err(|e| e.code()).err(),
            vault.get(&EPOCH, &id(9), None).map_err(|e| e.code()).err(),
        ] {
            assert_eq!(code, Some(Code::VaultDamaged), "{bytes} bytes");
        }
        for n in 1..=3u8 {
            let whole = bytes >= usize::from(n) * SLOT_BYTES;
            let found = vault.get(&EPOCH, &id(n), Some(u32::from(n) - 1)).map_err(|e| e.code());
            assert_eq!(found, if whole { Ok(record(n)) } else { Err(Code::VaultDamaged) }, "{bytes} bytes, tape {n}");
        }
    }
}

#[test]
fn an_epoch_that_is_gone_is_not_found() {
    let case = Case::with(3);
    fs::remove_file(case.epoch()).unwrap();
    assert_eq!(case.open().records(&EPOCH).map_err(|e| e.code()), Err(Code::NotFound));
    assert_eq!(case.open().get(&EPOCH, &id(1), Some(0)).map_err(|e| e.code()), Err(Code::NotFound));
}

#[test]
fn a_link_in_place_of_an_epoch_is_not_followed() {
    let case = Case::with(3);
    let elsewhere = case.folder.path().join("elsewhere");
    fs::rename(case.epoch(), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, case.epoch()).unwrap();
    assert_eq!(case.open().records(&EPOCH).map_err(|e| e.code()), Err(Code::Io));
    assert_eq!(case.open().put(&EPOCH, &record(4)).map_err(|e| e.code()), Err(Code::Io));
}

#[test]
fn the_line_of_the_generation_file_is_read_strictly_and_nothing_else_of_it() {
    let case = Case::with(0);
    let whole = fs::read(case.path("generation")).unwrap();
    let line = whole.iter().position(|b| *b == b'\n').unwrap();
    let (mut damaged, mut newer, mut other) = (0, 0, 0);
    for bit in 0..whole.len() * 8 {
        flip(&case.path("generation"), bit);
        match case.open().generation().map_err(|e| e.code()) {
            Err(Code::VaultDamaged) => damaged += 1,
            Err(Code::NewerFormat) => newer += 1,
            // Another number, or other bytes: what follows the line repeats the numbers under a code
            // that the store has no key for, so the ledger finds both.
            Ok(Some(found)) => {
                assert!(bit / 8 > line || (found.0, found.1) != (1, 1), "bit {bit}");
                other += 1;
            }
            unexpected => panic!("bit {bit}: {unexpected:?}"),
        }
        flip(&case.path("generation"), bit);
    }
    assert!(damaged > 100 && newer > 0 && other >= 6 * 8, "{damaged} {newer} {other}");
    for cut in 0..=line {
        fs::write(case.path("generation"), &whole[..cut]).unwrap();
        assert_eq!(case.open().generation().map_err(|e| e.code()), Err(Code::VaultDamaged), "cut at {cut}");
    }
}

/// Puts that wait for one sync: a power cut may keep any of the sectors they touched. Whatever it
/// keeps, what was synced before is there, nothing is called damage, and the next put goes on.
#[test]
fn a_power_cut_may_keep_any_sectors_of_the_puts_before_a_sync() {
    for synced in 0..=4u8 {
        let case = Case::with(synced);
        let before = fs::read(case.epoch()).unwrap();
        let vault = case.open();
        (synced + 1..=20).for_each(|n| assert!(vault.put(&EPOCH, &record(n)).is_ok()));
        drop(vault);
        let after = fs::read(case.epoch()).unwrap();
        let touched: Vec<usize> = (0..FILE_BYTES / SECTOR_BYTES)
            .filter(|s| before[s * SECTOR_BYTES..][..SECTOR_BYTES] != after[s * SECTOR_BYTES..][..SECTOR_BYTES])
            .collect();
        assert!(touched.len() >= 5);
        for kept in 0..1usize << touched.len() {
            let mut image = before.clone();
            for (n, sector) in touched.iter().enumerate().filter(|(n, _)| kept & (1 << n) != 0) {
                let at = sector * SECTOR_BYTES;
                image[at..at + SECTOR_BYTES].copy_from_slice(&after[at..at + SECTOR_BYTES]);
                assert!(n < 16);
            }
            fs::write(case.epoch(), image).unwrap();
            let vault = case.open();
            let found = vault.records(&EPOCH).unwrap();
            assert!(found.starts_with(&records(1..=synced)), "{synced} synced, sectors {kept:b}: {found:?}");
            let slot = vault.put(&EPOCH, &record(99)).unwrap();
            vault.sync().unwrap();
            let vault = case.open();
            assert_eq!(vault.get(&EPOCH, &id(99), Some(slot)).unwrap(), record(99));
            assert_eq!(vault.records(&EPOCH).unwrap().len(), found.len() + 1, "nothing was written over");
        }
    }
}

//! Readers of the library for the golden files of `store-embedded`.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;

use immutape::catalog::{CatalogRow, LogPiece, Queries, RowsPosition, SubjectRow, Summary};
use immutape::codec::digest::CustodyId;
use immutape::error::{Code, Error};
use immutape::keyring::VaultKeys;
use immutape::seal::open_live;
use immutape::store::embedded::vault::{EmbeddedVault, generation_file};
use immutape::store::files::RealFiles;
use immutape::store::memory::rows::MemoryRows;
use immutape::store::{Batch, Rows as _, Vault as _};

use immutape::tape::{live_piece, read_live_piece};

use super::decoders::Read::{self, Again, Opened};
use super::index::Values;
use super::inputs::{tape_keys, vault_root};

/// As [`super::decoders::decode`]; `None` for a word that is not of this chapter.
pub fn decode(decoder: &str, bytes: &[u8], with: &Values) -> Option<Result<Read, String>> {
    Some(match decoder {
        "vault-generation" => in_vault(|folder| generation(folder, bytes, with)),
        "vault-slots" => in_vault(|folder| slots(folder, bytes, with)),
        "rows-position" => {
            RowsPosition::decode(bytes).map(|p| Again(p.encode())).map_err(|e| format!("CborError::{e:?}"))
        }
        "subject-row" => SubjectRow::decode(bytes).map(|row| Again(row.encode())).map_err(told),
        "row-summary" => summary(bytes, with),
        "live-content" => live_content(bytes, with),
        "live-piece" => {
            let (custody, number) = (CustodyId::from_bytes(with.array("custody")), with.number("number"));
            let opened = open_live(&tape_keys(), &custody, number, bytes);
            opened.map(|content| Opened(content.to_vec())).map_err(|e| format!("SealError::{e:?}"))
        }
        "log-block" => log_block(bytes, with).map_err(told),
        "catalogue-block" => catalogue_block(bytes, with).map_err(told),
        "term-node" => term_node(bytes, with).map_err(told),
        _ => return None,
    })
}

fn live_content(bytes: &[u8], with: &Values) -> Result<Read, String> {
    let number = with.number("number");
    let records = read_live_piece(bytes, number).map_err(|e| format!("TapeError::{e:?}"))?;
    Ok(Again(live_piece(number, &records).unwrap()))
}

/// An error by its code, its words and what it came from.
fn told(error: Error) -> String {
    let source = error.source().map(|source| format!(" ({source:?})")).unwrap_or_default();
    format!("{}: {}{source}", error.code().as_str(), error.message())
}

/// Reads in a folder of its own; its name is left out of what is told.
fn in_vault(read: impl FnOnce(&Path) -> Result<Read, Error>) -> Result<Read, String> {
    let folder = tempfile::tempdir().unwrap();
    read(folder.path()).map_err(|e| told(e).replace(&folder.path().display().to_string(), "S/vault"))
}

fn open(folder: &Path) -> Result<EmbeddedVault, Error> {
    EmbeddedVault::open(Arc::new(RealFiles), folder.to_owned())
}

/// As a ledger does at its start.
fn generation(folder: &Path, bytes: &[u8], with: &Values) -> Result<Read, Error> {
    std::fs::write(folder.join("generation"), bytes).unwrap();
    let (generation, revision, body) = open(folder)?.generation()?.unwrap();
    let keys = VaultKeys::decode(&body, with.text("origin"), vault_root())?;
    if keys.version() != (generation, revision) {
        return Err(Error::new(Code::VaultDamaged, "the first line names another revision than the body"));
    }
    for (epoch, key) in [("epoch_id", "epoch_key"), ("later_epoch_id", "later_epoch_key")] {
        assert_eq!(hex::encode(keys.epoch(&with.array(epoch)).unwrap().expose()), with.text(key));
    }
    assert_eq!(keys.open_epoch(), Some(with.array("later_epoch_id")));
    let labels = [("custody_key_id", "draft"), ("ledger_key_id", "ledger")];
    assert!(labels.iter().all(|(id, class)| keys.custody_label(&with.array(id)).unwrap().class == *class));
    assert_eq!(keys.dead(), [CustodyId::from_bytes(with.array("other_custody"))]);
    Ok(Again(generation_file(generation, revision, &body)))
}

/// The front of an epoch's file; the rest of it is free.
fn slots(folder: &Path, bytes: &[u8], with: &Values) -> Result<Read, Error> {
    let epoch: [u8; 16] = with.array("epoch_id");
    let mut file = bytes.to_vec();
    file.resize(256 * 144, 0);
    let vault = open(folder)?;
    vault.set_generation(1, 1, b"opaque")?;
    vault.create_epoch(&epoch)?;
    std::fs::write(folder.join(with.text("epoch_id")), file).unwrap();
    drop(vault);
    let records = open(folder)?.records(&epoch)?;
    Ok(Opened(records.iter().flat_map(|r| [r.custody_id.as_ref(), &r.wrapped, &r.dedupe].concat()).collect()))
}

fn summary(bytes: &[u8], with: &Values) -> Result<Read, String> {
    let plain = tape_keys().row_key().open(&with.bytes("custody"), bytes).map_err(|e| format!("SealError::{e:?}"))?;
    Summary::decode(&plain).map(|s| Opened(s.encode())).map_err(|e| format!("CborError::{e:?}"))
}

/// A database with this row alone.
fn only(bytes: &[u8], with: &Values) -> Result<MemoryRows, Error> {
    let rows = MemoryRows::new();
    rows.apply(Batch { puts: vec![(with.bytes("key"), bytes.to_vec())], removes: Vec::new() }, b"p")?;
    Ok(rows)
}

fn log_block(bytes: &[u8], with: &Values) -> Result<Read, Error> {
    let (rows, mut out) = (only(bytes, with)?, Vec::new());
    Queries::new(&rows).pieces(&mut |piece| {
        let (LogPiece::Header(bytes) | LogPiece::Record(bytes)) = piece;
        out.extend(bytes);
        Ok(true)
    })?;
    Ok(Opened(out))
}

fn catalogue_block(bytes: &[u8], with: &Values) -> Result<Read, Error> {
    let (rows, mut out) = (only(bytes, with)?, Vec::new());
    Queries::new(&rows).catalog(&mut |saved: CatalogRow| {
        out.extend(saved.encode());
        Ok(true)
    })?;
    Ok(Opened(out))
}

fn term_node(bytes: &[u8], with: &Values) -> Result<Read, Error> {
    let (rows, mut out) = (only(bytes, with)?, Vec::new());
    Queries::new(&rows).tape_ids(&mut |item| {
        out.extend(item.term);
        out.extend(&item.index.to_be_bytes()[2..]);
        Ok(true)
    })?;
    Ok(Opened(out))
}

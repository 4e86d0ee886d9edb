//! A stranger opens a ledger: the files in `stranger/` are written from the text of `docs/format` alone, over other
//! crates, and give back every tape of a ledger from its folders and the vault's root key.
//!
//! Only this file uses the program, to make the ledger; a test keeps it out of the others.

mod bytes;
mod log;
mod notes;
mod store;
mod tape;
mod vault;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use immutape::interchange::ImportOptions;
use immutape::ledger::{CheckOptions, FrameSelection, SaveOptions};

use self::bytes::Told;
use self::log::Log;
use self::store::Stored;
use crate::interchange_real::{data, lines_of};
use crate::support::ledgers::{TAPES, ann, create, open, save_bytes, save_tape};
use crate::support::trials;

/// The log, and every tape as it was written, in the order of the log.
fn decode(stored: &Stored) -> Told<(Log, Vec<Vec<u8>>)> {
    let vault = vault::open(stored)?;
    let groups = store::groups(stored, &vault.origin, &vault.journal_key)?;
    let log = log::read(&groups, &vault)?;
    notes::check_head(stored, &log, &vault)?;
    let objects = store::objects(stored, &log.origin)?;
    let written = |saved| tape::written(saved, vault.tape_secret(&saved.epoch, &saved.custody)?, &objects);
    let tapes = log.saved.iter().map(written).collect::<Told<_>>()?;
    Ok((log, tapes))
}

/// Lines of more than one chunk.
fn long_lines() -> String {
    let words = |n: usize| "once more ".repeat(n % 130);
    (0..2_100)
        .map(|n| format!("{{\"jsonrpc\":\"2.0\",\"method\":\"turn\",\"n\":{n},\"words\":\"{}\"}}\n", words(n)))
        .collect()
}

/// Two terms with saves, reads and lists, closed in order.
async fn make(folder: &Path) {
    let ledger = create(folder).await;
    let mut first = None;
    for name in TAPES {
        let receipt = save_tape(&ledger, name).await.unwrap();
        first.get_or_insert(receipt.tape.to_hex());
    }
    let reader = ledger.open_tape(&ann(), &first.unwrap(), None).await.unwrap();
    reader.collect(FrameSelection::All).unwrap();
    reader.finish().await.unwrap();
    ledger.list(&ann()).await.unwrap();
    ledger.close().await.unwrap();
    let ledger = open(folder).await.unwrap();
    save_bytes(&ledger, long_lines().as_bytes(), ImportOptions::default(), SaveOptions::default()).await.unwrap();
    assert!(save_tape(&ledger, TAPES[3]).await.unwrap().already_kept);
    ledger.verify(&ann(), CheckOptions::default()).await.unwrap().1.unwrap();
    ledger.close().await.unwrap();
}

/// The stored bytes of one ledger, made once.
static STORED: LazyLock<Stored> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(make(folder.path()));
    let [ledger, state, config] = ["ledger", "state", "config"].map(|name| folder.path().join(name));
    Stored::read(&ledger, &state, &config.join("vault-root.1.key")).unwrap()
});

#[test]
fn every_tape_comes_out_of_the_stored_bytes() {
    let (log, tapes) = decode(&STORED).unwrap();
    let mut expected: Vec<_> = TAPES.map(|name| lines_of(&data(&format!("{name}.jsonl")))).into();
    expected.push(long_lines());
    assert_eq!(tapes.len(), expected.len());
    for (tape, expected) in tapes.iter().zip(&expected) {
        assert!(expected.len() > 200 && tape == expected.as_bytes(), "{expected:.200}");
    }
    // The log told all that was done.
    let wanted = [(0, 1), (1, 2), (2, 2), (9, 1), (16, 7), (17, 1), (32, 1), (33, 1), (34, 1)];
    assert_eq!(log.kinds, BTreeMap::from(wanted));
}

/// Another key of the same form opens nothing.
#[test]
fn another_root_key_is_refused() {
    let mut stored = STORED.clone();
    let mut pem = String::from_utf8(stored.root_key.clone()).unwrap();
    let first = pem.find('\n').unwrap() + 1;
    let other = if pem.as_bytes()[first] == b'A' { "B" } else { "A" };
    pem.replace_range(first..=first, other);
    stored.root_key = pem.into_bytes();
    assert_ne!(stored.root_key, STORED.root_key);
    assert_eq!(decode(&stored).map(|_| ()), Err("the vault is not of this root key".into()));
}

/// A flipped bit in any stored file, in its first and last byte and in many between, wherever they lie.
#[test]
fn a_flipped_bit_is_refused() {
    let (mut flips, mut accepted) = (0, Vec::new());
    let mut changed = STORED.clone();
    let many = usize::try_from(trials(150)).unwrap();
    for (name, bytes) in &STORED.files {
        // Behind its last group a segment is zeros: most of the flips go where something is said.
        let said = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        let places = (0..=many).map(|n| n * said / many).chain((0..20).map(|n| bytes.len() - 1 - n * bytes.len() / 20));
        for at in places {
            let bit = 1 << (flips % 8);
            changed.files.get_mut(name).unwrap()[at] ^= bit;
            assert_ne!(changed.files[name], *bytes);
            if decode(&changed).is_ok() {
                accepted.push(format!("{name} at {at}"));
            }
            changed.files.get_mut(name).unwrap()[at] ^= bit;
            flips += 1;
        }
    }
    assert!(accepted.is_empty(), "{accepted:#?}");
    assert!(flips >= 5 * many && decode(&changed).is_ok(), "{flips}");
}

/// Every folder has a file, so that no flip above is missing a kind of file.
#[test]
fn every_kind_of_file_is_there() {
    let names: Vec<_> = STORED.files.keys().map(String::as_str).collect();
    for front in ["L/journal/00000001.seg", "L/packs/00000001.pack", "S/head", "S/vault/generation"] {
        assert!(names.contains(&front), "{names:?}");
    }
    assert!(names.iter().any(|name| name.starts_with("S/vault/") && name.len() == "S/vault/".len() + 32));
}

/// What is left out of a ledger is missed: each file, one after another.
#[test]
fn a_file_that_is_not_there_is_missed() {
    assert!(decode(&STORED).is_ok());
    for name in STORED.files.keys() {
        let mut stored = STORED.clone();
        stored.files.remove(name);
        let empty = name.ends_with(".seg") && bytes::zeros(&STORED.files[name]);
        assert_eq!(decode(&stored).is_ok(), empty, "{name}");
    }
}

/// The decoder may not ask the program: neither by the crate's name nor through tests that use it.
#[test]
fn the_decoder_names_nothing_of_the_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/stranger");
    let mut files = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let fault = names_the_program(&std::fs::read_to_string(&path).unwrap());
        assert_eq!(fault, None, "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 6);
    for planted in [
        "use immutape::log::Entry;",
        "crate::golden_make::by_hand::h(b)",
        "use super::super::support;",
        "extern crate immutape as x;",
    ] {
        assert_eq!(names_the_program(planted), Some(planted.to_owned()));
    }
}

/// The first line with a path or word that leads to the program. Labels of the formats have no such form.
fn names_the_program(text: &str) -> Option<String> {
    let leads = ["immutape::", "use immutape", "crate immutape", "crate::", "super::super"];
    text.lines().find(|line| leads.iter().any(|lead| line.contains(lead))).map(str::to_owned)
}

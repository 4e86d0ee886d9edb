//! Receipts as `scitt-cose` judges them (`tests/oracles/receipt.py`): another language, another COSE, another tree.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use immutape::ledger::ProofForm;
use immutape::log::{Body, leaf_hash};
use immutape::proof::Receipt;
use immutape::seal::PublicKey;
use serde_json::{Value, json};

use crate::heads::grow;
use crate::support::ledgers::{ann, create, save_tape};
use crate::support::needed;

fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/oracles/py/bin/python");
    (python.is_file() || needed("no scitt-cose here: tests/oracles/install brings it")).then_some(python)
}

fn judge(python: &Path, cases: &[Value]) -> Vec<bool> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/receipt.py");
    let mut command = Command::new(python);
    let mut child =
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines: String = cases.iter().map(|case| format!("{case}\n")).collect();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let words: Vec<bool> = said.lines().map(|word| word == "holds").collect();
    assert_eq!(words.len(), cases.len(), "{said}");
    words
}

/// `SubjectPublicKeyInfo` of an Ed25519 key (RFC 8410 4).
fn pem(key: &PublicKey) -> String {
    let spki = [&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0][..], &key.to_bytes()].concat();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_reader_takes_a_receipt_and_refuses_every_altered_one() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let saved = save_tape(&ledger, "git-policies").await.unwrap();
    grow(&ledger, 37).await;
    let proven = ledger.prove(&ann(), &saved.tape.to_text(), ProofForm::Receipt).await.unwrap();
    let (lines, _) = ledger.log(&ann(), 0..1).await.unwrap();
    let Body::Genesis(genesis) = &lines[0].body else { panic!("entry 0") };
    let key = PublicKey::from_bytes(&genesis.keys[2]).unwrap();
    ledger.close().await.unwrap();
    let leaf = leaf_hash(&proven.entry);
    let ours = |file: &[u8]| Receipt::decode(file).is_ok_and(|receipt| receipt.verify(&leaf, &key).is_ok());
    let case = |file: &[u8], entry: &[u8]| json!({ "receipt": hex::encode(file), "entry": hex::encode(entry), "key": pem(&key) });
    assert!(ours(&proven.file));
    let mut altered = vec![proven.file[..proven.file.len() - 1].to_vec(), [&proven.file[..], &[0]].concat()];
    for at in 0..proven.file.len() {
        let mut file = proven.file.clone();
        file[at] ^= 1 << (at % 8);
        altered.push(file);
    }
    let mut cases = vec![case(&proven.file, &proven.entry), case(&proven.file, &proven.entry[1..])];
    cases.extend(altered.iter().map(|file| case(file, &proven.entry)));
    let words = judge(&python, &cases);
    assert_eq!(words[..2], [true, false], "the good one, and one of another entry");
    // The size of the tree is under no signature (5.3): where a path leads to the same root from another size, both take it.
    let differ: Vec<usize> = (0..altered.len()).filter(|k| words[k + 2] != ours(&altered[*k])).collect();
    let taken = words[2..].iter().filter(|holds| **holds).count();
    assert!(altered.len() > 200 && taken * 50 < altered.len(), "{taken} of {}", altered.len());
    assert!(differ.is_empty(), "readers differ at bytes {differ:?} less two");
}

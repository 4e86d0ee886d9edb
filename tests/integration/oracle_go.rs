//! Heads, proofs and consistency as Go's `golang.org/x/mod/sumdb` judges them (`tests/oracles/go`): it shares nothing with us.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use immutape::ledger::{Ledger, ProofForm};
use immutape::log::{leaf_hash, root_of};
use immutape::proof::TlogProof;
use serde_json::{Value, json};

use crate::heads::{grow, leaves};
use crate::support::ledgers::{ann, create, save_tape};
use crate::support::needed;

pub fn oracle() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/oracles/sumdb");
    (program.is_file() || needed("no oracle of Go here: tests/oracles/install builds it")).then_some(program)
}

pub fn judge(program: &Path, questions: &[Value]) -> Vec<bool> {
    let mut command = Command::new(program);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let words: Vec<bool> = said
        .lines()
        .map(|word| match word {
            "holds" => true,
            "refused" => false,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(words.len(), questions.len());
    words
}

/// The same question with one digit of one field changed, for every field that has digits, and without its last hash.
fn altered(question: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    let flip = |text: &str| {
        let at = text.len() / 2;
        let other = if &text[at..=at] == "a" { "b" } else { "a" };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    };
    for field in ["leaf", "old_root", "note"] {
        if let Some(text) = question[field].as_str() {
            let mut bad = question.clone();
            bad[field] = flip(text).into();
            all.push(bad);
        }
    }
    for field in ["index", "old"] {
        if let Some(number) = question[field].as_u64() {
            let mut bad = question.clone();
            bad[field] = (number + 1).into();
            all.push(bad);
        }
    }
    let path = question["path"].as_array().unwrap();
    for at in 0..path.len() {
        let (mut bad, mut short) = (question.clone(), question.clone());
        bad["path"][at] = flip(path[at].as_str().unwrap()).into();
        short["path"].as_array_mut().unwrap().remove(at);
        all.extend([bad, short]);
    }
    all
}

pub fn hex_path(path: &[[u8; 32]]) -> Vec<String> {
    path.iter().map(hex::encode).collect()
}

async fn questions(ledger: &Ledger) -> Vec<Value> {
    let key = ledger.checkpoint_key().to_text();
    let saved = save_tape(ledger, "git-policies").await.unwrap();
    grow(ledger, 300).await;
    let proven = ledger.prove(&ann(), &saved.tape.to_text(), ProofForm::TlogProof).await.unwrap();
    let proof = TlogProof::parse(std::str::from_utf8(&proven.file).unwrap()).unwrap();
    let leaf = leaf_hash(&proven.entry);
    let mut all = vec![json!({
        "note": proof.note, "key": key, "leaf": hex::encode(leaf.as_bytes()), "index": proof.index,
        "path": hex_path(&proof.path),
    })];
    let head = ledger.release_head().await.unwrap();
    let size = head.checkpoint.size;
    let leaves = leaves(ledger, size);
    for old in [1, 2, 255, 256, 257, size - 1] {
        let path = ledger.consistency_path(old, size).unwrap();
        let root = root_of(&leaves[..usize::try_from(old).unwrap()]);
        all.push(json!({
            "note": head.note, "key": key, "old": old, "old_root": root.to_hex(), "path": hex_path(&path),
        }));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go_takes_every_good_proof_and_refuses_every_altered_one() {
    let Some(program) = oracle() else { return };
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let good = questions(&ledger).await;
    ledger.close().await.unwrap();
    assert_eq!(judge(&program, &good), vec![true; good.len()]);
    let bad: Vec<Value> = good.iter().flat_map(altered).collect();
    assert!(bad.len() > 60, "{}", bad.len());
    let taken: Vec<&Value> =
        judge(&program, &bad).into_iter().zip(&bad).filter(|(holds, _)| *holds).map(|(_, question)| question).collect();
    assert!(taken.is_empty(), "{taken:#?}");
    // Another key of the same name.
    let mut stranger = good[0].clone();
    let text = stranger["key"].as_str().unwrap().to_owned();
    stranger["key"] = text.replacen('+', "0+", 1).into();
    assert_eq!(judge(&program, &[stranger]), [false]);
}

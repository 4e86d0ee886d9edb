//! What several test files use.
#![allow(dead_code, unused_imports)]

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Stdio};
use tapeaudit_core::sign::{KeyType, PublicKey, VerifierKey};
pub use tapeaudit_core::text::hex;

pub fn bytes(hex: &str) -> Vec<u8> {
    tapeaudit_core::text::unhex(hex).unwrap()
}

pub fn pair(seed: &[u8]) -> salty::signature::Keypair {
    salty::signature::Keypair::from(&<[u8; 32]>::try_from(seed).unwrap())
}

pub fn public(seed: &[u8]) -> PublicKey {
    PublicKey::new(*pair(seed).public.as_bytes()).unwrap()
}

pub fn witness(name: &str, seed: &[u8]) -> VerifierKey {
    VerifierKey { name: name.into(), of: KeyType::Witness, key: public(seed) }
}

pub fn tapeaudit() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tapeaudit"))
}

/// Output and exit code of batch mode over an input.
pub fn batch(input: &[u8]) -> (String, i32) {
    let mut command = tapeaudit();
    command.arg("--batch");
    run(command, input)
}

fn run(mut command: Command, input: &[u8]) -> (String, i32) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        let _ = to.write_all(&input);
    });
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!errors.contains("panicked"), "{errors}");
    (String::from_utf8(out.stdout).unwrap(), out.status.code().unwrap())
}

/// The answers to requests, which get their numbers here.
pub fn answers(requests: &[Value]) -> Vec<Value> {
    let mut input = Vec::new();
    for (n, request) in requests.iter().enumerate() {
        let mut request = request.clone();
        request["n"] = serde_json::json!(n);
        input.extend_from_slice(format!("{request}\n").as_bytes());
    }
    let (out, code) = batch(&input);
    assert_eq!(code, 0, "{out}");
    let found: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), requests.len());
    for (n, answer) in found.iter().enumerate() {
        assert_eq!(answer["n"], n);
    }
    compare_with_another(requests, &found, &input);
    found
}

/// Where TAPEAUDIT_OTHER names the batch mode of another verifier, what differs from it is printed: for whoever wants to
/// know which of two readings of the text a test holds to. It is no check, since words for people may differ.
fn compare_with_another(requests: &[Value], found: &[Value], input: &[u8]) {
    let Ok(other) = std::env::var("TAPEAUDIT_OTHER") else { return };
    let mut words = other.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    let (out, _) = run(command, input);
    for ((request, own), line) in requests.iter().zip(found).zip(out.lines()) {
        let told: Value = serde_json::from_str(line).unwrap();
        for key in ["accept", "verdict", "words"] {
            if own[key] != told[key] {
                let test = std::thread::current().name().unwrap_or("?").to_string();
                println!("{test}: {} {key}: here {}, there {}", request["kind"], own[key], told[key]);
            }
        }
    }
}

/// A folder that vanishes with the test.
pub struct Scratch(pub std::path::PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tapeaudit-{}-{n}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn write(&self, path: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[path = "bags.rs"]
pub mod bags;
#[path = "judge.rs"]
pub mod judge;
#[path = "ledger.rs"]
pub mod ledger;
#[path = "maker.rs"]
pub mod maker;
#[path = "notes.rs"]
pub mod notes;
#[path = "trees.rs"]
pub mod trees;

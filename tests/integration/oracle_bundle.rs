//! Evidence bundles as programs of others judge them, which share nothing with us: each takes the good one and refuses an altered
//! one. `tests/README.md` has their versions; `tests/oracles/install` and `tests/all.sh` bring them, and in CI none may be missing.

mod bag;
mod log;
mod made;
mod schema;
mod signed;
mod tar;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::needed;

/// Is a program there that the machine brings (`tests/all.sh` asks for it)?
fn is_there(program: &str, question: &str) -> bool {
    let asked = Command::new(program).arg(question).stdin(Stdio::null()).output();
    asked.is_ok() || needed(&format!("{program} is not there: tests/all.sh installs it"))
}

/// Where `tests/oracles/install` puts a program.
fn installed(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/oracles").join(path);
    (file.exists() || needed(&format!("no {path} here: tests/oracles/install brings it"))).then_some(file)
}

/// A script beside it.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(name)
}

/// Runs a program with these bytes as its input.
fn fed(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // Who refuses early reads no further.
    let _broken_pipe = writer.join().unwrap();
    output
}

/// Did it succeed? What it said goes with a fault.
#[track_caller]
fn accepts(command: &mut Command) -> bool {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.code().is_some(), "{command:?} ended by a signal");
    output.status.success()
}

/// As [`accepts`], which it must.
#[track_caller]
fn must_accept(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output.stdout
}

/// One word for each question, from a program that reads lines of JSON.
fn judge(command: &mut Command, questions: &[Value]) -> Vec<bool> {
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let output = fed(command, lines.as_bytes());
    let said = String::from_utf8(output.stdout).unwrap();
    let word = |word: &str| match word {
        "holds" => true,
        "refused" => false,
        other => panic!("{other}"),
    };
    let words: Vec<bool> = said.lines().map(word).collect();
    assert_eq!(words.len(), questions.len(), "{}", String::from_utf8_lossy(&output.stderr));
    words
}

/// Every byte with one bit changed, in turn.
fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len()).map(|at| flipped(bytes, at))
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bad = bytes.to_vec();
    bad[at] ^= 1 << (at % 8);
    bad
}

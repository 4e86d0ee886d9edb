//! What the auditor says of bundles that were made with one thing changed.

use super::maker::{Files, Maker, bag, log_key, tar, witnesses};
use super::{Scratch, answers, hex, public, tapeaudit};
use serde_json::{Value, json};

/// What batch mode says of a file.
pub fn judge_with(bytes: &[u8], more: Value) -> Value {
    let scratch = Scratch::new();
    let path = scratch.write("bundle.tar", bytes);
    let mut request = json!({"kind": "bundle", "path": path.to_str().unwrap()});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    answers(&[request]).remove(0)
}

/// What the command says with `--json`: findings and counts, too.
pub fn told_as_json(bytes: &[u8]) -> Value {
    let scratch = Scratch::new();
    let path = scratch.write("bundle.tar", bytes);
    let mut command = tapeaudit();
    for key in pins()["pub"].as_array().unwrap() {
        command.args(["--pub", key.as_str().unwrap()]);
    }
    for key in witnesses() {
        command.args(["--witness", &key.write()]);
    }
    let out = command.arg("--json").arg(&path).output().unwrap();
    serde_json::from_slice(&out.stdout).unwrap()
}

/// What is found, and where, in order.
pub fn findings(files: &Files) -> Vec<String> {
    let told = told_as_json(&tar(files));
    let line = |found: &Value| format!("{}: {}", found["place"].as_str().unwrap(), found["what"].as_str().unwrap());
    let mut lines: Vec<String> = told["findings"].as_array().unwrap().iter().map(line).collect();
    lines.sort();
    lines
}

pub fn pins() -> Value {
    let keys = witnesses().map(|key| key.write());
    json!({"pub": [log_key().write(), hex(public(&[2; 32]).bytes())], "witness": keys})
}

pub fn words(files: &Files) -> Vec<String> {
    words_of(&judge_with(&tar(files), pins()))
}

pub fn words_of(answer: &Value) -> Vec<String> {
    answer["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().into()).collect()
}

pub fn made(change: impl FnOnce(&mut Maker)) -> Vec<String> {
    let mut maker = Maker::new();
    change(&mut maker);
    words(&bag(&maker.make().files))
}

pub fn asked(change: impl FnOnce(&mut Maker)) -> Vec<String> {
    let mut maker = Maker::query();
    change(&mut maker);
    words(&bag(&maker.make().files))
}

/// The good bundle with one payload file changed, and the bag made anew around it.
pub fn changed(path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<String> {
    let made = Maker::new().make();
    let mut files = made.files;
    let path = path.replace("TAPE", &hex(&made.tape));
    let before = files[&path].clone();
    change(files.get_mut(&path).unwrap());
    assert_ne!(files[&path], before);
    words(&bag(&files))
}

pub fn without(path: &str) -> Vec<String> {
    let made = Maker::new().make();
    let mut files = made.files;
    files.remove(&path.replace("TAPE", &hex(&made.tape))).unwrap();
    words(&bag(&files))
}

// Passed as it is where a file's bytes are changed.
#[allow(clippy::ptr_arg)]
pub fn flip(bytes: &mut Vec<u8>) {
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
}

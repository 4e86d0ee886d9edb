//! Go's `x/mod/sumdb` over heads, proofs and consistency of a bundle; `openssl` over time-stamps and keys.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use immutape::evidence::bundle::path;
use immutape::log::{AnchorBody, Body};
use serde_json::{Value, json};

use super::made::{Made, made};
use super::{accepts, flipped, must_accept};
use crate::oracle_go::{hex_path, judge, oracle};
use crate::support::time_authority::{Authority, Keys};

/// Size and root of a head, from its text.
fn head(note: &str) -> (u64, String) {
    let lines: Vec<&str> = note.lines().collect();
    (lines[1].parse().unwrap(), hex::encode(STANDARD.decode(lines[2]).unwrap()))
}

/// Heads of kinds 128 and 129 with their notes and what leads from them to the bundle's own.
fn heads(made: &Made) -> Vec<(u64, String, Vec<[u8; 32]>)> {
    let mut heads = Vec::new();
    for (item, index, body) in made.entries() {
        if let Body::Anchor(AnchorBody::Cosigned { note, .. } | AnchorBody::Timestamped { note, .. }) = body {
            heads.push((index, String::from_utf8(note).unwrap(), item.consistency.unwrap()));
        }
    }
    heads
}

/// A question that is to be refused, of one that holds: a digit or letter of this field changed.
fn bent(question: &Value, field: &str, at: usize) -> Value {
    let text = question[field].as_str().unwrap();
    let other = if &text[at..=at] == "1" { "2" } else { "1" };
    let mut bad = question.clone();
    bad[field] = format!("{}{other}{}", &text[..at], &text[at + 1..]).into();
    bad
}

#[test]
fn go_takes_head_proofs_and_older_heads_of_a_bundle_and_refuses_every_altered_one() {
    let Some(program) = oracle() else { return };
    let Some(made) = made() else { return };
    let checkpoint = made.text(path::CHECKPOINT);
    let size = head(checkpoint).0;
    let key = made.key("checkpoint", size, ".vkey").trim_end();
    assert_eq!([made.key("checkpoint", 1, ".vkey").trim_end(), key], made.verifiers[..], "as the program told them");
    let proofs: Vec<Value> = made
        .folder
        .iter()
        .filter(|(path, _)| path.ends_with(".tlog-proof"))
        .map(|(_, bytes)| json!({ "proof": std::str::from_utf8(bytes).unwrap(), "key": key }))
        .collect();
    assert_eq!(proofs.len(), 6);
    let heads = heads(made);
    let mut keys_used = std::collections::BTreeSet::new();
    let mut good = vec![json!({ "note": checkpoint, "key": key })];
    let mut bad = vec![json!({ "note": checkpoint, "key": made.verifiers[0] })];
    for (_, note, path) in &heads {
        let (old, root) = head(note);
        let own = made.key("checkpoint", old, ".vkey").trim_end();
        keys_used.insert(own);
        good.push(json!({ "note": note, "key": own }));
        let older = json!({ "note": checkpoint, "key": key, "old": old, "old_root": root, "path": hex_path(path) });
        bad.push(bent(&older, "old_root", 20));
        let (mut short, mut other) = (older.clone(), older.clone());
        short["path"].as_array_mut().unwrap().pop().unwrap();
        other["old"] = (old + 1).into();
        bad.extend([short, other]);
        good.push(older);
    }
    assert!(heads.len() >= 4 && keys_used.len() == 2, "{} heads under {} keys", heads.len(), keys_used.len());
    for proof in &proofs {
        let text = proof["proof"].as_str().unwrap();
        let (front, _) = text.split_once("\n\n").unwrap();
        // A letter of the entry, of its index, of every hash and of the head.
        let lines = front.split('\n').scan(0, |at, line| Some((std::mem::replace(at, *at + line.len() + 1), line)));
        for (at, line) in lines.skip(1) {
            bad.push(bent(proof, "proof", at + line.len() / 2));
        }
        bad.push(bent(proof, "proof", front.len() + 10));
        bad.push(json!({ "proof": text, "key": made.verifiers[0] }));
    }
    good.extend(proofs);
    assert_eq!(judge(&program, &good), vec![true; good.len()]);
    assert!(bad.len() > 60, "{}", bad.len());
    let words = judge(&program, &bad);
    let taken: Vec<_> = words.iter().zip(&bad).filter(|(holds, _)| **holds).collect();
    assert!(taken.is_empty(), "{taken:#?}");
}

#[test]
fn openssl_takes_the_time_stamps_and_refuses_every_altered_one() {
    let Some(made) = made() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("roots.pem"), &made.roots).unwrap();
    let verify = |note: &[u8], token: &[u8], roots: &str| {
        fs::write(folder.path().join("note"), note).unwrap();
        fs::write(folder.path().join("token.tst"), token).unwrap();
        let mut command = Command::new("openssl");
        // The command of section 5.6.
        command.args(["ts", "-verify", "-data", "note", "-token_in", "-in", "token.tst", "-CAfile", roots]);
        command.current_dir(folder.path());
        command
    };
    let notes: Vec<&String> = made.folder.keys().filter(|path| path.ends_with(".note")).collect();
    assert!(notes.len() >= 2, "{notes:?}");
    // Another authority, whose certificates are named alike.
    fs::write(folder.path().join("other.pem"), Authority::new(Keys::P256).read("root.pem")).unwrap();
    for note in &notes {
        let token = &made.folder[&note.replace(".note", ".tst")];
        let note = &made.folder[*note];
        must_accept(&mut verify(note, token, "roots.pem"));
        assert!(!accepts(&mut verify(note, token, "other.pem")));
        for at in [0, note.len() / 2, note.len() - 1] {
            assert!(!accepts(&mut verify(&flipped(note, at), token, "roots.pem")), "note, {at}");
        }
        // Length, digest, signature, which ends the token.
        let imprint = token.windows(32).position(|window| window == immutape::codec::digest::sha256(note)).unwrap();
        for at in [1, imprint + 7, token.len() - 3] {
            assert!(!accepts(&mut verify(note, &flipped(token, at), "roots.pem")), "token, {at}");
        }
    }
    let [one, two] = [notes[0], notes[1]];
    assert!(!accepts(&mut verify(&made.folder[one], &made.folder[&two.replace(".note", ".tst")], "roots.pem")));
}

#[test]
fn openssl_reads_the_keys_of_a_bundle() {
    let Some(made) = made() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    let read = |bytes: &[u8], file: &Path| {
        fs::write(file, bytes).unwrap();
        let output = Command::new("openssl").args(["pkey", "-pubin", "-outform", "DER", "-in"]).arg(file).output();
        let output = output.unwrap();
        output.status.success().then_some(output.stdout)
    };
    let keys: Vec<&String> = made.folder.keys().filter(|path| path.ends_with(".pem")).collect();
    assert_eq!(keys.len(), 5, "two of the log, two of its recorder, one issuer: {keys:?}");
    for path in keys {
        let der = read(&made.folder[path], &file).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(der.len(), 44);
        if path.starts_with("data/keys/checkpoint-") {
            // The same key as in the verifier key beside it.
            let text = made.text(&path.replace(".pem", ".vkey")).trim_end();
            let typed = STANDARD.decode(text.splitn(3, '+').nth(2).unwrap()).unwrap();
            assert_eq!(typed, [&[1], &der[12..]].concat(), "{path}");
        }
        let text = made.text(path);
        // Another length, another kind of key that nobody knows, a key that is cut off.
        let changed = [("MCow", "MCox"), ("MCowBQYDK2Vw", "MCowBQYDK2V6"), ("MCowBQYDK2Vw", "MCowBQYD")];
        for bad in changed.map(|(from, to)| text.replacen(from, to, 1)) {
            assert_ne!(bad, text);
            assert_eq!(read(bad.as_bytes(), &file), None, "{bad}");
        }
    }
}

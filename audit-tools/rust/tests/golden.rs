//! The golden files of the format's chapters, through batch mode: accepted ones are accepted, refused ones refused.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "support/mod.rs"]
mod support;

use serde_json::{Value, json};
use std::path::PathBuf;
use support::{answers, hex};
use tapeaudit_core::sign::{KeyType, PublicKey, VerifierKey};
use tapeaudit_core::vault::{Generation, slots};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

struct Chapter {
    name: &'static str,
    index: toml::Table,
}

impl Chapter {
    fn open(name: &'static str) -> Self {
        let text = std::fs::read_to_string(folder().join(name).join("index.toml")).unwrap();
        Self { name, index: text.parse().unwrap() }
    }

    fn input(&self, name: &str) -> String {
        self.index["inputs"][name].as_str().unwrap().into()
    }

    fn log_key(&self) -> String {
        let key = support::bytes(&self.input("checkpoint_key")).try_into().unwrap();
        VerifierKey { name: self.input("origin"), of: KeyType::Log, key: PublicKey::new(key).unwrap() }.write()
    }

    fn list(&self, what: &str) -> Vec<toml::Table> {
        self.index[what].as_array().unwrap().iter().map(|item| item.as_table().unwrap().clone()).collect()
    }

    fn decoder(&self, file: &toml::Table) -> String {
        let name = file.get("from").unwrap_or(&file["file"]).as_str().unwrap();
        let from = self.list("accept").into_iter().find(|a| a["file"].as_str() == Some(name)).unwrap();
        from["decoder"].as_str().unwrap().into()
    }

    /// What batch mode is asked about a file; None for a decoder that it has no kind for.
    fn request(&self, folder_name: &str, file: &toml::Table, signed: bool) -> Option<Value> {
        let name = file["file"].as_str().unwrap();
        let bytes = std::fs::read(folder().join(self.name).join(folder_name).join(name)).unwrap();
        let decoder = self.decoder(file);
        let mut request = match decoder.as_str() {
            "item" => json!({"kind": "cbor"}),
            "frame" | "header" | "manifest" | "entry" => json!({"kind": decoder}),
            "tape-root" => json!({"kind": "root"}),
            "private-half" => json!({"kind": "private"}),
            "statement" if signed => json!({"kind": "statement", "key": self.input("recorder_key")}),
            "statement" => json!({"kind": "statement"}),
            "checkpoint" => json!({"kind": "note", "key": self.log_key()}),
            "fork" => json!({"kind": "fork", "key": self.log_key()}),
            "tlog-proof" | "cosigned" => {
                let kind = if decoder == "cosigned" { "note" } else { "proof" };
                json!({"kind": kind, "key": self.log_key(), "witness": self.witnesses(), "quorum": 2})
            }
            "receipt" => {
                let leaf = tapeaudit_core::tree::leaf(&support::bytes(&self.input("entry")));
                json!({"kind": "receipt", "key": self.input("issuer_key"), "leaf": hex(&leaf)})
            }
            _ => return None,
        };
        let text = matches!(decoder.as_str(), "checkpoint" | "fork" | "tlog-proof" | "cosigned");
        let (key, value) = match String::from_utf8(bytes) {
            Ok(words) if text => ("text", words),
            Ok(words) => ("hex", hex(words.as_bytes())),
            Err(other) => ("hex", hex(other.as_bytes())),
        };
        request[key] = json!(value);
        Some(request)
    }

    fn witnesses(&self) -> Vec<String> {
        let key = |n: &str| {
            let seed = support::bytes(&self.input(&format!("witness_{n}_seed")));
            support::witness(&self.input(&format!("witness_{n}")), &seed).write()
        };
        vec![key("1"), key("2")]
    }
}

const CHAPTERS: [&str; 5] = ["1-bytes", "2-tape", "3-seal", "4-commit", "5-proof"];

#[test]
fn accepted_files_are_accepted_with_their_ids() {
    let mut count = 0;
    for name in CHAPTERS {
        let chapter = Chapter::open(name);
        for file in chapter.list("accept") {
            // Batch mode has the leaf from the line `extra`: without it there is nothing to prove.
            if matches!(file["file"].as_str(), Some("entry-bare.tlog-proof" | "only-entry.tlog-proof")) {
                continue;
            }
            let Some(request) = chapter.request("accept", &file, true) else { continue };
            let answer = answers(std::slice::from_ref(&request)).remove(0);
            assert_eq!(answer["accept"], true, "{name} {}: {answer}", file["file"]);
            let id = answer["id"].as_str().unwrap();
            match request["kind"].as_str().unwrap() {
                "cbor" | "frame" | "header" | "root" | "manifest" | "private" => {
                    assert_eq!(id, file["sha256"].as_str().unwrap());
                }
                "entry" => {
                    if let Some(leaf) = file.get("values").and_then(|values| values.get("leaf_hash")) {
                        assert_eq!(id, leaf.as_str().unwrap());
                    }
                }
                "statement" | "receipt" => assert_eq!(id, file["values"]["opened"].as_str().unwrap()),
                _ => assert_eq!(id.len(), 64),
            }
            count += 1;
        }
    }
    assert!(count >= 90, "{count} files");
}

#[test]
fn refused_files_are_refused() {
    let mut count = 0;
    for name in CHAPTERS {
        let chapter = Chapter::open(name);
        for file in chapter.list("reject") {
            let Some(request) = chapter.request("reject", &file, true) else { continue };
            let answer = answers(&[request]).remove(0);
            assert_eq!(answer["accept"], false, "{name} {}: {answer}", file["file"]);
            count += 1;
        }
    }
    assert!(count >= 280, "{count} files");
}

#[test]
fn a_statement_is_judged_by_its_shape_where_no_key_is_given() {
    let chapter = Chapter::open("3-seal");
    for file in chapter.list("reject") {
        let name = file["file"].as_str().unwrap();
        if !matches!(name, "statement-signature-r.cbor" | "statement-other-signer.cbor" | "statement-other-kid.cbor") {
            continue;
        }
        let request = chapter.request("reject", &file, false).unwrap();
        assert_eq!(answers(&[request]).remove(0)["accept"], true, "{name}");
    }
}

#[test]
fn lines_that_are_no_request_are_told_and_end_with_two() {
    let (out, code) = support::batch(
        b"{\"n\": 1, \"kind\": \"cbor\", \"hex\": \"f6\"}\nwhat\n{\"n\": 2, \"kind\": \"none\", \"hex\": \"\"}\n",
    );
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["accept"], true);
    assert_eq!((&lines[1]["n"], &lines[2]["n"]), (&Value::Null, &Value::Null));
    assert!(lines[1]["error"].is_string());
    assert_eq!((lines.len(), code), (3, 2));
}

/// Files of the vault as far as they can be read without its root.
#[test]
fn the_vault_by_its_shape() {
    let chapter = Chapter::open("store-embedded");
    let epoch = [0xe1; 16];
    let bytes = |folder_name: &str, file: &toml::Table| {
        std::fs::read(folder().join(chapter.name).join(folder_name).join(file["file"].as_str().unwrap())).unwrap()
    };
    let (mut accepted, mut refused) = (0, 0);
    for file in chapter.list("accept") {
        match file["file"].as_str().unwrap() {
            "vault-generation.bin" => {
                let found = Generation::read(&bytes("accept", &file)).unwrap();
                assert_eq!((found.number, found.epochs.len()), ((2, 3), 2));
                assert_eq!(hex(&found.digest), file["values"]["body_digest"].as_str().unwrap());
            }
            "vault-slots.bin" => {
                let found = slots(&epoch, &bytes("accept", &file));
                assert_eq!((found.keys.len(), found.cut, found.damaged), (2, 1, vec![]));
            }
            _ => continue,
        }
        accepted += 1;
    }
    for file in chapter.list("reject") {
        let (name, bytes) = (file["file"].as_str().unwrap(), bytes("reject", &file));
        match file.get("from").and_then(toml::Value::as_str) {
            // What only the root tells: the code over the file, and whether a key opens. The origin is compared with the log.
            Some("vault-generation.bin")
                if name.contains("-code") || name.contains("-bit") || name.contains("-purpose") =>
            {
                assert!(Generation::read(&bytes).is_ok(), "{name}");
            }
            Some("vault-generation.bin") if name.contains("-origin") => {
                assert_ne!(Generation::read(&bytes).unwrap().origin, chapter.input("origin"));
            }
            Some("vault-generation.bin") => assert!(Generation::read(&bytes).is_err(), "{name}"),
            Some("vault-slots.bin") => assert!(!slots(&epoch, &bytes).damaged.is_empty(), "{name}"),
            _ => continue,
        }
        refused += 1;
    }
    assert_eq!((accepted, refused), (2, 18));
}

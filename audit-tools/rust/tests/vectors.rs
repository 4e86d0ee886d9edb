//! Public test vectors: Ed25519 strictness, Merkle paths, CBOR, and speed of the hash.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "support/mod.rs"]
mod support;

use serde_json::Value;
use std::io::Write;
use support::bytes;
use tapeaudit_core::sign::PublicKey;
use tapeaudit_core::{cbor, text, tree};

/// A file of the shared vectors, where they are.
fn vectors(path: &str) -> Option<String> {
    let from = std::env::var("TAPEAUDIT_VECTORS").map_or_else(
        |_| std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("../shared/vectors"),
        Into::into,
    );
    let found = std::fs::read_to_string(from.join(path));
    if found.is_err() {
        skipped(&format!("the Rust auditor on {path}: no such file (TAPEAUDIT_VECTORS names the folder of vectors)"));
    }
    found.ok()
}

/// What is left out is told where whoever runs all tests collects it, and else printed.
fn skipped(what: &str) {
    let Some(list) = std::env::var_os("IMMUTAPE_SKIPS") else { return println!("skipped: {what}") };
    let mut list = std::fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
    writeln!(list, "{what}").unwrap();
}

#[test]
fn what_is_left_out_is_told() {
    let scratch = support::Scratch::new();
    let list = scratch.0.join("skips");
    let run = |told: bool| {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "wycheproof_signatures", "--nocapture"]);
        command.env("TAPEAUDIT_VECTORS", &scratch.0).env_remove("IMMUTAPE_SKIPS");
        if told {
            command.env("IMMUTAPE_SKIPS", &list);
        }
        let out = command.output().unwrap();
        assert!(out.status.success());
        String::from_utf8(out.stdout).unwrap()
    };
    const LINE: &str = "the Rust auditor on wycheproof/ed25519_test.json: no such file";
    assert!(run(false).contains(&format!("skipped: {LINE}")));
    assert!(!run(true).contains("skipped") && !run(true).contains(LINE));
    let told = std::fs::read_to_string(&list).unwrap();
    assert_eq!(told.lines().filter(|line| line.starts_with(LINE)).count(), 2);
}

fn holds(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (key.try_into(), signature.try_into()) else { return false };
    PublicKey::new(key).and_then(|key| key.verify(message, signature)).is_ok()
}

#[test]
fn wycheproof_signatures() {
    let Some(file) = vectors("wycheproof/ed25519_test.json") else { return };
    let file: Value = serde_json::from_str(&file).unwrap();
    let (mut good, mut bad) = (0, 0);
    for group in file["testGroups"].as_array().unwrap() {
        let key = bytes(group["publicKey"]["pk"].as_str().unwrap());
        for test in group["tests"].as_array().unwrap() {
            let (message, signature) = (bytes(test["msg"].as_str().unwrap()), bytes(test["sig"].as_str().unwrap()));
            let valid = test["result"] == "valid";
            assert_eq!(holds(&key, &message, &signature), valid, "{test}");
            if valid { good += 1 } else { bad += 1 }
        }
    }
    assert!(good > 50 && bad > 30, "{good} {bad}");
}

#[test]
fn every_edge_case_of_a_and_r() {
    let Some(file) = vectors("cctv-ed25519/ed25519vectors.json") else { return };
    let file: Value = serde_json::from_str(&file).unwrap();
    let (mut good, mut bad) = (0, 0);
    for test in file.as_array().unwrap() {
        let flags: Vec<&str> =
            test["flags"].as_array().map(|f| f.iter().filter_map(Value::as_str).collect()).unwrap_or_default();
        let lax = |flag: &&str| {
            matches!(
                *flag,
                "low_order_A"
                    | "low_order_R"
                    | "non_canonical_A"
                    | "non_canonical_R"
                    | "low_order_residue"
                    | "reencoded_k"
            )
        };
        let strict = !flags.iter().any(lax);
        let found = holds(
            &bytes(test["key"].as_str().unwrap()),
            test["msg"].as_str().unwrap().as_bytes(),
            &bytes(test["sig"].as_str().unwrap()),
        );
        assert_eq!(found, strict, "{test}");
        if found { good += 1 } else { bad += 1 }
    }
    assert!(good > 0 && bad > 500, "{good} {bad}");
}

#[test]
fn sums_past_the_order_and_small_points_are_refused() {
    let pair = support::pair(&[7; 32]);
    let signature = pair.sign(b"m").to_bytes();
    let key = *pair.public.as_bytes();
    assert!(holds(&key, b"m", &signature));
    assert!(!holds(&key, b"n", &signature));
    let order = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let (mut past, mut carry) = (signature, 0_u16);
    for (at, byte) in order.iter().enumerate() {
        let sum = u16::from(past[32 + at]) + u16::from(*byte) + carry;
        past[32 + at] = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_ne!(past, signature);
    assert!(!holds(&key, b"m", &past));
    for small in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        assert!(PublicKey::new(bytes(small).try_into().unwrap()).is_err(), "{small}");
    }
}

/// 32 bytes out of base64; None for another length, which a reader of files refuses before it asks for a path.
fn hash_of(value: &Value) -> Option<[u8; 32]> {
    text::unbase64_of(value.as_str().unwrap_or_default()).ok()
}

fn hashes_of(list: &Value) -> Option<Vec<[u8; 32]>> {
    list.as_array().map_or(Some(Vec::new()), |list| list.iter().map(hash_of).collect())
}

fn probes(path: &str, counts: (usize, usize, usize), fits: impl Fn(&Value) -> Option<bool>) {
    let Some(file) = vectors(path) else { return };
    let (mut good, mut bad, mut left_out) = (0, 0, 0);
    for line in file.lines() {
        let test: Value = serde_json::from_str(line).unwrap();
        let wanted = test["wantErr"] == false || test["wantErr"].is_null();
        let found = fits(&test);
        // A good probe that has words where a root belongs is about no tree at all.
        if wanted && found.is_none() {
            left_out += 1;
            continue;
        }
        assert_eq!(found.unwrap_or(false), wanted, "{test}");
        if wanted { good += 1 } else { bad += 1 }
    }
    assert_eq!((good, bad, left_out), counts);
}

#[test]
fn merkle_paths_of_others() {
    probes("rfc6962-merkle/inclusion.jsonl", (6, 92, 0), |test| {
        let (index, size) = (test["leafIdx"].as_u64()?, test["treeSize"].as_u64()?);
        let root = tree::path_root(&hash_of(&test["leafHash"])?, index, size, &hashes_of(&test["proof"])?).ok()?;
        Some(root == hash_of(&test["root"])?)
    });
    probes("rfc6962-merkle/consistency.jsonl", (5, 92, 1), |test| {
        let (old, new) = (hash_of(&test["root1"])?, hash_of(&test["root2"])?);
        let (from, to) = (test["size1"].as_u64()?, test["size2"].as_u64()?);
        Some(tree::consistent((from, &old), (to, &new), &hashes_of(&test["proof"])?).is_ok())
    });
}

/// The set proof of 6.5 as its text says it: the hashes that a proof has, and its root.
fn by_the_text(leaves: &[[u8; 32]], at: usize, known: &[usize], hashes: &mut Vec<[u8; 32]>) -> [u8; 32] {
    let n = leaves.len();
    let split = |hashes: &mut Vec<[u8; 32]>| {
        let k = 1 << (n - 1).ilog2();
        let left = by_the_text(&leaves[..k], at, known, hashes);
        tree::node(&left, &by_the_text(&leaves[k..], at + k, known, hashes))
    };
    if !known.iter().any(|known| (at..at + n).contains(known)) {
        let root = if n == 1 { leaves[0] } else { split(&mut Vec::new()) };
        hashes.push(root);
        return root;
    }
    if n == 1 { leaves[0] } else { split(hashes) }
}

#[test]
fn set_proofs_of_every_subset_of_small_trees() {
    let leaves: Vec<[u8; 32]> = (0..11_u8).map(|n| tree::leaf(&[n])).collect();
    let mut count = 0;
    for size in 1..=11 {
        let mut frontier = tree::Frontier::new();
        leaves[..size].iter().for_each(|leaf| frontier.push(*leaf));
        for subset in 0..1_u32 << size {
            let known: Vec<usize> = (0..size).filter(|place| subset >> place & 1 == 1).collect();
            let mut hashes = Vec::new();
            let root = by_the_text(&leaves[..size], 0, &known, &mut hashes);
            assert_eq!(root, frontier.root());
            let walk = |hashes: &[[u8; 32]]| {
                let mut walk = tree::SetWalk::new(size as u64, hashes.iter().copied());
                known.iter().try_for_each(|place| walk.leaf(*place as u64, leaves[*place]))?;
                walk.finish()
            };
            assert_eq!(walk(&hashes), Ok(root), "{size} {known:?}");
            let more: Vec<_> = hashes.iter().copied().chain([[0; 32]]).collect();
            assert!(walk(&more).is_err());
            if let Some((_, fewer)) = hashes.split_last() {
                assert!(walk(fewer).is_err());
            }
            count += 1;
        }
    }
    assert_eq!(count, 4094);
    assert_eq!(tree::SetWalk::new(0, std::iter::empty()).finish(), Ok(tree::empty()));
    let past = (1_u64 << 40, u64::MAX);
    let mut walk = tree::SetWalk::new(past.1, std::iter::repeat_n([1; 32], 200));
    assert!(walk.leaf(past.1, [0; 32]).is_err());
    assert!(walk.leaf(past.0, [0; 32]).is_ok() && walk.finish().is_err());
}

#[test]
fn items_that_are_not_well_formed() {
    let Some(file) = vectors("cbor/fail.json") else { return };
    let file: Value = serde_json::from_str(&file).unwrap();
    let mut count = 0;
    for test in file.as_array().unwrap() {
        let Some(hex) = test["hex"].as_str() else { continue };
        assert!(cbor::whole_item(&bytes(&hex.to_ascii_lowercase())).is_err(), "{test}");
        count += 1;
    }
    assert!(count > 10, "{count}");
}

/// Not a check: prints how fast the hash is (`cargo test --release --test vectors -- --ignored --nocapture speed`).
#[test]
#[ignore = "prints a number"]
fn speed() {
    let data = vec![7_u8; 256 << 20];
    let from = std::time::Instant::now();
    let digest = tapeaudit_core::digest::hash(&data);
    println!("{} {:.0} MB/s", digest[0], 268.0 / from.elapsed().as_secs_f64());
}

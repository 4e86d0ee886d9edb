//! Statements and receipts as four readers of COSE have them, and the signature that OpenSSH checks.
//!
//! All four know algorithm -8 and pass over the headers of hash envelopes (258, 259) and those with names. Of receipts scitt-cose alone
//! knows the proof inside; the others verify the signature over the root, which they are given.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use immutape::evidence::bundle::path;
use immutape::log::{Body, leaf_hash};
use immutape::proof::Receipt;
use immutape::seal::PublicKey;
use serde_json::{Value, json};

use super::made::{Made, made};
use super::{fed, flipped, flips, installed, is_there, judge, must_accept, script};

/// scitt-cose, with the proof in a receipt.
const WITH_PROOF: &str = "receipt";

/// One message with what it takes to check it.
struct Case {
    what: String,
    message: Vec<u8>,
    key: String,
    /// Of receipts: the root, and the entry.
    signed: Option<(String, Vec<u8>)>,
}

fn cases(made: &Made) -> Vec<Case> {
    let root = hex::encode(STANDARD.decode(made.text(path::CHECKPOINT).lines().nth(2).unwrap()).unwrap());
    let entries = made.entries();
    let mut cases = Vec::new();
    for given in &made.completeness().given {
        let file = |name: &str| made.folder[&path::of_tape(&given.tape, name)].clone();
        let (item, ..) = entries.iter().find(|(_, index, _)| *index == given.entry).unwrap();
        let recorder = made.key("recorder", given.entry, ".pem").to_owned();
        let (issuer, entry) = (made.key("issuer", 1, ".pem").to_owned(), item.public.clone());
        let what = format!("statement about {}", given.tape.to_hex());
        cases.push(Case { what, message: file("statement.cose"), key: recorder, signed: None });
        let (what, signed) = (format!("receipt for entry {}", given.entry), Some((root.clone(), entry)));
        cases.push(Case { what, message: file("receipt.cose"), key: issuer, signed });
    }
    let keys: std::collections::BTreeSet<&str> = cases.iter().map(|case| case.key.as_str()).collect();
    assert_eq!((cases.len(), keys.len()), (6, 3), "tapes of two keys of the recorder");
    cases
}

fn question(by: &str, case: &Case, message: &[u8]) -> Value {
    let mut question = json!({ "by": by, "message": hex::encode(message), "key": case.key });
    if let Some((root, entry)) = &case.signed {
        if by == WITH_PROOF {
            question["by"] = "scitt-cose".into();
            question["entry"] = hex::encode(entry).into();
        } else {
            question["payload"] = root.as_str().into();
        }
    }
    question
}

/// Everything that one reader is asked about one message: it as it is, every byte of it changed, and it under another key.
fn questions(by: &str, case: &Case) -> Vec<Value> {
    let mut questions = vec![question(by, case, &case.message)];
    questions.extend(flips(&case.message).map(|bad| question(by, case, &bad)));
    let mut stranger = questions[0].clone();
    stranger["key"] = other_key(&case.key).into();
    questions.push(stranger);
    questions
}

/// The places where a changed byte was taken, once the good message was and under another key was not. One start of a program
/// judges everything.
fn taken<'a>(asked: &[(&'a str, &'a Case)], command: &mut Command) -> Vec<(&'a str, &'a Case, Vec<usize>)> {
    let all: Vec<Value> = asked.iter().flat_map(|(by, case)| questions(by, case)).collect();
    let words = judge(command, &all);
    let (mut words, mut found) = (words.as_slice(), Vec::new());
    for (by, case) in asked {
        let own;
        (own, words) = words.split_at(case.message.len() + 2);
        assert!(own[0], "{by} refuses the {}", case.what);
        assert!(!own[own.len() - 1], "{by} takes the {} under another key", case.what);
        found.push((*by, *case, (0..case.message.len()).filter(|at| own[at + 1]).collect()));
    }
    assert!(words.is_empty());
    found
}

/// A key that signed nothing.
fn other_key(not: &str) -> String {
    let stranger = ed25519_dalek::SigningKey::from_bytes(&[0x33; 32]).verifying_key();
    let key = immutape::evidence::bundle::public_key_pem(&PublicKey::from_bytes(stranger.as_bytes()).unwrap());
    assert_ne!(key, not);
    key
}

/// Where the parts of a COSE_Sign1 that are under no signature stand: of a statement the empty map, of a receipt the map with the
/// proof.
fn unprotected(case: &Case) -> std::ops::Range<usize> {
    let protected = 2 + 3 + usize::from(u16::from_be_bytes([case.message[3], case.message[4]]));
    let (start, end) = match (case.message[2], case.signed.is_some()) {
        (0x59, _) => (protected, case.message.len() - 66),
        (0x58, _) => (2 + 2 + usize::from(case.message[3]), case.message.len() - 66),
        other => panic!("{other:?}"),
    };
    // Behind it the payload: 34 bytes of a statement, null of a receipt.
    start..end - if case.signed.is_some() { 1 } else { 34 }
}

#[test]
fn four_readers_take_statements_and_receipts_and_refuse_every_altered_one() {
    let (Some(python), Some(node)) = (installed("py/bin/python"), installed("node")) else { return };
    if !is_there("node", "--version") {
        return;
    }
    let Some(made) = made() else { return };
    let cases = cases(made);
    // The first tape and the last: one of each key of the recorder.
    let cases: Vec<&Case> = cases.iter().take(2).chain(cases.iter().skip(4)).collect();
    let by = |names: &[&'static str]| -> Vec<(&'static str, &Case)> {
        names.iter().flat_map(|by| cases.iter().map(move |case| (*by, *case))).collect()
    };
    let mut asked = by(&["pycose", "python-cwt", "scitt-cose"]);
    asked.extend(cases.iter().filter(|case| case.signed.is_some()).map(|case| (WITH_PROOF, *case)));
    let mut found = taken(&asked, Command::new(&python).arg(script("cose.py")));
    found.extend(taken(&by(&["@auth0/cose"]), Command::new("node").arg(script("cose.mjs")).arg(&node)));
    assert_eq!(found.len(), 18);
    for (by, case, taken) in found {
        if let Some((_, entry)) = case.signed.as_ref().filter(|_| by == WITH_PROOF) {
            // Nothing but the size of the tree may change, where the same path leads on (5.3).
            let issuer = issuer(made);
            let ours =
                |bytes: &[u8]| Receipt::decode(bytes).is_ok_and(|r| r.verify(&leaf_hash(entry), &issuer).is_ok());
            let by_us: Vec<usize> = (0..case.message.len()).filter(|at| ours(&flipped(&case.message, *at))).collect();
            assert_eq!(taken, by_us, "{}", case.what);
            assert!(taken.len() <= 2, "{}: {taken:?}", case.what);
            continue;
        }
        // What no signature is over may change; a statement has nothing there, and all but @auth0/cose see that it is no map. That one
        // does not look either what stands in the place of a payload that it is given.
        let mut open = unprotected(case);
        open.end += usize::from(by == "@auth0/cose" && case.signed.is_some());
        assert!(taken.iter().all(|at| open.contains(at)), "{by}, {}: {taken:?} outside {open:?}", case.what);
        let is_strict = case.signed.is_none() && by != "@auth0/cose";
        assert!(!is_strict || taken.is_empty(), "{by}, {}: {taken:?}", case.what);
    }
}

fn issuer(made: &Made) -> PublicKey {
    let entries = made.entries();
    let Body::Genesis(genesis) = &entries[0].2 else { panic!("entry 0") };
    PublicKey::from_bytes(&genesis.keys[2]).unwrap()
}

#[test]
fn openssh_takes_what_is_complete_from_its_signer_alone() {
    if !is_there("ssh-keygen", "-?") {
        return;
    }
    let Some(made) = made() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (json, signature) = (&made.folder[path::COMPLETENESS], made.text(path::COMPLETENESS_SIGNATURE));
    let (signers, origin) = (made.text(path::ALLOWED_SIGNERS), made.completeness().origin);
    let verify = |json: &[u8], signature: &str, signers: &str, (name, namespace): (&str, &str)| {
        fs::write(folder.path().join("signature"), signature).unwrap();
        fs::write(folder.path().join("signers"), signers).unwrap();
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "verify", "-f", "signers", "-I", name, "-n", namespace, "-s", "signature"]);
        let output = fed(command.current_dir(folder.path()), json);
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let usual = (origin.as_str(), "evidence@immutape");
    let (holds, said) = verify(json, signature, signers, usual);
    assert!(holds, "{said}");
    let refused = |what: &str, (holds, said): (bool, String)| assert!(!holds, "{what}: {said}");
    for at in [0, json.len() / 2, json.len() - 1] {
        refused("another text", verify(&flipped(json, at), signature, signers, usual));
    }
    refused("another namespace", verify(json, signature, signers, (&origin, "file")));
    refused("another name", verify(json, signature, signers, ("somebody", usual.1)));
    refused(
        "another name, of the same beginning",
        verify(json, signature, signers, (&origin[..origin.len() - 1], usual.1)),
    );
    let wide = signers.replace("namespaces=\"evidence@immutape\" ", "");
    refused("a namespace that the signature is not for", verify(json, signature, &wide, (&origin, "file")));
    let narrow = signers.replace("evidence@immutape", "file");
    refused("a signer who may not sign this", verify(json, signature, &narrow, usual));
    let body = signature.lines().skip(1).take_while(|line| !line.starts_with('-')).collect::<String>();
    let bytes = STANDARD.decode(body).unwrap();
    for at in (0..bytes.len()).step_by(5).chain([bytes.len() - 1]) {
        let text = STANDARD.encode(flipped(&bytes, at));
        let armored = format!("-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n");
        refused("another signature", verify(json, &armored, signers, usual));
    }
    // Somebody else's good signature of the same file.
    let key = folder.path().join("stranger");
    must_accept(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key));
    let signed = fed(Command::new("ssh-keygen").args(["-Y", "sign", "-n", usual.1, "-f"]).arg(&key), json);
    let theirs = String::from_utf8(signed.stdout).unwrap();
    assert!(theirs.starts_with("-----BEGIN SSH SIGNATURE-----\n"), "{theirs}");
    refused("a stranger", verify(json, &theirs, signers, usual));
    // Another program of the same form: ours and theirs differ in key and signature alone.
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let line = format!("{origin} namespaces=\"{}\" {public}", usual.1);
    assert!(verify(json, &theirs, &line, usual).0);
    assert_eq!(theirs.len(), signature.len());
    assert!(theirs.lines().zip(signature.lines()).all(|(a, b)| a.len() == b.len()));
}

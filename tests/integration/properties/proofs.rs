//! Whatever is read of notes, policies, proofs, receipts and answers: nothing panics, and what is taken is written as the same
//! bytes, so that nothing has two spellings.

use immutape::codec::cbor;
use immutape::log::{Checkpoint, NoteKey, NoteSignature, SignedNote};
use immutape::proof::{
    CosignerKey, ForkProof, Policy, Receipt, TimeAnchors, TlogProof, WitnessRequest, check_response, check_token,
    read_cosignatures, read_size,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::arbitrary::{damage, damaged};
use crate::golden_make::by_hand;
use crate::golden_make::folder;

/// Every accepted golden file of this chapter, and the notes of the one before.
fn good() -> Vec<Vec<u8>> {
    let files = |chapter: &str| {
        let files = std::fs::read_dir(folder().join(chapter)).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<_> = files.filter(|path| path.is_file()).collect();
        files.sort();
        files
    };
    let mut all = files("5-proof/accept");
    all.extend(
        files("4-commit/accept").into_iter().filter(|path| path.extension().is_some_and(|e| e == "note" || e == "txt")),
    );
    all.extend(files("5-proof/timestamps").into_iter().filter(|path| path.extension().is_some_and(|e| e != "toml")));
    all.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Reads `bytes` as everything; how many readers took them.
fn read_as_everything(bytes: &[u8]) -> Result<u32, TestCaseError> {
    let mut taken = 0;
    let mut same = |again: &[u8]| {
        taken += 1;
        prop_assert_eq!(String::from_utf8_lossy(again), String::from_utf8_lossy(bytes));
        prop_assert!(again == bytes);
        Ok(())
    };
    if let Ok(receipt) = Receipt::decode(bytes) {
        // The reader of items takes no tags; that of a receipt is one byte.
        let value = cbor::value(&bytes[1..]).unwrap();
        same(&[&[0xd2][..], &by_hand::cbor(&value)].concat())?;
        prop_assert!((1..=63).contains(&receipt.path.len()));
    }
    let _tokens = (check_token(bytes, &[7; 32], &anchors()).is_ok(), TimeAnchors::from_pem(bytes).is_ok());
    let request = immutape::proof::TimestampRequest::new([7; 32], [1; 8], None).unwrap();
    prop_assert!(check_response(bytes, &request, &anchors()).is_err(), "nobody stamped this");
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(taken) };
    if let Ok(note) = SignedNote::parse(text) {
        same(note.with_only(|_| true).as_bytes())?;
        if let Ok(checkpoint) = Checkpoint::parse(note.text()) {
            prop_assert_eq!(checkpoint.text(), note.text());
        }
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        same(checkpoint.text().as_bytes())?;
    }
    if let Ok(key) = NoteKey::parse(text) {
        same(key.to_text().as_bytes())?;
    }
    if let Ok(key) = CosignerKey::parse(text) {
        same(key.to_text().as_bytes())?;
    }
    if let Ok(line) = NoteSignature::parse(text) {
        same(line.to_line().trim_end_matches('\n').as_bytes())?;
    }
    if let Ok(proof) = TlogProof::parse(text) {
        same(proof.to_text().as_bytes())?;
    }
    if let Ok(fork) = ForkProof::parse(text) {
        same(fork.to_text().as_bytes())?;
    }
    if let Ok(request) = WitnessRequest::parse(text) {
        same(request.to_text().as_bytes())?;
    }
    if let Ok(lines) = read_cosignatures(text) {
        same(lines.iter().map(NoteSignature::to_line).collect::<String>().as_bytes())?;
    }
    if let Ok(size) = read_size(text) {
        same(format!("{size}\n").as_bytes())?;
    }
    // A policy has spaces and remarks that nobody writes again: it says the same twice, and of names that it defines alone.
    if let Ok(policy) = Policy::parse(text) {
        taken += 1;
        prop_assert_eq!(Policy::parse(text), Ok(policy.clone()));
        prop_assert!(policy.is_met_by(|_| true));
        prop_assert_eq!(policy.is_met_by(|_| false), !policy.asks_for_witnesses());
    }
    Ok(taken)
}

fn anchors() -> TimeAnchors {
    TimeAnchors::from_pem(&std::fs::read(folder().join("5-proof/timestamps/p256.pem")).unwrap()).unwrap()
}

/// Lines as these files have them, in any order.
fn line() -> impl Strategy<Value = String> {
    let hash = any::<[u8; 32]>().prop_map(|hash| by_hand::base64(&hash));
    let blob = vec(any::<u8>(), 0..80).prop_map(|blob| by_hand::base64(&blob));
    prop_oneof![
        3 => Just(String::new()),
        3 => hash.clone(),
        1 => hash.prop_map(|hash| format!("root {hash}")),
        1 => blob.clone().prop_map(|blob| format!("extra {blob}")),
        2 => ("[a-z/.]{1,8}", blob).prop_map(|(name, blob)| format!("— {name} {blob}")),
        2 => any::<u64>().prop_map(|n| n.to_string()),
        1 => (0u64..40).prop_map(|n| format!("index {n}")),
        1 => (0u64..40).prop_map(|n| format!("old {n}")),
        1 => Just("c2sp.org/tlog-proof@v1".to_owned()),
        1 => Just("immutape/fork/1".to_owned()),
        1 => "(quorum|group|witness|log)( [a-z0-9]{1,4}){0,3}",
        1 => "\\PC{0,12}",
    ]
}

#[test]
fn every_good_file_is_taken() {
    let files = good();
    assert!(files.len() > 30, "{}", files.len());
    let taken: u32 = files.iter().map(|bytes| read_as_everything(bytes).unwrap()).sum();
    assert!(taken > 25, "{taken} of {} are read by a reader that writes", files.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files(which: prop::sample::Index, d in damage()) {
        let files = good();
        read_as_everything(&damaged(&files[which.index(files.len())], &d))?;
    }

    #[test]
    fn lines_in_any_order(lines in vec(line(), 0..14)) {
        read_as_everything((lines.join("\n") + "\n").as_bytes())?;
        read_as_everything(lines.join("\n").as_bytes())?;
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300), text in "\\PC{0,80}") {
        read_as_everything(&bytes)?;
        read_as_everything(text.as_bytes())?;
    }

    /// A policy in words: names that are there or not, thresholds in and out of range.
    #[test]
    fn policies(groups in vec(("[a-c]", "any|all|[0-3]", vec("one|two|[a-c]", 0..4)), 0..4), quorum in "none|one|two|[a-c]") {
        let [one, two] = [0, 1].map(|n| crate::golden_make::made_proof::cosigner(n).to_text());
        let groups: String = groups
            .iter()
            .map(|(name, threshold, members)| format!("group {name} {threshold} {}\n", members.join(" ")))
            .collect();
        let text = format!("witness one {one}\nwitness two {two}\n{groups}quorum {quorum}\n");
        read_as_everything(text.as_bytes())?;
    }
}

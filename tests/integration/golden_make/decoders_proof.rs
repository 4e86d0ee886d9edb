//! Readers of the library for the golden files of chapter 5, each as far as the chapter says what must hold. Nobody in the library
//! reads a published tree: that is done here, from the text.

use immutape::codec::digest::{Digest, RootHash};
use immutape::log::{Checkpoint, LogError, NoteKey, SignedNote, leaf_hash, root_of};
use immutape::proof::{
    CosignerKey, ForkProof, Policy, ProofError, Receipt, TlogProof, WitnessRequest, read_cosignatures, read_size,
    verify_consistency,
};
use immutape::seal::PublicKey;

use super::decoders::Read::{self, Again, Opened};
use super::index::Values;
use super::kit::SeedSigner;

/// As [`super::decoders::decode`]; `None` for a word that is not of this chapter.
pub fn decode(decoder: &str, bytes: &[u8], with: &Values) -> Option<Result<Read, String>> {
    let read = match decoder {
        "witness-key" => CosignerKey::parse(utf8(bytes)).map(|key| Again(key.to_text().into())).map_err(Into::into),
        "policy" => Policy::parse(utf8(bytes)).map(|policy| Opened(who_is_enough(&policy).into())),
        "cosigned" => cosigned(utf8(bytes), with),
        "tlog-proof" => tlog_proof(utf8(bytes), with),
        "receipt" => receipt(bytes, with),
        "fork" => {
            ForkProof::parse(utf8(bytes)).and_then(|fork| fork.verify(&log(with)).map(|_| Again(fork.to_text().into())))
        }
        "witness-request" => request(utf8(bytes), with),
        "witness-answer" => answer(utf8(bytes), with),
        "witness-size" => read_size(utf8(bytes)).map(|size| Again(format!("{size}\n").into())),
        "tile" => return Some(tile(bytes, with)),
        "bundle" => return Some(bundle(bytes, with)),
        _ => return None,
    };
    Some(read.map_err(|e| format!("ProofError::{e:?}")))
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn key(with: &Values, name: &str) -> PublicKey {
    PublicKey::from_bytes(&with.array(name)).unwrap()
}

fn log(with: &Values) -> NoteKey {
    NoteKey::new(with.text("origin"), key(with, "checkpoint_key")).unwrap()
}

fn policy(with: &Values) -> Policy {
    Policy::parse(utf8(&with.bytes("policy"))).unwrap()
}

/// Each set of witnesses that is a quorum, a line each.
fn who_is_enough(policy: &Policy) -> String {
    let names: Vec<_> = policy.witnesses().iter().map(|witness| witness.name.as_str()).collect();
    let sets = (0..1u32 << names.len()).map(|bits| {
        names.iter().enumerate().filter(|(n, _)| bits & 1 << n != 0).map(|(_, name)| *name).collect::<Vec<_>>()
    });
    let enough = sets.filter(|set| policy.is_met_by(|name| set.contains(&name)));
    enough.map(|set| set.join(" ") + "\n").collect()
}

fn cosigned(note: &str, with: &Values) -> Result<Read, ProofError> {
    let head = policy(with).check(note, &log(with))?;
    if !head.is_quorum() {
        return Err(ProofError::Quorum);
    }
    assert_eq!(head.cosigned().len(), 2);
    Ok(Opened(head.checkpoint().text().into()))
}

fn tlog_proof(text: &str, with: &Values) -> Result<Read, ProofError> {
    let proof = TlogProof::parse(text)?;
    proof.verify(&leaf_hash(&with.bytes("entry")), &log(with), &policy(with))?;
    Ok(Again(proof.to_text().into()))
}

fn receipt(bytes: &[u8], with: &Values) -> Result<Read, ProofError> {
    let receipt = Receipt::decode(bytes)?;
    let root = receipt.verify(&leaf_hash(&with.bytes("entry")), &key(with, "issuer_key"))?;
    assert_eq!((receipt.issuer.as_str(), receipt.subject.as_str()), (with.text("origin"), with.text("custody")));
    Ok(Opened(root.as_ref().to_vec()))
}

/// As a witness reads it, which holds the head that the values name.
fn request(text: &str, with: &Values) -> Result<Read, ProofError> {
    let request = WitnessRequest::parse(text)?;
    let head = Checkpoint::from_note(&request.note, &log(with))?;
    let held = RootHash::from_bytes(with.array("held_root"));
    verify_consistency(request.old_size, head.size, &request.path, &held, &head.root)?;
    Ok(Again(request.to_text().into()))
}

/// As a log reads it, which asked with the note that the values name.
fn answer(text: &str, with: &Values) -> Result<Read, ProofError> {
    let lines = read_cosignatures(text)?;
    let again: String = lines.iter().map(|line| line.to_line()).collect();
    let note = SignedNote::parse(&format!("{}{again}", utf8(&with.bytes("note"))))?;
    let signer = SeedSigner::from_seed(&with.array("witness_1_seed"));
    let witness = CosignerKey::new(with.text("witness_1"), immutape::seal::Signer::public_key(&signer))?;
    witness.time_on(&note)?.ok_or(LogError::Unsigned)?;
    Ok(Again(again.into()))
}

fn tile(bytes: &[u8], with: &Values) -> Result<Read, String> {
    let note = with.bytes("checkpoint");
    let head = Checkpoint::from_note(utf8(&note), &log(with)).unwrap();
    if bytes.len() as u64 != 32 * head.size {
        return Err("Tile: another length than its path says".into());
    }
    let leaves: Vec<_> = bytes.chunks(32).map(|hash| Digest::from_bytes(hash.try_into().unwrap())).collect();
    let leaves: Vec<_> =
        leaves.iter().map(|hash| immutape::codec::digest::LeafHash::from_bytes(*hash.as_bytes())).collect();
    if root_of(&leaves) != head.root {
        return Err("Tile: another root than the checkpoint's".into());
    }
    Ok(Opened(head.root.as_ref().to_vec()))
}

fn bundle(bytes: &[u8], with: &Values) -> Result<Read, String> {
    let tile = with.bytes("tile");
    let (mut hashes, mut left, mut again) = (tile.chunks(32), bytes, Vec::new());
    while let Some((length, rest)) = left.split_first_chunk::<2>() {
        let entry = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)));
        let (entry, rest) = entry.ok_or("Bundle: an entry is cut off")?;
        let hash = hashes.next().ok_or("Bundle: more entries than hashes")?;
        if leaf_hash(entry).as_bytes() != hash {
            return Err("Bundle: an entry that is not in its place".into());
        }
        again.extend_from_slice(length);
        again.extend_from_slice(entry);
        left = rest;
    }
    if !left.is_empty() {
        return Err("Bundle: a length is cut off".into());
    }
    if hashes.next().is_some() {
        return Err("Bundle: fewer entries than hashes".into());
    }
    Ok(Again(again))
}

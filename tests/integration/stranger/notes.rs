//! Signatures read by a stranger: strict Ed25519, statements, signed notes and the head file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value;
use ed25519_dalek::{Signature, VerifyingKey};

use super::bytes::{Told, array, b, blob, blob_of, encode, ensure, h, item, root, t};
use super::log::Log;
use super::store::Stored;
use super::vault::Vault;

/// 3.3: strict verification.
pub fn verify(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Told<()> {
    ensure(canonical(key), "a key in another encoding")?;
    let key = VerifyingKey::from_bytes(key).map_err(|_| "a key that is no point")?;
    key.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| "a signature is false".into())
}

/// Is the coordinate in a point's encoding below 2^255 - 19?
fn canonical(point: &[u8; 32]) -> bool {
    point[0] < 0xed || point[1..31].iter().any(|byte| *byte != 0xff) || point[31] & 0x7f != 0x7f
}

/// 1.4.
pub fn thumbprint(key: &[u8; 32]) -> [u8; 32] {
    h([&[0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20], &key[..]].concat())
}

/// What a recorder's statement says of a tape.
pub struct Statement {
    pub tape: [u8; 32],
    pub manifest: [u8; 32],
}

/// 3.3, with all that a verifier must check but for the manifest.
pub fn statement(bytes: &[u8], log: &Log, custody: &[u8; 32]) -> Told<Statement> {
    let signed = item(bytes)?;
    let Value::Tag(18, inner) = &signed else { return Err("a statement without its tag".into()) };
    let parts: &[Value; 4] = array(inner)?.try_into().map_err(|_| "a statement has four parts")?;
    let [protected, unprotected, payload, signature] = parts;
    ensure(unprotected.as_map().is_some_and(Vec::is_empty), "an unprotected map that is not empty")?;
    let (protected, tape) = (blob(protected)?, blob_of::<32>(payload)?);
    let message = encode("Signature1", &[b(protected), b(b""), b(tape)]);
    verify(&log.recorder_key, &message, &blob_of(signature)?).map_err(|e| format!("statement: {e}"))?;
    let manifest = protected_manifest(&item(protected)?, &tape, log, custody)?;
    Ok(Statement { tape, manifest })
}

/// The eight pairs of the protected map; all but the manifest are known beforehand.
fn protected_manifest(protected: &Value, tape: &[u8; 32], log: &Log, custody: &[u8; 32]) -> Told<[u8; 32]> {
    let pairs = protected.as_map().ok_or("a protected header that is no map")?;
    let manifest =
        pairs.last().ok_or("an empty protected header").and_then(|(_, v)| blob_of(v).map_err(|_| "no manifest"))?;
    let number = |number: i64| Value::Integer(number.into());
    let subject = format!("sha256:{}", hex::encode(tape));
    let claims = Value::Map(vec![(number(1), t(&log.origin)), (number(2), t(&subject))]);
    let wanted = |algorithm: i64| {
        Value::Map(vec![
            (number(1), number(algorithm)),
            (number(4), b(thumbprint(&log.recorder_key))),
            (number(15), claims.clone()),
            (number(258), number(-16)),
            (number(259), t("application/vnd.immutape.tape-root+cbor")),
            (t("ledger"), b(log.id)),
            (t("custody"), b(custody)),
            (t("manifest"), b(manifest)),
        ])
    };
    ensure(*protected == wanted(-8) || *protected == wanted(-19), "what a statement says")?;
    Ok(manifest)
}

/// A signed note in front of `notes`: its text and what follows it.
fn note<'a>(notes: &'a str, log: &Log) -> Told<(&'a str, &'a str)> {
    let end = notes.find("\n\n").ok_or("a note without an empty line")?;
    let (text, mut rest) = (&notes[..=end], &notes[end + 2..]);
    let key_id = &h([log.origin.as_bytes(), &[0x0a, 0x01], &log.checkpoint_key].concat())[..4];
    let mut signed = false;
    while let Some(line) = rest.strip_prefix("— ") {
        let (line, after) = line.split_once('\n').ok_or("a line of a note without its end")?;
        let (name, blob) = line.split_once(' ').ok_or("a line of a note without a signature")?;
        let blob = STANDARD.decode(blob).map_err(|e| format!("a line of a note: {e}"))?;
        if name == log.origin && blob.get(..4) == Some(key_id) {
            let signature = blob[4..].try_into().map_err(|_| "a signature of another length")?;
            verify(&log.checkpoint_key, text.as_bytes(), &signature).map_err(|e| format!("note: {e}"))?;
            signed = true;
        }
        rest = after;
    }
    ensure(signed, "a note that the ledger did not sign")?;
    Ok((text, rest))
}

/// 4.2 and store-embedded 5: the head file of a ledger that was closed in order.
pub fn check_head(stored: &Stored, log: &Log, vault: &Vault) -> Told<()> {
    let notes = std::str::from_utf8(stored.file("S/head")?).map_err(|_| "a head file that is no text")?;
    let (checkpoint, rest) = note(notes, log)?;
    let (head, rest) = note(rest, log)?;
    ensure(rest.is_empty(), "something behind the head file's notes")?;
    let (origin, size, tree) = (&log.origin, log.leaves.len(), STANDARD.encode(root(&log.leaves)));
    ensure(checkpoint == format!("{origin}\n{size}\n{tree}\n"), "the head is not that of the log")?;
    let (generation, revision, digest) = (vault.generation, vault.revision, STANDARD.encode(vault.digest));
    let (vault, term) = (format!("vault {generation} {revision} {digest}"), log.last_term);
    let wanted = format!("immutape/head/1\n{origin}\n{size} {tree}\n{vault}\nstate closed\nterm {term}\n");
    ensure(head == wanted, "the head file says something else than log and vault")
}

//! One reader of the library for each word in the `decoder` column of an index.

use immutape::codec::digest::{CustodyId, Digest, LeafHash, RootHash};
use immutape::codec::extent::{Group, SegmentHeader, push_record, split_record};
use immutape::codec::{Reader, cbor};
use immutape::log::{Body, Chain, Checkpoint, Entry, EntryDraft, HeadFile, HeadState, LogError, NoteKey, PrivateHalf};
use immutape::seal::{
    ChunkRange, CustodyKey, KeyEncryptionKey, Manifest, PersonStatement, PrivateAad, PrivateSealer as _, PublicKey,
    Purpose, SealError, SealedHeader, Statement, TapeKeys, TapeSecret, open_chunk, open_object, open_set,
};
use immutape::tape::{Frame, Header, TapeError, TapeRoot};

use super::by_hand;
use super::index::Values;
use super::kit::SeedSigner;

/// What a reader made of a file it took.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// The same thing encoded again.
    Again(Vec<u8>),
    /// What it opens to.
    Opened(Vec<u8>),
}

use Read::{Again, Opened};

/// Reads `bytes`; the error is named as in an index.
pub fn decode(decoder: &str, bytes: &[u8], with: &Values) -> Result<Read, String> {
    match decoder {
        "item" => named("CborError", item(bytes)),
        "private-half" => named("CborError", private_half(bytes)),
        "frame" => named("TapeError", frame(bytes)),
        "frames" => named("TapeError", frames(bytes)),
        "header" => named("TapeError", header(bytes)),
        "tape-root" => named("TapeError", TapeRoot::decode(bytes).map(|r| Again(r.encode()))),
        "object" => named("SealError", object(bytes, with)),
        "chunk" => named("SealError", chunk(bytes, with)),
        "sealed-header" => named("SealError", sealed_header(bytes, with)),
        "manifest" => named("SealError", Manifest::decode(bytes).and_then(|m| m.encode()).map(Again)),
        "statement" => named("SealError", statement(bytes, with)),
        "person" => named("SealError", person(bytes, with)),
        "private" => named("SealError", private(bytes, with)),
        "set-list" => named("SealError", set_list(bytes, with)),
        "wrapped" => named("SealError", wrapped(bytes, with)),
        "public-key" => named("SealError", public_key(bytes).map(|k| Again(k.to_bytes().to_vec()))),
        "entry" => named("LogError", entry(bytes)),
        "records" => named("LogError", records(bytes)),
        "extents" => named("LogError", extents(bytes)),
        "segment" => named("ExtentError", SegmentHeader::parse(bytes).map(|s| Again(s.encode()))),
        "group" => named("LogError", group(bytes)),
        "note-key" => named("LogError", NoteKey::parse(utf8(bytes)).map(|k| Again(k.to_text().into_bytes()))),
        "checkpoint" => named("LogError", checkpoint(bytes, with)),
        "head" => named("LogError", head(bytes, with)),
        other => super::decoders_proof::decode(other, bytes, with)
            .or_else(|| super::decoders_store::decode(other, bytes, with))
            .unwrap_or_else(|| panic!("no decoder named {other}")),
    }
}

fn named<E: std::fmt::Debug>(prefix: &str, result: Result<Read, E>) -> Result<Read, String> {
    result.map_err(|e| format!("{prefix}::{e:?}"))
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn item(bytes: &[u8]) -> Result<Read, cbor::CborError> {
    cbor::value(bytes).map(|v| Again(by_hand::cbor(&v)))
}

fn private_half(bytes: &[u8]) -> Result<Read, cbor::CborError> {
    Ok(Again(PrivateHalf::decode(bytes)?.fields().map()))
}

fn frame(bytes: &[u8]) -> Result<Read, TapeError> {
    Ok(Again(Frame::decode(bytes)?.parts()?.encode()))
}

fn frames(bytes: &[u8]) -> Result<Read, TapeError> {
    let (mut r, mut out) = (Reader::new(bytes), Vec::new());
    while !r.is_empty() {
        out.extend(Frame::read(&mut r)?.parts()?.encode());
    }
    Ok(Again(out))
}

fn header(bytes: &[u8]) -> Result<Read, TapeError> {
    Header::decode(bytes)?.encode().map(Again)
}

fn tape_keys(with: &Values) -> TapeKeys {
    TapeSecret::from_bytes(&with.array("tape_secret")).keys()
}

fn custody(with: &Values) -> CustodyId {
    CustodyId::from_bytes(with.array("custody"))
}

fn object(bytes: &[u8], with: &Values) -> Result<Read, SealError> {
    open_object(&tape_keys(with), &custody(with), with.number("position"), bytes).map(|raw| Opened(raw.to_vec()))
}

fn chunk(bytes: &[u8], with: &Values) -> Result<Read, SealError> {
    let range = ChunkRange {
        first_seq: with.number("first_seq"),
        frames: with.number("frames"),
        first_t_ns: with.number("first_t_ns"),
        last_t_ns: with.number("last_t_ns"),
    };
    let frames = open_chunk(&tape_keys(with), &custody(with), with.number("position"), bytes, &range)?;
    let parts: Result<Vec<_>, TapeError> = frames.iter().map(|f| Ok(f.parts()?.encode())).collect();
    Ok(Opened(parts?.concat()))
}

fn sealed_header(bytes: &[u8], with: &Values) -> Result<Read, SealError> {
    let (keys, custody) = (tape_keys(with), custody(with));
    let sealed = SealedHeader::open(&keys, &custody, bytes)?;
    // Sealed again under the salt in front, it opens to the same content.
    let again = sealed.seal(&keys, bytes[..32].try_into().unwrap(), &custody)?;
    open_object(&keys, &custody, 0, &again).map(|raw| Opened(raw.to_vec()))
}

fn public_key(bytes: &[u8]) -> Result<PublicKey, SealError> {
    PublicKey::from_bytes(bytes.try_into().map_err(|_| SealError::Truncated)?)
}

fn statement(bytes: &[u8], with: &Values) -> Result<Read, SealError> {
    let statement = Statement::decode(bytes)?;
    statement.verify(&public_key(&with.bytes("recorder_key"))?)?;
    Ok(Opened(statement.claims().tape.as_ref().to_vec()))
}

fn person(bytes: &[u8], with: &Values) -> Result<Read, SealError> {
    let verdict = PersonStatement::verify(bytes, &public_key(&with.bytes("person_key"))?)?;
    Ok(Again(verdict.statement.sign(&SeedSigner::from_seed(&with.array("person_seed")))))
}

fn private(bytes: &[u8], with: &Values) -> Result<Read, SealError> {
    let key = CustodyKey::from_bytes(with.array("custody_key_id"), &with.array("custody_key"));
    let subject = CustodyId::from_bytes(with.array("subject"));
    let kind = u16::try_from(with.number("kind")).unwrap();
    let aad = PrivateAad { origin: with.text("origin"), kind, subject: &subject };
    let commitment = Digest::from_bytes(with.array("commitment"));
    key.open(aad, bytes, &commitment).map(|map| Opened(map.to_vec()))
}

fn set_list(bytes: &[u8], with: &Values) -> Result<Read, SealError> {
    let key = CustodyKey::from_bytes(with.array("custody_key_id"), &with.array("custody_key"));
    let root = RootHash::from_bytes(with.array("set"));
    let (salt, ids) = open_set(&key, with.text("origin"), &root, bytes)?;
    Ok(Opened([&salt[..], &ids.iter().flat_map(|id| *id.as_bytes()).collect::<Vec<_>>()].concat()))
}

fn wrapped(bytes: &[u8], with: &Values) -> Result<Read, SealError> {
    let purpose = match with.text("purpose") {
        "epoch" => Purpose::Epoch,
        "index" => Purpose::Index,
        "dedupe" => Purpose::Dedupe,
        "journal" => Purpose::Journal,
        "custody" => Purpose::Custody,
        "tape" => Purpose::Tape,
        other => panic!("no purpose {other}"),
    };
    let kek = if purpose == Purpose::Tape { "epoch_key" } else { "vault_root" };
    let kek = KeyEncryptionKey::from_bytes(&with.array(kek));
    kek.unwrap(with.text("origin"), purpose, &with.bytes("id"), bytes).map(|key| Opened(key.to_vec()))
}

/// As [`Chain::check`] does, but for what only neighbours can tell.
fn entry(bytes: &[u8]) -> Result<Read, LogError> {
    let e = Entry::decode(bytes)?;
    let body = Body::decode(e.kind, e.body).map_err(|fault| LogError::Body {
        index: e.index,
        kind: e.kind.number(),
        fault,
    })?;
    let draft = EntryDraft {
        kind: e.kind,
        subject: e.subject,
        body: body.encode(),
        commitment: e.commitment,
        sealed_digest: e.sealed_digest,
        key_id: e.key_id,
        sealed: Vec::new(),
    };
    draft.place(e.index, &e.previous, e.time, e.subject_seq, &e.subject_prev).map(|(bytes, _)| Again(bytes))
}

fn records(bytes: &[u8]) -> Result<Read, LogError> {
    let (mut chain, mut left, mut again) = (Chain::new(), bytes, Vec::new());
    while !left.is_empty() {
        let (public, sealed, rest) = split_record(left).ok_or(immutape::codec::extent::ExtentError::Records)?;
        chain.check(public, sealed)?;
        push_record(&mut again, public, sealed);
        left = rest;
    }
    Ok(Again(again))
}

fn group(bytes: &[u8]) -> Result<Read, LogError> {
    let group = Group::parse(bytes)?;
    let mut body = Vec::new();
    for (public, sealed) in immutape::log::group_entries(&group)? {
        push_record(&mut body, public, sealed);
    }
    let mac = group.header().mac;
    Ok(Again(group.header().seal(&body, |_| mac).1))
}

/// Groups one after another: a whole log, checked entry by entry and against each group's root.
fn extents(bytes: &[u8]) -> Result<Read, LogError> {
    let (mut chain, mut left, mut last) = (Chain::new(), bytes, [0; 32]);
    while !left.is_empty() {
        let group = Group::parse(left)?;
        let header = group.header();
        assert_eq!(header.previous_group.as_bytes(), &last, "previous group");
        for (public, sealed) in immutape::log::group_entries(&group)? {
            chain.check(public, sealed)?;
        }
        assert_eq!(header.size_after(), chain.state().size());
        assert_eq!(header.root, chain.state().frontier.root(), "root after the group");
        assert_eq!(header.last_leaf, chain.state().last_leaf, "last leaf of the group");
        last = *header.hash.as_bytes();
        left = &left[usize::try_from(header.extent_bytes()).unwrap()..];
    }
    assert_ne!(chain.state().last_leaf, LeafHash::from_bytes([0; 32]));
    Ok(Opened(chain.state().frontier.root().as_ref().to_vec()))
}

fn note_key(with: &Values) -> NoteKey {
    NoteKey::new(with.text("origin"), public_key(&with.bytes("checkpoint_key")).unwrap()).unwrap()
}

fn checkpoint(bytes: &[u8], with: &Values) -> Result<Read, LogError> {
    let checkpoint = Checkpoint::from_note(utf8(bytes), &note_key(with))?;
    Ok(Opened(checkpoint.text().into_bytes()))
}

fn head(bytes: &[u8], with: &Values) -> Result<Read, LogError> {
    let file = HeadFile::parse(utf8(bytes), &note_key(with))?;
    let word = match file.state {
        HeadState::Open => "open",
        HeadState::Closing => "closing",
        HeadState::Closed => "closed",
    };
    assert_eq!(word, with.text("state"));
    assert_eq!(file.term, with.number("term"));
    assert_eq!((file.vault.0, file.vault.1), (with.number("vault_generation"), with.number("vault_revision")));
    assert_eq!(file.vault.2.to_hex(), with.text("vault_digest"));
    Ok(Opened(file.checkpoint.text().into_bytes()))
}

//! Golden files of chapter 3: the tape of two frames sealed, signed and wrapped.

use immutape::codec::digest::{LedgerId, ObjectDigest, sha256};
use immutape::log::{PrivateHalf, set_commitment};
use immutape::seal::{
    Attachment, ChunkBuilder, ChunkRange, KeyEncryptionKey, Manifest, ManifestObject, PersonStatement, PrivateAad,
    PrivateSealer as _, Purpose, SealedHeader, Signer as _, Statement, StatementClaims, TapeSecret, seal_object,
    seal_set,
};
use immutape::time::Timestamp;

use super::inputs::{
    CUSTODY, CUSTODY_KEY, CUSTODY_KEY_ID, DEDUPE_KEY, EPOCH_ID, EPOCH_KEY, JOURNAL_KEY, ORIGIN, OTHER_CUSTODY,
    PERSON_SEED, RECORDER_SEED, REQUEST, START_MS, TAPE_SECRET, VAULT_ROOT, custody_key, named, object_salt, signer,
    tape_keys, vault_root,
};
use super::kit::{Accept, Chapter, Value, hex, text};
use super::made_tape::{frames_two, header_two_frames, root_two_frames, two_frames};
use super::{by_hand, made_log, refused_objects, refused_seal};

const ABOUT: &str =
    "Golden files of docs/format/3-seal.md. All values are hexadecimal unless they are words or numbers.
`opened` is what a sealed file opens to. Compressed bodies are given as `body`: a writer may make other ones.
A refused file is the accepted file `from` with `edits` made (offsets into the accepted file); where `refreshed`
names codes or signatures, they were made anew around the one fault. `error` is the verdict of the library's reader.";

pub fn chapter() -> Chapter {
    let accepts = accepts();
    let mut rejects = refused_objects::rejects(&accepts);
    rejects.extend(refused_seal::rejects(&accepts));
    Chapter { name: "3-seal", about: ABOUT, inputs: named(), accepts, rejects }
}

fn accepts() -> Vec<Accept> {
    let mut all = vec![
        stored_object("object-stored.bin", "codec 0: 40 bytes that do not compress", &incompressible()),
        stored_object("object-empty.bin", "codec 0: nothing", b""),
        zstd_object("object-zstd.bin", "codec 1", 3, &b"tape ".repeat(400), ZSTD_TAPES),
        chunk_two_frames(),
        sealed_header(),
        chunk_stored(),
        file(
            "manifest-two-frames.cbor",
            "manifest",
            Some("manifest"),
            "manifest of the tape",
            manifest_bytes(),
            vec![],
        ),
        file(
            "manifest-attached.cbor",
            "manifest",
            Some("manifest"),
            "a manifest with two attachments",
            manifest_attached(),
            vec![],
        ),
        statement(),
        statement_alg_19(),
        person("person-range.cbor", "acts on frames 0 to 1", Some((0, 1))),
        person("person-no-range.cbor", "acts on the whole tape", None),
        private_access(),
        private_empty(),
    ];
    all.push(set_list());
    all.extend(wrapped());
    let key = super::inputs::public_key(RECORDER_SEED);
    let thumb = vec![("thumbprint", hex(immutape::seal::thumbprint(&key)))];
    all.push(file("public-key.bin", "public-key", None, "the recorder's key and its thumbprint", key.to_vec(), thumb));
    all
}

fn file(
    name: &str,
    decoder: &'static str,
    cddl: Option<&'static str>,
    what: &str,
    bytes: Vec<u8>,
    values: Vec<(&'static str, Value)>,
) -> Accept {
    Accept { file: name.into(), decoder, what: what.into(), cddl, bytes, values }
}

/// Zstandard frames as level 1 made them once; a later compressor may make others.
pub const ZSTD_TAPES: &str = "28b52ffd60d0066500002874617065200100c8e32f5a";
/// Of the two frames.
const ZSTD_FRAMES: &str = "28b52ffd206eed02005405a700000100030004000558287b226a736f6e727063223a22322e30222c22\
    6964223a312c226d6574686f64223a2270696e67227d06010b04a60001011a001312d003000401055824726573756c74223a7b7d7d0601\
    0100c85f5414";

pub fn incompressible() -> Vec<u8> {
    [&sha256(b"golden")[..], &[0, 1, 2, 3, 4, 5, 6, 7]].concat()
}

fn object_values(position: u64, raw: &[u8]) -> Vec<(&'static str, Value)> {
    let salt = object_salt(u8::try_from(position).unwrap());
    let [content_key, ..] = by_hand::tape_keys(&TAPE_SECRET);
    let okm = by_hand::expand(&content_key, &[&b"immutape/object/1"[..], &salt].concat(), 76);
    vec![
        ("position", Value::Int(position)),
        ("salt", hex(salt)),
        ("key", hex(&okm[..32])),
        ("nonce", hex(&okm[32..44])),
        ("key_commitment", hex(&okm[44..])),
        ("opened", hex(raw)),
    ]
}

fn stored_object(name: &str, what: &str, raw: &[u8]) -> Accept {
    let position = if raw.is_empty() { 4 } else { 2 };
    let bytes = seal_object(&tape_keys(), object_salt(position as u8), &CUSTODY, position, raw).unwrap();
    file(name, "object", None, what, bytes, object_values(position, raw))
}

/// Seals a body that was compressed before, so that the file does not hang on one compressor's version.
fn zstd_file(position: u64, raw: &[u8], body: &str) -> (Vec<u8>, Vec<(&'static str, Value)>) {
    let salt = object_salt(u8::try_from(position).unwrap());
    let body = hex::decode(body).unwrap();
    let plain = by_hand::object_plain(1, raw.len() as u64, &body);
    let bytes = by_hand::seal_object(&TAPE_SECRET, &salt, CUSTODY.as_ref(), position, &plain);
    let mut values = object_values(position, raw);
    values.push(("body", hex(body)));
    (bytes, values)
}

fn zstd_object(name: &str, what: &str, position: u64, raw: &[u8], body: &str) -> Accept {
    let (bytes, values) = zstd_file(position, raw, body);
    file(name, "object", None, what, bytes, values)
}

pub fn chunk_range() -> ChunkRange {
    ChunkRange { first_seq: 0, frames: 2, first_t_ns: 0, last_t_ns: 1_250_000 }
}

fn chunk_two_frames() -> Accept {
    let mut builder = ChunkBuilder::new();
    for f in two_frames() {
        builder.push(&f.parts().unwrap(), f.t_ns);
    }
    let (range, _) = builder.take().unwrap();
    assert_eq!(range, chunk_range());
    let (bytes, mut values) = zstd_file(1, &frames_two(), ZSTD_FRAMES);
    values.extend([
        ("first_seq", Value::Int(range.first_seq)),
        ("frames", Value::Int(range.frames)),
        ("first_t_ns", Value::Int(range.first_t_ns)),
        ("last_t_ns", Value::Int(range.last_t_ns)),
    ]);
    file("chunk-two-frames.bin", "chunk", Some("frame"), "object 1: both frames", bytes, values)
}

/// The same chunk, stored without compression.
fn chunk_stored() -> Accept {
    let (base, raw) = (chunk_two_frames(), frames_two());
    let plain = by_hand::object_plain(0, raw.len() as u64, &raw);
    let bytes = by_hand::seal_object(&TAPE_SECRET, &object_salt(1), CUSTODY.as_ref(), 1, &plain);
    let mut values = base.values;
    values.retain(|(name, _)| *name != "body");
    file("chunk-stored.bin", "chunk", Some("frame"), "object 1 with codec 0: a reader takes it too", bytes, values)
}

fn header_object() -> Vec<u8> {
    let sealed = SealedHeader { header: header_two_frames(), chunks: vec![chunk_range()] };
    sealed.seal(&tape_keys(), object_salt(0), &CUSTODY).unwrap()
}

/// What object 0 of the tape holds.
pub fn header_raw() -> Vec<u8> {
    immutape::seal::open_object(&tape_keys(), &CUSTODY, 0, &header_object()).unwrap().to_vec()
}

/// So short that no compressor gains anything: codec 0.
fn sealed_header() -> Accept {
    let what = "object 0: header and ranges of the chunks";
    let values = object_values(0, &header_raw());
    file("header-two-frames.bin", "sealed-header", Some("header-object"), what, header_object(), values)
}

pub fn manifest_bytes() -> Vec<u8> {
    let objects = [sealed_header().bytes, chunk_two_frames().bytes]
        .map(|o| ManifestObject { digest: ObjectDigest::from_bytes(sha256(&o)), bytes: o.len() as u64 });
    Manifest { custody: CUSTODY, root: root_two_frames().0, objects: objects.to_vec(), attachments: Vec::new() }
        .encode()
        .unwrap()
}

/// The same tape with its source and something that a later program keeps.
fn manifest_attached() -> Vec<u8> {
    let object = |byte, bytes| ManifestObject { digest: ObjectDigest::from_bytes([byte; 32]), bytes };
    let attachments = vec![
        Attachment { kind: 0, raw_bytes: 20_000_000, objects: vec![object(0xa1, 16_777_320), object(0xa2, 3_300_000)] },
        Attachment { kind: 9, raw_bytes: 0, objects: vec![object(0xa3, 120)] },
    ];
    Manifest { attachments, ..Manifest::decode(&manifest_bytes()).unwrap() }.encode().unwrap()
}

fn ledger() -> LedgerId {
    LedgerId::from_bytes(*made_log::genesis_leaf().as_bytes())
}

pub fn claims() -> StatementClaims {
    StatementClaims {
        origin: ORIGIN.into(),
        ledger: ledger(),
        custody: CUSTODY,
        manifest: Manifest::digest(&manifest_bytes()),
        tape: root_two_frames().0.id(),
    }
}

pub fn statement_bytes() -> Vec<u8> {
    Statement::sign(&claims(), &signer(RECORDER_SEED))
}

fn statement() -> Accept {
    let claims = claims();
    let values = vec![
        ("ledger", hex(claims.ledger)),
        ("manifest_digest", hex(claims.manifest)),
        ("opened", hex(claims.tape)),
        ("kid", hex(signer(RECORDER_SEED).public_key().thumbprint())),
    ];
    let what = "the recorder's statement about the tape; `opened` is the tape id";
    file("statement-two-frames.cbor", "statement", Some("statement"), what, statement_bytes(), values)
}

/// The algorithm number of RFC 9864, which a reader takes and this program does not write.
fn statement_alg_19() -> Accept {
    let protected = super::kit::swap(&protected_of(&statement_bytes()), &[("a80127", "a80132")]);
    let bytes = by_hand::sign1(&protected, claims().tape.as_ref(), RECORDER_SEED);
    let values = vec![("opened", hex(claims().tape))];
    file("statement-alg-19.cbor", "statement", Some("statement"), "algorithm -19 instead of -8", bytes, values)
}

/// The protected header of a COSE_Sign1 whose header is 24 to 65,535 bytes long.
pub fn protected_of(sign1: &[u8]) -> Vec<u8> {
    let mut r = immutape::codec::Reader::new(sign1);
    r.tag(18).unwrap();
    r.array_of(4).unwrap();
    r.bytes().unwrap().to_vec()
}

pub fn person_statement(range: Option<(u64, u64)>) -> PersonStatement {
    PersonStatement {
        ledger: ledger(),
        action: 32,
        subject: CUSTODY,
        range,
        request: REQUEST,
        time: Timestamp::from_ms(START_MS + 3_000),
    }
}

fn person(name: &str, what: &str, range: Option<(u64, u64)>) -> Accept {
    let bytes = person_statement(range).sign(&signer(PERSON_SEED));
    file(name, "person", Some("person-statement"), what, bytes, vec![("request_id", hex(REQUEST))])
}

fn private_file(name: &str, what: &str, kind: u16, salt: [u8; 32], half: &PrivateHalf) -> Accept {
    let aad = PrivateAad { origin: ORIGIN, kind, subject: &CUSTODY };
    let sealed = custody_key().seal(salt, aad, half).unwrap();
    let map = half.fields().map();
    let values = vec![
        ("kind", Value::Int(kind.into())),
        ("subject", hex(CUSTODY)),
        ("salt", hex(salt)),
        ("commitment", hex(sealed.commitment)),
        ("sealed_digest", hex(sealed.digest)),
        ("opened", hex(map)),
    ];
    file(name, "private", Some("private-half"), what, sealed.sealed, values)
}

fn private_access() -> Accept {
    let (what, salt) = ("private half of the access entry of chapter 4", super::inputs::private_salt(3));
    private_file("private-access.bin", what, 32, salt, &made_log::access_private())
}

fn private_empty() -> Accept {
    private_file("private-empty.bin", "no field at all: still 176 bytes", 36, [0x7e; 32], &PrivateHalf::default())
}

/// Two ids: few enough to be seen at once; an entry would name no object for them.
fn set_list() -> Accept {
    let mut ids = [CUSTODY, OTHER_CUSTODY];
    let (salt, root) = ([0x7d; 32], set_commitment(&made_log::SET_SALT, &mut ids));
    let bytes = seal_set(&custody_key(), salt, ORIGIN, &root, &made_log::SET_SALT, &ids).unwrap();
    let raw = [&made_log::SET_SALT[..], ids[0].as_ref(), ids[1].as_ref()].concat();
    let okm = by_hand::expand(&CUSTODY_KEY, &[&b"immutape/set-list/1"[..], &salt].concat(), 76);
    let values = vec![
        ("set", hex(root)),
        ("salt", hex(salt)),
        ("key", hex(&okm[..32])),
        ("nonce", hex(&okm[32..44])),
        ("key_commitment", hex(&okm[44..])),
        ("opened", hex(raw)),
    ];
    file("set-list.bin", "set-list", None, "the ids of a set of two tapes as an object", bytes, values)
}

fn wrapped() -> Vec<Accept> {
    let root = vault_root();
    let wrap = |word: &'static str, purpose, id: [u8; 16], key: &[u8; 32]| {
        let bytes = root.wrap(ORIGIN, purpose, &id, key).unwrap();
        let values = vec![("purpose", text(word)), ("id", hex(id)), ("opened", hex(key))];
        file(&format!("wrapped-{word}.bin"), "wrapped", None, "wrapped under the vault root", bytes, values)
    };
    let epoch = KeyEncryptionKey::from_bytes(&EPOCH_KEY);
    let tape = epoch.wrap_tape(ORIGIN, &CUSTODY, &TapeSecret::from_bytes(&TAPE_SECRET)).unwrap();
    let values = vec![("purpose", text("tape")), ("id", hex(CUSTODY)), ("opened", hex(TAPE_SECRET))];
    assert_ne!(VAULT_ROOT, EPOCH_KEY);
    vec![
        wrap("epoch", Purpose::Epoch, EPOCH_ID, &EPOCH_KEY),
        wrap("index", Purpose::Index, [0xe5; 16], &[0xe6; 32]),
        wrap("dedupe", Purpose::Dedupe, [0xe7; 16], &DEDUPE_KEY),
        wrap("journal", Purpose::Journal, [0xe8; 16], &JOURNAL_KEY),
        wrap("custody", Purpose::Custody, CUSTODY_KEY_ID, &CUSTODY_KEY),
        file("wrapped-tape.bin", "wrapped", None, "wrapped under the epoch's key", tape.to_vec(), values),
    ]
}

//! Golden files of `store-embedded`: the vault's generation file and slots, and rows of the golden log.

use immutape::catalog::{Enrichment, ManifestPlace, Projector, Queries, Summary};
use immutape::codec::digest::{CustodyId, LedgerId};
use immutape::codec::extent::Group;
use immutape::store::memory::rows::MemoryRows;
use immutape::store::{Hint, Position, Rows as _};
use immutape::tape::{Header, TapeKind};
use immutape::time::Timestamp;

use super::by_hand::{self, b, cbor, h, hmac, list, n, t};
use super::inputs::{
    CUSTODY, CUSTODY_KEY, CUSTODY_KEY_ID, DEDUPE_KEY, EPOCH_ID, EPOCH_KEY, JOURNAL_KEY, ORIGIN, OTHER_CUSTODY,
    START_MS, TAPE_SECRET, VAULT_ROOT, named, tape_keys,
};
use super::kit::{Accept, Chapter, Named, Value, hex};
use super::made_log::{genesis_leaf, golden_log};
use super::{made_seal, made_tape, refused_store};

const ABOUT: &str =
    "Golden files of docs/format/store-embedded.md: the vault and the rows. The journal's are those of 4-commit.
All values are hexadecimal unless they are words or numbers. The vault's files are made by hand from the inputs, since
the program takes ids and keys from a generator; the rows are those of the log in 4-commit.
A refused file is the accepted file `from` with `edits` made (offsets into the accepted file); where `refreshed`
names codes, they were made anew around the one fault. `error` is the verdict of the library's reader.";

pub const ROOT_ID: [u8; 16] = [0xe9; 16];
const LATER_EPOCH_ID: [u8; 16] = [0xea; 16];
const LATER_EPOCH_KEY: [u8; 32] = [0xeb; 32];
const LEDGER_KEY_ID: [u8; 16] = [0xd2; 16];
const LEDGER_KEY: [u8; 32] = [0xd3; 32];
const INDEX_KEY: [u8; 32] = [0xe6; 32];
const OTHER_SECRET: [u8; 32] = [0x08; 32];
const ROW_SALT: [u8; 16] = [0x5a; 16];
/// November 2023.
const MONTH: u64 = 12 * 2_023 + 10;

pub fn chapter() -> Chapter {
    let accepts = accepts();
    let rejects = refused_store::rejects(&accepts);
    Chapter { name: "store-embedded", about: ABOUT, inputs: inputs(), accepts, rejects }
}

fn inputs() -> Vec<Named> {
    let mut all = named();
    all.extend([
        ("ledger", hex(genesis_leaf().as_bytes()), "ledger id"),
        ("root_id", hex(ROOT_ID), "id of the vault root"),
        ("later_epoch_id", hex(LATER_EPOCH_ID), "the open epoch"),
        ("later_epoch_key", hex(LATER_EPOCH_KEY), ""),
        ("ledger_key_id", hex(LEDGER_KEY_ID), "custody key of entries about no tape"),
        ("ledger_key", hex(LEDGER_KEY), ""),
        ("index_key", hex(INDEX_KEY), ""),
    ]);
    all
}

fn accepts() -> Vec<Accept> {
    let mut all = vec![generation(), slots(), custody_label()];
    all.extend(rows());
    all.extend(live());
    all
}

/// 11: number of the golden piece.
const LIVE_NUMBER: u64 = 3;
const LIVE_SALT: [u8; 32] = [0x5b; 32];

/// 11: a piece with every record, and the same sealed.
fn live() -> Vec<Accept> {
    let frame = ciborium::from_reader(&made_tape::encode_frame(&made_tape::two_frames()[0])[..]).unwrap();
    let header = ciborium::from_reader(&Header::new(TapeKind::Mcp).encode().unwrap()[..]).unwrap();
    let record =
        |number: u64, rest: Vec<ciborium::Value>| list([n(number)].into_iter().chain(rest).collect::<Vec<_>>());
    let records = list([
        record(0, vec![header]),
        record(1, vec![frame]),
        record(2, vec![n(1), b([0x99; 32]), n(1_700_000_000_000_000_000)]),
        record(3, vec![n(1), n(4), n(2)]),
        record(4, vec![n(1_700_000_000_000_000_001)]),
        record(5, vec![n(1_700_000_000_000_000_002)]),
        record(6, vec![list([n(7)]), n(1_700_000_000_000_000_003), b(OTHER_CUSTODY)]),
        record(6, vec![list([n(0)]), n(1_700_000_000_000_000_004), ciborium::Value::Null]),
    ]);
    let content = cbor(&list([t("immutape/live/1"), n(LIVE_NUMBER), records]));
    let plain = by_hand::object_plain(0, content.len() as u64, &content);
    let sealed = by_hand::seal_live(&TAPE_SECRET, &LIVE_SALT, CUSTODY.as_ref(), LIVE_NUMBER, &plain);
    let id = h(cbor(&list([t("immutape/live-key-id/1"), b(CUSTODY)])));
    let number = ("number", Value::Int(LIVE_NUMBER));
    let what = "content of a piece of a live recording, with every kind of record";
    let opened = file("live-content.cbor", "live-content", Some("live-piece"), what, content.clone());
    let what = "the same, sealed; `live_key_id` is under which the vault keeps the secret meanwhile";
    let piece = file("live-piece.bin", "live-piece", Some("live-piece"), what, sealed);
    vec![
        Accept { values: vec![number.clone()], ..opened },
        with_opened(Accept { values: vec![number, ("live_key_id", hex(id))], ..piece }, content),
    ]
}

fn file(name: &str, decoder: &'static str, cddl: Option<&'static str>, what: &str, bytes: Vec<u8>) -> Accept {
    Accept { file: name.into(), decoder, what: what.into(), cddl, bytes, values: Vec::new() }
}

fn wrap(purpose: &str, id: [u8; 16], key: &[u8]) -> ciborium::Value {
    b(by_hand::wrap(&VAULT_ROOT, ORIGIN, purpose, &id, key))
}

/// 6: the encoding in the generation file.
fn generation_item() -> Vec<u8> {
    let epoch = |id, key: [u8; 32], state| list([b(id), wrap("epoch", id, &key), n(state)]);
    let single = |purpose, id, key: [u8; 32]| list([b(id), wrap(purpose, id, &key)]);
    let custody = |id, key: [u8; 32], class: &str| {
        let label = cbor(&list([t(class), n(MONTH)]));
        list([b(id), wrap("custody", id, &[&key[..], &label].concat())])
    };
    cbor(&list([
        t("immutape/vault/1"),
        n(2),
        n(3),
        t(ORIGIN),
        b(ROOT_ID),
        list([epoch(EPOCH_ID, EPOCH_KEY, 1), epoch(LATER_EPOCH_ID, LATER_EPOCH_KEY, 0)]),
        single("index", [0xe5; 16], INDEX_KEY),
        single("dedupe", [0xe7; 16], DEDUPE_KEY),
        single("journal", [0xe8; 16], JOURNAL_KEY),
        list([custody(LEDGER_KEY_ID, LEDGER_KEY, "ledger"), custody(CUSTODY_KEY_ID, CUSTODY_KEY, "draft")]),
        list([b(OTHER_CUSTODY)]),
    ]))
}

/// 6: the generation file around an encoding, its code made anew.
pub fn generation_file(item: &[u8]) -> Vec<u8> {
    let key = by_hand::hkdf(&VAULT_ROOT, &ROOT_ID, b"immutape/vault-code/1", 32);
    [b"immutape vault 1 2 3\n", item, &hmac(&key, item)].concat()
}

fn generation() -> Accept {
    let (item, what) = (generation_item(), "S/vault/generation: two epochs, two custody keys, one dead tape");
    let bytes = generation_file(&item);
    let values = vec![
        ("generation", Value::Int(2)),
        ("revision", Value::Int(3)),
        ("body_digest", hex(h(&bytes[bytes.len() - item.len() - 32..]))),
    ];
    Accept { values, ..file("vault-generation.bin", "vault-generation", Some("vault-generation"), what, bytes) }
}

/// What stands behind the custody key of the golden log when it is opened.
fn custody_label() -> Accept {
    let bytes = cbor(&list([t("draft"), n(MONTH)]));
    file("custody-label.cbor", "item", Some("custody-label"), "class and month of a custody key", bytes)
}

/// 6: one slot of the older epoch.
pub fn slot(number: u32, custody: &CustodyId, secret: &[u8; 32], dedupe: &[u8; 32]) -> Vec<u8> {
    let wrapped = by_hand::wrap(&EPOCH_KEY, ORIGIN, "tape", custody.as_ref(), secret);
    let said = [custody.as_ref(), &wrapped, dedupe].concat();
    let check = h([&b"immutape/vault-slot/1"[..], &EPOCH_ID, &number.to_be_bytes(), &said].concat());
    [&said[..], &check].concat()
}

/// 6: the term of the tape of two frames.
fn dedupe_term() -> [u8; 32] {
    let header = made_tape::header_two_frames();
    let (_, values) = made_tape::root_two_frames();
    let content = values.into_iter().find(|(name, _)| *name == "content_digest").unwrap().1;
    let Value::Hex(content) = content else { panic!("a digest") };
    let counted = |words: &str| [&(words.len() as u32).to_be_bytes()[..], words.as_bytes()].concat();
    let parts = [b"immutape/dedupe/1".to_vec(), counted(&header.class), counted(&header.namespace), content];
    hmac(&DEDUPE_KEY, &parts.concat())
}

fn slots() -> Accept {
    let other = CustodyId::from_bytes([0xc3; 32]);
    let mut bytes = slot(0, &CUSTODY, &TAPE_SECRET, &dedupe_term());
    bytes.extend([0; 144]);
    bytes.extend(slot(2, &other, &OTHER_SECRET, &[0xdd; 32]));
    // Slot 3 lies from 432 to 576: the sector behind 512 never came.
    bytes.extend(&slot(3, &OTHER_CUSTODY, &OTHER_SECRET, &[0xde; 32])[..80]);
    bytes.resize(4 * 144, 0);
    let opened = [&bytes[..112], &bytes[288..400]].concat();
    let values = vec![("dedupe_term", hex(dedupe_term())), ("opened", hex(opened))];
    let what =
        "front of the older epoch's file: a record, a free slot, a record, a cut slot; `opened` is the two records";
    Accept { values, ..file("vault-slots.bin", "vault-slots", None, what, bytes) }
}

/// What a list shows of the tape of two frames.
fn summary() -> Summary {
    let tape = made_tape::root_two_frames().0.id();
    Summary::of(tape, &made_tape::header_two_frames(), Timestamp::from_ms(START_MS + 2_000), 700)
}

fn enrichment() -> Enrichment {
    let manifest = made_seal::manifest_bytes();
    // Manifest and objects as three records of the first pack.
    let place = |offset: u64| Hint([1u64.to_be_bytes(), offset.to_be_bytes()].concat().try_into().unwrap());
    Enrichment {
        slot: Some(0),
        manifest: Some(ManifestPlace { bytes: manifest.len() as u64, hint: place(700) }),
        hints: vec![place(64), place(400)],
        dedupe: Some(dedupe_term()),
        summary: tape_keys().row_key().seal(ROW_SALT, CUSTODY.as_ref(), &summary().encode()).unwrap(),
    }
}

/// The rows of the golden log.
fn golden_rows() -> MemoryRows {
    let (rows, log) = (MemoryRows::new(), golden_log());
    let mut projector = Projector::fresh(LedgerId::from_bytes(*genesis_leaf().as_bytes()));
    for (header, extent) in &log.groups {
        let group = Group::parse(extent).unwrap();
        let place = Position { segment: 1, offset: header.offset };
        let next = Position { segment: 1, offset: header.offset + header.extent_bytes() };
        projector.group(&rows, place, &group, next, &[], &mut |_, _, _| enrichment()).unwrap();
    }
    let (batch, position) = projector.take(&rows).unwrap().unwrap();
    rows.apply(batch, &position).unwrap();
    rows
}

/// A row by its key.
fn row(
    rows: &MemoryRows,
    name: &str,
    key: &[u8],
    decoder: &'static str,
    cddl: Option<&'static str>,
    what: &str,
) -> Accept {
    let bytes = rows.get(key).unwrap().unwrap_or_else(|| panic!("no row {}", hex::encode(key)));
    Accept { values: vec![("key", hex(key))], ..file(name, decoder, cddl, what, bytes) }
}

fn with_opened(accept: Accept, opened: Vec<u8>) -> Accept {
    let values = accept.values.iter().cloned().chain([("opened", hex(opened))]).collect();
    Accept { values, ..accept }
}

fn rows() -> Vec<Accept> {
    let rows = golden_rows();
    let row = |name, key: &[u8], decoder, cddl, what| row(&rows, name, key, decoder, cddl, what);
    let subject = |id: CustodyId| [b"t", id.as_ref()].concat();
    let first = [0; 10];
    let block = row("rows-block-log.bin", &[b"e", &first[..]].concat(), "log-block", Some("entry"), BLOCK);
    let pieces = pieces_of(&block.bytes);
    let catalogue = [&b"c"[..], &2u64.to_be_bytes(), &[0, 0]].concat();
    let what = "block of the catalogue: the record of the tape of two frames";
    let catalogue = row("rows-block-catalogue.bin", &catalogue, "catalogue-block", Some("catalogue-record"), what);
    let mut record = Vec::new();
    let keep = &mut |saved: immutape::catalog::CatalogRow| {
        record = saved.encode();
        Ok(true)
    };
    Queries::new(&rows).catalog(keep).unwrap();
    let node = row("rows-node-tape-ids.bin", b"i", "term-node", None, "first node of the index of tape ids: one item");
    let item = node.bytes[1..].to_vec();
    let position = file(
        "rows-position.cbor",
        "rows-position",
        Some("rows-position"),
        "the rows' position",
        rows.position().unwrap().unwrap(),
    );
    let sealed = enrichment().summary;
    let sealed =
        file("rows-summary.bin", "row-summary", Some("tape-summary"), "the sealed summary in that record", sealed);
    let values = vec![("row_key", hex(&by_hand::tape_keys(&TAPE_SECRET)[3]))];
    vec![
        Accept { values: vec![("key", hex(b"p"))], ..position },
        row(
            "rows-subject-tape.cbor",
            &subject(CUSTODY),
            "subject-row",
            Some("subject-row"),
            "row of the tape of two frames",
        ),
        row(
            "rows-subject-ledger.cbor",
            &subject(CustodyId::LEDGER),
            "subject-row",
            Some("subject-row"),
            "row of the ledger itself",
        ),
        with_opened(block, pieces),
        with_opened(catalogue, record),
        with_opened(Accept { values, ..sealed }, summary().encode()),
        with_opened(node, item),
    ]
}

const BLOCK: &str = "first block of the group stream; `opened` is its pieces, one after another";

/// 8.1: the pieces of a block, as the text tells them.
pub fn pieces_of(block: &[u8]) -> Vec<u8> {
    let (mut left, mut out) = (&block[1..], Vec::new());
    while let [_, a, b, c, d, rest @ ..] = left {
        let (piece, after) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        out.extend_from_slice(piece);
        left = after;
    }
    out
}

//! Refused files of `store-embedded`: the vault and the rows.

use super::kit::{Accept, Refuse, Reject, append, flip, swap};
use super::made_store::{generation_file, slot};
use super::{by_hand, inputs};

pub fn rejects(accepts: &[Accept]) -> Vec<Reject> {
    let mut r = Refuse::new(accepts);
    generation(&mut r);
    slots(&mut r);
    records(&mut r);
    blocks(&mut r);
    nodes(&mut r);
    live(&mut r);
    r.out
}

fn live(r: &mut Refuse<'_>) {
    let (content, sealed) = ("live-content.cbor", "live-piece.bin");
    let base = r.base(content).to_vec();
    r.put(
        "live-number.cbor",
        content,
        "TapeError::Sequence { expected: 3, found: 2 }",
        "another number",
        swap(&base, &[("2f31 03 88", "2f31 02 88")]),
    );
    r.put(
        "live-label.cbor",
        content,
        "TapeError::Cbor(Label)",
        "label immutape/live/2",
        swap(&base, &[("2f31 03 88", "2f32 03 88")]),
    );
    r.put(
        "live-record.cbor",
        content,
        "TapeError::Value { field: \"live record\", value: 7 }",
        "a record of number 7",
        swap(&base, &[("82 04 1b 17979cfe362a0001", "82 07 1b 17979cfe362a0001")]),
    );
    r.put("live-longer.cbor", content, "TapeError::Cbor(Trailing)", "a byte more", append(&base, &[0]));
    let base = r.base(sealed).to_vec();
    r.put("live-salt.bin", sealed, "SealError::KeyCommitment", "a bit of the salt", flip(&base, 0));
    r.put("live-ciphertext.bin", sealed, "SealError::Authentication", "a bit of the ciphertext", flip(&base, 64));
}

const GENERATION: &str = "vault-generation.bin";
const LINE: usize = "immutape vault 1 2 3\n".len();

fn generation(r: &mut Refuse<'_>) {
    let base = r.base(GENERATION).to_vec();
    let item = &base[LINE..base.len() - 32];
    let damaged = "E_VAULT_DAMAGED: the vault's generation file";
    let altered = format!("{damaged} was altered or belongs to another vault root");
    let mut put = |file: &str, error: &str, what: &str, bytes: Vec<u8>| r.put(file, GENERATION, error, what, bytes);
    let line = "E_VAULT_DAMAGED: vault: the first line of S/vault/generation is damaged";
    put(
        "generation-line-zero.bin",
        line,
        "a number with a zero in front",
        [b"immutape vault 1 02 3\n", &base[LINE..]].concat(),
    );
    let other = "E_VAULT_DAMAGED: the first line names another revision than the body";
    put(
        "generation-line-revision.bin",
        other,
        "another revision in the line",
        [b"immutape vault 1 2 4\n", &base[LINE..]].concat(),
    );
    put("generation-code.bin", &altered, "a bit of the code", flip(&base, -1));
    put("generation-bit.bin", &altered, "a bit of a dead tape's id", swap(&base, &[("58 20 c2c2", "58 20 c3c2")]));
    let mut again = |file: &str, error: &str, what: &str, old: &str, new: &str| {
        let bytes = generation_file(&swap(item, &[(old, new)]));
        r.put_refreshed(file, GENERATION, &format!("{damaged} {error}"), what, &["code"], bytes);
    };
    let label = hex::encode("immutape/vault/");
    again(
        "generation-label.bin",
        "cannot be read (Label)",
        "label immutape/vault/2",
        &format!("{label}31"),
        &format!("{label}32"),
    );
    let open = format!("50{}5830", "ea".repeat(16));
    again(
        "generation-ten-items.bin",
        "cannot be read (Length)",
        "ten items",
        &format!("8b70{label}"),
        &format!("8a70{label}"),
    );
    let short = format!("4f{}5830", "ea".repeat(15));
    again("generation-epoch-id-15.bin", "cannot be read (Length)", "an epoch id of 15 bytes", &open, &short);
    let dead = format!("8158 20{}", "c2".repeat(32));
    again("generation-dead-text.bin", "cannot be read (Type)", "a number as custody id of a dead tape", &dead, "8100");
    let dead_end = format!("5820{}", "c2".repeat(32));
    again(
        "generation-trailing.bin",
        "cannot be read (Trailing)",
        "a byte after the item",
        &dead_end,
        &format!("{dead_end}00"),
    );
    let (origin, other) = (hex::encode(inputs::ORIGIN), hex::encode(inputs::ORIGIN.replacen("golden", "silver", 1)));
    again("generation-origin.bin", "belongs to another ledger", "another origin", &origin, &other);
    let index = hex::encode(by_hand::wrap(&inputs::VAULT_ROOT, inputs::ORIGIN, "index", &[0xe5; 16], &[0xe6; 32]));
    let cut = hex::encode(by_hand::wrap(&inputs::VAULT_ROOT, inputs::ORIGIN, "dedupe", &[0xe5; 16], &[0xe6; 32]));
    again(
        "generation-purpose.bin",
        "holds a key that does not open (Authentication)",
        "an index key wrapped for another purpose",
        &index,
        &cut,
    );
}

fn slots(r: &mut Refuse<'_>) {
    let from = "vault-slots.bin";
    let base = r.base(from).to_vec();
    let mut put = |file: &str, number: u32, what: &str, bytes: Vec<u8>| {
        let error =
            format!("E_VAULT_DAMAGED: vault: slot {number} of epoch {} is damaged", hex::encode(inputs::EPOCH_ID));
        r.put(file, from, &error, what, bytes);
    };
    put("slot-custody.bin", 0, "a bit of a custody id", flip(&base, 0));
    put("slot-wrapped.bin", 0, "a bit of a wrapped secret", flip(&base, 40));
    put("slot-dedupe.bin", 0, "a bit of a dedupe term", flip(&base, 100));
    put("slot-check.bin", 2, "a bit of the check", flip(&base, 431));
    put("slot-free.bin", 1, "a bit of a free slot", flip(&base, 200));
    put("slot-cut.bin", 3, "a bit behind the boundary of a cut slot", flip(&base, -1));
    let elsewhere = slot(5, &inputs::CUSTODY, &inputs::TAPE_SECRET, &base[80..112].try_into().unwrap());
    put("slot-of-another-number.bin", 0, "the record of another slot", [&elsewhere, &base[144..]].concat());
}

fn records(r: &mut Refuse<'_>) {
    let label = hex::encode("immutape/rows/");
    let position = "rows-position.cbor";
    r.swap(
        "position-label.cbor",
        position,
        "CborError::Label",
        "label immutape/rows/2",
        &[(&format!("{label}33"), &format!("{label}32"))],
    );
    let size = r.base(position)[52];
    assert_eq!(r.base(position)[51], 0x18, "the size has one byte more");
    let size = format!("18{size:02x}84");
    r.swap(
        "position-frontier.cbor",
        position,
        "CborError::Length",
        "a size that the frontier does not have",
        &[(&size, "181f84")],
    );
    let tape = "rows-subject-tape.cbor";
    let damaged = "E_ROWS_UNAVAILABLE: a tape's row in sled is damaged";
    let base = r.base(tape).to_vec();
    let mut put = |file: &str, error: &str, what: &str, bytes: Vec<u8>| {
        r.put(file, tape, &format!("{damaged} ({error})"), what, bytes);
    };
    put("subject-eleven-items.cbor", "Length", "eleven items", [&[0x8b], &base[1..]].concat());
    let places = [("5820 0000000000000001", "581f 00000000000001")];
    put("subject-places-31.cbor", "Length", "places of 31 bytes", swap(&base, &places));
    let epoch = format!("50{}", "e1".repeat(16));
    let slot = [(&*format!("{epoch}00"), &*format!("{epoch}6130"))];
    put("subject-slot-text.cbor", "Type", "a text as slot", swap(&base, &slot));
    let sealed = "rows-summary.bin";
    let base = r.base(sealed).to_vec();
    r.put("summary-salt.bin", sealed, "SealError::Authentication", "a bit of the salt", flip(&base, 0));
    r.put("summary-tag.bin", sealed, "SealError::Authentication", "a bit of the tag", flip(&base, -1));
    r.put("summary-cut.bin", sealed, "SealError::Truncated", "half a salt", base[..8].to_vec());
}

fn blocks(r: &mut Refuse<'_>) {
    let damaged = "E_ROWS_UNAVAILABLE: the log's copy in sled is damaged:";
    for (from, word) in [("rows-block-log.bin", "log"), ("rows-block-catalogue.bin", "catalogue")] {
        let base = r.base(from).to_vec();
        let mut put = |fault: &str, error: &str, what: &str, bytes: Vec<u8>| {
            r.put(&format!("block-{word}-{fault}.bin"), from, &format!("{damaged} {error}"), what, bytes);
        };
        put("nothing", "an empty block", "no byte at all", Vec::new());
        put("kind", "a piece of unknown kind", "a first piece of type 4", [&[base[0], 4], &base[2..]].concat());
        put("cut", "a piece is cut off", "the last byte is missing", base[..base.len() - 1].to_vec());
        put("count", "a block is cut off", "a piece more in the count", [&[base[0] + 1], &base[1..]].concat());
        put("trailing", "bytes are left over in a block", "a byte after it", append(&base, &[0]));
    }
}

fn nodes(r: &mut Refuse<'_>) {
    let from = "rows-node-tape-ids.bin";
    let base = r.base(from).to_vec();
    let mut put = |file: &str, what: &str, bytes: Vec<u8>| {
        r.put(file, from, "E_ROWS_UNAVAILABLE: an index of terms in sled is damaged", what, bytes);
    };
    put("node-nothing.bin", "no byte at all", Vec::new());
    put("node-flag-2.bin", "2 in front", [&[2], &base[1..]].concat());
    put("node-trailing.bin", "a byte after it", append(&base, &[0]));
    let lower = [&[0u8; 5][..], &[0], &base[7..]].concat();
    put("node-descending.bin", "a second item below the first", append(&base, &lower));
}

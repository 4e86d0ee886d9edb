//! Refused files of chapter 3: statements, private halves, keys.

use immutape::log::PrivateHalf;
use immutape::seal::{PrivateSealer as _, Signer as _};

use super::by_hand;
use super::inputs::{CUSTODY, CUSTODY_KEY, ORIGIN, PERSON_SEED, RECORDER_SEED, TAPE_SECRET, private_salt, signer};
use super::kit::{Accept, Refuse, Reject, append, flip, swap, unhex};
use super::made_commit::private_map;
use super::made_log::access_private;
use super::made_seal::protected_of;

pub fn rejects(accepts: &[Accept]) -> Vec<Reject> {
    let mut r = Refuse::new(accepts);
    statement_bytes(&mut r);
    statement_headers(&mut r);
    persons(&mut r);
    privates(&mut r);
    keys(&mut r);
    r.out
}

const AGAIN: &[&str] = &["ciphertext", "tag"];
const SIGNED: &[&str] = &["signature"];

const STATEMENT: &str = "statement-two-frames.cbor";

fn tape_hex(base: &[u8]) -> String {
    hex::encode(&base[base.len() - 98..base.len() - 66])
}

fn statement_bytes(r: &mut Refuse<'_>) {
    let base = r.base(STATEMENT).to_vec();
    let (tape, signature) = (tape_hex(&base), hex::encode(&base[base.len() - 64..]));
    let payload = format!("a05820{tape}5840");
    let mut put = |file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        r.swap(file, STATEMENT, &format!("SealError::{error}"), what, swaps);
    };
    put("statement-untagged.cbor", "Cbor(Type)", "no tag", &[("d28459", "8459")]);
    put("statement-tag-17.cbor", "Cbor(Tag)", "tag 17 (COSE_Mac0)", &[("d28459", "d18459")]);
    put("statement-tag-98.cbor", "Cbor(Tag)", "tag 98 (COSE_Sign)", &[("d28459", "d8628459")]);
    put("statement-tag-long.cbor", "Cbor(NotShortest)", "tag 18 in two bytes", &[("d28459", "d8128459")]);
    put("statement-tag-twice.cbor", "Cbor(Tag)", "tag 18 twice", &[("d28459", "d2d28459")]);
    let five = [("d28459", "d28559"), (&signature, &format!("{signature}00"))];
    put("statement-five-items.cbor", "Cbor(Length)", "a fifth item", &five);
    let swaps = [(&*payload, &*format!("a1044101{}", &payload[2..]))];
    put("statement-unprotected.cbor", "Cbor(UnknownKey)", "a key id in the unprotected header", &swaps);
    put(
        "statement-unprotected-bytes.cbor",
        "Cbor(Type)",
        "h'' as unprotected header",
        &[(&payload, &format!("40{}", &payload[2..]))],
    );
    put("statement-detached.cbor", "Cbor(Type)", "null as payload", &[(&payload, "a0f65840")]);
    put(
        "statement-payload-31.cbor",
        "Cbor(Length)",
        "a payload of 31 bytes",
        &[(&payload, &format!("a0581f{}5840", &tape[..62]))],
    );
    let short = [(&*format!("5840{signature}"), &*format!("583f{}", &signature[..126]))];
    put("statement-signature-63.cbor", "Cbor(Length)", "a signature of 63 bytes", &short);
    put("statement-trailing.cbor", "Cbor(Trailing)", "a byte after it", &[(&signature, &format!("{signature}00"))]);
    let other = hex::encode(flip(&unhex(&tape), 0));
    put(
        "statement-other-tape.cbor",
        "Header(\"subject\")",
        "another payload than the subject",
        &[(&payload, &format!("a05820{other}5840"))],
    );
    let mut flipped =
        |file: &str, what: &str, at: isize| r.put(file, STATEMENT, "SealError::Signature", what, flip(&base, at));
    flipped("statement-signature-r.cbor", "a bit of R", -64);
    flipped("statement-signature-s.cbor", "a bit of S", -32);
    let mut plus = base.clone();
    let at = plus.len() - 32;
    add_order(&mut plus[at..]);
    r.put(
        "statement-signature-s-plus-l.cbor",
        STATEMENT,
        "SealError::Signature",
        "S + L: the same number modulo L",
        plus,
    );
}

/// Adds the order of the base point to a little-endian number.
fn add_order(s: &mut [u8]) {
    let l = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0u16;
    for (a, b) in s.iter_mut().zip(l) {
        let sum = u16::from(*a) + u16::from(b) + carry;
        (*a, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0);
}

fn statement_headers(r: &mut Refuse<'_>) {
    let base = r.base(STATEMENT).to_vec();
    let (protected, payload) = (protected_of(&base), unhex(&tape_hex(&base)));
    let mut put = |file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        let bytes = by_hand::sign1(&swap(&protected, swaps), &payload, RECORDER_SEED);
        r.put_refreshed(file, STATEMENT, &format!("SealError::{error}"), what, SIGNED, bytes);
    };
    put("statement-alg-es256.cbor", "Header(\"algorithm\")", "algorithm -7", &[("a80127", "a80126")]);
    put("statement-hash-sha384.cbor", "Header(\"hash algorithm\")", "hash -43", &[("1901022f", "190102382a")]);
    put("statement-content-type.cbor", "Header(\"content type\")", "+json", &[("2b63626f72", "2b6a736f6e")]);
    put("statement-subject-word.cbor", "Header(\"subject\")", "\"sha257:\"", &[("7368613235363a", "7368613235373a")]);
    put("statement-no-alg.cbor", "Cbor(MissingKey)", "key 1 is missing", &[("a80127", "a7")]);
    put("statement-no-issuer.cbor", "Cbor(MissingKey)", "no issuer", &[(&format!("0fa2{}", issuer()), "0fa1")]);
    put(
        "statement-claims-key-6.cbor",
        "Cbor(UnknownKey)",
        "a third claim (iat)",
        &[("0fa2", "0fa3"), ("190102", "0600190102")],
    );
    put(
        "statement-key-16.cbor",
        "Cbor(UnknownKey)",
        "a key the table does not name",
        &[("a80127", "a90127"), ("190102", "1000190102")],
    );
    put("statement-crit.cbor", "Cbor(UnknownKey)", "a list of critical keys", &[("a80127", "a9012702811904d2")]);
    let ledger = "666c6564676572";
    let place = protected.windows(7).position(|w| w == unhex(ledger)).unwrap();
    let pair = hex::encode(&protected[place..place + 41]);
    put("statement-no-ledger.cbor", "Cbor(MissingKey)", "no ledger id", &[("a80127", "a70127"), (&pair, "")]);
    let last = hex::encode(&protected[protected.len() - 10..]);
    let moved = [(&*pair, ""), (&*last, &*format!("{last}{pair}"))];
    put("statement-key-order.cbor", "Cbor(KeyOrder)", "\"ledger\" after \"manifest\"", &moved);
    let foreign = hex::encode(signer(PERSON_SEED).public_key().thumbprint());
    let own = hex::encode(signer(RECORDER_SEED).public_key().thumbprint());
    put("statement-other-kid.cbor", "WrongKey", "another key's thumbprint", &[(&own, &foreign)]);
    put("statement-kid-text.cbor", "Cbor(Type)", "a text as key id", &[(&format!("045820{own}"), "046161")]);
    let bytes = by_hand::sign1(&protected, &payload, PERSON_SEED);
    r.put("statement-other-signer.cbor", STATEMENT, "SealError::Signature", "signed with another key", bytes);
}

/// The issuer claim: key 1 and its text.
fn issuer() -> String {
    hex::encode([&[1, 0x78, ORIGIN.len() as u8], ORIGIN.as_bytes()].concat())
}

fn persons(r: &mut Refuse<'_>) {
    let from = "person-range.cbor";
    let base = r.base(from).to_vec();
    let protected = protected_of(&base);
    let at = base.windows(18).position(|w| w[2..] == b"immutape/person/"[..]).unwrap();
    let payload = base[at..base.len() - 66].to_vec();
    let mut put = |file: &str, error: &str, what: &str, head: &[(&str, &str)], swaps: &[(&str, &str)]| {
        let bytes = by_hand::sign1(&swap(&protected, head), &swap(&payload, swaps), PERSON_SEED);
        r.put_refreshed(file, from, &format!("SealError::{error}"), what, SIGNED, bytes);
    };
    put("person-alg-es256.cbor", "Header(\"algorithm\")", "algorithm -7", &[("a20127", "a20126")], &[]);
    put(
        "person-no-kid.cbor",
        "Cbor(MissingKey)",
        "no key id",
        &[("a20127", "a10127"), (&hex::encode(&protected[3..]), "")],
        &[],
    );
    put(
        "person-key-5.cbor",
        "Cbor(UnknownKey)",
        "key 5 in the header",
        &[("a20127", "a30127"), (&hex::encode(&protected[3..]), &format!("{}0500", hex::encode(&protected[3..])))],
        &[],
    );
    let (own, foreign) = (signer(PERSON_SEED), signer(RECORDER_SEED));
    let thumbs = [own, foreign].map(|s| hex::encode(s.public_key().thumbprint()));
    put("person-other-kid.cbor", "WrongKey", "another key's thumbprint", &[(&thumbs[0], &thumbs[1])], &[]);
    put("person-label.cbor", "Cbor(Label)", "label immutape/person/2", &[], &[("6572736f6e2f31", "6572736f6e2f32")]);
    put("person-action-65536.cbor", "Cbor(Range)", "act 65,536", &[], &[("18205820", "1a000100005820")]);
    put("person-range-three.cbor", "Cbor(Length)", "three numbers as range", &[], &[("82000150", "8300010250")]);
    put("person-request-15.cbor", "Cbor(Length)", "a request id of 15 bytes", &[], &[("82000150a5", "8200014f")]);
    put(
        "person-six-items.cbor",
        "Cbor(Length)",
        "no time",
        &[],
        &[("8771696d", "8671696d"), (&hex::encode(&payload[payload.len() - 9..]), "")],
    );
    let other = by_hand::sign1(&protected, &payload, RECORDER_SEED);
    r.put("person-other-signer.cbor", from, "SealError::Signature", "signed with another key", other);
    r.put("person-signature.cbor", from, "SealError::Signature", "a bit of the signature", flip(&base, -1));
}

fn privates(r: &mut Refuse<'_>) {
    let from = "private-access.bin";
    let base = r.base(from).to_vec();
    let mut plain = |file: &str, error: &str, what: &str, bytes: Vec<u8>| {
        r.put(file, from, &format!("SealError::{error}"), what, bytes);
    };
    plain("private-cut-31.bin", "Truncated", "shorter than a salt", base[..31].to_vec());
    plain("private-cut-47.bin", "Truncated", "shorter than a tag after it", base[..47].to_vec());
    plain("private-salt.bin", "Authentication", "a bit of the salt", flip(&base, 0));
    plain("private-ciphertext.bin", "Authentication", "a bit of the ciphertext", flip(&base, 40));
    plain("private-tag.bin", "Authentication", "a bit of the tag", flip(&base, -1));
    let map = private_map(&access_private());
    let whole = by_hand::private_plain(&map);
    let mut put = |file: &str, error: &str, what: &str, plain: &[u8]| {
        let bytes = by_hand::seal_private(&CUSTODY_KEY, &private_salt(3), ORIGIN, 32, CUSTODY, plain);
        r.put_refreshed(file, from, &format!("SealError::{error}"), what, AGAIN, bytes);
    };
    put("private-padding.bin", "Padding", "a bit set in the padding", &flip(&whole, -1));
    put("private-overpadded.bin", "Padding", "more padding than Padme's", &append(&whole, &[0; 8]));
    put("private-unpadded.bin", "Padding", "no padding", &whole[..4 + map.len()]);
    put("private-length-huge.bin", "Padding", "length 2^32 - 1", &[&[0xff; 4], &whole[4..]].concat());
    put("private-no-length.bin", "Padding", "a plaintext of 3 bytes", &whole[..3]);
    let mut other = access_private();
    other.purpose = Some(b"incident 8".to_vec());
    put(
        "private-other-purpose.bin",
        "Commitment",
        "another purpose than was committed to",
        &by_hand::private_plain(&private_map(&other)),
    );
    let empty = by_hand::private_plain(&private_map(&PrivateHalf::default()));
    put("private-no-fields.bin", "Commitment", "no field of those committed to", &empty);
    assert!(access_private().fields().len() > 3);
    let text_key = by_hand::private_plain(&[&[map[0] + 1], &map[1..], b"\x61a\x00"].concat());
    put("private-text-key.bin", "Cbor(UnknownKey)", "a text as key", &text_key);
    let negative = by_hand::private_plain(&[&[map[0] + 1], &map[1..], b"\x20\x00"].concat());
    put("private-negative-key.bin", "Cbor(UnknownKey)", "key -1", &negative);
    put("private-trailing.bin", "Cbor(Trailing)", "a byte after the map", &by_hand::private_plain(&append(&map, &[0])));
    put("private-array.bin", "Cbor(Type)", "an array instead of a map", &by_hand::private_plain(&[0x80]));
}

fn keys(r: &mut Refuse<'_>) {
    let from = "wrapped-tape.bin";
    let base = r.base(from).to_vec();
    r.put("wrapped-bit.bin", from, "SealError::Authentication", "a bit of the key", flip(&base, 0));
    r.put("wrapped-tag.bin", from, "SealError::Authentication", "a bit of the tag", flip(&base, -1));
    r.put("wrapped-cut-15.bin", from, "SealError::Truncated", "shorter than a tag", base[..15].to_vec());
    r.put("wrapped-cut-47.bin", from, "SealError::Authentication", "a byte short", base[..47].to_vec());
    let foreign = by_hand::wrap(&[0xe2; 32], "other.example/00", "tape", CUSTODY.as_ref(), &TAPE_SECRET);
    r.put("wrapped-origin.bin", from, "SealError::Authentication", "wrapped for another origin", foreign);
    let purpose = by_hand::wrap(&[0xe2; 32], ORIGIN, "epoch", CUSTODY.as_ref(), &TAPE_SECRET);
    r.put("wrapped-purpose.bin", from, "SealError::Authentication", "wrapped for another purpose", purpose);
    let mut point = |file: &str, what: &str, digits: &str| {
        r.put(file, "public-key.bin", "SealError::PublicKey", what, unhex(digits));
    };
    let zeros = "00".repeat(31);
    point("public-key-neutral.bin", "the neutral element", &format!("01{zeros}"));
    let order_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    point("public-key-order-8.bin", "a point of order 8", order_8);
    point("public-key-off-curve.bin", "no point has this y", &format!("02{zeros}"));
    point("public-key-second-encoding.bin", "y = p + 3 instead of 3", &format!("f0{}7f", "ff".repeat(30)));
}

//! Refused files of chapter 4: entries, bodies, private halves.

use super::kit::{Accept, Refuse, Reject, append, swap, unhex};
use super::made_log::genesis;

pub fn rejects(accepts: &[Accept]) -> Vec<Reject> {
    let mut r = Refuse::new(accepts);
    entries(&mut r);
    bodies(&mut r);
    genesis_bodies(&mut r);
    people(&mut r);
    private_halves(&mut r);
    r.out
}

/// `8c 70.. 07 5820.. 1b.. 11 5820.. .. 50.. a0`
const PLAIN: &str = "entry-07-tape-saved-again.cbor";

fn entries(r: &mut Refuse<'_>) {
    let base = r.base(PLAIN).to_vec();
    let mut put = |file: &str, error: &str, what: &str, bytes: Vec<u8>| {
        r.put(file, PLAIN, &format!("LogError::{error}"), what, bytes);
    };
    put("entry-statement-form.cbor", "ReservedForm", "first byte d2", [&[0xd2], &base[1..]].concat());
    put("entry-nothing.cbor", "Cbor(Truncated)", "no byte at all", Vec::new());
    put("entry-trailing.cbor", "Cbor(Trailing)", "a byte after it", append(&base, &[0]));
    put("entry-no-body.cbor", "Cbor(Length)", "eleven items", [&[0x8b], &base[1..base.len() - 1]].concat());
    put("entry-more-items.cbor", "Cbor(Length)", "thirteen items", [&[0x8d], &base[1..], &[0]].concat());
    put(
        "entry-indefinite.cbor",
        "Cbor(Indefinite)",
        "an array without length",
        [&[0x9f], &base[1..], &[0xff]].concat(),
    );
    put("entry-body-array.cbor", "Cbor(Type)", "an array as body", [&base[..base.len() - 1], &[0x80]].concat());
    put("entry-body-null.cbor", "Cbor(Type)", "null as body", [&base[..base.len() - 1], &[0xf6]].concat());
    put("entry-cut.cbor", "Cbor(Truncated)", "the body is missing", base[..base.len() - 1].to_vec());
    let custody = format!("5820{}", "c1".repeat(32));
    let mut swapped = |file: &str, error: &str, what: &str, old: &str, new: &str| {
        let (old, new) = (old.replace('S', &custody), new.replace('S', &custody));
        r.swap(file, PLAIN, &format!("LogError::Cbor({error})"), what, &[(&old, &new)]);
    };
    swapped("entry-label.cbor", "Label", "label immutape/entry/2", "656e7472792f31", "656e7472792f32");
    swapped("entry-kind-65536.cbor", "Range", "kind 65,536", "11S", "1a00010000S");
    swapped("entry-kind-negative.cbor", "Type", "kind -18", "11S", "31S");
    swapped("entry-kind-long.cbor", "NotShortest", "kind 17 in two bytes", "11S", "1811S");
    swapped("entry-index-text.cbor", "Type", "a text as index", "2f31075820", "2f3161375820");
    let short = format!("581f{}", "c1".repeat(31));
    swapped("entry-subject-31.cbor", "Length", "a subject of 31 bytes", "S", &short);
    let (id, id_short) = (format!("50{}a0", "d0".repeat(16)), format!("4f{}a0", "d0".repeat(15)));
    swapped("entry-key-id-15.cbor", "Length", "a key id of 15 bytes", &id, &id_short);
    let deep = format!("{}00", "81".repeat(16));
    let body = [("6c61746572 0780", &*format!("6c61746572 07{deep}"))];
    r.swap(
        "entry-body-deep.cbor",
        "entry-25-unknown-kind-999.cbor",
        "LogError::Cbor(Depth)",
        "a body 17 levels deep",
        &body,
    );
    let text_tag = [("656c61746572", "c0656c61746572")];
    r.swap(
        "entry-body-tag.cbor",
        "entry-25-unknown-kind-999.cbor",
        "LogError::Cbor(Tag)",
        "a tag in an unknown body",
        &text_tag,
    );
}

/// Faults of bodies; the digits are those at the end of the entry, after the key id.
fn bodies(r: &mut Refuse<'_>) {
    let key_id = format!("50{}", "d0".repeat(16));
    let text = (&*format!("{key_id}a10003"), &*format!("{key_id}a1613003"));
    let completed = "entry-04-access-completed.cbor";
    r.swap("body-text-key.cbor", completed, "LogError::Cbor(UnknownKey)", "a text as key", &[text]);
    let mut put = |from: &str, file: &str, kind: u16, fault: &str, what: &str, old: &str, new: &str| {
        let index: u64 = from[6..8].parse().unwrap();
        let error = format!("LogError::Body {{ index: {index}, kind: {kind}, fault: {fault} }}");
        let swaps = [(&*format!("{key_id}{old}"), &*format!("{key_id}{new}"))];
        r.swap(file, from, &error, what, &swaps);
    };
    put(PLAIN, "body-unknown-key.cbor", 17, "UnknownKey", "a key where none belongs", "a0", "a10000");
    put(completed, "body-no-grant.cbor", 33, "MissingKey", "key 0 is missing", "a10003", "a0");
    put(completed, "body-key-10.cbor", 33, "UnknownKey", "key 10 too", "a10003", "a200030a00");
    put(completed, "body-grant-negative.cbor", 33, "Type", "grant -4", "a10003", "a10023");
    put(completed, "body-grant-bytes.cbor", 33, "Type", "a byte string as index", "a10003", "a1004103");
    let refused = "entry-06-refused.cbor";
    put(refused, "body-act-65536.cbor", 40, "Range", "act 65,536", "a2001827011832", "a2001a00010000011832");
    let verified = "entry-15-verified.cbor";
    put(verified, "body-verdict-negative.cbor", 9, "Type", "verdict -1", "a500000101", "a500000120");
    let failed = "entry-20-object-failed.cbor";
    put(
        failed,
        "body-digest-null.cbor",
        7,
        "Type",
        "null as digest",
        &format!("a3000101010258 20{}", "95".repeat(32)),
        "a30001010102f6",
    );
    let set = "a3005820";
    let listed = "entry-05-listed.cbor";
    put(
        listed,
        "body-set-31.cbor",
        34,
        "Length",
        "a commitment of 31 bytes",
        &format!("{set}{}", listed_set()),
        &format!("a300581f{}", &listed_set()[..62]),
    );
    let (set, list) = (format!("a4005820{}", "96".repeat(32)), format!("035820{}", "97".repeat(32)));
    let [few, none, many] = ["190201", "190200", "1a000a0000"].map(|count| format!("{set}01{count}021829{list}"));
    let nowhere = format!("a3{}01190201021829", &set[2..]);
    let error = |kind: u16, fault: &str| format!("LogError::Body {{ index: 61, kind: {kind}, fault: {fault} }}");
    let searched = "searched-513.cbor";
    r.swap("searched-object-512.cbor", searched, &error(35, "Range"), "an object for 512 tapes", &[(&few, &none)]);
    r.swap(
        "searched-nowhere.cbor",
        searched,
        &error(35, "MissingKey"),
        "513 tapes, and no object",
        &[(&few, &nowhere)],
    );
    let longest = format!("{set}011a0009ffff021829{list}");
    let what = "655,360 tapes: more than an object holds";
    r.swap("listed-655360.cbor", "listed-655359.cbor", &error(34, "Range"), what, &[(&longest, &many)]);
    let scrubbed = "scrubbed.cbor";
    let end = "1a00011170 0401 0502 06f5";
    r.swap(
        "scrubbed-no-end.cbor",
        scrubbed,
        &error(164, "MissingKey"),
        "key 6 is missing",
        &[("a70003", "a60003"), (end, "1a00011170 0401 0502")],
    );
    let number = &[(end, "1a00011170 0401 0502 0601")];
    r.swap("scrubbed-medium-1.cbor", scrubbed, &error(164, "Type"), "1 instead of true", number);
    let saved = "entry-02-tape-saved.cbor";
    r.swap(
        "body-epoch-15.cbor",
        saved,
        "LogError::Body { index: 2, kind: 16, fault: Length }",
        "an epoch id of 15 bytes",
        &[(&format!("50{}", "e1".repeat(16)), &format!("4f{}", "e1".repeat(15)))],
    );
    r.swap(
        "body-key-order.cbor",
        "entry-01-log-started.cbor",
        "LogError::Cbor(DuplicateKey)",
        "key 0 twice",
        &[(&format!("{key_id}a10001"), &format!("{key_id}a200010001"))],
    );
}

fn listed_set() -> String {
    immutape::log::set_commitment(&super::made_log::SET_SALT, &mut [super::inputs::CUSTODY]).to_hex()
}

fn genesis_bodies(r: &mut Refuse<'_>) {
    let key_id = format!("50{}", "d0".repeat(16));
    let mut put = |from: &str, file: &str, fault: &str, what: &str, swaps: &[(&str, &str)]| {
        let error = format!("LogError::Body {{ index: 0, kind: 0, fault: {fault} }}");
        r.swap(file, from, &error, what, swaps);
    };
    let first = "entry-00-genesis.cbor";
    put(
        first,
        "genesis-format-2.cbor",
        "Range",
        "format 2",
        &[(&format!("{key_id}a90001"), &format!("{key_id}a90002"))],
    );
    put(
        first,
        "genesis-no-test.cbor",
        "MissingKey",
        "key 8 is missing",
        &[(&format!("{key_id}a9"), &format!("{key_id}a8")), ("6f7208f5", "6f72")],
    );
    let slash = hex::encode("/");
    let origin = hex::encode(genesis().origin);
    let spaced = origin.replacen(&slash, &hex::encode(" "), 1);
    put(first, "genesis-origin-space.cbor", "Range", "an origin with a space for its slash", &[(&origin, &spaced)]);
    put(first, "genesis-test-1.cbor", "Type", "1 instead of true", &[("6f7208f5", "6f720801")]);
    put(
        first,
        "genesis-next-two.cbor",
        "Length",
        "two thumbprints",
        &[(&format!("0583{}", next(3)), &format!("0582{}", next(2)))],
    );
    let then = "genesis-successor.cbor";
    put(
        then,
        "genesis-predecessor-three.cbor",
        "Length",
        "three items for the predecessor",
        &[("09f6", "09"), ("08f50984", "08f50983")],
    );
    put(then, "genesis-predecessor-last-text.cbor", "Type", "a text as last lost index", &[("09f6", "0960")]);
    put(then, "genesis-predecessor-null.cbor", "Type", "null as predecessor", &[(&predecessor(), "08f509f6")]);
}

fn people(r: &mut Refuse<'_>) {
    let [ann, ben, cat] = ["aa", "bb", "cc"].map(|byte| format!("50{}", byte.repeat(16)));
    let mut put = |from: &str, file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        let index = if from.starts_with("genesis") { 0 } else { 61 };
        let kind = match from {
            "actor-added.cbor" | "actor-added-agent.cbor" => 104,
            "role-revoked.cbor" => 108,
            "genesis-founders.cbor" => 0,
            _ => 107,
        };
        let error = format!("LogError::Body {{ index: {index}, kind: {kind}, fault: {error} }}");
        r.swap(file, from, &error, what, swaps);
    };
    let two = format!("82{ann}{ben}");
    let granted = "role-granted.cbor";
    put(granted, "role-nobody-agreed.cbor", "Range", "nobody agreed", &[(&two, "80")]);
    put(granted, "role-agreed-twice.cbor", "Range", "somebody agreed twice", &[(&two, &format!("82{ann}{ann}"))]);
    let nine: String = (1..=9).map(|n| format!("50{}", format!("{n:02x}").repeat(16))).collect();
    put(granted, "role-agreed-nine.cbor", "Range", "nine who agreed", &[(&two, &format!("89{nine}"))]);
    let short = format!("4f{}", "bb".repeat(15));
    put(granted, "role-agreed-15.cbor", "Length", "an id of 15 bytes", &[(&two, &format!("82{ann}{short}"))]);
    put(granted, "role-as-text.cbor", "Type", "a text as role", &[("0104 02", "0160 02")]);
    let never = "role-granted-never.cbor";
    put(never, "role-from-false.cbor", "Type", "false as the moment from which on it counts", &[("03f6", "03f4")]);
    put(
        never,
        "role-no-from.cbor",
        "MissingKey",
        "no moment from which on it counts",
        &[(&format!("a400{cat}"), &format!("a300{cat}")), ("03f6", "")],
    );
    let revoked = "role-revoked.cbor";
    put(
        revoked,
        "role-revoked-from.cbor",
        "UnknownKey",
        "a moment where none belongs",
        &[(&format!("a300{cat}"), &format!("a400{cat}")), (&format!("81{ben}"), &format!("81{ben}0300"))],
    );
    let added = "actor-added.cbor";
    put(
        added,
        "actor-id-15.cbor",
        "Length",
        "an id of 15 bytes",
        &[(&format!("a400{cat}"), &format!("a4004f{}", "cc".repeat(15)))],
    );
    put(added, "actor-kind-text.cbor", "Type", "a text as kind", &[("0100 025820", "0160 025820")]);
    let agent = "actor-added-agent.cbor";
    put(agent, "actor-for-null.cbor", "Type", "null as on whose behalf", &[(&format!("04{ben}"), "04f6")]);
    let founders = "genesis-founders.cbor";
    let first = format!("83{ann}5820{}820207", "aa".repeat(32));
    let second = format!("83{ben}5820{}8105", "bb".repeat(32));
    let both = format!("0a82{first}{second}");
    let mut found = |file: &str, error: &str, what: &str, new: &str| {
        put(founders, file, error, what, &[(&both, &format!("0a{new}"))]);
    };
    found("founders-none.cbor", "Range", "an empty list of founders", "80");
    found(
        "founders-one-id.cbor",
        "Range",
        "two founders with one id",
        &format!("82{first}{}", second.replace(&ben, &ann)),
    );
    let one_key = second.replace(&"bb".repeat(32), &"aa".repeat(32));
    found("founders-one-key.cbor", "Range", "two founders with one key", &format!("82{first}{one_key}"));
    found(
        "founders-no-role.cbor",
        "Range",
        "a founder without a role",
        &format!("81{}", first.replace("820207", "80")),
    );
    found("founders-pair.cbor", "Length", "two items for a founder", &format!("8182{ann}5820{}", "aa".repeat(32)));
}

fn next(count: usize) -> String {
    genesis().next.iter().take(count).map(|t| format!("5820{}", t.to_hex())).collect()
}

/// From key 8 of genesis-successor.cbor to its end.
fn predecessor() -> String {
    let note = super::by_hand::note("lost.example/ff\n9\n", "lost.example/ff", super::inputs::CHECKPOINT_SEED);
    let head = [&[0x08, 0xf5, 0x09, 0x84, 0x6f], &b"lost.example/ff"[..], &[0x58, note.len() as u8]].concat();
    hex::encode([&head, note.as_bytes(), &[9, 0xf6]].concat())
}

fn private_halves(r: &mut Refuse<'_>) {
    let from = "private-half-full.cbor";
    let mut put = |from: &str, file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        r.swap(file, from, &format!("CborError::{error}"), what, swaps);
    };
    let last = [("b82200", "b82300"), ("183f80", "183f80184000")];
    put(from, "half-key-64.cbor", "UnknownKey", "key 64", &last);
    let last = [("b82200", "b82300"), ("183f80", "183f80616100")];
    put(from, "half-text-key.cbor", "UnknownKey", "a text as key", &last);
    put(from, "half-trailing.cbor", "Trailing", "a byte after it", &[("183f80", "183f8000")]);
    let tag = ("a102814174", format!("a10281591001{}", "74".repeat(4_097)));
    put(from, "half-label-long.cbor", "Length", "a tag of 4,097 bytes", &[(tag.0, &tag.1)]);
    put(from, "half-claim-four.cbor", "Length", "a claim of four items", &[("8502f6f6f6f6", "8402f6f6f6")]);
    put(from, "half-period-two.cbor", "Length", "a period of years and months", &[("8501830600006d", "85018206006d")]);
    put(from, "half-actor-pair.cbor", "Length", "an actor of two items", &[("00830243626f7402", "00820243626f74")]);
    put(from, "half-actor-text.cbor", "Type", "a text as actor's name", &[("00830243626f7402", "00830263626f7402")]);
    put(
        from,
        "half-roles-empty.cbor",
        "Length",
        "an empty list of roles",
        &[("018267 61756469746f72 68 6f70657261746f72", "0180")],
    );
    put(
        from,
        "half-request-15.cbor",
        "Length",
        "a request id of 15 bytes",
        &[(&format!("0650{}", "a5".repeat(16)), &format!("064f{}", "a5".repeat(15)))],
    );
    put(
        from,
        "half-boot-17.cbor",
        "Length",
        "a boot id of 17 bytes",
        &[(&format!("50{}", "b0".repeat(16)), &format!("51{}", "b0".repeat(17)))],
    );
    put(from, "half-range-null.cbor", "Type", "a range without end", &[("0882001bffffffffffffffff", "088200f6")]);
    let set = "private-half-set.cbor";
    let (one, two) = ("c1".repeat(32), "c2".repeat(32));
    put(
        set,
        "half-set-descending.cbor",
        "KeyOrder",
        "ids not in order",
        &[(&format!("{one}{two}"), &format!("{two}{one}"))],
    );
    put(set, "half-set-twice.cbor", "KeyOrder", "an id twice", &[(&format!("{one}{two}"), &format!("{one}{one}"))]);
    put(set, "half-set-33.cbor", "Length", "33 bytes of ids", &[(&format!("5840{one}{two}"), &format!("5821{one}c2"))]);
    let map = [("a0", "80")];
    assert_eq!(swap(&unhex("a0"), &map), unhex("80"));
    put("private-half-empty.cbor", "half-array.cbor", "Type", "an array instead of a map", &map);
}

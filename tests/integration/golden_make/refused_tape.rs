//! Refused files of chapter 2.

use super::kit::{Accept, Refuse, Reject, append};

pub fn rejects(accepts: &[Accept]) -> Vec<Reject> {
    let mut r = Refuse::new(accepts);
    frame_keys(&mut r);
    frame_values(&mut r);
    header_keys(&mut r);
    header_values(&mut r);
    header_lists(&mut r);
    roots(&mut r);
    r.out
}

/// `a5 0000 0300 0403 0540 0600`
const FRAME: &str = "frame-minimal.cbor";
const FRAME_FULL: &str = "frame-full.cbor";
/// `a7 0001 0100 0aa0 0baa.. 0c8100 1065.. 181867..`
const HEADER: &str = "header-minimal.cbor";
const HEADER_FULL: &str = "header-full.cbor";
const ROOT: &str = "root-two-frames.cbor";

fn cbor(r: &mut Refuse<'_>, from: &str, file: &str, error: &str, what: &str, swaps: &[(&str, &str)]) {
    r.swap(file, from, &format!("TapeError::Cbor({error})"), what, swaps);
}

fn value(r: &mut Refuse<'_>, from: &str, file: &str, field: &str, number: u64, swaps: &[(&str, &str)]) {
    let error = format!("TapeError::Value {{ field: {field:?}, value: {number} }}");
    r.swap(file, from, &error, &format!("{field} {number}"), swaps);
}

fn frame_keys(r: &mut Refuse<'_>) {
    let mut put = |file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        cbor(r, FRAME, file, error, what, swaps);
    };
    put("frame-unknown-key.cbor", "UnknownKey", "key 14", &[("a500", "a600"), ("0600", "06000e00")]);
    put("frame-text-key.cbor", "UnknownKey", "key \"a\"", &[("a500", "a600"), ("0600", "0600616100")]);
    put("frame-negative-key.cbor", "UnknownKey", "key -1", &[("a500", "a600"), ("0600", "06002000")]);
    put("frame-no-seq.cbor", "MissingKey", "key 0 is missing", &[("a50000", "a4")]);
    put("frame-no-kind.cbor", "MissingKey", "key 3 is missing", &[("a500", "a400"), ("0300", "")]);
    put("frame-no-dir.cbor", "MissingKey", "key 4 is missing", &[("a500", "a400"), ("0403", "")]);
    put("frame-no-payload.cbor", "MissingKey", "key 5 is missing", &[("a500", "a400"), ("0540", "")]);
    put("frame-no-delimiter.cbor", "MissingKey", "key 6 is missing", &[("a500", "a400"), ("0600", "")]);
    put("frame-key-order.cbor", "KeyOrder", "key 6 before key 5", &[("05400600", "06000540")]);
    put("frame-key-twice.cbor", "DuplicateKey", "key 6 twice", &[("a500", "a600"), ("0600", "06000600")]);
    put("frame-array.cbor", "Type", "an array instead of a map", &[("a500", "8500")]);
    let two = append(r.base("frame-request.cbor"), r.base("frame-answer.cbor"));
    r.put("frame-and-frame.cbor", "frame-request.cbor", "TapeError::Cbor(Trailing)", "a second frame after it", two);
}

fn frame_values(r: &mut Refuse<'_>) {
    value(r, FRAME, "frame-kind-9.cbor", "frame kind", 9, &[("0300", "0309")]);
    value(r, FRAME, "frame-dir-4.cbor", "direction", 4, &[("0403", "0404")]);
    value(r, FRAME, "frame-delimiter-6.cbor", "delimiter", 6, &[("0600", "0606")]);
    value(r, FRAME, "frame-flags-0.cbor", "flags", 0, &[("a500", "a600"), ("0600", "06000b00")]);
    value(r, FRAME_FULL, "frame-flag-bit-13.cbor", "flags", 0x3fff, &[("0b191fff", "0b193fff")]);
    let mut put = |from: &str, file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        cbor(r, from, file, error, what, swaps);
    };
    put(FRAME, "frame-payload-text.cbor", "Type", "a text as payload", &[("0540", "0560")]);
    put(FRAME, "frame-seq-negative.cbor", "Type", "seq -1", &[("a50000", "a50020")]);
    put(FRAME, "frame-time-null.cbor", "Type", "null as time", &[("a50000", "a6000001f6")]);
    put(FRAME, "frame-time-float.cbor", "Simple", "a float as time", &[("a50000", "a6000001f93c00")]);
    put(FRAME_FULL, "frame-redactions-map.cbor", "Type", "a map as redactions", &[("0c8183", "0ca183")]);
    put(
        FRAME_FULL,
        "frame-extra-three.cbor",
        "Length",
        "three items in a pair",
        &[("82447a756c754131", "83447a756c7541314131")],
    );
    put(FRAME_FULL, "frame-extra-text.cbor", "Type", "a text as name", &[("447a756c75", "647a756c75")]);
}

fn header_keys(r: &mut Refuse<'_>) {
    let newer = [("a70001", "a70002")];
    r.swap("header-format-2.cbor", HEADER, "TapeError::NewerFormat(2)", "format 2", &newer);
    let mut put = |file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        cbor(r, HEADER, file, error, what, swaps);
    };
    put("header-no-format.cbor", "MissingKey", "key 0 is missing", &[("a70001", "a6")]);
    put("header-no-labels.cbor", "MissingKey", "key 10 is missing", &[("a700", "a600"), ("0aa0", "")]);
    put("header-no-end-state.cbor", "MissingKey", "key 12 is missing", &[("a700", "a600"), ("0c8100", "")]);
    put("header-no-class.cbor", "MissingKey", "key 16 is missing", &[("a700", "a600"), ("10656472616674", "")]);
    let swaps = [("a700", "a600"), ("18186764656661756c74", "")];
    put("header-no-namespace.cbor", "MissingKey", "key 24 is missing", &swaps);
    put("header-key-13.cbor", "UnknownKey", "the key that is not used", &[("a700", "a800"), ("0c8100", "0c81000d00")]);
    let swaps = [("a700", "a800"), ("64656661756c74", "64656661756c74181c00")];
    put("header-key-28.cbor", "UnknownKey", "key 28", &swaps);
    put("header-labels-key-3.cbor", "UnknownKey", "key 3 in labels", &[("0aa0", "0aa10300")]);
    let swaps = [("0baa", "0ba9"), ("09000c", "0c")];
    put("header-stats-short.cbor", "MissingKey", "a count is missing", &swaps);
    let swaps = [("0baa", "0bab"), ("09000c", "09000b000c")];
    put("header-stats-key-11.cbor", "UnknownKey", "key 11 in stats", &swaps);
    let swaps = [("0faa", "0fab"), ("0919100010", "091910000a0010")];
    cbor(r, HEADER_FULL, "header-provenance-key-10.cbor", "UnknownKey", "key 10 in provenance", &swaps);
    let swaps = [("0ea3", "0ea4"), ("cfcf0faa", "cfcf03000faa")];
    cbor(r, HEADER_FULL, "header-recorder-key-3.cbor", "UnknownKey", "key 3 in recorder", &swaps);
}

fn header_values(r: &mut Refuse<'_>) {
    value(r, HEADER, "header-kind-7.cbor", "tape kind", 7, &[("01000a", "01070a")]);
    value(r, HEADER, "header-end-state-8.cbor", "end state", 8, &[("0c8100", "0c8108")]);
    value(r, HEADER_FULL, "header-gap-reason-7.cbor", "gap reason", 7, &[("83070300", "83070700")]);
    value(r, HEADER, "header-class-empty.cbor", "the class in bytes", 0, &[("10656472616674", "1060")]);
    value(r, HEADER, "header-namespace-empty.cbor", "the namespace in bytes", 0, &[("6764656661756c74", "60")]);
    let long = |what: &str| format!("TapeError::Limit {{ what: {what:?}, found: 129, max: 128 }}");
    let letters = "61".repeat(129);
    let swaps = [("10656472616674", &*format!("107881{letters}"))];
    r.swap("header-class-long.cbor", HEADER, &long("the class in bytes"), "a class of 129 bytes", &swaps);
    let swaps = [("6764656661756c74", &*format!("7881{letters}"))];
    r.swap("header-namespace-long.cbor", HEADER, &long("the namespace in bytes"), "a namespace of 129 bytes", &swaps);
    let mut put = |from: &str, file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        cbor(r, from, file, error, what, swaps);
    };
    put(HEADER, "header-end-state-empty.cbor", "Length", "no number", &[("0c8100", "0c80")]);
    put(HEADER, "header-clean-detail.cbor", "Length", "a detail of \"clean\"", &[("0c8100", "0c820000")]);
    put(HEADER, "header-child-exit-bare.cbor", "Length", "\"child_exit\" without its detail", &[("0c8100", "0c8101")]);
    put(HEADER, "header-class-bytes.cbor", "Type", "a byte string as class", &[("10656472616674", "10456472616674")]);
    put(HEADER_FULL, "header-session-text.cbor", "Type", "a text as session id", &[("024173", "026173")]);
    let thumb = hex::encode(immutape::seal::thumbprint(&super::inputs::public_key(super::inputs::RECORDER_SEED)));
    let (whole, short) = (format!("005820{thumb}"), format!("00581f{}", &thumb[..62]));
    put(HEADER_FULL, "header-thumbprint-31.cbor", "Length", "a thumbprint of 31 bytes", &[(&whole, &short)]);
    let (whole, long) = (format!("135820{}", "54".repeat(32)), format!("135821{}", "54".repeat(33)));
    put(HEADER_FULL, "header-amends-33.cbor", "Length", "a tape id of 33 bytes", &[(&whole, &long)]);
}

fn header_lists(r: &mut Refuse<'_>) {
    let mut put = |from: &str, file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        cbor(r, from, file, error, what, swaps);
    };
    put(HEADER, "header-tags-empty.cbor", "Length", "an empty list of tags", &[("0aa0", "0aa10280")]);
    put(HEADER_FULL, "header-gaps-empty.cbor", "Length", "an empty list of gaps", &[("12828303000283070300", "1280")]);
    put(HEADER_FULL, "header-gap-pair.cbor", "Length", "a gap without its count", &[("83070300", "820703")]);
    put(HEADER_FULL, "header-tag-text.cbor", "Type", "a text as tag", &[("82416241 61", "82616241 61")]);
    let losses = [("0381 6f", "0380"), ("666c6f617420707265636973696f6e", "")];
    put(HEADER_FULL, "header-losses-empty.cbor", "Length", "an empty list of losses", &losses);
    let tags = format!("1782 5820{} 5820{}", "57".repeat(32), "58".repeat(32));
    put(HEADER_FULL, "header-subject-tags-empty.cbor", "Length", "an empty list of subject tags", &[(&tags, "1780")]);
    let extra = [("18198182 46 637573746f6d 45 5b312c325d", "181980")];
    put(HEADER_FULL, "header-extra-empty.cbor", "Length", "an empty list of extra fields", &extra);
    let lines = [("181a82 8201 49 2320636f6d6d656e74 820940", "181a80")];
    put(HEADER_FULL, "header-lines-empty.cbor", "Length", "an empty list of unsaved lines", &lines);
    let (ping, call) = ("82 44 70696e67 01", "82 4a 746f6f6c732f63616c6c 02");
    let (methods, swapped) = (format!("0082{ping}{call}"), format!("0082{call}{ping}"));
    put(HEADER_FULL, "header-methods-order.cbor", "KeyOrder", "methods that do not ascend", &[(&methods, &swapped)]);
    let twice = format!("0082{ping}{ping}");
    put(HEADER_FULL, "header-methods-twice.cbor", "KeyOrder", "a method twice", &[(&methods, &twice)]);
    put(HEADER_FULL, "header-methods-empty.cbor", "Length", "an empty list of methods", &[(&methods, "0080")]);
    put(HEADER_FULL, "header-method-never.cbor", "Range", "a method named 0 times", &[(ping, "82 44 70696e67 00")]);
    put(HEADER_FULL, "header-unlisted-none.cbor", "Range", "0 mentions not listed", &[("07030305", "07030300")]);
    let (name, long) = ("45 7175657279 02", format!("590101{}02", "71".repeat(257)));
    put(HEADER_FULL, "header-tool-long.cbor", "Length", "a tool of 257 bytes", &[(name, &long)]);
    let many: String = (0..257).map(|n| format!("82 19{:04x} 01", 1_000 + n)).collect();
    let (codes, many) = ("0282 82 397f58 01 82 07 03", format!("02990101{many}"));
    put(HEADER_FULL, "header-errors-257.cbor", "Length", "257 error codes", &[(codes, &many)]);
    let swaps = [("a700", "a800"), ("64656661756c74", "64656661756c74181ba0")];
    put(HEADER, "header-named-empty.cbor", "Length", "key 27 without keys", &swaps);
    put(HEADER_FULL, "header-line-three.cbor", "Length", "three items in a pair", &[("820940", "83094000")]);
}

fn roots(r: &mut Refuse<'_>) {
    let tree = hex::encode(&r.base(ROOT)[r.base(ROOT).len() - 32..]);
    let mut put = |file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        cbor(r, ROOT, file, error, what, swaps);
    };
    put("root-label.cbor", "Label", "label immutape/tape/2", &[("746170652f31", "746170652f32")]);
    put("root-frames-negative.cbor", "Type", "-3 frames", &[("025820", "225820")]);
    put("root-frames-long.cbor", "NotShortest", "2 in two bytes", &[("025820", "18025820")]);
    let swaps = [(&*format!("5820{tree}"), &*format!("581f{}", &tree[..62]))];
    put("root-tree-31.cbor", "Length", "a tree root of 31 bytes", &swaps);
    let swaps = [("846f", "836f"), (&*format!("5820{tree}"), "")];
    put("root-three-items.cbor", "Length", "no tree root", &swaps);
    put("root-five-items.cbor", "Length", "a fifth item", &[("846f", "856f"), (&tree, &format!("{tree}00"))]);
    let more = append(r.base(ROOT), b"\n");
    r.put("root-newline.cbor", ROOT, "TapeError::Cbor(Trailing)", "a line feed after the file", more);
}

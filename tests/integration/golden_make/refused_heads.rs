//! Refused files of chapter 4: notes, checkpoints, head files, verifier keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use immutape::codec::digest::sha256;

use super::by_hand;
use super::inputs::{CHECKPOINT_SEED, ORIGIN, PERSON_SEED};
use super::kit::{Accept, Refuse, Reject, flip};

pub fn rejects(accepts: &[Accept]) -> Vec<Reject> {
    let mut r = Refuse::new(accepts);
    notes(&mut r);
    checkpoints(&mut r);
    heads(&mut r);
    verifier_keys(&mut r);
    r.out
}

const SIGNED: &[&str] = &["signature"];
const NOTE: &str = "checkpoint-07.note";
const HEAD: &str = "head-open.txt";

fn words(r: &Refuse<'_>, from: &str) -> String {
    String::from_utf8(r.base(from).to_vec()).unwrap()
}

/// Text and base64 of the one signature of a note.
fn split(note: &str) -> (String, String) {
    let (text, line) = note.split_once("\n\n").unwrap();
    (format!("{text}\n"), line.trim_end().rsplit_once(' ').unwrap().1.to_owned())
}

fn notes(r: &mut Refuse<'_>) {
    let note = words(r, NOTE);
    let (text, blob) = split(&note);
    let blob_bytes = STANDARD.decode(&blob).unwrap();
    let mut put = |file: &str, error: &str, what: &str, note: String| {
        r.put(file, NOTE, &format!("LogError::{error}"), what, note.into_bytes());
    };
    let with = |name: &str, blob: &[u8]| format!("{text}\n— {name} {}\n", STANDARD.encode(blob));
    put("note-signature.note", "BadSignature", "a bit of the signature", with(ORIGIN, &flip(&blob_bytes, -1)));
    put("note-signature-63.note", "BadSignature", "a signature of 63 bytes", with(ORIGIN, &blob_bytes[..67]));
    put("note-key-id.note", "Unsigned", "another key id", with(ORIGIN, &flip(&blob_bytes, 0)));
    put("note-name.note", "Unsigned", "another name on the line", with("other.example/00", &blob_bytes));
    put("note-other-key.note", "Unsigned", "signed with another key", by_hand::note(&text, ORIGIN, PERSON_SEED));
    let foreign = STANDARD.decode(split(&by_hand::note(&text, ORIGIN, PERSON_SEED)).1).unwrap();
    let mixed = [&blob_bytes[..4], &foreign[4..]].concat();
    put(
        "note-other-key-same-id.note",
        "BadSignature",
        "another key's signature under this key's id",
        with(ORIGIN, &mixed),
    );
    let second = format!("{note}— {ORIGIN} {}\n", STANDARD.encode(flip(&blob_bytes, -1)));
    put("note-second-line-bad.note", "BadSignature", "a good line, then a bad one of the same key", second);
    put("note-text.note", "BadSignature", "size 8 under the signature of size 7", note.replacen("\n7\n", "\n8\n", 1));
    let structural = |what: &str| format!("Note({what:?})");
    let line = structural("a malformed signature line");
    put("note-no-empty-line.note", &structural("no empty line"), "no empty line", note.replacen("\n\n", "\n", 1));
    put("note-no-signature.note", &structural("no signature line"), "no signature line", format!("{text}\n"));
    put(
        "note-no-newline.note",
        &structural("no signature line"),
        "no line feed at the end",
        note.trim_end().to_owned(),
    );
    put("note-hyphen.note", &line, "a hyphen instead of the dash", note.replacen('—', "-", 1));
    put(
        "note-no-space.note",
        &line,
        "no space before the signature",
        note.replacen(&format!("{ORIGIN} {blob}"), &format!("{ORIGIN}{blob}"), 1),
    );
    put(
        "note-base64.note",
        &line,
        "base64 without its padding",
        note.replacen("=\n", "\n", 2).replacen(
            &*format!("{}\n\n", root_unpadded(&text)),
            &format!("{}=\n\n", root_unpadded(&text)),
            1,
        ),
    );
    put("note-only-id.note", &line, "a key id without signature", with(ORIGIN, &blob_bytes[..4]));
    put(
        "note-empty-line-after.note",
        &structural("no signature line"),
        "an empty line at the end",
        format!("{note}\n"),
    );
    let many = format!("{note}{}", "— w AAAAAAA=\n".repeat(64));
    put("note-65-signatures.note", &structural("too many signature lines"), "65 signature lines", many);
    let control = by_hand::note(&text.replacen("\n7\n", "\n7\r\n", 1), ORIGIN, CHECKPOINT_SEED);
    r.put_refreshed(
        "note-carriage-return.note",
        NOTE,
        "LogError::Note(\"a control character\")",
        "a carriage return",
        SIGNED,
        control.into_bytes(),
    );
}

fn root_unpadded(text: &str) -> String {
    text.lines().nth(2).unwrap().trim_end_matches('=').to_owned()
}

fn checkpoints(r: &mut Refuse<'_>) {
    let (text, _) = split(&words(r, NOTE));
    let root = text.lines().nth(2).unwrap().to_owned();
    let mut put = |file: &str, error: &str, what: &str, text: String| {
        let note = by_hand::note(&text, ORIGIN, CHECKPOINT_SEED);
        r.put_refreshed(file, NOTE, &format!("LogError::Checkpoint({error:?})"), what, SIGNED, note.into_bytes());
    };
    let size = |new: &str| text.replacen("\n7\n", &format!("\n{new}\n"), 1);
    put("checkpoint-size-07.note", "no size", "a leading zero", size("07"));
    put("checkpoint-size-plus.note", "no size", "+7", size("+7"));
    put("checkpoint-size-negative.note", "no size", "-7", size("-7"));
    put("checkpoint-size-empty.note", "no origin", "an empty first line", format!("\n{text}"));
    put("checkpoint-size-2-64.note", "no size", "2^64", size("18446744073709551616"));
    put("checkpoint-size-hex.note", "no size", "0x7", size("0x7"));
    put("checkpoint-root-31.note", "no root", "a root of 31 bytes", text.replacen(&root, &STANDARD.encode([1; 31]), 1));
    put("checkpoint-root-hex.note", "no root", "a root in hexadecimal", text.replacen(&root, &"ab".repeat(32), 1));
    put("checkpoint-no-root.note", "no root", "two lines", text.replacen(&format!("{root}\n"), "", 1));
    put(
        "checkpoint-origin.note",
        "another origin",
        "another origin, signed under this name",
        text.replacen("golden.", "silver.", 1),
    );
    put("checkpoint-empty-line.note", "an extension line", "an empty line, then one more", format!("{text}\nmore\n"));
}

fn heads(r: &mut Refuse<'_>) {
    let file_text = words(r, HEAD);
    let at = file_text.find("immutape/head/1").unwrap();
    let (first, second) = file_text.split_at(at);
    let (text, blob) = split(second);
    let signed = |text: &str| by_hand::note(text, ORIGIN, CHECKPOINT_SEED);
    let mut put = |file: &str, error: &str, what: &str, second: String| {
        r.put_refreshed(
            file,
            HEAD,
            &format!("LogError::{error}"),
            what,
            SIGNED,
            format!("{first}{second}").into_bytes(),
        );
    };
    let head = |what: &str| format!("Head({what:?})");
    let swap = |old: &str, new: &str| {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        signed(&text.replacen(old, new, 1))
    };
    let digest = text.lines().nth(3).unwrap().rsplit_once(' ').unwrap().1.to_owned();
    put("head-one-note.txt", &head("the second note is missing"), "one note alone", String::new());
    put("head-label-2.txt", &head("the second note is missing"), "label immutape/head/2", swap("head/1", "head/2"));
    put(
        "head-disagree.txt",
        &head("the two notes disagree"),
        "another size in the second note",
        swap("\n28 ", "\n27 "),
    );
    put(
        "head-origin.txt",
        &head("the two notes disagree"),
        "another origin in the second note",
        swap("golden.", "silver."),
    );
    put("head-size-028.txt", &head("not a number"), "a leading zero", swap("\n28 ", "\n028 "));
    put("head-size-joined.txt", &head("no size and root"), "no space after the size", swap("\n28 ", "\n28-"));
    put("head-revision-word.txt", &head("not a number"), "a word as revision", swap("vault 1 2 ", "vault 1 two "));
    put("head-no-vault.txt", &head("no vault"), "no revision", swap("vault 1 2 ", "vault 1 "));
    put("head-vault-word.txt", &head("no vault"), "another word", swap("vault 1", "fault 1"));
    put(
        "head-vault-digest.txt",
        &head("no vault digest"),
        "a digest cut short",
        swap(&digest, &STANDARD.encode([1; 31])),
    );
    put("head-state-shut.txt", &head("no state"), "another state", swap("state open", "state shut"));
    put("head-state-upper.txt", &head("no state"), "upper case", swap("state open", "state OPEN"));
    put("head-term-word.txt", &head("no term"), "another word", swap("term 1", "turn 1"));
    put("head-term-negative.txt", &head("not a number"), "term -1", swap("term 1", "term -1"));
    put(
        "head-line-more.txt",
        &head("other lines than its table names"),
        "a seventh line",
        signed(&format!("{text}more\n")),
    );
    put("head-line-less.txt", &head("other lines than its table names"), "no term", swap("term 1\n", ""));
    let root = text.lines().nth(2).unwrap().rsplit_once(' ').unwrap().1.to_owned();
    put("head-root-31.txt", &head("no root"), "a root of 31 bytes", swap(&root, &STANDARD.encode([1; 31])));
    let mut plain = |file: &str, error: &str, what: &str, whole: String| {
        r.put(file, HEAD, &format!("LogError::{error}"), what, whole.into_bytes());
    };
    plain(
        "head-other-key.txt",
        "Unsigned",
        "the second note signed with another key",
        format!("{first}{}", by_hand::note(&text, ORIGIN, PERSON_SEED)),
    );
    let bad = STANDARD.encode(flip(&STANDARD.decode(&blob).unwrap(), -1));
    plain("head-signature.txt", "BadSignature", "a bit of the second signature", file_text.replacen(&blob, &bad, 1));
    let (_, first_blob) = split(first);
    let bad = STANDARD.encode(flip(&STANDARD.decode(&first_blob).unwrap(), -1));
    plain(
        "head-first-signature.txt",
        "BadSignature",
        "a bit of the first signature",
        file_text.replacen(&first_blob, &bad, 1),
    );
    plain(
        "head-swapped.txt",
        "Head(\"the second note is missing\")",
        "the second note first",
        format!("{second}{first}"),
    );
    plain(
        "head-state-unsigned.txt",
        "BadSignature",
        "closed under the signature of open",
        file_text.replacen("state open", "state closed", 1),
    );
}

fn verifier_keys(r: &mut Refuse<'_>) {
    let from = "verifier-key.txt";
    let text = words(r, from);
    let mut parts = text.splitn(3, '+');
    let (name, id, key) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let typed = STANDARD.decode(key).unwrap();
    let mut put = |file: &str, error: &str, what: &str, text: String| {
        r.put(file, from, &format!("LogError::{error}"), what, text.into_bytes());
    };
    let no_key = "Note(\"not a verifier key\")";
    let no_type = "Note(\"a verifier key of another type\")";
    let no_id = "Note(\"the key id is not that of the key\")";
    let other_type = STANDARD.encode([&[4], &typed[1..]].concat());
    put("key-type-4.txt", no_type, "type 4: a cosigner's key", format!("{name}+{id}+{other_type}"));
    put("key-31.txt", no_key, "a key of 31 bytes", format!("{name}+{id}+{}", STANDARD.encode(&typed[..32])));
    put("key-two-parts.txt", no_key, "no key id", format!("{name}+{key}"));
    put("key-base64.txt", no_key, "a character that is not base64", format!("{name}+{id}+!{}", &key[1..]));
    put("key-newline.txt", no_key, "a line feed at the end", format!("{text}\n"));
    put("key-id.txt", no_id, "another key id", format!("{name}+00000000+{key}"));
    put("key-id-upper.txt", no_id, "the key id in upper case", format!("{name}+{}+{key}", id.to_uppercase()));
    put("key-name.txt", no_id, "another name", format!("{name}0+{id}+{key}"));
    put(
        "key-name-space.txt",
        "Note(\"a key name is empty or has spaces or +\")",
        "a space in the name",
        format!("{name} +{id}+{key}"),
    );
    put("key-no-name.txt", "Note(\"a key name is empty or has spaces or +\")", "no name", format!("+{id}+{key}"));
    let weak = [&[1, 1][..], &[0; 31]].concat();
    let weak_id = hex::encode(&sha256(&[name.as_bytes(), b"\n", &weak].concat())[..4]);
    let weak = format!("{name}+{weak_id}+{}", STANDARD.encode(weak)).into_bytes();
    let what = "the neutral element";
    r.put_refreshed("key-weak.txt", from, "LogError::Seal(PublicKey)", what, &["key id"], weak);
}

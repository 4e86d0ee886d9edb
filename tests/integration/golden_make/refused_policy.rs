//! Refused files of chapter 5: keys of witnesses, policies, cosigned heads, and answers of witnesses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use immutape::codec::digest::sha256;
use immutape::log::SignedNote;

use super::by_hand;
use super::inputs::{CHECKPOINT_SEED, ORIGIN};
use super::kit::{Accept, Refuse, Reject, flip};
use super::made_log::GoldenLog;
use super::made_proof::{TIME_S, WITNESSES, cosignature, cosigned, cosigner, head_note, leaves, log_key};

pub fn rejects(accepts: &[Accept], log: &GoldenLog) -> Vec<Reject> {
    let mut r = Refuse::new(accepts);
    witness_keys(&mut r);
    policies(&mut r);
    heads(&mut r, log);
    answers(&mut r, log);
    sizes(&mut r);
    r.out
}

/// A base64 text whose last character before the padding says bits that no byte has.
pub fn not_canonical(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let at = text.trim_end_matches('=').len() - 1;
    assert!(at + 1 < text.len(), "no padding: {text}");
    let place = ALPHABET.iter().position(|c| *c == text.as_bytes()[at]).unwrap();
    format!("{}{}{}", &text[..at], char::from(ALPHABET[place + 1]), &text[at + 1..])
}

pub fn words(r: &Refuse<'_>, from: &str) -> String {
    String::from_utf8(r.base(from).to_vec()).unwrap()
}

/// Verifier key text over any 32 bytes.
fn vkey(name: &str, kind: u8, key: &[u8; 32]) -> String {
    let typed = [&[kind], &key[..]].concat();
    let id = hex::encode(&sha256(&[name.as_bytes(), b"\n", &typed].concat())[..4]);
    format!("{name}+{id}+{}", STANDARD.encode(typed))
}

/// The neutral element, and one of order 8 (Wycheproof; RFC 8032's curve has eight such points).
fn weak() -> [(&'static str, [u8; 32]); 2] {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let order_8 = hex::decode("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a").unwrap();
    [("neutral", neutral), ("order-8", order_8.try_into().unwrap())]
}

fn witness_keys(r: &mut Refuse<'_>) {
    let from = "witness-key.txt";
    let text = words(r, from);
    let (front, key) = text.match_indices('+').nth(1).map(|(at, _)| (&text[..at], &text[at + 1..])).unwrap();
    let name = WITNESSES[0].0;
    let mut put = |file: &str, error: &str, what: &str, text: String| {
        r.put(file, from, &format!("ProofError::Log({error})"), what, text.into_bytes());
    };
    let public = *cosigner(0).key();
    let typed = STANDARD.decode(key).unwrap();
    put(
        "witness-key-type-1.txt",
        "Note(\"a verifier key of another type\")",
        "the type of a log",
        vkey(name, 1, &public.to_bytes()),
    );
    put(
        "witness-key-type-6.txt",
        "Note(\"a verifier key of another type\")",
        "a type of later programs",
        vkey(name, 6, &public.to_bytes()),
    );
    put("witness-key-id.txt", "Note(\"the key id is not that of the key\")", "the id of the same key as a log's", {
        let as_log = vkey(name, 1, &public.to_bytes());
        format!("{name}+{}+{key}", as_log.split('+').nth(1).unwrap())
    });
    put(
        "witness-key-name.txt",
        "Note(\"the key id is not that of the key\")",
        "another name",
        text.replacen("/w1", "/w2", 1),
    );
    put(
        "witness-key-33.txt",
        "Note(\"not a verifier key\")",
        "a byte more",
        format!("{front}+{}", STANDARD.encode([&typed[..], &[0]].concat())),
    );
    put("witness-key-padding.txt", "Note(\"not a verifier key\")", "padding that is not needed", format!("{text}="));
    for (which, point) in weak() {
        put(&format!("witness-key-{which}.txt"), "Seal(PublicKey)", "a key of small order", vkey(name, 4, &point));
    }
}

fn policies(r: &mut Refuse<'_>) {
    let from = "policy-both.policy";
    let text = words(r, from);
    let mut put = |file: &str, line: usize, fault: &str, what: &str, new: String| {
        assert_ne!(new, text, "{file}");
        let error = format!("ProofError::Policy {{ line: {line}, fault: {fault:?} }}");
        r.put(&format!("policy-{file}.policy"), from, &error, what, new.into_bytes());
    };
    let swap = |old: &str, new: &str| {
        assert_eq!(text.matches(old).count(), 1, "{old}");
        text.replacen(old, new, 1)
    };
    let (log, one, two) = (log_key().to_text(), cosigner(0).to_text(), cosigner(1).to_text());
    let taken = "a name that is taken";
    put("witness-twice", 4, taken, "two witnesses of one name", swap("witness two", "witness one"));
    put("group-as-witness", 5, taken, "a group with the name of a witness", swap("group both", "group one"));
    put("witness-none", 3, taken, "a witness named none", swap("witness one", "witness none"));
    put("key-twice", 4, "a second witness with this key", "two witnesses with one key", swap(&two, &one));
    put(
        "log-twice",
        3,
        "a second log with this key",
        "the log twice",
        swap("witness one", &format!("log {log}\nwitness one")),
    );
    let in_both = cosigner(0).key().to_bytes();
    put(
        "key-in-both",
        3,
        "the same key for a log and for a witness",
        "a log with the key of a witness",
        swap(&log, &vkey(ORIGIN, 1, &in_both)),
    );
    put(
        "log-key-as-witness",
        3,
        "not the verifier key of a witness",
        "a log's key as a witness's",
        swap(&one, &vkey(WITNESSES[0].0, 1, &in_both)),
    );
    put(
        "witness-key-as-log",
        2,
        "not the verifier key of a log",
        "a witness's key as a log's",
        swap(&format!("log {log}"), &format!("log {one}")),
    );
    for (which, point) in weak() {
        let small = "a key of small order, or none at all";
        put(&format!("key-{which}"), 4, small, "a key of small order", swap(&two, &vkey(WITNESSES[1].0, 4, &point)));
    }
    let known = "a name that no line above defines";
    put("member-unknown", 5, known, "a member that nobody is", swap("all one two", "all one three"));
    put("quorum-unknown", 6, known, "a quorum that nobody is", swap("quorum both", "quorum most"));
    put(
        "member-twice",
        5,
        "a name that is a member of a group already",
        "one member twice",
        swap("all one two", "all one one"),
    );
    let threshold = "a threshold that is neither any, all nor a number from 1";
    for (which, word) in [("0", "0"), ("02", "02"), ("most", "most"), ("negative", "-1")] {
        put(&format!("threshold-{which}"), 5, threshold, "such a threshold", swap("both all", &format!("both {word}")));
    }
    let fewer = "a group of fewer members than its threshold, or of none";
    put("threshold-3", 5, fewer, "three of two", swap("both all", "both 3"));
    put("group-empty", 5, fewer, "a group of nobody", swap("all one two", "all"));
    put("quorum-twice", 7, "a second quorum line", "two quorum lines", format!("{text}quorum one\n"));
    put("no-quorum", 0, "no quorum line", "no quorum line", swap("quorum both\n", ""));
    put("carriage-return", 6, "a control character", "a carriage return", swap("quorum both\n", "quorum both\r\n"));
    put(
        "items",
        3,
        "another number of items than this line has",
        "a word too many",
        swap("w1.example/\n", "w1.example/ x\n"),
    );
    let none = "a line that begins with none of log, witness, group, quorum";
    put("word", 6, none, "a line of another kind", swap("quorum both", "Quorum both"));
}

fn heads(r: &mut Refuse<'_>, log: &GoldenLog) {
    let from = "cosigned.note";
    let note = words(r, from);
    let lines: Vec<&str> = note.lines().collect();
    let (first, second) = (format!("{}\n", lines[5]), format!("{}\n", lines[6]));
    let text = SignedNote::parse(&note).unwrap().text().to_owned();
    let blob = |line: &str| STANDARD.decode(line.trim_end().rsplit_once(' ').unwrap().1).unwrap();
    let line = |name: &str, blob: &[u8]| format!("— {name} {}\n", STANDARD.encode(blob));
    let w1 = WITNESSES[0].0;
    let mut put = |file: &str, error: &str, what: &str, new: String| {
        assert_ne!(new, note, "{file}");
        r.put(&format!("cosigned-{file}.note"), from, &format!("ProofError::{error}"), what, new.into_bytes());
    };
    let with_first = |new: &str| note.replacen(&first, new, 1);
    let bad = "Log(BadSignature)";
    put("signature", bad, "a bit of a cosignature", with_first(&line(w1, &flip(&blob(&first), -1))));
    put("time", bad, "another time", with_first(&line(w1, &flip(&blob(&first), 11))));
    put("time-2-63", bad, "a time of 2^63 and more", with_first(&line(w1, &flip_high(&blob(&first)))));
    put("short", bad, "a byte less", with_first(&line(w1, &blob(&first)[..75])));
    put(
        "bare",
        bad,
        "a signature without a time",
        with_first(&line(w1, &[&blob(&first)[..4], &blob(&first)[12..]].concat())),
    );
    let again = format!("{note}{}", line(w1, &flip(&blob(&first), -1)));
    put("second-line", bad, "a good line, then a bad one of the same witness", again);
    let elsewhere = cosignature(0, SignedNote::parse(&head_note(&leaves(log)[..7])).unwrap().text(), TIME_S);
    put("other-head", bad, "a cosignature of another head", with_first(&elsewhere));
    let of_log = STANDARD.encode(flip(&blob(lines[4]), -1));
    let log_line = lines[4].rsplit_once(' ').unwrap().1;
    put("log", bad, "a bit of the log's signature", note.replacen(log_line, &of_log, 1));
    put("log-missing", "Log(Unsigned)", "no line of the log", note.replacen(&format!("{}\n", lines[4]), "", 1));
    put("one", "Quorum", "one cosignature alone", note.replacen(&second, "", 1));
    let plain = by_hand::note(&text, w1, WITNESSES[0].1);
    let plain = format!("{}\n", plain.lines().last().unwrap());
    put("type-1", "Quorum", "a plain signature of the witness, type 1", with_first(&plain));
    put("id", "Quorum", "another key id on the line", with_first(&line(w1, &flip(&blob(&first), 0))));
    put("name", "Quorum", "another name on the line", with_first(&first.replacen("/w1", "/w3", 1)));
    let malformed = "Log(Note(\"a malformed signature line\"))";
    let encoded = first.trim_end().rsplit_once(' ').unwrap().1;
    put(
        "base64",
        malformed,
        "base64 with bits left over",
        with_first(&first.replacen(encoded, &not_canonical(encoded), 1)),
    );
    put(
        "base64-url",
        malformed,
        "the other alphabet",
        with_first(&first.replacen(encoded, &format!("_{}", &encoded[1..]), 1)),
    );
    let many = format!("{note}{}", "— w AAAAAAA=\n".repeat(62));
    put("65-lines", "Log(Note(\"too many signature lines\"))", "65 signature lines", many);
    let mut signed = |file: &str, error: &str, what: &str, text: String| {
        let new = cosigned(&by_hand::note(&text, ORIGIN, CHECKPOINT_SEED));
        let error = format!("ProofError::Log(Checkpoint({error:?}))");
        r.put_refreshed(&format!("cosigned-{file}.note"), from, &error, what, &["signatures"], new.into_bytes());
    };
    signed("size-029", "no size", "a leading zero", text.replacen("\n29\n", "\n029\n", 1));
    signed("origin", "another origin", "another origin under this key", text.replacen("golden.", "silver.", 1));
    signed("extension", "an extension line", "a line more", format!("{text}more\n"));
}

/// The highest bit of the time, behind the four bytes of the key id.
fn flip_high(blob: &[u8]) -> Vec<u8> {
    let mut blob = blob.to_vec();
    blob[4] ^= 0x80;
    blob
}

fn answers(r: &mut Refuse<'_>, log: &GoldenLog) {
    let from = "answer.txt";
    let text = words(r, from);
    let head = SignedNote::parse(&head_note(&leaves(log))).unwrap().text().to_owned();
    let encoded = text.trim_end().rsplit_once(' ').unwrap().1.to_owned();
    let blob = STANDARD.decode(&encoded).unwrap();
    let mut put = |file: &str, error: &str, what: &str, new: String| {
        r.put(&format!("answer-{file}.txt"), from, &format!("ProofError::{error}"), what, new.into_bytes());
    };
    let no_line = "Request(\"the answer does not end in a newline\")";
    put("nothing", no_line, "nothing", String::new());
    put("no-newline", no_line, "no line feed at the end", text.trim_end().to_owned());
    let malformed = "Log(Note(\"a malformed signature line\"))";
    put("empty-line", malformed, "an empty line at the end", format!("{text}\n"));
    put("words", malformed, "words", "cosigned\n".into());
    put("hyphen", malformed, "a hyphen instead of the dash", text.replacen('—', "-", 1));
    put("base64", malformed, "padding that is not needed", text.replacen(&encoded, &format!("{encoded}="), 1));
    put("65-lines", "Request(\"more than 64 signature lines\")", "65 lines", text.repeat(65));
    put("other-witness", "Log(Unsigned)", "a line of another witness alone", cosignature(1, &head, TIME_S));
    put(
        "signature",
        "Log(BadSignature)",
        "a bit of the cosignature",
        text.replacen(&encoded, &STANDARD.encode(flip(&blob, -1)), 1),
    );
}

fn sizes(r: &mut Refuse<'_>) {
    let from = "answer-size.txt";
    for (file, what, text) in [
        ("size-07", "a leading zero", "07\n"),
        ("size-plus", "a sign", "+7\n"),
        ("size-hex", "another base", "0x7\n"),
        ("size-space", "a space", " 7\n"),
        ("size-2-64", "2^64", "18446744073709551616\n"),
        ("size-no-newline", "no line feed at the end", "7"),
        ("size-line-more", "a line more", "7\n7\n"),
        ("size-empty", "an empty line", "\n"),
    ] {
        let error = "ProofError::Request(\"the size in the answer is no number\")";
        r.put(&format!("answer-{file}.txt"), from, error, what, text.into());
    }
}

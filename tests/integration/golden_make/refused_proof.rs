//! Refused files of chapter 5: proofs of an entry, proofs of a fork, requests to a witness.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use immutape::codec::digest::RootHash;
use immutape::log::root_of;
use immutape::proof::{ForkProof, TlogProof, WitnessRequest};

use super::by_hand;
use super::inputs::{CHECKPOINT_SEED, ORIGIN, PERSON_SEED};
use super::kit::{Accept, Refuse, Reject, flip};
use super::made_log::GoldenLog;
use super::made_proof::{cosigned, fork, head_note, leaves, other_leaves, proof, request};
use super::refused_policy::{not_canonical, words};

pub fn rejects(accepts: &[Accept], log: &GoldenLog) -> Vec<Reject> {
    let mut r = Refuse::new(accepts);
    proof_texts(&mut r, log);
    proof_heads(&mut r, log);
    forks(&mut r, log);
    forks_of_one_size(&mut r, log);
    requests(&mut r, log);
    r.out
}

const NO_PROOF: &str = "Log(Proof)";
const NO_HASH: &str = "Text(\"a line that is no hash\")";
const ZEROS: [u8; 32] = [0; 32];

/// A path with its last hash changed.
fn altered(path: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let mut path = path.to_vec();
    path.last_mut().unwrap()[31] ^= 1;
    path
}

fn longer(path: &[[u8; 32]], to: usize) -> Vec<[u8; 32]> {
    let mut path = path.to_vec();
    path.resize(to, ZEROS);
    path
}

fn proof_texts(r: &mut Refuse<'_>, log: &GoldenLog) {
    let from = "entry.tlog-proof";
    let (good, text) = (proof(log), words(r, from));
    let count = good.path.len();
    let mut put = |file: &str, error: &str, what: &str, new: String| {
        assert_ne!(new, text, "{file}");
        r.put(&format!("{file}.tlog-proof"), from, &format!("ProofError::{error}"), what, new.into_bytes());
    };
    let with_path = |path: Vec<[u8; 32]>| TlogProof { path, ..good.clone() }.to_text();
    put("surplus-hash", NO_PROOF, "a hash too many", with_path(longer(&good.path, count + 1)));
    put("missing-hash", NO_PROOF, "the last hash is missing", with_path(good.path[..count - 1].to_vec()));
    put("no-hashes", NO_PROOF, "all hashes are missing", with_path(Vec::new()));
    put("other-hash", NO_PROOF, "a bit of the last hash", with_path(altered(&good.path)));
    let mut turned = good.path.clone();
    turned.swap(0, 1);
    put("hashes-swapped", NO_PROOF, "two hashes swapped", with_path(turned));
    put("63-hashes", NO_PROOF, "63 hashes", with_path(longer(&good.path, 63)));
    put("64-hashes", "Text(\"more than 63 hashes\")", "64 hashes", with_path(longer(&good.path, 64)));
    let no_index = "Text(\"no index\")";
    for (file, what, word) in [
        ("index-02", "a leading zero", "02"),
        ("index-plus", "a sign", "+2"),
        ("index-negative", "a negative index", "-2"),
        ("index-2-64", "2^64", "18446744073709551616"),
        ("index-return", "a carriage return", "2\r"),
        ("index-empty", "no number", ""),
    ] {
        put(file, no_index, what, text.replacen("\nindex 2\n", &format!("\nindex {word}\n"), 1));
    }
    for (file, index) in [("index-3", 3), ("index-29", 29), ("index-2-64-less-1", u64::MAX)] {
        put(file, NO_PROOF, "another index", TlogProof { index, ..good.clone() }.to_text());
    }
    let first = STANDARD.encode(good.path[0]);
    let with_first = |new: &str| text.replacen(&format!("{first}\n"), &format!("{new}\n"), 1);
    put("hash-bits", NO_HASH, "base64 with bits left over", with_first(&not_canonical(&first)));
    put("hash-no-padding", NO_HASH, "base64 without its padding", with_first(first.trim_end_matches('=')));
    put("hash-31", NO_HASH, "31 bytes", with_first(&STANDARD.encode(&good.path[0][..31])));
    put("hash-hex", NO_HASH, "a hash in hexadecimal", with_first(&hex::encode(good.path[0])));
    let empty = with_first(&format!("{first}\n"));
    put(
        "hash-empty",
        "Log(BadSignature)",
        "an empty line among the hashes: the rest of them is text of the head",
        empty,
    );
    put("version-2", "Text(\"another first line\")", "another version", text.replacen("@v1", "@v2", 1));
    let extra = "Text(\"extra data that is not base64, or too long\")";
    put("extra-star", extra, "a character that is not base64", text.replacen("\nextra ", "\nextra *", 1));
    put("extra-twice", no_index, "two lines of it", text.replacen("\nindex", "\nextra AAAA\nindex", 1));
    put(
        "extra-behind",
        NO_HASH,
        "it stands behind the index",
        text.replacen("\nindex 2\n", "\nindex 2\nextra AAAA\n", 1),
    );
}

fn proof_heads(r: &mut Refuse<'_>, log: &GoldenLog) {
    let from = "entry.tlog-proof";
    let good = proof(log);
    let mut put = |file: &str, error: &str, what: &str, note: String| {
        let new = TlogProof { note, ..good.clone() }.to_text().into_bytes();
        r.put_refreshed(
            &format!("{file}.tlog-proof"),
            from,
            &format!("ProofError::{error}"),
            what,
            &["signatures"],
            new,
        );
    };
    let (all, bare) = (leaves(log), head_note(&leaves(log)));
    put("head-smaller", NO_PROOF, "the head of fewer entries", cosigned(&head_note(&all[..7])));
    put("head-empty", NO_PROOF, "a head of no entries", cosigned(&head_note(&[])));
    put("head-bare", "Quorum", "no cosignatures", bare.clone());
    let text = bare.split_once("\n\n").unwrap().0.to_owned() + "\n";
    let other = text.replacen("golden.", "silver.", 1);
    put(
        "head-origin",
        "Log(Checkpoint(\"another origin\"))",
        "another origin under this key",
        cosigned(&by_hand::note(&other, ORIGIN, CHECKPOINT_SEED)),
    );
    put(
        "head-name",
        "Log(Unsigned)",
        "signed as another log",
        cosigned(&by_hand::note(&other, "silver.example/00", CHECKPOINT_SEED)),
    );
    put("head-key", "Log(Unsigned)", "signed with another key", cosigned(&by_hand::note(&text, ORIGIN, PERSON_SEED)));
    let whole = words(r, from);
    let (front, last) = whole.trim_end().rsplit_once(' ').unwrap();
    let bad = STANDARD.encode(flip(&STANDARD.decode(last).unwrap(), -1));
    r.put(
        "head-cosignature.tlog-proof",
        from,
        "ProofError::Log(BadSignature)",
        "a bit of a cosignature",
        format!("{front} {bad}\n").into_bytes(),
    );
    r.put(
        "head-none.tlog-proof",
        from,
        "ProofError::Log(Note(\"no empty line\"))",
        "no head",
        whole.split_once("\n\n").map(|(front, _)| format!("{front}\n\n")).unwrap().into_bytes(),
    );
}

fn forks(r: &mut Refuse<'_>, log: &GoldenLog) {
    let from = "fork.txt";
    let (good, text, ours) = (fork(log), words(r, from), leaves(log));
    let count = good.path.len();
    let mut put = |file: &str, error: &str, what: &str, new: String| {
        assert_ne!(new, text, "{file}");
        r.put(&format!("fork-{file}.txt"), from, &format!("ProofError::{error}"), what, new.into_bytes());
    };
    let with_path = |path: Vec<[u8; 32]>| ForkProof { path, ..good.clone() }.to_text();
    put("surplus-hash", "NoFork", "a hash too many", with_path(longer(&good.path, count + 1)));
    put("missing-hash", "NoFork", "the last hash is missing", with_path(good.path[..count - 1].to_vec()));
    put("other-hash", "NoFork", "a bit of the last hash", with_path(altered(&good.path)));
    put("64-hashes", "NoFork", "64 hashes", with_path(longer(&good.path, 64)));
    put("65-hashes", "Text(\"more than 64 hashes\")", "65 hashes", with_path(longer(&good.path, 65)));
    put("no-root", "NoFork", "no root line", ForkProof { other_root: None, ..good.clone() }.to_text());
    let made_up = Some(RootHash::from_bytes([7; 32]));
    put(
        "other-root",
        "NoFork",
        "a root that leads nowhere",
        ForkProof { other_root: made_up, ..good.clone() }.to_text(),
    );
    let root = STANDARD.encode(good.other_root.unwrap().as_ref());
    put("root-bits", NO_HASH, "base64 with bits left over", text.replacen(&root, &not_canonical(&root), 1));
    put("root-twice", NO_HASH, "two root lines", text.replacen("\nroot ", &format!("\nroot {root}\nroot "), 1));
    put("version-2", "Text(\"another first line\")", "another version", text.replacen("fork/1", "fork/2", 1));
    let honest = head_note(&ours[..9]);
    put("agrees", "NoFork", "a head that the other extends", ForkProof { smaller: honest, ..good.clone() }.to_text());
    let turned = ForkProof { smaller: good.larger.clone(), larger: good.smaller.clone(), ..good.clone() };
    put("heads-swapped", "NoFork", "the larger head first", turned.to_text());
    let nobody = by_hand::note(&head_text(&good.smaller), ORIGIN, PERSON_SEED);
    put(
        "other-key",
        "Log(Unsigned)",
        "a head that another key signed",
        ForkProof { smaller: nobody, ..good.clone() }.to_text(),
    );
    let bad = text.replacen("\n9\n", "\n8\n", 1);
    put("signature", "Log(BadSignature)", "size 8 under the signature of size 9", bad);
    put(
        "one-head",
        "Text(\"not two heads\")",
        "one head alone",
        text.split_once(&good.larger).unwrap().0.trim_end().to_owned() + "\n",
    );
}

fn head_text(note: &str) -> String {
    note.split_once("\n\n").unwrap().0.to_owned() + "\n"
}

fn forks_of_one_size(r: &mut Refuse<'_>, log: &GoldenLog) {
    let from = "fork-one-size.txt";
    let (ours, other) = (leaves(log), other_leaves(log));
    let good = ForkProof { smaller: head_note(&other), larger: head_note(&ours[..9]), other_root: None, path: vec![] };
    let mut put = |file: &str, what: &str, fork: ForkProof| {
        r.put(&format!("fork-one-size-{file}.txt"), from, "ProofError::NoFork", what, fork.to_text().into_bytes());
    };
    put("same", "one head twice", ForkProof { smaller: good.larger.clone(), ..good.clone() });
    put("root", "a root line", ForkProof { other_root: Some(root_of(&ours[..9])), ..good.clone() });
    put("hash", "a hash", ForkProof { path: vec![ZEROS], ..good.clone() });
}

fn requests(r: &mut Refuse<'_>, log: &GoldenLog) {
    let from = "request.txt";
    let (good, text) = (request(log), words(r, from));
    let count = good.path.len();
    let mut put = |file: &str, error: &str, what: &str, new: String| {
        assert_ne!(new, text, "{file}");
        r.put(&format!("request-{file}.txt"), from, &format!("ProofError::{error}"), what, new.into_bytes());
    };
    let with_path = |path: Vec<[u8; 32]>| WitnessRequest { path, ..good.clone() }.to_text();
    put("surplus-hash", NO_PROOF, "a hash too many", with_path(longer(&good.path, count + 1)));
    put("missing-hash", NO_PROOF, "the last hash is missing", with_path(good.path[..count - 1].to_vec()));
    put("other-hash", NO_PROOF, "a bit of the last hash", with_path(altered(&good.path)));
    put("64-hashes", "Request(\"more than 63 hashes\")", "64 hashes", with_path(longer(&good.path, 64)));
    for (file, what, word) in
        [("old-07", "a leading zero", "07"), ("old-plus", "a sign", "+7"), ("old-word", "a word", "seven")]
    {
        put(file, "Request(\"no old size\")", what, text.replacen("old 7\n", &format!("old {word}\n"), 1));
    }
    for (file, what, old_size) in [
        ("old-6", "another old size", 6),
        ("old-0", "no old size, and hashes", 0),
        ("old-30", "an old size past the head", 30),
    ] {
        put(file, NO_PROOF, what, WitnessRequest { old_size, ..good.clone() }.to_text());
    }
    let first = STANDARD.encode(good.path[0]);
    put("hash-bits", NO_HASH, "base64 with bits left over", text.replacen(&first, &not_canonical(&first), 1));
    put(
        "no-empty-line",
        "Request(\"no empty line before the head\")",
        "no empty line at all",
        text.replace("\n\n", "\n"),
    );
    put("other-key", "Log(Unsigned)", "a head that another key signed", {
        WitnessRequest { note: by_hand::note(&head_text(&good.note), ORIGIN, PERSON_SEED), ..good.clone() }.to_text()
    });
    put(
        "signature",
        "Log(BadSignature)",
        "size 28 under the signature of size 29",
        text.replacen("\n29\n", "\n28\n", 1),
    );
    let fork = WitnessRequest { note: head_note(&other_leaves(log)), ..good.clone() };
    put("fork", NO_PROOF, "a head that does not extend what is held", fork.to_text());
}

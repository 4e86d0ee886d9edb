//! What leaves the house, without a ledger: policies, cosignatures, proofs in files, receipts, proofs of a fork.

use ed25519_dalek::{Signer as _, SigningKey};
use immutape::Code;
use immutape::codec::digest::{LeafHash, RootHash};
use immutape::error::Error;
use immutape::log::{Checkpoint, LogError, NoteKey, SignedNote, consistency_path, inclusion_path, leaf_hash, root_of};
use immutape::proof::{
    CosignerKey, ForkProof, Policy, ProofError, Receipt, TlogProof, WitnessRequest, read_cosignatures, read_size,
};
use immutape::seal::{PublicKey, Signature, Signer};

/// A key from a byte.
struct Seed(SigningKey);

impl Seed {
    fn of(byte: u8) -> Self {
        Self(SigningKey::from_bytes(&[byte; 32]))
    }
}

impl Signer for Seed {
    fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap()
    }
}

const ORIGIN: &str = "tape.example/log";
/// Made once from the C2SP texts with these seeds, and looked at with Go's `note` and `tlog`.
const WITNESS_VKEY: &str = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";

fn log_key() -> NoteKey {
    NoteKey::new(ORIGIN, Seed::of(1).public_key()).unwrap()
}

fn witness(byte: u8) -> CosignerKey {
    CosignerKey::new(&format!("witness.example/w{}", byte - 1), Seed::of(byte).public_key()).unwrap()
}

fn leaves(count: u8, salt: u8) -> Vec<LeafHash> {
    (0..count).map(|n| leaf_hash(&[n, salt])).collect()
}

fn note(leaves: &[LeafHash]) -> (Checkpoint, String) {
    let head = Checkpoint { origin: ORIGIN.into(), size: leaves.len() as u64, root: root_of(leaves) };
    let note = SignedNote::sign(&head.text(), ORIGIN, &Seed::of(1)).unwrap();
    (head, note)
}

fn cosigned(note: &str, byte: u8, time_s: u64) -> String {
    let line = witness(byte).cosign(SignedNote::parse(note).unwrap().text(), time_s, &Seed::of(byte)).unwrap();
    format!("{note}{}", line.to_line())
}

fn subtree(leaves: &[LeafHash]) -> impl FnMut(u64, u64) -> Option<[u8; 32]> {
    |first, count| Some(*root_of(&leaves[first as usize..(first + count) as usize]).as_bytes())
}

fn proof(leaves: &[LeafHash], index: u64, note: &str) -> TlogProof {
    let path = inclusion_path(index, leaves.len() as u64, &mut subtree(leaves)).unwrap();
    TlogProof { extra: None, index, path, note: note.to_owned() }
}

fn one_witness() -> Policy {
    Policy::parse(&format!("witness w1 {WITNESS_VKEY}\nquorum w1\n")).unwrap()
}

#[test]
fn a_witness_key_is_the_one_of_the_specification() {
    assert_eq!(witness(2).to_text(), WITNESS_VKEY);
    assert_eq!(CosignerKey::parse(WITNESS_VKEY).unwrap(), witness(2));
    // The key of a log, one bit of the id, and a name with a space.
    let other_type = LogError::Note("a verifier key of another type");
    assert_eq!(CosignerKey::parse(&log_key().to_text()), Err(other_type.clone()));
    assert_eq!(NoteKey::parse(WITNESS_VKEY), Err(other_type));
    let id = LogError::Note("the key id is not that of the key");
    assert_eq!(CosignerKey::parse(&WITNESS_VKEY.replace("df1c", "df1d")), Err(id));
    let name = Err(LogError::Note("a key name is empty or has spaces or +"));
    assert_eq!(CosignerKey::new("a b", Seed::of(2).public_key()), name);
    assert_eq!(CosignerKey::parse("no key"), Err(LogError::Note("not a verifier key")));
}

#[test]
fn a_cosignature_covers_time_and_head() {
    let note_of_eight = note(&leaves(8, 0)).1;
    let good = cosigned(&note_of_eight, 2, 1_700_000_000);
    let key = witness(2);
    assert_eq!(key.time_on(&SignedNote::parse(&good).unwrap()), Ok(Some(1_700_000_000)));
    assert_eq!(key.time_on(&SignedNote::parse(&note_of_eight).unwrap()), Ok(None));
    // Twice: the earlier counts. A line that does not hold spoils both.
    let twice = cosigned(&good, 2, 1_600_000_000);
    assert_eq!(key.time_on(&SignedNote::parse(&twice).unwrap()), Ok(Some(1_600_000_000)));
    let (mut met, line) = (0, SignedNote::parse(&good).unwrap().signatures()[1].clone());
    for byte in 0..line.signature.len() {
        let mut bad = line.clone();
        bad.signature[byte] ^= 1;
        let note = SignedNote::parse(&format!("{good}{}", bad.to_line())).unwrap();
        assert_eq!(key.time_on(&note), Err(LogError::BadSignature), "byte {byte}");
        met += 1;
    }
    assert_eq!(met, 72);
    let short = immutape::log::NoteSignature { signature: vec![0; 7], ..line };
    let note = SignedNote::parse(&format!("{note_of_eight}{}", short.to_line())).unwrap();
    assert_eq!(key.time_on(&note), Err(LogError::BadSignature));
    // Another head under the same line.
    let moved = note.text().replace("\n8\n", "\n9\n");
    let line = SignedNote::parse(&good).unwrap().signatures()[1].to_line();
    let note = SignedNote::parse(&format!("{moved}\n{line}")).unwrap();
    assert_eq!(key.time_on(&note), Err(LogError::BadSignature));
    assert!(key.cosign("text\n", 1, &Seed::of(3)).is_err());
    assert!(key.cosign("text\n", 1 << 63, &Seed::of(2)).is_err());
}

/// A quorum of groups: two of X, one of Y.
#[test]
fn a_policy_with_groups() {
    let key = |byte| witness(byte).to_text();
    let text = format!(
        "# who must have seen it\n log {} https://log.example/ \n\n witness X1 {}\n\twitness X2\t{} https://x2.example/w\nwitness X3 {}\n\
         group X 2 X1 X2 X3\nwitness Y1 {}\nwitness Y2 {}\ngroup Y any Y1 Y2\ngroup both all X Y\nquorum both",
        log_key().to_text(),
        key(2),
        key(3),
        key(4),
        key(5),
        key(6),
    );
    let policy = Policy::parse(&text).unwrap();
    assert_eq!(policy.logs()[0].name, ORIGIN);
    assert_eq!(policy.witnesses()[1].url.as_deref(), Some("https://x2.example/w"));
    for (cosigners, is_met) in [
        (&["X1", "X2", "Y1"][..], true),
        (&["X3", "X2", "Y2"], true),
        (&["X1", "X2", "X3"], false),
        (&["X1", "Y1", "Y2"], false),
        (&[], false),
    ] {
        assert_eq!(policy.is_met_by(|name| cosigners.contains(&name)), is_met, "{cosigners:?}");
    }
    let all = leaves(8, 0);
    let twice = cosigned(&cosigned(&note(&all).1, 2, 10), 3, 11);
    let head = policy.check(&twice, &log_key()).unwrap();
    assert_eq!(head.cosigned(), [("X1".to_owned(), 10), ("X2".to_owned(), 11)]);
    assert!(!head.is_quorum() && head.checkpoint().size == 8);
    assert!(policy.check(&cosigned(&twice, 6, 12), &log_key()).unwrap().is_quorum());
    // Somebody whom the policy does not know is left out.
    assert!(!policy.check(&cosigned(&twice, 7, 12), &log_key()).unwrap().is_quorum());
    // A known witness's line that does not hold spoils the note, whoever else signed.
    let broken = cosigned(&cosigned(&twice, 6, 12), 4, 12);
    let at = broken.rfind("w3 ").unwrap() + 20;
    let broken = format!("{}{}{}", &broken[..at], if &broken[at..=at] == "A" { "B" } else { "A" }, &broken[at + 1..]);
    assert_eq!(policy.check(&broken, &log_key()), Err(ProofError::Log(LogError::BadSignature)));
}

#[test]
fn every_fault_of_a_policy_is_told_with_its_line() {
    let (w, x, log) = (witness(2).to_text(), witness(3).to_text(), log_key().to_text());
    let as_log = NoteKey::new("other", Seed::of(2).public_key()).unwrap().to_text();
    let weak = format!("w+{}+{}", "00000000", "BAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    for (line, fault, text) in [
        (0, "no quorum line", format!("witness a {w}\n")),
        (2, "a second quorum line", "quorum none\nquorum none".into()),
        (1, "a name that no line above defines", "quorum a".into()),
        (1, "a name that no line above defines", format!("group g any a\nwitness a {w}\nquorum g")),
        (1, "a name that no line above defines", "group g any none\nquorum g".into()),
        (1, "a name that is taken", format!("witness none {w}\nquorum none")),
        (2, "a name that is taken", format!("witness a {w}\nwitness a {x}\nquorum a")),
        (2, "a second witness with this key", format!("witness a {w}\nwitness b {w}\nquorum a")),
        (2, "a second log with this key", format!("log {log}\nlog {log}\nquorum none")),
        (2, "the same key for a log and for a witness", format!("witness a {w}\nlog {as_log}\nquorum a")),
        (2, "the same key for a log and for a witness", format!("log {as_log}\nwitness a {w}\nquorum a")),
        (1, "not the verifier key of a witness", format!("witness a {log}\nquorum a")),
        (1, "a key of small order, or none at all", format!("witness a {weak}\nquorum a")),
        (1, "not the verifier key of a log", format!("log {w}\nquorum none")),
        (2, "a group of fewer members than its threshold, or of none", format!("witness a {w}\ngroup g 2 a\nquorum g")),
        (1, "a group of fewer members than its threshold, or of none", "group g any\nquorum g".into()),
        (
            2,
            "a threshold that is neither any, all nor a number from 1",
            format!("witness a {w}\ngroup g 0 a\nquorum g"),
        ),
        (
            2,
            "a threshold that is neither any, all nor a number from 1",
            format!("witness a {w}\ngroup g some a\nquorum g"),
        ),
        (
            3,
            "a name that is a member of a group already",
            format!("witness a {w}\ngroup g any a\ngroup h any a\nquorum g"),
        ),
        (2, "a name that is a member of a group already", format!("witness a {w}\ngroup g any a a\nquorum g")),
        (1, "another number of items than this line has", "quorum a b".into()),
        (1, "a line that begins with none of log, witness, group, quorum", "quorums none".into()),
        (1, "a control character", "quorum none\r\n".into()),
    ] {
        assert_eq!(Policy::parse(&text), Err(ProofError::Policy { line, fault }), "{text}");
    }
    let long = "#".repeat((256 << 10) + 1);
    assert_eq!(Policy::parse(&long), Err(ProofError::Policy { line: 0, fault: "longer than 256 KiB" }));
    let many: String = (0..257).map(|n| format!("group g{n} any g{}\n", n - 1)).collect();
    let many = format!("witness g-1 {w}\n{many}quorum g256\n");
    assert_eq!(Policy::parse(&many), Err(ProofError::Policy { line: 258, fault: "more than 256 of one sort" }));
}

#[test]
fn a_proof_holds_for_its_leaf_alone() {
    let all = leaves(11, 0);
    let note = cosigned(&note(&all).1, 2, 1_700_000_000);
    for index in 0..11u64 {
        let text = proof(&all, index, &note).to_text();
        let proof = TlogProof::parse(&text).unwrap();
        assert_eq!(proof.to_text(), text);
        let proven = proof.verify(&all[index as usize], &log_key(), &one_witness()).unwrap();
        assert_eq!((proven.index(), proven.head().checkpoint().size), (index, 11));
        for (other, leaf) in all.iter().enumerate() {
            let is_same = other as u64 == index;
            assert_eq!(proof.verify(leaf, &log_key(), &one_witness()).is_ok(), is_same, "{index} {other}");
        }
    }
    let whole = proof(&all, 5, &note);
    let check = |proof: &TlogProof| proof.verify(&all[5], &log_key(), &one_witness()).map(|_| ());
    let fault = Err(ProofError::Log(LogError::Proof));
    let mut more = whole.clone();
    more.path.push([0; 32]);
    assert_eq!(check(&more), fault);
    let mut fewer = whole.clone();
    fewer.path.pop();
    assert_eq!(check(&fewer), fault);
    assert_eq!(check(&TlogProof { index: 4, ..whole.clone() }), fault);
    assert_eq!(check(&TlogProof { index: 11, ..whole.clone() }), fault);
    assert_eq!(check(&TlogProof { index: u64::MAX, ..whole.clone() }), fault);
    let bare = self::note(&all).1;
    assert_eq!(check(&TlogProof { note: bare.clone(), ..whole.clone() }), Err(ProofError::Quorum));
    let nobody = Policy::parse("quorum none").unwrap();
    assert!(TlogProof { note: bare, ..whole.clone() }.verify(&all[5], &log_key(), &nobody).is_ok());
    let other_log = NoteKey::new(ORIGIN, Seed::of(9).public_key()).unwrap();
    let unsigned = Err(ProofError::Log(LogError::Unsigned));
    assert_eq!(whole.verify(&all[5], &other_log, &nobody).map(|_| ()), unsigned);
    let other_name = NoteKey::new("tape.example/other", Seed::of(1).public_key()).unwrap();
    assert_eq!(whole.verify(&all[5], &other_name, &nobody).map(|_| ()), unsigned);
    // Every byte of the file: refused, or it stood in what nothing vouches for.
    let text = TlogProof { extra: Some(b"beside".to_vec()), ..whole }.to_text();
    let (mut refused, mut beside) = (0, 0);
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        match TlogProof::parse(&changed).and_then(|p| p.verify(&all[5], &log_key(), &one_witness())) {
            Ok(_) => beside += 1,
            Err(_) => refused += 1,
        }
    }
    // The extra data is eight characters of base64 that decode to other six bytes; names of lines cannot be touched.
    assert!(refused > 500 && (1..=8).contains(&beside), "{refused} {beside}");
}

#[test]
fn texts_that_are_no_proofs() {
    let note = note(&leaves(2, 0)).1;
    let hash = "A".repeat(43) + "=";
    for (fault, text) in [
        ("no empty line before the head", "c2sp.org/tlog-proof@v1\nindex 0\n".to_owned()),
        ("another first line", format!("c2sp.org/tlog-proof@v2\nindex 0\n\n{note}")),
        ("no index", format!("c2sp.org/tlog-proof@v1\n{hash}\n\n{note}")),
        ("no index", format!("c2sp.org/tlog-proof@v1\nindex 01\n{hash}\n\n{note}")),
        ("no index", format!("c2sp.org/tlog-proof@v1\nindex -1\n\n{note}")),
        ("no index", format!("c2sp.org/tlog-proof@v1\nindex 18446744073709551616\n\n{note}")),
        ("a line that is no hash", format!("c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n{note}")),
        ("more than 63 hashes", format!("c2sp.org/tlog-proof@v1\nindex 0\n{}\n{note}", format!("{hash}\n").repeat(64))),
        ("extra data that is not base64, or too long", format!("c2sp.org/tlog-proof@v1\nextra *\nindex 0\n\n{note}")),
        (
            "extra data that is not base64, or too long",
            format!("c2sp.org/tlog-proof@v1\nextra {}\nindex 0\n\n{note}", "AAAA".repeat(30_000)),
        ),
        // A second extra line stands where the index belongs.
        ("no index", format!("c2sp.org/tlog-proof@v1\nextra AAAA\nextra AAAA\nindex 0\n\n{note}")),
    ] {
        assert_eq!(TlogProof::parse(&text), Err(ProofError::Text(fault)), "{text:.80}");
    }
}

#[test]
fn a_receipt_holds_for_its_leaf_alone() {
    let all = leaves(11, 0);
    let origin = format!("log.example/{}", "0a".repeat(16));
    let head = Checkpoint { origin: origin.clone(), ..note(&all).0 };
    let path = inclusion_path(5, 11, &mut subtree(&all)).unwrap();
    let subject = "5c".repeat(32);
    let bytes = Receipt::sign(&head, &subject, 5, &path, &Seed::of(8)).unwrap();
    let receipt = Receipt::decode(&bytes).unwrap();
    for other in ["the subject", &subject[1..], &subject.to_uppercase()] {
        let other = Receipt::sign(&head, other, 5, &path, &Seed::of(8)).unwrap();
        assert!(matches!(Receipt::decode(&other), Err(ProofError::Receipt(_))));
    }
    assert_eq!(
        (receipt.issuer.as_str(), receipt.subject.as_str(), receipt.size, receipt.index),
        (origin.as_str(), subject.as_str(), 11, 5)
    );
    assert_eq!(receipt.verify(&all[5], &Seed::of(8).public_key()), Ok(head.root));
    assert!(receipt.verify(&all[4], &Seed::of(8).public_key()).is_err());
    assert_eq!(receipt.verify(&all[5], &Seed::of(9).public_key()), Err(ProofError::Receipt("key")));
    let (mut refused, mut other_sizes) = (0, Vec::new());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let Ok(read) = Receipt::decode(&changed) else {
                refused += 1;
                continue;
            };
            match read.verify(&all[5], &Seed::of(8).public_key()) {
                // The root is signed; the size is not, where the path is as long.
                Ok(root) => {
                    assert_eq!((root, &read.path, read.index), (head.root, &receipt.path, 5), "byte {at} bit {bit}");
                    other_sizes.push(read.size);
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert_eq!(other_sizes, [10, 9, 15]);
    assert_eq!(refused, bytes.len() * 8 - 3);
    let one = note(&leaves(1, 0)).0;
    let too_small = Err(ProofError::Receipt("tree than one of two leaves or more"));
    assert_eq!(Receipt::sign(&one, "s", 0, &[], &Seed::of(8)), too_small);
    assert_eq!(Receipt::sign(&head, "s", 11, &path, &Seed::of(8)), too_small);
    let mut trailing = bytes;
    trailing.push(0);
    assert!(matches!(Receipt::decode(&trailing), Err(ProofError::Cbor(_))));
}

#[test]
fn what_a_witness_is_asked_and_answers() {
    let note = note(&leaves(3, 0)).1;
    let request = WitnessRequest { old_size: 2, path: vec![[7; 32]], note: note.clone() };
    assert_eq!(WitnessRequest::parse(&request.to_text()), Ok(request.clone()));
    let text = request.to_text();
    for (fault, text) in [
        (ProofError::Request("no empty line before the head"), "old 2\n".to_owned()),
        (ProofError::Request("no old size"), text.replacen("old 2", "old 02", 1)),
        (ProofError::Request("no old size"), text.replacen("old 2", "new 2", 1)),
        (ProofError::Text("a line that is no hash"), text.replacen("old 2\n", "old 2\n*\n", 1)),
        (ProofError::Request("more than 63 hashes"), format!("old 2\n{}\n{note}", ("A".repeat(43) + "=\n").repeat(64))),
    ] {
        assert_eq!(WitnessRequest::parse(&text), Err(fault), "{text:.60}");
    }
    let line = witness(2).cosign("t\n", 5, &Seed::of(2)).unwrap();
    assert_eq!(read_cosignatures(&line.to_line()), Ok(vec![line.clone()]));
    assert_eq!(read_cosignatures(""), Err(ProofError::Request("the answer does not end in a newline")));
    assert!(matches!(read_cosignatures("\n"), Err(ProofError::Log(LogError::Note(_)))));
    let many = ProofError::Request("more than 64 signature lines");
    assert_eq!(read_cosignatures(&line.to_line().repeat(65)), Err(many));
    assert_eq!(read_size("20852014\n"), Ok(20_852_014));
    for bad in ["20852014", "0x1\n", "-1\n", "\n", "99999999999999999999\n", "1\n1\n"] {
        assert_eq!(read_size(bad), Err(ProofError::Request("the size in the answer is no number")), "{bad:?}");
    }
}

#[test]
fn two_histories_of_one_log() {
    let (ours, theirs) = (leaves(11, 0), [leaves(5, 0), leaves(4, 1)].concat());
    let (small, large) = (note(&theirs).1, note(&ours).1);
    // The larger tree's first nine leaves have another root than the smaller head names.
    let path = consistency_path(9, 11, &mut subtree(&ours)).unwrap();
    let fork = ForkProof {
        smaller: small.clone(),
        larger: large.clone(),
        other_root: Some(root_of(&ours[..9])),
        path: path.clone(),
    };
    let read = ForkProof::parse(&fork.to_text()).unwrap();
    assert_eq!(read, fork);
    let proven = read.verify(&log_key()).unwrap();
    assert_eq!((proven.heads().0.size, proven.heads().1.size), (9, 11));
    let same_size = note(&leaves(11, 1)).1;
    let equal = ForkProof { smaller: same_size, larger: large.clone(), other_root: None, path: Vec::new() };
    assert_eq!(ForkProof::parse(&equal.to_text()).unwrap(), equal);
    assert!(equal.verify(&log_key()).is_ok());
    // Heads that agree, a root that is made up, the wrong way round, a path too many, somebody else's signature.
    let honest = note(&ours[..9]).1;
    let none = Err(ProofError::NoFork);
    assert_eq!(ForkProof { smaller: honest, ..fork.clone() }.verify(&log_key()), none);
    let made_up = Some(RootHash::from_bytes([7; 32]));
    assert_eq!(ForkProof { other_root: made_up, ..fork.clone() }.verify(&log_key()), none);
    assert_eq!(ForkProof { smaller: large.clone(), larger: small, ..fork.clone() }.verify(&log_key()), none);
    assert_eq!(ForkProof { path: vec![[0; 32]], ..equal.clone() }.verify(&log_key()), none);
    assert_eq!(ForkProof { larger: equal.smaller.clone(), ..equal.clone() }.verify(&log_key()), none);
    let other = NoteKey::new(ORIGIN, Seed::of(9).public_key()).unwrap();
    assert_eq!(equal.verify(&other), Err(ProofError::Log(LogError::Unsigned)));
    assert_eq!(ForkProof::parse("immutape/fork/1\n"), Err(ProofError::Text("no empty line before the heads")));
    assert_eq!(ForkProof::parse("immutape/fork/2\n\n"), Err(ProofError::Text("another first line")));
    assert_eq!(ForkProof::parse("immutape/fork/1\n\nx\n"), Err(ProofError::Text("not two heads")));
    let many = format!("immutape/fork/1\n{}\n{large}\n{large}", ("A".repeat(43) + "=\n").repeat(65));
    assert_eq!(ForkProof::parse(&many), Err(ProofError::Text("more than 64 hashes")));
}

#[test]
fn faults_have_codes_of_their_own() {
    let codes = [
        (ProofError::Quorum, Code::ProofInvalid),
        (ProofError::NoFork, Code::ProofInvalid),
        (ProofError::Seal(immutape::seal::SealError::Signature), Code::ProofInvalid),
        (ProofError::Policy { line: 3, fault: "a name that is taken" }, Code::Usage),
    ];
    for (fault, code) in codes {
        assert_eq!(Error::from(fault).code(), code);
    }
}

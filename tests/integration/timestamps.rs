//! Time-stamps: what authorities of OpenSSL answer is taken, and each fault in an answer or around it is told by its name.

use immutape::proof::{CheckedToken, TimeAnchors, TimestampError, TimestampRequest, check_response, check_token};
use immutape::{Code, Error};

use crate::support::time_authority::{Authority, Keys, openssl_is_there};

const IMPRINT: [u8; 32] = [0x5a; 32];
const NONCE: [u8; 8] = [0x80, 2, 3, 4, 5, 6, 7, 8];

fn request() -> TimestampRequest {
    TimestampRequest::new(IMPRINT, NONCE, None).unwrap()
}

/// Facts of a token, without its bytes.
fn facts(token: &CheckedToken) -> (u64, Option<u64>, Vec<u8>, String, [u8; 32]) {
    let serial = token.serial().to_vec();
    (token.time().as_ms(), token.accuracy_ms(), serial, token.policy(), *token.certificate_sha256())
}

#[test]
fn good_answers_of_every_kind_of_authority_are_taken_and_openssl_takes_them_too() {
    if !openssl_is_there() {
        return;
    }
    for keys in [Keys::Rsa, Keys::P256, Keys::P384] {
        let authority = Authority::new(keys);
        let mut seen = Vec::new();
        for way in ["usual", "other_way_round", "older_id", "all_ids", "sha384", "sha512"] {
            let answer = authority.answer(&request(), way);
            let checked = check_response(&answer, &request(), &authority.anchors());
            if way == "sha512" && keys != Keys::Rsa {
                // ECDSA goes with SHA-256 and SHA-384.
                assert_eq!(checked, Err(TimestampError::Algorithm("signature")));
                continue;
            }
            let checked = checked.unwrap_or_else(|e| panic!("{keys:?} {way}: {e}"));
            assert_eq!(check_token(checked.der(), &IMPRINT, &authority.anchors()).as_ref(), Ok(&checked), "{way}");
            assert_eq!((checked.policy().as_str(), checked.accuracy_ms()), ("1.2.3.4.1", Some(1501)), "{way}");
            assert!(checked.time().as_ms() > 1_700_000_000_000 && !checked.serial().is_empty());
            assert!(authority.accepts(checked.der(), &IMPRINT, &[]), "{keys:?} {way}: OpenSSL refuses it");
            assert!(!authority.accepts(checked.der(), &[0; 32], &[]));
            seen.push(authority.certificates(checked.der()));
        }
        // Both orders of its file: OpenSSL's token has them out of the order of DER, and is taken; so is one in order.
        assert!(seen[0].len() == 3 && seen[0] != seen[1] && !(seen[0].is_sorted() && seen[1].is_sorted()));
        let answer = authority.answer(&request(), "usual");
        let sorted = authority.in_order(&answer);
        assert!(sorted != answer && authority.certificates(&sorted).is_sorted(), "{keys:?}");
        assert!(check_response(&sorted, &request(), &authority.anchors()).is_ok(), "{keys:?}");
    }
}

#[test]
fn an_answer_to_something_else_is_refused() {
    if !openssl_is_there() {
        return;
    }
    let authority = Authority::new(Keys::P256);
    let anchors = authority.anchors();
    let with_policy = |policy| TimestampRequest::new(IMPRINT, NONCE, Some(policy)).unwrap();
    let answer = authority.answer(&request(), "usual");
    let check = |answer: &[u8], request: &TimestampRequest| check_response(answer, request, &anchors).unwrap_err();

    let other_imprint = TimestampRequest::new([0x5b; 32], NONCE, None).unwrap();
    assert_eq!(check(&answer, &other_imprint), TimestampError::Imprint);
    let token = check_response(&answer, &request(), &anchors).unwrap();
    assert_eq!(check_token(token.der(), &[0x5b; 32], &anchors), Err(TimestampError::Imprint));

    for nonce in [[0; 8], [0x80, 2, 3, 4, 5, 6, 7, 9], [0, 0x80, 2, 3, 4, 5, 6, 7]] {
        assert_eq!(check(&answer, &TimestampRequest::new(IMPRINT, nonce, None).unwrap()), TimestampError::Nonce);
    }
    // What was asked without a nonce proves no freshness.
    authority.openssl(&["ts", "-query", "-digest", &hex::encode(IMPRINT), "-no_nonce", "-cert", "-out", "bare.tsq"]);
    let arguments =
        ["ts", "-reply", "-config", "conf", "-section", "usual", "-queryfile", "bare.tsq", "-out", "bare.tsr"];
    authority.openssl(&arguments);
    assert_eq!(check(&authority.read("bare.tsr"), &request()), TimestampError::Nonce);

    assert_eq!(check(&answer, &with_policy("1.2.3.4.2")), TimestampError::Policy);
    let other = authority.answer(&with_policy("1.2.3.4.2"), "usual");
    assert_eq!(check_response(&other, &with_policy("1.2.3.4.2"), &anchors).unwrap().policy(), "1.2.3.4.2");

    // unacceptedPolicy is bit 15 of PKIFailureInfo.
    let refused = authority.answer(&with_policy("1.2.3.4.3"), "usual");
    assert_eq!(check(&refused, &with_policy("1.2.3.4.3")), TimestampError::Rejected { status: 2, reason: Some(15) });
    // Granted, and nothing with it.
    assert_eq!(check(&[0x30, 5, 0x30, 3, 2, 1, 0], &request()), TimestampError::NoToken);
    // Rejected without a reason, but with a token: still rejected.
    let token = token.der();
    let status = |code: u8| {
        let body = [&[0x30, 3, 2, 1, code][..], token].concat();
        [&[0x30, 0x82][..], &u16::try_from(body.len()).unwrap().to_be_bytes(), &body].concat()
    };
    assert!(check_response(&status(0), &request(), &anchors).is_ok());
    assert!(check_response(&status(1), &request(), &anchors).is_ok(), "granted with changes");
    assert_eq!(check(&status(2), &request()), TimestampError::Rejected { status: 2, reason: None });
}

#[test]
fn every_nonce_comes_back_as_it_was_sent() {
    if !openssl_is_there() {
        return;
    }
    let authority = Authority::new(Keys::P256);
    for nonce in [[0; 8], [0xff; 8], [0x7f; 8], [0, 0, 0, 0, 0, 0, 0, 1], [0, 0x80, 0, 0, 0, 0, 0, 0]] {
        let request = TimestampRequest::new(IMPRINT, nonce, Some("2.999.1")).unwrap();
        let shown = authority_reads(&authority, &request);
        assert!(shown.contains("Policy OID: 2.999.1") && shown.contains("Certificate required: yes"), "{shown}");
        assert!(shown.contains("Hash Algorithm: sha256"), "{shown}");
        let request = TimestampRequest::new(IMPRINT, nonce, None).unwrap();
        let answer = authority.answer(&request, "usual");
        assert!(check_response(&answer, &request, &authority.anchors()).is_ok(), "{nonce:?}");
    }
}

fn authority_reads(authority: &Authority, request: &TimestampRequest) -> String {
    authority.write("shown.tsq", request.to_der());
    let (well, said) = authority.try_openssl(&["ts", "-query", "-in", "shown.tsq", "-text"]);
    assert!(well, "{said}");
    said
}

#[test]
fn what_is_too_long_or_goes_on_is_refused() {
    if !openssl_is_there() {
        return;
    }
    let authority = Authority::new(Keys::P256);
    let anchors = authority.anchors();
    let answer = authority.answer(&request(), "usual");
    let token = check_response(&answer, &request(), &anchors).unwrap().der().to_vec();
    for more in [&[0][..], &[0x30, 0], &token] {
        let longer = [&answer, more].concat();
        assert_eq!(check_response(&longer, &request(), &anchors), Err(TimestampError::Trailing));
        assert_eq!(check_token(&[&token, more].concat(), &IMPRINT, &anchors), Err(TimestampError::Trailing));
    }
    for cut in 0..token.len() {
        assert!(matches!(check_token(&token[..cut], &IMPRINT, &anchors), Err(TimestampError::Form(_))), "{cut}");
    }
    for length in [(32 << 10) + 1, 1 << 20] {
        let huge = vec![0x30; length];
        assert_eq!(check_response(&huge, &request(), &anchors), Err(TimestampError::TooLong));
        assert_eq!(check_token(&huge, &IMPRINT, &anchors), Err(TimestampError::TooLong));
    }
    // As long as may be, and nested as deep as fits.
    let deep: Vec<u8> = [0x30, 0x80].into_iter().cycle().take(32 << 10).collect();
    assert!(matches!(check_token(&deep, &IMPRINT, &anchors), Err(TimestampError::Form(_))));
}

#[test]
fn a_byte_changed_anywhere_changes_nothing_that_is_told() {
    if !openssl_is_there() {
        return;
    }
    for keys in [Keys::Rsa, Keys::P256] {
        let authority = Authority::new(keys);
        let anchors = authority.anchors();
        let answer = authority.answer(&request(), "usual");
        let good = check_response(&answer, &request(), &anchors).unwrap();
        let (mut names, mut unseen) = (std::collections::BTreeSet::new(), 0);
        // A bit for each place, another for the next: each kind of change meets each kind of field.
        for (at, change) in (0..answer.len()).flat_map(|at| [(at, 1 << (at % 8)), (at, 2)]) {
            let mut altered = answer.clone();
            altered[at] ^= change;
            match check_response(&altered, &request(), &anchors) {
                Ok(checked) => {
                    assert_eq!(facts(&checked), facts(&good), "byte {at}");
                    unseen += 1;
                }
                Err(e) => drop(names.insert(format!("{e:?}").split(['(', ' ']).next().unwrap().to_owned())),
            }
        }
        // What may change unseen: text of the status, and the root's own copy in the token, which nobody uses.
        assert!(unseen < answer.len() * 2 / 3, "{keys:?}: {unseen} of {}", answer.len());
        for name in ["Form", "Digest", "Signature", "Chain", "Certificate", "SigningCertificate", "Rejected"] {
            assert!(names.contains(name), "{keys:?}: no change led to {name}: {names:?}");
        }
    }
}

#[test]
fn roots_are_read_or_refused() {
    let read = |pem: &[u8]| TimeAnchors::from_pem(pem).map(drop);
    assert_eq!(read(b""), Err(TimestampError::Anchors("no certificate")));
    assert_eq!(read(b"hello"), Err(TimestampError::Anchors("no certificate")));
    let framed = |inner: &str| format!("-----BEGIN CERTIFICATE-----\n{inner}\n-----END CERTIFICATE-----\n");
    assert_eq!(read(framed("MAA=").as_bytes()), Err(TimestampError::Anchors("a certificate cannot be read")));
    assert_eq!(read(framed("!").as_bytes()), Err(TimestampError::Anchors("not a PEM file")));
    assert_eq!(read(&vec![b'\n'; (1 << 20) + 1]), Err(TimestampError::Anchors("more than 1 MiB")));
    let key = b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    assert_eq!(read(key), Err(TimestampError::Anchors("no certificate")));
    if !openssl_is_there() {
        return;
    }
    let authority = Authority::new(Keys::P256);
    let root = authority.read("root.pem");
    assert_eq!(read(&[&b"# ours\n"[..], key, &root, b"\n", &root].concat()), Ok(()));
    assert_eq!(read(&root.repeat(512)), Ok(()));
    assert_eq!(read(&root.repeat(513)), Err(TimestampError::Anchors("more than 512")));
    // Several roots: the right one is found.
    let other = Authority::new(Keys::Rsa).read("root.pem");
    let both = TimeAnchors::from_pem(&[other, root].concat()).unwrap();
    assert!(check_response(&authority.answer(&request(), "usual"), &request(), &both).is_ok());
}

#[test]
fn what_a_person_gets_wrong_is_told_from_a_bad_time_stamp() {
    for policy in ["", "x", "1", "1.2.", "3.1", "1.2.3.999999999999999999999999999999999999999999", " 1.2.3"] {
        let made = TimestampRequest::new(IMPRINT, NONCE, Some(policy));
        assert_eq!(made, Err(TimestampError::PolicyText), "{policy:?}");
    }
    let code = |e: TimestampError| Error::from(e).code();
    assert_eq!(code(TimestampError::PolicyText), Code::Usage);
    assert_eq!(code(TimestampError::Anchors("no certificate")), Code::Usage);
    assert_eq!(code(TimestampError::Imprint), Code::ProofInvalid);
    assert_eq!(code(TimestampError::Rejected { status: 2, reason: None }), Code::ProofInvalid);
}

/// Each fault has a test: in this file or in the one beside it.
#[test]
fn every_fault_is_provoked() {
    let read = |file: &str| std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let tests = ["timestamps", "timestamps_forged"].map(|name| read(&format!("tests/integration/{name}.rs"))).concat();
    let source = read("src/proof/timestamp/error.rs");
    let body = source.split_once("pub enum TimestampError {").unwrap().1.split_once("\n}").unwrap().0;
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names: Vec<_> = lines
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.split(['(', ' ', ',']).next().unwrap())
        .collect();
    assert!(names.len() > 20);
    for name in names {
        let whole = format!("TimestampError::{name}");
        let mut ends = tests.match_indices(&whole).map(|(at, _)| tests[at + whole.len()..].chars().next().unwrap());
        assert!(ends.any(|next| !next.is_alphanumeric()), "{name} is provoked nowhere");
    }
}

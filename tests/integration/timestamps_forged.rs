//! Tokens made by hand, as no honest authority makes them: `openssl cms` signs any content with any certificate.

use immutape::proof::{TimestampError, check_token};

use crate::support::time_authority::{Authority, Keys, LONG, PAST, openssl_is_there};

const IMPRINT: [u8; 32] = [0x5a; 32];
const NOW: &str = "20261120101701.416Z";
const GOOD: &[&str] = &["-md", "sha256", "-cades"];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u8::try_from(content.len()).unwrap();
    let header = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [header, content].concat()
}

fn imprint(hash: &[u8], digest: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&tlv(0x30, &[&tlv(6, &[hash]), &[5, 0]]), &tlv(4, &[digest])])
}

/// A `TSTInfo` with everything after its time.
fn info(time: &str, rest: &[u8]) -> Vec<u8> {
    info_over(&imprint(SHA256, &IMPRINT), &[2, 1, 7], time, rest)
}

fn info_over(imprint: &[u8], serial: &[u8], time: &str, rest: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&[2, 1, 1], &tlv(6, &[&[0x2a, 3, 4]]), imprint, serial, &tlv(0x18, &[time.as_bytes()]), rest])
}

fn refused(authority: &Authority, token: &[u8]) -> TimestampError {
    check_token(token, &IMPRINT, &authority.anchors()).unwrap_err()
}

/// Where these bytes are, for the first time.
fn place(token: &[u8], bytes: &[u8]) -> usize {
    token.windows(bytes.len()).position(|window| window == bytes).unwrap()
}

#[test]
fn what_a_token_says_is_read_as_it_stands() {
    if !openssl_is_there() {
        return;
    }
    let authority = Authority::new(Keys::P256);
    let check = |info: &[u8]| {
        let token = authority.sign(info, &["tsa"], GOOD);
        let checked = check_token(&token, &IMPRINT, &authority.anchors());
        if checked.is_ok() {
            assert!(authority.accepts(&token, &IMPRINT, &[]), "OpenSSL refuses what we take");
        }
        checked
    };
    let checked = check(&info(NOW, &[])).unwrap();
    let told = (checked.time().as_ms(), checked.accuracy_ms(), checked.serial(), checked.policy());
    assert_eq!(told, (1_795_169_821_416, None, &[7][..], "1.2.3.4".to_owned()));
    // Accuracy of 5 microseconds, an order told, an extension of no weight.
    let rest = [
        tlv(0x30, &[&[0x81, 1, 5]]),
        vec![1, 1, 0xff],
        tlv(0xa1, &[&tlv(0x30, &[&tlv(6, &[&[0x2a, 9]]), &tlv(4, &[&[1]])])]),
    ];
    assert_eq!(check(&info(NOW, &rest.concat())).unwrap().accuracy_ms(), Some(1));

    let critical = tlv(0xa1, &[&tlv(0x30, &[&tlv(6, &[&[0x2a, 9]]), &[1, 1, 0xff], &tlv(4, &[&[1]])])]);
    assert_eq!(check(&info(NOW, &critical)), Err(TimestampError::Extension));
    let named = |name: &[u8]| check(&info(NOW, &tlv(0xa0, &[&tlv(0x82, &[name])])));
    assert!(named(b"time.example.com").is_ok(), "another name in the certificate");
    assert_eq!(named(b"time.example.net"), Err(TimestampError::AuthorityName));
    let directory = |name: &[u8]| {
        let name = tlv(0x30, &[&tlv(6, &[&[0x55, 4, 3]]), &tlv(0x0c, &[name])]);
        check(&info(NOW, &tlv(0xa0, &[&tlv(0xa4, &[&tlv(0x30, &[&tlv(0x31, &[&name])])])])))
    };
    assert!(directory(b"Example tsa").is_ok(), "its subject");
    assert_eq!(directory(b"Example between"), Err(TimestampError::AuthorityName));

    let over = |imprint: &[u8]| check(&info_over(imprint, &[2, 1, 7], NOW, &[]));
    assert_eq!(over(&imprint(SHA512, &[0x5a; 64])), Err(TimestampError::Algorithm("imprint")));
    assert_eq!(over(&imprint(SHA256, &[0x5a; 31])), Err(TimestampError::Imprint));
    let serial = |serial: &[u8]| check(&info_over(&imprint(SHA256, &IMPRINT), &tlv(2, &[serial]), NOW, &[]));
    assert_eq!(serial(&[0x7f; 64]).unwrap().serial(), [0x7f; 64]);
    for bad in [&[0x7f; 65][..], &[0x80], &[0, 1], &[]] {
        assert_eq!(serial(bad), Err(TimestampError::Form("content")), "{bad:?}");
    }
    for time in ["20261120101701.0Z", "20261120101701+0100", "2026112010Z", "19691231235959Z"] {
        assert_eq!(check(&info(time, &[])), Err(TimestampError::Form("content")), "{time}");
    }
    let other_version = [&info(NOW, &[])[..4], &[2], &info(NOW, &[])[5..]].concat();
    assert_eq!(check(&other_version), Err(TimestampError::Form("content")));
    assert_eq!(check(&[info(NOW, &[]), vec![5, 0]].concat()), Err(TimestampError::Form("content")));
    assert_eq!(check(&info(NOW, &[5, 0])), Err(TimestampError::Form("content")));
}

#[test]
fn one_signer_with_signed_attributes_over_a_time_stamp() {
    if !openssl_is_there() {
        return;
    }
    let authority = Authority::new(Keys::Rsa);
    authority.signer("other", "between", "stamping", LONG);
    let info = info(NOW, &[]);
    let sign = |signers: &[&str], options: &[&str]| authority.sign(&info, signers, options);
    let by_key = sign(&["tsa"], &[GOOD, &["-keyid"]].concat());
    assert!(check_token(&by_key, &IMPRINT, &authority.anchors()).is_ok(), "named by its key");
    let old_hash = ["-md", "sha224", "-cades"];

    assert_eq!(refused(&authority, &sign(&["tsa", "other"], GOOD)), TimestampError::Signers(2));
    assert_eq!(
        refused(&authority, &sign(&["tsa"], &["-md", "sha256", "-noattr"])),
        TimestampError::Attributes("there are none")
    );
    assert_eq!(refused(&authority, &sign(&["tsa"], &["-md", "sha256"])), TimestampError::SigningCertificate);
    assert_eq!(refused(&authority, &sign(&["tsa"], &[GOOD, &["-nocerts"]].concat())), TimestampError::Certificate);
    assert_eq!(refused(&authority, &sign(&["tsa"], &old_hash)), TimestampError::Algorithm("signer"));
    let pss = [GOOD, &["-keyopt", "rsa_padding_mode:pss"]].concat();
    assert_eq!(refused(&authority, &sign(&["tsa"], &pss)), TimestampError::Algorithm("signature"));

    // Signed as another content, with a receipt's type (id-smime-ct 1.9.16.1.1); then told to be a time-stamp outside.
    let kind = |last: u8| [6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, last];
    let mut other = sign(&["tsa"], &[GOOD, &["-econtent_type", "1.2.840.113549.1.9.16.1.1"]].concat());
    assert_eq!(refused(&authority, &other), TimestampError::Kind);
    let at = place(&other, &kind(1));
    other[at..at + 13].copy_from_slice(&kind(4));
    assert_eq!(refused(&authority, &other), TimestampError::Attributes("the content has another type"));
    // id-data in place of signed data.
    let data = tlv(0x30, &[&tlv(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1]])]);
    assert_eq!(refused(&authority, &data), TimestampError::Kind);

    let good = sign(&["tsa"], GOOD);
    let altered = |at: usize| {
        let mut token = good.clone();
        token[at] ^= 1;
        refused(&authority, &token)
    };
    assert_eq!(altered(place(&good, &IMPRINT)), TimestampError::Digest);
    assert_eq!(altered(place(&good, NOW.as_bytes())), TimestampError::Digest);
    assert_eq!(altered(good.len() - 1), TimestampError::Signature);
}

#[test]
fn a_certificate_of_the_same_key_does_not_pass_as_the_one_that_signed() {
    if !openssl_is_there() {
        return;
    }
    let authority = Authority::new(Keys::P256);
    // Same key, another certificate: the signed id alone tells them apart.
    authority.write("twin.key", &authority.read("tsa.key"));
    authority.certify("twin", "between", "stamping", LONG);
    authority.write("with_twin.pem", &[authority.read("twin.pem"), authority.read("chain.pem")].concat());
    let sign = |more: &[&str]| authority.sign(&info(NOW, &[]), &["tsa"], &[GOOD, &["-keyid"], more].concat());
    assert!(check_token(&sign(&[]), &IMPRINT, &authority.anchors()).is_ok());
    let both = sign(&["-certfile", "with_twin.pem"]);
    assert_eq!(refused(&authority, &both), TimestampError::Certificate);
    let twin_alone = sign(&["-certfile", "with_twin.pem", "-nocerts"]);
    assert_eq!(refused(&authority, &twin_alone), TimestampError::SigningCertificate);
    assert!(!authority.accepts(&twin_alone, &IMPRINT, &[]), "OpenSSL takes it");
}

#[test]
fn only_certificates_for_time_stamps_alone_may_sign_them() {
    if !openssl_is_there() {
        return;
    }
    let authority = Authority::new(Keys::P256);
    let purpose = |extensions: &str| {
        authority.signer("other", "between", extensions, LONG);
        let token = authority.sign(&info(NOW, &[]), &["other"], GOOD);
        assert!(!authority.accepts(&token, &IMPRINT, &[]), "{extensions}: OpenSSL takes it");
        refused(&authority, &token)
    };
    assert_eq!(purpose("no_purpose"), TimestampError::Purpose("it is for no purpose"));
    assert_eq!(purpose("not_critical"), TimestampError::Purpose("its purpose is not critical"));
    assert_eq!(purpose("two_purposes"), TimestampError::Purpose("it is not for time-stamps alone"));
    assert_eq!(purpose("two_uses"), TimestampError::Purpose("its key is not for signatures alone"));

    // Kinds of keys that nobody here verifies.
    authority.make_key("p521", ["EC", "ec_paramgen_curve:P-521"]);
    authority.certify("p521", "between", "stamping", LONG);
    let token = authority.sign(&info(NOW, &[]), &["p521"], GOOD);
    assert_eq!(refused(&authority, &token), TimestampError::Algorithm("key of the signer"));
    let rsa = Authority::new(Keys::Rsa);
    rsa.make_key("short", ["RSA", "rsa_keygen_bits:1024"]);
    rsa.certify("short", "between", "stamping", LONG);
    assert_eq!(refused(&rsa, &rsa.sign(&info(NOW, &[]), &["short"], GOOD)), TimestampError::Signature);
}

#[test]
fn the_chain_leads_to_a_trusted_root_and_was_valid_then() {
    if !openssl_is_there() {
        return;
    }
    let authority = Authority::new(Keys::P256);
    let (then, later) = ("20200701000000Z", "20210101000001Z");
    let sign = |time: &str, signer: &str, chain: &str| {
        authority.sign(&info(time, &[]), &[signer], &[GOOD, &["-certfile", chain]].concat())
    };
    let taken = |token: &[u8]| check_token(token, &IMPRINT, &authority.anchors()).map(|_| ());

    // Another authority, whose certificates are named the same.
    let stranger = Authority::new(Keys::P256);
    let token = stranger.sign(&info(NOW, &[]), &["tsa"], GOOD);
    assert_eq!(refused(&stranger, &[token.clone(), vec![0]].concat()), TimestampError::Trailing);
    assert!(check_token(&token, &IMPRINT, &stranger.anchors()).is_ok());
    assert!(matches!(refused(&authority, &token), TimestampError::Chain(_)));
    assert!(!authority.accepts(&token, &IMPRINT, &[]));
    // The one between is missing, or changed.
    assert_eq!(taken(&sign(NOW, "tsa", "root.pem")), Err(TimestampError::Chain("it leads to no trusted root")));
    let mut token = sign(NOW, "tsa", "between.pem");
    let at = place(&token, b"Example between");
    token[at] ^= 1;
    assert!(matches!(refused(&authority, &token), TimestampError::Chain(_)));

    // A signer of the past: what it signed in its days holds for ever, what it signs later does not.
    authority.signer("old", "between", "stamping", PAST);
    let token = sign(then, "old", "between.pem");
    assert_eq!(taken(&token), Ok(()));
    assert!(!authority.accepts(&token, &IMPRINT, &[]), "OpenSSL looks at the present");
    assert!(authority.accepts(&token, &IMPRINT, &["-attime", "1593561600"]));
    assert_eq!(taken(&sign(later, "old", "between.pem")), Err(TimestampError::Expired));
    assert_eq!(taken(&sign("20191231235959Z", "old", "between.pem")), Err(TimestampError::Expired), "not yet valid");
    // One between of the past.
    authority.signer("past", "root", "root", PAST);
    authority.signer("late", "past", "stamping", LONG);
    assert_eq!(taken(&sign(then, "late", "past.pem")), Ok(()));
    assert_eq!(taken(&sign(later, "late", "past.pem")), Err(TimestampError::Expired));
    // A root of the past.
    let ended = Authority::new(Keys::P256);
    ended.certify("root", "root", "root", PAST);
    let sign = |time: &str| ended.sign(&info(time, &[]), &["tsa"], &[GOOD, &["-certfile", "between.pem"]].concat());
    assert!(check_token(&sign(then), &IMPRINT, &ended.anchors()).is_ok());
    assert_eq!(refused(&ended, &sign(later)), TimestampError::Expired);
}

#[test]
fn a_certificate_that_may_not_certify_is_no_part_of_a_chain() {
    if !openssl_is_there() {
        return;
    }
    let authority = Authority::new(Keys::P256);
    let token = |issuer: &str| {
        authority.signer("signer", issuer, "stamping", LONG);
        authority.sign(&info(NOW, &[]), &["signer"], &[GOOD, &["-certfile", &format!("{issuer}.pem")]].concat())
    };
    authority.signer("bare", "root", "bare_root", LONG);
    assert!(check_token(&token("bare"), &IMPRINT, &authority.anchors()).is_ok(), "no key usage told");
    authority.signer("crl", "root", "no_certifying", LONG);
    assert_eq!(refused(&authority, &token("crl")), TimestampError::Chain("it leads to no trusted root"));
    // A signer that made a signer.
    authority.signer("tsa2", "between", "bare_root", LONG);
    authority.certify("tsa2", "between", "two_purposes", LONG);
    assert_eq!(
        refused(&authority, &token("tsa2")),
        TimestampError::Chain("a certificate in it breaks the rules of RFC 5280")
    );
}

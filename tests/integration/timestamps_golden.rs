//! Time-stamps that were made once and kept: taken for ever, here and elsewhere; and what another reader says of them, whole and altered.
//!
//! `IMMUTAPE_GOLDEN=write-timestamps` makes them anew, with new keys that nobody keeps.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use immutape::codec::digest::sha256;
use immutape::proof::{TimeAnchors, TimestampError, TimestampRequest, check_response, check_token};

use crate::support::needed;
use crate::support::time_authority::{Authority, Keys, openssl_accepts, openssl_is_there};

const NOTE: &str = "checkpoint.note";
const FILES: [(&str, Keys); 2] = [("rsa", Keys::Rsa), ("p256", Keys::P256)];

#[derive(serde::Deserialize)]
struct Index {
    note: String,
    imprint: String,
    token: Vec<Golden>,
}

#[derive(serde::Deserialize)]
struct Golden {
    roots: String,
    answer: String,
    token: String,
    nonce: String,
    policy: String,
    time_ms: u64,
    accuracy_ms: u64,
    serial: String,
    certificate: String,
}

impl Golden {
    fn anchors(&self) -> TimeAnchors {
        TimeAnchors::from_pem(&read(&self.roots)).unwrap()
    }

    fn nonce(&self) -> [u8; 8] {
        hex::decode(&self.nonce).unwrap().try_into().unwrap()
    }

    fn request(&self, imprint: [u8; 32]) -> TimestampRequest {
        TimestampRequest::new(imprint, self.nonce(), Some(&self.policy)).unwrap()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/5-proof/timestamps")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn index() -> (Index, [u8; 32]) {
    let index: Index = toml::from_str(&String::from_utf8(read("index.toml")).unwrap()).unwrap();
    let imprint = sha256(&read(&index.note));
    assert_eq!(hex::encode(imprint), index.imprint);
    assert_eq!(index.token.len(), FILES.len());
    (index, imprint)
}

#[test]
fn kept_time_stamps_are_taken_and_say_what_the_index_says() {
    let (index, imprint) = index();
    for kept in &index.token {
        let checked = check_response(&read(&kept.answer), &kept.request(imprint), &kept.anchors()).unwrap();
        assert_eq!(checked.der(), read(&kept.token), "{}", kept.token);
        assert_eq!(check_token(&read(&kept.token), &imprint, &kept.anchors()).as_ref(), Ok(&checked));
        assert_eq!((checked.time().as_ms(), checked.accuracy_ms()), (kept.time_ms, Some(kept.accuracy_ms)));
        assert_eq!((hex::encode(checked.serial()), checked.policy()), (kept.serial.clone(), kept.policy.clone()));
        assert_eq!(hex::encode(checked.certificate_sha256()), kept.certificate);
        assert_eq!(check_token(&read(&kept.token), &[0; 32], &kept.anchors()), Err(TimestampError::Imprint));
    }
    // Under each other's roots neither holds, though their names are the same.
    let [one, other] = &index.token[..] else { panic!("two") };
    let crossed = check_token(&read(&one.token), &imprint, &other.anchors());
    assert!(matches!(crossed, Err(TimestampError::Chain(_))), "{crossed:?}");
}

#[test]
fn openssl_takes_them_too() {
    if !openssl_is_there() {
        return;
    }
    let (index, imprint) = index();
    for kept in &index.token {
        assert!(openssl_accepts(&folder().join(&kept.roots), &read(&kept.token), &imprint, &[]), "{}", kept.token);
        assert!(!openssl_accepts(&folder().join(&kept.roots), &read(&kept.token), &[0; 32], &[]), "{}", kept.token);
    }
}

#[test]
fn another_reader_takes_the_good_and_refuses_the_altered() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/oracles/py/bin/python");
    if !python.is_file() && !needed("no rfc3161-client here: tests/oracles/install brings it, with pip and a network") {
        return;
    }
    let (index, imprint) = index();
    for kept in &index.token {
        let (answer, nonce) = (read(&kept.answer), u64::from_be_bytes(kept.nonce()));
        let case = |answer: &[u8], imprint: &[u8], nonce: u64| serde_json::json!({"answer": hex::encode(answer), "imprint": hex::encode(imprint), "nonce": nonce});
        let mut cases = vec![
            (case(&answer, &imprint, nonce), true),
            (case(&answer, &[0; 32], nonce), false),
            (case(&answer, &imprint, nonce ^ 1), false),
        ];
        // Each byte of what was signed and of the signature; elsewhere readers differ in what they care for.
        let content = place(&answer, &imprint)..place(&answer, &imprint) + 90;
        let signature = answer.len() - 40..answer.len();
        for at in content.chain(signature) {
            let mut altered = answer.clone();
            altered[at] ^= 1 << (at % 8);
            assert!(check_response(&altered, &kept.request(imprint), &kept.anchors()).is_err(), "byte {at}");
            cases.push((case(&altered, &imprint, nonce), false));
        }
        assert!(cases.len() > 100);
        let said = judge(&python, &folder().join(&kept.roots), cases.iter().map(|(case, _)| case));
        let expected: Vec<_> = cases.iter().map(|(_, holds)| if *holds { "holds" } else { "refused" }).collect();
        assert_eq!(said, expected, "{}", kept.answer);
    }
}

fn place(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}

/// What `tests/oracles/timestamp.py` says of each.
fn judge<'a>(python: &Path, roots: &Path, cases: impl Iterator<Item = &'a serde_json::Value>) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/timestamp.py");
    let mut command = Command::new(python);
    command.arg(script).arg(roots).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines: String = cases.map(|case| format!("{case}\n")).collect();
    let mut input = child.stdin.take().unwrap();
    // It answers line by line, and a full pipe would stop it: one thread writes while this one reads.
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Only on demand: the files are what strangers test against, and stay.
#[test]
fn time_stamps_are_made_anew_on_demand() {
    let on_demand = std::env::var("IMMUTAPE_GOLDEN").is_ok_and(|value| value == "write-timestamps");
    if !on_demand {
        assert!(folder().join("index.toml").is_file());
        return;
    }
    std::fs::create_dir_all(folder()).unwrap();
    let note = std::fs::read(folder().join("../../4-commit/accept/checkpoint-07.note")).unwrap();
    std::fs::write(folder().join(NOTE), &note).unwrap();
    let imprint = sha256(&note);
    let mut index = format!(
        "# Time-stamps of two authorities over one note: docs/format/5-proof.md, section 5.6. Made by OpenSSL; the keys are gone.\n\
         note = \"{NOTE}\"\nimprint = \"{}\"\n",
        hex::encode(imprint)
    );
    for (name, keys) in FILES {
        let authority = Authority::new(keys);
        let nonce = [0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 0x07, name.len() as u8];
        let request = TimestampRequest::new(imprint, nonce, Some("1.2.3.4.1")).unwrap();
        // In the order of DER: OpenSSL's own order is one that strict readers refuse.
        let answer = authority.in_order(&authority.answer(&request, "usual"));
        let checked = check_response(&answer, &request, &authority.anchors()).unwrap();
        for (end, bytes) in [("tsr", &answer[..]), ("tst", checked.der()), ("pem", &authority.read("root.pem"))] {
            std::fs::write(folder().join(format!("{name}.{end}")), bytes).unwrap();
        }
        index += &format!(
            "\n[[token]]\nroots = \"{name}.pem\"\nanswer = \"{name}.tsr\"\ntoken = \"{name}.tst\"\nnonce = \"{}\"\n\
             policy = \"{}\"\ntime_ms = {}\naccuracy_ms = {}\nserial = \"{}\"\ncertificate = \"{}\"\n",
            hex::encode(nonce),
            checked.policy(),
            checked.time().as_ms(),
            checked.accuracy_ms().unwrap(),
            hex::encode(checked.serial()),
            hex::encode(checked.certificate_sha256()),
        );
    }
    std::fs::write(folder().join("index.toml"), index).unwrap();
}

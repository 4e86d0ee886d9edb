//! The golden bundles of chapter 6: each gets the word that its index says, and where nothing is broken all the words. What a fault is
//! told for is asserted by the tests of the check, and by those of their maker.

use std::path::{Path, PathBuf};

use immutape::evidence::bundle::{Pins, TarSource, check_bundle};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/6-evidence")
}

fn index() -> Value {
    serde_json::from_slice(&std::fs::read(folder().join("index.json")).unwrap()).unwrap()
}

fn pins(index: &Value) -> Pins {
    let mut pins = Pins::default();
    let texts = |name: &str| index[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned());
    texts("pub").for_each(|key| pins.add_key(&key).unwrap());
    texts("witness").for_each(|key| pins.add_witness(&key).unwrap());
    pins
}

#[test]
fn every_bundle_has_its_word() {
    let index = index();
    let (mut good, mut bad) = (0, 0);
    for (list, count) in [("accept", &mut good), ("reject", &mut bad)] {
        for row in index[list].as_array().unwrap() {
            let file = row["file"].as_str().unwrap();
            let bytes = std::fs::read(folder().join(file)).unwrap();
            let report = check_bundle(&TarSource::open(bytes).unwrap(), &pins(&index), None);
            let verdict = report.verdict();
            assert_eq!(verdict.word(), row["verdict"].as_str().unwrap(), "{file}: {:#?}", report.findings);
            assert_eq!(u64::from(verdict.exit_code()), row["exit"].as_u64().unwrap(), "{file}");
            if verdict.exit_code() != 3 {
                let words: Vec<&str> = report.words().iter().map(|word| word.word()).collect();
                assert_eq!(serde_json::json!(words), row["words"], "{file}");
            }
            *count += 1;
        }
    }
    assert!(good >= 6 && bad >= 60, "{good} {bad}");
}

#[test]
fn every_file_is_in_the_index_once() {
    let index = index();
    let rows = ["accept", "reject"].into_iter().flat_map(|list| index[list].as_array().unwrap());
    let mut listed: Vec<String> = rows.map(|row| row["file"].as_str().unwrap().to_owned()).collect();
    let mut there: Vec<String> = ["accept", "reject"]
        .into_iter()
        .flat_map(|part| std::fs::read_dir(folder().join(part)).unwrap().map(move |e| (part, e.unwrap().file_name())))
        .map(|(part, name)| format!("{part}/{}", name.to_str().unwrap()))
        .collect();
    listed.sort();
    there.sort();
    assert_eq!(listed, there);
}

/// Not one byte of a good bundle can be another without it being told.
#[test]
fn no_byte_of_a_bundle_is_free() {
    let index = index();
    let whole = std::fs::read(folder().join("accept/whole.tar")).unwrap();
    let mut tried = 0;
    for at in (0..whole.len()).step_by(97) {
        let mut other = whole.clone();
        other[at] ^= 0x20;
        let exit = match TarSource::open(other) {
            Ok(source) => check_bundle(&source, &pins(&index), None).verdict().exit_code(),
            Err(_) => 3,
        };
        assert_eq!(exit, 3, "byte {at}");
        tried += 1;
    }
    assert!(tried > 300, "{tried}");
}

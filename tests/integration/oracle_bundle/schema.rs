//! The schemas of `docs/format/cddl` over a whole bundle, as the crate `cddl` reads them.

use ciborium::Value;
use immutape::evidence::bundle::path;

use super::made::made;
use crate::cddl::{ByRule, sequence, verdicts};
use crate::golden_make::by_hand::cbor;

fn value(bytes: &[u8]) -> Value {
    ciborium::from_reader(bytes).unwrap()
}

/// The item with one thing of its shape changed.
fn bent(bytes: &[u8], change: impl FnOnce(&mut Vec<Value>)) -> Vec<u8> {
    let Value::Array(mut parts) = value(bytes) else { panic!("no array") };
    change(&mut parts);
    let bent = cbor(&Value::Array(parts));
    assert_ne!(bent, bytes);
    bent
}

#[test]
fn every_item_of_a_bundle_fits_its_schema_and_none_of_another_shape_does() {
    let Some(made) = made() else { return };
    let (mut good, mut bad) = (ByRule::new(), ByRule::new());
    let mut put = |rule: &str, name: &str, bytes: Vec<u8>| {
        good.entry(rule.into()).or_default().push((format!("{name}: {rule}"), bytes));
    };
    for (path, bytes) in &made.folder {
        let file = path.rsplit('/').next().unwrap();
        match file {
            "entries.cbor" => sequence(bytes).into_iter().for_each(|item| put("evidence-item", path, item)),
            "frames.cbor" => sequence(bytes).into_iter().step_by(3).for_each(|item| put("evidence-frame", path, item)),
            "paths.cbor" | "frames-paths.cbor" => put("set-proof", path, bytes.clone()),
            "header.cbor" => put("opened", path, bytes.clone()),
            "root.cbor" => put("tape-root", path, bytes.clone()),
            "manifest.cbor" => put("manifest", path, bytes.clone()),
            "statement.cose" => put("statement", path, bytes.clone()),
            "receipt.cose" => put("receipt", path, bytes.clone()),
            _ => assert!(!file.ends_with(".cbor") && !file.ends_with(".cose"), "{path} has no rule"),
        }
    }
    let verdicts_of_good = verdicts(&good);
    let faults: Vec<_> = verdicts_of_good.iter().filter(|(_, v)| v.is_err()).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(verdicts_of_good.len() > 44 && good.len() == 8, "{} of {} rules", verdicts_of_good.len(), good.len());

    let mut put = |rule: &str, name: &str, bytes: Vec<u8>| {
        bad.entry(rule.into()).or_default().push((format!("{name}: {rule}"), bytes));
    };
    let item = &sequence(&made.folder[path::ENTRIES])[0];
    put("evidence-item", "without the last part", bent(item, |parts| drop(parts.pop())));
    put("evidence-item", "an entry that is none", bent(item, |parts| parts[0] = Value::Bytes(vec![0x80])));
    put("evidence-item", "text for an entry", bent(item, |parts| parts[0] = Value::Text("x".into())));
    put("evidence-item", "a number for what is opened", bent(item, |parts| parts[1] = Value::Integer(1.into())));
    let unknown = Value::Map(vec![(Value::Integer(2.into()), Value::Array(Vec::new()))]);
    put("evidence-item", "a key that is not known", bent(item, |parts| parts[2] = unknown));
    let of_tape = |name: &str| made.folder.iter().find(|(path, _)| path.ends_with(name)).unwrap().1;
    let frame = &sequence(of_tape("/frames.cbor"))[0];
    put("evidence-frame", "a part more", bent(frame, |parts| parts.push(Value::Null)));
    put("evidence-frame", "a closed envelope", bent(frame, |parts| parts[1] = Value::Bytes(vec![0; 32])));
    put("evidence-frame", "a digest of 31 bytes", bent(frame, |parts| parts[2] = Value::Bytes(vec![0; 31])));
    put("evidence-frame", "a number below zero", bent(frame, |parts| parts[0] = Value::Integer((-1).into())));
    let proof = &made.folder[path::LOG_PATHS];
    put("set-proof", "a hash of 33 bytes", bent(proof, |parts| parts.push(Value::Bytes(vec![0; 33]))));
    put("set-proof", "a text", bent(proof, |parts| parts.push(Value::Text(String::new()))));
    let header = of_tape("/header.cbor");
    put("opened", "no digests", bent(header, |parts| parts[0] = Value::Array(Vec::new())));
    put(
        "opened",
        "fields without their salts",
        bent(header, |parts| {
            let Value::Array(fields) = &mut parts[1] else { panic!("no fields") };
            let Value::Array(field) = &mut fields[0] else { panic!("no field") };
            field.remove(1);
        }),
    );
    let verdicts = verdicts(&bad);
    let taken: Vec<_> = verdicts.iter().filter(|(_, v)| v.is_ok()).map(|(name, _)| name).collect();
    assert!(taken.is_empty(), "{taken:#?}");
    assert_eq!(verdicts.len(), 13);
}

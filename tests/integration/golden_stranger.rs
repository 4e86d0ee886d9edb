//! A stranger's reading: from the index and the text of `docs/format` alone, with other crates' primitives and
//! ciborium, every intermediate value and every sealed or signed byte of the golden files comes out the same.

use ciborium::Value;

use crate::golden_make::by_hand::{self, b, cbor, h, hmac, ld, list, mth, n, t};
use crate::golden_make::folder;
use crate::golden_make::index::{self, Accepted, Index, Values};

fn index(chapter: &str) -> Index {
    index::read(&std::fs::read_to_string(folder().join(chapter).join("index.toml")).unwrap())
}

fn file(chapter: &str, name: &str) -> Vec<u8> {
    std::fs::read(folder().join(chapter).join("accept").join(name)).unwrap()
}

fn entry<'a>(index: &'a Index, name: &str) -> &'a Accepted {
    index.accepts.iter().find(|a| a.file == name).unwrap()
}

fn same(found: impl AsRef<[u8]>, values: &Values, name: &str) {
    assert_eq!(hex::encode(found), values.text(name), "{name}");
}

/// The pairs of an encoded map whose keys are unsigned numbers.
fn pairs(map: &[u8]) -> Vec<(u64, Value)> {
    let Value::Map(pairs) = ciborium::from_reader(map).unwrap() else { panic!("no map") };
    pairs.into_iter().map(|(k, v)| (u64::try_from(k.as_integer().unwrap()).unwrap(), v)).collect()
}

fn map_without(map: &[u8], left_out: &[u64]) -> Value {
    Value::Map(pairs(map).into_iter().filter(|(k, _)| !left_out.contains(k)).map(|(k, v)| (n(k), v)).collect())
}

#[test]
fn labels_and_private_fields() {
    let index = index("1-bytes");
    let example = file("1-bytes", "labelled-array.cbor");
    let items = [n(500), b([1, 2]), Value::Map(vec![(n(1), Value::Bool(true)), (t("a"), Value::Null)])];
    assert_eq!(ld("immutape/example/1", items), h(&example));
    let v = &entry(&index, "private-fields.cbor").values;
    let fields = [(1, v.bytes("value_1")), (300, v.bytes("value_300"))];
    let commitment = by_hand::commitment("immutape/golden/1", &v.bytes("salt_key"), &fields);
    same(commitment, v, "commitment");
    assert_eq!(commitment, h(file("1-bytes", "private-fields.cbor")));
}

#[test]
fn the_tape_of_two_frames() {
    let index = index("2-tape");
    let v = &entry(&index, "root-two-frames.cbor").values;
    let [_, frame_salt_key, header_salt_key, _] = by_hand::tape_keys(&v.bytes("tape_secret"));
    let mut leaves = Vec::new();
    for (seq, name) in [(0, "request"), (1, "answer")] {
        let frame = file("2-tape", &format!("frame-{name}.cbor"));
        let envelope = cbor(&map_without(&frame, &[5]));
        let payload = pairs(&frame).into_iter().find(|(k, _)| *k == 5).unwrap().1.into_bytes().unwrap();
        let (leaf, envelope_digest, payload_digest) = by_hand::frame_leaf(&frame_salt_key, seq, &envelope, &payload);
        let salts = by_hand::stream(&frame_salt_key, 64 * seq, 64);
        same(&salts[..32], v, &format!("envelope_salt_{seq}"));
        same(&salts[32..], v, &format!("payload_salt_{seq}"));
        same(envelope_digest, v, &format!("envelope_digest_{seq}"));
        same(payload_digest, v, &format!("payload_digest_{seq}"));
        same(mth(std::slice::from_ref(&leaf)), v, &format!("leaf_hash_{seq}"));
        assert_eq!(leaf, file("2-tape", &format!("leaf-{name}.cbor")));
        leaves.push(leaf);
    }
    assert_eq!(
        cbor(&map_without(&file("2-tape", "frame-request.cbor"), &[5])),
        file("2-tape", "envelope-request.cbor")
    );
    same(mth(&leaves), v, "tree_root");
    let header = file("2-tape", "header-two-frames.cbor");
    let fields: Vec<_> = pairs(&header).into_iter().map(|(k, value)| (k, cbor(&value))).collect();
    let commitment = by_hand::commitment("immutape/header/1", &header_salt_key, &fields);
    same(commitment, v, "header_commitment");
    let root = cbor(&list([t("immutape/tape/1"), b(commitment), n(2), b(mth(&leaves))]));
    assert_eq!(root, file("2-tape", "root-two-frames.cbor"));
    same(h(&root), v, "tape_id");
    same(h(file("2-tape", "frames-two.cborseq")), v, "frames_digest");
    let content = map_without(&header, &[14]);
    same(ld("immutape/content/1", [content, b(h(file("2-tape", "frames-two.cborseq")))]), v, "content_digest");
}

#[test]
fn a_tape_without_frames() {
    let index = index("2-tape");
    let v = &entry(&index, "root-no-frames.cbor").values;
    let [_, _, header_salt_key, _] = by_hand::tape_keys(&v.bytes("tape_secret"));
    let header = file("2-tape", "header-minimal.cbor");
    let fields: Vec<_> = pairs(&header).into_iter().map(|(k, value)| (k, cbor(&value))).collect();
    let commitment = by_hand::commitment("immutape/header/1", &header_salt_key, &fields);
    let root = cbor(&list([t("immutape/tape/1"), b(commitment), n(0), b(h(b""))]));
    assert_eq!(root, file("2-tape", "root-no-frames.cbor"));
}

#[test]
fn sealed_objects() {
    let index = index("3-seal");
    let sealed = index.accepts.iter().filter(|a| matches!(&*a.decoder, "object" | "chunk" | "sealed-header"));
    let mut count = 0;
    for a in sealed {
        let (v, raw) = (&a.values, a.values.bytes("opened"));
        let plain = match v.0.get("body") {
            Some(_) => by_hand::object_plain(1, raw.len() as u64, &v.bytes("body")),
            None => by_hand::object_plain(0, raw.len() as u64, &raw),
        };
        let (secret, salt) = (v.bytes("tape_secret"), v.array("salt"));
        let made = by_hand::seal_object(&secret, &salt, &v.bytes("custody"), v.number("position"), &plain);
        assert_eq!(made, file("3-seal", &a.file), "{}", a.file);
        count += 1;
    }
    assert_eq!(count, 6);
    let chunk = entry(&index, "chunk-two-frames.bin").values.bytes("opened");
    assert_eq!(chunk, file("2-tape", "frames-two.cborseq"));
}

#[test]
fn manifest_and_statements() {
    let index = index("3-seal");
    let v = &entry(&index, "statement-two-frames.cbor").values;
    let objects = ["header-two-frames.bin", "chunk-two-frames.bin"].map(|name| {
        let stored = file("3-seal", name);
        list([b(h(&stored)), n(stored.len() as u64)])
    });
    let root = file("2-tape", "root-two-frames.cbor");
    let manifest = cbor(&list([t("immutape/manifest/1"), b(v.bytes("custody")), b(&root), list(objects)]));
    assert_eq!(manifest, file("3-seal", "manifest-two-frames.cbor"));
    same(h(&manifest), v, "manifest_digest");
    let kid = |key: &str| h([&hex::decode("a301012006215820").unwrap()[..], &v.bytes(key)].concat());
    same(kid("recorder_key"), v, "kid");
    let ledger = mth(&[file("4-commit", "entry-00-genesis.cbor")]);
    same(ledger, v, "ledger");
    let protected = |alg: i64| {
        let subject = format!("sha256:{}", hex::encode(h(&root)));
        Value::Map(vec![
            (n(1), Value::Integer(alg.into())),
            (n(4), b(kid("recorder_key"))),
            (n(15), Value::Map(vec![(n(1), t(v.text("origin"))), (n(2), t(&subject))])),
            (n(258), Value::Integer((-16).into())),
            (n(259), t("application/vnd.immutape.tape-root+cbor")),
            (t("ledger"), b(ledger)),
            (t("custody"), b(v.bytes("custody"))),
            (t("manifest"), b(h(&manifest))),
        ])
    };
    let recorder = v.bytes("recorder_seed")[0];
    for (alg, name) in [(-8, "statement-two-frames.cbor"), (-19, "statement-alg-19.cbor")] {
        assert_eq!(by_hand::sign1(&cbor(&protected(alg)), &h(&root), recorder), file("3-seal", name));
    }
    let head = cbor(&Value::Map(vec![(n(1), Value::Integer((-8).into())), (n(4), b(kid("person_key")))]));
    for (range, name) in [(list([n(0), n(1)]), "person-range.cbor"), (Value::Null, "person-no-range.cbor")] {
        let v = &entry(&index, name).values;
        let act = [t("immutape/person/1"), b(ledger), n(32), b(v.bytes("custody")), range, b(v.bytes("request_id"))];
        let payload = cbor(&list(act.into_iter().chain([n(1_700_000_003_000)])));
        assert_eq!(by_hand::sign1(&head, &payload, v.bytes("person_seed")[0]), file("3-seal", name));
    }
}

#[test]
fn private_halves_and_wrapped_keys() {
    let index = index("3-seal");
    for name in ["private-access.bin", "private-empty.bin"] {
        let v = &entry(&index, name).values;
        let (key, salt, map) = (v.bytes("custody_key"), v.array("salt"), v.bytes("opened"));
        let (kind, subject, plain) = (v.number("kind"), v.bytes("subject"), by_hand::private_plain(&map));
        let sealed = by_hand::seal_private(&key, &salt, v.text("origin"), kind, subject, &plain);
        assert_eq!(sealed, file("3-seal", name));
        same(by_hand::private_commitment(&key, &salt, &map), v, "commitment");
        same(h(&sealed), v, "sealed_digest");
    }
    let wrapped: Vec<_> = index.accepts.iter().filter(|a| a.decoder == "wrapped").collect();
    assert_eq!(wrapped.len(), 6);
    for a in wrapped {
        let v = &a.values;
        let kek = v.bytes(if v.text("purpose") == "tape" { "epoch_key" } else { "vault_root" });
        let made = by_hand::wrap(&kek, v.text("origin"), v.text("purpose"), &v.bytes("id"), &v.bytes("opened"));
        assert_eq!(made, file("3-seal", &a.file));
        assert_eq!(made.len(), 48);
    }
}

#[test]
fn the_log() {
    let index = index("4-commit");
    let entries: Vec<_> = index.accepts.iter().filter(|a| a.file.starts_with("entry-")).collect();
    let (mut leaves, mut last, mut tips) = (Vec::new(), [0; 32], std::collections::HashMap::new());
    for (at, a) in entries.iter().enumerate() {
        let (v, bytes) = (&a.values, file("4-commit", &a.file));
        let Value::Array(items) = ciborium::from_reader(&bytes[..]).unwrap() else { panic!("no array") };
        let bytes_at = |i: usize| items[i].as_bytes().unwrap().clone();
        let uint_at = |i: usize| u64::try_from(items[i].as_integer().unwrap()).unwrap();
        assert_eq!((items.len(), uint_at(1)), (12, at as u64));
        assert_eq!(bytes_at(2), last);
        let (subject, (seq, prev)) = (bytes_at(5), tips.get(&bytes_at(5)).copied().unwrap_or((0u64, [0; 32])));
        assert_eq!((uint_at(6), bytes_at(7)), (seq, prev.to_vec()));
        let (key, salt, map) = (v.bytes("custody_key"), v.array("private_salt"), v.bytes("private_map"));
        let plain = by_hand::private_plain(&map);
        let sealed = by_hand::seal_private(&key, &salt, v.text("origin"), uint_at(4), &subject, &plain);
        same(&sealed, v, "sealed");
        assert_eq!(bytes_at(8), by_hand::private_commitment(&key, &salt, &map));
        assert_eq!(bytes_at(9), h(&sealed));
        assert_eq!(bytes_at(10), v.bytes("custody_key_id"));
        last = mth(std::slice::from_ref(&bytes));
        same(last, v, "leaf_hash");
        tips.insert(subject, (seq + 1, last));
        leaves.push(bytes);
    }
    let v = &entry(&index, "extents.bin").values;
    same(mth(&leaves), v, "opened");
    assert_eq!(leaves.len() as u64, v.number("size"));
}

#[test]
fn groups_and_notes() {
    let index = index("4-commit");
    let v = &entry(&index, "group.bin").values;
    let mut group = file("4-commit", "group.bin");
    let (hash, code) = (group[192..224].to_vec(), group[224..256].to_vec());
    group[192..256].fill(0);
    assert_eq!(hash, h(&group));
    same(&hash, v, "group_hash");
    assert_eq!(code, hmac(&v.bytes("journal_key"), &[&b"immutape/group/1"[..], &hash].concat()));
    same(code, v, "group_code");
    let segment = file("4-commit", "segment-first.bin");
    assert_eq!(segment[480..], h(&segment[..480]));
    assert_eq!(segment[120..152], h(v.text("origin").as_bytes()));
    for name in ["checkpoint-07.note", "checkpoint-whole.note", "checkpoint-empty.note"] {
        let v = &entry(&index, name).values;
        let text = String::from_utf8(v.bytes("opened")).unwrap();
        let note = by_hand::note(&text, v.text("origin"), v.bytes("checkpoint_seed")[0]);
        assert_eq!(note.as_bytes(), file("4-commit", name));
    }
}

#[test]
fn rows_of_the_log() {
    let index = index("store-embedded");
    let v = &entry(&index, "rows-summary.bin").values;
    let (sealed, opened) = (file("store-embedded", "rows-summary.bin"), v.bytes("opened"));
    let [.., row_key] = by_hand::tape_keys(&v.bytes("tape_secret"));
    same(&row_key, v, "row_key");
    let okm = by_hand::hkdf(&row_key, &sealed[..16], b"immutape/row/1", 44);
    assert_eq!(sealed[16..], by_hand::gcm(&okm[..32], &okm[32..], &v.bytes("custody"), &opened));
    let record = entry(&index, "rows-block-catalogue.bin").values.bytes("opened");
    assert!(record.ends_with(&cbor(&b(&sealed))));
    // One piece: count, type, length.
    let length = u32::try_from(record.len()).unwrap().to_be_bytes();
    assert_eq!(file("store-embedded", "rows-block-catalogue.bin"), [&[1, 1], &length[..], &record].concat());
    let tape = h(file("2-tape", "root-two-frames.cbor"));
    assert_eq!(file("store-embedded", "rows-node-tape-ids.bin"), [&[0], &tape[..6], &[0, 0, 0, 0, 0, 2]].concat());
    // The group stream: headers and records without what fills the extents up.
    let (mut left, mut stream) = (&file("4-commit", "extents.bin")[..], Vec::new());
    while !left.is_empty() {
        let said = 256 + usize::try_from(u64::from_be_bytes(left[48..56].try_into().unwrap())).unwrap();
        stream.extend_from_slice(&left[..said]);
        left = &left[said.next_multiple_of(512)..];
    }
    let pieces = entry(&index, "rows-block-log.bin").values.bytes("opened");
    assert!(pieces.len() > 3_000 && stream.starts_with(&pieces));
}

#[test]
fn the_vault() {
    let index = index("store-embedded");
    let v = &entry(&index, "vault-generation.bin").values;
    let generation = file("store-embedded", "vault-generation.bin");
    let body = generation.strip_prefix(b"immutape vault 1 2 3\n").unwrap();
    same(h(body), v, "body_digest");
    let (item, code) = body.split_at(body.len() - 32);
    let key = by_hand::hkdf(&v.bytes("vault_root"), &v.bytes("root_id"), b"immutape/vault-code/1", 32);
    assert_eq!(code, hmac(&key, item));
    // The keys that chapter 3 wraps stand in it as they are there.
    for name in ["epoch", "dedupe", "journal", "index"] {
        let wrapped = cbor(&b(file("3-seal", &format!("wrapped-{name}.bin"))));
        assert_eq!(item.windows(wrapped.len()).filter(|w| *w == wrapped).count(), 1, "{name}");
    }
    let (v, slots) = (&entry(&index, "vault-slots.bin").values, file("store-embedded", "vault-slots.bin"));
    assert_eq!(slots[..32], v.bytes("custody"));
    assert_eq!(slots[32..80], file("3-seal", "wrapped-tape.bin"));
    same(&slots[80..112], v, "dedupe_term");
    for number in [0u8, 2] {
        let slot = &slots[usize::from(number) * 144..][..144];
        let said = [&b"immutape/vault-slot/1"[..], &v.bytes("epoch_id"), &[0, 0, 0, number], &slot[..112]].concat();
        assert_eq!(slot[112..], h(said));
    }
}

/// 5.1 to 5.5: cosignatures, proofs, receipts, forks and pieces of a published tree, over the entries of chapter 4.
#[test]
fn what_leaves_the_house() {
    let index = index("5-proof");
    let v = &entry(&index, "receipt.cbor").values;
    let log: Vec<Vec<u8>> = index::read(&std::fs::read_to_string(folder().join("4-commit/index.toml")).unwrap())
        .accepts
        .iter()
        .filter(|a| a.file.starts_with("entry-"))
        .map(|a| file("4-commit", &a.file))
        .collect();
    let (origin, size) = (v.text("origin"), log.len());
    let note = |entries: &[Vec<u8>]| {
        let root = by_hand::base64(&mth(entries));
        let text = format!("{origin}\n{}\n{root}\n", entries.len());
        (by_hand::note(&text, origin, v.bytes("checkpoint_seed")[0]), text)
    };
    let cosigned = |(note, text): (String, String)| {
        let line = |n: u64| {
            let (name, seed) = (v.text(&format!("witness_{n}")), v.bytes(&format!("witness_{n}_seed"))[0]);
            by_hand::cosignature(&text, name, seed, v.number("cosigned_at") + n - 1)
        };
        format!("{note}{}{}", line(1), line(2))
    };
    let head = cosigned(note(&log));
    assert_eq!(head.as_bytes(), file("5-proof", "cosigned.note"));
    let lines = |path: Vec<[u8; 32]>| path.iter().map(|hash| by_hand::base64(hash) + "\n").collect::<String>();
    let path = by_hand::path(2, &log);
    let extra = by_hand::base64(&log[2]);
    let proof = format!("c2sp.org/tlog-proof@v1\nextra {extra}\nindex 2\n{}\n{head}", lines(path.clone()));
    assert_eq!(proof.as_bytes(), file("5-proof", "entry.tlog-proof"));
    let kid = h([&hex::decode("a301012006215820").unwrap()[..], &v.bytes("issuer_key")].concat());
    let claims = Value::Map(vec![(n(1), t(origin)), (n(2), t(v.text("custody")))]);
    let minus_8 = Value::Integer((-8).into());
    let protected = cbor(&Value::Map(vec![(n(1), minus_8), (n(4), b(kid)), (n(15), claims), (n(395), n(1))]));
    let hashes = cbor(&list([n(size as u64), n(2), list(path.into_iter().map(b))]));
    let sort = Value::Map(vec![(Value::Integer((-1).into()), list([b(hashes)]))]);
    let signature = by_hand::sign1(&protected, &mth(&log), v.bytes("issuer_seed")[0]);
    let parts =
        list([b(&protected), Value::Map(vec![(n(396), sort)]), Value::Null, b(&signature[signature.len() - 64..])]);
    assert_eq!(cbor(&Value::Tag(18, Box::new(parts))), file("5-proof", "receipt.cbor"));
    let mut other = log[..9].to_vec();
    other[7] = b"another history".to_vec();
    let root = by_hand::base64(&mth(&log[..9]));
    let way = lines(by_hand::consistency(9, &log));
    let fork = format!("immutape/fork/1\nroot {root}\n{way}\n{}\n{head}", note(&other).0);
    assert_eq!(fork.as_bytes(), file("5-proof", "fork.txt"));
    let request = format!("old 7\n{}\n{}", lines(by_hand::consistency(7, &log)), note(&log).0);
    assert_eq!(request.as_bytes(), file("5-proof", "request.txt"));
    let tile: Vec<u8> = log.iter().flat_map(|entry| mth(std::slice::from_ref(entry))).collect();
    assert_eq!(tile, file("5-proof", "tile.bin"));
    let bundle: Vec<u8> = log.iter().flat_map(|e| [&(e.len() as u16).to_be_bytes()[..], e].concat()).collect();
    assert_eq!(bundle, file("5-proof", "bundle.bin"));
}

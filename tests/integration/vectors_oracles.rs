//! Other people's code as judges: a Merkle tree, a COSE library, a CBOR library, and the definitions themselves.

use std::collections::HashMap;

use coset::TaggedCborSerializable as _;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof};
use immutape::codec::cbor::{self, CborError};
use immutape::codec::digest::{LeafHash, RootHash};
use immutape::log::{Frontier, LogError, consistency_path, inclusion_path, leaf_hash, root_of, set_commitment};
use immutape::proof::{verify_consistency, verify_inclusion};
use immutape::seal::{PublicKey, SealError, Statement};
use proptest::prelude::*;

use crate::golden_make::by_hand;
use crate::golden_make::inputs::{PERSON_SEED, RECORDER_SEED, public_key, signer};
use crate::golden_make::made_seal::{claims, person_statement};

fn data(n: usize) -> Vec<Vec<u8>> {
    (0..n).map(|i| format!("leaf {i}").into_bytes()).collect()
}

fn leaves(data: &[Vec<u8>]) -> Vec<LeafHash> {
    data.iter().map(|d| leaf_hash(d)).collect()
}

/// Roots of subtrees, as the paths ask for them; each asked range must be one the tree has.
fn subtree(all: &[LeafHash]) -> impl FnMut(u64, u64) -> Option<[u8; 32]> {
    move |first, count| {
        let range = usize::try_from(first).unwrap()..usize::try_from(first + count).unwrap();
        let part = all.get(range)?;
        assert!(count.is_power_of_two() || first + count == all.len() as u64, "{first}+{count} of {}", all.len());
        Some(*root_of(part).as_bytes())
    }
}

#[test]
fn roots_and_proofs_as_ct_merkle_makes_them() {
    let all = data(70);
    let mut theirs = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
    for size in 0..=70usize {
        if size > 0 {
            theirs.push(all[size - 1].clone());
        }
        let ours = leaves(&all[..size]);
        assert_eq!(root_of(&ours).as_ref(), theirs.root().as_bytes().as_slice(), "size {size}");
        for index in 0..size {
            let path = inclusion_path(index as u64, size as u64, &mut subtree(&ours)).unwrap();
            assert_eq!(path.concat(), theirs.prove_inclusion(index).as_bytes(), "{index} of {size}");
        }
        for old in 1..=size {
            let path = consistency_path(old as u64, size as u64, &mut subtree(&ours)).unwrap();
            assert_eq!(path.concat(), theirs.prove_consistency(size - old).as_bytes(), "{old} to {size}");
        }
    }
}

/// A path with each hash changed, left out, doubled, and with one more.
fn altered(path: &[[u8; 32]]) -> Vec<Vec<[u8; 32]>> {
    let mut all = vec![[path, &[[0; 32]]].concat()];
    for at in 0..path.len() {
        let (mut changed, mut fewer, mut more) = (path.to_vec(), path.to_vec(), path.to_vec());
        changed[at][at % 32] ^= 1;
        fewer.remove(at);
        more.insert(at, path[at]);
        all.extend([changed, fewer, more]);
    }
    all
}

#[test]
fn ct_merkle_takes_our_proofs_and_refuses_every_altered_one() {
    type Tree = MemoryBackedTree<sha2::Sha256, Vec<u8>>;
    let (all, mut theirs, mut roots) = (data(33), Tree::new(), vec![Tree::new().root()]);
    let mut refused = 0;
    for size in 1..=33usize {
        theirs.push(all[size - 1].clone());
        let (root, ours) = (theirs.root(), leaves(&all[..size]));
        let inclusion = |index: u64, leaf: &Vec<u8>, path: &[[u8; 32]]| {
            let proof = InclusionProof::try_from_bytes(path.concat()).unwrap();
            let ours = verify_inclusion(&leaf_hash(leaf), index, size as u64, path, &root_of(&ours)).is_ok();
            (root.verify_inclusion(leaf, index, &proof).is_ok(), ours)
        };
        for index in 0..size as u64 {
            let path = inclusion_path(index, size as u64, &mut subtree(&ours)).unwrap();
            let leaf = &all[usize::try_from(index).unwrap()];
            assert_eq!(inclusion(index, leaf, &path), (true, true), "{index} of {size}");
            let bad = altered(&path).into_iter().map(|path| inclusion(index, leaf, &path));
            let elsewhere = [inclusion(index + 1, leaf, &path), inclusion(index, &b"other".to_vec(), &path)];
            for verdicts in bad.chain(elsewhere) {
                assert_eq!(verdicts, (false, false), "{index} of {size}");
                refused += 1;
            }
        }
        let consistency = |old: usize, old_root: &ct_merkle::RootHash<sha2::Sha256>, path: &[[u8; 32]]| {
            let proof = ConsistencyProof::try_from_bytes(path.concat()).unwrap();
            let their_root = RootHash::from_slice(old_root.as_bytes()).unwrap();
            let ours = verify_consistency(old as u64, size as u64, path, &their_root, &root_of(&ours)).is_ok();
            (root.verify_consistency(old_root, &proof).is_ok(), ours)
        };
        roots.push(root.clone());
        for (old, old_root) in roots.iter().enumerate().skip(1) {
            let path = consistency_path(old as u64, size as u64, &mut subtree(&ours)).unwrap();
            assert_eq!(consistency(old, old_root, &path), (true, true), "{old} to {size}");
            let other = ct_merkle::RootHash::new([7; 32].into(), old as u64);
            let bad = altered(&path).into_iter().map(|path| consistency(old, old_root, &path));
            for verdicts in bad.chain([consistency(old, &other, &path)]) {
                assert_eq!(verdicts, (false, false), "{old} to {size}");
                refused += 1;
            }
        }
    }
    assert!(refused > 10_000, "{refused}");
}

#[test]
fn every_inclusion_up_to_64_verifies_and_nothing_else() {
    let all = leaves(&data(64));
    for size in 1..=64u64 {
        let ours = &all[..usize::try_from(size).unwrap()];
        let root = root_of(ours);
        for index in 0..size {
            let path = inclusion_path(index, size, &mut subtree(ours)).unwrap();
            let leaf = &ours[usize::try_from(index).unwrap()];
            assert_eq!(verify_inclusion(leaf, index, size, &path, &root), Ok(()));
            let wrong = |leaf: &LeafHash, index, size, path: &[[u8; 32]], root: &RootHash| {
                assert_eq!(verify_inclusion(leaf, index, size, path, root), Err(LogError::Proof), "{index} {size}");
            };
            if size > 1 {
                wrong(leaf, (index + 1) % size, size, &path, &root);
            }
            wrong(leaf, size, size, &path, &root);
            wrong(&leaf_hash(b"other"), index, size, &path, &root);
            wrong(leaf, index, size, &[&path[..], &[[0; 32]]].concat(), &root);
            wrong(leaf, index, size, &path, &root_of(&[]));
            if let Some((_, shorter)) = path.split_last() {
                wrong(leaf, index, size, shorter, &root);
            }
        }
        assert_eq!(inclusion_path(size, size, &mut subtree(ours)), None);
    }
}

#[test]
fn every_consistency_up_to_64_verifies_and_nothing_else() {
    let all = leaves(&data(64));
    let roots: Vec<_> = (0..=64).map(|n| root_of(&all[..n])).collect();
    for new in 0..=64u64 {
        let ours = &all[..usize::try_from(new).unwrap()];
        let new_root = &roots[ours.len()];
        for old in 0..=new {
            let old_root = &roots[usize::try_from(old).unwrap()];
            let path = consistency_path(old, new, &mut subtree(ours)).unwrap();
            assert_eq!(verify_consistency(old, new, &path, old_root, new_root), Ok(()), "{old} {new}");
            let wrong = |old, new, path: &[[u8; 32]], a: &RootHash, b: &RootHash| {
                assert_eq!(verify_consistency(old, new, path, a, b), Err(LogError::Proof), "{old} {new}");
            };
            wrong(old, new, &[&path[..], &[[0; 32]]].concat(), old_root, new_root);
            if old > 0 {
                let other = root_of(&[leaf_hash(b"other")]);
                wrong(old, new, &path, &other, new_root);
                wrong(old, new, &path, old_root, &other);
            }
            if let Some((_, shorter)) = path.split_last() {
                wrong(old, new, shorter, old_root, new_root);
            }
            if old < new {
                wrong(new, old, &path, old_root, new_root);
                assert_eq!(consistency_path(new, old, &mut subtree(ours)), None);
            }
        }
    }
}

#[test]
fn a_subtree_that_is_missing_gives_no_path() {
    assert_eq!(inclusion_path(2, 5, &mut |_, _| None), None);
    assert_eq!(consistency_path(2, 5, &mut |_, _| None), None);
    assert_eq!(Frontier::from_parts(5, vec![[0; 32]]), None, "five leaves have two subtrees");
    assert!(Frontier::from_parts(5, vec![[0; 32]; 2]).is_some());
}

/// Any item of the profile, as ciborium has it.
fn profile() -> impl Strategy<Value = ciborium::Value> {
    use ciborium::Value;
    let leaf = prop_oneof![
        any::<u64>().prop_map(|n| Value::Integer(n.into())),
        any::<i64>().prop_map(|n| Value::Integer(n.into())),
        proptest::collection::vec(any::<u8>(), 0..30).prop_map(Value::Bytes),
        "\\PC{0,10}".prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        let key = prop_oneof![any::<i64>().prop_map(|n| Value::Integer(n.into())), "\\PC{0,3}".prop_map(Value::Text)];
        let pairs = proptest::collection::vec((key, inner.clone()), 0..6).prop_map(|mut pairs| {
            pairs.sort_by_key(|(k, _)| by_hand::cbor(k));
            pairs.dedup_by_key(|(k, _)| by_hand::cbor(k));
            Value::Map(pairs)
        });
        prop_oneof![proptest::collection::vec(inner, 0..6).prop_map(Value::Array), pairs]
    })
}

proptest! {
    #[test]
    fn items_that_ciborium_writes_in_order_are_taken(value in profile()) {
        let bytes = by_hand::cbor(&value);
        prop_assert_eq!(cbor::value(&bytes), Ok(value.clone()));
        if let ciborium::Value::Map(mut pairs) = value && pairs.len() > 1 {
            pairs.swap(0, 1);
            let swapped = by_hand::cbor(&ciborium::Value::Map(pairs.clone()));
            prop_assert_eq!(cbor::check(&swapped), Err(CborError::KeyOrder));
            pairs[1] = pairs[0].clone();
            let twice = by_hand::cbor(&ciborium::Value::Map(pairs));
            prop_assert_eq!(cbor::check(&twice), Err(CborError::DuplicateKey));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_frontier_is_the_definition(contents in proptest::collection::vec(any::<[u8; 3]>(), 0..600)) {
        let contents: Vec<Vec<u8>> = contents.into_iter().map(Vec::from).collect();
        let mut frontier = Frontier::new();
        contents.iter().for_each(|c| frontier.push(&leaf_hash(c)));
        prop_assert_eq!(frontier.size(), contents.len() as u64);
        let root = frontier.root();
        prop_assert_eq!(root.as_bytes(), &by_hand::mth(&contents));
        let again = Frontier::from_parts(frontier.size(), frontier.subtrees().to_vec());
        prop_assert_eq!(again, Some(frontier));
    }

    #[test]
    fn a_set_has_one_commitment_in_any_order(salt: [u8; 32], ids in proptest::collection::hash_set(any::<[u8; 32]>(), 0..20)) {
        let ids: Vec<_> = ids.into_iter().map(immutape::codec::digest::CustodyId::from_bytes).collect();
        let (mut one, mut two) = (ids.clone(), ids);
        two.reverse();
        prop_assert_eq!(set_commitment(&salt, &mut one), set_commitment(&salt, &mut two));
        prop_assert!(one.is_sorted_by_key(|id| *id.as_bytes()));
        let leaf = |id: &immutape::codec::digest::CustodyId| {
            let own = by_hand::ld("immutape/set/1/salt", [by_hand::b(salt), by_hand::b(id.as_bytes())]);
            by_hand::ld("immutape/set/1", [by_hand::b(own), by_hand::b(id.as_bytes())]).to_vec()
        };
        let leaves: Vec<Vec<u8>> = one.iter().map(leaf).collect();
        let root = set_commitment(&salt, &mut one);
        prop_assert_eq!(root.as_bytes(), &by_hand::mth(&leaves));
    }

    /// What our reader takes, ciborium reads as the same and writes as the same; what ciborium cannot read, we refuse.
    #[test]
    fn ciborium_agrees_on_items(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
        match cbor::check(&bytes) {
            Ok(()) => prop_assert_eq!(by_hand::cbor(&cbor::value(&bytes).unwrap()), bytes.clone()),
            Err(_) => prop_assert!(cbor::value(&bytes).is_err()),
        }
        if ciborium::from_reader::<ciborium::Value, _>(&bytes[..]).is_err() {
            prop_assert!(cbor::check(&bytes).is_err());
        }
    }
}

#[test]
fn coset_reads_our_statements() {
    let claims = claims();
    let bytes = Statement::sign(&claims, &signer(RECORDER_SEED));
    let theirs = coset::CoseSign1::from_tagged_slice(&bytes).unwrap();
    assert_eq!(theirs.payload.as_deref(), Some(claims.tape.as_ref()));
    assert!(theirs.unprotected.is_empty());
    let header = &theirs.protected.header;
    assert_eq!(header.alg, Some(coset::Algorithm::Assigned(coset::iana::Algorithm::EdDSA)));
    let key = PublicKey::from_bytes(&public_key(RECORDER_SEED)).unwrap();
    assert_eq!(header.key_id, key.thumbprint().as_bytes());
    let rest: HashMap<_, _> = header.rest.iter().map(|(k, v)| (format!("{k:?}"), v)).collect();
    assert_eq!(rest.len(), 6);
    assert_eq!(rest["Int(258)"].as_integer(), Some((-16).into()));
    assert_eq!(rest["Text(\"custody\")"].as_bytes().map(Vec::as_slice), Some(claims.custody.as_ref()));
    // Their Sig_structure is what our signature covers.
    theirs.verify_signature(b"", |signature, message| key.verify(message, signature.try_into().unwrap())).unwrap();
    let wrong = theirs.verify_signature(b"aad", |s, message| key.verify(message, s.try_into().unwrap()));
    assert_eq!(wrong, Err(SealError::Signature));
    assert_eq!(theirs.to_tagged_vec().unwrap(), bytes, "and they write the same bytes");
}

#[test]
fn coset_reads_personal_statements() {
    for range in [None, Some((0, 1))] {
        let bytes = person_statement(range).sign(&signer(PERSON_SEED));
        let theirs = coset::CoseSign1::from_tagged_slice(&bytes).unwrap();
        let key = PublicKey::from_bytes(&public_key(PERSON_SEED)).unwrap();
        theirs.verify_signature(b"", |signature, message| key.verify(message, signature.try_into().unwrap())).unwrap();
        assert_eq!(theirs.to_tagged_vec().unwrap(), bytes);
    }
}

#[test]
fn a_statement_that_coset_makes_is_read() {
    let claims = claims();
    let ours = Statement::sign(&claims, &signer(RECORDER_SEED));
    let parsed = coset::CoseSign1::from_tagged_slice(&ours).unwrap();
    let made = coset::CoseSign1Builder::new()
        .protected(parsed.protected.header)
        .payload(claims.tape.as_ref().to_vec())
        .create_signature(b"", |message| {
            use immutape::seal::Signer as _;
            signer(RECORDER_SEED).sign(message).to_vec()
        })
        .build();
    let statement = Statement::decode(&made.to_tagged_vec().unwrap()).unwrap();
    assert_eq!(statement.claims(), &claims);
    assert_eq!(statement.verify(&PublicKey::from_bytes(&public_key(RECORDER_SEED)).unwrap()), Ok(()));
}

//! Refused files of chapter 5: receipts, and the pieces of a published tree.

use ciborium::Value;

use super::by_hand::{b, cbor, h, list, n, t};
use super::inputs::{CUSTODY, ISSUER_SEED, ORIGIN, PERSON_SEED, public_key};
use super::kit::{Accept, Refuse, Reject, append, flip};
use super::made_commit::checkpoint_of;
use super::made_log::GoldenLog;
use super::made_proof::{INDEX, proof};

pub fn rejects(accepts: &[Accept], log: &GoldenLog) -> Vec<Reject> {
    let mut r = Refuse::new(accepts);
    receipts(&mut r, log);
    paths(&mut r, log);
    pieces(&mut r, log);
    r.out
}

/// What a receipt is made of, for receipts with one part changed.
#[derive(Clone)]
pub struct Parts {
    pub alg: i64,
    pub more: Vec<(Value, Value)>,
    pub tree: u64,
    pub claims: Vec<(Value, Value)>,
    pub size: u64,
    pub index: u64,
    pub path: Vec<Vec<u8>>,
    pub payload: Value,
    pub root: Vec<u8>,
    pub seed: u8,
    pub kid: Vec<u8>,
}

impl Parts {
    pub fn of(log: &GoldenLog) -> Self {
        let size = log.entries.len();
        Self {
            alg: -8,
            more: Vec::new(),
            tree: 1,
            claims: vec![(n(1), t(ORIGIN)), (n(2), t(&CUSTODY.to_hex()))],
            size: size as u64,
            index: INDEX,
            path: proof(log).path.iter().map(|hash| hash.to_vec()).collect(),
            payload: Value::Null,
            root: checkpoint_of(log, size).root.as_ref().to_vec(),
            seed: ISSUER_SEED,
            // 3.4: the thumbprint of a key.
            kid: h([&hex::decode("a301012006215820").unwrap()[..], &public_key(ISSUER_SEED)].concat()).to_vec(),
        }
    }

    pub fn protected(&self) -> Value {
        let mut pairs = vec![
            (n(1), Value::Integer(self.alg.into())),
            (n(4), b(&self.kid)),
            (n(15), Value::Map(self.claims.clone())),
            (n(395), n(self.tree)),
        ];
        pairs.extend(self.more.clone());
        Value::Map(pairs)
    }

    pub fn proof(&self) -> Value {
        b(cbor(&list([n(self.size), n(self.index), list(self.path.iter().map(b))])))
    }

    pub fn signed(&self) -> Vec<u8> {
        let proofs = Value::Map(vec![(n(396), Value::Map(vec![(Value::Integer((-1).into()), list([self.proof()]))]))]);
        self.signed_with(proofs)
    }

    /// With another unprotected header.
    pub fn signed_with(&self, unprotected: Value) -> Vec<u8> {
        use ed25519_dalek::Signer as _;
        let protected = cbor(&self.protected());
        let message = cbor(&list([t("Signature1"), b(&protected), b(b""), b(&self.root)]));
        let signature = ed25519_dalek::SigningKey::from_bytes(&[self.seed; 32]).sign(&message).to_bytes();
        cbor(&Value::Tag(18, Box::new(list([b(&protected), unprotected, self.payload.clone(), b(signature)]))))
    }
}

fn receipts(r: &mut Refuse<'_>, log: &GoldenLog) {
    let from = "receipt.cbor";
    let (good, bytes) = (Parts::of(log), r.base(from).to_vec());
    assert_eq!(good.signed(), bytes, "the parts are those of the receipt");
    let mut put = |file: &str, error: &str, what: &str, parts: Parts| {
        let error = format!("ProofError::{error}");
        r.put_refreshed(&format!("receipt-{file}.cbor"), from, &error, what, &["signature"], parts.signed());
    };
    let p = || good.clone();
    put("alg-es256", "Receipt(\"algorithm\")", "algorithm -7", Parts { alg: -7, ..p() });
    put("tree-2", "Receipt(\"kind of tree\")", "another kind of tree", Parts { tree: 2, ..p() });
    put(
        "protected-key",
        "Cbor(UnknownKey)",
        "a key more in the protected header",
        Parts { more: vec![(n(400), n(1))], ..p() },
    );
    let more = [good.claims.clone(), vec![(n(6), n(1))]].concat();
    put("claim-6", "Cbor(UnknownKey)", "a claim more", Parts { claims: more, ..p() });
    put("no-subject", "Cbor(MissingKey)", "no subject", Parts { claims: good.claims[..1].to_vec(), ..p() });
    let turned = vec![good.claims[1].clone(), good.claims[0].clone()];
    put("claim-order", "Cbor(KeyOrder)", "claims out of order", Parts { claims: turned, ..p() });
    put("kid-31", "Cbor(Length)", "a thumbprint of 31 bytes", Parts { kid: good.kid[..31].to_vec(), ..p() });
    put("payload", "Receipt(\"payload than none\")", "the root as payload", Parts { payload: b(&good.root), ..p() });
    put("other-signer", "Seal(Signature)", "signed with another key", Parts { seed: PERSON_SEED, ..p() });
    let other = h([&hex::decode("a301012006215820").unwrap()[..], &public_key(PERSON_SEED)].concat()).to_vec();
    put("other-kid", "Receipt(\"key\")", "of another key", Parts { seed: PERSON_SEED, kid: other, ..p() });
    put("other-root", "Seal(Signature)", "a signature over another root", Parts { root: vec![7; 32], ..p() });
    let mut put = |file: &str, error: &str, what: &str, bytes: Vec<u8>| {
        r.put(&format!("receipt-{file}.cbor"), from, &format!("ProofError::{error}"), what, bytes);
    };
    put("signature", "Seal(Signature)", "a bit of the signature", flip(&bytes, -1));
    put("trailing", "Cbor(Trailing)", "a byte more", append(&bytes, &[0]));
    put("cut", "Cbor(Truncated)", "a byte less", bytes[..bytes.len() - 1].to_vec());
    put("untagged", "Cbor(Type)", "no tag", bytes[1..].to_vec());
    let proof = || list([good.proof()]);
    let of = |pairs: Vec<(Value, Value)>| good.signed_with(Value::Map(pairs));
    let minus = |n: i64| Value::Integer((-n).into());
    put("no-proof", "Cbor(MissingKey)", "no proof", of(vec![]));
    put(
        "unprotected",
        "Cbor(UnknownKey)",
        "another unprotected key",
        of(vec![(n(397), Value::Map(vec![(minus(1), proof())]))]),
    );
    put(
        "consistency",
        "Cbor(UnknownKey)",
        "a proof of another sort",
        of(vec![(n(396), Value::Map(vec![(minus(2), proof())]))]),
    );
    let two = list([good.proof(), good.proof()]);
    put("two-proofs", "Cbor(Length)", "two proofs", of(vec![(n(396), Value::Map(vec![(minus(1), two)]))]));
}

fn paths(r: &mut Refuse<'_>, log: &GoldenLog) {
    let (from, good) = ("receipt.cbor", Parts::of(log));
    let mut put = |file: &str, error: &str, what: &str, parts: Parts| {
        r.put(&format!("receipt-{file}.cbor"), from, &format!("ProofError::{error}"), what, parts.signed());
    };
    let p = || good.clone();
    let (count, zero) = (good.path.len(), vec![0; 32]);
    let to = |length: usize| {
        let mut path = good.path.clone();
        path.resize(length, zero.clone());
        path
    };
    put("surplus-hash", "Log(Proof)", "a hash too many", Parts { path: to(count + 1), ..p() });
    put("missing-hash", "Log(Proof)", "the last hash is missing", Parts { path: to(count - 1), ..p() });
    let mut altered = good.path.clone();
    altered[0][0] ^= 1;
    put("other-hash", "Seal(Signature)", "a bit of a hash", Parts { path: altered, ..p() });
    let number = "Receipt(\"number of hashes than 1 to 63\")";
    put("no-hashes", number, "no hashes", Parts { path: to(0), ..p() });
    put("64-hashes", number, "64 hashes", Parts { path: to(64), ..p() });
    let mut short = good.path.clone();
    short[0].truncate(31);
    put("hash-31", "Cbor(Length)", "a hash of 31 bytes", Parts { path: short, ..p() });
    put("size-0", "Log(Proof)", "size 0", Parts { size: 0, ..p() });
    put("size-4", "Log(Proof)", "a size whose paths are shorter", Parts { size: 4, ..p() });
    put("index-3", "Seal(Signature)", "another index", Parts { index: 3, ..p() });
    put("index-29", "Log(Proof)", "an index past the end", Parts { index: 29, ..p() });
}

fn pieces(r: &mut Refuse<'_>, log: &GoldenLog) {
    let tile = r.base("tile.bin").to_vec();
    let mut put = |file: &str, error: &str, what: &str, bytes: Vec<u8>| {
        r.put(&format!("tile-{file}.bin"), "tile.bin", &format!("Tile: {error}"), what, bytes);
    };
    let length = "another length than its path says";
    put("hash-less", length, "a hash less", tile[..tile.len() - 32].to_vec());
    put("hash-more", length, "a hash more", append(&tile, &[0; 32]));
    put("cut", length, "a byte less", tile[..tile.len() - 1].to_vec());
    let root = "another root than the checkpoint's";
    put("bit", root, "a bit of a hash", flip(&tile, 40));
    put("swapped", root, "two hashes swapped", [&tile[32..64], &tile[..32], &tile[64..]].concat());
    let bundle = r.base("bundle.bin").to_vec();
    let of = |n: usize| 2 + log.entries[n].public.len();
    let (first, last) = (of(0), bundle.len() - of(log.entries.len() - 1));
    let mut put = |file: &str, error: &str, what: &str, bytes: Vec<u8>| {
        r.put(&format!("bundle-{file}.bin"), "bundle.bin", &format!("Bundle: {error}"), what, bytes);
    };
    let place = "an entry that is not in its place";
    put("entry-less", "fewer entries than hashes", "the last entry is missing", bundle[..last].to_vec());
    put("entry-twice", "more entries than hashes", "the last entry twice", append(&bundle, &bundle[last..]));
    put("swapped", place, "the first two entries swapped", {
        [&bundle[first..first + of(1)], &bundle[..first], &bundle[first + of(1)..]].concat()
    });
    put("bit", place, "a bit of the last entry", flip(&bundle, -1));
    put("cut", "an entry is cut off", "a byte less", bundle[..bundle.len() - 1].to_vec());
    let mut shorter = bundle.clone();
    shorter[last..last + 2].copy_from_slice(&u16::try_from(bundle.len() - last - 3).unwrap().to_be_bytes());
    put("length", place, "a length of one byte less", shorter);
    put("byte-more", "a length is cut off", "a byte more", append(&bundle, &[0]));
}

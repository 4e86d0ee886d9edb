//! SHA-256 and SHA-384 with their HMAC, as rustls takes them (RFC 8446 4.4.1 and 7.1, RFC 2104).

use std::marker::PhantomData;

use hmac::digest::common::{BlockSizeUser, Key as BlockKey};
use hmac::digest::{Digest, FixedOutput};
use hmac::{KeyInit as _, Mac as _, SimpleHmac};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::hmac::{Hmac, Key, Tag};
use sha2::{Sha256, Sha384};
use zeroize::Zeroize as _;

pub(super) static SHA256: Hashing<Sha256> = Hashing { algorithm: HashAlgorithm::SHA256, function: PhantomData };
pub(super) static SHA384: Hashing<Sha384> = Hashing { algorithm: HashAlgorithm::SHA384, function: PhantomData };

/// A hash function with its number in the protocol.
pub(super) struct Hashing<D> {
    algorithm: HashAlgorithm,
    function: PhantomData<fn() -> D>,
}

/// What a function must be able to do for both uses.
pub(super) trait Function: Digest + FixedOutput + BlockSizeUser + Clone + Send + Sync + 'static {}

impl<D: Digest + FixedOutput + BlockSizeUser + Clone + Send + Sync + 'static> Function for D {}

impl<D: Function> Hash for Hashing<D> {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Running(D::new()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        Output::new(&D::digest(data))
    }

    fn output_len(&self) -> usize {
        <D as Digest>::output_size()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }
}

/// A digest of what has passed so far.
struct Running<D>(D);

impl<D: Function> Context for Running<D> {
    fn fork_finish(&self) -> Output {
        Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

impl<D: Function> Hmac for Hashing<D> {
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        Box::new(Keyed(keyed::<D>(key)))
    }

    fn hash_output_len(&self) -> usize {
        <D as Digest>::output_size()
    }
}

/// RFC 2104 2: a key longer than a block is hashed, a shorter one is followed by zeros. Made by hand, because the
/// constructor that takes any slice returns an error that cannot occur and that nobody here could pass on.
fn keyed<D: Function>(key: &[u8]) -> SimpleHmac<D> {
    let mut block = BlockKey::<SimpleHmac<D>>::default();
    if key.len() > block.len() {
        block.iter_mut().zip(D::digest(key)).for_each(|(to, from)| *to = from);
    } else {
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    }
    let mac = SimpleHmac::new(&block);
    block.as_mut_slice().zeroize();
    mac
}

/// A code under a key.
struct Keyed<D: Digest + BlockSizeUser>(SimpleHmac<D>);

impl<D: Function> Key for Keyed<D> {
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let mut mac = self.0.clone();
        mac.update(first);
        middle.iter().for_each(|part| mac.update(part));
        mac.update(last);
        Tag::new(&mac.finalize().into_bytes())
    }

    fn tag_len(&self) -> usize {
        <D as Digest>::output_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4's "abc", through each way that a digest can be taken.
    #[test]
    fn digests_are_those_of_the_standard() {
        let wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let mut running = SHA256.start();
        running.update(b"a");
        let mut fork = running.fork();
        fork.update(b"bc");
        assert_eq!(hex::encode(fork.fork_finish()), wanted);
        assert_eq!(hex::encode(fork.finish()), wanted);
        assert_eq!(hex::encode(SHA256.hash(b"abc")), wanted);
        running.update(b"b");
        assert_ne!(hex::encode(running.finish()), wanted);
        assert!(hex::encode(SHA384.hash(b"abc")).starts_with("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"));
        assert_eq!((Hash::output_len(&SHA256), Hash::output_len(&SHA384)), (32, 48));
    }

    /// RFC 4231 cases 2 (a short key) and 6 (one longer than a block), in parts.
    #[test]
    fn codes_are_those_of_rfc_4231() {
        let short = SHA256.with_key(b"Jefe").sign_concat(b"what do ya ", &[b"want ", b"for "], b"nothing?");
        assert_eq!(hex::encode(short), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let code = hex::encode(SHA384.with_key(&[0xaa; 131]).sign(&[long]));
        let wanted = "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952";
        assert_eq!(code, wanted);
        assert_eq!(SHA384.with_key(b"").tag_len(), 48);
    }
}

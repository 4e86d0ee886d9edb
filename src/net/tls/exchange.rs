//! Key exchange: X25519 (RFC 7748) first, P-256 for servers that know only what RFC 8446 9.1 demands.

use p256::elliptic_curve::sec1::ToSec1Point as _;
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SecureRandom as _, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved};
use subtle::ConstantTimeEq as _;
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};
use zeroize::Zeroizing;

use super::random::SystemRandom;

/// Draws before the generator is taken for broken: one in 2^32 is no number of P-256.
const DRAWS_MAX: usize = 4;

#[derive(Debug)]
pub(super) struct X25519;

#[derive(Debug)]
pub(super) struct P256;

fn draw() -> Result<Zeroizing<[u8; 32]>, GetRandomFailed> {
    let mut secret = Zeroizing::new([0; 32]);
    SystemRandom.fill(secret.as_mut())?;
    Ok(secret)
}

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = draw()?;
        let public = x25519(*secret, X25519_BASEPOINT_BYTES);
        Ok(Box::new(StartedX25519 { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct StartedX25519 {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl ActiveKeyExchange for StartedX25519 {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, Error> {
        let theirs = theirs.try_into().map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let shared = Zeroizing::new(x25519(*self.secret, theirs));
        // RFC 8446 7.4.2: a point of small order makes a secret that everybody knows.
        if bool::from(shared.ct_eq(&[0; 32])) {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        Ok(SharedSecret::from(shared.as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl SupportedKxGroup for P256 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        for _ in 0..DRAWS_MAX {
            if let Ok(secret) = p256::SecretKey::from_slice(draw()?.as_slice()) {
                let public = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
                return Ok(Box::new(StartedP256 { secret, public }));
            }
        }
        Err(GetRandomFailed.into())
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

struct StartedP256 {
    secret: p256::SecretKey,
    public: Vec<u8>,
}

impl ActiveKeyExchange for StartedP256 {
    fn complete(self: Box<Self>, theirs: &[u8]) -> Result<SharedSecret, Error> {
        // RFC 8446 4.2.8.2: the uncompressed form alone.
        if theirs.first() != Some(&4) {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        // Reading it checks that the point is on the curve, and not its zero.
        let theirs = p256::PublicKey::from_sec1_bytes(theirs).map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        Ok(SharedSecret::from(self.secret.diffie_hellman(&theirs).raw_secret_bytes().as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: [&dyn SupportedKxGroup; 2] = [&X25519, &P256];

    #[test]
    fn both_sides_come_to_the_same_secret() {
        for group in GROUPS {
            let (ours, theirs) = (group.start().unwrap(), group.start().unwrap());
            assert_ne!(ours.pub_key(), theirs.pub_key(), "{group:?} drew the same twice");
            assert_eq!((ours.group(), theirs.group()), (group.name(), group.name()));
            let (a, b) = (ours.pub_key().to_vec(), theirs.pub_key().to_vec());
            let (one, other) = (ours.complete(&b).unwrap(), theirs.complete(&a).unwrap());
            assert_eq!(one.secret_bytes(), other.secret_bytes());
            assert_eq!(one.secret_bytes().len(), 32);
        }
    }

    /// RFC 7748 6.1: Bob's private half with Alice's public one.
    #[test]
    fn x25519_is_that_of_the_standard() {
        let bytes = |text: &str| <[u8; 32]>::try_from(hex::decode(text).unwrap()).unwrap();
        let secret = Zeroizing::new(bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
        let public = x25519(*secret, X25519_BASEPOINT_BYTES);
        assert_eq!(public, bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
        let theirs = bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let shared = Box::new(StartedX25519 { secret, public }).complete(&theirs).unwrap();
        let wanted = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
        assert_eq!(hex::encode(shared.secret_bytes()), wanted);
    }

    #[test]
    fn shares_that_are_no_points_are_refused() {
        let mut on_no_curve = P256.start().unwrap().pub_key().to_vec();
        on_no_curve[64] ^= 1;
        let mut compressed = P256.start().unwrap().pub_key()[..33].to_vec();
        compressed[0] = 2 + (P256.start().unwrap().pub_key()[64] & 1);
        let mut one = vec![0; 32];
        one[0] = 1;
        let bad: [(&dyn SupportedKxGroup, Vec<u8>); 7] = [
            (&X25519, vec![0; 32]),
            (&X25519, one),
            (&X25519, vec![9; 31]),
            (&X25519, vec![9; 33]),
            (&P256, vec![0]),
            (&P256, on_no_curve),
            (&P256, compressed),
        ];
        for (group, share) in bad {
            let refused = group.start().unwrap().complete(&share).map(|_| ()).unwrap_err();
            assert_eq!(refused, Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare), "{group:?} {share:?}");
        }
    }
}

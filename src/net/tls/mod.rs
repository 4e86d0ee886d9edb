//! TLS 1.3 (RFC 8446) for the client: rustls does the protocol, the cryptography is that of the rest of this crate.
//!
//! What is offered is what RFC 8446 9.1 asks of everybody, and nothing older: AES-GCM, X25519 and P-256, certificates
//! signed by ECDSA, RSA or Ed25519. TLS 1.2 is not spoken. There is no key of our own in it: no client certificates.

mod exchange;
mod hashes;
mod random;
mod roots;
mod signatures;
mod suites;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, KeyProvider};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use ureq::tls::{TlsConfig, TlsProvider};

use super::NetError;

/// The configuration of a client that trusts Mozilla's roots and `extra_roots_pem`.
pub(super) fn configuration(extra_roots_pem: Option<&[u8]>) -> Result<TlsConfig, NetError> {
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(roots::trusted(extra_roots_pem)?)
        .unversioned_rustls_crypto_provider(Arc::new(provider()))
        .build())
}

/// Everything that rustls asks of cryptography.
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: suites::ALL.to_vec(),
        kx_groups: vec![&exchange::X25519, &exchange::P256],
        signature_verification_algorithms: signatures::ALGORITHMS,
        secure_random: &random::SystemRandom,
        key_provider: &NoKeys,
    }
}

/// A client without certificates of its own has no private key to load.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("no client certificates".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use rustls::ProtocolVersion;
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

    #[test]
    fn nothing_older_than_tls_13_is_offered_and_no_key_is_loaded() {
        let provider = super::provider();
        assert_eq!(provider.cipher_suites.len(), 2);
        assert!(provider.cipher_suites.iter().all(|suite| suite.version().version == ProtocolVersion::TLSv1_3));
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(vec![0; 48]));
        assert!(provider.key_provider.load_private_key(key).is_err());
    }
}

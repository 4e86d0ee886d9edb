//! TLS 1.3 (RFC 8446) for the client: rustls over ring.
//!
//! TLS 1.2 is not spoken. There is no key of our own in it: no client certificates.

mod roots;

use std::sync::Arc;

use rustls::ProtocolVersion;
use rustls::crypto::CryptoProvider;
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

/// Rustls' own cryptography, without what older versions of the protocol ask for.
fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.retain(|suite| suite.version().version == ProtocolVersion::TLSv1_3);
    provider
}

#[cfg(test)]
mod tests {
    use rustls::ProtocolVersion;

    #[test]
    fn nothing_older_than_tls_13_is_offered() {
        let provider = super::provider();
        assert!(provider.cipher_suites.len() >= 2);
        assert!(provider.cipher_suites.iter().all(|suite| suite.version().version == ProtocolVersion::TLSv1_3));
    }
}

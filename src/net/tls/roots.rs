//! Whom a client trusts to name servers.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use ureq::tls::{Certificate, RootCerts};

use crate::net::NetError;

/// Length of the text of extra roots, in bytes.
const PEM_BYTES_MAX: usize = 1 << 20;
/// Certificates in it.
const EXTRA_ROOTS_MAX: usize = 64;

/// Mozilla's roots, as they were when this program was built, and those of `extra_pem` after them.
///
/// The roots of the system would have to be looked for through variables of the environment.
pub(super) fn trusted(extra_pem: Option<&[u8]>) -> Result<RootCerts, NetError> {
    let mut all: Vec<Certificate<'static>> =
        webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|root| Certificate::from_der(root)).collect();
    if let Some(pem) = extra_pem {
        all.extend(extra(pem)?);
    }
    Ok(RootCerts::from(all))
}

/// The certificates of a PEM file (RFC 7468), each of which must be fit as a root: one that would be left out in
/// silence is an error here, and not at the first connection.
fn extra(pem: &[u8]) -> Result<Vec<Certificate<'static>>, NetError> {
    const BAD: NetError = NetError::Options("the extra roots are no PEM file of certificates");
    if pem.len() > PEM_BYTES_MAX {
        return Err(NetError::Options("the file of extra roots is longer than 1 MiB"));
    }
    let mut store = RootCertStore::empty();
    let mut out = Vec::new();
    for root in CertificateDer::pem_slice_iter(pem) {
        let root = root.map_err(|_| BAD)?;
        out.push(Certificate::from_der(&root).to_owned());
        store.add(root).map_err(|_| BAD)?;
        if out.len() > EXTRA_ROOTS_MAX {
            return Err(NetError::Options("more than 64 extra roots"));
        }
    }
    if out.is_empty() { Err(BAD) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(der: &[u8]) -> String {
        pem_rfc7468::encode_string("CERTIFICATE", pem_rfc7468::LineEnding::LF, der).unwrap()
    }

    fn refused(text: &[u8]) -> NetError {
        trusted(Some(text)).map(|_| ()).unwrap_err()
    }

    #[test]
    fn extra_roots_stand_behind_those_of_mozilla() {
        let first = &webpki_root_certs::TLS_SERVER_ROOT_CERTS[0];
        let count = |extra: Option<&[u8]>| match trusted(extra).unwrap() {
            RootCerts::Specific(roots) => roots.len(),
            _ => panic!("not a list"),
        };
        let whole = webpki_root_certs::TLS_SERVER_ROOT_CERTS.len();
        assert!(whole > 50);
        assert_eq!(count(None), whole);
        assert_eq!(count(Some((pem(first) + &pem(first)).as_bytes())), whole + 2);
        // Every one of Mozilla's passes the same door: none is left out in silence.
        let mut store = RootCertStore::empty();
        assert_eq!(store.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned()).1, 0);
    }

    #[test]
    fn what_is_no_root_is_refused_before_any_connection() {
        let first = &webpki_root_certs::TLS_SERVER_ROOT_CERTS[0];
        let bad = NetError::Options("the extra roots are no PEM file of certificates");
        let cut = pem(&first[..first.len() - 1]);
        let broken = pem(first).replacen("-----END", "----END", 1);
        for text in ["", "hello", &cut, &broken, &(pem(first) + &cut), &pem(b"junk")] {
            assert_eq!(refused(text.as_bytes()), bad, "{text}");
        }
        assert_eq!(refused(pem(first).repeat(65).as_bytes()), NetError::Options("more than 64 extra roots"));
        let long = refused(&vec![b'\n'; PEM_BYTES_MAX + 1]);
        assert_eq!(long, NetError::Options("the file of extra roots is longer than 1 MiB"));
    }
}

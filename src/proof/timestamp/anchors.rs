//! Roots that time-stamps are trusted from, and the way to them (RFC 5280 6).

use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::TimestampError;
use super::certificate::Certificate;
use super::names::{CHAIN, TIME_STAMPING};

/// Bytes of a file of roots: the roots of a whole browser are a quarter of it.
const FILE_BYTES_MAX: usize = 1 << 20;
const ROOTS_MAX: usize = 512;

/// The roots that a verifier trusts to certify time-stamping authorities.
#[derive(Debug, Clone)]
pub struct TimeAnchors {
    roots: Vec<Root>,
}

#[derive(Debug, Clone)]
struct Root {
    certificate: CertificateDer<'static>,
    anchor: TrustAnchor<'static>,
}

impl TimeAnchors {
    /// Reads the certificates of a PEM file; text around them, and what is no certificate, is passed over.
    ///
    /// # Errors
    /// [`TimestampError::Anchors`] for a file of more than 1 MiB, no certificate or more than 512, or one that cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TimestampError> {
        if pem.len() > FILE_BYTES_MAX {
            return Err(TimestampError::Anchors("more than 1 MiB"));
        }
        let mut roots = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| TimestampError::Anchors("not a PEM file"))?;
            if roots.len() == ROOTS_MAX {
                return Err(TimestampError::Anchors("more than 512"));
            }
            roots.push(Root::new(certificate)?);
        }
        if roots.is_empty() {
            return Err(TimestampError::Anchors("no certificate"));
        }
        Ok(Self { roots })
    }

    /// Does the signer's certificate lead to a root, over certificates that were all valid at this second since 1970?
    pub(super) fn check_chain(
        &self,
        signer: &EndEntityCert<'_>,
        between: &[Certificate<'_>],
        second: u64,
    ) -> Result<(), TimestampError> {
        let mut path = Vec::new();
        for certificate in between {
            if certificate.may_certify()? {
                path.push(CertificateDer::from_slice(certificate.der));
            }
        }
        let valid = self.roots.iter().filter(|root| root.is_valid_at(second)).map(|root| root.anchor.clone());
        match find_path(signer, &path, &valid.collect::<Vec<_>>(), second) {
            // Only to name the fault: a root that was not valid then is no root.
            Err(TimestampError::Chain(_)) => {
                let all: Vec<_> = self.roots.iter().map(|root| root.anchor.clone()).collect();
                find_path(signer, &path, &all, second).and(Err(TimestampError::Expired))
            }
            found => found,
        }
    }
}

impl Root {
    fn new(certificate: CertificateDer<'static>) -> Result<Self, TimestampError> {
        let unreadable = TimestampError::Anchors("a certificate cannot be read");
        Certificate::read(&certificate).map_err(|_| unreadable.clone())?;
        let anchor = anchor_from_trusted_cert(&certificate).map_err(|_| unreadable)?.to_owned();
        Ok(Self { certificate, anchor })
    }

    fn is_valid_at(&self, second: u64) -> bool {
        Certificate::read(&self.certificate).is_ok_and(|certificate| certificate.is_valid_at(second))
    }
}

fn find_path(
    signer: &EndEntityCert<'_>,
    path: &[CertificateDer<'_>],
    roots: &[TrustAnchor<'_>],
    second: u64,
) -> Result<(), TimestampError> {
    let time = UnixTime::since_unix_epoch(Duration::from_secs(second));
    // The signer's own purpose was checked more strictly; certificates above it may be without one.
    let usage = KeyUsage::required_if_present(TIME_STAMPING);
    match signer.verify_for_usage(CHAIN, roots, path, time, usage, None, None) {
        Ok(_) => Ok(()),
        Err(webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. }) => Err(TimestampError::Expired),
        Err(webpki::Error::UnknownIssuer) => Err(TimestampError::Chain("it leads to no trusted root")),
        Err(webpki::Error::InvalidSignatureForPublicKey) => {
            Err(TimestampError::Chain("a signature in it does not hold"))
        }
        Err(_) => Err(TimestampError::Chain("a certificate in it breaks the rules of RFC 5280")),
    }
}

//! The signed attributes: what the authority signed, over what, and with which certificate (RFC 5652 5.3 and 11, RFC 5816 2.2).

use sha1::Digest as _;

use super::TimestampError;
use super::certificate::Certificate;
use super::items::{INTEGER, Items, OCTET_STRING, OID, SEQUENCE, SET, holding};
use super::names::{self, Hash};

const PART: &str = "signed attributes";
const ID_PART: &str = "signed certificate id";

/// Values of the attributes that matter; others are signed, and say nothing here.
#[derive(Default)]
pub(super) struct Attributes<'a> {
    digest: &'a [u8],
    /// Values of signing-certificate and of signing-certificate-v2.
    ids: [Option<&'a [u8]>; 2],
}

impl<'a> Attributes<'a> {
    /// Reads them from their tag on; in the order of DER (RFC 5652 5.3), so that none is there twice.
    pub(super) fn read(der: &'a [u8]) -> Result<Self, TimestampError> {
        let mut items = Items::new(der, PART)?.inside(holding(0))?;
        let (mut before, mut kind, mut digest): (&[u8], _, _) = (&[], None, None);
        let mut ids = [None; 2];
        while !items.is_empty() {
            let attribute = items.whole(SEQUENCE)?;
            if before >= attribute {
                return Err(TimestampError::Attributes("not in the order of DER"));
            }
            before = attribute;
            let mut fields = Items::new(attribute, PART)?.inside(SEQUENCE)?;
            let id = fields.value(OID)?;
            let values = fields.value(SET)?;
            fields.end()?;
            let place = match id {
                names::CONTENT_TYPE => &mut kind,
                names::MESSAGE_DIGEST => &mut digest,
                names::SIGNING_CERTIFICATE => &mut ids[0],
                names::SIGNING_CERTIFICATE_V2 => &mut ids[1],
                _ => continue,
            };
            if place.replace(values).is_some() {
                return Err(TimestampError::Attributes("one of them is there twice"));
            }
        }
        if only_value(kind, OID)? != names::TST_INFO {
            return Err(TimestampError::Attributes("the content has another type"));
        }
        Ok(Self { digest: only_value(digest, OCTET_STRING)?, ids })
    }

    /// Is the digest that of this content?
    pub(super) fn check_digest(&self, hash: Hash, content: &[u8]) -> Result<(), TimestampError> {
        if hash.of(content) == self.digest { Ok(()) } else { Err(TimestampError::Digest) }
    }

    /// Does each of the two that is there name this certificate first (RFC 5035 3), and is one there?
    pub(super) fn check_certificate(&self, certificate: &Certificate<'_>) -> Result<(), TimestampError> {
        let [older, newer] = self.ids;
        if older.is_none() && newer.is_none() {
            return Err(TimestampError::SigningCertificate);
        }
        if let Some(values) = older {
            let mut id = first_id(values)?;
            let hash = id.value(OCTET_STRING)?;
            // SHA-1 decides nothing: the chain does. This attribute only keeps one certificate of a key from passing as another.
            check_id(id, hash, &sha1::Sha1::digest(certificate.der), certificate)?;
        }
        if let Some(values) = newer {
            let mut id = first_id(values)?;
            let kind =
                if id.is_next(SEQUENCE) { Hash::from_oid(id.algorithm(ID_PART)?, ID_PART)? } else { Hash::Sha256 };
            let hash = id.value(OCTET_STRING)?;
            check_id(id, hash, &kind.of(certificate.der), certificate)?;
        }
        Ok(())
    }
}

/// The one value of an attribute.
fn only_value(values: Option<&[u8]>, tag: u8) -> Result<&[u8], TimestampError> {
    let values = values.ok_or(TimestampError::Attributes("content type or digest is missing"))?;
    let mut values = Items::new(values, PART)?;
    let value = values.value(tag)?;
    values.end()?;
    Ok(value)
}

/// The first `ESSCertID` or `ESSCertIDv2` of an attribute: that of the signer. Those after it name its chain, which is checked as it is.
fn first_id(values: &[u8]) -> Result<Items<'_>, TimestampError> {
    let mut values = Items::new(values, ID_PART)?;
    let mut list = values.inside(SEQUENCE)?;
    values.end()?;
    list.inside(SEQUENCE)?.inside(SEQUENCE)
}

/// Compares the hash, and the name and number after it where they are.
fn check_id(
    mut rest: Items<'_>,
    hash: &[u8],
    expected: &[u8],
    certificate: &Certificate<'_>,
) -> Result<(), TimestampError> {
    let mut same = hash == expected;
    if !rest.is_empty() {
        let mut name = rest.inside(SEQUENCE)?;
        let mut issuers = name.inside(SEQUENCE)?;
        same &= issuers.value(holding(4))? == certificate.issuer;
        issuers.end()?;
        same &= name.value(INTEGER)? == certificate.serial;
        name.end()?;
        rest.end()?;
    }
    if same { Ok(()) } else { Err(TimestampError::SigningCertificate) }
}

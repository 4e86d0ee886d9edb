//! The envelope of a token: `ContentInfo`, `SignedData` and its one `SignerInfo` (RFC 5652 3 and 5; RFC 3161 2.4.2).

use super::TimestampError;
use super::certificate::Certificate;
use super::items::{INTEGER, Items, OCTET_STRING, OID, SEQUENCE, SET, holding, plain};
use super::names::{self, Hash};

const PART: &str = "signed data";

/// A token taken apart; nothing in it is verified yet.
pub(super) struct Signed<'a> {
    /// The `TSTInfo`, as it was signed.
    pub(super) content: &'a [u8],
    pub(super) certificates: Vec<Certificate<'a>>,
    pub(super) signer: Signer<'a>,
}

pub(super) struct Signer<'a> {
    id: SignerId<'a>,
    pub(super) hash: Hash,
    /// The signed attributes from their tag `[0]` on; the signature is over the same bytes with the tag of a SET.
    pub(super) attributes: &'a [u8],
    /// Identifier of the kind of signature.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

enum SignerId<'a> {
    Name { issuer: &'a [u8], serial: &'a [u8] },
    Key(&'a [u8]),
}

impl<'a> Signed<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Self, TimestampError> {
        let mut outer = Items::new(der, "token")?;
        let mut token = outer.inside(SEQUENCE)?;
        outer.end().map_err(|_| TimestampError::Trailing)?;
        if token.value(OID)? != names::SIGNED_DATA {
            return Err(TimestampError::Kind);
        }
        let mut wrapped = token.inside(holding(0))?;
        token.end()?;
        let body = wrapped.value(SEQUENCE)?;
        wrapped.end()?;
        read_signed_data(Items::new(body, PART)?)
    }

    /// Takes the one certificate that the signer is named by, and leaves the others. The same certificate twice is one.
    pub(super) fn take_signer(&mut self) -> Result<Certificate<'a>, TimestampError> {
        let mut found = None;
        for certificate in std::mem::take(&mut self.certificates) {
            if !self.signer.is(&certificate)? {
                self.certificates.push(certificate);
            } else if found.as_ref().is_some_and(|other: &Certificate<'_>| other.der != certificate.der) {
                return Err(TimestampError::Certificate);
            } else {
                found = Some(certificate);
            }
        }
        found.ok_or(TimestampError::Certificate)
    }
}

impl Signer<'_> {
    fn is(&self, certificate: &Certificate<'_>) -> Result<bool, TimestampError> {
        match &self.id {
            SignerId::Name { issuer, serial } => Ok(certificate.issuer == *issuer && certificate.serial == *serial),
            SignerId::Key(key) => Ok(certificate.key_id()? == Some(key)),
        }
    }
}

fn read_signed_data(mut fields: Items<'_>) -> Result<Signed<'_>, TimestampError> {
    // RFC 5652 5.1: 3 wherever the content is another than plain data.
    if fields.small(INTEGER)? != 3 {
        return Err(fields.fault());
    }
    let mut hashes = fields.inside(SET)?;
    let mut known = Vec::new();
    while !hashes.is_empty() {
        known.push(hashes.algorithm("signed data")?);
    }
    let mut content = fields.inside(SEQUENCE)?;
    if content.value(OID)? != names::TST_INFO {
        return Err(TimestampError::Kind);
    }
    let mut wrapped = content.inside(holding(0))?;
    content.end()?;
    let content = wrapped.value(OCTET_STRING)?;
    wrapped.end()?;
    let certificates = match fields.inside_optional(holding(0))? {
        Some(list) => read_certificates(list)?,
        None => Vec::new(),
    };
    // Lists of revoked certificates: who wants them asks the authority, at the time of checking.
    fields.optional(holding(1))?;
    let mut signers = fields.inside(SET)?;
    fields.end()?;
    let signer = read_only_signer(&mut signers, &known)?;
    Ok(Signed { content, certificates, signer })
}

/// In any order: RFC 5652 asks for DER of the signed attributes alone, and OpenSSL writes this SET as it comes.
fn read_certificates(mut list: Items<'_>) -> Result<Vec<Certificate<'_>>, TimestampError> {
    let mut out = Vec::new();
    while !list.is_empty() {
        out.push(Certificate::read(list.whole(SEQUENCE)?)?);
    }
    Ok(out)
}

fn read_only_signer<'a>(signers: &mut Items<'a>, known: &[&[u8]]) -> Result<Signer<'a>, TimestampError> {
    let (mut count, mut counted) = (0_usize, signers.clone());
    while !counted.is_empty() {
        counted.whole(SEQUENCE)?;
        count = count.saturating_add(1);
    }
    if count != 1 {
        return Err(TimestampError::Signers(count));
    }
    read_signer(signers.inside(SEQUENCE)?, known)
}

fn read_signer<'a>(mut fields: Items<'a>, known: &[&[u8]]) -> Result<Signer<'a>, TimestampError> {
    let version = fields.small(INTEGER)?;
    // RFC 5652 5.3: the version tells how the signer is named.
    let id = match (version, fields.optional(plain(0))?) {
        (3, Some(key)) => SignerId::Key(key),
        (1, None) => {
            let mut name = fields.inside(SEQUENCE)?;
            let id = SignerId::Name { issuer: name.whole(SEQUENCE)?, serial: name.value(INTEGER)? };
            name.end()?;
            id
        }
        _ => return Err(fields.fault()),
    };
    let hash = fields.algorithm("signer")?;
    if !known.contains(&hash) {
        return Err(fields.fault());
    }
    let hash = Hash::from_oid(hash, "signer")?;
    if !fields.is_next(holding(0)) {
        return Err(TimestampError::Attributes("there are none"));
    }
    let attributes = fields.whole(holding(0))?;
    let algorithm = fields.algorithm("signature")?;
    let signature = fields.value(OCTET_STRING)?;
    // Whatever was added after signing proves nothing here.
    fields.optional(holding(1))?;
    fields.end()?;
    Ok(Signer { id, hash, attributes, algorithm, signature })
}

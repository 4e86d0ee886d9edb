//! What a time-stamp needs of a certificate (RFC 5280 4.1) besides what its chain is checked with.

use der::Decode as _;
use der::asn1::{GeneralizedTime, UtcTime};

use super::TimestampError;
use super::items::{
    BIT_STRING, BOOLEAN, GENERALIZED_TIME, INTEGER, Items, OCTET_STRING, OID, SEQUENCE, holding, plain,
};
use super::names;

const PART: &str = "certificate";
const UTC_TIME: u8 = 0x17;
/// digitalSignature and nonRepudiation, in the first byte of a key usage.
const SIGNING: u8 = 0xc0;
/// keyCertSign, in the same byte.
const CERTIFYING: u8 = 0x04;

pub(super) struct Certificate<'a> {
    /// All its bytes.
    pub(super) der: &'a [u8],
    /// Value of its serial number.
    pub(super) serial: &'a [u8],
    /// Name of who made it, from its tag on.
    pub(super) issuer: &'a [u8],
    /// Its own name, from its tag on.
    pub(super) subject: &'a [u8],
    not_before: u64,
    not_after: u64,
    extensions: Vec<Extension<'a>>,
}

struct Extension<'a> {
    id: &'a [u8],
    critical: bool,
    value: &'a [u8],
}

impl<'a> Certificate<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Self, TimestampError> {
        let mut fields = Items::new(der, PART)?.inside(SEQUENCE)?.inside(SEQUENCE)?;
        fields.optional(holding(0))?;
        let serial = fields.value(INTEGER)?;
        fields.value(SEQUENCE)?;
        let issuer = fields.whole(SEQUENCE)?;
        let mut validity = fields.inside(SEQUENCE)?;
        let (not_before, not_after) = (read_time(&mut validity)?, read_time(&mut validity)?);
        validity.end()?;
        let subject = fields.whole(SEQUENCE)?;
        fields.value(SEQUENCE)?;
        fields.optional(plain(1))?;
        fields.optional(plain(2))?;
        let extensions = match fields.inside_optional(holding(3))? {
            Some(mut list) => read_extensions(&mut list)?,
            None => Vec::new(),
        };
        fields.end()?;
        Ok(Self { der, serial, issuer, subject, not_before, not_after, extensions })
    }

    /// Was it valid at this second since 1970?
    pub(super) fn is_valid_at(&self, second: u64) -> bool {
        (self.not_before..=self.not_after).contains(&second)
    }

    /// RFC 3161 2.3: made for time-stamps, for nothing else, and critically so; where a key usage is told, for signatures alone.
    pub(super) fn check_purpose(&self) -> Result<(), TimestampError> {
        let purpose = self.extension(names::EXTENDED_KEY_USAGE)?;
        let purpose = purpose.ok_or(TimestampError::Purpose("it is for no purpose"))?;
        let mut purposes = Items::new(purpose.value, PART)?.inside(SEQUENCE)?;
        if purposes.value(OID)? != names::TIME_STAMPING || !purposes.is_empty() {
            return Err(TimestampError::Purpose("it is not for time-stamps alone"));
        }
        if !purpose.critical {
            return Err(TimestampError::Purpose("its purpose is not critical"));
        }
        match self.key_usage()? {
            Some((first, more)) if first & !SIGNING != 0 || first == 0 || more => {
                Err(TimestampError::Purpose("its key is not for signatures alone"))
            }
            _ => Ok(()),
        }
    }

    /// May its key sign other certificates, as far as its key usage says?
    pub(super) fn may_certify(&self) -> Result<bool, TimestampError> {
        Ok(self.key_usage()?.is_none_or(|(first, _)| first & CERTIFYING != 0))
    }

    /// The first eight uses of the key, and whether there is one more.
    fn key_usage(&self) -> Result<Option<(u8, bool)>, TimestampError> {
        let Some(usage) = self.extension(names::KEY_USAGE)? else { return Ok(None) };
        match Items::new(usage.value, PART)?.value(BIT_STRING)? {
            [_, first] => Ok(Some((*first, false))),
            [_, first, second] => Ok(Some((*first, *second != 0))),
            _ => Err(TimestampError::Form(PART)),
        }
    }

    /// Its subject key identifier.
    pub(super) fn key_id(&self) -> Result<Option<&'a [u8]>, TimestampError> {
        let id = self.extension(names::SUBJECT_KEY_ID)?;
        id.map(|id| Items::new(id.value, PART)?.value(OCTET_STRING)).transpose()
    }

    /// Is it known by this `GeneralName`: as its subject, or as another name of it? Names are compared byte by byte.
    pub(super) fn is_named(&self, name: &[u8]) -> Result<bool, TimestampError> {
        let mut item = Items::new(name, "name of the authority")?;
        if item.optional(holding(4))?.is_some_and(|directory| directory == self.subject) {
            return item.end().map(|()| true);
        }
        let Some(others) = self.extension(names::SUBJECT_ALT_NAME)? else { return Ok(false) };
        let mut others = Items::new(others.value, PART)?.inside(SEQUENCE)?;
        while !others.is_empty() {
            if others.any()? == name {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn extension(&self, id: &[u8]) -> Result<Option<&Extension<'a>>, TimestampError> {
        let mut found = self.extensions.iter().filter(|extension| extension.id == id);
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            _ => Err(TimestampError::Form(PART)),
        }
    }
}

fn read_extensions<'a>(list: &mut Items<'a>) -> Result<Vec<Extension<'a>>, TimestampError> {
    let (mut items, mut out) = (list.inside(SEQUENCE)?, Vec::new());
    while !items.is_empty() {
        let mut fields = items.inside(SEQUENCE)?;
        let id = fields.value(OID)?;
        let critical = fields.optional(BOOLEAN)?.is_some_and(|value| value == [0xff]);
        out.push(Extension { id, critical, value: fields.value(OCTET_STRING)? });
        fields.end()?;
    }
    Ok(out)
}

fn read_time(fields: &mut Items<'_>) -> Result<u64, TimestampError> {
    let moment = if fields.is_next(UTC_TIME) {
        UtcTime::from_der(fields.whole(UTC_TIME)?).map(|time| time.to_unix_duration())
    } else {
        GeneralizedTime::from_der(fields.whole(GENERALIZED_TIME)?).map(|time| time.to_unix_duration())
    };
    moment.map(|since| since.as_secs()).map_err(|_| TimestampError::Form(PART))
}

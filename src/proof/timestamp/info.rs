//! What a token says: `TSTInfo` of RFC 3161 2.4.2.

use chrono::{NaiveDate, NaiveTime};

use super::TimestampError;
use super::items::{BOOLEAN, GENERALIZED_TIME, INTEGER, Items, OCTET_STRING, OID, SEQUENCE, holding, plain};
use super::names::Hash;
use super::oid::Oid;
use crate::time::Timestamp;

const PART: &str = "content";
/// Bytes of a serial number: RFC 3161 asks for 20, and some authorities use more.
const SERIAL_MAX: usize = 64;
/// Digits of a fraction of a second.
const FRACTION_MAX: usize = 18;

/// A `TSTInfo`, as far as anybody here wants to know.
pub(super) struct Info<'a> {
    pub(super) policy: Oid,
    pub(super) imprint: &'a [u8],
    /// Big-endian without zeros in front.
    pub(super) serial: &'a [u8],
    pub(super) time: Timestamp,
    pub(super) accuracy_ms: Option<u64>,
    /// Big-endian without zeros in front.
    pub(super) nonce: Option<&'a [u8]>,
    /// A `GeneralName`.
    pub(super) authority: Option<&'a [u8]>,
}

impl<'a> Info<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Self, TimestampError> {
        let mut outer = Items::new(der, PART)?;
        let mut fields = outer.inside(SEQUENCE)?;
        outer.end()?;
        if fields.small(INTEGER)? != 1 {
            return Err(fields.fault());
        }
        let policy = Oid::from_value(fields.value(OID)?).ok_or_else(|| fields.fault())?;
        let mut imprint = fields.inside(SEQUENCE)?;
        if Hash::from_oid(imprint.algorithm("imprint")?, "imprint")? != Hash::Sha256 {
            return Err(TimestampError::Algorithm("imprint"));
        }
        let hashed = imprint.value(OCTET_STRING)?;
        imprint.end()?;
        let serial = fields.unsigned(INTEGER)?;
        if serial.len() > SERIAL_MAX {
            return Err(fields.fault());
        }
        let time = read_time(fields.value(GENERALIZED_TIME)?).ok_or_else(|| fields.fault())?;
        let accuracy_ms = fields.inside_optional(SEQUENCE)?.map(read_accuracy).transpose()?;
        // Whether its time-stamps can be told apart by time alone: not asked here.
        fields.optional(BOOLEAN)?;
        let nonce = if fields.is_next(INTEGER) { Some(fields.unsigned(INTEGER)?) } else { None };
        let authority = fields.optional(holding(0))?;
        if let Some(extensions) = fields.inside_optional(holding(1))? {
            refuse_critical(extensions)?;
        }
        fields.end()?;
        Ok(Self { policy, imprint: hashed, serial, time, accuracy_ms, nonce, authority })
    }
}

/// `YYYYMMDDhhmmss[.f]Z` (RFC 3161 2.4.2): the fraction without zeros at its end, cut down to milliseconds. Not before 1970.
pub(super) fn read_time(value: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(value).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = match text.split_once('.') {
        Some((_, fraction)) if fraction.is_empty() || fraction.ends_with('0') => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (text, ""),
    };
    if whole.len() != 14
        || fraction.len() > FRACTION_MAX
        || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let number = |from: usize, to: usize| whole.get(from..to)?.parse::<u32>().ok();
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(4, 6)?, number(6, 8)?)?;
    let time = NaiveTime::from_hms_opt(number(8, 10)?, number(10, 12)?, number(12, 14)?)?;
    let seconds = u64::try_from(date.and_time(time).and_utc().timestamp()).ok()?;
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(Timestamp::from_ms(seconds.checked_mul(1000)?.checked_add(thousandths.parse().ok()?)?))
}

/// `Accuracy`, in milliseconds; a part of one counts as one, so that the interval is never told narrower than it is.
fn read_accuracy(mut fields: Items<'_>) -> Result<u64, TimestampError> {
    let seconds = if fields.is_next(INTEGER) { fields.small(INTEGER)? } else { 0 };
    let mut part = |number| if fields.is_next(plain(number)) { fields.small(plain(number)) } else { Ok(0) };
    let (millis, micros) = (part(0)?, part(1)?);
    if millis > 999 || micros > 999 {
        return Err(fields.fault());
    }
    fields.end()?;
    let parts = u64::from(millis).saturating_add(u64::from(micros != 0));
    Ok(u64::from(seconds).saturating_mul(1000).saturating_add(parts))
}

/// What is critical has to be understood, and nothing is.
fn refuse_critical(mut extensions: Items<'_>) -> Result<(), TimestampError> {
    while !extensions.is_empty() {
        let mut fields = extensions.inside(SEQUENCE)?;
        fields.value(OID)?;
        if fields.optional(BOOLEAN)?.is_some_and(|critical| critical != [0]) {
            return Err(TimestampError::Extension);
        }
        fields.value(OCTET_STRING)?;
        fields.end()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_down_to_milliseconds_and_only_of_one_form() {
        let ms = |text: &str| read_time(text.as_bytes()).map(Timestamp::as_ms);
        assert_eq!(ms("19700101000000Z"), Some(0));
        assert_eq!(ms("20261120101701.416Z"), Some(1_795_169_821_416));
        assert_eq!(ms("20261120101701.4169999Z"), Some(1_795_169_821_416));
        assert_eq!(ms("20261120101701.4Z"), Some(1_795_169_821_400));
        assert_eq!(ms("20261120101701.000000000000000001Z"), Some(1_795_169_821_000));
        assert_eq!(ms("99991231235959.999Z"), Some(253_402_300_799_999));
        for text in [
            "",
            "Z",
            "19691231235959Z",
            "20261120101701",
            "20261120101701+0000",
            "202611201017Z",
            "20261120101701.Z",
            "20261120101701.0Z",
            "20261120101701.10Z",
            "20261120101701,5Z",
            "20261120101701.5.5Z",
            "20261120101701.0000000000000000001Z",
            "20261320101701Z",
            "20260230101701Z",
            "20261120241701Z",
            "20261120101760Z",
            "+0261120101701Z",
            "2026112010170\u{663}Z",
            "20261120101701ZZ",
        ] {
            assert_eq!(ms(text), None, "{text}");
        }
    }

    #[test]
    fn an_accuracy_is_never_told_finer_than_it_is() {
        let read = |bytes: &[u8]| read_accuracy(Items::new(bytes, PART).unwrap());
        assert_eq!(read(&[]), Ok(0));
        assert_eq!(read(&[0x02, 1, 2]), Ok(2000));
        assert_eq!(read(&[0x02, 1, 1, 0x80, 2, 0x01, 0xf4, 0x81, 1, 1]), Ok(1501));
        assert_eq!(read(&[0x81, 2, 0x03, 0xe7]), Ok(1));
        assert_eq!(read(&[0x02, 5, 0, 0xff, 0xff, 0xff, 0xff]), Ok(4_294_967_295_000));
        for bad in [&[0x80, 2, 0x03, 0xe8][..], &[0x81, 2, 0x03, 0xe8], &[0x02, 1, 0xff], &[0x81, 1, 1, 0x80, 1, 1]] {
            assert_eq!(read(bad), Err(TimestampError::Form(PART)));
        }
    }
}

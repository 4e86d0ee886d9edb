//! What a token says, for who has no roots: the few items that name a digest and a time (`docs/format/5-proof.md` 5.6).

use super::TimestampError;
use super::info::read_time;
use super::items::{GENERALIZED_TIME, INTEGER, Items, OCTET_STRING, OID, SEQUENCE, SET, holding};
use super::names;
use super::token::limited;
use crate::time::Timestamp;

const PART: &str = "token";
/// The algorithm of an imprint: SHA-256, with parameters absent or NULL.
const SHA256: &[u8] = &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const SHA256_NULL: &[u8] = &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0];

/// The SHA-256 that a token is over, and its time. Nothing of it is vouched for; what stands behind the time, and behind the content, is not
/// looked at.
///
/// # Errors
/// [`TimestampError`] for what is no token.
pub fn read_token(der: &[u8]) -> Result<([u8; 32], Timestamp), TimestampError> {
    limited(der)?;
    let mut outer = Items::new(der, PART)?;
    let mut token = outer.inside(SEQUENCE)?;
    outer.end().map_err(|_| TimestampError::Trailing)?;
    if token.value(OID)? != names::SIGNED_DATA {
        return Err(TimestampError::Kind);
    }
    let mut wrapped = token.inside(holding(0))?;
    token.end()?;
    let mut signed = wrapped.inside(SEQUENCE)?;
    wrapped.end()?;
    if signed.value(INTEGER)? != [3] {
        return Err(signed.fault());
    }
    signed.value(SET)?;
    let mut content = signed.inside(SEQUENCE)?;
    if content.value(OID)? != names::TST_INFO {
        return Err(TimestampError::Kind);
    }
    let mut octets = content.inside(holding(0))?;
    content.end()?;
    let info = octets.value(OCTET_STRING)?;
    octets.end()?;
    let mut all = Items::new(info, PART)?;
    let fields = all.inside(SEQUENCE)?;
    all.end()?;
    read_info(fields)
}

fn read_info(mut fields: Items<'_>) -> Result<([u8; 32], Timestamp), TimestampError> {
    if fields.value(INTEGER)? != [1] {
        return Err(fields.fault());
    }
    fields.value(OID)?;
    let mut imprint = fields.inside(SEQUENCE)?;
    let algorithm = imprint.value(SEQUENCE)?;
    if algorithm != SHA256 && algorithm != SHA256_NULL {
        return Err(TimestampError::Algorithm("imprint"));
    }
    let digest = imprint.value(OCTET_STRING)?.try_into().map_err(|_| TimestampError::Imprint)?;
    imprint.end()?;
    fields.value(INTEGER)?;
    let time = read_time(fields.value(GENERALIZED_TIME)?).ok_or_else(|| fields.fault())?;
    Ok((digest, time))
}

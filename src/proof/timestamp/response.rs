//! The answer of an authority: `TimeStampResp` of RFC 3161 2.4.2.

use super::items::{BIT_STRING, INTEGER, Items, SEQUENCE};
use super::token::{check_and_read, limited};
use super::{CheckedToken, TimeAnchors, TimestampError, TimestampRequest};

/// Checks what an authority answered to a request: it granted, and its token holds for this imprint, nonce and policy.
///
/// # Errors
/// Every [`TimestampError`] but those of making a request and of reading trusted roots.
pub fn check_response(
    der: &[u8],
    request: &TimestampRequest,
    anchors: &TimeAnchors,
) -> Result<CheckedToken, TimestampError> {
    limited(der)?;
    let mut answer = Items::new(der, "answer")?;
    let mut fields = answer.inside(SEQUENCE)?;
    answer.end().map_err(|_| TimestampError::Trailing)?;
    let mut status = fields.inside(SEQUENCE)?;
    let code = status.small(INTEGER)?;
    status.optional(SEQUENCE)?;
    let reason = status.optional(BIT_STRING)?.and_then(first_bit);
    status.end()?;
    if code > 1 {
        return Err(TimestampError::Rejected { status: code, reason });
    }
    if fields.is_empty() {
        return Err(TimestampError::NoToken);
    }
    let token = fields.whole(SEQUENCE)?;
    fields.end()?;
    let (checked, nonce) = check_and_read(token, request.imprint(), anchors)?;
    if nonce != Some(request.nonce()) {
        return Err(TimestampError::Nonce);
    }
    if request.policy().is_some_and(|asked| asked != checked.policy_id()) {
        return Err(TimestampError::Policy);
    }
    Ok(checked)
}

/// Number of the first bit that is set: bits count from the highest of the first byte after the one that tells the unused ones.
fn first_bit(bits: &[u8]) -> Option<u32> {
    let (_, bytes) = bits.split_first()?;
    let (at, byte) = bytes.iter().enumerate().find(|(_, byte)| **byte != 0)?;
    u32::try_from(at).ok()?.checked_mul(8)?.checked_add(byte.leading_zeros())
}

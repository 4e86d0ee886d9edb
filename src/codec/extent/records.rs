//! The records of a group: both halves of each entry, with their lengths.

use super::error::ExtentError;

/// Iterator over the records of a group. An error ends it.
pub struct Records<'a> {
    left: &'a [u8],
    count: u32,
    failed: bool,
}

impl<'a> Records<'a> {
    pub(super) const fn of(body: &'a [u8], count: u32) -> Self {
        Self { left: body, count, failed: false }
    }
}

impl<'a> Iterator for Records<'a> {
    /// Public half, sealed half.
    type Item = Result<(&'a [u8], &'a [u8]), ExtentError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.count == 0 {
            self.failed = true;
            return if self.left.is_empty() { None } else { Some(Err(ExtentError::Records)) };
        }
        self.count = self.count.saturating_sub(1);
        let record = split_record(self.left);
        match record {
            Some((public, sealed, rest)) => {
                self.left = rest;
                Some(Ok((public, sealed)))
            }
            None => {
                self.failed = true;
                Some(Err(ExtentError::Records))
            }
        }
    }
}

/// Splits the first record off: public half, sealed half, the rest.
#[must_use]
pub fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (public_len, rest) = bytes.split_first_chunk::<4>()?;
    let (sealed_len, rest) = rest.split_first_chunk::<4>()?;
    let (public, rest) = rest.split_at_checked(u32::from_be_bytes(*public_len) as usize)?;
    let (sealed, rest) = rest.split_at_checked(u32::from_be_bytes(*sealed_len) as usize)?;
    Some((public, sealed, rest))
}

/// What stands before the halves of a record: the length of each.
#[must_use]
pub fn record_head(public: &[u8], sealed: &[u8]) -> [[u8; 4]; 2] {
    // Both lengths are bounded by ENTRY_BYTES_MAX and SEALED_BYTES_MAX long before this line.
    [public, sealed].map(|half| u32::try_from(half.len()).unwrap_or(u32::MAX).to_be_bytes())
}

/// Appends one record.
pub fn push_record(out: &mut Vec<u8>, public: &[u8], sealed: &[u8]) {
    out.extend_from_slice(record_head(public, sealed).as_flattened());
    out.extend_from_slice(public);
    out.extend_from_slice(sealed);
}

//! Fields of fixed width.

use super::error::ExtentError;

/// Fixed-width fields of a slice whose length was checked by the caller; past its end, zeros.
pub(super) struct Fields<'a> {
    bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Fields<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let end = self.at.saturating_add(N);
        let part = self.bytes.get(self.at..end).and_then(|b| b.try_into().ok()).unwrap_or([0; N]);
        self.at = end;
        part
    }

    pub fn magic(&mut self, wanted: &[u8; 8]) -> Result<(), ExtentError> {
        let found: [u8; 8] = self.take();
        if found == *wanted {
            Ok(())
        } else if found.get(..6) == wanted.get(..6) {
            Err(ExtentError::NewerFormat)
        } else {
            Err(ExtentError::Magic)
        }
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }
    pub fn b32(&mut self) -> [u8; 32] {
        self.take()
    }
}

//! Compressing a long object while it still grows.

use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective as Directive;
use zstd::zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer, ResetDirective};

use super::SealError;
use super::object::{ZSTD_LEVEL, too_long};
use crate::codec::limits::OBJECT_RAW_BYTES_MAX;

/// A table that still fits a core's own cache; that of the level is a quarter of it. It takes a twentieth less time and
/// leaves a twelfth less.
const HASH_LOG: u32 = 16;
/// Room for what is packed grows by this much; most parts become shorter.
const ROOM_BYTES: usize = 64 << 10;
/// More than a context keeps of what it was given: twice its window and a block.
const SCRUB_PARTS: usize = 24;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Takes the parts of one object after another and gives one Zstandard frame for each.
pub struct Packer {
    context: CCtx<'static>,
    packed: Vec<u8>,
    raw_bytes: usize,
}

impl Packer {
    /// A packer for long objects.
    ///
    /// # Errors
    /// [`SealError::Compress`].
    pub fn new() -> Result<Self, SealError> {
        let mut context = CCtx::try_create().ok_or(SealError::Compress)?;
        for parameter in [CParameter::CompressionLevel(ZSTD_LEVEL), CParameter::HashLog(HASH_LOG)] {
            context.set_parameter(parameter).map_err(|_| SealError::Compress)?;
        }
        Ok(Self { context, packed: Vec::new(), raw_bytes: 0 })
    }

    /// Compresses the next part.
    ///
    /// # Errors
    /// [`SealError::Limit`], [`SealError::Compress`]; the packer is of no use then.
    pub fn add(&mut self, part: &[u8]) -> Result<(), SealError> {
        self.raw_bytes = self.raw_bytes.saturating_add(part.len());
        if self.raw_bytes > OBJECT_RAW_BYTES_MAX {
            return Err(too_long(self.raw_bytes as u64));
        }
        let mut input = InBuffer::around(part);
        while input.pos() < part.len() {
            self.step(&mut input, Directive::ZSTD_e_continue)?;
        }
        Ok(())
    }

    /// Nothing added since the last frame?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.raw_bytes == 0
    }

    /// The frame of everything added, and its length before; starts anew.
    pub(super) fn finish(&mut self) -> Result<(Vec<u8>, usize), SealError> {
        while self.step(&mut InBuffer::around(&[]), Directive::ZSTD_e_end)? > 0 {}
        Ok((std::mem::take(&mut self.packed), std::mem::take(&mut self.raw_bytes)))
    }

    /// How much the context holds back.
    fn step(&mut self, input: &mut InBuffer<'_>, directive: Directive) -> Result<usize, SealError> {
        if self.packed.len() == self.packed.capacity() {
            self.packed.reserve(ROOM_BYTES);
        }
        let at = self.packed.len();
        let mut out = OutBuffer::around_pos(&mut self.packed, at);
        self.context.compress_stream2(&mut out, input, directive).map_err(|_| SealError::Compress)
    }
}

impl Drop for Packer {
    /// The context keeps the last parts as they came. They are written over before their memory is given back.
    fn drop(&mut self) {
        let _no_frame_is_begun = self.context.reset(ResetDirective::SessionOnly);
        self.raw_bytes = 0;
        let _after_an_error_less = (0..SCRUB_PARTS).try_for_each(|_| self.add(&ZEROS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::digest::{CustodyId, sha256};
    use crate::seal::{TapeSecret, open_object, seal_packed};

    #[test]
    fn what_zstd_refuses_is_no_frame() {
        let mut packer = Packer::new().unwrap();
        // A promise of another length, which nothing in this program makes: the one refusal that can be provoked.
        packer.context.set_pledged_src_size(Some(5)).unwrap();
        packer.add(b"four").unwrap();
        assert_eq!(packer.finish().map(drop), Err(SealError::Compress));
        assert_eq!(crate::Error::from(SealError::Compress).code(), crate::Code::Internal);
    }

    #[test]
    fn parts_come_back_as_one_object() {
        let keys = TapeSecret::from_bytes(&[7; 32]).keys();
        let custody = CustodyId::from_bytes([9; 32]);
        let noise: Vec<u8> = (0u32..40_000).flat_map(|n| sha256(&n.to_be_bytes())).collect();
        let text = b"{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}\n".repeat(40_000);
        let mut packer = Packer::new().unwrap();
        for (position, raw) in [&text[..], &noise, &[], &text[..1]].into_iter().enumerate() {
            for part_bytes in [262_144, 1_000_003, 2_000_000] {
                raw.chunks(part_bytes).for_each(|part| packer.add(part).unwrap());
                let stored = seal_packed(&keys, [3; 32], &custody, position as u64, &mut packer).unwrap();
                assert!(packer.is_empty());
                assert_eq!(open_object(&keys, &custody, position as u64, &stored).unwrap().as_slice(), raw);
                assert!(stored.len() < raw.len() + raw.len() / 8 + 1_000);
                assert!(raw.len() < 1_000 || (stored.len() < raw.len() / 10) == (raw == text.as_slice()));
            }
        }
    }

    #[test]
    fn what_is_too_long_is_refused_part_by_part() {
        let mut packer = Packer::new().unwrap();
        let part = vec![0; OBJECT_RAW_BYTES_MAX / 2];
        packer.add(&part).unwrap();
        packer.add(&part).unwrap();
        assert!(matches!(packer.add(&[0]), Err(SealError::Limit { .. })));
    }
}

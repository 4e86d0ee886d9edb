//! Reading what a source compressed: zlib (RFC 1950), gzip (RFC 1952) or Zstandard, bounded in length.

use std::io::Read;

// The decoders over a buffer take no byte more than they use, so what is left over shows.
use flate2::bufread::{GzDecoder, ZlibDecoder};

/// Why compressed bytes cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undecodable {
    /// None of the three wrappers.
    UnknownWrapper,
    /// It breaks the rules of its format, does not fit its checksum, stops too early, or goes on after its end.
    Malformed,
    /// It would grow past the limit.
    TooLong,
}

impl Undecodable {
    /// Words for a loss.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::UnknownWrapper => "is neither zlib nor gzip nor zstd",
            Self::Malformed => "is damaged",
            Self::TooLong => "is longer than a line may be",
        }
    }
}

/// Decompresses zlib, gzip or zstd to at most `max` bytes.
pub(super) fn decompress(bytes: &[u8], max: usize) -> Result<Vec<u8>, Undecodable> {
    let mut rest = bytes;
    let out = match bytes {
        [0x1f, 0x8b, ..] => bounded(GzDecoder::new(&mut rest), max)?,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|_| Undecodable::Malformed)?;
            // A frame may ask for a window of gigabytes; no line needs more than this.
            decoder.window_log_max(24).map_err(|_| Undecodable::Malformed)?;
            return bounded(decoder, max);
        }
        [cmf, flg, ..] if cmf & 0x0f == 8 && u16::from_be_bytes([*cmf, *flg]).is_multiple_of(31) => {
            bounded(ZlibDecoder::new(&mut rest), max)?
        }
        _ => return Err(Undecodable::UnknownWrapper),
    };
    if rest.is_empty() { Ok(out) } else { Err(Undecodable::Malformed) }
}

fn bounded(decoder: impl Read, max: usize) -> Result<Vec<u8>, Undecodable> {
    let mut out = Vec::new();
    decoder.take((max as u64).saturating_add(1)).read_to_end(&mut out).map_err(|_| Undecodable::Malformed)?;
    if out.len() > max { Err(Undecodable::TooLong) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","n":[1,2,3,4,5,6,7,8,9,10,11,12]}}}"#;
    // Made with zlib 1.3 and gzip of Python's standard library.
    const DYNAMIC: &str = "78da8dcb4b0a02311004d0bbf4bad0e9f8cf55c4451383a3e433242d0843ee6ee309ac55518f5ae9d56b694b204f6e3311e87927cfa01c75ae56496b4d7d1b2425c3459ae44e7ea522399ac63057dba53dde3916fd91c68f1ac91fb16b217f6538ecb0c701479c70c6053c8119ec6e638c2fdc2e32df";
    const FIXED: &str = "7801ab56ca2acecf2b2a4856b25232d23350d251ca4c51b232d451ca4d2dc9c80732954af2f3738af593137372809205894589b9c54a56d54a7989b9a940d9d4e48c7ca07862517a696e6a5e0958aa24b5a20428954804006acd53b28a36d431d231d631d131d531d331d7b1d0b1d43134d03134d431348aadadad0500dc2e32df";
    const GZIP_ALL_FIELDS: &str = "1f8b081e0000000000ff03006162636e616d6500636f6d6d656e740078188dcb4b0a02311004d0bbf4bad0e9f8cf55c4451383a3e433242d0843ee6ee309ac55518f5ae9d56b694b204f6e3311e87927cfa01c75ae56496b4d7d1b2425c3459ae44e7ea522399ac63057dba53dde3916fd91c68f1ac91fb16b217f6538ecb0c701479c70c6053c8119ec6e638c2f6b390c82a4000000";

    fn bytes(hex: &str) -> Vec<u8> {
        hex::decode(hex).unwrap()
    }

    fn stored() -> Vec<u8> {
        let mut z = vec![0x78, 0x01, 0x01];
        let len = TEXT.len() as u16;
        z.extend_from_slice(&len.to_le_bytes());
        z.extend_from_slice(&(!len).to_le_bytes());
        z.extend_from_slice(TEXT);
        z.extend_from_slice(&0xdc2e_32dfu32.to_be_bytes());
        z
    }

    #[test]
    fn every_wrapper_and_kind_of_block() {
        for packed in
            [bytes(DYNAMIC), bytes(FIXED), stored(), bytes(GZIP_ALL_FIELDS), zstd::encode_all(TEXT, 3).unwrap()]
        {
            assert_eq!(decompress(&packed, TEXT.len()).as_deref(), Ok(TEXT));
            assert_eq!(decompress(&packed, TEXT.len() - 1), Err(Undecodable::TooLong));
        }
    }

    #[test]
    fn no_cut_and_no_flip_passes() {
        for packed in [bytes(DYNAMIC), bytes(FIXED), stored(), bytes(GZIP_ALL_FIELDS)] {
            for len in 0..packed.len() {
                assert!(decompress(&packed[..len], 1 << 20).is_err(), "cut at {len}");
            }
            for at in 0..packed.len() {
                let mut flipped = packed.clone();
                flipped[at] ^= 1;
                // Free fields of the gzip head and unused bits after the last block change nothing.
                if let Ok(out) = decompress(&flipped, 1 << 20) {
                    assert_eq!(out, TEXT, "flip at {at}");
                }
            }
            let mut longer = packed.clone();
            longer.push(0);
            assert!(decompress(&longer, 1 << 20).is_err());
        }
    }

    #[test]
    fn unknown_and_hostile() {
        assert_eq!(decompress(b"hello", 9), Err(Undecodable::UnknownWrapper));
        assert_eq!(decompress(b"", 9), Err(Undecodable::UnknownWrapper));
        let bomb = zstd::encode_all(std::io::repeat(0).take(1 << 24), 3).unwrap();
        assert!(bomb.len() < 4_096);
        assert_eq!(decompress(&bomb, 1 << 20), Err(Undecodable::TooLong));
    }
}

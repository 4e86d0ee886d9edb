//! Reading what a source compressed: DEFLATE (RFC 1951) in a zlib (RFC 1950) or gzip (RFC 1952) wrapper, and Zstandard.
//!
//! Written for frames of a few kilobytes: correct and bounded first, fast second.

use std::io::Read as _;

/// Why compressed bytes cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undecodable {
    /// None of the three wrappers.
    UnknownWrapper,
    /// It breaks the rules of its format, or stops too early, or goes on after its end.
    Malformed,
    /// Its checksum does not fit.
    Checksum,
    /// It would grow past the limit.
    TooLong,
}

impl Undecodable {
    /// Words for a loss.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::UnknownWrapper => "is neither zlib nor gzip nor zstd",
            Self::Malformed => "is damaged",
            Self::Checksum => "does not fit its checksum",
            Self::TooLong => "is longer than a line may be",
        }
    }
}

/// Decompresses zlib, gzip or zstd to at most `max` bytes.
pub(super) fn decompress(bytes: &[u8], max: usize) -> Result<Vec<u8>, Undecodable> {
    match bytes {
        [0x1f, 0x8b, ..] => gzip(bytes, max),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstandard(bytes, max),
        [cmf, flg, rest @ ..]
            if cmf & 0x0f == 8 && u16::from_be_bytes([*cmf, *flg]).is_multiple_of(31) && flg & 0x20 == 0 =>
        {
            let (out, rest) = inflate(rest, max)?;
            if rest != adler32(&out).to_be_bytes() { Err(Undecodable::Checksum) } else { Ok(out) }
        }
        _ => Err(Undecodable::UnknownWrapper),
    }
}

fn zstandard(bytes: &[u8], max: usize) -> Result<Vec<u8>, Undecodable> {
    let mut decoder = zstd::stream::read::Decoder::new(bytes).map_err(|_| Undecodable::Malformed)?;
    // A frame may ask for a window of gigabytes; no line needs more than this.
    decoder.window_log_max(24).map_err(|_| Undecodable::Malformed)?;
    let (mut out, most) = (Vec::new(), (max as u64).saturating_add(1));
    decoder.take(most).read_to_end(&mut out).map_err(|_| Undecodable::Malformed)?;
    if out.len() > max { Err(Undecodable::TooLong) } else { Ok(out) }
}

fn gzip(bytes: &[u8], max: usize) -> Result<Vec<u8>, Undecodable> {
    let (head, mut rest) = bytes.split_at_checked(10).ok_or(Undecodable::Malformed)?;
    let &[_, _, 8, flags, ..] = head else { return Err(Undecodable::Malformed) };
    if flags & 4 != 0 {
        let (len, after) = rest.split_first_chunk::<2>().ok_or(Undecodable::Malformed)?;
        rest = after.get(usize::from(u16::from_le_bytes(*len))..).ok_or(Undecodable::Malformed)?;
    }
    for text in [8, 16] {
        if flags & text != 0 {
            let end = rest.iter().position(|b| *b == 0).ok_or(Undecodable::Malformed)?;
            rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
        }
    }
    if flags & 2 != 0 {
        rest = rest.get(2..).ok_or(Undecodable::Malformed)?;
    }
    let (out, rest) = inflate(rest, max)?;
    let (crc, size) = rest.split_first_chunk::<4>().ok_or(Undecodable::Malformed)?;
    let size: [u8; 4] = size.try_into().map_err(|_| Undecodable::Malformed)?;
    let fits = u32::from_le_bytes(*crc) == crc32(&out) && u32::from_le_bytes(size) as usize == out.len();
    if fits { Ok(out) } else { Err(Undecodable::Checksum) }
}

/// Bits, lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    held: u32,
    count: u32,
}

impl Bits<'_> {
    fn take(&mut self, n: u32) -> Result<u32, Undecodable> {
        while self.count < n {
            let (first, rest) = self.bytes.split_first().ok_or(Undecodable::Malformed)?;
            self.held |= u32::from(*first) << self.count;
            self.count = self.count.saturating_add(8);
            self.bytes = rest;
        }
        let value = self.held & !(u32::MAX << n);
        self.held >>= n;
        self.count = self.count.saturating_sub(n);
        Ok(value)
    }

    fn drop_rest_of_byte(&mut self) {
        (self.held, self.count) = (0, 0);
    }
}

const CODE_BITS_MAX: usize = 15;

/// A canonical Huffman code: how many codes of each length, and the symbols in order of their codes.
struct Code {
    counts: [u16; CODE_BITS_MAX + 1],
    symbols: Vec<u16>,
}

impl Code {
    fn new(lengths: &[u8]) -> Result<Self, Undecodable> {
        let mut counts = [0u16; CODE_BITS_MAX + 1];
        for len in lengths {
            let slot = counts.get_mut(usize::from(*len)).ok_or(Undecodable::Malformed)?;
            *slot = slot.saturating_add(1);
        }
        let mut symbols: Vec<(u8, u16)> = lengths.iter().copied().zip(0u16..).filter(|(len, _)| *len > 0).collect();
        symbols.sort_unstable();
        if let Some(unused) = counts.first_mut() {
            *unused = 0;
        }
        // More codes than there is room for would make decoding ambiguous.
        let mut room = 1i32;
        for count in counts.iter().skip(1) {
            room = room.saturating_mul(2).saturating_sub(i32::from(*count));
            if room < 0 {
                return Err(Undecodable::Malformed);
            }
        }
        Ok(Self { counts, symbols: symbols.into_iter().map(|(_, s)| s).collect() })
    }

    fn read(&self, bits: &mut Bits<'_>) -> Result<u16, Undecodable> {
        let (mut code, mut first, mut index) = (0u32, 0u32, 0u32);
        for count in self.counts.iter().skip(1) {
            code |= bits.take(1)?;
            let count = u32::from(*count);
            if let Some(offset) = code.checked_sub(first).filter(|o| *o < count) {
                let at = index.saturating_add(offset) as usize;
                return self.symbols.get(at).copied().ok_or(Undecodable::Malformed);
            }
            index = index.saturating_add(count);
            first = first.saturating_add(count) << 1;
            code <<= 1;
        }
        Err(Undecodable::Malformed)
    }
}

const LENGTH_BASE: [u16; 29] =
    [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_BITS: [u8; 29] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE: [u16; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
    8193, 12289, 16385, 24577,
];
const DISTANCE_BITS: [u8; 30] =
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];
/// The order in which a block gives the lengths of its code lengths' own code.
const LENGTHS_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The decompressed bytes and what follows the last block.
fn inflate(bytes: &[u8], max: usize) -> Result<(Vec<u8>, &[u8]), Undecodable> {
    let mut bits = Bits { bytes, held: 0, count: 0 };
    let mut out = Vec::new();
    loop {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(&mut bits, &mut out, max)?,
            1 => {
                let (literals, distances) = fixed_codes()?;
                block(&mut bits, &literals, &distances, &mut out, max)?;
            }
            2 => {
                let (literals, distances) = dynamic_codes(&mut bits)?;
                block(&mut bits, &literals, &distances, &mut out, max)?;
            }
            _ => return Err(Undecodable::Malformed),
        }
        if last {
            return Ok((out, bits.bytes));
        }
    }
}

fn stored(bits: &mut Bits<'_>, out: &mut Vec<u8>, max: usize) -> Result<(), Undecodable> {
    bits.drop_rest_of_byte();
    let (head, rest) = bits.bytes.split_first_chunk::<4>().ok_or(Undecodable::Malformed)?;
    let [a, b, c, d] = *head;
    let len = u16::from_le_bytes([a, b]);
    if len != !u16::from_le_bytes([c, d]) {
        return Err(Undecodable::Malformed);
    }
    let (plain, rest) = rest.split_at_checked(usize::from(len)).ok_or(Undecodable::Malformed)?;
    if plain.len() > max.saturating_sub(out.len()) {
        return Err(Undecodable::TooLong);
    }
    out.extend_from_slice(plain);
    bits.bytes = rest;
    Ok(())
}

fn fixed_codes() -> Result<(Code, Code), Undecodable> {
    let runs = [(8u8, 144usize), (9, 112), (7, 24), (8, 8)];
    let lengths: Vec<u8> = runs.iter().flat_map(|(len, n)| std::iter::repeat_n(*len, *n)).collect();
    Ok((Code::new(&lengths)?, Code::new(&[5; 30])?))
}

fn dynamic_codes(bits: &mut Bits<'_>) -> Result<(Code, Code), Undecodable> {
    let literals = (bits.take(5)? as usize).saturating_add(257);
    let distances = (bits.take(5)? as usize).saturating_add(1);
    let given = (bits.take(4)? as usize).saturating_add(4);
    let mut lengths = [0u8; 19];
    for place in LENGTHS_ORDER.iter().take(given) {
        if let Some(slot) = lengths.get_mut(*place) {
            *slot = bits.take(3)? as u8;
        }
    }
    let code = Code::new(&lengths)?;
    let total = literals.saturating_add(distances);
    let mut lengths: Vec<u8> = Vec::with_capacity(total);
    while lengths.len() < total {
        let (len, times) = match code.read(bits)? {
            len @ 0..=15 => (len as u8, 1),
            16 => (*lengths.last().ok_or(Undecodable::Malformed)?, bits.take(2)?.saturating_add(3)),
            17 => (0, bits.take(3)?.saturating_add(3)),
            _ => (0, bits.take(7)?.saturating_add(11)),
        };
        lengths.extend(std::iter::repeat_n(len, times as usize));
    }
    if lengths.len() > total {
        return Err(Undecodable::Malformed);
    }
    let (l, d) = lengths.split_at_checked(literals).ok_or(Undecodable::Malformed)?;
    Ok((Code::new(l)?, Code::new(d)?))
}

fn block(
    bits: &mut Bits<'_>,
    literals: &Code,
    distances: &Code,
    out: &mut Vec<u8>,
    max: usize,
) -> Result<(), Undecodable> {
    loop {
        let symbol = usize::from(literals.read(bits)?);
        let Some(length_symbol) = symbol.checked_sub(257) else {
            if symbol == 256 {
                return Ok(());
            }
            if out.len() >= max {
                return Err(Undecodable::TooLong);
            }
            out.push(symbol as u8);
            continue;
        };
        let length = extended(bits, &LENGTH_BASE, &LENGTH_BITS, length_symbol)?;
        let distance_symbol = usize::from(distances.read(bits)?);
        let distance = extended(bits, &DISTANCE_BASE, &DISTANCE_BITS, distance_symbol)?;
        if length > max.saturating_sub(out.len()) {
            return Err(Undecodable::TooLong);
        }
        let mut from = out.len().checked_sub(distance).ok_or(Undecodable::Malformed)?;
        for _ in 0..length {
            // The copy may run into what it has just written.
            let byte = *out.get(from).ok_or(Undecodable::Malformed)?;
            out.push(byte);
            from = from.saturating_add(1);
        }
    }
}

fn extended(bits: &mut Bits<'_>, base: &[u16], extra: &[u8], symbol: usize) -> Result<usize, Undecodable> {
    let (base, extra) = base.get(symbol).zip(extra.get(symbol)).ok_or(Undecodable::Malformed)?;
    Ok(usize::from(*base).saturating_add(bits.take(u32::from(*extra))? as usize))
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = a.wrapping_add(u32::from(*byte)) % 65_521;
        b = b.wrapping_add(a) % 65_521;
    }
    b << 16 | a
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","n":[1,2,3,4,5,6,7,8,9,10,11,12]}}}"#;
    // Made with zlib 1.3 and gzip of Python's standard library.
    const DYNAMIC: &str = "78da8dcb4b0a02311004d0bbf4bad0e9f8cf55c4451383a3e433242d0843ee6ee309ac55518f5ae9d56b694b204f6e3311e87927cfa01c75ae56496b4d7d1b2425c3459ae44e7ea522399ac63057dba53dde3916fd91c68f1ac91fb16b217f6538ecb0c701479c70c6053c8119ec6e638c2fdc2e32df";
    const FIXED: &str = "7801ab56ca2acecf2b2a4856b25232d23350d251ca4c51b232d451ca4d2dc9c80732954af2f3738af593137372809205894589b9c54a56d54a7989b9a940d9d4e48c7ca07862517a696e6a5e0958aa24b5a20428954804006acd53b28a36d431d231d631d131d531d331d7b1d0b1d43134d03134d431348aadadad0500dc2e32df";
    const GZIP_ALL_FIELDS: &str = "1f8b081e0000000000ff03006162636e616d6500636f6d6d656e740068688dcb4b0a02311004d0bbf4bad0e9f8cf55c4451383a3e433242d0843ee6ee309ac55518f5ae9d56b694b204f6e3311e87927cfa01c75ae56496b4d7d1b2425c3459ae44e7ea522399ac63057dba53dde3916fd91c68f1ac91fb16b217f6538ecb0c701479c70c6053c8119ec6e638c2f6b390c82a4000000";

    fn bytes(hex: &str) -> Vec<u8> {
        hex::decode(hex).unwrap()
    }

    fn stored() -> Vec<u8> {
        let mut z = vec![0x78, 0x01, 0x01];
        let len = TEXT.len() as u16;
        z.extend_from_slice(&len.to_le_bytes());
        z.extend_from_slice(&(!len).to_le_bytes());
        z.extend_from_slice(TEXT);
        z.extend_from_slice(&adler32(TEXT).to_be_bytes());
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

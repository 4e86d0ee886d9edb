//! The reader: one pass, no copying, one encoding for each meaning.

use super::CborError;
use crate::codec::limits::{CBOR_DEPTH_MAX, CBOR_ITEMS_MAX};

/// Reads one item after another, strictly, without copying.
#[derive(Clone)]
pub struct Reader<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `input`.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { input, at: 0 }
    }

    /// Bytes consumed so far.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Is everything consumed?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.at >= self.input.len()
    }

    /// Asserts that nothing is left over.
    ///
    /// # Errors
    /// [`CborError::Trailing`].
    pub const fn end(&self) -> Result<(), CborError> {
        if self.is_empty() { Ok(()) } else { Err(CborError::Trailing) }
    }

    fn byte(&mut self) -> Result<u8, CborError> {
        let b = *self.input.get(self.at).ok_or(CborError::Truncated)?;
        self.at = self.at.saturating_add(1);
        Ok(b)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], CborError> {
        let end = self.at.checked_add(len).ok_or(CborError::Truncated)?;
        let part = self.input.get(self.at..end).ok_or(CborError::Truncated)?;
        self.at = end;
        Ok(part)
    }

    /// Major type and argument of the next head.
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let first = self.byte()?;
        let (major, info) = (first >> 5, first & 0x1f);
        let argument = match info {
            0..=23 => return Ok((major, u64::from(info))),
            24 => {
                let v = u64::from(self.byte()?);
                if major == 7 {
                    return Err(CborError::Simple);
                }
                if v < 24 {
                    return Err(CborError::NotShortest);
                }
                v
            }
            25 => self.wide(major, 2, u64::from(u8::MAX))?,
            26 => self.wide(major, 4, u64::from(u16::MAX))?,
            27 => self.wide(major, 8, u64::from(u32::MAX))?,
            31 if (2..=5).contains(&major) => return Err(CborError::Indefinite),
            _ => return Err(CborError::Reserved),
        };
        Ok((major, argument))
    }

    fn wide(&mut self, major: u8, len: usize, smaller_max: u64) -> Result<u64, CborError> {
        if major == 7 {
            return Err(CborError::Simple);
        }
        let v = self.take(len)?.iter().fold(0u64, |acc, b| (acc << 8) | u64::from(*b));
        if v <= smaller_max { Err(CborError::NotShortest) } else { Ok(v) }
    }

    fn expect_head(&mut self, wanted: u8) -> Result<u64, CborError> {
        let (major, argument) = self.head()?;
        if major == wanted {
            return Ok(argument);
        }
        Err(match (major, argument) {
            (6, _) => CborError::Tag,
            (7, a) if !(20..=22).contains(&a) => CborError::Simple,
            _ => CborError::Type,
        })
    }

    /// An unsigned integer.
    ///
    /// # Errors
    /// [`CborError`], here and below: the item is missing, malformed or of another type.
    pub fn uint(&mut self) -> Result<u64, CborError> {
        self.expect_head(0)
    }

    /// An unsigned integer that fits `T`.
    pub fn uint_in<T: TryFrom<u64>>(&mut self) -> Result<T, CborError> {
        T::try_from(self.uint()?).map_err(|_| CborError::Range)
    }

    /// A signed integer.
    pub fn int(&mut self) -> Result<i64, CborError> {
        let (major, argument) = self.head()?;
        let magnitude = i64::try_from(argument).map_err(|_| CborError::Range)?;
        match major {
            0 => Ok(magnitude),
            1 => Ok(!magnitude),
            6 => Err(CborError::Tag),
            _ => Err(CborError::Type),
        }
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let len = self.expect_head(2)?;
        self.take(usize::try_from(len).map_err(|_| CborError::Truncated)?)
    }

    /// A byte string of exactly `N` bytes.
    pub fn bytes_n<const N: usize>(&mut self) -> Result<[u8; N], CborError> {
        self.bytes()?.try_into().map_err(|_| CborError::Length)
    }

    /// A text string.
    pub fn text(&mut self) -> Result<&'a str, CborError> {
        let len = self.expect_head(3)?;
        let raw = self.take(usize::try_from(len).map_err(|_| CborError::Truncated)?)?;
        std::str::from_utf8(raw).map_err(|_| CborError::Utf8)
    }

    /// true or false.
    pub fn bool(&mut self) -> Result<bool, CborError> {
        match self.expect_head(7)? {
            20 => Ok(false),
            21 => Ok(true),
            22 => Err(CborError::Type),
            _ => Err(CborError::Simple),
        }
    }

    /// Consumes a null if one is next.
    pub fn null_if_next(&mut self) -> bool {
        let next = self.input.get(self.at) == Some(&0xf6);
        if next {
            self.at = self.at.saturating_add(1);
        }
        next
    }

    /// Does an array come next?
    #[must_use]
    pub fn array_is_next(&self) -> bool {
        self.input.get(self.at).is_some_and(|head| head >> 5 == 4)
    }

    /// The head of an array; its number of items.
    pub fn array(&mut self) -> Result<usize, CborError> {
        self.container(4)
    }

    /// The head of an array of exactly `len` items.
    pub fn array_of(&mut self, len: usize) -> Result<(), CborError> {
        if self.array()? == len { Ok(()) } else { Err(CborError::Length) }
    }

    fn container(&mut self, major: u8) -> Result<usize, CborError> {
        let len = self.expect_head(major)?;
        if len > CBOR_ITEMS_MAX {
            return Err(CborError::Items);
        }
        let left = self.input.len().saturating_sub(self.at) as u64;
        // Every item takes at least one byte: a huge claim is refused before anything is reserved for it.
        if len.saturating_mul(if major == 5 { 2 } else { 1 }) > left {
            return Err(CborError::Truncated);
        }
        usize::try_from(len).map_err(|_| CborError::Items)
    }

    /// A map: calls `pair` with a reader on each value, keys checked for order and duplicates.
    pub fn map(
        &mut self,
        mut pair: impl FnMut(Key<'a>, &mut Reader<'a>) -> Result<(), CborError>,
    ) -> Result<(), CborError> {
        let len = self.container(5)?;
        let mut last: Option<&'a [u8]> = None;
        for _ in 0..len {
            let start = self.at;
            let key = self.key()?;
            let encoded = self.input.get(start..self.at).ok_or(CborError::Truncated)?;
            match last.map(|l| l.cmp(encoded)) {
                Some(std::cmp::Ordering::Equal) => return Err(CborError::DuplicateKey),
                Some(std::cmp::Ordering::Greater) => return Err(CborError::KeyOrder),
                _ => last = Some(encoded),
            }
            pair(key, self)?;
        }
        Ok(())
    }

    fn key(&mut self) -> Result<Key<'a>, CborError> {
        match self.input.get(self.at).ok_or(CborError::Truncated)? >> 5 {
            0 | 1 => Ok(Key::Int(self.int()?)),
            3 => Ok(Key::Text(self.text()?)),
            6 => Err(CborError::Tag),
            _ => Err(CborError::Type),
        }
    }

    /// The tag `wanted`.
    pub fn tag(&mut self, wanted: u64) -> Result<(), CborError> {
        if self.expect_head(6)? == wanted { Ok(()) } else { Err(CborError::Tag) }
    }

    /// The label every labelled array begins with.
    pub fn label(&mut self, wanted: &str) -> Result<(), CborError> {
        if self.text()? == wanted { Ok(()) } else { Err(CborError::Label) }
    }

    /// Any one item of the profile (no tags), checked throughout; its bytes.
    pub fn any(&mut self) -> Result<&'a [u8], CborError> {
        self.any_within(0)
    }

    /// As [`Reader::any`], for an item that stands inside `depth` arrays and maps already.
    pub fn any_within(&mut self, depth: usize) -> Result<&'a [u8], CborError> {
        let start = self.at;
        self.skip(depth)?;
        self.input.get(start..self.at).ok_or(CborError::Truncated)
    }

    fn skip(&mut self, depth: usize) -> Result<(), CborError> {
        let major = self.input.get(self.at).ok_or(CborError::Truncated)? >> 5;
        if matches!(major, 4 | 5) && depth >= CBOR_DEPTH_MAX {
            return Err(CborError::Depth);
        }
        match major {
            0 | 1 => self.head().map(|_| ()),
            2 => self.bytes().map(|_| ()),
            3 => self.text().map(|_| ()),
            4 => {
                for _ in 0..self.array()? {
                    self.skip(depth.saturating_add(1))?;
                }
                Ok(())
            }
            5 => self.map(|_, value| value.skip(depth.saturating_add(1))),
            6 => Err(CborError::Tag),
            _ => match self.head()?.1 {
                20..=22 => Ok(()),
                _ => Err(CborError::Simple),
            },
        }
    }
}

/// A map key of the profile: an integer or a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key<'a> {
    /// An integer key.
    Int(i64),
    /// A text key.
    Text(&'a str),
}

/// Checks that `bytes` are one item of the profile, with nothing left over.
///
/// # Errors
/// [`CborError`].
pub fn check(bytes: &[u8]) -> Result<(), CborError> {
    let mut r = Reader::new(bytes);
    r.any()?;
    r.end()
}

/// A checked item as a tree, for display.
///
/// # Errors
/// [`CborError`].
pub fn value(bytes: &[u8]) -> Result<ciborium::Value, CborError> {
    check(bytes)?;
    ciborium::from_reader(bytes).map_err(|_| CborError::Type)
}

#[cfg(test)]
mod tests {
    use super::super::encode;
    use super::*;

    #[test]
    fn refuses_each_other_encoding() {
        let cases: &[(&str, CborError)] = &[
            ("1801", CborError::NotShortest),
            ("1900ff", CborError::NotShortest),
            ("1a0000ffff", CborError::NotShortest),
            ("1b00000000ffffffff", CborError::NotShortest),
            ("780161", CborError::NotShortest),
            ("5f4101ff", CborError::Indefinite),
            ("9f01ff", CborError::Indefinite),
            ("bf0101ff", CborError::Indefinite),
            ("1c", CborError::Reserved),
            ("ff", CborError::Reserved),
            ("f93c00", CborError::Simple),
            ("f7", CborError::Simple),
            ("f818", CborError::Simple),
            ("c101", CborError::Tag),
            ("a201000100", CborError::DuplicateKey),
            ("a202000100", CborError::KeyOrder),
            ("61ff", CborError::Utf8),
            ("0000", CborError::Trailing),
            ("42ff", CborError::Truncated),
            ("9a00ffffff", CborError::Truncated),
            ("9b00000001000000ff", CborError::Items),
            ("a1820000", CborError::Type),
            ("", CborError::Truncated),
        ];
        for (hex, wanted) in cases {
            assert_eq!(check(&hex::decode(hex).unwrap()), Err(*wanted), "{hex}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let mut deep = vec![0x81u8; CBOR_DEPTH_MAX];
        deep.push(0);
        assert_eq!(check(&deep), Ok(()));
        deep.insert(0, 0x81);
        assert_eq!(check(&deep), Err(CborError::Depth));
        assert_eq!(check(&vec![0x81u8; 100_000]), Err(CborError::Depth));
    }

    #[test]
    fn integers_round_trip() {
        for v in [0, 1, 23, 24, 255, 256, 65_535, 65_536, i64::MAX, -1, -24, -25, -256, i64::MIN] {
            let bytes = encode(|w| w.int(v));
            assert_eq!(check(&bytes), Ok(()));
            assert_eq!(Reader::new(&bytes).int(), Ok(v));
        }
    }

    #[test]
    fn typed_reading_names_the_fault() {
        let item = |h: &str| hex::decode(h).unwrap();
        assert_eq!(Reader::new(&item("01")).text(), Err(CborError::Type));
        assert_eq!(Reader::new(&item("4100")).bytes_n::<2>(), Err(CborError::Length));
        assert_eq!(Reader::new(&item("190100")).uint_in::<u8>(), Err(CborError::Range));
        assert_eq!(Reader::new(&item("6161")).label("b"), Err(CborError::Label));
        assert_eq!(Reader::new(&item("d200")).uint(), Err(CborError::Tag));
        assert_eq!(Reader::new(&item("f6")).bool(), Err(CborError::Type));
    }
}

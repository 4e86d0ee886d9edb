//! A reader that takes the profile and nothing else.

use super::{DEEPEST, MOST_ITEMS};
use crate::error::{CUT, Result, ensure, refuse};

/// Key of a map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key<'a> {
    /// An integer from -2^63 to 2^63-1.
    Int(i64),
    /// A text.
    Text(&'a str),
}

/// Reads items one after another from the front of some bytes.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// Checks that the bytes are exactly one item of the profile, without tags.
///
/// # Errors
/// Anything else.
pub fn whole_item(bytes: &[u8]) -> Result<()> {
    let mut reader = Reader::new(bytes);
    reader.item(DEEPEST)?;
    reader.end()
}

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Refuses bytes that were not read.
    ///
    /// # Errors
    /// When there are any.
    pub fn end(&self) -> Result<()> {
        ensure(self.rest.is_empty(), "bytes after the item")
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let Some((front, rest)) = self.rest.split_at_checked(n) else { return Err(CUT) };
        self.rest = rest;
        Ok(front)
    }

    fn byte(&mut self) -> Result<u8> {
        let Some((first, rest)) = self.rest.split_first() else { return Err(CUT) };
        self.rest = rest;
        Ok(*first)
    }

    /// Head of an item: major type and its number, in shortest form.
    fn head(&mut self) -> Result<(u8, u64)> {
        let first = self.byte()?;
        let (major, info) = (first >> 5, first & 31);
        let size = match info {
            0..=23 => return Ok((major, u64::from(info))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return refuse("a reserved or indefinite head"),
        };
        ensure(major != 7, "a float or a simple value that is not in the profile")?;
        let number = self.take(size)?.iter().fold(0_u64, |sum, b| (sum << 8) | u64::from(*b));
        let least = match size {
            1 => 24,
            2 => 0x100,
            4 => 0x1_0000,
            _ => 0x1_0000_0000,
        };
        ensure(number >= least, "a head that is longer than it need be")?;
        Ok((major, number))
    }

    fn of_major(&mut self, major: u8, why: &'static str) -> Result<u64> {
        let (found, number) = self.head()?;
        ensure(found == major, why)?;
        Ok(number)
    }

    /// An unsigned integer.
    ///
    /// # Errors
    /// Another item.
    pub fn uint(&mut self) -> Result<u64> {
        self.of_major(0, "no unsigned integer where one belongs")
    }

    /// An unsigned integer up to a bound.
    ///
    /// # Errors
    /// Another item, a larger number.
    pub fn uint_to(&mut self, most: u64) -> Result<u64> {
        let number = self.uint()?;
        ensure(number <= most, "a number out of its range")?;
        Ok(number)
    }

    /// Any integer, -2^64 to 2^64-1.
    ///
    /// # Errors
    /// Another item.
    pub fn int(&mut self) -> Result<i128> {
        match self.head()? {
            (0, n) => Ok(i128::from(n)),
            (1, n) => Ok(!i128::from(n)),
            _ => refuse("no integer where one belongs"),
        }
    }

    /// A byte string.
    ///
    /// # Errors
    /// Another item.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.of_major(2, "no byte string where one belongs")?;
        self.take(usize::try_from(n).map_err(|_| CUT)?)
    }

    /// A byte string of at most so many bytes.
    ///
    /// # Errors
    /// Another item, a longer one.
    pub fn bytes_to(&mut self, most: usize) -> Result<&'a [u8]> {
        let bytes = self.bytes()?;
        ensure(bytes.len() <= most, "a byte string over its limit")?;
        Ok(bytes)
    }

    /// A byte string of exactly N bytes.
    ///
    /// # Errors
    /// Another item, another length.
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.bytes()?;
        match <[u8; N]>::try_from(bytes) {
            Ok(array) => Ok(array),
            Err(_) => refuse("a byte string of another length than its own"),
        }
    }

    /// A text string.
    ///
    /// # Errors
    /// Another item, bytes that are no UTF-8.
    pub fn text(&mut self) -> Result<&'a str> {
        let n = self.of_major(3, "no text where one belongs")?;
        utf8(self.take(usize::try_from(n).map_err(|_| CUT)?)?)
    }

    /// A text that is this one.
    ///
    /// # Errors
    /// Another item or text.
    pub fn label(&mut self, label: &str) -> Result<()> {
        let text = self.text()?;
        ensure(text == label, "another label")
    }

    /// A text of 1 to 128 bytes.
    ///
    /// # Errors
    /// Another item or length.
    pub fn short_text(&mut self) -> Result<&'a str> {
        let text = self.text()?;
        ensure((1..=128).contains(&text.len()), "a text that is not 1 to 128 bytes long")?;
        Ok(text)
    }

    /// True or false.
    ///
    /// # Errors
    /// Another item.
    pub fn boolean(&mut self) -> Result<bool> {
        match self.head()? {
            (7, 20) => Ok(false),
            (7, 21) => Ok(true),
            _ => refuse("neither true nor false"),
        }
    }

    /// Null (None), or what the closure reads.
    ///
    /// # Errors
    /// Those of the closure.
    pub fn nullable<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if self.rest.first() == Some(&0xf6) {
            self.byte()?;
            return Ok(None);
        }
        read(self).map(Some)
    }

    /// Null.
    ///
    /// # Errors
    /// Another item.
    pub fn null(&mut self) -> Result<()> {
        let head = self.head()?;
        ensure(head == (7, 22), "something where null belongs")
    }

    /// Tag 18.
    ///
    /// # Errors
    /// Another tag or item.
    pub fn tag_18(&mut self) -> Result<()> {
        let head = self.head()?;
        ensure(head == (6, 18), "no tag 18 in front")
    }

    /// Head of an array; what follows are its items.
    ///
    /// # Errors
    /// Another item, too many items.
    pub fn array(&mut self) -> Result<u64> {
        let n = self.of_major(4, "no array where one belongs")?;
        ensure(n <= MOST_ITEMS, "more items than an array has")?;
        Ok(n)
    }

    /// Head of an array of so many items.
    ///
    /// # Errors
    /// Another item, another number of items.
    pub fn array_of(&mut self, n: u64) -> Result<()> {
        let found = self.array()?;
        ensure(found == n, "another number of items")
    }

    /// An array with one item at least; the closure reads each.
    ///
    /// # Errors
    /// Another item, an empty array, those of the closure.
    pub fn some(&mut self, mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<u64> {
        let n = self.array()?;
        ensure(n > 0, "a list without items")?;
        for _ in 0..n {
            each(self)?;
        }
        Ok(n)
    }

    fn key(&mut self) -> Result<Key<'a>> {
        match self.head()? {
            (0, n) => match i64::try_from(n) {
                Ok(n) => Ok(Key::Int(n)),
                Err(_) => refuse("a key past 2^63-1"),
            },
            (1, n) => match i64::try_from(n) {
                Ok(n) => Ok(Key::Int(!n)),
                Err(_) => refuse("a key below -2^63"),
            },
            (3, n) => {
                let n = usize::try_from(n).map_err(|_| CUT)?;
                Ok(Key::Text(utf8(self.take(n)?)?))
            }
            _ => refuse("a key that is neither integer nor text"),
        }
    }

    /// A map; the closure reads the value of each key, which strictly ascend by their encodings.
    ///
    /// # Errors
    /// Another item, keys out of order, those of the closure.
    pub fn map(&mut self, mut each: impl FnMut(Key<'a>, &mut Self) -> Result<()>) -> Result<u64> {
        let n = self.of_major(5, "no map where one belongs")?;
        ensure(n <= MOST_ITEMS, "more pairs than a map has")?;
        let mut before: &[u8] = &[];
        for _ in 0..n {
            let at = self.rest;
            let key = self.key()?;
            let used = at.len().saturating_sub(self.rest.len());
            let encoding = at.get(..used).unwrap_or_default();
            ensure(before < encoding, "keys that do not ascend")?;
            before = encoding;
            each(key, self)?;
        }
        Ok(n)
    }

    /// A map with integer keys from 0 on. The closure is told each key.
    ///
    /// # Errors
    /// As [`Reader::map`], and other keys.
    pub fn table(&mut self, mut each: impl FnMut(u64, &mut Self) -> Result<()>) -> Result<u64> {
        self.map(|key, reader| match key {
            Key::Int(n) => match u64::try_from(n) {
                Ok(n) => each(n, reader),
                Err(_) => refuse("a key that no table names"),
            },
            Key::Text(_) => refuse("a text as key"),
        })
    }

    /// Passes over one item of the profile that is nested at most so deep, and gives its bytes.
    ///
    /// # Errors
    /// Anything out of the profile, deeper nesting.
    pub fn item(&mut self, depth: u8) -> Result<&'a [u8]> {
        let at = self.rest;
        self.walk(depth)?;
        let used = at.len().saturating_sub(self.rest.len());
        Ok(at.get(..used).unwrap_or_default())
    }

    fn walk(&mut self, depth: u8) -> Result<()> {
        let Some(first) = self.rest.first() else { return Err(CUT) };
        match first >> 5 {
            0 | 1 => self.head().map(|_| ()),
            2 => self.bytes().map(|_| ()),
            3 => self.text().map(|_| ()),
            4 => {
                let below = deeper(depth)?;
                for _ in 0..self.array()? {
                    self.walk(below)?;
                }
                Ok(())
            }
            5 => {
                let below = deeper(depth)?;
                self.map(|_, reader| reader.walk(below)).map(|_| ())
            }
            7 => match self.head()? {
                (_, 20..=22) => Ok(()),
                _ => refuse("a simple value that is not in the profile"),
            },
            _ => refuse("a tag"),
        }
    }
}

fn deeper(depth: u8) -> Result<u8> {
    match depth.checked_sub(1) {
        Some(below) => Ok(below),
        None => refuse("nested too deep"),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    match core::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => refuse("text that is no UTF-8"),
    }
}

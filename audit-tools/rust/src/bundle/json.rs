//! JSON as strictly as 6.3 asks for it, read by somebody who knows what comes.

use crate::error::{Result, ensure, refuse};
use alloc::string::String;
use alloc::vec::Vec;

/// Greatest number: 2^53-1.
const MOST: u64 = (1 << 53) - 1;

/// A reader at some place of a document.
pub struct Json<'a> {
    rest: &'a [u8],
}

impl<'a> Json<'a> {
    /// A reader of a whole document.
    pub fn new(text: &'a [u8]) -> Result<Self> {
        match core::str::from_utf8(text) {
            Ok(_) => Ok(Self { rest: text }),
            Err(_) => refuse("JSON that is no UTF-8"),
        }
    }

    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.rest.first().copied()
    }

    fn byte(&mut self) -> Result<u8> {
        let Some((first, rest)) = self.rest.split_first() else { return refuse("JSON that ends early") };
        self.rest = rest;
        Ok(*first)
    }

    fn token(&mut self, wanted: u8) -> Result<()> {
        self.space();
        let found = self.byte()?;
        ensure(found == wanted, "another token of JSON than belongs here")
    }

    /// Refuses what follows the document.
    pub fn end(&mut self) -> Result<()> {
        self.space();
        ensure(self.rest.is_empty(), "bytes after the JSON document")
    }

    /// Takes a word such as `null` when it is next.
    fn word(&mut self, word: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(word.as_bytes()) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Null (None), or what the closure reads.
    pub fn nullable<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if self.word("null") { Ok(None) } else { read(self).map(Some) }
    }

    /// True or false.
    pub fn boolean(&mut self) -> Result<bool> {
        if self.word("true") {
            return Ok(true);
        }
        ensure(self.word("false"), "neither true nor false")?;
        Ok(false)
    }

    /// A number from 0 to 2^53-1 in digits alone.
    pub fn number(&mut self) -> Result<u64> {
        self.space();
        let n = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at_checked(n).unwrap_or((&[], &[]));
        ensure(!matches!(rest.first(), Some(b'.' | b'e' | b'E' | b'-' | b'+')), "a number that is not digits alone")?;
        let number = crate::text::decimal(core::str::from_utf8(digits).unwrap_or_default())?;
        ensure(number <= MOST, "a number over 2^53-1")?;
        self.rest = rest;
        Ok(number)
    }

    /// A text.
    pub fn text(&mut self) -> Result<String> {
        self.token(b'"')?;
        let mut bytes = Vec::new();
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => {
                    let mut buffer = [0; 4];
                    bytes.extend_from_slice(self.escape()?.encode_utf8(&mut buffer).as_bytes());
                }
                0..=0x1f => return refuse("a control character in a text"),
                other => bytes.push(other),
            }
        }
        String::from_utf8(bytes).map_or_else(|_| refuse("JSON that is no UTF-8"), Ok)
    }

    fn escape(&mut self) -> Result<char> {
        Ok(match self.byte()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.four()?;
                let code = match first {
                    0xd800..=0xdbff => {
                        ensure(self.byte()? == b'\\' && self.byte()? == b'u', "half of a surrogate pair")?;
                        let second = self.four()?;
                        ensure((0xdc00..=0xdfff).contains(&second), "half of a surrogate pair")?;
                        0x1_0000_u32.saturating_add((first & 0x3ff) << 10).saturating_add(second & 0x3ff)
                    }
                    other => other,
                };
                char::from_u32(code).map_or_else(|| refuse("half of a surrogate pair"), Ok)?
            }
            _ => return refuse("an escape that JSON does not have"),
        })
    }

    fn four(&mut self) -> Result<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = char::from(self.byte()?).to_digit(16) else {
                return refuse("no hexadecimal digit in an escape");
            };
            code = code << 4 | digit;
        }
        Ok(code)
    }

    /// A list; the closure reads each item.
    pub fn list(&mut self, mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.token(b'[')?;
        if self.peek() == Some(b']') {
            return self.token(b']');
        }
        loop {
            each(self)?;
            match self.peek() {
                Some(b',') => self.token(b',')?,
                _ => return self.token(b']'),
            }
        }
    }

    /// An object with some of these names, each at most once; tells which, as bits in their order. The closure reads the
    /// value of the name of that number.
    pub fn object(&mut self, names: &[&str], mut each: impl FnMut(usize, &mut Self) -> Result<()>) -> Result<u32> {
        let mut seen = 0_u32;
        self.token(b'{')?;
        if self.peek() == Some(b'}') {
            self.token(b'}')?;
            return Ok(0);
        }
        loop {
            let name = self.text()?;
            let Some(at) = names.iter().position(|known| *known == name) else {
                return refuse("a name that is not known");
            };
            let bit = 1_u32.checked_shl(u32::try_from(at).unwrap_or(32)).unwrap_or(0);
            ensure(seen & bit == 0, "a name twice in one object")?;
            seen |= bit;
            self.token(b':')?;
            each(at, self)?;
            match self.peek() {
                Some(b',') => self.token(b',')?,
                _ => {
                    self.token(b'}')?;
                    return Ok(seen);
                }
            }
        }
    }

    /// An object with all of these names.
    pub fn whole(&mut self, names: &[&str], each: impl FnMut(usize, &mut Self) -> Result<()>) -> Result<()> {
        let seen = self.object(names, each)?;
        ensure(seen.count_ones() as usize == names.len(), "a name is missing")
    }
}

//! The little of an RFC 3161 token that is read without roots: which hash it is about, and when (5-proof, section 5.6).

use crate::digest::Hash;
use crate::error::{Result, ensure, refuse};

/// Most bytes of a token.
const MOST_BYTES: usize = 32 * 1024;
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];

/// What a token says. Its signature was not verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    /// The hash that it is about.
    pub imprint: Hash,
    /// `genTime` in milliseconds since 1970, cut down.
    pub time: u64,
}

/// Values of DER, one after another.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Result<(u8, &'a [u8])> {
        let [tag, length, rest @ ..] = self.0 else { return refuse("DER that ends early") };
        let (length, rest) = match length {
            0..=0x7f => (usize::from(*length), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(length & 3)).unwrap_or((&[], &[]));
                let n = bytes.iter().fold(0_usize, |n, b| n << 8 | usize::from(*b));
                let least = [0x80, 0x100, 0x1_0000].get(bytes.len().wrapping_sub(1)).copied().unwrap_or(usize::MAX);
                ensure(n >= least, "a length that is not in the form of DER")?;
                (n, rest)
            }
            _ => return refuse("a length that is not in the form of DER"),
        };
        let Some((value, rest)) = rest.split_at_checked(length) else { return refuse("DER that ends early") };
        self.0 = rest;
        Ok((*tag, value))
    }

    fn of(&mut self, tag: u8) -> Result<&'a [u8]> {
        let (found, value) = self.next()?;
        ensure(found == tag, "another value of DER than belongs here")?;
        Ok(value)
    }

    fn end(&self) -> Result<()> {
        ensure(self.0.is_empty(), "bytes after a value of DER")
    }

    fn is(&mut self, tag: u8, wanted: &[u8], why: &'static str) -> Result<()> {
        let value = self.of(tag)?;
        ensure(value == wanted, why)
    }
}

impl Token {
    /// Reads a token.
    ///
    /// # Errors
    /// What is no token over SHA-256.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        ensure(bytes.len() <= MOST_BYTES, "a token over 32 KiB")?;
        let mut outer = Der(bytes);
        let mut content = Der(outer.of(0x30)?);
        outer.end()?;
        content.is(6, SIGNED_DATA, "no signed data")?;
        let mut inner = Der(content.of(0xa0)?);
        content.end()?;
        let mut signed = Der(inner.of(0x30)?);
        inner.end()?;
        signed.is(2, &[3], "another version of signed data")?;
        signed.of(0x31)?;
        // What stands behind the content, certificates and signatures, is for who has roots: it may be in any form here.
        let mut encapsulated = Der(signed.of(0x30)?);
        encapsulated.is(6, TST_INFO, "no time-stamp in the signed data")?;
        let mut wrapped = Der(encapsulated.of(0xa0)?);
        encapsulated.end()?;
        let mut octets = Der(wrapped.of(4)?);
        wrapped.end()?;
        let mut info = Der(octets.of(0x30)?);
        octets.end()?;
        info.is(2, &[1], "another version of time-stamps")?;
        info.of(6)?;
        let imprint = imprint(info.of(0x30)?)?;
        info.of(2)?;
        // Nor is looked at what stands behind the time.
        let time = time(info.of(0x18)?)?;
        Ok(Self { imprint, time })
    }
}

fn imprint(bytes: &[u8]) -> Result<Hash> {
    let mut parts = Der(bytes);
    let mut algorithm = Der(parts.of(0x30)?);
    algorithm.is(6, SHA_256, "an imprint of another algorithm than SHA-256")?;
    if !algorithm.0.is_empty() {
        algorithm.is(5, &[], "parameters of an algorithm that has none")?;
    }
    algorithm.end()?;
    let hash = parts.of(4)?;
    parts.end()?;
    match hash.try_into() {
        Ok(hash) => Ok(hash),
        Err(_) => refuse("an imprint of another length"),
    }
}

/// `YYYYMMDDhhmmss[.f]Z` in milliseconds since 1970.
fn time(bytes: &[u8]) -> Result<u64> {
    const FORM: &str = "a time in another form";
    let Some(written) = core::str::from_utf8(bytes).ok().and_then(|text| text.strip_suffix('Z')) else {
        return refuse(FORM);
    };
    let (whole, fraction) =
        written.split_once('.').map_or((written, None), |(whole, fraction)| (whole, Some(fraction)));
    ensure(whole.len() == 14 && whole.bytes().all(|b| b.is_ascii_digit()), FORM)?;
    let part = |from: usize, to: usize| whole.get(from..to).and_then(|digits| digits.parse::<u64>().ok()).unwrap_or(0);
    let (year, month, day) = (part(0, 4), part(4, 6), part(6, 8));
    let (hour, minute, second) = (part(8, 10), part(10, 12), part(12, 14));
    let leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let Some(length) = usize::try_from(month).ok().and_then(|m| lengths.get(m.wrapping_sub(1))) else {
        return refuse(FORM);
    };
    ensure(year >= 1970 && (1..=*length).contains(&day) && hour < 24 && minute < 60 && second < 60, FORM)?;
    let before = year.saturating_sub(1);
    let leaps = (before / 4).saturating_sub(before / 100).saturating_add(before / 400).saturating_sub(477);
    let months: u64 = lengths.iter().take(usize::try_from(month).unwrap_or(1).saturating_sub(1)).sum();
    let days = year.saturating_sub(1970).saturating_mul(365).saturating_add(leaps).saturating_add(months);
    let days = days.saturating_add(day.saturating_sub(1));
    let seconds = days.saturating_mul(86_400).saturating_add(hour.saturating_mul(3600));
    let seconds = seconds.saturating_add(minute.saturating_mul(60)).saturating_add(second);
    let milliseconds = match fraction {
        None => 0,
        Some(digits) => {
            let good = (1..=18).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            ensure(good && !digits.ends_with('0'), FORM)?;
            digits
                .bytes()
                .chain(*b"000")
                .take(3)
                .fold(0_u64, |n, b| n.saturating_mul(10).saturating_add(u64::from(b & 15)))
        }
    };
    Ok(seconds.saturating_mul(1000).saturating_add(milliseconds))
}

//! The few shapes of DER that time-stamps and certificates are made of.
//!
//! Lengths and headers are read by the crate `der`; nothing here recurses, so that no depth of nesting in the input matters.

use der::{Decode as _, Header, Reader as _, SliceReader};

use super::TimestampError;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `NULL`, whole: what an algorithm without parameters may have in their place.
const NULL: [u8; 2] = [5, 0];

/// Context-specific, primitive.
pub(super) const fn plain(number: u8) -> u8 {
    0x80 | number
}

/// Context-specific, constructed.
pub(super) const fn holding(number: u8) -> u8 {
    0xa0 | number
}

/// Items one after the other: what is left of a constructed value. `part` is its name in errors.
#[derive(Clone)]
pub(super) struct Items<'a> {
    reader: SliceReader<'a>,
    part: &'static str,
}

impl<'a> Items<'a> {
    pub(super) fn new(bytes: &'a [u8], part: &'static str) -> Result<Self, TimestampError> {
        let reader = SliceReader::new(bytes).map_err(|_| TimestampError::Form(part))?;
        Ok(Self { reader, part })
    }

    pub(super) const fn fault(&self) -> TimestampError {
        TimestampError::Form(self.part)
    }

    /// Is the next item one of this tag?
    pub(super) fn is_next(&self, tag: u8) -> bool {
        self.reader.peek_byte() == Some(tag)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.reader.is_finished()
    }

    /// Value of the next item, which must have this tag.
    pub(super) fn value(&mut self, tag: u8) -> Result<&'a [u8], TimestampError> {
        if !self.is_next(tag) {
            return Err(self.fault());
        }
        let header = Header::decode(&mut self.reader).map_err(|_| self.fault())?;
        self.reader.read_slice(header.length()).map_err(|_| self.fault())
    }

    /// The next item, which must have this tag, from its tag on.
    pub(super) fn whole(&mut self, tag: u8) -> Result<&'a [u8], TimestampError> {
        if !self.is_next(tag) {
            return Err(self.fault());
        }
        self.reader.tlv_bytes().map_err(|_| self.fault())
    }

    /// The next item, whatever its tag, from its tag on.
    pub(super) fn any(&mut self) -> Result<&'a [u8], TimestampError> {
        self.reader.tlv_bytes().map_err(|_| self.fault())
    }

    /// Value of the next item if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, TimestampError> {
        if self.is_next(tag) { self.value(tag).map(Some) } else { Ok(None) }
    }

    /// Items of the next item, which must have this tag.
    pub(super) fn inside(&mut self, tag: u8) -> Result<Self, TimestampError> {
        Self::new(self.value(tag)?, self.part)
    }

    /// Items of the next item if it has this tag.
    pub(super) fn inside_optional(&mut self, tag: u8) -> Result<Option<Self>, TimestampError> {
        self.optional(tag)?.map(|value| Self::new(value, self.part)).transpose()
    }

    /// Nothing follows.
    pub(super) fn end(self) -> Result<(), TimestampError> {
        if self.is_empty() { Ok(()) } else { Err(self.fault()) }
    }

    /// An integer of 0 or more, big-endian without zeros in front: empty for 0.
    pub(super) fn unsigned(&mut self, tag: u8) -> Result<&'a [u8], TimestampError> {
        let value = self.value(tag)?;
        match value {
            [0] => Ok(&[]),
            [0, high, ..] if *high >= 0x80 => value.get(1..).ok_or_else(|| self.fault()),
            [first, ..] if (1..0x80).contains(first) => Ok(value),
            _ => Err(self.fault()),
        }
    }

    /// An integer of 0 to 2^32 - 1.
    pub(super) fn small(&mut self, tag: u8) -> Result<u32, TimestampError> {
        let digits = self.unsigned(tag)?;
        let mut word = [0; 4];
        let start = word.len().checked_sub(digits.len()).ok_or_else(|| self.fault())?;
        word.get_mut(start..).ok_or_else(|| self.fault())?.copy_from_slice(digits);
        Ok(u32::from_be_bytes(word))
    }

    /// The identifier of an algorithm that has no parameters (absent or `NULL`); `what` names its user.
    pub(super) fn algorithm(&mut self, what: &'static str) -> Result<&'a [u8], TimestampError> {
        let mut fields = self.inside(SEQUENCE)?;
        let oid = fields.value(OID)?;
        if fields.is_empty() || fields.whole(NULL[0]).is_ok_and(|null| null == NULL) && fields.is_empty() {
            return Ok(oid);
        }
        Err(TimestampError::Algorithm(what))
    }
}

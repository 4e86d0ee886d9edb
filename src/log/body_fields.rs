//! Taking a body apart: values by key, each taken once, so that what is left over shows.

use crate::codec::CborError;
use crate::codec::cbor::{Key, Reader};
use crate::codec::digest::{Digest, RootHash};

/// One value of a body while it is read.
pub(super) enum Value<'a> {
    Uint(u64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Bool(bool),
    Raw(&'a [u8]),
}

/// The values of a body by key, taken out one by one so that what is left over shows.
pub(super) struct Fields<'a> {
    values: [Option<Value<'a>>; 11],
}

impl<'a> Fields<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, CborError> {
        let mut values: [Option<Value<'a>>; 11] = Default::default();
        let mut r = Reader::new(body);
        r.map(|key, v| {
            let Key::Int(key) = key else { return Err(CborError::UnknownKey) };
            let place = usize::try_from(key).ok().and_then(|k| values.get_mut(k)).ok_or(CborError::UnknownKey)?;
            *place = Some(Value::read(v)?);
            Ok(())
        })?;
        r.end()?;
        Ok(Self { values })
    }

    pub(super) fn take(&mut self, key: usize) -> Result<Value<'a>, CborError> {
        self.values.get_mut(key).and_then(Option::take).ok_or(CborError::MissingKey)
    }

    pub(super) fn uint(&mut self, key: usize) -> Result<u64, CborError> {
        match self.take(key)? {
            Value::Uint(v) => Ok(v),
            _ => Err(CborError::Type),
        }
    }

    pub(super) fn u16(&mut self, key: usize) -> Result<u16, CborError> {
        u16::try_from(self.uint(key)?).map_err(|_| CborError::Range)
    }

    pub(super) fn bytes(&mut self, key: usize) -> Result<&'a [u8], CborError> {
        match self.take(key)? {
            Value::Bytes(v) => Ok(v),
            _ => Err(CborError::Type),
        }
    }

    pub(super) fn optional_bytes(&mut self, key: usize) -> Result<Option<&'a [u8]>, CborError> {
        if self.values.get(key).is_some_and(Option::is_some) { self.bytes(key).map(Some) } else { Ok(None) }
    }

    /// A number, or null.
    pub(super) fn nullable_uint(&mut self, key: usize) -> Result<Option<u64>, CborError> {
        match self.take(key)? {
            Value::Uint(v) => Ok(Some(v)),
            Value::Raw([0xf6]) => Ok(None),
            _ => Err(CborError::Type),
        }
    }

    pub(super) fn digest(&mut self, key: usize) -> Result<Digest, CborError> {
        Digest::from_slice(self.bytes(key)?).ok_or(CborError::Length)
    }

    pub(super) fn optional_digest(&mut self, key: usize) -> Result<Option<Digest>, CborError> {
        if self.values.get(key).is_some_and(Option::is_some) { self.digest(key).map(Some) } else { Ok(None) }
    }

    pub(super) fn root(&mut self, key: usize) -> Result<RootHash, CborError> {
        self.digest(key).map(|d| RootHash::from_bytes(*d.as_bytes()))
    }

    pub(super) fn text(&mut self, key: usize) -> Result<&'a str, CborError> {
        match self.take(key)? {
            Value::Text(v) => Ok(v),
            _ => Err(CborError::Type),
        }
    }

    pub(super) fn bool(&mut self, key: usize) -> Result<bool, CborError> {
        match self.take(key)? {
            Value::Bool(v) => Ok(v),
            _ => Err(CborError::Type),
        }
    }

    pub(super) fn raw(&mut self, key: usize) -> Result<&'a [u8], CborError> {
        match self.take(key)? {
            Value::Raw(v) => Ok(v),
            _ => Err(CborError::Type),
        }
    }

    pub(super) fn optional_raw(&mut self, key: usize) -> Result<Option<&'a [u8]>, CborError> {
        if self.values.get(key).is_some_and(Option::is_some) { self.raw(key).map(Some) } else { Ok(None) }
    }

    pub(super) fn end(&self) -> Result<(), CborError> {
        if self.values.iter().all(Option::is_none) { Ok(()) } else { Err(CborError::UnknownKey) }
    }
}

impl<'a> Value<'a> {
    pub(super) fn read(r: &mut Reader<'a>) -> Result<Self, CborError> {
        let item = r.any()?;
        let mut r = Reader::new(item);
        Ok(match item.first().map(|b| b >> 5) {
            Some(0) => Self::Uint(r.uint()?),
            Some(2) => Self::Bytes(r.bytes()?),
            Some(3) => Self::Text(r.text()?),
            Some(7) => r.bool().map_or(Self::Raw(item), Self::Bool),
            _ => Self::Raw(item),
        })
    }
}

//! What the messages of a tape name: methods, tools, error codes, with how often. For finding tapes without opening them.

use super::lists::not_empty;
use crate::codec::cbor::{CborError, Key, Reader, Writer};
use crate::codec::limits::{NAMED_BYTES_MAX, NAMED_MAX};

/// Header key 27 (`docs/format/2-tape.md` 2.2): each list ascending, and every name in it once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    /// Methods of requests and notifications.
    pub methods: Vec<(Vec<u8>, u64)>,
    /// Tools that were called.
    pub tools: Vec<(Vec<u8>, u64)>,
    /// Codes of errors.
    pub errors: Vec<(i64, u64)>,
    /// Mentions beyond what the lists hold.
    pub unlisted: u64,
}

impl Named {
    /// Nothing named at all?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.methods.is_empty() && self.tools.is_empty() && self.errors.is_empty() && self.unlisted == 0
    }

    pub(super) fn write(&self, w: &mut Writer) {
        let names = [(0, &self.methods), (1, &self.tools)];
        let lists = names.iter().filter(|(_, list)| !list.is_empty()).count();
        let more = usize::from(!self.errors.is_empty()).saturating_add(usize::from(self.unlisted > 0));
        w.map(lists.saturating_add(more));
        for (key, list) in names.iter().filter(|(_, list)| !list.is_empty()) {
            w.uint(*key);
            w.array(list.len());
            list.iter().for_each(|(name, count)| pair(w, |w| w.bytes(name), *count));
        }
        if !self.errors.is_empty() {
            w.uint(2);
            w.array(self.errors.len());
            self.errors.iter().for_each(|(code, count)| pair(w, |w| w.int(*code), *count));
        }
        if self.unlisted > 0 {
            w.uint(3);
            w.uint(self.unlisted);
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut named = Self::default();
        r.map(|key, v| {
            match key {
                Key::Int(0) => named.methods = names(v)?,
                Key::Int(1) => named.tools = names(v)?,
                Key::Int(2) => named.errors = counted(v, Reader::int)?,
                Key::Int(3) => named.unlisted = positive(v)?,
                _ => return Err(CborError::UnknownKey),
            }
            Ok(())
        })?;
        if named.is_empty() { Err(CborError::Length) } else { Ok(named) }
    }
}

fn pair(w: &mut Writer, name: impl FnOnce(&mut Writer), count: u64) {
    w.array(2);
    name(w);
    w.uint(count);
}

fn names(r: &mut Reader<'_>) -> Result<Vec<(Vec<u8>, u64)>, CborError> {
    counted(r, |r| {
        let name = r.bytes()?;
        if name.len() > NAMED_BYTES_MAX { Err(CborError::Length) } else { Ok(name.to_vec()) }
    })
}

fn counted<'a, T: Ord>(
    r: &mut Reader<'a>,
    mut name: impl FnMut(&mut Reader<'a>) -> Result<T, CborError>,
) -> Result<Vec<(T, u64)>, CborError> {
    let n = r.array()?;
    if n > NAMED_MAX {
        return Err(CborError::Length);
    }
    let mut list: Vec<(T, u64)> = Vec::new();
    for _ in 0..n {
        r.array_of(2)?;
        let name = name(r)?;
        if list.last().is_some_and(|(last, _)| *last >= name) {
            return Err(CborError::KeyOrder);
        }
        list.push((name, positive(r)?));
    }
    not_empty(list)
}

fn positive(r: &mut Reader<'_>) -> Result<u64, CborError> {
    r.uint().and_then(|n| if n == 0 { Err(CborError::Range) } else { Ok(n) })
}

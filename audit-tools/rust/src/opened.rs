//! Private fields that are opened one by one (1-bytes 1.5, 6-evidence 6.4).

use crate::cbor::{Labelled, Reader, Writer};
use crate::digest::{Hash, hash};
use crate::error::{Result, ensure};
use alloc::format;
use alloc::vec::Vec;

/// Fields of a commitment, some of them opened. Both lists ascend, however long a hostile one is.
pub struct Opened<'a> {
    /// Every field: number and digest.
    pub fields: Vec<(u64, Hash)>,
    /// Those that are opened: number, salt, encoded value.
    pub values: Vec<(u64, Hash, &'a [u8])>,
}

impl<'a> Opened<'a> {
    /// Reads `opened` of 6.4.
    ///
    /// # Errors
    /// Any other form; numbers that do not ascend.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self> {
        reader.array_of(2)?;
        let mut fields: Vec<(u64, Hash)> = Vec::new();
        reader.some(|pair| {
            pair.array_of(2)?;
            let (n, digest) = (pair.uint()?, pair.fixed()?);
            ensure(fields.last().is_none_or(|(last, _)| *last < n), "fields that do not ascend")?;
            fields.push((n, digest));
            Ok(())
        })?;
        let mut values: Vec<(u64, Hash, &'a [u8])> = Vec::new();
        for _ in 0..reader.array()? {
            reader.array_of(3)?;
            let (n, salt, value) = (reader.uint()?, reader.fixed()?, reader.bytes()?);
            ensure(values.last().is_none_or(|(last, ..)| *last < n), "fields that do not ascend")?;
            values.push((n, salt, value));
        }
        Ok(Self { fields, values })
    }

    /// The commitment that all fields make, when each opened one is the field of its number.
    ///
    /// # Errors
    /// An opened field that is another.
    pub fn commitment(&self, label: &str) -> Result<Hash> {
        for (n, salt, value) in &self.values {
            let digest = Labelled::new(label, 3).uint(*n).bytes(salt).raw(value).done();
            let committed = self.fields.binary_search_by_key(n, |(n, _)| *n).ok().and_then(|at| self.fields.get(at));
            ensure(committed == Some(&(*n, digest)), "an opened field that is not the one committed")?;
        }
        let items = u64::try_from(self.fields.len()).unwrap_or(u64::MAX).saturating_add(1);
        let mut writer = Writer::new().array(items).text(&format!("{label}/set"));
        for (n, digest) in &self.fields {
            writer = writer.array(2).uint(*n).bytes(digest);
        }
        Ok(hash(&writer.done()))
    }

    /// Value of an opened field.
    #[must_use]
    pub fn value(&self, number: u64) -> Option<&'a [u8]> {
        let at = self.values.binary_search_by_key(&number, |(n, ..)| *n).ok()?;
        self.values.get(at).map(|(.., value)| *value)
    }

    /// Numbers of the fields that stay closed, ascending.
    #[must_use]
    pub fn closed(&self) -> Vec<u64> {
        self.fields.iter().map(|(n, _)| *n).filter(|n| self.value(*n).is_none()).collect()
    }
}

//! Private fields of which some are opened and the others closed (`docs/format/1-bytes.md` 1.5, `6-evidence.md` 6.4).

use super::BundleError;
use crate::codec::cbor::{Reader, Writer, encode};
use crate::codec::digest::Digest;
use crate::tape::{FieldCommitment, Salts, commitment_of, field_digest};

/// A field with the salt that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedField {
    /// Its number.
    pub number: u64,
    /// Its salt.
    pub salt: [u8; 32],
    /// The value, one encoded item.
    pub value: Vec<u8>,
}

/// Every field by its digest, and those that are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    digests: Vec<(u64, [u8; 32])>,
    fields: Vec<OpenedField>,
}

impl Opened {
    /// Opens the fields that `is_open` names; all of them were committed under `label` with `salts`.
    pub fn new<'a>(
        label: &str,
        salts: &dyn Salts,
        all: impl IntoIterator<Item = (u64, &'a [u8])>,
        is_open: impl Fn(u64) -> bool,
    ) -> Self {
        let mut opened = Self { digests: Vec::new(), fields: Vec::new() };
        for (number, value) in all {
            let salt = salts.salt(number);
            opened.digests.push((number, field_digest(label, number, &salt, value)));
            if is_open(number) {
                opened.fields.push(OpenedField { number, salt, value: value.to_vec() });
            }
        }
        opened
    }

    /// Opened fields, ascending.
    #[must_use]
    pub fn fields(&self) -> &[OpenedField] {
        &self.fields
    }

    /// Numbers of all fields, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.digests.iter().map(|(number, _)| *number)
    }

    /// Numbers of the fields that stay closed, ascending.
    #[must_use]
    pub fn closed(&self) -> Vec<u64> {
        let is_open = |number: &u64| self.fields.iter().any(|field| field.number == *number);
        self.digests.iter().map(|(number, _)| *number).filter(|number| !is_open(number)).collect()
    }

    /// Closes a field; was it open?
    pub fn close(&mut self, number: u64) -> bool {
        let before = self.fields.len();
        self.fields.retain(|field| field.number != number);
        self.fields.len() < before
    }

    /// A map of the opened fields alone, as the decoders of headers and private halves read it.
    #[must_use]
    pub fn map(&self) -> Vec<u8> {
        encode(|w| {
            w.map(self.fields.len());
            for field in &self.fields {
                w.uint(field.number);
                w.raw(&field.value);
            }
        })
    }

    /// The commitment that it opens: every opened field is the one in the list of digests.
    ///
    /// # Errors
    /// [`BundleError::Field`].
    pub fn verify(&self, label: &str) -> Result<Digest, BundleError> {
        for field in &self.fields {
            let digest = field_digest(label, field.number, &field.salt, &field.value);
            if !self.digests.contains(&(field.number, digest)) {
                return Err(BundleError::Field);
            }
        }
        let FieldCommitment { commitment, .. } = commitment_of(label, self.digests.clone());
        Ok(commitment)
    }

    /// Writes it as one item.
    pub fn write(&self, w: &mut Writer) {
        w.array(2);
        w.array(self.digests.len());
        for (number, digest) in &self.digests {
            w.array(2);
            w.uint(*number);
            w.bytes(digest);
        }
        w.array(self.fields.len());
        for field in &self.fields {
            w.array(3);
            w.uint(field.number);
            w.bytes(&field.salt);
            w.bytes(&field.value);
        }
    }

    /// The file `header.cbor`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(|w| self.write(w))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`BundleError::Cbor`], [`BundleError::Form`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        let mut r = Reader::new(bytes);
        let opened = Self::read(&mut r)?;
        r.end()?;
        Ok(opened)
    }

    /// Reads one item.
    ///
    /// # Errors
    /// [`BundleError::Cbor`], [`BundleError::Form`].
    pub fn read(r: &mut Reader<'_>) -> Result<Self, BundleError> {
        r.array_of(2)?;
        let mut digests = Vec::new();
        for _ in 0..r.array()? {
            r.array_of(2)?;
            digests.push((r.uint()?, r.bytes_n()?));
        }
        let mut fields = Vec::new();
        for _ in 0..r.array()? {
            r.array_of(3)?;
            let (number, salt, value) = (r.uint()?, r.bytes_n()?, r.bytes()?.to_vec());
            check_value(&value)?;
            fields.push(OpenedField { number, salt, value });
        }
        let are_ascending = digests.is_sorted_by(|a, b| a.0 < b.0) && fields.is_sorted_by(|a, b| a.number < b.number);
        match are_ascending && !digests.is_empty() {
            true => Ok(Self { digests, fields }),
            false => Err(BundleError::Form("opened fields that do not ascend, or none at all")),
        }
    }
}

/// One item that stood in a map: a level less is left for it.
fn check_value(value: &[u8]) -> Result<(), BundleError> {
    let mut r = Reader::new(value);
    r.any_within(1)?;
    Ok(r.end()?)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;
    use crate::tape::commit;

    const LABEL: &str = "immutape/header/1";

    fn salts(number: u64) -> [u8; 32] {
        [number as u8 + 1; 32]
    }

    fn fields() -> [(u64, &'static [u8]); 3] {
        [(0, &[1]), (4, &[0x41, 7]), (9, &[0xf6])]
    }

    #[test]
    fn what_is_open_and_what_is_not_lead_to_one_commitment() {
        let whole = commit(LABEL, &salts, fields()).commitment;
        for open in [&[][..], &[0], &[4, 9], &[0, 4, 9]] {
            let opened = Opened::new(LABEL, &salts, fields(), |n| open.contains(&n));
            let read = Opened::decode(&opened.encode()).unwrap();
            assert_eq!(read, opened);
            assert_eq!(read.verify(LABEL).unwrap(), whole);
            assert_eq!(read.closed().len() + open.len(), 3);
            assert_eq!(read.map()[0], 0xa0 + open.len() as u8);
        }
    }

    #[test]
    fn another_value_salt_or_label_is_found() {
        let opened = Opened::new(LABEL, &salts, fields(), |_| true);
        for change in [0usize, 1, 2] {
            let mut other = opened.clone();
            match change {
                0 => other.fields[1].value = vec![0x41, 8],
                1 => other.fields[1].salt[0] ^= 1,
                _ => other.fields[1].number = 5,
            }
            assert_eq!(other.verify(LABEL), Err(BundleError::Field));
        }
        assert_eq!(opened.verify("immutape/private/1"), Err(BundleError::Field));
    }

    #[test]
    fn what_does_not_read() {
        let none = Opened { digests: Vec::new(), fields: Vec::new() };
        assert!(matches!(Opened::decode(&none.encode()), Err(BundleError::Form(_))));
        let mut twice = Opened::new(LABEL, &salts, fields(), |_| true);
        twice.fields.swap(0, 1);
        assert!(matches!(Opened::decode(&twice.encode()), Err(BundleError::Form(_))));
        let mut bad = Opened::new(LABEL, &salts, fields(), |_| true);
        bad.fields[0].value = vec![1, 1];
        assert!(matches!(Opened::decode(&bad.encode()), Err(BundleError::Cbor(_))));
    }
}

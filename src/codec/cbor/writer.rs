//! The writer: heads by `ciborium-ll`, always shortest.

use ciborium_ll::{Encoder, Header, simple};

/// Writes one item after another into a buffer. Heads come from `ciborium-ll`, always shortest.
///
/// Maps are written key by key in ascending order by the caller; [`Writer::sorted_map`] sorts.
///
/// ```
/// use immutape::codec::Writer;
/// let mut w = Writer::new();
/// w.array(2);
/// w.text("immutape/example/1");
/// w.uint(500);
/// assert_eq!(hex::encode(w.finish()), "8272696d6d75746170652f6578616d706c652f311901f4");
/// ```
#[derive(Debug, Default, Clone)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty buffer with room for `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// Goes on after what `out` holds.
    #[must_use]
    pub const fn after(out: Vec<u8>) -> Self {
        Self { out }
    }

    fn head(&mut self, header: Header) {
        // Writing to a Vec cannot fail; the encoder's error type is that of the writer.
        let _infallible = Encoder::from(&mut self.out).push(header);
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) {
        self.head(Header::Positive(value));
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(v) => self.uint(v),
            // RFC 8949 3.1: a negative n is stored as -1 - n, which is !n in two's complement.
            Err(_) => self.head(Header::Negative(!value as u64)),
        }
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) {
        self.bytes_head(value.len());
        self.out.extend_from_slice(value);
    }

    /// The head of a byte string of `len` bytes, which follow, here or elsewhere.
    pub fn bytes_head(&mut self, len: usize) {
        self.head(Header::Bytes(Some(len)));
    }

    /// A text string.
    pub fn text(&mut self, value: &str) {
        self.head(Header::Text(Some(value.len())));
        self.out.extend_from_slice(value.as_bytes());
    }

    /// true or false.
    pub fn bool(&mut self, value: bool) {
        self.head(Header::Simple(if value { simple::TRUE } else { simple::FALSE }));
    }

    /// null.
    pub fn null(&mut self) {
        self.head(Header::Simple(simple::NULL));
    }

    /// null, or the value written by `write`.
    pub fn nullable<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.null(),
            Some(v) => write(self, v),
        }
    }

    /// The head of an array of `len` items; the items follow.
    pub fn array(&mut self, len: usize) {
        self.head(Header::Array(Some(len)));
    }

    /// The head of a map of `len` pairs; the pairs follow in ascending order of encoded keys.
    pub fn map(&mut self, len: usize) {
        self.head(Header::Map(Some(len)));
    }

    /// A tag; the tagged item follows.
    pub fn tag(&mut self, tag: u64) {
        self.head(Header::Tag(tag));
    }

    /// Already encoded items, copied as they are.
    pub fn raw(&mut self, encoded: &[u8]) {
        self.out.extend_from_slice(encoded);
    }

    /// A map whose pairs (both encoded) are put in order here.
    pub fn sorted_map(&mut self, mut pairs: Vec<(Vec<u8>, Vec<u8>)>) {
        pairs.sort();
        self.map(pairs.len());
        for (key, value) in pairs {
            self.raw(&key);
            self.raw(&value);
        }
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.out.len()
    }

    /// Nothing written yet?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Begins anew in the same buffer.
    pub fn clear(&mut self) {
        self.out.clear();
    }

    /// What was written so far.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.out
    }

    /// The buffer.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// Most items that are encoded alone are shorter; a buffer that grows byte by byte costs more than they do.
const ITEM_BYTES: usize = 64;

/// Encodes one item with a closure.
#[must_use]
pub fn encode(f: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::with_capacity(ITEM_BYTES);
    f(&mut w);
    w.finish()
}

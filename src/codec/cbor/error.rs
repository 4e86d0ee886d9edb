//! Every way in which bytes can fail to be an item of the profile.

use crate::codec::limits::CBOR_DEPTH_MAX;

/// Why bytes are not an item of our profile.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum CborError {
    /// The item ends before its head or its declared length.
    #[error("the item is cut off")]
    Truncated,
    /// A head or length that has a shorter form (RFC 8949 4.2.1).
    #[error("an integer or a length is not in its shortest form")]
    NotShortest,
    /// Indefinite length (RFC 8949 4.2.1).
    #[error("indefinite lengths are not allowed")]
    Indefinite,
    /// A reserved additional information value (28 to 30).
    #[error("the head is reserved")]
    Reserved,
    /// A float, undefined, or a simple value other than false, true and null.
    #[error("floats, undefined and other simple values are not allowed")]
    Simple,
    /// A tag where none is named by the schema.
    #[error("a tag stands where none is allowed")]
    Tag,
    /// Two equal keys in a map (RFC 8949 5.6).
    #[error("a map has the same key twice")]
    DuplicateKey,
    /// Map keys not in bytewise order of their encoding.
    #[error("map keys are out of order")]
    KeyOrder,
    /// Text that is not UTF-8.
    #[error("a text string is not UTF-8")]
    Utf8,
    /// Bytes after the item.
    #[error("bytes are left over after the item")]
    Trailing,
    /// Nesting deeper than [`CBOR_DEPTH_MAX`].
    #[error("nesting is deeper than {CBOR_DEPTH_MAX}")]
    Depth,
    /// More items than [`CBOR_ITEMS_MAX`](crate::codec::limits::CBOR_ITEMS_MAX) in one array or map.
    #[error("an array or map has too many items")]
    Items,
    /// Another type than the schema names.
    #[error("an item has another type than the schema names")]
    Type,
    /// An array or a fixed byte string of another length than the schema names.
    #[error("an array or byte string has another length than the schema names")]
    Length,
    /// A number outside the range the schema names.
    #[error("a number is out of the schema's range")]
    Range,
    /// A map key that the schema does not name.
    #[error("a map has a key that the schema does not name")]
    UnknownKey,
    /// A key that the schema requires is missing.
    #[error("a map lacks a key that the schema requires")]
    MissingKey,
    /// The label at the front is not the one expected here.
    #[error("the label is not the one expected")]
    Label,
}

//! What can be wrong with the framing.

/// Why bytes are not the framing they should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[non_exhaustive]
pub enum ExtentError {
    /// Fewer bytes than the header or the length it declares.
    #[error("the extent is cut off")]
    Truncated,
    /// Other first bytes than the magic.
    #[error("the magic bytes are wrong")]
    Magic,
    /// The magic of a later format.
    #[error("the extent was written in a newer format")]
    NewerFormat,
    /// A declared count or length beyond the limits, or lengths that contradict each other.
    #[error("a declared length or count is out of bounds")]
    Bounds,
    /// A reserved byte or an unknown flag is not zero.
    #[error("reserved bytes are not zero")]
    Reserved,
    /// SHA-256 over the extent differs.
    #[error("the hash over the extent differs")]
    Hash,
    /// The records do not fill the declared body exactly.
    #[error("the records do not fill the body")]
    Records,
}

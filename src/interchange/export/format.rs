//! The forms that a tape is written out in.

/// A form made from the header and the frames. The kept source is no such form: it is given as it is.
///
/// ```
/// use immutape::interchange::ExportFormat;
/// assert_eq!((ExportFormat::TapeV2Jsonl.name(), ExportFormat::TapeV2Jsonl.extension()), ("tape-v2-jsonl", "jsonl"));
/// assert!(ExportFormat::CborSequence.is_binary() && !ExportFormat::Json.is_binary());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExportFormat {
    /// Streaming tape of version 2.0, with its metadata and, where needed, a file for what it cannot hold.
    TapeV2Jsonl,
    /// One JSON document.
    Json,
    /// A CBOR sequence (RFC 8742): the header map, then the frames, as `docs/format/2-tape.md` has them.
    CborSequence,
    /// One MessagePack value of the shape of the JSON document.
    MessagePack,
    /// The payloads, each with what followed it on the wire.
    Raw,
}

impl ExportFormat {
    /// Every form.
    pub const ALL: [Self; 5] = [Self::TapeV2Jsonl, Self::Json, Self::CborSequence, Self::MessagePack, Self::Raw];

    /// The name in the entry of an export.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TapeV2Jsonl => "tape-v2-jsonl",
            Self::Json => "tape-json",
            Self::CborSequence => "tape-cbor-sequence",
            Self::MessagePack => "tape-msgpack",
            Self::Raw => "raw",
        }
    }

    /// How names of such files end.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::TapeV2Jsonl => "jsonl",
            Self::Json => "json",
            Self::CborSequence => "cborseq",
            Self::MessagePack => "msgpack",
            Self::Raw => "raw",
        }
    }

    /// Is it no text, whatever the tape holds?
    #[must_use]
    pub const fn is_binary(self) -> bool {
        matches!(self, Self::CborSequence | Self::MessagePack)
    }
}

//! The closed sets of the format: each member has its number and the word that people see.

use super::TapeError;

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident, $field:literal { $($(#[$vdoc:meta])* $variant:ident = $number:literal, $word:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant = $number,)* }

        impl $name {
            /// The number in the format.
            #[must_use]
            pub const fn number(self) -> u64 { self as u64 }
            /// The word in listings and `--json`.
            #[must_use]
            pub const fn word(self) -> &'static str { match self { $(Self::$variant => $word,)* } }
            /// From the number in the format.
            ///
            /// # Errors
            /// [`TapeError::Value`].
            pub fn from_number(value: u64) -> Result<Self, TapeError> {
                match value { $($number => Ok(Self::$variant),)* _ => Err(TapeError::Value { field: $field, value }) }
            }
        }
    };
}
numbered! {
    /// What a frame holds.
    FrameKind, "frame kind" {
        /// A protocol message.
        Message = 0, "message";
        /// A line of standard error.
        Stderr = 1, "stderr";
        /// Start, end or exit of a process or connection.
        Lifecycle = 2, "lifecycle";
        /// Head of an HTTP request or response.
        HttpHead = 3, "http_head";
        /// Body of an HTTP request or response.
        HttpBody = 4, "http_body";
        /// Fields of a server-sent event.
        SseMeta = 5, "sse_meta";
        /// A terminal changed its size.
        Resize = 6, "resize";
        /// A mark set by a person or tool.
        Marker = 7, "marker";
        /// Something is known to be missing here.
        Gap = 8, "gap";
    }
}

numbered! {
    /// Which way a frame went.
    Direction, "direction" {
        /// From client to server.
        ClientToServer = 0, "client_to_server";
        /// From server to client.
        ServerToClient = 1, "server_to_client";
        /// Inside the recorder.
        Internal = 2, "internal";
        /// Not known.
        Unknown = 3, "unknown";
    }
}

numbered! {
    /// What stood between this payload and the next on the wire.
    Delimiter, "delimiter" {
        /// Nothing.
        None = 0, "none";
        /// Line feed.
        Lf = 1, "lf";
        /// Carriage return and line feed.
        CrLf = 2, "crlf";
        /// FIX start of header.
        Soh = 3, "soh";
        /// HL7 MLLP end block.
        FsCr = 4, "fs-cr";
        /// A transport chunk.
        Chunk = 5, "chunk";
    }
}

numbered! {
    /// What kind of session a tape holds.
    TapeKind, "tape kind" {
        /// Model Context Protocol.
        Mcp = 0, "mcp";
        /// HTTP.
        Http = 1, "http";
        /// A terminal.
        Terminal = 2, "terminal";
        /// FIX.
        Fix = 3, "fix";
        /// HL7.
        Hl7 = 4, "hl7";
        /// Files.
        File = 5, "file";
        /// Anything else.
        Other = 6, "other";
    }
}

numbered! {
    /// Why frames are missing.
    GapReason, "gap reason" {
        /// The source's own numbering jumped.
        SequenceJumped = 0, "sequence jumped";
        /// The recorder was not running.
        RecorderStopped = 1, "recorder stopped";
        /// Storage failed while recording.
        StorageFailed = 2, "storage failed";
        /// The source says so.
        Declared = 3, "declared by the source";
        /// Recording was paused on purpose.
        Paused = 4, "paused";
        /// More came than could be kept.
        Overflow = 5, "overflow";
        /// A redaction profile left it out.
        Withheld = 6, "withheld by policy";
    }
}

/// Bits of [`super::Frame::flags`].
#[allow(missing_docs, reason = "the names are those of the table in docs/format/2-tape")]
pub mod flags {
    pub const IS_ERROR: u64 = 1;
    pub const IS_NOTIFICATION: u64 = 1 << 1;
    pub const REQUIRES_RESPONSE: u64 = 1 << 2;
    pub const WAS_PARTIAL: u64 = 1 << 3;
    pub const NOT_UTF8: u64 = 1 << 4;
    pub const OVERSIZE_SPILLED: u64 = 1 << 5;
    pub const DUPLICATE_ID: u64 = 1 << 6;
    pub const SYNTHETIC: u64 = 1 << 7;
    pub const CONTINUED: u64 = 1 << 8;
    pub const GAP_BEFORE: u64 = 1 << 9;
    pub const REPEATED_SEQ: u64 = 1 << 10;
    pub const TIME_INFERRED: u64 = 1 << 11;
    pub const SEQ_BACKWARDS: u64 = 1 << 12;
    pub const ALL: u64 = (1 << 13) - 1;
}

/// Names of the flag bits, bit 0 first.
pub const FLAGS: [&str; 13] = [
    "is_error",
    "is_notification",
    "requires_response",
    "was_partial",
    "not_utf8",
    "oversize_spilled",
    "duplicate_id",
    "synthetic",
    "continued",
    "gap_before",
    "repeated_seq",
    "time_inferred",
    "seq_backwards",
];

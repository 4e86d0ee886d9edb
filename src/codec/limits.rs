//! Every limit, in one table, with the relations between them checked when the program is compiled.
//!
//! A limit is part of the format where a reader must refuse what exceeds it (marked FORMAT);
//! the others bound memory and waiting and may move.

/// FORMAT. Longest entry (public half) in bytes: a C2SP entry bundle has a 16-bit length.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// FORMAT. Longest sealed private half in bytes.
pub const SEALED_BYTES_MAX: usize = 65_535;
/// FORMAT. Longest set of custody ids written out in a private half.
pub const PRIVATE_SET_BYTES_MAX: usize = 16_384;
/// FORMAT. Most ids of such a set; a longer one is an object.
pub const PRIVATE_SET_MAX: u64 = (PRIVATE_SET_BYTES_MAX / 32) as u64;
/// FORMAT. Most ids of a set that is an object: it holds a salt besides.
pub const SET_LIST_MAX: u64 = (OBJECT_RAW_BYTES_MAX / 32) as u64 - 1;
/// FORMAT. Deepest nesting of arrays, maps and tags in any CBOR item.
pub const CBOR_DEPTH_MAX: usize = 16;
/// FORMAT. Most items in one CBOR array or pairs in one CBOR map.
pub const CBOR_ITEMS_MAX: u64 = 1 << 24;

/// FORMAT. Longest payload of one frame; a longer message becomes consecutive `continued` frames.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// FORMAT. Longest envelope (a frame without its payload).
pub const FRAME_ENVELOPE_BYTES_MAX: usize = 1 << 20;
/// FORMAT. Longest sealed object after decompression: one frame of the longest kind with its envelope.
pub const OBJECT_RAW_BYTES_MAX: usize = 20 << 20;
/// FORMAT. Longest tape header (decoded) in bytes; lines that are not frames are kept in it.
pub const HEADER_BYTES_MAX: usize = 8 << 20;
/// FORMAT. Most methods, tools and error codes that a header lists, of each.
pub const NAMED_MAX: usize = 256;
/// FORMAT. Longest name of a method or tool that a header lists.
pub const NAMED_BYTES_MAX: usize = 256;
/// FORMAT. Longest piece of an attachment before it is sealed.
pub const ATTACHMENT_PIECE_BYTES_MAX: u64 = 16 << 20;
/// Pieces of attachments as they are written: two of them are in memory, raw and sealed.
pub const ATTACHMENT_PIECE_BYTES_TARGET: u64 = 4 << 20;
/// FORMAT. Most objects one manifest may name.
pub const MANIFEST_OBJECTS_MAX: usize = 1 << 20;
/// FORMAT. Longest manifest in bytes: digest, size and position of each object.
pub const MANIFEST_BYTES_MAX: usize = 64 << 20;

/// A chunk closes at this many frames (see also the next two), whichever comes first.
pub const CHUNK_FRAMES_MAX: usize = 1_000;
/// A chunk closes at this many bytes of encoded frames.
pub const CHUNK_RAW_BYTES_TARGET: usize = 1 << 20;
/// A chunk closes when its frames span this many nanoseconds.
pub const CHUNK_SPAN_NS_MAX: u64 = 60_000_000_000;

/// Longest line of an imported line format, without its line end.
pub const LINE_BYTES_MAX: usize = 10_000_000;
/// Longest label name, tag, class or namespace in bytes.
pub const LABEL_BYTES_MAX: usize = 4_096;
/// Longest retention class or namespace.
pub const CLASS_BYTES_MAX: usize = 128;
/// Most tags on one tape.
pub const TAGS_MAX: usize = 1_024;
/// Longest statement of purpose or other words a person types.
pub const WORDS_BYTES_MAX: usize = 8_192;

/// FORMAT. A group of entries starts on this boundary; one disk sector.
pub const SECTOR_BYTES: usize = 512;
/// Most entries in one group.
pub const GROUP_ENTRIES_MAX: usize = 1_024;
/// Longest extent of one group in bytes.
pub const GROUP_BYTES_MAX: usize = 8 << 20;
/// Smallest journal segment file.
pub const SEGMENT_BYTES_MIN: u64 = 1 << 20;
/// Largest journal segment file; each is twice its predecessor up to here.
pub const SEGMENT_BYTES_MAX: u64 = 64 << 20;
/// A pack is closed and a new one begun past this many bytes.
pub const PACK_BYTES_TARGET: u64 = 256 << 20;
/// Packs are extended by zero-filled steps of at most this many bytes.
pub const PACK_STEP_BYTES_MAX: u64 = 8 << 20;

/// Most tapes whose keys share one vault epoch: the blast radius of one destruction.
pub const EPOCH_TAPES_MAX: u32 = 256;

/// Longest value in one sled row; sled 0.34 moves larger pages to files that it never syncs.
pub const ROW_VALUE_BYTES_MAX: usize = 4_096;
/// Longest sled key.
pub const ROW_KEY_BYTES_MAX: usize = 128;
/// Memory that the rows' unapplied tail may take before callers wait.
pub const ROWS_TAIL_BYTES_MAX: usize = 32 << 20;

/// Requests waiting for the writer before callers wait.
pub const QUEUE_REQUESTS_MAX: usize = 4_096;
/// How long a second process waits for the ledger's lock.
pub const LOCK_WAIT_MS: u64 = 5_000;
/// The signed head file is rewritten at most this often while writing.
pub const HEAD_FILE_INTERVAL_MS: u64 = 1_000;
/// sled may take this long to open before it is put aside and rebuilt.
pub const ROWS_OPEN_WAIT_MS: u64 = 20_000;
/// FORMAT. Longest signed note.
pub const NOTE_BYTES_MAX: usize = 1 << 16;
/// FORMAT. Most signature lines of a note.
pub const NOTE_SIGNATURES_MAX: usize = 64;
/// FORMAT. Most witness keys in one entry.
pub const ANCHOR_KEYS_MAX: usize = 63;
/// FORMAT. Most entries of one log that change keys.
pub const KEY_ROTATIONS_MAX: usize = 1_024;
/// Fewest hexadecimal digits of an id prefix.
pub const ID_PREFIX_DIGITS_MIN: usize = 4;

const _: () = {
    assert!(FRAME_PAYLOAD_BYTES_MAX + FRAME_ENVELOPE_BYTES_MAX + 64 <= OBJECT_RAW_BYTES_MAX);
    assert!(ATTACHMENT_PIECE_BYTES_TARGET <= ATTACHMENT_PIECE_BYTES_MAX);
    assert!(ATTACHMENT_PIECE_BYTES_MAX <= OBJECT_RAW_BYTES_MAX as u64);
    assert!(HEADER_BYTES_MAX <= OBJECT_RAW_BYTES_MAX);
    assert!(CHUNK_RAW_BYTES_TARGET < OBJECT_RAW_BYTES_MAX);
    assert!(LINE_BYTES_MAX <= FRAME_PAYLOAD_BYTES_MAX);
    // A group that holds one longest entry must fit, and any group must fit the smallest segment it may meet.
    assert!(ENTRY_BYTES_MAX + SEALED_BYTES_MAX + 1_024 < GROUP_BYTES_MAX);
    assert!((GROUP_BYTES_MAX as u64) < SEGMENT_BYTES_MAX);
    assert!(SEGMENT_BYTES_MIN.is_power_of_two() && SEGMENT_BYTES_MAX.is_power_of_two());
    // One tile of 128 hashes is one row.
    assert!(ROW_VALUE_BYTES_MAX >= 128 * 32);
};

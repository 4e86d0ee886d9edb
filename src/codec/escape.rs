//! Recorded bytes made harmless before a terminal or a log line sees them.

use std::fmt::Write as _;

/// Text from outside as one visible line: control, format, bidirectional and other invisible
/// characters and bytes that are not UTF-8 become `\xNN` or `\u{N}` escapes; `\` is doubled.
///
/// ```
/// use immutape::codec::escape::visible;
/// assert_eq!(visible(b"a\x1b[2Jb\n"), "a\\x1b[2Jb\\n");
/// assert_eq!(visible("x\u{202e}y".as_bytes()), "x\\u{202e}y");
/// assert_eq!(visible(b"\xff"), "\\xff");
/// ```
#[must_use]
pub fn visible(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for part in bytes.utf8_chunks() {
        for c in part.valid().chars() {
            push_visible(&mut out, c);
        }
        for b in part.invalid() {
            let _infallible = write!(out, "\\x{b:02x}");
        }
    }
    out
}

/// As [`visible`], cut to `columns` characters with an ellipsis.
#[must_use]
pub fn visible_short(bytes: &[u8], columns: usize) -> String {
    let whole = visible(bytes);
    if whole.chars().count() <= columns {
        return whole;
    }
    let mut cut: String = whole.chars().take(columns.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Is this a character that a terminal shows, and neither obeys nor hides behind others?
///
/// ```
/// use immutape::codec::escape::is_visible;
/// assert!(is_visible('é') && !is_visible('\u{202e}') && !is_visible('\u{7f}') && !is_visible('\n'));
/// ```
#[must_use]
pub fn is_visible(c: char) -> bool {
    !c.is_control() && !is_invisible(c)
}

fn push_visible(out: &mut String, c: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if (c as u32) < 0x80 && c.is_control() => {
            let _infallible = write!(out, "\\x{:02x}", c as u32);
        }
        c if is_invisible(c) => {
            let _infallible = write!(out, "\\u{{{:x}}}", c as u32);
        }
        c => out.push(c),
    }
}

/// C1 controls, and the Unicode ranges of format characters that reorder, hide or tag text
/// (general category Cf, line and paragraph separators, variation selectors, private use).
fn is_invisible(c: char) -> bool {
    matches!(c as u32,
        0x7f..=0x9f | 0xad | 0x34f | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x115f..=0x1160
        | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f
        | 0x3164 | 0xe000..=0xf8ff | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
        | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff | 0xf0000..=0x10ffff)
}

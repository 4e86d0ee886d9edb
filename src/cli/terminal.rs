//! What the other end of standard output is: its width, whether it wants colour.

use std::io::IsTerminal as _;

use super::surroundings::variable;

/// Nothing is cut to less than this.
const NARROWEST: usize = 20;

/// How output may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Colours may be used.
    pub colour: bool,
    /// Columns that fit; `None` where nothing has to be cut.
    pub columns: Option<usize>,
    /// A person looks at it directly.
    pub terminal: bool,
    /// Columns that words on standard error have, when a person looks at them directly.
    pub words: Option<usize>,
}

/// A word that stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Good,
    Doubtful,
    Bad,
}

impl Look {
    /// Of standard output, honouring `NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb` and `COLUMNS`.
    pub(super) fn of_stdout() -> Self {
        let stdout = std::io::stdout();
        let terminal = stdout.is_terminal();
        let given = variable("COLUMNS").and_then(|v| v.to_str()?.parse::<usize>().ok()).filter(|n| *n > 0);
        let of = |size: Option<rustix::termios::Winsize>| match usize::from(size.map_or(0, |s| s.ws_col)) {
            0 => 80,
            n => n,
        };
        let measured = || of(rustix::termios::tcgetwinsize(&stdout).ok());
        let columns = given.or_else(|| terminal.then(measured)).map(|n| n.max(NARROWEST));
        let stderr = std::io::stderr();
        let words = stderr.is_terminal().then(|| of(rustix::termios::tcgetwinsize(&stderr).ok()));
        let words = words.map(|n| given.unwrap_or(n).max(NARROWEST));
        Self { colour: colour(terminal), columns, terminal, words }
    }

    /// `text` in a colour, where colours may be used.
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        let number = match paint {
            Paint::Good => "32",
            Paint::Doubtful => "33",
            Paint::Bad => "31;1",
        };
        if self.colour { format!("\x1b[{number}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn colour(terminal: bool) -> bool {
    if variable("NO_COLOR").is_some() {
        return false;
    }
    if variable("CLICOLOR_FORCE").is_some_and(|v| v != "0") {
        return true;
    }
    terminal && variable("TERM").is_some_and(|t| t != "dumb")
}

/// Columns that a character takes in a terminal.
pub(super) fn columns_of_char(c: char) -> usize {
    match c as u32 {
        0x300..=0x36f | 0x483..=0x489 | 0x591..=0x5bd | 0x64b..=0x65f | 0x1ab0..=0x1aff | 0x20d0..=0x20f0 => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Columns that a text takes.
pub(super) fn columns_of(text: &str) -> usize {
    text.chars().map(columns_of_char).sum()
}

/// `text` cut to `columns`, with an ellipsis where something is missing.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if columns_of(text) <= columns {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 0usize);
    for c in text.chars() {
        used = used.saturating_add(columns_of_char(c));
        if used >= columns {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// `text` in lines of at most `columns`, broken at spaces; all but the first begin with `indent` spaces. A word that
/// is longer than a line stays whole: paths and digests are there to be copied.
pub(super) fn wrap(text: &str, columns: usize, indent: usize) -> Vec<String> {
    if width_of(text) <= columns {
        return vec![text.to_owned()];
    }
    let (mut out, mut line, mut used, mut is_begun) = (Vec::new(), String::new(), 0usize, false);
    for piece in text.split_inclusive(' ') {
        let word = piece.trim_end_matches(' ');
        let width = width_of(word);
        if is_begun && used.saturating_add(width) > columns {
            out.push(line.trim_end().to_owned());
            line = " ".repeat(indent);
            used = indent;
        }
        is_begun |= !word.is_empty();
        line.push_str(piece);
        used = used.saturating_add(width).saturating_add(piece.len().saturating_sub(word.len()));
    }
    out.push(line.trim_end().to_owned());
    out
}

/// Columns of a text that may hold our own colours.
fn width_of(text: &str) -> usize {
    let mut parts = text.split('\x1b');
    let first = parts.next().map_or(0, columns_of);
    parts.fold(first, |sum, part| sum.saturating_add(part.split_once('m').map_or(0, |(_, shown)| columns_of(shown))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_at_spaces() {
        assert_eq!(wrap("one two three", 13, 2), ["one two three"]);
        assert_eq!(wrap("one two three", 8, 2), ["one two", "  three"]);
        assert_eq!(wrap("  - one two three four", 10, 4), ["  - one", "    two", "    three", "    four"]);
        assert_eq!(wrap("at /a/very/long/path it is", 8, 1), ["at", " /a/very/long/path", " it is"]);
        assert_eq!(wrap("\x1b[32mok\x1b[0m then", 7, 1), ["\x1b[32mok\x1b[0m then"], "colours take no room");
        assert_eq!(wrap("", 8, 1), [""]);
    }

    #[test]
    fn cutting_counts_columns() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 5), "abcd…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(columns_of("e\u{301}"), 1);
    }

    #[test]
    fn paint_needs_leave() {
        let plain = Look { colour: false, columns: None, terminal: false, words: None };
        assert_eq!(plain.paint(Paint::Bad, "x"), "x");
        assert_eq!(Look { colour: true, ..plain }.paint(Paint::Good, "x"), "\x1b[32mx\x1b[0m");
    }
}

//! What the other end of standard output is: its width, whether it wants colour.

use std::io::IsTerminal as _;

use super::surroundings::variable;

/// How output may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Colours may be used.
    pub colour: bool,
    /// Columns that fit; `None` where nothing has to be cut.
    pub columns: Option<usize>,
    /// A person looks at it directly.
    pub terminal: bool,
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
        let measured = || {
            let size = rustix::termios::tcgetwinsize(&stdout).ok();
            usize::from(size.map_or(0, |s| s.ws_col))
        };
        let columns = given.or_else(|| terminal.then(measured).map(|n| if n == 0 { 80 } else { n }));
        Self { colour: colour(terminal), columns: columns.map(|n| n.max(20)), terminal }
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

#[cfg(test)]
mod tests {
    use super::*;

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
        let plain = Look { colour: false, columns: None, terminal: false };
        assert_eq!(plain.paint(Paint::Bad, "x"), "x");
        assert_eq!(Look { colour: true, ..plain }.paint(Paint::Good, "x"), "\x1b[32mx\x1b[0m");
    }
}

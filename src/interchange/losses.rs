//! What did not fit the tape: said in words, and kept whole where it cannot be made again.

use crate::codec::escape::visible_short;
use crate::error::{Code, Error, Result};

/// Most losses told one by one; the rest is a number.
pub(super) const LOSSES_SHOWN_MAX: usize = 100;
/// Most bytes of lines that are no frames, kept in the header.
pub(super) const UNSAVED_BYTES_MAX: usize = 4 << 20;
/// Most bytes of correlation and checkpoint lines kept because they differ from what the frames give.
pub(super) const DIFFERING_BYTES_MAX: usize = 512 << 10;
/// What a kept line costs beside its bytes: its number and the heads around it.
const LINE_COST_BYTES: usize = 16;

/// Losses of one import, in the order they were met.
#[derive(Default)]
pub(super) struct Losses {
    shown: Vec<String>,
    more: u64,
    about_all: Vec<String>,
    blank: Sum,
    foreign: Sum,
    crlf: Sum,
    decompressed: Sum,
    differing_dropped: Sum,
}

/// Something that happens often and is told once.
#[derive(Default, Clone, Copy)]
struct Sum {
    count: u64,
    first: u64,
}

impl Sum {
    fn add(&mut self, line: u64) {
        self.first = if self.count == 0 { line } else { self.first };
        self.count = self.count.saturating_add(1);
    }

    fn told(self, what: [&str; 2], rest: &str) -> Option<String> {
        (self.count > 0).then(|| format!("{}{rest} (first: line {})", amount(self.count, what), self.first))
    }
}

impl Losses {
    /// One loss about one line; text from outside in it must be escaped.
    pub(super) fn note(&mut self, words: String) {
        if self.shown.len() < LOSSES_SHOWN_MAX {
            self.shown.push(words);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// A loss about the source as a whole: always told. Callers have a fixed number of them.
    pub(super) fn about_all(&mut self, words: String) {
        self.about_all.push(words);
    }

    /// A blank line, kept.
    pub(super) fn blank(&mut self, line: u64) {
        self.blank.add(line);
    }

    /// A line of plain JSON-RPC that is no JSON, kept as a frame.
    pub(super) fn foreign(&mut self, line: u64) {
        self.foreign.add(line);
    }

    /// A record that ended in carriage return and line feed.
    pub(super) fn crlf(&mut self, line: u64) {
        self.crlf.add(line);
    }

    /// A frame that was stored compressed.
    pub(super) fn decompressed(&mut self, line: u64) {
        self.decompressed.add(line);
    }

    /// Every loss as text.
    pub(super) fn finish(self) -> Vec<String> {
        let mut out = self.shown;
        if self.more > 0 {
            let more = amount(self.more, ["more line with losses is", "more lines with losses are"]);
            out.push(format!("{more} not listed"));
        }
        out.extend(self.about_all);
        out.extend(
            [
                self.blank.told(["blank line, kept as an unsaved line", "blank lines, kept as unsaved lines"], ""),
                self.foreign
                    .told(["line that is not JSON, kept as a frame", "lines that are not JSON, kept as frames"], ""),
                self.crlf.told(["record", "records"], " ended in carriage return and line feed"),
                self.decompressed
                    .told(["frame was", "frames were"], " compressed in the source; the payload is what was inside"),
                self.differing_dropped.told(
                    ["differing correlation or checkpoint line is", "differing correlation or checkpoint lines are"],
                    " not kept: there were too many",
                ),
            ]
            .into_iter()
            .flatten(),
        );
        out
    }
}

/// Source lines kept whole in the header.
#[derive(Default)]
pub(super) struct KeptLines {
    lines: Vec<(u64, Vec<u8>)>,
    bytes: usize,
    differing_bytes: usize,
}

impl KeptLines {
    /// Keeps a line that cannot be made again.
    ///
    /// # Errors
    /// `E_LIMIT` when the header would grow past its bound.
    pub(super) fn keep(&mut self, number: u64, line: &[u8]) -> Result<()> {
        let bytes = self.bytes.saturating_add(line.len()).saturating_add(LINE_COST_BYTES);
        if bytes > UNSAVED_BYTES_MAX {
            return Err(Error::new(
                Code::Limit,
                format!("with line {number}, the lines that are no records come to more than {UNSAVED_BYTES_MAX} bytes, the most a tape keeps"),
            )
            .with_hint("nothing was imported; another program seems to have written into this file: separate its lines, or split the file"));
        }
        self.bytes = bytes;
        self.lines.push((number, line.to_vec()));
        Ok(())
    }

    /// Keeps a correlation or checkpoint line that differs from the frames, while there is room.
    pub(super) fn keep_differing(&mut self, number: u64, line: &[u8], losses: &mut Losses) {
        if self.reserve_differing(line.len()) {
            self.lines.push((number, line.to_vec()));
        } else {
            losses.differing_dropped.add(number);
        }
    }

    /// Room for a line of this length that may turn out to differ.
    pub(super) fn reserve_differing(&mut self, len: usize) -> bool {
        let bytes = self.differing_bytes.saturating_add(len).saturating_add(LINE_COST_BYTES);
        let fits = bytes <= DIFFERING_BYTES_MAX;
        if fits {
            self.differing_bytes = bytes;
        }
        fits
    }

    /// Gives room back.
    pub(super) fn release_differing(&mut self, len: usize) {
        self.differing_bytes = self.differing_bytes.saturating_sub(len.saturating_add(LINE_COST_BYTES));
    }

    /// The lines by number.
    pub(super) fn finish(mut self) -> Vec<(u64, Vec<u8>)> {
        self.lines.sort_by_key(|(number, _)| *number);
        self.lines
    }
}

/// `1 frame is`, `2 frames are`: a count with the words for one, or for any other number.
pub(super) fn amount(n: u64, [one, many]: [&str; 2]) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Text from outside, short and harmless.
pub(super) fn quoted(bytes: &[u8]) -> String {
    // Cut first: the source may hold megabytes here, and 80 columns are all that is shown.
    format!("\"{}\"", visible_short(bytes.get(..400).unwrap_or(bytes), 80))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_bounded_and_counted() {
        let mut l = Losses::default();
        for n in 0..250 {
            l.note(format!("loss {n}"));
            l.blank(n + 3);
        }
        let out = l.finish();
        assert_eq!(out.len(), LOSSES_SHOWN_MAX + 2);
        assert_eq!(out[LOSSES_SHOWN_MAX], "150 more lines with losses are not listed");
        assert_eq!(out[LOSSES_SHOWN_MAX + 1], "250 blank lines, kept as unsaved lines (first: line 3)");
    }

    #[test]
    fn kept_lines_stop_at_the_bound() {
        let mut k = KeptLines::default();
        let line = vec![b'x'; UNSAVED_BYTES_MAX / 2 - LINE_COST_BYTES];
        k.keep(9, &line).unwrap();
        k.keep(2, &line).unwrap();
        assert_eq!(k.keep(10, b"").unwrap_err().code(), Code::Limit);
        assert_eq!(k.finish().iter().map(|(n, _)| *n).collect::<Vec<_>>(), vec![2, 9]);
    }
}

//! Where everything that is printed goes through.
//!
//! Data is held back up to a few megabytes, so that a slow reader of a pipe does not hold up the ledger,
//! and words wait until the data before them is out.

use std::io::{self, BufWriter, ErrorKind, Write};

use serde_json::Value;

use super::json;
use super::table::Table;
use super::terminal::{Look, wrap};
use crate::error::{Code, Error, Result};

/// Data held back before it is written.
const HELD_BYTES: usize = 4 << 20;

/// The two streams of a command, and how to speak on them.
pub(super) struct Out {
    data: BufWriter<Box<dyn Write>>,
    words: Box<dyn Write>,
    waiting: Vec<String>,
    /// Nothing more goes out; what it was that stopped us, until it is told.
    stopped: bool,
    lost: Option<io::Error>,
    /// JSON documents instead of words.
    pub json: bool,
    /// Only errors on the stream of words.
    pub quiet: bool,
    /// The data is a tape itself: documents go to the stream of words.
    pub raw: bool,
    /// The ledger is marked TEST, and so is every document.
    pub test: bool,
    /// Look of the stream of data.
    pub look: Look,
    /// The streams are those of the process.
    pub is_standard: bool,
    /// Columns that the last table had no room for, once that was said.
    left_out: Vec<String>,
}

impl Out {
    /// On these streams.
    pub(super) fn new(data: Box<dyn Write>, words: Box<dyn Write>, look: Look) -> Self {
        Self {
            data: BufWriter::with_capacity(HELD_BYTES, data),
            words,
            waiting: Vec::new(),
            stopped: false,
            lost: None,
            json: false,
            quiet: false,
            raw: false,
            test: false,
            look,
            is_standard: false,
            left_out: Vec::new(),
        }
    }

    /// On standard output and standard error.
    pub(super) fn standard(json: bool, quiet: bool) -> Self {
        let data = Box::new(io::stdout());
        let mut out = Self::new(data, Box::new(io::stderr()), Look::of_stdout());
        (out.json, out.quiet, out.is_standard) = (json, quiet, true);
        out
    }

    /// A line of data; nothing of it may come from outside unescaped.
    pub(super) fn line(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.bytes(b"\n");
    }

    /// A table, with what it has no room for said.
    pub(super) fn table(&mut self, table: &Table<'_>, rows: &[Vec<String>]) {
        let (lines, gone) = table.lines(rows, self.look.columns);
        lines.iter().for_each(|line| self.line(line));
        // Of several tables with the same columns this is said once.
        if !gone.is_empty() && self.left_out != gone {
            self.say(&format!("Too narrow for {}; --json has everything.", gone.join(", ")));
            self.left_out = gone;
        }
    }

    /// A line of words among the data, broken where the terminal ends.
    pub(super) fn prose(&mut self, text: &str) {
        self.prose_beneath(text, 2);
    }

    /// `name     value`: what does not fit goes on beneath the value.
    pub(super) fn field(&mut self, text: &str) {
        self.prose_beneath(text, 9);
    }

    /// As [`Out::prose`]; what does not fit goes on beneath the column `indent`.
    pub(super) fn prose_beneath(&mut self, text: &str, indent: usize) {
        match self.look.columns {
            Some(columns) => wrap(text, columns, indent).iter().for_each(|line| self.line(line)),
            None => self.line(text),
        }
    }

    /// Data as it is.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if !self.stopped {
            let written = self.data.write_all(bytes);
            self.settle(written);
        }
    }

    fn settle(&mut self, written: io::Result<()>) {
        self.lost = written.err();
        self.stopped = self.lost.is_some();
    }

    /// One JSON document on a line.
    pub(super) fn document(&mut self, mut document: Value) {
        if let (true, Some(map)) = (self.test, document.as_object_mut()) {
            map.insert("test".into(), true.into());
        }
        let line = json::line(&document);
        if self.raw { self.speak(&line) } else { self.line(&line) }
    }

    /// Words for people; documents say the same in fields.
    pub(super) fn say(&mut self, words: &str) {
        if !self.quiet && !self.json {
            self.speak(words);
        }
    }

    /// Words that are said even when quiet is asked for.
    pub(super) fn speak(&mut self, words: &str) {
        let words = match self.look.words {
            Some(columns) => words.lines().flat_map(|line| wrap(line, columns, 2)).collect::<Vec<_>>().join("\n"),
            None => words.to_owned(),
        };
        self.waiting.push(format!("{words}\n"));
        if self.stopped || self.data.buffer().is_empty() {
            self.utter();
        }
    }

    /// Whether the reader of our data is gone, or its disk is full: nothing more needs to be made.
    pub(super) const fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Writes out what was held back, data first.
    pub(super) fn flush(&mut self) {
        if !self.stopped {
            let flushed = self.data.flush();
            self.settle(flushed);
        }
        self.utter();
    }

    /// Ends the command. A closed pipe is how readers say "enough"; anything else lost data.
    ///
    /// # Errors
    /// `E_IO`.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.flush();
        match self.lost.take() {
            None => Ok(()),
            Some(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
            Some(e) => Err(Error::new(Code::Io, "the output could not be written").with_source(e)),
        }
    }

    /// Nobody can be told that words could not be said.
    fn utter(&mut self) {
        for words in self.waiting.drain(..) {
            let _unheard = self.words.write_all(words.as_bytes());
        }
        let _unheard = self.words.flush();
    }
}

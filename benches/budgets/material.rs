//! Tapes to save: windows of the captured sessions, and longer ones made of the same messages with words
//! and numbers changed, so that text repeats about as much as real text does.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use immutape::interchange::{ImportOptions, Importer};
use immutape::ledger::{Ledger, SaveOptions, SaveReceipt};
use immutape::tape::{Frame, Header};

use super::setup::somebody;

/// The six captured sessions.
pub const TAPES: [&str; 6] =
    ["everything-stdio", "everything-http", "filesystem-payments", "sqlite-claims", "sqlite-crash", "git-policies"];

/// A tape ready to be saved.
pub struct Ready {
    pub frames: Vec<Frame>,
    pub header: Header,
    pub payload_bytes: u64,
}

/// A small generator: the same material in every run.
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }
}

/// The captured material.
pub struct Material {
    /// Payloads in the order of the sessions.
    messages: Vec<Vec<u8>>,
    /// The lines of frames, without their beginning up to `"dir"`.
    lines: Vec<String>,
    words: Vec<Vec<u8>>,
}

pub fn captured(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tapes").join(format!("{name}.jsonl"))).unwrap()
}

impl Material {
    pub fn load() -> Self {
        let (mut messages, mut lines, mut words) = (Vec::new(), Vec::new(), Vec::new());
        for name in TAPES {
            let bytes = captured(name);
            let frames = import(&bytes).frames;
            messages.extend(frames.into_iter().map(|f| f.payload));
            let text = String::from_utf8(bytes).unwrap();
            lines.extend(text.lines().filter_map(|l| l.find("\"dir\"").map(|at| l[at..].to_owned())));
        }
        for message in &messages {
            words.extend(message.split(|b| !b.is_ascii_alphabetic()).filter(|w| w.len() >= 4).map(<[u8]>::to_vec));
        }
        Self { messages, lines, words }
    }

    /// A tape of JSON-RPC lines of about `bytes`, made of real messages. `percent` of its words and its longer numbers
    /// are others.
    pub fn messages(&self, bytes: usize, seed: u64, percent: usize) -> Vec<u8> {
        let mut dice = Dice::new(seed);
        let mut at = dice.roll(self.messages.len());
        let mut out = Vec::with_capacity(bytes + (16 << 10));
        while out.len() < bytes {
            self.line(at, &mut dice, percent, &mut out);
            at += 1 + dice.roll(7);
        }
        out
    }

    /// Messages as they followed each other in the sessions, `bytes` of them within a twentieth.
    pub fn window(&self, bytes: usize, seed: u64, percent: usize) -> Vec<u8> {
        let mut dice = Dice::new(seed);
        loop {
            let mut at = dice.roll(self.messages.len());
            let mut out = Vec::with_capacity(bytes + (16 << 10));
            while out.len() < bytes - bytes / 20 {
                self.line(at, &mut dice, percent, &mut out);
                at += 1;
            }
            if out.len() <= bytes + bytes / 20 {
                return out;
            }
        }
    }

    fn line(&self, at: usize, dice: &mut Dice, percent: usize, out: &mut Vec<u8>) {
        self.varied(&self.messages[at % self.messages.len()], dice, percent, out);
        out.push(b'\n');
    }

    /// A version 2 tape of at least `bytes`, made of the lines of captured ones.
    pub fn session(&self, bytes: usize, seed: u64, percent: usize) -> Vec<u8> {
        let mut dice = Dice::new(seed);
        let first = String::from_utf8(captured(TAPES[0])).unwrap();
        let mut out = first.lines().next().unwrap().as_bytes().to_vec();
        let (mut at, mut seq, mut ts) = (dice.roll(self.lines.len()), 0u64, 0u64);
        while out.len() < bytes {
            out.extend_from_slice(format!("\n{{\"type\":\"frame\",\"seq\":{seq},\"ts\":{ts},").as_bytes());
            self.varied(self.lines[at % self.lines.len()].as_bytes(), &mut dice, percent, &mut out);
            at += 1 + dice.roll(3);
            seq += 1;
            ts += dice.roll(400) as u64;
        }
        out.push(b'\n');
        out
    }

    /// Copies a message; names of members stay, `percent` of the other words become words from elsewhere,
    /// numbers of four digits and more become others.
    fn varied(&self, message: &[u8], dice: &mut Dice, percent: usize, out: &mut Vec<u8>) {
        let mut rest = message;
        while let Some(first) = rest.first() {
            let is = |b: &u8| if first.is_ascii_alphabetic() { b.is_ascii_alphabetic() } else { b.is_ascii_digit() };
            let run = rest.iter().take_while(|b| is(b)).count();
            let (token, after) = rest.split_at(run.max(1));
            let escaped = out.last() == Some(&b'\\');
            if run >= 4 && first.is_ascii_digit() {
                out.push(*first);
                out.extend((1..run).map(|_| b'0' + dice.roll(10) as u8));
            } else if run >= 4
                && !escaped
                && !after.starts_with(b"\":")
                && is_changeable(token)
                && dice.roll(100) < percent
            {
                out.extend_from_slice(&self.words[dice.roll(self.words.len())]);
            } else {
                out.extend_from_slice(token);
            }
            rest = after;
        }
    }

    /// Windows of about 10 KB.
    pub fn windows(&self, count: usize) -> Vec<Ready> {
        (0..count as u64).map(|seed| import(&self.window(10_200, seed + 1, 3))).collect()
    }

    /// One long tape.
    pub fn long(&self, bytes: usize, seed: u64) -> Ready {
        import(&self.messages(bytes, seed, BIG_PERCENT))
    }
}

/// So many words are changed in long tapes: zstd at level 1 then leaves about .28 of them, which is what
/// it leaves of the captured sessions when each is compressed in pieces.
pub const BIG_PERCENT: usize = 12;

/// Words that carry the protocol stay.
fn is_changeable(word: &[u8]) -> bool {
    !matches!(word, b"jsonrpc" | b"true" | b"false" | b"null" | b"client" | b"server" | b"frame" | b"stdio" | b"http")
}

pub fn import(bytes: &[u8]) -> Ready {
    let mut importer = Importer::open(bytes, ImportOptions::default()).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = importer.next_frame().unwrap() {
        frames.push(frame);
    }
    let payload_bytes = frames.iter().map(|f| f.payload.len() as u64).sum();
    Ready { frames, header: importer.finish().unwrap(), payload_bytes }
}

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Saves `tape` with a number of its own in the first frame, so that no two saves are equal.
pub async fn save(ledger: &Ledger, tape: &Ready) -> SaveReceipt {
    let mut first = tape.frames[0].clone();
    first.correlation_id = Some(NEXT.fetch_add(1, Ordering::Relaxed).to_string().into_bytes());
    let mut saver = ledger.begin_save(&somebody(), SaveOptions::default()).await.unwrap();
    saver.frame(&first).unwrap();
    for frame in &tape.frames[1..] {
        saver.frame(frame).unwrap();
    }
    let receipt = saver.finish(tape.header.clone()).await.unwrap();
    assert!(!receipt.already_kept, "equal tapes would measure nothing");
    receipt
}

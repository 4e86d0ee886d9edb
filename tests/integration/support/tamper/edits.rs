//! What is done to the copy, and the bytes that a file then has, known before it is done.

use std::fs;
use std::ops::Range;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::base::Base;
use super::dice::Dice;
use super::folders::{copy_tree, remove, replace_tree};

/// The kinds of edits the table counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Flip,
    ZeroRun,
    ZeroBlock,
    Truncate,
    Swap,
    Delete,
    Older,
    Append,
    Foreign,
    Other,
}

/// One step; paths are relative to the root of the copy.
#[derive(Debug, Clone)]
pub enum Step {
    /// Other bytes in the same place.
    Write {
        path: String,
        at: u64,
        bytes: Vec<u8>,
    },
    /// A shorter file.
    Cut {
        path: String,
        bytes: u64,
    },
    Append {
        path: String,
        bytes: Vec<u8>,
    },
    /// Two files or folders change places.
    Exchange {
        a: String,
        b: String,
    },
    Remove {
        path: String,
    },
    /// A file or folder from elsewhere in its place.
    Put {
        path: String,
        from: PathBuf,
    },
    /// A new file.
    Plant {
        path: String,
        bytes: Vec<u8>,
    },
    /// A link to the file, which moves elsewhere.
    Link {
        path: String,
    },
    /// A new link, to something outside.
    Point {
        path: String,
        to: PathBuf,
    },
    /// Readable by others.
    Open {
        path: String,
    },
}

impl Step {
    /// The paths it changes.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Self::Exchange { a, b } => vec![a, b],
            Self::Write { path, .. }
            | Self::Cut { path, .. }
            | Self::Append { path, .. }
            | Self::Remove { path }
            | Self::Put { path, .. }
            | Self::Plant { path, .. }
            | Self::Link { path }
            | Self::Point { path, .. }
            | Self::Open { path } => vec![path],
        }
    }

    pub fn apply(&self, root: &Path) {
        match self {
            Self::Write { path, at, bytes } => {
                let mut file = fs::read(root.join(path)).unwrap();
                file[*at as usize..*at as usize + bytes.len()].copy_from_slice(bytes);
                fs::write(root.join(path), file).unwrap();
            }
            Self::Cut { path, bytes } => {
                fs::OpenOptions::new().write(true).open(root.join(path)).unwrap().set_len(*bytes).unwrap();
            }
            Self::Append { path, bytes } => {
                let mut file = fs::read(root.join(path)).unwrap();
                file.extend_from_slice(bytes);
                fs::write(root.join(path), file).unwrap();
            }
            Self::Exchange { a, b } => {
                let (a, b, aside) = (root.join(a), root.join(b), root.join("aside"));
                fs::rename(&a, &aside).unwrap();
                fs::rename(&b, &a).unwrap();
                fs::rename(&aside, &b).unwrap();
            }
            Self::Remove { path } => remove(&root.join(path)),
            Self::Put { path, from } => replace_tree(from, &root.join(path)),
            Self::Plant { path, bytes } => {
                let path = root.join(path);
                assert!(!path.exists());
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
            Self::Link { path } => {
                let (path, elsewhere) = (root.join(path), root.join("elsewhere"));
                copy_tree(&path, &elsewhere);
                remove(&path);
                symlink(&elsewhere, &path).unwrap();
            }
            Self::Point { path, to } => {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                symlink(to, path).unwrap();
            }
            Self::Open { path } => {
                fs::set_permissions(root.join(path), fs::Permissions::from_mode(0o644)).unwrap();
            }
        }
    }
}

/// A file of the base as it is, for edits that keep its length or cut it.
pub struct Target {
    pub path: String,
    pub bytes: Vec<u8>,
}

/// An edit of one file: what was done, which bytes it reached, and what the file then holds.
pub struct Edited {
    pub kind: Kind,
    pub words: String,
    pub step: Step,
    /// Bytes that are, or may be, other than before.
    pub touched: Range<u64>,
    pub after: Vec<u8>,
}

impl Target {
    pub fn new(base: &Base, path: &str) -> Self {
        Self { path: path.to_owned(), bytes: fs::read(base.root.join(path)).unwrap() }
    }

    /// Other bytes from `at` on; they must differ somewhere.
    pub fn write(&self, kind: Kind, words: String, at: u64, bytes: Vec<u8>) -> Edited {
        let range = at as usize..at as usize + bytes.len();
        let old = &self.bytes[range.clone()];
        let first = old.iter().zip(&bytes).position(|(a, b)| a != b).expect("an edit changes something") as u64;
        let last = old.iter().zip(&bytes).rposition(|(a, b)| a != b).unwrap() as u64;
        let mut after = self.bytes.clone();
        after[range].copy_from_slice(&bytes);
        let step = Step::Write { path: self.path.clone(), at, bytes };
        Edited { kind, words: format!("{}: {words}", self.path), step, touched: at + first..at + last + 1, after }
    }

    pub fn flip_at(&self, at: u64, bit: u64) -> Edited {
        let flipped = self.bytes[at as usize] ^ (1 << bit);
        self.write(Kind::Flip, format!("bit {bit} of byte {at} flipped"), at, vec![flipped])
    }

    pub fn flip(&self, dice: &mut Dice, within: &Range<u64>) -> Edited {
        self.flip_at(dice.within(within), dice.below(8))
    }

    fn zero(&self, kind: Kind, range: Range<u64>) -> Edited {
        let words = format!("bytes {}..{} zeroed", range.start, range.end);
        self.write(kind, words, range.start, vec![0; (range.end - range.start) as usize])
    }

    /// 1 to 64 bytes, at least one of them not zero before.
    pub fn zero_run(&self, dice: &mut Dice, within: &Range<u64>) -> Edited {
        loop {
            let at = dice.within(within);
            let end = (at + 1 + dice.below(64)).min(within.end);
            if self.bytes[at as usize..end as usize].iter().any(|b| *b != 0) {
                return self.zero(Kind::ZeroRun, at..end);
            }
        }
    }

    /// The 4 KiB block, aligned as a disk's, that holds a byte of the range.
    pub fn zero_block(&self, dice: &mut Dice, within: &Range<u64>) -> Edited {
        let at = dice.within(within) / 4096 * 4096;
        self.zero(Kind::ZeroBlock, at..(at + 4096).min(self.bytes.len() as u64))
    }

    pub fn zero_all(&self, kind: Kind, range: &Range<u64>) -> Edited {
        self.zero(kind, range.clone())
    }

    /// Two ranges of equal length change places.
    pub fn swap(&self, a: &Range<u64>, b: &Range<u64>) -> Edited {
        let (a, b) = if a.start < b.start { (a, b) } else { (b, a) };
        let length = (a.end - a.start).min(b.end - b.start).min(b.start - a.start);
        let (a, b) = (a.start as usize, b.start as usize);
        let mut after = self.bytes[a..b + length as usize].to_vec();
        let (first, second) =
            (self.bytes[a..a + length as usize].to_vec(), self.bytes[b..b + length as usize].to_vec());
        after[..length as usize].copy_from_slice(&second);
        after[b - a..].copy_from_slice(&first);
        self.write(Kind::Swap, format!("{length} bytes at {a} and at {b} changed places"), a as u64, after)
    }

    /// Two different pieces of a range change places.
    pub fn swap_within(&self, dice: &mut Dice, within: &Range<u64>) -> Edited {
        let half = (within.end - within.start) / 2;
        let length = (1 + dice.below(32)).min(half);
        let a = within.start + dice.below(half - length + 1);
        let b = within.start + half + dice.below(half - length + 1);
        let piece = |at: u64| &self.bytes[at as usize..(at + length) as usize];
        assert_ne!(piece(a), piece(b), "{}: {a} {b} {length}", self.path);
        self.swap(&(a..a + length), &(b..b + length))
    }

    pub fn cut(&self, bytes: u64) -> Edited {
        let words = format!("{}: cut from {} to {bytes} bytes", self.path, self.bytes.len());
        let step = Step::Cut { path: self.path.clone(), bytes };
        let touched = bytes..self.bytes.len() as u64;
        Edited { kind: Kind::Truncate, words, step, touched, after: self.bytes[..bytes as usize].to_vec() }
    }

    pub fn cut_within(&self, dice: &mut Dice, within: &Range<u64>) -> Edited {
        self.cut(dice.within(within))
    }

    pub fn append(&self, bytes: Vec<u8>) -> Edited {
        let words = format!("{}: {} bytes appended", self.path, bytes.len());
        let end = self.bytes.len() as u64;
        let after = [self.bytes.as_slice(), &bytes].concat();
        let touched = end..end + bytes.len() as u64;
        let step = Step::Append { path: self.path.clone(), bytes };
        Edited { kind: Kind::Append, words, step, touched, after }
    }

    /// Bytes of a range of another file over the same or another place of this one.
    pub fn overwrite(&self, at: u64, bytes: &[u8], whose: &str) -> Edited {
        let words = format!("{} bytes at {at} replaced by {whose}", bytes.len());
        self.write(Kind::Foreign, words, at, bytes.to_vec())
    }
}

/// A whole file or folder from the older copy or the other ledger.
pub fn put(kind: Kind, from: &Path, path: &str) -> (Kind, String, Step) {
    let whose = if kind == Kind::Older { "its older copy" } else { "that of another ledger" };
    (kind, format!("{path} replaced by {whose}"), Step::Put { path: path.to_owned(), from: from.join(path) })
}

pub fn delete(path: &str) -> (Kind, String, Step) {
    (Kind::Delete, format!("{path} deleted"), Step::Remove { path: path.to_owned() })
}

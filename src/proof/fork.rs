//! Two heads of one log that cannot both be true, in a file that anybody can check who has the log's key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::tlog_proof::read_hash;
use super::{ProofError, verify_consistency};
use crate::codec::digest::RootHash;
use crate::log::{Checkpoint, HeadKeys, SignedNote};

const FIRST_LINE: &str = "immutape/fork/1";
const PATH_MAX: usize = 64;

/// What shows that a log signed two histories: `docs/format/5-proof.md` 5.5.
///
/// Two heads of one size with different roots contradict each other by themselves. Of heads of different sizes, `other_root` is
/// the root that the larger tree has over as many leaves as the smaller head names, and `path` leads from it to the larger root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkProof {
    /// The head of fewer entries, or of as many.
    pub smaller: String,
    /// The other.
    pub larger: String,
    /// Root over the first entries of the larger tree, where the sizes differ.
    pub other_root: Option<RootHash>,
    /// Consistency path from there.
    pub path: Vec<[u8; 32]>,
}

/// A fork that was checked: the log signed both. Only [`ForkProof::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenFork {
    smaller: Checkpoint,
    larger: Checkpoint,
}

impl ProvenFork {
    /// The two heads, the one of fewer entries first.
    #[must_use]
    pub const fn heads(&self) -> (&Checkpoint, &Checkpoint) {
        (&self.smaller, &self.larger)
    }
}

impl ForkProof {
    /// The text of the file: a line, the other root if there is one, the path, and the two notes, with empty lines between.
    #[must_use]
    pub fn to_text(&self) -> String {
        let root = self.other_root.map(|root| format!("root {}\n", STANDARD.encode(root.as_ref())));
        let path: String = self.path.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
        format!("{FIRST_LINE}\n{}{path}\n{}\n{}", root.unwrap_or_default(), self.smaller, self.larger)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ProofError::Text`], [`ProofError::Log`].
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let (front, notes) = text.split_once("\n\n").ok_or(ProofError::Text("no empty line before the heads"))?;
        let mut lines = front.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(ProofError::Text("another first line"));
        }
        let root = lines.next_if(|line| line.starts_with("root ")).and_then(|line| line.strip_prefix("root "));
        let other_root = root.map(|root| read_hash(root).map(RootHash::from_bytes)).transpose()?;
        let path: Vec<_> = lines.map(read_hash).collect::<Result<_, _>>()?;
        if path.len() > PATH_MAX {
            return Err(ProofError::Text("more than 64 hashes"));
        }
        let (smaller, larger) = split_notes(notes)?;
        Ok(Self { smaller, larger, other_root, path })
    }

    /// Verifies that the log signed both, and that they contradict each other.
    ///
    /// # Errors
    /// [`ProofError::Log`] for a signature that does not hold, [`ProofError::NoFork`].
    pub fn verify(&self, log: &(impl HeadKeys + ?Sized)) -> Result<ProvenFork, ProofError> {
        let smaller = Checkpoint::from_note(&self.smaller, log)?;
        let larger = Checkpoint::from_note(&self.larger, log)?;
        let contradicts = match &self.other_root {
            None => smaller.size == larger.size && smaller.root != larger.root && self.path.is_empty(),
            Some(other) => {
                let (old, new) = (smaller.size, larger.size);
                old < new
                    && *other != smaller.root
                    && verify_consistency(old, new, &self.path, other, &larger.root).is_ok()
            }
        };
        if contradicts { Ok(ProvenFork { smaller, larger }) } else { Err(ProofError::NoFork) }
    }
}

/// Two notes behind each other, with an empty line between.
fn split_notes(text: &str) -> Result<(String, String), ProofError> {
    let fault = ProofError::Text("not two heads");
    // The text of a head of ours has three lines and no empty one: its signature lines end at the second empty line.
    let (first_text, rest) = text.split_once("\n\n").ok_or(fault.clone())?;
    let (signatures, second) = rest.split_once("\n\n").ok_or(fault)?;
    let first = format!("{first_text}\n\n{signatures}\n");
    SignedNote::parse(&first)?;
    SignedNote::parse(second)?;
    Ok((first, second.to_owned()))
}

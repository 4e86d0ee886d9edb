//! Proof that an entry is in a log, for whoever has the log's key: C2SP tlog-proof.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{CosignedHead, Policy, ProofError, verify_inclusion};
use crate::codec::digest::LeafHash;
use crate::log::NoteKey;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^63 leaves has paths of 63 hashes.
const PATH_MAX: usize = 63;
const EXTRA_BYTES_MAX: usize = 64 << 10;

/// A `.tlog-proof` file. Nothing in it was verified until [`TlogProof::verify`] returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Bytes beside the proof that nothing vouches for.
    pub extra: Option<Vec<u8>>,
    /// Index of the leaf.
    pub index: u64,
    /// Hashes from the leaf's sibling up.
    pub path: Vec<[u8; 32]>,
    /// The signed head.
    pub note: String,
}

/// A proof that holds: the entry at an index is in the log whose head this is. Only [`TlogProof::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenEntry {
    index: u64,
    head: CosignedHead,
}

impl ProvenEntry {
    /// Index of the entry.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The head it is under.
    #[must_use]
    pub const fn head(&self) -> &CosignedHead {
        &self.head
    }
}

impl TlogProof {
    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let extra = self.extra.as_ref().map(|extra| format!("extra {}\n", STANDARD.encode(extra)));
        let path: String = self.path.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
        format!("{FIRST_LINE}\n{}index {}\n{path}\n{}", extra.unwrap_or_default(), self.index, self.note)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ProofError::Text`].
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let (front, note) = text.split_once("\n\n").ok_or(ProofError::Text("no empty line before the head"))?;
        let mut lines = front.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(ProofError::Text("another first line"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra ")).map(read_extra).transpose()?;
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or(ProofError::Text("no index"))?;
        let path: Vec<_> = lines.map(read_hash).collect::<Result<_, _>>()?;
        if path.len() > PATH_MAX {
            return Err(ProofError::Text("more than 63 hashes"));
        }
        Ok(Self { extra, index, path, note: note.to_owned() })
    }

    /// Verifies it for a leaf under the log's key and a policy for witnesses.
    ///
    /// # Errors
    /// [`ProofError::Log`] for a signature or a path that does not hold; [`ProofError::Quorum`].
    ///
    /// ```
    /// use immutape::log::NoteKey;
    /// use immutape::proof::{Policy, ProofError, ProvenEntry, TlogProof};
    /// # use immutape::log::leaf_hash;
    /// fn check(file: &str, entry: &[u8], log: &NoteKey, policy: &Policy) -> Result<ProvenEntry, ProofError> {
    ///     TlogProof::parse(file)?.verify(&leaf_hash(entry), log, policy)
    /// }
    /// ```
    pub fn verify(&self, leaf: &LeafHash, log: &NoteKey, policy: &Policy) -> Result<ProvenEntry, ProofError> {
        let head = policy.check(&self.note, log)?;
        if !head.is_quorum() {
            return Err(ProofError::Quorum);
        }
        let checkpoint = head.checkpoint();
        verify_inclusion(leaf, self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok(ProvenEntry { index: self.index, head })
    }
}

fn read_extra(line: &str) -> Result<Vec<u8>, ProofError> {
    let extra = line.strip_prefix("extra ").and_then(|text| STANDARD.decode(text).ok());
    extra
        .filter(|extra| extra.len() <= EXTRA_BYTES_MAX)
        .ok_or(ProofError::Text("extra data that is not base64, or too long"))
}

/// One hash on a line, in base64.
pub(super) fn read_hash(line: &str) -> Result<[u8; 32], ProofError> {
    let hash = STANDARD.decode(line).ok().and_then(|bytes| bytes.try_into().ok());
    hash.ok_or(ProofError::Text("a line that is no hash"))
}

/// Decimal without sign or leading zeros.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}

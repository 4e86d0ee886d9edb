//! What a log asks a witness: C2SP tlog-witness, `add-checkpoint`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ProofError;
use super::tlog_proof::{decimal, read_hash};
use crate::log::{LogError, NoteSignature};

const PATH_MAX: usize = 63;

/// Body of an `add-checkpoint`.
///
/// ```
/// use immutape::proof::WitnessRequest;
/// let request = WitnessRequest { old_size: 0, path: Vec::new(), note: "o\n1\n..".into() };
/// assert_eq!(request.to_text(), "old 0\n\no\n1\n..");
/// assert_eq!(WitnessRequest::parse(&request.to_text()), Ok(request));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessRequest {
    /// Size of the head that the witness cosigned last.
    pub old_size: u64,
    /// Consistency path from there.
    pub path: Vec<[u8; 32]>,
    /// The signed head.
    pub note: String,
}

impl WitnessRequest {
    /// The body.
    #[must_use]
    pub fn to_text(&self) -> String {
        let path: String = self.path.iter().map(|hash| STANDARD.encode(hash) + "\n").collect();
        format!("old {}\n{path}\n{}", self.old_size, self.note)
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`ProofError::Request`], [`ProofError::Text`] for a line that is no hash.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let (front, note) = text.split_once("\n\n").ok_or(ProofError::Request("no empty line before the head"))?;
        let mut lines = front.split('\n');
        let old_size = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old_size = old_size.ok_or(ProofError::Request("no old size"))?;
        let path: Vec<_> = lines.map(read_hash).collect::<Result<_, _>>()?;
        if path.len() > PATH_MAX {
            return Err(ProofError::Request("more than 63 hashes"));
        }
        Ok(Self { old_size, path, note: note.to_owned() })
    }
}

/// Reads the answer of a witness: one or more signature lines.
///
/// # Errors
/// [`ProofError::Log`], [`ProofError::Request`] for none or for more than 64.
pub fn read_cosignatures(body: &str) -> Result<Vec<NoteSignature>, ProofError> {
    let lines = body.strip_suffix('\n').ok_or(ProofError::Request("the answer does not end in a newline"))?;
    let lines: Vec<_> = lines.split('\n').map(NoteSignature::parse).collect::<Result<_, LogError>>()?;
    if lines.len() > crate::codec::limits::NOTE_SIGNATURES_MAX {
        return Err(ProofError::Request("more than 64 signature lines"));
    }
    Ok(lines)
}

/// Reads the body of a 409: the size that the witness cosigned last.
///
/// # Errors
/// [`ProofError::Request`].
pub fn read_size(body: &str) -> Result<u64, ProofError> {
    body.strip_suffix('\n').and_then(decimal).ok_or(ProofError::Request("the size in the answer is no number"))
}

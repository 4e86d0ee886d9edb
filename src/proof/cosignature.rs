//! Cosignatures of witnesses: C2SP tlog-cosignature, type 0x04.

use crate::log::{COSIGNATURE, LogError, NoteSignature, SignedNote, is_key_name, key_id, read_vkey, write_vkey};
use crate::seal::{PublicKey, Signer};

/// Latest time that a cosignature may name: that of a signed 64-bit number.
const TIME_S_MAX: u64 = i64::MAX as u64;

/// The key of a witness under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignerKey {
    name: String,
    key: PublicKey,
    id: [u8; 4],
}

impl CosignerKey {
    /// A key named `name`.
    ///
    /// # Errors
    /// [`LogError::Note`] for a name that no key can have.
    pub fn new(name: &str, key: PublicKey) -> Result<Self, LogError> {
        if !is_key_name(name) {
            return Err(LogError::Note("a key name is empty or has spaces or +"));
        }
        Ok(Self { name: name.to_owned(), key, id: key_id(name, COSIGNATURE, &key) })
    }

    /// Reads a verifier key of type 0x04.
    ///
    /// # Errors
    /// [`LogError::Note`], [`LogError::Seal`] for a key of small order.
    pub fn parse(text: &str) -> Result<Self, LogError> {
        let (name, key) = read_vkey(text, COSIGNATURE)?;
        Self::new(&name, key)
    }

    /// Verifier key text.
    #[must_use]
    pub fn to_text(&self) -> String {
        write_vkey(&self.name, COSIGNATURE, &self.key)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Is it a signature line of this key?
    #[must_use]
    pub fn is_of(&self, line: &NoteSignature) -> bool {
        line.name == self.name && line.id == self.id
    }

    /// Cosigns the text of a checkpoint at a time, in seconds since 1970; the signature line. The caller has looked that the
    /// checkpoint extends what it cosigned before, and made that durable.
    ///
    /// # Errors
    /// [`LogError::Note`] when `signer` has another key.
    ///
    /// ```
    /// # use immutape::log::{LogError, SignedNote};
    /// # use immutape::proof::CosignerKey;
    /// # use immutape::seal::Signer;
    /// # fn cosigned(note: &str, witness: &dyn Signer) -> Result<(), LogError> {
    /// let key = CosignerKey::new("witness.example/w1", witness.public_key())?;
    /// let line = key.cosign(SignedNote::parse(note)?.text(), 1_795_169_821, witness)?;
    /// let note = SignedNote::parse(&format!("{note}{}", line.to_line()))?;
    /// assert_eq!(key.time_on(&note)?, Some(1_795_169_821));
    /// # Ok(()) }
    /// ```
    pub fn cosign(&self, text: &str, time_s: u64, signer: &dyn Signer) -> Result<NoteSignature, LogError> {
        if signer.public_key() != self.key || time_s > TIME_S_MAX {
            return Err(LogError::Note("another key than the witness's, or a time out of range"));
        }
        let mut signature = time_s.to_be_bytes().to_vec();
        signature.extend_from_slice(&signer.sign(&message(text, time_s)));
        Ok(NoteSignature { name: self.name.clone(), id: self.id, signature })
    }

    /// The time at which this witness cosigned the note: the earliest, if it did several times. `None` without a line of it.
    ///
    /// # Errors
    /// [`LogError::BadSignature`] when any line of this key does not hold.
    pub fn time_on(&self, note: &SignedNote) -> Result<Option<u64>, LogError> {
        let times = note.signatures().iter().filter(|line| self.is_of(line)).map(|line| self.verify(note.text(), line));
        Ok(times.collect::<Result<Vec<_>, _>>()?.into_iter().min())
    }

    fn verify(&self, text: &str, line: &NoteSignature) -> Result<u64, LogError> {
        let (time, signature) = line.signature.split_first_chunk::<8>().ok_or(LogError::BadSignature)?;
        let time_s = u64::from_be_bytes(*time);
        let signature = signature.try_into().map_err(|_| LogError::BadSignature)?;
        if time_s > TIME_S_MAX {
            return Err(LogError::BadSignature);
        }
        self.key.verify(&message(text, time_s), signature).map_err(|_| LogError::BadSignature)?;
        Ok(time_s)
    }
}

/// What is signed: the time, and the whole text of the checkpoint.
fn message(text: &str, time_s: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes()
}

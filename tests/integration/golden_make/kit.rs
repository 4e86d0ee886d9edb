//! What a golden chapter is made of.

use immutape::seal::{PublicKey, Signature, Signer};

/// A value in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Hex(Vec<u8>),
    Text(String),
    Int(u64),
}

pub fn hex(bytes: impl AsRef<[u8]>) -> Value {
    Value::Hex(bytes.as_ref().to_vec())
}

pub fn text(words: impl Into<String>) -> Value {
    Value::Text(words.into())
}

/// A named value with what it is for.
pub type Named = (&'static str, Value, &'static str);

/// A file that a reader takes.
#[derive(Debug, Clone)]
pub struct Accept {
    pub file: String,
    pub decoder: &'static str,
    pub what: String,
    /// Rule of the chapter's CDDL that describes it, or what it opens to.
    pub cddl: Option<&'static str>,
    pub bytes: Vec<u8>,
    /// Inputs of this file alone, and intermediate values.
    pub values: Vec<(&'static str, Value)>,
}

/// A file that a reader refuses, for one reason.
#[derive(Debug, Clone)]
pub struct Reject {
    pub file: String,
    pub from: String,
    pub error: String,
    pub what: String,
    /// Hashes, codes and signatures that were made anew around the fault.
    pub refreshed: &'static [&'static str],
    pub bytes: Vec<u8>,
}

/// One folder of golden files.
pub struct Chapter {
    pub name: &'static str,
    pub about: &'static str,
    pub inputs: Vec<Named>,
    pub accepts: Vec<Accept>,
    pub rejects: Vec<Reject>,
}

impl Chapter {
    pub fn bytes(&self, file: &str) -> &[u8] {
        find(&self.accepts, file)
    }
}

/// Bytes of an accepted file.
pub fn find<'a>(accepts: &'a [Accept], file: &str) -> &'a [u8] {
    &accepts.iter().find(|a| a.file == file).unwrap_or_else(|| panic!("no accepted file {file}")).bytes
}

/// Gathers refused files of a chapter.
pub struct Refuse<'a> {
    pub accepts: &'a [Accept],
    pub out: Vec<Reject>,
}

impl<'a> Refuse<'a> {
    pub fn new(accepts: &'a [Accept]) -> Self {
        Self { accepts, out: Vec::new() }
    }

    pub fn base(&self, from: &str) -> &'a [u8] {
        find(self.accepts, from)
    }

    /// Adds a file whose bytes are given.
    pub fn put(&mut self, file: &str, from: &str, error: &str, what: &str, bytes: Vec<u8>) {
        self.put_refreshed(file, from, error, what, &[], bytes);
    }

    pub fn put_refreshed(
        &mut self,
        file: &str,
        from: &str,
        error: &str,
        what: &str,
        refreshed: &'static [&'static str],
        bytes: Vec<u8>,
    ) {
        let (file, from, error, what) = (file.into(), from.into(), error.into(), what.into());
        self.out.push(Reject { file, from, error, what, refreshed, bytes });
    }

    /// Adds a file made by replacing pieces, each given as hexadecimal text that occurs once.
    pub fn swap(&mut self, file: &str, from: &str, error: &str, what: &str, swaps: &[(&str, &str)]) {
        let bytes = swap(self.base(from), swaps);
        self.put(file, from, error, what, bytes);
    }
}

/// `base` with pieces replaced; each old piece (hexadecimal, spaces allowed) must occur exactly once.
pub fn swap(base: &[u8], swaps: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for (old, new) in swaps {
        let (old_bytes, new_bytes) = (unhex(old), unhex(new));
        let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(&old_bytes)).collect();
        assert_eq!(places.len(), 1, "{old} occurs {} times in {}", places.len(), hex::encode(base));
        bytes.splice(places[0]..places[0] + old_bytes.len(), new_bytes);
    }
    bytes
}

/// `base` with the byte at `at` (from the end when negative) changed.
pub fn flip(base: &[u8], at: isize) -> Vec<u8> {
    let mut bytes = base.to_vec();
    let len = bytes.len();
    let place = if at < 0 { len - at.unsigned_abs() } else { at as usize };
    bytes[place] ^= 1;
    bytes
}

/// `base` with `more` after it.
pub fn append(base: &[u8], more: &[u8]) -> Vec<u8> {
    [base, more].concat()
}

pub fn unhex(digits: &str) -> Vec<u8> {
    hex::decode(digits.replace(' ', "")).unwrap_or_else(|e| panic!("{digits}: {e}"))
}

/// A key made from a seed.
pub struct SeedSigner(ed25519_dalek::SigningKey);

impl SeedSigner {
    pub fn new(seed: u8) -> Self {
        Self::from_seed(&[seed; 32])
    }

    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }
}

impl Signer for SeedSigner {
    fn sign(&self, message: &[u8]) -> Signature {
        use ed25519_dalek::Signer as _;
        self.0.sign(message).to_bytes()
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap()
    }
}

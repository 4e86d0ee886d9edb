//! Key files: PKCS#8 version 1 PEM for Ed25519 keys, a PEM of our own label for the vault root.

use std::path::Path;

use ed25519_dalek::Signer as _;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, KeypairBytes};
use zeroize::Zeroizing;

use crate::codec::escape::visible;
use crate::codec::random::{Random, bytes};
use crate::error::{Code, Error, Result};
use crate::seal::{KeyEncryptionKey, PublicKey, Signature, Signer};
use crate::store::files::{Files, code_of, parent, with_suffix};

const ROOT_LABEL: &str = "IMMUTAPE VAULT ROOT";
const KEY_FILE_BYTES_MAX: u64 = 16 << 10;

/// An Ed25519 key held in this process; erased when dropped.
pub struct LocalSigner {
    key: SigningKey,
    public: PublicKey,
}

impl LocalSigner {
    /// A fresh key.
    ///
    /// # Errors
    /// `E_NO_RANDOM`.
    pub fn generate(random: &dyn Random) -> Result<Self> {
        let seed = Zeroizing::new(bytes::<32>(random)?);
        Self::from_key(SigningKey::from_bytes(&seed))
    }

    fn from_key(key: SigningKey) -> Result<Self> {
        let public = PublicKey::from_bytes(key.verifying_key().as_bytes())?;
        Ok(Self { key, public })
    }
}

impl Signer for LocalSigner {
    fn sign(&self, message: &[u8]) -> Signature {
        self.key.sign(message).to_bytes()
    }
    fn public_key(&self) -> PublicKey {
        self.public
    }
}

/// Writes a new key file (0600). Never over an existing one.
///
/// # Errors
/// `E_IO`, `E_STORE_FULL`; `E_LEDGER_EXISTS` when the file is there.
pub fn write_signer(files: &dyn Files, path: &Path, signer: &LocalSigner) -> Result<()> {
    // Version 1, without the public key: OpenSSL 3.0 cannot read version 2.
    let pair = KeypairBytes { secret_key: *signer.key.as_bytes(), public_key: None };
    let pem = pair.to_pkcs8_pem(ed25519_dalek::pkcs8::spki::der::pem::LineEnding::LF).map_err(|e| {
        Error::new(Code::Internal, "a key could not be encoded").with_source(std::io::Error::other(e.to_string()))
    })?;
    write_secret(files, path, pem.as_bytes())
}

/// Reads an Ed25519 key file.
///
/// # Errors
/// `E_KEY_MISSING`, `E_KEY_UNREADABLE`, `E_KEY_MALFORMED`.
pub fn read_signer(files: &dyn Files, path: &Path) -> Result<LocalSigner> {
    let text = read_secret(files, path)?;
    if text.starts_with(OPENSSH_BEGIN) {
        let secret = crate::seal::ssh_secret(&text).map_err(|e| {
            let wanted = "an Ed25519 key of OpenSSH without a passphrase";
            malformed(path, wanted)
                .with_hint("a key under a passphrase signs cases with `ssh-keygen -Y sign`")
                .with_source(e)
        })?;
        return LocalSigner::from_key(SigningKey::from_bytes(&secret));
    }
    let wanted = "an Ed25519 private key in PKCS#8 PEM, or as ssh-keygen writes it";
    let key = SigningKey::from_pkcs8_pem(&text).map_err(|_| malformed(path, wanted))?;
    LocalSigner::from_key(key)
}

/// Reads a public key: SPKI PEM, or the public half of a private key file.
///
/// # Errors
/// As [`read_signer`].
pub fn read_public_or_signer(files: &dyn Files, path: &Path) -> Result<PublicKey> {
    let text = read_secret(files, path)?;
    if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(&text) {
        return Ok(PublicKey::from_bytes(key.as_bytes())?);
    }
    let key = SigningKey::from_pkcs8_pem(&text).map_err(|_| malformed(path, "an Ed25519 key in PEM"))?;
    Ok(LocalSigner::from_key(key)?.public)
}

/// How a private key file of OpenSSH begins.
const OPENSSH_BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
/// Longest file of a public key that is read.
const PUBLIC_BYTES_MAX: u64 = 16 << 10;

/// Reads somebody's public key, whoever may read the file: a line as `ssh-keygen` writes it, SPKI PEM, or 64 hexadecimal digits.
///
/// # Errors
/// `E_KEY_MISSING`, `E_KEY_UNREADABLE`, `E_KEY_MALFORMED`.
pub fn read_any_public(files: &dyn Files, path: &Path) -> Result<PublicKey> {
    let unreadable = |e: std::io::Error| {
        let code = if e.kind() == std::io::ErrorKind::NotFound { Code::KeyMissing } else { Code::KeyUnreadable };
        Error::new(code, format!("the public key {} cannot be read", shown(path))).with_source(e)
    };
    let path = std::path::absolute(path).map_err(unreadable)?;
    let bytes = files.read(&path, PUBLIC_BYTES_MAX).map_err(unreadable)?;
    let bad = || malformed(&path, "an Ed25519 public key: a line of ssh-keygen, SPKI PEM, or 64 hexadecimal digits");
    let text = std::str::from_utf8(&bytes).map_err(|_| bad())?.trim();
    if let Ok(key) = crate::seal::ssh_public_key(text) {
        return Ok(key);
    }
    if let Ok(key) = ed25519_dalek::VerifyingKey::from_public_key_pem(text) {
        return PublicKey::from_bytes(key.as_bytes()).map_err(|_| bad());
    }
    let mut key = [0; 32];
    hex::decode_to_slice(text, &mut key).map_err(|_| bad())?;
    PublicKey::from_bytes(&key).map_err(|_| bad())
}

/// Writes a vault root file (0600). Never over an existing one.
///
/// # Errors
/// `E_IO`, `E_STORE_FULL`, `E_LEDGER_EXISTS`.
pub fn write_root(files: &dyn Files, path: &Path, root: &KeyEncryptionKey) -> Result<()> {
    let pem = pem_rfc7468::encode_string(ROOT_LABEL, pem_rfc7468::LineEnding::LF, root.expose())
        .map_err(|_| Error::new(Code::Internal, "the vault root could not be encoded"))?;
    write_secret(files, path, Zeroizing::new(pem).as_bytes())
}

/// Reads a vault root file.
///
/// # Errors
/// As [`read_signer`].
pub fn read_root(files: &dyn Files, path: &Path) -> Result<KeyEncryptionKey> {
    let text = read_secret(files, path)?;
    let bad = || malformed(path, "a vault root");
    let (label, key) = pem_rfc7468::decode_vec(text.as_bytes()).map_err(|_| bad())?;
    let key = Zeroizing::new(key);
    if label != ROOT_LABEL {
        return Err(bad());
    }
    Ok(KeyEncryptionKey::from_bytes(key.as_slice().try_into().map_err(|_| bad())?))
}

fn write_secret(files: &dyn Files, path: &Path, content: &[u8]) -> Result<()> {
    // A crash before the rename leaves a `.tmp` file that holds a key nobody uses; making keys again
    // replaces it. A crash after it leaves the whole file.
    let temporary = with_suffix(path, ".tmp");
    let io = |e| Error::new(code_of(&e), format!("{} cannot be written", shown(path))).with_source(e);
    let is_there = || {
        Error::new(Code::LedgerExists, format!("{} is there already; a key is never overwritten", shown(path)))
            .with_hint("it belongs to another ledger, or to one whose making was cut off; give another folder with --config-dir")
    };
    if files.exists(path).map_err(io)? {
        return Err(is_there());
    }
    if files.exists(&temporary).map_err(io)? {
        files.remove_file(&temporary).map_err(io)?;
    }
    let file = files.create_new(&temporary).map_err(io)?;
    file.write_at(0, content).map_err(io)?;
    file.sync_data().map_err(io)?;
    files
        .rename_noreplace(&temporary, path)
        .map_err(|e| if e.kind() == std::io::ErrorKind::AlreadyExists { is_there() } else { io(e) })?;
    files.sync_dir(parent(path)).map_err(io)
}

fn read_secret(files: &dyn Files, path: &Path) -> Result<Zeroizing<String>> {
    use std::io::ErrorKind;
    let bytes = files.read(path, KEY_FILE_BYTES_MAX).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::new(Code::KeyMissing, format!("the key file {} is missing", shown(path)))
            .with_hint("put it back from its copy; without it this ledger can be checked but not used"),
        ErrorKind::FileTooLarge => malformed(path, "a key"),
        _ => Error::new(Code::KeyUnreadable, format!("the key file {} cannot be read", shown(path))).with_source(e),
    })?;
    let bytes = Zeroizing::new(bytes);
    let shared = files
        .shared_mode(path)
        .map_err(|e| Error::new(Code::KeyUnreadable, format!("{} cannot be looked at", shown(path))).with_source(e))?;
    if shared != 0 && bytes.windows(7).any(|w| w == b"PRIVATE" || w == b"E VAULT") {
        return Err(Error::new(Code::KeyUnreadable, format!("others can read the key file {}", shown(path)))
            .with_hint(format!("chmod 600 {}", shown(path))));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed(path, "a PEM file"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn malformed(path: &Path, wanted: &str) -> Error {
    Error::new(Code::KeyMalformed, format!("{} does not hold {wanted}", shown(path)))
        .with_hint("put the file back from its copy")
}

fn shown(path: &Path) -> String {
    visible(path.as_os_str().as_encoded_bytes())
}

//! SSHSIG (OpenSSH's PROTOCOL.sshsig): a signature of a file for people who have nothing but `ssh-keygen`.

use ssh_key::private::KeypairData;
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{
    Algorithm, HashAlg, LineEnding, PrivateKey as SshPrivateKey, PublicKey as SshPublicKey,
    Signature as SshKeySignature, SshSig,
};
use zeroize::Zeroizing;

use super::{PublicKey, SealError, Signer};

/// A signature of `message` as `ssh-keygen -Y verify` takes it: armored, over its SHA-512. The namespace keeps it from counting
/// as a signature of anything else.
///
/// # Errors
/// [`SealError::Header`] for an empty namespace.
///
/// # Examples
/// ```
/// use immutape::keyring::{LocalSigner, OsRandom};
/// use immutape::seal::ssh_signature;
///
/// let key = LocalSigner::generate(&OsRandom)?;
/// let signature = ssh_signature(b"a file", "evidence@immutape", &key)?;
/// assert!(signature.starts_with("-----BEGIN SSH SIGNATURE-----\n"));
/// # Ok::<(), immutape::Error>(())
/// ```
pub fn ssh_signature(message: &[u8], namespace: &str, signer: &dyn Signer) -> Result<String, SealError> {
    let to_be_signed = SshSig::signed_data(namespace, HashAlg::Sha512, message).map_err(refused)?;
    let signature = SshKeySignature::new(Algorithm::Ed25519, signer.sign(&to_be_signed)).map_err(refused)?;
    let signed = SshSig::new(key_data(&signer.public_key()), namespace, HashAlg::Sha512, signature);
    signed.and_then(|signed| signed.to_pem(LineEnding::LF)).map_err(refused)
}

/// Whose signature of `message` this is, if it is one: armored, as `ssh-keygen -Y sign` makes it, in this namespace, by an Ed25519 key.
///
/// # Errors
/// [`SealError::Header`] for what is no such signature, or is one for another namespace; [`SealError::Signature`] for one of something else.
///
/// # Examples
/// ```
/// use immutape::keyring::{LocalSigner, OsRandom};
/// use immutape::seal::{Signer as _, ssh_signature, ssh_signer};
///
/// let key = LocalSigner::generate(&OsRandom)?;
/// let signature = ssh_signature(b"a case", "approval@immutape", &key)?;
/// assert_eq!(ssh_signer(b"a case", "approval@immutape", &signature)?, key.public_key());
/// assert!(ssh_signer(b"another", "approval@immutape", &signature).is_err());
/// assert!(ssh_signer(b"a case", "evidence@immutape", &signature).is_err());
/// # Ok::<(), immutape::Error>(())
/// ```
pub fn ssh_signer(message: &[u8], namespace: &str, armored: &str) -> Result<PublicKey, SealError> {
    const OTHER: SealError = SealError::Header("SSH signature");
    let read = SshSig::from_pem(armored).map_err(|_| OTHER)?;
    let KeyData::Ed25519(key) = read.public_key() else { return Err(OTHER) };
    let is_ours = read.version() == SshSig::VERSION && read.algorithm() == Algorithm::Ed25519;
    if !is_ours || read.namespace() != namespace || !read.reserved().is_empty() {
        return Err(OTHER);
    }
    // The reader takes more than one spelling of some lengths: only the one that it would write itself counts.
    let letters = |text: &str| text.split_ascii_whitespace().collect::<String>();
    let own = read.to_pem(LineEnding::LF).map_err(|_| OTHER)?;
    if letters(&own) != letters(armored) {
        return Err(OTHER);
    }
    let key = PublicKey::from_bytes(&key.0)?;
    let signed = SshSig::signed_data(namespace, read.hash_alg(), message).map_err(|_| OTHER)?;
    let signature = read.signature_bytes().try_into().map_err(|_| OTHER)?;
    key.verify(&signed, &signature)?;
    Ok(key)
}

/// The Ed25519 key of a line as `ssh-keygen` writes it beside the private half: `ssh-ed25519 AAAA... comment`.
///
/// # Errors
/// [`SealError::PublicKey`].
pub fn ssh_public_key(line: &str) -> Result<PublicKey, SealError> {
    let key = SshPublicKey::from_openssh(line.trim()).map_err(|_| SealError::PublicKey)?;
    match key.key_data() {
        KeyData::Ed25519(key) => PublicKey::from_bytes(&key.0),
        _ => Err(SealError::PublicKey),
    }
}

/// The secret half of an Ed25519 key as `ssh-keygen` keeps it, without a passphrase.
///
/// # Errors
/// [`SealError::Header`] for what is no such file, or is under a passphrase: an agent or `ssh-keygen -Y sign` signs with that.
pub(crate) fn ssh_secret(text: &str) -> Result<Zeroizing<[u8; 32]>, SealError> {
    let key = SshPrivateKey::from_openssh(text).map_err(|_| SealError::Header("OpenSSH private key"))?;
    match key.key_data() {
        KeypairData::Ed25519(pair) => Ok(Zeroizing::new(pair.private.to_bytes())),
        KeypairData::Encrypted(_) => Err(SealError::Header("OpenSSH private key without a passphrase")),
        _ => Err(SealError::PublicKey),
    }
}

/// The line of an `allowed_signers` file (ssh-keygen(1)) by which signatures of this key in this namespace alone are those of
/// `principal`, an origin as writers make it: other characters could mean something there.
///
/// # Errors
/// [`SealError::Header`] for a principal or namespace that the file would read as something else; [`SealError::PublicKey`].
pub fn allowed_signer(principal: &str, namespace: &str, key: &PublicKey) -> Result<String, SealError> {
    if !is_plain(principal) || !is_plain(namespace) {
        return Err(SealError::Header("name of a signer"));
    }
    let key = SshPublicKey::new(key_data(key), "").to_openssh().map_err(|_| SealError::PublicKey)?;
    Ok(format!("{principal} namespaces=\"{namespace}\" {}\n", key.trim_end()))
}

/// Neither a pattern nor a list, a comment or a quotation.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/@".contains(&byte))
}

fn key_data(key: &PublicKey) -> KeyData {
    KeyData::Ed25519(Ed25519PublicKey(key.to_bytes()))
}

/// A key of 32 bytes and a signature of 64 always fit: what is left to refuse is the namespace.
fn refused(_: ssh_key::Error) -> SealError {
    SealError::Header("namespace")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Signature;

    struct Key(ed25519_dalek::SigningKey);

    impl Signer for Key {
        fn sign(&self, message: &[u8]) -> Signature {
            use ed25519_dalek::Signer as _;
            self.0.sign(message).to_bytes()
        }

        fn public_key(&self) -> PublicKey {
            PublicKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap()
        }
    }

    fn key() -> Key {
        Key(ed25519_dalek::SigningKey::from_bytes(&[5; 32]))
    }

    #[test]
    fn a_signature_is_over_the_message_in_its_namespace() {
        let key = key();
        let text = ssh_signature(b"message", "evidence@immutape", &key).unwrap();
        let read = SshSig::from_pem(&text).unwrap();
        assert_eq!(
            (read.namespace(), read.hash_alg(), read.reserved()),
            ("evidence@immutape", HashAlg::Sha512, &b""[..])
        );
        assert_eq!(read.public_key(), &key_data(&key.public_key()));
        let signature = read.signature_bytes().try_into().unwrap();
        let over = |namespace: &str, message: &[u8]| {
            let signed = SshSig::signed_data(namespace, HashAlg::Sha512, message).unwrap();
            key.public_key().verify(&signed, &signature)
        };
        assert_eq!(over("evidence@immutape", b"message"), Ok(()));
        assert_eq!(over("evidence@immutape", b"massage"), Err(SealError::Signature));
        assert_eq!(over("file", b"message"), Err(SealError::Signature));
        assert_eq!(key.public_key().verify(b"message", &signature), Err(SealError::Signature), "no bare signature");
        assert!(text.ends_with("-----END SSH SIGNATURE-----\n") && !text.contains('\r'));
    }

    #[test]
    fn a_key_comes_out_of_both_halves_as_ssh_keygen_writes_them() {
        use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey};
        let own = key();
        let KeyData::Ed25519(public) = key_data(&own.public_key()) else { panic!() };
        let pair = Ed25519Keypair { public, private: Ed25519PrivateKey::from_bytes(&[5; 32]) };
        let private = SshPrivateKey::new(KeypairData::Ed25519(pair), "ann@desk").unwrap();
        let text = private.to_openssh(LineEnding::LF).unwrap();
        assert_eq!(*ssh_secret(&text).unwrap(), [5; 32]);
        let line = private.public_key().to_openssh().unwrap();
        assert_eq!(ssh_public_key(&format!("{line}\n")), Ok(own.public_key()));
        for bad in ["", "ssh-ed25519", "ssh-rsa AAAAB3NzaC1yc2E=", &line.replace("ssh-ed25519", "ssh-dss")] {
            assert_eq!(ssh_public_key(bad), Err(SealError::PublicKey), "{bad:?}");
        }
        for bad in ["", &text.replacen('b', "c", 1), line.as_str()] {
            assert_eq!(ssh_secret(bad).map(|_| ()), Err(SealError::Header("OpenSSH private key")), "{bad:?}");
        }
    }

    #[test]
    fn who_signed_is_told_of_what_was_signed_and_of_nothing_else() {
        let own = key();
        let good = ssh_signature(b"a case", "approval@immutape", &own).unwrap();
        let signer = |message: &[u8], namespace: &str, text: &str| ssh_signer(message, namespace, text);
        assert_eq!(signer(b"a case", "approval@immutape", &good), Ok(own.public_key()));
        assert_eq!(signer(b"another", "approval@immutape", &good), Err(SealError::Signature));
        let other = Err(SealError::Header("SSH signature"));
        assert_eq!(signer(b"a case", "file", &good), other);
        assert_eq!(signer(b"a case", "approval@immutape", ""), other);
        assert_eq!(signer(b"a case", "approval@immutape", &good[..good.len() / 2]), other);
        // Every flipped bit of what is armored: another signature, another key, or none of these.
        let body: String = good.lines().filter(|line| !line.starts_with('-')).collect();
        for at in 0..body.len() {
            let mut changed = body.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let lines = changed.chunks(70).map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>();
            let text = format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"));
            assert!(signer(b"a case", "approval@immutape", &text).is_err() || changed == body.as_bytes(), "{at}");
        }
    }

    #[test]
    fn names_that_mean_something_else_to_openssh_are_refused() {
        let key = key();
        assert_eq!(ssh_signature(b"", "", &key), Err(SealError::Header("namespace")));
        let line = |principal, namespace| allowed_signer(principal, namespace, &key.public_key());
        let good = line("log.example/0a", "evidence@immutape").unwrap();
        assert!(good.starts_with("log.example/0a namespaces=\"evidence@immutape\" ssh-ed25519 AAAA"), "{good}");
        assert_eq!((good.lines().count(), good.split(' ').count()), (1, 4));
        for bad in ["", "*", "a,b", "!a", "#a", "a b", "a\"", "a\n", "\u{e9}"] {
            assert_eq!(line(bad, "n"), Err(SealError::Header("name of a signer")), "{bad:?}");
            assert_eq!(line("p", bad), Err(SealError::Header("name of a signer")), "{bad:?}");
        }
    }
}

//! Key files and the rest of the world: OpenSSL reads ours, we read OpenSSL's, and nobody else may look.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use immutape::Code;
use immutape::keyring::{LocalSigner, OsRandom, read_root, read_signer, write_root, write_signer};
use immutape::seal::{KeyEncryptionKey, Signer as _};
use immutape::store::files::RealFiles;

use crate::support::skipped;

fn openssl(arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("openssl").args(arguments).output().ok()?;
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

#[test]
fn openssl_reads_the_keys_we_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let key = LocalSigner::generate(&OsRandom).unwrap();
    write_signer(&RealFiles, &path, &key).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let Some(der) = openssl(&["pkey", "-in", path.to_str().unwrap(), "-pubout", "-outform", "DER"]) else {
        return skipped("openssl is not there");
    };
    // SubjectPublicKeyInfo of RFC 8410: a fixed front of 12 bytes, then the key.
    assert_eq!(hex::encode(&der[..12]), "302a300506032b6570032100");
    assert_eq!(der[12..], key.public_key().to_bytes());
}

#[test]
fn we_read_the_keys_openssl_writes_and_it_accepts_our_signatures() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (private, public, message, signature) = (at("p.pem"), at("pub.pem"), at("message"), at("signature"));
    if openssl(&["genpkey", "-algorithm", "ed25519", "-out", &private]).is_none() {
        return skipped("openssl is not there");
    }
    std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o600)).unwrap();
    let key = read_signer(&RealFiles, Path::new(&private)).unwrap();
    std::fs::write(&message, b"the bytes that are signed").unwrap();
    std::fs::write(&signature, key.sign(b"the bytes that are signed")).unwrap();
    openssl(&["pkey", "-in", &private, "-pubout", "-out", &public]).unwrap();
    openssl(&["pkeyutl", "-verify", "-pubin", "-inkey", &public, "-rawin", "-in", &message, "-sigfile", &signature])
        .unwrap();
}

#[test]
fn each_way_a_key_file_can_be_wrong_has_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let code = |path: &Path| read_signer(&RealFiles, path).map(drop).unwrap_err().code();
    assert_eq!(code(&path), Code::KeyMissing);
    for junk in [&b""[..], b"hello", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &[0xff; 90]] {
        std::fs::write(&path, junk).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(code(&path), Code::KeyMalformed, "{junk:?}");
    }
    std::fs::write(&path, vec![b'A'; 1 << 20]).unwrap();
    assert_eq!(code(&path), Code::KeyMalformed);
    std::fs::remove_file(&path).unwrap();
    write_signer(&RealFiles, &path, &LocalSigner::generate(&OsRandom).unwrap()).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(code(&path), Code::KeyUnreadable);
    let again = write_signer(&RealFiles, &path, &LocalSigner::generate(&OsRandom).unwrap());
    assert_eq!(again.unwrap_err().code(), Code::LedgerExists, "a key is never overwritten");
    assert_eq!(code(folder.path()), Code::KeyUnreadable);
}

#[test]
fn a_vault_root_is_not_an_ed25519_key() {
    let folder = tempfile::tempdir().unwrap();
    let (root, key) = (folder.path().join("root.key"), folder.path().join("key.pem"));
    let secret = KeyEncryptionKey::generate(&OsRandom).unwrap();
    write_root(&RealFiles, &root, &secret).unwrap();
    assert_eq!(read_root(&RealFiles, &root).unwrap().expose(), secret.expose());
    write_signer(&RealFiles, &key, &LocalSigner::generate(&OsRandom).unwrap()).unwrap();
    assert_eq!(read_root(&RealFiles, &key).map(drop).unwrap_err().code(), Code::KeyMalformed);
    assert_eq!(read_signer(&RealFiles, &root).map(drop).unwrap_err().code(), Code::KeyMalformed);
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o604)).unwrap();
    assert_eq!(read_root(&RealFiles, &root).map(drop).unwrap_err().code(), Code::KeyUnreadable);
}

//! A time-stamping authority of OpenSSL's, made on the fly: a root, a certificate between, and signers good and bad.

use std::path::{Path, PathBuf};
use std::process::Command;

use immutape::proof::{TimeAnchors, TimestampRequest};

/// Kind of all keys of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    Rsa,
    P256,
    P384,
}

/// Long enough for every test, and for golden files that OpenSSL checks at its own time.
pub const LONG: (&str, &str) = ("20000101000000Z", "20991231235959Z");
/// Ended.
pub const PAST: (&str, &str) = ("20200101000000Z", "20210101000000Z");

/// Extensions of certificates, each a section; the last four are faults.
const CERTIFICATES: &str = "
[ca]
default_ca = any_ca
[any_ca]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = none
[any]
commonName = supplied
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[stamping]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:time.example.com
[bare_root]
basicConstraints = critical,CA:true
subjectKeyIdentifier = hash
[no_certifying]
basicConstraints = critical,CA:true
keyUsage = critical,cRLSign
subjectKeyIdentifier = hash
[no_purpose]
basicConstraints = critical,CA:false
subjectKeyIdentifier = hash
[not_critical]
extendedKeyUsage = timeStamping
[two_purposes]
extendedKeyUsage = critical,timeStamping,emailProtection
[two_uses]
keyUsage = critical,digitalSignature,keyAgreement
extendedKeyUsage = critical,timeStamping
";

/// Sections of the authority; each a way to answer.
const WAYS: [(&str, &str); 6] = [
    ("usual", "certs = chain.pem"),
    ("other_way_round", "certs = niahc.pem"),
    ("older_id", "certs = chain.pem\ness_cert_id_alg = sha1"),
    ("all_ids", "certs = chain.pem\ness_cert_id_chain = yes"),
    ("sha384", "certs = chain.pem\nsigner_digest = sha384"),
    ("sha512", "certs = chain.pem\nsigner_digest = sha512\ness_cert_id_alg = sha512"),
];

pub struct Authority {
    folder: tempfile::TempDir,
    keys: Keys,
}

/// Is OpenSSL there? Where it is not, the caller leaves itself out; but never in CI.
pub fn openssl_is_there() -> bool {
    let there = Command::new("openssl").arg("version").output().is_ok_and(|o| o.status.success());
    there || super::needed("openssl is not there")
}

impl Authority {
    /// Root, one between, signer `tsa`; named alike in every authority, so that names alone never tell them apart.
    pub fn new(keys: Keys) -> Self {
        let new = Self { folder: tempfile::tempdir().unwrap(), keys };
        new.write("index.txt", b"");
        let common = "serial = serial\ncrypto_device = builtin\nsigner_cert = tsa.pem\nsigner_key = tsa.key\n\
            default_policy = 1.2.3.4.1\nother_policies = 1.2.3.4.2\ndigests = sha256, sha512\nordering = no\n\
            tsa_name = yes\nclock_precision_digits = 6\naccuracy = secs:1, millisecs:500, microsecs:100\n";
        let ways = WAYS.map(|(name, more)| {
            let more = if more.contains("signer_digest") {
                more.to_owned()
            } else {
                format!("{more}\nsigner_digest = sha256")
            };
            let more = if more.contains("id_alg") { more } else { format!("{more}\ness_cert_id_alg = sha256") };
            format!("[{name}]\n{common}{more}\n")
        });
        new.write("conf", format!("{CERTIFICATES}{}", ways.concat()).as_bytes());
        new.key("root");
        new.certify("root", "root", "root", LONG);
        new.signer("between", "root", "root", LONG);
        new.signer("tsa", "between", "stamping", LONG);
        let (root, between) = (new.read("root.pem"), new.read("between.pem"));
        new.write("chain.pem", &[between.clone(), root.clone()].concat());
        new.write("niahc.pem", &[root, between].concat());
        new
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Runs OpenSSL in the authority's folder: did it succeed, and what did it say?
    pub fn try_openssl(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    pub fn openssl(&self, arguments: &[&str]) {
        let (well, said) = self.try_openssl(arguments);
        assert!(well, "openssl {arguments:?}: {said}");
    }

    fn key(&self, name: &str) {
        self.key_of(name, self.keys);
    }

    fn key_of(&self, name: &str, keys: Keys) {
        let option = match keys {
            Keys::Rsa => ["RSA", "rsa_keygen_bits:2048"],
            Keys::P256 => ["EC", "ec_paramgen_curve:P-256"],
            Keys::P384 => ["EC", "ec_paramgen_curve:P-384"],
        };
        self.make_key(name, option);
    }

    /// A key of another kind than the authority's.
    pub fn make_key(&self, name: &str, [algorithm, option]: [&str; 2]) {
        self.openssl(&["genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", &format!("{name}.key")]);
    }

    /// A key and its certificate.
    pub fn signer(&self, name: &str, issuer: &str, extensions: &str, valid: (&str, &str)) {
        self.key(name);
        self.certify(name, issuer, extensions, valid);
    }

    /// A certificate for `name.key`, into `name.pem`.
    pub fn certify(&self, name: &str, issuer: &str, extensions: &str, (from, to): (&str, &str)) {
        let file = |end: &str| format!("{name}.{end}");
        let subject = format!("/CN=Example {name}");
        self.openssl(&["req", "-new", "-key", &file("key"), "-subj", &subject, "-out", &file("csr")]);
        let (key, cert) = (format!("{issuer}.key"), format!("{issuer}.pem"));
        let (csr, pem) = (file("csr"), file("pem"));
        let mut arguments = vec!["ca", "-batch", "-notext", "-config", "conf", "-extensions", extensions];
        arguments.extend(["-startdate", from, "-enddate", to, "-in", &csr, "-out", &pem, "-keyfile", &key]);
        if name == issuer {
            arguments.push("-selfsign")
        } else {
            arguments.extend(["-cert", &cert])
        }
        self.openssl(&arguments);
    }

    /// What the authority answers, in one of its ways.
    pub fn answer(&self, request: &TimestampRequest, way: &str) -> Vec<u8> {
        self.answer_to(request.to_der(), way)
    }

    /// As [`Authority::answer`], to a request in bytes.
    pub fn answer_to(&self, query: &[u8], way: &str) -> Vec<u8> {
        self.write("request.tsq", query);
        let mut arguments = vec!["ts", "-reply", "-config", "conf", "-section", way];
        arguments.extend(["-queryfile", "request.tsq", "-out", "answer.tsr"]);
        self.openssl(&arguments);
        self.read("answer.tsr")
    }

    /// Content of any kind, signed by any signers: a token by hand. `options` are those of `openssl cms`.
    pub fn sign(&self, content: &[u8], signers: &[&str], options: &[&str]) -> Vec<u8> {
        self.write("content", content);
        let files: Vec<_> = signers.iter().map(|name| (format!("{name}.pem"), format!("{name}.key"))).collect();
        let mut arguments = vec!["cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-in", "content"];
        for (certificate, key) in &files {
            arguments.extend(["-signer", certificate, "-inkey", key]);
        }
        arguments.extend(options);
        let given = |option: &str| options.contains(&option);
        if !given("-certfile") {
            arguments.extend(["-certfile", "chain.pem"]);
        }
        if !given("-econtent_type") {
            arguments.extend(["-econtent_type", "1.2.840.113549.1.9.16.1.4"]);
        }
        arguments.extend(["-outform", "DER", "-out", "token.tst"]);
        self.openssl(&arguments);
        self.read("token.tst")
    }

    /// The certificates in a token or an answer, as they stand there.
    pub fn certificates(&self, token: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for name in ["root", "between", "tsa"] {
            self.openssl(&["x509", "-in", &format!("{name}.pem"), "-outform", "DER", "-out", "one.der"]);
            let der = self.read("one.der");
            found.extend(token.windows(der.len()).position(|window| window == der).map(|at| (at, der)));
        }
        found.sort();
        found.into_iter().map(|(_, der)| der).collect()
    }

    /// The same token or answer with its certificates in the order of DER, which nothing in it is signed over.
    pub fn in_order(&self, token: &[u8]) -> Vec<u8> {
        let mut certificates = self.certificates(token);
        let block = certificates.concat();
        let at = token.windows(block.len()).position(|window| window == block).unwrap();
        certificates.sort();
        [&token[..at], &certificates.concat(), &token[at + block.len()..]].concat()
    }

    pub fn anchors(&self) -> TimeAnchors {
        TimeAnchors::from_pem(&self.read("root.pem")).unwrap()
    }

    /// Does OpenSSL accept this token over this hash?
    pub fn accepts(&self, token: &[u8], imprint: &[u8; 32], more: &[&str]) -> bool {
        openssl_accepts(&self.path("root.pem"), token, imprint, more)
    }
}

/// The command of section 5.6, word for word.
pub fn openssl_accepts(roots: &Path, token: &[u8], imprint: &[u8; 32], more: &[&str]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token.tst");
    std::fs::write(&file, token).unwrap();
    let mut command = Command::new("openssl");
    command.args(["ts", "-verify", "-digest", &hex::encode(imprint), "-token_in", "-in"]).arg(file);
    command.arg("-CAfile").arg(roots).args(more);
    command.output().unwrap().status.success()
}

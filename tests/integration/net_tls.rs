//! TLS of the client before `openssl s_server`: another program's protocol, certificates and keys.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use immutape::net::{Answer, Client, ClientOptions, NetError};

use crate::support::skipped;

const BODY: &[u8] = b"what the server holds: a line of text\n";

/// Runs openssl in `folder`; `None` where there is none.
fn openssl(folder: &Path, words: &str) -> Option<()> {
    let output = Command::new("openssl").args(words.split(' ')).current_dir(folder).output().ok()?;
    assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

/// An authority `ca` with its own key, and a certificate `leaf` of a server on this machine.
struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    /// Keys as openssl names them, for the authority and the server.
    fn new(authority: &str, server: &str, names: &str) -> Option<Self> {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        let folder = made.folder.path();
        std::fs::write(folder.join("head"), BODY).unwrap();
        std::fs::write(folder.join("leaf.ext"), format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\n"))
            .unwrap();
        std::fs::write(folder.join("db"), "").unwrap();
        std::fs::write(folder.join("ca.cnf"), CONFIGURATION).unwrap();
        openssl(folder, &format!("genpkey -out ca.key {authority}"))?;
        openssl(folder, &format!("genpkey -out leaf.key {server}"))?;
        openssl(folder, "req -x509 -key ca.key -out ca.pem -days 2 -subj /CN=authority")?;
        openssl(folder, "req -new -key leaf.key -out leaf.csr -subj /CN=server")?;
        openssl(
            folder,
            "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -set_serial 7 -days 2 -extfile leaf.ext -out leaf.pem",
        )?;
        Some(made)
    }

    fn usual() -> Option<Self> {
        Self::new(P256, P256, "IP:127.0.0.1,DNS:localhost")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A client that trusts the authority as well.
    fn client(&self) -> Client {
        client(Some(std::fs::read(self.path("ca.pem")).unwrap()))
    }
}

/// What `openssl ca` wants to know before it signs for given times.
const CONFIGURATION: &str = "[ca]\ndefault_ca=d\n[d]\ndatabase=db\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256\n\
    policy=p\nrand_serial=yes\n[p]\ncommonName=supplied\n";

const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
const P384: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-384";
const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
const RSA_WEAK: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:1024";
const ED25519: &str = "-algorithm ed25519";

fn client(roots: Option<Vec<u8>>) -> Client {
    let mut options = ClientOptions::default();
    options.allow_private = true;
    options.extra_roots_pem = roots;
    Client::new(&options).unwrap()
}

/// Servers at a time where many connections end badly.
const SERVERS: usize = 12;

/// A running `openssl s_server` that gives out the files of its folder.
struct TlsServer {
    child: Child,
    address: SocketAddr,
}

impl TlsServer {
    fn start(certificates: &Certificates, more: &str) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-cert", "leaf.pem", "-key", "leaf.key", "-WWW"]);
        command.args(more.split(' ').filter(|word| !word.is_empty())).current_dir(certificates.folder.path());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // It says where it listens before it takes anybody; what it says later must not fill a pipe.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let said =
            lines.find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned)).expect("s_server did not start");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: said.trim().parse().unwrap() }
    }

    fn url(&self) -> String {
        format!("https://{}/head", self.address)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn is_whole(answer: &Result<Answer, NetError>) -> bool {
    answer.as_ref().is_ok_and(|answer| answer.status == 200 && answer.body == BODY)
}

fn refusal(answer: Result<Answer, NetError>) -> String {
    match answer {
        Err(NetError::Tls { host, why }) => {
            assert!(["127.0.0.1", "localhost"].contains(&host.as_str()));
            why
        }
        other => panic!("not refused by TLS: {other:?}"),
    }
}

#[test]
fn every_kind_of_key_suite_and_group_that_is_offered_works() {
    for (authority, server) in [(P256, P256), (P384, P384), (RSA, RSA), (ED25519, ED25519), (RSA, P256), (P384, RSA)] {
        let Some(certificates) = Certificates::new(authority, server, "IP:127.0.0.1") else {
            return skipped("openssl is not there");
        };
        let running = TlsServer::start(&certificates, "");
        let answer = certificates.client().get(&running.url());
        assert!(is_whole(&answer), "{authority}, {server}: {answer:?}");
    }
    let certificates = Certificates::usual().unwrap();
    for more in [
        "-ciphersuites TLS_AES_128_GCM_SHA256",
        "-ciphersuites TLS_AES_256_GCM_SHA384",
        "-ciphersuites TLS_CHACHA20_POLY1305_SHA256",
        "-groups X25519",
        "-groups P-384",
        // The first message offers another group, so the server asks for it again (RFC 8446 4.1.4).
        "-groups P-256",
    ] {
        let running = TlsServer::start(&certificates, more);
        let answer = certificates.client().get(&running.url());
        assert!(is_whole(&answer), "{more}: {answer:?}");
    }
    for more in ["-ciphersuites TLS_AES_128_CCM_SHA256", "-groups P-521", "-tls1_2"] {
        let running = TlsServer::start(&certificates, more);
        refusal(certificates.client().get(&running.url()));
    }
}

#[test]
fn a_server_of_an_authority_that_nobody_knows_is_refused() {
    let (Some(ours), Some(theirs)) = (Certificates::usual(), Certificates::usual()) else {
        return skipped("openssl is not there");
    };
    let running = TlsServer::start(&ours, "");
    let trusted = ours.client().get(&running.url());
    assert!(is_whole(&trusted), "{trusted:?}");
    let why = refusal(client(None).get(&running.url()));
    assert!(why.contains("UnknownIssuer"), "{why}");
    // An authority of the same name with another key.
    let why = refusal(theirs.client().get(&running.url()));
    assert!(why.contains("BadSignature"), "{why}");
    // The certificate of the server itself is not one that may sign for servers, and so trusts nobody.
    let leaf = client(Some(std::fs::read(ours.path("leaf.pem")).unwrap()));
    refusal(leaf.get(&running.url()));
}

#[test]
fn a_certificate_is_for_the_name_that_was_asked() {
    let Some(certificates) = Certificates::new(P256, P256, "DNS:localhost,DNS:*.example") else {
        return skipped("openssl is not there");
    };
    let running = TlsServer::start(&certificates, "");
    let by_name = certificates.client().get(&running.url().replace("127.0.0.1", "localhost"));
    assert!(is_whole(&by_name), "{by_name:?}");
    let why = refusal(certificates.client().get(&running.url()));
    assert!(why.contains("not valid for name"), "{why}");
}

#[test]
fn a_certificate_is_for_its_time() {
    let Some(certificates) = Certificates::usual() else { return skipped("openssl is not there") };
    for (from, to, wanted) in [
        ("20200101000000Z", "20200201000000Z", "expired"),
        ("21200101000000Z", "21200201000000Z", "not valid yet"),
        ("20200101000000Z", "21200201000000Z", ""),
    ] {
        let folder = certificates.folder.path();
        std::fs::write(folder.join("db"), "").unwrap();
        let signed = "ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -in leaf.csr -out leaf.pem -extfile leaf.ext -notext";
        openssl(folder, &format!("{signed} -startdate {from} -enddate {to}")).unwrap();
        let running = TlsServer::start(&certificates, "");
        let answer = certificates.client().get(&running.url());
        if wanted.is_empty() {
            assert!(is_whole(&answer), "{answer:?}");
        } else {
            let why = refusal(answer);
            assert!(why.contains(wanted), "{why}");
        }
    }
}

#[test]
fn keys_that_are_too_weak_are_refused() {
    let Some(certificates) = Certificates::new(P256, RSA_WEAK, "IP:127.0.0.1") else {
        return skipped("openssl is not there");
    };
    let running = TlsServer::start(&certificates, "-cipher DEFAULT@SECLEVEL=0");
    refusal(certificates.client().get(&running.url()));
}

/// Stands between a client and a server for one connection; `change` sees each byte that the server says, with its
/// place, and gives another one or none for the end. Gives the number of bytes that passed.
fn between(
    server: SocketAddr,
    change: impl Fn(usize, u8) -> Option<u8> + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, passed) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = passed.clone();
    std::thread::spawn(move || {
        let (mut near, mut far) = (listener.accept().unwrap().0, TcpStream::connect(server).unwrap());
        let (mut from_near, mut to_far) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        std::thread::spawn(move || {
            let _either_side_closed = std::io::copy(&mut from_near, &mut to_far);
        });
        let mut piece = [0; 4_096];
        while let Ok(length @ 1..) = far.read(&mut piece) {
            let at = count.load(Ordering::SeqCst);
            let changed: Vec<u8> = piece[..length].iter().enumerate().map_while(|(k, b)| change(at + k, *b)).collect();
            count.fetch_add(changed.len(), Ordering::SeqCst);
            if near.write_all(&changed).is_err() || changed.len() < length {
                break;
            }
        }
        for stream in [&near, &far] {
            let _closed_already = stream.shutdown(Shutdown::Both);
        }
    });
    (address, passed)
}

#[test]
fn nothing_that_was_altered_or_cut_off_on_the_way_is_taken() {
    let Some(certificates) = Certificates::usual() else { return skipped("openssl is not there") };
    // Each takes half a second to let go of a connection that ended badly, so there are some of them.
    let servers: Vec<_> = (0..SERVERS).map(|_| TlsServer::start(&certificates, "-num_tickets 0")).collect();
    let mut options = ClientOptions::default();
    // A length that was altered leaves the client waiting for what nobody says: that is no answer either.
    (options.allow_private, options.connect_timeout_ms, options.total_timeout_ms) = (true, 2_000, 2_000);
    options.extra_roots_pem = Some(std::fs::read(certificates.path("ca.pem")).unwrap());
    let client = Client::new(&options).unwrap();
    let ask = |address: SocketAddr| client.get(&format!("https://{address}/head"));
    let (address, passed) = between(servers[0].address, |_, byte| Some(byte));
    let answer = certificates.client().get(&format!("https://{address}/head"));
    assert!(is_whole(&answer), "{answer:?}");
    let length = passed.load(Ordering::SeqCst);
    assert!(length > BODY.len() + 500, "a handshake of {length} bytes");

    let places: Vec<usize> = (0..length).step_by(23).collect();
    let refused = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (k, server) in servers.iter().enumerate() {
            let (refused, places, ask, server) = (&refused, &places, &ask, server.address);
            scope.spawn(move || {
                for place in places.iter().copied().skip(k).step_by(SERVERS) {
                    let change = move |at, byte| Some(if at == place { byte ^ 0x10 } else { byte });
                    let answer = ask(between(server, change).0);
                    assert!(answer.is_err() || is_whole(&answer), "byte {place} of {length}: {answer:?}");
                    refused.fetch_add(usize::from(answer.is_err()), Ordering::SeqCst);
                }
                // The answer ends by closing, so an end that is not signed would look like its end.
                for cut in places.iter().copied().chain(length - 40..length).skip(k).step_by(SERVERS) {
                    let answer = ask(between(server, move |at, byte| (at < cut).then_some(byte)).0);
                    assert!(answer.is_err(), "cut to {cut} of {length}: {answer:?}");
                }
            });
        }
    });
    // A few bytes mean nothing: the version in the front of each record (RFC 8446 5.1).
    let refused = refused.into_inner();
    assert!(refused * 10 >= places.len() * 9, "{refused} of {}", places.len());
}

#[test]
fn a_handshake_that_is_slow_or_none_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        // In clear text where a handshake should begin.
        let mut plain = listener.accept().unwrap().0;
        plain.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
        // The beginning of a record, then one byte of it after the other.
        let mut slow = listener.accept().unwrap().0;
        let _gone = slow.write_all(&[22, 3, 3, 0x3f, 0xff]);
        let mut count = 0_u32;
        while slow.write_all(&[2]).is_ok() && count < 1_000 {
            std::thread::sleep(std::time::Duration::from_millis(20));
            count += 1;
        }
        count
    });
    let mut options = ClientOptions::default();
    (options.allow_private, options.connect_timeout_ms, options.total_timeout_ms) = (true, 300, 300);
    let client = Client::new(&options).unwrap();
    let url = format!("https://{address}/");
    refusal(client.get(&url));
    assert_eq!(client.get(&url), Err(NetError::Slow("127.0.0.1".to_owned())));
    assert!(server.join().unwrap() < 1_000, "it was still being said");
}

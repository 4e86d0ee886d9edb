//! Servers and clients that say exactly what they are told to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::net::{Client, ClientOptions, NetError};

/// Nothing here should take this long: a test that would hang fails instead.
const HANG: Duration = Duration::from_secs(60);

/// A server for one connection: reads the head of a request, then does what `answer` says. Joined, it gives the head.
pub(super) struct RawServer {
    pub(super) address: SocketAddr,
    thread: JoinHandle<String>,
}

impl RawServer {
    pub(super) fn start(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.set_read_timeout(Some(HANG)).unwrap();
            stream.set_write_timeout(Some(HANG)).unwrap();
            let head = head(&mut stream);
            answer(&mut stream);
            head
        });
        Self { address, thread }
    }

    /// A server that says `bytes` and closes.
    pub(super) fn saying(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        // A client that has seen enough closes first: what cannot be said then is of no interest.
        Self::start(move |stream| drop(stream.write_all(bytes.as_ref())))
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/path", self.address)
    }

    /// The head of the request that came.
    pub(super) fn asked(self) -> String {
        self.thread.join().unwrap()
    }
}

/// Reads up to the end of a head.
pub(super) fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0; 1];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

/// Options for servers on this machine.
pub(super) fn loopback() -> ClientOptions {
    ClientOptions { allow_private: true, ..ClientOptions::default() }
}

/// Asks a server on this machine.
pub(super) fn ask(server: &RawServer) -> Result<crate::net::Answer, NetError> {
    Client::new(&loopback()).unwrap().get(&server.url())
}

/// What a server that says `bytes` comes to.
pub(super) fn told(bytes: impl AsRef<[u8]> + Send + 'static) -> Result<crate::net::Answer, NetError> {
    let server = RawServer::saying(bytes);
    let answer = ask(&server);
    assert!(server.asked().starts_with("GET /path HTTP/1.1\r\n"), "the server was asked");
    answer
}

/// A client that says `bytes`, says no more, and hears what comes until the other side closes.
pub(super) fn said(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    // The server may have answered and gone before everything was said.
    let _refused = stream.write_all(bytes);
    heard(&mut stream)
}

pub(super) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream.set_write_timeout(Some(HANG)).unwrap();
    stream
}

/// Everything until the other side closes, however it does.
pub(super) fn heard(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(e) => {
                assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset, "the other side hangs");
                break;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The status of an answer that was heard; 0 for none.
pub(super) fn status(heard: &str) -> u16 {
    heard.strip_prefix("HTTP/1.1 ").or(heard.strip_prefix("HTTP/1.0 ")).map_or(0, |rest| rest[..3].parse().unwrap())
}

//! Requests that two readers could read differently: none of them is more than one request here.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use super::raw::{said, status};
use crate::net::{Response, Server, ServerOptions};

/// Each is followed by a request that must never be seen.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/// What is said, the status that answers it, and whether the handler sees one request.
const ATTEMPTS: [(&str, u16, bool); 30] = [
    // Two lengths, equal or not, in any letters; one that is a list, a sign, a fraction, another base, nothing.
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 35\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\ncontent-length: 0\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 35\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0.0\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400, false),
    // A length and chunks, in both orders; chunks alone; codings that only some know.
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 411, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, false),
    ("POST / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, false),
    ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, false),
    // Line ends that are none.
    ("GET / HTTP/1.1\nHost: a\n\n", 400, false),
    ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400, false),
    ("GET / HTTP/1.1\rHost: a\r\r", 400, false),
    ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
    // Whom it is for: no host, two, another place than a path.
    ("GET / HTTP/1.1\r\n\r\n", 400, false),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, false),
    ("GET http://other.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
    ("CONNECT other.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400, false),
    // Packed, so that only some see what it says.
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", 415, false),
    // What is right passes, and what hides behind it does not.
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200, true),
];

#[test]
fn no_request_hides_another() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(listener, ServerOptions::default(), move |request| {
        kept.lock().unwrap().push(request.path);
        Response::text(200, "seen")
    })
    .unwrap();
    for (text, wanted, is_seen) in ATTEMPTS {
        seen.lock().unwrap().clear();
        let answer = said(server.address(), format!("{text}{HIDDEN}").as_bytes());
        assert_eq!(status(&answer), wanted, "{text:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{text:?}: {answer}");
        let paths = if is_seen { vec!["/".to_owned()] } else { Vec::new() };
        assert_eq!(*seen.lock().unwrap(), paths, "{text:?}");
    }
}

#[test]
fn what_is_not_http_gets_no_handler() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(listener, ServerOptions::default(), |_| panic!("nothing was asked")).unwrap();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1 x\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"G\xffT / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n",
    ] {
        let answer = said(server.address(), bytes);
        assert_eq!(status(&answer), 400, "{:?}: {answer}", String::from_utf8_lossy(bytes));
    }
    // One that says half and goes is not answered, and breaks nothing.
    for bytes in
        [&b"GET"[..], b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"]
    {
        let mut stream = super::raw::connect(server.address());
        std::io::Write::write_all(&mut stream, bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = super::raw::heard(&mut stream);
        assert!([0, 400].contains(&status(&answer)), "{answer}");
    }
    server.stop();
}

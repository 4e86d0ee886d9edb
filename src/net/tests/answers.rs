//! What the client makes of answers.

use std::io::{Read as _, Write as _};

use super::raw::{RawServer, ask, head, loopback, told};
use crate::error::{Code, Error, Kind};
use crate::net::{Client, ClientOptions, NetError};

const HOST: &str = "127.0.0.1";

fn bad(why: &str) -> NetError {
    NetError::Answer { host: HOST.to_owned(), why: why.to_owned() }
}

#[test]
fn an_answer_comes_whole_whatever_its_status() {
    let answer = told("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello").unwrap();
    assert_eq!(
        (answer.status, answer.content_type.as_str(), answer.body.as_slice()),
        (200, "text/plain", &b"hello"[..])
    );
    assert!(answer.is_success());
    let answer =
        told("HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\nContent-Length: 3\r\n\r\n42\n").unwrap();
    assert_eq!(
        (answer.status, answer.content_type.as_str(), answer.body.as_slice()),
        (409, "text/x.tlog.size", &b"42\n"[..])
    );
    assert!(!answer.is_success());
    let answer = told("HTTP/1.1 500 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n").unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (500, &b"abc"[..]));
    let answer = told("HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    assert_eq!((answer.status, answer.content_type.as_str(), answer.body.as_slice()), (204, "", &b""[..]));
    let answer = told("HTTP/1.1 200 OK\r\n\r\nto the end").unwrap();
    assert_eq!(answer.body, b"to the end");
    let answer = told("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    assert!(answer.is_err() || answer.unwrap().status == 200, "never the early one");
}

#[test]
fn a_request_carries_what_it_should_and_nothing_else() {
    let server = RawServer::start(|stream| {
        let mut body = [0; 3];
        stream.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"abc");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let options = ClientOptions { user_agent: "tester".to_owned(), ..loopback() };
    Client::new(&options).unwrap().post(&server.url(), "text/plain", b"abc").unwrap();
    let (host, asked) = (server.address, server.asked().to_lowercase());
    let mut lines: Vec<_> = asked.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    assert_eq!(lines.remove(0), "post /path http/1.1");
    lines.sort();
    let wanted = [
        "accept-encoding: identity".to_owned(),
        "accept: */*".to_owned(),
        "content-length: 3".to_owned(),
        "content-type: text/plain".to_owned(),
        format!("host: {host}"),
        "user-agent: tester".to_owned(),
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn a_redirect_is_an_error_that_names_where_it_points() {
    // Were it followed, this server would be asked.
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let target = format!("http://{}/", elsewhere.local_addr().unwrap());
    for status in [300, 301, 302, 303, 304, 307, 308, 399] {
        let redirect = format!("HTTP/1.1 {status} Away\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
        let wanted = NetError::Redirect { host: HOST.to_owned(), status, target: target.clone() };
        assert_eq!(told(redirect), Err(wanted));
    }
    assert_eq!(elsewhere.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody came");
    let nowhere = NetError::Redirect { host: HOST.to_owned(), status: 302, target: "nowhere".to_owned() };
    assert_eq!(told("HTTP/1.1 302 Away\r\nContent-Length: 0\r\n\r\n"), Err(nowhere));
}

#[test]
fn a_chain_of_redirects_ends_at_its_first() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let url = format!("http://{address}/0");
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        head(&mut stream);
        let chain = format!("HTTP/1.1 302 Found\r\nLocation: http://{address}/1\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(chain.repeat(3).as_bytes()).unwrap();
        // The client goes; another connection would be a step along the chain.
        drop(stream);
        listener.set_nonblocking(true).unwrap();
        listener
    });
    let target = format!("http://{address}/1");
    let wanted = NetError::Redirect { host: HOST.to_owned(), status: 302, target };
    assert_eq!(Client::new(&loopback()).unwrap().get(&url), Err(wanted));
    assert_eq!(server.join().unwrap().accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn words_of_a_server_reach_nobody_unescaped() {
    let long = format!(
        "HTTP/1.1 302 Away\r\nLocation: http://evil.example/{}\r\nContent-Length: 0\r\n\r\n",
        "a".repeat(4_000)
    );
    let faults = [
        told(long).unwrap_err(),
        told(b"HTTP/1.1 302 Away\r\nLocation: \xff\xfe\x80 \xe2\x80\xae\r\nContent-Length: 0\r\n\r\n".to_vec())
            .unwrap_err(),
        told("HTTP/1.1 200 OK\r\nContent-Encoding: g\u{202e}zip\r\nContent-Length: 0\r\n\r\n").unwrap_err(),
        told("HTTP/1.1 200 OK\r\nContent-Length: 1\u{202e}\r\n\r\n").unwrap_err(),
        told("\u{1b}[2J\u{1b}]0;title\u{7}\r\n\r\n").unwrap_err(),
    ];
    for fault in faults {
        let text = fault.to_string();
        assert!(text.chars().all(crate::codec::escape::is_visible), "{text:?}");
        assert!(text.chars().count() < 400, "{text}");
        assert!(text.contains(HOST), "{text}");
        let mut cause: Option<&dyn std::error::Error> = Some(&fault);
        while let Some(error) = cause {
            assert!(error.to_string().chars().all(crate::codec::escape::is_visible));
            cause = error.source();
        }
    }
}

#[test]
fn packed_answers_are_refused() {
    let packed = told("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x0b");
    assert_eq!(packed, Err(bad("it is packed (gzip), which nobody asked for")));
    let plain = told("HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(plain.unwrap().body, b"ok");
}

#[test]
fn a_content_type_is_one_text_or_none() {
    let unreadable = Err(bad("its content type cannot be read"));
    for lines in ["Content-Type: a\r\nContent-Type: b\r\n", "Content-Type: a\u{e9}\r\n", "Content-Type: a\tb\r\n"] {
        assert_eq!(told(format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n")), unreadable, "{lines:?}");
    }
    let of =
        |length| told(format!("HTTP/1.1 200 OK\r\nContent-Type: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(length)));
    assert_eq!(of(256).unwrap().content_type.len(), 256);
    assert_eq!(of(257), unreadable);
}

#[test]
fn what_is_not_http_is_no_answer() {
    for bytes in [
        &b"hello\r\n\r\n"[..],
        b"\0\0\0\0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    ] {
        let fault = told(bytes).unwrap_err();
        assert!(matches!(fault, NetError::Answer { .. }), "{:?}: {fault:?}", String::from_utf8_lossy(bytes));
        assert_eq!(Error::from(fault).code(), Code::Network);
    }
}

#[test]
fn an_answer_that_is_cut_off_is_none() {
    let early = bad("it ends before its end");
    for text in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        assert_eq!(told(text), Err(early.clone()), "{text:?}");
    }
    // With the chunk that has no bytes it is complete (RFC 9112 section 8): only trailers could follow.
    let whole = told("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n").unwrap();
    assert_eq!(whole.body, b"hello");
}

#[test]
fn another_protocol_is_not_switched_to() {
    let fault = told("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nbytes").unwrap_err();
    assert!(matches!(fault, NetError::Answer { .. }), "{fault:?}");
}

#[test]
fn who_is_not_there_cannot_be_reached() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let fault = Client::new(&loopback()).unwrap().get(&url).unwrap_err();
    assert!(matches!(fault, NetError::Unreachable { .. }), "{fault:?}");
    let error = Error::from(fault);
    assert_eq!((error.code(), error.kind()), (Code::Network, Kind::Failure));
}

#[test]
fn an_answer_of_a_real_server_behind_the_raw_ones() {
    let server = RawServer::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokand more that nobody asked for");
    assert_eq!(ask(&server).unwrap().body, b"ok");
    server.asked();
}

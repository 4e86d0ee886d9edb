//! Lengths and times that a server cannot stretch.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::raw::{RawServer, loopback, told};
use crate::error::{Code, Error};
use crate::net::{Client, ClientOptions, NetError};

const HOST: &str = "127.0.0.1";
const LIMIT: usize = 64 << 10;

fn long() -> NetError {
    NetError::Long { host: HOST.to_owned(), limit: LIMIT }
}

/// Says `head`, then `piece` again and again until nobody listens; gives the number of pieces that went out.
fn endless(head: &'static str, piece: &'static [u8]) -> (RawServer, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = RawServer::start(move |stream: &mut TcpStream| {
        stream.write_all(head.as_bytes()).unwrap();
        while stream.write_all(piece).is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (server, count)
}

#[test]
fn an_answer_of_the_limit_passes_and_one_byte_more_does_not() {
    let whole = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length));
    assert_eq!(told(whole(LIMIT)).unwrap().body.len(), LIMIT);
    assert_eq!(told(whole(LIMIT + 1)), Err(long()));
    let open = |length: usize| format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(length));
    assert_eq!(told(open(LIMIT)).unwrap().body.len(), LIMIT);
    assert_eq!(told(open(LIMIT + 1)), Err(long()));
    let chunk = |length: usize| {
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{}\r\n0\r\n\r\n",
            "x".repeat(length)
        )
    };
    assert_eq!(told(chunk(LIMIT)).unwrap().body.len(), LIMIT);
    assert_eq!(told(chunk(LIMIT + 1)), Err(long()));
}

#[test]
fn endless_answers_end_at_the_limit() {
    let chunk: &[u8] = b"10\r\n0123456789abcdef\r\n";
    for (head, piece) in [
        ("HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 1_024][..]),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk),
    ] {
        let (server, count) = endless(head, piece);
        assert_eq!(Client::new(&loopback()).unwrap().get(&server.url()), Err(long()), "{head}");
        server.asked();
        assert!(count.load(Ordering::SeqCst) * piece.len() > LIMIT, "the server said more than the limit");
    }
}

#[test]
fn a_length_that_lies_is_of_no_use() {
    // More than is said: refused by what is said. Less: what lies behind is no part of it.
    assert_eq!(told("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nx"), Err(long()));
    assert_eq!(told("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxyz").unwrap().body, b"x");
}

#[test]
fn a_head_without_end_ends_at_its_limit() {
    let wanted = NetError::Answer { host: HOST.to_owned(), why: "its head is longer than 16384 bytes".to_owned() };
    let one_long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(16 << 10));
    assert_eq!(told(one_long), Err(wanted.clone()));
    let (server, _) = endless("HTTP/1.1 200 OK\r\nX: ", &[b'x'; 64]);
    assert_eq!(Client::new(&loopback()).unwrap().get(&server.url()), Err(wanted));
    server.asked();
    // Many short lines: whichever of the two limits comes first, it ends.
    let (server, count) = endless("HTTP/1.1 200 OK\r\n", b"X: y\r\n");
    let fault = Client::new(&loopback()).unwrap().get(&server.url()).unwrap_err();
    assert!(matches!(fault, NetError::Answer { .. }), "{fault:?}");
    server.asked();
    assert!(count.load(Ordering::SeqCst) > 64);
}

/// Says `bytes`, one every 20 ms, `total` of them at most; a client with 200 ms must not wait for the end.
fn slow(at: &'static str, total: usize) {
    let said = Arc::new(AtomicUsize::new(0));
    let counted = said.clone();
    let server = RawServer::start(move |stream: &mut TcpStream| {
        let _gone = stream.write_all(at.as_bytes());
        for _ in 0..total {
            std::thread::sleep(Duration::from_millis(20));
            if stream.write_all(b"x").is_err() {
                break;
            }
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let options = ClientOptions { total_timeout_ms: 200, connect_timeout_ms: 200, ..loopback() };
    let fault = Client::new(&options).unwrap().get(&server.url()).unwrap_err();
    assert_eq!(fault, NetError::Slow(HOST.to_owned()), "{at:?}");
    assert_eq!(Error::from(fault).code(), Code::Network);
    server.asked();
    assert!((1..total).contains(&said.load(Ordering::SeqCst)), "{at:?}: it was still being said");
}

#[test]
fn a_slow_answer_ends_at_the_total_time() {
    slow("HTTP/1.1 200 OK\r\nX: ", 1_000);
    slow("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 1_000);
    slow("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n", 1_000);
    slow("HTTP/1.1 200 OK\r\n\r\n", 1_000);
}

#[test]
fn a_server_that_says_nothing_is_slow() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let server = RawServer::start(move |_| {
        let _told = wait.recv();
    });
    let options = ClientOptions { total_timeout_ms: 100, connect_timeout_ms: 100, ..loopback() };
    assert_eq!(Client::new(&options).unwrap().get(&server.url()), Err(NetError::Slow(HOST.to_owned())));
    drop(done);
    server.asked();
}

#[test]
fn a_server_that_does_not_listen_to_a_body_is_slow() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let server = RawServer::start(move |_| {
        let _told = wait.recv();
    });
    let options = ClientOptions { total_timeout_ms: 300, connect_timeout_ms: 300, ..loopback() };
    // What a socket buffers on its own may hold a body of the greatest length: then it is the answer that is waited for.
    let fault = Client::new(&options).unwrap().post(&server.url(), "a/b", &vec![0; 1 << 20]).unwrap_err();
    assert_eq!(fault, NetError::Slow(HOST.to_owned()));
    drop(done);
    server.asked();
}

#[test]
fn what_is_asked_for_has_limits_too() {
    let client = Client::new(&loopback()).unwrap();
    let fault = client.post("http://127.0.0.1:1/", "a/b", &vec![0; (1 << 20) + 1]).unwrap_err();
    assert_eq!(fault, NetError::Body((1 << 20) + 1));
    assert_eq!(Error::from(fault).code(), Code::Limit);
    let fault = client.post("http://127.0.0.1:1/", "a/b\r\nX: y", b"").unwrap_err();
    assert_eq!(fault, NetError::Options("a content type has characters that none can have"));
    assert_eq!(Error::from(fault).code(), Code::Usage);
}

#[test]
fn options_out_of_their_range_are_refused() {
    let changed = |change: &dyn Fn(&mut ClientOptions)| {
        let mut options = ClientOptions::default();
        change(&mut options);
        Client::new(&options).map(|_| ())
    };
    let total = Err(NetError::Options("the total time is not 1 to 600000 milliseconds"));
    let connect = Err(NetError::Options("the time to connect is nothing, or longer than the total time"));
    let name = Err(NetError::Options("the name of the program is not 1 to 128 visible characters"));
    assert_eq!(changed(&|_| ()), Ok(()));
    assert_eq!(changed(&|o| o.total_timeout_ms = 0), total);
    assert_eq!(changed(&|o| o.total_timeout_ms = 600_001), total);
    assert_eq!(changed(&|o| o.connect_timeout_ms = 0), connect);
    assert_eq!(changed(&|o| o.connect_timeout_ms = o.total_timeout_ms + 1), connect);
    assert_eq!(changed(&|o| o.answer_bytes_max = 64 << 20), Ok(()));
    let long = Err(NetError::Options("answers may be longer than 64 MiB"));
    assert_eq!(changed(&|o| o.answer_bytes_max = (64 << 20) + 1), long);
    for text in ["".to_owned(), "a\r\nb".to_owned(), "é".to_owned(), "a".repeat(129)] {
        assert_eq!(changed(&|o| o.user_agent = text.clone()), name, "{text:?}");
    }
}

//! The server and clients that are slow, many, rude, or there when it stops.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use super::raw::{connect, heard, loopback, said, status};
use crate::error::{Code, Error};
use crate::net::{Client, NetError, Request, Response, Server, ServerHandle, ServerOptions};

/// A server that says what it was asked, and what was asked so far.
fn echo(options: ServerOptions) -> (ServerHandle, Arc<Mutex<Vec<Request>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(listener, options, move |request| {
        kept.lock().unwrap().push(request.clone());
        Response { status: 200, content_type: "a/b".to_owned(), body: request.body }
    });
    (server.unwrap(), seen)
}

/// Whatever happened before, the next client is served.
fn still_serves(server: &ServerHandle) {
    let answer = Client::new(&loopback()).unwrap().post(&format!("http://{}/", server.address()), "a/b", b"after");
    assert_eq!(answer.unwrap().body, b"after");
}

#[test]
fn a_request_reaches_the_handler_as_it_was_sent() {
    let (server, seen) = echo(ServerOptions::default());
    let url = format!("http://{}/a%2fb?c=d", server.address());
    let answer = Client::new(&loopback()).unwrap().post(&url, "text/x", b"\0\xff").unwrap();
    assert_eq!((answer.status, answer.content_type.as_str(), answer.body.as_slice()), (200, "a/b", &b"\0\xff"[..]));
    let wanted = Request {
        method: "POST".to_owned(),
        path: "/a%2fb?c=d".to_owned(),
        content_type: "text/x".to_owned(),
        body: b"\0\xff".to_vec(),
    };
    assert_eq!(*seen.lock().unwrap(), [wanted]);
    let answer = said(server.address(), b"GET /old HTTP/1.0\r\n\r\n");
    assert_eq!(status(&answer), 200, "{answer}");
    assert_eq!(seen.lock().unwrap()[1].path, "/old");
}

#[test]
fn a_connection_carries_one_request() {
    let (server, seen) = echo(ServerOptions::default());
    let text = b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = said(server.address(), text);
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    assert!(answer.to_lowercase().contains("connection: close\r\n"), "{answer}");
    let paths: Vec<_> = seen.lock().unwrap().iter().map(|request| request.path.clone()).collect();
    assert_eq!(paths, ["/1"]);
    still_serves(&server);
}

#[test]
fn a_handler_that_panics_is_an_internal_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(listener, ServerOptions::default(), |request| match request.path.as_str() {
        "/panic" => panic!("a secret of the handler"),
        "/odd" => Response { status: 7, content_type: "a\nb".to_owned(), body: Vec::new() },
        _ => Response::text(200, "ok"),
    })
    .unwrap();
    let client = Client::new(&loopback()).unwrap();
    let get = |path: &str| client.get(&format!("http://{}{path}", server.address())).unwrap();
    for path in ["/panic", "/odd", "/panic"] {
        let answer = get(path);
        assert_eq!((answer.status, answer.body.as_slice()), (500, &b"internal error\n"[..]), "{path}");
    }
    assert_eq!(get("/").status, 200);
}

#[test]
fn lengths_end_at_their_limits() {
    let options = ServerOptions { head_bytes_max: 512, body_bytes_max: 100, ..ServerOptions::default() };
    let (server, seen) = echo(options);
    let head = |length: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(length));
    let fits = 512 - head(0).len();
    assert_eq!(status(&said(server.address(), head(fits).as_bytes())), 200);
    assert_eq!(status(&said(server.address(), head(fits + 1).as_bytes())), 431);
    assert_eq!(status(&said(server.address(), head(200_000).as_bytes())), 431);
    assert_eq!(status(&said(server.address(), &[b'x'; 10_000])), 431);
    let lines = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a:\r\n".repeat(64));
    assert_eq!(status(&said(server.address(), lines.as_bytes())), 431, "lines");
    let body =
        |length: usize| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length));
    assert_eq!(status(&said(server.address(), body(100).as_bytes())), 200);
    assert_eq!(status(&said(server.address(), body(101).as_bytes())), 413);
    assert_eq!(status(&said(server.address(), body(100_000).as_bytes())), 413);
    // Refused by what is said, without waiting for it.
    let claim = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n";
    assert_eq!(status(&said(server.address(), claim)), 413);
    assert_eq!(seen.lock().unwrap().len(), 2, "the handler saw what fits");
    still_serves(&server);
}

#[test]
fn a_body_bomb_is_neither_taken_nor_kept() {
    let (server, seen) = echo(ServerOptions::default());
    let mut stream = connect(server.address());
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
    let mut sent = 0_usize;
    // Until the server closes: it throws away what is left for a moment, and no more than that.
    while stream.write_all(&[0; 1 << 16]).is_ok() {
        sent += 1 << 16;
        assert!(sent < 1_000_000_000, "all of it was taken");
    }
    drop(stream);
    assert_eq!(seen.lock().unwrap().len(), 0);
    still_serves(&server);
}

#[test]
fn slow_heads_and_bodies_end_at_their_times() {
    let options = ServerOptions { head_timeout_ms: 100, request_timeout_ms: 100, ..ServerOptions::default() };
    let (server, seen) = echo(options);
    // Says nothing; says the beginning of a head; says one letter after the other.
    assert_eq!(status(&said(server.address(), b"")), 408);
    assert_eq!(status(&said(server.address(), b"GET / HTTP/1.1\r\nHost")), 408);
    let mut stream = connect(server.address());
    let mut other = stream.try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        let mut count = 0;
        while other.write_all(b"x").is_ok() && count < 1_000 {
            std::thread::sleep(std::time::Duration::from_millis(20));
            count += 1;
        }
        count
    });
    let answer = heard(&mut stream);
    assert!([408, 0].contains(&status(&answer)), "{answer}");
    assert!(dripping.join().unwrap() < 1_000, "the server closed");
    // A body that does not come: whoever promised it is dropped.
    let answer = said(server.address(), b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhal");
    assert_eq!(status(&answer), 0, "{answer}");
    assert_eq!(seen.lock().unwrap().len(), 0);
    still_serves(&server);
}

#[test]
fn a_client_that_does_not_listen_is_dropped() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = ServerOptions { request_timeout_ms: 200, connections_max: 1, ..ServerOptions::default() };
    let server = Server::start(listener, options, |request| {
        let length = if request.path == "/long" { 32 << 20 } else { 2 };
        Response { status: 200, content_type: String::new(), body: vec![b'x'; length] }
    })
    .unwrap();
    let mut deaf = connect(server.address());
    deaf.write_all(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    // The one place there is becomes free again although nothing is ever read.
    let client = Client::new(&loopback()).unwrap();
    let url = format!("http://{}/", server.address());
    while client.get(&url).map_or(0, |answer| answer.status) != 200 {
        std::thread::yield_now();
    }
    assert!(heard(&mut deaf).len() < 32 << 20, "the answer was cut off");
}

#[test]
fn clients_beside_the_allowed_ones_are_told() {
    let options = ServerOptions { connections_max: 4, ..ServerOptions::default() };
    let (server, _) = echo(options);
    let mut idle: Vec<TcpStream> = (0..4).map(|_| connect(server.address())).collect();
    let url = format!("http://{}/", server.address());
    let client = Client::new(&loopback()).unwrap();
    // Connections are taken in their order: behind four idle ones there is no place.
    assert_eq!(client.get(&url).unwrap().status, 503);
    idle.pop();
    while client.get(&url).unwrap().status == 503 {
        std::thread::yield_now();
    }
    still_serves(&server);
}

#[test]
fn many_clients_at_a_time_each_get_their_own_answer() {
    let (server, seen) = echo(ServerOptions::default());
    let url = format!("http://{}/", server.address());
    let right = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for n in 0..16_u8 {
            let (url, right) = (&url, &right);
            scope.spawn(move || {
                let client = Client::new(&loopback()).unwrap();
                for k in 0..8_u8 {
                    assert_eq!(client.post(url, "a/b", &[n, k]).unwrap().body, [n, k]);
                    right.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!((right.into_inner(), seen.lock().unwrap().len()), (128, 128));
}

#[test]
fn a_stopped_server_finishes_what_it_is_at_and_answers_nobody_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (entered, in_handler) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let server = Server::start(listener, ServerOptions::default(), move |_| {
        entered.send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
        Response::text(200, "finished")
    })
    .unwrap();
    let address = server.address();
    let mut idle = connect(address);
    let asking = std::thread::spawn(move || Client::new(&loopback()).unwrap().get(&format!("http://{address}/")));
    in_handler.recv().unwrap();
    let stopping = std::thread::spawn(move || server.stop());
    // Whoever asked nothing is let go while the handler is still at work.
    assert_eq!(idle.read(&mut [0; 1]).unwrap_or(0), 0);
    go.send(()).unwrap();
    assert_eq!(asking.join().unwrap().unwrap().body, b"finished");
    stopping.join().unwrap();
    let fault = Client::new(&loopback()).unwrap().get(&format!("http://{address}/")).unwrap_err();
    assert!(matches!(fault, NetError::Unreachable { .. }), "{fault:?}");
}

#[test]
fn a_dropped_handle_stops_its_server() {
    let (server, _) = echo(ServerOptions::default());
    let address = server.address();
    still_serves(&server);
    drop(server);
    assert!(TcpStream::connect(address).is_err());
    // The address is free again at once.
    TcpListener::bind(address).unwrap();
}

#[test]
fn options_out_of_their_range_are_refused() {
    let changed = |change: &dyn Fn(&mut ServerOptions)| {
        let mut options = ServerOptions::default();
        change(&mut options);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Server::start(listener, options, |_| Response::text(200, "")).map(|_| ()).unwrap_err()
    };
    let head = NetError::Options("the head of a request is not 256 bytes to 64 KiB");
    let time = NetError::Options("the time of a head or a request is not 1 to 600000 milliseconds");
    let connections = NetError::Options("the number of connections is not 1 to 1024");
    assert_eq!(changed(&|o| o.head_bytes_max = 255), head);
    assert_eq!(changed(&|o| o.head_bytes_max = (64 << 10) + 1), head);
    let body = NetError::Options("the body of a request may be longer than 64 MiB");
    assert_eq!(changed(&|o| o.body_bytes_max = (64 << 20) + 1), body);
    assert_eq!(changed(&|o| o.connections_max = 0), connections);
    assert_eq!(changed(&|o| o.connections_max = 1_025), connections);
    assert_eq!(changed(&|o| o.head_timeout_ms = 0), time);
    assert_eq!(changed(&|o| o.request_timeout_ms = 600_001), time);
    assert_eq!(Error::from(time).code(), Code::Usage);
    assert_eq!(Error::from(NetError::Server("no more files".to_owned())).code(), Code::Network);
}

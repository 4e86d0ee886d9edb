//! Hosts that must not be connected to, in every spelling.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use super::raw::{RawServer, loopback};
use crate::error::{Code, Error};
use crate::net::resolve::Lookup;
use crate::net::{Client, ClientOptions, NetError};

fn asked(options: &ClientOptions, url: &str) -> NetError {
    Client::new(options).unwrap().get(url).unwrap_err()
}

fn plain() -> ClientOptions {
    ClientOptions { allow_plain_http: true, ..ClientOptions::default() }
}

/// A lookup that says `addresses`, and how often it was asked.
fn saying(addresses: Vec<SocketAddr>) -> (Arc<Lookup>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let lookup: Arc<Lookup> = Arc::new(move |_: &str, _: u16| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(addresses.clone())
    });
    (lookup, count)
}

#[test]
fn private_addresses_are_refused_before_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for (host, address, why) in [
        ("127.0.0.1", "127.0.0.1", "this machine"),
        ("127.8.8.8", "127.8.8.8", "this machine"),
        ("[::1]", "::1", "this machine"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1", "this machine"),
        ("[::ffff:7f00:1]", "::ffff:127.0.0.1", "this machine"),
        ("[64:ff9b::7f00:1]", "64:ff9b::7f00:1", "this machine"),
        ("10.0.0.1", "10.0.0.1", "private"),
        ("172.16.0.1", "172.16.0.1", "private"),
        ("192.168.1.1", "192.168.1.1", "private"),
        ("169.254.169.254", "169.254.169.254", "link-local"),
        ("100.64.0.1", "100.64.0.1", "a carrier's own"),
        ("[fd00::1]", "fd00::1", "unique-local"),
        ("[fe80::1]", "fe80::1", "link-local"),
        ("0.0.0.0", "0.0.0.0", "unspecified"),
        ("[::]", "::", "unspecified"),
        ("224.0.0.1", "224.0.0.1", "multicast"),
        ("[ff02::1]", "ff02::1", "multicast"),
    ] {
        for (options, scheme) in [(ClientOptions::default(), "https"), (plain(), "http"), (plain(), "https")] {
            let fault = asked(&options, &format!("{scheme}://{host}:{port}/"));
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(fault, NetError::Forbidden { host: host.to_owned(), address, why }, "{scheme}");
            assert_eq!(Error::from(fault).code(), Code::Network);
        }
    }
    let fault = asked(&plain(), &format!("http://localhost:{port}/"));
    assert!(matches!(fault, NetError::Forbidden { why: "this machine", .. }), "{fault:?}");
    // Spellings that the system's resolver would take for this machine.
    for host in ["2130706433", "0x7f000001", "017700000001", "0177.0.0.1", "127.1", "0", "127.0.0.1."] {
        let fault = asked(&plain(), &format!("http://{host}:{port}/"));
        assert!(matches!(fault, NetError::Url(_)), "{host}: {fault:?}");
        assert_eq!(Error::from(fault).code(), Code::Usage);
    }
    assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "nobody came");
}

#[test]
fn some_addresses_are_nobodys_even_where_private_ones_are_allowed() {
    for host in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "203.0.113.1", "[::]", "[ff02::1]", "[2001:db8::1]"] {
        let fault = asked(&loopback(), &format!("https://{host}/"));
        assert!(matches!(fault, NetError::Forbidden { .. }), "{host}: {fault:?}");
    }
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    for url in ["http://ann:secret@127.0.0.1/", "https://secret@example.com/"] {
        let text = asked(&loopback(), url).to_string();
        assert!(text.contains("user name or a password") && !text.contains("secret"), "{text}");
    }
}

#[test]
fn a_name_means_what_it_meant_when_it_was_judged() {
    // Asked again, the lookup would say the address of a server that is not there.
    let server = RawServer::saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (first, count) = (server.address, Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    let lookup: Arc<Lookup> = Arc::new(move |host: &str, port: u16| {
        assert_eq!((host, port), ("witness.example", 80));
        let again = counted.fetch_add(1, Ordering::SeqCst) > 0;
        Ok(vec![if again { "127.0.0.1:1".parse().unwrap() } else { first }])
    });
    let client = Client::with_lookup(&loopback(), lookup).unwrap();
    assert_eq!(client.get("http://witness.example/").unwrap().body, b"ok");
    assert_eq!(count.load(Ordering::SeqCst), 1, "looked up once");
    assert!(server.asked().contains("witness.example"));
    // Each request looks anew: nothing is kept of the connection before.
    assert!(client.get("http://witness.example/").is_err());
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn one_private_address_among_public_ones_is_enough_to_refuse() {
    let public = "8.8.8.8:443".parse().unwrap();
    let private: SocketAddr = "[::ffff:10.0.0.1]:443".parse().unwrap();
    for addresses in [vec![public, private], vec![private, public]] {
        let (lookup, count) = saying(addresses);
        let fault =
            Client::with_lookup(&ClientOptions::default(), lookup).unwrap().get("https://two.example/").unwrap_err();
        let wanted = NetError::Forbidden { host: "two.example".to_owned(), address: private.ip(), why: "private" };
        assert_eq!((fault, count.load(Ordering::SeqCst)), (wanted, 1));
    }
}

#[test]
fn plain_http_is_for_this_machine_unless_it_is_allowed() {
    let fault = asked(&ClientOptions::default(), "http://example.com/");
    assert_eq!(fault, NetError::Url("plain http is for this machine alone, unless it is allowed"));
    let why = "not this machine, and the URL is without TLS";
    for address in ["10.0.0.1:80", "8.8.8.8:80"] {
        let address: SocketAddr = address.parse().unwrap();
        let fault =
            Client::with_lookup(&loopback(), saying(vec![address]).0).unwrap().get("http://a.example/").unwrap_err();
        assert_eq!(fault, NetError::Forbidden { host: "a.example".to_owned(), address: address.ip(), why });
    }
    let server = RawServer::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let options = ClientOptions { allow_plain_http: true, ..loopback() };
    assert_eq!(Client::new(&options).unwrap().get(&server.url()).unwrap().status, 200);
    server.asked();
}

#[test]
fn a_name_without_address_is_told() {
    let failing: Arc<Lookup> = Arc::new(|_: &str, _: u16| Err(io::Error::other("\u{1b}[31mno")));
    let panicking: Arc<Lookup> = Arc::new(|_: &str, _: u16| panic!("a resolver that breaks"));
    for lookup in [saying(Vec::new()).0, failing, panicking] {
        let fault = Client::with_lookup(&loopback(), lookup).unwrap().get("https://gone.example/").unwrap_err();
        assert_eq!(fault, NetError::NoAddress("gone.example".to_owned()));
    }
}

#[test]
fn a_lookup_that_hangs_is_not_waited_for() {
    let (done, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let hanging: Arc<Lookup> = Arc::new(move |_: &str, _: u16| {
        let _until_the_test_ends = wait.lock().unwrap().recv();
        Ok(Vec::new())
    });
    let options = ClientOptions { connect_timeout_ms: 50, ..loopback() };
    let fault = Client::with_lookup(&options, hanging).unwrap().get("https://slow.example/").unwrap_err();
    assert_eq!(fault, NetError::Slow("slow.example".to_owned()));
    drop(done);
}

#[test]
fn no_more_than_eight_addresses_are_tried() {
    // The ninth would be refused, were it looked at.
    let mut addresses: Vec<SocketAddr> = vec!["127.0.0.1:1".parse().unwrap(); 8];
    addresses.push("224.0.0.1:1".parse().unwrap());
    let fault = Client::with_lookup(&loopback(), saying(addresses).0).unwrap().get("http://many.example/").unwrap_err();
    assert!(matches!(fault, NetError::Unreachable { .. }), "{fault:?}");
}

//! Time-stamps through the program: over the loopback from an authority of OpenSSL's, and carried there and back as files.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use immutape::net::{Response, Server, ServerHandle, ServerOptions, listen};
use serde_json::Value;

use super::world::World;
use crate::support::time_authority::{Authority, Keys, openssl_is_there};

fn document(world: &World, args: &[&str]) -> Value {
    let did = world.run(args.iter().copied().chain(["--json"]));
    serde_json::from_str(did.out().lines().next().unwrap_or_else(|| panic!("{}", did.all()))).unwrap()
}

/// A ledger that takes the time-stamps of this authority.
fn trusting(authority: &Authority, more: &[&str]) -> World {
    let world = World::new();
    world.run(["init"]).exits(0);
    fs::write(world.path("roots.pem"), authority.read("root.pem")).unwrap();
    world.run(["clock", "set", "--roots", "roots.pem"].iter().chain(more)).exits(0);
    world
}

/// Entries of time-stamps, as the log shows them.
fn stamps(world: &World) -> Vec<Value> {
    let log = world.run(["log", "--all", "--json"]).exits(0).documents();
    log.into_iter().filter(|d| d["kind_name"] == "anchor.timestamped" || d["kind"] == "anchor.timestamped").collect()
}

#[test]
fn a_request_is_carried_to_an_authority_and_its_answer_back() {
    if !openssl_is_there() {
        return;
    }
    let (authority, other) = (Authority::new(Keys::P256), Authority::new(Keys::P256));
    let bare = World::new();
    bare.run(["init"]).exits(0);
    assert!(bare.run(["clock", "show"]).exits(0).out().contains("rests on this machine's clock"));
    for verb in [&["clock", "challenge", "--to", "head.tsq"][..], &["clock", "run"]] {
        let refused = bare.run(verb);
        assert!(refused.exit != 0 && refused.stderr.contains("E_NOT_FOUND"), "{}", refused.all());
    }
    assert!(!bare.path("head.tsq").exists());

    assert!(bare.run(["status"]).exits(0).out().contains("no outside source vouches"));
    let world = trusting(&authority, &["--policy", "1.2.3.4.2"]);
    assert!(world.run(["status"]).exits(0).out().contains("were there by then, and no more"));
    fs::write(world.path("nothing.tsr"), b"").unwrap();
    let early = world.run(["clock", "import", "nothing.tsr"]);
    assert!(early.stderr.contains("E_NOT_FOUND"), "nothing was asked: {}", early.all());

    let asked = document(&world, &["clock", "challenge", "--to", "head.tsq"]);
    assert_eq!(document(&world, &["clock", "show"])["awaited"], asked["size"]);
    let query = fs::read(world.path("head.tsq")).unwrap();
    let answer = authority.answer_to(&query, "usual");
    // What does not hold is refused, and the answer is awaited still.
    let mut altered = answer.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let stranger = other.answer_to(&query, "usual");
    for bad in [&altered, &stranger, &answer[..answer.len() - 1].to_vec(), &vec![0; 100_000]] {
        fs::write(world.path("bad.tsr"), bad).unwrap();
        let refused = world.run(["clock", "import", "bad.tsr"]);
        assert!(refused.exit != 0 && !refused.stderr.contains("panicked"), "{}", refused.all());
    }
    assert!(stamps(&world).is_empty());
    fs::write(world.path("head.tsr"), &answer).unwrap();
    let kept = document(&world, &["clock", "import", "head.tsr"]);
    assert_eq!(
        (&kept["size"], &kept["root"], kept["policy"].as_str()),
        (&asked["size"], &asked["root"], Some("1.2.3.4.2"))
    );
    assert_eq!(stamps(&world).len(), 1);
    // Taken once.
    let again = world.run(["clock", "import", "head.tsr"]);
    assert!(again.stderr.contains("E_NOT_FOUND"), "{}", again.all());
    assert_eq!(document(&world, &["clock", "show"])["awaited"], Value::Null);
    // A second request makes an answer to the first one worthless.
    world.run(["clock", "challenge", "--to", "second.tsq"]).exits(0);
    let late = world.run(["clock", "import", "head.tsr"]);
    assert!(late.stderr.contains("E_PROOF_INVALID"), "{}", late.all());
    // A file that is there stays, unless somebody says so.
    let there = world.run(["clock", "challenge", "--to", "second.tsq"]);
    assert!(there.exit != 0, "{}", there.all());
    world.run(["clock", "challenge", "--to", "second.tsq", "--force"]).exits(0);
    world.run(["verify"]).exits(0);
}

/// An authority that listens; `answer` is given what was posted, and how many came before.
fn serving(answer: impl Fn(&[u8], usize) -> Response + Send + Sync + 'static) -> (ServerHandle, String) {
    let count = AtomicUsize::new(0);
    let listener = listen("127.0.0.1:0").unwrap();
    let handle = Server::start(listener, ServerOptions::default(), move |request| {
        assert_eq!(request.method, "POST");
        answer(&request.body, count.fetch_add(1, Ordering::SeqCst))
    })
    .unwrap();
    let url = format!("http://{}/tsr", handle.address());
    (handle, url)
}

#[test]
fn an_authority_is_asked_over_the_network_and_one_that_lies_is_not_believed() {
    if !openssl_is_there() {
        return;
    }
    let authority = Arc::new(Authority::new(Keys::Rsa));
    let (asked, first) = (authority.clone(), Mutex::new(None));
    let reply = |body: Vec<u8>| Response { status: 200, content_type: "application/timestamp-reply".into(), body };
    let (_server, url) = serving(move |query, n| match n {
        0 => {
            let answer = asked.answer_to(query, "usual");
            *first.lock().unwrap() = Some(answer.clone());
            reply(answer)
        }
        // Yesterday's answer, an answer of another kind, a fault, and then a good one again.
        1 => reply(first.lock().unwrap().clone().unwrap()),
        2 => Response { status: 200, content_type: "text/html".into(), body: b"\x1b[2J".to_vec() },
        3 => Response { status: 503, content_type: "text/plain".into(), body: Vec::new() },
        _ => reply(asked.answer_to(query, "usual")),
    });
    let world = trusting(&authority, &["--url", &url]);
    // This machine is private: not asked unless somebody says so.
    let refused = world.run(["clock", "run"]);
    assert!(refused.stderr.contains("E_USAGE"), "{}", refused.all());
    let run = || world.run(["clock", "run", "--allow-private"]);
    let said = run().exits(0).out();
    assert!(said.contains("were there at 20") && said.contains("1501 ms either way"), "{said}");
    for code in ["E_PROOF_INVALID", "E_NETWORK", "E_NETWORK"] {
        let refused = run();
        assert!(
            refused.exit != 0 && refused.stderr.contains(code) && !refused.stderr.contains('\x1b'),
            "{}",
            refused.all()
        );
    }
    assert_eq!(stamps(&world).len(), 1);
    run().exits(0);
    assert_eq!(stamps(&world).len(), 2);
    world.run(["verify"]).exits(0);
}

#[test]
fn what_is_no_authority_is_not_set() {
    if !openssl_is_there() {
        return;
    }
    let authority = Authority::new(Keys::P256);
    let world = trusting(&authority, &[]);
    let set = fs::read_dir(world.path("keys")).unwrap().count();
    fs::write(world.path("none.pem"), "no certificate").unwrap();
    for bad in [
        &["--roots", "none.pem"][..],
        &["--roots", "missing.pem"],
        &["--roots", "roots.pem", "--policy", "one.two"],
        &["--roots", "roots.pem", "--url", ""],
    ] {
        assert_ne!(world.run(["clock", "set"].iter().chain(bad)).exit, 0, "{bad:?}");
    }
    assert_eq!(fs::read_dir(world.path("keys")).unwrap().count(), set);
    world.run(["clock", "challenge", "--to", "head.tsq"]).exits(0);
}

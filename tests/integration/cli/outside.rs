//! A ledger and two witnesses as three programs, over the loopback: what is put back, what forks, who lies and who forgets. Every
//! head that leaves the ledger passes a gate that remembers it: whatever happens, no second one is signed for a size.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use immutape::anchor::{Http, Transport};
use immutape::codec::digest::RootHash;
use immutape::log::{Checkpoint, NoteKey};
use immutape::net::{Request, Response, Server, ServerHandle, ServerOptions, listen};
use immutape::proof::{ForkProof, WitnessRequest};
use serde_json::{Value, json};

use super::witness::Running;
use super::world::{Did, World};
use crate::oracle_go::{hex_path, judge, oracle};
use crate::support::crash::copy_folder;

type Notes = Arc<Mutex<Vec<String>>>;
type Answers = Box<dyn Fn(&Request) -> Response + Send + Sync>;

/// What stands before a witness: everything goes through it, or it answers itself.
struct Gate {
    _server: ServerHandle,
    url: String,
    answers: Arc<Mutex<Answers>>,
}

fn response(status: u16, body: impl Into<Vec<u8>>) -> Response {
    Response { status, content_type: "text/plain; charset=utf-8".into(), body: body.into() }
}

/// Passes everything on to a witness that runs.
fn to(witness: &Running) -> Answers {
    let address = format!("http://{}", witness.1["address"].as_str().unwrap());
    let http = Http::new(true, None).unwrap();
    Box::new(move |request| {
        let url = format!("{address}{}", request.path);
        let reply = match request.method.as_str() {
            "POST" => http.post(&url, "text/plain; charset=utf-8", &request.body),
            _ => http.get(&url),
        };
        match reply {
            Ok(reply) => Response {
                status: reply.status,
                content_type: reply.content_type.unwrap_or_default(),
                body: reply.body,
            },
            Err(e) => response(502, e.message().to_owned()),
        }
    })
}

/// Nobody is there.
fn away() -> Answers {
    Box::new(|_| response(503, "away"))
}

/// Says one thing to who asks what is held, and another to who brings a head.
fn saying(get: (u16, &str), post: (u16, &str)) -> Answers {
    let (get, post) = ((get.0, get.1.to_owned()), (post.0, post.1.to_owned()));
    Box::new(move |request| {
        let (status, body) = if request.method == "GET" { &get } else { &post };
        response(*status, body.clone())
    })
}

/// Lets who asks what is held through, and takes no head.
fn deaf(witness: &Running) -> Answers {
    let through = to(witness);
    Box::new(move |request| if request.method == "GET" { through(request) } else { response(503, "deaf") })
}

impl Gate {
    fn new(notes: &Notes) -> Self {
        let answers: Arc<Mutex<Answers>> = Arc::new(Mutex::new(away()));
        let (asked, notes) = (answers.clone(), notes.clone());
        let server = Server::start(listen("127.0.0.1:0").unwrap(), ServerOptions::default(), move |request| {
            if request.method == "POST" {
                let text = std::str::from_utf8(&request.body).unwrap();
                notes.lock().unwrap().push(WitnessRequest::parse(text).unwrap().note);
            }
            asked.lock().unwrap()(&request)
        })
        .unwrap();
        let url = format!("http://{}", server.address());
        Self { _server: server, url, answers }
    }

    fn set(&self, answers: Answers) {
        *self.answers.lock().unwrap() = answers;
    }
}

/// The three programs, and the gates between them.
struct Town {
    world: World,
    log: NoteKey,
    notes: Notes,
    gates: [Gate; 2],
    witnesses: [Running; 2],
}

const FOLDERS: [&str; 3] = ["ledger", "state", "keys"];

impl Town {
    /// So many of the two witnesses are the quorum; one round was made.
    fn new(quorum: u8) -> Self {
        let world = World::new();
        world.run(["init"]).exits(0);
        let verifier = document(&world, &["checkpoint"])["verifier"].as_str().unwrap().to_owned();
        fs::write(world.path("logs"), format!("log {verifier}\nquorum none\n")).unwrap();
        let notes = Notes::default();
        let gates = [Gate::new(&notes), Gate::new(&notes)];
        let witnesses = ["w1", "w2"].map(|name| Running::named(&world, name, &format!("{name}.example")));
        gates.iter().zip(&witnesses).for_each(|(gate, witness)| gate.set(to(witness)));
        let key = |n: usize| witnesses[n].1["key"].as_str().unwrap().to_owned();
        let policy = format!(
            "witness w1 {} {}\nwitness w2 {} {}\ngroup both {quorum} w1 w2\nquorum both\n",
            key(0),
            gates[0].url,
            key(1),
            gates[1].url
        );
        fs::write(world.path("policy"), policy).unwrap();
        world.run(["witness", "set", "policy"]).exits(0);
        let town = Self { log: NoteKey::parse(&verifier).unwrap(), world, notes, gates, witnesses };
        town.round(0);
        town
    }

    fn run(&self, args: &[&str]) -> Did {
        self.world.run(args)
    }

    /// A round that must end like this.
    fn round(&self, exit: i32) -> Value {
        let did = self.run(&["witness", "run", "--allow-private", "--json"]).exits(exit);
        serde_json::from_str(did.out().lines().next().unwrap()).unwrap()
    }

    /// A round that must be refused so.
    fn refused(&self, code: &str) -> Did {
        let did = self.run(&["witness", "run", "--allow-private"]);
        assert!(did.exit != 0 && did.stderr.contains(code), "{}", did.all());
        did
    }

    fn grow(&self, times: usize) {
        (0..times).for_each(|_| drop(self.run(&["log"]).exits(0)));
    }

    fn copy(&self, to: &Path) {
        FOLDERS.iter().for_each(|folder| copy_folder(&self.world.path(folder), &to.join(folder)));
    }

    fn put_back(&self, from: &Path) {
        for folder in FOLDERS {
            fs::remove_dir_all(self.world.path(folder)).unwrap();
            copy_folder(&from.join(folder), &self.world.path(folder));
        }
    }

    fn away(&self) {
        self.gates.iter().for_each(|gate| gate.set(away()));
    }

    fn back(&self) {
        self.gates.iter().zip(&self.witnesses).for_each(|(gate, witness)| gate.set(to(witness)));
    }

    /// Every verb that would read, write or sign says the same.
    fn is_shut(&self, code: &str) {
        for verb in
            [&["log"][..], &["list"], &["checkpoint"], &["witness", "run"], &["publish", "tree"], &["prove", "0000"]]
        {
            let did = self.run(verb);
            assert!(did.exit == 3 && did.stderr.contains(code), "{verb:?}: {}", did.all());
        }
        assert!(!self.world.path("tree").exists());
    }

    /// Size and root of all heads that left: one root a size.
    fn heads(&self) -> BTreeMap<u64, RootHash> {
        let mut heads = BTreeMap::new();
        for note in self.notes.lock().unwrap().iter() {
            let head = Checkpoint::from_note(note, &self.log).unwrap();
            let known = *heads.entry(head.size).or_insert(head.root);
            assert_eq!(known, head.root, "two heads of {} entries were signed", head.size);
        }
        heads
    }
}

fn document(world: &World, args: &[&str]) -> Value {
    let did = world.run(args.iter().copied().chain(["--json"]));
    serde_json::from_str(did.out().lines().next().unwrap_or_else(|| panic!("{}", did.all()))).unwrap()
}

fn state(round: &Value, n: usize) -> String {
    round["witnesses"][n]["state"].as_str().unwrap().to_owned()
}

#[test]
fn folders_that_were_put_back_are_named_also_without_a_network() {
    let (town, elsewhere) = (Town::new(2), tempfile::tempdir().unwrap());
    town.copy(elsewhere.path());
    town.grow(4);
    let newest = town.round(0)["size"].as_u64().unwrap();
    town.put_back(elsewhere.path());
    let caught = town.refused("E_LOG_ROLLBACK");
    assert_eq!(caught.exit, 3);
    assert!(caught.stderr.contains(&format!("others hold a head of {newest}")), "{}", caught.stderr);
    town.away();
    town.is_shut("E_LOG_ROLLBACK");
    let checked = town.run(&["verify"]);
    assert!(checked.exit == 3 && checked.all().contains("E_LOG_ROLLBACK"), "{}", checked.all());
    assert_eq!(town.heads().len(), 2);
}

/// As a virtual machine is: with the anchors, so that nothing on it knows.
#[test]
fn a_machine_that_was_rolled_back_signs_nothing_while_nobody_is_there() {
    let (town, elsewhere) = (Town::new(1), tempfile::tempdir().unwrap());
    town.copy(elsewhere.path());
    town.grow(9);
    town.round(0);
    town.put_back(elsewhere.path());
    let signed = town.heads();
    town.away();
    town.grow(2);
    for _ in 0..2 {
        town.refused("E_NOT_CONFIRMED");
        for verb in [&["checkpoint"][..], &["publish", "tree"]] {
            let did = town.run(verb);
            assert!(did.exit != 0 && did.stderr.contains("E_NOT_CONFIRMED"), "{}", did.all());
        }
    }
    assert_eq!(town.heads(), signed, "nothing was signed meanwhile");
    assert!(!town.world.path("tree/checkpoint").exists());
    town.back();
    assert_eq!(town.refused("E_LOG_ROLLBACK").exit, 3);
    town.away();
    town.is_shut("E_LOG_ROLLBACK");
    assert_eq!(town.heads(), signed);
}

/// The copy finds one witness that knows nothing newer and another that says that it knows nothing, and so signs; then that one
/// tells the truth.
#[test]
fn a_copy_that_ran_on_is_called_a_fork_with_a_proof_for_strangers() {
    let (town, elsewhere) = (Town::new(2), tempfile::tempdir().unwrap());
    town.copy(elsewhere.path());
    town.gates[1].set(deaf(&town.witnesses[1]));
    town.grow(2);
    let round = town.round(10);
    assert_eq!((state(&round, 0).as_str(), state(&round, 1).as_str()), ("cosigned", "refused with 503 deaf"));
    let held = round["size"].as_u64().unwrap();
    town.put_back(elsewhere.path());
    // Silent, it would keep the copy from signing.
    let before = town.heads();
    town.gates[0].set(away());
    town.gates[1].set(to(&town.witnesses[1]));
    town.grow(6);
    assert!(town.refused("E_NOT_CONFIRMED").stderr.contains("too few witnesses"));
    assert_eq!(town.heads(), before);
    town.gates[0].set(saying((404, ""), (503, "deaf")));
    let round = town.round(10);
    assert_eq!((state(&round, 0).as_str(), state(&round, 1).as_str()), ("refused with 503 deaf", "cosigned"));
    let ran_on = round["size"].as_u64().unwrap();
    assert!(ran_on > held);
    let signed = town.heads();
    town.back();
    let caught = town.refused("E_LOG_FORK");
    assert_eq!(caught.exit, 3);
    town.away();
    town.is_shut("E_LOG_FORK");
    assert_eq!(town.heads(), signed, "one head for each size, also of two histories");
    // A stranger has the file and the key of the log, and nothing else.
    let proof = town.world.path("state/anchors").join(format!("fork-{held}.txt"));
    assert!(caught.stderr.contains(proof.to_str().unwrap()), "{}", caught.stderr);
    let text = fs::read_to_string(proof).unwrap();
    let fork = ForkProof::parse(&text).unwrap();
    let proven = fork.verify(&town.log).unwrap();
    // The newest head of the copy is the one that it signed when it was closed.
    let heads = (proven.heads().0.clone(), proven.heads().1.clone());
    assert!(heads.0.size == held && heads.1.size >= ran_on, "{heads:?}");
    town.notes.lock().unwrap().extend([fork.smaller.clone(), fork.larger.clone()]);
    assert!(town.heads().len() > signed.len());
    // Changed anywhere it proves nothing, but in the lines of others, which prove nothing as they are.
    let (mut refused, mut tried) = (0, 0);
    for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii()).step_by(7) {
        let mut bad = text.clone().into_bytes();
        bad[at] = if byte == b'A' { b'B' } else { b'A' };
        let bad = ForkProof::parse(std::str::from_utf8(&bad).unwrap()).and_then(|fork| fork.verify(&town.log));
        tried += 1;
        match bad {
            Err(_) => refused += 1,
            Ok(other) => assert_eq!((other.heads().0, other.heads().1), (&heads.0, &heads.1), "byte {at}"),
        }
    }
    assert!(refused * 2 > tried && tried > 60, "{refused} of {tried}");
    // By hand: the larger head extends other entries than those that the smaller one is over.
    let Some(go) = oracle() else { return };
    let question = |root: RootHash| {
        json!({
            "note": fork.larger, "key": town.log.to_text(), "old": held, "old_root": root.to_hex(),
            "path": hex_path(&fork.path),
        })
    };
    let smaller = Checkpoint::from_note(&fork.smaller, &town.log).unwrap();
    assert_eq!(judge(&go, &[question(fork.other_root.unwrap()), question(smaller.root)]), [true, false]);
}

/// Takes connections and does this with each; how many came.
fn raw(act: impl Fn(TcpStream) + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count) = (listener.local_addr().unwrap().to_string(), Arc::new(AtomicUsize::new(0)));
    let came = count.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            came.fetch_add(1, Ordering::SeqCst);
            act(stream.unwrap());
        }
    });
    (address, count)
}

#[test]
fn a_witness_that_lies_changes_nothing_and_is_told() {
    let town = Town::new(2);
    let other_note = {
        let note = town.notes.lock().unwrap()[0].clone();
        note.replacen(town.log.name(), "other.example/log", 1)
    };
    // The cosignature of the first head, shown for every later one.
    let stale = {
        let held = document(&town.world, &["checkpoint", "--anchored"]);
        let name = town.witnesses[1].1["key"].as_str().unwrap().split('+').next().unwrap();
        let begin = format!("\u{2014} {name} ");
        let line = held["note"].as_str().unwrap().lines().find(|line| line.starts_with(&begin));
        format!("{}\n", line.unwrap())
    };
    let long = "x".repeat(200_000);
    for (answers, wanted) in [
        (saying((404, ""), (409, "999999\n")), "claims to hold 999999 entries and shows no head"),
        (saying((404, ""), (409, "1\n")), "refused with 409 again and again"),
        (saying((404, ""), (409, "18446744073709551615\n")), "claims to hold 18446744073709551615 entries"),
        (saying((404, ""), (409, "-1\n")), "refused with 409 -1"),
        (saying((404, ""), (200, &stale)), "its cosignature does not hold"),
        (saying((404, ""), (200, "")), "its answer"),
        (saying((404, ""), (422, "no\u{1b}[2J")), "refused with 422"),
        (saying((404, ""), (200, &long)), "longer than 65536 bytes"),
    ] {
        town.gates[1].set(answers);
        let round = town.round(10);
        assert!(state(&round, 1).contains(wanted), "{wanted}: {round}");
        assert!(!state(&round, 1).contains('\u{1b}'));
        assert_eq!((state(&round, 0), round["quorum"].as_bool()), ("cosigned".into(), Some(false)));
    }
    // When it says nothing of use of what it holds, no start is confirmed by the other alone, and nothing is signed.
    let signed = town.heads();
    for (answers, wanted) in [
        (saying((200, &other_note), (500, "")), "with a head that this log did not sign"),
        (saying((200, "\u{1b}[2J"), (500, "")), "with a head that this log did not sign"),
        (saying((200, &long), (200, "")), "longer than 65536 bytes"),
        (saying((200, &other_note), (409, "999999\n")), "with a head that this log did not sign"),
    ] {
        town.gates[1].set(answers);
        let refused = town.refused("E_NOT_CONFIRMED");
        assert!(refused.stderr.contains("too few witnesses") && refused.stderr.contains(wanted), "{}", refused.stderr);
        assert!(!refused.stderr.contains('\u{1b}'));
    }
    assert_eq!(town.heads(), signed);
    // With the liar alone nothing is cosigned.
    town.gates[0].set(deaf(&town.witnesses[0]));
    town.gates[1].set(saying((404, ""), (409, "999999\n")));
    let round = town.round(10);
    assert_eq!((round["quorum"].as_bool(), round["entry"].as_u64()), (Some(false), None));
    town.back();
    assert_eq!(state(&town.round(0), 1), "cosigned");
    town.heads();
}

/// Reads a request; one that asks what is held is told that nothing is, if `tells`. `true` when it was answered so.
fn told_nothing(stream: &mut TcpStream, tells: bool) -> bool {
    let mut request = [0; 4_096];
    let length = stream.read(&mut request).unwrap_or(0);
    let is_told = tells && request[..length].starts_with(b"GET ");
    if is_told {
        let _gone_already = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
    is_told
}

#[test]
fn a_witness_that_leads_elsewhere_or_never_ends_is_left() {
    let town = Town::new(2);
    let (elsewhere, came) = raw(|_| {});
    let leading = |tells: bool| {
        let head = format!("HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/x\r\nContent-Length: 0\r\n\r\n");
        raw(move |mut stream| {
            if !told_nothing(&mut stream, tells) {
                let _gone_already = stream.write_all(head.as_bytes());
            }
        })
    };
    let silent = |tells: bool| {
        raw(move |mut stream| {
            if !told_nothing(&mut stream, tells) {
                // Held open, and nothing said.
                std::mem::forget(stream);
            }
        })
    };
    let policy = fs::read_to_string(town.world.path("policy")).unwrap();
    for tells in [true, false] {
        for ((address, asked), wanted) in
            [(leading(tells), "redirects are not followed"), (silent(tells), "did not answer in time")]
        {
            let changed = policy.replace(&town.gates[1].url, &format!("http://{address}"));
            fs::write(town.world.path("policy"), changed).unwrap();
            town.run(&["witness", "set", "policy"]).exits(0);
            if tells {
                let round = town.round(10);
                assert!(state(&round, 1).contains(wanted), "{round}");
                assert_eq!(state(&round, 0), "cosigned");
            } else {
                let (signed, refused) = (town.heads(), town.refused("E_NOT_CONFIRMED"));
                assert!(refused.stderr.contains(wanted), "{}", refused.stderr);
                assert_eq!(town.heads(), signed);
            }
            assert_eq!(asked.load(Ordering::SeqCst), if tells { 2 } else { 1 });
        }
    }
    assert_eq!(came.load(Ordering::SeqCst), 0, "nobody went where it points");
    town.heads();
}

#[test]
fn a_witness_that_forgets_is_told_and_what_it_says_then_is_one_voice() {
    let mut town = Town::new(2);
    town.grow(3);
    let before = town.round(0)["size"].as_u64().unwrap();
    // Its folder is emptied, its key is the same.
    let key = town.witnesses[0].1["key"].clone();
    town.gates[0].set(away());
    town.witnesses[0] = Running::named(&town.world, "nobody", "w0.example");
    fs::remove_dir_all(town.world.path("w1/held")).unwrap();
    town.witnesses[0] = Running::named(&town.world, "w1", "w1.example");
    assert_eq!(town.witnesses[0].1["key"], key);
    town.back();
    let round = town.round(0);
    assert_eq!((state(&round, 0), state(&round, 1)), ("cosigned, but has lost what it held".into(), "cosigned".into()));
    assert_eq!(round["quorum"].as_bool(), Some(true), "its cosignature holds, and is one of the two");
    // From here on it knows again.
    assert_eq!(state(&town.round(0), 0), "cosigned");
    // The older copy would pass by it alone, and does not by the other: what one forgot the quorum knows.
    let elsewhere = tempfile::tempdir().unwrap();
    town.copy(elsewhere.path());
    town.grow(3);
    town.round(0);
    town.put_back(elsewhere.path());
    town.gates[0].set(away());
    town.witnesses[0] = Running::named(&town.world, "nobody", "w0.example");
    fs::remove_dir_all(town.world.path("w1/held")).unwrap();
    town.witnesses[0] = Running::named(&town.world, "w1", "w1.example");
    town.back();
    assert_eq!(town.refused("E_LOG_ROLLBACK").exit, 3);
    assert!(town.heads().keys().any(|size| *size == before));
}

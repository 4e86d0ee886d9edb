//! The bundles that are judged: of one ledger with witnesses, an authority for time-stamps and two keys that were replaced, written by
//! the program itself. They are made once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use immutape::codec::Reader;
use immutape::evidence::bundle::{Completeness, EvidenceEntry, path};
use immutape::log::{Body, Entry};
use serde_json::Value;

use super::is_there;
use crate::cli::witness::Running;
use crate::cli::world::World;
use crate::support::needed;
use crate::support::time_authority::{Authority, Keys, openssl_is_there};

/// Files by their paths in the bag.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What the program wrote, and the keys that it told.
pub struct Made {
    /// Of three tapes, as a folder.
    pub folder: Files,
    /// Of a search, as a tar file.
    pub tar: Vec<u8>,
    /// Bundle digest of that.
    pub tar_digest: String,
    /// Of one tape for one recipient alone, with its bundle digest and the recipient's identity, where `age` is there.
    pub encrypted: Option<Encrypted>,
    /// The root of the authority for time-stamps.
    pub roots: Vec<u8>,
    /// Verifier keys of the log, in the order in which they came into force.
    pub verifiers: Vec<String>,
}

pub struct Encrypted {
    pub file: Vec<u8>,
    pub digest: String,
    pub identity: String,
}

static MADE: LazyLock<Option<Made>> = LazyLock::new(|| openssl_is_there().then(make));

/// `None` where OpenSSL is missing, which is counted.
pub fn made() -> Option<&'static Made> {
    let made = MADE.as_ref();
    // Each test that is left out says so, not the first alone.
    (made.is_some() || needed("openssl is not there")).then_some(())?;
    made
}

impl Made {
    /// Entries of the folder's bundle with their bodies.
    pub fn entries(&self) -> Vec<(EvidenceEntry, u64, Body)> {
        let bytes = &self.folder[path::ENTRIES];
        let mut r = Reader::new(bytes);
        let mut entries = Vec::new();
        while !r.is_empty() {
            let item = EvidenceEntry::read(&mut r).unwrap();
            let (index, body) = {
                let entry = Entry::decode(&item.public).unwrap();
                (entry.index, Body::decode(entry.kind, entry.body).unwrap())
            };
            entries.push((item, index, body));
        }
        entries
    }

    pub fn completeness(&self) -> Completeness {
        Completeness::parse(&self.folder[path::COMPLETENESS]).unwrap()
    }

    /// A text of the folder's bundle.
    pub fn text(&self, path: &str) -> &str {
        std::str::from_utf8(&self.folder[path]).unwrap()
    }

    /// Name and bytes of the newest key of a role that was in force before this index.
    pub fn key(&self, role: &str, before: u64, end: &str) -> &str {
        let front = format!("data/keys/{role}-");
        let since = |path: &str| path.strip_prefix(&front)?.strip_suffix(end)?.parse::<u64>().ok();
        let found = self.folder.keys().filter(|path| since(path).is_some_and(|since| since < before));
        self.text(found.max_by_key(|path| since(path)).unwrap())
    }
}

/// Writes files under their paths.
pub fn put(files: &Files, folder: &Path) {
    for (path, bytes) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Reads all files in a folder.
pub fn take(folder: &Path) -> Files {
    let (mut files, mut folders) = (Files::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                assert!(entry.file_type().unwrap().is_file(), "{entry:?}");
                let path = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(path, fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

#[track_caller]
fn document(world: &World, args: &[&str]) -> Value {
    let did = world.run(args.iter().copied().chain(["--json"])).exits(0);
    serde_json::from_str(did.out().lines().next().unwrap_or_else(|| panic!("{}", did.all()))).unwrap()
}

fn text(document: &Value, key: &str) -> String {
    document[key].as_str().unwrap_or_else(|| panic!("{key}: {document}")).to_owned()
}

/// Two witnesses that know these keys of the log, both of them asked for.
fn witnesses(world: &World, verifiers: &[String]) -> [Running; 2] {
    let logs: String = verifiers.iter().map(|key| format!("log {key}\n")).collect();
    fs::write(world.path("logs"), format!("{logs}quorum none\n")).unwrap();
    let running = ["w1", "w2"].map(|name| Running::named(world, name, &format!("{name}.example")));
    let line = |n: usize| {
        let key = |key: &str| text(&running[n].1, key);
        format!("witness w{} {} http://{}\n", n + 1, key("key"), key("address"))
    };
    fs::write(world.path("policy"), format!("{}{}group both 2 w1 w2\nquorum both\n", line(0), line(1))).unwrap();
    world.run(["witness", "set", "policy"]).exits(0);
    running
}

fn cosign(world: &World) {
    let round = document(world, &["witness", "run", "--allow-private"]);
    assert_eq!(round["quorum"].as_bool(), Some(true), "{round}");
}

fn stamp(world: &World, authority: &Authority, n: u32) {
    let (query, answer) = (format!("{n}.tsq"), format!("{n}.tsr"));
    world.run(["clock", "challenge", "--to", &query, "--allow-private"]).exits(0);
    fs::write(world.path(&answer), authority.answer_to(&fs::read(world.path(&query)).unwrap(), "usual")).unwrap();
    world.run(["clock", "import", &answer]).exits(0);
}

fn make() -> Made {
    let authority = Authority::new(Keys::P256);
    let world = World::new();
    let mut ids = vec![world.save("git-policies"), world.save("sqlite-crash")];
    let mut verifiers = vec![text(&document(&world, &["checkpoint"]), "verifier")];
    let running = witnesses(&world, &verifiers);
    fs::write(world.path("roots.pem"), authority.read("root.pem")).unwrap();
    world.run(["clock", "set", "--roots", "roots.pem"]).exits(0);
    cosign(&world);
    stamp(&world, &authority, 1);
    document(&world, &["key", "rotate", "recorder", "--allow-private"]);
    let changed = document(&world, &["key", "rotate", "checkpoint", "--allow-private"]);
    verifiers.push(text(&changed, "verifier"));
    cosign(&world);
    drop(running);
    let _running = witnesses(&world, &verifiers);
    let first = world.save("filesystem-payments");
    ids.push(first.clone());
    world.run(["list"]).exits(0);
    world.run(["show", &first, "--frames", "0..3"]).exits(0);
    cosign(&world);
    stamp(&world, &authority, 2);

    let evidence = |to: &str, more: &[&str]| {
        let args = [&["evidence", "--authority", "exam 7", "--allow-private", "--to", to], more].concat();
        document(&world, &args)
    };
    let told = evidence("bundle", &ids.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((told["quorum"].as_bool(), told["given"].as_array().map(Vec::len)), (Some(true), Some(3)), "{told}");
    let window = "2000-01-01..2099-12-31";
    let searched = evidence("search.tar", &["--query", "end:error", "--sealed", window, "--frames", "1..9"]);
    let encrypted = is_there("age-keygen", "--version").then(|| {
        let identity = String::from_utf8(Command::new("age-keygen").output().unwrap().stdout).unwrap();
        let recipient = identity.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap();
        let told = evidence("one.tar.age", &[&first, "--encrypt-to", recipient]);
        let file = fs::read(world.path("one.tar.age")).unwrap();
        Encrypted { file, digest: text(&told, "sha256"), identity: identity.clone() }
    });
    Made {
        folder: take(&world.path("bundle")),
        tar: fs::read(world.path("search.tar")).unwrap(),
        tar_digest: text(&searched, "sha256"),
        encrypted,
        roots: authority.read("root.pem"),
        verifiers,
    }
}

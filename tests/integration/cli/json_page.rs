//! `docs/json.md` against what every verb says with `--json`: every key of every document stands there, and what stands
//! there as always said is said.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use immutape::anchor::{Http, Transport as _};
use immutape::proof::WitnessRequest;
use serde_json::Value;

use super::world::World;
use crate::support::crash::copy_folder;
use crate::support::ledgers::tape_path;
use crate::support::time_authority::{Authority, Keys, openssl_is_there};

/// Keys of a type by their paths; true for those that are always there.
type Page = BTreeMap<String, BTreeMap<String, bool>>;

fn page() -> Page {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md")).unwrap();
    let mut page = Page::new();
    for section in text.split("\n## ").skip(1) {
        let name = section.lines().next().unwrap().to_owned();
        let rows = section.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next());
        let keys = rows.map(|key| (key.trim_end_matches('?').to_owned(), !key.ends_with('?'))).collect();
        assert!(page.insert(name.clone(), keys).is_none(), "{name} stands there twice");
    }
    assert!(page.len() > 20, "{page:?}");
    page
}

/// Paths of everything in a document that is not null.
fn paths(value: &Value, at: &str, out: &mut BTreeSet<String>) {
    let is_bytes = value.as_object().is_some_and(|map| map.len() == 1 && map.contains_key("b64"));
    match value {
        Value::Null => {}
        Value::Object(map) if !is_bytes => {
            for (key, value) in map {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                paths(value, &at, out);
            }
        }
        Value::Array(list) => {
            out.insert(at.to_owned());
            list.iter().for_each(|value| paths(value, &format!("{at}[]"), out));
        }
        _ => {
            out.insert(at.to_owned());
        }
    }
}

/// Does a path stand on the page: itself, as a list, as part of a key with `*`, or as bytes that may be text or not?
fn stands(keys: &BTreeMap<String, bool>, path: &str) -> bool {
    let of_star = |key: &String| key.strip_suffix('*').is_some_and(|front| path.starts_with(front));
    let begins = |front: &str| keys.keys().any(|key| key.starts_with(front));
    keys.contains_key(path)
        || keys.keys().any(of_star)
        || keys.contains_key(&format!("{path}[]"))
        || keys.contains_key(&format!("{path}.b64"))
        || begins(&format!("{path}[]."))
        || path == "type"
        || path == "test"
}

/// Every verb with `--json`, in worlds where all of its documents appear.
fn spoken() -> (Vec<Value>, BTreeSet<String>) {
    let (mut all, mut verbs) = (Vec::new(), BTreeSet::new());
    let world = World::new();
    let mut say = |world: &World, args: &[&str]| {
        let did = world.run(args.iter().copied().chain(["--json"]));
        let text = if args[0] == "cat" { did.stderr.clone() } else { did.out() };
        let documents: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert!(!documents.is_empty(), "{args:?}: {}", did.all());
        verbs.insert(args[0].to_owned());
        all.extend(documents.clone());
        documents
    };
    say(&world, &["init"]);
    fs::create_dir(world.path("in")).unwrap();
    fs::copy(tape_path("filesystem-payments"), world.path("in/a.jsonl")).unwrap();
    fs::copy(tape_path("filesystem-payments").with_extension("meta.json"), world.path("in/a.meta.json")).unwrap();
    fs::write(world.path("in/readme"), "hello\n").unwrap();
    let odd = concat!(
        r#"{"type":"init","version":"2.0","tape_id":"t","session_id":"s","created_at":"2026-11-20T10:19:04.156Z","x":1}"#,
        "\n",
        r#"{"type":"frame","seq":4,"ts":1,"dir":"client_to_server","y":2,"action":{"Continue":null},"correlation_id":"c","#,
        r#""transport":{"stdio":{}},"env":{"message":{"id":1},"timestamp":"2026-11-20T10:19:04.157Z"}}"#,
        "\n",
        r#"{"type":"other"}"#,
        "\n"
    );
    fs::write(world.path("odd"), odd).unwrap();
    fs::write(world.path("half"), "{\"jsonrpc\":\"2.0\",\"id\":1}\n{\"js").unwrap();
    say(&world, &["import", "in", "half"]);
    let saved = say(&world, &["save", "--name", "odd", "--tag", "t", "odd"]);
    let odd = saved[0]["tape"].as_str().unwrap().to_owned();
    say(&world, &["save", "--amends", &odd, "--reason", "why", tape_path("sqlite-crash").to_str().unwrap()]);
    let id = say(&world, &["list", "--limit", "1"])[0]["tape"].as_str().unwrap().to_owned();
    say(&world, &["label", &id, "--name", "n", "--description", "d", "--tag", "t", "--reason", "why"]);
    say(&world, &["search", "tag:t"]);
    say(&world, &["stats"]);
    say(&world, &["show", &id]);
    say(&world, &["show", &odd]);
    say(&world, &["cat", &id, "--frames", "0..1"]);
    say(&world, &["show", "0000"]);
    say(&world, &["export", &id, "--to", "v2", "--output", "out.jsonl", "--recipient", "court"]);
    say(&world, &["diff", &id, &odd]);
    say(&world, &["checkpoint"]);
    say(&world, &["prove", &id, "--output", "proof"]);
    say(&world, &["prove", "--consistency", "1", "3"]);
    let keys = say(&world, &["evidence", &id, "--to", "bundle.tar", "--authority", "exam"])[0].clone();
    let [log, recorder] = ["verifier", "recorder"].map(|name| keys[name].as_str().unwrap().to_owned());
    say(&world, &["verify", "--bundle", "bundle.tar", "--pub", &log, "--pub", &recorder]);
    say(&world, &["evidence", "--list"]);
    say(&world, &["publish", "tree"]);
    let verifier = say(&world, &["checkpoint"])[0]["verifier"].as_str().unwrap().to_owned();
    fs::write(world.path("logs"), format!("log {verifier}\nquorum none\n")).unwrap();
    let witness = super::witness::Running::new(&world, "w1");
    fs::write(world.path("policy"), witness.policy().replace("quorum w1", "quorum none")).unwrap();
    // The published head as it stands when a witness has cosigned it.
    let published = world.path("tree/checkpoint");
    let note = fs::read_to_string(&published).unwrap();
    let request = WitnessRequest { old_size: 0, path: Vec::new(), note: note.clone() }.to_text();
    let at = format!("http://{}/add-checkpoint", witness.1["address"].as_str().unwrap());
    let lines = Http::new(true, None).unwrap().post(&at, "text/plain", request.as_bytes()).unwrap();
    fs::write(&published, note + lines.as_text().unwrap()).unwrap();
    let key = witness.1["key"].as_str().unwrap().to_owned();
    say(&world, &["verify", "--published", "tree", "--pub", &log, "--witness", &key]);
    say(&world, &["witness", "set", "policy"]);
    say(&world, &["witness", "run", "--allow-private"]);
    say(&world, &["witness", "show"]);
    let until = ["--recipient", "court", "--expires", "2099-01-01", "--allow-private"];
    say(&world, &[&["evidence", &id, "--to", "second.tar", "--authority", "exam"][..], &until].concat());
    say(&world, &["evidence", "--list"]);
    let witnesses = say(&world, &["witness", "show"]);
    let cosigner = witnesses[0]["witnesses"][0]["key"].as_str().unwrap().to_owned();
    say(&world, &["verify", "--bundle", "second.tar", "--pub", &log, "--pub", &recorder, "--witness", &cosigner]);
    say(&world, &["publish", "tree", "--allow-private"]);
    say(&world, &["verify", "--published", "tree", "--pub", &log, "--witness", &cosigner]);
    let serving = witness.1.clone();
    let authority = Authority::new(Keys::P256);
    fs::write(world.path("roots.pem"), authority.read("root.pem")).unwrap();
    let url = "https://time.example/tsr";
    say(&world, &["clock", "set", "--roots", "roots.pem", "--url", url, "--policy", "1.2.3.4.1"]);
    say(&world, &["clock", "challenge", "--to", "head.tsq"]);
    say(&world, &["clock", "show"]);
    let answer = authority.answer_to(&fs::read(world.path("head.tsq")).unwrap(), "usual");
    fs::write(world.path("head.tsr"), answer).unwrap();
    say(&world, &["clock", "import", "head.tsr"]);
    fs::copy(world.path("keys/next/issuer.pem"), world.path("ann.pem")).unwrap();
    say(&world, &["custody", &id, "--as", "Ann", "--key", "ann.pem", "--purpose", "p"]);
    say(&world, &["delete", &id]);
    say(&world, &["verify"]);
    let jobs = "witness_every = '1d'\nscrub_every = '1d'\nscrub_parts = 1\nallow_private = true\n";
    fs::write(world.path("immutape.toml"), format!("[schedule]\n{jobs}")).unwrap();
    say(&world, &["schedule", "run", "--once"]);
    say(&world, &["schedule", "show"]);
    say(&world, &["scrub"]);
    say(&world, &["status"]);
    say(&world, &["doctor"]);
    say(&world, &["key", "list"]);
    say(&world, &["config", "print"]);
    say(&world, &["provider", "list"]);
    say(&world, &["provider", "test", "memory"]);
    say(&world, &["completions", "bash"]);
    say(&world, &["man"]);
    say(&world, &["man", "--output", "pages"]);
    say(&world, &["demo"]);
    say(&world, &["version"]);
    say(&world, &["key", "rotate", "issuer"]);
    say(&world, &["key", "revoke", "recorder", "--compromised"]);
    say(&world, &["key", "history"]);
    say(&world, &["log", "--all"]);
    // What is lost or altered has documents of its own.
    let key = (world.path("keys/recorder.pem"), world.path("recorder.pem"));
    fs::rename(&key.0, &key.1).unwrap();
    say(&world, &["status"]);
    say(&world, &["key", "list"]);
    fs::rename(&key.1, &key.0).unwrap();
    let pack = world.path("ledger/packs/00000001.pack");
    let mut bytes = fs::read(&pack).unwrap();
    bytes[2_000] ^= 1;
    fs::write(&pack, bytes).unwrap();
    say(&world, &["verify", "--stored"]);
    fs::remove_file(world.path("state/head")).unwrap();
    say(&world, &["doctor"]);
    say(&world, &["verify"]);
    say(&world, &["scrub"]);
    say(&world, &["status"]);
    say(&world, &["repair", "--accept-head"]);
    let lost = World::new();
    say(&lost, &["init"]);
    copy_folder(&lost.path("ledger"), &lost.path("copy"));
    say(&lost, &["save", tape_path("sqlite-crash").to_str().unwrap()]);
    fs::remove_dir_all(lost.path("ledger")).unwrap();
    fs::rename(lost.path("copy"), lost.path("ledger")).unwrap();
    people(&mut say);
    say(&lost, &["succeed", "--into", "second", "--into-state", "second-state", "--into-config", "second-keys"]);
    say(&lost, &["verify"]);
    all.push(serving);
    all.extend(spoken_of_sessions());
    verbs.extend(["record", "tail", "replay"].map(str::to_owned));
    (all, verbs)
}

/// What is said of sessions that happen now, and of tapes that are played again.
fn spoken_of_sessions() -> Vec<Value> {
    let world = World::new();
    let mut all = Vec::new();
    let mut say = |args: &[&str], is_on_error: bool| {
        let output = world.command().args(args).output().unwrap();
        let text = String::from_utf8(if is_on_error { output.stderr } else { output.stdout }).unwrap();
        let documents: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert!(!documents.is_empty(), "{args:?}");
        all.extend(documents.clone());
        documents
    };
    say(&["record", "--json", "--", "sh", "-c", "kill -9 $$"], true);
    let mut command = world.command();
    command.env("IMMUTAPE_CAPTURE_MARK_FRAMES", "1").args([
        "record",
        "--json",
        "--durability",
        "each",
        "--",
        "sh",
        "-c",
    ]);
    command.arg(r#"read a; echo '{"id":1,"result":{}}'; read b"#).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"{\"id\":1,\"method\":\"ping\"}\n").unwrap();
    let custody = (0..500).find_map(|_| {
        let listed = say(&["list", "--json"], false);
        let recording = listed.iter().find(|d| d["type"] == "recording").cloned();
        let Some(custody) = recording.and_then(|d| Some(d["custody"].as_str()?.to_owned())) else {
            std::thread::sleep(std::time::Duration::from_millis(20));
            return None;
        };
        let seen = say(&["tail", "--json", &custody], false);
        let has = |kind: &str| seen.iter().any(|d| d["type"] == kind);
        (has("checkpoint") && has("correlation")).then_some(custody)
    });
    let custody = custody.expect("the recording was to be marked");
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let sealed: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&sealed["type"], &sealed["custody"]), (&"sealed".into(), &custody.into()));
    let id = sealed["tape"].as_str().unwrap().to_owned();
    say(&["tail", "--json", &id], false);
    say(&["show", "--json", "--lanes", &id], false);
    say(&["replay", "--json", "--speed", "0", &id], false);
    say(&["record", "--recover", "--json"], false);
    let path = tape_path("everything-stdio");
    let asked = say(&["save", "--json", path.to_str().unwrap()], false)[0]["tape"].as_str().unwrap().to_owned();
    say(&["show", "--json", "--lanes", &asked], false);
    all.push(sealed);
    all
}

/// A ledger of people, and all that is said of them.
fn people(say: &mut impl FnMut(&World, &[&str]) -> Vec<Value>) {
    let firm = World::new();
    ["ann", "ben", "bot"].into_iter().for_each(|name| firm.key(name));
    let founders = ["--founder", "ann:records-manager=ann.pub", "--founder", "ben:key-custodian=ben.pub"];
    say(&firm, &[&["init", "--profile", "small-firm"][..], &founders].concat());
    let mut by = |who: &str, words: &[&str]| {
        let key = format!("{who}.pem");
        say(&firm, &[words, &["--as", who, "--key", &key]].concat());
    };
    by("ann", &["actor", "add", "bot", "--kind", "agent", "--for", "ben", "--public", "bot.pub"]);
    by("ann", &["actor", "grant", "bot", "reader"]);
    by("ann", &["actor", "grant", "bot", "approver", "--to", "case.txt"]);
    by("ben", &["sign", "case.txt"]);
    by("ben", &["actor", "list"]);
}

#[test]
fn the_page_is_what_every_verb_says() {
    if !openssl_is_there() {
        return;
    }
    let (page, (all, said)) = (page(), spoken());
    let help = World::new().run(["--help"]).out();
    let listed = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap().lines();
    let verbs: BTreeSet<String> = listed
        .filter_map(|l| l.strip_prefix("  ").filter(|l| !l.starts_with(' '))?.split_whitespace().next())
        .map(str::to_owned)
        .filter(|v| v != "help" && !v.is_empty())
        .collect();
    assert!(verbs.len() > 20, "{verbs:?}");
    assert!(verbs.is_subset(&said), "said nothing: {:?}", verbs.difference(&said).collect::<Vec<_>>());

    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for document in &all {
        let name = document["type"].as_str().unwrap();
        let keys = page.get(name).unwrap_or_else(|| panic!("docs/json.md does not name the type {name}: {document}"));
        let mut found = BTreeSet::new();
        paths(document, "", &mut found);
        for path in &found {
            assert!(stands(keys, path), "docs/json.md does not name {path} of {name}: {document}");
        }
        for (key, _) in keys.iter().filter(|(_, always)| **always) {
            let plain = key.trim_end_matches("[]");
            let list = key.split("[].").next().unwrap();
            let is_there = found.iter().any(|p| p == plain || p.starts_with(&format!("{plain}.")));
            let is_empty_list = key.contains("[].")
                && found.contains(list)
                && !found.iter().any(|p| p.starts_with(&format!("{list}[]")));
            assert!(is_there || is_empty_list, "{name} has no {key}: {document}");
        }
        seen.entry(name).or_default().extend(found);
    }
    for name in page.keys() {
        assert!(seen.contains_key(name.as_str()), "no verb said the type {name}");
    }
    // Keys that nobody ever says are no keys. These need a ledger that lost more than this one.
    let rare = [
        "readable",
        "private",
        "aside[]",
        "from_segment",
        "entries",
        "tapes[].tape",
        "tapes[].entry",
        "hint",
        "media_type",
        // A recording that cannot be sealed: `beside_recorders` has one.
        "failed[].custody",
        "failed[].code",
    ];
    let mut unsaid = Vec::new();
    for (name, keys) in &page {
        for key in keys.keys().filter(|key| !rare.contains(&key.as_str())) {
            let front = key.trim_end_matches('*').trim_end_matches("[]").trim_end_matches(".b64");
            if !seen[name.as_str()].iter().any(|p| p.starts_with(front)) {
                unsaid.push(format!("{name}: {key}"));
            }
        }
    }
    assert!(unsaid.is_empty(), "no document had {unsaid:#?}");
}

#[test]
fn a_page_that_is_wrong_fails() {
    let keys: BTreeMap<String, bool> = [("a", true), ("b.c", true), ("d[].e", true), ("f.*", false), ("g[]", true)]
        .into_iter()
        .map(|(key, always)| (key.to_owned(), always))
        .collect();
    for path in ["a", "b.c", "d[].e", "f.anything", "g[]", "g", "d"] {
        assert!(stands(&keys, path), "{path}");
    }
    for path in ["b", "c", "b.x", "d[].x", "h", "a.x"] {
        assert!(!stands(&keys, path), "{path}");
    }
    let mut found = BTreeSet::new();
    paths(&serde_json::json!({ "a": 1, "b": { "c": null, "d": [{ "e": 1 }] }, "n": { "b64": "" } }), "", &mut found);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["a", "b.d", "b.d[].e", "n"]);
}

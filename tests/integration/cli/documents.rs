//! `--json`: every verb speaks documents that parse, with the right values in them. Which keys there are: `json_page`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::world::World;

/// Fields of a document, sorted.
fn fields(v: &Value) -> Vec<&str> {
    v.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_verb() {
    let world = World::new();
    let made = world.run(["init", "--json"]).exits(0).documents();
    assert_eq!((made.len(), made[0]["type"].as_str()), (1, Some("ledger")));
    let tape = world.save("filesystem-payments");
    let id = &tape[..10];

    let listed = world.run(["list", "--json"]).exits(0).documents();
    assert_eq!(listed[0]["type"], "tape");
    assert_eq!(listed[0]["tape"], format!("sha256:{tape}"));
    assert_eq!(
        (&listed[0]["frames"], &listed[0]["errors"], &listed[0]["class"]),
        (&37.into(), &3.into(), &"draft".into())
    );
    assert_eq!((&listed[1]["type"], &listed[1]["tapes"]), (&"recorded".into(), &1.into()));
    let list_entry = listed[1]["entry"].as_u64().unwrap();

    let shown = world.run(["show", id, "--frames", "19..20", "--json"]).exits(0).documents();
    let types: Vec<_> = shown.iter().map(|d| d["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["tape", "frame", "frame", "recorded"]);
    assert_eq!(shown[0]["stats"]["frames"], 37);
    assert_eq!((&shown[1]["seq"], &shown[1]["direction"]), (&19.into(), &"client_to_server".into()));
    assert!(shown[1]["payload"].as_str().unwrap().contains("/etc/passwd"));
    assert_eq!((&shown[3]["frames"], &shown[3]["bytes_given"]), (&2.into(), &293.into()));
    let read_entry = shown[3]["entry"].as_u64().unwrap();

    let log = world.run(["log", "--json", "--all"]).exits(0).documents();
    let entry = |n: u64| log.iter().find(|d| d["index"] == n).unwrap();
    assert_eq!(entry(0)["kind"], "genesis");
    assert_eq!(entry(0)["body"]["test"], false);
    assert_eq!((&entry(list_entry)["kind"], &entry(list_entry)["body"]["count"]), (&"listed".into(), &1.into()));
    let read = entry(read_entry);
    assert_eq!(read["kind"], "access.granted");
    assert_eq!(read["tape"], format!("sha256:{tape}"));
    assert_eq!((&read["frames"]["first"], &read["frames"]["last"]), (&19.into(), &20.into()));
    assert_eq!(read["authenticated"], "os-user, unverified");
    assert_eq!(read["build"].as_str().unwrap().len(), 64);
    let completed = log.iter().find(|d| d["kind"] == "access.completed").unwrap();
    assert_eq!((&completed["body"]["grant"], &completed["bytes_given"]), (&read_entry.into(), &293.into()));
    assert_eq!(log.last().unwrap()["type"], "recorded");
    assert_eq!(log.len() as u64, log.last().unwrap()["entries"].as_u64().unwrap() + 1);

    let custody = world.run(["custody", id, "--json"]).exits(0).documents();
    let last = custody.last().unwrap();
    assert_eq!((&last["type"], &last["unbroken"], &last["links"]), (&"custody".into(), &true.into(), &3.into()));
    assert_eq!(custody[0]["kind"], "tape.saved");

    let report = world.run(["verify", "--json"]).exits(0).documents();
    assert_eq!((report.len(), &report[0]["verdict"], &report[0]["exit"]), (1, &"intact".into(), &0.into()));
    assert!(report[0]["checks"].as_array().unwrap().iter().all(|c| c["wrong"] == 0));
    assert!(report[0]["entry"].is_u64() && report[0]["not_recorded"].is_null());

    let status = world.run(["status", "--json"]).exits(0).documents();
    assert_eq!((&status[0]["state"], &status[0]["classes"][0]["tapes"]), (&"open".into(), &1.into()));
    let limits: Vec<_> = status[0]["limits"].as_array().unwrap().iter().map(|l| l["code"].as_str().unwrap()).collect();
    for code in ["no_witness", "one_key_copy", "next_keys_beside", "draft", "head_window", "clock_unanchored"] {
        assert!(limits.contains(&code), "{code}: {limits:?}");
    }

    let refused = world.run(["delete", id, "--json"]).exits(5).documents();
    assert_eq!(fields(&refused[0]), ["causes", "code", "exit", "hint", "message", "type"]);
    assert_eq!((&refused[0]["code"], &refused[0]["exit"]), (&"E_DISPOSAL_REQUIRED".into(), &5.into()));
    let log = world.run(["log", "--json"]).exits(0).documents();
    let entry = log.iter().find(|d| d["kind"] == "refused").unwrap();
    assert_eq!(entry["body"]["error"], "E_DISPOSAL_REQUIRED");
    assert_eq!((&entry["outcome"], &entry["error"]["code"]), (&"refused".into(), &"E_DISPOSAL_REQUIRED".into()));

    let done = world.run(["repair", "--json"]).exits(0).documents();
    assert_eq!(done[0]["done"], "nothing");
    let version = world.run(["version", "--json"]).exits(0).documents();
    assert_eq!(version[0]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version[0]["build"], read["build"], "entries name the program that wrote them");
}

#[test]
fn saves_and_their_failures_share_the_stream() {
    let world = World::new();
    fs::write(world.path("bad"), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}\n{\"jsonrpc\"").unwrap();
    fs::write(world.path("good"), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}\n").unwrap();
    let did = world.run(["save", "--json", "bad", "good", "bad"]).exits(1);
    assert_eq!(did.stderr, "");
    let all = did.documents();
    let types: Vec<_> = all.iter().map(|d| d["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["error", "saved", "error"]);
    assert_eq!((&all[0]["code"], &all[0]["exit"]), (&"E_TRUNCATED_INPUT".into(), &1.into()));
    assert!(all[0]["message"].as_str().unwrap().starts_with("bad: line 2"));
    assert_eq!((&all[1]["already_kept"], &all[1]["format"]), (&false.into(), &"jsonrpc-lines".into()));
}

#[test]
fn a_check_that_cannot_be_recorded_says_so() {
    let world = World::with_tapes(&["sqlite-crash"]);
    fs::remove_file(world.path("state/head")).unwrap();
    let report = world.run(["verify", "--json"]).exits(3).documents();
    assert_eq!((&report[0]["verdict"], &report[0]["exit"]), (&"missing".into(), &3.into()));
    assert_eq!(report[0]["words"].as_array().unwrap().len(), 1);
    assert_eq!(report[0]["findings"][0]["word"], "missing");
    assert_eq!(report[0]["not_recorded"]["code"], "E_HEAD_MISSING");
    assert!(report[0]["entry"].is_null());
    let status = world.run(["status", "--json"]).exits(3).documents();
    assert_eq!((&status[0]["state"], &status[0]["reason"]["code"]), (&"unusable".into(), &"E_HEAD_MISSING".into()));
}

#[test]
fn recorded_text_is_exact_and_inert() {
    let world = World::new();
    let hostile = "\u{1b}[2J\u{202e}\u{9b}x\u{7f}é";
    let payload = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xe2\x80\xae\",\"p\":\"\\u001b\"}\n";
    fs::write(world.path("in"), payload).unwrap();
    world.run(["save", "--name", hostile, "in"]).exits(0);
    let id = world.run(["list", "--json"]).exits(0);
    let line = id.out().lines().next().unwrap().to_owned();
    assert!(line.is_ascii() || !line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line}");
    let tape = &id.documents()[0];
    assert_eq!(tape["name"], hostile);
    let id = &tape["tape"].as_str().unwrap()[..20];
    let frame = &world.run(["show", id, "--json"]).exits(0).documents()[1];
    assert_eq!(frame["payload"].as_str().unwrap().as_bytes(), &payload[..payload.len() - 1]);
}

#[test]
fn bytes_that_are_no_text_are_base64() {
    use std::os::unix::ffi::OsStrExt as _;
    let world = World::new();
    fs::write(world.path("in"), "{\"jsonrpc\":\"2.0\",\"id\":1}\n").unwrap();
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    world.run(["save".as_ref(), "--name".as_ref(), name, "in".as_ref()]).exits(0);
    assert_eq!(world.run(["list", "--json"]).exits(0).documents()[0]["name"]["b64"], "//4=");
}

#[test]
fn who_signed_is_on_record_as_not_registered() {
    let world = World::with_tapes(&["sqlite-crash"]);
    fs::copy(world.path("keys/next/issuer.pem"), world.path("ann.pem")).unwrap();
    let tape = world.run(["list", "--json"]).exits(0).documents()[0]["tape"].as_str().unwrap().to_owned();
    let args = ["cat", &tape, "--as", "Ann Example", "--key", "ann.pem", "--purpose", "ticket 118", "--json"];
    let did = world.run(args).exits(0);
    let recorded: Value = serde_json::from_str(did.stderr.trim()).unwrap();
    assert_eq!(recorded["type"], "recorded", "cat keeps its documents out of the data");
    let log = world.run(["log", "--json"]).exits(0).documents();
    let entry = log.iter().find(|d| d["index"] == recorded["entry"]).unwrap();
    assert_eq!(
        (&entry["actor"], &entry["authenticated"]),
        (&"Ann Example".into(), &"signed, key not registered".into())
    );
    assert_eq!(entry["purpose"], "ticket 118");
    assert!(entry["person_statement"]["b64"].is_string());

    // The statement holds under the key, for this act on this ledger.
    use base64::Engine as _;
    let text = entry["person_statement"]["b64"].as_str().unwrap();
    let statement = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let key =
        immutape::keyring::read_public_or_signer(&immutape::store::files::RealFiles, &world.path("ann.pem")).unwrap();
    let verdict = immutape::seal::PersonStatement::verify(&statement, &key).unwrap();
    assert_eq!(verdict.statement.action, 32);
    assert_eq!(hex::encode(verdict.statement.subject.as_bytes()), entry["custody"].as_str().unwrap());
    assert_eq!(verdict.key.to_hex(), entry["credential"].as_str().unwrap());
}

#[test]
fn the_manual_names_every_code() {
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating.md")).unwrap();
    for code in immutape::Code::ALL {
        assert!(manual.contains(&format!("`{}`", code.as_str())), "docs/operating.md does not name {}", code.as_str());
    }
}

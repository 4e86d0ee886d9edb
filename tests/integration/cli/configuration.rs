//! What flags, variables and files say of the storage, through the program.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use super::world::{Did, World};
use crate::support::ledgers::tape_path;

/// A home without variables of ours, with a project's and a user's file.
fn home(project: &str, user: &str) -> World {
    let world = World::new();
    fs::create_dir_all(world.path(".config/immutape")).unwrap();
    for (name, text) in [("immutape.toml", project), (".config/immutape/config.toml", user)] {
        if !text.is_empty() {
            fs::write(world.path(name), text).unwrap();
        }
    }
    world
}

fn run(world: &World, variables: &[(&str, &OsStr)], args: &[&str]) -> Did {
    world.at_home().envs(variables.iter().copied()).args(args).output().unwrap().into()
}

/// Value and source that `config print` gives for a key.
#[track_caller]
fn in_force(world: &World, variables: &[(&str, &OsStr)], flags: &[&str], key: &str) -> (String, String) {
    let did = run(world, variables, &[flags, &["config", "get", key, "--json"]].concat()).exits(0);
    let document = did.documents().remove(0);
    let text = |name: &str| document[name].as_str().unwrap().to_owned();
    assert_eq!(text("key"), key);
    (text("value"), text("source"))
}

#[test]
fn flag_before_variable_before_project_before_user_before_default() {
    let table = |class: &str| format!("[recorder.storage.config]\nclass = \"{class}\"\n");
    let (both, user) = (home(&table("project"), &table("user")), home("", &table("user")));
    let variable = [("IMMUTAPE_PROVIDER_CLASS", OsStr::new("variable"))];
    let class =
        |world: &World, variables: &[(&str, &OsStr)], flags: &[&str]| in_force(world, variables, flags, "class");
    let wanted = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    assert_eq!(class(&both, &variable, &["--set", "class=flag"]), wanted("flag", "--set"));
    assert_eq!(class(&both, &variable, &[]), wanted("variable", "$IMMUTAPE_PROVIDER_CLASS"));
    assert_eq!(class(&both, &[], &[]), wanted("project", "immutape.toml:2"));
    let at = format!("{}:2", user.path(".config/immutape/config.toml").display());
    assert_eq!(class(&user, &[], &[]), wanted("user", &at));
    assert_eq!(class(&World::new(), &[], &[]), wanted("draft", "default"));
    // What is printed is what holds: the tape has that class, and a flag of the verb counts before all.
    for (variables, args, wanted) in [
        (&variable[..], &["--set", "class=flag", "save", "a.jsonl"][..], "flag"),
        (&variable, &["save", "a.jsonl"], "variable"),
        (&[], &["save", "a.jsonl"], "project"),
        (&variable, &["--set", "class=flag", "save", "--class", "verb", "a.jsonl"], "verb"),
    ] {
        fs::copy(tape_path("sqlite-crash"), both.path("a.jsonl")).unwrap();
        let did = run(&both, variables, &[&["--json"], args].concat()).exits(0);
        assert_eq!(did.documents()[0]["class"], wanted, "{args:?}");
    }
}

#[test]
fn a_flag_for_a_folder_counts_before_every_other_place() {
    let world = home("[recorder.storage.config]\npath = \"by-file\"\nkeys_path = \"file-keys\"\n", "");
    let variable = [("IMMUTAPE_DIR", OsStr::new("by-variable"))];
    let path = |name: &str| world.path(name).display().to_string();
    let ledger = |variables: &[(&str, &OsStr)], flags: &[&str]| in_force(&world, variables, flags, "ledger");
    assert_eq!(ledger(&variable, &["-C", "by-flag"]), (path("by-flag"), "-C".into()));
    assert_eq!(ledger(&variable, &["--set", "path=by-set"]), (path("by-set"), "--set".into()));
    assert_eq!(ledger(&variable, &[]), (path("by-variable"), "$IMMUTAPE_DIR".into()));
    assert_eq!(ledger(&[], &[]), (path("by-file"), "immutape.toml:2".into()));
    assert_eq!(in_force(&world, &[], &["--config-dir", "k"], "keys"), (path("k"), "--config-dir".into()));
    assert_eq!(in_force(&world, &[], &[], "keys"), (path("file-keys"), "immutape.toml:3".into()));
    // An empty variable is none.
    let empty = [("IMMUTAPE_DIR", OsStr::new("")), ("IMMUTAPE_PROVIDER", OsStr::new(""))];
    assert_eq!(ledger(&empty, &[]).1, "immutape.toml:2");
    assert_eq!(
        ledger(&[], &["-C", "by-flag", "--set", "path=./by-flag"]).1,
        "-C",
        "the same place is no contradiction"
    );
    let did = run(&world, &[], &["-C", "by-flag", "--set", "path=by-set", "list"]).exits(2);
    assert!(did.stderr.contains("-C and --set path disagree about where the ledger folder is"), "{}", did.stderr);
}

#[test]
fn a_folder_need_not_be_text() {
    let world = home("[recorder.storage.config]\npath = \"by-file\"\n", "");
    let odd = OsStr::from_bytes(b"odd\xff");
    let variable = [("IMMUTAPE_DIR", odd)];
    let (value, source) = in_force(&world, &variable, &[], "ledger");
    assert!(value.ends_with("/odd\\xff"), "{value}");
    assert_eq!(source, "$IMMUTAPE_DIR");
    assert_eq!(in_force(&world, &variable, &["--set", "path=by-set"], "ledger").1, "--set");
    assert_eq!(in_force(&world, &variable, &["-C", "by-flag"], "ledger").1, "-C");
    run(&world, &variable, &["-q", "init"]).exits(0);
    assert!(world.path(odd).join("journal").is_dir());
    assert!(!world.path("by-file").exists());
    let two = [("IMMUTAPE_DIR", odd), ("IMMUTAPE_PROVIDER_PATH", OsStr::new("/other"))];
    let did = run(&world, &two, &["list"]).exits(2);
    assert!(did.stderr.contains("IMMUTAPE_DIR and IMMUTAPE_PROVIDER_PATH disagree"), "{}", did.stderr);
    let other = [("IMMUTAPE_PROVIDER_CLASS", odd)];
    assert!(run(&world, &other, &["list"]).exits(2).stderr.contains("IMMUTAPE_PROVIDER_CLASS: its value is not UTF-8"));
}

/// Every verb that opens a ledger, with arguments that it takes.
const OPENING: [&[&str]; 19] = [
    &["init"],
    &["save", "a.jsonl"],
    &["import", "a.jsonl"],
    &["label", "0000", "--name", "n"],
    &["list"],
    &["search", "x"],
    &["stats"],
    &["show", "0000"],
    &["cat", "0000"],
    &["export", "0000", "--to", "json"],
    &["diff", "0000", "1111"],
    &["verify"],
    &["log"],
    &["custody", "0000"],
    &["status"],
    &["repair"],
    &["delete", "0000"],
    &["key", "list"],
    &["config", "print"],
];

#[test]
fn a_wrong_configuration_stops_every_verb_before_anything_is_touched() {
    let table = "[recorder.storage]\n";
    for (text, wanted) in [
        (format!("{table}provder = \"embedded\"\n"), "immutape.toml:2: [recorder.storage] has no key \"provder\""),
        (format!("{table}config = {{ create = \"yes\" }}\n"), "immutape.toml:2: \"create\" takes true or false"),
        (
            format!("{table}provider = \"embedded\"\n[recording.storage]\nprovider = \"memory\"\n"),
            "immutape.toml:3: [recording.storage] and [recorder.storage] (line 1) disagree about the provider",
        ),
        (format!("\n{table}provider = \"memroy\"\n"), "immutape.toml:3: there is no storage provider \"memroy\""),
    ] {
        let world = home(&text, "");
        fs::copy(tape_path("sqlite-crash"), world.path("a.jsonl")).unwrap();
        for args in OPENING {
            let did = run(&world, &[], &[args, &["--json"]].concat()).exits(2);
            let error = did.documents().pop().unwrap();
            assert_eq!(error["code"], "E_USAGE", "{args:?}");
            assert!(error["message"].as_str().unwrap().starts_with(wanted), "{args:?}: {error}");
        }
        // A doctor tells of it among the rest.
        let documents = run(&world, &[], &["doctor", "--json"]).exits(2).documents();
        let found = documents.iter().find(|d| d["part"] == "config").unwrap();
        assert_eq!((found["state"].as_str(), found["code"].as_str()), (Some("wrong"), Some("E_USAGE")));
        assert!(found["words"].as_str().unwrap().starts_with(wanted), "{found}");
        assert!(!world.path(".local").exists(), "{text}");
        // Verbs without a ledger do not ask.
        run(&world, &[], &["version"]).exits(0);
        run(&world, &[], &["provider", "list"]).exits(0);
    }
    let hint = run(&home("[recorder.storage]\nprovider = \"memroy\"\n", ""), &[], &["list"]).exits(2).stderr;
    assert!(hint.contains("did you mean \"memory\"?"), "{hint}");
}

#[test]
fn what_a_ledger_in_memory_would_lose_is_refused() {
    let world = home("[recorder.storage]\nprovider = \"memory\"\n", "");
    fs::copy(tape_path("sqlite-crash"), world.path("a.jsonl")).unwrap();
    for args in OPENING.iter().filter(|args| args[0] != "config") {
        let did = run(&world, &[], args).exits(2);
        assert!(did.stderr.contains("the provider \"memory\" (immutape.toml:2) keeps nothing"), "{}", did.stderr);
        assert!(did.stderr.contains("--provider embedded"), "{}", did.stderr);
    }
    assert!(!world.path(".local").exists());
    run(&world, &[], &["--provider", "embedded", "-q", "save", "a.jsonl"]).exits(0);
    assert!(world.path(".local/share/immutape/default/journal").is_dir());
}

/// A file that somebody else left where one stands must not send evidence to a place of his.
#[test]
fn a_project_file_of_another_user_decides_nothing() {
    let world = home("[recorder.storage.config]\npath = \"his\"\n", "");
    if std::os::unix::fs::chown(world.path("immutape.toml"), Some(54_321), None).is_err() {
        return crate::support::skipped("this user may not give files away, so no file of another user was tried");
    }
    fs::copy(tape_path("sqlite-crash"), world.path("a.jsonl")).unwrap();
    let told = run(&world, &[], &["save", "a.jsonl"]).exits(2).stderr;
    assert!(told.contains("immutape.toml: this configuration file belongs to another user"), "{told}");
    assert!(!world.path("his").exists() && !world.path(".local").exists());
}

/// Nobody's files may change what the demonstration shows.
#[test]
fn the_demonstration_asks_no_configuration() {
    let world = home("[recorder.storage]\nprovider = \"memory\"\n", "[recorder.storage]\npath = 1\n");
    run(&world, &[], &["demo"]).exits(0);
}

/// The text of a file that names a place does not reach a terminal as it is.
#[test]
fn words_of_a_configuration_are_escaped() {
    let world = home("[recorder.storage.config]\n\"\\u001b[2J\" = 1\n", "");
    let told = run(&world, &[], &["list"]).exits(2).stderr;
    assert!(told.contains("has no setting \"\\x1b[2J\"") && !told.contains('\u{1b}'), "{told:?}");
    let world = home("[recorder.storage.config]\nclass = \"\\u001b[2J\\u202e\"\n", "");
    let shown = run(&world, &[], &["config", "print"]).exits(0).out();
    assert!(shown.contains("\\x1b[2J\\u{202e}") && !shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn settings_left_out_are_told() {
    let world = home("[recorder.storage]\nprovider = \"memory\"\nconfig = { testing = true }\n", "");
    let documents = run(&world, &[], &["--provider", "embedded", "config", "print", "--json"]).exits(0).documents();
    let left_out = documents.iter().find(|d| d["key"] == "left_out").unwrap();
    assert_eq!(left_out["value"], "settings beside immutape.toml:2 are for the provider \"memory\"");
}

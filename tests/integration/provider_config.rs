//! Configuration of the storage: what counts before what, and that each mistake is told with its place.

use std::ffi::OsString;
use std::sync::Arc;

use immutape::Code;
use immutape::Error;
use immutape::provider::config::{ConfigFile, Effective, Flags, Others, Sources};
use immutape::provider::{
    MemoryFactory, Setting, SettingKind, StorageProviderFactory, StorageRegistry, Surroundings, TapeRecorder,
    TapeStorageBackend,
};
use serde_json::{Value, json};

fn file(name: &str, text: &str) -> Option<(String, String)> {
    Some((name.into(), text.into()))
}

fn project(text: &str) -> Sources {
    Sources::default().project(file("immutape.toml", text))
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, OsString)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect()
}

fn flags(provider: Option<&str>, settings: &[&str]) -> Flags {
    Flags::default().provider(provider.map(str::to_owned)).settings(settings.iter().map(|s| (*s).to_owned()).collect())
}

fn effective(sources: &Sources) -> Result<Effective, Error> {
    sources.effective(StorageRegistry::global())
}

/// The words of a mistake, which is one of the caller's.
fn mistake(sources: &Sources) -> String {
    let error = effective(sources).unwrap_err();
    assert_eq!(error.code(), Code::Usage, "{error}");
    error.message().to_owned()
}

fn value(e: &Effective, key: &str) -> Option<(Value, String)> {
    e.settings().iter().find(|s| s.key == key).map(|s| (s.value.clone(), s.from.to_string()))
}

#[test]
fn both_tables_of_the_seeds_are_read_in_either_shape() {
    for text in [
        "[recorder.storage]\nprovider = \"filesystem\"\n[recorder.storage.config]\npath = \"/srv/a\"\ncreate = false\n",
        "[recording.storage]\nprovider = \"filesystem\"\nconfig = { path = \"/srv/a\", create = false }\n",
        "recording.storage = { provider = 'filesystem', config.path = '/srv/a', config.create = false }",
        // Both, when they say the same.
        "[recorder.storage]\nprovider = \"filesystem\"\nconfig = { path = \"/srv/a\", create = false }\n\
         [recording.storage]\nprovider = \"filesystem\"\n[recording.storage.config]\ncreate = false\npath = \"/srv/a\"\n",
    ] {
        let e = effective(&project(text)).unwrap();
        assert_eq!(e.provider(), "embedded", "{text}");
        assert_eq!(e.config(), json!({ "path": "/srv/a", "create": false }), "{text}");
    }
    let nothing = effective(&Sources::default()).unwrap();
    assert_eq!((nothing.provider(), nothing.config()), ("embedded", json!({})));
    assert_eq!(nothing.provider_from().to_string(), "default");
    assert_eq!(effective(&project("")).unwrap(), nothing);
}

#[test]
fn each_setting_comes_from_the_first_place_that_gives_it() {
    let all = Sources::default()
        .flags(flags(Some("embedded"), &["path=/flag"]))
        .variables(variables(&[
            ("IMMUTAPE_PROVIDER", "filesystem"),
            ("IMMUTAPE_DIR", "/variable"),
            ("IMMUTAPE_PROVIDER_STATE_PATH", "/variable-state"),
            ("IMMUTAPE_PROVIDER_CONFIG", "{\"create\": false}"),
            ("IMMUTAPE_PURPOSE", "not about this"),
            ("PATH", "/bin"),
        ]))
        .project(file(
            "immutape.toml",
            "[recorder.storage.config]\npath = \"/project\"\nstate_path = \"/p\"\nclass = \"kept\"\n",
        ))
        .user(file("config.toml", "[recording.storage.config]\nclass = \"user\"\nnamespace = \"mine\"\n"));
    let e = effective(&all).unwrap();
    assert_eq!(e.provider_from().to_string(), "--provider");
    for (key, wanted, from) in [
        ("path", json!("/flag"), "--set"),
        ("state_path", json!("/variable-state"), "IMMUTAPE_PROVIDER_STATE_PATH"),
        ("create", json!(false), "IMMUTAPE_PROVIDER_CONFIG"),
        ("class", json!("kept"), "immutape.toml:4"),
        ("namespace", json!("mine"), "config.toml:3"),
    ] {
        assert_eq!(value(&e, key), Some((wanted, from.to_owned())), "{key}");
    }
    assert_eq!(value(&e, "keys_path"), None);
    // One place less each time: the next one counts.
    let without_flags = all.clone().flags(Flags::default());
    let e = effective(&without_flags).unwrap();
    assert_eq!(value(&e, "path"), Some((json!("/variable"), "IMMUTAPE_DIR".into())));
    assert_eq!(e.provider_from().to_string(), "IMMUTAPE_PROVIDER");
    let e = effective(&without_flags.variables(Vec::new())).unwrap();
    assert_eq!(value(&e, "path"), Some((json!("/project"), "immutape.toml:2".into())));
    let e = effective(&Sources::default().user(all.user)).unwrap();
    assert_eq!(value(&e, "class"), Some((json!("user"), "config.toml:2".into())));
}

#[test]
fn settings_for_another_provider_are_left_out_and_that_is_said() {
    let sources = Sources::default()
        .flags(flags(Some("memory"), &["testing=yes"]))
        .variables(variables(&[("IMMUTAPE_DIR", "/x")]))
        .project(file("immutape.toml", "[recorder.storage]\nprovider = \"embedded\"\nconfig = { path = \"/p\" }\n"))
        .user(file("config.toml", "[recorder.storage]\nprovider = \"of-a-plugin\"\nconfig = { whatever = 1 }\n"));
    let e = effective(&sources).unwrap();
    assert_eq!((e.provider(), e.config()), ("memory", json!({ "testing": true })));
    let shown = e.to_string();
    assert!(
        shown.contains("# left out: settings beside immutape.toml:2 are for the provider \"embedded\"\n"),
        "{shown}"
    );
    assert!(shown.contains("config.toml:2 are for the provider \"of-a-plugin\""), "{shown}");
    assert!(!shown.contains("/p"), "{shown}");
    let variables = variables(&[
        ("IMMUTAPE_PROVIDER", "embedded"),
        ("IMMUTAPE_PROVIDER_PATH", "/v"),
        ("IMMUTAPE_PROVIDER_CONFIG", "{\"path\": \"/v\"}"),
    ]);
    let e = effective(&Sources::default().flags(flags(Some("memory"), &[])).variables(variables)).unwrap();
    assert_eq!(e.config(), json!({}));
}

#[test]
fn mistakes_in_a_file_are_told_with_their_line() {
    for (text, wanted) in [
        ("[recorder.storage]\nprovder = \"embedded\"\n", "immutape.toml:2: [recorder.storage] has no key \"provder\""),
        (
            "\n\n[recoder.storage]\nprovider = \"embedded\"\n",
            "immutape.toml:3: a configuration file has no key \"recoder\"",
        ),
        ("[recorder]\nstore = 1\n", "immutape.toml:2: [recorder] has no key \"store\""),
        (
            "[recorder.storage.config]\n# where\npth = \"/a\"\n",
            "immutape.toml:3: the provider \"embedded\" has no setting \"pth\"; did you mean \"path\"?",
        ),
        (
            "[recorder.storage]\nprovider = 7\n",
            "immutape.toml:2: [recorder.storage] provider takes a name in quotation marks, not a value of the type integer",
        ),
        (
            "[recorder]\nstorage = \"embedded\"\n",
            "immutape.toml:2: [recorder.storage] takes a table, not a value of the type string",
        ),
        ("recorder = []\n", "immutape.toml:1: [recorder] takes a table, not a value of the type array"),
        (
            "[recording.storage]\nprovider = \"embedded\"\nconfig = \"/a\"\n",
            "immutape.toml:3: [recording.storage] config takes a table, not a value of the type string",
        ),
        ("[recorder.storage.config]\npath = 7\n", "immutape.toml:2: \"path\" takes a path in quotation marks, not 7"),
        (
            "[recorder.storage.config]\ncreate = \"yes\"\n",
            "immutape.toml:2: \"create\" takes true or false, not \"yes\"",
        ),
        (
            "[recorder.storage.config]\n\npath = \"\"\n",
            "immutape.toml:3: \"path\" takes a path in quotation marks, not an empty text",
        ),
        (
            "[recorder.storage.config]\nclass = { a = 2026-11-20 }\n",
            "immutape.toml:2: \"class\" takes text in quotation marks, not {\"a\":\"2026-11-20\"}",
        ),
        ("[recorder.storage.config]\nname = 1.5\n", "immutape.toml:2: \"name\" takes text in quotation marks, not 1.5"),
        (
            "[recorder.storage.config]\nname = 99999999999999999999\n",
            "immutape.toml:2: this number is not one of 64 bits",
        ),
        ("[recorder.storage]\nprovider = \"embedded\"\n[recorder.storage]\n", "immutape.toml:3: this is no TOML: "),
        ("[recorder.storage]\nprovider = embedded\n", "immutape.toml:2: this is no TOML: "),
        ("[recorder.storage\n", "immutape.toml:1: this is no TOML: "),
        ("\n\u{0}\n", "immutape.toml:2: this is no TOML: "),
    ] {
        let told = mistake(&project(text));
        assert!(told.starts_with(wanted), "{text:?}\n{told}\n{wanted}");
    }
    // The place is that of the file that is wrong, also when another decides.
    let sources = Sources::default()
        .flags(flags(None, &["path=/a"]))
        .user(file("~/config\u{1b}.toml", "[recorder.storage.config]\npath = 1\n"));
    assert!(mistake(&sources).starts_with("~/config\\x1b.toml:2: \"path\" takes"), "{}", mistake(&sources));
}

#[test]
fn two_tables_that_disagree_are_refused_with_both_lines() {
    let both = |first: &str, second: &str| format!("[recorder.storage]\n{first}\n\n[recording.storage]\n{second}\n");
    let told = mistake(&project(&both("provider = \"embedded\"", "provider = \"memory\"")));
    assert_eq!(
        told,
        "immutape.toml:4: [recording.storage] and [recorder.storage] (line 1) disagree about the provider"
    );
    let told = mistake(&project(&both("provider = \"memory\"", "config = { testing = true }")));
    assert!(told.ends_with("disagree about the provider"), "{told}");
    let told = mistake(&project(&both(
        "config = { path = \"/a\", create = true }",
        "config = { create = true, path = \"/b\" }",
    )));
    assert!(told.ends_with("disagree about \"path\""), "{told}");
    let told = mistake(&project(&both("config = { path = \"/a\" }", "config = {}")));
    assert!(told.ends_with("disagree about \"path\""), "{told}");
}

#[test]
fn a_provider_that_is_not_there_is_told_with_the_place_that_names_it() {
    let error = effective(&project("\n[recorder.storage]\nprovider = \"embeded\"\n")).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert_eq!(error.message(), "immutape.toml:3: there is no storage provider \"embeded\"");
    assert!(error.hint().unwrap().starts_with("did you mean \"embedded\"?"));
    let variables = variables(&[("IMMUTAPE_PROVIDER", "s3")]);
    let error = effective(&Sources::default().variables(variables)).unwrap_err();
    assert_eq!(error.message(), "IMMUTAPE_PROVIDER: there is no storage provider \"s3\"");
    let error = effective(&Sources::default().flags(flags(Some(""), &[]))).unwrap_err();
    assert_eq!(error.message(), "--provider: there is no storage provider \"\"");
}

#[test]
fn mistakes_in_flags_and_variables_are_told_by_their_name() {
    for (given, wanted) in [
        (&["path"][..], "--set: \"path\" is no KEY=VALUE"),
        (&["=x"], "--set: the provider \"embedded\" has no setting \"\""),
        (&["pth=/a"], "--set: the provider \"embedded\" has no setting \"pth\"; did you mean \"path\"?"),
        (&["path="], "--set: \"path\" takes a path in quotation marks, not an empty text"),
        (&["create=maybe"], "--set: \"create\" takes true or false, not \"maybe\""),
        (&["path=/a", "path=/b"], "--set: \"path\" is there twice, and only one of them can be meant"),
    ] {
        let told = mistake(&Sources::default().flags(flags(None, given)));
        assert!(told.starts_with(wanted), "{told}");
    }
    for (given, wanted) in [
        (
            &[("IMMUTAPE_PROVIDER_PTH", "/a")][..],
            "IMMUTAPE_PROVIDER_PTH: the provider \"embedded\" has no such setting",
        ),
        (&[("IMMUTAPE_PROVIDER_CREATE", "x")], "IMMUTAPE_PROVIDER_CREATE: \"create\" takes true or false, not \"x\""),
        (
            &[("IMMUTAPE_PROVIDER_CONFIG", "{path: 1}")],
            "IMMUTAPE_PROVIDER_CONFIG: this is no JSON object with settings",
        ),
        (&[("IMMUTAPE_PROVIDER_CONFIG", "[]")], "IMMUTAPE_PROVIDER_CONFIG: this is no JSON object with settings"),
        (
            &[("IMMUTAPE_PROVIDER_CONFIG", "{\"pth\": 1}")],
            "IMMUTAPE_PROVIDER_CONFIG: the provider \"embedded\" has no setting \"pth\"",
        ),
        (
            &[("IMMUTAPE_PROVIDER_PATH", "/a"), ("IMMUTAPE_DIR", "/b")],
            "IMMUTAPE_PROVIDER_PATH and IMMUTAPE_DIR disagree about \"path\"",
        ),
        (
            &[("IMMUTAPE_PROVIDER_CONFIG", "{\"path\": \"/a\"}"), ("IMMUTAPE_DIR", "/b")],
            "IMMUTAPE_PROVIDER_CONFIG and IMMUTAPE_DIR disagree about \"path\"",
        ),
    ] {
        let told = mistake(&Sources::default().variables(variables(given)));
        assert!(told.starts_with(wanted), "{told}");
    }
    use std::os::unix::ffi::OsStringExt as _;
    let no_text = vec![("IMMUTAPE_PROVIDER".to_owned(), OsString::from_vec(vec![0xff]))];
    assert_eq!(mistake(&Sources::default().variables(no_text)), "IMMUTAPE_PROVIDER: its value is not UTF-8");
    // An empty one counts as absent, as everywhere.
    let variables = variables(&[("IMMUTAPE_PROVIDER", ""), ("IMMUTAPE_PROVIDER_PATH", "")]);
    assert_eq!(effective(&Sources::default().variables(variables)).unwrap().config(), json!({}));
}

#[test]
fn the_printed_configuration_means_the_same_when_it_is_read() {
    let path = "/a \"b\"\\\u{202e}\u{7}";
    let config = json!({ "path": path, "create": true, "class": "kept" });
    let variables = variables(&[("IMMUTAPE_PROVIDER_CONFIG", &config.to_string())]);
    let e = effective(&Sources::default().variables(variables)).unwrap();
    let shown = e.to_string();
    assert!(!shown.contains('\u{202e}') && !shown.contains('\u{7}'), "{shown:?}");
    assert!(shown.contains("# keys_path: $XDG_CONFIG_HOME/immutape/<ledger id> # default\n"), "{shown}");
    let again = effective(&project(&shown)).unwrap();
    assert_eq!((again.provider(), again.config()), ("embedded", config));
    let json = e.to_json();
    assert_eq!(json["provider"], "embedded");
    assert_eq!(json["from"], "default");
    assert_eq!(json["settings"]["path"], json!({ "value": path, "from": "IMMUTAPE_PROVIDER_CONFIG" }));
    let default = json!({ "value": null, "from": "default", "default": "default" });
    assert_eq!(json["settings"]["namespace"], default);
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["from", "left_out", "provider", "settings", "version", "warnings"]);
}

struct Secretive;

const SECRETS: &[Setting] = &[
    Setting::new("token", SettingKind::Text, "who asks").secret(),
    Setting::new("room", SettingKind::Count(1, 10), "how much"),
];

impl StorageProviderFactory for Secretive {
    fn name(&self) -> &str {
        "secretive"
    }
    fn version(&self) -> &str {
        "1.0.0"
    }
    fn about(&self) -> &str {
        "has a secret"
    }
    fn settings(&self) -> &[Setting] {
        SECRETS
    }
    fn create(&self, _config: &Value, around: &Surroundings) -> Result<Box<dyn TapeStorageBackend>, Error> {
        MemoryFactory.create(&Value::Null, around)
    }
}

#[test]
fn a_secret_is_never_shown() {
    let registry = StorageRegistry::over_global();
    registry.register(Arc::new(Secretive)).unwrap();
    let text = "[recorder.storage]\nprovider = \"secretive\"\nconfig = { token = \"hunter2\", room = 7 }\n";
    let e = project(text).effective(&registry).unwrap();
    assert_eq!(e.config()["token"], "hunter2");
    let shown = format!("{e}{}", e.to_json());
    assert!(shown.contains("token is given and not shown") && !shown.contains("hunter2"), "{shown}");
    let wrong = project(&text.replace("\"hunter2\"", "31337")).effective(&registry).unwrap_err();
    assert!(!format!("{wrong:?}").contains("31337"), "{wrong:?}");
    let room = project(&text.replace('7', "70")).effective(&registry).unwrap_err();
    assert_eq!(room.message(), "immutape.toml:3: \"room\" takes a whole number from 1 to 10, not 70");
    let builder = TapeRecorder::builder().with_configuration(&e);
    assert!(!format!("{builder:?}").contains("hunter2"));
}

#[test]
fn a_program_may_keep_our_tables_in_a_file_of_its_own() {
    let text = "[desk]\ngreeting = 1\n[recorder]\nother = 2\n[recorder.storage]\nprovider = \"memory\"\n";
    let own = ConfigFile::new("desk.toml", text);
    assert_eq!(own.layer(Others::Ignore).unwrap().provider.unwrap().0, "memory");
    assert!(own.layer(Others::Refuse).unwrap_err().message().starts_with("desk.toml:1:"));
    // Within our table a mistake is a mistake all the same.
    let wrong = ConfigFile::new("desk.toml", "[recorder.storage]\nprovder = \"memory\"\n");
    assert!(wrong.layer(Others::Ignore).is_err());
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let around = Surroundings::of_process().unwrap().config_base(Some(folder.path().into()));
    let user = || Sources::of_process(&around, Flags::default()).map(|sources| sources.user);
    assert_eq!(user().unwrap(), None);
    let path = folder.path().join("config.toml");
    std::fs::write(&path, "[recorder.storage]\nprovider = \"memory\"\n").unwrap();
    assert!(user().unwrap().unwrap().1.contains("memory"));
    std::fs::write(&path, b"\xff\xfe").unwrap();
    assert!(user().unwrap_err().message().contains("config.toml: this configuration file is not UTF-8 text"));
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(user().unwrap_err().message().contains("cannot be read"));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(user().unwrap_err().code(), Code::Usage);
}

#[test]
fn a_path_in_the_users_file_depends_on_no_folder() {
    let text = "[recorder.storage.config]\nkeys_path = \"keys\"\nclass = \"no path\"\n";
    let user = |text: &str| Sources::default().user(file("config.toml", text));
    assert_eq!(
        mistake(&user(text)),
        "config.toml:2: \"keys_path\" must begin with / here, since this file is read in every folder"
    );
    assert_eq!(effective(&user(&text.replace("\"keys\"", "\"/keys\""))).unwrap().config()["keys_path"], "/keys");
    // A project's file is read in its own folder alone.
    assert_eq!(effective(&project(text)).unwrap().config()["keys_path"], "keys");
    // What is for another provider is not looked at.
    let other = format!("recorder.storage.provider = \"of-a-plugin\"\n{text}");
    let flags = flags(Some("embedded"), &[]);
    assert_eq!(effective(&user(&other).flags(flags)).unwrap().config(), json!({}));
}

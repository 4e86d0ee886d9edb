//! The auditor's program beside the ledger's own check, where there is a Python to run it.
//!
//! Every edit goes through both. One Python process (`auditor_many.py`) checks one folder after another, for starting it
//! takes longer than a check; a share of the edits goes through the program itself as well, which must answer the same.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use immutape::keyring::read_public_or_signer;
use immutape::store::files::RealFiles;

use super::base::Base;
use crate::support::needed;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/audit-tools/python");
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/audit-tools/python/tapeaudit.py");
const RUST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/audit-tools/rust/target/release/tapeaudit");
const MANY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/integration/support/tamper/auditor_many.py");

/// Does the program, started for itself, see this case as well? Each fortieth; all of them when
/// `IMMUTAPE_TAMPER_AUDITOR` is `all`.
fn is_started_for(case: &str) -> bool {
    let share = if std::env::var("IMMUTAPE_TAMPER_AUDITOR").is_ok_and(|v| v == "all") { 1 } else { 40 };
    case.bytes().fold(7u32, |n, b| n.wrapping_mul(31).wrapping_add(u32::from(b))).is_multiple_of(share)
}

/// The interpreter itself: a shim in front of it doubles the time of a short run.
fn python() -> &'static str {
    if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" }
}

/// Is there a `python3`, and the program?
pub fn is_here() -> bool {
    static HERE: OnceLock<bool> = OnceLock::new();
    *HERE.get_or_init(|| {
        let python = Command::new(python()).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        Path::new(PROGRAM).exists() && python.is_ok_and(|status| status.success())
    })
}

/// Runs it on the folders beneath `root` with the base's keys pinned; its exit code, and its last line, which begins with its word.
/// `case` decides whether the program is started for itself, too.
pub fn run(root: &Path, base: &Base, case: &str) -> Option<(i32, String)> {
    is_here().then(|| {
        let arguments = arguments(root, &keys(&base.root), None);
        let (exit, word) = one_of_many(&arguments);
        if is_started_for(case) {
            assert_eq!(by_itself(&arguments), exit, "{case}: the program, started for itself, answers otherwise");
        }
        (exit, word)
    })
}

/// With these keys pinned, in hexadecimal.
pub fn exit_code(root: &Path, pins: &[String]) -> i32 {
    by_itself(&arguments(root, pins, None))
}

/// With a head that somebody kept, too.
pub fn exit_code_with_head(root: &Path, pins: &[String], head: &Path) -> i32 {
    by_itself(&arguments(root, pins, Some(head)))
}

fn arguments(root: &Path, pins: &[String], head: Option<&Path>) -> Vec<String> {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut out = vec!["--state".to_owned(), text(&root.join("state"))];
    for pin in pins {
        out.extend(["--pub".to_owned(), pin.clone()]);
    }
    if let Some(head) = head {
        out.extend(["--head".to_owned(), text(head)]);
    }
    out.push(text(&root.join("ledger")));
    assert!(out.iter().all(|word| !word.contains(['\t', '\n'])));
    out
}

/// Exit code and every word of it.
pub fn said(root: &Path, pins: &[String]) -> (i32, String) {
    said_by_itself(&arguments(root, pins, None))
}

fn by_itself(arguments: &[String]) -> i32 {
    said_by_itself(arguments).0
}

fn said_by_itself(arguments: &[String]) -> (i32, String) {
    let output = Command::new(python()).arg(PROGRAM).args(arguments).output().unwrap();
    show(&output.stdout);
    show(&output.stderr);
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn show(said: &[u8]) {
    if std::env::var_os("IMMUTAPE_TAMPER_SHOW").is_some() {
        eprintln!("{}", String::from_utf8_lossy(said));
    }
}

/// A process that checks many folders; it ends when nobody can write to it any more, which is when the tests end.
struct Many {
    _process: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

type Idle = Mutex<Vec<Many>>;

/// Asks a process that waits, or a new one.
fn with<A>(idle: &Idle, start: impl FnOnce() -> Many, ask: impl FnOnce(&mut Many) -> A) -> A {
    let idle = || idle.lock().unwrap_or_else(PoisonError::into_inner);
    let waiting = idle().pop();
    let mut many = waiting.unwrap_or_else(start);
    let said = ask(&mut many);
    idle().push(many);
    said
}

fn one_of_many(arguments: &[String]) -> (i32, String) {
    static IDLE: Idle = Mutex::new(Vec::new());
    let start = || Many::start(Command::new(python()).args([MANY, FOLDER]));
    with(&IDLE, start, |many| many.ask(arguments))
}

/// Is the auditor in Rust built? Where CI is set it has to be.
fn is_second_here() -> bool {
    static HERE: OnceLock<bool> = OnceLock::new();
    *HERE.get_or_init(|| Path::new(RUST).exists() || needed("the auditor in Rust is not built"))
}

/// The keys of a ledger whose folders are beneath `root`, in hexadecimal.
pub fn keys(root: &Path) -> [String; 2] {
    ["checkpoint.pem", "recorder.pem"].map(|name| key(&root.join("config").join(name)))
}

/// Exit code and word of the auditor in Rust, where it was built.
pub fn second(root: &Path, pins: &[String]) -> Option<(i32, String)> {
    static IDLE: Idle = Mutex::new(Vec::new());
    let (ledger, state) = (root.join("ledger"), root.join("state"));
    let request = serde_json::json!({ "n": 0, "kind": "ledger", "path": ledger, "state": state, "pub": pins });
    is_second_here().then(|| {
        let start = || Many::start(Command::new(RUST).arg("--batch"));
        let line = with(&IDLE, start, |many| many.line(&request.to_string()));
        let said: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        show(line.as_bytes());
        let exit = i32::try_from(said["exit"].as_i64().expect("an exit code")).unwrap();
        (exit, said["verdict"].as_str().expect("a word").to_owned())
    })
}

impl Many {
    fn start(command: &mut Command) -> Self {
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the auditor's process starts");
        let (ask, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { _process: process, ask, answers: BufReader::new(answers) }
    }

    fn line(&mut self, request: &str) -> String {
        writeln!(self.ask, "{request}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line
    }

    fn ask(&mut self, arguments: &[String]) -> (i32, String) {
        let line = self.line(&arguments.join("\t"));
        let (exit, bytes) = line.trim_end().split_once(' ').expect("the auditor's process answers");
        let mut said = vec![0; bytes.parse().unwrap()];
        self.answers.read_exact(&mut said).unwrap();
        show(&said);
        let said = String::from_utf8_lossy(&said).into_owned();
        (exit.parse().unwrap(), said.lines().last().unwrap_or_default().to_owned())
    }
}

/// The public half of a key file, in hexadecimal.
pub fn key(path: &Path) -> String {
    hex::encode(read_public_or_signer(&RealFiles, path).unwrap().to_bytes())
}

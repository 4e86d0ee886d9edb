//! The auditor's program beside the ledger's own check, where there is a Python to run it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use immutape::keyring::read_public_or_signer;
use immutape::store::files::RealFiles;

use super::base::Base;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/audit-tools/python/tapeaudit.py");

/// Every edit goes through the ledger's own check; the auditor's program, which takes a second to start and read
/// everything, sees each sixth of them here and all of them when `IMMUTAPE_TAMPER_AUDITOR` is `all`.
pub fn takes(case: &str) -> bool {
    let share = if takes_all() { 1 } else { 6 };
    case.bytes().fold(7u32, |n, b| n.wrapping_mul(31).wrapping_add(u32::from(b))).is_multiple_of(share)
}

/// Was the auditor's program asked to see every edit?
pub fn takes_all() -> bool {
    std::env::var("IMMUTAPE_TAMPER_AUDITOR").is_ok_and(|v| v == "all")
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

/// Runs it on the folders beneath `root` with the base's keys pinned; its exit code.
pub fn run(root: &Path, base: &Base) -> Option<i32> {
    is_here().then(|| {
        let keys = ["checkpoint.pem", "recorder.pem"].map(|name| key(&base.root.join("config").join(name)));
        exit_code(root, &keys)
    })
}

/// With these keys pinned, in hexadecimal.
pub fn exit_code(root: &Path, pins: &[String]) -> i32 {
    exit_of(root, pins, None)
}

/// With a head that somebody kept, too.
pub fn exit_code_with_head(root: &Path, pins: &[String], head: &Path) -> i32 {
    exit_of(root, pins, Some(head))
}

fn exit_of(root: &Path, pins: &[String], head: Option<&Path>) -> i32 {
    let mut command = Command::new(python());
    command.arg(PROGRAM).arg("--state").arg(root.join("state"));
    for pin in pins {
        command.arg("--pub").arg(pin);
    }
    if let Some(head) = head {
        command.arg("--head").arg(head);
    }
    let output = command.arg(root.join("ledger")).output().unwrap();
    if std::env::var_os("IMMUTAPE_TAMPER_SHOW").is_some() {
        eprintln!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    output.status.code().unwrap_or(-1)
}

/// The public half of a key file, in hexadecimal.
pub fn key(path: &Path) -> String {
    hex::encode(read_public_or_signer(&RealFiles, path).unwrap().to_bytes())
}

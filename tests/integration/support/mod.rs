//! Shared helpers of the integration tests.

pub mod crash;
pub mod evidence;
pub mod failing;
pub mod journals;
pub mod ledgers;
pub mod power;
pub mod recordings;
pub mod sim_files;
pub mod spools;
pub mod tamper;
pub mod time_authority;

/// Says how many trials each sweep makes instead of its own number: for long runs.
pub const TRIALS_VARIABLE: &str = "IMMUTAPE_TEST_TRIALS";

/// Names the file that takes a line for each thing a run did not try.
pub const SKIPS_VARIABLE: &str = "IMMUTAPE_SKIPS";

/// Says what this test does not try on this machine, and why: to who counts, or on the output.
pub fn skipped(why: &str) {
    let line = format!("{}: {why}\n", std::thread::current().name().unwrap_or("a test"));
    match std::env::var_os(SKIPS_VARIABLE) {
        Some(file) => append(std::path::Path::new(&file), &line),
        None => print!("skipped: {line}"),
    }
}

/// Names the setting of a run that may leave nothing out of what needs real software.
pub const CI_VARIABLE: &str = "CI";

/// Real software that a whole run needs is not there: in CI that is a failure, elsewhere it is left out, and false.
pub fn needed(why: &str) -> bool {
    fails_in_ci(why, std::env::var_os(CI_VARIABLE).as_deref());
    skipped(why);
    false
}

fn fails_in_ci(why: &str, set: Option<&std::ffi::OsStr>) {
    assert!(set.is_none_or(std::ffi::OsStr::is_empty), "a run in CI leaves nothing out: {why}");
}

#[test]
fn what_needs_real_software_may_be_left_out_anywhere_but_in_ci() {
    fails_in_ci("nothing is set", None);
    fails_in_ci("nothing is said", Some("".as_ref()));
    assert!(std::panic::catch_unwind(|| fails_in_ci("it is not there", Some("1".as_ref()))).is_err());
}

/// One write for a line, so that tests beside each other do not mix theirs.
fn append(file: &std::path::Path, line: &str) {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

/// How many trials to make where nothing else is said.
pub fn trials(usual: u64) -> u64 {
    std::env::var(TRIALS_VARIABLE).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

#[test]
fn what_is_skipped_is_added_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("skips");
    append(&file, "one\n");
    append(&file, "two\n");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "one\ntwo\n");
}

/// A test that leaves something out by itself would not be counted.
#[test]
fn nothing_is_skipped_but_through_the_one_helper() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("support/mod.rs") {
                seen += 1;
                let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
                let prints = text.lines().filter(|line| line.contains("print") && line.contains("skipped"));
                assert_eq!(prints.collect::<Vec<_>>(), [""; 0], "{}", path.display());
            }
        }
    }
    assert!(seen > 60);
}

/// Tests that were started by `nohup` ignore a signal, and so does whatever they start.
pub fn is_heeded(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0) >> (signal - 1) & 1 == 0
}

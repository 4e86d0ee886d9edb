//! A program that was written with plain files passes its own tests with a ledger, by one line of its configuration.

use std::path::Path;

use immutape::evidence::Verdict;
use immutape::ledger::{CheckOptions, Checker, Places};
use immutape::provider::Surroundings;

use crate::support::ledgers::real;

fn configuration(folder: &Path, provider: &str) -> String {
    format!(
        "# The help desk.\n[desk]\ngreeting = \"Good morning\"\n\n[recorder.storage]\nprovider = \"{provider}\"\n\n\
         [recorder.storage.config]\npath = \"{}\"\n",
        folder.join("tapes").display()
    )
}

/// A machine with an empty home.
fn home(folder: &Path) -> Surroundings {
    let base = |name: &str| Some(folder.join(name));
    let (data_base, state_base, config_base) = (base("data"), base("state"), base("config"));
    Surroundings::of_process().unwrap().data_base(data_base).state_base(state_base).config_base(config_base)
}

/// What each backend leaves in the folder of the tapes.
fn left(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder.join("tapes")).unwrap();
    let mut names: Vec<String> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_program_and_its_own_tests_run_on_plain_files_and_on_a_ledger() {
    let mut said = Vec::new();
    for provider in ["plain-files", "embedded"] {
        let folder = tempfile::tempdir().unwrap();
        sample_program::own_tests::all(&configuration(folder.path(), provider), &home(folder.path())).await;
        let is_ledger = provider == "embedded";
        assert_eq!(left(folder.path()).contains(&"journal".to_owned()), is_ledger, "{:?}", left(folder.path()));
        assert_eq!(left(folder.path()).iter().filter(|n| n.ends_with(".tape")).count(), if is_ledger { 0 } else { 3 });

        let folder = tempfile::tempdir().unwrap();
        let mut out = Vec::new();
        sample_program::run(&configuration(folder.path(), provider), home(folder.path()), &mut out).await.unwrap();
        said.push(String::from_utf8(out).unwrap());
        if is_ledger {
            check(folder.path());
        }
    }
    assert_eq!(said[0], said[1]);
    assert_eq!(said[0], "2 calls, 6 messages\nMs Ito was told: Until six. No.\n");
}

/// One line of the configuration is all that differs.
#[test]
fn the_two_configurations_differ_in_one_line() {
    let (plain, ledger) = (configuration(Path::new("/a"), "plain-files"), configuration(Path::new("/a"), "embedded"));
    assert_eq!(plain.lines().count(), ledger.lines().count());
    let differ: Vec<_> = plain.lines().zip(ledger.lines()).filter(|(a, b)| a != b).collect();
    assert_eq!(differ, [("provider = \"plain-files\"", "provider = \"embedded\"")]);
}

/// What the program recorded without knowing it.
fn check(folder: &Path) {
    let places = Places::new(folder.join("tapes"))
        .state_base(Some(folder.join("state")))
        .config_base(Some(folder.join("config")));
    let checker = Checker::open(&places, &real()).unwrap();
    let report = checker.run(&CheckOptions::default());
    assert_eq!(report.verdict(), Verdict::Intact, "{:#?}", report.findings);
    // Entry 0, two starts and stops, two tapes, a count, a search, a read and its end.
    let (size, _) = checker.survey().unwrap();
    assert!(size >= 10, "{size} entries");
}

//! Somebody without the manual: every verb and flag of the command line's own definition, typed right, wrong and empty.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::{Arg, Command, CommandFactory as _};

use super::args::Cli;
use super::out::Out;
use super::run::{execute, meant, parse};
use super::terminal::Look;

/// Where help texts are broken; a line that was written longer looks torn.
const HELP_COLUMNS: usize = 100;

fn definition() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// Every verb with its words, those that stand beneath another one too, but for `help`.
fn verbs(command: &Command, words: &[String], out: &mut Vec<(Vec<String>, Command)>) {
    for verb in command.get_subcommands().filter(|v| v.get_name() != "help") {
        let words = [words, &[verb.get_name().to_owned()]].concat();
        verbs(verb, &words, out);
        out.push((words, verb.clone()));
    }
}

fn all() -> Vec<(Vec<String>, Command)> {
    let mut all = Vec::new();
    verbs(&definition(), &[], &mut all);
    assert!(all.len() > 26, "{}", all.len());
    all
}

/// A ledger with a tape, and files to give.
struct Home {
    folder: tempfile::TempDir,
    id: String,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
        std::fs::write(folder.path().join("in"), line).unwrap();
        std::fs::write(folder.path().join("policy"), "quorum none\n").unwrap();
        let mut home = Self { folder, id: String::new() };
        let file = home.path("in");
        let (exit, said) = home.run(&["-q", "save", &file]);
        assert_eq!(exit, 0, "{said}");
        home.id = said.trim().strip_prefix("sha256:").unwrap().to_owned();
        home
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Exit code and all that was said.
    fn run(&self, words: &[&str]) -> (u8, String) {
        let typed = ["immutape"].into_iter().chain(words.iter().copied()).map(OsString::from).collect();
        let mut cli = match parse(typed) {
            Ok(cli) => cli,
            Err(e) => return (u8::try_from(e.exit_code()).unwrap(), format!("{}{}", e.render(), meant(&e))),
        };
        let place = |given: &mut Option<PathBuf>, name: &str| {
            given.get_or_insert_with(|| Path::new(&self.path(name)).to_owned());
        };
        place(&mut cli.common.dir, "ledger");
        place(&mut cli.common.state_dir, "state");
        place(&mut cli.common.config_dir, "keys");
        let said = Rc::new(RefCell::new(Vec::new()));
        let sink = || Box::new(Sink(said.clone()));
        let mut out = Out::new(sink(), sink(), Look { colour: false, columns: None, terminal: false, words: None });
        (out.json, out.quiet) = (cli.common.json, cli.common.quiet);
        let exit = execute(&mut out, &cli);
        drop(out);
        let said = String::from_utf8(said.borrow().clone()).unwrap();
        (exit, said)
    }

    /// What a verb needs, so that it is a command line that can be run.
    fn sample(&self, words: &[String], argument: &Arg) -> Option<Vec<String>> {
        let id = argument.get_id().as_str();
        let value = match (words[0].as_str(), id) {
            (_, "id" | "a" | "b") => self.id.clone(),
            (_, "files" | "paths") => self.path("in"),
            ("search", "words") => "ping".into(),
            ("export", "to") => return Some(vec!["--to".into(), "json".into()]),
            ("export", "output") => return Some(vec!["--output".into(), "-".into()]),
            ("label", "tag") => return Some(vec!["--tag".into(), "t".into()]),
            ("config", "wanted") => "ledger".into(),
            ("prove", "output") => return Some(vec!["--output".into(), "-".into()]),
            ("evidence", "list") => return Some(vec!["--list".into()]),
            ("publish", "to") => self.path("published"),
            ("witness", "policy") => self.path("policy"),
            ("witness", "name") => return Some(vec!["--name".into(), "w.example".into()]),
            ("witness", "witness_key") => return Some(vec!["--witness-key".into(), self.path("witness.pem")]),
            ("witness", "logs") => return Some(vec!["--logs".into(), self.path("policy")]),
            ("witness", "folder") => return Some(vec!["--folder".into(), self.path("held")]),
            ("clock", "roots") => return Some(vec!["--roots".into(), self.path("roots.pem")]),
            ("clock", "to") => return Some(vec!["--to".into(), "-".into()]),
            ("clock", "answer") => self.path("answer.tsr"),
            ("key", "role") => "recorder".into(),
            ("actor", "name") => "ann".into(),
            ("actor", "role") => "reader".into(),
            ("actor", "public") => return Some(vec!["--public".into(), self.path("in")]),
            ("sign", "case") => self.path("in"),
            ("succeed", "into") => return Some(vec!["--into".into(), self.path("second")]),
            ("succeed", "into_state") => return Some(vec!["--into-state".into(), self.path("second-state")]),
            ("succeed", "into_config") => return Some(vec!["--into-config".into(), self.path("second-keys")]),
            ("scrub", "parts") => return Some(vec!["--parts".into(), "2".into()]),
            ("schedule", "once") => return Some(vec!["--once".into()]),
            ("completions", "shell") => "bash".into(),
            ("record", "command") => return Some(vec!["--".into(), "true".into()]),
            ("replay", "speed") => return Some(vec!["--speed".into(), "0".into()]),
            _ => return None,
        };
        Some(vec![value])
    }

    /// The words of a verb with everything it needs; in place of `instead`, an empty value.
    fn line(&self, words: &[String], verb: &Command, instead: Option<&Arg>) -> Vec<String> {
        let mut line = words.to_vec();
        for argument in verb.get_arguments() {
            if instead.is_some_and(|i| i.get_id() == argument.get_id()) {
                line.extend(argument.get_long().map(|long| format!("--{long}")));
                line.push(String::new());
            } else if !argument.is_global_set() {
                line.extend(self.sample(words, argument).unwrap_or_default());
            }
        }
        line
    }
}

struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn strs(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

#[test]
fn every_verb_and_flag_is_told_and_has_an_example() {
    for (words, verb) in all() {
        let name = words.join(" ");
        assert!(verb.get_about().is_some_and(|a| !a.to_string().is_empty()), "{name}");
        for argument in verb.get_arguments() {
            let told = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(told.len() > 3, "{name} {}", argument.get_id());
        }
        // What stands beneath a verb has its example there.
        let (_, above) = all().into_iter().find(|(w, _)| *w == words[..1]).unwrap();
        let examples = above.get_after_help().map(ToString::to_string).unwrap_or_default();
        let (_, examples) = examples.split_once("Example").unwrap_or_else(|| panic!("{name} has no example"));
        assert!(examples.contains("immutape ") && examples.contains(&name), "{name}: {examples}");
        for line in verb.get_after_help().map(ToString::to_string).unwrap_or_default().lines() {
            assert!(line.chars().count() <= HELP_COLUMNS, "{name}: {line}");
        }
    }
}

/// The flags that every example names are there, and so are its verbs: each is a command line that can be read.
#[test]
fn every_example_can_be_typed() {
    let mut seen = 0;
    for (_, verb) in all() {
        let text = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
        let Some((_, examples)) = text.split_once("Example") else { continue };
        for line in examples.lines().filter_map(|l| Some(l.split_once("immutape ")?.1)) {
            // Up to the pipe, the file or the remark.
            let end = [" | ", " > ", "   "].iter().filter_map(|stop| line.find(stop)).min().unwrap_or(line.len());
            let words = shell_words(&line[..end]);
            seen += 1;
            let typed = ["immutape".to_owned()].into_iter().chain(words).map(OsString::from).collect();
            assert!(parse(typed).is_ok(), "{line}");
        }
    }
    assert!(seen > 30, "{seen}");
}

/// Words as a shell takes them apart, as far as the examples go.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for c in line.trim().chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            _ if quote == Some(c) => quote = None,
            (' ', None) => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn an_empty_value_is_a_wrong_command_line_wherever_it_stands() {
    let home = Home::new();
    let mut tried = 0;
    for (words, verb) in all().into_iter().filter(|(w, v)| !v.has_subcommands() && w[0] != "demo") {
        let whole = home.line(&words, &verb, None);
        let (exit, said) = home.run(&strs(&whole));
        assert_ne!(exit, 2, "{whole:?}: {said}");
        for argument in verb.get_arguments().filter(|a| a.get_action().takes_values()) {
            // Those that every verb takes are tried with one of them.
            if argument.is_global_set() && words[0] != "status" {
                continue;
            }
            let line = home.line(&words, &verb, Some(argument));
            let (exit, said) = home.run(&strs(&line));
            tried += 1;
            assert_eq!(exit, 2, "{line:?}: {said}");
            assert!(
                said.starts_with("error: ") && said.lines().count() > 1 || said.contains("needs a value"),
                "{line:?}: {said}"
            );
        }
    }
    assert!(tried > 80, "{tried}");
}

/// With the last two letters exchanged.
fn mistyped(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if let [.., a, b] = &mut letters[..] {
        std::mem::swap(a, b);
    }
    letters.into_iter().collect()
}

#[test]
fn what_was_mistyped_is_told_with_what_was_meant() {
    let home = Home::new();
    for (words, verb) in all() {
        let typed = mistyped(words.last().unwrap());
        if typed != *words.last().unwrap() {
            let line = [&words[..words.len() - 1], &[typed]].concat();
            let (exit, said) = home.run(&strs(&line));
            assert!(exit == 2 && said.contains(&format!("'{}'", words.last().unwrap())), "{line:?}: {said}");
        }
        for argument in verb.get_arguments().filter(|a| !a.is_global_set()) {
            let Some(long) = argument.get_long().filter(|long| long.len() > 3) else { continue };
            // Two letters that are the same.
            if mistyped(long) == long {
                continue;
            }
            let line = [&words[..], &[format!("--{}", mistyped(long))]].concat();
            let (exit, said) = home.run(&strs(&line));
            assert!(exit == 2 && said.contains(&format!("--{long}")), "{line:?}: {said}");
        }
        let (exit, said) = home.run(&strs(&[&words[..], &["--zzzz".to_owned()]].concat()));
        assert!(exit == 2 && said.contains("--zzzz") && said.contains("--help"), "{words:?}: {said}");
    }
}

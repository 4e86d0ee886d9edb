//! The transcripts of `tests/cmd`: what people type and what they must see.
//!
//! In a block, `% ` prepares files, `$ immutape ..` runs the program, `? N` is its exit code (0 when it is not
//! given), `! ` begins a line of standard error, every other line is one of standard output. `[..]` stands for
//! anything within a line, `...` alone for any number of lines; empty lines do not count. `{DIR}` is the folder,
//! `{ID}` and `{TAPE}` are the first digits and the whole of the last id that was printed, `{ID1}` of the first.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::world::{Did, World};
use crate::support::ledgers::tape_path;

#[test]
fn transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "md"));
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    let commands: usize = files.iter().map(|path| play(path)).sum();
    assert!(commands >= 70, "only {commands} commands were run");
}

/// Runs one transcript; how many commands it held.
fn play(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let mut stage = Stage { world: World::new(), home: None, ids: Vec::new() };
    let (mut commands, mut is_block) = (0, false);
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let place = format!("{}:{}", path.file_name().unwrap().display(), number + 1);
        if line.starts_with("```") {
            is_block = !is_block;
        } else if let (true, Some(words)) = (is_block, line.strip_prefix("% ")) {
            stage.prepare(&stage.filled(words), &place);
        } else if let (true, Some(words)) = (is_block, line.strip_prefix("$ immutape")) {
            let mut expected = Expected::default();
            while let Some((_, line)) =
                lines.next_if(|(_, l)| !l.starts_with("$ ") && !l.starts_with("% ") && !l.starts_with("```"))
            {
                expected.take(line);
            }
            let did = stage.run(&stage.filled(words));
            stage.ids.extend(did.out().lines().filter_map(|l| l.strip_prefix("sha256:").map(str::to_owned)));
            expected.check(&stage, &did, &place);
            commands += 1;
        } else {
            assert!(!is_block || line.trim().is_empty(), "{place}: neither directive nor command: {line}");
        }
    }
    assert!(commands > 0, "{}", path.display());
    commands
}

struct Stage {
    world: World,
    /// Set when commands find everything by this home folder; empty for none at all.
    home: Option<String>,
    ids: Vec<String>,
}

impl Stage {
    fn filled(&self, text: &str) -> String {
        let mut text = text.replace("{DIR}", self.world.path("").to_str().unwrap().trim_end_matches('/'));
        let short = |id: &String| id[..8].to_owned();
        for (n, id) in self.ids.iter().enumerate() {
            text = text.replace(&format!("{{ID{}}}", n + 1), &short(id));
        }
        if let Some(last) = self.ids.last() {
            text = text.replace("{ID}", &short(last)).replace("{TAPE}", last);
        }
        text
    }

    fn prepare(&mut self, words: &str, place: &str) {
        let path = |name: &str| self.world.path(name);
        let words = split(words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["tape", name] => {
                for suffix in ["jsonl", "meta.json"] {
                    let from = tape_path(name).with_extension(suffix);
                    fs::copy(from, path(&format!("{name}.{suffix}"))).unwrap();
                }
            }
            ["write", name, content] => fs::write(path(name), unescaped(content)).unwrap(),
            ["key", name] => self.world.key(name),
            ["mkdir", name] => fs::create_dir(path(name)).unwrap(),
            ["chmod", mode, name] => {
                let mode = u32::from_str_radix(mode, 8).unwrap();
                fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
            }
            ["mv", from, to] => fs::rename(path(from), path(to)).unwrap(),
            ["cp", from, to] => copy(&path(from), &path(to)),
            ["rm", name] if path(name).is_dir() => fs::remove_dir_all(path(name)).unwrap(),
            ["rm", name] => fs::remove_file(path(name)).unwrap(),
            ["flip", name, at] => {
                let (mut bytes, at) = (fs::read(path(name)).unwrap(), at.parse::<usize>().unwrap());
                bytes[at] ^= 1;
                fs::write(path(name), bytes).unwrap();
            }
            ["home", home] => self.home = Some(home.to_owned()),
            ["home"] => self.home = Some(String::new()),
            _ => panic!("{place}: no such directive: {words:?}"),
        }
    }

    fn run(&self, words: &str) -> Did {
        let mut command = match &self.home {
            None => self.world.command(),
            Some(home) if home.is_empty() => {
                let mut command = self.world.at_home();
                command.env_remove("HOME");
                command
            }
            Some(home) => {
                let mut command = self.world.at_home();
                command.env("HOME", home);
                command
            }
        };
        command.args(split(words)).output().unwrap().into()
    }
}

#[derive(Default)]
struct Expected {
    exit: i32,
    out: Vec<String>,
    err: Vec<String>,
}

impl Expected {
    fn take(&mut self, line: &str) {
        if let Some(exit) = line.strip_prefix("? ") {
            self.exit = exit.parse().unwrap();
        } else if let Some(words) = line.strip_prefix("! ") {
            self.err.push(words.to_owned());
        } else if !line.trim().is_empty() {
            self.out.push(line.to_owned());
        }
    }

    fn check(&self, stage: &Stage, did: &Did, place: &str) {
        let fill = |lines: &[String]| lines.iter().map(|l| stage.filled(l)).collect::<Vec<_>>();
        let shown = || format!("{place}\n--- stdout\n{}--- stderr\n{}--- exit {}", did.out(), did.stderr, did.exit);
        assert_eq!(did.exit, self.exit, "{}", shown());
        for (name, expected, actual) in [("stdout", &self.out, did.out()), ("stderr", &self.err, did.stderr.clone())] {
            let actual: Vec<&str> = actual.lines().filter(|l| !l.trim().is_empty()).collect();
            let expected = fill(expected);
            assert!(lines_match(&expected, &actual), "{name} differs; expected\n{}\n{}", expected.join("\n"), shown());
        }
    }
}

fn lines_match(expected: &[String], actual: &[&str]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((first, rest)) if first == "..." => (0..=actual.len()).any(|n| lines_match(rest, &actual[n..])),
        Some((first, rest)) => {
            actual.split_first().is_some_and(|(a, more)| line_matches(first, a) && lines_match(rest, more))
        }
    }
}

fn line_matches(expected: &str, actual: &str) -> bool {
    let mut parts = expected.split("[..]");
    let Some(mut left) = actual.strip_prefix(parts.next().unwrap()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return left.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// Words, with double quotes around those that hold spaces.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for c in text.chars() {
        match c {
            '"' => (quoted, begun) = (!quoted, true),
            ' ' if !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    // What no transcript should hold as it is.
    words
        .into_iter()
        .map(|w| w.replace("<ESC>", "\x1b").replace("<RLO>", "\u{202e}").replace("<BEL>", "\x07"))
        .collect()
}

/// `'` stands for a double quote in written files, `\n` for a line feed, `\xff` for a byte.
fn unescaped(text: &str) -> Vec<u8> {
    let text = text.replace('\'', "\"").replace("\\n", "\n");
    let mut out = Vec::new();
    let mut parts = text.split("\\x");
    out.extend_from_slice(parts.next().unwrap().as_bytes());
    for part in parts {
        out.push(u8::from_str_radix(&part[..2], 16).unwrap());
        out.extend_from_slice(&part.as_bytes()[2..]);
    }
    out
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

#[test]
fn a_transcript_that_is_wrong_fails() {
    let lines = |l: &[&str]| l.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    assert!(lines_match(&lines(&["a [..] c", "...", "z"]), &["a b c", "x", "y", "z"]));
    assert!(!lines_match(&lines(&["a [..] c", "...", "z"]), &["a b d", "z"]));
    assert!(!lines_match(&lines(&["a"]), &["a", "b"]));
    assert!(!lines_match(&lines(&["a", "b"]), &["a"]));
    assert!(!line_matches("a[..]b", "a"));
    assert!(!line_matches("ab", "abc"));
    assert!(line_matches("[..]b[..]", "abc"));
}

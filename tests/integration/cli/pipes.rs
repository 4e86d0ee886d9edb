//! `| head -1`: readers who have enough of what goes on for long.

use std::fmt::Write as _;
use std::fs;

use super::world::{Did, World};

/// More than a pipe holds, so that the writer is at work when its reader goes.
const MORE_THAN_A_PIPE_BYTES: usize = 68 << 10;

fn line(n: usize, words: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"{words}\"}}\n")
}

/// Many tapes, of which two are long and one has a long custody.
fn world() -> (World, [String; 2]) {
    let world = World::new();
    fs::create_dir(world.path("in")).unwrap();
    for n in 0..800 {
        fs::write(world.path(format!("in/{n}")), line(n, "ping")).unwrap();
    }
    world.run(["-q", "import", "in", "--class", &"c".repeat(100)]).exits(0);
    let long = |name: &str| {
        let mut text = String::new();
        (0..5_000).for_each(|n| write!(text, "{}", line(n, name)).unwrap());
        fs::write(world.path(name), text).unwrap();
        world.run(["-q", "save", name]).exits(0).out().trim().to_owned()
    };
    let ids = [long("one"), long("two")];
    (world, ids)
}

#[test]
fn who_takes_the_first_line_alone_is_no_error() {
    let (world, [one, two]) = world();
    let mut missed = Vec::new();
    for (words, exit) in [
        ("list".to_owned(), 0),
        ("list --json".to_owned(), 0),
        ("search method:ping".to_owned(), 0),
        ("search method:ping --json".to_owned(), 0),
        ("log --all".to_owned(), 0),
        ("log --all --json".to_owned(), 0),
        (format!("show {one}"), 0),
        (format!("show {one} --raw"), 0),
        (format!("show {one} --json"), 0),
        (format!("cat {one}"), 0),
        (format!("export {one} --to v2 --output -"), 0),
        (format!("export {one} --to json --output -"), 0),
        (format!("export {one} --to cbor --output -"), 0),
        (format!("export {one} --to msgpack --output -"), 0),
        (format!("export {one} --to raw --output -"), 0),
        // Different tapes are exit code 1 to a reader of all of it.
        (format!("diff {one} {two}"), 1),
        (format!("diff {one} {two} --json"), 1),
        (format!("custody {one}"), 0),
        (format!("custody {one} --json"), 0),
        ("stats".to_owned(), 0),
        ("stats --json".to_owned(), 0),
    ] {
        let run = |tail: &str| {
            let mut shell = world.bare("/bin/sh".as_ref());
            let program = "\"$0\" -C ledger --state-dir state --config-dir keys";
            shell.args(["-c", &format!("{{ {program} {words} 2>err; echo $? >rc; }} | {tail}")]);
            let did = Did::from(shell.arg(env!("CARGO_BIN_EXE_immutape")).output().unwrap()).exits(0);
            let read = |name: &str| fs::read_to_string(world.path(name)).unwrap();
            (did.stdout, read("rc").trim().parse::<i32>().unwrap(), read("err"))
        };
        let (all, code, _) = run("cat");
        assert_eq!(code, exit, "{words}");
        let (first, code, said) = run("head -1");
        assert!(code == exit || code == 0, "{words}: {code}: {said}");
        assert!(!said.contains("error") && !said.contains("panic"), "{words}: {said}");
        // Of a form that is no text, the first line may be all of it.
        let ends = first.iter().position(|b| *b == b'\n').map_or(first.len(), |at| at + 1);
        assert_eq!(ends, first.len(), "{words}");
        if all.len() < MORE_THAN_A_PIPE_BYTES {
            missed.push(words.split(' ').next().unwrap().to_owned());
        }
    }
    missed.dedup();
    // These say little whatever is kept: their reader may be gone before they begin, and `streams` tries that.
    assert_eq!(missed, ["custody", "stats"]);
    let log = world.run(["log", "--all"]).exits(0).out();
    assert!(!log.contains("unclean"), "{log}");
}

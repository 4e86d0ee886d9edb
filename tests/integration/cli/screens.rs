//! Screens as people have them: a terminal of 80 columns, and one of 40. The terminal is tmux, which tells what it shows.

use std::path::Path;
use std::process::Command;

use super::world::World;

const TMUX: &str = "/usr/bin/tmux";

/// What stands in a window of so many columns after a command, line by line; lines that the terminal had to break are
/// joined again. `None` where the system has no tmux.
pub(super) fn screen(world: &World, (columns, number): (usize, usize), args: &str) -> Option<Vec<String>> {
    if !Path::new(TMUX).exists() {
        crate::support::skipped("this system has no tmux, so no screen was looked at");
        return None;
    }
    // A socket in the world's own folder: no other tmux of this machine is touched.
    let socket = format!("tmux-{columns}-{number}");
    let tmux = |args: &[&str]| {
        let mut command: Command = world.bare(TMUX.as_ref());
        command.env_remove("NO_COLOR").env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
        command.arg("-S").arg(world.path(&socket)).args(["-f", "/dev/null"]).args(args);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let bin = env!("CARGO_BIN_EXE_immutape");
    let shell =
        format!("{bin} -C ledger --state-dir state --config-dir keys {args}; {TMUX} -S {socket} wait-for -S done; cat");
    let columns = columns.to_string();
    tmux(&["new-session", "-d", "-x", &columns, "-y", "24", &shell]);
    tmux(&["wait-for", "done"]);
    let size = tmux(&["display-message", "-p", "#{window_width}x#{window_height}"]);
    let shown = tmux(&["capture-pane", "-p", "-J", "-S", "-"]);
    tmux(&["kill-server"]);
    assert_eq!(size.trim(), format!("{columns}x24"));
    Some(shown.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect())
}

#[test]
fn no_line_is_longer_than_the_screen() {
    let world = World::with_tapes(&["filesystem-payments", "sqlite-crash"]);
    for columns in [80, 40] {
        for (number, (args, wanted)) in [
            ("list", "filesystem-"),
            ("verify", "INTACT"),
            ("stats", "CLASS"),
            ("log", "tape.saved"),
            ("search errors:yes", "filesystem-"),
            // The first that somebody tries: it must come out on the screen that they have.
            ("demo", "All 13 things happened as they must."),
            ("config get columns", ""),
        ]
        .into_iter()
        .enumerate()
        {
            let Some(lines) = screen(&world, (columns, number), args) else { return };
            assert!(lines.iter().any(|l| l.contains(wanted)), "{args} at {columns}: {lines:#?}");
            for line in &lines {
                assert!(
                    line.chars().count() <= columns || args == "demo" && is_one_word(line),
                    "{args} at {columns}: {line:?} in {lines:#?}"
                );
            }
            if args.starts_with("config") {
                assert_eq!(lines, [columns.to_string()], "the program knows the width of its screen");
            }
        }
    }
}

/// What cannot be broken: ids, digests, keys and names. A line is longer than the screen only by one of these, and nothing
/// stands beside it.
fn is_one_word(line: &str) -> bool {
    !line.trim().contains(' ')
}

#[test]
fn at_forty_columns_only_what_cannot_be_broken_goes_beyond_the_edge() {
    let world = World::with_tapes(&["filesystem-payments", "sqlite-crash"]);
    let ids: Vec<String> =
        world.run(["list", "--json"]).documents().iter().filter_map(|d| Some(d["tape"].as_str()?.to_owned())).collect();
    let [a, b] = [0, 1].map(|n| ids[n].trim_start_matches("sha256:")[..8].to_owned());
    for (number, (args, wanted)) in [
        ("list".to_owned(), "filesystem-"),
        ("search errors:yes".to_owned(), "filesystem-"),
        ("stats".to_owned(), "CLASS"),
        (format!("diff {a} {b}"), "Different:"),
        ("log --all".to_owned(), "tape.saved"),
        (format!("show {a}"), "#0"),
        (format!("show {a} --header"), "sha256:"),
        (format!("custody {a}"), "tape.saved"),
        ("doctor".to_owned(), "WELL"),
        ("config print".to_owned(), "columns"),
        ("config path".to_owned(), "ledger"),
        ("key list".to_owned(), "verify with"),
        ("status".to_owned(), "promise"),
        ("verify".to_owned(), "INTACT"),
        ("version".to_owned(), "formats"),
        (format!("delete {a}"), "E_DISPOSAL_REQUIRED"),
        (format!("export {a} --to json --output out"), "SHA-256"),
        ("repair".to_owned(), "nothing to mend"),
        ("demo".to_owned(), "things happened"),
    ]
    .into_iter()
    .enumerate()
    {
        let Some(lines) = screen(&world, (40, 100 + number), &args) else { return };
        let words: Vec<&str> = lines.iter().flat_map(|l| l.split_whitespace()).collect();
        assert!(words.join(" ").contains(wanted), "{args}: {lines:#?}");
        for line in &lines {
            assert!(line.chars().count() <= 40 || is_one_word(line), "{args}: {line:?} in {lines:#?}");
        }
    }
}

#[test]
fn an_import_of_files_with_long_names_stays_on_the_screen() {
    const LONG: &str =
        "a-session-of-a-monday-with-a-name-that-nobody-types-and-that-is-longer-than-the-line-of-any-screen";
    for columns in [80, 40] {
        let world = World::new();
        let file = |name: &str| world.path(format!("in/{LONG}-{name}.jsonl"));
        std::fs::create_dir(world.path("in")).unwrap();
        std::fs::copy(crate::support::ledgers::tape_path("sqlite-crash"), file("good")).unwrap();
        std::fs::write(file("half"), b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n{\"jsonrpc\":\"2.").unwrap();
        std::fs::write(file("other"), b"no session\n").unwrap();
        let Some(lines) = screen(&world, (columns, 1), "import in") else { return };
        let kinds: Vec<&str> = ["kept", "failed", "left out"]
            .into_iter()
            .filter(|kind| lines.iter().any(|l| l.starts_with(kind)))
            .collect();
        assert_eq!(kinds, ["kept", "failed", "left out"], "{lines:#?}");
        for line in &lines {
            assert!(line.chars().count() <= columns || is_one_word(line), "{columns}: {line:?} in {lines:#?}");
        }
        // The beginning of the name is there, beside its id.
        let kept = lines.iter().find(|l| l.starts_with("kept")).unwrap();
        assert!(kept.contains("  in/a-sess") && kept.ends_with('…'), "{kept}");
        // Where nothing says how wide it is, nothing is cut.
        assert!(world.run(["import", "in"]).out().contains(&format!("{LONG}-good.jsonl")));
    }
}

#[test]
fn a_narrow_screen_leaves_columns_out_and_says_so() {
    let world = World::with_tapes(&["filesystem-payments"]);
    let did = world.command().args(["list"]).env("COLUMNS", "40").output().unwrap();
    let out = String::from_utf8(did.stdout).unwrap();
    let head: Vec<&str> = out.lines().next().unwrap().split("  ").filter(|w| !w.is_empty()).map(str::trim).collect();
    assert_eq!(head, ["ID", "SAVED (UTC)", "NAME"]);
    assert!(out.lines().all(|line| line.chars().count() <= 40), "{out}");
    let words = String::from_utf8(did.stderr).unwrap();
    assert!(words.contains("Too narrow for KIND, STORED, CLASS, ERRORS, FRAMES; --json has everything."), "{words}");
    // Where nothing says how wide it is, nothing is left out.
    assert!(world.run(["list"]).out().starts_with("ID        SAVED (UTC)       NAME                 KIND  FRAMES"));
}

//! Screens as people have them: a terminal of 80 columns, and one of 40. The terminal is tmux, which tells what it shows.

use std::path::Path;
use std::process::Command;

use super::world::World;

const TMUX: &str = "/usr/bin/tmux";

/// What stands in a window of so many columns after a command, line by line; lines that the terminal had to break are
/// joined again. `None` where the system has no tmux.
fn screen(world: &World, (columns, number): (usize, usize), args: &str) -> Option<Vec<String>> {
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
            ("config get columns", ""),
        ]
        .into_iter()
        .enumerate()
        {
            let Some(lines) = screen(&world, (columns, number), args) else { return };
            assert!(lines.iter().any(|l| l.contains(wanted)), "{args} at {columns}: {lines:#?}");
            for line in &lines {
                assert!(line.chars().count() <= columns, "{args} at {columns}: {line:?} in {lines:#?}");
            }
            if args.starts_with("config") {
                assert_eq!(lines, [columns.to_string()], "the program knows the width of its screen");
            }
        }
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

//! Two lanes, and who answered what: on screens of every width, in documents, and while it happens.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use super::screens::screen;
use super::world::World;

fn columns(world: &World, columns: usize, args: &[&str]) -> Vec<String> {
    let did = world.command().args(args).env("COLUMNS", columns.to_string()).output().unwrap();
    assert!(did.status.success(), "{}", String::from_utf8_lossy(&did.stderr));
    String::from_utf8(did.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_wide_screen_has_two_lanes_and_a_narrow_one_arrows() {
    let world = World::new();
    let id = world.save("filesystem-payments");
    let show = format!("show {} --lanes", &id[..8]);
    for (number, width) in [120, 80, 40].into_iter().enumerate() {
        let Some(lines) = screen(&world, (width, 200 + number), &show) else { return };
        for line in &lines {
            assert!(line.chars().count() <= width || !line.trim().contains(' '), "{width}: {line:?} in {lines:#?}");
        }
        let all = lines.join("\n");
        assert!(all.contains("answers #"), "{width}: {all}");
        assert_eq!(all.contains("server") && lines.iter().any(|l| l.contains(" | #")), width == 120, "{width}: {all}");
        assert_eq!(lines.iter().any(|l| l.starts_with('#') && l.contains(" <- ")), width < 100, "{width}: {all}");
        // What a frame says is told at any width.
        assert!(lines.iter().any(|l| l.contains("error")), "{width}: {all}");
    }
}

#[test]
fn the_client_stands_left_the_server_right_and_each_answer_names_its_request() {
    let world = World::new();
    let id = world.save("filesystem-payments");
    let lines = columns(&world, 160, &["show", &id, "--lanes"]);
    let bar = lines.iter().position(|l| l.starts_with("client ") && l.ends_with("| server")).unwrap();
    let at = lines[bar].find(" | ").unwrap();
    let (mut left, mut right) = (0, 0);
    for line in &lines[bar + 1..] {
        match line.get(..at).map(str::trim_end) {
            Some("") => {
                assert_eq!(line.get(at..at + 3), Some(" | "), "{line}");
                right += usize::from(line[at + 3..].starts_with('#'));
            }
            _ => left += usize::from(line.starts_with('#')),
        }
    }
    assert_eq!((left, right), (19, 18), "{lines:#?}");
    // Captured: the client asks to read /etc/passwd in frame 19, and is refused in frame 20.
    let refused = lines.iter().find(|l| l.contains("#20 ")).unwrap();
    assert!(refused.contains("error") && refused.contains("[answers #19 after 1 ms]"), "{refused}");
    let documents = world.run(["show", &id, "--lanes", "--json"]).exits(0).documents();
    let of = |seq: u64| documents.iter().find(|d| d["type"] == "frame" && d["seq"] == seq).unwrap();
    assert_eq!((&of(20)["answers"], &of(20)["answered_after_ms"]), (&[19].into(), &[1].into()));
    let plain = world.run(["show", &id, "--json"]).exits(0).documents();
    assert!(plain.iter().all(|d| d.get("answers").is_none() && d["type"] != "unanswered"), "only when asked for");
    // Of a part of a tape only what stands in it is joined, and that is said.
    let part = world.run(["show", &id, "--lanes", "--frames", "19"]).exits(0).out();
    assert!(part.contains("1 request has no answer among these frames:\n  #19 "), "{part}");
    let answer = world.run(["show", &id, "--lanes", "--frames", "20"]).exits(0).out();
    assert!(!answer.contains("answers"), "{answer}");
    world.run(["show", &id, "--lanes", "--raw"]).exits(2);
    world.run(["show", &id, "--lanes", "--header"]).exits(2);
}

#[test]
fn what_nobody_answered_stands_at_the_end_in_both_eras_and_directions() {
    let world = World::new();
    let id = world.save("everything-stdio");
    let shown = world.run(["show", &id, "--lanes"]).exits(0).out();
    let header: Vec<_> = world.run(["show", &id, "--json"]).documents();
    let unanswered = header[0]["stats"]["unanswered"].as_u64().unwrap();
    assert_eq!(unanswered, 1);
    let tail: Vec<&str> = shown.lines().skip_while(|l| !l.starts_with("Nobody answered")).collect();
    assert_eq!((tail.len(), tail[0]), (2, "Nobody answered 1 request:"), "{shown}");
    assert!(tail[1].starts_with("  #") && tail[1].contains("tools/call"), "{shown}");
    assert!(shown.contains("protocol 2025-11-25"), "{shown}");
    // The server asks, too, and is answered.
    let answers = shown.lines().filter(|l| l.contains(" -> ") && l.contains("[answers #")).count();
    assert!(answers > 0, "{shown}");
    let id = world.save("git-policies");
    let shown = world.run(["show", &id, "--lanes"]).exits(0).out();
    assert_eq!(shown.matches("protocol 2026-07-28]").count(), 1, "where it changes, and nowhere else: {shown}");
    let documents = world.run(["show", &id, "--lanes", "--json"]).documents();
    let named = documents.iter().filter(|d| d["type"] == "frame" && d["protocol"] == "2026-07-28").count();
    assert!(named > 5, "an observation of each frame that names it");
}

#[test]
fn the_elements_of_a_batch_stand_for_themselves_and_nothing_hostile_moves_the_screen() {
    let world = World::new();
    let lines = [
        r#"[{"id":1,"method":"tools/list"},{"method":"notifications/x"},{"id":2,"method":"tools/call","params":{"name":"t"}}]"#,
        r#"{"id":3,"method":"\u001b[2J\u202e\u009b31m"}"#,
    ];
    let script = r#"read a; read b; echo '[{"id":2,"error":{"code":-32000,"message":"no"}},{"id":1,"result":{}}]'; echo '{"id":9,"method":"x"}' >&2"#;
    let mut command = world.command();
    command.args(["record", "--name", "batch", "--", "sh", "-c", script]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{}\n{}", lines[0], lines[1]).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    let documents = world.run(["list", "--json"]).documents();
    let id = documents[0]["tape"].as_str().unwrap().to_owned();
    let shown = world.run(["show", &id, "--lanes"]).exits(0).out();
    for wanted in [
        "  1/3 tools/list",
        "  3/3 tools/call t",
        "  1/2 error  -32000 no  [answers #1 after ",
        "  2/2 result {}  [answers #1",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    assert!(shown.contains("Nobody answered 1 request:"), "the line of standard error asks nobody anything: {shown}");
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{shown:?}");
    let open =
        world.run(["show", &id, "--lanes", "--json"]).documents().into_iter().find(|d| d["type"] == "unanswered");
    assert_eq!(open.unwrap()["requests"], 1);
    let stats = &world.run(["show", &id, "--json"]).documents()[0]["stats"];
    assert_eq!((&stats["requests"], &stats["responses"], &stats["errors"]), (&3.into(), &2.into(), &1.into()));
    // `tail` joins in the same words.
    let tail = world.run(["tail", &id]).exits(0).out();
    assert!(tail.contains("  1/2 error  -32000 no  [answers #1 after "), "{tail}");
    for line in columns(&world, 40, &["tail", &id]) {
        assert!(line.chars().count() <= 40, "{line}");
    }
}

/// A secret is evidence like everything else: shown escaped, and never changed.
#[test]
fn a_secret_leaves_as_it_came() {
    let world = World::new();
    let line =
        "{\"id\":1,\"method\":\"x\",\"params\":{\"Authorization\":\"Bearer s3cr3t\",\"pw\":\"\u{1b}[31mhunter2\"}}\n";
    let mut command = world.command();
    command.args(["record", "--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, line.as_bytes());
    let id = world.run(["list", "--json"]).documents()[0]["tape"].as_str().unwrap().to_owned();
    let said = world.run(["cat", &id, "--frames", "1"]).exits(0);
    assert_eq!(said.stdout, line.as_bytes(), "to the byte");
    let documents = world.run(["show", &id, "--json", "--frames", "1"]).exits(0).documents();
    assert_eq!(documents[1]["payload"].as_str().unwrap(), line.trim_end());
    let raw = world.run(["show", &id, "--raw", "--frames", "1"]).exits(0).out();
    assert!(raw.contains("Bearer s3cr3t") && raw.contains("hunter2") && !raw.contains('\u{1b}'), "{raw:?}");
}

#[test]
fn the_table_capture_is_read_told_and_counts_behind_flags_and_variables() {
    let world = World::new();
    fs::write(
        world.path("immutape.toml"),
        "[capture]\ndurability = \"each\"\nmark_frames = 1\non_storage_failure = \"continue_with_gap\"\n",
    )
    .unwrap();
    let value = |env: &[(&str, &str)], key: &str| {
        let mut command = world.command();
        command.envs(env.iter().copied()).args(["config", "get", "--json", key]);
        let did: super::world::Did = command.output().unwrap().into();
        let value = did.exits(0).documents().remove(0);
        (value["value"].as_str().unwrap().to_owned(), value["source"].as_str().unwrap().to_owned())
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(value(&[], "capture.durability"), pair("each", "immutape.toml:2"));
    assert_eq!(value(&[], "capture.sync_ms"), pair("50", "default"));
    assert_eq!(
        value(&[("IMMUTAPE_CAPTURE_DURABILITY", "os")], "capture.durability"),
        pair("os", "$IMMUTAPE_CAPTURE_DURABILITY")
    );
    // Marks come after few frames, which is not usual: as many as the ledger's turns allow.
    let mut command = world.command();
    command.args(["record", "--", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done"]);
    assert!(command.output().unwrap().status.success());
    let id = world.run(["list", "--json"]).documents()[0]["tape"].as_str().unwrap().to_owned();
    let log = world.run(["log"]).exits(0).out();
    assert!(log.contains("recording.mark"), "{log}");
    world.run(["verify", &id]).exits(0);
    // Whatever is wrong stops every verb, with its place, before anything is touched.
    for (text, wanted) in [
        ("[capture]\n\nsync = 5\n", "immutape.toml:3: [capture] has no key \"sync\""),
        (
            "[capture]\nsync_ms = \"5\"\n",
            "immutape.toml:2: \"sync_ms\" takes a whole number from 1 to 60000, not \"5\"",
        ),
        (
            "[capture]\nsync_ms = 60001\n",
            "immutape.toml:2: \"sync_ms\" takes a whole number from 1 to 60000, not 60001",
        ),
        (
            "[capture]\ndurability = \"never\"\n",
            "immutape.toml:2: \"durability\" takes one of each, interval, os, not \"never\"",
        ),
        ("capture = 3\n", "immutape.toml:1: [capture] takes a table, not a value of the type integer"),
        ("[captur]\n", "immutape.toml:1: a configuration file has no key \"captur\""),
    ] {
        fs::write(world.path("immutape.toml"), text).unwrap();
        let did = world.run(["record", "--durability", "each", "--", "cat"]).exits(2);
        assert!(did.stderr.contains(wanted), "{wanted}: {}", did.stderr);
        world.run(["list"]).exits(2);
    }
    fs::remove_file(world.path("immutape.toml")).unwrap();
    for (name, given, wanted) in [
        ("IMMUTAPE_CAPTURE_PART_MIB", "0", "IMMUTAPE_CAPTURE_PART_MIB: \"part_mib\" takes a whole number from 1"),
        ("IMMUTAPE_CAPTURE_PARTS", "1", "IMMUTAPE_CAPTURE_PARTS: there is no such variable"),
    ] {
        let did: super::world::Did = world.command().env(name, given).arg("list").output().unwrap().into();
        assert!(did.stderr.contains(wanted), "{}", did.stderr);
        did.exits(2);
    }
}

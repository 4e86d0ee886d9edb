//! How `record` starts programs, and what they inherit: what the system refuses is refused with its exit code, and what it would
//! run is run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::record::{frames, payloads, run};
use super::world::{Did, World};

fn executable(world: &World, name: &str, text: &str) {
    fs::write(world.path(name), text).unwrap();
    fs::set_permissions(world.path(name), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_script_that_names_no_shell_runs_as_it_does_without_a_recorder() {
    let world = World::new();
    executable(&world, "script", "echo \"$0 $1\"; exit 6\n");
    let did = run(&world, &[], &["./script", "an argument"], b"").exits(6);
    assert_eq!((did.out().as_str(), did.stderr.as_str()), ("./script an argument\n", ""));
    assert_eq!(payloads(&frames(&world), "server_to_client"), ["./script an argument"]);
    // By its name alone it is found where the system looks, and the shell gets that place.
    let by_name = World::new();
    fs::create_dir(by_name.path("bin")).unwrap();
    executable(&by_name, "bin/a-script", "echo \"$0\"; exit 4\n");
    let path = format!("/usr/bin:/bin:{}", by_name.path("bin").display());
    let did: Did = by_name.command().env("PATH", path).args(["record", "--", "a-script"]).output().unwrap().into();
    assert_eq!(did.exits(4).out().trim(), by_name.path("bin/a-script").to_str().unwrap());
}

#[test]
fn what_the_system_refuses_after_all_is_told_by_the_codes_for_it() {
    let world = World::new();
    executable(&world, "no-interpreter", "#!/no/such/interpreter\n");
    let none = run(&world, &[], &["./no-interpreter"], b"");
    assert!(none.stderr.contains("there is no program"), "{}", none.stderr);
    none.exits(127);
    fs::write(world.path("plain"), "text").unwrap();
    executable(&world, "no-right", &format!("#!{}\n", world.path("plain").display()));
    let none = run(&world, &[], &["./no-right"], b"");
    assert!(none.stderr.contains("may not be run"), "{}", none.stderr);
    none.exits(126);
    // The recordings were open by then, and say why nothing is on them.
    let listed = world.run(["list", "--json"]).exits(0).documents();
    let tapes = listed.iter().filter(|d| d["type"] == "tape");
    let ends: Vec<_> = tapes.map(|d| (&d["end_state"], &d["frames"])).collect();
    assert_eq!(ends, [(&"error".into(), &0.into()), (&"error".into(), &0.into())]);
    world.run(["verify"]).exits(0);
}

#[test]
fn a_signal_that_is_ignored_is_ignored_behind_the_recorder_too() {
    let world = World::new();
    let program = "kill -HUP $$; kill -INT $$; echo alive";
    for ignored in ["trap '' HUP INT", "trap '' HUP; trap '' INT QUIT"] {
        let said = |recorder: &str| {
            let command = world.command();
            let environment: Vec<_> = command.get_envs().map(|(k, v)| (k.to_owned(), v.unwrap().to_owned())).collect();
            let line = format!("{ignored}; exec {recorder} sh -c '{program}'");
            let mut shell = Command::new("sh");
            shell.env_clear().envs(environment).current_dir(world.path("")).args(["-c", &line]);
            Did::from(shell.output().unwrap()).exits(0).out()
        };
        assert_eq!(said("env"), "alive\n");
        assert_eq!(said(&format!("{} record --", env!("CARGO_BIN_EXE_immutape"))), "alive\n");
    }
}

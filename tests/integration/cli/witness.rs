//! A ledger and a witness as programs of their own, over the loopback.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::world::World;
use crate::support::crash::copy_folder;
use crate::support::ledgers::tape_path;

/// A witness that runs; ended by Ctrl-C when it is dropped.
pub struct Running(Child, pub Value);

impl Running {
    pub fn new(world: &World, folder: &str) -> Self {
        Self::named(world, folder, "w1.example")
    }

    pub fn named(world: &World, folder: &str, name: &str) -> Self {
        let mut command = world.command();
        let folder = world.path(folder);
        fs::create_dir_all(&folder).unwrap();
        command.args(["witness", "serve", "--name", name, "--listen", "127.0.0.1:0", "--json", "--quiet"]);
        command.arg("--witness-key").arg(folder.join("key.pem"));
        command.arg("--logs").arg(world.path("logs")).arg("--folder").arg(folder.join("held"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self(child, serde_json::from_str(&line).unwrap())
    }

    pub fn policy(&self) -> String {
        let text = |key: &str| self.1[key].as_str().unwrap();
        format!("witness w1 {} http://{}\nquorum w1\n", text("key"), text("address"))
    }

    /// Exit code once it was interrupted.
    fn end(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}

fn document(world: &World, args: &[&str]) -> Value {
    let did = world.run(args.iter().copied().chain(["--json"]));
    serde_json::from_str(did.out().lines().next().unwrap_or_else(|| panic!("{}", did.all()))).unwrap()
}

#[test]
fn an_hour_taken_back_is_named_by_the_witness() {
    let (world, elsewhere) = (World::new(), tempfile::tempdir().unwrap());
    let snapshot = elsewhere.path();
    world.run(["init"]).exits(0);
    let verifier = document(&world, &["checkpoint"])["verifier"].as_str().unwrap().to_owned();
    fs::write(world.path("logs"), format!("log {verifier}\nquorum none\n")).unwrap();
    let witness = Running::new(&world, "w1");
    fs::write(world.path("policy"), witness.policy()).unwrap();
    world.run(["witness", "set", "policy"]).exits(0);
    // Loopback is refused unless it is asked for.
    let refused = world.run(["witness", "run"]);
    assert!(refused.stderr.contains("E_NOT_CONFIRMED"), "{}", refused.all());
    let first = document(&world, &["witness", "run", "--allow-private"]);
    assert_eq!((first["quorum"].as_bool(), first["witnesses"][0]["state"].as_str()), (Some(true), Some("cosigned")));
    for folder in ["ledger", "state", "keys"] {
        copy_folder(&world.path(folder), &snapshot.join(folder));
    }
    world.run(["log"]).exits(0);
    let told = |code: &str| {
        let limits = document(&world, &["status"])["limits"].clone();
        limits.as_array().unwrap().iter().find(|l| l["code"] == code).map(|l| l["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(told("no_witness"), None);
    let newer = told("not_witnessed").expect("entries after the round");
    assert!(newer.contains("Witnesses hold a head of") && newer.contains("nobody outside knows"), "{newer}");
    let second = document(&world, &["witness", "run", "--allow-private"]);
    assert!(second["size"].as_u64() > first["size"].as_u64());
    // Ledger, state and keys are put back, as root can.
    for folder in ["ledger", "state", "keys"] {
        fs::remove_dir_all(world.path(folder)).unwrap();
        copy_folder(&snapshot.join(folder), &world.path(folder));
    }
    let caught = world.run(["witness", "run", "--allow-private"]);
    assert_eq!(caught.exit, 3, "{}", caught.all());
    assert!(caught.stderr.contains("E_LOG_ROLLBACK"), "{}", caught.all());
    for verb in [&["log"][..], &["list"], &["checkpoint"]] {
        let refused = world.run(verb);
        assert!(refused.exit == 3 && refused.stderr.contains("E_LOG_ROLLBACK"), "{}", refused.all());
    }
    assert_eq!(witness.end(), Some(0));
}

/// Each command is an opening of its own: what signs asks the witnesses first, and signs nothing when none answers. A key that is
/// replaced meanwhile reaches a witness that knows the old one alone.
#[test]
fn commands_that_sign_ask_the_witnesses_first() {
    let world = World::new();
    world.run(["init"]).exits(0);
    fs::copy(tape_path("sqlite-crash"), world.path("a.jsonl")).unwrap();
    let id = document(&world, &["save", "a.jsonl"])["tape"].as_str().unwrap().to_owned();
    let verifier = document(&world, &["checkpoint"])["verifier"].as_str().unwrap().to_owned();
    fs::write(world.path("logs"), format!("log {verifier}\nquorum none\n")).unwrap();
    let witness = Running::new(&world, "w1");
    fs::write(world.path("policy"), witness.policy()).unwrap();
    world.run(["witness", "set", "policy"]).exits(0);
    let signing: [&[&str]; 4] =
        [&["checkpoint"], &["prove", &id, "--output", "-"], &["publish", "tree"], &["key", "rotate", "recorder"]];
    for words in signing {
        let refused = world.run(words.iter().copied());
        assert_eq!(refused.exit, 1, "{}", refused.all());
        assert!(refused.stderr.contains("E_NOT_CONFIRMED"), "{}", refused.all());
    }
    for words in signing {
        let done = world.run(words.iter().copied().chain(["--allow-private"]));
        assert_eq!(done.exit, 0, "{words:?}: {}", done.all());
    }
    // Both keys sign until the witness, which knows the old one, has cosigned.
    let changed = document(&world, &["key", "rotate", "checkpoint", "--allow-private"]);
    assert_eq!(changed["waits_for_witnesses"].as_bool(), Some(true));
    assert!(world.path("keys/checkpoint.pem.old").exists());
    let round = document(&world, &["witness", "run", "--allow-private"]);
    assert_eq!(round["witnesses"][0]["state"].as_str(), Some("cosigned"), "{round}");
    assert!(!world.path("keys/checkpoint.pem.old").exists());
    // From then on the witness must know the new key.
    world.run(["log"]).exits(0);
    let refused = world.run(["witness", "run", "--allow-private"]);
    assert!(refused.exit != 0 && refused.all().contains("403"), "{}", refused.all());
    drop(witness);
    let both = format!("log {verifier}\nlog {}\nquorum none\n", changed["verifier"].as_str().unwrap());
    fs::write(world.path("logs"), both).unwrap();
    let witness = Running::new(&world, "w1");
    fs::write(world.path("policy"), witness.policy()).unwrap();
    world.run(["witness", "set", "policy"]).exits(0);
    let round = document(&world, &["witness", "run", "--allow-private"]);
    assert_eq!((round["quorum"].as_bool(), round["witnesses"][0]["state"].as_str()), (Some(true), Some("cosigned")));
    world.run(["verify"]).exits(0);
}

//! The words of the README, as somebody uses them who has them before him.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::software::{Server, Software, words};
use super::stage::Stage;
use crate::cli::world::Did;

/// A block of the README that begins with these words.
fn block(kind: &str, begins: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let blocks = readme.split("```").skip(1).step_by(2);
    let mut fitting = blocks.filter_map(|b| b.strip_prefix(kind)?.strip_prefix('\n')).filter(|b| b.contains(begins));
    fitting.next().unwrap_or_else(|| panic!("the README has no {kind} with {begins}")).to_owned()
}

/// The inspector reads the same file as desktop clients do. The folder that the README names is not on this machine; nothing
/// else is changed.
#[test]
fn the_readmes_configuration_records_a_session() {
    let Some(software) = Software::installed() else { return };
    let stage = Stage::new(&software, Server::Filesystem);
    let folder = stage.folder();
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("batch.csv"), "P-1001,ACME,PENDING\n").unwrap();
    let config = block("json", "mcpServers").replace("/home/ann/payments", &words(&folder));
    let read: Value = serde_json::from_str(&config).unwrap();
    let server = &read["mcpServers"]["payments"];
    assert_eq!((&server["command"], &server["args"][0]), (&"immutape".into(), &"record".into()));
    fs::write(stage.world.path("clients.json"), &config).unwrap();

    // `immutape` is in the path, as after `cargo install`. The package is where npx looks first, so it asks no network.
    let bin = stage.world.path("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_immutape"), bin.join("immutape")).unwrap();
    let path = format!("{}:{}", words(&bin), std::env::var("PATH").unwrap());
    let of_client = ["--config", &words(&stage.world.path("clients.json")), "--server", "payments"].map(str::to_owned);
    let asked = ["--method", "tools/call", "--tool-name", "list_directory", "--tool-arg"].map(str::to_owned);
    let argument = format!("path={}", words(&folder));
    let line = [software.inspector(), of_client.to_vec(), asked.to_vec(), vec![argument]].concat();
    let mut client = stage.command(&line);
    client.current_dir(software.packages()).env("PATH", &path).env("npm_config_offline", "true");
    let did: Did = client.output().unwrap().into();
    assert!(did.out().contains("batch.csv"), "{}", did.all());
    let did = did.exits(0);
    assert!(!did.all().contains("immutape"), "nothing of ours is seen: {}", did.all());

    // Clients hand a home folder on, and little else: the ledger is where it is for everybody.
    assert!(!stage.world.path("ledger").exists());
    for line in block("sh", "immutape list").lines() {
        let line = line.split(" #").next().unwrap().trim();
        let mut shell = stage.world.bare("/bin/sh".as_ref());
        let did: Did = shell.args(["-c", line]).env("PATH", &path).output().unwrap().into();
        assert!(did.all().contains("payments") || line.contains("verify"), "{line}: {}", did.all());
        did.exits(0);
    }
}

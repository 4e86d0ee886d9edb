//! A place where one session is held again and again: without the recorder, with it, and from the tape.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::software::{Client, Server, Software, words};
use crate::cli::world::{Did, World};

pub struct Stage<'a> {
    pub world: World,
    software: &'a Software,
    server: Server,
}

impl<'a> Stage<'a> {
    pub fn new(software: &'a Software, server: Server) -> Self {
        Self { world: World::new(), software, server }
    }

    /// What the server works on; the same words in each run.
    pub fn folder(&self) -> PathBuf {
        self.world.path("work")
    }

    /// A program in the surroundings of a user, with what makes commits of git the same each time.
    pub fn command(&self, line: &[String]) -> Command {
        let mut command = self.world.bare(line[0].as_ref());
        command.args(&line[1..]).env("PATH", std::env::var_os("PATH").unwrap());
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), "A. Auditor").env(format!("GIT_{role}_EMAIL"), "a@example.org");
            command.env(format!("GIT_{role}_DATE"), "2026-11-20T08:00:00Z");
        }
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("MCP_PACKAGES", self.software.packages());
        command
    }

    /// Puts everything back to what it was before the first session.
    fn prepare(&self) {
        let folder = self.folder();
        let _there_may_be_none = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        match self.server {
            Server::Filesystem => {
                fs::write(folder.join("2026-11-batch.csv"), "id,payer,state\nP-1001,ACME,PENDING\n").unwrap();
            }
            Server::Git => {
                fs::write(folder.join("retention.md"), "# Retention\n").unwrap();
                for asked in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-qm", "first"]] {
                    let line: Vec<String> =
                        ["git", "-C", &words(&folder)].iter().chain(asked).map(|w| (*w).into()).collect();
                    let did: Did = self.command(&line).output().unwrap().into();
                    did.exits(0);
                }
            }
            _ => {}
        }
    }

    /// The script that clients start as their server: some take no `--` among a server's arguments, and some hand on few
    /// variables.
    fn serve(&self, line: &[String]) -> PathBuf {
        let script = self.world.path("serve");
        assert!(line.iter().all(|word| !word.contains('\'')));
        let places = [("DIR", "ledger"), ("STATE_DIR", "state"), ("CONFIG_DIR", "keys")];
        let places = places.map(|(name, place)| format!("IMMUTAPE_{name}='{}'", words(&self.world.path(place))));
        let quoted: Vec<String> = line.iter().map(|word| format!("'{word}'")).collect();
        let text = format!("#!/bin/sh\nexport {}\nexec {}\n", places.join(" "), quoted.join(" "));
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        script
    }

    fn session(&self, client: Client, served: &[String]) -> Command {
        self.prepare();
        let script = self.serve(served);
        self.command(&self.software.client(client, &self.folder(), &script))
    }

    /// The session as it is without us.
    pub fn bare(&self, client: Client) -> Did {
        let server = self.software.server(self.server, &self.folder());
        self.session(client, &server).output().unwrap().into()
    }

    /// The session with the recorder in front of the server, one tee before it and one behind it.
    pub fn recorded(&self, client: Client, flags: &[&str]) -> Command {
        let server = self.software.server(self.server, &self.folder());
        let program = env!("CARGO_BIN_EXE_immutape").to_owned();
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let inner = self.software.tee(&self.world.path("inner"), server);
        let recorder = [vec![program, "record".into()], flags, vec!["--".into()], inner].concat();
        self.session(client, &self.software.tee(&self.world.path("outer"), recorder))
    }

    /// The session with the tape in the server's place.
    pub fn replayed(&self, client: Client, id: &str) -> Did {
        let line = [env!("CARGO_BIN_EXE_immutape"), "replay", id, "--as-server"].map(str::to_owned);
        self.session(client, &line).output().unwrap().into()
    }

    /// What a tee wrote down: `outer` between client and recorder, `inner` between recorder and server.
    pub fn tee(&self, which: &str) -> Tee {
        Tee(self.world.path(which))
    }

    /// The only tape there is, read.
    pub fn tape(&self) -> Tape {
        let listed = self.world.run(["list", "--json"]).exits(0).documents();
        let tapes: Vec<_> = listed.iter().filter(|d| d["type"] != "recorded").collect();
        assert_eq!((tapes.len(), &tapes[0]["type"]), (1, &"tape".into()), "{listed:?}");
        let id = tapes[0]["tape"].as_str().unwrap().to_owned();
        let mut shown = self.world.run(["show", "--json", &id]).exits(0).documents();
        let header = shown.remove(0);
        Tape { id, header, frames: shown.into_iter().filter(|d| d["type"] == "frame").collect() }
    }
}

pub struct Tee(PathBuf);

impl Tee {
    /// Every byte of a pipe: `in`, `out` or `err`.
    pub fn bytes(&self, pipe: &str) -> Vec<u8> {
        fs::read(self.0.join(pipe)).unwrap()
    }

    /// How many of them had come by a time of the wall clock, in nanoseconds.
    pub fn by(&self, pipe: &str, wall_ns: u128) -> usize {
        let text = fs::read_to_string(self.0.join("moments")).unwrap();
        let parted = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let in_time = parted.filter(|m| m[1] == pipe && m[0].parse::<u128>().unwrap() <= wall_ns);
        in_time.map(|m| m[2].parse().unwrap()).next_back().unwrap_or(0)
    }

    /// The number of what it started, or how that ended: a code, or a signal below zero. `None` until then.
    pub fn said(&self, what: &str) -> Option<i32> {
        fs::read_to_string(self.0.join(what)).ok().map(|text| text.parse().unwrap())
    }
}

pub struct Tape {
    pub id: String,
    pub header: Value,
    pub frames: Vec<Value>,
}

impl Tape {
    /// What came through a pipe, put together again from the frames.
    pub fn bytes(&self, pipe: &str) -> Vec<u8> {
        let (direction, kind) = match pipe {
            "in" => ("client_to_server", "message"),
            "out" => ("server_to_client", "message"),
            _ => ("server_to_client", "stderr"),
        };
        let mut bytes = Vec::new();
        for frame in self.frames.iter().filter(|f| f["direction"] == direction && f["kind"] == kind) {
            bytes.extend_from_slice(frame["payload"].as_str().unwrap().as_bytes());
            bytes.extend_from_slice(match frame["delimiter"].as_str().unwrap() {
                "lf" => b"\n",
                "crlf" => b"\r\n",
                _ => b"",
            });
        }
        bytes
    }
}

//! A temporary home with the program in it.

use immutape::keyring::{LocalSigner, OsRandom, write_signer};
use immutape::seal::Signer as _;
use immutape::store::files::RealFiles;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::ledgers::tape_path;

/// What a command did.
pub struct Did {
    pub exit: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Did {
    pub fn out(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    /// Everything that was said, for assertions about words.
    pub fn all(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.stdout), self.stderr)
    }

    /// The exit code must be this one.
    #[track_caller]
    pub fn exits(self, exit: i32) -> Self {
        assert_eq!(self.exit, exit, "{}", self.all());
        self
    }

    /// JSON lines.
    #[track_caller]
    pub fn documents(&self) -> Vec<serde_json::Value> {
        self.out().lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }
}

impl From<Output> for Did {
    fn from(o: Output) -> Self {
        let exit = o.status.code().unwrap_or_else(|| panic!("ended by a signal: {}", o.status));
        Self { exit, stdout: o.stdout, stderr: String::from_utf8(o.stderr).unwrap() }
    }
}

/// A folder in which commands run; ledger, state and keys lie in it under these names.
pub struct World {
    folder: TempDir,
}

impl World {
    /// Somebody's key: the private half in `NAME.pem`, the public one in `NAME.pub`.
    pub fn key(&self, name: &str) {
        let key = LocalSigner::generate(&OsRandom).unwrap();
        write_signer(&RealFiles, &self.path(format!("{name}.pem")), &key).unwrap();
        let public = hex::encode(key.public_key().to_bytes());
        std::fs::write(self.path(format!("{name}.pub")), format!("{public}\n")).unwrap();
    }

    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With these captured sessions saved, in this order.
    pub fn with_tapes(names: &[&str]) -> Self {
        let world = Self::new();
        for name in names {
            world.save(name);
        }
        world
    }

    /// Saves a captured session; its id.
    #[track_caller]
    pub fn save(&self, name: &str) -> String {
        let did = self.run(["-q".as_ref(), "save".as_ref(), tape_path(name).as_os_str()]).exits(0);
        did.out().trim().strip_prefix("sha256:").unwrap().to_owned()
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with nothing of this process's environment.
    pub fn command(&self) -> Command {
        let mut command = self.bare(env!("CARGO_BIN_EXE_immutape").as_ref());
        command.env("IMMUTAPE_DIR", self.path("ledger"));
        command.env("IMMUTAPE_STATE_DIR", self.path("state")).env("IMMUTAPE_CONFIG_DIR", self.path("keys"));
        command
    }

    /// As [`World::command`], with a home folder alone to find everything by.
    pub fn at_home(&self) -> Command {
        self.bare(env!("CARGO_BIN_EXE_immutape").as_ref())
    }

    /// Another program in the same surroundings.
    pub fn bare(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.folder.path()).env("NO_COLOR", "1");
        command.env("TMPDIR", self.folder.path()).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Did {
        self.command().args(args).output().unwrap().into()
    }
}

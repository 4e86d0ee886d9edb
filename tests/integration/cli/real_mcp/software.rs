//! What `tests/mcp/install` installed, and how each of it is started.

use std::path::{Path, PathBuf};

use crate::support::needed;

/// Servers, each as its maker gives it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Everything,
    Filesystem,
    Git,
    Sqlite,
    /// The same on a protocol library that it was not written for: it dies on start.
    SqliteThatDies,
    Time,
}

/// Clients. The first two are programs of ours on top of the two libraries; the third is a program of its own.
#[derive(Debug, Clone, Copy)]
pub enum Client {
    Python(&'static str),
    TypeScript(&'static str),
    Inspector(&'static [&'static str]),
}

pub struct Software {
    installed: PathBuf,
    ours: PathBuf,
}

impl Software {
    /// `None` when it is not there: the test is then left out, and says so. In CI it fails.
    pub fn installed() -> Option<Self> {
        let base = Path::new(env!("CARGO_MANIFEST_DIR"));
        let installed = base.join("target/mcp");
        let why = "no real MCP servers and clients here: tests/mcp/install brings them, with npm, pip and a network";
        let is_there = installed.join("installed").is_file() || needed(why);
        is_there.then(|| Self { installed, ours: base.join("tests/mcp") })
    }

    fn python(&self) -> String {
        words(&self.installed.join("py/bin/python"))
    }

    /// The folder of the packages of npm.
    pub fn packages(&self) -> PathBuf {
        self.installed.join("node")
    }

    fn package(&self, path: &str) -> String {
        words(&self.packages().join("node_modules/@modelcontextprotocol").join(path))
    }

    /// The command of a server that works on this folder.
    pub fn server(&self, server: Server, folder: &Path) -> Vec<String> {
        let program = |path: &str| words(&self.installed.join(path));
        let of_node = |path: &str| vec!["node".to_owned(), self.package(path)];
        let in_folder = |name: &str| words(&folder.join(name));
        match server {
            Server::Everything => of_node("server-everything/dist/index.js"),
            Server::Filesystem => [of_node("server-filesystem/dist/index.js"), vec![words(folder)]].concat(),
            Server::Git => vec![program("py/bin/mcp-server-git"), "--repository".into(), words(folder)],
            Server::Sqlite => {
                vec![program("py-sqlite/bin/mcp-server-sqlite"), "--db-path".into(), in_folder("claims.db")]
            }
            Server::SqliteThatDies => {
                vec![program("py/bin/mcp-server-sqlite"), "--db-path".into(), in_folder("claims.db")]
            }
            Server::Time => vec![program("py/bin/mcp-server-time"), "--local-timezone".into(), "UTC".into()],
        }
    }

    /// The command of a client whose server is started by this script.
    pub fn client(&self, client: Client, folder: &Path, serve: &Path) -> Vec<String> {
        let (ours, serve) = (|name: &str| words(&self.ours.join(name)), words(serve));
        match client {
            Client::Python(session) => {
                vec![self.python(), ours("client.py"), session.into(), words(folder), "--".into(), serve]
            }
            Client::TypeScript(session) => {
                vec!["node".into(), ours("client.mjs"), session.into(), words(folder), "--".into(), serve]
            }
            Client::Inspector(asked) => {
                let asked = asked.iter().map(|word| (*word).to_owned()).collect();
                [self.inspector(), vec![serve], asked].concat()
            }
        }
    }

    /// The inspector without a window.
    pub fn inspector(&self) -> Vec<String> {
        vec!["node".into(), self.package("inspector/clients/launcher/build/index.js"), "--cli".into()]
    }

    /// The tee in front of a command.
    pub fn tee(&self, folder: &Path, command: Vec<String>) -> Vec<String> {
        let tee = words(&self.ours.join("tee.py"));
        [vec![self.python(), "-ISu".into(), tee, words(folder), "--".into()], command].concat()
    }
}

pub fn words(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

//! The stage of the demonstration: a temporary ledger, and commands run on it as if they were typed.

use std::cell::RefCell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use clap::Parser as _;

use crate::cli::args::Cli;
use crate::cli::out::Out;
use crate::cli::run::execute;
use crate::cli::surroundings::temporary_folder;
use crate::cli::terminal::Look;
use crate::error::{Code, Error, Result};
use crate::store::files::{Files, RealFiles, TemporaryFolder};

pub(super) struct Stage<'a> {
    folder: TemporaryFolder,
    files: Arc<dyn Files>,
    out: &'a mut Out,
}

impl<'a> Stage<'a> {
    /// Makes the temporary folder; it goes when the stage does.
    ///
    /// # Errors
    /// `E_IO`, `E_NO_RANDOM`.
    pub(super) fn set(out: &'a mut Out) -> Result<Self> {
        let folder = temporary_folder("demo")?;
        let stage = Self { folder, files: Arc::new(RealFiles), out };
        if !stage.out.json {
            stage.out.prose("A temporary ledger with fresh keys; both are removed at the end.");
        }
        Ok(stage)
    }

    pub(super) fn files(&self) -> &dyn Files {
        &*self.files
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.path("ledger")
    }

    /// Puts a file on the stage.
    ///
    /// # Errors
    /// `E_IO`.
    pub(super) fn put_file(&self, name: &str, content: &[u8]) -> Result<()> {
        let write = || self.files.create_new(&self.path(name))?.write_at(0, content);
        write().map_err(|e| Error::new(Code::Io, "the demo cannot write its files").with_source(e))
    }

    pub(super) fn title(&mut self, words: &str) {
        if !self.out.json {
            self.out.line("");
            self.out.prose(words);
        }
    }

    pub(super) fn tell(&mut self, words: &str) {
        if !self.out.json {
            self.out.prose_beneath(&format!("  ({words})"), 3);
        }
    }

    /// Runs a command as if it were typed; gives its exit code and all it printed.
    ///
    /// # Errors
    /// `E_INTERNAL` for a command that is none.
    pub(super) fn command(&mut self, words: &[&str]) -> Result<(u8, String)> {
        let mut cli = Cli::try_parse_from([&["immutape"], words].concat())
            .map_err(|_| Error::new(Code::Internal, "the demo types a command that does not exist"))?;
        cli.common.is_staged = true;
        cli.common.dir = Some(self.ledger());
        cli.common.state_dir = Some(self.path("state"));
        cli.common.config_dir = Some(self.path("keys"));
        self.on_stage(&mut cli);
        let printed = Rc::new(RefCell::new(Vec::new()));
        let sink = || Box::new(Sink(printed.clone()));
        // What is looked for in it must not be cut away; what is too wide for the screen is broken when it is shown.
        let mut inner = Out::new(sink(), sink(), Look { columns: None, words: None, terminal: false, ..self.out.look });
        inner.quiet = cli.common.quiet;
        let exit = execute(&mut inner, &cli);
        drop(inner);
        let text = String::from_utf8_lossy(&printed.borrow()).into_owned();
        self.show(words, exit, &text);
        Ok((exit, text))
    }

    /// Files are named without their folder; they lie on the stage.
    fn on_stage(&self, cli: &mut Cli) {
        if let crate::cli::args::Verb::Save(save) = &mut cli.verb {
            save.files.iter_mut().for_each(|f| *f = self.folder.path().join(Path::new(f.as_os_str())));
        }
    }

    fn show(&mut self, words: &[&str], exit: u8, text: &str) {
        if self.out.json {
            return;
        }
        let folder = self.folder.path().to_string_lossy().into_owned();
        self.out.prose_beneath(&format!("  $ immutape {}", words.join(" ")), 6);
        for line in text.lines() {
            self.out.prose_beneath(&format!("  {}", line.replace(&folder, "..")), 4);
        }
        if exit != 0 {
            self.out.line(&format!("  (exit code {exit})"));
        }
        // People watch: each command is shown when it is done.
        self.out.flush();
    }

    /// Removes the folder and gives the output back.
    pub(super) fn strike(self) -> &'a mut Out {
        self.out
    }
}

/// Collects what both streams of a command get, in their order.
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

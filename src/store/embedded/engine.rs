//! The embedded stores put together.

use std::path::Path;
use std::sync::Arc;

use super::journal::EmbeddedJournal;
use super::packs::Packs;
use super::rows::SledRows;
use super::spool::EmbeddedSpool;
use super::strays;
use super::vault::EmbeddedVault;
use crate::codec::digest::Digest;
use crate::error::{Code, Error, Result};
use crate::store::files::{Files, refuse_linked_folder};
use crate::store::{Engine, Rows, Stores, Stray};

/// Plain files in two folders, and sled for the rows.
pub struct EmbeddedEngine {
    files: Arc<dyn Files>,
    rows: Option<Arc<dyn Rows>>,
}

impl EmbeddedEngine {
    /// On these files.
    #[must_use]
    pub fn new(files: Arc<dyn Files>) -> Self {
        Self { files, rows: None }
    }

    /// With rows kept elsewhere: for simulated file systems, on which sled cannot run.
    #[must_use]
    pub fn with_rows(mut self, rows: Arc<dyn Rows>) -> Self {
        self.rows = Some(rows);
        self
    }

    /// What is written, renamed or removed beneath a link happens somewhere else. (A link in the place of `index` is
    /// put aside with the rows, which can be built anew.)
    fn refuse_links(&self, above: &Path, shown: &str, names: &[&str]) -> Result<()> {
        names.iter().try_for_each(|name| {
            refuse_linked_folder(&*self.files, &above.join(name)).map_err(|e| {
                Error::new(Code::Io, format!("{shown}/{name} is not the folder that it must be, and was not opened"))
                    .with_hint("put the folder itself in its place; no link in the ledger's folders is followed")
                    .with_source(e)
            })
        })
    }
}

impl Engine for EmbeddedEngine {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn first_group(&self, ledger: &Path) -> Result<Option<Vec<u8>>> {
        EmbeddedJournal::first_group(self.files.clone(), &ledger.join("journal"))
    }

    fn strays(&self, ledger: &Path, state: &Path) -> Result<Vec<Stray>> {
        let failed = |e| Error::new(Code::Io, "the folders of the ledger cannot be listed").with_source(e);
        strays::find(&*self.files, ledger, state).map_err(failed)
    }

    fn open(&self, ledger: &Path, state: &Path, origin: Digest) -> Result<Stores> {
        self.refuse_links(ledger, "ledger", &["journal", "packs", "spool", "quarantine"])?;
        self.refuse_links(state, "state", &["vault"])?;
        let quarantine = ledger.join("quarantine");
        let files = || self.files.clone();
        let rows: Arc<dyn Rows> = match &self.rows {
            Some(rows) => rows.clone(),
            None => Arc::new(SledRows::at(files(), ledger.join("index"), quarantine.clone())),
        };
        let journal = EmbeddedJournal::open(files(), ledger.join("journal"), quarantine, state.join("lock"), origin);
        Ok(Stores {
            journal: Arc::new(journal),
            objects: Arc::new(Packs::open(files(), ledger.join("packs"), origin)?),
            vault: Arc::new(EmbeddedVault::open(files(), state.join("vault"))?),
            rows,
            spool: Arc::new(EmbeddedSpool::open(files(), ledger.join("spool"))),
        })
    }
}

//! Where forgeries are made, and cases of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use immutape::log::{Entry, EntryKind};

use super::base::Base;
use super::edits::{Kind, Step};
use super::expect::{Case, Expect};
use super::folders::copy_tree;
use super::forge::{self, Forge};

/// A workshop: copies of the base that are forged upon, and cases that put the results in place.
pub struct Shop {
    pub base: Arc<Base>,
    pub folder: tempfile::TempDir,
    pub cases: Vec<Case>,
}

impl Shop {
    pub fn copy(&self) -> PathBuf {
        let to = self.folder.path().join(self.cases.len().to_string());
        self.base.copy_to(&to);
        to
    }

    /// A case whose named folders or files come from the forged copy, as they are now.
    pub fn case(&mut self, words: &str, forged: &Path, paths: &[&str], expect: Expect) {
        let from = self.folder.path().join(format!("case-{}", self.cases.len()));
        paths.iter().for_each(|path| copy_tree(&forged.join(path), &from.join(path)));
        let put = |path: &&str| Step::Put { path: (*path).to_owned(), from: from.join(path) };
        let steps = paths.iter().map(put).collect();
        self.cases.push(Case { file: "forgery", kind: Kind::Other, words: words.to_owned(), steps, expect });
    }
}

pub const JOURNAL: &str = "ledger/journal";
pub const INDEX: &str = "ledger/index";
pub const PACKS: &str = "ledger/packs";
pub const HEAD: &str = "state/head";
pub const VAULT: &str = "state/vault";

/// Index of an entry that grants access.
pub fn granted(forged: &Forge) -> usize {
    let is_grant = |r: &forge::Record| Entry::decode(&r.public).is_ok_and(|e| e.kind == EntryKind::ACCESS_GRANTED);
    forged.records.iter().position(is_grant).unwrap()
}

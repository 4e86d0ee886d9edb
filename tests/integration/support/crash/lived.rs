//! A ledger on the real disk that has lived: two segments, two sessions, captured and small tapes. Made once.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use immutape::error::{Error, Result};
use immutape::ledger::{Ledger, Repair, RepairDone};
use immutape::log::EntryKind;

use super::audit::audit_machine;
use super::content::{Content, Material};
use super::diary::Diary;
use super::disk::{Disk, copy_folder, some_folder};
use super::log::{Line, read_log};
use super::world::{Machine, NOW_MS, in_runtime};
use crate::support::ledgers::ann;

const WORDS_BYTES: usize = 50_000;

/// The ledger after each of its two sessions.
pub struct Lived {
    folder: tempfile::TempDir,
    pub diary: Diary,
}

static LIVED: LazyLock<Lived> = LazyLock::new(|| {
    let folder = some_folder();
    let diary = Diary::default();
    in_runtime(live(folder.path(), &diary)).unwrap();
    Lived { folder, diary }
});

impl Lived {
    pub fn get() -> &'static Self {
        &LIVED
    }

    /// A copy of its own, as it was after the first session or now, beneath `to`.
    pub fn copy(&self, when: When, to: &Path) {
        copy_folder(&self.path(when), to);
        for state in std::fs::read_dir(to.join("s")).unwrap() {
            std::fs::write(state.unwrap().path().join("ledger"), format!("{}\n", to.join("l").display())).unwrap();
        }
    }

    pub fn path(&self, when: When) -> PathBuf {
        self.folder.path().join(match when {
            When::Earlier => "earlier",
            When::Now => "now",
        })
    }
}

/// Which of the two copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Earlier,
    Now,
}

/// A copy of the lived ledger in a folder of its own, an hour later.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub disk: Disk,
    pub diary: Diary,
}

impl Place {
    pub fn new() -> Self {
        let folder = some_folder();
        Lived::get().copy(When::Now, folder.path());
        let disk = Disk::new(folder.path(), 41, NOW_MS + 3_600_000);
        Self { folder, disk, diary: Lived::get().diary.copy() }
    }

    /// As one whose rows the test damages.
    pub fn with_damaged_rows(self) -> Self {
        Self { disk: self.disk.with_damaged_rows(), ..self }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn log(&self) -> Vec<Line> {
        read_log(&self.disk.env(), &self.path("l")).unwrap()
    }

    /// The error with which a start refuses.
    pub fn refusal(&self) -> Error {
        let opened = in_runtime(Ledger::open(self.disk.places(), self.disk.env()));
        opened.err().expect("the start refuses")
    }

    pub fn repair(&self, what: Repair) -> Result<RepairDone> {
        let kind = match what {
            Repair::Log => EntryKind::INTEGRITY_REPAIRED,
            Repair::AcceptHead => EntryKind::HEAD_FILE_REBUILT,
            Repair::AcceptVault => EntryKind::INTEGRITY_FAILED,
            other => panic!("{other:?} has no entry in this table"),
        };
        self.diary.begin(&[kind]);
        in_runtime(Ledger::repair(self.disk.places(), self.disk.env(), what, &ann()))
    }

    /// Everything is there, works, and verifies; the log as it is then.
    pub fn audit(&self, words: &str) -> Vec<Line> {
        audit_machine(&self.disk, &self.diary, &[], 7, words).1
    }
}

async fn live(folder: &Path, diary: &Diary) -> Result<()> {
    let disk = Disk::new(&folder.join("now"), 31, NOW_MS);
    diary.begin(&[EntryKind::GENESIS]);
    let ledger = Ledger::create(disk.places(), disk.env(), "test", true).await?;
    diary.set_created();
    let mut work = diary.with(&ledger);
    for content in Material::get().small.iter().chain(&Material::get().captured) {
        work.save(content).await?;
    }
    work.who.purpose = Some(vec![b'w'; WORDS_BYTES]);
    for _ in 0..22 {
        work.list().await?;
    }
    ledger.close().await?;
    copy_folder(&folder.join("now"), &folder.join("earlier"));

    disk.stage("second session");
    let ledger = Ledger::open(disk.places(), disk.env()).await?;
    let work = diary.with(&ledger);
    work.save(&Material::get().late).await?;
    work.save(&Content::small("of a new class", "mifid", 3, 500)).await?;
    work.read(&diary.kept()[3].tape).await?;
    work.custody(&diary.kept()[0]).await?;
    ledger.close().await
}

//! A ledger on the real disk that has lived: two segments, two sessions, captured and small tapes. Made once.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use immutape::error::Result;
use immutape::ledger::Ledger;
use immutape::log::EntryKind;

use super::content::{Content, Material};
use super::diary::Diary;
use super::disk::{Disk, copy_folder, some_folder};
use super::world::{Machine, NOW_MS, in_runtime};

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

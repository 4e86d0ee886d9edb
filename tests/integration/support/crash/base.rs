//! A ledger that was made and closed in order, to begin from.

use std::sync::Arc;

use immutape::ledger::Ledger;
use immutape::log::EntryKind;
use immutape::store::memory::rows::MemoryRows;

use super::content::Content;
use super::diary::Diary;
use super::world::{Machine, NOW_MS, World, copy_rows, in_runtime};
use crate::support::sim_files::{SimFiles, Survive};

/// Its disk, its rows and its diary.
pub struct Base {
    image: SimFiles,
    rows: Arc<MemoryRows>,
    diary: Diary,
}

impl Base {
    /// As [`Base::make`], from outside a runtime.
    pub fn with_tapes(tapes: usize) -> Self {
        in_runtime(Self::make(tapes))
    }

    /// With so many small tapes, of which the diary remembers the first few.
    pub async fn make(tapes: usize) -> Self {
        const REMEMBERED: usize = 4;
        let (world, diary) = (World::new(77), Diary::default());
        diary.begin(&[EntryKind::GENESIS]);
        let ledger = Ledger::create(world.places(), world.env(), "test", true).await.unwrap();
        diary.set_created();
        for n in 0..tapes {
            diary.with(&ledger).save(&Content::small(&format!("base {n}"), "draft", 3, 200)).await.unwrap();
        }
        ledger.close().await.unwrap();
        diary.remember_only(REMEMBERED);
        Self { image: world.sim.crash_image(Survive::Nothing), rows: copy_rows(&*world.rows), diary }
    }

    /// A machine of its own with this ledger, half an hour later.
    pub fn machine(&self, seed: u64) -> (World, Diary) {
        let image = self.image.crash_image(Survive::Nothing);
        (World::on(image, copy_rows(&*self.rows), seed, NOW_MS + 1_800_000), self.diary.copy())
    }
}

//! The life of a ledger from its making to its repair, stage by stage; ends at the first error.

use std::sync::Arc;

use immutape::codec::digest::CustodyId;
use immutape::error::Result;
use immutape::ledger::{Ledger, Repair, RepairDone};
use immutape::log::EntryKind;
use immutape::store::memory::rows::MemoryRows;

use super::content::Material;
use super::diary::Diary;
use super::world::{Machine, World, copy_rows};
use crate::support::ledgers::ann;

/// The stages in order. What the test itself breaks is no stage.
pub const STAGES: [&str; 19] = [
    "create",
    "save",
    "save captured",
    "save together",
    "save again",
    "save with source",
    "label",
    "list",
    "read",
    "read and leave",
    "delete",
    "custody",
    "read log",
    "verify",
    "next segment",
    "close",
    "open again",
    "mend log",
    "accept head",
];

/// Entries with so many words fill a segment soon.
const WORDS_BYTES: usize = 50_000;

/// Lives the whole story. Copies of the rows are left in `rows`, one for each stage, for a start with older ones.
pub async fn story(world: &World, diary: &Diary, rows: &mut Vec<Arc<MemoryRows>>) -> Result<()> {
    let mut stage = |name: &str| {
        world.stage(name);
        rows.push(copy_rows(&*world.rows));
    };
    stage("create");
    diary.begin(&[EntryKind::GENESIS]);
    let ledger = Ledger::create(world.places(), world.env(), "test", true).await?;
    diary.set_created();
    let work = diary.with(&ledger);
    stage("save");
    for content in &Material::get().small {
        work.save(content).await?;
    }
    stage("save captured");
    for content in &Material::get().captured {
        work.save(content).await?;
    }
    stage("save together");
    let [a, b, c] = [0, 1, 2].map(|n| &Material::get().together[n]);
    let (a, b, c, again) = tokio::join!(work.save(a), work.save(b), work.save(c), work.save(a));
    a.and(b).and(c).and(again)?;
    stage("save again");
    for content in &Material::get().small {
        assert!(work.save(content).await?.already_kept);
    }
    stage("save with source");
    for content in &Material::get().sourced {
        work.save(content).await?;
    }
    stage("label");
    let kept = diary.kept();
    for (n, kept) in [&kept[0], &kept[1], &kept[0], &kept[3]].into_iter().enumerate() {
        work.label(kept, &format!("name {n}")).await?;
    }
    stage("list");
    for _ in 0..3 {
        assert_eq!(work.list().await?.len(), 10);
    }
    stage("read");
    for kept in &kept[..4] {
        assert_eq!(work.read(&kept.tape).await?, kept.content.frames);
    }
    stage("read and leave");
    work.read_and_leave(&kept[1].tape).await?;
    work.read_and_leave(&kept[2].tape).await?;
    stage("delete");
    for kept in &kept[..4] {
        work.delete(kept).await?;
    }
    stage("custody");
    for kept in &kept[..3] {
        assert!(work.custody(kept).await?.is_unbroken());
    }
    stage("read log");
    work.read_log().await?;
    work.read_log().await?;
    stage("verify");
    for _ in 0..4 {
        work.verify().await?;
    }
    stage("next segment");
    let mut wordy = diary.with(&ledger);
    wordy.who.purpose = Some(vec![b'w'; WORDS_BYTES]);
    for _ in 0..22 {
        wordy.list().await?;
    }
    stage("close");
    ledger.close().await?;
    reopened(world, diary, &mut stage).await
}

async fn reopened(world: &World, diary: &Diary, stage: &mut impl FnMut(&str)) -> Result<()> {
    stage("open again");
    let ledger = Ledger::open(world.places(), world.env()).await?;
    let work = diary.with(&ledger);
    work.save(&Material::get().late).await?;
    work.read(&diary.kept()[0].tape).await?;
    ledger.close().await?;

    // One bit in the middle of the first segment; sled's copy is whole.
    world.sim.edit("l/journal/00000001.seg", |bytes| bytes[40_000] ^= 0x10);
    stage("mend log");
    let ticket = diary.begin(&[EntryKind::INTEGRITY_REPAIRED]);
    let done = Ledger::repair(world.places(), world.env(), Repair::Log, &ann()).await?;
    assert!(matches!(done, RepairDone::Journal { from_segment: 1, .. }), "{done:?}");
    diary.answered(ticket, EntryKind::INTEGRITY_REPAIRED, None, CustodyId::LEDGER);

    let head = world.state_path("head").unwrap();
    world.sim.edit(head, |bytes| bytes.truncate(100));
    stage("accept head");
    let ticket = diary.begin(&[EntryKind::HEAD_FILE_REBUILT]);
    let done = Ledger::repair(world.places(), world.env(), Repair::AcceptHead, &ann()).await?;
    assert!(matches!(done, RepairDone::Head { .. }), "{done:?}");
    diary.answered(ticket, EntryKind::HEAD_FILE_REBUILT, None, CustodyId::LEDGER);
    Ok(())
}

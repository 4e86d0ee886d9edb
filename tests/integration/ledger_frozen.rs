//! No byte of content leaves before the entry that grants it is durable: with every sync waiting, or failing,
//! nobody is handed a reader, a list, an entry or a custody report, and nothing is read from the packs.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use immutape::Code;
use immutape::ledger::{Event, FrameSelection, Ledger, Observer};
use immutape::log::EntryKind;

use crate::support::crash::{Base, Content, Kept, Machine, Syncs, Watched, World, copy_rows, read_log};
use crate::support::ledgers::ann;
use crate::support::sim_files::{SimFiles, Survive};

/// A ledger that is open on watched files, one entry into its term, and what it keeps.
async fn opened(base: &Base) -> (World, Watched, Ledger, Vec<Kept>) {
    let (world, diary) = base.machine(5);
    let watched = Watched::over(&world.sim);
    let ledger = Ledger::open(world.places(), world.env_with(Arc::new(watched.clone()))).await.unwrap();
    ledger.list(&ann()).await.unwrap();
    (world, watched, ledger, diary.kept())
}

/// Does the durable part of the disk hold a grant about this tape?
fn grants_on_disk(sim: &SimFiles, world: &World) -> usize {
    let later = World::on(sim.crash_image(Survive::Nothing), copy_rows(&*world.rows), 9, crate::support::crash::NOW_MS);
    let log = read_log(&later.env(), &world.places().ledger).unwrap();
    log.iter().filter(|line| line.kind == EntryKind::ACCESS_GRANTED).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_leaves_while_syncs_wait() {
    let base = Base::make(4).await;
    let (world, watched, ledger, kept) = opened(&base).await;
    let granted = grants_on_disk(&world.sim, &world);
    watched.set(Syncs::Wait);
    let before = watched.pack_reads();
    let readers: Vec<_> = (0..8)
        .map(|n| {
            let (ledger, tape) = (ledger.clone(), kept[n % kept.len()].tape.to_hex());
            tokio::spawn(async move { ledger.open_tape(&ann(), &tape, None).await })
        })
        .collect();
    let (lister, logger, reporter) = (ledger.clone(), ledger.clone(), ledger.clone());
    let list = tokio::spawn(async move { lister.list(&ann()).await });
    let log = tokio::spawn(async move { logger.log(&ann(), 0..3).await });
    let tape = kept[0].tape.to_hex();
    let custody = tokio::spawn(async move { reporter.custody(&ann(), &tape).await });

    let waiting = watched.clone();
    assert!(tokio::task::spawn_blocking(move || waiting.waiting()).await.unwrap() > 0, "a sync waits");
    // Time for an answer that would come too early; no more is asked of the clock.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(readers.iter().all(|reader| !reader.is_finished()), "a reader was handed out");
    assert!(!list.is_finished() && !log.is_finished() && !custody.is_finished());
    assert_eq!(watched.pack_reads(), before, "content was touched before its entry was durable");
    assert_eq!(grants_on_disk(&world.sim, &world), granted);

    watched.set(Syncs::Pass);
    for (n, reader) in readers.into_iter().enumerate() {
        let reader = reader.await.unwrap().unwrap();
        assert!(grants_on_disk(&world.sim, &world) > granted);
        assert_eq!(reader.collect(FrameSelection::All).unwrap(), kept[n % kept.len()].content.frames);
        reader.finish().await.unwrap();
    }
    list.await.unwrap().unwrap();
    log.await.unwrap().unwrap();
    custody.await.unwrap().unwrap();
    assert!(watched.pack_reads() > before, "the count is of the reads it should be of");
    assert_eq!(grants_on_disk(&world.sim, &world), granted + 8);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn nothing_leaves_when_syncs_fail() {
    let base = Base::make(4).await;
    for act in 0..5 {
        let (world, watched, ledger, kept) = opened(&base).await;
        let early = ledger.open_tape(&ann(), &kept[1].tape.to_hex(), None).await.unwrap();
        let granted = grants_on_disk(&world.sim, &world);
        watched.set(Syncs::Fail);
        let before = watched.pack_reads();
        let tape = kept[0].tape.to_hex();
        let code = match act {
            0 => ledger.open_tape(&ann(), &tape, None).await.err(),
            1 => ledger.list(&ann()).await.err(),
            2 => ledger.log(&ann(), 0..9).await.err(),
            3 => ledger.custody(&ann(), &tape).await.err(),
            _ => ledger.delete(&ann(), &tape).await.err(),
        };
        assert_eq!(code.map(|e| e.code()), Some(Code::InDoubt));
        watched.set(Syncs::Pass);
        // The disk is well again, and this handle stays dead.
        assert_eq!(ledger.open_tape(&ann(), &tape, None).await.err().map(|e| e.code()), Some(Code::Broken));
        assert_eq!(ledger.list(&ann()).await.err().map(|e| e.code()), Some(Code::Broken));
        let mut frames = 0;
        let given = early.frames(FrameSelection::All, &mut |_| {
            frames += 1;
            Ok(())
        });
        assert_eq!((given.err().map(|e| e.code()), frames), (Some(Code::Broken), 0));
        assert_eq!(watched.pack_reads(), before, "content was touched without an entry");
        assert_eq!(grants_on_disk(&world.sim, &world), granted);
    }
}

/// Hears what happens, in order.
#[derive(Default)]
struct Ear(Mutex<Vec<Event>>);

impl Observer for Ear {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

/// Work that waits for the same commit as a save whose objects cannot be made durable is not committed without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_committed_once_a_sync_failed() {
    let base = Base::make(4).await;
    let (world, diary) = base.machine(6);
    let (watched, ear) = (Watched::over(&world.sim), Arc::new(Ear::default()));
    let env = world.env_with(Arc::new(watched.clone())).observer(ear.clone());
    let ledger = Ledger::open(world.places(), env).await.unwrap();
    ledger.list(&ann()).await.unwrap();
    watched.set(Syncs::Wait);
    let first = ledger.clone();
    let first = tokio::spawn(async move { first.list(&ann()).await });
    let waiting = watched.clone();
    assert!(tokio::task::spawn_blocking(move || waiting.waiting()).await.unwrap() > 0);
    // These gather behind the one that waits.
    let (saver, tape) = (ledger.clone(), diary.kept()[0].tape.to_hex());
    let save = tokio::spawn(async move {
        let content = Content::small("unlucky", "draft", 2, 50);
        let mut saver = saver.begin_save(&ann(), Default::default()).await?;
        content.frames.iter().try_for_each(|frame| saver.frame(frame))?;
        saver.finish(content.header.clone()).await
    });
    let others: Vec<_> = (0..4)
        .map(|_| {
            let (ledger, tape) = (ledger.clone(), tape.clone());
            tokio::spawn(async move { ledger.open_tape(&ann(), &tape, None).await.map(|_| ()) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    watched.set(Syncs::FailPacks);
    first.await.unwrap().unwrap();
    assert_eq!(save.await.unwrap().err().map(|e| e.code()), Some(Code::Broken));
    for other in others {
        // Committed before the failure, or never.
        let _told = other.await.unwrap();
    }
    let events = ear.0.lock().unwrap().clone();
    let broke = events.iter().position(|event| *event == Event::Broken).expect("the handle broke");
    let after: Vec<_> = events[broke..].iter().filter(|e| matches!(e, Event::Committed { .. })).collect();
    assert!(after.is_empty(), "after its death the handle went on: {events:?}");
}

/// A tape whose syncs never return is not kept, and nobody was told that it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_save_waits_for_its_syncs() {
    let base = Base::make(4).await;
    let (world, watched, ledger, _) = opened(&base).await;
    watched.set(Syncs::Wait);
    let saver = ledger.clone();
    let save = tokio::spawn(async move {
        let content = Content::small("slow", "draft", 2, 50);
        let mut saver = saver.begin_save(&ann(), Default::default()).await?;
        for frame in &content.frames {
            saver.frame(frame)?;
        }
        saver.finish(content.header.clone()).await
    });
    let waiting = watched.clone();
    assert!(tokio::task::spawn_blocking(move || waiting.waiting()).await.unwrap() > 0);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!save.is_finished());
    let saves = |world: &World| {
        let image = world.sim.crash_image(Survive::Nothing);
        let later = World::on(image, copy_rows(&*world.rows), 9, crate::support::crash::NOW_MS);
        let log = read_log(&later.env(), &world.places().ledger).unwrap();
        log.iter().filter(|line| line.kind == EntryKind::TAPE_SAVED).count()
    };
    assert_eq!(saves(&world), 4);
    watched.set(Syncs::Pass);
    save.await.unwrap().unwrap();
    assert_eq!(saves(&world), 5);
    ledger.close().await.unwrap();
}

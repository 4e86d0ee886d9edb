//! Spools that cannot be locked, listed, opened or read, keys that are gone, and a spool that could not be put aside: nothing is
//! sealed twice, nothing is lost, and one recording keeps none of the others from anything.

use immutape::Code;
use immutape::capture::{LedgerAccess, Recovered, StreamingTapeReader, recover};
use immutape::codec::digest::CustodyId;
use immutape::evidence::{Severity, Verdict};
use immutape::ledger::{CheckOptions, Checker, Ledger};
use immutape::log::EntryKind;
use immutape::seal::live_key_id;
use immutape::store::files::Files as _;
use immutape::tape::EndState;

use crate::support::crash::{Base, Machine as _, World};
use crate::support::ledgers::ann;
use crate::support::recordings::{Answers, Recording, judge, kept};
use crate::support::sim_files::Kind;
use crate::support::spools::{Breaks, Call};

const NAMES: [&str; 2] = ["first", "second"];
const FRAMES: u64 = 3;

/// A machine with two recordings whose recorders are gone, of which the log has a mark.
async fn machine(answers: &Answers) -> (World, Breaks, [CustodyId; 2]) {
    let (world, _) = Base::make(0).await.machine(7);
    let ledger = Ledger::open(world.places(), world.env()).await.unwrap();
    let mut custodies = Vec::new();
    for name in NAMES {
        let access = LedgerAccess::open(ledger.clone());
        let it = Recording::begin(access, answers, name, world.clock.clone(), |_| {}).await.unwrap();
        for _ in 0..FRAMES {
            it.write().await.unwrap();
        }
        it.checkpoint().await.unwrap().unwrap();
        custodies.push(it.writer.custody());
    }
    ledger.close().await.unwrap();
    (world, Breaks::default(), [custodies[0], custodies[1]])
}

async fn opened(world: &World, breaks: &Breaks) -> Ledger {
    Ledger::open(world.places(), breaks.through(world.env())).await.unwrap()
}

/// Those that became tapes, and those that did not, with the reason.
fn came(found: &[Recovered]) -> (Vec<CustodyId>, Vec<(CustodyId, Code)>) {
    let (mut sealed, mut failed) = (Vec::new(), Vec::new());
    for one in found {
        match one {
            Recovered::Sealed { custody, receipt, .. } => {
                assert_eq!(receipt.frames, FRAMES);
                sealed.push(*custody);
            }
            Recovered::Failed { custody, error } => failed.push((*custody, error.code())),
            other => panic!("{other:?}"),
        }
    }
    (sealed, failed)
}

fn saved_entries(log: &[immutape::ledger::LogLine], custody: &CustodyId) -> usize {
    log.iter().filter(|line| line.kind == EntryKind::TAPE_SAVED && line.subject == *custody).count()
}

/// Both recordings are tapes of all their frames, each sealed once; nothing is left in the spool, and nothing is wrong.
async fn is_whole(ledger: Ledger, answers: &Answers, custodies: &[CustodyId]) {
    assert_eq!(ledger.spooled().unwrap(), []);
    let tapes = kept(&ledger).await.unwrap();
    judge(&tapes, answers, "both");
    let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
    assert!(custodies.iter().all(|custody| saved_entries(&log, custody) == 1));
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_spool_that_cannot_be_locked_listed_opened_or_read_is_sealed_by_a_later_start() {
    for call in Call::READS {
        // Of all calls of one recovery each fails once.
        for pass in 0.. {
            let answers = Answers::default();
            let (world, breaks, custodies) = machine(&answers).await;
            let ledger = opened(&world, &breaks).await;
            let size = ledger.size();
            breaks.fail(call, pass);
            let found = recover(&ledger, &ann()).await;
            if breaks.happened() == 0 {
                assert!(pass >= 1, "{call:?} was never asked");
                breaks.heal();
                is_whole(ledger, &answers, &custodies).await;
                break;
            }
            if call == Call::Recordings {
                assert_eq!((found.unwrap_err().code(), ledger.size()), (Code::Io, size), "nothing was begun");
            } else {
                let (sealed, failed) = came(&found.unwrap());
                assert_eq!((sealed.len(), failed.len()), (1, 1), "{call:?} {pass}: the other one was sealed");
                assert_eq!(failed[0].1, Code::Io, "{call:?} {pass}");
                assert_eq!(ledger.spooled().unwrap(), [failed[0].0], "and this one is where it was");
            }
            // Nothing was torn by it: the same process can do it, or the next.
            let (sealed, failed) = came(&recover(&ledger, &ann()).await.unwrap());
            assert_eq!(
                (sealed.len(), failed),
                (if call == Call::Recordings { 2 } else { 1 }, vec![]),
                "{call:?} {pass}"
            );
            is_whole(ledger, &answers, &custodies).await;
        }
    }
}

#[tokio::test]
async fn a_recording_that_cannot_be_read_is_listed_and_hides_no_other() {
    for call in [Call::Reader, Call::Piece] {
        let answers = Answers::default();
        let (world, breaks, custodies) = machine(&answers).await;
        let ledger = opened(&world, &breaks).await;
        breaks.fail(call, 0);
        let (listed, _) = ledger.list_live(&ann()).await.unwrap();
        assert_eq!(breaks.happened(), 1);
        let mut known: Vec<_> = listed.iter().map(|l| (l.header.is_some(), l.frames, l.is_more)).collect();
        known.sort_unstable();
        assert_eq!(
            known,
            [(false, FRAMES, true), (true, FRAMES, false)],
            "{call:?}: the mark of the log says how many"
        );
        assert!(listed.iter().all(|line| custodies.contains(&line.custody) && !line.is_live));
        ledger.close().await.unwrap();
    }
    for call in [Call::Recordings, Call::Hold] {
        let answers = Answers::default();
        let (world, breaks, _) = machine(&answers).await;
        let ledger = opened(&world, &breaks).await;
        breaks.fail(call, 0);
        assert_eq!(ledger.list_live(&ann()).await.unwrap_err().code(), Code::Io, "{call:?}");
        assert_eq!((breaks.happened(), ledger.list_live(&ann()).await.unwrap().0.len()), (1, 2));
        ledger.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_follower_is_told_when_a_spool_cannot_be_read_and_goes_on_behind_it() {
    let answers = Answers::default();
    let (world, breaks, custodies) = machine(&answers).await;
    let ledger = opened(&world, &breaks).await;
    let access = LedgerAccess::open(ledger.clone());
    let id = custodies[0].to_hex();
    let size = ledger.size();
    for call in [Call::Recordings, Call::Reader] {
        breaks.fail(call, 0);
        let refused = StreamingTapeReader::open(access.clone(), ann(), &id).await.err();
        assert_eq!(refused.map(|e| e.code()), Some(Code::Io), "{call:?}");
        assert_eq!(ledger.size(), size, "nobody was given anything, and no entry says so");
    }
    let mut reader = StreamingTapeReader::open(access, ann(), &id).await.unwrap();
    let mut frames = 0;
    let mut faults = 0;
    for n in 0..20 {
        if n % 2 == 0 {
            breaks.fail(Call::Piece, 0);
        }
        match reader.next_frame().await {
            Ok(Some(frame)) => {
                assert_eq!(crate::support::recordings::number(&frame), frames, "once, and in order");
                frames += 1;
            }
            Ok(None) => {}
            Err(e) => {
                assert_eq!(e.code(), Code::Io);
                faults += 1;
            }
        }
    }
    assert!(frames == FRAMES && faults > 1, "{frames} frames, {faults} faults");
    reader.close().await.unwrap();
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_recording_whose_spool_cannot_be_begun_leaves_nothing() {
    for call in [Call::Hold, Call::Append, Call::Sync] {
        let (world, _) = Base::make(0).await.machine(8);
        let breaks = Breaks::default();
        let ledger = opened(&world, &breaks).await;
        let (answers, size) = (Answers::default(), ledger.size());
        let begin = || {
            let access = LedgerAccess::open(ledger.clone());
            Recording::begin(access, &answers, "it", world.clock.clone(), |_| {})
        };
        breaks.fail(call, 0);
        let refused = begin().await.err();
        assert_eq!((refused.map(|e| e.code()), breaks.happened()), (Some(Code::Io), 1), "{call:?}");
        assert_eq!(ledger.size(), size, "{call:?}: nothing was opened");
        assert!(recover(&ledger, &ann()).await.unwrap().is_empty(), "{call:?}");
        let it = begin().await.unwrap();
        it.write().await.unwrap();
        it.finish(EndState::Clean).await.unwrap();
        let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
        assert_eq!((ledger.spooled().unwrap(), report.verdict()), (vec![], Verdict::Intact), "{call:?}");
        ledger.close().await.unwrap();
    }
}

/// What the check says when it cannot look: never that nothing is wrong.
#[tokio::test]
async fn a_check_that_cannot_look_into_a_spool_says_so() {
    for (call, severity) in
        [(Call::Recordings, Severity::Gap), (Call::Reader, Severity::Altered), (Call::Piece, Severity::Altered)]
    {
        let answers = Answers::default();
        let (world, breaks, _) = machine(&answers).await;
        breaks.fail(call, 0);
        let report =
            Checker::open(&world.places(), &breaks.through(world.env())).unwrap().run(&CheckOptions::default());
        assert_eq!(breaks.happened(), 1);
        let told: Vec<_> =
            report.findings.iter().filter(|f| f.part == "recordings" && f.severity == severity).collect();
        assert!(
            told.len() == 1 && told[0].what.contains("a fault made by the test"),
            "{call:?}: {:#?}",
            report.findings
        );
    }
}

/// The key of a recording is in the vault from its opening on; without it nothing of the spool can be read by anybody.
#[tokio::test]
async fn a_recording_whose_key_is_gone_is_told_by_the_check_and_hinders_no_other() {
    let answers = Answers::default();
    let (world, breaks, custodies) = machine(&answers).await;
    let slots = world.sim.operations();
    let vaults: std::collections::BTreeSet<_> = slots
        .iter()
        .filter(|o| o.kind == Kind::Write && o.path.to_string_lossy().contains("vault"))
        .map(|o| &o.path)
        .collect();
    let id = live_key_id(&custodies[0]);
    let mut gone = 0;
    for path in vaults.into_iter().filter(|path| world.sim.exists(path).unwrap()) {
        world.sim.edit(path, |bytes| {
            for slot in bytes.chunks_exact_mut(144).filter(|slot| slot.starts_with(id.as_ref())) {
                slot.fill(0);
                gone += 1;
            }
        });
    }
    assert_eq!(gone, 1, "its key was to be in the vault, once");
    let report = Checker::open(&world.places(), &world.env()).unwrap().run(&CheckOptions::default());
    assert_eq!(report.verdict(), Verdict::Missing);
    let told: Vec<_> =
        report.findings.iter().filter(|f| f.part == "recordings" && f.severity == Severity::Altered).collect();
    assert!(
        told.len() == 1
            && told[0].place.ends_with(&custodies[0].to_hex())
            && told[0].what.contains("can never be sealed"),
        "{:#?}",
        report.findings
    );
    let ledger = opened(&world, &breaks).await;
    let (listed, _) = ledger.list_live(&ann()).await.unwrap();
    let known =
        |custody| listed.iter().find(|l| l.custody == custody).map(|l| (l.header.is_some(), l.frames, l.is_more));
    assert_eq!((known(custodies[0]), known(custodies[1])), (Some((false, FRAMES, true)), Some((true, FRAMES, false))));
    let (sealed, failed) = came(&recover(&ledger, &ann()).await.unwrap());
    assert_eq!((sealed, failed.len(), failed[0].0), (vec![custodies[1]], 1, custodies[0]), "{failed:?}");
    assert_eq!(failed[0].1, Code::VaultDamaged);
    // Its spool stays, and each start says so again: a vault that comes back from a copy has the key.
    assert_eq!(ledger.spooled().unwrap(), [custodies[0]]);
    assert_eq!(came(&recover(&ledger, &ann()).await.unwrap()).1, failed);
    ledger.close().await.unwrap();
}

/// The tape and the word that the spool was not what the log says are one commit; what follows it may fail.
#[tokio::test]
async fn a_spool_that_cannot_be_put_aside_is_put_aside_by_the_next_start_and_sealed_once() {
    let answers = Answers::default();
    let (world, breaks, custodies) = machine(&answers).await;
    let path = std::path::Path::new("l/spool").join(custodies[0].to_hex());
    // The last of the frames that the log marked is cut off.
    let bytes = world.sim.contents(&path);
    let mut ends = vec![0];
    while let Some(head) = bytes[*ends.last().unwrap()..].first_chunk() {
        ends.push(ends.last().unwrap() + 12 + u32::from_be_bytes(*head) as usize);
    }
    assert!(ends.len() as u64 >= FRAMES + 2, "a piece for the beginning, and one for each frame");
    world.sim.edit(&path, |bytes| bytes.truncate(ends[FRAMES as usize]));
    let before = world.sim.contents(&path);
    let ledger = opened(&world, &breaks).await;
    breaks.fail(Call::PutAside, 0);
    let found = recover(&ledger, &ann()).await.unwrap();
    let sealed = found.iter().filter(|r| matches!(r, Recovered::Sealed { .. })).count();
    assert_eq!((breaks.happened(), sealed), (1, 2), "the tape is kept, whatever becomes of its spool: {found:?}");
    assert_eq!((ledger.spooled().unwrap(), world.sim.contents(&path)), (vec![custodies[0]], before.clone()));
    ledger.close().await.unwrap();
    let ledger = opened(&world, &breaks).await;
    let size = ledger.size();
    // Once more in vain, and then.
    breaks.fail(Call::PutAside, 0);
    let (sealed, failed) = came(&recover(&ledger, &ann()).await.unwrap());
    assert_eq!((sealed, failed, ledger.size()), (vec![], vec![(custodies[0], Code::Io)], size));
    assert_eq!(world.sim.contents(&path), before, "nothing of it is lost");
    let found = recover(&ledger, &ann()).await.unwrap();
    let [Recovered::PutAside { custody, .. }] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(*custody, custodies[0]);
    assert!(recover(&ledger, &ann()).await.unwrap().is_empty());
    assert_eq!(
        (breaks.happened(), ledger.spooled().unwrap(), ledger.size()),
        (2, vec![], size),
        "no entry, no second tape"
    );
    let aside = format!("l/quarantine/spool-{}.0", custodies[0].to_hex());
    assert_eq!(world.sim.contents(aside), before, "it can still be looked at");
    let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
    assert!(custodies.iter().all(|custody| saved_entries(&log, custody) == 1));
    let told = log.iter().filter(|l| l.kind == EntryKind::INTEGRITY_FAILED && l.subject == custodies[0]).count();
    assert_eq!(told, 1);
    ledger.close().await.unwrap();
}

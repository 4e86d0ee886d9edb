//! What happens between two others, each time: an end that comes while a part begins, and a sealing that comes while a check
//! looks. Whoever is to wait is held at a call of the store until the other is where it shall be.

use std::future::Future as _;
use std::pin::pin;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use immutape::capture::{Durability, LedgerAccess, RecordingOptions, recover};
use immutape::evidence::{Report, Severity, Verdict};
use immutape::ledger::{CheckOptions, Checker, Ledger};
use immutape::tape::EndState;

use crate::support::crash::{Base, Machine as _, World};
use crate::support::ledgers::ann;
use crate::support::recordings::{Answers, Recording, judge, kept, until};
use crate::support::spools::{Breaks, Call};

async fn opened() -> (World, Breaks, Ledger) {
    let (world, _) = Base::make(0).await.machine(9);
    let breaks = Breaks::default();
    let ledger = Ledger::open(world.places(), breaks.through(world.env())).await.unwrap();
    (world, breaks, ledger)
}

async fn begin<'a>(
    world: &World,
    ledger: &Ledger,
    answers: &'a Answers,
    change: impl FnOnce(&mut RecordingOptions),
) -> Recording<'a> {
    Recording::begin(LedgerAccess::open(ledger.clone()), answers, "it", world.clock.clone(), change).await.unwrap()
}

/// Held while the new part is opened, while the old one is about to be read, and when it is a tape whose spool is still there.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_end_waits_for_a_part_that_begins() {
    for call in [Call::Hold, Call::Reader, Call::Close] {
        let (world, breaks, ledger) = opened().await;
        let answers = Answers::default();
        let tiny = |o: &mut RecordingOptions| {
            (o.part_bytes, o.durability) = (1, Durability::Interval(Duration::from_millis(1)));
        };
        let it = begin(&world, &ledger, &answers, tiny).await;
        let ((held, is_held), (let_go, go)) = (channel(), channel::<()>());
        breaks.before(call, 0, move || {
            held.send(()).unwrap();
            go.recv().unwrap();
            Ok(())
        });
        // A frame makes the part too long, and another one begins.
        it.write().await.unwrap();
        it.flush().await.unwrap();
        assert!(until(|| breaks.happened() == 1).await, "{call:?}: no other part was begun");
        is_held.recv().unwrap();
        it.write().await.unwrap();
        {
            let mut ending = pin!(it.finish(EndState::Clean));
            let mut context = Context::from_waker(Waker::noop());
            // However long it is given: it has not ended before the part has begun and the one before is a tape.
            for _ in 0..20 {
                assert!(matches!(ending.as_mut().poll(&mut context), Poll::Pending), "{call:?}: the end did not wait");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let_go.send(()).unwrap();
            let finished = ending.await.unwrap();
            assert_eq!(finished.parts.len(), 1, "{call:?}");
            assert_eq!(finished.header.continues, Some(finished.parts[0].tape), "{call:?}: sealed in order");
            assert_eq!((finished.parts[0].frames + finished.receipt.frames, finished.header.gaps.len()), (2, 0));
        }
        assert!(recover(&ledger, &ann()).await.unwrap().is_empty(), "{call:?}: something was left open");
        assert_eq!(ledger.spooled().unwrap(), []);
        judge(&kept(&ledger).await.unwrap(), &answers, "it");
        let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
        assert_eq!(report.verdict(), Verdict::Intact, "{call:?}: {report:#?}");
        ledger.close().await.unwrap();
    }
}

/// Who checks.
#[derive(Debug, Clone, Copy)]
enum Who {
    /// The process that records.
    Itself,
    /// Another, by the files alone.
    Another,
}

async fn checked(who: Who, world: &World, breaks: &Breaks, ledger: &Ledger) -> Report {
    match who {
        Who::Itself => ledger.verify(&ann(), CheckOptions::default()).await.unwrap().0,
        Who::Another => {
            let subject = ledger.begin_check(&ann(), None).await.unwrap();
            let checker = Checker::open(&world.places(), &breaks.through(world.env())).unwrap();
            tokio::task::spawn_blocking(move || checker.run_for(subject, false).unwrap().0).await.unwrap()
        }
    }
}

/// A check that came as far as the list of spools, as one of them, or as a piece of it, while the recording becomes a tape and its
/// spool is removed.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_check_does_not_take_what_is_sealed_beside_it_for_an_alteration() {
    for (call, pass) in [(Call::Recordings, 0), (Call::Reader, 0), (Call::Piece, 0), (Call::Piece, 2)] {
        for who in [Who::Itself, Who::Another] {
            let (world, breaks, ledger) = opened().await;
            let answers = Answers::default();
            let it = begin(&world, &ledger, &answers, |_| {}).await;
            for _ in 0..3 {
                it.write().await.unwrap();
            }
            it.checkpoint().await.unwrap().unwrap();
            let ((ask, asked), (done, is_done)) = (channel(), channel::<()>());
            breaks.before(call, pass, move || {
                ask.send(()).unwrap();
                is_done.recv().unwrap();
                Ok(())
            });
            let checking = async { checked(who, &world, &breaks, &ledger).await };
            let sealing = async {
                let asked = tokio::task::spawn_blocking(move || asked.recv().unwrap());
                asked.await.unwrap();
                it.finish(EndState::Clean).await.unwrap();
                assert_eq!(ledger.spooled().unwrap(), [], "{call:?} {who:?}: the spool was to be gone");
                done.send(()).unwrap();
            };
            let (report, ()) = tokio::join!(checking, sealing);
            let words = format!("{call:?} {pass} {who:?}");
            assert_eq!(breaks.happened(), 1, "{words}");
            // Another process cannot look at the rows meanwhile, and says so.
            let expected = match who {
                // What was not sealed yet when it was looked for is told as that.
                _ if report.findings.iter().any(|f| f.part == "recordings") => Verdict::UnsealedTail,
                Who::Itself => Verdict::Intact,
                Who::Another => Verdict::IntactWithGaps,
            };
            let wrong = report.findings.iter().any(|f| f.part == "recordings" && f.severity != Severity::Note);
            assert_eq!((report.verdict(), wrong), (expected, false), "{words}: {report:#?}");
            judge(&kept(&ledger).await.unwrap(), &answers, &words);
            ledger.close().await.unwrap();
        }
    }
}

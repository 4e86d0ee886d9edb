//! The journal stopped at every operation, with every kind of loss: what was acknowledged is there,
//! and nothing else is but the one group that was on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;

use immutape::codec::extent::Group;
use immutape::error::Code;
use immutape::store::Journal;
use immutape::store::conformance::journal::material::{Draft, append, read_all};

use crate::support::journals::{open, reopen};
use crate::support::sim_files::{Effect, Kind, SimFiles, Survive};

const GROUPS: u64 = 20;

/// What a history did before it ended.
#[derive(Default)]
struct Done {
    acknowledged: Vec<Vec<u8>>,
    /// Given to `append`, answer unknown.
    on_its_way: Option<Vec<u8>>,
}

/// Two sessions of ten groups, the first closed in order, through two segments; ends at the first error.
fn history(sim: &SimFiles) -> Done {
    let mut done = Done::default();
    let _ended_early = run(sim, &mut done);
    done
}

fn run(sim: &SimFiles, done: &mut Done) -> immutape::Result<()> {
    for session in 0..2 {
        sim.set_stage("acquire");
        let journal = reopen(sim);
        journal.acquire()?;
        for n in session * GROUPS / 2..(session + 1) * GROUPS / 2 {
            let closed = n + 1 == GROUPS / 2;
            let draft = Draft { first_index: n, count: 1, entry_bytes: if n % 5 == 4 { 300_000 } else { 700 }, closed };
            sim.set_stage("place");
            let place = journal.place(draft.extent_bytes())?;
            let extent = draft.seal(&place);
            sim.set_stage("append");
            done.on_its_way = Some(extent.clone());
            journal.append(&extent)?;
            done.on_its_way = None;
            done.acknowledged.push(extent);
        }
    }
    Ok(())
}

/// Opens what is left, checks it against what was done, goes on, and checks again.
fn check(image: &SimFiles, done: &Done, words: &str) -> Outcome {
    let reader = reopen(image);
    let before = read_all(&reader).unwrap_or_else(|e| panic!("{words}: reading: {e}"));
    let journal = reopen(image);
    let tail = journal.acquire().unwrap_or_else(|e| panic!("{words}: acquiring: {e}"));
    let found = read_all(&journal).unwrap();
    assert!(before == found, "{words}: acquisition changed what readers see");
    assert!(found.starts_with(&done.acknowledged), "{words}: lost an acknowledged group");
    let extra = &found[done.acknowledged.len()..];
    assert!(extra.len() <= 1 && extra.first().is_none_or(|e| Some(e) == done.on_its_way.as_ref()), "{words}: invented");
    let last = found.last().map(|extent| *Group::parse(extent).unwrap().header());
    assert_eq!(tail.last, last, "{words}");

    let mut expected = found.clone();
    let size = tail.last.map_or(0, |last| last.size_after());
    for index in [size, size + 1] {
        expected.push(append(&journal, &Draft::small(index)).unwrap());
    }
    drop(journal);
    let later = image.crash_image(Survive::Nothing);
    let journal = reopen(&later);
    assert!(read_all(&journal).unwrap() == expected, "{words}: lost what was appended after the crash");
    assert!(journal.acquire().unwrap().tears.is_empty(), "{words}: a tear that was dropped came back");
    let named = journal.survey().unwrap().tears;
    assert!(named.ends_with(&tail.tears), "{words}: a tear was reported and forgotten");
    Outcome { kept_unacknowledged: !extra.is_empty(), tears: tail.tears.len() }
}

#[derive(Clone, Copy)]
struct Outcome {
    kept_unacknowledged: bool,
    tears: usize,
}

/// Losses by whole sectors: a sector is written or not (docs/format/store-embedded.md section 4).
fn losses() -> Vec<Survive> {
    let masks = [!1, 1, !2, 0x5555_5555_5555_5555, !0 >> 32].map(Survive::LastWriteSectors);
    let prefixes = [512, 1024, 4096, 1 << 18].map(Survive::LastWriteFirstBytes);
    let fixed = [Survive::Nothing, Survive::Everything, Survive::First(1), Survive::First(2)];
    fixed.into_iter().chain(masks).chain(prefixes).chain((0..6).map(Survive::Random)).collect()
}

fn few_losses() -> [Survive; 6] {
    let masks = [!1, !2].map(Survive::LastWriteSectors);
    [Survive::Nothing, Survive::Everything, masks[0], masks[1], Survive::Random(1), Survive::Random(2)]
}

#[test]
fn stopped_at_every_operation_with_every_loss() {
    let sim = SimFiles::new();
    let whole = history(&sim);
    assert_eq!(whole.acknowledged.len() as u64, GROUPS);
    let operations = sim.operations();
    assert_eq!(sim.faults_made(), 0);

    let mut stopped: BTreeMap<(Kind, Effect, String), u64> = BTreeMap::new();
    let (mut images, mut kept, mut torn) = (0, 0, 0);
    for operation in &operations {
        for effect in [Effect::Without, Effect::With, Effect::FirstBytes(512)] {
            if matches!(effect, Effect::FirstBytes(_)) && operation.kind != Kind::Write {
                continue;
            }
            let sim = SimFiles::new();
            sim.stop_at(operation.number, effect);
            let done = history(&sim);
            assert!(sim.has_stopped() && sim.faults_made() == 1);
            *stopped.entry((operation.kind, effect, operation.stage.clone())).or_default() += 1;
            let every = if sim.is_durable() { 1 } else { usize::MAX };
            for survive in losses().into_iter().take(every) {
                let words = format!("{operation:?} {effect:?} {survive:?}");
                let outcome = check(&sim.crash_image(survive), &done, &words);
                images += 1;
                kept += usize::from(outcome.kept_unacknowledged);
                torn += usize::from(outcome.tears > 0);
            }
        }
    }
    // The test reached what it is about: every kind of operation in every stage, both ends of a group.
    let reached: BTreeSet<(Kind, &str)> = stopped.keys().map(|(kind, _, stage)| (*kind, stage.as_str())).collect();
    for wanted in [
        (Kind::CreateDir, "acquire"),
        (Kind::Write, "acquire"),
        (Kind::Sync, "acquire"),
        (Kind::SyncDir, "acquire"),
        (Kind::Create, "place"),
        (Kind::Write, "place"),
        (Kind::Sync, "place"),
        (Kind::Rename, "place"),
        (Kind::SyncDir, "place"),
        (Kind::Write, "append"),
        (Kind::Sync, "append"),
    ] {
        assert!(reached.contains(&wanted), "{wanted:?} in {reached:?}");
    }
    assert!(images >= 1_500 && kept > 100 && torn > 100, "{images} images, {kept} kept, {torn} torn");
}

/// A second crash while the first is being mended, or at the first group after it.
#[test]
fn stopped_twice() {
    let sim = SimFiles::new();
    history(&sim);
    let operations = sim.operations();
    // Writes of groups, the first of a segment among them: only they leave something to mend.
    let writes: Vec<_> = operations.iter().filter(|op| op.kind == Kind::Write && op.stage == "append").collect();
    let firsts =
        [writes[0], writes[1], *writes.iter().find(|op| op.path.to_string_lossy().contains("00000002")).unwrap()];
    let (mut images, mut twice_torn) = (0, 0);
    for first in firsts {
        for left in [Survive::LastWriteSectors(!1), Survive::LastWriteSectors(!2), Survive::LastWriteSectors(0b110)] {
            let sim = SimFiles::new();
            sim.stop_at(first.number, Effect::With);
            let done = history(&sim);
            let mended = sim.crash_image(left);
            let (count, _) = second_session(&mended.crash_image(Survive::Nothing), None);
            for number in 0..count {
                let again = sim.crash_image(left);
                let (_, on_its_way) = second_session(&again, Some(number));
                let every = if again.is_durable() { 1 } else { usize::MAX };
                for survive in few_losses().into_iter().take(every) {
                    let words = format!("{first:?} {left:?}, then {number} {survive:?}");
                    let done = Done {
                        acknowledged: done.acknowledged.clone(),
                        on_its_way: on_its_way.clone().or_else(|| done.on_its_way.clone()),
                    };
                    let outcome = check(&again.crash_image(survive), &done, &words);
                    images += 1;
                    twice_torn += usize::from(outcome.tears == 2);
                }
            }
        }
    }
    assert!(images > 400 && twice_torn > 10, "{images} images, {twice_torn} with two tears");
}

/// Acquires and appends one group, stopped at an operation; operations made, and the group if it was begun.
fn second_session(sim: &SimFiles, stop: Option<u64>) -> (u64, Option<Vec<u8>>) {
    if let Some(number) = stop {
        sim.stop_at(number, Effect::With);
    }
    let mut on_its_way = None;
    let mut session = || -> immutape::Result<()> {
        let journal = reopen(sim);
        let tail = journal.acquire()?;
        let draft = Draft { count: 2, ..Draft::small(tail.last.map_or(0, |last| last.size_after())) };
        let extent = draft.seal(&journal.place(draft.extent_bytes())?);
        on_its_way = Some(extent.clone());
        journal.append(&extent)
    };
    assert_eq!(session().is_err(), stop.is_some());
    (sim.next_operation(), on_its_way)
}

/// An error at every operation, with and without its effect, while the machine goes on: the next
/// process on the same machine finds every acknowledged group, also after a power cut that takes
/// all that a failed sync only seemed to have written.
#[test]
fn failed_at_every_operation() {
    let sim = SimFiles::new();
    history(&sim);
    let mut codes: BTreeMap<Code, u64> = BTreeMap::new();
    for operation in sim.operations() {
        for effect in [Effect::Without, Effect::With, Effect::FirstBytes(512)] {
            for kind in [ErrorKind::TimedOut, ErrorKind::StorageFull] {
                let sim = SimFiles::new();
                sim.fail_at(operation.number, kind, effect);
                let mut done = Done::default();
                let ended = run(&sim, &mut done);
                assert_eq!(sim.faults_made(), 1, "{operation:?}");
                if let Err(e) = &ended {
                    *codes.entry(e.code()).or_default() += 1;
                }
                let words = format!("{operation:?} {effect:?} {kind:?} {ended:?}");
                check(&sim.crash_image(Survive::Nothing), &done, &words);
                check(&sim, &done, &words);
            }
        }
    }
    let seen: Vec<Code> = codes.keys().copied().collect();
    assert_eq!(seen, [Code::Io, Code::StoreFull, Code::InDoubt], "{codes:?}");
}

/// A disk that says "synced" and is not: whatever is lost, what remains is whole groups in order.
#[test]
fn a_lying_sync_loses_groups_but_never_mixes_them() {
    let sim = SimFiles::new();
    history(&sim);
    let syncs: Vec<_> =
        sim.operations().into_iter().filter(|op| op.kind == Kind::Sync && op.stage == "append").collect();
    let mut shorter = 0;
    for operation in &syncs {
        for survive in [Survive::Nothing, Survive::Random(1), Survive::Random(2)] {
            let sim = SimFiles::new();
            sim.lose_sync_at(operation.number);
            sim.stop_at(operation.number + 1, Effect::Without);
            let done = history(&sim);
            let image = sim.crash_image(survive);
            match open(&image).acquire() {
                Ok(_) => {
                    let found = read_all(&open(&image)).unwrap();
                    assert!(done.acknowledged.starts_with(&found) || found.starts_with(&done.acknowledged));
                    shorter += usize::from(found.len() < done.acknowledged.len());
                }
                Err(e) => assert_eq!(e.code(), Code::LogDamaged, "{operation:?} {survive:?}"),
            }
        }
    }
    assert!(shorter > 0);
}

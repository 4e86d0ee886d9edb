//! Recordings that are made while something goes wrong, what was answered about them, and a look at what is kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use immutape::capture::{
    Durability, LedgerAccess, OnStorageFailure, RecordingOptions, StreamingTapeReader, StreamingTapeWriter, recover,
};
use immutape::error::Result;
use immutape::ledger::{FrameSelection, Ledger};
use immutape::tape::{Direction, EndState, Frame, GapReason, Header};
use immutape::time::Clock;

use super::ledgers::ann;

/// Far beyond the length of any story: nothing is synced but what is asked for.
const NEVER: Duration = Duration::from_secs(5);

/// Frame number `n` of a recording; numbers are all that tells them apart.
pub fn frame(n: u64) -> Frame {
    let text = format!(r#"{{"jsonrpc":"2.0","id":{n},"method":"tools/call"}}"#);
    Frame::message(0, Direction::ClientToServer, text.into_bytes())
}

/// The number of such a frame.
pub fn number(frame: &Frame) -> u64 {
    let value: serde_json::Value = serde_json::from_slice(&frame.payload).unwrap();
    assert_eq!(frame.payload, self::frame(value["id"].as_u64().unwrap()).payload, "other bytes");
    value["id"].as_u64().unwrap()
}

/// What was answered about one recording.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Frames given, taken or not: their numbers count from 0.
    pub given: u64,
    /// Numbers of those that were said to be durable.
    pub durable: Vec<u64>,
    /// Taken, and not said to be durable yet.
    pub taken: Vec<u64>,
    /// Refused with an error: it may be there, and need not.
    pub refused: u64,
    /// It was ended, and its tape has an id.
    pub is_finished: bool,
}

/// What was answered about all of them, by name.
#[derive(Debug, Default)]
pub struct Answers(pub Mutex<BTreeMap<&'static str, Told>>);

impl Answers {
    fn of(&self, name: &'static str, change: impl FnOnce(&mut Told)) {
        change(self.0.lock().unwrap().entry(name).or_default());
    }
}

/// One recording of a story.
pub struct Recording<'a> {
    pub writer: StreamingTapeWriter,
    name: &'static str,
    answers: &'a Answers,
}

impl<'a> Recording<'a> {
    pub async fn begin(
        access: LedgerAccess,
        answers: &'a Answers,
        name: &'static str,
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&mut RecordingOptions),
    ) -> Result<Self> {
        let mut options = RecordingOptions::named(name);
        options.durability = Durability::Each;
        change(&mut options);
        let writer = StreamingTapeWriter::create(access, ann(), options, clock).await?;
        answers.of(name, |_| {});
        Ok(Self { writer, name, answers })
    }

    /// Gives the next frame.
    pub async fn write(&self) -> Result<Option<u64>> {
        let mut n = 0;
        self.answers.of(self.name, |told| (n, told.given) = (told.given, told.given + 1));
        let taken = self.writer.write_frame(frame(n)).await;
        self.answers.of(self.name, |told| told.refused += u64::from(taken.is_err()));
        let taken = taken?;
        let is_each = self.writer.durability() == Durability::Each;
        self.answers.of(self.name, |told| {
            let list = if is_each { &mut told.durable } else { &mut told.taken };
            list.extend(taken.map(|_| n));
        });
        Ok(taken)
    }

    pub async fn flush(&self) -> Result<()> {
        self.writer.flush().await?;
        self.answers.of(self.name, |told| told.durable.append(&mut told.taken));
        Ok(())
    }

    pub async fn checkpoint(&self) -> Result<Option<u64>> {
        let marked = self.writer.checkpoint().await?;
        self.answers.of(self.name, |told| told.durable.append(&mut told.taken));
        Ok(marked)
    }

    pub async fn finish(self, end: EndState) -> Result<immutape::capture::FinishedRecording> {
        let finished = self.writer.finalize(end).await?;
        self.answers.of(self.name, |told| told.is_finished = true);
        Ok(finished)
    }
}

/// Waits until something is so; gives up after ten seconds.
pub async fn until(is_so: impl Fn() -> bool) -> bool {
    for _ in 0..10_000 {
        if is_so() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    false
}

/// Every kind of thing that happens to recordings. Ends at the first error unless it is to go on.
pub struct Story<'a> {
    pub access: LedgerAccess,
    pub ledger: &'a Ledger,
    pub clock: Arc<dyn Clock>,
    pub answers: &'a Answers,
    pub policy: OnStorageFailure,
    pub goes_on: bool,
    pub stage: &'a dyn Fn(&str),
    /// Nothing more will be answered.
    pub is_over: &'a (dyn Fn() -> bool + Sync),
    pub errors: Mutex<Vec<immutape::Code>>,
}

impl Story<'_> {
    fn heed<T>(&self, done: Result<T>) -> Result<Option<T>> {
        match done {
            Ok(value) => Ok(Some(value)),
            Err(e) => {
                self.errors.lock().unwrap().push(e.code());
                if self.goes_on { Ok(None) } else { Err(e) }
            }
        }
    }

    async fn begin(
        &self,
        name: &'static str,
        change: impl FnOnce(&mut RecordingOptions),
    ) -> Result<Option<Recording<'_>>> {
        (self.stage)(name);
        let policy = |options: &mut RecordingOptions| {
            options.on_storage_failure = self.policy;
            change(options);
        };
        self.heed(Recording::begin(self.access.clone(), self.answers, name, self.clock.clone(), policy).await)
    }

    pub async fn live(&self) -> Result<()> {
        let each = self.begin("each", |_| {}).await?;
        if let Some(each) = &each {
            self.heed(each.write().await)?;
            self.heed(each.write().await)?;
            self.heed(each.checkpoint().await)?;
            self.heed(each.writer.pause())?;
            self.heed(each.write().await)?;
            self.heed(each.writer.resume())?;
            self.heed(each.write().await)?;
            self.heed(self.follow(each).await)?;
        }
        let flushed = self.begin("flushed", |o| o.durability = Durability::Interval(NEVER)).await?;
        if let Some(flushed) = &flushed {
            for _ in 0..2 {
                self.heed(flushed.write().await)?;
            }
            self.heed(flushed.flush().await)?;
            self.heed(flushed.write().await)?;
            self.heed(flushed.checkpoint().await)?;
            self.heed(flushed.write().await)?;
        }
        self.parts().await?;
        if let Some(left) = self.begin("left", |_| {}).await? {
            self.heed(left.write().await)?;
            self.heed(left.checkpoint().await)?;
            self.heed(left.write().await)?;
            drop(left);
            (self.stage)("recover");
            self.heed(recover(self.ledger, &ann()).await)?;
        }
        (self.stage)("seal");
        if let Some(each) = each {
            self.heed(each.finish(EndState::Clean).await)?;
        }
        if let Some(flushed) = flushed {
            self.heed(flushed.finish(EndState::ChildExit(3)).await)?;
        }
        Ok(())
    }

    async fn follow(&self, each: &Recording<'_>) -> Result<()> {
        let id = each.writer.custody().to_hex();
        let mut reader = StreamingTapeReader::open(self.access.clone(), ann(), &id).await?;
        let mut seen = Vec::new();
        while let Some(frame) = reader.next_frame().await? {
            seen.push(number(&frame));
        }
        let durable = self.answers.0.lock().unwrap()["each"].durable.clone();
        assert!(durable.iter().all(|n| seen.contains(n)) && seen.is_sorted(), "{seen:?} of {durable:?}");
        reader.close().await
    }

    /// A part ends as soon as it holds a frame.
    async fn parts(&self) -> Result<()> {
        let tiny = |o: &mut RecordingOptions| {
            (o.part_bytes, o.durability) = (1, Durability::Interval(Duration::from_millis(1)));
        };
        let Some(parts) = self.begin("parts", tiny).await? else { return Ok(()) };
        for _ in 0..2 {
            self.heed(parts.write().await)?;
            self.heed(parts.flush().await)?;
            if !self.goes_on {
                let is_next = || (self.is_over)() || parts.writer.metadata().stats.frames == 0;
                assert!(until(is_next).await, "no other part was begun");
            }
        }
        (self.stage)("parts end");
        self.heed(parts.finish(EndState::Clean).await)?;
        Ok(())
    }
}

/// A tape that came of a recording.
pub struct Kept {
    pub header: Header,
    pub numbers: Vec<u64>,
    pub times: Vec<Option<u64>>,
}

/// Every tape, by name, parts in order.
pub async fn kept(ledger: &Ledger) -> Result<BTreeMap<String, Vec<Kept>>> {
    let (listed, _) = ledger.list(&ann()).await?;
    let mut listed: Vec<_> = listed.into_iter().map(|l| (l.entry, l.summary.unwrap())).collect();
    listed.sort_by_key(|(entry, _)| *entry);
    let mut found = BTreeMap::<String, Vec<Kept>>::new();
    for (_, summary) in listed {
        let name = String::from_utf8(summary.name.unwrap_or_default()).unwrap();
        let reader = ledger.open_tape(&ann(), &summary.tape.to_text(), None).await?;
        let header = reader.header().clone();
        if header.started_wall_ns.is_none() || name.starts_with("base") {
            reader.finish().await?;
            continue;
        }
        let frames = reader.collect(FrameSelection::All)?;
        reader.finish().await?;
        let numbers = frames.iter().map(number).collect();
        let times = frames.iter().map(|f| f.t_ns).collect();
        found.entry(name).or_default().push(Kept { header, numbers, times });
    }
    Ok(found)
}

/// Everything that was said to be durable is there, in order, once, and nothing that was never given. Of a recording that
/// was ended every frame is on the tape or in a gap. The number of frames.
pub fn judge(kept: &BTreeMap<String, Vec<Kept>>, answers: &Answers, words: &str) -> u64 {
    let answers = answers.0.lock().unwrap().clone();
    let mut frames = 0;
    for (name, tapes) in kept {
        let told = answers.get(name.as_str()).cloned().unwrap_or_default();
        let numbers: Vec<u64> = tapes.iter().flat_map(|t| t.numbers.iter().copied()).collect();
        assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{words}: {name}: {numbers:?} is not in order");
        assert!(numbers.iter().all(|n| *n < told.given), "{words}: {name}: {numbers:?} was never given");
        frames += numbers.len() as u64;
    }
    for (name, told) in &answers {
        let tapes = kept.get(*name).unwrap_or_else(|| panic!("{words}: {name} is lost"));
        let numbers: Vec<u64> = tapes.iter().flat_map(|t| t.numbers.iter().copied()).collect();
        let missing: Vec<_> = told.durable.iter().filter(|n| !numbers.contains(n)).collect();
        assert!(missing.is_empty(), "{words}: {name}: {missing:?} of {told:?} are lost, {numbers:?} are there");
        if told.is_finished {
            let gaps = tapes.iter().flat_map(|t| &t.header.gaps);
            let counted: u64 = gaps.filter(|g| g.reason != GapReason::RecorderStopped).map(|g| g.count).sum();
            let found = numbers.len() as u64 + counted;
            let is_whole = (told.given - told.refused..=told.given).contains(&found);
            assert!(is_whole, "{words}: {name}: {numbers:?} and {counted} in gaps of {told:?}");
        }
    }
    frames
}

//! Many recordings in one process, at the pace of real sessions. A process for each kind of durability, so that none begins
//! with the memory of another.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use immutape::capture::{Durability, LedgerAccess, RecordingOptions, StreamingTapeWriter, TapeManager, TapeRecord};
use immutape::codec::digest::CustodyId;
use immutape::tape::{EndState, Frame};
use immutape::time::SystemClock;

use super::bound;
use super::report::{Budget, Row, Table};
use super::setup::{World, cpu_seconds, folder, runtime, somebody};
use super::{Sizes, messages, peak_kb, quantile, resident_kb};

/// Frames of a session in one second.
const FRAMES_A_SECOND: u64 = 20;
/// Recordings that somebody follows.
const FOLLOWERS: usize = 20;
/// Recordings whose frames are watched until they are durable.
const WATCHED: usize = 4;
const INTERVAL: Duration = Duration::from_millis(50);

pub fn all(sizes: &Sizes, table: &mut Table) {
    for how in ["interval", "each", "os", "interval, followed"] {
        let folder = folder();
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--child", how, &sizes.recordings.to_string(), &sizes.load_seconds.to_string()]);
        let output = child.arg(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let [job, figure, unit, budget] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            let budget = budget.parse().map_or(Budget::None, Budget::AtMost);
            table.add(Row::plain("a", &format!("{how}: {job}"), unit, vec![figure.parse().unwrap()], budget));
        }
        let _file_system_still_busy = Command::new("sync").status();
    }
}

/// One line of figures.
fn tell(job: &str, figure: f64, unit: &str, budget: Option<f64>) {
    println!("{job}\t{figure}\t{unit}\t{}", budget.map_or("-".into(), |b| b.to_string()));
}

/// The process that records.
pub fn child(args: &[String]) {
    let [how, recordings, seconds, folder] = args else { panic!("durability, recordings, seconds, folder") };
    let folder = Path::new(folder);
    let load = Load {
        durability: match how.as_str() {
            "each" => Durability::Each,
            "os" => Durability::Os,
            _ => Durability::Interval(INTERVAL),
        },
        recordings: recordings.parse().unwrap(),
        frames: (seconds.parse::<f64>().unwrap() * FRAMES_A_SECOND as f64) as u64,
        followers: if how.ends_with("followed") { FOLLOWERS } else { 0 },
        messages: Arc::new(messages()),
    };
    let piece_bytes = runtime().block_on(load.run(folder));
    if how == "interval" {
        let length = Duration::from_secs_f64(seconds.parse::<f64>().unwrap().min(10.0));
        let cpu = cpu_seconds();
        let mut raw = bound::rounds(folder, load.recordings, piece_bytes as usize, INTERVAL, length);
        let cores = (cpu_seconds() - cpu) / length.as_secs_f64();
        tell("bound: writes and syncs of all, p50", quantile(&mut raw.ms, 0.5), "ms", None);
        tell("bound: writes and syncs of all, p99", quantile(&mut raw.ms, 0.99), "ms", None);
        tell("bound: cores", cores, "", None);
    }
    if how == "each" {
        let mut raw = bound::each(&folder.join("raw"), piece_bytes as usize, 2_000);
        tell("bound: one write and sync, p50", quantile(&mut raw, 0.5), "ms", None);
        tell("bound: one write and sync, p99", quantile(&mut raw, 0.99), "ms", None);
    }
}

struct Load {
    durability: Durability,
    recordings: usize,
    frames: u64,
    followers: usize,
    messages: Arc<Vec<Frame>>,
}

impl Load {
    fn options(&self, n: usize) -> RecordingOptions {
        let mut options = RecordingOptions::named(&format!("session {n}"));
        options.durability = self.durability;
        options
    }

    /// Bytes of one piece in the spool, about.
    async fn run(&self, folder: &Path) -> f64 {
        let world = World::new();
        let ledger = world.create(&folder.join("l")).await;
        let clock = Arc::new(SystemClock::new([7; 16]));
        let access = LedgerAccess::open(ledger.clone());
        let (manager, _) = TapeManager::start(access, somebody(), clock).await.unwrap();
        // One before all others: what a ledger takes once is none of theirs.
        self.warm(&manager).await;
        // Room for every figure, touched now.
        let mut took = vec![vec![1.0f64; self.frames as usize]; self.recordings];
        took.iter_mut().for_each(Vec::clear);
        let before = resident_kb("self");
        let start = Instant::now();
        let mut ids = Vec::new();
        for n in 0..self.recordings {
            ids.push(manager.start_recording(self.options(n)).await.unwrap());
        }
        let all = self.recordings as f64;
        tell("opened, each", start.elapsed().as_secs_f64() * 1e3 / all, "ms", Some(10.0));
        tell("memory of one that was opened", (resident_kb("self") - before) / all, "KB", Some(100.0));
        let followers: Vec<_> = ids.iter().take(self.followers).map(|id| follow(&manager, *id)).collect();
        let (cpu, start) = (cpu_seconds(), Instant::now());
        let is_over = Arc::new(AtomicBool::new(false));
        let watched: Vec<_> =
            ids.iter().rev().take(WATCHED).map(|id| watch(manager.writer(id).unwrap(), is_over.clone())).collect();
        let tasks: Vec<_> = ids
            .iter()
            .zip(took)
            .enumerate()
            .map(|(n, (id, took))| tokio::spawn(self.write(n, manager.writer(id).unwrap(), took)))
            .collect();
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await.unwrap());
        }
        let seconds = start.elapsed().as_secs_f64();
        let cores = (cpu_seconds() - cpu) / seconds;
        is_over.store(true, Ordering::Relaxed);
        let resident = resident_kb("self");
        let mut windows = Vec::new();
        for task in watched {
            windows.extend(task.await.unwrap());
        }
        let budget = matches!(self.durability, Durability::Interval(_) | Durability::Os).then_some(1.0);
        tell("append p50", quantile(&mut took, 0.5), "ms", budget);
        tell("append p99", quantile(&mut took, 0.99), "ms", budget);
        tell("append max", quantile(&mut took, 1.0), "ms", None);
        if self.durability != Durability::Os {
            tell("from append to durable, p50", quantile(&mut windows, 0.5), "ms", None);
            tell("from append to durable, p99", quantile(&mut windows, 0.99), "ms", None);
        }
        tell("memory of one, after all frames", (resident - before) / all, "KB", Some(100.0));
        tell("cores", cores, "", None);
        tell("processor time a frame", cores * seconds * 1e6 / took.len() as f64, "us", None);
        let spooled: u64 = ids.iter().map(|id| manager.metadata(id).unwrap().spooled_bytes).sum();
        let (missing, seal_seconds) = self.seal(&manager, ids).await;
        tell("frames lost", missing as f64, "", Some(0.0));
        tell("all sealed, at once", seal_seconds, "s", None);
        tell("memory of one, at the most, while all are sealed", (peak_kb() - before) / all, "KB", None);
        let mut lags = Vec::new();
        for follower in followers {
            let (frames, lag) = follower.await.unwrap();
            assert_eq!(frames, self.frames, "a follower sees every frame");
            lags.extend(lag);
        }
        if !lags.is_empty() {
            tell("from append to a follower, p50", quantile(&mut lags, 0.5), "ms", None);
            tell("from append to a follower, p99", quantile(&mut lags, 0.99), "ms", None);
        }
        ledger.close().await.unwrap();
        spooled as f64 / took.len() as f64
    }

    async fn warm(&self, manager: &TapeManager) {
        let id = manager.start_recording(self.options(0)).await.unwrap();
        for n in 0..100 {
            manager.write_frame(&id, self.messages[n % self.messages.len()].clone()).await.unwrap();
        }
        manager.stop_recording(&id, EndState::Clean).await.unwrap();
    }

    /// A session of its own: others are at other messages, and at other moments of the same 50 ms.
    fn write(
        &self,
        n: usize,
        writer: Arc<StreamingTapeWriter>,
        mut took: Vec<f64>,
    ) -> impl Future<Output = Vec<f64>> + Send + 'static {
        let (frames, messages) = (self.frames, self.messages.clone());
        let every = Duration::from_secs(1) / FRAMES_A_SECOND as u32;
        let first = every.mul_f64(n as f64 / self.recordings as f64);
        async move {
            tokio::time::sleep(first).await;
            let mut ticks = tokio::time::interval(every);
            for k in 0..frames {
                ticks.tick().await;
                let frame = messages[(n * 37 + k as usize) % messages.len()].clone();
                let start = Instant::now();
                assert_eq!(writer.write_frame(frame).await.unwrap(), Some(k));
                took.push(start.elapsed().as_secs_f64() * 1e3);
            }
            took
        }
    }

    /// Frames that are missing, and seconds until all are tapes.
    async fn seal(&self, manager: &TapeManager, ids: Vec<CustodyId>) -> (u64, f64) {
        let start = Instant::now();
        let seal = |id: CustodyId| {
            let manager = manager.clone();
            tokio::spawn(async move { manager.stop_recording(&id, EndState::Clean).await.unwrap() })
        };
        let tasks: Vec<_> = ids.into_iter().map(seal).collect();
        let mut missing = 0;
        for task in tasks {
            let finished = task.await.unwrap();
            assert!(finished.header.gaps.is_empty());
            missing += self.frames - finished.receipt.frames;
        }
        (missing, start.elapsed().as_secs_f64())
    }
}

/// How long frames are not durable, of one recording, in milliseconds.
fn watch(writer: Arc<StreamingTapeWriter>, is_over: Arc<AtomicBool>) -> tokio::task::JoinHandle<Vec<f64>> {
    tokio::spawn(async move {
        let (mut waiting, mut windows) = (std::collections::VecDeque::new(), Vec::new());
        let mut seen = 0;
        while !is_over.load(Ordering::Relaxed) {
            let now = writer.metadata();
            while seen < now.stats.frames {
                waiting.push_back((seen, Instant::now()));
                seen += 1;
            }
            while let Some((frame, at)) = waiting.front().copied().filter(|(frame, _)| *frame < now.durable_frames) {
                windows.push(Instant::now().duration_since(at).as_secs_f64() * 1e3);
                waiting.pop_front();
                assert!(frame < seen);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        windows
    })
}

/// Follows to the end: frames seen, and milliseconds between the taking and the seeing of each.
fn follow(manager: &TapeManager, id: CustodyId) -> tokio::task::JoinHandle<(u64, Vec<f64>)> {
    let manager = manager.clone();
    tokio::spawn(async move {
        let mut reader = manager.follow_tape(&id).await.unwrap();
        let (mut frames, mut lags) = (0, Vec::new());
        while let Some(record) = reader.follow().await.unwrap() {
            if let TapeRecord::Frame(record) = record {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
                lags.push(now.as_secs_f64() * 1e3 - record.frame.wall_ns.unwrap() as f64 / 1e6);
                frames += 1;
            }
        }
        manager.close_reader(reader).await.unwrap();
        (frames, lags)
    })
}

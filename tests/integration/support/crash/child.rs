//! A real process under load that says what was acknowledged, and the look at what it left.
//!
//! The process is this test binary again: a test that returns at once unless a variable names a folder.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use immutape::Code;
use immutape::error::Result;
use immutape::ledger::{FrameSelection, Ledger, SaveOptions};
use immutape::log::EntryKind;

use super::content::Content;
use super::log::{Line, check_terms, read_log};
use super::world::folders_in;
use crate::support::ledgers::{ann, real};

/// Names the folder that the child works in, and the number of its round.
pub const FOLDER: &str = "IMMUTAPE_TEST_CHILD_FOLDER";
const ROUND: &str = "IMMUTAPE_TEST_CHILD_ROUND";
/// Callers at work in the child.
pub const TASKS: u64 = 6;

/// Something the child was told, or that it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// By round, task and number in it, and its entry.
    Saved { round: u64, task: u64, n: u64, entry: u64 },
    /// A reader was handed out by this entry.
    Read { grant: u64 },
}

impl Told {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |n: usize| words.get(n).and_then(|w| w.parse().ok());
        match *words.first()? {
            "saved" if words.len() == 6 && words[5] == "." => {
                Some(Self::Saved { round: number(1)?, task: number(2)?, n: number(3)?, entry: number(4)? })
            }
            "read" if words.len() == 3 && words[2] == "." => Some(Self::Read { grant: number(1)? }),
            _ => None,
        }
    }
}

/// What task `task` saves as its n-th in a round; nobody else saves the same.
pub fn content(round: u64, task: u64, n: u64) -> Arc<Content> {
    Content::small(&format!("round {round} task {task} tape {n}"), "draft", 1 + n % 3, 100)
}

/// The child's own main: opens the ledger, or makes it, and works until it is killed.
pub fn run_if_asked() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let places = folders_in(&folder);
        let ledger = match Ledger::open(places.clone(), real()).await {
            Err(e) if e.code() == Code::NoLedger => Ledger::create(places, real(), "test", false).await,
            opened => opened,
        };
        let ledger = ledger.unwrap_or_else(|e| panic!("round {round}: {}: {e}", e.code().as_str()));
        say("ready .");
        let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(work(ledger.clone(), round, task))).collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
}

async fn work(ledger: Ledger, round: u64, task: u64) -> Result<()> {
    for n in 0.. {
        let content = content(round, task, n);
        let mut saver = ledger.begin_save(&ann(), SaveOptions::default()).await?;
        for frame in &content.frames {
            saver.frame(frame)?;
        }
        let receipt = saver.finish(content.header.clone()).await?;
        say(&format!("saved {round} {task} {n} {} .", receipt.entry));
        if n % 4 == task % 4 {
            let reader = ledger.open_tape(&ann(), &receipt.tape.to_hex(), None).await?;
            assert_eq!(reader.collect(FrameSelection::All)?, content.frames);
            say(&format!("read {} .", reader.grant_index()));
        }
    }
    Ok(())
}

/// One line, on its way to the parent when this returns. The dot tells a whole line from a cut one.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// A child at work.
pub struct Worker {
    child: Child,
    lines: Receiver<String>,
}

impl Worker {
    /// Starts `test` of this binary, which calls [`run_if_asked`].
    pub fn start(test: &str, folder: &Path, round: u64, more: &[(&str, PathBuf)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(FOLDER, folder);
        command.env(ROUND, round.to_string()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.envs(more.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(|line| line.ok()).try_for_each(|line| send.send(line)));
        Self { child, lines }
    }

    /// Waits until it has opened the ledger; false when it died first.
    pub fn wait_until_ready(&self) -> bool {
        // libtest's own words come first on the same line.
        self.lines.iter().any(|line| line.ends_with("ready ."))
    }

    /// Kills it, and gives everything it had said.
    pub fn kill(mut self) -> Vec<Told> {
        let had_died = self.child.try_wait().unwrap();
        self.child.kill().unwrap();
        let left = self.child.wait_with_output().unwrap();
        let words = String::from_utf8_lossy(&left.stderr).into_owned();
        assert!(had_died.is_none(), "the child died by itself: {had_died:?} {words}");
        self.lines.iter().filter_map(|line| Told::parse(&line)).collect()
    }
}

/// Sleeps a moment of the test's choosing.
pub fn sleep_ms(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// What was found after all rounds.
#[derive(Debug, Default)]
pub struct Found {
    pub acknowledged: u64,
    pub reads: u64,
    pub unanswered: u64,
    pub entries: u64,
}

/// Looks at the log without opening the ledger: everything told is there, at most one save of each task and
/// round more than that, and the log only grew.
pub fn check_told(folder: &Path, told: &[Told], rounds: u64, before: &mut Vec<Line>, words: &str) -> Found {
    let log = read_log(&real(), &folders_in(folder).ledger).unwrap_or_else(|e| panic!("{words}: {e}"));
    assert!(log.len() >= before.len(), "{words}: the log lost entries");
    assert!(log.starts_with(before), "{words}: the log did not only grow");
    check_terms(&log, words);
    let mut found = Found { entries: log.len() as u64, ..Found::default() };
    let mut by_kind: BTreeMap<EntryKind, u64> = BTreeMap::new();
    log.iter().for_each(|line| *by_kind.entry(line.kind).or_default() += 1);
    for told in told {
        let (entry, kind) = match told {
            Told::Saved { entry, .. } => (entry, EntryKind::TAPE_SAVED),
            Told::Read { grant } => (grant, EntryKind::ACCESS_GRANTED),
        };
        let line = log.get(usize::try_from(*entry).unwrap()).unwrap_or_else(|| panic!("{words}: lost {told:?}"));
        assert_eq!(line.kind, kind, "{words}: {told:?} is another entry");
        match told {
            Told::Saved { .. } => found.acknowledged += 1,
            Told::Read { .. } => found.reads += 1,
        }
    }
    let saves = by_kind.get(&EntryKind::TAPE_SAVED).copied().unwrap_or(0);
    found.unanswered = saves - found.acknowledged;
    assert!(found.unanswered <= TASKS * rounds, "{words}: {} tapes that nobody was told of", found.unanswered);
    *before = log;
    found
}

/// Opens the ledger as the next process would and reads these tapes back, frame by frame.
pub async fn check_frames(folder: &Path, told: &[Told], words: &str) -> Result<()> {
    let ledger = Ledger::open(folders_in(folder), real()).await?;
    let (listed, _) = ledger.list(&ann()).await?;
    for told in told {
        let Told::Saved { round, task, n, entry } = told else { continue };
        let line = listed.iter().find(|line| line.entry == *entry);
        let tape = line.and_then(|line| line.summary.as_ref()).unwrap_or_else(|| panic!("{words}: {told:?}")).tape;
        let reader = ledger.open_tape(&ann(), &tape.to_hex(), None).await?;
        assert_eq!(reader.collect(FrameSelection::All)?, content(*round, *task, *n).frames, "{words}: {told:?}");
        reader.finish().await?;
    }
    ledger.close().await
}

//! Does a round with witnesses slow those who append? Halves of rounds beside each other: entries alone, and entries while a
//! round is made every half second, which is far more often than anybody configures.
//!
//! The witnesses answer in this process: their work counts against the ledger, the network does not. Their folders lie in memory,
//! since theirs is the disk of another machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ed25519_dalek::{Signer as _, SigningKey};
use immutape::anchor::{Reply, Transport, WitnessServer, round};
use immutape::error::{Code, Error};
use immutape::ledger::{Ledger, Places, WITNESS_POLICY_FILE};
use immutape::log::NoteKey;
use immutape::proof::{CosignerKey, Policy};
use immutape::seal::{PublicKey, Signature, Signer};
use immutape::store::files::RealFiles;
use immutape::time::SystemClock;

use super::report::{Budget, Row, Table};
use super::setup::{Plan, World, append, callers, folder, runtime, somebody};

const EVERY: Duration = Duration::from_millis(500);
const WITNESSES: [&str; 2] = ["https://w1.example", "https://w2.example"];

struct Seed(SigningKey);

impl Signer for Seed {
    fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap()
    }
}

fn signer(n: usize) -> Seed {
    Seed(SigningKey::from_bytes(&[n as u8 + 11; 32]))
}

/// Both witnesses, without a network.
struct Street(Vec<WitnessServer>);

impl Street {
    fn ask(&self, method: &str, url: &str, body: &[u8]) -> immutape::Result<Reply> {
        let found = WITNESSES.iter().zip(&self.0).find_map(|(at, witness)| Some((url.strip_prefix(at)?, witness)));
        let (path, witness) = found.ok_or_else(|| Error::new(Code::Network, "no route"))?;
        Ok(witness.answer(method, path, body))
    }
}

impl Transport for Street {
    fn get(&self, url: &str) -> immutape::Result<Reply> {
        self.ask("GET", url, &[])
    }

    fn post(&self, url: &str, _: &str, body: &[u8]) -> immutape::Result<Reply> {
        self.ask("POST", url, body)
    }
}

/// A folder in memory where there is one.
fn in_memory() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { folder() }
}

fn street(log: &NoteKey, folder: &Path) -> Arc<dyn Transport> {
    let logs = Policy::parse(&format!("log {}\nquorum none\n", log.to_text())).unwrap();
    let open = |n: usize| {
        let (files, clock) = (Arc::new(RealFiles), Arc::new(SystemClock::new([7; 16])));
        let folder = folder.join(n.to_string());
        WitnessServer::open(&name(n), Box::new(signer(n)), &logs, &folder, files, clock).unwrap()
    };
    Arc::new(Street((0..WITNESSES.len()).map(open).collect()))
}

fn name(n: usize) -> String {
    format!("witness.example/w{n}")
}

fn policy() -> String {
    let lines = WITNESSES.iter().enumerate().map(|(n, url)| {
        let key = CosignerKey::new(&name(n), signer(n).public_key()).unwrap().to_text();
        format!("witness w{n} {key} {url}\n")
    });
    format!("{}group both all w0 w1\nquorum both\n", lines.collect::<String>())
}

pub fn all(plan: &Plan, table: &mut Table) {
    let (folder, memory) = (folder(), in_memory());
    let place = folder.path().join("l");
    let (world, runtime) = (World::new(), runtime());
    let (ledger, street) = runtime.block_on(async {
        let ledger = world.create(&place).await;
        let config = Places::beneath(&place).config_of(&ledger.id()).unwrap();
        let street = street(ledger.checkpoint_key(), memory.path());
        ledger.close().await.unwrap();
        std::fs::write(config.join(WITNESS_POLICY_FILE), policy()).unwrap();
        let ledger = world.open(&place).await;
        assert!(round(&ledger, &street).await.unwrap().is_quorum);
        (ledger, street)
    });
    for count in [1, 64] {
        let (mut rates, mut each) = (Vec::new(), Vec::new());
        runtime.block_on(entries(&ledger, count, plan));
        for _ in 0..plan.rounds {
            let (with, without, took) = plan.quiet.round(|| {
                let without = runtime.block_on(entries(&ledger, count, plan));
                let (with, took) = runtime.block_on(entries_beside(&ledger, &street, count, plan));
                (with, without, took)
            });
            rates.push((with, without));
            each.push(took);
        }
        let job = format!("durable entries, {count} callers, a round each {} ms; bound: without", EVERY.as_millis());
        table.add(Row::ratio("b", &job, "/s", &rates, Budget::AtLeast(0.95)));
        table.add(Row::plain("b", "such a round, two witnesses", "ms", each, Budget::None));
    }
    runtime.block_on(ledger.close()).unwrap();
}

/// Entries a second in a half of a round, which is long enough for a few rounds of witnesses.
async fn entries(ledger: &Ledger, count: usize, plan: &Plan) -> f64 {
    let start = Instant::now();
    let (writer, who) = (ledger.clone(), Arc::new(somebody()));
    let calls = callers(count, plan.half_round.max(3 * EVERY), move |_| {
        let (ledger, who) = (writer.clone(), who.clone());
        async move { append(&ledger, &who).await }
    });
    calls.await as f64 / start.elapsed().as_secs_f64()
}

/// The same while rounds are made, and milliseconds that a round took.
async fn entries_beside(ledger: &Ledger, street: &Arc<dyn Transport>, count: usize, plan: &Plan) -> (f64, f64) {
    let is_over = Arc::new(AtomicBool::new(false));
    let (other, street, over) = (ledger.clone(), street.clone(), is_over.clone());
    let rounds = tokio::spawn(async move {
        let mut times = Vec::new();
        while !over.load(Ordering::Acquire) {
            let start = Instant::now();
            assert!(round(&other, &street).await.unwrap().is_quorum);
            times.push(start.elapsed().as_secs_f64() * 1e3);
            tokio::time::sleep(EVERY.saturating_sub(start.elapsed())).await;
        }
        times
    });
    let rate = entries(ledger, count, plan).await;
    is_over.store(true, Ordering::Release);
    let times = rounds.await.unwrap();
    assert!(times.len() >= 2, "rounds were made beside the entries");
    (rate, times.iter().sum::<f64>() / times.len() as f64)
}

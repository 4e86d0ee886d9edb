//! A spool between ledger and store that fails at a chosen call, or lets something happen first: locks, lists and reads, which
//! change nothing and so are no operations of the simulated disk.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests; a panic is their verdict"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use immutape::codec::digest::{CustodyId, Digest};
use immutape::error::{Code, Error, Result};
use immutape::ledger::Environment;
use immutape::store::files::FileLock;
use immutape::store::{Engine, Spool, SpoolReader, Stores, Stray};

/// What is asked of a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Append,
    Sync,
    /// Opening one to read it,
    Reader,
    /// and each piece that is read.
    Piece,
    Hold,
    Recordings,
    Close,
    PutAside,
}

impl Call {
    /// Those that change nothing.
    pub const READS: [Self; 4] = [Self::Reader, Self::Piece, Self::Hold, Self::Recordings];
}

type Happens = Box<dyn FnOnce() -> Result<()> + Send>;

#[derive(Default)]
struct Plan {
    /// By call, and by its number among those.
    waiting: BTreeMap<(Call, u64), Happens>,
    calls: BTreeMap<Call, u64>,
    happened: u64,
}

/// The plan of what goes wrong, shared by all that open the ledger through it.
#[derive(Clone, Default)]
pub struct Breaks(Arc<Mutex<Plan>>);

impl Breaks {
    /// Something happens before the call of this kind that comes after the next `pass` ones; an error of it is the call's.
    pub fn before(&self, call: Call, pass: u64, happens: impl FnOnce() -> Result<()> + Send + 'static) {
        let mut plan = self.0.lock().unwrap();
        let number = plan.calls.get(&call).copied().unwrap_or(0) + pass;
        plan.waiting.insert((call, number), Box::new(happens));
    }

    /// That call fails and does nothing.
    pub fn fail(&self, call: Call, pass: u64) {
        self.before(call, pass, || Err(Error::new(Code::Io, "a fault made by the test")));
    }

    /// Nothing more happens.
    pub fn heal(&self) {
        self.0.lock().unwrap().waiting.clear();
    }

    /// How often something happened.
    pub fn happened(&self) -> u64 {
        self.0.lock().unwrap().happened
    }

    /// The environment with this between ledger and spool.
    pub fn through(&self, env: Environment) -> Environment {
        let engine = Arc::new(Broken { engine: env.engine.clone(), breaks: self.clone() });
        env.engine(engine)
    }

    fn come(&self, call: Call) -> Result<()> {
        let happens = {
            let mut plan = self.0.lock().unwrap();
            let count = plan.calls.entry(call).or_default();
            let number = *count;
            *count += 1;
            let happens = plan.waiting.remove(&(call, number));
            plan.happened += u64::from(happens.is_some());
            happens
        };
        happens.map_or(Ok(()), |happens| happens())
    }
}

struct Broken {
    engine: Arc<dyn Engine>,
    breaks: Breaks,
}

impl Engine for Broken {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn first_group(&self, ledger: &Path) -> Result<Option<Vec<u8>>> {
        self.engine.first_group(ledger)
    }

    fn strays(&self, ledger: &Path, state: &Path) -> Result<Vec<Stray>> {
        self.engine.strays(ledger, state)
    }

    fn open(&self, ledger: &Path, state: &Path, origin: Digest) -> Result<Stores> {
        let stores = self.engine.open(ledger, state, origin)?;
        let spool = Arc::new(BrokenSpool { spool: stores.spool.clone(), breaks: self.breaks.clone() });
        Ok(Stores { spool, ..stores })
    }
}

struct BrokenSpool {
    spool: Arc<dyn Spool>,
    breaks: Breaks,
}

impl Spool for BrokenSpool {
    fn append(&self, recording: &CustodyId, sealed: &[u8]) -> Result<()> {
        self.breaks.come(Call::Append)?;
        self.spool.append(recording, sealed)
    }

    fn sync(&self, recording: &CustodyId) -> Result<()> {
        self.breaks.come(Call::Sync)?;
        self.spool.sync(recording)
    }

    fn reader(&self, recording: &CustodyId) -> Result<Box<dyn SpoolReader>> {
        self.breaks.come(Call::Reader)?;
        let reader = self.spool.reader(recording)?;
        Ok(Box::new(BrokenReader { reader, breaks: self.breaks.clone() }))
    }

    fn hold(&self, recording: &CustodyId) -> Result<Option<Box<dyn FileLock>>> {
        self.breaks.come(Call::Hold)?;
        self.spool.hold(recording)
    }

    fn recordings(&self) -> Result<Vec<CustodyId>> {
        self.breaks.come(Call::Recordings)?;
        self.spool.recordings()
    }

    fn close(&self, recording: &CustodyId) -> Result<()> {
        self.breaks.come(Call::Close)?;
        self.spool.close(recording)
    }

    fn put_aside(&self, recording: &CustodyId) -> Result<String> {
        self.breaks.come(Call::PutAside)?;
        self.spool.put_aside(recording)
    }
}

struct BrokenReader {
    reader: Box<dyn SpoolReader>,
    breaks: Breaks,
}

impl SpoolReader for BrokenReader {
    fn next_piece(&mut self) -> Result<Option<Vec<u8>>> {
        self.breaks.come(Call::Piece)?;
        self.reader.next_piece()
    }

    fn next_durable_piece(&mut self) -> Result<Option<Vec<u8>>> {
        self.breaks.come(Call::Piece)?;
        self.reader.next_durable_piece()
    }

    fn has_durable(&self) -> bool {
        self.reader.has_durable()
    }

    fn bytes_behind(&self) -> Result<u64> {
        self.reader.bytes_behind()
    }

    fn is_closed(&self) -> Result<bool> {
        self.reader.is_closed()
    }

    fn is_held(&self) -> Result<bool> {
        self.reader.is_held()
    }
}

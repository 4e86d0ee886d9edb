//! Where randomness comes from.

use std::sync::Mutex;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::codec::random::{Random, RandomUnavailable};

/// The operating system's generator, asked on every call: no seed lives in this process, so neither a
/// fork nor a restored machine image can repeat its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomUnavailable> {
        getrandom::fill(buffer).map_err(|_| RandomUnavailable)
    }
}

/// A generator for ledgers marked TEST: one seed gives the same keys and ids again.
///
/// Bytes depend on the order of calls, so a replay needs the same order.
pub struct SeededRandom(Mutex<ChaCha20Rng>);

impl SeededRandom {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomUnavailable> {
        self.0.lock().map_err(|_| RandomUnavailable)?.fill_bytes(buffer);
        Ok(())
    }
}

//! Offsets from a seed: the same seed gives the same table.

use std::ops::Range;

use immutape::codec::random::Random as _;
use immutape::keyring::SeededRandom;

/// The seed of every run that names no other.
pub const SEED: u64 = 2_026;

/// The seed of this run: `IMMUTAPE_TAMPER_SEED`, or the usual one.
pub fn seed() -> u64 {
    std::env::var("IMMUTAPE_TAMPER_SEED").map_or(SEED, |s| s.parse().expect("IMMUTAPE_TAMPER_SEED is a number"))
}

pub struct Dice(SeededRandom);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(SeededRandom::new(seed))
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        assert!(end > 0);
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes).unwrap();
        u64::from_be_bytes(bytes) % end
    }

    pub fn within(&mut self, range: &Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    pub fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    /// Two of them, not the same.
    pub fn two<'a, T>(&mut self, of: &'a [T]) -> (&'a T, &'a T) {
        let first = self.below(of.len() as u64) as usize;
        let second = (first + 1 + self.below(of.len() as u64 - 1) as usize) % of.len();
        (&of[first], &of[second])
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill(&mut bytes).unwrap();
        bytes
    }
}

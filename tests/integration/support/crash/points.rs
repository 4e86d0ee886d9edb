//! Where a story is stopped: at the number of one of its operations.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::sim_files::SimFiles;

/// The threads of a story join their groups as they come: one telling of it has some operations fewer than another. A number
/// that a telling did not come to lies beyond its end, and those of the shortest telling were all met.
pub struct Points {
    longest: u64,
    shortest: AtomicU64,
}

impl Points {
    /// `operations` of a telling that nothing stopped.
    pub fn of(operations: usize) -> Self {
        let longest = u64::try_from(operations).unwrap();
        Self { longest, shortest: AtomicU64::new(longest) }
    }

    /// A telling had no fault at this number. It must have ended before it.
    pub fn is_past_the_end(&self, number: u64, told: &SimFiles) {
        let operations = told.operations().len() as u64;
        assert!(told.faults_made() == 0 && operations <= number, "{operations} operations, and no fault at {number}");
        self.shortest.fetch_min(operations, Ordering::Relaxed);
    }

    /// Asserts that the shortest telling has nine tenths of the operations of the first.
    pub fn assert_met(&self) {
        let shortest = self.shortest.load(Ordering::Relaxed);
        assert!(shortest * 10 >= self.longest * 9, "a telling of {shortest} operations, and one of {}", self.longest);
    }
}

//! Randomness of TLS: always the operating system's. A seed that replays a run must not replay the secrets of a
//! connection, so this generator is no argument.

use rustls::crypto::{GetRandomFailed, SecureRandom};

#[derive(Debug)]
pub(super) struct SystemRandom;

impl SecureRandom for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        getrandom::fill(buffer).map_err(|_| GetRandomFailed)
    }
}

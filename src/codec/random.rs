//! Randomness as an argument: one seed replays a run.

/// A source of random bytes. Real ledgers use the operating system's generator on every call
/// (`keyring::OsRandom`); ledgers marked TEST inject a seeded one.
///
/// # Contract
/// * `fill` fills the whole buffer with bytes fit for keys, or fails; it never leaves part of it unfilled.
/// * Calls from many threads are allowed.
pub trait Random: Send + Sync {
    /// Fills `buffer`.
    ///
    /// # Errors
    /// [`RandomUnavailable`] when the generator gave nothing; no key may then be made.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomUnavailable>;
}

/// The generator failed.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error("the random number generator gave nothing")]
pub struct RandomUnavailable;

/// `N` random bytes.
///
/// # Errors
/// [`RandomUnavailable`].
pub fn bytes<const N: usize>(random: &dyn Random) -> Result<[u8; N], RandomUnavailable> {
    let mut out = [0u8; N];
    random.fill(&mut out)?;
    Ok(out)
}

//! Why something was refused.

/// A refusal: static words, so that nothing hostile is ever carried into a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused(pub &'static str);

/// The bytes end before the item does; a stream answers with more of them.
pub const CUT: Refused = Refused("ends early");

/// Result of everything that reads.
pub type Result<T> = core::result::Result<T, Refused>;

impl core::fmt::Display for Refused {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.0)
    }
}

/// `Err` with these words.
pub fn refuse<T>(why: &'static str) -> Result<T> {
    Err(Refused(why))
}

/// Refuses with these words unless it is so.
pub fn ensure(so: bool, why: &'static str) -> Result<()> {
    if so { Ok(()) } else { refuse(why) }
}

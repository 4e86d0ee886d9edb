//! The value without which no store discards anything.

use crate::codec::digest::CustodyId;

/// Leave to discard the stored bytes and keys of one tape, once.
///
/// Its field is private, it is neither `Clone` nor `Copy`, and every discarding call consumes it.
/// No function makes one yet: the disposal workflow, which checks claims, holds, signatures and the
/// clock, will be the only place that does.
///
/// ```compile_fail
/// use immutape::codec::digest::CustodyId;
/// let forged = immutape::governance::DisposalClearance { subject: CustodyId::LEDGER };
/// ```
///
/// ```compile_fail
/// let forged = immutape::governance::DisposalClearance::new(immutape::codec::digest::CustodyId::LEDGER);
/// ```
///
/// ```compile_fail
/// fn twice(c: immutape::governance::DisposalClearance) { let a = c.clone(); }
/// ```
#[derive(Debug)]
pub struct DisposalClearance {
    subject: CustodyId,
}

impl DisposalClearance {
    /// The tape it names.
    #[must_use]
    pub const fn subject(&self) -> &CustodyId {
        &self.subject
    }

    /// One for the unit tests of the stores; there is no such function outside them.
    #[cfg(test)]
    pub(crate) const fn for_tests(subject: CustodyId) -> Self {
        Self { subject }
    }
}

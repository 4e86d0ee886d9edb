//! What a clause of a contract is, and how it is checked.

use std::fmt::Debug;

use super::Violation;
use crate::error::{Code, Result};

/// Opens an engine. The clause says whether each call must give an empty one or the same one again.
pub type Open<'a, S> = dyn Fn() -> Box<S> + 'a;

/// One clause of a contract. The check answers with what is wrong.
pub struct Clause<S: ?Sized> {
    /// Method and promise.
    pub name: &'static str,
    pub(super) check: fn(&Open<'_, S>) -> Result<(), String>,
}

impl<S: ?Sized> Clause<S> {
    /// Checks it on what `open` opens.
    ///
    /// # Errors
    /// The violation, when the engine does not keep the clause.
    pub fn check(&self, open: &Open<'_, S>) -> Result<(), Violation> {
        (self.check)(open).map_err(|detail| Violation { clause: self.name, detail })
    }
}

impl<S: ?Sized> Debug for Clause<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Checks every clause; the violations.
#[must_use]
pub fn run<S: ?Sized>(clauses: &[Clause<S>], open: &Open<'_, S>) -> Vec<Violation> {
    clauses.iter().filter_map(|clause| clause.check(open).err()).collect()
}

/// The value of a call that must succeed.
pub(super) fn ok<T>(what: &str, result: Result<T>) -> Result<T, String> {
    result.map_err(|e| format!("{what}: {} ({e})", e.code().as_str()))
}

/// A call that must be refused with this code.
pub(super) fn refused<T: Debug>(what: &str, result: Result<T>, code: Code) -> Result<(), String> {
    match result {
        Err(e) if e.code() == code => Ok(()),
        Err(e) => Err(format!("{what}: {} instead of {}", e.code().as_str(), code.as_str())),
        Ok(value) => Err(format!("{what}: gave {value:?} instead of {}", code.as_str())),
    }
}

/// Two values that must be equal.
pub(super) fn same<T: PartialEq + Debug>(what: &str, got: T, wanted: T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: {got:?} instead of {wanted:?}")) }
}

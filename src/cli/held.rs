//! Standard input that may have to be kept as the source of a tape: held while somebody may ask for it.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Code, Error};

/// Most bytes of standard input that are held to be kept as the source of a tape; a file is read again instead.
const STDIN_SOURCE_BYTES_MAX: usize = 64 << 20;

/// The bytes that came through standard input, while somebody may ask for them.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<Mutex<HeldBytes>>);

#[derive(Debug, Default)]
struct HeldBytes {
    bytes: Vec<u8>,
    is_off: bool,
}

/// More came through standard input than can be held.
#[derive(Debug, thiserror::Error)]
#[error(
    "more than {STDIN_SOURCE_BYTES_MAX} bytes came through standard input, and the source of this format must be kept"
)]
struct TooMuch;

impl Held {
    /// Nobody will ask.
    pub(super) fn drop_bytes(&self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *held = HeldBytes { bytes: Vec::new(), is_off: true };
    }

    /// The bytes.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes)
    }

    fn add(&self, bytes: &[u8]) -> io::Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_off {
            return Ok(());
        }
        if held.bytes.len().saturating_add(bytes.len()) > STDIN_SOURCE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, TooMuch));
        }
        held.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

/// The error of a read, if it is that more came than can be held.
pub(super) fn too_much(e: &Error) -> Option<Error> {
    let cause = std::error::Error::source(e)?.downcast_ref::<io::Error>()?;
    let words = cause.get_ref()?.downcast_ref::<TooMuch>()?.to_string();
    Some(Error::new(Code::Limit, words).with_hint("nothing was saved; write it to a file first, and save that"))
}

/// Standard input, its bytes held on the way.
pub(super) struct Holding<R> {
    /// Where they come from.
    pub input: R,
    /// Where they are held.
    pub held: Held,
}

impl<R: Read> Read for Holding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.held.add(buffer.get(..got).unwrap_or_default())?;
        Ok(got)
    }
}

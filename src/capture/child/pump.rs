//! One pipe copied to another, and heard on the way.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::handover::{Handover, Way};
use crate::time::Clock;

/// Bytes copied at once.
const COPY_BYTES: usize = 64 << 10;

/// Where a pump reads.
pub(super) enum Source {
    /// Whatever the caller gave.
    Given(Box<dyn Read + Send>),
    /// An output of the program. It is looked at without being read while the pump waits: what the program left in it is known.
    Output(Arc<OwnedFd>),
}

/// Copies one way.
pub(super) struct Pump {
    pub way: Way,
    pub handover: Arc<Handover>,
    pub clock: Arc<dyn Clock>,
}

impl Pump {
    /// Copies until the pipe ends, nobody takes more, or nothing may pass any more.
    ///
    /// What is read is handed to the recorder first, which takes a moment, and then passed on: so a question is always on the
    /// tape before its answer. Where frames are durable one by one this waits each time, until they are: what either side has
    /// seen no crash takes from the tape, up to the end of the last line. The bytes of a line that is longer than a piece pass
    /// before its end does.
    pub(super) fn copy(&self, from: &mut Source, to: &mut dyn Write) {
        let mut buffer = vec![0; COPY_BYTES];
        while let Some(read) = self.read(from, &mut buffer)
            && let Some(bytes) = buffer.get(..read)
            && self.handover.offer(self.way, bytes, self.clock.read())
            && self.handover.may_pass(self.way)
            && self.pass(bytes, to)
        {}
        self.handover.over(self.way, self.clock.read());
    }

    /// Reads what there is, waiting for it. `None` at the end; a pipe that cannot be read any more has ended.
    fn read(&self, from: &mut Source, buffer: &mut [u8]) -> Option<usize> {
        let read = match from {
            Source::Given(from) => loop {
                match from.read(buffer) {
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    read => break read.ok(),
                }
            },
            Source::Output(pipe) => {
                while poll(&mut [PollFd::new(&*pipe, PollFlags::IN)], None) == Err(Errno::INTR) {}
                self.handover.reading(self.way);
                loop {
                    match rustix::io::read(&*pipe, &mut *buffer) {
                        Err(Errno::INTR) => {}
                        read => break read.ok(),
                    }
                }
            }
        };
        read.filter(|read| *read > 0)
    }

    /// Passes a piece on, and keeps count of how far that came. False when the rest is not taken.
    fn pass(&self, mut bytes: &[u8], to: &mut dyn Write) -> bool {
        while !bytes.is_empty() {
            match to.write(bytes) {
                Ok(0) => return false,
                Ok(written) => {
                    bytes = bytes.get(written..).unwrap_or_default();
                    if !self.handover.passed(self.way, written) {
                        return false;
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        to.flush().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::child::handover::{Heard, Next};
    use crate::time::SystemClock;

    /// Takes so many bytes, and then none.
    struct Takes(usize);

    impl Write for Takes {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let taken = bytes.len().min(self.0).min(3);
            self.0 = self.0.saturating_sub(taken);
            if taken == 0 { Err(ErrorKind::BrokenPipe.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn of_a_piece_that_was_taken_in_part_the_rest_is_undelivered() {
        let clock = Arc::new(SystemClock::new([0; 16]));
        let pump = Pump { way: Way::In, handover: Arc::new(Handover::new(false)), clock };
        pump.copy(&mut Source::Given(Box::new(&b"ten bytes\n"[..])), &mut Takes(7));
        assert!(matches!(pump.handover.next(None), Next::Hear(Heard::Bytes { bytes, .. }) if bytes == b"ten bytes\n"));
        assert!(matches!(pump.handover.next(None), Next::Hear(Heard::End { way: Way::In, undelivered: 3, .. })));
    }
}

//! A CBOR sequence of any length, one item in memory at a time.

use std::io::Read;

use super::super::BundleError;
use crate::codec::CborError;
use crate::codec::cbor::Reader;

/// Bytes asked for at a time.
const STEP_BYTES: usize = 64 << 10;

/// Why a sequence stops reading.
#[derive(Debug)]
pub(super) enum Stopped {
    Item(BundleError),
    TooLong(usize),
    Io(std::io::Error),
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Item(e) => write!(f, "an item does not read: {e}"),
            Self::TooLong(max) => write!(f, "an item of more than {max} bytes"),
            Self::Io(e) => write!(f, "it cannot be read: {e}"),
        }
    }
}

/// Items of one kind, one after another.
pub(super) struct Sequence<'a, T> {
    from: Box<dyn Read + 'a>,
    read_item: fn(&mut Reader<'_>) -> Result<T, BundleError>,
    item_max: usize,
    held: Vec<u8>,
    /// Bytes at the front of `held` that were read already.
    done: usize,
    is_at_end: bool,
    stopped: Option<Stopped>,
}

impl<'a, T> Sequence<'a, T> {
    pub(super) fn new(
        from: Box<dyn Read + 'a>,
        item_max: usize,
        read_item: fn(&mut Reader<'_>) -> Result<T, BundleError>,
    ) -> Self {
        Self { from, read_item, item_max, held: Vec::new(), done: 0, is_at_end: false, stopped: None }
    }

    /// Why it stopped before its end, if it did.
    pub(super) fn stopped(self) -> Option<Stopped> {
        self.stopped
    }

    /// As many bytes again as are waiting, so that a long item is looked at few times.
    fn fill(&mut self) -> std::io::Result<()> {
        self.held.drain(..self.done);
        self.done = 0;
        let wanted = self.held.len().max(STEP_BYTES) as u64;
        let read = (&mut self.from).take(wanted).read_to_end(&mut self.held)?;
        self.is_at_end = (read as u64) < wanted;
        Ok(())
    }

    fn next_item(&mut self) -> Result<Option<T>, Stopped> {
        loop {
            let waiting = self.held.get(self.done..).unwrap_or_default();
            if waiting.is_empty() && self.is_at_end {
                return Ok(None);
            }
            let mut r = Reader::new(waiting);
            match (self.read_item)(&mut r) {
                Ok(item) => {
                    self.done = self.done.saturating_add(r.position());
                    return Ok(Some(item));
                }
                // Perhaps the item is there and its end is not yet.
                Err(BundleError::Cbor(CborError::Truncated)) if !self.is_at_end => {
                    if waiting.len() > self.item_max {
                        return Err(Stopped::TooLong(self.item_max));
                    }
                    self.fill().map_err(Stopped::Io)?;
                }
                Err(e) => return Err(Stopped::Item(e)),
            }
        }
    }
}

impl<T> Iterator for Sequence<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.stopped.is_some() {
            return None;
        }
        self.next_item().unwrap_or_else(|stopped| {
            self.stopped = Some(stopped);
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::cbor::encode;

    fn bytes_of(r: &mut Reader<'_>) -> Result<Vec<u8>, BundleError> {
        Ok(r.bytes()?.to_vec())
    }

    fn read(file: Vec<u8>, max: usize) -> (Vec<usize>, Option<String>) {
        let from = std::io::Cursor::new(file);
        let mut items = Sequence::new(Box::new(from), max, bytes_of);
        let lengths = items.by_ref().map(|item| item.len()).collect();
        (lengths, items.stopped().map(|s| s.to_string()))
    }

    #[test]
    fn items_across_any_border() {
        let lengths = [0, 1, 65_530, 7, 65_536, 200_000, 3];
        let file: Vec<u8> = lengths.iter().flat_map(|n| encode(|w| w.bytes(&vec![7; *n]))).collect();
        assert_eq!(read(file.clone(), 1 << 20), (lengths.to_vec(), None));
        for cut in [1, 3, 100_000] {
            let (found, why) = read(file[..file.len() - cut].to_vec(), 1 << 20);
            assert!(found.len() < 7 && found.iter().eq(&lengths[..found.len()]), "{found:?}");
            assert!(why.unwrap().contains("cut off"));
        }
        assert_eq!(read(Vec::new(), 10), (vec![], None));
    }

    #[test]
    fn an_item_that_never_ends_is_given_up() {
        let mut file = encode(|w| w.bytes(&[1]));
        file.extend_from_slice(&[0x5b, 0, 0, 1, 0, 0, 0, 0, 0]);
        file.resize(1 << 20, 0);
        assert_eq!(read(file, 100_000), (vec![1], Some("an item of more than 100000 bytes".into())));
        assert_eq!(read(vec![0x41, 9, 0x01, 0x41, 9], 10).0, [1]);
    }

    #[test]
    fn a_medium_that_fails_stops_it() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::Other.into())
            }
        }
        let mut items = Sequence::new(Box::new(Broken), 10, bytes_of);
        assert!(items.next().is_none() && items.next().is_none());
        assert!(matches!(items.stopped(), Some(Stopped::Io(_))));
    }
}

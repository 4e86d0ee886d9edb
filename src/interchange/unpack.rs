//! A source as it was given: hashed and counted while a gzip or Zstandard wrapper around it is taken off, within bounds.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use crate::codec::digest::{Digest, Hasher};
use crate::error::{Code, Error, Result};

/// So much may come out of a compressed source whatever its length.
pub(super) const UNPACKED_FREE_BYTES: u64 = 64 << 20;
/// Past that, at most this many bytes may come out of one that went in.
pub(super) const UNPACKED_RATIO_MAX: u64 = 250;
/// A Zstandard frame may ask for a window of gigabytes; 32 MiB are those of level 20.
const WINDOW_LOG_MAX: u32 = 25;

/// What a source is wrapped in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapper {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Wrapper {
    /// By the first bytes.
    fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// What is wrong with a compressed source; travels inside an [`io::Error`].
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the compressed source is at fault")]
struct Fault {
    kind: FaultKind,
    wrapper: Wrapper,
    given_bytes: u64,
}

#[derive(Debug, Clone, Copy)]
enum FaultKind {
    Truncated,
    Damaged,
    Bomb,
    Window,
}

/// The error of a failed read, if it is the fault of the compressed source and not of the disk or pipe.
pub(super) fn fault(e: &io::Error) -> Option<Error> {
    let Fault { kind, wrapper, given_bytes } = *e.get_ref()?.downcast_ref::<Fault>()?;
    let name = wrapper.name();
    Some(match kind {
        FaultKind::Truncated => {
            Error::new(Code::TruncatedInput, format!("the {name} stream stops in the middle, after {given_bytes} bytes"))
                .with_hint("nothing was imported; get the whole file, or decompress what is there into a copy and import that")
        }
        FaultKind::Damaged => Error::new(
            Code::NotATape,
            format!("this is no recorded session: the {name} stream is damaged, or something else follows it, before byte {given_bytes} of the file"),
        )
        .with_hint("nothing was imported; get the file again, or decompress what can be read into a copy and import that"),
        FaultKind::Bomb => Error::new(
            Code::Limit,
            format!("the {name} stream gives more than {UNPACKED_RATIO_MAX} bytes for each of its own: the first {given_bytes} bytes hold more than that, and more than {UNPACKED_FREE_BYTES} bytes in all"),
        )
        .with_hint("nothing was imported; if it is no trap, decompress it yourself and import the outcome"),
        FaultKind::Window => Error::new(
            Code::Limit,
            format!("the {name} stream needs a window of more than {} bytes", 1u64 << WINDOW_LOG_MAX),
        )
        .with_hint("nothing was imported; decompress it yourself and import the outcome"),
    })
}

/// The first bytes, read to tell the wrapper, and the rest.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// Hashes and counts what is read.
struct Given<R> {
    input: Whole<R>,
    hash: Hasher,
    bytes: u64,
    /// So many bytes of what is buffered are hashed already.
    ahead: usize,
    /// The last read failed below us.
    failed: bool,
}

impl<R: BufRead> Read for Given<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let got = self.fill_buf()?.read(out)?;
        self.consume(got);
        Ok(got)
    }
}

impl<R: BufRead> BufRead for Given<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.failed = true;
        let buffered = self.input.fill_buf()?;
        self.failed = false;
        if let Some(new) = buffered.get(self.ahead..).filter(|new| !new.is_empty()) {
            self.hash.update(new);
            self.ahead = buffered.len();
        }
        Ok(buffered)
    }

    fn consume(&mut self, amount: usize) {
        self.input.consume(amount);
        self.ahead = self.ahead.saturating_sub(amount);
        self.bytes = self.bytes.saturating_add(amount as u64);
    }
}

enum Kind<R: BufRead> {
    Plain(Whole<R>),
    Gzip(Box<BufReader<MultiGzDecoder<Given<R>>>>),
    Zstd(Box<BufReader<ZstdDecoder<'static, Given<R>>>>),
}

/// The content of a source, without its wrapper.
pub(super) struct Content<R: BufRead> {
    kind: Kind<R>,
    unpacked_bytes: u64,
    /// Why the beginning could not be read further; told where it is read on.
    pending: Option<io::Error>,
}

impl<R: BufRead> Content<R> {
    /// Looks at the first bytes.
    ///
    /// # Errors
    /// `E_IO`; `E_INTERNAL` when no decoder can be made.
    pub(super) fn open(mut input: R) -> Result<Self> {
        let mut start = Vec::new();
        input.by_ref().take(4).read_to_end(&mut start).map_err(|e| {
            Error::new(Code::Io, "the beginning of the source cannot be read")
                .with_hint("nothing was imported; check the disk or pipe that it comes from, and import again")
                .with_source(e)
        })?;
        let wrapper = Wrapper::of(&start);
        let input = Cursor::new(start).chain(input);
        let given = |input| Given { input, hash: Hasher::new(), bytes: 0, ahead: 0, failed: false };
        let kind = match wrapper {
            None => Kind::Plain(input),
            Some(Wrapper::Gzip) => Kind::Gzip(Box::new(BufReader::new(MultiGzDecoder::new(given(input))))),
            Some(Wrapper::Zstd) => {
                let unusable = |e| Error::new(Code::Internal, "no zstd decoder can be made").with_source(e);
                let mut decoder = ZstdDecoder::with_buffer(given(input)).map_err(unusable)?;
                decoder.window_log_max(WINDOW_LOG_MAX).map_err(unusable)?;
                Kind::Zstd(Box::new(BufReader::new(decoder)))
            }
        };
        Ok(Self { kind, unpacked_bytes: 0, pending: None })
    }

    /// The first bytes, and whether nothing follows them. What cannot be read is told where it is read on, with its place.
    pub(super) fn beginning(&mut self, max: usize) -> (Vec<u8>, bool) {
        let mut start = Vec::new();
        let read = self.by_ref().take(max as u64).read_to_end(&mut start);
        let is_all = read.is_ok() && start.len() < max;
        self.pending = read.err();
        (start, is_all)
    }

    /// What was taken off, with SHA-256 and length of the source as it was given; `None` when it was not compressed.
    pub(super) fn wrapper(self) -> Option<(Wrapper, Digest, u64)> {
        let (wrapper, given) = match self.kind {
            Kind::Plain(_) => return None,
            Kind::Gzip(reader) => (Wrapper::Gzip, reader.into_inner().into_inner()),
            Kind::Zstd(reader) => (Wrapper::Zstd, reader.into_inner().finish()),
        };
        Some((wrapper, Digest::from_bytes(given.hash.finish()), given.bytes))
    }

    fn given(&self) -> Option<(Wrapper, &Given<R>)> {
        match &self.kind {
            Kind::Plain(_) => None,
            Kind::Gzip(reader) => Some((Wrapper::Gzip, reader.get_ref().get_ref())),
            Kind::Zstd(reader) => Some((Wrapper::Zstd, reader.get_ref().get_ref())),
        }
    }

    fn read_ahead(&mut self) -> io::Result<&[u8]> {
        match &mut self.kind {
            Kind::Plain(input) => input.fill_buf(),
            Kind::Gzip(reader) => reader.fill_buf(),
            Kind::Zstd(reader) => reader.fill_buf(),
        }
    }

    fn check_ratio(&self) -> io::Result<()> {
        match self.given() {
            Some((wrapper, given))
                if self.unpacked_bytes > UNPACKED_FREE_BYTES
                    && self.unpacked_bytes / UNPACKED_RATIO_MAX > given.bytes =>
            {
                Err(io::Error::other(Fault { kind: FaultKind::Bomb, wrapper, given_bytes: given.bytes }))
            }
            _ => Ok(()),
        }
    }

    /// Tells a fault of the compressed bytes from one of the disk or pipe below them.
    fn name_fault(&self, e: io::Error) -> io::Error {
        let Some((wrapper, given)) = self.given().filter(|(_, given)| !given.failed) else { return e };
        let kind = match e.kind() {
            io::ErrorKind::Interrupted => return e,
            io::ErrorKind::UnexpectedEof => FaultKind::Truncated,
            _ if e.to_string().contains("too much memory") => FaultKind::Window,
            _ => FaultKind::Damaged,
        };
        io::Error::other(Fault { kind, wrapper, given_bytes: given.bytes })
    }
}

impl<R: BufRead> Read for Content<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let got = self.fill_buf()?.read(out)?;
        self.consume(got);
        Ok(got)
    }
}

impl<R: BufRead> BufRead for Content<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if let Some(e) = self.pending.take() {
            return Err(e);
        }
        self.check_ratio()?;
        if let Err(e) = self.read_ahead() {
            return Err(self.name_fault(e));
        }
        // What was read stands in the buffer, so this cannot fail; the borrow of the first call could not be given back.
        self.read_ahead()
    }

    fn consume(&mut self, amount: usize) {
        match &mut self.kind {
            Kind::Plain(input) => input.consume(amount),
            Kind::Gzip(reader) => reader.consume(amount),
            Kind::Zstd(reader) => reader.consume(amount),
        }
        self.unpacked_bytes = self.unpacked_bytes.saturating_add(amount as u64);
    }
}

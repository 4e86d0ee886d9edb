//! A tar file as a source: its blocks are looked at once, in one pass, and remembered; then files are read where they lie.

use std::collections::HashMap;
use std::io::{self, Read};

use super::super::tar::BLOCK_BYTES;
use super::super::{FILES_MAX, TAR_END_BYTES, TarFile, read_tar_header, tar_padding};
use super::source::{Source, SourceFile};
use crate::evidence::bundle::BundleError;

/// Bytes that lie somewhere and can be read from any place.
pub trait Blob {
    /// How many.
    ///
    /// # Errors
    /// The system's error.
    fn len(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset`; fewer bytes only at the end.
    ///
    /// # Errors
    /// The system's error.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Nothing at all?
    ///
    /// # Errors
    /// The system's error.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

impl Blob for Vec<u8> {
    fn len(&self) -> io::Result<u64> {
        Ok(Vec::len(self) as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let (to, from) = (buffer.iter_mut(), rest.iter());
        Ok(to.zip(from).map(|(to, from)| *to = *from).count())
    }
}

/// Why a tar file is not one of a bundle.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// Blocks that are not those of chapter 6.1.
    #[error("at byte {at}: {what}")]
    Form {
        /// Offset of the block.
        at: u64,
        /// What is wrong.
        what: String,
    },
    /// The system's error.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A tar file whose blocks hold.
pub struct TarSource<B> {
    blob: B,
    files: Vec<SourceFile>,
    places: HashMap<String, (u64, u64)>,
    is_in_order: bool,
}

impl<B: std::fmt::Debug> std::fmt::Debug for TarSource<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TarSource").field("blob", &self.blob).field("files", &self.files.len()).finish_non_exhaustive()
    }
}

fn form<T>(at: u64, what: impl Into<String>) -> Result<T, TarError> {
    Err(TarError::Form { at, what: what.into() })
}

impl<B: Blob> TarSource<B> {
    /// Looks at every header and all that is filled up. Of a file of several GB this reads a block a file.
    ///
    /// # Errors
    /// [`TarError`].
    pub fn open(blob: B) -> Result<Self, TarError> {
        let size = blob.len()?;
        let mut source = Self { blob, files: Vec::new(), places: HashMap::new(), is_in_order: true };
        let (mut at, mut first) = (0u64, None::<TarFile>);
        while let Some(file) = source.header(at)? {
            if first.as_ref().is_some_and(|first| first.bag != file.bag || first.mtime_s != file.mtime_s) {
                return form(at, "a header with another name of the bag, or another time");
            }
            let content = at.saturating_add(BLOCK_BYTES as u64);
            let end = content.saturating_add(file.bytes);
            let padding = tar_padding(file.bytes) as u64;
            at = end.saturating_add(padding);
            if at > size {
                return form(content, "the file ends before its contents");
            }
            if !source.is_zero(end, padding)? {
                return form(end, "contents that are not filled up with zero bytes");
            }
            if source.files.len() >= FILES_MAX {
                return form(content, "more files than a manifest can name");
            }
            if source.places.insert(file.path.clone(), (content, file.bytes)).is_some() {
                return form(content, "a second file of the same path");
            }
            source.files.push(SourceFile { path: file.path.clone(), bytes: file.bytes });
            first.get_or_insert(file);
        }
        let end = at.saturating_add(TAR_END_BYTES as u64);
        if end != size || !source.is_zero(at, TAR_END_BYTES as u64)? {
            return form(at, "it does not end in two blocks of zero bytes, or something follows");
        }
        let rank = |file: &SourceFile| {
            let front = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"];
            front.iter().position(|path| *path == file.path).unwrap_or(front.len())
        };
        source.is_in_order = source.files.is_sorted_by(|a, b| (rank(a), &a.path) < (rank(b), &b.path));
        Ok(source)
    }

    fn header(&self, at: u64) -> Result<Option<TarFile>, TarError> {
        let mut block = [0; BLOCK_BYTES];
        if self.blob.read_at(at, &mut block)? != BLOCK_BYTES {
            return form(at, "it ends without two blocks of zero bytes");
        }
        read_tar_header(&block).or_else(|e: BundleError| form(at, e.to_string()))
    }

    fn is_zero(&self, at: u64, count: u64) -> io::Result<bool> {
        let mut block = [0xff; TAR_END_BYTES];
        let wanted = usize::try_from(count).unwrap_or(usize::MAX).min(TAR_END_BYTES);
        let part = block.get_mut(..wanted).unwrap_or_default();
        let read = self.blob.read_at(at, part)?;
        Ok(read == wanted && part.iter().all(|byte| *byte == 0))
    }
}

impl<B: Blob> Source for TarSource<B> {
    fn files(&self) -> &[SourceFile] {
        &self.files
    }

    fn strays(&self) -> &[String] {
        &[]
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>> {
        let (at, left) = *self.places.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Part { blob: &self.blob, at, left }))
    }

    fn is_in_order(&self) -> bool {
        self.is_in_order
    }
}

/// A part of a blob, read from its beginning.
pub struct Part<'a, B: ?Sized> {
    blob: &'a B,
    at: u64,
    left: u64,
}

impl<B: ?Sized> std::fmt::Debug for Part<'_, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("at", &self.at).field("left", &self.left).finish_non_exhaustive()
    }
}

impl<B: Blob + ?Sized> Read for Part<'_, B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.blob.read_at(self.at, buffer.get_mut(..wanted).unwrap_or_default())?;
        if read == 0 && wanted > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at = self.at.saturating_add(read as u64);
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::super::super::tar_header;
    use super::*;

    fn file(path: &str, bag: &str, mtime_s: u64, content: &[u8]) -> Vec<u8> {
        let header = TarFile { bag: bag.into(), path: path.into(), bytes: content.len() as u64, mtime_s };
        let mut out = tar_header(&header).unwrap().to_vec();
        out.extend_from_slice(content);
        out.resize(out.len() + tar_padding(content.len() as u64), 0);
        out
    }

    fn open(parts: &[Vec<u8>]) -> Result<TarSource<Vec<u8>>, TarError> {
        TarSource::open(parts.concat())
    }

    fn end() -> Vec<u8> {
        vec![0; TAR_END_BYTES]
    }

    #[test]
    fn files_are_read_where_they_lie() {
        let long = vec![7; 1_300];
        let parts =
            [file("bagit.txt", "b", 1, b"x"), file("data/a", "b", 1, &long), file("data/b", "b", 1, b""), end()];
        let source = open(&parts).unwrap();
        assert_eq!(source.files().iter().map(|f| f.bytes).collect::<Vec<_>>(), [1, 1_300, 0]);
        let mut read = Vec::new();
        Source::open(&source, "data/a").unwrap().read_to_end(&mut read).unwrap();
        assert_eq!((read, source.is_in_order()), (long, true));
        assert!(Source::open(&source, "data/c").is_err());
        let turned = open(&[file("data/b", "b", 1, b""), file("data/a", "b", 1, b""), end()]).unwrap();
        assert!(!turned.is_in_order());
        assert!(!open(&[file("data/b", "b", 1, b""), file("bagit.txt", "b", 1, b""), end()]).unwrap().is_in_order());
    }

    #[test]
    fn blocks_that_are_not_those_of_a_bundle() {
        let a = || file("data/a", "b", 1, b"x");
        let mut unfilled = a();
        *unfilled.last_mut().unwrap() = 1;
        for (parts, what) in [
            (vec![], "ends without"),
            (vec![a()], "ends without"),
            (vec![a(), vec![0; 512]], "does not end in two"),
            (vec![a(), end(), vec![0; 512]], "does not end in two"),
            (vec![a(), end(), vec![1]], "does not end in two"),
            (vec![a(), vec![0; 512], a(), end()], "does not end in two"),
            (vec![a(), a(), end()], "a second file"),
            (vec![a(), file("data/b", "c", 1, b"x"), end()], "another name"),
            (vec![a(), file("data/b", "b", 2, b"x"), end()], "another name"),
            (vec![unfilled, end()], "filled up"),
            (vec![a()[..700].to_vec()], "ends before"),
            (vec![b"age-encryption.org/v1\n".repeat(40), end()], "a header"),
        ] {
            let found = open(&parts).unwrap_err();
            assert!(matches!(&found, TarError::Form { .. }) && found.to_string().contains(what), "{what}: {found}");
        }
    }

    /// A medium that fails is no alteration.
    #[test]
    fn a_medium_that_fails() {
        struct Broken;
        impl Blob for Broken {
            fn len(&self) -> io::Result<u64> {
                Ok(4_096)
            }
            fn read_at(&self, _: u64, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::Other.into())
            }
        }
        assert!(!Broken.is_empty().unwrap());
        assert!(matches!(TarSource::open(Broken), Err(TarError::Io(_))));
    }
}

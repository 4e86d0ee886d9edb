//! The parts of a header that are maps or lists of their own.

use super::TapeError;
use super::lists::not_empty;
use crate::codec::cbor::{CborError, Key, Reader, Writer, encode};
use crate::codec::digest::{Digest, Thumbprint};
use crate::codec::limits::{LABEL_BYTES_MAX, TAGS_MAX};

/// How the session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of docs/format/2-tape 2.2")]
pub enum EndState {
    Clean,
    ChildExit(i64),
    Signal(u64),
    Crashed(Option<Vec<u8>>),
    Truncated,
    Imported,
    Error(Vec<u8>),
    Continued,
}

/// Names given to a tape.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// Name.
    pub name: Option<Vec<u8>>,
    /// Description.
    pub description: Option<Vec<u8>>,
    /// Tags, in the order given.
    pub tags: Vec<Vec<u8>>,
}

/// Which program recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecorderInfo {
    /// Thumbprint of the recorder's key.
    pub key: Option<Thumbprint>,
    /// Version of the program.
    pub version: Option<String>,
    /// Digest of its configuration.
    pub config: Option<Digest>,
}

/// Where an imported tape came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provenance {
    /// Name of the source format.
    pub format: Option<String>,
    /// SHA-256 of the source file.
    pub source_sha256: Option<Digest>,
    /// Version of the importer.
    pub importer: Option<String>,
    /// What could not be carried over, or differed.
    pub losses: Vec<String>,
    /// Name of the source file as given.
    pub source_name: Option<Vec<u8>>,
    /// When it was imported, milliseconds since 1970. Not part of the content digest.
    pub imported_ms: Option<u64>,
    /// Host that imported. Not part of the content digest.
    pub host: Option<Vec<u8>>,
    /// SHA-256 of the companion metadata file.
    pub companion_sha256: Option<Digest>,
    /// The companion metadata file itself.
    pub companion: Option<Vec<u8>>,
    /// Length of the source file.
    pub source_bytes: Option<u64>,
}

impl Labels {
    /// Writes the labels map (also private field 27 of entries).
    pub fn write(&self, w: &mut Writer) {
        let count = [self.name.is_some(), self.description.is_some(), !self.tags.is_empty()];
        w.map(count.iter().filter(|c| **c).count());
        for (key, value) in [(0, &self.name), (1, &self.description)] {
            if let Some(v) = value {
                w.uint(key);
                w.bytes(v);
            }
        }
        if !self.tags.is_empty() {
            w.uint(2);
            w.array(self.tags.len());
            self.tags.iter().for_each(|t| w.bytes(t));
        }
    }

    /// Are they within the limits of 2.2?
    #[must_use]
    pub fn fit(&self) -> bool {
        let texts = self.name.iter().chain(&self.description).chain(&self.tags);
        self.tags.len() <= TAGS_MAX && texts.into_iter().all(|text| text.len() <= LABEL_BYTES_MAX)
    }

    /// Reads the labels map.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut l = Self::default();
        r.map(|key, v| {
            match key {
                Key::Int(0) => l.name = Some(v.bytes()?.to_vec()),
                Key::Int(1) => l.description = Some(v.bytes()?.to_vec()),
                Key::Int(2) => l.tags = read_list(v, |r| r.bytes().map(<[u8]>::to_vec))?,
                _ => return Err(CborError::UnknownKey),
            }
            Ok(())
        })?;
        Ok(l)
    }
}

impl EndState {
    pub(super) fn write(&self, w: &mut Writer) {
        let head = |w: &mut Writer, n: u64, detail: bool| {
            w.array(if detail { 2 } else { 1 });
            w.uint(n);
        };
        match self {
            Self::Clean => head(w, 0, false),
            Self::ChildExit(code) => {
                head(w, 1, true);
                w.int(*code);
            }
            Self::Signal(n) => {
                head(w, 2, true);
                w.uint(*n);
            }
            Self::Crashed(None) => head(w, 3, false),
            Self::Crashed(Some(words)) => {
                head(w, 3, true);
                w.bytes(words);
            }
            Self::Truncated => head(w, 4, false),
            Self::Imported => head(w, 5, false),
            Self::Error(words) => {
                head(w, 6, true);
                w.bytes(words);
            }
            Self::Continued => head(w, 7, false),
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, TapeError> {
        let n = r.array()?;
        let number = if n == 0 { return Err(CborError::Length.into()) } else { r.uint()? };
        Ok(match (number, n) {
            (0, 1) => Self::Clean,
            (1, 2) => Self::ChildExit(r.int()?),
            (2, 2) => Self::Signal(r.uint()?),
            (3, 1) => Self::Crashed(None),
            (3, 2) => Self::Crashed(Some(r.bytes()?.to_vec())),
            (4, 1) => Self::Truncated,
            (5, 1) => Self::Imported,
            (6, 2) => Self::Error(r.bytes()?.to_vec()),
            (7, 1) => Self::Continued,
            (0..=7, _) => return Err(CborError::Length.into()),
            (value, _) => return Err(TapeError::Value { field: "end state", value }),
        })
    }

    /// The word in listings and `--json`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::ChildExit(_) => "child_exit",
            Self::Signal(_) => "signal",
            Self::Crashed(_) => "crashed",
            Self::Truncated => "truncated",
            Self::Imported => "imported",
            Self::Error(_) => "error",
            Self::Continued => "continued in another tape",
        }
    }
}

impl RecorderInfo {
    pub(super) fn write(&self, w: &mut Writer) {
        let present = [self.key.is_some(), self.version.is_some(), self.config.is_some()];
        w.map(present.iter().filter(|p| **p).count());
        if let Some(k) = &self.key {
            w.uint(0);
            w.bytes(k.as_ref());
        }
        if let Some(v) = &self.version {
            w.uint(1);
            w.text(v);
        }
        if let Some(c) = &self.config {
            w.uint(2);
            w.bytes(c.as_ref());
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut info = Self::default();
        r.map(|key, v| {
            match key {
                Key::Int(0) => info.key = Some(Thumbprint::from_bytes(v.bytes_n()?)),
                Key::Int(1) => info.version = Some(v.text()?.to_owned()),
                Key::Int(2) => info.config = Some(Digest::from_bytes(v.bytes_n()?)),
                _ => return Err(CborError::UnknownKey),
            }
            Ok(())
        })?;
        Ok(info)
    }
}

impl Provenance {
    pub(super) fn write(&self, w: &mut Writer, content_only: bool) {
        let mut pairs: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut put = |n: u64, f: &dyn Fn(&mut Writer)| pairs.push((n, encode(|w| f(w))));
        if let Some(v) = &self.format {
            put(0, &|w| w.text(v))
        }
        if let Some(v) = &self.source_sha256 {
            put(1, &|w| w.bytes(v.as_ref()))
        }
        if let Some(v) = &self.importer {
            put(2, &|w| w.text(v))
        }
        if !self.losses.is_empty() {
            put(3, &|w| {
                w.array(self.losses.len());
                self.losses.iter().for_each(|l| w.text(l));
            });
        }
        if let Some(v) = &self.source_name {
            put(4, &|w| w.bytes(v))
        }
        if let Some(v) = self.imported_ms.filter(|_| !content_only) {
            put(5, &move |w| w.uint(v))
        }
        if let Some(v) = self.host.as_ref().filter(|_| !content_only) {
            put(6, &|w| w.bytes(v))
        }
        if let Some(v) = &self.companion_sha256 {
            put(7, &|w| w.bytes(v.as_ref()))
        }
        if let Some(v) = &self.companion {
            put(8, &|w| w.bytes(v))
        }
        if let Some(v) = self.source_bytes {
            put(9, &move |w| w.uint(v))
        }
        w.raw(&encode_map(&pairs));
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, CborError> {
        let mut p = Self::default();
        r.map(|key, v| {
            match key {
                Key::Int(0) => p.format = Some(v.text()?.to_owned()),
                Key::Int(1) => p.source_sha256 = Some(Digest::from_bytes(v.bytes_n()?)),
                Key::Int(2) => p.importer = Some(v.text()?.to_owned()),
                Key::Int(3) => p.losses = read_list(v, |r| r.text().map(str::to_owned))?,
                Key::Int(4) => p.source_name = Some(v.bytes()?.to_vec()),
                Key::Int(5) => p.imported_ms = Some(v.uint()?),
                Key::Int(6) => p.host = Some(v.bytes()?.to_vec()),
                Key::Int(7) => p.companion_sha256 = Some(Digest::from_bytes(v.bytes_n()?)),
                Key::Int(8) => p.companion = Some(v.bytes()?.to_vec()),
                Key::Int(9) => p.source_bytes = Some(v.uint()?),
                _ => return Err(CborError::UnknownKey),
            }
            Ok(())
        })?;
        Ok(p)
    }
}

pub(super) fn encode_map(fields: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut w = Writer::new();
    w.map(fields.len());
    for (n, v) in fields {
        w.uint(*n);
        w.raw(v);
    }
    w.finish()
}

pub(super) fn read_list<'a, T>(
    r: &mut Reader<'a>,
    mut each: impl FnMut(&mut Reader<'a>) -> Result<T, CborError>,
) -> Result<Vec<T>, CborError> {
    let n = r.array()?;
    let mut out = Vec::new();
    for _ in 0..n {
        out.push(each(r)?);
    }
    not_empty(out)
}

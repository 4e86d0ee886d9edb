//! The backend that the program had before: one plain file a tape. It takes whole tapes only, and records no access.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use immutape::codec::digest::{TapeId, sha256};
use immutape::provider::{
    Capabilities, Page, Query, Setting, SettingKind, StorageProviderFactory, StorageStats, Surroundings, Tape,
    TapeIndexEntry, TapeStorageBackend, async_trait,
};
use immutape::tape::{Frame, Header};
use immutape::time::Timestamp;
use immutape::{Code, Error, Result};
use serde_json::Value;

const SETTINGS: &[Setting] = &[Setting::new("path", SettingKind::Path, "folder of the files")];

/// Makes backends of the provider `plain-files`.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainFactory;

impl StorageProviderFactory for PlainFactory {
    fn name(&self) -> &str {
        "plain-files"
    }

    fn version(&self) -> &str {
        "1.0.0"
    }

    fn about(&self) -> &str {
        "one plain file a tape"
    }

    fn settings(&self) -> &[Setting] {
        SETTINGS
    }

    fn create(&self, config: &Value, _around: &Surroundings) -> Result<Box<dyn TapeStorageBackend>> {
        self.validate(config)?;
        let path = config.get("path").and_then(Value::as_str);
        let path = path.ok_or_else(|| Error::new(Code::Usage, "the setting \"path\" is needed"))?;
        Ok(Box::new(PlainFiles { folder: path.into() }))
    }
}

struct PlainFiles {
    folder: PathBuf,
}

fn io(e: std::io::Error) -> Error {
    Error::new(Code::Io, "a plain file cannot be read or written").with_source(e)
}

fn damaged() -> Error {
    Error::new(Code::TapeDamaged, "a plain file is not what was written")
}

/// Length and bytes of the header, then of each frame.
fn encode(tape: &Tape) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut put = |part: &[u8]| {
        out.extend((part.len() as u64).to_be_bytes());
        out.extend(part);
    };
    put(&tape.header.encode()?);
    for (n, frame) in tape.frames.iter().enumerate() {
        if frame.seq != n as u64 {
            return Err(Error::new(Code::Usage, "the frames are not numbered in order"));
        }
        put(&frame.parts()?.encode());
    }
    Ok(out)
}

fn decode(mut bytes: &[u8]) -> Result<Tape> {
    let mut next = || -> Option<&[u8]> {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let (part, rest) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
        bytes = rest;
        Some(part)
    };
    let header = Header::decode(next().ok_or_else(damaged)?)?;
    let mut frames = Vec::new();
    while let Some(part) = next() {
        frames.push(Frame::decode(part)?);
    }
    Ok(Tape::of(header, frames))
}

impl PlainFiles {
    /// Files in the order in which they were written: `00000001-<id>.tape`.
    fn files(&self) -> Result<Vec<(TapeId, PathBuf)>> {
        let mut found: Vec<PathBuf> =
            fs::read_dir(&self.folder).map_err(io)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        found.sort();
        let named = |path: PathBuf| {
            let id = path.file_name()?.to_str()?.strip_suffix(".tape")?.split_once('-')?.1;
            let bytes: Vec<u8> =
                (0..id.len() / 2).map(|n| u8::from_str_radix(&id[2 * n..2 * n + 2], 16).ok()).collect::<Option<_>>()?;
            Some((TapeId::from_slice(&bytes)?, path))
        };
        Ok(found.into_iter().filter_map(named).collect())
    }

    fn find(&self, id: &TapeId) -> Result<PathBuf> {
        let found = self.files()?.into_iter().find(|(other, _)| other == id);
        found.map(|(_, path)| path).ok_or_else(|| Error::new(Code::NotFound, "no plain file has this id"))
    }

    fn entry(&self, id: TapeId, path: &Path) -> Result<(TapeIndexEntry, Header)> {
        let about = fs::metadata(path).map_err(io)?;
        let since = about.modified().map_err(io)?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let header = decode(&fs::read(path).map_err(io)?)?.header;
        let saved = Timestamp::from_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        Ok((TapeIndexEntry::of(id, &header, saved, about.len()), header))
    }
}

#[async_trait]
impl TapeStorageBackend for PlainFiles {
    async fn initialize(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(io)
    }

    async fn save(&self, tape: &Tape) -> Result<TapeId> {
        let bytes = encode(tape)?;
        let id = TapeId::from_bytes(sha256(&bytes));
        if self.find(&id).is_ok() {
            return Ok(id);
        }
        let temporary = self.folder.join(format!("{}.new", id.to_hex()));
        let file = fs::File::create(&temporary).map_err(io)?;
        fs::write(&temporary, &bytes).map_err(io)?;
        file.sync_all().map_err(io)?;
        let number = self.files()?.len() + 1;
        fs::rename(&temporary, self.folder.join(format!("{number:08}-{}.tape", id.to_hex()))).map_err(io)?;
        fs::File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        Ok(id)
    }

    async fn load(&self, id: &TapeId) -> Result<Tape> {
        let bytes = fs::read(self.find(id)?).map_err(io)?;
        if sha256(&bytes) == *id.as_bytes() { decode(&bytes) } else { Err(damaged()) }
    }

    async fn delete(&self, id: &TapeId) -> Result<()> {
        self.find(id)?;
        Err(Error::new(Code::DisposalRequired, "this program deletes no recordings").with_hint("ask the help desk"))
    }

    async fn list(&self, query: &Query) -> Result<Page> {
        let no_cursor = |_| Error::new(Code::Usage, "this cursor is none of mine");
        // "of-from": how many there were at first, and how many of those are behind us.
        let files = self.files()?;
        let (of, mut at) = match &query.cursor {
            None => (files.len(), 0),
            Some(text) => {
                let (of, at) = text.split_once('-').unwrap_or_default();
                (of.parse().map_err(no_cursor)?, at.parse().map_err(no_cursor)?)
            }
        };
        let mut page = Page::default();
        for (id, path) in files.into_iter().take(of).skip(at) {
            if query.limit.is_some_and(|limit| page.tapes.len() >= limit.get()) {
                page.next = Some(format!("{of}-{at}"));
                break;
            }
            at += 1;
            let (entry, header) = self.entry(id, &path)?;
            if query.passes(&entry, &header) {
                page.tapes.push(entry);
            }
        }
        Ok(page)
    }

    async fn search(&self, query: &Query) -> Result<Page> {
        self.list(query).await
    }

    async fn stats(&self) -> Result<StorageStats> {
        let mut stats = StorageStats::default();
        self.list(&Query::all()).await?.tapes.iter().for_each(|entry| stats.count(entry));
        Ok(stats)
    }

    async fn exists(&self, id: &TapeId) -> Result<bool> {
        Ok(self.find(id).is_ok())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none().durable(true)
    }
}

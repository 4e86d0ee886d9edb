//! Files that an export makes: their names, and that they are there whole or not at all.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::input::shown;
use super::session::Parts;
use crate::codec::digest::Digest;
use crate::error::{Code, Error, Result};
use crate::interchange::HashedWriter;
use crate::store::files::{Files, NewFile, code_of_kind, parent, with_suffix};

/// The names of the files of one export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub file: PathBuf,
    /// For what cannot stand in a version 2.0 tape.
    pub beside: PathBuf,
    /// Metadata of a version 2.0 tape, where an import looks for it.
    pub companion: PathBuf,
}

impl Target {
    /// Beside `file`.
    pub(super) fn of(file: PathBuf) -> Self {
        let named = |suffix: &str| match file.extension() {
            Some(extension) if extension == "jsonl" => file.with_extension(suffix),
            _ => with_suffix(&file, &format!(".{suffix}")),
        };
        Self { beside: named("extra.jsonl"), companion: named("meta.json"), file }
    }

    /// In `folder`, named by the tape's id.
    pub(super) fn in_folder(folder: &Path, id: &str, extension: &str) -> Self {
        Self::of(folder.join(format!("{id}.{extension}")))
    }

    fn all(&self) -> [&Path; 3] {
        [&self.file, &self.beside, &self.companion]
    }

    /// Refuses names that are taken, and names among the ledger's own files.
    ///
    /// # Errors
    /// `E_USAGE`.
    pub(super) fn check(&self, parts: &Parts, has_companions: bool, given: Given) -> Result<()> {
        let Given { flag, force } = given;
        let names = self.all();
        for path in names.iter().take(if has_companions { 3 } else { 1 }) {
            match path.symlink_metadata() {
                Ok(there) if !there.is_file() => {
                    return Err(refused(format!("{} is there already, and no plain file", shown(path)))
                        .with_hint(format!("give another name with {flag}")));
                }
                Ok(_) if force != Some(true) => {
                    let replace = if force.is_some() { "--force replaces it; or " } else { "" };
                    return Err(refused(format!("{} is there already", shown(path)))
                        .with_hint(format!("{replace}give another name with {flag}")));
                }
                _ => {}
            }
        }
        let folder = parent(&self.file);
        let real = |path: &Path| path.canonicalize().ok();
        let Some(folder) = real(folder) else {
            return Err(refused(format!("there is no folder {}", shown(folder))).with_hint("make it first"));
        };
        let places = &parts.places;
        let own = [Some(&places.ledger), places.state.as_ref(), places.config.as_ref()];
        let bases = [places.state_base.as_ref(), places.config_base.as_ref()];
        if own.into_iter().chain(bases).flatten().filter_map(|p| real(p)).any(|p| folder.starts_with(p)) {
            return Err(refused(format!("{} would stand among the ledger's own files", shown(&self.file)))
                .with_hint(format!("give a name elsewhere with {flag}")));
        }
        Ok(())
    }
}

/// How a command was told where to write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    /// The flag that names the file.
    pub flag: &'static str,
    /// Was `--force` given? `None` where the command has no such flag: nothing is replaced.
    pub force: Option<bool>,
}

impl Given {
    /// `--output`, and perhaps `--force`.
    pub(super) const fn output(force: bool) -> Self {
        Self { flag: "--output", force: Some(force) }
    }
}

/// Where `--output` points to a file, or to a folder in which it gets its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Stdout,
    File(Target),
    Folder(PathBuf),
}

impl Place {
    /// As typed.
    ///
    /// # Errors
    /// `E_USAGE`.
    pub(super) fn of(output: Option<&Path>) -> Result<Self> {
        let Some(output) = output else { return Ok(Self::Folder(PathBuf::from("."))) };
        let text = output.as_os_str().as_encoded_bytes();
        if text == b"-" {
            return Ok(Self::Stdout);
        }
        if output.is_dir() {
            return Ok(Self::Folder(output.to_owned()));
        }
        if text.ends_with(b"/") {
            return Err(refused(format!("there is no folder {}", shown(output))).with_hint("make it first"));
        }
        if output.file_name().is_none() {
            return Err(refused("--output names no file").with_hint("give a file, a folder that is there, or -"));
        }
        Ok(Self::File(Target::of(output.to_owned())))
    }
}

fn refused(words: impl Into<String>) -> Error {
    Error::new(Code::Usage, words.into())
}

/// A file that left.
#[derive(Debug)]
pub(super) struct Left {
    pub path: PathBuf,
    pub bytes: u64,
    pub sha256: Digest,
}

impl Left {
    pub(super) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }
}

/// A file in the making; it is made with its first byte.
pub(super) struct Lazy {
    files: Arc<dyn Files>,
    target: PathBuf,
    mark: u64,
    file: Option<HashedWriter<NewFile>>,
}

impl Lazy {
    pub(super) fn new(files: &Arc<dyn Files>, target: &Path, mark: u64) -> Self {
        Self { files: files.clone(), target: target.to_owned(), mark, file: None }
    }

    /// Makes the file also where nothing is written to it.
    ///
    /// # Errors
    /// `E_IO`.
    pub(super) fn begin(mut self) -> Result<Self> {
        match self.file() {
            Ok(_) => Ok(self),
            Err(e) => Err(cannot_write(&self.target, e)),
        }
    }

    fn file(&mut self) -> io::Result<&mut HashedWriter<NewFile>> {
        let file = match self.file.take() {
            Some(file) => file,
            None => HashedWriter::new(NewFile::create(self.files.clone(), &self.target, self.mark)?),
        };
        Ok(self.file.insert(file))
    }
}

impl Lazy {
    /// Makes it durable, still under its temporary name; `None` of one that nothing was written to.
    ///
    /// # Errors
    /// `E_IO`, `E_STORE_FULL`.
    pub(super) fn ready(self) -> Result<Option<(NewFile, Left)>> {
        let Some(file) = self.file else { return Ok(None) };
        let (mut file, bytes, sha256) = file.finish();
        file.sync().map_err(|e| cannot_write(&self.target, e))?;
        Ok(Some((file, Left { path: self.target, bytes, sha256 })))
    }
}

impl Write for Lazy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// The error of a file of an export.
pub(super) fn cannot_write(path: &Path, e: io::Error) -> Error {
    no_export(path, e.kind()).with_source(e)
}

/// The words for it; a full disk has its own code, for there the way out is another.
pub(super) fn no_export(path: &Path, kind: io::ErrorKind) -> Error {
    let code = code_of_kind(kind);
    let hint = match kind {
        io::ErrorKind::AlreadyExists => {
            "somebody made it meanwhile; nothing of this export is left, but the read is on record"
        }
        _ if code == Code::StoreFull => {
            "the disk that it was to stand on is full; nothing of this export is left, but the read is on record"
        }
        _ => "nothing of this export is left, but the read is on record",
    };
    Error::new(code, format!("{} cannot be written", shown(path))).with_hint(hint)
}

/// The name as `sha256sum` would print it, for the list of several files.
pub(super) fn name_bytes(name: &OsStr) -> Vec<u8> {
    OsString::from(name).into_encoded_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let names = |file: &str| {
            let t = Target::of(PathBuf::from(file));
            (t.beside.to_str().unwrap().to_owned(), t.companion.to_str().unwrap().to_owned())
        };
        assert_eq!(names("a/x.jsonl"), ("a/x.extra.jsonl".into(), "a/x.meta.json".into()));
        assert_eq!(names("x.tape"), ("x.tape.extra.jsonl".into(), "x.tape.meta.json".into()));
        assert_eq!(names("x"), ("x.extra.jsonl".into(), "x.meta.json".into()));
    }

    #[test]
    fn places() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Place::of(None).unwrap(), Place::Folder(".".into()));
        assert_eq!(Place::of(Some(Path::new("-"))).unwrap(), Place::Stdout);
        assert_eq!(Place::of(Some(folder.path())).unwrap(), Place::Folder(folder.path().to_owned()));
        let file = folder.path().join("x");
        assert_eq!(Place::of(Some(&file)).unwrap(), Place::File(Target::of(file)));
        for bad in ["", "/nowhere/at/all/", "nowhere/.."] {
            assert_eq!(Place::of(Some(Path::new(bad))).unwrap_err().code(), Code::Usage, "{bad}");
        }
    }
}

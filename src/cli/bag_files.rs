//! The files of a bag: a folder, a tar file, or a tar file that one recipient alone can open. Whole, or not there.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::export_files::cannot_write;
use super::session::Parts;
use crate::codec::digest::{Digest, Hasher};
use crate::error::{Code, Error, Result};
use crate::evidence::bundle::{
    BAGIT_TXT, BagManifest, BundleDigest, FILE_BYTES_MAX, ManifestLine, TAR_END_BYTES, TarFile, bag_info, tag_manifest,
    tar_header, tar_padding,
};
use crate::ledger::{Evidence, EvidenceFile};
use crate::store::files::{Files, NewFile, TemporaryFolder, create_dir_durable, parent};
use crate::time::Timestamp;

/// How a bag is written.
#[derive(Clone)]
pub(super) enum Form {
    Folder,
    Tar,
    /// For this recipient.
    Age(age::x25519::Recipient),
}

impl Form {
    /// By the name that it gets.
    ///
    /// # Errors
    /// `E_USAGE`.
    pub(super) fn of(to: &Path, encrypt_to: Option<&str>) -> Result<Self> {
        let refused = |words: &str, hint: &'static str| Err(Error::new(Code::Usage, words.to_owned()).with_hint(hint));
        let name = to.file_name().unwrap_or_default().as_encoded_bytes();
        match encrypt_to {
            _ if name.is_empty() => {
                refused("--to names no file and no folder", "give a new folder, or a file that ends in .tar")
            }
            Some(key) if name.ends_with(b".tar.age") => match key.parse() {
                Ok(recipient) => Ok(Self::Age(recipient)),
                Err(_) => refused(
                    "--encrypt-to is no age recipient",
                    "it begins with age1; `age-keygen` makes one, and its private half stays with the recipient",
                ),
            },
            Some(_) => refused("an encrypted bundle ends in .tar.age", "change the name after --to"),
            None if name.ends_with(b".age") => {
                refused("a bundle that ends in .age is encrypted", "say for whom with --encrypt-to")
            }
            None if name.ends_with(b".tar") => Ok(Self::Tar),
            None => Ok(Self::Folder),
        }
    }
}

/// Length and SHA-256 of a file.
type Measured = (u64, Digest);

/// A bag about to be written.
pub(super) struct BagFiles<'a> {
    files: Arc<dyn Files>,
    to: PathBuf,
    mark: u64,
    form: Form,
    made: Timestamp,
    /// Has somebody asked to stop?
    go_on: &'a dyn Fn() -> Result<()>,
}

/// A bag that was written.
pub(super) struct Written {
    pub digest: BundleDigest,
    files: Arc<dyn Files>,
    to: PathBuf,
    is_folder: bool,
    bytes: u64,
    count: u64,
}

impl Written {
    /// Removes a file that must not stay. A folder is left, for nothing here removes folders with a name: it says `begun` in the register.
    pub(super) fn take_back(&self) {
        if !self.is_folder {
            let _left_behind = self.files.remove_file(&self.to);
        }
    }

    /// Bytes, bundle digest, number of files of the payload.
    pub(super) fn left(&self) -> (u64, String, u64) {
        (self.bytes, self.digest.digest().to_hex(), self.count)
    }
}

impl<'a> BagFiles<'a> {
    pub(super) fn new(parts: &Parts, to: &Path, form: Form, go_on: &'a dyn Fn() -> Result<()>) -> Result<Self> {
        let (files, mark) = (parts.env.files.clone(), parts.who.pid);
        let made = parts.env.clock.read().wall;
        Ok(Self { files, to: to.to_owned(), mark, form, made, go_on })
    }

    /// Takes the digest of every file, then writes all of them. A crash leaves a temporary name.
    ///
    /// # Errors
    /// `E_IO`, `E_STORE_FULL`, those of [`Evidence::write`].
    pub(super) fn write(&self, evidence: &Evidence) -> Result<Written> {
        let measured = evidence.measure()?;
        (self.go_on)()?;
        if let Some((file, _)) = evidence.files().iter().zip(&measured).find(|(_, (bytes, _))| *bytes > FILE_BYTES_MAX)
        {
            let what = format!("{} is longer than the 8 GiB of a file in a bundle", file.path());
            return Err(Error::new(Code::Limit, what).with_hint("ask for fewer frames with --frames"));
        }
        let lines = evidence.files().iter().zip(&measured);
        let line = |(file, (_, digest)): (&EvidenceFile, &Measured)| ManifestLine {
            digest: *digest,
            path: file.path().to_owned(),
        };
        let manifest = BagManifest::new(lines.map(line).collect()).to_text();
        let bytes = measured.iter().map(|(bytes, _)| bytes).sum();
        let count = measured.len() as u64;
        let date: String = self.made.to_text().chars().take(10).collect();
        let completeness = evidence.completeness();
        let info = bag_info(&completeness.bundle, &completeness.origin, &date, (bytes, count));
        let tags = tag_manifest(&info, &manifest);
        let digest = BundleDigest::of(&tags);
        let front = [
            ("bagit.txt", BAGIT_TXT),
            ("bag-info.txt", &info),
            ("manifest-sha256.txt", &manifest),
            ("tagmanifest-sha256.txt", &tags),
        ];
        match &self.form {
            Form::Folder => self.folder(evidence, &front, &measured)?,
            Form::Tar => {
                let file = self.begin()?;
                let file = self.tar(evidence, &front, &measured, file)?;
                self.place(file)?;
            }
            Form::Age(recipient) => {
                let recipients = std::iter::once(recipient as &dyn age::Recipient);
                let encryptor = age::Encryptor::with_recipients(recipients)
                    .map_err(|e| Error::new(Code::Internal, format!("the bundle cannot be encrypted: {e}")))?;
                let out = encryptor.wrap_output(self.begin()?).map_err(|e| cannot_write(&self.to, e))?;
                let out = self.tar(evidence, &front, &measured, out)?;
                self.place(out.finish().map_err(|e| cannot_write(&self.to, e))?)?;
            }
        }
        let is_folder = matches!(self.form, Form::Folder);
        Ok(Written { digest, files: self.files.clone(), to: self.to.clone(), is_folder, bytes, count })
    }

    fn begin(&self) -> Result<NewFile> {
        NewFile::create(self.files.clone(), &self.to, self.mark).map_err(|e| cannot_write(&self.to, e))
    }

    fn place(&self, mut file: NewFile) -> Result<()> {
        file.sync().and_then(|()| file.place(false)).map_err(|e| cannot_write(&self.to, e))
    }

    fn tar<W: Write>(
        &self,
        evidence: &Evidence,
        front: &[(&str, &str)],
        measured: &[Measured],
        mut out: W,
    ) -> Result<W> {
        let bag = format!("immutape-{}", hex::encode(evidence.completeness().bundle));
        let header = |path: &str, bytes: u64| {
            let file = TarFile { bag: bag.clone(), path: path.to_owned(), bytes, mtime_s: self.made.as_ms() / 1_000 };
            tar_header(&file).map_err(|e| Error::new(Code::Limit, e.to_string()))
        };
        let failed = |e: io::Error| cannot_write(&self.to, e);
        for (path, text) in front {
            out.write_all(&header(path, text.len() as u64)?).map_err(failed)?;
            out.write_all(text.as_bytes()).map_err(failed)?;
            out.write_all(&vec![0; tar_padding(text.len() as u64)]).map_err(failed)?;
        }
        for (file, measured) in evidence.files().iter().zip(measured) {
            (self.go_on)()?;
            let (bytes, _) = measured;
            out.write_all(&header(file.path(), *bytes)?).map_err(failed)?;
            Same::write(evidence, file, measured, &mut out)?;
            out.write_all(&vec![0; tar_padding(*bytes)]).map_err(failed)?;
        }
        out.write_all(&[0; TAR_END_BYTES]).map_err(failed)?;
        Ok(out)
    }

    /// A crash leaves the folder under its temporary name: it takes its own once everything in it is durable.
    fn folder(&self, evidence: &Evidence, front: &[(&str, &str)], measured: &[Measured]) -> Result<()> {
        let failed = |e: io::Error| cannot_write(&self.to, e);
        let name = self.to.file_name().unwrap_or_default().to_string_lossy();
        let temporary =
            TemporaryFolder::create(parent(&self.to), &format!(".{name}.{}.part", self.mark)).map_err(failed)?;
        let begin = |path: &str| {
            let path = temporary.path().join(path);
            create_dir_durable(&*self.files, parent(&path)).map_err(failed)?;
            NewFile::create(self.files.clone(), &path, self.mark).map_err(failed)
        };
        for (path, text) in front {
            let mut file = begin(path)?;
            file.write_all(text.as_bytes()).and_then(|()| file.place(false)).map_err(failed)?;
        }
        for (payload, measured) in evidence.files().iter().zip(measured) {
            (self.go_on)()?;
            let mut file = begin(payload.path())?;
            Same::write(evidence, payload, measured, &mut file)?;
            file.place(false).map_err(failed)?;
        }
        temporary.place(&*self.files, &self.to).map_err(failed)
    }
}

/// Passes bytes on, and knows what they were: the manifest stands before them.
struct Same<'a, W> {
    out: &'a mut W,
    hasher: Hasher,
    bytes: u64,
}

impl<'a, W: Write> Same<'a, W> {
    /// Writes a file of a bundle a second time: what is not what was measured ends it.
    fn write(evidence: &Evidence, file: &EvidenceFile, (bytes, digest): &Measured, out: &'a mut W) -> Result<()> {
        let mut same = Self { out, hasher: Hasher::new(), bytes: 0 };
        evidence.write(file, &mut same)?;
        if same.bytes == *bytes && same.hasher.finish() == *digest.as_bytes() {
            return Ok(());
        }
        Err(Error::new(Code::ReadbackMismatch, "what was read a second time is not what was read first")
            .with_hint("`immutape verify` says what is damaged; nothing of this bundle is left"))
    }
}

impl<W: Write> Write for Same<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

//! Bundles and published trees on disk: a folder as it stands, or a tar file. Links and devices are never followed.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::evidence::Verdict;
use crate::evidence::bundle::{
    Blob, BundleReport, FILES_MAX, Pins, Source, SourceFile, TarError, TarSource, check_bundle,
};
use crate::store::files::{File, Files, refuse_linked_folder};

/// Folders in folders, of which no bundle and no tree has so many; what lies deeper is told and not looked at.
const DEPTH_MAX: usize = 12;

/// A folder as a source: every plain file in it and beneath.
#[derive(Debug)]
pub struct FolderSource {
    folder: PathBuf,
    disk: Arc<dyn Files>,
    files: Vec<SourceFile>,
    strays: Vec<String>,
}

impl FolderSource {
    /// Lists the folder.
    ///
    /// # Errors
    /// The system's error; a folder that is a link, or has more than a million files.
    pub fn open(disk: Arc<dyn Files>, folder: &Path) -> io::Result<Self> {
        refuse_linked_folder(&*disk, folder)?;
        let (files, strays) = (Vec::new(), Vec::new());
        let mut source = Self { folder: folder.to_owned(), disk, files, strays };
        source.list("", DEPTH_MAX)?;
        source.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(source)
    }

    /// What stands in a folder, whose path ends in a slash.
    fn list(&mut self, front: &str, depth: usize) -> io::Result<()> {
        let entries = self.disk.list(&self.folder.join(front))?;
        if entries.is_empty() && !front.is_empty() {
            self.strays.push(front.to_owned());
        }
        for entry in entries {
            let path = format!("{front}{}", entry.name);
            // A name that is no text could not be opened by what is told of it.
            let has_other_name = entry.os_name.to_str() != Some(entry.name.as_str());
            if !entry.is_plain || has_other_name || entry.is_dir && depth == 0 {
                self.strays.push(path);
            } else if entry.is_dir {
                self.list(&format!("{path}/"), depth.saturating_sub(1))?;
            } else {
                self.files.push(SourceFile { path, bytes: entry.bytes });
            }
            if self.files.len().saturating_add(self.strays.len()) > FILES_MAX {
                return Err(io::Error::other("more files than a bundle may have"));
            }
        }
        Ok(())
    }
}

impl Source for FolderSource {
    fn files(&self) -> &[SourceFile] {
        &self.files
    }

    fn strays(&self) -> &[String] {
        &self.strays
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>> {
        let file = self.disk.open(&self.folder.join(path), false)?;
        Ok(Box::new(WholeFile { file, at: 0 }))
    }
}

/// A file from its beginning, to wherever it ends.
struct WholeFile {
    file: Arc<dyn File>,
    at: u64,
}

impl Read for WholeFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.at, buffer)?;
        self.at = self.at.saturating_add(read as u64);
        Ok(read)
    }
}

/// A file that is read anywhere.
#[derive(Debug)]
pub struct FileBlob(Arc<dyn File>);

impl Blob for FileBlob {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
}

/// What a path holds.
#[derive(Debug)]
pub enum BundleFiles {
    /// A bag as a folder, or a published tree.
    Folder(FolderSource),
    /// A bag as a tar file.
    Tar(TarSource<FileBlob>),
}

impl BundleFiles {
    /// Opens what stands at a path.
    ///
    /// # Errors
    /// The report of what cannot be opened (`cannot tell`), or is no tar file of a bundle (`altered`).
    pub fn open(disk: &Arc<dyn Files>, path: &Path) -> Result<Self, Box<BundleReport>> {
        let place = || path.to_string_lossy().into_owned();
        let refused = |word, what: String| Box::new(BundleReport::unopened(word, place(), what));
        let cannot = |e: io::Error| refused(Verdict::CannotTell, format!("it cannot be opened: {e}"));
        if disk.list(path).is_ok() {
            return FolderSource::open(disk.clone(), path).map(Self::Folder).map_err(cannot);
        }
        let blob = FileBlob(disk.open(path, false).map_err(cannot)?);
        match TarSource::open(blob) {
            Ok(tar) => Ok(Self::Tar(tar)),
            Err(TarError::Io(e)) => Err(cannot(e)),
            Err(TarError::Form { at, what }) => {
                Err(refused(Verdict::Altered, format!("it is no tar file of a bundle: at byte {at}: {what}")))
            }
        }
    }
}

impl Source for BundleFiles {
    fn files(&self) -> &[SourceFile] {
        match self {
            Self::Folder(folder) => folder.files(),
            Self::Tar(tar) => tar.files(),
        }
    }

    fn strays(&self) -> &[String] {
        match self {
            Self::Folder(folder) => folder.strays(),
            Self::Tar(tar) => tar.strays(),
        }
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>> {
        match self {
            Self::Folder(folder) => folder.open(path),
            Self::Tar(tar) => tar.open(path),
        }
    }

    fn is_in_order(&self) -> bool {
        match self {
            Self::Folder(folder) => folder.is_in_order(),
            Self::Tar(tar) => tar.is_in_order(),
        }
    }
}

/// Checks the bundle at a path, beside the published tree in a folder where one is given.
///
/// # Errors
/// The system's error of the tree's folder; what is wrong with the bundle is in the report.
pub fn check_bundle_at(
    disk: &Arc<dyn Files>,
    path: &Path,
    pins: &Pins,
    tree: Option<&Path>,
) -> io::Result<BundleReport> {
    let tree = tree.map(|folder| FolderSource::open(disk.clone(), folder)).transpose()?;
    Ok(match BundleFiles::open(disk, path) {
        Ok(source) => check_bundle(&source, pins, tree.as_ref().map(|tree| tree as &dyn Source)),
        Err(report) => *report,
    })
}

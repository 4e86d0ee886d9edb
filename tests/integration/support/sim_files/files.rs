//! The traits over the machine.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use immutape::store::files::{Entry, File, FileLock, Files, parent};

use super::SimFiles;
use super::faults::{Effect, Kind};
use super::machine::{Machine, Target, is_root};

type Shared = Arc<Mutex<Machine>>;

#[derive(Debug)]
struct SimFile {
    machine: Shared,
    node: u64,
    path: PathBuf,
    write: bool,
}

impl File for SimFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let machine = self.machine.lock().unwrap();
        machine.refuse_if_stopped()?;
        Ok(machine.nodes[&self.node].seen.read(offset, buffer))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if !self.write {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let mut machine = self.machine.lock().unwrap();
        machine.operate(Kind::Write, &self.path, bytes.len() as u64, |m, e| m.write(self.node, offset, bytes, e))
    }

    fn len(&self) -> io::Result<u64> {
        let machine = self.machine.lock().unwrap();
        machine.refuse_if_stopped()?;
        Ok(machine.nodes[&self.node].seen.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut machine = self.machine.lock().unwrap();
        machine.operate(Kind::Sync, &self.path, 0, |m, e| {
            m.sync_data(self.node, e);
            Ok(())
        })
    }

    fn punch(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let mut machine = self.machine.lock().unwrap();
        machine.operate(Kind::Punch, &self.path, bytes, |m, e| {
            let end = (offset + bytes).min(m.nodes[&self.node].seen.len());
            let zeros = vec![0; usize::try_from(end.saturating_sub(offset)).unwrap()];
            m.write(self.node, offset, &zeros, e)
        })
    }
}

#[derive(Debug)]
struct SimLock {
    machine: Shared,
    node: u64,
    path: PathBuf,
}

impl FileLock for SimLock {
    fn is_current(&self) -> bool {
        let machine = self.machine.lock().unwrap();
        !machine.stopped && machine.names.get(&self.path) == Some(&Target::File(self.node))
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.machine.lock().unwrap().locked.remove(&self.node);
    }
}

impl SimFiles {
    fn handle(&self, path: &Path, node: u64, write: bool) -> Arc<dyn File> {
        Arc::new(SimFile { machine: Arc::clone(&self.machine), node, path: path.to_owned(), write })
    }

    fn rename(&self, from: &Path, to: &Path, replace: bool) -> io::Result<()> {
        let mut machine = self.machine();
        machine.operate(Kind::Rename, to, 0, |m, effect| {
            let target = *m.names.get(from).ok_or(ErrorKind::NotFound)?;
            m.refuse_without_folder(to)?;
            if !replace && m.names.contains_key(to) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            if effect == Effect::With {
                m.change_name(Some(from), Some(to), target);
            }
            Ok(())
        })
    }
}

impl Files for SimFiles {
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn File>> {
        let machine = self.machine();
        machine.refuse_if_stopped()?;
        match machine.names.get(path) {
            Some(Target::File(node)) => Ok(self.handle(path, *node, write)),
            Some(Target::Folder) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut machine = self.machine();
        let mut made = 0;
        machine.operate(Kind::Create, path, 0, |m, effect| {
            m.refuse_without_folder(path)?;
            if m.names.contains_key(path) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            if effect == Effect::With {
                made = m.new_node();
                m.change_name(None, Some(path), Target::File(made));
            }
            Ok(())
        })?;
        Ok(self.handle(path, made, true))
    }

    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        let machine = self.machine();
        machine.refuse_if_stopped()?;
        let content = &machine.file(path)?.seen;
        if content.len() > bytes_max { Err(ErrorKind::FileTooLarge.into()) } else { Ok(content.to_vec()) }
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine();
        machine.refuse_if_stopped()?;
        if path.ancestors().any(|above| matches!(machine.names.get(above), Some(Target::File(_)))) {
            return Err(ErrorKind::NotADirectory.into());
        }
        let missing: Vec<PathBuf> = path
            .ancestors()
            .take_while(|folder| !is_root(folder) && !machine.names.contains_key(*folder))
            .map(Path::to_owned)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        machine.operate(Kind::CreateDir, path, 0, |m, effect| {
            if effect == Effect::With {
                missing.iter().rev().for_each(|folder| m.change_name(None, Some(folder), Target::Folder));
            }
            Ok(())
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine();
        machine.operate(Kind::SyncDir, path, 0, |m, effect| {
            if !is_root(path) && m.names.get(path) != Some(&Target::Folder) {
                return Err(ErrorKind::NotFound.into());
            }
            if effect == Effect::With {
                m.sync_dir(path);
            }
            Ok(())
        })
    }

    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.rename(from, to, false)
    }

    fn rename_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.rename(from, to, true)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine();
        machine.operate(Kind::Remove, path, 0, |m, effect| match m.names.get(path).copied() {
            None => Err(ErrorKind::NotFound.into()),
            Some(Target::Folder) => Err(ErrorKind::IsADirectory.into()),
            Some(target) => {
                if effect == Effect::With {
                    m.change_name(Some(path), None, target);
                }
                Ok(())
            }
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let machine = self.machine();
        machine.refuse_if_stopped()?;
        if !is_root(path) {
            match machine.names.get(path) {
                Some(Target::Folder) => {}
                Some(Target::File(_)) => return Err(ErrorKind::NotADirectory.into()),
                None => return Err(ErrorKind::NotFound.into()),
            }
        }
        let children = machine.names.iter().filter(|(name, _)| parent(name) == path);
        let mut entries: Vec<_> = children
            .map(|(name, target)| Entry {
                name: name.file_name().unwrap().to_string_lossy().into_owned(),
                os_name: name.file_name().unwrap().to_owned(),
                is_dir: *target == Target::Folder,
                is_plain: true,
                bytes: if let Target::File(node) = target { machine.nodes[node].seen.len() } else { 0 },
            })
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let machine = self.machine();
        machine.refuse_if_stopped()?;
        Ok(is_root(path) || machine.names.contains_key(path))
    }

    /// The lock file is no operation: it holds nothing, and nothing depends on its being durable.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        let mut machine = self.machine();
        machine.refuse_if_stopped()?;
        machine.refuse_without_folder(path)?;
        let node = match machine.names.get(path) {
            Some(Target::File(node)) => *node,
            Some(Target::Folder) => return Err(ErrorKind::IsADirectory.into()),
            None => {
                let node = machine.new_node();
                machine.names.insert(path.to_owned(), Target::File(node));
                machine.durable_names.insert(path.to_owned(), Target::File(node));
                node
            }
        };
        if !machine.locked.insert(node) {
            return Ok(None);
        }
        Ok(Some(Box::new(SimLock { machine: Arc::clone(&self.machine), node, path: path.to_owned() })))
    }

    fn shared_mode(&self, path: &Path) -> io::Result<u32> {
        self.machine().file(path).map(|_| 0)
    }
}

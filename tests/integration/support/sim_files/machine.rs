//! The state of the machine: files, names, and what is not durable yet.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use immutape::store::files::parent;

use super::SECTOR;
use super::content::Content;
use super::faults::{Effect, Kind, Operation, Plan, Verdict};

#[derive(Debug, Default)]
pub(super) struct Machine {
    pub nodes: BTreeMap<u64, Node>,
    pub names: BTreeMap<PathBuf, Target>,
    pub durable_names: BTreeMap<PathBuf, Target>,
    /// What is not durable, in the order it was done.
    pub pending: Vec<Pending>,
    pub locked: BTreeSet<u64>,
    pub nodes_made: u64,
    pub operations: Vec<Operation>,
    pub stage: String,
    pub plan: Plan,
    pub stopped: bool,
    pub room: Option<u64>,
    pub faults_made: u64,
    /// The stage in which the first fault was made.
    pub first_fault: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub seen: Content,
    pub durable: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    File(u64),
    Folder,
}

#[derive(Debug, Clone)]
pub(super) enum Pending {
    Write {
        node: u64,
        offset: u64,
        bytes: Arc<[u8]>,
        /// A sync failed since: later syncs pass over it, as a kernel does that marked the page clean.
        given_up: bool,
    },
    Name(NameChange),
}

/// A change of names that becomes durable as a whole.
#[derive(Debug, Clone)]
pub(super) struct NameChange {
    pub remove: Option<PathBuf>,
    pub add: Option<PathBuf>,
    pub target: Target,
    /// Folders whose sync is still missing.
    pub waits: BTreeSet<PathBuf>,
}

impl NameChange {
    /// A name is removed only while it is that of the moved thing: a later file may have taken it.
    pub fn apply(&self, names: &mut BTreeMap<PathBuf, Target>) {
        if let Some(from) = &self.remove {
            if let (Target::Folder, Some(to)) = (self.target, &self.add) {
                move_children(names, from, to);
            }
            if names.get(from) == Some(&self.target) {
                names.remove(from);
            }
        }
        if let Some(to) = &self.add {
            names.insert(to.clone(), self.target);
        }
    }
}

fn move_children(names: &mut BTreeMap<PathBuf, Target>, from: &Path, to: &Path) {
    let moved: Vec<_> = names.keys().filter(|path| path.starts_with(from) && *path != from).cloned().collect();
    for path in moved {
        let target = names.remove(&path).unwrap();
        names.insert(to.join(path.strip_prefix(from).unwrap()), target);
    }
}

pub(super) fn is_root(path: &Path) -> bool {
    [Path::new(""), Path::new("."), Path::new("/")].contains(&path)
}

fn stopped() -> io::Error {
    io::Error::other("the machine has stopped")
}

impl Machine {
    pub fn refuse_if_stopped(&self) -> io::Result<()> {
        if self.stopped { Err(stopped()) } else { Ok(()) }
    }

    /// Counts an operation and lets it happen as far as the plan says.
    pub fn operate(
        &mut self,
        kind: Kind,
        path: &Path,
        bytes: u64,
        run: impl FnOnce(&mut Self, Effect) -> io::Result<()>,
    ) -> io::Result<()> {
        self.refuse_if_stopped()?;
        let number = self.operations.len() as u64;
        let (stage, used) = (self.stage.clone(), self.used_bytes());
        self.operations.push(Operation { number, kind, path: path.to_owned(), bytes, stage, used });
        self.plan_lie();
        let verdict = self.plan.verdict(number, kind);
        if !matches!(verdict, Verdict::Go) {
            self.count_fault();
        }
        match verdict {
            Verdict::Go => run(self, Effect::With),
            Verdict::Lose => Ok(()),
            Verdict::Stop(effect) => {
                let _ignored = run(self, effect);
                self.stopped = true;
                Err(stopped())
            }
            Verdict::Fail(error, effect) => {
                run(self, effect)?;
                Err(io::Error::new(error, "a fault made by the test"))
            }
        }
    }

    fn count_fault(&mut self) {
        self.faults_made += 1;
        self.first_fault.get_or_insert_with(|| self.stage.clone());
    }

    /// Is the newest operation the sync that lies?
    fn plan_lie(&mut self) {
        let (Some(lie), Some(newest)) = (&mut self.plan.lie, self.operations.last()) else { return };
        if newest.kind != Kind::Sync || !(lie.is_meant)(newest) {
            return;
        }
        if lie.left > 0 {
            lie.left -= 1;
            return;
        }
        self.plan.lie = None;
        self.plan.lose.insert(newest.number);
        self.plan.stop = Some((newest.number + 1, Effect::Without));
    }

    pub fn file(&self, path: &Path) -> io::Result<&Node> {
        match self.names.get(path) {
            Some(Target::File(node)) => Ok(&self.nodes[node]),
            Some(Target::Folder) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    pub fn used_bytes(&self) -> u64 {
        let length = |target: &Target| match target {
            Target::File(node) => self.nodes[node].seen.len(),
            Target::Folder => 0,
        };
        self.names.values().map(length).sum()
    }

    pub fn write(&mut self, node: u64, offset: u64, bytes: &[u8], effect: Effect) -> io::Result<()> {
        let mut bytes = match effect {
            Effect::Without => return Ok(()),
            Effect::With => bytes,
            Effect::FirstBytes(count) => &bytes[..count.min(bytes.len())],
        };
        let length = self.nodes[&node].seen.len();
        let mut full = false;
        if let Some(room) = self.room {
            let free = room.saturating_sub(self.used_bytes());
            let most = (length + free).saturating_sub(offset);
            if bytes.len() as u64 > most {
                bytes = &bytes[..usize::try_from(most).unwrap()];
                full = true;
            }
        }
        self.nodes.get_mut(&node).unwrap().seen.write(offset, bytes);
        self.overwrite_given_up(node, offset, bytes.len() as u64);
        self.pending.push(Pending::Write { node, offset, bytes: bytes.into(), given_up: false });
        if full {
            self.count_fault();
            return Err(io::Error::new(ErrorKind::StorageFull, "no room left, says the test"));
        }
        Ok(())
    }

    /// A sector written to is dirty again with all that it holds; the given-up write keeps only what lies
    /// around it. (A kernel does the same by pages, which is more.)
    fn overwrite_given_up(&mut self, over: u64, from: u64, length: u64) {
        let (from, to) = (from / SECTOR * SECTOR, (from + length).next_multiple_of(SECTOR));
        let mut kept = Vec::new();
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Write { node, offset, bytes, given_up: true } if node == over => {
                    let cut = |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap().min(bytes.len());
                    let (a, b) = (cut(from), cut(to));
                    let parts = [(0, &bytes[..a], true), (a, &bytes[a..b], false), (b, &bytes[b..], true)];
                    for (start, part, given_up) in parts.into_iter().filter(|(_, part, _)| !part.is_empty()) {
                        let offset = offset + start as u64;
                        kept.push(Pending::Write { node, offset, bytes: part.into(), given_up });
                    }
                }
                other => kept.push(other),
            }
        }
        self.pending = kept;
    }

    pub fn sync_data(&mut self, node: u64, effect: Effect) {
        let mut kept = Vec::new();
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Write { node: n, offset, bytes, given_up: false } if n == node => {
                    if effect == Effect::With {
                        self.nodes.get_mut(&node).unwrap().durable.write(offset, &bytes);
                    } else {
                        kept.push(Pending::Write { node, offset, bytes, given_up: true });
                    }
                }
                other => kept.push(other),
            }
        }
        self.pending = kept;
    }

    pub fn sync_dir(&mut self, path: &Path) {
        let mut kept = Vec::new();
        for mut pending in std::mem::take(&mut self.pending) {
            if let Pending::Name(change) = &mut pending
                && change.waits.remove(path)
                && change.waits.is_empty()
            {
                change.apply(&mut self.durable_names);
                continue;
            }
            kept.push(pending);
        }
        self.pending = kept;
    }

    pub fn change_name(&mut self, remove: Option<&Path>, add: Option<&Path>, target: Target) {
        let waits = [remove, add].into_iter().flatten().map(|path| parent(path).to_owned()).collect();
        let change = NameChange { remove: remove.map(Path::to_owned), add: add.map(Path::to_owned), target, waits };
        change.apply(&mut self.names);
        self.pending.push(Pending::Name(change));
    }

    pub fn refuse_without_folder(&self, path: &Path) -> io::Result<()> {
        let folder = parent(path);
        let is_there = is_root(folder) || self.names.get(folder) == Some(&Target::Folder);
        if is_there { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
    }

    pub fn new_node(&mut self) -> u64 {
        self.nodes_made += 1;
        self.nodes.insert(self.nodes_made, Node::default());
        self.nodes_made
    }

    pub fn edit(&mut self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let Some(Target::File(node)) = self.names.get(path).copied() else { panic!("no file {}", path.display()) };
        let mut bytes = self.nodes[&node].seen.to_vec();
        change(&mut bytes);
        let content = Content::from_bytes(&bytes);
        self.nodes.insert(node, Node { seen: content.clone(), durable: content });
        self.pending.retain(|pending| !matches!(pending, Pending::Write { node: n, .. } if *n == node));
    }
}

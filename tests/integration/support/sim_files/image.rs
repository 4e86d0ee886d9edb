//! What a power cut leaves: everything durable, and of the rest what the test chooses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use immutape::store::files::parent;

use super::SECTOR;
use super::content::Content;
use super::machine::{Machine, Node, Pending, Target, is_root};

/// Which of the changes that are not durable reach the disk all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survive {
    Nothing,
    Everything,
    /// Each name and each sector of 512 bytes by the toss of a coin.
    Random(u64),
    /// The first so many changes, in order.
    First(usize),
    /// Everything but the last write, of which the first bytes reach the disk.
    LastWriteFirstBytes(usize),
    /// Everything but the last write, of which sector n reaches the disk if bit n % 64 is set.
    LastWriteSectors(u64),
    /// Everything but what was renamed: each such thing still has its old name.
    WithoutRenames,
}

pub(super) fn after_power_cut(machine: &Machine, survive: Survive) -> Machine {
    let mut nodes: BTreeMap<u64, Content> = machine.nodes.iter().map(|(n, node)| (*n, node.durable.clone())).collect();
    let mut names = machine.durable_names.clone();
    let is_write = |pending: &Pending| matches!(pending, Pending::Write { .. });
    let is_rename = |pending: &Pending| match pending {
        Pending::Name(change) => change.remove.is_some() && change.add.is_some(),
        Pending::Write { .. } => false,
    };
    let last_write = machine.pending.iter().rposition(is_write);
    let mut missed = Missed::new();
    let mut coin = Coin(if let Survive::Random(seed) = survive { seed } else { 0 });
    for (index, pending) in machine.pending.iter().enumerate() {
        let whole = match survive {
            Survive::Nothing => break,
            Survive::First(count) if index >= count => break,
            Survive::Everything | Survive::First(_) => true,
            Survive::Random(_) => !is_write(pending) && coin.toss(),
            Survive::WithoutRenames => !is_rename(pending),
            Survive::LastWriteFirstBytes(_) | Survive::LastWriteSectors(_) => Some(index) != last_write,
        };
        match pending {
            Pending::Name(change) if whole => change.apply(&mut names),
            Pending::Name(_) => {}
            Pending::Write { node, offset, bytes, .. } => {
                let content = nodes.get_mut(node).unwrap();
                if whole {
                    content.write(*offset, bytes);
                } else {
                    write_some(content, *node, *offset, bytes, survive, &mut coin, &mut missed);
                }
            }
        }
    }
    let names = without_orphans(names);
    let node = |content: Content| Node { seen: content.clone(), durable: content };
    Machine {
        nodes: nodes.into_iter().map(|(n, content)| (n, node(content))).collect(),
        durable_names: names.clone(),
        names,
        nodes_made: machine.nodes_made,
        ..Machine::default()
    }
}

/// What did not reach the disk of each sector so far. A later write to the same sector carries it along:
/// the system writes pages as they are, not single calls.
type Missed = BTreeMap<(u64, u64), Vec<(u64, Vec<u8>)>>;

fn write_some(
    content: &mut Content,
    node: u64,
    offset: u64,
    bytes: &[u8],
    survive: Survive,
    coin: &mut Coin,
    missed: &mut Missed,
) {
    if let Survive::LastWriteFirstBytes(count) = survive {
        return content.write(offset, &bytes[..count.min(bytes.len())]);
    }
    if matches!(survive, Survive::Random(_)) && coin.toss() {
        // The length is metadata and may arrive before the data does.
        content.grow(offset + bytes.len() as u64);
    }
    let mut at = 0;
    let mut number = 0_u32;
    while at < bytes.len() {
        let from = offset + at as u64;
        let to_boundary = usize::try_from(SECTOR - from % SECTOR).unwrap();
        let end = bytes.len().min(at + to_boundary);
        let arrives = match survive {
            Survive::LastWriteSectors(mask) => mask >> (number % 64) & 1 == 1,
            _ => coin.toss(),
        };
        let sector = missed.entry((node, from / SECTOR)).or_default();
        sector.push((from, bytes[at..end].to_vec()));
        if arrives {
            sector.drain(..).for_each(|(from, piece)| content.write(from, &piece));
        }
        (at, number) = (end, number + 1);
    }
}

/// What stands in a folder whose own name was lost is lost with it.
fn without_orphans(names: BTreeMap<PathBuf, Target>) -> BTreeMap<PathBuf, Target> {
    let folders: BTreeSet<PathBuf> =
        names.iter().filter(|(_, target)| **target == Target::Folder).map(|(path, _)| path.clone()).collect();
    let is_reached = |path: &Path| path.ancestors().skip(1).all(|above| is_root(above) || folders.contains(above));
    let reached = |path: &Path| is_root(parent(path)) || is_reached(path);
    names.into_iter().filter(|(path, _)| reached(path)).collect()
}

/// splitmix64.
struct Coin(u64);

impl Coin {
    fn toss(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) & 1 == 1
    }
}

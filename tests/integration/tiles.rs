//! Hash tiles as C2SP tlog-tiles defines them, against tiles that another program made from the definitions alone
//! (`tests/data/make_tiles.py`); so a machine without other people's vectors tries them all the same.

use std::collections::BTreeMap;

use immutape::codec::digest::{LeafHash, sha256};
use immutape::log::{Frontier, inclusion_path, leaf_hash};
use immutape::proof::verify_inclusion;

const TILE: u64 = 256;

/// Size, level, number and width of a tile, with the digest of its bytes; and each size's root.
struct Golden {
    tiles: Vec<([u64; 4], String)>,
    roots: BTreeMap<u64, String>,
}

fn golden() -> Golden {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiles.txt");
    let mut golden = Golden { tiles: Vec::new(), roots: BTreeMap::new() };
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        if words[0] == "root" {
            golden.roots.insert(number(1), words[2].to_owned());
        } else {
            golden.tiles.push(([number(0), number(1), number(2), number(3)], words[4].to_owned()));
        }
    }
    golden
}

fn leaf(n: u64) -> LeafHash {
    leaf_hash(format!("leaf {n}").as_bytes())
}

/// Every hash of every level's tiles, as a growing tree tells them.
fn levels(size: u64) -> (Vec<Vec<[u8; 32]>>, Frontier) {
    let (mut levels, mut tree) = (Vec::<Vec<[u8; 32]>>::new(), Frontier::new());
    for n in 0..size {
        tree.push_and_tell(&leaf(n), |height, hash| {
            if height % 8 == 0 {
                let level = (height / 8) as usize;
                levels.resize(levels.len().max(level + 1), Vec::new());
                levels[level].push(*hash);
            }
        });
    }
    (levels, tree)
}

#[test]
fn a_growing_tree_tells_the_tiles_of_the_definition() {
    let golden = golden();
    let mut checked = 0;
    for (size, root) in &golden.roots {
        let (levels, tree) = levels(*size);
        assert_eq!(tree.root().to_hex(), *root, "root of {size}");
        let heights = std::iter::successors(Some(*size), |count| Some(count / TILE)).take_while(|count| *count > 0);
        assert_eq!(levels.iter().map(|l| l.len() as u64).collect::<Vec<_>>(), heights.collect::<Vec<_>>(), "{size}");
        for ([_, level, number, width], digest) in golden.tiles.iter().filter(|([at, ..], _)| at == size) {
            let hashes = levels[*level as usize].chunks(TILE as usize).nth(*number as usize).unwrap();
            assert_eq!(hashes.len() as u64, *width, "{size} {level} {number}");
            assert_eq!(hex::encode(sha256(hashes.as_flattened())), *digest, "{size} {level} {number}");
            checked += 1;
        }
    }
    assert_eq!((checked, golden.roots.len()), (golden.tiles.len(), 15));
    assert!(golden.tiles.iter().any(|([_, level, ..], _)| *level == 2), "the tree is high enough for a third level");
}

fn node(pair: &[[u8; 32]]) -> [u8; 32] {
    sha256(&[&[1], pair.as_flattened()].concat())
}

/// The hash of `count` leaves from `first` on, out of tiles alone.
fn from_tiles(levels: &[Vec<[u8; 32]>], first: u64, count: u64) -> Option<[u8; 32]> {
    if !count.is_power_of_two() {
        let left = count.next_power_of_two() / 2;
        return Some(node(&[from_tiles(levels, first, left)?, from_tiles(levels, first + left, count - left)?]));
    }
    let level = count.ilog2() / 8;
    let span = TILE.pow(level);
    let range = usize::try_from(first / span).unwrap()..usize::try_from((first + count) / span).unwrap();
    let mut row = levels.get(level as usize)?.get(range)?.to_vec();
    while row.len() > 1 {
        row = row.chunks(2).map(node).collect();
    }
    row.pop()
}

#[test]
fn tiles_are_enough_to_prove_every_kind_of_leaf() {
    let roots = golden().roots;
    for size in [1, 2, 255, 256, 257, 513, 1_000, 66_000] {
        let (levels, tree) = levels(size);
        assert_eq!(tree.root().to_hex(), roots[&size]);
        for index in [0, 1, 254, 255, 256, 511, 512, 65_535, 65_536, size / 2, size - 1] {
            if index < size {
                let path = inclusion_path(index, size, &mut |from, to| from_tiles(&levels, from, to));
                let path = path.unwrap_or_else(|| panic!("no path for {index} of {size}"));
                assert_eq!(verify_inclusion(&leaf(index), index, size, &path, &tree.root()), Ok(()));
                let other = verify_inclusion(&leaf(index + 1), index, size, &path, &tree.root());
                assert!(other.is_err(), "{index} of {size} proves another leaf");
            }
        }
    }
}

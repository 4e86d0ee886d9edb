//! The golden files: every byte follows from the inputs in the index, every accepted file is read and written
//! again the same, every refused file is refused for the reason named, and is one edit away from an accepted one.

use std::collections::{BTreeMap, BTreeSet};

use crate::golden_make::decoders::{Read, decode};
use crate::golden_make::diff::{apply, undo};
use crate::golden_make::index::{self, Index};
use crate::golden_make::{chapters, folder};

const CHAPTERS: [&str; 6] = ["1-bytes", "2-tape", "3-seal", "4-commit", "5-proof", "store-embedded"];

fn read_index(chapter: &str) -> Index {
    index::read(&std::fs::read_to_string(folder().join(chapter).join("index.toml")).unwrap())
}

fn read(chapter: &str, part: &str, file: &str) -> Vec<u8> {
    let path = folder().join(chapter).join(part).join(file);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn names(chapter: &str, part: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder().join(chapter).join(part)).unwrap();
    entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_file_follows_from_the_inputs() {
    for chapter in chapters() {
        let stored = std::fs::read_to_string(folder().join(chapter.name).join("index.toml")).unwrap();
        assert_eq!(index::write(&chapter), stored, "{}: IMMUTAPE_GOLDEN=write writes it anew", chapter.name);
        for a in &chapter.accepts {
            assert_eq!(hex::encode(&a.bytes), hex::encode(read(chapter.name, "accept", &a.file)), "{}", a.file);
        }
        for r in &chapter.rejects {
            assert_eq!(hex::encode(&r.bytes), hex::encode(read(chapter.name, "reject", &r.file)), "{}", r.file);
        }
    }
}

#[test]
fn every_file_is_in_its_index_once() {
    for chapter in CHAPTERS {
        let index = read_index(chapter);
        let accepts: BTreeSet<_> = index.accepts.iter().map(|a| a.file.clone()).collect();
        let rejects: BTreeSet<_> = index.rejects.iter().map(|r| r.file.clone()).collect();
        assert_eq!(accepts.len(), index.accepts.len(), "{chapter}: an accepted file named twice");
        assert_eq!(rejects.len(), index.rejects.len(), "{chapter}: a refused file named twice");
        assert_eq!(accepts, names(chapter, "accept"));
        assert_eq!(rejects, names(chapter, "reject"));
    }
}

#[test]
fn accepted_files_are_read_and_written_again() {
    let mut checked = 0;
    for chapter in CHAPTERS {
        for a in read_index(chapter).accepts {
            let bytes = read(chapter, "accept", &a.file);
            assert_eq!(hex::encode(immutape::codec::digest::sha256(&bytes)), a.sha256, "{}", a.file);
            match decode(&a.decoder, &bytes, &a.values) {
                Ok(Read::Again(again)) => assert_eq!(hex::encode(again), hex::encode(bytes), "{}", a.file),
                Ok(Read::Opened(inner)) => assert_eq!(hex::encode(inner), a.values.text("opened"), "{}", a.file),
                Err(e) => panic!("{chapter}/{}: {e}", a.file),
            }
            checked += 1;
        }
    }
    assert!(checked >= 100, "only {checked} accepted files");
}

#[test]
fn refused_files_are_refused_for_the_reason_named() {
    let (mut reached, mut faults) = (BTreeMap::<String, usize>::new(), Vec::new());
    for chapter in CHAPTERS {
        let index = read_index(chapter);
        for r in &index.rejects {
            let from = index.accepts.iter().find(|a| a.file == r.from).unwrap_or_else(|| panic!("{}", r.from));
            let bytes = read(chapter, "reject", &r.file);
            match decode(&from.decoder, &bytes, &from.values) {
                Ok(_) => faults.push(format!("{chapter}/{} is accepted", r.file)),
                Err(found) if found != r.error => {
                    faults.push(format!("{chapter}/{}: {found} instead of {}", r.file, r.error));
                }
                Err(_) => {}
            }
            *reached.entry(r.error.split([' ', '(']).next().unwrap().to_owned()).or_default() += 1;
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let total: usize = reached.values().sum();
    println!("{total} refused files: {reached:?}");
    assert!(total >= 500, "only {total} refused files");
}

#[test]
fn undoing_the_edit_gives_the_accepted_file() {
    for chapter in CHAPTERS {
        let index = read_index(chapter);
        for r in &index.rejects {
            let (accepted, refused) = (read(chapter, "accept", &r.from), read(chapter, "reject", &r.file));
            assert!(!r.edits.is_empty(), "{}: no fault", r.file);
            assert_eq!(apply(&accepted, &r.edits), refused, "{}", r.file);
            assert_eq!(undo(&refused, &r.edits), accepted, "{}", r.file);
        }
    }
}

//! Every row that something is answered from is compared by a check: one that is changed, taken out or put in is
//! named, and a repair builds the rows again.

use std::collections::BTreeMap;

use immutape::catalog::{CatalogRow, SubjectRow, TapeFacts};
use immutape::codec::digest::CustodyId;
use immutape::evidence::{Report, Severity, Verdict};
use immutape::ledger::{CheckOptions, Checker, Ledger, Places, Repair, RepairDone};
use immutape::log::{EntryDraft, EntryKind};
use immutape::store::files::Files as _;
use immutape::store::{Batch, Rows as _};

use crate::support::crash::{Content, Diary, Kept, Machine, World, copy_rows, in_runtime};
use crate::support::ledgers::{ann, create, open, real, save_tape};
use crate::support::sim_files::Survive;
use crate::support::tamper::forge::{self, Forge};
use crate::support::tamper::sled_rows::{SledRows, catalogue_block, node, terms};

/// A closed ledger with some tapes, one of many chunks, and more entries than one row of tree hashes.
fn lived() -> (World, Vec<Kept>) {
    let (world, diary) = (World::new(21), Diary::default());
    in_runtime(async {
        let ledger = Ledger::create(world.places(), world.env(), "rows", true).await.unwrap();
        let work = diary.with(&ledger);
        for n in 0..3 {
            work.save(&Content::small(&format!("tape {n}"), "draft", 2, 60)).await.unwrap();
        }
        work.save(&Content::small("another class", "mifid", 2, 60)).await.unwrap();
        work.save(&Content::small("long", "draft", 12_000, 20)).await.unwrap();
        // Only a tape that is asked for again has a row of its own.
        ledger.custody(&ann(), &diary.kept()[1].tape.to_hex()).await.unwrap();
        for _ in 0..140 {
            ledger.note_log_read(&ann()).await.unwrap();
        }
        ledger.close().await.unwrap();
    });
    (world, diary.kept())
}

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

fn map_of(world: &World) -> Map {
    let mut map = Map::new();
    let mut take = |key: &[u8], value: &[u8]| {
        map.insert(key.to_vec(), value.to_vec());
        Ok(true)
    };
    world.rows.scan(&[], &[0xff; 64], &mut take).unwrap();
    map
}

/// The same machine with its rows changed.
fn with_rows(world: &World, change: impl FnOnce(&mut Map)) -> World {
    let mut map = map_of(world);
    let before = map.clone();
    change(&mut map);
    assert_ne!(map, before, "the edit changed nothing");
    let rows = copy_rows(&*world.rows);
    let removes = before.keys().filter(|key| !map.contains_key(*key)).cloned().collect();
    let position = map.remove(&b"p"[..]).unwrap();
    rows.apply(Batch { puts: map.into_iter().collect(), removes }, &position).unwrap();
    World::on(world.sim.crash_image(Survive::Everything), rows, 22, crate::support::crash::NOW_MS + 60_000)
}

fn check(world: &World) -> Report {
    Checker::open(&world.places(), &world.env()).unwrap().run(&CheckOptions::default())
}

/// The check names rows and nothing else, the repair builds them anew, and then nothing is wrong.
fn is_named_and_mended(words: &str, world: &World) {
    let report = check(world);
    let altered: Vec<_> = report.findings.iter().filter(|f| f.severity == Severity::Altered).collect();
    assert!(!altered.is_empty(), "{words}: nothing was found: {report:#?}");
    assert!(altered.iter().all(|f| f.part == "rows"), "{words}: {altered:#?}");
    assert!(report.checks.iter().any(|c| c.name == "rows" && c.wrong > 0), "{words}: {report:#?}");
    let done = in_runtime(Ledger::repair(world.places(), world.env(), Repair::Log, &ann())).unwrap();
    assert_eq!(done, RepairDone::Rows, "{words}");
    let report = check(world);
    assert_eq!(report.verdict(), Verdict::Intact, "{words}: {report:#?}");
}

fn first(map: &Map, kind: u8) -> Vec<u8> {
    map.keys().find(|key| key[0] == kind).expect("a row of this kind").clone()
}

/// Changes to rows, in words and in deed.
#[derive(Default)]
struct Edits<'a>(Vec<(String, Box<dyn Fn(&mut Map) + 'a>)>);

impl<'a> Edits<'a> {
    fn add(&mut self, words: &str, change: Box<dyn Fn(&mut Map) + 'a>) {
        self.0.push((words.to_owned(), change));
    }
}

#[test]
fn every_kind_of_row_is_compared() {
    let (world, kept) = lived();
    assert_eq!(check(&world).verdict(), Verdict::Intact, "{:#?}", check(&world));
    let own = [&b"t"[..], kept[1].custody.as_ref()].concat();
    let facts = |map: &mut Map, change: &dyn Fn(&mut TapeFacts)| {
        let mut row = SubjectRow::decode(&map[&own]).unwrap();
        change(row.facts.as_mut().unwrap());
        map.insert(own.clone(), row.encode());
    };
    let recorded = |map: &mut Map, n: usize, change: &dyn Fn(&mut CatalogRow)| {
        for value in map.range_mut(vec![b'c']..vec![b'd']).map(|(_, value)| value) {
            *value = catalogue_block(value, |mut row| {
                if row.custody == kept[n].custody {
                    change(&mut row);
                }
                vec![row]
            });
        }
    };
    let record = |map: &Map, n: usize| {
        let found = std::cell::RefCell::new(None);
        let mut map = map.clone();
        recorded(&mut map, n, &|row| *found.borrow_mut() = Some(row.clone()));
        found.into_inner().unwrap()
    };
    let mut edits = Edits::default();
    let edits = &mut edits;
    edits.add(
        "the class of another tape",
        Box::new(|map| {
            let key = record(map, 3).facts.class_key;
            recorded(map, 0, &|row| row.facts.class_key = key);
        }),
    );
    edits.add(
        "another tape's id",
        Box::new(|map| {
            let tape = record(map, 3).facts.tape;
            recorded(map, 0, &|row| row.facts.tape = tape);
        }),
    );
    edits.add(
        "another leaf",
        Box::new(|map| {
            let leaf = record(map, 3).leaf;
            recorded(map, 0, &|row| row.leaf = leaf);
        }),
    );
    edits.add("another slot in the tape's row", Box::new(|map| facts(map, &|f| f.slot = Some(200))));
    edits.add("no slot in the tape's row", Box::new(|map| facts(map, &|f| f.slot = None)));
    edits.add(
        "another length of the manifest in the tape's row",
        Box::new(|map| {
            facts(map, &|f| f.manifest.as_mut().unwrap().bytes += 1);
        }),
    );
    edits.add("the tape's own row gone", Box::new(|map| drop(map.remove(&own))));
    edits.add("another slot in the catalogue", Box::new(|map| recorded(map, 0, &|row| row.facts.slot = Some(201))));
    edits.add("no slot in the catalogue", Box::new(|map| recorded(map, 0, &|row| row.facts.slot = None)));
    edits.add(
        "another length of the manifest",
        Box::new(|map| {
            recorded(map, 0, &|row| row.facts.manifest.as_mut().unwrap().bytes += 1);
        }),
    );
    edits.add(
        "a summary with a byte changed",
        Box::new(|map| {
            recorded(map, 0, &|row| *row.summary.last_mut().unwrap() ^= 1);
        }),
    );
    edits.add("no summary", Box::new(|map| recorded(map, 2, &|row| row.summary.clear())));
    edits.add(
        "the summary of another tape",
        Box::new(|map| {
            let theirs = record(map, 1).summary;
            recorded(map, 0, &|row| row.summary.clone_from(&theirs));
        }),
    );
    edits.add("the catalogue gone", Box::new(|map| map.retain(|key, _| key[0] != b'c')));
    for (index, what) in [(b'd', "content"), (b'i', "id"), (b'u', "custody id")] {
        let key = vec![index];
        let change = move |map: &mut Map, change: &dyn Fn(&mut Vec<([u8; 6], u64)>)| {
            let mut all = terms(&map[&key]);
            change(&mut all);
            map.insert(key.clone(), node(&all));
        };
        let one = change.clone();
        edits.add(&format!("a {what} no longer known"), Box::new(move |map| one(map, &|all| all.truncate(4))));
        let one = change.clone();
        edits.add(&format!("a {what} known by another term"), Box::new(move |map| one(map, &|all| all[1].0[5] ^= 1)));
        let one = change.clone();
        edits.add(
            &format!("a {what} said to be another tape"),
            Box::new(move |map| one(map, &|all| all[1].1 = all[2].1)),
        );
        let one = change.clone();
        edits.add(
            &format!("a {what} known twice"),
            Box::new(move |map| {
                one(map, &|all| {
                    let (term, index) = all[3];
                    all.push((term.map(|byte| byte ^ 1), index));
                });
            }),
        );
        edits.add(
            &format!("a {what} that leads to no tape"),
            Box::new(move |map| change(map, &|all| all.push(([9; 6], 2)))),
        );
        edits.add(&format!("every {what} gone"), Box::new(move |map| drop(map.remove(&vec![index]))));
    }
    let others: Vec<(&str, Box<dyn Fn(&mut Map)>)> = vec![
        (
            "a tree hash changed",
            Box::new(|map| {
                map.get_mut(&first(map, b'h')).unwrap()[40] ^= 1;
            }),
        ),
        (
            "the newest tree hashes cut off",
            Box::new(|map| {
                let key = map.keys().rfind(|key| key.starts_with(b"h\0")).unwrap().clone();
                let row = map.get_mut(&key).unwrap();
                row.truncate(row.len() - 32);
            }),
        ),
        (
            "tree hashes gone",
            Box::new(|map| {
                map.remove(&first(map, b'h'));
            }),
        ),
        (
            "a critical entry that is none",
            Box::new(|map| {
                map.insert([&b"x"[..], &7_u64.to_be_bytes()].concat(), 40_000_u16.to_be_bytes().to_vec());
            }),
        ),
    ];
    others.into_iter().for_each(|(words, change)| edits.add(words, change));
    for (words, edit) in &edits.0 {
        is_named_and_mended(words, &with_rows(&world, |map| edit(map)));
    }
}

/// Rows of the layout before this one say so in their position: they are put aside, not read.
#[test]
fn rows_of_another_layout_are_built_anew() {
    let (world, kept) = lived();
    let older = with_rows(&world, |map| {
        let position = map.get_mut(&b"p"[..]).unwrap();
        let label = position.windows(15).position(|bytes| bytes == b"immutape/rows/3").unwrap();
        position[label + 14] = b'1';
    });
    assert_eq!(check(&older).verdict(), Verdict::IntactWithGaps);
    in_runtime(async {
        let ledger = Ledger::open(older.places(), older.env()).await.unwrap();
        let size = ledger.size();
        let (log, _) = ledger.log(&ann(), size - 1..size).await.unwrap();
        assert_eq!(log[0].kind, EntryKind::ROWS_REBUILT);
        let (lines, _) = ledger.list(&ann()).await.unwrap();
        assert_eq!(lines.len(), kept.len());
        ledger.close().await.unwrap();
    });
    assert_eq!(check(&older).verdict(), Verdict::Intact);
}

/// Rows built while part of the vault or of a pack is unreadable know less of its tapes. When it is back, that is told.
#[test]
fn rows_built_over_damage_are_told_when_the_damage_is_gone() {
    let (world, kept) = lived();
    let packs = world.sim.list("l/packs".as_ref()).unwrap();
    let pack = std::path::Path::new("l/packs").join(&packs.iter().find(|e| e.name.ends_with(".pack")).unwrap().name);
    let epochs = world.state_path("vault").unwrap();
    let is_epoch = |e: &&immutape::store::files::Entry| !e.is_dir && e.name.len() == 32;
    let epoch = epochs.join(&world.sim.list(&epochs).unwrap().iter().find(is_epoch).unwrap().name);
    // Behind the heads of pack and record: the header of the first tape.
    for (path, offset) in [(epoch, 10), (pack, 130)] {
        let bad = World::on(
            world.sim.crash_image(Survive::Everything),
            Default::default(),
            23,
            crate::support::crash::NOW_MS + 60_000,
        );
        let file = bad.sim.open(&path, true).unwrap();
        let mut whole = [0; 300];
        file.read_at(offset, &mut whole).unwrap();
        file.write_at(offset, &whole.map(|b| !b)).unwrap();
        in_runtime(async {
            let ledger = Ledger::open(bad.places(), bad.env()).await.unwrap();
            let (lines, _) = ledger.list(&ann()).await.unwrap();
            assert_eq!(lines.len(), kept.len());
            assert!(lines.iter().any(|line| line.summary.is_none()), "{}", path.display());
            ledger.close().await.unwrap();
        });
        // Rows that know what can be known are not to blame, and building them once more would mend nothing.
        let report = check(&bad);
        assert_eq!(report.verdict(), Verdict::Altered);
        assert!(report.findings.iter().all(|f| f.part != "rows"), "{report:#?}");
        file.write_at(offset, &whole).unwrap();
        is_named_and_mended(&format!("{}", path.display()), &bad);
        in_runtime(async {
            let ledger = Ledger::open(bad.places(), bad.env()).await.unwrap();
            let (lines, _) = ledger.list(&ann()).await.unwrap();
            assert!(lines.iter().all(|line| line.summary.is_some()));
            let again = Diary::default();
            let again = again.with(&ledger).save(&kept[0].content).await.unwrap();
            assert!(again.already_kept, "an equal content is kept once");
            ledger.close().await.unwrap();
        });
    }
}

/// Without the row that tells of it, a program that does not know a critical entry would write on.
#[tokio::test]
async fn a_critical_entry_hidden_from_the_rows_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let ledger = create(root).await;
    save_tape(&ledger, "sqlite-crash").await.unwrap();
    ledger.close().await.unwrap();
    let mut forged = Forge::read(root);
    let index = forged.records.len() - 1;
    let record = forged.records[index].clone();
    forged.insert(index, record);
    forged.rewrite(index, |draft, _| {
        let kind = EntryKind::from_number(40_000);
        *draft = EntryDraft { kind, subject: CustodyId::LEDGER, body: immutape::log::empty_body(), ..draft.clone() };
    });
    forged.relink();
    let tip = forged.write(root, Some(&forge::journal_key(root)));
    forge::sign_head(root, &forge::signer(root, "checkpoint.pem"), &tip, "closed");
    std::fs::remove_dir_all(root.join("ledger/index")).unwrap();
    assert!(open(root).await.is_err());
    let check = || Checker::open(&Places::beneath(root), &real()).unwrap().run(&CheckOptions::default());
    assert_eq!(check().verdict(), Verdict::CannotTell);

    let db = SledRows::open(root);
    db.remove(&[&b"x"[..], &(index as u64).to_be_bytes()].concat());
    db.close();
    let report = check();
    let named = report.findings.iter().find(|f| f.severity == Severity::Altered);
    assert!(named.is_some_and(|f| f.part == "rows" && f.entry == Some(index as u64)), "{report:#?}");
}

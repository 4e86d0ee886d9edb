//! The tamper table: what is done to which file, and what must come of it, written down before the run.
//!
//! One ledger of two terms is built, copied for every edit, changed in one place and judged: the check's verdict with
//! the part and the tape it names, what opening answers, and every other tape byte for byte. The auditor's program, which
//! has no key, is run on the same folders. Offsets come from a seed (`IMMUTAPE_TAMPER_SEED`), which is printed.

use std::sync::Arc;

use crate::support::tamper::auditor;
use crate::support::tamper::base::{Base, base};
use crate::support::tamper::dice::{Dice, seed};
use crate::support::tamper::edits::Kind;
use crate::support::tamper::expect::{Case, Expect};
use crate::support::tamper::folders::copy_tree;
use crate::support::tamper::judge;
use crate::support::tamper::table;
use crate::{tamper_folders, tamper_head, tamper_journal, tamper_keys, tamper_packs, tamper_rows, tamper_vault};

/// Every kind of file, or of part of one, with the number of edits of each kind. `tamper_disk` says why others have no meaning.
pub fn wanted() -> Vec<(&'static str, &'static [(Kind, usize)])> {
    [
        tamper_journal::WANTED,
        tamper_packs::WANTED,
        tamper_vault::WANTED,
        tamper_head::WANTED,
        tamper_keys::WANTED,
        tamper_rows::WANTED,
        tamper_folders::WANTED,
    ]
    .concat()
}

fn cases(base: &Base, dice: &mut Dice) -> Vec<Case> {
    let mut all = tamper_journal::cases(base, dice);
    all.extend(tamper_packs::cases(base, dice));
    all.extend(tamper_vault::cases(base, dice));
    all.extend(tamper_head::cases(base, dice));
    all.extend(tamper_keys::cases(base, dice));
    all.extend(tamper_rows::cases(base, dice));
    all.extend(tamper_folders::cases(base));
    all
}

#[test]
fn every_kind_of_file_under_every_kind_of_edit() {
    let base = base();
    let seed = seed();
    let mut cases = cases(&base, &mut Dice::new(seed));
    println!("seed {seed}: {} edits of a ledger of {} entries and {} tapes", cases.len(), base.size, base.tapes.len());
    let gaps = table::gaps(&cases, &wanted());
    assert!(gaps.is_empty(), "{}", gaps.join("\n"));
    assert_eq!(table::not_told(&cases), [""; 0]);
    assert_eq!(table::unseen(&cases), [""; 0]);
    let told: usize = wanted().iter().flat_map(|(_, kinds)| *kinds).map(|(_, count)| count).sum();
    assert_eq!(cases.len(), told);
    assert!(told >= 200, "only {told} edits");
    if let Ok(only) = std::env::var("IMMUTAPE_TAMPER_ONLY") {
        cases.retain(|c| format!("{} {:?} {}", c.file, c.kind, c.words).contains(&only));
    }
    let cases = Arc::new(cases);
    let (outcomes, wrong) = table::run(&base, &cases);
    println!("{}", table::summary(&cases, &outcomes));
    if !auditor::is_here() {
        println!("no python3 or no audit-tools/python/tapeaudit.py here: the auditor's program was not run");
    }
    assert!(
        wrong.is_empty(),
        "seed {seed}: {} of {} edits came out otherwise:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    assert!(outcomes.iter().all(Option::is_some));
}

/// A table whose judge lets everything pass proves nothing: an untouched copy passes, and no wrong expectation does.
#[test]
fn the_judge_tells_right_from_wrong() {
    let base = base();
    let folder = tempfile::tempdir().unwrap();
    let mut n = 0;
    let mut judge = |kind_at: u64, expect: Expect| {
        let target = crate::support::tamper::edits::Target::new(&base, "ledger/packs/00000001.pack");
        let case = Case::of("object", target.flip_at(kind_at, 0), expect);
        n += 1;
        judge::run(&base, &case, &folder.path().join(n.to_string()))
    };
    let record = &base.map.records[3];
    let hit = || [record.tape].into_iter().collect();
    let right = Expect::altered(&["object"]).losing(hit(), immutape::Code::TapeDamaged);
    assert!(judge(record.body.start, right.clone()).is_ok());
    assert!(judge(base.map.pack_tail.start + 9, Expect::harmless()).is_ok());
    for expect in [
        Expect::harmless(),
        Expect { parts: ["vault"].into(), ..right.clone() },
        Expect { named: base.every_tape(), ..right.clone() },
        Expect { unreadable: std::collections::BTreeMap::new(), ..right.clone() },
        right.clone().at("nowhere"),
        right.clone().opening(crate::support::tamper::expect::Opened::Rebuilt(0)),
        Expect::refused(immutape::Code::LogDamaged, &["object"]),
        Expect::gone(immutape::Code::LogDamaged),
    ] {
        assert!(judge(record.body.start, expect.clone()).is_err(), "{expect:?}");
    }
    if auditor::is_here() {
        assert!(judge(record.body.start, right.blind()).is_err());
        let untouched = folder.path().join("untouched");
        copy_tree(&base.root, &untouched);
        assert_eq!(auditor::run(&untouched, &base, "untouched"), Some((0, "intact, TEST ledger".to_owned())));
        assert_eq!(auditor::exit_code(&untouched, &[]), 10, "started for itself, without pinned keys");
    }
}

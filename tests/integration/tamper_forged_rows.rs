//! Forged rows: sled finds nothing wrong with them, and a ledger that is open would believe some of them.

use immutape::Code;
use immutape::catalog::{CatalogRow, SubjectRow};
use immutape::evidence::{Severity, Verdict};
use immutape::ledger::{CheckOptions, Checker, Ledger, Places, Repair, RepairDone};
use immutape::log::{Entry, SubjectTip, leaf_hash};

use crate::support::ledgers::ann;
use crate::support::tamper::base::{AUTUMN_MS, base, environment};
use crate::support::tamper::expect::{Auditor, Checked, Expect, Opened};
use crate::support::tamper::folders::copy_tree;
use crate::support::tamper::forge::Forge;
use crate::support::tamper::shop::{INDEX, Shop, granted};
use crate::support::tamper::sled_rows::{SledRows, node, terms};

/// Cases for the table of forgeries.
pub fn cases(shop: &mut Shop) {
    let base = shop.base.clone();
    let named = |tapes: &[usize]| {
        let mut expect = Expect::altered(&["rows"]).blind();
        expect.named = tapes.iter().map(|n| base.tapes[*n].id).collect();
        expect.repaired = Some(RepairDone::Rows);
        expect
    };

    // An access left out of sled's copy of the log.
    let root = shop.copy();
    let hidden = granted(&Forge::read(&root)) as u64;
    let db = SledRows::open(&root);
    let mut pieces = db.pieces();
    let group =
        pieces.iter().position(|(kind, bytes)| *kind == 0 && crate::support::tamper::map::u64_at(bytes, 32) == hidden);
    pieces.drain(group.unwrap()..group.unwrap() + 2);
    db.write_pieces(&pieces);
    db.close();
    let left_out = named(&[]).at("index, entry");
    shop.case("an access left out of the rows", &root, &[INDEX], left_out);

    // The position of an older copy over rows that know more.
    let root = shop.copy();
    let older = shop.folder.path().join("older-rows");
    copy_tree(&base.older, &older);
    let then = SledRows::open(&older);
    let position = then.get(b"p");
    then.close();
    let db = SledRows::open(&root);
    db.put(b"p", &position);
    db.close();
    // Everything else in the rows is newer than they say: a check reads no further than they say, and an opening builds
    // anew what contradicts the journal.
    let mut behind = named(&[]);
    behind.check = Checked::Verdict(Verdict::Intact);
    behind.parts.clear();
    behind.open = Opened::Rebuilt(2);
    behind.repaired = None;
    behind.auditor = Auditor::Accepts;
    shop.case("the position of the rows put back", &root, &[INDEX], behind);

    // A tape taken out of the catalogue; out of the ids as well; an id that leads to another tape.
    let (entry, other) = (base.tapes[10].entry, base.tapes[11].entry);
    let root = shop.copy();
    let db = SledRows::open(&root);
    db.change_catalogue(|row| if row.index == entry { vec![] } else { vec![row] });
    db.close();
    let mut unlisted = named(&[10]);
    unlisted.hidden = [base.tapes[10].custody].into();
    unlisted.unreadable = [(base.tapes[10].id, Code::RowsUnavailable)].into();
    shop.case("a tape taken out of the catalogue", &root, &[INDEX], unlisted.clone());

    let db = SledRows::open(&root);
    let ids = terms(&db.get(b"i"));
    db.put(b"i", &node(&ids.iter().filter(|(_, index)| *index != entry).copied().collect::<Vec<_>>()));
    db.close();
    unlisted.unreadable = [(base.tapes[10].id, Code::NotFound)].into();
    shop.case("a tape taken out of catalogue and ids", &root, &[INDEX], unlisted);

    let root = shop.copy();
    let db = SledRows::open(&root);
    let led: Vec<_> = ids.iter().map(|(term, index)| (*term, if *index == entry { other } else { *index })).collect();
    db.put(b"i", &node(&led));
    db.close();
    let mut elsewhere = named(&[10, 11]);
    elsewhere.unreadable = [(base.tapes[10].id, Code::NotFound)].into();
    shop.case("an id leads to another tape", &root, &[INDEX], elsewhere);

    let root = shop.copy();
    let db = SledRows::open(&root);
    db.change_catalogue(|row| {
        let invented = (row.index == entry).then(|| CatalogRow { index: hidden, ..row.clone() });
        [row].into_iter().chain(invented).collect()
    });
    db.close();
    let twice = named(&[]).at(format!("catalogue row {hidden}"));
    shop.case("a tape listed twice", &root, &[INDEX], twice);
}

/// The row that says which entry about a tape is the last one, put back to before an access: custody would not show it.
/// The ledger itself believes this row when it writes on, so a check must come before.
#[test]
fn an_access_hidden_from_a_tapes_own_row_is_named_and_mended() {
    let base = base();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("ledger");
    base.copy_to(&root);
    let forged = Forge::read(&root);
    let grant = Entry::decode(&forged.records[granted(&forged)].public).unwrap();
    let tape = base.tape_of(&grant.subject);
    let about: Vec<_> = forged
        .records
        .iter()
        .map(|r| (Entry::decode(&r.public).unwrap(), leaf_hash(&r.public)))
        .filter(|(entry, _)| entry.subject == grant.subject)
        .collect();
    let (last, leaf) = &about[about.len() - 2];
    let key = [&b"t"[..], grant.subject.as_ref()].concat();
    let db = SledRows::open(&root);
    let mut row = SubjectRow::decode(&db.get(&key)).unwrap();
    row.postings.pop();
    row.tip = SubjectTip { seq: last.subject_seq, leaf: *leaf };
    row.last_index = last.index;
    db.put(&key, &row.encode());
    db.close();

    let check =
        || Checker::open(&Places::beneath(&root), &environment(8, AUTUMN_MS)).unwrap().run(&CheckOptions::default());
    let report = check();
    let altered: Vec<_> = report.findings.iter().filter(|f| f.severity == Severity::Altered).collect();
    assert_eq!(altered.len(), 1, "{altered:#?}");
    assert_eq!((altered[0].part, altered[0].tape), ("rows", Some(tape.id)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let places = Places::beneath(&root);
    let done = runtime.block_on(Ledger::repair(places, environment(7, AUTUMN_MS), Repair::Log, &ann())).unwrap();
    assert_eq!(done, RepairDone::Rows);
    assert_eq!(check().verdict(), Verdict::Intact);
}

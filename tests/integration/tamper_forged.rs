//! Forgeries that keep every hash right: what an attacker makes who knows the format and has no key, one key, or all
//! keys but one. And what no check can see, said plainly.

use std::path::Path;
use std::sync::Arc;

use immutape::Code;
use immutape::catalog::{Enrichment, Projector, Queries};
use immutape::codec::digest::sha256;
use immutape::codec::extent::Group;
use immutape::evidence::Verdict;
use immutape::ledger::{CheckOptions, Checker, Ledger, Places};
use immutape::log::Body;
use immutape::store::embedded::rows::SledRows as Rows;
use immutape::store::files::RealFiles;
use immutape::store::{Position, Rows as _};
use immutape::time::Timestamp;

use crate::support::ledgers::ann;
use crate::support::tamper::auditor;
use crate::support::tamper::base::{AUTUMN_MS, base, environment};
use crate::support::tamper::edits::Step;
use crate::support::tamper::expect::{Auditor, Expect};
use crate::support::tamper::folders::{copy_tree, replace_tree};
use crate::support::tamper::forge::{self, Forge, GroupShape};
use crate::support::tamper::map::Part;
use crate::support::tamper::shop::{HEAD, INDEX, JOURNAL, PACKS, Shop, VAULT, granted};
use crate::support::tamper::table;

#[test]
fn forgeries_are_named_by_whoever_has_the_keys_they_lack() {
    let mut shop = Shop { base: base(), folder: tempfile::tempdir().unwrap(), cases: Vec::new() };
    rewritten_history(&mut shop);
    other_keys(&mut shop);
    shorter_and_longer(&mut shop);
    groups_moved(&mut shop);
    forged_tail(&mut shop);
    transplants(&mut shop);
    manifests(&mut shop);
    crate::tamper_forged_rows::cases(&mut shop);
    let cases = Arc::new(std::mem::take(&mut shop.cases));
    assert_eq!(table::not_told(&cases), [""; 0]);
    let (outcomes, wrong) = table::run(&shop.base, &cases);
    println!("{}", table::summary(&cases, &outcomes));
    assert!(wrong.is_empty(), "{} forgeries came out otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

fn later(draft: &mut immutape::log::EntryDraft, time: &mut Timestamp) {
    let _same = draft;
    *time = Timestamp::from_ms(time.as_ms() + 1);
}

/// An entry in the middle is changed, and every hash after it.
fn rewritten_history(shop: &mut Shop) {
    let fork = || Expect::refused(Code::LogFork, &["journal", "head", "rows"]).at("E_LOG_FORK");
    let root = shop.copy();
    let mut forged = Forge::read(&root);
    forged.rewrite(20, later);
    forged.relink();
    forged.write(&root, None);
    shop.case("an entry changed, all hashes after it, no key", &root, &[JOURNAL], fork());

    // With the journal key as well: only the signed head is left to tell.
    let key = forge::journal_key(&root);
    forged.write(&root, Some(&key));
    let mut with_key = fork();
    with_key.parts.remove("journal");
    shop.case("an entry changed, all hashes and codes after it", &root, &[JOURNAL], with_key);

    // With the stolen checkpoint key, but without the vault: only the codes are left.
    let root = shop.copy();
    let tip = forged.write(&root, None);
    forge::sign_head(&root, &forge::signer(&root, "checkpoint.pem"), &tip, "closed");
    let codes = Expect::refused(Code::LogDamaged, &["journal", "rows"]).at("entry 20").blind();
    shop.case("an entry changed, the head signed with the stolen checkpoint key", &root, &[JOURNAL, HEAD], codes);

    let root = shop.copy();
    let mut forged = Forge::read(&root);
    let record = forged.records[30].clone();
    forged.insert(30, record);
    forged.relink();
    forged.write(&root, None);
    // It is one that saves a tape, so that tape is named too.
    let mut stale = Expect::refused(Code::HeadStale, &["journal", "head", "rows", "statement"]).at("E_HEAD_STALE");
    stale.named = shop.base.tapes.iter().filter(|tape| tape.entry == 30).map(|tape| tape.id).collect();
    shop.case("an entry said twice, all hashes after it", &root, &[JOURNAL], stale);

    let root = shop.copy();
    let mut forged = Forge::read(&root);
    let read = granted(&forged);
    forged.remove(read);
    forged.relink();
    forged.write(&root, None);
    let rollback = Expect::refused(Code::LogRollback, &["journal", "head", "rows"]).at("E_LOG_ROLLBACK");
    shop.case("an access taken out, all hashes after it", &root, &[JOURNAL], rollback);

    let root = shop.copy();
    let mut forged = Forge::read(&root);
    forged.records.swap(24, 25);
    forged.relink();
    forged.write(&root, None);
    shop.case("two entries in each other's place, all hashes after them", &root, &[JOURNAL], fork());
}

/// The past signed anew with keys of the forger's own.
fn other_keys(shop: &mut Shop) {
    let root = shop.copy();
    let mut forged = Forge::read(&root);
    forged.rewrite(20, later);
    forged.relink();
    let tip = forged.write(&root, None);
    forge::sign_head(&root, &forge::stranger(), &tip, "closed");
    let invalid = Expect::refused(Code::HeadInvalid, &["journal", "head", "rows"]);
    shop.case("an entry changed, the head signed with another key", &root, &[JOURNAL, HEAD], invalid);

    // A ledger of the forger's own with our tapes: entry 0 names his keys, and everything follows from it.
    let root = shop.copy();
    let mut forged = Forge::read(&root);
    let stranger = forge::stranger();
    forged.rewrite(0, |draft, _| {
        let Ok(Body::Genesis(mut genesis)) = Body::decode(draft.kind, &draft.body) else { panic!("entry 0") };
        genesis.keys[0] = forge::public(&stranger);
        draft.body = Body::Genesis(genesis).encode();
    });
    forged.relink();
    let tip = forged.write(&root, None);
    forge::sign_head(&root, &stranger, &tip, "closed");
    let mut pinned = Expect::refused(Code::KeyForeign, &["keys", "journal", "rows", "statement"]).at("entry 0");
    pinned.named = shop.base.every_tape();
    shop.case("entry 0 names the forger's checkpoint key, all is signed with it", &root, &[JOURNAL, HEAD], pinned);
}

/// Ends cut off, and an end that was never there.
fn shorter_and_longer(shop: &mut Shop) {
    let older = shop.base.older.clone();
    let rollback = || Expect::refused(Code::LogRollback, &["rows", "head"]).at("E_LOG_ROLLBACK");
    let root = shop.copy();
    let mut forged = Forge::read(&root);
    let groups = shop.base.older_map.groups.len();
    forged.records.truncate(shop.base.older_size as usize);
    forged.groups.truncate(groups);
    forged.write(&root, None);
    shop.case("cut back to an earlier orderly close", &root, &[JOURNAL], rollback());

    let mut forged = Forge::read(&root);
    forged.records.truncate(shop.base.older_size as usize - 1);
    forged.groups.truncate(groups - 1);
    forged.write(&root, None);
    shop.case("cut back into the middle of a term", &root, &[JOURNAL], rollback());

    // With the head of that time beside it, sled's copy is what still knows better.
    copy_tree(&older.join(JOURNAL), &root.join("older/ledger/journal"));
    copy_tree(&older.join(HEAD), &root.join("older/state/head"));
    let ahead = Expect::refused(Code::LogDamaged, &["rows"]).at("index").blind();
    shop.case("cut back with the head of that time", &root.join("older"), &[JOURNAL, HEAD], ahead);

    let root = shop.copy();
    let forged = Forge::read(&root);
    let tip = forged.write(&root, None);
    let longer = forge::Tip { size: tip.size + 5, ..tip };
    forge::sign_head(&root, &forge::signer(&root, "checkpoint.pem"), &longer, "closed");
    let head = Expect::refused(Code::LogRollback, &["head"]).at("E_LOG_ROLLBACK");
    shop.case("a head over entries that do not exist, with the stolen checkpoint key", &root, &[HEAD], head);

    let root = shop.copy();
    let tip = Forge::read(&root).write(&root, None);
    let forked = forge::Tip { root: immutape::codec::digest::RootHash::from_bytes([9; 32]), ..tip };
    forge::sign_head(&root, &forge::signer(&root, "checkpoint.pem"), &forked, "closed");
    let fork = Expect::refused(Code::LogFork, &["head"]).at("E_LOG_FORK");
    shop.case("a head over another root, with the stolen checkpoint key", &root, &[HEAD], fork);
}

/// Groups in each other's place, a group said again, marks on a group.
fn groups_moved(shop: &mut Shop) {
    let base = shop.base.clone();
    let all = &base.map.groups;
    let equal = all.windows(2).skip(1).position(|two| {
        two[0].extent.end - two[0].extent.start == two[1].extent.end - two[1].extent.start && !two[1].closes
    });
    let (a, b) = (all[equal.unwrap() + 1].extent.clone(), all[equal.unwrap() + 2].extent.clone());
    let root = shop.copy();
    let path = root.join("ledger/journal/00000001.seg");
    let honest = std::fs::read(&path).unwrap();
    let mut segment = honest.clone();
    let (first, second) = segment[a.start as usize..b.end as usize].split_at_mut((a.end - a.start) as usize);
    first.swap_with_slice(second);
    std::fs::write(&path, segment).unwrap();
    let at = |offset: u64| format!("journal/00000001.seg offset {offset}");
    let moved = Expect::refused(Code::LogDamaged, &["journal", "head"]).at(at(a.start));
    shop.case("two groups in each other's place", &root, &[JOURNAL], moved);

    let root = shop.copy();
    let mut segment = honest;
    let end = shop.base.map.journal_end();
    segment.copy_within(a.start as usize..a.end as usize, end as usize);
    std::fs::write(root.join("ledger/journal/00000001.seg"), segment).unwrap();
    let again = Expect::refused(Code::LogDamaged, &["journal"]).at(at(end));
    shop.case("a group said again at the end", &root, &[JOURNAL], again);

    // Entries and roots are the same, so no head tells; what the group says of itself stands under its code.
    let root = shop.copy();
    let mut forged = Forge::read(&root);
    forged.groups[8].closes = true;
    let start = all[8].first_index;
    forged.write(&root, None);
    let mut marked = Expect::refused(Code::LogDamaged, &["journal", "rows"]).at(format!("entry {start}"));
    marked.auditor = Auditor::Doubts;
    shop.case("a group says \"closed in order\" and did not", &root, &[JOURNAL], marked);

    let root = shop.copy();
    let mut forged = Forge::read(&root);
    let (one, two) = (forged.records[12].sealed.clone(), forged.records[13].sealed.clone());
    (forged.records[12].sealed, forged.records[13].sealed) = (two, one);
    let (group, _) = forged.place(12);
    let start = all[group].extent.start;
    forged.write(&root, None);
    let halves = Expect::refused(Code::LogDamaged, &["journal", "head"]).at(at(start));
    shop.case("sealed halves of two entries in each other's place", &root, &[JOURNAL], halves);
}

/// After a crash the head is open and older than the log: what follows it is vouched for by codes alone.
fn forged_tail(shop: &mut Shop) {
    let root = shop.copy();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let ledger = Ledger::open(Places::beneath(&root), environment(5, AUTUMN_MS)).await.unwrap();
        // The first of these signs a head, the others come before the next is due.
        for _ in 0..4 {
            ledger.note_log_read(&ann()).await.unwrap();
        }
        ledger.settle().await.unwrap();
    });
    wait_until_released(&root);
    let paths = [JOURNAL, INDEX, HEAD, VAULT];
    shop.case("nothing forged: a ledger after a crash", &root, &paths, Expect::harmless());

    let crashed = shop.folder.path().join("crashed");
    copy_tree(&root, &crashed);
    let mut forged = Forge::read(&crashed);
    let read = granted(&forged);
    let record = forged.records[read].clone();
    forged.records.push(record);
    forged.groups.push(GroupShape { count: 1, closes: false, ..*forged.groups.last().unwrap() });
    forged.relink();
    let tip = forged.write(&crashed, None);
    let index = tip.size - 1;
    let refused = || Expect::refused(Code::LogDamaged, &["journal"]).at(format!("entry {index}")).blind();
    shop.case("a group of the forger's own after the signed head", &crashed, &paths, refused());

    // A kill took the rows of every group after the signed head with it.
    let lagging = shop.folder.path().join("lagging");
    copy_tree(&crashed, &lagging);
    replace_tree(&shop.copy().join(INDEX), &lagging.join(INDEX));
    shop.case("the same, and rows that end at the signed head", &lagging, &paths, refused());

    // The rows have taken it in, as if the ledger had written it.
    let segment = std::fs::read(crashed.join("ledger/journal/00000001.seg")).unwrap();
    let extent = &segment[tip.last.0 as usize..tip.last.1 as usize];
    let (place, next) = (Position { segment: 1, offset: tip.last.0 }, Position { segment: 1, offset: tip.last.1 });
    let quarantine = crashed.join("quarantine");
    let rows = Rows::open(Arc::new(RealFiles), crashed.join(INDEX), quarantine).unwrap();
    let position = Queries::new(&rows).position().unwrap().unwrap();
    let mut projector = Projector::resume(&rows, position).unwrap();
    let group = Group::parse(extent).unwrap();
    projector.group(&rows, place, &group, next, &[], &mut |_, _, _| Enrichment::default()).unwrap();
    let (batch, position) = projector.take(&rows).unwrap().unwrap();
    rows.apply(batch, &position).unwrap();
    rows.flush().unwrap();
    drop(rows);
    shop.case("the same, and the rows have taken it in", &crashed, &paths, refused());
}

/// A ledger that is dropped without a close ends in its own time.
pub fn wait_until_released(root: &Path) {
    for _ in 0..200 {
        let checker = Checker::open(&Places::beneath(root), &environment(6, AUTUMN_MS)).unwrap();
        let report = checker.run(&CheckOptions::default().stored_only(true));
        if report.verdict() == Verdict::Intact {
            return;
        }
        drop(checker);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("the dropped ledger did not let go of its rows");
}

/// A tape of another ledger in ours, by somebody with every key but the recorder's.
fn transplants(shop: &mut Shop) {
    let base = shop.base.clone();
    let theirs = Forge::read(&base.other);
    let tape = &base.other_tapes[4];
    let graft = |root: &Path| {
        let mut forged = Forge::read(root);
        forged.records.push(theirs.records[tape.entry as usize].clone());
        forged.groups.push(GroupShape { count: 1, closes: true, ..*forged.groups.last().unwrap() });
        forged.relink();
        let tip = forged.write(root, Some(&forge::journal_key(root)));
        forge::sign_head(root, &forge::signer(root, "checkpoint.pem"), &tip, "closed");
    };
    let named = |parts: &[&'static str]| {
        let mut expect = Expect::altered(parts);
        expect.named = [tape.id].into();
        expect.extra = [tape.custody].into();
        expect
    };
    let root = shop.copy();
    graft(&root);
    shop.case("the entry of another ledger's tape", &root, &[JOURNAL, HEAD], named(&["statement", "object"]));

    let root = shop.copy();
    graft(&root);
    let other = std::fs::read(base.other.join(&base.other_map.pack)).unwrap();
    let mut pack = std::fs::read(root.join(&base.map.pack)).unwrap();
    let mut at = base.map.pack_tail.start as usize;
    for record in base.other_map.records.iter().filter(|r| r.tape == tape.id) {
        let bytes = &other[record.header.start as usize..record.body.end as usize];
        pack[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    }
    std::fs::write(root.join(&base.map.pack), pack).unwrap();
    shop.case("its entry and its objects", &root, &[JOURNAL, HEAD, PACKS], named(&["statement", "vault"]));

    // Our own entry, about another of our tapes.
    let root = shop.copy();
    let mut forged = Forge::read(&root);
    let (one, two) = (&base.tapes[7], &base.tapes[9]);
    forged.rewrite(one.entry as usize, |draft, _| draft.subject = two.custody);
    forged.relink();
    let key = forge::journal_key(&root);
    let tip = forged.write(&root, Some(&key));
    forge::sign_head(&root, &forge::signer(&root, "checkpoint.pem"), &tip, "closed");
    let report = check(&root, &[JOURNAL, HEAD], shop);
    assert_eq!(report.verdict(), Verdict::Altered);
    let named: Vec<_> = report.findings.iter().filter(|f| f.part == "statement").map(|f| (f.tape, f.entry)).collect();
    // The statement is not of the tape that the entry is about now, and that tape was saved by an entry of its own.
    assert!(
        named.contains(&(Some(one.id), Some(one.entry))) && named.contains(&(Some(two.id), Some(two.entry))),
        "{named:?}"
    );
}

/// A check of the base with some folders from elsewhere.
fn check(from: &Path, paths: &[&str], shop: &Shop) -> immutape::evidence::Report {
    let root = shop.folder.path().join(format!("check-{}", shop.cases.len()));
    shop.base.copy_to(&root);
    for path in paths {
        Step::Put { path: (*path).to_owned(), from: from.join(path) }.apply(&root);
    }
    Checker::open(&Places::beneath(&root), &environment(8, AUTUMN_MS)).unwrap().run(&CheckOptions::default())
}

/// Manifests that name each other's custody ids, with right digests everywhere but in the statement.
fn manifests(shop: &mut Shop) {
    let base = shop.base.clone();
    let root = shop.copy();
    let path = root.join(&base.map.pack);
    let mut pack = std::fs::read(&path).unwrap();
    let all: Vec<_> = base.map.records.iter().filter(|r| r.part == Part::Manifest).collect();
    let (a, b) = (all[8], all[11]);
    for (record, custody) in [(a, b.custody), (b, a.custody)] {
        let body = record.body.start as usize..record.body.end as usize;
        let at = body.start + pack[body.clone()].windows(32).position(|w| w == record.custody.as_bytes()).unwrap();
        pack[at..at + 32].copy_from_slice(custody.as_bytes());
        let digest = sha256(&pack[body]);
        let header = record.header.start as usize;
        pack[header + 24..header + 56].copy_from_slice(&digest);
        let check = sha256(&pack[header..header + 56]);
        pack[header + 56..header + 64].copy_from_slice(&check[..8]);
    }
    std::fs::write(&path, pack).unwrap();
    let both = [a.tape, b.tape].into();
    let expect = Expect::altered(&["object"]).losing(both, Code::TapeDamaged);
    shop.case("two manifests name each other's custody ids", &root, &[PACKS], expect);

    // Whole records in each other's place: objects go by their digest, not by where they lie.
    let root = shop.copy();
    let mut pack = std::fs::read(base.root.join(&base.map.pack)).unwrap();
    let length = |r: &&crate::support::tamper::map::RecordSpan| r.body.end - r.header.start;
    let records: Vec<_> = base.map.records.iter().collect();
    let (a, b) = records
        .iter()
        .enumerate()
        .find_map(|(n, a)| records[n + 2..].iter().find(|b| length(b) == length(a)).map(|b| (*a, *b)))
        .expect("two records of one length");
    let piece = |r: &crate::support::tamper::map::RecordSpan| r.header.start as usize..r.body.end as usize;
    let (one, two) = (pack[piece(a)].to_vec(), pack[piece(b)].to_vec());
    pack[piece(a)].copy_from_slice(&two);
    pack[piece(b)].copy_from_slice(&one);
    std::fs::write(root.join(&base.map.pack), pack).unwrap();
    shop.case("two whole records in each other's place", &root, &[PACKS], Expect::harmless());

    // A header with right check bytes and a length over everything behind it.
    let root = shop.copy();
    let path = root.join(&base.map.pack);
    let mut pack = std::fs::read(&path).unwrap();
    let record = &base.map.records[6];
    let header = record.header.start as usize;
    let length = base.map.pack_bytes - record.body.start;
    pack[header + 16..header + 24].copy_from_slice(&length.to_be_bytes());
    let check = sha256(&pack[header..header + 56]);
    pack[header + 56..header + 64].copy_from_slice(&check[..8]);
    std::fs::write(&path, pack).unwrap();
    let expect = Expect::altered(&["object"]).losing([record.tape].into(), Code::TapeDamaged);
    shop.case("a record that swallows all behind it", &root, &[PACKS], expect);
}

/// What is put back whole cannot be told from what it was. The limit is stated, not hidden: only somebody who kept a
/// newer head knows.
#[test]
fn an_older_copy_of_everything_is_a_perfect_older_ledger_until_somebody_kept_a_head() {
    let base = base();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("older");
    copy_tree(&base.older, &root);
    crate::support::tamper::folders::point_state_at(&root);
    let checker = Checker::open(&Places::beneath(&root), &environment(8, AUTUMN_MS)).unwrap();
    let report = checker.run(&CheckOptions::default());
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    drop(checker);
    if !auditor::is_here() {
        return;
    }
    let pins = ["checkpoint.pem", "recorder.pem"].map(|name| auditor::key(&base.root.join("config").join(name)));
    assert_eq!(auditor::exit_code(&root, &pins), 0);
    let kept = base.root.join(HEAD);
    assert_eq!(auditor::exit_code_with_head(&root, &pins, &kept), 3, "a kept head tells");
}

/// Without pinned keys a ledger vouches for itself: the same forgery passes where nobody knows the keys.
#[test]
fn pinned_keys_are_what_tells_a_ledger_from_another_in_its_place() {
    let base = base();
    if !auditor::is_here() {
        return;
    }
    let pins = ["checkpoint.pem", "recorder.pem"].map(|name| auditor::key(&base.root.join("config").join(name)));
    assert_eq!(auditor::exit_code(&base.other, &[]), 10);
    assert_eq!(auditor::exit_code(&base.other, &pins), 3);
}

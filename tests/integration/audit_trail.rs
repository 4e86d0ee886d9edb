//! What the record of an act must say, and that every act of the public face leaves a record.
//!
//! The fields are those that rules for audit trails ask for together: who, in which role, how known, for whom, why, in
//! which case, from where; on what, which part, how much; with what outcome; when by which clock; under which policy, by
//! which build, signed by whom; and where in the log.

use std::collections::BTreeSet;
use std::path::Path;

use immutape::codec::digest::{Digest, TapeId, Thumbprint};
use immutape::interchange::ImportOptions;
use immutape::ledger::{
    CheckOptions, Checker, FrameSelection, Ledger, ListRequest, LogLine, Places, Repair, SaveOptions,
};
use immutape::log::{Actor, ActorKind, Authentication, ClockStamp, Entry, EntryKind, Outcome, PrivateHalf};
use immutape::seal::PrivateSealer as _;
use immutape::tape::Labels;
use immutape::time::Timestamp;

use crate::support::ledgers::{ann, create, open, real, save_bytes, save_tape};

/// What is asked for, the field's number, and whether a private half says it.
const PRIVATE: [(&str, u64, fn(&PrivateHalf) -> bool); 16] = [
    ("actor id and how it was authenticated", 0, |p| p.actor.is_some()),
    ("role", 1, |p| !p.roles.is_empty()),
    ("on behalf of", 2, |p| p.on_behalf_of.is_some()),
    ("purpose", 3, |p| p.purpose.is_some()),
    ("case", 4, |p| p.case.is_some()),
    ("origin", 5, |p| p.origin.is_some()),
    ("request", 6, |p| p.request_id.is_some()),
    ("tape", 7, |p| p.tape_id.is_some()),
    ("frame range", 8, |p| p.range.is_some()),
    ("bytes", 9, |p| p.bytes.is_some()),
    ("outcome", 10, |p| p.outcome.is_some()),
    ("error", 11, |p| p.error.is_some()),
    ("wall clock, monotonic clock and boot", 12, |p| p.clock.is_some()),
    ("policy", 14, |p| p.policy_digest.is_some()),
    ("build", 15, |p| p.build_digest.is_some()),
    ("signer's key", 29, |p| p.credential.is_some()),
];

fn full() -> PrivateHalf {
    {
        let mut half = PrivateHalf::default();
        half.actor = Some(Actor { kind: ActorKind::Agent, id: b"ann".to_vec(), authentication: Authentication::Token });
        half.roles = vec!["auditor".into()];
        half.on_behalf_of = Some(b"bob".to_vec());
        half.purpose = Some(b"review".to_vec());
        half.case = Some(b"case 7".to_vec());
        half.origin = Some((b"host".to_vec(), 41, None));
        half.request_id = Some([6; 16]);
        half.tape_id = Some(TapeId::from_bytes([7; 32]));
        half.range = Some((3, 9));
        half.bytes = Some(700);
        half.outcome = Some(Outcome::Failed);
        half.error = Some((100, "no".into()));
        half.clock = Some(ClockStamp { wall: Timestamp::from_ms(5), monotonic_ns: 6, boot_id: [7; 16] });
        half.policy_digest = Some(Digest::from_bytes([14; 32]));
        half.build_digest = Some(Digest::from_bytes([15; 32]));
        half.credential = Some(Thumbprint::from_bytes([29; 32]));
        half
    }
}

#[test]
fn each_fact_that_is_asked_for_has_its_field() {
    let map = full().fields().map();
    assert_eq!(PrivateHalf::decode(&map), Ok(full()));
    let ciborium::Value::Map(pairs) = ciborium::from_reader(map.as_slice()).unwrap() else { panic!("no map") };
    let numbers: Vec<u64> = pairs.iter().map(|(key, _)| key.as_integer().unwrap().try_into().unwrap()).collect();
    assert_eq!(numbers, PRIVATE.map(|(_, number, _)| number));
    for (at, (words, number, says)) in PRIVATE.iter().enumerate() {
        assert!(says(&full()) && !says(&PrivateHalf::default()), "{words}");
        // Without this pair, and no other, the fact is gone.
        let mut fewer = pairs.clone();
        fewer.remove(at);
        let mut bytes = Vec::new();
        ciborium::into_writer(&ciborium::Value::Map(fewer), &mut bytes).unwrap();
        let said = PrivateHalf::decode(&bytes).unwrap();
        let silent: Vec<u64> = PRIVATE.iter().filter(|(_, _, says)| !says(&said)).map(|(_, n, _)| *n).collect();
        assert_eq!(silent, [*number], "{words}");
    }
    // The rest stands in the public half of every entry: where in the log and in the subject's own chain, what, when.
    let _names = |entry: &Entry<'_>| {
        let Entry { index, previous, subject_seq, subject_prev, kind, time, subject, key_id, .. } = *entry;
        (index, previous, subject_seq, subject_prev, kind, time, subject, key_id)
    };
}

/// Entries from `from` on.
async fn entries(ledger: &Ledger, from: u64) -> Vec<LogLine> {
    ledger.log(&ann(), from..u64::MAX).await.unwrap().0
}

#[tokio::test]
async fn a_reading_says_all_that_is_known_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let tape = save_tape(&ledger, "sqlite-claims").await.unwrap().tape;
    let who = ann().host(b"desk".to_vec()).pid(41).purpose(Some(b"review".to_vec()));
    let from = ledger.size();
    let reader = ledger.open_tape(&who, &tape.to_hex(), Some((1, 2))).await.unwrap();
    let frames = reader.collect(FrameSelection::default()).unwrap();
    let given = reader.bytes_given();
    reader.finish().await.unwrap();
    assert!(frames.len() == 2 && given > 0);
    let lines = entries(&ledger, from).await;
    assert_eq!(
        lines.iter().map(|l| l.kind).collect::<Vec<_>>(),
        [EntryKind::ACCESS_GRANTED, EntryKind::ACCESS_COMPLETED]
    );
    let numbers = |line: &LogLine| {
        let private = line.private.as_ref().unwrap();
        PRIVATE.iter().filter(|(_, _, says)| says(private)).map(|(_, n, _)| *n).collect::<Vec<_>>()
    };
    // Roles, principals, cases and credentials come with people; a failure has its error.
    assert_eq!(numbers(&lines[0]), [0, 3, 5, 6, 7, 8, 10, 12, 14, 15]);
    // Tape and range stand in the grant, which is the entry before it in the tape's chain.
    assert_eq!(numbers(&lines[1]), [0, 3, 5, 6, 9, 10, 12, 14, 15]);
    assert_eq!((lines[1].subject, lines[1].subject_seq), (lines[0].subject, lines[0].subject_seq + 1));
    let granted = lines[0].private.as_ref().unwrap();
    assert_eq!(granted.actor.as_ref().unwrap().id, b"ann");
    assert_eq!((granted.tape_id, granted.range, granted.outcome), (Some(tape), Some((1, 2)), Some(Outcome::Ok)));
    assert_eq!((&granted.purpose, &granted.origin), (&who.purpose, &Some((b"desk".to_vec(), 41, None))));
    assert_eq!(lines[1].private.as_ref().unwrap().bytes, Some(given));
    ledger.close().await.unwrap();
}

/// What was written between two sizes of the log, by number of the first.
struct Watch<'a> {
    ledger: &'a Ledger,
    from: u64,
    acts: Vec<(&'static str, u64, u64)>,
}

impl Watch<'_> {
    fn done(&mut self, act: &'static str) {
        let now = self.ledger.size();
        self.acts.push((act, self.from, now));
        self.from = now;
    }
}

/// Acts of the public face with the kinds that each writes; those without release nothing and are not recorded.
const ACTS: [(&str, &[EntryKind]); 24] = [
    ("create", &[EntryKind::GENESIS]),
    ("open", &[EntryKind::LOG_STARTED]),
    ("begin_save", &[EntryKind::TAPE_SAVED]),
    ("begin_save", &[EntryKind::TAPE_SAVED_AGAIN]),
    ("open_tape", &[EntryKind::ACCESS_GRANTED, EntryKind::ACCESS_COMPLETED]),
    ("metadata", &[EntryKind::METADATA_READ]),
    ("list", &[EntryKind::LISTED]),
    ("list_page", &[EntryKind::LISTED]),
    ("search", &[EntryKind::SEARCHED]),
    ("label", &[EntryKind::LABELLED]),
    ("log", &[EntryKind::LOG_READ]),
    ("custody", &[EntryKind::CUSTODY_READ]),
    ("verify", &[EntryKind::VERIFIED]),
    ("begin_check", &[]),
    ("record_check", &[EntryKind::VERIFIED]),
    ("delete", &[EntryKind::REFUSED]),
    ("note_log_read", &[EntryKind::LOG_READ]),
    ("status", &[]),
    ("classes", &[]),
    ("id", &[]),
    ("size", &[]),
    ("settle", &[]),
    ("close", &[EntryKind::LOG_STOPPED]),
    ("repair", &[EntryKind::HEAD_FILE_REBUILT]),
];

/// The same acts for what is not done as asked: also that is on record.
const REFUSED: [&str; 5] = ["open_tape", "metadata", "custody", "label", "delete"];

#[tokio::test]
async fn every_act_of_the_public_face_writes_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut watch = Watch { ledger: &ledger, from: 0, acts: Vec::new() };
    watch.done("create");
    // The start rides in the first group of the term.
    let bytes = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    let save = || save_bytes(&ledger, bytes, ImportOptions::default(), SaveOptions::default());
    let tape = save().await.unwrap().tape.to_hex();
    watch.acts.push(("open", 1, 2));
    watch.from = 2;
    watch.done("begin_save");
    assert!(save().await.unwrap().already_kept);
    watch.done("begin_save");
    ledger.open_tape(&ann(), &tape, None).await.unwrap().finish().await.unwrap();
    watch.done("open_tape");
    ledger.metadata(&ann(), &tape).await.unwrap();
    watch.done("metadata");
    ledger.list(&ann()).await.unwrap();
    watch.done("list");
    ledger.list_page(&ann(), ListRequest::default()).await.unwrap();
    watch.done("list_page");
    ledger.search(&ann(), ListRequest::default()).await.unwrap();
    watch.done("search");
    ledger.label(&ann(), &tape, &Labels::default(), None).await.unwrap();
    watch.done("label");
    ledger.log(&ann(), 0..1).await.unwrap();
    watch.done("log");
    ledger.custody(&ann(), &tape).await.unwrap();
    watch.done("custody");
    ledger.verify(&ann(), CheckOptions::default()).await.unwrap().1.unwrap();
    watch.done("verify");
    let subject = ledger.begin_check(&ann(), None).await.unwrap();
    watch.done("begin_check");
    let checker = Checker::open(&Places::beneath(folder.path()), &real()).unwrap();
    ledger.record_check(&ann(), checker.run_for(subject, false).unwrap().1).await.unwrap();
    watch.done("record_check");
    ledger.delete(&ann(), &tape).await.unwrap_err();
    watch.done("delete");
    ledger.note_log_read(&ann()).await.unwrap();
    watch.done("note_log_read");
    ledger.status().unwrap();
    watch.done("status");
    ledger.classes().unwrap();
    watch.done("classes");
    let _known = ledger.id();
    watch.done("id");
    let _known = ledger.size();
    watch.done("size");
    ledger.settle().await.unwrap();
    watch.done("settle");
    let mut acts = watch.acts;
    for act in REFUSED {
        let from = ledger.size();
        let none = "ffffffff";
        let refused = match act {
            "open_tape" => ledger.open_tape(&ann(), none, None).await.map(drop),
            "metadata" => ledger.metadata(&ann(), none).await.map(drop),
            "label" => ledger.label(&ann(), none, &Labels::default(), None).await.map(drop),
            "custody" => ledger.custody(&ann(), none).await.map(drop),
            _ => ledger.delete(&ann(), none).await.map(drop),
        };
        assert!(refused.is_err(), "{act}");
        let lines = entries(&ledger, from).await;
        assert_eq!(lines[0].kind, EntryKind::REFUSED, "{act} of what is not there");
    }
    let closed_from = ledger.size();
    ledger.close().await.unwrap();
    acts.push(("close", closed_from, closed_from + 1));
    let places = Places::beneath(folder.path());
    let state = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path());
    let heads: Vec<_> = state.map(|path| head_beneath(&path)).collect::<Vec<_>>().concat();
    assert_eq!(heads.len(), 1, "{heads:?}");
    std::fs::remove_file(&heads[0]).unwrap();
    Ledger::repair(places, real(), Repair::AcceptHead, &ann()).await.unwrap();

    let ledger = open(folder.path()).await.unwrap();
    let log = entries(&ledger, 0).await;
    let kinds = |from: u64, to: u64| log[from as usize..to as usize].iter().map(|line| line.kind).collect::<Vec<_>>();
    for ((act, wanted), (done, from, to)) in ACTS.iter().zip(&acts) {
        assert_eq!(act, done);
        assert_eq!(kinds(*from, *to), *wanted, "{act}");
    }
    assert_eq!(acts.len() + 1, ACTS.len());
    let after_close = kinds(closed_from + 1, log.len() as u64);
    assert!(after_close.contains(&EntryKind::HEAD_FILE_REBUILT), "repair: {after_close:?}");
    ledger.close().await.unwrap();
}

/// Head files in a folder and those beneath it.
fn head_beneath(path: &Path) -> Vec<std::path::PathBuf> {
    if path.is_dir() {
        let within = std::fs::read_dir(path).unwrap().map(|e| head_beneath(&e.unwrap().path()));
        return within.collect::<Vec<_>>().concat();
    }
    if path.ends_with("head") { vec![path.to_owned()] } else { Vec::new() }
}

#[test]
fn no_act_of_the_public_face_is_left_out() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ledger/facade.rs");
    let text = std::fs::read_to_string(source).unwrap();
    let names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("    pub async fn ").or_else(|| line.strip_prefix("    pub fn ")))
        .map(|line| line.split('(').next().unwrap())
        .collect();
    // `close` is `close_with` without readers.
    // `create_with` is `create` of a ledger of people: `people.rs` reads its entry 0.
    // `repair_from` is a repair with another source: `repair_from.rs` looks for its entry.
    let told: BTreeSet<&str> =
        ACTS.iter().map(|(name, _)| *name).chain(["close_with", "create_with", "repair_from"]).collect();
    assert_eq!(names, told);
}

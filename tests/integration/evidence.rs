//! Evidence bundles as the ledger makes them: what is in them, what the log says of them, and what happens when they cannot be made.

use std::collections::BTreeMap;
use std::path::Path;

use immutape::Code;
use immutape::codec::Reader;
use immutape::codec::digest::{CustodyId, LeafHash, RootHash, TapeId, sha256};
use immutape::evidence::bundle::{
    Asked, BundleDigest, Completeness, EvidenceEntry, EvidenceFrame, FramePart, Opened, What, path, read_set_proof,
    root_of_set,
};
use immutape::ledger::{BundleState, Evidence, EvidenceOrder, Filter, Ledger, SaveOptions, Wanted};
use immutape::log::{Body, Checkpoint, Entry, EntryKind, EvidenceBody, PrivateHalf};
use immutape::tape::Labels;
use immutape::time::Timestamp;

use crate::support::ledgers::{ann, create, open, save_bytes, save_tape};

/// The files of a bundle by their paths, written twice with the same bytes.
fn files(evidence: &Evidence) -> BTreeMap<String, Vec<u8>> {
    let measured = evidence.measure().unwrap();
    let mut out = BTreeMap::new();
    for (file, (bytes, digest)) in evidence.files().iter().zip(measured) {
        let mut content = Vec::new();
        evidence.write(file, &mut content).unwrap();
        assert_eq!((content.len() as u64, sha256(&content)), (bytes, *digest.as_bytes()), "{}", file.path());
        out.insert(file.path().to_owned(), content);
    }
    out
}

async fn made(ledger: &Ledger, order: &EvidenceOrder) -> (Completeness, BTreeMap<String, Vec<u8>>) {
    let draft = ledger.begin_evidence(&ann(), order).await.unwrap();
    let head = ledger.release_head().await.unwrap();
    let evidence = draft.under(&head.note).unwrap();
    let files = files(&evidence);
    let completeness = evidence.completeness().clone();
    evidence.finish(&BundleDigest::of("the tag manifest\n")).await.unwrap();
    (completeness, files)
}

fn items(bytes: &[u8]) -> Vec<EvidenceEntry> {
    let mut r = Reader::new(bytes);
    let mut items = Vec::new();
    while !r.is_empty() {
        items.push(EvidenceEntry::read(&mut r).unwrap());
    }
    items
}

fn frames(bytes: &[u8]) -> Vec<EvidenceFrame> {
    let mut r = Reader::new(bytes);
    let mut frames = Vec::new();
    while !r.is_empty() {
        frames.push(EvidenceFrame::read(&mut r).unwrap());
    }
    frames
}

fn ids(ids: &[&TapeId]) -> EvidenceOrder {
    EvidenceOrder::new(Wanted::Ids(ids.iter().map(|id| id.to_hex()).collect()), "exam 1")
}

fn private(item: &EvidenceEntry) -> PrivateHalf {
    PrivateHalf::decode(&item.opened.as_ref().unwrap().map()).unwrap()
}

/// Entries of a bundle with their bodies, once they lead to the head.
fn proven(files: &BTreeMap<String, Vec<u8>>) -> Vec<(EvidenceEntry, u64, EntryKind, CustodyId)> {
    let note = std::str::from_utf8(&files[path::CHECKPOINT]).unwrap();
    let head = Checkpoint::parse(&format!("{}\n", note.split_once("\n\n").unwrap().0)).unwrap();
    let items = items(&files[path::ENTRIES]);
    let known: Vec<(u64, LeafHash)> =
        items.iter().map(|item| (Entry::decode(&item.public).unwrap().index, item.leaf())).collect();
    let proof = read_set_proof(&files[path::LOG_PATHS]).unwrap();
    assert_eq!(root_of_set(head.size, &known, &proof).unwrap(), head.root);
    let entry = |item: EvidenceEntry| {
        let entry = Entry::decode(&item.public).unwrap();
        let (index, kind, subject) = (entry.index, entry.kind, entry.subject);
        (item, index, kind, subject)
    };
    items.into_iter().map(entry).collect()
}

#[tokio::test]
async fn a_bundle_holds_the_whole_chain_of_a_tape_and_ends_with_itself() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let one = save_tape(&ledger, "filesystem-payments").await.unwrap();
    let other = save_tape(&ledger, "sqlite-claims").await.unwrap();
    ledger.list(&ann()).await.unwrap();
    ledger.open_tape(&ann(), &one.tape.to_hex(), Some((0, 3))).await.unwrap().finish().await.unwrap();
    ledger.custody(&ann(), &one.tape.to_hex()).await.unwrap();
    let order = ids(&[&one.tape]).recipient("court".to_owned()).expires(Timestamp::from_ms(4_000_000_000_000));
    let (completeness, files) = made(&ledger, &order).await;
    let entries = proven(&files);
    let own: Vec<_> = entries.iter().filter(|(.., subject)| *subject == one.custody).collect();
    let seqs: Vec<u64> = own.iter().map(|(item, ..)| Entry::decode(&item.public).unwrap().subject_seq).collect();
    assert_eq!(seqs, (0..own.len() as u64).collect::<Vec<_>>());
    let kinds: Vec<EntryKind> = own.iter().map(|(_, _, kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [
            EntryKind::TAPE_SAVED,
            EntryKind::ACCESS_GRANTED,
            EntryKind::ACCESS_COMPLETED,
            EntryKind::CUSTODY_READ,
            EntryKind::EVIDENCE_MADE
        ]
    );
    // The last one binds what is said to be complete.
    let last = own.last().unwrap();
    let half = private(&last.0);
    let (salt, digest) = half.exported.unwrap();
    assert_eq!(digest.as_bytes(), &sha256(&files[path::COMPLETENESS]));
    let entry = Entry::decode(&last.0.public).unwrap();
    let Body::Evidence(EvidenceBody::Made { bundle, commitment, tapes }) =
        Body::decode(entry.kind, entry.body).unwrap()
    else {
        panic!()
    };
    assert_eq!((bundle, tapes), (completeness.bundle, 1));
    assert_eq!(commitment, immutape::log::export_commitment(&salt, &digest));
    assert_eq!(half.recipient.as_deref(), Some(&b"court"[..]));
    assert_eq!((half.case.as_deref(), half.expires_ms()), (Some(&b"exam 1"[..]), Some(4_000_000_000_000)));
    // Every opened half is the one that was committed.
    for (item, index, ..) in &own {
        let opened = item.opened.as_ref().unwrap();
        let entry = Entry::decode(&item.public).unwrap();
        assert_eq!(opened.verify("immutape/private/1").unwrap(), entry.commitment, "{index}");
        assert!(opened.closed().is_empty());
    }
    // The list shows this tape, and nothing of the other.
    let list = entries.iter().find(|(_, _, kind, _)| *kind == EntryKind::LISTED).unwrap();
    assert_eq!(list.0.opened.as_ref().unwrap().closed(), [19, 31]);
    let body = Entry::decode(&list.0.public).unwrap();
    let Body::Listed { set, count, .. } = Body::decode(body.kind, body.body).unwrap() else { panic!() };
    assert_eq!((count, list.0.members.len()), (2, 1));
    assert_eq!(list.0.members[0].custody, one.custody);
    list.0.members[0].verify(&set, count).unwrap();
    assert!(list.0.members[0].verify(&RootHash::from_bytes([0; 32]), count).is_err());
    assert!(!entries.iter().any(|(.., subject)| *subject == other.custody));
    let hex = other.custody.as_bytes();
    assert!(!files.values().any(|file| file.windows(32).any(|window| window == hex)), "nothing names the other tape");
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn frames_of_a_tape_open_closed_and_left_out_lead_to_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let tape = save_tape(&ledger, "filesystem-payments").await.unwrap().tape;
    for (order, given, is_open) in [
        (ids(&[&tape]), Some((0, 36)), true),
        (ids(&[&tape]).frames((5, 9)), Some((5, 9)), true),
        (ids(&[&tape]).frames((36, u64::MAX)).closed_payloads(), Some((36, 36)), false),
        (ids(&[&tape]).frames((37, 99)), None, true),
    ] {
        let (completeness, files) = made(&ledger, &order).await;
        let of_tape = |name: &str| &files[&path::of_tape(&tape, name)];
        assert_eq!(sha256(of_tape("root.cbor")), *tape.as_bytes());
        let root = immutape::tape::TapeRoot::decode(of_tape("root.cbor")).unwrap();
        let frames = frames(of_tape("frames.cbor"));
        let wanted: Vec<u64> = given.map_or_else(Vec::new, |(first, last)| (first..=last).collect());
        assert_eq!(frames.iter().map(|frame| frame.seq).collect::<Vec<_>>(), wanted);
        assert_eq!(completeness.given[0].opened, given);
        let leaves: Vec<_> = frames.iter().map(|frame| (frame.seq, frame.leaf())).collect();
        let proof = read_set_proof(of_tape("frames-paths.cbor")).unwrap();
        assert_eq!(root_of_set(root.frames, &leaves, &proof).unwrap(), root.tree);
        assert!(frames.iter().all(|frame| matches!(frame.payload, FramePart::Open(..)) == is_open));
        let withheld: Vec<What> = completeness.withheld.iter().map(|withheld| withheld.what).collect();
        let mut expected = Vec::new();
        expected.extend((given != Some((0, 36))).then_some(What::Frames));
        expected.extend((!is_open && given.is_some()).then_some(What::Payloads));
        assert_eq!(withheld, expected);
        let header = Opened::decode(of_tape("header.cbor")).unwrap();
        assert_eq!(header.verify("immutape/header/1").unwrap(), root.header);
        assert!(immutape::tape::Header::decode(&header.map()).is_ok());
    }
    // What was read to take digests is not counted as given: the first bundle gave every payload once.
    let (lines, _) = ledger.log(&ann(), 0..ledger.size()).await.unwrap();
    let given: Vec<u64> = lines
        .iter()
        .filter(|line| line.kind == EntryKind::ACCESS_COMPLETED)
        .map(|line| line.private.as_ref().unwrap().bytes.unwrap())
        .collect();
    let whole: u64 = ledger.metadata(&ann(), &tape.to_hex()).await.unwrap().header.stats.payload_bytes;
    assert_eq!((given.len(), given[0], given[3]), (4, whole, 0));
    assert!(given[1] > 0 && given[1] < whole);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_search_accounts_for_every_tape_of_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let crash = save_tape(&ledger, "sqlite-crash").await.unwrap();
    let http = save_tape(&ledger, "everything-http").await.unwrap();
    let claims = save_tape(&ledger, "sqlite-claims").await.unwrap();
    let now = Timestamp::from_ms(4_000_000_000_000);
    let query = |text: &str| {
        let (filter, from) = (Box::new(Filter::parse(text, now).unwrap()), Timestamp::from_ms(0));
        EvidenceOrder::new(Wanted::Query { filter, from, to: now }, "subpoena")
    };
    let order = query("tool:read_query").withhold(&claims.tape.to_hex()[..16], "privileged");
    let refused = ledger.begin_evidence(&ann(), &order).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "one tape calls that tool, and it is withheld: {refused}");
    let (completeness, files) = made(&ledger, &query("end:error")).await;
    let entries = proven(&files);
    let (first, last) = completeness.span.unwrap();
    let indices: Vec<u64> = entries.iter().map(|(_, index, ..)| *index).collect();
    assert!((first..=last).all(|index| indices.binary_search(&index).is_ok()), "the span is whole");
    let saved: Vec<CustodyId> =
        entries.iter().filter(|(_, _, kind, _)| *kind == EntryKind::TAPE_SAVED).map(|(.., subject)| *subject).collect();
    let mut accounted: Vec<CustodyId> = completeness.accounted().map(|(_, custody, _)| custody).collect();
    accounted.sort_unstable();
    let mut all = saved.clone();
    all.sort_unstable();
    assert_eq!(accounted, all);
    assert_eq!(all.len(), 3);
    let given: Vec<TapeId> = completeness.given.iter().map(|given| given.tape).collect();
    assert!(matches!(&completeness.asked, Asked::Query(query) if query.query == "end:error"));
    // What is out of scope is shown by one opened field, and that alone.
    for out in &completeness.out_of_scope {
        assert!(!given.contains(&out.tape));
        assert_eq!((out.field, out.why.as_str()), (Some(12), "end:error does not hold"));
        let header = Opened::decode(&files[&path::of_tape(&out.tape, "header.cbor")]).unwrap();
        assert_eq!(header.fields().iter().map(|field| field.number).collect::<Vec<_>>(), [12]);
        let root = immutape::tape::TapeRoot::decode(&files[&path::of_tape(&out.tape, "root.cbor")]).unwrap();
        assert_eq!((root.id(), root.header), (out.tape, header.verify("immutape/header/1").unwrap()));
    }
    assert_eq!(given.len() + completeness.out_of_scope.len(), 3);
    assert!(given.contains(&crash.tape) && !given.contains(&http.tape), "{given:?}");
    // A time in which nothing was saved.
    let (filter, at) = (Box::default(), Timestamp::from_ms(1));
    let nothing = EvidenceOrder::new(Wanted::Query { filter, from: at, to: at }, "x");
    assert_eq!(ledger.begin_evidence(&ann(), &nothing).await.map(|_| ()).unwrap_err().code(), Code::NotFound);
    let backwards = EvidenceOrder::new(Wanted::Query { filter: Box::default(), from: now, to: at }, "x");
    assert_eq!(ledger.begin_evidence(&ann(), &backwards).await.map(|_| ()).unwrap_err().code(), Code::Usage);
    // Each question is on record with what passed, also where nothing came of it; the one that could not be asked is not.
    let (lines, _) = ledger.log(&ann(), 0..ledger.size()).await.unwrap();
    let asked: Vec<(String, u64)> = (lines.iter())
        .filter_map(|line| match (&line.body, &line.private) {
            (Body::Searched { count, .. }, Some(half)) => {
                Some((String::from_utf8(half.query.clone().unwrap()).unwrap(), *count))
            }
            _ => None,
        })
        .collect();
    let time = "sealed:1970-01-01T00:00:00.000Z..2096-10-02T07:06:40.000Z";
    let expected = [
        (format!("{time} tool:read_query"), 1),
        (format!("{time} end:error"), given.len() as u64),
        ("sealed:1970-01-01T00:00:00.001Z..1970-01-01T00:00:00.001Z".to_owned(), 0),
    ];
    assert_eq!(asked, expected);
    let at = |kind: EntryKind| lines.iter().filter(|line| line.kind == kind).map(|line| line.index).collect::<Vec<_>>();
    assert!(at(EntryKind::SEARCHED)[1] < at(EntryKind::EVIDENCE_MADE)[0]);
    ledger.close().await.unwrap();
}

/// A tape that was given other labels does not pass for what they are now; no field of its header shows that, so none is opened.
#[tokio::test]
async fn what_labels_given_later_decide_is_said_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let given = save_tape(&ledger, "sqlite-crash").await.unwrap();
    let other = save_tape(&ledger, "sqlite-claims").await.unwrap();
    for (id, name) in [(given.tape, "wanted"), (other.tape, "another")] {
        let labels = Labels { name: Some(name.into()), tags: vec![b"dispute".to_vec()], ..Labels::default() };
        ledger.label(&ann(), &id.to_hex(), &labels, None).await.unwrap();
    }
    let to = Timestamp::from_ms(4_000_000_000_000);
    let filter = Box::new(Filter::parse("tag:dispute name:wanted", to).unwrap());
    let wanted = Wanted::Query { filter, from: Timestamp::from_ms(0), to };
    let (completeness, files) = made(&ledger, &EvidenceOrder::new(wanted, "subpoena")).await;
    assert_eq!(completeness.given.iter().map(|tape| tape.tape).collect::<Vec<_>>(), [given.tape]);
    let out: Vec<_> = completeness.out_of_scope.iter().map(|out| (out.tape, out.field, out.why.as_str())).collect();
    assert_eq!(out, [(other.tape, None, "name:wanted does not hold")], "the tag holds since it was given");
    assert!(!files.contains_key(&path::of_tape(&other.tape, "header.cbor")));
    ledger.close().await.unwrap();
}

/// A bundle whose making ends half way stands in the register as begun; nothing of it can be finished later.
#[tokio::test]
async fn the_register_knows_what_was_begun_given_and_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let tape = save_tape(&ledger, "sqlite-crash").await.unwrap().tape;
    drop(ledger.begin_evidence(&ann(), &ids(&[&tape])).await.unwrap());
    made(&ledger, &ids(&[&tape]).expires(Timestamp::from_ms(1))).await;
    made(&ledger, &ids(&[&tape]).recipient("court".to_owned())).await;
    ledger.close().await.unwrap();
    let ledger = open(folder.path()).await.unwrap();
    let all = ledger.evidence_register(&ann()).await.unwrap();
    let states: Vec<BundleState> = all.iter().map(|bundle| bundle.state).collect();
    assert_eq!(states, [BundleState::Begun, BundleState::Expired, BundleState::Given]);
    assert_eq!(states.map_words(), ["begun", "expired", "given"]);
    assert_eq!((all[0].digest, all[0].given_entry), (None, None));
    assert_eq!(all[2].digest.unwrap(), *BundleDigest::of("the tag manifest\n").digest());
    assert_eq!(all[2].recipient.as_deref(), Some(&b"court"[..]));
    assert!(all.iter().all(|bundle| bundle.tapes.len() == 1 && bundle.authority.as_deref() == Some(b"exam 1")));
    ledger.close().await.unwrap();
}

trait Words {
    fn map_words(&self) -> Vec<&'static str>;
}

impl Words for Vec<BundleState> {
    fn map_words(&self) -> Vec<&'static str> {
        self.iter().map(|state| state.word()).collect()
    }
}

#[tokio::test]
async fn heads_that_are_not_over_the_bundle_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let tape = save_tape(&ledger, "sqlite-crash").await.unwrap().tape;
    let before = ledger.release_head().await.unwrap();
    let draft = ledger.begin_evidence(&ann(), &ids(&[&tape])).await.unwrap();
    assert!(draft.entries() > before.checkpoint.size);
    assert_eq!(draft.under(&before.note).map(|_| ()).unwrap_err().code(), Code::ProofInvalid);
    let other = create(&folder.path().join("other")).await;
    let foreign = other.release_head().await.unwrap();
    let draft = ledger.begin_evidence(&ann(), &ids(&[&tape])).await.unwrap();
    assert_eq!(draft.under(&foreign.note).map(|_| ()).unwrap_err().code(), Code::HeadInvalid);
    ledger.close().await.unwrap();
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_damaged_tape_is_named_and_can_be_withheld() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let good = save_tape(&ledger, "sqlite-crash").await.unwrap().tape;
    let bad = save_bytes(
        &ledger,
        &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n".repeat(400),
        immutape::interchange::ImportOptions::default(),
        SaveOptions::default(),
    )
    .await
    .unwrap();
    ledger.close().await.unwrap();
    flip_in_packs(folder.path());
    let ledger = open(folder.path()).await.unwrap();
    let order = ids(&[&good, &bad.tape]);
    let failed = match ledger.begin_evidence(&ann(), &order).await {
        Err(e) => e,
        Ok(draft) => {
            let head = ledger.release_head().await.unwrap();
            draft.under(&head.note).and_then(|evidence| evidence.measure().map(|_| ())).unwrap_err()
        }
    };
    assert_eq!(failed.code(), Code::TapeDamaged, "{failed}");
    let (completeness, files) = made(&ledger, &order.withhold(bad.tape.to_hex(), "damaged")).await;
    assert_eq!(completeness.withheld[0].what, What::Tape);
    assert_eq!(completeness.withheld[0].why, "damaged");
    assert!(!files.keys().any(|path| path.contains(&bad.tape.to_hex())));
    ledger.close().await.unwrap();
}

/// Changes the last chunk in the newest pack: that of the tape saved last.
fn flip_in_packs(home: &Path) {
    let mut packs: Vec<_> =
        walk(home).into_iter().filter(|path| path.extension().is_some_and(|e| e == "pack")).collect();
    packs.sort();
    let pack = packs.pop().unwrap();
    let mut bytes = std::fs::read(&pack).unwrap();
    let end = bytes.iter().rposition(|b| *b != 0).unwrap();
    // Not the manifest, which is the last object.
    let at = end - 400;
    bytes[at] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

//! A ledger behind the storage API is a ledger: also one in memory, and also one of somebody else's engine.

use std::path::Path;
use std::sync::{Arc, Mutex};

use immutape::Code;
use immutape::evidence::Verdict;
use immutape::interchange::FrameCounts;
use immutape::ledger::{CheckOptions, Ledger, Places};
use immutape::provider::{
    Capabilities, FrameRange, LedgerBackend, LedgerParts, Query, Surroundings, Tape, TapeRecorder, TapeStorageBackend,
};
use immutape::store::memory::{MemoryEngine, MemoryFiles};
use immutape::tape::{Direction, Frame, TapeKind};
use serde_json::{Value, json};

use crate::support::ledgers::{ann, real};

fn settings(folder: &Path) -> Value {
    let at = |part: &str| folder.join(part);
    json!({ "path": at("ledger"), "state_path": at("state"), "keys_path": at("config") })
}

fn session(messages: usize) -> Tape {
    let mut tape = Tape::new(TapeKind::Other);
    for n in 0..messages {
        tape.push(
            Direction::ClientToServer,
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"ping\"}}").as_bytes(),
        );
    }
    let mut counts = FrameCounts::default();
    tape.frames.iter_mut().for_each(|frame| counts.frame(frame));
    counts.fill(&mut tape.header);
    tape
}

/// A ledger in memory behind the storage API, of which the ledger itself can be asked.
fn in_memory(files: &MemoryFiles, engine: &MemoryEngine) -> LedgerBackend {
    let around = Surroundings::of_process().unwrap().files(Arc::new(files.clone()));
    let places = Places::beneath(Path::new("/memory"));
    let parts = LedgerParts::with_places(&Value::Null, &around, places, Arc::new(engine.clone()));
    LedgerBackend::new(parts, Capabilities::none())
}

#[tokio::test]
async fn a_ledger_in_memory_is_checked_read_and_opened_again_like_any_other() {
    let (files, engine) = (MemoryFiles::new(), MemoryEngine::new());
    let backend = in_memory(&files, &engine);
    let mut ids = Vec::new();
    for n in 1..20 {
        ids.push(backend.save(&session(n)).await.unwrap());
    }
    let ledger = backend.ledger().await.unwrap();
    let (report, recorded) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{:#?}", report.findings);
    recorded.unwrap();
    let (custody, _) = ledger.custody(&ann(), &ids[0].to_text()).await.unwrap();
    assert_eq!(custody.events.len(), 1);
    let other = in_memory(&files, &engine);
    assert_eq!(other.initialize().await.unwrap_err().code(), Code::Locked, "one writer, as on a disk");
    drop(ledger);
    backend.close().await.unwrap();
    assert_eq!(backend.load(&ids[18]).await.unwrap_err().code(), Code::Broken, "closed is closed");
    backend.close().await.unwrap();
    let backend = in_memory(&files, &engine);
    assert_eq!(backend.load(&ids[18]).await.unwrap().frames, session(19).frames);
    let ledger = backend.ledger().await.unwrap();
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact);
    // Entry 0, two starts and a stop, 19 saves, two checks, a custody report, a read and its end.
    assert_eq!(ledger.size(), 28);
}

#[tokio::test]
async fn the_memory_provider_warns_outside_of_tests() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hear = heard.clone();
    let builder = TapeRecorder::builder().on_warning(move |words| hear.lock().unwrap().push(words.to_owned()));
    let recorder = builder.with_storage("memory", json!({})).build().await.unwrap();
    assert_eq!(*heard.lock().unwrap(), recorder.warnings());
    assert!(recorder.warnings()[0].contains("keeps nothing"), "{:?}", recorder.warnings());
    let recorder = TapeRecorder::builder().with_storage("memory", json!({ "testing": true })).build().await.unwrap();
    assert!(recorder.warnings().is_empty());
    assert!(!recorder.storage().capabilities().is_durable);
}

#[tokio::test]
async fn a_recording_of_a_program_is_found_by_what_its_messages_name() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = TapeRecorder::builder().with_storage("filesystem", settings(folder.path())).build().await.unwrap();
    assert_eq!(recorder.provider(), "embedded");
    let mut recording = recorder.begin_in(TapeKind::Other, "contracts", "trading").await.unwrap();
    let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay"}}"#;
    recording.message(Direction::ClientToServer, call).await.unwrap();
    // One that no frame holds becomes two.
    recording.frame(Frame::message(0, Direction::ServerToClient, vec![b'x'; (16 << 20) + 1])).await.unwrap();
    recording.message(Direction::Internal, b"").await.unwrap();
    assert_eq!(recording.frames(), 4);
    let id = recording.finish().await.unwrap();
    let query = Query::parse("class:contracts ns:trading tool:pay method:tools/call", now()).unwrap();
    let page = recorder.storage().search(&query).await.unwrap();
    assert_eq!(page.tapes.iter().map(|t| (t.id, t.frame_count)).collect::<Vec<_>>(), [(id, 4)]);
    let streams = recorder.storage().streaming().unwrap();
    let mut stream = streams.stream_frames(&id, FrameRange::Seq(1, 2)).await.unwrap();
    let mut lengths = Vec::new();
    while let Some(frame) = stream.next().await.unwrap() {
        lengths.push(frame.payload.len());
    }
    assert_eq!(lengths, [16 << 20, 1]);
    stream.finish().await.unwrap();
    recorder.close().await.unwrap();
    let ledger = Ledger::open(Places::beneath(folder.path()), real()).await.unwrap();
    let (custody, _) = ledger.custody(&ann(), &id.to_text()).await.unwrap();
    // Opened, saved, found by the search, read, and how much of it.
    assert_eq!(custody.events.len(), 5);
    ledger.close().await.unwrap();
}

fn now() -> immutape::time::Timestamp {
    immutape::time::Timestamp::from_ms(1_795_800_000_000)
}

/// The engine's name stands beside the data, and another engine is not let in.
#[tokio::test]
async fn a_ledger_is_opened_only_with_the_engine_that_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("state/engine");
    let build = |provider: &str| {
        let builder = TapeRecorder::builder().register_storage_provider(Arc::new(outside_provider::BoundedFactory));
        builder.with_storage(provider, settings(folder.path())).build()
    };
    let recorder = build("bounded").await.unwrap();
    let id = recorder.save(session(3)).await.unwrap();
    recorder.close().await.unwrap();
    assert_eq!(std::fs::read(&name).unwrap(), b"bounded\n");

    let error = build("embedded").await.unwrap_err();
    assert_eq!(error.code(), Code::Usage);
    assert!(error.message().contains("by the engine \"bounded\", and is opened with \"embedded\""), "{error}");
    // A check releases nothing: it goes on, and says so. To it the file is no stray.
    let checker = immutape::ledger::Checker::open(&Places::beneath(folder.path()), &real()).unwrap();
    let report = checker.run(&CheckOptions::default());
    assert_eq!(report.verdict(), Verdict::Intact);
    assert_eq!(report.findings.iter().map(|f| f.place.as_str()).collect::<Vec<_>>(), ["engine"]);

    // As in a ledger of an earlier program: nothing is said, and the name is written.
    std::fs::remove_file(&name).unwrap();
    let recorder = build("embedded").await.unwrap();
    assert_eq!(recorder.storage().load(&id).await.unwrap().frames.len(), 3);
    recorder.close().await.unwrap();
    assert_eq!(std::fs::read(&name).unwrap(), b"embedded\n");
    assert_eq!(build("bounded").await.unwrap_err().code(), Code::Usage);
}

#[tokio::test]
async fn a_bound_is_a_refusal_and_never_a_removal() {
    let folder = tempfile::tempdir().unwrap();
    let mut bounded = settings(folder.path());
    bounded["room_bytes"] = json!(20_000);
    let build = || {
        let builder = TapeRecorder::builder().register_storage_provider(Arc::new(outside_provider::BoundedFactory));
        builder.with_storage("bounded", bounded.clone()).build()
    };
    let recorder = build().await.unwrap();
    let mut kept = Vec::new();
    let refused = loop {
        match recorder.save(session(kept.len() + 1)).await {
            Ok(id) => kept.push(id),
            Err(e) => break e,
        }
    };
    assert_eq!(refused.code(), Code::StoreFull);
    assert!(kept.len() > 2 && kept.len() < 50, "{} tapes", kept.len());
    recorder.close().await.unwrap();
    let recorder = build().await.unwrap();
    assert_eq!(recorder.save(session(60)).await.unwrap_err().code(), Code::StoreFull, "also after a restart");
    for (n, id) in kept.iter().enumerate() {
        assert_eq!(recorder.storage().load(id).await.unwrap().frames.len(), n + 1);
    }
    recorder.close().await.unwrap();
}

#[tokio::test]
async fn a_ledger_is_not_made_where_the_settings_forbid_it_or_no_home_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut there = settings(folder.path());
    there["create"] = json!(false);
    let error = TapeRecorder::builder().with_storage("embedded", there).build().await.unwrap_err();
    assert_eq!(error.code(), Code::NoLedger);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let homeless = Surroundings::of_process().unwrap().data_base(None).state_base(None).config_base(None);
    for given in [Value::Null, json!({ "path": folder.path().join("l") })] {
        let builder = TapeRecorder::builder().in_surroundings(homeless.clone());
        let error = builder.with_storage("embedded", given).build().await.unwrap_err();
        assert_eq!(error.code(), Code::NoHome);
    }
}

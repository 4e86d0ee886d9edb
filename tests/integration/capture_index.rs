//! What a recording knows of its messages is what an import of the same messages knows; what is no message counts as none,
//! whatever it looks like; and nothing in a message is changed.

use immutape::capture::{LedgerAccess, RecordingOptions, StreamingTapeWriter};
use immutape::interchange::{FrameCounts, ImportOptions};
use immutape::ledger::{FrameSelection, Ledger};
use immutape::tape::{Direction, EndState, Frame, FrameKind, Header, TapeKind, flags};
use immutape::time::SystemClock;

use crate::interchange_real::{data, import};
use crate::support::ledgers::{TAPES, ann, create};

use Direction::{ClientToServer as Up, Internal, ServerToClient as Down};

fn frame(direction: Direction, ms: u64, text: &str) -> Frame {
    let mut frame = Frame::message(0, direction, text.as_bytes().to_vec());
    frame.t_ns = Some(ms * 1_000_000);
    frame
}

fn of_kind(kind: FrameKind, direction: Direction, text: &str) -> Frame {
    Frame { kind, ..frame(direction, 1, text) }
}

/// A version 2.0 tape of these messages.
fn v2(frames: &[Frame]) -> String {
    let mut text = String::from(
        "{\"type\":\"init\",\"version\":\"2.0\",\"tape_id\":\"t\",\"session_id\":\"s\",\"created_at\":\"2026-11-20T10:19:04.156Z\"}\n",
    );
    for (seq, f) in frames.iter().enumerate() {
        let (message, ms) = (std::str::from_utf8(&f.payload).unwrap(), f.t_ns.unwrap() / 1_000_000);
        let dir = f.direction.word();
        text += &format!(
            "{{\"type\":\"frame\",\"seq\":{seq},\"ts\":{ms},\"dir\":\"{dir}\",\"env\":{{\"message\":{message},\"direction\":\"{dir}\"}}}}\n"
        );
    }
    text
}

/// The header of the tape that a recording of these frames becomes, and its frames.
async fn recorded(ledger: &Ledger, frames: &[Frame]) -> (Header, Vec<Frame>) {
    let mut options = RecordingOptions::new(Header::new(TapeKind::Other));
    options.header.labels.name = Some(b"index".to_vec());
    let clock = std::sync::Arc::new(SystemClock::new([7; 16]));
    let writer = StreamingTapeWriter::create(LedgerAccess::open(ledger.clone()), ann(), options, clock).await.unwrap();
    for frame in frames {
        writer.write_frame(frame.clone()).await.unwrap();
    }
    let seen = writer.metadata();
    let finished = writer.finalize(EndState::Clean).await.unwrap();
    assert_eq!(seen.stats, finished.header.stats, "live and sealed, the same counts");
    assert_eq!(seen.header.protocol, finished.header.protocol);
    let reader = ledger.open_tape(&ann(), &finished.receipt.tape.to_text(), None).await.unwrap();
    assert_eq!(
        Header { recorder: None, ..reader.header().clone() },
        Header { recorder: None, ..finished.header.clone() }
    );
    let kept = reader.collect(FrameSelection::All).unwrap();
    reader.finish().await.unwrap();
    (finished.header, kept)
}

fn assert_same(live: &Header, imported: &Header, what: &str) {
    assert_eq!(live.stats, imported.stats, "{what}");
    assert_eq!(live.named, imported.named, "{what}");
    assert_eq!(live.protocol, imported.protocol, "{what}");
    assert_eq!((live.kind, live.span_ns), (imported.kind, imported.span_ns), "{what}");
}

#[tokio::test]
async fn captured_sessions_recorded_live_count_as_imported_ones() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut requests = 0;
    for name in TAPES {
        let (frames, imported) = import(&data(&format!("{name}.jsonl")), ImportOptions::default()).unwrap();
        let bare: Vec<Frame> = frames
            .iter()
            .map(|f| Frame {
                t_ns: f.t_ns,
                delimiter: f.delimiter,
                ..Frame::message(0, f.direction, f.payload.clone())
            })
            .collect();
        let (live, kept) = recorded(&ledger, &bare).await;
        assert_same(&live, &imported, name);
        // Flags of the messages are found from the messages, those of the source's numbering are its own.
        let of_messages = flags::IS_ERROR | flags::IS_NOTIFICATION | flags::REQUIRES_RESPONSE | flags::DUPLICATE_ID;
        let (kept, frames) = (kept.iter().map(|f| f.flags), frames.iter().map(|f| f.flags));
        let mut differ = kept.zip(frames).filter(|(live, imported)| (live ^ imported) & of_messages & live != 0);
        assert_eq!(differ.next(), None, "{name}: a flag that the import did not find");
        requests += live.stats.requests;
    }
    assert!(requests > 50, "the sessions were empty: {requests}");
    ledger.close().await.unwrap();
}

/// Requests in both directions with the same id, ids used twice, answers to nothing, batches, odd ids, both eras.
fn hostile() -> Vec<Frame> {
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
    let texts = [
        (Up, r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}"#.to_owned()),
        (Down, r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#.to_owned()),
        (Down, r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-03-26"}}"#.to_owned()),
        (Up, r#"{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}"#.to_owned()),
        (Up, r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a"}}"#.to_owned()),
        (Up, r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"b"}}"#.to_owned()),
        (Down, r#"{"jsonrpc":"2.0","id":7,"result":{"isError":true}}"#.to_owned()),
        (Down, r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"x"}}"#.to_owned()),
        (Down, r#"{"jsonrpc":"2.0","id":7,"result":{}}"#.to_owned()),
        (
            Up,
            r#"[{"id":"x","method":"ping"},{"method":"notifications/cancelled"},{"id":"y","method":"tools/list"}]"#
                .to_owned(),
        ),
        (Down, r#"[{"id":"y","result":{}},{"id":"x","error":{"code":-32601}}]"#.to_owned()),
        (Up, format!(r#"{{"id":9,"method":"tools/list","params":{{{meta}}}}}"#)),
        (Up, r#"{"id":"9","method":"server/discover"}"#.to_owned()),
        (Up, r#"{"id":null,"method":"odd"}"#.to_owned()),
        (Down, r#"{"id":9,"result":{"resultType":"complete"}}"#.to_owned()),
        (Down, r#"{}"#.to_owned()),
        (Down, r#"[]"#.to_owned()),
        (Down, r#""text""#.to_owned()),
    ];
    texts.iter().enumerate().map(|(n, (direction, text))| frame(*direction, 3 * n as u64, text)).collect()
}

#[tokio::test]
async fn sly_messages_recorded_live_count_as_imported_ones() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let frames = hostile();
    let (_, imported) = import(v2(&frames).as_bytes(), ImportOptions::default()).unwrap();
    let (live, _) = recorded(&ledger, &frames).await;
    assert_same(&live, &imported, "sly");
    let s = live.stats;
    assert_eq!((s.requests, s.responses, s.notifications), (9, 8, 1), "each element of a batch for itself");
    assert_eq!((s.correlations, s.unanswered, s.errors), (7, 2, 3));
    assert_eq!(live.protocol.as_deref(), Some(&b"2025-03-26"[..]), "the first that was agreed");
    assert_eq!(live.named.tools, [(b"a".to_vec(), 1), (b"b".to_vec(), 1)]);

    // Which frame answers which: each direction has ids of its own, and the oldest open one is answered first.
    let mut counts = FrameCounts::default();
    let mut pairs = Vec::new();
    let mut versions = Vec::new();
    for (seq, f) in frames.iter().enumerate() {
        let mut f = Frame { seq: seq as u64, ..f.clone() };
        let seen = counts.frame_seen(&mut f);
        pairs.extend(
            seen.pairs.iter().map(|p| (p.response_seq, p.element, p.request_seq, p.rtt_ms().unwrap(), p.is_error)),
        );
        versions.extend(seen.version.map(|v| (seq, v)));
        assert_eq!(f.has(flags::DUPLICATE_ID), seq == 5, "{seq}");
    }
    let expected = [
        (2, 0, 0, 6, false),
        (3, 0, 1, 6, false),
        (6, 0, 4, 6, false),
        (7, 0, 5, 6, true),
        (10, 0, 9, 3, false),
        (10, 1, 9, 3, true),
        (14, 0, 11, 9, false),
    ];
    assert_eq!(pairs, expected);
    assert_eq!(versions, [(2, "2025-03-26".to_owned()), (11, "2026-07-28".to_owned())], "an observation a frame");
    assert_eq!((counts.unanswered(), counts.given_up()), (vec![12, 13], 0));
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn what_is_no_message_counts_as_none_whatever_it_looks_like() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let talk = [frame(Up, 0, r#"{"id":1,"method":"ping"}"#), frame(Down, 2, r#"{"id":1,"result":{}}"#)];
    let noise = [
        of_kind(FrameKind::Stderr, Down, r#"{"id":1,"result":{"protocolVersion":"9999-01-01"}}"#),
        of_kind(FrameKind::Stderr, Down, r#"{"id":2,"method":"tools/call","params":{"name":"stderr"}}"#),
        of_kind(FrameKind::Lifecycle, Internal, r#"{"id":3,"method":"tools/call","params":{"name":"lifecycle"}}"#),
        of_kind(FrameKind::Marker, Internal, r#"{"id":4,"error":{"code":-1}}"#),
        of_kind(FrameKind::HttpHead, Up, r#"{"id":5,"method":"GET"}"#),
        of_kind(FrameKind::Gap, Internal, r#"{"method":"notifications/x"}"#),
    ];
    let (quiet, _) = recorded(&ledger, &talk).await;
    let all: Vec<Frame> = [&talk[..1], &noise, &talk[1..]].concat();
    let (loud, kept) = recorded(&ledger, &all).await;
    assert_eq!((loud.named, loud.protocol), (quiet.named, None));
    let (mut expected, bytes) = (quiet.stats, noise.iter().map(|f| f.payload.len() as u64).sum::<u64>());
    (expected.frames, expected.payload_bytes) = (8, quiet.stats.payload_bytes + bytes);
    (expected.client_to_server, expected.server_to_client) = (2, 3);
    assert_eq!(loud.stats, expected, "frames and bytes alone");
    assert!(kept[1..7].iter().all(|f| f.flags == 0), "{kept:?}");
    // The same as a body is one: a transport that wraps messages carries them there.
    let (bodies, _) = recorded(&ledger, &[of_kind(FrameKind::HttpBody, Up, r#"{"id":5,"method":"ping"}"#)]).await;
    assert_eq!(bodies.stats.requests, 1);
    ledger.close().await.unwrap();
}

#[test]
fn a_message_in_parts_counts_as_none_and_others_between_them_do() {
    let mut counts = FrameCounts::default();
    let mut seen = |direction, text: &str, flags| {
        let mut f = frame(direction, 0, text);
        f.flags = flags;
        counts.frame_seen(&mut f).messages
    };
    // Each part alone looks like a message.
    assert_eq!(seen(Up, r#"{"id":1,"method":"a"}"#, flags::CONTINUED), 0);
    assert_eq!(seen(Down, r#"{"id":2,"method":"b"}"#, 0), 1, "the other side's");
    assert_eq!(seen(Up, r#"{"id":3,"method":"c"}"#, flags::CONTINUED), 0);
    assert_eq!(seen(Up, r#"{"id":4,"method":"d"}"#, 0), 0, "the last part");
    assert_eq!(seen(Up, r#"{"id":5,"method":"e"}"#, 0), 1);
    assert_eq!((counts.stats().frames, counts.stats().requests), (5, 2));
}

#[tokio::test]
async fn a_secret_in_a_message_is_kept_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let secrets = [
        r#"{"id":1,"method":"tools/call","params":{"headers":{"Authorization":"Bearer s3cr3t","Cookie":"sid=1"}}}"#,
        r#"{"id":1,"result":{"password":"hunter2","card":"4111 1111 1111 1111","key":"-----BEGIN PRIVATE KEY-----"}}"#,
        "Authorization: Bearer s3cr3t",
    ];
    let mut frames = vec![frame(Up, 0, secrets[0]), frame(Down, 1, secrets[1])];
    frames.push(of_kind(FrameKind::Stderr, Down, secrets[2]));
    let (header, kept) = recorded(&ledger, &frames).await;
    assert_eq!(header.redaction_profile, None);
    for (frame, secret) in kept.iter().zip(secrets) {
        assert_eq!(std::str::from_utf8(&frame.payload).unwrap(), secret, "payload bytes are the evidence");
        assert_eq!(frame.redactions, None);
    }
    ledger.close().await.unwrap();
}

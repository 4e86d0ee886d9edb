//! Golden files of chapter 2: frames, headers, roots, and the tape of two frames that later chapters seal.

use immutape::codec::digest::{Digest, TapeId, sha256};
use immutape::log::{leaf_hash, root_of};
use immutape::tape::{
    ContentDigest, Delimiter, Direction, EndState, Frame, FrameKind, Gap, GapReason, Header, Labels, Named, Provenance,
    RecorderInfo, Stats, TapeKind, TapeRoot, flags, frame_leaf,
};

use super::inputs::{TAPE_SECRET, tape_keys};
use super::kit::{Accept, Chapter, Value, hex};
use super::refused_tape;

const ABOUT: &str =
    "Golden files of docs/format/2-tape.md. All values are hexadecimal unless they are words or numbers.
The tape of two frames is frame-request.cbor, frame-answer.cbor and header-two-frames.cbor; chapter 3 seals it.
A refused file is the accepted file `from` with `edits` made (offsets into the accepted file); `error` is the
verdict of the library's reader.";

pub fn chapter() -> Chapter {
    let accepts = accepts();
    let rejects = refused_tape::rejects(&accepts);
    let inputs = vec![("tape_secret", hex(TAPE_SECRET), "salts and keys follow from it (2.5)")];
    Chapter { name: "2-tape", about: ABOUT, inputs, accepts, rejects }
}

fn accepts() -> Vec<Accept> {
    let [request, answer] = two_frames();
    let (root, values) = root_two_frames();
    vec![
        frame("frame-minimal.cbor", "no optional field, no payload", &Frame::message(0, Direction::Unknown, vec![])),
        frame("frame-full.cbor", "every field", &frame_full()),
        frame("frame-request.cbor", "frame 0 of the tape of two frames", &request),
        frame("frame-answer.cbor", "frame 1 of the tape of two frames", &answer),
        plain("envelope-request.cbor", "the envelope of frame-request.cbor", "envelope", envelope(&request)),
        plain("leaf-request.cbor", "the leaf input of frame-request.cbor", "frame-leaf", leaf(&request)),
        plain("leaf-answer.cbor", "the leaf input of frame-answer.cbor", "frame-leaf", leaf(&answer)),
        Accept {
            decoder: "frames",
            ..plain("frames-two.cborseq", "both frames, one after another: what a chunk holds", "frame", frames_two())
        },
        header("header-minimal.cbor", "no optional field", &Header::new(TapeKind::Mcp)),
        header("header-full.cbor", "every field", &header_full()),
        header("header-two-frames.cbor", "header of the tape of two frames", &header_two_frames()),
        Accept {
            values,
            ..tape_root("root-two-frames.cbor", "its SHA-256 is the id of the tape of two frames", &root)
        },
        tape_root("root-no-frames.cbor", "a tape without frames: header-minimal.cbor", &root_no_frames()),
    ]
}

fn plain(file: &str, what: &str, cddl: &'static str, bytes: Vec<u8>) -> Accept {
    Accept { file: file.into(), decoder: "item", what: what.into(), cddl: Some(cddl), bytes, values: Vec::new() }
}

fn frame(file: &str, what: &str, f: &Frame) -> Accept {
    Accept { decoder: "frame", ..plain(file, what, "frame", encode_frame(f)) }
}

fn header(file: &str, what: &str, h: &Header) -> Accept {
    Accept { decoder: "header", ..plain(file, what, "header", h.encode().unwrap()) }
}

fn tape_root(file: &str, what: &str, r: &TapeRoot) -> Accept {
    Accept { decoder: "tape-root", ..plain(file, what, "tape-root", r.encode()) }
}

pub fn encode_frame(f: &Frame) -> Vec<u8> {
    f.parts().unwrap().encode()
}

fn envelope(f: &Frame) -> Vec<u8> {
    f.parts().unwrap().envelope()
}

fn leaf(f: &Frame) -> Vec<u8> {
    frame_leaf(&f.parts().unwrap(), &tape_keys().frame_salt(f.seq))
}

/// A request and its answer.
pub fn two_frames() -> [Frame; 2] {
    let mut request =
        Frame::message(0, Direction::ClientToServer, br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_vec());
    (request.t_ns, request.delimiter, request.flags) = (Some(0), Delimiter::Lf, flags::REQUIRES_RESPONSE);
    let mut answer = Frame::message(1, Direction::ServerToClient, br#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_vec());
    (answer.t_ns, answer.delimiter) = (Some(1_250_000), Delimiter::Lf);
    [request, answer]
}

pub fn frames_two() -> Vec<u8> {
    two_frames().iter().flat_map(encode_frame).collect()
}

fn frame_full() -> Frame {
    Frame {
        seq: 300,
        t_ns: Some(2_000_000_000),
        wall_ns: Some(1_700_000_000_123_456_789),
        kind: FrameKind::HttpBody,
        direction: Direction::Internal,
        payload: b"\x00\xff body".to_vec(),
        delimiter: Delimiter::Chunk,
        media_type: Some(b"application/json".to_vec()),
        action: Some(br#"{"kind":"pass"}"#.to_vec()),
        transport: Some(br#"{"status":200}"#.to_vec()),
        correlation_id: Some(b"c-1".to_vec()),
        flags: flags::ALL,
        redactions: Some(immutape::codec::cbor::encode(|w| {
            w.array(1);
            w.array(3);
            w.bytes(b"/params/token");
            w.text("credential");
            w.bytes(&[0xee; 32]);
        })),
        extra: vec![(b"zulu".to_vec(), b"1".to_vec()), (b"alpha".to_vec(), br#""a""#.to_vec())],
    }
}

/// Header of the tape of two frames.
pub fn header_two_frames() -> Header {
    Header {
        session_id: Some(b"golden-session".to_vec()),
        started_wall_ns: Some(1_700_000_000_000_000_000),
        span_ns: Some(1_250_000),
        protocol: Some(b"2025-06-18".to_vec()),
        labels: Labels { name: Some(b"a ping".to_vec()), ..Labels::default() },
        stats: Stats {
            frames: 2,
            payload_bytes: two_frames().iter().map(|f| f.payload.len() as u64).sum(),
            client_to_server: 1,
            server_to_client: 1,
            requests: 1,
            responses: 1,
            correlations: 1,
            duration_ms: Some(1),
            ..Stats::default()
        },
        ..Header::new(TapeKind::Mcp)
    }
}

fn header_full() -> Header {
    Header {
        kind: TapeKind::Other,
        session_id: Some(b"s".to_vec()),
        legacy_tape_id: Some(b"tape-0001".to_vec()),
        started_wall_ns: Some(1_700_000_000_000_000_000),
        ended_wall_ns: Some(1_700_000_060_000_000_000),
        span_ns: Some(60_000_000_000),
        protocol: Some(b"2025-06-18".to_vec()),
        transport: Some(br#"{"type":"stdio"}"#.to_vec()),
        environment: Some(br#"{"os":"linux"}"#.to_vec()),
        labels: Labels {
            name: Some("N\u{e4}me".as_bytes().to_vec()),
            description: Some(b"two\nlines".to_vec()),
            tags: vec![b"b".to_vec(), b"a".to_vec()],
        },
        stats: Stats {
            frames: 12,
            payload_bytes: 3_456,
            client_to_server: 6,
            server_to_client: 5,
            errors: 1,
            requests: 4,
            responses: 3,
            notifications: 2,
            correlations: 3,
            unanswered: 1,
            duration_ms: Some(60_000),
        },
        end_state: EndState::Crashed(Some(b"signal 9".to_vec())),
        recorder: Some(RecorderInfo {
            key: Some(immutape::seal::thumbprint(&super::inputs::public_key(super::inputs::RECORDER_SEED))),
            version: Some("0.1.0".into()),
            config: Some(Digest::from_bytes([0xcf; 32])),
        }),
        provenance: Some(Provenance {
            format: Some("jsonl".into()),
            source_sha256: Some(Digest::from_bytes([0x51; 32])),
            importer: Some("0.1.0".into()),
            losses: vec!["float precision".into()],
            source_name: Some(b"session.jsonl".to_vec()),
            imported_ms: Some(1_700_000_100_000),
            host: Some(b"host".to_vec()),
            companion_sha256: Some(Digest::from_bytes([0x52; 32])),
            companion: Some(b"{}".to_vec()),
            source_bytes: Some(4_096),
        }),
        class: "contracts".into(),
        redaction_profile: Some(Digest::from_bytes([0x53; 32])),
        gaps: vec![
            Gap { before_seq: 3, reason: GapReason::SequenceJumped, count: 2 },
            Gap { before_seq: 7, reason: GapReason::Declared, count: 0 },
        ],
        amends: Some(TapeId::from_bytes([0x54; 32])),
        continues: Some(TapeId::from_bytes([0x55; 32])),
        derived_from: Some(TapeId::from_bytes([0x56; 32])),
        declared_origin_ms: Some(1_600_000_000_000),
        subject_tags: vec![[0x57; 32], [0x58; 32]],
        namespace: "trading".into(),
        extra: vec![(b"custom".to_vec(), b"[1,2]".to_vec())],
        unsaved_lines: vec![(1, b"# comment".to_vec()), (9, b"".to_vec())],
        named: Named {
            methods: vec![(b"ping".to_vec(), 1), (b"tools/call".to_vec(), 2)],
            tools: vec![(b"query".to_vec(), 2)],
            errors: vec![(-32_601, 1), (7, 3)],
            unlisted: 5,
        },
    }
}

/// Root of the tape of two frames, and everything on the way to it.
pub fn root_two_frames() -> (TapeRoot, Vec<(&'static str, Value)>) {
    let keys = tape_keys();
    let header = header_two_frames();
    let commitment = header.commit(keys.header_salts());
    let leaves = two_frames().map(|f| leaf(&f));
    let tree = root_of(&[leaf_hash(&leaves[0]), leaf_hash(&leaves[1])]);
    let root = TapeRoot { header: commitment.commitment, frames: 2, tree };
    let mut content = ContentDigest::new();
    two_frames().iter().for_each(|f| content.frames(&encode_frame(f)));
    let salts = [keys.frame_salt(0), keys.frame_salt(1)];
    // A leaf input ends in 0x5820, the envelope digest, 0x5820, the payload digest.
    let digests = leaves.each_ref().map(|l| (&l[l.len() - 66..l.len() - 34], &l[l.len() - 32..]));
    let field_digests: Vec<u8> = commitment.digests.iter().flat_map(|(_, d)| *d).collect();
    let [content_key, frame_salt_key, header_salt_key, row_key] = super::by_hand::tape_keys(&TAPE_SECRET);
    let values = vec![
        ("content_key", hex(content_key)),
        ("frame_salt_key", hex(frame_salt_key)),
        ("header_salt_key", hex(header_salt_key)),
        ("row_key", hex(row_key)),
        ("envelope_salt_0", hex(salts[0].envelope)),
        ("payload_salt_0", hex(salts[0].payload)),
        ("envelope_digest_0", hex(digests[0].0)),
        ("payload_digest_0", hex(digests[0].1)),
        ("leaf_hash_0", hex(leaf_hash(&leaves[0]))),
        ("envelope_salt_1", hex(salts[1].envelope)),
        ("payload_salt_1", hex(salts[1].payload)),
        ("envelope_digest_1", hex(digests[1].0)),
        ("payload_digest_1", hex(digests[1].1)),
        ("leaf_hash_1", hex(leaf_hash(&leaves[1]))),
        ("tree_root", hex(tree)),
        ("header_field_digests", hex(field_digests)),
        ("header_commitment", hex(commitment.commitment)),
        ("tape_id", hex(root.id())),
        ("frames_digest", hex(sha256(&frames_two()))),
        ("content_digest", hex(content.finish(&header))),
    ];
    (root, values)
}

fn root_no_frames() -> TapeRoot {
    let header = Header::new(TapeKind::Mcp);
    TapeRoot { header: header.commit(tape_keys().header_salts()).commitment, frames: 0, tree: root_of(&[]) }
}

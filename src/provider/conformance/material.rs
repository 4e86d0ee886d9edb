//! Tapes to keep.

use crate::interchange::FrameCounts;
use crate::provider::Tape;
use crate::tape::{Delimiter, Direction, FrameKind, TapeKind};

/// A tape with a name, a tag and payloads that are hard to keep: empty, no text, line ends, and `numbered` plain ones.
pub(super) fn tape(name: &str, numbered: u64) -> Tape {
    let mut tape = Tape::new(TapeKind::Mcp);
    tape.header.session_id = Some(format!("session of {name}").into_bytes());
    tape.header.labels.name = Some(name.as_bytes().to_vec());
    tape.header.labels.tags = vec![b"conformance".to_vec(), name.as_bytes().to_vec()];
    tape.header.started_wall_ns = Some(1_795_169_821_416_000_000);
    let call = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file"}}"#;
    tape.push(Direction::ClientToServer, call);
    tape.push(Direction::ServerToClient, br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}"#);
    tape.push(Direction::Internal, b"");
    tape.push(Direction::Unknown, b"\0\xff\xfe line\r\nline\n");
    tape.push(Direction::ServerToClient, &vec![b'x'; 300_000]);
    for n in 0..numbered {
        tape.push(Direction::ServerToClient, format!("{name} {n}").as_bytes());
    }
    let mut counts = FrameCounts::default();
    for frame in &mut tape.frames {
        frame.t_ns = Some(frame.seq.saturating_mul(1_500_000));
        frame.delimiter = Delimiter::Lf;
        frame.transport = Some(br#"{"type":"stdio"}"#.to_vec());
        counts.frame(frame);
    }
    if let Some(frame) = tape.frames.get_mut(3) {
        frame.kind = FrameKind::Stderr;
        frame.extra = vec![(b"left".to_vec(), b"[1, 2]".to_vec())];
    }
    counts.fill(&mut tape.header);
    tape
}

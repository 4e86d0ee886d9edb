//! The other forms of an export: small ones are fixed byte for byte, and Python reads them all with nothing of ours.

use std::process::Command;

use immutape::codec::digest::sha256;
use immutape::codec::limits::FRAME_PAYLOAD_BYTES_MAX;
use immutape::interchange::{ExportFormat, Exporter, FrameShape, HeaderShape, ImportOptions};
use immutape::tape::{Delimiter, Direction, EndState, Frame, FrameKind, Header, Labels, TapeKind, flags};
use immutape::{Code, Result};
use proptest::prelude::*;

use crate::interchange_export::{export, scope};
use crate::interchange_real::{cat, data, import};
use crate::properties::arbitrary;
use crate::support::ledgers::TAPES;

fn small() -> (Header, Vec<Frame>) {
    let labels = Labels { name: Some(b"a \xe2\x80\xae b".to_vec()), tags: vec![vec![0xff]], ..Labels::default() };
    let header = Header { labels, end_state: EndState::ChildExit(-3), ..Header::new(TapeKind::Other) };
    let first = Frame {
        t_ns: Some(2_000_000),
        delimiter: Delimiter::Lf,
        flags: flags::REQUIRES_RESPONSE,
        extra: vec![(b"x".to_vec(), b"{\"y\": 1}".to_vec())],
        ..Frame::message(0, Direction::ClientToServer, "{\"é\":\"\u{2028}\"}".as_bytes().to_vec())
    };
    let second = Frame { kind: FrameKind::Stderr, ..Frame::message(1, Direction::Internal, b"\0\xff\n".to_vec()) };
    (header, vec![first, second])
}

const STATS: &str = r#"{"frames":0,"payload_bytes":0,"client_to_server":0,"server_to_client":0,"errors":0,"requests":0,"responses":0,"notifications":0,"correlations":0,"unanswered":0}"#;

#[test]
fn a_small_json_document() {
    let (header, frames) = small();
    let file = export(ExportFormat::Json, &header, &frames).unwrap().file;
    let expected = [
        &format!(
            r#"{{"format":"immutape-tape","version":1,"tape":"sha256:{}","first_frame":0,"frame_count":2,"#,
            "07".repeat(32)
        ),
        &format!(
            r#""header":{{"kind":"other","labels":{{"name":"a \u202e b","tags":[{{"b64":"/w=="}}]}},"stats":{STATS},"end_state":{{"state":"child_exit","code":-3}},"class":"draft","namespace":"default"}},"#
        ),
        r#""frames":["#,
        r#"{"seq":0,"t_ns":2000000,"kind":"message","direction":"client_to_server","payload":"{\"é\":\"\u2028\"}","delimiter":"lf","flags":["requires_response"],"extra":[{"name":"x","json":"{\"y\": 1}"}]},"#,
        r#"{"seq":1,"kind":"stderr","direction":"internal","payload":{"b64":"AP8K"},"delimiter":"none"}"#,
        "]}\n",
    ];
    assert_eq!(String::from_utf8(file).unwrap(), expected.join("\n"));
    let empty = export(ExportFormat::Json, &header, &[]).unwrap().file;
    let value: serde_json::Value = serde_json::from_slice(&empty).unwrap();
    assert_eq!((value["frames"].as_array().unwrap().len(), &value["frame_count"]), (0, &0.into()));
}

#[test]
fn a_small_cbor_sequence_is_the_header_and_the_frames_of_the_format() {
    let (header, frames) = small();
    let file = export(ExportFormat::CborSequence, &header, &frames).unwrap().file;
    // Spelt by its parts: the same bytes that the format gives a header and a frame.
    let parts: Vec<Vec<u8>> =
        std::iter::once(header.encode().unwrap()).chain(frames.iter().map(|f| f.parts().unwrap().encode())).collect();
    assert_eq!(file, parts.concat());
    let hex = hex::encode(&file);
    assert!(hex.starts_with("a7000101060aa200476120e280ae2062028141ff0baa"), "{hex}");
    assert!(hex.ends_with("a5000103010402054300ff0a0600"), "{hex}");
}

#[test]
fn a_small_messagepack_value() {
    let (header, frames) = small();
    let file = export(ExportFormat::MessagePack, &header, &frames[1..]).unwrap().file;
    let text = |t: &str| [&[0xa0 | u8::try_from(t.len()).unwrap()], t.as_bytes()].concat();
    let last = [
        text("frames"),
        vec![0x91, 0x85],
        text("seq"),
        vec![1],
        text("kind"),
        text("stderr"),
        text("direction"),
        text("internal"),
        text("payload"),
        vec![0xc4, 3, 0, 0xff, b'\n'],
        text("delimiter"),
        text("none"),
    ];
    assert!(file.ends_with(&last.concat()), "{}", hex::encode(&file));
    assert!(file.starts_with(&[vec![0x87], text("format"), text("immutape-tape"), text("version"), vec![1]].concat()));
}

#[test]
fn payloads_with_their_delimiters_are_what_cat_writes() {
    for name in TAPES {
        let (frames, header) = import(&data(&format!("{name}.jsonl")), ImportOptions::default()).unwrap();
        assert_eq!(export(ExportFormat::Raw, &header, &frames).unwrap().file, cat(&frames), "{name}");
    }
}

/// Readers of CBOR and MessagePack in a few lines, and the standard library's of JSON. Each prints, frame by frame, number,
/// direction, time and SHA-256 of the payload.
const STRANGER: &str = r#"
import base64, hashlib, json, struct, sys
def cbor(d, p):
    major, n = d[p] >> 5, d[p] & 31; p += 1
    if n >= 24:
        size = 1 << (n - 24); n = int.from_bytes(d[p:p + size], "big"); p += size
    if major == 0: return n, p
    if major == 1: return -1 - n, p
    if major == 2: return d[p:p + n], p + n
    if major == 3: return d[p:p + n].decode(), p + n
    items = []
    for _ in range(n * (2 if major == 5 else 1)):
        item, p = cbor(d, p); items.append(item)
    assert major in (4, 5)
    return (dict(zip(items[::2], items[1::2])) if major == 5 else items), p
def pack(d, p):
    b = d[p]; p += 1
    def num(fmt): return struct.unpack_from(">" + fmt, d, p)[0], p + struct.calcsize(fmt)
    def many(n, p):
        out = []
        for _ in range(n):
            item, p = pack(d, p); out.append(item)
        return out, p
    def pairs(n, p):
        out, p = many(2 * n, p); return dict(zip(out[::2], out[1::2])), p
    if b < 0x80: return b, p
    if b < 0x90: return pairs(b & 15, p)
    if b < 0xa0: return many(b & 15, p)
    if b < 0xc0: return d[p:p + (b & 31)].decode(), p + (b & 31)
    if b >= 0xe0: return b - 256, p
    if 0xcc <= b <= 0xd3: return num("BHIQbhiq"[b - 0xcc])
    n, p = num({0xc4: "B", 0xc5: "H", 0xc6: "I", 0xd9: "B", 0xda: "H", 0xdb: "I", 0xdc: "H", 0xdd: "I", 0xde: "H", 0xdf: "I"}[b])
    if b < 0xc7: return d[p:p + n], p + n
    if b < 0xdc: return d[p:p + n].decode(), p + n
    return many(n, p) if b < 0xde else pairs(n, p)
def given(v): return base64.b64decode(v["b64"]) if isinstance(v, dict) else v.encode() if isinstance(v, str) else v
DIRS = ["client_to_server", "server_to_client", "internal", "unknown"]
form, path = sys.argv[1:]
data = open(path, "rb").read()
if form == "cbor":
    header, at = cbor(data, 0)
    frames = []
    while at < len(data):
        frame, at = cbor(data, at); frames.append(frame)
    rows = [(f[0], DIRS[f[4]], f.get(1), f[5]) for f in frames]
    kind = ["mcp", "http", "terminal", "fix", "hl7", "file", "other"][header[1]]
else:
    if form == "json": tape = json.loads(data)
    else:
        tape, at = pack(data, 0)
        assert at == len(data)
    assert tape["format"] == "immutape-tape" and tape["version"] == 1 and tape["frame_count"] == len(tape["frames"])
    rows = [(f["seq"], f["direction"], f.get("t_ns"), given(f["payload"])) for f in tape["frames"]]
    kind = tape["header"]["kind"]
print(kind)
for seq, direction, t, payload in rows: print(seq, direction, t, hashlib.sha256(payload).hexdigest())
"#;

fn expected(header: &Header, frames: &[Frame]) -> String {
    let mut out = format!("{}\n", header.kind.word());
    for f in frames {
        let t = f.t_ns.map_or_else(|| "None".to_owned(), |t| t.to_string());
        out += &format!("{} {} {t} {}\n", f.seq, f.direction.word(), hex::encode(sha256(&f.payload)));
    }
    out
}

const FORMS: [(&str, ExportFormat); 3] =
    [("json", ExportFormat::Json), ("cbor", ExportFormat::CborSequence), ("msgpack", ExportFormat::MessagePack)];

#[test]
fn a_stranger_reads_every_form() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("no python3 here: no stranger has read the forms");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut tapes: Vec<(Header, Vec<Frame>)> = ["everything-http", "filesystem-payments"]
        .iter()
        .map(|name| import(&data(&format!("{name}.jsonl")), ImportOptions::default()).unwrap())
        .map(|(frames, header)| (header, frames))
        .collect();
    tapes.push(small());
    let long = Frame::message(2, Direction::Unknown, vec![0; FRAME_PAYLOAD_BYTES_MAX]);
    tapes[2].1.push(Frame { t_ns: Some(u64::MAX), ..long });
    for (header, frames) in &tapes {
        for (form, format) in FORMS {
            let path = folder.path().join(form);
            std::fs::write(&path, export(format, header, frames).unwrap().file).unwrap();
            let run = Command::new("python3").args(["-c", STRANGER, form]).arg(&path).output().unwrap();
            assert!(run.status.success(), "{form}: {}", String::from_utf8_lossy(&run.stderr));
            assert_eq!(String::from_utf8(run.stdout).unwrap(), expected(header, frames), "{form}");
        }
    }
}

/// Takes so many bytes and then has enough.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0 < bytes.len() {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_is_full_ends_every_form_wherever_it_happens() {
    let (header, frames) = small();
    for format in ExportFormat::ALL {
        let whole = export(format, &header, &frames).unwrap().file.len();
        for room in 0..=whole {
            let mut beside = Vec::new();
            let mut write = || -> Result<()> {
                let mut out = Full(room);
                let mut exporter = Exporter::begin(format, scope(&frames), &header, &mut out, Some(&mut beside))?;
                frames.iter().try_for_each(|f| exporter.frame(f))?;
                exporter.finish().map(|_| ())
            };
            assert_eq!(
                write().map_err(|e| e.code()),
                if room < whole { Err(Code::Io) } else { Ok(()) },
                "{format:?} {room}"
            );
        }
    }
}

#[test]
fn only_the_announced_frames_are_an_export() {
    let (header, frames) = small();
    for format in ExportFormat::ALL {
        let mut out = Vec::new();
        let mut exporter = Exporter::begin(format, scope(&frames), &header, &mut out, None).unwrap();
        assert_eq!(exporter.frame(&frames[1]).unwrap_err().code(), Code::Internal, "{format:?}");
        exporter.frame(&frames[0]).unwrap();
        assert_eq!(exporter.finish().unwrap_err().code(), Code::Internal, "{format:?}");
        let mut exporter = Exporter::begin(format, scope(&frames[..1]), &header, &mut out, None).unwrap();
        exporter.frame(&frames[0]).unwrap();
        assert_eq!(exporter.frame(&frames[1]).unwrap_err().code(), Code::Internal, "{format:?}");
    }
}

/// A JSON value with its bytes in base64 where MessagePack has a byte string.
fn same(json: &serde_json::Value, pack: &ciborium::Value) -> bool {
    use ciborium::Value as V;
    use serde_json::Value as J;
    match (json, pack) {
        (J::String(s), V::Text(t)) => s == t,
        (J::String(s), V::Bytes(b)) => s.as_bytes() == b || *s == hex::encode(b),
        (J::Object(map), V::Bytes(b)) => {
            use base64::Engine as _;
            map.len() == 1 && map["b64"] == base64::engine::general_purpose::STANDARD.encode(b)
        }
        (J::Number(n), V::Integer(i)) => n.to_string() == i128::from(*i).to_string(),
        (J::Array(a), V::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (J::Object(a), V::Map(b)) => {
            a.len() == b.len()
                && b.iter().all(|(k, v)| a.get(k.as_text().unwrap_or_default()).is_some_and(|json| same(json, v)))
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_named_forms_say_the_same_of_any_tape(header in arbitrary::header(), frame in arbitrary::frame()) {
        let frame = Frame { seq: 0, ..frame };
        let json = export(ExportFormat::Json, &header, std::slice::from_ref(&frame)).unwrap().file;
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let pack = export(ExportFormat::MessagePack, &header, std::slice::from_ref(&frame)).unwrap().file;
        let pack: ciborium::Value = rmp_serde::from_slice(&pack).unwrap();
        prop_assert!(same(&json, &pack), "{}\n{:?}", json, pack);
        prop_assert_eq!(&json["header"], &serde_json::to_value(HeaderShape::of(&header)).unwrap());
        prop_assert_eq!(&json["frames"][0], &serde_json::to_value(FrameShape::of(&frame)).unwrap());
    }
}

//! The frames of one exchange.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::document::place;
use super::super::json::{Members, pick, string, whole};
use super::order::Part;
use super::secrets::secret_headers;
use super::told::{HarTold, What};
use crate::tape::{Direction, Frame, FrameKind, flags};

/// Most bytes of an exchange's own fields in an envelope.
const FIELDS_BYTES_MAX: usize = 256 << 10;
/// Longest media type that is taken over.
const MEDIA_TYPE_BYTES_MAX: usize = 4_096;

/// Which frames of an exchange are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Position of the exchange in the source.
    pub(super) number: u64,
    /// Which part of it.
    pub(super) part: Part,
}

/// One exchange.
pub(super) struct Entry<'a> {
    /// Its JSON text.
    pub(super) text: &'a str,
    /// Wall clock of the start of the session.
    pub(super) started_wall_ns: Option<u64>,
}

impl Entry<'_> {
    /// The frames of one part, not numbered yet.
    pub(super) fn frames(
        &self,
        wanted: Wanted,
        (wall_ns, inferred): (Option<u64>, bool),
        told: &mut HarTold,
    ) -> Vec<Frame> {
        let Ok(mut m) = Members::parse(self.text) else { return Vec::new() };
        let mut frames = match wanted.part {
            Part::Request => side(m.peek("request").unwrap_or_default(), &REQUEST, wanted.number, told),
            Part::Response => side(m.peek("response").unwrap_or_default(), &RESPONSE, wanted.number, told),
            Part::Socket => socket(&mut m, wanted.number, told).into_iter().collect(),
        };
        for frame in &mut frames {
            frame.wall_ns = wall_ns;
            frame.t_ns = wall_ns.zip(self.started_wall_ns).and_then(|(wall, start)| wall.checked_sub(start));
            if inferred && wall_ns.is_some() {
                frame.flags |= flags::TIME_INFERRED;
            }
            frame.extra.insert(0, (b"har.entry".to_vec(), wanted.number.to_string().into_bytes()));
        }
        // What is said of the exchange as a whole stands with its beginning.
        let is_first = match wanted.part {
            Part::Request => true,
            Part::Socket => false,
            Part::Response => !m.peek("request").is_some_and(|request| request.starts_with('{')),
        };
        if is_first {
            ["request", "response", "_webSocketMessages"].iter().for_each(|part| _ = m.read_raw(part));
            let fields: Vec<_> =
                m.left().map(|(_, name, value)| (format!("har.{name}").into_bytes(), value.into())).collect();
            let bytes = fields
                .iter()
                .map(|(n, v): &(Vec<u8>, Vec<u8>)| n.len().saturating_add(v.len()))
                .fold(0, usize::saturating_add);
            match frames.first_mut() {
                Some(head) if bytes <= FIELDS_BYTES_MAX && fields.len() <= 256 => head.extra.extend(fields),
                _ => told.add(What::LongFields, wanted.number),
            }
        }
        frames
    }
}

/// Where the two sides of an exchange differ.
struct Side {
    direction: Direction,
    /// The member that describes the body.
    body: &'static str,
}

const REQUEST: Side = Side { direction: Direction::ClientToServer, body: "postData" };
const RESPONSE: Side = Side { direction: Direction::ServerToClient, body: "content" };

/// Head and body of one side.
fn side(text: &str, side: &Side, number: u64, told: &mut HarTold) -> Vec<Frame> {
    let Ok(m) = Members::parse(text) else {
        told.add(What::NoEntry, number);
        return Vec::new();
    };
    secret_headers(&m, |name| told.secret(name));
    let body = m.peek(side.body);
    let described = body.map(|body| pick(body, ["text", "encoding", "mimeType", "size", "params"]).unwrap_or_default());
    let [content, encoding, mime, size, params] = described.unwrap_or_default();
    let content = content.filter(|content| content.starts_with('"'));
    let mut head = Frame::message(0, side.direction, without(text, content));
    head.kind = FrameKind::HttpHead;
    head.media_type = Some(b"application/json".to_vec());
    let media_type = mime.and_then(string).map(|mime| mime.into_owned().into_bytes());
    let media_type = media_type.filter(|mime| !mime.is_empty() && mime.len() <= MEDIA_TYPE_BYTES_MAX);
    let mut frames = vec![head];
    if let Some(content) = content.filter(|content| *content != "\"\"") {
        if media_type.as_deref().is_some_and(|mime| mime.starts_with(b"text/event-stream")) {
            told.add(What::EventStream, number);
        }
        let is_base64 = encoding.and_then(string).as_deref() == Some("base64");
        let (payload, bits) = decode(content, is_base64, number, told);
        let mut frame = Frame::message(0, side.direction, payload);
        (frame.kind, frame.media_type, frame.flags) = (FrameKind::HttpBody, media_type, bits);
        frames.push(frame);
    } else if params.is_some_and(|params| !params.trim_matches(['[', ']', ' ', '\n', '\r', '\t']).is_empty()) {
        told.add(What::Parameters, number);
    } else if content.is_none() && size.and_then(whole).is_some_and(|size| size > 0) {
        told.add(What::BodyMissing, number);
    }
    frames
}

/// The object `text` without the text of its body: two quotes stand in its place.
fn without(text: &str, content: Option<&str>) -> Vec<u8> {
    let Some(content) = content else { return text.as_bytes().to_vec() };
    let hole = place(text, content);
    let (before, after) = (text.get(..hole.start).unwrap_or_default(), text.get(hole.end..).unwrap_or_default());
    [before, "\"\"", after].concat().into_bytes()
}

/// The bytes that a JSON string stands for, and the flags of the frame.
fn decode(text: &str, is_base64: bool, number: u64, told: &mut HarTold) -> (Vec<u8>, u64) {
    let Some(plain) = string(text) else {
        told.add(What::NoCharacters, number);
        return (text.as_bytes().to_vec(), 0);
    };
    if !is_base64 {
        return (plain.into_owned().into_bytes(), 0);
    }
    match STANDARD.decode(plain.as_bytes()) {
        Ok(bytes) => {
            let bits = if std::str::from_utf8(&bytes).is_ok() { 0 } else { flags::NOT_UTF8 };
            (bytes, bits)
        }
        Err(_) => {
            told.add(What::BadBase64, number);
            (plain.into_owned().into_bytes(), 0)
        }
    }
}

/// A WebSocket message: `type` send or receive, `opcode` 1 for text, otherwise base64.
fn socket(m: &mut Members<'_>, number: u64, told: &mut HarTold) -> Option<Frame> {
    let Some(data) = m.read("data", |data| data.starts_with('"').then_some(data)) else {
        told.add(What::NoSocketMessage, number);
        return None;
    };
    let direction = match m.peek("type").and_then(string).as_deref() {
        Some("send") => Direction::ClientToServer,
        Some("receive") => Direction::ServerToClient,
        _ => Direction::Unknown,
    };
    if direction != Direction::Unknown {
        m.read_raw("type");
    }
    let (payload, bits) = decode(data, m.peek("opcode").and_then(whole).is_some_and(|code| code != 1), number, told);
    let mut frame = Frame::message(0, direction, payload);
    frame.flags = bits;
    let left = m.left().filter(|(_, name, value)| name.len().saturating_add(value.len()) <= 4_096).take(32);
    frame.extra = left.map(|(_, name, value)| (format!("har.{name}").into_bytes(), value.into())).collect();
    Some(frame)
}

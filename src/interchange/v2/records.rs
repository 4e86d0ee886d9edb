//! One record of a version 2 tape, read out of its line.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::inflate::decompress;
use super::super::json::{Members, NotRead, pick, string, truth, whole};
use crate::codec::limits::{FRAME_ENVELOPE_BYTES_MAX, LINE_BYTES_MAX};
use crate::tape::{Direction, FLAGS};
use crate::time::{Timestamp, parse_rfc3339_ns};

/// What a record's `type` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordType {
    /// `init`, in older drafts `header`.
    Init,
    /// `frame`.
    Frame,
    /// `correlation`.
    Correlation,
    /// `checkpoint`, in older drafts `footer`.
    Checkpoint,
}

impl RecordType {
    /// Uses up the `type` of a record, in any case.
    pub(super) fn read(members: &mut Members<'_>) -> Option<Self> {
        members.read("type", |text| {
            Some(match string(text)?.to_ascii_lowercase().as_str() {
                "init" | "header" => Self::Init,
                "frame" => Self::Frame,
                "correlation" => Self::Correlation,
                "checkpoint" | "footer" => Self::Checkpoint,
                _ => return None,
            })
        })
    }
}

/// A direction in any of its spellings.
pub(super) fn direction(text: &str) -> Option<Direction> {
    let word: String = string(text)?.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect();
    Some(match word.to_ascii_lowercase().as_str() {
        "clienttoserver" => Direction::ClientToServer,
        "servertoclient" => Direction::ServerToClient,
        "internal" => Direction::Internal,
        "unknown" => Direction::Unknown,
        _ => return None,
    })
}

/// A moment, and whether its text can be made again from it.
pub(in super::super) fn moment(text: &str) -> Option<(u64, bool)> {
    let text = string(text)?;
    let ns = parse_rfc3339_ns(&text)?;
    Some((ns, Timestamp::from_ms(ns / 1_000_000).to_text() == text && ns.is_multiple_of(1_000_000)))
}

/// Why a frame record cannot become a frame. Its line is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum NoFrame {
    /// Neither `env` with a `message` nor `env_compressed`.
    NoMessage,
    /// Its `env_compressed` cannot be read.
    Compressed(&'static str),
    /// The fields beside the message are longer than an envelope may be.
    Envelope,
    /// More than a thousand fields that are not known.
    Fields,
}

impl NoFrame {
    /// Words to follow "the frame record of line N".
    pub(in super::super) fn words(self) -> String {
        match self {
            Self::NoMessage => "holds no message".into(),
            Self::Compressed(why) => format!("is compressed, and what it holds {why}"),
            Self::Envelope => "has more than a megabyte of fields beside its message".into(),
            Self::Fields => "has too many fields".into(),
        }
    }
}

/// What the reader of a frame record must know.
#[derive(Clone, Copy)]
pub(in super::super) struct Context<'a> {
    /// The number the frame will have in the tape.
    pub(in super::super) position: u64,
    /// The session named by the first record.
    pub(in super::super) session_id: Option<&'a [u8]>,
}

/// A frame record.
#[derive(Debug)]
pub(in super::super) struct FrameRecord<'a> {
    /// Its own number.
    pub(in super::super) seq: Option<u64>,
    /// Milliseconds since the start, as nanoseconds.
    pub(in super::super) t_ns: Option<u64>,
    /// Wall clock.
    pub(in super::super) wall_ns: Option<u64>,
    /// Which way.
    pub(in super::super) direction: Direction,
    /// The two places that name the direction contradict each other.
    pub(in super::super) directions_differ: bool,
    /// The message, byte for byte.
    pub(in super::super) message: Cow<'a, str>,
    /// It was stored compressed.
    pub(in super::super) compressed: bool,
    /// JSON text.
    pub(in super::super) action: Option<&'a str>,
    /// JSON text.
    pub(in super::super) transport: Option<&'a str>,
    /// Plain text.
    pub(in super::super) correlation_id: Option<Cow<'a, str>>,
    /// Bits as the record gives them.
    pub(in super::super) flags: u64,
    /// What has no place of its own, in source order.
    pub(in super::super) extra: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What the fields of a frame record are called. Of several names the first that is there counts.
pub(in super::super) struct Names {
    /// Its number.
    pub(in super::super) seq: &'static [&'static str],
    /// Which way.
    pub(in super::super) direction: &'static [&'static str],
    /// The message with what is said of it.
    pub(in super::super) envelope: &'static [&'static str],
    /// What an interceptor did.
    pub(in super::super) action: &'static [&'static str],
    /// How it was carried.
    pub(in super::super) transport: &'static [&'static str],
    /// Uses up the time: since the start, and by the wall clock.
    pub(in super::super) time: fn(&mut Members<'_>) -> (Option<u64>, Option<u64>),
    /// The message may stand in the record itself.
    pub(in super::super) bare_message: bool,
}

/// Those of version 2.
pub(super) const V2_NAMES: Names = Names {
    seq: &["seq"],
    direction: &["dir"],
    envelope: &["env"],
    action: &["action"],
    transport: &["transport"],
    time: |m| (m.read("ts", |t| whole(t)?.checked_mul(1_000_000)), None),
    bare_message: false,
};

/// Names and values for `extra`, by place in the record and place within `env` or `flags`.
type Extra = Vec<(usize, usize, Vec<u8>, Vec<u8>)>;

impl<'a> FrameRecord<'a> {
    /// Reads the record whose `type` is used up.
    pub(in super::super) fn read(mut m: Members<'a>, names: &Names, context: Context<'_>) -> Result<Self, NoFrame> {
        let mut extra = Extra::new();
        let own_direction = m.read(first_there(&m, names.direction), direction);
        let seq_name = first_there(&m, names.seq);
        let seq = m.read(seq_name, whole);
        if let Some(seq) = seq.filter(|s| *s != context.position) {
            extra.push((m.place(seq_name), 0, seq_name.into(), seq.to_string().into_bytes()));
        }
        let (t_ns, wall_ns) = (names.time)(&mut m);
        let mut record = Self {
            seq,
            t_ns,
            wall_ns,
            direction: Direction::Unknown,
            directions_differ: false,
            message: Cow::Borrowed(""),
            compressed: false,
            action: m.read_raw(first_there(&m, names.action)),
            transport: m.read_raw(first_there(&m, names.transport)),
            correlation_id: m.read_string("correlation_id"),
            flags: 0,
            extra: Vec::new(),
        };
        let env_name = first_there(&m, names.envelope);
        let env_place = m.place(env_name);
        match m.read(env_name, |env| Envelope::borrowed(env, own_direction, context.session_id)) {
            Some(env) => record.take_envelope(env, env_name, env_place, &mut extra),
            None if names.bare_message && m.peek("message").is_some() => {
                record.message = Cow::Borrowed(m.peek("message").unwrap_or_default());
                m.read_raw("message");
            }
            None => {
                let text = m.read("env_compressed", string).ok_or(NoFrame::NoMessage)?;
                let place = m.place("env_compressed");
                let env = Envelope::decompressed(&text, own_direction, context.session_id)?;
                record.compressed = true;
                record.take_envelope(env, env_name, place, &mut extra);
            }
        }
        record.direction = own_direction.unwrap_or(record.direction);
        let flags_place = m.place("flags");
        record.flags = m.read("flags", |text| read_flags(text, flags_place, &mut extra)).unwrap_or(0);
        extra.extend(m.left().map(|(place, name, value)| (place, 0, name.into(), value.into())));
        extra.sort_by_key(|(place, within, _, _)| (*place, *within));
        record.extra = extra.into_iter().map(|(_, _, name, value)| (name, value)).collect();
        record.check_size()?;
        Ok(record)
    }

    fn take_envelope(&mut self, env: Envelope<'a>, env_name: &str, place: usize, extra: &mut Extra) {
        self.message = env.message;
        self.wall_ns = env.wall_ns.or(self.wall_ns);
        self.direction = env.direction.unwrap_or(Direction::Unknown);
        self.directions_differ = env.direction_differs;
        extra.extend(
            env.left
                .into_iter()
                .map(|(within, name, value)| (place, within, [env_name.as_bytes(), b".", &name].concat(), value)),
        );
    }

    /// An envelope that would not encode is found here, not when the chunk around it is sealed.
    fn check_size(&self) -> Result<(), NoFrame> {
        if self.extra.len() > 1_024 {
            return Err(NoFrame::Fields);
        }
        let fixed = [self.action, self.transport, self.correlation_id.as_deref()];
        let fixed: usize = fixed.iter().flatten().map(|t| t.len()).fold(0, usize::saturating_add);
        let extra = self
            .extra
            .iter()
            .map(|(n, v)| n.len().saturating_add(v.len()).saturating_add(16))
            .fold(0, usize::saturating_add);
        // A kilobyte is more than all heads, numbers and times together.
        let total = fixed.saturating_add(extra).saturating_add(1_024);
        if total > FRAME_ENVELOPE_BYTES_MAX { Err(NoFrame::Envelope) } else { Ok(()) }
    }
}

/// The first of `names` that `m` has; without any, the first.
fn first_there(m: &Members<'_>, names: &[&'static str]) -> &'static str {
    names.iter().find(|name| m.peek(name).is_some()).or(names.first()).copied().unwrap_or_default()
}

/// The `env` of a frame record.
struct Envelope<'a> {
    message: Cow<'a, str>,
    wall_ns: Option<u64>,
    direction: Option<Direction>,
    direction_differs: bool,
    left: Vec<(usize, Vec<u8>, Vec<u8>)>,
}

impl<'a> Envelope<'a> {
    fn borrowed(text: &'a str, dir: Option<Direction>, session_id: Option<&[u8]>) -> Option<Self> {
        let mut m = Members::parse(text).ok()?;
        // A message that is null is still what was recorded.
        let message = m.peek("message")?;
        m.read_raw("message");
        let mut left = Vec::new();
        let named = m.peek("direction").and_then(direction);
        let direction_differs = matches!((dir, named), (Some(a), Some(b)) if a != b);
        if !direction_differs {
            m.read("direction", direction);
        }
        let written = m.peek("timestamp");
        let wall = m.read("timestamp", moment);
        if let (Some((_, false)), Some(text)) = (wall, written) {
            left.push((m.place("timestamp"), "timestamp".to_owned(), text.to_owned()));
        }
        m.read("session_id", |text| (string(text).as_deref().map(str::as_bytes) == session_id).then_some(()));
        left.extend(m.left().map(|(place, name, value)| (place, name.to_owned(), value.to_owned())));
        // Place 0 of a field is the field itself, so what lies inside begins at 1.
        let left =
            left.into_iter().map(|(place, name, value)| (place.saturating_add(1), name.into(), value.into())).collect();
        Some(Self {
            message: Cow::Borrowed(message),
            wall_ns: wall.map(|(ns, _)| ns),
            direction: named,
            direction_differs,
            left,
        })
    }

    /// Drafts differ in what was compressed: the whole `env`, or the message alone.
    fn decompressed(text: &str, dir: Option<Direction>, session_id: Option<&[u8]>) -> Result<Self, NoFrame> {
        let packed = STANDARD.decode(text).map_err(|_| NoFrame::Compressed("is not base64"))?;
        let bytes = decompress(&packed, LINE_BYTES_MAX).map_err(|e| NoFrame::Compressed(e.words()))?;
        let inner = String::from_utf8(bytes).map_err(|_| NoFrame::Compressed("is not UTF-8"))?;
        match pick(&inner, ["jsonrpc", "message"]) {
            Ok([None, Some(_)]) => {
                let Envelope { message, wall_ns, direction, direction_differs, left } =
                    Envelope::borrowed(&inner, dir, session_id).ok_or(NoFrame::Compressed("has too many fields"))?;
                Ok(Self { message: Cow::Owned(message.into_owned()), wall_ns, direction, direction_differs, left })
            }
            Err(NotRead::CutOff | NotRead::NotJson) => Err(NoFrame::Compressed("is not JSON")),
            _ => Ok(Self {
                message: Cow::Owned(inner),
                wall_ns: None,
                direction: None,
                direction_differs: false,
                left: Vec::new(),
            }),
        }
    }
}

/// The flags that a record may give; those that we make ourselves while reading are not taken from it.
const FLAGS_GIVEN: usize = 8;

fn read_flags(text: &str, place: usize, extra: &mut Extra) -> Option<u64> {
    let mut m = Members::parse(text).ok()?;
    let mut bits = 0u64;
    for (bit, name) in FLAGS.iter().enumerate().take(FLAGS_GIVEN) {
        if m.read(name, truth) == Some(true) {
            bits |= 1 << bit;
        }
    }
    extra.extend(m.left().map(|(within, name, value)| {
        (place, within.saturating_add(1), format!("flags.{name}").into_bytes(), value.into())
    }));
    Some(bits)
}

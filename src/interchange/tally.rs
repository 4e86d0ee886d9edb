//! Counts over a tape, made from the messages alone: what a source says of itself is compared, never believed.

use super::jsonrpc::{Class, classify};
use super::named::NamedCounts;
use super::pairing::{Pair, Pairing};
use crate::codec::limits::FRAME_PAYLOAD_BYTES_MAX;
use crate::tape::{Direction, Frame, FrameKind, Stats, flags};

/// Round trips seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RoundTrips {
    /// How many have both times.
    pub(super) count: u64,
    /// Sum in milliseconds.
    pub(super) sum_ms: u64,
    /// Shortest.
    pub(super) min_ms: u64,
    /// Longest.
    pub(super) max_ms: u64,
}

/// What one payload turned out to be.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Flags that its messages would carry.
    pub(super) flags: u64,
    /// It is JSON.
    pub(super) json: bool,
    /// Pairs that its answers closed.
    pub(super) pairs: Vec<Pair>,
    /// Messages in it: one, or the elements of a batch.
    pub(super) messages: u64,
    /// The last version of the protocol that it names.
    pub(super) version: Option<String>,
}

/// Counts as frames pass by.
#[derive(Default)]
pub(super) struct Tally {
    /// The counts so far.
    pub(super) stats: Stats,
    /// Round trips so far.
    pub(super) round_trips: RoundTrips,
    /// First version agreed in an answer.
    agreed: Option<Vec<u8>>,
    /// First version named in a request.
    asked: Option<Vec<u8>>,
    /// Some message is of the Model Context Protocol.
    pub(super) mcp: bool,
    pub(super) named: NamedCounts,
    pairing: Pairing,
    /// Whose last frame goes on in the next.
    going_on: Vec<(Direction, FrameKind)>,
    longest_t_ns: Option<u64>,
    latest_wall_ns: Option<u64>,
}

impl Tally {
    /// Waits for the answers to so many requests, at most.
    pub(super) fn bounded(open_max: usize) -> Self {
        Self { pairing: Pairing::bounded(open_max), ..Self::default() }
    }

    /// Counts a frame whose payload is `text` (`None`: not UTF-8); `seq` is its number in the source.
    pub(super) fn frame(&mut self, frame: &Frame, text: Option<&str>, seq: u64) -> Seen {
        let s = &mut self.stats;
        // A payload that is too long for one frame becomes several.
        let frames = frame.payload.len().div_ceil(FRAME_PAYLOAD_BYTES_MAX).max(1) as u64;
        add(&mut s.frames, frames);
        add(&mut s.payload_bytes, frame.payload.len() as u64);
        match frame.direction {
            Direction::ClientToServer => add(&mut s.client_to_server, frames),
            Direction::ServerToClient => add(&mut s.server_to_client, frames),
            _ => {}
        }
        self.longest_t_ns = self.longest_t_ns.max(frame.t_ns);
        self.latest_wall_ns = self.latest_wall_ns.max(frame.wall_ns);
        self.stats.duration_ms = self.longest_t_ns.map(ms);
        let text = text.filter(|_| self.is_whole(frame));
        text.map(|t| self.messages(t, frame.direction, seq, frame.t_ns.map(ms))).unwrap_or_default()
    }

    /// Can there be a message in this frame? What people and the recorder say is none, whatever it looks like, and neither is
    /// a part of one.
    fn is_whole(&mut self, frame: &Frame) -> bool {
        let way = (frame.direction, frame.kind);
        let before = self.going_on.len();
        self.going_on.retain(|of| *of != way);
        let is_rest = self.going_on.len() < before;
        if frame.has(flags::CONTINUED) {
            self.going_on.push(way);
        }
        matches!(frame.kind, FrameKind::Message | FrameKind::HttpBody) && !is_rest && !frame.has(flags::CONTINUED)
    }

    fn messages(&mut self, text: &str, direction: Direction, seq: u64, t_ms: Option<u64>) -> Seen {
        let mut seen = Seen::default();
        let (mut all, mut notifications) = (0u64, 0u64);
        let json = classify(text, |m| {
            add(&mut all, 1);
            if m.is_error {
                add(&mut self.stats.errors, 1);
                seen.flags |= flags::IS_ERROR;
            }
            self.mcp |= m.mcp;
            m.method.iter().for_each(|name| self.named.method(name));
            m.tool.iter().for_each(|name| self.named.tool(name));
            m.error_code.iter().for_each(|code| self.named.error(*code));
            let slot = if m.class == Class::Response { &mut self.agreed } else { &mut self.asked };
            if let Some(version) = m.version {
                slot.get_or_insert_with(|| version.as_bytes().to_vec());
                seen.version = Some(version.into_owned());
            }
            match m.class {
                Class::Request => {
                    add(&mut self.stats.requests, 1);
                    seen.flags |= flags::REQUIRES_RESPONSE;
                    if self.pairing.request(direction, m.id.unwrap_or("null"), seq, t_ms) {
                        seen.flags |= flags::DUPLICATE_ID;
                    }
                }
                Class::Notification => {
                    add(&mut self.stats.notifications, 1);
                    add(&mut notifications, 1);
                }
                Class::Response => {
                    add(&mut self.stats.responses, 1);
                    let id = m.id.unwrap_or("null");
                    if let Some(mut pair) = self.pairing.response(direction, id, seq, t_ms, m.protocol_error) {
                        pair.element = all.saturating_sub(1);
                        add(&mut self.stats.correlations, 1);
                        self.round_trips.add(&pair);
                        seen.pairs.push(pair);
                    }
                }
                Class::Other => {}
            }
        });
        seen.json = json.is_ok();
        seen.messages = all;
        if all > 0 && notifications == all {
            seen.flags |= flags::IS_NOTIFICATION;
        }
        // A request has at most one answer, so what was not joined was not answered.
        self.stats.unanswered = self.stats.requests.saturating_sub(self.stats.correlations);
        seen
    }

    /// The version of the Model Context Protocol: agreed, or else asked for.
    pub(super) fn protocol(&self) -> Option<Vec<u8>> {
        self.agreed.clone().or_else(|| self.asked.clone())
    }

    /// Nanoseconds from the start of the session to the last frame.
    pub(super) const fn span_ns(&self) -> Option<u64> {
        self.longest_t_ns
    }

    /// The latest wall clock of any frame.
    pub(super) const fn latest_wall_ns(&self) -> Option<u64> {
        self.latest_wall_ns
    }

    /// Requests that nobody answered so far.
    pub(super) fn waiting(&self) -> Vec<u64> {
        self.pairing.waiting()
    }

    /// Requests no longer waited for, because too many were open.
    pub(super) const fn given_up(&self) -> u64 {
        self.pairing.given_up()
    }
}

impl RoundTrips {
    fn add(&mut self, pair: &Pair) {
        let Some(rtt) = pair.rtt_ms() else { return };
        self.min_ms = if self.count == 0 { rtt } else { self.min_ms.min(rtt) };
        self.max_ms = self.max_ms.max(rtt);
        add(&mut self.count, 1);
        add(&mut self.sum_ms, rtt);
    }
}

fn add(count: &mut u64, n: u64) {
    *count = count.saturating_add(n);
}

/// Whole milliseconds of nanoseconds.
pub(super) const fn ms(ns: u64) -> u64 {
    ns / 1_000_000
}

//! Requests and their answers as somebody reads a session: which frame answers which, after how long, and what stayed open.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{frames, words};
use crate::interchange::{FrameCounts, FramePair};
use crate::tape::{Frame, flags};

/// Open requests whose words are kept for the end; of more, the numbers alone are.
const WORDS_KEPT: usize = 1_000;
/// Characters of such words.
const WORDS_CHARS: usize = 200;
/// Answers of one frame that are named.
const NAMED_MAX: usize = 5;

/// Joins frames as they pass by, each given once and in order. What it holds does not grow with the session.
#[derive(Default)]
pub(super) struct Joiner {
    counts: FrameCounts,
    version: Option<String>,
    asked: BTreeMap<u64, String>,
}

/// What a frame has to do with those before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Joined {
    /// Requests that it answers.
    pub pairs: Vec<FramePair>,
    /// Messages in it.
    pub messages: u64,
    /// The version of the protocol that it names.
    pub version: Option<String>,
    /// It is another than the one that was named before.
    pub is_new_version: bool,
}

/// What nobody answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unanswered {
    /// Frames of the requests; of a batch once for each.
    pub seqs: Vec<u64>,
    /// More of them, so many that they were not remembered.
    pub given_up: u64,
    /// Words of the first of them.
    words: BTreeMap<u64, String>,
}

impl Joiner {
    /// Takes the next frame.
    pub(super) fn take(&mut self, frame: &Frame) -> Joined {
        let mut counted = frame.clone();
        // Whether it asks is found here, whatever the source said; that it is a part of a message only the frame can say.
        counted.flags &= flags::CONTINUED;
        let seen = self.counts.frame_seen(&mut counted);
        let is_new_version = seen.version.is_some() && seen.version != self.version;
        if is_new_version {
            self.version.clone_from(&seen.version);
        }
        for pair in &seen.pairs {
            self.asked.remove(&pair.request_seq);
        }
        if counted.has(flags::REQUIRES_RESPONSE) && self.asked.len() < WORDS_KEPT {
            self.asked.insert(frame.seq, frames::line(frame, false).chars().take(WORDS_CHARS).collect());
        }
        Joined { pairs: seen.pairs, messages: seen.messages, version: seen.version, is_new_version }
    }

    /// What is open now that no more frames come.
    pub(super) fn unanswered(self) -> Unanswered {
        Unanswered { seqs: self.counts.unanswered(), given_up: self.counts.given_up(), words: self.asked }
    }
}

impl Joined {
    /// `answers #19 after 1 ms`; of one element of a batch, or of all that the frame answers.
    pub(super) fn answers(&self, element: Option<u64>) -> Option<String> {
        let of_it: Vec<&FramePair> =
            self.pairs.iter().filter(|pair| element.is_none_or(|element| pair.element == element)).collect();
        let named: Vec<String> = of_it.iter().take(NAMED_MAX).map(|pair| answer(pair)).collect();
        let more = of_it.len().saturating_sub(NAMED_MAX);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        (!named.is_empty()).then(|| format!("answers {}{more}", named.join(", ")))
    }

    /// What stands behind a frame's line, in brackets; nothing where there is nothing to say.
    pub(super) fn tail(&self, with_answers: bool) -> String {
        let answers = self.answers(None).filter(|_| with_answers);
        let version = self.version.as_ref().filter(|_| self.is_new_version);
        let version = version.map(|v| format!("protocol {}", crate::codec::escape::visible_short(v.as_bytes(), 40)));
        let said: Vec<String> = [answers, version].into_iter().flatten().collect();
        if said.is_empty() { String::new() } else { format!("  [{}]", said.join(", ")) }
    }

    /// Puts the same into the document of the frame.
    pub(super) fn document(&self, frame: &mut Value) {
        let Some(map) = frame.as_object_mut() else { return };
        if !self.pairs.is_empty() {
            let answers: Vec<u64> = self.pairs.iter().map(|pair| pair.request_seq).collect();
            let after: Vec<Option<u64>> = self.pairs.iter().map(FramePair::rtt_ms).collect();
            map.insert("answers".into(), json!(answers));
            map.insert("answered_after_ms".into(), json!(after));
        }
        if let Some(version) = &self.version {
            map.insert("protocol".into(), super::json::text(version.as_bytes()));
        }
    }
}

fn answer(pair: &FramePair) -> String {
    match pair.rtt_ms() {
        Some(ms) => format!("#{} after {ms} ms", pair.request_seq),
        None => format!("#{}", pair.request_seq),
    }
}

impl Unanswered {
    /// Lines for people; `is_part` when frames before or behind were left out, in which the answers may stand.
    pub(super) fn lines(&self, is_part: bool) -> Vec<String> {
        let count = (self.seqs.len() as u64).saturating_add(self.given_up);
        if count == 0 {
            return Vec::new();
        }
        let requests = words::count(count, "request");
        let head = match (is_part, count) {
            (false, _) => format!("Nobody answered {requests}:"),
            (true, 1) => format!("{requests} has no answer among these frames:"),
            (true, _) => format!("{requests} have no answer among these frames:"),
        };
        let mut lines = vec![head];
        let shown = self.seqs.iter().take(WORDS_KEPT);
        lines.extend(
            shown.map(|seq| self.words.get(seq).map_or_else(|| format!("  #{seq}"), |words| format!("  {words}"))),
        );
        let more = count.saturating_sub(lines.len().saturating_sub(1) as u64);
        if more > 0 {
            lines.push(format!("  and {more} more"));
        }
        lines
    }

    /// The document behind the frames.
    pub(super) fn document(&self) -> Value {
        let count = (self.seqs.len() as u64).saturating_add(self.given_up);
        json!({ "type": "unanswered", "requests": count, "seqs": self.seqs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Direction::{ClientToServer as Up, ServerToClient as Down};

    fn frame(seq: u64, direction: crate::tape::Direction, ms: u64, text: &str) -> Frame {
        let mut frame = Frame::message(seq, direction, text.as_bytes().to_vec());
        frame.t_ns = Some(ms.saturating_mul(1_000_000));
        frame
    }

    #[test]
    fn answers_name_what_they_answer_in_both_directions() {
        let mut joiner = Joiner::default();
        assert_eq!(joiner.take(&frame(0, Up, 1, r#"{"id":1,"method":"a"}"#)).tail(true), "");
        assert_eq!(joiner.take(&frame(1, Down, 2, r#"{"id":1,"method":"roots/list"}"#)).tail(true), "");
        assert_eq!(joiner.take(&frame(2, Up, 5, r#"{"id":1,"result":{}}"#)).tail(true), "  [answers #1 after 3 ms]");
        let hello = joiner.take(&frame(3, Down, 9, r#"{"id":1,"result":{"protocolVersion":"2025-11-25"}}"#));
        assert_eq!(hello.tail(true), "  [answers #0 after 8 ms, protocol 2025-11-25]");
        let again = joiner.take(&frame(4, Down, 9, r#"{"id":7,"result":{"protocolVersion":"2025-11-25"}}"#));
        assert_eq!((again.tail(true), again.version.as_deref()), (String::new(), Some("2025-11-25")));
        let meta =
            r#"{"id":2,"method":"a","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        assert_eq!(joiner.take(&frame(5, Up, 9, meta)).tail(true), "  [protocol 2026-07-28]");
        let open = joiner.unanswered();
        assert_eq!(open.seqs, [5]);
        assert_eq!(open.lines(false)[..1], ["Nobody answered 1 request:"]);
        assert!(open.lines(true)[0].starts_with("1 request has no answer among"));
    }

    #[test]
    fn each_element_of_a_batch_answers_for_itself() {
        let mut joiner = Joiner::default();
        joiner.take(&frame(
            0,
            Up,
            0,
            r#"[{"id":1,"method":"a"},{"method":"n"},{"id":2,"method":"b"},{"id":3,"method":"c"}]"#,
        ));
        let answers = joiner.take(&frame(1, Down, 4, r#"[{"id":2,"error":{}},7,{"id":1,"result":{}}]"#));
        assert_eq!(answers.messages, 3);
        assert_eq!(answers.answers(Some(0)).as_deref(), Some("answers #0 after 4 ms"));
        assert_eq!(answers.answers(Some(1)), None);
        assert!(answers.pairs[0].is_error && !answers.pairs[1].is_error);
        assert_eq!(joiner.unanswered().lines(false), ["Nobody answered 1 request:", "  #0"]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut joiner = Joiner::default();
        for n in 0..(WORDS_KEPT as u64 + 10) {
            joiner.take(&frame(n, Up, n, &format!(r#"{{"id":{n},"method":"{}"}}"#, "m".repeat(500))));
        }
        let open = joiner.unanswered();
        assert_eq!(open.seqs.len(), WORDS_KEPT + 10);
        let lines = open.lines(false);
        assert_eq!((lines.len(), lines.last().unwrap().as_str()), (WORDS_KEPT + 2, "  and 10 more"));
        assert!(lines.iter().all(|line| line.chars().count() <= WORDS_CHARS + 2));
    }
}

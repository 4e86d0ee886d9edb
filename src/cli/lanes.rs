//! A session as two people talk: the client left and the server right, where the screen is wide enough for that; else one
//! beneath the other, with arrows. An answer names its request.

use super::frames;
use super::joined::{Joined, Joiner, Unanswered};
use super::out::Out;
use super::terminal::{Look, Paint, columns_of, cut};
use crate::tape::{Direction, Frame, flags};

/// Two lanes need so many columns.
const LANES_MIN: usize = 100;
/// Between the lanes.
const BAR: &str = " | ";
/// What a frame says has at least so many columns beside what it answers; else that stands beneath.
const TEXT_MIN: usize = 40;
/// Columns of a line where nothing says how many there are.
const COLUMNS: usize = 240;
/// Elements of a batch that get a line each.
const ELEMENTS_MAX: usize = 50;

/// Prints frames joined.
pub(super) struct Lanes {
    joiner: Joiner,
    /// Columns of one lane, where there are two.
    lane: Option<usize>,
    columns: usize,
}

impl Lanes {
    /// For a screen; `may_part` lets it have two lanes.
    pub(super) fn new(look: Look, may_part: bool) -> Self {
        let part = look.columns.filter(|columns| may_part && *columns >= LANES_MIN);
        let lane = part.map(|columns| columns.saturating_sub(BAR.len()).wrapping_div(2));
        Self { joiner: Joiner::default(), lane, columns: look.columns.unwrap_or(COLUMNS) }
    }

    /// Joins the next frame with those before it.
    pub(super) fn join(&mut self, frame: &Frame) -> Joined {
        self.joiner.take(frame)
    }

    /// Who stands where.
    pub(super) fn head(&self, out: &mut Out) {
        if let Some(lane) = self.lane {
            out.line(&format!("{:<lane$}{BAR}server", "client"));
        }
    }

    /// Prints a frame, and of a batch its elements.
    pub(super) fn print(&self, out: &mut Out, frame: &Frame, joined: &Joined) {
        let elements = frames::elements(frame, ELEMENTS_MAX).unwrap_or_default();
        let is_error = frame.has(flags::IS_ERROR);
        let line = if self.lane_of(frame).is_some() { frames::unaimed(frame) } else { frames::line(frame, false) };
        self.put(out, frame, (&line, &joined.tail(elements.is_empty())), is_error);
        for (n, words) in elements.iter().enumerate() {
            let n = n as u64;
            let tail = joined.answers(Some(n)).map_or_else(String::new, |answers| format!("  [{answers}]"));
            let number = n.saturating_add(1);
            self.put(
                out,
                frame,
                (&format!("  {number}/{} {words}", joined.messages), &tail),
                words.starts_with("error"),
            );
        }
        let shown = elements.len() as u64;
        if shown > 0 && joined.messages > shown {
            let more = format!("  and {} more", joined.messages.saturating_sub(shown));
            self.put(out, frame, (&more, ""), false);
        }
    }

    /// What stayed open.
    pub(super) fn finish(self, out: &mut Out, is_part: bool) -> Unanswered {
        let open = self.joiner.unanswered();
        if !out.json {
            open.lines(is_part).iter().for_each(|line| out.line(&cut(line, self.columns)));
        }
        open
    }

    /// Which lane a frame stands in: 0 the client's, 1 the server's.
    fn lane_of(&self, frame: &Frame) -> Option<(usize, usize)> {
        let lane = self.lane?;
        match frame.direction {
            Direction::ClientToServer => Some((0, lane)),
            Direction::ServerToClient => Some((1, lane)),
            // What is neither's stands across.
            Direction::Internal | Direction::Unknown => None,
        }
    }

    fn put(&self, out: &mut Out, frame: &Frame, (text, tail): (&str, &str), is_error: bool) {
        let place = self.lane_of(frame);
        let width = place.map_or(self.columns, |(_, lane)| lane);
        for line in fit(text, tail, width) {
            let shown = if is_error { out.look.paint(Paint::Bad, &line) } else { line.clone() };
            match place {
                None => out.line(&shown),
                Some((0, lane)) => {
                    let room = " ".repeat(lane.saturating_sub(columns_of(&line)));
                    out.line(format!("{shown}{room}{BAR}").trim_end());
                }
                Some((_, lane)) => out.line(&format!("{}{BAR}{shown}", " ".repeat(lane))),
            }
        }
    }
}

/// One line, or two where one has no room for both.
fn fit(text: &str, tail: &str, columns: usize) -> Vec<String> {
    let wanted = columns_of(tail);
    let whole = columns_of(text).saturating_add(wanted);
    if whole <= columns {
        return vec![format!("{text}{tail}")];
    }
    let room = columns.saturating_sub(wanted);
    if tail.is_empty() || room >= TEXT_MIN {
        return vec![format!("{}{tail}", cut(text, room))];
    }
    vec![cut(text, columns), cut(&format!("  {tail}"), columns)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_is_never_cut_away_for_the_words_of_the_answer() {
        let tail = "  [answers #19 after 1 ms]";
        assert_eq!(fit("#20 +1ms <- x", tail, 80), ["#20 +1ms <- x  [answers #19 after 1 ms]"]);
        let long = format!("#20 +1ms <- {}", "x".repeat(200));
        let [one] = &fit(&long, tail, 80)[..] else { panic!() };
        assert!(columns_of(one) == 80 && one.ends_with("…  [answers #19 after 1 ms]"), "{one}");
        let [first, second] = &fit(&long, tail, 40)[..] else { panic!() };
        assert!(columns_of(first) == 40 && first.ends_with('…'), "{first}");
        assert_eq!(second, "    [answers #19 after 1 ms]");
        assert_eq!(fit(&long, "", 20), ["#20 +1ms <- xxxxxxx…"]);
    }
}

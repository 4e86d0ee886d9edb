//! How far long work has come: a line on standard error, where a person looks at it, once it has taken a second.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::out::Out;
use super::surroundings::variable;
use crate::ledger::{Event, Observer};

/// Work that is done by then shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How amounts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    Things,
}

/// The line. Nothing is drawn unless it was allowed, and not before a second has gone.
pub(super) struct Progress {
    started: Instant,
    is_allowed: bool,
    shown: Mutex<Option<Shown>>,
}

struct Shown {
    bar: ProgressBar,
    unit: Unit,
    /// What the bar is of just now, and how far it has come, of 1,000.
    part: &'static str,
    share: u64,
}

impl Progress {
    /// Where `out` has words for a person at a terminal that obeys.
    pub(super) fn of(out: &Out) -> Arc<Self> {
        let is_plain = variable("NO_COLOR").is_some() || variable("TERM").is_none_or(|term| term == "dumb");
        let is_allowed = out.is_standard && !out.quiet && !out.json && !is_plain && std::io::stderr().is_terminal();
        Arc::new(Self { started: Instant::now(), is_allowed, shown: Mutex::default() })
    }

    /// So much of `part` is done; `total` 0 where nobody knows.
    pub(super) fn set(&self, part: &'static str, unit: Unit, done: u64, total: u64) {
        if !self.is_allowed || self.started.elapsed() < PATIENCE {
            return;
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = shown.get_or_insert_with(|| Shown::begin(ProgressDrawTarget::stderr()));
        shown.set(part, unit, done, total);
    }

    /// Takes the line away, before anything else is said.
    pub(super) fn clear(&self) {
        if let Some(shown) = self.shown.lock().unwrap_or_else(PoisonError::into_inner).take() {
            shown.bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Shown {
    fn begin(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        let this = Self { bar, unit: Unit::Bytes, part: "", share: 1_000 };
        this.bar.set_style(style(Unit::Bytes, false));
        this
    }

    /// Of several parts that go on at once the one that is furthest behind is shown.
    fn set(&mut self, part: &'static str, unit: Unit, done: u64, total: u64) {
        let share = share(done, total);
        if self.part != part && self.share < share && self.share < 1_000 {
            return;
        }
        if (self.part, self.unit) != (part, unit) {
            (self.part, self.unit) = (part, unit);
            self.bar.set_style(style(unit, total > 0));
            self.bar.set_message(part);
            self.bar.reset_eta();
        }
        self.share = share;
        if total > 0 {
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
    }
}

/// How far, of 1,000.
fn share(done: u64, total: u64) -> u64 {
    let share = u128::from(done).saturating_mul(1_000).checked_div(u128::from(total)).unwrap_or(0);
    u64::try_from(share).unwrap_or(1_000).min(1_000)
}

fn style(unit: Unit, has_end: bool) -> ProgressStyle {
    let template = match (unit, has_end) {
        (Unit::Bytes, true) => "{msg} {percent}% [{wide_bar}] {bytes_per_sec} {eta}",
        (Unit::Bytes, false) => "{msg} {bytes} {bytes_per_sec}",
        (Unit::Things, true) => "{msg} {percent}% [{wide_bar}] {human_pos} of {human_len} {eta}",
        (Unit::Things, false) => "{msg} {human_pos}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

/// A check tells how far it is through the ledger's observer.
impl Observer for Progress {
    fn event(&self, event: Event) {
        if let Event::Checking { part, done, total, is_bytes } = event {
            self.set(part, if is_bytes { Unit::Bytes } else { Unit::Things }, done, total);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use indicatif::TermLike;

    use super::*;

    /// A terminal 40 columns wide that keeps what is written to it.
    #[derive(Debug, Clone, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            40
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.write_str("<clear>")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown() -> (Shown, Paper) {
        let paper = Paper::default();
        (Shown::begin(ProgressDrawTarget::term_like(Box::new(paper.clone()))), paper)
    }

    #[test]
    fn the_part_that_is_furthest_behind_is_shown() {
        let (mut shown, _) = shown();
        shown.set("entries", Unit::Things, 10, 100);
        shown.set("objects", Unit::Bytes, 90, 100);
        assert_eq!((shown.part, shown.share), ("entries", 100));
        shown.set("entries", Unit::Things, 95, 100);
        shown.set("objects", Unit::Bytes, 91, 100);
        assert_eq!((shown.part, shown.share), ("objects", 910));
        shown.set("objects", Unit::Bytes, 100, 100);
        shown.set("tapes", Unit::Things, 1, 7);
        assert_eq!((shown.part, shown.bar.length(), shown.bar.position()), ("tapes", Some(7), 1));
    }

    #[test]
    fn the_line_fits_and_goes_away() {
        let (mut shown, paper) = shown();
        shown.set("recording.jsonl", Unit::Bytes, 512 << 20, 1 << 30);
        shown.bar.tick();
        shown.bar.finish_and_clear();
        let text = paper.0.lock().unwrap().clone();
        let lines: Vec<&str> = text.split("<clear>").filter(|l| l.contains("recording")).collect();
        assert!(!lines.is_empty() && lines.iter().any(|l| l.contains("50%")), "{text:?}");
        assert!(lines.iter().all(|l| l.trim_end().chars().count() <= 40), "{text:?}");
        assert!(text.ends_with("<clear>") || text.trim_end().ends_with("<clear>"), "{text:?}");
    }

    #[test]
    fn nothing_is_drawn_where_nobody_looks() {
        let out = Out::new(Box::new(io::sink()), Box::new(io::sink()), crate::cli::terminal::Look::of_stdout());
        let progress = Progress::of(&out);
        progress.set("entries", Unit::Things, 1, 2);
        assert!(!progress.is_allowed && progress.shown.lock().unwrap().is_none());
        assert_eq!([share(0, 0), share(5, 10), share(20, 10), share(u64::MAX, u64::MAX)], [0, 500, 1_000, 1_000]);
    }
}

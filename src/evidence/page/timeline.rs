//! The custody of a tape as a picture: a lane for each sort of act, scaled by time. Places are per cent of the width, so the
//! picture fits any screen and any paper without a script.

use std::collections::BTreeSet;

use super::markup::Html;
use super::model::PageEntry;
use super::sort::{Sort, act};
use super::words;
use crate::time::Timestamp;

/// With more links than this, marks that would cover each other are drawn once.
const MARKS_MAX: usize = 4_096;
const TICKS: u64 = 6;
/// Between two ticks, milliseconds: what people count time in.
const STEPS: [u64; 23] = {
    let (s, m, h, d) = (1_000, 60_000, 3_600_000, 86_400_000);
    [
        s,
        2 * s,
        5 * s,
        10 * s,
        30 * s,
        m,
        2 * m,
        5 * m,
        10 * m,
        30 * m,
        h,
        3 * h,
        6 * h,
        12 * h,
        d,
        2 * d,
        7 * d,
        14 * d,
        30 * d,
        91 * d,
        182 * d,
        365 * d,
        3_650 * d,
    ]
};

/// From the first to the last link.
#[derive(Clone, Copy)]
struct Scale {
    from: u64,
    to: u64,
}

impl Scale {
    /// Ten-thousandths of the width; the middle where everything happened at once.
    fn place(self, ms: u64) -> u64 {
        let whole = u128::from(self.to.saturating_sub(self.from));
        let part = u128::from(ms.clamp(self.from, self.to).saturating_sub(self.from));
        let place = part.saturating_mul(10_000).checked_div(whole).unwrap_or(5_000);
        u64::try_from(place).unwrap_or(10_000)
    }

    fn step(self) -> Option<u64> {
        let span = self.to.saturating_sub(self.from);
        let fits = |step: &&u64| span.checked_div(**step).is_some_and(|n| n <= TICKS);
        STEPS.iter().find(fits).copied().filter(|step| *step <= span)
    }

    /// Where ticks stand, and what is written there.
    fn ticks(self) -> Vec<(u64, String)> {
        let Some(step) = self.step() else { return Vec::new() };
        let is_one_day = self.from / 86_400_000 == self.to / 86_400_000;
        let mut ticks = Vec::new();
        let mut at = self.from.div_ceil(step).saturating_mul(step);
        while at <= self.to && (ticks.len() as u64) <= TICKS {
            let text = words::moment(Timestamp::from_ms(at));
            let part = match step {
                86_400_000.. => text.get(..10),
                60_000.. if is_one_day => text.get(11..16),
                60_000.. => text.get(5..16),
                _ => text.get(11..19),
            };
            ticks.push((self.place(at), part.unwrap_or(&text).to_owned()));
            at = at.saturating_add(step);
        }
        ticks
    }
}

fn percent(place: u64) -> String {
    format!("{}.{:02}%", place / 100, place % 100)
}

/// Draws it. Each link is one mark, unless there are very many.
pub(super) fn timeline(html: &mut Html, links: &[&PageEntry], merged: bool) {
    let (Some(first), Some(last)) = (links.first(), links.last()) else { return };
    let scale = Scale { from: first.time.as_ms(), to: last.time.as_ms().max(first.time.as_ms()) };
    let ticks = scale.ticks();
    html.tag("<figure class=\"timeline\"><figcaption>From ");
    html.own(words::moment(first.time)).tag(" to ").own(words::moment(last.time)).tag(" UTC");
    html.own(format!(" ({}). ", words::length(scale.to.saturating_sub(scale.from))));
    let merged = merged || links.len() > MARKS_MAX;
    html.tag(if merged { "Links that would cover each other are one mark." } else { "Each mark is one link." });
    html.tag("</figcaption>");
    for sort in Sort::ALL {
        let of_sort: Vec<&PageEntry> = links.iter().filter(|entry| Sort::of(entry.kind) == sort).copied().collect();
        if !of_sort.is_empty() {
            lane(html, (sort, &of_sort), scale, &ticks, merged);
        }
    }
    axis(html, &ticks);
    html.tag("</figure>\n");
}

fn lane(html: &mut Html, (sort, links): (Sort, &[&PageEntry]), scale: Scale, ticks: &[(u64, String)], merged: bool) {
    html.tag("<div class=\"lane\"><span>").own(sort.words()).tag(" <b>").own(links.len()).tag("</b></span>");
    html.tag("<svg class=\"track ").own(sort.word()).tag("\" role=\"img\" aria-label=\"");
    html.own(format!("{}: {}", sort.words(), words::count(links.len() as u64, "link"))).tag("\">");
    html.tag("<line class=\"base\" x1=\"0%\" x2=\"100%\" y1=\"11\" y2=\"11\"/>");
    for (place, _) in ticks {
        let at = percent(*place);
        html.tag("<line class=\"grid\" y1=\"0\" y2=\"22\" x1=\"").own(&at).tag("\" x2=\"").own(&at).tag("\"/>");
    }
    let mut drawn = BTreeSet::new();
    for entry in links {
        let place = scale.place(entry.time.as_ms());
        // A mark is about a hundredth of the width: nearer ones hide each other.
        if merged && !drawn.insert(place / 50) {
            continue;
        }
        html.tag("<circle r=\"5\" cy=\"11\" cx=\"").own(percent(place)).tag("\"><title>");
        html.own(format!(
            "#{} {} UTC, {} ({})",
            entry.index,
            words::moment(entry.time),
            act(entry.kind),
            entry.kind.name()
        ));
        html.tag("</title></circle>");
    }
    html.tag("</svg></div>");
}

fn axis(html: &mut Html, ticks: &[(u64, String)]) {
    html.tag("<div class=\"lane axis\"><span></span><svg class=\"track\" aria-hidden=\"true\">");
    for (n, (place, text)) in ticks.iter().enumerate() {
        html.tag("<text y=\"12\" class=\"").own(if n % 2 == 1 { "odd " } else { "" });
        html.own(match place {
            0..600 => "start",
            600..9_400 => "middle",
            _ => "end",
        });
        html.tag("\" x=\"").own(percent(*place)).tag("\">").own(text).tag("</text>");
    }
    html.tag("</svg></div>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_scaled_by_time() {
        let scale = Scale { from: 1_000, to: 3_000 };
        assert_eq!([0, 1_000, 1_500, 3_000, u64::MAX].map(|ms| scale.place(ms)), [0, 0, 2_500, 10_000, 10_000]);
        assert_eq!(Scale { from: 7, to: 7 }.place(7), 5_000);
        assert_eq!(Scale { from: 0, to: u64::MAX }.place(u64::MAX), 10_000);
        assert_eq!(percent(2_505), "25.05%");
    }

    #[test]
    fn ticks_stand_at_whole_times() {
        let day = 86_400_000;
        let at = |from, to| Scale { from, to }.ticks();
        assert!(at(5, 5).is_empty() && at(5, 900).is_empty());
        let seconds: Vec<String> = at(500, 3_500).into_iter().map(|(_, text)| text).collect();
        assert_eq!(seconds, ["00:00:01", "00:00:02", "00:00:03"]);
        let hours: Vec<String> = at(1, 4 * 3_600_000).into_iter().map(|(_, text)| text).collect();
        assert_eq!(hours, ["01:00", "02:00", "03:00", "04:00"]);
        let days: Vec<String> = at(1, 4 * day).into_iter().map(|(_, text)| text).collect();
        assert_eq!(days, ["1970-01-02", "1970-01-03", "1970-01-04", "1970-01-05"]);
        for to in [day, 40 * day, 800 * day, 30_000 * day, u64::MAX] {
            assert!(at(0, to).len() <= 7, "{to}");
        }
    }
}

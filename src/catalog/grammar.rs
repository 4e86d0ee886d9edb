//! The words of a search: `key:value` conditions and plain text, as people type them.

use super::filter::{Filter, TapeState};
use crate::codec::limits::WORDS_BYTES_MAX;
use crate::time::{Timestamp, parse_rfc3339_ns};

/// Why a search cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// Longer than [`WORDS_BYTES_MAX`].
    #[error("a search has at most {WORDS_BYTES_MAX} bytes")]
    TooLong,
    /// A quotation mark that is never closed.
    #[error("a quotation mark is not closed")]
    OpenQuote,
    /// No such condition.
    #[error("no condition is called {word:?}; there are {KEYS}")]
    UnknownKey {
        /// What was typed before the colon.
        word: String,
    },
    /// A condition without its value.
    #[error("{key}: needs a value")]
    Empty {
        /// The condition.
        key: &'static str,
    },
    /// A condition that can be given once only.
    #[error("{key}: is there twice, and only one of them can be meant")]
    Twice {
        /// The condition.
        key: &'static str,
    },
    /// A value that the condition does not take.
    #[error("{key}: takes {takes}, not {value:?}")]
    Value {
        /// The condition.
        key: &'static str,
        /// What it takes.
        takes: &'static str,
        /// What was given.
        value: String,
    },
}

/// Every condition, for messages.
pub const KEYS: &str =
    "name: tag: namespace: class: kind: since: until: method: tool: error: errors: end: state: text:";

const MOMENT: &str = "a date (2026-11-20), a moment with its zone (2026-11-20T10:00:00Z), or an age (90m, 36h, 7d, 2w)";
const TO_COME: &str =
    "a day (2027-01-31) or moment (2027-01-31T10:00:00Z) that is to come, or how long from now (90m, 36h, 30d, 2w)";
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

impl Filter {
    /// Reads a search. `now` is what ages count back from. Dates without a time are days of UTC: `since` is where one begins,
    /// `until` takes it in.
    ///
    /// # Errors
    /// [`FilterError`].
    pub fn parse(search: &str, now: Timestamp) -> Result<Self, FilterError> {
        if search.len() > WORDS_BYTES_MAX {
            return Err(FilterError::TooLong);
        }
        let mut filter = Self::default();
        for word in words(search)? {
            match word.key {
                None => filter.texts.push(word.value),
                Some(key) => filter.condition(&key, word.value, now)?,
            }
        }
        Ok(filter)
    }

    /// Adds one condition, as [`Filter::parse`] does for `key:value`.
    ///
    /// # Errors
    /// [`FilterError`].
    pub fn condition(&mut self, key: &str, value: String, now: Timestamp) -> Result<(), FilterError> {
        let word = || FilterError::UnknownKey { word: key.to_owned() };
        let key = keys().find(|k| *k == key).or(if key == "ns" { Some("namespace") } else { None }).ok_or_else(word)?;
        if value.is_empty() {
            return Err(FilterError::Empty { key });
        }
        let wrong = |takes, value| FilterError::Value { key, takes, value };
        match key {
            "name" => once(&mut self.name, value, key),
            "namespace" => once(&mut self.namespace, value, key),
            "class" => once(&mut self.class, value, key),
            "kind" => once(&mut self.kind, value, key),
            "method" => once(&mut self.method, value, key),
            "tool" => once(&mut self.tool, value, key),
            "end" => once(&mut self.end, value, key),
            "since" => once(&mut self.since, moment(&value, now, false).ok_or_else(|| wrong(MOMENT, value))?, key),
            "until" => once(&mut self.until, moment(&value, now, true).ok_or_else(|| wrong(MOMENT, value))?, key),
            "error" => once(&mut self.error_code, value.parse().map_err(|_| wrong("a number", value))?, key),
            "errors" => once(&mut self.errors, yes_or_no(&value).ok_or_else(|| wrong("yes or no", value))?, key),
            "state" => {
                let state = TapeState::ALL.into_iter().find(|s| s.word() == value);
                once(&mut self.state, state.ok_or_else(|| wrong("live, archived or erased", value))?, key)
            }
            "tag" => {
                self.tags.push(value);
                Ok(())
            }
            _ => {
                self.texts.push(value);
                Ok(())
            }
        }
    }

    /// The search in one spelling, as it stands in the record of who asked.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out: Vec<String> = Vec::new();
        let mut put = |key: &str, value: &str| out.push(format!("{key}:{}", quoted(value)));
        let texts = [
            ("name", &self.name),
            ("namespace", &self.namespace),
            ("class", &self.class),
            ("kind", &self.kind),
            ("method", &self.method),
            ("tool", &self.tool),
            ("end", &self.end),
        ];
        texts.iter().for_each(|(key, value)| value.iter().for_each(|v| put(key, v)));
        self.tags.iter().for_each(|tag| put("tag", tag));
        self.since.iter().for_each(|t| put("since", &t.to_text()));
        self.until.iter().for_each(|t| put("until", &t.to_text()));
        self.error_code.iter().for_each(|code| put("error", &code.to_string()));
        self.errors.iter().for_each(|some| put("errors", if *some { "yes" } else { "no" }));
        self.state.iter().for_each(|state| put("state", state.word()));
        self.texts.iter().for_each(|text| put("text", text));
        out.join(" ")
    }
}

fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.split(' ').map(|key| key.trim_end_matches(':'))
}

fn once<T>(slot: &mut Option<T>, value: T, key: &'static str) -> Result<(), FilterError> {
    if slot.replace(value).is_some() { Err(FilterError::Twice { key }) } else { Ok(()) }
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value {
        "yes" | "true" | "some" => Some(true),
        "no" | "false" | "none" => Some(false),
        _ => None,
    }
}

/// What people write for a time, in milliseconds.
enum Named {
    /// A day of UTC, by its beginning.
    Day(u64),
    Moment(u64),
    /// So long from now.
    Age(u64),
}

/// A moment as people write it; with `past`, the end of what was named.
fn moment(value: &str, now: Timestamp, past: bool) -> Option<Timestamp> {
    Some(Timestamp::from_ms(match named(value)? {
        Named::Day(day) => day.checked_add(if past { DAY_MS } else { 0 })?,
        Named::Moment(at) => at,
        Named::Age(age) => now.as_ms().saturating_sub(age),
    }))
}

/// The first and the last millisecond of what is named: those of a day of UTC, or twice the same.
///
/// # Errors
/// [`FilterError::Value`] for `flag`.
pub(crate) fn named_span(
    flag: &'static str,
    value: &str,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), FilterError> {
    let wrong = || FilterError::Value { key: flag, takes: MOMENT, value: value.to_owned() };
    let first = moment(value, now, false).ok_or_else(wrong)?;
    let last = match named(value) {
        Some(Named::Day(day)) => day.checked_add(DAY_MS.saturating_sub(1)).map(Timestamp::from_ms).ok_or_else(wrong)?,
        _ => first,
    };
    Ok((first, last))
}

/// The end of what is named, of something that is to come: the end of a day of UTC, a moment, or so long from now.
///
/// # Errors
/// [`FilterError::Value`] for `flag`.
pub(crate) fn named_end(flag: &'static str, value: &str, now: Timestamp) -> Result<Timestamp, FilterError> {
    let end = match named(value) {
        Some(Named::Day(day)) => day.checked_add(DAY_MS),
        Some(Named::Moment(at)) => Some(at),
        Some(Named::Age(age)) => now.as_ms().checked_add(age),
        None => None,
    };
    let wrong = || FilterError::Value { key: flag, takes: TO_COME, value: value.to_owned() };
    end.filter(|end| *end > now.as_ms()).map(Timestamp::from_ms).ok_or_else(wrong)
}

fn named(value: &str) -> Option<Named> {
    if let Some(date) = parse_rfc3339_ns(&format!("{value}T00:00:00Z")) {
        return Some(Named::Day(date / 1_000_000));
    }
    if let Some(ns) = parse_rfc3339_ns(value) {
        return Some(Named::Moment(ns / 1_000_000));
    }
    let unit = match value.chars().last()? {
        's' => 1_000,
        'm' => 60_000,
        'h' => HOUR_MS,
        'd' => DAY_MS,
        'w' => DAY_MS.checked_mul(7)?,
        _ => return None,
    };
    let count: u64 = value.get(..value.len().checked_sub(1)?)?.parse().ok()?;
    count.checked_mul(unit).map(Named::Age)
}

/// One word of a search.
struct Word {
    key: Option<String>,
    value: String,
}

/// Cuts a search at its spaces; what stands in quotation marks stays together, `\"` and `\\` mean themselves.
fn words(search: &str) -> Result<Vec<Word>, FilterError> {
    let (mut out, mut chars) = (Vec::new(), search.chars().peekable());
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(out);
        }
        let (mut key, mut value, mut quoted) = (None, String::new(), false);
        while let Some(c) = chars.next() {
            match c {
                '"' => quoted = !quoted,
                '\\' if quoted => value.extend(chars.next_if(|c| matches!(c, '"' | '\\')).or(Some('\\'))),
                c if c.is_whitespace() && !quoted => break,
                // A colon in the middle of a quotation, or after the first, is a character like any other.
                ':' if !quoted && key.is_none() && is_key(&value) => key = Some(std::mem::take(&mut value)),
                c => value.push(c),
            }
        }
        if quoted {
            return Err(FilterError::OpenQuote);
        }
        out.push(Word { key, value });
    }
}

/// Words before a colon that are meant as a condition: `10:30` and `https://` are text.
fn is_key(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_lowercase())
        && !matches!(word, "http" | "https" | "file" | "sha")
}

fn quoted(value: &str) -> String {
    let is_plain = |c: char| !c.is_whitespace() && !matches!(c, '"' | '\\' | ':');
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_169_821_416);

    fn parse(search: &str) -> Result<Filter, FilterError> {
        Filter::parse(search, NOW)
    }

    #[test]
    fn every_condition_is_read_and_written_back_the_same() {
        let search = "name:pay namespace:trading class:contracts kind:mcp method:tools/call tool:query end:clean tag:a \
                      tag:\"b c\" since:2026-11-20T00:00:00.000Z until:2026-11-21T00:00:00.000Z error:-32601 errors:yes \
                      state:live text:\"say \\\"no\\\" \\\\\" text:x";
        let filter = parse(search).unwrap();
        assert_eq!(filter.tags, ["a", "b c"]);
        assert_eq!(filter.texts, ["say \"no\" \\", "x"]);
        assert_eq!(
            (filter.error_code, filter.errors, filter.state),
            (Some(-32_601), Some(true), Some(TapeState::Live))
        );
        assert_eq!(parse(&filter.to_text()).unwrap(), filter);
        assert!(parse("").unwrap().is_empty() && parse("  ").unwrap().to_text().is_empty());
        assert_eq!(parse("ns:x").unwrap(), parse("namespace:x").unwrap());
    }

    #[test]
    fn dates_take_their_whole_day_and_ages_count_back() {
        let at = |search: &str| parse(search).unwrap();
        assert_eq!(at("since:2026-11-20").since, Some(Timestamp::from_ms(1_795_132_800_000)));
        assert_eq!(at("until:2026-11-20").until, Some(Timestamp::from_ms(1_795_132_800_000 + DAY_MS)));
        assert_eq!(at("since:36h").since, Some(Timestamp::from_ms(NOW.as_ms() - 36 * HOUR_MS)));
        assert_eq!(at("since:2w").since, Some(Timestamp::from_ms(NOW.as_ms() - 14 * DAY_MS)));
        assert_eq!(at("since:99999w").since, Some(Timestamp::from_ms(0)));
    }

    #[test]
    fn a_time_that_is_named_has_a_first_and_a_last_millisecond() {
        let span = |value: &str| named_span("--sealed", value, NOW).map(|(first, last)| (first.as_ms(), last.as_ms()));
        assert_eq!(span("2026-11-20"), Ok((1_795_132_800_000, 1_795_132_800_000 + DAY_MS - 1)));
        assert_eq!(span("2026-11-20T10:00:00Z"), Ok((1_795_168_800_000, 1_795_168_800_000)));
        assert_eq!(span("1h"), Ok((NOW.as_ms() - HOUR_MS, NOW.as_ms() - HOUR_MS)));
        assert!(matches!(span("2026-11-20 since:1h"), Err(FilterError::Value { key: "--sealed", .. })));
    }

    #[test]
    fn what_is_to_come_ends_after_now() {
        let end = |value: &str| named_end("--expires", value, NOW).map(Timestamp::as_ms);
        assert_eq!(end("30d"), Ok(NOW.as_ms() + 30 * DAY_MS));
        assert_eq!(end("2026-11-20"), Ok(1_795_132_800_000 + DAY_MS), "today is not over");
        assert_eq!(end("2026-11-20T23:00:00Z"), Ok(1_795_168_800_000 + 13 * HOUR_MS));
        for value in ["2026-11-19", "2026-11-20T10:00:00Z", "0d", "soon", "2027-01-31 x", "99999999999999999999w"] {
            assert!(matches!(end(value), Err(FilterError::Value { key: "--expires", .. })), "{value}");
        }
    }

    #[test]
    fn text_with_colons_is_text() {
        assert_eq!(parse("10:30 https://x.example/a:b").unwrap().texts, ["10:30", "https://x.example/a:b"]);
        assert_eq!(parse("\"name:x\"").unwrap().texts, ["name:x"]);
        assert_eq!(parse("name:a:b").unwrap().name.as_deref(), Some("a:b"));
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        let error = |search: &str| parse(search).unwrap_err();
        assert_eq!(error("\"open"), FilterError::OpenQuote);
        assert_eq!(error("nmae:x"), FilterError::UnknownKey { word: "nmae".into() });
        assert_eq!(error("class:"), FilterError::Empty { key: "class" });
        assert_eq!(error("class:a class:a"), FilterError::Twice { key: "class" });
        assert_eq!(error(&"x".repeat(WORDS_BYTES_MAX + 1)), FilterError::TooLong);
        for (search, key) in
            [("since:yesterday", "since"), ("until:2026-13-01", "until"), ("error:x", "error"), ("errors:2", "errors")]
        {
            assert!(matches!(error(search), FilterError::Value { key: k, .. } if k == key), "{search}");
        }
        assert!(matches!(error("state:gone"), FilterError::Value { key: "state", .. }));
        assert!(matches!(error("since:99999999999999999999w"), FilterError::Value { key: "since", .. }));
    }
}

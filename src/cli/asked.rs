//! From flags and words to the conditions of a list, and back to a command for its next page.

use std::num::NonZeroUsize;

use super::args::{Filters, Page};
use crate::codec::escape::{visible, visible_short};
use crate::error::{Code, Error, Result};
use crate::ledger::{Cursor, FILTER_KEYS, Filter, FilterError, ListRequest};
use crate::tape::TapeKind;
use crate::time::Timestamp;

/// How alike a word and what was meant must be, of 1.
const ALIKE: f64 = 0.75;

/// How a session can end.
const ENDS: [&str; 8] =
    ["clean", "child_exit", "signal", "crashed", "truncated", "imported", "error", "continued in another tape"];

/// What the flags and words of a command ask for.
///
/// # Errors
/// `E_USAGE`.
pub(super) fn request(filters: &Filters, words: &[String], page: &Page, now: Timestamp) -> Result<ListRequest> {
    let cursor = page.cursor.as_deref().map(cursor).transpose()?;
    Ok(ListRequest { filter: filter(filters, words, now)?, limit: page.limit, cursor })
}

/// The conditions alone.
///
/// # Errors
/// `E_USAGE`.
pub(super) fn filter(filters: &Filters, words: &[String], now: Timestamp) -> Result<Filter> {
    if words.iter().any(|w| w.trim().is_empty()) {
        return Err(Error::new(Code::Usage, "an empty word looks for nothing").with_hint("leave it out"));
    }
    let mut filter = Filter::parse(&words.join(" "), now).map_err(|e| wrong("", &e))?;
    for (key, value) in filters.given() {
        filter.condition(key, value.to_owned(), now).map_err(|e| wrong("--", &e))?;
    }
    known_words(&filter)?;
    Ok(filter)
}

fn cursor(text: &str) -> Result<Cursor> {
    Cursor::parse(text).ok_or_else(|| {
        let shown = visible_short(text.as_bytes(), 40);
        Error::new(Code::Usage, format!("\"{shown}\" is no cursor"))
            .with_hint("take the command that the page before ended with, or ask again without --cursor")
    })
}

/// `before` stands before the name of the condition, as it was typed.
fn wrong(before: &str, e: &FilterError) -> Error {
    // Words of the person who asks are repeated in it.
    let shown = visible_short(e.to_string().as_bytes(), 400);
    let message = match e {
        FilterError::UnknownKey { word } => {
            format!("no condition is called \"{}:\"", visible_short(word.as_bytes(), 40))
        }
        FilterError::Empty { .. } | FilterError::Twice { .. } | FilterError::Value { .. } => format!("{before}{shown}"),
        _ => shown,
    };
    let error = Error::new(Code::Usage, message);
    match e {
        FilterError::UnknownKey { word } => {
            let keys = FILTER_KEYS.split(' ').map(|key| key.trim_end_matches(':'));
            let meant = alike(word, keys).map_or_else(String::new, |key| format!("did you mean {key}: ? "));
            error.with_hint(format!(
                "{meant}there are {FILTER_KEYS}; words that hold a colon stand in quotation marks: '\"a:b\"'"
            ))
        }
        FilterError::Twice { .. } => error.with_hint("give it once, as a flag or as a word"),
        FilterError::OpenQuote => {
            error.with_hint("inside the shell's quotation marks: immutape search 'name:\"two words\"'")
        }
        _ => error,
    }
}

/// A kind or an end that does not exist would find nothing, and say so as if there were none.
fn known_words(filter: &Filter) -> Result<()> {
    let kinds: Vec<&str> = (0..).map_while(|n| TapeKind::from_number(n).ok()).map(TapeKind::word).collect();
    known(filter.kind.as_deref(), &kinds, "is of the kind")?;
    known(filter.end.as_deref(), &ENDS, "has the end")
}

fn known(word: Option<&str>, words: &[&str], what: &str) -> Result<()> {
    let Some(word) = word.filter(|word| !words.contains(word)) else { return Ok(()) };
    let meant = alike(word, words.iter().copied()).map_or_else(String::new, |w| format!("did you mean {w}? "));
    Err(Error::new(Code::Usage, format!("no session {what} \"{}\"", visible_short(word.as_bytes(), 40)))
        .with_hint(format!("{meant}there are {}", words.join(", "))))
}

/// The word that somebody most likely meant.
pub(super) fn alike<'a>(typed: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    // Two neighbours exchanged make a short word look like nothing.
    let close =
        |word: &str| if strsim::osa_distance(&typed, word) == 1 { 1.0 } else { strsim::jaro_winkler(&typed, word) };
    let judged = words.map(|word| (close(word), word));
    judged.filter(|(alike, _)| *alike > ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, word)| word)
}

/// The command that gives the next page, ready for a shell.
pub(super) fn next_page(
    verb: &str,
    places: &[String],
    filter: &Filter,
    limit: Option<NonZeroUsize>,
    at: Cursor,
) -> String {
    let mut words = vec!["immutape".to_owned()];
    words.extend(places.iter().map(|word| quoted(word)));
    words.push(verb.to_owned());
    words.extend(limit.map(|n| format!("--limit {n}")));
    words.push(format!("--cursor {}", at.to_text()));
    let text = filter.to_text();
    if !text.is_empty() {
        words.push(quoted(&text));
    }
    words.join(" ")
}

/// A word that a shell takes as it is.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", visible(word.as_bytes()).replace(r"\\", r"\").replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(words: &[&str]) -> Result<Filter> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        filter(&Filters::default(), &words, Timestamp::from_ms(1_000))
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_what_can() {
        for (words, message, hint) in [
            (&["nam:x"][..], "no condition is called \"nam:\"", "did you mean name: ?"),
            (&["zzz:x"], "no condition is called \"zzz:\"", "there are name:"),
            (&["class:a", "class:b"], "class: is there twice", "give it once"),
            (&["name:\"a"], "a quotation mark is not closed", "inside the shell's"),
            (&["errors:maybe"], "errors: takes yes or no, not \"maybe\"", ""),
            (&["kind:mpc"], "no session is of the kind \"mpc\"", "did you mean mcp?"),
            (&["end:crash"], "no session has the end \"crash\"", "did you mean crashed? there are clean, child_exit"),
            (&["name:"], "name: needs a value", ""),
            (&[" "], "an empty word looks for nothing", "leave it out"),
            (&["kind:\u{1b}[2J"], "no session is of the kind \"\\x1b[2J\"", "there are"),
        ] {
            let e = asked(words).unwrap_err();
            assert!(e.message().starts_with(message), "{words:?}: {}", e.message());
            assert!(e.hint().unwrap_or_default().contains(hint), "{words:?}: {:?}", e.hint());
            assert!(!e.message().contains('\u{1b}'));
        }
        let twice = Filters { class: Some("b".into()), ..Filters::default() };
        let e = filter(&twice, &["class:a".to_owned()], Timestamp::from_ms(0)).unwrap_err();
        assert!(e.message().starts_with("--class: is there twice"), "{}", e.message());
        assert_eq!(cursor("7.12").unwrap_err().code(), Code::Usage);
    }

    #[test]
    fn every_end_of_a_session_can_be_asked_for() {
        use crate::tape::EndState::{ChildExit, Clean, Continued, Crashed, Error, Imported, Signal, Truncated};
        let ends =
            [Clean, ChildExit(1), Signal(9), Crashed(None), Truncated, Imported, Error(b"x".to_vec()), Continued];
        assert_eq!(ends.map(|end| end.word()), ENDS);
        for end in ENDS {
            assert_eq!(asked(&[&format!("end:\"{end}\"")]).unwrap().end.as_deref(), Some(end));
        }
    }

    #[test]
    fn the_next_page_is_a_command_that_asks_the_same() {
        let asked = asked(&["class:a", "tag:\"it's\"", "late"]).unwrap();
        let at = Cursor::parse("90.7").unwrap();
        let places = ["-C".to_owned(), "my ledger".to_owned()];
        assert_eq!(
            next_page("search", &places, &asked, NonZeroUsize::new(5), at),
            r"immutape -C 'my ledger' search --limit 5 --cursor 90.7 'class:a tag:it'\''s text:late'"
        );
        assert_eq!(next_page("list", &[], &Filter::default(), None, at), "immutape list --cursor 90.7");
    }
}

//! What happened when: an exchange is a request at one moment and its answer at a later one, with others in between.

use std::ops::Range;

use super::super::decimal::scaled;
use super::super::document::{Items, place};
use super::super::json::{Members, elements, string};
use super::told::{HarTold, What};
use crate::error::{Code, Error, Result};
use crate::time::parse_rfc3339_ns;

/// Most moments of one archive: each costs memory.
const MOMENTS_MAX: usize = 1_000_000;

/// Which part of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The request with its body.
    Request,
    /// A WebSocket message.
    Socket,
    /// The answer with its body.
    Response,
}

/// A part of an exchange, and when it was.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    /// Wall clock; `None` when the source does not say, or says it without a zone.
    pub(super) wall_ns: Option<u64>,
    /// It was computed, and does not stand in the source as such.
    pub(super) inferred: bool,
    /// Position of the exchange in the source.
    pub(super) number: u64,
    /// Which part.
    pub(super) part: Part,
    /// Where the exchange, or the WebSocket message, stands in the document.
    pub(super) text: Range<usize>,
}

/// Every moment of the entries, by time. Exchanges without one stay behind those that they follow in the source.
pub(super) fn moments(document: &str, list: Range<usize>, told: &mut HarTold) -> Result<Vec<Moment>> {
    let (mut items, mut all, mut number, mut last) = (Items::new(list), Vec::new(), 0u64, 0u64);
    while let Some(item) = items.next(document) {
        let found = Members::parse(item).map(|m| of_entry(item, &m)).unwrap_or_default();
        if found.parts.is_empty() {
            told.add(What::NoEntry, number);
        } else if found.begin.is_none() {
            told.untimed();
        }
        if found.begin.is_some_and(|begin| begin < last) {
            told.add(What::OutOfOrder, number);
        }
        last = found.begin.unwrap_or(last);
        all.extend(found.parts.into_iter().map(|(part, text, wall_ns, inferred)| {
            (wall_ns.unwrap_or(last), Moment { wall_ns, inferred, number, part, text: place(document, text) })
        }));
        number = number.saturating_add(1);
        if all.len() > MOMENTS_MAX {
            return Err(Error::new(
                Code::Limit,
                format!("the archive has more than {MOMENTS_MAX} requests, answers and messages"),
            )
            .with_hint("nothing was imported; split it"));
        }
    }
    all.sort_by_key(|(at, moment)| (*at, moment.number, moment.part));
    Ok(all.into_iter().map(|(_, moment)| moment).collect())
}

/// What is in one exchange: parts with their texts and times, and whether a time was computed.
#[derive(Default)]
struct Found<'a> {
    begin: Option<u64>,
    parts: Vec<(Part, &'a str, Option<u64>, bool)>,
}

fn of_entry<'a>(entry: &'a str, m: &Members<'a>) -> Found<'a> {
    let begin = m.peek("startedDateTime").and_then(string).and_then(|text| parse_rfc3339_ns(&text));
    let mut found = Found { begin, parts: Vec::new() };
    let is_object = |name| m.peek(name).is_some_and(|value| value.starts_with('{'));
    if is_object("request") {
        found.parts.push((Part::Request, entry, begin, false));
    }
    let _no_list_is_no_message = elements(m.peek("_webSocketMessages").unwrap_or("[]"), |message| {
        let wall_ns = Members::parse(message).ok().and_then(|m| scaled(m.peek("time")?, 9));
        found.parts.push((Part::Socket, message, wall_ns, false));
    });
    if is_object("response") {
        // The source gives the start and how long it took.
        let took = m.peek("time").and_then(|ms| scaled(ms, 6));
        let end = begin.zip(took).and_then(|(begin, took)| begin.checked_add(took));
        found.parts.push((Part::Response, entry, end.or(begin), begin.is_some()));
    }
    found
}

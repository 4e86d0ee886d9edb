//! `COMPLETENESS.json` (6.3).

use super::json::Json;
use super::source::{Source, whole};
use crate::digest::{Hash, hash};
use crate::error::{Result, ensure, refuse};
use crate::report::{Report, Word};
use crate::text;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// Its path.
pub const PATH: &str = "data/COMPLETENESS.json";
const MOST_BYTES: u64 = 64 << 20;

/// First and last, both included.
pub type Range = (u64, u64);

/// What was asked for.
#[derive(Debug)]
pub enum Asked {
    /// Tapes by their ids.
    Ids(Vec<Hash>),
    /// What a query found among tapes sealed in this time.
    Query(Range),
}

/// A tape that is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// Tape id.
    pub tape: Hash,
    /// Custody id.
    pub custody: Hash,
    /// Index of its `tape.saved`.
    pub entry: u64,
    /// Number of its frames.
    pub frames: u64,
    /// Those that are here.
    pub opened: Option<Range>,
}

/// What is withheld.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// The whole tape.
    Tape,
    /// Some frames of a tape that is given.
    Frames,
    /// Its payloads.
    Payloads,
    /// Fields of its header.
    Header,
    /// Private fields of an entry.
    Private,
}

/// Something withheld.
#[derive(Clone, Debug)]
pub struct Withheld {
    /// What.
    pub what: What,
    /// Tape id, or zeros.
    pub tape: Hash,
    /// Custody id, or zeros.
    pub custody: Hash,
    /// Index of the entry.
    pub entry: u64,
    /// Fields, ascending.
    pub fields: Vec<u64>,
}

/// A tape that is destroyed (`note`: index of the entry that says so) or out of scope (`field`).
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// Tape id.
    pub tape: Hash,
    /// Custody id.
    pub custody: Hash,
    /// Index of its `tape.saved`.
    pub entry: u64,
    /// `by` of destroyed, `field` of out of scope.
    pub field: Option<u64>,
}

/// The whole file.
pub struct Completeness {
    /// H of the file.
    pub digest: Hash,
    /// Bundle id.
    pub bundle: [u8; 16],
    /// Origin of the log.
    pub origin: String,
    /// Its ledger id.
    pub ledger: Hash,
    /// On whose authority.
    pub authority: String,
    /// It was asked of the entries below this index.
    pub log_size: u64,
    /// What was asked.
    pub asked: Asked,
    /// Frames asked of each tape.
    pub frames: Option<Range>,
    /// Whether payloads are open.
    pub payloads: bool,
    /// Indices that are here as a whole.
    pub span: Option<Range>,
    /// Tapes given.
    pub given: Vec<Given>,
    /// What is withheld.
    pub withheld: Vec<Withheld>,
    /// Tapes destroyed.
    pub destroyed: Vec<Elsewhere>,
    /// Tapes out of scope.
    pub out_of_scope: Vec<Elsewhere>,
    /// First row of each tape and of each custody id in `given`.
    by_tape: BTreeMap<Hash, usize>,
    by_custody: BTreeMap<Hash, usize>,
}

impl Completeness {
    /// Ids of the given tapes, ascending.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.given.iter().map(|given| text::hex(&given.tape)).collect();
        ids.sort();
        ids
    }

    /// The given tape of a custody id.
    pub fn given_by_custody(&self, custody: &Hash) -> Option<&Given> {
        self.given.get(*self.by_custody.get(custody)?)
    }

    /// The given tape of a tape id.
    pub fn given_by_tape(&self, tape: &Hash) -> Option<&Given> {
        self.given.get(*self.by_tape.get(tape)?)
    }
}

/// Reads the file out of a bundle: None where it is missing or does not read.
pub fn read(source: &mut dyn Source, report: &mut Report) -> Option<Completeness> {
    match whole(source, PATH, MOST_BYTES) {
        None => {
            report.find(Word::Missing, PATH, "a file that has to be there is missing");
            None
        }
        Some(bytes) => report.take("COMPLETENESS.json", Word::Altered, PATH, bytes.and_then(|bytes| parse(&bytes))),
    }
}

const NAMES: [&str; 17] = [
    "format",
    "bundle",
    "origin",
    "ledger",
    "made_ms",
    "log_size",
    "authority",
    "recipient",
    "expires_ms",
    "asked",
    "frames",
    "payloads",
    "span",
    "given",
    "withheld",
    "destroyed",
    "out_of_scope",
];

/// Reads the file.
///
/// # Errors
/// Anything that 6.3 does not allow.
pub fn parse(bytes: &[u8]) -> Result<Completeness> {
    let mut json = Json::new(bytes)?;
    let mut asked = None;
    let mut found = Completeness {
        digest: hash(bytes),
        bundle: [0; 16],
        origin: String::new(),
        ledger: Hash::default(),
        authority: String::new(),
        log_size: 0,
        asked: Asked::Ids(Vec::new()),
        frames: None,
        payloads: false,
        span: None,
        given: Vec::new(),
        withheld: Vec::new(),
        destroyed: Vec::new(),
        out_of_scope: Vec::new(),
        by_tape: BTreeMap::new(),
        by_custody: BTreeMap::new(),
    };
    json.whole(&NAMES, |at, json| {
        match at {
            0 => ensure(json.text()? == "immutape/completeness/1", "another format")?,
            1 => found.bundle = text::unhex_of(&json.text()?)?,
            2 => found.origin = json.text()?,
            3 => found.ledger = digits(json)?,
            4 => drop(json.number()?),
            5 => found.log_size = json.number()?,
            6 => found.authority = json.text()?,
            7 => drop(json.nullable(Json::text)?),
            8 => drop(json.nullable(Json::number)?),
            9 => asked = Some(what_was_asked(json)?),
            10 => found.frames = json.nullable(range)?,
            11 => found.payloads = json.boolean()?,
            12 => found.span = json.nullable(range)?,
            13 => json.list(|each| given(each, &mut found.given))?,
            14 => json.list(|each| withheld(each, &mut found.withheld))?,
            15 => json.list(|each| elsewhere(each, &mut found.destroyed, "by"))?,
            _ => json.list(|each| elsewhere(each, &mut found.out_of_scope, "field"))?,
        }
        Ok(())
    })?;
    json.end()?;
    let Some(asked) = asked else { return refuse("a name is missing") };
    found.asked = asked;
    for (at, given) in found.given.iter().enumerate() {
        found.by_tape.entry(given.tape).or_insert(at);
        found.by_custody.entry(given.custody).or_insert(at);
    }
    let by_ids = matches!(found.asked, Asked::Ids(_));
    ensure(by_ids == found.span.is_none(), "a span where ids were asked for, or none where a query was")?;
    Ok(found)
}

fn digits(json: &mut Json<'_>) -> Result<Hash> {
    text::unhex_of(&json.text()?)
}

fn range(json: &mut Json<'_>) -> Result<Range> {
    let (mut numbers, mut n) = ([0; 2], 0_usize);
    json.list(|each| {
        let number = each.number()?;
        let Some(slot) = numbers.get_mut(n) else { return refuse("a range of more than two numbers") };
        *slot = number;
        n = n.saturating_add(1);
        Ok(())
    })?;
    let [first, last] = numbers;
    ensure(n == 2 && first <= last, "a range that is not first and last")?;
    Ok((first, last))
}

fn what_was_asked(json: &mut Json<'_>) -> Result<Asked> {
    let (mut ids, mut time) = (Vec::new(), None);
    let seen = json.object(&["ids", "query", "sealed_ms"], |at, json| {
        match at {
            0 => json.list(|each| {
                ids.push(digits(each)?);
                Ok(())
            })?,
            1 => drop(json.text()?),
            _ => time = Some(range(json)?),
        }
        Ok(())
    })?;
    match (seen, time) {
        (0b001, _) => {
            ensure(!ids.is_empty(), "no id asked for")?;
            Ok(Asked::Ids(ids))
        }
        (0b110, Some(time)) => Ok(Asked::Query(time)),
        _ => refuse("neither ids nor query and time"),
    }
}

fn given(json: &mut Json<'_>, list: &mut Vec<Given>) -> Result<()> {
    let mut found = Given { tape: Hash::default(), custody: Hash::default(), entry: 0, frames: 0, opened: None };
    json.whole(&["tape", "custody", "entry", "frames", "opened"], |at, json| {
        match at {
            0 => found.tape = digits(json)?,
            1 => found.custody = digits(json)?,
            2 => found.entry = json.number()?,
            3 => found.frames = json.number()?,
            _ => found.opened = json.nullable(range)?,
        }
        Ok(())
    })?;
    list.push(found);
    Ok(())
}

fn withheld(json: &mut Json<'_>, list: &mut Vec<Withheld>) -> Result<()> {
    let mut found =
        Withheld { what: What::Tape, tape: Hash::default(), custody: Hash::default(), entry: 0, fields: Vec::new() };
    let mut fields = BTreeSet::new();
    json.whole(&["what", "tape", "custody", "entry", "fields", "why"], |at, json| {
        match at {
            0 => {
                found.what = match json.text()?.as_str() {
                    "tape" => What::Tape,
                    "frames" => What::Frames,
                    "payloads" => What::Payloads,
                    "header" => What::Header,
                    "private" => What::Private,
                    _ => return refuse("something else withheld than there is"),
                }
            }
            1 => found.tape = digits(json)?,
            2 => found.custody = digits(json)?,
            3 => found.entry = json.number()?,
            4 => json.list(|each| ensure(fields.insert(each.number()?), "a field twice"))?,
            _ => drop(json.text()?),
        }
        Ok(())
    })?;
    found.fields = fields.into_iter().collect();
    let with_fields = matches!(found.what, What::Header | What::Private);
    ensure(with_fields || found.fields.is_empty(), "fields of something that has none")?;
    list.push(found);
    Ok(())
}

fn elsewhere(json: &mut Json<'_>, list: &mut Vec<Elsewhere>, last: &str) -> Result<()> {
    let mut found = Elsewhere { tape: Hash::default(), custody: Hash::default(), entry: 0, field: None };
    let read = |at: usize, json: &mut Json<'_>| {
        match at {
            0 => found.tape = digits(json)?,
            1 => found.custody = digits(json)?,
            2 => found.entry = json.number()?,
            3 if last == "by" => found.field = Some(json.number()?),
            3 => found.field = json.nullable(Json::number)?,
            _ => drop(json.text()?),
        }
        Ok(())
    };
    let names = ["tape", "custody", "entry", last, "why"];
    json.whole(names.get(..if last == "by" { 4 } else { 5 }).unwrap_or_default(), read)?;
    list.push(found);
    Ok(())
}

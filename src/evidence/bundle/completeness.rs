//! What was asked, and what is given, withheld, destroyed or out of scope (`docs/format/6-evidence.md` 6.3).

use std::collections::HashSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::BundleError;
use crate::codec::digest::{CustodyId, Digest, TapeId};

const FORMAT: &str = "immutape/completeness/1";
/// FORMAT. Longest file.
pub(crate) const COMPLETENESS_BYTES_MAX: usize = 64 << 20;
/// Numbers above are not whole in every program that reads JSON.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// `COMPLETENESS.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names and types are those of docs/format/6-evidence 6.3")]
pub struct Completeness {
    pub format: String,
    #[serde(with = "hex16")]
    pub bundle: [u8; 16],
    pub origin: String,
    #[serde(with = "hex32")]
    pub ledger: Digest,
    pub made_ms: u64,
    pub log_size: u64,
    pub authority: String,
    #[serde(deserialize_with = "or_null")]
    pub recipient: Option<String>,
    #[serde(deserialize_with = "or_null")]
    pub expires_ms: Option<u64>,
    #[serde(deserialize_with = "asked")]
    pub asked: Asked,
    #[serde(deserialize_with = "or_null")]
    pub frames: Option<(u64, u64)>,
    pub payloads: bool,
    #[serde(deserialize_with = "or_null")]
    pub span: Option<(u64, u64)>,
    #[serde(deserialize_with = "objects")]
    pub given: Vec<Given>,
    #[serde(deserialize_with = "objects")]
    pub withheld: Vec<Withheld>,
    #[serde(deserialize_with = "objects")]
    pub destroyed: Vec<Destroyed>,
    #[serde(deserialize_with = "objects")]
    pub out_of_scope: Vec<OutOfScope>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Asked {
    /// These tapes.
    Ids(AskedIds),
    /// What passes a search, of the tapes that were saved in a time.
    Query(AskedQuery),
}

/// Tapes by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AskedIds {
    /// Tape ids.
    #[serde(serialize_with = "hex32_list")]
    pub ids: Vec<TapeId>,
}

/// A search, and when the tapes were saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AskedQuery {
    /// The search, as it was typed.
    pub query: String,
    /// From and to, both included, milliseconds since 1970.
    pub sealed_ms: (u64, u64),
}

/// A tape that is in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names and types are those of docs/format/6-evidence 6.3")]
pub struct Given {
    #[serde(with = "hex32")]
    pub tape: TapeId,
    #[serde(with = "hex32")]
    pub custody: CustodyId,
    pub entry: u64,
    pub frames: u64,
    #[serde(deserialize_with = "or_null")]
    pub opened: Option<(u64, u64)>,
}

/// What kind of thing is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words say it")]
pub enum What {
    Tape,
    Frames,
    Payloads,
    Header,
    Private,
}

/// Something that was asked for and is not given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names and types are those of docs/format/6-evidence 6.3")]
pub struct Withheld {
    #[serde(deserialize_with = "what")]
    pub what: What,
    #[serde(with = "hex32")]
    pub tape: TapeId,
    #[serde(with = "hex32")]
    pub custody: CustodyId,
    pub entry: u64,
    pub fields: Vec<u64>,
    pub why: String,
}

/// A tape that was destroyed lawfully.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names and types are those of docs/format/6-evidence 6.3")]
pub struct Destroyed {
    #[serde(with = "hex32")]
    pub tape: TapeId,
    #[serde(with = "hex32")]
    pub custody: CustodyId,
    pub entry: u64,
    pub by: u64,
}

/// A tape that does not pass the search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names and types are those of docs/format/6-evidence 6.3")]
pub struct OutOfScope {
    #[serde(with = "hex32")]
    pub tape: TapeId,
    #[serde(with = "hex32")]
    pub custody: CustodyId,
    pub entry: u64,
    #[serde(deserialize_with = "or_null")]
    pub field: Option<u64>,
    pub why: String,
}

impl Completeness {
    /// The name of the form.
    #[must_use]
    pub fn format_name() -> String {
        FORMAT.to_owned()
    }

    /// The file.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Text, numbers and lists: nothing that could fail to be written.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`BundleError::Json`], [`BundleError::Form`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > COMPLETENESS_BYTES_MAX {
            return Err(BundleError::Form("COMPLETENESS.json has more than 64 MiB"));
        }
        let Object(read) =
            serde_json::from_slice::<Object<Self>>(bytes).map_err(|e| BundleError::Json(e.to_string()))?;
        if read.format != FORMAT {
            return Err(BundleError::Form("COMPLETENESS.json is of another form"));
        }
        if read.numbers().any(|number| number > NUMBER_MAX) {
            return Err(BundleError::Form("a number above 2^53-1"));
        }
        if read.ranges().any(|(first, last)| first > last) {
            return Err(BundleError::Form("a range whose first is above its last"));
        }
        let has_fields = |w: &Withheld| matches!(w.what, What::Header | What::Private) || w.fields.is_empty();
        if !read.withheld.iter().all(has_fields) {
            return Err(BundleError::Form("fields of what has none"));
        }
        let are_distinct = |fields: &[u64]| fields.iter().collect::<HashSet<_>>().len() == fields.len();
        if !read.withheld.iter().all(|w| are_distinct(&w.fields)) {
            return Err(BundleError::Form("a field twice"));
        }
        if matches!(read.asked, Asked::Query(_)) != read.span.is_some() {
            return Err(BundleError::Form("a span without a search, or a search without one"));
        }
        Ok(read)
    }

    fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let sealed = match &self.asked {
            Asked::Query(query) => Some(query.sealed_ms),
            Asked::Ids(_) => None,
        };
        let opened = self.given.iter().filter_map(|given| given.opened);
        [self.frames, self.span, sealed].into_iter().flatten().chain(opened)
    }

    fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        [Some(self.made_ms), Some(self.log_size), self.expires_ms]
            .into_iter()
            .flatten()
            .chain(self.ranges().flat_map(|(first, last)| [first, last]))
            .chain(self.given.iter().flat_map(|g| [g.entry, g.frames]))
            .chain(self.withheld.iter().flat_map(|w| std::iter::once(w.entry).chain(w.fields.iter().copied())))
            .chain(self.destroyed.iter().flat_map(|d| [d.entry, d.by]))
            .chain(self.out_of_scope.iter().flat_map(|o| std::iter::once(o.entry).chain(o.field)))
    }

    /// Every tape that is accounted for, with the entry that saved it.
    pub fn accounted(&self) -> impl Iterator<Item = (TapeId, CustodyId, u64)> + '_ {
        let whole = self.withheld.iter().filter(|w| w.what == What::Tape);
        (self.given.iter().map(|g| (g.tape, g.custody, g.entry)))
            .chain(whole.map(|w| (w.tape, w.custody, w.entry)))
            .chain(self.destroyed.iter().map(|d| (d.tape, d.custody, d.entry)))
            .chain(self.out_of_scope.iter().map(|o| (o.tape, o.custody, o.entry)))
    }
}

/// An object and nothing else: a list of its values in order would be another spelling of it.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Names<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Names<T> {
            type Value = T;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map))
            }
        }
        from.deserialize_map(Names(std::marker::PhantomData)).map(Self)
    }
}

fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Object<T>>::deserialize(from)?.into_iter().map(|Object(one)| one).collect())
}

fn asked<'de, D: Deserializer<'de>>(from: D) -> Result<Asked, D::Error> {
    use serde::de::Error as _;
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Either {
        ids: Option<Vec<String>>,
        query: Option<String>,
        sealed_ms: Option<(u64, u64)>,
    }
    let Object(either) = Object::<Either>::deserialize(from)?;
    match (either.ids, either.query, either.sealed_ms) {
        (Some(ids), None, None) if !ids.is_empty() => {
            let ids = ids.iter().map(|id| read_digits(id).map(TapeId::from_bytes)).collect::<Option<_>>();
            ids.map(|ids| Asked::Ids(AskedIds { ids })).ok_or_else(|| D::Error::custom("not 64 digits"))
        }
        (None, Some(query), Some(sealed_ms)) => Ok(Asked::Query(AskedQuery { query, sealed_ms })),
        _ => Err(D::Error::custom("neither ids nor a query with its time")),
    }
}

fn what<'de, D: Deserializer<'de>>(from: D) -> Result<What, D::Error> {
    use serde::de::Error as _;
    match String::deserialize(from)?.as_str() {
        "tape" => Ok(What::Tape),
        "frames" => Ok(What::Frames),
        "payloads" => Ok(What::Payloads),
        "header" => Ok(What::Header),
        "private" => Ok(What::Private),
        _ => Err(D::Error::custom("nothing that can be withheld")),
    }
}

/// A name that has to be there, with `null` for nothing: left out it is refused.
fn or_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)
}

fn digits<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<[u8; N], D::Error> {
    use serde::de::Error as _;
    read_digits(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("not so many hexadecimal digits"))
}

fn read_digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let mut bytes = [0; N];
    (text.bytes().all(is_hex) && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

mod hex16 {
    use super::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 16], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 16], D::Error> {
        super::digits(from)
    }
}

/// An id of 32 bytes, whichever.
trait Id: Sized {
    fn of(bytes: [u8; 32]) -> Self;
    fn digits(&self) -> String;
}

macro_rules! ids {
    ($($name:ty),*) => {$(
        impl Id for $name {
            fn of(bytes: [u8; 32]) -> Self {
                Self::from_bytes(bytes)
            }
            fn digits(&self) -> String {
                self.to_hex()
            }
        }
    )*};
}

ids!(TapeId, CustodyId, Digest);

mod hex32 {
    use super::{Deserializer, Id, Serializer};

    pub(super) fn serialize<S: Serializer, T: Id>(id: &T, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&id.digits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: Id>(from: D) -> Result<T, D::Error> {
        super::digits(from).map(T::of)
    }
}

fn hex32_list<S: Serializer, T: Id>(ids: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(ids.iter().map(Id::digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Completeness {
        let (tape, custody) = (TapeId::from_bytes([1; 32]), CustodyId::from_bytes([2; 32]));
        Completeness {
            format: FORMAT.into(),
            bundle: [7; 16],
            origin: "a.example/00".into(),
            ledger: Digest::from_bytes([3; 32]),
            made_ms: 5,
            log_size: 9,
            authority: "exam 1 \u{202e}".into(),
            recipient: None,
            expires_ms: Some(NUMBER_MAX),
            asked: Asked::Query(AskedQuery { query: "tag:x".into(), sealed_ms: (1, 2) }),
            frames: Some((0, 4)),
            payloads: false,
            span: Some((0, 8)),
            given: vec![Given { tape, custody, entry: 4, frames: 9, opened: Some((0, 4)) }],
            withheld: vec![Withheld { what: What::Tape, tape, custody, entry: 5, fields: vec![], why: "w".into() }],
            destroyed: vec![Destroyed { tape, custody, entry: 6, by: 8 }],
            out_of_scope: vec![OutOfScope { tape, custody, entry: 7, field: Some(10), why: "no tag x".into() }],
        }
    }

    #[test]
    fn it_comes_back() {
        let text = whole().to_json();
        assert_eq!(Completeness::parse(text.as_bytes()).unwrap(), whole());
        assert_eq!(whole().accounted().map(|(_, _, entry)| entry).collect::<Vec<_>>(), [4, 5, 6, 7]);
        let by_ids = Completeness {
            asked: Asked::Ids(AskedIds { ids: vec![TapeId::from_bytes([1; 32])] }),
            span: None,
            ..whole()
        };
        assert_eq!(Completeness::parse(by_ids.to_json().as_bytes()).unwrap(), by_ids);
    }

    #[test]
    fn each_field_is_named_once() {
        let with = |fields: Vec<u64>| {
            let mut lists = whole();
            lists.withheld.iter_mut().for_each(|w| (w.what, w.fields) = (What::Header, fields.clone()));
            Completeness::parse(lists.to_json().as_bytes())
        };
        assert!(with(vec![24, 10]).is_ok());
        assert!(matches!(with(vec![10, 10, 24]), Err(BundleError::Form("a field twice"))));
    }

    #[test]
    fn what_does_not_read() {
        let text = whole().to_json();
        let json = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            let read = Completeness::parse(text.replacen(from, to, 1).as_bytes());
            assert!(matches!(read, Err(BundleError::Json(_))), "{from} -> {to}: {read:?}");
        };
        json("\"made_ms\": 5", "\"made_ms\": 5, \"made_ms\": 5");
        json("\"made_ms\": 5", "\"made_ms\": 5, \"more\": 5");
        json("\"made_ms\": 5", "\"made_ms\": 5.0");
        json("\"made_ms\": 5", "\"made_ms\": 5e0");
        json("\"made_ms\": 5", "\"made_ms\": -0");
        json("\"made_ms\": 5", "\"made_ms\": \"5\"");
        json("\"made_ms\": 5,", "");
        json("\"recipient\": null,", "");
        json("\"field\": 10", "\"fields\": 10");
        json("\"query\": \"tag:x\"", "\"query\": \"tag:x\", \"ids\": []");
        json("\"tape\": \"01", "\"tape\": \"0A");
        json("\"tape\": \"01", "\"tape\": \"0");
        json("exam 1", "\\ud800");
        json("\"what\": \"tape\"", "\"what\": \"tapes\"");
        json("\"what\": \"tape\"", "\"what\": {\"tape\": null}");
        json("\"asked\": {", "\"asked\": {\"ids\": [], ");
        json("\"query\": \"tag:x\"", "\"query\": null");
        json("\"sealed_ms\": [\n      1,", "\"sealed_ms\": [\n      1, 1,");
        let list = format!("[\"{}\", \"{}\", 6, 8]", "01".repeat(32), "02".repeat(32));
        let (front, rest) = text.split_once("\"destroyed\": [").unwrap();
        let behind = rest.split_once(']').unwrap().1;
        let read = Completeness::parse(format!("{front}\"destroyed\": [{list}]{behind}").as_bytes());
        assert!(matches!(read, Err(BundleError::Json(_))), "a list is no object: {read:?}");
        for (from, to) in
            [("immutape/completeness/1", "immutape/completeness/2"), ("\"by\": 8", "\"by\": 9007199254740992")]
        {
            assert!(text.contains(from), "{from}");
            let read = Completeness::parse(text.replacen(from, to, 1).as_bytes());
            assert!(matches!(read, Err(BundleError::Form(_))), "{read:?}");
        }
        let without = Completeness { span: None, ..whole() };
        assert!(matches!(Completeness::parse(without.to_json().as_bytes()), Err(BundleError::Form(_))));
        assert!(matches!(Completeness::parse(&vec![b' '; COMPLETENESS_BYTES_MAX + 1]), Err(BundleError::Form(_))));
        assert!(matches!(Completeness::parse(&[text.as_bytes(), b"x"].concat()), Err(BundleError::Json(_))));
        assert!(matches!(Completeness::parse(&[b"\xef\xbb\xbf", text.as_bytes()].concat()), Err(BundleError::Json(_))));
    }
}

//! JSON read as text: names and values keep the exact bytes of the source.
//!
//! Parsing into values would lose duplicate names, number spellings and white space, which are evidence.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Most members of one record: a line of ten megabytes could hold a million of them, and each costs memory.
pub(super) const MEMBERS_MAX: usize = 4_096;

/// Why text is not what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotRead {
    /// It stops in the middle.
    CutOff,
    /// It is not JSON.
    NotJson,
    /// It is JSON, but no object.
    NotAnObject,
    /// It is an object with more than [`MEMBERS_MAX`] members.
    TooMany,
}

impl NotRead {
    fn of(e: &serde_json::Error) -> Self {
        if e.is_eof() { Self::CutOff } else { Self::NotJson }
    }

    /// Looks at the first byte before a reader that expects another shape does: it would copy a text of
    /// megabytes into its complaint.
    fn unless(text: &str, open: char) -> Result<(), Self> {
        if text.trim_start().starts_with(open) {
            return Ok(());
        }
        serde_json::from_str::<IgnoredAny>(text).map_or_else(|e| Err(Self::of(&e)), |_| Err(Self::NotAnObject))
    }

    /// Words for a loss or an error, to follow "it".
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::CutOff => "stops in the middle of its JSON text",
            Self::NotJson => "is not JSON",
            Self::NotAnObject => "is JSON but not an object",
            Self::TooMany => "has more than 4096 fields",
        }
    }
}

/// Only the white space that JSON knows, or nothing.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'))
}

/// The text of a JSON string; `None` for another value, or escapes that are no characters.
pub(super) fn string(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str::<String>(text).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// A JSON number that is a whole number from 0 up, written without fraction or exponent.
pub(super) fn whole(text: &str) -> Option<u64> {
    text.parse().ok()
}

/// A JSON truth value.
pub(super) fn truth(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// A name as the source means it; escapes that are no characters are left as written.
fn name(quoted: &RawValue) -> Cow<'_, str> {
    let text = quoted.get();
    string(text).unwrap_or_else(|| Cow::Borrowed(text.trim_matches('"')))
}

/// One member of an object.
struct Member<'a> {
    name: Cow<'a, str>,
    value: &'a str,
    used: bool,
}

/// The members of one object in source order, used up one by one; what nobody used is left over.
#[derive(Default)]
pub(super) struct Members<'a>(Vec<Member<'a>>);

impl<'a> Members<'a> {
    /// Reads one object.
    pub(super) fn parse(text: &'a str) -> Result<Self, NotRead> {
        NotRead::unless(text, '{')?;
        let list: Listed<'a> = serde_json::from_str(text).map_err(|e| NotRead::of(&e))?;
        list.0.map(Self).ok_or(NotRead::TooMany)
    }

    /// Uses the last member called `name`, if `read` can make something of it. A null counts as absent.
    /// Of several members with one name the last counts, as nearly every JSON reader has it.
    pub(super) fn read<T>(&mut self, name: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Option<T> {
        let member = self.0.iter_mut().rfind(|m| m.name == name)?;
        if member.value == "null" {
            member.used = true;
            return None;
        }
        let value = read(member.value);
        member.used |= value.is_some();
        value
    }

    /// Uses the last member called `name` as text.
    pub(super) fn read_string(&mut self, name: &str) -> Option<Cow<'a, str>> {
        self.read(name, string)
    }

    /// Uses the last member called `name`, whatever it is.
    pub(super) fn read_raw(&mut self, name: &str) -> Option<&'a str> {
        self.read(name, Some)
    }

    /// The last member called `name`, not used up.
    pub(super) fn peek(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rfind(|m| m.name == name).map(|m| m.value)
    }

    /// Where the last member called `name` stands.
    pub(super) fn place(&self, name: &str) -> usize {
        self.0.iter().rposition(|m| m.name == name).unwrap_or(usize::MAX)
    }

    /// What nobody used: place, name, value.
    pub(super) fn left(&self) -> impl Iterator<Item = (usize, &str, &'a str)> {
        self.0.iter().enumerate().filter(|(_, m)| !m.used).map(|(i, m)| (i, m.name.as_ref(), m.value))
    }
}

/// The list, or `None` when there were too many.
struct Listed<'a>(Option<Vec<Member<'a>>>);

impl<'de> Deserialize<'de> for Listed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ListVisitor).map(Self)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Option<Vec<Member<'de>>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut list, mut too_many) = (Vec::with_capacity(12), false);
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            if list.len() < MEMBERS_MAX {
                list.push(Member { name: name(key), value: value.get(), used: false });
            } else {
                too_many = true;
            }
        }
        Ok((!too_many).then_some(list))
    }
}

/// The last values under some names of one object; other members cost nothing however many there are.
pub(super) fn pick<'a, const N: usize>(text: &'a str, names: [&str; N]) -> Result<[Option<&'a str>; N], NotRead> {
    NotRead::unless(text, '{')?;
    let mut de = serde_json::Deserializer::from_str(text);
    let found = de.deserialize_map(PickVisitor(names)).map_err(|e| NotRead::of(&e))?;
    de.end().map_err(|_| NotRead::NotJson)?;
    Ok(found)
}

struct PickVisitor<'n, const N: usize>([&'n str; N]);

impl<'de, const N: usize> Visitor<'de> for PickVisitor<'_, N> {
    type Value = [Option<&'de str>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let key = name(key);
            if let Some((_, slot)) = self.0.iter().zip(&mut found).find(|(n, _)| **n == key) {
                *slot = Some(value.get());
            }
        }
        Ok(found)
    }
}

/// Calls `each` with every element of an array, none of them kept.
pub(super) fn elements<'a>(text: &'a str, each: impl FnMut(&'a str)) -> Result<(), NotRead> {
    NotRead::unless(text, '[')?;
    let mut de = serde_json::Deserializer::from_str(text);
    de.deserialize_seq(EachVisitor(each)).map_err(|e| NotRead::of(&e))?;
    de.end().map_err(|_| NotRead::NotJson)
}

struct EachVisitor<F>(F);

impl<'de, F: FnMut(&'de str)> Visitor<'de> for EachVisitor<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element::<&RawValue>()? {
            (self.0)(element.get());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_of_equal_names_counts_and_the_others_are_left() {
        let mut m = Members::parse(r#"{"a": 1,"b":null, "\u0061":2 ,"c":"x\ny"}"#).unwrap();
        assert_eq!(m.read("a", whole), Some(2));
        assert_eq!(m.read("b", whole), None);
        assert_eq!(m.read_string("c").as_deref(), Some("x\ny"));
        assert_eq!(m.left().collect::<Vec<_>>(), vec![(0, "a", "1")]);
    }

    #[test]
    fn what_cannot_be_read_is_left() {
        let mut m = Members::parse(r#"{"ts":1.5,"id":"\ud800"}"#).unwrap();
        assert_eq!((m.read("ts", whole), m.read_string("id")), (None, None));
        assert_eq!(m.left().count(), 2);
    }

    #[test]
    fn reasons() {
        let reason = |t: &str| Members::parse(t).err();
        assert_eq!(reason(r#"{"a":"#), Some(NotRead::CutOff));
        assert_eq!(reason("{a}"), Some(NotRead::NotJson));
        assert_eq!(reason("[1]"), Some(NotRead::NotAnObject));
        assert_eq!(reason("[1"), Some(NotRead::CutOff));
        assert_eq!(reason("{} {}"), Some(NotRead::NotJson));
        let many = format!("{{{}\"z\":0}}", "\"a\":1,".repeat(MEMBERS_MAX));
        assert_eq!(reason(&many), Some(NotRead::TooMany));
    }

    #[test]
    fn names_that_are_no_characters_do_not_hide_the_object() {
        assert_eq!(pick(r#"{"\ud800":1,"id":7}"#, ["id"]), Ok([Some("7")]));
    }

    #[test]
    fn deep_nesting_is_carried() {
        let deep = format!("{{\"message\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(pick(&deep, ["message"]).unwrap()[0].map(str::len), Some(200_000));
    }
}

//! Entry 0: who the log is.

use super::body_fields::Fields;
use super::body_people::{Founder, read_founders, write_founders};
use crate::codec::CborError;
use crate::codec::cbor::{Reader, Writer};
use crate::codec::digest::Thumbprint;

/// What the keys of a genesis say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// Origin of the log.
    pub origin: String,
    /// Checkpoint, recorder and issuer public keys.
    pub keys: [[u8; 32]; 3],
    /// Thumbprints of the keys that may follow them.
    pub next: [Thumbprint; 3],
    /// Profile.
    pub profile: String,
    /// Access policy.
    pub policy: String,
    /// Made from a seed: for tests alone.
    pub test: bool,
    /// The log this one continues: origin, last note, first and last lost index.
    pub predecessor: Option<(String, Vec<u8>, u64, Option<u64>)>,
    /// People who are there from the beginning; nobody where the policy asks for no people.
    pub founders: Vec<Founder>,
}

pub(super) fn write_genesis(w: &mut Writer, g: &Genesis) {
    let optional = [g.predecessor.is_some(), !g.founders.is_empty()].into_iter().filter(|there| *there).count();
    w.map(optional.saturating_add(9));
    w.uint(0);
    w.uint(1);
    w.uint(1);
    w.text(&g.origin);
    for (key, k) in (2u64..).zip(&g.keys) {
        w.uint(key);
        w.bytes(k);
    }
    w.uint(5);
    w.array(3);
    g.next.iter().for_each(|t| w.bytes(t.as_ref()));
    w.uint(6);
    w.text(&g.profile);
    w.uint(7);
    w.text(&g.policy);
    w.uint(8);
    w.bool(g.test);
    if let Some((origin, note, first, last)) = &g.predecessor {
        w.uint(9);
        w.array(4);
        w.text(origin);
        w.bytes(note);
        w.uint(*first);
        w.nullable(*last, Writer::uint);
    }
    if !g.founders.is_empty() {
        w.uint(10);
        write_founders(w, &g.founders);
    }
}

pub(super) fn read_genesis(mut f: Fields<'_>) -> Result<Genesis, CborError> {
    if f.uint(0)? != 1 {
        return Err(CborError::Range);
    }
    let genesis = Genesis {
        origin: Some(f.text(1)?).filter(|text| is_origin(text)).ok_or(CborError::Range)?.to_owned(),
        keys: [*f.digest(2)?.as_bytes(), *f.digest(3)?.as_bytes(), *f.digest(4)?.as_bytes()],
        next: {
            let mut r = Reader::new(f.raw(5)?);
            r.array_of(3)?;
            let mut thumb = || r.bytes_n().map(Thumbprint::from_bytes);
            [thumb()?, thumb()?, thumb()?]
        },
        profile: f.text(6)?.to_owned(),
        policy: f.text(7)?.to_owned(),
        test: f.bool(8)?,
        predecessor: f.optional_raw(9)?.map(read_predecessor).transpose()?,
        founders: f.optional_raw(10)?.map(read_founders).transpose()?.unwrap_or_default(),
    };
    f.end()?;
    Ok(genesis)
}

/// Name, slash and 32 hexadecimal digits (`docs/format/1-bytes.md` 1.4); a key name of C2SP signed-note.
pub fn is_origin(text: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let is_bad = |c: char| c.is_whitespace() || c == '+' || c < ' ';
    text.rsplit_once('/').is_some_and(|(name, digits)| {
        !name.is_empty() && !name.contains(is_bad) && digits.len() == 32 && digits.chars().all(is_digit)
    })
}

fn read_predecessor(raw: &[u8]) -> Result<(String, Vec<u8>, u64, Option<u64>), CborError> {
    let mut r = Reader::new(raw);
    r.array_of(4)?;
    let (origin, note, first) = (r.text()?.to_owned(), r.bytes()?.to_vec(), r.uint()?);
    Ok((origin, note, first, if r.null_if_next() { None } else { Some(r.uint()?) }))
}

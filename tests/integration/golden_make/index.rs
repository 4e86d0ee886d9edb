//! `index.toml` of a chapter: written here, read by the tests and by anybody.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::diff::{Edit, diff};
use super::kit::{Chapter, Value};

/// The index as text.
pub fn write(chapter: &Chapter) -> String {
    let mut out = String::new();
    let w = &mut out;
    for line in chapter.about.lines() {
        writeln!(w, "# {line}").unwrap();
    }
    writeln!(w, "\nchapter = {}\n\n[inputs]", quoted(chapter.name)).unwrap();
    for (name, value, meaning) in &chapter.inputs {
        writeln!(w, "{name} = {} # {meaning}", shown(value)).unwrap();
    }
    for a in &chapter.accepts {
        writeln!(w, "\n[[accept]]\nfile = {}\ndecoder = {}", quoted(&a.file), quoted(a.decoder)).unwrap();
        if let Some(rule) = a.cddl {
            writeln!(w, "cddl = {}", quoted(rule)).unwrap();
        }
        writeln!(w, "what = {}\nbytes = {}", quoted(&a.what), a.bytes.len()).unwrap();
        writeln!(w, "sha256 = {}", quoted(&hex::encode(immutape::codec::digest::sha256(&a.bytes)))).unwrap();
        if !a.values.is_empty() {
            writeln!(w, "[accept.values]").unwrap();
        }
        for (name, value) in &a.values {
            writeln!(w, "{name} = {}", shown(value)).unwrap();
        }
    }
    for r in &chapter.rejects {
        writeln!(w, "\n[[reject]]\nfile = {}\nfrom = {}", quoted(&r.file), quoted(&r.from)).unwrap();
        writeln!(w, "error = {}\nwhat = {}", quoted(&r.error), quoted(&r.what)).unwrap();
        if !r.refreshed.is_empty() {
            let names: Vec<_> = r.refreshed.iter().map(|n| quoted(n)).collect();
            writeln!(w, "refreshed = [{}]", names.join(", ")).unwrap();
        }
        writeln!(w, "edits = [").unwrap();
        for e in diff(chapter.bytes(&r.from), &r.bytes) {
            let (old, new) = (hex::encode(&e.old), hex::encode(&e.new));
            writeln!(w, "  {{ at = {}, old = \"{old}\", new = \"{new}\" }},", e.at).unwrap();
        }
        writeln!(w, "]").unwrap();
    }
    out
}

fn quoted(words: &str) -> String {
    toml::Value::String(words.to_owned()).to_string()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Hex(bytes) => quoted(&hex::encode(bytes)),
        Value::Text(words) => quoted(words),
        Value::Int(n) => n.to_string(),
    }
}

/// A read index.
pub struct Index {
    pub accepts: Vec<Accepted>,
    pub rejects: Vec<Refused>,
}

/// An entry for an accepted file; `values` holds the chapter's inputs too.
pub struct Accepted {
    pub file: String,
    pub decoder: String,
    pub cddl: Option<String>,
    pub sha256: String,
    pub values: Values,
}

/// An entry for a refused file.
pub struct Refused {
    pub file: String,
    pub from: String,
    pub error: String,
    pub edits: Vec<Edit>,
}

/// Named values, as written.
#[derive(Debug, Clone, Default)]
pub struct Values(pub BTreeMap<String, String>);

impl Values {
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("the index gives no {name}"))
    }
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        hex::decode(self.text(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }
    pub fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap_or_else(|_| panic!("{name} has another length"))
    }
    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}

/// Reads an index.
pub fn read(text: &str) -> Index {
    let table: toml::Table = text.parse().unwrap();
    let inputs = values(&table["inputs"]);
    let list = |name: &str| table.get(name).map_or_else(Vec::new, |l| l.as_array().unwrap().clone());
    Index {
        accepts: list("accept")
            .iter()
            .map(|a| {
                let mut all = inputs.clone();
                all.0.extend(a.get("values").map(values).unwrap_or_default().0);
                Accepted {
                    file: string(a, "file"),
                    decoder: string(a, "decoder"),
                    cddl: a.get("cddl").map(|_| string(a, "cddl")),
                    sha256: string(a, "sha256"),
                    values: all,
                }
            })
            .collect(),
        rejects: list("reject")
            .iter()
            .map(|r| Refused {
                file: string(r, "file"),
                from: string(r, "from"),
                error: string(r, "error"),
                edits: r["edits"].as_array().unwrap().iter().map(edit).collect(),
            })
            .collect(),
    }
}

fn edit(e: &toml::Value) -> Edit {
    Edit {
        at: e["at"].as_integer().unwrap().try_into().unwrap(),
        old: hex::decode(string(e, "old")).unwrap(),
        new: hex::decode(string(e, "new")).unwrap(),
    }
}

fn string(table: &toml::Value, name: &str) -> String {
    table[name].as_str().unwrap_or_else(|| panic!("{name} is no text")).to_owned()
}

fn values(table: &toml::Value) -> Values {
    let plain = |v: &toml::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    Values(table.as_table().unwrap().iter().map(|(k, v)| (k.clone(), plain(v))).collect())
}

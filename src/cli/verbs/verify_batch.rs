//! `verify --batch`: many pieces of evidence, one JSON object a line, each answered by a line. Several programs that are asked the
//! same can be compared so.

use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::verify_files::{Given, published};
use crate::cli::out::Out;
use crate::error::{Code, Error, Kind, Result};
use crate::evidence::Verdict;
use crate::evidence::bundle::{BundleReport, Piece, PieceError, check_piece};
use crate::ledger::check_bundle_at;
use crate::store::files::Files;

/// The longest frame in hexadecimal digits, and more than that around it.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// Answers every line of standard input, until its end.
pub(super) fn run(out: &mut Out, files: &Arc<dyn Files>) -> Result<u8> {
    answer(&mut std::io::stdin().lock(), out, files)
}

fn answer(input: &mut dyn BufRead, out: &mut Out, files: &Arc<dyn Files>) -> Result<u8> {
    let (mut exit, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let read = (&mut *input).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let read = read.map_err(|e| Error::new(Code::Io, "standard input cannot be read").with_source(e))?;
        if read == 0 || out.is_stopped() {
            return Ok(exit);
        }
        let is_cut = read as u64 == LINE_BYTES_MAX && line.last() != Some(&b'\n');
        if is_cut {
            skip_line(input)?;
        }
        let object = serde_json::from_slice::<Map<String, Value>>(&line).ok().filter(|_| !is_cut);
        let answer = match object.as_ref().and_then(|object| one(object, files)) {
            Some(answer) => answer,
            None => {
                exit = Kind::Usage.exit_code();
                json!({ "n": null, "error": "not an object with a number n and a kind that is known" })
            }
        };
        // One line for one: who asks may wait for it before asking again.
        out.document(answer);
        out.flush();
    }
}

fn skip_line(input: &mut dyn BufRead) -> Result<()> {
    loop {
        let held =
            input.fill_buf().map_err(|e| Error::new(Code::Io, "standard input cannot be read").with_source(e))?;
        let end = held.iter().position(|b| *b == b'\n');
        let (length, is_last) = (held.len(), held.is_empty());
        input.consume(end.map_or(length, |at| at.saturating_add(1)));
        if end.is_some() || is_last {
            return Ok(());
        }
    }
}

/// The answer to one object; `None` where it is none that can be answered.
fn one(object: &Map<String, Value>, files: &Arc<dyn Files>) -> Option<Value> {
    let n = object.get("n")?.as_u64()?;
    let kind = object.get("kind")?.as_str()?;
    match kind {
        "bundle" | "tree" => Some(verdict(n, &report(kind, object, files))),
        "ledger" => {
            Some(json!({ "n": n, "error": "a ledger is checked by `immutape verify --dir`, where it can be locked" }))
        }
        _ => piece(n, kind, object),
    }
}

fn piece(n: u64, kind: &str, object: &Map<String, Value>) -> Option<Value> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let bytes = match (text("hex"), text("text")) {
        (Some(digits), None) => hex::decode(digits).ok(),
        (None, Some(text)) => Some(text.as_bytes().to_vec()),
        _ => return None,
    };
    let checked = match &bytes {
        Some(bytes) => check_piece(kind, Piece { bytes, key: text("key"), leaf: text("leaf") }),
        None => Err(PieceError::Refused("not hexadecimal digits".into())),
    };
    match checked {
        Ok(id) => Some(json!({ "n": n, "accept": true, "id": id })),
        Err(PieceError::Kind) => None,
        Err(e) => Some(json!({ "n": n, "accept": false, "why": e.to_string() })),
    }
}

fn verdict(n: u64, report: &BundleReport) -> Value {
    let words: Vec<&str> = report.words().into_iter().map(Verdict::word).collect();
    let ids: Vec<String> = report.ids().iter().map(|id| id.to_hex()).collect();
    let verdict = report.verdict();
    json!({ "n": n, "verdict": verdict.word(), "exit": verdict.exit_code(), "words": words, "ids": ids })
}

/// A list of text, a text alone, or nothing.
fn texts<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Vec<&'a str>> {
    let bad = || Error::new(Code::Usage, format!("{name} is no list of text"));
    match object.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text]),
        Some(Value::Array(list)) => list.iter().map(|text| text.as_str().ok_or_else(bad)).collect(),
        Some(_) => Err(bad()),
    }
}

fn report(kind: &str, object: &Map<String, Value>, files: &Arc<dyn Files>) -> BundleReport {
    checked(kind, object, files).unwrap_or_else(|e| BundleReport::unasked(e.message()))
}

fn checked(kind: &str, object: &Map<String, Value>, files: &Arc<dyn Files>) -> Result<BundleReport> {
    let bad = |what: &'static str| Error::new(Code::Usage, what);
    let path = object.get("path").and_then(Value::as_str).ok_or(bad("no path"))?;
    let quorum = match object.get("quorum") {
        None | Some(Value::Null) => None,
        Some(quorum) => Some(quorum.as_u64().ok_or(bad("a quorum is a number"))?),
    };
    let heads = texts(object, "head")?.into_iter().map(PathBuf::from).collect();
    let given = Given { keys: texts(object, "pub")?, witnesses: texts(object, "witness")?, quorum, heads };
    let pins = given.read(&**files)?;
    if kind == "tree" {
        return Ok(published(files, Path::new(path), &pins));
    }
    let tree = match texts(object, "tree")?.as_slice() {
        [] => None,
        [tree] => Some(PathBuf::from(tree)),
        _ => return Err(bad("a bundle is checked with one tree")),
    };
    let cannot = |e| Error::new(Code::Usage, "the folder of the tree cannot be read").with_source(e);
    check_bundle_at(files, Path::new(path), &pins, tree.as_deref()).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::{self, Write};
    use std::rc::Rc;

    use super::*;
    use crate::cli::terminal::Look;
    use crate::store::files::RealFiles;

    struct Sink(Rc<RefCell<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn ask(lines: &str) -> (u8, Vec<Value>) {
        let said = Rc::new(RefCell::new(Vec::new()));
        let sink = || Box::new(Sink(said.clone()));
        let look = Look { colour: false, columns: None, terminal: false, words: None };
        let mut out = Out::new(sink(), sink(), look);
        let files: Arc<dyn Files> = Arc::new(RealFiles);
        let exit = answer(&mut lines.as_bytes(), &mut out, &files).unwrap();
        let said = String::from_utf8(said.borrow().clone()).unwrap();
        (exit, said.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    #[test]
    fn every_line_has_its_answer_in_order() {
        let (exit, said) = ask(concat!(
            r#"{"n":1,"kind":"cbor","hex":"80"}"#,
            "\n",
            r#"{"n":2,"kind":"cbor","hex":"9fff"}"#,
            "\n",
            r#"{"n":3,"kind":"cbor","hex":"8"}"#,
            "\n",
            r#"{"n":4,"kind":"ledger","path":"."}"#,
            "\n",
            r#"{"n":5,"kind":"bundle","path":"/nowhere"}"#,
            "\n",
            r#"{"n":6,"kind":"bundle","path":"/nowhere","quorum":0}"#,
            "\n",
            r#"{"n":7,"kind":"bundle","path":"/nowhere","pub":["/"]}"#,
            "\n",
            r#"{"n":8,"kind":"tree","path":"/nowhere"}"#,
            "\n",
            r#"{"n":9,"kind":"bundle","path":"/nowhere","tree":["a","b"]}"#,
        ));
        assert_eq!((exit, said.len()), (0, 9));
        assert!(said.iter().map(|answer| answer["n"].as_u64()).eq((1..=9).map(Some)));
        assert_eq!(
            said[0],
            json!({ "n": 1, "accept": true, "id": hex::encode(crate::codec::digest::sha256(&[0x80])) })
        );
        assert_eq!((&said[1]["accept"], &said[2]["accept"]), (&json!(false), &json!(false)));
        assert!(said[1]["why"].is_string() && said[3]["error"].is_string());
        for n in [4, 7] {
            assert_eq!(said[n]["words"], json!(["not anchored", "unpinned keys", "cannot tell"]), "{n}");
        }
        for n in [5, 6, 8] {
            let alone = json!({ "n": n + 1, "verdict": "cannot tell", "exit": 1, "words": ["cannot tell"], "ids": [] });
            assert_eq!(said[n], alone, "what cannot be asked so is not looked at");
        }
    }

    #[test]
    fn what_is_no_object_is_told_and_ends_in_a_code() {
        for line in
            ["", "[]", "{}", r#"{"n":1}"#, r#"{"n":"1","kind":"cbor","hex":"80"}"#, r#"{"n":1,"kind":"x","hex":""}"#]
        {
            let (exit, said) = ask(&format!("{line}\n"));
            assert_eq!((exit, said.len(), &said[0]["n"]), (2, 1, &Value::Null), "{line}");
        }
        assert_eq!(ask(""), (0, vec![]));
    }
}

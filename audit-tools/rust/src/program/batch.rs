//! Batch mode: one JSON object a line in, one a line out.

use super::judge::{Kind, check};
use super::pinned;
use serde_json::{Value, json};
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};
use tapeaudit_core::digest::hash;
use tapeaudit_core::entry::Entry;
use tapeaudit_core::fork::Fork;
use tapeaudit_core::note::Head;
use tapeaudit_core::proof::Proof;
use tapeaudit_core::receipt::Receipt;
use tapeaudit_core::report::{Report, Word};
use tapeaudit_core::sign::{KeyType, PublicKey, VerifierKey};
use tapeaudit_core::statement::Statement;
use tapeaudit_core::succession::Succession;
use tapeaudit_core::tape::{Manifest, Root, frame, header};
use tapeaudit_core::{Result, cbor, private, refuse, text};

/// Most bytes of a line: a manifest in hexadecimal, and room.
const MOST_LINE: u64 = 192 << 20;

/// Answers each line of the input until it ends. True when every line was a request.
///
/// # Errors
/// Streams that cannot be read or written.
pub fn run(input: impl std::io::Read, output: &mut impl Write) -> std::io::Result<bool> {
    let (mut input, mut all_good, mut line) = (std::io::BufReader::new(input), true, Vec::new());
    loop {
        line.clear();
        let n = input.by_ref().take(MOST_LINE).read_until(b'\n', &mut line)?;
        if n == 0 {
            return Ok(all_good);
        }
        let cut = !line.ends_with(b"\n") && n as u64 == MOST_LINE;
        let answer = match serde_json::from_slice::<Value>(&line) {
            Ok(Value::Object(request)) if !cut => one(&request),
            _ => None,
        };
        all_good &= answer.is_some();
        let answer = answer.unwrap_or_else(|| json!({"n": null, "error": "no request"}));
        writeln!(output, "{answer}")?;
        output.flush()?;
        if cut {
            return Ok(false);
        }
    }
}

type Request = serde_json::Map<String, Value>;

fn one(request: &Request) -> Option<Value> {
    let n = request.get("n")?;
    let kind = request.get("kind")?.as_str()?;
    let whole = match kind {
        "bundle" => Some(Kind::Bundle),
        "tree" => Some(Kind::Tree),
        "ledger" => Some(Kind::Ledger),
        _ => None,
    };
    if let Some(kind) = whole {
        let report = judged(kind, request)?;
        let words: Vec<&str> = report.words().iter().map(|word| word.name()).collect();
        let verdict = report.verdict();
        return Some(
            json!({"n": n, "verdict": verdict.name(), "exit": verdict.exit(), "words": words, "ids": distinct(&report.tapes)}),
        );
    }
    let bytes = match (request.get("hex"), request.get("text")) {
        (Some(hex), _) => text::unhex(&hex.as_str()?.to_ascii_lowercase()).ok()?,
        (None, Some(text)) => text.as_str()?.as_bytes().to_vec(),
        _ => return None,
    };
    let answer = decode(kind, &bytes, request)?;
    Some(match answer {
        Ok(id) => json!({"n": n, "accept": true, "id": text::hex(&id)}),
        Err(why) => json!({"n": n, "accept": false, "why": why.0}),
    })
}

/// A list of texts; empty where the request has none.
fn texts(request: &Request, name: &str) -> Option<Vec<String>> {
    let Some(list) = request.get(name) else { return Some(Vec::new()) };
    list.as_array()?.iter().map(|item| item.as_str().map(String::from)).collect()
}

/// Checks a bundle, a tree or a ledger. What was given wrongly from elsewhere leaves nothing to check by.
fn judged(kind: Kind, request: &Request) -> Option<Report> {
    let path = Path::new(request.get("path")?.as_str()?);
    let quorum = match request.get("quorum") {
        None | Some(Value::Null) => None,
        Some(number) => Some(number.as_u64()?),
    };
    let folder = |name: &str| request.get(name).and_then(Value::as_str).map(PathBuf::from);
    let mut report = Report::new();
    let given = (texts(request, "pub")?, texts(request, "witness")?, texts(request, "head")?);
    match pinned::read(&given.0, &given.1, quorum, &given.2) {
        Err(why) => report.find(Word::CannotTell, "what was given from elsewhere", why.0),
        Ok(pins) => {
            check(Some(kind), path, &pins, folder("tree").as_deref(), folder("state").as_deref(), &mut report);
        }
    }
    Some(report)
}

/// What a decoder says of these bytes; None for a kind that is none.
fn decode(kind: &str, bytes: &[u8], request: &Request) -> Option<Result<[u8; 32]>> {
    let whole = |result: Result<()>| result.map(|()| hash(bytes));
    Some(match kind {
        "cbor" => whole(cbor::whole_item(bytes)),
        "frame" => whole(frame(bytes).map(drop)),
        "header" => whole(header(bytes)),
        "root" => whole(Root::read(bytes).map(drop)),
        "manifest" => whole(Manifest::read(bytes).map(drop)),
        "private" => whole(private::half(bytes)),
        "statement" => statement(bytes, request),
        "entry" => Entry::read(bytes).map(|entry| entry.leaf),
        "note" => note(bytes, request),
        "proof" => proof(bytes, request),
        "receipt" => receipt(bytes, request),
        "fork" => log_key(request).and_then(|key| Fork::read(bytes)?.verify(&key)),
        "succession" => Succession::read(bytes).map(|statement| statement.id),
        _ => return None,
    })
}

fn word<'a>(request: &'a Request, name: &str) -> Result<&'a str> {
    request.get(name).and_then(Value::as_str).map_or_else(|| refuse("a key of the request is missing"), Ok)
}

fn log_key(request: &Request) -> Result<VerifierKey> {
    let key = VerifierKey::read(word(request, "key")?)?;
    if key.of == KeyType::Log { Ok(key) } else { refuse("a witness where a log belongs") }
}

fn public_key(request: &Request) -> Result<PublicKey> {
    PublicKey::new(text::unhex_of(word(request, "key")?)?)
}

fn statement(bytes: &[u8], request: &Request) -> Result<[u8; 32]> {
    let statement = Statement::read(bytes)?;
    if request.contains_key("key") {
        statement.verify(&public_key(request)?)?;
    }
    Ok(statement.tape)
}

fn note(bytes: &[u8], request: &Request) -> Result<[u8; 32]> {
    let head = Head::read(bytes)?;
    head.verify(&log_key(request)?)?;
    witnessed(&head, request)?;
    Ok(head.root)
}

/// Where witnesses are named, so many of them have to have cosigned; all where no number is.
fn witnessed(head: &Head, request: &Request) -> Result<()> {
    let Some(names) = request.get("witness").and_then(Value::as_array) else { return Ok(()) };
    let mut found = 0_u64;
    for name in names {
        let key = VerifierKey::read(name.as_str().unwrap_or_default())?;
        tapeaudit_core::ensure(key.of == KeyType::Witness, "a log where a witness belongs")?;
        found = found.saturating_add(u64::from(head.note.cosigned_by(&key)?.is_some()));
    }
    let quorum = request.get("quorum").and_then(Value::as_u64).unwrap_or(names.len() as u64);
    tapeaudit_core::ensure(found >= quorum, "too few cosignatures")
}

fn proof(bytes: &[u8], request: &Request) -> Result<[u8; 32]> {
    let proof = Proof::read(bytes)?;
    proof.head.verify(&log_key(request)?)?;
    witnessed(&proof.head, request)?;
    let Some(extra) = &proof.extra else { return refuse("no extra line") };
    let leaf = tapeaudit_core::tree::leaf(extra);
    proof.check(&leaf)?;
    Ok(leaf)
}

fn receipt(bytes: &[u8], request: &Request) -> Result<[u8; 32]> {
    Receipt::read(bytes)?.verify(&text::unhex_of(word(request, "leaf")?)?, &public_key(request)?)
}

/// A tape that is given twice is one tape.
fn distinct(tapes: &[String]) -> Vec<&String> {
    let ids: std::collections::BTreeSet<&String> = tapes.iter().collect();
    ids.into_iter().collect()
}

//! Given tapes: their entries and their files (checks 7 and 8).

use super::completeness::{Elsewhere, Given};
use super::custody::Chain;
use super::entries::{MOST_PATHS, read_hashes};
use super::facts::Log;
use super::frames::{self, Seen};
use super::source::{Source, has, whole};
use crate::cbor::Reader;
use crate::digest::{Hash, hash};
use crate::error::{Result, ensure, refuse};
use crate::keys::Role;
use crate::opened::Opened;
use crate::proof::Proof;
use crate::receipt::Receipt;
use crate::report::{Report, Word};
use crate::tape::{Manifest, Root, STARRED, header_field};
use crate::text;
use crate::trust::Saved;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What a tape's files came to, for the accounting.
#[derive(Default)]
pub struct Judged {
    /// The root file.
    pub root: Option<Root>,
    /// Header fields that stay closed.
    pub header_closed: Option<Vec<u64>>,
    /// Frames that are here.
    pub frames: Option<Seen>,
}

/// Files of a given tape, and whether each has to be there.
pub const FILES: [(&str, bool); 9] = [
    ("root.cbor", true),
    ("header.cbor", true),
    ("manifest.cbor", true),
    ("statement.cose", true),
    ("frames.cbor", true),
    ("frames-paths.cbor", true),
    ("saved.tlog-proof", true),
    ("evidence.tlog-proof", true),
    ("receipt.cose", false),
];

/// Most bytes of a header that is opened: its fields and their salts.
const MOST_HEADER: u64 = 16 << 20;

/// Place of a file of a tape.
pub fn path(tape: &Hash, file: &str) -> String {
    format!("data/tapes/{}/{file}", text::hex(tape))
}

/// Checks a given tape.
pub fn check(source: &mut dyn Source, given: &Given, log: &Log, report: &mut Report) -> Judged {
    for (file, needed) in FILES {
        let path = path(&given.tape, file);
        if needed && !has(source, &path) {
            report.find(Word::Missing, path, "a file of a given tape is missing");
        }
    }
    let chain = log.chains.get(&given.custody);
    let saved = log.trust.saved_of(&given.custody);
    if log.is_here {
        entries(given, chain, saved, report);
    }
    let root = root(source, &given.tape, report);
    let header_closed = header(source, &given.tape, root.as_ref(), None, report);
    manifest(source, given, saved, report);
    statement(source, given, saved, report);
    let frames = frames::check(source, given, root.as_ref(), chain, report);
    if let Some(saved) = saved.and_then(|saved| log.fact(saved.index)) {
        proof(source, &path(&given.tape, "saved.tlog-proof"), (saved.index, saved.leaf), log, report);
        receipt(source, given, (saved.index, saved.leaf), log, report);
    }
    if let Some(evidence) = chain.and_then(|chain| chain.evidence) {
        proof(source, &path(&given.tape, "evidence.tlog-proof"), evidence, log, report);
    }
    Judged { root, header_closed, frames }
}

/// Check 7.
fn entries(given: &Given, chain: Option<&Chain>, saved: Option<&Saved>, report: &mut Report) {
    let place = format!("tape {}", text::hex(&given.tape));
    let Some(chain) = chain else { return };
    let whole = !chain.hole && chain.next > 0;
    report.want("chains", whole, Word::Incomplete, &place, "an entry about the tape is not here");
    let made = chain.evidence.is_some();
    report.want(
        "chains",
        made,
        Word::Incomplete,
        &place,
        "the last entry about the tape is not the evidence of this bundle",
    );
    match saved {
        None if whole => report.find(Word::Altered, place, "a tape that was never saved"),
        None => {}
        Some(saved) => {
            let so = saved.index == given.entry;
            report.want("chains", so, Word::Altered, &place, "it was saved by another entry than is said");
            let so = saved.tape == given.tape;
            report.want("statements", so, Word::Altered, &place, "a statement about another tape");
        }
    }
}

fn root(source: &mut dyn Source, tape: &Hash, report: &mut Report) -> Option<Root> {
    let path = path(tape, "root.cbor");
    let bytes = whole(source, &path, 4096)?;
    let read = bytes.and_then(|bytes| {
        ensure(hash(&bytes) == *tape, "a root file that is not the one of the tape")?;
        Root::read(&bytes)
    });
    report.take("tape roots", Word::Altered, &path, read)
}

/// Header fields that stay closed. Where a field is asked for, that it is open is for the accounting to say.
fn header(
    source: &mut dyn Source,
    tape: &Hash,
    root: Option<&Root>,
    want: Option<u64>,
    report: &mut Report,
) -> Option<Vec<u64>> {
    let path = path(tape, "header.cbor");
    let bytes = whole(source, &path, MOST_HEADER)?;
    let read = bytes.and_then(|bytes| {
        let mut reader = Reader::new(&bytes);
        let opened = Opened::read(&mut reader)?;
        reader.end()?;
        header_fields(&opened, root)?;
        let gaps = opened.fields.iter().any(|(n, _)| *n == 18);
        // A field that the header does not have is not open, either.
        let shown = want.is_none_or(|field| opened.value(field).is_some());
        Ok((opened.closed(), gaps, shown))
    });
    let (closed, gaps, shown) = report.take("headers", Word::Altered, &path, read)?;
    if want.is_some() {
        const CLOSED: &str = "the field that puts the tape out of scope is not open";
        report.want("accounting", shown, Word::Incomplete, &path, CLOSED);
    } else if gaps {
        report.find(Word::Gaps, path, "the header lists gaps of the recording");
    }
    Some(closed)
}

fn header_fields(opened: &Opened<'_>, root: Option<&Root>) -> Result<()> {
    let commitment = opened.commitment("immutape/header/1")?;
    ensure(root.is_none_or(|root| root.header == commitment), "fields that are not the ones committed to")?;
    let has = |key: &u64| opened.fields.iter().any(|(n, _)| n == key);
    ensure(STARRED.iter().all(has), "a key of the header is missing")?;
    ensure(opened.fields.iter().all(|(n, _)| *n <= 27 && *n != 13), "a key that no header has")?;
    for (n, _, value) in &opened.values {
        let mut reader = Reader::new(value);
        header_field(*n, &mut reader)?;
        reader.end()?;
    }
    let stats = opened.value(11).map(|value| {
        let (mut reader, mut frames) = (Reader::new(value), 0);
        reader.table(|key, value| {
            let n = value.uint()?;
            if key == 0 {
                frames = n;
            }
            Ok(())
        })?;
        Ok(frames)
    });
    match (stats.transpose()?, root) {
        (Some(frames), Some(root)) => ensure(frames == root.frames, "another number of frames than the root file has"),
        _ => Ok(()),
    }
}

fn manifest(source: &mut dyn Source, given: &Given, saved: Option<&Saved>, report: &mut Report) {
    let path = path(&given.tape, "manifest.cbor");
    let Some(bytes) = whole(source, &path, 64 << 20) else { return };
    let read = bytes.and_then(|bytes| {
        let manifest = Manifest::read(&bytes)?;
        ensure(hash(manifest.root_file) == given.tape, "a manifest of another tape")?;
        ensure(manifest.custody == given.custody, "a manifest of another custody id")?;
        ensure(saved.is_none_or(|saved| saved.manifest == hash(&bytes)), "a manifest that the statement does not name")
    });
    report.take("manifests", Word::Altered, &path, read);
}

fn statement(source: &mut dyn Source, given: &Given, saved: Option<&Saved>, report: &mut Report) {
    let path = path(&given.tape, "statement.cose");
    let (Some(bytes), Some(saved)) = (whole(source, &path, 64 * 1024), saved) else { return };
    let same = bytes.is_ok_and(|bytes| hash(&bytes) == saved.statement);
    report.want("statements", same, Word::Altered, &path, "another statement than the one in the log");
}

fn proof(source: &mut dyn Source, path: &str, entry: (u64, Hash), log: &Log, report: &mut Report) {
    let Some(bytes) = whole(source, path, crate::proof::MOST_BYTES as u64) else { return };
    let read = bytes.and_then(|bytes| {
        let proof = Proof::read(&bytes)?;
        let Some(extra) = &proof.extra else { return refuse("a proof without its entry") };
        let leaf = crate::tree::leaf(extra);
        ensure((proof.index, leaf) == entry, "a proof of another entry")?;
        if let Some(head) = &log.head {
            ensure(proof.head.note.text == head.note.text, "a proof under another head")?;
        }
        if log.trust.keys.is_some() {
            log.trust.head(&proof.head)?;
        }
        proof.check(&leaf)
    });
    report.take("proofs", Word::Altered, path, read);
}

fn receipt(source: &mut dyn Source, given: &Given, entry: (u64, Hash), log: &Log, report: &mut Report) {
    let path = path(&given.tape, "receipt.cose");
    let Some(bytes) = whole(source, &path, 64 * 1024) else { return };
    let (Some(keys), Some(head)) = (&log.trust.keys, &log.head) else { return };
    let read = bytes.and_then(|bytes| {
        let receipt = Receipt::read(&bytes)?;
        ensure(receipt.issuer == keys.origin(), "a receipt of another log")?;
        ensure(receipt.subject == text::hex(&given.custody), "a receipt about another tape")?;
        ensure((receipt.size, receipt.index) == (head.size, entry.0), "a receipt of another size or index")?;
        let Some(held) = keys.in_force(Role::Issuer, head.size) else { return refuse("no key in force") };
        let root = receipt.verify(&entry.1, &held.key)?;
        ensure(root == head.root, "a receipt under another root")
    });
    report.take("receipts", Word::Altered, &path, read);
}

/// A tape that is out of scope by an opened field.
pub fn check_out_of_scope(source: &mut dyn Source, out: &Elsewhere, report: &mut Report) {
    for file in ["root.cbor", "header.cbor"] {
        let path = path(&out.tape, file);
        if !has(source, &path) {
            report.find(Word::Missing, path, "a file of a tape that is out of scope is missing");
        }
    }
    let root = root(source, &out.tape, report);
    header(source, &out.tape, root.as_ref(), out.field, report);
}

/// Reads a set proof of a tape.
pub fn set_proof(source: &mut dyn Source, tape: &Hash) -> Option<Result<Vec<Hash>>> {
    whole(source, &path(tape, "frames-paths.cbor"), MOST_PATHS).map(|bytes| bytes.and_then(|bytes| read_hashes(&bytes)))
}

//! Checks 7 and 8 for one given tape: its entries, and its files.

use super::super::{Completeness, EvidenceFrame, Given, Opened, path, read_set_proof};
use super::anchors;
use super::bag::Payload;
use super::entries::{Log, PATHS_BYTES_MAX};
use super::frames::{self, Here};
use super::pins::Pins;
use super::report::{BundleReport, GivenTape, part};
use super::sequence::Sequence;
use super::source::Paths;
use super::walk::{Mark, Saved};
use crate::codec::digest::{Digest, TapeId};
use crate::codec::limits::{HEADER_BYTES_MAX, MANIFEST_BYTES_MAX, NOTE_BYTES_MAX};
use crate::evidence::Verdict;
use crate::log::{EntryKind, KeyRole, export_commitment, leaf_hash};
use crate::proof::{Receipt, TlogProof, verify_inclusion};
use crate::seal::Manifest;
use crate::tape::{Header, TapeRoot};

const HEADER_LABEL: &str = "immutape/header/1";
const ROOT_BYTES_MAX: u64 = 1_024;
/// A header, and a digest and a salt of each of its keys.
const HEADER_FILE_BYTES_MAX: u64 = HEADER_BYTES_MAX as u64 + 8_192;
/// An entry in base64, 63 hashes and a note.
const PROOF_BYTES_MAX: u64 = 96 * 1_024 + NOTE_BYTES_MAX as u64;
const RECEIPT_BYTES_MAX: u64 = 64 << 10;
/// Of a header: stats, and known holes.
const STATS: u64 = 11;
const GAPS: u64 = 18;

/// What is there of a given tape, for who compares it with the lists.
#[derive(Debug, Default)]
pub(super) struct TapeHere {
    /// Frames of the tape, as its root file says.
    pub frames: Option<u64>,
    pub here: Option<Here>,
    /// Header keys that stay closed.
    pub closed_header: Option<Vec<u64>>,
}

/// What all tapes of a bundle are checked with.
pub(super) struct Around<'a> {
    pub paths: &'a Paths<'a>,
    pub payload: &'a Payload,
    pub log: &'a Log,
    pub pins: &'a Pins,
    pub completeness: &'a Completeness,
    /// SHA-256 of `COMPLETENESS.json`.
    pub digest: Digest,
}

/// Makes checks 7 and 8 for one given tape.
pub(super) fn check(around: &Around<'_>, given: &Given, report: &mut BundleReport) -> (GivenTape, TapeHere) {
    report.looked(part::TAPES, 1);
    let log = around.log;
    // Without the entries nothing more is said of them than that they are missing.
    let saved = if log.was_read { links(around, given, report) } else { None };
    let needed = path::OF_TAPE.iter().filter(|name| **name != "receipt.cose");
    for file in needed.map(|name| path::of_tape(&given.tape, name)).filter(|file| !around.paths.has(file)) {
        report.missing(part::TAPES, file, "a tape that is given has this file");
    }
    let mut tape = TapeHere::default();
    let root = root(around.paths, around.payload, &given.tape, report);
    if let Some(saved) = saved {
        sealed(around, given, saved, root.as_ref(), report);
    }
    if let Some(opened) = header(around.paths, &given.tape, root.as_ref(), report) {
        if opened.numbers().any(|number| number == GAPS) {
            gap(report, given, "its header tells of known holes");
        }
        tape.closed_header = Some(opened.closed());
    }
    if let Some(root) = &root {
        tape.frames = Some(root.frames);
        tape.here = frames_of(around, given, root, report);
    }
    proofs(around, given, report);
    if log.said.truncated.contains_key(&given.custody) {
        gap(report, given, "the recording that it came of was cut off");
    }
    let first = log.said.heads.iter().find(|head| head.is_cosigned && head.size > given.entry);
    let anchored_ms = first.and_then(|head| head.anchored_ms);
    let made = GivenTape {
        tape: given.tape,
        custody: given.custody,
        entry: given.entry,
        saved_ms: saved.map(|saved| saved.time_ms),
        frames: given.frames,
        frames_here: tape.here.map_or(0, |here| here.count),
        links: log.about(&given.custody).count() as u64,
        anchored_ms,
    };
    (made, tape)
}

fn gap(report: &mut BundleReport, given: &Given, what: &str) {
    report.find(Verdict::IntactWithGaps, part::TAPES, given.tape.to_text(), what);
}

/// Check 7: the entries about the tape, from the first to this bundle's.
fn links<'a>(around: &Around<'a>, given: &Given, report: &mut BundleReport) -> Option<&'a Saved> {
    let (log, place) = (around.log, given.tape.to_text());
    let mut count = 0u64;
    let mut has_hole = false;
    for fact in log.about(&given.custody) {
        has_hole |= fact.seq != count;
        count = count.saturating_add(1);
    }
    if has_hole || count == 0 {
        report.incomplete(part::TAPES, place.as_str(), "not all entries about it are here");
    }
    last(around, given, report);
    let mut saved = log.saved(&given.custody);
    let (one, more) = (saved.next(), saved.next());
    match one {
        Some(one) if more.is_none() && one.tape == given.tape && one.entry == given.entry => {}
        Some(_) => report.altered(part::TAPES, place, "the entry that saved it is another one"),
        None => report.altered(part::TAPES, place, "no entry here saved it"),
    }
    one.filter(|one| one.tape == given.tape)
}

fn last(around: &Around<'_>, given: &Given, report: &mut BundleReport) {
    let (log, place) = (around.log, given.tape.to_text());
    let last = log.about(&given.custody).next_back().filter(|fact| fact.kind == EntryKind::EVIDENCE_MADE);
    let made = last.and_then(|fact| log.made.get(&fact.index));
    let Some(made) = made.filter(|made| made.bundle == around.completeness.bundle) else {
        return report.incomplete(part::TAPES, place, "the last entry about it is not the one of this bundle");
    };
    let place = format!("entry {}", made.entry);
    if made.tapes != around.completeness.given.len() as u64 {
        report.incomplete(part::TAPES, place.as_str(), "the bundle was made with another number of tapes");
    }
    let fits = made
        .exported
        .is_some_and(|(salt, digest)| export_commitment(&salt, &digest) == made.commitment && digest == around.digest);
    if !fits {
        report.altered(part::TAPES, place, "COMPLETENESS.json is not the one that the log has committed to");
    }
}

/// The root file, whose digest is the tape's id.
pub(super) fn root(paths: &Paths<'_>, payload: &Payload, tape: &TapeId, report: &mut BundleReport) -> Option<TapeRoot> {
    let file = path::of_tape(tape, "root.cbor");
    if payload.digest(&file).is_some_and(|digest| digest.as_bytes() != tape.as_bytes()) {
        report.altered(part::TAPES, file.as_str(), "its digest is not the id of the tape");
    }
    told(paths.parse(&file, ROOT_BYTES_MAX, |b| TapeRoot::decode(b).map_err(|e| e.to_string())), &file, report)
}

/// What a file says, or that it says nothing.
fn told<T>(read: Option<Result<T, String>>, file: &str, report: &mut BundleReport) -> Option<T> {
    match read? {
        Ok(read) => Some(read),
        Err(why) => {
            report.altered(part::TAPES, file, why);
            None
        }
    }
}

/// Manifest and statement, as the entry that saved the tape names them.
fn sealed(around: &Around<'_>, given: &Given, saved: &Saved, root: Option<&TapeRoot>, report: &mut BundleReport) {
    let file = path::of_tape(&given.tape, "statement.cose");
    if around.payload.digest(&file).is_some_and(|digest| *digest != saved.statement) {
        report.altered(part::TAPES, file, "it is not the statement in the entry that saved the tape");
    }
    let file = path::of_tape(&given.tape, "manifest.cbor");
    if around.payload.digest(&file).is_some_and(|digest| digest.as_bytes() != saved.manifest.as_bytes()) {
        report.altered(part::TAPES, file.as_str(), "it is not the manifest that the statement names");
    }
    let read = around.paths.parse(&file, MANIFEST_BYTES_MAX as u64, read_manifest);
    let Some(manifest) = told(read, &file, report) else { return };
    if manifest.custody != given.custody || root.is_some_and(|root| *root != manifest.root) {
        report.altered(part::TAPES, file, "the manifest is that of another tape");
    }
}

/// A manifest: a tape with frames has at least one chunk behind its header.
///
/// # Errors
/// What is wrong, in words.
pub fn read_manifest(bytes: &[u8]) -> Result<Manifest, String> {
    let manifest = Manifest::decode(bytes).map_err(|e| e.to_string())?;
    if manifest.root.frames > 0 && manifest.objects.len() < 2 {
        return Err("a tape with frames has at least one chunk".into());
    }
    Ok(manifest)
}

/// Fields of the header, committed in the root file.
pub(super) fn header(
    paths: &Paths<'_>,
    tape: &TapeId,
    root: Option<&TapeRoot>,
    report: &mut BundleReport,
) -> Option<Opened> {
    let file = path::of_tape(tape, "header.cbor");
    let read = paths.parse(&file, HEADER_FILE_BYTES_MAX, |bytes| {
        let opened = Opened::decode(bytes).map_err(|e| e.to_string())?;
        if Header::are_keys(opened.numbers()) { Ok(opened) } else { Err("it lacks a key, or has one too many".into()) }
    });
    let opened = told(read, &file, report)?;
    match opened.verify(HEADER_LABEL) {
        Ok(commitment) if root.is_none_or(|root| root.header == commitment) => {}
        Ok(_) => report.altered(part::TAPES, file.as_str(), "it is not the header that the root file names"),
        Err(e) => report.altered(part::TAPES, file.as_str(), e.to_string()),
    }
    match Header::decode_part(&opened.map()) {
        Ok(header) => {
            let is_open = opened.fields().iter().any(|field| field.number == STATS);
            if is_open && root.is_some_and(|root| root.frames != header.stats.frames) {
                report.altered(part::TAPES, file, "its number of frames is not that of the root file");
            }
        }
        Err(e) => report.altered(part::TAPES, file, format!("an opened key is none: {e}")),
    }
    Some(opened)
}

fn frames_of(around: &Around<'_>, given: &Given, root: &TapeRoot, report: &mut BundleReport) -> Option<Here> {
    let (file, proof) = (path::of_tape(&given.tape, "frames.cbor"), path::of_tape(&given.tape, "frames-paths.cbor"));
    let read = |bytes: &[u8]| read_set_proof(bytes).map_err(|e| e.to_string());
    let hashes = told(around.paths.parse(&proof, PATHS_BYTES_MAX, read), &proof, report);
    let stream = around.paths.open(&file).ok()?;
    let frames = Sequence::new(stream, frames::ITEM_BYTES_MAX, EvidenceFrame::read);
    let marks: Vec<&Mark> = around.log.marks(&given.custody).collect();
    let (here, unfulfilled) = frames::check(frames, (&file, &proof), hashes.as_deref(), root, &marks, report);
    for mark in unfulfilled {
        let left = around.log.said.truncated.get(&given.custody);
        let place = format!("entry {}", mark.entry);
        let what = "the tape does not begin with the frames that the recording was marked with";
        let is_told = left.is_some_and(|left| *left < mark.frames);
        report.find(if is_told { Verdict::IntactWithGaps } else { Verdict::Altered }, part::FRAMES, place, what);
    }
    Some(here)
}

/// Proofs of the entries that saved the tape and that made the bundle, and the receipt.
fn proofs(around: &Around<'_>, given: &Given, report: &mut BundleReport) {
    let log = around.log;
    let made = log.about(&given.custody).next_back().filter(|fact| fact.kind == EntryKind::EVIDENCE_MADE);
    for (name, index) in [("saved.tlog-proof", Some(given.entry)), ("evidence.tlog-proof", made.map(|fact| fact.index))]
    {
        let file = path::of_tape(&given.tape, name);
        let read = around.paths.parse(&file, PROOF_BYTES_MAX, |bytes| {
            let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
            TlogProof::parse(text).map_err(|e| e.to_string())
        });
        let Some(proof) = told(read, &file, report) else { continue };
        report.looked(part::TAPES, 1);
        if let Some(Err(why)) = index.map(|index| proven(around, index, &proof)) {
            report.altered(part::TAPES, file, why);
        }
    }
    let file = path::of_tape(&given.tape, "receipt.cose");
    let read = around.paths.parse(&file, RECEIPT_BYTES_MAX, |b| Receipt::decode(b).map_err(|e| e.to_string()));
    let Some(receipt) = told(read, &file, report) else { return };
    report.looked(part::TAPES, 1);
    if let Err(why) = receipted(around, given, &receipt) {
        report.altered(part::TAPES, file, why);
    }
}

fn proven(around: &Around<'_>, index: u64, proof: &TlogProof) -> Result<(), String> {
    let (Some(head), Some(fact)) = (&around.log.head, around.log.at(index)) else { return Ok(()) };
    let extra = proof.extra.as_deref().ok_or("it does not have its entry with it")?;
    if proof.index != index || leaf_hash(extra) != fact.leaf {
        return Err("it is about another entry".into());
    }
    if anchors::said(&proof.note).as_ref() != Some(head) {
        return Err("it is under another head".into());
    }
    if let Some(keys) = around.log.keys.as_ref().filter(|_| !around.log.is_unknown) {
        anchors::read_head(&proof.note, keys, around.pins).map_err(|e| format!("its head does not hold: {e}"))?;
    }
    verify_inclusion(&fact.leaf, index, head.size, &proof.path, &head.root)
        .map_err(|_| "it does not lead from the entry to the head".into())
}

fn receipted(around: &Around<'_>, given: &Given, receipt: &Receipt) -> Result<(), String> {
    let (Some(head), Some(fact), Some(keys)) = (&around.log.head, around.log.at(given.entry), &around.log.keys) else {
        return Ok(());
    };
    let says = (receipt.issuer.as_str(), receipt.subject.as_str(), receipt.size, receipt.index);
    if says != (head.origin.as_str(), given.custody.to_hex().as_str(), head.size, given.entry) {
        return Err("it is about another entry, or another head".into());
    }
    let issuer = keys.history.at(KeyRole::Issuer, head.size).map_err(|e| e.to_string())?;
    let root = receipt.verify(&fact.leaf, &issuer.key).map_err(|e| e.to_string())?;
    if root == head.root { Ok(()) } else { Err("it leads to another root".into()) }
}

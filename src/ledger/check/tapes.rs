//! Tapes: statements, stored bytes, keys, and with the vault the recomputed roots. On all cores.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::anchors::Anchors;
use super::catalog::TapeRows;
use super::opener::Opener;
use super::recordings::{Recorded, Recordings};
use super::set_lists::{self, SetList};
use super::stored::{Ahead, Stored};
use super::{CheckOptions, Checker, rows_of_tape, wanted};
use crate::codec::digest::{CustodyId, ObjectDigest, RootHash};
use crate::error::{Code, Error, Result};
use crate::evidence::{Finding, Report, Severity, Verdict};
use crate::log::{Counts as Worth, HeldHead, KeyRole};
use crate::seal::{Manifest, SealedHeader, Statement, TapeKeys, open_object};
use crate::store::ObjectRef;
use crate::tape::Header;

/// One `tape.saved` entry.
pub(super) struct Saved {
    pub index: u64,
    pub custody: CustodyId,
    /// Custody key that seals its private half.
    pub key_id: [u8; 16],
    pub epoch: [u8; 16],
    pub statement: Statement,
}

/// The tapes a walk came past.
#[derive(Default)]
pub(super) struct SavedTapes {
    pub tapes: Vec<Saved>,
    /// Sets that are kept as objects.
    pub lists: Vec<SetList>,
    /// What rows that follow from the log say of the tapes beyond it.
    pub rows: HashMap<CustodyId, TapeRows>,
    /// Recordings, sealed or not.
    pub recordings: Recordings,
    /// Heads that others hold.
    pub anchors: Anchors,
    /// Tapes whose key was destroyed, and the entry that says so.
    pub destroyed: HashMap<CustodyId, u64>,
    seen: HashSet<CustodyId>,
}

impl SavedTapes {
    pub(super) fn take(&mut self, index: u64, tape: Option<Box<Saved>>, report: &mut Report) {
        match tape {
            Some(saved) => {
                if !self.seen.insert(saved.custody) {
                    let what = "a tape was saved before under this custody id";
                    let finding = report.find(Severity::Altered, "statement", format!("entry {index}"), what);
                    (finding.entry, finding.tape) = (Some(index), Some(saved.statement.claims().tape));
                }
                self.recordings.saved(&saved.custody);
                self.tapes.push(*saved);
            }
            None => {
                let place = format!("entry {index}");
                report.find(Severity::Altered, "statement", place, "the recorder's statement cannot be read").entry =
                    Some(index);
            }
        }
    }
}

/// Counts over all tapes, from all threads.
#[derive(Default)]
struct Counts {
    statements: AtomicUsize,
    objects: AtomicUsize,
    bytes: AtomicU64,
    roots: AtomicUsize,
    rows: AtomicUsize,
    destroyed: HashMap<CustodyId, u64>,
    findings: Mutex<Vec<Finding>>,
}

impl Counts {
    /// Something that is missing, and said to be.
    fn gap(&self, part: &'static str, saved: &Saved, place: String, what: String) {
        let tape = Some(saved.statement.claims().tape);
        let entry = Some(saved.index);
        let finding = Finding { severity: Severity::Gap, word: None, part, place, what, tape, entry };
        self.findings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(finding);
    }

    fn find(&self, part: &'static str, saved: &Saved, place: String, what: String, word: Option<Verdict>) {
        // What a lawful destruction leaves is no alteration; the statement stays checkable for ever.
        let end = self.destroyed.get(&saved.custody).filter(|_| part != "statement");
        let (severity, what) = match end {
            Some(entry) => (Severity::Note, format!("entry #{entry} says that this tape was destroyed: {what}")),
            None => (Severity::Altered, what),
        };
        let finding = Finding {
            severity,
            word: word.filter(|_| severity == Severity::Altered),
            part,
            place,
            what,
            tape: Some(saved.statement.claims().tape),
            entry: Some(saved.index),
        };
        self.findings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(finding);
    }
}

/// Checks the tapes asked for; with all of them asked for, also objects that belong to none.
pub(super) fn check(
    checker: &Checker,
    options: &CheckOptions,
    saved: SavedTapes,
    stored: Ahead<'_>,
    report: &mut Report,
) {
    saved.recordings.check(checker, options, &saved.destroyed, report);
    let (rows, recordings, held) = (saved.rows, saved.recordings, saved.anchors.held().to_vec());
    let tapes = match wanted(options) {
        Ok(None) => saved.tapes,
        Ok(Some(prefix)) => {
            saved.tapes.into_iter().filter(|s| prefix.matches(s.statement.claims().tape.as_bytes())).collect()
        }
        Err(e) => {
            report.find_error(Severity::Gap, "tapes", "id", &e);
            Vec::new()
        }
    };
    let stored = stored.finish(report);
    let counts = Counts { destroyed: saved.destroyed, ..Counts::default() };
    // How much of it all one tape is, its manifest alone says.
    let bytes_total = if options.tape.is_none() { stored.bytes() } else { 0 };
    let used = Mutex::default();
    let run = Run { checker, options, stored: &stored, rows, recordings, held, counts, bytes_total, used };
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(tape) = tapes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let opened = run.one(tape);
                    if let (Some(rows), Some(opened)) = (run.rows.get(&tape.custody), opened) {
                        run.counts.rows.fetch_add(1, Ordering::Relaxed);
                        for (place, what) in rows_of_tape::compare(rows, tape, &opened) {
                            run.find("rows", tape, place, what.to_owned());
                        }
                    }
                }
            });
        }
    });
    let mut used = run.used.into_inner().unwrap_or_default();
    sum_up(checker, options, tapes.len() as u64, run.counts, report);
    set_lists::check((checker, options), &saved.lists, &stored, &mut used, report);
    if options.tape.is_none() {
        stored.orphans(checker, &used, report);
    }
}

/// What is known of a tape whose manifest holds.
pub(super) struct Opened {
    pub manifest_bytes: u64,
    pub manifest: Manifest,
    /// Its keys and header, where both can be opened.
    pub header: Option<(TapeKeys, Header)>,
}

/// What all threads share.
struct Run<'a> {
    checker: &'a Checker,
    options: &'a CheckOptions,
    stored: &'a Stored,
    rows: HashMap<CustodyId, TapeRows>,
    recordings: Recordings,
    /// Heads that others have signed for.
    held: Vec<HeldHead>,
    counts: Counts,
    /// Bytes that there are to look at; 0 where that is not known.
    bytes_total: u64,
    used: Mutex<HashSet<ObjectDigest>>,
}

impl Run<'_> {
    fn find(&self, part: &'static str, saved: &Saved, place: String, what: String) {
        self.counts.find(part, saved, place, what, None);
    }

    fn object(&self, digest: ObjectDigest, bytes: u64) -> ObjectRef {
        self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(digest);
        self.stored.object(digest, bytes)
    }

    fn fetch(&self, saved: &Saved, digest: ObjectDigest, bytes: u64, name: &str) -> Option<Vec<u8>> {
        let got = self.checker.stores.objects.get(&self.object(digest, bytes));
        self.count(saved, (name, &digest), got.as_ref().map(|stored| stored.len() as u64));
        got.ok()
    }

    /// The length of an object of which no more is needed.
    fn rehash(&self, saved: &Saved, digest: ObjectDigest, bytes: u64, name: &str) -> Option<u64> {
        let object = self.object(digest, bytes);
        let got = self.stored.whole_bytes(&digest).map_or_else(|| self.checker.stores.objects.rehash(&object), Ok);
        self.count(saved, (name, &digest), got.as_ref().copied());
        got.ok()
    }

    fn count(&self, saved: &Saved, (name, digest): (&str, &ObjectDigest), got: std::result::Result<u64, &Error>) {
        match got {
            Ok(bytes) => {
                self.counts.objects.fetch_add(1, Ordering::Relaxed);
                let done = self.counts.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
                self.checker.came_to("tapes", done, self.bytes_total, true);
            }
            Err(e) => {
                // One that lies somewhere and does not hold was changed; one that lies nowhere is missing.
                let word = (!self.stored.has(digest)).then_some(Verdict::Missing);
                self.counts.find("object", saved, name.to_owned(), e.message().to_owned(), word);
            }
        }
    }

    fn manifest(&self, saved: &Saved) -> Option<(u64, Manifest)> {
        let claims = saved.statement.claims();
        let encoded = self.fetch(saved, claims.manifest, 0, "manifest")?;
        let what = match Manifest::decode(&encoded) {
            Ok(m) if m.custody == saved.custody && m.root.id() == claims.tape => {
                return Some((encoded.len() as u64, m));
            }
            Ok(_) => "the manifest is that of another tape".to_owned(),
            Err(e) => e.to_string(),
        };
        self.find("object", saved, "manifest".into(), what);
        None
    }

    /// The keys that open the tape, unless only what is stored is asked for.
    fn keys(&self, saved: &Saved) -> Option<TapeKeys> {
        if self.options.stored_only || self.checker.vault().is_none() {
            return None;
        }
        self.unwrap(saved)
            .map_err(|e| {
                let (place, word) = (format!("epoch {}", hex::encode(saved.epoch)), Verdict::of_code(e.code()));
                self.counts.find("vault", saved, place, e.message().to_owned(), word);
            })
            .ok()
    }

    fn unwrap(&self, saved: &Saved) -> Result<TapeKeys> {
        let checker = self.checker;
        // Without a slot the whole epoch would be looked through for each tape.
        let slot = self.rows.get(&saved.custody).and_then(|rows| rows.facts.slot);
        let record = checker.wrapped_key(&saved.epoch, &saved.custody, slot)?;
        let missing = || Error::new(Code::VaultDamaged, "the epoch of this tape has no key in the vault");
        let key = checker.vault().and_then(|v| v.epoch(&saved.epoch)).ok_or_else(missing)?;
        let secret = key.unwrap_tape(&checker.identity.genesis.origin, &saved.custody, &record.wrapped);
        secret
            .map(|s| s.keys())
            .map_err(|e| Error::new(Code::VaultDamaged, format!("the key of this tape does not open: {e}")))
    }

    fn one(&self, saved: &Saved) -> Option<Opened> {
        self.counts.statements.fetch_add(1, Ordering::Relaxed);
        let place = format!("entry {}", saved.index);
        match statement(self.checker, saved, &self.held) {
            Ok(Worth::Fully | Worth::Anchored) => {}
            Ok(Worth::Unproved) => {
                let what = "its key was revoked later, and nobody else held the entry before: it may be by whoever took the key";
                self.counts.gap("statement", saved, place, what.to_owned());
            }
            Ok(Worth::Never) => {
                self.find("statement", saved, place, "it was signed by a key that was revoked".to_owned())
            }
            Err(what) => self.find("statement", saved, place, what),
        }
        let (manifest_bytes, manifest) = self.manifest(saved)?;
        let keys = self.keys(saved);
        let header = self.objects(saved, &manifest, keys.as_ref());
        // Without content being asked for, the header alone is opened, and only for the rows made from it.
        let keys = keys.or_else(|| self.options.stored_only.then(|| self.unwrap(saved).ok()).flatten());
        let header = keys.zip(header).and_then(|(keys, stored)| {
            let header = SealedHeader::open(&keys, &saved.custody, &stored).ok()?.header;
            Some((keys, header))
        });
        Some(Opened { manifest_bytes, manifest, header })
    }

    /// Hashes every object of a tape, and with its keys opens each and recomputes the root; the sealed header.
    fn objects(&self, saved: &Saved, manifest: &Manifest, keys: Option<&TapeKeys>) -> Option<Vec<u8>> {
        let recorded = self.recordings.of(&saved.custody);
        let marked = recorded.map_or_else(Vec::new, |r| r.marks.iter().map(|(_, frames, _)| *frames).collect());
        let mut opener = keys.map(|keys| Opener::new(keys, saved, manifest, marked));
        let (mut header, mut are_whole) = (None, true);
        for (n, object) in manifest.objects.iter().enumerate() {
            let name = if n == 0 { "header".to_owned() } else { format!("chunk {n}") };
            let needs_bytes = n == 0 || opener.is_some();
            let (length, bytes) = if needs_bytes {
                let bytes = self.fetch(saved, object.digest, object.bytes, &name);
                (bytes.as_ref().map(|b| b.len() as u64), bytes)
            } else {
                (self.rehash(saved, object.digest, object.bytes, &name), None)
            };
            are_whole &= length == Some(object.bytes);
            if length.is_some_and(|length| length != object.bytes) {
                let what = "the stored length is not the one in the manifest";
                self.find("object", saved, name.clone(), what.into());
            }
            if n == 0 && bytes.is_none() {
                // Named already; without the header no chunk can be placed.
                opener = None;
            }
            if let (Some(bytes), Some(open)) = (&bytes, opener.as_mut())
                && let Err(what) = open.object(n, bytes)
            {
                self.find("tape", saved, name, what);
                opener = None;
            }
            if n == 0 {
                header = bytes;
            }
        }
        are_whole &= self.attachments(saved, manifest, keys);
        if let Some(open) = opener.filter(|_| are_whole) {
            match open.finish() {
                Ok(roots) => {
                    self.counts.roots.fetch_add(1, Ordering::Relaxed);
                    recorded.into_iter().for_each(|recorded| self.marks(saved, recorded, &roots));
                }
                Err(what) => self.find("tape", saved, "tape root".into(), what),
            }
        }
        header
    }
}

/// Marks of the recording that a tape came of.
impl Run<'_> {
    fn marks(&self, saved: &Saved, recorded: &Recorded, roots: &HashMap<u64, RootHash>) {
        for (entry, frames, _) in recorded.missing(|frames| roots.get(&frames).copied()) {
            let place = format!("mark of entry {entry}");
            match recorded.truncated.filter(|(_, left)| *left < frames) {
                Some((told, left)) => {
                    let what =
                        format!("{frames} frames were recorded by then; entry #{told} says that {left} were left");
                    self.counts.gap("recording", saved, place, what);
                }
                None => {
                    self.find("recording", saved, place, "the tape does not begin with the frames named there".into())
                }
            }
        }
    }
}

/// Attachments stand beside the frames: they are under the manifest's digest, not under the tape root.
impl Run<'_> {
    /// Hashes every piece of every attachment, and with the keys opens each; are they whole?
    fn attachments(&self, saved: &Saved, manifest: &Manifest, keys: Option<&TapeKeys>) -> bool {
        let (mut position, mut are_whole) = (manifest.objects.len() as u64, true);
        for (n, attachment) in manifest.attachments.iter().enumerate() {
            let name = format!("attachment {n}");
            let mut raw_bytes = 0u64;
            for object in &attachment.objects {
                let is_whole = match keys {
                    None => self.rehash(saved, object.digest, object.bytes, &name) == Some(object.bytes),
                    Some(keys) => self.fetch(saved, object.digest, object.bytes, &name).is_some_and(|stored| {
                        let raw = open_object(keys, &saved.custody, position, &stored);
                        raw_bytes = raw_bytes.saturating_add(raw.as_ref().map_or(0, |raw| raw.len() as u64));
                        stored.len() as u64 == object.bytes && raw.is_ok()
                    }),
                };
                are_whole &= is_whole;
                position = position.saturating_add(1);
            }
            if keys.is_some() && raw_bytes != attachment.raw_bytes {
                self.find("tape", saved, name, "it does not open to as many bytes as the manifest says".into());
                are_whole = false;
            }
        }
        are_whole
    }
}

fn statement(checker: &Checker, saved: &Saved, held: &[HeldHead]) -> Result<Worth, String> {
    let claims = saved.statement.claims();
    if claims.ledger != checker.identity.ledger || claims.origin != checker.identity.genesis.origin {
        return Err("the statement was made for another ledger".into());
    }
    if claims.custody != saved.custody {
        return Err("the statement is about another tape".into());
    }
    let term = checker.known_keys().at(KeyRole::Recorder, saved.index).map_err(|e| e.to_string())?;
    saved.statement.verify(&term.key).map_err(|e| e.to_string())?;
    Ok(term.counts(saved.index, held))
}

fn sum_up(checker: &Checker, options: &CheckOptions, tapes: u64, counts: Counts, report: &mut Report) {
    let findings = counts.findings.into_inner().unwrap_or_default();
    let is_wrong = |f: &&Finding, part: &str| f.part == part && f.severity == Severity::Altered;
    let wrong = |part: &str| findings.iter().filter(|f| is_wrong(f, part)).count() as u64;
    let (statements, objects) = (counts.statements.into_inner() as u64, counts.objects.into_inner() as u64);
    let bytes = counts.bytes.into_inner();
    let roots = counts.roots.into_inner() as u64;
    // What rows say of each tape belongs to the check that compared them with the log.
    if let Some(rows) = report.checks.iter_mut().find(|c| c.name == "rows") {
        rows.checked = rows.checked.saturating_add(counts.rows.into_inner() as u64);
        rows.wrong = rows.wrong.saturating_add(wrong("rows"));
    }
    if tapes == 0 && options.tape.is_none() {
        report.skip("statements", "no tape is kept yet");
    } else {
        report.check("statements", statements, wrong("statement"), "signatures of the recorder");
        report.check(
            "stored objects",
            objects.saturating_add(wrong("object")),
            wrong("object"),
            format!("{bytes} bytes re-hashed"),
        );
        match (options.stored_only, checker.vault(), checker.vault_error()) {
            (true, ..) => report.skip("tape roots", "left out on request"),
            (_, Some(_), _) => {
                let bad = wrong("tape").saturating_add(wrong("vault"));
                report.check("tape roots", roots.saturating_add(bad), bad, "opened and recomputed");
            }
            (_, None, Some(_)) => report.skip("tape roots", "the vault cannot be opened"),
            (_, None, None) => report.skip("tape roots", "no vault"),
        }
    }
    report.findings.extend(findings);
}

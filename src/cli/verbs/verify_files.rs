//! `verify --bundle` and `verify --published`: files from elsewhere, on a machine without any ledger.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::verify::{check_line, loud};
use super::verify_batch;
use crate::cli::args::Verify;
use crate::cli::json as js;
use crate::cli::out::Out;
use crate::cli::terminal::Paint;
use crate::cli::{input, words};
use crate::codec::escape::{visible, visible_short};
use crate::codec::limits::NOTE_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::evidence::Verdict;
use crate::evidence::bundle::{BundleReport, Found, GivenTape, Pins, check_published};
use crate::ledger::{FolderSource, check_bundle_at};
use crate::store::files::{Files, RealFiles};
use crate::time::Timestamp;

/// A key in a file: PEM, or one line.
const KEY_BYTES_MAX: u64 = 64 << 10;
/// Of an authority or a recipient so much is shown.
const WORDS_SHOWN: usize = 200;

/// What was given from elsewhere, as it was typed.
#[derive(Debug, Default)]
pub(super) struct Given<'a> {
    pub keys: Vec<&'a str>,
    pub witnesses: Vec<&'a str>,
    pub quorum: Option<u64>,
    pub heads: Vec<PathBuf>,
}

impl Given<'_> {
    /// Keys, witnesses and heads; each may be a file.
    ///
    /// # Errors
    /// `E_USAGE` for what is none of them, an empty file or a folder.
    pub(super) fn read(&self, files: &dyn Files) -> Result<Pins> {
        let mut pins = Pins::default();
        for key in &self.keys {
            given(files, key, |text| pins.add_key(text))?;
        }
        for key in &self.witnesses {
            given(files, key, |text| pins.add_witness(text))?;
        }
        for head in &self.heads {
            let note = text_of(files, head, NOTE_BYTES_MAX as u64)?;
            pins.add_head(&note).map_err(|e| bad(&head.to_string_lossy(), &e))?;
        }
        if let Some(quorum) = self.quorum {
            pins.set_quorum(quorum).map_err(|e| Error::new(Code::Usage, e.to_string()))?;
        }
        Ok(pins)
    }
}

fn bad(what: &str, e: &dyn std::fmt::Display) -> Error {
    Error::new(Code::Usage, format!("{}: {e}", visible_short(what.as_bytes(), WORDS_SHOWN)))
        .with_hint("give it as it was published, or a file that holds it and nothing else")
}

/// A key as text, or else a file with one.
fn given<E: std::fmt::Display>(
    files: &dyn Files,
    typed: &str,
    mut take: impl FnMut(&str) -> std::result::Result<(), E>,
) -> Result<()> {
    let Err(as_text) = take(typed) else { return Ok(()) };
    let file = Path::new(typed);
    if !files.exists(file).unwrap_or(false) {
        return Err(bad(typed, &as_text));
    }
    let text = text_of(files, file, KEY_BYTES_MAX)?;
    take(&text).map_err(|e| bad(typed, &e))
}

fn text_of(files: &dyn Files, file: &Path, bytes_max: u64) -> Result<String> {
    let refused = |what: &str| Error::new(Code::Usage, format!("{} {what}", input::shown(file)));
    if input::is_folder(files, file) {
        return Err(refused("is a folder"));
    }
    let bytes = input::small(files, file, bytes_max).map_err(|e| refused("cannot be read").with_source(e))?;
    if bytes.is_empty() {
        return Err(refused("is empty"));
    }
    String::from_utf8(bytes).map_err(|_| refused("is not text"))
}

pub(in crate::cli) fn verify_files(out: &mut Out, args: &Verify) -> Result<u8> {
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    let pins = Given {
        keys: args.keys.iter().map(String::as_str).collect(),
        witnesses: args.witness.iter().map(String::as_str).collect(),
        quorum: args.quorum.map(|quorum| quorum.get() as u64),
        heads: args.head.clone(),
    };
    if args.batch {
        if args.has_pins() {
            let hint = "of --batch each line says by itself what it is checked with";
            return Err(Error::new(Code::Usage, "keys, witnesses and heads stand in the lines").with_hint(hint));
        }
        return verify_batch::run(out, &files);
    }
    let pins = pins.read(&*files)?;
    let (report, name) = match (&args.bundle, &args.published) {
        (Some(bundle), _) => {
            let cannot = |e| Error::new(Code::Usage, "the folder of the tree cannot be read").with_source(e);
            (check_bundle_at(&files, bundle, &pins, args.tree.as_deref()).map_err(cannot)?, "bundle_report")
        }
        (None, Some(folder)) => (published(&files, folder, &pins), "published_report"),
        (None, None) => {
            let words = "keys, witnesses and heads are for --bundle and --published";
            return Err(Error::new(Code::Usage, words)
                .with_hint("`immutape verify` alone checks the ledger with the keys of this machine"));
        }
    };
    print(out, &report, name);
    Ok(report.verdict().exit_code())
}

/// Checks a published tree in a folder.
pub(super) fn published(files: &Arc<dyn Files>, folder: &Path, pins: &Pins) -> BundleReport {
    match FolderSource::open(files.clone(), folder) {
        Ok(source) => check_published(&source, pins),
        Err(e) => {
            let what = format!("it cannot be opened: {e}");
            BundleReport::unopened(Verdict::CannotTell, folder.to_string_lossy(), what)
        }
    }
}

fn print(out: &mut Out, report: &BundleReport, name: &str) {
    out.test = report.test;
    if out.json {
        out.document(document(report, name));
        return;
    }
    for check in &report.checks {
        let line = check_line(out, check);
        out.prose(&line);
    }
    for found in &report.findings {
        let line = finding_line(out, found);
        out.prose(&line);
    }
    if report.untold > 0 {
        out.prose(&format!("and {} more", words::count(report.untold, "finding")));
    }
    about(out, report);
    for tape in &report.tapes {
        out.prose(&tape_line(tape));
    }
    if let Some(ms) = report.anchored_ms {
        out.prose(&format!("all of it was there at {} at the latest, by a quorum of the witnesses", moment(ms)));
    }
    let words: Vec<&str> = report.words().into_iter().filter(|w| *w != report.verdict()).map(Verdict::word).collect();
    let also = if words.is_empty() { String::new() } else { format!(" (also: {})", words.join(", ")) };
    let line = format!("{}{also}", loud(out, report.verdict()));
    out.prose(&line);
}

fn about(out: &mut Out, report: &BundleReport) {
    let shown = |text: &str| visible_short(text.as_bytes(), WORDS_SHOWN);
    if let Some(asked) = &report.completeness {
        out.prose(&format!("made {} by {}", moment(asked.made_ms), shown(&asked.origin)));
        out.prose(&format!("on the authority of: {}", shown(&asked.authority)));
        if let Some(recipient) = &asked.recipient {
            out.prose(&format!("for {}", shown(recipient)));
        }
        if let Some(ms) = asked.expires_ms {
            out.prose(&format!("to be given back or destroyed by {}", moment(ms)));
        }
    }
    let Some(head) = &report.head else { return };
    let size = words::entries(head.size);
    if report.completeness.is_some() {
        out.prose(&match report.whole_log {
            true => format!("checked over the whole log, beneath a head of {size}"),
            false => format!("complete up to the last entry here by the ledger's claim, beneath a head of {size}"),
        });
    } else {
        out.prose(&format!("head of {size} of {}", shown(&head.origin)));
    }
}

fn moment(ms: u64) -> String {
    Timestamp::from_ms(ms).to_text()
}

fn tape_line(tape: &GivenTape) -> String {
    let saved = tape.saved_ms.map_or_else(String::new, |ms| format!(", saved {} by the log", moment(ms)));
    let held = tape.anchored_ms.map_or_else(String::new, |ms| format!(", at the latest {} by witnesses", moment(ms)));
    format!(
        "tape {}: {} of {} here, {} about it{saved}{held}",
        tape.tape.to_text(),
        tape.frames_here,
        words::count(tape.frames, "frame"),
        words::entries(tape.links),
    )
}

fn finding_line(out: &Out, found: &Found) -> String {
    let paint = if found.word.exit_code() == 10 { Paint::Doubtful } else { Paint::Bad };
    let word = out.look.paint(paint, &found.word.word().to_uppercase());
    format!("{word} {} {}: {}", found.check, visible(found.place.as_bytes()), visible(found.what.as_bytes()))
}

fn document(report: &BundleReport, name: &str) -> Value {
    let mut map = Map::new();
    let verdict = report.verdict();
    js::put(&mut map, "type", name);
    js::put(&mut map, "verdict", verdict.word());
    js::put(&mut map, "exit", verdict.exit_code());
    js::put(&mut map, "words", report.words().into_iter().map(Verdict::word).collect::<Vec<_>>());
    js::put(&mut map, "digest", report.digest.map(|digest| digest.to_hex()));
    if let Some(asked) = &report.completeness {
        js::put(&mut map, "bundle", hex::encode(asked.bundle));
        js::put(&mut map, "ledger", asked.ledger.to_hex());
        js::put(&mut map, "made", moment(asked.made_ms));
        js::put(&mut map, "authority", asked.authority.as_str());
        js::put(&mut map, "recipient", asked.recipient.as_deref());
        js::put(&mut map, "expires", asked.expires_ms.map(moment));
    }
    js::put(&mut map, "origin", report.head.as_ref().map(|head| head.origin.as_str()));
    js::put(&mut map, "size", report.head.as_ref().map(|head| head.size));
    js::put(&mut map, "anchored", report.anchored_ms.map(moment));
    js::put(&mut map, "whole_log", report.whole_log);
    let checks = report.checks.iter().map(|c| json!({ "name": c.name, "checked": c.checked, "wrong": c.wrong }));
    js::put(&mut map, "checks", checks.collect::<Vec<_>>());
    let findings = report
        .findings
        .iter()
        .map(|f| json!({ "word": f.word.word(), "check": f.check, "place": f.place, "what": f.what }));
    js::put(&mut map, "findings", findings.collect::<Vec<_>>());
    js::put(&mut map, "untold", report.untold);
    js::put(&mut map, "tapes", report.tapes.iter().map(tape_document).collect::<Vec<_>>());
    Value::Object(map)
}

fn tape_document(tape: &GivenTape) -> Value {
    json!({
        "tape": tape.tape.to_text(), "custody": tape.custody.to_hex(), "entry": tape.entry,
        "saved": tape.saved_ms.map(moment), "frames": tape.frames, "frames_here": tape.frames_here,
        "links": tape.links, "anchored": tape.anchored_ms.map(moment),
    })
}

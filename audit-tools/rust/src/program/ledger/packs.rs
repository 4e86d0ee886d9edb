//! Packs: every object by its digest, and the manifests that live tapes need.

use super::super::folder::open_plain;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use tapeaudit_core::digest::{Hash, Hasher, hash};
use tapeaudit_core::journal::{PackRecord, pack_header};
use tapeaudit_core::log::Walk;
use tapeaudit_core::report::{Report, Word};
use tapeaudit_core::tape::Manifest;
use tapeaudit_core::{Refused, Result, ensure, text};

const MOST_MANIFEST: u64 = 64 << 20;

#[derive(Clone, Copy)]
struct Place {
    pack: u64,
    offset: u64,
    length: u64,
    /// Its bytes have its digest.
    good: bool,
}

type Objects = BTreeMap<Hash, Place>;

/// Checks what the log names.
pub fn check(ledger: &Path, walk: &Walk, report: &mut Report) {
    let Some(keys) = &walk.trust.keys else { return };
    let (origin, mut objects) = (hash(keys.origin().as_bytes()), Objects::new());
    for number in 1_u64.. {
        let path = ledger.join(format!("packs/{number:08}.pack"));
        if path.symlink_metadata().is_err() {
            break;
        }
        let place = format!("packs/{number:08}.pack");
        let read = open_plain(&path).and_then(|file| scan(file, number, &origin, &mut objects, report));
        report.take("packs", Word::Altered, &place, read);
    }
    for saved in walk.trust.saved.iter().filter(|saved| !walk.is_destroyed(&saved.custody)) {
        let place = format!("tape {}", text::hex(&saved.tape));
        report.tapes.push(text::hex(&saved.tape));
        let Some(at) = named(&objects, &saved.manifest, &place, "manifests", report) else { continue };
        let read = manifest(ledger, at).and_then(|bytes| {
            let manifest = Manifest::read(&bytes)?;
            ensure(manifest.custody == saved.custody, "a manifest of another custody id")?;
            ensure(hash(manifest.root_file) == saved.tape, "a manifest of another tape")?;
            Ok(manifest.objects)
        });
        for (digest, length) in report.take("manifests", Word::Altered, &place, read).unwrap_or_default() {
            if let Some(at) = named(&objects, &digest, &place, "objects", report) {
                report.want("objects", at.length == length, Word::Altered, &place, "an object of another length");
            }
        }
    }
    report.tapes.sort();
    for (index, digest) in &walk.sets {
        named(&objects, digest, &format!("entry {index}"), "objects", report);
    }
}

fn named(objects: &Objects, digest: &Hash, place: &str, check: &'static str, report: &mut Report) -> Option<Place> {
    report.count(check);
    match objects.get(digest) {
        Some(at) if at.good => Some(*at),
        Some(_) => {
            report.find(Word::Altered, place, "an object that has not its digest");
            None
        }
        None => {
            report.find(Word::Missing, place, "an object that the log names is missing");
            None
        }
    }
}

fn manifest(ledger: &Path, at: Place) -> Result<Vec<u8>> {
    const BAD: Refused = Refused("a file that cannot be read");
    ensure(at.length <= MOST_MANIFEST, "a manifest over 64 MiB")?;
    let mut file = open_plain(&ledger.join(format!("packs/{:08}.pack", at.pack)))?;
    file.seek(SeekFrom::Start(at.offset)).map_err(|_| BAD)?;
    let mut bytes = Vec::new();
    file.take(at.length).read_to_end(&mut bytes).map_err(|_| BAD)?;
    Ok(bytes)
}

const UNREADABLE: Refused = Refused("a file that cannot be read");

/// Reads record after record; what is no record is passed over and told.
fn scan(file: File, pack: u64, origin: &Hash, objects: &mut Objects, report: &mut Report) -> Result<()> {
    let size = file.metadata().map_err(|_| UNREADABLE)?.len();
    let mut file = BufReader::with_capacity(1 << 17, file);
    let mut header = [0; 64];
    if size < 64 {
        return Ok(());
    }
    file.read_exact(&mut header).map_err(|_| UNREADABLE)?;
    if header.iter().any(|b| *b != 0) {
        pack_header(&header, pack, origin)?;
    }
    let mut at = 64_u64;
    while let Some(record) = next(&mut file, &mut at, size, pack, report)? {
        match record.of {
            1 => {
                let found = object(&mut file, record.length)?;
                let place = Place { pack, offset: at, length: record.length, good: found == record.digest };
                // A good one is not lost for a bad one of the same name.
                if place.good || !objects.get(&record.digest).is_some_and(|before| before.good) {
                    objects.insert(record.digest, place);
                }
                at = at.saturating_add(record.length);
            }
            3 => drop(objects.remove(&record.digest)),
            _ => {}
        }
        report.count("records of packs");
    }
    Ok(())
}

fn object(file: &mut impl Read, length: u64) -> Result<Hash> {
    let (mut hasher, mut left, mut buffer) = (Hasher::new(), length, vec![0; 1 << 17]);
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let n = file.read(buffer.get_mut(..most).unwrap_or_default()).map_err(|_| UNREADABLE)?;
        ensure(n > 0, "a pack that ends early")?;
        hasher.add(buffer.get(..n).unwrap_or_default());
        left = left.saturating_sub(n as u64);
    }
    Ok(hasher.done())
}

/// The next record from a place on, and the place behind its header. Bytes of no record are told.
fn next(
    file: &mut BufReader<File>,
    at: &mut u64,
    size: u64,
    pack: u64,
    report: &mut Report,
) -> Result<Option<PackRecord>> {
    let (begin, mut other) = (*at, false);
    let mut window = [0; 64];
    let Some(mut left) = size.checked_sub(*at).filter(|left| *left >= 64) else { return Ok(None) };
    file.read_exact(&mut window).map_err(|_| UNREADABLE)?;
    left = left.saturating_sub(64);
    loop {
        let here = at.saturating_add(64);
        if let Ok(record) = PackRecord::read(&window)
            && (record.of != 1 || here.saturating_add(record.length) <= size)
        {
            if other {
                report.say(format!("packs/{pack:08}.pack: unused bytes from {begin} to {at}"));
            }
            *at = here;
            return Ok(Some(record));
        }
        other |= window.iter().any(|b| *b != 0);
        if left == 0 {
            if other {
                report.say(format!("packs/{pack:08}.pack: unused bytes from {begin}"));
            }
            return Ok(None);
        }
        let mut byte = [0; 1];
        file.read_exact(&mut byte).map_err(|_| UNREADABLE)?;
        window.copy_within(1.., 0);
        if let (Some(last), [new]) = (window.last_mut(), byte) {
            *last = new;
        }
        *at = at.saturating_add(1);
        left = left.saturating_sub(1);
    }
}

//! Packs: every object by its digest, and the manifests that live tapes need.

use super::pack::{Pack, Piece};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tapeaudit_core::digest::{Hash, hash};
use tapeaudit_core::journal::{InPack, PackRecord, is_zero, pack_header};
use tapeaudit_core::log::Walk;
use tapeaudit_core::report::{Report, Word};
use tapeaudit_core::tape::Manifest;
use tapeaudit_core::trust::Saved;
use tapeaudit_core::{Result, ensure, text};

const MOST_MANIFEST: u64 = 64 << 20;
/// How often the bytes of all packs are hashed at most in the search for objects behind records of a false length:
/// a hostile pack may hold a record at every 64 bytes, each of which claims all that follows.
const MOST_SEARCHED: u64 = 4;

#[derive(Clone, Copy)]
struct Place {
    pack: u64,
    offset: u64,
    length: u64,
    /// Its bytes have its digest.
    good: bool,
}

/// What was found in the packs of a ledger.
struct Packs {
    folder: PathBuf,
    numbers: BTreeSet<u64>,
    objects: BTreeMap<Hash, Place>,
    discarded: BTreeSet<Hash>,
    size: u64,
}

fn name(number: u64) -> String {
    format!("{number:08}.pack")
}

/// Checks what the log names.
pub fn check(ledger: &Path, walk: &Walk, report: &mut Report) {
    let Some(keys) = &walk.trust.keys else { return };
    let mut packs = Packs::read(ledger, &hash(keys.origin().as_bytes()), report);
    // Several tapes may name one manifest: it is read once.
    let mut manifests: BTreeMap<Hash, Vec<&Saved>> = BTreeMap::new();
    for saved in walk.trust.saved.iter().filter(|saved| !walk.is_destroyed(&saved.custody)) {
        report.tapes.push(text::hex(&saved.tape));
        manifests.entry(saved.manifest).or_default().push(saved);
    }
    report.tapes.sort();
    packs.look_for(manifests.keys().chain(walk.sets.iter().map(|(_, digest)| digest)), report);
    let mut needed: Vec<(Hash, u64, String)> = Vec::new();
    for (digest, tapes) in &manifests {
        manifest(&packs, digest, tapes, &mut needed, report);
    }
    packs.look_for(needed.iter().map(|(digest, ..)| digest), report);
    for (digest, length, place) in &needed {
        if let Some(at) = packs.named(digest, place, "objects", report) {
            report.want("objects", at.length == *length, Word::Altered, place, "an object of another length");
        }
    }
    for (index, digest) in &walk.sets {
        packs.named(digest, &format!("entry {index}"), "objects", report);
    }
}

/// Reads a manifest for the tapes that name it, and says which objects they need.
fn manifest(
    packs: &Packs,
    digest: &Hash,
    tapes: &[&Saved],
    needed: &mut Vec<(Hash, u64, String)>,
    report: &mut Report,
) {
    let place = |saved: &Saved| format!("tape {}", text::hex(&saved.tape));
    let mut at = None;
    for saved in tapes {
        at = packs.named(digest, &place(saved), "manifests", report);
    }
    let Some(at) = at else { return };
    let bytes = packs.manifest(at);
    let read = match &bytes {
        Ok(bytes) => Manifest::read(bytes),
        Err(why) => Err(*why),
    };
    for saved in tapes {
        let fits = match &read {
            Ok(found) => ensure(found.custody == saved.custody, "a manifest of another custody id")
                .and_then(|()| ensure(hash(found.root_file) == saved.tape, "a manifest of another tape")),
            Err(why) => Err(*why),
        };
        report.take("manifests", Word::Altered, &place(saved), fits);
    }
    let (Ok(found), [first, ..]) = (&read, tapes) else { return };
    needed.extend(found.objects.iter().map(|(digest, length)| (*digest, *length, place(first))));
}

impl Packs {
    fn read(ledger: &Path, origin: &Hash, report: &mut Report) -> Self {
        let folder = ledger.join("packs");
        let mut found =
            Self { numbers: numbers(&folder), folder, objects: BTreeMap::new(), discarded: BTreeSet::new(), size: 0 };
        let mut before = 0_u64;
        for number in found.numbers.clone() {
            // However many are gone, it is one hole.
            let missing = before.saturating_add(1);
            if missing < number {
                report.find(Word::Missing, format!("packs/{}", name(missing)), "a pack is missing");
            }
            before = number;
            let place = format!("packs/{}", name(number));
            // A link or a folder in its place is a pack that cannot be read (section 1).
            let opened = Pack::open(&found.folder.join(name(number)));
            if let Some(mut pack) = report.take("packs", Word::CannotTell, &place, opened) {
                found.size = found.size.saturating_add(pack.size);
                let read = found.scan(&mut pack, number, origin, &place, report);
                report.take("packs", Word::CannotTell, &place, read);
            }
        }
        found
    }

    /// Takes every record; says what else stands in the pack, and goes on.
    fn scan(&mut self, pack: &mut Pack, number: u64, origin: &Hash, place: &str, report: &mut Report) -> Result<()> {
        match pack.header()? {
            Some(header) if !is_zero(&header) => {
                report.take("packs", Word::Altered, place, pack_header(&header, number, origin));
            }
            // Within one sector, which a power cut keeps whole or leaves zero.
            Some(_) if !pack.front_is_zero()? => {
                report.find(Word::Altered, place, "a header of zeros in front of bytes of the same sector");
            }
            Some(_) => report.say(format!("{place}: a header of zeros, which a power cut leaves")),
            None => {
                if pack.size > 0 {
                    report.say(format!("{place}: unused bytes from 0 to {}", pack.size));
                }
                return Ok(());
            }
        }
        pack.pieces(&mut |pack, piece| {
            match piece {
                Piece::Record(record, offset) => {
                    self.record(pack, number, &record, offset)?;
                    report.count("records of packs");
                }
                Piece::Unused(from, to) => report.say(format!("{place}: unused bytes from {from} to {to}")),
                Piece::Damage(from, to) => {
                    let at = format!("{place}:{from}-{to}");
                    report.find(Word::Altered, at, "bytes that belong to no record, and that no power cut leaves");
                }
                Piece::Unknown(at) => {
                    report.find(Word::Altered, format!("{place}:{at}"), "a record of another type or mode");
                }
            }
            Ok(())
        })
    }

    fn record(&mut self, pack: &mut Pack, number: u64, record: &PackRecord, offset: u64) -> Result<()> {
        match record.of {
            1 => {
                let good = pack.digest(offset, record.length)? == record.digest;
                // A good one is not lost for a bad one of the same name.
                if good || !self.objects.get(&record.digest).is_some_and(|before| before.good) {
                    let place = Place { pack: number, offset, length: record.length, good };
                    self.objects.insert(record.digest, place);
                }
                if good {
                    self.discarded.remove(&record.digest);
                }
            }
            3 => {
                self.objects.remove(&record.digest);
                self.discarded.insert(record.digest);
            }
            _ => {}
        }
        Ok(())
    }

    fn named(&self, digest: &Hash, place: &str, check: &'static str, report: &mut Report) -> Option<Place> {
        report.count(check);
        match self.objects.get(digest) {
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

    /// Looks at every byte of the packs for the records of objects that were not found: one of a false length hides what
    /// it covers.
    fn look_for<'a>(&mut self, wanted: impl Iterator<Item = &'a Hash>, report: &mut Report) {
        let is_lost = |digest: &&Hash| {
            !self.objects.get(*digest).is_some_and(|place| place.good) && !self.discarded.contains(*digest)
        };
        let mut lost: BTreeSet<Hash> = wanted.filter(is_lost).copied().collect();
        let mut budget = self.size.saturating_mul(MOST_SEARCHED);
        for number in self.numbers.clone() {
            if lost.is_empty() {
                return;
            }
            let Ok(mut pack) = Pack::open(&self.folder.join(name(number))) else { continue };
            let searched = pack.search(0, &mut |pack, at, found| {
                let InPack::Record(record) = found else { return Ok(false) };
                let offset = at.saturating_add(64);
                if record.of != 1 || !lost.contains(&record.digest) || record.length > pack.size.saturating_sub(offset)
                {
                    return Ok(false);
                }
                let Some(left) = budget.checked_sub(record.length) else {
                    report.skip("objects hidden behind records of a false length: too many records claim to be them");
                    return Ok(true);
                };
                budget = left;
                if pack.digest(offset, record.length)? == record.digest {
                    lost.remove(&record.digest);
                    let place = Place { pack: number, offset, length: record.length, good: true };
                    self.objects.insert(record.digest, place);
                }
                Ok(lost.is_empty())
            });
            let place = format!("packs/{}", name(number));
            report.take("packs", Word::CannotTell, &place, searched.map(drop));
        }
    }

    fn manifest(&self, at: Place) -> Result<Vec<u8>> {
        ensure(at.length <= MOST_MANIFEST, "a manifest over 64 MiB")?;
        Pack::open(&self.folder.join(name(at.pack)))?.bytes(at.offset, at.length)
    }
}

/// Numbers of the packs that are there, in whatever form.
fn numbers(folder: &Path) -> BTreeSet<u64> {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |file: &str| file.strip_suffix(".pack")?.parse::<u64>().ok().filter(|n| *n > 0 && name(*n) == file);
    names.filter_map(|entry| number(entry.file_name().to_str()?)).collect()
}

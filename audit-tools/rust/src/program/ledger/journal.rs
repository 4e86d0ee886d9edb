//! The journal from its first segment on.

use super::super::folder::open_plain;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use tapeaudit_core::digest::{Hash, ZERO, hash};
use tapeaudit_core::journal::{Group, LENGTHS, MOST_GROUP, Next, SECTOR, Segment, Tail, is_zero, tail};
use tapeaudit_core::log::{Taken, Walk};
use tapeaudit_core::report::{Report, Word};
use tapeaudit_core::sign::VerifierKey;
use tapeaudit_core::{Refused, Result, ensure};

/// What was read.
#[derive(Default)]
pub struct Journal {
    /// The log.
    pub walk: Walk,
    /// The last group says that the log was closed in order.
    pub closed: bool,
    /// A write was cut off behind that group: lawful where the head file says that the log was opened again.
    pub torn_after_close: Option<String>,
    /// Size of the tree after each group, and the group's term.
    pub terms: BTreeMap<u64, u64>,
    term: u64,
    group: Hash,
    tears: Vec<(u64, u64)>,
    /// Tears below a segment that was torn at its own header: no header names them.
    lower: Vec<(u64, u64)>,
    /// H(origin) as the headers of segments say it: the genesis may stand behind the first of them.
    origins: Vec<(String, Hash)>,
}

/// Whether entries name the terms that they should: the first group of a term begins with `log.started` and, where the
/// group before did not close the log, with `log.unclean_stop`; `log.stopped` ends the term that it names.
fn term_begins(before: (u64, bool), term: u64, entries: &[Option<Taken>]) -> Result<()> {
    let names = |at: usize, kind: u16| {
        let taken = entries.get(at).and_then(Option::as_ref).filter(|taken| taken.kind == kind);
        taken.and_then(|taken| taken.term)
    };
    let first = before.0 > 0 && term > before.0;
    let begun = first && names(0, 1) == Some(term);
    ensure(begun || !first, "a term that does not begin with log.started")?;
    let unclean = first && !before.1;
    ensure(
        !unclean || names(1, 3) == Some(before.0),
        "a term behind one that did not stop in order, which is not said",
    )?;
    for (at, taken) in entries.iter().enumerate() {
        let Some(taken) = taken else { continue };
        match taken.kind {
            1 => ensure(at == 0 && taken.term == Some(term), "log.started in the middle of a term, or of another one")?,
            3 => ensure(at == 1 && unclean, "log.unclean_stop where a term did stop in order, or in its middle")?,
            2 => {
                let last = at.saturating_add(1) == entries.len();
                ensure(last && taken.term == Some(term), "log.stopped in the middle of a group, or of another term")?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// What stands behind the last whole group of a segment.
struct Before {
    bytes: Vec<u8>,
    end: usize,
    /// Its own header sector is zero.
    headless: bool,
    /// Term of the writer that began it.
    term: u64,
}

/// Reads all segments in order; goes on as long as it can.
pub fn read(ledger: &Path, witnesses: &[VerifierKey], report: &mut Report) -> Journal {
    let mut journal = Journal { walk: Walk::new(witnesses), ..Journal::default() };
    let mut before: Option<Before> = None;
    let mut number = 1_u64;
    loop {
        let path = ledger.join(format!("journal/{number:08}.seg"));
        if path.symlink_metadata().is_err() {
            break;
        }
        let place = format!("journal/{number:08}.seg");
        // A link or a folder in its place is a segment that cannot be read (section 1).
        let Some(bytes) = report.take("segments", Word::CannotTell, &place, segment(&path)) else {
            journal.walk.is_cut = true;
            return journal;
        };
        let length = bytes.len() as u64;
        let so = length.is_power_of_two() && LENGTHS.contains(&length);
        if !report.want("segments", so, Word::Altered, &place, "a length that no segment has") {
            journal.walk.is_cut = true;
            return journal;
        }
        if is_zero(&bytes) {
            let next = ledger.join(format!("journal/{:08}.seg", number.saturating_add(1))).symlink_metadata();
            report.want("segments", next.is_err(), Word::Altered, &place, "a segment behind one that was not begun");
            break;
        }
        if !journal.segment(number, bytes, &mut before, &place, report) {
            journal.walk.is_cut = true;
            return journal;
        }
        number = number.saturating_add(1);
    }
    if number == 1 {
        report.find(Word::Missing, "journal/00000001.seg", "the first segment is missing");
    } else if gap(ledger, number) {
        report.find(Word::Missing, format!("journal/{number:08}.seg"), "a segment is missing");
    }
    if let Some(before) = &before {
        journal.newest(number.saturating_sub(1), before, report);
    }
    journal.recovered(report);
    journal.origins(report);
    journal
}

/// Whether a segment stands behind the place of one that is not there.
fn gap(ledger: &Path, missing: u64) -> bool {
    let names = std::fs::read_dir(ledger.join("journal")).into_iter().flatten().flatten();
    let number = |name: &str| name.strip_suffix(".seg").filter(|digits| digits.len() == 8)?.parse::<u64>().ok();
    names.filter_map(|entry| number(entry.file_name().to_str()?)).any(|found| found > missing)
}

fn segment(path: &Path) -> Result<Vec<u8>> {
    let file = open_plain(path)?;
    let mut bytes = Vec::new();
    let read = file.take(LENGTHS.end().saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|_| Refused("a file that cannot be read"))?;
    Ok(bytes)
}

impl Journal {
    /// False when nothing behind it can be read.
    fn segment(
        &mut self,
        number: u64,
        bytes: Vec<u8>,
        before: &mut Option<Before>,
        place: &str,
        report: &mut Report,
    ) -> bool {
        let headless = is_zero(bytes.get(..SECTOR).unwrap_or_default());
        let (mut end, mut term) = (SECTOR, self.term);
        if headless {
            // The header that would have named a tear in the segment before was torn itself: two crashes in a row.
            if let Some(below) = before.as_ref() {
                self.below(number.saturating_sub(1), below, report);
            }
        } else {
            let read = Segment::read(&bytes).and_then(|header| {
                ensure(header.number == number && header.length == bytes.len() as u64, "a header of another segment")?;
                self.header(&header, before.as_ref())?;
                Ok(header)
            });
            let Some(header) = report.take("segments", Word::Altered, place, read) else { return false };
            self.origins.push((place.to_owned(), header.origin));
            term = header.term;
            while let Some(rest) =
                bytes.get(end..).filter(|rest| !rest.is_empty() && !is_zero(rest.get(..8).unwrap_or(rest)))
            {
                let Ok(group) = Group::read(rest) else { break };
                if !self.group(&group, (number, end as u64), &header, report) {
                    return false;
                }
                end = end.saturating_add(group.extent);
            }
        }
        *before = Some(Before { bytes, end: if headless { 0 } else { end }, headless, term });
        true
    }

    fn header(&mut self, header: &Segment, before: Option<&Before>) -> Result<()> {
        ensure(header.first == self.walk.levels.size(), "a segment that begins at another entry")?;
        ensure(header.before == self.group, "a segment behind another group")?;
        ensure(header.term >= self.term, "a term that falls")?;
        let Some(before) = before else {
            return ensure((header.end_before, header.torn) == (0, (ZERO, 0)), "a first segment that names one before");
        };
        ensure(header.end_before == before.end as u64, "another end of the segment before")?;
        let length = usize::try_from(header.torn.1).unwrap_or(usize::MAX);
        ensure(length <= MOST_GROUP + SECTOR, "a tear longer than a group")?;
        let rest = before.bytes.get(before.end..).unwrap_or_default();
        let Some((torn, after)) = rest.split_at_checked(length) else {
            return ensure(false, "a tear past the end of its segment");
        };
        ensure(is_zero(after), "bytes behind the end of the segment before")?;
        let digest = if length == 0 { ZERO } else { hash(torn) };
        ensure(header.torn.0 == digest, "other torn bytes than are named")?;
        if length > 0 {
            self.tears.push((header.number.saturating_sub(1), before.end as u64));
        }
        // An entry of this segment's first group admits them, as it does the one that the header names.
        self.tears.append(&mut self.lower);
        Ok(())
    }

    fn group(&mut self, group: &Group<'_>, at: (u64, u64), header: &Segment, report: &mut Report) -> bool {
        let place = format!("group at {}:{}", at.0, at.1);
        let first = self.walk.levels.size();
        let mut want = |so, what| report.want("groups", so, Word::Altered, &place, what);
        want(group.place == at, "a group in another place than its own");
        want(group.before == self.group, "another group before than the one here");
        want(group.term >= self.term.max(header.term), "a term that falls");
        if !want(group.first == first, "a group that begins at another entry") {
            return false;
        }
        let before = (self.term, self.closed);
        self.term = self.term.max(group.term);
        self.group = group.hash;
        let mut entries = Vec::new();
        for (entry, sealed) in &group.records {
            let index = self.walk.levels.size();
            let taken = self.walk.entry(entry, report);
            if let Some(taken) = &taken {
                let so = hash(sealed) == taken.sealed;
                report.want(
                    "sealed halves",
                    so,
                    Word::Altered,
                    &format!("entry {index}"),
                    "a sealed half of another digest",
                );
            }
            entries.push(taken);
        }
        if let Err(why) = term_begins(before, group.term, &entries) {
            // Such a departure is told, and is no alteration (section 3).
            report.find(Word::Gaps, place.clone(), why.0);
        }
        if before.1 && group.term == before.0 {
            report.find(Word::Gaps, place.clone(), "a group of a term that was closed");
        }
        self.terms.insert(group.after.0, group.term);
        let walk = &self.walk.levels;
        let mut want = |so, what| report.want("groups", so, Word::Altered, &place, what);
        want(walk.root_at(group.after.0) == Some(group.after.1), "another root after the group");
        want(walk.leaf(group.after.0.saturating_sub(1)) == Some(group.last), "another last entry of the group");
        let last = entries.last().and_then(Option::as_ref);
        let stops = last.is_some_and(|taken| taken.kind == 2) || group.after.0 == 1;
        if group.first == 0 {
            want(group.after.0 == 1, "a genesis that is not alone in its group");
        }
        if group.closed && !stops {
            report.find(
                Word::Gaps,
                place,
                "a group that says that it closes the log, and does not end with log.stopped",
            );
        }
        self.closed = group.closed;
        true
    }

    /// The end of the newest segment.
    fn newest(&mut self, number: u64, before: &Before, report: &mut Report) {
        let place = format!("journal/{number:08}.seg");
        let at = before.end;
        match self.tail(number, before) {
            Tail::End if !before.headless => report.count("tail"),
            Tail::End => report.find(Word::Altered, place, "a segment of zeros that is not whole"),
            Tail::Tear(bytes) if !self.closed => {
                report.count("tail");
                report.say(format!("{place}: a write of {bytes} bytes that a crash cut off at {at}"));
            }
            Tail::Tear(_) => self.torn_after_close = Some(place),
            Tail::Damage => {
                self.walk.is_cut = true;
                report.find(Word::Altered, place, "bytes that are neither a group nor a write that was cut off")
            }
        }
    }

    fn tail(&self, number: u64, before: &Before) -> Tail {
        let end = (!before.headless).then_some(before.end as u64);
        let term = self.term.max(before.term);
        let next = Next { segment: number, end, first: self.walk.levels.size(), before: self.group, term };
        tail(before.bytes.get(before.end..).unwrap_or_default(), &next)
    }

    /// The end of a segment whose successor is torn at its own header.
    fn below(&mut self, number: u64, before: &Before, report: &mut Report) {
        let place = format!("journal/{number:08}.seg");
        match self.tail(number, before) {
            Tail::End if !before.headless => {}
            Tail::Tear(_) => self.lower.push((number, before.end as u64)),
            _ => {
                self.walk.is_cut = true;
                report.find(Word::Altered, place, "bytes that are neither a group nor a write that was cut off");
            }
        }
    }

    /// Headers are of the log that its genesis says.
    fn origins(&self, report: &mut Report) {
        let Some(keys) = &self.walk.trust.keys else { return };
        let origin = hash(keys.origin().as_bytes());
        for (place, found) in &self.origins {
            report.want("segments", *found == origin, Word::Altered, place, "a segment of another log");
        }
    }

    /// Each tear that a segment names has its entry.
    fn recovered(&self, report: &mut Report) {
        for (segment, offset) in &self.tears {
            if !self.walk.torn.contains(&(*segment, *offset)) {
                report.find(
                    Word::Gaps,
                    format!("journal/{segment:08}.seg"),
                    "a write that was cut off, and no entry says so",
                );
            }
        }
    }
}

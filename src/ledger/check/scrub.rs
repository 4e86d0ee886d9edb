//! Reading a part of what is stored again, from the medium: a disk that decays is found before the copies of it do.
//!
//! Which part an object or a segment belongs to follows from its own name alone, so that in a round of all parts each is looked
//! at exactly once, whatever is added meanwhile.

use super::scrub_names::{Names, Whose};
use super::stored::Stored;
use super::{CheckOptions, Checker, FAILURES_MAX, Failure};
use crate::codec::digest::{Digest, LedgerId, ObjectDigest};
use crate::error::{Code, Error, Result};
use crate::evidence::{Finding, Report, Severity};
use crate::log::{Body, HeadState};
use crate::seal::Manifest;
use crate::store::{ObjectRef, Position};

use crate::ledger::rebuild::by_digest;

/// Most parts of a round: with one a minute it takes more than a month.
pub const SCRUB_PARTS_MAX: u64 = 65_536;
/// Of so many objects, a power of two less one, one is told to who waits.
const OBJECTS_TOLD: u64 = 255;

/// One part of everything that is stored.
///
/// ```
/// use immutape::ledger::ScrubPart;
/// let part = ScrubPart::new(3, 8)?;
/// assert_eq!((part.number(), part.of(), part.to_string()), (3, 8, "part 3 of 8".to_owned()));
/// assert!(ScrubPart::new(0, 8).is_err() && ScrubPart::new(9, 8).is_err());
/// # Ok::<(), immutape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubPart {
    number: u64,
    of: u64,
}

impl ScrubPart {
    /// Part `number`, from 1, of `of` parts.
    ///
    /// # Errors
    /// `E_USAGE` unless 1 <= `number` <= `of` <= 65,536.
    pub fn new(number: u64, of: u64) -> Result<Self> {
        if (1..=SCRUB_PARTS_MAX).contains(&of) && (1..=of).contains(&number) {
            return Ok(Self { number, of });
        }
        Err(Error::new(Code::Usage, format!("there is no part {number} of {of}"))
            .with_hint(format!("a round has 1 to {SCRUB_PARTS_MAX} parts, counted from 1")))
    }

    /// Which one, from 1.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Of how many.
    #[must_use]
    pub const fn of(self) -> u64 {
        self.of
    }

    /// The part after it; after the last the first.
    #[must_use]
    pub const fn next(self) -> Self {
        let number = if self.number < self.of { self.number.saturating_add(1) } else { 1 };
        Self { number, ..self }
    }

    /// Digests are as good as drawn by lot.
    fn has_object(self, digest: &ObjectDigest) -> bool {
        let first = digest.as_bytes().first_chunk::<8>().copied().unwrap_or_default();
        u64::from_be_bytes(first).checked_rem(self.of) == Some(self.number.saturating_sub(1))
    }

    /// Segments are numbered from 1.
    fn has_segment(self, segment: u64) -> bool {
        segment.saturating_sub(1).checked_rem(self.of) == Some(self.number.saturating_sub(1))
    }
}

impl std::fmt::Display for ScrubPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "part {} of {}", self.number, self.of)
    }
}

/// What reading a part again came to. Only [`Checker::scrub`] makes one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Scrubbed {
    /// Which part.
    pub part: ScrubPart,
    /// Objects looked at.
    pub objects: u64,
    /// Segments of the journal looked at.
    pub segments: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// All of it was read from the medium, past what memory held. False where a file system cannot be made to, or nobody can tell.
    pub from_medium: bool,
    /// What is not what was stored.
    pub findings: Vec<Finding>,
    pub(super) ledger: LedgerId,
    pub(super) failures: Vec<Failure>,
}

impl Scrubbed {
    pub(super) fn body(&self) -> Body {
        Body::Scrubbed {
            part: self.part.number,
            of: self.part.of,
            objects: self.objects,
            bytes: self.bytes,
            findings: self.findings.len() as u64,
            segments: self.segments,
            from_medium: self.from_medium,
        }
    }
}

/// Something wrong, before it is known whose it is.
struct Wrong {
    finding: Finding,
    digest: Option<ObjectDigest>,
}

/// A scrub under way.
struct Work<'a> {
    checker: &'a Checker,
    part: ScrubPart,
    made: Scrubbed,
    wrong: Vec<Wrong>,
}

impl Checker {
    /// Reads one part of the stored objects and of the journal's segments again, from the medium where the machine lets it, and
    /// compares digests; what entries in those segments name must be there. Needs no key. Nothing is changed.
    #[must_use]
    pub fn scrub(&self, part: ScrubPart) -> Scrubbed {
        let made = Scrubbed {
            part,
            objects: 0,
            segments: 0,
            bytes: 0,
            from_medium: true,
            findings: Vec::new(),
            ledger: self.identity.ledger,
            failures: Vec::new(),
        };
        let mut work = Work { checker: self, part, made, wrong: Vec::new() };
        let head = self.head(&mut Report::default());
        self.stores.journal.set_reopened(head.is_some_and(|head| head.state == HeadState::Open));
        // In this order: what an entry names was stored before it.
        let names = work.segments();
        let mut stored = Stored::list(self, &CheckOptions::default());
        work.objects(&mut stored);
        work.are_there(&names, &stored);
        work.finish()
    }
}

impl Work<'_> {
    fn find(&mut self, part: &'static str, place: String, what: String, digest: Option<ObjectDigest>) {
        let finding = Finding { severity: Severity::Altered, word: None, part, place, what, tape: None, entry: None };
        self.wrong.push(Wrong { finding, digest });
    }

    fn segments(&mut self) -> Names {
        let mut names = Names::default();
        let last = match self.checker.stores.journal.survey() {
            Ok(tail) => tail.last.map_or(0, |last| last.segment),
            Err(e) => {
                self.find("journal", "journal".into(), e.message().to_owned(), None);
                return names;
            }
        };
        let part = self.part;
        for segment in (1..=last).filter(|segment| part.has_segment(*segment)) {
            if let Err(e) = self.segment(segment, &mut names) {
                self.find("journal", format!("journal/{segment:08}.seg"), e.message().to_owned(), None);
            }
            self.made.segments = self.made.segments.saturating_add(1);
        }
        names
    }

    /// Up to the first group that does not hold: where the next one begins nobody knows then.
    fn segment(&mut self, segment: u64, names: &mut Names) -> Result<()> {
        let journal = &self.checker.stores.journal;
        self.made.from_medium &= journal.drop_cached(segment)?;
        let mut at = Position { segment, offset: 0 };
        while let Some((position, extent, next)) = journal.read(at)?.filter(|(found, ..)| found.segment == segment) {
            self.made.bytes = self.made.bytes.saturating_add(extent.len() as u64);
            names.take(&extent)?;
            at = Position { segment: position.segment, ..next };
        }
        Ok(())
    }

    fn objects(&mut self, stored: &mut Stored) {
        // Damaged places belong to no object any more: they are told each time.
        for finding in stored.take_findings().into_iter().filter(|f| f.severity == Severity::Altered) {
            self.wrong.push(Wrong { finding, digest: None });
        }
        let mut objects = stored.in_order();
        objects.retain(|object| self.part.has_object(&object.digest));
        let total = objects.iter().fold(0, |sum: u64, object| sum.saturating_add(object.bytes));
        for object in &objects {
            self.object(object);
            if self.made.objects & OBJECTS_TOLD == 0 {
                self.checker.came_to("scrub", self.made.bytes.min(total), total, true);
            }
        }
    }

    fn object(&mut self, object: &ObjectRef) {
        match self.checker.stores.objects.rehash_stored(object) {
            Ok((bytes, from_medium)) => {
                self.made.bytes = self.made.bytes.saturating_add(bytes);
                self.made.from_medium &= from_medium;
            }
            Err(e) => self.find("object", object.digest.to_hex(), e.message().to_owned(), Some(object.digest)),
        }
        self.made.objects = self.made.objects.saturating_add(1);
    }

    /// Objects that the entries of these segments name, and those that their manifests do.
    fn are_there(&mut self, names: &Names, stored: &Stored) {
        for named in &names.objects {
            if !stored.has(&named.digest) {
                self.missing(named.digest);
                continue;
            }
            if !named.is_manifest {
                continue;
            }
            // One that cannot be read is found in the part that it belongs to.
            let Ok(bytes) = self.checker.stores.objects.get(&stored.object(named.digest, 0)) else { continue };
            let Ok(manifest) = Manifest::decode(&bytes) else { continue };
            for object in manifest.all_objects().filter(|object| !stored.has(&object.digest)) {
                self.missing(object.digest);
            }
        }
    }

    fn missing(&mut self, digest: ObjectDigest) {
        let gone = self.checker.stores.objects.rehash(&by_digest(digest, 0));
        // What is not in a list may stand all the same, behind a place that cannot be read.
        if let Err(e) = gone {
            self.find("object", digest.to_hex(), e.message().to_owned(), Some(digest));
        }
    }

    /// Says whose the damaged objects are. What a lawful destruction leaves is no damage.
    fn finish(mut self) -> Scrubbed {
        let digests = self.wrong.iter().filter_map(|wrong| wrong.digest);
        let whose = Whose::find(self.checker, &digests.collect());
        for Wrong { mut finding, digest } in self.wrong {
            if let Some(owner) = digest.and_then(|digest| whose.of(&digest)) {
                if owner.is_destroyed {
                    continue;
                }
                (finding.tape, finding.entry) = (Some(owner.tape), Some(owner.entry));
            }
            let digest = digest.map(|digest| Digest::from_bytes(*digest.as_bytes()));
            self.made.failures.push(Failure { digest, ..Failure::of(&finding) });
            self.made.findings.push(finding);
        }
        self.made.failures.sort_unstable();
        self.made.failures.dedup();
        self.made.failures.truncate(FAILURES_MAX);
        self.made
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::digest::sha256;

    #[test]
    fn each_thing_is_in_exactly_one_part() {
        for of in [1, 2, 3, 30, 1_000, SCRUB_PARTS_MAX] {
            for n in 1..200u64 {
                let digest = ObjectDigest::from_bytes(sha256(&n.to_be_bytes()));
                let parts = (1..=of).map(|number| ScrubPart::new(number, of).unwrap());
                let (objects, segments) = parts.fold((0, 0), |(objects, segments), part| {
                    (objects + usize::from(part.has_object(&digest)), segments + usize::from(part.has_segment(n)))
                });
                assert_eq!((objects, segments), (1, 1), "{n} of {of}");
                if of > 1_000 && n > 3 {
                    break;
                }
            }
        }
        for (number, of) in [(0, 1), (2, 1), (1, 0), (1, SCRUB_PARTS_MAX + 1)] {
            assert_eq!(ScrubPart::new(number, of).unwrap_err().code(), Code::Usage);
        }
        let round = std::iter::successors(Some(ScrubPart::new(1, 3).unwrap()), |part| Some(part.next()));
        assert_eq!(round.take(4).map(ScrubPart::number).collect::<Vec<_>>(), [1, 2, 3, 1]);
    }
}

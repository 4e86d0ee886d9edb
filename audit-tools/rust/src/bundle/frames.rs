//! Frames of a given tape (6.6, and check 8).

use super::completeness::Given;
use super::custody::Chain;
use super::source::{Sequence, Source, has};
use super::tapes;
use crate::cbor::Reader;
use crate::digest::Hash;
use crate::error::{Result, ensure, refuse};
use crate::report::{Report, Word};
use crate::tape::{MOST_ENVELOPE, MOST_PAYLOAD, Root, envelope, envelope_digest, frame_leaf, payload_digest};
use crate::tree::{Frontier, SetWalk};
use alloc::format;

/// What `frames.cbor` holds.
#[derive(Clone, Copy, Default, Debug)]
pub struct Seen {
    /// First and last position, where there are any.
    pub range: Option<(u64, u64)>,
    /// How many frames.
    pub count: u64,
    /// How many payloads are open.
    pub open: u64,
}

const MOST_ITEM: usize = MOST_PAYLOAD + MOST_ENVELOPE + 1024;

struct Marks<'a> {
    chain: Option<&'a Chain>,
    /// Known leaves from the first one on.
    front: Frontier,
    unbroken: bool,
    next: usize,
}

impl Marks<'_> {
    /// Compares the marks that name as many frames as are known so far.
    fn compare(&mut self, report: &mut Report) {
        let Some(chain) = self.chain else { return };
        while let Some((frames, root, index)) = chain.marks.get(self.next) {
            if *frames != self.front.size() {
                return;
            }
            self.next = self.next.saturating_add(1);
            report.count("marks of recordings");
            if self.front.root() != *root {
                unfulfilled(chain, *frames, *index, report);
            }
        }
    }

    fn leaf(&mut self, seq: u64, leaf: Hash, report: &mut Report) {
        self.unbroken &= seq == self.front.size();
        if self.unbroken {
            self.front.push(leaf);
            self.compare(report);
        }
    }
}

fn unfulfilled(chain: &Chain, frames: u64, index: u64, report: &mut Report) {
    let word = if chain.truncated.is_some_and(|left| left < frames) { Word::Gaps } else { Word::Altered };
    report.find(word, format!("entry {index}"), "a mark of the recording that the tape does not fulfil");
}

/// Checks the frames of a tape.
pub fn check(
    source: &mut dyn Source,
    given: &Given,
    root: Option<&Root>,
    chain: Option<&Chain>,
    report: &mut Report,
) -> Option<Seen> {
    if let (Some(chain), Some(root)) = (chain, root) {
        for (frames, _, index) in chain.marks.iter().filter(|(frames, ..)| *frames > root.frames) {
            unfulfilled(chain, *frames, *index, report);
        }
    }
    if chain.is_some_and(|chain| chain.truncated.is_some()) {
        report.find(
            Word::Gaps,
            format!("tape {}", crate::text::hex(&given.tape)),
            "the recording did not end in order",
        );
    }
    let path = tapes::path(&given.tape, "frames.cbor");
    if !has(source, &path) {
        return None;
    }
    let proof_path = tapes::path(&given.tape, "frames-paths.cbor");
    let proof = tapes::set_proof(source, &given.tape)
        .and_then(|read| report.take("frame proofs", Word::Altered, &proof_path, read));
    let mut seen = Seen::default();
    let mut marks = Marks { chain, front: Frontier::new(), unbroken: true, next: 0 };
    marks.compare(report);
    let size = root.map_or(u64::MAX, |root| root.frames);
    let provable = root.is_some() && proof.is_some();
    let mut walk = SetWalk::new(size, proof.unwrap_or_default().into_iter());
    let mut proved: Result<()> = Ok(());
    let read = read(source, &path, size, &mut seen, &mut |seq, leaf| {
        marks.leaf(seq, leaf, report);
        if proved.is_ok() && provable {
            proved = walk.leaf(seq, leaf);
        }
    });
    report.take("frames.cbor", Word::Altered, &path, read);
    if let Some(root) = root.filter(|_| provable) {
        let found = proved.and_then(|()| walk.finish());
        let found =
            found.and_then(|found| ensure(found == root.tree, "frames that do not lead to the root of the tape"));
        report.take("frame proofs", Word::Altered, &proof_path, found);
    }
    Some(seen)
}

fn read(
    source: &mut dyn Source,
    path: &str,
    size: u64,
    seen: &mut Seen,
    leaf: &mut dyn FnMut(u64, Hash),
) -> Result<()> {
    let mut items = Sequence::new(source.open(path)?, MOST_ITEM);
    while let Some(item) = items.next_item()? {
        let mut reader = Reader::new(item);
        reader.array_of(3)?;
        let seq = reader.uint()?;
        ensure(seen.range.is_none_or(|(_, last)| last < seq), "frames that do not ascend")?;
        ensure(seq < size, "a frame past the end of the tape")?;
        let (salt, bytes) = opened(&mut reader)?;
        ensure(envelope(bytes)? == seq, "an envelope of another position")?;
        let envelope = envelope_digest(seq, &salt, bytes);
        let payload = match part(&mut reader)? {
            Part::Closed(digest) => digest,
            Part::Open(salt, bytes) => {
                ensure(bytes.len() <= MOST_PAYLOAD, "a payload over 16 MiB")?;
                seen.open = seen.open.saturating_add(1);
                payload_digest(seq, &salt, bytes)
            }
        };
        reader.end()?;
        seen.range = Some(seen.range.map_or((seq, seq), |(first, _)| (first, seq)));
        seen.count = seen.count.saturating_add(1);
        leaf(seq, frame_leaf(seq, &envelope, &payload));
    }
    Ok(())
}

enum Part<'a> {
    Open(Hash, &'a [u8]),
    Closed(Hash),
}

fn part<'a>(reader: &mut Reader<'a>) -> Result<Part<'a>> {
    let mut ahead = *reader;
    if ahead.bytes().is_ok() {
        return reader.fixed().map(Part::Closed);
    }
    reader.array_of(2)?;
    Ok(Part::Open(reader.fixed()?, reader.bytes()?))
}

fn opened<'a>(reader: &mut Reader<'a>) -> Result<(Hash, &'a [u8])> {
    match part(reader)? {
        Part::Open(salt, bytes) => Ok((salt, bytes)),
        Part::Closed(_) => refuse("a closed envelope"),
    }
}

//! The index of a folder of version 2 tapes (`index.json`): what it says of a tape is kept and compared, never believed.

use std::collections::BTreeMap;

use super::claims::Facts;
use super::json::{Members, elements, string, whole};
use super::losses::{Losses, quoted};
use crate::codec::limits::LABEL_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::tape::EndState;

/// Longest index that is read.
pub(super) const INDEX_BYTES_MAX: usize = 64 << 20;
/// Longest entry that is kept in a header.
const ENTRY_BYTES_MAX: usize = 64 << 10;
/// Name of the entry among the extra fields of a header.
const EXTRA_NAME: &[u8] = b"index.json";

/// The index of a folder, read once for all its tapes.
///
/// ```
/// use immutape::interchange::DirectoryIndex;
/// let index = DirectoryIndex::read(br#"{"version":"2.0","tapes":[{"tape_id":"a","frame_count":7}]}"#)?;
/// assert_eq!(index.tapes(), 1);
/// # Ok::<(), immutape::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectoryIndex {
    entries: BTreeMap<String, Vec<String>>,
    tapes: usize,
}

impl DirectoryIndex {
    /// Reads `index.json`.
    ///
    /// # Errors
    /// `E_LIMIT` over 64 MiB; `E_NOT_A_TAPE` for anything but an object with a list `tapes`.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > INDEX_BYTES_MAX {
            return Err(Error::new(
                Code::Limit,
                format!("the index of the folder has {} bytes; the limit is {INDEX_BYTES_MAX}", bytes.len()),
            )
            .with_hint("move it away: tapes are imported without it just as well"));
        }
        let mut index = Self::default();
        let text = std::str::from_utf8(bytes).ok().map(|text| text.trim_start_matches('\u{feff}'));
        let tapes = text.and_then(|text| Members::parse(text).ok()?.read_raw("tapes"));
        tapes.and_then(|tapes| elements(tapes, |entry| index.add(entry)).ok()).ok_or_else(|| {
            Error::new(Code::NotATape, "this is no index of tapes: it is not a JSON object with a list \"tapes\"")
                .with_hint("tapes are imported without it just as well")
        })?;
        Ok(index)
    }

    /// How many tapes it lists.
    #[must_use]
    pub const fn tapes(&self) -> usize {
        self.tapes
    }

    fn add(&mut self, entry: &str) {
        self.tapes = self.tapes.saturating_add(1);
        if let Some(id) = Members::parse(entry).ok().and_then(|mut m| Some(m.read_string("tape_id")?.into_owned())) {
            self.entries.entry(id).or_default().push(entry.to_owned());
        }
    }

    /// Holds what it says of a tape against the facts. The entry itself, for the header.
    pub(super) fn compare(
        &self,
        tape_id: &[u8],
        facts: &Facts,
        end_state: &EndState,
        losses: &mut Losses,
    ) -> Option<(Vec<u8>, Vec<u8>)> {
        let all = self.entries.get(std::str::from_utf8(tape_id).ok()?)?;
        if all.len() > 1 {
            losses.about_all(format!(
                "the index of the folder lists this tape {} times; the last was compared",
                all.len()
            ));
        }
        let entry = all.last()?;
        for difference in differences(entry, facts, end_state) {
            losses.about_all(format!("the index of the folder claims {difference}"));
        }
        if entry.len() > ENTRY_BYTES_MAX {
            losses.about_all(format!("the entry in the index of the folder has {} bytes and is not kept", entry.len()));
            return None;
        }
        Some((EXTRA_NAME.to_vec(), entry.as_bytes().to_vec()))
    }

    /// The name that it gives a tape.
    pub(super) fn name(&self, tape_id: &[u8]) -> Option<Vec<u8>> {
        let entry = self.entries.get(std::str::from_utf8(tape_id).ok()?)?.last()?;
        let name = Members::parse(entry).ok()?.read_string("name")?.into_owned().into_bytes();
        (name.len() <= LABEL_BYTES_MAX).then_some(name)
    }
}

fn differences(entry: &str, facts: &Facts, end_state: &EndState) -> Vec<String> {
    let Ok(mut m) = Members::parse(entry) else { return Vec::new() };
    let s = &facts.stats;
    let duration = s.duration_ms.or((s.frames == 0).then_some(0));
    let [_, size] = facts.size_bytes;
    let mut told = Vec::new();
    for (name, fact) in [("frame_count", Some(s.frames)), ("duration_ms", duration), ("size_bytes", Some(size))] {
        let Some(claimed) = m.read_raw(name) else { continue };
        if whole(claimed).is_none() || whole(claimed) != fact {
            let fact = fact.map_or_else(|| "nothing".to_owned(), |fact| fact.to_string());
            told.push(format!("{name} {} (the tape gives {fact})", quoted(claimed.as_bytes())));
        }
    }
    // Only what the companion says of the end can be compared.
    let status = m.read_raw("status").and_then(string).map(|status| status.to_ascii_lowercase());
    let agrees = match (status.as_deref(), end_state) {
        (None, _) | (_, EndState::Imported) => true,
        (Some(status), EndState::Clean) => status == "finalized",
        (Some(status), EndState::Truncated) => matches!(status, "recording" | "paused"),
        (Some(status), EndState::Error(_)) => status == "error",
        (Some(_), _) => true,
    };
    if let Some(status) = status.filter(|_| !agrees) {
        told.push(format!(
            "the status {} (the companion metadata gives {})",
            quoted(status.as_bytes()),
            end_state.word()
        ));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Stats;

    fn facts() -> Facts {
        let stats = Stats { frames: 5, duration_ms: Some(200), ..Stats::default() };
        Facts { stats, size_bytes: [900; 2], ..Facts::default() }
    }

    fn told(entry: &str, end: &EndState) -> (Vec<String>, bool) {
        let index = DirectoryIndex::read(format!("{{\"tapes\":[{entry}]}}").as_bytes()).unwrap();
        let mut losses = Losses::default();
        let kept = index.compare(b"t", &facts(), end, &mut losses);
        (losses.finish(), kept.is_some_and(|(_, text)| text == entry.as_bytes()))
    }

    #[test]
    fn every_claim_is_compared_and_the_entry_kept() {
        let agreeing = r#"{"tape_id":"t","status":"Finalized","frame_count":5,"duration_ms":200,"size_bytes":900}"#;
        assert_eq!(told(agreeing, &EndState::Clean), (vec![], true));
        for lie in [r#""frame_count":6"#, r#""duration_ms":"200""#, r#""size_bytes":-1"#, r#""status":"recording""#] {
            let (losses, kept) = told(&format!("{{\"tape_id\":\"t\",{lie}}}"), &EndState::Clean);
            assert_eq!((losses.len(), kept), (1, true), "{lie}");
        }
        let (losses, kept) = told(r#"{"tape_id":"other","frame_count":6}"#, &EndState::Clean);
        assert_eq!((losses, kept), (vec![], false));
        let (losses, _) = told(r#"{"tape_id":"t"},{"tape_id":"t","frame_count":6}"#, &EndState::Clean);
        assert_eq!(losses.len(), 2);
    }

    #[test]
    fn what_is_no_index_is_refused() {
        for bad in ["", "[]", "{}", "{\"tapes\":{}}", "{\"tapes\":[", "\u{1}"] {
            assert_eq!(DirectoryIndex::read(bad.as_bytes()).unwrap_err().code(), Code::NotATape, "{bad}");
        }
        assert_eq!(DirectoryIndex::read(&vec![b' '; INDEX_BYTES_MAX + 1]).unwrap_err().code(), Code::Limit);
    }
}

//! The metadata file beside a tape (`{id}.meta.json`): kept whole, used for names and the way the session
//! ended, and compared. Its numbers are never taken over.

use super::claims::{Compared, Facts, compare_performance, compare_stats};
use super::json::{Members, string, whole};
use super::lines::Source;
use super::losses::{Losses, amount, quoted};
use crate::codec::digest::{Digest, sha256};
use crate::codec::limits::{LABEL_BYTES_MAX, TAGS_MAX, WORDS_BYTES_MAX};
use crate::error::{Code, Error, Result};
use crate::tape::{EndState, Labels};

/// Longest companion file: it is kept in the header.
pub(super) const COMPANION_BYTES_MAX: usize = 512 << 10;

/// A companion file that was read.
pub(super) struct Companion {
    /// The file.
    pub(super) bytes: Vec<u8>,
    /// Its SHA-256.
    pub(super) sha256: Digest,
    /// Name, description and tags.
    pub(super) labels: Labels,
    /// How the session ended.
    pub(super) end_state: EndState,
    /// JSON text.
    pub(super) transport: Option<Vec<u8>>,
    /// JSON text.
    pub(super) environment: Option<Vec<u8>>,
    /// Moments it names, as written: a checkpoint at one of them can be made again.
    pub(super) moments: Vec<String>,
    tape_id: Option<String>,
    checksum: Option<String>,
    stats: Option<String>,
    performance: Option<String>,
    extra_file: Option<String>,
}

impl Companion {
    /// Reads the file. One that is no JSON object is kept, and said to be unused.
    ///
    /// # Errors
    /// `E_LIMIT` over [`COMPANION_BYTES_MAX`].
    pub(super) fn read(bytes: Vec<u8>, losses: &mut Losses) -> Result<Self> {
        if bytes.len() > COMPANION_BYTES_MAX {
            return Err(Error::new(
                Code::Limit,
                format!("the companion metadata has {} bytes; the limit is {COMPANION_BYTES_MAX}", bytes.len()),
            )
            .with_hint("import the tape without it, or cut it down in a copy"));
        }
        let mut companion = Self::empty(sha256(&bytes));
        let text = std::str::from_utf8(&bytes).ok().map(|t| t.trim_start_matches('\u{feff}'));
        match text.and_then(|t| Members::parse(t).ok()) {
            Some(members) => companion.fill(members, losses),
            None => losses
                .about_all("the companion metadata is not a JSON object; it is kept, nothing of it was used".into()),
        }
        companion.bytes = bytes;
        Ok(companion)
    }

    fn empty(sha256: [u8; 32]) -> Self {
        Self {
            bytes: Vec::new(),
            sha256: Digest::from_bytes(sha256),
            labels: Labels::default(),
            end_state: EndState::Imported,
            transport: None,
            environment: None,
            moments: Vec::new(),
            tape_id: None,
            checksum: None,
            stats: None,
            performance: None,
            extra_file: None,
        }
    }

    fn fill(&mut self, mut m: Members<'_>, losses: &mut Losses) {
        let mut label = |name: &str| {
            let text = m.read_string(name)?.into_owned().into_bytes();
            fits(&text, name, losses).then_some(text)
        };
        self.labels.name = label("name");
        self.labels.description = label("description");
        if let Some(tags) = m.read_raw("tags") {
            self.labels.tags = read_tags(tags, losses);
        }
        let owned = |text: &str| Some(text.as_bytes().to_vec());
        self.transport = m.read("transport", owned);
        self.environment = m.read("environment", owned);
        self.end_state = m.read_raw("status").map_or(EndState::Imported, |s| end_state(s, losses));
        self.moments =
            ["finalized_at", "updated_at"].iter().filter_map(|n| Some(m.read_string(n)?.into_owned())).collect();
        self.tape_id = m.read_string("tape_id").map(|v| v.into_owned());
        self.checksum = m.read_string("checksum").map(|v| v.into_owned());
        self.stats = m.read_raw("stats").map(str::to_owned);
        self.performance = m.read_raw("performance").map(str::to_owned);
        self.extra_file = m.read_raw("extra_file").map(str::to_owned);
    }

    /// Holds every claim against the facts.
    pub(super) fn compare(&self, facts: &Facts, tape_id: Option<&[u8]>, source: &Digest, losses: &mut Losses) {
        if let (Some(claimed), Some(own)) = (&self.tape_id, tape_id)
            && claimed.as_bytes() != own
        {
            losses.about_all(format!(
                "the companion metadata names another tape: {}, this is {}",
                quoted(claimed.as_bytes()),
                quoted(own)
            ));
        }
        let stats = self.stats.as_deref().map(|s| compare_stats(s, facts));
        let performance = self.performance.as_deref().map(|p| compare_performance(p, facts));
        for Compared { differences, .. } in stats.into_iter().chain(performance) {
            for difference in differences {
                losses.about_all(format!("the companion metadata claims {difference}"));
            }
        }
        self.compare_checksum(source, losses);
    }

    /// Holds what is said of the file beside the tape against that file: its records and its bytes.
    pub(super) fn compare_beside(&self, found: Option<(u64, &Source)>, losses: &mut Losses) {
        let Some(mut claims) = self.extra_file.as_deref().and_then(|t| Members::parse(t).ok()) else { return };
        let Some((records, source)) = found else {
            let records = claims.read("records", whole).unwrap_or_default();
            losses.about_all(format!(
                "the companion metadata tells of a file beside it (.extra.jsonl) with {}, which was not given",
                amount(records, ["record", "records"])
            ));
            return;
        };
        let mut compared = Compared::default();
        compared.number(&mut claims, "records", Some(records));
        compared.number(&mut claims, "size_bytes", Some(source.bytes));
        for difference in compared.differences {
            losses.about_all(format!(
                "the companion metadata claims of the file beside it (.extra.jsonl) {}",
                difference.replace("the frames give", "it has")
            ));
        }
        let claimed = claims.read_string("checksum");
        let found = format!("sha256:{}", source.sha256.to_hex());
        if let Some(claimed) = claimed.filter(|claimed| *claimed != found) {
            losses.about_all(format!(
                "CHECKSUM DIFFERS: the companion metadata says {} of the file beside it (.extra.jsonl), which is {found}; one of the two was changed after the other was written",
                quoted(claimed.as_bytes())
            ));
        }
    }

    /// Holds the checksum against the source.
    pub(super) fn compare_checksum(&self, source: &Digest, losses: &mut Losses) {
        let Some(claimed) = &self.checksum else { return };
        let digits = claimed.strip_prefix("sha256:").or_else(|| claimed.strip_prefix("SHA256:")).unwrap_or(claimed);
        if digits.eq_ignore_ascii_case(&source.to_hex()) {
            return;
        }
        let known = digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        losses.about_all(if known {
            format!(
                "CHECKSUM DIFFERS: the companion metadata says sha256:{}, this source is sha256:{}; one of the two was changed after the other was written",
                digits.to_ascii_lowercase(),
                source.to_hex()
            )
        } else {
            format!("the checksum {} of the companion metadata is of an unknown kind and was not checked", quoted(claimed.as_bytes()))
        });
    }
}

fn fits(text: &[u8], name: &str, losses: &mut Losses) -> bool {
    let fits = text.len() <= LABEL_BYTES_MAX;
    if !fits {
        losses.about_all(format!(
            "{} of the companion metadata has {} bytes, more than the {LABEL_BYTES_MAX} of a label: not taken over",
            quoted(name.as_bytes()),
            text.len()
        ));
    }
    fits
}

fn read_tags(text: &str, losses: &mut Losses) -> Vec<Vec<u8>> {
    let (mut tags, mut unused) = (Vec::new(), 0u64);
    let read = super::json::elements(text, |tag| match string(tag).filter(|t| t.len() <= LABEL_BYTES_MAX) {
        Some(tag) if tags.len() < TAGS_MAX => tags.push(tag.into_owned().into_bytes()),
        _ => unused = unused.saturating_add(1),
    });
    if read.is_err() {
        losses.about_all("the tags of the companion metadata are not a list; none was taken over".into());
    } else if unused > 0 {
        losses.about_all(format!(
            "{} not taken over: not text, too long, or too many",
            amount(unused, ["tag of the companion metadata was", "tags of the companion metadata were"])
        ));
    }
    tags
}

/// The four states of the format, in the spellings that occur: a word, or an object with the words of an error.
fn end_state(text: &str, losses: &mut Losses) -> EndState {
    if let Some(word) = string(text) {
        match word.to_ascii_lowercase().as_str() {
            "finalized" => return EndState::Clean,
            "recording" | "paused" => return EndState::Truncated,
            "error" => return EndState::Error(Vec::new()),
            _ => {}
        }
    } else if let Ok(mut m) = Members::parse(text)
        && let Some(words) = ["error", "Error"].iter().find_map(|n| m.read_raw(n))
    {
        let words = string(words).map_or_else(|| words.to_owned(), std::borrow::Cow::into_owned);
        return EndState::Error(cut(&words).as_bytes().to_vec());
    }
    losses.about_all(format!("the status {} of the companion metadata is unknown", quoted(text.as_bytes())));
    EndState::Imported
}

/// The words of an error are somebody else's; the whole of them is in the kept file.
fn cut(words: &str) -> &str {
    let end = (0..=WORDS_BYTES_MAX.min(words.len())).rev().find(|n| words.is_char_boundary(*n)).unwrap_or(0);
    words.get(..end).unwrap_or(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Companion, Vec<String>) {
        let mut losses = Losses::default();
        let c = Companion::read(text.as_bytes().to_vec(), &mut losses).unwrap();
        (c, losses.finish())
    }

    #[test]
    fn states_in_every_spelling() {
        for (status, state) in [
            (r#""finalized""#, EndState::Clean),
            (r#""Finalized""#, EndState::Clean),
            (r#""recording""#, EndState::Truncated),
            (r#""Recording""#, EndState::Truncated),
            (r#""paused""#, EndState::Truncated),
            (r#""Error""#, EndState::Error(vec![])),
            (r#"{"Error":"it broke"}"#, EndState::Error(b"it broke".to_vec())),
            (r#"{"error":"it broke"}"#, EndState::Error(b"it broke".to_vec())),
            (r#"{"error":{"code":1}}"#, EndState::Error(br#"{"code":1}"#.to_vec())),
            ("null", EndState::Imported),
        ] {
            let (c, losses) = read(&format!("{{\"status\":{status}}}"));
            assert_eq!((c.end_state, losses.len()), (state, 0), "{status}");
        }
        let (c, losses) = read(r#"{"status":"melted"}"#);
        assert_eq!((c.end_state, losses.len()), (EndState::Imported, 1));
    }

    #[test]
    fn labels_that_do_not_fit_are_told() {
        let long = "x".repeat(LABEL_BYTES_MAX + 1);
        let (c, losses) = read(&format!(r#"{{"name":"{long}","description":"d","tags":["a",7,"{long}"]}}"#));
        assert_eq!(c.labels, Labels { name: None, description: Some(b"d".to_vec()), tags: vec![b"a".to_vec()] });
        assert_eq!(losses.len(), 2);
        let many = vec!["\"t\""; TAGS_MAX + 3].join(",");
        let (c, losses) = read(&format!("{{\"tags\":[{many}]}}"));
        assert_eq!((c.labels.tags.len(), losses.len()), (TAGS_MAX, 1));
    }

    #[test]
    fn no_json_is_kept_and_told() {
        for bad in ["", "[1]", "{", "hello"] {
            let (c, losses) = read(bad);
            assert_eq!((c.bytes.as_slice(), losses.len()), (bad.as_bytes(), 1), "{bad}");
        }
        let big = vec![b' '; COMPANION_BYTES_MAX + 1];
        assert_eq!(Companion::read(big, &mut Losses::default()).err().map(|e| e.code()), Some(Code::Limit));
    }

    #[test]
    fn checksums() {
        let source = Digest::from_bytes([0xab; 32]);
        let told = |checksum: &str| {
            let (c, _) = read(&format!("{{\"checksum\":{checksum},\"tape_id\":\"t\"}}"));
            let mut losses = Losses::default();
            c.compare(&Facts::default(), Some(b"t"), &source, &mut losses);
            losses.finish()
        };
        assert!(told(&format!("\"sha256:{}\"", "ab".repeat(32))).is_empty());
        assert!(told(&format!("\"{}\"", "AB".repeat(32))).is_empty());
        assert!(told("null").is_empty());
        assert!(told(&format!("\"sha256:{}\"", "ac".repeat(32)))[0].starts_with("CHECKSUM DIFFERS"));
        assert!(told("\"md5:00\"")[0].contains("not checked"));
    }
}

//! Correlation and checkpoint records: they say what the frames say, so they are compared and let go.
//! One that says anything else is kept whole.
//!
//! A correlation may stand before its frames. Both waiting lists are bounded; what falls out of them is not
//! compared, and that is said.

use std::collections::{BTreeMap, HashMap};

use super::super::claims::{Facts, compare_stats};
use super::super::json::{Members, string, whole};
use super::super::losses::{KeptLines, Losses, amount};
use super::super::pairing::Pair;

/// Most pairs waiting for their record, and most records waiting for their pair.
const WAITING_MAX: usize = 65_536;

type Key = (u64, u64);

/// A correlation record that came before its frames, or has none.
struct Early {
    line: u64,
    bytes: Vec<u8>,
}

/// Compares as the records come.
#[derive(Default)]
pub(super) struct Derived {
    /// Pairs without a record yet, with their age.
    pairs: HashMap<Key, (u64, Pair)>,
    ages: BTreeMap<u64, Key>,
    pairs_met: u64,
    joined: u64,
    dropped: u64,
    early: HashMap<Key, Early>,
    not_compared: u64,
    records: u64,
    checkpoints: u64,
}

impl Derived {
    /// Checkpoint records so far.
    pub(super) const fn checkpoints(&self) -> u64 {
        self.checkpoints
    }

    /// The frames gave a pair.
    pub(super) fn pair(&mut self, pair: Pair, kept: &mut KeptLines, losses: &mut Losses) {
        let key = (pair.request_seq, pair.response_seq);
        let age = self.pairs_met;
        self.pairs_met = age.saturating_add(1);
        if let Some(early) = self.early.remove(&key) {
            self.joined = self.joined.saturating_add(1);
            kept.release_differing(early.bytes.len());
            compare(&pair, early.line, &early.bytes, kept, losses);
            return;
        }
        if self.pairs.len() >= WAITING_MAX
            && let Some((_, oldest)) = self.ages.pop_first()
        {
            self.pairs.remove(&oldest);
            self.dropped = self.dropped.saturating_add(1);
        }
        self.ages.insert(age, key);
        // Repeated numbers can give the same pair twice; the later one counts.
        if let Some((older, _)) = self.pairs.insert(key, (age, pair)) {
            self.ages.remove(&older);
        }
    }

    /// The source has a correlation record.
    pub(super) fn correlation(
        &mut self,
        line: u64,
        bytes: &[u8],
        m: &mut Members<'_>,
        kept: &mut KeptLines,
        losses: &mut Losses,
    ) {
        self.records = self.records.saturating_add(1);
        let number = |m: &Members<'_>, name| m.peek(name).and_then(whole);
        let Some(key) = number(m, "request_seq").zip(number(m, "response_seq")) else {
            losses.note(format!("line {line}: the correlation does not name two frames; kept as an unsaved line"));
            kept.keep_differing(line, bytes, losses);
            return;
        };
        if let Some((age, pair)) = self.pairs.remove(&key) {
            self.ages.remove(&age);
            self.joined = self.joined.saturating_add(1);
            compare(&pair, line, bytes, kept, losses);
        } else if self.early.contains_key(&key) {
            losses.note(format!(
                "line {line}: a second correlation of frames {} and {}; kept as an unsaved line",
                key.0, key.1
            ));
            kept.keep_differing(line, bytes, losses);
        } else if self.early.len() < WAITING_MAX && kept.reserve_differing(bytes.len()) {
            self.early.insert(key, Early { line, bytes: bytes.to_vec() });
        } else {
            self.not_compared = self.not_compared.saturating_add(1);
        }
    }

    /// The source has a checkpoint record.
    pub(super) fn checkpoint(
        &mut self,
        line: u64,
        bytes: &[u8],
        m: &mut Members<'_>,
        facts: &Facts,
        moments: &[String],
        kept: &mut KeptLines,
        losses: &mut Losses,
    ) {
        self.checkpoints = self.checkpoints.saturating_add(1);
        let mut beyond = false;
        if let Some(seq) = m.read("seq", whole)
            && !facts.is_last_seq(seq)
        {
            let last = facts.last_seq.map_or_else(|| "none".to_owned(), |s| s.to_string());
            losses.note(format!("line {line}: the checkpoint claims seq {seq} (the last frame before it is {last})"));
            beyond = true;
        }
        if let Some(stats) = m.read_raw("stats") {
            let compared = compare_stats(stats, facts);
            beyond |= compared.beyond || !compared.differences.is_empty();
            for difference in compared.differences {
                losses.note(format!("line {line}: the checkpoint claims {difference}"));
            }
        }
        // The moment of a checkpoint is in no frame; only the companion file may name it again.
        m.read("checkpoint_at", |at| moments.iter().any(|known| string(at).as_deref() == Some(known)).then_some(()));
        if beyond || m.left().next().is_some() {
            kept.keep_differing(line, bytes, losses);
        }
    }

    /// The source is at its end.
    pub(super) fn finish(self, kept: &mut KeptLines, losses: &mut Losses) {
        let mut early: Vec<_> = self.early.into_iter().collect();
        early.sort_by_key(|(_, e)| e.line);
        for ((request, response), Early { line, bytes }) in early {
            losses.note(format!(
                "line {line}: the correlation joins frames {request} and {response}, not seen as a request and its answer; kept as an unsaved line"
            ));
            kept.release_differing(bytes.len());
            kept.keep_differing(line, &bytes, losses);
        }
        if self.not_compared > 0 {
            losses.about_all(format!(
                "{} far from their frames and neither compared nor kept",
                amount(self.not_compared, ["correlation record stands", "correlation records stand"])
            ));
        }
        if self.records == 0 {
            return;
        }
        if self.dropped > 0 {
            losses.about_all(format!(
                "{} had no correlation record within {WAITING_MAX} others; a later one was not compared",
                amount(self.dropped, ["answered request", "answered requests"])
            ));
        }
        let unrecorded = self.pairs_met.saturating_sub(self.joined);
        if unrecorded > 0 {
            losses.about_all(format!(
                "{} no correlation record in the source",
                amount(unrecorded, ["answered request has", "answered requests have"])
            ));
        }
    }
}

/// Compares one correlation record with its pair, and keeps its line unless it can be made again.
fn compare(pair: &Pair, line: u64, bytes: &[u8], kept: &mut KeptLines, losses: &mut Losses) {
    let Some(mut m) =
        std::str::from_utf8(bytes).ok().and_then(|t| Members::parse(t.trim_start_matches('\u{feff}')).ok())
    else {
        return;
    };
    let mut differs = false;
    let mut number = |m: &mut Members<'_>, name: &str, fact: Option<u64>| {
        if let Some(claimed) = m.read(name, whole).filter(|c| Some(*c) != fact) {
            let fact = fact.map_or_else(|| "nothing".to_owned(), |f| f.to_string());
            losses.note(format!("line {line}: the correlation claims {name} {claimed} (the frames give {fact})"));
            differs = true;
        }
    };
    number(&mut m, "request_seq", Some(pair.request_seq));
    number(&mut m, "response_seq", Some(pair.response_seq));
    number(&mut m, "request_ts", pair.request_t_ms);
    number(&mut m, "response_ts", pair.response_t_ms);
    number(&mut m, "rtt_ms", pair.rtt_ms());
    let status = if pair.error { "error" } else { "success" };
    m.read("status", |s| string(s)?.eq_ignore_ascii_case(status).then_some(()));
    if let Some(claimed) = m.peek("status").filter(|_| m.left().any(|(_, name, _)| name == "status")) {
        let claimed = super::super::losses::quoted(claimed.as_bytes());
        losses.note(format!("line {line}: the correlation claims status {claimed} (the frames give {status})"));
        differs = true;
    }
    let id = format!("corr-{}-{}", pair.request_seq, pair.response_seq);
    m.read("id", |i| (string(i)? == id).then_some(()));
    m.read("type", |_| Some(()));
    if differs || m.left().next().is_some() {
        kept.keep_differing(line, bytes, losses);
    }
}

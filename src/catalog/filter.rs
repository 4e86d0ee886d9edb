//! Which tapes somebody asks for: conditions over what the rows know of a tape, and over its header where they know too little.

use super::Summary;
use crate::tape::{Header, Labels};
use crate::time::Timestamp;

/// Conditions that must all hold. The default asks for nothing: every tape passes.
///
/// Text is compared without regard to case, over what is readable of it as UTF-8.
///
/// ```
/// use immutape::catalog::Filter;
/// use immutape::time::Timestamp;
/// let filter = Filter::parse("class:contracts since:2026-11-01 \"late payment\"", Timestamp::from_ms(0)).unwrap();
/// assert_eq!(filter.class.as_deref(), Some("contracts"));
/// assert_eq!(filter.texts, ["late payment"]);
/// assert!(!filter.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// The name contains this.
    pub name: Option<String>,
    /// Tags that are all there, each whole.
    pub tags: Vec<String>,
    /// Namespace.
    pub namespace: Option<String>,
    /// Retention class.
    pub class: Option<String>,
    /// What kind of session: `mcp`, `terminal` and so on.
    pub kind: Option<String>,
    /// The session started at this moment or later; saved, where its start is not known.
    pub since: Option<Timestamp>,
    /// It started before this moment.
    pub until: Option<Timestamp>,
    /// Some message has this method.
    pub method: Option<String>,
    /// Some message calls this tool.
    pub tool: Option<String>,
    /// Some error has this code.
    pub error_code: Option<i64>,
    /// There are errors, or there are none.
    pub errors: Option<bool>,
    /// How the session ended.
    pub end: Option<String>,
    /// What became of the tape: every tape in the rows is `live` until something can end it.
    pub state: Option<TapeState>,
    /// Each is found somewhere in the header.
    pub texts: Vec<String>,
}

/// What became of a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TapeState {
    /// Kept whole.
    Live,
    /// Its bytes were moved to a colder place.
    Archived,
    /// Destroyed.
    Erased,
}

impl TapeState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Live, Self::Archived, Self::Erased];

    /// The word in filters and listings.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Archived => "archived",
            Self::Erased => "erased",
        }
    }
}

/// What the rows can say of a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Passes,
    /// It does not.
    Fails,
    /// The row holds only the beginning of something: the header knows.
    AskHeader,
}

impl Filter {
    /// Does every tape pass?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Judges a tape by its row; `labels` are those that a later entry gave it.
    #[must_use]
    pub fn judge(&self, summary: &Summary, labels: Option<&Labels>) -> Verdict {
        if !self.plain(summary) {
            return Verdict::Fails;
        }
        let found = Seen::of_row(summary, labels);
        match (self.named(&found), summary.is_cut) {
            (true, _) => Verdict::Passes,
            (false, true) => Verdict::AskHeader,
            (false, false) => Verdict::Fails,
        }
    }

    /// Judges it by its header, after [`Verdict::AskHeader`].
    #[must_use]
    pub fn passes(&self, header: &Header, summary: &Summary, labels: Option<&Labels>) -> bool {
        self.plain(summary) && self.named(&Seen::of_header(header, labels))
    }

    /// Why a tape does not pass: the key of its header that shows it, and the condition. `None` where no single field does, or
    /// where `later` labels took the place of those that it was saved with. Of several the one that tells least of the tape.
    #[must_use]
    pub fn shown_by(&self, header: &Header, summary: &Summary, later: Option<&Labels>) -> (Option<u64>, String) {
        let only = |filter: Self| {
            if filter.is_empty() || filter.passes(header, summary, later) { None } else { Some(filter.to_text()) }
        };
        let is_named = header.named != crate::tape::Named::default();
        let labels = Some(10).filter(|_| later.is_none());
        let named = Some(27).filter(|_| is_named);
        let started = header.started_wall_ns.and(Some(4));
        let alone = Self::default;
        let conditions = [
            (Some(1), Self { kind: self.kind.clone(), ..alone() }),
            (Some(16), Self { class: self.class.clone(), ..alone() }),
            (Some(24), Self { namespace: self.namespace.clone(), ..alone() }),
            (Some(12), Self { end: self.end.clone(), ..alone() }),
            (started, Self { since: self.since, until: self.until, ..alone() }),
            (Some(11), Self { errors: self.errors, ..alone() }),
            (named, Self { method: self.method.clone(), ..alone() }),
            (named, Self { tool: self.tool.clone(), ..alone() }),
            (named, Self { error_code: self.error_code, ..alone() }),
            (labels, Self { tags: self.tags.clone(), ..alone() }),
            (None, Self { name: self.name.clone(), ..alone() }),
        ];
        let shown = conditions.into_iter().find_map(|(field, filter)| Some((field, only(filter)?)));
        match shown {
            Some((field, condition)) => (field, format!("{condition} does not hold")),
            None => (None, format!("{} does not hold", self.to_text())),
        }
    }

    /// Conditions that a row always knows enough for.
    fn plain(&self, s: &Summary) -> bool {
        let at = s.started.unwrap_or(s.saved);
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|w| w == found);
        is(&self.namespace, &s.namespace)
            && is(&self.class, &s.class)
            && is(&self.kind, s.kind.word())
            && is(&self.end, &s.end_state)
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && self.errors.is_none_or(|some| some == (s.errors > 0))
            && self.state.is_none_or(|state| state == TapeState::Live)
    }

    fn named(&self, seen: &Seen<'_>) -> bool {
        let has = |list: &[&[u8]], wanted: &str| list.contains(&wanted.as_bytes());
        self.name.as_ref().is_none_or(|n| seen.name.is_some_and(|name| contains(name, n)))
            && self.tags.iter().all(|tag| has(&seen.tags, tag))
            && self.method.as_ref().is_none_or(|m| has(&seen.methods, m))
            && self.tool.as_ref().is_none_or(|t| has(&seen.tools, t))
            && self.error_code.is_none_or(|code| seen.error_codes.contains(&code))
            && self.texts.iter().all(|text| seen.texts.iter().any(|found| contains(found, text)))
    }
}

/// What is known of a tape, from wherever.
struct Seen<'a> {
    name: Option<&'a [u8]>,
    tags: Vec<&'a [u8]>,
    methods: Vec<&'a [u8]>,
    tools: Vec<&'a [u8]>,
    error_codes: Vec<i64>,
    texts: Vec<&'a [u8]>,
}

impl<'a> Seen<'a> {
    fn of_row(s: &'a Summary, labels: Option<&'a Labels>) -> Self {
        let slices = |list: &'a [Vec<u8>]| list.iter().map(Vec::as_slice).collect::<Vec<_>>();
        let tags = labels.map_or_else(|| slices(&s.tags), |l| slices(&l.tags));
        let name = labels.map_or(s.name.as_deref(), |l| l.name.as_deref().or(s.source_name.as_deref()));
        let mut texts: Vec<&[u8]> = tags.iter().copied().chain(name).chain(s.legacy_tape_id.as_deref()).collect();
        let description = labels.and_then(|l| l.description.as_deref());
        texts.extend(slices(&s.texts).into_iter().chain(description).chain(s.source_name.as_deref()));
        let error_codes = s.error_codes.clone();
        Self { name, tags, methods: slices(&s.methods), tools: slices(&s.tools), error_codes, texts }
    }

    fn of_header(h: &'a Header, later: Option<&'a Labels>) -> Self {
        let labels = later.unwrap_or(&h.labels);
        let source_name = h.provenance.as_ref().and_then(|p| p.source_name.as_deref());
        let name = labels.name.as_deref().or(source_name);
        let tags: Vec<&[u8]> = labels.tags.iter().map(Vec::as_slice).collect();
        let fields = [&h.session_id, &h.legacy_tape_id, &h.protocol, &h.transport, &h.environment];
        let mut texts: Vec<&[u8]> = fields.into_iter().filter_map(|f| f.as_deref()).collect();
        texts.extend(tags.iter().copied().chain(name).chain(labels.description.as_deref()).chain(source_name));
        texts.extend(h.extra.iter().map(|(_, json)| json.as_slice()));
        let names = |list: &'a [(Vec<u8>, u64)]| list.iter().map(|(name, _)| name.as_slice()).collect();
        let error_codes = h.named.errors.iter().map(|(code, _)| *code).collect();
        Self { name, tags, methods: names(&h.named.methods), tools: names(&h.named.tools), error_codes, texts }
    }
}

/// Does a text hold another, whatever their case?
fn contains(text: &[u8], wanted: &str) -> bool {
    let text = String::from_utf8_lossy(text);
    text.contains(wanted) || text.to_lowercase().contains(&wanted.to_lowercase())
}

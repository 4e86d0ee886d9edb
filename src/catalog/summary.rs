//! What a listing shows of a tape: cut from its private header, sealed under a key of the tape.

use crate::codec::CborError;
use crate::codec::cbor::{Reader, encode};
use crate::codec::digest::TapeId;
use crate::tape::{Header, Labels, TapeKind};
use crate::time::Timestamp;

/// Labels in rows are cut to this many bytes; the header has them whole.
const LABEL_BYTES_SHOWN: usize = 256;
/// Tags in rows.
const TAGS_SHOWN: usize = 16;
/// Methods, tools and error codes in rows, of each.
const NAMED_SHOWN: usize = 24;
/// Their names in rows are cut to this many bytes.
const NAMED_BYTES_SHOWN: usize = 64;

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it; units stand last")]
#[non_exhaustive]
pub struct Summary {
    pub tape: TapeId,
    pub kind: TapeKind,
    pub name: Option<Vec<u8>>,
    pub tags: Vec<Vec<u8>>,
    pub legacy_tape_id: Option<Vec<u8>>,
    pub class: String,
    pub namespace: String,
    pub started: Option<Timestamp>,
    pub saved: Timestamp,
    pub frames: u64,
    pub errors: u64,
    pub duration_ms: Option<u64>,
    pub payload_bytes: u64,
    pub stored_bytes: u64,
    pub source_bytes: Option<u64>,
    pub end_state: String,
    pub gaps: u64,
    pub methods: Vec<Vec<u8>>,
    pub tools: Vec<Vec<u8>>,
    pub error_codes: Vec<i64>,
    /// Name of the file it was imported from.
    pub source_name: Option<Vec<u8>>,
    /// Description, session id, protocol, transport, environment and extra fields.
    pub texts: Vec<Vec<u8>>,
    /// Something was left out here that a search may be for.
    pub is_cut: bool,
}

impl Summary {
    /// Cuts a summary from a header.
    #[must_use]
    pub fn of(tape: TapeId, header: &Header, saved: Timestamp, stored_bytes: u64) -> Self {
        let source_name = header.provenance.as_ref().and_then(|p| p.source_name.as_ref());
        let is_cut = std::cell::Cell::new(false);
        let cut_to = |v: &[u8], bytes: usize| {
            is_cut.set(is_cut.get() || v.len() > bytes);
            v.get(..bytes).unwrap_or(v).to_vec()
        };
        let cut = |v: &Vec<u8>| cut_to(v, LABEL_BYTES_SHOWN);
        let named = &header.named;
        let names = |list: &[(Vec<u8>, u64)]| -> Vec<Vec<u8>> {
            list.iter().take(NAMED_SHOWN).map(|(name, _)| cut_to(name, NAMED_BYTES_SHOWN)).collect()
        };
        let lists = [named.methods.len(), named.tools.len(), named.errors.len()];
        let are_short = header.labels.tags.len() <= TAGS_SHOWN && lists.iter().all(|len| *len <= NAMED_SHOWN);
        is_cut.set(!are_short || !header.extra.is_empty());
        let fields = [&header.session_id, &header.protocol, &header.transport, &header.environment];
        let texts = header.labels.description.iter().chain(fields.into_iter().flatten()).map(cut).collect();
        let (methods, tools) = (names(&named.methods), names(&named.tools));
        let summary = Self {
            tape,
            kind: header.kind,
            // Who names no tape still knows the file it came from.
            name: header.labels.name.as_ref().or(source_name).map(cut),
            tags: header.labels.tags.iter().take(TAGS_SHOWN).map(cut).collect(),
            legacy_tape_id: header.legacy_tape_id.as_ref().map(cut),
            class: header.class.clone(),
            namespace: header.namespace.clone(),
            started: header.started_wall_ns.map(|ns| Timestamp::from_ms(ns.wrapping_div(1_000_000))),
            saved,
            frames: header.stats.frames,
            errors: header.stats.errors,
            duration_ms: header.stats.duration_ms,
            payload_bytes: header.stats.payload_bytes,
            stored_bytes,
            source_bytes: header.provenance.as_ref().and_then(|p| p.source_bytes),
            end_state: header.end_state.word().to_owned(),
            gaps: header.gaps.len() as u64,
            methods,
            tools,
            error_codes: named.errors.iter().take(NAMED_SHOWN).map(|(code, _)| *code).collect(),
            source_name: source_name.map(cut),
            texts,
            is_cut: false,
        };
        Self { is_cut: is_cut.get(), ..summary }
    }

    /// Shows the labels that a later entry gave in place of those of the header.
    pub fn relabel(&mut self, labels: &Labels) {
        self.name = labels.name.clone().or_else(|| self.source_name.clone());
        self.tags.clone_from(&labels.tags);
    }

    /// Encodes it, to be sealed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(|w| {
            w.array(23);
            w.bytes(self.tape.as_ref());
            w.uint(self.kind.number());
            w.nullable(self.name.as_deref(), |w, v| w.bytes(v));
            w.array(self.tags.len());
            self.tags.iter().for_each(|t| w.bytes(t));
            w.nullable(self.legacy_tape_id.as_deref(), |w, v| w.bytes(v));
            w.text(&self.class);
            w.text(&self.namespace);
            w.nullable(self.started, |w, t| w.uint(t.as_ms()));
            w.uint(self.saved.as_ms());
            w.uint(self.frames);
            w.uint(self.errors);
            w.nullable(self.duration_ms, |w, v| w.uint(v));
            w.uint(self.payload_bytes);
            w.uint(self.stored_bytes);
            w.nullable(self.source_bytes, |w, v| w.uint(v));
            w.text(&self.end_state);
            w.uint(self.gaps);
            for list in [&self.methods, &self.tools] {
                w.array(list.len());
                list.iter().for_each(|name| w.bytes(name));
            }
            w.array(self.error_codes.len());
            self.error_codes.iter().for_each(|code| w.int(*code));
            w.nullable(self.source_name.as_deref(), |w, v| w.bytes(v));
            w.array(self.texts.len());
            self.texts.iter().for_each(|text| w.bytes(text));
            w.uint(u64::from(self.is_cut));
        })
    }

    /// Reads an opened summary.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        fn nullable<'a, T>(
            r: &mut Reader<'a>,
            read: impl FnOnce(&mut Reader<'a>) -> Result<T, CborError>,
        ) -> Result<Option<T>, CborError> {
            if r.null_if_next() { Ok(None) } else { read(r).map(Some) }
        }
        let owned = |r: &mut Reader<'_>| r.bytes().map(<[u8]>::to_vec);
        let list = |r: &mut Reader<'_>| (0..r.array()?).map(|_| owned(r)).collect::<Result<Vec<_>, _>>();
        let mut r = Reader::new(bytes);
        r.array_of(23)?;
        let summary = Self {
            tape: TapeId::from_bytes(r.bytes_n()?),
            kind: TapeKind::from_number(r.uint()?).map_err(|_| CborError::Range)?,
            name: nullable(&mut r, owned)?,
            tags: list(&mut r)?,
            legacy_tape_id: nullable(&mut r, owned)?,
            class: r.text()?.to_owned(),
            namespace: r.text()?.to_owned(),
            started: nullable(&mut r, |r| r.uint().map(Timestamp::from_ms))?,
            saved: Timestamp::from_ms(r.uint()?),
            frames: r.uint()?,
            errors: r.uint()?,
            duration_ms: nullable(&mut r, Reader::uint)?,
            payload_bytes: r.uint()?,
            stored_bytes: r.uint()?,
            source_bytes: nullable(&mut r, Reader::uint)?,
            end_state: r.text()?.to_owned(),
            gaps: r.uint()?,
            methods: list(&mut r)?,
            tools: list(&mut r)?,
            error_codes: (0..r.array()?).map(|_| r.int()).collect::<Result<_, _>>()?,
            source_name: nullable(&mut r, owned)?,
            texts: list(&mut r)?,
            is_cut: r.uint()? == 1,
        };
        r.end()?;
        Ok(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Provenance;

    #[test]
    fn a_tape_without_a_name_is_listed_by_its_file() {
        let mut header = Header::new(TapeKind::Mcp);
        let named = |header: &Header| {
            Summary::of(TapeId::from_bytes([1; 32]), header, Timestamp::from_ms(5), 9).name.map(String::from_utf8)
        };
        assert_eq!(named(&header), None);
        let source_name = Some(b"monday.jsonl".to_vec());
        header.provenance = Some(Provenance { source_name, ..Provenance::default() });
        assert_eq!(named(&header), Some(Ok("monday.jsonl".into())));
        header.labels.name = Some(b"Payments".to_vec());
        assert_eq!(named(&header), Some(Ok("Payments".into())));
    }
}

//! The files of a bundle under a head. Each can be written as often as is needed: once to take its digest, which the manifest
//! in front needs, and once to leave. So nothing of a tape is put down in the clear but where it was asked for.

use std::io::Write;

use super::begin::{BundledTape, EvidenceDraft};
use super::collect::{Chosen, ShownEntry};
use crate::catalog::inclusion;
use crate::codec::digest::{Digest, Hasher};
use crate::error::{Code, Error, Result};
use crate::evidence::bundle::{EvidenceFrame, Opened, path, public_key_pem, set_proof, write_set_proof};
use crate::evidence::{BundlePage, PageEntry, PageTape, custody_html, custody_json, verify_text};
use crate::ledger::core::died;
use crate::ledger::{FrameSelection, Who};
use crate::log::{AnchorBody, Body, Checkpoint, KeyRole, Levels, NoteKey};
use crate::proof::{Receipt, TlogProof};
use crate::seal::{Signer as _, allowed_signer, ssh_signature};

const HEADER: &str = "immutape/header/1";
/// What a signature of SSH says that it was made for.
const SSH_NAMESPACE: &str = "evidence@immutape";

/// One file of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceFile {
    path: String,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Bytes(Vec<u8>),
    /// Made again each time: they can be longer than memory.
    Entries,
    Frames(usize),
}

impl EvidenceFile {
    /// Path in the bag.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// A bundle that is ready to be written.
pub struct Evidence {
    pub(super) draft: EvidenceDraft,
    head: Checkpoint,
    chosen: Chosen,
    files: Vec<EvidenceFile>,
}

impl EvidenceDraft {
    /// Puts the bundle together under a head of this log: the newest that witnesses cosigned, or one that was signed for it.
    ///
    /// # Errors
    /// `E_HEAD_INVALID` for a note that is no head of this log, `E_PROOF_INVALID` for one that is not over all entries of the
    /// bundle; `E_ROWS_UNAVAILABLE`, `E_TAPE_DAMAGED`.
    pub fn under(self, note: &str) -> Result<Evidence> {
        let core = self.core.clone();
        let head = Checkpoint::from_note(note, &core.identity.keys)?;
        if head.size < self.entries() || head.size > core.progress.durable().0 {
            return Err(Error::new(Code::ProofInvalid, "this head is not over the entries of the bundle"));
        }
        core.progress.wait_for_rows(head.size)?;
        let chosen = self.choose(&head)?;
        let mut evidence = Evidence { draft: self, head, chosen, files: Vec::new() };
        evidence.files = evidence.make(note)?;
        Ok(evidence)
    }
}

impl Evidence {
    /// The files of the payload, in the order of the manifest.
    #[must_use]
    pub fn files(&self) -> &[EvidenceFile] {
        &self.files
    }

    /// What was asked and what is given.
    #[must_use]
    pub const fn completeness(&self) -> &crate::evidence::bundle::Completeness {
        &self.draft.completeness
    }

    /// The head that it is under.
    #[must_use]
    pub const fn head(&self) -> &Checkpoint {
        &self.head
    }

    /// Who asked for it.
    pub(super) const fn who(&self) -> &Who {
        &self.draft.who
    }

    /// Length and SHA-256 of every file, in their order. What is read for it goes nowhere.
    ///
    /// # Errors
    /// As [`Evidence::write`].
    pub fn measure(&self) -> Result<Vec<(u64, Digest)>> {
        let measured = self.files.iter().map(|file| {
            let mut sink = Measured::default();
            self.write(file, &mut sink)?;
            Ok((sink.bytes, Digest::from_bytes(sink.hasher.finish())))
        });
        let measured = measured.collect::<Result<Vec<_>>>()?;
        self.draft.tapes.iter().for_each(|tape| tape.reader.took_digest_only());
        Ok(measured)
    }

    /// Writes one file; the same bytes each time. Blocks on the disk.
    ///
    /// # Errors
    /// `E_TAPE_DAMAGED`, `E_ROWS_UNAVAILABLE`, `E_IO` of `out`.
    pub fn write(&self, file: &EvidenceFile, out: &mut dyn Write) -> Result<()> {
        match &file.content {
            Content::Bytes(bytes) => out.write_all(bytes).map_err(not_written),
            Content::Entries => self
                .draft
                .show(&self.chosen, &self.head, &mut |shown| out.write_all(&shown.item.encode()).map_err(not_written)),
            Content::Frames(n) => self.frames(self.draft.tapes.get(*n).ok_or_else(died)?, out),
        }
    }

    fn frames(&self, tape: &BundledTape, out: &mut dyn Write) -> Result<()> {
        let Some((first, last)) = tape.given.opened else { return Ok(()) };
        let is_open = self.draft.completeness.payloads;
        tape.reader.frames(FrameSelection::Seq(first, last), &mut |frame| {
            let salt = tape.reader.keys().frame_salt(frame.seq);
            out.write_all(&EvidenceFrame::of(&frame, &salt, is_open)?.encode()).map_err(not_written)
        })
    }

    fn make(&self, note: &str) -> Result<Vec<EvidenceFile>> {
        let mut files = Vec::new();
        let mut put = |path: &str, content| files.push(EvidenceFile { path: path.to_owned(), content });
        self.completeness_file(&mut put)?;
        put(path::ENTRIES, Content::Entries);
        put(path::CHECKPOINT, Content::Bytes(note.as_bytes().to_vec()));
        let proof = self.draft.core.set_proof(&self.chosen.indices(), &self.head)?;
        put(path::LOG_PATHS, Content::Bytes(write_set_proof(&proof)));
        let mut page = self.page(note);
        for (n, tape) in self.draft.tapes.iter().enumerate() {
            for (name, content) in self.of_tape(tape, n, note)? {
                put(&path::of_tape(&tape.given.tape, name), content);
            }
        }
        for (out, found) in &self.draft.out {
            if let Some(field) = out.field {
                let opened = self.draft.core.header_for_list(found)?;
                let shown = shown_header(&opened.header.header, &opened.keys, |n| n == field);
                put(&path::of_tape(&out.tape, "root.cbor"), Content::Bytes(opened.manifest.root.encode()));
                put(&path::of_tape(&out.tape, "header.cbor"), Content::Bytes(shown.encode()));
            }
        }
        self.draft.show(&self.chosen, &self.head, &mut |shown| {
            if let Body::Anchor(AnchorBody::Timestamped { note, token, .. }) = &shown.body {
                put(&format!("data/time/{}.note", shown.index), Content::Bytes(note.clone()));
                put(&format!("data/time/{}.tst", shown.index), Content::Bytes(token.clone()));
            }
            page.entries.push(page_entry(shown));
            Ok(())
        })?;
        self.keys(&mut put)?;
        if let Some(policy) = self.draft.core.policy_text()? {
            put(path::WITNESSES, Content::Bytes(policy));
        }
        put(path::CUSTODY_HTML, Content::Bytes(custody_html(&page).into_bytes()));
        put(path::CUSTODY_JSON, Content::Bytes(custody_json(&page).into_bytes()));
        put(path::VERIFY, Content::Bytes(verify_text(&page).into_bytes()));
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// What was asked and what is given, with a signature of it that OpenSSH checks.
    fn completeness_file(&self, put: &mut impl FnMut(&str, Content)) -> Result<()> {
        let (core, json) = (&self.draft.core, self.draft.completeness.to_json().into_bytes());
        let signature = ssh_signature(&json, SSH_NAMESPACE, &core.keys.issuer)?;
        let signers = allowed_signer(core.origin(), SSH_NAMESPACE, &core.keys.issuer.public_key())?;
        put(path::COMPLETENESS, Content::Bytes(json));
        put(path::COMPLETENESS_SIGNATURE, Content::Bytes(signature.into_bytes()));
        put(path::ALLOWED_SIGNERS, Content::Bytes(signers.into_bytes()));
        Ok(())
    }

    fn of_tape(&self, tape: &BundledTape, n: usize, note: &str) -> Result<Vec<(&'static str, Content)>> {
        let (core, reader) = (&self.draft.core, &tape.reader);
        let missing = || Error::new(Code::RowsUnavailable, "an entry of a tape is missing in sled");
        let entry = |index: u64| -> Result<Vec<u8>> { Ok(core.queries().entry(index)?.ok_or_else(missing)?.public) };
        let saved = entry(tape.given.entry)?;
        let statement = crate::ledger::check::saved_statement_bytes(&saved)?.ok_or_else(missing)?;
        let header = shown_header(reader.header(), reader.keys(), |_| true);
        let manifest = reader.manifest().encode()?;
        let proof = |index: u64, entry: Vec<u8>| -> Result<Content> {
            let path = inclusion(&*core.stores.rows, index, self.head.size)?;
            let proof = TlogProof { extra: Some(entry), index, path, note: note.to_owned() };
            Ok(Content::Bytes(proof.to_text().into_bytes()))
        };
        let path = inclusion(&*core.stores.rows, tape.given.entry, self.head.size)?;
        let subject = tape.given.custody.to_hex();
        let receipt = Receipt::sign(&self.head, &subject, tape.given.entry, &path, &core.keys.issuer)?;
        Ok(vec![
            ("root.cbor", Content::Bytes(reader.manifest().root.encode())),
            ("header.cbor", Content::Bytes(header.encode())),
            ("manifest.cbor", Content::Bytes(manifest)),
            ("statement.cose", Content::Bytes(statement)),
            ("frames.cbor", Content::Frames(n)),
            ("frames-paths.cbor", Content::Bytes(self.frame_paths(tape)?)),
            ("saved.tlog-proof", proof(tape.given.entry, saved)?),
            ("evidence.tlog-proof", proof(tape.made, entry(tape.made)?)?),
            ("receipt.cose", Content::Bytes(receipt)),
        ])
    }

    /// Set proof of the frames that are given. Every frame is read for it where some are not; their leaves are made and forgotten.
    fn frame_paths(&self, tape: &BundledTape) -> Result<Vec<u8>> {
        let frames = tape.given.frames;
        let known: Vec<u64> = tape.given.opened.map_or_else(Vec::new, |(first, last)| (first..=last).collect());
        if known.len() as u64 == frames {
            return Ok(write_set_proof(&[]));
        }
        let levels = Levels::of(&tape.reader.leaves()?);
        let subtree = &mut |first, count| levels.subtree(first, count);
        Ok(write_set_proof(&set_proof(frames, &known, subtree).ok_or_else(died)?))
    }

    fn keys(&self, put: &mut impl FnMut(&str, Content)) -> Result<()> {
        let keys = &self.draft.core.identity.keys;
        for role in [KeyRole::Checkpoint, KeyRole::Recorder, KeyRole::Issuer] {
            for term in keys.terms(role).iter().filter(|term| term.since < self.head.size) {
                let name = format!("data/keys/{}-{}", role.word(), term.since);
                put(&format!("{name}.pem"), Content::Bytes(public_key_pem(&term.key).into_bytes()));
                if role == KeyRole::Checkpoint {
                    let text = NoteKey::new(self.draft.core.origin(), term.key)?.to_text() + "\n";
                    put(&format!("{name}.vkey"), Content::Bytes(text.into_bytes()));
                }
            }
        }
        Ok(())
    }

    fn page(&self, note: &str) -> BundlePage {
        let tape = |tape: &BundledTape| PageTape {
            given: tape.given.clone(),
            header: tape.reader.header().clone(),
            made: tape.made,
        };
        BundlePage {
            completeness: self.draft.completeness.clone(),
            head: self.head.clone(),
            note: note.to_owned(),
            tapes: self.draft.tapes.iter().map(tape).collect(),
            entries: Vec::new(),
        }
    }
}

fn page_entry(shown: ShownEntry) -> PageEntry {
    PageEntry {
        index: shown.index,
        time: shown.time,
        kind: shown.kind,
        subject: shown.subject,
        members: shown.item.members.iter().map(|member| member.custody).collect(),
        body: shown.body,
        private: shown.private,
    }
}

fn shown_header(header: &crate::tape::Header, keys: &crate::seal::TapeKeys, is_open: impl Fn(u64) -> bool) -> Opened {
    let fields = header.fields();
    Opened::new(HEADER, keys.header_salts(), fields.iter().map(|(n, value)| (*n, value.as_slice())), is_open)
}

fn not_written(e: std::io::Error) -> Error {
    let code = crate::store::files::code_of_kind(e.kind());
    Error::new(code, "the bundle cannot be written").with_source(e)
}

#[derive(Default)]
struct Measured {
    hasher: Hasher,
    bytes: u64,
}

impl Write for Measured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.hasher.update(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

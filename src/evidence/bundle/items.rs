//! Items of the two CBOR sequences of a bundle: entries and frames (`docs/format/6-evidence.md` 6.4, 6.6).

use super::set_proof::{read_hashes, write_hashes};
use super::{BundleError, Opened};
use crate::codec::cbor::{Key, Reader, Writer, encode};
use crate::codec::digest::{CustodyId, LeafHash, RootHash};
use crate::codec::limits::{ENTRY_BYTES_MAX, FRAME_ENVELOPE_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX};
use crate::log::{leaf_hash, set_leaf};
use crate::proof::verify_inclusion;
use crate::tape::{Frame, FrameSalt, leaf_of_digests, salted_envelope, salted_payload};

/// FORMAT. Most entries of a bundle.
pub(crate) const ENTRIES_MAX: usize = 1 << 20;

/// Shows that a tape was in the set of a list or search, and nothing of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The tape.
    pub custody: CustodyId,
    /// Its own salt (`docs/format/4-commit.md` 4.3).
    pub salt: [u8; 32],
    /// Its place in the set.
    pub position: u64,
    /// Hashes from its leaf up.
    pub path: Vec<[u8; 32]>,
}

impl Membership {
    /// Does it lead to the commitment over `count` tapes?
    ///
    /// # Errors
    /// [`BundleError::Proof`].
    pub fn verify(&self, set: &RootHash, count: u64) -> Result<(), BundleError> {
        let leaf = set_leaf(&self.salt, &self.custody);
        verify_inclusion(&leaf, self.position, count, &self.path, set).map_err(|_| BundleError::Proof)
    }
}

/// One entry in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EvidenceEntry {
    /// The public half, as it is in the log.
    pub public: Vec<u8>,
    /// Fields of the private half; `None`: it stays closed.
    pub opened: Option<Opened>,
    /// Tapes that were in the set of a list or search.
    pub members: Vec<Membership>,
    /// Consistency path from the head that the entry keeps.
    pub consistency: Option<Vec<[u8; 32]>>,
}

impl EvidenceEntry {
    /// Leaf hash of the entry.
    #[must_use]
    pub fn leaf(&self) -> LeafHash {
        leaf_hash(&self.public)
    }

    /// The item.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(|w| {
            w.array(3);
            w.bytes(&self.public);
            w.nullable(self.opened.as_ref(), |w, opened| opened.write(w));
            w.map(usize::from(!self.members.is_empty()).saturating_add(usize::from(self.consistency.is_some())));
            if !self.members.is_empty() {
                w.uint(0);
                w.array(self.members.len());
                self.members.iter().for_each(|member| write_member(w, member));
            }
            if let Some(path) = &self.consistency {
                w.uint(1);
                write_hashes(w, path);
            }
        })
    }

    /// Reads one item of the sequence.
    ///
    /// # Errors
    /// [`BundleError::Cbor`], [`BundleError::Form`].
    pub fn read(r: &mut Reader<'_>) -> Result<Self, BundleError> {
        r.array_of(3)?;
        let public = r.bytes()?;
        if public.len() > ENTRY_BYTES_MAX {
            return Err(BundleError::Form("an entry of more than 65,535 bytes"));
        }
        let opened = if r.null_if_next() { None } else { Some(Opened::read(r)?) };
        let mut entry = Self { public: public.to_vec(), opened, ..Self::default() };
        let (mut fault, mut is_empty) = (None, false);
        r.map(|key, v| {
            let read = match key {
                Key::Int(0) => read_members(v).map(|members| {
                    is_empty = members.is_empty();
                    entry.members = members;
                }),
                Key::Int(1) => read_hashes(v).map(|path| entry.consistency = Some(path)),
                _ => return Err(crate::codec::CborError::UnknownKey),
            };
            match read {
                Err(BundleError::Cbor(e)) => Err(e),
                Err(e) => {
                    fault = Some(e);
                    Ok(())
                }
                Ok(()) => Ok(()),
            }
        })?;
        match fault {
            Some(e) => Err(e),
            None if is_empty => Err(BundleError::Form("a list of memberships without one")),
            None => Ok(entry),
        }
    }
}

fn write_member(w: &mut Writer, member: &Membership) {
    w.array(4);
    w.bytes(member.custody.as_ref());
    w.bytes(&member.salt);
    w.uint(member.position);
    write_hashes(w, &member.path);
}

fn read_members(r: &mut Reader<'_>) -> Result<Vec<Membership>, BundleError> {
    let count = r.array()?;
    (0..count)
        .map(|_| {
            r.array_of(4)?;
            let (custody, salt, position) = (CustodyId::from_bytes(r.bytes_n()?), r.bytes_n()?, r.uint()?);
            Ok(Membership { custody, salt, position, path: read_hashes(r)? })
        })
        .collect()
}

/// One part of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FramePart {
    /// Salt and bytes.
    Open([u8; 32], Vec<u8>),
    /// The salted digest alone.
    Closed([u8; 32]),
}

/// A frame in a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceFrame {
    /// Position in the tape.
    pub seq: u64,
    /// Salt and bytes of the envelope.
    pub envelope: ([u8; 32], Vec<u8>),
    /// The payload.
    pub payload: FramePart,
}

impl EvidenceFrame {
    /// A frame of a tape with these salts.
    ///
    /// # Errors
    /// Those of [`Frame::parts`].
    pub fn of(frame: &Frame, salt: &FrameSalt, is_open: bool) -> Result<Self, crate::tape::TapeError> {
        let envelope = (salt.envelope, frame.parts()?.envelope());
        let payload = match is_open {
            true => FramePart::Open(salt.payload, frame.payload.clone()),
            false => FramePart::Closed(salted_payload(frame.seq, &salt.payload, &frame.payload)),
        };
        Ok(Self { seq: frame.seq, envelope, payload })
    }

    /// Leaf hash in the frame tree.
    #[must_use]
    pub fn leaf(&self) -> LeafHash {
        let envelope = salted_envelope(self.seq, &self.envelope.0, &self.envelope.1);
        let payload = match &self.payload {
            FramePart::Open(salt, bytes) => salted_payload(self.seq, salt, bytes),
            FramePart::Closed(digest) => *digest,
        };
        leaf_hash(&leaf_of_digests(self.seq, &envelope, &payload))
    }

    /// The frame that the parts make; a closed payload is empty in it.
    ///
    /// # Errors
    /// [`crate::tape::TapeError`].
    pub fn frame(&self) -> Result<Frame, crate::tape::TapeError> {
        let payload = match &self.payload {
            FramePart::Open(_, bytes) => bytes.as_slice(),
            FramePart::Closed(_) => &[],
        };
        let frame = Frame::of_parts(&self.envelope.1, payload)?;
        if frame.seq == self.seq {
            Ok(frame)
        } else {
            Err(crate::tape::TapeError::Sequence { expected: self.seq, found: frame.seq })
        }
    }

    /// The item.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(|w| {
            w.array(3);
            w.uint(self.seq);
            write_open(w, &self.envelope.0, &self.envelope.1);
            match &self.payload {
                FramePart::Open(salt, bytes) => write_open(w, salt, bytes),
                FramePart::Closed(digest) => w.bytes(digest),
            }
        })
    }

    /// Reads one item of the sequence.
    ///
    /// # Errors
    /// [`BundleError::Cbor`], [`BundleError::Form`].
    pub fn read(r: &mut Reader<'_>) -> Result<Self, BundleError> {
        r.array_of(3)?;
        let seq = r.uint()?;
        let envelope = read_open(r)?;
        let payload = if r.array_is_next() {
            let (salt, bytes) = read_open(r)?;
            FramePart::Open(salt, bytes)
        } else {
            FramePart::Closed(r.bytes_n()?)
        };
        let payload_bytes = if let FramePart::Open(_, bytes) = &payload { bytes.len() } else { 0 };
        if envelope.1.len() > FRAME_ENVELOPE_BYTES_MAX || payload_bytes > FRAME_PAYLOAD_BYTES_MAX {
            return Err(BundleError::Form("an envelope or a payload that is too long"));
        }
        Ok(Self { seq, envelope, payload })
    }
}

fn write_open(w: &mut Writer, salt: &[u8; 32], bytes: &[u8]) {
    w.array(2);
    w.bytes(salt);
    w.bytes(bytes);
}

fn read_open(r: &mut Reader<'_>) -> Result<([u8; 32], Vec<u8>), BundleError> {
    r.array_of(2)?;
    Ok((r.bytes_n()?, r.bytes()?.to_vec()))
}

//! Which stored objects the entries of a log name, and which tape a damaged one belongs to.

use std::collections::{HashMap, HashSet};

use super::{Checker, saved_statement};
use crate::codec::digest::{CustodyId, ObjectDigest, TapeId};
use crate::codec::extent::{Group, GroupHeader};
use crate::error::Result;
use crate::ledger::rebuild::{BEGINNING, by_digest};
use crate::log::{Body, Entry, EntryKind, LogError};
use crate::seal::Manifest;

/// An object that an entry names.
pub(super) struct Named {
    pub digest: ObjectDigest,
    pub is_manifest: bool,
    tape: Option<(CustodyId, TapeId)>,
    entry: u64,
}

/// What the entries of some groups name.
#[derive(Default)]
pub(super) struct Names {
    pub objects: Vec<Named>,
    destroyed: HashSet<CustodyId>,
}

impl Names {
    /// Takes a group in, whose hash was compared.
    pub(super) fn take(&mut self, extent: &[u8]) -> Result<()> {
        let header = GroupHeader::parse(extent).map_err(LogError::from)?;
        let group = Group::of_sealed(header, extent).map_err(LogError::from)?;
        for record in group.records() {
            let (public, _) = record.map_err(LogError::from)?;
            self.entry(public)?;
        }
        Ok(())
    }

    fn entry(&mut self, public: &[u8]) -> Result<()> {
        let entry = Entry::decode(public)?;
        let (subject, index) = (entry.subject, entry.index);
        match entry.kind {
            EntryKind::TAPE_SAVED => {
                if let Some(statement) = saved_statement(public)? {
                    let claims = statement.claims();
                    let tape = Some((subject, claims.tape));
                    self.objects.push(Named { digest: claims.manifest, is_manifest: true, tape, entry: index });
                }
            }
            EntryKind::LISTED | EntryKind::SEARCHED => {
                let fault = |fault| LogError::Body { index, kind: entry.kind.number(), fault };
                if let Body::Listed { list: Some(digest), .. } | Body::Searched { list: Some(digest), .. } =
                    Body::decode(entry.kind, entry.body).map_err(fault)?
                {
                    self.objects.push(Named { digest, is_manifest: false, tape: None, entry: index });
                }
            }
            kind if kind.destroys_tape() => {
                self.destroyed.insert(subject);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whose an object is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub tape: TapeId,
    /// The entry that saved it.
    pub entry: u64,
    /// An entry says that the key of this tape was destroyed.
    pub is_destroyed: bool,
}

/// Owners of damaged objects.
#[derive(Default)]
pub(super) struct Whose(HashMap<ObjectDigest, Owner>);

impl Whose {
    /// Walks the whole log and every manifest, so only where something is damaged. As far as the log can be read.
    pub(super) fn find(checker: &Checker, damaged: &HashSet<ObjectDigest>) -> Self {
        let mut whose = Self::default();
        if damaged.is_empty() {
            return whose;
        }
        let (mut names, mut at) = (Names::default(), BEGINNING);
        while let Ok(Some((_, extent, next))) = checker.stores.journal.read(at) {
            if names.take(&extent).is_err() {
                break;
            }
            at = next;
        }
        for named in names.objects {
            let Some((custody, tape)) = named.tape else { continue };
            let owner = Owner { tape, entry: named.entry, is_destroyed: names.destroyed.contains(&custody) };
            let manifest = checker.stores.objects.get(&by_digest(named.digest, 0)).ok();
            let manifest = manifest.and_then(|bytes| Manifest::decode(&bytes).ok());
            let parts = manifest.iter().flat_map(Manifest::all_objects).map(|object| object.digest);
            for digest in parts.chain([named.digest]).filter(|digest| damaged.contains(digest)) {
                whose.0.entry(digest).or_insert(owner);
            }
        }
        whose
    }

    pub(super) fn of(&self, digest: &ObjectDigest) -> Option<Owner> {
        self.0.get(digest).copied()
    }
}

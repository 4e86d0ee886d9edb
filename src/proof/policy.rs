//! Which logs and witnesses are trusted: C2SP tlog-policy.

use std::collections::{BTreeMap, BTreeSet};

use super::{CosignerKey, ProofError};
use crate::log::{Checkpoint, HeadKeys, LogError, NoteKey, SignedNote};

/// More of anything than this is refused; the specification asks for 32 of each at least.
const ITEMS_MAX: usize = 256;
const POLICY_BYTES_MAX: usize = 256 << 10;

/// A log or a witness of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted<K> {
    /// Its name within the policy; of a log, its origin.
    pub name: String,
    /// Its key.
    pub key: K,
    /// Where it answers, if the policy says.
    pub url: Option<String>,
}

/// So many of the members, by their names, have witnessed a checkpoint before the group has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<String>,
}

/// A policy file.
///
/// ```
/// use immutape::proof::Policy;
/// let policy = Policy::parse("# nobody is asked\nquorum none\n")?;
/// assert!(policy.witnesses().is_empty() && policy.is_met_by(|_| false));
/// # Ok::<(), immutape::proof::ProofError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Trusted<NoteKey>>,
    witnesses: Vec<Trusted<CosignerKey>>,
    groups: BTreeMap<String, Group>,
    /// `None`: no cosignature is asked for.
    quorum: Option<String>,
}

/// A head that a log of the policy signed, with the cosignatures that hold. Only [`Policy::check`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignedHead {
    checkpoint: Checkpoint,
    cosigned: Vec<(String, u64)>,
    is_quorum: bool,
}

impl CosignedHead {
    /// Size and root.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Names of witnesses as the policy has them, and when they cosigned, in seconds since 1970.
    #[must_use]
    pub fn cosigned(&self) -> &[(String, u64)] {
        &self.cosigned
    }

    /// Are they enough for the policy?
    #[must_use]
    pub const fn is_quorum(&self) -> bool {
        self.is_quorum
    }
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`ProofError::Policy`] with the line.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(ProofError::Policy { line: 0, fault: "longer than 256 KiB" });
        }
        let mut read = Read::default();
        for (n, line) in text.split('\n').enumerate() {
            read.line(line).map_err(|fault| ProofError::Policy { line: n.saturating_add(1), fault })?;
        }
        let fault = "no quorum line";
        let quorum = read.quorum.ok_or(ProofError::Policy { line: 0, fault })?;
        Ok(Self { logs: read.logs, witnesses: read.witnesses, groups: read.groups, quorum })
    }

    /// The logs, in the order of the file.
    #[must_use]
    pub fn logs(&self) -> &[Trusted<NoteKey>] {
        &self.logs
    }

    /// The witnesses, in the order of the file.
    #[must_use]
    pub fn witnesses(&self) -> &[Trusted<CosignerKey>] {
        &self.witnesses
    }

    /// Does it ask for any cosignature?
    #[must_use]
    pub const fn asks_for_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// Is the quorum met, if `has_cosigned` tells it of each witness by its name?
    pub fn is_met_by(&self, has_cosigned: impl Fn(&str) -> bool) -> bool {
        // A group stands on names above it alone, so one pass from the members up would do; the depth is that of the file.
        self.quorum.as_deref().is_none_or(|name| self.has_witnessed(name, &has_cosigned))
    }

    fn has_witnessed(&self, name: &str, has_cosigned: &dyn Fn(&str) -> bool) -> bool {
        match self.groups.get(name) {
            None => has_cosigned(name),
            Some(group) => {
                group.members.iter().filter(|member| self.has_witnessed(member, has_cosigned)).count()
                    >= group.threshold
            }
        }
    }

    /// Checks a note: the log's signature under the key that `log` has for it, and every cosignature of a witness of this policy.
    ///
    /// # Errors
    /// [`ProofError::Log`] when the log's signature is missing, or any signature of a known key does not hold. Too few
    /// cosignatures are no error here; see [`CosignedHead::is_quorum`].
    pub fn check(&self, note: &str, log: &(impl HeadKeys + ?Sized)) -> Result<CosignedHead, ProofError> {
        let checkpoint = Checkpoint::from_note(note, log)?;
        let note = SignedNote::parse(note)?;
        let mut cosigned = Vec::new();
        for witness in &self.witnesses {
            if let Some(time_s) = witness.key.time_on(&note)? {
                cosigned.push((witness.name.clone(), time_s));
            }
        }
        let is_quorum = self.is_met_by(|name| cosigned.iter().any(|(of, _)| of == name));
        Ok(CosignedHead { checkpoint, cosigned, is_quorum })
    }
}

/// A policy while it is read.
#[derive(Default)]
struct Read {
    logs: Vec<Trusted<NoteKey>>,
    witnesses: Vec<Trusted<CosignerKey>>,
    groups: BTreeMap<String, Group>,
    quorum: Option<Option<String>>,
    /// Names that are a member of something already.
    members: BTreeSet<String>,
}

impl Read {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        if line.bytes().any(|b| (b < b' ' && b != b'\t') || b == 0x7f) {
            return Err("a control character");
        }
        let items: Vec<&str> = line.split([' ', '\t']).filter(|item| !item.is_empty()).collect();
        match items.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(url)),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["group", name, threshold, members @ ..] => self.group(name, threshold, members),
            ["quorum", name] => self.quorum(name),
            ["log" | "witness" | "group" | "quorum", ..] => Err("another number of items than this line has"),
            _ => Err("a line that begins with none of log, witness, group, quorum"),
        }
    }

    fn log(&mut self, key: &str, url: Option<&&str>) -> Result<(), &'static str> {
        let key = NoteKey::parse(key).map_err(|_| "not the verifier key of a log")?;
        if self.logs.iter().any(|log| log.key.key() == key.key()) {
            return Err("a second log with this key");
        }
        self.knows_key_as_other(key.key(), false)?;
        self.logs.push(Trusted { name: key.name().to_owned(), key, url: url.map(|u| (*u).to_owned()) });
        within(self.logs.len())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&&str>) -> Result<(), &'static str> {
        let key = CosignerKey::parse(key).map_err(|e| match e {
            LogError::Seal(_) => "a key of small order, or none at all",
            _ => "not the verifier key of a witness",
        })?;
        if self.witnesses.iter().any(|witness| witness.key.key() == key.key()) {
            return Err("a second witness with this key");
        }
        self.knows_key_as_other(key.key(), true)?;
        self.is_new(name)?;
        self.witnesses.push(Trusted { name: name.to_owned(), key, url: url.map(|u| (*u).to_owned()) });
        within(self.witnesses.len())
    }

    /// One key must not sign in two roles: what it signs as one could be shown as the other's word.
    fn knows_key_as_other(&self, key: &crate::seal::PublicKey, is_witness: bool) -> Result<(), &'static str> {
        let is_known = if is_witness {
            self.logs.iter().any(|log| log.key.key() == key)
        } else {
            self.witnesses.iter().any(|witness| witness.key.key() == key)
        };
        if is_known { Err("the same key for a log and for a witness") } else { Ok(()) }
    }

    fn group(&mut self, name: &str, threshold: &str, members: &[&str]) -> Result<(), &'static str> {
        self.is_new(name)?;
        let threshold = match threshold {
            "any" => 1,
            "all" => members.len(),
            k if k.bytes().all(|b| b.is_ascii_digit()) && !k.starts_with('0') => {
                k.parse().map_err(|_| "a threshold")?
            }
            _ => return Err("a threshold that is neither any, all nor a number from 1"),
        };
        if members.is_empty() || threshold > members.len() {
            return Err("a group of fewer members than its threshold, or of none");
        }
        for member in members {
            self.is_known(member)?;
            if !self.members.insert((*member).to_owned()) {
                return Err("a name that is a member of a group already");
            }
        }
        let members = members.iter().map(|m| (*m).to_owned()).collect();
        self.groups.insert(name.to_owned(), Group { threshold, members });
        within(self.groups.len())
    }

    fn quorum(&mut self, name: &str) -> Result<(), &'static str> {
        if self.quorum.is_some() {
            return Err("a second quorum line");
        }
        self.quorum = Some(if name == "none" {
            None
        } else {
            self.is_known(name)?;
            Some(name.to_owned())
        });
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.groups.contains_key(name) || self.witnesses.iter().any(|witness| witness.name == name)
    }

    fn is_new(&self, name: &str) -> Result<(), &'static str> {
        if name == "none" || self.has(name) { Err("a name that is taken") } else { Ok(()) }
    }

    fn is_known(&self, name: &str) -> Result<(), &'static str> {
        if self.has(name) { Ok(()) } else { Err("a name that no line above defines") }
    }
}

const fn within(count: usize) -> Result<(), &'static str> {
    if count > ITEMS_MAX { Err("more than 256 of one sort") } else { Ok(()) }
}

//! From entries to people, and from somebody who asks to what the roles say. A log is believed here only as far as the law goes: an entry
//! that breaks it changes nothing.

use super::super::Who;
use super::super::core::{Core, Identity, died};
use super::super::rebuild::BEGINNING;
use crate::catalog::Queries;
use crate::codec::extent::Group;
use crate::error::{Code, Error, Result};
use crate::governance::{
    Action, ActorId, Asked, ClassNeeds, Decision, Denied, Interval, People, PeopleFault, Person, Policy, Profile, Role,
    decide, decide_by_roles,
};
use crate::keyring::VaultKeys;
use crate::log::{
    Actor, ActorKind, Authentication, Body, Entry, EntryKind, Genesis, LogError, PeopleBody, PrivateHalf, RoleFrom,
};
use crate::seal::{PrivateAad, PublicKey};
use crate::store::Stores;
use crate::time::Timestamp;

/// Nobody vouches for the time yet, so no wait is ever over.
pub(in crate::ledger) const NOW: Interval = Interval { lo: Timestamp::from_ms(0), hi: None };

/// Those whom entry 0 names; `names` where its private half opens. Who has no name there is called by its id.
///
/// # Errors
/// [`PeopleFault`] for what the law does not allow.
fn named_at_the_beginning(genesis: &Genesis, names: &[([u8; 16], String)]) -> Result<People, PeopleFault> {
    let mut people = People::none(Profile::from_name(&genesis.profile).unwrap_or(Profile::Regulated));
    for founder in &genesis.founders {
        let roles: Vec<Role> = founder.roles.iter().filter_map(|number| Role::from_number(*number)).collect();
        let key = key(&founder.key)?;
        people.found(ActorId(founder.id), &name_of(founder.id, names), key, &roles)?;
    }
    Ok(people)
}

fn key(bytes: &[u8; 32]) -> Result<PublicKey, PeopleFault> {
    PublicKey::from_bytes(bytes).map_err(|_| PeopleFault::Key)
}

fn name_of(id: [u8; 16], names: &[([u8; 16], String)]) -> String {
    names.iter().find(|(known, _)| *known == id).map_or_else(|| hex::encode(id), |(_, name)| name.clone())
}

/// Takes one entry about people in.
///
/// # Errors
/// [`PeopleFault`]: then it changed nothing.
pub(super) fn take(people: &mut People, body: &PeopleBody, private: Option<&PrivateHalf>) -> Result<(), PeopleFault> {
    let ids = |agreed: &[[u8; 16]]| agreed.iter().copied().map(ActorId).collect::<Vec<_>>();
    match body {
        PeopleBody::Added { id, kind, key: public, agreed, principal } => {
            let names = private.map(PrivateHalf::names).unwrap_or_default();
            let kind = actor_kind(*kind).ok_or(PeopleFault::Principal)?;
            let name = name_of(*id, &names);
            people.enrol(ActorId(*id), (kind, &name), key(public)?, principal.map(ActorId), &ids(agreed), NOW)?;
        }
        PeopleBody::Disabled { id, agreed } => people.disable(ActorId(*id), &ids(agreed), NOW)?,
        PeopleBody::Rotated { id, key: public, agreed } => {
            people.rotate(ActorId(*id), key(public)?, &ids(agreed), NOW)?;
        }
        PeopleBody::RoleGranted { id, role, agreed, from } => {
            let from = match from {
                RoleFrom::Ms(ms) => Some(Timestamp::from_ms(*ms)),
                RoleFrom::Never => None,
            };
            let role = Role::from_number(*role).ok_or(PeopleFault::Unknown)?;
            people.grant_from(ActorId(*id), role, &ids(agreed), NOW, from)?;
        }
        PeopleBody::RoleRevoked { id, role, agreed } => {
            let role = Role::from_number(*role).ok_or(PeopleFault::Unknown)?;
            people.revoke(ActorId(*id), role, &ids(agreed), NOW)?;
        }
    }
    for text in private.map(PrivateHalf::signed_texts).unwrap_or_default() {
        if let Some(request) = super::case_file::request_of(&text.text) {
            people.use_request(request);
        }
    }
    Ok(())
}

const fn actor_kind(number: u64) -> Option<ActorKind> {
    match number {
        0 => Some(ActorKind::Human),
        1 => Some(ActorKind::Service),
        2 => Some(ActorKind::Agent),
        _ => None,
    }
}

/// The people whom the journal names, for acts on a ledger that is not open; by name where the vault opens, else by ids and keys alone.
/// Entries are believed as far as they can be read; whether they are the log's own is checked like all others.
///
/// # Errors
/// `E_LOG_DAMAGED` for an entry 0 that names people whom the law does not allow.
pub(in crate::ledger) fn of_journal(stores: &Stores, genesis: &Genesis, vault: Option<&VaultKeys>) -> Result<People> {
    let mut people = None;
    let mut at = BEGINNING;
    while let Ok(Some((_, extent, next))) = stores.journal.read(at) {
        let group = Group::parse(&extent).map_err(LogError::from)?;
        for record in group.records() {
            let (public, sealed) = record.map_err(LogError::from)?;
            let entry = Entry::decode(public)?;
            let private = vault.filter(|_| entry.index == 0 || entry.kind.is_about_people());
            let private = private.and_then(|vault| opened(vault, &genesis.origin, &entry, sealed));
            let known = match &mut people {
                Some(known) => known,
                none => {
                    let names = private.as_ref().map(PrivateHalf::names).unwrap_or_default();
                    none.insert(named_at_the_beginning(genesis, &names).map_err(|e| wrong_beginning(&e))?)
                }
            };
            if entry.kind.is_about_people()
                && let Ok(Body::People(body)) = Body::decode(entry.kind, entry.body)
            {
                let _one_that_breaks_the_law_changes_nothing = take(known, &body, private.as_ref());
            }
        }
        at = next;
    }
    people.map_or_else(|| named_at_the_beginning(genesis, &[]).map_err(|e| wrong_beginning(&e)), Ok)
}

fn opened(vault: &VaultKeys, origin: &str, entry: &Entry<'_>, sealed: &[u8]) -> Option<PrivateHalf> {
    let aad = PrivateAad { origin, kind: entry.kind.number(), subject: &entry.subject };
    let map = vault.custody_key(&entry.key_id)?.open(aad, sealed, &entry.commitment).ok()?;
    PrivateHalf::decode(&map).ok()
}

fn wrong_beginning(e: &PeopleFault) -> Error {
    Error::new(Code::LogDamaged, format!("entry 0 names people whom the law does not allow: {e}"))
}

/// Somebody who acts, and is known here.
pub(super) struct Known {
    pub id: ActorId,
    pub person: Person,
    pub roles: Vec<Role>,
}

impl Core {
    /// Everybody, as the log tells it.
    pub(in crate::ledger) fn read_people(&self) -> Result<People> {
        if self.policy != Some(Policy::ByRoles) {
            return Ok(People::none(Profile::Personal));
        }
        let queries = self.queries();
        let mut people = named_at_the_beginning(&self.identity.genesis, &self.names_of_entry_0(&queries)?)
            .map_err(|e| wrong_beginning(&e))?;
        let mut indices = Vec::new();
        queries.criticals(&mut |index, kind| {
            indices.extend(Some(index).filter(|_| EntryKind::from_number(kind).is_about_people()));
            Ok(true)
        })?;
        for index in indices {
            let missing = || Error::new(Code::RowsUnavailable, "an entry about people is missing in sled");
            let line = self.open_entry(&queries.entry(index)?.ok_or_else(missing)?)?;
            if let Body::People(body) = &line.body {
                let _one_that_breaks_the_law_changes_nothing = take(&mut people, body, line.private.as_ref());
            }
        }
        Ok(people)
    }

    fn names_of_entry_0(&self, queries: &Queries<'_>) -> Result<Vec<([u8; 16], String)>> {
        let Some(stored) = queries.entry(0)? else { return Ok(Vec::new()) };
        Ok(self.open_entry(&stored)?.private.map(|private| private.names()).unwrap_or_default())
    }

    /// Who asks, if name and key are somebody's here.
    pub(super) fn known(&self, who: &Who) -> Result<Option<Known>> {
        let Some((name, signer)) = &who.person else { return Ok(None) };
        let people = self.people.read().map_err(|_| died())?;
        let found =
            std::str::from_utf8(name).ok().and_then(|name| people.signs(name, signer.public_key().thumbprint()));
        Ok(found.map(|(id, person)| Known { id, roles: person.roles(NOW), person: person.clone() }))
    }

    /// The actor of an entry, as the ledger knows it; the words of the roles, and on whose behalf.
    pub(in crate::ledger) fn actor_of(&self, who: &Who) -> Result<(Actor, Vec<String>, Option<Vec<u8>>)> {
        let Some(known) = self.known(who)? else { return Ok((who.actor(), Vec::new(), None)) };
        let people = self.people.read().map_err(|_| died())?;
        let principal = known.person.principal.and_then(|id| people.get(id)).map(|p| p.name.clone().into_bytes());
        let actor = Actor { kind: known.person.kind, authentication: Authentication::RegisteredKey, ..who.actor() };
        Ok((actor, known.roles.iter().map(|role| role.word().to_owned()).collect(), principal))
    }

    /// Asks the policy. A refusal is an entry first, then an error.
    pub(in crate::ledger) fn decide(&self, who: &Who, action: Action) -> Decision {
        if self.policy != Some(Policy::ByRoles) {
            return decide(self.policy, &who.actor(), action);
        }
        match self.denied(who, action) {
            None => Decision::Granted,
            Some(Denied::Disposal) => Decision::Refused(Code::DisposalRequired),
            Some(_) => Decision::Refused(Code::NotPermitted),
        }
    }

    /// What the roles have against it.
    fn denied(&self, who: &Who, action: Action) -> Option<Denied> {
        let Ok(known) = self.known(who) else { return Some(Denied::Unknown) };
        let authentication = if known.is_some() { Authentication::RegisteredKey } else { who.actor().authentication };
        let (kind, roles) = known.map_or((ActorKind::Human, Vec::new()), |known| (known.person.kind, known.roles));
        let asked = Asked {
            action,
            roles: &roles,
            kind,
            authentication,
            has_purpose: who.purpose.is_some(),
            has_principal: kind == ActorKind::Agent,
            needs: ClassNeeds::default(),
            is_restricted: false,
        };
        decide_by_roles(&asked).err()
    }

    /// Why somebody was refused, and what to do.
    pub(in crate::ledger) fn why_denied(&self, who: &Who, action: Action) -> Option<(&'static str, String)> {
        if self.policy != Some(Policy::ByRoles) {
            return None;
        }
        match self.denied(who, action)? {
            Denied::Unknown => Some((
                "nobody here has this name and signs with this key",
                "act with --as NAME --key FILE, as you were enrolled; the refusal is on record".into(),
            )),
            Denied::Role(may) => {
                let may: Vec<&str> = may.iter().map(|role| role.word()).collect();
                let hint = format!("this takes a {}; the refusal is on record", may.join(", or a "));
                Some(("none of your roles permits this", hint))
            }
            _ => None,
        }
    }
}

/// Does somebody of this key have a role that permits this? For acts on a ledger that is not open.
pub(in crate::ledger) fn permits(identity: &Identity, stores: &Stores, who: &Who, action: Action) -> Result<Decision> {
    let policy = Policy::in_force(&identity.genesis.profile, &identity.genesis.policy);
    if policy != Some(Policy::ByRoles) {
        return Ok(decide(policy, &who.actor(), action));
    }
    let people = of_journal(stores, &identity.genesis, None)?;
    let key = who.person.as_ref().map(|(_, signer)| signer.public_key().thumbprint());
    let Some((_, person)) = key.and_then(|key| people.holds(key)) else {
        return Ok(Decision::Refused(Code::NotPermitted));
    };
    let may = crate::governance::roles_for(action);
    let has = person.roles(NOW).iter().any(|role| may.contains(role));
    Ok(if has { Decision::Granted } else { Decision::Refused(Code::NotPermitted) })
}

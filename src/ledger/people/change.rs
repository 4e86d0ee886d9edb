//! People who come, go, and get and lose roles: each change is an entry, by somebody who may and, where the law asks for more, with the
//! signatures of others.

use super::super::acts::Act;
use super::super::core::{Core, died};
use super::super::{Ledger, Who};
use super::case_file::{Approvals, Wanted};
use super::known::{Known, NOW, take};
use crate::codec::cbor::encode;
use crate::codec::digest::{LedgerId, Thumbprint};
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::governance::{Action, ActorId, Decision, Meaning, People, PeopleFault, Policy, Role};
use crate::log::{ActorKind, Body, EntryKind, PeopleBody, PrivateHalf, RoleFrom, SignedText, leaf_hash, root_of};
use crate::seal::PublicKey;
use crate::time::Timestamp;

const CASE_LABEL: &str = "immutape/people-case/1";

/// A change of who there is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeopleChange {
    /// Somebody comes, without any role.
    Add {
        /// Name, which nobody else had or gets.
        name: String,
        /// Person, service or agent.
        kind: ActorKind,
        /// The key that signs.
        key: PublicKey,
        /// Of an agent, for whom it acts.
        on_behalf_of: Option<String>,
    },
    /// Somebody acts no more.
    Disable {
        /// Name.
        name: String,
    },
    /// Somebody signs with another key.
    Rotate {
        /// Name.
        name: String,
        /// The new key.
        key: PublicKey,
    },
    /// Somebody gets a role.
    Grant {
        /// Name.
        name: String,
        /// Role.
        role: Role,
    },
    /// Somebody loses a role.
    Revoke {
        /// Name.
        name: String,
        /// Role.
        role: Role,
    },
}

/// Somebody, as the log tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PersonView {
    /// Id in entries.
    pub id: [u8; 16],
    /// Name.
    pub name: String,
    /// Person, service or agent.
    pub kind: ActorKind,
    /// For whom an agent acts.
    pub on_behalf_of: Option<String>,
    /// Thumbprint of the key that signs; `None` for somebody who acts no more.
    pub key: Option<Thumbprint>,
    /// Roles, and whether each counts now.
    pub roles: Vec<(Role, bool)>,
}

/// What an error of the law is for those outside.
pub(in crate::ledger) fn told(fault: &PeopleFault) -> Error {
    let (code, hint) = match fault {
        PeopleFault::Conflict { .. } => {
            (Code::RoleConflict, "take the other role away first, or give this one to somebody else")
        }
        PeopleFault::Others { .. } => (
            Code::SecondPerson,
            "write the case with --to FILE, have others sign it, and come back with --case and --agree",
        ),
        PeopleFault::Unknown => (Code::ActorUnknown, "`immutape actor list` shows who there is"),
        PeopleFault::Taken(_) => (Code::Usage, "name, key and id stay those of who had them first"),
        PeopleFault::Name | PeopleFault::Principal | PeopleFault::Key => {
            (Code::Usage, "`immutape help actor add` says how")
        }
    };
    Error::new(code, fault.to_string()).with_hint(hint)
}

impl PeopleChange {
    /// What a case about it has to say, so that a signature counts for nothing else.
    fn wanted(&self, ledger: LedgerId, id: Option<ActorId>) -> Wanted {
        let item = encode(|w| {
            let id = id.map_or([0; 16], |id| id.0);
            w.array(4);
            w.text(CASE_LABEL);
            w.uint(u64::from(self.kind().number()));
            match self {
                Self::Add { name, .. } => w.text(name),
                _ => w.bytes(&id),
            }
            match self {
                Self::Add { key, .. } | Self::Rotate { key, .. } => w.bytes(&key.to_bytes()),
                Self::Grant { role, .. } | Self::Revoke { role, .. } => w.uint(role.number()),
                Self::Disable { .. } => w.uint(0),
            }
        });
        Wanted { ledger, meaning: self.meaning(), list: root_of(&[leaf_hash(&item)]) }
    }

    const fn kind(&self) -> EntryKind {
        match self {
            Self::Add { .. } => EntryKind::ACTOR_ADDED,
            Self::Disable { .. } => EntryKind::ACTOR_DISABLED,
            Self::Rotate { .. } => EntryKind::ACTOR_ROTATED,
            Self::Grant { .. } => EntryKind::ROLE_GRANTED,
            Self::Revoke { .. } => EntryKind::ROLE_REVOKED,
        }
    }

    const fn meaning(&self) -> Meaning {
        match self {
            Self::Grant { .. } => Meaning::GrantRole,
            Self::Rotate { .. } => Meaning::ReplaceKey,
            Self::Add { .. } | Self::Disable { .. } | Self::Revoke { .. } => Meaning::SecondPerson,
        }
    }

    fn words(&self) -> String {
        let thumbprint = |key: &PublicKey| key.thumbprint().to_hex();
        match self {
            Self::Add { name, key, .. } => format!("{name} comes, and signs with the key {}", thumbprint(key)),
            Self::Disable { name } => format!("{name} acts no more"),
            Self::Rotate { name, key } => format!("{name} signs with the key {} from now on", thumbprint(key)),
            Self::Grant { name, role } => format!("{name} gets the role {role}"),
            Self::Revoke { name, role } => format!("{name} loses the role {role}"),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Add { name, .. }
            | Self::Disable { name }
            | Self::Rotate { name, .. }
            | Self::Grant { name, .. }
            | Self::Revoke { name, .. } => name,
        }
    }

    /// Whom it is about: a new id for somebody who comes.
    fn about(&self, people: &People) -> Result<Option<ActorId>, PeopleFault> {
        match self {
            Self::Add { .. } => Ok(None),
            _ => people.named(self.name()).map(|(id, _)| Some(id)).ok_or(PeopleFault::Unknown),
        }
    }

    fn body(&self, id: ActorId, agreed: &[ActorId], people: &People) -> Result<PeopleBody, PeopleFault> {
        let (id, agreed) = (id.0, agreed.iter().map(|id| id.0).collect());
        Ok(match self {
            Self::Add { kind, key, on_behalf_of, .. } => {
                let named = |name: &String| people.named(name).map(|(id, _)| id.0).ok_or(PeopleFault::Principal);
                let principal = on_behalf_of.as_ref().map(named).transpose()?;
                PeopleBody::Added { id, kind: kind.number(), key: key.to_bytes(), agreed, principal }
            }
            Self::Disable { .. } => PeopleBody::Disabled { id, agreed },
            Self::Rotate { key, .. } => PeopleBody::Rotated { id, key: key.to_bytes(), agreed },
            Self::Grant { role, .. } => {
                let from = people.counts_from(*role, NOW).map_or(RoleFrom::Never, |at| RoleFrom::Ms(at.as_ms()));
                PeopleBody::RoleGranted { id, role: role.number(), agreed, from }
            }
            Self::Revoke { role, .. } => PeopleBody::RoleRevoked { id, role: role.number(), agreed },
        })
    }
}

/// A change that the law allows: its body, who there is then, and what others signed.
struct Allowed {
    body: PeopleBody,
    people: People,
    signed: Vec<SignedText>,
}

impl Core {
    fn has_people(&self) -> Result<()> {
        if self.policy == Some(Policy::ByRoles) {
            return Ok(());
        }
        Err(Error::new(Code::NotPermitted, "in this ledger nobody has a role: whoever can open its keys may act")
            .with_hint("people need a ledger that was made with `immutape init --profile small-firm` or `regulated`"))
    }

    fn people_now(&self) -> Result<People> {
        self.people.read().map(|people| people.clone()).map_err(|_| died())
    }

    /// What the law says to a change by somebody, with what others signed.
    fn allow(&self, by: &Known, change: &PeopleChange, approvals: &Approvals, now: Timestamp) -> Result<Allowed> {
        let people = self.people_now()?;
        let about = change.about(&people).map_err(|e| told(&e))?;
        let others = approvals.check(&change.wanted(self.identity.ledger, about), &people, now)?;
        let mut agreed = vec![by.id];
        for (id, _) in &others {
            if !agreed.contains(id) {
                agreed.push(*id);
            }
        }
        let id = about.map_or_else(|| bytes(&*self.env.random).map(ActorId), Ok)?;
        let body = change.body(id, &agreed, &people).map_err(|e| told(&e))?;
        let signed: Vec<SignedText> = others.into_iter().map(|(_, text)| text).collect();
        let mut then = people;
        let mut private = PrivateHalf::default();
        private.set_names(&[(id.0, change.name().to_owned())]);
        private.set_signed_texts(&signed);
        take(&mut then, &body, Some(&private)).map_err(|e| told(&e))?;
        Ok(Allowed { body, people: then, signed })
    }

    async fn change_people(&self, who: &Who, change: &PeopleChange, approvals: &Approvals) -> Result<u64> {
        self.has_people()?;
        let by = self.known(who)?;
        // Whoever has the old key may say which one follows it.
        let is_own_key = by
            .as_ref()
            .is_some_and(|by| matches!(change, PeopleChange::Rotate { name, .. } if *name == by.person.name));
        if !is_own_key {
            self.permit(who, Action::ManagePeople, None).await?;
        }
        let by = by.ok_or_else(died)?;
        let _alone = self.people_turn.lock().await;
        let allowed = match self.allow(&by, change, approvals, self.env.clock.read().wall) {
            Err(e) => return Err(self.record_answer(who, Action::ManagePeople, None, e, Vec::new()).await?),
            Ok(allowed) => allowed,
        };
        let id = allowed.body.id();
        let draft = self.draft(&Act::about_ledger(who, Body::People(allowed.body)), |p| {
            p.set_names(&[(id, change.name().to_owned())]);
            p.set_signed_texts(&allowed.signed);
        })?;
        let placed = self.append(vec![draft]).await?;
        // Durable: from here on it counts. A crash before this line changes nothing, for the next start reads the entry.
        *self.people.write().map_err(|_| died())? = allowed.people;
        Ok(placed.first().ok_or_else(died)?.index)
    }
}

impl Ledger {
    /// Changes who there is; the index of the entry.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED`, `E_ROLE_CONFLICT`, `E_SECOND_PERSON`, `E_ACTOR_UNKNOWN`, `E_CASE_INVALID`, each on record; `E_USAGE` for names
    /// and keys that cannot be or are somebody's; `E_NOT_PERMITTED` in a ledger without people, which is not; those of an append.
    pub async fn change_people(&self, who: &Who, change: &PeopleChange, approvals: &Approvals) -> Result<u64> {
        self.core().change_people(who, change, approvals).await
    }

    /// Does the policy let somebody record? Asked before what is done in passing; records nothing.
    #[must_use]
    pub fn may_record(&self, who: &Who) -> bool {
        self.core().decide(who, Action::Record) == Decision::Granted
    }

    /// The text that others sign when they agree to a change. It counts for 14 days, and once. Nothing is recorded: it is an entry when it
    /// is used.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED` in a ledger without people, `E_USAGE`, `E_ACTOR_UNKNOWN`, `E_NO_RANDOM`.
    pub fn people_case(&self, change: &PeopleChange) -> Result<String> {
        let core = self.core();
        core.has_people()?;
        let about = change.about(&core.people_now()?).map_err(|e| told(&e))?;
        change.wanted(core.identity.ledger, about).case(&core.env, vec![change.words()])
    }

    /// Everybody there ever was, in the order of their ids, and the index of the entry that says who looked.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED`, on record where there are people; those of an append.
    pub async fn people(&self, who: &Who) -> Result<(Vec<PersonView>, u64)> {
        let core = self.core();
        core.has_people()?;
        core.permit(who, Action::ReadLog, None).await?;
        let (_, size) = core.settled_queries()?;
        let body = Body::LogRead { first: 0, last: size.saturating_sub(1) };
        let placed = core.append(vec![core.draft(&Act::about_ledger(who, body), |_| {})?]).await?;
        let people = core.people_now()?;
        let view = |(id, person): (ActorId, &crate::governance::Person)| {
            let now = person.roles(NOW);
            PersonView {
                id: id.0,
                name: person.name.clone(),
                kind: person.kind,
                on_behalf_of: person.principal.and_then(|id| people.get(id)).map(|p| p.name.clone()),
                key: person.key().map(PublicKey::thumbprint),
                roles: person.granted().into_iter().map(|role| (role, now.contains(&role))).collect(),
            }
        };
        Ok((people.all().map(view).collect(), placed.first().ok_or_else(died)?.index))
    }
}

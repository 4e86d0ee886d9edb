//! Who there is, with which key and which roles: what entries about people add up to. Names stand in private halves alone; everything here
//! goes by ids and keys, and asks of two whether they could be one.

use std::collections::{BTreeMap, BTreeSet};

use super::clock::Interval;
use super::holds::ActorId;
use super::look_alike::reads_as;
use super::person::{Person, Term};
use super::profile::Profile;
use super::roles::{Role, first_conflict};
use crate::codec::digest::Thumbprint;
use crate::log::ActorKind;
use crate::seal::PublicKey;
use crate::time::Timestamp;

/// Why nothing about people is changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeopleFault {
    /// Nobody of this id, or somebody who is disabled.
    #[error("there is nobody of this name who may act")]
    Unknown,
    /// A name, id or key that somebody has or had.
    #[error("{0} belongs to somebody already, or did")]
    Taken(&'static str),
    /// A name that nobody can be called by.
    #[error("a name is 1 to 128 characters, and none of them is a control character or a colon")]
    Name,
    /// What is no Ed25519 key.
    #[error("this is no Ed25519 key, or one of small order")]
    Key,
    /// Two roles that exclude each other.
    #[error("{one} and {other} exclude each other: {why}")]
    Conflict {
        /// One of them.
        one: Role,
        /// The other.
        other: Role,
        /// Why.
        why: &'static str,
    },
    /// Those who agree are too few, are the one it is about, or are not who may.
    #[error("this takes {needed} others, who may enrol people and could not be one and the same person")]
    Others {
        /// How many.
        needed: usize,
    },
    /// An agent without anybody it acts for, or somebody else with one.
    #[error("an agent acts on behalf of somebody who is enrolled, and nobody else does")]
    Principal,
}

/// Everybody, as the entries tell of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct People {
    profile: Profile,
    all: BTreeMap<ActorId, Person>,
    /// Requests to which somebody agreed by a signature: each counts once.
    used: BTreeSet<[u8; 16]>,
}

/// From the beginning of time on: a role that waits for nothing.
const AT_ONCE: Timestamp = Timestamp::from_ms(0);
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 128;

impl People {
    /// Nobody yet.
    #[must_use]
    pub const fn none(profile: Profile) -> Self {
        Self { profile, all: BTreeMap::new(), used: BTreeSet::new() }
    }

    /// Those whom entry 0 names, with what they are. Each role counts at once: somebody has to begin.
    ///
    /// # Errors
    /// [`PeopleFault`].
    pub fn found(&mut self, id: ActorId, name: &str, key: PublicKey, roles: &[Role]) -> Result<(), PeopleFault> {
        self.add(id, ActorKind::Human, name, key, None)?;
        if let Some((one, other, why)) = first_conflict(roles, self.profile.is_strict()) {
            self.all.remove(&id);
            return Err(PeopleFault::Conflict { one, other, why });
        }
        if let Some(person) = self.all.get_mut(&id) {
            person.roles = roles.iter().map(|role| (*role, Term::Now)).collect();
        }
        Ok(())
    }

    /// Enrols somebody, without any role.
    ///
    /// # Errors
    /// [`PeopleFault`].
    pub fn enrol(
        &mut self,
        id: ActorId,
        (kind, name): (ActorKind, &str),
        key: PublicKey,
        principal: Option<ActorId>,
        by: &[ActorId],
        now: Interval,
    ) -> Result<(), PeopleFault> {
        self.agree(1, None, by, now)?;
        self.add(id, kind, name, key, principal)
    }

    fn add(
        &mut self,
        id: ActorId,
        kind: ActorKind,
        name: &str,
        key: PublicKey,
        principal: Option<ActorId>,
    ) -> Result<(), PeopleFault> {
        let is_name = (1..=NAME_CHARS_MAX).contains(&name.chars().count())
            && name.trim() == name
            && !name.chars().any(|c| c.is_control() || c == ':');
        if !is_name {
            return Err(PeopleFault::Name);
        }
        if self.all.contains_key(&id) {
            return Err(PeopleFault::Taken("this id"));
        }
        // Who was disabled keeps name and key: what was signed then is not somebody else's now.
        if self.all.values().any(|other| other.name == name) {
            return Err(PeopleFault::Taken("this name"));
        }
        if self.all.values().any(|other| other.keys.contains(&key)) {
            return Err(PeopleFault::Taken("this key"));
        }
        let is_principal =
            |id: &ActorId| self.all.get(id).is_some_and(|p| p.kind == ActorKind::Human && !p.is_disabled);
        if (kind == ActorKind::Agent) != principal.as_ref().is_some_and(is_principal) || kind == ActorKind::System {
            return Err(PeopleFault::Principal);
        }
        let (keys, name, roles) = (vec![key], name.to_owned(), BTreeMap::new());
        self.all.insert(id, Person { kind, name, principal, keys, roles, is_disabled: false });
        Ok(())
    }

    /// Gives somebody a role. Those that decide about the end of tapes take two others, and where the profile is strict a wait.
    ///
    /// # Errors
    /// [`PeopleFault`].
    pub fn grant(&mut self, id: ActorId, role: Role, by: &[ActorId], now: Interval) -> Result<(), PeopleFault> {
        self.grant_from(id, role, by, now, self.counts_from(role, now))
    }

    /// From when on a role counts that is granted now; `None` where nobody vouches for the time.
    #[must_use]
    pub const fn counts_from(&self, role: Role, now: Interval) -> Option<Timestamp> {
        let wait_ms = if role.needs_two_others() { self.profile.enrolment_wait_ms() } else { 0 };
        match (wait_ms, now.hi) {
            (0, _) => Some(AT_ONCE),
            (_, Some(hi)) => Some(Timestamp::from_ms(hi.as_ms().saturating_add(wait_ms))),
            (_, None) => None,
        }
    }

    /// As [`People::grant`], as an entry has it that said from when on.
    ///
    /// # Errors
    /// [`PeopleFault`].
    pub fn grant_from(
        &mut self,
        id: ActorId,
        role: Role,
        by: &[ActorId],
        now: Interval,
        from: Option<Timestamp>,
    ) -> Result<(), PeopleFault> {
        self.active(id)?;
        self.agree(self.others_for(role), Some(id), by, now)?;
        let term = match from {
            Some(AT_ONCE) => Term::Now,
            Some(from) => Term::From(from),
            None => Term::Unknown,
        };
        let is_strict = self.profile.is_strict();
        let person = self.active_mut(id)?;
        let mut roles = person.granted();
        roles.push(role);
        if let Some((one, other, why)) = first_conflict(&roles, is_strict) {
            return Err(PeopleFault::Conflict { one, other, why });
        }
        // Granting again never makes an earlier wait longer, and gives one that could not begin its beginning.
        let known = person.roles.get(&role).filter(|known| !matches!(known, Term::Unknown)).copied();
        person.roles.insert(role, known.unwrap_or(term));
        Ok(())
    }

    /// Are there two who may enrol others, and could not be one person?
    #[must_use]
    pub fn can_enrol(&self) -> bool {
        let all: Vec<ActorId> = self.all.keys().copied().collect();
        self.agree(2, None, &all, Interval { lo: AT_ONCE, hi: None }).is_ok()
    }

    /// How many others have to agree that somebody gets this role.
    #[must_use]
    pub const fn others_for(&self, role: Role) -> usize {
        if role.needs_two_others() && self.profile.has_people() { 2 } else { 1 }
    }

    /// Notes that signatures under a request were used. False where they were before.
    pub fn use_request(&mut self, request: [u8; 16]) -> bool {
        self.used.insert(request)
    }

    /// Were signatures under a request used before?
    #[must_use]
    pub fn has_used(&self, request: [u8; 16]) -> bool {
        self.used.contains(&request)
    }

    /// Takes a role away, at once: one other is enough, for a mistake the other way is worse.
    ///
    /// # Errors
    /// [`PeopleFault`].
    pub fn revoke(&mut self, id: ActorId, role: Role, by: &[ActorId], now: Interval) -> Result<(), PeopleFault> {
        self.agree(1, None, by, now)?;
        let person = self.active_mut(id)?;
        person.roles.remove(&role).map(drop).ok_or(PeopleFault::Unknown)
    }

    /// Nobody acts as this one any more. Name and key stay its own.
    ///
    /// # Errors
    /// [`PeopleFault`].
    pub fn disable(&mut self, id: ActorId, by: &[ActorId], now: Interval) -> Result<(), PeopleFault> {
        self.agree(1, None, by, now)?;
        self.active_mut(id)?.is_disabled = true;
        Ok(())
    }

    /// Another key signs for somebody: on its own word under the old key, or, where that is lost, on that of two others.
    ///
    /// # Errors
    /// [`PeopleFault`].
    pub fn rotate(&mut self, id: ActorId, key: PublicKey, by: &[ActorId], now: Interval) -> Result<(), PeopleFault> {
        if by != [id] {
            self.agree(2, Some(id), by, now)?;
        }
        if self.all.values().any(|other| other.keys.contains(&key)) {
            return Err(PeopleFault::Taken("this key"));
        }
        self.active_mut(id)?.keys.push(key);
        Ok(())
    }

    /// Somebody by id.
    #[must_use]
    pub fn get(&self, id: ActorId) -> Option<&Person> {
        self.all.get(&id)
    }

    /// Somebody by name, disabled or not.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<(ActorId, &Person)> {
        self.all().find(|(_, person)| person.name == name)
    }

    /// Who signs with this key now, whatever the name.
    #[must_use]
    pub fn holds(&self, key: Thumbprint) -> Option<(ActorId, &Person)> {
        self.all().find(|(_, person)| person.key().is_some_and(|own| own.thumbprint() == key))
    }

    /// Everybody there ever was.
    pub fn all(&self) -> impl Iterator<Item = (ActorId, &Person)> {
        self.all.iter().map(|(id, person)| (*id, person))
    }

    /// Who signs with this key now. A name that comes with it must be that one's.
    #[must_use]
    pub fn signs(&self, name: &str, key: Thumbprint) -> Option<(ActorId, &Person)> {
        self.holds(key).filter(|(_, person)| person.name == name)
    }

    /// Could these be one person: by id, by a key that both ever had, on whose behalf they act, or by a name that reads the same?
    /// Then they count as one, wherever several are needed.
    #[must_use]
    pub fn may_be_one(&self, one: ActorId, other: ActorId) -> bool {
        let (Some(a), Some(b)) = (self.all.get(&one), self.all.get(&other)) else { return one == other };
        let acts_for = |id: ActorId, person: &Person| person.principal.unwrap_or(id);
        acts_for(one, a) == acts_for(other, b)
            || a.keys.iter().any(|key| b.keys.contains(key))
            || reads_as(&a.name) == reads_as(&b.name)
    }

    fn active(&self, id: ActorId) -> Result<&Person, PeopleFault> {
        self.all.get(&id).filter(|person| !person.is_disabled).ok_or(PeopleFault::Unknown)
    }

    fn active_mut(&mut self, id: ActorId) -> Result<&mut Person, PeopleFault> {
        self.all.get_mut(&id).filter(|person| !person.is_disabled).ok_or(PeopleFault::Unknown)
    }

    /// Do so many agree who may enrol people, each a person of its own and none of them `about`?
    fn agree(&self, needed: usize, about: Option<ActorId>, by: &[ActorId], now: Interval) -> Result<(), PeopleFault> {
        let may = |id: &&ActorId| {
            self.all.get(id).is_some_and(|person| {
                person.kind == ActorKind::Human && person.roles(now).iter().any(|role| ENROLS.contains(role))
            })
        };
        let mut counted: Vec<ActorId> = Vec::new();
        for id in by.iter().collect::<BTreeSet<_>>().into_iter().filter(may) {
            let is_other = about.is_none_or(|about| !self.may_be_one(*id, about));
            if is_other && counted.iter().all(|known| !self.may_be_one(*known, *id)) {
                counted.push(*id);
            }
        }
        if counted.len() >= needed { Ok(()) } else { Err(PeopleFault::Others { needed }) }
    }
}

/// Who may enrol others: who runs the machine, and who carries responsibility in the firm. Never an auditor: who checks changes nothing.
pub(super) const ENROLS: [Role; 5] =
    [Role::Administrator, Role::RecordsManager, Role::HoldOfficer, Role::Approver, Role::KeyCustodian];

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const ANN: ActorId = ActorId([1; 16]);
    const BEN: ActorId = ActorId([2; 16]);
    const EVE: ActorId = ActorId([3; 16]);
    const NEW: ActorId = ActorId([9; 16]);

    fn key(seed: u8) -> PublicKey {
        PublicKey::from_bytes(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key().as_bytes()).unwrap()
    }

    fn at(lo: u64) -> Interval {
        Interval { lo: Timestamp::from_ms(lo), hi: Some(Timestamp::from_ms(lo + 1_000)) }
    }

    /// Three founders who may enrol others, and one who may not.
    fn firm(profile: Profile) -> People {
        let mut people = People::none(profile);
        people.found(ANN, "ann", key(1), &[Role::RecordsManager, Role::Reader]).unwrap();
        people.found(BEN, "ben", key(2), &[Role::Administrator]).unwrap();
        people.found(EVE, "eve", key(3), &[Role::HoldOfficer]).unwrap();
        people.found(ActorId([4; 16]), "aud", key(4), &[Role::Auditor, Role::Reader]).unwrap();
        people
    }

    fn enrolled(people: &mut People) {
        people.enrol(NEW, (ActorKind::Human, "new"), key(9), None, &[BEN], at(0)).unwrap();
    }

    #[test]
    fn founders_begin_at_once_and_within_the_rules() {
        let people = firm(Profile::Regulated);
        assert_eq!(people.get(ANN).unwrap().roles(at(0)), [Role::Reader, Role::RecordsManager]);
        let mut people = People::none(Profile::Regulated);
        let both = [Role::RecordsManager, Role::HoldOfficer];
        let refused = people.found(ANN, "ann", key(1), &both).unwrap_err();
        assert!(matches!(refused, PeopleFault::Conflict { one: Role::RecordsManager, other: Role::HoldOfficer, .. }));
        assert!(people.get(ANN).is_none(), "and nobody is left half enrolled");
        assert!(People::none(Profile::SmallFirm).found(ANN, "ann", key(1), &both).is_ok(), "two people share more");
    }

    /// Names, ids and keys are somebody's for ever, also after the end.
    #[test]
    fn what_belonged_to_somebody_belongs_to_nobody_else() {
        let mut people = firm(Profile::SmallFirm);
        people.disable(ANN, &[BEN], at(0)).unwrap();
        let mut enrol =
            |id, name: &str, seed| people.enrol(id, (ActorKind::Human, name), key(seed), None, &[BEN], at(0));
        assert_eq!(enrol(ANN, "x", 9), Err(PeopleFault::Taken("this id")));
        assert_eq!(enrol(NEW, "ann", 9), Err(PeopleFault::Taken("this name")));
        assert_eq!(enrol(NEW, "x", 1), Err(PeopleFault::Taken("this key")));
        for name in ["", " x", "x ", "a:b", "a\u{1b}b", "a\nb", &"x".repeat(129)] {
            assert_eq!(enrol(NEW, name, 9), Err(PeopleFault::Name), "{name:?}");
        }
        assert_eq!(enrol(NEW, "Ann", 9), Ok(()), "another name, and somebody else");
        assert!(people.may_be_one(NEW, ANN), "who could be the same counts as one");
        assert_eq!(people.rotate(EVE, key(9), &[EVE], at(0)), Err(PeopleFault::Taken("this key")));
    }

    #[test]
    fn agents_act_for_somebody() {
        let mut people = firm(Profile::SmallFirm);
        let mut enrol = |n: u8, kind, principal| {
            people.enrol(ActorId([n; 16]), (kind, &format!("p{n}")), key(n), principal, &[BEN], at(0))
        };
        assert_eq!(enrol(20, ActorKind::Agent, None), Err(PeopleFault::Principal));
        assert_eq!(enrol(20, ActorKind::Agent, Some(NEW)), Err(PeopleFault::Principal));
        assert_eq!(enrol(20, ActorKind::Human, Some(ANN)), Err(PeopleFault::Principal));
        assert_eq!(enrol(20, ActorKind::System, None), Err(PeopleFault::Principal));
        assert_eq!((enrol(20, ActorKind::Agent, Some(ANN)), enrol(21, ActorKind::Service, None)), (Ok(()), Ok(())));
        assert_eq!(enrol(22, ActorKind::Agent, Some(ActorId([20; 16]))), Err(PeopleFault::Principal), "of an agent");
        assert!(people.may_be_one(ANN, ActorId([20; 16])), "an agent is no second person");
        assert!(!people.may_be_one(BEN, ActorId([20; 16])));
    }

    #[test]
    fn roles_that_decide_take_two_others_and_a_wait() {
        let mut people = firm(Profile::Regulated);
        enrolled(&mut people);
        let needed = Err(PeopleFault::Others { needed: 2 });
        for by in [&[][..], &[BEN], &[BEN, BEN], &[BEN, NEW], &[BEN, ActorId([4; 16])], &[BEN, ActorId([7; 16])]] {
            assert_eq!(people.grant(NEW, Role::Approver, by, at(0)), needed, "{by:?}");
        }
        people.grant(NEW, Role::Approver, &[BEN, ANN], at(0)).unwrap();
        let wait = 3 * DAY_MS + 1_000;
        let roles = |people: &People, lo| people.get(NEW).unwrap().roles(at(lo));
        assert_eq!((roles(&people, wait - 1), roles(&people, wait)), (vec![], vec![Role::Approver]));
        assert_eq!(people.get(NEW).unwrap().granted(), [Role::Approver]);
        // Granted again later, it has waited all the same.
        people.grant(NEW, Role::Approver, &[EVE, ANN], at(2 * DAY_MS)).unwrap();
        assert_eq!(roles(&people, wait), [Role::Approver]);
        // Who waits is asked for what he already has, too.
        let refused = people.grant(NEW, Role::KeyCustodian, &[BEN, ANN], at(0)).unwrap_err();
        assert!(refused.to_string().contains("exclude each other"), "{refused}");
        people.revoke(NEW, Role::Approver, &[ANN], at(0)).unwrap();
        assert_eq!(people.revoke(NEW, Role::Approver, &[ANN], at(0)), Err(PeopleFault::Unknown));
        assert_eq!(roles(&people, u64::MAX - 2_000), []);
        // Nobody outside says what time it is: it does not begin to wait, until it is granted once more.
        let dark = Interval { lo: Timestamp::from_ms(0), hi: None };
        people.grant(NEW, Role::Approver, &[BEN, ANN], dark).unwrap();
        assert_eq!(roles(&people, u64::MAX - 2_000), []);
        people.grant(NEW, Role::Approver, &[BEN, ANN], at(0)).unwrap();
        assert_eq!(roles(&people, wait), [Role::Approver]);
        assert_eq!(people.grant(NEW, Role::Reader, &[NEW], at(wait)), Err(PeopleFault::Others { needed: 1 }), "itself");
        assert_eq!(people.grant(NEW, Role::Reader, &[BEN], at(0)), Ok(()));
        let mut small = firm(Profile::SmallFirm);
        enrolled(&mut small);
        small.grant(NEW, Role::Approver, &[BEN, ANN], at(0)).unwrap();
        assert_eq!(roles(&small, 0), [Role::Approver], "two people do not wait for each other");
    }

    #[test]
    fn who_is_disabled_is_nobody() {
        let mut people = firm(Profile::SmallFirm);
        let thumbprint = key(3).thumbprint();
        assert_eq!(people.signs("eve", thumbprint).map(|(id, _)| id), Some(EVE));
        assert!(people.signs("ben", thumbprint).is_none() && people.signs("eve", key(1).thumbprint()).is_none());
        people.rotate(EVE, key(30), &[EVE], at(0)).unwrap();
        assert!(people.signs("eve", thumbprint).is_none(), "the old key");
        assert_eq!(people.rotate(EVE, key(31), &[ANN], at(0)), Err(PeopleFault::Others { needed: 2 }), "it is lost");
        people.rotate(EVE, key(31), &[ANN, BEN], at(0)).unwrap();
        people.disable(EVE, &[BEN], at(0)).unwrap();
        assert!(people.signs("eve", key(31).thumbprint()).is_none());
        let eve = people.get(EVE).unwrap();
        assert!(eve.is_disabled() && eve.key().is_none() && eve.roles(at(0)).is_empty());
        assert_eq!(people.disable(EVE, &[BEN], at(0)), Err(PeopleFault::Unknown));
        assert_eq!(people.grant(EVE, Role::Reader, &[BEN], at(0)), Err(PeopleFault::Unknown));
        assert_eq!(people.grant(NEW, Role::Reader, &[BEN], at(0)), Err(PeopleFault::Unknown));
        assert_eq!(people.rotate(EVE, key(32), &[EVE], at(0)), Err(PeopleFault::Unknown));
        assert_eq!(
            people.disable(ANN, &[EVE], at(0)),
            Err(PeopleFault::Others { needed: 1 }),
            "by one who is disabled"
        );
        assert_eq!(people.all().count(), 4);
    }

    /// Names that the eye does not tell apart are one where several are needed, and two where somebody is meant.
    #[test]
    fn look_alikes_count_once() {
        let mut people = firm(Profile::SmallFirm);
        people.found(NEW, "веn", key(9), &[Role::Administrator]).unwrap();
        assert!(people.may_be_one(NEW, BEN) && !people.may_be_one(NEW, ANN));
        people.enrol(ActorId([10; 16]), (ActorKind::Human, "x"), key(10), None, &[BEN], at(0)).unwrap();
        let twice = people.grant(ActorId([10; 16]), Role::Approver, &[BEN, NEW], at(0));
        assert_eq!(twice, Err(PeopleFault::Others { needed: 2 }));
    }
}

//! Who has to agree that a log ends, and who is there when it goes on.

use super::{Ended, SuccessionRequest};
use crate::codec::cbor::encode;
use crate::error::{Code, Error, Result};
use crate::governance::{Action, ActorId, Meaning, People, Person, Profile, Role, roles_for};
use crate::ledger::{Environment, NewFounder, Who, people};
use crate::log::{ActorKind, SignedText, leaf_hash, root_of};
use crate::time::Timestamp;

/// Who agreed that the log goes on as another: one who has its keys in hand, and where the profile has people somebody else.
pub(super) struct Agreed {
    pub people: Option<People>,
    pub signed: Vec<SignedText>,
}

impl Ended {
    /// What a second person agrees to.
    fn wanted(&self, name: &str) -> people::Wanted {
        let item = encode(|w| {
            w.array(5);
            w.text("immutape/succession-case/1");
            w.text(&self.genesis.origin);
            w.uint(self.head.0.size);
            w.bytes(self.head.0.root.as_ref());
            w.text(name);
        });
        let list = root_of(&[leaf_hash(&item)]);
        people::Wanted { ledger: self.ledger, meaning: Meaning::SecondPerson, list }
    }

    pub(super) fn case(&self, name: &str, env: &Environment) -> Result<String> {
        let last = self.last_lost.map_or_else(|| "an unknown end".to_owned(), |last| format!("#{last}"));
        let (origin, size, first) = (&self.genesis.origin, self.head.0.size, self.first_lost);
        let words = vec![
            format!("{origin} ended by loss at {size} entries: #{first} to {last} are lost"),
            format!("it goes on as a log called {name}"),
        ];
        self.wanted(name).case(env, words)
    }

    /// Asks the people of the old log, as far as it is left. Where one person is the whole profile, that one is enough.
    pub(super) fn agreed(&self, who: &Who, request: &SuccessionRequest, now: Timestamp) -> Result<Agreed> {
        let Some(people) = &self.people else {
            one_person_may_end(&self.genesis.profile)?;
            return Ok(Agreed { people: None, signed: Vec::new() });
        };
        let key = who.person.as_ref().map(|(_, signer)| signer.public_key().thumbprint());
        let has = |person: &Person, roles: &[Role]| person.roles(people::NOW).iter().any(|role| roles.contains(role));
        let found = key.and_then(|key| people.holds(key)).filter(|(_, person)| has(person, roles_for(Action::Succeed)));
        let Some((first, _)) = found else {
            let words = "a successor is opened by a key custodian of the old log";
            return Err(Error::new(Code::NotPermitted, words).with_hint("act with --as NAME --key FILE"));
        };
        let others = request.approvals.check(&self.wanted(&request.name), people, now)?;
        let may = |id: ActorId| people.get(id).is_some_and(|person| has(person, roles_for(Action::ManagePeople)));
        if !others.iter().any(|(id, _)| may(*id) && !people.may_be_one(*id, first)) {
            let words =
                "the end of a log takes a second person, who may enrol people and could not be the same as the first";
            return Err(Error::new(Code::SecondPerson, words)
                .with_hint("write the case with --to FILE, have it signed, and come back with --case and --agree"));
        }
        let signed = others.into_iter().map(|(_, text)| text).collect();
        Ok(Agreed { people: Some(people.clone()), signed })
    }
}

/// Every profile but this one asks for a second person. Where the log names nobody, it is refused, not waived.
fn one_person_may_end(profile: &str) -> Result<()> {
    if Profile::from_name(profile) == Some(Profile::Personal) {
        return Ok(());
    }
    let words = format!("under the profile {profile} a successor needs a second person, whom this log does not name");
    Err(Error::new(Code::NotPermitted, words))
}

/// Those who act in the old log are there from the beginning of the new one, as what they are now, and under the ids that they have.
pub(super) fn founders(people: &People) -> Vec<NewFounder> {
    let one = |(id, person): (ActorId, &Person)| {
        let roles = person.roles(people::NOW);
        let key = *person.key()?;
        (person.kind == ActorKind::Human && !roles.is_empty()).then(|| NewFounder {
            name: person.name.clone(),
            key,
            roles,
            id: Some(id.0),
        })
    };
    people.all().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_asks_for_two_people_is_not_ended_by_one() {
        assert!(one_person_may_end("personal").is_ok());
        for profile in ["small-firm", "regulated", "Personal", ""] {
            let refused = one_person_may_end(profile).unwrap_err();
            assert_eq!(refused.code(), Code::NotPermitted, "{profile}");
        }
    }
}

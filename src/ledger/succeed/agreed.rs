//! Who has to agree that a log ends, and who is there when it goes on.

use super::{Ended, SuccessionRequest};
use crate::codec::cbor::encode;
use crate::codec::digest::RootHash;
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::governance::{Action, ActorId, Case, Meaning, People, Person, Role, roles_for};
use crate::ledger::{Environment, NewFounder, Who, people};
use crate::log::{ActorKind, SignedText, leaf_hash, root_of};
use crate::time::Timestamp;

/// How long a signature under a case counts: 14 days.
const CASE_MS: u64 = 14 * 86_400_000;

/// Who agreed that the log goes on as another: one who has its keys in hand, and where the profile has people somebody else.
pub(super) struct Agreed {
    pub people: Option<People>,
    pub signed: Vec<SignedText>,
}

impl Ended {
    /// What a second person agrees to.
    fn digest(&self, name: &str) -> RootHash {
        let item = encode(|w| {
            w.array(5);
            w.text("immutape/succession-case/1");
            w.text(&self.genesis.origin);
            w.uint(self.head.0.size);
            w.bytes(self.head.0.root.as_ref());
            w.text(name);
        });
        root_of(&[leaf_hash(&item)])
    }

    pub(super) fn case(&self, name: &str, env: &Environment) -> Result<String> {
        let now = env.clock.read().wall;
        let last = self.last_lost.map_or_else(|| "an unknown end".to_owned(), |last| format!("#{last}"));
        let case = Case {
            ledger: self.ledger,
            request: bytes(&*env.random)?,
            meaning: Meaning::SecondPerson,
            list: self.digest(name),
            count: 1,
            expires: Timestamp::from_ms(now.as_ms().saturating_add(CASE_MS)),
            words: vec![
                format!(
                    "{} ended by loss at {} entries: #{} to {last} are lost",
                    self.genesis.origin, self.head.0.size, self.first_lost
                ),
                format!("it goes on as a log called {name}"),
            ],
        };
        case.to_text().map_err(|e| Error::new(Code::Usage, e.to_string()).with_source(e))
    }

    /// Asks the people of the old log, as far as it is left. Where one person is the whole profile, that one is enough.
    pub(super) fn agreed(&self, who: &Who, request: &SuccessionRequest, now: Timestamp) -> Result<Agreed> {
        let Some(people) = &self.people else {
            return match self.genesis.profile.as_str() {
                "personal" => Ok(Agreed { people: None, signed: Vec::new() }),
                other => Err(Error::new(
                    Code::NotPermitted,
                    format!("who may end a log of the profile {other} is not known to this program"),
                )),
            };
        };
        let key = who.person.as_ref().map(|(_, signer)| signer.public_key().thumbprint());
        let has = |person: &Person, roles: &[Role]| person.roles(people::NOW).iter().any(|role| roles.contains(role));
        let found = key.and_then(|key| people.holds(key)).filter(|(_, person)| has(person, roles_for(Action::Succeed)));
        let Some((first, _)) = found else {
            let words = "a successor is opened by a key custodian of the old log";
            return Err(Error::new(Code::NotPermitted, words).with_hint("act with --as NAME --key FILE"));
        };
        let wanted =
            people::Wanted { ledger: self.ledger, meaning: Meaning::SecondPerson, list: self.digest(&request.name) };
        let others = request.approvals.check(&wanted, people, now)?;
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

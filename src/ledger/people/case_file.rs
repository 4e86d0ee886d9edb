//! What others agreed to, somewhere else: a case and SSH signatures of it, as files that come back in. A signature counts for one thing:
//! this ledger, this change, once, and not after the day that stands in it.

use super::super::Environment;
use crate::codec::digest::{LedgerId, RootHash};
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::governance::{ActorId, CASE_NAMESPACE, Case, Meaning, People};
use crate::log::{AGREED_MAX, SignedText};
use crate::seal::ssh_signer;
use crate::time::Timestamp;

/// Most signatures that are looked at: with whoever enters it, as many as an entry names.
const SIGNATURES_MAX: usize = AGREED_MAX.saturating_sub(1);

/// A case that was put before others, and their signatures of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Approvals {
    /// The text, as it was written for them; empty where nobody was asked.
    pub case: String,
    /// SSH signatures of it, armored, made for `approval@immutape`.
    pub signatures: Vec<String>,
}

/// What a case has to be about.
pub(in crate::ledger) struct Wanted {
    pub ledger: LedgerId,
    pub meaning: Meaning,
    pub list: RootHash,
}

/// How long a signature under a case counts: 14 days.
const CASE_MS: u64 = 14 * 86_400_000;

impl Wanted {
    /// The text that others sign.
    ///
    /// # Errors
    /// `E_USAGE` for words that cannot stand in it; `E_NO_RANDOM`.
    pub(in crate::ledger) fn case(&self, env: &Environment, words: Vec<String>) -> Result<String> {
        let now = env.clock.read().wall;
        let case = Case {
            ledger: self.ledger,
            request: bytes(&*env.random)?,
            meaning: self.meaning,
            list: self.list,
            count: 1,
            expires: Timestamp::from_ms(now.as_ms().saturating_add(CASE_MS)),
            words,
        };
        case.to_text().map_err(|e| Error::new(Code::Usage, e.to_string()).with_source(e))
    }
}

fn invalid(why: &str) -> Error {
    Error::new(Code::CaseInvalid, format!("what was signed does not count here: {why}"))
        .with_hint("write the case anew with --to FILE, and have it signed")
}

/// The request of a case that stands in an entry.
pub(super) fn request_of(text: &[u8]) -> Option<[u8; 16]> {
    Case::parse(std::str::from_utf8(text).ok()?).ok().map(|case| case.request)
}

impl Approvals {
    /// Who agreed, each with what was signed.
    ///
    /// # Errors
    /// `E_CASE_INVALID`; `E_ACTOR_UNKNOWN` for a signature of somebody who may not act here.
    pub(in crate::ledger) fn check(
        &self,
        wanted: &Wanted,
        people: &People,
        now: Timestamp,
    ) -> Result<Vec<(ActorId, SignedText)>> {
        if self.signatures.is_empty() {
            return Ok(Vec::new());
        }
        if self.signatures.len() > SIGNATURES_MAX {
            return Err(invalid("more signatures than may be given"));
        }
        let case = Case::parse(&self.case).map_err(|e| invalid(&e.to_string()))?;
        if case.ledger != wanted.ledger {
            return Err(invalid("it is a case of another ledger"));
        }
        if case.meaning != wanted.meaning || case.list != wanted.list || case.count != 1 {
            return Err(invalid("it is about something else"));
        }
        // A clock that is pushed back brings nothing in that people did not sign; one that is pushed on only asks them again.
        if now > case.expires {
            return Err(invalid("it has expired"));
        }
        if people.has_used(case.request) {
            return Err(invalid("it was used before"));
        }
        self.signatures.iter().map(|signature| self.one(signature, people)).collect()
    }

    fn one(&self, signature: &str, people: &People) -> Result<(ActorId, SignedText)> {
        let key = ssh_signer(self.case.as_bytes(), CASE_NAMESPACE, signature)
            .map_err(|e| invalid(&format!("a signature does not hold: {e}")))?;
        let thumbprint = key.thumbprint();
        let (id, _) = people.holds(thumbprint).ok_or_else(|| {
            Error::new(Code::ActorUnknown, "a signature is by a key that nobody who may act here signs with")
                .with_hint("`immutape actor list` shows who signs with which key")
        })?;
        let (text, signature) = (self.case.clone().into_bytes(), signature.as_bytes().to_vec());
        Ok((id, SignedText { text, signature, thumbprint }))
    }
}

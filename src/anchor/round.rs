//! A round of a log with its witnesses (C2SP tlog-witness): what do they hold, does ours extend it, and their cosignatures.

use std::sync::Arc;

use super::transport::{Reply, Transport};
use super::witness::monitor_path;
use crate::codec::escape::visible_short;
use crate::error::{Code, Error, Result};
use crate::ledger::{Ledger, ReleasedHead};
use crate::log::{Checkpoint, HeadKeys as _, KeyHistory, LogError, SignedNote};
use crate::proof::{CosignerKey, Policy, Trusted, WitnessRequest, read_cosignatures, read_size};

/// What became of one witness in a round.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WitnessState {
    /// It cosigned the head, at this time in seconds since 1970.
    Cosigned(u64),
    /// It cosigned, though it should have held a head already: it has lost what it knew.
    Forgot(u64),
    /// It says that it holds more entries than this log has, and shows no head that this log signed. A claim, no proof.
    ClaimsMore(u64),
    /// It refused, with a status and its words.
    Refused(u16, String),
    /// It could not be reached, or gave no usable answer.
    Unreachable(String),
    /// The policy tells no address of it.
    NoAddress,
}

/// One witness, by its name in the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAnswer {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub state: WitnessState,
}

/// What a round came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Round {
    /// The head that was shown to the witnesses.
    pub head: Checkpoint,
    /// The note with all cosignatures that hold.
    pub note: String,
    /// Each witness of the policy.
    pub answers: Vec<WitnessAnswer>,
    /// Are they the quorum of the policy?
    pub is_quorum: bool,
    /// Index of the entry that tells of it; `None` when nobody cosigned.
    pub recorded_as: Option<u64>,
}

/// What a witness holds, as far as it shows it.
#[derive(Debug, Clone)]
enum Held {
    /// A head that this log signed.
    Head(Checkpoint, String),
    /// A head that a key signed which this log had replaced by then.
    Former(Checkpoint),
    Nothing,
    Unknown(WitnessState),
}

#[derive(Clone)]
struct Asked {
    name: String,
    key: CosignerKey,
    url: Option<String>,
}

impl Asked {
    fn of(witness: &Trusted<CosignerKey>) -> Self {
        let url = witness.url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        Self { name: witness.name.clone(), key: witness.key.clone(), url }
    }
}

/// Asks every witness of the policy what it holds of this log, and compares. Nothing is signed for it.
///
/// # Errors
/// `E_LOG_ROLLBACK`, `E_LOG_FORK` as [`Ledger::confirm`]; `E_NOT_CONFIRMED` after a start, until those who answered are a quorum
/// and those who did not are none; `E_NOT_FOUND` without a policy.
pub async fn confirm(ledger: &Ledger, transport: &Arc<dyn Transport>) -> Result<()> {
    held_by_all(ledger, transport).await.map(|_| ())
}

/// Confirms the log, signs a head, and has it cosigned. A crash on the way leaves a signed head that some witness may hold
/// and we do not know of: the next round finds it there.
///
/// # Errors
/// As [`confirm`] and [`Ledger::release_head`]. That too few cosigned is no error.
pub async fn round(ledger: &Ledger, transport: &Arc<dyn Transport>) -> Result<Round> {
    let held = held_by_all(ledger, transport).await?;
    let head = ledger.release_head_for_witnesses().await?;
    let anchor = ledger.newest_anchor()?;
    let mut waiting = Vec::with_capacity(held.len());
    for (witness, held) in held {
        let knew = anchor.as_ref().is_some_and(|anchor| has_cosigned(&witness.key, &anchor.note));
        let asked = cosignature(ledger, transport, &head, witness.clone(), held, knew);
        waiting.push((witness, asked.await));
    }
    let policy = policy_of(ledger)?;
    let mut note = head.note.clone();
    let mut answers = Vec::with_capacity(waiting.len());
    for (witness, (state, lines)) in waiting {
        note.push_str(&lines);
        answers.push(WitnessAnswer { name: witness.name, state });
    }
    let checked = policy.check(&note, ledger.keys())?;
    let recorded_as = if checked.cosigned().is_empty() { None } else { Some(ledger.keep_anchor(&note).await?) };
    Ok(Round { head: head.checkpoint, note, answers, is_quorum: checked.is_quorum(), recorded_as })
}

fn policy_of(ledger: &Ledger) -> Result<&Policy> {
    ledger.witness_policy().ok_or_else(|| {
        Error::new(Code::NotFound, "this ledger has no witness policy")
            .with_hint("write one in the form of c2sp.org/tlog-policy and give it to `immutape witness set FILE`")
    })
}

fn has_cosigned(key: &CosignerKey, note: &str) -> bool {
    SignedNote::parse(note).is_ok_and(|note| matches!(key.time_on(&note), Ok(Some(_))))
}

async fn held_by_all(ledger: &Ledger, transport: &Arc<dyn Transport>) -> Result<Vec<(Asked, Held)>> {
    let witnesses: Vec<_> = policy_of(ledger)?.witnesses().iter().map(Asked::of).collect();
    let mut asked = Vec::with_capacity(witnesses.len());
    // All at once: one that is slow must not keep the others waiting.
    for witness in &witnesses {
        let (transport, witness, key) = (transport.clone(), witness.clone(), ledger.keys().clone());
        asked.push(blocking(move || Ok(held_by(&*transport, &witness, &key))));
    }
    let mut found = Vec::with_capacity(witnesses.len());
    for (witness, asked) in witnesses.into_iter().zip(asked) {
        found.push((witness, asked.await?));
    }
    for (_, held) in &mut found {
        match held {
            Held::Head(_, note) => drop(ledger.compare_held(note.clone()).await?),
            // Whoever has the old key could have signed another: it agrees with this log, or says nothing.
            Held::Former(head) if !ledger.has_head(head.clone()).await? => {
                let words = "with a head by a key that was replaced, of another history";
                *held = Held::Unknown(WitnessState::Refused(200, words.into()));
            }
            _ => {}
        }
    }
    // A witness that shows nothing has answered, also one whose cosignature is kept here: it is told in the round that it
    // forgot. Of two of two, one that lost its folder could otherwise never be asked to cosign again. What it knew is then
    // known by the others alone.
    let has_answered = |name: &str| found.iter().any(|(w, held)| w.name == name && !matches!(held, Held::Unknown(_)));
    if is_enough(policy_of(ledger)?, has_answered) {
        ledger.confirm(None).await?;
    } else if !ledger.is_confirmed() {
        return Err(too_few(&found));
    }
    Ok(found)
}

/// May a log sign after a start, once these witnesses have answered and the others are silent?
///
/// Those who are silent may hold a head that the others know nothing of. Where they are a quorum by themselves, whoever goes by
/// the policy may have believed that head. Where those who answered are none, as of two of two of whom one is away, the silent one
/// may hold a head that a machine which was put back would contradict; and what is signed then could get no quorum anyway.
fn is_enough(policy: &Policy, has_answered: impl Fn(&str) -> bool) -> bool {
    policy.is_met_by(&has_answered) && !policy.is_met_by(|name| !has_answered(name))
}

fn too_few(found: &[(Asked, Held)]) -> Error {
    let why: Vec<_> = found
        .iter()
        .filter_map(|(witness, held)| match held {
            Held::Unknown(state) => Some(format!("{}: {}", visible_short(witness.name.as_bytes(), 40), words(state))),
            _ => None,
        })
        .collect();
    let who = if why.len() == found.len() { "no witness" } else { "too few witnesses" };
    Error::new(Code::NotConfirmed, format!("{who} could say what is held of this log ({})", why.join("; "))).with_hint(
        "entries are kept meanwhile; after a start no head is signed before those who answer are a quorum of the policy, and \
         those who are silent are none",
    )
}

/// One state in words, for people.
fn words(state: &WitnessState) -> String {
    match state {
        WitnessState::Cosigned(_) => "cosigned".into(),
        WitnessState::Forgot(_) => "cosigned, but has lost what it held".into(),
        WitnessState::ClaimsMore(size) => format!("claims to hold {size} entries and shows no head"),
        WitnessState::Refused(status, said) => format!("refused with {status} {said}"),
        WitnessState::Unreachable(said) => said.clone(),
        WitnessState::NoAddress => "has no address in the policy".into(),
    }
}

impl std::fmt::Display for WitnessState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&words(self))
    }
}

fn held_by(transport: &dyn Transport, witness: &Asked, log: &KeyHistory) -> Held {
    let Some(url) = &witness.url else { return Held::Unknown(WitnessState::NoAddress) };
    match transport.get(&format!("{url}{}", monitor_path(log.origin()))) {
        Ok(reply) if reply.status == 404 => Held::Nothing,
        Ok(reply) if reply.status == 200 => {
            match reply.as_text().map(|note| (Checkpoint::from_note(note, log), note)) {
                Some((Ok(head), note)) => Held::Head(head, note.to_owned()),
                Some((Err(LogError::Unsigned), note)) => by_former_key(note, log),
                // Whatever it is, this log did not sign it.
                _ => not_signed(),
            }
        }
        Ok(reply) => Held::Unknown(refused(&reply)),
        Err(e) => Held::Unknown(WitnessState::Unreachable(e.message().to_owned())),
    }
}

/// A witness that knew the old key alone kept its line alone of a head that both signed.
fn by_former_key(note: &str, log: &KeyHistory) -> Held {
    let former = log.head_keys().iter().rev().skip(1);
    match former.filter_map(|key| Checkpoint::from_note(note, key).ok()).next() {
        Some(head) => Held::Former(head),
        None => not_signed(),
    }
}

fn not_signed() -> Held {
    let words = "with a head that this log did not sign, or by a key that this copy does not know yet";
    Held::Unknown(WitnessState::Refused(200, words.into()))
}

fn refused(reply: &Reply) -> WitnessState {
    WitnessState::Refused(reply.status, visible_short(&reply.body, 120).to_string())
}

/// Shows the head to one witness; its state, and the signature lines that hold.
async fn cosignature(
    ledger: &Ledger,
    transport: &Arc<dyn Transport>,
    head: &ReleasedHead,
    witness: Asked,
    held: Held,
    knew: bool,
) -> (WitnessState, String) {
    let (mut old_size, forgot) = match held {
        Held::Unknown(state) => return (state, String::new()),
        Held::Nothing => (0, knew),
        Held::Head(checkpoint, _) | Held::Former(checkpoint) => (checkpoint.size, false),
    };
    // It may have taken another head of ours meanwhile, once; more often is no race.
    for _ in 0..2 {
        let reply = match ask(ledger, transport, head, &witness, old_size).await {
            Ok(reply) => reply,
            Err(e) => return (WitnessState::Unreachable(e.message().to_owned()), String::new()),
        };
        match (reply.status, reply.as_text()) {
            (200, Some(body)) => return judged(head, &witness, body, forgot),
            (409, Some(body)) => match read_size(body) {
                Ok(size) if size > head.checkpoint.size => return (WitnessState::ClaimsMore(size), String::new()),
                Ok(size) => old_size = size,
                Err(_) => return (refused(&reply), String::new()),
            },
            _ => return (refused(&reply), String::new()),
        }
    }
    (WitnessState::Refused(409, "again and again".into()), String::new())
}

async fn ask(
    ledger: &Ledger,
    transport: &Arc<dyn Transport>,
    head: &ReleasedHead,
    witness: &Asked,
    old_size: u64,
) -> Result<Reply> {
    let (ledger, transport, note, size) = (ledger.clone(), transport.clone(), head.note.clone(), head.checkpoint.size);
    let url = format!("{}/add-checkpoint", witness.url.as_deref().unwrap_or_default());
    blocking(move || {
        let path = if old_size == 0 { Vec::new() } else { ledger.consistency_path(old_size, size)? };
        let body = WitnessRequest { old_size, path, note }.to_text();
        transport.post(&url, "text/plain; charset=utf-8", body.as_bytes())
    })
    .await
}

/// Takes from an answer the lines of this witness, if they hold.
fn judged(head: &ReleasedHead, witness: &Asked, body: &str, forgot: bool) -> (WitnessState, String) {
    let unusable = |why: &str| (WitnessState::Unreachable(why.to_owned()), String::new());
    let Ok(lines) = read_cosignatures(body) else { return unusable("its answer is no list of signatures") };
    let lines: String = lines.iter().filter(|line| witness.key.is_of(line)).map(|line| line.to_line()).collect();
    let note = format!("{}{lines}", head.note);
    match SignedNote::parse(&note).and_then(|note| witness.key.time_on(&note)) {
        Ok(Some(time_s)) if forgot => (WitnessState::Forgot(time_s), lines),
        Ok(Some(time_s)) => (WitnessState::Cosigned(time_s), lines),
        Ok(None) => unusable("its answer holds no signature of its key"),
        Err(_) => unusable("its cosignature does not hold"),
    }
}

async fn blocking<T: Send + 'static>(f: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let died = |_| Error::new(Code::Internal, "a thread that asked a witness died");
    tokio::task::spawn_blocking(f).await.map_err(died)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::{LocalSigner, OsRandom};
    use crate::seal::Signer as _;

    /// A policy over this many witnesses named `a`, `b` and so on.
    fn policy(witnesses: u8, rest: &str) -> Policy {
        let line = |name: char| {
            let key = LocalSigner::generate(&OsRandom).unwrap().public_key();
            format!("witness {name} {}\n", CosignerKey::new("w.example", key).unwrap().to_text())
        };
        let lines: String = ('a'..).take(witnesses.into()).map(line).collect();
        Policy::parse(&format!("{lines}{rest}")).unwrap()
    }

    #[test]
    fn those_who_answered_are_a_quorum_and_those_who_did_not_are_none() {
        let nested = "group x 1 a b\ngroup y 1 c d\ngroup both 2 x y\nquorum both\n";
        for (witnesses, rest, enough, too_few) in [
            (1, "quorum a\n", "a", "-"),
            // Any one of two: the silent one would be a quorum.
            (2, "group g 1 a b\nquorum g\n", "ab", "- a b"),
            // Two of two: the silent one would be none, and neither is the other.
            (2, "group g 2 a b\nquorum g\n", "ab", "- a b"),
            (3, "group g 1 a b c\nquorum g\n", "abc", "- a ab bc"),
            (3, "group g 2 a b c\nquorum g\n", "ab ac bc abc", "- a b c"),
            (3, "group g 3 a b c\nquorum g\n", "abc", "- a ab ac bc"),
            (4, "group g 2 a b c d\nquorum g\n", "abc bcd abcd", "- a ab cd"),
            (4, nested, "abc bcd abcd", "- a ab ac bd cd"),
            // One whom the quorum does not name decides nothing.
            (2, "quorum a\n", "a ab", "- b"),
            // Nobody needs to answer, and so nobody's silence matters: such a log is confirmed from its start.
            (1, "quorum none\n", "", "- a"),
        ] {
            let policy = policy(witnesses, rest);
            let says = |answered: &str| is_enough(&policy, |name| answered.contains(name));
            for answered in enough.split_whitespace() {
                assert!(says(answered), "{rest}{answered}");
            }
            for answered in too_few.split_whitespace() {
                assert!(!says(answered), "{rest}{answered}");
            }
        }
    }
}

//! The state folder: head file, what others hold, a successor's statement.

use super::super::pinned::{first_note, small_file};
use super::journal::Journal;
use super::vault::{self, InHead};
use std::path::Path;
use tapeaudit_core::keys::{Role, Times};
use tapeaudit_core::log::Walk;
use tapeaudit_core::note::{Head, Note};
use tapeaudit_core::report::{Report, Word, shown};
use tapeaudit_core::sign::VerifierKey;
use tapeaudit_core::succession::Succession;
use tapeaudit_core::{Result, ensure, refuse, text};

/// What else is asked of the state folder.
#[derive(Default)]
pub struct State {
    /// Cosignatures of heads that others hold.
    pub held: Vec<Times>,
    /// The head file says `open`.
    pub is_open: bool,
}

/// Checks it.
pub fn check(state: Option<&Path>, journal: &Journal, report: &mut Report) -> State {
    let Some(state) = state else {
        report.find(
            Word::Gaps,
            "--state",
            "no state folder was given: the head file and what others hold were not looked at",
        );
        return State::default();
    };
    let walk = &journal.walk;
    let loss = successor(state, walk, report);
    let head = head_file(state, journal, loss.as_ref(), report);
    vault::check(state, head.as_ref().map(|(_, vault)| vault), walk, report);
    let mut held = Vec::new();
    for name in ["newest.note", "ahead.note"] {
        let path = state.join("anchors").join(name);
        if path.symlink_metadata().is_err() {
            continue;
        }
        let place = format!("anchors/{name}");
        let read = small_file(&path).and_then(|bytes| Head::read(&bytes));
        let Some(head) = report.take("heads of others", Word::Altered, &place, read) else { continue };
        let (Some(keys), witnesses) = (&walk.trust.keys, &walk.trust.witnesses) else { continue };
        // Such a head counts as if it were not there, whatever its root is (4.5).
        if keys.any_signer(&head, witnesses).is_ok_and(|(held, _)| !held.counts_for(head.size)) {
            report.find(Word::Gaps, place, "a head that a revoked key signed");
            continue;
        }
        let given = keys.given_head(&head, walk.levels.size(), witnesses);
        if let Some((_, times)) = report.take("heads of others", Word::Altered, &place, given) {
            compare(walk, &place, &head, loss.as_ref(), report);
            held.push(times);
        }
    }
    State { held, is_open: head.is_some_and(|(is_open, _)| is_open) }
}

/// A log that ended by loss is behind no head of more than that: the loss is told instead.
fn compare(walk: &Walk, place: &str, head: &Head, loss: Option<&(u64, String)>, report: &mut Report) {
    if let Some((size, _)) = loss
        && head.size > walk.levels.size()
        && head.size <= *size
    {
        return;
    }
    walk.compare(place, head, report);
}

/// Size of the head of which entries are lost, and the name of the log that goes on.
fn successor(state: &Path, walk: &Walk, report: &mut Report) -> Option<(u64, String)> {
    const PLACE: &str = "successor.note";
    let path = state.join(PLACE);
    path.symlink_metadata().ok()?;
    let read = small_file(&path).and_then(|bytes| Succession::read(&bytes));
    let found = report.take("succession", Word::Altered, PLACE, read)?;
    let keys = walk.trust.keys.as_ref()?;
    let own = keys.of(Role::Checkpoint).find(|held| keys.verifier(held) == found.old);
    let Some(held) = own else {
        report.find(Word::Altered, PLACE, "a statement about another log");
        return None;
    };
    if !found.old_signed || held.until.is_some() || held.revoked.is_some() {
        report.find(Word::Gaps, PLACE, "a statement of a successor that the key in force did not sign");
        return None;
    }
    let same = walk.levels.root_at(found.head.0).is_none_or(|root| root == found.head.1);
    if !report.want("succession", same, Word::Forked, PLACE, "a head of this size with another root") {
        return None;
    }
    report.find(Word::EndedByLoss, PLACE, "the log says that it lost entries");
    let name = shown(found.new.name.as_bytes());
    report.remark = Some(format!("at {}, continued as {name}", walk.levels.size()));
    Some((found.head.0, name))
}

fn head_file(
    state: &Path,
    journal: &Journal,
    loss: Option<&(u64, String)>,
    report: &mut Report,
) -> Option<(bool, InHead)> {
    const PLACE: &str = "head";
    let path = state.join(PLACE);
    if path.symlink_metadata().is_err() {
        report.find(Word::Missing, PLACE, "the head file is missing");
        return None;
    }
    let walk = &journal.walk;
    let keys = walk.trust.keys.as_ref()?;
    let read = small_file(&path).and_then(|bytes| {
        let first = first_note(bytes.clone());
        let head = Head::read(&first)?;
        let second = Note::read(bytes.get(first.len()..).unwrap_or_default())?;
        let (held, _) = keys.given_head(&head, walk.levels.size(), &walk.trust.witnesses)?;
        let key = keys.verifier(held);
        let state = second_note(&second, &head, &key)?;
        Ok((head, state))
    });
    let (head, Second { state, vault, term }) = report.take("head file", Word::Altered, PLACE, read)?;
    compare(walk, PLACE, &head, loss, report);
    let size = walk.levels.size();
    let stale = size > head.size && (state == "closed" || journal.closed && state == "open");
    let late = journal.terms.get(&head.size).is_none_or(|written| term >= *written);
    report.want("head file", late, Word::Altered, PLACE, "a head file of an earlier term than its last entry");
    report.want("head file", !stale, Word::Altered, PLACE, "a head file behind a log that was closed in order");
    Some((state == "open", vault))
}

/// What the second note of a head file says.
struct Second {
    state: String,
    vault: InHead,
    term: u64,
}

fn second_note(note: &Note, head: &Head, key: &VerifierKey) -> Result<Second> {
    note.verify(key)?;
    let mut lines = text::lines(&note.text)?;
    let mut line = |front: &str| lines.next().and_then(|line| line.strip_prefix(front)).map(String::from);
    let parts = (line("immutape/head/1"), line(""), line(""), line("vault "), line("state "), line("term "));
    let (Some(label), Some(origin), Some(size), Some(vault), Some(state), Some(term)) = parts else {
        return refuse("a head file of other lines");
    };
    ensure(label.is_empty() && origin == head.origin && lines.next().is_none(), "a head file of other lines")?;
    let wanted = format!("{} {}", head.size, text::base64(&head.root));
    ensure(size == wanted, "two heads that differ")?;
    let mut words = vault.split(' ');
    let (Some(generation), Some(revision), Some(digest), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return refuse("a line of the vault in another form");
    };
    let vault = ((text::decimal(generation)?, text::decimal(revision)?), text::unbase64_of(digest)?);
    ensure(matches!(state.as_str(), "open" | "closing" | "closed"), "a state that no log has")?;
    Ok(Second { state, vault, term: text::decimal(&term)? })
}

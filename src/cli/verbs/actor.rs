//! `actor`: who there is, and what they are; `sign`: agreeing to what somebody else asks for.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::args::{ActorVerb, Agree, FounderArg, Sign};
use crate::cli::export_files::{Given, Target};
use crate::cli::export_placed::place_one;
use crate::cli::input;
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::governance::{CASE_BYTES_MAX, CASE_NAMESPACE, Case, Role};
use crate::keyring::read_any_public;
use crate::ledger::{Approvals, NewFounder, PeopleChange, PersonView};
use crate::seal::ssh_signature;
use crate::store::files::{Files, with_suffix};

/// More than an armored signature of an Ed25519 key has.
const SIGNATURE_BYTES_MAX: u64 = 4 << 10;

pub(in crate::cli) fn actor(s: &mut Session<'_>, verb: &ActorVerb) -> Result<u8> {
    match verb {
        ActorVerb::List => list(s, None),
        ActorVerb::Show { name } => list(s, Some(name)),
        ActorVerb::Add { name, kind, public, on_behalf_of, agree } => {
            let (name, kind, on_behalf_of) = (name.clone(), kind.kind(), on_behalf_of.clone());
            let key = read_any_public(&*s.parts.env.files, public)?;
            change(s, &PeopleChange::Add { name, kind, key, on_behalf_of }, Some(agree))
        }
        ActorVerb::Grant { name, role, agree } => {
            change(s, &PeopleChange::Grant { name: name.clone(), role: *role }, Some(agree))
        }
        ActorVerb::Revoke { name, role } => change(s, &PeopleChange::Revoke { name: name.clone(), role: *role }, None),
        ActorVerb::Disable { name } => change(s, &PeopleChange::Disable { name: name.clone() }, None),
        ActorVerb::Rotate { name, public, agree } => {
            let key = read_any_public(&*s.parts.env.files, public)?;
            change(s, &PeopleChange::Rotate { name: name.clone(), key }, Some(agree))
        }
    }
}

/// Founders as they were typed, with their keys.
pub(super) fn founders(files: &dyn Files, typed: &[FounderArg]) -> Result<Vec<NewFounder>> {
    let one = |founder: &FounderArg| {
        let key = read_any_public(files, &founder.file)?;
        Ok(NewFounder { name: founder.name.clone(), key, roles: founder.roles.clone(), id: None })
    };
    typed.iter().map(one).collect()
}

fn text(files: &dyn Files, file: &Path, bytes_max: u64) -> Result<String> {
    String::from_utf8(input::small(files, file, bytes_max)?)
        .map_err(|_| Error::new(Code::CaseInvalid, format!("{} is no text", input::shown(file))))
}

/// Refuses a name that is taken, and one among the ledger's own files, before anything is asked of the ledger.
pub(super) fn free(s: &Session<'_>, to: &Path) -> Result<()> {
    Target::of(to.to_owned()).check(&s.parts, false, Given { flag: "--to", force: None })
}

/// What others signed, as the files that were given.
pub(super) fn approvals(files: &dyn Files, agree: &Agree) -> Result<Approvals> {
    let Some(case) = &agree.case else { return Ok(Approvals::default()) };
    let one = |file: &PathBuf| text(files, file, SIGNATURE_BYTES_MAX);
    let signatures = agree.agree.iter().map(one).collect::<Result<_>>()?;
    Ok(Approvals { case: text(files, case, CASE_BYTES_MAX as u64)?, signatures })
}

/// Writes the text that others sign, and says what they do with it.
pub(super) fn write_case(s: &mut Session<'_>, to: &Path, case: &str) -> Result<u8> {
    place_one(&s.parts, to, case.as_bytes(), false)?;
    let file = input::shown(to);
    if s.out.json {
        s.out.document(json!({ "type": "case", "file": file }));
        return Ok(0);
    }
    s.out.line(&format!("written to {file}: nothing is changed yet"));
    s.out.say(&format!(
        "Each who agrees signs it: immutape sign {file} --as NAME --key FILE, or ssh-keygen -Y sign -n {CASE_NAMESPACE} -f KEY {file}"
    ));
    Ok(0)
}

fn change(s: &mut Session<'_>, change: &PeopleChange, agree: Option<&Agree>) -> Result<u8> {
    if let Some(to) = agree.and_then(|agree| agree.to.as_deref()) {
        free(s, to)?;
        let case = s.with_ledger(async |ledger, _| ledger.people_case(change))?;
        return write_case(s, to, &case);
    }
    let files = s.parts.env.files.clone();
    let approvals = agree.map(|agree| approvals(&*files, agree)).transpose()?.unwrap_or_default();
    let entry = s.with_ledger(async |ledger, s| {
        let who = s.parts.who.clone();
        ledger.change_people(&who, change, &approvals).await
    })?;
    if s.out.json {
        s.out.document(json!({ "type": "people_changed", "entry": entry }));
    } else {
        s.out.line(&format!("done, as entry #{entry}"));
    }
    Ok(0)
}

fn list(s: &mut Session<'_>, only: Option<&str>) -> Result<u8> {
    let (people, entry) = s.with_ledger(async |ledger, s| {
        let who = s.parts.who.clone();
        ledger.people(&who).await
    })?;
    let shown: Vec<&PersonView> = people.iter().filter(|one| only.is_none_or(|name| one.name == name)).collect();
    if let (Some(name), []) = (only, shown.as_slice()) {
        let words = format!("nobody here is called \"{}\"", visible(name.as_bytes()));
        return Err(Error::new(Code::ActorUnknown, words).with_hint("`immutape actor list` shows who there is"));
    }
    if s.out.json {
        shown.iter().for_each(|person| s.out.document(document(person)));
        s.out.document(json!({ "type": "people", "people": shown.len(), "entry": entry }));
        return Ok(0);
    }
    const TABLE: Table<'_> =
        Table { kinds: &[Column::Text, Column::Text, Column::Text, Column::Text, Column::Long], spare: &[3, 1] };
    let mut rows = vec![["NAME", "KIND", "STATE", "KEY", "ROLES"].map(str::to_owned).to_vec()];
    rows.extend(shown.into_iter().map(|person| {
        let key = person.key.map_or_else(|| "-".to_owned(), |key| key.to_hex().chars().take(16).collect());
        let state = if person.key.is_some() { "acts" } else { "disabled" };
        vec![visible(person.name.as_bytes()), kind(person), state.to_owned(), key, roles(&person.roles)]
    }));
    s.out.table(&TABLE, &rows);
    Ok(0)
}

fn kind(person: &PersonView) -> String {
    let word = person.kind.word();
    person
        .on_behalf_of
        .as_ref()
        .map_or_else(|| word.to_owned(), |name| format!("{word} for {}", visible(name.as_bytes())))
}

fn roles(roles: &[(Role, bool)]) -> String {
    let one =
        |(role, counts): &(Role, bool)| if *counts { role.word().to_owned() } else { format!("{role} (not yet)") };
    if roles.is_empty() { "-".to_owned() } else { roles.iter().map(one).collect::<Vec<_>>().join(", ") }
}

fn document(person: &PersonView) -> serde_json::Value {
    let roles: Vec<_> =
        person.roles.iter().map(|(role, counts)| json!({ "role": role.word(), "counts": counts })).collect();
    json!({
        "type": "person", "id": hex::encode(person.id), "name": person.name, "kind": person.kind.word(),
        "on_behalf_of": person.on_behalf_of, "key": person.key.map(|key| key.to_hex()), "roles": roles,
    })
}

/// Signs a case, after showing what it says: what is signed is what is seen.
pub(in crate::cli) fn sign(s: &mut Session<'_>, args: &Sign) -> Result<u8> {
    let files = s.parts.env.files.clone();
    let case = text(&*files, &args.case, CASE_BYTES_MAX as u64)?;
    let read = Case::parse(&case).map_err(|e| {
        Error::new(Code::CaseInvalid, format!("{} is no case: {e}", input::shown(&args.case)))
            .with_hint("sign the file as `--to FILE` wrote it, and nothing else")
    })?;
    let Some((_, signer)) = s.parts.who.person.clone() else {
        return Err(Error::new(Code::Usage, "nobody signs").with_hint("give --as NAME --key FILE"));
    };
    let to = args.to.clone().unwrap_or_else(|| with_suffix(&args.case, ".sig"));
    free(s, &to)?;
    let signature = ssh_signature(case.as_bytes(), CASE_NAMESPACE, &*signer)?;
    place_one(&s.parts, &to, signature.as_bytes(), false)?;
    if s.out.json {
        s.out.document(json!({
            "type": "signed", "file": input::shown(&to), "meaning": read.meaning.words(), "expires": read.expires.to_text(),
        }));
        return Ok(0);
    }
    s.out.line(&format!("signed: {}", read.meaning.words()));
    read.words.iter().for_each(|line| s.out.line(&format!("  {}", visible(line.as_bytes()))));
    s.out.line(&format!("until {}, in {}", read.expires.to_text(), input::shown(&to)));
    Ok(0)
}

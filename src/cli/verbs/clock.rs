//! `clock`: when a head of this log was there, by somebody else's clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use crate::anchor::{Http, Transport, confirm, stamp};
use crate::cli::args::ClockVerb;
use crate::cli::confirmed::confirmed;
use crate::cli::export_files::{Given, Target};
use crate::cli::export_placed::place_one;
use crate::cli::input::{self, shown};
use crate::cli::rounds::rounds;
use crate::cli::session::Session;
use crate::cli::words;
use crate::codec::escape::visible_short;
use crate::error::{Code, Result};
use crate::ledger::{Checker, KeptTime, Ledger};

const ROOTS_BYTES_MAX: u64 = 1 << 20;
const ANSWER_BYTES_MAX: u64 = 32 << 10;

pub(in crate::cli) fn clock(s: &mut Session<'_>, verb: &ClockVerb) -> Result<u8> {
    match verb {
        ClockVerb::Set { roots, url, policy } => set(s, roots, url.as_deref(), policy.as_deref()),
        ClockVerb::Show => s.with_ledger(async |ledger, s| show(ledger, s)),
        ClockVerb::Run { allow_private, every } => {
            let transport: Arc<dyn Transport> = Arc::new(Http::new(*allow_private, None)?);
            rounds(s, *every, |s| once(s, &transport))
        }
        ClockVerb::Challenge { to, force, allow_private } => challenge(s, to, *force, *allow_private),
        ClockVerb::Import { answer } => {
            let answer = input::small(&*s.parts.env.files, answer, ANSWER_BYTES_MAX)?;
            s.with_ledger(async |ledger, s| {
                let kept = ledger.keep_timestamp(ledger.kept_challenge()?, &answer).await?;
                tell(s, &kept);
                Ok(0)
            })
        }
    }
}

/// One time-stamp. A log with witnesses signs nothing before one of them was asked, in the same opening.
pub(super) fn once(s: &mut Session<'_>, transport: &Arc<dyn Transport>) -> Result<u8> {
    s.with_ledger(async |ledger, s| {
        if !ledger.is_confirmed() {
            confirm(ledger, transport).await?;
        }
        let kept = stamp(ledger, transport).await?;
        tell(s, &kept);
        Ok(0)
    })
}

fn set(s: &mut Session<'_>, roots: &Path, url: Option<&str>, policy: Option<&str>) -> Result<u8> {
    let roots = input::small(&*s.parts.env.files, roots, ROOTS_BYTES_MAX)?;
    let checker = Checker::open(&s.parts.places, &s.parts.env)?;
    s.out.test = checker.genesis().test;
    let config = s.parts.places.config_of(&checker.id())?;
    let keys = [("url", url), ("policy", policy)];
    // A text of JSON is one of TOML.
    let lines = keys.iter().filter_map(|(key, value)| value.map(|value| format!("{key} = {}\n", json!(value))));
    let settings: String = lines.collect();
    let authority = Ledger::set_time_authority(&*s.parts.env.files, &config, &settings, &roots)?;
    if s.out.json {
        s.out.document(json!({ "type": "time_authority", "url": authority.url, "policy": authority.policy }));
        return Ok(0);
    }
    s.out.prose("authority taken");
    s.out.say(match authority.url {
        Some(_) => "  immutape clock run    has the head of the log time-stamped",
        None => "  immutape clock challenge --to FILE    writes what is carried to it",
    });
    Ok(0)
}

fn show(ledger: &Ledger, s: &mut Session<'_>) -> Result<u8> {
    let authority = ledger.time_authority()?;
    let awaited = match ledger.kept_challenge() {
        Ok(challenge) => Some(challenge.head().size),
        Err(e) if e.code() == Code::NotFound => None,
        Err(e) => return Err(e),
    };
    let (url, policy) = authority.as_ref().map(|a| (a.url.clone(), a.policy.clone())).unwrap_or_default();
    if s.out.json {
        s.out.document(json!({
            "type": "clock", "authority": authority.is_some(), "url": url, "policy": policy, "awaited": awaited,
        }));
        return Ok(0);
    }
    if authority.is_none() {
        s.out.prose("nobody tells this ledger the time: when its entries were made rests on this machine's clock");
        return Ok(0);
    }
    let text = |text: Option<String>, none: &str| text.map_or(none.to_owned(), |t| visible_short(t.as_bytes(), 200));
    s.out.field(&format!("authority  {}", text(url, "answers are brought as files")));
    s.out.field(&format!("policy     {}", text(policy, "any of the authority's")));
    s.out.field(&match awaited {
        Some(size) => format!("awaited    an answer over a head of {}", words::entries(size)),
        None => "awaited    nothing".to_owned(),
    });
    Ok(0)
}

fn challenge(s: &mut Session<'_>, to: &Path, force: bool, allow_private: bool) -> Result<u8> {
    let target = (!input::is_stdin(to)).then(|| Target::of(to.to_owned()));
    if let Some(target) = &target {
        target.check(&s.parts, false, Given { flag: "--to", force: Some(force) })?;
    }
    s.out.raw = target.is_none();
    s.with_ledger(async |ledger, s| {
        confirmed(ledger, allow_private).await?;
        let challenge = ledger.challenge_time().await?;
        // Before anybody has the request: its answer will be known again.
        ledger.keep_challenge(&challenge)?;
        let file = target.as_ref().map(|target| target.file.clone());
        match &file {
            None => s.out.bytes(challenge.to_der()),
            Some(path) => place_one(&s.parts, path, challenge.to_der(), force)?,
        }
        if s.out.json {
            let path = file.map(|path: PathBuf| crate::cli::json::text(path.as_os_str().as_encoded_bytes()));
            let head = challenge.head();
            s.out.document(json!({
                "type": "time_challenge", "size": head.size, "root": head.root.to_hex(), "path": path,
            }));
            return Ok(0);
        }
        if let Some(path) = &file {
            s.out.prose(&format!("wrote {}", shown(path)));
        }
        s.out.say(&format!(
            "It asks for the time of a head over {}. Bring the answer back with",
            words::entries(challenge.head().size)
        ));
        s.out.say("  immutape clock import FILE");
        Ok(0)
    })
}

fn tell(s: &mut Session<'_>, kept: &KeptTime) {
    let (head, time) = (&kept.head, kept.time());
    if s.out.json {
        s.out.document(json!({
            "type": "timestamp", "size": head.size, "root": head.root.to_hex(), "time": time.to_text(),
            "accuracy_ms": kept.token.accuracy_ms(), "policy": kept.token.policy(),
            "certificate": hex::encode(kept.token.certificate_sha256()), "entry": kept.recorded_as,
        }));
        return;
    }
    let accuracy = kept.token.accuracy_ms().map_or(String::new(), |ms| format!(", {ms} ms either way"));
    s.out.prose(&format!("{} were there at {}{accuracy}", words::entries(head.size), time.to_text()));
    s.out.say(&format!("The time-stamp was recorded as entry #{}.", kept.recorded_as));
}

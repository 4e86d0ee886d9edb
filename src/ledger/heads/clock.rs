//! Time from outside: an authority's word on when a head was there (RFC 3161, `docs/format/5-proof.md` 5.6).

use std::path::Path;

use toml::de::DeTable;

use super::anchors::{Anchor, compare_root, compare_size, io, keep_file, read_limited};
use crate::codec::digest::sha256;
use crate::error::{Code, Error, Result};
use crate::ledger::Ledger;
use crate::ledger::acts::Act;
use crate::ledger::core::{Core, died};
use crate::log::{AnchorBody, Body, Checkpoint};
use crate::proof::{CheckedToken, TimeAnchors, TimestampRequest, check_response};
use crate::store::files::{Files, code_of, write_atomic};
use crate::time::Timestamp;

/// Name of the file in a ledger's config folder that says whom it asks for time-stamps: TOML, `url` and `policy`.
pub const TIME_AUTHORITY_FILE: &str = "time-authority.toml";
/// Name of the file beside it with the roots that certify the authority: PEM.
pub const TIME_ROOTS_FILE: &str = "time-authority.pem";
const AUTHORITY_BYTES_MAX: u64 = 16 << 10;
const ROOTS_BYTES_MAX: u64 = 1 << 20;
/// The head that was taken elsewhere to be time-stamped; empty once the answer is in the log.
const ASKED: &str = "asked.txt";
const ASKED_BYTES_MAX: u64 = 64 << 10;
const ASKED_FIRST_LINE: &str = "immutape/asked/1";

/// Who tells the time, as this ledger is configured.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TimeAuthority {
    /// Where it is asked; `None` where answers are brought as files alone.
    pub url: Option<String>,
    /// Object identifier of the policy that is asked for.
    pub policy: Option<String>,
    /// The roots that certify it.
    pub roots: TimeAnchors,
}

impl TimeAuthority {
    /// What the two files say.
    ///
    /// # Errors
    /// `E_USAGE` for a key that is unknown or no text, a policy that is no object identifier, roots that are none.
    pub fn parse(settings: &str, roots_pem: &[u8]) -> Result<Self> {
        let wrong = |why: String| Error::new(Code::Usage, format!("{TIME_AUTHORITY_FILE}: {why}"));
        let table = DeTable::parse(settings).map_err(|e| wrong(e.message().to_owned()))?;
        let mut authority = Self { url: None, policy: None, roots: TimeAnchors::from_pem(roots_pem)? };
        for (key, value) in table.get_ref() {
            let text = value.get_ref().as_str().map(str::to_owned);
            match key.get_ref().as_ref() {
                "url" if text.is_some() => authority.url = text,
                "policy" if text.is_some() => authority.policy = text,
                known @ ("url" | "policy") => return Err(wrong(format!("{known} is no text"))),
                _ => return Err(wrong("a key other than url and policy".to_owned())),
            }
        }
        // Looked at when it is set, not when somebody waits for an answer.
        TimestampRequest::new([0; 32], [0; 8], authority.policy.as_deref())?;
        Ok(authority)
    }

    fn read(files: &dyn Files, config: &Path) -> Result<Option<Self>> {
        let Some(settings) = read_limited(files, &config.join(TIME_AUTHORITY_FILE), AUTHORITY_BYTES_MAX)? else {
            return Ok(None);
        };
        let settings = String::from_utf8(settings)
            .map_err(|_| Error::new(Code::Usage, format!("{TIME_AUTHORITY_FILE} is not text")))?;
        let roots = read_limited(files, &config.join(TIME_ROOTS_FILE), ROOTS_BYTES_MAX)?.ok_or_else(|| {
            Error::new(Code::Usage, format!("{TIME_ROOTS_FILE} is missing"))
                .with_hint("`immutape clock set` writes both")
        })?;
        Self::parse(&settings, &roots).map(Some)
    }
}

/// What time-stamps of this ledger are trusted from; without it they are kept and not certified.
pub(in crate::ledger) fn time_roots(files: &dyn Files, config: &Path) -> Option<TimeAnchors> {
    TimeAuthority::read(files, config).ok().flatten().map(|authority| authority.roots)
}

/// Is there an authority that can be asked over the network?
pub(in crate::ledger) fn asks_for_time(files: &dyn Files, config: &Path) -> Result<bool> {
    Ok(TimeAuthority::read(files, config)?.is_some_and(|authority| authority.url.is_some()))
}

/// A head that is to be time-stamped, and what is sent to the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeChallenge {
    head: Checkpoint,
    note: String,
    request: TimestampRequest,
}

impl TimeChallenge {
    /// Size and root of the head.
    #[must_use]
    pub const fn head(&self) -> &Checkpoint {
        &self.head
    }

    /// The bytes to send as `application/timestamp-query`.
    #[must_use]
    pub fn to_der(&self) -> &[u8] {
        self.request.to_der()
    }
}

/// A time-stamp that is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptTime {
    /// The head that was there at that time.
    pub head: Checkpoint,
    /// The token, checked.
    pub token: CheckedToken,
    /// Index of the entry that keeps it.
    pub recorded_as: u64,
}

impl KeptTime {
    /// What the authority said.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.token.time()
    }
}

fn no_authority() -> Error {
    Error::new(Code::NotFound, "this ledger has nobody who tells it the time")
        .with_hint("`immutape clock set --roots FILE` says whose time-stamps it takes")
}

impl Core {
    fn authority(&self) -> Result<TimeAuthority> {
        TimeAuthority::read(&*self.env.files, &self.folders.config)?.ok_or_else(no_authority)
    }

    /// The log still begins with the head that was taken away: an answer over a head of a history that was put back since is
    /// no time of this one.
    pub(super) fn check_ours(&self, head: &Checkpoint, note: &str) -> Result<()> {
        let anchor = Anchor { checkpoint: head.clone(), note: note.to_owned() };
        let (_, size) = self.settled_queries()?;
        compare_size(&anchor, size).and_then(|()| compare_root(&anchor, &*self.stores.rows))
    }
}

impl Ledger {
    /// Who tells this ledger the time, if anybody does.
    ///
    /// # Errors
    /// `E_USAGE` for a configuration that does not hold, `E_IO`.
    pub fn time_authority(&self) -> Result<Option<TimeAuthority>> {
        TimeAuthority::read(&*self.core().env.files, &self.core().folders.config)
    }

    /// Signs a head and makes the request for a time-stamp over it, with a nonce that was never used.
    ///
    /// # Errors
    /// `E_NOT_FOUND` without an authority; those of [`Ledger::release_head`].
    pub async fn challenge_time(&self) -> Result<TimeChallenge> {
        let authority = self.core().authority()?;
        let head = self.release_head().await?;
        let mut nonce = [0; 8];
        self.core().env.random.fill(&mut nonce)?;
        let request = TimestampRequest::new(sha256(head.note.as_bytes()), nonce, authority.policy.as_deref())?;
        Ok(TimeChallenge { head: head.checkpoint, note: head.note, request })
    }

    /// Keeps a challenge whose answer is brought back as a file; one that was kept before and not answered is forgotten.
    /// Durable on return: whoever carries the request away can rely on its answer being known again.
    ///
    /// # Errors
    /// `E_STORE_FULL`, `E_IO`.
    pub fn keep_challenge(&self, challenge: &TimeChallenge) -> Result<()> {
        let policy = challenge.request.policy_text().unwrap_or_else(|| "-".to_owned());
        let nonce = hex::encode(challenge.request.nonce_bytes());
        let text = format!("{ASKED_FIRST_LINE}\nnonce {nonce}\npolicy {policy}\n\n{}", challenge.note);
        keep_file(&*self.core().env.files, &self.core().folders.state, ASKED, &text).map(drop)
    }

    /// The challenge whose answer is awaited.
    ///
    /// # Errors
    /// `E_NOT_FOUND` when none is, `E_HEAD_INVALID` for a file that is damaged, `E_IO`.
    pub fn kept_challenge(&self) -> Result<TimeChallenge> {
        let (files, path) = (&*self.core().env.files, super::anchors::folder(&self.core().folders.state).join(ASKED));
        let text = read_limited(files, &path, ASKED_BYTES_MAX)?.filter(|text| !text.is_empty()).ok_or_else(|| {
            Error::new(Code::NotFound, "no time-stamp was asked for that could still be answered")
                .with_hint("`immutape clock challenge --to FILE` asks; an answer is taken once")
        })?;
        let damaged = |why: &str| {
            Error::new(Code::HeadInvalid, format!("the kept challenge does not hold: {why}"))
                .with_hint("`immutape clock challenge --to FILE` makes a new one")
        };
        let text = String::from_utf8(text).map_err(|_| damaged("not text"))?;
        let (front, note) = text.split_once("\n\n").ok_or_else(|| damaged("no head"))?;
        let mut lines = front.lines();
        let (first, nonce, policy) = (lines.next(), lines.next(), lines.next());
        if first != Some(ASKED_FIRST_LINE) || lines.next().is_some() {
            return Err(damaged("another form"));
        }
        let nonce = nonce.and_then(|line| line.strip_prefix("nonce ")).and_then(|text| hex::decode(text).ok());
        let nonce = nonce.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).ok_or_else(|| damaged("no nonce"))?;
        let policy = policy.and_then(|line| line.strip_prefix("policy ")).ok_or_else(|| damaged("no policy"))?;
        let head = Checkpoint::from_note(note, &self.core().identity.keys).map_err(|e| damaged(&e.to_string()))?;
        let policy = Some(policy).filter(|text| *text != "-");
        let request = TimestampRequest::new(sha256(note.as_bytes()), nonce, policy)?;
        Ok(TimeChallenge { head, note: note.to_owned(), request })
    }

    /// Checks what the authority answered, and keeps its time-stamp in the log.
    ///
    /// # Errors
    /// `E_PROOF_INVALID` for an answer that does not hold; `E_LOG_ROLLBACK`, `E_LOG_FORK` when the log is not the one any more
    /// that the head was signed for; `E_NOT_FOUND` without an authority, and those of an append.
    pub async fn keep_timestamp(&self, challenge: TimeChallenge, answer: &[u8]) -> Result<KeptTime> {
        let core = self.core();
        let token = check_response(answer, &challenge.request, &core.authority()?.roots)?;
        let TimeChallenge { head, note, request } = challenge;
        let checking = (core.clone(), head.clone(), note.clone());
        crate::ledger::facade::blocking(move || checking.0.check_ours(&checking.1, &checking.2)).await?;
        let body = AnchorBody::Timestamped {
            note: note.into_bytes(),
            token: token.der().to_vec(),
            time_ms: token.time().as_ms(),
        };
        let draft = core.draft(&Act::own(Body::Anchor(body)), |_| {})?;
        let recorded_as = core.append(vec![draft]).await?.first().ok_or_else(died)?.index;
        // A crash before this line leaves a challenge whose answer is in the log already: taken twice, it stands there twice.
        self.forget_challenge(&request)?;
        Ok(KeptTime { head, token, recorded_as })
    }

    fn forget_challenge(&self, answered: &TimestampRequest) -> Result<()> {
        if self.kept_challenge().is_ok_and(|kept| kept.request == *answered) {
            let path = super::anchors::folder(&self.core().folders.state).join(ASKED);
            write_atomic(&*self.core().env.files, &path, b"").map_err(|e| io("the challenge cannot be ended", e))?;
        }
        Ok(())
    }

    /// Says whose time-stamps this ledger takes. What does not hold is never put in the place of what does.
    ///
    /// # Errors
    /// `E_USAGE`, `E_STORE_FULL`, `E_IO`.
    pub fn set_time_authority(
        files: &dyn Files,
        config: &Path,
        settings: &str,
        roots_pem: &[u8],
    ) -> Result<TimeAuthority> {
        let authority = TimeAuthority::parse(settings, roots_pem)?;
        let fault = |e| Error::new(code_of(&e), "the authority cannot be stored").with_source(e);
        // A crash between the two leaves roots without settings, or the older settings over the newer roots.
        write_atomic(files, &config.join(TIME_ROOTS_FILE), roots_pem).map_err(fault)?;
        write_atomic(files, &config.join(TIME_AUTHORITY_FILE), settings.as_bytes()).map_err(fault)?;
        Ok(authority)
    }
}

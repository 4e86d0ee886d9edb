//! What the door finds out about where it runs. Folders, user and machine are found by [`Surroundings`], as for every
//! program; here stands what the command line alone knows: who was named with flags, and the program's own file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use super::args::Common;
use crate::codec::digest::{Digest, Hasher};
use crate::codec::limits::{LABEL_BYTES_MAX, WORDS_BYTES_MAX};
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::keyring::{OsRandom, read_signer};
use crate::ledger::{Environment, Who};
use crate::provider::{Surroundings, absolute};
use crate::store::embedded::EmbeddedEngine;
use crate::store::files::{Files, TemporaryFolder};

/// Bytes of the program hashed at once.
const HASH_BYTES: usize = 1 << 20;

/// A variable of the environment; an empty one counts as absent.
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|v| !v.is_empty())
}

/// The flags of a command that say which ledger and who, as they were typed.
pub(super) fn again(common: &Common) -> Vec<String> {
    let folders = [("-C", &common.dir), ("--state-dir", &common.state_dir), ("--config-dir", &common.config_dir)];
    let folders = folders.map(|(flag, path)| (flag, path.as_ref().map(|p| p.as_os_str())));
    let provider = [("--provider", common.provider.as_ref().map(AsRef::as_ref))];
    let settings = common.set.iter().map(|setting| ("--set", Some(setting.as_ref())));
    let who = [("--as", &common.act_as), ("--purpose", &common.purpose)];
    let who = who.map(|(flag, words)| (flag, words.as_deref()));
    let key = [("--key", common.key.as_ref().map(|p| p.as_os_str()))];
    let all = folders.into_iter().chain(provider).chain(settings).chain(who).chain(key);
    let given = all.filter_map(|(flag, value)| value.map(|v| (flag, v)));
    given.flat_map(|(flag, value)| [flag.to_owned(), value.to_string_lossy().into_owned()]).collect()
}

/// The surroundings of this process, with the digest of the program's own file where that can be read.
///
/// # Errors
/// `E_NO_RANDOM`.
pub(super) fn around() -> Result<Surroundings> {
    let found = Surroundings::of_process()?;
    let build = build_digest(&*found.files).unwrap_or(found.build);
    Ok(Surroundings { build, ..found })
}

/// What ledgers of this machine are opened with.
pub(super) fn environment(around: &Surroundings) -> Environment {
    around.environment(Arc::new(EmbeddedEngine::new(around.files.clone())))
}

/// SHA-256 of the running program; `None` where it cannot be read.
pub(super) fn build_digest(files: &dyn Files) -> Option<Digest> {
    let path = std::env::current_exe().ok()?;
    let file = files.open(&path, false).ok()?;
    let (mut hasher, mut buffer, mut at) = (Hasher::new(), vec![0; HASH_BYTES], 0u64);
    loop {
        let got = file.read_at(at, &mut buffer).ok()?;
        if got == 0 {
            return Some(Digest::from_bytes(hasher.finish()));
        }
        hasher.update(buffer.get(..got)?);
        at = at.saturating_add(got as u64);
    }
}

/// Who runs this.
///
/// # Errors
/// `E_USAGE`, `E_LIMIT` and the key errors.
pub(super) fn who(common: &Common, around: &Surroundings) -> Result<Who> {
    let person = match (&common.act_as, &common.key) {
        (None, None) => None,
        (Some(name), Some(key)) => {
            let name = name.as_encoded_bytes().to_vec();
            limit("name given with --as", &name, LABEL_BYTES_MAX)?;
            let key = absolute(key)?;
            let signer: Arc<dyn crate::seal::Signer> = Arc::new(read_signer(&*around.files, &key)?);
            Some((name, signer))
        }
        (Some(_), None) => return Err(together("--as needs --key: a name alone proves nothing")),
        (None, Some(_)) => return Err(together("--key needs --as: whose key is it?")),
    };
    let purpose = common.purpose.as_ref().map(|p| p.as_encoded_bytes().to_vec());
    limit("purpose", purpose.as_deref().unwrap_or_default(), WORDS_BYTES_MAX)?;
    let tool = Some(concat!("immutape ", env!("CARGO_PKG_VERSION")).into());
    Ok(Who { person, purpose, tool, ..around.who.clone() })
}

fn together(words: &'static str) -> Error {
    Error::new(Code::Usage, words).with_hint("for example: --as \"Ann Example\" --key ann.pem")
}

fn limit(what: &str, text: &[u8], bytes_max: usize) -> Result<()> {
    if text.len() <= bytes_max && !(text.is_empty() && what.contains("--as")) {
        return Ok(());
    }
    Err(Error::new(Code::Limit, format!("the {what} has {} bytes; it needs 1 to {bytes_max}", text.len())))
}

/// A folder of this command's own that goes when it is dropped; `what` makes it, for its name and for messages.
///
/// # Errors
/// `E_IO`, `E_NO_RANDOM`.
pub(super) fn temporary_folder(what: &str) -> Result<TemporaryFolder> {
    let base = variable("TMPDIR").map(PathBuf::from).filter(|p| p.is_absolute()).unwrap_or_else(|| "/tmp".into());
    let name = format!("immutape-{what}-{}", hex::encode(bytes::<8>(&OsRandom)?));
    TemporaryFolder::create(&base, &name).map_err(|e| {
        Error::new(Code::Io, format!("the {what} cannot make its temporary folder"))
            .with_hint("set TMPDIR to a folder that you may write to")
            .with_source(e)
    })
}

//! What the door finds out about where it runs: folders, people, the machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Common;
use crate::codec::digest::{Digest, Hasher, sha256};
use crate::codec::escape::visible;
use crate::codec::limits::{LABEL_BYTES_MAX, WORDS_BYTES_MAX};
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::keyring::{OsRandom, read_signer};
use crate::ledger::{Environment, NoObserver, Places, Who};
use crate::store::embedded::EmbeddedEngine;
use crate::store::files::{Files, RealFiles};
use crate::time::SystemClock;

/// Longest system file that is looked at for a name.
const SYSTEM_FILE_BYTES_MAX: u64 = 8 << 20;
/// Bytes of the program hashed at once.
const HASH_BYTES: usize = 1 << 20;

/// A variable of the environment; an empty one counts as absent.
pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|v| !v.is_empty())
}

/// The folders that flags, variables and the home folder give, in this order.
///
/// # Errors
/// `E_NO_HOME`, `E_USAGE`.
pub(super) fn places(common: &Common) -> Result<Places> {
    let given = |flag: &Option<PathBuf>, name: &str| {
        flag.clone().or_else(|| variable(name).map(PathBuf::from)).map(|p| folder(&p)).transpose()
    };
    let ledger = match given(&common.dir, "IMMUTAPE_DIR")? {
        Some(dir) => dir,
        None => base("XDG_DATA_HOME", ".local/share").ok_or_else(no_home)?.join("default"),
    };
    Ok(Places {
        ledger,
        state_base: base("XDG_STATE_HOME", ".local/state"),
        config_base: base("XDG_CONFIG_HOME", ".config"),
        state: given(&common.state_dir, "IMMUTAPE_STATE_DIR")?,
        config: given(&common.config_dir, "IMMUTAPE_CONFIG_DIR")?,
    })
}

/// The flags of a command that say which ledger and who, as they were typed.
pub(super) fn again(common: &Common) -> Vec<String> {
    let folders = [("-C", &common.dir), ("--state-dir", &common.state_dir), ("--config-dir", &common.config_dir)];
    let folders = folders.map(|(flag, path)| (flag, path.as_ref().map(|p| p.as_os_str())));
    let who = [("--as", &common.act_as), ("--purpose", &common.purpose)];
    let who = who.map(|(flag, words)| (flag, words.as_deref()));
    let key = [("--key", common.key.as_ref().map(|p| p.as_os_str()))];
    let given = folders.into_iter().chain(who).chain(key).filter_map(|(flag, value)| value.map(|v| (flag, v)));
    given.flat_map(|(flag, value)| [flag.to_owned(), value.to_string_lossy().into_owned()]).collect()
}

fn no_home() -> Error {
    Error::new(Code::NoHome, "there is no home folder, so nothing says where the ledger is")
        .with_hint("set HOME, or give -C, --state-dir and --config-dir")
}

/// XDG says that a relative path in these variables is to be ignored.
fn base(name: &str, beneath_home: &str) -> Option<PathBuf> {
    let rooted = |v: OsString| Some(PathBuf::from(v)).filter(|p| p.is_absolute());
    let given = variable(name).and_then(rooted);
    let base = given.or_else(|| variable("HOME").and_then(rooted).map(|home| home.join(beneath_home)))?;
    Some(base.join("immutape"))
}

fn folder(path: &Path) -> Result<PathBuf> {
    if path.is_file() {
        let shown = visible(path.as_os_str().as_encoded_bytes());
        return Err(Error::new(Code::Usage, format!("{shown} is a file, and a folder is needed"))
            .with_hint("-C, --state-dir and --config-dir name the folders of a ledger"));
    }
    absolute(path)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| {
        let shown = visible(path.as_os_str().as_encoded_bytes());
        Error::new(Code::Usage, format!("\"{shown}\" is no path to a folder")).with_source(e)
    })
}

/// The stores, clock and generator of this machine.
///
/// # Errors
/// `E_NO_RANDOM`.
pub(super) fn environment() -> Result<Environment> {
    let files = Arc::new(RealFiles);
    Ok(Environment {
        engine: Arc::new(EmbeddedEngine::new(files.clone())),
        clock: Arc::new(SystemClock::new(boot_id(&*files)?)),
        random: Arc::new(OsRandom),
        observer: Arc::new(NoObserver),
        build: build_digest(&*files)
            .unwrap_or_else(|| Digest::from_bytes(sha256(env!("CARGO_PKG_VERSION").as_bytes()))),
        files,
    })
}

/// The kernel's id of this boot; where there is none, one of this process.
fn boot_id(files: &dyn Files) -> Result<[u8; 16]> {
    let text = files.read(Path::new("/proc/sys/kernel/random/boot_id"), 64).unwrap_or_default();
    let digits: Vec<u8> = text.into_iter().filter(u8::is_ascii_hexdigit).collect();
    let mut id = [0; 16];
    match hex::decode_to_slice(&digits, &mut id) {
        Ok(()) => Ok(id),
        Err(_) => Ok(bytes::<16>(&OsRandom)?),
    }
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
pub(super) fn who(common: &Common, files: &dyn Files) -> Result<Who> {
    let person = match (&common.act_as, &common.key) {
        (None, None) => None,
        (Some(name), Some(key)) => {
            let name = name.as_encoded_bytes().to_vec();
            limit("name given with --as", &name, LABEL_BYTES_MAX)?;
            let key = absolute(key)?;
            let signer: Arc<dyn crate::seal::Signer> = Arc::new(read_signer(files, &key)?);
            Some((name, signer))
        }
        (Some(_), None) => return Err(together("--as needs --key: a name alone proves nothing")),
        (None, Some(_)) => return Err(together("--key needs --as: whose key is it?")),
    };
    let purpose = common.purpose.as_ref().map(|p| p.as_encoded_bytes().to_vec());
    limit("purpose", purpose.as_deref().unwrap_or_default(), WORDS_BYTES_MAX)?;
    Ok(Who {
        os_user: os_user(files),
        host: rustix::system::uname().nodename().to_bytes().to_vec(),
        pid: u64::from(std::process::id()),
        person,
        purpose,
        tool: Some(concat!("immutape ", env!("CARGO_PKG_VERSION")).into()),
    })
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

/// The name that the system's own list gives for this process's user; the environment is not asked.
fn os_user(files: &dyn Files) -> Vec<u8> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let list = files.read(Path::new("/etc/passwd"), SYSTEM_FILE_BYTES_MAX).unwrap_or_default();
    let name = list.split(|b| *b == b'\n').find_map(|line| {
        let mut fields = line.split(|b| *b == b':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.as_bytes()).then(|| name.to_vec())
    });
    name.filter(|n| !n.is_empty()).unwrap_or_else(|| format!("uid {uid}").into_bytes())
}

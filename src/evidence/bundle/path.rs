//! Paths in `data/`.

/// What was asked and what is given.
pub const COMPLETENESS: &str = "data/COMPLETENESS.json";
/// SSHSIG over it, for who has OpenSSH alone.
pub const COMPLETENESS_SIGNATURE: &str = "data/COMPLETENESS.json.sig";
/// Who may have signed it, as `ssh-keygen -Y verify` asks for it.
pub const ALLOWED_SIGNERS: &str = "data/keys/allowed_signers";
/// Entries of the log.
pub const ENTRIES: &str = "data/entries.cbor";
/// The head.
pub const CHECKPOINT: &str = "data/log/checkpoint";
/// Set proof of the entries.
pub const LOG_PATHS: &str = "data/log/paths.cbor";
/// The policy for witnesses.
pub const WITNESSES: &str = "data/witnesses";
/// The custody of each tape, to be looked at.
pub const CUSTODY_HTML: &str = "data/custody.html";
/// The same for programs.
pub const CUSTODY_JSON: &str = "data/custody.json";
/// How to check, in words.
pub const VERIFY: &str = "data/VERIFY.txt";
/// Files of one tape, below its folder.
pub const OF_TAPE: [&str; 9] = [
    "evidence.tlog-proof",
    "frames-paths.cbor",
    "frames.cbor",
    "header.cbor",
    "manifest.cbor",
    "receipt.cose",
    "root.cbor",
    "saved.tlog-proof",
    "statement.cose",
];

/// A file of a tape.
#[must_use]
pub fn of_tape(tape: &crate::codec::digest::TapeId, name: &str) -> String {
    format!("data/tapes/{}/{name}", tape.to_hex())
}

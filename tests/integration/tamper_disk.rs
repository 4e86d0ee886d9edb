//! Every file and folder that a ledger leaves on a disk is of a kind that the tamper table edits in every way, or says
//! why not. A kind of file that comes new fails here until there are edits of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use immutape::interchange::{ImportOptions, Importer};
use immutape::ledger::{Ledger, Places, Repair, RepairDone, SaveOptions};

use crate::support::ledgers::{TAPES, ann, tape_path};
use crate::support::tamper::base::{AUTUMN_MS, Base, base, environment, long};
use crate::support::tamper::edits::Kind::{self, *};
use crate::tamper;

/// The edits that every kind of file must see.
const OF_A_FILE: &[Kind] = &[Flip, ZeroRun, ZeroBlock, Truncate, Swap, Delete, Older];
/// And every folder: the others are edits of its files.
const OF_A_FOLDER: &[Kind] = &[Swap, Delete, Older];

/// Why an edit of a file has no meaning; both are looked up in the base.
#[derive(Debug, Clone, Copy)]
enum Why {
    /// It has no bytes.
    Empty,
    /// It is written once: an older copy is the same.
    NeverChanges,
}
use Why::{Empty, NeverChanges};

/// A path, with N for numbers and HEX for identifiers; what the table calls it, or its parts; edits without a meaning.
type Row = (&'static str, &'static [&'static str], &'static [(Kind, Why)]);

const SEGMENT: &[&str] = &[
    "journal segment header",
    "journal group header",
    "journal group code",
    "journal entry bytes",
    "journal sealed half",
    "journal padding",
    "journal unused tail",
    "journal segment",
];
const PACK: &[&str] = &[
    "pack header",
    "object record header",
    "sealed object: header",
    "sealed object: chunk",
    "manifest",
    "pack unused tail",
    "pack",
    "second pack",
];
const NO_OLDER: &[(Kind, Why)] = &[(Older, NeverChanges)];
const NO_BYTES: &[(Kind, Why)] =
    &[(Flip, Empty), (ZeroRun, Empty), (ZeroBlock, Empty), (Truncate, Empty), (Older, NeverChanges)];

const FILES: &[Row] = &[
    ("ledger/journal/N.seg", SEGMENT, &[]),
    ("ledger/packs/N.pack", PACK, &[]),
    ("ledger/index/db", &["sled db"], &[]),
    ("ledger/index/conf", &["sled conf"], NO_OLDER),
    ("ledger/index/snap.HEX", &["sled snap"], &[]),
    ("ledger/quarantine/index-N/db", &["quarantine"], &[]),
    ("ledger/quarantine/index-N/conf", &["quarantine"], &[]),
    ("ledger/quarantine/index-N/snap.HEX", &["quarantine"], &[]),
    ("ledger/quarantine/journal-N.seg.N", &["quarantine"], &[]),
    ("state/head", &["head note 1", "head note 2", "head"], &[]),
    ("state/engine", &["state/engine"], NO_OLDER),
    ("state/ledger", &["state/ledger"], &[]),
    ("state/lock", &["state/lock"], NO_BYTES),
    ("state/reserve", &["state/reserve"], NO_OLDER),
    ("state/vault/generation", &["vault generation"], &[]),
    ("state/vault/HEX", &["vault slot of a tape", "vault free slot", "vault epoch"], &[]),
    ("config/checkpoint.pem", &["checkpoint.pem"], NO_OLDER),
    ("config/recorder.pem", &["recorder.pem"], NO_OLDER),
    ("config/issuer.pem", &["issuer.pem"], NO_OLDER),
    ("config/vault-root.N.key", &["vault-root key"], NO_OLDER),
    ("config/next/checkpoint.pem", &["next keys"], NO_OLDER),
    ("config/next/recorder.pem", &["next keys"], NO_OLDER),
    ("config/next/issuer.pem", &["next keys"], NO_OLDER),
];

const FOLDERS: &[Row] = &[
    ("ledger", &["whole ledger folder"], &[]),
    ("ledger/journal", &["whole journal folder"], &[]),
    ("ledger/packs", &["whole packs folder"], &[]),
    ("ledger/index", &["whole index folder"], &[]),
    // Empty; a file in it is an edit of the index folder.
    ("ledger/index/blobs", &["whole index folder"], &[]),
    ("ledger/quarantine", &["quarantine"], &[]),
    ("ledger/quarantine/index-N", &["quarantine"], &[]),
    ("ledger/quarantine/index-N/blobs", &["quarantine"], &[]),
    ("state", &["whole state folder"], &[]),
    ("state/vault", &["whole vault folder"], &[]),
    ("config", &["whole config folder"], NO_OLDER),
    ("config/next", &["next keys"], NO_OLDER),
];

/// N for a number, HEX for what is named by hexadecimal digits.
fn pattern(path: &str) -> String {
    let is_hex = |name: &str| name.bytes().all(|b| b.is_ascii_hexdigit());
    let component = |name: &str| match name.strip_prefix("snap.") {
        Some(rest) if rest.len() == 16 && is_hex(rest) => "snap.HEX".to_owned(),
        _ if matches!(name.len(), 32 | 64) && is_hex(name) => "HEX".to_owned(),
        _ => {
            let mut out = String::new();
            for c in name.chars() {
                match c {
                    '0'..='9' if out.ends_with('N') => {}
                    '0'..='9' => out.push('N'),
                    c => out.push(c),
                }
            }
            out
        }
    };
    path.split('/').map(component).collect::<Vec<_>>().join("/")
}

/// Patterns of what lies beneath a root, each with a path: files, and folders.
#[derive(Default)]
struct Seen {
    files: BTreeMap<String, String>,
    folders: BTreeMap<String, String>,
}

impl Seen {
    fn look(&mut self, root: &Path) {
        for part in ["ledger", "state", "config"] {
            self.gather(root, part);
        }
    }

    fn gather(&mut self, root: &Path, path: &str) {
        self.folders.insert(pattern(path), path.to_owned());
        for entry in std::fs::read_dir(root.join(path)).unwrap() {
            let entry = entry.unwrap();
            let inner = format!("{path}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                self.gather(root, &inner);
            } else {
                self.files.insert(pattern(&inner), inner);
            }
        }
    }
}

/// Ledgers that were used in every way there is: closed, reopened, with rows put aside, with several segments, open in the
/// middle of a recording and of a reading, killed there, repaired, and used through the program.
fn used(base: &Base) -> Seen {
    let mut seen = Seen::default();
    for root in [&base.root, &base.older, &base.other, &long().root] {
        seen.look(root);
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("open");
    base.copy_to(&root);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let ledger = Ledger::open(Places::beneath(&root), environment(21, AUTUMN_MS)).await.unwrap();
        let reader = ledger.open_tape(&ann(), &base.tapes[0].id.to_hex(), None).await.unwrap();
        let mut saver = ledger.begin_save(&ann(), SaveOptions::default()).await.unwrap();
        let bytes = std::fs::read(tape_path(TAPES[0])).unwrap();
        let mut importer = Importer::open(&bytes[..], ImportOptions::default()).unwrap();
        let mut frames = 0;
        while let Some(frame) = importer.next_frame().unwrap() {
            saver.frame(&frame).unwrap();
            frames += 1;
        }
        assert!(frames > 0);
        seen.look(&root);
        drop((reader, saver));
    });
    seen.look(&root);

    let root = folder.path().join("repaired");
    base.copy_to(&root);
    let segment = root.join("ledger/journal/00000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[base.map.groups[3].extent.start as usize + 100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let (who, env) = (ann(), environment(22, AUTUMN_MS));
    let repair = Ledger::repair(Places::beneath(&root), env, Repair::Log, &who);
    let done = runtime.block_on(repair).unwrap();
    assert!(matches!(done, RepairDone::Journal { .. }), "{done:?}");
    seen.look(&root);

    let root = folder.path().join("program");
    std::fs::create_dir(&root).unwrap();
    let tape = tape_path(TAPES[0]);
    for arguments in [&["save", tape.to_str().unwrap()][..], &["list"], &["verify", "--all"], &["status"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_immutape"));
        command.env_clear().env("HOME", folder.path()).env("IMMUTAPE_DIR", root.join("ledger"));
        command.env("IMMUTAPE_STATE_DIR", root.join("state")).env("IMMUTAPE_CONFIG_DIR", root.join("config"));
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    seen.look(&root);
    seen
}

#[test]
fn every_file_that_a_used_ledger_leaves_is_of_a_kind_that_is_edited() {
    let base = base();
    let seen = used(&base);
    for (seen, rows) in [(&seen.files, FILES), (&seen.folders, FOLDERS)] {
        let known: BTreeSet<&str> = rows.iter().map(|(path, _, _)| *path).collect();
        let left: BTreeSet<&str> = seen.keys().map(String::as_str).collect();
        let new: Vec<_> = left.difference(&known).map(|pattern| &seen[*pattern]).collect();
        assert!(new.is_empty(), "no edit of these kinds of files is in the tamper table: {new:?}");
        let gone: Vec<_> = known.difference(&left).collect();
        assert!(gone.is_empty(), "no ledger here left such files: {gone:?}");
    }
}

#[test]
fn every_kind_of_file_sees_every_kind_of_edit_that_has_a_meaning() {
    let base = base();
    let mut edits: BTreeMap<&str, BTreeSet<Kind>> = BTreeMap::new();
    for (part, kinds) in tamper::wanted() {
        edits.entry(part).or_default().extend(kinds.iter().map(|(kind, _)| *kind));
    }
    let mut used_parts: BTreeSet<&str> = BTreeSet::new();
    for (rows, all) in [(FILES, OF_A_FILE), (FOLDERS, OF_A_FOLDER)] {
        for (path, parts, without) in rows {
            used_parts.extend(*parts);
            let made: BTreeSet<Kind> = parts.iter().flat_map(|part| &edits[part]).copied().collect();
            for kind in all {
                let has_no_meaning = without.iter().any(|(k, _)| k == kind);
                assert_ne!(made.contains(kind), has_no_meaning, "{path} / {kind:?}: an edit, or why there is none");
            }
            without.iter().for_each(|(_, why)| prove(&base, path, *why));
        }
    }
    let other: Vec<_> = edits.keys().filter(|part| !used_parts.contains(*part)).collect();
    assert_eq!(other, [&"names that no part has"], "kinds in the table that are no files");
}

/// The reason must hold for every such file of the base.
fn prove(base: &Base, path: &str, why: Why) {
    let files = base.map.files.keys().filter(|file| {
        let found = pattern(file.to_str().unwrap());
        found == path || found.starts_with(&format!("{path}/"))
    });
    let mut count = 0;
    for file in files {
        count += 1;
        let bytes = std::fs::read(base.root.join(file)).unwrap();
        match why {
            Empty => assert!(bytes.is_empty(), "{}", file.display()),
            NeverChanges => assert_eq!(bytes, std::fs::read(base.older.join(file)).unwrap(), "{}", file.display()),
        }
    }
    assert!(count > 0, "{path}");
}

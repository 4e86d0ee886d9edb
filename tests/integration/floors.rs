//! The architecture as a test: who may import whom, what no room may call, and no ring.
//!
//! `docs/ARCHITECTURE.md` draws the floors; this file holds them. It reads source text, so that a
//! planted violation (see the tests at the end) fails it the same way a real one would.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Rooms with what they may import besides themselves and codec, error, time.
const FLOORS: &[(&str, &[&str])] = &[
    ("codec", &[]),
    ("error", &[]),
    ("time", &[]),
    ("tape", &[]),
    ("seal", &["tape"]),
    ("log", &["tape", "seal"]),
    ("proof", &["tape", "seal", "log"]),
    ("governance", &["tape", "seal", "log"]),
    ("evidence", &["tape", "seal", "log", "proof", "governance"]),
    ("store", &["governance::DisposalClearance"]),
    ("keyring", &["tape", "seal", "log", "store"]),
    ("net", &[]),
    ("catalog", &["tape", "seal", "log", "proof", "governance", "evidence", "store"]),
    ("ledger", &["tape", "seal", "log", "proof", "governance", "evidence", "store", "catalog", "keyring", "net"]),
    ("interchange", &["tape"]),
    ("capture", &["tape", "seal", "log", "proof", "governance", "evidence", "store", "ledger", "interchange"]),
    ("report", &["tape", "seal", "log", "proof", "governance", "evidence", "ledger"]),
    ("provider", PROVIDER),
    ("anchor", &["tape", "seal", "log", "proof", "governance", "evidence", "store", "ledger", "net"]),
    ("server", DOOR),
    ("cli", DOOR),
    ("main", &["cli"]),
    ("lib", &["*"]),
];

/// The door of programs: it puts ledgers together as the command line does.
const PROVIDER: &[&str] = &[
    "tape",
    "seal",
    "log",
    "proof",
    "governance",
    "evidence",
    "store",
    "keyring",
    "catalog",
    "ledger",
    "interchange",
    "capture",
];

const DOOR: &[&str] = &[
    "tape",
    "seal",
    "log",
    "proof",
    "governance",
    "evidence",
    "store",
    "keyring",
    "ledger",
    "interchange",
    "capture",
    "report",
    "provider",
    "anchor",
];

/// Rooms without I/O, clock or randomness of their own.
const PURE: &[&str] = &["codec", "tape", "seal", "log", "proof", "evidence", "governance"];

/// Text that a room must not contain, with the reason; `except` are path beginnings where it may.
struct Forbidden {
    text: &'static str,
    rooms: &'static [&'static str],
    except: &'static [&'static str],
    why: &'static str,
}

const FORBIDDEN: &[Forbidden] = &[
    Forbidden {
        text: "std::fs",
        rooms: &["*"],
        except: &["store/files/"],
        why: "every door reaches the disk through store::files",
    },
    Forbidden { text: "std::net", rooms: &["*"], except: &["net/", "server/"], why: "the network has one room" },
    Forbidden { text: "SystemTime::now", rooms: &["*"], except: &["time.rs"], why: "time is an argument" },
    Forbidden { text: "Instant::now", rooms: PURE, except: &[], why: "time is an argument" },
    Forbidden {
        text: "getrandom::",
        rooms: &["*"],
        except: &["keyring/random.rs", "net/tls/random.rs"],
        why: "randomness is an argument",
    },
    Forbidden {
        text: "std::env::",
        rooms: &["*"],
        except: &["cli/", "main.rs", "provider/surroundings.rs"],
        why: "only doors read the environment",
    },
    Forbidden { text: "println!", rooms: &["*"], except: &["cli/"], why: "the library never prints" },
    Forbidden { text: "print!(", rooms: &["*"], except: &["cli/"], why: "the library never prints" },
    Forbidden { text: "std::process::exit", rooms: &["*"], except: &["main.rs"], why: "one way out" },
    Forbidden { text: "sled::", rooms: &["*"], except: &["store/embedded/rows/"], why: "one file family names sled" },
    Forbidden {
        text: "EmbeddedEngine",
        rooms: &["ledger", "catalog", "keyring"],
        except: &[],
        why: "the ledger names no engine",
    },
    Forbidden {
        text: ".discard(",
        rooms: &["*"],
        except: &["store/"],
        why: "nothing discards before the disposal workflow does",
    },
    Forbidden {
        text: "DurableHead::after_sync",
        rooms: &["*"],
        except: &["ledger/head_file.rs", "log/head.rs"],
        why: "only what is durable is signed",
    },
    Forbidden {
        text: "rename_replace",
        rooms: &["*"],
        except: &["store/"],
        why: "overwriting is for the store's own small files",
    },
    Forbidden {
        text: "remove_file",
        rooms: &["*"],
        except: &[
            "store/",
            "ledger/create.rs",
            "ledger/head_file.rs",
            "keyring/files.rs",
            "keyring/rotation.rs",
            "cli/",
        ],
        why: "nothing sealed is removed",
    },
    Forbidden { text: "#[ignore", rooms: &["*"], except: &[], why: "a test that does not run proves nothing" },
    Forbidden { text: "todo!(", rooms: &["*"], except: &[], why: "no stubs" },
];

/// One source file: path relative to `src`, and its text without comments, strings and test modules.
type Source = (String, String);

fn read_sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut out = Vec::new();
    walk(&root, &root, &mut out);
    assert!(out.len() > 60, "the sources were not found");
    out
}

fn walk(root: &Path, folder: &Path, out: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            // Unit tests in files of their own are tests, whichever folder they stand in.
            if name.contains("/tests/") || name.ends_with("/tests.rs") {
                continue;
            }
            out.push((name, without_tests(&std::fs::read_to_string(&path).unwrap())));
        }
    }
}

/// Drops comments, and everything from a `#[cfg(test)]` module on: tests stand last in our files.
fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    code.lines().map(|l| l.split("//").next().unwrap_or(l)).collect::<Vec<_>>().join("\n")
}

fn room(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Every `crate::a::b` a file names: in paths and in `use crate::{..}` groups.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0usize;
            let mut item = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.insert(item.trim().to_owned());
                        item.clear();
                        continue;
                    }
                    _ => {}
                }
                item.push(c);
            }
            found.insert(item.trim().to_owned());
        } else {
            let path: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
            found.insert(path.trim_end_matches(':').to_owned());
        }
    }
    found.retain(|f| !f.is_empty());
    found
}

/// Does a path climb out of its room by `super::`? What it names there no table would see.
fn climbs_out(path: &str, text: &str) -> bool {
    let depth = path.trim_end_matches("/mod.rs").split('/').count();
    let most = text.match_indices("super::").filter(|(at, _)| !text[..*at].ends_with("super::")).map(|(at, _)| {
        let mut rest = &text[at..];
        let mut steps = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            (rest, steps) = (after, steps + 1);
        }
        steps
    });
    !["main.rs", "lib.rs"].contains(&path) && most.max().unwrap_or(0) >= depth
}

fn violations(sources: &[Source]) -> Vec<String> {
    let mut out = Vec::new();
    let mut edges: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources {
        let here = room(path);
        let Some((_, allowed)) = FLOORS.iter().find(|(r, _)| *r == here) else {
            out.push(format!("{path}: the room {here} has no floor"));
            continue;
        };
        for import in imports(text) {
            let there = import.split("::").next().unwrap().to_owned();
            let base = ["codec", "error", "time", "Code", "Error", "Kind", "Result"].contains(&there.as_str());
            let fits = base && !(here == "codec" && there != "codec")
                || there == here
                || allowed.iter().any(|a| *a == "*" || *a == there || (a.contains("::") && import.starts_with(a)));
            if !fits {
                out.push(format!("{path}: {here} must not import {import}"));
            }
            edges.entry(here).or_default().insert(there);
        }
        if climbs_out(path, text) {
            out.push(format!("{path}: super:: climbs out of the room {here}"));
        }
        for f in FORBIDDEN {
            let applies = f.rooms.contains(&"*") || f.rooms.contains(&here);
            if applies && !f.except.iter().any(|e| path.starts_with(e)) && text.contains(f.text) {
                out.push(format!("{path}: {} is forbidden here: {}", f.text, f.why));
            }
        }
        if path.ends_with("/mod.rs") {
            let functions = text.lines().filter(|l| l.starts_with("pub fn ") || l.starts_with("fn ")).count();
            if functions > 6 {
                out.push(format!("{path}: a mod.rs is a face; it has {functions} functions"));
            }
        }
    }
    out.extend(rings(&edges));
    out
}

/// Rooms that import each other in a circle.
fn rings(edges: &BTreeMap<&str, BTreeSet<String>>) -> Vec<String> {
    let base = ["codec", "error", "time", "lib", "Code", "Error", "Kind", "Result"];
    let mut out = Vec::new();
    for start in edges.keys().filter(|r| !base.contains(r)) {
        let (mut seen, mut queue) = (BTreeSet::new(), vec![start.to_string()]);
        while let Some(at) = queue.pop() {
            for next in edges.get(at.as_str()).into_iter().flatten() {
                if next == start && at != *start {
                    out.push(format!("ring: {start} is reached again from {at}"));
                }
                if next != &at && !base.contains(&next.as_str()) && seen.insert(next.clone()) {
                    queue.push(next.clone());
                }
            }
        }
    }
    out
}

#[test]
fn floors_hold() {
    let found = violations(&read_sources());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The test itself is tested: each planted fault must be named.
#[test]
fn planted_violations_are_found() {
    let planted = [
        ("tape/planted.rs", "use crate::store::Rows;", "tape must not import store::Rows"),
        ("ledger/planted.rs", "fn f() { std::fs::read(\"x\"); }", "std::fs is forbidden"),
        ("log/planted.rs", "use crate::proof::verify_inclusion;", "ring: "),
        ("seal/planted.rs", "use crate::{codec::cbor, ledger::Ledger};", "seal must not import ledger::Ledger"),
        ("store/planted.rs", "use crate::governance::decide;", "store must not import governance::decide"),
        ("tape/planted.rs", "use super::super::ledger::Ledger;", "super:: climbs out of the room tape"),
        ("tape/planted/mod.rs", "use super::super::ledger::Ledger;", "super:: climbs out of the room tape"),
        ("cellar/planted.rs", "", "the room cellar has no floor"),
    ];
    for (path, text, wanted) in planted {
        let mut sources = read_sources();
        sources.push((path.to_owned(), text.to_owned()));
        let found = violations(&sources);
        assert!(found.iter().any(|v| v.contains(wanted)), "{path}: {found:?}");
    }
}

#[test]
fn auditors_import_nothing_of_ours() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("audit-tools");
    if !root.exists() {
        return assert!(!root.join("rust").exists());
    }
    let mut files = vec![root];
    let mut checked = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "py" || e == "rs" || e == "toml" || e == "js") {
            let text = std::fs::read_to_string(&path).unwrap();
            checked += 1;
            for bad in ["import immutape", "use immutape", "immutape =", "../../src"] {
                assert!(!text.contains(bad), "{}: {bad}", path.display());
            }
        }
    }
    assert!(checked > 0, "no auditor was looked at");
}

#[test]
fn no_test_file_is_forgotten() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name != "main" && (path.is_dir() || path.extension().is_some_and(|e| e == "rs")) {
            assert!(main.contains(&format!("mod {name};")), "{name} is not part of the test binary");
            seen += 1;
        }
    }
    assert!(seen > 10);
}

#[test]
fn the_codemap_names_places_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/ARCHITECTURE.md")).unwrap();
    let map = text.split("## Codemap").nth(1).unwrap().split("\n## ").next().unwrap();
    let paths: Vec<&str> = map.split('`').skip(1).step_by(2).filter(|words| words.contains('/')).collect();
    assert!(paths.len() > 15, "{paths:?}");
    for path in paths {
        assert!(root.join("src").join(path).exists(), "docs/ARCHITECTURE.md names {path}");
    }
}

/// Dependencies of the manifest that no reason stands beside.
fn without_reason(manifest: &str) -> Vec<&str> {
    let mut section = "";
    let mut out = Vec::new();
    for line in manifest.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            // A dependency as a table of its own has no line for a reason.
            out.extend(section.contains("dependencies.").then_some(line));
        } else if section.ends_with("dependencies") {
            let reason = line.split_once(" # ").map_or("", |(_, reason)| reason.trim());
            out.extend((reason.len() < 15 || !reason.contains(' ')).then_some(line));
        }
    }
    out
}

#[test]
fn each_dependency_has_its_reason_beside_it() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    assert_eq!(without_reason(&manifest), [""; 0]);
    let planted = "left-pad = \"1\"";
    for line in [planted, "left-pad = \"1\" # ", "left-pad = \"1\" # useful", "[dependencies.left-pad]"] {
        for section in ["[dependencies]", "[dev-dependencies]"] {
            let with = manifest.replacen(section, &format!("{section}\n{line}"), 1);
            assert!(with.len() > manifest.len());
            assert!(without_reason(&with).contains(&line), "{line} in {section} was passed over");
        }
    }
    let good = manifest.replacen("[dependencies]", &format!("[dependencies]\n{planted} # pads what is too short"), 1);
    assert_eq!(without_reason(&good), [""; 0]);
}

//! Whole folders gone, older, of another ledger, in each other's place, or with a file too many.

use std::collections::BTreeSet;

use immutape::Code;

use crate::support::tamper::base::Base;
use crate::support::tamper::edits::Kind::{self, *};
use crate::support::tamper::edits::{Step, delete, put};
use crate::support::tamper::expect::{Auditor, Case, Expect, Opened};
use crate::support::tamper::table::Wanted;
use crate::tamper_journal;

const JOURNAL: &str = "whole journal folder";
const PACKS: &str = "whole packs folder";
const INDEX: &str = "whole index folder";
const VAULT: &str = "whole vault folder";
const LEDGER: &str = "whole ledger folder";
const STATE: &str = "whole state folder";
const CONFIG: &str = "whole config folder";
const STRAYS: &str = "names that no part has";

pub const WANTED: Wanted = &[
    (JOURNAL, &[(Swap, 1), (Delete, 1), (Older, 1), (Append, 2), (Foreign, 1)]),
    (PACKS, &[(Swap, 1), (Delete, 1), (Older, 1), (Foreign, 1)]),
    (INDEX, &[(Swap, 1), (Delete, 1), (Older, 1), (Append, 1), (Foreign, 1), (Other, 1)]),
    (VAULT, &[(Swap, 1), (Delete, 1), (Older, 1), (Foreign, 1)]),
    (LEDGER, &[(Swap, 1), (Delete, 1), (Older, 1), (Foreign, 1)]),
    (STATE, &[(Swap, 1), (Delete, 1), (Older, 1), (Foreign, 1)]),
    (CONFIG, &[(Swap, 1), (Delete, 1), (Append, 1), (Foreign, 1)]),
    (STRAYS, &[(Append, 24), (Other, 7)]),
];

pub fn cases(base: &Base) -> Vec<Case> {
    let mut out = Vec::new();
    journal(base, &mut out);
    packs(base, &mut out);
    index(base, &mut out);
    vault(base, &mut out);
    ledger(base, &mut out);
    state(base, &mut out);
    config(base, &mut out);
    strays(base, &mut out);
    out
}

/// Named, wherever they lie, and neither read nor followed.
fn strays(base: &Base, out: &mut Vec<Case>) {
    let named = |path: &str| Expect::harmless().at(path);
    for folder in ["ledger", "ledger/journal", "ledger/packs", "ledger/spool", "state", "state/vault"] {
        let file = format!("{folder}/notes.txt");
        out.push(Case::whole(STRAYS, stray(&file, b"x"), named(&file)));
        let inner = format!("{folder}/more/00000001.seg");
        out.push(Case::whole(STRAYS, stray(&inner, &[1; 700]), named(&format!("{folder}/more"))));
        // To a folder with names that would be known here, were it followed.
        let link = format!("{folder}/link");
        let step = Step::Point { path: link.clone(), to: base.other.join("ledger/journal") };
        out.push(Case::whole(STRAYS, (Other, format!("{link} points outside"), step), named(&link)));
    }
    for file in ["ledger/journal/00000000.seg", "ledger/packs/00000000.pack"] {
        out.push(Case::whole(STRAYS, stray(file, b"x"), named(file)));
    }
    for file in ["ledger/journal/1.seg", "ledger/packs/00000002.pack.tmp", "state/head.old", "state/lock.tmp"] {
        out.push(Case::whole(STRAYS, stray(file, b"x"), named(file)));
    }
    // As a crash leaves it.
    for file in ["state/head.tmp", "ledger/journal/00000002.seg.tmp", "state/vault/generation.tmp"] {
        out.push(Case::whole(STRAYS, stray(file, b"x"), Expect::harmless()));
    }
    let unlisted = format!("state/vault/{}", "ab".repeat(16));
    out.push(Case::whole(STRAYS, stray(&unlisted, &[1; 36_864]), named(&unlisted)));
    // In the place of a pack: it is no pack, and says so.
    let step =
        Step::Point { path: "ledger/packs/00000002.pack".into(), to: base.other.join("ledger/packs/00000001.pack") };
    let unread = || Expect::altered(&["object"]).at("00000002.pack");
    out.push(Case::whole(STRAYS, stray("ledger/packs/00000002.pack/x", b"x"), unread()));
    let refused = Expect::refused(Code::Io, &["journal"]).at("ledger/journal/00000002.seg");
    out.push(Case::whole(STRAYS, stray("ledger/journal/00000002.seg/x", b"x"), refused));
    out.push(Case::whole(STRAYS, (Other, "a second pack that is a link".into(), step), unread()));
}

fn stray(path: &str, bytes: &[u8]) -> (Kind, String, Step) {
    (Append, format!("{path} put beside"), Step::Plant { path: path.into(), bytes: bytes.to_vec() })
}

fn journal(base: &Base, out: &mut Vec<Case>) {
    let gone = || Expect::refused(Code::LogDamaged, &["journal", "head"]).at("journal");
    out.push(Case::whole(JOURNAL, delete("ledger/journal"), gone()));
    let rollback = Expect::refused(Code::LogRollback, &["rows", "head"]).at("E_LOG_ROLLBACK");
    out.push(Case::whole(JOURNAL, put(Older, &base.older, "ledger/journal"), rollback));
    out.push(Case::whole(JOURNAL, put(Foreign, &base.other, "ledger/journal"), tamper_journal::foreign(base)));
    let exchange = Step::Exchange { a: "ledger/journal".into(), b: "ledger/packs".into() };
    let mut swapped = gone();
    swapped.parts.insert("object");
    swapped.named = base.every_tape();
    out.push(Case::whole(JOURNAL, (Swap, "journal and packs changed places".into(), exchange), swapped));
    let damaged = || Expect::refused(Code::LogDamaged, &["journal"]);
    out.push(Case::whole(JOURNAL, stray("ledger/journal/00000002.seg", b"x"), damaged()));
    out.push(Case::whole(JOURNAL, stray("ledger/journal/00000003.seg", &vec![0; 1 << 20]), damaged()));
}

fn packs(base: &Base, out: &mut Vec<Case>) {
    let losing = |tapes: BTreeSet<_>| Expect::altered(&["object"]).losing(tapes, Code::TapeDamaged);
    out.push(Case::whole(PACKS, delete("ledger/packs"), losing(base.every_tape())));
    out.push(Case::whole(PACKS, put(Older, &base.older, "ledger/packs"), losing(base.late_tapes())));
    out.push(Case::whole(PACKS, put(Foreign, &base.other, "ledger/packs"), losing(base.every_tape())));
    let exchange = Step::Exchange { a: "ledger/packs".into(), b: "ledger/quarantine".into() };
    let swapped = losing(base.every_tape()).at("packs/index-1");
    out.push(Case::whole(PACKS, (Swap, "packs and quarantine changed places".into(), exchange), swapped));
}

fn index(base: &Base, out: &mut Vec<Case>) {
    let gap = || Expect::harmless().with_gaps().at("index");
    out.push(Case::whole(INDEX, delete("ledger/index"), gap().opening(Opened::Rebuilt(0))));
    out.push(Case::whole(INDEX, put(Older, &base.older, "ledger/index"), gap()));
    let mut foreign = Expect::altered(&["rows"]).blind().at("index").opening(Opened::Rebuilt(2));
    foreign.named.clear();
    out.push(Case::whole(INDEX, put(Foreign, &base.other, "ledger/index"), foreign));
    let exchange = Step::Exchange { a: "ledger/index".into(), b: "ledger/packs".into() };
    let swapped = Expect::altered(&["object"])
        .losing(base.every_tape(), Code::TapeDamaged)
        .opening(Opened::Rebuilt(0))
        .at("packs/db");
    out.push(Case::whole(INDEX, (Swap, "index and packs changed places".into(), exchange), swapped));
    out.push(Case::whole(INDEX, stray("ledger/index/blobs/1", b"x"), gap().opening(Opened::Rebuilt(1))));
    let link = Step::Link { path: "ledger/index/db".into() };
    let unreadable = gap().opening(Opened::Rebuilt(1));
    out.push(Case::whole(INDEX, (Other, "the database replaced by a link to it".into(), link), unreadable));
}

fn vault(base: &Base, out: &mut Vec<Case>) {
    let code = |code: Code| Expect::refused(code, &["vault"]).at(code.as_str());
    out.push(Case::whole(VAULT, delete("state/vault"), code(Code::VaultMissing)));
    let mut older = code(Code::VaultRollback);
    older.named = base.late_tapes();
    out.push(Case::whole(VAULT, put(Older, &base.older, "state/vault"), older));
    out.push(Case::whole(VAULT, put(Foreign, &base.other, "state/vault"), code(Code::VaultDamaged)));
    let exchange = Step::Exchange { a: "state/vault".into(), b: "ledger/packs".into() };
    let mut swapped = code(Code::VaultMissing);
    swapped.parts.insert("object");
    swapped.named = base.every_tape();
    out.push(Case::whole(VAULT, (Swap, "vault and packs changed places".into(), exchange), swapped));
}

fn ledger(base: &Base, out: &mut Vec<Case>) {
    out.push(Case::whole(
        LEDGER,
        delete("ledger"),
        Expect { auditor: Auditor::NoFolder, ..Expect::gone(Code::LedgerMissing) },
    ));
    let rollback = Expect::refused(Code::LogRollback, &["head"]).at("E_LOG_ROLLBACK");
    out.push(Case::whole(LEDGER, put(Older, &base.older, "ledger"), rollback));
    let foreign = Expect::refused(Code::KeyForeign, &["keys", "head", "vault"]).at("entry 0");
    out.push(Case::whole(LEDGER, put(Foreign, &base.other, "ledger"), foreign));
    let exchange = Step::Exchange { a: "ledger".into(), b: "state".into() };
    let swapped = Expect::gone(Code::NoLedger);
    out.push(Case::whole(LEDGER, (Swap, "ledger and state folder changed places".into(), exchange), swapped));
}

fn state(base: &Base, out: &mut Vec<Case>) {
    out.push(Case::whole(STATE, delete("state"), Expect::refused(Code::HeadMissing, &["head", "vault"])));
    let mut older = Expect::refused(Code::HeadStale, &["head", "vault"]).at("E_HEAD_STALE");
    older.named = base.late_tapes();
    out.push(Case::whole(STATE, put(Older, &base.older, "state"), older));
    let foreign = Expect::refused(Code::HeadInvalid, &["head", "vault"]);
    out.push(Case::whole(STATE, put(Foreign, &base.other, "state"), foreign));
    let exchange = Step::Exchange { a: "state".into(), b: "config".into() };
    let swapped = Expect::refused(Code::KeyMissing, &["head", "vault"]);
    out.push(Case::whole(STATE, (Swap, "state and config folder changed places".into(), exchange), swapped));
}

fn config(base: &Base, out: &mut Vec<Case>) {
    let gone = Expect::refused(Code::KeyMissing, &["vault"]).at("E_KEY_MISSING").blind();
    out.push(Case::whole(CONFIG, delete("config"), gone));
    let foreign = Expect::refused(Code::KeyForeign, &["keys", "vault"]).at("entry 0").blind();
    out.push(Case::whole(CONFIG, put(Foreign, &base.other, "config"), foreign));
    out.push(Case::whole(CONFIG, stray("config/notes.txt", b"x"), Expect::harmless()));
    let step = Step::Exchange { a: "config".into(), b: "ledger/quarantine".into() };
    let swapped = Expect::refused(Code::KeyMissing, &["vault"]).at("E_KEY_MISSING").blind();
    out.push(Case::whole(CONFIG, (Swap, "config folder and quarantine changed places".into(), step), swapped));
}

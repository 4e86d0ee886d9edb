//! Whole folders gone, older, of another ledger, in each other's place, or with a file too many.

use std::collections::BTreeSet;

use immutape::Code;

use crate::support::tamper::base::Base;
use crate::support::tamper::edits::Kind::{self, *};
use crate::support::tamper::edits::{Step, delete, put};
use crate::support::tamper::expect::{Auditor, Case, Expect, Opened};
use crate::tamper_journal;

const JOURNAL: &str = "whole journal folder";
const PACKS: &str = "whole packs folder";
const INDEX: &str = "whole index folder";
const VAULT: &str = "whole vault folder";
const LEDGER: &str = "whole ledger folder";
const STATE: &str = "whole state folder";
const CONFIG: &str = "whole config folder";

pub const WANTED: &[(&str, &[Kind])] = &[
    (JOURNAL, &[Swap, Delete, Older, Append, Foreign]),
    (PACKS, &[Delete, Older, Append, Foreign]),
    (INDEX, &[Delete, Older, Append, Foreign, Other]),
    (VAULT, &[Delete, Older, Append, Foreign]),
    (LEDGER, &[Delete, Older, Append, Foreign]),
    (STATE, &[Delete, Older, Append, Foreign]),
    (CONFIG, &[Delete, Foreign, Append]),
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
    out
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
    out.push(Case::whole(JOURNAL, stray("ledger/journal/notes.txt", b"x"), Expect::harmless()));
    let damaged = || Expect::refused(Code::LogDamaged, &["journal"]);
    out.push(Case::whole(JOURNAL, stray("ledger/journal/00000002.seg", b"x"), damaged()));
    out.push(Case::whole(JOURNAL, stray("ledger/journal/00000003.seg", &vec![0; 1 << 20]), damaged()));
}

fn packs(base: &Base, out: &mut Vec<Case>) {
    let losing = |tapes: BTreeSet<_>| Expect::altered(&["object"]).losing(tapes, Code::TapeDamaged);
    out.push(Case::whole(PACKS, delete("ledger/packs"), losing(base.every_tape())));
    out.push(Case::whole(PACKS, put(Older, &base.older, "ledger/packs"), losing(base.late_tapes())));
    out.push(Case::whole(PACKS, put(Foreign, &base.other, "ledger/packs"), losing(base.every_tape())));
    out.push(Case::whole(PACKS, stray("ledger/packs/notes.txt", b"x"), Expect::harmless()));
}

fn index(base: &Base, out: &mut Vec<Case>) {
    let gap = || Expect::harmless().with_gaps().at("index");
    out.push(Case::whole(INDEX, delete("ledger/index"), gap().opening(Opened::Rebuilt(0))));
    out.push(Case::whole(INDEX, put(Older, &base.older, "ledger/index"), gap()));
    let mut foreign = Expect::altered(&["rows"]).blind().at("index").opening(Opened::Rebuilt(2));
    foreign.named.clear();
    out.push(Case::whole(INDEX, put(Foreign, &base.other, "ledger/index"), foreign));
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
    out.push(Case::whole(VAULT, stray("state/vault/generation.tmp", b"x"), Expect::harmless()));
    out.push(Case::whole(VAULT, stray(&format!("state/vault/{}", "ab".repeat(16)), &[1; 36_864]), Expect::harmless()));
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
    out.push(Case::whole(LEDGER, stray("ledger/notes.txt", b"x"), Expect::harmless()));
}

fn state(base: &Base, out: &mut Vec<Case>) {
    out.push(Case::whole(STATE, delete("state"), Expect::refused(Code::HeadMissing, &["head", "vault"])));
    let mut older = Expect::refused(Code::HeadStale, &["head", "vault"]).at("E_HEAD_STALE");
    older.named = base.late_tapes();
    out.push(Case::whole(STATE, put(Older, &base.older, "state"), older));
    let foreign = Expect::refused(Code::HeadInvalid, &["head", "vault"]);
    out.push(Case::whole(STATE, put(Foreign, &base.other, "state"), foreign));
    out.push(Case::whole(STATE, stray("state/notes.txt", b"x"), Expect::harmless()));
}

fn config(base: &Base, out: &mut Vec<Case>) {
    let gone = Expect::refused(Code::KeyMissing, &["vault"]).at("E_KEY_MISSING").blind();
    out.push(Case::whole(CONFIG, delete("config"), gone));
    let foreign = Expect::refused(Code::KeyForeign, &["keys", "vault"]).at("entry 0").blind();
    out.push(Case::whole(CONFIG, put(Foreign, &base.other, "config"), foreign));
    out.push(Case::whole(CONFIG, stray("config/notes.txt", b"x"), Expect::harmless()));
}

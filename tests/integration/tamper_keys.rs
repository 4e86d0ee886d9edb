//! Key files and what else stands beside the ledger, under edits. No program without keys can see these.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use immutape::Code;

use crate::support::tamper::base::Base;
use crate::support::tamper::dice::Dice;
use crate::support::tamper::edits::Kind::*;
use crate::support::tamper::edits::{Edited, Step, Target, delete, put};
use crate::support::tamper::expect::{Case, Expect, Opened};
use crate::support::tamper::table::Wanted;

const CHECKPOINT: &str = "checkpoint.pem";
const RECORDER: &str = "recorder.pem";
const ISSUER: &str = "issuer.pem";
const NEXT: &str = "next keys";
const ROOT: &str = "vault-root key";
const NAME_OF_LEDGER: &str = "state/ledger";
const LOCK: &str = "state/lock";
const RESERVE: &str = "state/reserve";
const NAME_OF_ENGINE: &str = "state/engine";

pub const WANTED: Wanted = &[
    (
        CHECKPOINT,
        &[
            (Flip, 7),
            (ZeroRun, 1),
            (ZeroBlock, 1),
            (Truncate, 1),
            (Swap, 1),
            (Delete, 1),
            (Append, 1),
            (Foreign, 1),
            (Other, 1),
        ],
    ),
    (
        RECORDER,
        &[
            (Flip, 7),
            (ZeroRun, 1),
            (ZeroBlock, 1),
            (Truncate, 1),
            (Swap, 1),
            (Delete, 1),
            (Append, 1),
            (Foreign, 1),
            (Other, 1),
        ],
    ),
    (
        ISSUER,
        &[
            (Flip, 7),
            (ZeroRun, 1),
            (ZeroBlock, 1),
            (Truncate, 1),
            (Swap, 1),
            (Delete, 1),
            (Append, 1),
            (Foreign, 1),
            (Other, 1),
        ],
    ),
    (
        NEXT,
        &[(Flip, 3), (ZeroRun, 3), (ZeroBlock, 3), (Truncate, 6), (Swap, 1), (Delete, 3), (Append, 3), (Foreign, 3)],
    ),
    (
        ROOT,
        &[
            (Flip, 7),
            (ZeroRun, 1),
            (ZeroBlock, 1),
            (Truncate, 1),
            (Swap, 1),
            (Delete, 1),
            (Append, 1),
            (Foreign, 1),
            (Other, 1),
        ],
    ),
    (
        NAME_OF_LEDGER,
        &[
            (Flip, 2),
            (ZeroRun, 1),
            (ZeroBlock, 1),
            (Truncate, 2),
            (Swap, 1),
            (Delete, 1),
            (Older, 1),
            (Append, 1),
            (Foreign, 1),
        ],
    ),
    (
        NAME_OF_ENGINE,
        &[(Flip, 2), (ZeroRun, 1), (ZeroBlock, 1), (Truncate, 2), (Swap, 1), (Delete, 1), (Append, 1), (Foreign, 1)],
    ),
    (LOCK, &[(Swap, 1), (Delete, 1), (Append, 1)]),
    (
        RESERVE,
        &[(Flip, 2), (ZeroRun, 1), (ZeroBlock, 1), (Truncate, 2), (Swap, 1), (Delete, 1), (Append, 1), (Foreign, 1)],
    ),
];

pub fn cases(base: &Base, dice: &mut Dice) -> Vec<Case> {
    let mut out = Vec::new();
    for (file, path, beside) in [
        (CHECKPOINT, "config/checkpoint.pem", "config/recorder.pem"),
        (RECORDER, "config/recorder.pem", "config/issuer.pem"),
        (ISSUER, "config/issuer.pem", "config/checkpoint.pem"),
        (ROOT, "config/vault-root.1.key", "config/issuer.pem"),
    ] {
        key_file(base, dice, file, path, beside, &mut out);
    }
    next_keys(base, dice, &mut out);
    name_of_ledger(base, dice, &mut out);
    name_of_engine(base, dice, &mut out);
    let harmless = Expect::harmless;
    out.push(Case::whole(LOCK, delete("state/lock"), harmless()));
    let step = Step::Append { path: "state/lock".into(), bytes: dice.bytes(20) };
    out.push(Case::whole(LOCK, (Append, "20 bytes appended to the lock file".into(), step), harmless()));
    let exchange = Step::Exchange { a: "state/lock".into(), b: "state/head.tmp".into() };
    let steps = vec![Step::Plant { path: "state/head.tmp".into(), bytes: b"left by a crash".to_vec() }, exchange];
    let words = "the lock file and what a crash left changed places".into();
    out.push(Case { file: LOCK, kind: Swap, words, steps, expect: harmless() });
    reserve(base, dice, &mut out);
    out
}

/// Room that is given up when the disk is full. Nothing reads it, and a missing one is made again.
fn reserve(base: &Base, dice: &mut Dice, out: &mut Vec<Case>) {
    const PATH: &str = "state/reserve";
    let file = Target::new(base, PATH);
    let all = 0..file.bytes.len() as u64;
    let edits = [
        file.flip(dice, &all),
        file.flip(dice, &all),
        file.zero_run(dice, &all),
        file.zero_block(dice, &all),
        file.cut_within(dice, &all),
        file.cut(0),
        file.append(dice.bytes(50)),
        file.overwrite(0, &dice.bytes(700), "noise"),
    ];
    out.extend(edits.into_iter().map(|e| Case::of(RESERVE, e, Expect::harmless())));
    out.push(Case::whole(RESERVE, delete(PATH), Expect::harmless()));
    let exchange = Step::Exchange { a: PATH.into(), b: "state/lock".into() };
    let swapped = (Swap, "the reserve and the lock file changed places".into(), exchange);
    out.push(Case::whole(RESERVE, swapped, Expect::harmless()));
}

/// What a key file must come to under the code that opening gives for it.
fn refused(file: &str, code: Code) -> Expect {
    let part = if file == ROOT { "vault" } else { "keys" };
    let place = if file == ROOT { code.as_str() } else { file };
    Expect::refused(code, &[part]).at(place).blind()
}

fn key_file(base: &Base, dice: &mut Dice, file: &'static str, path: &str, beside: &str, out: &mut Vec<Case>) {
    let target = Target::new(base, path);
    let all = 0..target.bytes.len() as u64;
    let body = target.bytes.iter().position(|b| *b == b'\n').unwrap() as u64 + 1;
    // Label, first digit of the key, a digit near its end, the last line's end.
    let mut edits = vec![target.flip_at(12, 0), target.flip_at(body, 1), target.flip_at(body + 40, 0)];
    edits.push(target.flip_at(all.end - 1, 0));
    edits.extend((0..3).map(|_| target.flip(dice, &all)));
    edits.push(target.zero_run(dice, &all));
    edits.push(target.zero_block(dice, &all));
    edits.push(target.cut_within(dice, &(0..all.end - 30)));
    edits.push(target.append(b"more\n".to_vec()));
    for edited in edits {
        let expect = refused(file, code_of(file, &target, &edited));
        out.push(Case::of(file, edited, expect));
    }
    let foreign = if file == ROOT { Code::VaultDamaged } else { Code::KeyForeign };
    out.push(Case::whole(file, put(Foreign, &base.other, path), refused(file, foreign)));
    let gone = if file == ROOT {
        refused(file, Code::KeyMissing)
    } else {
        // What is missing was not altered.
        let gaps = Expect::refused(Code::KeyMissing, &[]).with_gaps().blind().at(file);
        // Without one of the two that pin the log it vouches for itself; the issuer's pins nothing.
        if file == "issuer.pem" { gaps } else { gaps.unpinned() }
    };
    out.push(Case::whole(file, delete(path), gone));
    let exchange = Step::Exchange { a: path.into(), b: beside.into() };
    let mut swapped = refused(file, Code::KeyForeign);
    if file == ROOT {
        // The issuer's file holds the root now, and the other way round.
        swapped = refused(file, Code::KeyMalformed);
        swapped.parts.insert("keys");
    }
    out.push(Case::whole(file, (Swap, format!("{path} and {beside} changed places"), exchange), swapped));
    let step = Step::Open { path: path.into() };
    let unreadable = refused(file, Code::KeyUnreadable);
    out.push(Case::whole(file, (Other, format!("{path} readable by others"), step), unreadable));
}

/// A key file as the format has it: label, one line of base64, label. Another key in the same form is a foreign one.
fn code_of(file: &str, target: &Target, edited: &Edited) -> Code {
    let parse = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        let lines: Vec<&str> = text.split('\n').collect();
        let [begin, body, end] = lines.as_slice() else { return None };
        Some((begin.to_string(), STANDARD.decode(body).ok()?, end.to_string()))
    };
    let (begin, key, end) = parse(&target.bytes).unwrap();
    match parse(&edited.after) {
        Some((b, k, e)) if (&b, &e) == (&begin, &end) && k.len() == key.len() => {
            if file == ROOT {
                Code::VaultDamaged
            } else if k[..16] == key[..16] {
                Code::KeyForeign
            } else {
                Code::KeyMalformed
            }
        }
        _ => Code::KeyMalformed,
    }
}

/// Keys that may follow: nothing reads them but a check.
fn next_keys(base: &Base, dice: &mut Dice, out: &mut Vec<Case>) {
    let named = |name: &str| Expect::altered(&["keys"]).at(format!("next/{name}")).blind();
    for name in ["checkpoint.pem", "recorder.pem", "issuer.pem"] {
        let path = format!("config/next/{name}");
        let target = Target::new(base, &path);
        let all = 0..target.bytes.len() as u64;
        let edits = [
            target.flip(dice, &(28..90)),
            target.zero_run(dice, &all),
            target.zero_block(dice, &all),
            target.cut(0),
            target.cut_within(dice, &all),
            target.append(b"more\n".to_vec()),
        ];
        out.extend(edits.into_iter().map(|e| Case::of(NEXT, e, named(name))));
        out.push(Case::whole(NEXT, put(Foreign, &base.other, &path), named(name)));
        // They may be kept elsewhere: that is what is asked for.
        out.push(Case::whole(NEXT, delete(&path), Expect::harmless()));
    }
    let exchange = Step::Exchange { a: "config/next/issuer.pem".into(), b: "config/next/recorder.pem".into() };
    out.push(Case::whole(NEXT, (Swap, "two next keys changed places".into(), exchange), named("issuer.pem")));
}

/// It says where the ledger is, so that one that vanished is missed. A note, no more: it proves nothing about the log.
fn name_of_ledger(base: &Base, dice: &mut Dice, out: &mut Vec<Case>) {
    let noted = || Expect::harmless().at("ledger");
    // Its length differs from copy to copy: the path is that of the copy.
    for (kind, bytes) in [
        (Flip, b"/elsewhere/ledgfr\n".to_vec()),
        (Flip, b"/elsewhere/ledger\x0b".to_vec()),
        (ZeroRun, b"/else\0\0ere/ledger\n".to_vec()),
        (ZeroBlock, vec![0; 18]),
        (Truncate, b"/else".to_vec()),
        (Truncate, Vec::new()),
        (Append, [b"/elsewhere/ledger\n".to_vec(), dice.bytes(30)].concat()),
    ] {
        let words = format!("state/ledger is {}", String::from_utf8_lossy(&bytes).escape_debug());
        let steps =
            vec![Step::Remove { path: "state/ledger".into() }, Step::Plant { path: "state/ledger".into(), bytes }];
        out.push(Case { file: NAME_OF_LEDGER, kind, words, steps, expect: noted() });
    }
    out.push(Case::whole(NAME_OF_LEDGER, delete("state/ledger"), noted()));
    out.push(Case::whole(NAME_OF_LEDGER, put(Foreign, &base.other, "state/ledger"), noted()));
    out.push(Case::whole(NAME_OF_LEDGER, put(Older, &base.older, "state/ledger"), noted()));
    let exchange = Step::Exchange { a: "state/ledger".into(), b: "state/reserve".into() };
    let words = "the name of the ledger's folder and the reserve changed places".to_owned();
    out.push(Case::whole(NAME_OF_LEDGER, (Swap, words, exchange), noted()));
}

/// It says which engine wrote the ledger, so that another is not let loose on its folders. A note to a check, and a refusal
/// to who opens; where it is gone it is written again.
fn name_of_engine(base: &Base, dice: &mut Dice, out: &mut Vec<Case>) {
    const PATH: &str = NAME_OF_ENGINE;
    let noted = || Expect { open: Opened::Refused(Code::Usage), ..Expect::harmless() }.at("engine");
    let file = Target::new(base, PATH);
    let all = 0..file.bytes.len() as u64;
    let edits = [
        file.flip(dice, &all),
        file.flip(dice, &all),
        file.zero_run(dice, &all),
        file.zero_block(dice, &all),
        file.cut_within(dice, &all),
        file.cut(0),
        file.append(dice.bytes(300)),
        file.overwrite(0, b"elsewhere", "noise"),
    ];
    out.extend(edits.into_iter().map(|e| Case::of(PATH, e, noted())));
    out.push(Case::whole(PATH, delete(PATH), Expect::harmless()));
    let exchange = Step::Exchange { a: PATH.into(), b: "state/ledger".into() };
    out.push(Case::whole(
        PATH,
        (Swap, "the names of the engine and of the folder changed places".into(), exchange),
        noted(),
    ));
}

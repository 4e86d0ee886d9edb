//! `VERIFY.txt`: how to check this very bundle, with its own file names. What stands in commands is made of numbers and ids
//! alone, so that nobody who copies one runs what somebody recorded.

use super::model::BundlePage;
use super::words;
use crate::codec::escape::visible_short;
use crate::log::{AnchorBody, Body, CriticalBody, KeyRole};
use crate::time::Timestamp;

/// Most tapes and time-stamps that are named.
const NAMED_MAX: usize = 3;

/// `VERIFY.txt`: ASCII, at most 80 lines.
#[must_use]
pub fn verify_text(page: &BundlePage) -> String {
    let c = &page.completeness;
    let key = format!("data/keys/checkpoint-{}", head_key(page));
    let mut lines: Vec<String> = Vec::new();
    let mut say = |line: &str| lines.push(line.to_owned());
    say("HOW TO CHECK THIS BUNDLE");
    say("");
    say(&format!("Bundle  {}, made {} UTC", hex::encode(c.bundle), words::moment(Timestamp::from_ms(c.made_ms))));
    say(&format!("Log     {}, {} entries", ascii(&page.head.origin), page.head.size));
    say(&format!("Tapes   {}", c.given.len()));
    for given in c.given.iter().take(NAMED_MAX) {
        say(&format!("        {}", given.tape.to_hex()));
    }
    if c.given.len() > NAMED_MAX {
        say("        and more, each a folder in data/tapes");
    }
    say("");
    say("Nothing in this file, custody.html or custody.json is evidence. Work in the folder that holds bagit.txt.");
    for line in KEYS {
        say(line);
    }
    say(&format!("   Here they are called {key}.vkey and data/keys/*.pem."));
    for line in PROGRAMS {
        say(line);
    }
    let first = c.given.first().map_or_else(|| "TAPE".into(), |given| given.tape.to_hex());
    tools(&mut say, &first);
    stamps(&mut say, page);
    for line in LIMITS {
        say(line);
    }
    lines.join("\n") + "\n"
}

/// The entry that brought the key of the head into force.
fn head_key(page: &BundlePage) -> u64 {
    let rotated = page.entries.iter().rev().find(|entry| {
        let role = matches!(&entry.body, Body::Critical(CriticalBody::Rotated { role: KeyRole::Checkpoint, .. }));
        role && entry.index < page.head.size
    });
    rotated.map_or(0, |entry| entry.index)
}

/// Recorded text as ASCII.
fn ascii(text: &str) -> String {
    visible_short(text.as_bytes(), 160)
        .chars()
        .flat_map(|c| c.escape_default().filter(move |_| !c.is_ascii()).chain(Some(c).filter(char::is_ascii)))
        .collect()
}

const KEYS: [&str; 9] = [
    "",
    "1. KEYS FROM ELSEWHERE",
    "   Ask for the log's verifier key, the recorder's key and the witnesses' verifier keys: whoever recorded the",
    "   sessions publishes the first two, each witness its own; a regulator, an earlier bundle or a notary may have them.",
    "   Never take them from this bundle: whoever makes a false log puts false keys in it. With keys of the bundle alone",
    "   every program below proves only that the bundle agrees with itself (\"unpinned keys\"). Compare, then write down",
    "   which keys you used and who gave them to you. In these commands",
    "   LOG is the log's verifier key, RECORDER the recorder's key, WITNESS a witness's; give --witness once for each.",
    "   Keys that were replaced since are as good as newer ones.",
];

const PROGRAMS: [&str; 15] = [
    "",
    "2. PROGRAMS THAT CHECK ALL OF IT",
    "   immutape verify --bundle . --pub LOG --pub RECORDER --witness WITNESS",
    "   python3 tapeaudit.py --pub LOG --pub RECORDER --witness WITNESS .",
    "   tapeaudit --pub LOG --pub RECORDER --witness WITNESS .",
    "   tapeaudit.html: open it in a browser, drop the bundle on it, paste the keys.",
    "   Each is written apart from the others, and all must say the same word. Exit 0: intact. 10: what is there holds,",
    "   something declared is missing, or nobody outside vouches. 3: altered, missing, incomplete, forked or rolled back.",
    "   1: cannot tell. Take at least one of them from somebody else than who gave you the bundle. Given the published",
    "   log as well (--tree FOLDER), they look for entries about these tapes that are not in the bundle.",
    "",
    "3. TOOLS OF OTHER PEOPLE, FOR A PART EACH",
    "   Every file is the one that was packed (nothing about who packed it):",
    "      sha256sum -c manifest-sha256.txt && sha256sum -c tagmanifest-sha256.txt",
    "      bagit.py --validate .",
];

fn tools(say: &mut impl FnMut(&str), first: &str) {
    let at = format!("data/tapes/{first}");
    say("   The id of each tape is the digest of its root file (prints nothing when all are):");
    say(
        "      for t in data/tapes/*; do sha256sum $t/root.cbor | grep -qx \"$(basename $t)  $t/root.cbor\" || echo $t; done",
    );
    say("   The recorder signed the tape id (COSE_Sign1, EdDSA, key RECORDER; pycose, python-cwt, @auth0/cose):");
    say(&format!("      {at}/statement.cose"));
    say(
        "   The saving and the giving are entries of the log (C2SP tlog-proof under LOG; Go sumdb/note and sumdb/tlog):",
    );
    say(&format!("      {at}/saved.tlog-proof"));
    say(&format!("      {at}/evidence.tlog-proof"));
    say("   The same as a receipt (RFC 9942, issuer's key in place of LOG; scitt-cose):");
    say(&format!("      {at}/receipt.cose"));
    say("   COMPLETENESS.json was signed for OpenSSH, too, by the issuer's key (ORIGIN: what is called Log above):");
    say("      ssh-keygen -Y verify -f data/keys/allowed_signers -I ORIGIN -n evidence@immutape \\");
    say("          -s data/COMPLETENESS.json.sig < data/COMPLETENESS.json");
    say("   docs/auditing.md of Immutape has these steps line by line.");
}

fn stamps(say: &mut impl FnMut(&str), page: &BundlePage) {
    let is_stamp = |body: &Body| matches!(body, Body::Anchor(AnchorBody::Timestamped { .. }));
    let stamps: Vec<u64> = page.entries.iter().filter(|entry| is_stamp(&entry.body)).map(|entry| entry.index).collect();
    if stamps.is_empty() {
        say(
            "   No time-stamp of an authority is in this bundle: its times rest on the ledger's clock and on witnesses.",
        );
        return;
    }
    say("   A time-stamping authority saw a head of the log (roots.pem: the authority's own, from elsewhere):");
    for index in stamps.iter().take(NAMED_MAX) {
        say(&format!(
            "      openssl ts -verify -data data/time/{index}.note -token_in -in data/time/{index}.tst -CAfile roots.pem"
        ));
    }
    if stamps.len() > NAMED_MAX {
        say("      and the others in data/time likewise");
    }
}

const LIMITS: [&str; 9] = [
    "",
    "4. WHAT NONE OF THIS SHOWS",
    "   That what was recorded is true or all that happened. When it happened, but for \"at the latest at\": witnesses and",
    "   time-stamps. That the log is the only one: only heads in other hands (WITNESS) show that. That no later entry is",
    "   about a tape: the bundle ends where it was made. That the ledger counted right what is about a tape: \"complete up",
    "   to the last entry, by the ledger's claim\", until it is compared with the published log.",
    "   Who a name is: \"os-user, unverified\" is the name of an account.",
    "",
    "Ask whoever gave you this for the log's newest head, and compare it with what the witnesses hold.",
];

//! Refused files of chapter 4: records in their chain, and the journal's framing around them.

use immutape::codec::digest::{CustodyId, Digest, GroupHash, LeafHash, sha256};
use immutape::codec::extent::push_record;
use immutape::log::{Body, EntryDraft, EntryKind};
use immutape::time::Timestamp;

use super::inputs::{OTHER_CUSTODY, START_MS, journal_key};
use super::kit::{Accept, Refuse, Reject, flip};
use super::made_log::{GoldenLog, genesis};

pub fn rejects(accepts: &[Accept], log: &GoldenLog) -> Vec<Reject> {
    let mut r = Refuse::new(accepts);
    chained(&mut r, log);
    first_records(&mut r, log);
    groups(&mut r);
    segments(&mut r);
    r.out
}

/// What entry 7 of records.bin says in its place.
struct Place {
    index: u64,
    previous: LeafHash,
    time: u64,
    seq: u64,
    prev: LeafHash,
}

const RECORDS: &str = "records.bin";

/// Faults of the last of the eight records.
fn chained(r: &mut Refuse<'_>, log: &GoldenLog) {
    let made = &log.entries[7];
    let parsed = immutape::log::Entry::decode(&made.public).unwrap();
    let place = || Place {
        index: 7,
        previous: parsed.previous,
        time: parsed.time.as_ms(),
        seq: parsed.subject_seq,
        prev: parsed.subject_prev,
    };
    let base = r.base(RECORDS);
    let front = &base[..base.len() - made.public.len() - made.draft.sealed.len() - 8];
    let mut put = |file: &str, error: &str, what: &str, draft: &EntryDraft, p: Place| {
        let (public, _) = draft.place(p.index, &p.previous, Timestamp::from_ms(p.time), p.seq, &p.prev).unwrap();
        let mut bytes = front.to_vec();
        push_record(&mut bytes, &public, &draft.sealed);
        r.put(file, RECORDS, &format!("LogError::{error}"), what, bytes);
    };
    let (draft, wrong) = (&made.draft, |l: LeafHash| LeafHash::from_bytes(flip(l.as_ref(), 0).try_into().unwrap()));
    put(
        "records-index.bin",
        "Index { expected: 7, found: 8 }",
        "index 8 after 6",
        draft,
        Place { index: 8, ..place() },
    );
    put(
        "records-index-again.bin",
        "Index { expected: 7, found: 6 }",
        "index 6 twice",
        draft,
        Place { index: 6, ..place() },
    );
    put(
        "records-previous.bin",
        "Previous(7)",
        "a bit of the previous leaf",
        draft,
        Place { previous: wrong(parsed.previous), ..place() },
    );
    put(
        "records-time.bin",
        "Time(7)",
        "a time before that of entry 6",
        draft,
        Place { time: parsed.time.as_ms() - 1_001, ..place() },
    );
    put(
        "records-subject-seq.bin",
        "Subject(7)",
        "a number of its subject too high",
        draft,
        Place { seq: parsed.subject_seq + 1, ..place() },
    );
    put(
        "records-subject-prev.bin",
        "Subject(7)",
        "a bit of its subject's last leaf",
        draft,
        Place { prev: wrong(parsed.subject_prev), ..place() },
    );
    let zero = LeafHash::from_bytes([0; 32]);
    put(
        "records-subject-anew.bin",
        "Subject(7)",
        "a subject that begins again",
        draft,
        Place { seq: 0, prev: zero, ..place() },
    );
    let other = EntryDraft { subject: OTHER_CUSTODY, ..draft.clone() };
    put("records-subject-other.bin", "Subject(7)", "a new subject with a history", &other, place());
    let own = log.entries.iter().take(7).map(|e| immutape::log::Entry::decode(&e.public).unwrap());
    let last = own.rev().find(|entry| entry.subject == CustodyId::LEDGER).unwrap();
    let about = EntryDraft { subject: CustodyId::LEDGER, ..draft.clone() };
    let prev = immutape::log::leaf_hash(&log.entries[usize::try_from(last.index).unwrap()].public);
    let follows = Place { seq: last.subject_seq + 1, prev, ..place() };
    put("records-about.bin", "About { index: 7, kind: 17 }", "a tape's kind about the ledger itself", &about, follows);
    let body = Body::Genesis(Box::new(genesis())).encode();
    let again = EntryDraft { kind: EntryKind::GENESIS, body, ..draft.clone() };
    put("records-genesis-again.bin", "Genesis(7)", "a second genesis", &again, place());
    let body = EntryDraft { kind: EntryKind::ACCESS_COMPLETED, ..draft.clone() };
    put("records-body.bin", "Body { index: 7, kind: 33, fault: MissingKey }", "another kind's body", &body, place());
    let digest = Digest::from_bytes(sha256(b"other"));
    let digest = EntryDraft { sealed_digest: digest, ..draft.clone() };
    put("records-sealed-digest.bin", "SealedDigest(7)", "the digest of another sealed half", &digest, place());
    let mut whole = |file: &str, error: &str, what: &str, bytes: Vec<u8>| {
        r.put(file, RECORDS, &format!("LogError::{error}"), what, bytes);
    };
    whole("records-sealed.bin", "SealedDigest(7)", "a bit of the sealed half", flip(base, -1));
    whole("records-cut.bin", "Extent(Records)", "the last byte is missing", base[..base.len() - 1].to_vec());
    let all_but = |left_out: usize| {
        let mut rest = Vec::new();
        let kept = log.entries.iter().take(8).enumerate().filter(|(at, _)| *at != left_out);
        kept.for_each(|(_, e)| push_record(&mut rest, &e.public, &e.draft.sealed));
        rest
    };
    whole("records-one-missing.bin", "Index { expected: 3, found: 4 }", "entry 3 is missing", all_but(3));
    whole("records-first-missing.bin", "Index { expected: 0, found: 1 }", "entry 0 is missing", all_but(0));
}

/// Faults of what stands first.
fn first_records(r: &mut Refuse<'_>, log: &GoldenLog) {
    let zero = LeafHash::from_bytes([0; 32]);
    let mut put = |file: &str, what: &str, draft: &EntryDraft| {
        let (public, _) = draft.place(0, &zero, Timestamp::from_ms(START_MS), 0, &zero).unwrap();
        let mut bytes = Vec::new();
        push_record(&mut bytes, &public, &draft.sealed);
        r.put(file, "record-genesis.bin", "LogError::Genesis(0)", what, bytes);
    };
    let genesis = &log.entries[0].draft;
    put(
        "record-genesis-subject.bin",
        "a genesis about a tape",
        &EntryDraft { subject: OTHER_CUSTODY, ..genesis.clone() },
    );
    let started = EntryDraft { subject: CustodyId::LEDGER, ..log.entries[1].draft.clone() };
    put("record-no-genesis.bin", "another kind as entry 0", &started);
}

/// Hash and code of a group made anew.
fn rehash_group(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[192..256].fill(0);
    let hash = sha256(&out);
    out[192..224].copy_from_slice(&hash);
    out[224..256].copy_from_slice(&journal_key().code(&GroupHash::from_bytes(hash)));
    out
}

fn set(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[at..at + new.len()].copy_from_slice(new);
    out
}

fn groups(r: &mut Refuse<'_>) {
    const AGAIN: &[&str] = &["group hash", "group code"];
    let from = "group.bin";
    let base = r.base(from).to_vec();
    let count = u32::from_be_bytes(base[40..44].try_into().unwrap());
    let body = u64::from_be_bytes(base[48..56].try_into().unwrap());
    let mut put = |file: &str, error: &str, what: &str, bytes: Vec<u8>| {
        r.put_refreshed(file, from, &format!("LogError::Extent({error})"), what, AGAIN, rehash_group(&bytes));
    };
    put("group-magic.bin", "Magic", "another first byte", set(&base, 0, b"J"));
    put("group-newer.bin", "NewerFormat", "version 2", set(&base, 7, &[2]));
    put("group-offset.bin", "Bounds", "an offset between sectors", set(&base, 31, &[1]));
    put("group-no-entries.bin", "Bounds", "no entry", set(&set(&base, 40, &[0; 4]), 56, &base[32..40]));
    put("group-size-after.bin", "Bounds", "a size that is not first index plus count", set(&base, 63, &[99]));
    put("group-body-huge.bin", "Bounds", "8 MiB of records", set(&base, 48, &(8u64 << 20).to_be_bytes()));
    put("group-flag-2.bin", "Reserved", "an unknown flag", set(&base, 47, &[2]));
    put("group-reserved.bin", "Reserved", "a bit of the reserved bytes", set(&base, 160, &[1]));
    let more = set(&set(&base, 40, &(count + 1).to_be_bytes()), 63, &[base[63] + 1]);
    put("group-entry-more.bin", "Records", "a count one too high", more);
    let less = set(&set(&base, 40, &(count - 1).to_be_bytes()), 63, &[base[63] - 1]);
    put("group-entry-less.bin", "Records", "a count one too low", less);
    put(
        "group-body-short.bin",
        "Reserved",
        "a byte of the records left out",
        set(&base, 48, &(body - 1).to_be_bytes()),
    );
    put("group-body-long.bin", "Records", "a byte of padding taken in", set(&base, 48, &(body + 1).to_be_bytes()));
    let mut plain = |file: &str, error: &str, what: &str, bytes: Vec<u8>| {
        r.put(file, from, &format!("LogError::Extent({error})"), what, bytes);
    };
    plain("group-hash.bin", "Hash", "a bit of the hash", flip(&base, 192));
    plain("group-root.bin", "Hash", "a bit of the tree root", flip(&base, 64));
    plain("group-record.bin", "Hash", "a bit of an entry", flip(&base, 300));
    plain("group-padding.bin", "Hash", "a bit of the padding", flip(&base, -1));
    plain("group-cut.bin", "Truncated", "the last sector is missing", base[..base.len() - 512].to_vec());
    plain("group-cut-header.bin", "Truncated", "255 bytes", base[..255].to_vec());
}

fn segments(r: &mut Refuse<'_>) {
    let from = "segment-first.bin";
    let base = r.base(from).to_vec();
    let rehash = |bytes: Vec<u8>| {
        let hash = sha256(&bytes[..480]);
        set(&bytes, 480, &hash)
    };
    let mut put = |file: &str, error: &str, what: &str, bytes: Vec<u8>| {
        r.put_refreshed(file, from, &format!("ExtentError::{error}"), what, &["header hash"], rehash(bytes));
    };
    put("segment-magic.bin", "Magic", "another first byte", set(&base, 0, b"J"));
    put("segment-newer.bin", "NewerFormat", "version 2", set(&base, 7, &[2]));
    put("segment-reserved.bin", "Reserved", "a bit of the reserved bytes", set(&base, 479, &[1]));
    put("segment-number-0.bin", "Bounds", "segment 0", set(&base, 8, &[0; 8]));
    put("segment-length.bin", "Bounds", "a length of 1 MiB and a byte", set(&base, 23, &[1]));
    r.put("segment-hash.bin", from, "ExtentError::Hash", "a bit of the hash", flip(&base, -1));
    r.put("segment-term.bin", from, "ExtentError::Hash", "a bit of the term", flip(&base, 31));
    r.put("segment-cut.bin", from, "ExtentError::Truncated", "511 bytes", base[..511].to_vec());
}

// What bundles and published trees have in common: keys, statements, anchors and successions of the entries that are there.

import { refuse, Refusal, same, toHex } from './bytes.js';
import { EMPTY_ROOT, isConsistent } from './tree.js';
import { H } from './sha256.js';
import { Keys } from './keys.js';
import { readStatement, checkStatementKey } from './cose.js';
import { readVerifierKey, cosignatures, checkSuccession, openHead } from './notes.js';
import { readToken } from './der.js';

const CRITICAL = 32768;
const KNOWN_CRITICAL = new Set([32768, 32769, 32770]);

export function hasUnknownCritical(entries) {
  return entries.some((entry) => entry.kind >= CRITICAL && !KNOWN_CRITICAL.has(entry.kind));
}

/** The keys that the log had, out of entry 0 and its changes; entries are ascending. */
export async function readKeys(genesis, entries, report) {
  const keys = new Keys(genesis);
  for (const entry of entries) {
    if (entry.kind === 32769 || entry.kind === 32770) await report.attempt('changes of keys', `entry ${entry.index}`, () => keys.change(entry));
    else if (entry.kind >= CRITICAL && !KNOWN_CRITICAL.has(entry.kind)) {
      report.finding('cannot tell', `entry ${entry.index}`, `a critical entry of kind ${entry.kind}, which is not known here`);
    }
  }
  return keys;
}

/** The statement of a tape.saved against 3.3 and 4.5. `vouched(index, from, before)`: does a cosigned head speak for it? */
export async function checkStatement(entry, keys, ledger, vouched) {
  const statement = readStatement(entry.body.get(0));
  const key = keys.inForce(1, entry.index);
  await checkStatementKey(statement, key.key);
  if (statement.origin !== keys.origin) refuse('the statement is about another origin');
  if (!same(statement.ledger, ledger)) refuse('the statement is about another ledger');
  if (!same(statement.custody, entry.subject)) refuse('the statement is about another custody id');
  let gap = null;
  if (key.revoked) {
    if (entry.index >= key.revoked.from) refuse('a statement of a revoked key');
    if (!vouched(entry.index, key.revoked.from, key.revoked.index)) gap = 'its recorder key was revoked, and no cosigned head vouches for the statement';
  }
  return { statement, gap };
}

/** Note, cosignatures and token of a kind 128 or 129. Returns the head in it, and what it is worth. */
export async function checkAnchor(entry, keys, witnesses) {
  const note = entry.body.get(0);
  const head = await keys.openHead(note, witnesses);
  if (head.size > entry.index) refuse('a head of more entries than there were');
  let revoked = false;
  if (!head.counts) {
    if (entry.index > head.key.revoked.index) refuse('a head that a revoked key signed');
    revoked = true;
  }
  let time = null;
  if (entry.kind === 128) {
    for (const text of entry.body.get(1)) {
      const key = readVerifierKey(text, 4);
      if (keys.has(0, key.key)) refuse('a witness with a key of the log');
      if (!(await cosignatures(head.note, [key])).size) refuse('a witness that the entry names did not sign');
    }
  } else {
    if (head.note.signatures.length !== 1) refuse('a time-stamped note has other signatures than that of the log');
    const token = readToken(entry.body.get(1));
    if (!same(token.digest, H(note))) refuse('the token is of something else');
    if (BigInt(token.time) !== BigInt(entry.body.get(2))) refuse('the time of the token is another');
    time = token.time;
  }
  return { index: entry.index, kind: entry.kind, head, revoked, time };
}

/** The consistency path of an anchor's head to a larger one. */
export function checkPath(head, path, size, root) {
  if (head.size > size) refuse('a head of more entries than the newest one');
  if (head.size === size || head.size === 0n) {
    if (path.length) refuse('a path where there is nothing to lead over');
    if (!same(head.root, head.size === 0n ? EMPTY_ROOT : root)) refuse('another root at the same size');
  } else if (!isConsistent(head.size, head.root, size, root, path)) refuse('the head in it does not lead to the newest one');
}

/** A succession (4.6) against entry 0. Resolves to a gap, or null. */
export async function checkSuccessor(entry, genesis, keys) {
  const s = await checkSuccession(entry.body.get(0));
  const before = genesis.body.get(9);
  if (!before) refuse('a succession in a log that has no predecessor');
  const [origin, note, first, last] = before;
  if (s.old.name !== origin || BigInt(first) !== s.first || (last === null ? s.last !== null : s.last !== BigInt(last))) refuse('a succession that is not the one of entry 0');
  const head = await openHead(note, s.old);
  if (head.size !== s.size || !same(head.root, s.root)) refuse('a succession of another head than that of entry 0');
  if (s.fresh.name !== keys.origin || !same(s.fresh.key, genesis.body.get(2)) || s.ledger !== toHex(genesis.leaf)) refuse('a succession by another log');
  return s.oldSigned ? null : 'the old log did not sign the succession';
}

const PEM = /^-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END PUBLIC KEY-----\r?\n?$/;
const SPKI = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);

export function spkiOf(key) {
  const out = new Uint8Array(44);
  out.set(SPKI);
  out.set(key, 12);
  return out;
}

/** What the verifier is given from elsewhere, out of texts: `pub` (any kind of key of the log), `witness`, `quorum`, `head`. */
export function readPins({ pub = [], witness = [], quorum = null, head = [] } = {}, fromBase64, fromHex) {
  const pins = { log: [], recorder: [], witnesses: [], quorum: 0, heads: [], given: pub.length };
  for (const raw of pub) {
    const text = raw.trim();
    const pem = PEM.exec(text);
    if (pem) {
      const der = fromBase64(pem[1].replace(/[\r\n]/g, ''));
      if (!der || der.length !== 44 || !same(der.subarray(0, 12), SPKI)) refuse('not the PEM of an Ed25519 key');
      pins.recorder.push(der.subarray(12));
    } else if (/^[0-9a-fA-F]{64}$/.test(text)) pins.recorder.push(fromHex(text));
    else pins.log.push(readVerifierKey(text, 1));
  }
  const seen = new Set();
  for (const raw of witness) {
    const key = readVerifierKey(raw.trim(), 4);
    if (pins.log.some((one) => same(one.key, key.key))) refuse('a key that is given as a log\'s and as a witness\'s');
    if (!seen.has(toHex(key.key))) pins.witnesses.push(key);
    seen.add(toHex(key.key));
  }
  pins.quorum = quorum ?? pins.witnesses.length;
  if (!Number.isSafeInteger(pins.quorum) || pins.quorum < 0 || (quorum !== null && pins.quorum < 1)) refuse('a quorum that is not a number from 1');
  pins.heads = head;
  return pins;
}

/** Compares the pinned keys with those of the log: which roles are pinned. */
export function checkPins(pins, keys, report) {
  const pinned = { checkpoint: false, recorder: false };
  for (const one of pins.log) {
    report.check('pinned keys');
    if (one.name === keys.origin && keys.has(0, one.key)) pinned.checkpoint = true;
    else report.finding('altered', 'keys', `the pinned key of ${one.name} is none of this log`, 'pinned keys');
  }
  for (const one of pins.recorder) {
    report.check('pinned keys');
    if (keys.roles[1].some((key) => same(key.key, one) || same(key.thumb, one))) pinned.recorder = true;
    else report.finding('altered', 'keys', `the pinned recorder key ${toHex(one).slice(0, 16)}.. is none of this log`, 'pinned keys');
  }
  for (const one of pins.witnesses) {
    if (keys.has(0, one.key)) report.finding('altered', 'keys', `${one.name} is given as a witness and has a key of the log`, 'pinned keys');
  }
  return pinned;
}

/** Heads that others kept, opened; one that this log did not sign says nothing. Past `size` any key that the log had will do. */
export async function openGiven(pins, keys, report, size) {
  const heads = [];
  for (const [i, bytes] of pins.heads.entries()) {
    const head = await report.attempt('heads given', `head ${i + 1}`, async () => {
      try {
        return await keys.openHead(bytes, pins.witnesses, size);
      } catch (e) {
        if (e instanceof Refusal) refuse(`a head that was given cannot be used: ${e.message}`, 'cannot tell');
        throw e;
      }
    });
    if (head && head.size !== undefined) heads.push({ ...head, place: `head ${i + 1}` });
  }
  return heads;
}


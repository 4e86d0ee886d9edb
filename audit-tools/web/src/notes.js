// Signed notes: verifier keys, heads, cosignatures (4.2, 5.1), proofs (5.2), proofs of a fork (5.5) and successions (4.6).

import { refuse, fromUtf8, toUtf8, fromBase64, toBase64, toHex, same, concat, decimal, isLowerHex } from './bytes.js';
import { H } from './sha256.js';
import { verify, isPublicKeyCached } from './ed25519.js';
import { EMPTY_ROOT, leafHash, rootFromPath, isConsistent } from './tree.js';

const NOTE_MAX = 65536;
const LINES_MAX = 64;
const SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/u;

/** May it be the name of a key (1.4)? */
function isKeyName(name) {
  // eslint-disable-next-line no-control-regex
  return name.length > 0 && !SPACE.test(name) && !name.includes('+') && !/[\u0000-\u001f]/.test(name);
}

/** A name, a slash and 32 digits, 1.4. */
export function isOrigin(text) {
  return isKeyName(text) && /^[\s\S]+\/[0-9a-f]{32}$/.test(text);
}

export function keyId(name, type, key) {
  return H(concat(toUtf8(name), Uint8Array.of(10, type), key)).slice(0, 4);
}

export function verifierKeyText(name, type, key) {
  return `${name}+${toHex(keyId(name, type, key))}+${toBase64(concat(Uint8Array.of(type), key))}`;
}

/** A verifier key of one type: 1 for a log, 4 for a witness. */
export function readVerifierKey(text, type) {
  const a = text.indexOf('+');
  const b = text.indexOf('+', a + 1);
  if (a < 0 || b < 0) refuse('not a verifier key');
  const name = text.slice(0, a);
  const id = text.slice(a + 1, b);
  if (!isKeyName(name)) refuse('a key name that is empty or has spaces');
  const raw = fromBase64(text.slice(b + 1));
  if (!raw || raw.length !== 33 || !isLowerHex(id, 8)) refuse('not a verifier key');
  if (raw[0] !== type) refuse('a verifier key of another type');
  const key = raw.slice(1);
  if (toHex(keyId(name, type, key)) !== id) refuse('the key id is not that of the key');
  if (!isPublicKeyCached(key)) refuse('a verifier key that is no point, or of small order');
  return { name, type, key, id: keyId(name, type, key), text };
}

export const logKey = (origin, key) => ({ name: origin, type: 1, key, id: keyId(origin, 1, key) });

/** A note taken apart: its text (with the newline at its end) and its signature lines. No signature is looked at. */
export function splitNote(bytes) {
  if (bytes.length > NOTE_MAX) refuse('a note over 64 KiB');
  const whole = fromUtf8(bytes);
  if (whole === null) refuse('a note that is not UTF-8');
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole)) refuse('a control character in a note');
  const cut = whole.lastIndexOf('\n\n');
  if (cut < 0) refuse('no empty line in a note');
  const text = whole.slice(0, cut + 1);
  const rest = whole.slice(cut + 2);
  if (!rest.length || !rest.endsWith('\n')) refuse('no signature line');
  const lines = rest.slice(0, -1).split('\n');
  if (lines.length > LINES_MAX) refuse('too many signature lines');
  const signatures = lines.map((line) => {
    const match = /^\u2014 ([^ ]+) ([^ ]+)$/u.exec(line);
    if (!match || !isKeyName(match[1])) refuse('a malformed signature line');
    const raw = fromBase64(match[2]);
    if (!raw || raw.length < 5) refuse('a malformed signature line');
    return { name: match[1], id: raw.subarray(0, 4), signature: raw.subarray(4), line };
  });
  return { text, signatures };
}

const isOf = (line, key) => line.name === key.name && same(line.id, key.id);

/** Every line of a known key must hold. Returns how many lines of the key there are. */
export async function checkLines(note, key) {
  let found = 0;
  const message = toUtf8(note.text);
  for (const line of note.signatures) {
    if (!isOf(line, key)) continue;
    found++;
    if (!(await verify(key.key, message, line.signature))) refuse('a signature of the log does not hold');
  }
  return found;
}

/** The three lines of a head. */
export function readHead(text, origin = null) {
  const lines = text.split('\n');
  if (!lines[0]) refuse('a head without origin');
  if (origin !== null && lines[0] !== origin) refuse('a head of another origin');
  const size = lines.length > 1 ? decimal(lines[1]) : null;
  if (size === null) refuse('a head without size');
  const root = lines.length > 2 ? fromBase64(lines[2]) : null;
  if (!root || root.length !== 32) refuse('a head without root');
  if (lines.length !== 4 || lines[3] !== '') refuse('an extension line in a head');
  if (!size && !same(root, EMPTY_ROOT)) refuse('a head of nothing whose root is that of some');
  return { origin: lines[0], size, root };
}

/** Cosignatures of known witnesses: a map from the key (hex) to the earliest time, in seconds. One that does not hold spoils the note. */
export async function cosignatures(note, witnesses) {
  const times = new Map();
  for (const witness of witnesses) {
    for (const line of note.signatures) {
      if (!isOf(line, witness)) continue;
      if (line.signature.length !== 72) refuse('a cosignature of another length');
      const time = new DataView(line.signature.buffer, line.signature.byteOffset, 8).getBigUint64(0);
      if (time >= 1n << 63n) refuse('the time of a cosignature is out of range');
      const message = toUtf8(`cosignature/v1\ntime ${time}\n${note.text}`);
      if (!(await verify(witness.key, message, line.signature.subarray(8)))) refuse(`the cosignature of ${witness.name} does not hold`);
      const id = toHex(witness.key);
      if (!times.has(id) || time < times.get(id)) times.set(id, time);
    }
  }
  return times;
}

/** A head under a log's key (4.2) with known witnesses' lines held. */
export async function openHead(bytes, key, witnesses = []) {
  const note = splitNote(bytes);
  const found = await checkLines(note, key);
  if (!found) refuse('a head that the key did not sign');
  const times = await cosignatures(note, witnesses);
  const head = readHead(note.text, key.name);
  return { ...head, note, times };
}

/** The time from which on a quorum had signed, in milliseconds; null without a quorum. */
export function quorumTime(times, quorum) {
  const all = [...times.values()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  if (quorum < 1 || all.length < quorum) return null;
  return all[quorum - 1] * 1000n;
}

/** A head under a log's key that a quorum of witnesses cosigned. */
export async function openCosigned(bytes, key, witnesses, quorum) {
  const head = await openHead(bytes, key, witnesses);
  if (quorumTime(head.times, quorum) === null) refuse('no quorum of cosignatures');
  return head;
}

function hashLine(line) {
  const hash = fromBase64(line);
  if (!hash || hash.length !== 32) refuse('a line that is no hash');
  return hash;
}

/** A tlog-proof taken apart (5.2). */
function readProof(bytes) {
  if (bytes.length > NOTE_MAX * 4) refuse('a proof that is too long');
  const text = fromUtf8(bytes);
  if (text === null) refuse('a proof that is not UTF-8');
  const cut = text.indexOf('\n\n');
  if (cut < 0) refuse('no empty line in a proof');
  const lines = text.slice(0, cut).split('\n');
  if (lines.shift() !== 'c2sp.org/tlog-proof@v1') refuse('another first line than that of a proof');
  let extra = null;
  if (lines.length && lines[0].startsWith('extra ')) {
    extra = fromBase64(lines.shift().slice(6));
    if (!extra || extra.length > 65535) refuse('extra data that is not base64, or too long');
  }
  const first = lines.shift() ?? '';
  const index = first.startsWith('index ') ? decimal(first.slice(6)) : null;
  if (index === null) refuse('a proof without index');
  if (lines.length > 63) refuse('more than 63 hashes');
  return { extra, index, path: lines.map(hashLine), head: toUtf8(text.slice(cut + 2)) };
}

/** A proof checked; `open` opens the head in it, and `leaf` is the leaf hash where there is no extra line. */
export async function checkProof(bytes, open, leaf = null) {
  const proof = readProof(bytes);
  if (!proof.extra && !leaf) refuse('a proof without its entry');
  const of = proof.extra ? leafHash(proof.extra) : leaf;
  if (leaf && !same(of, leaf)) refuse('a proof of another entry');
  const head = await open(proof.head);
  if (!same(rootFromPath(of, proof.index, head.size, proof.path), head.root)) refuse('the path does not lead to the root');
  return { leaf: of, index: proof.index, head, extra: proof.extra };
}

/** A proof of a fork, 5.5. Returns the larger head. */
export async function checkFork(bytes, key) {
  if (bytes.length > NOTE_MAX * 3) refuse('a proof of a fork that is too long');
  const text = fromUtf8(bytes);
  if (text === null) refuse('a proof of a fork that is not UTF-8');
  const parts = text.split('\n\n');
  if (parts.length !== 5) refuse('not two heads');
  const lines = parts[0].split('\n');
  if (lines.shift() !== 'immutape/fork/1') refuse('another first line than that of a fork');
  const root = lines.length && lines[0].startsWith('root ') ? hashLine(lines.shift().slice(5)) : null;
  if (lines.length > 64) refuse('more than 64 hashes');
  const path = lines.map(hashLine);
  const one = await openHead(toUtf8(`${parts[1]}\n\n${parts[2]}\n`), key);
  const two = await openHead(toUtf8(`${parts[3]}\n\n${parts[4]}`), key);
  if (one.size === two.size) {
    if (root || path.length || same(one.root, two.root)) refuse('no fork');
    return two;
  }
  if (one.size > two.size || !root || same(one.root, root) || !isConsistent(one.size, root, two.size, two.root, path)) refuse('no fork');
  return two;
}

/** The statement of 4.6 taken apart and checked under the keys in it. */
export async function checkSuccession(bytes) {
  const note = splitNote(bytes);
  const lines = note.text.split('\n');
  if (lines.length !== 7 || lines[0] !== 'immutape/succession/1') refuse('not a statement of a succession');
  const after = (i, word) => (lines[i].startsWith(`${word} `) ? lines[i].slice(word.length + 1) : refuse(`no line "${word}"`));
  const old = readVerifierKey(after(1, 'old'), 1);
  const head = after(2, 'head').split(' ');
  const size = head.length === 2 ? decimal(head[0]) : null;
  const root = size === null ? null : fromBase64(head[1]);
  if (!root || root.length !== 32) refuse('not a head in a succession');
  const fresh = readVerifierKey(after(3, 'new'), 1);
  const ledger = after(4, 'ledger');
  if (!isLowerHex(ledger, 64)) refuse('not a ledger id');
  const lost = after(5, 'lost').split(' ');
  const first = lost.length === 2 ? decimal(lost[0]) : null;
  const last = first !== null && lost[1] !== '-' ? decimal(lost[1]) : null;
  if (first === null || (lost[1] !== '-' && last === null)) refuse('not the indices of what is lost');
  if (last !== null && last < first) refuse('the last lost index is before the first');
  if (old.name === fresh.name || same(old.key, fresh.key)) refuse('a succession of a log by itself');
  if (!(await checkLines(note, fresh))) refuse('the successor did not sign');
  const oldSigned = (await checkLines(note, old)) > 0;
  return { old, fresh, size, root, ledger, first, last, oldSigned, text: note.text };
}


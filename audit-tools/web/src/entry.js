// Chapter 4: the public half of an entry (4.1, 4.3), the map of its private half (4.4), and private fields opened alone (1.5).

import { refuse, isZero, same } from './bytes.js';
import { decode, encode } from './cbor.js';
import { H } from './sha256.js';
import { leafHash } from './tree.js';
import { isOrigin } from './notes.js';
import { readStatement, readPerson } from './cose.js';
import { labels } from './tape.js';
import * as s from './shape.js';

const NOTE = s.size(0, 65000);
const kind16 = s.upTo(65535);
const origin = (v) => {
  s.text(v);
  if (!isOrigin(v)) refuse('an origin that is none');
};
const u = s.uint;
const digest = s.map({ 0: s.bytes32 });
const oneUint = s.map({ 0: u });
const setMap = s.map({ 0: s.bytes32, 1: u, 2: u }, { 3: s.bytes32 });
const set = (searched) => (v) => {
  setMap(v);
  const n = v.get(1);
  const object = v.has(3);
  if (object && (n <= 512 || n > 655359)) refuse('an object of ids for a set of this size');
  if (searched && n > 512 && !object) refuse('a search over 512 tapes without its object of ids');
};

/** No two of these are the same. */
const distinct = (values, what) => {
  values.forEach((value, n) => {
    if (values.slice(0, n).some((other) => same(other, value))) refuse(what);
  });
};
const agreedList = s.list(s.bytes16, 1, 8);
const agreed = (v) => {
  agreedList(v);
  distinct(v, 'somebody agreed twice');
};
const founderList = s.list(s.tuple(s.bytes16, s.bytes32, s.list(u, 1, 16)), 1, 64);
const founders = (v) => {
  founderList(v);
  distinct(v.map(([id]) => id), 'two founders with one id');
  distinct(v.map(([, key]) => key), 'two founders with one key');
};

const LEDGER = 'ledger';
const TAPE = 'tape';
const ANY = 'any';

/** Kinds with their names, what they are about, and their bodies. */
const KINDS = new Map([
  [0, ['genesis', LEDGER, s.map({
    0: s.exactly(1), 1: origin, 2: s.bytes32, 3: s.bytes32, 4: s.bytes32, 5: s.tuple(s.bytes32, s.bytes32, s.bytes32), 6: s.text, 7: s.text, 8: s.bool,
  }, { 9: s.tuple(s.text, NOTE, u, s.orNull(u)), 10: founders })]],
  [1, ['log.started', LEDGER, oneUint]],
  [2, ['log.stopped', LEDGER, s.map({ 0: u, 1: u, 2: u })]],
  [3, ['log.unclean_stop', LEDGER, oneUint]],
  [4, ['recovered', LEDGER, s.map({ 0: u, 1: u, 2: u, 3: s.bytes32 })]],
  [5, ['rows.rebuilt', LEDGER, s.map({ 0: u, 1: u })]],
  [6, ['head_file.rebuilt', LEDGER, s.map({ 0: u, 1: u })]],
  [7, ['integrity.failed', ANY, s.map({ 0: u, 1: u }, { 2: s.bytes32 })]],
  [8, ['integrity.repaired', ANY, s.map({ 0: u, 1: u, 3: s.bytes32, 4: u }, { 2: s.bytes32 })]],
  [9, ['verified', ANY, s.map({ 0: u, 1: u, 2: u, 3: u, 4: u })]],
  [10, ['clock.anomaly', LEDGER, oneUint]],
  [16, ['tape.saved', TAPE, s.map({ 0: (v) => void (s.bytes(v), readStatement(v)), 1: s.bytes16 })]],
  [17, ['tape.saved_again', TAPE, s.map({})]],
  [18, ['tape.opened', TAPE, s.map({ 0: s.bytes16 }, { 1: s.bytes32 })]],
  [19, ['recording.mark', TAPE, s.map({ 0: u, 1: s.bytes32 })]],
  [20, ['tape.truncated', TAPE, s.map({ 0: u, 1: u, 2: u })]],
  [24, ['labelled', TAPE, digest]],
  [25, ['amended', TAPE, digest]],
  [32, ['access.granted', TAPE, s.map({})]],
  [33, ['access.completed', TAPE, oneUint]],
  [34, ['listed', LEDGER, set(false)]],
  [35, ['searched', LEDGER, set(true)]],
  [36, ['metadata.read', TAPE, s.map({})]],
  [37, ['log.read', LEDGER, s.map({ 0: u, 1: u })]],
  [38, ['custody.read', TAPE, oneUint]],
  [39, ['exported', TAPE, digest]],
  [40, ['refused', ANY, s.map({ 0: kind16, 1: kind16 })]],
  [41, ['followed', TAPE, oneUint]],
  [42, ['replayed', TAPE, oneUint]],
  [104, ['actor.added', LEDGER, s.map({ 0: s.bytes16, 1: u, 2: s.bytes32, 3: agreed }, { 4: s.bytes16 })]],
  [105, ['actor.disabled', LEDGER, s.map({ 0: s.bytes16, 1: agreed })]],
  [106, ['actor.rotated', LEDGER, s.map({ 0: s.bytes16, 1: s.bytes32, 2: agreed })]],
  [107, ['role.granted', LEDGER, s.map({ 0: s.bytes16, 1: u, 2: agreed, 3: s.orNull(u) })]],
  [108, ['role.revoked', LEDGER, s.map({ 0: s.bytes16, 1: u, 2: agreed })]],
  [128, ['anchor.cosigned', LEDGER, s.map({ 0: NOTE, 1: s.list(s.text, 1, 63), 2: s.bool })]],
  [129, ['anchor.timestamped', LEDGER, s.map({ 0: NOTE, 1: s.bytes, 2: u })]],
  [130, ['published', LEDGER, s.map({ 0: u, 1: s.bytes32, 2: u })]],
  [131, ['receipt.issued', ANY, s.map({ 0: u, 1: u, 2: u, 3: s.bytes32 })]],
  [133, ['fork.found', LEDGER, s.map({ 0: u, 1: NOTE, 2: u, 3: s.bytes32 })]],
  [163, ['evidence.made', TAPE, s.map({ 0: s.bytes16, 1: s.bytes32, 2: u })]],
  [164, ['scrubbed', LEDGER, s.map({ 0: u, 1: u, 2: u, 3: u, 4: u, 5: u, 6: s.bool })]],
  [166, ['evidence.given', LEDGER, s.map({ 0: s.bytes16, 1: s.bytes32 })]],
  [32768, ['succession', LEDGER, s.map({ 0: NOTE })]],
  [32769, ['key.rotated', LEDGER, s.map({ 0: s.upTo(2), 1: s.bytes32, 2: s.bytes32, 3: s.bytes64 })]],
  [32770, ['key.revoked', LEDGER, s.map({ 0: s.upTo(2), 1: s.bytes32, 2: u, 3: u })]],
]);

export const kindName = (kind) => KINDS.get(kind)?.[0] ?? `kind ${kind}`;

const entryShape = s.tuple(s.exactly('immutape/entry/1'), u, s.bytes32, u, kind16, s.bytes32, u, s.bytes32, s.bytes32, s.bytes32, s.bytes16, (v) => {
  if (!(v instanceof Map)) refuse('a body that is no map');
  for (const key of v.keys()) if (typeof key === 'string') refuse('a text as key of a body');
});

/** An entry as far as 4.1 goes by itself. */
export function readEntry(bytes) {
  if (bytes.length > 65535) refuse('an entry over 65,535 bytes');
  if (bytes[0] === 0xd2) refuse('a form of entry that is reserved');
  const e = decode(bytes);
  entryShape(e);
  const [, index, previous, time, kind, subject, seq, prev, commitment, sealed, keyIdBytes, body] = e;
  const known = KINDS.get(kind);
  if (known) {
    known[2](body);
    if (known[1] === LEDGER && !isZero(subject)) refuse(`an entry of kind ${kind} that is not about the ledger`);
    if (known[1] === TAPE && isZero(subject)) refuse(`an entry of kind ${kind} that is about no tape`);
  }
  if (kind === 16 && !same(readStatement(body.get(0)).custody, subject)) refuse('the statement of another custody id than the subject');
  if (index === 0 ? kind !== 0 : kind === 0) refuse('entry 0 is a genesis, and no other is');
  if (index === 0 && !isZero(previous)) refuse('entry 0 names an entry before it');
  if (index === 0 && seq !== 0) refuse('entry 0 is not the first of its subject');
  if (seq > index) refuse('an entry counts more entries of its subject than there are');
  if (seq === 0 && !isZero(prev)) refuse('the first entry of a subject names one before it');
  return { index, previous, time, kind, subject, seq, prev, commitment, sealed, keyId: keyIdBytes, body, leaf: leafHash(bytes) };
}

const claim = s.tuple(u, (v) => {
  if (v !== null && !s.isUint(v)) s.tuple(u, u, u)(v);
}, s.orNull(s.text), s.orNull(u), s.orNull(s.bytes32));

const PRIVATE = {
  0: s.tuple(u, s.bytes, u), 1: s.list(s.text, 1), 2: s.bytes, 3: s.bytes, 4: s.bytes, 5: s.tuple(s.bytes, u, s.orNull(s.bytes)), 6: s.bytes16,
  7: s.bytes32, 8: s.tuple(u, u), 9: u, 10: u, 11: s.tuple(u, s.text), 12: s.tuple(u, u, s.bytes16), 13: s.tuple(s.orNull(u), s.orNull(u)),
  14: s.bytes32, 15: s.bytes32, 16: s.bytes, 17: (v) => void (s.bytes(v), readPerson(v)), 18: s.bytes,
  19: (v) => {
    s.size(0, 16384)(v);
    if (v.length % 32) refuse('ids that are not of 32 bytes');
    const ids = [];
    for (let i = 0; i < v.length; i += 32) ids.push(v.subarray(i, i + 32));
    s.ascending(ids, (id) => id, 'ids of a set');
  },
  20: s.bytes32, 21: s.text, 22: s.list(claim, 1), 23: s.text, 24: s.bytes, 25: s.bytes, 26: s.any, 27: s.tuple(s.bytes32, labels), 28: s.any,
  29: s.bytes32, 30: s.tuple(s.bytes32, s.bytes32), 31: s.bytes32,
};

export function checkPrivateField(n, value) {
  if (n >= 32 && n <= 63) return;
  if (!Object.hasOwn(PRIVATE, n)) refuse(`a private field ${n}`);
  PRIVATE[n](value);
}

export function readPrivate(bytes) {
  const map = decode(bytes);
  if (!(map instanceof Map)) refuse('a private half that is no map');
  for (const [n, value] of map) {
    if (typeof n !== 'number' || n < 0) refuse('a key that is not in the table');
    checkPrivateField(n, value);
  }
  return map;
}

const openedShape = s.tuple(s.list(s.tuple(u, s.bytes32), 1), s.list(s.tuple(u, s.bytes32, s.bytes)));

/** `opened` of 6.4 against a commitment by 1.5. Returns all numbers, and the values that are open. */
export function checkOpened(opened, label, commitment, checkField, limit) {
  openedShape(opened);
  const [all, open] = opened;
  s.ascending(all, (pair) => pair[0], 'fields');
  s.ascending(open, (field) => field[0], 'opened fields');
  if (!same(H(encode([`${label}/set`, ...all])), commitment)) refuse('the fields are not those of the commitment');
  const digests = new Map(all);
  const values = new Map();
  const front = [Uint8Array.of(0x84), encode(label)];
  for (const [n, salt, value] of open) {
    const listed = digests.get(n);
    if (!listed) refuse(`field ${n} is opened and not listed`);
    if (!same(H(...front, encode(n), encode(salt), value), listed)) refuse(`field ${n} is not the one that was committed to`);
    const item = decode(value, { inside: 1, limit });
    checkField(n, item);
    values.set(n, item);
  }
  return { numbers: all.map((pair) => pair[0]), values };
}

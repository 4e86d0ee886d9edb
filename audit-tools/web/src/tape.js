// Chapters 2 and 3.2: frames, headers, tape root files and manifests.

import { refuse, same } from './bytes.js';
import { decode, encode } from './cbor.js';
import { EMPTY_ROOT } from './tree.js';
import * as s from './shape.js';

const FLAGS = 8191;
const PAYLOAD = 16777216;
const ENVELOPE = 1048576;
/** Bytes of a header (3.1), and so the most items in it: lists in it may be of short ones. */
export const HEADER = 8 << 20;
// Objects and attachments of a manifest are 2^20 in all (3.2): the most items are those of as many attachments, each with one object.
const MANIFEST_ITEMS = (7 << 20) + 8;

const flags = (v) => void ((s.isUint(v) && v >= 1 && v <= FLAGS) || refuse('flags out of range'));
const jsonField = s.tuple(s.bytes, s.bytes);
const FRAME_MUST = { 0: s.uint, 3: s.upTo(8), 4: s.upTo(3), 6: s.upTo(5) };
const FRAME_MAY = {
  1: s.uint, 2: s.uint, 7: s.bytes, 8: s.bytes, 9: s.bytes, 10: s.bytes, 11: flags,
  12: s.list(s.tuple(s.bytes, s.text, s.bytes32), 1), 13: s.list(jsonField, 1),
};
const frameMap = s.map({ ...FRAME_MUST, 5: s.size(0, PAYLOAD) }, FRAME_MAY);
const envelopeMap = s.map(FRAME_MUST, FRAME_MAY);

/** A frame, 2.1. Returns its map. */
export function readFrame(bytes) {
  const frame = decode(bytes);
  frameMap(frame);
  const envelope = new Map(frame);
  envelope.delete(5);
  if (encode(envelope).length > ENVELOPE) refuse('an envelope over 1 MiB');
  return frame;
}

export function readEnvelope(bytes) {
  if (bytes.length > ENVELOPE) refuse('an envelope over 1 MiB');
  const envelope = decode(bytes);
  envelopeMap(envelope);
  return envelope;
}

export function checkPayload(bytes) {
  if (bytes.length > PAYLOAD) refuse('a payload over 16 MiB');
}

const label = s.size(0, 4096);
export const labels = s.map({}, { 0: label, 1: label, 2: s.list(label, 1, 1024) });
const shortText = s.textOf(1, 128);
const count = (v) => void ((s.isUint(v) && v >= 1) || refuse('a count of none'));
const named = (item, rises) => (v) => {
  s.list(s.tuple(item, count), 1, 256)(v);
  s.ascending(v, (pair) => pair[0], rises);
};
const END_STATE = [[], [s.int], [s.uint], [s.bytes], [], [], [s.bytes], []];

function endState(v) {
  if (!Array.isArray(v) || !v.length || v.length > 2) refuse('not an end state');
  s.upTo(7)(v[0]);
  const detail = END_STATE[v[0]];
  if (v.length - 1 !== detail.length && !(v[0] === 3 && v.length === 1)) refuse('an end state with a detail too many or too few');
  if (v.length === 2) detail[0](v[1]);
}

const statsKeys = {};
for (let i = 0; i < 10; i++) statsKeys[i] = s.uint;

const HEADER_MUST = {
  0: s.exactly(1), 1: s.upTo(6), 10: labels, 11: s.map(statsKeys, { 10: s.uint }), 12: endState, 16: shortText, 24: shortText,
};
const HEADER_MAY = {
  2: s.bytes, 3: s.bytes, 4: s.uint, 5: s.uint, 6: s.uint, 7: s.bytes, 8: s.bytes, 9: s.bytes,
  14: s.map({}, { 0: s.bytes32, 1: s.text, 2: s.bytes32 }),
  15: s.map({}, {
    0: s.text, 1: s.bytes32, 2: s.text, 3: s.list(s.text, 1), 4: s.bytes, 5: s.uint, 6: s.bytes, 7: s.bytes32, 8: s.bytes, 9: s.uint,
  }),
  17: s.bytes32, 18: s.list(s.tuple(s.uint, s.upTo(6), s.uint), 1), 19: s.bytes32, 20: s.bytes32, 21: s.bytes32, 22: s.uint,
  23: s.list(s.bytes32, 1), 25: s.list(jsonField, 1), 26: s.list(s.tuple(s.uint, s.bytes), 1),
  27: (v) => {
    s.map({}, {
      0: named(s.size(0, 256), 'methods'), 1: named(s.size(0, 256), 'tools'), 2: named(s.int, 'error codes'), 3: count,
    })(v);
    if (!v.size) refuse('key 27 without keys');
  },
};
const headerMap = s.map(HEADER_MUST, HEADER_MAY);

export function readHeader(bytes) {
  if (bytes.length > HEADER) refuse('a header over 8 MiB');
  const header = decode(bytes, { limit: HEADER });
  headerMap(header);
  lines(header.get(26));
  return header;
}

function lines(list) {
  if (!list) return;
  for (const [n] of list) if (n < 1) refuse('a line before line 1');
  s.ascending(list, (pair) => pair[0], 'unsaved lines');
}

/** One field of a header that is opened alone. */
export function checkHeaderField(n, value) {
  const check = HEADER_MUST[n] ?? HEADER_MAY[n];
  if (!check) refuse(`a header field ${n}`);
  check(value);
  if (n === 26) lines(value);
}

/** The numbers of the fields that a header has: those that must be there are, and no others than the table's. */
export function checkHeaderNumbers(numbers) {
  for (const n of numbers) if (!Object.hasOwn(HEADER_MUST, n) && !Object.hasOwn(HEADER_MAY, n)) refuse(`a header field ${n}`);
  for (const n of Object.keys(HEADER_MUST)) if (!numbers.includes(Number(n))) refuse(`no header field ${n}`);
}

/** A tape root file, 2.3. */
export function readRoot(bytes) {
  const root = decode(bytes);
  s.tuple(s.exactly('immutape/tape/1'), s.bytes32, s.uint, s.bytes32)(root);
  if (root[2] === 0 && !same(root[3], EMPTY_ROOT)) refuse('a tape without frames whose tree root is that of some');
  return { commitment: root[1], frames: root[2], tree: root[3] };
}

/** A manifest, 3.2. */
export function readManifest(bytes) {
  if (bytes.length > 64 << 20) refuse('a manifest over 64 MiB');
  const m = decode(bytes, { limit: MANIFEST_ITEMS, per: 5 });
  if (!Array.isArray(m) || m.length < 4 || m.length > 5) refuse('not a manifest');
  const object = s.tuple(s.bytes32, s.uint);
  s.exactly('immutape/manifest/1')(m[0]);
  s.bytes32(m[1]);
  s.bytes(m[2]);
  s.list(object, 1)(m[3]);
  let objects = m[3].length;
  if (m.length === 5) {
    s.list(s.tuple(s.uint, s.uint, s.list(object, 1)), 1)(m[4]);
    for (const [, , pieces] of m[4]) objects += pieces.length;
  }
  if (objects > 1 << 20) refuse('too many objects in a manifest');
  const root = readRoot(m[2]);
  if (root.frames > 0 && m[3].length < 2) refuse('frames, and no chunk');
  return { custody: m[1], rootFile: m[2], root };
}

